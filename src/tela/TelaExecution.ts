/**
 * Executions of Tela canvases: their parameters, their states and their errors, in the synchronous and the asynchronous mode.
 * Streams are in `TelaStream`.
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as RunRef from "../internal/ref.ts"
import {
  CreateError,
  InvalidOutputError,
  OnCreatedError,
  type OnCreatedErrorOf,
  type RequestError,
  type RunTimeoutError,
  WaitError,
  WaitStoppedError
} from "../RunError.ts"
import type * as RunSource from "../RunSource.ts"
import type * as Data from "./TelaSchema.ts"

/**
 * The name of this provider in a `RunRef`.
 *
 * @category constants
 * @since 0.1.0
 */
export const provider = "tela"

/**
 * The status of an execution.
 *
 * **Details**
 *
 * It is `succeeded` only if the output is valid: an output that does not fit its schema makes the execution `failed`, although the
 * provider reports success. A task is `succeeded` from the provider's `validating` on, and `failed` if it was cancelled.
 * `unknown` is a status that this library does not know. The wait continues.
 *
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @category models
 * @since 0.1.0
 */
export type ExecutionStatus = "created" | "running" | "succeeded" | "failed" | "unknown"

/**
 * The state of an execution, or of a task, as the provider reported it at one poll.
 *
 * @see {@link AsyncExecution} for `watch`, which emits them
 * @see https://docs.tela.com/api-reference/completion/get
 * @category models
 * @since 0.1.0
 */
export interface ExecutionSnapshot {
  /** The provider's id of the execution, or of the task. */
  readonly id: string
  /** A `task` belongs to an application. */
  readonly kind: "execution" | "task"
  /** The status before the output is validated: `succeeded` if the provider says so. */
  readonly status: ExecutionStatus
  /** The status as the provider names it, such as `"running"` or `"validating"`. */
  readonly providerStatus: string
  /** The output as the provider sent it, not validated. `undefined` until there is one. */
  readonly output: unknown
  /** The task, if the execution is one. */
  readonly task: Data.Task | undefined
  /** The provider's id of the request that returned this snapshot. */
  readonly requestId: string | undefined
  /** The response, unchanged. */
  readonly raw: unknown
}

/**
 * A duration in Tela's own form, such as `"500ms"`, `"1.5s"`, `"5m"`, `"2h"` or `"1d"`, or in Effect's, such as `"5 minutes"`. A
 * number is in milliseconds. Anything else is a `BadRequestError`.
 *
 * @category models
 * @since 0.1.0
 */
export type TelaDuration = Duration.Input | `${number}${"ms" | "s" | "m" | "h" | "d"}`

/**
 * The parameters that every mode of execution takes.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category models
 * @since 0.1.0
 */
export interface ExecuteParams<Skip extends boolean = boolean> {
  /** The chat so far, in order, starting with the user. */
  readonly messages?: ReadonlyArray<Data.Message> | undefined
  /** Changes settings of the canvas, such as the model, for this execution. */
  readonly override?: Data.Override | undefined
  /** Stored with the run (assumption 21). `tela.completionRuns` and `tela.tasks` filter by them. */
  readonly tags?: ReadonlyArray<string> | undefined
  /**
   * Returns the output as the provider sent it, without validation. The type of the result is then `unknown`. It is also `unknown`
   * if the type of this parameter is `boolean`.
   *
   * @default false
   */
  readonly skipResultValidation?: Skip | undefined
}

/**
 * The version of a canvas to execute. The default is the `versionId` that `canvas.make` or `canvas.get` was given, and otherwise
 * the version that the environment `production` serves.
 *
 * @see https://docs.tela.com/en/completion-api/versions-and-environments
 * @category models
 * @since 0.1.0
 */
export interface VersionParams {
  /**
   * The id of the version. It wins over `environmentName`. The provider says both that an unpublished version can be executed, and
   * that it cannot (assumption 36).
   */
  readonly versionId?: string | undefined
  /** The environment whose version to execute, such as `"staging"`. One that does not exist is a `NotFoundError`. */
  readonly environmentName?: string | undefined
}

/**
 * The parameters of a synchronous execution.
 *
 * @see {@link AsyncParams} for an execution that is polled
 * @category models
 * @since 0.1.0
 */
