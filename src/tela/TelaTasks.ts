/**
 * Tasks: the executions of workstation applications, which people review, correct and approve.
 *
 * **Example** (Correcting and approving an output)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
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
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("key") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest())
 *   )),
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
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type * as RunRef from "../internal/ref.ts"
import type { CreateError, RequestError } from "../RunError.ts"
import type * as Page from "./TelaPage.ts"
import type * as Data from "./TelaSchema.ts"

/**
 * Names a task: its id, or the ref of an execution that is a task. Anything else, such as the ref of an execution of a canvas, is a
 * `BadRequestError` before any request.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskTarget = string | RunRef.RunRef

/**
 * A task to create with `tasks.create`.
 *
 * @see https://docs.tela.com/api-reference/task/post-task
 * @category models
 * @since 0.1.0
 */
export interface NewTask {
  /** The name of the task, as people see it. */
  readonly name: string
  /** The variables of the application's canvas: an object with a member for each. Files in them are uploaded first. */
  readonly variables: object
  /** The http(s) address, to which the provider posts the run when it has succeeded or failed. */
  readonly webhookUrl?: string | undefined
  /** Tags, by which `tasks.list` filters. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** Data of yours that is stored with the task. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** An output that exists already. Nothing is executed, and the task waits for its review at once, as `validating`. */
  readonly outputContent?: unknown
}

/**
 * The filters of a list of tasks. A task has to match all of them. The default is all tasks. A value of the wrong type is a
 * `BadRequestError` before any request.
 *
 * @see https://docs.tela.com/api-reference/task/get-task
 * @category models
 * @since 0.1.0
 */
export interface TaskFilters {
  /** The status, as the provider names it. */
  readonly status?: Data.Task["status"] | undefined
  /** The ids of the tasks. */
  readonly ids?: ReadonlyArray<string> | undefined
  /** The name of the tasks. The provider does not document whether a part of it is enough. */
  readonly taskName?: string | undefined
  /** Tags. No tag may have a comma. The provider does not document whether a task must have all of them. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** The id of the application. */
  readonly promptApplicationId?: string | undefined
  /** The id of the version of the canvas. */
  readonly promptVersionId?: string | undefined
  /** The id of the run that works for the task. */
  readonly completionRunId?: string | undefined
  /** The people who created the tasks, as a task names them in `createdBy`. */
  readonly createdBy?: ReadonlyArray<string> | undefined
  /** The people who approved the tasks, as a task names them in `approvedBy`. */
  readonly approvedBy?: ReadonlyArray<string> | undefined
  /** The earliest time of creation: a `DateTime`, a `Date`, an ISO text, or Unix milliseconds. */
  readonly createdAtSince?: DateTime.DateTime.Input | undefined
  /** The latest time of creation. */
  readonly createdAtUntil?: DateTime.DateTime.Input | undefined
  /** The earliest time of the last change. */
  readonly updatedAtSince?: DateTime.DateTime.Input | undefined
  /** The latest time of the last change. */
  readonly updatedAtUntil?: DateTime.DateTime.Input | undefined
  /** The earliest time of approval. */
  readonly approvedAtSince?: DateTime.DateTime.Input | undefined
  /** The latest time of approval. */
  readonly approvedAtUntil?: DateTime.DateTime.Input | undefined
  /** The field that orders the list. The provider does not document which fields it can be. */
  readonly orderBy?: "createdAt" | "updatedAt" | "approvedAt" | (string & {}) | undefined
  /** Whether the list ascends or descends. The default is the provider's. */
  readonly order?: "asc" | "desc" | undefined
  /** Sent unchanged. The provider does not document what it does. */
  readonly objectLinks?: string | undefined
  /** Leaves inputs and outputs out of the rows, which makes the list much smaller. */
  readonly excludeInputOutputColumns?: boolean | undefined
}

/**
 * The tasks whose progress to list. The default is all tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskProgressFilters extends Page.PageParams {
  /** The id of the application. */
  readonly promptApplicationId?: string | undefined
  /** The id of the version of the application. */
  readonly promptApplicationVersionId?: string | undefined
}

/**
 * A change of a task. Fields that are absent are not changed. A patch without any field is a `BadRequestError`.
 *
 * @see https://docs.tela.com/api-reference/task/patch-task-id
 * @category models
 * @since 0.1.0
 */
