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
import type * as Stream from "effect/Stream"
import type * as RunRef from "../internal/ref.ts"
import type {
  CreateError,
  InvalidOutputError,
  OnCreatedErrorOf,
  RequestError,
  RunTimeoutError,
  WaitError,
  WaitStoppedError
} from "../RunError.ts"
import type * as RunSource from "../RunSource.ts"
import type * as Wire from "./TelaSchema.ts"

/**
 * The name of this provider in a `RunRef`.
 *
 * @category constants
 * @since 0.1.0
 */
export const provider = "tela"

/**
 * The status of an execution. It is `succeeded` only if the output is valid: an output that does not fit its schema makes the
 * execution `failed`, although the provider reports success. `unknown` is a status that this library does not know; it is
 * polled further.
 *
 * @category models
 * @since 0.1.0
 */
export type ExecutionStatus = "created" | "running" | "succeeded" | "failed" | "unknown"

/**
 * What the provider reported of an execution, or of a task, at one poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExecutionSnapshot {
  readonly id: string
  readonly kind: "execution" | "task"
  /** `unknown` is a status that this library does not know. The wait continues. */
  readonly status: ExecutionStatus
  /** The status as the provider names it. */
  readonly providerStatus: string
  /** The output, once there is one. */
  readonly output: unknown
  /** The task, if it is one. */
  readonly task: Wire.Task | undefined
  /** The provider's id of the request that returned this snapshot. */
  readonly requestId: string | undefined
  /** The response, unchanged. */
  readonly raw: unknown
}

/**
 * A time in Tela's own form, such as `"5m"`, or in Effect's.
 *
 * @category models
 * @since 0.1.0
 */
export type TelaDuration = Duration.Input | `${number}${"ms" | "s" | "m" | "h" | "d"}`

/**
 * What every mode of execution takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExecuteParams<Skip extends boolean = boolean> {
  /** The chat so far, in order, starting with the user. */
  readonly messages?: ReadonlyArray<Wire.Message> | undefined
  /** Changes the canvas's settings for this execution. */
  readonly override?: Wire.Override | undefined
  /** Stored with the run, and good for filtering. */
  readonly tags?: ReadonlyArray<string> | undefined
  /**
   * Returns the output as the provider sent it, without validation. The type of the result is then `unknown`, and also where the
   * compiler cannot tell that this is `false`.
   *
   * @default false
   */
  readonly skipResultValidation?: Skip | undefined
}

/**
 * Which version of a canvas to run; without either, the one that is published to Production.
 *
 * @category models
 * @since 0.1.0
 */
export interface VersionParams {
  /** Exactly this version. */
  readonly versionId?: string | undefined
  /** The version that this environment serves. */
  readonly environmentName?: string | undefined
}

/**
 * A synchronous execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface SyncParams<Skip extends boolean = boolean> extends ExecuteParams<Skip>, VersionParams {
  readonly async?: false | undefined
  readonly stream?: false | undefined
  /**
   * How long to wait for the response, which the provider sends when the execution has ended. Node's own limit of 300 seconds is
   * lifted, unless your program uses another fetch or dispatcher class. Then use `NodeHttp.layer` of `canvas-runs/node`, or
   * `async: true`.
   *
   * @default "10 minutes"
   */
  readonly timeout?: TelaDuration | undefined
}

/**
 * How an asynchronous execution is polled. Give `pollingInterval` or `schedule`: both together are a `BadRequestError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollParams {
  /**
   * Time between polls, in milliseconds or as in `"1s"`, `"5m"`.
   *
   * @default 1000
   */
  readonly pollingInterval?: TelaDuration | undefined
  /** When to poll, instead of `pollingInterval`; any `Schedule`. */
  readonly schedule?: RunSource.PollSchedule<ExecutionSnapshot> | undefined
  /**
   * How long to poll, in milliseconds or as in `"90s"`, `"2h"`. After that the wait fails with a `RunTimeoutError`, and the
   * execution continues at the provider.
   *
   * @default 60000
   */
  readonly pollingTimeout?: TelaDuration | undefined
  /**
   * How many polls in a row may fail with a transient failure.
   *
   * @default 5
   */
  readonly errorBudget?: number | undefined
  /**
   * How long an execution that was just created may answer 404, while the provider's replicas catch up. An execution that is named
   * by its id alone has no known creation time: there 404 is an error at once unless this option is given, and the time counts from
   * the first request.
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
 * Where the provider reports that an execution has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebhookParams {
  /** Called with the run when it has ended. */
  readonly webhookUrl?: string | undefined
  /** Headers that the provider sends along with the webhook, which it does not sign. */
  readonly forwardHeaders?: Readonly<Record<string, string>> | undefined
}

/**
 * An execution that the provider accepted, before it is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedExecution {
  readonly id: string
  /** Plain data that names the execution. Store it, and any process can continue from here with `getExecution`. */
  readonly ref: RunRef.RunRef
  /** The provider's id of the request that created it. */
  readonly requestId: string | undefined
  /** The task, if the execution is one. */
  readonly task: Wire.Task | undefined
}

/**
 * The hook between the creation of an execution and its first poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedParams<E = never, R = never> {
  /**
   * Runs after the creation and before the first poll, to store the ref. With it, an interruption waits until the creation has
   * its response and `onCreated` has run. If it fails, the failure is an `OnCreatedError` with the ref.
   */
  readonly onCreated?: ((created: CreatedExecution) => Effect.Effect<unknown, E, R>) | undefined
}

