import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Logger, Metric, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Polling, RunError, RunRef, type RunSource } from "canvas-runs"
import * as Pause from "../../../src/internal/polling/pause.ts"
import * as PollHistory from "../../../src/internal/polling/pollHistory.ts"
import * as PollLoop from "../../../src/internal/polling/pollLoop.ts"
import * as SleepingRun from "../../../src/internal/polling/sleepingRun.ts"
import * as TimerQueue from "../../../src/internal/polling/timerQueue.ts"

interface Snapshot {
  readonly status: string
  readonly progress?: RunSource.Progress
}

type Source = RunSource.RunSource<Snapshot, Snapshot, Snapshot, RunSource.PollError>
type Loop = SleepingRun.Loop<Source, never, never>

const ref = RunRef.make({ provider: "test", kind: "run", id: "1" })
const fields = { operation: "test", attempts: 1, elapsed: Duration.zero, message: "test" }
const serverError = new RunError.ServerError({ ...fields, status: 503 })
const notFound = new RunError.NotFoundError({ ...fields, status: 404 })
const conflict = new RunError.ConflictError({ ...fields, status: 409 })

/** A timer queue whose time and size the test sets. */
const manualQueue = () => {
  const state = { now: 7000, sleepers: 1, added: [] as Array<number> }
  const timers: TimerQueue.TimerQueue = {
    now: () => state.now,
    size: () => state.sleepers,
    add: (timer, millis) => {
      timer.due = state.now + millis
      timer.index = 0
      state.added.push(millis)
    },
    remove: (timer) => {
      timer.index = -1
    },
    removeAll: () => {}
  }
  return Object.assign(state, { timers })
}

type Queue = ReturnType<typeof manualQueue>

type Reply = string | Snapshot | RunSource.PollError | {
  readonly takes?: number
  readonly retryAfter?: number
  readonly reply: string | RunSource.PollError
}

/** A source that gives these replies one after the other, and repeats the last one. Each takes time on the manual queue. */
const replying = (queue: Queue, replies: ReadonlyArray<Reply>, others: Partial<Source> = {}): Source => {
  let asked = 0
  return {
    ref,
    retrieve: Effect.suspend(() => {
      const next = replies[Math.min(asked++, replies.length - 1)]!
      const { reply, retryAfter, takes = 0 } = typeof next === "object" && "reply" in next
        ? next
        : { reply: next, retryAfter: undefined }
      queue.now += takes
      if (typeof reply === "object" && "_tag" in reply) return Effect.fail(reply)
      return Effect.succeed({
        value: typeof reply === "string" ? { status: reply } : reply,
        requestId: `request-${asked}`,
        retryAfter: retryAfter === undefined ? undefined : Duration.millis(retryAfter)
      })
    }),
    classify: (run) =>
      run.status === "done"
        ? { _tag: "Succeeded", run }
        : run.status === "failed"
        ? { _tag: "Failed", run, errors: ["boom"] }
        : { _tag: "Pending", progress: run.progress },
    status: ({ status }) => status,
    unchanged: () => false,
    longest: 0,
    ...others
  }
}

const policy = (others: Partial<RunSource.Policy<Snapshot>> = {}): RunSource.Policy<Snapshot> => ({
  schedule: Polling.fixed("5 seconds"),
  timeout: Duration.minutes(15),
  errorBudget: 5,
  notFoundGrace: Duration.seconds(30),
  retryAfterCeiling: Duration.minutes(1),
  ...others
})

/** Plans the next poll, and returns the milliseconds until then. */
const plan = (loop: Loop) =>
  PollLoop.plan(loop, (loop, millis) =>
    Effect.sync(() => {
      loop.timers.add(loop, millis)
      return millis
    }))

/** Polls, and plans the next poll. */
const pollAndPlan = (loop: Loop) => Effect.andThen(PollLoop.poll(loop), plan(loop))

/** Advances the time until the timer of the loop is due, and `late` more. */
const wakeUp = (queue: Queue, loop: Loop, late = 0) => {
  queue.now = loop.due + late
  queue.timers.remove(loop)
}

/** Plans of a loop that wakes as planned each time. */
const pauses = (queue: Queue, loop: Loop, count: number) =>
  Effect.gen(function*() {
    const planned: Array<number> = []
    while (planned.length < count) {
      planned.push(yield* pollAndPlan(loop))
      wakeUp(queue, loop)
    }
    return planned
  })

const withRandom = (value: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => value, nextIntUnsafe: () => 0 })

/** Pushes that a test sends. */
const pushes = () => {
  let sent = 0
  let listening: ((number: Effect.Effect<number>) => void) | undefined
  let interrupted = 0
  return {
    pushed: (after: number): Effect.Effect<number> =>
      sent > after ? Effect.succeed(sent) : Effect.callback((resume) => {
        listening = resume
        return Effect.sync(() => {
          listening = undefined
          interrupted++
        })
      }),
    push: () => {
      sent++
      listening?.(Effect.succeed(sent))
    },
    isHeard: () => listening !== undefined,
    interrupted: () => interrupted
  }
}

/** A loop that listens for pushes, and counts how often it is woken. */
const listening = (
  queue: Queue,
  replies: ReadonlyArray<Reply>,
  options: { readonly isPushProof?: boolean; readonly policy?: Partial<RunSource.Policy<Snapshot>> } = {}
) =>
  Effect.gen(function*() {
    const { push, pushed } = pushes()
    const source = replying(queue, replies, { pushed, isPushProof: options.isPushProof })
    const loop: Loop = yield* PollLoop.make(source, policy(options.policy), queue.timers)
    let woken = 0
    loop.wake = () => void woken++
    PollLoop.listen(loop, Effect.runFork)
    yield* Effect.addFinalizer(() => Effect.sync(() => PollLoop.stop(loop)))
    return { loop, push, woken: () => woken }
  })

