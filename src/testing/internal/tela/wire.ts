/** What every part of the Tela emulator says and hears on the wire. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type * as Emulator from "../../Emulator.ts"

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details?: unknown
  readonly headers?: Readonly<Record<string, string>>
}> {}

/** Rule 1: the status is in the body too. */
export const errorBody = (error: {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details?: unknown
}) => ({
  code: error.code,
  message: error.message,
  status: error.status,
  name: "Error",
  ...(error.details === undefined ? {} : { details: error.details })
})

export const refuse = (status: number, code: string, message: string, details?: unknown) =>
  new Refusal({ status, code, message, ...(details === undefined ? {} : { details }) })

export const badRequest = (message: string, details?: unknown) => refuse(400, "BAD_REQUEST", message, details)

export const notFound = (what: string, id: string) => refuse(404, "NOT_FOUND", `${what} not found: ${id}`)

export const ok = (body: unknown) => HttpServerResponse.jsonUnsafe(body)

/** The values of the parts of the path that have a name. */
export type Params = Readonly<Record<string, string>>

export type Handler = (
  exchange: Emulator.Exchange,
  params: Params
) => Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal, Scope.Scope>

export interface Route {
  readonly method: string
  readonly path: ReadonlyArray<string>
  /** How a request says who sent it: as everywhere, as to the vault, or not at all as its URL is the secret. */
  readonly auth: "bearer" | "vault" | "none"
  readonly handle: Handler
}

/** `route("GET", "/task/:id", handler)` */
export const route = (method: string, path: string, handle: Handler, auth: Route["auth"] = "bearer"): Route => ({
  method,
  path: path.split("/").slice(1),
  auth,
  handle
})

/** The params of a path that fits; the first route that fits wins, so fixed names go before parameters. */
export const matchPath = (route: Route, path: ReadonlyArray<string>): Params | undefined => {
  if (path.length !== route.path.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, name] of route.path.entries()) {
    const part = path[index]!
    if (!name.startsWith(":")) {
      if (name !== part) return undefined
    } else if (part === "") return undefined
    else params[name.slice(1)] = part
  }
  return params
}

export const isUuid = (value: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value)

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject => Predicate.isObject(value)

export const iso = (millis: number): string => new Date(millis).toISOString()

export const isoOrNull = (millis: number | undefined): string | null => millis === undefined ? null : iso(millis)

const bodyErrors: {
  readonly [R in Emulator.BodyError["reason"]]: { status: number; code: string; message: string }
} = {
  TooLarge: { status: 413, code: "PAYLOAD_TOO_LARGE", message: "The body is too large" },
  NotJson: { status: 400, code: "BAD_REQUEST", message: "Malformed JSON" },
  Broken: { status: 400, code: "BAD_REQUEST", message: "The body ended too early" }
}

export const bodyRefusal = ({ reason }: Emulator.BodyError) => new Refusal(bodyErrors[reason])

const jsonLimit = 50_000_000

export const readJson = (exchange: Emulator.Exchange): Effect.Effect<unknown, Refusal> =>
  Effect.mapError(exchange.json(jsonLimit), bodyRefusal)

export const readObject = Effect.fnUntraced(function*(
  exchange: Emulator.Exchange
): Effect.fn.Return<JsonObject, Refusal> {
  const body = yield* readJson(exchange)
  return isObject(body) ? present(body) : yield* badRequest("The body must be a JSON object")
})

/** The members that are not `null`: an optional member may be `null`, which means the same as leaving it out. */
export const present = (body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))

type Kind = "string" | "number" | "boolean" | "object" | "strings"

const kinds: { readonly [K in Kind]: { readonly name: string; readonly is: (value: unknown) => boolean } } = {
  string: { name: "a string", is: Predicate.isString },
  number: { name: "a number", is: Predicate.isNumber },
  boolean: { name: "a boolean", is: Predicate.isBoolean },
  object: { name: "an object", is: isObject },
  strings: { name: "an array of strings", is: (value) => Array.isArray(value) && value.every(Predicate.isString) }
}

/**
 * The first member of an object that has the wrong type, in words. Members that are not listed may have any type, and each
 * may be `null`.
 */
export const wrongMember = (body: JsonObject, members: Readonly<Record<string, Kind>>): string | undefined => {
  for (const [name, kind] of Object.entries(members)) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (!kinds[kind].is(value)) return `${name} must be ${kinds[kind].name}`
  }
  return undefined
}

/** The comma-separated or repeated values of a parameter, under its name or its name with `[]`. */
export const queryList = (query: URLSearchParams, name: string): ReadonlyArray<string> | undefined => {
  const values = [...query.getAll(name), ...query.getAll(`${name}[]`)].flatMap((value) => value.split(","))
    .filter((value) => value !== "")
  return values.length === 0 ? undefined : values
}

/** A moment in a query, in milliseconds. */
export const queryTime = (query: URLSearchParams, name: string): Effect.Effect<number | undefined, Refusal> => {
  const value = query.get(name)
  if (value === null) return Effect.succeed(undefined)
  const millis = new Date(value).getTime()
  return Number.isNaN(millis) ? badRequest(`${name} must be a date`) : Effect.succeed(millis)
}

/** Whether a moment lies between `<name>Since` and `<name>Until` of a query. */
export const queryRange = Effect.fnUntraced(function*(query: URLSearchParams, name: string) {
  const since = yield* queryTime(query, `${name}Since`)
  const until = yield* queryTime(query, `${name}Until`)
  return (millis: number | undefined): boolean =>
    (since === undefined || (millis !== undefined && millis >= since)) &&
    (until === undefined || (millis !== undefined && millis <= until))
})

/** The limit and the offset of a list, clamped. */
export const queryPage = Effect.fnUntraced(function*(
  query: URLSearchParams,
  limits: { readonly initial: number; readonly max: number }
): Effect.fn.Return<{ readonly limit: number; readonly offset: number }, Refusal> {
  const read = (name: string, initial: number) => {
    const text = query.get(name)
    if (text === null) return Effect.succeed(initial)
    return /^-?\d{1,9}$/.test(text) ? Effect.succeed(Number(text)) : badRequest(`${name} must be a whole number`)
  }
  const limit = yield* read("limit", limits.initial)
  const offset = yield* read("offset", 0)
  return { limit: Math.min(limits.max, Math.max(1, limit)), offset: Math.max(0, offset) }
})

/** Assumption 15: a page of a list with its meta data, or without. */
export const envelope = <A>(
  all: ReadonlyArray<A>,
  { limit, offset }: { readonly limit: number; readonly offset: number },
  render: (item: A) => unknown,
  bare: boolean
): unknown => {
  const data = all.slice(offset, offset + limit).map(render)
  return bare ? data : {
    data,
    meta: {
      total: all.length,
      limit,
      offset,
      currentPage: Math.floor(offset / limit) + 1,
      totalPages: Math.ceil(all.length / limit)
    }
  }
}

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, char: string) => char.toUpperCase())

/** The object with its own keys in camel case; what is below them stays. */
export const camelKeys = (value: JsonObject): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([key, value]) => [camel(key), value]))
