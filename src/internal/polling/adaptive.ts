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

/** Returns a function from the age and the progress of a run to the time until its next poll. */
export const make = (options: Options): (state: PollState) => number => {
  const { pastDurations } = options
  const learnt = pastDurations.length === 0 ? undefined : aboutEach(pastDurations)
  const byEstimate = learnt ?? aboutOne()
  return (state) => {
    const estimate = state.estimate === undefined ? 0 : Duration.toMillis(state.estimate)
    const model = learnt ?? (estimate > 0 && estimate < Infinity ? stretched(byEstimate, estimate) : anyDuration)
    return untilNextPoll(state, model, options)
  }
}

/** When a run ends, estimated from durations alone, without its progress. Times are in milliseconds. */
interface DurationModel {
  /** The probability per millisecond that a run of this age ends now (the hazard rate). */
  readonly hazard: (age: number) => number
  /**
   * The mean of `1 / sqrt(h)` over the ages at which runs end, where `h` is the hazard rate. A schedule that polls at the rate
   * `sqrt(h)` has half of this mean as its detection latency.
   */
  readonly meanInterval: number
  readonly median: number
  /** The number of finished tasks that says as much about the speed of the run as the median duration does. */
  readonly weight: number
}

/**
 * Runs of unknown duration: at any age, the run ends within its age plus 15 minutes with a probability of 50 %. This model has no
 * mean, so `meanInterval` and `median` are those that have the target latency at the age of 5 minutes.
 */
const anyDuration: DurationModel = {
  hazard: (age) => 1 / (900_000 + age),
  meanInterval: Math.sqrt(1_200_000),
  median: 300_000,
  weight: 1
}

/**
 * A mixture of runs. Most take about as long as one of `durations`: within a factor of `exp(bandwidth)` in two of three cases. The
 * share `others` may take any time, which keeps the hazard above zero at all ages.
 */
const about = (durations: ReadonlyArray<number>, bandwidth: number, others: number): DurationModel => {
  const median = durations[durations.length >> 1]!
  const first = Math.log(durations[0]!) - 8 * bandwidth
  const step = Math.max(bandwidth / 10, (Math.log(durations.at(-1)!) + 8 * bandwidth - first) / 500)
  const table: Array<number> = []
  let sum = 0
  for (let log = first; log <= Math.log(durations.at(-1)!) + 8 * bandwidth; log += step) {
    const age = Math.exp(log)
    let density = 0
    let survival = 0
    for (const duration of durations) {
      const x = (log - Math.log(duration)) / bandwidth
      if (x > 6) continue
      const bell = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)
      density += bell / (bandwidth * age)
      survival += upperTail(x, bell)
    }
    const share = (1 - others) / durations.length
    const hazard = (share * density + others * median / (median + age) ** 2) /
      (share * survival + others * median / (median + age))
    table.push(hazard)
    sum += density / durations.length * age * step / Math.sqrt(hazard)
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
    meanInterval: sum,
    median,
    weight: 5
  }
}

/** The same in another unit of time. */
const stretched = (model: DurationModel, unit: number): DurationModel => ({
  hazard: (age) => model.hazard(age / unit) / unit,
  meanInterval: model.meanInterval * Math.sqrt(unit),
  median: model.median * unit,
  weight: model.weight
})

/** The probability of more than `x` under the normal distribution, whose density at `x` is `bell`. */
const upperTail = (x: number, bell: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail = bell * t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x > 0 ? tail : 1 - tail
}

/** Providers' estimates are right within a factor of 1.6 in two of three cases, and are useless in one of twelve. */
const aboutOne = (): DurationModel => one ??= about([1], 0.45, 0.08)
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
  const deviation = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length)
  // One or two equal durations are no reason to expect exactly that duration
  const bandwidth = Math.max(0.02, 0.45 / durations.length, 0.5 * deviation * durations.length ** -0.2)
  return about(some, bandwidth, 1 / (durations.length + 1))
}

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

/** Progress is trusted as long as a pause like the current one is more probable than this, at the speed so far. */
const unlikely = 0.02

const untilNextPoll = (state: PollState, model: DurationModel, { max, min, targetLatency }: Options): number => {
  // The server's clock may be behind; the run is at least as old as the wait
  const age = Math.max(Duration.toMillis(state.elapsed), state.age === undefined ? 0 : Duration.toMillis(state.age))
  const rest = restOf(model, state.progress, age)
  let trust = 0
  let restRate = 0
  let scale = age
  if (rest !== undefined) {
    const quiet = Math.min(age, Duration.toMillis(state.sinceProgress))
    trust = 1 / (1 + ((rest.span / (rest.span - quiet)) ** rest.weight * unlikely) ** 2)
    scale = rest.span / rest.weight
    // The number of tasks may grow, so poll slightly more often than the model asks for
    restRate = trust * (1.4 / (2 * targetLatency)) ** 2 * scale
  }
  const modelRate = trust > 0.999 ? 0 : (1 - trust) * (model.meanInterval / (2 * targetLatency)) ** 2
  const rate = (time: number): number =>
    Math.sqrt(
      (modelRate === 0 ? 0 : modelRate * model.hazard(age + time)) +
        (rest === undefined ? 0 : restRate * hazardOf(rest, time))
    )
  // Integrates the poll rate until it amounts to one poll
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
