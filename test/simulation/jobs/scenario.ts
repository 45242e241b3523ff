/** Runs the jobs of a seed: the real clients, store and webhook routes on the simulated provider, under the `TestClock`. */
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted, References, Schedule, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServerRequest } from "effect/http"
import { type KeyValueStore, RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { type RunRef, RunStore, Spine, Tela, Webhooks } from "canvas-runs"
import { patientClock } from "../../support/clock.ts"
import * as Observer from "../observer.ts"
import * as Random from "../../support/random.ts"
import type { Time } from "../provider.ts"
import type { Job, Life, Plan, Push } from "./plan.ts"
import * as Provider from "./provider.ts"
import * as Storage from "./storage.ts"

/** The recorded events. */
export interface History {
  readonly plan: Plan
  readonly provider: Provider.Provider
  readonly observer: Observer.Observer
  readonly processes: ReadonlyArray<Process>
  readonly pushes: ReadonlyArray<Arrival>
  /** How many writes to the storage there were. */
  readonly writes: number
  readonly startedAt: number
  readonly endedAt: number | undefined
}

export interface Process {
  readonly number: number
  readonly startedAt: number
  readonly works: Array<Work>
  /** When it was interrupted or killed. */
  stopped: { readonly at: number; readonly how: "interrupt" | "kill" } | undefined
  end: { readonly at: number; readonly exit: Exit.Exit<unknown, unknown> | undefined } | undefined
  leftovers: Observer.Leftovers | undefined
  /** The entries of the store after the process, and whether reading them failed. */
  known: Known | undefined
  /** Writes of the store that failed, by their keys. */
  storageFaults: number
}

export interface Known {
  readonly entries: ReadonlyMap<string, RunStore.Entry | undefined>
  readonly unfinished: ReadonlyArray<string>
}

/** An effect that takes time, with its end. */
export interface Step<A> {
  readonly startedAt: number
  end: { readonly at: number; readonly exit: Exit.Exit<A, unknown> } | undefined
}

/** The work of one process for one job. */
export interface Work {
  readonly job: Job
  /** Making the run, or with a store looking it up. For modes without polling, everything. */
  create: Step<unknown> | undefined
  wait: Step<unknown> | undefined
  /** Reading its file. */
  download: Step<unknown> | undefined
  /** The whole job. */
  whole: Step<unknown> | undefined
}

/** A push that reached a process. */
export interface Arrival {
  readonly at: number
  readonly process: number
  readonly kind: Push["kind"]
  /** The run that it names. */
  readonly runId: string
  readonly status: number
}

const epoch = Date.UTC(2026, 0, 1)

/** No valid scenario lasts longer. */
const horizon = Duration.days(2)

export const run = (plan: Plan): Effect.Effect<History> => Effect.provide(simulate(plan), patientClock)

const pushSecret = Redacted.make("whsec_of_the_simulation")

const simulate = (plan: Plan): Effect.Effect<History> =>
  Effect.gen(function*() {
    yield* TestClock.setTime(epoch)
    const clock = yield* TestClock.testClockWith((clock) => Effect.succeed(clock))
    const time: Time = {
      now: () => clock.currentTimeMillisUnsafe(),
      sleep: (millis) => clock.sleep(Duration.millis(millis))
    }
    const draw = Random.make(plan.seed).fork(13)
    const observer = Observer.make(clock, Random.make(plan.seed).fork(14), plan.isTraced)
    const processes: Array<Process> = []
    const pushes: Array<Arrival> = []
    const storage = Storage.make(plan, draw, time)
    let endedAt: number | undefined
    /** Receives pushes while a process runs. */
    let route: ((push: Push, run: Provider.RunRecord) => Effect.Effect<void>) | undefined

    /** A count that grows with each event. */
    const happened = () =>
      provider.exchanges.length + processes.length +
      processes.filter(({ end }) => end !== undefined).length +
      processes.filter(({ known }) => known !== undefined).length

    const background = Effect.runForkWith(yield* Effect.context<never>())
    const provider = Provider.make(plan, time, (run) => {
      for (const push of run.job.pushes) {
        background(Effect.gen(function*() {
          yield* time.sleep(Math.max(0, run.job.truth.duration + push.at))
          yield* route?.(push, run) ?? Effect.void
        }))
      }
    })

    const live = ({ end }: Life) =>
      Effect.gen(function*() {
        const process: Process = {
          number: processes.length + 1,
          startedAt: time.now(),
          works: [],
          stopped: undefined,
          end: undefined,
          leftovers: undefined,
          known: undefined,
          storageFaults: 0
        }
        processes.push(process)
        const isAlive = () => process.stopped?.how !== "kill"
        const gone = yield* Deferred.make<void>()
        const hub = yield* Webhooks.make()
        if (plan.hasWebhooks) {
          const receive = yield* receiver(plan, hub, time)
          route = (push, run) =>
            process.end !== undefined
              ? Effect.void
              : Effect.map(whileTheClockStands(receive(push, run), happened), ({ runId, status }) => {
                pushes.push({ at: time.now(), process: process.number, kind: push.kind, runId, status })
              })
        }
        const kill = () => {
          process.stopped = { at: time.now(), how: "kill" }
          process.end = { at: time.now(), exit: undefined }
          storage.kill()
          Deferred.doneUnsafe(gone, Exit.void)
        }
        let writes = 0
        const onWrite = () => {
          if (end !== undefined && "atWrite" in end && ++writes === end.atWrite && process.end === undefined) kill()
        }
        const stage: Stage = { plan, time, process }
        const client = provider.client(process.number, isAlive)
        const main = program(stage).pipe(
          Effect.provide(layer(plan, hub, client, storage.layer(process, isAlive, onWrite))),
          Effect.onExit((exit) => Effect.sync(() => process.end ??= { at: time.now(), exit }))
        )
        const fiber = yield* Effect.provideContext(Effect.forkDetach(main), observer.context)
        if (end !== undefined && "at" in end) {
          yield* Effect.forkChild(Effect.gen(function*() {
            yield* time.sleep(end.at)
            if (process.end !== undefined) return
            if (end.how === "kill") return kill()
            process.stopped = { at: time.now(), how: end.how }
            yield* Fiber.interrupt(fiber)
          }))
        }
        yield* Effect.raceFirst(Fiber.await(fiber), Deferred.await(gone))
        yield* Effect.repeat(Effect.yieldNow, { times: 3 })
        process.leftovers = observer.leftovers()
        if (plan.store !== undefined) process.known = yield* look(plan, storage.sound)
      })

    yield* Effect.forkChild(Effect.gen(function*() {
      // From here on the clock waits for this fiber
      yield* time.sleep(1)
      for (const life of plan.lives) {
        yield* live(life)
        yield* time.sleep(life.gap)
      }
      endedAt = time.now()
    }))
    yield* TestClock.adjust(horizon)
    return { plan, provider, observer, processes, pushes, writes: storage.writes(), startedAt: epoch + 1, endedAt }
  })

/**
 * The `TestClock` waits for a fiber that it has woken, but not for promises. Verifying a push uses promises, so the fiber that
 * delivers it stays busy until the verification and its effects are over.
 */
const whileTheClockStands = <A>(effect: Effect.Effect<A>, happened: () => number): Effect.Effect<A> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
    let seen = -1
    for (let turns = 0; turns < 20; turns++) {
      if (happened() !== seen) turns = 0
      seen = happened()
      yield* Effect.yieldNow
    }
    return yield* Fiber.join(fiber)
  })

