/** One HTTP call without a provider: what is sent, what is made of the response, and what is said when there is none. */
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Logger,
  Option,
  Redacted,
  References,
  Schedule,
  Schema,
  Stream,
  Tracer
} from "effect"
import {
  FetchHttpClient,
  Headers,
  HttpBody,
  HttpClient,
  HttpClientError,
  HttpClientRequest,
  HttpClientResponse
} from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, RunRef } from "canvas-runs"
import { inspect } from "node:util"
import { defaultRetry } from "../../../src/ClientOptions.ts"
import * as Http from "../../../src/internal/http/api.ts"
import type * as Call from "../../../src/internal/http/call.ts"
import { parseRetryAfter } from "../../../src/internal/http/retry.ts"
import { causeOf } from "../../../src/internal/http/send.ts"
import {
  CurrentSentRequests,
  make as makeSentRequests,
  type SentRequests
} from "../../../src/internal/http/sentRequests.ts"
import { type Answer, answering, type Asked, brokenBody, json, transportError } from "../../support/http.ts"
import { finishInSteps } from "../../support/results.ts"

const key = "k-Secret/0123456789"
const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })

/** A client that returns this value as its response. */
const giving = (response: unknown) =>
  HttpClient.transform(
    answering(() => json({})).client,
    () => Effect.succeed(response as HttpClientResponse.HttpClientResponse)
  )

