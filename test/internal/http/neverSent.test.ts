/** Tests on real sockets: which failures of a connection prove that a create was never sent. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, Spine } from "canvas-runs"
import { NodeHttp as OurNodeHttp } from "canvas-runs/node"
import * as RunStore from "canvas-runs/RunStore"
import * as NodeHttp from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Undici from "undici"
import { identity, listen, tls } from "../../support/servers.ts"
import { transportError } from "../../support/http.ts"

const { ca } = tls

/** The options of a connection, for both clients. */
interface Connecting {
  readonly connect?: Undici.buildConnector.BuildOptions
  readonly allowH2?: boolean
  readonly proxy?: string
}

/** undici, in the configuration of `NodeHttp.layer`. */
const undici = ({ proxy, ...options }: Connecting): Layer.Layer<HttpClient.HttpClient> =>
  proxy === undefined
    ? NodeHttpClient.layerUndiciOptions({ ...options, connect: { ca, ...options.connect } })
    : NodeHttpClient.layerUndiciNoDispatcher.pipe(
      Layer.provide(Layer.succeed(NodeHttpClient.Dispatcher, new Undici.ProxyAgent(proxy)))
    )

const globalDispatcher = Symbol.for("undici.globalDispatcher.1")

/** The platform's fetch, on an agent of the platform's undici. */
const fetching = ({ allowH2 = false, connect }: Connecting): Layer.Layer<HttpClient.HttpClient> =>
  Layer.unwrap(Effect.gen(function*() {
    yield* Effect.promise(() => fetch("data:,loaded"))
    const { constructor: Agent } = (globalThis as unknown as Record<symbol, { constructor: typeof Undici.Agent }>)[
      globalDispatcher
    ]!
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent({ allowH2, connect: { ca, ...connect } })),
      (agent) => Effect.promise(() => agent.destroy())
    )
    const scope = globalThis as unknown as Record<symbol, unknown>
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const before = scope[globalDispatcher]
        scope[globalDispatcher] = agent
        return before
      }),
      (before) =>
        Effect.sync(() => {
          scope[globalDispatcher] = before
        })
    )
    return FetchHttpClient.layer
  }))

const clients = { undici, fetch: fetching }

/** The port of a server that listens until the scope closes. */
const portOf = (server: Net.Server) => Effect.map(listen(server), ({ port }) => port)

/** A port without a server. */
const closedPort = Effect.scoped(Effect.suspend(() => portOf(Net.createServer())))

const answering = (certificate: Parameters<typeof identity>[0], options: Https.ServerOptions = {}) =>
  Https.createServer({ ...identity(certificate), ...options }, (_, response) => void response.end("{}"))

const h2 = (code: number) => {
  const server = Http2.createSecureServer(identity())
  server.on("stream", (stream) => {
    stream.on("error", () => {})
    stream.close(code)
  })
  return server as unknown as Net.Server
}

const proxyAnswering = (line: string) => {
  const server = NodeHttp.createServer((_, response) => void response.writeHead(407).end())
  server.on("connect", (_, socket) => void socket.end(`HTTP/1.1 ${line}\r\n\r\n`))
  return server
}

const spine = (baseUrl: string, options: Partial<Spine.Options> = {}) =>
  Spine.make({ apiKey: Redacted.make("sk_spine_never_sent"), baseUrl, retry: Schedule.recurs(0), ...options })

/** The failure of one create. */
const createOn = (client: Layer.Layer<HttpClient.HttpClient>, baseUrl: string, options?: Partial<Spine.Options>) =>
  Effect.flatMap(
    spine(baseUrl, options),
    ({ runs }) => Effect.flip(runs.create({ prompt: "x" }))
  ).pipe(Effect.provide(client))

interface Situation {
  readonly name: string
  readonly url: Effect.Effect<string, never, Scope.Scope>
  readonly options?: Connecting
}

const https = (server: () => Net.Server) =>
  Effect.map(Effect.suspend(() => portOf(server())), (port) => `https://localhost:${port}`)
const http = (server: () => Net.Server) =>
  Effect.map(Effect.suspend(() => portOf(server())), (port) => `http://localhost:${port}`)

