/**
 * Every place that decides whether a request may have reached the provider, or whether a run may exist. Without its guard, a
 * second run would be created, or a known outcome would be reported as unknown.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope, Stream } from "effect"
import { FetchHttpClient, HttpClient, type HttpClientError, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { Polling, Run, RunError, RunRef, Spine, Tela } from "canvas-runs"
import { NodeHttp as OurNodeHttp } from "canvas-runs/node"
import * as RunStore from "canvas-runs/RunStore"
import * as NodeHttp from "node:http"
import * as http2 from "node:http2"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Undici from "undici"
import { outcomeOf } from "../support/results.ts"
import { identity, listen, tls } from "../support/servers.ts"
import type { Place } from "./kind.ts"
import { clientsOn } from "../support/clients.ts"
import { type Answer, answering, type Asked, brokenBody, json, transportError } from "../support/http.ts"
import { acceptedRun } from "../support/spine.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const neverSent = "src/internal/http/neverSent.ts"
const http = "src/internal/http/api.ts"
const create = "src/internal/http/create.ts"
const store = "src/internal/runStore/store.ts"
const createOnce = "src/internal/runStore/createOnce.ts"

// -- transports -------------------------------------------------------------------------------------------------------

const accepted = () => json(acceptedRun(id))

const coded = (code: string, fields: object = {}) => Object.assign(new Error(code), { code, ...fields })

const createdBySpine = JSON.stringify(acceptedRun(id))
const createdByTela = JSON.stringify({ id, status: "created" })

const options = { apiKey: Redacted.make("key_for_reached"), requestTimeout: "100 millis" } as const
const creating = (client: HttpClient.HttpClient, more: { readonly retryCreates?: boolean } = {}) =>
  Effect.map(clientsOn(client, { ...options, retry: Schedule.recurs(1), ...more }), ({ spine, tela }) => ({
    create: spine.runs.create({ prompt: "x" }),
    tela: tela.canvas.make({ id })
  }))

interface Expectation {
  readonly tag: string
  readonly requests?: number
  /** Additions of the client to the transport. */
  readonly through?: (client: HttpClient.HttpClient) => HttpClient.HttpClient
  readonly retryCreates?: boolean
  readonly api?: "spine" | "tela"
}

/** A create with this response fails with this error. */
const creates = (answer: (asked: Asked) => Answer, expected: Expectation) => () =>
  Effect.gen(function*() {
    const { client, requests } = answering(answer)
    const { create, tela } = yield* creating(
      expected.through?.(client) ?? client,
      expected.retryCreates === undefined ? {} : { retryCreates: expected.retryCreates }
    )
    const exit = yield* Effect.exit(
      expected.api === "tela" ? tela.execute({ a: "1" }, { async: true }) : create as Effect.Effect<unknown, unknown>
    )
    assert.strictEqual(outcomeOf(exit), expected.tag)
    if (expected.requests !== undefined) assert.strictEqual(requests.length, expected.requests)
  })

/** A create on a real connection fails as never sent. */
const failsToConnect = (
  server: () => Net.Server,
  url: (port: number) => { readonly baseUrl: string; readonly proxy?: string }
) =>
() =>
  Effect.gen(function*() {
    const { port } = yield* listen(server())
    const { baseUrl, proxy } = url(port)
    const layer = proxy === undefined
      ? NodeHttpClient.layerUndici
      : NodeHttpClient.layerUndiciNoDispatcher.pipe(
        Layer.provide(Layer.succeed(NodeHttpClient.Dispatcher, new Undici.ProxyAgent(proxy)))
      )
    const error = yield* Effect.flatMap(
      Spine.make({ ...options, requestTimeout: "10 seconds", baseUrl, retry: Schedule.recurs(0) }),
      ({ runs }) => Effect.flip(runs.create({ prompt: "x" }))
    ).pipe(Effect.provide(layer))
    assert.instanceOf(error, RunError.TransportError, error.message)
    assert.isFalse(error.reached)
  }).pipe(Effect.scoped)

const tunnels = (line: string) => () => {
  const server = NodeHttp.createServer()
  server.on("connect", (_: unknown, socket: Duplex) => void socket.end(`HTTP/1.1 ${line}\r\n\r\n`))
  return server
}

// -- the store --------------------------------------------------------------------------------------------------------

const fields = { operation: "runs.create", attempts: 1, elapsed: 0, message: "test" } as never
const limited = new RunError.RateLimitError(fields)
const refOf = (id: string) => RunRef.make({ provider: "test", kind: "run", id })

/** The entry of the store after these creates under one key, each but the first with `onUnknown: "retry"`. */
const leaves = (
  entry: "Unknown" | "Created" | undefined,
  ...creates: ReadonlyArray<
    Effect.Effect<{ readonly ref: RunRef.RunRef }, unknown> | ((parts: Parts) => Effect.Effect<never, unknown>)
  >
) =>
() =>
  Effect.gen(function*() {
    const { get, runOnce } = yield* RunStore.RunStore
    let index = 0
    for (const each of creates) {
      const create = typeof each === "function" ? Effect.flatMap(parts, each) : each
      yield* Effect.exit(runOnce("a", create, index++ === 0 ? {} : { onUnknown: "retry" }))
    }
    assert.strictEqual((yield* get("a"))?._tag, entry)
  }).pipe(Effect.provide(RunStore.layerMemory))