const make = (http: HttpClient.HttpClient, options: Partial<Call.Options> = {}) =>
  Http.make({
    client: http,
    baseUrl: new URL("https://api.test/base/"),
    credential: { header: "x-key", value: Redacted.make(key) },
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

const call = (fields: Partial<Call.Call<unknown>> = {}): Call.Call<unknown> => ({
  operation: "things.get",
  request: HttpClientRequest.get("/v1/thing"),
  decode: Effect.succeed,
  ...fields
})

/** What the call fails with when this is the answer. */
const failureOf = (
  answer: Answer | ((asked: Asked) => Answer),
  options: Partial<Call.Options> = {},
  fields: Partial<Call.Call<unknown>> = {}
) =>
  Effect.flip(make(answering(typeof answer === "function" ? answer : () => answer).client, options).call(call(fields)))

/** Ends the effect, in steps of a second. */
const finish = <A, E, R>(effect: Effect.Effect<A, E, R>) => finishInSteps(effect, "1 second")

describe("a request", () => {
  it.effect("goes to the base URL and the path, with the key, and asks for JSON unless it is read piece by piece", () =>
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

  it.effect("has the prefix of the key where there is one", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(() => json({}))
      const value = Redacted.make(key)
      yield* make(http, { credential: { header: "authorization", prefix: "Bearer ", value } }).call(call())
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

  it.effect("is sent with the options of fetch that follow no redirect and copy no body of an upload", () =>
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

describe("a response", () => {
  it.effect("gives the decoded value, the request id and the Retry-After", () =>
    Effect.gen(function*() {
      const { client: http } = answering(() => json({ n: "1" }, 202, { "x-request-id": "req_1", "retry-after": "3" }))
      const decode = Schema.decodeUnknownEffect(Schema.Struct({ n: Schema.NumberFromString }))
      assert.deepStrictEqual(yield* make(http).call({ ...call(), decode }), {
        value: { n: 1 },
        requestId: "req_1",
        retryAfter: Duration.seconds(3)
      })
      assert.deepStrictEqual(yield* make(answering(() => json([])).client).call(call()), {
        value: [],
        requestId: undefined,
        retryAfter: undefined
      })
    }))

  it.effect("is shown without a key of 12 characters or more, and keeps a shorter one, which could be a word", () =>
    Effect.gen(function*() {
      for (const [secret, shown] of [["elevenchars", "an elevenchars"], ["twelve-chars", "an <redacted>"]] as const) {
        const credential = { header: "x-key", value: Redacted.make(secret) }
        const api = make(answering(() => json(`an ${secret}`)).client, { credential })
        assert.strictEqual((yield* api.call(call())).value, shown)
        const opened = yield* api.open(call())
        assert.strictEqual(opened.clean(`an ${secret}`), shown)
        // What an error says is searched for any key
        const error = yield* failureOf(json({ error: `an ${secret}` }, 400), { credential })
        assert.strictEqual(error.providerMessage, "an <redacted>")
        assert.deepStrictEqual(error.body, { error: "an <redacted>" })
      }
    }))

  it.effect("whose id, type or Retry-After echo the key does not show it", () =>
    Effect.gen(function*() {
      const headers = { "x-request-id": `req ${key}`, "content-type": `text/x; k=${key}` }
      const error = yield* failureOf(new Response("no", { headers }))
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.strictEqual(error.requestId, "req <redacted>")
      assert.strictEqual(error.contentType, "text/x; k=<redacted>")
      const answer = yield* make(answering(() => json({}, 200, { "x-request-id": `req ${key}` })).client).call(call())
      assert.strictEqual(answer.requestId, "req <redacted>")
    }))

  it.effect("that is read piece by piece gives its headers at once, with the time of the request", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("5 seconds")
      const { client: http } = answering(() =>
        new Response(brokenBody(), { headers: { "x-request-id": `req ${key}` } })
      )
      const opened = yield* make(http, { maxResponseBytes: 77 }).open(call())
      assert.deepInclude(opened, { sentAt: 5000, requestId: "req <redacted>", maxBytes: 77 })
      assert.strictEqual(opened.response.status, 200)
    }))

  for (
    const [what, response, tag] of [
      [
        "an HTML page",
        () => new Response("<html>", { headers: { "content-type": "Text/HTML; charset=utf-8" } }),
        "InvalidResponseError"
      ],
      ["a refusal", () => json({ error: "no" }, 403), "PermissionDeniedError"],
      ["a refusal without a type", () => new Response(null, { status: 500 }), "ServerError"]
    ] as const
  ) {
    it.effect(`that is to be read piece by piece and is ${what} is ${tag}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(make(answering(response).client).open(call()))
        assert.strictEqual(error._tag, tag)
      }))
  }

  it.effect("that is to be read piece by piece may be without a type", () =>
    Effect.gen(function*() {
      const response = new Response(new Uint8Array())
      assert.isNull(response.headers.get("content-type"))
      assert.strictEqual((yield* make(answering(() => response).client).open(call())).response.status, 200)
    }))
})

describe("an error", () => {
  it.effect("has the operation, the attempt, the time, the run, and all fields of the response", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(failureOf(
        () => json({ error: "in words", code: "c1" }, 500, { "x-request-id": "req_1", "retry-after-ms": "250" }),
        { retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 1 })) },
        { ref }
      ))
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, RunError.ServerError)
      assert.deepInclude(error, {
        operation: "things.get",
        attempts: 2,
        elapsed: Duration.seconds(2),
        ref,
        status: 500,
        requestId: "req_1",
        retryAfter: Duration.millis(250),
        providerMessage: "in words",
        providerCode: "c1",
        body: { error: "in words", code: "c1" }
      })
    }))

  it.effect("has no field for what the response lacked", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(new Response("", { status: 500 }))
      assert.deepStrictEqual(Object.keys(error).filter((name) => name !== "message").sort(), [
        "_tag",
        "attempts",
        "body",
        "elapsed",
        "isRetryable",
        "operation",
        "status"
      ])
      assert.strictEqual(error.body, "")
    }))

  it.effect("quotes the provider's words, or else the body", () =>
    Effect.gen(function*() {
      const silent = yield* failureOf(json({ other: "x" }, 400))
      assert.strictEqual(silent.providerMessage, "{\"other\":\"x\"}")
      assert.include(silent.message, "{\"other\":\"x\"}")
      assert.isUndefined(silent.providerCode)
      const telling = yield* failureOf(json({ error: " a\n  b\n" }, 400))
      assert.strictEqual(telling.providerMessage, " a\n  b\n")
      assert.include(telling.message, "(a b)")
    }))

  it.effect("keeps a JSON body of up to 65,536 characters whole, and the beginning of a longer one", () =>
    Effect.gen(function*() {
      const body = (length: number) => JSON.stringify("x".repeat(length - 2))
      const whole = yield* failureOf(new Response(body(65_536), { status: 400 }))
      assert.strictEqual(whole.body, "x".repeat(65_534))
      const cut = yield* failureOf(new Response(body(65_537), { status: 400 }))
      assert.strictEqual(cut.body, `"${"x".repeat(2047)}… (65537 characters)`)
      assert.isUndefined(cut.providerMessage)
    }))

  it.effect("keeps 2048 characters of a text, and gives its length", () =>
    Effect.gen(function*() {
      const whole = yield* failureOf(new Response("y".repeat(2048), { status: 400 }))
      assert.strictEqual(whole.body, "y".repeat(2048))
      const cut = yield* failureOf(new Response("y".repeat(2049), { status: 400 }))
      assert.strictEqual(cut.body, `${"y".repeat(2048)}… (2049 characters)`)
    }))

  const statuses: ReadonlyArray<readonly [number, string, boolean, ReadonlyArray<string>]> = [
    [400, "BadRequestError", false, ["400", "Change the request"]],
    [401, "AuthenticationError", false, ["API key was refused"]],
    [402, "UsageLimitError", false, ["used up"]],
    [403, "PermissionDeniedError", false, ["may not"]],
    [404, "NotFoundError", false, ["not found", "Check the id"]],
    [407, "BadRequestError", false, ["proxy"]],
    [408, "RequestTimeoutError", true, ["gave up waiting"]],
    [409, "ConflictError", false, ["conflicts"]],
    [410, "BadRequestError", false, ["gone", "Check the id"]],
    [423, "ConflictError", false, ["locked", "Try again when it is unlocked"]],
    [418, "BadRequestError", false, ["418"]],
    [425, "ServerError", true, ["try again later"]],
    [429, "RateLimitError", true, ["too many requests", "Slow down."]],
    [499, "BadRequestError", false, ["499"]],
    [500, "ServerError", true, ["500"]],
    [503, "ServerError", true, ["503"]],
    [599, "ServerError", true, ["599"]]
  ]
  for (const [status, tag, isRetryable, words] of statuses) {
    it.effect(`of status ${status} is ${tag}, names the status and quotes the provider`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf(() => json({ error: "in words" }, status))
        assert.strictEqual<string>(error._tag, tag)
        assert.deepInclude(error, { status, isRetryable })
        for (const part of ["things.get: ", "(in words)", ...words]) assert.include(error.message, part)
        if (error._tag === "BadRequestError") assert.isTrue(error.sent)
        const silent = yield* failureOf(() => new Response("<p>", { status }))
        assert.strictEqual(silent._tag, tag)
        assert.notInclude(silent.message, "(")
        assert.notInclude(silent.message, "undefined")
        const broken = yield* failureOf(() => new Response(brokenBody(new Error("read ECONNRESET")), { status }))
        assert.strictEqual(broken._tag, tag)
        assert.include(broken.message, "(the body of the response did not arrive: things.get: the answer broke off: ")
        assert.strictEqual(broken.message.replace(/ \(.*\)/, ""), silent.message)
        assert.isUndefined(broken.body)
      }))
  }

  it.effect("of a rate limit has the pause that the provider asks for", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(json({}, 429, { "retry-after": "90" }))
      assert.include(error.message, "Wait 1m 30s.")
    }))

  it.effect("of a path that begins with the same part twice names the base URL", () =>
    Effect.gen(function*() {
      const at = (path: string) =>
        failureOf(json({}, 404), { baseUrl: new URL("https://api.test/v1") }, { request: HttpClientRequest.get(path) })
      assert.include((yield* at("/v1/run/1")).message, `begins with "/v1/v1": leave "/v1" out of the base URL`)
      assert.include((yield* at("/v2/run/1")).message, "Check the id and the API key.")
      assert.notInclude((yield* at("/v11/run/1")).message, "leave")
    }))
})

