/**
 * Everything that can go wrong, as tagged errors: catch one with `Effect.catchTag`, several with `Effect.catchTags`.
 *
 * **Details**
 *
 * | tag | when |
 * | --- | --- |
 * | {@link BadRequestError} | the request is wrong: refused here before it was sent, or by the provider (400, 422, and any other 4xx without a tag of its own) |
 * | {@link RunTimeoutError} | the wait's deadline passed; the run itself may be fine |
 * | {@link WaitStoppedError} | another fiber stopped the wait: `stop` of a shared handle, or `cancel` of an execution |
 * | {@link RunFailedError} | the provider finished the run as failed |
 * | {@link AuthenticationError} | 401: the API key is missing, wrong or revoked |
 * | {@link UsageLimitError} | 402: credits or plan are used up |
 * | {@link PermissionDeniedError} | 403 |
 * | {@link NotFoundError} | 404: no such thing, or it belongs to another account |
 * | {@link ConflictError} | 409, 423 |
 * | {@link RateLimitError} | 429 |
 * | {@link ServerError} | 5xx, and 425 |
 * | {@link TransportError} | no answer: the connection failed |
 * | {@link RequestTimeoutError} | no answer in time (also 408) |
 * | {@link InvalidResponseError} | an answer that does not decode |
 * | {@link InvalidOutputError} | the run succeeded, and its output does not fit the caller's schema |
 * | {@link StreamInterruptedError} | a stream ended without its end mark, or stalled |
 * | {@link CreateOutcomeUnknownError} | a create went out and its outcome is not known: a run may exist |
 * | {@link OnCreatedError} | a run was created, and the caller's `onCreated` failed |
 * | {@link ArtifactError} | a file that a run produced could not be read or written whole |
 * | {@link FileInputError} | a file to upload could not be read |
 * | {@link WebhookSignatureError} | a webhook is not what it claims to be |
 * | {@link ConfigError} | a client cannot be made from what it was given |
 *
 * Every error has a `message` that says what to do and an `isRetryable` that says whether trying again can help; those
 * about a run carry its `ref`, so that no run is lost with an error. None of them holds a key: provider texts are searched for
 * the API key, and requests, with their headers, are never kept. What an error quotes (`message`, `providerMessage`, `issue`,
 * `errors` and `body`) has links without their query, which may be a signature.
 *
 * `run`, `output`, `lastSnapshot` and `received` hold the results of the run unchanged. Any holder of the links in them can open
 * them. In these and in `body` only what is nested in more than 500 levels is replaced, by `"<nested too deep>"`.
 *
 * **Example** (Deciding by tag)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
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
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(failing)
 * )
 *
 * console.log(await Effect.runPromise(main)) // => "failed: out of luck"
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { RunRef } from "./internal/ref.ts"
import type { CreateOutcomeUnknownError, RequestError } from "./internal/requestError.ts"
import { Anything, Defect, PermanentError, TaggedError, TransientError } from "./internal/taggedError.ts"

export * from "./internal/requestError.ts"

/**
 * A run was created, and then the caller's `onCreated` failed, for example because the database that stores refs was down.
 * **The run exists and is billed**: store `ref` another way, and wait for the run with it.
 *
 * @see {@link OnCreatedErrorOf} for the type with the failure's own type
 * @category errors
 * @since 0.1.0
 */
export class OnCreatedError extends /*#__PURE__*/ PermanentError<OnCreatedError>()("OnCreatedError", {
  message: Schema.String,
  /** The run that was created. */
  ref: RunRef,
  /** The failure of `onCreated`, unchanged. */
  cause: Defect
}) {}

/**
 * The {@link OnCreatedError} of an `onCreated` that can fail with `E`; `never` for an `onCreated` that cannot fail.
 *
 * @category errors
 * @since 0.1.0
 */
export type OnCreatedErrorOf<E> = [E] extends [never] ? never : OnCreatedError & { readonly cause: E }

/**
 * Polls in a row with the same outcome, in the account of a {@link RunTimeoutError}.
 *
 * @category models
 * @since 0.1.0
 */
export const PollRecord = Schema.Struct({
  /** Milliseconds from the start of the wait to the last of them. */
  elapsedMs: Schema.Finite,
  /** The status that came back, or the tag of the error. */
  outcome: Schema.String,
  /** How many in a row. */
  polls: Schema.Finite
})

/**
 * @category models
 * @since 0.1.0
 */
export interface PollRecord extends Schema.Schema.Type<typeof PollRecord> {}

/**
 * The wait is over and the run is not. The run goes on at the provider: wait again with `ref`.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunTimeoutError extends TransientError<RunTimeoutError>()("RunTimeoutError", {
  message: Schema.String,
  ref: RunRef,
  /** What ended the wait: its deadline, or a schedule that had no more polls to make. */
  reason: Schema.Literals(["deadline", "schedule"]),
  /** Time from the start of the wait to this error. */
  elapsed: Schema.Duration,
  /** How many polls were made. */
  polls: Schema.Finite,
  /** What the polls returned, oldest first, those in a row with one outcome as one; the last {@link maxPollRecords}. */
  history: Schema.Array(PollRecord),
  /** The last snapshot, if any poll brought one. A run among `completions` whose polls waited long for room may lack it. */
  lastSnapshot: Schema.optionalKey(Anything)
}) {}