export interface TaskPatch {
  /** The new name. */
  readonly name?: string | undefined
  /** The new tags, which replace all tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** A part of the output, which is merged into the present output, as {@link Tasks} says. */
  readonly outputContent?: {
    /** The content of the output: text, or an object with the fields to change. */
    readonly content: unknown
  } | undefined
  /** Approves the task. The provider accepts no other status. */
  readonly status?: "completed" | undefined
}

/**
 * The endpoints about tasks, and methods that are built on them. Each method fails with the errors of a request, such as
 * `NotFoundError` for a task that does not exist.
 *
 * **When to use**
 *
 * | to change | use |
 * | --- | --- |
 * | one field of an output | `patchOutputField` |
 * | several fields, or a nested object | `patchOutputContent` |
 * | an item of an array, or the output of an agent | `updateOutputContent` |
 * | the whole output, or an output that is text | `setOutputContent` |
 * | name, tags and output with one request | `update` |
 *
 * To create one task and wait for its output, use `execute` or `run` of its application (`canvas.make({ applicationId })`).
 *
 * **Details**
 *
 * A change of an output is repeated only if the provider certainly did not carry it out: the connection was never made, or the
 * response is 429. A repetition could overwrite a change that was made in between, and would be recorded as another edit. Other
 * changes are idempotent, and are repeated like reads. A repeated approval may reach webhooks twice.
 *
 * For tasks of canvases and workflows, the provider merges the output that is sent into the present one: keys that are not sent
 * stay, and an array of another length replaces the whole array. For tasks of agents, it replaces the output.
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
   * Creates 1 to 100 tasks of one application with one request, and returns them. The request is repeated only if it certainly did
   * not reach the provider, because each request may start, and bill, all of the runs.
   *
   * **Details**
   *
   * Variables that the application does not take are a `BadRequestError` with the `providerCode` `"INVALID_SCHEMA"`. An unknown
   * outcome is a `CreateOutcomeUnknownError`: list the tasks before you create them again. To wait for the output of a task, pass
   * its id to `getExecution` of its application.
   *
   * **Example** (Two tasks with one request)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const app = "22222222-2222-4222-8222-222222222222"
   *   const tasks = yield* tela.tasks.create(app, [
   *     { name: "Invoice 17", variables: { number: 17 } },
   *     { name: "Invoice 18", variables: { number: 18 }, tags: ["urgent"] }
   *   ])
   *   return tasks.map(({ name, status }) => `${name} ${status}`)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["Invoice 17 running", "Invoice 18 running"]
   * ```
   *
   * @see {@link module:TelaCanvas} for `execute` and `run` of an application
   * @see https://docs.tela.com/api-reference/task/post-task
   */
  readonly create: <const NewTasks extends ReadonlyArray<NewTask>>(
    applicationId: string,
    tasks: NewTasks
  ) => Effect.Effect<{ readonly [Index in keyof NewTasks]: Data.Task }, CreateError>
  /**
   * Returns one task.
   *
   * **Example** (Reading a task)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   const found = yield* tela.tasks.get(task.id)
   *   return [found.name, found.status]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["Invoice 17", "validating"]
   * ```
   *
   * @see {@link Tasks.getOutput} for the output alone
   * @see https://docs.tela.com/api-reference/task/get-task-id
   */
  readonly get: (
    task: TaskTarget,
    options?: {
      /**
       * Adds the provider's analytics. The task keeps these fields, which have no type because they are not documented.
       *
       * @default false
       */
      readonly includeAnalytics?: boolean | undefined
    }
  ) => Effect.Effect<Data.Task, RequestError>
  /**
   * Returns one page of tasks. The length of the page is `limit`, and the provider's default without it.
   *
   * **Example** (The tasks that wait for review)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   const page = yield* tela.tasks.list({ status: "validating", limit: 20 })
   *   return [page.total, page.data.map(({ name }) => name)]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => [1, ["Invoice 17"]]
   * ```
   *
   * @see {@link Tasks.stream} for all pages
   * @see https://docs.tela.com/api-reference/task/get-task
   */
  readonly list: (filters?: TaskFilters & Page.PageParams) => Effect.Effect<Page.Page<Data.Task>, RequestError>
  /**
   * Emits all tasks, each once, and requests a page when it is needed. It fails with an `InvalidResponseError` if the provider's
   * pages lack tasks of its total.
   *
   * **Gotchas**
   *
   * If a task is deleted or no longer matches meanwhile, another one may be skipped. Change what you filter by only after all tasks
   * have been read.
   *
   * **Example** (The names of all tasks of an application)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const app = "22222222-2222-4222-8222-222222222222"
   *   yield* tela.tasks.create(app, ["A", "B", "C"].map((name) => ({ name, variables: {} })))
   *   const tasks = tela.tasks.stream({ promptApplicationId: app, orderBy: "createdAt", order: "asc" })
   *   return yield* tasks.pipe(Stream.map(({ name }) => name), Stream.runCollect)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["A", "B", "C"]
   * ```
   *
   * @see {@link Tasks.list} for one page
   * @see https://docs.tela.com/api-reference/task/get-task
   */
  readonly stream: (filters?: TaskFilters & Page.StreamPageParams) => Stream.Stream<Data.Task, RequestError>
  /**
   * Returns one page of the progress of an application's tasks.
   *
   * **Example** (The progress of a task)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const app = "22222222-2222-4222-8222-222222222222"
   *   yield* tela.tasks.create(app, [{ name: "Invoice 17", variables: {} }])
   *   const { data } = yield* tela.tasks.progress({ promptApplicationId: app })
   *   return data.map(({ progress, status }) => [status, progress?.percentage])
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => [["running", 0]]
   * ```
   *
   * @see https://docs.tela.com/api-reference/task/progress
   */
  readonly progress: (filters?: TaskProgressFilters) => Effect.Effect<Page.Page<Data.TaskProgress>, RequestError>
  /**
   * Changes a task, and returns the changed task.
   *
   * **Example** (Renaming and tagging with one request)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   const changed = yield* tela.tasks.update(task.id, { name: "Invoice 18", tags: ["paid"] })
   *   return [changed.name, changed.tags]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["Invoice 18", ["paid"]]
   * ```
   *
   * @see https://docs.tela.com/api-reference/task/patch-task-id
   */
  readonly update: (task: TaskTarget, patch: TaskPatch) => Effect.Effect<Data.Task, RequestError>
  /**
   * Approves the output of a task that is `validating`, which makes it `completed`, and returns the task.
   *
   * **Example** (Approving an output)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   const approved = yield* tela.tasks.approve(task.id)
   *   return approved.status
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => completed
   * ```
   *
   * @see https://docs.tela.com/api-reference/task/patch-task-id
   */
  readonly approve: (task: TaskTarget) => Effect.Effect<Data.Task, RequestError>
  /**
   * Renames a task, and returns it.
   *
   * **Example** (Renaming a task)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   const renamed = yield* tela.tasks.rename(task.id, "Invoice 18")
   *   return renamed.name
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => Invoice 18
   * ```
   *
   * @see {@link Tasks.update} for several changes with one request
   */
  readonly rename: (task: TaskTarget, name: string) => Effect.Effect<Data.Task, RequestError>
  /**
   * Sends a whole output, text or an object, and returns the task.
   *
   * **Gotchas**
   *
   * Keys that are not in the new output stay, as {@link Tasks} says.
   *
   * **Example** (Replacing an output that is text)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: "41 BRL" }
   *   ])
   *   const { outputContent } = yield* tela.tasks.setOutputContent(task.id, "42 BRL")
   *   return outputContent?.content
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => 42 BRL
   * ```
   *
   * @see {@link Tasks.patchOutputContent} for a part of an output
   */
  readonly setOutputContent: (task: TaskTarget, content: unknown) => Effect.Effect<Data.Task, RequestError>
  /**
   * Sends the part of an output that changes, and returns the task.
   *
   * **Gotchas**
   *
   * For the task of an agent, the part replaces the whole output. Use {@link Tasks.updateOutputContent} there, and to change one
   * item of an array.
   *
   * **Example** (Correcting a nested field)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41, customer: { name: "Ana", city: "Lisbon" } } }
   *   ])
   *   const partial = { customer: { city: "Porto" } }
   *   const { outputContent } = yield* tela.tasks.patchOutputContent(task.id, partial)
   *   return outputContent?.content
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => { total: 41, customer: { name: "Ana", city: "Porto" } }
   * ```
   *
   * @see {@link Tasks.patchOutputField} for one field
   */
  readonly patchOutputContent: (
    task: TaskTarget,
    partial: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Data.Task, RequestError>
  /**
   * Changes one field, named by its path, such as `"customer.address.city"`, and returns the task. A path leads through objects
   * only: a path with an index is a `BadRequestError`.
   *
   * **Example** (Correcting one field)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { customer: { name: "Ana", city: "Lisbon" } } }
   *   ])
   *   const { outputContent } = yield* tela.tasks.patchOutputField(task.id, "customer.city", "Porto")
   *   return outputContent?.content
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => { customer: { name: "Ana", city: "Porto" } }
   * ```
   *
   * @see {@link Tasks.updateOutputContent} for an item of an array
   */
  readonly patchOutputField: (task: TaskTarget, path: string, value: unknown) => Effect.Effect<Data.Task, RequestError>
  /**
   * Reads the output, passes it to `update`, sends the whole result, and returns the task. Use it to change a single item of an
   * array. `update` returns the new output, or an Effect of it, whose failure is a failure of this call and changes nothing.
   *
   * **Gotchas**
   *
   * - An `update` that throws, or returns a Promise, is a `BadRequestError`, and changes nothing.
   * - A change by another client between the read and the write is overwritten: the provider offers no way to detect it.
   * - A key that `update` leaves out stays, as {@link Tasks} says. Set it to `null` instead.
   *
   * **Example** (Correcting one item of an array)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { lines: [10, 30] } }
   *   ])
   *   const { outputContent } = yield* tela.tasks.updateOutputContent(task.id, (content) => {
   *     const { lines } = content as { readonly lines: ReadonlyArray<number> }
   *     return { lines: lines.with(1, 31) }
   *   })
   *   return outputContent?.content
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => { lines: [10, 31] }
   * ```
   *
   * @see {@link Tasks.patchOutputField} for a field that is not in an array
   */
  readonly updateOutputContent: <B>(
    task: TaskTarget,
    update: (content: unknown) => B
  ) => Effect.Effect<Data.Task, RequestError | Effect.Error<B>, Effect.Services<B>>
  /**
   * Returns the files in the variables and the messages of a task. A link among them may be a `vault://` reference.
   *
   * **Example** (The links of the input)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: { document: Tela.file("https://example.com/invoice.pdf") } }
   *   ])
   *   const files = yield* tela.tasks.getInputFiles(task.id)
   *   return files.map(({ url }) => url)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["https://example.com/invoice.pdf"]
   * ```
   *
   * @see {@link module:TelaVault} for reading `vault://` references
   * @see https://docs.tela.com/api-reference/task/get-task-id
   */
  readonly getInputFiles: (task: TaskTarget) => Effect.Effect<ReadonlyArray<Data.InputFile>, RequestError>
  /**
   * Returns the output of the task, with later edits, once there is one. It does not wait, and validates nothing.
   *
   * **When to use**
   *
   * To read what people corrected. To wait for the output, or to validate it, use `getExecution` of the application.
   *
   * **Details**
   *
   * The result is the `content` of the output. The form of a workflow's output is not documented: if it lists `steps`, the result
   * is the output of the last step, and without `content` and `steps` it is the whole output.
   *
   * **Example** (The corrected output)
   *
   * ```ts
   * import { Effect, Layer, Option, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("22222222-2222-4222-8222-222222222222", [
   *     { name: "Invoice 17", variables: {}, outputContent: { total: 41 } }
   *   ])
   *   yield* tela.tasks.patchOutputField(task.id, "total", 42)
   *   return Option.getOrNull(yield* tela.tasks.getOutput(task.id))
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => { total: 42 }
   * ```
   *
   * @see {@link module:TelaCanvas} for `getExecution`, which waits
   * @see https://docs.tela.com/api-reference/task/get-task-id
   */
  readonly getOutput: (task: TaskTarget) => Effect.Effect<Option.Option<unknown>, RequestError>
}
