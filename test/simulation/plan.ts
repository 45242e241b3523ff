/**
 * The plan of a seed, as plain data: the client's options, the true course of the run, the faults of requests, the actions of the
 * program and its interruption. Everything is drawn before anything runs.
 *
 * All times are in milliseconds. Latencies end in .5, interruptions in .125, consumers in .25 and the request timeout in .03125,
 * so that no two of them ever fall on the same instant: the order of simultaneous events would be undefined.
 */
import * as Random from "../support/random.ts"
import { changed, without } from "./shrink.ts"

/** What chance may disturb, such as `"request 3"`. Everything else goes well, at once. Absent: chance may disturb everything. */
export type Faults = ReadonlyArray<string> | undefined

/** Whether chance may disturb an event. */
export const mayDisturb = (faults: Faults, event: string): boolean => faults === undefined || faults.includes(event)

export interface Plan {
  readonly seed: number
  readonly faults: Faults
  readonly api: "spine" | "tela"
  /** The planted API key. */
  readonly secret: string
  /** Whether a tracer collects spans, or the native one drops them. */
  readonly isTraced: boolean
  readonly client: ClientPlan
  readonly policy: PolicyPlan
  readonly truth: Truth
  readonly network: Network
  readonly program: Program
  /** The time of the program's interruption, from its start. */
  readonly interruptAt: number | undefined
  /** A second process that continues from the serialised ref, after a gap, if there is a ref. */
  readonly resume: { readonly gap: number; readonly policy: PolicyPlan; readonly network: Network } | undefined
}

export interface ClientPlan {
  readonly requestTimeout: number
  readonly retry: Retry
  readonly retryAfterCeiling: number
  readonly retryCreates: boolean
}

/** The retries of safe requests. `Default` is the library's: two, within half a second and within one. */
export type Retry =
  | { readonly _tag: "Default" }
  | { readonly _tag: "None" }
  | { readonly _tag: "Spaced"; readonly every: number; readonly times: number }

/** An absent option has the library's default. */
export interface PolicyPlan {
  readonly pace: Pace
  readonly timeout: number | undefined
  readonly errorBudget: number | undefined
  readonly notFoundGrace: number | undefined
  readonly retryAfterCeiling: number | undefined
}

/** The schedule of polls. */
export type Pace =
  | { readonly _tag: "Default" }
  | { readonly _tag: "Fixed"; readonly every: number }
  | {
    readonly _tag: "Backoff"
    readonly initial: number
    readonly factor: number
    readonly max: number
    readonly jitter: boolean
  }
  /** Every `slow`, `fast` once half of the tasks are done, and twice as slow after a failure. */
  | { readonly _tag: "Adaptive"; readonly slow: number; readonly fast: number }
  /** A schedule that ends. */
  | { readonly _tag: "Finite"; readonly every: number; readonly times: number }

/** The true course of the run. */
export interface Truth {
  /** `Infinity` for a run that never ends, 0 for one that has ended when its creation is answered. */
  readonly duration: number
  readonly outcome: "completed" | "partial" | "failed"
  readonly tasks: number
  /** How long the canvas id is missing. */
  readonly canvasAfter: number
  readonly estimate: number | undefined
  readonly errors: ReadonlyArray<string>
  /** A period in which the provider reports an unknown status. */
  readonly strange: { readonly from: number; readonly to: number; readonly status: string } | undefined
  /** Whether the output fits the caller's schema (Tela). */
  readonly isOutputValid: boolean
  /** How long replicas answer 404 after the creation. */
  readonly lag: number
}

/** The faults of requests. */
export interface Network {
  /** The share of faulty polls. */
  readonly faultRate: number
  /** A range of polls, by number, that all have transient failures. */
  readonly outage: { readonly from: number; readonly to: number } | undefined
  /** The share of faulty creates. */
  readonly createFaultRate: number
  /** The share of answers that carry a `Retry-After`. */
  readonly retryAfterRate: number
  /** The share of answers that show an older state of the run. */
  readonly staleRate: number
  /** Whether the provider repeats the API key in what it says. */
  readonly echoes: boolean
  /** The usual maximum time of a response. */
  readonly latency: number
}

