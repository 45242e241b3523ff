import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Ref, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Polling, Run, RunError, RunRef, type RunSource } from "canvas-runs"
import { failure, finish } from "./support/results.ts"

interface Snapshot {
  readonly status: string
  readonly done?: number
}

type Reply =
  | string
  | Snapshot
  | RunError.RequestError
  | {
    readonly reply: string | RunError.RequestError
    readonly takes?: Duration.Input
    readonly retryAfter?: Duration.Input
  }

const fields = { operation: "test", attempts: 1, elapsed: Duration.zero, message: "test" }
const serverError = new RunError.ServerError({ ...fields, status: 503 })
const notFound = new RunError.NotFoundError({ ...fields, status: 404 })
const rateLimited = (seconds: number) =>
  new RunError.RateLimitError({ ...fields, status: 429, retryAfter: Duration.seconds(seconds) })

/** A source that returns the given replies one after the other, repeats the last one, and records the time of each poll. */
const scripted = (replies: ReadonlyArray<Reply>, ref?: Partial<RunRef.RunRef>) => {
  const asked: Array<number> = []
  const interrupted: Array<number> = []
  const retrieve: Effect.Effect<RunSource.Answer<Snapshot>, RunError.RequestError> = Effect.gen(function*() {
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const reply = replies[Math.min(asked.length, replies.length - 1)]!
    asked.push(now)
    const { reply: said, retryAfter, takes } = typeof reply === "object" && "reply" in reply
      ? { takes: 0, retryAfter: undefined, ...reply }
      : { reply, takes: 0, retryAfter: undefined }
    yield* Effect.sleep(takes).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted.push(asked.length))))
    if (said instanceof Error) return yield* said
    return {
      value: typeof said === "string" ? { status: said } : said,
      requestId: `request-${asked.length}`,
      retryAfter: retryAfter === undefined ? undefined : Duration.fromInputUnsafe(retryAfter)
    }
  })
  const source: RunSource.RunSource<Snapshot, Snapshot, Snapshot> = {
    ref: RunRef.make({ provider: "test", kind: "run", id: "1", createdAt: 0, ...ref }),
    retrieve,
    classify: (run) =>
      run.status === "done"
        ? { _tag: "Succeeded", run }
        : run.status === "failed"
        ? { _tag: "Failed", run, errors: ["boom"] }
        : { _tag: "Pending", progress: { completed: run.done ?? 0, total: 10 } },
    status: ({ status }) => status,
    unchanged: (previous, next) => previous.status === next.status && previous.done === next.done
  }
  return { source, asked, interrupted }
}

const policy = <E = never, R = never>(
  options?: Polling.Options<Snapshot, E, R>
): Effect.Effect<Polling.Policy<Snapshot, E, R>> =>
  Effect.orDie(Polling.makePolicy("test", options, { pollInterval: "5 seconds", timeout: "15 minutes" }))

