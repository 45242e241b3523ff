/** The files in variables: checked, uploaded, and replaced by references. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FileInput from "../../FileInput.ts"
import type { FileTransfer } from "../../internal/http/client.ts"
import { quote, quoteLink } from "../../internal/describe.ts"
import * as Body from "../../internal/http/body.ts"
import * as FetchPlatform from "../../internal/http/fetchPlatform.ts"
import * as FileLimits from "../../internal/fileLimits.ts"
import { causeOf, execute } from "../../internal/http/send.ts"
import type * as Http from "../../internal/http/call.ts"
import { Id } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import * as Causes from "../../internal/http/causes.ts"
import * as Transfer from "../../internal/http/transfer.ts"
import { retrying } from "../../internal/http/retry.ts"
import * as Upload from "../../internal/http/upload.ts"
import { badRequest, BadRequestError, FileInputError, type RequestError } from "../../RunError.ts"
import { type FileOptions, isTelaFile, type TelaFile } from "../TelaFile.ts"
import * as Variables from "./variables.ts"

/** What a file is sent as. */
interface FileReference {
  readonly file_url: string
  readonly options?: { readonly range?: readonly [number, number]; readonly parserType?: string }
}

/** What uploading takes. */
export interface Uploader {
  readonly api: Http.Api
  readonly skipFileValidation: boolean
  readonly transfer: FileTransfer
}

/** How many files of one execution are uploaded at once. */
const concurrency = 4

/** The version of the API that the upload of files was written for. */
const compatibilityDate = "2025-07-23"

/** Checks the files in the variables, uploads those that are not links, and puts references in their place. */
export const resolve = (
  uploader: Uploader,
  operation: string,
  variables: unknown,
  /** What `variables` are: those of one execution, or a list with those of each task. */
  of: "execution" | "tasks" = "execution"
): Effect.Effect<unknown, RequestError | FileInputError> =>
  Effect.gen(function*() {
    const parameterOf = (path: string): string =>
      of === "tasks"
        ? path.replace(/^\[(\d+)\]/, "tasks[$1].variables")
        : path === ""
        ? "variables"
        : `variables.${path}`
    // Each stands in the copy of the variables, and is filled in when the file has been uploaded
    const references = new Map<TelaFile, { readonly path: string; readonly reference: object }>()
    const copied = Variables.copy(variables, (value, path) => {
      if (!isTelaFile(value)) return undefined
      const found = references.get(value) ?? { path: path(), reference: {} }
      references.set(value, found)
      return found.reference
    })
    if (Result.isFailure(copied)) {
      const { message, path } = copied.failure
      const parameter = parameterOf(path)
      return yield* badRequest({ operation, parameter, message: `${parameter} ${message}` })
    }
    const files = new Set<unknown>(Array.from(references.values(), ({ reference }) => reference))
    const all: ReadonlyArray<unknown> = of === "tasks" && Array.isArray(copied.success)
      ? copied.success
      : [copied.success]
    for (const [index, copy] of all.entries()) {
      if (Predicate.isObject(copy) && !files.has(copy)) continue
      const parameter = parameterOf(of === "tasks" ? `[${index}]` : "")
      return yield* badRequest({
        operation,
        parameter,
        message: `${parameter} ${
          files.has(copy) ? "is a file" : `would be sent as ${quote(copy)}`
        }. Pass an object with a member for each variable.`
      })
    }
    // All files are looked at before the first byte is sent
    const prepared = yield* Effect.forEach(
      references,
      ([file, { path, reference }], index) =>
        Effect.gen(function*() {
          const options = yield* readOptions(operation, file.options, path, parameterOf(path))
          const ready = yield* prepare(uploader, operation, file.source, options, path, parameterOf(path), index + 1)
          return { options, path, ready, reference }
        })
    )
    yield* Effect.forEach(prepared, ({ options, path, ready, reference }) =>
      Effect.map(
        typeof ready === "string" ? Effect.succeed(ready) : upload(uploader, operation, ready, path),
        (url) => Object.assign(reference, referenceOf(url, options))
      ), { concurrency, discard: true })
    return copied.success
  })

