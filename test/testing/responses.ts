import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"

/** JSON as `fetch` types it: any value. */
export type Json = Awaited<ReturnType<Response["json"]>>

/** A UUID as emulators make it. */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** The status and the parsed body of a response in memory. */
export const raw = <E, R>(response: Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>) =>
  Effect.flatMap(
    response,
    (response) => Effect.map(response.json, (body) => ({ status: response.status, body: body as Json }))
  )

/** The status and the parsed body of a response on a socket. */
export const fetched = (url: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return { status: response.status, body: (await response.json()) as Json }
  })