type Creating = Effect.Effect<{ readonly ref: RunRef.RunRef }, unknown>

/** A create whose upload of a file has this outcome. */
const uploads = (
  answer: () => Answer,
  use: (canvas: Tela.Canvas, variables: Tela.Variables, tela: Tela.Service) => Effect.Effect<unknown, unknown> = (
    canvas,
    variables
  ) => canvas.execute(variables, { async: true })
): Creating =>
  Tela.make({ ...options, retry: Schedule.recurs(0) }).pipe(
    Effect.provideService(HttpClient.HttpClient, answering(answer).client),
    Effect.flatMap((tela) =>
      use(
        tela.canvas.make({ id }),
        { scan: Tela.file(new TextEncoder().encode("scanned"), { name: "scan.txt" }) },
        tela
      )
    ),
    Effect.andThen(Effect.die("it is created"))
  )

/** A create that sends a file of 8 bytes to a server that reads the form. */
const sendingFile = (data: Stream.Stream<Uint8Array, unknown>): Creating =>
  Effect.flatMap(
    Effect.provideService(
      Spine.make({ ...options, retry: Schedule.recurs(0) }),
      HttpClient.HttpClient,
      HttpClient.make((request) =>
        Stream.runDrain(request.body._tag === "Stream" ? request.body.stream : Stream.empty).pipe(
          Effect.mapError((cause) => transportError(request, cause)),
          Effect.as(HttpClientResponse.fromWeb(request, accepted()))
        )
      )
    ),
    ({ runs }) =>
      runs.create({
        prompt: "x",
        files: [{ data: Stream.concat(Stream.make(new Uint8Array(4)), data), size: 8, filename: "a.txt" }]
      })
  )

const noPrompt: Creating = Effect.flatMap(
  Effect.provideService(Spine.make(options), HttpClient.HttpClient, answering(accepted).client),
  ({ runs }) => runs.create({ prompt: " " })
)

/** The entry of the store after a wait that starts when the key has a run. */
const tracks = (entry: "Created", wait: (store: RunStore.Service) => Effect.Effect<unknown, unknown>) => () =>
  Effect.gen(function*() {
    const store = yield* RunStore.RunStore
    yield* store.runOnce("a", Effect.succeed({ ref: refOf("r") }))
    yield* Effect.exit(store.track("a", wait(store)))
    assert.strictEqual((yield* store.get("a"))?._tag, entry)
  }).pipe(Effect.provide(RunStore.layerMemory))

const unfit = new RunError.InvalidOutputError({ message: "test", issue: "test", output: {} })
const failed = (ref: RunRef.RunRef) => new RunError.RunFailedError({ message: "test", ref, errors: [], run: {} })

// -- requests that are repeated below the library -----------------------------------------------------------------------

type Send = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

const fetching = FetchHttpClient.layer

const node = Layer.orDie(OurNodeHttp.layer())

const once = (send: Send): Send => Effect.retry(send, { times: 1 })
const accepting = HttpClient.filterStatusOk
const throughTransform = { wrap: (client: HttpClient.HttpClient) => HttpClient.transform(client, once) }
const throughMake = {
  wrap: (client: HttpClient.HttpClient) => HttpClient.make((request) => once(accepting(client).execute(request)))
}