export interface SyncParams<Skip extends boolean = boolean> extends ExecuteParams<Skip>, VersionParams {
  /** `true` makes the execution asynchronous. */
  readonly async?: false | undefined
  /** `true` makes the execution stream. */
  readonly stream?: false | undefined
  /**
   * How long to wait for the response, which the provider sends when the execution has ended. After that the execution fails with
   * a `CreateOutcomeUnknownError`, because it may have run.
   *
   * **Gotchas**
   *
   * Node's own limit of 300 seconds is lifted, unless your program uses another fetch or dispatcher class. Then use
   * `NodeHttp.layer` of `canvas-runs/node`, or `async: true`.
   *
   * @default "10 minutes"
   */
  readonly timeout?: TelaDuration | undefined
}

/**
 * The parameters of polling. Give `pollingInterval` or `schedule`: both together are a `BadRequestError`.
 *
 * **Example** (Slower and slower polls, for up to two hours)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Polling, Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const polling: Tela.PollParams = {
 *   schedule: Polling.backoff({ initial: "1 millis", max: "10 seconds" }),
 *   pollingTimeout: "2h"
 * }
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return yield* canvas.run({ topic: "tides" }, polling)
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ script: { polls: { running: 2 }, output: "Twice a day" } }))
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => Twice a day
 * ```
 *
 * @see {@link module:Polling} for schedules
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @category models
 * @since 0.1.0
 */
export interface PollParams {
  /**
   * Time between polls, in milliseconds or as in `"1s"`, `"5m"`.
   *
   * @default 1000, or 1 minute if `webhookUrl` is given and the client has a `Webhooks` hub
   */
  readonly pollingInterval?: TelaDuration | undefined
  /** When to poll, instead of `pollingInterval`. Any `Schedule` works. It gets the latest snapshot and the elapsed time. */
  readonly schedule?: RunSource.PollSchedule<ExecutionSnapshot> | undefined
  /**
   * How long to poll, in milliseconds or as in `"90s"`, `"2h"`. After that the wait fails with a `RunTimeoutError`, and the
   * execution continues at the provider: pass the `ref` of the error to `getExecution`.
   *
   * @default 60000
   */
  readonly pollingTimeout?: TelaDuration | undefined
  /**
   * How many polls in a row may fail with a transient failure, such as 503 or a lost connection. One more ends the wait with that
   * failure.
   *
   * @default 5
   */
  readonly errorBudget?: number | undefined
  /**
   * How long the provider may answer 404 for an execution that was just created, because its replicas lag behind. After that 404 is
   * a `NotFoundError`. If an execution is named by its id alone, its time of creation is not known. Then 404 is an error at once, or, if
   * this parameter is given, after this time from the first request.
   *
   * @default "30 seconds" after a known creation
   */
  readonly notFoundGrace?: TelaDuration | undefined
  /**
   * The longest `Retry-After` that is honoured between polls.
   *
   * @default "1 minute"
   */
  readonly retryAfterCeiling?: TelaDuration | undefined
}

/**
 * The address that the provider calls when an execution has ended.
 *
 * **When to use**
 *
 * Polling needs no public address, and notices the end within a second. A webhook saves polls of long executions: with a `Webhooks`
 * hub and `Tela.layerWebhookRoute` the wait polls once a minute, and at once when the webhook arrives.
 *
 * @see {@link module:TelaWebhook} for headers that prove the webhook, and the route that receives it
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @category models
 * @since 0.1.0
 */
export interface WebhookParams {
  /** The http(s) address, to which the provider posts the run when it has succeeded or failed. */
  readonly webhookUrl?: string | undefined
  /** Headers that the provider sends with the webhook, which it does not sign. `Tela.webhookHeaders` makes them. */
  readonly forwardHeaders?: Readonly<Record<string, string>> | undefined
}

/**
 * An execution that the provider accepted, before it is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedExecution {
  /** The provider's id of the execution, or of the task. */
  readonly id: string
  /** Plain data that names the execution. Store it as JSON: any process can continue from it with `getExecution`. */
  readonly ref: RunRef.RunRef
  /** The provider's id of the request that created it. */
  readonly requestId: string | undefined
  /** The task, if the execution is one. */
  readonly task: Data.Task | undefined
}

