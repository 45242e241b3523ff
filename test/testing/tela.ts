import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpMethod from "effect/http/HttpMethod"
import * as TelaEmulator from "../../src/testing/TelaEmulator.ts"
import { type Json, raw } from "./responses.ts"

export { type Json, raw, uuid } from "./responses.ts"

/** A minimal client of Tela: no retries, no checks, and exactly the bodies of the test. */

export const emulated = (options?: TelaEmulator.Options) => Effect.provide(TelaEmulator.layerTest(options))

export const key = "tela-test-key"
/** An unknown id. */
export const other = "33333333-3333-4333-8333-333333333333"
export const origin = "https://api.tela.com"
export const canvasId = "11111111-1111-4111-8111-111111111111"
export const applicationId = "22222222-2222-4222-8222-222222222222"

export interface SendOptions {
  readonly body?: unknown
  /** The body, unchanged. */
  readonly text?: string
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** `null` for none at all. */
  readonly authorization?: string | null
}

export const send = Effect.fnUntraced(
  function*(method: HttpMethod.HttpMethod, path: string, options: SendOptions = {}) {
    const http = yield* HttpClient.HttpClient
    const { authorization = `Bearer ${key}`, body, bytes, headers, text } = options
    let request = HttpClientRequest.make(method)(path.startsWith("/") ? `${origin}${path}` : path)
    if (authorization !== null) request = HttpClientRequest.setHeader(request, "authorization", authorization)
    if (body !== undefined) request = HttpClientRequest.bodyJsonUnsafe(request, body)
    if (text !== undefined) request = HttpClientRequest.bodyText(request, text, "application/json")
    if (bytes !== undefined) request = HttpClientRequest.bodyUint8Array(request, bytes, "text/plain")
    if (headers !== undefined) request = HttpClientRequest.setHeaders(request, headers)
    return yield* http.execute(request)
  }
)

/** The parsed body of a successful response. */
export const json = Effect.fnUntraced(
  function*(method: HttpMethod.HttpMethod, path: string, options?: SendOptions) {
    const { body, status } = yield* raw(send(method, path, options))
    return status === 200 ? body : yield* Effect.die(new Error(`${status} ${JSON.stringify(body)}`))
  }
)

export const completions = "/v2/chat/completions"

/** Runs a canvas with that body. */
export const run = (body: Json, options?: SendOptions) =>
  json("POST", completions, { ...options, body: { canvas_id: canvasId, ...body } })

export const poll = (id: string) => json("GET", `${completions}/${id}`)

export const errorResponse = (status: number, code: string, message: string) => ({
  status,
  body: { code, message, status, name: "Error" }
})

/** The error of a rejected request. */
export const refusal = (method: HttpMethod.HttpMethod, path: string, options?: SendOptions) =>
  Effect.map(raw(send(method, path, options)), ({ body, status }) => [status, body.code, body.message])

export const dated = { "x-compatibility-date": "2025-07-23" }

/** Uploads a file through `/v3/files`, and returns the reference. */
export const upload = Effect.fnUntraced(function*(fileName: string, content: string) {
  const { id, uploadUrl } = yield* json("POST", "/v3/files", { body: { fileName }, headers: dated })
  const put = yield* send("PUT", uploadUrl, { authorization: null, bytes: new TextEncoder().encode(content) })
  return put.status === 200 ? `vault://${id}` : yield* Effect.die(new Error(`upload: ${put.status}`))
})

/** The text of a stream. */
export const streamText = (body: Json) =>
  Effect.flatMap(
    send("POST", completions, { body: { canvas_id: canvasId, stream: true, ...body } }),
    (response) => response.text
  )

/** The `data:` lines of a stream, parsed where they can be. */
export const dataOf = (text: string): ReadonlyArray<Json> =>
  text.split(/\r\n|\r|\n/).filter((line) => line.startsWith("data: ")).map((line) => {
    const data = line.slice(6)
    return data.startsWith("{") ? JSON.parse(data) : data
  })
