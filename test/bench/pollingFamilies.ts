/** Families of simulated runs: their durations, the provider's estimates, and the knowledge of an oracle. */
import type { RunSource } from "canvas-runs"
import type { Lesson } from "../../src/internal/polling/learn.ts"
import { isHalted } from "../../src/internal/polling/lesson.ts"

/** A number that is at least 0 and less than 1. */
export type Random = () => number

/** A run, in seconds. */
export interface Life {
  readonly length: number
  readonly estimate: number | undefined
  /** The end times of the tasks, in order. The last one ends the run. */
  readonly tasks: ReadonlyArray<number>
  /** The progress that a poll shows for a number of finished tasks; without it, polls show none. */
  readonly shown: ((completed: number) => RunSource.Progress) | undefined
}

/** The knowledge of an oracle that knows the family of a run, and nothing else about the run. */
export type Knowledge =
  /** The distribution of durations; polls add no information. */
  | { readonly _tag: "Durations"; readonly cdf: (seconds: number) => number }
  /** Tasks end one after another and are memoryless. Their speed is gamma distributed: `shape` tasks in `span` seconds. */
  | { readonly _tag: "Tasks"; readonly tasks: number; readonly shape: number; readonly span: number }
  /** The same, and the shown number of finished tasks halts: at any number that is less than `tasks`, with the same probability. */
  | { readonly _tag: "HaltingTasks"; readonly tasks: number; readonly shape: number; readonly span: number }
  | { readonly _tag: "None" }

export interface Family {
  readonly name: string
  readonly draw: (random: Random) => Life
  readonly knowledge: Knowledge
  /** The information that a schedule gets about a run. */
  readonly hints: "none" | "estimate" | "progress" | "halting progress"
  /** Whether the provider's estimate is right within a factor of 2 for 95 % of the runs. */
  readonly trusty: boolean
  /** Why its rows miss their targets after 30 runs, if they do. */
  readonly reason?: string
}

export const seeded = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
const exponential = (random: Random): number => -Math.log(1 - random())

/** The standard normal distribution, to seven digits. */
const normalCdf = (x: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) *
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x > 0 ? 1 - tail : tail
}

/** The probability that a run takes at most so many seconds. */
type Cdf = (seconds: number) => number

const logNormal = (median: number, sigma: number): Cdf => (seconds) =>
  seconds <= 0 ? 0 : normalCdf(Math.log(seconds / median) / sigma)

const pareto = (least: number, index: number): Cdf => (seconds) => seconds < least ? 0 : 1 - (seconds / least) ** -index

const uniform = (least: number, most: number): Cdf => (seconds) =>
  Math.min(1, Math.max(0, (seconds - least) / (most - least)))

const mixed = (...parts: ReadonlyArray<readonly [share: number, cdf: Cdf]>): Cdf => (seconds) =>
  parts.reduce((sum, [share, cdf]) => sum + share * cdf(seconds), 0)

/** The durations up to `most` alone. */
const upTo = (most: number, cdf: Cdf): Cdf => (seconds) => seconds >= most ? 1 : cdf(seconds) / cdf(most)

/** The duration that this share of the runs does not exceed, to a millisecond. */
const quantile = (cdf: Cdf, share: number): number => {
  let [low, high] = [0, 24 * 3600]
  while (high - low > 1e-3) {
    const middle = (low + high) / 2
    if (cdf(middle) < share) low = middle
    else high = middle
  }
  return high
}

/**
 * Draws `count` runs whose durations are a fair sample: the first random number of each, which decides its duration, is from another
 * part of the numbers from 0 to 1. Otherwise a family with a heavy tail is short of long runs, or has too many. Each fourth run, or each
 * twentieth, is a fair sample too.
 */
export const fairSample = (family: Family, random: Random, count: number): ReadonlyArray<Life> =>
  Array.from({ length: count }, (_, index) => {
    let isFirst = true
    return family.draw(() => {
      const share = isFirst ? (index + random()) / count : random()
      isFirst = false
      return share
    })
  })

