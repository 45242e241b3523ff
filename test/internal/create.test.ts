import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Logger } from "effect"
import { RunError, RunRef } from "canvas-runs"
import { thenOnCreated } from "../../src/internal/create.ts"

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
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      const defect = new TypeError("ref is not iterable")
      const exit = yield* thenOnCreated(Effect.succeed(created), () => {
        throw defect
      }).pipe(Effect.exit, Effect.provide(Logger.layer([logger])))
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
