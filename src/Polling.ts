/**
 * When to poll a run, and when to give up.
 *
 * **Details**
 *
 * A schedule says when the next poll is due. Any `Schedule` will do: after each poll it is given a {@link PollState},
 * so it can look at the snapshot, the progress, the estimate and the time that passed. {@link fixed} and {@link backoff}
 * are the common ones, and {@link make} turns a function into one. Whatever the schedule says,
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
 * import { Polling } from "canvas-runs"
 *
 * // Every 30 seconds, and every 5 once nine tenths of the tasks are done
 * const eager = Polling.make(({ progress }) =>
 *   progress !== undefined && progress.completed >= progress.total * 0.9 ? "5 seconds" : "30 seconds"
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
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
 * A schedule that is a function from what is known of the run to the time until its next poll.
 *
 * **When to use**
 *
 * Use it where the pace depends on the run and on nothing else. It never ends; combine it with `Schedule.upTo` or
 * `Schedule.recurs`, as any other schedule, to have it end.
 *
 * **Details**
 *
 * `random` is at least 0 and less than 1, anew for each poll, and comes from Effect's `Random`, so a seed repeats it.
 *
 * **Gotchas**
 *
 * The function is called once per poll of every run that waits, and a wait keeps nothing else of the schedule: that makes
 * it the cheapest kind there is. What is negative or not a number is taken as zero.
 *
 * **Example** (A quarter of the run's age, between 2 seconds and 2 minutes)
 *
 * ```ts
 * import { Duration } from "effect"
 * import { Polling } from "canvas-runs"
 *
 * const schedule = Polling.make(({ age, elapsed }, random) => {
 *   const quarter = Duration.toMillis(age ?? elapsed) * (0.2 + 0.1 * random)
 *   return Math.min(Math.max(quarter, 2000), 120_000)
 * })
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const make = <Snapshot = unknown>(
  delay: (state: PollState<Snapshot>, random: number) => Duration.Input
): Schedule.Schedule<Duration.Duration, PollState<Snapshot>> => {
  const millis: Delay<Snapshot> = (state, random) => {
    const input = delay(state, random)
    const millis = typeof input === "number" ? input : Duration.toMillis(Duration.fromInputUnsafe(input))
    return millis > 0 ? millis : 0
  }
  return carrying(
    Schedule.fromStep(Effect.succeed((_, state: PollState<Snapshot>) => step((random) => millis(state, random)))),
    millis
  )
}

/**
 * Polls with the same time between any two.
 *
 * @category schedules
 * @since 0.1.0
 */
export const fixed = (interval: Duration.Input): Schedule.Schedule<Duration.Duration> => {
  const millis = positiveMillis("interval", interval)
  return counting(() => millis)
}

/**
 * Polls that grow further apart: `initial`, then `factor` times as long each time, up to `max`.
 *
 * **Details**
 *
 * With `jitter` (the default) each delay is stretched or shortened by up to a fifth, so that many runs started together
 * do not poll together. Options that make no sense, such as a `factor` below 1, throw a `RangeError`.
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
  const initial = positiveMillis("initial", options?.initial ?? "2 seconds")
  const max = positiveMillis("max", options?.max ?? "30 seconds")
  const factor = options?.factor ?? 2
  if (!(factor >= 1)) throw new RangeError(`factor is ${factor}; it must be a number, 1 or more.`)
  const jitter = options?.jitter ?? true
  return counting((polls, random) => {
    const plain = Math.min(max, initial * factor ** (polls - 1))
    return jitter ? plain * (0.8 + 0.4 * random) : plain
  })
}

/** From what is known of a run to the milliseconds until its next poll. */
type Delay<Snapshot = unknown> = (state: PollState<Snapshot>, random: number) => number

/**
 * What a schedule of {@link make}, {@link fixed}, {@link backoff} is a function of, so that a wait need not step it; a
 * schedule that was built otherwise, or from one of these by a combinator, has none.
 *
 * @internal
 */
export const delayOf = <Snapshot, E, R>(schedule: PollSchedule<Snapshot, E, R>): Delay<Snapshot> | undefined =>
  (schedule as { readonly [delayKey]?: Delay<Snapshot> })[delayKey]

const delayKey = "~canvas-runs/Polling/delay"

const carrying = <S extends Schedule.Schedule<Duration.Duration, never>, Snapshot>(
  schedule: S,
  delay: Delay<Snapshot>
): S => Object.assign(schedule, { [delayKey]: delay })

/** Counts its own steps, so that it begins at its beginning wherever a combinator puts it, and paces retries as well. */
const counting = (delay: (polls: number, random: number) => number): Schedule.Schedule<Duration.Duration> =>
  carrying(
    Schedule.fromStep(Effect.sync(() => {
      let polls = 0
      return () => step((random) => delay(++polls, random))
    })),
    ({ polls }: PollState, random) => delay(polls, random)
  )

const step = (delay: (random: number) => number): Effect.Effect<[Duration.Duration, Duration.Duration]> =>
  Effect.map(Random.next, (random) => {
    const duration = Duration.millis(delay(random))
    return [duration, duration]
  })

const positiveMillis = (parameter: string, input: Duration.Input): number => {
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  if (millis > 0) return millis
  throw new RangeError(
    `${parameter} is ${String(input)}; it must be a duration longer than zero. Write "5 seconds", or milliseconds.`
  )
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
