/**
 * The requests that an emulator receives, recorded and on their way, and the errors of reading their bodies.
 *
 * **When to use**
 *
 * A test reads {@link ReceivedRequest}. The rest is for an emulator of your own ({@link module:Emulator}).
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
  /** The file name. */
  readonly name: string
  /** The media type of the part. */
  readonly contentType: string
  /** The number of bytes. */
  readonly size: number
  /** The content. */
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
  /** The request id of the response. */
  readonly id: string
  /** The method, in upper case. */
  readonly method: string
  /** The whole URL, as the client called it. */
  readonly url: string
  /** The path, without the query. */
  readonly path: string
  /** The headers. Their names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The text parts of a form, by name. */
  readonly fields: Readonly<Record<string, string>>
  /** The file parts of a form, in order. */
  readonly files: ReadonlyArray<ReceivedFile>
  /** The body, if it was read as JSON. */
  readonly json: unknown
  /** When the request arrived, in milliseconds of the emulator's clock. */
  readonly receivedAt: number
  /** The status of the response. `undefined` before the response, and if the connection broke. */
  readonly status: number | undefined
}

/**
 * A request on its way through the emulator.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exchange {
  /** The request. */
  readonly request: HttpServerRequest.HttpServerRequest
  /** The path and the query of the request. The origin means nothing: `Emulator.originOf` returns it. */
  readonly url: URL
  /** When the request is handled, in milliseconds of the emulator's clock. */
  readonly now: number
  /** Returns a new UUID, from the `Random` of the context in which the emulator was made. */
  readonly uuid: () => string
  /** Reads a form while it arrives, and records it. */
  readonly form: (limits: FormLimits) => Effect.Effect<Form, FormError>
  /** Reads a body of at most `limit` bytes. */
  readonly bytes: (limit: number) => Effect.Effect<Uint8Array, BodyError>
  /** Reads a body of at most `limit` bytes as JSON, and records it. An empty body is `undefined`. */
  readonly json: (limit: number) => Effect.Effect<unknown, BodyError>
}

/**
 * The contents of a form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Form {
  /** The text parts, in order. A name may be repeated. */
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>
  /** The file parts, in order. */
  readonly files: ReadonlyArray<ReceivedFile>
}

/**
 * The limits of a form.
 *
 * @category options
 * @since 0.1.0
 */
export interface FormLimits {
  /** The largest size of one file, in bytes. */
  readonly fileSize: number
  /** The largest size of all files together, in bytes. */
  readonly totalSize: number
  /** The largest number of files. */
  readonly files: number
}

/**
 * A form that cannot be read, or that is over a limit.
 *
 * @category errors
 * @since 0.1.0
 */
export class FormError extends Data.TaggedError("FormError")<{
  /** The fault of the form. */
  readonly reason: "NotMultipart" | "Malformed" | "FileTooLarge" | "TotalTooLarge" | "TooManyFiles"
}> {}

/**
 * A body that cannot be read, or that is over the limit.
 *
 * @category errors
 * @since 0.1.0
 */
export class BodyError extends Data.TaggedError("BodyError")<{
  /** The fault of the body. `"Broken"`: the connection broke before its end. */
  readonly reason: "TooLarge" | "NotJson" | "Broken"
}> {}

/**
 * The connection broke, because of a `Fault`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped")<{}> {
  /** The code that Node gives to a connection that the other side has reset. */
  readonly code = "ECONNRESET"
  /** A scripted fault is not reported as an error of the program. */
  override readonly [ErrorReporter.ignore] = true
  /** The text that Node gives to such a connection. */
  override readonly message = "socket hang up"
}
