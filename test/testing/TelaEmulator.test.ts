import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as TestClock from "effect/testing/TestClock"
import * as Fault from "../../src/testing/Fault.ts"
import * as TelaEmulator from "../../src/testing/TelaEmulator.ts"
import * as tela from "./tela.ts"

const { completions, emulated, other, refusal } = tela
const control = TelaEmulator.TelaEmulator

describe("every response", () => {
  it.effect("rule 1: an error has its status, a code, a message and its name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("GET", `${completions}/${other}`)),
        tela.errorResponse(404, "NOT_FOUND", `Run not found: ${other}`)
      )
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("GET", "/nowhere")),
        tela.errorResponse(404, "NOT_FOUND", "There is nothing here")
      )
      const put = yield* tela.send("PUT", "/task")
      assert.deepStrictEqual([put.status, put.headers["allow"]], [405, "POST, GET"])
    }).pipe(emulated()))

  it.effect("rule 1: an error of a fault has the same members, and 429 has Retry-After (assumption 19)", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.status(402), Fault.status(418), Fault.status(429))
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("POST", "/task")),
        tela.errorResponse(402, "USAGE_LIMIT_REACHED", "The workspace has reached its monthly usage limit")
      )
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("GET", "/task")),
        tela.errorResponse(418, "HTTP_418", "HTTP 418")
      )
      const slow = yield* tela.send("GET", "/task")
      assert.deepStrictEqual([slow.status, slow.headers["retry-after"]], [429, "1"])
    }).pipe(emulated()))

  it.effect("rule 2: has a unique x-request-id, also for errors and streams", () =>
    Effect.gen(function*() {
      const body = { canvas_id: tela.canvasId }
      const answers = [
        yield* tela.send("POST", completions, { body }),
        yield* tela.send("POST", completions, { body: { ...body, stream: true } }),
        yield* tela.send("POST", completions, { body: {} }),
        yield* tela.send("GET", "/nowhere", { authorization: null })
      ]
      const ids = answers.map((response) => response.headers["x-request-id"])
      assert.strictEqual(new Set(ids).size, 4)
      assert.deepStrictEqual(ids, (yield* (yield* control).requests).map((request) => request.id))
    }).pipe(emulated()))
})

describe("authentication", () => {
  it.effect("rule 5: accepts any bearer key or data token, and nothing else outside the vault", () =>
    Effect.gen(function*() {
      const answer = (authorization: string | null, headers = {}) =>
        Effect.map(tela.send("GET", "/api-key", { authorization, headers }), (response) => response.status)
      assert.strictEqual(yield* answer("Bearer x"), 200)
      assert.strictEqual(yield* answer("bearer eyJ.a.b"), 200)
      assert.strictEqual(yield* answer(null, { "x-data-token": "x" }), 200)
      assert.strictEqual(yield* answer(null), 401)
      assert.strictEqual(yield* answer("x"), 401)
      assert.strictEqual(yield* answer("Basic x"), 401)
      assert.strictEqual(yield* answer("Bearer "), 401)
      assert.strictEqual(yield* answer(null, { "x-data-token": "" }), 401)
      assert.deepStrictEqual(
        yield* refusal("GET", "/api-key", { authorization: null }),
        [401, "UNAUTHORIZED", "An API key is required"]
      )
    }).pipe(emulated()))

  it.effect("accepts only configured keys, if there are any, until they are revoked", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const answer = (key: string) =>
        Effect.map(tela.send("GET", "/api-key", { authorization: `Bearer ${key}` }), (response) => response.status)
      assert.deepStrictEqual([yield* answer("a"), yield* answer("b"), yield* answer("c")], [200, 200, 401])
      yield* emulator.revokeKey("a")
      yield* emulator.revokeKey("b", { after: "5 minutes" })
      assert.deepStrictEqual([yield* answer("a"), yield* answer("b")], [401, 200])
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* answer("b"), 401)
    }).pipe(emulated({ apiKeys: ["a", "b"] })))

  it.effect("checks the key before the body", () =>
    Effect.gen(function*() {
      const [status] = yield* refusal("POST", completions, { text: "{", authorization: null })
      assert.strictEqual(status, 401)
    }).pipe(emulated()))
})

describe("scripts", () => {
  it.effect("apply to the runs created after them, and override the canvas and the options", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const { id } = yield* emulator.canvas({ script: () => ({ output: "canvas" }) })
      const content = (body: tela.Json) => Effect.map(tela.run(body), (run) => run.choices[0].message.content)
      assert.strictEqual(yield* content({}), "options")
      assert.strictEqual(yield* content({ canvas_id: id }), "canvas")
      yield* emulator.script(({ variables }) => variables.x === 1 ? { output: "script" } : { output: undefined })
      assert.strictEqual(yield* content({ canvas_id: id, variables: { x: 1 } }), "script")
      assert.strictEqual(yield* content({ canvas_id: id }), "canvas")
    }).pipe(emulated({ script: { output: "options" } })))
})

describe("the emulator in memory", () => {
  it.effect("serves only its own origins", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      const error = yield* Effect.flip(http.get("https://elsewhere.example/"))
      assert.match(String(error.reason), /TransportError/)
      assert.strictEqual((yield* http.get("https://tela.test/api-key")).status, 401)
    }).pipe(emulated({ origin: "https://tela.test" })))

  it("is a function from a web request to a promise of a response", async () => {
    const { control, dispose, handler } = TelaEmulator.toWebHandler()
    const headers = { authorization: "Bearer x" }
    const post = (body?: unknown) =>
      handler(
        new Request(`${tela.origin}${completions}`, {
          method: "POST",
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
      )
    assert.strictEqual((await post()).status, 400)
    const { id } = await (await post({ canvas_id: tela.canvasId, async: true })).json()
    await Effect.runPromise(control.advance("5 seconds"))
    const run = await (await handler(new Request(`${tela.origin}${completions}/${id}`, { headers }))).json()
    assert.strictEqual(run.status, "succeeded")
    await dispose()
  })
})
