/**
 * What each platform's `fetch` is told and what it gives back: the options of a request, and the bodies of responses.
 * Nothing else in the library depends on the platform's `fetch`.
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as Headers from "effect/http/Headers"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Sends from "./sends.ts"
import { quote } from "../describe.ts"

// --------------------------------------------------------------------------------------------------------------------
// Requests
// --------------------------------------------------------------------------------------------------------------------

/** The parts of the global scope that tell the platforms apart. */
const platform = globalThis as {
  readonly process?: { readonly versions?: { readonly node?: string; readonly bun?: string; readonly deno?: string } }
  readonly navigator?: { readonly userAgent?: string }
}

/** Whether the platform is Node, or one that imitates it: Bun or Deno, but not workerd. */
const isLikeNode = (): boolean =>
  platform.process?.versions?.node !== undefined && platform.navigator?.userAgent !== "Cloudflare-Workers"

/** Whether the platform is Node itself, whose fetch is undici. */
const isNode = (): boolean =>
  isLikeNode() && platform.process?.versions?.bun === undefined && platform.process?.versions?.deno === undefined

/**
 * Whether the platform knows `cache: "no-store"`. workerd throws on it in programs with a compatibility date before
 * 2024-11-11. The platform is asked once, with a request that is not sent.
 */
let knowsNoStore: boolean | undefined
const noStore = (): RequestCache | undefined => {
  knowsNoStore ??= Option.isSome(
    Option.liftThrowable(() => new Request("http://localhost", { cache: "no-store" }))()
  )
  return knowsNoStore ? "no-store" : undefined
}

/** A dispatcher of undici, which sends the requests of Node's fetch. */
interface Dispatcher {
  readonly dispatch: (options: object, handler: object) => boolean
  readonly isMockActive?: boolean
}

/** The dispatchers that programs set with undici up to version 7, and from version 8 on. */
const dispatcherKeys = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")] as const

const globalDispatcher = (version: 0 | 1): Dispatcher | undefined =>
  (globalThis as { readonly [key: symbol]: Dispatcher | undefined })[dispatcherKeys[version]]

/**
 * Whether a dispatcher, or the agent that it uses, shows its options and they set no limit on the time until the headers
 * or between two chunks. Then undici's default applies, which is 300 s.
 */
const hasDefaultLimits = (dispatcher: object | undefined, depth = 0): boolean =>
  dispatcher !== undefined && Object.getOwnPropertySymbols(dispatcher).some((key) => {
    const value = (dispatcher as { readonly [key: symbol]: unknown })[key]
    if (!Predicate.isObject(value)) return false
    const { bodyTimeout, headersTimeout } = value as { readonly [name: string]: unknown }
    return key.description === "options"
      ? bodyTimeout === undefined && headersTimeout === undefined
      : depth < 2 && key.description?.endsWith("agent") === true && hasDefaultLimits(value, depth + 1)
  })

/** Dispatchers of undici that tell the handler of a request before they write it. One of the program's need not. */
const untouched: ReadonlySet<string> = new Set(["Agent", "DispatcherBase", "EnvHttpProxyAgent", "ProxyAgent"])

/** Whether a dispatcher is undici's own, without a `dispatch` of the program's, such as one of an interceptor. */
const isUntouched = (dispatcher: object | undefined): boolean => {
  let owner: object | null = dispatcher === undefined ? null : Object.getPrototypeOf(dispatcher) as object | null
  while (owner !== null && !Object.hasOwn(owner, "dispatch")) owner = Object.getPrototypeOf(owner) as object | null
  return owner !== null && untouched.has(dispatcher!.constructor.name) && untouched.has(owner.constructor.name) &&
    (dispatcher as Dispatcher).dispatch === (owner as Dispatcher).dispatch
}

/**
 * Sends each request through the dispatcher that Node's fetch would have used, and lifts undici's default limits from it: the
 * client has its own timeouts. Proxies, mocks and certificates of that dispatcher apply, and so do limits that it sets.
 */
