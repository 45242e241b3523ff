/** A call without a provider, and an API to make it with. */
import { Duration, Effect, Redacted, Schedule } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { RunRef } from "canvas-runs"
import * as Http from "../../../src/internal/http/api.ts"
import type * as Call from "../../../src/internal/http/call.ts"
import { type Answer, answering, type Asked, json } from "../../support/http.ts"
import { finishInSteps } from "../../support/results.ts"

export const key = "k-Secret/0123456789"
export const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })

/** A client that returns this value as its response. */
export const giving = (response: unknown) =>
  HttpClient.transform(
    answering(() => json({})).client,
    () => Effect.succeed(response as HttpClientResponse.HttpClientResponse)
  )

export const make = (http: HttpClient.HttpClient, options: Partial<Call.Options> = {}) =>
  Http.make({
    client: http,
    baseUrl: new URL("https://api.test/base/"),
    header: "x-key",
    key: Redacted.make(key),
    requestTimeout: Duration.seconds(10),
    uploadIdleTimeout: Duration.seconds(4),
    retry: Schedule.recurs(0),
    retryAfterCeiling: Duration.minutes(1),
    maxResponseBytes: 100_000,
    tracePolls: false,
    describeError: (body) => {
      const { code, error } = (body ?? {}) as { readonly code?: string; readonly error?: string }
      return error === undefined && code === undefined ? undefined : {
        ...(error === undefined ? undefined : { message: error }),
        ...(code === undefined ? undefined : { code })
      }
    },
    ...options
  })

export const call = (fields: Partial<Call.Call<unknown>> = {}): Call.Call<unknown> => ({
  operation: "things.get",
  request: HttpClientRequest.get("/v1/thing"),
  decode: Effect.succeed,
  ...fields
})

/** The error of the call for this response. */
export const failureOf = (
  answer: Answer | ((asked: Asked) => Answer),
  options: Partial<Call.Options> = {},
  fields: Partial<Call.Call<unknown>> = {}
) =>
  Effect.flip(make(answering(typeof answer === "function" ? answer : () => answer).client, options).call(call(fields)))

/** Runs the effect to its end, in steps of a second on the `TestClock`. */
export const finish = <A, E, R>(effect: Effect.Effect<A, E, R>) => finishInSteps(effect, "1 second")
