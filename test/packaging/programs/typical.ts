/** A typical file of a user: both clients, their errors by tag, a schema, a schedule. */
import { Polling, Spine, Tela } from "canvas-runs"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const Summary = Schema.Struct({ title: Schema.String, points: Schema.Array(Schema.String) })

const research = (prompt: string) =>
  Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const created = yield* spine.runs.create({ prompt, template: "auto" })
    yield* spine.runs.watch(created).pipe(Stream.runForEach((run) => Console.log(run.run_id, run.status)))
    const run = yield* spine.runs.waitForCompletion(created, {
      schedule: Polling.backoff({ initial: "2 seconds", max: "1 minute" }),
      timeout: "2 hours"
    })
    return run.result.final_output
  }).pipe(
    Effect.catchTags({
      RunTimeoutError: (error) => Effect.succeed(`resume with ${error.ref.id}`),
      RunFailedError: (error) => Effect.succeed(error.errors.join(", ")),
      RateLimitError: (error) => Effect.succeed(error.message)
    })
  )

const summarize = (text: string) =>
  Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const canvas = tela.canvas.make({ id: "3d8b2a70-6f0e-4d5b-9a35-0f6f8f0f1c11", output: Summary })
    yield* canvas.stream({ text }).pipe(
      Stream.runForEach((part) => part._tag === "delta" ? Console.log(part.content) : Effect.void)
    )
    const { result } = yield* canvas.execute({ text })
    return result.points
  }).pipe(
    Effect.catchTags({
      StreamInterruptedError: ({ received }) => Effect.succeed([received.message]),
      InvalidOutputError: ({ issue }) => Effect.succeed([issue])
    })
  )

export const program = Effect.gen(function*() {
  const found = yield* research("Compare three vector databases")
  const points = yield* summarize(JSON.stringify(found))
  yield* Effect.forEach(points, (point) => Console.log(point))
}).pipe(Effect.provide(Layer.mergeAll(Spine.layerFetch(), Tela.layerFetch())))
