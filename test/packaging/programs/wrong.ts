/** A program with mistakes, each of which the published types must name. */
import { RunStore, Spine, Tela } from "canvas-runs"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const id = "3d8b2a70-6f0e-4d5b-9a35-0f6f8f0f1c11"

/** Whether a type is `any`, to which every value can be assigned. */
type IsAny<A> = 0 extends 1 & A ? true : false
const isFalse = <A extends false>(): A | undefined => undefined

export const tela = Effect.gen(function*() {
  const { canvas, getExecution } = yield* Tela.TelaClient
  const typed = canvas.make({
    id,
    input: Schema.Struct({ document: Schema.String }),
    output: Schema.Struct({ total: Schema.Number })
  })
  // @ts-expect-error -- a misspelled variable
  yield* typed.execute({ documnt: "x" })
  // @ts-expect-error -- a misspelled parameter
  yield* typed.execute({ document: "x" }, { asynch: true })
  const sync = yield* typed.execute({ document: "x" })
  // @ts-expect-error -- a number
  sync.result.total.toUpperCase()
  // @ts-expect-error -- no such member of the output
  void sync.result.sum
  const started = yield* typed.execute({ document: "x" }, { async: true })
  const result = yield* started.result
  // @ts-expect-error -- a number
  result.total.toUpperCase()
  const streamed = yield* typed.execute({ document: "x" }, { stream: true })
  yield* Stream.runForEach(streamed.result, (part) => {
    // @ts-expect-error -- only the last part has the result
    void part.result
    return Effect.void
  })
  const found = yield* getExecution(id, { output: Schema.Struct({ total: Schema.Number }) }) // @ts-expect-error -- a number
  ;(yield* found.result).total.toUpperCase()
  const untyped = yield* canvas.make({ id }).execute({ anything: 1 })
  // @ts-expect-error -- unknown without a schema
  void untyped.result.total
  isFalse<IsAny<typeof untyped.result>>()
  isFalse<IsAny<Effect.Error<ReturnType<typeof typed.run>>>>()
})

export const spine = Effect.gen(function*() {
  const { runs } = yield* Spine.SpineClient
  // @ts-expect-error -- no such template
  yield* runs.create({ prompt: "x", template: "poem" })
  const run = yield* runs.run({ prompt: "x" })
  // @ts-expect-error -- no such member of a run
  void run.output
  isFalse<IsAny<typeof run>>()
  isFalse<IsAny<Effect.Error<ReturnType<typeof runs.run>>>>()
  const store = yield* RunStore.RunStore
  // @ts-expect-error -- an effect without a ref
  yield* store.runOnce("key", Effect.succeed(1))
})
