/**
 * The kind "a platform or a transport is assumed to behave like another one": options of fetch, readers of bodies, encodings,
 * limits, dispatchers, redirects, proxies.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted, Result, Schedule, type Scope, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { X509Certificate } from "node:crypto"
import * as zlib from "node:zlib"
import * as undici from "undici"
import { type RunError, Spine, Tela } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { proxiesOf } from "../../src/node/internal/proxies.ts"
import { keepDispatchers } from "../support/dispatchers.ts"
import { serve, serveProxy, tls } from "../support/servers.ts"
import type { Place } from "./kind.ts"
import { answering, withoutWeb } from "../support/http.ts"
import { completedRun } from "../support/spine.ts"

const apiKey = Redacted.make("sk_spine_transports")
const id = "7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11"
const provider = "http://provider.invalid"

const spineRun = JSON.stringify(completedRun(id))

const completion = JSON.stringify({
  id: "crsv-1",
  object: "chat.completion",
  created: 1,
  choices: [{ message: { role: "assistant", content: "done" } }]
})

const events = [
  `data: {"id":"1","choices":[{"index":0,"delta":{"content":"do"},"finish_reason":null}]}\n\n`,
  `data: {"id":"1","choices":[{"index":0,"delta":{"content":"ne"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`
]

/** The responses to the three calls below. */
const answerTo = (path: string) =>
  path.startsWith("/v1/run") ? spineRun : path.startsWith("/v2") ? completion : "a file"

type Client = Layer.Layer<HttpClient.HttpClient, RunError.ConfigError>

const retry = Schedule.recurs(0)

const retrieve = (client: Client, baseUrl = provider, options: Partial<Spine.Options> = {}) =>
  Effect.provide(
    Spine.SpineClient.use((spine) => Effect.map(spine.runs.retrieve(id), ({ status }) => status)),
    Layer.provide(Spine.layer({ apiKey, baseUrl, retry, ...options }), client)
  )

const execute = (client: Client, baseUrl = provider) =>
  Effect.provide(
    Tela.TelaClient.use((tela) => Effect.map(tela.canvas.make({ id }).execute({}), ({ result }) => result)),
    Layer.provide(Tela.layer({ apiKey, baseUrl, retry }), client)
  )

const streamed = (client: Client, baseUrl = provider) =>
  Effect.provide(
    Tela.TelaClient.use((tela) =>
      Effect.map(
        Stream.runCollect(tela.canvas.make({ id }).stream({})),
        (parts) => parts.flatMap((part) => part._tag === "delta" ? [part.content] : []).join("")
      )
    ),
    Layer.provide(Tela.layer({ apiKey, baseUrl, retry }), client)
  )

const download = (client: Client, baseUrl = provider) =>
  Effect.provide(
    Spine.SpineClient.use((spine) =>
      Effect.map(
        spine.artifacts.download(id, {
          id,
          type: "csv",
          name: "a.csv",
          download_url: `${baseUrl}/a.csv`,
          size_bytes: "a file".length
        }),
        (bytes) => new TextDecoder().decode(bytes)
      )
    ),
    Layer.provide(Spine.layer({ apiKey, baseUrl, retry }), client)
  )

const is = <A, E, R>(effect: Effect.Effect<A, E, R>, expected: A) =>
  Effect.map(effect, (actual) => assert.strictEqual(actual, expected))

const failsWith = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>, words: RegExp) =>
  Effect.map(Effect.flip(effect), ({ message }) => assert.match(message, words))

type Init = Record<string, unknown>

/** A fetch of the program. */
const onFetch = (fetch: (url: URL, init: Init) => unknown): Client =>
  Layer.provide(
    FetchHttpClient.layer,
    Layer.succeed(FetchHttpClient.Fetch, (async (url: URL, init: Init) => fetch(url, init)) as never)
  )

