import { assert, describe, it } from "@effect/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Fiber, Layer, Redacted, References } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { Spine, Tela, Webhooks } from "canvas-runs"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { until } from "../support/until.ts"

const spineSecret = "whsec_socket"
const telaSecret = Redacted.make("tela socket")

/** The emulators on one socket, the routes on another, and clients that call them with fetch. */
const setup = Effect.gen(function*() {
  const events: Array<string> = []
  const hub = yield* Webhooks.make()
  const served = yield* Layer.build(
    HttpRouter.serve(
      Layer.mergeAll(
        Spine.layerWebhookRoute({
          path: "/spine",
          secret: Redacted.make(spineSecret),
          onEvent: (event) => Effect.sync(() => events.push(event.type))
        }),
        Tela.layerWebhookRoute({ path: "/tela", secret: telaSecret })
      ).pipe(Layer.provide(Layer.succeed(Webhooks.Webhooks, hub))),
      { disableLogger: true, disableListenLog: true }
    ).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  )
  const receiver = yield* Effect.map(
    Effect.provideContext(HttpServer.HttpServer, served),
    ({ address }) => HttpServer.formatAddress(address)
  )
  const emulators = yield* Layer.build(CombinedEmulatorServer.layer({
    spine: {
      webhooks: [{ url: `${receiver}/spine`, secret: spineSecret }],
      webhookRetries: ["10 millis"],
      script: { timeline: Timeline.make({ duration: "90 minutes" }) }
    },
    tela: { script: { timeline: Timeline.make({ duration: "90 minutes" }), output: "done" } }
  }))
  return yield* Effect.gen(function*() {
    const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
    const options = { baseUrl, webhooks: hub }
    return {
      events,
      receiver,
      spineEmulator: yield* SpineEmulator.SpineEmulator,
      telaEmulator: yield* TelaEmulator.TelaEmulator,
      spine: yield* Spine.make({ apiKey: Redacted.make("sk_spine_x"), ...options }),
      tela: yield* Tela.make({ apiKey: Redacted.make("tela_x"), ...options })
    }
  }).pipe(Effect.provide(emulators), Effect.provide(FetchHttpClient.layer))
}).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const hasPolls = (requests: ReadonlyArray<{ readonly method: string }>) =>
  requests.some(({ method }) => method === "GET")

describe("webhooks on sockets", () => {
  it.live("end waits whose next poll is a minute away", () =>
    Effect.gen(function*() {
      const w = yield* setup
      const { run_id } = yield* w.spine.runs.create({ prompt: "x" })
      const execution = yield* w.tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).execute({}, {
        async: true,
        webhookUrl: `${w.receiver}/tela`,
        forwardHeaders: yield* Tela.webhookHeaders(telaSecret),
        pollingTimeout: "2 hours"
      })
      const spine = yield* Effect.forkChild(w.spine.runs.waitForCompletion(run_id, { timeout: "2 hours" }))
      const tela = yield* Effect.forkChild(execution.result)
      yield* until(Effect.map(w.spineEmulator.requests, hasPolls))
      yield* until(Effect.map(w.telaEmulator.requests, hasPolls))
      yield* w.spineEmulator.scriptDeliveries({ copies: 3, gap: "5 millis" })
      yield* Effect.all([w.spineEmulator.advance("90 minutes"), w.telaEmulator.advance("90 minutes")])
      // Without the webhooks these waits would outlast the test
      const [run, output] = yield* Effect.all([Fiber.join(spine), Fiber.join(tela)])
      assert.deepStrictEqual([run.status, output], ["completed", "done"])
      // The waits end before the event hook runs, and deliveries are recorded when their response arrives
      yield* until(Effect.sync(() => w.events.length >= 2))
      const deliveries = yield* w.spineEmulator.deliveries
      assert.deepStrictEqual(deliveries.map(({ event }) => event), ["run.started", "run.completed"])
      assert.deepStrictEqual(w.events, ["run.started", "run.completed"])
    }))

  it.live("that are lost or rejected only delay the end of a wait", () =>
    Effect.gen(function*() {
      const w = yield* setup
      const wait = Effect.fnUntraced(function*() {
        const { run_id } = yield* w.spine.runs.create({ prompt: "x" })
        const fiber = yield* Effect.forkChild(
          w.spine.runs.waitForCompletion(run_id, { pollInterval: "200 millis", timeout: "2 hours" })
        )
        yield* until(Effect.map(w.spineEmulator.requests, hasPolls))
        yield* w.spineEmulator.advance("90 minutes")
        return (yield* Fiber.join(fiber)).status
      })
      yield* w.spineEmulator.scriptDeliveries({ lost: true })
      assert.strictEqual(yield* wait(), "completed")
      yield* w.spineEmulator.scriptDeliveries({})
      yield* w.spineEmulator.webhooks({ url: `${w.receiver}/spine`, secret: "whsec_wrong" })
      assert.strictEqual(yield* wait(), "completed")
      assert.deepStrictEqual(w.events, [])
      const { statusCode } = (yield* w.spineEmulator.deliveries).at(-1)!
      assert.include([400, undefined], statusCode)
    }))
})