/** Checks that a wait failed because its deadline has passed. */
const metDeadline = (error: unknown) => {
  assert.instanceOf(error, RunError.RunTimeoutError)
  assert.strictEqual(error.reason, "deadline")
  assert.include(error.message, "the timeout has passed")
}

/** The messages that are logged while an effect runs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const messages: Array<unknown> = []
    const logger = Logger.make(({ message }) => void messages.push(message))
    return Effect.as(Effect.provide(effect, Logger.layer([logger])), messages)
  })

describe("the pause between two polls", () => {
  it.effect("is that of the schedule, at any time on the clock", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)
      assert.deepStrictEqual(yield* pauses(queue, loop, 3), [5000, 5000, 5000])
    }))

  it.effect("is 100 ms if the schedule gives less than 1 ms", () =>
    Effect.gen(function*() {
      for (const [scheduled, pause] of [[0, 100], [0.9, 100], [1, 1], [2, 2]] as const) {
        const queue = manualQueue()
        const schedule = Polling.make(() => scheduled)
        const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy({ schedule }), queue.timers)
        assert.deepStrictEqual(yield* pauses(queue, loop, 1), [pause])
      }
    }))

  it.effect("is shortened by the delay of the last wake-up, up to 50 ms", () =>
    Effect.gen(function*() {
      for (const [late, pause] of [[-2000, 5000], [0, 5000], [30, 4970], [50, 4950], [800, 4950]] as const) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)
        yield* pollAndPlan(loop)
        wakeUp(queue, loop, late)
        assert.strictEqual(yield* pollAndPlan(loop), pause, `${late} ms late`)
      }
    }))

  it.effect("is at least half of that of the schedule, after any delay of the last wake-up", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: Polling.fixed(60) }),
        queue.timers
      )
      yield* pollAndPlan(loop)
      wakeUp(queue, loop, 50)
      assert.strictEqual(yield* pollAndPlan(loop), 30)
    }))

  it.effect("is at least Retry-After, of an answer and of a failure, up to the ceiling", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const source = replying(queue, [
        { reply: "running", retryAfter: 8000 },
        { reply: "running", retryAfter: 3000 },
        { reply: "running", retryAfter: 61_000 },
        { reply: { _tag: "Busy", isRetryable: true, retryAfter: Duration.seconds(9) } },
        "running"
      ])
      const loop: Loop = yield* PollLoop.make(source, policy(), queue.timers)
      assert.deepStrictEqual(yield* pauses(queue, loop, 5), [8000, 5000, 60_000, 9000, 5000])
    }))

  it.effect("after Retry-After is spread over as many ms as there are sleepers above 64, and over the schedule's pause at most", () =>
    Effect.gen(function*() {
      for (
        const [sleepers, scheduled, retryAfter, pause] of [
          [64, 5000, 8000, 8000],
          [10, 5000, 8000, 8000],
          [104, 5000, 8000, 8010],
          [104, 20, 8000, 8005],
          [104, 8000, 8000, 8000]
        ] as const
      ) {
        const queue = manualQueue()
        queue.sleepers = sleepers
        const source = replying(queue, [{ reply: "running", retryAfter }])
        const loop: Loop = yield* PollLoop.make(source, policy({ schedule: Polling.fixed(scheduled) }), queue.timers)
        assert.strictEqual(yield* Effect.scoped(pollAndPlan(loop)).pipe(withRandom(0.25)), pause)
      }
    }))
})

describe("the last poll before the deadline", () => {
  /** The pauses of a loop with this interval, timeout and these replies, and the number of polls until it timed out. */
  const untilDeadline = (interval: number, timeout: number, replies: ReadonlyArray<Reply>, start = 7000) =>
    Effect.gen(function*() {
      const queue = manualQueue()
      queue.now = start
      const loop: Loop = yield* PollLoop.make(
        replying(queue, replies),
        policy({ schedule: Polling.fixed(interval), timeout: Duration.millis(timeout) }),
        queue.timers
      )
      const planned: Array<number> = []
      let exit
      do {
        exit = yield* Effect.exit(pollAndPlan(loop))
        if (Exit.isSuccess(exit)) {
          planned.push(exit.value)
          wakeUp(queue, loop)
        }
      } while (Exit.isSuccess(exit) && loop.polls < 100)
      return { planned, polls: loop.polls, now: queue.now - start }
    })

  it.effect("begins 100 ms before the deadline, and the wait lasts until the deadline", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* untilDeadline(60_000, 10_000, ["running"]),
        { planned: [9900, 100], polls: 2, now: 10_000 }
      )
    }))

  it.effect("is made once, if the wait began at any fraction of a millisecond", () =>
    Effect.gen(function*() {
      for (let index = 0; index < 1000; index++) {
        const { polls } = yield* untilDeadline(5000, 23_569, ["running"], 1001.001 * index)
        assert.strictEqual(polls, 6, `began at ${1001.001 * index} ms`)
      }
    }))

  it.effect("is the poll that the schedule plans for exactly that time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* untilDeadline(9900, 10_000, ["running"]),
        { planned: [9900, 100], polls: 2, now: 10_000 }
      )
    }))

  it.effect("follows a poll that the schedule plans for any time before", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* untilDeadline(9800, 10_000, ["running"]),
        { planned: [9800, 100, 100], polls: 3, now: 10_000 }
      )
    }))

  it.effect("has twice the time of the slowest poll, whether that succeeded or failed", () =>
    Effect.gen(function*() {
      for (const reply of ["running", serverError]) {
        const { planned } = yield* untilDeadline(5000, 10_000, [{ reply, takes: 400 }, "running"])
        // Polls at 0, 5400 and 9200
        assert.deepStrictEqual(planned, [5000, 3800, 800])
      }
    }))

  it.effect("has at most half of the remaining time", () =>
    Effect.gen(function*() {
      const { planned } = yield* untilDeadline(60_000, 10_000, [{ reply: "running", takes: 4000 }, "running"])
      assert.deepStrictEqual(planned, [3000, 3000])
    }))

  it.effect("is not made after the deadline, and the schedule is not stepped", () =>
    Effect.gen(function*() {
      for (const [elapsed, polls] of [[9999, 2], [10_000, 1], [10_001, 1]] as const) {
        let asked = 0
        const queue = manualQueue()
        const schedule = Polling.make(() => ++asked)
        const loop: Loop = yield* PollLoop.make(
          replying(queue, ["running"]),
          policy({ schedule, timeout: Duration.seconds(10) }),
          queue.timers
        )
        yield* PollLoop.poll(loop)
        queue.now += elapsed
        if (polls === 2) yield* plan(loop)
        else metDeadline(yield* Effect.flip(plan(loop)))
        assert.strictEqual(asked, polls - 1)
        if (polls === 2) yield* PollLoop.poll(loop)
        else metDeadline(yield* Effect.flip(PollLoop.poll(loop)))
        assert.strictEqual(loop.polls, polls)
      }
    }))

  it.effect("is made even if it is the first one and begins after the deadline", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["done"]),
        policy({ timeout: Duration.seconds(10) }),
        queue.timers
      )
      queue.now += 10_001
      assert.strictEqual((yield* PollLoop.poll(loop)).phase?._tag, "Succeeded")
    }))

  it.effect("is interrupted at the deadline, unless the source bounds it more tightly", () =>
    Effect.gen(function*() {
      for (const longest of [undefined, 1000, 60_000]) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(
          replying(queue, [], { retrieve: Effect.never, longest }),
          policy({ timeout: Duration.millis(1000) }),
          queue.timers
        )
        const fiber = yield* Effect.forkChild(Effect.flip(PollLoop.poll(loop)))
        yield* TestClock.adjust(999)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        metDeadline(yield* Fiber.join(fiber))
      }
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, [], { retrieve: Effect.never, longest: 999 }),
        policy({ timeout: Duration.millis(1000) }),
        queue.timers
      )
      const fiber = yield* Effect.forkChild(PollLoop.poll(loop))
      yield* TestClock.adjust(5000)
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    }))
})

