import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as WebhookDelivery from "../../src/testing/WebhookDelivery.ts"
import type { Json } from "./responses.ts"

/** A call of a webhook. */
export interface Call {
  readonly at: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: Json
}

/** A receiver of webhooks that answers with these statuses in order, and then with the last argument. `0` never answers. */
export const make = (statuses: ReadonlyArray<number>, otherwise: number) => {
  const calls: Array<Call> = []
  const client = HttpClient.make((request, url) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const text = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "null"
      const status = statuses[calls.length] ?? otherwise
      calls.push({ at, url: url.href, headers: request.headers, text, body: JSON.parse(text) })
      return status === 0
        ? Effect.never
        : Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status })))
    })
  )
  return { calls, client }
}

/** The event, the status, the last response and the number of attempts of each webhook. */
export const summary = (deliveries: ReadonlyArray<WebhookDelivery.Delivery>) =>
  deliveries.map(({ attempts, event, status, statusCode }) => [event, status, statusCode, attempts])
