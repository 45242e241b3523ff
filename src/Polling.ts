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
import { quote } from "./internal/describe.ts"
import * as CallOptions from "./internal/options.ts"
import { type BadRequestError, refused } from "./RunError.ts"
import type { RunRef } from "./internal/ref.ts"
import type { Progress } from "./RunSource.ts"

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
  /** Time since a poll found that the progress had changed; since the wait began, if none did. */
  readonly sinceProgress: Duration.Duration
  /** Polls made so far, this one included. */
  readonly polls: number
  /** How many polls in a row have failed, but for a 404 within the grace; 0 after an answer. */
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
  /** The option that set `timeout`, with its value, for messages: `"timeout (15 minutes, the default)"`. */
  readonly timeoutSource?: string | undefined
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
 * `random` is at least 0 and less than 1, anew for each poll, and comes from Effect's `Random`, so a seed repeats it.
 *
 * **Gotchas**
 *
 * The function is called once per poll of every run that waits, and a wait keeps nothing else of the schedule: that makes
 * it the cheapest kind there is. What is negative is taken as zero, and what is not a number as a minute.
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
    return Number.isNaN(millis) ? 60_000 : Math.max(0, millis)
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
 * `lateness` is what to aim for: the mean time from the end of a run to the poll that sees it. A fixed interval is late by
 * half of itself, so the default is as late as a poll every 5 seconds. Twice the lateness is about half the polls.
 *
 * Where the run ends with the hazard rate `h`, which is the chance per second that it ends now if it has not yet, polling at
 * the rate `n` costs `n` polls a second and notices an end after `1 / 2n`. Whatever lateness is worth in polls, the sum is
 * least where `n` is in proportion to `sqrt(h)`: the best interval is in proportion to `1 / sqrt(h)`. So the next poll is due
 * when this rate, as it is expected from now on, adds up to one poll. The hazard comes from what is known:
 *
 * - With progress, the end is that of the last task. The pace is learnt from the tasks done by now, and begins as what the
 *   estimate says, which counts for five of them. Progress that pauses for longer than its pace explains loses its say.
 * - With an estimate alone, the run ends most likely around it, within a factor of 1.6 in two of three cases, but possibly
 *   at any time. One that stays much longer grows less urgent, as the square root of its age.
 * - With `lengths`, which are those of earlier runs of the kind, it ends as they did, and the estimate is not asked. This is
 *   for providers that give no estimate, or a poor one: where runs take a third of it or three times as long, they halve
 *   the polls.
 * - With nothing to go by, the interval grows slowly, and is as late as asked for at the age of 5 minutes.
 *
 * With `jitter` (the default) each delay is stretched or shortened by up to a fifth, so that many runs started together
 * do not poll together. `min` and `max` bound what comes out; `Retry-After` is a floor above both.
 *
 * Options that make no sense, such as a `min` above `max`, throw a `RangeError`.
 *
 * **Gotchas**
 *
 * The lateness is a mean over runs, not a promise for each: a run that fails early, far from its estimate, is noticed late,
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
 *     schedule: Polling.adaptive({ lateness: "30 seconds" }),
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
  readonly lateness?: Duration.Input | undefined
  /**
   * How long earlier runs of the kind took. They take the place of the provider's estimate. A few dozen do.
   */
  readonly lengths?: ReadonlyArray<Duration.Input> | undefined
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
  /** @default true */
  readonly jitter?: boolean | undefined
}): Schedule.Schedule<Duration.Duration, PollState> => {
  const lateness = positiveMillis("lateness", options?.lateness ?? "2.5 seconds")
  const min = positiveMillis("min", options?.min ?? "1 second")
  const max = positiveMillis("max", options?.max ?? "5 minutes")
  if (min > max) throw new RangeError(`min is longer than max (${min} ms and ${max} ms).`)
  const jitter = options?.jitter ?? true
  const lengths = options?.lengths?.map((length) => finiteMillis("lengths", length)) ?? []
  const taught = lengths.length === 0 ? undefined : aboutEach(lengths)
  const byEstimate = taught ?? aboutOne()
  return ignoringSnapshot(make((state, random) => {
    const estimate = state.estimate === undefined ? 0 : Duration.toMillis(state.estimate)
    const ending = taught ?? (estimate > 0 && estimate < Infinity ? stretched(byEstimate, estimate) : anyLength)
    const plain = untilNextPoll(state, ending, lateness, min, max)
    return Math.min(max, Math.max(min, jitter ? plain * (0.8 + 0.4 * random) : plain))
  }))
}

