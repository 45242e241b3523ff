import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import {
  Cause,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  FileSystem,
  Layer,
  Logger,
  Redacted,
  Schedule,
  Schema,
  Tracer
} from "effect"
import { HttpClient } from "effect/http"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { RunError, RunRef, Spine, Tela } from "canvas-runs"
import * as RunStore from "canvas-runs/RunStore"
import { Fault, SpineEmulator, TelaEmulator } from "canvas-runs/testing"
import { size } from "./support/size.ts"
import { recordSpans } from "./support/spans.ts"
import { type Answer, answering, type Asked } from "./support/http.ts"

const refOf = (id: string) => RunRef.make({ provider: "test", kind: "run", id })
const fields = { operation: "runs.create", attempts: 1, elapsed: Duration.zero, message: "test" }
const noAnswer = new RunError.CreateOutcomeUnknownError({ ...fields, cause: new Error("no answer") })

/** A create that counts its executions, and returns `run-1`, `run-2`, and so on, unless `result` returns something else. */
const creating = <E = never>(
  result: (count: number) => Effect.Effect<{ readonly ref: RunRef.RunRef }, E> = (count) =>
    Effect.succeed({ ref: refOf(`run-${count}`) })
) => {
  const counter = { count: 0 }
  return { counter, create: Effect.suspend(() => result(++counter.count)) }
}

/** A Spine client of one copy of the package, with this response to each request. */
const clientOn = (
  { make }: Pick<typeof Spine, "make">,
  answer: (asked: Asked) => Answer
) =>
  Effect.provideService(
    make({ apiKey: Redacted.make("sk_spine_answered"), retry: Schedule.recurs(0) }),
    HttpClient.HttpClient,
    answering(answer).client
  )

const createOn = (copy: Pick<typeof Spine, "make">, answer: () => Response | Error) =>
  Effect.flatMap(clientOn(copy, answer), ({ runs }) => runs.create({ prompt: "x" }))

/** A storage whose content outlives the stores that use it, and whose operations a test can replace. */
const makeDisk = (tamper: {
  readonly set?: (key: string, value: string) => Effect.Effect<void, KeyValueStore.KeyValueStoreError>
  readonly remove?: (key: string) => Effect.Effect<void, KeyValueStore.KeyValueStoreError>
  readonly get?: (key: string) => Effect.Effect<void, KeyValueStore.KeyValueStoreError>
} = {}) => {
  const content = new Map<string, string>()
  const tampered = (effect: Effect.Effect<void, KeyValueStore.KeyValueStoreError> | undefined) => effect ?? Effect.void
  const storage = KeyValueStore.makeStringOnly({
    get: (key) => Effect.andThen(tampered(tamper.get?.(key)), Effect.sync(() => content.get(key))),
    set: (key, value) => Effect.andThen(tampered(tamper.set?.(key, value)), Effect.sync(() => content.set(key, value))),
    remove: (key) => Effect.andThen(tampered(tamper.remove?.(key)), Effect.sync(() => content.delete(key))),
    clear: Effect.sync(() => content.clear()),
    size: Effect.sync(() => content.size),
    keys: Effect.sync(() => [...content.keys()])
  })
  return { content, storage, store: storeOn(storage) }
}

const storeOn = (storage: KeyValueStore.KeyValueStore): Effect.Effect<RunStore.Service> =>
  Effect.provideService(RunStore.make, KeyValueStore.KeyValueStore, storage)

const diskFull = Effect.fail(new KeyValueStore.KeyValueStoreError({ method: "set", message: "disk full" }))

