/** The files in variables: checked, uploaded, and replaced by references. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as FileInput from "../../FileInput.ts"
import { quote, quoteLink } from "../../internal/describe.ts"
import * as FileLimits from "../../internal/files/fileLimits.ts"
import type { Client } from "../../internal/http/client.ts"
import * as Options from "../../internal/options.ts"
import { badRequest, BadRequestError, type FileInputError, type RequestError } from "../../RunError.ts"
import { type FileOptions, isTelaFile, type TelaFile } from "../TelaFile.ts"
import * as Uploads from "./uploads.ts"
import * as Variables from "./variables.ts"

/** The number of files of one execution that are uploaded at once. */
const concurrency = 4

/** Checks the files in the variables, uploads those that are not links, and puts references in their place. */
export const resolve = (
  client: Client,
  operation: string,
  variables: unknown,
  /** `variables` belong to one execution, or are a list with the variables of each task. */
  of: "execution" | "tasks" = "execution"
): Effect.Effect<unknown, RequestError | FileInputError> =>
  Effect.gen(function*() {
    const parameterOf = (path: string): string =>
      of === "tasks"
        ? path.replace(/^\[(\d+)\]/, "tasks[$1].variables")
        : path === ""
        ? "variables"
        : `variables.${path}`
    // Each reference is already in the copy of the variables, and is filled in when the file has been uploaded
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
          files.has(copy) ? "is a file" : `is ${quote(copy)}`
        }. Pass an object with a member for each variable.`
      })
    }
    // All files are checked before the first byte is sent
    const checked = yield* Effect.forEach(references, ([file, { path, reference }], index) =>
      Effect.map(
        checkFile(client, file, { operation, path, parameter: parameterOf(path) }, index + 1),
        (ready) => ({ ...ready, path, reference })
      ))
    yield* Effect.forEach(checked, ({ file, options: { parserType, range }, path, reference }) =>
      Effect.map(
        typeof file === "string" ? Effect.succeed(file) : Uploads.upload(client, operation, file, path),
        (file_url) =>
          Object.assign(reference, {
            file_url,
            ...(range === undefined && parserType === undefined ? undefined : { options: { range, parserType } })
          })
      ), { concurrency, discard: true })
    return copied.success
  })

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

/** The place of a file in the variables, for its errors. */
interface Place {
  readonly operation: string
  readonly path: string
  readonly parameter: string
}

const wrong = ({ operation, parameter, path }: Place, message: string): BadRequestError =>
  badRequest({ operation, parameter, message: `${path} ${message}` })

/** Checks a file. A link stays unchanged, and a file to upload is normalised. */
const checkFile = ({ skipFileValidation }: Client, { options: given, source }: TelaFile, place: Place, index: number) =>
  Effect.gen(function*() {
    const { operation, parameter, path } = place
    const options = yield* Options.reading(operation, parameter, () => readOptions(given, place))
    if (typeof source === "string") {
      if (URL.canParse(source) && /^(?:https?|data|vault):/i.test(source)) return { file: source, options }
      return yield* wrong(
        place,
        `is ${
          quoteLink(source)
        }, not a link. Give an https:, data: or vault: URL, or the bytes. For a file on disk, use Tela.fileFromPath.`
      )
    }
    const step = `${operation}: ${path}`
    const file = yield* FileInput.normalize(step, source, index, { filename: options.name }).pipe(
      Effect.tap((file) => skipFileValidation ? Effect.void : FileLimits.check(step, parameter, file, limits)),
      Effect.mapError((error) =>
        error._tag === "BadRequestError"
          ? new BadRequestError({ ...error, operation, parameter, message: error.message })
          : Uploads.withVariable(error, path)
      )
    )
    return { file, options }
  })

/** Copies the options of a file. */
const readOptions = (given: FileOptions, place: Place): Effect.Effect<FileOptions, BadRequestError> =>
  Effect.gen(function*() {
    const options = yield* Options.copy(place.operation, `options of ${place.path}`, given, [
      "name",
      "range",
      "parserType"
    ])
    const { name, parserType, range: pages } = options
    for (const [option, value] of Object.entries({ name, parserType })) {
      if (value !== undefined && typeof value !== "string") {
        return yield* wrong(place, `has the ${option} ${quote(value)}; it must be text.`)
      }
    }
    if (pages === undefined) return options
    const range: ReadonlyArray<unknown> = Array.isArray(pages) ? Array.from(pages) : []
    const [first, last] = range
    return Number.isSafeInteger(first) && Number.isSafeInteger(last) && range.length === 2 &&
        (first as number) >= 0 && (last as number) >= (first as number)
      ? { ...options, range: [first as number, last as number] as const }
      : yield* wrong(
        place,
        `has the range ${
          Array.isArray(pages) ? `[${range.map(quote).join(", ")}]` : quote(pages)
        }; it must be two page numbers, the first and the last, counted from 0.`
      )
  })