const minutes = 60
const estimate = 15 * minutes
const count = 12

const ofLengths = (
  name: string,
  cdf: Cdf,
  options: { readonly estimate?: number; readonly trusty?: boolean; readonly isStuck?: boolean }
): Family => ({
  name,
  trusty: options.trusty ?? false,
  hints: options.isStuck === true ? "progress" : options.estimate === undefined ? "none" : "estimate",
  knowledge: { _tag: "Durations", cdf },
  draw: (random) => {
    const length = quantile(cdf, random())
    const completed = Math.floor(random() * count)
    return {
      length,
      estimate: options.estimate,
      tasks: [length],
      shown: options.isStuck === true ? () => ({ completed, total: count }) : undefined
    }
  }
})

/** The shape of the distribution of the speed; the estimate is the mean duration. */
const shape = 8
const span = estimate * (shape - 1) / count
const pace: Knowledge = { _tag: "Tasks", tasks: count, shape, span }
const haltingPace: Knowledge = { ...pace, _tag: "HaltingTasks" }

const ofTasks = (name: string, options: { readonly isEstimated: boolean; readonly halts?: boolean }): Family => ({
  name,
  trusty: options.isEstimated,
  hints: options.halts === true ? "halting progress" : "progress",
  knowledge: options.halts === true ? haltingPace : pace,
  draw: (random) => {
    let gamma = 0
    for (let i = 0; i < shape; i++) gamma += exponential(random)
    const tasks: Array<number> = []
    let now = 0
    for (let i = 0; i < count; i++) tasks.push(now += exponential(random) * span / gamma)
    const halt = options.halts === true ? Math.floor(random() * count) : count
    return {
      length: now,
      estimate: options.isEstimated ? estimate : undefined,
      tasks,
      shown: (completed) => ({ completed: Math.min(completed, halt), total: count })
    }
  }
})

/** Tasks of very different durations on three workers. The total varies like that of the log-normal family. */
const ofLanes = (name: string): Family => {
  const lanes = 3
  const shares = (random: Random): ReadonlyArray<number> => {
    const free: Array<number> = Array.from({ length: lanes }, () => 0)
    const ends: Array<number> = []
    for (let i = 0; i < count; i++) {
      const lane = free.indexOf(Math.min(...free))
      ends.push(free[lane] = free[lane]! + Math.exp(0.8 * normal(random)))
    }
    return ends.sort((a, b) => a - b)
  }
  const random = seeded(1)
  const usual = Array.from({ length: 2001 }, () => shares(random).at(-1)!).sort((a, b) => a - b)[1000]!
  return {
    name,
    trusty: true,
    hints: "progress",
    knowledge: { _tag: "None" },
    draw: (random) => {
      const slowness = estimate / usual * Math.exp(0.25 * normal(random))
      const tasks = shares(random).map((end) => end * slowness)
      return { length: tasks.at(-1)!, estimate, tasks, shown: (completed) => ({ completed, total: count }) }
    }
  }
}

/** What a run teaches about its kind. */
export const lessonOf = ({ estimate, length, shown, tasks }: Life): Lesson => {
  const seen = tasks.filter((end) => end < length).length
  const progress = shown?.(seen)
  // `shown` may stay behind the tasks: then it has not changed since the task that it shows last
  const changedAt = tasks[Math.min(seen, progress?.completed ?? seen) - 1] ?? 0
  const duration = length * 1000
  return {
    duration,
    estimate: estimate === undefined ? undefined : estimate * 1000,
    halted: isHalted(progress, tasks.length === 1 ? duration : duration - changedAt * 1000, duration)
  }
}

