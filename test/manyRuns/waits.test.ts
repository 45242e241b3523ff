/** Thousands of waits in one process: they share a rate limit, and the process may be suspended. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, type Duration, Effect, Fiber, Result, Schedule, Stream } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import type { Spine } from "canvas-runs"
import { patientClock } from "../support/clock.ts"
import { size } from "../support/size.ts"
import { limiters, makeProvider, mostWithin, type Provider, runId, spineOn, stopped } from "./support.ts"

const count = size(500, 10_000)

/** The limit on polls per second: one poll of each run takes more than fifty seconds. */
const limit = count / 50

/** The number of separate waits, each with its own loop. */
const waits = count / 5

/** The number of batches in which they start. */
const batches = 100

/** The client spreads polls to about a thousand per second, so these runs take some seconds. */
const spread = size(3000, 10_000)

const all = Array.from({ length: Math.max(count, spread) }, (_, index) => runId(index))
const runs = all.slice(0, count)

/** Waits for all runs, and checks that each is reported once. */
const completeAll = (
  spine: Spine.Service,
  options: { readonly pollInterval: Duration.Input; readonly timeout: Duration.Input },
  targets: Stream.Stream<string> = Stream.fromIterable(runs),
  total: number = count
) =>
  Effect.gen(function*() {
    const told = new Set<string>()
    yield* spine.runs.completions(targets, options).pipe(
      Stream.runForEach(({ result, target }) =>
        Effect.sync(() => {
          assert.isFalse(told.has(target), "each run is reported once")
          told.add(target)
          assert.strictEqual(Result.getOrThrow(result).result.final_output, target)
        })
      )
    )
    assert.strictEqual(told.size, total)
  })

/** The intervals between the polls of each run. */
const gapsOf = ({ polls }: Provider): ReadonlyArray<number> =>
  [...polls.values()].flatMap((at) => at.slice(1).map((time, index) => time - at[index]!))

describe(`${count} runs in one process`, { timeout: size(60_000, 300_000) }, () => {
  it.effect("share a rate limit, and each is reported once", () =>
    Effect.gen(function*() {
      const provider = makeProvider({ endsAt: (index) => 120_000 + (index * 7919) % 60_000, latency: "300 millis" })
      const limiter = yield* RateLimiter.RateLimiter
      const spine = yield* spineOn(provider, { rateLimit: { limiter, limit, window: "1 second" } })
      // The schedules ask for a thousand polls per second
      const fiber = yield* Effect.forkChild(completeAll(spine, { pollInterval: "10 seconds", timeout: "1 hour" }))
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(fiber)

      assert.isAtMost(mostWithin(provider.arrivals, 1000), limit)
      assert.isAtMost(provider.most(), 128)
      assert.strictEqual(provider.underWay(), 0)

      const firsts = [...provider.polls.values()].map((at) => at[0]!)
      assert.strictEqual(firsts.length, count)
      assert.isAtMost(
        Math.max(...firsts),
        2 * count / (0.9 * limit) * 1000,
        "no run has to wait until others have ended"
      )
      const gaps = gapsOf(provider)
      const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
      assert.isAbove(mean, 30_000, "the limit is what holds them back")
      assert.isAtMost(Math.max(...gaps), 2 * mean)
    }).pipe(Effect.provide([limiters, patientClock])))

  const pause = { from: 100_000, until: 160_000 }

  it.effect("poll under the limit again after the process was suspended for a minute", () =>
    Effect.gen(function*() {
      const provider = makeProvider({ endsAt: () => pause.until, latency: "300 millis" })
      const clock = stopped(yield* Clock.Clock, pause.from, pause.until)
      const limiter = yield* RateLimiter.RateLimiter
      const spine = yield* spineOn(provider, { rateLimit: { limiter, limit, window: "1 second" } })
      const fiber = yield* completeAll(spine, { pollInterval: "55 seconds", timeout: "1 hour" }).pipe(
        Effect.provideService(Clock.Clock, clock),
        Effect.forkChild
      )
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(fiber)
      assert.isEmpty(provider.arrivals.filter((at) => at > pause.from + 300 && at < pause.until - 1))
      assert.isAtMost(mostWithin(provider.arrivals, 1000), limit)
    }).pipe(Effect.provide([limiters, patientClock])))

  it.effect("spread their polls after that even without a limit", () =>
    Effect.gen(function*() {
      const provider = makeProvider({ endsAt: () => pause.until, latency: "10 millis" })
      const clock = stopped(yield* Clock.Clock, pause.from, pause.until)
      const spine = yield* spineOn(provider)
      // The runs start over forty seconds, and all are due again while the process is suspended
      const arriving = Stream.range(0, batches - 1).pipe(
        Stream.schedule(Schedule.spaced("400 millis")),
        Stream.flatMap((batch) =>
          Stream.fromIterable(all.slice(batch * spread / batches, (batch + 1) * spread / batches))
        )
      )
      const fiber = yield* completeAll(spine, { pollInterval: "105 seconds", timeout: "1 hour" }, arriving, spread)
        .pipe(
          Effect.provideService(Clock.Clock, clock),
          Effect.forkChild
        )
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(fiber)
      const after = provider.arrivals.filter((at) => at > pause.from)
      assert.strictEqual(after.length, spread)
      assert.isAtLeast(after[0]!, pause.until - 1)
      assert.isAtMost(mostWithin(after, 1000), 2000, `${spread} polls spread over ${spread / 1000} seconds`)
    }).pipe(Effect.provide(patientClock)))
})

