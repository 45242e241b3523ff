import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Fault from "../../src/testing/Fault.ts"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as spine from "./spine.ts"

const control = SpineEmulator.SpineEmulator
const prompt = spine.part("prompt", "Compare three vector databases")
const emulated = Effect.provide(SpineEmulator.layerTest())
const nowhere = "/v1/run/00000000-0000-4000-8000-000000000000"

const transportCode = (error: HttpClientError.HttpClientError) =>
  error.reason._tag === "TransportError" ? (error.reason.cause as { code: string }).code : error.reason._tag

const poll = Effect.map(spine.get(nowhere), (response) => response.status)

describe("faults in memory", () => {
  it.effect("hit the matching requests, after the spared ones, as often as configured", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run/"), Fault.skip(1), Fault.times(2)))
      assert.strictEqual((yield* spine.create([prompt])).status, 200)
      assert.deepStrictEqual(yield* Effect.all([poll, poll, poll, poll]), [404, 503, 503, 404])
    }).pipe(emulated))

  it.effect("apply one per request, in the order they were added", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.status(500), Fault.status(502).pipe(Fault.times(2)))
      assert.deepStrictEqual(yield* Effect.all([poll, poll, poll, poll]), [500, 502, 502, 404])
    }).pipe(emulated))

  it.effect("apply without limit if configured so, until they are cleared", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.status(500).pipe(Fault.times(Infinity)))
      assert.deepStrictEqual(yield* Effect.all([poll, poll, poll]), [500, 500, 500])
      yield* emulator.clearFaults
      assert.strictEqual(yield* poll, 404)
    }).pipe(emulated))

  it.effect("answer in the provider's envelope unless they bring a body, and always with a request id", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(
        Fault.status(500),
        Fault.status(402),
        Fault.status(418),
        Fault.status(503, { body: { detail: "x" } })
      )
      const answers = yield* Effect.all(Array.from({ length: 4 }, () => spine.raw(spine.get(nowhere))))
      assert.deepStrictEqual(answers, [
        spine.refusal(500, "An internal error occurred while creating the run"),
        spine.refusal(402, "Insufficient credits"),
        spine.refusal(418, "HTTP 418"),
        { status: 503, body: { detail: "x" } }
      ])
      yield* emulator.fault(Fault.status(500), Fault.status(500, { headers: { "x-request-id": "mine" } }))
      assert.isDefined((yield* spine.get(nowhere)).headers["x-request-id"])
      assert.strictEqual((yield* spine.get(nowhere)).headers["x-request-id"], "mine")
    }).pipe(emulated))

  it.effect("L1: can answer 429 with Retry-After", () =>
    Effect.gen(function*() {
      yield* (yield* control).fault(Fault.status(429, { headers: { "retry-after": "20" } }))
      const response = yield* spine.get(nowhere)
      assert.deepStrictEqual([response.status, response.headers["retry-after"]], [429, "20"])
      assert.deepStrictEqual(yield* response.json, { success: false, error: "Too many requests" })
    }).pipe(emulated))

  it.effect("can send an HTML page with 200, no body at all, and truncated JSON", () =>
    Effect.gen(function*() {
      yield* (yield* control).fault(Fault.html("<h1>Sign in</h1>"), Fault.empty(), Fault.truncate(10))
      const html = yield* spine.get(nowhere)
      assert.deepStrictEqual(
        [html.status, html.headers["content-type"], yield* html.text],
        [200, "text/html; charset=utf-8", "<h1>Sign in</h1>"]
      )
      const empty = yield* spine.get(nowhere)
      assert.deepStrictEqual([empty.status, yield* empty.text], [200, ""])
      const cut = yield* spine.get(nowhere)
      assert.deepStrictEqual(
        [cut.status, cut.headers["content-type"], cut.headers["content-length"], yield* cut.text],
        [404, "application/json", "10", `{"success"`]
      )
    }).pipe(emulated))

  it.effect("T3: can create a run and then answer 500", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.handleThenStatus(500).pipe(Fault.on("POST")))
      assert.strictEqual((yield* spine.create([prompt])).status, 500)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(emulated))

  it.effect("can delay a request, alone or before another fault", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.delay("10 seconds"), Fault.status(503).pipe(Fault.after("5 seconds")))
      const timed = Effect.map(Effect.timed(poll), ([time, status]) => [Duration.toMillis(time), status])
      const fiber = yield* Effect.forkChild(Effect.all([timed, timed]))
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [[10_000, 404], [5000, 503]])
    }).pipe(emulated))

  it.effect("can leave a request without a response until the client gives up", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.hang)
      const fiber = yield* Effect.forkChild(Effect.timeoutOption(poll, "1 minute"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
      assert.deepStrictEqual((yield* emulator.requests).map((request) => request.status), [undefined])
    }).pipe(emulated))

  it.effect("can break the connection before the request is handled", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.drop)
      assert.strictEqual(transportCode(yield* Effect.flip(spine.create([prompt]))), "ECONNRESET")
      assert.strictEqual((yield* emulator.runs).length, 0)
    }).pipe(emulated))

  it.effect("can break the connection once the request has been handled", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.dropAfter)
      assert.strictEqual(transportCode(yield* Effect.flip(spine.create([prompt]))), "ECONNRESET")
      assert.strictEqual((yield* emulator.runs).length, 1)
      assert.deepStrictEqual((yield* emulator.requests).map((request) => request.status), [undefined])
    }).pipe(emulated))

  it.effect("can break the connection inside the response, after the configured number of bytes", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.dropInside(7), Fault.dropInside(0), Fault.dropInside(1_000_000))
      for (const [bytes, length] of [[7, 79], [0, 79], [79, 1_000_001]] as const) {
        const response = yield* spine.get(nowhere)
        const chunks: Array<Uint8Array> = []
        const exit = yield* response.stream.pipe(
          Stream.runForEach((chunk) => Effect.sync(() => chunks.push(chunk))),
          Effect.exit
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(Buffer.concat(chunks).length, bytes)
        assert.strictEqual(response.headers["content-length"], String(length))
        assert.strictEqual(response.status, 404)
      }
      yield* emulator.fault(Fault.dropInside(3))
      const error = yield* Effect.flip(Effect.flatMap(spine.get(nowhere), (response) => response.json))
      assert.strictEqual(error._tag === "HttpClientError" && error.reason._tag, "DecodeError")
    }).pipe(emulated))
})