describe("the poll loop", () => {
  it.effect("promise 1: polls at once, then as the schedule says", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running", "running", "running", "done"])
      const exit = yield* finish(Run.wait(source, yield* policy()))
      assert.deepStrictEqual(exit, Exit.succeed<Snapshot>({ status: "done" }))
      assert.deepStrictEqual(asked, [0, 5000, 10_000, 15_000])
    }))

  it.effect("promise 1: pauses between polls even where the schedule does not", () =>
    Effect.gen(function*() {
      for (const schedule of [Schedule.forever, Polling.make(() => 0)]) {
        const { asked, source } = scripted(["running", "running", "running", "done"])
        yield* finish(Run.wait(source, yield* policy({ schedule })))
        assert.deepStrictEqual(asked.map((at) => at - asked[0]!), [0, 100, 200, 300])
      }
    }))

  it.effect("promise 1: shows the schedule the snapshot, the progress, the times and the failures", () =>
    Effect.gen(function*() {
      const { source } = scripted([{ status: "running", done: 4 }, serverError, "done"], {
        estimatedDurationMs: 900_000
      })
      const seen: Array<Polling.PollState<Snapshot>> = []
      const schedule = Schedule.spaced("10 seconds").pipe(
        Schedule.setInputType<Polling.PollState<Snapshot>>(),
        Schedule.tap(({ input }) => Effect.sync(() => seen.push(input)))
      )
      yield* TestClock.adjust("3 seconds")
      yield* finish(Run.wait(source, yield* policy({ schedule })))
      assert.strictEqual(seen.length, 2)
      const [first, second] = seen as [Polling.PollState<Snapshot>, Polling.PollState<Snapshot>]
      assert.deepStrictEqual(first.snapshot, { status: "running", done: 4 })
      assert.deepStrictEqual(first.progress, { completed: 4, total: 10 })
      assert.strictEqual(first.polls, 1)
      assert.strictEqual(first.failures, 0)
      assert.strictEqual(Duration.toSeconds(first.elapsed), 0)
      assert.strictEqual(Duration.toSeconds(first.age!), 3)
      assert.strictEqual(Duration.toMinutes(first.estimate!), 15)
      assert.strictEqual(Duration.toMinutes(first.remaining), 15)
      assert.deepStrictEqual(second.snapshot, { status: "running", done: 4 }, "the last snapshot survives a failure")
      assert.strictEqual(second.polls, 2)
      assert.strictEqual(second.failures, 1)
      assert.strictEqual(Duration.toSeconds(second.elapsed), 10)
      assert.strictEqual(Duration.toSeconds(second.remaining), 15 * 60 - 10)
    }))

  it.effect("promise 1: accepts a schedule with any error and any services", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const schedule = Schedule.spaced("1 second").pipe(
        Schedule.setInputType<Polling.PollState<Snapshot>>(),
        Schedule.tap(({ input }) => input.polls === 3 ? Effect.fail("enough" as const) : Effect.void)
      )
      const exit = yield* finish(Run.wait(source, yield* policy({ schedule })))
      assert.strictEqual(failure(exit), "enough")
      assert.deepStrictEqual(asked, [0, 1000, 2000])
    }))

  it.effect("promise 1: ends with a RunTimeoutError when the schedule ends", () =>
    Effect.gen(function*() {
      const { source } = scripted(["running"])
      const error = failure(
        yield* finish(
          Run.wait(source, yield* policy({ schedule: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)]) }))
        )
      )
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(error.reason, "schedule")
      assert.strictEqual(error.polls, 3)
    }))

  it.effect("promise 2: waits at least as long as Retry-After says", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([{ reply: "running", retryAfter: "20 seconds" }, rateLimited(12), "done"])
      yield* finish(Run.wait(source, yield* policy()))
      assert.deepStrictEqual(asked, [0, 20_000, 32_000])
    }))

  it.effect("promise 2: a Retry-After below the schedule changes nothing", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([{ reply: "running", retryAfter: "1 second" }, "done"])
      yield* finish(Run.wait(source, yield* policy()))
      assert.deepStrictEqual(asked, [0, 5000])
    }))

  it.effect("promise 2: clamps Retry-After to the ceiling and to the time left", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([rateLimited(999_999_999)])
      const error = failure(yield* finish(Run.wait(source, yield* policy({ timeout: "90 seconds" }))))
      assert.deepStrictEqual(asked, [0, 60_000, 89_900])
      assert.instanceOf(error, RunError.RunTimeoutError)
    }))

  it.effect("promise 3: bounds sleeps, and fits in one more poll before the deadline", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const fiber = yield* Effect.forkChild(
        Run.wait(source, yield* policy({ pollInterval: "40 seconds", timeout: "1 minute" }))
      )
      yield* TestClock.adjust(59_999)
      assert.isUndefined(fiber.pollUnsafe(), "it ends at the deadline, not before")
      yield* TestClock.adjust(1)
      const error = failure(fiber.pollUnsafe()!)
      assert.deepStrictEqual(asked, [0, 40_000, 59_900])
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(error.reason, "deadline")
      assert.strictEqual(Duration.toMillis(error.elapsed), 60_000)
      assert.strictEqual(error.polls, 3)
      assert.deepStrictEqual(error.lastSnapshot, { status: "running" })
      assert.deepStrictEqual(error.ref, source.ref)
      assert.deepStrictEqual(error.history, [{ elapsedMs: 59_900, outcome: "running", polls: 3 }])
    }))

  it.effect("promise 3: a consumer that returns after the deadline gets a RunTimeoutError, and the schedule is not stepped", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const planned: Array<number> = []
      const schedule = Polling.make(({ elapsed }) => {
        planned.push(Duration.toMillis(elapsed))
        return "5 seconds"
      }).pipe(Schedule.upTo({ times: 1 }))
      const error = failure(
        yield* finish(
          Stream.runForEach(
            Run.polls(source, yield* policy({ schedule, timeout: "1 minute" })),
            ({ poll }) => poll === 2 ? Effect.sleep("2 minutes") : Effect.void
          )
        )
      )
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(error.reason, "deadline")
      assert.deepStrictEqual(asked, [0, 5000])
      assert.deepStrictEqual(planned, [0])
    }))

  it.effect("promise 3: shows the last snapshot even if the poll after it never ended", () =>
    Effect.gen(function*() {
      const seen = { status: "running", done: 3 }
      const { source } = scripted([seen, seen, { reply: "done", takes: "2 hours" }])
      const error = failure(yield* finish(Run.wait(source, yield* policy())))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.deepStrictEqual(error.lastSnapshot, seen)
    }))

  it.effect("promise 3: leaves enough time for the last poll, by the duration of earlier polls", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([
        { reply: "running", takes: "2 seconds" },
        { reply: "done", takes: "2 seconds" }
      ])
      const exit = yield* finish(Run.wait(source, yield* policy({ pollInterval: "1 minute", timeout: "1 minute" })))
      assert.isTrue(Exit.isSuccess(exit), "the last poll had enough time to return the end")
      assert.deepStrictEqual(asked, [0, 56_000])
    }))

  it.effect("promise 3: interrupts a poll that is under way when the deadline passes", () =>
    Effect.gen(function*() {
      const { interrupted, source } = scripted([{ reply: "running", takes: Duration.infinity }])
      const error = failure(yield* finish(Run.wait(source, yield* policy({ timeout: "10 seconds" })), "10 seconds"))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(error.polls, 1)
      assert.isFalse("lastSnapshot" in error)
      assert.include(
        error.message,
        "(last: none finished; a poll was under way, and may have been retrying a failed request)"
      )
      assert.deepStrictEqual(interrupted, [1])
    }))

  it.effect("promise 3: has no deadline with an infinite timeout", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const fiber = yield* Effect.forkChild(
        Run.wait(source, yield* policy({ pollInterval: "1 hour", timeout: Infinity }))
      )
      yield* TestClock.adjust("30 days")
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(asked.length, 30 * 24 + 1)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("promise 3: lists the latest poll results, with equal ones in a row as one", () =>
    Effect.gen(function*() {
      const minute = { pollInterval: "1 second", timeout: "1 minute" } as const
      const steady = failure(
        yield* finish(
          Run.wait(scripted(["running", "running", serverError, serverError, "running"]).source, yield* policy(minute))
        )
      )
      assert.instanceOf(steady, RunError.RunTimeoutError)
      assert.strictEqual(steady.polls, 61)
      assert.deepStrictEqual(steady.history, [
        { elapsedMs: 1000, outcome: "running", polls: 2 },
        { elapsedMs: 3000, outcome: "ServerError", polls: 2 },
        { elapsedMs: 59_900, outcome: "running", polls: 57 }
      ])

      const replies = Array.from({ length: 61 }, (_, i) => i % 2 === 0 ? "running" : serverError)
      const unsteady = failure(yield* finish(Run.wait(scripted(replies).source, yield* policy(minute))))
      assert.instanceOf(unsteady, RunError.RunTimeoutError)
      assert.strictEqual(unsteady.history.length, RunError.maxPollRecords)
      assert.deepStrictEqual(unsteady.history.at(-1), { elapsedMs: 59_900, outcome: "running", polls: 1 })
    }))

  it.effect("promise 3: shows the last snapshot even if the polls since then have used up the error budget", () =>
    Effect.gen(function*() {
      const failures = Array.from({ length: 5 }, () => serverError)
      for (const [timeout, polls] of [["25500 millis", 7], ["1 hour", 721]] as const) {
        const running = Array.from({ length: polls - 5 }, (_, i) => ({ status: "running" as const, done: i }))
        const { asked, source } = scripted([...running, ...failures])
        const error = failure(yield* finish(Run.wait(source, yield* policy({ timeout })), "2 hours"))
        assert.instanceOf(error, RunError.RunTimeoutError)
        assert.strictEqual(asked.length, polls)
        assert.deepStrictEqual(error.lastSnapshot, running.at(-1))
      }
    }))

  it.effect("promise 4: survives as many failures in a row as the error budget allows, and any answer resets the count", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([serverError, serverError, "running", serverError, serverError, "done"])
      const exit = yield* finish(Run.wait(source, yield* policy({ errorBudget: 2 })))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(asked.length, 6)
    }))

  it.effect("promise 4: fails with the error that exceeds the error budget", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running", serverError])
      const error = failure(yield* finish(Run.wait(source, yield* policy({ errorBudget: 2 }))))
      assert.strictEqual(error, serverError)
      assert.strictEqual(asked.length, 4)
    }))

  for (
    const error of [
      new RunError.BadRequestError({ ...fields, status: 400, sent: true }),
      new RunError.AuthenticationError({ ...fields, status: 401 }),
      new RunError.PermissionDeniedError({ ...fields, status: 403 })
    ]
  ) {
    it.effect(`promise 4: ends at once with a ${error._tag}`, () =>
      Effect.gen(function*() {
        const { asked, source } = scripted(["running", error])
        assert.strictEqual(failure(yield* finish(Run.wait(source, yield* policy()))), error)
        assert.strictEqual(asked.length, 2)
      }))
  }

  it.effect("promise 4: reads a 404 soon after the creation as replica lag, which costs no error budget", () =>
    Effect.gen(function*() {
      const { source } = scripted([notFound, notFound, notFound, "running", "done"])
      const exit = yield* finish(Run.wait(source, yield* policy({ errorBudget: 0 })))
      assert.isTrue(Exit.isSuccess(exit))
    }))

  it.effect("promise 4: fails on a 404 after the grace period", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([notFound])
      const exit = yield* finish(Run.wait(source, yield* policy({ notFoundGrace: "12 seconds" })))
      assert.strictEqual(failure(exit), notFound)
      assert.deepStrictEqual(asked, [0, 5000, 10_000, 15_000])
    }))

  it.effect("promise 4: fails on a 404 for a run whose creation time is unknown", () =>
    Effect.gen(function*() {
      const { source } = scripted([notFound])
      const { createdAt: _, ...ref } = source.ref
      const exit = yield* finish(Run.wait({ ...source, ref }, yield* policy()))
      assert.strictEqual(failure(exit), notFound)
    }))

  it.effect("promise 4: a notFoundGrace option counts from the first poll if the creation time is unknown", () =>
    Effect.gen(function*() {
      const patient = scripted([notFound, notFound, notFound, "running", "done"])
      const { createdAt: _, ...ref } = patient.source.ref
      const grace = yield* policy({ notFoundGrace: "12 seconds", errorBudget: 0 })
      assert.isTrue(Exit.isSuccess(yield* finish(Run.wait({ ...patient.source, ref }, grace))))

      const impatient = scripted([notFound])
      yield* TestClock.adjust("1 hour")
      const exit = yield* finish(Run.wait({ ...impatient.source, ref }, grace))
      assert.strictEqual(failure(exit), notFound)
      assert.strictEqual(impatient.asked.length, 4)

      const none = scripted([notFound])
      const zero = yield* policy({ notFoundGrace: 0 })
      assert.strictEqual(failure(yield* finish(Run.wait({ ...none.source, ref }, zero))), notFound)
      assert.strictEqual(none.asked.length, 1)
    }))

  it.effect("promise 5: an unknown status is emitted and does not end the wait, which keeps its schedule and deadline", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running", "paused-by-moonlight"])
      const seen: Array<Snapshot> = []
      const exit = yield* finish(
        Stream.runForEach(
          Run.watch(source, yield* policy({ timeout: "12 seconds" })),
          (run) => Effect.sync(() => seen.push(run))
        )
      )
      assert.instanceOf(failure(exit), RunError.RunTimeoutError)
      assert.deepStrictEqual(seen.map(({ status }) => status), ["running", "paused-by-moonlight"])
      assert.deepStrictEqual(asked, [0, 5000, 10_000, 11_900])
    }))

  it.effect("promise 6: sends no request after an interruption, asleep or during a poll", () =>
    Effect.gen(function*() {
      const asleep = scripted(["running"])
      const fiber = yield* Effect.forkChild(Run.wait(asleep.source, yield* policy()))
      yield* TestClock.adjust("12 seconds")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(asleep.asked, [0, 5000, 10_000])

      const polling = scripted([{ reply: "running", takes: "1 minute" }])
      const other = yield* Effect.forkChild(Run.wait(polling.source, yield* policy()))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(other)
      assert.deepStrictEqual(polling.interrupted, [1])
    }))

  it.effect("promise 6: sends no request after the terminal snapshot", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running", "done"])
      yield* finish(Run.wait(source, yield* policy()))
      yield* finish(Stream.runDrain(Run.polls(source, yield* policy())))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(asked.length, 3)
    }))

  it.effect("promise 7: shares one loop among the waiters of a handle, and stops it when the last waiter leaves", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const shared = yield* Run.share(source, yield* policy())
      const one = yield* Effect.forkChild(shared.wait)
      const two = yield* Effect.forkChild(Stream.runDrain(shared.watch))
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(asked, [0, 5000, 10_000])
      yield* Fiber.interrupt(one)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(asked.length, 4, "one waiter is left")
      yield* Fiber.interrupt(two)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(asked.length, 4, "none is left")
    }))

  it.effect("promise 7: gives a late waiter the latest snapshot, and keeps the terminal one", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running", "running", "done"])
      const shared = yield* Run.share(source, yield* policy())
      const first = yield* Effect.forkChild(shared.wait)
      yield* TestClock.adjust("7 seconds")
      const late: Array<Snapshot> = []
      const second = yield* Effect.forkChild(
        Stream.runForEach(shared.watch, (run) => Effect.sync(() => late.push(run)))
      )
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(late, [{ status: "running" }])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(first), { status: "done" })
      yield* Fiber.join(second)
      assert.deepStrictEqual(late, [{ status: "running" }, { status: "done" }])
      assert.deepStrictEqual(yield* shared.wait, { status: "done" })
      assert.deepStrictEqual(yield* Stream.runCollect(shared.watch), [{ status: "done" }])
      assert.strictEqual(asked.length, 3)
    }))

  it.effect("promise 7: every waiter gets the failed run, and the failure of the loop", () =>
    Effect.gen(function*() {
      const failed = yield* Run.share(scripted(["running", "failed"]).source, yield* policy())
      const [one, two] = yield* Effect.all([Effect.forkChild(failed.wait), Effect.forkChild(failed.settle)])
      yield* TestClock.adjust("1 minute")
      assert.instanceOf(failure(one.pollUnsafe()!), RunError.RunFailedError)
      assert.deepStrictEqual(yield* Fiber.join(two), { status: "failed" })

      const broken = yield* Run.share(scripted(["running", notFound], { createdAt: -1e9 }).source, yield* policy())
      const fibers = yield* Effect.all([Effect.forkChild(broken.wait), Effect.forkChild(Stream.runDrain(broken.polls))])
      yield* TestClock.adjust("1 minute")
      for (const fiber of fibers) assert.strictEqual(failure<unknown, unknown>(fiber.pollUnsafe()!), notFound)
    }))

  it.effect("promise 8: watch emits each change once, and ends with the terminal snapshot even if the run failed", () =>
    Effect.gen(function*() {
      const { source } = scripted([
        { status: "running", done: 1 },
        { status: "running", done: 1 },
        { status: "running", done: 2 },
        serverError,
        { status: "running", done: 2 },
        "failed"
      ])
      const exit = yield* finish(Stream.runCollect(Run.watch(source, yield* policy())))
      assert.deepStrictEqual(
        exit,
        Exit.succeed<Array<Snapshot>>([{ status: "running", done: 1 }, { status: "running", done: 2 }, {
          status: "failed"
        }])
      )
    }))

  it.effect("promise 8: polls emits every poll in order, with the transient failures", () =>
    Effect.gen(function*() {
      const { source } = scripted(["running", "running", serverError, "done"])
      const exit = yield* finish(Stream.runCollect(Run.polls(source, yield* policy())))
      assert.isTrue(Exit.isSuccess(exit))
      const polls = Exit.isSuccess(exit) ? exit.value : []
      assert.deepStrictEqual(
        polls.map((poll) => [
          poll.poll,
          Duration.toMillis(poll.elapsed),
          poll._tag === "Snapshot"
            ? [poll.snapshot.status, poll.changed, poll.terminal, poll.requestId]
            : poll.error._tag
        ]),
        [
          [1, 0, ["running", true, false, "request-1"]],
          [2, 5000, ["running", false, false, "request-2"]],
          [3, 10_000, "ServerError"],
          [4, 15_000, ["done", true, true, "request-4"]]
        ]
      )
    }))

  it.effect("promise 8: a slow consumer slows the polling and loses no poll", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted([
        { status: "running", done: 1 },
        { status: "running", done: 2 },
        "done"
      ])
      const seen: Array<Snapshot> = []
      yield* finish(
        Stream.runForEach(Run.watch(source, yield* policy()), (run) =>
          Effect.andThen(Effect.sleep("1 minute"), Effect.sync(() => seen.push(run))))
      )
      assert.deepStrictEqual(
        seen.map((run) =>
          run.done ?? run.status
        ),
        [1, 2, "done"]
      )
      assert.deepStrictEqual(asked, [0, 65_000, 130_000])
    }))

  it.effect("promise 9: a run that failed at the provider is a RunFailedError with the provider's reasons and the snapshot", () =>
    Effect.gen(function*() {
      const { source } = scripted(["running", "failed"])
      const error = failure(yield* finish(Run.wait(source, yield* policy())))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.errors, ["boom"])
      assert.deepStrictEqual(error.run, { status: "failed" })
      assert.strictEqual(error.requestId, "request-2")
      assert.include(error.message, "boom")
    }))

  it.effect("settle returns a failed run without an error", () =>
    Effect.gen(function*() {
      const exit = yield* finish(Run.settle(scripted(["failed"]).source, yield* policy()))
      assert.deepStrictEqual(exit, Exit.succeed<Snapshot>({ status: "failed" }))
    }))
})

