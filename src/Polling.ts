/**
 * When to poll a run, and when to give up.
 *
 * **Details**
 *
 * A schedule says when the next poll is due. Any `Schedule` will do: after each poll it is given a {@link PollState},
 * so it can look at the snapshot, the progress, the estimate and the time that passed. {@link fixed} and {@link backoff}
 * are the common ones, {@link adaptive} makes the most of what is known, and {@link make} turns a function into one.
 * Whatever the schedule says,
 *
 * - the first poll is made at once, and where a schedule has no pause before the next, or one of less than a millisecond, there is
 *   one of 100 milliseconds;
 * - the provider's `Retry-After` is a floor, at most {@link Policy.retryAfterCeiling};
 * - the deadline is a bound on everything, and the last sleep is cut short so that one more poll fits;
 * - a poll that fails with a transient failure spends one of {@link Policy.errorBudget} consecutive failures, and any snapshot
 *   refills the budget; 404 within {@link Policy.notFoundGrace} is followed by another poll and spends nothing.
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
import { quote } from "./internal/describe.ts"
import * as Adaptive from "./internal/polling/adaptive.ts"
import { type Delay, sharedPolicy, withDelay } from "./internal/polling/sleepingRun.ts"
import * as CallOptions from "./internal/options.ts"
import { badRequest, type BadRequestError } from "./RunError.ts"
import type { Policy, PollSchedule, PollState } from "./RunSource.ts"

export type { Policy, PollSchedule, PollState } from "./RunSource.ts"

/**
 * How to wait for a run. Give `pollInterval` or `schedule`, not both.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Snapshot = unknown, E = never, R = never> =
  & {
    /**
     * Bounds the whole wait, sleeps and requests alike; `Infinity` is no bound. The run continues at the provider when
     * it passes. The default is the provider's.
     */
    readonly timeout?: Duration.Input | undefined
    /**
     * How many polls in a row may fail with a transient failure (transport, 408, 429, 5xx, an answer that is not JSON).
     *
     * @default 5
     */
    readonly errorBudget?: number | undefined
    /**
     * How long a run may answer 404, as it does while replicas catch up: counted from its creation, and from the first poll at
     * the latest. A run that is named by its id alone has no known creation time: there 404 ends the wait at once unless this
     * option is given, and the time counts from the first poll.
     *
     * @default "30 seconds" after a known creation
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
      /** Time between polls, a millisecond at least. The default is the provider's. */
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
 * `random` is at least 0 and less than 1, a new one for each poll, and comes from Effect's `Random`, so a seed repeats it.
 *
 * **Gotchas**
 *
 * The function is called once per poll of every run that waits, and a wait keeps nothing else of the schedule: that makes
 * it the cheapest kind there is. A negative duration is taken as zero, and what is no duration as a
 * minute. What the function throws ends the wait as a defect.
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
  if (typeof delay !== "function") {
    throw new TypeError(`delay is ${quote(delay)}; it must be a function from the state of a wait to a duration.`)
  }
  const millis: Delay<Snapshot> = (state, random) => {
    const input = delay(state, random)
    // Duration reads numbers as well, and more slowly
    const millis = typeof input === "number" ? input : toMillis(input)
    return Number.isNaN(millis) ? 60_000 : Math.max(0, millis)
  }
  return pacedBy(millis, false)
}

