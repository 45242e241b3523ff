/**
 * Files to send with a run.
 *
 * **Details**
 *
 * Each file has a name and a content type. The name is the one given, or else that of the `File`. The content type is the first of
 * these that is known: the one given, the type of the `Blob`, the type for the extension, the type for the first bytes. A name is
 * reduced to its last path segment and made safe for a header. Bytes are sent as they are read, so the memory of an upload does
 * not depend on its size.
 *
 * Bytes, Blobs and web streams of another realm (an iframe, `node:vm`, a DOM emulation) are accepted too.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { quote } from "./internal/describe.ts"
import * as Content from "./internal/files/content.ts"
import * as FileName from "./internal/files/fileName.ts"
import * as MediaType from "./internal/files/mediaType.ts"
import { exactly, head, readError, type UploadFile } from "./internal/files/uploadFile.ts"
import * as Options from "./internal/options.ts"
import { badRequest, type BadRequestError, type FileInputError } from "./RunError.ts"

export type { UploadFile } from "./internal/files/uploadFile.ts"

/**
 * A file to send: bytes, a `Blob` or a `File`; or an object with a name and bytes, a `Blob`, or a stream of known size.
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
 *
 * files.length // => 5
 * ```
 *
 * @see {@link fromPath} for a file on disk
 * @category models
 * @since 0.1.0
 */
export type FileInput = Uint8Array | Blob | NamedFile | StreamedFile

/**
 * Bytes or a `Blob` with a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface NamedFile {
  /** The bytes, which are sent unchanged. */
  readonly data: ArrayBufferView | ArrayBufferLike | Blob
  /** The name. Only its last path segment is sent. */
  readonly filename: string
  /**
   * The media type, such as `"application/pdf"`. The default is the `Blob`'s type, or else follows from the name or the first
   * bytes.
   */
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
  /** The bytes, as a `Stream` or as a web stream. */
  readonly data: Stream.Stream<Uint8Array, unknown> | ReadableStream<Uint8Array>
  /** The number of bytes in the stream. A stream that turns out shorter or longer is a `FileInputError`. */
  readonly size: number
  /** The name. Only its last path segment is sent. */
  readonly filename: string
  /** The media type, such as `"application/pdf"`. The default follows from the name, because a stream is read only once. */
  readonly contentType?: string | undefined
}

/**
 * Returns a file on disk, which is read while it is sent. It needs a `FileSystem`, such as `NodeFileSystem.layer` of
 * `@effect/platform-node`. A path that is not a readable file is a `FileInputError`.
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
  options?: {
    /**
     * The name of the file.
     *
     * @default the last segment of the path
     */
    readonly filename?: string | undefined
    /** The media type, such as `"application/pdf"`. The default follows from the name. */
    readonly contentType?: string | undefined
  }
): Effect.Effect<StreamedFile, FileInputError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const isPath = Predicate.isString(path) && path !== ""
    const wrong = (what: string) => readError(isPath ? path : "the file", new TypeError(what), "Correct the call.")
    if (!isPath) return yield* wrong(`its path is ${quote(path)}; it must be text that is not empty`)
    const checked = yield* Effect.mapError(
      Effect.fromResult(Options.read("options", options, ["filename", "contentType"])),
      ({ message }) => wrong(message.replace(/\.$/, ""))
    )
    for (const [name, value] of Object.entries(checked)) {
      if (!Predicate.isString(value)) return yield* wrong(`its ${name} is ${quote(value)}; it must be text`)
    }
    const fs = yield* FileSystem.FileSystem
    const filename = checked.filename ?? FileName.lastSegment(path)
    const fail = (cause: unknown) => readError(filename === "" ? path : filename, cause)
    const info = yield* Effect.mapError(fs.stat(path), fail)
    if (info.type !== "File") return yield* fail(new Error(`${path} is not a file but a ${info.type.toLowerCase()}`))
    return {
      data: Stream.mapError(fs.stream(path, { chunkSize: chunkBytes }), fail),
      size: Number(info.size),
      filename,
      contentType: checked.contentType
    }
  })

/**
 * Checks a file, and gives it a name, a content type and a size. A file that cannot be sent is a `BadRequestError`, and one that
 * cannot be read a `FileInputError`. `index` numbers the files without a name.
 *
 * **When to use**
 *
 * The clients do this. Call it in a provider of your own, before the request.
 *
 * **Example** (A name and a type from the first bytes)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { FileInput } from "canvas-runs"
 *
 * const pdf = new TextEncoder().encode("%PDF-1.7 ...")
 * const file = await Effect.runPromise(FileInput.normalize("jobs.create", pdf, 1))
 *
 * console.log(file.filename, file.contentType, file.size) // => file-1.pdf application/pdf 12
 *
 * const error = await Effect.runPromise(Effect.flip(FileInput.normalize("jobs.create", new Uint8Array(), 2)))
 * error._tag // => "BadRequestError"
 * ```
 *
 * @category normalizing
 * @since 0.1.0
 */
export const normalize = (
  operation: string,
  input: FileInput,
  index: number,
  options?: {
    /** The name to use in place of the file's own. */
    readonly filename?: string | undefined
  }
): Effect.Effect<UploadFile, BadRequestError | FileInputError> =>
  Effect.gen(function*() {
    const { filename: renamed } = yield* Options.copy(operation, "options", options, ["filename"])
    yield* Options.checkKind(operation, "filename", renamed, Predicate.isString, "text")
    const read = yield* Effect.try({
      try: () => Content.read(input),
      // A property of the caller's object may be a getter
      catch: (cause) => readError(renamed ?? `file ${index}`, cause)
    })
    const filename = renamed ?? read.filename
    const label = filename ?? `file ${index}`
    const wrong = (message: string) => badRequest({ operation, parameter: "files", message: `${label} ${message}` })
    if ("hint" in read) return yield* wrong(read.hint)
    const { contentType, data, size } = read
    if (size === 0) return yield* wrong("is empty. Give a file with at least one byte, or leave it out.")
    if (!Number.isSafeInteger(size) || size < 0) {
      return yield* wrong(`has the size ${quote(size)}. Give the number of bytes in the stream as size.`)
    }
    if (contentType !== undefined && !MediaType.isMediaType(contentType)) {
      return yield* wrong(
        `has the content type ${
          JSON.stringify(contentType)
        }, which is not of the form "type/subtype". Give one such as "application/pdf".`
      )
    }
    const named = filename === undefined ? undefined : FileName.plain(filename)
    const type = contentType ?? (named === undefined ? undefined : MediaType.byExtension(named)) ??
      // A stream is read once, when it is sent
      (Stream.isStream(data) ? undefined : MediaType.byContent(yield* head(data, MediaType.headBytes, label))) ??
      "application/octet-stream"
    return {
      filename: named === undefined || named === "" ? `file-${index}${MediaType.extensionOf(type)}` : named,
      contentType: type,
      size,
      data: Stream.isStream(data) ? exactly(data, size, label) : data
    }
  })

/** Reading in large pieces halves the CPU time of an upload against the usual 64 KiB. */
const chunkBytes = 256 * 1024