/** When a run ends, by what is known of its length alone. */
interface Ending {
  /** The chance per millisecond that a run of this age ends now. */
  readonly hazard: (age: number) => number
  /** The mean of `1 / sqrt(h)` over the ages at which runs end: polls at the rate `sqrt(h)` are late by half of that. */
  readonly spread: number
  readonly median: number
  /** How many tasks done are worth as much evidence of the pace as the median is. */
  readonly weight: number
}

/** Runs of any length: at any age one more of the same, plus 15 minutes, is as likely to be enough as not. */
const anyLength: Ending = {
  hazard: (age) => 1 / (900_000 + age),
  spread: Math.sqrt(1_200_000),
  median: 300_000,
  weight: 1
}

/**
 * Runs about as long as one of `lengths`, within a factor of `exp(spread)` in two of three cases, and a share of `others`
 * that may have any length, and so keep the hazard from vanishing before and after.
 */
const about = (lengths: ReadonlyArray<number>, spread: number, others: number): Ending => {
  const median = lengths[lengths.length >> 1]!
  const first = Math.log(lengths[0]!) - 8 * spread
  const step = Math.max(spread / 10, (Math.log(lengths.at(-1)!) + 8 * spread - first) / 500)
  const table: Array<number> = []
  let sum = 0
  for (let log = first; log <= Math.log(lengths.at(-1)!) + 8 * spread; log += step) {
    const age = Math.exp(log)
    let density = 0
    let survival = 0
    for (const length of lengths) {
      const x = (log - Math.log(length)) / spread
      if (x > 6) continue
      const bell = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)
      density += bell / (spread * age)
      survival += upperTail(x, bell)
    }
    const share = (1 - others) / lengths.length
    const hazard = (share * density + others * median / (median + age) ** 2) /
      (share * survival + others * median / (median + age))
    table.push(hazard)
    sum += density / lengths.length * age * step / Math.sqrt(hazard)
  }
  const last = table.length - 1
  return {
    hazard: (age) => {
      const at = (Math.log(age) - first) / step
      if (!(at > 0)) return table[0]!
      if (at >= last) return 1 / (median + age)
      const row = Math.floor(at)
      return table[row]! + (table[row + 1]! - table[row]!) * (at - row)
    },
    spread: sum,
    median,
    weight: 5
  }
}

/** The same in another unit of time. */
const stretched = (ending: Ending, unit: number): Ending => ({
  hazard: (age) => ending.hazard(age / unit) / unit,
  spread: ending.spread * Math.sqrt(unit),
  median: ending.median * unit,
  weight: ending.weight
})

/** The chance of more than `x` under the normal distribution, whose density there is `bell`. */
const upperTail = (x: number, bell: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail = bell * t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x > 0 ? tail : 1 - tail
}

/** Providers' estimates are right within a factor of 1.6 in two of three cases, and say nothing in one of twelve. */
const aboutOne = (): Ending => one ??= about([1], 0.45, 0.08)
let one: Ending | undefined

