/**
 * Tests of a workflow of your own. The engine and its waits are in memory, the emulator stands for the provider, and the `TestClock`
 * decides how fast time passes: a run of ninety minutes takes milliseconds.
 *
 * Run: `npx vitest run examples/32-testing-workflows.test.ts`
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Workflow, WorkflowEngine } from "effect/workflow"
import { RunStore, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"

const Digest = Workflow.make("Digest", {
  payload: { topic: Schema.String },
  success: Schema.String,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

/** A draft, and then a summary of it. */
const digest = Digest.toLayer(Effect.fn(function*({ topic }) {
  const spine = yield* Spine.SpineClient
  const run = (name: string, prompt: string) =>
    DurableRun.run(name, spine.runs.create({ prompt }), { provider: SpineWorkflow.provider, timeout: "4 hours" })
  const draft = yield* run("draft", `A draft on ${topic}`)
  const summary = yield* run("summary", `Summarise: ${draft.result.final_output}`)
  return summary.result.final_output ?? ""
}))

const TestLayer = digest.pipe(
  Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider], pollInterval: "1 minute" })),
  Layer.provideMerge([WorkflowEngine.layerMemory, RunStore.layerMemory]),
  Layer.provideMerge(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
  Layer.provideMerge(
    SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "90 minutes" }), finalOutput: "# Tides" } })
  )
)

/** The result of the workflow. Time passes in steps: keys are hashes, which the platform makes in real time between them. */
const resultOf = Effect.fn(function*(topic: string) {
  const fiber = yield* Effect.forkChild(Digest.execute({ topic }))
  while (fiber.pollUnsafe() === undefined) {
    yield* TestClock.adjust("1 minute")
    yield* TestClock.withLive(Effect.sleep("1 millis"))
  }
  return yield* Fiber.join(fiber)
})

const prompts = SpineEmulator.SpineEmulator.use((emulator) =>
  Effect.map(emulator.runs, (runs) => runs.map(({ request }) => request.prompt))
)

describe("Digest", () => {
  it.effect("writes a draft, and a summary of it", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* resultOf("tides"), "# Tides")
      assert.deepStrictEqual(yield* prompts, ["A draft on tides", "Summarise: # Tides"])
    }).pipe(Effect.provide(TestLayer)))

  it.effect("creates nothing twice if it is started twice", () =>
    Effect.gen(function*() {
      yield* resultOf("tides")
      assert.strictEqual(yield* resultOf("tides"), "# Tides")
      assert.strictEqual((yield* prompts).length, 2)
    }).pipe(Effect.provide(TestLayer)))

  it.effect("survives an outage of the provider for an hour", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      // Sixty polls fail, with two retries each
      yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run"), Fault.times(180)))
      assert.strictEqual(yield* resultOf("tides"), "# Tides")
    }).pipe(Effect.provide(TestLayer)))

  it.effect("writes no summary of a draft that failed", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "1 hour", outcome: "failed" }) })
      const error = yield* Effect.flip(resultOf("tides"))
      assert.strictEqual(error._tag, "RunFailedError")
      assert.deepStrictEqual(yield* prompts, ["A draft on tides"])
    }).pipe(Effect.provide(TestLayer)))
})
