/**
 * The kind "something foreign decides how long a call lasts": pauses, pushes, schedules, and bodies that are always ready, or
 * that cannot be released.
 */
import { assert, vi } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Option, Queue, Redacted, Schedule, type Scope, Stream } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import type { MockInstance } from "vitest"
import { Polling, Run, RunError, RunRef, type RunSource, Spine, Tela, Webhooks } from "canvas-runs"
import { finish } from "../support/results.ts"
import type { Place } from "./kind.ts"
import { answering } from "../support/http.ts"
import { bytes } from "../support/bytes.ts"

interface Snapshot {
  readonly status: string
}

type Source = RunSource.RunSource<Snapshot, Snapshot, Snapshot>

const loop = "src/internal/polling/pollLoop.ts"
const pause = "src/internal/polling/pause.ts"

/** A run that never ends. */
const source = (fields: Partial<Source> = {}): Source => ({
  ref: RunRef.make({ provider: "test", kind: "run", id: "1" }),
  retrieve: Effect.succeed({ value: { status: "running" }, requestId: undefined, retryAfter: undefined }),
  classify: () => ({ _tag: "Pending" }),
  status: ({ status }) => status,
  unchanged: () => true,
  ...fields
})

const policy = <E = never, R = never>(options?: Polling.Options<Snapshot, E, R>) =>
  Polling.makePolicy("test", options, { pollInterval: "5 seconds", timeout: "1 minute" })

const onTestClock = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), TestClock.layer())

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => Option.getOrUndefined(Exit.findErrorOption(exit))

/** The ways to wait, each of which fails with the error of its wait. */
const ways: Readonly<
  Record<string, (source: Source, options: Polling.Options<Snapshot>) => Effect.Effect<unknown, unknown>>
> = {
  wait: (source, options) => Effect.flatMap(policy(options), (policy) => Run.wait(source, policy)),
  watch: (source, options) => Effect.flatMap(policy(options), (policy) => Stream.runDrain(Run.watch(source, policy))),
  share: (source, options) =>
    Effect.scoped(
      Effect.flatMap(policy(options), (policy) => Effect.flatMap(Run.share(source, policy), ({ settle }) => settle))
    ),
  completions: (source, options) =>
    Effect.flatMap(
      policy(options),
      (policy) => Stream.runCollect(Run.completions(Stream.make("1"), () => Effect.succeed(source), policy))
    ).pipe(
      Effect.flatMap(([completion]) => Effect.fromResult(completion!.result))
    )
}

interface Case {
  readonly timeout: number
  readonly retryAfter: number | undefined
  /** The times of pushes. */
  readonly pushes: ReadonlyArray<number>
  readonly isPushProof?: boolean
  readonly options?: Polling.Options<Snapshot>
}

/** The times of the polls and of the end of the wait, in milliseconds, accurate to a step of the clock. */
const timesOf = (way: keyof typeof ways, { isPushProof = false, options, pushes, retryAfter, timeout }: Case) =>
  onTestClock(Effect.gen(function*() {
    const pushed = yield* Queue.unbounded<number>()
    const polls: Array<number> = []
    const told = source({
      isPushProof,
      pushed: () => Queue.take(pushed),
      retrieve: Effect.clockWith((clock) => {
        polls.push(clock.currentTimeMillisUnsafe())
        return Effect.succeed({
          value: { status: "running" },
          requestId: undefined,
          retryAfter: retryAfter === undefined ? undefined : Duration.millis(retryAfter)
        })
      })
    })
    let ended: number | undefined
    let exit: Exit.Exit<unknown, unknown> | undefined
    yield* Effect.forkScoped(
      Effect.onExit(
        ways[way]!(
          told,
          { pollInterval: "10 minutes", ...options, timeout: Duration.millis(timeout) } as typeof options & object
        ),
        (end) =>
          Effect.clockWith((clock) => {
            ended = clock.currentTimeMillisUnsafe()
            exit = end
            return Effect.void
          })
      )
    )
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    let number = 0
    let now = 0
    for (const push of [...pushes].sort((a, b) => a - b)) {
      yield* TestClock.adjust(push - now)
      now = push
      yield* Queue.offer(pushed, ++number)
      yield* Effect.repeat(Effect.yieldNow, { times: 10 })
    }
    yield* TestClock.adjust(Math.max(0, timeout + 1 - now))
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    assert.instanceOf(exit === undefined ? undefined : errorOf(exit), RunError.RunTimeoutError)
    assert.isAtMost(ended!, timeout)
    return polls
  }))

