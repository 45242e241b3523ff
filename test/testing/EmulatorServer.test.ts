import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SpineEmulator } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"

const preflight = (url: string) =>
  Effect.promise(() =>
    fetch(url, {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key"
      }
    })
  )

const create = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(url, { method: "POST", headers: { origin: "https://app.example" } })
    await response.text()
    return response
  })

describe("EmulatorServer", () => {
  it.live("answers pages of other origins if configured so, and records no preflights", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
      const asked = yield* preflight(`${baseUrl}/v1/run`)
      assert.strictEqual(asked.status, 204)
      assert.strictEqual(asked.headers.get("access-control-allow-origin"), "*")
      assert.strictEqual(asked.headers.get("access-control-allow-headers"), "x-api-key")
      assert.match(asked.headers.get("access-control-allow-methods") ?? "", /POST/)

      const answer = yield* create(`${baseUrl}/v1/run`)
      assert.strictEqual(answer.status, 401)
      assert.strictEqual(answer.headers.get("access-control-allow-origin"), "*")
      assert.strictEqual(answer.headers.get("access-control-expose-headers"), "*")

      const emulator = yield* SpineEmulator.SpineEmulator
      assert.deepStrictEqual((yield* emulator.requests).map(({ method }) => method), ["POST"])
    }).pipe(Effect.provide(SpineEmulatorServer.layer({ cors: true }))))

  it.live("sends no CORS headers unless configured so", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
      for (const answer of [yield* preflight(`${baseUrl}/v1/run`), yield* create(`${baseUrl}/v1/run`)]) {
        assert.isNull(answer.headers.get("access-control-allow-origin"))
      }
    }).pipe(Effect.provide(SpineEmulatorServer.layer())))
})
