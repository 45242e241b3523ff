/**
 * Files in the variables of a Tela execution.
 *
 * **Details**
 *
 * A {@link TelaFile} may stand anywhere in the variables, in arrays and objects of any depth. Before the execution is
 * created, files that are not links already are uploaded, a few at a time and each object once, and sent as
 * `vault://` references. Their bytes go to the signed address that the provider names, without any credential.
 *
 * @see https://docs.tela.com/en/completion-api/variables-and-files
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import type * as Artifact from "../Artifact.ts"
import * as FileInput from "../FileInput.ts"
import * as FetchPlatform from "../internal/fetchPlatform.ts"
import type * as Http from "../internal/http.ts"
import * as Transfer from "../internal/transfer.ts"
import { BadRequestError, FileInputError, refused, type RequestError } from "../RunError.ts"

const TypeId = "~canvas-runs/tela/TelaFile"

/**
 * How a file is to be read.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileOptions {
  /** The pages to read, from the first to the last, counted from zero. */
  readonly range?: readonly [first: number, last: number] | undefined
  /** The parser to use, such as `"tela-pdf-parser"`. */
  readonly parserType?: string | undefined
  /** The name to upload it under. */
  readonly name?: string | undefined
}

/**
 * A file in the variables of an execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface TelaFile {
  readonly [TypeId]: typeof TypeId
  /** A link, or what is to be uploaded. */
  readonly source: string | FileInput.FileInput
  readonly options: FileOptions
}

/**
 * Makes a file from a link (`https:`, `data:` or `vault:`), from bytes, a `Blob`, a `File`, or a `Stream` of known size.
 *
 * **Example** (Files from anywhere)
 *
 * ```ts
 * import { Tela } from "canvas-runs"
 *
 * const variables = {
 *   contract: Tela.file("https://example.com/contract.pdf", { range: [0, 9] }),
 *   pages: [Tela.file(new Uint8Array([137, 80, 78, 71]), { name: "page.png" })]
 * }
 *
 * console.log(Tela.isTelaFile(variables.contract)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const file = (source: string | URL | FileInput.FileInput, options: FileOptions = {}): TelaFile => ({
  [TypeId]: TypeId,
  source: source instanceof URL ? source.href : source,
  options
})

/**
 * Makes a file from a path, read as it is uploaded. Needs a `FileSystem`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fileFromPath = (
  path: string,
  options: FileOptions = {}
): Effect.Effect<TelaFile, FileInputError, FileSystem.FileSystem> =>
  Effect.map(FileInput.fromPath(path, { filename: options.name }), (input) => file(input, options))

/**
 * @category guards
 * @since 0.1.0
 */
export const isTelaFile = (u: unknown): u is TelaFile => Predicate.hasProperty(u, TypeId)

/**
 * The schema of a file, for schemas of a canvas's input.
 *
 * @category schemas
 * @since 0.1.0
 */
export const FileSchema: Schema.declare<TelaFile> = Schema.declare(isTelaFile, {
  expected: "a file made with Tela.file",
  // For JSON Schemas of the input: a file is what it is sent as
  toCodecJson: () =>
    Schema.link<TelaFile>()(
      Schema.Struct({ file_url: Schema.String }),
      SchemaTransformation.transform({
        decode: ({ file_url }) => file(file_url),
        encode: ({ source }) => ({ file_url: typeof source === "string" ? source : "" })
      })
    )
})

/**
 * What a file is sent as.
 *
 * @internal
 */
export interface FileReference {
  readonly file_url: string
  readonly options?: { readonly range?: readonly [number, number]; readonly parserType?: string }
}

/**
 * What uploading takes.
 *
 * @internal
 */
export interface Uploader {
  readonly api: Http.Api
  readonly transfer: Artifact.Options
}

/** How many files of one execution are uploaded at once. */
const concurrency = 4

/** The version of the API that the upload of files was written for. */
export const compatibilityDate = "2025-07-23"

