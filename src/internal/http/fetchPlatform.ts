/** The options that each platform's `fetch` gets with a request. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { flow } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as Predicate from "effect/Predicate"
import { attempt } from "../describe.ts"
import * as SentRequests from "./sentRequests.ts"

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
  knowsNoStore ??= attempt(() => new Request("http://localhost", { cache: "no-store" })) !== undefined
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
const showsNoLimits = (dispatcher: object, depth = 0): boolean =>
  Object.getOwnPropertySymbols(dispatcher).some((key) => {
    const value = (dispatcher as { readonly [key: symbol]: unknown })[key]
    if (!Predicate.isObject(value)) return false
    const { bodyTimeout, headersTimeout } = value as { readonly [name: string]: unknown }
    return key.description === "options"
      ? bodyTimeout === undefined && headersTimeout === undefined
      : depth < 2 && key.description?.endsWith("agent") === true && showsNoLimits(value, depth + 1)
  })

/** {@link showsNoLimits}, once for each dispatcher: its options are fixed when it is made, and reading them takes 0.7 µs. */
const hasDefaultLimits = (dispatcher: Dispatcher): boolean => {
  let isDefault = limits.get(dispatcher)
  if (isDefault === undefined) limits.set(dispatcher, isDefault = showsNoLimits(dispatcher))
  return isDefault
}

const limits = new WeakMap<Dispatcher, boolean>()

/** Dispatchers of undici that notify the handler of a request before they write it. A dispatcher of the program may not do so. */
const untouched: ReadonlySet<string> = new Set(["Agent", "DispatcherBase", "EnvHttpProxyAgent", "ProxyAgent"])

/** Whether a dispatcher is undici's own, with its original `dispatch`: an interceptor would have replaced it. */
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
const makePatient = (sends: SentRequests.SentRequests | undefined): Dispatcher => ({
  dispatch: (options, handler) => {
    // The fetch of undici 8 has handlers that only the newer dispatchers know
    const isNewer = "onRequestStart" in handler
    const dispatcher = (isNewer ? globalDispatcher(1) : undefined) ?? globalDispatcher(0)!
    // undici 8 wraps its dispatcher for the fetch of older versions
    const inner = dispatcher.constructor.name === "Dispatcher1Wrapper" ? globalDispatcher(1) : dispatcher
    if (sends !== undefined && isUntouched(inner)) SentRequests.watch(sends, handler)
    return dispatcher.dispatch(
      inner !== undefined && hasDefaultLimits(inner) ? { ...options, headersTimeout: 0, bodyTimeout: 0 } : options,
      handler
    )
  },
  get isMockActive() {
    return globalDispatcher(0)?.isMockActive === true || globalDispatcher(1)?.isMockActive === true
  }
})

/** For requests that are not counted, which is nearly all of them. */
const patientDispatcher = makePatient(undefined)

/**
 * Returns the dispatcher for a request that is about to be sent, if the platform's own fetch sends it. Another fetch could
 * misunderstand it. The HTTP client reads its options once for each request that it sends, in the fiber that knows which fetch it
 * uses, so this is also where sent requests are counted.
 */
const dispatcher = (): Dispatcher | undefined => {
  const fiber = Fiber.getCurrent()
  const isPlatformFetch = fiber?.getRef(FetchHttpClient.Fetch) === globalThis.fetch
  const sends = fiber?.getRef(SentRequests.CurrentSentRequests)
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

/**
 * Adds the options that depend on the platform. The dispatcher depends on the fiber as well, so it is a getter. It is the only one:
 * the HTTP client copies the options for each request, and copying a getter takes 0.2 µs.
 */
const withPlatform = (init: RequestInit): RequestInit =>
  Object.defineProperty({ ...init, cache: noStore() as RequestCache }, "dispatcher", {
    get: dispatcher,
    enumerable: true
  })

// A redirect is checked before the credential is sent to its target. Fetch would send the credential to any origin.
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

/**
 * Whether `fetch` sends the body with its length. Every platform does so for all bodies but streams; for streams only Node and
 * Bun do.
 */
export const announcesLength = (body: HttpBody.HttpBody): boolean =>
  body._tag !== "Stream" ||
  body.contentLength !== undefined && isLikeNode() && platform.process?.versions?.deno === undefined

/**
 * Requests have no trace headers, which mean nothing to the provider and break preflight requests of browsers, and no spans of the
 * HTTP client, which show headers and causes unchanged, and so could show the key. Two services are added to the context of the
 * fiber, because merging a context would copy all services of the program for each request.
 */
const quietly = (init: RequestInit): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> => {
  // The platform is asked about its options with the first request, and not when the module is loaded
  let options: RequestInit | undefined
  const addOptions = <R>(context: Context.Context<R>) =>
    Context.add(context, FetchHttpClient.RequestInit, options ??= withPlatform(init))
  const add = flow(addOptions, Context.add(HttpClient.TracerDisabledWhen, () => true))
  return (self) => Effect.updateContext(self, add)
}

const quiet = quietly(plain)

/**
 * Sends requests with a large body. The length of a stream is announced: Node and Bun send it, and fail the request if the
 * stream is longer or shorter. Deno, workerd and browsers ignore it.
 */
export const uploading = (body: HttpBody.HttpBody): typeof quiet => {
  const init = isLikeNode() ? nodeUpload : plain
  return quietly(
    body._tag === "Stream" && body.contentLength !== undefined
      ? { ...init, headers: [[contentLength, String(body.contentLength)]] }
      : init
  )
}

/**
 * Sends requests to the provider's API. `upload` is a body of which the platform must not keep a copy. For a body of bytes
 * a copy is cheap, and with it Node reports the address of a redirect.
 */
export const calling = (upload: HttpBody.HttpBody | undefined): typeof quiet =>
  upload === undefined || upload._tag === "Uint8Array" ? quiet : uploading(upload)

/** Sends requests whose redirects the platform follows: for signed links alone, which carry no key. */
export const following: typeof quiet = quietly({})