describe("two emulators in one program", () => {
  it.effect("share no state", () =>
    Effect.gen(function*() {
      yield* spine.created()
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* spine.create([prompt], "inner")).status, 200)
        assert.strictEqual((yield* (yield* control).runs).length, 1)
      }).pipe(Effect.provide(SpineEmulator.layerTest({ apiKeys: ["inner"] })))
      assert.strictEqual((yield* (yield* control).runs).length, 1)
    }).pipe(emulated))
})

describe("the web handler", () => {
  const request = (path: string, init: RequestInit = {}) =>
    new Request(`https://spine.test${path}`, { ...init, headers: { "x-api-key": spine.key } })

  const form = () => {
    const form = new FormData()
    form.append("prompt", "Compare three vector databases")
    form.append("template", "slides")
    form.append("files", new File(["# notes"], "notes.md", { type: "text/markdown" }))
    return form
  }

  it("serves a run from its creation to its files, with only web standards", async () => {
    const { control, dispose, handler } = SpineEmulator.toWebHandler()
    const created = await (await handler(request("/v1/run", { method: "POST", body: form() }))).json()
    await Effect.runPromise(control.advance("1 hour"))
    const response = await handler(request(created.data.poll_url))
    assert.match(response.headers.get("x-request-id") ?? "", /-/)
    const { data } = await response.json()
    assert.strictEqual(data.status, "completed")
    const [artifact] = data.result.artifacts
    assert.isTrue(artifact.download_url.startsWith("https://spine.test/_artifacts/"))
    const file = await handler(new Request(artifact.download_url))
    assert.strictEqual((await file.arrayBuffer()).byteLength, artifact.size_bytes)
    const [run] = await Effect.runPromise(control.runs)
    assert.deepStrictEqual(run?.request.files.map((file) => [file.name, file.contentType, file.size]), [
      ["notes.md", "text/markdown", 7]
    ])
    await dispose()
  })

  it("can delay the response to a request that it has handled at once", async () => {
    const { control, handler } = SpineEmulator.toWebHandler()
    await Effect.runPromise(control.fault(Fault.answerLate("1 hour")))
    const controller = new AbortController()
    const late = handler(request("/v1/run", { method: "POST", body: form(), signal: controller.signal }))
      .then(() => "answered", () => "rejected")
    while ((await Effect.runPromise(control.runs)).length === 0) await new Promise(setImmediate)
    controller.abort()
    assert.strictEqual(await late, "rejected")
  })

  it("refuses a POST without a body", async () => {
    const { handler } = SpineEmulator.toWebHandler()
    assert.strictEqual((await handler(request("/v1/run", { method: "POST" }))).status, 400)
  })

  it("rejects when the connection drops, and fails in the body when it drops there", async () => {
    const { control, handler } = SpineEmulator.toWebHandler()
    await Effect.runPromise(control.fault(Fault.drop, Fault.dropInside(4)))
    const failure = await handler(request(nowhere)).then(() => assert.fail(), (error: unknown) => error)
    assert.instanceOf(failure, TypeError)
    assert.strictEqual((failure.cause as { code: string }).code, "ECONNRESET")
    const response = await handler(request(nowhere))
    assert.strictEqual(response.status, 404)
    const reader = response.body!.getReader()
    assert.strictEqual((await reader.read()).value?.length, 4)
    const inside = await reader.read().then(() => assert.fail(), (error: unknown) => error)
    assert.strictEqual((inside as { code: string }).code, "ECONNRESET")
  })

  it("stops when its signal aborts or when it is disposed", async () => {
    const { control, dispose, handler } = SpineEmulator.toWebHandler()
    await Effect.runPromise(control.fault(Fault.hang.pipe(Fault.times(2))))
    const controller = new AbortController()
    const aborted = handler(request(nowhere, { signal: controller.signal })).then(() => "answered", () => "rejected")
    const disposed = handler(request(nowhere)).then(() => "answered", () => "rejected")
    controller.abort()
    assert.strictEqual(await aborted, "rejected")
    await dispose()
    assert.strictEqual(await disposed, "rejected")
  })
})
