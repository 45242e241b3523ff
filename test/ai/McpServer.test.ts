import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RunStore, Spine } from "canvas-runs"
import { McpServer } from "canvas-runs/ai"
import { Fault, SpineEmulator, TelaEmulator } from "canvas-runs/testing"
import { type Client, requestOf, tasksExtension, version } from "./client.ts"
import { makeWorld } from "./world.ts"

const canvas = { canvas_id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", variables: { topic: "tides" } }
const tasks = { tasks: true } as const

const request = (client: Client, ...args: Parameters<Client["request"]>) =>
  Effect.promise(() => client.request(...args))

/** The result of a tool: its fields, and whether it is an error. */
const call = (client: Client, ...args: Parameters<Client["call"]>) =>
  Effect.map(Effect.promise(() => client.call(...args)), ({ body }) => {
    const { result } = body
    const text: string | undefined = result.content?.[0]?.text
    return { result, isError: result.isError, text, value: text?.startsWith("{") ? JSON.parse(text) : undefined }
  })

/** The task that a call is answered with. */
const start = (client: Client, args: object = { prompt: "Tides" }, name = "spine_start") =>
  Effect.map(call(client, name, args, tasks), ({ result }) => result)

const get = (client: Client, taskId: string) =>
  Effect.map(request(client, "tasks/get", { taskId }, tasks), ({ body }) => body.result ?? body.error)

describe("a client without tasks", () => {
  it.live("starts a run, waits for it, and reads its output and its files", () =>
    Effect.gen(function*() {
      const { serve, spine } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const started = yield* call(client, "spine_start", { prompt: "Tides", template: "report" })
      assert.strictEqual(started.value.status, "running")
      assert.deepStrictEqual(started.result.structuredContent, started.value)
      const { run_id } = started.value
      const early = yield* call(client, "spine_artifacts", { run_id })
      assert.deepStrictEqual([early.isError, early.value.error], [true, "RunNotFinished"])
      yield* spine.advance("10 minutes")
      const { value } = yield* call(client, "spine_wait", { run_id })
      assert.strictEqual(value.status, "completed")
      assert.isString(value.output)
      assert.isUndefined(value.artifacts[0].download_url)
      const artifacts = yield* call(client, "spine_artifacts", { run_id })
      assert.isString(artifacts.value.artifacts[0].download_url)
      assert.deepStrictEqual((yield* call(client, "spine_result", { run_id })).value, value)
    }))

  it.live("gets \"running\" from a wait that ends before the run", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const { value } = yield* call(client, "spine_start", { prompt: "Tides" })
      const waited = yield* call(client, "spine_wait", { run_id: value.run_id, seconds: 1 })
      assert.deepStrictEqual([waited.isError, waited.value.status], [false, "running"])
      assert.include(waited.value.message, "spine_wait")
    }))

  it.live("executes a canvas, and gets its output from the same call", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld(0)
      const { isError, value } = yield* call(yield* serve(), "tela_execute", canvas)
      assert.deepStrictEqual([isError, value.status], [false, "completed"])
      assert.isDefined(value.output)
    }))

  it.live("has no task methods", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
        const { body, status } = yield* request(client, method, { taskId: "x", inputResponses: {} })
        assert.deepStrictEqual([status, body.error.code], [400, -32021])
        assert.deepStrictEqual(body.error.data.requiredCapabilities, { extensions: { [tasksExtension]: {} } })
      }
      const listening = yield* request(client, "subscriptions/listen", { notifications: { taskIds: ["x"] } })
      assert.deepStrictEqual([listening.status, listening.body.error.code], [400, -32021])
      const wrong = yield* request(client, "subscriptions/listen", { notifications: 5 })
      assert.strictEqual(wrong.body.error.code, -32602)
    }))

  it.live("is told that a run cannot be cancelled", () =>
    Effect.gen(function*() {
      const { serve, spine } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const { value } = yield* call(client, "spine_start", { prompt: "Tides" })
      const stopped = yield* call(client, "spine_stop", { run_id: value.run_id })
      assert.include(stopped.value.message, "is billed")
      // The tool makes no request, so it cannot know the status
      assert.deepStrictEqual(Object.keys(stopped.value), ["run_id", "message"])
      assert.strictEqual((yield* spine.runs).length, 1)
    }))
})

