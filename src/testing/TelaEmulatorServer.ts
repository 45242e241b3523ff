/**
 * The Tela emulator on a loopback socket, which needs Node, Bun or Deno, and
 * `@effect/platform-node`. Loaded elsewhere, it throws an error that names what to use there.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as EmulatorServer from "./EmulatorServer.ts"
import * as TelaEmulator from "./TelaEmulator.ts"

/**
 * Where the server is listening.
 *
 * @category services
 * @since 0.1.0
 */
export class TelaEmulatorServer extends Context.Service<TelaEmulatorServer, {
  /** Such as `http://127.0.0.1:4010`. */
  readonly baseUrl: string
}>()("canvas-runs/testing/TelaEmulatorServer") {}

/**
 * Where to listen, and what the emulator is like.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options, TelaEmulator.Options {}

/**
 * Listens on a socket as long as the layer lives, and brings the service that controls the emulator.
 *
 * **Details**
 *
 * Runs follow the clock of the program that builds the layer. To move time without waiting for it, use the control
 * service's `advance`.
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
