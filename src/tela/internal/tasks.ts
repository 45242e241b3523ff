/** Tasks: how they are read, listed, changed and created. */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type * as Http from "../../internal/http/call.ts"
import type { Client } from "../../internal/http/client.ts"
import * as Create from "../../internal/http/create.ts"
import { messageOf, quote } from "../../internal/describe.ts"
import { checkId } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { badRequest, type BadRequestError, type CreateError, type RequestError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import * as Page from "../TelaPage.ts"
import * as Data from "../TelaSchema.ts"
import type { NewTask, TaskFilters, TaskPatch, TaskProgressFilters, Tasks, TaskTarget } from "../TelaTasks.ts"
import * as Files from "./files.ts"
import { get } from "./get.ts"
import * as Paginate from "./paginate.ts"
import { about, refOf } from "./ref.ts"
import { jsonBody } from "./request.ts"
import { decodeCreatedTask, outputIn } from "./source.ts"

/** Makes `tela.tasks`. */
export const make = (client: Client): Tasks => {
  const { api } = client
  const list = { api, service: "tasks" }

  const read = <A>(operation: string, target: TaskTarget, decode: Http.Call<A>["decode"], includeAnalytics?: boolean) =>
    Effect.flatMap(refOf(operation, "task", target, "task"), (ref) => {
      const options = { urlParams: { includeAnalytics }, ref, span: "TelaTasks.get" }
      return get(api, operation, `/task/${ref.id}`, about(ref, decode), options)
    })

  const write = (operation: string, target: TaskTarget, patch: TaskPatch): Effect.Effect<Data.Task, RequestError> =>
    Effect.gen(function*() {
      const ref = yield* refOf(operation, "task", target, "task")
      const { name, outputContent, status, tags } = yield* Options.reading(
        operation,
        "patch",
        () => checkPatch(operation, patch)
      )
      const body = yield* jsonBody(operation, "content", { name, tags, outputContent, status })
      const { value } = yield* api.call({
        operation,
        request: HttpClientRequest.patch(`/task/${ref.id}`, { body }),
        decode: about(ref, status === undefined ? decodeTask : decodeApproved),
        ref,
        retryWhile: outputContent === undefined ? undefined : wasNotCarriedOut
      }).pipe(Telemetry.span("TelaTasks.update", Telemetry.attributes(ref)))
      return value
    })

  const writeContent = (operation: string, target: TaskTarget, content: unknown) =>
    write(operation, target, { outputContent: { content } })

  return {
    create: ((applicationId, tasks) => Create.operation(create(client, applicationId, tasks))) as Tasks["create"],
    get: (task, options) =>
      Effect.gen(function*() {
        const operation = "tasks.get"
        const { includeAnalytics } = yield* Options.copy(operation, "options", options, ["includeAnalytics"])
        yield* Options.checkKind(operation, "includeAnalytics", includeAnalytics, Predicate.isBoolean, "true or false")
        return yield* read(operation, task, decodeTask, includeAnalytics)
      }),
    ...Paginate.methods({ ...list, path: "/task", filters, decode: decodePage, span: "TelaTasks.list" }),
    progress: Paginate.page<Omit<TaskProgressFilters, keyof Page.PageParams>, Data.TaskProgress>({
      ...list,
      path: "/task/progress",
      filters: { promptApplicationId: Paginate.id, promptApplicationVersionId: Paginate.id },
      decode: decodeProgress,
      span: "TelaTasks.progress"
    }, "progress"),
    update: (task, patch) => write("tasks.update", task, patch),
    approve: (task) => write("tasks.approve", task, { status: "completed" }),
    rename: (task, name) =>
      Effect.andThen(Options.checkText("tasks.rename", "name", name), write("tasks.rename", task, { name })),
    setOutputContent: (task, content) => writeContent("tasks.setOutputContent", task, content),
    patchOutputContent: (task, partial) =>
      Effect.gen(function*() {
        const operation = "tasks.patchOutputContent"
        const expected = "an object with the fields to change. To send a whole output, use setOutputContent"
        yield* Options.checkGiven(operation, "partial", partial, Predicate.isObject, expected)
        return yield* writeContent(operation, task, partial)
      }),
    patchOutputField: (task, path, value) =>
      Effect.flatMap(
        nest("tasks.patchOutputField", path, value),
        (partial) => writeContent("tasks.patchOutputField", task, partial)
      ),
    updateOutputContent: (<E, R>(target: TaskTarget, update: (content: unknown) => unknown) =>
      Effect.gen(function*() {
        const operation = "tasks.updateOutputContent"
        yield* Options.checkGiven(operation, "update", update, Predicate.isFunction, "a function")
        const { outputContent } = yield* read(operation, target, decodeTask)
        const wrong = (message: string) => badRequest({ operation, parameter: "update", message, sent: true })
        const updated = yield* Effect.try({
          try: () => update(outputContent?.content),
          catch: (thrown) => wrong(`update threw: ${messageOf(thrown)}. Correct it. Nothing was changed.`)
        })
        if (Predicate.isPromiseLike(updated)) {
          return yield* wrong(
            "update returned a Promise. Return an Effect, such as Effect.promise. Nothing was changed."
          )
        }
        const content = Effect.isEffect(updated) ? yield* updated as Effect.Effect<unknown, E, R> : updated
        return yield* writeContent(operation, target, content)
      })) as Tasks["updateOutputContent"],
    getInputFiles: (task) => read("tasks.getInputFiles", task, decodeInputFiles),
    getOutput: (task) => Effect.map(read("tasks.getOutput", task, decodeTask), outputOf)
  }
}

const decodeTask = Schema.decodeUnknownEffect(Data.Task)
const decodeCompleted = Schema.decodeUnknownEffect(Schema.Struct({ status: Schema.Literal("completed") }))

/** A response with another status does not say that the task was approved. */
const decodeApproved = (body: unknown) => Effect.andThen(decodeCompleted(body), decodeTask(body))

const decodePage = Page.decodePage(Data.Task)
const decodeProgress = Page.decodePage(Data.TaskProgress)
const decodeInput = Schema.decodeUnknownEffect(Data.TaskInput)

/** Decodes the files. Other functions that read a task skip files that do not decode. */
const decodeInputFiles = (body: unknown) =>
  Effect.map(decodeInput(body), ({ inputContent }) => inputContent?.files ?? [])

/** If a task is listed twice, another one is missing. */
const areDifferent = Schema.makeFilter(
  (tasks: ReadonlyArray<unknown>) =>
    new Set(tasks.map((task, index) => Predicate.hasProperty(task, "id") ? task.id : index)).size === tasks.length,
  { expected: "a list of different tasks" }
)

/**
 * The response is a list, or a single task. A list of the wrong length does not say which tasks are missing, so it does not
 * decode.
 */
const decodeCreated = (count: number) => {
  const decode = Schema.decodeUnknownEffect(
    Schema.Array(Schema.Unknown).check(Schema.isMinLength(count), Schema.isMaxLength(count), areDifferent)
  )
  return (body: unknown) =>
    Effect.flatMap(
      decode(Array.isArray(body) ? body : [body]),
      (tasks) => Effect.forEach(tasks, (task) => decodeCreatedTask(task))
    )
}

const wasNotCarriedOut = (error: RequestError): boolean =>
  error._tag === "RateLimitError" || error._tag === "TransportError" && !error.reached

const filters: Paginate.Filters<TaskFilters> = {
  ...Struct.Record(["promptApplicationId", "promptVersionId", "completionRunId"], Paginate.id),
  ...Struct.Record(["createdAtSince", "createdAtUntil", "updatedAtSince", "updatedAtUntil"], Paginate.moment),
  ...Struct.Record(["approvedAtSince", "approvedAtUntil"], Paginate.moment),
  ...Struct.Record(["ids", "tags"], Paginate.list),
  ...Struct.Record(["createdBy", "approvedBy"], Paginate.texts),
  ...Struct.Record(["status", "taskName", "orderBy", "order", "objectLinks"], Paginate.text),
  excludeInputOutputColumns: Paginate.flag
}

const checkPatch = (operation: string, given: TaskPatch): Effect.Effect<TaskPatch, BadRequestError> =>
  Effect.gen(function*() {
    const patch = yield* Options.copyRequired(operation, "patch", given, ["name", "tags", "outputContent", "status"])
    const wrong = (parameter: string, message: string) => badRequest({ operation, parameter, message })
    if (Object.keys(patch).length === 0) {
      return yield* wrong("patch", "patch is empty. Give a name, tags, outputContent or a status to change.")
    }
    if (patch.name !== undefined) yield* Options.checkText(operation, "name", patch.name)
    yield* Options.checkKind(operation, "tags", patch.tags, Paginate.isTexts, Paginate.textsOnly)
    yield* Options.checkKind(operation, "status", patch.status, (status) => status === "completed", "\"completed\"")
    if (patch.outputContent === undefined) return patch
    const outputContent = yield* Options.copy(operation, "outputContent", patch.outputContent, ["content"])
    return outputContent.content === undefined
      ? yield* wrong("content", "content is undefined. To empty an output, give null.")
      : { ...patch, outputContent }
  })

/** Turns a path and a value into an object that has only this value, at this path. */
const nest = (operation: string, path: string, value: unknown) => {
  const wrong = (message: string, parameter = "path") => Effect.fail(badRequest({ operation, parameter, message }))
  const keys = typeof path === "string" ? path.split(".") : [""]
  if (keys.some((key) => key.trim() === "" || key === "__proto__")) {
    return wrong(`path is ${quote(path)}; it must be names of fields with dots between them, such as "customer.name".`)
  }
  if (keys.some((key) => /^\d+$|[[\]]/.test(key))) {
    return wrong(`path is ${quote(path)}, which leads into an array. To change an item, use updateOutputContent.`)
  }
  return value === undefined
    ? wrong("value is undefined. To empty a field, give null.", "value")
    : Effect.succeed(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>)
}

const outputOf = ({ outputContent }: Data.Task): Option.Option<unknown> => {
  if (outputContent === undefined) return Option.none()
  const output = outputIn(outputContent)
  return Option.some(output === undefined ? outputContent : output)
}

const create = (
  client: Client,
  applicationId: string,
  newTasks: ReadonlyArray<NewTask>
): Effect.Effect<ReadonlyArray<Data.Task>, CreateError> =>
  Effect.gen(function*() {
    const operation = "tasks.create"
    const promptApplicationId = yield* checkId(operation, "applicationId", applicationId)
    const tasks = yield* Options.reading(operation, "tasks", () => checkTasks(operation, newTasks))
    yield* Effect.annotateCurrentSpan("task.count", tasks.length)
    // Resolved for all tasks at once, so that a file that several tasks share is uploaded once
    const given = tasks.map(({ variables }) => variables)
    const variables = (yield* Files.resolve(client, operation, given, "tasks")) as ReadonlyArray<unknown>
    const body = yield* jsonBody(
      operation,
      "tasks",
      tasks.map(({ metadata, name, outputContent, tags, webhookUrl }, index) => ({
        promptApplicationId,
        name,
        rawInput: { variables: variables[index], webhook_url: webhookUrl },
        outputContent: outputContent === undefined ? undefined : { content: outputContent },
        metadata,
        tags
      }))
    )
    const request = HttpClientRequest.post("/task", { body })
    const { value } = yield* Create.create(
      client,
      (once) => client.api.call({ operation, request, decode: decodeCreated(tasks.length), ...once })
    )
    yield* Effect.forEach(value, () => Telemetry.countCreated(provider), { discard: true })
    return value
  }).pipe(Telemetry.span("TelaTasks.create", { "run.provider": provider }))

/** Copies the tasks. */
const checkTasks = (operation: string, given: unknown): Effect.Effect<ReadonlyArray<NewTask>, BadRequestError> => {
  const wrong = (message: string) => Effect.fail(badRequest({ operation, parameter: "tasks", message }))
  if (!Array.isArray(given)) return wrong(`tasks is ${quote(given)}; it must be an array of tasks.`)
  const tasks: ReadonlyArray<NewTask> = Array.from(given)
  if (tasks.length < 1 || tasks.length > maxTasks) {
    return wrong(`tasks has ${tasks.length} items; it must have 1 to ${maxTasks}. Send more in several calls.`)
  }
  return Effect.forEach(tasks, (given, index) =>
    Effect.gen(function*() {
      const place = `tasks[${index}]`
      const task = yield* Options.copyRequired(operation, place, given, taskNames)
      yield* Options.checkText(operation, `${place}.name`, task.name)
      yield* Options.checkKind(operation, `${place}.tags`, task.tags, Paginate.isTexts, Paginate.textsOnly)
      yield* Options.checkUrl(operation, `${place}.webhookUrl`, task.webhookUrl)
      return task
    }))
}

const taskNames: ReadonlyArray<keyof NewTask> = ["name", "variables", "webhookUrl", "tags", "metadata", "outputContent"]

/** How many tasks one request may create. */
const maxTasks = 100
