/** `/v2/chat/completions` and the list of runs of the Tela emulator. */
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Exchange } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import type * as Ends from "../ends.ts"
import type { JsonObject } from "../json.ts"
import * as routing from "../routing.ts"
import * as canvases from "./canvases.ts"
import * as lists from "./lists.ts"
import * as runRequests from "./runRequest.ts"
import * as runs from "./runs.ts"
import * as responses from "./responses.ts"

export interface Options {
  readonly bareLists: boolean
  readonly camelCaseRuns: boolean
  readonly creditsUsed: boolean
}

/** The functions of other parts of the emulator that completions need. */
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

export const make = (options: Options, context: Context): ReadonlyArray<routing.Route<responses.Access>> => {
  const create: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const body = yield* responses.readObject(exchange)
    const request = yield* runRequests.parse(body)
    const echo = echoOf(body)
    if (request.mode === "task") return yield* context.createTask(exchange, request, echo)
    const found = yield* context.canvases.resolve(request, exchange)
    // Assumption 5.
    if (request.mode === "stream" && found.canvas.isWorkflow) {
      return yield* responses.badRequest("A workflow cannot be streamed")
    }
    const wrong = canvases.wrongVariables(found.canvas, request.variables)
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    const run = yield* context.start(exchange, request, echo, found)
    if (request.mode === "async") {
      return responses.ok(runs.shown(run, runs.firstState(run)))
    }
    if (request.mode === "stream") return context.respond(run)
    const state = runs.stateOf(run, yield* context.ends.ended(run))
    if (found.canvas.isWorkflow) return responses.ok(runs.shownWorkflow(run, state))
    // An assumption of ours: how a synchronous execution fails is not documented.
    if (run.failure !== undefined) return yield* responses.refuse(500, run.failure.code, run.failure.message)
    return responses.ok(runs.shownCompletion(run))
  })

  const retrieve: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const run = context.runs.get(id.toLowerCase())
    if (run === undefined || !isRetrievable(run)) return yield* responses.notFound("Run", id)
    runs.poll(run, exchange.now)
    yield* context.ends.check(run)
    const state = runs.stateOf(run, exchange.now)
    const shown = options.camelCaseRuns
      ? runs.shownInCamelCase(run, state)
      : runs.shown(run, state)
    // Assumption 1.
    const credits = options.camelCaseRuns ? { creditsUsed: 1 } : options.creditsUsed ? { credits_used: 1 } : {}
    return responses.ok({ ...shown, ...credits })
  })

  const list: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const query = exchange.url.searchParams
    const page = yield* lists.page(query, { initial: 10, max: 100 })
    for (const [name, kind] of scopes) {
      const id = query.get(name)
      if (id !== null && !context.canvases.knows(kind, id)) return yield* responses.notFound(name, id)
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
    return responses.ok(lists.envelope(
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