/**
 * Checks the files in the variables, uploads those that are not links, and puts references in their place.
 *
 * @internal
 */
export const resolve = (
  uploader: Uploader,
  operation: string,
  variables: unknown
): Effect.Effect<unknown, RequestError | FileInputError> =>
  Effect.gen(function*() {
    const found = new Map<TelaFile, string>()
    yield* find(operation, variables, "", found, new Set())
    if (found.size === 0) return variables
    // All files are looked at before the first byte is sent
    const prepared = yield* Effect.forEach(
      found,
      ([file, path], index) => Effect.map(prepare(operation, file, path, index + 1), (ready) => ({ file, path, ready }))
    )
    const references = new Map(
      yield* Effect.forEach(prepared, ({ file, path, ready }) =>
        Effect.map(
          typeof ready === "string" ? Effect.succeed(ready) : upload(uploader, operation, ready, path),
          (url) => [file, reference(url, file.options)] as const
        ), { concurrency })
    )
    return replace(variables, references)
  })

const reference = (file_url: string, { parserType, range }: FileOptions): FileReference =>
  range === undefined && parserType === undefined ? { file_url } : {
    file_url,
    options: {
      ...(range === undefined ? undefined : { range }),
      ...(parserType === undefined ? undefined : { parserType })
    }
  }

const isContainer = (value: unknown): value is Readonly<Record<string, unknown>> | ReadonlyArray<unknown> =>
  Array.isArray(value) || Predicate.isObject(value) &&
    (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)

/** Finds the files, with the place of each in words such as `invoices[2].scan`. */
const find = (
  operation: string,
  value: unknown,
  path: string,
  found: Map<TelaFile, string>,
  above: Set<unknown>
): Effect.Effect<void, BadRequestError> => {
  if (isTelaFile(value)) {
    if (!found.has(value)) found.set(value, path)
    return Effect.void
  }
  if (value instanceof Blob || value instanceof Uint8Array) {
    return Effect.fail(refused({
      operation,
      parameter: `variables.${path}`,
      message: `${path} holds bytes as they are. Wrap them in Tela.file(...).`
    }))
  }
  if (!isContainer(value)) return Effect.void
  if (above.has(value)) {
    return Effect.fail(refused({ operation, parameter: `variables.${path}`, message: `${path} contains itself.` }))
  }
  const inside = new Set(above).add(value)
  return Effect.forEach(
    Array.isArray(value) ? value.map((item, index) => [`${path}[${index}]`, item] as const) : Object.entries(value).map(
      ([key, item]) => [path === "" ? key : `${path}.${key}`, item] as const
    ),
    ([place, item]) => find(operation, item, place, found, inside),
    { discard: true }
  )
}

const replace = (value: unknown, references: ReadonlyMap<TelaFile, FileReference>): unknown =>
  isTelaFile(value)
    ? references.get(value)
    : Array.isArray(value)
    ? value.map((item) => replace(item, references))
    : isContainer(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item, references)]))
    : value

/** A link as it is, or a file in its normal form. */
const prepare = (
  operation: string,
  { options, source }: TelaFile,
  path: string,
  index: number
): Effect.Effect<string | FileInput.UploadFile, BadRequestError | FileInputError> => {
  const parameter = `variables.${path}`
  const wrong = (message: string) => Effect.fail(refused({ operation, parameter, message: `${path} ${message}` }))
  if (options.range !== undefined) {
    const [first, last] = options.range
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first) {
      return wrong(`has the range ${JSON.stringify(options.range)}; it must be two page numbers, counted from 0.`)
    }
  }
  if (typeof source === "string") {
    return URL.canParse(source) && /^(?:https?|data|vault):/i.test(source)
      ? Effect.succeed(source)
      : wrong(
        "is not a link. Give an https:, data: or vault: URL, or the bytes; for a path there is Tela.fileFromPath."
      )
  }
  const named: FileInput.FileInput = options.name === undefined
    ? source
    : source instanceof Uint8Array || source instanceof Blob
    ? { data: source, filename: options.name }
    : { ...source, filename: options.name }
  return Effect.mapError(
    FileInput.normalize(`${operation}: ${path}`, named, index),
    (error) =>
      error._tag === "BadRequestError"
        ? new BadRequestError({ ...error, operation, parameter, message: error.message })
        : withVariable(error, path)
  )
}