describe("a response that does not answer the request", () => {
  for (
    const [what, response, isRetryable, words] of [
      ["an empty body", new Response(" \n"), true, "the answer is empty, not JSON"],
      ["an HTML page", new Response("\n <!DOCTYPE html><p>"), true, "the answer is an HTML page, not JSON"],
      ["an HTML page without a doctype", new Response("<html>"), true, "the answer is an HTML page, not JSON"],
      [
        "JSON that breaks off",
        new Response("{\"a\":", { headers: { "content-type": "application/JSON" } }),
        true,
        "the answer is broken JSON, not JSON"
      ],
      [
        "text",
        new Response("a <html> page", { headers: { "content-type": "text/plain" } }),
        true,
        "the answer is text of type text/plain, not JSON"
      ],
      [
        "bytes of no type",
        new Response(new TextEncoder().encode("x")),
        true,
        "the answer is text of type unknown, not JSON"
      ],
      ["not modified", new Response(null, { status: 304 }), true, "304"],
      ["a status that is neither", new Response(null, { status: 399 }), false, "status 399"],
      ["a redirect", new Response(null, { status: 302 }), false, "redirects without saying where to"]
    ] as const
  ) {
    it.effect(`is an error that names the fault: ${what}`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf(response)
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, `things.get: `)
        assert.include(error.message, response.status === 200 ? `${words}. Check the base URL` : words)
        assert.strictEqual(error.isRetryable, isRetryable)
        assert.strictEqual(error.status, response.status)
        assert.notInclude(error.message, "It says")
        const type = response.headers.get("content-type")
        assert.strictEqual(error.contentType, type ?? undefined)
        assert.strictEqual("contentType" in error, type !== null)
        if (response.status !== 304) assert.include(error.message, "Check the base URL")
      }))
  }

  it.effect("with a status below 200, or 0, from a client of the program is an error too", () =>
    Effect.gen(function*() {
      const response = { request: HttpClientRequest.get("/"), headers: Headers.empty, stream: Stream.empty }
      for (const [status, words] of [[199, "has status 199, which is neither"], [0, "redirects without"]] as const) {
        const error = yield* Effect.flip(make(giving({ ...response, status })).call(call()))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, words)
      }
    }))

  it.effect("is an error that names what does not fit, quotes the provider, and hides the key", () =>
    Effect.gen(function*() {
      const decode = Schema.decodeUnknownEffect(Schema.Struct({ a: Schema.Number, b: Schema.String }))
      const body = { error: `words ${key}\n${"z".repeat(300)}`, a: key }
      const error = yield* Effect.flip(make(answering(() => json(body)).client).call({ ...call(), decode }))
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "the promised form")
      assert.include(error.message, "It says: \"words <redacted>")
      assert.include(error.message, "… (317 characters)\". Check the base URL")
      assert.notInclude(inspect(error), key)
    }))

  it.effect("is a retryable error if the call says that the resource may not be stored yet", () =>
    Effect.gen(function*() {
      const decode = Schema.decodeUnknownEffect(Schema.Struct({ value: Schema.String }))
      const isStale = (body: unknown) => (body as { readonly state?: string }).state === "pending"
      for (
        const [state, given, isRetryable, words] of [
          ["pending", isStale, true, "may not have stored it yet. Try again later."],
          ["ended", isStale, false, "Check the base URL"],
          ["pending", undefined, false, "Check the base URL"]
        ] as const
      ) {
        const error = yield* failureOf(json({ state }), {}, { decode, isStale: given })
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.strictEqual(error.isRetryable, isRetryable)
        assert.include(error.message, words)
      }
    }))

  it.effect("is a refusal if its body reports an error, unless it decodes", () =>
    Effect.gen(function*() {
      const describeError = (body: unknown) => {
        const { error, isRefusal } = body as { readonly error: string; readonly isRefusal?: boolean }
        return { message: error, ...(isRefusal === undefined ? undefined : { isRefusal }) }
      }
      const decode = Schema.decodeUnknownEffect(Schema.Struct({ value: Schema.String }))
      for (
        const [body, tag] of [
          [{ error: "no credits", isRefusal: true }, "BadRequestError"],
          [{ error: "no credits", isRefusal: false }, "InvalidResponseError"],
          [{ error: "no credits" }, "InvalidResponseError"]
        ] as const
      ) {
        const error = yield* failureOf(json(body), { describeError }, { decode })
        assert.strictEqual(error._tag, tag)
        assert.deepInclude(error, { status: 200, providerMessage: "no credits", operation: "things.get" })
        assert.include(error.message, "no credits")
      }
      const whole = { error: "no credits", isRefusal: true, value: "x" }
      const { value } = yield* make(answering(() => json(whole)).client, { describeError }).call(call({ decode }))
      assert.deepStrictEqual(value, { value: "x" })
    }))

  it.effect("is an error if it is nested too deep to decode; any other defect of the decoder stays a defect", () =>
    Effect.gen(function*() {
      const deep = yield* failureOf(json([]), {}, {
        decode: () => Effect.die(new RangeError("Maximum call stack size exceeded"))
      })
      assert.instanceOf(deep, RunError.InvalidResponseError)
      assert.include(deep.message, "it is nested too deep")
      const exit = yield* Effect.exit(
        make(answering(() => json([])).client).call(call({ decode: () => Effect.die("x") }))
      )
      assert.deepStrictEqual(exit, Exit.die("x"))
    }))

  it.effect("that is longer than may be read names the limit", () =>
    Effect.gen(function*() {
      const limit = { maxResponseBytes: 10 }
      assert.strictEqual((yield* make(answering(() => json("12345678")).client, limit).call(call())).value, "12345678")
      const error = yield* failureOf(json("123456789"), limit)
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.include(error.message, "longer than 10 bytes")
      assert.strictEqual(error.body, "")
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "Raise it")
    }))

  it.effect("that the client has left compressed names the encoding", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(
        new Response("\u001f", { headers: { "content-encoding": `compress, ${key}` } })
      )
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.include(error.message, "content-encoding \"compress, <redacted>\"")
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "Use fetch")
    }))
})

