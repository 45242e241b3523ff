import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Pull, Random, Schedule, Schema } from "effect"
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

/** The first delays of a schedule, in milliseconds, in the state that each poll leaves behind. */
const delays = <E>(
  schedule: Polling.PollSchedule<unknown, E>,
  count: number,
  stateOf: (polls: number) => Polling.PollState = (polls) => ({ ...state, polls })
) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    const all: Array<number> = []
    for (let polls = 1; polls <= count; polls++) {
      const [, delay] = yield* Pull.catchDone(step(0, stateOf(polls)), () => Effect.die("the schedule has ended"))
      all.push(Duration.toMillis(delay))
    }
    return all
  })

/** The same by the function that the schedule carries. */
const delaysUnstepped = (
  schedule: Polling.PollSchedule,
  count: number,
  stateOf: (polls: number) => Polling.PollState = (polls) => ({ ...state, polls })
) =>
  Effect.gen(function*() {
    const delay = Polling.delayOf(schedule) ?? assert.fail("it carries no function")
    const all: Array<number> = []
    for (let polls = 1; polls <= count; polls++) all.push(delay(stateOf(polls), yield* Random.next))
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

  it.effect.prop(
    "give the same delays whether they are stepped or asked",
    [Positive, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })), Schema.String],
    ([millis, factor, seed]) =>
      Effect.gen(function*() {
        for (
          const schedule of [
            Polling.fixed(millis),
            Polling.backoff({ initial: millis, factor }),
            Polling.backoff({ initial: millis, factor, jitter: false }),
            Polling.make(({ polls }, random) => Duration.millis(millis * polls * random))
          ]
        ) {
          const stepped = yield* Random.withSeed(delays(schedule, 20), seed)
          const asked = yield* Random.withSeed(delaysUnstepped(schedule, 20), seed)
          // A Duration holds whole nanoseconds
          for (const [index, delay] of asked.entries()) assert.closeTo(delay, stepped[index]!, 1e-6)
        }
      })
  )

  it.effect("make asks its function about the run", () =>
    Effect.gen(function*() {
      const eager = Polling.make(({ progress }) =>
        progress !== undefined && progress.completed >= progress.total * 0.9 ? "5 seconds" : "30 seconds"
      )
      const all = yield* delays(
        eager,
        4,
        (polls) => ({ ...state, polls, progress: { completed: 7 + polls, total: 10 } })
      )
      assert.deepStrictEqual(all, [30_000, 5000, 5000, 5000])
    }))

  it.effect("make takes for zero what is no time at all", () =>
    Effect.gen(function*() {
      for (const nothing of [Number.NaN, -1, Number.NEGATIVE_INFINITY, Duration.millis(-5)]) {
        assert.deepStrictEqual(yield* delays(Polling.make(() => nothing), 2), [0, 0])
        assert.deepStrictEqual(yield* delaysUnstepped(Polling.make(() => nothing), 2), [0, 0])
      }
      assert.deepStrictEqual(yield* delays(Polling.make(() => Infinity), 1), [Infinity])
    }))

  it.effect("combine as any schedule does, and then carry no function", () =>
    Effect.gen(function*() {
      const twice = Polling.fixed("1 second").pipe(Schedule.upTo({ times: 2 }))
      const backoff = Polling.backoff({ initial: "2 seconds", jitter: false })
      const growing = Polling.make(({ polls }) => polls * 500)
      const combined = [
        [Schedule.concat(twice, backoff), [1000, 1000, 2000, 4000, 8000]],
        [Schedule.max([backoff, Polling.fixed("5 seconds")]), [5000, 5000, 8000, 16_000, 30_000]],
        [Schedule.min([growing, Polling.fixed("1 second")]), [500, 1000, 1000, 1000, 1000]]
      ] as const
      for (const [schedule, expected] of combined) {
        assert.deepStrictEqual(yield* delays(schedule, 5), [...expected])
        assert.isUndefined(Polling.delayOf(schedule))
      }
    }))

  it("refuse options that make no sense, and name them", () => {
    const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
      [() => Polling.fixed(0), /^interval is 0; /],
      [() => Polling.fixed(Number.NaN), /^interval is NaN; /],
      [() => Polling.fixed("5 parsecs" as Duration.Input), /^interval is 5 parsecs; /],
      [() => Polling.backoff({ initial: -1 }), /^initial is -1; /],
      [() => Polling.backoff({ max: "0 seconds" }), /^max is 0 seconds; /],
      [() => Polling.backoff({ factor: 0.5 }), /^factor is 0\.5; /],
      [() => Polling.backoff({ factor: Number.NaN }), /^factor is NaN; /]
    ]
    for (const [construct, message] of refused) {
      assert.throws(construct, RangeError, message)
    }
  })
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
