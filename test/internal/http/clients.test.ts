/** How the clients read the outcome of one request, from a server or an HTTP client. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Redacted, Schedule, Stream } from "effect"
import { HttpClient, HttpClientError } from "effect/http"
import { RunError } from "canvas-runs"
import { inspect } from "node:util"
import { clientsOn, type Options } from "../../support/clients.ts"
import { answering, brokenBody, json } from "../../support/http.ts"
import { failure, finish, success } from "../../support/results.ts"
import { acceptedRun } from "../../support/spine.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const key = "sk_spine_http_secret/with+signs&<more>"

const accepted = () => json(acceptedRun(id), 201)

const spineOn = (client: HttpClient.HttpClient, options: Options = {}) =>
  Effect.map(
    clientsOn(client, { apiKey: Redacted.make(key), retry: Schedule.recurs(2), ...options }),
    ({ spine }) => spine
  )

const telaOn = (client: HttpClient.HttpClient) =>
  Effect.map(clientsOn(client, { apiKey: Redacted.make(key), retry: Schedule.recurs(2) }), ({ tela }) => tela)

/** The error of an effect that sleeps. */
const failing = <A, E>(effect: Effect.Effect<A, E>) => Effect.map(finish(effect), failure)

describe("B3: an HTTP client that fails if the status is not a success", () => {
  const strict = (status: number, headers?: Record<string, string>) => {
    const { client, requests } = answering(() => json({ success: false, error: "in words" }, status, headers))
    return { client: HttpClient.filterStatusOk(client), requests }
  }

  for (
    const [status, tag, requests] of [
      [400, "BadRequestError", 1],
      [401, "AuthenticationError", 1],
      [402, "UsageLimitError", 1],
      [404, "NotFoundError", 1],
      [429, "RateLimitError", 3],
      [503, "ServerError", 3]
    ] as const
  ) {
    it.effect(`${status} to a poll is a ${tag} with the provider's message, after ${requests} requests`, () =>
      Effect.gen(function*() {
        const answered = strict(status)
        const { runs } = yield* spineOn(answered.client)
        const error = yield* failing(runs.retrieve(id))
        assert.strictEqual(error._tag, tag)
        assert.strictEqual(error.providerMessage, "in words")
        assert.strictEqual(answered.requests.length, requests)
      }))
  }

  for (const [status, tag] of [[400, "BadRequestError"], [402, "UsageLimitError"], [429, "RateLimitError"]] as const) {
    it.effect(`${status} to a create is a ${tag}: there is no run`, () =>
      Effect.gen(function*() {
        const { client } = strict(status)
        const { runs } = yield* spineOn(client)
        assert.strictEqual((yield* failing(runs.create({ prompt: "x" })))._tag, tag)
        const tela = yield* telaOn(client)
        const canvas = tela.canvas.make({ id })
        assert.strictEqual((yield* failing(canvas.execute({ a: "1" }, { async: true })))._tag, tag)
        assert.strictEqual((yield* failing(Stream.runDrain(canvas.stream({ a: "1" }))))._tag, tag)
      }))
  }

  it.effect("a redirect within the provider's origin is followed, and its Retry-After is read", () =>
    Effect.gen(function*() {
      const { client, requests } = answering(({ index }) =>
        index === 0
          ? new Response(null, { status: 307, headers: { location: "/v1/elsewhere" } })
          : json({ success: false, error: "busy" }, 429, { "retry-after": "7" })
      )
      const { runs } = yield* spineOn(HttpClient.filterStatusOk(client), { retry: Schedule.recurs(0) })
      const error = yield* Effect.flip(runs.retrieve(id))
      assert.strictEqual(error._tag, "RateLimitError")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
      assert.strictEqual(requests.length, 2)
    }))

  it.effect("an error of another kind that has a response is read like that response", () =>
    Effect.gen(function*() {
      const { client } = answering(() => json({ success: false, error: "no credits" }, 402))
      const failing = HttpClient.transformResponse(
        client,
        Effect.flatMap((response) =>
          Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.DecodeError({ request: response.request, response })
            })
          )
        )
      )
      const { runs } = yield* spineOn(failing)
      const error = yield* Effect.flip(runs.create({ prompt: "x" }))
      assert.instanceOf(error, RunError.UsageLimitError)
      assert.strictEqual(error.providerMessage, "no credits")
    }))
})