describe("a schedule that has a state", () => {
  it.effect("keeps its own state from pause to pause, and ends the wait when it ends", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)]) }),
        queue.timers
      )
      assert.deepStrictEqual(yield* pauses(queue, loop, 2), [1000, 1000])
      const error = yield* Effect.flip(pollAndPlan(loop))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(error.reason, "schedule")
      assert.include(error.message, "give a schedule with more polls")
    }))

  it.effect("may take until the deadline to find its pause, and the last poll gets the remaining time", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const thinking = Schedule.spaced("5 seconds").pipe(
        Schedule.tap(() =>
          Effect.sync(() => {
            queue.now += 8000
          })
        )
      )
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: thinking, timeout: Duration.seconds(10) }),
        queue.timers
      )
      assert.strictEqual(yield* pollAndPlan(loop), 1900)
    }))

  it.effect("that finds its pause after the deadline ends the wait without a pause", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const slow = Schedule.spaced("5 seconds").pipe(
        Schedule.tap(() =>
          Effect.sync(() => {
            queue.now += 12_000
          })
        )
      )
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: slow, timeout: Duration.seconds(10) }),
        queue.timers
      )
      assert.strictEqual(yield* pollAndPlan(loop), 0)
    }))

  it.effect("is interrupted at the deadline", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: Schedule.forever.pipe(Schedule.tap(() => Effect.never)), timeout: Duration.seconds(10) }),
        queue.timers
      )
      const fiber = yield* Effect.forkChild(Effect.flip(pollAndPlan(loop)))
      yield* TestClock.adjust(9999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      metDeadline(yield* Fiber.join(fiber))
    }))
})