/**
 * An execution of a canvas that is created and waited for with one call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, VersionParams, PollParams, WebhookParams, CreatedParams<E, R>
{
  readonly async?: true | undefined
  readonly stream?: false | undefined
}

/**
 * An asynchronous execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface AsyncParams<Skip extends boolean = boolean, E = never, R = never> extends RunParams<Skip, E, R> {
  readonly async: true
}

/**
 * Parameters of which only the running program knows whether they are asynchronous, as in `const params = { async: true }`,
 * which TypeScript reads as `{ async: boolean }`.
 *
 * **Details**
 *
 * Without `async: true`, the parameters of polling have no effect, and `webhookUrl`, `forwardHeaders` and `onCreated` are a
 * `BadRequestError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, VersionParams, PollParams, WebhookParams, CreatedParams<E, R>
{
  readonly async: boolean | undefined
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
    | { readonly async?: boolean | undefined; readonly stream?: false | undefined }
    | { readonly async?: false | undefined; readonly stream?: boolean | undefined }
  )

/**
 * The execution of a task in a workstation, which is always asynchronous.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskParams<Skip extends boolean = boolean, E = never, R = never>
  extends ExecuteParams<Skip>, PollParams, WebhookParams, CreatedParams<E, R>
{
  readonly async?: true | undefined
  /** The name of the task. */
  readonly label?: string | undefined
}

/**
 * The members that an execution has in every mode. What depends on time is an `Effect`, so that it is read in the same way
 * whatever the mode; `result` has the form of the mode.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExecutionInfo {
  readonly isSync: boolean
  readonly isAsync: boolean
  readonly isStream: boolean
  /** The variables that were sent, with references instead of files. Those of a stream are as you gave them. */
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
 * A synchronous execution, which has ended. To stop waiting for it, interrupt `execute`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SyncExecution<out Output> extends ExecutionInfo {
  readonly isSync: true
  readonly isAsync: false
  readonly isStream: false
  /** The completion's id. It cannot be looked up. */
  readonly id: string
  readonly status: Effect.Effect<"succeeded">
  readonly params: ExecuteParams & VersionParams & Pick<SyncParams, "timeout">
  /** The validated output. */
  readonly result: Output
  /**
   * Why the model stopped, where the provider says so. `"length"` and `"content_filter"` mean that the output was cut off,
   * although it fits the schema.
   */
  readonly finishReason: string | undefined
  /** The response, unchanged. */
  readonly rawResult: Effect.Effect<unknown>
}

/**
 * What an asynchronous execution does while it is followed.
 *
 * @category models
 * @since 0.1.0
 */
export type ExecutionEvent<Output> =
  | { readonly _tag: "statusChange"; readonly status: ExecutionStatus }
  | { readonly _tag: "poll"; readonly snapshot: ExecutionSnapshot; readonly requestId: string | undefined }
  | { readonly _tag: "success"; readonly result: Output; readonly requestId: string | undefined }
  | { readonly _tag: "error"; readonly error: ResultError }

/**
 * What the result of an asynchronous execution can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type ResultError = WaitError | WaitStoppedError | InvalidOutputError

/**
 * What executing can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type ExecuteError = CreateError

/**
 * What executing and waiting with one call can fail with. `E` is what `onCreated` can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type CanvasRunError<E = never> = ExecuteError | OnCreatedErrorOf<E> | WaitError | InvalidOutputError

/**
 * An asynchronous execution. All followers share one poll loop, which runs only while at least one is active.
 *
 * @category models
 * @since 0.1.0
 */
export interface AsyncExecution<out Output> extends ExecutionInfo {
  readonly isSync: false
  readonly isAsync: true
  readonly isStream: false
  readonly id: string
  /** Plain data that names the execution. `getExecution` continues from it, in this process or another. */
  readonly ref: RunRef.RunRef
  readonly params:
    | RunParams<boolean, unknown, unknown>
    | DynamicParams<boolean, unknown, unknown>
    | TaskParams<boolean, unknown, unknown>
    | GetExecutionParams
  /** The task as it was created or looked up, if it is one; `tela.tasks.get(ref)` retrieves it again. */
  readonly task: Wire.Task | undefined
  /**
   * The latest known status, without a request. It is `succeeded` only if the output is valid: where the provider has reported
   * success, this validates the output first.
   */
  readonly status: Effect.Effect<ExecutionStatus>
  /** Polls in the background until the scope closes, for those who will ask later. */
  readonly poll: Effect.Effect<void, never, Scope.Scope>
  /** Polls until the execution ends, and returns the validated output. */
  readonly result: Effect.Effect<Output, ResultError>
  /** Polls until the execution ends, and returns the provider's last response, unchanged and not validated. */
  readonly rawResult: Effect.Effect<unknown, WaitError | WaitStoppedError>
  /** Polls, and emits the snapshots that differ, the terminal one last. */
  readonly watch: Stream.Stream<ExecutionSnapshot, RequestError | RunTimeoutError | WaitStoppedError>
  /**
   * Polls, and emits each poll, each change of status, and the end. A failure is the last event, and not a failure of the
   * stream. The status at the start is no event: read `status`. An execution that had ended when it was looked up has no
   * events.
   */
  readonly events: Stream.Stream<ExecutionEvent<Output>>
  /**
   * Stops polling. Everyone who waits for `result`, `rawResult` or `watch` gets a `WaitStoppedError`, and `events` ends with
   * that error as its last event; no fiber is interrupted. The execution continues at the provider, and can be waited for
   * again. Once the execution has ended, this does nothing.
   */
  readonly cancel: Effect.Effect<void>
}

/**
 * How to look up an execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface GetExecutionParams<Skip extends boolean = boolean> extends PollParams {
  /**
   * Whether the id is that of a task. A ref says so itself.
   *
   * @default false
   */
  readonly isTask?: boolean | undefined
  /**
   * Returns the output as the provider sent it, without validation.
   *
   * @default false
   */
  readonly skipResultValidation?: Skip | undefined
}
