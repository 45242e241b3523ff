/** `completions`: one stream of the results of many runs. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Queue, Result, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Polling, Run, RunError, RunRef, type RunSource, Spine, Webhooks } from "canvas-runs"
import * as Kernel from "canvas-runs/Polling"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { patientClock } from "../../support/clock.ts"
import * as TimerQueue from "../../../src/internal/polling/timerQueue.ts"
import { failure, finish, success } from "../../support/results.ts"
import { live } from "../../support/spine.ts"

interface Snapshot {
  readonly id: string
  readonly status: string
}

/** Sources whose runs end at the given times, in milliseconds, with a log of their polls. */
const scripted = (
  ends: Readonly<Record<string, number>>,
  options: {
    readonly takes?: Duration.Input
    readonly pushed?: RunSource.RunSource<Snapshot, Snapshot, Snapshot>["pushed"]
  } = {}
) => {
  const asked: Array<readonly [id: string, at: number]> = []
  let underWay = 0
  let most = 0
  const retrieve = (id: string): Effect.Effect<RunSource.Answer<Snapshot>, RunError.RequestError> =>
    Effect.clockWith((clock) => {
      asked.push([id, clock.currentTimeMillisUnsafe()])
      most = Math.max(most, ++underWay)
      const answer = Effect.suspend(() => {
        const hasEnded = clock.currentTimeMillisUnsafe() >= ends[id]!
        const status = !hasEnded ? "running" : id.startsWith("bad") ? "failed" : "done"
        return Effect.succeed({ value: { id, status }, requestId: undefined, retryAfter: undefined })
      })
      return (options.takes === undefined ? answer : Effect.delay(answer, options.takes)).pipe(
        Effect.ensuring(Effect.sync(() => underWay--))
      )
    })
  const source = (id: string): Effect.Effect<RunSource.RunSource<Snapshot, Snapshot, Snapshot>> =>
    Effect.succeed({
      ref: RunRef.make({ provider: "test", kind: "run", id, createdAt: 0 }),
      retrieve: retrieve(id),
      classify: (run) =>
        run.status === "done"
          ? { _tag: "Succeeded", run }
          : run.status === "failed"
          ? { _tag: "Failed", run, errors: ["boom"] }
          : { _tag: "Pending" },
      status: ({ status }) => status,
      unchanged: (previous, next) => previous.status === next.status,
      pushed: options.pushed
    })
  return { source, asked, underWay: () => underWay, most: () => most }
}

const policy = <E = never, R = never>(options?: Polling.Options<Snapshot, E, R>) =>
  Effect.orDie(Kernel.makePolicy("test", options, { pollInterval: "5 seconds", timeout: "15 minutes" }))

const idsOf = (told: ReadonlyArray<{ readonly target: string }>) => told.map(({ target }) => target)

/** The number of sleeping timers on the test clock. */
const sleeping = Effect.withFiber((fiber) => Effect.succeed(TimerQueue.of(fiber).size()))

