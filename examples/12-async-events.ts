/**
 * An execution that takes its time: it is created at once, and polled while its events are read. The events are a `Stream`, a
 * failure is the last of them, and the ref is enough to come back later.
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

  // Here or in another process: what has ended is looked up once, and has its result
  const again = yield* canvas.getExecution(execution.ref)
  yield* Console.log(`looked up: ${yield* again.result}`)
})

program.pipe(
  Effect.provide(live({
    canvas: {
      output: ({ variables }) => `All about ${variables["topic"]}.`,
      // Moved on by polls, so that it goes the same way each time
      script: { polls: { created: 1, running: 3 } }
    }
  })),
  NodeRuntime.runMain
)
