/** Creating a run: the checks of what it is asked for, and the request. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as FileInput from "../../FileInput.ts"
import * as Binary from "../../internal/binary.ts"
import * as Create from "../../internal/http/create.ts"
import { quote } from "../../internal/describe.ts"
import * as FetchPlatform from "../../internal/http/fetchPlatform.ts"
import * as FileLimits from "../../internal/fileLimits.ts"
import type * as Http from "../../internal/http/call.ts"
import * as Multipart from "./multipart.ts"
import * as Options from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Causes from "../../internal/http/causes.ts"
import {
  badRequest,
  type BadRequestError,
  type CreateError,
  CreateOutcomeUnknownError,
  FileInputError
} from "../../RunError.ts"
import type { CreatedRun, CreateRunParams } from "../SpineRuns.ts"
import * as Wire from "../SpineSchema.ts"
import { provider } from "./source.ts"

export interface CreateOptions {
  readonly retryCreates: boolean
  readonly skipFileValidation: boolean
  /** How long a file may give no bytes. */
  readonly uploadIdleTimeout: Duration.Duration
}

/** Creates a run. */
export const create = (
  api: Http.Api,
  params: CreateRunParams,
  options: CreateOptions
): Effect.Effect<CreatedRun, CreateError> =>
  Effect.flatMap(checkParams(params, options.skipFileValidation), (parts) => send(api, parts, options))

const paramNames: ReadonlyArray<keyof CreateRunParams> = [
  "prompt",
  "template",
  "blocks",
  "agent_instructions",
  "webhook_url",
  "files"
]

/**
 * The formats of the provider's page about uploads, and `.pptx` and `.bin`, which the page of its Python SDK uploads. Sizes
 * depend on the plan and are not published.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/file-uploads
 */
const limits: FileLimits.FileLimits = {
  provider: "Spine",
  types:
    /^(?:image\/(?:png|jpeg|gif|webp|svg\+xml)|application\/(?:pdf|json|zip|(?:x-)?yaml|vnd\.openxmlformats-officedocument\..*)|text\/(?:csv|plain|markdown|(?:x-)?yaml))$/,
  extensions: new Set(
    "png jpg jpeg gif webp svg pdf docx xlsx pptx csv txt md yaml yml json zip bin".split(" ")
  ),
  formats: "images (PNG, JPEG, GIF, WEBP, SVG), PDF, DOCX, XLSX, PPTX, CSV, TXT, MD, YAML, JSON and ZIP",
  maxBytes: Infinity
}

const checkParams = (
  given: CreateRunParams,
  skipFileValidation: boolean
): Effect.Effect<ReadonlyArray<Multipart.Part>, BadRequestError | FileInputError> =>
  Effect.gen(function*() {
    const operation = "runs.create"
    const params = yield* Options.copyRequired(operation, "params", given, paramNames)
    const parts: Array<Multipart.Part> = []
    const text = (parameter: string, value: unknown, isRequired = false) => {
      if (value === undefined && !isRequired) return Effect.void
      if (typeof value !== "string" || isRequired && value.trim() === "") {
        return badRequest({
          operation,
          parameter,
          message: `${parameter} is ${quote(value)}; it must be text${isRequired ? " that is not blank" : ""}.`
        })
      }
      parts.push({ name: parameter, value })
      return Effect.void
    }
    yield* text("prompt", params.prompt, true)
    if (params.template !== undefined && !Wire.Template.literals.includes(params.template)) {
      return yield* badRequest({
        operation,
        parameter: "template",
        message: `${quote(params.template)} is not a template. There are: ${Wire.Template.literals.join(", ")}.`
      })
    }
    yield* text("template", params.template)
    if (params.blocks !== undefined) {
      const wrong = (message: string) => badRequest({ operation, parameter: "blocks", message })
      if (!Array.isArray(params.blocks)) {
        return yield* wrong(
          `blocks is ${quote(params.blocks)}; it must be an array of block types, such as ["${
            Wire.BlockType.literals[0]
          }"].`
        )
      }
      const blocks: ReadonlyArray<Wire.BlockType> = Array.from(params.blocks)
      if (blocks.length === 0) return yield* wrong("blocks is empty. Leave it out, or name one block type.")
      const unknown = blocks.findIndex((block) => !Wire.BlockType.literals.includes(block))
      if (unknown !== -1) {
        return yield* wrong(
          `blocks[${unknown}] is ${quote(blocks[unknown])}, which is not a block type. There are: ${
            Wire.BlockType.literals.join(", ")
          }.`
        )
      }
      parts.push({ name: "blocks", value: JSON.stringify(blocks) })
    }
    yield* text("agent_instructions", params.agent_instructions)
    yield* Options.checkUrl(operation, "webhook_url", params.webhook_url)
    yield* text("webhook_url", params.webhook_url)
    const files: unknown = params.files ?? []
    if (!Predicate.isIterable(files) || typeof files === "string" || Binary.isBytes(files)) {
      return yield* badRequest({
        operation,
        parameter: "files",
        message: `files is ${quote(files)}; it must be an array of files.`
      })
    }
    let index = 0
    for (const file of files as Iterable<FileInput.FileInput>) {
      const ready = yield* FileInput.normalize(operation, file, ++index)
      if (!skipFileValidation) yield* FileLimits.check(operation, "files", ready, limits)
      parts.push({ name: "files", file: ready })
    }
    return parts
  }).pipe((check) => Options.reading("runs.create", "params", () => check))

