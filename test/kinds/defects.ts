/**
 * The kind "a throw caused by the caller or the server is not caught": in a function of the caller, a guard flag, a recursion,
 * the construction of an error. In the kernel and the webhooks.
 */
import { assert } from "@effect/vitest"
import {
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Queue,
  Redacted,
  Scheduler,
  Schema,
  type Scope,
  Stream
} from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { Polling, Run, RunError, RunRef, type RunSource, Spine, Tela, Webhooks } from "canvas-runs"
import * as Kernel from "canvas-runs/Polling"
import { Emulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { quote } from "../../src/internal/describe.ts"
import * as TimerQueue from "../../src/internal/polling/timerQueue.ts"
import * as Busy from "../manyRuns/busy.ts"
import { finish } from "../support/results.ts"
import { sleep } from "../support/timers.ts"
import type { Place } from "./kind.ts"
import { answering, json } from "../support/http.ts"

interface Snapshot {
  readonly status: string
  readonly value?: unknown
}

type Source = RunSource.RunSource<Snapshot, Snapshot, Snapshot>

const pending: Snapshot = { status: "running" }
const answer = (value: Snapshot, retryAfter?: Duration.Duration): RunSource.Answer<Snapshot> => ({
  value,
  requestId: undefined,
  retryAfter
})

const source = (fields: Partial<Source> = {}): Source => ({
  ref: RunRef.make({ provider: "test", kind: "run", id: "1" }),
  retrieve: Effect.succeed(answer(pending)),
  classify: (run) => run.status === "done" ? { _tag: "Succeeded", run } : { _tag: "Pending" },
  status: ({ status }) => status,
  unchanged: () => true,
  ...fields
})

const policy = <E = never, R = never>(options?: Kernel.Options<Snapshot, E, R>) =>
  Effect.orDie(Kernel.makePolicy("test", options, { pollInterval: "5 seconds", timeout: "1 minute" }))

const onTestClock = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), TestClock.layer())

/** Runs an effect to its end on a test clock, and fails if it does not end. */
const exitOf = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> => onTestClock(finish(effect))

const boom = (): never => {
  throw new Error("boom")
}

const isBoom = (exit: Exit.Exit<unknown, unknown>) =>
  assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("boom"), String(exit))

/** Fails unless the error that a run ended with has this tag. */
const failsWith = (exit: Exit.Exit<unknown, unknown>, tag: string) => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  assert.strictEqual((error as { readonly _tag?: string } | undefined)?._tag, tag, String(exit))
}

const completing = (
  sourceOf: (call: number) => Effect.Effect<Source>,
  options: { readonly ids?: number; readonly concurrency?: number } = {}
) =>
  Effect.gen(function*() {
    let calls = 0
    const ids = Array.from({ length: options.ids ?? 1 }, (_, id) => `${id}`)
    return yield* Stream.runCollect(
      Run.completions(Stream.fromIterable(ids), () => sourceOf(++calls), yield* policy(), {
        concurrency: options.concurrency
      })
    )
  })

const secondCall = (then: () => Effect.Effect<Source>) => (call: number) =>
  call === 1 ? Effect.succeed(source()) : then()

const spineSecret = Redacted.make("whsec_kinds")
const telaSecret = Redacted.make("kinds of tela")

/** The routes of both providers, with the calls of `onEvent`. */
const withRoutes = <A, E>(
  onEvent: ((event: unknown) => Effect.Effect<unknown, unknown>) | undefined,
  use: (world: {
    readonly post: (path: string, body: string, headers: Readonly<Record<string, string>>) => Effect.Effect<number>
    readonly events: ReadonlyArray<unknown>
  }) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const events: Array<unknown> = []
    const told = (event: unknown) => {
      events.push(event)
      return onEvent?.(event) ?? Effect.void
    }
    const routes = Layer.mergeAll(
      Spine.layerWebhookRoute({ path: "/spine", secret: spineSecret, onEvent: told }),
      Tela.layerWebhookRoute({ path: "/tela", secret: telaSecret, onEvent: told })
    ).pipe(Layer.provide(Webhooks.layer))
    const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
    const post = (path: string, body: string, headers: Readonly<Record<string, string>>) =>
      Effect.promise(() =>
        handler(new Request(`http://x.example${path}`, { method: "POST", body, headers: { ...headers } }))
      ).pipe(Effect.map(({ status }) => status))
    const result = yield* use({ events, post })
    yield* Effect.promise(dispose)
    return result
  })

const spineEvent = (id: string, type: string, run_id: string) =>
  JSON.stringify({ id, type, created: 1, data: { object: { run_id, status: "completed" } } })
const telaBody = (content: string, id = "1") =>
  JSON.stringify({ id, status: "succeeded", output_content: { role: "assistant", content } })

const postSpine = (
  post: (path: string, body: string, headers: Readonly<Record<string, string>>) => Effect.Effect<number>,
  body: string
) =>
  Effect.flatMap(
    Spine.signWebhook(body, spineSecret),
    (signature) => post("/spine", body, { "spine-signature": signature })
  )

