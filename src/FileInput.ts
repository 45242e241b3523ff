/**
 * Files to send along with a run, in whatever shape they are at hand.
 *
 * **Details**
 *
 * A name and a content type are found for each file: what the caller says wins, then the `File`'s name and the `Blob`'s
 * type, then the type by extension, then by the first bytes. Names are reduced to their last path segment and made safe
 * for a header. Bytes are sent as they are read, never gathered: the memory an upload takes does not depend on its size.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as FileName from "./internal/fileName.ts"
import { type BadRequestError, FileInputError, refused } from "./RunError.ts"

/**
 * A file: bytes, a `Blob` or `File`, or either of them, or a `Stream` whose size is known, with a name.
 *
 * **Example** (The shapes)
 *
 * ```ts
 * import { Stream } from "effect"
 * import type { FileInput } from "canvas-runs"
 *
 * const files: ReadonlyArray<FileInput.FileInput> = [
 *   new TextEncoder().encode("# Notes"),
 *   new Blob(["a,b\n1,2\n"], { type: "text/csv" }),
 *   new File(["{}"], "data.json"),
 *   { data: new Uint8Array([37, 80, 68, 70]), filename: "paper.pdf", contentType: "application/pdf" },
 *   { data: Stream.make(new Uint8Array(1024), new Uint8Array(1024)), size: 2048, filename: "table.xlsx" }
 * ]
 * ```
 *
 * @see {@link fromPath} for a file on disk
 * @category models
 * @since 0.1.0
 */
export type FileInput = Uint8Array | Blob | NamedFile | StreamedFile

/**
 * Bytes with a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface NamedFile {
  readonly data: Uint8Array | ArrayBuffer | Blob
  readonly filename: string
  readonly contentType?: string | undefined
}

/**
 * A stream of bytes with a name. It is read once, while it is sent.
 *
 * **Gotchas**
 *
 * The size is sent as `content-length`, which S3 and other stores require. `fetch` of Deno, workerd and browsers ignores it: use
 * a `Blob` or bytes there. Browsers stream over HTTP/2 only.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamedFile {
  readonly data: Stream.Stream<Uint8Array, unknown>
  /** The number of bytes in the stream. A stream that turns out shorter or longer is a `FileInputError`. */
  readonly size: number
  readonly filename: string
  readonly contentType?: string | undefined
}

/**
 * A file on disk, read as it is sent. Needs a `FileSystem`, such as `NodeFileSystem.layer` of `@effect/platform-node`.
 *
 * **Example** (Sending a file from disk)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { FileInput } from "canvas-runs"
 *
 * const program = FileInput.fromPath("package.json").pipe(
 *   Effect.map((file) => `${file.filename}: ${file.size > 0}`),
 *   Effect.provide(NodeFileSystem.layer)
 * )
 *
 * console.log(await Effect.runPromise(program)) // => "package.json: true"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPath = (
  path: string,
  options?: { readonly filename?: string | undefined; readonly contentType?: string | undefined }
): Effect.Effect<StreamedFile, FileInputError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const filename = options?.filename ?? FileName.lastSegment(path)
    const fail = (cause: unknown) => readError(filename, cause)
    const info = yield* Effect.mapError(fs.stat(path), fail)
    if (info.type !== "File") return yield* fail(new Error(`${path} is not a file but a ${info.type.toLowerCase()}`))
    return {
      data: Stream.mapError(fs.stream(path, { chunkSize: chunkBytes }), fail),
      size: Number(info.size),
      filename,
      contentType: options?.contentType
    }
  })

/**
 * A file with everything that sending it takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface UploadFile {
  readonly filename: string
  readonly contentType: string
  readonly size: number
  readonly data: Uint8Array | Blob | Stream.Stream<Uint8Array, FileInputError>
}

/**
 * Brings a file into its normal form, or says what is wrong with it. `index` numbers files that have no name.
 *
 * @category normalizing
 * @since 0.1.0
 */
export const normalize = (
  operation: string,
  input: FileInput,
  index: number
): Effect.Effect<UploadFile, BadRequestError | FileInputError> =>
  Effect.gen(function*() {
    const { contentType, data, filename, size } = describe(input)
    const label = filename ?? `file ${index}`
    if (data === undefined) {
      return yield* refused({
        operation,
        parameter: "files",
        message: `${label} is neither bytes, a Blob, nor an object with data and a filename.`
      })
    }
    if (size === 0) return yield* refused({ operation, parameter: "files", message: `${label} is empty.` })
    if (!Number.isSafeInteger(size) || size < 0) {
      return yield* refused({ operation, parameter: "files", message: `${label} has a size of ${size} bytes.` })
    }
    if (contentType !== undefined && !mediaType.test(contentType)) {
      return yield* refused({
        operation,
        parameter: "files",
        message: `${label} has the content type ${
          JSON.stringify(contentType)
        }, which is not of the form "type/subtype".`
      })
    }
    const named = filename === undefined ? undefined : FileName.plain(filename)
    const type = contentType ?? (named === undefined ? undefined : typeByExtension(named)) ??
      typeByContent(yield* head(data, label)) ??
      "application/octet-stream"
    return {
      filename: named === undefined || named === "" ? `file-${index}${extensionOf(type)}` : named,
      contentType: type,
      size,
      data: Stream.isStream(data) ? exactly(data, size, label) : data
    }
  })

/** Reading in large pieces halves the CPU time of an upload against the usual 64 KiB. */
const chunkBytes = 256 * 1024

