/**
 * Executions of Tela canvases: synchronous, asynchronous, and tasks of a workstation. Streams are in `TelaStream`.
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AnySchema from "./internal/anySchema.ts"
import * as Create from "../internal/create.ts"
import { reasons, shorten } from "../internal/describe.ts"
import type * as Http from "../internal/http.ts"
import * as Options from "../internal/options.ts"
import { checkId } from "../internal/id.ts"
import { whileWebhooksAreExpected } from "../internal/pace.ts"
import * as Telemetry from "../internal/telemetry.ts"
import * as Polling from "../Polling.ts"
import * as KernelRun from "../Run.ts"
import type * as RunSource from "../RunSource.ts"
import {
  type BadRequestError,
  type CreateError,
  type CreateOutcomeUnknownError,
  type FileInputError,
  InvalidOutputError,
  NotFoundError,
  type OnCreatedErrorOf,
  refused,
  type RequestError,
  RunFailedError,
  type RunTimeoutError,
  type WaitError,
  type WaitStoppedError
} from "../RunError.ts"
import * as RunRef from "../internal/ref.ts"
import type * as Webhooks from "../Webhooks.ts"
import { errorIn, outcomeOf, reasonOf } from "./internal/endMark.ts"
import * as TelaFile from "./TelaFile.ts"
import * as Wire from "./TelaSchema.ts"

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
 * What the provider said of an execution, or of a task, at one poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExecutionSnapshot {
  readonly id: string
  readonly kind: "execution" | "task"
  /** `unknown` is a status that this library does not know; waiting goes on. */
  readonly status: ExecutionStatus
  /** The status in the provider's word. */
  readonly providerStatus: string
  /** The output, once there is one. */
  readonly output: unknown
  /** The task, if it is one. */
  readonly task: Wire.Task | undefined
  /** The provider's id of the request that told. */
  readonly requestId: string | undefined
  /** The answer as it came. */
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
   * How long to wait for the answer, which comes when the execution has ended. Node's own limit of 300 seconds is lifted,
   * except where your program uses a fetch or a dispatcher class of its own: there, use `NodeHttp.layer` of `canvas-runs/node`,
   * or `async: true`.
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
  readonly schedule?: Polling.PollSchedule<ExecutionSnapshot> | undefined
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
   * How long an execution that was just created may answer 404, while the provider's replicas catch up.
   *
   * @default "30 seconds"
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
 * Where to tell that an execution has ended.
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

/**
 * What is run: a canvas, one of its versions, or an application.
 *
 * @category models
 * @since 0.1.0
 */
export type Target =
  | { readonly _tag: "Canvas"; readonly id: string; readonly versionId?: undefined }
  | { readonly _tag: "Version"; readonly versionId: string; readonly id?: string | undefined }
  | { readonly _tag: "Application"; readonly applicationId: string }

/**
 * What executing takes.
 *
 * @internal
 */
export interface Runtime extends TelaFile.Uploader {
  readonly retryCreates: boolean
  readonly webhooks: Webhooks.Service | undefined
}

/**
 * Turns what the provider sent as output into the caller's type, or says what does not fit.
 *
 * @internal
 */
export type Validate<Output> = (output: unknown) => Effect.Effect<Output, string>

/**
 * Validates with the caller's schema, if there is one and it is wanted.
 *
 * @internal
 */
export const validateWith = (schema: AnySchema.AnySchema | undefined, skip: boolean | undefined): Validate<never> =>
  (schema === undefined || skip === true ? Effect.succeed : AnySchema.decode(schema)) as Validate<never>

/**
 * @internal
 */
