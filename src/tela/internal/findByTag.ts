/** Finds what was created with a tag. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { quote } from "../../internal/describe.ts"
import { checkText } from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { InvalidResponseError, type RequestError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import type * as Data from "../TelaSchema.ts"

const operation = "findByTag"

/** All rows of a list with one of the tags. */
type List<A> = (
  filters: { readonly tags: ReadonlyArray<string>; readonly pageSize: number }
) => Stream.Stream<A, RequestError>

/** Lists the tasks after the runs, so that the task of each run is in its list. */
export const findByTag = (listRuns: List<Data.CompletionRun>, listTasks: List<Data.Task>) =>
  Effect.fnUntraced(function*(tag: string): Effect.fn.Return<ReadonlyArray<RunRef.RunRef>, RequestError> {
    yield* checkText(operation, "tag", tag)
    const filters = { tags: [tag], pageSize: 100 }
    const runs = yield* Stream.runCollect(listRuns(filters))
    const found = yield* Stream.runCollect(listTasks(filters))
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
  }, Telemetry.span("TelaClient.findByTag", {}))

const refOf = (kind: string) => ({ createdAt, id }: Data.CompletionRun | Data.Task): RunRef.RunRef => {
  const time = new Date(createdAt ?? "").getTime()
  return RunRef.make({ provider, kind, id, ...(Number.isNaN(time) ? undefined : { createdAt: time }) })
}

const invalid = (fault: string, tag: string, body: unknown) =>
  new InvalidResponseError({
    operation,
    message: `${operation}: ${fault} ${quote(tag)}. What was created with the tag is not known. Look for it by hand.`,
    attempts: 1,
    elapsed: Duration.zero,
    isRetryable: false,
    body
  })
