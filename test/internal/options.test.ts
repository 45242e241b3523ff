import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted, Result, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { RunError, RunStore, Spine, Tela } from "canvas-runs"
import { live } from "../support/spine.ts"
import * as Options from "../../src/internal/options.ts"
import { clients } from "../support/clients.ts"
import { noRequests } from "../support/http.ts"

const known = ["timeout", "pollInterval", "pollingInterval", "baseUrl", "async", "webhookUrl", "retry"]

const faultOf = (what: string, options: unknown, known: ReadonlyArray<string>) =>
  Result.getOrUndefined(Result.flip(Options.read(what, options, known)))

describe("options", () => {
  for (
    const [name, meant] of [
      ["timeoutMs", "timeout"],
      ["timeout_ms", "timeout"],
      ["pollIntervalMs", "pollInterval"],
      ["poll_interval", "pollInterval"],
      ["baseURL", "baseUrl"],
      ["base_url", "baseUrl"],
      ["asynch", "async"],
      ["webhook", "webhookUrl"],
      ["retrys", "retry"]
    ] as const
  ) {
    it(`F10: ${name} is rejected with a suggestion of ${meant}`, () => {
      const fault = faultOf("options", { [name]: 1 }, known)
      assert.strictEqual(fault?.option, name)
      assert.include(fault?.message, `Did you mean ${meant}?`)
    })
  }

  it("F10: a name that resembles no option is rejected with the list of options", () => {
    const fault = faultOf("options", { verbosity: 2 }, known)
    assert.strictEqual(fault?.message, `"verbosity" is not an option; the options are: ${known.join(", ")}.`)
  })

  it("an unknown option that is undefined counts as left out", () => {
    assert.isUndefined(faultOf("options", { signal: undefined, retry: undefined }, known))
    assert.isUndefined(faultOf("options", undefined, known))
  })

  for (
    const [what, options, words] of [
      ["null", null, "is null"],
      ["a text", "fast", "is \"fast\""],
      ["an array", [], "is an array"],
      ["a function", () => 1, "is a function"],
      ["a number", 5, "is 5"]
    ] as const
  ) {
    it(`${what} instead of an object is rejected with a message that names it`, () => {
      assert.include(faultOf("options", options, known)?.message, words)
    })
  }

  it("a very long name is cut in the message", () => {
    const fault = faultOf("options", { ["x".repeat(1_000_000)]: 1 }, known)
    assert.isBelow(fault!.message.length, 300)
  })
})

