/** What the end of a run teaches about its kind. */
import type { Lesson } from "./learn.ts"
import type { PollResult } from "./decide.ts"
import type * as RunSource from "../../RunSource.ts"
import * as RunRef from "../ref.ts"
import { type AnyLoop, elapsed } from "./sleepingRun.ts"

/** What the loop knows before a poll, which the poll overwrites. Times are in milliseconds since the start of the wait. */
export interface Before {
  /** When the run was last seen pending, if it was. */
  readonly pendingAt: number | undefined
  readonly progress: RunSource.Progress | undefined
  readonly progressAt: number
}

export const before = ({ completed, failures, outcomeAt, polls, progressAt, total }: AnyLoop): Before => ({
  // After a failed poll it is not known. The poll that begins is counted already
  pendingAt: polls > 1 && failures === 0 ? outcomeAt : undefined,
  progress: completed === undefined ? undefined : { completed, total: total! },
  progressAt
})

/** A run that has ended, and what its end teaches. `undefined` where the kind of the run or its duration is not known. */
export const lessonOf = <S extends RunSource.Any>(
  loop: AnyLoop,
  { pendingAt, progress, progressAt }: Before,
  { phase }: PollResult<S>,
  now: number
): { readonly ref: RunRef.RunRef; readonly lesson: Lesson } | undefined => {
  if (phase === undefined || phase._tag === "Pending") return undefined
  // A source of a program may have any ref, and an estimate that is not finite would make the whole record unreadable
  const ref = RunRef.read(loop.source.ref)
  if (ref?.template === undefined) return undefined
  const { createdAt, estimatedDurationMs: estimate } = ref
  const waited = elapsed(loop)
  // The clock that wrote `createdAt` may be ahead; the run is at least as old as the wait
  const age = createdAt === undefined ? Infinity : Math.max(waited, now - createdAt)
  const youngest = pendingAt === undefined ? 0 : age === Infinity ? pendingAt : age - (waited - pendingAt)
  // The run ended between two polls. Where the provider does not say when, the middle is the best guess
  const reported = phase._tag === "Succeeded" ? phase.durationMs : undefined
  const duration = reported === undefined
    ? pendingAt === undefined ? Infinity : (youngest + age) / 2
    : Math.min(Math.max(reported, youngest), age)
  if (!isLength(duration)) return undefined
  return {
    ref,
    lesson: { duration, estimate, halted: isHalted(progress, (pendingAt ?? 0) - progressAt, duration) }
  }
}

/** Whether a duration can be learnt from: at least 1 millisecond, and less than 366 days, also when it is rounded. */
export const isLength = (millis: number): boolean => millis >= 1 && Math.round(millis) < 366 * 86_400_000

/**
 * Whether the progress of a run had halted: it was short of the last task, and had not changed for four times as long as a task
 * takes. If it had not halted, so long a pause would have a probability of 2 %.
 */
export const isHalted = (progress: RunSource.Progress | undefined, quiet: number, duration: number): boolean =>
  progress !== undefined && progress.completed < progress.total - 1 && quiet > 4 * duration / progress.total
