/**
 * When to poll a run, and when to give up.
 *
 * **Details**
 *
 * A schedule says when the next poll is due. Any `Schedule` works: after each poll it gets a {@link PollState} with the snapshot,
 * the progress, the estimate and the elapsed time.
 *
 * | the time between polls depends on | use |
 * | --- | --- |
 * | nothing: the same time between any two polls | {@link fixed}, or the option `pollInterval` |
 * | the number of polls | {@link backoff} |
 * | the estimate, the age and the progress of the run | {@link adaptive} |
 * | anything else that is known of the run | {@link make} |
 *
 * With every schedule,
 *
 * - the first poll is immediate, and a pause of less than a millisecond becomes one of 100 milliseconds;
 * - the provider's `Retry-After` is a floor, at most {@link Policy.retryAfterCeiling};
 * - the deadline bounds everything, and the last sleep is shortened so that one more poll fits;
 * - a poll that fails with a transient failure spends one of {@link Policy.errorBudget} consecutive failures, and any snapshot
 *   refills the budget; a 404 within {@link Policy.notFoundGrace} is followed by another poll and spends nothing.
 *
 * **Example** (Every 30 seconds, and every 5 once 90 % of the tasks are done)
 *
 * ```ts
 * import { Duration, Effect, Fiber, Redacted, Stream } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Polling, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const schedule = Polling.make(({ progress }) =>
 *   progress !== undefined && progress.completed >= progress.total * 0.9 ? "5 seconds" : "30 seconds"
 * )
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   const fiber = yield* Effect.forkChild(Stream.runCollect(runs.polls(run, { schedule, timeout: "1 hour" })))
 *   yield* TestClock.adjust("2 minutes")
 *   const polls = yield* Fiber.join(fiber)
 *   console.log(polls.map(({ elapsed }) => Duration.toSeconds(elapsed))) // => [0, 30, 60, 90, 95, 100]
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "100 seconds", tasks: 10 }) } }))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { quote } from "./internal/describe.ts"
import * as Adaptive from "./internal/polling/adaptive.ts"
import { expecting } from "./internal/polling/history.ts"
import { type Delay, sharedPolicy, withDelay } from "./internal/polling/sleepingRun.ts"
import * as CallOptions from "./internal/options.ts"
import { badRequest, type BadRequestError } from "./RunError.ts"
import type { Policy, PollSchedule, PollState } from "./RunSource.ts"

export type { Policy, PollSchedule, PollState } from "./RunSource.ts"

/**
 * Options of every wait for a run. Give `pollInterval` or `schedule`, not both.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Snapshot = unknown, E = never, R = never> =
  & {
    /**
     * The deadline, which bounds the whole wait, sleeps and requests alike. `Infinity` is no deadline. A wait that meets it fails
     * with a `RunTimeoutError`, and the run continues at the provider. The default is the provider's.
     */
    readonly timeout?: Duration.Input | undefined
    /**
     * How many polls in a row may fail with a transient failure (transport, 408, 429, 5xx, a response that is not JSON).
     *
     * @default 5
     */
    readonly errorBudget?: number | undefined
    /**
     * How long the provider may answer 404 without ending the wait, as it does while replicas catch up. The time counts from the
     * creation of the run, and from the first poll at the latest. For a run that is named by its id alone, the creation time is not
     * known: then 404 ends the wait at once, unless this option is given.
     *
     * @default "30 seconds" after a known creation
     */
    readonly notFoundGrace?: Duration.Input | undefined
    /**
     * The longest `Retry-After` that is honoured between two polls.
     *
     * @default "1 minute"
     */
    readonly retryAfterCeiling?: Duration.Input | undefined
  }
  & (
    | {
      /** The time between polls, at least 1 millisecond. The default is the provider's. */
      readonly pollInterval?: Duration.Input | undefined
      readonly schedule?: undefined
    }
    | {
      readonly pollInterval?: undefined
      /** When to poll: any `Schedule`. If it ends before the run does, the wait fails with a `RunTimeoutError`. */
      readonly schedule: PollSchedule<Snapshot, E, R>
    }
  )