interface Stage {
  readonly plan: Plan
  readonly time: Time
  readonly process: Process
}

/** The entries that a new process would read. */
const look = (plan: Plan, storage: Layer.Layer<KeyValueStore.KeyValueStore>): Effect.Effect<Known> =>
  Effect.gen(function*() {
    const store = yield* RunStore.make
    const entries = new Map<string, RunStore.Entry | undefined>()
    for (const { key } of plan.jobs) entries.set(key, yield* store.get(key))
    return { entries, unfinished: (yield* store.unfinished).map(({ key }) => key) }
  }).pipe(Effect.provide(storage), Effect.orDie)

const layer = (
  { client: { requestTimeout, retry, retryAfterCeiling, retryCreates }, hasWebhooks, rateLimit, secret }: Plan,
  hub: Webhooks.Service,
  client: HttpClient.HttpClient,
  storage: Layer.Layer<KeyValueStore.KeyValueStore>
) => {
  const options = {
    apiKey: Redacted.make(secret),
    requestTimeout,
    retryAfterCeiling,
    retryCreates,
    rateLimit,
    ...(retry._tag === "None" ? { retry: Schedule.recurs(0) } : undefined),
    ...(hasWebhooks ? { webhooks: hub } : undefined)
  }
  return Layer.mergeAll(Spine.layer(options), Tela.layer(options), Layer.provide(RunStore.layer, storage)).pipe(
    Layer.provide([
      Layer.succeed(HttpClient.HttpClient, client),
      Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory)
    ]),
    Layer.orDie
  )
}

