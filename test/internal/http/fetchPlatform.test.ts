import { assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schedule, Stream } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { execFile } from "node:child_process"
import { Readable } from "node:stream"
import { promisify } from "node:util"
import * as undici from "undici"
import { vi } from "vitest"
import { Spine, Tela } from "canvas-runs"
import type * as FetchPlatform from "../../../src/internal/http/fetchPlatform.ts"
import { keepDispatchers } from "../../support/dispatchers.ts"
import { bundled } from "../../support/programs.ts"
import { serve, serveProxy } from "../../support/servers.ts"
import { completedRun, runningRun } from "../../support/spine.ts"

const apiKey = Redacted.make("sk_spine_platform")
const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
const runId = "7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11"

const running = runningRun(runId)
const completed = completedRun(runId)

/** Retrieves a run. */
const retrieve = (client: Layer.Layer<HttpClient.HttpClient>, baseUrl = "http://provider.invalid") =>
  Effect.provide(
    Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
    Layer.provide(Spine.layer({ apiKey, baseUrl }), client)
  )

const onFetch = (fetch: (url: URL, init: Record<string, unknown>) => unknown) =>
  Layer.provide(
    FetchHttpClient.layer,
    Layer.succeed(
      FetchHttpClient.Fetch,
      ((url: URL, init: Record<string, unknown>) => Promise.resolve(fetch(url, init))) as never
    )
  )

/** A response that only resembles the platform's. */
const like = (response: object) => ({
  status: 200,
  headers: new Headers({ "content-type": "application/json" }),
  ...response
})

