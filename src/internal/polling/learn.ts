/**
 * What the durations of earlier runs say about the next one: pure statistics. The module documentation of `DurationHistory` gives the
 * reasoning. Times are in milliseconds.
 */
import { about, bandwidth, bell, byEstimate, type Learnt, usuallyHalts, type Weighted } from "./adaptive.ts"

/** What an earlier run of the kind taught. */
export interface Lesson {
  readonly duration: number
  /** How long the provider expected the run to take. */
  readonly estimate?: number | undefined
  /** Whether its progress had halted before it ended. */
  readonly halted?: boolean | undefined
}

/** The probability that a kind changes its behaviour between two runs. */
const change = 0.04

/** The estimate, or what is assumed without one, counts as much as this number of runs. */
const priorRuns = 2

/** The share of halting progress is that of this number of the latest runs. The usual share counts as much as three times that number. */
const recentHalts = 8
const priorHalts = 24

/** Learns from the runs of a kind, the oldest first. */
export const learn = (lessons: ReadonlyArray<Lesson>): Learnt | undefined => {
  const count = lessons.length
  if (count === 0) return undefined
  const logs = lessons.map(({ duration }) => Math.log(duration))
  const chances = chancesOf(lessons, logs)
  const widths = bandwidths(logs)
  const weights = logs.map(() => 0)
  let share = 0
  let width = 0
  let weight = 0
  for (let runs = count; runs >= 1; runs--) {
    const chance = chances[runs]!
    weight += chance / (runs + priorRuns)
    weights[count - runs] = weight
    share += weight
    width += chance / (1 - chances[0]!) * widths[runs - 1]!
  }
  const recent = lessons.slice(-recentHalts)
  const halted = recent.filter((lesson) => lesson.halted === true).length
  return {
    model: about(spread(logs, weights.map((weight) => weight / share), width), 0),
    share,
    halts: (usuallyHalts * priorHalts + halted) / (priorHalts + recent.length)
  }
}

/**
 * Gives each run the width that fits the runs near it: the geometric mean of the bandwidth of all and the distance to the nearest
 * ones, so that the distribution is narrow where runs are dense (Abramson, "On bandwidth variation in kernel estimates", 1982).
 */
const spread = (
  logs: ReadonlyArray<number>,
  weights: ReadonlyArray<number>,
  bandwidth: number
): ReadonlyArray<Weighted> => {
  // About as many as the square root of the number of runs, if they count alike
  const share = Math.hypot(...weights)
  const order = logs.map((_, i) => i).sort((one, other) => logs[one]! - logs[other]!)
  return order.map((i, place) => {
    let low = place - 1
    let high = place + 1
    let distance = 0
    for (let sum = weights[i]! / 2; sum < share && (low >= 0 || high < order.length);) {
      const below = low < 0 ? Infinity : logs[i]! - logs[order[low]!]!
      const above = high === order.length ? Infinity : logs[order[high]!]! - logs[i]!
      distance = Math.min(below, above)
      sum += weights[order[below < above ? low-- : high++]!]!
    }
    return [Math.exp(logs[i]!), weights[i]!, Math.max(0.02, Math.sqrt(bandwidth * distance))]
  })
}

/**
 * For each number, the probability that exactly so many of the latest runs describe the next one, because the kind changed before
 * them. Each run is predicted by the runs before it, for each number of them, and Bayes' rule prefers the numbers that predicted well
 * (Adams and MacKay, "Bayesian online changepoint detection", 2007).
 */
const chancesOf = (lessons: ReadonlyArray<Lesson>, logs: ReadonlyArray<number>): ReadonlyArray<number> => {
  let chances = [1]
  lessons.forEach(({ duration, estimate }, run) => {
    const alone = priorRuns * byEstimate(estimate).density(duration) * duration
    const widths = bandwidths(logs.slice(0, run))
    const next = [0]
    let all = 0
    let near = 0
    chances.forEach((chance, runs) => {
      if (runs > 0) {
        const width = widths[runs - 1]!
        near += bell((logs[run]! - logs[run - runs]!) / width) / width
      }
      const joint = chance * (alone + near) / (runs + priorRuns)
      next.push(joint * (1 - change))
      next[0]! += joint * change
      all += joint
    })
    chances = next.map((joint) => joint / all)
  })
  return chances
}

/** The bandwidths of the last run, of the last two, and so on. */
const bandwidths = (logs: ReadonlyArray<number>): ReadonlyArray<number> => {
  let sum = 0
  let squares = 0
  return logs.toReversed().map((log, before) => {
    const count = before + 1
    sum += log
    squares += log * log
    return bandwidth(Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)), count)
  })
}
