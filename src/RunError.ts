/**
 * All errors of this library, as tagged errors: catch one with `Effect.catchTag`, several with `Effect.catchTags`.
 *
 * **Details**
 *
 * | tag | when |
 * | --- | --- |
 * | {@link BadRequestError} | the request is wrong: this library did not send it, or the provider refused it (400, 422, and any other 4xx that has no row here) |
 * | {@link RunTimeoutError} | the wait's deadline passed; the run itself may be fine |
 * | {@link WaitStoppedError} | another fiber stopped the wait: `stop` of a shared handle, or `cancel` of an execution |
 * | {@link RunFailedError} | the provider finished the run as failed |
 * | {@link AuthenticationError} | 401: the API key is missing, wrong or revoked |
 * | {@link UsageLimitError} | 402: credits or plan are used up |
 * | {@link PermissionDeniedError} | 403 |
 * | {@link NotFoundError} | 404: not found, or owned by another account |
 * | {@link ConflictError} | 409, 423 |
 * | {@link RateLimitError} | 429 |
 * | {@link ServerError} | 5xx, and 425 |
 * | {@link TransportError} | no response: the connection failed |
 * | {@link RequestTimeoutError} | no response in time (also 408) |
 * | {@link InvalidResponseError} | a response that does not decode |
 * | {@link InvalidOutputError} | the run succeeded, and its output does not fit the caller's schema |
 * | {@link StreamInterruptedError} | a stream ended without its end mark, or stalled |
 * | {@link CreateOutcomeUnknownError} | a create may have reached the provider, and its outcome is unknown: a run may exist |
 * | {@link OnCreatedError} | a run was created, and the caller's `onCreated` failed |
 * | {@link ArtifactError} | a file that a run produced could not be read or written whole |
 * | {@link FileInputError} | a file to upload could not be read |
 * | {@link WebhookSignatureError} | a webhook is not genuine, or not readable |
 * | {@link ConfigError} | a client cannot be made from its options |
 *
 * Every error has a `message` that says what to do, and an `isRetryable` that says whether trying again can help. Errors about a run
 * have its `ref`, so that no run is lost with an error. No error holds a key: the API key is removed from the texts of the provider,
 * and requests, with their headers, are never kept. What an error quotes (`message`, `providerMessage`, `issue`, `errors` and `body`)
 * has links without their query, which may be a signature.
 *
 * Each class is a schema, and so are the unions, such as {@link CreateError} and {@link WaitError}: `Schema.toCodecJson` writes an error as
 * JSON and reads it back. A value that JSON cannot hold, such as `NaN` or a `bigint`, is written as a similar value. A `cause` that is not
 * an error of a request or of a file is read back as an `Error` with the same name and message.
 *
 * `run`, `output`, `lastSnapshot` and `received` hold the results of the run unchanged. Any holder of the links in them can open
 * them. In these and in `body`, a value that is nested in more than 500 levels is replaced by `"<nested too deep>"`.
 *
 * **Example** (Deciding by tag)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const outcome = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* spine.runs.run({ prompt: "Compare three vector databases" })
 *   return run.result.final_output
 * }).pipe(
 *   Effect.catchTags({
 *     RunTimeoutError: (error) => Effect.succeed(`still running, resume with ${error.ref.id}`),
 *     RunFailedError: (error) => Effect.succeed(`failed: ${error.errors.join(", ")}`),
 *     RateLimitError: (error) => Effect.succeed(`slow down: ${error.message}`)
 *   })
 * )
 *
 * const failing = SpineEmulator.layerTest({
 *   script: { timeline: Timeline.make({ duration: 0, outcome: "failed", errors: ["out of luck"] }) }
 * })
 * const main = outcome.pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(failing)
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => "failed: out of luck"
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { RunRef } from "./internal/ref.ts"
import { ErrorCause } from "./internal/createError.ts"
import { RequestError } from "./internal/requestError.ts"
import { Anything, Defect, PermanentError, TaggedError, TransientError } from "./internal/taggedError.ts"

export { CreateError, CreateOutcomeUnknownError, FileInputError } from "./internal/createError.ts"
export {
  AuthenticationError,
  badRequest,
  BadRequestError,
  ConflictError,
  InvalidResponseError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  RequestError,
  RequestTimeoutError,
  ServerError,
  TransportError,
  UsageLimitError
} from "./internal/requestError.ts"

/**
 * A run was created, and then the caller's `onCreated` failed, for example because the database that stores refs was down.
 * **The run exists and is billed**: store `ref` another way, and wait for the run with it.
 *
 * **Example** (A database that is down)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const error = yield* Effect.flip(runs.run({ prompt: "Tides" }, { onCreated: () => Effect.fail("no database") }))
 *   if (error._tag !== "OnCreatedError") return
 *   console.log(error.cause) // => "no database"
 *   console.log((yield* runs.waitForCompletion(error.ref)).status) // => "completed"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link OnCreatedErrorOf} for the type with the failure's own type
 * @category errors
 * @since 0.1.0
 */
