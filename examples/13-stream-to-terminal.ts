/**
 * Text on the terminal while the model writes it, and the validated output at the end. A broken stream cannot be resumed, so its
 * error holds what was received.
 *
 * The canvas takes a text, `topic`, and answers with text.
 *
 * Run: `npm run example examples/13-stream-to-terminal.ts`
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Schema, Stream, Terminal } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const terminal = yield* Terminal.Terminal
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Schema.NonEmptyString })

  yield* canvas.stream({ topic: "the tides" }, { firstEventTimeout: "2m", idleTimeout: "90s" }).pipe(
    Stream.runForEach((part) => {
      switch (part._tag) {
        case "delta":
          return terminal.display(part.content)
        case "event":
          // An event that the server sent under another name
          return Effect.void
        case "final":
          return Console.log(`\n\n${part.result.split(/\s+/).length} words, by request ${part.requestId}`)
      }
    })
  )
}).pipe(
  Effect.catchTag("StreamInterruptedError", ({ message, reason }) => Console.error(`\n\n${reason}: ${message}`))
)

const text = "Twice a day the sea comes to the town, looks in at the harbour, and finds that nothing has changed. " +
  "The moon sends it, and the moon calls it back; the fishermen only keep the time."

program.pipe(
  Effect.provide([
    live({ canvas: { script: { stream: { pieces: text.split(/(?<= )/), pause: "1 second" } } } }),
    NodeServices.layer
  ]),
  NodeRuntime.runMain
)