/** @internal */
export const readError = (filename: string, cause: unknown): FileInputError =>
  new FileInputError({
    message: `${filename} could not be read (${
      cause instanceof Error ? cause.message : String(cause)
    }). Nothing was created; check the file and try again.`,
    file: filename,
    reason: "read",
    isRetryable: false,
    cause
  })

const describe = (input: FileInput): {
  readonly data: Uint8Array | Blob | Stream.Stream<Uint8Array, unknown> | undefined
  readonly size: number
  readonly filename: string | undefined
  readonly contentType: string | undefined
} => {
  if (input instanceof Uint8Array || input instanceof Blob) {
    return { data: input, ...ofData(input), filename: nameOf(input) }
  }
  // From here on the caller may be untyped
  const { contentType, data, filename } = (Predicate.isObject(input) ? input : {}) as Partial<NamedFile | StreamedFile>
  const named = { filename: typeof filename === "string" ? filename : undefined }
  if (Stream.isStream(data)) {
    return { ...named, data: data as StreamedFile["data"], size: (input as StreamedFile).size, contentType }
  }
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data
  return bytes instanceof Uint8Array || bytes instanceof Blob
    ? { ...named, data: bytes, size: ofData(bytes).size, contentType: contentType ?? ofData(bytes).contentType }
    : { ...named, data: undefined, size: -1, contentType: undefined }
}

const ofData = (data: Uint8Array | Blob) =>
  data instanceof Blob
    ? { size: data.size, contentType: data.type === "" ? undefined : data.type }
    : { size: data.byteLength, contentType: undefined }

const nameOf = (data: Uint8Array | Blob): string | undefined =>
  Predicate.hasProperty(data, "name") && typeof data.name === "string" && data.name !== "" ? data.name : undefined

const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:[ \t]*;[ \t]*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[ !#-[\]-~]*"))*$/

/** The formats that the providers know. A full table would outweigh the rest of the library. */
const types: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  csv: "text/csv",
  txt: "text/plain",
  md: "text/markdown",
  html: "text/html",
  yaml: "application/yaml",
  yml: "application/yaml",
  json: "application/json",
  xml: "application/xml",
  zip: "application/zip",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  mp4: "video/mp4",
  webm: "video/webm"
}

const typeByExtension = (filename: string): string | undefined => {
  const extension = filename.slice(filename.lastIndexOf(".") + 1).toLowerCase()
  return Object.hasOwn(types, extension) ? types[extension] : undefined
}

const extensionOf = (contentType: string): string => {
  const type = contentType.split(";")[0]!.trim().toLowerCase()
  const found = Object.entries(types).find(([, value]) => value === type)
  return found === undefined ? "" : `.${found[0]}`
}

const signatures: ReadonlyArray<readonly [bytes: string, offset: number, type: string]> = [
  ["\u0089PNG\r\n", 0, "image/png"],
  ["\u00ff\u00d8\u00ff", 0, "image/jpeg"],
  ["GIF8", 0, "image/gif"],
  ["WEBP", 8, "image/webp"],
  ["WAVE", 8, "audio/wav"],
  ["%PDF-", 0, "application/pdf"],
  ["PK\u0003\u0004", 0, "application/zip"],
  ["ftyp", 4, "video/mp4"],
  ["OggS", 0, "audio/ogg"],
  ["<svg", 0, "image/svg+xml"],
  ["<?xml", 0, "application/xml"]
]

/** How many bytes tell a type. */
const headBytes = 512

const typeByContent = (bytes: Uint8Array): string | undefined => {
  const text = String.fromCharCode(...bytes)
  const known = signatures.find(([signature, offset]) => text.startsWith(signature, offset))
  if (known !== undefined) return known[2]
  // A multi-byte character may be cut at the end, so decoding is told that more follows
  const isText = bytes.length > 0 && !text.includes("\u0000") &&
    Option.isSome(
      Option.liftThrowable(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }))()
    )
  return isText ? "text/plain" : undefined
}

const head = (
  data: Uint8Array | Blob | Stream.Stream<Uint8Array, unknown>,
  label: string
): Effect.Effect<Uint8Array, FileInputError> =>
  data instanceof Uint8Array
    ? Effect.succeed(data.subarray(0, headBytes))
    : data instanceof Blob
    ? Effect.tryPromise({
      try: () => data.slice(0, headBytes).arrayBuffer().then((buffer) => new Uint8Array(buffer)),
      catch: (cause) => readError(label, cause)
    })
    // A stream is read once, when it is sent
    : Effect.succeed(new Uint8Array(0))

/** Fails a stream that is not as long as it was said to be: what was announced to the server could not be kept. */
const exactly = (
  self: Stream.Stream<Uint8Array, unknown>,
  size: number,
  label: string
): Stream.Stream<Uint8Array, FileInputError> =>
  Stream.suspend(() => {
    let seen = 0
    const wrong = () =>
      new FileInputError({
        message: `${label} was announced with ${size} bytes and has ${
          seen > size ? "more" : `only ${seen}`
        }. Nothing was created.`,
        file: label,
        reason: "size",
        isRetryable: false
      })
    return self.pipe(
      Stream.mapError((cause) => cause instanceof FileInputError ? cause : readError(label, cause)),
      Stream.tap((chunk) => {
        seen += chunk.byteLength
        return seen > size ? Effect.fail(wrong()) : Effect.void
      }),
      Stream.concat(Stream.suspend(() => seen === size ? Stream.empty : Stream.fail(wrong())))
    )
  })
