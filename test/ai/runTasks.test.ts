import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { RunStore, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { observer } from "../../src/ai/internal/provider.ts"
import * as RunTasks from "../../src/ai/internal/runTasks.ts"
import { provider } from "../../src/ai/SpineToolkit.ts"

const emulator = SpineEmulator.layerTest({
  script: { timeline: Timeline.make({ duration: "2 hours" }), estimatedDuration: "15 minutes" }
})
const services = Layer.effect(
  Spine.SpineClient,
  Spine.make({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(0) })
).pipe(Layer.provideMerge(emulator), Layer.merge(RunStore.layerMemory))

/** A task, and the run behind it. */
const makeTask = Effect.gen(function*() {
  const store = yield* RunStore.RunStore
  const { runs } = yield* Spine.SpineClient
  const tasks = yield* RunTasks.make(store, undefined, [observer(yield* provider)])
  const taskId = yield* RunTasks.newId
  const ref = yield* store.runOnce(taskId, runs.create({ prompt: "Tides" }))
  const get = Effect.map(tasks.get(taskId), (task) => task!)
  return { tasks, taskId, ref, store, get, emulator: yield* SpineEmulator.SpineEmulator }
})

const test = <E>(
  name: string,
  effect: Effect.Effect<void, E, Effect.Services<typeof makeTask>>
) => it.effect(name, () => Effect.provide(effect, services))

describe("tasks of runs", () => {
  test(
    "renew their time to live until the run has ended, although nothing changes",
    Effect.gen(function*() {
      const { get } = yield* makeTask
      const day = Duration.toMillis("1 day")
      for (let hours = 0; hours < 2; hours++) {
        const { createdAt, ttlMs, status } = yield* get
        assert.strictEqual(status, "working")
        const left = Date.parse(createdAt) + ttlMs! - hours * 3_600_000
        assert.isAtLeast(left - Date.parse(createdAt), day)
        yield* TestClock.adjust("1 hour")
      }
      const ended = yield* get
      assert.strictEqual(ended.status, "completed")
      assert.strictEqual(ended.ttlMs, Duration.toMillis("26 hours"))
      // A task that has ended does not change
      yield* TestClock.adjust("5 hours")
      assert.deepStrictEqual(yield* get, ended)
    })
  )

  test(
    "are polled rarely while the run is far from its end, and often near it",
    Effect.gen(function*() {
      const { emulator, get } = yield* makeTask
      yield* emulator.script({ timeline: Timeline.make({ duration: "15 minutes" }) })
      const first = yield* get
      yield* TestClock.adjust("110 minutes")
      const last = yield* get
      assert.isTrue(Number.isInteger(first.pollIntervalMs) && Number.isInteger(last.pollIntervalMs))
      assert.isBelow(last.pollIntervalMs!, first.pollIntervalMs!)
    })
  )

  test(
    "report their progress, and when it last changed",
    Effect.gen(function*() {
      const { get } = yield* makeTask
      assert.include((yield* get).statusMessage, "0 of 5 tasks are done")
      yield* TestClock.adjust("1 hour")
      const task = yield* get
      assert.match(task.statusMessage!, /2 of 5 tasks are done, it is 60 min old, the provider expected 15 min/)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* get).lastUpdatedAt, task.lastUpdatedAt)
    })
  )

  test(
    "continue if the provider is overloaded, say so, and keep the progress that they had",
    Effect.gen(function*() {
      const { emulator, get } = yield* makeTask
      yield* TestClock.adjust("1 hour")
      const before = yield* get
      yield* TestClock.adjust("1 minute")
      yield* emulator.fault(Fault.status(503))
      const task = yield* get
      assert.strictEqual(task.status, "working")
      assert.match(task.statusMessage!, /2 of 5 tasks are done.*last request failed.*503/)
      assert.strictEqual(task.lastUpdatedAt, before.lastUpdatedAt)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* get).lastUpdatedAt, before.lastUpdatedAt)
    })
  )

  test(
    "of a new run continue if the provider does not find it, and end if it is still missing later",
    Effect.gen(function*() {
      const { emulator, get } = yield* makeTask
      yield* emulator.fault(Fault.status(404), Fault.status(404))
      assert.strictEqual((yield* get).status, "working")
      yield* TestClock.adjust("1 minute")
      const gone = yield* get
      assert.strictEqual(gone.status, "completed")
      assert.isTrue("result" in gone && gone.result.isError)
    })
  )

  test(
    "are polled once by callers at the same time",
    Effect.gen(function*() {
      const { emulator, get } = yield* makeTask
      yield* emulator.clearRequests
      yield* Effect.replicateEffect(get, 50, { concurrency: "unbounded" })
      assert.strictEqual((yield* emulator.requests).length, 1)
    })
  )

  test(
    "have ids of 192 random bits",
    Effect.gen(function*() {
      const ids = new Set(yield* Effect.replicateEffect(RunTasks.newId, 1000))
      assert.strictEqual(ids.size, 1000)
      for (const id of ids) assert.match(id, /^mcp-[A-Za-z0-9_-]{32}$/)
    })
  )
})