const makePatient = (sends: Sends.Sends | undefined): Dispatcher => ({
  dispatch: (options, handler) => {
    // The fetch of undici 8 has handlers that only the newer dispatchers know
    const isNewer = "onRequestStart" in handler
    const dispatcher = (isNewer ? globalDispatcher(1) : undefined) ?? globalDispatcher(0)!
    // undici 8 wraps its dispatcher for the fetch of older versions
    const inner = dispatcher.constructor.name === "Dispatcher1Wrapper" ? globalDispatcher(1) : dispatcher
    if (sends !== undefined && isUntouched(inner)) Sends.watch(sends, handler)
    return dispatcher.dispatch(
      hasDefaultLimits(inner) ? { ...options, headersTimeout: 0, bodyTimeout: 0 } : options,
      handler
    )
  },
  get isMockActive() {
    return globalDispatcher(0)?.isMockActive === true || globalDispatcher(1)?.isMockActive === true
  }
})

/** For requests that are not counted, which are nearly all. */
const patientDispatcher = makePatient(undefined)

/**
 * Returns the dispatcher for a request that is about to be sent, if the platform's own fetch sends it. Another fetch might take it
 * for something else. The HTTP client reads its options once for each request that it sends, in the fiber that knows which fetch it
 * uses, so this is also where sent requests are counted.
 */
const dispatcher = (): Dispatcher | undefined => {
  const fiber = Fiber.getCurrent()
  const isPlatformFetch = fiber?.getRef(FetchHttpClient.Fetch) === globalThis.fetch
  const sends = fiber?.getRef(Sends.CurrentSends)
  if (sends !== undefined) {
    sends.count++
    sends.isOwnFetch ||= !isPlatformFetch
  }
  return !isNode() || !isPlatformFetch || !Object.isExtensible(globalThis)
    ? undefined
    : sends === undefined
    ? patientDispatcher
    : makePatient(sends)
}

/** Adds the options that are the same for all requests, and are looked up when a request is sent. */
const withPlatform = (init: RequestInit): RequestInit =>
  Object.defineProperties({ ...init }, {
    cache: { get: noStore, enumerable: true },
    dispatcher: { get: dispatcher, enumerable: true }
  })

// A redirect is looked at before the credential goes anywhere. Fetch by itself would carry it along to any origin.
const plain: RequestInit = { redirect: "manual" }

// Node's fetch keeps a second copy of a body in memory to be able to repeat it after a redirect, except for requests with
// exactly these values of the two options. workerd knows neither, and keeps no copy.
const nodeUpload: RequestInit = { redirect: "error", window: null }

/**
 * The name of a header that Effect's fetch client lets pass. The client removes every header called "content-length", so that
 * fetch would send a stream in chunks of unknown total, which S3 and other stores refuse with 411 or 501. It takes the headers
 * of `RequestInit` as pairs and asks each name for its lower case, and this name has none. Header names are case-insensitive.
 */
const contentLength = Object.assign(Object("Content-Length") as string, { toLowerCase: () => "Content-Length" })

/** Whether `fetch` sends the body with its length. It does so for all but streams; for these only Node and Bun do. */
export const announcesLength = (body: HttpBody.HttpBody): boolean =>
  body._tag !== "Stream" ||
  body.contentLength !== undefined && isLikeNode() && platform.process?.versions?.deno === undefined

/**
 * Returns the options of fetch for a large body. The length of a stream is announced: Node and Bun send it, and fail the
 * request if the stream is longer or shorter. Deno, workerd and browsers ignore it.
 */
export const uploadInit = (body: HttpBody.HttpBody): RequestInit => {
  const init = isLikeNode() ? nodeUpload : plain
  return withPlatform(
    body._tag === "Stream" && body.contentLength !== undefined
      ? { ...init, headers: [[contentLength, String(body.contentLength)]] }
      : init
  )
}

/**
 * No trace headers towards the provider, for whom they mean nothing and whose browser preflight they break; and none of
 * the client's own spans, which show headers and causes as they came, and so could show the key.
 */
const quietly = (init: RequestInit): Context.Context<never> =>
  Context.make(FetchHttpClient.RequestInit, init).pipe(Context.add(HttpClient.TracerDisabledWhen, () => true))

const quiet = quietly(withPlatform(plain))

/**
 * Makes the requests of an effect with the options of the provider's API, and without spans of the HTTP client. `upload` is a
 * body that the platform must not keep a copy of. Bytes are small, and Node tells where a request with a copy is redirected to.
 */
export const context = (upload: HttpBody.HttpBody | undefined): Context.Context<never> =>
  upload === undefined || upload._tag === "Uint8Array" ? quiet : quietly(uploadInit(upload))

