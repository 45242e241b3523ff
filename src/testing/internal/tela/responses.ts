/** Helpers for requests and responses that all parts of the Tela emulator share. */
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import type { BodyError, Exchange } from "../../Exchange.ts"
import { isObject, type JsonObject } from "../json.ts"
import { Refusal } from "../routing.ts"

/** How a request proves who sent it: with a bearer token, with the looser header of the vault, or with the token in its URL. */
export type Access = "bearer" | "vault" | "token"

/** The API key of a request, or `""`. Rule 5. */
export const apiKey = (headers: Headers.Headers, access: Access): string => {
  const { authorization, "x-data-token": dataToken = "" } = headers
  if (authorization === undefined) return dataToken
  return /^Bearer +(\S.*)$/i.exec(authorization)?.[1] ??
    (access === "vault" && !/^Bearer *$/i.test(authorization) ? authorization : "")
}

/** Rule 1: the body has the status too. */
const error = (status: number, code: string, message: string) => ({ code, message, status, name: "Error" })

/** The body of an error that a fault asks for. */
export const errorBody = (status: number) => {
  const [code, message] = faultTexts[status] ?? [`HTTP_${status}`, `HTTP ${status}`]
  return error(status, code, message)
}

export const refuse = (
  status: number,
  code: string,
  message: string,
  headers?: Readonly<Record<string, string>>
) => new Refusal({ response: HttpServerResponse.jsonUnsafe(error(status, code, message), { status, headers }) })

export const badRequest = (message: string) => refuse(400, "BAD_REQUEST", message)

export const notFound = (what: string, id: string) => refuse(404, "NOT_FOUND", `${what} not found: ${id}`)

export const ok = (body: unknown) => HttpServerResponse.jsonUnsafe(body)

export const iso = (millis: number): string => new Date(millis).toISOString()

export const isoOrNull = (millis: number | undefined): string | null => millis === undefined ? null : iso(millis)

const bodyErrors: {
  readonly [R in BodyError["reason"]]: readonly [status: number, code: string, message: string]
} = {
  TooLarge: [413, "PAYLOAD_TOO_LARGE", "The body is too large"],
  NotJson: [400, "BAD_REQUEST", "Malformed JSON"],
  Broken: [400, "BAD_REQUEST", "The body ended too early"]
}

export const bodyRefusal = ({ reason }: Pick<BodyError, "reason">) => refuse(...bodyErrors[reason])

const jsonLimit = 50_000_000

export const readJson = (exchange: Exchange): Effect.Effect<unknown, Refusal> =>
  Effect.mapError(exchange.json(jsonLimit), bodyRefusal)

export const readObject = Effect.fnUntraced(function*(
  exchange: Exchange
): Effect.fn.Return<JsonObject, Refusal> {
  const body = yield* readJson(exchange)
  return isObject(body) ? present(body) : yield* badRequest("The body must be a JSON object")
})

/** The members that are not `null`. An optional member of `null` means the same as an absent one. */
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
 * Describes the first member of an object that has the wrong type. Members that are not listed may have any type, and each may be
 * `null`.
 */
export const wrongMember = (body: JsonObject, members: Readonly<Record<string, Kind>>): string | undefined => {
  for (const [name, kind] of Object.entries(members)) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (!kinds[kind].is(value)) return `${name} must be ${kinds[kind].name}`
  }
  return undefined
}

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, char: string) => char.toUpperCase())

/** The object with its own keys in camel case. Nested objects stay unchanged. */
export const camelKeys = (value: JsonObject): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([key, value]) => [camel(key), value]))

const faultTexts: { readonly [status: number]: readonly [code: string, message: string] } = {
  400: ["BAD_REQUEST", "Bad request"],
  401: ["UNAUTHORIZED", "The API key is invalid"],
  402: ["USAGE_LIMIT_REACHED", "The workspace has reached its monthly usage limit"],
  403: ["FORBIDDEN", "The role of this key does not allow that"],
  404: ["NOT_FOUND", "Not found"],
  408: ["REQUEST_TIMEOUT", "Request timeout"],
  409: ["CONFLICT", "Conflict"],
  422: ["UNPROCESSABLE_ENTITY", "Unprocessable entity"],
  429: ["RATE_LIMITED", "Too many requests"],
  500: ["INTERNAL_SERVER_ERROR", "Internal server error"],
  502: ["BAD_GATEWAY", "Bad gateway"],
  503: ["SERVICE_UNAVAILABLE", "Service unavailable"],
  504: ["GATEWAY_TIMEOUT", "Gateway timeout"]
}