describe("keys", () => {
  it.live("start one run, however often the call is repeated, by any server", () =>
    Effect.gen(function*() {
      const { serve, spine, tela } = yield* makeWorld("10 minutes")
      const first = yield* serve()
      const second = yield* serve()
      const ids = new Set<string>()
      for (const client of [first, second, first]) {
        ids.add((yield* call(client, "spine_start", { prompt: "Tides", key: "tides" })).value.run_id)
        // The key of another provider names other work
        yield* start(client, { ...canvas, key: "tides" }, "tela_execute")
      }
      assert.strictEqual(ids.size, 1)
      assert.deepStrictEqual([(yield* spine.runs).length, (yield* tela.runs).length], [1, 1])
    }))

  it.live("find the execution of a create whose response was lost", () =>
    Effect.gen(function*() {
      const { serve, tela } = yield* makeWorld(0)
      const client = yield* serve()
      yield* tela.fault(Fault.dropAfter)
      const lost = yield* call(client, "tela_execute", { ...canvas, key: "tides" })
      assert.strictEqual(lost.value.error, "CreateOutcomeUnknownError")
      const found = yield* call(client, "tela_execute", { ...canvas, key: "tides" })
      assert.strictEqual(found.value.status, "completed")
      assert.strictEqual((yield* tela.runs).length, 1)
    }))

  it.live("keep a run whose create had no response from being created again", () =>
    Effect.gen(function*() {
      const { serve, spine, store } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      yield* spine.fault(Fault.dropAfter)
      for (const _ of ["first", "again"]) {
        const { isError, value } = yield* call(client, "spine_start", { prompt: "Tides", key: "tides" })
        assert.deepStrictEqual([isError, value.error], [true, "CreateOutcomeUnknownError"])
        assert.include(value.message, "may be billed")
        assert.notInclude(value.message, "reconcile")
      }
      assert.strictEqual((yield* spine.runs).length, 1)
      // A tag would say that a look-up can find the run. Spine cannot list runs
      const [entry] = yield* (yield* store).list()
      assert.isTrue(entry?._tag === "Unknown" && entry.tag === undefined)
    }))
})

