import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { request as httpRequest } from "node:http"
import { connect } from "node:net"
import * as EmulatorServer from "../../src/testing/EmulatorServer.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as SpineEmulatorServer from "../../src/testing/SpineEmulatorServer.ts"
import * as Timeline from "../../src/testing/Timeline.ts"
import { until } from "../support/until.ts"
import { fetched } from "./responses.ts"
import * as spine from "./spine.ts"

const control = SpineEmulator.SpineEmulator
const baseUrl = Effect.map(SpineEmulatorServer.SpineEmulatorServer, (server) => server.baseUrl)
const served = (options?: SpineEmulatorServer.Options) => Effect.provide(SpineEmulatorServer.layer(options))
const headers = { "x-api-key": spine.key }
const nowhere = "/v1/run/00000000-0000-4000-8000-000000000000"

const form = (...files: ReadonlyArray<File>) => {
  const form = new FormData()
  form.append("prompt", "Compare three vector databases")
  for (const file of files) form.append("files", file)
  return form
}

const send = (url: string, init: RequestInit = {}) => Effect.promise(() => fetch(url, { ...init, headers }))

/** The bytes that arrive until the connection ends, and the kind of its end. */
const listenTo = (url: string, options: { readonly method?: string; readonly body?: Uint8Array } = {}) =>
  Effect.callback<{
    readonly status: number | undefined
    readonly length: string | undefined
    readonly body: string
    readonly code: string | undefined
  }>((resume) => {
    let body = ""
    let status: number | undefined
    let length: string | undefined
    const end = (error?: { readonly code?: string }) =>
      resume(Effect.succeed({ status, length, body, code: error?.code }))
    const request = httpRequest(url, {
      method: options.method ?? "GET",
      headers: { ...headers, "content-type": spine.multipartType }
    }, (response) => {
      status = response.statusCode
      length = response.headers["content-length"]
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString()
      })
      response.on("error", end)
      response.on("end", () => end())
    })
    request.on("error", end)
    request.end(options.body)
  })