const decodeCreated = Wire.decodeAnswer(Wire.CreateRunResponse)

const send = (
  api: Http.Api,
  parts: ReadonlyArray<Multipart.Part>,
  { retryCreates, uploadIdleTimeout }: CreateOptions
): Effect.Effect<CreatedRun, CreateError> =>
  Effect.gen(function*() {
    const createdAt = yield* Clock.currentTimeMillis
    const reading: Multipart.Reading = { filename: undefined, error: undefined }
    const body = yield* Multipart.body(yield* Multipart.begin(parts, uploadIdleTimeout), reading)
    // A file that fails in the middle of its form. The client fails with an error of its own, by which a Blob can be told
    const fileErrorOf = (error: { readonly cause?: unknown }): FileInputError | undefined =>
      reading.error ?? (Causes.isUnreadableBlob(error.cause) ? FileInput.readError("a Blob", error.cause) : undefined)
    const { requestId, value } = yield* Create.create(
      api,
      {
        operation: "runs.create",
        request: HttpClientRequest.post("/v1/run", { body }),
        decode: decodeCreated,
        isUpload: true,
        onSilentFile: () => {
          const filename = reading.filename ?? "a file"
          reading.error = FileInput.silentError(filename, uploadIdleTimeout)
          return `${filename} gave no bytes for ${Duration.format(uploadIdleTimeout)} (uploadIdleTimeout). ` +
            FileInput.silentAdvice
        }
      },
      {
        retryCreates,
        // Where the length is not announced, the client alone knows that more was to come
        isIncomplete: (error) => fileErrorOf(error) !== undefined && FetchPlatform.announcesLength(body)
      }
    ).pipe(
      Effect.mapError((error): CreateError => {
        if (error._tag === "CreateOutcomeUnknownError") {
          return reading.error === undefined ? error : new CreateOutcomeUnknownError({
            ...error,
            message: error.message,
            cause: reading.error
          })
        }
        const broken = fileErrorOf(error)
        return broken === undefined ? error : new FileInputError({
          ...broken,
          message: broken.message,
          // Multipart.begin has read the first chunk of each file by now, so the request was under way. Only the client can know
          // that it had not left yet
          reached: error._tag !== "TransportError" && error._tag !== "RequestTimeoutError" || error.reached !== false
        })
      })
    )
    const ref = RunRef.make({
      provider,
      kind: "run",
      id: value.run_id,
      createdAt,
      requestId,
      estimatedDurationMs: value.estimated_duration_ms
    })
    yield* Create.accepted(ref)
    return { ...value, ref }
  }).pipe(Effect.scoped)
