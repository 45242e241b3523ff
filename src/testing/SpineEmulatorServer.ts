/**
 * Serves the Spine emulator on a loopback socket. It needs Node, Bun or Deno, and `@effect/platform-node`. On another runtime, this
 * module throws an error that names an alternative.
 *
 * **When to use**
 *
 * Use it for a client in another process or another language, or to test what happens on a socket. For a program in the same
 * process, `SpineEmulator.layerTest` needs no socket, and follows the `TestClock`. `CombinedEmulatorServer` serves both
 * providers.
 *
 * @see {@link module:SpineEmulator} for the emulator in memory
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as EmulatorServer from "./EmulatorServer.ts"
import * as SpineEmulator from "./SpineEmulator.ts"

/**
 * The address of the server, as a service.
 *
 * **Example** (A server on a free port)
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
 *
 * const main = Effect.gen(function*() {
 *   const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
 *   return new URL(baseUrl).hostname
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(main, SpineEmulatorServer.layer()))) // => "127.0.0.1"
 * ```
 *
 * @see {@link layer}, which provides it
 * @category services
 * @since 0.1.0
 */
export class SpineEmulatorServer extends Context.Service<SpineEmulatorServer, {
  /** The origin of the server, such as `http://127.0.0.1:4010`. */
  readonly baseUrl: string
}>()("canvas-runs/testing/SpineEmulatorServer") {}

/**
 * Options of {@link layer}: the address to listen on, and those of the emulator.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options, SpineEmulator.Options {}

/**
 * Creates a layer that listens on a socket, and has the service that controls the emulator.
 *
 * **Details**
 *
 * Runs follow the clock of the program that builds the layer. To move time without waiting, use `advance` of the control service.
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
