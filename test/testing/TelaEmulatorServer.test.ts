import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { request as httpRequest } from "node:http"
import * as CombinedEmulatorServer from "../../src/testing/CombinedEmulatorServer.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as TelaEmulator from "../../src/testing/TelaEmulator.ts"
import * as TelaEmulatorServer from "../../src/testing/TelaEmulatorServer.ts"
import * as Timeline from "../../src/testing/Timeline.ts"
import { until } from "../support/until.ts"
import * as tela from "./tela.ts"

const control = TelaEmulator.TelaEmulator
const served = (options?: TelaEmulatorServer.Options) => Effect.provide(TelaEmulatorServer.layer(options))
const baseUrl = Effect.map(TelaEmulatorServer.TelaEmulatorServer, (server) => server.baseUrl)

/** A simple client without a library: `fetch`, JSON and a loop. */
const client = (baseUrl: string, apiKey = "plain-key") => {
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const answer = await response.json()
    if (!response.ok) throw Object.assign(new Error(answer.message), { status: answer.status })
    return answer
  }
  return {
    call,
    run: (variables: tela.Json) =>
      call("POST", tela.completions, { canvas_id: tela.canvasId, variables })
        .then((answer) => answer.choices[0].message.content),
    runAndPoll: async (variables: tela.Json, canvas_id = tela.canvasId) => {
      let run = await call("POST", tela.completions, { canvas_id, variables, async: true })
      const seen = [run.status]
      while (run.status === "created" || run.status === "running") {
        await new Promise((resolve) => setTimeout(resolve, 20))
        run = await call("GET", `${tela.completions}/${run.id}`)
        if (run.status !== seen.at(-1)) seen.push(run.status)
      }
      return { seen, run }
    },
    /** Reads server-sent events by hand. */
    stream: async function*(variables: tela.Json) {
      const response = await fetch(`${baseUrl}${tela.completions}`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ canvas_id: tela.canvasId, variables, stream: true })
      })
      const decoder = new TextDecoder()
      let buffer = ""
      for await (const bytes of response.body!) {
        buffer += decoder.decode(bytes, { stream: true })
        const events = buffer.split("\n\n")
        buffer = events.pop()!
        for (const event of events) {
          if (!event.startsWith("data: ")) continue
          if (event === "data: [DONE]") return
          yield JSON.parse(event.slice(6))
        }
      }
      throw new Error("the stream ended early")
    },
    upload: async (fileName: string, text: string) => {
      const { id, uploadUrl } = await call("POST", "/v3/files", { fileName }, { "x-compatibility-date": "2025-07-23" })
      const put = await fetch(uploadUrl, { method: "PUT", body: text, headers: { "content-type": "text/plain" } })
      if (!put.ok) throw new Error(`the upload was answered with ${put.status}`)
      return { file_url: `vault://${id}` }
    }
  }
}

const plain = Effect.map(baseUrl, (url) => client(url))

