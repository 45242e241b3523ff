/** Calls of an API without a provider: the requests, their key, and their limits. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Redacted, Schedule, Tracer } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { defaultRetry } from "../../../src/ClientOptions.ts"
import * as Http from "../../../src/internal/http/api.ts"
import type * as Call from "../../../src/internal/http/call.ts"
import {
  CurrentSentRequests,
  make as makeSentRequests,
  type SentRequests
} from "../../../src/internal/http/sentRequests.ts"
import { answering, json } from "../../support/http.ts"
import { call, finish, key, make } from "./calls.ts"

describe("a request", () => {
  it.effect("goes to the base URL and the path, with the key, and accepts only JSON unless its response is read piece by piece", () =>
    Effect.gen(function*() {
      for (const base of ["https://api.test/base/", "https://api.test/base"]) {
        const { client: http, requests: sent } = answering(() => json({}))
        const api = make(http, { baseUrl: new URL(base) })
        yield* api.call(call())
        yield* api.open(call())
        assert.deepStrictEqual(sent.map(({ headers, url }) => ({ url, headers: { ...headers } as object })), [
          { url: "https://api.test/base/v1/thing", headers: { "x-key": key, accept: "application/json" } },
          { url: "https://api.test/base/v1/thing", headers: { "x-key": key } }
        ])
      }
    }))

  it.effect("has the prefix of the key if there is one", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(() => json({}))
      yield* make(http, { header: "authorization", prefix: "Bearer ", key: Redacted.make(key) }).call(call())
      assert.strictEqual(sent[0]?.headers["authorization"], `Bearer ${key}`)
    }))

  it.effect("waits for a slot of the rate limit before each attempt", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { client: http } = answering(({ index }) => {
        log.push("sent")
        return index === 0 ? json({}, 503) : json({})
      })
      const slot = Effect.sync(() => void log.push("slot"))
      yield* finish(make(http, { slot, retry: Schedule.recurs(1) }).call(call()))
      assert.deepStrictEqual(log, ["slot", "sent", "slot", "sent"])
    }))

  it.effect("gives the client the counter of its sends, if the call has one", () =>
    Effect.gen(function*() {
      const seen: Array<SentRequests | undefined> = []
      const http = HttpClient.make((request) =>
        Effect.map(CurrentSentRequests, (sends) => {
          seen.push(sends)
          return HttpClientResponse.fromWeb(request, json({}))
        })
      )
      const sends: SentRequests = makeSentRequests()
      const other: SentRequests = makeSentRequests()
      const api = make(http)
      yield* api.call(call({ sends }))
      yield* Effect.provideService(api.call(call()), CurrentSentRequests, other)
      assert.strictEqual(seen[0], sends)
      assert.strictEqual(seen[1], other)
    }))

  it.effect("is sent with the fetch options that follow no redirect and copy no body of an upload", () =>
    Effect.gen(function*() {
      const redirects: Array<unknown> = []
      const http = HttpClient.make((request) =>
        Effect.map(Effect.serviceOption(FetchHttpClient.RequestInit), (init) => {
          redirects.push(Option.getOrThrow(init).redirect)
          return HttpClientResponse.fromWeb(request, json({}))
        })
      )
      const api = make(http)
      const request = HttpClientRequest.post("/v1/thing", { body: HttpBody.raw(new Blob(["x"])) })
      yield* api.call(call({ request }))
      yield* api.call(call({ request, isUpload: true }))
      assert.deepStrictEqual(redirects, ["manual", "error"])
    }))
})

describe("the span of a request", () => {
  /** The names of the spans that an effect opens. */
  const spansOf = (self: (api: Call.Api) => Effect.Effect<unknown, unknown>, tracePolls: boolean) =>
    Effect.gen(function*() {
      const names: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          names.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* Effect.provideService(self(make(answering(() => json({})).client, { tracePolls })), Tracer.Tracer, tracer)
      return names
    })

  it.effect("is opened for each call, and for polls on request", () =>
    Effect.gen(function*() {
      const plain = call()
      const poll = call({ isPoll: true })
      assert.deepStrictEqual(yield* spansOf((api) => api.call(plain), false), ["http.client GET"])
      assert.deepStrictEqual(yield* spansOf((api) => api.call(poll), false), [])
      assert.deepStrictEqual(yield* spansOf((api) => api.call(poll), true), ["http.client GET"])
      assert.deepStrictEqual(yield* spansOf((api) => api.open(plain), false), ["http.client GET"])
    }))
})

describe("the longest time of a call", () => {
  it("is known for the default schedule without a rate limit", () => {
    const { client: http } = answering(() => json({}))
    assert.strictEqual(make(http, { retry: defaultRetry }).longest, 3 * 10_000 + 2 * 60_000)
    const impatient = { retry: defaultRetry, retryAfterCeiling: Duration.zero }
    assert.strictEqual(make(http, impatient).longest, 3 * 10_000 + 2 * 1000)
    assert.strictEqual(make(http).longest, Infinity)
    assert.strictEqual(make(http, { retry: defaultRetry, slot: Effect.void }).longest, Infinity)
  })
})

describe("a key that changes", () => {
  it.effect("is read for each call, is sent with it, and is hidden from its errors", () =>
    Effect.gen(function*() {
      const keys = ["first-key-0123456789", "first-key-0123456789", "second-key-0123456789"]
      const asked: Array<string> = []
      const { client: http, requests: sent } = answering(() => json(`said ${keys.join(" ")}`))
      const api = Http.make({
        client: http,
        baseUrl: new URL("https://api.test"),
        header: "authorization",
        prefix: "Bearer ",
        key: (operation) => Effect.sync(() => Redacted.make(keys[asked.push(operation) - 1]!)),
        requestTimeout: Duration.seconds(10),
        uploadIdleTimeout: Duration.seconds(4),
        retry: defaultRetry,
        retryAfterCeiling: Duration.minutes(1),
        maxResponseBytes: 1000,
        tracePolls: false,
        describeError: () => undefined
      })
      assert.strictEqual(api.longest, Infinity)
      assert.strictEqual((yield* api.call(call())).value, "said <redacted> <redacted> second-key-0123456789")
      const opened = yield* api.open(call({ operation: "things.open" }))
      assert.strictEqual(opened.clean(keys[0]!), "<redacted>")
      const { value } = yield* api.call(call())
      assert.strictEqual(value, "said first-key-0123456789 first-key-0123456789 <redacted>")
      assert.deepStrictEqual(asked, ["things.get", "things.open", "things.get"])
      assert.deepStrictEqual(
        sent.map(({ headers }) => headers["authorization"]),
        keys.map((text) => `Bearer ${text}`)
      )
    }))
})