/** Returns the `option` of the `ConfigError` of an invalid route. */
const faultyOption = (route: Layer.Layer<never, RunError.ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks>) =>
  Layer.build(route).pipe(
    Effect.provide([Webhooks.layer, HttpRouter.layer]),
    Effect.scoped,
    Effect.flip,
    Effect.map(({ option }) => option)
  )

const busyPolicy = Effect.runSync(
  Polling.makePolicy("test", { timeout: "8 seconds", pollInterval: "5 seconds" }, {
    pollInterval: "5 seconds",
    timeout: "1 hour"
  })
)

/** Starts waits in a busy process, and returns the times when they ended. */
const waits = (busy: Busy.Busy, count: number) => {
  const ended: Array<number> = []
  for (let index = 0; index < count; index++) {
    Effect.runForkWith(busy.context)(Run.wait(source(), busyPolicy)).addObserver(() => ended.push(busy.now()))
  }
  return ended
}

const endsInTurns = (turn: number, passes: number, count: number) => () =>
  Effect.sync(() => {
    const busy = Busy.make()
    const ended = waits(busy, count)
    while (busy.now() < 8000 + 2 * turn) busy.turn(turn, passes)
    assert.strictEqual(ended.length, count)
  })

/**
 * Waits with an interval of 5 seconds in a busy process. Each poll is delayed once at most, so it comes after at most three
 * blocks of the event loop.
 */
const pollsInTurns = (turn: number, count: number) => () =>
  Effect.sync(() => {
    const busy = Busy.make()
    const polls = Array.from({ length: count }, () => 0)
    const steady = Effect.runSync(policy({ timeout: "1 hour" }))
    for (let index = 0; index < count; index++) {
      const retrieve = Effect.sync(() => {
        polls[index]!++
        return answer(pending)
      })
      Effect.runForkWith(busy.context)(Run.wait(source({ retrieve }), steady))
    }
    while (busy.now() < 20 * (5000 + 2 * turn)) busy.turn(turn, 20)
    assert.isAtLeast(Math.min(...polls), 20)
  })

const endsAfterPause = (pause: number) => () =>
  Effect.sync(() => {
    const busy = Busy.make()
    const ended = waits(busy, 5000)
    busy.turn(pause, 200)
    while (busy.now() < 8100) busy.turn(20, 200)
    assert.strictEqual(ended.length, 5000)
  })

/** A 404 at every poll of a run whose ref has this creation time. */
const notFoundFor = (createdAt: number) =>
  onTestClock(Effect.gen(function*() {
    let polls = 0
    const lost = source({
      ref: RunRef.make({ provider: "test", kind: "run", id: "1", createdAt }),
      retrieve: Effect.suspend(() => {
        polls++
        return Effect.fail(
          new RunError.NotFoundError({ message: "no", operation: "o", attempts: 1, elapsed: Duration.zero })
        )
      })
    })
    const exit = yield* finish(Run.wait(lost, yield* policy({ timeout: "1 day", notFoundGrace: "30 seconds" })))
    failsWith(exit, "NotFoundError")
    assert.isAtMost(polls, 8)
  }))

/** Returns the times of the polls of a wait that gets pushes from 10 s on, after a first answer with a `Retry-After`. */
const pollsAfterPush = (retryAfter: Duration.Duration | undefined, pushes: number, until: Duration.Input) =>
  onTestClock(Effect.gen(function*() {
    const pushed = yield* Queue.unbounded<number>()
    const times: Array<number> = []
    const told = source({
      pushed: () => Queue.take(pushed),
      retrieve: Effect.clockWith((clock) => {
        times.push(clock.currentTimeMillisUnsafe())
        return Effect.succeed(answer(pending, times.length === 1 ? retryAfter : undefined))
      })
    })
    const fiber = yield* Effect.forkChild(
      Run.wait(told, yield* policy({ pollInterval: "10 minutes", timeout: "1 hour", retryAfterCeiling: "5 minutes" }))
    )
    yield* TestClock.adjust("10 seconds")
    for (let push = 1; push <= pushes; push++) {
      yield* Queue.offer(pushed, push)
      yield* TestClock.adjust("1 second")
    }
    yield* TestClock.adjust(until)
    yield* Fiber.interrupt(fiber)
    return times
  }))

const shared = (fields: Partial<Source>, options?: Kernel.Options<Snapshot>) =>
  Effect.flatMap(policy(options), (policy) => Run.share(source(fields), policy))

const request = { message: "m", operation: "o", attempts: 1, elapsed: Duration.zero }
const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })

const throwing = { toJSON: boom }
const hostileFields = new Proxy({}, { get: boom, has: () => true })

