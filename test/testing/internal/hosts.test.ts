import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import * as hosts from "../../../src/testing/internal/hosts.ts"

/** The response to a request that names that host, on a separate connection. */
const ask = (baseUrl: string, host: string | undefined) =>
  Effect.callback<string>((resume) => {
    const socket = connect(Number(new URL(baseUrl).port), "127.0.0.1")
    let text = ""
    socket.on("data", (chunk) => text += String(chunk)).on("close", () => resume(Effect.succeed(text)))
    socket.write(`GET /v1/run/1 HTTP/1.0\r\n${host === undefined ? "" : `host: ${host}\r\n`}\r\n`)
  })

const served = (options: SpineEmulatorServer.Options, hosts: ReadonlyArray<string | undefined>) =>
  Effect.gen(function*() {
    const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
    const port = new URL(baseUrl).port
    return yield* Effect.forEach(hosts, (host) => ask(baseUrl, host?.replace("PORT", port)))
  }).pipe(Effect.provide(SpineEmulatorServer.layer(options)))

const statusOf = (response: string) => Number(response.split(" ")[1])

describe("E7: the emulator on a socket", () => {
  it.live("answers only to loopback hosts, and explains how to allow another", () =>
    Effect.gen(function*() {
      const [local, address, rebound, none, tricky] = yield* served({ cors: true }, [
        "localhost:PORT",
        "127.0.0.1:PORT",
        "rebound.example:PORT",
        undefined,
        "localhost.rebound.example"
      ])
      assert.deepStrictEqual([local, address].map((response) => statusOf(response!)), [401, 401])
      for (const response of [rebound, none, tricky]) {
        assert.strictEqual(statusOf(response!), 421)
        assert.notInclude(response!.toLowerCase(), "access-control-allow-origin")
      }
      assert.include(rebound!, "\"rebound.example:")
      assert.include(rebound!, "allowedHosts")
    }))

  it.live("answers to the configured names", () =>
    Effect.gen(function*() {
      const names = ["emulator:4010", "EMULATOR", "other"]
      const named = yield* served({ allowedHosts: ["Emulator"] }, names)
      assert.deepStrictEqual(named.map(statusOf), [401, 401, 421])
      const all = yield* served({ allowedHosts: ["*"] }, names)
      assert.deepStrictEqual(all.map(statusOf), [401, 401, 401])
    }))

  it("answers to every address, and to no other name, if it listens on all", () => {
    const allows = (host: string) => hosts.isAllowed(host, { listening: "0.0.0.0", allowed: [] })
    assert.deepStrictEqual(["192.168.1.5:4010", "[fd00::1]:4010", "laptop.local", "1.2.3.4.example"].map(allows), [
      true,
      true,
      false,
      false
    ])
  })
})