describe("B3: an HTTP client that repeats requests", () => {
  const transient = (client: HttpClient.HttpClient) =>
    HttpClient.retryTransient(client, { times: 3, schedule: Schedule.spaced("1 second") })

  for (
    const [what, answer] of [
      ["a status", () => json({ success: false, error: "busy" }, 503)],
      ["a broken connection", () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })]
    ] as const
  ) {
    it.effect(`sends a create once after ${what}, even if the next one would be accepted`, () =>
      Effect.gen(function*() {
        const { client, requests } = answering(({ index }) => index === 0 ? answer() : accepted())
        const { runs } = yield* spineOn(transient(client))
        const error = yield* failing(runs.create({ prompt: "x" }))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.include(error.message, "retryCreates")
        assert.strictEqual(requests.length, 1)
      }))
  }

  it.effect("sends a Tela stream once, and repeats safe requests", () =>
    Effect.gen(function*() {
      const { client, requests } = answering(() => json({}, 503))
      const tela = yield* telaOn(transient(client))
      const error = yield* failing(Stream.runDrain(tela.canvas.make({ id }).stream({ a: "1" })))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.strictEqual(requests.length, 1)
      yield* finish(tela.tasks.get(id))
      assert.isAbove(requests.length, 4)
    }))

  it.effect("repeats a create with retryCreates", () =>
    Effect.gen(function*() {
      const { client, requests } = answering(({ index }) => index === 0 ? json({}, 503) : accepted())
      const { runs } = yield* spineOn(transient(client), { retryCreates: true })
      assert.strictEqual(success(yield* finish(runs.create({ prompt: "x" }))).run_id, id)
      assert.strictEqual(requests.length, 2)
    }))
})

it.effect("after an HTTP client fails with an error outside of its type, a run may exist", () =>
  Effect.gen(function*() {
    const { client } = answering(accepted)
    const broken = HttpClient.transformResponse(
      client,
      () => Effect.fail(Object.assign(new Error("circuit open"), { _tag: "NotFoundError" }))
    ) as unknown as HttpClient.HttpClient
    const { runs } = yield* spineOn(broken)
    const error = yield* Effect.flip(runs.create({ prompt: "x" }))
    assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    assert.include(error.message, "circuit open")
  }))

describe("B4: a known status decides without a body", () => {
  const body = (ending: "stalls" | "breaks") =>
    brokenBody(ending === "stalls" ? undefined : new Error("read ECONNRESET"))

  for (const ending of ["stalls", "breaks"] as const) {
    for (
      const [status, tag] of [
        [400, "BadRequestError"],
        [401, "AuthenticationError"],
        [402, "UsageLimitError"],
        [409, "ConflictError"],
        [429, "RateLimitError"],
        [308, "InvalidResponseError"],
        [500, "CreateOutcomeUnknownError"]
      ] as const
    ) {
      it.effect(`${status} to a create is ${tag} when its body ${ending}, and says that the body is missing`, () =>
        Effect.gen(function*() {
          const { client, requests } = answering(() =>
            new Response(body(ending), { status, headers: { "x-request-id": "req-1" } })
          )
          const { runs } = yield* spineOn(client)
          const error = yield* failing(runs.create({ prompt: "x" }))
          assert.strictEqual(error._tag, tag)
          assert.isTrue("status" in error && error.status === status)
          assert.isTrue("requestId" in error && error.requestId === "req-1")
          if (status !== 308) assert.include(error.message, "the body of the response did not arrive")
          assert.strictEqual(requests.length, 1)
        }))
    }

    it.effect(`401 to a poll is not retried when its body ${ending}`, () =>
      Effect.gen(function*() {
        const { client, requests } = answering(() => new Response(body(ending), { status: 401 }))
        const { runs } = yield* spineOn(client)
        assert.strictEqual((yield* failing(runs.retrieve(id)))._tag, "AuthenticationError")
        assert.strictEqual(requests.length, 1)
      }))

    it.effect(`201 to a create whose body ${ending} is an unknown outcome with the status`, () =>
      Effect.gen(function*() {
        const { client } = answering(() => new Response(body(ending), { status: 201 }))
        const { runs } = yield* spineOn(client)
        const error = yield* failing(runs.create({ prompt: "x" }))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.strictEqual(error.status, 201)
      }))
  }
})

