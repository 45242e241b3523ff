/** The ready workflows of both providers. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"
import { RunError, RunStore } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { SpineWorkflow, TelaWorkflow, Waits } from "canvas-runs/workflow"
import * as Spine from "../support/spine.ts"
import * as Tela from "../support/tela.ts"
import { until } from "../support/until.ts"

const emulated = { script: { timeline: Timeline.make({ duration: "20 minutes" }) } }

const layer = Layer.mergeAll(SpineWorkflow.layer, TelaWorkflow.layer).pipe(
  Layer.provideMerge(
    Waits.layerMemory({ providers: [SpineWorkflow.provider, TelaWorkflow.provider], pollInterval: "1 minute" })
  ),
  Layer.provideMerge(
    Layer.mergeAll(
      WorkflowEngine.layerMemory,
      RunStore.layerMemory,
      Spine.live(undefined, emulated),
      Tela.live(undefined, { script: { ...emulated.script, output: { total: 42 } } })
    )
  )
)

/** Moves the clock by 25 minutes when a workflow is suspended. */
const pass = Effect.gen(function*() {
  const { list } = yield* Waits.Waits
  yield* TestClock.withLive(until(Effect.map(list, ({ length }) => length === 1)))
  yield* TestClock.adjust("25 minutes")
})

describe("the ready workflows", () => {
  it.effect("SpineWorkflow.Run creates one run for a key, and returns its result", () =>
    Effect.gen(function*() {
      const payload = { key: "july", params: { prompt: "The report of July", template: "report" as const } }
      yield* SpineWorkflow.Run.execute(payload, { discard: true })
      yield* pass
      const run = yield* SpineWorkflow.Run.execute(payload)
      assert.strictEqual(run.status, "completed")
      assert.isString(run.result.final_output)
      const emulator = yield* SpineEmulator.SpineEmulator
      assert.deepStrictEqual((yield* emulator.runs).map(({ request: { prompt, template } }) => [prompt, template]), [
        ["The report of July", "report"]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("SpineWorkflow.Run fails at the timeout of its payload", () =>
    Effect.gen(function*() {
      const payload = { key: "july", params: { prompt: "x" }, timeout: Duration.minutes(10) }
      yield* SpineWorkflow.Run.execute(payload, { discard: true })
      yield* pass
      const error = yield* Effect.flip(SpineWorkflow.Run.execute(payload))
      assert.instanceOf(error, RunError.RunTimeoutError)
    }).pipe(Effect.provide(layer)))

  it.effect("TelaWorkflow.Run executes a canvas, or an application, once for a key", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      for (const canvas of [{ id: Tela.canvasId }, { applicationId: Tela.applicationId }]) {
        yield* emulator.clearRequests
        const payload = { key: JSON.stringify(canvas), canvas, variables: { topic: "tides" } }
        yield* TelaWorkflow.Run.execute(payload, { discard: true })
        yield* pass
        const execution = yield* TelaWorkflow.Run.execute(payload)
        assert.deepStrictEqual(execution.output, { total: 42 })
        assert.strictEqual(execution.kind, "id" in canvas ? "execution" : "task")
        assert.strictEqual(execution.status, "succeeded")
        assert.isString(execution.requestId)
        assert.strictEqual(execution.task === undefined, "id" in canvas)
        assert.lengthOf((yield* emulator.requests).filter(({ method }) => method === "POST"), 1)
      }
    }).pipe(Effect.provide(layer)))

  it.effect("TelaWorkflow.Run finds the execution of a create whose response was lost", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(Fault.on(Fault.dropAfter, "POST"))
      const payload = { key: "tides", canvas: { id: Tela.canvasId }, variables: { topic: "tides" } }
      yield* TelaWorkflow.Run.execute(payload, { discard: true })
      yield* pass
      assert.deepStrictEqual((yield* TelaWorkflow.Run.execute(payload)).output, { total: 42 })
      assert.lengthOf((yield* emulator.requests).filter(({ method }) => method === "POST"), 1)
    }).pipe(Effect.provide(layer)))

  it.effect("TelaWorkflow.Run executes again after the settling time, if there is no execution with the tag", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(Fault.on(Fault.drop, "POST"))
      const payload = { key: "tides", canvas: { id: Tela.canvasId }, variables: { topic: "tides" } }
      yield* TelaWorkflow.Run.execute(payload, { discard: true })
      const creates = Effect.map(
        emulator.requests,
        (requests) => requests.filter(({ method }) => method === "POST").length
      )
      yield* TestClock.withLive(until(Effect.map(creates, (count) => count === 1)))
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual(yield* creates, 1)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* creates, 2)
      yield* pass
      assert.deepStrictEqual((yield* TelaWorkflow.Run.execute(payload)).output, { total: 42 })
    }).pipe(Effect.provide(layer)))
})
