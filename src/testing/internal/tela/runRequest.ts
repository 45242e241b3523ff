/** Reads the bodies that create runs of the Tela emulator, and rejects invalid ones. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as TelaScript from "../../TelaScript.ts"
import { isObject, type JsonObject } from "../json.ts"
import type * as routing from "../routing.ts"
import { isUuid } from "../uuid.ts"
import * as fileRefs from "./fileRefs.ts"
import * as responses from "./responses.ts"

/** Reads the body of `POST /v2/chat/completions`. */
export const parse = Effect.fnUntraced(
  function*(body: JsonObject): Effect.fn.Return<TelaScript.RunRequest, routing.Refusal> {
    const wrong = responses.wrongMember(body, {
      canvas_id: "string",
      version_id: "string",
      application_id: "string",
      environment_name: "string",
      stream: "boolean",
      async: "boolean",
      label: "string"
    }) ?? wrongTarget(body) ?? wrongContent(body)
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    const request = contentOf(body)
    const mode: TelaScript.Mode = request.application_id !== undefined
      ? "task"
      : body["stream"] === true
      ? "stream"
      : body["async"] === true || request.webhook_url !== undefined
      ? "async"
      : "sync"
    return { ...request, mode }
  }
)

/** The part of a valid body that describes the execution. */
export const contentOf = (body: JsonObject): Omit<TelaScript.RunRequest, "mode"> => {
  const text = (name: string) => body[name] as string | undefined
  return {
    canvas_id: text("canvas_id"),
    version_id: text("version_id"),
    application_id: text("application_id"),
    environment_name: text("environment_name"),
    variables: (body["variables"] ?? {}) as JsonObject,
    messages: (body["messages"] ?? []) as ReadonlyArray<TelaScript.Message>,
    override: body["override"] as JsonObject | undefined,
    tags: (body["tags"] ?? []) as ReadonlyArray<string>,
    label: text("label"),
    webhook_url: text("webhook_url")
  }
}

// Assumption 37: members that exclude each other are rejected.
const wrongTarget = (body: JsonObject): string | undefined => {
  const { application_id, canvas_id, environment_name, version_id } = body
  if (canvas_id === undefined && version_id === undefined && application_id === undefined) {
    return "One of canvas_id, version_id and application_id is required"
  }
  for (const name of ["canvas_id", "application_id"]) {
    const id = body[name]
    if (Predicate.isString(id) && !isUuid(id)) return `${name} must be a UUID`
  }
  if (version_id === "") return "version_id must not be empty"
  if (application_id !== undefined && (canvas_id !== undefined || version_id !== undefined)) {
    return "application_id excludes canvas_id and version_id"
  }
  if (environment_name !== undefined && (canvas_id === undefined || version_id !== undefined)) {
    return "environment_name goes with canvas_id, without version_id"
  }
  if (body["stream"] !== true) return undefined
  if (application_id !== undefined) return "An application cannot be streamed"
  if (body["async"] === true) return "stream excludes async"
  return body["webhook_url"] === undefined ? undefined : "stream excludes webhook_url"
}

/** The first mistake in the part of a body that describes the execution. */
export const wrongContent = (body: JsonObject): string | undefined => {
  const wrong = responses.wrongMember(body, {
    variables: "object",
    override: "object",
    tags: "strings",
    webhook_url: "string"
  })
  if (wrong !== undefined) return wrong
  const { messages, override, variables, webhook_url } = body
  if (Predicate.isString(webhook_url) && !/^https?:\/\//i.test(webhook_url)) {
    return "webhook_url must be an http(s) URL"
  }
  if (messages !== undefined && !(Array.isArray(messages) && messages.every(isMessage))) {
    return "messages must be an array of { role, content }"
  }
  return wrongOverride(override) ?? fileRefs.problem(variables)
}

const isMessage = (value: unknown): boolean =>
  isObject(value) && Predicate.isString(value["role"]) &&
  (Predicate.isString(value["content"]) || (Array.isArray(value["content"]) && value["content"].every(isObject)))

const wrongOverride = (given: unknown): string | undefined => {
  if (!isObject(given)) return undefined
  const override = responses.present(given)
  const wrong = responses.wrongMember(override, { model: "string", temperature: "number", structured_output: "object" })
  if (wrong !== undefined) return `override.${wrong}`
  const { functions, structured_output, temperature, type } = override
  if (type !== undefined && type !== "chat" && type !== "completion") {
    return `override.type must be "chat" or "completion"`
  }
  if (Predicate.isNumber(temperature) && (temperature < 0 || temperature > 1)) {
    return "override.temperature must be between 0 and 1"
  }
  if (functions !== undefined && !(Array.isArray(functions) && functions.every(isObject))) {
    return "override.functions must be an array of objects"
  }
  if (!isObject(structured_output)) return undefined
  const inside = responses.wrongMember(structured_output, { enabled: "boolean", schema: "object" })
  return inside === undefined ? undefined : `override.structured_output.${inside}`
}
