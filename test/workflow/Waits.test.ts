/** Durable runs on Effect's cluster with one runner, on a database that is closed and opened again. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer, Redacted, References } from "effect"
import { Sharding } from "effect/cluster"
import { SqlClient, Statement } from "effect/sql"
import { TestClock } from "effect/testing"
import { RunError, RunStore, Spine, Webhooks } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { SpineWorkflow, Waits } from "canvas-runs/workflow"
import { databases, postgres, postgresLayer } from "../support/databases.ts"
import { singleRunner, until } from "../support/durable.ts"
import { failure } from "../support/results.ts"
import { size } from "../support/size.ts"
import { apiKey } from "../support/spine.ts"
import { until as untilLive } from "../support/until.ts"
import { Report, report } from "./report.ts"

/** A process on a database. All processes share one provider. */
const processOn = (
  client: Layer.Layer<SqlClient.SqlClient, unknown>,
  refreshInterval: "10 seconds" | "20 millis" = "10 seconds"
) =>
  report.pipe(
    Layer.provideMerge(Waits.layerWebhooks),
    Layer.provideMerge(
      Waits.layerSql({ providers: [SpineWorkflow.provider], pollInterval: "1 minute", refreshInterval })
    ),
    Layer.provideMerge(singleRunner),
    Layer.provideMerge(RunStore.layerSql()),
    Layer.provideMerge(client),
    Layer.provideMerge(Spine.layer({ apiKey: Redacted.make(apiKey) })),
    Layer.fresh,
    Layer.orDie
  )

const emulator = (duration: "20 minutes" | "4 minutes" | "0 millis") =>
  SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration }) } })

const waits = Effect.flatMap(Waits.Waits, ({ list }) => Effect.orDie(list))
const states = Effect.map(
  RunStore.RunStore.use((store) => Effect.orDie(store.list())),
  (entries) => entries.map(({ _tag }) => _tag)
)
const requestsOf = (method: "GET" | "POST") =>
  Effect.map(
    SpineEmulator.SpineEmulator.use((emulator) => emulator.requests),
    (requests) => requests.filter((request) => request.method === method).length
  )

/** Starts a workflow, and returns the id of its execution when the run has been polled. */
const start = Effect.fn(function*(payload: { readonly topic: string; readonly timeout?: string }) {
  const polls = yield* requestsOf("GET")
  const id = yield* Report.execute(payload, { discard: true })
  yield* until(Effect.map(requestsOf("GET"), (now) => now > polls))
  return id
})

/** The exit of the workflow, when it has ended. */
const end = (payload: { readonly topic: string; readonly timeout?: string }) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(Report.execute(payload)))
    yield* until(Effect.sync(() => fiber.pollUnsafe() !== undefined), "1 minute")
    return yield* Fiber.join(fiber)
  })

