import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import { Budget, RunStore, Spine, Tela } from "canvas-runs"
import { SpineToolkit, TelaToolkit } from "canvas-runs/ai"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { TestClock } from "effect/testing"

const timeline = Timeline.make({ duration: 0 })

const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
  Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline } }))
)
const patientSpine = Spine.layer({ apiKey: Redacted.make("sk_spine_test"), requestTimeout: "1 hour" }).pipe(
  Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline } }))
)
const tela = Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
  Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline } }))
)

/** A model that calls one tool. */
const model = (name: string, params: unknown) =>
  Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: () =>
        Effect.succeed<Array<Response.PartEncoded>>([
          { type: "tool-call", id: "1", name, params, providerExecuted: false }
        ]),
      streamText: () => Stream.empty
    })
  )

describe("SpineToolkit", () => {
  const call = (name: string, params: unknown) =>
    LanguageModel.generateText({ prompt: "Tides", toolkit: SpineToolkit.toolkit }).pipe(
      Effect.map(({ toolResults }) => toolResults[0]!),
      Effect.provide(model(name, params))
    )

  it.effect("gives a failure to the model, and does not fail the program", () =>
    Effect.gen(function*() {
      const first = yield* call("spine_start", { prompt: "Tides", files: [{ name: "notes.md", text: "# Notes" }] })
      assert.deepStrictEqual([first.isFailure, "status" in first.result && first.result.status], [false, "completed"])
      const { runs } = yield* SpineEmulator.SpineEmulator
      assert.deepStrictEqual((yield* runs)[0]!.request.files.map(({ name }) => name), ["notes.md"])
      const second = yield* call("spine_start", { prompt: "Winds" })
      assert.isTrue(second.isFailure)
      assert.include(JSON.stringify(second.encodedResult), "BudgetExceededError")
    }).pipe(
      Effect.provide(SpineToolkit.layer({ estimate: 60 })),
      Effect.provide([spine, RunStore.layerMemory, Budget.layerMemory({ limit: 100 })])
    ))

  it.effect("returns the run of a create that takes longer than a wait, and an error to another call with its key", () =>
    Effect.gen(function*() {
      const { fault, requests, runs } = yield* SpineEmulator.SpineEmulator
      yield* fault(Fault.delay("30 minutes").pipe(Fault.on("POST", "/v1/run")))
      const creating = yield* Effect.forkChild(call("spine_start", { prompt: "Tides", key: "tides" }))
      // The call makes its ids with the real Web Crypto, so the clock waits for its request
      yield* Effect.repeat(Effect.andThen(nextTask, requests), { until: (made) => made.length > 0 })
      const waiting = yield* Effect.forkChild(call("spine_start", { prompt: "Tides", key: "tides" }))
      yield* Effect.repeat(Effect.andThen(TestClock.adjust("1 second"), nextTask), {
        until: () => waiting.pollUnsafe() !== undefined
      })
      const waited = yield* Fiber.join(waiting)
      assert.include(JSON.stringify(waited.encodedResult), "RunIsBeingCreated")
      assert.isUndefined(creating.pollUnsafe())
      yield* TestClock.adjust("30 minutes")
      const { isFailure, result } = yield* Fiber.join(creating)
      assert.deepStrictEqual([isFailure, "run_id" in result && result.run_id], [false, (yield* runs)[0]!.id])
    }).pipe(Effect.provide(SpineToolkit.layer()), Effect.provide([patientSpine, RunStore.layerMemory])))
})

describe("TelaToolkit", () => {
  it.effect("returns links to the files in an output", () =>
    Effect.gen(function*() {
      const canvas = (yield* Tela.TelaClient).canvas.make({ id: canvasId })
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* canvas.execute({ file: Tela.file(new File(["a"], "a.txt")) }, { async: true })
      const [file] = yield* emulator.files
      yield* emulator.script({ timeline, output: { report: `vault://${file!.id}`, text: "done" } })
      const { handle } = yield* TelaToolkit.toolkit
      const use = (name: "tela_execute" | "tela_artifacts", params: object) =>
        Effect.map(
          Stream.runLast(Stream.unwrap(handle(name, params as never))),
          (last) => Option.getOrThrow(last).encodedResult as unknown as Record<string, never>
        )
      const { run_id } = yield* use("tela_execute", { canvas_id: canvasId, variables: {} })
      const { artifacts } = yield* use("tela_artifacts", { run_id })
      assert.match(artifacts![0]!["download_url"], /^https?:/)
    }).pipe(Effect.provide(TelaToolkit.layer()), Effect.provide([tela, RunStore.layerMemory])))
})

const nextTask = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
