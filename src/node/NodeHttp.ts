/**
 * The HTTP client to use on Node: undici, with connections that outlive the time between two polls.
 *
 * **Details**
 *
 * Node's own `fetch` closes a connection that is idle for four seconds, so that polls five seconds apart make a new one
 * each time, and it costs about twice as much per request. This client has no limit on the time until an answer or between two
 * chunks, unless it is asked for one. It decodes compressed responses (gzip, deflate, br, and zstd where Node has it). It sends
 * requests through the proxies of the environment if Node is told to do so by `NODE_USE_ENV_PROXY=1`. It needs
 * `@effect/platform-node`, and Node 22.19 or newer, or Deno. Anywhere else it throws an error that says so as it is loaded: use
 * `FetchHttpClient` of `effect/http`.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Undici from "@effect/platform-node/Undici"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { decode } from "./internal/decode.ts"
import { isLoopback, type Proxies, proxiesOf } from "./internal/proxies.ts"
import { checkNode } from "./internal/requirement.ts"
import { CurrentSends } from "../internal/sends.ts"

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
   * How long an idle connection is kept open where the server does not say. Longer than the time between two polls, or
   * each poll makes a connection.
   *
   * @default "2 minutes"
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * The most connections to one origin. Requests beyond them wait for one that is free.
   *
   * @default 64
   */
  readonly connections?: number | undefined
  /**
   * How connections are made, as undici takes it: `ca` for a private certificate authority, `cert` and `key` for a client
   * certificate, `timeout` in milliseconds, `socketPath`. With a proxy, these apply to the connection to the proxy and to the
   * one through it.
   */
  readonly connect?: Exclude<Undici.Agent.Options["connect"], Function> | undefined
  /**
   * Whether HTTP/2 is used with servers that choose it.
   *
   * @default true
   */
  readonly allowH2?: boolean | undefined
  /**
   * The proxy that requests are sent through: the address of one (`http://user:password@host:port`), `"environment"` for those
   * that `HTTP_PROXY` and `HTTPS_PROXY` name, or `false` for none. Hosts that `NO_PROXY` names are called directly, and so is
   * this machine: `localhost`, `127.0.0.0/8`, and `::1`. The variables are read when the layer is made; lower case wins.
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
 * Creates a layer with an `HttpClient` on undici. Options that make no sense throw a `RangeError`.
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
 * const main = program.pipe(Effect.provide(Layer.provide(Spine.layerConfig(), NodeHttp.layer())))
 * ```
 *
 * **Example** (A gateway with a private certificate authority, behind a proxy)
 *
 * ```ts
 * import { NodeHttp } from "canvas-runs/node"
 * import { readFileSync } from "node:fs"
 *
 * const layer = (authority: string) =>
 *   NodeHttp.layer({ connect: { ca: readFileSync(authority) }, proxy: "http://proxy.example:3128" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient> => {
  const connections = options?.connections ?? 64
  if (!(Number.isSafeInteger(connections) && connections > 0)) {
    throw new RangeError(`connections is ${connections}; it must be a whole number, 1 or more.`)
  }
  const limits = {
    headersTimeout: millisOf("headersTimeout", options?.headersTimeout) ?? 0,
    bodyTimeout: millisOf("bodyTimeout", options?.bodyTimeout) ?? 0
  }
  const agent = {
    keepAliveTimeout: millisOf("keepAlive", options?.keepAlive ?? "2 minutes")!,
    connections,
    ...(options?.connect === undefined ? undefined : { connect: options.connect }),
    ...(options?.allowH2 === undefined ? undefined : { allowH2: options.allowH2 })
  }
  const client = Layer.provide(
    NodeHttpClient.layerUndiciNoDispatcher,
    Layer.effect(NodeHttpClient.Dispatcher, makeDispatcher(agent, limits, proxiesOf(options?.proxy)))
  )
  return Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.transform((response) =>
        Effect.flatMap(CurrentSends, (sends) => {
          if (sends !== undefined) sends.count++
          return Effect.flatMap(response, decode)
        })
      )
    )
  ).pipe(Layer.provide(client))
}

const millisOf = (name: string, input: Duration.Input | undefined): number | undefined => {
  if (input === undefined) return undefined
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  if (millis > 0 && millis < Infinity) return Math.ceil(millis)
  throw new RangeError(`${name} is ${String(input)}; it must be a finite duration above zero.`)
}

/**
 * Makes the dispatcher of one layer, and destroys it with the layer. Limits are set on each request, because Effect's client sets
 * an hour for the headers there.
 */
const makeDispatcher = (
  agent: Undici.Agent.Options,
  limits: { readonly headersTimeout: number; readonly bodyTimeout: number },
  proxies: Proxies | undefined
): Effect.Effect<Undici.Dispatcher, never, Scope.Scope> =>
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
    return proxied.compose((dispatch) => (options, handler) => {
      const request = { ...options, ...limits }
      return proxied !== direct && isLoopback(new URL(String(options.origin)).hostname)
        ? direct.dispatch(request as Undici.Agent.DispatchOptions, handler)
        : dispatch(request, handler)
    })
  })