const never: ReadonlyArray<Situation> = [
  { name: "no server listens", url: Effect.map(closedPort, (port) => `http://127.0.0.1:${port}`) },
  {
    name: "no server listens on any of several addresses",
    url: Effect.map(closedPort, (port) => `http://several.test:${port}`),
    options: {
      connect: {
        lookup: (_, __, callback) =>
          callback(null, [{ address: "127.0.0.1", family: 4 }, { address: "127.0.0.2", family: 4 }])
      }
    }
  },
  {
    name: "the host has no address",
    url: Effect.succeed("http://nowhere.test"),
    options: {
      connect: {
        lookup: (host, _, callback) =>
          callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }), "", 4)
      }
    }
  },
  { name: "the network is unreachable", url: Effect.succeed("http://255.255.255.255") },
  {
    name: "the connection is not made in time",
    url: https(() => Net.createServer()),
    options: { connect: { timeout: 20 } }
  },
  { name: "B7: the certificate is self-signed", url: https(() => answering("selfSigned")) },
  { name: "B7: the certificate has expired", url: https(() => answering("expired")) },
  { name: "B7: the certificate is not yet valid", url: https(() => answering("notYetValid")) },
  { name: "B7: the certificate is for another host", url: https(() => answering("otherHost")) },
  {
    name: "B7: the server speaks no version of TLS that the client accepts",
    url: https(() => answering("valid", { maxVersion: "TLSv1.2" })),
    options: { connect: { minVersion: "TLSv1.3" } }
  },
  {
    name: "B7: the server has no application protocol in common with the client (ALPN)",
    url: https(() => Tls.createServer({ ...identity(), ALPNProtocols: ["irc"] }))
  },
  { name: "B7: the server speaks plain HTTP", url: https(() => NodeHttp.createServer()) },
  {
    name: "the server wants a certificate of the client, in TLS 1.2",
    url: https(() => answering("valid", { requestCert: true, ca, maxVersion: "TLSv1.2" }))
  },
  {
    name: "the connection is reset in the TLS handshake",
    url: https(() => Net.createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())))
  },
  {
    name: "the connection is closed in the TLS handshake",
    url: https(() => Net.createServer((socket) => void socket.once("data", () => socket.end())))
  },
  {
    name: "B7: HTTP/2 rejects the stream",
    url: https(() => h2(Http2.constants.NGHTTP2_REFUSED_STREAM)),
    options: { allowH2: true }
  }
]

const maybe: ReadonlyArray<Situation> = [
  {
    name: "the connection is reset after the request",
    url: http(() => Net.createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())))
  },
  {
    name: "the connection is closed after the request",
    url: http(() => Net.createServer((socket) => void socket.once("data", () => socket.end())))
  },
  {
    name: "the TLS connection is closed after the request",
    url: https(() => Tls.createServer(identity(), (socket) => void socket.once("data", () => socket.destroy())))
  },
  {
    name: "the server wants a certificate of the client, in TLS 1.3, and says so after the request",
    url: https(() => answering("valid", { requestCert: true, ca }))
  },
  {
    name: "HTTP/2 ends the stream with an internal error",
    url: https(() => h2(Http2.constants.NGHTTP2_INTERNAL_ERROR)),
    options: { allowH2: true }
  }
]

for (const [clientName, client] of Object.entries(clients)) {
  describe(`a create through ${clientName}`, () => {
    for (const { name, options = {}, url } of never) {
      it.live(`was certainly not sent when ${name}`, () =>
        Effect.gen(function*() {
          const error = yield* createOn(client(options), yield* url)
          assert.instanceOf(error, RunError.TransportError, error.message)
          assert.isFalse(error.reached, error.message)
        }).pipe(Effect.scoped))
    }
    for (const { name, options = {}, url } of maybe) {
      it.live(`may have made a run when ${name}`, () =>
        Effect.gen(function*() {
          const error = yield* createOn(client(options), yield* url)
          assert.instanceOf(error, RunError.CreateOutcomeUnknownError, error.message)
        }).pipe(Effect.scoped))
    }
  })
}