describe("the limits of Node's fetch", () => {
  it("D1: headers, chunks and uploads may take longer than the 300 s of Node's fetch", async () => {
    const { stdout } = await Effect.runPromise(Effect.scoped(
      Effect.flatMap(
        bundled(new URL("late.ts", import.meta.url)),
        (file) => Effect.promise(() => promisify(execFile)(process.execPath, [file], { timeout: 15_000 }))
      )
    ))
    assert.deepStrictEqual(JSON.parse(stdout), {
      plain: "UND_ERR_HEADERS_TIMEOUT",
      sync: "late",
      stream: "late",
      upload: runId
    })
  })

  beforeEach(keepDispatchers)

  /** Records the requests to a dispatcher. */
  const recording = (dispatcher: undici.Dispatcher) => {
    const sent: Array<undici.Dispatcher.DispatchOptions> = []
    return {
      sent,
      dispatcher: dispatcher.compose((dispatch) => (options, handler) => {
        sent.push(options)
        return dispatch(options, handler)
      })
    }
  }

  const provider = serve((_, response) => response.end(JSON.stringify(completed)))

  const limits = ({ bodyTimeout, headersTimeout }: undici.Dispatcher.DispatchOptions) => ({
    bodyTimeout,
    headersTimeout
  })

  it.effect("D1: a dispatcher that the program sets after the first request receives every request, without limits", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* provider
      yield* retrieve(FetchHttpClient.layer, baseUrl)
      const { dispatcher, sent } = recording(new undici.Agent({ connections: 2 }))
      undici.setGlobalDispatcher(dispatcher)
      yield* retrieve(FetchHttpClient.layer, baseUrl)
      assert.deepStrictEqual(sent.map(limits), [{ bodyTimeout: 0, headersTimeout: 0 }])
    }))

  it.effect("D1: a limit that the program's dispatcher sets is not lifted", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* provider
      for (const limit of [{ headersTimeout: 5000 }, { bodyTimeout: 5000 }]) {
        const { dispatcher, sent } = recording(new undici.Agent(limit))
        undici.setGlobalDispatcher(dispatcher)
        yield* retrieve(FetchHttpClient.layer, baseUrl)
        assert.deepStrictEqual(sent.map(limits), [{ bodyTimeout: undefined, headersTimeout: undefined }])
      }
    }))

  it.effect("D1: if the program's dispatcher ends a request, the error names canvas-runs/node and async: true", () =>
    Effect.gen(function*() {
      const ended = (code: string) =>
        onFetch(() =>
          Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) }))
        )
      const run = (client: Layer.Layer<HttpClient.HttpClient>) =>
        Effect.flip(
          Effect.provide(
            Tela.TelaClient.use((tela) => tela.canvas.make({ id: canvasId }).execute({})),
            Layer.provide(Tela.layer({ apiKey, baseUrl: "http://provider.invalid" }), client)
          )
        )
      const { message } = yield* run(ended("UND_ERR_HEADERS_TIMEOUT"))
      assert.match(message, /Your dispatcher has this limit.* canvas-runs\/node.* async: true/)
      const other = yield* run(ended("ECONNRESET"))
      assert.notInclude(other.message, "dispatcher")
      const brokenOff = like({
        headers: new Headers({ "content-type": "text/event-stream" }),
        body: {
          async *[Symbol.asyncIterator]() {
            yield `data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n`
            throw new TypeError("terminated", { cause: Object.assign(new Error(), { code: "UND_ERR_BODY_TIMEOUT" }) })
          }
        }
      })
      const stream = yield* Effect.flip(
        Effect.provide(
          Tela.TelaClient.use((tela) => Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({}))),
          Layer.provide(Tela.layer({ apiKey, baseUrl: "http://provider.invalid" }), onFetch(() => brokenOff))
        )
      )
      assert.match(stream.message, /Your dispatcher has this limit.* canvas-runs\/node.* async: true/)
    }))

  it.effect("D1: a dispatcher that does not show its options receives requests unchanged", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* provider
      const sent: Array<undici.Dispatcher.DispatchOptions> = []
      class Opaque extends undici.Dispatcher {
        readonly #agent = new undici.Agent()
        override dispatch(options: undici.Dispatcher.DispatchOptions, handler: undici.Dispatcher.DispatchHandler) {
          sent.push(options)
          return this.#agent.dispatch(options as undici.Agent.DispatchOptions, handler)
        }
      }
      undici.setGlobalDispatcher(new Opaque())
      yield* retrieve(FetchHttpClient.layer, baseUrl)
      assert.deepStrictEqual(sent.map(limits), [{ bodyTimeout: undefined, headersTimeout: undefined }])
    }))

  it.effect("D1: a ProxyAgent and an EnvHttpProxyAgent of the program receive every request", () =>
    Effect.gen(function*() {
      const { port } = yield* provider
      const proxy = yield* serveProxy(port)
      for (
        const agent of [new undici.ProxyAgent(proxy.url), new undici.EnvHttpProxyAgent({ httpProxy: proxy.url })]
      ) {
        proxy.requests.length = 0
        const { dispatcher, sent } = recording(agent)
        undici.setGlobalDispatcher(dispatcher)
        const run = yield* retrieve(FetchHttpClient.layer)
        assert.strictEqual(run.status, "completed")
        assert.strictEqual(proxy.requests.length, 1)
        assert.include(proxy.requests[0], "provider.invalid")
        assert.deepStrictEqual(sent.map(limits), [{ bodyTimeout: 0, headersTimeout: 0 }])
        yield* Effect.promise(() => agent.close())
      }
    }))

  /** Whether a body has the canvas's id. A MockAgent shows the bytes that fetch received. */
  const isAboutCanvas = (body: unknown) => body instanceof Uint8Array && Buffer.from(body).includes(canvasId)

  it.effect("D1: a MockAgent of the program answers every request, and gets their bodies", () =>
    Effect.gen(function*() {
      const agent = new undici.MockAgent()
      agent.disableNetConnect()
      const pool = agent.get("http://provider.invalid")
      pool.intercept({ path: `/v1/run/${runId}` }).reply(200, completed)
      pool.intercept({ path: "/v2/chat/completions", method: "POST", body: isAboutCanvas })
        .reply(200, {
          id: "crsv-1",
          object: "chat.completion",
          created: 1,
          choices: [{ message: { role: "assistant", content: "mocked" } }]
        })
      undici.setGlobalDispatcher(agent)
      const run = yield* retrieve(FetchHttpClient.layer)
      assert.strictEqual(run.status, "completed")
      const execution = yield* Effect.provide(
        Tela.TelaClient.use((tela) => tela.canvas.make({ id: canvasId }).execute({})),
        Layer.provide(Tela.layer({ apiKey, baseUrl: "http://provider.invalid" }), FetchHttpClient.layer)
      )
      assert.strictEqual(execution.result, "mocked")
      yield* Effect.promise(() => agent.close())
    }))

  it.effect("D1: a fetch other than the platform's gets no dispatcher", () =>
    Effect.gen(function*() {
      const inits: Array<Record<string, unknown>> = []
      yield* retrieve(onFetch((_, init) => {
        inits.push(init)
        return Response.json(completed)
      }))
      assert.deepStrictEqual(inits.map(({ dispatcher }) => dispatcher), [undefined])
    }))

  it.effect("D1: the fetch of another undici may replace the platform's", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* provider
      const { fetch } = globalThis
      try {
        globalThis.fetch = undici.fetch as never
        const run = yield* retrieve(
          Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, undici.fetch as never)),
          baseUrl
        )
        assert.strictEqual(run.status, "completed")
      } finally {
        globalThis.fetch = fetch
      }
    }))
})

