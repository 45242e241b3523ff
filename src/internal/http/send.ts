/** Sends one request through the HTTP client of the program, which may throw, fail outside its type or repeat requests. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import { TransportError } from "../../RunError.ts"
import { type Attempt, fieldsOf } from "./call.ts"
import * as SentRequests from "./sentRequests.ts"

/**
 * Sends a request. A client may fail with a response whose status it does not accept, as `HttpClient.filterStatusOk` does: such
 * a response is read like any other.
 */
export const execute = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Effect.suspend(() => client.execute(request)).pipe(
    Effect.catch((error) => {
      const response = HttpClientError.isHttpClientError(error) ? error.response : undefined
      return response === undefined ? Effect.fail(error) : Effect.succeed(response)
    }),
    // A client of the program may throw, or return anything
    Effect.filterOrElse(
      (response) =>
        Predicate.isObject(response) && typeof response.status === "number" && Predicate.isObject(response.headers),
      () => Effect.die(new TypeError("the HTTP client gave no response"))
    ),
    Effect.catchDefect((cause) =>
      Effect.fail(
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause, description: "the HTTP client threw an error" })
        })
      )
    )
  )

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
