import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, References } from "effect"
import { HttpRouter } from "effect/http"
import { vi } from "vitest"
import { Spine, Tela, Webhooks } from "canvas-runs"
import * as Random from "../support/random.ts"
import { anyJson, mutate } from "./support.ts"
import { size } from "../support/size.ts"

vi.mock("../../src/internal/webhooks/hmac.ts", () => import("../support/syncHmac.ts"))

const secret = Redacted.make("whsec_hostile")
const telaSecret = Redacted.make("tela hostile")
const maxBodyBytes = 20_000

/** Both routes in memory, and the calls of the hub and of the handlers. */
const setup = Effect.gen(function*() {
  const delivered: Array<Webhooks.Delivery> = []
  let events = 0
  const hub = yield* Webhooks.make()
  const spying: Webhooks.Service = {
    ...hub,
    deliver: (delivery) => {
      delivered.push(delivery)
      return hub.deliver(delivery)
    }
  }
  const onEvent = () => Effect.sync(() => events++)
  const routes = Layer.mergeAll(
    Spine.layerWebhookRoute({ path: "/spine", secret, maxBodyBytes, onEvent }),
    Tela.layerWebhookRoute({ path: "/tela", secret: telaSecret, maxBodyBytes, onEvent }),
    Layer.succeed(References.MinimumLogLevel, "None")
  ).pipe(Layer.provide(Layer.succeed(Webhooks.Webhooks, spying)))
  const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
  yield* Effect.addFinalizer(() => Effect.promise(dispose))
  const post = (path: string, body: BodyInit, headers: Record<string, string>) =>
    Effect.promise(() =>
      handler(
        new Request(`http://hooks.example${path}`, { method: "POST", body, headers, duplex: "half" } as RequestInit)
      )
        .then(({ status }) => status)
    )
  return { delivered, post, eventCount: () => events }
})

const event = {
  id: "evt_1",
  type: "run.completed",
  created: 1,
  livemode: false,
  api_version: "2026-04-01",
  data: {
    object: {
      run_id: "r",
      canvas_id: "c",
      status: "completed",
      duration_ms: 1,
      final_output: "x",
      artifacts: [{ id: "1", type: "png", name: "a.png", download_url: "https://x.example/a", size_bytes: 1 }],
      errors: [{ error: "x" }]
    }
  }
}
const run = { id: "1", status: "succeeded", output_content: { role: "assistant", content: { total: 1 } }, steps: null }

const anyBody = (draw: Random.Draw, valid: unknown): string | Uint8Array<ArrayBuffer> => {
  switch (draw.int(0, 6)) {
    case 0:
      return Uint8Array.from({ length: draw.int(0, 200) }, () => draw.int(0, 255))
    case 1:
      return JSON.stringify(valid).slice(0, draw.int(0, 200))
    case 2:
      return JSON.stringify(anyJson(draw, 4))
    case 3:
      return `${"[".repeat(1000)}${"]".repeat(1000)}`
    case 4:
      return JSON.stringify(valid)
    default:
      return JSON.stringify(mutate(draw, valid))
  }
}

const header = (draw: Random.Draw, signed: string): string => {
  switch (draw.int(0, 8)) {
    case 0:
      return ""
    case 1:
      return signed.slice(0, draw.int(0, signed.length))
    case 2:
      return signed.toUpperCase()
    case 3:
      return `${signed},`.repeat(draw.int(2, 200))
    case 4:
      return signed.replace(/\d+/, draw.pick(["-1", "1e9", "NaN", "9".repeat(400), " "]))
    case 5:
      return `,,=,=,v1=,t=,v1=${"a".repeat(64)},t=1`
    case 6:
      return "v1=".repeat(3000)
    default:
      return Array.from({ length: 40 }, () => String.fromCharCode(draw.int(0x21, 0x7e))).join("")
  }
}