describe("the input of a schedule", () => {
  /** The inputs of a schedule, each after a pause of 5 seconds. */
  const statesOf = (replies: ReadonlyArray<Reply>, about: RunRef.RunRef = ref) =>
    Effect.gen(function*() {
      const states: Array<RunSource.PollState<Snapshot>> = []
      const queue = manualQueue()
      const schedule = Polling.make<Snapshot>((state) => {
        states.push(state)
        return 5000
      })
      const loop: Loop = yield* PollLoop.make(
        replying(queue, replies, { ref: about }),
        policy({ schedule }),
        queue.timers
      )
      yield* pauses(queue, loop, replies.length)
      return states
    })

  it.effect("has the ref, the last snapshot, the polls, the failures in a row, and the times since the start and until the deadline", () =>
    Effect.gen(function*() {
      const states = yield* statesOf(["running", serverError, serverError, "queued"])
      assert.deepStrictEqual(states.map(({ snapshot }) => snapshot?.status), [
        "running",
        "running",
        "running",
        "queued"
      ])
      assert.deepStrictEqual(states.map(({ polls }) => polls), [1, 2, 3, 4])
      assert.deepStrictEqual(states.map(({ failures }) => failures), [0, 1, 2, 0])
      assert.deepStrictEqual(states.map(({ elapsed }) => Duration.toMillis(elapsed)), [0, 5000, 10_000, 15_000])
      assert.deepStrictEqual(
        states.map(({ remaining }) => Duration.toMillis(remaining)),
        [900_000, 895_000, 890_000, 885_000]
      )
      assert.strictEqual(states[0]!.ref, ref)
      assert.isUndefined(states[0]!.age)
      assert.isUndefined(states[0]!.estimate)
      assert.isUndefined(states[0]!.progress)
    }))

  it.effect("has the progress, and the time since a part of it changed, which is the middle between two polls", () =>
    Effect.gen(function*() {
      const at = (completed: number, total: number) => ({ status: "running", progress: { completed, total } })
      const states = yield* statesOf(["running", at(0, 5), at(0, 5), at(1, 5), at(1, 5), at(1, 6), at(1, 6), "running"])
      assert.deepStrictEqual(states.map(({ progress }) => progress), [
        undefined,
        { completed: 0, total: 5 },
        { completed: 0, total: 5 },
        { completed: 1, total: 5 },
        { completed: 1, total: 5 },
        { completed: 1, total: 6 },
        { completed: 1, total: 6 },
        undefined
      ])
      assert.deepStrictEqual(
        states.map(({ sinceProgress }) => Duration.toMillis(sinceProgress)),
        [0, 2500, 7500, 2500, 7500, 2500, 7500, 2500]
      )
    }))

  it.effect("takes several tasks that ended between two polls as ended at even distances", () =>
    Effect.gen(function*() {
      const at = (completed: number) => ({ status: "running", progress: { completed, total: 9 } })
      const states = yield* statesOf([at(2), at(2), at(6), at(6), at(7)])
      assert.deepStrictEqual(
        states.map(({ sinceProgress }) => Duration.toMillis(sinceProgress)),
        [0, 5000, 1000, 6000, 2500]
      )
    }))

  it.effect("has the time since the wait began if no progress was seen", () =>
    Effect.gen(function*() {
      const states = yield* statesOf(["running", "running"])
      assert.deepStrictEqual(states.map(({ sinceProgress }) => Duration.toMillis(sinceProgress)), [0, 5000])
    }))

  it.effect("has the estimate, and the age by the time of day, which is 0 for a run from the future", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(10_000)
      const about = (createdAt: number) => RunRef.make({ ...ref, createdAt, estimatedDurationMs: 900_000 })
      const [past] = yield* statesOf(["running"], about(4000))
      assert.strictEqual(Duration.toMillis(past!.age!), 6000)
      assert.strictEqual(Duration.toMillis(past!.estimate!), 900_000)
      const [future] = yield* statesOf(["running"], about(11_000))
      assert.strictEqual(Duration.toMillis(future!.age!), 0)
    }))
})

describe("the snapshot of a sleeping loop", () => {
  /** Whether a loop that sleeps for 1 second keeps the snapshot, with this much time until its deadline. */
  const keeps = (
    left: number,
    others: Partial<RunSource.Policy<Snapshot>> & { readonly longest?: number | undefined }
  ) =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { longest, ...rest } = { longest: 500, ...others }
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"], { longest }),
        policy({
          schedule: Polling.fixed("1 second"),
          notFoundGrace: Duration.seconds(1),
          errorBudget: 1,
          timeout: Duration.millis(left),
          ...rest
        }),
        queue.timers
      )
      yield* pollAndPlan(loop)
      return loop.snapshot !== undefined
    })

  it.effect("is kept while fewer polls may follow than the error budget allows to fail, with pauses of four times this one", () =>
    Effect.gen(function*() {
      const retryAfterCeiling = Duration.seconds(2)
      assert.isTrue(yield* keeps(14_499, { retryAfterCeiling }))
      assert.isFalse(yield* keeps(14_500, { retryAfterCeiling }))
    }))

  it.effect("is kept while fewer polls may follow than the error budget allows to fail, with pauses of the longest Retry-After", () =>
    Effect.gen(function*() {
      const retryAfterCeiling = Duration.seconds(5)
      assert.isTrue(yield* keeps(17_499, { retryAfterCeiling }))
      assert.isFalse(yield* keeps(17_500, { retryAfterCeiling }))
    }))

  it.effect("is kept if a poll may take any time, and if the schedule may read it", () =>
    Effect.gen(function*() {
      assert.isTrue(yield* keeps(3_600_000, { longest: undefined }))
      assert.isTrue(yield* keeps(3_600_000, { schedule: Polling.make(() => 1000) }))
      assert.isFalse(yield* keeps(3_600_000, {}))
    }))
})

