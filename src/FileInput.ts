/**
 * Files to send along with a run.
 *
 * **Details**
 *
 * A name and a content type are found for each file: what the caller says wins, then the `File`'s name and the `Blob`'s
 * type, then the type by extension, then by the first bytes. Names are reduced to their last path segment and made safe
 * for a header. Bytes are sent as they are read, never gathered: the memory an upload takes does not depend on its size.
 *
 * Bytes, Blobs and web streams of another realm (an iframe, `node:vm`, a DOM emulation) are accepted too.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Binary from "./internal/binary.ts"
import { messageOf, quote } from "./internal/describe.ts"
import * as FileName from "./internal/fileName.ts"
import * as Options from "./internal/options.ts"
import { badRequest, type BadRequestError, FileInputError } from "./RunError.ts"

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
  readonly data: ArrayBufferView | ArrayBufferLike | Blob
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
  readonly data: Stream.Stream<Uint8Array, unknown> | ReadableStream<Uint8Array>
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
    const wrong = (name: string, value: unknown) =>
      readError(Predicate.isString(path) ? path : "the file", new TypeError(`${name} is ${quote(value)}, not text`))
    if (!Predicate.isString(path)) return yield* wrong("its path", path)
    if (path === "") return yield* readError("the file", new TypeError("its path is \"\", which names none"))
    const checked = yield* Effect.mapError(
      Effect.fromResult(Options.read("options", options, ["filename", "contentType"])),
      ({ message }) => readError(path, new TypeError(message))
    )
    for (const [name, value] of Object.entries(checked)) {
      if (!Predicate.isString(value)) return yield* wrong(`its ${name}`, value)
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
  index: number,
  options?: {
    /** The name to use in place of the file's own. */
    readonly filename?: string | undefined
  }
): Effect.Effect<UploadFile, BadRequestError | FileInputError> =>
  Effect.gen(function*() {
    const { filename: renamed } = yield* Options.copy(operation, "options", options, ["filename"])
    const described = yield* Effect.try({
      try: () => describe(input),
      // A property of the caller's object may be a getter
      catch: (cause) => readError(Predicate.isString(renamed) ? renamed : `file ${index}`, cause)
    })
    const filename = renamed ?? described.filename
    const label = filename ?? `file ${index}`
    const wrong = (message: string) => badRequest({ operation, parameter: "files", message: `${label} ${message}` })
    if (filename !== undefined && !Predicate.isString(filename)) {
      return yield* badRequest({
        operation,
        parameter: "files",
        message: `file ${index} has the filename ${quote(filename)}; it must be text.`
      })
    }
    if ("hint" in described) return yield* wrong(described.hint)
    const { contentType, data, size } = described
    if (size === 0) return yield* wrong("is empty.")
    if (!Number.isSafeInteger(size) || size < 0) {
      return yield* wrong(`has the size ${quote(size)}. Give the number of bytes in the stream as size.`)
    }
    if (contentType !== undefined && !mediaType.test(contentType)) {
      return yield* wrong(
        `has the content type ${JSON.stringify(contentType)}, which is not of the form "type/subtype".`
      )
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

/**
 * Reads the beginning of a file, so that one that cannot be read fails before a request is sent. Returns the file with the
 * first chunk of its stream already pulled. The scope closes the stream. A file that gives nothing for `idleTimeout` fails.
 *
 * @internal
 */
export const begin = (
  file: UploadFile,
  idleTimeout: Duration.Duration
): Effect.Effect<UploadFile, FileInputError, Scope.Scope> =>
  Effect.timeoutOrElse(read(file), {
    duration: idleTimeout,
    orElse: () => Effect.fail(silentError(file.filename, idleTimeout))
  })

const read = (file: UploadFile): Effect.Effect<UploadFile, FileInputError, Scope.Scope> => {
  const { data, filename } = file
  if (data instanceof Uint8Array) return Effect.succeed(file)
  if (!Stream.isStream(data)) return Effect.as(readHead(data, 1, filename), file)
  return Effect.gen(function*() {
    const pull = yield* Stream.toPull(data)
    const first = yield* Pull.catchDone(pull, () => Effect.succeed(undefined))
    let isFirst = true
    return {
      ...file,
      // A repetition reads the stream from its beginning, as the stream allows
      data: Stream.suspend(() => {
        if (!isFirst || first === undefined) return data
        isFirst = false
        return Stream.concat(Stream.fromArray(first), Stream.fromPull(Effect.succeed(pull)))
      })
    }
  })
}

/** Reading in large pieces halves the CPU time of an upload against the usual 64 KiB. */
const chunkBytes = 256 * 1024

/** @internal */
export const readError = (
  filename: string,
  cause: unknown,
  advice = isOfFileSystem(cause)
    ? "Check that the file exists and that this program may read it."
    : "Check what its bytes come from."
): FileInputError =>
  new FileInputError({
    message: `${filename} could not be read (${messageOf(cause)}). Nothing was created. ${advice}`,
    file: filename,
    reason: "read",
    reached: false,
    isRetryable: false,
    cause
  })

/**
 * The error of a file whose stream was waited for and gave no bytes for `idleTimeout`.
 *
 * @internal
 */
export const silentError = (filename: string, idleTimeout: Duration.Duration): FileInputError =>
  readError(
    filename,
    `it gave no bytes for ${Duration.format(idleTimeout)}, which is uploadIdleTimeout`,
    silentAdvice
  )

/** @internal */
export const silentAdvice = "Check what its bytes come from, or raise the client's option uploadIdleTimeout."

const isOfFileSystem = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "_tag") && cause._tag === "PlatformError"

type Data = Uint8Array | Blob | Stream.Stream<Uint8Array, unknown>

interface Content {
  readonly data: Data
  readonly size: number
  readonly contentType: string | undefined
}

type Described = (Content | { readonly hint: string }) & { readonly filename: string | undefined }

/** The caller may be untyped. */
const describe = (input: unknown): Described => {
  const { contentType, data, filename, size } = (Predicate.isObject(input) ? input : {}) as Record<string, unknown>
  const name = typeof filename === "string" ? filename : undefined
  const own = ofData(input, undefined)
  if (own !== undefined) return { ...own, filename: nameOf(input) }
  const found = ofData(data, size)
  if (found === undefined) return { hint: hintFor(data === undefined ? input : data), filename: name }
  return { ...found, filename: name, contentType: typeof contentType === "string" ? contentType : found.contentType }
}

const ofData = (data: unknown, size: unknown): Content | undefined => {
  if (Binary.isBytes(data)) {
    const bytes = Binary.bytesOf(data)
    return { data: bytes, size: bytes.byteLength, contentType: undefined }
  }
  if (Stream.isStream(data) || Binary.isReadable(data)) {
    return size === undefined ? undefined : {
      data: Stream.isStream(data) ? data as Stream.Stream<Uint8Array, unknown> : fromReadable(() => data),
      size: size as number,
      contentType: undefined
    }
  }
  if (!Binary.isBlob(data)) return undefined
  return {
    // The platform reads its own Blobs itself, and takes those of another realm for text
    data: data instanceof Blob ? data : fromReadable(() => (data as Blob).stream()),
    size: data.size,
    contentType: data.type === "" ? undefined : data.type
  }
}

const fromReadable = (evaluate: () => ReadableStream<Uint8Array>): Stream.Stream<Uint8Array, unknown> =>
  Stream.fromReadableStream({
    evaluate: () => {
      const reader = evaluate().getReader()
      return new ReadableStream({
        pull: (controller) =>
          reader.read().then(({ done, value }) => done ? controller.close() : controller.enqueue(value)),
        // The caller's stream may never finish its cancellation
        cancel: () => void reader.cancel().catch(constVoid)
      }, { highWaterMark: 0 })
    },
    onError: (cause) => cause
  })

const hintFor = (input: unknown): string =>
  typeof input === "string"
    ? "is text, not a file. For a file on disk there is FileInput.fromPath(path); for text, new TextEncoder().encode(text)."
    : Effect.isEffect(input)
    ? "is an Effect, not a file. Run it first: yield* FileInput.fromPath(path)."
    : Predicate.isPromiseLike(input)
    ? "is a promise, not a file. Await it first."
    : Stream.isStream(input) || Binary.isReadable(input)
    ? "is a stream of unknown size. Give { data: stream, size, filename }."
    : "is neither bytes, a Blob, nor an object with data and a filename. For a file on disk there is FileInput.fromPath(path)."

const nameOf = (data: unknown): string | undefined =>
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

const head = (data: Data, label: string): Effect.Effect<Uint8Array, FileInputError> =>
  data instanceof Uint8Array
    ? Effect.succeed(data.subarray(0, headBytes))
    // A stream is read once, when it is sent
    : Stream.isStream(data)
    ? Effect.succeed(new Uint8Array(0))
    : readHead(data, headBytes, label)

const readHead = (blob: Blob, length: number, label: string): Effect.Effect<Uint8Array, FileInputError> =>
  Effect.tryPromise({
    try: () => blob.slice(0, length).arrayBuffer().then((buffer) => new Uint8Array(buffer)),
    catch: (cause) => readError(label, cause)
  })

/**
 * Fails a stream that is not as long as it was said to be: what was announced to the server could not be kept. A stream that
 * dies, or has chunks that are no bytes, fails as well.
 */
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
        }. Nothing was created. Give the size of the stream in bytes.`,
        file: label,
        reason: "size",
        reached: false,
        isRetryable: false
      })
    // Some streams throw as they begin, which only an effect around them can catch
    return Stream.unwrap(Effect.succeed(self)).pipe(
      Stream.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Stream.failCause(cause as Cause.Cause<never>)
          : Stream.fail(Cause.squash(cause))
      ),
      Stream.mapError((cause) => cause instanceof FileInputError ? cause : readError(label, cause)),
      Stream.mapEffect((chunk) => {
        if (!Binary.isBytes(chunk)) {
          return Effect.fail(readError(label, `a chunk of its stream is not bytes but of type ${typeof chunk}`))
        }
        const bytes = Binary.bytesOf(chunk)
        seen += bytes.byteLength
        return seen > size ? Effect.fail(wrong()) : Effect.succeed(bytes)
      }),
      Stream.concat(Stream.suspend(() => seen === size ? Stream.empty : Stream.fail(wrong())))
    )
  })