/** Returns the messages that are logged while an effect runs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.as(Effect.provide(effect, Logger.layer([logger])), lines)
  })

describe("runOnce", () => {
  it.effect("creates a run once, and later returns its ref without a request, even when the run has ended", () =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const { counter, create } = creating()
      assert.deepStrictEqual(yield* store.runOnce("a", create), refOf("run-1"))
      assert.deepStrictEqual(yield* store.runOnce("a", create), refOf("run-1"))
      yield* store.complete("a")
      assert.deepStrictEqual(yield* store.runOnce("a", create), refOf("run-1"))
      assert.strictEqual(counter.count, 1)
      assert.deepStrictEqual(yield* store.runOnce("b", create), refOf("run-2"))
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("writes the intent before the create, and the ref after it", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { runOnce } = yield* store
      let before: ReadonlyArray<string> = []
      const { create } = creating(() =>
        Effect.sync(() => {
          before = [...content.keys()]
          return { ref: refOf("run-1") }
        })
      )
      yield* runOnce("a", create)
      assert.deepStrictEqual(before, ["canvas-runs/intent/a"])
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/created/a"])
    }))

  it.effect("concurrent calls with one key share one run", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { get, runOnce, unfinished } = yield* store
      const { counter, create } = creating((count) =>
        Effect.delay(Effect.succeed({ ref: refOf(`run-${count}`) }), "1 second")
      )
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 20 }, () => runOnce("a", create)), { concurrency: "unbounded" })
      )
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      assert.deepStrictEqual((yield* unfinished).map(({ _tag, key }) => [_tag, key]), [["Creating", "a"]])
      assert.strictEqual((yield* get("a"))?._tag, "Creating")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        new Set(yield* Fiber.join(fiber)),
        new Set(Array.from({ length: 20 }, () => refOf("run-1")))
      )
      assert.strictEqual(counter.count, 1)
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/created/a"])
    }))

  it.effect("calls with different keys run concurrently", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const { create } = creating(() => Effect.delay(Effect.succeed({ ref: refOf("run") }), "1 second"))
      const fiber = yield* Effect.forkChild(
        Effect.forEach(["a", "b", "c"], (key) => runOnce(key, create), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.isDefined(fiber.pollUnsafe())
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("stores the ref before an interruption takes effect", () =>
    Effect.gen(function*() {
      const { runOnce, unfinished } = yield* RunStore.RunStore
      const asked = yield* Deferred.make<void>()
      const { counter, create } = creating(() =>
        Deferred.succeed(asked, undefined).pipe(
          Effect.andThen(Effect.sleep("3 seconds")),
          Effect.as({ ref: refOf("run-1") })
        )
      )
      const fiber = yield* Effect.forkChild(runOnce("a", create))
      yield* Deferred.await(asked)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(interruption)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual((yield* unfinished).map((entry) => entry._tag === "Created" && entry.ref), [
        refOf("run-1")
      ])
      assert.deepStrictEqual(yield* runOnce("a", create), refOf("run-1"))
      assert.strictEqual(counter.count, 1)
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("returns the ref to an uninterruptible caller, even if an interruption was requested during the create", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const { create } = creating(() => Effect.delay(Effect.succeed({ ref: refOf("run-1") }), "1 second"))
      let exit: Exit.Exit<RunRef.RunRef, unknown> | undefined
      const fiber = yield* Effect.forkChild(
        Effect.uninterruptible(Effect.map(Effect.exit(runOnce("a", create)), (ended) => exit = ended))
      )
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      assert.deepStrictEqual(exit, Exit.succeed(refOf("run-1")))
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("a caller that is interrupted while another one creates the run returns at once", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const { counter, create } = creating(() => Effect.delay(Effect.succeed({ ref: refOf("run-1") }), "1 minute"))
      const first = yield* Effect.forkChild(runOnce("a", create))
      const second = yield* Effect.forkChild(runOnce("a", create))
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(first), refOf("run-1"))
      assert.strictEqual(counter.count, 1)
    }).pipe(Effect.provide(RunStore.layerMemory)))

  const withoutRun: ReadonlyArray<RunError.CreateError> = [
    new RunError.BadRequestError({ ...fields, sent: false }),
    new RunError.AuthenticationError(fields),
    new RunError.UsageLimitError(fields),
    new RunError.PermissionDeniedError(fields),
    new RunError.NotFoundError(fields),
    new RunError.ConflictError(fields),
    new RunError.RateLimitError(fields),
    new RunError.TransportError({ ...fields, reached: false }),
    new RunError.ServerError({ ...fields, status: 501 }),
    new RunError.InvalidResponseError({ ...fields, status: 308, isRetryable: false }),
    new RunError.FileInputError({ message: "test", file: "a.txt", reason: "read", reached: false, isRetryable: false })
  ]
  const answers: ReadonlyArray<readonly [string, Response | Error]> = [
    ...[400, 401, 402, 403, 404, 409, 422, 429, 501, 505, 307].map((status) =>
      [`status ${status}`, new Response(null, { status })] as const
    ),
    ["a refused connection", Object.assign(new Error("refused"), { code: "ECONNREFUSED" })]
  ]
  for (const [what, answer] of answers) {
    it.effect(`frees the key after a create that failed with ${what}, which certainly made no run`, () =>
      Effect.gen(function*() {
        const { content, store } = makeDisk()
        const { runOnce } = yield* store
        const create = createOn(Spine, () => answer)
        const { create: succeeding } = creating()
        assert.notInstanceOf(yield* Effect.flip(runOnce("a", create)), RunError.CreateOutcomeUnknownError)
        assert.strictEqual(content.size, 0)
        assert.deepStrictEqual(yield* runOnce("a", succeeding), refOf("run-1"))
      }))
  }

  const inDoubt: ReadonlyArray<readonly [string, Effect.Effect<never, unknown>]> = [
    ["CreateOutcomeUnknownError", Effect.fail(noAnswer)],
    ["ServerError", Effect.fail(new RunError.ServerError(fields))],
    ["ServerError 503", Effect.fail(new RunError.ServerError({ ...fields, status: 503 }))],
    [
      "InvalidResponseError 303",
      Effect.fail(
        new RunError.InvalidResponseError({ ...fields, status: 303, isRetryable: false })
      )
    ],
    ["RequestTimeoutError", Effect.fail(new RunError.RequestTimeoutError(fields))],
    ["TransportError after the request", Effect.fail(new RunError.TransportError({ ...fields, reached: true }))],
    ["an error about a run that exists", Effect.fail(new RunError.NotFoundError({ ...fields, ref: refOf("run-1") }))],
    ["an error of the program", Effect.fail({ _tag: "TimeoutError" })],
    ...withoutRun.map((error) => [`${error._tag} of a call that creates nothing`, Effect.fail(error)] as const),
    ...withoutRun.map((error) =>
      [
        `the program's own ${error._tag}`,
        Effect.fail({ _tag: error._tag, message: "of the program", reached: false })
      ] as const
    ),
    [
      "a schema class of the program with the same tag and fields",
      Effect.fail(
        new (class extends Schema.TaggedError<Error>()("NotFoundError", RunError.NotFoundError.fields) {})(fields)
      )
    ],
    ["a refusal beside a defect", Effect.failCause(Cause.combine(Cause.fail(withoutRun[5]!), Cause.die("bug")))],
    ["an error without a tag", Effect.fail(new Error("bookkeeping"))],
    ["a defect", Effect.die(new Error("bug"))],
    ["an interruption from within", Effect.interrupt]
  ]
  for (const [name, failing] of inDoubt) {
    it.effect(`keeps the key after ${name}, until the caller decides`, () =>
      Effect.gen(function*() {
        const { runOnce } = yield* RunStore.RunStore
        const { counter, create } = creating((count) =>
          count === 1 ? failing : Effect.succeed({ ref: refOf(`run-${count}`) })
        )
        const first = yield* Effect.exit(runOnce("a", create))
        assert.isTrue(Exit.isFailure(first))
        yield* TestClock.adjust("90 seconds")
        const second = yield* Effect.flip(runOnce("a", create))
        assert.instanceOf(second, RunError.CreateOutcomeUnknownError)
        assert.strictEqual(second.operation, "RunStore.runOnce")
        assert.strictEqual(Duration.toSeconds(second.elapsed), 90)
        assert.include(second.message, `"a"`)
        assert.strictEqual(counter.count, 1)
        assert.deepStrictEqual(yield* runOnce("a", create, { onUnknown: "retry" }), refOf("run-2"))
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  it.effect("keeps the key after a create that failed with a refusal and a defect at once", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const refused = createOn(Spine, () => Response.json({ success: false, error: "no key" }, { status: 401 }))
      const beside = Effect.catchCause(refused, (cause) => Effect.failCause(Cause.combine(cause, Cause.die("bug"))))
      const exit = yield* Effect.exit(runOnce("a", beside))
      assert.deepStrictEqual(
        Exit.isFailure(exit) ? exit.cause.reasons.map(({ _tag }) => _tag) : [],
        ["Fail", "Die"]
      )
      assert.strictEqual((yield* get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("B2: a class of the program with a tag of this library does not free the key", () =>
    Effect.gen(function*() {
      class NotFoundError extends Data.TaggedError("NotFoundError")<{ readonly message: string }> {}
      const { get, runOnce } = yield* RunStore.RunStore
      const { counter, create } = creating()
      const failing = create.pipe(Effect.tap(() => Effect.fail(new NotFoundError({ message: "no such customer" }))))
      assert.instanceOf(yield* Effect.flip(runOnce("a", failing)), NotFoundError)
      assert.strictEqual((yield* get("a"))?._tag, "Unknown")
      assert.instanceOf(yield* Effect.flip(runOnce("a", failing)), RunError.CreateOutcomeUnknownError)
      assert.strictEqual(counter.count, 1)
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("B2: a rejected create of another loaded copy of this package frees the key like one of this copy", () =>
    Effect.gen(function*() {
      vi.resetModules()
      const copy = yield* Effect.promise(() => import("canvas-runs/spine"))
      assert.notStrictEqual(copy.make, Spine.make)
      const { get, runOnce } = yield* RunStore.RunStore
      yield* Effect.flip(runOnce("a", createOn(copy, () => new Response(null, { status: 402 }))))
      assert.isUndefined(yield* get("a"))
    }).pipe(Effect.provide(RunStore.layerMemory)))

  const lookUps: ReadonlyArray<readonly [string, (spine: Spine.Service) => Effect.Effect<unknown, unknown>]> = [
    ["a rejected canvases.getDag", ({ canvases }) => canvases.getDag("c1")],
    ["runs.retrieve without an id", ({ runs }) => runs.retrieve("no id")]
  ]
  for (const [what, lookUp] of lookUps) {
    it.effect(`a run that was created outside of the effect, followed by ${what}, keeps the key`, () =>
      Effect.gen(function*() {
        const { get, runOnce } = yield* RunStore.RunStore
        const spine = yield* clientOn(Spine, ({ request: { method } }) =>
          method === "POST"
            ? Response.json({ success: true, data: { run_id: "r1" } })
            : new Response(null, { status: 401 }))
        const outside = Effect.promise(() => Effect.runPromise(spine.runs.create({ prompt: "x" })))
        yield* Effect.flip(
          runOnce("a", Effect.andThen(outside, Effect.andThen(lookUp(spine), Effect.die("it succeeded"))))
        )
        assert.strictEqual((yield* get("a"))?._tag, "Unknown")
        const before = yield* Effect.forkChild(spine.runs.create({ prompt: "x" }))
        const inFiber = Effect.andThen(Fiber.join(before), lookUp(spine))
        yield* Effect.flip(runOnce("b", Effect.andThen(inFiber, Effect.die("it succeeded"))))
        assert.strictEqual((yield* get("b"))?._tag, "Unknown")
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  for (
    const [what, nothing, says] of [
      ["null", null, "create returned null, without a ref, which names no run"],
      ["no ref", {}, "create returned an object, without a ref, which names no run"],
      ["a ref that names no run", { ref: { id: 1 } }, "its ref is an object"]
    ] as const
  ) {
    it.effect(`a create that returns ${what} is a RunStoreError, and keeps the key`, () =>
      Effect.gen(function*() {
        const { get, runOnce } = yield* RunStore.RunStore
        const error = yield* Effect.flip(runOnce("a", Effect.succeed(nothing as never)))
        assert.instanceOf(error, RunStore.RunStoreError)
        assert.include(error.message, says)
        assert.strictEqual((yield* get("a"))?._tag, "Unknown")
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  const calls: ReadonlyArray<readonly [string, (store: RunStore.Service) => Effect.Effect<unknown, unknown>]> = [
    ["runOnce", (store) => store.runOnce("a", creating().create)],
    [
      "runOnce in the create of another key",
      (store) => store.runOnce("b", Effect.andThen(store.runOnce("a", creating().create), creating().create))
    ],
    ["complete", (store) => store.complete("a")],
    ["attach", (store) => store.attach("a", refOf("run-1"))],
    ["forget", (store) => store.forget("a")]
  ]
  for (const [name, call] of calls) {
    it.effect(`a create that calls ${name} for its own key fails, instead of waiting for itself`, () =>
      Effect.gen(function*() {
        const store = yield* RunStore.RunStore
        const nested = Effect.andThen(call(store), Effect.die("it did not wait"))
        const error = yield* Effect.flip(store.runOnce("a", nested))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, "key")
        assert.include(error.message, `"a" is the key of the create that makes this call`)
        // It created nothing, so the key is free
        assert.isUndefined(yield* store.get("a"))
        assert.deepStrictEqual(yield* store.runOnce("a", creating().create), refOf("run-1"))
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  it.effect("a create that certainly made no run frees its key, and the key of the create that it runs in", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const refused = createOn(Spine, () => Response.json({ success: false, error: "no key" }, { status: 401 }))
      const inDoubt = createOn(Spine, () => new Response("", { status: 502 }))
      const asCreate = Effect.map((ref: RunRef.RunRef) => ({ ref }))
      yield* Effect.flip(runOnce("outer", asCreate(runOnce("inner", refused))))
      assert.deepStrictEqual([yield* get("outer"), yield* get("inner")], [undefined, undefined])
      yield* Effect.flip(runOnce("outer", asCreate(runOnce("inner", inDoubt))))
      assert.deepStrictEqual([(yield* get("outer"))?._tag, (yield* get("inner"))?._tag], ["Unknown", "Unknown"])
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("can be interrupted while a storage does not answer, before anything is created", () =>
    Effect.gen(function*() {
      let answer: Effect.Effect<void> = Effect.never
      const { content, store } = makeDisk({ set: () => answer })
      const { get, runOnce } = yield* store
      const { counter, create } = creating()
      const fiber = yield* Effect.forkChild(Effect.timeoutOption(runOnce("a", create), "1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
      answer = Effect.void
      assert.isUndefined(yield* get("a"))
      assert.deepStrictEqual([counter.count, content.size], [0, 0])
      assert.deepStrictEqual(yield* runOnce("a", create), refOf("run-1"))
      // If the caller is uninterruptible, so is the write
      answer = Effect.sleep("1 minute")
      const held = yield* Effect.forkChild(Effect.uninterruptible(runOnce("b", create)))
      yield* Effect.forkChild(Fiber.interrupt(held))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.await(held)
      assert.strictEqual((yield* get("b"))?._tag, "Created")
    }))

  it.effect("an intent that the storage wrote before it was interrupted is removed", () =>
    Effect.gen(function*() {
      const { content, storage } = makeDisk()
      const { runOnce } = yield* storeOn({
        ...storage,
        set: (key, value) => Effect.andThen(storage.set(key, value), Effect.never)
      })
      const fiber = yield* Effect.forkChild(runOnce("a", creating().create))
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/intent/a"])
      yield* Fiber.interrupt(fiber)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      assert.deepStrictEqual([...content.keys()], [])
    }))

  it.effect("a create with an unknown outcome leaves only its intent", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { get, runOnce } = yield* store
      yield* TestClock.adjust("1 second")
      yield* Effect.flip(runOnce("a", createOn(Spine, () => new Response("", { status: 502 }))))
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/intent/a"])
      assert.deepStrictEqual(yield* get("a"), { _tag: "Unknown", key: "a", intendedAt: 1000 })
    }))

  it.effect("a fiber that outlives the create may use its key, and so may the create of another store", () =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const done = yield* Deferred.make<void>()
      let fiber: Fiber.Fiber<void, unknown> | undefined
      const create = Effect.gen(function*() {
        fiber = yield* Effect.forkDetach(Effect.andThen(Deferred.await(done), store.complete("a")))
        const other = yield* makeDisk().store
        yield* other.runOnce("a", creating().create)
        return { ref: refOf("run-1") }
      })
      yield* store.runOnce("a", create)
      yield* Deferred.succeed(done, undefined)
      yield* Fiber.join(fiber!)
      assert.strictEqual((yield* store.get("a"))?._tag, "Finished")
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("two creates that wait for each other's keys can be interrupted", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const both = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const crossed = (own: string, other: string, index: 0 | 1) =>
        runOnce(
          own,
          Effect.gen(function*() {
            yield* Deferred.succeed(both[index], undefined)
            yield* Deferred.await(both[1 - index]!)
            yield* runOnce(other, creating().create)
            return { ref: refOf("run-1") }
          })
        )
      const fibers = [yield* Effect.forkChild(crossed("a", "b", 0)), yield* Effect.forkChild(crossed("b", "a", 1))]
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
      yield* Fiber.interruptAll(fibers)
      for (const key of ["a", "b"]) {
        assert.strictEqual((yield* get(key))?._tag, "Unknown")
        assert.deepStrictEqual(yield* runOnce(key, creating().create, { onUnknown: "retry" }), refOf("run-1"))
      }
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("if the second attempt is rejected, the outcome of the first stays unknown", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const refused = createOn(Spine, () => new Response(null, { status: 429 }))
      const { create } = creating((count) => count === 1 ? Effect.fail(noAnswer) : refused)
      yield* Effect.flip(runOnce("a", create))
      const refusal = yield* Effect.flip(runOnce("a", create, { onUnknown: "retry" }))
      assert.strictEqual(refusal._tag, "RateLimitError")
      assert.strictEqual((yield* get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide(RunStore.layerMemory)))
})

describe("runs of the provider's clients", () => {
  const spine = Layer.orDie(
    Spine.layer({ apiKey: Redacted.make("sk_spine_stored_secret"), requestTimeout: "30 seconds" })
  )
    .pipe(Layer.provideMerge(SpineEmulator.layerTest()))
  const tela = Layer.orDie(Tela.layer({ apiKey: Redacted.make("tela_stored_secret") })).pipe(
    Layer.provideMerge(TelaEmulator.layerTest())
  )

  it.effect("is stored without a secret, and is waited for after a restart", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const spine = yield* Spine.SpineClient
      const create = spine.runs.create({ prompt: "a private prompt" })
      const ref = yield* Effect.flatMap(store, ({ runOnce }) => runOnce("report", create))
      const text = JSON.stringify([...content])
      assert.include(text, ref.id)
      assert.notInclude(text, "sk_spine_stored_secret")
      assert.notInclude(text, "private prompt")

      const { track, unfinished } = yield* store
      const fiber = yield* Effect.forkChild(Effect.gen(function*() {
        const [entry] = yield* unfinished
        if (entry?._tag !== "Created") return yield* Effect.die("it is not listed")
        return yield* track(entry.key, spine.runs.waitForCompletion(entry.ref, { timeout: "1 hour" }))
      }))
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber)).run_id, ref.id)
      assert.deepStrictEqual(yield* unfinished, [])
    }).pipe(Effect.provide(spine)))

  it.effect("is found at the provider after a lost response, and attached", () =>
    Effect.gen(function*() {
      const { attach, runOnce } = yield* RunStore.RunStore
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.dropAfter)
      const create = spine.runs.create({ prompt: "x" })
      assert.instanceOf(yield* Effect.flip(runOnce("a", create)), RunError.CreateOutcomeUnknownError)
      assert.instanceOf(yield* Effect.flip(runOnce("a", create)), RunError.CreateOutcomeUnknownError)
      const [run] = yield* emulator.runs
      const ref = RunRef.make({ provider: "spine", kind: "run", id: run!.id })
      yield* attach("a", ref)
      assert.deepStrictEqual(yield* runOnce("a", create), ref)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide([spine, RunStore.layerMemory])))

  const steps: ReadonlyArray<readonly [string, (spine: Spine.Service) => Effect.Effect<unknown, unknown>]> = [
    ["fails with an error of the program", () => Effect.fail(new Error("the database is down"))],
    ["is rejected by the provider", (spine) => spine.runs.create({ prompt: " " })],
    ["dies", () => Effect.die("bug")],
    ["times out", () => Effect.fail(new Cause.TimeoutError())]
  ]
  for (const [what, step] of steps) {
    it.effect(`B2: when a later step of the create ${what}, the ref of the run is kept and no second run is created`, () =>
      Effect.gen(function*() {
        const { get, runOnce } = yield* RunStore.RunStore
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        const create = Effect.tap(spine.runs.create({ prompt: "x" }), step(spine))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(runOnce("a", create))))
        const [run] = yield* emulator.runs
        const entry = yield* get("a")
        assert.strictEqual(entry?._tag === "Created" ? entry.ref.id : entry?._tag, run!.id)
        assert.strictEqual((yield* runOnce("a", create)).id, run!.id)
        assert.strictEqual((yield* emulator.runs).length, 1)
      }).pipe(Effect.provide([spine, RunStore.layerMemory])))
  }

  it.effect("B2: a create that made two runs and failed does not choose one of them for the key", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const spine = yield* Spine.SpineClient
      const one = spine.runs.create({ prompt: "x" })
      yield* Effect.flip(runOnce("a", Effect.andThen(one, Effect.andThen(one, Effect.fail("later")))))
      assert.strictEqual((yield* get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide([spine, RunStore.layerMemory])))

  it.effect("B2: a rejected second create does not free the key of the first one, whose outcome is unknown", () =>
    Effect.gen(function*() {
      const { get, runOnce } = yield* RunStore.RunStore
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.dropAfter)
      const create = Effect.catch(
        spine.runs.create({ prompt: "x" }),
        () => spine.runs.create({ prompt: " " })
      )
      assert.instanceOf(yield* Effect.flip(runOnce("a", create)), RunError.BadRequestError)
      assert.deepStrictEqual(yield* get("a"), { _tag: "Unknown", key: "a", intendedAt: 0 })
    }).pipe(Effect.provide([spine, RunStore.layerMemory])))

  it.effect("is waited for no longer than the client's request timeout, without an interruption", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const spine = yield* Spine.SpineClient
      yield* (yield* SpineEmulator.SpineEmulator).fault(Fault.hang)
      const fiber = yield* Effect.forkChild(Effect.flip(runOnce("a", spine.runs.create({ prompt: "x" }))))
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
      yield* TestClock.adjust("30 seconds")
      assert.instanceOf(yield* Fiber.join(fiber), RunError.CreateOutcomeUnknownError)
    }).pipe(Effect.provide([spine, RunStore.layerMemory])))

  it.effect("may be a Tela execution", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const tela = yield* Tela.TelaClient
      const canvas = yield* tela.canvas.get({ id: "11111111-1111-4111-8111-111111111111" })
      const create = canvas.execute({ topic: "x" }, { async: true })
      const ref = yield* runOnce("a", create)
      assert.strictEqual(ref.provider, "tela")
      assert.deepStrictEqual(yield* runOnce("a", create), ref)
      assert.strictEqual((yield* canvas.getExecution(ref)).ref.id, ref.id)
    }).pipe(Effect.provide([tela, RunStore.layerMemory])))
})

describe("the end of a run", () => {
  const failed = new RunError.RunFailedError({ message: "test", ref: refOf("run-1"), errors: [], run: {} })
  const invalid = new RunError.InvalidOutputError({ message: "test", issue: "test", output: {}, ref: refOf("run-1") })
  const late = new RunError.RunTimeoutError({
    message: "test",
    ref: refOf("run-1"),
    reason: "deadline",
    elapsed: Duration.zero,
    polls: 1,
    history: []
  })
  const outcomes: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>, boolean]> = [
    ["a result", Effect.succeed("result"), true],
    ["RunFailedError", Effect.fail(failed), true],
    ["InvalidOutputError", Effect.fail(invalid), true],
    [
      "InvalidOutputError without a ref, as of a stream",
      Effect.fail(new RunError.InvalidOutputError({ message: "test", issue: "test", output: {} })),
      false
    ],
    [
      "RunFailedError of a task with the id of the run",
      Effect.fail(
        new RunError.RunFailedError({ message: "test", ref: { ...refOf("run-1"), kind: "task" }, errors: [], run: {} })
      ),
      false
    ],
    [
      "RunFailedError of another run",
      Effect.fail(new RunError.RunFailedError({ message: "test", ref: refOf("run-9"), errors: [], run: {} })),
      false
    ],
    [
      "the program's own RunFailedError",
      Effect.fail({ _tag: "RunFailedError", message: "test", ref: refOf("run-1") }),
      false
    ],
    [
      "RunFailedError of a run of another provider with the same id",
      Effect.fail(
        new RunError.RunFailedError({
          message: "test",
          ref: RunRef.make({ provider: "other", kind: "run", id: "run-1" }),
          errors: [],
          run: {}
        })
      ),
      false
    ],
    ["the program's own InvalidOutputError", Effect.fail({ _tag: "InvalidOutputError", message: "test" }), false],
    ["RunTimeoutError", Effect.fail(late), false],
    ["TransportError", Effect.fail(new RunError.TransportError({ ...fields, reached: true })), false],
    ["an interruption", Effect.interrupt, false],
    ["a defect", Effect.die("bug"), false]
  ]
  for (const [name, wait, isEnd] of outcomes) {
    it.effect(`track reads ${name} as ${isEnd ? "the end of the run" : "a wait to repeat"}`, () =>
      Effect.gen(function*() {
        const { get, runOnce, track, unfinished } = yield* RunStore.RunStore
        yield* runOnce("a", creating().create)
        let exit: Exit.Exit<unknown, unknown> | undefined
        const lines = yield* logged(Effect.map(Effect.exit(track("a", wait)), (ended) => exit = ended))
        assert.deepStrictEqual(exit, yield* Effect.exit(wait))
        assert.deepStrictEqual(lines, [], "no warning is logged")
        assert.strictEqual((yield* get("a"))?._tag, isEnd ? "Finished" : "Created")
        assert.strictEqual((yield* unfinished).length, isEnd ? 0 : 1)
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  for (
    const [what, wait] of [
      ["succeeds", Effect.succeed("result")],
      ["fails with the end of its run", Effect.fail(failed)]
    ] as const
  ) {
    it.effect(`a wait that ${what} does not mark another run that has taken the key since`, () =>
      Effect.gen(function*() {
        const { attach, forget, get, runOnce, track } = yield* RunStore.RunStore
        yield* runOnce("a", creating().create)
        const meanwhile = Effect.andThen(forget("a"), attach("a", refOf("run-9")))
        const exit = yield* Effect.exit(track("a", Effect.andThen(meanwhile, wait)))
        assert.deepStrictEqual(exit, yield* Effect.exit(wait))
        assert.deepStrictEqual(yield* Effect.map(get("a"), (entry) => entry?._tag), "Created")
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  it.effect("a wait that first creates the run of its key marks it finished", () =>
    Effect.gen(function*() {
      const { get, runOnce, track } = yield* RunStore.RunStore
      yield* track("a", runOnce("a", creating().create))
      assert.strictEqual((yield* get("a"))?._tag, "Finished")
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("a wait that first creates the run of its key marks it finished also after an error about that run", () =>
    Effect.gen(function*() {
      const { get, runOnce, track } = yield* RunStore.RunStore
      const wait = Effect.andThen(runOnce("a", creating().create), Effect.fail(failed))
      assert.strictEqual(yield* Effect.flip(track("a", wait)), failed)
      assert.strictEqual((yield* get("a"))?._tag, "Finished")
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("is marked once, and only for an entry with a run", () =>
    Effect.gen(function*() {
      const { complete, get, runOnce } = yield* RunStore.RunStore
      assert.strictEqual((yield* Effect.flip(complete("a")))._tag, "BadRequestError")
      yield* Effect.flip(runOnce("a", Effect.fail(noAnswer)))
      assert.strictEqual((yield* Effect.flip(complete("a")))._tag, "BadRequestError")
      yield* runOnce("a", creating().create, { onUnknown: "retry" })
      yield* complete("a")
      const entry = yield* get("a")
      yield* TestClock.adjust("1 hour")
      yield* complete("a")
      assert.deepStrictEqual(yield* get("a"), entry)
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("keeps the entry until it is forgotten", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { complete, forget, get, runOnce } = yield* store
      const { create } = creating()
      yield* runOnce("a", create)
      yield* complete("a")
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/finished/a"])
      yield* forget("a")
      assert.strictEqual(content.size, 0)
      assert.isUndefined(yield* get("a"))
      yield* forget("a")
      assert.deepStrictEqual(yield* runOnce("a", create), refOf("run-2"))
    }))
})

describe("a reader of an entry that changes", () => {
  it.effect("sees each state once and in order, in the same process and in another", () =>
    Effect.gen(function*() {
      const slowly = () => Effect.repeat(Effect.yieldNow, { times: 3 }).pipe(Effect.asVoid)
      const disk = makeDisk({ set: slowly, remove: slowly, get: slowly })
      const store = yield* disk.store
      const other = yield* disk.store
      const seen: Array<string> = []
      const seenByOther: Array<string> = []
      const look = (from: RunStore.Service, to: Array<string>) =>
        Effect.forever(Effect.map(from.get("a"), (entry) => {
          const state = entry?._tag ?? "nothing"
          if (to.at(-1) !== state) to.push(state)
        }))
      const lookers = yield* Effect.forEach(
        [look(store, seen), look(other, seenByOther)],
        (looker) => Effect.forkChild(looker)
      )
      yield* Effect.repeat(Effect.yieldNow, { times: 30 })
      const { create } = creating(() =>
        Effect.as(Effect.repeat(Effect.yieldNow, { times: 100 }), { ref: refOf("run-1") })
      )
      yield* store.runOnce("a", create)
      yield* Effect.repeat(Effect.yieldNow, { times: 100 })
      yield* store.complete("a")
      yield* Effect.repeat(Effect.yieldNow, { times: 100 })
      yield* Fiber.interruptAll(lookers)
      assert.deepStrictEqual(seen, ["nothing", "Creating", "Created", "Finished"])
      // Only the process that creates the run knows that a create is under way
      assert.deepStrictEqual(seenByOther, ["nothing", "Unknown", "Created", "Finished"])
    }))
})

describe("attach", () => {
  it.effect("stores a run that was created without the store, and never replaces another run", () =>
    Effect.gen(function*() {
      const { attach, complete, runOnce, unfinished } = yield* RunStore.RunStore
      const { counter, create } = creating()
      yield* attach("a", refOf("elsewhere"))
      assert.deepStrictEqual(yield* runOnce("a", create), refOf("elsewhere"))
      assert.strictEqual(counter.count, 0)
      yield* attach("a", refOf("elsewhere"))
      const error = yield* Effect.flip(attach("a", refOf("other")))
      assert.strictEqual(error._tag, "BadRequestError")
      assert.deepStrictEqual(error.ref, refOf("elsewhere"))
      yield* complete("a")
      yield* attach("a", refOf("elsewhere"))
      assert.deepStrictEqual(yield* unfinished, [])
    }).pipe(Effect.provide(RunStore.layerMemory)))
})

describe("unfinished", () => {
  it.effect("lists runs to wait for and creates with unknown outcomes, oldest first, and no finished runs", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { complete, runOnce, unfinished } = yield* store
      content.set("of another program", "value")
      content.set("canvas-runs/other", "value")
      for (const key of ["c", "b", "a", "finished"]) {
        yield* runOnce(key, key === "b" ? Effect.fail(noAnswer) : creating().create).pipe(Effect.ignore)
        yield* TestClock.adjust("1 second")
      }
      yield* complete("finished")
      assert.deepStrictEqual(yield* unfinished, [
        { _tag: "Created", key: "c", ref: refOf("run-1"), intendedAt: 0 },
        { _tag: "Unknown", key: "b", intendedAt: 1000 },
        { _tag: "Created", key: "a", ref: refOf("run-1"), intendedAt: 2000 }
      ])
      assert.deepStrictEqual(yield* (yield* store).unfinished, yield* unfinished, "after a restart it is the same")
    }))
})

describe("keys", () => {
  const keys = [
    "",
    ".",
    "..",
    "a",
    "A",
    "a.",
    "a/b",
    "../a",
    "a\\b",
    "!a",
    "(61)",
    "%2e",
    "con",
    "Grüße",
    "🙂",
    "\ud800",
    "\ud801",
    "line\nbreak\0",
    "x".repeat(1000),
    `${"x".repeat(999)}y`,
    "A".repeat(100)
  ]

  const everyKeyIsItsOwn = (store: RunStore.Service) =>
    Effect.gen(function*() {
      for (const [index, key] of keys.entries()) {
        yield* store.runOnce(key, Effect.succeed({ ref: refOf(`run-${index}`) }))
      }
      const listed = (yield* store.unfinished).map((entry) => [entry.key, "ref" in entry && entry.ref.id])
      assert.sameDeepMembers(listed, keys.map((key, index) => [key, `run-${index}`]))
    })

  it.effect("may be any text and never collide, even on a storage that ignores case", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      yield* everyKeyIsItsOwn(yield* store)
      const names = [...content.keys()]
      assert.strictEqual(new Set(names.map((name) => name.toLowerCase())).size, keys.length)
      for (const name of names) assert.match(name, /^canvas-runs\/created\/[a-z0-9_!()~-]{0,140}$/)
    }))

  it.effect("stay inside the directory of a file system", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const parent = yield* fs.makeTempDirectoryScoped()
      const storage = yield* Layer.build(KeyValueStore.layerFileSystem(`${parent}/runs`))
      yield* everyKeyIsItsOwn(yield* Effect.provide(RunStore.make, storage))
      assert.deepStrictEqual(yield* fs.readDirectory(parent), ["runs"])
      assert.strictEqual((yield* fs.readDirectory(`${parent}/runs`)).length, keys.length)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.effect("that the storage does not distinguish are an error, and never return the run of another key", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { runOnce } = yield* store
      yield* runOnce("a", creating().create)
      content.set("canvas-runs/created/b", content.get("canvas-runs/created/a")!)
      const error = yield* Effect.flip(runOnce("b", creating().create))
      assert.instanceOf(error, RunStore.RunStoreError)
      assert.strictEqual(error.reason, "record")
    }))
})

describe("a storage that fails", () => {
  it.effect("before the create starts no run, and leaves the key free", () =>
    Effect.gen(function*() {
      let isFull = true
      const { content, store } = makeDisk({ set: () => isFull ? diskFull : Effect.void })
      const { runOnce } = yield* store
      const { counter, create } = creating()
      const error = yield* Effect.flip(runOnce("a", create))
      assert.instanceOf(error, RunStore.RunStoreError)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.key, "a")
      assert.isUndefined(error.ref)
      assert.strictEqual(counter.count, 0)
      assert.strictEqual(content.size, 0)
      isFull = false
      yield* runOnce("a", create)
      assert.strictEqual(counter.count, 1)
    }))

  it.effect("after the create has the run in its error, and the key is listed until the run is attached", () =>
    Effect.gen(function*() {
      let isFull = true
      const { store } = makeDisk({ set: (key) => isFull && key.includes("created") ? diskFull : Effect.void })
      const { attach, runOnce } = yield* store
      const { counter, create } = creating()
      const error = yield* Effect.flip(runOnce("a", create))
      assert.instanceOf(error, RunStore.RunStoreError)
      assert.deepStrictEqual(error.ref, refOf("run-1"))
      assert.include(error.message, "test run run-1")
      isFull = false
      assert.instanceOf(yield* Effect.flip(runOnce("a", create)), RunError.CreateOutcomeUnknownError)
      yield* attach("a", error.ref!)
      assert.deepStrictEqual(yield* runOnce("a", create), refOf("run-1"))
      assert.strictEqual(counter.count, 1)
    }))

  it.effect("while it removes old files is not reported: remaining files are harmless", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk({ remove: () => diskFull })
      const { complete, forget, get, runOnce, unfinished } = yield* store
      yield* runOnce("a", creating().create)
      assert.strictEqual((yield* get("a"))?._tag, "Created")
      yield* complete("a")
      assert.strictEqual((yield* get("a"))?._tag, "Finished")
      assert.strictEqual(content.size, 3)
      assert.deepStrictEqual(yield* unfinished, [])
      const error = yield* Effect.flip(forget("a"))
      assert.instanceOf(error, RunStore.RunStoreError)
      assert.strictEqual(error.reason, "storage")
    }))

  it.effect("while it reads is an error that names the read", () =>
    Effect.gen(function*() {
      const { store } = makeDisk({ get: () => diskFull })
      const { counter, create } = creating()
      const error = yield* Effect.flip((yield* store).runOnce("a", create))
      assert.instanceOf(error, RunStore.RunStoreError)
      assert.strictEqual(error.reason, "storage")
      assert.include(error.message, "disk full")
      assert.strictEqual(counter.count, 0)
    }))
})

describe("an entry that this version cannot read", () => {
  const entries: ReadonlyArray<readonly [string, unknown, string]> = [
    ["of a newer version", { version: 2, key: "a", anything: true }, "newer version"],
    ["of another program", { hello: "world" }, "not one of canvas-runs"],
    ["with a ref of a newer version", { version: 1, key: "a", intendedAt: 0, ref: { version: 2 } }, "not one of"],
    ["with an invalid time", { version: 1, key: "a", intendedAt: 1e300 }, "not one of canvas-runs"],
    ["that is a number", 7, "not one of canvas-runs"]
  ]
  for (const [name, value, says] of entries) {
    for (const state of ["intent", "created", "finished"]) {
      it.effect(`${name}, as ${state}: is a typed error, and is neither executed nor overwritten`, () =>
        Effect.gen(function*() {
          const { content, store } = makeDisk()
          const text = JSON.stringify(value)
          content.set(`canvas-runs/${state}/a`, text)
          const { attach, complete, get, runOnce, unfinished } = yield* store
          const { counter, create } = creating()
          const attempts: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
            runOnce("a", create),
            runOnce("a", create, { onUnknown: "retry" }),
            attach("a", refOf("x")),
            complete("a"),
            get("a"),
            ...(state === "finished" ? [] : [unfinished])
          ]
          for (const attempt of attempts) {
            const error = yield* Effect.flip(attempt)
            assert.instanceOf(error, RunStore.RunStoreError)
            assert.strictEqual(error.reason, "record")
            assert.isFalse(error.isRetryable)
            assert.include(error.message, says)
          }
          assert.strictEqual(counter.count, 0)
          assert.deepStrictEqual([...content.values()], [text])
        }))
    }
  }
})

describe("errors of the store", () => {
  it.effect("a bad request names the call and the parameter, and describes the entry of the key", () =>
    Effect.gen(function*() {
      const { attach, complete, runOnce, track } = yield* RunStore.RunStore
      const { counter, create } = creating()
      yield* Effect.exit(runOnce("unknown", Effect.fail(noAnswer)))
      yield* attach("taken", refOf("run-9"))
      const cases: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, string, string, RegExp]> = [
        [complete("none"), "RunStore.complete", "key", /no run under "none"/],
        [complete("unknown"), "RunStore.complete", "key", /not known whether there is a run under "unknown"/],
        [track("none", Effect.void), "RunStore.track", "key", /no run under "none"/],
        [attach("b", {} as never), "RunStore.attach", "ref", /names no run/],
        [attach("taken", refOf("run-8")), "RunStore.attach", "key", /test run run-9 under "taken"/],
        [runOnce("b", create, { onUnknown: "again" as never }), "RunStore.runOnce", "onUnknown", /"again"/],
        [runOnce("b", create, 7 as never), "RunStore.runOnce", "options", /options must be an object/],
        [runOnce(7 as never, create), "RunStore.runOnce", "key", /key is 7; it must be text/],
        [runOnce("b", 7 as never), "RunStore.runOnce", "create", /an Effect/],
        [track("b", 7 as never), "RunStore.track", "wait", /an Effect/],
        [runOnce("b", create, { onUnknow: "fail" } as never), "RunStore.runOnce", "onUnknow", /Did you mean onUnknown/]
      ]
      for (const [call, operation, parameter, message] of cases) {
        const error = yield* Effect.flip(call)
        assert.instanceOf(error, RunError.BadRequestError)
        assert.deepInclude(error, { operation, parameter, sent: false })
        assert.match(error.message, message)
      }
      assert.strictEqual(counter.count, 0)
      yield* runOnce("b", create, { onUnknown: "fail" })
      yield* runOnce("c", create, { onUnknown: undefined })
      assert.strictEqual(counter.count, 2)
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("a failure of the storage names the call and the entry, and keeps the storage's error", () =>
    Effect.gen(function*() {
      const cause = yield* Effect.flip(diskFull)
      const full = makeDisk({ get: () => diskFull, set: () => diskFull, remove: () => diskFull })
      const { forget, get, track } = yield* full.store
      const listing = yield* storeOn({ ...full.storage, keys: diskFull })
      const reading = yield* full.store
      full.content.set("canvas-runs/created/a", "{}")
      const cases: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, object, string]> = [
        [get("a"), { operation: "RunStore.get", key: "a" }, `the entry of "a" could not be read (disk full).`],
        [
          track("a", Effect.die("it waited")),
          { operation: "RunStore.track", key: "a" },
          `the entry of "a" could not be read (disk full).`
        ],
        [forget("a"), { operation: "RunStore.forget", key: "a" }, `the entry of "a" could not be removed (disk full).`],
        [listing.unfinished, { operation: "RunStore.unfinished" }, "the store could not be listed (disk full)."],
        [reading.unfinished, { operation: "RunStore.unfinished" }, "the entry a could not be read (disk full)."]
      ]
      for (const [call, fields, says] of cases) {
        const error = yield* Effect.flip(call)
        assert.instanceOf(error, RunStore.RunStoreError)
        assert.deepInclude(error, { ...fields, reason: "storage", cause })
        assert.isTrue(error.message.endsWith(`: ${says}`), error.message)
        assert.strictEqual("key" in error, "key" in fields)
        assert.notProperty(error, "ref")
      }
    }))

  it.effect("an error asks the caller to keep only a ref that could not be stored", () =>
    Effect.gen(function*() {
      const failing = (state: string) => makeDisk({ set: (key) => key.includes(state) ? diskFull : Effect.void }).store
      const intent = yield* Effect.flip((yield* failing("intent")).runOnce("a", creating().create))
      assert.isTrue(intent.message.endsWith("could not be written (disk full)."), intent.message)
      const created = yield* Effect.flip((yield* failing("created")).runOnce("a", creating().create))
      assert.match(created.message, /attach it when the store works again\.$/)
    }))

  it.effect("the error about an unreadable entry has neither a cause nor a ref", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      content.set("canvas-runs/intent/a", "7")
      const error = yield* Effect.flip((yield* store).get("a"))
      assert.notProperty(error, "cause")
      const { runOnce } = yield* store
      const noRef = yield* Effect.flip(runOnce("b", Effect.succeed({ ref: {} as never })))
      assert.deepInclude(noRef, { _tag: "RunStoreError", reason: "record" })
    }))

  it.effect("an unknown outcome names the time of its intent, or says that this time is unknown", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { runOnce } = yield* store
      content.set("canvas-runs/intent/torn", `{"version`)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.exit(runOnce("a", Effect.fail(noAnswer)))
      yield* TestClock.adjust("90 seconds")
      const doubtAbout = (key: string) =>
        Effect.map(Effect.flip(runOnce(key, creating().create)), (error) => {
          assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
          return [Duration.toSeconds(error.elapsed), String(error.cause)] as const
        })
      assert.deepStrictEqual(yield* doubtAbout("a"), [90, "Error: the intent was written at 1970-01-01T00:00:10.000Z"])
      assert.deepStrictEqual(yield* doubtAbout("torn"), [0, "Error: the intent cannot be read"])
    }))

  it.effect("a write that the storage rejects at the end is logged, and the original failure is kept", () =>
    Effect.gen(function*() {
      const { store } = makeDisk({
        set: (key) => key.includes("finished") || key.includes("created/b") ? diskFull : Effect.void
      })
      const { runOnce, track } = yield* store
      yield* runOnce("a", creating().create)
      const failed = new RunError.RunFailedError({ message: "test", ref: refOf("run-1"), errors: [], run: {} })
      const lines = yield* logged(Effect.map(Effect.flip(track("a", Effect.fail(failed))), (error) => {
        assert.strictEqual(error, failed)
      }))
      assert.match(lines.join("\n"), /RunStore\.track: the entry of "a" could not be written/)

      const spine = yield* Spine.SpineClient
      const bug = new Error("bookkeeping")
      const create = Effect.tap(spine.runs.create({ prompt: "x" }), Effect.fail(bug))
      const more = yield* logged(Effect.map(Effect.flip(runOnce("b", create)), (error) => {
        assert.strictEqual(error, bug)
      }))
      assert.match(more.join("\n"), /RunStore\.runOnce: the entry of "b" could not be written/)
    }).pipe(
      Effect.provide(
        Layer.orDie(Spine.layer({ apiKey: Redacted.make("sk_spine_x") })).pipe(Layer.provide(SpineEmulator.layerTest()))
      )
    ))
})

describe("the span of an operation", () => {
  it.effect("has the name of the operation, and the key if there is one", () =>
    Effect.gen(function*() {
      const { complete, runOnce, unfinished } = yield* RunStore.RunStore
      const { spans, tracer } = recordSpans()
      yield* runOnce("a", creating().create).pipe(
        Effect.andThen(complete("a")),
        Effect.andThen(unfinished),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(spans.map(({ attributes, name }) => [name, Object.fromEntries(attributes)]), [
        ["RunStore.runOnce", { "run.key": "a" }],
        ["RunStore.complete", { "run.key": "a" }],
        ["RunStore.unfinished", {}]
      ])
    }).pipe(Effect.provide(RunStore.layerMemory)))
})

describe("files that an interrupted write left in the storage", () => {
  const record = (fields: object) => JSON.stringify({ version: 1, key: "a", intendedAt: 5, ...fields })
  const ref = JSON.parse(JSON.stringify(refOf("run-1"))) as object

  it.effect("an entry without a ref is read as an intent, and one without an end time gets its start time as its end", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { get } = yield* store
      content.set("canvas-runs/finished/a", record({}))
      assert.deepStrictEqual(yield* get("a"), { _tag: "Unknown", key: "a" })
      content.set("canvas-runs/created/a", record({}))
      assert.deepStrictEqual(yield* get("a"), { _tag: "Unknown", key: "a" })
      content.set("canvas-runs/finished/a", record({ ref }))
      assert.deepStrictEqual(yield* get("a"), {
        _tag: "Finished",
        key: "a",
        ref: refOf("run-1"),
        intendedAt: 5,
        finishedAt: 5
      })
      content.set("canvas-runs/finished/a", record({ ref, finishedAt: 9 }))
      assert.deepInclude(yield* get("a"), { _tag: "Finished", intendedAt: 5, finishedAt: 9 })
    }))

  it.effect("a truncated intent has no time, and is listed under the key of its file name", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { get, unfinished } = yield* store
      for (const name of ["a", "!a!b(2e)c", "(fc)"]) content.set(`canvas-runs/intent/${name}`, `{"version`)
      assert.deepStrictEqual(yield* get("a"), { _tag: "Unknown", key: "a" })
      assert.sameDeepMembers([...(yield* unfinished)], ["a", "AB.c", "ü"].map((key) => ({ _tag: "Unknown", key })))
    }))

  it.effect("an intent beside a newer entry is removed when the run is attached or completed", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { attach, complete, runOnce } = yield* store
      yield* Effect.exit(runOnce("a", Effect.fail(noAnswer)))
      yield* attach("a", refOf("run-1"))
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/created/a"])
      content.set("canvas-runs/intent/a", record({}))
      yield* complete("a")
      assert.deepStrictEqual([...content.keys()], ["canvas-runs/finished/a"])
    }))

  it.effect("an incomplete intent is removed when the storage rejects its write", () =>
    Effect.gen(function*() {
      const content = new Map<string, string>()
      const { storage } = makeDisk()
      const { runOnce } = yield* storeOn({
        ...storage,
        set: (key, value) => Effect.andThen(Effect.sync(() => content.set(key, String(value).slice(0, 5))), diskFull),
        remove: (key) => Effect.sync(() => void content.delete(key))
      })
      yield* Effect.flip(runOnce("a", creating().create))
      assert.strictEqual(content.size, 0)
    }))

  it.effect("a second attempt that cannot write its intent creates nothing, and leaves the first one", () =>
    Effect.gen(function*() {
      let isFull = false
      const { store } = makeDisk({ set: (key) => isFull && key.includes("intent") ? diskFull : Effect.void })
      const { get, runOnce } = yield* store
      yield* Effect.exit(runOnce("a", Effect.fail(noAnswer)))
      const entry = yield* get("a")
      isFull = true
      const { counter, create } = creating()
      const error = yield* Effect.flip(runOnce("a", create, { onUnknown: "retry" }))
      assert.strictEqual(error._tag, "RunStoreError")
      assert.deepStrictEqual(yield* get("a"), entry)
      assert.strictEqual(counter.count, 0)
    }))

  it.effect("a version that is not a number is not read as a newer one", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      content.set("canvas-runs/intent/a", JSON.stringify({ version: "2", key: "a" }))
      assert.include((yield* Effect.flip((yield* store).get("a"))).message, "not one of canvas-runs")
    }))

  it.effect("listing unfinished entries reads no finished runs and no foreign files", () =>
    Effect.gen(function*() {
      const read: Array<string> = []
      const { content, store } = makeDisk({ get: (key) => Effect.sync(() => void read.push(key)) })
      content.set("canvas-runs/finished/a", record({ ref }))
      content.set("canvas-runs/of another program", "value")
      assert.deepStrictEqual(yield* (yield* store).unfinished, [])
      assert.deepStrictEqual(read, [])
    }))

  it.effect("entries of the same moment are listed by their keys", () =>
    Effect.gen(function*() {
      const { runOnce, unfinished } = yield* RunStore.RunStore
      for (const key of ["b", "d", "a", "c"]) yield* runOnce(key, creating().create)
      assert.deepStrictEqual((yield* unfinished).map(({ key }) => key), ["a", "b", "c", "d"])
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("a key of 140 characters is its own name in the storage, and forgetting it returns nothing", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const { forget, runOnce } = yield* store
      const key = "x".repeat(140)
      yield* runOnce(key, creating().create)
      assert.deepStrictEqual([...content.keys()], [`canvas-runs/created/${key}`])
      assert.isUndefined(yield* forget(key))
    }))

  it.effect("a third caller waits for the second one, which creates the run after the first was rejected", () =>
    Effect.gen(function*() {
      const { runOnce } = yield* RunStore.RunStore
      const { counter, create } = creating((count) =>
        Effect.delay(
          count === 1
            ? createOn(Spine, () => new Response(null, { status: 429 }))
            : Effect.succeed({ ref: refOf(`run-${count}`) }),
          "1 minute"
        )
      )
      const first = yield* Effect.forkChild(Effect.flip(runOnce("a", create)))
      const second = yield* Effect.forkChild(runOnce("a", create))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(first))._tag, "RateLimitError")
      const third = yield* Effect.forkChild(runOnce("a", create))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* Fiber.join(second), yield* Fiber.join(third)], [refOf("run-2"), refOf("run-2")])
      assert.strictEqual(counter.count, 2)
    }).pipe(Effect.provide(RunStore.layerMemory)))
})

/**
 * A process that is killed at its n-th step. Steps are the operations on the storage, and the request and the answer of a create.
 * A write may be cut: the storage then has nothing, a part, or all but the last character of it.
 */