/**
 * Makes a schedule from a function that returns the time until the next poll.
 *
 * **When to use**
 *
 * Use it if the time between polls depends on the run. If {@link adaptive} fits, use that. The schedule never ends. To end it, combine it
 * with `Schedule.upTo` or `Schedule.recurs`, like any other schedule.
 *
 * **Details**
 *
 * The function gets the state of the wait, and a number `random` that is at least 0 and less than 1. Each poll has a new number
 * from Effect's `Random`, so a seed repeats it. A sleeping run keeps nothing else of such a schedule, so it takes little memory.
 *
 * **Gotchas**
 *
 * The function is called once for each poll of every waiting run. A negative duration counts as zero, and a value that is not a
 * duration as one minute. A function that throws ends the wait with a defect.
 *
 * **Example** (Half of the run's age, between 2 seconds and 2 minutes)
 *
 * ```ts
 * import { Duration, Effect, Fiber, Redacted, Stream } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Polling, Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const schedule = Polling.make(({ age, elapsed }) => {
 *   const half = Duration.toMillis(age ?? elapsed) / 2
 *   return Math.min(Math.max(half, 2000), 120_000)
 * })
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(runs.polls(run, { schedule, timeout: "1 hour" }), 6)))
 *   yield* TestClock.adjust("5 minutes")
 *   const polls = yield* Fiber.join(fiber)
 *   console.log(polls.map(({ elapsed }) => Duration.toSeconds(elapsed))) // => [0, 2, 4, 6, 9, 13.5]
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link adaptive} for a schedule that already knows estimates and progress
 * @category schedules
 * @since 0.1.0
 */
export const make = <Snapshot = unknown>(
  delay: (state: PollState<Snapshot>, random: number) => Duration.Input
): Schedule.Schedule<Duration.Duration, PollState<Snapshot>> => {
  CallOptions.need("delay", delay, Predicate.isFunction, "a function from the state of a wait to a duration")
  const millis: Delay<Snapshot> = (state, random) => {
    const input = delay(state, random)
    // Duration reads numbers as well, and more slowly
    const millis = typeof input === "number" ? input : CallOptions.millisOf(input)
    return Number.isNaN(millis) ? 60_000 : Math.max(0, millis)
  }
  return withDelay(
    Schedule.fromStep(Effect.succeed((_, state: PollState<Snapshot>) => step((random) => millis(state, random)))),
    millis,
    "snapshot"
  )
}

/**
 * Makes a schedule with the same time between any two polls. An interval that is not a positive duration throws a `RangeError`.
 *
 * **When to use**
 *
 * Use it where an option or a combinator takes a schedule. For a wait, the option `pollInterval` means the same.
 *
 * **Example** (A poll each minute)
 *
 * ```ts
 * import { Effect, Fiber, Redacted, Stream } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Polling, Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const schedule = Polling.fixed("1 minute")
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   const fiber = yield* Effect.forkChild(Stream.runCollect(runs.polls(run, { schedule, timeout: "1 hour" })))
 *   yield* TestClock.adjust("1 hour")
 *   const polls = yield* Fiber.join(fiber)
 *   // The run takes 12 minutes, and the first poll is immediate
 *   console.log(polls.length) // => 13
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link backoff} for intervals that grow
 * @category schedules
 * @since 0.1.0
 */
export const fixed = (interval: Duration.Input): Schedule.Schedule<Duration.Duration> => {
  const millis = positiveMillis("interval", interval)
  return counting(() => millis)
}