describe("a create through a proxy", () => {
  for (
    const [name, line] of [
      ["B7: wants a password for the tunnel", "407 Proxy Authentication Required"],
      ["cannot make the tunnel", "502 Bad Gateway"]
    ] as const
  ) {
    it.live(`was certainly not sent when the proxy ${name}`, () =>
      Effect.gen(function*() {
        const proxy = yield* portOf(proxyAnswering(line))
        const error = yield* createOn(undici({ proxy: `http://127.0.0.1:${proxy}` }), "https://provider.test")
        assert.instanceOf(error, RunError.TransportError, error.message)
        assert.isFalse(error.reached)
      }).pipe(Effect.scoped))
  }

  it.live("B7: was certainly not sent when the proxy wants a password for a plain request", () =>
    Effect.gen(function*() {
      const proxy = yield* portOf(proxyAnswering("407 Proxy Authentication Required"))
      const error = yield* createOn(undici({ proxy: `http://127.0.0.1:${proxy}` }), "http://provider.test")
      assert.instanceOf(error, RunError.TransportError, error.message)
      assert.isFalse(error.reached)
    }).pipe(Effect.scoped))

  it.live("B7: a 407 that the HTTP client returns is a bad request that names the proxy", () =>
    Effect.gen(function*() {
      const port = yield* portOf(proxyAnswering(""))
      const error = yield* createOn(undici({}), `http://127.0.0.1:${port}`)
      assert.instanceOf(error, RunError.BadRequestError, error.message)
      assert.include(error.message, "a proxy asks for credentials")
    }).pipe(Effect.scoped))
})

