/**
 * A request that an emulator received, and what a provider reads of it.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"

/**
 * A file that was uploaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceivedFile {
  /** The name of the form's part. */
  readonly field: string
  readonly name: string
  readonly contentType: string
  readonly size: number
  readonly bytes: Uint8Array
}

/**
 * A request as the emulator received it.
 *
 * **Gotchas**
 *
 * `headers` holds the API key as it was sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceivedRequest {
  /** The id that the answer carried. */
  readonly id: string
  readonly method: string
  readonly url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The text parts of a form. */
  readonly fields: Readonly<Record<string, string>>
  /** The file parts of a form, in order. */
  readonly files: ReadonlyArray<ReceivedFile>
  /** The body, if it was read as JSON. */
  readonly json: unknown
  /** When it arrived, on the emulator's clock. */
  readonly receivedAt: number
  /** The status of the answer; `undefined` until then, and always if the connection broke. */
  readonly status: number | undefined
}

/**
 * A request on its way through the emulator.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exchange {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly url: URL
  /** When the request is handled, on the emulator's clock. */
  readonly now: number
  /** A fresh UUID, from the `Random` that was current when the emulator was made. */
  readonly uuid: () => string
  /** Reads a form as it streams in, and records it. */
  readonly form: (limits: FormLimits) => Effect.Effect<Form, FormError>
  /** Reads a body of that many bytes at most. */
  readonly bytes: (limit: number) => Effect.Effect<Uint8Array, BodyError>
  /** Reads a body of that many bytes at most as JSON, and records it. No body at all is `undefined`. */
  readonly json: (limit: number) => Effect.Effect<unknown, BodyError>
}

/**
 * The contents of a form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Form {
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>
  readonly files: ReadonlyArray<ReceivedFile>
}

/**
 * How much a form may hold, sizes in bytes.
 *
 * @category options
 * @since 0.1.0
 */
export interface FormLimits {
  readonly fileSize: number
  readonly totalSize: number
  readonly files: number
}

/**
 * Why a form was refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class FormError extends Data.TaggedError("FormError")<{
  readonly reason: "NotMultipart" | "Malformed" | "FileTooLarge" | "TotalTooLarge" | "TooManyFiles"
}> {}

/**
 * Why a body was refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class BodyError extends Data.TaggedError("BodyError")<{
  readonly reason: "TooLarge" | "NotJson" | "Broken"
}> {}

/**
 * The connection broke, as {@link Fault} asked for.
 *
 * **Details**
 *
 * `code` is the one Node gives to a connection that the other side has reset.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped")<{}> {
  readonly code = "ECONNRESET"
  override readonly [ErrorReporter.ignore] = true
  override readonly message = "socket hang up"
}
