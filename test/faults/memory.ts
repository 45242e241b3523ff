/** Plays the script in memory, on the `TestClock`: an hour of silence takes no time. */
import { Clock, Effect, Exit, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpServerResponse } from "effect/http"
import type { Stage } from "./stage.ts"
import type { Host, Sending } from "./play.ts"

export const origins = {
  api: "https://api.faults.test",
  files: "https://files.faults.test",
  elsewhere: "https://elsewhere.test"
} as const

export interface MemoryTransport {
  readonly client: HttpClient.HttpClient
  /** The responses that are still open. */
  readonly open: () => ReadonlyArray<string>
  /** Counts all activity. The count grows while the program is busy. */
  readonly activity: () => number
  /** Counts the actions of the program. */
  readonly note: () => void
}

export const make = (stage: Stage): MemoryTransport => {
  const open = new Set<{ readonly what: string; readonly signal: AbortSignal }>()
  let activity = 0

  const client = HttpClient.make((request, url, signal) => {
    const host = hostOf(url)
    if (host === undefined) return Effect.fail(broken(request, "ENOTFOUND", "getaddrinfo"))
    const pathAndQuery = `${url.pathname}${url.search}`
    const exchange = { what: `${request.method} ${host} ${pathAndQuery}`, signal }
    open.add(exchange)
    activity++
    const close = Effect.sync(() => {
      open.delete(exchange)
    })
    const body = (sending: Sending) =>
      bodyOf(stage, sending).pipe(
        Stream.tap(() => Effect.sync(() => activity++)),
        Stream.ensuring(close)
      )
    return Effect.gen(function*() {
      const early = stage.beforeRequest(host, request.method, pathAndQuery)
      if (early === "refuse") return yield* broken(request, "ECONNREFUSED", "connect")
      if (early === "no such host") return yield* broken(request, "ENOTFOUND", "getaddrinfo")
      if (early === "reset") return yield* broken(request, "ECONNRESET", "read")
      const play = stage.handle({
        host,
        method: request.method,
        path: pathAndQuery,
        headers: { ...request.headers },
        body: yield* sent(request),
        at: yield* Clock.currentTimeMillis
      })
      switch (play._tag) {
        case "Send":
        case "SendTwice": {
          const { sending } = play
          const response = HttpServerResponse.stream(body(sending), {
            status: sending.status,
            headers: sending.headers,
            contentType: sending.headers["content-type"],
            contentLength: sending.length
          })
          // A response that is complete, or whose connection is closed, keeps nothing open if it is not read
          if (sending.ending !== "silence" && sending.ending !== "endless") open.delete(exchange)
          return HttpServerResponse.toClientResponse(response, { request })
        }
        case "Silence":
        case "SlowHeaders":
          return yield* Effect.never
        default:
          return yield* broken(request, "ECONNRESET", "read")
      }
    }).pipe(Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : close))
  })

  return {
    client,
    activity: () => activity,
    note: () => void activity++,
    open: () => Array.from(open).filter(({ signal }) => !signal.aborted).map(({ what }) => what)
  }
}

const hostOf = (url: URL): Host | undefined =>
  (Object.keys(origins) as ReadonlyArray<Host>).find((host) => origins[host] === url.origin)

/** The error that Node's fetch gives for a connection that fails. */
const broken = (request: HttpClientRequest.HttpClientRequest, code: string, syscall: string) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.TransportError({
      request,
      cause: new TypeError("fetch failed", { cause: Object.assign(new Error(`${syscall} ${code}`), { code, syscall }) })
    })
  })

/** The body of a request, read as a server reads it. */
const sent = ({ body }: HttpClientRequest.HttpClientRequest): Effect.Effect<string> =>
  body._tag === "Uint8Array"
    ? Effect.succeed(new TextDecoder().decode(body.body))
    : body._tag === "Stream"
    ? Effect.orDie(Stream.mkString(Stream.decodeText(body.stream)))
    : Effect.succeed("")

const bodyOf = (stage: Stage, { ending, parts }: Sending): Stream.Stream<Uint8Array, unknown> => {
  const once: Stream.Stream<Uint8Array> = Stream.fromIterable(parts).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((part) =>
      typeof part === "number" ? Effect.as(Effect.sleep(part * stage.timing.beatMillis), empty) : Effect.succeed(part)
    ),
    Stream.filter((bytes) => bytes.length > 0)
  )
  switch (ending) {
    case "end":
      return once
    case "cut":
      return Stream.concat(once, Stream.fail(terminated("UND_ERR_SOCKET", "other side closed")))
    case "reset":
      return Stream.concat(once, Stream.fail(terminated("ECONNRESET", "read ECONNRESET")))
    case "silence":
      return Stream.concat(once, Stream.never)
    case "endless":
      return Stream.forever(once)
  }
}

const empty = new Uint8Array(0)

/** The error of Node's fetch for a body that breaks off. */
const terminated = (code: string, message: string) =>
  new TypeError("terminated", { cause: Object.assign(new Error(message), { code }) })