describe("the emulator on a socket", () => {
  it.live("serves a plain fetch client: synchronous, polled, streamed, with files", () =>
    Effect.gen(function*() {
      const tela = yield* plain
      const emulator = yield* control
      const doc = yield* Effect.promise(() => tela.upload("notes.txt", "Hello"))
      assert.strictEqual(
        yield* Effect.promise(() => tela.run({ topic: "Effect" })),
        "The emulator was given topic: Effect."
      )
      const { run, seen } = yield* Effect.promise(() => tela.runAndPoll({ doc }))
      // A busy machine may miss the time in which it is running
      assert.deepStrictEqual(seen.filter((status) => status !== "running"), ["created", "succeeded"])
      assert.strictEqual(run.input_content.files[0].parsed_content, "Hello")
      const text = yield* Effect.promise(async () => {
        let text = ""
        for await (const chunk of tela.stream({ topic: "Effect" })) text += chunk.choices[0].delta.content ?? ""
        return text
      })
      assert.strictEqual(text, "The emulator was given topic: Effect.")
      assert.deepStrictEqual((yield* emulator.runs).map((run) => run.request.mode), ["sync", "async", "stream"])
      assert.deepStrictEqual((yield* emulator.streams).map((stream) => stream.state), ["ended"])
    }).pipe(served({ speed: 50 })))

  it.live("serves a task from its creation to its approval", () =>
    Effect.gen(function*() {
      const { call } = yield* plain
      const emulator = yield* control
      const task = yield* Effect.promise(() =>
        call("POST", tela.completions, { application_id: tela.applicationId, variables: {} })
      )
      yield* emulator.advance("5 seconds")
      const waiting = yield* Effect.promise(() => call("GET", `/task/${task.id}`))
      const approved = yield* Effect.promise(() => call("PATCH", `/task/${task.id}`, { status: "completed" }))
      assert.deepStrictEqual([task.status, waiting.status, approved.status], ["running", "validating", "completed"])
    }).pipe(served()))

  it.live("rejects the same requests as in memory, with the same messages", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const answer = (path: string, init?: RequestInit) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}${path}`, init)
          assert.isNotNull(response.headers.get("x-request-id"))
          return { status: response.status, body: await response.json() }
        })
      const headers = { authorization: "Bearer x" }
      assert.deepStrictEqual(
        yield* answer(tela.completions, { method: "POST" }),
        tela.errorResponse(401, "UNAUTHORIZED", "An API key is required")
      )
      assert.deepStrictEqual(
        yield* answer(tela.completions, { method: "POST", headers }),
        tela.errorResponse(400, "BAD_REQUEST", "The body must be a JSON object")
      )
      assert.deepStrictEqual(
        yield* answer(tela.completions, { method: "POST", headers, body: "{" }),
        tela.errorResponse(400, "BAD_REQUEST", "Malformed JSON")
      )
      assert.deepStrictEqual(yield* answer("/nowhere"), tela.errorResponse(404, "NOT_FOUND", "There is nothing here"))
    }).pipe(served()))

  it.live("rule 10: gives upload URLs on its own origin, which reject a key", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const { call } = yield* plain
      const { uploadUrl } = yield* Effect.promise(() =>
        call("POST", "/v3/files", { fileName: "a" }, { "x-compatibility-date": "2025-07-23" })
      )
      assert.isTrue(uploadUrl.startsWith(`${url}/_files/`))
      const status = (init: RequestInit) =>
        Effect.promise(() => fetch(uploadUrl, { method: "PUT", ...init }).then((response) => response.status))
      assert.strictEqual(yield* status({ body: "x", headers: { authorization: "Bearer x" } }), 400)
      assert.strictEqual(yield* status({ body: new Uint8Array(2_000_000) }), 413)
      assert.strictEqual(yield* status({ body: "x" }), 200)
    }).pipe(served({ fileSize: 1_000_000 })))

  it.live("sends each piece of a stream when it is due, and breaks off at the configured place", () =>
    Effect.gen(function*() {
      const { stream } = yield* plain
      const emulator = yield* control
      const received = Effect.promise(async () => {
        const seen: Array<string> = []
        try {
          for await (const chunk of stream({})) seen.push(chunk.choices[0].delta.content)
        } catch (error) {
          return [...seen, (error as Error).message]
        }
        return seen
      })
      yield* emulator.script({ stream: { pieces: ["a", "b", "c"], dropAfter: 2, pause: "10 millis" } })
      assert.deepStrictEqual(yield* received, ["a", "b", "terminated"])
      yield* emulator.script({ stream: { pieces: ["a"], end: "none" } })
      assert.deepStrictEqual(yield* received, ["a", "the stream ended early"])
      assert.deepStrictEqual((yield* emulator.streams).map((stream) => stream.state), ["dropped", "ended"])
    }).pipe(served()))

  it.live("notices that a client has left a stream", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      yield* emulator.script({ stream: { pieces: ["a", { pause: "1 hour" }, "b"] } })
      yield* Effect.callback<void>((resume) => {
        const request = httpRequest(`${url}${tela.completions}`, {
          method: "POST",
          headers: { authorization: "Bearer x", "content-type": "application/json" }
        }, (response) =>
          response.once("data", () => {
            request.destroy()
            resume(Effect.void)
          }))
        request.on("error", () => {})
        request.end(JSON.stringify({ canvas_id: tela.canvasId, stream: true }))
      })
      const state = Effect.map(emulator.streams, (streams) => streams[0]?.state)
      yield* until(Effect.map(state, (state) => state !== "open"))
      assert.strictEqual(yield* state, "abandoned")
    }).pipe(served()))

  it.live("applies faults", () =>
    Effect.gen(function*() {
      const { call } = yield* plain
      yield* (yield* control).fault(Fault.status(429), Fault.drop)
      const failure = Effect.promise(() =>
        call("GET", "/task").then(() => "fine", (error) => `${error.status} ${error.message}`)
      )
      assert.strictEqual(yield* failure, "429 Too many requests")
      assert.strictEqual(yield* failure, "undefined fetch failed")
    }).pipe(served()))
})

describe("both emulators on one socket", () => {
  it.live("are selected by the path, and controlled separately", () =>
    Effect.gen(function*() {
      const { baseUrl: url } = yield* CombinedEmulatorServer.CombinedEmulatorServer
      const spine = yield* SpineEmulator.SpineEmulator
      const emulator = yield* control
      const form = new FormData()
      form.append("prompt", "Compare three vector databases")
      const headers = { "x-api-key": "sk_spine_x" }
      const { data } = yield* Effect.promise(async () =>
        (await fetch(`${url}/v1/run`, { method: "POST", headers, body: form })).json()
      )
      const { call, runAndPoll } = client(url)
      const { run } = yield* Effect.promise(() => runAndPoll({}))
      assert.strictEqual(run.status, "succeeded")
      assert.strictEqual((yield* Effect.promise(() => call("GET", "/v1/completion-run"))).meta.total, 1)
      yield* spine.advance("12 minutes")
      const done = yield* Effect.promise(async () => (await fetch(`${url}${data.poll_url}`, { headers })).json())
      assert.strictEqual(done.data.status, "completed")
      const [artifact] = done.data.result.artifacts
      assert.strictEqual((yield* Effect.promise(() => fetch(artifact.download_url))).status, 200)
      const paths = (requests: ReadonlyArray<{ readonly path: string }>) =>
        new Set(requests.map((request) => request.path.split("/").slice(1, 3).join("/")))
      assert.deepStrictEqual(
        paths(yield* spine.requests),
        new Set(["v1/run", `_artifacts/${artifact.id}`])
      )
      assert.deepStrictEqual(paths(yield* emulator.requests), new Set(["v2/chat", "v1/completion-run"]))
    }).pipe(Effect.provide(CombinedEmulatorServer.layer({
      tela: { script: { timeline: Timeline.make({ duration: "50 millis" }) } }
    }))))

  it.live("fail to listen on a port that is taken", () =>
    Effect.gen(function*() {
      const port = Number(new URL(yield* baseUrl).port)
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(CombinedEmulatorServer.layer({ port }))))
      assert.isTrue(Exit.isFailure(exit))
      const own = yield* Effect.exit(Effect.scoped(Layer.build(TelaEmulatorServer.layer({ port }))))
      assert.isTrue(Exit.isFailure(own))
    }).pipe(served()))
})
