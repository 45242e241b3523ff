/** Tests which redirects of a call are followed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import { RunError } from "canvas-runs"
import { answering, json } from "../../support/http.ts"
import { call, failureOf, key, make, ref } from "./calls.ts"

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
      ["to an address of another scheme", HttpClientRequest.get("/a"), to("ftp://login.test/"), "one of http or https"],
      ["to a scheme like https", HttpClientRequest.get("/a"), to("xhttps://login.test/"), "one of http or https"],
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

  it.effect("is recognised only by its status: other responses may have a location", () =>
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

    it.effect("that fetch rejected is requested without the body, so that the error names the target", () =>
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

    it.effect("that fetch rejected is reported without its target if the request without the body fails", () =>
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