/**
 * Whether fetch gave up because it was redirected and told not to follow. The words are those of Node, Bun and Deno: the
 * standard has none for it.
 */
export const isRefusedRedirect = ({ reason }: HttpClientError.HttpClientError): boolean => {
  for (let cause: unknown = reason.cause, depth = 0; cause instanceof Error && depth < 4; depth++) {
    if (/unexpected ?redirect|redirect mode/i.test(cause.message)) return true
    cause = cause.cause
  }
  return false
}

/** Makes the requests of an effect as {@link context} does, and lets the platform follow redirects: for signed links alone. */
export const following: Context.Context<never> = quietly(withPlatform({}))

/** What to do about a failure of the transport, by its code. */
const adviceByCode = (code: string): string | undefined => {
  switch (code) {
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return "This is a limit of the dispatcher that your program set, 300 s by default. Set its headersTimeout and bodyTimeout " +
        "to 0, or use NodeHttp.layer of canvas-runs/node, or start long executions with async: true"
    case "CERT_UNTRUSTED":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "The server's certificate is not trusted. If it is that of your own gateway or proxy, trust the authority that signed " +
        "it: connect: { ca } of NodeHttp.layer, or NODE_EXTRA_CA_CERTS for fetch"
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "HOSTNAME_MISMATCH":
      return "The server's certificate is for another host. Check the base URL. If your own gateway or proxy answers in the " +
        "provider's place, give connect: { ca, servername } to NodeHttp.layer, or let it have a certificate for this host that " +
        "NODE_EXTRA_CA_CERTS trusts, for fetch"
    default:
      return undefined
  }
}

/** What to do about a proxy that asks for credentials. */
export const proxyAdvice =
  "Put the proxy's credentials into its address, http://user:password@host:port, which is the option proxy of NodeHttp.layer, or " +
  "HTTP_PROXY and HTTPS_PROXY"

/** Returns what to do about a request without an answer, where the cause tells. */
export const adviceFor = (cause: unknown): string | undefined => {
  let part = cause
  for (let depth = 0; depth < 5 && Predicate.isObject(part); depth++) {
    const { cause, code, message } = part as Readonly<Record<string, unknown>>
    const advice = typeof code === "string" ? adviceByCode(code) : undefined
    if (advice !== undefined) return advice
    // undici, for plain requests and for tunnels
    if (typeof message === "string" && /^Proxy (?:Authentication Required|response) \(407\)/.test(message)) {
      return proxyAdvice
    }
    part = cause
  }
  return undefined
}

// --------------------------------------------------------------------------------------------------------------------
// Bodies
// --------------------------------------------------------------------------------------------------------------------

/** The response of a fetch, which may be one that only resembles the platform's. */
interface FetchResponse {
  readonly body?: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string> | null
  readonly arrayBuffer?: () => Promise<ArrayBuffer>
  readonly text?: () => Promise<string>
}

const isWebStream = (body: FetchResponse["body"]): body is ReadableStream<Uint8Array> =>
  Predicate.hasProperty(body, "getReader") && Predicate.isFunction(body.getReader)

/**
 * Returns the body of a fetch's response, to be read by hand, which takes half of the time that Effect's way takes; or "taken" if
 * other code has begun to read it, such as a client that logs responses. Other clients, and a fetch whose body is not a web
 * stream, have none.
 */
export const fetchBody = (
  response: HttpClientResponse.HttpClientResponse
): ReadableStream<Uint8Array> | "taken" | undefined => {
  const web = Option.getOrUndefined(HttpClientResponse.toWeb(response))
  const body: FetchResponse["body"] = web?.body
  return web?.bodyUsed === true || isWebStream(body) && body.locked ? "taken" : isWebStream(body) ? body : undefined
}

/**
 * Returns the chunks of a body. Where a fetch gives no web stream, as `node-fetch` and React Native, the body is read from
 * its async iterable, or else as a whole.
 */
