/**
 * The number of polls per run and the detection latency: `Polling.adaptive` against fixed and growing intervals, on families of
 * simulated runs. Nothing sleeps: the benchmark calls the schedules as a wait does.
 */
import { Duration } from "effect"
import { Polling, RunRef } from "canvas-runs"
import { type Benchmark, type Result, type Sample, sample, type Target } from "./measure.ts"
import { type Bound, boundOf, ignorance } from "./pollingBound.ts"
import { drifts, fairSample, families, type Family, lessonOf, type Life, seeded, strangers } from "./pollingFamilies.ts"
import type { Learnt } from "../../src/internal/polling/adaptive.ts"
import { learn } from "../../src/internal/polling/learn.ts"
import { delayOf } from "../../src/internal/polling/sleepingRun.ts"

interface Waited {
  readonly polls: number
  /** From the end of the run to the poll that saw it, in seconds. */
  readonly delay: number
}

const ref = RunRef.make({ provider: "bench", kind: "run", id: "1" })

/** Follows a run to its end. The same seed gives the same jitter. */
const follow = (schedule: Polling.PollSchedule, life: Life, seed: number, learnt: Learnt | undefined): Waited => {
  const delay = delayOf(schedule)
  if (delay === undefined) throw new Error("the schedule cannot be asked")
  const random = seeded(seed)
  const estimate = life.estimate === undefined ? undefined : Duration.seconds(life.estimate)
  let now = 0
  let polls = 1
  let completed = 0
  let changed = 0
  let progress = life.shown?.(0)
  while (now < life.length) {
    // A wait measures time in whole milliseconds
    const elapsed = Duration.millis(Math.round(now * 1000))
    const state: Polling.PollState = {
      ref,
      snapshot: undefined,
      progress,
      sinceProgress: Duration.millis(Math.round((now - changed) * 1000)),
      polls,
      failures: 0,
      elapsed,
      age: elapsed,
      estimate,
      remaining: Duration.infinity
    }
    const before = now
    now += delay(state, random(), learnt) / 1000
    polls++
    while (completed < life.tasks.length && life.tasks[completed]! <= now) completed++
    const seen = life.shown?.(completed)
    if (seen?.completed !== progress?.completed) {
      const ended = seen!.completed - progress!.completed
      changed = (before + ended * now) / (ended + 1)
      progress = seen
    }
  }
  return { polls, delay: now - life.length }
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

const percentile95 = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)]!

/** The runs are divided into batches, by turns, and each batch has histories from other seeds. The notes show how much the batches vary. */
const batches = 4

/** What is known of the kind of each run. */
type Knowing = (index: number) => Learnt | undefined

const summarise = (
  schedule: Polling.PollSchedule,
  lives: ReadonlyArray<Life>,
  knowing: Knowing = () => undefined
) => {
  const waits = lives.map((life, index) => follow(schedule, life, index, knowing(index)))
  const byBatch = (value: (wait: Waited) => number) =>
    Array.from(
      { length: batches },
      (_, batch) => mean(waits.filter((_, index) => index % batches === batch).map(value))
    )
  return {
    polls: sample(byBatch(({ polls }) => polls)),
    delays: byBatch(({ delay }) => delay),
    delay: mean(waits.map(({ delay }) => delay)),
    late: percentile95(waits.map(({ delay }) => delay))
  }
}

type Adaptive = (targetLatency: number) => Polling.PollSchedule

/** The minimum interval is low enough to match the peer that polls each second. */
const adaptive = (pastDurations?: ReadonlyArray<Duration.Duration>): Adaptive => (targetLatency) =>
  Polling.adaptive({ targetLatency: targetLatency * 1000, min: "50 millis", pastDurations })

/**
 * Finds the target latency that gives the adaptive schedule the requested mean delay. A difference remains: 2 % if there are
 * enough runs. The number of polls of each batch is corrected for it: for so small a change, polls times delay is constant.
 */
const matched = (adaptive: Adaptive, lives: ReadonlyArray<Life>, delay: number, knowing?: Knowing) => {
  let targetLatency = delay
  let closest: (ReturnType<typeof summarise> & { readonly targetLatency: number; readonly excess: number }) | undefined
  for (let tries = 0; tries < 20; tries++) {
    const found = summarise(adaptive(targetLatency), lives, knowing)
    const excess = found.delay / delay
    if (closest === undefined || Math.abs(excess - 1) < Math.abs(closest.excess - 1)) {
      closest = { ...found, targetLatency, excess }
    }
    if (Math.abs(excess - 1) < 0.02) break
    // The steps become smaller, because the delay need not be a smooth function
    targetLatency /= excess ** (1 / (1 + tries / 4))
  }
  const { excess, ...found } = closest!
  if (Math.abs(excess - 1) > 0.1) throw new Error(`no target latency makes the mean delay ${delay} s`)
  return { ...found, polls: sample(found.polls.values.map((polls, batch) => polls * found.delays[batch]! / delay)) }
}

