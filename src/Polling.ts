/**
 * When to poll a run, and when to give up.
 *
 * **Details**
 *
 * A schedule says when the next poll is due. Any `Schedule` will do: after each poll it is given a {@link PollState},
 * so it can look at the snapshot, the progress, the estimate and the time that passed. {@link fixed} and {@link backoff}
 * are the common ones. Whatever the schedule says,
 *
 * - the first poll is made at once;
 * - the provider's `Retry-After` is a floor, at most {@link Policy.retryAfterCeiling};
 * - the deadline is a bound on everything, and the last sleep is cut short so that one more poll fits;
 * - a poll that fails for a passing reason spends one of {@link Policy.errorBudget} consecutive failures, and any answer
 *   fills the budget up again; 404 within {@link Policy.notFoundGrace} of the run's creation counts as passing.
 *
 * **Example** (A schedule that looks at the run)
 *
 * ```ts
 * import { Duration, Effect, Schedule } from "effect"
 * import type { Polling } from "canvas-runs"
 *
 * // Every 30 seconds, and every 5 once nine tenths of the tasks are done
 * const eager = Schedule.spaced("30 seconds").pipe(
 *   Schedule.setInputType<Polling.PollState>(),
 *   Schedule.modifyDelay(({ duration, input }) =>
 *     Effect.succeed(
 *       input.progress !== undefined && input.progress.completed >= input.progress.total * 0.9
 *         ? Duration.seconds(5)
 *         : duration
 *     )
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { type BadRequestError, refused } from "./RunError.ts"
import type { RunRef } from "./RunRef.ts"

/**
 * How much of a run's work is done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly completed: number
  readonly total: number
}

/**
 * What a schedule is given after each poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollState<out Snapshot = unknown> {
  readonly ref: RunRef
  /** The last snapshot; `undefined` until a poll has brought one. */
  readonly snapshot: Snapshot | undefined
  /** The progress in that snapshot, if it tells any. */
  readonly progress: Progress | undefined
  /** Polls made so far, this one included. */
  readonly polls: number
  /** How many polls in a row have failed; 0 after an answer. */
  readonly failures: number
  /** Time since the wait began. */
  readonly elapsed: Duration.Duration
  /** Time since the run was created, where that is known. */
  readonly age: Duration.Duration | undefined
  /** How long the provider expected the run to take, where it said. */
  readonly estimate: Duration.Duration | undefined
  /** Time left until the deadline; infinite without one. */
  readonly remaining: Duration.Duration
}

/**
 * A schedule for polls: its delays count, its output is ignored. When it ends before the run does, the wait ends with a
 * `RunTimeoutError` whose reason is `"schedule"`.
 *
 * @category models
 * @since 0.1.0
 */
export type PollSchedule<Snapshot = unknown, E = never, R = never> = Schedule.Schedule<
  unknown,
  PollState<Snapshot>,
  E,
  R
>

/**
 * Everything that decides how a run is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<Snapshot = unknown, E = never, R = never> {
  readonly schedule: PollSchedule<Snapshot, E, R>
  /** Bounds the whole wait, sleeps and requests alike. `Duration.infinity` waits for ever. */
  readonly timeout: Duration.Duration
  /** How many polls in a row may fail before the wait fails. */
  readonly errorBudget: number
  /** How long after its creation a run may answer 404 without ending the wait. */
  readonly notFoundGrace: Duration.Duration
  /** The longest `Retry-After` that is honoured. */
  readonly retryAfterCeiling: Duration.Duration
}

/**
 * How to wait for a run. Give `pollInterval` or `schedule`, not both.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Snapshot = unknown, E = never, R = never> =
  & {
    /**
     * Bounds the whole wait, sleeps and requests alike; `Infinity` waits for ever. The run goes on at the provider when
     * it passes. The default is the provider's.
     */
    readonly timeout?: Duration.Input | undefined
    /**
     * How many polls in a row may fail for a passing reason (transport, 408, 429, 5xx, an answer that is not JSON).
     *
     * @default 5
     */
    readonly errorBudget?: number | undefined
    /**
     * How long after its creation a run may answer 404, as it does while replicas catch up.
     *
     * @default "30 seconds"
     */
    readonly notFoundGrace?: Duration.Input | undefined
    /**
     * The longest `Retry-After` that is honoured.
     *
     * @default "1 minute"
     */
    readonly retryAfterCeiling?: Duration.Input | undefined
  }
  & (
    | {
      /** Time between polls. The default is the provider's. */
      readonly pollInterval?: Duration.Input | undefined
      readonly schedule?: undefined
    }
    | {
      readonly pollInterval?: undefined
      /** When to poll; any `Schedule`. */
      readonly schedule: PollSchedule<Snapshot, E, R>
    }
  )

