/** What one poll means for its wait: whether the run has ended, and whether a failed poll is followed by another. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as RunSource from "../../RunSource.ts"
import { memberOf, quote } from "../describe.ts"
import { durationOf } from "../options.ts"
import { format, type RunRef } from "../ref.ts"
import { isOurs } from "../taggedError.ts"

export type PhaseOf<S extends RunSource.Any> = RunSource.Phase<RunSource.Success<S>, RunSource.Failure<S>>

/** The result of one poll: an answer with its phase, or a failure that the wait survives. */
export type PollResult<S extends RunSource.Any> =
  | { readonly phase: PhaseOf<S>; readonly answer: RunSource.Answer<RunSource.Snapshot<S>> }
  | { readonly phase: undefined; readonly error: RunSource.Error<S> }

/**
 * Returns the phase that the source reads from an answer. A source that returns anything but a phase, or whose `classify` throws,
 * is a mistake of the program. The errors of a wait do not cover that, so it is a defect.
 */
export const phaseOf = <S extends RunSource.Any>(
  source: S,
  answer: Pick<RunSource.Answer<RunSource.Snapshot<S>>, "value">
): PhaseOf<S> => {
  if (!Predicate.isObject(answer)) {
    throw new TypeError(`retrieve of ${format(source.ref)} returned ${quote(answer)}; it must return an answer.`)
  }
  const phase: unknown = source.classify(answer.value)
  const tag = Predicate.hasProperty(phase, "_tag") ? phase._tag : undefined
  if (tag === "Pending" || tag === "Succeeded" || tag === "Failed") return phase as PhaseOf<S>
  throw new TypeError(
    `classify of ${format(source.ref)} returned ${quote(phase)} with the _tag ${
      quote(tag)
    }; it must return a phase with the _tag Pending, Succeeded or Failed.`
  )
}

/** The members of a failure that the loop reads. A source may fail with anything, such as `null`. */
export const readFailure = (error: unknown) => ({
  tag: memberOf(error, "_tag") ?? "Error",
  isRetryable: memberOf(error, "isRetryable") === true,
  retryAfter: memberOf(error, "retryAfter")
})

/**
 * Decides what follows a failed poll.
 *
 * - `"poll again"`: 404 within the grace period is replica lag, and costs nothing.
 * - `"spend and poll again"`: any other transient failure reduces the error budget by one.
 * - `"end the wait"`: the budget is spent, or the failure is final.
 */
export const afterFailure = (
  error: unknown,
  { elapsed, failures, now, policy, ref }: {
    readonly policy: Pick<RunSource.Policy, "errorBudget" | "notFoundGrace">
    readonly ref: RunRef
    /** Transient failures in a row before this one. */
    readonly failures: number
    /** Milliseconds since the start of the wait. */
    readonly elapsed: number
    /** The time of day, in Unix milliseconds. */
    readonly now: number
  }
): "poll again" | "spend and poll again" | "end the wait" => {
  const grace = graceOf(policy, ref)
  // The clock that wrote the ref's `createdAt` may be ahead, so the grace period also counts from the first poll
  const isReplicaLag = isOurs(error, "NotFoundError") && grace > 0 && elapsed <= grace &&
    (ref.createdAt === undefined || now - ref.createdAt <= grace)
  if (isReplicaLag) return "poll again"
  return readFailure(error).isRetryable && failures < policy.errorBudget ? "spend and poll again" : "end the wait"
}

/** How long 404 counts as replica lag, in milliseconds; 0 where it never does. */
export const graceOf = ({ notFoundGrace }: Pick<RunSource.Policy, "notFoundGrace">, { createdAt }: RunRef): number => {
  if (notFoundGrace !== undefined) return Duration.toMillis(notFoundGrace)
  return createdAt === undefined ? 0 : defaultGrace
}

const defaultGrace = 30_000

/** The least time until the next poll by a `Retry-After`, in milliseconds. A value that is not a duration is ignored. */
export const floorOf = ({ retryAfterCeiling }: Pick<RunSource.Policy, "retryAfterCeiling">, retryAfter: unknown) =>
  retryAfter === undefined ? 0 : Option.match(durationOf(retryAfter), {
    onNone: () => 0,
    onSome: (duration) => Math.max(0, Math.min(Duration.toMillis(duration), Duration.toMillis(retryAfterCeiling)))
  })
