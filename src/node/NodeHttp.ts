/**
 * An HTTP client for Node on undici, with connections that outlive the time between two polls.
 *
 * **When to use**
 *
 * | | this client | `FetchHttpClient` of `effect/http` |
 * | --- | --- | --- |
 * | runs on | Node 22.19 or newer, and Deno | every runtime |
 * | needs `@effect/platform-node` | yes | no |
 * | closes an idle connection after | 2 minutes, or `keepAlive` | 4 seconds, so that polls 5 seconds apart each make a connection |
 * | ends a request on its own | no, unless you set `headersTimeout` or `bodyTimeout` | after 300 seconds without headers or between chunks |
 * | CPU time for each request | about half | |
 * | proxy, private certificate authority | options of {@link layer} | environment variables of Node |
 *
 * Use this client in a service on Node. `layerFetch` of each client, which uses fetch, is enough for a script, and works elsewhere.
 *
 * **Details**
 *
 * It decodes compressed responses (gzip, deflate, br, and zstd if Node has it), and asks for them if a request accepts JSON. It
 * sends requests through the proxies of the environment if Node was started with `NODE_USE_ENV_PROXY=1`. On other runtimes it
 * throws an error when it is loaded, which names `FetchHttpClient`.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Undici from "@effect/platform-node/Undici"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { Readable } from "node:stream"
import { checkConfig, copyConfig, isCount, millisOf } from "../internal/options.ts"
import * as SentRequests from "../internal/http/sentRequests.ts"
import { ConfigError } from "../RunError.ts"
import * as Connect from "./internal/connect.ts"
import { acceptEncoding, decode } from "./internal/decode.ts"
import { isLoopback, proxiesOf } from "./internal/proxies.ts"
import { checkNode } from "./internal/requirement.ts"

checkNode(
  (globalThis as { readonly process?: { readonly versions?: { readonly node?: string } } }).process?.versions?.node
)

/**
 * Options of {@link layer}: how connections are made and kept.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long an idle connection is kept open, if the server does not say. It should be longer than the time between two polls:
   * otherwise each poll makes a connection.
   *
   * @default "2 minutes"
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * The largest number of connections to one origin. Further requests wait for a free one.
   *
   * @default 64
   */
  readonly connections?: number | undefined
  /**
   * Options for connections, as undici takes them: `ca` for a private certificate authority, `cert` and `key` for a client
   * certificate, `timeout` in milliseconds, `socketPath`. With a proxy, these apply to the connection to the proxy and to the
   * one through it. Certificates and keys that cannot be read, and misspelled names, are a `ConfigError` when the layer is built.
   */
  readonly connect?: Exclude<Undici.Agent.Options["connect"], Function> | undefined
  /**
   * Whether HTTP/2 is used with servers that choose it. undici itself repeats a request that a server says it has not processed,
   * but never one that creates a run: the options `retry` and `retryCreates` of the client decide about that.
   *
   * **Gotchas**
   *
   * With HTTP/2, undici treats a response that the server cancels in the middle as complete, unless its length was announced. A
   * file of unknown size may then be cut without an error.
   *
   * @default false
   */
  readonly allowH2?: boolean | undefined
  /**
   * The proxy for the requests: its address (`http://user:password@host:port`), `"environment"` for the proxies in `HTTP_PROXY`
   * and `HTTPS_PROXY`, or `false` for none. Hosts in `NO_PROXY` and this machine (`localhost`, `127.0.0.0/8` and `::1`) are
   * called directly. The variables are read when the layer is built. A name in lower case wins.
   *
   * @default "environment" if Node was started with `NODE_USE_ENV_PROXY=1` or `--use-env-proxy`, else false
   */
  readonly proxy?: "environment" | (string & {}) | URL | false | undefined
  /**
   * How long the headers of a response may take. The client's own timeouts, such as `requestTimeout`, apply as well.
   *
   * @default no limit
   */
  readonly headersTimeout?: Duration.Input | undefined
  /**
   * How long a response may be silent between two chunks of its body. The client's own timeouts apply as well.
   *
   * @default no limit
   */
  readonly bodyTimeout?: Duration.Input | undefined
}

/**
 * Creates a layer with an `HttpClient` on undici. An unknown option, or a value out of its range, is a `ConfigError` when the layer
 * is built.
 *
 * **Example** (Waiting for a run over one connection)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { NodeHttp } from "canvas-runs/node"
 * import * as Spine from "canvas-runs/spine"
 *
 * const program = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   return yield* spine.runs.run({ prompt: "A market map of solid-state batteries" })
 * })
 *
 * // Reads SPINE_API_KEY
 * const main = program.pipe(Effect.provide(Layer.provide(Spine.layerConfig(), NodeHttp.layer())))
 * console.log((await Effect.runPromise(main)).status) // => "completed"
 * ```
 *
 * **Example** (A gateway with a private certificate authority, behind a proxy)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { NodeHttp } from "canvas-runs/node"
 *
 * const layer = (ca: string) => NodeHttp.layer({ connect: { ca }, proxy: "http://proxy.example:3128" })
 *
 * const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer("not a certificate")))))
 * console.log(error._tag, error.option) // => ConfigError connect.ca
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, ConfigError> =>
  Layer.unwrap(
    Effect.map(check(options), (settings) =>
      Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, adapt)).pipe(
        Layer.provide(NodeHttpClient.layerUndiciNoDispatcher),
        Layer.provide(Layer.effect(NodeHttpClient.Dispatcher, makeDispatcher(settings)))
      ))
  )

/** The options in the form that undici takes. */
type Settings = Effect.Success<ReturnType<typeof check>>

