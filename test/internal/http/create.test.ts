import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Latch, Logger, References } from "effect"
import { RunError, RunRef } from "canvas-runs"
import * as Create from "../../../src/internal/http/create.ts"
import {
  CurrentSentRequests,
  make as makeSentRequests,
  type SentRequests
} from "../../../src/internal/http/sentRequests.ts"

const { thenOnCreated } = Create

const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
const created = { ref, status: "accepted" }

class StoreError extends Error {
  readonly _tag = "StoreError"
}

class Store extends Context.Service<Store, { readonly save: Effect.Effect<void, StoreError> }>()("test/Store") {}

describe("thenOnCreated", () => {
  it.effect("B11: an onCreated that fails is an OnCreatedError with the ref and the failure, unchanged", () =>
    Effect.gen(function*() {
      const cause = new StoreError("the database is down")
      const error = yield* Effect.flip(thenOnCreated(Effect.succeed(created), () => Effect.fail(cause)))
      assert.instanceOf(error, RunError.OnCreatedError)
      expectTypeOf(error.cause).toEqualTypeOf<StoreError>()
      assert.deepStrictEqual(error.ref, ref)
      assert.strictEqual(error.cause, cause)
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "the database is down")
      assert.include(error.message, ref.id)
    }))

  for (
    const [name, cause] of Object.entries({
      "an object without a prototype": Object.create(null) as unknown,
      "an object whose message throws": Object.defineProperty({}, "message", {
        get() {
          throw new Error("no")
        }
      }),
      "nothing": undefined,
      "a cycle": (() => {
        const cycle: { self?: unknown } = {}
        cycle.self = cycle
        return cycle
      })()
    })
  ) {
    it.effect(`B11: the ref is kept when onCreated fails with ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(thenOnCreated(Effect.succeed(created), () => Effect.fail(cause)))
        assert.instanceOf(error, RunError.OnCreatedError)
        assert.deepStrictEqual(error.ref, ref)
        assert.strictEqual(error.cause, cause)
      }))
  }

  it.effect("B11: an onCreated that throws keeps its cause, and the ref is logged", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ fiber, message }) => {
        logged.push(String(message))
        assert.deepStrictEqual(fiber.getRef(References.CurrentLogAnnotations), { ref })
      })
      let runId: unknown
      const defect = new TypeError("ref is not iterable")
      const exit = yield* thenOnCreated(Effect.succeed(created), () => {
        throw defect
      }).pipe(
        Effect.exit,
        Effect.tap(Effect.map(Effect.currentSpan, ({ attributes }) => {
          runId = attributes.get("run.id")
        })),
        Effect.withSpan("create"),
        Effect.provide(Logger.layer([logger]))
      )
      assert.strictEqual(runId, ref.id)
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0], ref.id)
    }))

  it.effect("B11: an interruption during the creation waits until onCreated has the ref", () =>
    Effect.gen(function*() {
      const sent = yield* Latch.make()
      const answered = yield* Latch.make()
      const seen: Array<RunRef.RunRef> = []
      const create = Effect.as(Effect.andThen(sent.open, answered.await), created)
      const fiber = yield* Effect.forkChild(
        thenOnCreated(create, ({ ref }) => Effect.sync(() => void seen.push(ref)))
      )
      yield* sent.await
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* answered.open
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(seen, [ref])
    }))

  it("has the failures and services of onCreated in its type, and none without it", () => {
    const create: Effect.Effect<typeof created, RunError.CreateError> = Effect.succeed(created)
    expectTypeOf(thenOnCreated(create, () => Effect.flatMap(Store, ({ save }) => save))).toEqualTypeOf<
      Effect.Effect<
        typeof created,
        RunError.CreateError | (RunError.OnCreatedError & { readonly cause: StoreError }),
        Store
      >
    >()
    expectTypeOf(thenOnCreated(create, () => Effect.void)).toEqualTypeOf<typeof create>()
    expectTypeOf(thenOnCreated(create, undefined)).toEqualTypeOf<typeof create>()
  })
})

describe("a create", () => {
  const fields = { operation: "runs.create", attempts: 2, elapsed: Duration.seconds(3), message: "test" }

  /** A send that asks whether to repeat the request, and fails with the error. Records the options and the answer. */
  const failing = (error: RunError.RequestError, options: Parameters<typeof Create.create>[0]) =>
    Effect.gen(function*() {
      const log: Create.CreateLog = { open: 0, refs: [], failures: new Set(), key: undefined, outer: undefined }
      let isRepeated: boolean | undefined
      let isSentOnce: boolean | undefined
      const create = Create.create(options, (once) =>
        Effect.suspend(() => {
          isRepeated = once.retryWhile(error)
          isSentOnce = once.isSentOnce
          return Effect.fail(error)
        }))
      const failed = yield* Effect.flip(Effect.provideService(create, Create.CurrentLog, log))
      return { outcome: { error: failed, isRepeated, isSentOnce }, log }
    })

  it.effect("with an unknown outcome has all fields of its failure, and no others", () =>
    Effect.gen(function*() {
      const said = {
        status: 503,
        requestId: "req_1",
        providerMessage: "overloaded",
        providerCode: "busy",
        body: { error: "busy" }
      }
      for (const extra of [said, {}]) {
        const cause = new RunError.ServerError({ ...fields, ...extra })
        const { log, outcome } = yield* failing(cause, { retryCreates: false })
        const { error, isRepeated, isSentOnce } = outcome
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.deepInclude(error, {
          operation: "runs.create",
          attempts: 2,
          elapsed: Duration.seconds(3),
          cause,
          ...extra
        })
        for (const name of Object.keys(said)) assert.strictEqual(name in error, name in extra, name)
        assert.include(error.message, "was not repeated")
        assert.isFalse(isRepeated)
        assert.isTrue(isSentOnce)
        assert.strictEqual(log.open, 1)
      }
    }))

  it.effect("is repeated, and its outcome is known, if the request was never sent", () =>
    Effect.gen(function*() {
      for (
        const [error, isRepeatedFor] of [
          [new RunError.TransportError({ ...fields, reached: false }), true],
          [new RunError.RequestTimeoutError({ ...fields, reached: false }), true],
          // An error response does not prove that, even if no run was made
          [new RunError.RateLimitError(fields), false]
        ] as const
      ) {
        const { log, outcome } = yield* failing(error, { retryCreates: false })
        assert.deepStrictEqual(outcome, { error, isRepeated: isRepeatedFor, isSentOnce: true })
        assert.strictEqual(log.open, 0)
      }
      for (
        const error of [
          new RunError.TransportError({ ...fields, reached: true }),
          new RunError.RequestTimeoutError({ ...fields, reached: true }),
          new RunError.RequestTimeoutError(fields)
        ]
      ) {
        assert.isFalse((yield* failing(error, { retryCreates: false })).outcome.isRepeated, error._tag)
      }
    }))

  it.effect("is repeated after an unknown outcome when the caller accepts a second run", () =>
    Effect.gen(function*() {
      const { outcome } = yield* failing(new RunError.ServerError(fields), { retryCreates: true })
      const { error, isRepeated, isSentOnce } = outcome
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.isTrue(isRepeated)
      assert.isFalse(isSentOnce)
    }))

  it.effect("that the HTTP client sent several times has an unknown outcome, says how often it was sent, and does not count as incomplete", () =>
    Effect.gen(function*() {
      const refused = new RunError.BadRequestError({ ...fields, sent: true })
      const busy = new RunError.RateLimitError(fields)
      const sentTimes = (times: number, failure: RunError.RequestError = refused, retryCreates = false) =>
        Effect.gen(function*() {
          let isRepeated: boolean | undefined
          const create = Create.create(
            { retryCreates, isIncomplete: () => true },
            ({ retryWhile, sends }) =>
              Effect.suspend(() => {
                assert.isFalse(sends.isOwnFetch)
                for (let sent = 0; sent < times; sent++) sends.count++
                isRepeated = retryWhile(failure)
                assert.strictEqual(sends.count, 0)
                return Effect.fail(failure)
              })
          )
          return { error: yield* Effect.flip(create), isRepeated }
        })
      const { error, isRepeated } = yield* sentTimes(3)
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.include(error.message, "3 times")
      assert.isFalse(isRepeated)
      assert.deepStrictEqual(yield* sentTimes(1), { error: refused, isRepeated: false })
      // If the caller accepts a second run, the create is repeated, unless its body was not sent completely
      assert.isTrue((yield* sentTimes(2, busy, true)).isRepeated)
      assert.isFalse((yield* sentTimes(1, busy, true)).isRepeated)
    }))

  it.effect("has an unknown outcome also if nothing asked whether to repeat it", () =>
    Effect.gen(function*() {
      const fail = () => Effect.fail(new RunError.ServerError(fields))
      const error = yield* Effect.flip(Create.create({ retryCreates: false }, fail))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    }))

  it.effect("still has an unknown outcome when the last attempt never reached the provider, but an earlier one may have", () =>
    Effect.gen(function*() {
      const last = new RunError.TransportError({ ...fields, reached: false })
      const doubted = Create.create({ retryCreates: true }, ({ retryWhile }) =>
        Effect.suspend(() => {
          retryWhile(new RunError.ServerError(fields))
          return Effect.fail(last)
        }))
      assert.instanceOf(yield* Effect.flip(doubted), RunError.CreateOutcomeUnknownError)
      assert.strictEqual(yield* Effect.flip(Create.create({ retryCreates: true }, () => Effect.fail(last))), last)
    }))

  it.effect("whose body was not sent completely has made no run, and is not repeated", () =>
    Effect.gen(function*() {
      const broken = new RunError.TransportError({ ...fields, reached: true })
      const { log, outcome } = yield* failing(broken, {
        retryCreates: true,
        isIncomplete: (error) => error === broken
      })
      assert.deepStrictEqual(outcome, { error: broken, isRepeated: false, isSentOnce: false })
      assert.strictEqual(log.open, 0)
    }))

  it.effect("outside of a store keeps the failures of steps before it unchanged", () =>
    Effect.gen(function*() {
      const error = new Error("the upload failed")
      assert.strictEqual(yield* Effect.flip(Create.operation(Effect.fail(error))), error)
    }))

  it("may have made a run, or certainly has not, depending on its error", () => {
    const doubts: ReadonlyArray<readonly [RunError.RequestError, boolean]> = [
      [new RunError.TransportError({ ...fields, reached: true }), true],
      [new RunError.TransportError({ ...fields, reached: false }), false],
      [new RunError.RequestTimeoutError(fields), true],
      [new RunError.RequestTimeoutError({ ...fields, status: 425 }), true],
      [new RunError.RequestTimeoutError({ ...fields, reached: true }), true],
      [new RunError.RequestTimeoutError({ ...fields, reached: false }), false],
      [new RunError.ServerError(fields), true],
      [new RunError.ServerError({ ...fields, status: 503 }), true],
      [new RunError.ServerError({ ...fields, status: 501 }), false],
      [new RunError.InvalidResponseError({ ...fields, status: 303, isRetryable: false }), true],
      [new RunError.InvalidResponseError({ ...fields, status: 307, isRetryable: false }), false],
      [new RunError.RequestTimeoutError(fields), true],
      [new RunError.RequestTimeoutError({ ...fields, reached: false }), false],
      [new RunError.BadRequestError({ ...fields, status: 499, sent: true }), true],
      [new RunError.BadRequestError({ ...fields, status: 400, sent: true }), false],
      [new RunError.RateLimitError(fields), false],
      [new RunError.AuthenticationError(fields), false]
    ]
    for (const [error, mayExist] of doubts) {
      assert.strictEqual(Create.mayHaveCreated(error), mayExist, `${error._tag} ${error.status}`)
    }
  })

  it("shares its log and its count of requests with another copy of the package", () => {
    const defaultValue = () => undefined
    const log: Create.CreateLog = { open: 0, refs: [], failures: new Set(), key: undefined, outer: undefined }
    const sends: SentRequests = { ...makeSentRequests(), count: 2 }
    const services = Context.make(Create.CurrentLog, log).pipe(Context.add(CurrentSentRequests, sends))
    const other = (name: string) => Context.get(services, Context.Reference<unknown>(name, { defaultValue }))
    assert.strictEqual(other("canvas-runs/internal/CreateLog"), log)
    assert.strictEqual(other("canvas-runs/internal/Sends"), sends)
  })
})