describe("D12: statuses that are neither a result nor an error", () => {
  it.effect("304 is named, and the wait continues", () =>
    Effect.gen(function*() {
      const { client } = answering(({ index }) =>
        index === 0
          ? new Response(null, { status: 304 })
          : json({ success: true, data: { run_id: id, status: "failed", errors: [] } })
      )
      const { runs } = yield* spineOn(client, { retry: Schedule.recurs(0) })
      const error = yield* Effect.flip(runs.retrieve(id))
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.include(error.message, "304")
      assert.isTrue(error.isRetryable)
      assert.strictEqual(
        success(yield* finish(runs.waitForCompletion(id, { resolveOnFailure: true }))).status,
        "failed"
      )
    }))

  for (const status of [300, 305, 306]) {
    it.effect(`${status} is named, and is not reported as a redirect`, () =>
      Effect.gen(function*() {
        const { client } = answering(() => new Response(null, { status }))
        const { runs } = yield* spineOn(client)
        const error = yield* Effect.flip(runs.retrieve(id))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, String(status))
        assert.notInclude(error.message, "redirect")
      }))
  }

  for (const status of [301, 302, 303, 307, 308]) {
    it.effect(`${status} is a redirect, with the host that it leads to`, () =>
      Effect.gen(function*() {
        const { client } = answering(() =>
          new Response(null, { status, headers: { location: "https://login.test/x" } })
        )
        const { runs } = yield* spineOn(client)
        const exit = yield* Effect.exit(runs.retrieve(id))
        assert.isTrue(Exit.isFailure(exit))
        const error = yield* Effect.flip(runs.create({ prompt: "x" }))
        assert.include(error.message, "redirects to https://login.test")
        assert.strictEqual(error._tag, status >= 307 ? "InvalidResponseError" : "CreateOutcomeUnknownError")
      }))
  }

  it.effect("a redirect to an address that is not http is reported without the address", () =>
    Effect.gen(function*() {
      for (const location of ["javascript:planted()", "data:text/plain,planted"]) {
        const { client } = answering(() => new Response(null, { status: 302, headers: { location } }))
        const { runs } = yield* spineOn(client)
        const error = yield* Effect.flip(runs.retrieve(id))
        assert.strictEqual(error._tag, "InvalidResponseError")
        assert.include(error.message, "redirects to an address that is not one of http or https")
        assert.notInclude(error.message, "planted")
      }
    }))
})

describe("E7: the key in every form that a server may echo", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64")
  const echoes: ReadonlyArray<readonly [string, string]> = [
    ["unchanged", key],
    ["URL-encoded", encodeURIComponent(key)],
    ["URL-encoded in lower case", encodeURIComponent(key).replaceAll(/%../g, (code) => code.toLowerCase())],
    ["HTML-escaped", key.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")],
    ["in JSON in JSON", JSON.stringify(JSON.stringify(key))],
    ["in base64", base64(key)],
    ["in base64 after one byte", base64(`:${key}`)],
    ["in base64 between other bytes", base64(`ab${key};c`)],
    ["as a password of Basic", base64(`user:${key}`)],
    ["in base64url", Buffer.from(`x${key}`).toString("base64url")]
  ]
  /** The texts that must not appear: the key, or a part of it that is long enough to guess the rest. */
  const leaks = (text: string) =>
    text.includes("http_secret") || text.includes(base64(key).slice(8, 28)) ||
    [1, 2].some((offset) => text.includes(base64(`${"x".repeat(offset)}${key}`).slice(8, 28)))

  for (const [how, echo] of echoes) {
    it.effect(`is not in an error, which logs and spans show, when it is echoed ${how}`, () =>
      Effect.gen(function*() {
        assert.isTrue(leaks(echo) || echo.includes("http%5fsecret"), "the test finds the unredacted echo")
        const shown: Array<string> = []
        const { client } = answering(({ index }) =>
          [
            json({ success: false, error: `bad key ${echo}`, details: [echo] }, 401),
            new Response(`<html>${echo}</html>`, { status: 502, headers: { "content-type": `text/html; x=${echo}` } }),
            new Response(null, { status: 302, headers: { location: `https://login.test/?k=${echo}` } }),
            Object.assign(new Error(`connect to proxy with ${echo}`), { code: "ECONNRESET" }),
            json({ success: true, data: { run_id: id, status: "failed", errors: [{ error: `used ${echo}` }] } })
          ][index % 5]!
        )
        const { runs } = yield* spineOn(client, { retry: Schedule.recurs(0) })
        for (let call = 0; call < 5; call++) {
          const error = yield* Effect.flip(call === 4 ? runs.waitForCompletion(id) : runs.retrieve(id))
          shown.push(
            inspect(error, { depth: 12 }),
            JSON.stringify(error),
            error.message,
            Cause.pretty(Cause.fail(error))
          )
        }
        assert.deepStrictEqual(shown.filter(leaks), [])
        assert.strictEqual(shown.length, 20)
      }))
  }

  it.effect("is not in the output of a run that succeeded", () =>
    Effect.gen(function*() {
      const { client } = answering(() =>
        json({
          success: true,
          data: {
            run_id: id,
            status: "completed",
            result: { final_output: echoes.map(([, echo]) => echo).join(" "), artifacts: [] }
          }
        })
      )
      const { runs } = yield* spineOn(client)
      assert.isFalse(leaks(inspect(yield* runs.waitForCompletion(id), { depth: 9 })))
    }))

  it.effect("leaves a text that resembles a short key unchanged", () =>
    Effect.gen(function*() {
      const { client } = answering(() => json({ success: false, error: "a test in dGVzdA== and %74est" }, 400))
      const { runs } = yield* spineOn(client, { apiKey: Redacted.make("te") })
      const error = yield* Effect.flip(runs.retrieve(id))
      assert.include(error.message, "dGVzdA==")
    }))
})
