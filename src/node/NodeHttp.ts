/**
 * The HTTP client to use on Node: undici, with connections that outlive the time between two polls.
 *
 * **Details**
 *
 * Node's own `fetch` closes a connection that is idle for four seconds, so that polls five seconds apart make a new one
 * each time, and it costs about twice as much per request. It needs `@effect/platform-node`, and Node 22.19 or newer, or
 * Deno. Anywhere else it throws an error that says so as it is loaded: use `FetchHttpClient` of `effect/http`.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Duration from "effect/Duration"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { checkNode } from "./internal/requirement.ts"

checkNode(
  (globalThis as { readonly process?: { readonly versions?: { readonly node?: string } } }).process?.versions?.node
)

/**
 * How connections are kept.
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
}

/**
 * An `HttpClient` on undici. Options that make no sense throw a `RangeError`.
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
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient> => {
  const keepAlive = Option.match(Duration.fromInput(options?.keepAlive ?? "2 minutes"), {
    onNone: () => NaN,
    onSome: Duration.toMillis
  })
  if (!(keepAlive > 0 && keepAlive < Infinity)) {
    throw new RangeError(`keepAlive is ${String(options?.keepAlive)}; it must be a duration above zero that ends.`)
  }
  const connections = options?.connections ?? 64
  if (!(Number.isSafeInteger(connections) && connections > 0)) {
    throw new RangeError(`connections is ${connections}; it must be a whole number, 1 or more.`)
  }
  return NodeHttpClient.layerUndiciOptions({ keepAliveTimeout: keepAlive, connections })
}