export class OnCreatedError extends /*#__PURE__*/ PermanentError<OnCreatedError>()("OnCreatedError", {
  /** What happened, and how to keep the run. */
  message: Schema.String,
  /** The run that was created. */
  ref: RunRef,
  /** The failure of `onCreated`, unchanged. */
  cause: ErrorCause
}) {}

/**
 * The {@link OnCreatedError} of an `onCreated` that can fail with `E`. It is `never` for an `onCreated` that cannot fail.
 *
 * @category errors
 * @since 0.1.0
 */
export type OnCreatedErrorOf<E> = [E] extends [never] ? never : OnCreatedError & {
  /** The failure of `onCreated`, unchanged. */
  readonly cause: E
}

/**
 * Polls in a row with the same outcome, in the `history` of a {@link RunTimeoutError}.
 *
 * @category models
 * @since 0.1.0
 */
export const PollRecord = Schema.Struct({
  /** Time from the start of the wait to the last of these polls, in milliseconds. */
  elapsedMs: Schema.Finite,
  /** The status that the provider reported, or the tag of the error. */
  outcome: Schema.String,
  /** How many polls had this outcome in a row. */
  polls: Schema.Finite
})

/**
 * @category models
 * @since 0.1.0
 */
export interface PollRecord extends Schema.Schema.Type<typeof PollRecord> {}

/**
 * The wait ended before the run did. The run continues at the provider: wait again with `ref`.
 *
 * **Example** (Waiting again)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const error = yield* Effect.flip(runs.run({ prompt: "Tides" }, { timeout: "20 millis" }))
 *   if (error._tag !== "RunTimeoutError") return
 *   console.log(error.reason, error.ref.kind) // => deadline run
 *
 *   yield* emulator.advance("1 hour")
 *   console.log((yield* runs.waitForCompletion(error.ref)).status) // => "completed"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link WaitStoppedError} for a wait that another fiber stopped
 * @category errors
 * @since 0.1.0
 */
export class RunTimeoutError extends TransientError<RunTimeoutError>()("RunTimeoutError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The run, which continues at the provider. */
  ref: RunRef,
  /** What ended the wait: its deadline, or a schedule that had no polls left. */
  reason: Schema.Literals(["deadline", "schedule"]),
  /** Time from the start of the wait to this error. */
  elapsed: Schema.Duration,
  /** How many polls were made. */
  polls: Schema.Finite,
  /**
   * The outcomes of the polls, oldest first. Polls in a row with one outcome are one record, and the last {@link maxPollRecords}
   * records are kept.
   */
  history: Schema.Array(PollRecord),
  /** The last snapshot, if a poll returned one. A run among `completions` may have had no poll in time. */
  lastSnapshot: Schema.optionalKey(Anything)
}) {}