/** A fetch whose responses only resemble the platform's. */
const like = (response: (text: string) => object): Client =>
  onFetch(({ pathname }) => ({
    status: 200,
    headers: new Headers({ "content-type": "application/json" }),
    ...response(answerTo(pathname))
  }))

const iterable = (...chunks: ReadonlyArray<unknown>) => ({
  async *[Symbol.asyncIterator]() {
    yield* chunks
  }
})

/** A fetch that caches the first response to each GET, unless its options forbid that. */
const caching = () => {
  const cached = new Map<string, number>()
  let sent = 0
  const client = onFetch(({ href, pathname }, init) => {
    const known = init["method"] === "GET" && init["cache"] !== "no-store" ? cached.get(href) : undefined
    const count = known ?? ++sent
    cached.set(href, count)
    return new Response(pathname === "/a.csv" ? `file ${count}` : spineRun)
  })
  return { client, sent: () => sent }
}

/** A fetch that follows redirects to other origins, unless its options forbid that, and records which hosts received the key. */
const following = (seen: Array<string>, status: number) =>
  onFetch(({ host }, init) => {
    seen.push(host)
    if (init["redirect"] === "error") throw new TypeError("unexpected redirect")
    if (init["redirect"] === "manual" || host !== "provider.invalid") {
      return new Response(null, { status, headers: { location: "http://elsewhere.invalid/" } })
    }
    seen.push("elsewhere.invalid")
    return new Response(spineRun)
  })

const sameServer = Effect.map(
  serve((request, response) => response.end(answerTo(request.url!))),
  ({ baseUrl }) => baseUrl
)

/** Runs an effect with a dispatcher of the program, and returns the requests to it. */
const withDispatcher = <E>(
  dispatcher: undici.Dispatcher,
  use: (baseUrl: string) => Effect.Effect<unknown, E, Scope.Scope>
) =>
  Effect.gen(function*() {
    const baseUrl = yield* sameServer
    const sent: Array<undici.Dispatcher.DispatchOptions> = []
    yield* Effect.acquireRelease(Effect.sync(keepDispatchers), (restore) => Effect.sync(restore))
    undici.setGlobalDispatcher(dispatcher.compose((dispatch) => (options, handler) => {
      sent.push(options)
      return dispatch(options, handler)
    }))
    yield* use(baseUrl)
    return sent.map(({ bodyTimeout, headersTimeout }) => `${headersTimeout} ${bodyTimeout}`).join()
  }).pipe(Effect.scoped)

const served = (headers: Record<string, string>, body: (text: string) => Uint8Array | string, status = 200) =>
  Effect.map(
    serve((request, response) => response.writeHead(status, headers).end(body(answerTo(request.url!)))),
    ({ baseUrl }) => baseUrl
  )

const fetching = FetchHttpClient.layer

/** A client other than fetch and undici, whose responses are not web responses. */
const other = (headers: Record<string, string>, stream: Stream.Stream<Uint8Array>): Client =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.transformResponse(
      answering(() => new Response(null, { headers })).client,
      Effect.map((response) => withoutWeb(response, stream))
    )
  )

const platform = "src/internal/http/fetchPlatform.ts"
const connect = "src/node/internal/connect.ts"

const limitless = "0 0"
const untouched = "undefined undefined"