type Cut = "before" | "empty" | "half" | "almost" | "after"

const cuts: ReadonlyArray<Cut> = ["before", "empty", "half", "almost", "after"]

interface World {
  readonly content: Map<string, string>
  readonly runs: Array<string>
}

const makeProcess = (world: World, killAt: { readonly step: number; readonly cut: Cut } | undefined) => {
  let steps = 0
  let isDead = false
  const step = <A>(run: () => A, cut?: (part: number) => void): Effect.Effect<A> =>
    Effect.suspend(() => {
      if (isDead) return Effect.interrupt
      if (steps++ !== killAt?.step) return Effect.succeed(run())
      isDead = true
      switch (killAt.cut) {
        case "empty":
          cut?.(0)
          break
        case "half":
          cut?.(0.5)
          break
        case "almost":
          cut?.(1)
          break
        case "after":
          run()
      }
      return Effect.interrupt
    })
  const { content, runs } = world
  const storage = KeyValueStore.makeStringOnly({
    get: (key) => step(() => content.get(key)),
    set: (key, value) =>
      step(
        () => void content.set(key, value),
        (part) => void content.set(key, value.slice(0, Math.min(value.length - 1, Math.floor(value.length * part))))
      ),
    remove: (key) => step(() => void content.delete(key)),
    clear: Effect.die("not used"),
    size: Effect.die("not used"),
    keys: step(() => [...content.keys()])
  })
  const create = Effect.gen(function*() {
    const id = yield* step(() => {
      runs.push(`run-${runs.length + 1}`)
      return runs.at(-1)!
    })
    return yield* step(() => ({ ref: refOf(id) }))
  })
  return { steps: () => steps, storage, create, store: storeOn(storage) }
}