const referenceOf = (file_url: string, { parserType, range }: FileOptions): FileReference =>
  range === undefined && parserType === undefined ? { file_url } : {
    file_url,
    options: {
      ...(range === undefined ? undefined : { range }),
      ...(parserType === undefined ? undefined : { parserType })
    }
  }

/**
 * The formats of the provider's page about files, and text of every kind. The size is the limit of a file in the vault.
 *
 * @see https://docs.tela.com/en/supported-file-formats
 */
const limits: FileLimits.FileLimits = {
  provider: "Tela",
  types:
    /^(?:application\/(?:pdf|msword|vnd\.ms-(?:excel|powerpoint)|vnd\.openxmlformats-officedocument\..*)|audio\/(?:mpeg|ogg|wav)|image\/(?:jpeg|png)|text\/.*|video\/mp4)$/,
  extensions: new Set("pdf mp3 ogg wav jpg jpeg png docx pptx xlsx doc xls ppt csv mp4 txt".split(" ")),
  formats: "PDF, DOCX, XLSX, PPTX, DOC, XLS, PPT, CSV, text, JPEG, PNG, MP3, OGG, WAV and MP4",
  maxBytes: 5 * 1024 ** 4
}

/** A link as it is, or a file in its normal form. */
const prepare = (
  { skipFileValidation }: Uploader,
  operation: string,
  source: TelaFile["source"],
  options: FileOptions,
  path: string,
  parameter: string,
  index: number
): Effect.Effect<string | FileInput.UploadFile, BadRequestError | FileInputError> => {
  const wrong = (message: string) => Effect.fail(badRequest({ operation, parameter, message: `${path} ${message}` }))
  if (typeof source === "string") {
    return URL.canParse(source) && /^(?:https?|data|vault):/i.test(source)
      ? Effect.succeed(source)
      : wrong(
        `is ${
          quoteLink(source)
        }, not a link. Give an https:, data: or vault: URL, or the bytes. For a file on disk, use Tela.fileFromPath.`
      )
  }
  return Effect.mapError(
    Effect.tap(
      FileInput.normalize(`${operation}: ${path}`, source, index, { filename: options.name }),
      (ready) => skipFileValidation ? Effect.void : FileLimits.check(`${operation}: ${path}`, parameter, ready, limits)
    ),
    (error) =>
      error._tag === "BadRequestError"
        ? new BadRequestError({ ...error, operation, parameter, message: error.message })
        : withVariable(error, path)
  )
}

/** Copies the options of a file. */
const readOptions = (
  operation: string,
  given: FileOptions,
  path: string,
  parameter: string
): Effect.Effect<FileOptions, BadRequestError> =>
  Options.reading(operation, parameter, () =>
    Effect.gen(function*() {
      const options = yield* Options.copy(operation, `options of ${path}`, given, ["name", "range", "parserType"])
      const wrong = (message: string) => badRequest({ operation, parameter, message: `${path} ${message}` })
      const { name, parserType } = options
      for (const [option, value] of Object.entries({ name, parserType })) {
        if (value !== undefined && typeof value !== "string") {
          return yield* wrong(`has the ${option} ${quote(value)}; it must be text.`)
        }
      }
      if (options.range === undefined) return options
      const range: ReadonlyArray<unknown> = Array.isArray(options.range) ? Array.from(options.range) : []
      const [first, last] = range
      return Number.isSafeInteger(first) && Number.isSafeInteger(last) && range.length === 2 &&
          (first as number) >= 0 && (last as number) >= (first as number)
        ? { ...options, range: [first as number, last as number] as const }
        : yield* wrong(
          `has the range ${
            Array.isArray(options.range) ? `[${range.map(quote).join(", ")}]` : quote(options.range)
          }; it must be two page numbers, the first and the last, counted from 0.`
        )
    }))

const withVariable = (error: FileInputError, variable: string): FileInputError =>
  new FileInputError({ ...error, variable, message: `${variable}: ${error.message}` })