/**
 * The hook between the creation of an execution and its first poll.
 *
 * **Example** (Storing the ref before the first poll)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator, Timeline } from "canvas-runs/testing"
 *
 * const stored: Array<string> = []
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return yield* canvas.run({ topic: "tides" }, {
 *     onCreated: ({ ref }) => Effect.sync(() => stored.push(JSON.stringify(ref)))
 *   })
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 *   ))
 * )
 *
 * await Effect.runPromise(main)
 * console.log(JSON.parse(stored[0]!).kind) // => execution
 * ```
 *
 * @see {@link module:RunStore} for a store that does this
 * @category models
 * @since 0.1.0
 */
export interface CreatedParams<E = never, R = never> {
  /**
   * Runs after the creation and before the first poll, to store the ref. With it, an interruption waits until the creation has
   * its response and `onCreated` has run. If it fails, the call fails with an `OnCreatedError`, which has the ref and the cause.
   */
  readonly onCreated?: ((created: CreatedExecution) => Effect.Effect<unknown, E, R>) | undefined
}

/**
 * The parameters of `canvas.run`, which creates an asynchronous execution and waits for its output.
 *
 * @see {@link AsyncParams} for `canvas.execute`
 * @category models
 * @since 0.1.0
 */
export interface RunParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, VersionParams, PollParams, WebhookParams, CreatedParams<E, R>
{
  /** Allowed, and has no effect. */
  readonly async?: true | undefined
  /** `canvas.run` does not stream. */
  readonly stream?: false | undefined
}

/**
 * The parameters of an asynchronous execution.
 *
 * @see {@link SyncParams} for one that is not polled
 * @category models
 * @since 0.1.0
 */
export interface AsyncParams<Skip extends boolean = boolean, E = never, R = never> extends RunParams<Skip, E, R> {
  /** Makes the execution asynchronous. */
  readonly async: true
}

/**
 * Parameters of an execution that may be asynchronous, as in `const params = { async: true }`, which TypeScript reads as
 * `{ async: boolean }`.
 *
 * **Details**
 *
 * Without `async: true`, the parameters of polling have no effect, and `webhookUrl`, `forwardHeaders` and `onCreated` are a
 * `BadRequestError`.
 *
 * @see {@link OptionalModeParams} for parameters whose mode may be absent
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, VersionParams, PollParams, WebhookParams, CreatedParams<E, R>
{
  /** Whether the execution is asynchronous. */
  readonly async: boolean | undefined
  /** Not allowed beside `async`. */
  readonly stream?: false | undefined
}

/**
 * Parameters whose mode may be absent, as in `{ async?: boolean }`. Without `async: true` and `stream: true` the execution is
 * synchronous.
 *
 * @category models
 * @since 0.1.0
 */
export type OptionalModeParams<Skip extends boolean = boolean> =
  & ExecuteParams<Skip>
  & VersionParams
  & (
    | {
      /** Whether the execution is asynchronous. */
      readonly async?: boolean | undefined
      /** Not allowed beside `async`. */
      readonly stream?: false | undefined
    }
    | {
      /** Not allowed beside `stream`. */
      readonly async?: false | undefined
      /** Whether the execution streams. */
      readonly stream?: boolean | undefined
    }
  )

/**
 * The parameters of a task in a workstation, which is always asynchronous.
 *
 * @see https://docs.tela.com/en/creating-tasks
 * @category models
 * @since 0.1.0
 */
export interface TaskParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, PollParams, WebhookParams, CreatedParams<E, R>
{
  /** Allowed, and has no effect. */
  readonly async?: true | undefined
  /** The name of the task, as people see it. */
  readonly label?: string | undefined
}

/**
 * The members that an execution has in every mode. A member that changes with time is an `Effect` in every mode. `result` has the
 * form of the mode.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExecutionInfo {
  /** Whether it is a {@link SyncExecution}. */
  readonly isSync: boolean
  /** Whether it is an {@link AsyncExecution}. */
  readonly isAsync: boolean
  /** Whether it is a `StreamExecution`. */
  readonly isStream: boolean
  /**
   * The variables that were sent, with references instead of files. Those of a stream still have the files. `undefined` for an
   * execution that was looked up.
   */
  readonly variables: unknown
  /**
   * The provider's id of the request that created the execution. `undefined` for one that was looked up by its id alone, and for
   * a stream that has not started.
   */
  readonly requestId: Effect.Effect<string | undefined>
  /** Stops waiting, for everyone who waits for this execution. The execution itself continues at the provider. */
  readonly cancel: Effect.Effect<void>
}