/**
 * Polls with the same time between any two.
 *
 * @category schedules
 * @since 0.1.0
 */
export const fixed = (interval: Duration.Input): Schedule.Schedule<number> => Schedule.spaced(interval)

/**
 * Polls that grow further apart: `initial`, then `factor` times as long each time, up to `max`.
 *
 * **Details**
 *
 * With `jitter` (the default) each delay is stretched or shortened by up to a fifth, so that many runs started together
 * do not poll together.
 *
 * **Example** (The pace that Spine's API documentation asks for)
 *
 * ```ts
 * import { Polling } from "canvas-runs"
 *
 * const schedule = Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute" })
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const backoff = (options?: {
  /** @default "2 seconds" */
  readonly initial?: Duration.Input | undefined
  /** @default 2 */
  readonly factor?: number | undefined
  /** @default "30 seconds" */
  readonly max?: Duration.Input | undefined
  /** @default true */
  readonly jitter?: boolean | undefined
}): Schedule.Schedule<Duration.Duration> => {
  const schedule = Schedule.min([
    Schedule.exponential(options?.initial ?? "2 seconds", options?.factor ?? 2),
    Schedule.spaced(options?.max ?? "30 seconds")
  ])
  return options?.jitter === false ? schedule : Schedule.jittered(schedule)
}

/**
 * Turns what a caller gave into a {@link Policy}, or says which option is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePolicy = <Snapshot, E = never, R = never>(
  operation: string,
  options: Options<Snapshot, E, R> | undefined,
  defaults: { readonly pollInterval: Duration.Input; readonly timeout: Duration.Input }
): Effect.Effect<Policy<Snapshot, E, R>, BadRequestError> =>
  Effect.gen(function*() {
    const duration = (parameter: string, input: Duration.Input | undefined, fallback: Duration.Input) =>
      positive(operation, parameter, input ?? fallback)
    const timeout = yield* duration("timeout", options?.timeout, defaults.timeout)
    const notFoundGrace = yield* nonNegative(operation, "notFoundGrace", options?.notFoundGrace ?? "30 seconds")
    const retryAfterCeiling = yield* duration("retryAfterCeiling", options?.retryAfterCeiling, "1 minute")
    const errorBudget = options?.errorBudget ?? 5
    if (!Number.isSafeInteger(errorBudget) || errorBudget < 0) {
      return yield* refused({
        operation,
        parameter: "errorBudget",
        message: `errorBudget is ${errorBudget}; it must be a whole number, 0 or more.`
      })
    }
    if (options?.schedule !== undefined && options.pollInterval !== undefined) {
      return yield* refused({
        operation,
        parameter: "schedule",
        message: "pollInterval and schedule were both given; they exclude each other."
      })
    }
    const schedule: PollSchedule<Snapshot, E, R> = options?.schedule ??
      fixed(yield* duration("pollInterval", options?.pollInterval, defaults.pollInterval))
    return { schedule, timeout, errorBudget, notFoundGrace, retryAfterCeiling }
  })

/**
 * Reads a duration that must be longer than nothing.
 *
 * @internal
 */
export const positive = (
  operation: string,
  parameter: string,
  input: Duration.Input
): Effect.Effect<Duration.Duration, BadRequestError> =>
  Effect.filterOrFail(
    nonNegative(operation, parameter, input),
    (duration) => !Duration.isZero(duration),
    () => refused({ operation, parameter, message: `${parameter} is zero; it must be longer.` })
  )

const nonNegative = (
  operation: string,
  parameter: string,
  input: Duration.Input
): Effect.Effect<Duration.Duration, BadRequestError> => {
  const duration = Duration.fromInput(input)
  return Option.isSome(duration) && !Duration.isNegative(duration.value)
    ? Effect.succeed(duration.value)
    : Effect.fail(refused({
      operation,
      parameter,
      message: `${parameter} is ${String(input)}, which is not a duration. Write "5 seconds", or milliseconds.`
    }))
}