describe("a redirect", () => {
  const to = (location: string, status = 307) => new Response(null, { status, headers: { location } })

  it.effect("within the provider's origin is followed three times, with the key", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) =>
        index < 3 ? to(`/hop/${index + 1}?q=1`) : json("there")
      )
      assert.strictEqual((yield* make(http).call(call())).value, "there")
      assert.deepStrictEqual(sent.map(({ url }) => new URL(url).pathname), [
        "/base/v1/thing",
        "/hop/1",
        "/hop/2",
        "/hop/3"
      ])
      assert.isTrue(sent.every(({ headers }) => headers["x-key"] === key))
      const { client: endless, requests: hops } = answering(() => to("/round?signature=abc"))
      const error = yield* Effect.flip(make(endless).call(call()))
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.include(error.message, "redirects to /round, which is followed at most 3 times")
      assert.strictEqual(hops.length, 4)
    }))

  it.effect("leaves its body unread", () =>
    Effect.gen(function*() {
      let isCancelled = false
      const body = new ReadableStream<Uint8Array>({
        cancel: () => {
          isCancelled = true
        }
      })
      const { client: http } = answering(({ index }) =>
        index === 0 ? new Response(body, { status: 302, headers: { location: "/x" } }) : json("there")
      )
      yield* make(http).call(call())
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.isTrue(isCancelled)
    }))

  for (
    const [what, request, response, words] of [
      [
        "to another origin",
        HttpClientRequest.get("/a"),
        to("https://login.test/x?s=1"),
        "redirects to https://login.test, where the API key is not sent"
      ],
      [
        "to an address without encryption",
        HttpClientRequest.get("/a"),
        to("http://login.test/"),
        "redirects to http://login.test, where the API key is not sent"
      ],
      ["to another kind of address", HttpClientRequest.get("/a"), to("ftp://login.test/"), "one of http or https"],
      ["to a kind like https", HttpClientRequest.get("/a"), to("xhttps://login.test/"), "one of http or https"],
      [
        "to another port",
        HttpClientRequest.get("/a"),
        to("https://api.test:444/"),
        "redirects to https://api.test:444, where the API key is not sent"
      ],
      ["of a POST", HttpClientRequest.post("/a"), to("/b"), "redirects to /b, which is followed"],
      ["of a DELETE", HttpClientRequest.delete("/a"), to("/b", 301), "redirects to /b, which is followed"],
      ["to no address", HttpClientRequest.get("/a"), to("https://"), "redirects without saying where to"],
      [
        "whose host has the key",
        HttpClientRequest.get("/a"),
        to("https://ksecret0123456789.login.test/"),
        "redirects elsewhere, where the API key is not sent"
      ],
      [
        "whose path has the key",
        HttpClientRequest.post("/a"),
        to(`/x/${key}/y`),
        "redirects to /x/<redacted>/y, which"
      ],
      [
        "without a status",
        HttpClientRequest.get("/a"),
        new Response(null, { status: 308 }),
        "redirects without saying where to"
      ]
    ] as const
  ) {
    it.effect(`${what} is not followed`, () =>
      Effect.gen(function*() {
        const { client: http, requests: sent } = answering(() => response)
        const error = yield* Effect.flip(make(http).call(call({ request })))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, words)
        assert.isFalse(error.isRetryable)
        assert.strictEqual(sent.length, 1)
      }))
  }

  it.effect("of a HEAD is followed", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) => index === 0 ? to("/b") : json(1))
      yield* make(http).call(call({ request: HttpClientRequest.head("/a") }))
      assert.strictEqual(sent.length, 2)
    }))

  it.effect("is recognised by its status alone: other responses may have a location", () =>
    Effect.gen(function*() {
      for (const [status, tag] of [[201, undefined], [400, "BadRequestError"]] as const) {
        const { client: http, requests: sent } = answering(() => json({}, status, { location: "/b" }))
        const exit = yield* Effect.result(make(http).call(call()))
        assert.strictEqual(exit._tag === "Failure" ? exit.failure._tag : undefined, tag)
        assert.strictEqual(sent.length, 1)
      }
      for (const status of [300, 399]) {
        const { client: http, requests: sent } = answering(({ index }) => index === 0 ? to("/b", status) : json({}))
        yield* make(http).call(call())
        assert.strictEqual(sent.length, 2)
      }
    }))

  describe("of an upload", () => {
    const upload = {
      request: HttpClientRequest.put("/v1/file", { body: HttpBody.uint8Array(new Uint8Array(3)) }),
      isUpload: true
    }
    const refused = () => new TypeError("fetch failed", { cause: new Error("unexpected redirect") })

    it.effect("that fetch refused is requested without the body, so that the error names the target", () =>
      Effect.gen(function*() {
        const inits: Array<unknown> = []
        const { client: http, requests: sent } = answering(({ index }) =>
          index === 0 ? refused() : to("https://login.test/")
        )
        const noting = HttpClient.transform(http, (effect) =>
          Effect.andThen(
            Effect.map(
              Effect.serviceOption(FetchHttpClient.RequestInit),
              (init) => inits.push(Option.getOrThrow(init).redirect)
            ),
            effect
          ))
        const error = yield* Effect.flip(make(noting).call(call({ ...upload, ref })))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.deepInclude(error, { operation: "things.get", attempts: 1, isRetryable: false, ref })
        assert.include(error.message, "things.get: the provider redirects to https://login.test, where")
        assert.include(error.message, "Check the base URL")
        assert.deepStrictEqual(
          sent.map(({ body, headers, method, url }) => [method, url, body._tag, headers["x-key"]]),
          [
            ["PUT", "https://api.test/base/v1/file", "Uint8Array", key],
            ["GET", "https://api.test/base/v1/file", "Empty", key]
          ]
        )
        assert.strictEqual(inits[1], "manual")
      }))

    it.effect("that fetch refused is reported without its target if the request without the body fails", () =>
      Effect.gen(function*() {
        const error = yield* failureOf(({ index }) => index === 0 ? refused() : new Error("down"), {}, upload)
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, "redirects without saying where to. Check")
      }))

    it.effect("is not followed, even if it is a GET", () =>
      Effect.gen(function*() {
        const { client: http, requests: sent } = answering(() => to("/b"))
        const error = yield* Effect.flip(make(http).call(call({ isUpload: true })))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.strictEqual(sent.length, 1)
      }))
  })
})