describe("a create that has no connection when it times out", () => {
  const ours = (options: OurNodeHttp.Options): Layer.Layer<HttpClient.HttpClient> =>
    Layer.orDie(OurNodeHttp.layer({ ...options, connect: { ca, ...options.connect } }))
  const both = { undici: ours, fetch: fetching }

  /** Makes the request time out when `stage` calls its argument. */
  const timedOut = (
    client: (options: Connecting) => Layer.Layer<HttpClient.HttpClient>,
    stage: (onReached: () => void) => Effect.Effect<Connecting & { readonly url: string }, never, Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const reached = yield* Deferred.make<void>()
      const { url, ...options } = yield* stage(() => void Effect.runSync(Deferred.succeed(reached, undefined)))
      const fiber = yield* Effect.forkChild(createOn(client(options), url))
      yield* Deferred.await(reached)
      yield* TestClock.adjust("1 minute")
      return yield* Fiber.join(fiber)
    })

  const isUnsent = (error: unknown) => {
    assert.instanceOf(error, RunError.RequestTimeoutError)
    assert.deepStrictEqual([error.reached, error.isRetryable], [false, true])
    assert.include(error.message, "no connection within 1m, so that the request was not sent")
  }

  const tunnel = (onReached: () => void) => {
    const server = NodeHttp.createServer(() => {})
    server.on("connect", onReached)
    return server
  }

  for (
    const [what, stage, only] of [
      [
        "shakes hands",
        (onReached) =>
          Effect.map(https(() => Net.createServer((socket) => void socket.once("data", onReached))), (url) => ({ url }))
      ],
      [
        "asks for the address of the host",
        (onReached) => Effect.succeed({ url: "http://provider.test", connect: { lookup: onReached } })
      ],
      [
        "waits for the tunnel of a proxy",
        (onReached) =>
          Effect.map(portOf(tunnel(onReached)), (port) => ({
            url: "https://provider.test",
            proxy: `http://127.0.0.1:${port}`
          })),
        "undici"
      ]
    ] as ReadonlyArray<readonly [string, Parameters<typeof timedOut>[1], string?]>
  ) {
    for (const [name, client] of Object.entries(both)) {
      if (only !== undefined && only !== name) continue
      it.effect(`was certainly not sent while ${name} ${what}`, () =>
        Effect.gen(function*() {
          isUnsent(yield* timedOut(client, stage))
        }).pipe(Effect.scoped))
    }
  }

  it.effect("was certainly not sent while another request has the only connection, and is sent when the connection is free", () =>
    Effect.gen(function*() {
      const received = yield* Deferred.make<NodeHttp.ServerResponse>()
      const seen: Array<string | undefined> = []
      const url = `http://127.0.0.1:${yield* portOf(NodeHttp.createServer(({ method }, response) => {
        seen.push(method)
        if (method === "POST") return void response.writeHead(402).end()
        Effect.runSync(Deferred.succeed(received, response))
      }))}`
      const context = yield* Layer.build(ours({ connections: 1 }))
      const client = Layer.succeedContext(context)
      const { runs } = yield* Effect.provide(spine(url, { requestTimeout: "1 hour" }), context)
      yield* Effect.forkScoped(runs.retrieve("7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11"))
      const response = yield* Deferred.await(received)
      const retry = Schedule.spaced("1 minute")
      const fiber = yield* Effect.forkChild(createOn(client, url, { retry }))
      const last = yield* Effect.forkChild(createOn(client, url))
      yield* TestClock.adjust("90 seconds")
      isUnsent(yield* Fiber.join(last))
      assert.deepStrictEqual(seen, ["GET"])
      response.writeHead(404).end()
      yield* TestClock.adjust("30 seconds")
      assert.instanceOf(yield* Fiber.join(fiber), RunError.UsageLimitError)
      assert.deepStrictEqual(seen, ["GET", "POST"])
    }).pipe(Effect.scoped))

  const written: ReadonlyArray<readonly [string, Parameters<typeof timedOut>[1], string?]> = [
    ["HTTP/1.1", (onReached) => Effect.map(http(() => NodeHttp.createServer(onReached)), (url) => ({ url }))],
    [
      "TLS",
      (onReached) =>
        Effect.map(
          https(() => Https.createServer(identity(), onReached)),
          (url) => ({ url, allowH2: false })
        )
    ],
    [
      "HTTP/2",
      (onReached) =>
        Effect.map(
          https(() => Http2.createSecureServer(identity(), onReached)),
          (url) => ({ url, allowH2: true })
        )
    ],
    [
      "a proxy",
      (onReached) =>
        Effect.map(http(() => NodeHttp.createServer(onReached)), (proxy) => ({ url: "http://provider.test", proxy })),
      "undici"
    ]
  ]
  for (const [what, stage, only] of written) {
    for (const [name, client] of Object.entries(both)) {
      if (only !== undefined && only !== name) continue
      it.effect(`may have made a run when ${name} has written it over ${what}`, () =>
        Effect.gen(function*() {
          assert.instanceOf(yield* timedOut(client, stage), RunError.CreateOutcomeUnknownError)
        }).pipe(Effect.scoped))
    }
  }

  it.effect("may have made a run when a dispatcher of the program has it, which may have sent it", () =>
    Effect.gen(function*() {
      const scope = globalThis as unknown as Record<symbol, Undici.Dispatcher>
      const composed = (options: Connecting) =>
        Layer.effectDiscard(Effect.acquireRelease(
          Effect.sync(() => {
            const before = scope[globalDispatcher]!
            scope[globalDispatcher] = before.compose((dispatch) => (options, handler) => dispatch(options, handler))
            return before
          }),
          (before) => Effect.sync(() => void (scope[globalDispatcher] = before))
        )).pipe(Layer.provideMerge(fetching(options)))
      const error = yield* timedOut(
        composed,
        (onReached) =>
          Effect.map(https(() => Net.createServer((socket) => void socket.once("data", onReached))), (url) => ({ url }))
      )
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    }).pipe(Effect.scoped))
})

