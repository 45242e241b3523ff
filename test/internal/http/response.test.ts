/** Turning a response into the value of its call. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Redacted, Schema, Stream } from "effect"
import { Headers, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError } from "canvas-runs"
import { inspect } from "node:util"
import { isWholeDocument } from "../../../src/internal/http/response.ts"
import { answering, brokenBody, json } from "../../support/http.ts"
import { call, failureOf, giving, key, make } from "./calls.ts"

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
        const options = { key: Redacted.make(secret) }
        const api = make(answering(() => json(`an ${secret}`)).client, options)
        assert.strictEqual((yield* api.call(call())).value, shown)
        const opened = yield* api.open(call())
        assert.strictEqual(opened.clean(`an ${secret}`), shown)
        // The text of an error is searched for any key
        const error = yield* failureOf(json({ error: `an ${secret}` }, 400), options)
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
      ["an error without a type", () => new Response(null, { status: 500 }), "ServerError"]
    ] as const
  ) {
    it.effect(`that is requested piece by piece and is ${what} is ${tag}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(make(answering(response).client).open(call()))
        assert.strictEqual(error._tag, tag)
      }))
  }

  it.effect("that is requested piece by piece may have no type", () =>
    Effect.gen(function*() {
      const response = new Response(new Uint8Array())
      assert.isNull(response.headers.get("content-type"))
      assert.strictEqual((yield* make(answering(() => response).client).open(call())).response.status, 200)
    }))
})

describe("a response without a usable body", () => {
  for (
    const [what, response, isRetryable, words] of [
      ["an empty body", new Response(" \n"), true, "the answer is empty, not JSON"],
      ["an HTML page", new Response("\n <!DOCTYPE html><p>"), true, "the answer is an HTML page, not JSON"],
      ["an HTML page without a doctype", new Response("<html>"), true, "the answer is an HTML page, not JSON"],
      [
        "JSON that breaks off",
        new Response("{\"a\":", { headers: { "content-type": "application/JSON" } }),
        true,
        "the answer is text that breaks off or is malformed, not JSON"
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
      ["a status that is neither a success nor an error", new Response(null, { status: 399 }), false, "status 399"],
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

  it.effect("with a status below 200, or 0, from an HTTP client of the program is an error too", () =>
    Effect.gen(function*() {
      const response = { request: HttpClientRequest.get("/"), headers: Headers.empty, stream: Stream.empty }
      for (const [status, words] of [[199, "has status 199, which is neither"], [0, "redirects without"]] as const) {
        const error = yield* Effect.flip(make(giving({ ...response, status })).call(call()))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, words)
      }
    }))

  it.effect("is an error that names the field that does not fit, quotes the provider, and hides the key", () =>
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

  it.effect("is an error response if its body reports an error, unless it decodes", () =>
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

  it.effect("whose status is a failure has the error of the status, without a body, even if the body is too long", () =>
    Effect.gen(function*() {
      const { client: http } = answering(() => json("123456789", 403))
      const api = make(http, { maxResponseBytes: 10 })
      for (const self of [Effect.asVoid(api.call(call())), Effect.asVoid(api.open(call()))]) {
        const error = yield* Effect.flip(self)
        assert.instanceOf(error, RunError.PermissionDeniedError)
        assert.strictEqual(error.body, "")
      }
    }))

  it.effect("that the HTTP client has not decompressed names the encoding", () =>
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

describe("a whole document", () => {
  it("is a complete JSON object or array, with any white space around it", () => {
    for (const text of ["{}", "[]", "{\"a\":[1]}", "[{}]", " {}", "\n\t [1]\r\n"]) {
      assert.isTrue(isWholeDocument(text), text)
    }
  })

  it("is not a text whose end may be missing, and not a text that is not JSON", () => {
    for (const text of ["", " ", "{\"a\":", "[1", "[1]]", "x{}", "x[", "12", "true", "null", "\"{\"", "\"[]\""]) {
      assert.isFalse(isWholeDocument(text), text)
    }
  })
})
