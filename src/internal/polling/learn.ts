/**
 * What the durations of earlier runs say about the next one: pure statistics. The module documentation of `DurationHistory` gives the
 * reasoning. Times are in milliseconds.
 */
import { about, bandwidthOf, bell, byEstimate, type Learnt, usuallyHalts, type Weighted } from "./adaptive.ts"

/** What an earlier run of the kind taught. */
export interface Lesson {
  readonly duration: number
  /** How long the provider expected the run to take. */
  readonly estimate?: number | undefined
  /** Whether its progress had halted before it ended. */
  readonly halted?: boolean | undefined
}

/** The probability that a kind changes its behaviour between two runs. */
const change = 0.02

/** As many runs as the estimate counts for, or what is assumed without one. */
const priorRuns = 1

/** The share of halting progress is that of this number of the latest runs, and the usual share counts as much as `priorHalts` runs. */
const recentHalts = 20
const priorHalts = 10

/** Learns from the runs of a kind, the oldest first. */
export const learn = (lessons: ReadonlyArray<Lesson>): Learnt | undefined => {
  const count = lessons.length
  if (count === 0) return undefined
  const logs = lessons.map(({ duration }) => Math.log(duration))
  const chances = chancesOf(lessons, logs)
  const weights = logs.map(() => 0)
  let share = 0
  let bandwidth = 0
  for (let runs = 1; runs <= count; runs++) {
    const chance = chances[runs]!
    share += chance * runs / (runs + priorRuns)
    bandwidth += chance / (1 - chances[0]!) * bandwidthOf(logs.slice(count - runs), runs)
    for (let i = count - runs; i < count; i++) weights[i]! += chance / (runs + priorRuns)
  }
  const recent = lessons.slice(-recentHalts)
  const halted = recent.filter((lesson) => lesson.halted === true).length
  return {
    model: about(lessons.map(({ duration }, i): Weighted => [duration, weights[i]! / share]), bandwidth, 0),
    share,
    halts: (usuallyHalts * priorHalts + halted) / (priorHalts + recent.length)
  }
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
    const next = [0]
    let all = 0
    chances.forEach((chance, runs) => {
      const earlier = logs.slice(run - runs, run)
      const bandwidth = runs === 0 ? 1 : bandwidthOf(earlier, runs)
      const near = earlier.reduce((sum, log) => sum + bell((logs[run]! - log) / bandwidth) / bandwidth, 0)
      const joint = chance * (alone + near) / (runs + priorRuns)
      next.push(joint * (1 - change))
      next[0]! += joint * change
      all += joint
    })
    chances = next.map((joint) => joint / all)
  })
  return chances
}