export const validated = <Output>(
  validate: Validate<Output>,
  output: unknown,
  context: {
    readonly ref?: RunRef.RunRef | undefined
    readonly requestId: string | undefined
    readonly finishReason?: string | undefined
  }
): Effect.Effect<Output, InvalidOutputError> =>
  Effect.mapError(validate(output), (issue) =>
    new InvalidOutputError({
      message:
        `The execution succeeded${
          context.finishReason === undefined ? "" : ` with finish_reason ${JSON.stringify(context.finishReason)}`
        }, and its output does not fit the schema: ${shorten(issue)}. ` +
        "The output is kept in this error; correct the schema or the canvas, or set skipResultValidation.",
      issue,
      output,
      ...(context.finishReason === undefined ? undefined : { finishReason: context.finishReason }),
      ...(context.ref === undefined ? undefined : { ref: context.ref }),
      ...(context.requestId === undefined ? undefined : { requestId: context.requestId })
    }))

/**
 * Executes and waits for the answer.
 *
 * @internal
 */
export const executeSync = <Output>(
  runtime: Runtime,
  target: Target,
  variables: unknown,
  params: SyncExecution<Output>["params"],
  validate: Validate<Output>
): Effect.Effect<SyncExecution<Output>, ExecuteError | RunFailedError | InvalidOutputError> =>
  Effect.gen(function*() {
    const timeout = yield* Polling.positive(operation, "timeout", duration(params.timeout ?? "10 minutes"))
    const { request, resolved } = yield* prepare(runtime, target, variables, params, {})
    const started = yield* Clock.currentTimeMillis
    const { requestId, value } = yield* Create.create(
      runtime.api,
      { operation, request, decode: decodeSync, timeout },
      { retryCreates: runtime.retryCreates }
    ).pipe(Effect.catch(failedAnswer))
    const id = value.id || requestId || "unknown"
    const ref = RunRef.make({ provider, kind: "sync", id, ...(requestId === undefined ? undefined : { requestId }) })
    yield* Telemetry.countCreated(provider)
    const { finishReason } = value
    const judged: Effect.Effect<Output, RunFailedError | InvalidOutputError> = value._tag === "Failed"
      ? Effect.fail(runFailed(ref, value.raw, requestId, value.errors))
      : validated(validate, value.output, { ref, requestId, finishReason })
    const result = yield* Effect.onExit(
      judged,
      (exit) => Telemetry.endedAlone({ provider, started, id: value.id }, exit)
    )
    return {
      isSync: true as const,
      isAsync: false as const,
      isStream: false as const,
      id,
      status: Effect.succeed("succeeded" as const),
      requestId: Effect.succeed(requestId),
      variables: resolved,
      params,
      result,
      finishReason,
      rawResult: Effect.succeed(value.raw),
      cancel: Effect.void
    }
  }).pipe(Telemetry.span("TelaCanvas.execute", spanAttributes(target, params, "sync")))

/**
 * What the span of an execution says.
 *
 * @internal
 */
export const spanAttributes = (
  target: Target,
  params: ExecuteParams & VersionParams,
  mode: "sync" | "async" | "stream"
): Record<string, unknown> => ({
  "run.provider": provider,
  "execution.mode": mode,
  ...defined({
    "canvas.id": target._tag === "Application" ? undefined : target.id,
    "canvas.version_id": params.versionId ?? (target._tag === "Application" ? undefined : target.versionId),
    "canvas.application_id": target._tag === "Application" ? target.applicationId : undefined
  })
})

type AnyAsyncParams<E, R> = RunParams<boolean, E, R> | DynamicParams<boolean, E, R> | TaskParams<boolean, E, R>