/**
 * How many changes of outcome the history of a {@link RunTimeoutError} holds.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxPollRecords = 20

/**
 * Another fiber stopped the wait, with `stop` of a shared handle or `cancel` of an execution. The run continues at the provider,
 * and the same handle can be waited for again.
 *
 * **Example** (Stopping all waiters of a handle)
 *
 * ```ts
 * import { Effect, Fiber, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const handle = yield* runs.share(yield* runs.create({ prompt: "Tides" }))
 *   const wait = yield* Effect.forkChild(Effect.flip(handle.wait), { startImmediately: true })
 *   yield* handle.stop
 *   console.log((yield* Fiber.join(wait))._tag) // => "WaitStoppedError"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link RunTimeoutError} for a wait whose deadline passed
 * @category errors
 * @since 0.1.0
 */
export class WaitStoppedError extends TransientError<WaitStoppedError>()("WaitStoppedError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The run, which continues at the provider. */
  ref: RunRef
}) {}

/**
 * The provider ended the run as failed.
 *
 * **Example** (The reasons of the provider)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const timeline = Timeline.make({ duration: 0, outcome: "failed", errors: ["out of luck"] })
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const error = yield* Effect.flip(runs.run({ prompt: "Tides" }))
 *   if (error._tag !== "RunFailedError") return
 *   console.log(error.errors) // => ["out of luck"]
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline } }))
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link InvalidOutputError} for a run that succeeded with an output that does not fit
 * @category errors
 * @since 0.1.0
 */
export class RunFailedError extends PermanentError<RunFailedError>()("RunFailedError", {
  /** Which run failed, and the reasons that the provider gave. */
  message: Schema.String,
  /** The run that failed. */
  ref: RunRef,
  /** The reasons that the provider gave, one entry each. */
  errors: Schema.Array(Schema.String),
  /** The whole terminal snapshot. */
  run: Anything,
  /** The provider's id of the request whose response reported the failure. */
  requestId: Schema.optionalKey(Schema.String)
}) {}

/**
 * The run succeeded, and its output does not fit the caller's schema. The error holds the output unchanged.
 *
 * @see {@link RunFailedError} for a run that failed
 * @category errors
 * @since 0.1.0
 */
export class InvalidOutputError extends /*#__PURE__*/ PermanentError<InvalidOutputError>()("InvalidOutputError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The run that succeeded, if it has a known id. */
  ref: /*#__PURE__*/ Schema.optionalKey(RunRef),
  /** What does not fit, and where. */
  issue: Schema.String,
  /** The output as the provider sent it. */
  output: Anything,
  /** Why the model stopped, if the provider says so: `"length"` and `"content_filter"` mean that the output was cut off. */
  finishReason: /*#__PURE__*/ Schema.optionalKey(Schema.String),
  /** The provider's id of the request whose response had the output. */
  requestId: /*#__PURE__*/ Schema.optionalKey(Schema.String)
}) {}

/**
 * What a stream had delivered when it broke.
 *
 * @category models
 * @since 0.1.0
 */
