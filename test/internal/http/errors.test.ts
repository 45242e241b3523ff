/** The errors of a call: by status, without a response, and after the timeout. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schedule, Stream } from "effect"
import { Headers, HttpBody, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError } from "canvas-runs"
import { inspect } from "node:util"
import { causeOf } from "../../../src/internal/http/send.ts"
import { make as makeSentRequests, type SentRequests } from "../../../src/internal/http/sentRequests.ts"
import { answering, brokenBody, json, transportError } from "../../support/http.ts"
import { call, failureOf, finish, giving, key, make, ref } from "./calls.ts"

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

  it.effect("has no field without a value in the response", () =>
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

  it.effect("quotes the provider's message, or the body if there is none", () =>
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
    [407, "BadRequestError", false, ["proxy", "Put the proxy's credentials into its address"]],
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
        assert.strictEqual(error.message, error.message.trim())
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

  it.effect("of status 425 has only the advice in its message, and one of status 503 no pause", () =>
    Effect.gen(function*() {
      const early = yield* failureOf(json({ error: "in words" }, 425))
      assert.strictEqual(early.message, "things.get: the provider asks to try again later (in words).")
      const failing = yield* failureOf(json({ error: "in words" }, 503, { "retry-after": "90" }))
      assert.strictEqual(failing.message, "things.get: the provider failed with 503 (in words). Try again later.")
      assert.deepStrictEqual(failing.retryAfter, Duration.seconds(90))
    }))

  it.effect("of a path that begins with the same part twice names the base URL, if the path was not found", () =>
    Effect.gen(function*() {
      const at = (path: string, status = 404) =>
        failureOf(json({}, status), { baseUrl: new URL("https://api.test/v1") }, {
          request: HttpClientRequest.get(path)
        })
      assert.notInclude((yield* at("/v1/run/1", 403)).message, "leave")
      assert.include((yield* at("/v1/run/1")).message, `begins with "/v1/v1": leave "/v1" out of the base URL`)
      assert.include((yield* at("/v2/run/1")).message, "Check the id and the API key.")
      assert.notInclude((yield* at("/v11/run/1")).message, "leave")
    }))
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

  it.effect("fails with the error of its status, if the status is a failure", () =>
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

  it.effect("names the file of an upload that gives no bytes, but not if the provider is slow", () =>
    Effect.gen(function*() {
      const reading = HttpClient.make((request) =>
        Effect.andThen(
          request.body._tag === "Stream" ? Effect.orDie(Stream.runDrain(request.body.stream)) : Effect.void,
          Effect.never
        )
      )
      const uploading = (stream: Stream.Stream<Uint8Array>, answer = reading) =>
        finish(Effect.flip(
          make(answer).call(call({
            request: HttpClientRequest.put("/v1/file", { body: HttpBody.stream(stream) }),
            isUpload: true,
            onSilentFile: () => "a.txt gave no bytes."
          }))
        ))
      const piece = Stream.make(new Uint8Array(1))
      const stuck = Stream.concat(piece, Stream.never)
      const error = yield* uploading(stuck)
      assert.instanceOf(error, RunError.RequestTimeoutError)
      assert.strictEqual(error.message, "things.get: a.txt gave no bytes.")
      assert.include((yield* uploading(piece)).message, "no answer within 10s")
      // The provider answers while the file is read, and its response stalls
      const answering = HttpClient.make((request) =>
        Effect.as(
          request.body._tag === "Stream"
            ? Effect.forkChild(Effect.exit(Stream.runDrain(request.body.stream)))
            : Effect.void,
          HttpClientResponse.fromWeb(request, new Response(brokenBody()))
        )
      )
      assert.include((yield* uploading(stuck, answering)).message, "status 200, and no complete body within")
    }))

  it.effect("names the time without progress during an upload, and the time without a response after it", () =>
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
      // A client may use the same error for the request and for the body of its response
      const request = HttpClientRequest.get("/")
      const stream = Stream.fail(transportError(request, refused))
      const other = yield* Effect.flip(
        make(giving({ request, status: 200, headers: Headers.empty, stream })).call(call())
      )
      assert.instanceOf(other, RunError.TransportError)
      assert.deepInclude(other, { status: 200, reached: true })
    }))

  it.effect("while the body of a create arrives has the text that arrived, without the key, and no body if none arrived", () =>
    Effect.gen(function*() {
      const broken = (begin: string, fields: Parameters<typeof call>[0]) =>
        failureOf(new Response(brokenBody(new Error("read ECONNRESET"), begin)), {}, fields)
      const create = { sends: makeSentRequests() }
      assert.strictEqual((yield* broken(`{"id":"${key}`, create)).body, "{\"id\":\"<redacted>")
      assert.isFalse("body" in (yield* broken("", create)))
      // Another call is repeated, so the beginning of its body is not kept
      assert.isFalse("body" in (yield* broken("{\"id\":", {})))
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

  it.effect("is reported with the description of its error if the error has no cause", () =>
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
      assert.include(error.message, "Your dispatcher has this limit")
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

  it.effect("with an error of this library fails with that error", () =>
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

  it.effect("by throwing is a TransportError whose cause is the thrown value", () =>
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
      // A call that is not an upload has no Blob
      const plain = yield* Effect.flip(make(http("ERR_INVALID_ARG_TYPE")).call(call()))
      assert.instanceOf(plain, RunError.TransportError)
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

  it.effect("is kept unchanged if no part of it shows the key or a signature", () =>
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