describe("caches", () => {
  it.effect("D3: polls reach the provider even if fetch caches GETs by default, as in Next.js", () =>
    Effect.gen(function*() {
      const cached = new Map<string, Response>()
      let sent = 0
      const caching = onFetch((url, { cache, method }) => {
        const key = `${String(method)} ${url.href}`
        const known = cache === "no-store" ? undefined : cached.get(key)
        if (known !== undefined) return known.clone()
        const response = Response.json(++sent < 3 ? running : completed)
        cached.set(key, response.clone())
        return response
      })
      const run = yield* Effect.provide(
        Spine.SpineClient.use((spine) => spine.runs.waitForCompletion(runId, { pollInterval: "1 millis" })),
        Layer.provide(Spine.layer({ apiKey, baseUrl: "http://provider.invalid" }), caching)
      ).pipe(TestClock.withLive)
      assert.deepStrictEqual([run.status, sent], ["completed", 3])
    }))

  it.effect("D3: no request header disables the cache, because browsers would send a preflight", () =>
    Effect.gen(function*() {
      const names: Array<string> = []
      yield* retrieve(onFetch((_, { headers }) => {
        names.push(...new Headers(headers as HeadersInit).keys())
        return Response.json(completed)
      }))
      assert.deepStrictEqual(names, ["accept", "x-api-key"])
    }))

  it.effect("D3: a platform that throws on the cache option, as workerd did until 2024-11, does not get it", () =>
    Effect.gen(function*() {
      class OldRequest extends Request {
        constructor(url: string, init?: RequestInit) {
          if (init?.cache !== undefined) {
            throw new Error("The 'cache' field on 'RequestInitializerDict' is not implemented.")
          }
          super(url, init)
        }
      }
      vi.stubGlobal("Request", OldRequest)
      // Another instance of the module, which tests the platform when it is loaded
      const url = new URL("../../../src/internal/http/fetchPlatform.ts", import.meta.url).pathname
      const fresh: typeof FetchPlatform = yield* Effect.promise(() => import(`${url}?old`))
      const init = yield* fresh.calling(undefined)(Effect.serviceOption(FetchHttpClient.RequestInit))
      assert.strictEqual(Option.getOrThrow(init).cache, undefined)
      vi.unstubAllGlobals()
    }))
})

