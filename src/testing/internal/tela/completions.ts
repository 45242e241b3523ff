/** `/v2/chat/completions` and the list of runs of the Tela emulator. */
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import type { Exchange } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import type * as Ends from "../ends.ts"
import { isObject, type JsonObject } from "../json.ts"
import * as routing from "../routing.ts"
import { isUuid } from "../uuid.ts"
import * as canvases from "./canvases.ts"
import * as fileRefs from "./fileRefs.ts"
import * as runs from "./runs.ts"
import * as lists from "./lists.ts"
import * as wire from "./wire.ts"

export interface Options {
  readonly bareLists: boolean
  readonly camelCaseRuns: boolean
  readonly creditsUsed: boolean
}

/** What completions need of the other parts of the emulator. */
export interface Context {
  readonly canvases: canvases.Canvases
  readonly runs: ReadonlyMap<string, runs.Run>
  readonly start: (
    exchange: Exchange,
    request: TelaScript.RunRequest,
    echo: JsonObject,
    found: { readonly canvas: canvases.Canvas; readonly version: canvases.Version }
  ) => Effect.Effect<runs.Run, routing.Refusal>
  readonly createTask: (
    exchange: Exchange,
    request: TelaScript.RunRequest,
    echo: JsonObject
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, routing.Refusal>
  /** Opens a stream. */
  readonly respond: (run: runs.Run) => HttpServerResponse.HttpServerResponse
  readonly ends: Ends.Ends<runs.Run>
}

export const make = (options: Options, context: Context): ReadonlyArray<routing.Route<wire.Access>> => {
  const create: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const body = yield* wire.readObject(exchange)
    const request = yield* parse(body)
    const echo = echoOf(body)
    if (request.mode === "task") return yield* context.createTask(exchange, request, echo)
    const found = yield* context.canvases.resolve(request, exchange)
    // Assumption 5.
    if (request.mode === "stream" && found.canvas.isWorkflow) {
      return yield* wire.badRequest("A workflow cannot be streamed")
    }
    const wrong = canvases.wrongVariables(found.canvas, request.variables)
    if (wrong !== undefined) return yield* wire.badRequest(wrong)
    const run = yield* context.start(exchange, request, echo, found)
    if (request.mode === "async") {
      return wire.ok(runs.shown(run, runs.firstState(run)))
    }
    if (request.mode === "stream") return context.respond(run)
    const state = runs.stateOf(run, yield* context.ends.ended(run))
    if (found.canvas.isWorkflow) return wire.ok(runs.shownWorkflow(run, state))
    // An assumption of ours: how a synchronous execution fails is not documented.
    if (run.failure !== undefined) return yield* wire.refuse(500, run.failure.code, run.failure.message)
    return wire.ok(runs.shownCompletion(run))
  })

  const retrieve: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const run = context.runs.get(id.toLowerCase())
    if (run === undefined || !isRetrievable(run)) return yield* wire.notFound("Run", id)
    runs.poll(run, exchange.now)
    yield* context.ends.check(run)
    const state = runs.stateOf(run, exchange.now)
    const shown = options.camelCaseRuns
      ? runs.shownInCamelCase(run, state)
      : runs.shown(run, state)
    // Assumption 1.
    const credits = options.camelCaseRuns ? { creditsUsed: 1 } : options.creditsUsed ? { credits_used: 1 } : {}
    return wire.ok({ ...shown, ...credits })
  })

  const list: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const query = exchange.url.searchParams
    const page = yield* lists.page(query, { initial: 10, max: 100 })
    for (const [name, kind] of scopes) {
      const id = query.get(name)
      if (id !== null && !context.canvases.knows(kind, id)) return yield* wire.notFound(name, id)
    }
    const status = lists.values(query, "status")
    const tags = lists.values(query, "tags")
    const created = yield* lists.range(query, "createdAt")
    const same = (name: string, id: string | null) => (query.get(name) ?? id)?.toLowerCase() === id?.toLowerCase()
    const found = Array.from(context.runs.values())
      .filter(isRetrievable)
      .map((run) => ({ run, state: runs.stateOf(run, exchange.now) }))
      .filter(({ run, state }) =>
        same("promptId", run.canvas.id) && same("promptVersionId", run.version.id) &&
        same("promptApplicationId", run.applicationId) &&
        (status === undefined || status.includes(state.status)) &&
        (tags === undefined || tags.some((tag) => run.request.tags.includes(tag))) && created(run.createdAt)
      )
      .sort((a, b) => b.state.updatedAt - a.state.updatedAt || (a.run.id < b.run.id ? 1 : -1))
    return wire.ok(lists.envelope(
      found,
      page,
      ({ run, state }) => runs.shownInCamelCase(run, state),
      options.bareLists
    ))
  })

  return routing.routes("bearer", {
    "POST /v2/chat/completions": create,
    "GET /v2/chat/completions/:id": retrieve,
    "GET /v1/completion-run": list
  })
}

// Section 3.5: a synchronous or streamed run cannot be looked up.
const isRetrievable = ({ request: { mode } }: runs.Run): boolean => mode === "async" || mode === "task"

const scopes: ReadonlyArray<readonly [name: string, kind: canvases.Kind]> = [
  ["promptId", "canvas"],
  ["promptVersionId", "version"],
  ["promptApplicationId", "application"]
]

const echoOf = (body: JsonObject): JsonObject => ({
  version_id: body["version_id"] ?? null,
  canvas_id: body["canvas_id"] ?? null,
  application_id: body["application_id"] ?? null,
  webhook_url: body["webhook_url"] ?? null,
  variables: body["variables"] ?? {},
  messages: body["messages"] ?? [],
  override: body["override"] ?? null
})

// --- reading requests ---

const parse = Effect.fnUntraced(
  function*(body: JsonObject): Effect.fn.Return<TelaScript.RunRequest, routing.Refusal> {
    const wrong = wire.wrongMember(body, {
      canvas_id: "string",
      version_id: "string",
      application_id: "string",
      environment_name: "string",
      stream: "boolean",
      async: "boolean",
      label: "string"
    }) ?? wrongTarget(body) ?? wrongContent(body)
    if (wrong !== undefined) return yield* wire.badRequest(wrong)
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

/** The part of a valid body that says what a canvas is to do. */
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

// Assumption 37: members that exclude each other are refused.
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

/** The first mistake in the part of a body that says what a canvas is to do. */
export const wrongContent = (body: JsonObject): string | undefined => {
  const wrong = wire.wrongMember(body, {
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
  const override = wire.present(given)
  const wrong = wire.wrongMember(override, { model: "string", temperature: "number", structured_output: "object" })
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
  const inside = wire.wrongMember(structured_output, { enabled: "boolean", schema: "object" })
  return inside === undefined ? undefined : `override.structured_output.${inside}`
}
