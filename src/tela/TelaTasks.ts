/**
 * Tasks: the executions of workstation applications, which people review, correct and approve.
 *
 * **Example** (Correcting and approving an output)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const program = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
 *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
 *   ])
 *   yield* tela.tasks.patchOutputField(task.id, "total", 42)
 *   return yield* tela.tasks.approve(task.id)
 * })
 *
 * const { outputContent, status } = await program.pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("key") })),
 *   Effect.provide(TelaEmulator.layerTest()),
 *   Effect.runPromise
 * )
 *
 * console.log(status, outputContent?.content) // => completed { total: 42 }
 * ```
 *
 * @see https://docs.tela.com/en/creating-tasks
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { checkId } from "../internal/id.ts"
import * as Create from "../internal/create.ts"
import { messageOf, quote } from "../internal/describe.ts"
import * as Options from "../internal/options.ts"
import * as Paginate from "./internal/paginate.ts"
import * as Telemetry from "../internal/telemetry.ts"
import { type BadRequestError, type CreateError, refused, type RequestError } from "../RunError.ts"
import type * as RunRef from "../internal/ref.ts"
import { about, refOf } from "./internal/ref.ts"
import { jsonBody, type Runtime } from "./internal/request.ts"
import { decodeCreatedTask, outputIn } from "./internal/snapshot.ts"
import { provider } from "./TelaExecution.ts"
import * as TelaFile from "./TelaFile.ts"
import * as Wire from "./TelaSchema.ts"

/**
 * Any way to name a task: its id, or the ref of an execution that is one.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskTarget = string | RunRef.RunRef

/**
 * A task to create.
 *
 * @see https://docs.tela.com/api-reference/task/post-task
 * @category models
 * @since 0.1.0
 */
export interface NewTask {
  readonly name: string
  /** The variables of the application's canvas: an object with a member for each. Files in them are uploaded first. */
  readonly variables: object
  /** Called when the run has ended. */
  readonly webhookUrl?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** An output that is there already: nothing is executed, and the task waits for its review at once. */
  readonly outputContent?: unknown
}

/**
 * Which tasks are asked for; all of them by default.
 *
 * @see https://docs.tela.com/api-reference/task/get-task
 * @category models
 * @since 0.1.0
 */
export interface TaskFilters {
  readonly status?: Wire.Task["status"] | undefined
  readonly ids?: ReadonlyArray<string> | undefined
  readonly taskName?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly promptApplicationId?: string | undefined
  readonly promptVersionId?: string | undefined
  readonly completionRunId?: string | undefined
  readonly createdBy?: ReadonlyArray<string> | undefined
  readonly approvedBy?: ReadonlyArray<string> | undefined
  readonly createdAtSince?: DateTime.DateTime.Input | undefined
  readonly createdAtUntil?: DateTime.DateTime.Input | undefined
  readonly updatedAtSince?: DateTime.DateTime.Input | undefined
  readonly updatedAtUntil?: DateTime.DateTime.Input | undefined
  readonly approvedAtSince?: DateTime.DateTime.Input | undefined
  readonly approvedAtUntil?: DateTime.DateTime.Input | undefined
  /** What the list is ordered by; which fields it can be is not documented. */
  readonly orderBy?: "createdAt" | "updatedAt" | "approvedAt" | (string & {}) | undefined
  readonly order?: "asc" | "desc" | undefined
  /** Passed on as it is: what it does is not documented. */
  readonly objectLinks?: string | undefined
  /** Leaves inputs and outputs out of the rows, which makes the list much smaller. */
  readonly excludeInputOutputColumns?: boolean | undefined
}

/**
 * Whose progress is asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskProgressFilters extends Wire.PageParams {
  readonly promptApplicationId?: string | undefined
  readonly promptApplicationVersionId?: string | undefined
}

/**
 * A change of a task: what is absent stays.
 *
 * @see https://docs.tela.com/api-reference/task/patch-task-id
 * @category models
 * @since 0.1.0
 */
