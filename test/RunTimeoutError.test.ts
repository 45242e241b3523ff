import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { Spine, Tela } from "canvas-runs"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { failure, finish } from "./support/results.ts"

const script = { timeline: Timeline.make({ duration: Infinity }) }
const live = Layer.mergeAll(
  Layer.orDie(Spine.layer({ apiKey: Redacted.make("sk_spine_x") })).pipe(
    Layer.provide(SpineEmulator.layerTest({ script }))
  ),
  Layer.orDie(Tela.layer({ apiKey: Redacted.make("tela_x") })).pipe(Layer.provide(TelaEmulator.layerTest({ script })))
)
const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

describe("a RunTimeoutError names the option that applied, and its value", () => {
  const spine = (options?: Spine.WaitOptions) =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      return yield* runs.waitForCompletion(yield* runs.create({ prompt: "x" }), options ?? {})
    })
  const tela = (params: Tela.PollParams) =>
    Effect.gen(function*() {
      const client = yield* Tela.TelaClient
      const execution = yield* client.canvas.make({ id: canvasId }).execute({}, { ...params, async: true })
      return yield* execution.result
    })
  const completions = Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const [only] = yield* Stream.runCollect(runs.completions([yield* runs.create({ prompt: "x" })]))
    return yield* Effect.fromResult(only!.result)
  })

  const cases: ReadonlyArray<
    readonly [string, Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>, string]
  > = [
    ["Spine's default", spine(), "timeout (15 minutes, the default)"],
    ["Spine's option", spine({ timeout: "2 hours" }), "timeout (2 hours)"],
    ["Spine's option, as long as the default", spine({ timeout: "15 minutes" }), "timeout (15 minutes)"],
    ["Spine's completions", completions, "timeout (15 minutes, the default)"],
    ["Tela's default", tela({}), "pollingTimeout (1 minute, the default)"],
    ["Tela's option", tela({ pollingTimeout: "90s" }), "pollingTimeout (1m 30s)"],
    ["Tela's option in milliseconds", tela({ pollingTimeout: 1500 }), "pollingTimeout (1s 500ms)"]
  ]
  for (const [title, wait, words] of cases) {
    it.effect(title, () =>
      Effect.gen(function*() {
        const error = failure(yield* finish(wait)) as { readonly _tag: string; readonly message: string }
        assert.strictEqual(error._tag, "RunTimeoutError")
        assert.include(error.message, words)
        assert.include(error.message, "raise that option")
      }).pipe(Effect.provide(live)))
  }
})