/** A server that resets its first connection, and then answers with a status or closes its port. */
const resetting = (then: number | "refused") =>
  Effect.gen(function*() {
    const seen = { requests: 0 }
    const server = Net.createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => {
        if (++seen.requests > 1) socket.end(`HTTP/1.1 ${then} Status\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
        else {
          if (then === "refused") server.close()
          socket.resetAndDestroy()
        }
      })
    })
    const { port } = yield* listen(server)
    return { seen, baseUrl: `http://127.0.0.1:${port}` }
  })

/** A create through a client that repeats the request below the library has an unknown outcome, and its key stays taken. */
const repeats = (
  layer: Layer.Layer<HttpClient.HttpClient>,
  through: { readonly wrap: (client: HttpClient.HttpClient) => HttpClient.HttpClient } | ((send: Send) => Send),
  then: number | "refused"
) =>
() =>
  Effect.gen(function*() {
    const { baseUrl, seen } = yield* resetting(then)
    const transformClient = typeof through === "function"
      ? (client: HttpClient.HttpClient) => HttpClient.transform(client, through)
      : through.wrap
    const { runs } = yield* Spine.make({
      ...options,
      requestTimeout: "10 seconds",
      baseUrl,
      retry: Schedule.recurs(2),
      transformClient
    })
    const { get, runOnce } = yield* RunStore.RunStore
    const error = yield* Effect.flip(runOnce("a", runs.create({ prompt: "x" })))
    assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    assert.include(error.message, "sent the request to create it 2 times")
    assert.strictEqual(seen.requests, then === "refused" ? 1 : 2)
    assert.strictEqual((yield* get("a"))?._tag, "Unknown")
  }).pipe(Effect.provide([layer, RunStore.layerMemory]), Effect.scoped)

/** A create whose client requests a token first fails as it does without the token. */
const prepares = (status: number, tag: string) => () =>
  Effect.gen(function*() {
    const fetched: Array<string> = []
    const Fetch = ((url: URL) => {
      fetched.push(url.pathname)
      return Promise.resolve(url.pathname === "/token" ? json({}) : json({}, status))
    }) as unknown as typeof fetch
    const tela = yield* Tela.make({
      ...options,
      transformClient: (client) =>
        HttpClient.mapRequestEffect(client, (request) => Effect.as(client.get("http://tokens.test/token"), request))
    }).pipe(Effect.provide(fetching))
    const exit = yield* Effect.exit(
      Effect.provideService(tela.canvas.make({ id }).execute({}, { async: true }), FetchHttpClient.Fetch, Fetch)
    )
    assert.strictEqual(outcomeOf(exit), tag)
    assert.strictEqual(fetched.length, 2)
  })

/** A create through a fetch of the program has an unknown outcome, and is sent to the provider once. */
const ownFetch = (own: (url: URL, init: RequestInit) => Promise<Response>) => () =>
  Effect.gen(function*() {
    const { baseUrl, seen } = yield* resetting(500)
    const { runs } = yield* Spine.make({
      ...options,
      requestTimeout: "10 seconds",
      baseUrl,
      retry: Schedule.recurs(2)
    })
    const error = yield* Effect.flip(runs.create({ prompt: "x" }))
    assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    assert.instanceOf(error.cause, RunError.TransportError)
    assert.isTrue(error.cause.reached)
    assert.isAtMost(seen.requests, 1)
  }).pipe(
    Effect.provide(fetching),
    Effect.provideService(FetchHttpClient.Fetch, own as typeof fetch),
    Effect.scoped
  )

// -- requests that are observed until they are written -------------------------------------------------------------------

/** Accepts every connection, and never answers. */
const silent = (begun: () => void) =>
  Net.createServer((socket) => void socket.on("error", () => {}).once("data", begun))

/** The outcome of a create that times out, or whose client closes, after the server has received something. */
const endsOn = (
  client: Layer.Layer<HttpClient.HttpClient>,
  protocol: "http" | "https",
  tag: string,
  end: "times out" | "closes" = "times out"
) =>
() =>
  Effect.gen(function*() {
    const begun = yield* Deferred.make<void>()
    const { port } = yield* listen(silent(() => void Effect.runSync(Deferred.succeed(begun, undefined))))
    const scope = yield* Scope.make()
    const { runs } = yield* Effect.provide(
      Spine.make({
        ...options,
        requestTimeout: "1 minute",
        baseUrl: `${protocol}://127.0.0.1:${port}`,
        retry: Schedule.recurs(0)
      }),
      yield* Layer.buildWithScope(client, scope)
    )
    const fiber = yield* Effect.forkChild(Effect.exit(runs.create({ prompt: "x" })))
    yield* Deferred.await(begun)
    if (end === "closes") yield* Scope.close(scope, Exit.void)
    else yield* TestClock.adjust("1 minute")
    const exit = yield* Fiber.join(fiber)
    assert.strictEqual(outcomeOf(exit), tag)
    yield* Scope.close(scope, Exit.void)
  }).pipe(Effect.provide(TestClock.layer()), Effect.scoped)

/** A create over HTTP/2, to a server that rejects each stream, is sent once. */
const refusedStream = (files?: Spine.CreateRunParams["files"]) => () =>
  Effect.gen(function*() {
    let posts = 0
    const server = http2.createSecureServer(identity())
    server.on("stream", (stream: http2.ServerHttp2Stream) => {
      posts++
      stream.on("error", () => {})
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    })
    const { port } = yield* listen(server)
    const { runs } = yield* Spine.make({
      ...options,
      requestTimeout: "10 seconds",
      baseUrl: `https://localhost:${port}`,
      retry: Schedule.recurs(0)
    })
    const exit = yield* Effect.exit(runs.create({ prompt: "x", files }))
    assert.deepStrictEqual([outcomeOf(exit), posts], ["TransportError", 1])
  }).pipe(Effect.provide(OurNodeHttp.layer({ connect: { ca: tls.ca }, allowH2: true })), Effect.scoped)

/** Fetch, on a dispatcher of the program that sends requests by itself. */
const onDispatcher = (make: (Agent: typeof Undici.Agent) => Undici.Dispatcher) =>
  Layer.effectDiscard(Effect.gen(function*() {
    yield* Effect.promise(() => fetch("data:,loaded"))
    const key = Symbol.for("undici.globalDispatcher.1")
    const scope = globalThis as unknown as Record<symbol, Undici.Dispatcher>
    const before = scope[key]!
    const own = make(before.constructor as typeof Undici.Agent)
    yield* Effect.acquireRelease(
      Effect.sync(() => void (scope[key] = own)),
      () =>
        Effect.sync(() => {
          scope[key] = before
        })
    )
  })).pipe(Layer.provideMerge(fetching))

/** Writes a request by itself, without notifying its handler. */
const writes = ({ origin, path }: Undici.Dispatcher.DispatchOptions): boolean => {
  const request = NodeHttp.request(`${String(origin)}${path}`, { method: "POST" })
  request.on("error", () => {}).end()
  return true
}

/** Creates with known outcomes for the store. */
interface Parts {
  readonly ok: Effect.Effect<{ readonly ref: RunRef.RunRef }, unknown>
  readonly lost: Effect.Effect<unknown, unknown>
  readonly refused: Effect.Effect<never, unknown>
}

const parts: Effect.Effect<Parts, unknown> = Effect.gen(function*() {
  const on = (answer: () => Answer) => Effect.map(creating(answering(answer).client), ({ create }) => create)
  const refused = yield* on(() => json({}, 402))
  return {
    ok: yield* on(accepted),
    lost: yield* on(() => json({}, 500)),
    refused: Effect.flatMap(refused, () => Effect.die("it is rejected"))
  }
})

const brokenFile = new RunError.FileInputError({
  message: "test",
  file: "a.txt",
  reason: "read",
  reached: true,
  isRetryable: false
})

class OwnNotFoundError extends Data.TaggedError("NotFoundError")<{ readonly isRetryable: false }> {}

/** A wait whose polls fail with this error ends after this many polls. */
const pollsEnd = (error: OwnNotFoundError | { readonly _tag: "NotFoundError"; readonly isRetryable: boolean }) => () =>
  Effect.gen(function*() {
    let polls = 0
    const source = {
      ref: RunRef.make({ provider: "test", kind: "run", id, createdAt: Date.now() }),
      retrieve: Effect.suspend(() => {
        polls++
        return Effect.fail(error)
      }),
      classify: () => ({ _tag: "Pending" }) as const,
      status: () => "running"
    }
    const policy = yield* Polling.makePolicy("test", { pollInterval: 1, timeout: 500 }, {
      pollInterval: 1,
      timeout: 500
    })
    assert.strictEqual(outcomeOf(yield* Effect.exit(Run.wait(source as never, policy as never))), "NotFoundError")
    assert.strictEqual(polls, 1)
  }) as Effect.Effect<unknown, unknown>

// -- the table --------------------------------------------------------------------------------------------------------

export const places: ReadonlyArray<Place> = [
  {
    name: "an error object that undici published for a failed connection proves that nothing was sent",
    mutant: { file: neverSent, find: "if (connectErrors.has(cause)) return true", replace: "" },
    inputs: {
      "a proxy that answers 503 to CONNECT": failsToConnect(
        tunnels("503 Service Unavailable"),
        (port) => ({ baseUrl: "https://provider.test", proxy: `http://127.0.0.1:${port}` })
      ),
      "a proxy that hangs up on CONNECT": failsToConnect(() => {
        const server = NodeHttp.createServer()
        server.on("connect", (_: unknown, socket: Net.Socket) => void socket.resetAndDestroy())
        return server
      }, (port) => ({ baseUrl: "https://provider.test", proxy: `http://127.0.0.1:${port}` })),
      "a server that resets the TLS handshake": failsToConnect(
        () => Net.createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())),
        (port) => ({ baseUrl: `https://127.0.0.1:${port}` })
      )
    }
  },
  {
    name: "the list of codes has none that can occur after the first byte",
    mutant: {
      file: neverSent,
      find: "  \"ECONNREFUSED\",\n",
      replace: "  \"ECONNREFUSED\", \"EPIPE\", \"ECONNABORTED\", \"UND_ERR_SOCKET\", \"ETIMEDOUT\",\n"
    },
    inputs: {
      "a broken pipe": creates(() => coded("EPIPE", { syscall: "write" }), {
        tag: "CreateOutcomeUnknownError",
        requests: 1
      }),
      "a connection that times out while it is read": creates(() => coded("ETIMEDOUT", { syscall: "read" }), {
        tag: "CreateOutcomeUnknownError",
        api: "tela",
        requests: 1
      })
    }
  },
  {
    name: "a connection to several addresses counts as refused only if each address refused",
    mutant: { file: neverSent, find: "errors.every((error)", replace: "errors.some((error)" },
    inputs: {
      "one refused, one timed out while it was read": creates(
        () => new AggregateError([coded("ECONNREFUSED"), coded("ETIMEDOUT", { syscall: "read" })]),
        { tag: "CreateOutcomeUnknownError" }
      ),
      "one unknown to DNS, one closed by the other side": creates(
        () =>
          new TypeError("fetch failed", { cause: new AggregateError([coded("ENOTFOUND"), coded("UND_ERR_SOCKET")]) }),
        { tag: "CreateOutcomeUnknownError", api: "tela" }
      )
    }
  },
  {
    name: "an error with a code is not explained by an older code in its cause",
    mutant: { file: neverSent, find: "typeof code !== \"string\" && neverSent", replace: "neverSent" },
    inputs: {
      "an aborted connection after one that was refused": creates(
        () => coded("ECONNABORTED", { cause: coded("ECONNREFUSED") }),
        { tag: "CreateOutcomeUnknownError", requests: 1 }
      ),
      "a header timeout of a retry after a host without an address": creates(
        () => coded("UND_ERR_HEADERS_TIMEOUT", { cause: coded("ENOTFOUND") }),
        { tag: "CreateOutcomeUnknownError", api: "tela", requests: 1 }
      )
    }
  },
  {
    name: "only a failure before the response can be one of the connection",
    mutant: {
      file: "src/internal/http/errors.ts",
      find: "response !== undefined || reason._tag !== \"TransportError\" || !isUnsent",
      replace: "!isUnsent"
    },
    inputs: {
      "a body of 200 that fails with the code of a refused connection": creates(
        () => new Response(brokenBody(coded("ECONNREFUSED")), { status: 200 }),
        { tag: "CreateOutcomeUnknownError", requests: 1 }
      ),
      "a body of 202 that fails with a connect timeout": creates(
        () => new Response(brokenBody(coded("UND_ERR_CONNECT_TIMEOUT")), { status: 202 }),
        { tag: "CreateOutcomeUnknownError", api: "tela", requests: 1 }
      )
    }
  },
  {
    name: "a client that repeats requests sends a create once",
    mutant: { file: "src/internal/http/send.ts", find: "isSentOnce !== true", replace: "true" },
    inputs: {
      "a client with HttpClient.retry": creates(({ index }) => index === 0 ? coded("ECONNRESET") : accepted(), {
        tag: "CreateOutcomeUnknownError",
        requests: 1,
        through: HttpClient.retry(Schedule.recurs(2))
      }),
      "a client that fails with each error response and retries": creates(
        ({ index }) => index === 0 ? json({}, 500) : accepted(),
        {
          tag: "CreateOutcomeUnknownError",
          requests: 1,
          through: (client) => HttpClient.retry(HttpClient.filterStatusOk(client), Schedule.recurs(2)),
          api: "tela"
        }
      )
    }
  },
  {
    name: "an error that carries a response is read like that response",
    mutant: {
      file: "src/internal/http/send.ts",
      find: "HttpClientError.isHttpClientError(error) ? error.response : undefined",
      replace: "undefined"
    },
    inputs: {
      "409 to a Spine create": creates(() => json({}, 409), {
        tag: "ConflictError",
        through: HttpClient.filterStatusOk
      }),
      "422 to a Tela execution": creates(() => json({}, 422), {
        tag: "BadRequestError",
        through: HttpClient.filterStatus((status) => status < 400),
        api: "tela"
      })
    }
  },
  {
    name: "a known status decides even if its body is missing",
    mutant: {
      file: http,
      find: "!Response.isSuccess(attempt.response.status)\n    ? Response.fail",
      replace: "false\n    ? Response.fail"
    },
    inputs: {
      "403 with a body that stalls": creates(() => new Response(brokenBody(), { status: 403 }), {
        tag: "PermissionDeniedError"
      }),
      "404 with a body that breaks": creates(() => new Response(brokenBody(coded("ECONNRESET")), { status: 404 }), {
        tag: "NotFoundError",
        api: "tela"
      })
    }
  },
  {
    name: "a complete document counts even if its body does not end",
    mutant: { file: http, find: "Response.isWholeDocument(attempt.text)", replace: "false" },
    inputs: {
      "of Spine, then a reset": creates(() => new Response(brokenBody(coded("ECONNRESET"), createdBySpine)), {
        tag: "success",
        requests: 1
      }),
      "of Tela, then silence": creates(() => new Response(brokenBody(undefined, createdByTela)), {
        tag: "success",
        api: "tela",
        requests: 1
      }),
      "the received part of a cut document is in the error": () =>
        Effect.gen(function*() {
          const begin = createdByTela.slice(0, -1)
          const { tela } = yield* creating(answering(() => new Response(brokenBody(coded("ECONNRESET"), begin))).client)
          const error = yield* Effect.flip(tela.execute({}, { async: true }))
          assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
          assert.strictEqual(error.body, begin)
        }),
      "a document without its last byte does not count": creates(
        () => new Response(brokenBody(coded("ECONNRESET"), createdBySpine.slice(0, -1))),
        { tag: "CreateOutcomeUnknownError", requests: 1 }
      )
    }
  },
  {
    name: "a POST is not repeated at the target of a redirect",
    mutant: {
      file: "src/internal/http/redirects.ts",
      find: "if (method !== \"GET\" && method !== \"HEAD\") return undefined",
      replace: ""
    },
    inputs: {
      "303 within the provider's origin": creates(
        ({ index }) => index === 0 ? new Response(null, { status: 303, headers: { location: "/v1/run" } }) : accepted(),
        { tag: "CreateOutcomeUnknownError", requests: 1, api: "tela" }
      ),
      "308 within the provider's origin": creates(
        ({ index }) => index === 0 ? new Response(null, { status: 308, headers: { location: "/v2/x" } }) : accepted(),
        { tag: "InvalidResponseError", requests: 1, api: "tela" }
      )
    }
  },
  {
    name: "only a request that was never sent is repeated automatically",
    mutant: { file: create, find: "(options.retryCreates || neverSent(error))", replace: "true" },
    inputs: {
      "502": creates(({ index }) => index === 0 ? json({}, 502) : accepted(), {
        tag: "CreateOutcomeUnknownError",
        requests: 1
      }),
      "a server that stays silent": creates(({ index }) => index === 0 ? "silence" : accepted(), {
        tag: "CreateOutcomeUnknownError",
        requests: 1,
        api: "tela"
      })
    }
  },
  {
    name: "an earlier attempt that may have made a run still counts",
    mutant: { file: create, find: "mayExist ||= mayHaveCreated(error)", replace: "" },
    inputs: {
      "500, then 403": creates(({ index }) => json({}, index === 0 ? 500 : 403), {
        tag: "CreateOutcomeUnknownError",
        requests: 2,
        retryCreates: true
      }),
      "a reset, then a refused connection": creates(({ index }) => coded(index === 0 ? "ECONNRESET" : "ECONNREFUSED"), {
        tag: "CreateOutcomeUnknownError",
        requests: 2,
        retryCreates: true,
        api: "tela"
      })
    }
  },
  {
    name: "a broken connection may have carried the request",
    mutant: { file: create, find: "      return error.reached\n", replace: "      return false\n" },
    inputs: {
      "a reset": creates(() => coded("ECONNRESET", { syscall: "read" }), { tag: "CreateOutcomeUnknownError" }),
      "an error without a reason": creates(() => new TypeError("Load failed"), {
        tag: "CreateOutcomeUnknownError",
        api: "tela"
      })
    }
  },
  {
    name: "a timeout leaves the outcome unknown",
    mutant: {
      file: create,
      find: "return error.reached ?? true",
      replace: "return false"
    },
    inputs: {
      "no answer in time": creates(() => "silence", { tag: "CreateOutcomeUnknownError" }),
      "a gateway that answers 408": creates(() => json({}, 408), { tag: "CreateOutcomeUnknownError", api: "tela" })
    }
  },
  {
    name: "a status for an unprocessed request means that no run exists",
    mutant: { file: create, find: "!unprocessed.has(error.status ?? 0)", replace: "true" },
    inputs: {
      "505": creates(() => json({}, 505), { tag: "ServerError" }),
      "511 of a captive portal": creates(() => json({}, 511), { tag: "ServerError", api: "tela" }),
      "307 to another host": creates(
        () => new Response(null, { status: 307, headers: { location: "https://login.test" } }),
        { tag: "InvalidResponseError" }
      )
    }
  },
  {
    name: "a success that does not decode may be a run",
    mutant: {
      file: create,
      find: "    case \"InvalidResponseError\":\n      return !unprocessed",
      replace: "      return true\n    case \"InvalidResponseError\":\n      return false && !unprocessed"
    },
    inputs: {
      "an empty object": creates(() => json({}), { tag: "CreateOutcomeUnknownError" }),
      "a page of HTML": creates(() => new Response("<html>", { headers: { "content-type": "text/html" } }), {
        tag: "CreateOutcomeUnknownError",
        api: "tela"
      })
    }
  },
  {
    name: "a body that reports an error means that no run exists, with any status",
    mutant: {
      file: "src/internal/http/response.ts",
      find: "?.isRefusal === true",
      replace: "?.isRefusal === undefined"
    },
    inputs: {
      "200 and no credits": creates(() => json({ success: false, error: "Insufficient credits" }), {
        tag: "BadRequestError",
        requests: 1
      }),
      "201 and no data": creates(() => json({ success: false, error: "", data: null }, 201), {
        tag: "BadRequestError"
      }),
      "not without a report of an error": creates(() => json({ success: "no", error: "x" }), {
        tag: "CreateOutcomeUnknownError"
      })
    }
  },
  {
    name: "the store counts the creates that may have made a run",
    mutant: { file: createOnce, find: "log.open > 0 ||", replace: "" },
    inputs: {
      "a lost create, then one that is rejected": leaves(
        "Unknown",
        ({ lost, refused }) => Effect.andThen(Effect.ignore(lost), refused)
      ),
      "two runs, then a create that is rejected": leaves(
        "Unknown",
        ({ ok, refused }) => Effect.andThen(ok, Effect.andThen(ok, refused))
      )
    }
  },
  {
    name: "the store keeps the ref of a run whose create is followed by a failure",
    mutant: {
      file: createOnce,
      find: "ref !== undefined && log.open === 1",
      replace: "false && ref !== undefined"
    },
    inputs: {
      "a step that fails": leaves("Created", ({ ok }) => Effect.andThen(ok, Effect.fail("no disk"))),
      "a rejected create, then an accepted one, then a defect": leaves(
        "Created",
        ({ ok, refused }) => Effect.andThen(Effect.andThen(Effect.ignore(refused), ok), Effect.die("bug"))
      )
    }
  },
  {
    name: "a rejected second attempt leaves the outcome of the first unknown",
    mutant: { file: createOnce, find: "earlier !== undefined || log.open", replace: "log.open" },
    inputs: {
      "a lost create, then 402": leaves(
        "Unknown",
        ({ lost }) => Effect.andThen(lost, Effect.die("it is lost")),
        ({ refused }) => refused
      ),
      "an error of the program, then 402": leaves("Unknown", Effect.fail("unknown"), ({ refused }) => refused)
    }
  },

  {
    name: "an error that no create operation failed with proves nothing to the store",
    mutant: { file: createOnce, find: "log.failures.has(reason.error)", replace: "true" },
    inputs: {
      "a limit of another call": leaves("Unknown", Effect.fail(limited)),
      "the error of a rejected create, wrapped by the program": leaves(
        "Unknown",
        ({ refused }) => Effect.mapError(refused, (cause) => new Error("refused", { cause }))
      ),
      "a plain object with a tag of this library": leaves("Unknown", Effect.fail({ _tag: "BadRequestError" })),
      "a file that no create sends": leaves("Unknown", Effect.fail(brokenFile))
    }
  },
  {
    name: "a file that could not be sent completely means that no run exists",
    mutant: { file: create, find: "mayHaveCreated(error) && !isIncomplete(error)", replace: "mayHaveCreated(error)" },
    inputs: {
      "a file that could not be read to its end": leaves(undefined, sendingFile(Stream.fail("no disk"))),
      "a file that is longer than announced": leaves(undefined, sendingFile(Stream.make(new Uint8Array(9))))
    }
  },
  {
    name: "a failure before the request of a create means that no run exists",
    mutant: { file: create, find: "log.failures.add(error)", replace: "error" },
    inputs: {
      "a page of a proxy to an upload": leaves(undefined, uploads(() => new Response("<html>", { status: 200 }))),
      "a server error to an upload of a synchronous execution": leaves(
        undefined,
        uploads(() => json({ message: "no" }, 500), (canvas, variables) => canvas.execute(variables))
      ),
      "silence to an upload of a stream": leaves(
        undefined,
        uploads(() => "silence", (canvas, variables) => Stream.runDrain(canvas.stream(variables)))
      ),
      "a reset of an upload of a stream's execution": leaves(
        undefined,
        uploads(
          () => coded("ECONNRESET"),
          (canvas, variables) =>
            Effect.flatMap(canvas.execute(variables, { stream: true }), ({ result }) => Stream.runDrain(result))
        )
      ),
      "a server error to an upload of a run": leaves(
        undefined,
        uploads(() => json({}, 503), (canvas, variables) => canvas.run(variables))
      ),
      "a server error to an upload for new tasks": leaves(
        undefined,
        uploads(() => json({}, 500), (_, variables, tela) => tela.tasks.create(id, [{ name: "n", variables }]))
      ),
      "a prompt that is rejected before the request": leaves(undefined, noPrompt)
    }
  },
  {
    name: "the last of several requests that the HTTP client sent does not decide",
    mutant: { file: create, find: "if (count > 1) {", replace: "if (count > 99) {" },
    inputs: {
      "fetch in HttpClient.transform, a reset, then 429": repeats(fetching, throughTransform, 429),
      "fetch in HttpClient.make, a reset, then 400": repeats(fetching, throughMake, 400),
      "undici in HttpClient.make, a reset, then 429": repeats(node, throughMake, 429)
    }
  },
  {
    name: "a fetch client counts each request that it sends",
    mutant: { file: "src/internal/http/fetchPlatform.ts", find: "sends.count++", replace: "" },
    inputs: {
      "a reset, then 402": repeats(fetching, throughTransform, 402),
      "a reset, then 403": repeats(fetching, throughMake, 403),
      "a reset, then a refused connection": repeats(fetching, throughTransform, "refused")
    }
  },
  {
    name: "the Node client counts each request that it sends",
    mutant: { file: "src/node/NodeHttp.ts", find: "sends.count++", replace: "" },
    inputs: {
      "a reset, then 409": repeats(node, throughTransform, 409),
      "a reset, then a refused connection": repeats(node, throughMake, "refused"),
      "two at once, of which the last is rejected": repeats(
        node,
        (send) => Effect.andThen(Effect.exit(send), send),
        400
      )
    }
  },
  {
    name: "requests that prepare a create are not counted as the create",
    mutant: {
      file: "src/internal/http/send.ts",
      find: "if (sends !== undefined) SentRequests.reset(sends)",
      replace: ""
    },
    inputs: {
      "a token before a create that is rejected": prepares(400, "BadRequestError"),
      "a token before a create that is rate limited": prepares(402, "UsageLimitError")
    }
  },
  {
    name: "a failed connection of a fetch of the program proves nothing",
    mutant: {
      file: "src/internal/http/sentRequests.ts",
      find: "sends.count > 1 || sends.isOwnFetch",
      replace: "sends.count > 1"
    },
    inputs: {
      "a fetch that repeats the request at an address without a server": ownFetch((url, init) =>
        fetch(url, init).catch(() => fetch("http://127.0.0.1:1/", init))
      ),
      "a fetch with custom errors": ownFetch(() =>
        Promise.reject(new TypeError("fetch failed", { cause: coded("ECONNREFUSED") }))
      )
    }
  },
  {
    name: "a client that was closed may have left a run",
    mutant: { file: create, find: "return error.status === 499", replace: "return false" },
    inputs: {
      "499 to a Spine create": creates(() => json({}, 499), { tag: "CreateOutcomeUnknownError", requests: 1 }),
      "499 to a Tela execution": creates(() => json({}, 499), {
        tag: "CreateOutcomeUnknownError",
        requests: 1,
        api: "tela"
      })
    }
  },
  {
    name: "a wait that succeeded is about the run that its key had at the start",
    mutant: {
      file: store,
      find: "complete(operation, key, begun)",
      replace: "complete(operation, key)"
    },
    inputs: {
      "another run was attached": tracks(
        "Created",
        ({ attach, forget }) => Effect.andThen(forget("a"), attach("a", refOf("s")))
      ),
      "another run was created": tracks(
        "Created",
        ({ forget, runOnce }) => Effect.andThen(forget("a"), runOnce("a", Effect.succeed({ ref: refOf("s") })))
      )
    }
  },
  {
    name: "a terminal state without a run ends no entry",
    mutant: { file: store, find: "error.ref !== undefined && (begun", replace: "(error.ref === undefined || begun" },
    inputs: {
      "an output of a stream that does not fit": tracks("Created", () => Effect.fail(unfit)),
      "an output of a synchronous execution that does not fit": tracks(
        "Created",
        () => Effect.andThen(Effect.void, Effect.fail(new RunError.InvalidOutputError({ ...unfit, output: { a: 1 } })))
      )
    }
  },
  {
    name: "a terminal state of a run of another kind ends no entry",
    mutant: {
      file: "src/internal/ref.ts",
      find: "JSON.stringify([provider, kind, id.toLowerCase()])",
      replace: "JSON.stringify([provider, id.toLowerCase()])"
    },
    inputs: {
      "a failed task": tracks("Created", () => Effect.fail(failed({ ...refOf("r"), kind: "task" }))),
      "an output of an execution that does not fit": tracks(
        "Created",
        () => Effect.fail(new RunError.InvalidOutputError({ ...unfit, ref: { ...refOf("r"), kind: "execution" } }))
      )
    }
  },
  {
    name: "an error of the program with a tag of this library ends no entry",
    mutant: { file: "src/internal/taggedError.ts", find: "isRunError(error) && Predicate", replace: "Predicate" },
    inputs: {
      "a failed run": tracks("Created", () => Effect.fail({ _tag: "RunFailedError", ref: refOf("r") })),
      "an output that does not fit": tracks(
        "Created",
        () => Effect.fail({ _tag: "InvalidOutputError", ref: refOf("r") })
      )
    }
  },
  {
    name: "only a 404 of this library is replica lag to the poll loop",
    mutant: {
      file: "src/internal/polling/decide.ts",
      find: "isOurs(error, \"NotFoundError\") &&",
      replace: "error._tag === \"NotFoundError\" &&"
    },
    inputs: {
      "a class of the program": pollsEnd(new OwnNotFoundError({ isRetryable: false })),
      "a plain object": pollsEnd({ _tag: "NotFoundError", isRetryable: false })
    }
  },
  {
    name: "a request counts as sent when undici has begun to write it",
    mutant: { file: "src/internal/http/sentRequests.ts", find: "sends.isWritten = true\n", replace: "" },
    inputs: {
      "through fetch": endsOn(fetching, "http", "CreateOutcomeUnknownError"),
      "through undici": endsOn(node, "http", "CreateOutcomeUnknownError"),
      "through undici, which closes": endsOn(node, "http", "CreateOutcomeUnknownError", "closes")
    }
  },
  {
    name: "a dispatcher of the program does not prove that a request was not written",
    mutant: {
      file: "src/internal/http/fetchPlatform.ts",
      find: "sends !== undefined && isUntouched(inner)",
      replace: "sends !== undefined"
    },
    inputs: {
      "a subclass": endsOn(
        onDispatcher((Agent) =>
          new (class extends Agent {
            override dispatch = writes
          })()
        ),
        "http",
        "CreateOutcomeUnknownError"
      ),
      "an interceptor": endsOn(
        onDispatcher((Agent) => new Agent().compose(() => writes)),
        "http",
        "CreateOutcomeUnknownError"
      )
    }
  },
  {
    name: "a request that was not written was certainly not sent, with any failure",
    mutant: {
      file: "src/internal/http/errors.ts",
      find: "SentRequests.isUnwritten(sends) || neverSent(cause)",
      replace: "neverSent(cause)"
    },
    inputs: {
      "undici closes in the handshake": endsOn(node, "https", "TransportError", "closes"),
      "undici of one connection closes in the handshake": endsOn(
        Layer.orDie(OurNodeHttp.layer({ connections: 1, allowH2: false })),
        "https",
        "TransportError",
        "closes"
      )
    }
  },
  {
    name: "a request that times out before it is written was certainly not sent",
    mutant: {
      file: "src/internal/http/errors.ts",
      find: "response === undefined && SentRequests.isUnwritten(sends)",
      replace: "false"
    },
    inputs: {
      "through fetch": endsOn(fetching, "https", "RequestTimeoutError"),
      "through undici": endsOn(node, "https", "RequestTimeoutError")
    }
  },
  {
    name: "undici does not send a create again by itself",
    mutant: { file: "src/node/NodeHttp.ts", find: "request.body = readOnce(request.body ?? null)", replace: "" },
    inputs: {
      "of JSON, whose stream is rejected": refusedStream(),
      "of a small form, whose stream is rejected": refusedStream([{ data: new Uint8Array(3), filename: "a.txt" }]),
      "of a form with a Blob, whose stream is rejected": refusedStream([new File(["abc"], "a.txt")])
    }
  },
  {
    name: "a stream that a server did not process before it shut down was certainly not sent",
    mutant: { file: neverSent, find: "  /^HTTP\\/2: \"GOAWAY\" frame received with code \\d+$/\n", replace: "" },
    inputs: Object.fromEntries([0, 11].map((code) => [
      `with code ${code}`,
      creates(
        () => coded("UND_ERR_INFO", { message: `HTTP/2: "GOAWAY" frame received with code ${code}` }),
        { tag: "TransportError" }
      )
    ]))
  }
]