export interface TaskPatch {
  readonly name?: string | undefined
  /** Replace the tags there are. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** Laid over the output there is. */
  readonly outputContent?: { readonly content: unknown } | undefined
  /** Approves the task. */
  readonly status?: "completed" | undefined
}

/**
 * The endpoints about tasks, and what is built on them.
 *
 * **Details**
 *
 * What changes an output is repeated only if it surely was not carried out: the connection was never made, or the answer
 * is 429. Repeating it could overwrite what somebody has changed in between, and would be recorded as another edit. Other
 * changes lead to the same whether they are made once or twice, and are repeated like reads; a repeated approval may be
 * announced to webhooks twice.
 *
 * The provider lays an output that is sent over the one that is there, for tasks of canvases and workflows: keys that are
 * not sent stay, and an array of another length replaces the whole array. For tasks of agents it replaces the output.
 *
 * **Gotchas**
 *
 * A task that is still running cannot be changed: that is a `BadRequestError` with the `providerCode` `"UPDATE_FAILED"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tasks {
  /**
   * Creates 1 to 100 tasks of one application, all with one request. It is not repeated unless it surely did not reach
   * the provider, because each one that does may start, and bill, all of the runs.
   *
   * **Details**
   *
   * Variables that the application does not take are a `BadRequestError` with the `providerCode` `"INVALID_SCHEMA"`. To
   * wait for the output of one, go on with the `getExecution` of the application's canvas.
   *
   * @see https://docs.tela.com/api-reference/task/post-task
   */
  readonly create: <const NewTasks extends ReadonlyArray<NewTask>>(
    applicationId: string,
    tasks: NewTasks
  ) => Effect.Effect<{ readonly [Index in keyof NewTasks]: Wire.Task }, CreateError>
  /**
   * One task. `includeAnalytics` adds fields that are kept but have no type here, because they are not documented.
   *
   * @see https://docs.tela.com/api-reference/task/get-task-id
   */
  readonly get: (
    task: TaskTarget,
    options?: { readonly includeAnalytics?: boolean | undefined }
  ) => Effect.Effect<Wire.Task, RequestError>
  /**
   * One page of tasks.
   *
   * @see https://docs.tela.com/api-reference/task/get-task
   */
  readonly list: (filters?: TaskFilters & Wire.PageParams) => Effect.Effect<Wire.Page<Wire.Task>, RequestError>
  /**
   * All tasks, a page at a time as they are read, and each once.
   *
   * **Gotchas**
   *
   * A task that is deleted, or no longer matches, while this reads may let another be skipped. Change what you filter by
   * only after everything has been read.
   */
  readonly stream: (filters?: TaskFilters & Wire.StreamPageParams) => Stream.Stream<Wire.Task, RequestError>
  /** How far the tasks of an application are. */
  readonly progress: (filters?: TaskProgressFilters) => Effect.Effect<Wire.Page<Wire.TaskProgress>, RequestError>
  /**
   * Changes a task, and returns it as it is then.
   *
   * @see https://docs.tela.com/api-reference/task/patch-task-id
   */
  readonly update: (task: TaskTarget, patch: TaskPatch) => Effect.Effect<Wire.Task, RequestError>
  /** Approves the output of a task that is `validating`, which makes it `completed`. */
  readonly approve: (task: TaskTarget) => Effect.Effect<Wire.Task, RequestError>
  /** Gives a task another name. */
  readonly rename: (task: TaskTarget, name: string) => Effect.Effect<Wire.Task, RequestError>
  /** Sends a whole output, text or an object. Keys that are not in it stay, as {@link Tasks} tells. */
  readonly setOutputContent: (task: TaskTarget, content: unknown) => Effect.Effect<Wire.Task, RequestError>
  /**
   * Sends the part of an output that changes.
   *
   * **Gotchas**
   *
   * For the task of an agent the part becomes all there is. Use {@link Tasks.updateOutputContent} there, and to change
   * one item of an array.
   */
  readonly patchOutputContent: (
    task: TaskTarget,
    partial: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Wire.Task, RequestError>
  /** Changes one field, named by its path, such as `"customer.address.city"`; a path leads through objects only. */
  readonly patchOutputField: (task: TaskTarget, path: string, value: unknown) => Effect.Effect<Wire.Task, RequestError>
  /**
   * Reads the output, lets a function, or an effect, make another one of it, and sends that whole. It is the way to
   * change a single item of an array.
   *
   * **Gotchas**
   *
   * - An `update` that throws, or returns a Promise, is a `BadRequestError`, and changes nothing.
   * - What somebody else changes between the reading and the writing is overwritten: the provider offers no way to tell.
   * - A key that the function leaves out stays, as {@link Tasks} tells. Give it a `null` instead.
   */
  readonly updateOutputContent: <B>(
    task: TaskTarget,
    update: (content: unknown) => B
  ) => Effect.Effect<Wire.Task, RequestError | Effect.Error<B>, Effect.Services<B>>
  /** The files that a task was given. */
  readonly getInputFiles: (task: TaskTarget) => Effect.Effect<ReadonlyArray<Wire.InputFile>, RequestError>
  /**
   * What the task has produced, or somebody has made of it, once there is something.
   *
   * **Details**
   *
   * It is the `content` of the output. How the output of a workflow looks is not documented: where it lists `steps` it is
   * the output of the last one, and where it has neither it is all that there is.
   */
  readonly getOutput: (task: TaskTarget) => Effect.Effect<Option.Option<unknown>, RequestError>
}

