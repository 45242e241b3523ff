/** How long a wait sleeps before its next poll, in milliseconds. */
import * as Duration from "effect/Duration"
import type * as RunSource from "../../RunSource.ts"
import { type AnyLoop, elapsed, has, set, timeLeft, unset } from "./sleepingRun.ts"
import * as TimerQueue from "./timerQueue.ts"

/** The pause where a schedule has none, or one of less than a millisecond: a wait never polls without a pause. */
const minPause = 100

/** Returns the pause after a poll, given what the schedule says. */
export const afterPoll = (
  loop: Pick<AnyLoop, "flags" | "floor" | "pausesSinceProof" | "late" | "slowest" | "timers">,
  left: number,
  scheduled: number,
  random: number
): number => {
  // The pause counts from the time when the last poll was due. That poll may have begun later, together with the polls of other runs
  let millis = scheduled >= 1 ? Math.max(scheduled - loop.late, scheduled / 2) : minPause
  if (has(loop, "isPushed")) {
    millis = Math.min(millis, has(loop, "wasPushed") ? pushGap(loop) : minPause)
    set(loop, "wasPushed")
  } else if (loop.pausesSinceProof > 0) millis = Math.min(millis, 500 * 2 ** loop.pausesSinceProof++)
  // Many runs with the same `Retry-After` must not poll at the same moment
  if (loop.floor > millis) millis = loop.floor + random * Math.min(millis, spread(loop.timers))
  const last = lastStart(loop, left)
  if (millis < last) return millis
  set(loop, "isLast")
  return Math.max(0, last)
}

/** Returns the rest of the pause when a push arrives while a run sleeps. */
export const afterPush = (loop: AnyLoop): number =>
  loop.outcomeAt + Math.max(loop.floor, has(loop, "wasPushed") ? pushGap(loop) : 0) - elapsed(loop)

/**
 * The pause between a poll and the next that a push asks for. A push that proves the end of the run is signed; others prove only
 * that the sender knows the token, and must not make this client flood the provider.
 */
const pushGap = ({ pausesSinceProof }: Pick<AnyLoop, "pausesSinceProof">): number =>
  pausesSinceProof > 0 ? minPause : 10 * minPause

/**
 * The longest sleep that leaves room for the last poll: twice the slowest poll seen, and never more than half of the time until
 * the deadline. No poll is planned for later.
 */
const lastStart = ({ slowest }: Pick<AnyLoop, "slowest">, left: number): number =>
  left - Math.min(Math.max(2 * slowest, 100), left / 2)

/** The time over which many runs spread polls that would otherwise start at one moment. */
const spread = (timers: TimerQueue.TimerQueue): number => Math.max(0, timers.size() - TimerQueue.coalescingThreshold)

/** A process that was suspended for so long finds everything due at once. */
const suspendedMillis = 1000

/**
 * Delays a poll that is due after the process was suspended, so that polls that were due at different times stay apart. Each poll
 * is delayed once at most, and never up to its deadline: in a process whose event loop is always busy, every wake-up is late.
 */
export const putOff = (loop: AnyLoop): boolean => {
  const late = loop.timers.now() - loop.due
  const wasPutOff = has(loop, "isPutOff")
  unset(loop, "isPutOff")
  if (late < suspendedMillis || wasPutOff || has(loop, "isLast")) return false
  const window = Math.min(late, spread(loop.timers))
  const millis = loop.due % window
  if (window === 0 || millis >= lastStart(loop, timeLeft(loop))) return false
  set(loop, "isPutOff")
  loop.timers.add(loop, millis)
  return true
}

/** Returns the input of a schedule after a poll. `now` is the time of day, in Unix milliseconds. */
export const stateOf = <Snapshot>(
  loop: AnyLoop & { readonly snapshot: Snapshot | undefined },
  elapsed: number,
  now: number
): RunSource.PollState<Snapshot> => {
  const { completed, failures, policy, polls, progressAt, snapshot, source: { ref }, total } = loop
  return {
    ref,
    snapshot,
    progress: completed === undefined ? undefined : { completed, total: total! },
    sinceProgress: Duration.millis(elapsed - progressAt),
    polls,
    failures,
    elapsed: Duration.millis(elapsed),
    age: ref.createdAt === undefined ? undefined : Duration.millis(Math.max(0, now - ref.createdAt)),
    estimate: ref.estimatedDurationMs === undefined ? undefined : Duration.millis(ref.estimatedDurationMs),
    remaining: Duration.millis(Duration.toMillis(policy.timeout) - elapsed)
  }
}
