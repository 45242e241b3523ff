import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { RunError, Spine, Webhooks } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { failure, success } from "../support/results.ts"
import { apiKey, live } from "../support/spine.ts"
import { noRequests } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

const build = <E>(layer: Layer.Layer<Spine.SpineClient, E, HttpClient.HttpClient>) =>
  Effect.exit(Effect.scoped(Layer.build(Layer.provide(layer, noRequests))))

describe("options of the client", () => {
  for (const baseUrl of ["https://api.getspine.ai/?", "https://api.getspine.ai/#", "http://:pw@api.getspine.ai"]) {
    it.effect(`D11: the base URL ${baseUrl} is rejected without showing a password`, () =>
      Effect.gen(function*() {
        const error = failure(yield* build(Spine.layer({ apiKey: Redacted.make(apiKey), baseUrl })))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, "baseUrl")
        assert.notInclude(error.message, ":pw")
      }))
  }

  for (
    const [name, meant] of [["baseURL", "baseUrl"], ["timeoutMs", "requestTimeout"], ["maxRetries", "retry"]] as const
  ) {
    it.effect(`F10: the client option ${name} of another SDK is a ConfigError`, () =>
      Effect.gen(function*() {
        const options = { apiKey: Redacted.make(apiKey), [name]: 1 }
        const error = failure(yield* build(Spine.layer(options)))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, name)
        assert.include(error.message, meant)
      }))
  }

  it.effect("F6: the key and the address may be Configs, read when the layer is built", () =>
    Effect.gen(function*() {
      const layer = Spine.layerConfig({ apiKey: Config.Redacted("ACME_KEY"), baseUrl: Config.String("ACME_URL") })
      const env = (values: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env: values }))
      success(yield* build(Layer.provide(layer, env({ ACME_KEY: apiKey, ACME_URL: "https://acme.example" }))))
      const error = failure(yield* build(Layer.provide(layer, env({ ACME_URL: "https://acme.example" }))))
      assert.strictEqual(error.option, "ACME_KEY")
      const wrong = failure(yield* build(Layer.provide(layer, env({ ACME_KEY: apiKey, ACME_URL: "acme" }))))
      assert.strictEqual(wrong.option, "baseUrl")
    }))

  it.effect("F7: a wait is woken through the Webhooks hub of the context", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const webhooks = yield* Webhooks.Webhooks
      yield* emulator.script({ timeline: Timeline.make({ duration: "30 seconds" }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("31 seconds")
      yield* webhooks.deliver({
        provider: "spine",
        runId: created.run_id,
        eventId: "e",
        isTerminal: true
      })
      assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
      assert.strictEqual((yield* emulator.requests).filter(({ method }) => method === "GET").length, 2)
    }).pipe(Effect.provide(Layer.provideMerge(live(), Webhooks.layer))))

  it.effect("F7: a rate limit without a limiter uses the limiter of the context, and fails with advice if there is none", () =>
    Effect.gen(function*() {
      const layer = Spine.layer({ apiKey: Redacted.make(apiKey), rateLimit: { limit: 10, window: "1 second" } })
      const error = failure(yield* build(layer))
      assert.strictEqual(error.option, "rateLimit.limiter")
      assert.include(error.message, "RateLimiter.layer")
      let consumed = 0
      const limiter = Layer.effect(
        RateLimiter.RateLimiter,
        Effect.map(RateLimiter.make, (limiter) => ({
          ...limiter,
          consume: (options) => {
            consumed++
            return limiter.consume(options)
          }
        }))
      ).pipe(Layer.provide(RateLimiter.layerStoreMemory))
      yield* Effect.gen(function*() {
        yield* Effect.ignore((yield* Spine.SpineClient).runs.retrieve(id))
      }).pipe(
        Effect.provide(layer.pipe(Layer.provide(SpineEmulator.layerTest()), Layer.provide(limiter)))
      )
      assert.strictEqual(consumed, 1)
    }))
})

describe("options of a wait", () => {
  for (
    const [name, meant] of [["timeoutMs", "timeout"], ["pollIntervalMs", "pollInterval"], [
      "concurency",
      "concurrency"
    ]] as const
  ) {
    it.effect(`F10: ${name} is a BadRequestError before any request`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const options = { [name]: 5 }
        const calls = name === "concurency"
          ? [spine.runs.completions([id], options)].map((stream) => Effect.scoped(Effect.flip(streamed(stream))))
          : [
            spine.runs.waitForCompletion(id, options),
            spine.runs.run({ prompt: "x" }, options),
            Effect.asVoid(spine.runs.share(id, options)),
            streamed(spine.runs.watch(id, options)),
            streamed(spine.runs.polls(id, options))
          ].map((call) => Effect.flip(call as Effect.Effect<unknown, RunError.BadRequestError>))
        for (const call of calls) {
          const error = yield* call
          assert.instanceOf(error, RunError.BadRequestError)
          assert.strictEqual(error.parameter, name)
          assert.include(error.message, meant)
        }
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
      }).pipe(Effect.provide(live())))
  }

  for (
    const [what, params] of [["null", null], ["a text", "Compare"], ["a misspelled prompt", { promt: "x" }]] as const
  ) {
    it.effect(`F10: ${what} as the params of a create is a BadRequestError before any request`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const error = yield* Effect.flip(spine.runs.create(params as unknown as Spine.CreateRunParams))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
      }).pipe(Effect.provide(live())))
  }

  it("F2: optional options, a boolean resolveOnFailure and an array of blocks compile", () => {
    const program = (
      runs: Spine.Runs,
      options?: Spine.WaitOptions,
      resolveOnFailure?: boolean,
      blocks?: Spine.BlockType[]
    ) => ({
      passedOn: runs.waitForCompletion(id, options),
      decidedLater: runs.waitForCompletion(id, { ...options, resolveOnFailure }),
      created: runs.create({ prompt: "x", blocks })
    })
    type Programs = ReturnType<typeof program>
    expectTypeOf<Effect.Success<Programs["passedOn"]>>().toEqualTypeOf<Spine.CompletedRun | Spine.PartialRun>()
    expectTypeOf<Effect.Success<Programs["decidedLater"]>>().toEqualTypeOf<Spine.TerminalRun>()
  })

  it("F9: isTerminal narrows a snapshot to a terminal one", () => {
    const failed: Spine.Run = { status: "failed", run_id: id, errors: [] }
    assert.isTrue(Spine.isTerminal(failed))
    assert.isFalse(Spine.isTerminal({ status: "unknown", provider_status: "queued", run_id: id } as Spine.Run))
    if (Spine.isTerminal(failed)) expectTypeOf(failed).toExtend<Spine.TerminalRun>()
  })
})

const streamed = <A, E, R>(stream: Stream.Stream<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(Stream.runCollect(stream))
