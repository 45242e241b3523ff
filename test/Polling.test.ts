import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Pull, Random, Redacted, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Polling, RunError, RunRef, Spine } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { delayOf } from "../src/internal/polling/sleepingRun.ts"

const state: Polling.PollState = {
  ref: RunRef.make({ provider: "test", kind: "run", id: "1" }),
  snapshot: undefined,
  progress: undefined,
  sinceProgress: Duration.zero,
  polls: 1,
  failures: 0,
  elapsed: Duration.zero,
  age: undefined,
  estimate: undefined,
  remaining: Duration.infinity
}

/** The first delays of a schedule, in milliseconds, with the state after each poll as its input. */
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

/** The same from the function of the schedule. */
const delaysUnstepped = (
  schedule: Polling.PollSchedule,
  count: number,
  stateOf: (polls: number) => Polling.PollState = (polls) => ({ ...state, polls })
) =>
  Effect.gen(function*() {
    const delay = delayOf(schedule) ?? assert.fail("it carries no function")
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
    "backoff with jitter stays within 20 % of the delay, and never becomes a hot loop",
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
    "give the same delays when they are run step by step and when their function is called",
    [Positive, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })), Schema.String],
    ([millis, factor, seed]) =>
      Effect.gen(function*() {
        for (
          const schedule of [
            Polling.fixed(millis),
            Polling.backoff({ initial: millis, factor }),
            Polling.backoff({ initial: millis, factor, jitter: false }),
            Polling.make(({ polls }, random) => Duration.millis(millis * polls * random)),
            Polling.adaptive({ targetLatency: millis, min: 1 })
          ]
        ) {
          const stepped = yield* Random.withSeed(delays(schedule, 20), seed)
          const asked = yield* Random.withSeed(delaysUnstepped(schedule, 20), seed)
          // A Duration holds whole nanoseconds
          for (const [index, delay] of asked.entries()) assert.closeTo(delay, stepped[index]!, 1e-6)
        }
      })
  )

  it.effect("make passes the state of the run to its function", () =>
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

  it.effect("make reads a negative delay as zero, and one that is not a number as a minute", () =>
    Effect.gen(function*() {
      for (const nothing of [-1, Number.NEGATIVE_INFINITY, Duration.millis(-5)]) {
        assert.deepStrictEqual(yield* delays(Polling.make(() => nothing), 2), [0, 0])
        assert.deepStrictEqual(yield* delaysUnstepped(Polling.make(() => nothing), 2), [0, 0])
      }
      assert.deepStrictEqual(yield* delays(Polling.make(() => Number.NaN), 2), [60_000, 60_000])
      assert.deepStrictEqual(yield* delays(Polling.make(() => Infinity), 1), [Infinity])
    }))

  it.effect("combine like any schedule, and a combined one has no function", () =>
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
        assert.isUndefined(delayOf(schedule))
      }
    }))

  it("reject invalid options, and name them", () => {
    const refused: ReadonlyArray<readonly [() => unknown, RegExp]> = [
      [() => Polling.fixed(0), /^interval is 0; /],
      [() => Polling.fixed(Number.NaN), /^interval is NaN; /],
      [() => Polling.fixed("5 parsecs" as Duration.Input), /^interval is "5 parsecs"; /],
      [() => Polling.backoff({ initial: -1 }), /^initial is -1; /],
      [() => Polling.backoff({ max: "0 seconds" }), /^max is "0 seconds"; /],
      [() => Polling.backoff({ factor: 0.5 }), /^factor is 0\.5; /],
      [() => Polling.backoff({ factor: Number.NaN }), /^factor is NaN; /],
      [() => Polling.adaptive({ targetLatency: 0 }), /^targetLatency is 0; /],
      [() => Polling.adaptive({ min: -1 }), /^min is -1; /],
      [() => Polling.adaptive({ max: "soon" as Duration.Input }), /^max is "soon"; /],
      [() => Polling.adaptive({ min: "2 minutes", max: "1 minute" }), /^min is longer than max/],
      [() => Polling.adaptive({ pastDurations: ["5 minutes", 0] }), /^pastDurations is 0; /],
      [() => Polling.adaptive({ pastDurations: [Infinity] }), /^pastDurations is Infinity; it must be finite/],
      [() => Polling.adaptive({ pastDurations: 5 as never }), /^pastDurations is 5; it must be an array/],
      [() => Polling.adaptive({ latency: 5 } as never), /^"latency" is not an option/],
      [() => Polling.backoff({ inital: 5 } as never), /^"inital" is not an option. Did you mean initial\?/],
      [() => Polling.backoff(5 as never), /^options must be an object, and is 5/],
      [() => Polling.backoff({ initial: { second: 5 } as never }), /^initial is an object; /],
      [() => Polling.fixed(new Date() as never), /^interval is an object; /]
    ]
    for (const [construct, message] of refused) {
      assert.throws(construct, RangeError, message)
    }
    assert.throws(() => Polling.make(undefined as never), TypeError, /^delay is undefined; it must be a function/)
  })

  it("use a minute if a function returns no duration, as an async function does", () => {
    for (const returned of [Promise.resolve(1), {}, { second: 5 }, new Date(), "soon", null, Number.NaN]) {
      const delay = delayOf(Polling.make(() => returned as never)) ?? assert.fail("it carries no function")
      assert.strictEqual(delay(state, 0), 60_000, String(returned))
    }
    const delay = delayOf(Polling.make(() => ({ seconds: 5 }))) ?? assert.fail("it carries no function")
    assert.strictEqual(delay(state, 0), 5000)
  })
})

