/** A program that uses only Tela of canvas-runs. */
import { layerFetch, TelaClient } from "canvas-runs/tela"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export const program = Effect.gen(function*() {
  const tela = yield* TelaClient
  const canvas = tela.canvas.make({
    id: "3d8b2a70-6f0e-4d5b-9a35-0f6f8f0f1c11",
    output: Schema.Struct({ summary: Schema.String })
  })
  yield* canvas.stream({ topic: "the tides" }).pipe(
    Stream.runForEach((part) => part._tag === "delta" ? Console.log(part.content) : Effect.void)
  )
  const execution = yield* canvas.execute({ topic: "the tides" }, { async: true, pollingTimeout: "10m" })
  yield* Console.log((yield* execution.result).summary)
}).pipe(
  Effect.catchTag("StreamInterruptedError", (error) => Console.error(error.received.message)),
  Effect.provide(layerFetch())
)