export const places: ReadonlyArray<Place> = [
  {
    name: "Fetch does not follow redirects, which would carry the key to any origin",
    mutant: {
      file: platform,
      find: `const plain: RequestInit = { redirect: "manual" }`,
      replace: `const plain: RequestInit = {}`
    },
    inputs: Object.fromEntries([303, 308].map((status) => [
      `a ${status} to another origin is not followed`,
      () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          yield* Effect.flip(retrieve(following(seen, status)))
          assert.deepStrictEqual(seen, ["provider.invalid"])
        })
    ]))
  },
  {
    name: "Fetch follows no redirects of an upload either",
    mutant: { file: platform, find: `redirect: "error", window: null`, replace: `window: null` },
    inputs: Object.fromEntries([
      [307, "a stream", { data: Stream.make(new Uint8Array(3)), size: 3, filename: "a.txt" }] as const,
      [301, "a Blob", new Blob(["abc"])] as const
    ].map(([status, body, file]) => [
      `a ${status} to another origin is not followed, for ${body}`,
      () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          yield* Effect.flip(Effect.provide(
            Spine.SpineClient.use((spine) => spine.runs.create({ prompt: "x", files: [file] })),
            Layer.provide(Spine.layer({ apiKey, baseUrl: provider, retry }), following(seen, status))
          ))
          assert.notInclude(seen, "elsewhere.invalid")
        })
    ]))
  },
  {
    name: "A fetch with a cache does not cache polls",
    mutant: { file: platform, find: `knowsNoStore ? "no-store" : undefined`, replace: "undefined" },
    inputs: {
      "each of two retrievals reaches the provider": () => {
        const { client, sent } = caching()
        return is(Effect.map(Effect.andThen(retrieve(client), retrieve(client)), sent), 2)
      },
      "a file is read from its server and not from a cache": () => {
        const { client } = caching()
        return Effect.andThen(is(download(client), "file 1"), is(download(client), "file 2"))
      }
    }
  },
  {
    name: "Only the platform's own fetch gets a dispatcher",
    mutant: {
      file: platform,
      find: "!isNode() || !isPlatformFetch || ",
      replace: "!isNode() || "
    },
    inputs: {
      "a fetch around the platform's keeps the dispatcher that it sets": () =>
        Effect.gen(function*() {
          const baseUrl = yield* sameServer
          const client = onFetch((url, init) => {
            assert.isUndefined(init["dispatcher"])
            return fetch(url, init)
          })
          yield* is(retrieve(client, baseUrl), "completed")
        }).pipe(Effect.scoped),
      "a download through a fetch of the program has no dispatcher": () =>
        is(
          download(onFetch((_, { dispatcher }) => new Response(dispatcher === undefined ? "a file" : "a dispatcher"))),
          "a file"
        )
    }
  },
  {
    name: "The default limits of a dispatcher are lifted",
    mutant: { file: platform, find: "headersTimeout: 0, bodyTimeout: 0", replace: "" },
    inputs: {
      "of an agent with other options, for an execution": () =>
        is(
          withDispatcher(new undici.Agent({ pipelining: 1 }), (baseUrl) => execute(fetching, baseUrl)),
          limitless
        ),
      "of a RetryAgent's agent with interceptors, for a file": () =>
        is(
          withDispatcher(
            new undici.Agent().compose(undici.interceptors.dns()),
            (baseUrl) => download(fetching, baseUrl)
          ),
          limitless
        )
    }
  },
  {
    name: "A limit of the program's dispatcher is kept",
    mutant: { file: platform, find: "bodyTimeout === undefined && headersTimeout === undefined", replace: "true" },
    inputs: {
      "of 0, which means no limit": () =>
        is(
          withDispatcher(new undici.Agent({ headersTimeout: 0 }), (baseUrl) => retrieve(fetching, baseUrl)),
          untouched
        ),
      "of an EnvHttpProxyAgent": () =>
        is(
          withDispatcher(
            new undici.EnvHttpProxyAgent({ noProxy: "*", bodyTimeout: 9000 }),
            (baseUrl) => execute(fetching, baseUrl)
          ),
          untouched
        )
    }
  },
  {
    name: "Undici 8 wraps its dispatcher for older fetches, and the options are those of the wrapped one",
    mutant: {
      file: platform,
      find: `dispatcher.constructor.name === "Dispatcher1Wrapper" ? globalDispatcher(1) : dispatcher`,
      replace: "dispatcher"
    },
    inputs: {
      "for a retrieval": () =>
        is(withDispatcher(new undici.Agent(), (baseUrl) => retrieve(fetching, baseUrl)), limitless),
      "for a retrieval through an EnvHttpProxyAgent": () =>
        is(
          withDispatcher(new undici.EnvHttpProxyAgent({ noProxy: "*" }), (baseUrl) => retrieve(fetching, baseUrl)),
          limitless
        )
    }
  },
  {
    name: "The handlers of a fetch go to the dispatcher that knows them",
    mutant: { file: platform, find: `const isNewer = "onRequestStart" in handler`, replace: "const isNewer = true" },
    inputs: {
      "a retrieval by Node 24, whose handlers are the older ones": () =>
        is(withDispatcher(new undici.Agent(), (baseUrl) => is(retrieve(fetching, baseUrl), "completed")), limitless),
      "an execution by Node 24": () =>
        is(withDispatcher(new undici.Agent(), (baseUrl) => is(execute(fetching, baseUrl), "done")), limitless)
    }
  },
  {
    name: "A body without a reader is read from its iterable, or as a whole",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "if (web === undefined || Binary.isReadable(web.body)) return response.stream",
      replace: "if (web === undefined || web.body != null) return response.stream"
    },
    inputs: {
      "an iterable of Buffers, for a synchronous execution": () =>
        is(execute(like((text) => ({ body: iterable(Buffer.from(text)) }))), "done"),
      "an iterable, for a file": () => is(download(like((text) => ({ body: iterable(Buffer.from(text)) }))), "a file"),
      "a body that is not a stream, beside arrayBuffer(), for a retrieval": () =>
        is(
          retrieve(like((text) => ({ body: {}, arrayBuffer: async () => new TextEncoder().encode(text).buffer }))),
          "completed"
        )
    }
  },
  {
    name: "Chunks that are strings are read as UTF-8",
    mutant: {
      file: "src/internal/http/body.ts",
      find: `if (typeof piece === "string") return new TextEncoder().encode(piece)`,
      replace: ""
    },
    inputs: {
      "a Node stream with an encoding": () => is(execute(like((text) => ({ body: iterable(text) }))), "done"),
      "events that are strings": () => is(streamed(like(() => ({ body: iterable(...events) }))), "done")
    }
  },
  {
    name: "A response with only text() is read by it",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "web.text?.() ??",
      replace: ""
    },
    inputs: {
      "a file": () => is(download(like((text) => ({ text: async () => text }))), "a file"),
      "events": () => is(streamed(like(() => ({ body: null, text: async () => events.join("") }))), "done")
    }
  },
  {
    name: "A body that another reader has started is not read again",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "web?.bodyUsed === true || Binary.isReadable(body) && body.locked",
      replace: "false"
    },
    inputs: Object.fromEntries(["text", "arrayBuffer"].map((reader) => [
      `a client that logs responses reads ${reader} first`,
      () =>
        is(
          retrieve(
            Layer.effect(
              HttpClient.HttpClient,
              Effect.map(HttpClient.HttpClient, HttpClient.tap((response) => response[reader as "text"]))
            ).pipe(Layer.provide(onFetch(() => new Response(spineRun))))
          ),
          "completed"
        )
    ]))
  },
  {
    name: "A small length does not limit a decoded body",
    mutant: { file: "src/internal/http/body.ts", find: `headers["content-encoding"] === undefined && `, replace: "" },
    inputs: Object.fromEntries(["gzip", "br"].map((encoding) => [
      `${encoding} of 20 bytes that decodes to a megabyte is read only up to maxResponseBytes`,
      () =>
        Effect.gen(function*() {
          let read = 0
          const chunks = Stream.fromIterable(Array.from({ length: 1000 }, () => new Uint8Array(1000).fill(32))).pipe(
            Stream.rechunk(1),
            Stream.tap(() => Effect.sync(() => read++))
          )
          const client = other({ "content-encoding": encoding, "content-length": "20" }, chunks)
          yield* failsWith(retrieve(client, provider, { maxResponseBytes: 10_000 }), /maxResponseBytes/)
          assert.isBelow(read, 100)
        })
    ]))
  },
  {
    name: "An answer that the client left compressed is an error, and is not requested again",
    mutant: { file: "src/internal/http/response.ts", find: "if (encoding !== undefined) {", replace: "if (false) {" },
    inputs: Object.fromEntries(["br", "x-gzip"].map((encoding) => [
      `in ${encoding}, by a client that decodes nothing`,
      () =>
        failsWith(
          retrieve(other({ "content-encoding": encoding }, Stream.make(zlib.gzipSync(spineRun)))),
          new RegExp(`content-encoding "${encoding}"`)
        )
    ]))
  },
  {
    name: "A file that the client left compressed is not saved as the file",
    mutant: { file: "src/internal/download/open.ts", find: "if (encoding !== undefined) {", replace: "if (false) {" },
    inputs: Object.fromEntries(["zstd", "deflate"].map((encoding) => [
      `in ${encoding}, by a client that decodes nothing`,
      () =>
        failsWith(
          download(other({ "content-encoding": encoding }, Stream.make(zlib.gzipSync("a file")))),
          new RegExp(`content-encoding "${encoding}"`)
        )
    ]))
  },
  {
    name: "Undici's responses are decoded",
    mutant: {
      file: "src/node/NodeHttp.ts",
      find: "Effect.flatMap(response, decode)",
      replace: "response"
    },
    inputs: {
      "an execution in br": () =>
        Effect.scoped(Effect.flatMap(
          served({ "content-encoding": "br" }, (text) => zlib.brotliCompressSync(text)),
          (baseUrl) => is(execute(NodeHttp.layer(), baseUrl), "done")
        )),
      "events in deflate": () =>
        Effect.scoped(Effect.flatMap(
          served({ "content-encoding": "deflate" }, () => zlib.deflateSync(events.join(""))),
          (baseUrl) => is(streamed(NodeHttp.layer(), baseUrl), "done")
        ))
    }
  },
  {
    name: "Deflate without a zlib header is decoded",
    mutant: { file: "src/node/internal/decode.ts", find: "(first.value[0]! & 0x0f) === 0x08", replace: "true" },
    inputs: {
      "an execution": () =>
        Effect.scoped(Effect.flatMap(
          served({ "content-encoding": "deflate" }, (text) => zlib.deflateRawSync(text)),
          (baseUrl) => is(execute(NodeHttp.layer(), baseUrl), "done")
        )),
      "a file": () =>
        Effect.scoped(Effect.flatMap(
          served({ "content-encoding": "Deflate" }, (text) => zlib.deflateRawSync(text)),
          (baseUrl) => is(download(NodeHttp.layer(), baseUrl), "a file")
        ))
    }
  },
  {
    name: "Undici's requests have no limit by default",
    mutant: {
      file: "src/node/NodeHttp.ts",
      find: "const request = { ...options, ...limits }",
      replace: "const request = { ...options }"
    },
    inputs: Object.fromEntries([retrieve, execute].map((call) => [
      `${call.name}`,
      () =>
        Effect.gen(function*() {
          const baseUrl = yield* sameServer
          const { subscribe, unsubscribe } = yield* Effect.promise(() => import("node:diagnostics_channel"))
          const seen: Array<unknown> = []
          const record = (message: unknown) =>
            seen.push((message as { readonly request: { readonly headersTimeout: unknown } }).request.headersTimeout)
          yield* Effect.acquireUseRelease(
            Effect.sync(() => subscribe("undici:request:create", record)),
            () => call(NodeHttp.layer(), baseUrl),
            () => Effect.sync(() => unsubscribe("undici:request:create", record))
          )
          assert.deepStrictEqual(seen, [0])
        }).pipe(Effect.scoped)
    ]))
  },
  {
    name: "An authority without a certificate is rejected when the layer is built, although Node accepts it",
    mutant: { file: connect, find: "!isCertificates(ca)", replace: "false" },
    inputs: {
      "a certificate in DER form": refusesConnect({ ca: new X509Certificate(tls.ca).raw }, "connect.ca"),
      "a list with an empty text": refusesConnect({ ca: [tls.ca, ""] }, "connect.ca")
    }
  },
  {
    name: "A misspelled option of connections is rejected when the layer is built, although Node accepts it",
    mutant: { file: connect, find: "if (near !== undefined) {", replace: "if (false) {" },
    inputs: {
      "of TLS": refusesConnect({ serverName: "localhost" }, "connect.serverName"),
      "of the socket": refusesConnect({ localAdress: "127.0.0.1" }, "connect.localAdress")
    }
  },
  {
    name: "A TLS option that Node does not accept is rejected when the layer is built",
    mutant: {
      file: connect,
      find: "Result.try(() => createSecureContext(connect))",
      replace: "Result.succeed(connect)"
    },
    inputs: {
      "a client certificate for another key": refusesConnect({ cert: tls.valid, key: tls.ca }, "connect"),
      "a cipher that does not exist": refusesConnect({ ciphers: "ROT13" }, "connect")
    }
  },
  {
    name: "Loopback hosts are called without the proxy",
    mutant: {
      file: "src/node/NodeHttp.ts",
      find: "proxied !== direct && isLoopback(new URL(String(options.origin)).hostname)",
      replace: "false"
    },
    inputs: Object.fromEntries(["127.0.0.1", "localhost"].map((host) => [
      host,
      () =>
        Effect.gen(function*() {
          const { port } = yield* serve((request, response) => response.end(answerTo(request.url!)))
          const proxy = yield* serveProxy(port)
          yield* is(execute(NodeHttp.layer({ proxy: proxy.url }), `http://${host}:${port}`), "done")
          assert.deepStrictEqual(proxy.requests, [])
        }).pipe(Effect.scoped)
    ]))
  },
  {
    name: "A proxy of the environment may have no protocol",
    mutant: {
      file: "src/node/internal/proxies.ts",
      find: `value.includes("://") ? value : \`http://\${value}\``,
      replace: "value"
    },
    inputs: Object.fromEntries(["proxy.example:8080", "user:secret@10.0.0.1:3128"].map((value) => [
      value,
      async () =>
        assert.strictEqual(
          Result.getOrThrow(proxiesOf("environment", { env: { HTTP_PROXY: value }, execArgv: [] }))?.httpProxy,
          `http://${value}`
        )
    ]))
  },
  {
    name: "The proxies of the environment are used only with NODE_USE_ENV_PROXY",
    mutant: {
      file: "src/node/internal/proxies.ts",
      find: `asksForProxies ? "environment" : false`,
      replace: `"environment"`
    },
    inputs: Object.fromEntries(["0", "true"].map((value) => [
      `NODE_USE_ENV_PROXY is ${value}, which Node ignores`,
      async () =>
        assert.isUndefined(
          Result.getOrThrow(
            proxiesOf(undefined, {
              env: { HTTP_PROXY: "http://proxy.example", NODE_USE_ENV_PROXY: value },
              execArgv: []
            })
          )
        )
    ]))
  },
  {
    name: "A limit that a dispatcher reached is found in the causes of the error of fetch",
    mutant: {
      file: "src/internal/http/causes.ts",
      find: "const part of chainOf(cause)) {\n    const { code,",
      replace: "const part of chainOf(cause).slice(0, 1)) {\n    const { code,"
    },
    inputs: Object.fromEntries(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"].map((code) => [
      code,
      () =>
        failsWith(
          execute(onFetch(() => {
            throw new TypeError("fetch failed", {
              cause: new Error("wrapped", { cause: Object.assign(new Error("late"), { code }) })
            })
          })),
          /canvas-runs\/node.*async: true/
        )
    ]))
  }
]

function refusesConnect(connect: object, option: string) {
  return () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(NodeHttp.layer({ connect }))))
      assert.strictEqual(error._tag, "ConfigError")
      assert.strictEqual(error.option, option)
    })
}