/** Creates an execution, or a task, and checks first how it will be polled. */
const createAsync = <E, R>(runtime: Runtime, target: Target, variables: unknown, params: AnyAsyncParams<E, R>) =>
  Effect.gen(function*() {
    yield* Options.checkOnCreated(operation, params.onCreated)
    const policy = yield* makePolicy(operation, params, params.webhookUrl === undefined ? undefined : runtime.webhooks)
    const { request, resolved } = yield* prepare(runtime, target, variables, params, { async: true })
    const createdAt = yield* Clock.currentTimeMillis
    const kind = target._tag === "Application" ? "task" : "execution"
    const created = yield* Create.create(
      runtime.api,
      { operation, request, decode: kind === "task" ? decodeCreatedTask : decodeExecution },
      { retryCreates: runtime.retryCreates }
    ).pipe(
      Effect.map(({ requestId, value }) => {
        const { id, task } = value
        const ref = RunRef.make({
          provider,
          kind,
          id,
          createdAt,
          ...(requestId === undefined ? undefined : { requestId })
        })
        return { id, ref, requestId, task, snapshot: { ...value, requestId } }
      }),
      Effect.tap(({ id, ref }) => Effect.andThen(Create.accepted(ref), Effect.annotateCurrentSpan("run.id", id))),
      (created) => Create.thenOnCreated(created, params.onCreated)
    )
    return { ...created, policy, resolved }
  }).pipe(Telemetry.span("TelaCanvas.execute", spanAttributes(target, params, "async")))

/**
 * Creates an execution, or a task, that is polled when its result is asked for.
 *
 * @internal
 */
export const executeAsync = <Output, E, R>(
  runtime: Runtime,
  target: Target,
  variables: unknown,
  params: AnyAsyncParams<E, R>,
  validate: Validate<Output>
): Effect.Effect<AsyncExecution<Output>, ExecuteError | OnCreatedErrorOf<E>, R> =>
  Effect.flatMap(
    createAsync(runtime, target, variables, params),
    ({ policy, ref, requestId, resolved, snapshot }) =>
      follow(runtime, ref, snapshot, policy, validate, { params, requestId, variables: resolved, wasLookedUp: false })
  )

/**
 * Creates an execution, or a task, and polls it to its end.
 *
 * @internal
 */
export const run = <Output, E, R>(
  runtime: Runtime,
  target: Target,
  variables: unknown,
  params: AnyAsyncParams<E, R>,
  validate: Validate<Output>
): Effect.Effect<Output, CanvasRunError<E>, R> =>
  Effect.flatMap(
    createAsync(runtime, target, variables, params),
    ({ policy, ref, task }) =>
      Effect.flatMap(
        KernelRun.wait(source(runtime.api, ref, runtime.webhooks, task?.completionRunId), policy),
        ({ output, requestId }) => validated(validate, output, { ref, requestId })
      )
  )

/**
 * Looks up an execution, or a task.
 *
 * @internal
 */
export const getExecution = <Output>(
  runtime: Pick<Runtime, "api" | "webhooks">,
  operation: string,
  id: string | RunRef.RunRef,
  params: GetExecutionParams,
  validate: Validate<Output>
): Effect.Effect<AsyncExecution<Output>, RequestError> =>
  Effect.gen(function*() {
    const policy = yield* makePolicy(operation, params)
    const ref = yield* refOf(operation, id, params.isTask)
    const { requestId, value } = yield* retrieve(runtime.api, ref, operation, false).pipe(
      // A look-up right after the creation may reach a replica that does not know the execution yet, as a poll may
      Effect.retry({
        while: (error) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            error instanceof NotFoundError && ref.createdAt !== undefined &&
            now - ref.createdAt < Duration.toMillis(policy.notFoundGrace)),
        schedule: Schedule.spaced("1 second")
      })
    )
    return yield* follow(runtime, ref, { ...value, requestId }, policy, validate, {
      params,
      requestId: ref.requestId,
      variables: undefined,
      wasLookedUp: true
    })
  })

/**
 * Describes an execution to the kernel.
 *
 * @internal
 */
export const source = (
  api: Http.Api,
  ref: RunRef.RunRef,
  webhooks?: Webhooks.Service,
  /** The id that its webhook will name: a task's names the run that works for it. */
  announcedId: string = ref.id
): Source => ({
  ref,
  // Tela does not sign its webhooks, so one proves nothing about the execution
  pushed: webhooks === undefined ? undefined : (after) => webhooks.ended(provider, announcedId, after),
  // Made anew for each poll, so that an execution that is waited for does not hold it
  retrieve: Effect.suspend(() => poll(api, ref)),
  classify,
  status: statusOf,
  unchanged,
  longest: api.longest
})