describe("tasks", () => {
  it.live("are announced to clients of the version that has them, and to no others", () =>
    Effect.gen(function*() {
      const client = yield* (yield* makeWorld(0)).serve()
      const { body } = yield* request(client, "server/discover")
      assert.deepStrictEqual(body.result.capabilities.extensions, { [tasksExtension]: {} })
      const clientInfo = { name: "test", version: "1" }
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
      const legacy = yield* Effect.promise(() =>
        client.post(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }))
      )
      assert.isUndefined(legacy.body.result.capabilities.extensions)
    }))

  it.live("are stored before they are answered, under ids that cannot be guessed", () =>
    Effect.gen(function*() {
      const { serve, store } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const task = yield* start(client)
      assert.strictEqual(task.resultType, "task")
      assert.match(task.taskId, /^mcp-[A-Za-z0-9_-]{32}$/)
      const entry = yield* (yield* store).get(task.taskId)
      assert.strictEqual(entry?._tag, "Created")
      assert.notStrictEqual((yield* start(client)).taskId, task.taskId)
    }))

  it.live("report progress, and complete with the result that a call without a task has", () =>
    Effect.gen(function*() {
      const { serve, spine, store } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const { taskId, ...task } = yield* start(client, { prompt: "Tides", key: "tides" })
      assert.deepStrictEqual([task.status, "result" in task], ["working", false])
      yield* spine.advance("5 minutes")
      const working = yield* get(client, taskId)
      assert.deepStrictEqual([working.resultType, working.status], ["complete", "working"])
      assert.match(working.statusMessage, /\d of 5 tasks are done/)
      assert.isAbove(working.pollIntervalMs, 0)
      yield* spine.advance("5 minutes")
      // A poll within a second of the last one makes no request
      const completed = yield* Effect.repeat(get(client, taskId), { until: ({ status }) => status !== "working" })
      assert.strictEqual(completed.status, "completed")
      const { result } = yield* call(client, "spine_result", {
        run_id: JSON.parse(completed.result.content[0].text).run_id
      })
      assert.deepStrictEqual(completed.result.content, result.content)
      assert.deepStrictEqual(completed.result.structuredContent, result.structuredContent)
      // Both entries of the run are finished: that of the key, and that of the task
      assert.deepStrictEqual(yield* (yield* store).unfinished, [])
    }))

  it.live("are answered by any server on the store, also after the first one has ended", () =>
    Effect.gen(function*() {
      const { serve, tela } = yield* makeWorld("10 minutes")
      const taskId = yield* Effect.scoped(Effect.gen(function*() {
        return (yield* start(yield* serve(), canvas, "tela_execute")).taskId as string
      }))
      yield* tela.advance("10 minutes")
      const later = yield* get(yield* serve(), taskId)
      assert.strictEqual(later.status, "completed")
      assert.isFalse(later.result.isError)
    }))

  it.live("are the answer to a wait, unless the run has ended or does not exist", () =>
    Effect.gen(function*() {
      const { serve, spine, store } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const { value } = yield* call(client, "spine_start", { prompt: "Tides" })
      const waiting = yield* start(client, { run_id: value.run_id }, "spine_wait")
      assert.strictEqual(waiting.resultType, "task")
      yield* spine.advance("10 minutes")
      assert.strictEqual((yield* get(client, waiting.taskId)).status, "completed")
      const ended = yield* call(client, "spine_wait", { run_id: value.run_id }, tasks)
      assert.deepStrictEqual([ended.result.resultType, ended.value.status], ["complete", "completed"])
      const missing = yield* call(client, "spine_wait", { run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" }, tasks)
      assert.deepStrictEqual([missing.isError, missing.value.error], [true, "NotFoundError"])
      assert.deepStrictEqual(yield* (yield* store).unfinished, [])
    }))

  it.live("of a provider without a key say which key is missing", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld("10 minutes")
      const { taskId } = yield* start(yield* serve(), canvas, "tela_execute")
      const error = yield* get(yield* serve({ only: "spine" }), taskId)
      assert.deepStrictEqual([error.code, /tela.*API key/.test(error.message)], [-32603, true])
    }))

  it.live("of a failed run complete with an error of the tool", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld(0)
      const client = yield* serve()
      const { taskId } = yield* start(
        client,
        { canvas_id: TelaEmulator.failingCanvasId, variables: {} },
        "tela_execute"
      )
      const ended = yield* get(client, taskId)
      assert.deepStrictEqual([ended.status, ended.result.isError], ["completed", true])
      assert.include(ended.result.content[0].text, "RunFailedError")
    }))

  it.live("that are cancelled say that the run continues, and stay cancelled", () =>
    Effect.gen(function*() {
      const { serve, spine } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const { taskId } = yield* start(client)
      const { body } = yield* request(client, "tasks/cancel", { taskId }, tasks)
      assert.deepStrictEqual(body.result, { resultType: "complete" })
      const cancelled = yield* get(client, taskId)
      assert.strictEqual(cancelled.status, "cancelled")
      assert.include(cancelled.statusMessage, "continues and is billed")
      yield* spine.advance("10 minutes")
      assert.strictEqual((yield* get(yield* serve(), taskId)).status, "cancelled")
      const runId = (yield* spine.runs)[0]!.id
      assert.strictEqual((yield* call(client, "spine_result", { run_id: runId })).value.status, "completed")
    }))

  it.live("that have completed stay completed after a cancel", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld(0)
      const client = yield* serve()
      const { taskId } = yield* start(client)
      yield* request(client, "tasks/cancel", { taskId }, tasks)
      assert.strictEqual((yield* get(client, taskId)).status, "completed")
    }))

  it.live("with an unknown id are not found, and no other entry of the store is a task", () =>
    Effect.gen(function*() {
      const { serve } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      yield* call(client, "spine_start", { prompt: "Tides", key: "tides" })
      for (const taskId of ["tides", "agent:spine:tides", `mcp-${"A".repeat(32)}`, "", "../../etc/passwd"]) {
        for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
          const { body } = yield* request(client, method, { taskId, inputResponses: {} }, tasks)
          assert.strictEqual(body.error.code, -32602, `${method} ${taskId}`)
        }
      }
    }))
})

