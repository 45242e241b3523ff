/**
 * The common part of every emulator: a record of the requests, faults, a clock that can be moved, and two ways to call it without a
 * socket. `EmulatorServer` serves it on a socket.
 *
 * A provider supplies one function from a request to a response. In memory and on a socket, the same HTTP app calls it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ConnectionDropped, Exchange, ReceivedRequest } from "./Exchange.ts"
import type * as Fault from "./Fault.ts"
import * as faults from "./internal/faults.ts"
import * as received from "./internal/request.ts"
import * as rude from "./internal/rude/http.ts"
import * as uuid from "./internal/uuid.ts"
import type * as Rude from "./Rude.ts"

export {
  BodyError,
  ConnectionDropped,
  type Exchange,
  type Form,
  FormError,
  type FormLimits,
  type ReceivedFile,
  type ReceivedRequest
} from "./Exchange.ts"
import * as Check from "./internal/check.ts"
import * as Predicate from "effect/Predicate"

/**
 * The part of an emulator that is the same for every provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Emulator {
  /** The origins that the in-memory client answers for. */
  readonly origins: ReadonlyArray<string>
  /** The provider, as an HTTP app. Serve it with any server of Effect. */
  readonly httpApp: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    ConnectionDropped,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** The requests received so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Removes the records of the requests. */
  readonly clearRequests: Effect.Effect<void>
  /**
   * Adds faults. A request gets the first fault that matches it and is not used up.
   *
   * **Example** (Polls that fail twice)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { Fault, SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   const { runs } = yield* Spine.SpineClient
   *   const run = yield* runs.create({ prompt: "Tides" })
   *   yield* emulator.fault(Fault.status(503).pipe(Fault.times(2)))
   *   yield* runs.retrieve(run)
   *   const polls = (yield* emulator.requests).filter(({ method }) => method === "GET")
   *   console.log(polls.map(({ status }) => status)) // => [503, 503, 200]
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly fault: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
  /** Removes every fault. */
  readonly clearFaults: Effect.Effect<void>
  /**
   * Moves the clock of the emulator ahead of that of the program.
   *
   * **When to use**
   *
   * Use it in a program on the real clock, above all for an emulator in another process. On the `TestClock`, use
   * `TestClock.adjust`.
   *
   * **Example** (A run that takes an hour)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   const { runs } = yield* Spine.SpineClient
   *   const run = yield* runs.create({ prompt: "Tides" })
   *   yield* emulator.advance("1 hour")
   *   console.log((yield* runs.retrieve(run)).status) // => "completed"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
  /** The time on the emulator's clock, in Unix milliseconds. */
  readonly now: Effect.Effect<number>
}

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The origins that the in-memory client answers for. */
  readonly origins: ReadonlyArray<string>
  /** The name of the header with the request id, which every response has. */
  readonly requestIdHeader: string
  /** Returns the body of a response with an error status, unless the fault has a body. */
  readonly errorBody: (status: number) => unknown
  /** Returns the headers of such a response. */
  readonly errorHeaders?: ((status: number) => Readonly<Record<string, string>>) | undefined
  /**
   * The peculiarities of real servers that the emulator has.
   *
   * @default Rude.none
   */
  readonly rude?: Rude.Rude | undefined
  /** The facts about the provider that peculiarities depend on. Without them, only those that every provider has take effect. */
  readonly rudeProfile?: rude.Profile | undefined
}