export const families: ReadonlyArray<Family> = [
  ofLengths("log-normal around the estimate", logNormal(estimate, 0.35), { estimate, trusty: true }),
  ofLengths(
    "a third of the estimate or three times it",
    mixed([0.5, logNormal(estimate / 3, 0.35)], [0.5, logNormal(estimate * 3, 0.35)]),
    { estimate }
  ),
  ofLengths(
    "heavy tail to 2 h",
    upTo(120 * minutes, mixed([0.7, logNormal(0.9 * estimate, 0.35)], [0.3, pareto(estimate, 1.1)])),
    { estimate }
  ),
  ofLengths("bimodal", mixed([0.4, logNormal(0.2 * estimate, 0.3)], [0.6, logNormal(1.2 * estimate, 0.3)]), {
    estimate
  }),
  ofLengths("no estimate", upTo(120 * minutes, logNormal(8 * minutes, 1)), {}),
  ofLengths("stuck progress", logNormal(estimate, 0.35), { estimate, trusty: true, isStuck: true }),
  ofTasks("progress that halts", { isEstimated: true, halts: true }),
  ofTasks("progress", { isEstimated: true }),
  ofTasks("progress, no estimate", { isEstimated: false }),
  ofLanes("progress of three workers")
]

/** Families of other shapes, harder to learn. They were looked at when the constants of learning were chosen, like `families`. */
export const strangers: ReadonlyArray<Family> = [
  {
    ...ofLengths("any time from 5 to 25 min", uniform(5 * minutes, 25 * minutes), { estimate }),
    reason:
      "30 runs do not show where the durations begin and end. Told the distribution, the schedule needs 1.03 to 1.11 of the bound."
  },
  {
    ...ofLengths("no estimate, from 2 min with a heavy tail", upTo(120 * minutes, pareto(2 * minutes, 1)), {}),
    reason:
      "30 runs do not show that none ends before 2 min. Told the distribution, the schedule needs 1.03 to 1.12 of the bound."
  },
  {
    ...ofLengths(
      "three narrow peaks",
      mixed([0.3, logNormal(2 * minutes, 0.15)], [0.4, logNormal(10 * minutes, 0.15)], [
        0.3,
        logNormal(30 * minutes, 0.15)
      ]),
      { estimate }
    ),
    reason:
      "10 runs of a peak do not show how narrow it is. Told the distribution, the schedule needs 1.03 to 1.14 of the bound."
  },
  {
    ...ofLengths("one of five fails after 5 s", mixed([0.2, logNormal(5, 0.2)], [0.8, logNormal(estimate, 0.2)]), {
      estimate
    }),
    reason:
      "6 early failures do not show how alike they are. Told the distribution, the schedule needs 1.1 to 1.7 of the bound."
  }
]

const isEstimated = (name: string, median: number, estimate: number) =>
  ofLengths(name, logNormal(median * minutes, 0.35), { estimate: estimate * minutes })

const named = (name: string): Family => [...families, ...strangers].find((family) => family.name === name)!

/** Kinds of run that change their behaviour, from one family to another. */
export const drifts: ReadonlyArray<readonly [before: Family, after: Family]> = [
  [isEstimated("5 min", 5, 15), isEstimated("15 min, as estimated", 15, 15)],
  [isEstimated("15 min, as estimated", 15, 15), isEstimated("5 min", 5, 15)],
  [isEstimated("15 min, as estimated", 15, 15), isEstimated("12 min", 12, 15)],
  [isEstimated("15 min, as estimated", 15, 15), isEstimated("45 min", 45, 15)],
  [isEstimated("15 min, as estimated", 15, 15), isEstimated("5 min, as estimated", 5, 5)],
  [isEstimated("fails after 2 s", 1 / 30, 15), isEstimated("15 min, as estimated", 15, 15)],
  [named("bimodal"), named("log-normal around the estimate")],
  [named("a third of the estimate or three times it"), named("log-normal around the estimate")],
  [named("three narrow peaks"), named("log-normal around the estimate")],
  [named("progress that halts"), named("progress")]
]