describe("refs", () => {
  it.effect("promise 10: survive JSON unchanged", () =>
    Effect.gen(function*() {
      const ref = RunRef.make({
        provider: "test",
        kind: "run",
        id: "1",
        createdAt: 5,
        requestId: "r",
        estimatedDurationMs: 7
      })
      assert.deepStrictEqual(yield* RunRef.parse(JSON.stringify(ref)), ref)
    }))

  it.effect.each([
    ["a newer version", JSON.stringify({ version: 2, provider: "test", kind: "run", id: "1" })],
    ["a stranger", JSON.stringify({ id: "1" })],
    ["an empty id", JSON.stringify({ version: 1, provider: "test", kind: "run", id: "" })],
    ["no JSON", "run 1"]
  ])("are rejected with a readable message when they are of %s", ([, json]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RunRef.parse(json!))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.isFalse(error.sent)
      assert.include(error.message, "RunRef")
    }))
})

describe("interruption", () => {
  it.effect("promise 6: a stream whose consumer leaves early stops polling", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted(["running"])
      const stopped = yield* Deferred.make<void>()
      const count = yield* Ref.make(0)
      const fiber = yield* Effect.forkChild(
        Run.polls(source, yield* policy()).pipe(
          Stream.take(2),
          Stream.runForEach(() => Ref.update(count, (n) => n + 1)),
          Effect.andThen(Deferred.succeed(stopped, undefined))
        )
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* Ref.get(count), 2)
      assert.strictEqual(asked.length, 2)
    }))
})
