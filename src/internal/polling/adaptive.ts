/**
 * Computes when an adaptive schedule polls next: pure statistics, from the age and the progress of a run to a time in
 * milliseconds. The docstring of `Polling.adaptive` gives the reasoning.
 */
import * as Duration from "effect/Duration"
import type { PollState, Progress } from "../../RunSource.ts"

/** Times are in milliseconds. */
export interface Options {
  /** How long earlier runs of the same kind took. Without any, the provider's estimate is used. */
  readonly pastDurations: ReadonlyArray<number>
  /** The mean time from the end of a run to the poll that notices it. */
  readonly targetLatency: number
  readonly min: number
  readonly max: number
}

/** What a `DurationHistory` knows of a kind of run. */
export interface Learnt {
  /** When its earlier runs ended. */
  readonly model: DurationModel
  /** The probability that a run behaves like one of them. Otherwise it behaves as if nothing was known of its kind. */
  readonly share: number
  /** The probability that the progress of a run halts before the run ends. */
  readonly halts: number
}

/** Returns a function from the age and the progress of a run, and what is known of its kind, to the time until its next poll. */
export const make = (options: Options): (state: PollState, learnt?: Learnt) => number => {
  const { pastDurations } = options
  const given = pastDurations.length === 0 ? undefined : aboutEach(pastDurations)
  return (state, learnt) => {
    if (given !== undefined) return untilNextPoll(state, given, usuallyHalts, options)
    const alone = byEstimate(state.estimate === undefined ? undefined : Duration.toMillis(state.estimate))
    return learnt === undefined
      ? untilNextPoll(state, alone, usuallyHalts, options)
      : untilNextPoll(state, withHistory(alone, learnt), learnt.halts, options)
  }
}

/** When a run ends, estimated from durations alone, without its progress. Times are in milliseconds. */
export interface DurationModel {
  /** The probability per millisecond that a run ends at this age. */
  readonly density: (age: number) => number
  /** The probability that a run reaches this age. The hazard rate is the density divided by it. */
  readonly survival: (age: number) => number
  /**
   * The mean of `1 / sqrt(h)` over the ages at which runs end, where `h` is the hazard rate. A schedule that polls at the rate
   * `sqrt(h)` has half of this mean as its detection latency. In a mixture, it is that of the part which a run of this age is from.
   */
  readonly meanInterval: (age: number) => number
  readonly median: number
  /** The number of finished tasks that says as much about the speed of the run as the median duration does. */
  readonly weight: number
}

/** The durations of runs by the provider's estimate alone. */
export const byEstimate = (estimate: number | undefined): DurationModel =>
  estimate !== undefined && estimate > 0 && estimate < Infinity ? stretched(aboutOne(), estimate) : anyDuration

/**
 * Runs of unknown duration: at any age, the run ends within its age plus 15 minutes with a probability of 50 %. This model has no
 * mean, so `meanInterval` and `median` are those that have the target latency at the age of 5 minutes.
 */
const anyDuration: DurationModel = {
  density: (age) => 900_000 / (900_000 + age) ** 2,
  survival: (age) => 900_000 / (900_000 + age),
  meanInterval: () => Math.sqrt(1_200_000),
  median: 300_000,
  weight: 1
}

/** A duration, how much it counts, and its width: a run like it ends within a factor of `exp(width)` in two of three cases. */
export type Weighted = readonly [duration: number, weight: number, width: number]

/**
 * A mixture of runs. Each takes about as long as one of `durations`, whose weights add up to 1. The share `others` may take any time,
 * which keeps the hazard above zero at all ages.
 */
