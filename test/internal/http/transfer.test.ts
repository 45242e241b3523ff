import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { proxyAdvice } from "../../../src/internal/http/causes.ts"
import * as Transfer from "../../../src/internal/http/transfer.ts"

describe("the address of a link", () => {
  const base = new URL("https://api.example/v1/")
  const neither = "its link is neither an http address nor a path"
  const credentials = "its link contains a user name or a password, which fetch refuses"
  const cases: ReadonlyArray<readonly [string, URL | undefined, string]> = [
    ["https://files.example/a?b=c", undefined, "https://files.example/a?b=c"],
    ["http://files.example/a", base, "http://files.example/a"],
    ["/files/a", base, "https://api.example/v1/files/a"],
    ["/v1/files/a", base, "https://api.example/v1/files/a"],
    ["//files.example/a", base, "https://files.example/a"],
    ["/files/a", undefined, neither],
    ["files/a", base, "https://api.example/v1/files/a"],
    ["v1/files/a?b=c:d", base, "https://api.example/v1/files/a?b=c:d"],
    [" v1/../files/a\n", base, "https://api.example/files/a"],
    ["files/a", undefined, neither],
    ["", base, neither],
    ["//", base, neither],
    ["?a=b", base, neither],
    ["#a", base, neither],
    ["localhost:3000/a", base, neither],
    ["ftp://files.example/a", base, neither],
    ["httpx://files.example/a", base, neither],
    ["xhttp://files.example/a", base, neither],
    ["https://user@files.example/a", base, credentials],
    ["https://:word@files.example/a", base, credentials],
    ["https://user:word@files.example/a", base, credentials]
  ]
  for (const [link, baseUrl, expected] of cases) {
    it(`of ${JSON.stringify(link)}${baseUrl === undefined ? " without a base" : ""} is ${expected}`, () => {
      assert.strictEqual(String(Transfer.resolveLink(link, baseUrl)), expected)
    })
  }
})

describe("the cause of a failure about a link", () => {
  const link = "https://files.example/path/of/file?signature=abcdef123456&x=12345"
  const wordsOf = (cause: unknown) => Transfer.cleanCause(cause, link).words

  it("is undefined if it is not an error", () => {
    assert.deepStrictEqual(Transfer.cleanCause("ECONNRESET", link), { words: "" })
    assert.deepStrictEqual(Transfer.cleanCause(undefined, link), { words: "" })
  })

  it("is a new error with the messages of the old one and of its causes, on one line, with their codes", () => {
    const reset = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })
    const failed = new TypeError("fetch\n  failed", { cause: reset })
    const { cause, words } = Transfer.cleanCause(failed, link)
    assert.strictEqual(words, " (fetch failed: socket hang up, ECONNRESET)")
    assert.strictEqual(cause?.message, "fetch failed: socket hang up, ECONNRESET")
    assert.notStrictEqual(cause, failed)
    assert.isUndefined(cause?.cause)
  })

  it("names a code once, and falls back to the code and then to the name", () => {
    assert.strictEqual(
      wordsOf(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })),
      " (read ECONNRESET)"
    )
    assert.strictEqual(wordsOf(Object.assign(new Error(""), { code: "EPIPE" })), " (EPIPE)")
    assert.strictEqual(wordsOf(new TypeError("")), " (TypeError)")
    assert.strictEqual(wordsOf(Object.assign(new Error("no code"), { code: 7 })), " (no code)")
  })

  it("is followed by advice if the cause allows one", () => {
    const cause = new Error("Proxy Authentication Required (407)")
    assert.strictEqual(wordsOf(cause), ` (Proxy Authentication Required (407)). ${proxyAdvice}`)
  })

  it("ends after five causes, even if they are a cycle", () => {
    const chain = (depth: number): Error => new Error(String(depth), depth === 9 ? {} : { cause: chain(depth + 1) })
    assert.strictEqual(wordsOf(chain(1)), " (1: 2: 3: 4: 5)")
    const cycle: Error & { cause?: unknown } = new Error("again")
    cycle.cause = cycle
    assert.strictEqual(wordsOf(cycle), " (again)")
  })

  it("shows no part of the link that could be its secret, and keeps short parts, which are words", () => {
    assert.strictEqual(wordsOf(new Error(`GET ${link} failed`)), " (GET <link> failed)")
    assert.strictEqual(wordsOf(new Error("signature abcdef123456 is wrong")), " (signature <link> is wrong)")
    assert.strictEqual(wordsOf(new Error("no such file: /path/of/file")), " (no such file: <link>)")
    assert.strictEqual(wordsOf(new Error("12345 bytes")), " (12345 bytes)")
    assert.strictEqual(
      Transfer.cleanCause(new Error("token 123456, user0 and word00"), "https://user00:word00@x.example/?t=123456")
        .words,
      " (token <link>, user0 and <link>)"
    )
    assert.strictEqual(Transfer.cleanCause(new Error("at /a/b"), "/some/relative").words, " (at /a/b)")
  })

  it("shows no other address, which may be the target of the link", () => {
    for (
      const address of [
        "https://other.example/a",
        "s3+http.x-y://bucket/key",
        "/a/b?token=1",
        "bucket/key?token=1",
        "bucket/key=1",
        "key/&",
        "x/a?"
      ]
    ) {
      assert.strictEqual(wordsOf(new Error(`from ${address} came nothing`)), " (from <link> came nothing)", address)
    }
    assert.strictEqual(wordsOf(new Error("and/or x=1 is? no & address")), " (and/or x=1 is? no & address)")
  })
})