/**
 * Makes the common part of an emulator from a function that answers requests as the provider does.
 *
 * **When to use**
 *
 * Use it to emulate a provider of your own, with the same faults, records and clock as `SpineEmulator` and `TelaEmulator`.
 *
 * **Example** (A provider that echoes)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HttpServerResponse } from "effect/http"
 * import { Emulator } from "canvas-runs/testing"
 *
 * const emulator = Emulator.make(
 *   { origins: ["https://api.example"], requestIdHeader: "x-request-id", errorBody: (status) => ({ status }) },
 *   ({ url }) => Effect.succeed(HttpServerResponse.text(`you asked for ${url.pathname}`))
 * )
 *
 * const client = Emulator.toHttpClient(await Effect.runPromise(emulator))
 * const main = Effect.flatMap(client.get("https://api.example/jobs/42"), ({ text }) => text)
 *
 * console.log(await Effect.runPromise(main)) // => "you asked for /jobs/42"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options,
  handle: (exchange: Exchange) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope>
): Effect.fn.Return<Emulator> {
  Check.kind("options", options, isOptions, "an object with origins, requestIdHeader and errorBody")
  Check.kind("handle", handle, Predicate.isFunction, "a function")
  const newId = yield* uuids
  const given = faults.make()
  let requests: Array<received.Recording> = []
  let ahead = 0

  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis + ahead)

  const toResponse = (answer: Fault.Answer): HttpServerResponse.HttpServerResponse => {
    const { headers, status } = answer
    if (answer.body === undefined) {
      return HttpServerResponse.jsonUnsafe(options.errorBody(status), {
        status,
        headers: { ...options.errorHeaders?.(status), ...headers }
      })
    }
    const { content, contentType } = answer.body
    return typeof content === "string"
      ? HttpServerResponse.text(content, { status, headers, contentType })
      : HttpServerResponse.uint8Array(content, { status, headers, contentType })
  }

  const selected = options.rude ?? []
  const receive = selected.length === 0
    ? polite
    : rude.make(
      selected,
      options.rudeProfile ?? rude.noProfile,
      () => toResponse({ status: 404, headers: {}, body: undefined })
    )

  const httpApp = Effect.gen(function*() {
    const sent = yield* HttpServerRequest.HttpServerRequest
    const url = urlOf(sent.url)
    const { request, respond } = receive(sent, url)
    const recording: received.Recording = {
      id: newId(),
      method: request.method,
      url: request.originalUrl,
      path: url.pathname,
      headers: { ...request.headers },
      fields: {},
      files: [],
      json: undefined,
      receivedAt: yield* now,
      status: undefined
    }
    requests.push(recording)
    const fault = given.take(recording)
    if (fault !== undefined && fault.delayMillis > 0) yield* Effect.sleep(fault.delayMillis)
    const handled = respond(Effect.suspend(() =>
      Effect.flatMap(now, (now) =>
        handle({
          request,
          url,
          now,
          uuid: newId,
          form: (limits) => received.readForm(request, limits, recording),
          bytes: (limit) => received.readBytes(request, limit),
          json: (limit) => received.readJson(request, limit, recording)
        }))
    ))
    const response = yield* fault === undefined ? handled : faults.act(fault.action, handled, toResponse)
    recording.status = response.status
    return options.requestIdHeader in response.headers || selected.includes("noRequestId")
      ? response
      : HttpServerResponse.setHeader(response, options.requestIdHeader, recording.id)
  })

  return {
    origins: options.origins,
    httpApp,
    requests: Effect.sync(() => requests.map(received.snapshot)),
    clearRequests: Effect.sync(() => {
      requests = []
    }),
    fault: (...added) => given.add(added),
    clearFaults: given.clear,
    advance: (duration) =>
      Effect.sync(() => {
        ahead += Check.millis("duration", duration)
      }),
    now
  }
})

/**
 * Returns a function that makes a new UUID with each call, from the `Random` of the context.
 *
 * **Example** (The same UUIDs for the same seed)
 *
 * ```ts
 * import { Effect, Random } from "effect"
 * import { Emulator } from "canvas-runs/testing"
 *
 * const first = Effect.map(Emulator.uuids, (uuid) => uuid()).pipe(Random.withSeed("a seed"))
 *
 * console.log(await Effect.runPromise(first) === await Effect.runPromise(first)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const uuids: Effect.Effect<() => string> = Effect.map(Random.Random, (random) => () => uuid.make(random))

/**
 * Returns the origin that a request was sent to.
 *
 * **Example** (The origin of a web request)
 *
 * ```ts
 * import { HttpServerRequest } from "effect/http"
 * import { Emulator } from "canvas-runs/testing"
 *
 * const request = HttpServerRequest.fromWeb(new Request("https://api.example/jobs/42"))
 *
 * Emulator.originOf(request) // => "https://api.example"
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const originOf = (request: HttpServerRequest.HttpServerRequest): string => {
  Check.kind("request", request, isRequest, "an HttpServerRequest")
  return URL.canParse(request.originalUrl)
    ? new URL(request.originalUrl).origin
    : `http://${request.headers.host ?? "localhost"}`
}

/**
 * Makes an `HttpClient` that calls an emulator in memory.
 *
 * **Details**
 *
 * A request is answered in the fiber that sends it, without a promise, a timer or a macrotask, so that the `TestClock` controls all
 * of it. A request to another origin fails like one to an unknown host.
 *
 * **Gotchas**
 *
 * A `Blob` or `FormData` can only be read with promises, which the `TestClock` does not wait for. If that matters, send bytes or a
 * `Stream`.
 *
 * **Example** (A request to an emulator of your own)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Emulator, TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const client = Emulator.toHttpClient(yield* TelaEmulator.make())
 *   return (yield* client.get("https://api.tela.com/api-key")).status
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(main))) // => 401
 * ```
 *
 * @see {@link toWebHandler} for a function from `Request` to `Response`
 * @category converting
 * @since 0.1.0
 */