const poll = (api: Http.Api, ref: RunRef.RunRef) =>
  Effect.map(retrieve(api, ref, "execution.poll", true), (answer) => ({
    ...answer,
    value: { ...answer.value, requestId: answer.requestId }
  }))

const classify: Source["classify"] = (run) =>
  run.status === "succeeded"
    ? { _tag: "Succeeded", run }
    : run.status === "failed"
    ? { _tag: "Failed", run, errors: failureOf(run.raw) }
    : { _tag: "Pending" }

const statusOf: Source["status"] = ({ providerStatus }) => providerStatus

const unchanged: Source["unchanged"] = (previous, next) =>
  previous.providerStatus === next.providerStatus && Equal.equals(previous.output, next.output)

interface Source extends RunSource.RunSource<ExecutionSnapshot, ExecutionSnapshot, ExecutionSnapshot> {}

const operation = "canvas.execute"

const follow = <Output>(
  { api, webhooks }: Pick<Runtime, "api" | "webhooks">,
  ref: RunRef.RunRef,
  initial: ExecutionSnapshot,
  policy: Polling.Policy<ExecutionSnapshot>,
  validate: Validate<Output>,
  info: {
    readonly params: AsyncExecution<Output>["params"]
    readonly requestId: string | undefined
    readonly variables: unknown
    readonly wasLookedUp: boolean
  }
): Effect.Effect<AsyncExecution<Output>> =>
  Effect.gen(function*() {
    const latest = yield* Ref.make(initial)
    const judged = yield* Ref.make<Exit.Exit<Output, InvalidOutputError> | undefined>(undefined)
    const origin = source(api, ref, webhooks, initial.task?.completionRunId)
    const hadEnded = initial.status === "succeeded" || initial.status === "failed"
    const note = ({ value }: RunSource.Answer<ExecutionSnapshot>) => Ref.set(latest, value)

    const shared = yield* KernelRun.share<Source, never, never>(
      {
        ...origin,
        retrieve: hadEnded
          ? Effect.succeed({ value: initial, requestId: initial.requestId, retryAfter: undefined })
          : Effect.tap(origin.retrieve, note)
      },
      policy
    )

    /** Validates the output once, however many ask. */
    const judge = Effect.fnUntraced(function*({ output, requestId }: ExecutionSnapshot) {
      const before = yield* Ref.get(judged)
      if (before !== undefined) return yield* before
      return yield* Effect.onExit(
        validated(validate, output, { ref, requestId }),
        (exit) => Exit.hasInterrupts(exit) ? Effect.void : Ref.set(judged, exit)
      )
    })

    const result = Effect.flatMap(shared.wait, judge)

    const status: Effect.Effect<ExecutionStatus> = Effect.gen(function*() {
      const snapshot = yield* Ref.get(latest)
      if (snapshot.status !== "succeeded") return snapshot.status
      return Exit.isSuccess(yield* Effect.exit(judge(snapshot))) ? "succeeded" : "failed"
    })

    const eventsOf = (
      seen: Ref.Ref<ExecutionStatus>,
      poll: RunSource.Poll<ExecutionSnapshot, RequestError>
    ): Effect.Effect<ReadonlyArray<ExecutionEvent<Output>>> =>
      Effect.gen(function*() {
        if (poll._tag === "Failure") return []
        const { requestId, snapshot } = poll
        const events: Array<ExecutionEvent<Output>> = [{ _tag: "poll", snapshot, requestId }]
        const outcome = snapshot.status === "succeeded" ? yield* Effect.result(judge(snapshot)) : undefined
        const current = outcome?._tag === "Failure" ? "failed" : snapshot.status
        if ((yield* Ref.getAndSet(seen, current)) !== current) events.push({ _tag: "statusChange", status: current })
        if (outcome?._tag === "Success") events.push({ _tag: "success", result: outcome.success, requestId })
        if (outcome?._tag === "Failure") events.push({ _tag: "error", error: outcome.failure })
        if (snapshot.status === "failed") events.push({ _tag: "error", error: runFailed(ref, snapshot.raw, requestId) })
        return events
      })

    const events = hadEnded && info.wasLookedUp
      ? Stream.empty
      : Stream.unwrap(Effect.map(Effect.flatMap(status, Ref.make), (seen) =>
        shared.polls.pipe(
          Stream.mapEffect((poll) => eventsOf(seen, poll)),
          Stream.flattenIterable,
          Stream.catch((error) => Stream.make<[ExecutionEvent<Output>]>({ _tag: "error", error }))
        )))

    return {
      isSync: false as const,
      isAsync: true as const,
      isStream: false as const,
      id: ref.id,
      ref,
      requestId: Effect.succeed(info.requestId),
      variables: info.variables,
      params: info.params,
      task: initial.task,
      status,
      poll: Effect.asVoid(Effect.forkScoped(Effect.ignore(result))),
      result,
      rawResult: Effect.map(shared.wait, ({ raw }) => raw),
      watch: shared.watch,
      events,
      cancel: shared.stop
    }
  })

