/** Records a request as it is received, and reads its body: a form, bytes or JSON. */
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as Stream from "effect/Stream"
import {
  BodyError,
  type Form,
  FormError,
  type FormLimits,
  type ReceivedFile,
  type ReceivedRequest
} from "../Exchange.ts"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** A request that is being received. */
export interface Recording extends Mutable<Omit<ReceivedRequest, "fields" | "files">> {
  fields: Record<string, string>
  files: Array<ReceivedFile>
}

/** The current state of the recording. */
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
    // A part with a file name stays a file, with any type.
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
      // A web `Request` without a body fails here, but its body is empty, not broken
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