describe("completions", () => {
  it.effect("arrive in the order in which the runs end", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted({ a: 22_000, b: 3000, c: 12_000 })
      const told = success(
        yield* finish(
          Stream.runCollect(Run.completions(Stream.make("a", "b", "c"), source, yield* policy())),
          "1 hour"
        )
      )
      assert.deepStrictEqual(idsOf(told), ["b", "c", "a"])
      assert.isTrue(told.every(({ result, target }) => Result.getOrThrow(result).id === target))
      // The loop of every wait: at once, then as the schedule says
      assert.deepStrictEqual(asked.filter(([id]) => id === "c").map(([, at]) => at), [0, 5000, 10_000, 15_000])
      assert.strictEqual(yield* sleeping, 0)
    }))

  it.effect("report a failed run, a wait that timed out and a wrong id, and continue", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const create = (minutes: number, outcome: Timeline.Outcome = "completed") =>
        Effect.andThen(
          emulator.script({ timeline: Timeline.make({ duration: Duration.minutes(minutes), outcome }) }),
          spine.runs.create({ prompt: `${minutes} ${outcome}` })
        )
      const [good, failed, long] = [yield* create(4), yield* create(2, "failed"), yield* create(600)]
      const told = success(
        yield* finish(Stream.runCollect(spine.runs.completions([long, "no id", good, failed], { timeout: "1 hour" })))
      )
      assert.deepStrictEqual(
        told.map(({ result, target }) => [
          typeof target === "string" ? target : target.run_id,
          Result.isSuccess(result) ? result.success.status : result.failure._tag
        ]),
        [
          ["no id", "BadRequestError"],
          [failed.run_id, "RunFailedError"],
          [good.run_id, "completed"],
          [long.run_id, "RunTimeoutError"]
        ]
      )
    }).pipe(Effect.provide(live())))

  it.effect("accept targets from a stream as it emits them", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted({ a: 0, b: 0, c: 25_000 })
      const targets = Stream.make("a", "b", "c").pipe(Stream.schedule(Schedule.spaced("10 seconds")))
      const at: Array<number> = []
      yield* finish(
        Stream.runForEach(
          Run.completions(targets, source, yield* policy()),
          () => Effect.clockWith((clock) => Effect.sync(() => at.push(clock.currentTimeMillisUnsafe())))
        )
      )
      const first = ["a", "b", "c"].map((id) => asked.find(([of]) => of === id)![1])
      assert.strictEqual(first[1]! - first[0]!, 10_000)
      assert.strictEqual(first[2]! - first[1]!, 10_000)
      assert.deepStrictEqual(at.slice(0, 2), first.slice(0, 2), "the first is emitted before the last target is known")
    }))

  it.effect("are empty for an empty input", () =>
    Effect.gen(function*() {
      const { source } = scripted({})
      const told = yield* Stream.runCollect(Run.completions(Stream.empty, source, yield* policy()))
      assert.isEmpty(told)
    }))

  it.effect("fail when the stream of targets fails, and leave no fiber behind", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted({ a: 0, b: Infinity })
      const told: Array<string> = []
      const exit = yield* finish(
        Run.completions(Stream.concat(Stream.make("a", "b"), Stream.fail("no targets")), source, yield* policy()).pipe(
          Stream.runForEach(({ target }) => Effect.sync(() => told.push(target)))
        )
      )
      assert.strictEqual(failure(exit), "no targets")
      assert.deepStrictEqual(told, ["a"])
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(yield* sleeping, 0)
    }))

  it.effect("promise 6: leave no request, timer or fiber when the consumer stops early", () =>
    Effect.gen(function*() {
      const { asked, source, underWay } = scripted({ a: 7000, b: Infinity, c: Infinity }, { takes: "1 second" })
      const told = success(
        yield* finish(
          Run.completions(Stream.make("a", "b", "c"), source, yield* policy()).pipe(Stream.take(1), Stream.runCollect)
        )
      )
      assert.deepStrictEqual(idsOf(told), ["a"])
      assert.strictEqual(underWay(), 0)
      assert.strictEqual(yield* sleeping, 0)
      assert.isTrue(asked.every(([, at]) => at <= 14_000))
    }))

  for (const [when, at] of [["asleep", "10 seconds"], ["in a poll", "6500 millis"]] as const) {
    it.effect(`promise 6: leave no request, timer or fiber when they are interrupted while the runs are ${when}`, () =>
      Effect.gen(function*() {
        const { asked, source, underWay } = scripted({ a: Infinity, b: Infinity, c: Infinity }, { takes: "1 second" })
        // More runs than the concurrency allows
        const fiber = yield* Effect.forkChild(
          Stream.runDrain(
            Run.completions(Stream.make("a", "b", "c"), source, yield* policy(), { concurrency: 2 })
          )
        )
        yield* TestClock.adjust(at)
        assert.strictEqual(underWay() > 0, when === "in a poll")
        yield* Fiber.interrupt(fiber)
        const before = asked.length
        assert.strictEqual(underWay(), 0)
        assert.strictEqual(yield* sleeping, 0)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(asked.length, before)
      }))
  }

  it.effect("keep to the limit of concurrent polls, and poll the runs one after the other", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 12 }, (_, index) => `run-${index}`)
      const { asked, most, source } = scripted(Object.fromEntries(ids.map((id) => [id, 60_000])), { takes: "1 second" })
      // Twelve polls that take a second each, three at once, every second
      const told = success(
        yield* finish(
          Stream.runCollect(
            Run.completions(Stream.fromIterable(ids), source, yield* policy({ pollInterval: "1 second" }), {
              concurrency: 3
            })
          ),
          "10 minutes"
        )
      )
      assert.strictEqual(told.length, 12)
      assert.strictEqual(most(), 3)
      for (const id of ids) {
        const at = asked.filter(([of]) => of === id).map(([, at]) => at)
        assert.isAtMost(at[0]!, 8000)
        assert.isAtMost(Math.max(...at.slice(1).map((time, index) => time - at[index]!)), 5000)
      }
    }))

  it.effect("start new runs while more polls are due than the concurrency allows", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 100 }, (_, index) => `run-${index}`)
      const { asked, source } = scripted(Object.fromEntries(ids.map((id) => [id, Infinity])), { takes: "1 second" })
      const fiber = yield* Effect.forkChild(
        Stream.runDrain(
          Run.completions(Stream.fromIterable(ids), source, yield* policy({ pollInterval: "1 second" }), {
            concurrency: 1
          })
        )
      )
      yield* TestClock.adjust("201 seconds")
      assert.strictEqual(new Set(asked.map(([id]) => id)).size, 100)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("lose no result with a slow reader, and give each run its whole timeout", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 60 }, (_, index) => `run-${index}`)
      const { asked, source } = scripted(Object.fromEntries(ids.map((id) => [id, 0])))
      const told: Array<string> = []
      yield* finish(
        Run.completions(Stream.fromIterable(ids), source, yield* policy({ timeout: "1 minute" }), { concurrency: 2 })
          .pipe(Stream.runForEach(({ result, target }) =>
            Effect.andThen(
              Effect.sync(() => {
                assert.isTrue(Result.isSuccess(result))
                told.push(target)
              }),
              Effect.sleep("2 minutes")
            )
          )),
        "3 hours"
      )
      assert.sameMembers(told, ids)
      assert.isAbove(asked.at(-1)![1], 60_000, "the reader slows the polling")
      assert.strictEqual(asked.length, 60)
    }))

  it.effect("of ten thousand runs that end at once do not overflow the stack", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 10_000 }, (_, index) => `run-${index}`)
      const { source } = scripted(Object.fromEntries(ids.map((id) => [id, 5000])))
      const told = success(
        yield* finish(
          Stream.runCollect(Run.completions(Stream.fromIterable(ids), source, yield* policy(), { concurrency: 1 })),
          "1 minute"
        )
      )
      assert.strictEqual(new Set(idsOf(told)).size, 10_000)
    }).pipe(Effect.provide(patientClock)))

  it.effect("of many runs share wake-ups, and the delays of coalescing do not accumulate", () =>
    Effect.gen(function*() {
      // A hundred runs, seven milliseconds apart, with about seventy polls of each at a different interval
      const ids = Array.from({ length: 100 }, (_, index) => `run-${index}`)
      const interval = (id: string) => 5000 + 37 * Number(id.slice(4))
      const schedule = Kernel.make(({ ref }) => interval(ref.id))
      const { asked, source } = scripted(Object.fromEntries(ids.map((id) => [id, 495_000])))
      const targets = Stream.fromIterable(ids).pipe(Stream.schedule(Schedule.spaced("7 millis")))
      success(yield* finish(Stream.runDrain(Run.completions(targets, source, yield* policy({ schedule })))))
      let latest = 0
      for (const id of ids) {
        const [first, ...rest] = asked.filter(([other]) => other === id).map(([, at]) => at)
        for (const [index, at] of rest.entries()) {
          const late = at - first! - (index + 1) * interval(id)
          assert.isAtLeast(late, 0, "never early")
          assert.isAtMost(late, TimerQueue.coalescingWindow)
          latest = Math.max(latest, late)
        }
      }
      assert.isAbove(latest, 0)
    }))

  it.effect("step a schedule with a separate state for each run", () =>
    Effect.gen(function*() {
      const { asked, source } = scripted({ a: 6500, b: Infinity })
      const schedule = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(4)]).pipe(
        Schedule.setInputType<Polling.PollState<Snapshot>>()
      )
      const told = success(
        yield* finish(Stream.runCollect(Run.completions(Stream.make("a", "b"), source, yield* policy({ schedule }))))
      )
      assert.deepStrictEqual(asked.filter(([id]) => id === "a").map(([, at]) => at), [0, 1000, 3000, 7000])
      assert.deepStrictEqual(asked.filter(([id]) => id === "b").map(([, at]) => at), [0, 1000, 3000, 7000, 15_000])
      const last = told[1]!.result
      assert.isTrue(Result.isFailure(last) && last.failure._tag === "RunTimeoutError")
    }))

  it.effect("report the error of a schedule like any other", () =>
    Effect.gen(function*() {
      const { source } = scripted({ a: 12_000, b: 2000 })
      const schedule = Schedule.spaced("5 seconds").pipe(
        Schedule.setInputType<Polling.PollState<Snapshot>>(),
        Schedule.tap(({ input }) => input.polls === 2 ? Effect.fail("enough" as const) : Effect.void)
      )
      const told = success(
        yield* finish(Stream.runCollect(Run.completions(Stream.make("a", "b"), source, yield* policy({ schedule }))))
      )
      assert.sameMembers(idsOf(told), ["a", "b"])
      assert.isTrue(Result.isSuccess(told.find(({ target }) => target === "b")!.result))
      const failed = told.find(({ target }) => target === "a")!.result
      assert.deepStrictEqual(Result.isFailure(failed) && failed.failure, "enough")
    }))

  it.effect("end with the defect of a schedule", () =>
    Effect.gen(function*() {
      const { source } = scripted({ a: Infinity, b: Infinity })
      const schedule = Schedule.spaced("5 seconds").pipe(
        Schedule.setInputType<Polling.PollState<Snapshot>>(),
        Schedule.tap(({ input }) => input.polls === 2 ? Effect.die("a bug") : Effect.void)
      )
      const exit = yield* finish(
        Stream.runDrain(Run.completions(Stream.make("a", "b"), source, yield* policy({ schedule })))
      )
      assert.isTrue(Exit.isFailure(exit))
      const defect = Exit.isFailure(exit) ? Cause.findDefect(exit.cause) : undefined
      assert.isTrue(defect !== undefined && Result.isSuccess(defect) && defect.success === "a bug")
      assert.strictEqual(yield* sleeping, 0)
    }))

  it.effect("reject an invalid concurrency", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      for (const concurrency of [0, -1, 1.5, Number.NaN]) {
        const error = yield* Effect.flip(Stream.runDrain(spine.runs.completions(["x"], { concurrency })))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, "concurrency")
        assert.isFalse(error.sent)
      }
    }).pipe(Effect.provide(live())))

  it.effect("are woken by a webhook", () =>
    Effect.gen(function*() {
      const webhooks = yield* Webhooks.make()
      yield* Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.script({ timeline: Timeline.make({ duration: "90 seconds" }) })
        const created = yield* spine.runs.create({ prompt: "x" })
        const fiber = yield* Effect.forkChild(
          Stream.runCollect(spine.runs.completions([created, "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"], {
            pollInterval: "1 hour",
            timeout: "3 hours",
            notFoundGrace: 0
          }))
        )
        yield* TestClock.adjust("100 seconds")
        yield* webhooks.deliver({ provider: "spine", eventId: "e", runId: created.run_id, isTerminal: true } as never)
        yield* TestClock.adjust("1 second")
        const told = yield* Fiber.join(fiber)
        assert.strictEqual(told.length, 2)
        const polls = (yield* emulator.requests).filter(({ path }) => path.endsWith(created.run_id))
        assert.deepStrictEqual(polls.map(({ receivedAt }) => receivedAt), [0, 100_000])
      }).pipe(Effect.provide(live({ webhooks })))
    }))

  it.effect("A7: each push makes one poll, and no push counts as an answer", () =>
    Effect.gen(function*() {
      const pushes = yield* Queue.unbounded<number>()
      const { asked, source } = scripted({ a: 35_000 }, { pushed: () => Queue.take(pushes) })
      const fiber = yield* Effect.forkChild(
        Stream.runCollect(Run.completions(Stream.make("a"), source, yield* policy({ pollInterval: "1 minute" })))
      )
      for (let push = 1; push <= 4; push++) {
        yield* TestClock.adjust("10 seconds")
        yield* Queue.offer(pushes, push)
        yield* TestClock.adjust(0)
      }
      const [only] = yield* Fiber.join(fiber)
      assert.strictEqual(Result.getOrThrow(only!.result).status, "done")
      assert.deepStrictEqual(asked.map(([, at]) => at), [0, 10_000, 20_000, 30_000, 40_000])
      assert.strictEqual(yield* sleeping, 0)
    }))
})