/**
 * Reads a duration in Tela's form or in Effect's.
 *
 * @internal
 */
export const duration = (input: TelaDuration): Duration.Input => {
  const match = typeof input === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(input.trim()) : null
  return match === null ? input as Duration.Input : Number(match[1]) * unitMillis[match[2] as keyof typeof unitMillis]
}

const unitMillis = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Where a webhook is expected, polls are rarer. */
const makePolicy = (operation: string, params: PollParams, webhooks?: Webhooks.Service) =>
  Polling.makePolicy<ExecutionSnapshot>(operation, {
    timeout: params.pollingTimeout === undefined ? undefined : duration(params.pollingTimeout),
    errorBudget: params.errorBudget,
    notFoundGrace: params.notFoundGrace === undefined ? undefined : duration(params.notFoundGrace),
    retryAfterCeiling: params.retryAfterCeiling === undefined ? undefined : duration(params.retryAfterCeiling),
    ...(params.schedule === undefined
      ? { pollInterval: params.pollingInterval === undefined ? undefined : duration(params.pollingInterval) }
      : { schedule: params.schedule, pollInterval: params.pollingInterval as undefined })
  }, webhooks === undefined ? defaults : defaultsWithWebhooks)

const names = { pollInterval: "pollingInterval", timeout: "pollingTimeout" }
const defaults = { pollInterval: 1000, timeout: Duration.minutes(1), names }
const defaultsWithWebhooks = { pollInterval: whileWebhooksAreExpected, timeout: Duration.minutes(1), names }

const retrieve = (
  api: Http.Api,
  ref: RunRef.RunRef,
  operation: string,
  isPoll: boolean
): Effect.Effect<RunSource.Answer<ExecutionSnapshot>, RequestError> =>
  api.call({
    operation,
    request: HttpClientRequest.get(ref.kind === "task" ? `/task/${ref.id}` : `/v2/chat/completions/${ref.id}`),
    decode: (body) =>
      Effect.flatMap(
        ref.kind === "task" ? decodeTask(body) : decodeExecution(body),
        (snapshot) =>
          snapshot.id.toLowerCase() === ref.id.toLowerCase()
            ? Effect.succeed(snapshot)
            // Promise 9: a response about another execution, as of a cache, says nothing of this one
            : Effect.as(Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.Literal(ref.id) }))(body), snapshot)
      ),
    ref,
    isPoll
  })

