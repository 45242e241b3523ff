/** `multipart/form-data` bodies (RFC 7578) of known length whose files are streamed. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as Stream from "effect/Stream"
import type * as Scope from "effect/Scope"
import { fromReadable } from "../../internal/files/content.ts"
import * as UploadFile from "../../internal/files/uploadFile.ts"
import * as Binary from "../../internal/binary.ts"
import type { FileInputError } from "../../RunError.ts"

/** A part: a text field, or a file. */
export type Part =
  | { readonly name: string; readonly value: string }
  | { readonly name: string; readonly file: UploadFile.UploadFile; readonly value?: undefined }

/** Reads the beginning of each file, so that one that cannot be read fails before a request is sent. */
export const begin = (parts: ReadonlyArray<Part>, idleTimeout: Duration.Duration) =>
  Effect.forEach(
    parts,
    (part): Effect.Effect<Part, FileInputError, Scope.Scope> =>
      "value" in part
        ? Effect.succeed(part)
        : Effect.map(UploadFile.begin(part.file, idleTimeout), (file) => ({ ...part, file }))
  )

/** Bodies up to this size are sent as one piece, which every HTTP client can do. */
const smallBytes = 256 * 1024

/** The state of the files of a body while it is sent. */
export interface Reading {
  /** The name of the file that is being read. */
  filename: string | undefined
  /** Why a file could not be read. Clients report that with other errors. */
  error: FileInputError | undefined
}

/**
 * Makes the body. A `Blob` lets fetch announce a length and read lazily. A file that is a stream makes the body a stream, which
 * fetch sends in chunks and other clients send with its length. `reading` is kept up to date while a stream is sent.
 */
export const body = (parts: ReadonlyArray<Part>, reading: Reading): Effect.Effect<HttpBody.HttpBody> =>
  Effect.map(boundary, (boundary) => {
    const contentType = `multipart/form-data; boundary=${boundary}`
    const segments: Array<UploadFile.UploadFile["data"]> = []
    const names = new Map<unknown, string>()
    let length = 0
    const text = (value: string) => {
      const bytes = encoder.encode(value)
      segments.push(bytes)
      length += bytes.byteLength
    }
    for (const part of parts) {
      const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(part.name)}"`
      if ("value" in part) {
        text(`${disposition}\r\n\r\n${part.value}\r\n`)
      } else {
        text(
          `${disposition}; filename="${quoted(part.file.filename)}"\r\nContent-Type: ${part.file.contentType}\r\n\r\n`
        )
        segments.push(part.file.data)
        names.set(part.file.data, part.file.filename)
        length += part.file.size
        text("\r\n")
      }
    }
    text(`--${boundary}--\r\n`)
    if (segments.some(Stream.isStream)) {
      return HttpBody.stream(
        Stream.fromIterable(segments).pipe(
          Stream.flatMap((segment) => {
            reading.filename = names.get(segment)
            return streamOf(segment)
          }),
          Stream.tapError((error) => Effect.sync(() => void (reading.error = error)))
        ),
        contentType,
        length
      )
    }
    const whole = segments as Array<Uint8Array | Blob>
    return length <= smallBytes && whole.every((segment) => segment instanceof Uint8Array)
      ? HttpBody.uint8Array(Binary.concatenate(whole), contentType)
      : HttpBody.raw(new Blob(whole as Array<BlobPart>), { contentType, contentLength: length })
  })

const encoder = new TextEncoder()

/** Encodes a name like browsers: the characters that would end the value are percent-encoded, all others are sent as UTF-8. */
const quoted = (value: string): string => value.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll("\"", "%22")

/** The boundary must be hard to guess, or a file could contain the end of its part. */
const boundary = Effect.sync(() => {
  const random = crypto.getRandomValues(new Uint8Array(16))
  return `canvas-runs-${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
})

const streamOf = (segment: UploadFile.UploadFile["data"]): Stream.Stream<Uint8Array, FileInputError> =>
  segment instanceof Uint8Array
    ? Stream.make(segment)
    : segment instanceof Blob
    ? Stream.mapError(fromReadable(() => segment.stream()), (cause) => UploadFile.readError("a Blob", cause))
    : segment
