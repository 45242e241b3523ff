/**
 * The promises of every provider's client, as programs on the `TestClock`. They are the same for a polite and for a rude server.
 */
import { assert } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { RunError, RunRef } from "canvas-runs"
import { Fault, type Rude, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import type { Env, Follow, Provider } from "./providers.ts"

/** The test of one promise. */
export interface Kept {
  readonly name: string
  readonly test: Effect.Effect<void, unknown>
}

const minute = Timeline.make({ duration: "1 minute" })
const endless = Timeline.make({ duration: Infinity })
const everyFive: Follow = { interval: "5 seconds", timeout: "10 minutes" }

export const promises = (provider: Provider, rude: Rude.Rude): ReadonlyArray<Kept> => {
  const all: Array<Kept> = []
  const keeps = (name: string, test: Effect.Effect<void, unknown>) => all.push({ name, test })
  const on = <A, E>(effect: Effect.Effect<A, E, Env>) => Effect.provide(effect, provider.layer)

  // A slow server waits on the clock, which would otherwise stand still
  const isSlow = rude.includes("slow") || rude.includes("earlyWebhooks") || rude.includes("notFoundAtFirst")
  const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    isSlow ? Effect.map(finish(effect, "2 seconds"), success) : effect
  const seconds = (millis: number) => isSlow ? Math.round(millis / 1000) * 1000 : millis
  const sameTimes = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) =>
    assert.deepStrictEqual(actual.map(seconds), expected.map(seconds))

  /** Creates a run with the timeline, and clears the list of requests. */
  const created = (timeline: Timeline.Timeline, follow: Follow) =>
    Effect.gen(function*() {
      yield* provider.script(timeline)
      const { ref, share } = yield* passing(provider.create)
      const emulator = yield* provider.emulator
      const handle = yield* passing(share(follow))
      yield* emulator.clearRequests
      const onPoll = (fault: Fault.Fault) => fault.pipe(Fault.on("GET", provider.pollPath))
      const start = yield* emulator.now
      const polls = Effect.map(
        emulator.requests,
        (requests) => requests.map(({ receivedAt }) => receivedAt - (isSlow ? start : 0))
      )
      return { ref, handle, emulator, onPoll, polls }
    })

  keeps(
    "create: returns a plain ref that is enough to find the run again",
    on(Effect.gen(function*() {
      yield* TestClock.adjust("1 hour")
      yield* provider.script(minute)
      const { ref } = yield* passing(provider.create)
      assert.isTrue(Schema.is(RunRef.RunRef)(ref))
      assert.deepStrictEqual(JSON.parse(JSON.stringify(ref)), ref)
      assert.strictEqual(seconds(ref.createdAt!), 3_600_000)
      assert.strictEqual(ref.requestId !== undefined, !rude.includes("noRequestId"))
    }))
  )

  keeps(
    "create, promise 12: is not repeated if a run may exist",
    on(Effect.gen(function*() {
      const emulator = yield* provider.emulator
      for (
        const fault of [Fault.dropAfter, Fault.drop, Fault.handleThenStatus(500), Fault.hang, Fault.html("<html>")]
      ) {
        yield* emulator.clearRequests
        yield* emulator.fault(fault)
        assert.instanceOf(failure(yield* finish(provider.create)), RunError.CreateOutcomeUnknownError)
        assert.strictEqual((yield* emulator.requests).length, 1)
      }
    }))
  )

  keeps(
    "wait, promise 1: polls at once, then by its schedule, until the run has ended",
    on(Effect.gen(function*() {
      const { handle, polls } = yield* created(minute, everyFive)
      assert.isDefined(success(yield* finish(handle.wait)))
      sameTimes(yield* polls, Array.from({ length: 13 }, (_, n) => n * 5000))
    }))
  )

  keeps(
    "wait: a run that failed is a RunFailedError with its ref",
    on(Effect.gen(function*() {
      const { handle, ref } = yield* created(
        Timeline.make({ duration: "10 seconds", outcome: "failed", errors: ["no luck"] }),
        everyFive
      )
      const error = failure(yield* finish(handle.wait))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.ref, ref)
      assert.isDefined(error.run)
    }))
  )

  keeps(
    "wait, promise 2: waits at least Retry-After, up to its ceiling",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll, polls } = yield* created(minute, everyFive)
      yield* emulator.fault(
        onPoll(Fault.status(429, { headers: { "retry-after": "20" } })),
        onPoll(Fault.status(503, { headers: { "retry-after": "999999999" } }))
      )
      success(yield* finish(handle.wait))
      sameTimes(yield* polls, [0, 20_000, 80_000])
    }))
  )

  keeps(
    "deadline, promise 3: bounds the wait, and the ref in its error starts another wait",
    on(Effect.gen(function*() {
      const { handle, polls, ref } = yield* created(minute, {
        interval: "7 seconds",
        timeout: "20 seconds"
      })
      const error = failure(yield* finish(handle.wait, "20 seconds"))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(Duration.toSeconds(error.elapsed), 20)
      assert.deepStrictEqual(error.ref, ref)
      sameTimes(yield* polls, [0, 7000, 14_000, 19_900])
      const resumed = yield* passing(provider.resume(error.ref, everyFive))
      assert.isDefined(success(yield* finish(resumed.wait)))
    }))
  )

  keeps(
    "deadline, promise 3: interrupts a poll that hangs",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll } = yield* created(minute, { timeout: "20 seconds" })
      yield* emulator.fault(onPoll(Fault.hang))
      assert.instanceOf(failure(yield* finish(handle.wait, "20 seconds")), RunError.RunTimeoutError)
    }))
  )

  keeps(
    "budget, promise 4: survives transient failures, and any answer refills it",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll } = yield* created(minute, { ...everyFive, errorBudget: 2 })
      yield* emulator.fault(
        onPoll(Fault.status(500)),
        onPoll(Fault.drop),
        // A successful poll in between
        onPoll(Fault.delay(0)),
        onPoll(Fault.status(502)),
        onPoll(Fault.dropInside(5))
      )
      success(yield* finish(handle.wait))
    }))
  )

  keeps(
    "budget, promise 4: fails with the ref when it is exceeded",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll, polls, ref } = yield* created(minute, {
        ...everyFive,
        errorBudget: 2
      })
      yield* emulator.fault(onPoll(Fault.status(500)).pipe(Fault.times(Infinity)))
      const error = failure(yield* finish(handle.wait))
      assert.instanceOf(error, RunError.ServerError)
      assert.deepStrictEqual(error.ref, ref)
      sameTimes(yield* polls, [0, 5000, 10_000])
    }))
  )

  for (const status of [400, 401, 403]) {
    keeps(
      `budget, promise 4: ${status} ends the wait at once`,
      on(Effect.gen(function*() {
        const { emulator, handle, onPoll, polls } = yield* created(minute, everyFive)
        yield* emulator.fault(onPoll(Fault.status(status)).pipe(Fault.skip(1)))
        assert.strictEqual((failure(yield* finish(handle.wait)) as RunError.RequestError).status, status)
        assert.strictEqual((yield* polls).length, 2)
      }))
    )
  }

  keeps(
    "budget, promise 4: a 404 is replica lag within the grace period, and final after it",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll, polls } = yield* created(endless, everyFive)
      yield* emulator.fault(onPoll(Fault.status(404)).pipe(Fault.times(Infinity)))
      assert.instanceOf(failure(yield* finish(handle.wait)), RunError.NotFoundError)
      const times = [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000]
      const actual = yield* polls
      // Counted from the creation. With a slow server that is before the first poll
      sameTimes(actual, isSlow ? times.slice(0, actual.length) : times)
      assert.isAtLeast(actual.length, 7)
    }))
  )

  keeps(
    "unknown status, promise 5: is emitted and is not terminal",
    on(Effect.gen(function*() {
      const { handle } = yield* created(
        Timeline.make({
          duration: "30 seconds",
          statuses: [{ from: "10 seconds", to: "20 seconds", status: "pondering" }]
        }),
        everyFive
      )
      const statuses = success(yield* finish(Stream.runCollect(handle.statuses)))
      assert.include(statuses.slice(0, -1), "pondering")
      // Unless a rude server replaces "running" by another unknown status
      if (rude.includes("unknownStatuses")) return
      assert.deepStrictEqual(statuses.slice(0, 3), ["running", "pondering", "running"])
      assert.strictEqual(statuses.length, 4)
    }))
  )

  keeps(
    "watch, promise 8: emits no snapshot twice",
    on(Effect.gen(function*() {
      const { handle, polls } = yield* created(minute, everyFive)
      const statuses = success(yield* finish(Stream.runCollect(handle.statuses)))
      assert.strictEqual(statuses.length, 2)
      assert.strictEqual((yield* polls).length, 13)
    }))
  )

  keeps(
    "interrupt, promise 6: no request is sent afterwards",
    on(Effect.gen(function*() {
      const { handle, polls } = yield* created(endless, everyFive)
      const fiber = yield* Effect.forkChild(handle.wait)
      yield* TestClock.adjust("12 seconds")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* polls).length, 3)
    }))
  )

  keeps(
    "resume, promise 10: a ref that was encoded as JSON gives the same outcome",
    on(Effect.gen(function*() {
      const { handle, ref } = yield* created(minute, everyFive)
      const fiber = yield* Effect.forkChild(handle.wait)
      yield* TestClock.adjust("17 seconds")
      yield* Fiber.interrupt(fiber)
      const again = yield* passing(provider.resume(yield* RunRef.parse(JSON.stringify(ref)), everyFive))
      const one = success(yield* finish(again.wait))
      const two = success(yield* finish(handle.wait))
      const plain = (value: unknown) => JSON.stringify(value).replaceAll(/"download_url":"[^"]*"/g, "")
      assert.strictEqual(plain(one), plain(two))
    }))
  )

  keeps(
    "sharing, promise 7: all waiters of a handle share one loop",
    on(Effect.gen(function*() {
      const { handle, polls } = yield* created(minute, everyFive)
      const all = Effect.all([handle.wait, handle.wait, Stream.runCollect(handle.statuses), handle.wait], {
        concurrency: "unbounded"
      })
      success(yield* finish(all))
      assert.strictEqual((yield* polls).length, 13)
      assert.isDefined(success(yield* finish(handle.wait)), "and the terminal snapshot is kept")
      assert.strictEqual((yield* polls).length, 13)
    }))
  )

  keeps(
    "success, promise 9: is not taken from an answer that does not decode",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll } = yield* created(endless, everyFive)
      yield* emulator.fault(
        onPoll(Fault.status(200, { body: "{\"status\":\"completed\"}", contentType: "application/json" }))
      )
      assert.instanceOf(failure(yield* finish(handle.wait)), RunError.InvalidResponseError)
    }))
  )

  keeps(
    "secrets, promise 11: are in no error",
    on(Effect.gen(function*() {
      const { emulator, handle, onPoll } = yield* created(endless, everyFive)
      const echo = JSON.stringify({ error: provider.secret, message: provider.secret, nested: [provider.secret] })
      for (
        const fault of [
          Fault.status(401, { body: echo, contentType: "application/json" }),
          Fault.status(200, { body: echo, contentType: "application/json" }),
          Fault.status(302, { headers: { location: `https://evil.example/${provider.secret}` } }),
          Fault.status(403, { body: provider.secret, contentType: "text/plain" })
        ]
      ) {
        yield* emulator.fault(onPoll(fault))
        const exit = yield* finish(handle.wait)
        const error = failure(exit)
        const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) +
          (Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
        assert.notInclude(shown, provider.secret)
      }
    }))
  )
  return all
}