describe("a budget", () => {
  it.live("refuses the run that would exceed it, and says so to the model", () =>
    Effect.gen(function*() {
      const { serve, spine, tela } = yield* makeWorld("10 minutes")
      const client = yield* serve({ limit: 120 })
      yield* start(client)
      yield* start(client, canvas, "tela_execute")
      for (const options of [{}, tasks]) {
        const { isError, value } = yield* call(client, "spine_start", { prompt: "Winds", key: "winds" }, options)
        assert.deepStrictEqual([isError, value.error], [true, "BudgetExceededError"])
        assert.include(value.message, "Start no other run")
      }
      assert.deepStrictEqual([(yield* spine.runs).length, (yield* tela.runs).length], [1, 1])
    }))

  it.live("counts what a run cost, once the server has seen its end", () =>
    Effect.gen(function*() {
      const { serve, spine } = yield* makeWorld(0)
      const client = yield* serve({ limit: 120 })
      for (const prompt of ["Tides", "Winds", "Waves"]) {
        const { value } = yield* call(client, "spine_start", { prompt })
        assert.deepStrictEqual([value.status, value.credits], ["completed", 30])
      }
      assert.strictEqual((yield* spine.runs).length, 3)
    }))
})

describe("options", () => {
  for (
    const [option, value] of [
      ["token", Redacted.make(" ")],
      ["token", Redacted.make("a\nb")],
      ["token", Redacted.make("a ")],
      ["token", Redacted.make("gr\u00fcn")],
      ["token", "text"],
      ["allowedHosts", []],
      ["allowedHosts", ["localhost:4020"]],
      ["allowedHosts", ["LOCALHOST"]],
      ["allowedHosts", ["::1"]],
      ["allowedHosts", ["http://localhost"]],
      ["allowedHosts", "localhost"],
      ["path", "mcp"]
    ] as const
  ) {
    const text = JSON.stringify(Redacted.isRedacted(value) ? Redacted.value(value) : value)
    it.effect(`that no request could meet are rejected: ${option} ${text}`, () =>
      Effect.gen(function*() {
        const options = { serve: [McpServer.spine()], [option]: value } as const
        const error = yield* Effect.flip(Effect.scoped(Layer.build(McpServer.layerHttp(options))))
        assert.deepStrictEqual([error._tag, error.option], ["ConfigError", option])
      }).pipe(Effect.provide([
        Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(Layer.provide(SpineEmulator.layerTest())),
        RunStore.layerMemory,
        HttpRouter.layer
      ])))
  }
})