export const stream = (
  response: HttpClientResponse.HttpClientResponse
): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> => {
  const failed = decodeError(response)
  return Stream.unwrap(Effect.map(
    Effect.acquireRelease(Scope.make(), (scope, exit) => inBackground(Scope.close(scope, exit))),
    (scope) => {
      const pull = Effect.map(
        Effect.suspend(() => Scope.provide(Stream.toPull(bodyOf(response)), scope)),
        (pull) => {
          const next = Effect.map(pull, (pieces) => Arr.map(pieces, toBytes)).pipe(
            Effect.catchDefect((cause) => Effect.fail(failed(cause)))
          )
          let count = 0
          return Effect.suspend(() => ++count % piecesPerTurn === 0 ? Effect.andThen(Effect.yieldNow, next) : next)
        }
      )
      return Stream.fromPull(Effect.catchDefect(pull, (cause) => Effect.fail(failed(cause))))
    }
  ))
}

/** The pieces of a body as the HTTP client gives them. Some clients throw, or give what is not bytes. */
const bodyOf = (
  response: HttpClientResponse.HttpClientResponse
): Stream.Stream<Uint8Array | string, HttpClientError.HttpClientError> => {
  const web: FetchResponse | undefined = Option.getOrUndefined(HttpClientResponse.toWeb(response))
  if (web === undefined || isWebStream(web.body)) return response.stream
  const failed = decodeError(response)
  return isAsyncIterable(web.body)
    ? Stream.fromAsyncIterable(web.body, failed)
    : Stream.fromEffect(Effect.tryPromise({ try: () => whole(web), catch: failed }))
}

/** Runs the release of a body in the background. Its failure is ignored, because it may take any time and throw anything. */
const inBackground = (release: Effect.Effect<unknown, unknown>): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkDetach(Effect.ignoreCause(release), { startImmediately: true }))

/**
 * How many pieces of a body are read in one turn of the event loop at most. A body that always has its next piece ready would
 * otherwise keep every timer from firing, and so could last longer than any timeout.
 */
export const piecesPerTurn = 64

/** Releases a body in the background. A failure is ignored, because a body may take any time and throw anything. */
export const release = (cancel: () => unknown): void => {
  new Promise((resolve) => resolve(cancel())).catch(constVoid)
}

const isAsyncIterable = (body: FetchResponse["body"]): body is AsyncIterable<Uint8Array | string> =>
  Predicate.hasProperty(body, Symbol.asyncIterator)

const whole = (web: FetchResponse): Promise<Uint8Array> =>
  web.arrayBuffer !== undefined
    ? web.arrayBuffer().then(toBytes)
    : web.text !== undefined
    ? web.text().then(toBytes)
    : Promise.reject(new TypeError("the response of this fetch has no body, no arrayBuffer() and no text()"))

/** The bytes of a piece of a body. It throws a TypeError for what is none, as an odd client may give. */
export const toBytes = (piece: unknown): Uint8Array => {
  if (piece instanceof Uint8Array) return piece
  if (typeof piece === "string") return new TextEncoder().encode(piece)
  if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)
  if (Predicate.hasProperty(piece, "byteLength")) return new Uint8Array(piece as ArrayBuffer)
  throw new TypeError(`the HTTP client gave a piece of the body that is not bytes: ${quote(piece)}`)
}

const decodeError = (response: HttpClientResponse.HttpClientResponse) => (cause: unknown) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.DecodeError({ request: response.request, response, cause })
  })

/** Compressions that servers use. Other values of `content-encoding`, such as "aws-chunked" of S3, leave the body as it is. */
const compressions: ReadonlySet<string> = new Set(
  ["br", "compress", "dcb", "dcz", "deflate", "gzip", "x-compress", "x-gzip", "zstd"]
)

/** Those that every fetch decodes, or has not asked for. */
const fetchDecodes: ReadonlySet<string> = new Set(["br", "deflate", "gzip", "x-gzip", "zstd"])

/** Returns the compressions of a body, in the order in which they were applied. */
export const compressionsOf = (headers: Headers.Headers): ReadonlyArray<string> =>
  headers["content-encoding"]?.toLowerCase().split(",").map((encoding) => encoding.trim())
    .filter((encoding) => compressions.has(encoding)) ?? []

/** Returns the `content-encoding` of a body that the HTTP client has left compressed. A fetch decodes, and other clients do not. */
export const undecoded = (
  response: HttpClientResponse.HttpClientResponse,
  headers: Headers.Headers
): string | undefined => {
  const left = compressionsOf(headers).filter((encoding) =>
    !fetchDecodes.has(encoding) || Option.isNone(HttpClientResponse.toWeb(response))
  )
  return left.length === 0 ? undefined : headers["content-encoding"]
}

