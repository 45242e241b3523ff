/**
 * A test of code that streams. `narrate` stands for your code, and a script lists the pieces that the provider sends and the
 * pauses between them. Under the `TestClock`, minutes of silence take milliseconds.
 *
 * Run: `npx vitest run examples/19-testing-streams.test.ts`
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Tela } from "canvas-runs"
import { TelaEmulator } from "canvas-runs/testing"

/** Shows a text while it is written, and returns the part that arrived if the stream breaks off. */
const narrate = Effect.fn("narrate")(
  function*(topic: string, show: (text: string) => void) {
    const tela = yield* Tela.TelaClient
    const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: Schema.String })
    return yield* canvas.stream({ topic }, { idleTimeout: "30s" }).pipe(
      Stream.tap((part) => Effect.sync(() => part._tag === "delta" && show(part.content))),
      Stream.runFold(() => "", (text, part) => part._tag === "final" ? part.result : text)
    )
  },
  Effect.catchTag(
    "StreamInterruptedError",
    ({ reason, received }) => Effect.succeed(`${received.message}... (${reason})`)
  )
)

const TestLayer = Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
  Layer.provideMerge(TelaEmulator.layerTest())
)

describe("narrate", () => {
  it.effect("shows each piece when it arrives, and returns the whole text", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.script({ stream: { pieces: ["Once ", "upon ", "a time"], pause: "10 seconds" } })

      const shown: Array<string> = []
      const fiber = yield* Effect.forkChild(narrate("tides", (text) => shown.push(text)))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(shown, ["Once ", "upon "])

      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "Once upon a time")
      const [run] = yield* emulator.runs
      assert.deepStrictEqual(run?.request.variables, { topic: "tides" })
    }).pipe(Effect.provide(TestLayer)))

  it.effect("keeps the received text when the connection breaks", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.script({ stream: { pieces: ["Once ", "upon", { drop: true }] } })

      assert.strictEqual(yield* narrate("tides", () => {}), "Once upon... (transport)")
    }).pipe(Effect.provide(TestLayer)))

  it.effect("returns when the stream is silent for too long", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      // Keep-alives are not text
      yield* emulator.script({
        stream: { pieces: ["Once", { pause: "20 seconds" }, { comment: "keep-alive" }, { pause: "1 hour" }, "upon"] }
      })

      const fiber = yield* Effect.forkChild(narrate("tides", () => {}))
      yield* TestClock.adjust("30 seconds")

      assert.strictEqual(yield* Fiber.join(fiber), "Once... (idle)")
      const [stream] = yield* emulator.streams
      assert.strictEqual(stream?.state, "abandoned")
    }).pipe(Effect.provide(TestLayer)))
})