const withVariable = (error: FileInputError, variable: string): FileInputError =>
  new FileInputError({ ...error, variable, message: `${variable}: ${error.message}` })

const decodeCreated = Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.NonEmptyString, uploadUrl: Schema.String }))

/** Asks for an address, sends the bytes there, and returns the reference to them. */
const upload = (
  { api, transfer }: Uploader,
  operation: string,
  upload: FileInput.UploadFile,
  variable: string
): Effect.Effect<string, RequestError | FileInputError> =>
  Effect.gen(function*() {
    const { value: { id, uploadUrl } } = yield* api.call({
      operation: `${operation}: upload of ${variable}`,
      // A record without bytes harms nobody, so this may be repeated
      request: HttpClientRequest.post("/v3/files", {
        headers: { "x-compatibility-date": compatibilityDate },
        body: HttpBody.jsonUnsafe({ fileName: upload.filename })
      }),
      decode: decodeCreated
    })
    yield* put(transfer, upload, uploadUrl, variable)
    return `vault://${id}`
  })

const put = (
  transfer: Artifact.Options,
  upload: FileInput.UploadFile,
  url: string,
  variable: string
): Effect.Effect<void, FileInputError> => {
  const { contentType, data, filename, size } = upload
  let fileError: FileInputError | undefined
  const body = Stream.isStream(data)
    ? HttpBody.stream(Stream.tapError(data, (error) => Effect.sync(() => fileError = error)), contentType, size)
    : data instanceof Uint8Array
    ? HttpBody.uint8Array(data, contentType)
    : HttpBody.raw(data, { contentType, contentLength: size })
  const failed = (what: string, fields: Partial<FileInputError>, advice = "try again") =>
    new FileInputError({
      message: `${variable}: ${filename} could not be uploaded: ${what}. Nothing was executed; ${advice}.`,
      file: filename,
      reason: "upload",
      variable,
      isRetryable: true,
      ...fields
    })
  const redirected = (fields: Partial<FileInputError>) =>
    failed(
      "its server redirects the upload, which is not followed",
      { ...fields, isRetryable: false },
      "look for a proxy that answers in the server's place"
    )
  const attempt = transfer.client.execute(HttpClientRequest.put(url, { body })).pipe(
    Effect.mapError((error) => {
      const fields = error.reason.cause instanceof Error ? { cause: error.reason.cause } : {}
      return Transfer.isRefusedRedirect(error) ? redirected(fields) : failed("its server gave no answer", fields)
    }),
    Effect.timeoutOrElse({
      duration: transfer.idleTimeout,
      orElse: () => Effect.fail(failed("its server gave no answer in time", {}))
    }),
    Effect.tap(FetchPlatform.discard),
    Effect.flatMap((response) =>
      response.status >= 200 && response.status < 300
        ? Effect.void
        : Effect.flatMap(
          Transfer.refusal(response),
          (refusal) =>
            Effect.fail(
              response.status >= 300 && response.status < 400
                ? redirected(refusal)
                : failed(`its server answered with ${response.status}`, refusal)
            )
        )
    ),
    // However the server takes a body that broke off, the file is the reason
    Effect.mapError((error) => fileError === undefined ? error : withVariable(fileError, variable)),
    // The address is a secret for as long as it lasts
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    Effect.provideService(FetchHttpClient.RequestInit, FetchPlatform.uploadInit(body))
  )
  // A stream may give its bytes only once
  return Stream.isStream(data)
    ? attempt
    : Transfer.retrying(attempt, transfer, (error) => error instanceof FileInputError)
}