export const about = (durations: ReadonlyArray<Weighted>, others: number): DurationModel => {
  const sorted = durations.toSorted(([one], [other]) => one - other)
  let below = 0
  const [median] = sorted.find(([, weight]) => (below += weight) > 0.499_999)!
  const widths = sorted.map(([, , width]) => width)
  const first = Math.log(sorted[0]![0]) - 8 * Math.max(...widths)
  const end = Math.log(sorted.at(-1)![0]) + 8 * Math.max(...widths)
  const step = Math.max(Math.min(...widths) / 10, (end - first) / 500)
  const last = Math.ceil((end - first) / step)
  // By the logarithm of the age
  const densities = new Float64Array(last + 1)
  for (const [duration, weight, wanted] of sorted) {
    const width = Math.max(wanted, step)
    const center = (Math.log(duration) - first) / step
    const reach = 6 * width / step
    const from = Math.ceil(center - reach)
    // The normal distribution at even distances, by the quotients of successive values
    const apart = step / width
    const x = (from - center) * apart
    let value = weight * bell(x) / width
    let quotient = Math.exp(-apart * (x + apart / 2))
    const change = Math.exp(-apart * apart)
    for (let row = from; row <= center + reach; row++) {
      densities[row]! += value
      value *= quotient
      quotient *= change
    }
  }
  const otherDensity = (age: number) => others * median / (median + age) ** 2
  const otherSurvival = (age: number) => others * median / (median + age)
  const survivals = new Float64Array(last + 1)
  let sum = 0
  let left = 0
  for (let row = last; row >= 0; row--) {
    const age = Math.exp(first + row * step)
    const here = densities[row]!
    const survival = survivals[row] = (1 - others) * (left + here * step / 2) + otherSurvival(age)
    const density = densities[row] = (1 - others) * here / age + otherDensity(age)
    left += here * step
    // Where hardly any run ends, the quotient is not a number
    if (density > 1e-30) sum += here * step * Math.sqrt(survival / density)
  }
  const read = (table: Float64Array, age: number, before: number, after: (age: number) => number) => {
    const at = (Math.log(age) - first) / step
    if (!(at > 0)) return before
    if (at >= last) return after(age)
    const row = Math.floor(at)
    return table[row]! + (table[row + 1]! - table[row]!) * (at - row)
  }
  return {
    density: (age) => read(densities, age, densities[0]!, otherDensity),
    survival: (age) => read(survivals, age, 1, otherSurvival),
    meanInterval: () => sum,
    median,
    weight: 5
  }
}

/** The same in another unit of time. */
const stretched = (model: DurationModel, unit: number): DurationModel => ({
  density: (age) => model.density(age / unit) / unit,
  survival: (age) => model.survival(age / unit),
  meanInterval: (age) => model.meanInterval(age / unit) * Math.sqrt(unit),
  median: model.median * unit,
  weight: model.weight
})

/** A run that behaves like earlier ones with the probability `share`, and otherwise as `alone` says. */
const withHistory = (alone: DurationModel, { model, share }: Learnt): DurationModel => {
  const usual = share > 0.5 ? model : alone
  return {
    density: (age) => share * model.density(age) + (1 - share) * alone.density(age),
    survival: (age) => share * model.survival(age) + (1 - share) * alone.survival(age),
    meanInterval: (age) => {
      const one = share * model.survival(age)
      const other = (1 - share) * alone.survival(age)
      return (one * model.meanInterval(age) + other * alone.meanInterval(age)) / (one + other)
    },
    median: usual.median,
    weight: usual.weight
  }
}

/** The density of the normal distribution. */
export const bell = (x: number): number => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)

/** Providers' estimates are right within a factor of 1.6 in two of three cases, and are useless in one of twelve. */
const aboutOne = (): DurationModel => one ??= about([[1, 1, 0.45]], 0.08)
let one: DurationModel | undefined

/**
 * The more durations there are, and the more alike they are, the narrower is the distribution around each. A run of any other
 * duration is as likely as one of the given durations.
 */
const aboutEach = (durations: ReadonlyArray<number>): DurationModel => {
  const sorted = [...durations].sort((a, b) => a - b)
  // 128 quantiles describe the distribution well enough, however many durations there are
  const some = sorted.length <= 128
    ? sorted
    : Array.from({ length: 128 }, (_, index) => sorted[Math.floor((index + 0.5) / 128 * sorted.length)]!)
  const logs = some.map(Math.log)
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length
  const width = bandwidth(Math.sqrt(variance), durations.length)
  return about(some.map((duration) => [duration, 1 / some.length, width]), 1 / (durations.length + 1))
}

/** The width of the distribution around each of `count` durations whose logarithms have this standard deviation. */
export const bandwidth = (deviation: number, count: number): number =>
  // One or two equal durations are no reason to expect exactly that duration
  Math.max(0.02, 0.45 / count, 0.5 * deviation * count ** -0.2)

/**
 * The remaining time of a run, estimated from its progress. The model: the `tasks` are done one after the other, and the time of
 * each has an exponential distribution. Their speed has a gamma distribution, from `weight` tasks done in `span`. In this model
 * the elapsed time and the number of finished tasks are all that matters of the past, so nothing is stored from poll to poll.
 */
interface Rest {
  readonly tasks: number
  readonly weight: number
  readonly span: number
}

/** More tasks than this are counted in groups, to bound what a poll costs. */
const maxTasks = 64

