/** Creates a run: checks the parameters, and makes the request. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as FileInput from "../../FileInput.ts"
import * as UploadFile from "../../internal/files/uploadFile.ts"
import * as Binary from "../../internal/binary.ts"
import * as Create from "../../internal/http/create.ts"
import { quote } from "../../internal/describe.ts"
import * as FetchPlatform from "../../internal/http/fetchPlatform.ts"
import * as FileLimits from "../../internal/files/fileLimits.ts"
import type { Client } from "../../internal/http/client.ts"
import * as Multipart from "./multipart.ts"
import * as Options from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Causes from "../../internal/http/causes.ts"
import { badRequest, type CreateError, CreateOutcomeUnknownError, FileInputError } from "../../RunError.ts"
import type { CreatedRun, CreateRunParams } from "../SpineRuns.ts"
import * as Data from "../SpineSchema.ts"
import { provider } from "./source.ts"

/** Creates a run. Errors name `operation`, the method that the program called. */
export const create = (
  client: Client,
  operation: string,
  params: CreateRunParams
): Effect.Effect<CreatedRun, CreateError> =>
  Effect.flatMap(checkParams(operation, params, client.skipFileValidation), (parts) => send(client, operation, parts))

const paramNames: ReadonlyArray<keyof CreateRunParams> = [
  "prompt",
  "template",
  "blocks",
  "agent_instructions",
  "webhook_url",
  "files"
]

const extensions = "png jpg jpeg gif webp svg pdf docx xlsx pptx csv txt md yaml yml json zip bin".split(" ")

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
  extensions: new Set(extensions),
  formats: extensions.join(", ").toUpperCase(),
  maxBytes: Infinity
}

const checkParams = (operation: string, given: CreateRunParams, skipFileValidation: boolean) =>
  Effect.gen(function*() {
    const params = yield* Options.copyRequired(operation, "params", given, paramNames)
    const { agent_instructions, prompt, template, webhook_url } = params
    // T7
    const wrong = (parameter: string, message: string) => badRequest({ operation, parameter, message })
    yield* Options.checkText(operation, "prompt", prompt)
    yield* Options.checkKind(operation, "template", template, isOneOf(templates), `one of ${templates.join(", ")}`)
    yield* Options.checkKind(operation, "blocks", params.blocks, Array.isArray, "an array of block types")
    const blocks = params.blocks === undefined ? undefined : Array.from(params.blocks)
    if (blocks?.length === 0) return yield* wrong("blocks", "blocks is empty. Leave it out, or name one block type.")
    const unknown = blocks?.findIndex((block) => !isOneOf(blockTypes)(block)) ?? -1
    if (unknown !== -1) {
      const message = `blocks[${unknown}] is ${quote(blocks![unknown])}; it must be one of ${blockTypes.join(", ")}.`
      return yield* wrong("blocks", message)
    }
    yield* Options.checkKind(operation, "agent_instructions", agent_instructions, Predicate.isString, "text")
    yield* Options.checkUrl(operation, "webhook_url", webhook_url)
    const texts = { prompt, template, blocks: blocks && JSON.stringify(blocks), agent_instructions, webhook_url }
    const parts: Array<Multipart.Part> = Object.entries(texts).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value }]
    )
    const files = params.files ?? []
    yield* Options.checkKind(operation, "files", files, isList, "an array of files")
    let index = 0
    for (const file of files) {
      // F3, F4: a missing name is generated, and both name and type are sent
      const ready = yield* FileInput.normalize(operation, file, ++index)
      if (!skipFileValidation) yield* FileLimits.check(operation, "files", ready, limits)
      parts.push({ name: "files", file: ready })
    }
    return parts
  }).pipe((check) => Options.reading(operation, "params", () => check))

const templates = Data.Template.literals
const blockTypes = Data.BlockType.literals
const isOneOf = (words: ReadonlyArray<string>) => (value: unknown): boolean => words.includes(value as string)

const isList = (value: unknown): boolean =>
  Predicate.isIterable(value) && typeof value !== "string" && !Binary.isBytes(value)

const decodeCreated = Data.decodeAnswer(Data.CreateRunResponse)

const send = (
  { api, retryCreates, transfer: { uploadIdleTimeout } }: Client,
  operation: string,
  parts: ReadonlyArray<Multipart.Part>
) =>
  Effect.gen(function*() {
    const createdAt = yield* Clock.currentTimeMillis
    const reading: Multipart.Reading = { filename: undefined, error: undefined }
    const body = yield* Multipart.body(yield* Multipart.begin(parts, uploadIdleTimeout), reading)
    // A file fails in the middle of the form. The client fails with a different error, by which a failed Blob is recognised
    const fileErrorOf = (error: { readonly cause?: unknown }): FileInputError | undefined =>
      reading.error ?? (Causes.isUnreadableBlob(error.cause) ? UploadFile.readError("a Blob", error.cause) : undefined)
    const { requestId, value } = yield* Create.create(
      {
        retryCreates,
        // If the length is not announced, only the client knows that the body was incomplete
        isIncomplete: (error) => fileErrorOf(error) !== undefined && FetchPlatform.announcesLength(body)
      },
      (once) =>
        api.call({
          operation,
          request: HttpClientRequest.post("/v1/run", { body }),
          decode: decodeCreated,
          isUpload: true,
          onSilentFile: () => {
            const filename = reading.filename ?? "a file"
            reading.error = UploadFile.silentError(filename, uploadIdleTimeout)
            return `${filename} gave no bytes for ${Duration.format(uploadIdleTimeout)} (uploadIdleTimeout). ` +
              UploadFile.silentAdvice
          },
          ...once
        })
    ).pipe(
      Effect.mapError((error): CreateError => {
        if (error._tag === "CreateOutcomeUnknownError") {
          return reading.error === undefined ? error : new CreateOutcomeUnknownError({
            ...error,
            message: error.message,
            // For this create that is not known
            cause: new FileInputError({
              ...reading.error,
              message: reading.error.message.replace(" Nothing was created.", ""),
              reached: true
            })
          })
        }
        const broken = fileErrorOf(error)
        return broken === undefined ? error : new FileInputError({
          ...broken,
          message: broken.message,
          // Multipart.begin has read the first chunk of each file by now, so the request was under way. Only the client can know
          // that it had not been sent yet
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
      estimatedDurationMs: value.estimated_duration_ms,
      // The blocks come after the template, and before it in the provider's choice
      template: parts.findLast(({ name }) => /template|blocks/.test(name))?.value ?? "auto"
    })
    yield* Create.accepted(ref)
    return { ...value, ref }
  }).pipe(Effect.scoped)