/** The program from its start to its end. It returns the outcome that it saw. */
const program = (process: ReturnType<typeof makeProcess>) =>
  Effect.gen(function*() {
    const store = yield* process.store
    const listed = yield* store.unfinished
    const ref = yield* Effect.result(store.runOnce("a", process.create))
    if (ref._tag === "Success") yield* store.complete("a")
    return { listed: listed.map(({ _tag }) => _tag), ref }
  })

const isKilled = <A, E>(exit: Exit.Exit<A, E>): boolean => Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)

/** Starts the program once more without killing it, and asserts its promises. */
const checkRecovery = Effect.fnUntraced(function*(world: World, where: string) {
  const before = [...world.runs]
  const process = makeProcess(world, undefined)
  const { listed, ref } = yield* program(process)
  assert.isAtMost(before.length, 1, `${where}: created twice`)
  if (ref._tag === "Success") {
    assert.deepStrictEqual(world.runs, ["run-1"], `${where}: there is one run`)
    assert.strictEqual(ref.success.id, "run-1", `${where}: it is that one`)
    return "known"
  }
  assert.strictEqual(ref.failure._tag, "CreateOutcomeUnknownError", where)
  assert.deepStrictEqual(listed, ["Unknown"], `${where}: it is listed`)
  assert.deepStrictEqual(world.runs, before, `${where}: nothing was created`)
  // The operator looks at the provider to decide
  const store = yield* process.store
  if (before.length === 1) yield* store.attach("a", refOf(before[0]!))
  const decided = yield* store.runOnce("a", process.create, { onUnknown: "retry" })
  assert.deepStrictEqual(world.runs, ["run-1"], `${where}: after the decision there is one run`)
  assert.strictEqual(decided.id, "run-1")
  yield* store.complete("a")
  assert.deepStrictEqual(yield* store.unfinished, [])
  yield* store.forget("a")
  assert.strictEqual(world.content.size, 0, `${where}: forgotten`)
  return "reported"
})