/** The wait ends by its deadline, and has polled shortly before it. */
const endsInTime = (way: keyof typeof ways, input: Case) => () =>
  Effect.map(timesOf(way, input), (polls) => {
    assert.isAtLeast(polls.at(-1)!, input.timeout - 200, polls.join())
    return polls
  })

const never = Schedule.fromStep(Effect.never) as Schedule.Schedule<unknown, unknown>
const neverSteps = Schedule.fromStep(
  Effect.succeed(() => Effect.never)
) as unknown as Schedule.Schedule<unknown, Polling.PollState>

const timesOut = (way: keyof typeof ways, schedule: Schedule.Schedule<unknown, Polling.PollState>) => () =>
  onTestClock(Effect.gen(function*() {
    const exit = yield* finish(ways[way]!(source(), { schedule, timeout: "2 seconds" }), "2 seconds")
    assert.instanceOf(errorOf(exit), RunError.RunTimeoutError)
  }))

const pauses = (schedule: Schedule.Schedule<unknown, Polling.PollState>) => () =>
  Effect.map(
    timesOf("wait", {
      timeout: 1000,
      retryAfter: undefined,
      pushes: [],
      options: { schedule, pollInterval: undefined }
    }),
    (polls) => assert.deepStrictEqual(polls, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900])
  )

const refusedInterval = (pollInterval: Duration.Input) => () =>
  Effect.map(Effect.flip(policy({ pollInterval })), (error) => {
    assert.instanceOf(error, RunError.BadRequestError)
    assert.strictEqual(error.parameter, "pollInterval")
    assert.include(error.message, "a millisecond or longer")
  })

/** No two polls are closer than `gap`, apart from the first push's. */
const apart = (isPushProof: boolean, gap: number) => () =>
  Effect.map(
    timesOf("wait", {
      timeout: 10_000,
      retryAfter: undefined,
      isPushProof,
      pushes: Array.from({ length: 180 }, (_, index) => 5 + 50 * index)
    }),
    (polls) => {
      assert.deepStrictEqual(polls.slice(0, 2), [0, 5])
      const gaps = polls.slice(2, -2).map((poll, index) => poll - polls[index + 1]!)
      assert.isTrue(gaps.every((each) => each >= gap), polls.join())
      assert.isAtLeast(polls.length, 8)
    }
  )

/** Random numbers that are the same in each run. */
const numbers = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor(state / 2_147_483_648 * below)
  }
}

const randomCases = (seed: number) => () =>
  Effect.gen(function*() {
    const next = numbers(seed)
    for (let round = 0; round < 60; round++) {
      const timeout = 500 + next(5000)
      const pick = next(3)
      const pause = 1 + next(3000)
      const way = Object.keys(ways)[next(4)]!
      yield* endsInTime(way, {
        timeout,
        retryAfter: next(2) === 0 ? undefined : next(90_000),
        isPushProof: next(2) === 0,
        pushes: Array.from({ length: next(12) }, () => next(timeout)),
        options: {
          retryAfterCeiling: Duration.millis(1 + next(60_000)),
          pollInterval: undefined,
          schedule: pick === 0
            ? Polling.fixed(Duration.millis(pause))
            : pick === 1
            ? Polling.make(() => Duration.millis(next(5000)))
            : Schedule.spaced(Duration.millis(pause))
        }
      })()
    }
  })