describe("an error response of a file server", () => {
  it("is attributed to the server or to a proxy by its status", () => {
    assert.strictEqual(Transfer.wordsOf(403), "its server answered with 403")
    assert.strictEqual(Transfer.wordsOf(407), `a proxy asks for credentials (407). ${proxyAdvice}`)
  })

  const refusal = (status: number, headers: Record<string, string> = {}) =>
    Transfer.refusal(
      HttpClientResponse.fromWeb(HttpClientRequest.get("https://x.example"), new Response(null, { status, headers }))
    )
  for (
    const [status, isRetryable] of [
      [400, false],
      [403, false],
      [404, false],
      [408, true],
      [202, true],
      [425, true],
      [429, true],
      [499, false],
      [500, true],
      [503, true]
    ] as const
  ) {
    it.effect(`with ${status} is ${isRetryable ? "transient" : "final"}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* refusal(status), { status, isRetryable, retryAfter: undefined })
      }))
  }

  it.effect("has the pause of Retry-After", () =>
    Effect.gen(function*() {
      const { retryAfter } = yield* refusal(503, { "retry-after": "7" })
      assert.strictEqual(retryAfter && Duration.toSeconds(retryAfter), 7)
    }))
})

describe("an HTML page instead of a response", () => {
  const page = "  <!DOCTYPE html><title>Log in</title>"
  const isPage = (body: BodyInit | null, headers: Record<string, string> = {}) => {
    const response = new Response(body)
    // A Response adds a default content type
    response.headers.delete("content-type")
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    return Transfer.isPage(HttpClientResponse.fromWeb(HttpClientRequest.put("https://store.example/a"), response))
  }

  const rows: ReadonlyArray<readonly [body: string | null, headers: Record<string, string>, expected: boolean]> = [
    [page, {}, true],
    ["<html><body>", {}, true],
    [page, { "content-type": "text/plain" }, true],
    [page, { "content-type": "text/plain; charset=utf-8" }, true],
    [page, { "content-type": "application/octet-stream" }, true],
    ["", { "content-type": "text/html" }, true],
    ["", { "content-type": "text/html", "content-length": "0" }, true],
    ["stored", { "content-type": "application/xhtml+xml" }, true],
    ["", {}, false],
    [null, {}, false],
    [page, { "content-length": "0" }, false],
    // Its type decides
    [page, { "content-type": "application/json" }, false],
    [page, { "content-type": "x-text/plain" }, false],
    [page, { "content-type": "text/plainer" }, false],
    ["<htmlish>", {}, false],
    ["ok <html>", {}, false],
    ["{}", {}, false]
  ]
  for (const [body, headers, expected] of rows) {
    it.effect(`${JSON.stringify(body)} with ${JSON.stringify(headers)} ${expected ? "counts" : "does not count"}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* isPage(body, headers), expected)
      }))
  }

  it.effect("is waited for at most two seconds", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(isPage(new ReadableStream()), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isFalse(yield* Fiber.join(fiber))
    }))
})