describe("a push", () => {
  it.effect("wakes a sleeping loop at once", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push, woken } = yield* listening(queue, ["running"])
      yield* pollAndPlan(loop)
      queue.now += 2000
      push()
      assert.strictEqual(woken(), 1)
      assert.strictEqual(loop.index, -1, "the timer is gone")
      assert.deepStrictEqual(queue.added, [5000])
    }))

  it.effect("wakes a loop no earlier than Retry-After, and at once from then on", () =>
    Effect.gen(function*() {
      for (
        const [elapsed, added] of [[500, [5000, 2500]], [2999, [5000, 1]], [3000, [5000]], [3001, [5000]]] as const
      ) {
        const queue = manualQueue()
        const { loop, push, woken } = yield* listening(queue, [{ reply: "running", takes: 200, retryAfter: 3000 }])
        yield* pollAndPlan(loop)
        queue.now += elapsed
        push()
        assert.deepStrictEqual(queue.added, [...added], `${elapsed} ms after the poll`)
        assert.strictEqual(woken(), added.length === 1 ? 1 : 0)
      }
    }))

  it.effect("never delays a poll, and does not count if it changes nothing", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push, woken } = yield* listening(queue, [{ reply: "running", retryAfter: 9000 }, "running"])
      yield* pollAndPlan(loop)
      queue.now += 1000
      push()
      assert.deepStrictEqual(queue.added, [9000])
      wakeUp(queue, loop)
      yield* pollAndPlan(loop)
      queue.now += 10
      push()
      assert.strictEqual(woken(), 1, "the first that counts wakes at once")
    }))

  it.effect("wakes at most once a second without a terminal status, and ten times a second with one", () =>
    Effect.gen(function*() {
      for (const [isPushProof, gap] of [[false, 1000], [true, 100]] as const) {
        const queue = manualQueue()
        const { loop, push, woken } = yield* listening(queue, ["running"], { isPushProof })
        yield* pollAndPlan(loop)
        push()
        assert.strictEqual(woken(), 1)
        yield* pollAndPlan(loop)
        queue.now += 30
        push()
        assert.strictEqual(woken(), 1)
        assert.strictEqual(queue.added.at(-1), gap - 30)
        push()
        assert.strictEqual(queue.added.length, 3, "another one changes nothing")
      }
    }))

  it.effect("during a poll leads to another poll 100 ms later, and from the second push on 1 second later unless it has a terminal status", () =>
    Effect.gen(function*() {
      for (const [isPushProof, gap] of [[false, 1000], [true, 100]] as const) {
        const queue = manualQueue()
        const { loop, push } = yield* listening(queue, ["running"], { isPushProof })
        const polling = (pushes: number) =>
          Effect.gen(function*() {
            yield* PollLoop.poll(loop)
            for (let sent = 0; sent < pushes; sent++) push()
            const pause = yield* plan(loop)
            wakeUp(queue, loop)
            return pause
          })
        assert.strictEqual(yield* polling(1), 100)
        assert.strictEqual(yield* polling(2), gap)
        assert.strictEqual(yield* polling(1), gap)
        // The polls after it follow the schedule again, or are faster
        assert.strictEqual(yield* polling(0), isPushProof ? 1000 : 5000)
      }
    }))

  it.effect("during a poll never makes a pause longer", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push } = yield* listening(queue, ["running"], { policy: { schedule: Polling.fixed(40) } })
      yield* PollLoop.poll(loop)
      push()
      assert.strictEqual(yield* plan(loop), 40)
    }))

  it.effect("with a terminal status shortens the pauses after it, each twice as long as the last", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push } = yield* listening(queue, ["running"], { isPushProof: true })
      yield* pollAndPlan(loop)
      push()
      wakeUp(queue, loop)
      assert.deepStrictEqual(yield* pauses(queue, loop, 4), [1000, 2000, 4000, 5000])
    }))

  it.effect("without a terminal status shortens no pause", () =>
    Effect.gen(function*() {
      for (const isPushProof of [false, undefined]) {
        const queue = manualQueue()
        const { loop, push } = yield* listening(queue, ["running"], isPushProof === undefined ? {} : { isPushProof })
        yield* pollAndPlan(loop)
        push()
        assert.deepStrictEqual(yield* pauses(queue, loop, 2), [5000, 5000])
      }
    }))

  it.effect("before the last poll replaces it, and another last poll is planned", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push, woken } = yield* listening(queue, ["running"], { policy: { timeout: Duration.seconds(4) } })
      assert.strictEqual(yield* pollAndPlan(loop), 3900)
      queue.now += 1000
      push()
      assert.strictEqual(woken(), 1)
      assert.strictEqual(yield* pollAndPlan(loop), 2900)
    }))

  it.effect("during the last poll leads to another poll", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push } = yield* listening(queue, ["running"], {
        policy: { timeout: Duration.millis(2000), schedule: Polling.fixed("1 minute") }
      })
      assert.strictEqual(yield* pollAndPlan(loop), 1900)
      wakeUp(queue, loop)
      yield* PollLoop.poll(loop)
      push()
      assert.strictEqual(yield* plan(loop), 50)
    }))

  it.effect("for a run that waits for a free poll keeps its place, and its next poll is not the last", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const { loop, push, woken } = yield* listening(queue, ["running"], { policy: { timeout: Duration.seconds(4) } })
      assert.strictEqual(yield* pollAndPlan(loop), 3900)
      queue.now += 2000
      PollLoop.enqueue(loop)
      PollLoop.watchQueued(loop)
      push()
      assert.strictEqual(woken(), 0)
      assert.isTrue(PollLoop.isQueued(loop))
      assert.deepStrictEqual(queue.added, [3900, 2000], "only the timers of the plan and of the deadline")
      assert.isTrue(PollLoop.dequeue(loop))
      assert.strictEqual(yield* pollAndPlan(loop), 1900)
    }))
})