describe("names of options and filters, at every call that accepts options", () => {
  const spine = Spine.SpineClient.use((spine) => Effect.succeed(spine))
  const tela = Tela.TelaClient.use((tela) => Effect.succeed(tela))
  const services = Layer.merge(Layer.provide(clients(), noRequests), RunStore.layerMemory)
  const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
  // The calls of a JavaScript program
  const loose = (value: unknown) => value as never

  const calls: Readonly<Record<string, Effect.Effect<unknown, unknown, any>>> = { // oxlint-disable-line typescript/no-explicit-any -- of any client
    "tasks.get": Effect.flatMap(tela, ({ tasks }) => tasks.get(id, loose({ analytics: true }))),
    "tasks.list": Effect.flatMap(tela, ({ tasks }) => tasks.list(loose({ state: "failed" }))),
    "tasks.list with null": Effect.flatMap(tela, ({ tasks }) => tasks.list(loose(null))),
    "tasks.stream": Effect.flatMap(tela, ({ tasks }) => Stream.runDrain(tasks.stream(loose({ limit: 5 })))),
    "tasks.progress": Effect.flatMap(tela, ({ tasks }) => tasks.progress(loose({ applicationId: id }))),
    "tasks.update": Effect.flatMap(tela, ({ tasks }) => tasks.update(id, loose({ title: "x" }))),
    "tasks.update with null": Effect.flatMap(tela, ({ tasks }) => tasks.update(id, loose(null))),
    "completionRuns.list": Effect.flatMap(tela, ({ completionRuns }) => completionRuns.list(loose({ canvasId: id }))),
    "completionRuns.stream": Effect.flatMap(
      tela,
      ({ completionRuns }) => Stream.runDrain(completionRuns.stream(loose({ tag: ["x"] })))
    ),
    "versions.history": Effect.flatMap(tela, ({ versions }) => versions.history(id, loose({ pageSize: 5 }))),
    "runs.completions": Effect.flatMap(spine, ({ runs }) => Stream.runDrain(runs.completions(loose(5)))),
    "runs.completions of a text": Effect.flatMap(spine, ({ runs }) => Stream.runDrain(runs.completions(loose(id)))),
    "artifacts.download": Effect.flatMap(spine, ({ artifacts }) => artifacts.download(id, loose(null))),
    "artifacts.toFile": Effect.flatMap(
      spine,
      ({ artifacts }) =>
        artifacts.toFile(id, loose({ name: "a", download_url: "https://example.com/a" }), loose({ folder: "/tmp" }))
    ),
    "artifacts.toDirectory": Effect.flatMap(spine, ({ artifacts }) => artifacts.toDirectory(loose(id), "/tmp")),
    "runs.run with an onCreated that is not a function": Effect.flatMap(
      spine,
      ({ runs }) => runs.run({ prompt: "x" }, { onCreated: loose("store it") })
    ),
    "runs.run with an onCreated of null": Effect.flatMap(
      spine,
      ({ runs }) => runs.run({ prompt: "x" }, { onCreated: loose(null) })
    ),
    "runs.run with an invalid schedule": Effect.flatMap(
      spine,
      ({ runs }) => runs.run({ prompt: "x" }, { schedule: loose(5) })
    ),
    "runs.waitForCompletion with an invalid schedule": Effect.flatMap(
      spine,
      ({ runs }) => runs.waitForCompletion(id, { schedule: loose(Promise.resolve()) })
    ),
    "canvas.run with an invalid schedule": Effect.flatMap(
      tela,
      ({ canvas }) => canvas.make({ id }).run({}, { schedule: loose({}) })
    ),
    "canvas.run with an onCreated that is not a function": Effect.flatMap(
      tela,
      ({ canvas }) => canvas.make({ id }).run({}, { onCreated: loose({}) })
    ),
    "canvas.execute with an onCreated that is not a function": Effect.flatMap(
      tela,
      ({ canvas }) => canvas.make({ id }).execute({}, { async: true, onCreated: loose(1) })
    ),
    "RunStore.runOnce": RunStore.RunStore.use((store) =>
      store.runOnce("k", Effect.die("not created"), loose({ onUnknwon: "retry" }))
    ),
    "RunStore.runOnce of a Promise": RunStore.RunStore.use((store) => store.runOnce("k", loose(Promise.resolve()))),
    "RunStore.track of a Promise": RunStore.RunStore.use((store) => store.track("k", loose(Promise.resolve()))),
    "RunStore.runOnce with an unknown value": RunStore.RunStore.use((store) =>
      store.runOnce("k", Effect.die("not created"), loose({ onUnknown: "again" }))
    )
  }
  for (const [name, call] of Object.entries(calls)) {
    it.effect(`F10: ${name} fails with a BadRequestError before any request`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(call)
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
        assert.match(error.message, /^[\w.]+: .+[.?] No request was made\.$/)
      }).pipe(Effect.provide(services), Effect.provide(FileSystem.layerNoop({}))) as Effect.Effect<void>)
  }
})

describe("options of a client with a value of the wrong type", () => {
  const wrong: Readonly<Record<string, unknown>> = {
    retry: 3,
    transformClient: "proxy",
    "transformClient, which throws": () => {
      throw new Error("no proxy")
    },
    "transformClient, which returns nothing": () => undefined,
    webhooks: {},
    "rateLimit.limiter": { limit: 5, window: "1 second", limiter: {} }
  }
  for (const [name, value] of Object.entries(wrong)) {
    it.effect(`F10: ${name} is a ConfigError when the layer is built`, () =>
      Effect.gen(function*() {
        const options = { apiKey: Redacted.make("sk_spine_test"), [name.split(/[.,]/)[0]!]: value } as Spine.Options
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(Spine.layer(options), noRequests))))
        assert.instanceOf(error, RunError.ConfigError)
        assert.include(error.option, name.split(",")[0]!)
        assert.match(error.message, /must/)
      }))
  }

  it.effect("F10: missing options are a ConfigError", () =>
    Effect.gen(function*() {
      for (const layer of [Spine.layer(undefined as never), Tela.layer(undefined as never)]) {
        const error = yield* Effect.flip(
          Effect.scoped(
            Layer.build(Layer.provide(layer as Layer.Layer<never, unknown, HttpClient.HttpClient>, noRequests))
          )
        )
        assert.instanceOf(error, RunError.ConfigError)
      }
    }))
})

describe("errors that are made from other errors", () => {
  it.effect("the error about a file that is shorter than announced keeps its message in a create of Spine", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const data = Stream.make(new Uint8Array(2))
      const error = yield* Effect.flip(
        spine.runs.create({ prompt: "x", files: [{ data, size: 3, filename: "a.txt" }] })
      )
      assert.match(error.message, /a\.txt/)
      assert.notInclude(error.message, "undefined")
    }).pipe(Effect.provide(live())))
})
