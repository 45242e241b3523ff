/** Redirects: followed within the provider's origin, and named in an error if they lead elsewhere. */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Body from "./body.ts"
import type { Attempt } from "./call.ts"
import { send } from "./send.ts"

/** How many redirects within the provider's origin are followed. */
const maxRedirects = 3

/** {@link send} that follows redirects within the provider's origin, where the key may go. */
export const follow = <A, E, R>(
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  baseUrl: URL,
  use: Parameters<typeof send<A, E, R>>[2],
  redirects = 0
): ReturnType<typeof send<A, E, R>> =>
  send(client, request, (response, headers) => {
    const target = redirects < maxRedirects ? sameOriginTarget(response, baseUrl) : undefined
    return target === undefined
      ? use(response, headers)
      : Effect.andThen(
        Body.discard(response),
        follow(client, HttpClientRequest.setUrl(request, target), baseUrl, use, redirects + 1)
      )
  })

/** Whether a status is one of the redirects that a fetch follows. */
export const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

const targetOf = ({ headers: { location }, request }: HttpClientResponse.HttpClientResponse): URL | undefined =>
  location !== undefined && URL.canParse(location, request.url) ? new URL(location, request.url) : undefined

/** The target of a redirect, if it is of the provider and the request is safe to repeat there. */
const sameOriginTarget = (response: HttpClientResponse.HttpClientResponse, baseUrl: URL): URL | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const { method } = response.request
  if (method !== "GET" && method !== "HEAD") return undefined
  const target = targetOf(response)
  return target?.origin === baseUrl.origin ? target : undefined
}

/** The target of a redirect, and why it is not followed. The query is not shown: it could hold a signature. */
export const describe = (
  response: HttpClientResponse.HttpClientResponse,
  { cleaner, options: { baseUrl } }: Attempt
): string => {
  const target = targetOf(response)
  if (target === undefined) return unknown
  if (!/^https?:/.test(target.protocol)) return "to an address that is not one of http or https"
  return target.origin === baseUrl.origin
    ? `to ${
      cleaner.text(target.pathname)
    }, which is followed at most ${maxRedirects} times, and only for requests without a body`
    : `${cleaner.host(target.origin)}, where the API key is not sent`
}

/** The text of an error about a redirect without a location. */
export const unknown = "without saying where to"