const optionNames: ReadonlyArray<keyof Options> = [
  "keepAlive",
  "connections",
  "connect",
  "allowH2",
  "proxy",
  "headersTimeout",
  "bodyTimeout"
]

/** Checks the options, and reads the environment. */
const check = (options: Options | undefined) =>
  Effect.gen(function*() {
    const { allowH2 = false, bodyTimeout, connect, connections = 64, headersTimeout, keepAlive = "2 minutes", proxy } =
      yield* copyConfig("options", options, optionNames)
    yield* checkConfig("connections", connections, isCount, "a whole number, 1 or more")
    yield* checkConfig("allowH2", allowH2, Predicate.isBoolean, "true or false")
    yield* checkConfig(
      "connect",
      connect,
      isOptions,
      "an object of options for connections, such as { ca }"
    )
    yield* checkConfig("connect.timeout", connect?.timeout, isMillis, "a number of milliseconds")
    const connectFault = connect === undefined ? undefined : Connect.faultOf(connect)
    if (connectFault !== undefined) return yield* new ConfigError(connectFault)
    const proxies = yield* Effect.mapError(Effect.fromResult(proxiesOf(proxy)), (fault) => new ConfigError(fault))
    return {
      agent: {
        keepAliveTimeout: yield* finiteMillis("keepAlive", keepAlive),
        connections,
        allowH2,
        ...(connect === undefined ? undefined : { connect })
      },
      limits: {
        headersTimeout: headersTimeout === undefined ? 0 : yield* finiteMillis("headersTimeout", headersTimeout),
        bodyTimeout: bodyTimeout === undefined ? 0 : yield* finiteMillis("bodyTimeout", bodyTimeout)
      },
      proxies
    }
  }).pipe(
    Effect.mapError((error) => new ConfigError({ ...error, message: `NodeHttp.layer: ${error.message}` }))
  )

const isOptions = (value: unknown): boolean => Predicate.isObject(value) && !Array.isArray(value)

const isMillis = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0

const finiteMillis = (option: string, input: Duration.Input): Effect.Effect<number, ConfigError> => {
  const millis = millisOf(input)
  const isKind = () => millis > 0 && millis < Infinity
  return Effect.as(checkConfig(option, input, isKind, "a finite duration above zero"), Math.ceil(millis))
}

/** The key of the count of a create's requests in the options of a request: it brings the count from the fiber to the dispatcher. */
const counted = Symbol("canvas-runs/node/Sends")

interface Counted {
  readonly [counted]?: SentRequests.SentRequests
}

/** Decodes responses, and counts the requests of a create, so that it is known whether one of them was written. */
const adapt = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  client.pipe(
    HttpClient.transform((response) =>
      Effect.flatMap(SentRequests.CurrentSentRequests, (sends) => {
        const decoded = Effect.flatMap(response, decode)
        if (sends === undefined) return decoded
        sends.count++
        return Effect.updateService(
          decoded,
          NodeHttpClient.UndiciOptions,
          (options) => ({ ...options, [counted]: sends })
        )
      })
    ),
    HttpClient.mapRequest(acceptCompressed)
  )

/**
 * Asks for compressed JSON. It does not ask for compressed files, whose length and ranges count the bytes that are sent, nor for
 * compressed streams, because a compressing server may hold back their events.
 */
const acceptCompressed = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest =>
  /^application\/json$/i.test(request.headers["accept"] ?? "") && request.headers["accept-encoding"] === undefined &&
    request.headers["range"] === undefined
    ? HttpClientRequest.setHeader(request, "accept-encoding", acceptEncoding)
    : request

type Body = NonNullable<Undici.Dispatcher.DispatchOptions["body"]> | null

/**
 * The body of a create as a stream, which undici cannot read a second time. Over HTTP/2, undici silently repeats requests with other
 * bodies if the server refuses their streams or shuts down. The caller decides whether a create is repeated.
 */
const readOnce = (body: Body): Body =>
  body instanceof Uint8Array
    ? Readable.from([body])
    : (body as unknown) instanceof Blob
    ? (body as unknown as Blob).stream() as never
    : body

/**
 * Makes the dispatcher of one layer, and destroys it with the layer. Limits are set on each request, because Effect's client sets
 * an hour for the headers there.
 */
const makeDispatcher = ({ agent, limits, proxies }: Settings): Effect.Effect<Undici.Dispatcher, never, Scope.Scope> =>
  Effect.gen(function*() {
    const undici = yield* Effect.promise(() => import("@effect/platform-node/Undici"))
    const acquire = (dispatcher: Undici.Dispatcher) =>
      Effect.acquireRelease(Effect.succeed(dispatcher), (dispatcher) => Effect.promise(() => dispatcher.destroy()))
    const direct = yield* acquire(new undici.Agent(agent))
    const proxied = proxies === undefined ? direct : yield* acquire(
      new undici.EnvHttpProxyAgent({
        ...agent,
        ...proxies,
        ...(typeof agent.connect === "object" ? { requestTls: agent.connect, proxyTls: agent.connect } : undefined)
      })
    )
    return proxied.compose((dispatch) => (options: Undici.Dispatcher.DispatchOptions & Counted, handler) => {
      const request = { ...options, ...limits }
      if (request[counted] !== undefined) {
        SentRequests.watch(request[counted], handler)
        request.body = readOnce(request.body ?? null)
      }
      return proxied !== direct && isLoopback(new URL(String(options.origin)).hostname)
        ? direct.dispatch(request as Undici.Agent.DispatchOptions, handler)
        : dispatch(request, handler)
    })
  })