const pacedBy = <Snapshot>(delay: Delay<Snapshot>, ignoresSnapshot: boolean) =>
  withDelay(
    Schedule.fromStep(Effect.succeed((_, state: PollState<Snapshot>) => step((random) => delay(state, random)))),
    delay,
    ignoresSnapshot
  )

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
  /**
   * The time between the first two polls.
   *
   * @default "2 seconds"
   */
  readonly initial?: Duration.Input | undefined
  /**
   * How many times longer each delay is than the one before; 1 or more.
   *
   * @default 2
   */
  readonly factor?: number | undefined
  /**
   * The longest time between two polls, before jitter.
   *
   * @default "30 seconds"
   */
  readonly max?: Duration.Input | undefined
  /**
   * Whether each delay is changed at random by up to 20 %, so that runs that started together are not polled together.
   *
   * @default true
   */
  readonly jitter?: boolean | undefined
}): Schedule.Schedule<Duration.Duration> => {
  checkNames(options, ["initial", "factor", "max", "jitter"])
  const initial = positiveMillis("initial", options?.initial ?? "2 seconds")
  const max = positiveMillis("max", options?.max ?? "30 seconds")
  const factor = options?.factor ?? 2
  if (!(factor >= 1)) throw new RangeError(`factor is ${quote(factor)}; it must be a number, 1 or more.`)
  const jitter = options?.jitter ?? true
  return counting((polls, random) => {
    const plain = Math.min(max, initial * factor ** (polls - 1))
    return jitter ? plain * (0.8 + 0.4 * random) : plain
  })
}

/**
 * Polls that are rare while the end is far and frequent when it is near, by all that is known of the run: the provider's
 * estimate, the run's age, and the progress of its tasks.
 *
 * **When to use**
 *
 * Use it for runs of minutes and more, above all where snapshots tell progress: with 12 tasks of uneven length it makes a
 * fifth of the polls of a fixed interval that notices the end as soon. With an estimate alone it makes two thirds of them.
 *
 * **Details**
 *
 * `targetLatency` is the mean time from the end of a run to the poll that sees it. A fixed interval is late by
 * half of itself, so the default is as late as a poll every 5 seconds. Twice the latency takes about half the polls.
 *
 * Where the run ends with the hazard rate `h`, which is the chance per second that it ends now if it has not yet, polling at
 * the rate `n` costs `n` polls a second and notices an end after `1 / 2n`. Whatever latency is worth in polls, the sum is
 * least where `n` is in proportion to `sqrt(h)`: the best interval is in proportion to `1 / sqrt(h)`. So the next poll is due
 * when this rate, as it is expected from now on, adds up to one poll. The hazard comes from what is known:
 *
 * - With progress, the end is that of the last task. The pace is learnt from the tasks done by now, and begins as what the
 *   estimate says, which counts for five of them. Progress that pauses for longer than its pace explains loses its say.
 * - With an estimate alone, the run ends most likely around it, within a factor of 1.6 in two of three cases, but possibly
 *   at any time. One that stays much longer grows less urgent, as the square root of its age.
 * - With `pastDurations`, those of earlier runs of the kind, it ends as they did, and the estimate is not used. This is
 *   for providers that give no estimate, or a poor one: where runs take a third of it or three times as long, they halve
 *   the polls.
 * - With nothing to go by, the interval grows slowly, and has the target latency at the age of 5 minutes.
 *
 * With `jitter` (the default) each delay is stretched or shortened by up to a fifth, so that many runs started together
 * do not poll together. `min` and `max` bound what comes out; `Retry-After` is a floor above both.
 *
 * Options that make no sense, such as a `min` above `max`, throw a `RangeError`.
 *
 * **Gotchas**
 *
 * The latency is a mean over runs, not a promise for each: a run that fails early, far from its estimate, is noticed late,
 * by up to `max`. And nothing beats a fixed interval by much where little is known of the end; if all that is known is that
 * runs end around the estimate within a factor of 2, then no schedule can do with less than 0.57 of its polls.
 *
 * **Example** (Half a minute late on average is good enough)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Polling, Spine } from "canvas-runs"
 *
 * const main = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   return yield* spine.runs.run({ prompt: "Compare three vector databases" }, {
 *     schedule: Polling.adaptive({ targetLatency: "30 seconds" }),
 *     timeout: "2 hours"
 *   })
 * })
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const adaptive = (options?: {
  /**
   * How long after its end a run is noticed to have ended, on average.
   *
   * @default "2.5 seconds"
   */
  readonly targetLatency?: Duration.Input | undefined
  /**
   * How long earlier runs of the kind took. They take the place of the provider's estimate. A few dozen do.
   */
  readonly pastDurations?: ReadonlyArray<Duration.Input> | undefined
  /**
   * The shortest time between two polls.
   *
   * @default "1 second"
   */
  readonly min?: Duration.Input | undefined
  /**
   * The longest time between two polls.
   *
   * @default "5 minutes"
   */
  readonly max?: Duration.Input | undefined
  /**
   * Whether each delay is changed at random by up to 20 %, so that runs that started together are not polled together.
   *
   * @default true
   */
  readonly jitter?: boolean | undefined
}): Schedule.Schedule<Duration.Duration, PollState> => {
  checkNames(options, ["targetLatency", "pastDurations", "min", "max", "jitter"])
  const targetLatency = positiveMillis("targetLatency", options?.targetLatency ?? "2.5 seconds")
  const min = positiveMillis("min", options?.min ?? "1 second")
  const max = positiveMillis("max", options?.max ?? "5 minutes")
  if (min > max) throw new RangeError(`min is longer than max (${min} ms and ${max} ms).`)
  const jitter = options?.jitter ?? true
  if (options?.pastDurations !== undefined && !Array.isArray(options.pastDurations)) {
    throw new RangeError(`pastDurations is ${quote(options.pastDurations)}; it must be an array of durations.`)
  }
  const pastDurations = options?.pastDurations?.map((duration) => positiveMillis("pastDurations", duration, true)) ?? []
  const untilNextPoll = Adaptive.make({ pastDurations, targetLatency, min, max })
  return pacedBy((state: PollState, random) => {
    const plain = untilNextPoll(state)
    return Math.min(max, Math.max(min, jitter ? plain * (0.8 + 0.4 * random) : plain))
  }, true)
}

