import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, LayerMap, Redacted, Ref } from "effect"
import { TestClock } from "effect/testing"
import { RunError, Spine, Tela } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { inspect } from "node:util"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const first = "sk_spine_planted_first_key"
const second = "sk_spine_planted_second_key"

const withKey = <A, E>(
  apiKey: Spine.Options["apiKey"],
  use: Effect.Effect<A, E, Spine.SpineClient | SpineEmulator.SpineEmulator>,
  client?: Partial<Spine.Options>
) =>
  use.pipe(
    Effect.provide(Layer.provideMerge(Layer.orDie(Spine.layer({ apiKey, ...client })), SpineEmulator.layerTest()))
  )

describe("F18: a key that changes while the program runs", () => {
  it.effect("F18: each call runs the effect for the key", () =>
    Effect.gen(function*() {
      const key = yield* Ref.make(first)
      yield* withKey(
        Effect.map(Ref.get(key), (text) => Redacted.make(text)),
        Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const emulator = yield* SpineEmulator.SpineEmulator
          yield* spine.runs.create({ prompt: "x" })
          yield* Ref.set(key, second)
          yield* spine.runs.create({ prompt: "y" })
          const keys = (yield* emulator.requests).map(({ headers }) => headers["x-api-key"])
          assert.deepStrictEqual(keys, [first, second])
        })
      )
    }))

  it.effect("F18: errors hide the key that was valid when they occurred", () =>
    Effect.gen(function*() {
      const key = yield* Ref.make(first)
      yield* withKey(
        Effect.map(Ref.get(key), (text) => Redacted.make(text)),
        Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const emulator = yield* SpineEmulator.SpineEmulator
          for (const secret of [first, second]) {
            yield* Ref.set(key, secret)
            yield* emulator.fault(Fault.status(403, { body: { success: false, error: `no access for ${secret}` } }))
            const error = yield* Effect.flip(spine.runs.retrieve(id))
            assert.instanceOf(error, RunError.PermissionDeniedError)
            assert.notInclude(inspect(error, { depth: 9 }), secret)
          }
        })
      )
    }))

  it.effect("F18: a key that cannot be read is a TransportError with reached: false, which does not end a wait", () =>
    Effect.gen(function*() {
      let asked = 0
      yield* withKey(
        Effect.suspend(() => ++asked === 3 ? Effect.fail("vault is sealed") : Effect.succeed(Redacted.make(first))),
        Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const emulator = yield* SpineEmulator.SpineEmulator
          yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
          const created = yield* spine.runs.create({ prompt: "x" })
          const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
          asked = 2
          const error = yield* Effect.flip(spine.runs.create({ prompt: "y" }))
          assert.instanceOf(error, RunError.TransportError)
          assert.isFalse(error.reached)
          assert.include(error.message, "the effect given as apiKey failed.")
          assert.notInclude(inspect(error, { depth: 9 }), "vault is sealed")
          assert.strictEqual((yield* emulator.runs).length, 1)
        })
      )
    }))

  const wrong = [
    ["dies", Effect.die(new TypeError("no vault for planted")), "TransportError", "apiKey failed (TypeError)"],
    ["fails", Effect.fail({ _tag: "VaultError", message: "planted" }), "TransportError", "apiKey failed (VaultError)"],
    ["never ends", Effect.never, "TransportError", "1m"],
    ["gives an empty key", Effect.succeed(Redacted.make("")), "BadRequestError", "is empty"],
    ["gives a plain text", Effect.succeed(first as never), "BadRequestError", "Redacted"]
  ] as const
  for (const [what, key, type, words] of wrong) {
    it.effect(`F18: an effect that ${what} is a typed failure before any request`, () =>
      withKey(
        key,
        Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const fiber = yield* Effect.forkChild(Effect.flip(spine.runs.create({ prompt: "x" })))
          yield* TestClock.adjust("2 minutes")
          const error = yield* Fiber.join(fiber)
          assert.strictEqual(error._tag, type)
          assert.include(error.message, words)
          assert.notInclude(inspect(error, { depth: 9 }), "planted")
          assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
        })
      ))
  }

  it.effect("F18: Tela takes an effect for its key and for its JWT", () =>
    Effect.gen(function*() {
      for (const option of ["apiKey", "jwt"] as const) {
        const options = { [option]: Effect.succeed(Redacted.make("tela_planted_key")) } as unknown as Tela.Options
        yield* Effect.gen(function*() {
          const tela = yield* Tela.TelaClient
          yield* tela.checkCredential
          const [request] = yield* (yield* TelaEmulator.TelaEmulator).requests
          assert.strictEqual(request!.headers["authorization"], "Bearer tela_planted_key")
        }).pipe(Effect.provide(Layer.provideMerge(Tela.layer(options), TelaEmulator.layerTest())))
      }
    }))

  it.effect("F18: two accounts in one program each use their own key", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      const accounts = yield* LayerMap.make((account: string) =>
        Spine.layer({ apiKey: Redacted.make(`sk_spine_${account}`) })
      )
      for (const account of ["acme", "globex"]) {
        yield* Spine.SpineClient.use((spine) => spine.runs.create({ prompt: account })).pipe(
          Effect.provide(accounts.get(account))
        )
      }
      const keys = (yield* emulator.requests).map(({ headers }) => headers["x-api-key"])
      assert.deepStrictEqual(keys, ["sk_spine_acme", "sk_spine_globex"])
    }).pipe(Effect.scoped, Effect.provide(SpineEmulator.layerTest())))
})

describe("D11: a base URL that ends in /v1", () => {
  it.effect("D11: is accepted, and a 404 names the part of the path that occurs twice", () =>
    withKey(
      Redacted.make(first),
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const error = yield* Effect.flip(spine.runs.retrieve(id))
        assert.instanceOf(error, RunError.NotFoundError)
        assert.include(error.message, "leave \"/v1\" out of the base URL")
      }),
      { baseUrl: "https://api.getspine.ai/v1" }
    ))

  it.effect("D11: a 404 of an ordinary path does not mention the base URL", () =>
    withKey(
      Redacted.make(first),
      Effect.gen(function*() {
        const error = yield* Effect.flip((yield* Spine.SpineClient).runs.retrieve(id))
        assert.notInclude(error.message, "base URL")
      })
    ))
})