/** A client whose limiter is given. */
const limited = (consume: () => Effect.Effect<never>) =>
  Effect.gen(function*() {
    let calls = 0
    const limiter = {
      consume: () =>
        Effect.suspend(() =>
          ++calls === 1
            ? consume()
            : Effect.succeed({ delay: Duration.zero, limit: 1, remaining: 1, resetAfter: Duration.zero })
        )
    }
    const { client } = answering(() => json({}, 403))
    return yield* Effect.orDie(
      Effect.provideService(
        Spine.make({
          apiKey: Redacted.make("sk_spine_x"),
          rateLimit: { limit: 10, window: "1 second", limiter: limiter as never }
        }),
        HttpClient.HttpClient,
        client
      )
    )
  })

const completions = "src/internal/polling/completions.ts"
const loop = "src/internal/polling/pollLoop.ts"
const pause = "src/internal/polling/pause.ts"
const run = "src/Run.ts"
const taggedError = "src/internal/taggedError.ts"
const timers = "src/internal/polling/timerQueue.ts"
const spineWebhook = "src/spine/SpineWebhook.ts"
const telaWebhook = "src/tela/TelaWebhook.ts"
const route = "src/internal/webhooks/route.ts"
const webhookProof = "src/internal/webhooks/proof.ts"

export const places: ReadonlyArray<Place> = [
  {
    name: "completions bound the source of a target by its deadline",
    mutant: { file: completions, find: "Math.max(timeLeft(row), graceMillis),", replace: "Infinity," },
    inputs: {
      "C3: a source that never returns at its first call is a timeout": () =>
        Effect.map(exitOf(completing(() => Effect.never)), (exit) => {
          assert.strictEqual(Exit.isSuccess(exit) && exit.value[0]!.result._tag, "Failure")
        }),
      "C3: a source that never returns at its second call is a timeout": () =>
        Effect.map(exitOf(completing(secondCall(() => Effect.never))), (exit) => {
          assert.strictEqual(Exit.isSuccess(exit) && exit.value[0]!.result._tag, "Failure")
        })
    }
  },
  {
    name: "completions fail with the defect of a poll",
    mutant: {
      file: completions,
      find: "if (Exit.isFailure(exit) && !isClosed) Queue.failCauseUnsafe(queue, exit.cause)",
      replace: ""
    },
    inputs: {
      "C3: a source that throws at its second call fails the stream": () =>
        Effect.map(exitOf(completing(secondCall(boom))), isBoom),
      "C3: a source that throws for one of many fails the stream": () =>
        Effect.map(exitOf(completing((call) => call === 7 ? boom() : Effect.succeed(source()), { ids: 5 })), isBoom),
      "C3: a source that dies fails the stream": () =>
        Effect.map(exitOf(completing(secondCall(() => Effect.die(new Error("boom"))))), isBoom),
      "C3: classify that throws": () =>
        Effect.map(exitOf(completing(() => Effect.succeed(source({ classify: boom })))), isBoom),
      "C3: status that throws": () =>
        Effect.map(exitOf(completing(() => Effect.succeed(source({ status: boom })))), isBoom),
      "C3: retrieve that dies at its second call": () =>
        Effect.map(
          exitOf(completing(secondCall(() => Effect.succeed(source({ retrieve: Effect.sync(boom) }))))),
          isBoom
        ),
      "C3: a schedule that throws": () =>
        Effect.map(
          exitOf(Effect.gen(function*() {
            return yield* Stream.runCollect(
              Run.completions(
                Stream.make("a", "b"),
                () => Effect.succeed(source()),
                yield* policy({ schedule: Polling.make(boom) })
              )
            )
          })),
          isBoom
        )
    }
  },
  {
    name: "a run that waits for a free poll times out at its deadline",
    mutant: { file: completions, find: "PollLoop.watchQueued(row)", replace: "" },
    inputs: Object.fromEntries(
      ([
        [
          "while a poll has a long cleanup",
          (effect) => Effect.onInterrupt(effect, () => Effect.sleep("20 minutes"))
        ],
        [
          "while a poll cannot be interrupted",
          () => Effect.uninterruptible(Effect.delay(Effect.succeed(answer(pending)), "20 minutes"))
        ]
      ] as ReadonlyArray<readonly [string, (never: Effect.Effect<never>) => Source["retrieve"]]>).map((
        [title, hold]
      ) => [
        `C2: ${title}`,
        () =>
          onTestClock(Effect.gen(function*() {
            const told: Array<string> = []
            let polls = 0
            const retrieve = Effect.suspend(() => ++polls === 4 ? hold(Effect.never) : Effect.succeed(answer(pending)))
            const fiber = yield* Effect.forkChild(
              Stream.runForEach(
                Run.completions(
                  Stream.make("a", "b", "c"),
                  () => Effect.succeed(source({ retrieve })),
                  yield* policy(),
                  { concurrency: 1 }
                ),
                ({ target }) => Effect.sync(() => told.push(target))
              )
            )
            yield* TestClock.adjust("61 seconds")
            // The run whose poll has the slot is reported when the poll has ended
            assert.lengthOf(told, 2)
            yield* Fiber.interrupt(fiber).pipe(Effect.forkChild)
            yield* TestClock.adjust("1 hour")
          }))
      ])
    )
  },
  {
    name: "the listener for pushes runs in a separate fiber",
    mutant: { file: loop, find: "Effect.suspend(() => pushed(after)),", replace: "pushed(after)," },
    inputs: {
      "a wait continues when pushed throws": () =>
        Effect.map(
          exitOf(Effect.flatMap(policy(), (policy) => Run.wait(source({ pushed: boom }), policy))),
          (exit) => failsWith(exit, "RunTimeoutError")
        ),
      "completions continue when pushed throws": () =>
        Effect.map(exitOf(completing(() => Effect.succeed(source({ pushed: boom })))), (exit) => {
          assert.isTrue(Exit.isSuccess(exit), String(exit))
        })
    }
  },
  {
    name: "a push with an old count ends the listening",
    mutant: { file: loop, find: "number > after ?", replace: "after > -1 ?" },
    inputs: Object.fromEntries([1, 0, Number.NaN, undefined].map((number) => [
      `pushed that returns ${number} each time is called twice at most`,
      () => {
        let calls = 0
        const pushed = () => ++calls > 1000 ? Effect.never : Effect.succeed(number as number)
        return Effect.map(
          exitOf(Effect.flatMap(policy(), (policy) => Run.wait(source({ pushed }), policy))),
          (exit) => {
            failsWith(exit, "RunTimeoutError")
            assert.isAtMost(calls, 2)
          }
        )
      }
    ]))
  },
  {
    name: "a push does not shorten Retry-After",
    mutant: { file: loop, find: "if (millis > 0) return loop.timers.add(loop, millis)", replace: "" },
    inputs: {
      "of one minute": () =>
        Effect.map(
          pollsAfterPush(Duration.minutes(1), 1, "2 minutes"),
          (times) => assert.deepStrictEqual(times, [0, 60_000])
        ),
      "of 15 seconds, with three pushes": () =>
        Effect.map(
          pollsAfterPush(Duration.seconds(15), 3, "1 minute"),
          (times) => assert.deepStrictEqual(times, [0, 15_000])
        )
    }
  },
  {
    name: "a suspended process delays a wait at most once",
    mutant: { file: pause, find: "|| wasPutOff ||", replace: "||" },
    inputs: {
      "C2: 2000 waits continue to poll, with the event loop blocked for 2 s at a time": pollsInTurns(2000, 2000),
      "C2: 1000 waits continue to poll, with the event loop blocked for 3 s at a time": pollsInTurns(3000, 1000)
    }
  },
  {
    name: "a suspended process never delays a wait to its deadline",
    mutant: { file: pause, find: " || millis >= lastStart(loop, timeLeft(loop))", replace: "" },
    inputs: {
      "C2: a pause until shortly before the deadline": endsAfterPause(7800),
      "C2: a pause past the deadline": endsAfterPause(9000)
    }
  },
  {
    name: "due timers get as much time as other work",
    mutant: { file: timers, find: " && now() - time >= share", replace: "" },
    inputs: {
      "C2: 5000 timers, with the event loop blocked for 2 s at a time and three passes between": endsInTurns(
        2000,
        3,
        5000
      ),
      "C2: 2000 timers, with the event loop blocked for 2 s at a time and one pass between": endsInTurns(2000, 1, 2000)
    }
  },
  {
    name: "a fiber sleeps on its own scheduler",
    mutant: {
      file: timers,
      find: "const scheduler = fiber.getRef(Scheduler.Scheduler)",
      replace: "const scheduler = ((clock as any).first ??= fiber.getRef(Scheduler.Scheduler)) as Scheduler.Scheduler"
    },
    inputs: Object.fromEntries(["wait", "sleep"].map((what) => [
      `C9: a ${what} continues when the scheduler of the first sleeper has stopped`,
      () =>
        Effect.sync(() => {
          const busy = Busy.make()
          const stopped = Context.add(
            busy.context,
            Scheduler.Scheduler,
            new Scheduler.MixedScheduler("async", () => () => {})
          )
          const effect: Effect.Effect<unknown, unknown> = what === "wait"
            ? Run.wait(source(), busyPolicy)
            : sleep(8000)
          Effect.runForkWith(stopped)(effect)
          const fibers = Array.from({ length: 100 }, () => Effect.runForkWith(busy.context)(effect))
          for (let turn = 0; turn < 100; turn++) busy.turn(100)
          assert.isTrue(fibers.every((fiber) => fiber.pollUnsafe() !== undefined))
        })
    ]))
  },
  {
    name: "timers wake again after one of them threw",
    mutant: {
      file: timers,
      find: "Effect.ensuring(wakeDue(0), armAgain)",
      replace: "Effect.andThen(wakeDue(0), armAgain)"
    },
    inputs: Object.fromEntries([1, 3].map((count) => [
      `${count} that throw`,
      () =>
        onTestClock(Effect.gen(function*() {
          const self = TimerQueue.of((yield* Effect.withFiber(Effect.succeed)) as Fiber.Fiber<unknown, unknown>)
          for (let index = 0; index < count; index++) self.add({ due: 0, index: -1, wake: boom }, 1000 + index)
          const sleeper = yield* Effect.forkChild(sleep(5000))
          yield* TestClock.adjust("10 seconds")
          assert.isDefined(sleeper.pollUnsafe())
        }))
    ]))
  },
  {
    name: "a failed shared loop is not handed to a new waiter",
    mutant: { file: run, find: "if (loop === self) loop = undefined\n", replace: "\n" },
    inputs: Object.fromEntries(["settle", "watch"].map((what) => [
      `C10: a ${what} after a failure starts a new loop, even if one reader is slow`,
      () =>
        onTestClock(Effect.gen(function*() {
          let polls = 0
          const handle = yield* shared({
            retrieve: Effect.suspend(() =>
              ++polls === 2
                ? Effect.fail(new RunError.PermissionDeniedError(request))
                : Effect.succeed(answer(polls > 2 ? { status: "done" } : pending))
            )
          })
          const slow = yield* Effect.forkChild(
            Effect.exit(Stream.runForEach(handle.polls, () => Effect.sleep("1 hour")))
          )
          yield* TestClock.adjust("10 seconds")
          const later = yield* finish<unknown, unknown, never>(
            what === "settle" ? handle.settle : Stream.runCollect(handle.watch),
            "20 seconds"
          )
          assert.isTrue(Exit.isSuccess(later), String(later))
          assert.strictEqual(polls, 3)
          yield* TestClock.adjust("1 day")
          failsWith(yield* Fiber.join(slow), "PermissionDeniedError")
        }))
    ]))
  },
  {
    name: "a defect of a shared loop reaches its waiters",
    mutant: {
      file: run,
      find: "Effect.catchCause((cause) => Effect.sync(() => end(self, cause)))",
      replace: "Effect.catchCause(() => Effect.void)"
    },
    inputs: {
      "C3: classify that throws": () =>
        Effect.map(exitOf(Effect.flatMap(shared({ classify: boom }), ({ wait }) => wait)), isBoom),
      "C3: a schedule that throws": () =>
        Effect.map(
          exitOf(Effect.flatMap(shared({}, { schedule: Polling.make(boom) }), ({ watch }) => Stream.runDrain(watch))),
          isBoom
        )
    }
  },
  {
    name: "stop ends every waiter with a typed error",
    mutant: { file: run, find: "Cause.fail(stopped(source.ref))", replace: "Cause.interrupt()" },
    inputs: Object.fromEntries(["settle", "watch", "polls"].map((what) => [
      `F11: ${what}`,
      () =>
        onTestClock(Effect.gen(function*() {
          const handle = yield* shared({})
          const effect: Effect.Effect<unknown, unknown> = what === "settle"
            ? handle.settle
            : what === "watch"
            ? Stream.runDrain(handle.watch)
            : Stream.runDrain(handle.polls)
          const fiber = yield* Effect.forkChild(Effect.exit(effect))
          yield* TestClock.adjust("12 seconds")
          yield* handle.stop
          failsWith(yield* Fiber.join(fiber), "WaitStoppedError")
          failsWith(yield* finish(handle.wait), "RunTimeoutError")
        }))
    ]))
  },
  {
    name: "stop does not take the terminal snapshot from a slow reader",
    mutant: { file: run, find: "ending === undefined || last !== undefined", replace: "ending === undefined" },
    inputs: Object.fromEntries(["watch", "polls"].map((what) => [
      `F11: a slow reader of ${what} gets the end, even if the loop is stopped before the reader gets there`,
      () =>
        onTestClock(Effect.gen(function*() {
          let polls = 0
          const handle = yield* shared({
            retrieve: Effect.sync(() => answer(++polls > 2 ? { status: "done" } : pending))
          })
          let read = 0
          const stream: Stream.Stream<unknown, unknown> = what === "watch" ? handle.watch : handle.polls
          const slow = yield* Effect.forkChild(
            Effect.exit(Stream.runForEach(stream, () => Effect.delay(Effect.sync(() => read++), "1 hour")))
          )
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(polls, 3)
          yield* handle.stop
          yield* TestClock.adjust("1 day")
          assert.isTrue(Exit.isSuccess(yield* Fiber.join(slow)))
          assert.strictEqual(read, what === "watch" ? 2 : 3)
        }))
    ]))
  },
  {
    name: "snapshots that are nested too deep to compare count as changed",
    mutant: { file: run, find: "if (error instanceof RangeError) return false", replace: "" },
    inputs: Object.fromEntries(
      ([
        ["a comparison without end", () => {
          const forever = (): boolean => forever() || true
          return forever()
        }],
        ["a RangeError of the caller", () => {
          throw new RangeError("too deep")
        }]
      ] as ReadonlyArray<readonly [string, () => boolean]>).map(([title, unchanged]) => [
        title,
        () =>
          Effect.map(
            exitOf(Effect.flatMap(policy(), (policy) => Stream.runDrain(Run.watch(source({ unchanged }), policy)))),
            (exit) => failsWith(exit, "RunTimeoutError")
          )
      ])
    )
  },
  {
    name: "a field of an error that does not fit is left out or replaced",
    mutant: {
      file: taggedError,
      find: "if (attempt(() => Schema.is(field as Schema.Codec<unknown>)(value)) === true) {",
      replace: "if (field !== undefined) {"
    },
    inputs: {
      "C1: a status of NaN": () =>
        Effect.sync(() => assert.isFalse("status" in new RunError.ServerError({ ...request, status: Number.NaN }))),
      "C1: a ref without an id": () =>
        Effect.sync(() =>
          assert.strictEqual(
            new RunError.RunFailedError({ message: "m", ref: { ...ref, id: "" }, errors: [], run: {} }).ref.id,
            "unknown"
          )
        ),
      "C1: an elapsed time that is a number": () =>
        Effect.sync(() =>
          assert.isTrue(Duration.isDuration(new RunError.ServerError({ ...request, elapsed: 5 as never }).elapsed))
        )
    }
  },
  {
    name: "the fields of an error are read safely even if that throws",
    mutant: {
      file: taggedError,
      find: "const value = memberOf(input, name)",
      replace: "const value = (input as Record<string, unknown>)[name]"
    },
    inputs: {
      "C1: an object whose members throw": () =>
        Effect.sync(() =>
          assert.instanceOf(new RunError.NotFoundError(hostileFields as never), RunError.NotFoundError)
        ),
      "C1: an error without fields": () =>
        Effect.sync(() => assert.instanceOf(new RunError.ConfigError(undefined as never), RunError.ConfigError))
    }
  },
  {
    name: "the fields of an error are encoded as far as possible",
    mutant: {
      file: taggedError,
      find: "Option.getOrElse(Option.liftThrowable(encode)(value), () => messageOf(value))",
      replace: "encode(value)"
    },
    inputs: Object.fromEntries(
      ([["toJSON that throws", throwing], ["a proxy whose traps throw", hostileFields]] as const).map((
        [title, body]
      ) => [
        `C1: ${title}`,
        () =>
          Effect.sync(() => {
            const json = Schema.encodeSync(Schema.toCodecJson(RunError.ServerError))(
              new RunError.ServerError({ ...request, body })
            )
            assert.isString(JSON.stringify(json))
          })
      ])
    )
  },
  {
    name: "RunRef.make omits fields that do not fit",
    mutant: { file: "src/internal/ref.ts", find: "return read(ref) ?? ref", replace: "return ref" },
    inputs: Object.fromEntries(
      [{ createdAt: Number.POSITIVE_INFINITY }, { requestId: 5 }, { estimatedDurationMs: undefined }].map((fields) => [
        `C1: ${Object.keys(fields)}`,
        () => Effect.sync(() => assert.deepStrictEqual(RunRef.make({ ...ref, ...fields } as never), ref))
      ])
    )
  },
  {
    name: "a stored ref is read even if its optional fields do not fit",
    mutant: {
      file: "src/internal/ref.ts",
      find: "createdAt: side(Schema.Finite),",
      replace: "createdAt: Schema.optionalKey(Schema.Finite),"
    },
    inputs: Object.fromEntries([null, "yesterday", {}].map((createdAt) => [
      `C1: createdAt ${JSON.stringify(createdAt)}`,
      () => Effect.map(RunRef.parse(JSON.stringify({ ...ref, createdAt })), (read) => assert.deepStrictEqual(read, ref))
    ]))
  },
  {
    name: "a value in a message is not inspected deeply",
    mutant: {
      file: "src/internal/describe.ts",
      find: "return value === null ? \"null\" :",
      replace: "return typeof value === \"object\" ? `${value}` :"
    },
    inputs: {
      "C1: an option without a prototype": () =>
        Effect.map(
          Effect.flip(Kernel.makePolicy("test", { errorBudget: Object.create(null) as number }, {
            pollInterval: 1,
            timeout: 1
          })),
          ({ _tag }) => assert.strictEqual(_tag, "BadRequestError")
        ),
      "C1: a value whose toString throws": () =>
        Effect.sync(() => assert.strictEqual(quote({ toString: boom }), "an object"))
    }
  },
  {
    name: "the grace period of a 404 ends even if the clock of the ref is ahead",
    mutant: { file: "src/internal/polling/decide.ts", find: " && elapsed <= grace", replace: "" },
    inputs: {
      "D10: by a day": () => notFoundFor(86_400_000),
      "D10: by a century": () => notFoundFor(3e12)
    }
  },
  {
    name: "a Tela push causes only one poll",
    mutant: {
      file: "src/tela/internal/source.ts",
      find: "  // Tela does not sign its webhooks, so a webhook proves nothing about the execution\n",
      replace: "  isPushProof: true,\n"
    },
    inputs: Object.fromEntries([1, 3].map((pushes) => [
      `A7: ${pushes} invented`,
      () =>
        onTestClock(Effect.gen(function*() {
          const hub = yield* Webhooks.make()
          const emulator = yield* TelaEmulator.make({ script: { timeline: Timeline.make({ duration: "1 hour" }) } })
          const tela = yield* Effect.provideService(
            Tela.make({ apiKey: Redacted.make("tela_x"), webhooks: hub }),
            HttpClient.HttpClient,
            Emulator.toHttpClient(emulator)
          )
          const execution = yield* tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).execute({}, {
            async: true,
            webhookUrl: "https://x.example",
            pollingTimeout: "1 hour"
          })
          const fiber = yield* Effect.forkChild(execution.result)
          yield* TestClock.adjust("5 seconds")
          for (let push = 0; push < pushes; push++) {
            yield* hub.deliver({ provider: "tela", runId: execution.id, eventId: `${push}`, isTerminal: true })
            yield* TestClock.adjust("1 second")
          }
          yield* TestClock.adjust("40 seconds")
          const gets = (yield* emulator.requests).filter(({ method }) => method === "GET")
          assert.lengthOf(gets, 1 + pushes)
          yield* Fiber.interrupt(fiber)
        }))
    ]))
  },
  {
    name: "a Tela delivery is a duplicate only with the same token and body",
    mutant: {
      file: telaWebhook,
      find: "eventId: `${event.id}/${digest}`,",
      replace: "eventId: `${event.id}/${event.providerStatus}`,"
    },
    inputs: {
      "A7: an invented body does not make the genuine one a duplicate": () =>
        withRoutes(undefined, ({ events, post }) =>
          Effect.gen(function*() {
            const headers = yield* Tela.webhookHeaders(telaSecret)
            for (const body of [telaBody("made up"), telaBody("genuine"), telaBody("genuine")]) {
              assert.strictEqual(yield* post("/tela", body, headers), 204)
            }
            assert.lengthOf(events, 2)
          })),
      "A7: the same body with another token is another delivery": () =>
        withRoutes(undefined, ({ events, post }) =>
          Effect.gen(function*() {
            for (let token = 0; token < 2; token++) {
              const headers = yield* Tela.webhookHeaders(telaSecret)
              yield* post("/tela", telaBody("x"), headers)
              yield* post("/tela", telaBody("x"), headers)
            }
            assert.lengthOf(events, 2)
          }))
    }
  },
  {
    name: "a Spine event is a duplicate only about the same run and of the same type",
    mutant: {
      file: spineWebhook,
      find: "eventId: run === undefined ? event.id : `${event.id}/${event.type}/${run.run_id}`,",
      replace: "eventId: event.id,"
    },
    inputs: {
      "A7: the same id about another run": () =>
        withRoutes(undefined, ({ events, post }) =>
          Effect.gen(function*() {
            for (const id of ["a", "b", "a"]) yield* postSpine(post, spineEvent("evt", "run.completed", id))
            assert.lengthOf(events, 2)
          })),
      "A7: the same id with another type": () =>
        withRoutes(undefined, ({ events, post }) =>
          Effect.gen(function*() {
            for (const type of ["run.started", "run.completed", "run.started"]) {
              yield* postSpine(post, spineEvent("evt", type, "a"))
            }
            assert.lengthOf(events, 2)
          }))
    }
  },
  {
    name: "onEvent does not delay the response",
    mutant: {
      file: route,
      find: "Effect.suspend(() => effectOf(onEvent(event))),",
      replace: "effectOf(onEvent(event)),"
    },
    inputs: Object.fromEntries(
      ([["throws", boom], ["throws a value without a text", () => {
        throw Object.create(null)
      }]] as ReadonlyArray<readonly [string, () => never]>).map(([title, onEvent]) => [
        `C6: one that ${title} is answered 204, and its repetition is a duplicate`,
        () =>
          withRoutes(onEvent, ({ events, post }) =>
            Effect.gen(function*() {
              for (let time = 0; time < 2; time++) {
                assert.strictEqual(yield* postSpine(post, spineEvent("evt", "run.completed", "a")), 204)
              }
              assert.lengthOf(events, 1)
            }))
      ])
    )
  },
  {
    name: "the secret of a route is checked when it is made",
    mutant: { file: route, find: "yield* checkSecret(secret)\n", replace: "\n" },
    inputs: Object.fromEntries(
      ["", "whsec_x\n", "tela\r\n", " tela"].flatMap((secret) =>
        ([["Spine", Spine.layerWebhookRoute], ["Tela", Tela.layerWebhookRoute]] as const).map(([name, layer]) => [
          `C7: ${JSON.stringify(secret)}, for ${name}`,
          () =>
            Effect.map(
              faultyOption(layer({ path: "/x", secret: Redacted.make(secret) })),
              (option) => assert.strictEqual(option, "secret")
            )
        ])
      )
    )
  },
  {
    name: "the tolerance of a Spine route is checked when it is made",
    mutant: { file: spineWebhook, find: "check: checkTolerance,", replace: "check: () => Effect.void," },
    inputs: Object.fromEntries(["5m", -1].map((tolerance) => [
      `C7: ${JSON.stringify(tolerance)}`,
      () =>
        Effect.map(
          faultyOption(Spine.layerWebhookRoute({ path: "/x", secret: spineSecret, tolerance: tolerance as never })),
          (option) => assert.strictEqual(option, "tolerance")
        )
    ]))
  },
  {
    name: "the limit of a body is checked when the route is made",
    mutant: {
      file: route,
      find: "yield* CallOptions.checkConfig(\"maxBodyBytes\", limit,",
      replace: "yield* CallOptions.checkConfig(\"maxBodyBytes\", undefined,"
    },
    inputs: Object.fromEntries([Number.NaN, -1, "1MB"].map((maxBodyBytes) => [
      `C7: ${maxBodyBytes}`,
      () =>
        Effect.map(
          faultyOption(
            Spine.layerWebhookRoute({ path: "/x", secret: spineSecret, maxBodyBytes: maxBodyBytes as number })
          ),
          (option) => assert.strictEqual(option, "maxBodyBytes")
        )
    ]))
  },
  {
    name: "the secret of one webhook is checked before its signature",
    mutant: {
      file: webhookProof,
      find: "return wrong === undefined\n",
      replace: "return wrong !== null\n"
    },
    inputs: {
      "C7: Spine.constructEvent with an empty secret": () =>
        Effect.map(
          Effect.flip(Spine.constructEvent("{}", `t=1,v1=${"a".repeat(64)}`, Redacted.make(""))),
          (error) => assert.strictEqual(error._tag, "ConfigError")
        ),
      "C7: Tela.webhookHeaders with an empty secret": () =>
        Effect.map(
          Effect.flip(Tela.webhookHeaders(Redacted.make(""))),
          (error) => assert.strictEqual(error._tag, "ConfigError")
        )
    }
  },
  {
    name: "a payload that is neither text nor bytes is rejected",
    mutant: {
      file: webhookProof,
      find: "if (bytes !== undefined) return",
      replace: "if (bytes !== null as never) return"
    },
    inputs: Object.fromEntries([{ id: "evt" }, 1e12, undefined].map((payload) => [
      `${payload}`,
      () =>
        Effect.map(
          Effect.flip(Spine.constructEvent(payload as never, `t=1,v1=${"a".repeat(64)}`, spineSecret)),
          (error) => assert.strictEqual(error._tag === "WebhookSignatureError" && error.reason, "body")
        )
    ]))
  },
  {
    name: "a signature header that is not a text is rejected",
    mutant: { file: spineWebhook, find: "if (typeof header !== \"string\") {", replace: "if (header === false) {" },
    inputs: Object.fromEntries([["t=1", "v1=2"], 5].map((header) => [
      `${header}`,
      () =>
        Effect.map(
          Effect.flip(Spine.constructEvent("{}", header as never, spineSecret)),
          (error) => assert.strictEqual(error._tag === "WebhookSignatureError" && error.reason, "malformed")
        )
    ]))
  },
  {
    name: "a token header that is not a text is rejected",
    mutant: { file: telaWebhook, find: "typeof header === \"string\" ?", replace: "header !== \"\" ?" },
    inputs: Object.fromEntries([Object.create(null), Symbol("x")].map((header, index) => [
      `value ${index}`,
      () =>
        Effect.map(
          Effect.flip(Tela.constructEvent("{}", { [Tela.webhookHeader]: header } as never, telaSecret)),
          (error) => assert.strictEqual(error._tag === "WebhookSignatureError" && error.reason, "malformed")
        )
    ]))
  },
  {
    name: "the slot of the rate limiter is released after a failure, a defect and an interruption",
    mutant: {
      file: "src/internal/http/rateLimit.ts",
      find: "Effect.ensuring(restore(take), Effect.sync(leave))",
      replace: "Effect.tap(restore(take), Effect.sync(leave))"
    },
    inputs: {
      "a limiter that dies": () =>
        Effect.gen(function*() {
          const { runs } = yield* limited(() => Effect.die(new Error("boom")))
          failsWith(yield* exitOf(runs.retrieve(ref)), "PermissionDeniedError")
          failsWith(yield* exitOf(runs.retrieve(ref)), "PermissionDeniedError")
        }),
      "an interruption in the slot": () =>
        onTestClock(Effect.gen(function*() {
          const { runs } = yield* limited(() => Effect.never)
          const first = yield* Effect.forkChild(runs.retrieve(ref))
          yield* TestClock.adjust("1 second")
          yield* Fiber.interrupt(first)
          failsWith(yield* finish(runs.retrieve(ref)), "PermissionDeniedError")
        }))
    }
  }
]
