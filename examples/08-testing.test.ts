/**
 * A test of your own code. `digest` stands for your code, the emulator for the provider, and the `TestClock` decides how fast time
 * passes: a run of 90 minutes takes milliseconds, and you choose each failure.
 *
 * Run: `npx vitest run examples/08-testing.test.ts`
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"

const digest = Effect.fn("digest")(
  function*(topic: string) {
    const spine = yield* Spine.SpineClient
    const run = yield* spine.runs.run(
      { prompt: `Write a digest on ${topic}` },
      { pollInterval: "30 seconds", timeout: "2 hours" }
    )
    return run.result.final_output
  },
  Effect.catchTag("RunTimeoutError", (error) => Effect.succeed(`${error.ref.id} is late`))
)

const TestLayer = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
  Layer.provideMerge(SpineEmulator.layerTest())
)

describe("digest", () => {
  it.effect("returns the result of a run of ninety minutes", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }), finalOutput: "# Tides" })

      const fiber = yield* Effect.forkChild(digest("tides"))
      yield* TestClock.adjust("90 minutes")

      assert.strictEqual(yield* Fiber.join(fiber), "# Tides")
      const [run] = yield* emulator.runs
      assert.strictEqual(run?.request.prompt, "Write a digest on tides")
    }).pipe(Effect.provide(TestLayer)))

  it.effect("survives three failed polls", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ finalOutput: "# Tides" })
      // Three polls fail, with two retries each
      yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run"), Fault.times(9)))

      const fiber = yield* Effect.forkChild(digest("tides"))
      yield* TestClock.adjust("20 minutes")

      assert.strictEqual(yield* Fiber.join(fiber), "# Tides")
    }).pipe(Effect.provide(TestLayer)))

  it.effect("names the run that is late", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "3 hours" }) })

      const fiber = yield* Effect.forkChild(digest("tides"))
      yield* TestClock.adjust("2 hours")

      const [run] = yield* emulator.runs
      assert.strictEqual(yield* Fiber.join(fiber), `${run?.id} is late`)
      assert.strictEqual(run?.state.phase, "running")
    }).pipe(Effect.provide(TestLayer)))
})
