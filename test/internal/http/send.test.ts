/** The number of times that a request that creates a run is sent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { RunError } from "canvas-runs"
import { make as makeSentRequests, type SentRequests } from "../../../src/internal/http/sentRequests.ts"
import { answering, json } from "../../support/http.ts"
import { call, make, ref } from "./calls.ts"

describe("a request that starts a run", () => {
  it.effect("is sent once, with any client, and its error says so", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(() => json({}, 503))
      const twice = HttpClient.retryTransient(http, { times: 2 })
      const error = yield* Effect.flip(make(twice).call(call({ isSentOnce: true, ref })))
      assert.instanceOf(error, RunError.TransportError)
      assert.deepInclude(error, { reached: true, operation: "things.get", attempts: 1, ref })
      assert.include(error.message, "things.get: the HTTP client wanted to send the request a second time")
      assert.strictEqual(sent.length, 1)
      const safe = answering(() => json({}, 503))
      yield* Effect.flip(make(HttpClient.retryTransient(safe.client, { times: 2 })).call(call()))
      assert.strictEqual(safe.requests.length, 3)
    }))

  it.effect("does not count earlier requests of its HTTP client, such as one for a token", () =>
    Effect.gen(function*() {
      const sends: SentRequests = makeSentRequests()
      const counted: Array<number> = []
      const http = HttpClient.mapRequestEffect(
        HttpClient.make((request) =>
          Effect.sync(() => {
            counted.push(sends.count)
            return HttpClientResponse.fromWeb(request, json({}))
          })
        ),
        (request) =>
          Effect.sync(() => {
            sends.count++
            return request
          })
      )
      yield* make(http).call(call({ isSentOnce: true, sends }))
      yield* make(http).call(call({ sends }))
      assert.deepStrictEqual(counted, [0, 1])
    }))
})
