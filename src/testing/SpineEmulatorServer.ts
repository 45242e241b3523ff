/**
 * The Spine emulator on a loopback socket, which needs Node, Bun or Deno, and
 * `@effect/platform-node`. Loaded elsewhere, it throws an error that names what to use there.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as EmulatorServer from "./EmulatorServer.ts"
import * as SpineEmulator from "./SpineEmulator.ts"

/**
 * Where the server is listening.
 *
 * @category services
 * @since 0.1.0
 */
export class SpineEmulatorServer extends Context.Service<SpineEmulatorServer, {
  /** Such as `http://127.0.0.1:4010`. */
  readonly baseUrl: string
}>()("canvas-runs/testing/SpineEmulatorServer") {}

/**
 * Where to listen, and what the emulator is like.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options, SpineEmulator.Options {}

/**
 * Listens on a socket as long as the layer lives, and brings the service that controls the emulator.
 *
 * **Details**
 *
 * Runs follow the clock of the program that builds the layer. To move time without waiting for it, use the control
 * service's `advance`.
 *
 * **Example** (A server for a client in any language)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 * import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const response = yield* Effect.promise(() => fetch(`${baseUrl}/v1/run`, { method: "POST" }))
 *   const requests = yield* emulator.requests
 *   return [response.status, requests.length]
 * })
 *
 * console.log(JSON.stringify(await Effect.runPromise(Effect.provide(program, SpineEmulatorServer.layer())))) // => [401, 1]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<SpineEmulatorServer | SpineEmulator.SpineEmulator, ServeError> =>
  Layer.provideMerge(
    Layer.effect(
      SpineEmulatorServer,
      Effect.gen(function*() {
        const emulator = yield* SpineEmulator.SpineEmulator
        return { baseUrl: yield* EmulatorServer.listen(emulator, options) }
      })
    ),
    SpineEmulator.layer(options)
  )
