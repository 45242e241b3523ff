/**
 * The plan of a seed for a service: pieces of work that are to be done once each, in any mode, by a program that may be
 * interrupted or killed and starts again on the same storage. Everything is drawn before anything runs.
 *
 * All times are in milliseconds. Latencies end in .5, the ends of processes in .125, pushes in .25 and the request timeout in
 * .03125, so that no two of them ever coincide.
 */
import { type ClientPlan, type Faults, halfOf } from "../plan.ts"
import { changed, without } from "../shrink.ts"
import * as Random from "../../support/random.ts"

export interface Plan {
  readonly seed: number
  /** Requests, and writes to the storage, such as `"write 2"`. */
  readonly faults: Faults
  readonly api: "spine" | "tela"
  /** The planted API key. */
  readonly secret: string
  readonly isTraced: boolean
  readonly client: ClientPlan
  /** The limit of requests in any window. */
  readonly rateLimit: { readonly limit: number; readonly window: number } | undefined
  readonly wait: { readonly every: number; readonly timeout: number; readonly errorBudget: number }
  readonly jobs: ReadonlyArray<Job>
  /** The storage of refs; without one there is one process. */
  readonly store: Store | undefined
  /** Whether pushes arrive and race the polls. */
  readonly hasWebhooks: boolean
  /** The processes, one after the other. The last one is not stopped. */
  readonly lives: ReadonlyArray<Life>
  readonly network: Network
}

/** A piece of work. */
export interface Job {
  readonly key: string
  readonly mode: "run" | "async" | "sync" | "stream"
  readonly startAt: number
  readonly truth: Truth
  /** Whether the execution gets a file, which is uploaded first (Tela). */
  readonly hasFile: boolean
  /** Whether the run produces a file, which is downloaded (Spine). */
  readonly hasArtifact: boolean
  readonly pushes: ReadonlyArray<Push>
}

/** The outcome of a run of the job. */
export interface Truth {
  readonly duration: number
  readonly outcome: "completed" | "partial" | "failed"
  readonly isOutputValid: boolean
}

/**
 * A push, with its time relative to the end of the run.
 *
 * - `genuine`: signed, about this run, and true;
 * - `duplicate`: the genuine push once more;
 * - `lying`: signed, and reports the end of the run before it has ended;
 * - `other`: signed, and about another run;
 * - `forged`: signed with another secret;
 * - `stale`: signed long ago (Spine).
 */
export interface Push {
  readonly kind: "genuine" | "duplicate" | "lying" | "other" | "forged" | "stale"
  readonly at: number
}

export interface Store {
  readonly onUnknown: "fail" | "retry"
  /** The share of writes that fail, before or after they take effect. */
  readonly faultRate: number
}

export interface Life {
  /**
   * How the process ends before its work is done: it is interrupted, or it is killed, possibly during its n-th write to the
   * storage.
   */
  readonly end:
    | { readonly how: "interrupt" | "kill"; readonly at: number }
    | { readonly how: "kill"; readonly atWrite: number }
    | undefined
  /** The time until the next process starts. */
  readonly gap: number
}

export interface Network {
  /** The share of creates, of polls, and of transfers that go wrong. */
  readonly createFaultRate: number
  readonly pollFaultRate: number
  readonly transferFaultRate: number
  readonly latency: number
  /** Whether the provider echoes the API key. */
  readonly echoes: boolean
}

export const make = (seed: number): Plan => {
  const draw = Random.make(seed).fork(11)
  const api = draw.chance(0.5) ? "spine" : "tela"
  const every = draw.pick([1000, 5000, 20_000])
  const hasWebhooks = draw.chance(0.45)
  const store = draw.chance(0.55)
    ? { onUnknown: draw.chance(0.2) ? "retry" as const : "fail" as const, faultRate: draw.pick([0, 0, 0, 0.15]) }
    : undefined
  return {
    seed,
    faults: undefined,
    api,
    secret: `${api === "spine" ? "sk_spine_" : "Tela."}${draw.int(1e9, 2e9).toString(36)}${draw.int(1e9, 2e9)}Z9`,
    isTraced: draw.chance(0.5),
    client: {
      requestTimeout: draw.int(2, 20) * 1000 + 0.03125,
      // The schedule or a push determines the time of a poll if nothing is repeated
      retry: hasWebhooks ? { _tag: "None" } : draw.pick([{ _tag: "Default" }, { _tag: "None" }]),
      retryAfterCeiling: 60_000,
      retryCreates: draw.chance(0.15)
    },
    rateLimit: draw.chance(0.3) ? { limit: draw.pick([1, 5, 20]), window: draw.pick([1000, 10_000]) } : undefined,
    wait: {
      every,
      timeout: draw.chance(0.75) ? 3_600_000 : draw.int(5, 60) * 1000,
      errorBudget: draw.int(0, 4)
    },
    jobs: Array.from({ length: draw.int(1, 4) }, (_, index) => drawJob(draw, index, api, every, store, hasWebhooks)),
    store,
    hasWebhooks,
    lives: store === undefined ? [drawLife(draw, every, 0.25)] : [
      ...Array.from({ length: draw.int(0, 3) }, () => drawLife(draw, every, 1)),
      { end: undefined, gap: 0 }
    ],
    network: {
      createFaultRate: draw.pick([0, 0.2, 0.6]),
      pollFaultRate: draw.pick([0, 0.1, 0.3]),
      transferFaultRate: draw.pick([0, 0.3]),
      latency: draw.pick([0, 200, 3000]),
      echoes: draw.chance(0.3)
    }
  }
}