describe("a request that takes too long", () => {
  it.effect("is a RequestTimeoutError that names the time and the part of the response that was missing", () =>
    Effect.gen(function*() {
      const silent = yield* finish(failureOf("silence", {}, { ref }))
      assert.instanceOf(silent, RunError.RequestTimeoutError)
      assert.deepInclude(silent, { elapsed: Duration.seconds(10), attempts: 1, ref })
      assert.include(silent.message, "things.get: no answer within 10s. Try again")
      assert.isFalse("status" in silent)
      const own = yield* finish(failureOf("silence", {}, { timeout: Duration.seconds(2) }))
      assert.include(own.message, "no answer within 2s")
      const stalled = yield* finish(failureOf(new Response(brokenBody(), { status: 202 })))
      assert.instanceOf(stalled, RunError.RequestTimeoutError)
      assert.strictEqual(stalled.status, 202)
      assert.include(stalled.message, "status 202, and no complete body within 10s")
    }))

  it.effect("has not reached the provider if no byte of it was written", () =>
    Effect.gen(function*() {
      const unwritten: SentRequests = { ...makeSentRequests(), count: 1, watched: 1 }
      const error = yield* finish(failureOf("silence", {}, { sends: unwritten }))
      assert.instanceOf(error, RunError.RequestTimeoutError)
      assert.isFalse(error.reached)
      assert.include(error.message, "things.get: no connection within 10s, so that the request was not sent. Check")
      const sends: ReadonlyArray<SentRequests | undefined> = [
        { ...unwritten, isWritten: true },
        makeSentRequests(),
        undefined
      ]
      for (const written of sends) {
        const other = yield* finish(failureOf("silence", {}, { sends: written }))
        assert.instanceOf(other, RunError.RequestTimeoutError)
        assert.isFalse("reached" in other)
        assert.include(other.message, "no answer within 10s. Try again")
      }
      const begun = yield* finish(failureOf(new Response(brokenBody()), {}, { sends: unwritten }))
      assert.isFalse("reached" in begun)
      assert.include(begun.message, "status 200, and no complete body within 10s. Try again")
    }))

  it.effect("fails with the error of its status, if that is a failure", () =>
    Effect.gen(function*() {
      const error = yield* finish(failureOf(new Response(brokenBody(), { status: 403 })))
      assert.instanceOf(error, RunError.PermissionDeniedError)
      assert.include(error.message, "(the body of the response did not arrive: it took longer than 10s)")
    }))

  it.effect("has extra time for a large body only if it is an upload", () =>
    Effect.gen(function*() {
      const body = HttpBody.uint8Array(new Uint8Array(1024 * 1024))
      const request = HttpClientRequest.put("/v1/file", { body })
      const plain = yield* finish(failureOf("silence", {}, { request }))
      assert.strictEqual(Duration.toSeconds(plain.elapsed), 10)
      const upload = yield* finish(failureOf("silence", {}, { request, isUpload: true }))
      assert.strictEqual(Duration.toSeconds(upload.elapsed), 22)
    }))

  it.effect("names the time without progress during an upload, and the time without an answer after it", () =>
    Effect.gen(function*() {
      const request = (stream: Stream.Stream<Uint8Array>) => ({
        request: HttpClientRequest.put("/v1/file", { body: HttpBody.stream(stream) }),
        isUpload: true
      })
      const reading = HttpClient.make((request) =>
        Effect.andThen(
          request.body._tag === "Stream" ? Effect.orDie(Stream.runDrain(request.body.stream)) : Effect.void,
          Effect.never
        )
      )
      const api = make(reading)
      const piece = Stream.make(new Uint8Array(1))
      const stuck = yield* finish(Effect.flip(api.call(call(request(Stream.concat(piece, Stream.never))))))
      assert.instanceOf(stuck, RunError.RequestTimeoutError)
      assert.strictEqual(Duration.toSeconds(stuck.elapsed), 4)
      assert.include(stuck.message, "made no progress for 4s (uploadIdleTimeout)")
      const silent = yield* finish(Effect.flip(api.call(call(request(piece)))))
      assert.strictEqual(Duration.toSeconds(silent.elapsed), 10)
      assert.include(silent.message, "no answer within 10s")
    }))
})