/**
 * Makes {@link Tasks} on an API.
 *
 * @internal
 */
export const make = (runtime: Runtime): Tasks => {
  const { api } = runtime

  const read = <A>(
    operation: string,
    target: TaskTarget,
    decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>,
    urlParams: { readonly includeAnalytics?: boolean | undefined } = {}
  ): Effect.Effect<A, RequestError> =>
    Effect.flatMap(refOf(operation, "task", target, "task"), (ref) =>
      Effect.map(
        api.call({
          operation,
          request: HttpClientRequest.get(`/task/${ref.id}`, { urlParams }),
          decode: about(ref, decode),
          ref
        }),
        ({ value }) => value
      ).pipe(Telemetry.span("TelaTasks.get", Telemetry.attributes(ref))))

  const page = (operation: string, filters: TaskFilters, { limit, offset }: Wire.PageParams) =>
    Effect.flatMap(query(operation, filters), (urlParams) =>
      api.call({
        operation,
        request: HttpClientRequest.get("/task", { urlParams: { ...urlParams, limit, offset } }),
        decode: decodePage
      })).pipe(
        Effect.map(({ value }) => value),
        Telemetry.span("TelaTasks.list", { "run.provider": provider })
      )

  const write = (operation: string, target: TaskTarget, patch: TaskPatch): Effect.Effect<Wire.Task, RequestError> =>
    Effect.gen(function*() {
      const ref = yield* refOf(operation, "task", target, "task")
      const { body, hasOutput } = yield* Options.reading(operation, "patch", () => checkPatch(operation, patch))
      const { value } = yield* api.call({
        operation,
        request: HttpClientRequest.patch(`/task/${ref.id}`, { body }),
        decode: about(ref, decodeTask),
        ref,
        retryWhile: hasOutput ? wasNotCarriedOut : undefined
      }).pipe(Telemetry.span("TelaTasks.update", Telemetry.attributes(ref)))
      return value
    })

  const writeContent = (operation: string, target: TaskTarget, content: unknown) =>
    write(operation, target, { outputContent: { content } })

  return {
    create: ((applicationId, tasks) => Create.operation(create(runtime, applicationId, tasks))) as Tasks["create"],
    get: (task, options) =>
      Effect.flatMap(
        Effect.tap(
          Options.copy("tasks.get", "options", options, ["includeAnalytics"]),
          ({ includeAnalytics }) =>
            Options.checkKind("tasks.get", "includeAnalytics", includeAnalytics, Predicate.isBoolean, "true or false")
        ),
        ({ includeAnalytics }) => read("tasks.get", task, decodeTask, { includeAnalytics })
      ),
    list: (filters) =>
      Effect.gen(function*() {
        const operation = "tasks.list"
        const { limit, offset, ...rest } = yield* Options.copy(operation, "filters", filters, [
          ...filterNames,
          "limit",
          "offset"
        ])
        yield* Paginate.checkRange(operation, { limit, offset })
        return yield* page(operation, rest, { limit, offset })
      }),
    stream: (filters) =>
      Stream.unwrap(Effect.gen(function*() {
        const operation = "tasks.stream"
        const { pageSize = Paginate.defaultPageSize, ...rest } = yield* Options.copy(operation, "filters", filters, [
          ...filterNames,
          "pageSize"
        ])
        yield* Paginate.checkRange(operation, { pageSize })
        return Paginate.stream(pageSize, (range) => page(operation, rest, range))
      })),
    progress: (filters) =>
      Effect.gen(function*() {
        const operation = "tasks.progress"
        const { limit, offset, promptApplicationId, promptApplicationVersionId } = yield* Options.copy(
          operation,
          "filters",
          filters,
          progressFilterNames
        )
        yield* Paginate.checkRange(operation, { limit, offset })
        const ids = { promptApplicationId, promptApplicationVersionId }
        yield* checkIds(operation, ids)
        const request = HttpClientRequest.get("/task/progress", { urlParams: { ...ids, limit, offset } })
        return (yield* api.call({ operation, request, decode: decodeProgress })).value
      }).pipe(Telemetry.span("TelaTasks.progress", { "run.provider": provider })),
    update: (task, patch) => write("tasks.update", task, patch),
    approve: (task) => write("tasks.approve", task, { status: "completed" }),
    rename: (task, name) => write("tasks.rename", task, { name }),
    setOutputContent: (task, content) => writeContent("tasks.setOutputContent", task, content),
    patchOutputContent: (task, partial) =>
      Effect.andThen(
        Options.checkKind(
          "tasks.patchOutputContent",
          "partial",
          partial ?? null,
          Predicate.isObject,
          "an object with the fields to change. To send a whole output, use setOutputContent"
        ),
        writeContent("tasks.patchOutputContent", task, partial)
      ),
    patchOutputField: (task, path, value) =>
      Effect.flatMap(
        nest("tasks.patchOutputField", path, value),
        (partial) => writeContent("tasks.patchOutputField", task, partial)
      ),
    updateOutputContent: (<E, R>(target: TaskTarget, update: (content: unknown) => unknown) =>
      Effect.gen(function*() {
        const operation = "tasks.updateOutputContent"
        yield* Options.checkKind(operation, "update", update ?? null, Predicate.isFunction, "a function")
        const { outputContent } = yield* read(operation, target, decodeTask)
        const wrong = (message: string) => refused({ operation, parameter: "update", message, sent: true })
        const updated = yield* Effect.try({
          try: () => update(outputContent?.content),
          catch: (thrown) => wrong(`update threw: ${messageOf(thrown)}. Nothing was changed.`)
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

const decodeTask = Schema.decodeUnknownEffect(Wire.Task)
const decodePage = Wire.decodePage(Wire.Task)
const decodeProgress = Wire.decodePage(Wire.TaskProgress)
const decodeInput = Schema.decodeUnknownEffect(Wire.TaskInput)

/** Strict about the files, which a task's other readers may leave out. */
const decodeInputFiles = (body: unknown) =>
  Effect.map(decodeInput(body), ({ inputContent }) => inputContent?.files ?? [])

/** The response is a list, or a task alone. A list of another length does not say which tasks are missing, so it does not decode. */
const decodeCreated = (count: number) => {
  const decode = Schema.decodeUnknownEffect(
    Schema.Array(Schema.Unknown).check(Schema.isMinLength(count), Schema.isMaxLength(count))
  )
  return (body: unknown) =>
    Effect.flatMap(
      decode(Array.isArray(body) ? body : [body]),
      (tasks) => Effect.forEach(tasks, (task) => decodeCreatedTask(task))
    )
}

const wasNotCarriedOut = (error: RequestError): boolean =>
  error._tag === "RateLimitError" || error._tag === "TransportError" && !error.reached

const checkIds = (operation: string, ids: { readonly [parameter: string]: string | undefined }) =>
  Effect.forEach(
    Object.entries(ids),
    ([parameter, id]) => id === undefined ? Effect.void : checkId(operation, parameter, id),
    { discard: true }
  )

const filterNames: ReadonlyArray<keyof TaskFilters> = [
  "status",
  "ids",
  "taskName",
  "tags",
  "promptApplicationId",
  "promptVersionId",
  "completionRunId",
  "createdBy",
  "approvedBy",
  "createdAtSince",
  "createdAtUntil",
  "updatedAtSince",
  "updatedAtUntil",
  "approvedAtSince",
  "approvedAtUntil",
  "orderBy",
  "order",
  "objectLinks",
  "excludeInputOutputColumns"
]

const progressFilterNames: ReadonlyArray<keyof TaskProgressFilters> = [
  "promptApplicationId",
  "promptApplicationVersionId",
  "limit",
  "offset"
]

const query = (operation: string, filters: TaskFilters) =>
  Effect.gen(function*() {
    const { approvedBy, completionRunId, createdBy, promptApplicationId, promptVersionId } = filters
    const { approvedAtSince, approvedAtUntil, createdAtSince, createdAtUntil, updatedAtSince, updatedAtUntil } = filters
    const ids = { promptApplicationId, promptVersionId, completionRunId }
    yield* checkIds(operation, ids)
    const moments = yield* Paginate.checkMoments(operation, {
      createdAtSince,
      createdAtUntil,
      updatedAtSince,
      updatedAtUntil,
      approvedAtSince,
      approvedAtUntil
    })
    const { excludeInputOutputColumns, objectLinks, order, orderBy, status, taskName } = filters
    yield* Paginate.checkKinds(operation, Predicate.isString, "text", { objectLinks, order, orderBy, status, taskName })
    yield* Paginate.checkKinds(operation, isTexts, "an array of texts", { approvedBy, createdBy })
    yield* Paginate.checkKinds(operation, Predicate.isBoolean, "true or false", { excludeInputOutputColumns })
    return {
      ...ids,
      ...moments,
      ids: yield* Paginate.checkList(operation, "ids", filters.ids),
      tags: yield* Paginate.checkList(operation, "tags", filters.tags),
      "createdBy[]": createdBy,
      "approvedBy[]": approvedBy,
      status,
      taskName,
      orderBy,
      order,
      objectLinks,
      excludeInputOutputColumns
    }
  })

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(Predicate.isString)

const checkPatch = (
  operation: string,
  given: TaskPatch
): Effect.Effect<{ readonly body: HttpBody.HttpBody; readonly hasOutput: boolean }, BadRequestError> =>
  Effect.gen(function*() {
    const patch = yield* Options.copyRequired(operation, "patch", given, ["name", "tags", "outputContent", "status"])
    const { name, status, tags } = patch
    const wrong = (parameter: string, message: string) => refused({ operation, parameter, message })
    if (Object.keys(patch).length === 0) {
      return yield* wrong("patch", "patch is empty. Give a name, tags, outputContent or a status to change.")
    }
    if (name !== undefined) yield* Options.checkText(operation, "name", name)
    yield* Options.checkKind(operation, "tags", tags, isTexts, "an array of texts")
    yield* Options.checkKind(operation, "status", status, (status) => status === "completed", "\"completed\"")
    const hasOutput = patch.outputContent !== undefined
    const outputContent = hasOutput
      ? yield* Options.copy(operation, "outputContent", patch.outputContent, ["content"])
      : undefined
    if (outputContent !== undefined && outputContent.content === undefined) {
      return yield* wrong("content", "content is undefined. To empty an output, give null.")
    }
    return { body: yield* jsonBody(operation, "content", { name, tags, outputContent, status }), hasOutput }
  })

/** Turns a path and a value into the object that has the value there, and nothing else. */
const nest = (
  operation: string,
  path: string,
  value: unknown
): Effect.Effect<Record<string, unknown>, BadRequestError> => {
  const wrong = (message: string) => Effect.fail(refused({ operation, parameter: "path", message }))
  const keys = typeof path === "string" ? path.split(".") : [""]
  if (keys.some((key) => key.trim() === "" || key === "__proto__")) {
    return wrong(`path is ${quote(path)}; it must be names of fields with dots between them, such as "customer.name".`)
  }
  if (keys.some((key) => /^\d+$|[[\]]/.test(key))) {
    return wrong(`path is ${quote(path)}, which leads into an array. To change an item, use updateOutputContent.`)
  }
  return value === undefined
    ? Effect.fail(
      refused({ operation, parameter: "value", message: "value is undefined. To empty a field, give null." })
    )
    : Effect.succeed(
      keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>
    )
}

const outputOf = ({ outputContent }: Wire.Task): Option.Option<unknown> => {
  if (outputContent === undefined) return Option.none()
  const output = outputIn(outputContent)
  return Option.some(output === undefined ? outputContent : output)
}

const create = (
  runtime: Runtime,
  applicationId: string,
  given: ReadonlyArray<NewTask>
): Effect.Effect<ReadonlyArray<Wire.Task>, CreateError> =>
  Effect.gen(function*() {
    const operation = "tasks.create"
    const promptApplicationId = yield* checkId(operation, "applicationId", applicationId)
    const tasks = yield* Options.reading(operation, "tasks", () => checkTasks(operation, given))
    yield* Effect.annotateCurrentSpan("task.count", tasks.length)
    // Files are found in all tasks at once, so that one that several share is uploaded once
    const variables = (yield* TelaFile.resolve(
      runtime,
      operation,
      tasks.map(({ variables }) => variables),
      (path) => path.replace(/^\[(\d+)\]/, "tasks[$1].variables")
    )) as ReadonlyArray<unknown>
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
    const { value } = yield* Create.create(
      runtime.api,
      { operation, request: HttpClientRequest.post("/task", { body }), decode: decodeCreated(tasks.length) },
      { retryCreates: runtime.retryCreates }
    )
    yield* Effect.forEach(value, () => Telemetry.countCreated(provider), { discard: true })
    return value
  }).pipe(Telemetry.span("TelaTasks.create", { "run.provider": provider }))

/** Copies the tasks. */
const checkTasks = (operation: string, given: unknown): Effect.Effect<ReadonlyArray<NewTask>, BadRequestError> => {
  const wrong = (message: string) => Effect.fail(refused({ operation, parameter: "tasks", message }))
  if (!Array.isArray(given)) return wrong(`tasks is ${quote(given)}; it must be an array of tasks.`)
  const tasks: ReadonlyArray<NewTask> = Array.from(given)
  if (tasks.length < 1 || tasks.length > maxTasks) {
    return wrong(`there are ${tasks.length} tasks. One request creates 1 to ${maxTasks}.`)
  }
  return Effect.forEach(tasks, (task, index) => {
    const place = `tasks[${index}]`
    return Effect.tap(
      Options.copyRequired(operation, place, task, taskNames),
      ({ name, tags, webhookUrl }) =>
        Effect.andThen(
          Options.checkText(operation, `${place}.name`, name ?? null),
          Effect.andThen(
            Options.checkKind(operation, `${place}.tags`, tags, isTexts, "an array of texts"),
            Options.checkUrl(operation, `${place}.webhookUrl`, webhookUrl)
          )
        )
    )
  })
}

const taskNames: ReadonlyArray<keyof NewTask> = ["name", "variables", "webhookUrl", "tags", "metadata", "outputContent"]

/** How many tasks one request may create. */
const maxTasks = 100