describe("listening for pushes", () => {
  it.effect("continues after each push, and stops with the loop", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const sent = pushes()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"], { pushed: sent.pushed }),
        policy(),
        queue.timers
      )
      PollLoop.listen(loop, Effect.runFork)
      sent.push()
      assert.isTrue(sent.isHeard())
      PollLoop.stop(loop)
      assert.isFalse(sent.isHeard())
      assert.strictEqual(sent.interrupted(), 1)
      // A second stop finds nothing to stop
      PollLoop.stop(loop)
      assert.strictEqual(sent.interrupted(), 1)
    }))

  it.effect("needs no fiber for a source without pushes", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)
      PollLoop.listen(loop, () => assert.fail("a fiber was forked"))
      PollLoop.stop(loop)
    }))

  it.effect("begins before the first poll, with single polls and with a loop to the end", () =>
    Effect.gen(function*() {
      for (const follow of [PollLoop.next, PollLoop.end]) {
        const queue = manualQueue()
        const sent = pushes()
        let wasHeard = false
        const loop: Loop = yield* PollLoop.make(
          replying(queue, [], {
            pushed: sent.pushed,
            retrieve: Effect.sync(() => {
              wasHeard = sent.isHeard()
              return { value: { status: "done" }, requestId: undefined, retryAfter: undefined }
            })
          }),
          policy(),
          queue.timers
        )
        yield* Effect.asVoid<unknown, unknown, never>(follow(loop))
        assert.isTrue(wasHeard)
        PollLoop.stop(loop)
      }
    }))

  const listen = (pushed: () => Effect.Effect<number>) =>
    logged(Effect.withFiber((fiber) =>
      Effect.flatMap(
        PollLoop.make(replying(manualQueue(), ["running"], { pushed }), policy(), manualQueue().timers),
        (loop: Loop) => {
          let listener: Fiber.Fiber<void> | undefined
          PollLoop.listen(loop, (listening) => listener = Effect.runForkWith(fiber.context)(listening))
          return Effect.exit(Fiber.join(listener!))
        }
      )
    ))

  it.effect("that fails is logged once with its cause, and nothing else fails", () =>
    Effect.gen(function*() {
      const messages = yield* listen(() => Effect.die(new Error("the store is gone")))
      assert.strictEqual(messages.length, 1)
      assert.include(String((messages[0] as ReadonlyArray<unknown>)[0]), "polling continues")
      assert.strictEqual((messages[0] as ReadonlyArray<unknown>).length, 1, "the cause is logged as the cause")
    }))

  it.effect("that is interrupted is not logged", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listen(() => Effect.interrupt), [])
    }))

  it.effect("ends with a count that is not a new push, which does not wake the loop", () =>
    Effect.gen(function*() {
      for (const numbers of [[0], [-1], [Number.NaN], [1, 1], [2, 1]]) {
        const queue = manualQueue()
        let asked = 0
        const loop: Loop = yield* PollLoop.make(
          replying(queue, ["running"], {
            pushed: () => asked < numbers.length ? Effect.succeed(numbers[asked++]!) : Effect.die("called once more")
          }),
          policy(),
          queue.timers
        )
        let woken = 0
        yield* pollAndPlan(loop)
        loop.wake = () => void woken++
        let listener: Fiber.Fiber<void> | undefined
        PollLoop.listen(loop, (listening) => listener = Effect.runFork(listening))
        assert.deepStrictEqual(listener!.pollUnsafe(), Exit.void)
        assert.strictEqual(woken, numbers.length - 1)
        assert.strictEqual(asked, numbers.length)
      }
    }))
})

describe("a suspension of the whole process", () => {
  /** A loop that sleeps among `count` others, is due at 12_345, and wakes late. */
  const late = (by: number, sleepers: number, others: Partial<RunSource.Policy<Snapshot>> = {}) =>
    Effect.gen(function*() {
      const queue = manualQueue()
      queue.sleepers = sleepers
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ schedule: Polling.fixed(5345), ...others }),
        queue.timers
      )
      yield* pollAndPlan(loop)
      assert.strictEqual(loop.due, 12_345)
      queue.added.length = 0
      wakeUp(queue, loop, by)
      return { loop, queue }
    })

  it.effect("delays a due poll by its due time modulo as many ms as there are sleepers above 64", () =>
    Effect.gen(function*() {
      const { loop, queue } = yield* late(5000, 164)
      assert.isTrue(Pause.putOff(loop))
      // 12_345 % 100
      assert.deepStrictEqual(queue.added, [45])
    }))

  it.effect("delays a poll by less than the pause took", () =>
    Effect.gen(function*() {
      const { loop, queue } = yield* late(1100, 5064)
      assert.isTrue(Pause.putOff(loop))
      // 12_345 % 1100
      assert.deepStrictEqual(queue.added, [245])
    }))

  it.effect("counts as such from one second on", () =>
    Effect.gen(function*() {
      const short = yield* late(999, 164)
      assert.isFalse(Pause.putOff(short.loop))
      assert.deepStrictEqual(short.queue.added, [])
      assert.isTrue(Pause.putOff((yield* late(1000, 164)).loop))
    }))

  it.effect("delays a poll once, and again after the next pause", () =>
    Effect.gen(function*() {
      const { loop, queue } = yield* late(5000, 164)
      assert.isTrue(Pause.putOff(loop))
      wakeUp(queue, loop, 5000)
      assert.isFalse(Pause.putOff(loop))
      yield* pollAndPlan(loop)
      wakeUp(queue, loop, 5000)
      assert.isTrue(Pause.putOff(loop))
    }))

  it.effect("does not delay the polls of few loops", () =>
    Effect.gen(function*() {
      for (const sleepers of [1, 64]) {
        const { loop, queue } = yield* late(5000, sleepers)
        assert.isFalse(Pause.putOff(loop))
        assert.deepStrictEqual(queue.added, [])
        // And their flag for a delay is not set
        yield* pollAndPlan(loop)
        queue.sleepers = 164
        wakeUp(queue, loop, 5000)
        assert.isTrue(Pause.putOff(loop))
      }
    }))

  it.effect("delays no poll to the time of the last one", () =>
    Effect.gen(function*() {
      // It would be delayed by 45 ms. With 90 ms left the last poll begins after 45 ms
      const close = yield* late(2000, 164, { timeout: Duration.millis(5345 + 2000 + 90) })
      assert.isFalse(Pause.putOff(close.loop))
      const far = yield* late(2000, 164, { timeout: Duration.millis(5345 + 2000 + 92) })
      assert.isTrue(Pause.putOff(far.loop))
    }))

  it.effect("does not delay the last poll", () =>
    Effect.gen(function*() {
      const { loop } = yield* late(2000, 164, { schedule: Polling.fixed("1 minute"), timeout: Duration.millis(5445) })
      assert.isFalse(Pause.putOff(loop))
    }))

  it.effect("lets a fiber that is woken during the delay continue to sleep", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      queue.sleepers = 164
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running", "done"]),
        policy({ schedule: Polling.fixed(5345) }),
        queue.timers
      )
      const fiber = yield* Effect.forkChild(PollLoop.end(loop), { startImmediately: true })
      wakeUp(queue, loop, 2000)
      loop.wake(loop)
      assert.strictEqual(loop.polls, 1)
      assert.isUndefined(fiber.pollUnsafe())
      wakeUp(queue, loop)
      loop.wake(loop)
      yield* Fiber.join(fiber)
      assert.strictEqual(loop.polls, 2)
    }))
})