describe("a killed process", () => {
  /** The steps between two second kills. The first one of them changes with the step of the first kill. */
  const stride = size(4, 1)

  it.effect("at any step, and again at any step of the next start, loses no run, creates no run twice, and reports each unknown outcome", () =>
    Effect.gen(function*() {
      const tally = { killed: 0, killedTwice: 0, known: 0, reported: 0 }
      const lives = (world: World) => {
        const process = makeProcess(world, undefined)
        return Effect.map(program(process), () => process.steps())
      }
      const stepsOfOneLife = yield* lives({ content: new Map(), runs: [] })
      assert.isAbove(stepsOfOneLife, 12)
      for (let first = 0; first < stepsOfOneLife; first++) {
        for (const firstCut of cuts) {
          const world: World = { content: new Map(), runs: [] }
          const exit = yield* Effect.exit(program(makeProcess(world, { step: first, cut: firstCut })))
          assert.isTrue(isKilled(exit))
          tally.killed++
          const copy = (): World => ({ content: new Map(world.content), runs: [...world.runs] })
          tally[yield* checkRecovery(copy(), `killed ${firstCut} step ${first}`)]++
          const stepsOfNextLife = yield* lives(copy())
          for (let second = first % stride; second < stepsOfNextLife; second += stride) {
            for (const secondCut of cuts) {
              const next = copy()
              yield* Effect.exit(program(makeProcess(next, { step: second, cut: secondCut })))
              tally.killedTwice++
              yield* checkRecovery(next, `killed ${firstCut} step ${first}, then ${secondCut} step ${second}`)
            }
          }
        }
      }
      // Only a kill between the intent and the ref leaves an unknown outcome
      assert.isAbove(tally.known, tally.reported)
      assert.isAbove(tally.reported, 10)
      assert.isAbove(tally.killedTwice, 3000 / stride)
    }))

  for (
    const [name, operation] of [
      ["forget", (store: RunStore.Service) => store.forget("a")],
      ["attach", (store: RunStore.Service) => store.attach("a", refOf("run-1"))],
      ["complete", (store: RunStore.Service) => store.complete("a")]
    ] as const
  ) {
    for (const state of ["Unknown", "Created", "Finished"]) {
      it.effect(`inside ${name} of an entry that is ${state} leaves the old entry, the new one, or an unknown outcome that is reported`, () =>
        Effect.gen(function*() {
          const prepared = Effect.gen(function*() {
            const world: World = { content: new Map(), runs: [] }
            // Files that remain from earlier kills stay in the storage
            for (let life = 0; life < 2; life++) {
              const process = makeProcess(world, undefined)
              const store = yield* process.store
              if (state === "Unknown") {
                yield* Effect.exit(store.runOnce("a", Effect.andThen(process.create, Effect.fail(noAnswer))))
              } else yield* store.runOnce("a", process.create)
              if (state === "Finished") yield* store.complete("a")
              world.content.set("canvas-runs/intent/a", `{"version":1,"key":"a","intendedAt":0}`)
            }
            return world
          })
          for (let step = 0; step < 12; step++) {
            for (const cut of cuts) {
              const world = yield* prepared
              const killed = makeProcess(world, { step, cut })
              yield* Effect.exit(Effect.flatMap(killed.store, operation))
              const entry = yield* Effect.flatMap(makeProcess(world, undefined).store, ({ get }) => get("a"))
              const allowed: ReadonlyArray<string | undefined> = name === "forget"
                ? [state, undefined]
                : name === "attach"
                ? [state, "Created"]
                : [state, "Finished"]
              assert.include(
                allowed.filter((tag) => name !== "complete" || state !== "Unknown" || tag === state),
                entry?._tag,
                `${cut} ${step}`
              )
              if (entry !== undefined && "ref" in entry) assert.strictEqual(entry.ref.id, "run-1")
            }
          }
        }))
    }
  }

  it.effect("while it writes the intent of a long key has created nothing, and the entry is reported as unreadable", () =>
    Effect.gen(function*() {
      const key = "x".repeat(500)
      const world: World = { content: new Map(), runs: [] }
      yield* Effect.exit(
        Effect.flatMap(
          makeProcess(world, { step: 4, cut: "half" }).store,
          ({ runOnce }) => runOnce(key, Effect.die("it was killed before"))
        )
      )
      assert.strictEqual(world.content.size, 1)
      const process = makeProcess(world, undefined)
      const { runOnce, unfinished } = yield* process.store
      assert.deepStrictEqual(yield* unfinished, [])
      assert.instanceOf(yield* Effect.flip(runOnce(key, process.create)), RunError.CreateOutcomeUnknownError)
      yield* runOnce(key, process.create, { onUnknown: "retry" })
      assert.deepStrictEqual((yield* unfinished).map((entry) => entry.key), [key])
    }))
})