export type Program =
  /** Creates, then one follower. Spine only. */
  | {
    readonly _tag: "Single"
    readonly mode: "wait" | "settle" | "run" | "watch" | "polls"
    /** `run`: the duration of `onCreated`; absent without one. */
    readonly onCreated: number | undefined
    readonly consumer: Consumer
  }
  /** Creates, then several followers that join and leave one handle. */
  | {
    readonly _tag: "Shared"
    readonly waiters: ReadonlyArray<Waiter>
    /** Tela's `cancel`. */
    readonly cancelAt: number | undefined
  }

/** The consumer of a stream. */
export interface Consumer {
  /** The time per element. */
  readonly takes: number
  /** Leaves after this many elements. */
  readonly leavesAfter: number | undefined
}

export interface Waiter {
  readonly kind: "wait" | "settle" | "watch" | "polls" | "raw" | "events" | "background"
  readonly joinAt: number
  readonly leaveAt: number | undefined
  readonly consumer: Consumer
}

export const make = (seed: number): Plan => {
  const draw = Random.make(seed)
  const api = draw.chance(0.7) ? "spine" : "tela"
  const pace = drawPace(draw, api)
  const every = typicalDelay(pace, api)
  const duration = draw.weighted<() => number>([
    [6, () => Infinity],
    // An execution can have ended before its creation is answered; a run of Spine cannot
    [api === "tela" ? 4 : 0, () => 0],
    [94, () => Math.floor(every * draw.next() * draw.pick([1, 6, 25])) + 0.5]
  ])()
  const interruptAt = draw.chance(0.3)
    ? draw.int(0, draw.chance(0.25) ? 2500 : Math.min(duration, every * 12) * 1.2) + 0.125
    : undefined
  const policy = drawPolicy(draw, api, pace, every, duration)
  const network = drawNetwork(draw, every)
  return {
    seed,
    faults: undefined,
    api,
    secret: drawSecret(draw, api),
    isTraced: draw.chance(0.6),
    client: {
      requestTimeout: draw.chance(0.3) ? 60_000 : draw.int(2, 20) * 1000 + 0.03125,
      retry: draw.weighted<Retry>([
        [5, { _tag: "Default" }],
        [4, { _tag: "None" }],
        [2, { _tag: "Spaced", every: draw.int(1, 30) * 100, times: draw.int(1, 4) }]
      ]),
      retryAfterCeiling: draw.pick([60_000, 5000, 20_000]),
      retryCreates: draw.chance(0.12)
    },
    policy,
    truth: drawTruth(draw, duration),
    network,
    program: drawProgram(draw, api, every, duration),
    interruptAt,
    resume: draw.chance(0.75)
      ? {
        gap: draw.int(0, 4) * draw.int(0, 120_000),
        policy: draw.chance(0.6) && duration !== Infinity ? { ...policy, timeout: Infinity } : policy,
        network: draw.chance(0.6)
          ? { ...network, faultRate: 0, retryAfterRate: 0, outage: undefined, staleRate: 0 }
          : network
      }
      : undefined
  }
}

const drawSecret = (draw: Random.Draw, api: Plan["api"]): string => {
  const word = Array.from({ length: 4 }, () => draw.int(0, 0xffff).toString(36)).join("")
  // Characters that JSON, URLs and regular expressions treat in their own ways
  const odd = draw.pick(["", "", "", "\"q", "\\b", "/+=", "$&.*"])
  return `${api === "spine" ? "sk_spine_" : "Tela."}${word}${odd}Z9`
}

const drawPace = (draw: Random.Draw, api: Plan["api"]): Pace => {
  const every = draw.pick([1000, 2000, 5000, 15_000, 60_000])
  return draw.weighted<() => Pace>([
    [3, () => ({ _tag: "Default" })],
    [8, () => ({ _tag: "Fixed", every })],
    [
      5,
      () => ({
        _tag: "Backoff",
        initial: every,
        factor: draw.pick([1.5, 2, 3]),
        max: every * draw.int(1, 12),
        jitter: draw.chance(0.6)
      })
    ],
    [5, () => ({ _tag: "Adaptive", slow: every, fast: every / 4 })],
    // Tela's options for a schedule are the same; finite schedules are tried on Spine
    [api === "spine" ? 1.5 : 0, () => ({ _tag: "Finite", every, times: draw.int(0, 12) })]
  ])()
}

