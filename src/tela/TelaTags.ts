/**
 * Finds runs by their tags.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { quote } from "../internal/describe.ts"
import { checkText } from "../internal/options.ts"
import * as RunRef from "../internal/ref.ts"
import * as Telemetry from "../internal/telemetry.ts"
import { InvalidResponseError, type RequestError } from "../RunError.ts"
import { TelaClient } from "./TelaClient.ts"
import { provider } from "./TelaExecution.ts"
import type * as Data from "./TelaSchema.ts"

const operation = "Tela.findByTag"

/**
 * Finds all asynchronous executions and tasks that were created with a tag, with the client of the context. It is a `lookup` for
 * `reconcile` of the `RunStore`, and for `DurableRun`.
 *
 * **Details**
 *
 * It first lists the executions and then the tasks, so that the second list has the task of each run in the first one. The key needs the
 * role `member`. The filter by tags, and the tags in a row, are assumptions about the provider. If a row lacks the tag, or the task of a
 * run of an application is not listed, the failure is an `InvalidResponseError`.
 *
 * **Example** (The runs with a tag)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   const { ref } = yield* canvas.execute({ topic: "tides" }, { async: true, tags: ["order-7"] })
 *   const found = yield* Tela.findByTag("order-7")
 *   return found.map(({ id, kind }) => [kind, id === ref.id])
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") })),
 *   Effect.provide(TelaEmulator.layerTest())
 * )
 *
 * console.log(await Effect.runPromise(main)) // => [["execution", true]]
 * ```
 *
 * @see {@link module:TelaCompletionRuns} and {@link module:TelaTasks} for the lists
 * @category lists
 * @since 0.1.0
 */
export const findByTag: (
  tag: string
) => Effect.Effect<ReadonlyArray<RunRef.RunRef>, RequestError, TelaClient> = /*#__PURE__*/ Effect.fnUntraced(
  function*(tag: string): Effect.fn.Return<ReadonlyArray<RunRef.RunRef>, RequestError, TelaClient> {
    yield* checkText(operation, "tag", tag)
    const tela = yield* TelaClient
    const filters = { tags: [tag], pageSize: 100 }
    const runs = yield* Stream.runCollect(tela.completionRuns.stream(filters))
    const found = yield* Stream.runCollect(tela.tasks.stream(filters))
    const other = [...runs, ...found].find(({ tags }) => !tags?.includes(tag))
    if (other !== undefined) {
      return yield* invalid(`${other.id} is listed without the tag`, tag, other)
    }
    const works = new Set(found.flatMap(({ completionRunId, workflowRunId }) => [completionRunId, workflowRunId]))
    const alone = runs.find(({ id, promptApplicationId }) => promptApplicationId !== undefined && !works.has(id))
    if (alone !== undefined) {
      return yield* invalid(`the task of the run ${alone.id} is not in the list of tasks with the tag`, tag, alone)
    }
    return [
      ...runs.filter(({ promptApplicationId }) => promptApplicationId === undefined).map(refOf("execution")),
      ...found.map(refOf("task"))
    ]
  },
  /*#__PURE__*/ Telemetry.span("Tela.findByTag", {})
)

const refOf = (kind: string) => ({ createdAt, id }: Data.CompletionRun | Data.Task): RunRef.RunRef => {
  const time = new Date(createdAt ?? "").getTime()
  return RunRef.make({ provider, kind, id, ...(Number.isNaN(time) ? undefined : { createdAt: time }) })
}

const invalid = (fault: string, tag: string, body: unknown) =>
  new InvalidResponseError({
    operation,
    message: `${operation}: ${fault} ${quote(tag)}. It is not known which runs have the tag. Look for them by hand.`,
    attempts: 1,
    elapsed: Duration.zero,
    isRetryable: false,
    body
  })