const peers: Readonly<Record<string, Polling.PollSchedule>> = {
  "5 s fixed": Polling.fixed("5 seconds"),
  "2–30 s exponential": Polling.backoff({ initial: "2 seconds", max: "30 seconds" }),
  "15–60 s exponential": Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute" }),
  "1 s fixed": Polling.fixed("1 second")
}

const digits = (value: number): string => value >= 100 ? value.toFixed(0) : value.toPrecision(3)

const constant = (value: number): Sample => sample(Array.from({ length: batches }, () => value))

/** The mean over all runs. The bound and the matched delay are means too; a median of the batches would leave out the longest delays. */
const averaged = ({ values }: Sample): Sample => constant(mean(values))

/**
 * 50 % of the polls, or 25 % of those of 5 s fixed if the estimates are reliable. If no schedule can reach that, 1.2 times the
 * theoretical minimum.
 */
const targetOf = (family: Family, peer: string, polls: number, bound: number | undefined): Target => {
  const wanted = family.trusty && peer === "5 s fixed" ? 0.25 : 0.5
  return bound === undefined || bound <= wanted * polls ? { peer, atMost: wanted } : { peer: "bound", atMost: 1.2 }
}

/** Why a row of a family misses its target. `estimated` says it for an estimate alone. */
const reasonOf = (
  { hints, knowledge, reason }: Family,
  isLearnt: boolean,
  estimated: string
): string | undefined => {
  if (hints === "halting progress") {
    return isLearnt
      ? "The bound knows the speeds and the halting law. 30 runs show them only roughly."
      : "Without a history, it assumes that progress seldom halts. Here it halts in every run."
  }
  if (isLearnt) return reason
  if (hints === "estimate") return estimated
  if (knowledge._tag === "None") return "Three tasks are under way at once, and progress does not say how far each is."
  return "It assumes that estimates are right within a factor of 1.6 in two of three cases, and one in twelve is useless. These are better: " +
    "1.4 in two of three. A history shows that."
}

/** The lowest and the highest ratio of a batch. */
const spreadOf = (ratios: ReadonlyArray<number>): string =>
  `with other seeds ${digits(Math.min(...ratios))} to ${digits(Math.max(...ratios))}`

/** The families that the chart of the costs guide shows, by the name of their panel. */
const panels: Readonly<Record<string, string>> = {
  "progress": "progress of tasks",
  "log-normal around the estimate": "estimate that is about right",
  "a third of the estimate or three times it": "estimate that is wrong by 3×",
  "no estimate": "no estimate"
}

/** After 30 runs of a kind, 1.2 times the theoretical minimum. For progress that halts, 50 % of the polls of a fixed interval. */
const learntTarget = ({ hints }: Family, peer: string, bound: number | undefined): Target =>
  bound === undefined || (hints === "halting progress" && peer.endsWith("fixed"))
    ? { peer, atMost: 0.5 }
    : { peer: "bound", atMost: 1.2 }

const compare = (
  measure: string,
  family: Family,
  peer: string,
  adaptive: Adaptive,
  remark: string,
  all: ReadonlyArray<Life>,
  bound: Bound | undefined,
  knowing?: Knowing,
  reason?: string
): Result => {
  // A peer that polls each second has made enough polls after 25 % of the runs, unless these differ in their progress too
  const lives = peer === "1 s fixed" && !family.hints.endsWith("progress")
    ? all.filter((_, index) => index % 4 === 0)
    : all
  const theirs = summarise(peers[peer]!, lives)
  const ours = matched(adaptive, lives, theirs.delay, knowing)
  const least = bound?.(theirs.delay)
  const target = knowing === undefined
    ? targetOf(family, peer, mean(theirs.polls.values), least)
    : learntTarget(family, peer, least)
  const panel = panels[family.name]
  const isDrawn = measure === family.name || knowing !== undefined
  return {
    measure: `${measure}, with the detection latency of ${peer}`,
    unit: "polls per run",
    ours: averaged(ours.polls),
    peers: { [peer]: averaged(theirs.polls), ...(least === undefined ? undefined : { bound: constant(least) }) },
    targets: [{ ...target, reason }],
    note: `mean delay ${digits(ours.delay)} s and ${digits(theirs.delay)} s, p95 ${digits(ours.late)} s and ${
      digits(theirs.late)
    } s, with a target latency of ${digits(ours.targetLatency)} s; ${
      least === undefined
        ? "no bound is known"
        : `no schedule needs less than ${digits(least / mean(theirs.polls.values))} of ${peer}${remark}`
    }${
      knowing === undefined
        ? ""
        : `; ${
          spreadOf(
            ours.polls.values.map((polls) => polls / (target.peer === peer ? mean(theirs.polls.values) : least!))
          )
        }`
    }`,
    ...(panel === undefined || !isDrawn ? undefined : {
      mark: {
        chart: "polls",
        panel,
        series: knowing === undefined ? "adaptive" : `adaptive, with a history of ${runs} runs`,
        latency: Number(theirs.delay.toPrecision(3))
      } as const
    })
  }
}