/** The poll interval to which the other times are scaled. */
const typicalDelay = (pace: Pace, api: Plan["api"]): number => {
  switch (pace._tag) {
    case "Default":
      return api === "spine" ? 5000 : 1000
    case "Backoff":
      return pace.initial * 2
    case "Adaptive":
      return pace.slow
    default:
      return pace.every
  }
}

const drawPolicy = (
  draw: Random.Draw,
  api: Plan["api"],
  pace: Pace,
  every: number,
  duration: number
): PolicyPlan => {
  const finite = Math.max(1, Math.floor(every * draw.next() * 30))
  const own = {
    pace,
    timeout: draw.weighted<() => number | undefined>([
      [duration === Infinity ? 0 : 3, () => Infinity],
      [duration === Infinity ? 0 : 4, () => Math.ceil(1 + duration * (1.2 + 2 * draw.next()))],
      [5, () => finite],
      [pace._tag === "Default" ? 2 : 0, () => undefined]
    ])(),
    errorBudget: draw.chance(0.3) ? undefined : draw.int(0, 4),
    notFoundGrace: draw.chance(0.4) ? undefined : draw.int(0, 60) * 1000,
    retryAfterCeiling: draw.chance(0.4) ? undefined : draw.int(1, 120) * 1000
  }
  return api === "spine" ? own : { ...own, notFoundGrace: undefined, retryAfterCeiling: undefined }
}

const drawTruth = (draw: Random.Draw, duration: number): Truth => {
  const span = Math.min(duration, 600_000)
  const from = Math.floor(draw.next() * span * 0.7)
  return {
    duration,
    outcome: draw.weighted([[6, "completed"], [2, "partial"], [3, "failed"]]),
    tasks: draw.int(1, 12),
    canvasAfter: draw.chance(0.5) ? 0 : Math.floor(draw.next() * span * 0.5),
    estimate: draw.chance(0.5) ? draw.int(1, 60) * 60_000 : undefined,
    errors: draw.pick([[], ["out of luck"], ["block 3 failed", "credits ran out"]]),
    strange: draw.chance(0.3)
      ? {
        from,
        to: from + Math.floor(draw.next() * span * 0.6),
        status: draw.pick(["queued", "PAUSED", "constructor", "__proto__", "completed?", "réfléchit"])
      }
      : undefined,
    isOutputValid: draw.chance(0.8),
    lag: draw.chance(0.8) ? 0 : draw.int(1, 40_000)
  }
}

const drawNetwork = (draw: Random.Draw, every: number): Network => {
  const outageFrom = draw.int(0, 20)
  return {
    faultRate: draw.pick([0, 0.08, 0.3, 0.6]),
    outage: draw.chance(0.25) ? { from: outageFrom, to: outageFrom + draw.int(2, 14) } : undefined,
    createFaultRate: draw.pick([0, 0, 0.2, 0.5]),
    retryAfterRate: draw.pick([0, 0.1, 0.4]),
    staleRate: draw.pick([0, 0, 0.3]),
    echoes: draw.chance(0.35),
    latency: draw.pick([0, 200, 200, every, 8000])
  }
}

const drawConsumer = (draw: Random.Draw, every: number): Consumer => ({
  takes: draw.chance(0.45) ? draw.int(0, every * draw.pick([1, 4])) + 0.25 : 0,
  leavesAfter: draw.chance(0.12) ? draw.int(1, 4) : undefined
})

const eager: Consumer = { takes: 0, leavesAfter: undefined }