describe("a client that fails", () => {
  it.effect("fails with a TransportError that has the code, the cause and the messages of all causes", () =>
    Effect.gen(function*() {
      const cause = new TypeError("fetch failed", {
        cause: Object.assign(new Error("read\n ECONNRESET"), { code: "ECONNRESET" })
      })
      const error = yield* failureOf(cause, {}, { ref })
      assert.instanceOf(error, RunError.TransportError)
      assert.deepInclude(error, { code: "ECONNRESET", reached: true, attempts: 1, ref, cause })
      assert.isFalse("status" in error)
      assert.include(error.message, "things.get: no answer: fetch failed: read ECONNRESET. Check the network")
    }))

  it.effect("while the body arrives is an error that reached the provider", () =>
    Effect.gen(function*() {
      const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
      const error = yield* failureOf(new Response(brokenBody(refused)))
      assert.instanceOf(error, RunError.TransportError)
      assert.deepInclude(error, { status: 200, reached: true })
      assert.include(error.message, "the answer broke off: ")
      // A client may use the same kind of error for the request and for the body of its response
      const request = HttpClientRequest.get("/")
      const stream = Stream.fail(transportError(request, refused))
      const other = yield* Effect.flip(
        make(giving({ request, status: 200, headers: Headers.empty, stream })).call(call())
      )
      assert.instanceOf(other, RunError.TransportError)
      assert.deepInclude(other, { status: 200, reached: true })
    }))

  it.effect("before the connection was made is an error that did not reach the provider, unless an earlier attempt may have", () =>
    Effect.gen(function*() {
      const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
      const never = yield* failureOf(refused)
      assert.isTrue(never._tag === "TransportError" && !never.reached)
      const unwritten: SentRequests = { ...makeSentRequests(), count: 1, watched: 1 }
      const proven = yield* failureOf(new Error("reset"), {}, { sends: unwritten })
      assert.isTrue(proven._tag === "TransportError" && !proven.reached)
      const sends: SentRequests = { ...makeSentRequests(), count: 2 }
      const again = yield* failureOf(refused, {}, { sends })
      assert.isTrue(again._tag === "TransportError" && again.reached)
    }))

  it.effect("is reported with the first code, message or name that its error has", () =>
    Effect.gen(function*() {
      const says = (cause: unknown) =>
        Effect.map(
          Effect.flip(
            make(HttpClient.make((request) => Effect.fail(transportError(request, cause)))).call(call())
          ),
          (error) => ({
            message: /no answer: (.*?)\. Check/.exec(error.message)?.[1],
            code: error._tag === "TransportError" ? error.code : undefined
          })
        )
      const nest = (depth: number): unknown => depth === 0 ? { code: "DEEP" } : { cause: nest(depth - 1) }
      const cases: ReadonlyArray<readonly [unknown, string, string?]> = [
        [undefined, "the connection failed"],
        ["in a word", "in a word"],
        [{ code: 7 }, "the connection failed"],
        [{ code: "E1" }, "the connection failed", "E1"],
        [{ code: 7, cause: { code: "E2" } }, "the connection failed", "E2"],
        [nest(4), "the connection failed", "DEEP"],
        [nest(5), "the connection failed"],
        [new RangeError(""), "RangeError"],
        [Object.assign(new Error(""), { code: "E3" }), "E3", "E3"],
        [new Error("same", { cause: new Error("same") }), "same"],
        [new Error("outer", { cause: "inner" }), "outer: inner"],
        [new Error("outer", { cause: 7 }), "outer"]
      ]
      for (const [cause, message, code] of cases) {
        assert.deepStrictEqual(yield* says(cause), { message, code }, inspect(cause))
      }
    }))

  it.effect("is reported with the description of its error if that has no cause", () =>
    Effect.gen(function*() {
      const http = HttpClient.make((request) =>
        Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, description: `closed by ${key}` })
          })
        )
      )
      const error = yield* Effect.flip(make(http).call(call()))
      assert.include(error.message, "no answer: closed by <redacted>. Check the network")
      assert.isFalse("cause" in error)
    }))

  it.effect("by a limit of its dispatcher is an error that names the limit", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(Object.assign(new Error("Body Timeout"), { code: "UND_ERR_BODY_TIMEOUT" }))
      assert.include(error.message, "This is a limit of the dispatcher")
      assert.notInclude(error.message, "Check the network")
    }))

  for (const Reason of [HttpClientError.InvalidUrlError, HttpClientError.EncodeError]) {
    it.effect(`before it sent anything, with ${Reason.name}, is a BadRequestError`, () =>
      Effect.gen(function*() {
        for (const [cause, words] of [[new Error(`bad ${key}`), "bad <redacted>"], [undefined, Reason.name]] as const) {
          const http = HttpClient.make((request) =>
            Effect.fail(new HttpClientError.HttpClientError({ reason: new Reason({ request, cause }) }))
          )
          const error = yield* Effect.flip(make(http).call(call({ ref })))
          assert.instanceOf(error, RunError.BadRequestError)
          assert.deepInclude(error, { sent: false, operation: "things.get", attempts: 1, ref })
          assert.include(error.message, `things.get: the request could not be made (${words})`)
        }
      }))
  }

  it.effect("with an error of this library passes that error on", () =>
    Effect.gen(function*() {
      const own = new RunError.ServerError({ message: "m", operation: "o", attempts: 7, elapsed: Duration.zero })
      const http = HttpClient.make(() => Effect.fail(own as unknown as HttpClientError.HttpClientError))
      assert.strictEqual(yield* Effect.flip(make(http).call(call())), own)
    }))

  it.effect("with an error of another kind is an error that may have reached the provider", () =>
    Effect.gen(function*() {
      const own = Object.assign(new Error("circuit open"), { code: "ECONNREFUSED" })
      const http = HttpClient.make(() => Effect.fail(own as unknown as HttpClientError.HttpClientError))
      const error = yield* Effect.flip(make(http).call(call()))
      assert.instanceOf(error, RunError.TransportError)
      assert.deepInclude(error, { reached: true, code: "ECONNREFUSED", cause: own })
      assert.include(error.message, "circuit open")
    }))

  for (
    const [what, response, words] of [
      ["nothing", undefined, "gave no response"],
      ["a text", "200", "gave no response"],
      ["a status that is a text", { status: "200", headers: {} }, "gave no response"],
      ["no status", { headers: {} }, "gave no response"],
      ["no headers", { status: 200 }, "gave no response"],
      ["headers that are a text", { status: 200, headers: "x" }, "gave no response"]
    ] as const
  ) {
    it.effect(`by returning ${what} is a TransportError`, () =>
      Effect.gen(function*() {
        const http = giving(response)
        const error = yield* Effect.flip(make(http).call(call()))
        assert.instanceOf(error, RunError.TransportError)
        assert.include(error.message, words)
        assert.isTrue(error.reached)
      }))
  }

  it.effect("by throwing is a TransportError whose cause is what it threw", () =>
    Effect.gen(function*() {
      const thrown = new TypeError("boom")
      const http = HttpClient.transform(
        answering(() => json({})).client,
        (): Effect.Effect<HttpClientResponse.HttpClientResponse> => {
          throw thrown
        }
      )
      const error = yield* Effect.flip(make(http).call(call()))
      assert.instanceOf(error, RunError.TransportError)
      assert.strictEqual(error.cause, thrown)
      assert.include(error.message, "boom")
    }))

  it.effect("to send a Blob is a BadRequestError, and by another bad argument a TransportError", () =>
    Effect.gen(function*() {
      const request = HttpClientRequest.put("/v1/file", { body: HttpBody.raw(new Blob(["x"])) })
      const http = (code: string) =>
        HttpClient.make(() => Effect.die(Object.assign(new TypeError("bad argument"), { code })))
      const refused = yield* Effect.flip(
        make(http("ERR_INVALID_ARG_TYPE")).call(call({ request, isUpload: true, ref }))
      )
      assert.instanceOf(refused, RunError.BadRequestError)
      assert.deepInclude(refused, { sent: false, operation: "things.get", attempts: 1, ref })
      assert.include(refused.message, "things.get: this HTTP client cannot send a Blob")
      const other = yield* Effect.flip(make(http("ERR_OTHER")).call(call({ request, isUpload: true })))
      assert.instanceOf(other, RunError.TransportError)
      const failed = yield* Effect.flip(
        make(answering(() => json({}, 500)).client).call(call({ request, isUpload: true }))
      )
      assert.instanceOf(failed, RunError.ServerError)
    }))

  it("keeps the cause of its error, or the error itself if that is of another kind", () => {
    const cause = new Error("x")
    assert.strictEqual(causeOf(transportError(HttpClientRequest.get("/"), cause)), cause)
    assert.strictEqual(causeOf(cause), cause)
  })
})

