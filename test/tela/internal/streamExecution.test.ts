import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Redacted, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, Tela } from "canvas-runs"
import { Fault } from "canvas-runs/testing"
import { failure, finish, success } from "../../support/results.ts"
import { apiKey, canvasId, live, setup } from "../../support/tela.ts"
import { serve } from "../../support/servers.ts"

const Invoice = Schema.Struct({ total: Schema.Number })

const start = (params?: Tela.StreamParams<false>) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    yield* emulator.script({
      output: { total: 42 },
      stream: { pause: "1 second", pieces: ["{\"total\"", ": 42", "}"] }
    })
    const canvas = tela.canvas.make({ id: canvasId, output: Invoice })
    return { emulator, execution: yield* canvas.execute({ a: 1 }, { ...params, stream: true }) }
  })

/** A server on a socket that sends one chunk and then nothing, and reports the close of its connection. */
const silent = Effect.gen(function*() {
  const closed = yield* Latch.make()
  const { baseUrl } = yield* serve((_, response) => {
    response.on("close", () => closed.openUnsafe())
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "a" } }] })}\n\n`)
  })
  return { baseUrl, closed }
})

describe("over fetch", () => {
  for (const how of ["cancel", "taking one part", "interruption"] as const) {
    it.live(`F11: ${how} closes the socket of a streamed execution`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { baseUrl, closed } = yield* silent
        const tela = yield* Tela.make({ apiKey: Redacted.make(apiKey), baseUrl })
        const execution = yield* tela.canvas.make({ id: canvasId }).execute({}, { stream: true })
        const arrived = yield* Latch.make()
        const parts = how === "taking one part" ? Stream.take(execution.result, 1) : execution.result
        const reader = yield* Effect.forkChild(Effect.exit(Stream.runForEach(parts, () => arrived.open)))
        yield* arrived.await
        if (how === "cancel") yield* execution.cancel
        if (how === "interruption") yield* Fiber.interrupt(reader)
        yield* closed.await
        assert.strictEqual(yield* execution.status, "failed")
      })).pipe(Effect.provide(FetchHttpClient.layer)))
  }
})

describe("execute with stream: true", () => {
  it.effect("sends nothing until its result is pulled, and then one request", () =>
    Effect.gen(function*() {
      const { emulator, execution } = yield* start({ tags: ["a"] })
      expectTypeOf(execution).toEqualTypeOf<Tela.StreamExecution<{ readonly total: number }>>()
      assert.deepStrictEqual([execution.isSync, execution.isAsync, execution.isStream], [false, false, true])
      assert.deepStrictEqual(execution.variables, { a: 1 })
      assert.deepStrictEqual(execution.params.tags, ["a"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* emulator.requests, [])
      assert.strictEqual(yield* execution.status, "created")
      assert.strictEqual(yield* execution.requestId, undefined)

      const reader = yield* Effect.forkChild(Stream.runCollect(execution.result))
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual(yield* execution.status, "streaming")
      yield* TestClock.adjust("1 minute")
      const last = (yield* Fiber.join(reader)).at(-1)!
      assert.deepStrictEqual(last._tag === "final" ? last.result : last, { total: 42 })
      assert.strictEqual(yield* execution.status, "succeeded")
      const [request, ...others] = yield* emulator.requests
      assert.deepStrictEqual([request!.path, others], ["/v2/chat/completions", []])
      assert.strictEqual(yield* execution.requestId, request!.id)
    }).pipe(Effect.provide(live())))

  it.effect("a second run of the result is a BadRequestError and sends nothing, also after a failure or at the same time", () =>
    Effect.gen(function*() {
      const again = (execution: Tela.StreamExecution<unknown>) =>
        Effect.forEach(
          [Stream.runDrain(execution.result), Effect.asVoid(execution.rawResult)],
          (run) => Effect.map(finish(run), failure)
        )
      for (const breaks of [false, true]) {
        const { emulator, execution } = yield* start()
        if (breaks) yield* emulator.fault(Fault.status(503))
        const both = yield* finish(
          Effect.all([Effect.exit(Stream.runDrain(execution.result)), Effect.exit(execution.rawResult)], {
            concurrency: 2
          })
        )
        const [first, second] = success(both)
        assert.strictEqual(Exit.isSuccess(first), !breaks)
        const errors = [failure(second), ...yield* again(execution)]
        for (const error of errors) {
          assert.instanceOf(error, RunError.BadRequestError)
          assert.isFalse(error.sent)
          assert.include(error.message, "canvas.stream")
        }
        assert.strictEqual((yield* emulator.requests).length, 1)
        yield* emulator.clearRequests
      }
    }).pipe(Effect.provide(live())))

  it.effect("rawResult emits the chunks unchanged, and needs no valid output", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.script({ stream: { pieces: ["no ", "JSON", { event: "usage", data: { tokens: 1 } }] } })
      const execution = yield* tela.canvas.make({ id: canvasId, output: Invoice }).execute({}, { stream: true })
      const chunks = success(yield* finish(execution.rawResult))
      assert.isAtLeast(chunks.length, 3)
      assert.deepInclude(chunks, { tokens: 1 })
      assert.isArray((chunks[0] as { choices: unknown }).choices)
      assert.strictEqual(yield* execution.status, "succeeded")
    }).pipe(Effect.provide(live())))

  it.effect("has the status failed when its output does not fit, when it breaks, and when its consumer leaves", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const canvas = tela.canvas.make({ id: canvasId, output: Invoice })
      yield* emulator.script({ stream: { pieces: ["no JSON"] } })
      const invalid = yield* canvas.execute({}, { stream: true })
      assert.instanceOf(failure(yield* finish(Stream.runDrain(invalid.result))), RunError.InvalidOutputError)
      assert.strictEqual(yield* invalid.status, "failed")
      assert.isString(yield* invalid.requestId)

      yield* emulator.fault(Fault.status(402))
      const refused = yield* canvas.execute({}, { stream: true })
      const error = failure(yield* finish(Stream.runDrain(refused.result)))
      assert.instanceOf(error, RunError.UsageLimitError)
      assert.strictEqual(yield* refused.status, "failed")
      assert.strictEqual(yield* refused.requestId, error.requestId)

      const abandoned = yield* canvas.execute({}, { stream: true })
      yield* finish(Stream.runDrain(Stream.take(abandoned.result, 1)))
      assert.strictEqual(yield* abandoned.status, "failed")

      yield* emulator.script({ output: { total: 42 } })
      const whole = yield* canvas.execute({}, { stream: true })
      yield* finish(Stream.runDrain(Stream.takeUntil(whole.result, ({ _tag }) => _tag === "final")))
      assert.strictEqual(yield* whole.status, "succeeded")
    }).pipe(Effect.provide(live())))

  it.effect("F11: cancel fails the consumer with a StreamInterruptedError that has the received parts", () =>
    Effect.gen(function*() {
      const { emulator, execution } = yield* start()
      const reader = yield* Effect.forkChild(Effect.exit(Stream.runDrain(execution.result)))
      yield* TestClock.adjust("1 second")
      yield* execution.cancel
      const error = failure(yield* Fiber.join(reader))
      assert.instanceOf(error, RunError.StreamInterruptedError)
      assert.strictEqual(error.reason, "cancelled")
      assert.isAtLeast(error.received.chunks, 1)
      assert.include(error.received.message, "{\"total\"")
      assert.strictEqual(error.requestId, (yield* emulator.requests)[0]!.id)
      assert.strictEqual(yield* execution.status, "failed")
      yield* execution.cancel
    }).pipe(Effect.provide(live())))

  for (const form of ["result", "rawResult", "canvas.stream"] as const) {
    for (const time of ["1 minute", "3 hours"] as const) {
      it.effect(`${form} ends after one adjustment of the clock by ${time}, made right after it was forked`, () =>
        Effect.gen(function*() {
          const { tela } = yield* setup
          const canvas = tela.canvas.make({ id: canvasId })
          const reading = form === "canvas.stream"
            ? Stream.runDrain(canvas.stream({ a: 1 }))
            : Effect.flatMap(
              canvas.execute({ a: 1 }, { stream: true }),
              (execution) => form === "result" ? Stream.runDrain(execution.result) : Effect.asVoid(execution.rawResult)
            )
          const reader = yield* Effect.forkChild(reading)
          yield* TestClock.adjust(time)
          success(reader.pollUnsafe() ?? Exit.die("it has not ended"))
        }).pipe(Effect.provide(live())))
    }
  }

  it.effect("F11: a stream that is cancelled before it starts is never sent", () =>
    Effect.gen(function*() {
      const { emulator, execution } = yield* start()
      yield* execution.cancel
      for (let run = 0; run < 2; run++) {
        const error = failure(yield* finish(Stream.runDrain(execution.result)))
        assert.instanceOf(error, RunError.StreamInterruptedError)
      }
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(live())))

  it.effect("F11: a cancel after the end changes nothing", () =>
    Effect.gen(function*() {
      const { execution } = yield* start()
      yield* finish(Stream.runDrain(execution.result))
      yield* execution.cancel
      assert.strictEqual(yield* execution.status, "succeeded")
    }).pipe(Effect.provide(live())))

  it.effect("canvas.stream is cold: each run is a separate execution", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const stream = tela.canvas.make({ id: canvasId }).stream({})
      yield* finish(Effect.andThen(Stream.runDrain(stream), Stream.runDrain(stream)))
      assert.strictEqual((yield* emulator.runs).length, 2)
    }).pipe(Effect.provide(live())))
})