const restOf = (model: DurationModel, progress: Progress | undefined, age: number): Rest | undefined => {
  if (progress === undefined || !(progress.completed >= 0 && progress.total > 0 && progress.total < Infinity)) {
    return undefined
  }
  const total = Math.min(Math.ceil(progress.total), maxTasks)
  // The last task counts as unfinished until the run ends
  const completed = Math.min(Math.floor(progress.completed * total / progress.total), total - 1)
  return {
    tasks: total - completed,
    weight: model.weight + completed,
    // With this span, the expected duration of the whole run is the median
    span: model.median * (model.weight - 1 / 3) / (total - 1 / 3) + age
  }
}

/** The hazard rate of the end after another `time`. */
const hazardOf = ({ span, tasks, weight }: Rest, time: number): number => {
  const odds = (span + time) / time
  // 1 divided by the probability that all tasks but one are done, given that not all are
  let sum = 1
  for (let left = tasks - 1, term = 1; left > 0 && term > sum * 1e-4; left--) {
    term *= left / (weight + left - 1) * odds
    sum += term
    if (sum > 1e12) return 0
  }
  return (weight + tasks - 1) / (span + time) / sum
}

/** The `meanInterval` of a run that has one task left. The number of tasks may grow, so this is slightly longer than the model asks for. */
const taskInterval = ({ span, weight }: Rest): number => 1.4 * Math.sqrt(span / weight)

/** How often the progress of a run halts before the run ends, where nothing is known of its kind. */
export const usuallyHalts = 0.01

const untilNextPoll = (
  state: PollState,
  model: DurationModel,
  halts: number,
  { max, min, targetLatency }: Options
): number => {
  const elapsed = Duration.toMillis(state.elapsed)
  // The server's clock may be behind; the run is at least as old as the wait
  const age = Math.max(elapsed, state.age === undefined ? 0 : Duration.toMillis(state.age))
  const rest = restOf(model, state.progress, age)
  const quiet = Math.min(age, Duration.toMillis(state.sinceProgress))
  let byProgress: ((time: number) => number) | undefined
  let trust = 0
  let scale = age
  let isReported = false
  const usualInterval = model.meanInterval(age)
  const rateOf = (share: number, interval: number) => share * (interval / (2 * targetLatency)) ** 2
  if (rest !== undefined) {
    // By Bayes' rule: a pause like this one, at the speed so far, against progress that has halted
    trust = 1 / (1 + halts / (1 - halts) * (rest.span / (rest.span - quiet)) ** rest.weight)
    scale = rest.span / rest.weight
    // Where progress was seen and has halted, the tasks are still done at the speed so far, and are no longer reported
    const hidden = quiet < elapsed ? restOf(model, state.progress, age - quiet)! : undefined
    const restRate = rateOf(trust, taskInterval(rest))
    // The end of hidden tasks is harder to foresee than that of the last task. If progress often halts, that is the usual end
    const hiddenRate = hidden === undefined
      ? 0
      : rateOf(1 - trust, (1 - halts) * taskInterval(hidden) + halts * usualInterval)
    byProgress = (time) =>
      restRate * hazardOf(rest, time) + (hidden === undefined ? 0 : hiddenRate * hazardOf(hidden, quiet + time))
    isReported = trust > 0.5
    if (hidden !== undefined) trust = 1
  }
  const modelRate = rateOf(1 - trust, usualInterval)
  // The hazard, weighted by the price of a delay. The best poll rate is the square root of half of it
  const hazard = (time: number): number =>
    2 * ((modelRate === 0 ? 0 : modelRate * model.density(age + time) / model.survival(age + time)) +
      (byProgress?.(time) ?? 0))
  let time = 0
  let cost = 0
  let polls = 0
  let before = hazard(0)
  let rate = Math.sqrt(before / 2)
  let step = Math.max(min / 2, Math.min(0.5 / rate, scale / 10))
  while (time < max) {
    const after = hazard(time + step)
    const rateAfter = Math.sqrt(after / 2)
    const costAfter = cost + (before + after) / 2 * step
    const pollsAfter = polls + (rate + rateAfter) / 2 * step
    // A poll is due when waiting longer costs more, by the runs that have ended unseen, than it saves in later polls. A poll that
    // shows progress is worth more than that, so there it is due when the rate adds up to one
    const excess = isReported ? polls - 1 : cost - 2 * rate
    const excessAfter = isReported ? pollsAfter - 1 : costAfter - 2 * rateAfter
    if (excessAfter > (isReported ? 1 : rateAfter) && step > min / 8) {
      // Steps are short where the hazard rises suddenly
      step /= 4
      continue
    }
    if (excessAfter > 0) return time + step * excess / (excess - excessAfter)
    time += step
    cost = costAfter
    polls = pollsAfter
    before = after
    rate = rateAfter
    step *= 1.4
  }
  return max
}
