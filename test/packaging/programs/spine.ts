/** A program that uses only Spine of canvas-runs. */
import { layerFetch, SpineClient } from "canvas-runs/spine"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export const program = Effect.gen(function*() {
  const spine = yield* SpineClient
  const created = yield* spine.runs.create({ prompt: "Compare three vector databases" })
  yield* spine.runs.watch(created).pipe(Stream.runForEach((run) => Console.log(run.status)))
  const run = yield* spine.runs.waitForCompletion(created, { pollInterval: "10 seconds", timeout: "2 hours" })
  yield* Console.log(run.result.final_output)
}).pipe(
  Effect.catchTag("RunTimeoutError", (error) => Console.error(`resume with ${error.ref.id}`)),
  Effect.provide(layerFetch())
)