/**
 * How many changes of outcome a {@link RunTimeoutError} recounts.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxPollRecords = 20

/**
 * Another fiber stopped the wait, with `stop` of a shared handle or `cancel` of an execution. The run continues at the provider,
 * and the same handle can be waited for again.
 *
 * @category errors
 * @since 0.1.0
 */
export class WaitStoppedError extends TransientError<WaitStoppedError>()("WaitStoppedError", {
  message: Schema.String,
  ref: RunRef
}) {}

/**
 * The provider finished the run as failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunFailedError extends PermanentError<RunFailedError>()("RunFailedError", {
  message: Schema.String,
  ref: RunRef,
  /** The provider's words, one entry per thing that went wrong. */
  errors: Schema.Array(Schema.String),
  /** The terminal snapshot, whole. */
  run: Anything,
  /** The provider's id of the request that told. */
  requestId: Schema.optionalKey(Schema.String)
}) {}

/**
 * The run succeeded, and its output does not fit the caller's schema. The output is kept as it came.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOutputError extends /*#__PURE__*/ PermanentError<InvalidOutputError>()("InvalidOutputError", {
  message: Schema.String,
  ref: /*#__PURE__*/ Schema.optionalKey(RunRef),
  /** What does not fit, and where. */
  issue: Schema.String,
  /** The output as the provider sent it. */
  output: Anything,
  /** Why the model stopped, where the provider says so: `"length"` and `"content_filter"` mean that the output was cut off. */
  finishReason: /*#__PURE__*/ Schema.optionalKey(Schema.String),
  requestId: /*#__PURE__*/ Schema.optionalKey(Schema.String)
}) {}

/**
 * What had arrived when a stream broke.
 *
 * @category models
 * @since 0.1.0
 */
export const Received = /*#__PURE__*/ Schema.Struct({
  /** All that had been said. */
  message: Schema.String,
  /** The structured output, as far as it had come. */
  structured: Anything,
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
 * A stream ended without its end mark, or stalled. What had arrived is kept.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamInterruptedError
  extends /*#__PURE__*/ TransientError<StreamInterruptedError>()("StreamInterruptedError", {
    message: Schema.String,
    ref: /*#__PURE__*/ Schema.optionalKey(RunRef),
    /** What ended it. */
    reason: /*#__PURE__*/ Schema.Literals(["end", "idle", "first-event", "total", "transport", "cancelled"]),
    /** What had arrived. */
    received: Received,
    elapsed: Schema.Duration,
    requestId: /*#__PURE__*/ Schema.optionalKey(Schema.String),
    cause: /*#__PURE__*/ Schema.optionalKey(Defect)
  })
{}

/**
 * A file that a run produced could not be read or written whole. Nothing is left under its final name.
 *
 * @category errors
 * @since 0.1.0
 */
export class ArtifactError extends TaggedError<ArtifactError>()("ArtifactError", {
  message: Schema.String,
  /** The artifact's name, as the provider gave it. */
  artifact: Schema.String,
  reason: Schema.Literals(["expired", "unavailable", "interrupted", "size", "write"]),
  ref: Schema.optionalKey(RunRef),
  /** The HTTP status, where there was an answer. */
  status: Schema.optionalKey(Schema.Finite),
  /** The bytes announced and the bytes received, where they differ. */
  expectedBytes: Schema.optionalKey(Schema.Finite),
  receivedBytes: Schema.optionalKey(Schema.Finite),
  /** How long the server asks to wait before the next try. */
  retryAfter: Schema.optionalKey(Schema.Duration),
  isRetryable: Schema.Boolean,
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * A file could not be read or uploaded, or is not as long as it was said to be. No run was created.
 *
 * @category errors
 * @since 0.1.0
 */
export class FileInputError extends TaggedError<FileInputError>()("FileInputError", {
  message: Schema.String,
  /** The file's name. */
  file: Schema.String,
  reason: Schema.Literals(["read", "size", "upload"]),
  /**
   * Whether the request that creates the run had begun when the file failed. The provider cannot have taken it for complete,
   * because it was shorter than its `content-length`.
   */
  reached: Schema.Boolean,
  /** Where it stands in the variables, such as `"invoices[2]"`. */
  variable: Schema.optionalKey(Schema.String),
  /** The HTTP status of a refused upload. */
  status: Schema.optionalKey(Schema.Finite),
  /** How long the server asks to wait before the next try. */
  retryAfter: Schema.optionalKey(Schema.Duration),
  isRetryable: Schema.Boolean,
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * A webhook is not what it claims to be.
 *
 * @category errors
 * @since 0.1.0
 */
export class WebhookSignatureError
  extends /*#__PURE__*/ PermanentError<WebhookSignatureError>()("WebhookSignatureError", {
    message: Schema.String,
    reason: /*#__PURE__*/ Schema.Literals(["missing", "malformed", "mismatch", "stale", "body"])
  })
{}

/**
 * A client cannot be made from what it was given.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConfigError extends PermanentError<ConfigError>()("ConfigError", {
  message: Schema.String,
  /** The option or environment variable that is wrong. */
  option: Schema.String,
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * What creating a run can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type CreateError = RequestError | CreateOutcomeUnknownError | FileInputError

/**
 * What watching a run can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type WatchError = RequestError | RunTimeoutError

/**
 * What waiting for a run can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type WaitError = WatchError | RunFailedError

/**
 * What reading an artifact can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type DownloadError = RequestError | ArtifactError