/**
 * Makes a schedule whose intervals grow: `initial`, then `factor` times as long each time, up to `max`.
 *
 * **When to use**
 *
 * Use it if nothing is known about the length of the run, or if the provider asks for it. If the provider reports an estimate or
 * progress, {@link adaptive} needs fewer polls.
 *
 * **Details**
 *
 * An option out of its range, such as a `factor` below 1, throws a `RangeError`.
 *
 * **Example** (The poll intervals that Spine's API documentation asks for)
 *
 * ```ts
 * import { Duration, Effect, Fiber, Redacted, Stream } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Polling, Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const schedule = Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute", jitter: false })
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(runs.polls(run, { schedule, timeout: "1 hour" }), 5)))
 *   yield* TestClock.adjust("5 minutes")
 *   const polls = yield* Fiber.join(fiber)
 *   console.log(polls.map(({ elapsed }) => Duration.toSeconds(elapsed))) // => [0, 15, 37.5, 71.25, 121.875]
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link fixed} for one interval
 * @see {@link adaptive} for intervals that follow the run
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
  CallOptions.readOrThrow(options, ["initial", "factor", "max", "jitter"])
  const initial = positiveMillis("initial", options?.initial ?? "2 seconds")
  const max = positiveMillis("max", options?.max ?? "30 seconds")
  const factor = options?.factor ?? 2
  if (!(typeof factor === "number" && factor >= 1)) {
    throw new RangeError(`factor is ${quote(factor)}; it must be a number, 1 or more.`)
  }
  const jitter = options?.jitter ?? true
  return counting((polls, random) => {
    const plain = Math.min(max, initial * factor ** (polls - 1))
    return jitter ? plain * (0.8 + 0.4 * random) : plain
  })
}

/**
 * Makes a schedule that polls rarely while the run is far from its end, and often near its end. It uses the provider's estimate,
 * the age of the run, and the progress of its tasks.
 *
 * **When to use**
 *
 * Use it for runs of minutes and more, above all if snapshots report progress. With 12 tasks of uneven length it needs about
 * 20 % of the polls of a fixed interval for the same detection latency. With an estimate alone it needs about 67 %.
 *
 * **Details**
 *
 * `targetLatency` is the mean time from the end of a run to the poll that sees it. The mean latency of a fixed interval is half of
 * the interval, so the default has the latency of a poll every 5 seconds. Twice the latency needs about half the polls.
 *
 * The hazard rate `h` is the chance per second that a pending run ends now. Polling at the rate `n` costs `n` polls a second, and
 * sees an end after `1 / 2n` on average. At any exchange rate between latency and polls, the sum is least if `n` is in proportion
 * to `sqrt(h)`, so the best interval is in proportion to `1 / sqrt(h)`. Where `h` changes, the
 * next poll is due when waiting longer costs more latency, of the runs that have ended unseen, than it saves in polls later. Where progress
 * is reported, it is due when the rate `n` adds up to one poll. The hazard rate is estimated from these facts:
 *
 * - Progress: the run ends with its last task. The time for each task is learnt from the tasks that are done. It starts from the
 *   estimate, which counts as much as five tasks. If progress stalls longer than its rate predicts, the
 *   tasks are assumed to continue at the speed so far.
 * - An estimate alone: the run most likely ends around it, within a factor of 1.6 in two of three cases, but may end at any time.
 *   For a run that takes much longer, the interval grows with the square root of its age.
 * - `pastDurations`, those of earlier runs of the kind: the run ends as they did, and the estimate is not used. They are for
 *   providers that give no estimate, or a poor one. If runs take a third of the estimate, or three times as long, they halve
 *   the number of polls.
 * - A `DurationHistory` in the context of the wait: the same from the latest runs of the kind, together with the estimate. Without
 *   `pastDurations` the schedule uses it by itself.
 * - None of these: the interval grows slowly, and has the target latency at the age of 5 minutes.
 *
 * `min` and `max` bound the interval, and `Retry-After` is a floor above both. An option out of its range, such as a `min` above
 * `max`, throws a `RangeError`.
 *
 * **Gotchas**
 *
 * The latency is a mean over runs, not a promise for each: the failure of a run that ends early, far from its estimate, is seen
 * late, by up to `max`. And if little is known about the end, no schedule is much better than a fixed interval: if runs end
 * around the estimate within a factor of 2 and nothing else is known, every schedule needs at least 57 % of the polls of a fixed interval.
 *
 * **Example** (A mean latency of half a minute is enough)
 *
 * ```ts
 * import { Effect, Fiber, Redacted, Stream } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Polling, Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const schedule = Polling.adaptive({ targetLatency: "30 seconds", jitter: false })
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   const fiber = yield* Effect.forkChild(Stream.runCollect(runs.polls(run, { schedule, timeout: "1 hour" })))
 *   yield* TestClock.adjust("1 hour")
 *   const polls = yield* Fiber.join(fiber)
 *   // A poll each minute has the same mean latency, and makes 13
 *   console.log(polls.length) // => 7
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link make} for a schedule of your own
 * @category schedules
 * @since 0.1.0
 */