const refOf = (
  operation: string,
  id: string | RunRef.RunRef,
  isTask: boolean | undefined
): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  if (typeof id === "string") {
    return Effect.map(
      checkId(operation, "id", id),
      (id) => RunRef.make({ provider, kind: isTask === true ? "task" : "execution", id })
    )
  }
  const ref = RunRef.read(id)
  return ref?.provider === provider && (ref.kind === "execution" || ref.kind === "task")
    ? Effect.as(checkId(operation, "ref.id", ref.id), ref)
    : Effect.fail(refused({
      operation,
      parameter: "id",
      message: `this is ${RunRef.describe(id)}, which cannot be looked up here. Give the id or the ref of an execution.`
    }))
}

const runFailed = (
  ref: RunRef.RunRef,
  raw: unknown,
  requestId: string | undefined,
  errors = failureOf(raw)
): RunFailedError => {
  return new RunFailedError({
    message: `${RunRef.format(ref)} failed: ${
      errors.length === 0 ? "the provider gave no reason" : reasons(errors)
    }. The provider's answer is in this error's run.`,
    ref,
    errors,
    run: raw,
    ...(requestId === undefined ? undefined : { requestId })
  })
}

/** The provider does not say where a failed run tells its cause, so this looks where it is plausible, and needs none. */
const failureOf = (raw: unknown): ReadonlyArray<string> =>
  [field(raw, "raw_output"), field(raw, "rawOutput"), raw]
    .map((place) => errorIn({ error: field(place, "error"), errors: field(place, "errors") }) ?? [])
    .find((words) => words.length > 0) ?? []

const field = (value: unknown, key: string): unknown => Predicate.hasProperty(value, key) ? value[key] : undefined

const decodeRun = Schema.decodeUnknownEffect(Wire.CompletionRun)
const decodeWorkflow = Schema.decodeUnknownEffect(Wire.WorkflowRun)
const decodeChat = Schema.decodeUnknownEffect(Wire.ChatCompletion)
const decodeWireTask = Schema.decodeUnknownEffect(Wire.Task)

type StatusTable = { readonly [status: string]: ExecutionStatus }

const runStatus: StatusTable = { created: "created", running: "running", succeeded: "succeeded", failed: "failed" }

const workflowStatus: StatusTable = { running: "running", completed: "succeeded", failed: "failed" }

/** A task's output is there from `validating` on, which waits for a person. */
const taskStatus: StatusTable = {
  created: "created",
  running: "running",
  validating: "succeeded",
  completed: "succeeded",
  failed: "failed",
  cancelled: "failed"
}

/** A status that says success beside an error is a failure. */
const statusIn = (table: StatusTable, status: string, body: unknown): ExecutionStatus => {
  const said = Object.hasOwn(table, status) ? table[status]! : "unknown"
  return said === "succeeded" && errorIn(body) !== undefined ? "failed" : said
}

const isWorkflow = (body: unknown): boolean => Array.isArray(field(body, "steps"))