/** Runs all jobs at once, each in a separate fiber. */
const program = (stage: Stage): Effect.Effect<void, never, Spine.SpineClient | Tela.TelaClient | RunStore.RunStore> =>
  Effect.forEach(stage.plan.jobs, (job) =>
    Effect.suspend(() => {
      const work: Work = { job, create: undefined, wait: undefined, download: undefined, whole: undefined }
      stage.process.works.push(work)
      const use: Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient | RunStore.RunStore> =
        stage.plan.api === "spine" ? runSpine(stage, work) : runTela(stage, work)
      return Effect.andThen(
        stage.time.sleep(job.startAt),
        // The failure of a job does not stop the others
        Effect.ignore(noting(stage, work, "whole", use))
      )
    }), { concurrency: "unbounded", discard: true })

const noting = <A, E, R>(
  { process, time }: Stage,
  work: Work,
  name: "create" | "wait" | "download" | "whole",
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const step: Step<unknown> = { startedAt: time.now(), end: undefined }
    if (process.stopped?.how !== "kill") work[name] = step
    return Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        // Later actions of a killed process do not count
        if (process.stopped?.how !== "kill") step.end = { at: time.now(), exit }
      }))
  })

/** Makes the run and follows it, with or without the store. */
const makeAndFollow = <A extends { readonly ref: RunRef.RunRef }, B, E1, E2, R1, R2>(
  stage: Stage,
  work: Work,
  create: Effect.Effect<A, E1, R1>,
  follow: (ref: RunRef.RunRef) => Effect.Effect<B, E2, R2>
) =>
  Effect.gen(function*() {
    const { store: options } = stage.plan
    const { key } = work.job
    if (options === undefined) {
      const { ref } = yield* noting(stage, work, "create", create)
      return yield* follow(ref)
    }
    const store = yield* RunStore.RunStore
    const ref = yield* noting(
      stage,
      work,
      "create",
      Effect.map(store.runOnce(key, create, { onUnknown: options.onUnknown }), (ref) => ({ ref }))
    )
    return yield* store.track(key, follow(ref.ref))
  })

const runSpine = (stage: Stage, work: Work) =>
  Effect.gen(function*() {
    const { artifacts, runs } = yield* Spine.SpineClient
    const { errorBudget, every, timeout } = stage.plan.wait
    return yield* makeAndFollow(
      stage,
      work,
      runs.create({ prompt: `Report of ${work.job.key}` }),
      (ref) =>
        Effect.gen(function*() {
          const run = yield* noting(
            stage,
            work,
            "wait",
            runs.waitForCompletion(ref, { pollInterval: every, timeout, errorBudget })
          )
          const [artifact] = run.result.artifacts
          if (artifact === undefined) return run
          yield* noting(stage, work, "download", artifacts.download(ref, artifact))
          return run
        })
    )
  })

const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

const Output = Schema.Struct({ answer: Schema.String, score: Schema.Number })