/** Cancels an unread body in the background. That frees its connection at once, and not at the next garbage collection. */
export const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  inBackground(Effect.scoped(
    Effect.flatMap(
      Effect.suspend(() => Stream.toPull(bodyOf(response))),
      // Some bodies are opened by the first pull
      (pull) => Effect.raceFirst(pull, Effect.yieldNow)
    )
  ))

/** The body as text; `undefined` if it is longer than `maxBytes`. The rest of a longer body is not read. */
export const readText = (
  response: HttpClientResponse.HttpClientResponse,
  headers: Headers.Headers,
  maxBytes: number,
  isUpload = false,
  /** Is given each piece of the text when it arrives, in case the rest does not. */
  onText?: (text: string) => void
): Effect.Effect<string | undefined, HttpClientError.HttpClientError> => {
  const header = headers["content-length"]
  const length = header !== undefined && /^\d+$/.test(header) ? header : undefined
  if (length !== undefined && Number(length) > maxBytes) return Effect.as(discard(response), undefined)
  const isFetch = Option.isSome(HttpClientResponse.toWeb(response))
  const body = fetchBody(response)
  if (body === "taken") {
    return Effect.map(response.text, (text) => text.length > maxBytes ? undefined : text)
  }
  // Who takes the body over does not stop an upload that is still under way
  if (body !== undefined && !isUpload) return boundedText(maxBytes, (take) => readAll(response, body, take), onText)
  // Only a length of the very bytes that arrive is a bound; compressed ones can grow without end
  const isDecoded = body === undefined && isFetch
  const isBounded = length !== undefined && headers["content-encoding"] === undefined && !isDecoded
  return isBounded && onText === undefined
    ? response.text
    : boundedText(maxBytes, (take) =>
      stream(response).pipe(
        Stream.runForEachWhile((chunk) => Effect.sync(() => take(chunk))),
        Effect.catchIf((error) => error.reason._tag === "EmptyBodyError", () => Effect.void)
      ), onText)
}

/** Reads a body as long as it is within bounds. What is beyond them is not read, and closes the connection. */
const boundedText = (
  maxBytes: number,
  read: (take: (chunk: Uint8Array) => boolean) => Effect.Effect<void, HttpClientError.HttpClientError>,
  onText: ((text: string) => void) | undefined
): Effect.Effect<string | undefined, HttpClientError.HttpClientError> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let bytes = 0
    let text = ""
    return Effect.map(
      read((chunk) => {
        bytes += chunk.byteLength
        const piece = bytes <= maxBytes ? decoder.decode(chunk, { stream: true }) : ""
        text += piece
        onText?.(piece)
        return bytes <= maxBytes
      }),
      () => bytes > maxBytes ? undefined : text + decoder.decode()
    )
  })

/** Reads a body until it ends or has been enough, and lets the event loop turn now and then. */
const readAll = (
  response: HttpClientResponse.HttpClientResponse,
  body: ReadableStream<Uint8Array>,
  take: (chunk: Uint8Array) => boolean
): Effect.Effect<void, HttpClientError.HttpClientError> =>
  Effect.flatMap(Effect.try({ try: () => body.getReader(), catch: decodeError(response) }), (reader) => {
    const cancel = () => release(() => reader.cancel())
    const readOn: Effect.Effect<void, HttpClientError.HttpClientError> = Effect.callback((resume) => {
      let count = 0
      const onPiece = ({ done, value }: ReadableStreamReadResult<unknown>): void => {
        if (done) return resume(Effect.void)
        if (!take(toBytes(value))) {
          cancel()
          return resume(Effect.void)
        }
        if (++count < piecesPerTurn) return next()
        resume(Effect.andThen(Effect.onInterrupt(Effect.yieldNow, () => Effect.sync(cancel)), readOn))
      }
      const onFailure = (cause: unknown) => {
        cancel()
        resume(Effect.fail(decodeError(response)(cause)))
      }
      const next = (): void => void reader.read().then(onPiece).catch(onFailure)
      // An odd reader may throw
      Result.match(Result.try(next), { onFailure, onSuccess: constVoid })
      return Effect.sync(cancel)
    })
    return readOn
  })
