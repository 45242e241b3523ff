/**
 * A long execution: it is created at once, and polled while its events are read. The events are a `Stream`, a failure is the last
 * event, and the ref is enough to continue later.
 *
 * The canvas takes a text, `topic`, and answers with text.
 *
 * Run: `npm run example examples/12-async-events.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { RunRef, Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

const describe = (event: Tela.ExecutionEvent<string>): string => {
  switch (event._tag) {
    case "statusChange":
      return `it is ${event.status}`
    case "poll":
      return `polled: ${event.snapshot.providerStatus} (request ${event.requestId})`
    case "success":
      return `done: ${event.result} (request ${event.requestId})`
    case "error":
      return `${event.error._tag}: ${event.error.message}`
  }
}

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Schema.String })

  const execution = yield* canvas.execute(
    { topic: "tides" },
    { async: true, pollingInterval: "5s", pollingTimeout: "5m", tags: ["examples"] }
  )
  yield* Console.log(`${RunRef.format(execution.ref)} (request ${execution.ref.requestId})`)

  yield* Stream.runForEach(execution.events, (event) => Console.log(describe(event)))

  // Here or in another process: one look-up of an ended execution returns its result
  const again = yield* canvas.getExecution(execution.ref)
  yield* Console.log(`looked up: ${yield* again.result}`)
})

program.pipe(
  Effect.provide(live({
    canvas: {
      output: ({ variables }) => `All about ${variables["topic"]}.`,
      // Each poll advances it, so that every run of the example prints the same
      script: { polls: { created: 1, running: 3 } }
    }
  })),
  NodeRuntime.runMain
)