/**
 * A synchronous execution, which has ended. To stop waiting for it, interrupt `execute`: its `cancel` does nothing.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category models
 * @since 0.1.0
 */
export interface SyncExecution<out Output> extends ExecutionInfo {
  /** Always `true`. */
  readonly isSync: true
  /** Always `false`. */
  readonly isAsync: false
  /** Always `false`. */
  readonly isStream: false
  /** The id of the completion. It cannot be looked up. */
  readonly id: string
  /** Always `succeeded`: an execution that fails is an error of `execute`. */
  readonly status: Effect.Effect<"succeeded">
  /** The parameters of `execute`. */
  readonly params: ExecuteParams & VersionParams & Pick<SyncParams, "timeout">
  /** The validated output. */
  readonly result: Output
  /**
   * Why the model stopped, if the provider says so. `"length"` and `"content_filter"` mean that the output was cut off,
   * although it fits the schema.
   */
  readonly finishReason: string | undefined
  /** The response, unchanged. */
  readonly rawResult: Effect.Effect<unknown>
}

/**
 * An event of an asynchronous execution that is followed.
 *
 * **Details**
 *
 * | `_tag` | when |
 * | --- | --- |
 * | `poll` | at each poll that returned a snapshot |
 * | `statusChange` | after the `poll` whose status differs from the last one |
 * | `success` | last, with the validated output |
 * | `error` | last, if the execution or the wait failed, or the output does not fit its schema |
 *
 * @see {@link AsyncExecution} for `events`, which emits them
 * @category models
 * @since 0.1.0
 */
export type ExecutionEvent<Output> =
  | {
    readonly _tag: "statusChange"
    /** The new status. It is `failed` if the output does not fit its schema. */
    readonly status: ExecutionStatus
  }
  | {
    readonly _tag: "poll"
    /** The state that the provider reported. */
    readonly snapshot: ExecutionSnapshot
    /** The provider's id of the poll's request. */
    readonly requestId: string | undefined
  }
  | {
    readonly _tag: "success"
    /** The validated output. */
    readonly result: Output
    /** The provider's id of the last poll's request. */
    readonly requestId: string | undefined
  }
  | {
    readonly _tag: "error"
    /** Why there is no result. */
    readonly error: ResultError
  }

/**
 * The schema of the errors of the result of an asynchronous execution.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ResultError = /*#__PURE__*/ Schema.Union([WaitError, WaitStoppedError, InvalidOutputError])

/**
 * The errors of the result of an asynchronous execution: those of a wait, `WaitStoppedError` after `cancel`, and
 * `InvalidOutputError` if the output does not fit its schema.
 *
 * @category errors
 * @since 0.1.0
 */
export type ResultError = WaitError | WaitStoppedError | InvalidOutputError

/**
 * The schema of the errors of starting an execution.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ExecuteError = CreateError

/**
 * The errors of starting an execution: those of a request, `CreateOutcomeUnknownError` if the execution may exist, and
 * `FileInputError` if a file in the variables could not be read.
 *
 * @category errors
 * @since 0.1.0
 */
export type ExecuteError = CreateError

/**
 * The schema of the errors of `canvas.run`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CanvasRunError = /*#__PURE__*/ Schema.Union([CreateError, OnCreatedError, WaitError, InvalidOutputError])

/**
 * The errors of `canvas.run`: those of starting an execution, of `onCreated`, of waiting, and of the output. `E` is the error of
 * `onCreated`.
 *
 * @category errors
 * @since 0.1.0
 */
export type CanvasRunError<E = never> = ExecuteError | OnCreatedErrorOf<E> | WaitError | InvalidOutputError

/**
 * An asynchronous execution. All followers share one poll loop, which runs only while at least one is active.
 *
 * **When to use**
 *
 * | member | use it for |
 * | --- | --- |
 * | `result` | the validated output |
 * | `rawResult` | the whole response, without validation |
 * | `watch` | progress: each snapshot that differs, as a `Stream` that fails like the wait |
 * | `events` | a log of everything, with failures as events |
 * | `poll` | polling in the background, while others read `status` |
 *
 * @see {@link SyncExecution} for an execution that has ended already
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @category models
 * @since 0.1.0
 */
