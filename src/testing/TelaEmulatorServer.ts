/**
 * Serves the Tela emulator on a loopback socket. It needs Node, Bun or Deno, and `@effect/platform-node`. On another runtime, this
 * module throws an error that names an alternative.
 *
 * **When to use**
 *
 * Use it for a client in another process or another language, or to test what happens on a socket. For a program in the same
 * process, `TelaEmulator.layerTest` needs no socket, and follows the `TestClock`. `CombinedEmulatorServer` serves both providers.
 *
 * @see {@link module:TelaEmulator} for the emulator in memory
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as EmulatorServer from "./EmulatorServer.ts"
import * as TelaEmulator from "./TelaEmulator.ts"

/**
 * The address of the server, as a service.
 *
 * **Example** (A server on a free port)
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
 *
 * const main = Effect.gen(function*() {
 *   const { baseUrl } = yield* TelaEmulatorServer.TelaEmulatorServer
 *   return new URL(baseUrl).hostname
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(main, TelaEmulatorServer.layer()))) // => "127.0.0.1"
 * ```
 *
 * @see {@link layer}, which provides it
 * @category services
 * @since 0.1.0
 */
export class TelaEmulatorServer extends Context.Service<TelaEmulatorServer, {
  /** The origin of the server, such as `http://127.0.0.1:4010`. */
  readonly baseUrl: string
}>()("canvas-runs/testing/TelaEmulatorServer") {}

/**
 * Options of {@link layer}: the address to listen on, and those of the emulator.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options, TelaEmulator.Options {}

/**
 * Creates a layer that listens on a socket, and has the service that controls the emulator.
 *
 * **Details**
 *
 * Runs follow the clock of the program that builds the layer. To move time without waiting, use `advance` of the control service.
 *
 * **Example** (A stream for a client in any language)
 *
 * ```ts
 * import { TelaEmulator } from "canvas-runs/testing"
 * import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { baseUrl } = yield* TelaEmulatorServer.TelaEmulatorServer
 *   const emulator = yield* TelaEmulator.TelaEmulator
 *   const canvas = yield* emulator.canvas({ output: "Once upon a time" })
 *   const response = yield* Effect.promise(() =>
 *     fetch(`${baseUrl}/v2/chat/completions`, {
 *       method: "POST",
 *       headers: { authorization: "Bearer anything", "content-type": "application/json" },
 *       body: JSON.stringify({ canvas_id: canvas.id, stream: true })
 *     })
 *   )
 *   const text = yield* Effect.promise(() => response.text())
 *   return text.trim().split("\n\n").at(-1)
 * })
 *
 * const last = await Effect.runPromise(Effect.provide(program, TelaEmulatorServer.layer()))
 *
 * last // => "data: [DONE]"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<TelaEmulatorServer | TelaEmulator.TelaEmulator, ServeError> =>
  Layer.provideMerge(
    Layer.effect(
      TelaEmulatorServer,
      Effect.gen(function*() {
        const emulator = yield* TelaEmulator.TelaEmulator
        return { baseUrl: yield* EmulatorServer.listen(emulator, options) }
      })
    ),
    TelaEmulator.layer(options)
  )