/** Counts its own steps, so that it begins at its beginning wherever a combinator puts it, and paces retries as well. */
const counting = (delay: (polls: number, random: number) => number): Schedule.Schedule<Duration.Duration> =>
  withDelay(
    Schedule.fromStep(Effect.sync(() => {
      let polls = 0
      return () => step((random) => delay(++polls, random))
    })),
    ({ polls }: PollState, random) => delay(polls, random),
    true
  )

const step = (delay: (random: number) => number): Effect.Effect<[Duration.Duration, Duration.Duration]> =>
  Effect.map(Random.next, (random) => {
    const duration = Duration.millis(delay(random))
    return [duration, duration]
  })

const checkNames = (options: unknown, known: ReadonlyArray<string>): void => {
  const fault = CallOptions.faultOf("options", options, known)
  if (fault !== undefined) throw new RangeError(fault.message)
}

const positiveMillis = (parameter: string, input: Duration.Input, isFinite = false): number => {
  const millis = toMillis(input)
  if (millis > 0 && !(isFinite && millis === Infinity)) return millis
  throw new RangeError(
    `${parameter} is ${quote(input)}; it must be ${
      millis === Infinity ? "finite" : CallOptions.positiveDuration
    }. ${CallOptions.durationForms}`
  )
}

/** `NaN` where the input is no duration. */
const toMillis = (input: unknown): number =>
  Option.match(CallOptions.durationOf(input), { onNone: () => NaN, onSome: Duration.toMillis })

