/**
 * The emulators of all providers on one loopback socket, which needs Node, Bun or Deno, and
 * `@effect/platform-node`. Loaded elsewhere, it throws an error that names what to use there.
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
 * Where the server is listening.
 *
 * @category services
 * @since 0.1.0
 */
export class CombinedEmulatorServer extends Context.Service<CombinedEmulatorServer, {
  /** Such as `http://127.0.0.1:4010`, for clients of every provider. */
  readonly baseUrl: string
}>()("canvas-runs/testing/CombinedEmulatorServer") {}

/**
 * Where to listen, and what the emulators are like.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends EmulatorServer.Options {
  readonly spine?: SpineEmulator.Options | undefined
  readonly tela?: TelaEmulator.Options | undefined
}

/**
 * Listens on a socket as long as the layer lives, and brings the services that control the emulators.
 *
 * **Details**
 *
 * The path says which provider is meant: `/v1/run`, `/v1/canvas` and the artifacts are Spine's, and the rest is Tela's.
 * Each emulator has its own clock to advance, and records only its own requests.
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
