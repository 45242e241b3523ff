/** The files in variables: checked, uploaded, and replaced by references. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as FileInput from "../../FileInput.ts"
import { quote, quoteLink } from "../../internal/describe.ts"
import * as FileLimits from "../../internal/files/fileLimits.ts"
import * as Options from "../../internal/options.ts"
import { badRequest, BadRequestError, type FileInputError, type RequestError } from "../../RunError.ts"
import { type FileOptions, isTelaFile, type TelaFile } from "../TelaFile.ts"
import * as Uploads from "./uploads.ts"
import * as Variables from "./variables.ts"

/** What a file is sent as. */
interface FileReference {
  readonly file_url: string
  readonly options?: { readonly range?: readonly [number, number]; readonly parserType?: string }
}

/** The parts of a client that files need. */
export interface Uploader extends Uploads.Uploader {
  readonly skipFileValidation: boolean
}

/** How many files of one execution are uploaded at once. */
const concurrency = 4

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
        typeof ready === "string" ? Effect.succeed(ready) : Uploads.upload(uploader, operation, ready, path),
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
        : Uploads.withVariable(error, path)
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