describe("the cause of a failure", () => {
  /** The cause that the error keeps. */
  const kept = (cause: Error) =>
    Effect.map(failureOf(cause), (error) => error._tag === "TransportError" ? error.cause : undefined)
  const nest = (depth: number, innermost: unknown): Error =>
    new Error(`level ${depth}`, { cause: depth === 1 ? innermost : nest(depth - 1, innermost) })

  it.effect("is kept as it is if no part of it shows the key or a signature", () =>
    Effect.gen(function*() {
      const clean = [
        nest(3, "down"),
        nest(2, undefined),
        nest(7, "down"),
        new AggregateError([new Error("a"), "b"], "all failed"),
        Object.assign(new Error("no stack"), { stack: undefined })
      ]
      for (const cause of clean) assert.strictEqual(yield* kept(cause), cause)
    }))

  it.effect("is replaced by its text without the key and without signatures", () =>
    Effect.gen(function*() {
      const link = "https://store.test/f?signature=abc"
      const unclean: ReadonlyArray<readonly [Error, string]> = [
        [new Error(`bad ${key}`), "bad <redacted>"],
        [new Error("outer", { cause: new Error(`bad ${key}`) }), "outer: bad <redacted>"],
        [new Error("outer", { cause: `at ${link}` }), "outer: at https://store.test/f?<redacted>"],
        [new Error(`at ${link}`), "at https://store.test/f?<redacted>"],
        [new AggregateError([new Error("a"), new Error(`bad ${key}`)], "all failed"), "all failed"],
        [Object.assign(new Error("x"), { stack: `Error: x\n at ${key}` }), "x"]
      ]
      for (const [cause, words] of unclean) {
        const shown = yield* kept(cause)
        assert.notStrictEqual(shown, cause)
        assert.strictEqual((shown as Error).message, words)
        assert.notInclude(inspect(shown), key)
      }
    }))

  it.effect("is replaced if it is too deep to be searched", () =>
    Effect.gen(function*() {
      const cause = nest(9, "down")
      assert.notStrictEqual(yield* kept(cause), cause)
      const shallow = nest(8, "down")
      assert.strictEqual(yield* kept(shallow), shallow)
    }))

  it.effect("keeps the address of a module in its stack, which may have a query", () =>
    Effect.gen(function*() {
      const cause = Object.assign(new Error("x"), { stack: "Error: x\n at file:///m.js?v=1&token=abc" })
      assert.strictEqual(yield* kept(cause), cause)
    }))
})

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

  it.effect("counts no request that its client sent before, such as one for a token", () =>
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

describe("a retry", () => {
  it.effect("follows the schedule while the failure is transient", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) => json({}, index === 2 ? 400 : 503))
      const error = yield* finish(Effect.flip(make(http, { retry: Schedule.recurs(5) }).call(call())))
      assert.deepInclude(error, { _tag: "BadRequestError", attempts: 3 })
      assert.strictEqual(sent.length, 3)
      const ending = yield* finish(failureOf(() => json({}, 503), { retry: Schedule.recurs(2) }))
      assert.deepInclude(ending, { _tag: "ServerError", attempts: 3 })
    }))

  it.effect("is made only for the failures that the call lists, if it lists any", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) => index < 2 ? json({}, 400) : json({}, 503))
      const retryWhile = (error: RunError.RequestError) => error._tag === "BadRequestError"
      const error = yield* finish(
        Effect.flip(make(http, { retry: Schedule.recurs(5) }).call(call({ retryWhile })))
      )
      assert.strictEqual(error._tag, "ServerError")
      assert.strictEqual(sent.length, 3)
    }))

  it.effect("of a response that is read piece by piece is made like any other", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) => index === 0 ? json({}, 503) : json({}))
      yield* finish(make(http, { retry: Schedule.recurs(1) }).open(call()))
      assert.strictEqual(sent.length, 2)
    }))

  for (
    const [what, retryAfter, ceiling, millis] of [
      ["Retry-After where that is longer", "5", "1 minute", 5000],
      ["the schedule where that is longer", "1", "1 minute", 2000],
      ["the schedule alone without Retry-After", undefined, "1 minute", 2000],
      ["at most the ceiling for Retry-After", "100", "30 seconds", 30_000]
    ] as const
  ) {
    it.effect(`waits for ${what}, and logs that it tries again`, () =>
      Effect.gen(function*() {
        const logged: Array<unknown> = []
        const { client: http, requests: sent } = answering(({ index }) =>
          index === 0
            ? json({}, 503, retryAfter === undefined ? {} : { "retry-after": retryAfter })
            : json({})
        )
        const api = make(http, {
          retry: Schedule.spaced("2 seconds"),
          retryAfterCeiling: Duration.fromInputUnsafe(ceiling)
        })
        yield* Effect.forkChild(
          api.call(call()).pipe(
            Effect.provide(Logger.layer([Logger.make(({ logLevel, message }) => logged.push(logLevel, message))])),
            Effect.provideService(References.MinimumLogLevel, "Debug")
          )
        )
        yield* TestClock.adjust(Duration.millis(millis - 1))
        assert.strictEqual(sent.length, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(sent.length, 2)
        assert.deepStrictEqual(logged.flat(), ["Debug", "things.get: ServerError, trying again"])
      }))
  }

  it.effect("keeps a defect of the schedule", () =>
    Effect.gen(function*() {
      const defect = new Error("a schedule of the program's own")
      const retry = Schedule.fromStepWithMetadata(Effect.succeed(() => Effect.die(defect)))
      const exit = yield* Effect.exit(make(answering(() => json({}, 503)).client, { retry }).call(call()))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
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
  it.effect("is read for each call, and is sent with and hidden from the errors of that call", () =>
    Effect.gen(function*() {
      const keys = ["first-key-0123456789", "first-key-0123456789", "second-key-0123456789"]
      const asked: Array<string> = []
      const { client: http, requests: sent } = answering(() => json(`said ${keys.join(" ")}`))
      const api = Http.makeWithKey(
        {
          client: http,
          baseUrl: new URL("https://api.test"),
          credential: { header: "authorization", prefix: "Bearer " },
          requestTimeout: Duration.seconds(10),
          uploadIdleTimeout: Duration.seconds(4),
          retry: defaultRetry,
          retryAfterCeiling: Duration.minutes(1),
          maxResponseBytes: 1000,
          tracePolls: false,
          describeError: () => undefined
        },
        (operation) => Effect.sync(() => Redacted.make(keys[asked.push(operation) - 1]!))
      )
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

describe("Retry-After", () => {
  const now = DateTime.makeUnsafe("2026-01-01T00:00:00Z").epochMilliseconds

  for (
    const [headers, millis] of [
      [{}, undefined],
      [{ "retry-after-ms": "250" }, 250],
      [{ "retry-after-ms": " 250 " }, 250],
      [{ "retry-after-ms": "0", "retry-after": "9" }, 0],
      [{ "retry-after-ms": "999999999999999" }, 999_999_999_999_999],
      [{ "retry-after-ms": "1000000000000000" }, undefined],
      [{ "retry-after-ms": "x1", "retry-after": "9" }, 9000],
      [{ "retry-after-ms": "1x" }, undefined],
      [{ "retry-after-ms": "", "retry-after": "2" }, 2000],
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": " 7 " }, 7000],
      [{ "retry-after": "soon" }, undefined],
      [{ "retry-after": "-1" }, undefined],
      [{ "retry-after": `${"0".repeat(39)}7` }, 7000],
      [{ "retry-after": `${"0".repeat(40)}7` }, undefined],
      [{ "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" }, 30_000],
      [{ "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT" }, undefined],
      [{ "retry-after": "Wed, 31 Dec 2025 23:59:59 GMT" }, undefined]
    ] as const
  ) {
    it(`reads ${JSON.stringify(headers)} as ${millis === undefined ? "nothing" : `${millis} ms`}`, () => {
      const read = parseRetryAfter(Headers.fromInput(headers), now)
      assert.deepStrictEqual(Option.getOrUndefined(Option.map(Option.fromUndefinedOr(read), Duration.toMillis)), millis)
    })
  }
})