/** The more alike and the more they are, the narrower each counts; a run unlike all of them counts as one of them. */
const aboutEach = (lengths: ReadonlyArray<number>): Ending => {
  const sorted = [...lengths].sort((a, b) => a - b)
  // More do not say more
  const some = sorted.length <= 128
    ? sorted
    : Array.from({ length: 128 }, (_, index) => sorted[Math.floor((index + 0.5) / 128 * sorted.length)]!)
  const logs = some.map(Math.log)
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const deviation = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length)
  // One or two of a length are no reason to expect exactly that
  const spread = Math.max(0.02, 0.45 / lengths.length, 0.5 * deviation * lengths.length ** -0.2)
  return about(some, spread, 1 / (lengths.length + 1))
}

/**
 * What is left of a run, by its progress: `tasks` done one after the other, each memoryless, at a pace that is known from
 * `weight` tasks done in `span` as a gamma distribution. Then time and tasks done are all that there is to know of the
 * past, and nothing has to be remembered from poll to poll.
 */
interface Rest {
  readonly tasks: number
  readonly weight: number
  readonly span: number
}

/** More tasks than this are counted in groups, to bound what a poll costs. */
const maxTasks = 64

const restOf = (ending: Ending, progress: Progress | undefined, age: number): Rest | undefined => {
  if (progress === undefined || !(progress.completed >= 0 && progress.total > 0 && progress.total < Infinity)) {
    return undefined
  }
  const total = Math.min(Math.ceil(progress.total), maxTasks)
  // The last one counts as under way for as long as the run goes on
  const completed = Math.min(Math.floor(progress.completed * total / progress.total), total - 1)
  return {
    tasks: total - completed,
    weight: ending.weight + completed,
    // So much that the run as a whole has the median length
    span: ending.median * (ending.weight - 1 / 3) / (total - 1 / 3) + age
  }
}

/** The hazard of the end after another `time`. */
const hazardOf = ({ span, tasks, weight }: Rest, time: number): number => {
  const odds = (span + time) / time
  // One over the chance that all tasks but one are done, given that not all are
  let sum = 1
  for (let left = tasks - 1, term = 1; left > 0 && term > sum * 1e-4; left--) {
    term *= left / (weight + left - 1) * odds
    sum += term
    if (sum > 1e12) return 0
  }
  return (weight + tasks - 1) / (span + time) / sum
}

/** Progress is believed until its pause is as unlikely as this, by its pace. */
const unlikely = 0.02

const untilNextPoll = (state: PollState, ending: Ending, lateness: number, min: number, max: number): number => {
  // A server's clock may be behind; the run is at least as old as the wait
  const age = Math.max(Duration.toMillis(state.elapsed), state.age === undefined ? 0 : Duration.toMillis(state.age))
  const rest = restOf(ending, state.progress, age)
  let trust = 0
  let restRate = 0
  let scale = age
  if (rest !== undefined) {
    const quiet = Math.min(age, Duration.toMillis(state.sinceProgress))
    trust = 1 / (1 + ((rest.span / (rest.span - quiet)) ** rest.weight * unlikely) ** 2)
    scale = rest.span / rest.weight
    // A last task is seldom known to be the last, so be a bit more eager than for one that is
    restRate = trust * (1.4 / (2 * lateness)) ** 2 * scale
  }
  const endingRate = trust > 0.999 ? 0 : (1 - trust) * (ending.spread / (2 * lateness)) ** 2
  const rate = (time: number): number =>
    Math.sqrt(
      (endingRate === 0 ? 0 : endingRate * ending.hazard(age + time)) +
        (rest === undefined ? 0 : restRate * hazardOf(rest, time))
    )
  // Adds up the rate until it makes one poll
  let time = 0
  let polls = 0
  let before = rate(0)
  let step = Math.max(min / 2, Math.min(0.5 / before, scale / 10))
  while (time < max) {
    const after = rate(time + step)
    const added = (before + after) / 2 * step
    if (polls + added >= 1) return time + step * (1 - polls) / added
    polls += added
    time += step
    before = after
    step *= 1.4
  }
  return max
}

/** From what is known of a run to the milliseconds until its next poll. */
type Delay<Snapshot = unknown> = (state: PollState<Snapshot>, random: number) => number

