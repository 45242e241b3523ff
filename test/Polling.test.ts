import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Pull, Schedule, Schema } from "effect"
import { Polling, RunError, RunRef } from "canvas-runs"

const state: Polling.PollState = {
  ref: RunRef.make({ provider: "test", kind: "run", id: "1" }),
  snapshot: undefined,
  progress: undefined,
  polls: 1,
  failures: 0,
  elapsed: Duration.zero,
  age: undefined,
  estimate: undefined,
  remaining: Duration.infinity
}

/** The first delays of a schedule, in milliseconds. */
const delays = <E>(schedule: Polling.PollSchedule<unknown, E>, count: number) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    const all: Array<number> = []
    for (let i = 0; i < count; i++) {
      const [, delay] = yield* Pull.catchDone(step(0, state), () => Effect.die("the schedule has ended"))
      all.push(Duration.toMillis(delay))
    }
    return all
  })

describe("schedules", () => {
  it.effect("fixed keeps its interval", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(Polling.fixed("5 seconds"), 3), [5000, 5000, 5000])
    }))

  it.effect("backoff grows by its factor up to its maximum", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* delays(Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute", jitter: false }), 6),
        [15_000, 22_500, 33_750, 50_625, 60_000, 60_000]
      )
      assert.deepStrictEqual(yield* delays(Polling.backoff({ jitter: false }), 6), [
        2000,
        4000,
        8000,
        16_000,
        30_000,
        30_000
      ])
    }))

  const Positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))

  it.effect.prop(
    "backoff with jitter stays within a fifth of itself, and never turns into a hot loop",
    [Positive, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })), Positive],
    ([initial, factor, max]) =>
      Effect.gen(function*() {
        const plain = yield* delays(Polling.backoff({ initial, factor, max, jitter: false }), 400)
        const jittered = yield* delays(Polling.backoff({ initial, factor, max }), 400)
        for (const [index, delay] of jittered.entries()) {
          assert.isAtLeast(delay, plain[index]! * 0.799)
          assert.isAtMost(delay, plain[index]! * 1.201)
        }
        assert.isAtMost(Math.max(...plain), max)
        assert.isAbove(Math.min(...plain), 0)
      })
  )
})

describe("makePolicy", () => {
  const defaults = { pollInterval: "5 seconds", timeout: "15 minutes" } as const

  it.effect("fills in what is left out", () =>
    Effect.gen(function*() {
      const policy = yield* Polling.makePolicy("test", undefined, defaults)
      assert.strictEqual(Duration.toMinutes(policy.timeout), 15)
      assert.strictEqual(policy.errorBudget, 5)
      assert.strictEqual(Duration.toSeconds(policy.notFoundGrace), 30)
      assert.strictEqual(Duration.toSeconds(policy.retryAfterCeiling), 60)
      assert.deepStrictEqual(yield* delays(policy.schedule, 2), [5000, 5000])
    }))

  it.effect.prop(
    "takes any number for a duration or says that it is none",
    [Schema.Number],
    ([timeout]) =>
      Effect.gen(function*() {
        const result = yield* Effect.result(Polling.makePolicy("test", { timeout }, defaults))
        if (timeout >= 1) assert.strictEqual(result._tag, "Success")
        else if (result._tag === "Failure") assert.instanceOf(result.failure, RunError.BadRequestError)
        else assert.isAbove(timeout, 0)
      })
  )
})
