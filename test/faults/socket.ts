/** Plays the script on loopback sockets, byte by byte, including faults that only a real connection can have. */
import { Effect, type Scope } from "effect"
import * as net from "node:net"
import * as tls from "node:tls"
import { identity } from "../support/servers.ts"
import type { Stage } from "./stage.ts"
import { encode, type Host, type Play, type Sending } from "./play.ts"

export interface SocketServer {
  readonly origins: Readonly<Record<Host, string>>
  /** The open connections, each with its last request. */
  readonly open: () => ReadonlyArray<string>
}

/** Listens until the scope closes: one port for each host. */
export const listen = (makeStage: (origins: () => Readonly<Record<Host, string>>) => Stage) =>
  Effect.gen(function*() {
    const origins: Record<Host, string> = { api: "", files: "", elsewhere: "" }
    const stage = makeStage(() => origins)
    const open = new Map<net.Socket, string>()
    for (const host of ["api", "files", "elsewhere"] as const) {
      origins[host] = stage.beforeConnection(host, 0) === "no such host"
        ? "http://nowhere.invalid"
        : yield* listenOn(stage, host, open)
    }
    return { stage, server: { origins, open: () => Array.from(open.values()) } satisfies SocketServer }
  })

const listenOn = (stage: Stage, host: Host, open: Map<net.Socket, string>): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Server>((resume) => {
        let connections = 0
        const onConnection = (socket: net.Socket) => {
          const early = stage.beforeConnection(host, connections++)
          socket.on("error", () => {})
          open.set(socket, `${host}: no request yet`)
          socket.on("close", () => open.delete(socket))
          if (early === "reset") {
            socket.resetAndDestroy()
            return
          }
          readRequest(socket, (method, path, headers, body) => {
            open.set(socket, `${method} ${host} ${path}`)
            const play = stage.handle({ host, method, path, headers, body, at: Date.now() })
            // The next connection is refused, because the server no longer listens
            if (stage.beforeConnection(host, connections) === "refuse") server.close()
            void perform(socket, play, stage.timing.beatMillis)
          })
        }
        const speaks = stage.tls(host)
        const server: net.Server = speaks === "untrusted" || speaks === "expired"
          ? tls.createServer(identity(speaks === "expired" ? "expired" : "valid"), onConnection)
          : net.createServer({ noDelay: true }, onConnection)
        const isRefusedSoon = stage.beforeConnection(host, Infinity) === "refuse"
        server.on("error", () => server.listen(nextQuietPort(), "127.0.0.1"))
        server.on("listening", () => {
          if (stage.beforeConnection(host, 0) !== "refuse") return resume(Effect.succeed(server))
          const address = server.address()
          server.close(() => resume(Effect.succeed(Object.assign(server, { address: () => address }))))
        })
        server.listen(isRefusedSoon ? nextQuietPort() : 0, "127.0.0.1")
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          for (const socket of open.keys()) socket.destroy()
        })
    ),
    (server) =>
      `${stage.tls(host) === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  )

/** A faulty proxy. */
export const listenAsProxy = (
  fault: "refuses" | "asks for a password" | "cuts"
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: net.Server; readonly port: number }>((resume) => {
        const server = net.createServer((socket) => {
          socket.on("error", () => {})
          socket.once("data", (bytes) => {
            if (fault === "asks for a password") {
              socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            } else if (!bytes.toString("latin1").startsWith("CONNECT")) socket.resetAndDestroy()
            else {
              // The tunnel is open, and the request is sent through it
              socket.once("data", () => socket.resetAndDestroy())
              socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
            }
          })
        })
        server.listen(fault === "refuses" ? nextQuietPort() : 0, "127.0.0.1", () => {
          const { port } = server.address() as net.AddressInfo
          if (fault !== "refuses") return resume(Effect.succeed({ server, port }))
          server.close(() => resume(Effect.succeed({ server, port })))
        })
      }),
      ({ server }) => Effect.sync(() => server.close())
    ),
    ({ port }) => `http://127.0.0.1:${port}`
  )

let quietPort = 20_000

/** A port outside the range that the system assigns, so that it stays closed. */
const nextQuietPort = (): number => {
  quietPort = quietPort === 29_999 ? 20_000 : quietPort + 1
  return quietPort
}