/**
 * What a schedule of {@link make}, {@link fixed}, {@link backoff} or {@link adaptive} is a function of, so that a wait need
 * not step it; a schedule that was built otherwise, or from one of these by a combinator, has none.
 *
 * @internal
 */
export const delayOf = <Snapshot, E, R>(schedule: PollSchedule<Snapshot, E, R>): Delay<Snapshot> | undefined =>
  (schedule as { readonly [delayKey]?: Delay<Snapshot> })[delayKey]

const delayKey = "~canvas-runs/Polling/delay"

/**
 * Whether a schedule never looks at the snapshot, so that nobody need keep it.
 *
 * @internal
 */
export const ignoresSnapshot = (schedule: object): boolean => ignoresKey in schedule

const ignoresKey = "~canvas-runs/Polling/ignoresSnapshot"

const ignoringSnapshot = <S extends object>(schedule: S): S => Object.assign(schedule, { [ignoresKey]: true })

const carrying = <S extends Schedule.Schedule<Duration.Duration, never>, Snapshot>(
  schedule: S,
  delay: Delay<Snapshot>
): S => Object.assign(schedule, { [delayKey]: delay })

/** Counts its own steps, so that it begins at its beginning wherever a combinator puts it, and paces retries as well. */
const counting = (delay: (polls: number, random: number) => number): Schedule.Schedule<Duration.Duration> =>
  ignoringSnapshot(carrying(
    Schedule.fromStep(Effect.sync(() => {
      let polls = 0
      return () => step((random) => delay(++polls, random))
    })),
    ({ polls }: PollState, random) => delay(polls, random)
  ))

const step = (delay: (random: number) => number): Effect.Effect<[Duration.Duration, Duration.Duration]> =>
  Effect.map(Random.next, (random) => {
    const duration = Duration.millis(delay(random))
    return [duration, duration]
  })

const finiteMillis = (parameter: string, input: Duration.Input): number => {
  const millis = positiveMillis(parameter, input)
  if (millis < Infinity) return millis
  throw new RangeError(`${parameter} is ${quote(input)}; it must be a duration that ends.`)
}