describe("the emulator on a socket", () => {
  it.live("serves a plain fetch and FormData client, from the creation of a run to its files", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
      const created = yield* Effect.promise(() =>
        fetch(`${url}/v1/run`, {
          method: "POST",
          headers,
          body: form(new File(["# a"], "a.md", { type: "text/markdown" }))
        }).then((response) => response.json())
      )
      yield* emulator.advance("12 minutes")
      const response = yield* send(`${url}${created.data.poll_url}`)
      assert.match(response.headers.get("x-request-id") ?? "", /-/)
      const { data } = yield* Effect.promise(() => response.json())
      assert.strictEqual(data.status, "completed")
      for (const artifact of data.result.artifacts) {
        assert.isTrue(artifact.download_url.startsWith(`${url}/_artifacts/`))
        const download = yield* Effect.promise(() => fetch(artifact.download_url))
        const bytes = yield* Effect.promise(() => download.arrayBuffer())
        assert.strictEqual(bytes.byteLength, artifact.size_bytes)
        assert.strictEqual(download.headers.get("content-length"), String(artifact.size_bytes))
      }
      const leaked = yield* send(data.result.artifacts[0].download_url)
      assert.strictEqual(leaked.status, 400)
      const [run] = yield* emulator.runs
      assert.deepStrictEqual(run?.request.files.map((file) => file.name), ["a.md"])
      const requests = yield* emulator.requests
      assert.strictEqual(requests[0]?.headers["x-api-key"], spine.key)
    }).pipe(served()))

  it.live("rejects the same requests as in memory, with the same messages", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const answer = (path: string, init?: RequestInit) => fetched(`${url}${path}`, init)
      assert.deepStrictEqual(
        yield* answer("/v1/run", { method: "POST", body: form() }),
        spine.refusal(401, "X-API-KEY header required")
      )
      assert.deepStrictEqual(
        yield* answer("/v1/run", { method: "POST", headers, body: `{"prompt":"x"}` }),
        spine.refusal(400, "Content-Type must be multipart/form-data")
      )
      assert.deepStrictEqual(
        yield* answer("/v1/run/x", { headers }),
        spine.refusal(400, "Invalid run_id: must be a valid UUID")
      )
      assert.deepStrictEqual(yield* answer("/nowhere"), spine.refusal(404, "Not found"))
      assert.deepStrictEqual(yield* answer("/v1/run", { method: "PUT" }), spine.refusal(405, "Method not allowed"))
    }).pipe(served()))

  it.live("survives request targets that are not paths", () =>
    Effect.gen(function*() {
      const url = new URL(yield* baseUrl)
      const status = (line: string) =>
        Effect.callback<string>((resume) => {
          const socket = connect(Number(url.port), url.hostname, () => {
            socket.write(`${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
          })
          socket.once("data", (chunk) => resume(Effect.succeed(chunk.toString().slice(9, 12))))
        })
      for (const line of ["OPTIONS *", "GET //", "GET //evil:x/y", "GET http://localhost/v2", "GET /%zz"]) {
        assert.strictEqual(yield* status(line), "404", line)
      }
      assert.strictEqual(yield* status("GET http://other/v2"), "421")
    }).pipe(served()))

  it.live("rejects an upload over the limit and continues to serve", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const large = new File([new Uint8Array(3_000_000)], "a.txt")
      const response = yield* send(`${url}/v1/run`, { method: "POST", body: form(large) })
      assert.strictEqual(response.status, 413)
      assert.strictEqual((yield* send(`${url}/v1/run`, { method: "POST", body: form() })).status, 200)
    }).pipe(served({ limits: { fileSize: 100_000 } })))

  it.live("streams a large artifact with its length", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const chunk = new Uint8Array(100_000)
      yield* (yield* control).script({
        timeline: Timeline.make({ duration: 0 }),
        artifacts: [{
          name: "a.bin",
          content: { size: 20_000_000, stream: Stream.take(Stream.forever(Stream.succeed(chunk)), 200) }
        }]
      })
      const created = yield* Effect.promise(async () =>
        (await fetch(`${url}/v1/run`, { method: "POST", headers, body: form() })).json()
      )
      const { data } = yield* Effect.promise(async () =>
        (await fetch(`${url}/v1/run/${created.data.run_id}`, { headers })).json()
      )
      const download = yield* Effect.promise(() => fetch(data.result.artifacts[0].download_url))
      assert.strictEqual(download.headers.get("content-length"), "20000000")
      assert.strictEqual((yield* Effect.promise(() => download.arrayBuffer())).byteLength, 20_000_000)
    }).pipe(served()))

  it.live("destroys the socket before the request is handled", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      yield* emulator.fault(Fault.drop)
      const seen = yield* listenTo(`${url}/v1/run`, {
        method: "POST",
        body: spine.multipart([spine.part("prompt", "x")])
      })
      assert.deepStrictEqual(seen, { status: undefined, length: undefined, body: "", code: "ECONNRESET" })
      assert.strictEqual((yield* emulator.runs).length, 0)
    }).pipe(served()))

  it.live("destroys the socket after the request was handled", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      yield* emulator.fault(Fault.dropAfter)
      const seen = yield* listenTo(`${url}/v1/run`, {
        method: "POST",
        body: spine.multipart([spine.part("prompt", "x")])
      })
      assert.deepStrictEqual(seen, { status: undefined, length: undefined, body: "", code: "ECONNRESET" })
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(served()))

  it.live("destroys the socket inside the response, after the configured number of bytes", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      yield* emulator.fault(Fault.dropInside(10), Fault.dropInside(0))
      assert.deepStrictEqual(yield* listenTo(`${url}${nowhere}`), {
        status: 404,
        length: "79",
        body: `{"success"`,
        code: "ECONNRESET"
      })
      const empty = yield* listenTo(`${url}${nowhere}`)
      assert.deepStrictEqual([empty.status, empty.body, empty.code], [404, "", "ECONNRESET"])
      const failure = yield* emulator.fault(Fault.dropInside(10)).pipe(
        Effect.andThen(
          Effect.promise(() =>
            fetch(`${url}${nowhere}`, { headers }).then((response) => response.text()).then(
              () => "complete",
              () => "broken"
            )
          )
        )
      )
      assert.strictEqual(failure, "broken")
    }).pipe(served()))

  it.live("applies the faults that need no broken connection", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      yield* emulator.fault(
        Fault.html("<h1>Sign in</h1>"),
        Fault.truncate(10),
        Fault.status(429, { headers: { "retry-after": "1" } }),
        Fault.delay("50 millis")
      )
      const html = yield* send(`${url}${nowhere}`)
      assert.strictEqual(yield* Effect.promise(() => html.text()), "<h1>Sign in</h1>")
      const cut = yield* send(`${url}${nowhere}`)
      assert.strictEqual(yield* Effect.promise(() => cut.text()), `{"success"`)
      assert.strictEqual((yield* send(`${url}${nowhere}`)).headers.get("retry-after"), "1")
      assert.strictEqual((yield* send(`${url}${nowhere}`)).status, 404)
    }).pipe(served()))

  it.live("can delay the response to a request that it has handled at once", () =>
    Effect.gen(function*() {
      const url = yield* baseUrl
      const emulator = yield* control
      let createdAt = Number.NaN
      yield* emulator.script(() => {
        createdAt = performance.now()
        return {}
      })
      yield* emulator.fault(Fault.answerLate("200 millis"))
      const { status } = yield* Effect.promise(() => fetch(`${url}/v1/run`, { method: "POST", headers, body: form() }))
      assert.strictEqual(status, 200)
      // A timer of Node may be early by a fraction of a millisecond
      assert.isAtLeast(performance.now() - createdAt, 199)
    }).pipe(served()))

  it.live("closes with its scope, even when a request is still waiting and a connection is idle", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const emulator = yield* SpineEmulator.make()
      const url = yield* EmulatorServer.listen(emulator).pipe(Scope.provide(scope))
      yield* Effect.promise(() => fetch(`${url}${nowhere}`, { headers }))
      yield* emulator.fault(Fault.hang)
      const waiting = yield* Effect.forkChild(listenTo(`${url}${nowhere}`))
      yield* until(Effect.map(emulator.requests, (requests) => requests.length === 2))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(waiting)).code, "ECONNRESET")
      const port = Number(new URL(url).port)
      const refused = yield* Effect.callback<string>((resume) => {
        const socket = connect(port, "127.0.0.1", () => resume(Effect.succeed("connected")))
        socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(String(error.code))))
      })
      assert.strictEqual(refused, "ECONNREFUSED")
    }))

  it.live("fails to listen on a port that is taken", () =>
    Effect.gen(function*() {
      const port = Number(new URL(yield* baseUrl).port)
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(SpineEmulatorServer.layer({ port }))))
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(served()))
})