const runTela = (stage: Stage, work: Work) =>
  Effect.gen(function*() {
    const { job } = work
    const { client, wait } = stage.plan
    const canvas = (yield* Tela.TelaClient).canvas.make({ id: canvasId, output: Output })
    const variables = {
      job: job.key,
      ...(job.hasFile ? { scan: Tela.file(Provider.fileBytes, { name: `${job.key}.txt` }) } : undefined)
    }
    switch (job.mode) {
      case "sync":
        return yield* noting(
          stage,
          work,
          "create",
          Effect.map(canvas.execute(variables, { timeout: client.requestTimeout }), ({ result }) => result)
        )
      case "stream": {
        const times = { firstEventTimeout: client.requestTimeout, idleTimeout: client.requestTimeout }
        const streamed = Effect.gen(function*() {
          const { result } = yield* canvas.execute(variables, { stream: true, ...times })
          const last = (yield* Stream.runCollect(result)).at(-1)
          return last?._tag === "final" ? last.result : yield* Effect.die(`the last part is ${last?._tag}`)
        })
        return yield* noting(stage, work, "create", streamed)
      }
      default: {
        const options = { pollingInterval: wait.every, pollingTimeout: wait.timeout, errorBudget: wait.errorBudget }
        return yield* makeAndFollow(
          stage,
          work,
          canvas.execute(variables, { async: true, webhookUrl: "https://example.com/tela", ...options }),
          (ref) =>
            noting(stage, work, "wait", Effect.flatMap(canvas.getExecution(ref, options), ({ result }) => result))
        )
      }
    }
  })

/** The webhook route of a process. */
const receiver = (plan: Plan, hub: Webhooks.Service, time: Time) =>
  Effect.gen(function*() {
    const app = yield* HttpRouter.toHttpEffect(
      Layer.mergeAll(
        Spine.layerWebhookRoute({ path: "/spine", secret: pushSecret }),
        Tela.layerWebhookRoute({ path: "/tela", secret: pushSecret })
      ).pipe(Layer.provide(Layer.succeed(Webhooks.Webhooks, hub)), Layer.orDie)
    )
    return (push: Push, run: Provider.RunRecord) =>
      Effect.gen(function*() {
        const named: Provider.RunRecord = push.kind === "other" ? { ...run, id: `${run.id.slice(0, -4)}eeee` } : run
        const ended = Provider.ended(plan.api, named)
        const request = plan.api === "spine"
          ? yield* spinePush(push, named, ended["data"], time.now())
          : yield* telaPush(push, ended)
        const response = yield* app.pipe(
          Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
          Effect.scoped,
          Effect.orDie,
          // The route logs the deliveries that it rejects
          Effect.provideService(References.MinimumLogLevel, "None")
        )
        return { runId: named.id, status: response.status }
      })
  }).pipe(Effect.scoped)

const spinePush = (push: Push, run: Provider.RunRecord, object: unknown, now: number) =>
  Effect.gen(function*() {
    const body = JSON.stringify({
      id: `evt_${run.id}_${push.kind === "lying" ? "early" : "end"}`,
      type: run.job.truth.outcome === "failed" ? "run.failed" : "run.completed",
      created: Math.floor(now / 1000),
      livemode: true,
      data: { object }
    })
    const signature = yield* Spine.signWebhook(
      body,
      push.kind === "forged" ? Redacted.make("whsec_of_somebody_else") : pushSecret,
      { timestamp: Math.floor(now / 1000) - (push.kind === "stale" ? 3600 : 0) }
    )
    return post("/spine", body, { "spine-signature": signature })
  }).pipe(Effect.orDie)

const telaPush = (push: Push, ended: unknown) =>
  Effect.map(
    Effect.orDie(Tela.webhookHeaders(push.kind === "forged" ? Redacted.make("of another program") : pushSecret)),
    (headers) => post("/tela", JSON.stringify(ended), headers)
  )

const post = (path: string, body: string, headers: Readonly<Record<string, string>>) =>
  HttpClientRequest.post(`http://receiver.example${path}`).pipe(
    HttpClientRequest.setHeaders(headers),
    HttpClientRequest.bodyText(body, "application/json")
  )
