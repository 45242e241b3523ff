/** Reads the form of `POST /v1/run`, and rejects the forms that Spine rejects. */
import * as Effect from "effect/Effect"
import * as SpineSchema from "../../../spine/SpineSchema.ts"
import type { Exchange, FormError, FormLimits, ReceivedFile } from "../../Exchange.ts"
import * as OfficeFiles from "../../OfficeFiles.ts"
import type { CreateRequest } from "../../SpineScript.ts"
import { parseJson } from "../json.ts"
import type * as routing from "../routing.ts"
import * as responses from "./responses.ts"

export const read = Effect.fnUntraced(function*(
  exchange: Exchange,
  limits: FormLimits,
  acceptAnyFileType: boolean
): Effect.fn.Return<CreateRequest, routing.Refusal> {
  const form = yield* Effect.mapError(exchange.form(limits), ({ reason }) => responses.refuse(...formErrors[reason]))
  const fields = new Map(form.fields)
  const repeated = singleFields.find((name) => form.fields.filter(([field]) => field === name).length > 1)
  if (repeated !== undefined) return yield* responses.badRequest(`Repeated field: ${repeated}`)

  const prompt = fields.get("prompt")
  // R2
  if (prompt === undefined || prompt.trim() === "") {
    return yield* responses.badRequest("Missing required field: prompt")
  }
  // R4: checked even if blocks win over it.
  const template = fields.get("template")
  if (template !== undefined && !isTemplate(template)) {
    return yield* responses.badRequest(
      `Invalid template: ${template}. Valid templates: ${alphabetical(SpineSchema.Template.literals)}`
    )
  }
  const blocks = fields.get("blocks")
  const stray = form.files.find((file) => file.field !== "files")
  if (stray !== undefined) return yield* responses.badRequest(`Unexpected file field: ${stray.field}`)
  if (fields.has("files")) {
    return yield* responses.badRequest("Invalid files: every part needs a file name")
  }
  // F2
  const unsupported = acceptAnyFileType ? undefined : form.files.find((file) => kindOf(file) === "unsupported")
  if (unsupported !== undefined) {
    return yield* responses.badRequest(`Unsupported file type: ${unsupported.name}`)
  }
  return {
    prompt,
    template,
    blocks: blocks === undefined ? undefined : yield* parseBlocks(blocks),
    agent_instructions: fields.get("agent_instructions"),
    webhook_url: fields.get("webhook_url"),
    files: form.files
  }
})

const parseBlocks = Effect.fnUntraced(function*(
  text: string
): Effect.fn.Return<ReadonlyArray<SpineSchema.BlockType>, routing.Refusal> {
  const blocks = parseJson(text)
  // R5
  if (!Array.isArray(blocks)) return yield* responses.badRequest("Invalid blocks: must be a JSON array of block types")
  if (blocks.length === 0) return yield* responses.badRequest("Invalid blocks: must not be empty")
  // R6
  const invalid = blocks.filter((block: unknown) => !isBlockType(block))
  if (invalid.length > 0) {
    return yield* responses.badRequest(
      `Invalid block types: ${
        invalid.map((block) => typeof block === "string" ? block : JSON.stringify(block)).join(", ")
      }. Valid block types: ${alphabetical(SpineSchema.BlockType.literals)}`
    )
  }
  return blocks.filter(isBlockType)
})

const singleFields = ["prompt", "template", "blocks", "agent_instructions", "webhook_url"]

const isTemplate = (value: string): value is SpineSchema.Template =>
  (SpineSchema.Template.literals as ReadonlyArray<string>).includes(value)

const isBlockType = (value: unknown): value is SpineSchema.BlockType =>
  (SpineSchema.BlockType.literals as ReadonlyArray<unknown>).includes(value)

const alphabetical = (values: ReadonlyArray<string>): string => [...values].sort().join(", ")

const formErrors: { readonly [R in FormError["reason"]]: readonly [status: number, error: string] } = {
  // R3
  NotMultipart: [400, "Content-Type must be multipart/form-data"],
  Malformed: [400, "Malformed multipart body"],
  // F1
  FileTooLarge: [413, "File too large"],
  TotalTooLarge: [413, "Files too large in total"],
  TooManyFiles: [400, "Too many files"]
}

// --- the types of files ---

const imageTypes: { readonly [extension: string]: string } = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml"
}

const documentTypes: { readonly [extension: string]: string } = {
  pdf: "application/pdf",
  docx: OfficeFiles.mediaTypes.docx!,
  xlsx: OfficeFiles.mediaTypes.xlsx!,
  csv: "text/csv",
  txt: "text/plain",
  md: "text/markdown",
  yaml: "application/yaml",
  yml: "application/yaml",
  json: "application/json",
  zip: "application/zip"
}

const imageMediaTypes = new Set(Object.values(imageTypes))
const documentMediaTypes = new Set([...Object.values(documentTypes), "text/yaml", "application/x-yaml"])

/** F4: the extension decides, and only a name without one leaves it to the media type. */
export const kindOf = (file: ReceivedFile): "image" | "document" | "unsupported" => {
  const extension = /\.([a-z0-9]+)$/i.exec(file.name)?.[1]?.toLowerCase()
  const mediaType = file.contentType.split(";", 1)[0]!.trim().toLowerCase()
  const [isImage, isDocument] = extension !== undefined
    ? [Object.hasOwn(imageTypes, extension), Object.hasOwn(documentTypes, extension)]
    : [imageMediaTypes.has(mediaType), documentMediaTypes.has(mediaType)]
  return isImage ? "image" : isDocument ? "document" : "unsupported"
}
