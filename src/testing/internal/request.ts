/** A request as an emulator received it, and its body: a form, bytes or JSON. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as Stream from "effect/Stream"

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
 * A request as the emulator saw it.
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
  /** The status of the answer; `undefined` as long as there is none, and for ever if the connection broke. */
  readonly status: number | undefined
}

/**
 * What was in a form.
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

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** A request that is being received. */
export interface Recording extends Mutable<Omit<ReceivedRequest, "fields" | "files">> {
  fields: Record<string, string>
  files: Array<ReceivedFile>
}

/** The recording as it is now. */
export const snapshot = (recording: Recording): ReceivedRequest => ({
  ...recording,
  fields: { ...recording.fields },
  files: [...recording.files]
})

export const readForm = Effect.fnUntraced(function*(
  request: HttpServerRequest.HttpServerRequest,
  limits: FormLimits,
  recording: Recording
): Effect.fn.Return<Form, FormError> {
  if (!/^multipart\/form-data\s*;/i.test(request.headers["content-type"] ?? "")) {
    return yield* new FormError({ reason: "NotMultipart" })
  }
  const fields: Array<readonly [string, string]> = []
  let total = 0
  const readFile = Effect.fnUntraced(function*(part: Multipart.File) {
    if (recording.files.length === limits.files) return yield* new FormError({ reason: "TooManyFiles" })
    let size = 0
    const bytes = yield* part.content.pipe(
      Stream.mapEffect((chunk) => {
        size += chunk.length
        total += chunk.length
        return size > limits.fileSize
          ? Effect.fail(new FormError({ reason: "FileTooLarge" }))
          : total > limits.totalSize
          ? Effect.fail(new FormError({ reason: "TotalTooLarge" }))
          : Effect.succeed(chunk)
      }),
      Stream.mkUint8Array
    )
    recording.files.push({ field: part.key, name: part.name, contentType: part.contentType, size, bytes })
  })
  yield* request.multipartStream.pipe(
    Stream.runForEach((part) => {
      if (part._tag === "File") return readFile(part)
      fields.push([part.key, part.value])
      recording.fields[part.key] = part.value
      return Effect.void
    }),
    // A file stays a file, whatever its type.
    Effect.provideService(Multipart.FieldMimeTypes, []),
    Effect.catchTag("MultipartError", () => Effect.fail(new FormError({ reason: "Malformed" })))
  )
  return { fields, files: recording.files }
})

export const readBytes = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number
): Effect.Effect<Uint8Array, BodyError> => {
  let size = 0
  return request.stream.pipe(
    Stream.catch((error) =>
      // A web `Request` without a body is no broken one.
      (request.source as { readonly body?: unknown }).body === null ? Stream.empty : Stream.fail(error)
    ),
    Stream.mapError(() => new BodyError({ reason: "Broken" })),
    Stream.mapEffect((chunk) => {
      size += chunk.length
      return size > limit ? Effect.fail(new BodyError({ reason: "TooLarge" })) : Effect.succeed(chunk)
    }),
    Stream.mkUint8Array
  )
}

export const readJson = Effect.fnUntraced(function*(
  request: HttpServerRequest.HttpServerRequest,
  limit: number,
  recording: Recording
): Effect.fn.Return<unknown, BodyError> {
  const bytes = yield* readBytes(request, limit)
  if (bytes.length === 0) return undefined
  recording.json = yield* Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: () => new BodyError({ reason: "NotJson" })
  })
  return recording.json
})