export interface AsyncExecution<out Output> extends ExecutionInfo {
  /** Always `false`. */
  readonly isSync: false
  /** Always `true`. */
  readonly isAsync: true
  /** Always `false`. */
  readonly isStream: false
  /** The provider's id of the execution, or of the task. */
  readonly id: string
  /** Plain data that names the execution. `getExecution` continues from it, in this process or another. */
  readonly ref: RunRef.RunRef
  /** The parameters of the call that created it, or that looked it up. */
  readonly params:
    | RunParams<boolean, unknown, unknown>
    | DynamicParams<boolean, unknown, unknown>
    | TaskParams<boolean, unknown, unknown>
    | GetExecutionParams
  /** The task as it was created or looked up, if the execution is one. `tela.tasks.get(ref)` retrieves it again. */
  readonly task: Data.Task | undefined
  /**
   * The latest known status, without a request. It is `succeeded` only if the output is valid: if the provider has reported
   * success, this validates the output first.
   */
  readonly status: Effect.Effect<ExecutionStatus>
  /**
   * Starts to poll in the background, until the execution ends or the scope closes. It never fails: read `status` or `result` for
   * the outcome.
   *
   * **Example** (Polling while the program does something else)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { async: true })
   *   yield* execution.poll
   *   const other = "something else"
   *   return [other, yield* execution.result]
   * }).pipe(
   *   Effect.scoped,
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "Twice a day" } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["something else", "Twice a day"]
   * ```
   */
  readonly poll: Effect.Effect<void, never, Scope.Scope>
  /** Polls until the execution ends, and returns the validated output. */
  readonly result: Effect.Effect<Output, ResultError>
  /** Polls until the execution ends, and returns the provider's last response, unchanged and not validated. */
  readonly rawResult: Effect.Effect<unknown, WaitError | WaitStoppedError>
  /**
   * Polls, and emits the snapshots that differ in status or output, the terminal one last. A failed execution is emitted too, and
   * is no failure of the stream.
   *
   * **Example** (The statuses of an execution)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { async: true, pollingInterval: 1 })
   *   return yield* execution.watch.pipe(Stream.map(({ status }) => status), Stream.runCollect)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { polls: { created: 2, running: 3 } } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["created", "running", "succeeded"]
   * ```
   */
  readonly watch: Stream.Stream<ExecutionSnapshot, RequestError | RunTimeoutError | WaitStoppedError>
  /**
   * Polls, and emits each poll, each change of status, and the end. A failure is the last event, and not a failure of the
   * stream. The status at the start is no event: read `status`. An execution that had ended when it was looked up has no
   * events.
   *
   * **Example** (The events of an execution that fails)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: TelaEmulator.failingCanvasId })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { async: true, pollingInterval: 1 })
   *   return yield* execution.events.pipe(
   *     Stream.map((event) => event._tag === "error" ? event.error._tag : event._tag),
   *     Stream.runCollect
   *   )
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { polls: { created: 0, running: 1 } } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["poll", "statusChange", "poll", "statusChange", "RunFailedError"]
   * ```
   */
  readonly events: Stream.Stream<ExecutionEvent<Output>>
  /**
   * Stops polling. Everyone who waits for `result`, `rawResult` or `watch` gets a `WaitStoppedError`, and `events` ends with
   * that error as its last event. No fiber is interrupted. The execution continues at the provider, and can be waited for
   * again. Once the execution has ended, this does nothing.
   *
   * **Example** (Stopping the wait from another fiber)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { async: true })
   *   yield* Effect.forkChild(Effect.delay(execution.cancel, "10 millis"))
   *   const error = yield* Effect.flip(execution.result)
   *   return error._tag
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => WaitStoppedError
   * ```
   */
  readonly cancel: Effect.Effect<void>
}

/**
 * The parameters of looking up an execution.
 *
 * @see https://docs.tela.com/api-reference/completion/get
 * @category models
 * @since 0.1.0
 */
export interface GetExecutionParams<Skip extends boolean = boolean> extends PollParams {
  /**
   * Whether the id names a task. A ref says so itself.
   *
   * @default false, and `true` for a workstation
   */
  readonly isTask?: boolean | undefined
  /**
   * Returns the output as the provider sent it, without validation.
   *
   * @default false
   */
  readonly skipResultValidation?: Skip | undefined
}
