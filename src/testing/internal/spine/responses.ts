/** Responses that all parts of the Spine emulator share. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as routing from "../routing.ts"
import { isUuid } from "../uuid.ts"

/** How a request proves who sent it: with the header `X-API-KEY`, or with the signature in its URL. */
export type Access = "key" | "signature"

// R1: a creation answers 200 like everything else.
export const ok = (data: unknown) => HttpServerResponse.jsonUnsafe({ success: true, data })

export const refuse = (status: number, error: string, headers?: Readonly<Record<string, string>>) =>
  new routing.Refusal({ response: HttpServerResponse.jsonUnsafe({ success: false, error }, { status, headers }) })

export const badRequest = (error: string) => refuse(400, error)

// R8
export const notFound = (what: string, id: string) => refuse(404, `${what} not found: ${id}`)

// R9: any version, any case.
export const checkUuid = (name: string, value: string): Effect.Effect<void, routing.Refusal> =>
  isUuid(value) ? Effect.void : badRequest(`Invalid ${name}: must be a valid UUID`)

/** The body of an error that a fault asks for. */
export const errorBody = (status: number) => ({ success: false, error: statusTexts[status] ?? `HTTP ${status}` })

const statusTexts: { readonly [status: number]: string } = {
  402: "Insufficient credits",
  429: "Too many requests",
  500: "An internal error occurred while creating the run",
  502: "Bad gateway",
  503: "Service unavailable",
  504: "Gateway timeout"
}