const drawProgram = (
  draw: Random.Draw,
  api: Plan["api"],
  every: number,
  duration: number
): Program => {
  const single = (mode: (Program & { readonly _tag: "Single" })["mode"]): Program => {
    const onCreated = mode === "run" && draw.chance(0.7) ? draw.pick([0, draw.int(0, 3000) + 0.25]) : undefined
    const consumer = mode === "watch" || mode === "polls" ? drawConsumer(draw, every) : eager
    return { _tag: "Single", mode, onCreated, consumer }
  }
  if (api === "spine" && draw.chance(0.78)) {
    return single(draw.weighted([[5, "wait"], [2, "settle"], [5, "run"], [4, "watch"], [4, "polls"]]))
  }
  const span = Math.min(duration, every * 15)
  const cancelAt = api === "tela" && draw.chance(0.15) ? draw.int(0, span) + 0.015625 : undefined
  const kinds: ReadonlyArray<Waiter["kind"]> = api === "spine"
    ? ["wait", "wait", "settle", "watch", "polls"]
    : ["wait", "wait", "raw", "watch", "events", "background"]
  const waiters = Array.from({ length: draw.int(1, 5) }, (_, index): Waiter => {
    const joinAt = (index === 0 ? 0 : draw.int(0, span * 1.1)) + 0.125 + index / 4096
    const kind = draw.pick(kinds)
    const leaves = kind === "background" || draw.chance(0.45)
    return {
      kind,
      joinAt,
      leaveAt: leaves ? joinAt + draw.int(0, span * 0.6) + 0.0078125 : undefined,
      consumer: kind !== "watch" && kind !== "polls"
        ? eager
        : drawConsumer(draw, every)
    }
  })
  return { _tag: "Shared", waiters, cancelAt }
}

const waits: Program = { _tag: "Single", mode: "wait", onCreated: undefined, consumer: eager }

/** The plans that are one step simpler: with fewer faults, or with a plainer program, client, run or network. */
export const simpler = function*(plan: Plan): Generator<Plan> {
  const { client, network, policy, program, resume, truth } = plan
  for (const faults of without(plan.faults ?? [])) yield { ...plan, faults }
  yield* changed(plan, [{ resume: undefined }, { interruptAt: undefined }, { isTraced: false }])
  if (resume !== undefined) yield* changed(plan, [{ resume: { gap: 0, policy, network } }])
  if (plan.api === "spine" && program._tag === "Shared") yield { ...plan, program: waits }
  for (const program_ of simplerPrograms(program)) yield { ...plan, program: program_ }
  for (
    const client_ of changed(client, [
      { retry: { _tag: "None" } },
      { retryCreates: false },
      { requestTimeout: 60_000 },
      { retryAfterCeiling: 60_000 }
    ])
  ) yield { ...plan, client: client_ }
  for (
    const policy_ of changed(policy, [
      { pace: { _tag: "Fixed", every: 5000 } },
      // A wait without a deadline for a run without an end does not end
      { timeout: truth.duration === Infinity ? policy.timeout : Infinity },
      { errorBudget: undefined },
      { notFoundGrace: undefined },
      { retryAfterCeiling: undefined }
    ])
  ) yield { ...plan, policy: policy_ }
  for (
    const truth_ of changed(truth, [
      { duration: halfOf(truth.duration) },
      { outcome: "completed" },
      { tasks: 1 },
      { canvasAfter: 0 },
      { estimate: undefined },
      { errors: [] },
      { strange: undefined },
      { isOutputValid: true },
      { lag: 0 }
    ])
  ) yield { ...plan, truth: truth_ }
  for (
    const network_ of changed(network, [
      { outage: undefined },
      { faultRate: 0 },
      { createFaultRate: 0 },
      { retryAfterRate: 0 },
      { staleRate: 0 },
      { latency: 0 },
      { echoes: false }
    ])
  ) yield { ...plan, network: network_ }
}

/** Keeps the fraction of the durations of runs. */
export const halfOf = (duration: number): number =>
  duration === Infinity || duration === 0 ? duration : Math.floor(duration / 2) + 0.5

const simplerPrograms = function*(program: Program): Generator<Program> {
  if (program._tag === "Single") {
    yield* changed(program, [{ mode: "wait", onCreated: undefined }, { onCreated: undefined }, { consumer: eager }])
    return
  }
  for (const waiters of without(program.waiters)) if (waiters.length > 0) yield { ...program, waiters }
  yield* changed(program, [{ cancelAt: undefined }])
  for (const [index, waiter] of program.waiters.entries()) {
    const { kind, leaveAt } = waiter
    const changes = [{ consumer: eager }, { leaveAt: kind === "background" ? leaveAt : undefined }]
    for (const simple of changed(waiter, changes)) yield { ...program, waiters: program.waiters.with(index, simple) }
  }
}
