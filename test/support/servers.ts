/** Servers on loopback for tests: plain, TLS with a private authority, HTTP/2, and a forward proxy. */
import { Effect, type Scope } from "effect"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import { fileURLToPath } from "node:url"

const file = (name: string) => readFileSync(fileURLToPath(new URL(`tls/${name}`, import.meta.url)), "utf8")

/**
 * Certificates for `localhost` and `127.0.0.1` that share one key. `ca` is the authority that signed them, which no system trusts.
 * `valid` is valid until 2125, `expired` was until 2021, `notYetValid` is from 2120 on, `otherHost` is for another host name.
 */
export const tls = {
  ca: file("ca.pem"),
  key: file("key.pem"),
  valid: file("valid.pem"),
  expired: file("expired.pem"),
  notYetValid: file("notYetValid.pem"),
  otherHost: file("otherHost.pem"),
  selfSigned: file("selfSigned.pem")
}

/** The options of a TLS server that shows this certificate. */
export const identity = (certificate: Exclude<keyof typeof tls, "ca" | "key"> = "valid") => ({
  key: tls.key,
  cert: tls[certificate]
})

export interface Listening {
  readonly port: number
  /** The number of connections so far. */
  readonly connections: () => number
  /** The number of open connections. */
  readonly open: () => number
}

/** Listens on a free port of loopback until the scope closes, and then closes every connection. */
export const listen = (server: net.Server): Effect.Effect<Listening, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Listening & { readonly close: Effect.Effect<void> }>((resume) => {
      const sockets = new Set<net.Socket>()
      let connections = 0
      server.on("connection", (socket) => {
        connections++
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        resume(Effect.succeed({
          port: (server.address() as net.AddressInfo).port,
          connections: () => connections,
          open: () => sockets.size,
          close: Effect.callback<void>((closed) => {
            server.close(() => closed(Effect.void))
            for (const socket of sockets) socket.destroy()
          })
        }))
      })
    }),
    ({ close }) => close
  )

/** Answers requests over HTTP/1.1. */
export const serve = (handler: http.RequestListener) =>
  Effect.map(listen(http.createServer(handler)), (listening) => ({
    ...listening,
    baseUrl: `http://127.0.0.1:${listening.port}`
  }))

/** Reads the whole body of a request. A broken request has no body. */
export const onBody = (request: http.IncomingMessage, use: (body: Buffer) => void): void => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => use(Buffer.concat(chunks)))
}

/** Answers with a value as JSON. */
export const sendJson = (response: http.ServerResponse, value: unknown, status = 200): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))

/** Answers requests over TLS, with a certificate that needs {@link tls}`.ca`. */
export const serveTls = (handler: http.RequestListener, options?: https.ServerOptions) =>
  Effect.map(listen(https.createServer({ ...identity(), ...options }, handler)), (listening) => ({
    ...listening,
    baseUrl: `https://127.0.0.1:${listening.port}`
  }))

/** Answers requests over TLS, with HTTP/2 if the client offers it and with HTTP/1.1 otherwise. */
export const serveHttp2 = (
  handler: (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void
) =>
  Effect.map(
    listen(http2.createSecureServer({ ...identity(), allowHTTP1: true }, handler)),
    (listening) => ({ ...listening, baseUrl: `https://127.0.0.1:${listening.port}` })
  )

/**
 * A forward proxy, for absolute addresses and for CONNECT. It sends every request to one port of loopback, for
 * any host, so that a test can use names that do not exist.
 */
export const serveProxy = (port: number) =>
  Effect.gen(function*() {
    const requests: Array<string> = []
    const server = http.createServer((request, response) => {
      const { host, pathname, search } = new URL(request.url!)
      requests.push(`${request.method} ${host}`)
      const forwarded = http.request(
        { port, host: "127.0.0.1", path: pathname + search, method: request.method, headers: request.headers },
        (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers))
      )
      request.pipe(forwarded).on("error", () => response.destroy())
    })
    server.on("connect", (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
      requests.push(`CONNECT ${request.url}`)
      const target = net.connect(port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
        target.write(head)
        target.pipe(socket).pipe(target)
      })
      target.on("error", () => socket.destroy())
      socket.on("error", () => target.destroy())
      socket.on("close", () => target.destroy())
    })
    const listening = yield* listen(server)
    return { ...listening, requests, url: `http://127.0.0.1:${listening.port}` }
  })