describe("C1: refs with invalid fields", () => {
  const odd = { ...refOf("run-1"), createdAt: NaN, requestId: null, estimatedDurationMs: undefined } as never
  it.effect("C1: a ref is stored without its invalid fields, and is listed as unfinished", () =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      assert.deepStrictEqual(yield* store.runOnce("a", Effect.succeed({ ref: odd })), refOf("run-1"))
      yield* store.attach("b", { ...refOf("run-2"), createdAt: NaN } as never)
      assert.deepStrictEqual(
        (yield* store.unfinished).map((entry) => entry._tag === "Created" ? entry.ref : undefined),
        [refOf("run-1"), refOf("run-2")]
      )
    }).pipe(Effect.provide(RunStore.layerMemory)))

  it.effect("C1: a stored ref with null fields does not fail the whole list", () =>
    Effect.gen(function*() {
      const { content, store } = makeDisk()
      const service = yield* store
      yield* service.runOnce("a", Effect.succeed({ ref: refOf("run-1") }))
      yield* service.runOnce("b", Effect.succeed({ ref: refOf("run-2") }))
      for (const [name, text] of content) {
        content.set(name, text.replace("\"id\":\"run-1\"", "\"id\":\"run-1\",\"createdAt\":null,\"requestId\":7"))
      }
      assert.deepStrictEqual(
        (yield* service.unfinished).map((entry) => entry._tag === "Created" ? entry.ref : undefined),
        [refOf("run-1"), refOf("run-2")]
      )
    }))

  it.effect("C1: a create whose ref names no run is an error that says so, and attach rejects such a ref", () =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      for (const ref of [undefined, {}, { ...refOf("x"), id: "" }, { ...refOf("x"), id: 1n }]) {
        const error = yield* Effect.flip(
          store.runOnce("a", Effect.succeed({ ref: ref as never }), { onUnknown: "retry" })
        )
        assert.strictEqual(error._tag, "RunStoreError")
        assert.include(error.message, "names no run")
        const refused = yield* Effect.flip(store.attach("b", ref as never))
        assert.strictEqual(refused._tag, "BadRequestError")
      }
    }).pipe(Effect.provide(RunStore.layerMemory)))
})