describe("a client that is closed", () => {
  it.live("B1: a create in flight when the scope of undici closes may have made a run, and its key stays taken", () =>
    Effect.gen(function*() {
      const received = yield* Deferred.make<void>()
      const port = yield* portOf(
        NodeHttp.createServer(() => void Effect.runSync(Deferred.succeed(received, undefined)))
      )
      const { get, runOnce } = yield* RunStore.RunStore
      const scope = yield* Scope.make()
      const { runs } = yield* Effect.provide(
        spine(`http://127.0.0.1:${port}`),
        yield* Layer.buildWithScope(undici({}), scope)
      )
      const fiber = yield* Effect.forkDetach(Effect.flip(runOnce("a", runs.create({ prompt: "x" }))))
      yield* Deferred.await(received)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.include(error.message, "destroyed")
      assert.strictEqual((yield* get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide(RunStore.layerMemory), Effect.scoped))

  it.live("a create that starts while undici closes was certainly not sent, and those in flight complete", () =>
    Effect.gen(function*() {
      const received = yield* Deferred.make<NodeHttp.ServerResponse>()
      const port = yield* portOf(
        NodeHttp.createServer((_, response) => void Effect.runSync(Deferred.succeed(received, response)))
      )
      const agent = new Undici.Agent()
      const client = NodeHttpClient.layerUndiciNoDispatcher.pipe(
        Layer.provide(Layer.succeed(NodeHttpClient.Dispatcher, agent))
      )
      const url = `http://127.0.0.1:${port}`
      const inFlight = yield* Effect.forkChild(createOn(client, url))
      const response = yield* Deferred.await(received)
      const closed = agent.close()
      const error = yield* createOn(client, url)
      assert.instanceOf(error, RunError.TransportError)
      assert.strictEqual(error.code, "UND_ERR_CLOSED")
      assert.isFalse(error.reached)
      response.writeHead(402).end()
      assert.instanceOf(yield* Fiber.join(inFlight), RunError.UsageLimitError)
      yield* Effect.promise(() => closed)
    }).pipe(Effect.scoped))
})

describe("errors without a connection behind them", () => {
  const failing = (cause: unknown) =>
    Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) => Effect.fail(transportError(request, cause)))
    )
  const coded = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code })
  const causes: ReadonlyArray<readonly [string, unknown, boolean]> = [
    ["a refused connection", coded("ECONNREFUSED"), false],
    ["fetch's wrapping of one", new TypeError("fetch failed", { cause: coded("ECONNREFUSED") }), false],
    ["a reset caused by an earlier refused connection", coded("ECONNRESET", coded("ECONNREFUSED")), true],
    [
      "two addresses that were refused",
      Object.assign(
        new AggregateError([coded("ECONNREFUSED"), Object.assign(coded("ENETUNREACH"), { syscall: "connect" })]),
        {
          code: "ECONNREFUSED"
        }
      ),
      false
    ],
    [
      "an address that refused and one that reset",
      Object.assign(new AggregateError([coded("ECONNREFUSED"), coded("ECONNRESET")]), { code: "ECONNREFUSED" }),
      true
    ],
    ["several addresses, none known", new AggregateError([]), true],
    ["a broken pipe", Object.assign(coded("EPIPE"), { syscall: "write" }), true],
    ["an unreachable host while connecting", Object.assign(coded("EHOSTUNREACH"), { syscall: "connect" }), false],
    ["an unreachable host while reading", Object.assign(coded("EHOSTUNREACH"), { syscall: "read" }), true],
    ["a wrong record, which may arrive at any time", coded("ERR_SSL_WRONG_VERSION_NUMBER"), true],
    ["undici's own socket error", coded("UND_ERR_SOCKET"), true],
    ["Bun's refused connection", coded("ConnectionRefused"), false],
    [
      "Deno's connect error",
      new TypeError("error sending request for url (http://h/): client error (Connect): x"),
      false
    ],
    [
      "Deno's send error",
      new TypeError("error sending request for url (http://h/): client error (SendRequest): x"),
      true
    ],
    ["a browser's error, which gives no reason", new TypeError("Failed to fetch"), true],
    ["no cause", undefined, true],
    ["a text", "ECONNREFUSED", true]
  ]
  for (const [name, cause, reached] of causes) {
    it.live(`${name}: the request ${reached ? "may have been sent" : "was certainly not sent"}`, () =>
      Effect.gen(function*() {
        const error = yield* createOn(failing(cause), "https://provider.test")
        assert.strictEqual(error._tag, reached ? "CreateOutcomeUnknownError" : "TransportError")
      }))
  }
})