/**
 * Turns what a caller gave into a {@link Policy}, or says which option is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePolicy = <Snapshot, E = never, R = never>(
  operation: string,
  options: Options<Snapshot, E, R> | undefined,
  defaults: {
    /** The time between polls without `pollInterval` and `schedule`. */
    readonly pollInterval: Duration.Input
    /** The deadline without `timeout`. */
    readonly timeout: Duration.Input
    /** The names of the two options in errors, if the operation calls them otherwise. */
    readonly names?: {
      /** The name of `pollInterval`. */
      readonly pollInterval: string
      /** The name of `timeout`. */
      readonly timeout: string
    } | undefined
  }
): Effect.Effect<Policy<Snapshot, E, R>, BadRequestError> =>
  Effect.gen(function*() {
    const checked: Options<Snapshot, E, R> = yield* readOptions(operation, options)
    const { errorBudget = 5, notFoundGrace, pollInterval, retryAfterCeiling = "1 minute", schedule } = checked
    const names = defaults.names ?? { pollInterval: "pollInterval", timeout: "timeout" }
    const check = (parameter: string, value: unknown, isKind: (value: unknown) => boolean, expected: string) =>
      CallOptions.checkKind(operation, parameter, value, isKind, expected)
    const { timeout: given = defaults.timeout } = checked
    const timeout = yield* positive(operation, names.timeout, given)
    const settings = {
      timeout,
      errorBudget,
      notFoundGrace: notFoundGrace === undefined
        ? undefined
        : yield* readDuration(operation, "notFoundGrace", notFoundGrace, (millis) => millis >= 0, "a duration"),
      retryAfterCeiling: yield* positive(operation, "retryAfterCeiling", retryAfterCeiling),
      timeoutSource: `${names.timeout} (${words(timeout)}${checked.timeout === undefined ? ", the default" : ""})`
    }
    yield* check("errorBudget", errorBudget, isBudget, "a whole number, 0 or more")
    yield* check("schedule", schedule, Schedule.isSchedule, "a Schedule, such as Schedule.spaced(\"5 seconds\")")
    if (schedule !== undefined) {
      if (pollInterval === undefined) {
        return sharedPolicy(schedule, [settings], () => ({ schedule, ...settings }))
      }
      return yield* badRequest({
        operation,
        parameter: "schedule",
        message: `${names.pollInterval} and schedule were both given; they exclude each other.`
      })
    }
    const interval = yield* readDuration(
      operation,
      names.pollInterval,
      pollInterval ?? defaults.pollInterval,
      (millis) => millis >= 1,
      "a duration of a millisecond or longer"
    )
    return sharedPolicy(defaults, [settings, interval], () => ({ schedule: fixed(interval), ...settings }))
  })

/**
 * Copies the options of a wait, and those that the operation takes beside them.
 *
 * @internal
 */
export const readOptions = <O>(
  operation: string,
  options: O,
  others: ReadonlyArray<string> = []
): Effect.Effect<NonNullable<O>, BadRequestError> =>
  CallOptions.copy(operation, "options", options, [...optionNames, ...others])

const optionNames = ["pollInterval", "timeout", "schedule", "errorBudget", "notFoundGrace", "retryAfterCeiling"]

const isBudget = (value: unknown): boolean => value === 0 || CallOptions.isCount(value)

/** `"15 minutes"` rather than `"15m"` where one unit is enough. */
const words = (duration: Duration.Duration): string => {
  const text = Duration.format(duration)
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  return unit === undefined ? text : `${count} ${unitNames[unit]}${count === "1" ? "" : "s"}`
}

const unitNames: Readonly<Record<string, string>> = { ms: "millisecond", s: "second", m: "minute", h: "hour", d: "day" }

/**
 * Checks how many polls may be under way at once.
 *
 * @internal
 */
export const checkConcurrency = (operation: string, input: number | undefined): Effect.Effect<void, BadRequestError> =>
  CallOptions.checkKind(operation, "concurrency", input, CallOptions.isCount, "a whole number, 1 or more")

/**
 * Reads a duration that must be longer than zero.
 *
 * @internal
 */
export const positive = (
  operation: string,
  parameter: string,
  input: Duration.Input
): Effect.Effect<Duration.Duration, BadRequestError> =>
  readDuration(operation, parameter, input, (millis) => millis > 0, CallOptions.positiveDuration)

const readDuration = (
  operation: string,
  parameter: string,
  input: Duration.Input,
  isFine: (millis: number) => boolean,
  expected: string
): Effect.Effect<Duration.Duration, BadRequestError> =>
  Effect.mapError(
    Effect.fromOption(Option.filter(CallOptions.durationOf(input), (duration) => isFine(Duration.toMillis(duration)))),
    () =>
      badRequest({
        operation,
        parameter,
        message: `${parameter} is ${quote(input)}; it must be ${expected}. ${CallOptions.durationForms}`
      })
  )