describe("a run that waits for a free poll", () => {
  const row = (queue: Queue): Effect.Effect<Loop> => PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)

  it.effect("has the timer of its deadline", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop = yield* row(queue)
      queue.now += 1000
      PollLoop.enqueue(loop)
      assert.isTrue(PollLoop.isQueued(loop))
      PollLoop.watchQueued(loop)
      assert.deepStrictEqual(queue.added, [899_000])
      assert.strictEqual(SleepingRun.timeLeft(loop), 899_000)
    }))

  it.effect("is woken at once if its deadline has passed", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop = yield* row(queue)
      queue.now += 900_001
      PollLoop.enqueue(loop)
      PollLoop.watchQueued(loop)
      assert.deepStrictEqual(queue.added, [0])
    }))

  it.effect("has no timer once it may poll", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop = yield* row(queue)
      PollLoop.enqueue(loop)
      PollLoop.watchQueued(loop)
      assert.isTrue(PollLoop.dequeue(loop))
      assert.isFalse(PollLoop.isQueued(loop))
      assert.strictEqual(loop.index, -1)
      assert.isFalse(PollLoop.dequeue(loop), "it no longer waits")
      PollLoop.watchQueued(loop)
      assert.strictEqual(queue.added.length, 1)
    }))
})

describe("a loop on the timer queue of its fiber", () => {
  const answer = (status: string) => ({ value: { status }, requestId: undefined, retryAfter: undefined })

  it.effect("polls at the times of the schedule, poll by poll", () =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const source = replying(manualQueue(), [], {
        retrieve: Effect.clockWith((clock) =>
          Effect.sync(() => {
            times.push(clock.currentTimeMillisUnsafe())
            return answer(times.length === 3 ? "done" : "running")
          })
        )
      })
      const loop: Loop = yield* PollLoop.make(source, policy())
      const turns = yield* Effect.forkChild(Effect.all([PollLoop.next(loop), PollLoop.next(loop), PollLoop.next(loop)]))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(times, [0, 5000, 10_000])
      assert.deepStrictEqual(
        (yield* Fiber.join(turns)).map(({ phase }) => phase?._tag),
        ["Pending", "Pending", "Succeeded"]
      )
    }))

  it.effect("continues after failures and unfinished answers, and returns the end with the ref and the request id", () =>
    Effect.gen(function*() {
      for (const status of ["done", "failed"]) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(replying(queue, [serverError, "running", status]), policy())
        const fiber = yield* Effect.forkChild(PollLoop.end(loop))
        yield* TestClock.adjust("10 seconds")
        const ended = yield* Fiber.join(fiber)
        assert.deepStrictEqual(ended, {
          ref,
          phase: status === "done"
            ? { _tag: "Succeeded", run: { status } }
            : { _tag: "Failed", run: { status }, errors: ["boom"] },
          requestId: "request-3"
        })
      }
    }))

  it.effect("that is stopped does not affect the timers of others, asleep or not", () =>
    Effect.gen(function*() {
      const queue = yield* Effect.withFiber((fiber) => Effect.succeed(TimerQueue.of(fiber)))
      const woken: Array<number> = []
      for (const millis of [1000, 2000]) {
        queue.add({ due: 0, index: -1, wake: () => void woken.push(millis) }, millis)
      }
      const awake: Loop = yield* PollLoop.make(replying(manualQueue(), ["running"]), policy())
      PollLoop.stop(awake)
      const asleep: Loop = yield* PollLoop.make(replying(manualQueue(), ["running"]), policy())
      const fiber = yield* Effect.forkChild(PollLoop.end(asleep), { startImmediately: true })
      assert.strictEqual(queue.size(), 3)
      yield* Fiber.interrupt(fiber)
      PollLoop.stop(asleep)
      assert.strictEqual(queue.size(), 2)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(woken, [1000, 2000])
      assert.strictEqual(asleep.polls, 1)
    }))
})