describe("responses that only resemble the platform's", () => {
  const text = JSON.stringify(completed)
  const bodies: Record<string, () => object> = {
    "a Node stream, as node-fetch has": () => like({ body: Readable.from([Buffer.from(text)]), bodyUsed: false }),
    "an async iterable of strings": () =>
      like({
        body: {
          async *[Symbol.asyncIterator]() {
            yield text.slice(0, 10)
            yield text.slice(10)
          }
        }
      }),
    "no body, but text()": () => like({ text: () => Promise.resolve(text) }),
    "a body of null, but text()": () => like({ body: null, text: () => Promise.resolve(text) }),
    "a body of another kind, but arrayBuffer()": () =>
      like({ body: { pipe: () => {} }, arrayBuffer: () => Promise.resolve(new TextEncoder().encode(text).buffer) }),
    "a length that is announced, and text()": () =>
      like({
        headers: new Headers({ "content-type": "application/json", "content-length": String(text.length) }),
        text: () => Promise.resolve(text)
      })
  }
  for (const [name, response] of Object.entries(bodies)) {
    it.effect(`C12: a response is read from ${name}`, () =>
      Effect.gen(function*() {
        const run = yield* retrieve(onFetch(response))
        assert.strictEqual(run.status, "completed")
      }))

    it.effect(`C12: a file is read from ${name}`, () =>
      Effect.gen(function*() {
        const bytes = yield* Effect.provide(
          Spine.SpineClient.use((spine) =>
            spine.artifacts.download(runId, {
              id: canvasId,
              type: "html",
              name: "a.html",
              download_url: "http://files.invalid/a",
              size_bytes: text.length
            })
          ),
          Layer.provide(Spine.layer({ apiKey, baseUrl: "http://provider.invalid" }), onFetch(response))
        )
        assert.strictEqual(new TextDecoder().decode(bytes), text)
      }))
  }

  it.effect("C12: a stream of events is read from a Node stream", () =>
    Effect.gen(function*() {
      const events = [
        `data: {"id":"1","choices":[{"index":0,"delta":{"role":null,"content":"a"},"finish_reason":null}]}\n\n`,
        `data: {"id":"1","choices":[{"index":0,"delta":{"role":null,"content":"b"},"finish_reason":"stop"}]}\n\n`,
        "data: [DONE]\n\n"
      ]
      const parts = yield* Effect.provide(
        Tela.TelaClient.use((tela) => Stream.runCollect(tela.canvas.make({ id: canvasId }).stream({}))),
        Layer.provide(
          Tela.layer({ apiKey, baseUrl: "http://provider.invalid" }),
          onFetch(() =>
            like({
              headers: new Headers({ "content-type": "text/event-stream" }),
              body: Readable.from(events.map((event) => Buffer.from(event)))
            })
          )
        )
      )
      assert.deepStrictEqual(parts.flatMap((part) => part._tag === "delta" ? [part.content] : []), ["a", "b"])
    }))

  it.effect("C12: a body that breaks off, and one that cannot be read at all, are transport errors", () =>
    Effect.gen(function*() {
      const broken = like({
        body: {
          async *[Symbol.asyncIterator]() {
            yield text.slice(0, 10)
            throw new Error("premature close")
          }
        }
      })
      for (const response of [broken, like({})]) {
        const error = yield* Effect.flip(
          Effect.provide(
            Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
            Layer.provide(
              Spine.layer({ apiKey, baseUrl: "http://provider.invalid", retry: Schedule.recurs(0) }),
              onFetch(() => response)
            )
          )
        )
        assert.strictEqual(error._tag, "TransportError")
      }
    }))

  it.effect("C12: reading stops when a body is longer than maxResponseBytes", () =>
    Effect.gen(function*() {
      let given = 0
      let isClosed = false
      const endless = like({
        body: {
          async *[Symbol.asyncIterator]() {
            try {
              while (true) {
                given++
                yield "x".repeat(1000)
              }
            } finally {
              isClosed = true
            }
          }
        }
      })
      const error = yield* Effect.flip(
        Effect.provide(
          Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
          Layer.provide(
            Spine.layer({ apiKey, baseUrl: "http://provider.invalid", maxResponseBytes: 10_000 }),
            onFetch(() => endless)
          )
        )
      )
      assert.strictEqual(error._tag, "InvalidResponseError")
      // The client does not wait for the end of a cancelled body
      yield* Effect.yieldNow
      assert.deepStrictEqual([isClosed, given < 20], [true, true])
    }))
})
