import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as Timeline from "../../src/testing/Timeline.ts"
import * as spine from "./spine.ts"

const { emulated, file, other, prompt, raw, refusal } = spine
const control = SpineEmulator.SpineEmulator

describe("the emulator", () => {
  it.effect("R10: answers 404 for an unknown route", () =>
    Effect.gen(function*() {
      for (
        const path of [
          "/",
          "/v1",
          "/v1/runs",
          "/v2/run",
          `/v1/run/${other}/cancel`,
          `/v1/canvas/${other}`,
          `/v1/canvas/${other}/dag/x`,
          `/v1/canvas/${other}/tasks/${other}/x`,
          "/_artifacts/x"
        ]
      ) {
        assert.deepStrictEqual(yield* raw(spine.get(path)), refusal(404, "Not found"))
      }
    }).pipe(emulated()))

  it.effect("R10: answers 405 for an unknown method", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      assert.deepStrictEqual(yield* raw(spine.get("/v1/run")), refusal(405, "Method not allowed"))
      const response = yield* http.execute(HttpClientRequest.delete(`${spine.origin}/v1/run/${other}`))
      assert.deepStrictEqual([response.status, response.headers["allow"]], [405, "GET"])
    }).pipe(emulated()))

  it.effect("treats other origins as unknown hosts", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(spine.get("https://staging.getspine.ai/v1/run"))
      if (error._tag !== "HttpClientError" || error.reason._tag !== "TransportError") return assert.fail(String(error))
      assert.strictEqual((error.reason.cause as { code: string }).code, "ENOTFOUND")
    }).pipe(emulated()))

  it.effect("serves the origins in the options", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      assert.strictEqual((yield* http.post("https://staging.getspine.ai/v1/run")).status, 401)
    }).pipe(emulated({ origin: "https://staging.getspine.ai" })))

  it.effect("records each request: method, path, headers, form, status and time", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* TestClock.adjust("1 second")
      const { run_id } = yield* spine.created(file("a.md", "# a", "text/markdown"))
      yield* spine.get(`/v1/run/${other}?x=1`)
      const [create, poll] = yield* emulator.requests
      assert.deepStrictEqual(
        [create?.method, create?.path, create?.status, create?.receivedAt],
        ["POST", "/v1/run", 200, 1000]
      )
      assert.strictEqual(create?.headers["x-api-key"], spine.key)
      assert.strictEqual(create?.headers["host"], "api.getspine.ai")
      assert.deepStrictEqual(create?.fields, { prompt: "Compare three vector databases" })
      assert.deepStrictEqual(create?.files.map((file) => [file.name, file.contentType, file.size]), [[
        "a.md",
        "text/markdown",
        3
      ]])
      assert.deepStrictEqual(
        [poll?.method, poll?.path, poll?.url, poll?.status],
        ["GET", `/v1/run/${other}`, `${spine.origin}/v1/run/${other}?x=1`, 404]
      )
      const [run] = yield* emulator.runs
      assert.deepStrictEqual([run?.id, run?.apiKey, run?.createdAt, run?.polls], [run_id, spine.key, 1000, 0])
      yield* emulator.clearRequests
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(emulated()))

  it.effect("generates the same ids from the same seed", () =>
    Effect.gen(function*() {
      const ids = Effect.map(spine.created(), (run) => run.run_id).pipe(emulated(), Random.withSeed("seed"))
      assert.strictEqual(yield* ids, yield* ids)
    }))

  it.effect("runs ninety minutes on the TestClock, with the exact number of polls", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }) })
      const { run_id } = yield* spine.created()
      const fiber = yield* spine.run(run_id).pipe(
        Effect.repeat({ schedule: Schedule.spaced("5 seconds"), until: (run) => run.status !== "running" }),
        Effect.forkChild
      )
      yield* TestClock.setTime(90 * 60_000 - 1)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const run = yield* Fiber.join(fiber)
      assert.strictEqual(run.status, "completed")
      assert.strictEqual((yield* emulator.requests).length, 1 + 90 * 12 + 1)
    }).pipe(emulated()))

  it.effect("reads uploads that are bytes or streams without leaving the TestClock", () =>
    Effect.gen(function*() {
      const bytes = spine.multipart([prompt, file("a.txt", new Uint8Array(300_000))])
      const chunks = Stream.fromIterable([
        bytes.subarray(0, 100),
        bytes.subarray(100, 200_000),
        bytes.subarray(200_000)
      ])
      const create = spine.post(HttpBody.stream(chunks, spine.multipartType)).pipe(Effect.delay("1 hour"))
      const fiber = yield* Effect.forkChild(create.pipe(Effect.andThen(Effect.sleep("1 hour"))))
      yield* TestClock.adjust("2 hours")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual((yield* (yield* control).runs).map((run) => run.createdAt), [3_600_000])
    }).pipe(emulated()))
})