describe("DurableRun on one runner of the cluster, with SQLite", () => {
  it.effect("follows a run to its end over a restart of the process, and creates it once", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      yield* Effect.provide(start({ topic: "tides" }), processOn(client))
      yield* TestClock.adjust("15 minutes")
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* end({ topic: "tides" }), Exit.succeed("completed"))
        assert.strictEqual(yield* requestsOf("POST"), 1)
        assert.deepStrictEqual(yield* states, ["Finished"])
        assert.deepStrictEqual(yield* waits, [])
      }).pipe(Effect.provide(processOn(client)))
    }).pipe(Effect.provide(emulator("20 minutes"))))

  it.effect("finishes a create that is under way when the process is asked to end", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const provider = yield* SpineEmulator.SpineEmulator
      yield* provider.fault(Fault.on(Fault.answerLate("20 seconds"), "POST"))
      const first = yield* Effect.forkChild(Effect.provide(
        Effect.andThen(Report.execute({ topic: "tides" }, { discard: true }), Effect.never),
        processOn(client)
      ))
      yield* until(Effect.map(provider.runs, ({ length }) => length === 1))
      yield* Effect.forkChild(Fiber.interrupt(first))
      yield* until(Effect.sync(() => first.pollUnsafe() !== undefined))
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* states, ["Created"])
        assert.deepStrictEqual(yield* end({ topic: "tides" }), Exit.succeed("completed"))
        assert.strictEqual(yield* requestsOf("POST"), 1)
      }).pipe(Effect.provide(processOn(client)))
    }).pipe(Effect.provide(emulator("4 minutes"))))

  it.effect("keeps the deadline over a restart, and still polls a run whose deadline passed before it", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const payloads = [{ topic: "tides", timeout: "15 minutes" }, { topic: "winds", timeout: "5 minutes" }]
      const provider = yield* SpineEmulator.SpineEmulator
      yield* Effect.gen(function*() {
        yield* provider.script({ timeline: Timeline.make({ duration: "30 minutes" }) })
        yield* start(payloads[0]!)
        yield* provider.script({ timeline: Timeline.make({ duration: "7 minutes" }) })
        yield* start(payloads[1]!)
      }).pipe(Effect.provide(processOn(client)))
      yield* TestClock.adjust("8 minutes")
      yield* Effect.gen(function*() {
        const exits = yield* Effect.forEach(payloads, end)
        const error = Exit.isFailure(exits[0]!) ? Cause.squash(exits[0].cause) : undefined
        assert.instanceOf(error, RunError.RunTimeoutError)
        assert.include(error.message, "15m after its creation")
        assert.deepStrictEqual(exits[1], Exit.succeed("completed"))
        assert.deepStrictEqual(yield* waits, [])
      }).pipe(Effect.provide(processOn(client)))
    }).pipe(Effect.provide(emulator("20 minutes"))))

  it.effect("stops polling when the workflow is interrupted, also after a restart, and keeps the run as unfinished", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const polls = yield* Effect.gen(function*() {
        const id = yield* start({ topic: "tides" })
        yield* Report.interrupt(id)
        yield* until(Effect.map(waits, ([wait]) => wait!.state === "interrupted"))
        return yield* requestsOf("GET")
      }).pipe(Effect.provide(processOn(client)))
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(yield* requestsOf("GET"), polls)
        assert.deepStrictEqual(yield* states, ["Created"])
        assert.deepStrictEqual((yield* waits).map(({ state }) => state), ["interrupted"])
        yield* SqlClient.SqlClient.use((sql) => sql`update canvas_runs_waits set ref = '{ "version": 2 }'`)
        assert.deepStrictEqual(yield* waits, [], "a newer version wrote it")
        const { purge } = yield* Waits.Waits
        assert.deepStrictEqual([yield* purge("1 hour"), yield* purge("5 minutes")], [0, 1])
        const rows = yield* SqlClient.SqlClient.use((sql) => sql`select * from canvas_runs_waits`)
        assert.deepStrictEqual(rows, [])
      }).pipe(Effect.provide(processOn(client)), Effect.provideService(References.MinimumLogLevel, "None"))
    }).pipe(Effect.provide(emulator("20 minutes"))))

  it.effect("polls when a webhook arrives, at once in the process that polls, and soon if it arrives in another", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const provider = yield* SpineEmulator.SpineEmulator
      const pollsOf = (index: number) => Effect.map(provider.runs, (runs) => runs[index]!.polls)
      yield* Effect.gen(function*() {
        yield* start({ topic: "tides" })
        const hub = yield* Webhooks.Webhooks
        const [tides] = yield* waits
        const before = yield* pollsOf(0)
        yield* hub.deliver({ provider: "spine", runId: tides!.ref.id, isTerminal: true, eventId: "1" })
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(yield* pollsOf(0), before + 1)
        yield* start({ topic: "winds" })
        const polls = yield* pollsOf(1)
        // Like a write of another process
        const sql = yield* SqlClient.SqlClient
        yield* sql`update canvas_runs_waits set wakes = wakes + 1`
        yield* TestClock.adjust("11 seconds")
        assert.isAbove(yield* pollsOf(1), polls)
      }).pipe(Effect.provide(processOn(client)))
    }).pipe(Effect.provide(emulator("20 minutes"))))

  it.effect("holds no entity while it waits, and is woken by the end of the run", () =>
    Effect.gen(function*() {
      const { activeEntityCount } = yield* Sharding.Sharding
      yield* start({ topic: "tides" })
      yield* until(Effect.map(activeEntityCount, (count) => count === 0))
      assert.strictEqual((yield* waits).length, 1)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* activeEntityCount, 0)
      assert.deepStrictEqual(yield* end({ topic: "tides" }), Exit.succeed("completed"))
    }).pipe(
      Effect.provide(Layer.unwrap(Effect.map(databases.sqlite, processOn))),
      Effect.provide(emulator("20 minutes"))
    ))

  it.effect("says that a second layer on the same table must not be built", () =>
    Effect.gen(function*() {
      const waitsOf = Layer.fresh(Waits.layerSql({ providers: [SpineWorkflow.provider] }))
      const exit = yield* Effect.exit(
        Effect.provide(Layer.build(Layer.merge(waitsOf, Layer.fresh(waitsOf))), processOn(yield* databases.sqlite))
      )
      const error = failure(exit)
      assert.instanceOf(error, RunError.ConfigError)
      assert.include(error.message, "Build it once, with all providers")
    }).pipe(Effect.scoped, Effect.provide(emulator("0 millis"))))

  it.effect("costs a known number of statements for a run from create to end, and none for a poll", () =>
    Effect.gen(function*() {
      const client = yield* databases.sqlite
      const statements: Array<string> = []
      const counting: Statement.Transformer = (statement) =>
        Effect.sync(() => {
          statements.push(statement.compile()[0])
          return statement
        })
      const topics = Array.from({ length: size(5, 20) }, (_, index) => `topic ${index}`)
      const ours = () => statements.filter((text) => text.includes("canvas_runs")).length
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("10 minutes")
        statements.length = 0
        yield* TestClock.adjust("10 minutes")
        const background = { all: statements.length, ours: ours() }
        statements.length = 0
        const begun = yield* Clock.currentTimeMillis
        yield* Effect.forEach(topics, (topic) => Report.execute({ topic }, { discard: true }))
        // A condition that needs no statement. An idle process takes one in each step
        let steps = 0
        const step = Effect.suspend(() => {
          steps++
          return Effect.andThen(TestClock.adjust("10 seconds"), TestClock.withLive(Effect.sleep("1 millis")))
        })
        // Two for the wait, and five for the store
        while (ours() - steps < 7 * topics.length) yield* step
        // No further waits are listed
        yield* Effect.repeat(step, { times: 12 })
        const counted = { all: statements.length, ours: ours() }
        const polls = yield* requestsOf("GET")
        const minutes = ((yield* Clock.currentTimeMillis) - begun) / 60_000
        const perRun = (all: number, idle: number) => (all - idle * minutes / 10) / topics.length
        assert.isAbove(polls, 4 * topics.length)
        assert.deepStrictEqual(new Set(yield* states), new Set(["Finished"]))
        assert.strictEqual(perRun(counted.ours, background.ours), 7)
        assert.isAtMost(perRun(counted.all, background.all), 50)
        assert.strictEqual(background.ours, 60)
      }).pipe(Effect.provide(processOn(client)), Effect.provideService(Statement.CurrentTransformer, counting))
    }).pipe(Effect.provide(emulator("4 minutes"))))
})

it.live("DurableRun on one runner of the cluster, with PostgreSQL, follows a run to its end, and interrupts another", () =>
  Effect.gen(function*() {
    const provider = yield* SpineEmulator.SpineEmulator
    // The locks of a cluster are those of the whole database
    const { newDatabase } = yield* postgres
    const client = postgresLayer(yield* newDatabase)
    yield* Effect.gen(function*() {
      assert.strictEqual(yield* Report.execute({ topic: "tides" }), "completed")
      yield* provider.script({ timeline: Timeline.make({ duration: "1 hour" }) })
      const id = yield* Report.execute({ topic: "winds", timeout: "3600000.5 millis" }, { discard: true })
      yield* untilLive(Effect.map(waits, ({ length }) => length === 1))
      yield* (yield* Waits.Waits).wake("spine", "another")
      yield* Report.interrupt(id)
      yield* untilLive(Effect.map(waits, ([wait]) => wait!.state === "interrupted"))
      assert.deepStrictEqual(yield* states, ["Finished", "Created"])
    }).pipe(Effect.provide(processOn(client, "20 millis")))
  }).pipe(Effect.provide(emulator("0 millis"))))