type OnRequest = (method: string, path: string, headers: Readonly<Record<string, string>>, body: string) => void

/** Reads one request with its body. */
const readRequest = (socket: net.Socket, onRequest: OnRequest): void => {
  let bytes = Buffer.alloc(0)
  let isDone = false
  socket.on("data", (chunk) => {
    if (isDone) return
    bytes = Buffer.concat([bytes, chunk as Buffer])
    // The first byte of TLS, to a server without TLS
    if (bytes[0] === 22) {
      isDone = true
      socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
      return
    }
    const end = bytes.indexOf("\r\n\r\n")
    if (end === -1) return
    const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n")
    const [method = "", path = ""] = first.split(" ")
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()])
    )
    const rest = bytes.subarray(end + 4)
    const body = headers["transfer-encoding"] === "chunked"
      ? unchunked(rest)
      : rest.length >= Number(headers["content-length"] ?? 0)
      ? rest
      : undefined
    if (body === undefined) return
    isDone = true
    onRequest(method, path, headers, body.toString())
  })
}

/** The body of these chunks, once the last chunk has arrived. */
const unchunked = (bytes: Buffer): Buffer | undefined => {
  const pieces: Array<Buffer> = []
  let at = 0
  while (true) {
    const line = bytes.indexOf("\r\n", at)
    if (line === -1) return undefined
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16)
    if (size === 0) return Buffer.concat(pieces)
    const start = line + 2
    if (bytes.length < start + size + 2) return undefined
    pieces.push(bytes.subarray(start, start + size))
    at = start + size + 2
  }
}

/** Each connection is closed after its response, so that an open connection is one that the client has not released. */
const head = ({ headers, length, status }: Sending, connection = "close"): string =>
  [
    `HTTP/1.1 ${status} Whatever`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    length === undefined ? "transfer-encoding: chunked" : `content-length: ${length}`,
    `connection: ${connection}`,
    "",
    ""
  ].join("\r\n")

const perform = async (socket: net.Socket, play: Play, beatMillis: number): Promise<void> => {
  switch (play._tag) {
    case "Send":
      return send(socket, play.sending, beatMillis)
    case "SendTwice": {
      const one = Buffer.concat([
        encode(head({ ...play.sending, length: undefined }, "keep-alive")),
        ...play.sending.parts.filter((part) => typeof part !== "number").map(chunked),
        lastChunk
      ])
      await write(socket, Buffer.concat([one, one]))
      return
    }
    case "SlowHeaders":
      for (const byte of encode(head({ status: 200, headers: {}, parts: [], length: 0, ending: "end" }))) {
        if (socket.destroyed) return
        await write(socket, Uint8Array.of(byte))
        await pause(beatMillis)
      }
      return
    case "Reset":
      if (play.when === "headers") await write(socket, encode("HTTP/1.1 200 OK\r\ncontent-type: applica"))
      socket.resetAndDestroy()
      return
    default:
      // Sends nothing, forever
  }
}

const send = async (socket: net.Socket, sending: Sending, beatMillis: number): Promise<void> => {
  const frame = sending.length === undefined ? chunked : (bytes: Uint8Array) => bytes
  await write(socket, encode(head(sending)))
  do {
    for (const part of sending.parts) {
      if (socket.destroyed) return
      if (typeof part === "number") await pause(part * beatMillis)
      else await write(socket, frame(part))
    }
  } while (sending.ending === "endless" && !socket.destroyed)
  switch (sending.ending) {
    case "end":
      if (sending.length === undefined) await write(socket, lastChunk)
      socket.end()
      return
    case "cut":
      socket.end()
      return
    case "reset":
      // Waits until the client has read: a reset discards the bytes that the client has not read yet
      await pause(beatMillis)
      socket.resetAndDestroy()
      return
    default:
  }
}

const chunked = (bytes: Uint8Array): Uint8Array =>
  Buffer.concat([encode(`${bytes.length.toString(16)}\r\n`), bytes, encode("\r\n")])

const lastChunk = encode("0\r\n\r\n")

/** Writes, and waits until the system has accepted the bytes and other callbacks have run. */
const write = (socket: net.Socket, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) return resolve()
    socket.once("close", resolve)
    socket.write(bytes, () => {
      socket.off("close", resolve)
      setImmediate(resolve)
    })
  })

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