describe("any request to the routes of webhooks", () => {
  it.live("without a valid signature or token is rejected, and onEvent and the hub get nothing", () =>
    Effect.gen(function*() {
      const { delivered, eventCount, post } = yield* setup
      const tela = yield* Tela.webhookHeaders(telaSecret)
      for (let seed = 1; seed <= size(100, 400); seed++) {
        const draw = Random.make(seed)
        const body = anyBody(draw, event)
        const signed = yield* Spine.signWebhook("something else", secret)
        const status = yield* post("/spine", body, { "spine-signature": header(draw, signed) })
        assert.strictEqual(status, 400, `Spine, seed ${seed}`)
        const proof = header(draw, tela[Tela.webhookHeader]!)
        if (proof === tela[Tela.webhookHeader]) continue
        assert.strictEqual(
          yield* post("/tela", anyBody(draw, run), { [Tela.webhookHeader]: proof }),
          400,
          `Tela, seed ${seed}`
        )
      }
      assert.deepStrictEqual([delivered.length, eventCount()], [0, 0])
    }))

  it.live("with a valid signature or token is accepted if it is an event, and rejected otherwise", () =>
    Effect.gen(function*() {
      const { delivered, eventCount, post } = yield* setup
      const headers = yield* Tela.webhookHeaders(telaSecret)
      const taken = { spine: 0, tela: 0 }
      for (let seed = 1; seed <= size(200, 600); seed++) {
        const draw = Random.make(seed)
        for (const [provider, valid] of [["spine", event], ["tela", run]] as const) {
          const body = anyBody(draw, valid)
          const before = delivered.length
          const status = yield* post(
            `/${provider}`,
            body,
            provider === "tela" ? headers : { "spine-signature": yield* Spine.signWebhook(body, secret) }
          )
          const context = `${provider}, seed ${seed}: ${typeof body === "string" ? body.slice(0, 300) : "bytes"}`
          assert.include([204, 400], status, context)
          assert.strictEqual(delivered.length - before, status === 204 ? 1 : 0, context)
          if (status === 400) continue
          taken[provider]++
          const { eventId, isTerminal, provider: by, runId } = delivered.at(-1)!
          assert.strictEqual(by, provider)
          assert.isTrue(typeof eventId === "string" && eventId !== "", context)
          assert.isTrue(typeof runId === "string" && runId !== "", context)
          assert.strictEqual(typeof isTerminal, "boolean", context)
        }
      }
      assert.isAbove(taken.spine, 50)
      assert.isAbove(taken.tela, 50)
      yield* Effect.sleep(0)
      assert.isAtMost(eventCount(), delivered.length)
    }))

  it.live("with a body over the limit is not read to its end, with and without an announced length", () =>
    Effect.gen(function*() {
      const { delivered, post } = yield* setup
      for (const path of ["/spine", "/tela"]) {
        assert.strictEqual(yield* post(path, new Uint8Array(maxBodyBytes + 1), {}), 413)
        for (
          const [headers, status] of [
            [{}, 413],
            [{ "content-length": "x" }, 413],
            // A body that is longer than its announced length is invalid
            [{ "content-length": "5" }, 400]
          ] as const
        ) {
          let sent = 0
          const body = new ReadableStream({
            pull: (controller) => {
              sent += 1000
              if (sent > 50 * maxBodyBytes) controller.error(new Error("enough"))
              else controller.enqueue(new Uint8Array(1000))
            }
          })
          assert.strictEqual(yield* post(path, body, { ...headers }), status)
          assert.isAtMost(sent, 2 * maxBodyBytes)
        }
      }
      assert.deepStrictEqual(delivered, [])
    }))

  it.live("with a body as deep as the limit allows is not a defect", () =>
    Effect.gen(function*() {
      const { post } = yield* setup
      const deep = `${"[".repeat(9000)}${"]".repeat(9000)}`
      const bodies = [deep, `{"id":"1","type":"x","data":{"object":{"a":${deep}}}}`]
      for (const body of bodies) {
        const signature = yield* Spine.signWebhook(body, secret)
        assert.include([204, 400], yield* post("/spine", body, { "spine-signature": signature }))
      }
      const headers = yield* Tela.webhookHeaders(telaSecret)
      const output = `{"id":"1","status":"succeeded","output_content":{"content":${deep}}}`
      assert.strictEqual(yield* post("/tela", output, headers), 204)
    }))
})
