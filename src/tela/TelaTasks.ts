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
 * Which tasks to list. The default is all tasks.
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
  /** The field that orders the list. The provider does not document which fields it can be. */
  readonly orderBy?: "createdAt" | "updatedAt" | "approvedAt" | (string & {}) | undefined
  readonly order?: "asc" | "desc" | undefined
  /** Sent as it is. The provider does not document what it does. */
  readonly objectLinks?: string | undefined
  /** Leaves inputs and outputs out of the rows, which makes the list much smaller. */
  readonly excludeInputOutputColumns?: boolean | undefined
}

/**
 * The tasks whose progress to list.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskProgressFilters extends Page.PageParams {
  readonly promptApplicationId?: string | undefined
  readonly promptApplicationVersionId?: string | undefined
}

/**
 * A change of a task. Fields that are absent stay as they are.
 *
 * @see https://docs.tela.com/api-reference/task/patch-task-id
 * @category models
 * @since 0.1.0
 */
export interface TaskPatch {
  readonly name?: string | undefined
  /** Replaces all tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** Merged into the present output. */
  readonly outputContent?: { readonly content: unknown } | undefined
  /** Approves the task. */
  readonly status?: "completed" | undefined
}

/**
 * The endpoints about tasks, and what is built on them.
 *
 * **Details**
 *
 * A change of an output is repeated only if the provider surely did not carry it out: the connection was never made, or the
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
   * Creates 1 to 100 tasks of one application with one request. The request is repeated only if it surely did not reach the
   * provider, because each request may start, and bill, all of the runs.
   *
   * **Details**
   *
   * Variables that the application does not take are a `BadRequestError` with the `providerCode` `"INVALID_SCHEMA"`. To wait for
   * the output of a task, pass its id to `getExecution` of the application's canvas.
   *
   * @see https://docs.tela.com/api-reference/task/post-task
   */
  readonly create: <const NewTasks extends ReadonlyArray<NewTask>>(
    applicationId: string,
    tasks: NewTasks
  ) => Effect.Effect<{ readonly [Index in keyof NewTasks]: Wire.Task }, CreateError>
  /**
   * Returns one task. `includeAnalytics` adds fields that are kept but have no type here, because they are not documented.
   *
   * @see https://docs.tela.com/api-reference/task/get-task-id
   */
  readonly get: (
    task: TaskTarget,
    options?: { readonly includeAnalytics?: boolean | undefined }
  ) => Effect.Effect<Wire.Task, RequestError>
  /**
   * Returns one page of tasks.
   *
   * @see https://docs.tela.com/api-reference/task/get-task
   */
  readonly list: (filters?: TaskFilters & Page.PageParams) => Effect.Effect<Page.Page<Wire.Task>, RequestError>
  /**
   * Emits all tasks, each once, and requests a page when it is needed.
   *
   * **Gotchas**
   *
   * If a task is deleted or no longer matches meanwhile, another one may be skipped. Change what you filter by only after all tasks
   * have been read.
   */
  readonly stream: (filters?: TaskFilters & Page.StreamPageParams) => Stream.Stream<Wire.Task, RequestError>
  /** Returns how far the tasks of an application are. */
  readonly progress: (filters?: TaskProgressFilters) => Effect.Effect<Page.Page<Wire.TaskProgress>, RequestError>
  /**
   * Changes a task, and returns the changed task.
   *
   * @see https://docs.tela.com/api-reference/task/patch-task-id
   */
  readonly update: (task: TaskTarget, patch: TaskPatch) => Effect.Effect<Wire.Task, RequestError>
  /** Approves the output of a task that is `validating`, which makes it `completed`. */
  readonly approve: (task: TaskTarget) => Effect.Effect<Wire.Task, RequestError>
  /** Renames a task. */
  readonly rename: (task: TaskTarget, name: string) => Effect.Effect<Wire.Task, RequestError>
  /** Sends a whole output, text or an object. Keys that are not in it stay, as {@link Tasks} says. */
  readonly setOutputContent: (task: TaskTarget, content: unknown) => Effect.Effect<Wire.Task, RequestError>
  /**
   * Sends the part of an output that changes.
   *
   * **Gotchas**
   *
   * For the task of an agent, the part replaces the whole output. Use {@link Tasks.updateOutputContent} there, and to change one
   * item of an array.
   */
  readonly patchOutputContent: (
    task: TaskTarget,
    partial: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Wire.Task, RequestError>
  /** Changes one field, named by its path, such as `"customer.address.city"`; a path leads through objects only. */
  readonly patchOutputField: (task: TaskTarget, path: string, value: unknown) => Effect.Effect<Wire.Task, RequestError>
  /**
   * Reads the output, passes it to `update`, and sends the whole result. Use it to change a single item of an array. `update`
   * returns the new output, or an Effect of it.
   *
   * **Gotchas**
   *
   * - An `update` that throws, or returns a Promise, is a `BadRequestError`, and changes nothing.
   * - A change by another client between the read and the write is overwritten: the provider offers no way to detect it.
   * - A key that `update` leaves out stays, as {@link Tasks} says. Set it to `null` instead.
   */
  readonly updateOutputContent: <B>(
    task: TaskTarget,
    update: (content: unknown) => B
  ) => Effect.Effect<Wire.Task, RequestError | Effect.Error<B>, Effect.Services<B>>
  /** Returns the files that a task was given. */
  readonly getInputFiles: (task: TaskTarget) => Effect.Effect<ReadonlyArray<Wire.InputFile>, RequestError>
  /**
   * Returns the output of the task, with later edits, once there is one.
   *
   * **Details**
   *
   * That is the `content` of the output. The form of a workflow's output is not documented: if it lists `steps`, the result is the
   * output of the last step, and without `content` and `steps` it is the whole output.
   */
  readonly getOutput: (task: TaskTarget) => Effect.Effect<Option.Option<unknown>, RequestError>
}