export const toHttpClient = (emulator: Emulator): HttpClient.HttpClient => {
  Check.kind("emulator", emulator, isEmulator, emulatorHint)
  return HttpClient.make((request, url) => {
    if (!emulator.origins.includes(url.origin)) {
      return Effect.fail(transportError(
        request,
        Object.assign(new Error(`getaddrinfo ENOTFOUND ${url.hostname}`), { code: "ENOTFOUND", hostname: url.hostname })
      ))
    }
    const sent = HttpClientRequest.setHeader(withStreamedBody(request), "host", url.host)
    return emulator.httpApp.pipe(
      Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(sent)),
      Effect.scoped,
      Effect.mapError((cause) => transportError(request, cause))
    )
  })
}

/**
 * Turns an emulator into a function from a web `Request` to a promise of a `Response`.
 *
 * **Details**
 *
 * If the connection breaks, the promise is rejected with a `TypeError` whose `cause` has the code `ECONNRESET`, as that of `fetch`
 * is. `dispose` also rejects the promises of requests that are still open.
 *
 * **Example** (A response without a server)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HttpServerResponse } from "effect/http"
 * import { Emulator } from "canvas-runs/testing"
 *
 * const emulator = Emulator.make(
 *   { origins: ["https://api.example"], requestIdHeader: "x-request-id", errorBody: (status) => ({ status }) },
 *   ({ url }) => Effect.succeed(HttpServerResponse.text(`you asked for ${url.pathname}`))
 * )
 *
 * const { dispose, handler } = Emulator.toWebHandler(await Effect.runPromise(emulator))
 * const response = await handler(new Request("https://api.example/jobs/42"))
 *
 * console.log(await response.text()) // => "you asked for /jobs/42"
 * await dispose()
 * ```
 *
 * @see {@link toHttpClient} for an `HttpClient`
 * @category converting
 * @since 0.1.0
 */
export const toWebHandler = (
  emulator: Emulator,
  context: Context.Context<never> = Context.empty()
): {
  /** Answers a request. */
  readonly handler: (request: Request) => Promise<Response>
  /** Stops the requests that are still open. */
  readonly dispose: () => Promise<void>
} => {
  Check.kind("emulator", emulator, isEmulator, emulatorHint)
  const scope = Scope.makeUnsafe()
  const run = Effect.runForkWith(context)
  return {
    handler: (request) => {
      const fiber = emulator.httpApp.pipe(
        Effect.map((response) =>
          HttpServerResponse.toWeb(response, {
            context,
            signal: request.signal,
            withoutBody: request.method === "HEAD"
          })
        ),
        Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request)),
        Effect.scoped,
        Effect.mapError((cause) => new TypeError("fetch failed", { cause })),
        run,
        Fiber.runIn(scope)
      )
      const abort = () => fiber.interruptUnsafe()
      request.signal.addEventListener("abort", abort, { once: true })
      if (request.signal.aborted) abort()
      fiber.addObserver(() => request.signal.removeEventListener("abort", abort))
      return Effect.runPromise(Fiber.join(fiber))
    },
    dispose: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

// ---------------------------------------------------------------------------------------------------------------------

const isOptions = (value: unknown): boolean => {
  const { errorBody, origins } = value as Options
  return Array.isArray(origins) && Predicate.isFunction(errorBody)
}

const isEmulator = (value: unknown): boolean => Effect.isEffect((value as Emulator).httpApp)

const emulatorHint = "an emulator, as SpineEmulator.make returns it"

const isRequest = (value: unknown): boolean => {
  const { headers, originalUrl } = value as HttpServerRequest.HttpServerRequest
  return Predicate.isString(originalUrl) && Predicate.isObject(headers)
}

const polite = (request: HttpServerRequest.HttpServerRequest): rude.Received => ({ request, respond: identity })

// A server must survive any target of a request, such as that of `OPTIONS *`
const urlOf = (target: string): URL => {
  const url = target.startsWith("/") ? `http://emulator${target}` : target
  return new URL(URL.canParse(url) ? url : "http://emulator/")
}

const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

// As the client of a platform does for bodies that have their own content type, such as the boundary of a `FormData`
const withStreamedBody = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
  const { body } = request
  if (body._tag !== "FormData" && body._tag !== "Raw") return request
  const encoded = new Response(body._tag === "FormData" ? body.formData : body.body as BodyInit)
  return HttpClientRequest.setBody(
    request,
    HttpBody.stream(
      encoded.body === null ? Stream.empty : Stream.fromReadableStream({
        evaluate: () => encoded.body!,
        onError: (cause) => cause
      }),
      encoded.headers.get("content-type") ?? body.contentType,
      body.contentLength
    )
  )
}
