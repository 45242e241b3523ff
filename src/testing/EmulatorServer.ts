/**
 * Serves an emulator on a loopback socket, for clients in any language. It needs Node, Bun or Deno, and
 * `@effect/platform-node`. On another runtime, this module throws an error that names an alternative.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
// oxlint-disable-next-line no-restricted-imports -- a socket is Node's
import { createServer, type ServerResponse } from "node:http"
import type * as Emulator from "./Emulator.ts"
import * as hosts from "./internal/hosts.ts"
import * as Check from "./internal/check.ts"
import * as Predicate from "effect/Predicate"

/**
 * Options of a server: the address to listen on, and who may call it.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The port to listen on.
   *
   * @default any free port
   */
  readonly port?: number | undefined
  /**
   * The address to listen on.
   *
   * @default "127.0.0.1"
   */
  readonly host?: string | undefined
  /**
   * Whether pages of every origin may call the emulator. The provider may not allow it.
   *
   * @default false
   */
  readonly cors?: boolean | undefined
  /**
   * Host names under which the server may be called, in addition to `localhost`, `127.0.0.1`, `[::1]` and the option `host`. `"*"`
   * allows every name. Then any page in a browser on this machine can read the data of the emulator.
   *
   * **Details**
   *
   * A request for another host is answered with 421. A server that listens on `0.0.0.0` or `::` also answers to every IP
   * address.
   *
   * @default []
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

/**
 * Listens until the scope closes, and returns the origin of the server.
 *
 * **When to use**
 *
 * Use it for an emulator that you made. For those of this library, use the layer of `SpineEmulatorServer`, `TelaEmulatorServer` or
 * `CombinedEmulatorServer`.
 *
 * **Details**
 *
 * A connection that breaks is a destroyed socket: without a byte of the response, or after the bytes that were to arrive. When the
 * scope closes, open connections are closed, and requests that are being handled are interrupted.
 *
 * **Example** (An emulator on a free port)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TelaEmulator } from "canvas-runs/testing"
 * import * as EmulatorServer from "canvas-runs/testing/EmulatorServer"
 *
 * const main = Effect.gen(function*() {
 *   const baseUrl = yield* EmulatorServer.listen(yield* TelaEmulator.make())
 *   return (yield* Effect.promise(() => fetch(`${baseUrl}/api-key`))).status
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(main))) // => 401
 * ```
 *
 * @see {@link module:Emulator} for `toHttpClient` and `toWebHandler`, which need no socket
 * @category constructors
 * @since 0.1.0
 */
export const listen = Effect.fnUntraced(function*(
  emulator: Pick<Emulator.Emulator, "httpApp">,
  options: Options = {}
): Effect.fn.Return<string, ServeError, Scope.Scope> {
  Check.kind("emulator", emulator, isEmulator, "an emulator")
  Check.kind("options", options, Predicate.isObject, "an object")
  Check.port(options.port ?? 0)
  const node = createServer()
  const host = options.host ?? "127.0.0.1"
  const server = yield* NodeHttpServer.make(() => node, {
    host,
    port: options.port ?? 0,
    disablePreemptiveShutdown: true
  })
  const app = options.cors === true ? allowPages(socketApp(emulator)) : socketApp(emulator)
  yield* server.serve(hosts.guard(app, { listening: host, allowed: options.allowedHosts ?? [] }))
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  return HttpServer.formatAddress(server.address)
})

// ---------------------------------------------------------------------------------------------------------------------

const isEmulator = (value: unknown): boolean => Effect.isEffect((value as Emulator.Emulator).httpApp)

// Interruptible, because a fault may leave a request without a response, and the platform waits for it
const socketApp = (emulator: Pick<Emulator.Emulator, "httpApp">) =>
  Effect.interruptible(Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const node = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
    const response = yield* Effect.catchTag(emulator.httpApp, "ConnectionDropped", () => destroyed(node))
    return response.body._tag !== "Stream" ? response : withBody(
      response,
      HttpBody.stream(
        Stream.catch(response.body.stream, () =>
          Stream.fromEffect(Effect.suspend(() => {
            node.flushHeaders()
            return destroyed(node)
          }))),
        response.body.contentType,
        response.body.contentLength
      )
    )
  }))

// The content type and the length of the response stay, also if those of the new body differ
const withBody = (response: HttpServerResponse.HttpServerResponse, body: HttpBody.HttpBody) => {
  const replaced = HttpServerResponse.setBody(response, body)
  return ["content-type", "content-length"].reduce(
    (replaced, name) =>
      response.headers[name] === undefined
        ? HttpServerResponse.removeHeader(replaced, name)
        : HttpServerResponse.setHeader(replaced, name, response.headers[name]),
    replaced
  )
}

// A page can read only exposed headers. It needs request ids and `Retry-After`
const allowPages = HttpMiddleware.cors({ exposedHeaders: ["*"] })

// The platform interrupts the request when its socket closes, so it needs no response
const destroyed = ({ socket }: ServerResponse): Effect.Effect<never> =>
  Effect.callback(() => {
    // The callback runs once the operating system has all bytes that were written before
    socket?.write("", () => socket.destroy())
  })