const decodeCreated = Schema.decodeUnknownEffect(Schema.Struct({ id: Id, uploadUrl: Schema.String }))

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
      // A record without bytes is harmless, so this may be repeated
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
  transfer: FileTransfer,
  upload: FileInput.UploadFile,
  link: string,
  variable: string
): Effect.Effect<void, FileInputError> => {
  const { contentType, data, filename, size } = upload
  const failed = (
    what: string,
    fields: Partial<Pick<FileInputError, "isRetryable" | "status" | "retryAfter" | "cause">>,
    advice = fields.isRetryable === true ? "Try again later." : "A repetition fails as well."
  ) =>
    new FileInputError({
      message: `${variable}: ${filename} could not be uploaded: ${what}. Nothing was executed. ${advice}`,
      file: filename,
      reason: "upload",
      variable,
      reached: false,
      isRetryable: false,
      ...fields
    })
  const url = Transfer.resolveLink(link, transfer.baseUrl)
  if (typeof url === "string") return Effect.fail(failed(url, {}, "Check the base URL of the client."))
  let fileError: FileInputError | undefined
  const body = Stream.isStream(data)
    ? HttpBody.stream(Stream.tapError(data, (error) => Effect.sync(() => fileError = error)), contentType, size)
    : data instanceof Uint8Array
    ? HttpBody.uint8Array(data, contentType)
    : HttpBody.raw(data, { contentType, contentLength: size })
  const redirected = (fields: { readonly status?: number }) =>
    failed(
      "its server redirects the upload, which is not followed",
      fields,
      "Look for a proxy that answers in the server's place."
    )
  const refusedWith = (refusal: Effect.Success<ReturnType<typeof Transfer.refusal>>) =>
    // A browser reports a redirect as status 0
    refusal.status === 0 || refusal.status >= 300 && refusal.status < 400
      ? redirected({ status: refusal.status })
      : failed(
        Transfer.wordsOf(refusal.status),
        // A server without chunked bodies does not get them later
        { ...refusal, isRetryable: refusal.isRetryable && refusal.status !== 501 },
        adviceFor(refusal)
      )
  const send = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.mapError(execute(transfer.client, request), (error) => {
      if (HttpClientError.isHttpClientError(error) && Causes.isRefusedRedirect(error)) return redirected({})
      const { words, ...cause } = Transfer.cleanCause(causeOf(error), url.href)
      return failed(`its server gave no answer${words}`, { isRetryable: true, ...cause })
    })
  const attempt = Upload.whileMoving(
    HttpClientRequest.put(url, { body }),
    {
      idleMillis: Duration.toMillis(transfer.uploadIdleTimeout),
      responseMillis: Duration.toMillis(transfer.idleTimeout)
    },
    send,
    (awaited) =>
      Effect.fail(
        awaited === "file" ?
          withVariable(FileInput.silentError(filename, transfer.uploadIdleTimeout), variable) :
          failed(
            awaited === "server"
              ? `its server took no more of it for ${Duration.format(transfer.uploadIdleTimeout)} (uploadIdleTimeout)`
              : `its server gave no answer within ${Duration.format(transfer.idleTimeout)}`,
            { isRetryable: true }
          )
      )
  ).pipe(
    Effect.flatMap((response) =>
      response.status < 200 || response.status >= 300
        ? Effect.andThen(
          Body.discard(response),
          Effect.flatMap(Transfer.refusal(response), (refusal) => Effect.fail(refusedWith(refusal)))
        )
        : Effect.flatMap(Transfer.isPage(response), (isPage) =>
          isPage
            ? Effect.fail(
              failed("its server, or a proxy in its place, answered with a page of HTML", {
                status: response.status,
                isRetryable: true
              })
            )
            : Effect.void)
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
    : retrying(attempt, transfer, (error) => error.isRetryable)
}

/** What to do about a refused upload. */
const adviceFor = ({ isRetryable, status }: { readonly isRetryable: boolean; readonly status: number }): string => {
  switch (status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 410:
      return "The address to upload to has expired or does not allow it: execute again for another one."
    case 411:
    case 501:
      return "It needs a content-length, which this platform does not send for a stream: give a Blob or bytes."
    case 413:
      return "The file is larger than the server accepts: send a smaller one."
    default:
      return isRetryable ? "Try again later." : "A repetition fails as well."
  }
}