describe("a poll", () => {
  it.effect("is counted, by provider", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const about = RunRef.make({ ...ref, provider: "counted" })
      const loop: Loop = yield* PollLoop.make(
        replying(queue, [serverError, "running"], { ref: about }),
        policy(),
        queue.timers
      )
      yield* pauses(queue, loop, 2)
      const counted = (yield* Metric.snapshot).find(({ attributes, id }) =>
        id === "canvas_runs_polls_total" && attributes?.["provider"] === "counted"
      )
      assert.deepStrictEqual(counted?.state, { count: 2, incremental: true })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("a failed poll", () => {
  it.effect("ends the loop with its error unless it is transient", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const young = RunRef.make({ ...ref, createdAt: 0 })
      const loop: Loop = yield* PollLoop.make(replying(queue, [conflict], { ref: young }), policy(), queue.timers)
      assert.strictEqual(yield* Effect.flip(PollLoop.poll(loop)), conflict)
    }))

  it.effect("does not end the loop, as often in a row as the error budget allows", () =>
    Effect.gen(function*() {
      for (const errorBudget of [0, 2]) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(
          replying(queue, ["running", serverError]),
          policy({ errorBudget }),
          queue.timers
        )
        yield* pauses(queue, loop, 1 + errorBudget)
        assert.strictEqual(yield* Effect.flip(PollLoop.poll(loop)), serverError)
      }
    }))

  it.effect("that does not end the loop is returned with its error", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(replying(queue, [serverError]), policy(), queue.timers)
      assert.deepStrictEqual(yield* PollLoop.poll(loop), { phase: undefined, error: serverError })
    }))

  it.effect("with 404 does not end the loop until the grace period after the creation and after the first poll has passed", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      for (
        const [age, waited, isSurvived, notFoundGrace] of [
          [30_000, 30_000, true],
          [30_001, 0, false],
          [0, 30_001, false],
          [-1_000_000, 30_000, true],
          [-1_000_000, 30_001, false],
          [undefined, 0, false],
          [undefined, 9000, true, "9 seconds"],
          [undefined, 9001, false, "9 seconds"],
          [9000, 9000, true, "9 seconds"],
          [9001, 0, false, "9 seconds"],
          [0, 0, false, 0],
          [undefined, 0, false, 0]
        ] as ReadonlyArray<readonly [number | undefined, number, boolean, Duration.Input?]>
      ) {
        const queue = manualQueue()
        const about = age === undefined ? ref : RunRef.make({ ...ref, createdAt: 1_000_000 - age })
        const loop: Loop = yield* PollLoop.make(
          replying(queue, [notFound], { ref: about }),
          policy({
            errorBudget: 0,
            notFoundGrace: notFoundGrace === undefined ? undefined : Duration.fromInputUnsafe(notFoundGrace)
          }),
          queue.timers
        )
        queue.now += waited
        const exit = yield* Effect.exit(PollLoop.poll(loop))
        assert.strictEqual(Exit.isSuccess(exit), isSurvived, `age ${age}, waited ${waited}`)
        assert.strictEqual(loop.failures, 0)
      }
    }))
})

describe("a RunTimeoutError", () => {
  const timedOut = (loop: Loop, reason: "deadline" | "schedule" = "deadline") =>
    Effect.flip(PollHistory.timedOut(loop, reason))

  it.effect("of a wait without an answer says so, and has no history and no snapshot", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)
      const error = yield* timedOut(loop)
      assert.deepStrictEqual(error.history, [])
      assert.isFalse("lastSnapshot" in error)
      assert.strictEqual(error.polls, 0)
      assert.include(
        error.message,
        "had not ended after 0 and 0 polls (last: none finished): the timeout has passed."
      )
    }))

  it.effect("counts the polls and the time, names the last outcome and the option, and has the last snapshot", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["running"]),
        policy({ timeoutSource: "timeout (15 minutes, the default)" }),
        queue.timers
      )
      yield* PollLoop.poll(loop)
      queue.now += 3000
      const error = yield* timedOut(loop)
      assert.include(
        error.message,
        "The test run 1 had not ended after 3s and 1 poll (last: running): timeout (15 minutes, the default) has passed."
      )
      assert.include(error.message, "raise that option")
      assert.strictEqual(error.reason, "deadline")
      assert.strictEqual(Duration.toMillis(error.elapsed), 3000)
      assert.deepStrictEqual(error.ref, ref)
      assert.deepStrictEqual(error.lastSnapshot, { status: "running" })
      assert.deepStrictEqual(error.history, [{ elapsedMs: 0, outcome: "running", polls: 1 }])
    }))

  it.effect("says that the schedule has ended", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(replying(queue, ["running"]), policy(), queue.timers)
      const error = yield* timedOut(loop, "schedule")
      assert.include(error.message, "the schedule has ended.")
      assert.include(error.message, "give a schedule with more polls")
      assert.strictEqual(error.reason, "schedule")
    }))

  it.effect("lists consecutive polls with the same outcome as one, with the time of the last", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, ["queued", "queued", serverError, "running"]),
        policy(),
        queue.timers
      )
      yield* pauses(queue, loop, 4)
      assert.deepStrictEqual((yield* timedOut(loop)).history, [
        { elapsedMs: 5000, outcome: "queued", polls: 2 },
        { elapsedMs: 10_000, outcome: "ServerError", polls: 1 },
        { elapsedMs: 15_000, outcome: "running", polls: 1 }
      ])
    }))

  it.effect("lists the last 20 changes of outcome", () =>
    Effect.gen(function*() {
      for (const [changes, first] of [[20, "0"], [21, "1"], [23, "3"]] as const) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(
          replying(queue, Array.from({ length: changes }, (_, index) => String(index))),
          policy(),
          queue.timers
        )
        yield* pauses(queue, loop, changes)
        const { history } = yield* timedOut(loop)
        assert.strictEqual(history.length, RunError.maxPollRecords)
        assert.strictEqual(history[0]!.outcome, first)
        assert.strictEqual(history.at(-1)!.outcome, String(changes - 1))
      }
    }))

  it.effect("shortens a long status, and quotes one that is not a string", () =>
    Effect.gen(function*() {
      for (
        const [status, outcome] of [["x".repeat(400), `${"x".repeat(300)}… (400 characters)`], [
          undefined,
          "undefined"
        ]] as const
      ) {
        const queue = manualQueue()
        const loop: Loop = yield* PollLoop.make(
          replying(queue, ["running"], { status: () => status as string }),
          policy(),
          queue.timers
        )
        yield* PollLoop.poll(loop)
        assert.strictEqual((yield* timedOut(loop)).history[0]!.outcome, outcome)
      }
    }))

  it.effect("has times in whole milliseconds", () =>
    Effect.gen(function*() {
      const queue = manualQueue()
      const loop: Loop = yield* PollLoop.make(
        replying(queue, [{ reply: "running", takes: 0.4 }]),
        policy(),
        queue.timers
      )
      yield* PollLoop.poll(loop)
      assert.strictEqual((yield* timedOut(loop)).history[0]!.elapsedMs, 0)
    }))
})