const routed = (onEvent: () => unknown) =>
  Effect.gen(function*() {
    const secret = Redacted.make("whsec_time")
    const { dispose, handler } = HttpRouter.toWebHandler(
      Spine.layerWebhookRoute({ path: "/spine", secret, onEvent: onEvent as never }).pipe(
        Layer.provide(Webhooks.layer)
      ),
      { disableLogger: true }
    )
    const body = JSON.stringify({
      id: "1",
      type: "run.completed",
      created: 1,
      data: { object: { run_id: "a", status: "completed" } }
    })
    const signature = yield* Spine.signWebhook(body, secret)
    const response = yield* Effect.promise(() =>
      handler(
        new Request("http://x.example/spine", { method: "POST", body, headers: { "spine-signature": signature } })
      )
    )
    assert.strictEqual(response.status, 204)
    yield* Effect.repeat(Effect.yieldNow, { times: 50 })
    yield* Effect.promise(dispose)
  })

/** Handles the promise's rejection, so that it does not end the process. */
const awaited = (make: () => Promise<unknown>) => () =>
  Effect.gen(function*() {
    let then: MockInstance | undefined
    yield* routed(() => {
      const promise = make()
      then = vi.spyOn(promise, "then")
      return promise
    })
    assert.isAtLeast(then!.mock.calls.length, 1)
  })

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const apiKey = Redacted.make("sk_spine_planted_time")
const once = Schedule.recurs(0)
const part = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "a" } }] })}\n\n`

const http = (answer: () => Response) => answering(answer).layer

/** A faulty client. */
const odd = (execute: () => unknown) =>
  Layer.succeed(HttpClient.HttpClient, HttpClient.makeWith(() => execute() as never, Effect.succeed))

type Client = Layer.Layer<HttpClient.HttpClient>

const created = (client: Client) =>
  Spine.SpineClient.use(({ runs }) => runs.create({ prompt: "p" })).pipe(
    Effect.provide(Layer.orDie(Spine.layer({ apiKey, retry: once, requestTimeout: "200 millis" }))),
    Effect.provide(client)
  )

const retrieved = (client: Client) =>
  Spine.SpineClient.use(({ runs }) => runs.retrieve(id)).pipe(
    Effect.provide(Layer.orDie(Spine.layer({ apiKey, retry: once, requestTimeout: "200 millis" }))),
    Effect.provide(client)
  )

const downloaded = (client: Client) =>
  Spine.SpineClient.use(({ artifacts }) =>
    artifacts.download(id, { id, type: "txt", name: "a.txt", download_url: "http://store.invalid/a", size_bytes: 3 })
  ).pipe(
    Effect.provide(Layer.orDie(Spine.layer({ apiKey, retry: once, requestTimeout: "200 millis" }))),
    Effect.provide(client)
  )

const streamed = (client: Client) =>
  Tela.TelaClient.use((tela) =>
    Stream.runDrain(
      tela.canvas.make({ id }).stream({}, {
        firstEventTimeout: "200 millis",
        idleTimeout: "200 millis",
        timeout: "400 millis"
      })
    )
  ).pipe(
    Effect.provide(Layer.orDie(Tela.layer({ apiKey, retry: once, requestTimeout: "200 millis" }))),
    Effect.provide(client)
  )

/** The call fails with an error of this tag and this reason, and not with a defect. */
const failsAs = (call: Effect.Effect<unknown, unknown>, tag: string, reason?: string) => () =>
  Effect.map(Effect.exit(call), (exit) => {
    const error = errorOf(exit) as { readonly _tag?: string; readonly reason?: string } | undefined
    assert.strictEqual(error?._tag, tag, String(exit))
    if (reason !== undefined) assert.strictEqual(error?.reason, reason, String(exit))
  })

const response = (source: UnderlyingDefaultSource<unknown>, init?: ResponseInit) => () =>
  new Response(new ReadableStream(source as UnderlyingDefaultSource<Uint8Array>), init)

/** A body that starts, and whose cancellation is never confirmed. */
const unending = (cancel: () => unknown, text: string, init?: ResponseInit) =>
  http(
    response({ start: (controller) => controller.enqueue(bytes(text)), cancel: cancel as () => Promise<void> }, init)
  )

const cancels: ReadonlyArray<readonly [string, () => unknown]> = [
  ["never settles", () => new Promise(() => {})],
  ["throws", () => {
    throw new Error("boom")
  }]
]

/** A retrieve whose body never arrives. Its reader is not the platform's, which would catch a throw of `cancel`. */
const retrievedWith = (cancel: () => unknown) => () =>
  Effect.suspend(() => {
    let isAsked = false
    const reader = {
      read: () => new Promise(() => {}),
      cancel: () => {
        isAsked = true
        return cancel()
      }
    }
    const body = { getReader: () => reader, locked: false }
    return Effect.map(
      failsAs(
        retrieved(http(() => Object.defineProperty(new Response(), "body", { value: body }))),
        "RequestTimeoutError"
      )(),
      () => assert.isTrue(isAsked)
    )
  })

/** A body that always has its next piece ready. It ends after a while, so that a test without the guard ends too. */
const endless = (piece: Uint8Array, init?: ResponseInit) =>
  http(() => {
    const until = performance.now() + 3000
    return response({
      pull: (controller) =>
        performance.now() > until ? controller.error(new Error("too late")) : controller.enqueue(piece)
    }, init)()
  })

const pieceOf = (piece: unknown) => http(response({ start: (controller) => controller.enqueue(piece) }))

export const places: ReadonlyArray<Place> = [
  {
    name: "a push never makes the next poll later than planned",
    mutant: { file: loop, find: "if (loop.timers.now() + millis >= loop.due) return", replace: "" },
    inputs: {
      "wait: one push, Retry-After of a minute": endsInTime("wait", {
        timeout: 2000,
        retryAfter: 60_000,
        pushes: [500]
      }),
      "watch: three pushes, Retry-After of ten seconds": endsInTime("watch", {
        timeout: 3000,
        retryAfter: 10_000,
        pushes: [10, 20, 2500]
      }),
      "share: a push that proves the end": endsInTime("share", {
        timeout: 2500,
        retryAfter: 30_000,
        pushes: [700],
        isPushProof: true
      }),
      "completions: two pushes": endsInTime("completions", { timeout: 2000, retryAfter: 60_000, pushes: [100, 1900] }),
      "schedules, pushes and Retry-After at random, 1": randomCases(1),
      "schedules, pushes and Retry-After at random, 2": randomCases(20)
    }
  },
  {
    name: "a schedule that never returns a pause is bounded by the deadline",
    mutant: {
      file: loop,
      find: "Pull.matchEffect(TimerQueue.within(next, left, () => timedOut(loop, \"deadline\")), {",
      replace: "Pull.matchEffect(next, {"
    },
    inputs: {
      "wait: a step that never returns": timesOut("wait", neverSteps),
      "wait: a schedule that is never made": timesOut("wait", never),
      "watch: a step that never returns": timesOut("watch", neverSteps),
      "share: a schedule that is never made": timesOut("share", never),
      "completions: a step that never returns": timesOut("completions", neverSteps),
      "completions: a schedule that is never made": timesOut("completions", never)
    }
  },
  {
    name: "a pause of less than a millisecond is replaced by the minimum",
    mutant: { file: pause, find: "let millis = scheduled >= 1 ?", replace: "let millis = scheduled > 0 ?" },
    inputs: {
      "a schedule of 10 nanoseconds": pauses(Polling.make(() => 10n)),
      "an interval of a nanosecond": pauses(Polling.fixed("1 nano")),
      "a schedule of Effect's, of a microsecond": pauses(Schedule.spaced("1 micro"))
    }
  },
  {
    name: "a pollInterval of less than a millisecond is rejected",
    mutant: { file: "src/Polling.ts", find: "isAtLeast(1)", replace: "isAtLeast(0)" },
    inputs: {
      "0.001": refusedInterval(0.001),
      "1 nano": refusedInterval("1 nano"),
      "0.9 milliseconds": refusedInterval(Duration.millis(0.9))
    }
  },
  {
    name: "pushes wake a wait at a limited rate",
    mutant: {
      file: pause,
      find: "Math.max(loop.floor, has(loop, \"wasPushed\") ? pushGap(loop) : 0)",
      replace: "loop.floor"
    },
    inputs: {
      "unsigned ones: once a second": apart(false, 1000),
      "signed ones: ten times a second": apart(true, 100)
    }
  },
  {
    name: "a promise that onEvent returns is awaited",
    mutant: {
      file: "src/internal/webhooks/route.ts",
      find: "Predicate.isPromiseLike(returned) ? Effect.promise(() => Promise.resolve(returned)) : returned",
      replace: "returned"
    },
    inputs: {
      "one that is rejected": awaited(() => Promise.reject(new Error("boom"))),
      "one that is rejected later": awaited(() => Promise.resolve().then(() => Promise.reject(new Error("boom"))))
    }
  },
  {
    name: "a piece of an answer that is not bytes is a failure",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "Result.match(Result.try(() => toBytes(value)), {",
      replace: "Result.match(Result.succeed(value as Uint8Array), {"
    },
    inputs: Object.fromEntries(
      [null, {}, 5].flatMap((piece) => [
        [`a retrieve: ${JSON.stringify(piece)}`, failsAs(retrieved(pieceOf(piece)), "TransportError")],
        [`a create: ${JSON.stringify(piece)}`, failsAs(created(pieceOf(piece)), "CreateOutcomeUnknownError")]
      ])
    )
  },
  {
    name: "an unread answer is cancelled without waiting for its cancel",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "new Promise((resolve) => resolve((reader ?? body).cancel())).catch(constVoid)",
      replace: "(reader ?? body).cancel()"
    },
    inputs: {
      "a cancel that never settles": retrievedWith(() => new Promise(() => {})),
      "a cancel that throws": retrievedWith(() => {
        throw new Error("boom")
      }),
      "a cancel that is rejected": () =>
        Effect.suspend(() => {
          const rejected = Promise.reject(new Error("boom"))
          rejected.catch(() => {})
          const then = vi.spyOn(rejected, "then")
          return Effect.map(
            Effect.andThen(retrievedWith(() => rejected)(), Effect.yieldNow),
            () => assert.isAtLeast(then.mock.calls.length, 1)
          )
        })
    }
  },
  {
    name: "an unread body of another kind is released in the background",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "(scope, exit) => inBackground(Scope.close(scope, exit))",
      replace: "(scope, exit) => Scope.close(scope, exit)"
    },
    inputs: Object.fromEntries(cancels.flatMap(([name, cancel]) => [
      [
        `a download whose body's cancel ${name}`,
        () =>
          Effect.gen(function*() {
            const exit = yield* Effect.exit(
              Effect.timeoutOption(downloaded(unending(cancel, "abc")), "100 millis")
            )
            assert.isTrue(Exit.isSuccess(exit) && Option.isNone(exit.value), String(exit))
          })
      ] as const,
      [
        `a rejected download whose body's cancel ${name}`,
        failsAs(downloaded(unending(cancel, "abc", { status: 500 })), "ArtifactError")
      ] as const
    ]))
  },
  {
    name: "a piece of a file that is not bytes is a failure",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "Arr.map(pieces, toBytes)",
      replace: "pieces as Arr.NonEmptyArray<Uint8Array>"
    },
    inputs: Object.fromEntries(
      [null, {}, 5].map((piece) => [JSON.stringify(piece), failsAs(downloaded(pieceOf(piece)), "ArtifactError")])
    )
  },
  {
    name: "a piece of a stream that is not bytes is an interruption",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "Result.try(() => toBytes(value))",
      replace: "Result.succeed(value as Uint8Array)"
    },
    inputs: Object.fromEntries(
      [null, {}, 5].map((piece) => [JSON.stringify(piece), failsAs(streamed(pieceOf(piece)), "StreamInterruptedError")])
    )
  },
  {
    name: "a stream cancels its body without waiting",
    mutant: {
      file: "src/tela/internal/streamReader.ts",
      find: "Effect.sync(cancel)",
      replace: "Effect.promise(() => new Promise(cancel))"
    },
    inputs: Object.fromEntries(
      cancels.map(([name, cancel]) => [
        `cancel ${name}`,
        failsAs(streamed(unending(cancel, part)), "StreamInterruptedError")
      ])
    )
  },
  {
    name: "a stream yields to timers while it reads pieces that are ready",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "if (++count % piecesPerTurn !== 0) return read()",
      replace: "if (++count > 0) return read()"
    },
    inputs: {
      "comments without end": failsAs(
        streamed(endless(bytes(": x\n\n"))),
        "StreamInterruptedError",
        "first-event"
      ),
      "empty pieces without end": failsAs(
        streamed(endless(new Uint8Array(0))),
        "StreamInterruptedError",
        "first-event"
      ),
      "output without end": failsAs(streamed(endless(bytes(part))), "StreamInterruptedError", "total")
    }
  },
  {
    name: "reading an answer yields to timers while pieces are ready",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "if (++count % piecesPerTurn !== 0) return read()",
      replace: "if (++count > 0) return read()"
    },
    inputs: {
      "empty pieces without end": failsAs(retrieved(endless(new Uint8Array(0))), "RequestTimeoutError"),
      "spaces without end": failsAs(retrieved(endless(bytes(" "))), "RequestTimeoutError")
    }
  },
  {
    name: "empty pieces of a file do not count as progress",
    mutant: {
      file: "src/internal/download/download.ts",
      find: "if (chunk.length === 0) return Effect.void",
      replace: ""
    },
    inputs: Object.fromEntries(
      ([["always ready", 0], ["one every 10 milliseconds", 10]] as const).map(([name, pause]) => [
        name,
        () => {
          let isLeft = false
          const until = performance.now() + 3000
          const body = response({
            pull: async (controller) => {
              if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
              // Nothing may be added to a released body
              if (isLeft) return
              if (performance.now() > until) controller.error(new Error("too late"))
              else controller.enqueue(new Uint8Array(0))
            },
            cancel: () => {
              isLeft = true
            }
          })
          return Effect.map(Effect.flip(downloaded(http(body))), (error) => {
            assert.instanceOf(error, RunError.ArtifactError)
            assert.include(error.message, "the server sent nothing for 200ms")
          })
        }
      ])
    )
  },
  {
    name: "a client of the program that throws, or returns no response, is a failure of the transport",
    mutant: {
      file: "src/internal/http/send.ts",
      find: "const threw = (cause: unknown) =>",
      replace: "const threw = (cause: unknown) => true ? Effect.die(cause) :"
    },
    inputs: Object.fromEntries(
      ([
        ["throws", () => {
          throw new Error("boom")
        }],
        ["dies", () => Effect.die("boom")],
        ["succeeds with undefined", () => Effect.undefined],
        ["succeeds with {}", () => Effect.succeed({})],
        ["has a response whose getters throw", () =>
          Effect.succeed({
            get status(): never {
              throw new Error("boom")
            }
          })],
        ["fails with a string", () => Effect.fail("boom")],
        ["fails with null", () => Effect.fail(null)]
      ] as ReadonlyArray<readonly [string, () => unknown]>).flatMap(([name, execute]) => [
        [`a create: it ${name}`, failsAs(created(odd(execute)), "CreateOutcomeUnknownError")],
        [`a download: it ${name}`, failsAs(downloaded(odd(execute)), "ArtifactError")]
      ])
    )
  }
]