export const adaptive = (options?: {
  /**
   * The mean time from the end of a run to the poll that sees it.
   *
   * @default "2.5 seconds"
   */
  readonly targetLatency?: Duration.Input | undefined
  /**
   * How long earlier runs of the kind took. They replace the provider's estimate, and a `DurationHistory`. A few dozen are enough.
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
  CallOptions.readOrThrow(options, ["targetLatency", "pastDurations", "min", "max", "jitter"])
  const targetLatency = positiveMillis("targetLatency", options?.targetLatency ?? "2.5 seconds")
  const min = positiveMillis("min", options?.min ?? "1 second")
  const max = positiveMillis("max", options?.max ?? "5 minutes")
  if (min > max) throw new RangeError(`min is longer than max (${min} ms and ${max} ms). Swap them, or leave one out.`)
  const jitter = options?.jitter ?? true
  if (options?.pastDurations !== undefined && !Array.isArray(options.pastDurations)) {
    throw new RangeError(`pastDurations is ${quote(options.pastDurations)}; it must be an array of durations.`)
  }
  const pastDurations = options?.pastDurations?.map((duration) => positiveMillis("pastDurations", duration, true)) ?? []
  const untilNextPoll = Adaptive.make({ pastDurations, targetLatency, min, max })
  const delay: Delay = (state, random, learnt) => {
    const plain = untilNextPoll(state, learnt)
    return Math.min(max, Math.max(min, jitter ? plain * (0.8 + 0.4 * random) : plain))
  }
  return withDelay(
    Schedule.fromStep(
      Effect.succeed((_, state: PollState) =>
        Effect.withFiber((fiber) =>
          expecting(fiber, state.ref, (learnt) => step((random) => delay(state, random, learnt)))
        )
      )
    ),
    delay,
    "history"
  )
}

/** Counts its own steps, so that it starts from the beginning in any combinator, and works for retries as well. */
const counting = (delay: (polls: number, random: number) => number): Schedule.Schedule<Duration.Duration> =>
  withDelay(
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

const positiveMillis = (parameter: string, input: Duration.Input, isFinite = false): number => {
  const millis = CallOptions.millisOf(input)
  if (millis > 0 && !(isFinite && millis === Infinity)) return millis
  throw new RangeError(
    `${parameter} is ${quote(input)}; it must be ${
      millis === Infinity ? "finite" : CallOptions.positiveDuration
    }. ${CallOptions.durationForms}`
  )
}

/**
 * Checks the options of a wait, and makes a {@link Policy} of them. A wrong option is a `BadRequestError` that names it, and
 * begins with `operation`.
 *
 * **When to use**
 *
 * Use it in a provider of your own, so that its waits take the same options as those of Spine and Tela.
 *
 * **Example** (The options of a caller, and the defaults of a provider)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Polling } from "canvas-runs"
 *
 * const defaults = { pollInterval: "5 seconds", timeout: "15 minutes" } as const
 * const policyOf = (options?: Polling.Options) => Polling.makePolicy("jobs.wait", options, defaults)
 *
 * const { timeout } = await Effect.runPromise(policyOf({ timeout: "2 hours" }))
 * Duration.format(timeout) // => "2h"
 *
 * const { parameter } = await Effect.runPromise(Effect.flip(policyOf({ errorBudget: -1 })))
 * parameter // => "errorBudget"
 * ```
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
    /** The schedule without `pollInterval` and `schedule`, instead of the interval. */
    readonly schedule?: PollSchedule | undefined
  }
): Effect.Effect<Policy<Snapshot, E, R>, BadRequestError> =>
  Effect.gen(function*() {
    CallOptions.need("defaults", defaults, Predicate.isObject, "an object with pollInterval and timeout")
    const checked: Options<Snapshot, E, R> = yield* readOptions(operation, options)
    const { errorBudget = 5, notFoundGrace, pollInterval, retryAfterCeiling = "1 minute", schedule } = checked
    const names = defaults.names ?? { pollInterval: "pollInterval", timeout: "timeout" }
    const check = (parameter: string, value: unknown, isKind: (value: unknown) => boolean, expected: string) =>
      CallOptions.checkKind(operation, parameter, value, isKind, expected)
    const reject = CallOptions.rejectFor(operation)
    const { timeout: given = defaults.timeout } = checked
    const timeout = yield* CallOptions.positive(operation, names.timeout, given)
    const settings = {
      timeout,
      errorBudget,
      notFoundGrace: notFoundGrace === undefined
        ? undefined
        : yield* CallOptions.readDuration(reject, "notFoundGrace", notFoundGrace, isAtLeast(0), "a duration"),
      retryAfterCeiling: yield* CallOptions.positive(operation, "retryAfterCeiling", retryAfterCeiling),
      timeoutSource: `${names.timeout} (${words(timeout)}${checked.timeout === undefined ? ", the default" : ""})`
    }
    yield* check("errorBudget", errorBudget, isBudget, "a whole number, 0 or more")
    const wanted = schedule ?? defaults.schedule
    yield* check("schedule", wanted, Schedule.isSchedule, "an Effect Schedule")
    if (schedule !== undefined && pollInterval !== undefined) {
      return yield* badRequest({
        operation,
        parameter: "schedule",
        message: `${names.pollInterval} and schedule were both given; they exclude each other. Leave one of them out.`
      })
    }
    if (wanted !== undefined && pollInterval === undefined) {
      return sharedPolicy(wanted, [settings], () => ({ schedule: wanted, ...settings }))
    }
    const interval = yield* CallOptions.readDuration(
      reject,
      names.pollInterval,
      pollInterval ?? defaults.pollInterval,
      isAtLeast(1),
      "a duration of a millisecond or longer"
    )
    // A caller may make new defaults for each wait, but always passes the same object of names
    return sharedPolicy(
      defaults.names ?? defaults,
      [settings, interval],
      () => ({ schedule: fixed(interval), ...settings })
    )
  })

/**
 * Copies the options of a wait, and `others`, which the operation takes too.
 *
 * @internal
 */
export const readOptions = <O>(operation: string, options: O, others: ReadonlyArray<string> = []) =>
  CallOptions.copy(operation, "options", options, [...optionNames, ...others])

const optionNames = ["pollInterval", "timeout", "schedule", "errorBudget", "notFoundGrace", "retryAfterCeiling"]

const isAtLeast = (millis: number) => (duration: Duration.Duration): boolean => Duration.toMillis(duration) >= millis

const isBudget = (value: unknown): boolean => value === 0 || CallOptions.isCount(value)

/** Writes `"15 minutes"` instead of `"15m"` if one unit is enough. */
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