describe("hostile clients", () => {
  const initialize = JSON.stringify({ ...requestOf("server/discover") })
  const headers = { "mcp-protocol-version": version, "mcp-method": "server/discover" }

  it.live("are refused if they come through a name or a page from elsewhere", () =>
    Effect.gen(function*() {
      const client = yield* (yield* makeWorld(0)).serve()
      const status = (more: Record<string, string>) =>
        Effect.map(Effect.promise(() => client.post(initialize, { ...headers, ...more })), ({ status }) => status)
      for (
        const host of [
          "evil.example.com",
          "localhost.evil.example.com",
          "localhost@evil.example.com",
          "evil:80",
          "",
          "localhost.",
          "x@localhost",
          "localhost/x",
          "localhost\\@evil",
          "localhost#x"
        ]
      ) {
        assert.strictEqual(yield* status({ host }), 403, host)
      }
      for (const origin of ["http://evil.example.com", "null", "file://", "http://127.0.0.1.evil.example.com"]) {
        assert.strictEqual(yield* status({ origin }), 403, origin)
      }
      for (const host of ["localhost", "127.0.0.1:4020", "[::1]:4020", "LOCALHOST:4020"]) {
        assert.strictEqual(yield* status({ host, origin: `http://${host}` }), 200, host)
      }
    }))

  it.live("need the token", () =>
    Effect.gen(function*() {
      const client = yield* (yield* makeWorld(0)).serve({ token: "a secret" })
      const status = (authorization?: string) =>
        Effect.map(
          Effect.promise(() =>
            client.post(initialize, authorization === undefined ? headers : { ...headers, authorization })
          ),
          ({ body, status }) => [status, JSON.stringify(body).includes("a secret")]
        )
      for (
        const wrong of [undefined, "", "Bearer", "Bearer a secre", "Bearer a secrets", "Basic a secret", "a secret"]
      ) {
        assert.deepStrictEqual(yield* status(wrong), [401, false], wrong)
      }
      assert.deepStrictEqual(yield* status("Bearer a secret"), [200, false])
    }))

  it.live("get an error for any wrong message, and the server continues", () =>
    Effect.gen(function*() {
      const { serve, spine, tela } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const messages = [
        "",
        "{",
        "null",
        "1",
        "\"text\"",
        "[]",
        "[1]",
        "[[]]",
        "{}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"__proto__\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        JSON.stringify([requestOf("tools/list"), requestOf("tools/list")]),
        "[".repeat(100_000),
        JSON.stringify({ ...requestOf("tools/call"), params: "text" }),
        JSON.stringify({ ...requestOf("tasks/get"), params: null })
      ]
      for (const message of messages) {
        const { body, status } = yield* Effect.promise(() => client.post(message, headers))
        const isRefused = status >= 400 || body?.error !== undefined
        assert.isTrue(isRefused, `${message.slice(0, 60)}: ${status} ${JSON.stringify(body)}`)
        assert.isBelow(status, 500, message.slice(0, 60))
      }
      // A chunked body has no length
      for (const length of [{ "content-length": "5000300" }, undefined]) {
        const long = yield* Effect.promise(() =>
          client.post(JSON.stringify(requestOf("tools/list", { pad: "x".repeat(5_000_000) })), {
            ...headers,
            ...length
          })
        )
        assert.strictEqual(long.status, 413)
        assert.include(long.body.error, "longer than 4194304 bytes")
      }
      const methods = ["tasks/list", "tasks/result", "nothing", "tools/call/x", "constructor"]
      for (const method of methods) {
        const { body, status } = yield* request(client, method, {}, tasks)
        assert.deepStrictEqual([status, body.error.code], [404, -32601], method)
      }
      assert.strictEqual((yield* request(client, "server/discover")).status, 200)
      assert.deepStrictEqual([(yield* spine.runs).length, (yield* tela.runs).length], [0, 0])
    }))

  it.live("with wrong arguments get a result that says what is wrong, and nothing is started", () =>
    Effect.gen(function*() {
      const { serve, spine, tela } = yield* makeWorld("10 minutes")
      const client = yield* serve()
      const wrong: ReadonlyArray<readonly [string, object, string]> = [
        ["spine_start", {}, "prompt"],
        ["spine_start", { prompt: 5 }, "prompt"],
        ["spine_start", { prompt: " \n" }, "not blank"],
        ["spine_start", { prompt: "x", template: "poem" }, "template"],
        ["spine_start", { prompt: "x", blocks: [] }, "blocks"],
        ["spine_start", { prompt: "x", key: "" }, "key"],
        ["spine_start", { prompt: "x", key: "k".repeat(201) }, "key"],
        ["spine_start", { prompt: "x", files: [{ name: "run.exe", text: "" }] }, "run.exe"],
        ["spine_wait", { run_id: "x", seconds: 46 }, "seconds"],
        ["spine_wait", { run_id: "x", seconds: 0 }, "seconds"],
        ["spine_wait", { run_id: "x", seconds: "1" }, "seconds"],
        ["spine_result", { run_id: "../../v1/run" }, "../../v1/run"],
        ["spine_result", { run_id: "" }, "run_id"],
        ["tela_execute", { canvas_id: "../x", variables: {} }, "../x"],
        ["tela_execute", { canvas_id: "x", variables: [] }, "variables"],
        ["tela_result", { run_id: "a/../b" }, "a/../b"]
      ]
      for (const [name, args, says] of wrong) {
        for (const options of [{}, tasks]) {
          const { isError, text } = yield* call(client, name, args, options)
          assert.isTrue(isError, `${name} ${JSON.stringify(args)}`)
          assert.include(text, says)
        }
      }
      assert.deepStrictEqual([(yield* spine.runs).length, (yield* tela.runs).length], [0, 0])
    }))

  it.live("cannot name a task by another header", () =>
    Effect.gen(function*() {
      const client = yield* (yield* makeWorld("10 minutes")).serve()
      const { taskId } = yield* start(client)
      for (const name of ["other", `${taskId}x`]) {
        const { body, status } = yield* request(client, "tasks/get", { taskId }, {
          ...tasks,
          headers: { "mcp-name": name }
        })
        assert.deepStrictEqual([status, body.error.code], [400, -32020])
      }
    }))
})