/** The delay in a state, in seconds, without jitter. */
const ask = (
  known: {
    readonly age?: number
    readonly estimate?: number
    readonly done?: number
    readonly of?: number
    readonly since?: number
  },
  options?: Parameters<typeof Polling.adaptive>[0]
): number => {
  const delay = delayOf(Polling.adaptive({ jitter: false, min: 1, max: Infinity, ...options })) ??
    assert.fail("it carries no function")
  return delay({
    ...state,
    elapsed: Duration.seconds(known.age ?? 0),
    age: Duration.seconds(known.age ?? 0),
    estimate: known.estimate === undefined ? undefined : Duration.seconds(known.estimate),
    progress: known.of === undefined ? undefined : { completed: known.done ?? 0, total: known.of },
    sinceProgress: Duration.seconds(known.since ?? 0)
  }, 0.5) / 1000
}

/** Asserts that each is more than the one before. */
const assertRising = (values: ReadonlyArray<number>) => {
  for (const [index, value] of values.entries()) if (index > 0) assert.isAbove(value, values[index - 1]!)
}

describe("adaptive", () => {
  const Anything = Schema.Union([
    Schema.Number,
    Schema.Int,
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1e8 }))
  ])
  const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999 }))
  const Millis = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000_000 }))

  it.effect.prop(
    "stays between its floor and its ceiling for any state",
    [Anything, Anything, Anything, Anything, Anything, Share, Millis, Millis],
    ([age, since, estimate, completed, total, random, latency, bound]) =>
      Effect.sync(() => {
        const known: Polling.PollState = {
          ...state,
          progress: { completed, total },
          sinceProgress: Duration.millis(since),
          elapsed: Duration.millis(Math.max(0, age)),
          age: Duration.millis(age),
          estimate: Duration.millis(estimate)
        }
        for (
          const state of [known, { ...known, progress: undefined }, { ...known, estimate: undefined, age: undefined }]
        ) {
          for (const pastDurations of [undefined, [bound], [latency, bound, 60_000]]) {
            const delay = delayOf(
              Polling.adaptive({ targetLatency: latency, min: bound, max: bound * 10, pastDurations })
            )!(
              state,
              random
            )
            assert.isAtLeast(delay, bound)
            assert.isAtMost(delay, bound * 10)
          }
        }
      })
  )

  it("polls rarely long before the estimated end, often around it, and rarely again long after it", () => {
    const estimate = 900
    const before = [0.2, 0.4, 0.6, 0.8, 1].map((share) => ask({ age: share * estimate, estimate }))
    assertRising(before.toReversed())
    assert.isAbove(before[0]!, 15)
    assert.isBelow(before.at(-1)!, 6)
    assertRising([3, 6, 12, 24].map((times) => ask({ age: times * estimate, estimate })))
  })

  it("polls more often as tasks complete, and slows down when they take longer", () => {
    const known = { age: 600, of: 12 }
    for (const estimate of [undefined, 900] as const) {
      const estimated = estimate === undefined ? known : { ...known, estimate }
      assertRising([11, 10, 8, 6, 4, 2, 0].map((done) => ask({ ...estimated, done })))
      assertRising([300, 600, 1200, 2400].map((age) => ask({ ...estimated, age, done: 6 })))
    }
    assert.isBelow(ask({ ...known, estimate: 900, done: 11 }), 5)
  })

  it("returns to the estimate when progress stalls", () => {
    const estimate = 900
    const alone = ask({ age: 900, estimate })
    for (const done of [0, 3, 8]) {
      const stuck = [0, 300, 900].map((since) => ask({ age: 900, estimate, done, of: 12, since }))
      assertRising(stuck.toReversed())
      assert.isAbove(stuck[0]!, alone * 3)
      assert.isBelow(stuck.at(-1)!, alone * 1.3)
    }
  })

  it("uses the age of the wait if the creation time is unknown or in the future", () => {
    const delay = delayOf(Polling.adaptive({ jitter: false }))!
    const known: Polling.PollState = { ...state, elapsed: Duration.seconds(900), estimate: Duration.seconds(900) }
    assert.strictEqual(delay(known, 0), delay({ ...known, age: Duration.seconds(900) }, 0))
    assert.strictEqual(delay(known, 0), delay({ ...known, age: Duration.zero }, 0))
  })

  it("with two groups of past durations, polls often near each and rarely between them", () => {
    const pastDurations = Array.from(
      { length: 50 },
      (_, index) => `${index % 2 === 0 ? 60 + index : 1200 + 8 * index} seconds` as const
    )
    const [first, between, second] = [80, 300, 1400].map((age) => ask({ age, estimate: 300 }, { pastDurations }))
    assert.isAbove(between!, first! * 10)
    assert.isAbove(between!, second! * 5)
    // Longer than any of them: the end is unknown again
    assertRising([6, 12, 24].map((hours) => ask({ age: hours * 3600 }, { pastDurations })))
  })

  it("waits for a sudden rise of the hazard, because polls on the way would see almost no end", () => {
    const pastDurations = Array.from({ length: 30 }, (_, index) => Duration.seconds(600 + index / 15))
    const first = ask({ age: 0 }, { pastDurations, targetLatency: "15 seconds" })
    assert.isAbove(first, 540)
    assert.isBelow(first, 660)
  })

  it("polls less often for a longer target latency", () => {
    for (const known of [{}, { age: 300 }, { age: 900, estimate: 900 }, { age: 600, done: 9, of: 12 }]) {
      assertRising([0.5, 2.5, 10, 60].map((latency) => ask(known, { targetLatency: latency * 1000 })))
    }
  })

  /** Follows runs to their ends. Returns the mean number of polls, and the mean detection latency. */
  const follow = (
    schedule: Polling.PollSchedule,
    runs: ReadonlyArray<{ readonly tasks: ReadonlyArray<number>; readonly isTold: boolean }>,
    estimate: number | undefined
  ) =>
    Effect.gen(function*() {
      const delay = delayOf(schedule) ?? assert.fail("it carries no function")
      let [polls, late] = [0, 0]
      for (const { isTold, tasks } of runs) {
        const length = tasks.at(-1)!
        let [now, done, since] = [0, 0, 0]
        for (polls++; now < length; polls++) {
          now += delay({
            ...state,
            elapsed: Duration.seconds(now),
            sinceProgress: Duration.seconds(now - since),
            estimate: estimate === undefined ? undefined : Duration.seconds(estimate),
            progress: isTold ? { completed: done, total: tasks.length } : undefined
          }, yield* Random.next) / 1000
          const before = done
          while (done < tasks.length && tasks[done]! <= now) done++
          if (done > before) since = now
        }
        late += now - length
      }
      return { polls: polls / runs.length, late: late / runs.length }
    })

  const normal = Effect.map(
    Effect.all([Random.next, Random.next]),
    ([one, other]) => Math.sqrt(-2 * Math.log(1 - one)) * Math.cos(2 * Math.PI * other)
  )

  it.effect("meets its target latency on average, with fewer polls than a fixed interval with the same detection latency", () =>
    Effect.gen(function*() {
      const runs = yield* Effect.forEach(
        Array.from({ length: 400 }),
        () => Effect.map(normal, (normal) => ({ tasks: [900 * Math.exp(0.35 * normal)], isTold: false }))
      )
      for (const latency of [2.5, 20]) {
        const ours = yield* follow(Polling.adaptive({ targetLatency: latency * 1000 }), runs, 900)
        const fixed = yield* follow(Polling.fixed(latency * 2000), runs, 900)
        assert.closeTo(ours.late, latency, latency * 0.15)
        assert.closeTo(fixed.late, latency, latency * 0.15)
        assert.isBelow(ours.polls, fixed.polls * 0.8)
      }
      const pastDurations = runs.slice(0, 100).map(({ tasks }) => Duration.seconds(tasks[0]!))
      const taught = yield* follow(Polling.adaptive({ pastDurations }), runs.slice(100), undefined)
      assert.closeTo(taught.late, 2.5, 0.4)
      assert.isBelow(taught.polls, 0.8 * 957 / 5)
    }).pipe(Random.withSeed("latency")))

  it.effect("if progress is known, needs less than a third of the polls of a fixed interval with the same detection latency", () =>
    Effect.gen(function*() {
      const runs = yield* Effect.forEach(Array.from({ length: 400 }), () =>
        Effect.gen(function*() {
          const pace = 75 * Math.exp(0.3 * (yield* normal))
          const tasks: Array<number> = []
          for (let i = 0; i < 12; i++) tasks.push((tasks.at(-1) ?? 0) - pace * Math.log(1 - (yield* Random.next)))
          return { tasks, isTold: true }
        }))
      for (const estimate of [undefined, 450, 900, 1800]) {
        const ours = yield* follow(Polling.adaptive(), runs, estimate)
        const fixed = yield* follow(Polling.fixed(ours.late * 2000), runs, estimate)
        assert.isBelow(ours.late, 6)
        assert.isBelow(ours.polls, fixed.polls / 3)
      }
    }).pipe(Random.withSeed("progress")))

  it.effect("follows a run of two hours with 10 % of the polls of a fixed interval, and notices its end within seconds", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const polls = Effect.fnUntraced(function*(schedule: Polling.PollSchedule) {
        yield* emulator.script({
          timeline: Timeline.make({ duration: "2 hours", tasks: 24 }),
          estimatedDuration: "90 minutes"
        })
        const created = yield* spine.runs.create({ prompt: "x" })
        const fiber = yield* spine.runs.polls(created, { schedule, timeout: "3 hours" }).pipe(
          Stream.runLast,
          Effect.flatMap(Effect.fromOption),
          Effect.forkChild
        )
        yield* Effect.repeat(Effect.yieldNow, { times: 50 })
        yield* TestClock.adjust("3 hours")
        const last = yield* Fiber.join(fiber)
        return { polls: last.poll, late: Duration.toSeconds(last.elapsed) - 7200 }
      })
      const fixed = yield* polls(Polling.fixed("5 seconds"))
      const adaptive = yield* polls(Polling.adaptive())
      assert.isAtMost(fixed.late, 5)
      assert.isAtMost(adaptive.late, 30)
      assert.isBelow(adaptive.polls, fixed.polls / 10)
      const patient = yield* polls(Polling.adaptive({ targetLatency: "30 seconds" }))
      assert.isBelow(patient.polls, fixed.polls / 40)
      assert.isAtMost(patient.late, 180)
    }).pipe(
      Random.withSeed("two hours"),
      Effect.provide([
        Layer.orDie(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })).pipe(
          Layer.provideMerge(SpineEmulator.layerTest())
        )
      ])
    ))
})

describe("makePolicy", () => {
  const defaults = { pollInterval: "5 seconds", timeout: "15 minutes" } as const

  it.effect("uses the defaults for options that are left out", () =>
    Effect.gen(function*() {
      const policy = yield* Polling.makePolicy("test", undefined, defaults)
      assert.strictEqual(Duration.toMinutes(policy.timeout), 15)
      assert.strictEqual(policy.errorBudget, 5)
      assert.strictEqual(policy.notFoundGrace, undefined)
      assert.strictEqual(Duration.toSeconds(policy.retryAfterCeiling), 60)
      assert.deepStrictEqual(yield* delays(policy.schedule, 2), [5000, 5000])
    }))

  it.effect.prop(
    "reads a number as a duration, or fails with a BadRequestError",
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