const fromWorkflow = (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
  Effect.map(decodeWorkflow(body), (run) => ({
    id: run.id,
    kind: "execution" as const,
    status: statusIn(workflowStatus, run.status, body),
    providerStatus: run.status,
    output: run.steps.at(-1)?.output,
    task: undefined,
    requestId: undefined,
    raw: body
  }))

/**
 * Reads what the provider says of an execution, whoever asked.
 *
 * @internal
 */
export const decodeSnapshot = (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
  decodeExecution(body)

const decodeExecution = (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
  isWorkflow(body) ? fromWorkflow(body) : Effect.map(decodeRun(body), (run) => ({
    id: run.id,
    kind: "execution",
    status: statusIn(runStatus, run.status, body),
    providerStatus: run.status,
    output: run.outputContent?.content,
    task: undefined,
    requestId: undefined,
    raw: body
  }))

const decodeTask = (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
  Effect.map(decodeWireTask(body), (task) => ({
    id: task.id,
    kind: "task",
    status: statusIn(taskStatus, task.status, body),
    providerStatus: task.status,
    output: task.outputContent?.content,
    task,
    requestId: undefined,
    raw: body
  }))

/** The answer may be the task, or a list of one. */
const decodeCreatedTask = (body: unknown) => decodeTask(Array.isArray(body) && body.length === 1 ? body[0] : body)

/** What a synchronous answer says of the execution. */
interface SyncAnswer {
  readonly _tag: "Succeeded" | "Failed"
  readonly id: string | undefined
  readonly output: unknown
  readonly finishReason: string | undefined
  /** The provider's words, if it failed and the answer has an error. */
  readonly errors: ReadonlyArray<string> | undefined
  readonly raw: unknown
}

/**
 * Reads a synchronous answer, by the rules of `endMark`: it is one whole document, so only an answer that says that it failed
 * is no success. What also says its status, as a workflow or a run does, is no success before that says so.
 */
const decodeSync = (body: unknown): Effect.Effect<SyncAnswer, Schema.SchemaError> => {
  const id = field(body, "id")
  const failed = (errors: ReadonlyArray<string>, finishReason?: string): SyncAnswer => ({
    _tag: "Failed",
    id: typeof id === "string" ? id : undefined,
    output: undefined,
    finishReason,
    // The answer may hold its reason elsewhere
    errors: errors.length === 0 ? undefined : errors,
    raw: body
  })
  const succeeded = (id: string, output: unknown, finishReason?: string): SyncAnswer => ({
    _tag: "Succeeded",
    id,
    output,
    finishReason,
    errors: undefined,
    raw: body
  })
  const errors = errorIn(body)
  if (errors !== undefined) return Effect.succeed(failed(errors))
  if (isWorkflow(body) || isRun(body)) {
    return Effect.andThen(
      decodeStatus(isWorkflow(body) ? "completed" : "succeeded")(body),
      Effect.map(decodeExecution(body), ({ id, output }) => succeeded(id, output))
    )
  }
  return Effect.map(Effect.andThen(decodeEnded(body), decodeChat(body)), ({ choices, id }) => {
    const choice = choices.find(({ index }) => index === 0) ?? choices[0]
    const reason = choice.finish_reason ?? choice.finishReason
    const finishReason = typeof reason === "string" && reasonOf(reason) !== "none" ? reason : undefined
    const errors = errorIn({ error: choice.error })
    return errors !== undefined || outcomeOf(reason, true) !== "success"
      ? failed(errors ?? [], finishReason)
      : succeeded(id, choice.message.content, finishReason)
  })
}

/**
 * A failure whose response says that the execution was carried out and failed, read as the answer that it is. Any other 5xx may
 * come from a proxy, while the execution goes well.
 */
const failedAnswer = <E extends RequestError | CreateOutcomeUnknownError | FileInputError>(
  error: E
): Effect.Effect<Pick<RunSource.Answer<SyncAnswer>, "value" | "requestId">, E> => {
  if (error._tag === "FileInputError" || !saysThatItFailed(error.body)) return Effect.fail(error)
  const { body, providerMessage, requestId } = error
  const id = field(body, "id")
  return Effect.succeed({
    requestId,
    value: {
      _tag: "Failed",
      id: typeof id === "string" ? id : undefined,
      output: undefined,
      finishReason: undefined,
      errors: failureOf(body).length > 0 || providerMessage === undefined ? failureOf(body) : [providerMessage],
      raw: body
    }
  })
}

/**
 * Fails with a `RunFailedError` where the response to a streamed execution says that the execution failed.
 *
 * @internal
 */
export const failedStream = <E extends RequestError | CreateOutcomeUnknownError | FileInputError>(
  error: E
): Effect.Effect<never, E | RunFailedError> =>
  Effect.flatMap(failedAnswer(error), ({ requestId, value: { errors, id, raw } }) =>
    Effect.fail(
      runFailed(RunRef.make({ provider, kind: "stream", id: id || requestId || "unknown" }), raw, requestId, errors)
    ))

/** A run with the status `failed`, or an error whose code or name says that the run failed (assumed: none is documented). */
const saysThatItFailed = (body: unknown): boolean =>
  /^failed$/i.test(text(body, "status")) ||
  [text(body, "code"), text(body, "name")].some((word) =>
    /^(?:execution|run|completion|workflow)[_-]?failed(?:[_-]?error)?$/i.test(word)
  )

const text = (value: unknown, key: string): string => {
  const found = field(value, key)
  return typeof found === "string" ? found : ""
}

/** A run that has an output, as asynchronous executions answer. */
const isRun = (body: unknown): boolean =>
  !Array.isArray(field(body, "choices")) && (field(body, "output_content") ?? field(body, "outputContent")) != null

const decodeStatus = (status: string) => Schema.decodeUnknownEffect(Schema.Struct({ status: Schema.Literal(status) }))

/** A completion has no status (as documented), so one in an unknown word may say that it has not ended. */
const decodeEnded = Schema.decodeUnknownEffect(Schema.Struct({
  status: Schema.optionalKey(
    Schema.Unknown.check(
      Schema.makeFilter((status) =>
        typeof status !== "string" || /^\s*(succeeded|success|completed?|done|finished|ok|2\d\d)?\s*$/i.test(status) ||
        "a status that says that the execution has succeeded"
      )
    )
  )
}))

/**
 * Uploads the files and makes the request.
 *
 * @internal
 */
export const prepare = (
  runtime: Runtime,
  target: Target,
  variables: unknown,
  params: ExecuteParams & VersionParams & WebhookParams & { readonly label?: string | undefined },
  mode: { readonly async?: true; readonly stream?: true }
): Effect.Effect<
  { readonly request: HttpClientRequest.HttpClientRequest; readonly resolved: unknown },
  RequestError | FileInputError
> =>
  Effect.gen(function*() {
    if (params.webhookUrl !== undefined && !URL.canParse(params.webhookUrl)) {
      return yield* refused({ operation, parameter: "webhookUrl", message: "webhookUrl is not an absolute URL." })
    }
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(params.forwardHeaders ?? {})) {
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !/^[\t\u0020-\u007e]*$/.test(value)) {
        return yield* refused({
          operation,
          parameter: "forwardHeaders",
          message: `${JSON.stringify(name)} is no header that can be sent.`
        })
      }
      headers[`x-tela-forward-${name.toLowerCase().replace(/^x-tela-forward-/, "")}`] = value
    }
    const resolved = yield* TelaFile.resolve(runtime, operation, variables)
    const body = yield* HttpBody.json({
      ...targetFields(target, params),
      variables: resolved,
      ...defined({
        messages: params.messages,
        override: params.override === undefined ? undefined : encodeOverride(params.override),
        tags: params.tags,
        label: params.label,
        webhook_url: params.webhookUrl
      }),
      ...mode
    }).pipe(
      Effect.mapError(() =>
        refused({ operation, parameter: "variables", message: "the variables cannot be written as JSON." })
      )
    )
    return { resolved, request: HttpClientRequest.post("/v2/chat/completions", { headers, body }) }
  })

const targetFields = (target: Target, { environmentName, versionId }: VersionParams): Record<string, string> => {
  if (target._tag === "Application") return { application_id: target.applicationId }
  const version = versionId ?? target.versionId
  const canvas = target.id
  return {
    ...(canvas === undefined ? undefined : { canvas_id: canvas }),
    ...(version === undefined ? undefined : { version_id: version }),
    ...(environmentName === undefined || version !== undefined ? undefined : { environment_name: environmentName })
  }
}

const encodeOverride = ({ functions, model, structuredOutput, temperature, type }: Wire.Override) => ({
  type,
  ...defined({ model, temperature, functions, structured_output: structuredOutput })
})

const defined = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