const positiveMillis = (parameter: string, input: Duration.Input): number => {
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  if (millis > 0) return millis
  throw new RangeError(
    `${parameter} is ${quote(input)}; it must be a duration longer than zero. Write "5 seconds", or milliseconds.`
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
  defaults: {
    readonly pollInterval: Duration.Input
    readonly timeout: Duration.Input
    /** What the options are called where errors name them, if not so. */
    readonly names?: { readonly pollInterval: string; readonly timeout: string } | undefined
  },
  /** Options that the operation takes beside those of a wait. */
  others: ReadonlyArray<string> = []
): Effect.Effect<Policy<Snapshot, E, R>, BadRequestError> =>
  Effect.gen(function*() {
    yield* CallOptions.check(operation, "options", options, [...optionNames, ...others])
    const duration = (parameter: string, input: Duration.Input | undefined, fallback: Duration.Input) =>
      positive(operation, parameter, input ?? fallback)
    const names = defaults.names ?? { pollInterval: "pollInterval", timeout: "timeout" }
    const timeout = yield* duration(names.timeout, options?.timeout, defaults.timeout)
    const notFoundGrace = yield* nonNegative(operation, "notFoundGrace", options?.notFoundGrace ?? defaultGrace)
    const retryAfterCeiling = yield* duration("retryAfterCeiling", options?.retryAfterCeiling, defaultCeiling)
    const errorBudget = options?.errorBudget ?? 5
    if (!Number.isSafeInteger(errorBudget) || errorBudget < 0) {
      return yield* refused({
        operation,
        parameter: "errorBudget",
        message: `errorBudget is ${quote(errorBudget)}; it must be a whole number, 0 or more.`
      })
    }
    if (options?.schedule !== undefined && options.pollInterval !== undefined) {
      return yield* refused({
        operation,
        parameter: "schedule",
        message: `${names.pollInterval} and schedule were both given; they exclude each other.`
      })
    }
    yield* CallOptions.checkKind(
      operation,
      "schedule",
      options?.schedule,
      Schedule.isSchedule,
      "a Schedule, such as Schedule.spaced(\"5 seconds\")"
    )
    const schedule: PollSchedule<Snapshot, E, R> = options?.schedule ??
      sharedFixed(
        yield* Effect.filterOrFail(
          duration(names.pollInterval, options?.pollInterval, defaults.pollInterval),
          (interval) => Duration.toMillis(interval) >= 1,
          () =>
            refused({
              operation,
              parameter: names.pollInterval,
              message: `${names.pollInterval} is ${
                quote(options?.pollInterval)
              }; it must be a millisecond or longer. Numbers are milliseconds: write "5 seconds", or 5000.`
            })
        )
      )
    const timeoutSource = `${names.timeout} (${words(timeout)}${options?.timeout === undefined ? ", the default" : ""})`
    return shared(defaults, { schedule, timeout, errorBudget, notFoundGrace, retryAfterCeiling, timeoutSource })
  })

const optionNames = ["pollInterval", "timeout", "schedule", "errorBudget", "notFoundGrace", "retryAfterCeiling"]

/** `"15 minutes"` rather than `"15m"` where one unit is enough. */
const words = (duration: Duration.Duration): string => {
  const text = Duration.format(duration)
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  return unit === undefined ? text : `${count} ${unitNames[unit]}${count === "1" ? "" : "s"}`
}

const unitNames: Readonly<Record<string, string>> = { ms: "millisecond", s: "second", m: "minute", h: "hour", d: "day" }

// What most waits have in common exists once, and not once for each
const defaultGrace = Duration.seconds(30)
const defaultCeiling = Duration.minutes(1)

/** A program may have very many waits, and has few policies: where one is the same as the last, it is the last. */
const shared = <Snapshot, E, R>(defaults: object, policy: Policy<Snapshot, E, R>): Policy<Snapshot, E, R> => {
  const last = lastPolicies.get(defaults) as Policy<Snapshot, E, R> | undefined
  if (
    last !== undefined && last.schedule === policy.schedule && last.errorBudget === policy.errorBudget &&
    last.timeoutSource === policy.timeoutSource &&
    Duration.equals(last.timeout, policy.timeout) &&
    Duration.equals(last.notFoundGrace, policy.notFoundGrace) &&
    Duration.equals(last.retryAfterCeiling, policy.retryAfterCeiling)
  ) {
    return last
  }
  lastPolicies.set(defaults, policy)
  return policy
}

const lastPolicies = new WeakMap<object, unknown>()

/** A program has few intervals, and may have very many waits. */
const sharedFixed = (interval: Duration.Duration): Schedule.Schedule<Duration.Duration> => {
  const millis = Duration.toMillis(interval)
  const known = fixedSchedules.get(millis)
  if (known !== undefined) return known
  const schedule = fixed(interval)
  if (fixedSchedules.size < 16) fixedSchedules.set(millis, schedule)
  return schedule
}

const fixedSchedules = new Map<number, Schedule.Schedule<Duration.Duration>>()

/**
 * Reads how many polls may be under way at once.
 *
 * @internal
 */
export const concurrency = (
  operation: string,
  input: number | undefined
): Effect.Effect<number | undefined, BadRequestError> =>
  input === undefined || Number.isSafeInteger(input) && input > 0
    ? Effect.succeed(input)
    : Effect.fail(refused({
      operation,
      parameter: "concurrency",
      message: `concurrency is ${quote(input)}; it must be a whole number, 1 or more.`
    }))

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
      message: `${parameter} is ${quote(input)}, which is not a duration. Write "5 seconds", or milliseconds.`
    }))
}
