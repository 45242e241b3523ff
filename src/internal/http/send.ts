/** Sends one request through the HTTP client of the program, which may throw, fail outside its type or repeat requests. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { TransportError } from "../../RunError.ts"
import { type Attempt, fieldsOf } from "./call.ts"
import * as SentRequests from "./sentRequests.ts"

/**
 * Sends a request, and continues with the response and its headers, which the response copies at each read. A client may fail
 * with a response whose status it does not accept, as `HttpClient.filterStatusOk` does: such a response is read like any other.
 */
export const send = <A, E, R>(
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  use: (response: HttpClientResponse.HttpClientResponse, headers: Headers.Headers) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | HttpClientError.HttpClientError, R> => {
  const threw = (cause: unknown) =>
    Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request, cause, description: "the HTTP client threw an error" })
      })
    )
  // A client of the program may return anything, and reading a member of that may throw
  const checked = (
    response: HttpClientResponse.HttpClientResponse
  ): Effect.Effect<A, E | HttpClientError.HttpClientError, R> =>
    Result.match(Result.try(() => headersOf(response)), {
      onSuccess: (headers) => use(response, headers),
      onFailure: threw
    })
  return Effect.matchCauseEffect(Effect.suspend(() => client.execute(request)), {
    onSuccess: checked,
    onFailure: (cause) => {
      if (!Cause.hasFails(cause)) return Cause.hasDies(cause) ? threw(Cause.squash(cause)) : Effect.failCause(cause)
      const error = Cause.squash(cause)
      const response = HttpClientError.isHttpClientError(error) ? error.response : undefined
      return response === undefined ? Effect.failCause(cause) : checked(response)
    }
  })
}

/** {@link send}, which returns the response. */
export const execute = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  send(client, request, Effect.succeed)

/** The headers of a response. Throws if it is not a response. */
const headersOf = (response: HttpClientResponse.HttpClientResponse): Headers.Headers => {
  if (Predicate.isObject(response) && typeof response.status === "number") {
    const { headers } = response
    if (Predicate.isObject(headers)) return headers
  }
  throw new TypeError("the HTTP client gave no response")
}

/** The cause of a client error. A client may also fail with an error outside its declared type. */
export const causeOf = (error: unknown): unknown =>
  HttpClientError.isHttpClientError(error) ? error.reason.cause : error

/**
 * The client of an attempt. For a call that starts a run it sends one request only. A client that repeats failed
 * requests, such as one with `HttpClient.retryTransient`, would send another request, which may start a second run.
 */
export const clientOf = (attempt: Attempt): HttpClient.HttpClient => {
  const { call: { isSentOnce, operation, sends }, options: { client } } = attempt
  if (isSentOnce !== true) return client
  let isSent = false
  return HttpClient.mapRequestEffect(client, (request) =>
    Effect.suspend(() => {
      if (!isSent) {
        isSent = true
        // The client may have sent requests to prepare this one, such as one for a token
        if (sends !== undefined) SentRequests.reset(sends)
        return Effect.succeed(request)
      }
      return Effect.fail(
        new TransportError({
          ...fieldsOf(attempt),
          message:
            `${operation}: the HTTP client wanted to send the request a second time, and hides how the first one ended. ` +
            "Leave the repetition of requests to this library (options retry and retryCreates).",
          reached: true
        })
      )
    })) as HttpClient.HttpClient.With<HttpClientError.HttpClientError | TransportError> as HttpClient.HttpClient
}
