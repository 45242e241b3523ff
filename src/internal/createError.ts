/** The errors of a request that creates a run. `RunError` exports them. */
import * as Schema from "effect/Schema"
import { RequestError, requestFields } from "./requestError.ts"
import { DefectOr, PermanentError, TaggedError } from "./taggedError.ts"

/**
 * A file could not be read or uploaded, or does not have the announced length. No run was created.
 *
 * @category errors
 * @since 0.1.0
 */
export class FileInputError extends TaggedError<FileInputError>()("FileInputError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The file's name. */
  file: Schema.String,
  /**
   * `"read"`: the file could not be read. `"size"`: a stream does not have the announced length. `"upload"`: the file could not
   * be uploaded.
   */
  reason: Schema.Literals(["read", "size", "upload"]),
  /**
   * Whether the request that creates the run had begun when the file failed. The provider cannot have accepted it as
   * complete, because it was shorter than its `content-length`.
   */
  reached: Schema.Boolean,
  /** The place of the file in the variables, such as `"invoices[2]"`. */
  variable: Schema.optionalKey(Schema.String),
  /** The HTTP status of a refused upload. */
  status: Schema.optionalKey(Schema.Finite),
  /** How long the server asks to wait before the next try. */
  retryAfter: Schema.optionalKey(Schema.Duration),
  /** Whether sending the same file again can help. */
  isRetryable: Schema.Boolean,
  /** The error that caused this one, if there is one. */
  cause: Schema.optionalKey(DefectOr(RequestError))
}) {}

/** The cause of an error: anything. Errors of a request, and of a file to upload, keep their class in JSON. */
export const ErrorCause = /*#__PURE__*/ DefectOr(/*#__PURE__*/ Schema.Union([RequestError, FileInputError]))

/**
 * A request to create a run may have reached the provider, and its outcome is unknown: **a run may exist and may be billed**. For
 * that reason creates are not repeated, unless the caller asks for it.
 *
 * **Details**
 *
 * `cause` is the {@link RequestError} of the last attempt: no response, a response of 5xx, or a response that does not decode.
 *
 * **Example** (A connection that broke after the request was sent)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   yield* emulator.fault(Fault.dropAfter)
 *
 *   const error = yield* Effect.flip(runs.create({ prompt: "Tides" }))
 *   // The client cannot know it, and the provider has created the run
 *   console.log(error._tag, (yield* emulator.runs).length) // => CreateOutcomeUnknownError 1
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link module:RunStore} for a store that remembers such a create
 * @category errors
 * @since 0.1.0
 */
export class CreateOutcomeUnknownError
  extends PermanentError<CreateOutcomeUnknownError>()("CreateOutcomeUnknownError", {
    ...requestFields,
    /** The {@link RequestError} of the last attempt. */
    cause: ErrorCause
  })
{}

/**
 * The schema of the errors of creating a run.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CreateError = /*#__PURE__*/ Schema.Union([RequestError, CreateOutcomeUnknownError, FileInputError])

/**
 * The errors of creating a run.
 *
 * @category errors
 * @since 0.1.0
 */
export type CreateError = RequestError | CreateOutcomeUnknownError | FileInputError