const drawLife = (draw: Random.Draw, every: number, chance: number): Life => ({
  end: !draw.chance(chance)
    ? undefined
    : chance === 1 && draw.chance(0.35)
    ? { how: "kill", atWrite: draw.int(1, 10) }
    : {
      how: draw.chance(0.6) ? "kill" : "interrupt",
      at: draw.int(0, draw.chance(0.5) ? 3000 : every * 8) + 0.125
    },
  gap: draw.int(0, 3) * draw.int(0, 30_000)
})

const drawJob = (
  draw: Random.Draw,
  index: number,
  api: Plan["api"],
  every: number,
  store: Store | undefined,
  hasWebhooks: boolean
): Job => {
  const mode = api === "spine" ? "run" : store !== undefined ? "async" : draw.pick(["async", "sync", "stream"] as const)
  const isFollowed = mode === "run" || mode === "async"
  return {
    key: `job-${index}`,
    mode,
    startAt: draw.chance(0.4) ? 0 : draw.int(0, every * 2) + 0.0625,
    truth: {
      duration: Math.floor(every * draw.next() * draw.pick([0, 1, 5, 20])) + 0.5,
      outcome: draw.weighted([[6, "completed"], [api === "spine" ? 1 : 0, "partial"], [2, "failed"]]),
      isOutputValid: api === "spine" || draw.chance(0.8)
    },
    hasFile: api === "tela" && draw.chance(0.4),
    hasArtifact: api === "spine" && draw.chance(0.4),
    pushes: hasWebhooks && isFollowed
      ? Array.from({ length: draw.int(0, 4) }, (): Push => {
        const kind = draw.weighted<Push["kind"]>([
          [5, "genuine"],
          [2, "duplicate"],
          [2, "lying"],
          [2, "other"],
          [2, "forged"],
          [api === "spine" ? 1 : 0, "stale"]
        ])
        const isTrue = kind === "genuine" || kind === "duplicate"
        // Early, at once, or late
        return {
          kind,
          at: (isTrue ? 1 : draw.pick([-1, 1])) * draw.int(isTrue ? 0 : 1, every * draw.pick([0, 1, 3])) + 0.25
        }
      })
      : []
  }
}

/** The plans that are one step simpler: with fewer faults, less work or fewer processes, or with a plainer client or network. */
export const simpler = function*(plan: Plan): Generator<Plan> {
  const { client, jobs, lives, network, store, wait } = plan
  for (const faults of without(plan.faults ?? [])) yield { ...plan, faults }
  for (const left of without(jobs)) if (left.length > 0) yield { ...plan, jobs: left }
  // The last process is not stopped
  for (const left of without(lives.slice(0, -1))) yield { ...plan, lives: [...left, lives.at(-1)!] }
  yield* changed(plan, [
    { rateLimit: undefined },
    { hasWebhooks: false, jobs: jobs.map((job) => ({ ...job, pushes: [] })) },
    { isTraced: false },
    { store: lives.length === 1 ? undefined : store },
    { store: store === undefined ? undefined : { ...store, faultRate: 0 } }
  ])
  for (const [index, life] of lives.entries()) {
    for (const plainer of changed(life, [{ end: undefined }, { gap: 0 }])) {
      yield { ...plan, lives: lives.with(index, plainer) }
    }
  }
  for (const [index, job] of jobs.entries()) {
    for (const plainer of simplerJobs(job)) yield { ...plan, jobs: jobs.with(index, plainer) }
  }
  for (
    const client_ of changed(client, [
      { retry: { _tag: "None" } },
      { retryCreates: false },
      { requestTimeout: 60_000.03125 }
    ])
  ) yield { ...plan, client: client_ }
  for (const wait_ of changed(wait, [{ timeout: 3_600_000 }, { errorBudget: 0 }])) yield { ...plan, wait: wait_ }
  for (
    const network_ of changed(network, [
      { createFaultRate: 0 },
      { pollFaultRate: 0 },
      { transferFaultRate: 0 },
      { latency: 0 },
      { echoes: false }
    ])
  ) yield { ...plan, network: network_ }
}

const simplerJobs = function*(job: Job): Generator<Job> {
  const { pushes, truth } = job
  for (const left of without(pushes)) yield { ...job, pushes: left }
  yield* changed(job, [{ startAt: 0 }, { hasFile: false }, { hasArtifact: false }])
  for (
    const truth_ of changed(truth, [
      { outcome: "completed" },
      { isOutputValid: true },
      { duration: halfOf(truth.duration) }
    ])
  ) yield { ...job, truth: truth_ }
}
