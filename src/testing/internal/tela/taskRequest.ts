/** Reads the bodies that create tasks of the Tela emulator, and rejects invalid ones. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as TelaScript from "../../TelaScript.ts"
import { isObject, type JsonObject } from "../json.ts"
import type * as routing from "../routing.ts"
import { isUuid } from "../uuid.ts"
import * as canvases from "./canvases.ts"
import * as fileRefs from "./fileRefs.ts"
import * as runRequests from "./runRequest.ts"
import * as responses from "./responses.ts"

/** A task to create. */
export interface NewTask {
  readonly request: TelaScript.RunRequest
  readonly echo: JsonObject
  readonly name?: string | undefined
  readonly metadata?: JsonObject | undefined
  readonly inputContent?: JsonObject | undefined
  readonly outputContent?: JsonObject | undefined
  readonly approvedAt?: number | undefined
}

/** Reads one item of `POST /task`. */
export const parse = Effect.fnUntraced(function*(item: unknown): Effect.fn.Return<NewTask, routing.Refusal> {
  if (!isObject(item)) return yield* responses.badRequest("A task must be a JSON object")
  const body = responses.present(item)
  if (body["sourceType"] === "agent") return yield* responses.badRequest("The emulator has no agents")
  const wrong = responses.wrongMember(body, {
    promptApplicationId: "string",
    name: "string",
    rawInput: "object",
    tags: "strings",
    outputContent: "object",
    inputContent: "object",
    metadata: "object",
    approvedAt: "string"
  })
  if (wrong !== undefined) return yield* responses.badRequest(wrong)
  const { approvedAt, inputContent, metadata, name, outputContent, promptApplicationId, tags } = body
  if (!Predicate.isString(promptApplicationId)) return yield* responses.badRequest("promptApplicationId is required")
  if (!isUuid(promptApplicationId)) return yield* responses.badRequest("promptApplicationId must be a UUID")
  if (!Predicate.isString(name)) return yield* responses.badRequest("name is required")
  if (!isObject(body["rawInput"])) return yield* responses.badRequest("rawInput is required")
  const rawInput = responses.present(body["rawInput"])
  const inside = runRequests.wrongContent(rawInput)
  if (inside !== undefined) return yield* responses.badRequest(`rawInput: ${inside}`)
  if (!isObject(rawInput["variables"])) return yield* invalidSchema("rawInput.variables is required")
  if (Predicate.isString(approvedAt) && Number.isNaN(new Date(approvedAt).getTime())) {
    return yield* responses.badRequest("approvedAt must be a date")
  }
  if (isObject(outputContent) && !("content" in outputContent)) {
    return yield* responses.badRequest("outputContent.content is required")
  }
  return {
    request: {
      ...runRequests.contentOf(rawInput),
      mode: "task",
      application_id: promptApplicationId,
      tags: (tags ?? []) as ReadonlyArray<string>
    },
    echo: withFileLists({ ...rawInput, application_id: promptApplicationId }),
    name,
    ...(isObject(metadata) ? { metadata } : {}),
    ...(isObject(inputContent) ? { inputContent } : {}),
    ...(isObject(outputContent) ? { outputContent: { role: "assistant", ...outputContent } } : {}),
    ...(Predicate.isString(approvedAt) ? { approvedAt: new Date(approvedAt).getTime() } : {})
  }
})

/** Rule 12: the variables that a canvas with declared variables rejects. */
export const checkVariables = (
  { variables }: TelaScript.RunRequest,
  canvas: canvases.Canvas,
  mimeTypeOf: (ref: fileRefs.FileRef) => string | undefined
) => {
  const wrong = canvases.wrongVariables(canvas, variables)
  if (wrong !== undefined) return invalidSchema(wrong)
  for (const variable of canvas.variables ?? []) {
    const value = variables[variable.name]
    if (variable.type !== "file" || value === undefined) continue
    const refs = fileRefs.inValue(value)
    if (refs.length === 0) return invalidSchema(`The variable ${variable.name} must be a file`)
    for (const ref of refs) {
      const type = mimeTypeOf(ref)
      if (type !== undefined && !fileTypes.has(type)) {
        return invalidSchema(`The variable ${variable.name} must not be a file of type ${type}`)
      }
    }
  }
  return Effect.void
}

/** Assumption 23: tasks show each variable that holds files as a list of files. */
export const withFileLists = (echo: JsonObject): JsonObject => {
  const { variables } = echo
  if (!isObject(variables)) return echo
  const isFile = (value: unknown) => isObject(value) && "file_url" in value
  return {
    ...echo,
    variables: Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [
        name,
        isFile(value)
          ? { files: [value] }
          : Array.isArray(value) && value.length > 0 && value.every(isFile)
          ? { files: value }
          : value
      ])
    )
  }
}

const invalidSchema = (message: string) => responses.refuse(400, "INVALID_SCHEMA", message)

/** The types of files that a task accepts (section 15). */
const fileTypes: ReadonlySet<string> = new Set([
  "application/pdf",
  "audio/mpeg",
  "audio/ogg",
  "audio/wav",
  "image/jpeg",
  "image/png",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "application/msword",
  "application/vnd.ms-excel",
  "application/vnd.ms-powerpoint",
  "text/csv",
  "video/mp4",
  "text/plain",
  // The type of a file whose type is unknown.
  "application/octet-stream"
])
