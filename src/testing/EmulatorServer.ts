/**
 * Puts an emulator on a loopback socket, for clients in any language. It needs Node, Bun or Deno, and
 * `@effect/platform-node`; loaded elsewhere, it throws an error that names what to use there.
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
 * Where to listen.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** @default any free port */
  readonly port?: number | undefined
  /** @default "127.0.0.1" */
  readonly host?: string | undefined
  /**
   * Lets pages of every origin call the emulator. Whether the provider lets them is another matter.
   *
   * @default false
   */
  readonly cors?: boolean | undefined
  /**
   * Host names under which the server may be called, beside `localhost`, `127.0.0.1`, `[::1]` and the option `host`. `"*"`
   * allows every name, which lets any page that a browser on this machine shows read what the emulator holds.
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
 * Listens until the scope closes, and says under which URL.
 *
 * **Details**
 *
 * A dropped connection is a destroyed socket: without a byte of the answer, or after the bytes that were to arrive. When
 * the scope closes, connections that are still open are closed with it, and requests that are still being handled are
 * interrupted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const listen = Effect.fnUntraced(function*(
  emulator: Pick<Emulator.Emulator, "httpApp">,
  options: Options = {}
): Effect.fn.Return<string, ServeError, Scope.Scope> {
  Check.kind("emulator", emulator, isEmulator, "an emulator")
  Check.kind("options", options, Predicate.isObject, "an object")
  Check.count("port", options.port ?? 0)
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

// Interruptible, as a request may never be answered and the platform would wait for it.
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

// The headers stay as they are, whatever the new body says of itself.
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

// Pages may read every header of an answer: request ids and `Retry-After` are no use unseen.
const allowPages = HttpMiddleware.cors({ exposedHeaders: ["*"] })

// The platform interrupts the request when its socket closes, so nothing has to be answered any more.
const destroyed = ({ socket }: ServerResponse): Effect.Effect<never> =>
  Effect.callback(() => {
    // Called once everything written before has been handed to the system.
    socket?.write("", () => socket.destroy())
  })
