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
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type * as RunRef from "../internal/ref.ts"
import type { CreateError, RequestError } from "../RunError.ts"
import type * as Page from "./TelaPage.ts"
import type * as Wire from "./TelaSchema.ts"

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
export interface TaskProgressFilters extends Page.PageParams {
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
 * is 429. Repeating it could overwrite a change that was made in between, and would be recorded as another edit. Other
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
  readonly list: (filters?: TaskFilters & Page.PageParams) => Effect.Effect<Page.Page<Wire.Task>, RequestError>
  /**
   * All tasks, a page at a time as they are read, and each once.
   *
   * **Gotchas**
   *
   * A task that is deleted, or no longer matches, while this reads may let another be skipped. Change what you filter by
   * only after everything has been read.
   */
  readonly stream: (filters?: TaskFilters & Page.StreamPageParams) => Stream.Stream<Wire.Task, RequestError>
  /** How far the tasks of an application are. */
  readonly progress: (filters?: TaskProgressFilters) => Effect.Effect<Page.Page<Wire.TaskProgress>, RequestError>
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
   * - A change by another client between the read and the write is overwritten: the provider offers no way to detect it.
   * - A key that the function leaves out stays, as {@link Tasks} tells. Give it a `null` instead.
   */
  readonly updateOutputContent: <B>(
    task: TaskTarget,
    update: (content: unknown) => B
  ) => Effect.Effect<Wire.Task, RequestError | Effect.Error<B>, Effect.Services<B>>
  /** The files that a task was given. */
  readonly getInputFiles: (task: TaskTarget) => Effect.Effect<ReadonlyArray<Wire.InputFile>, RequestError>
  /**
   * The output of the task, with later edits, once there is one.
   *
   * **Details**
   *
   * It is the `content` of the output. How the output of a workflow looks is not documented: where it lists `steps` it is
   * the output of the last one, and where it has neither it is all that there is.
   */
  readonly getOutput: (task: TaskTarget) => Effect.Effect<Option.Option<unknown>, RequestError>
}