/** The results for a range of target latencies, beside the theoretical minimum for the resulting delays. */
const frontier = (
  measure: string,
  adaptive: Adaptive,
  lives: ReadonlyArray<Life>,
  bound: Bound | undefined,
  knowing?: Knowing
): string => {
  const points = [1, 2.5, 5, 15, 30, 60].map((targetLatency) => {
    const { delay, late, polls } = summarise(adaptive(targetLatency), lives, knowing)
    return `${targetLatency} s: ${digits(mean(polls.values))} polls, ${digits(delay)} s late, p95 ${digits(late)} s` +
      (bound === undefined ? "" : `, bound ${digits(bound(delay))}`)
  })
  return [`frontier, ${measure}`, ...points].join("\n      ")
}

/** The number of earlier runs that the schedule learns from: of past durations that are given, and of a history. */
const lessons = 100
const runs = 30

/** Histories of a kind. Each run is one of several, because a few dozen runs are not always a fair sample. */
const histories = (family: Family, random: () => number, count: number): Array<ReadonlyArray<Life>> =>
  Array.from({ length: count }, () => Array.from({ length: runs }, () => family.draw(random)))

/** The runs after a change of their kind, each with what is known by then, against the same schedule without a history. */
const drift = (before: Family, after: Family, repetitions: number): Result => {
  const random = seeded(2027)
  const pasts = histories(before, random, repetitions)
  // By turns, so that no two batches share a kind
  const all = Array.from({ length: runs }).flatMap(() =>
    pasts.map((past, kind) => {
      const life = after.draw(random)
      pasts[kind] = [...past, life]
      return { life, known: learn(past.map(lessonOf)) }
    })
  )
  const lives = all.map(({ life }) => life)
  const without = summarise(adaptive()(5), lives)
  const ours = matched(adaptive(), lives, without.delay, (index) => all[index]!.known)
  return {
    measure: `the ${runs} runs after a change, from "${before.name}" to "${after.name}"`,
    unit: "polls per run",
    ours: averaged(ours.polls),
    peers: { "without history": averaged(without.polls) },
    targets: [{ peer: "without history", atMost: 1.05 }],
    note: `mean delay ${digits(ours.delay)} s and ${digits(without.delay)} s; ${
      spreadOf(ours.polls.values.map((polls, batch) => polls / without.polls.values[batch]!))
    }`
  }
}

export const benchmark: Benchmark = {
  name: "polling",
  exact: async ({ progress, quick }) => {
    const results: Array<Result> = []
    const measureAll = (
      measure: string,
      family: Family,
      adaptive: Adaptive,
      remark: string,
      lives: ReadonlyArray<Life>,
      knowing?: Knowing,
      reason?: string
    ) => {
      const bound = boundOf(family.knowledge)
      progress(frontier(measure, adaptive, lives, bound, knowing))
      for (const peer of Object.keys(peers)) {
        results.push(compare(measure, family, peer, adaptive, remark, lives, bound, knowing, reason))
      }
    }
    const estimated = families.flatMap((family) =>
      family.knowledge._tag === "Durations" && family.hints === "estimate" ? [family.knowledge.cdf] : []
    )
    const loss =
      `no schedule that does not know which of the ${estimated.length} families with only an estimate the run is from ` +
      `needs less than ${digits(ignorance(estimated))} of the bounds of all`
    for (const family of [...families, ...strangers]) {
      const random = seeded(2026)
      const lives = fairSample(family, random, quick ? 160 : 2400)
      const { hints, knowledge } = family
      const remark = hints === "estimate" ? `, and ${loss}` : ""
      const reason = (isLearnt: boolean) => reasonOf(family, isLearnt, `The family of a run is not known: ${loss}.`)
      const isStranger = strangers.includes(family)
      if (!isStranger) measureAll(family.name, family, adaptive(), remark, lives, undefined, reason(false))
      const known = histories(family, random, 40).map((past) => learn(past.map(lessonOf)))
      measureAll(
        `${family.name}, history of ${runs} runs`,
        family,
        adaptive(),
        remark,
        lives,
        (index) => known[index % 40],
        reason(true)
      )
      if (isStranger) continue
      if (knowledge._tag === "Durations" && (hints === "estimate" || hints === "none")) {
        const pastDurations = Array.from({ length: lessons }, () => Duration.seconds(family.draw(random).length))
        measureAll(`${family.name}, ${lessons} past durations`, family, adaptive(pastDurations), "", lives)
      }
    }
    for (const [before, after] of drifts) results.push(drift(before, after, quick ? 8 : 40))
    return results
  }
}
