/**
 * Serves the emulators of both providers on one loopback socket. It needs Node, Bun or Deno, and `@effect/platform-node`. On
 * another runtime, this module throws an error that names an alternative.
 *
 * **When to use**
 *
 * Use it if one program uses both providers, as `npm run emulator` does. For one provider, use `SpineEmulatorServer` or
 * `TelaEmulatorServer`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as EmulatorServer from "./EmulatorServer.ts"
import * as SpineEmulator from "./SpineEmulator.ts"
import * as TelaEmulator from "./TelaEmulator.ts"
import * as Check from "./internal/check.ts"

/**
 * The address of the server, as a service.
 *
 * **Example** (A server on a free port)
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
 *
 * const main = Effect.gen(function*() {
 *   const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
 *   return new URL(baseUrl).hostname
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(main, CombinedEmulatorServer.layer()))) // => "127.0.0.1"
 * ```
 *
 * @see {@link layer}, which provides it
 * @category services
 * @since 0.1.0
 */
export class CombinedEmulatorServer extends Context.Service<CombinedEmulatorServer, {
  /** The origin of the server, such as `http://127.0.0.1:4010`, for clients of every provider. */
  readonly baseUrl: string
}>()("canvas-runs/testing/CombinedEmulatorServer") {}

/**
 * Options of {@link layer}: the address to listen on, and those of each emulator.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options {
  /** Options of the emulator of Spine. */
  readonly spine?: SpineEmulator.Options | undefined
  /** Options of the emulator of Tela. */
  readonly tela?: TelaEmulator.Options | undefined
}

/**
 * Creates a layer that listens on a socket, and has the services that control the emulators.
 *
 * **Details**
 *
 * The path decides which emulator answers: `/v1/run`, `/v1/canvas` and the artifacts are Spine's, and all others are Tela's. Each
 * emulator has a separate clock to advance, and records its own requests.
 *
 * **Example** (Two providers, one port)
 *
 * ```ts
 * import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
 *   const ask = (path: string) =>
 *     Effect.promise(async () => Object.keys(await (await fetch(`${baseUrl}${path}`)).json()))
 *   return [yield* ask("/v1/run/1"), yield* ask("/task/1")]
 * })
 *
 * const answers = await Effect.runPromise(Effect.provide(program, CombinedEmulatorServer.layer()))
 *
 * answers // => [["success", "error"], ["code", "message", "status", "name"]]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<
  CombinedEmulatorServer | SpineEmulator.SpineEmulator | TelaEmulator.TelaEmulator,
  ServeError
> =>
  Layer.provideMerge(
    Layer.effect(
      CombinedEmulatorServer,
      Effect.gen(function*() {
        const spine = yield* SpineEmulator.SpineEmulator
        const tela = yield* TelaEmulator.TelaEmulator
        const httpApp = Effect.flatMap(
          HttpServerRequest.HttpServerRequest,
          (request) => spinePath.test(request.url) ? spine.httpApp : tela.httpApp
        )
        return { baseUrl: yield* EmulatorServer.listen({ httpApp }, options) }
      })
    ),
    Layer.suspend(() => {
      const { spine, tela } = Check.options(options, { ...Check.serverOptions, spine: true, tela: true })
      return Layer.mergeAll(SpineEmulator.layer(spine), TelaEmulator.layer(tela))
    })
  )

// ---------------------------------------------------------------------------------------------------------------------

const spinePath = /^\/(?:v1\/(?:run|canvas)|_artifacts)(?:[/?]|$)/