export const Received = /*#__PURE__*/ Schema.Struct({
  /** The whole text so far. */
  message: Schema.String,
  /** The structured output so far. */
  structured: Anything,
  /** How many chunks of output had arrived. */
  chunks: Schema.Finite,
  /** How many events were skipped because they held no output, such as keep-alives. */
  skipped: /*#__PURE__*/ Schema.optionalKey(Schema.Finite),
  /**
   * What arrived and could not be read: the chunk or the text that broke the stream, and if there is no output also the
   * named events, as `{ event, data }`, that may hold it.
   */
  unread: /*#__PURE__*/ Schema.optionalKey(/*#__PURE__*/ Schema.Array(Anything))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Received extends Schema.Schema.Type<typeof Received> {}

/**
 * A stream ended without its end mark, or stalled. The error holds what had arrived.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamInterruptedError
  extends /*#__PURE__*/ TransientError<StreamInterruptedError>()("StreamInterruptedError", {
    /** What happened, and what to do. */
    message: Schema.String,
    /** The run whose output was streamed, if it has a known id. */
    ref: /*#__PURE__*/ Schema.optionalKey(RunRef),
    /** What ended the stream. */
    reason: /*#__PURE__*/ Schema.Literals(["end", "idle", "first-event", "total", "transport", "cancelled"]),
    /** What had arrived. */
    received: Received,
    /** Time from the start of the stream to this error. */
    elapsed: Schema.Duration,
    /** The provider's id of the request. */
    requestId: /*#__PURE__*/ Schema.optionalKey(Schema.String),
    /** The error of the connection, if there was one. */
    cause: /*#__PURE__*/ Schema.optionalKey(ErrorCause)
  })
{}

/**
 * A file that a run produced could not be read or written completely. No file is left under its final name.
 *
 * @category errors
 * @since 0.1.0
 */
export class ArtifactError extends TaggedError<ArtifactError>()("ArtifactError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The artifact's name, as the provider gave it. */
  artifact: Schema.String,
  /**
   * `"expired"`: the link is refused, and so is a fresh one. `"unavailable"`: the server has no file to give. `"interrupted"`:
   * the download broke off. `"size"`: the file is shorter or longer than announced. `"write"`: the file could not be written.
   */
  reason: Schema.Literals(["expired", "unavailable", "interrupted", "size", "write"]),
  /** The run that produced the file, if there is one. */
  ref: Schema.optionalKey(RunRef),
  /** The HTTP status, if there was a response. */
  status: Schema.optionalKey(Schema.Finite),
  /** The bytes announced, if they differ from the bytes received. */
  expectedBytes: Schema.optionalKey(Schema.Finite),
  /** The bytes received, if they differ from the bytes announced, or if the download broke off. */
  receivedBytes: Schema.optionalKey(Schema.Finite),
  /** How long the server asks to wait before the next try. */
  retryAfter: Schema.optionalKey(Schema.Duration),
  /** Whether reading the file again can help. */
  isRetryable: Schema.Boolean,
  /** The error that caused this one, if there is one. */
  cause: Schema.optionalKey(ErrorCause)
}) {}

/**
 * A webhook is not genuine, or not readable.
 *
 * @category errors
 * @since 0.1.0
 */
export class WebhookSignatureError
  extends /*#__PURE__*/ PermanentError<WebhookSignatureError>()("WebhookSignatureError", {
    /** What happened, and what to do. */
    message: Schema.String,
    /**
     * `"missing"`: the request has no proof. `"malformed"`: the proof cannot be read. `"mismatch"`: it was made with another
     * secret, or for another body. `"stale"`: it is too old, or from the future. `"body"`: the body cannot be read.
     */
    reason: /*#__PURE__*/ Schema.Literals(["missing", "malformed", "mismatch", "stale", "body"])
  })
{}

/**
 * A client cannot be made from its options. The layer of the client fails with it.
 *
 * **Example** (An address that is not a URL)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Spine } from "canvas-runs"
 *
 * const layer = Spine.layer({ apiKey: Redacted.make("sk_spine_test"), baseUrl: "api.getspine.ai" })
 *
 * const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, FetchHttpClient.layer)))))
 * console.log(error._tag, error.option) // => ConfigError baseUrl
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class ConfigError extends PermanentError<ConfigError>()("ConfigError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The option or environment variable that is wrong. */
  option: Schema.String,
  /** The error that caused this one, if there is one. */
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * The schema of the errors of watching a run.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WatchError = /*#__PURE__*/ Schema.Union([RequestError, RunTimeoutError])

/**
 * The errors of watching a run.
 *
 * @category errors
 * @since 0.1.0
 */
export type WatchError = RequestError | RunTimeoutError

/**
 * The schema of the errors of waiting for a run.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WaitError = /*#__PURE__*/ Schema.Union([RequestError, RunTimeoutError, RunFailedError])

/**
 * The errors of waiting for a run.
 *
 * @category errors
 * @since 0.1.0
 */
export type WaitError = WatchError | RunFailedError

/**
 * The schema of the errors of reading an artifact.
 *
 * @category schemas
 * @since 0.1.0
 */
export const DownloadError = /*#__PURE__*/ Schema.Union([RequestError, ArtifactError])

/**
 * The errors of reading an artifact.
 *
 * @category errors
 * @since 0.1.0
 */
export type DownloadError = RequestError | ArtifactError
