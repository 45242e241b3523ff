import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Sink, Stdio, Stream } from "effect"
import { layer } from "canvas-runs/testing/CombinedEmulatorServer"
import { main } from "../../src/cli/main.ts"
import { call, type Environment, home, served } from "./support.ts"

const emulators = layer({ spine: { speed: 1000 }, tela: { speed: 1000 } })

let id = 0
const message = (method: string, params?: object) => JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params })

const initialize = (version = "2025-11-25") =>
  [
    message("initialize", { protocolVersion: version, capabilities: {}, clientInfo: { name: "test", version: "1" } }),
    JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })
  ].join("\n")

const tool = (name: string, args: object) => message("tools/call", { name, arguments: args })

/** Sends lines to a server over standard input, until their end, and returns its answers. */
const talk = (env: Environment, lines: ReadonlyArray<string>, ...args: ReadonlyArray<string>) =>
  Effect.map(call(["mcp", ...args], { env, stdin: lines.join("\n") }), ({ code, stderr, stdout }) => ({
    code,
    stderr,
    answers: stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
  }))

const textOf = (answer: { readonly result: { readonly content: ReadonlyArray<{ readonly text: string }> } }) =>
  answer.result.content[0]!.text

describe("canvas-runs mcp", () => {
  it.live("serves the providers that have a key, and nothing else is written to standard output", () =>
    Effect.gen(function*() {
      const env = yield* served
      const names = (env: Environment) =>
        Effect.map(talk(env, [initialize(), message("tools/list")]), ({ answers, code, stderr }) => {
          assert.deepStrictEqual([code, stderr], [0, ""])
          return answers[1].result.tools.map(({ name }: { readonly name: string }) => name.split("_")[0])
        })
      assert.deepStrictEqual([...new Set(yield* names(env))], ["spine", "tela"])
      assert.deepStrictEqual([...new Set(yield* names({ ...env, TELA_API_KEY: " " }))], ["spine"])
      assert.deepStrictEqual([...new Set(yield* names({ ...env, SPINE_API_KEY: "" }))], ["tela"])
    }).pipe(Effect.provide(emulators)))

  it.live("says what is missing if there is no key, or the wrong one", () =>
    Effect.gen(function*() {
      const none = yield* talk(home(), [])
      assert.strictEqual(none.code, 4)
      assert.include(none.stderr, "Neither SPINE_API_KEY nor TELA_API_KEY is set")
      const wrong = yield* talk(home({ SPINE_API_KEY: "x" }), [])
      assert.deepStrictEqual([wrong.code, wrong.answers], [4, []])
      const window = yield* talk(home({ SPINE_API_KEY: "sk_spine_x" }), [], "--budget", "5", "--budget-window", "soon")
      assert.strictEqual(window.code, 2)
      assert.include(window.stderr, "Expected: a duration such as")
      const token = yield* talk(home({ SPINE_API_KEY: "sk_spine_x", CANVAS_RUNS_MCP_TOKEN: "a\nb" }), [], "--http", "0")
      assert.strictEqual(token.code, 4)
      assert.include(token.stderr, "CANVAS_RUNS_MCP_TOKEN has characters")
    }))

  it.live("ends with its input, and the run that it started is in the store of the command", () =>
    Effect.gen(function*() {
      const env = yield* served
      const { answers, code } = yield* talk(env, [
        initialize(),
        tool("spine_start", { prompt: "Tides", key: "tides" })
      ])
      assert.strictEqual(code, 0)
      const { run_id } = JSON.parse(textOf(answers[1]))
      const waited = yield* call(["wait", run_id, "--json", "--poll-interval", "10ms"], { env })
      assert.strictEqual(waited.code, 0)
      assert.include(waited.stdout, "agent:spine:tides")
    }).pipe(Effect.provide(emulators)))

  it.live("answers lines of any length that are not messages, and continues", () =>
    Effect.gen(function*() {
      const env = yield* served
      const deep = "[".repeat(200_000) + "]".repeat(200_000)
      const lines = [
        "{",
        "null",
        "5",
        "\"text\"",
        "{}",
        "[".repeat(50_000),
        deep,
        `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":${deep}}}`,
        `"${"x".repeat(5_000_000)}"`,
        "\u0000",
        "  "
      ]
      const { answers, code } = yield* talk(env, [
        initialize(),
        ...lines,
        "[]",
        message("nothing"),
        message("tools/list"),
        "{\"cut"
      ])
      assert.strictEqual(code, 0)
      const errors = answers.filter(({ error }) => error !== undefined)
      assert.deepStrictEqual(
        new Set(errors.map(({ error }) => error.code)),
        new Set([-32700, -32600, -32601])
      )
      assert.lengthOf(errors, lines.length + 2)
      assert.isTrue(errors.some(({ error, id }) => id === 9 && error.code === -32600))
      assert.isTrue(answers.some(({ result }) => result?.tools !== undefined))
    }).pipe(Effect.provide(emulators)))

  it.live("keeps a budget that the next server knows", () =>
    Effect.gen(function*() {
      const env = yield* served
      const start = talk(
        env,
        [initialize(), tool("tela_execute", { canvas_id: canvas, variables: {} })],
        "--budget",
        "70"
      )
      assert.isFalse((yield* start).answers[1].result.isError)
      const { result } = (yield* start).answers[1]
      assert.isTrue(result.isError)
      assert.include(textOf({ result }), "BudgetExceededError")
    }).pipe(Effect.provide(emulators)))

  it.live("serves HTTP on loopback to those who have the token", () =>
    Effect.gen(function*() {
      const env = { ...yield* served, CANVAS_RUNS_MCP_TOKEN: "a secret" }
      const listening = yield* Deferred.make<string>()
      const fiber = yield* Effect.forkChild(
        main(["mcp", "--http", "0", "--json"]).pipe(
          Effect.provide([
            Stdio.layerTest({
              stdout: () => Sink.forEach((chunk) => Deferred.succeed(listening, String(chunk))),
              stderr: () => Sink.drain,
              stdin: Stream.empty
            }),
            ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
          ]),
          Effect.provide(NodeServices.layer)
        )
      )
      const { baseUrl } = JSON.parse(yield* Deferred.await(listening))
      assert.match(baseUrl, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/)
      const status = (headers: Record<string, string>, body: BodyInit = initialize().split("\n")[0]!) =>
        Effect.promise(async () => {
          const accept = "application/json, text/event-stream"
          const init: RequestInit & { readonly duplex: "half" } = {
            method: "POST",
            body,
            duplex: "half",
            headers: { accept, "content-type": "application/json", ...headers }
          }
          const response = await fetch(baseUrl, init)
          await response.text()
          return response.status
        })
      assert.strictEqual(yield* status({}), 401)
      assert.strictEqual(yield* status({ authorization: "Bearer wrong" }), 401)
      assert.strictEqual(yield* status({ authorization: "Bearer a secret", origin: "https://evil.example.com" }), 403)
      assert.strictEqual(yield* status({ authorization: "Bearer a secret" }), 200)
      const chunked = () => new Blob(["[".repeat(5_000_000)]).stream()
      assert.strictEqual(yield* status({ authorization: "Bearer wrong" }, chunked()), 401)
      assert.strictEqual(yield* status({ authorization: "Bearer a secret" }, chunked()), 413)
      const taken = yield* call(["mcp", "--http", new URL(baseUrl).port], { env })
      assert.deepStrictEqual([taken.code, taken.stdout], [8, ""])
      assert.include(taken.stderr, "cannot be used")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(emulators)))
})

const canvas = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
