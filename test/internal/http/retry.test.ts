/** Repetitions of a call, or of the transfer of a file. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Duration, Effect, Exit, Fiber, Logger, Option, References, Schedule } from "effect"
import { Headers } from "effect/http"
import { TestClock } from "effect/testing"
import { type RunError } from "canvas-runs"
import { parseRetryAfter, retrying } from "../../../src/internal/http/retry.ts"
import { answering, json } from "../../support/http.ts"
import { call, failureOf, finish, make } from "./calls.ts"

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

  it.effect("is made for a response that is read piece by piece too", () =>
    Effect.gen(function*() {
      const { client: http, requests: sent } = answering(({ index }) => index === 0 ? json({}, 503) : json({}))
      yield* finish(make(http, { retry: Schedule.recurs(1) }).open(call()))
      assert.strictEqual(sent.length, 2)
    }))

  for (
    const [what, retryAfter, ceiling, millis] of [
      ["Retry-After if it is longer", "5", "1 minute", 5000],
      ["the schedule if it is longer", "1", "1 minute", 2000],
      ["the schedule alone without Retry-After", undefined, "1 minute", 2000],
      ["at most the ceiling for Retry-After", "100", "30 seconds", 30_000]
    ] as const
  ) {
    it.effect(`waits for ${what}, and logs the repetition`, () =>
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
      const defect = new Error("a schedule of the program")
      const retry = Schedule.fromStepWithMetadata(Effect.succeed(() => Effect.die(defect)))
      const exit = yield* Effect.exit(make(answering(() => json({}, 503)).client, { retry }).call(call()))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
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

describe("attempts at a transfer", () => {
  interface Failed {
    readonly isRetryable: boolean
    readonly retryAfter?: Duration.Duration
  }
  const mayRetry = (error: unknown) => typeof error === "object" && (error as Failed).isRetryable

  /** The time of each attempt, in seconds, if each fails with the error. */
  const attempts = (error: unknown) =>
    Effect.gen(function*() {
      const at: Array<number> = []
      const attempt = Effect.gen(function*() {
        at.push((yield* TestClock.testClockWith((clock) => Effect.succeed(clock.currentTimeMillisUnsafe()))) / 1000)
        return yield* Effect.fail(error)
      })
      const retry = Schedule.max([Schedule.spaced("2 seconds"), Schedule.recurs(2)])
      const fiber = yield* Effect.forkChild(
        Effect.flip(retrying(attempt, { retry, retryAfterCeiling: Duration.seconds(60) }, mayRetry))
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(fiber), error)
      return at
    })

  it.effect("follow the schedule, and wait at least the server's Retry-After, up to the ceiling", () =>
    Effect.gen(function*() {
      const after = (seconds: number) => ({ isRetryable: true, retryAfter: Duration.seconds(seconds) })
      assert.deepStrictEqual(yield* attempts({ isRetryable: true }), [0, 2, 4])
      const start = 3600
      assert.deepStrictEqual((yield* attempts(after(1))).map((at) => at - start), [0, 2, 4])
      assert.deepStrictEqual((yield* attempts(after(10))).map((at) => at - 2 * start), [0, 10, 20])
      assert.deepStrictEqual((yield* attempts(after(100))).map((at) => at - 3 * start), [0, 60, 120])
    }))

  it.effect("are not repeated after a final failure, or after an error of another kind", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* attempts({ isRetryable: false }), 1)
      assert.lengthOf(yield* attempts("of the program"), 1)
    }))
})