describe(`${waits} separate waits`, { timeout: size(60_000, 300_000) }, () => {
  it.effect("poll under the limit after the same Retry-After for all", () =>
    Effect.gen(function*() {
      const until = 45_000
      const provider = makeProvider({
        endsAt: () => until,
        latency: "300 millis",
        busyUntil: (now) => now >= 15_000 && now < until ? until : undefined
      })
      const limiter = yield* RateLimiter.RateLimiter
      const spine = yield* spineOn(provider, { rateLimit: { limiter, limit, window: "1 second" } })
      const fiber = yield* Effect.forkChild(
        Effect.forEach(
          runs.slice(0, waits),
          (run) => spine.runs.waitForCompletion(run, { pollInterval: "15 seconds", timeout: "1 hour" }),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      assert.isAtLeast(
        provider.arrivals.filter((at) => at >= 14_700 && at < until).length,
        waits,
        "all got the Retry-After"
      )
      assert.isAtMost(mostWithin(provider.arrivals, 1000), limit)
    }).pipe(Effect.provide([limiters, patientClock])))

  it.effect("leave the slot of a wait that gave up to the next one", () =>
    Effect.gen(function*() {
      const provider = makeProvider({ endsAt: () => 0 })
      const limiter = yield* RateLimiter.RateLimiter
      const spine = yield* spineOn(provider, { rateLimit: { limiter, limit: 1, window: "1 second" } })
      const fiber = yield* Effect.forkChild(
        Effect.forEach(runs.slice(0, waits), (run) => spine.runs.waitForCompletion(run), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("2500 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(provider.arrivals, [0, 1000, 2000])
      const next = yield* Effect.forkChild(spine.runs.retrieve(runs[0]!))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(next)
      assert.deepStrictEqual(provider.arrivals.slice(3), [3000])
    }).pipe(Effect.provide([limiters, patientClock])))

  it.effect("get their slots even if others give up before one is free", () =>
    Effect.gen(function*() {
      const provider = makeProvider({ endsAt: () => 0 })
      const limiter = yield* RateLimiter.RateLimiter
      const spine = yield* spineOn(provider, { rateLimit: { limiter, limit: 6, window: "1 minute" } })
      const impatient = Effect.exit(Effect.timeout(spine.runs.retrieve(runs[0]!), "6 seconds"))
      const fiber = yield* Effect.forkChild(Effect.forever(impatient))
      yield* TestClock.adjust("595 millis")
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.interrupt(fiber)
      assert.isAtLeast(provider.arrivals.length, 58)
      assert.isAtMost(mostWithin(provider.arrivals, 60_000), 6)
    }).pipe(Effect.provide([limiters, patientClock])))
})

describe("processes that share a store of the limiter", () => {
  it.effect("stay under one limit together, and share it evenly", () =>
    Effect.gen(function*() {
      const store = yield* RateLimiter.RateLimiterStore
      const provider = makeProvider({ endsAt: () => 60_000, latency: "50 millis" })
      const processes = yield* Effect.forEach(
        [runs.slice(0, 150), runs.slice(150, 300)],
        (own) =>
          Effect.gen(function*() {
            // Each client has a separate limiter; they share only the store
            const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)
            const spine = yield* spineOn(provider, { rateLimit: { limiter, limit: 20, window: "1 second" } })
            return yield* Effect.forkChild(Stream.runCollect(spine.runs.completions(own, { pollInterval: "1 second" })))
          })
      )
      yield* TestClock.adjust("5 minutes")
      const told = yield* Effect.forEach(processes, Fiber.join)
      assert.deepStrictEqual(
        told.map(({ length }) => length),
        [150, 150]
      )
      assert.isAtMost(mostWithin(provider.arrivals, 1000), 20)
      // Eighteen requests per second are evenly spaced, and two more may burst
      assert.isAtLeast(provider.arrivals.filter((at) => at < 60_000).length, 18 * 60)
      const polls = [runs.slice(0, 150), runs.slice(150, 300)].map((own) =>
        own.reduce((sum, run) => sum + provider.polls.get(run)!.filter((at) => at < 60_000).length, 0)
      )
      assert.isAtMost(Math.abs(polls[0]! - polls[1]!), 2)
    }).pipe(Effect.provide([limiters, patientClock])))

  it.effect("stay under one limit while the store takes a while to answer, and when it is fast again", () =>
    Effect.gen(function*() {
      const store = yield* RateLimiter.RateLimiterStore
      let questions = 0
      // Like the store in Redis, which counts with the time of the question
      const slow: typeof store = {
        ...store,
        tokenBucket: (options) =>
          Effect.tap(
            store.tokenBucket(options),
            () => ++questions > 20 && questions <= 60 ? Effect.sleep("150 millis") : Effect.void
          )
      }
      const provider = makeProvider({ endsAt: () => 0 })
      const sent = yield* Effect.forEach([0, 1, 2, 3], (index) =>
        Effect.gen(function*() {
          const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, slow)
          const { runs: { retrieve } } = yield* spineOn(provider, {
            rateLimit: { limiter, limit: 20, window: "1 second" }
          })
          const own = runs.slice(30 * index, 30 * (index + 1))
          return yield* Effect.forkChild(Effect.forEach(own, retrieve, { concurrency: "unbounded", discard: true }))
        }))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(sent, Fiber.join)
      assert.strictEqual(questions, 120)
      assert.isAtMost(mostWithin(provider.arrivals, 1000), 20)
    }).pipe(Effect.provide([limiters, patientClock])))
})
