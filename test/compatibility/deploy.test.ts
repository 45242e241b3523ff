/** Deploys of a changed workflow: executions that the old version has begun continue in the new version. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, References, Schema, Scope } from "effect"
import { Workflow, type WorkflowEngine } from "effect/workflow"
import { RunStore, Spine } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { cluster } from "../cluster/workflow.ts"
import { freePort } from "../../examples/support/postgres.ts"
import { databases, postgres } from "../support/databases.ts"
import { singleRunner, until } from "../support/durable.ts"
import { apiKey } from "../support/spine.ts"
import { until as untilLive } from "../support/until.ts"

const Report = Workflow.make("Report", {
  payload: { topic: Schema.String },
  success: Schema.String,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

type Handler = Layer.Layer<
  never,
  never,
  WorkflowEngine.WorkflowEngine | Spine.SpineClient | Waits.Waits | RunStore.RunStore
>

const options = { provider: SpineWorkflow.provider } as const

const create = (prompt: string) => Effect.flatMap(Spine.SpineClient, ({ runs }) => runs.create({ prompt }))

const oldVersion: Handler = Report.toLayer(Effect.fn(function*({ topic }) {
  yield* DurableRun.run("draft", create(`draft ${topic}`), options)
  return "old"
}))

/** Adds a run at the end. */
const newVersion: Handler = Report.toLayer(Effect.fn(function*({ topic }) {
  yield* DurableRun.run("draft", create(`draft ${topic}`), options)
  yield* DurableRun.run("review", create(`review ${topic}`), options)
  return "new"
}))

/** Has another name for the wait. */
const renamedWait: Handler = Report.toLayer(Effect.fn(function*({ topic }) {
  const ref = yield* DurableRun.create("draft", create(`draft ${topic}`))
  yield* DurableRun.wait("text", ref, options)
  return "renamed"
}))

/** Has another name for the create and its wait. */
const renamedRun: Handler = Report.toLayer(Effect.fn(function*({ topic }) {
  yield* DurableRun.run("text", create(`draft ${topic}`), options)
  return "renamed"
}))

const runner = (handler: Handler, refreshInterval: "250 millis" | "10 seconds") =>
  handler.pipe(
    Layer.provideMerge(
      Waits.layerSql({ providers: [SpineWorkflow.provider], pollInterval: refreshInterval, refreshInterval })
    ),
    Layer.provideMerge(RunStore.layerSql()),
    Layer.provideMerge(Spine.layer({ apiKey: Redacted.make(apiKey) }))
  )

const prompts = Effect.map(
  SpineEmulator.SpineEmulator.use(({ runs }) => runs),
  (runs) => runs.map(({ request }) => request.prompt).toSorted()
)

const waits = Waits.Waits.use(({ list }) => Effect.orDie(list))

const states = Effect.map(
  RunStore.RunStore.use((store) => Effect.orDie(store.list())),
  (entries) => entries.map(({ _tag }) => _tag)
)

const start = (topic: string) => Report.execute({ topic }, { discard: true })

const results = Effect.forEach((topic: string) => Report.execute({ topic }), { concurrency: "unbounded" })

it.live(
  "side by side on PostgreSQL: the new version ends what the old one has begun, and creates no run twice",
  () =>
    Effect.gen(function*() {
      const { advance } = yield* SpineEmulator.SpineEmulator
      // The locks of a cluster are those of the whole database
      const databaseUrl = yield* Effect.flatMap(postgres, ({ newDatabase }) => newDatabase)
      const deploy = Effect.fn(function*(handler: Handler) {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const node = cluster({ databaseUrl, port: yield* freePort, clientOnly: false })
        const layer = Layer.orDie(Layer.provideMerge(runner(handler, "250 millis"), node))
        return { services: yield* Layer.buildWithScope(Layer.fresh(layer), scope), end: Scope.close(scope, Exit.void) }
      })
      const topics = (prefix: string) => Array.from({ length: 3 }, (_, index) => `${prefix} ${index}`)
      const [short, early, late] = [topics("short"), topics("early"), topics("late")] as const
      /** Lets time pass for the runs until an effect ends. */
      const passing = (time: "2 minutes" | "1001 days") =>
        Effect.raceFirst(Effect.forever(Effect.andThen(advance(time), Effect.sleep("250 millis"))))
      const waiting = (count: number) => untilLive(Effect.map(waits, ({ length }) => length === count))

      const old = yield* deploy(oldVersion)
      yield* Effect.provide(Effect.andThen(Effect.forEach([...short, ...early], start), waiting(6)), old.services)
      const next = yield* deploy(newVersion)
      yield* Effect.gen(function*() {
        yield* Effect.forEach(late, start)
        yield* waiting(9)
        const versions = yield* passing("2 minutes")(results(short))
        yield* old.end
        const all = [...versions, ...yield* passing("1001 days")(results([...early, ...late]))]
        assert.deepStrictEqual(all.slice(3), Array.from({ length: 6 }, () => "new"))
        const executed = [...short, ...early, ...late]
        // Those that end while both versions work end in either of them
        const reviewed = executed.filter((_, index) => all[index] === "new")
        assert.deepStrictEqual(
          yield* prompts,
          [...executed.map((topic) => `draft ${topic}`), ...reviewed.map((topic) => `review ${topic}`)].toSorted()
        )
      }).pipe(Effect.provide(next.services))
    }).pipe(
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.provide(SpineEmulator.layerTest({
        script: ({ prompt }) => ({
          timeline: Timeline.make({ duration: prompt.includes("short") ? "1 minute" : "1000 days" })
        })
      }))
    ),
  180_000
)

describe("one after the other on SQLite", () => {
  const upgrade = (handler: Handler) =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const version = (handler: Handler) =>
        runner(handler, "10 seconds").pipe(
          Layer.provideMerge(singleRunner),
          Layer.provideMerge(client),
          Layer.fresh,
          Layer.orDie
        )
      yield* start("tides").pipe(
        Effect.andThen(until(Effect.map(waits, ({ length }) => length === 1))),
        Effect.provide(version(oldVersion))
      )
      return yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(results(["tides"]))
        yield* until(Effect.sync(() => fiber.pollUnsafe() !== undefined), "1 minute")
        const [version] = yield* Fiber.join(fiber)
        yield* until(Effect.map(waits, ({ length }) => length === 0), "1 minute")
        return { version, prompts: yield* prompts, states: (yield* states).toSorted() }
      }).pipe(Effect.provide(version(handler)))
    }).pipe(
      Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "2 minutes" }) } }))
    )

  it.effect("a step that is added at the end runs in the executions that the old version has begun", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* upgrade(newVersion), {
        version: "new",
        prompts: ["draft tides", "review tides"],
        states: ["Finished", "Finished"]
      })
    }))

  it.effect("a wait with a new name waits for the same run, whose entry stays unfinished", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* upgrade(renamedWait), {
        version: "renamed",
        prompts: ["draft tides"],
        states: ["Created"]
      })
    }))

  it.effect("a create with a new name creates another run, as the guide warns", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* upgrade(renamedRun), {
        version: "renamed",
        prompts: ["draft tides", "draft tides"],
        states: ["Created", "Finished"]
      })
    }))
})
