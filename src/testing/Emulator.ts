/**
 * What every emulator of a provider needs: a record of the requests received, faults, a clock that can be moved, and
 * two ways to be called without a socket (`EmulatorServer` has the third).
 *
 * A provider supplies one function from a request to its answer. All three ways call it through the same HTTP app, so
 * what is true in memory is true on a socket.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Multipart from "effect/http/Multipart"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "./Fault.ts"
import { bodyStream, takeBytes } from "./internal/responseBody.ts"
import * as rude from "./internal/rude/http.ts"
import type * as Rude from "./Rude.ts"

/**
 * The connection broke, as {@link Fault} asked for.
 *
 * **Details**
 *
 * `code` is the one Node gives to a connection that the other side has reset.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped")<{}> {
  readonly code = "ECONNRESET"
  override readonly [ErrorReporter.ignore] = true
  override readonly message = "socket hang up"
}

/**
 * A file that was uploaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceivedFile {
  /** The name of the form's part. */
  readonly field: string
  readonly name: string
  readonly contentType: string
  readonly size: number
  readonly bytes: Uint8Array
}

/**
 * A request as the emulator saw it.
 *
 * **Gotchas**
 *
 * `headers` holds the API key as it was sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceivedRequest {
  /** The id that the answer carried. */
  readonly id: string
  readonly method: string
  readonly url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The text parts of a form. */
  readonly fields: Readonly<Record<string, string>>
  /** The file parts of a form, in order. */
  readonly files: ReadonlyArray<ReceivedFile>
  /** The body, if it was read as JSON. */
  readonly json: unknown
  /** When it arrived, on the emulator's clock. */
  readonly receivedAt: number
  /** The status of the answer; `undefined` as long as there is none, and for ever if the connection broke. */
  readonly status: number | undefined
}

/**
 * A request on its way through the emulator.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exchange {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly url: URL
  /** When the request is handled, on the emulator's clock. */
  readonly now: number
  /** A fresh UUID, from the `Random` that was current when the emulator was made. */
  readonly uuid: () => string
  /** Reads a form as it streams in, and records it. */
  readonly form: (limits: FormLimits) => Effect.Effect<Form, FormError>
  /** Reads a body of that many bytes at most. */
  readonly bytes: (limit: number) => Effect.Effect<Uint8Array, BodyError>
  /** Reads a body of that many bytes at most as JSON, and records it. No body at all is `undefined`. */
  readonly json: (limit: number) => Effect.Effect<unknown, BodyError>
}

/**
 * What was in a form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Form {
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>
  readonly files: ReadonlyArray<ReceivedFile>
}

/**
 * How much a form may hold, sizes in bytes.
 *
 * @category options
 * @since 0.1.0
 */
export interface FormLimits {
  readonly fileSize: number
  readonly totalSize: number
  readonly files: number
}

/**
 * Why a form was refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class FormError extends Data.TaggedError("FormError")<{
  readonly reason: "NotMultipart" | "Malformed" | "FileTooLarge" | "TotalTooLarge" | "TooManyFiles"
}> {}

/**
 * Why a body was refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class BodyError extends Data.TaggedError("BodyError")<{
  readonly reason: "TooLarge" | "NotJson" | "Broken"
}> {}

/**
 * The part of an emulator that is the same for every provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Emulator {
  /** The origins that the in-memory client answers for. */
  readonly origins: ReadonlyArray<string>
  /** The provider, as an HTTP app. */
  readonly httpApp: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    ConnectionDropped,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** The requests received so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  /** Forgets the requests received so far. */
  readonly clearRequests: Effect.Effect<void>
  /** Adds faults. A request meets the first one that matches and has not been used up. */
  readonly fault: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
  /** Removes every fault. */
  readonly clearFaults: Effect.Effect<void>
  /** Moves the emulator's clock ahead of the program's, which is what there is to do when the two share no process. */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
  /** The time on the emulator's clock. */
  readonly now: Effect.Effect<number>
}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly origins: ReadonlyArray<string>
  /** The header that carries a fresh id on every answer. */
  readonly requestIdHeader: string
  /** What the provider sends with a status when nobody says anything else. */
  readonly errorBody: (status: number) => unknown
  /** The headers that go with it. */
  readonly errorHeaders?: ((status: number) => Readonly<Record<string, string>>) | undefined
  /**
   * What the emulator is rude about.
   *
   * @default Rude.none
   */
  readonly rude?: Rude.Rude | undefined
  /** What rudeness has to know of the provider. Without it only names that concern every provider have an effect. */
  readonly rudeProfile?: rude.Profile | undefined
}

/**
 * Makes the common part of an emulator around a provider's own function.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options,
  handle: (exchange: Exchange) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope>
): Effect.fn.Return<Emulator> {
  const uuid = yield* uuids
  let requests: Array<Recording> = []
  let faults: Array<{ readonly fault: Fault.Fault; seen: number }> = []
  let ahead = 0

  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis + ahead)

  const takeFault = (request: { readonly method: string; readonly path: string }): Fault.Fault | undefined =>
    faults.find((entry) => {
      if (!Fault.matches(entry.fault, request) || entry.seen >= entry.fault.skip + entry.fault.times) return false
      entry.seen++
      return entry.seen > entry.fault.skip
    })?.fault

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

  const act = <R>(
    action: Fault.Action,
    handled: Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionDropped, R> => {
    switch (action._tag) {
      case "Handle":
        return handled
      case "HandleThenWait":
        return Effect.tap(handled, Effect.sleep(action.millis))
      case "Respond":
        return Effect.sync(() => toResponse(action.answer))
      case "HandleThenRespond":
        return Effect.map(handled, () => toResponse(action.answer))
      case "HandleThenTruncate":
        return Effect.flatMap(handled, (response) => truncated(response, action.bytes))
      case "Hang":
        return Effect.never
      case "Drop":
        return Effect.fail(new ConnectionDropped())
      case "HandleThenDrop":
        return Effect.andThen(handled, Effect.fail(new ConnectionDropped()))
      case "DropInside":
        return Effect.map(handled, (response) => droppedInside(response, action.bytes))
    }
  }

  const selected = options.rude ?? []
  const receive = selected.length === 0 ? polite : rude.make(selected, {
    profile: options.rudeProfile ?? rude.noProfile,
    notFound: () => toResponse({ status: 404, headers: {}, body: undefined }),
    dropped: () => new ConnectionDropped()
  })

  const httpApp = Effect.gen(function*() {
    const received = yield* HttpServerRequest.HttpServerRequest
    const url = urlOf(received.url)
    const { request, respond } = receive(received, url)
    const recording: Recording = {
      id: uuid(),
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
    const fault = takeFault(recording)
    if (fault !== undefined && fault.delayMillis > 0) yield* Effect.sleep(fault.delayMillis)
    const handled = respond(Effect.suspend(() =>
      Effect.flatMap(now, (now) =>
        handle({
          request,
          url,
          now,
          uuid,
          form: (limits) => readForm(request, limits, recording),
          bytes: (limit) => readBytes(request, limit),
          json: (limit) => readJson(request, limit, recording)
        }))
    ))
    const response = yield* fault === undefined ? handled : act(fault.action, handled)
    recording.status = response.status
    return options.requestIdHeader in response.headers || selected.includes("noRequestId")
      ? response
      : HttpServerResponse.setHeader(response, options.requestIdHeader, recording.id)
  })

  return {
    origins: options.origins,
    httpApp,
    requests: Effect.sync(() => requests.map(snapshot)),
    clearRequests: Effect.sync(() => {
      requests = []
    }),
    fault: (...added) =>
      Effect.sync(() => {
        faults.push(...added.map((fault) => ({ fault, seen: 0 })))
      }),
    clearFaults: Effect.sync(() => {
      faults = []
    }),
    advance: (duration) =>
      Effect.sync(() => {
        ahead += Duration.toMillis(duration)
      }),
    now
  }
})

/**
 * A source of UUIDs, from the `Random` that is current.
 *
 * @category constructors
 * @since 0.1.0
 */
export const uuids: Effect.Effect<() => string> = Effect.map(Random.Random, (random) => () => makeUuid(random))

/**
 * The origin that a request was sent to.
 *
 * @category accessors
 * @since 0.1.0
 */
export const originOf = (request: HttpServerRequest.HttpServerRequest): string =>
  URL.canParse(request.originalUrl)
    ? new URL(request.originalUrl).origin
    : `http://${request.headers.host ?? "localhost"}`

/**
 * An `HttpClient` that hands requests to an emulator in memory.
 *
 * **Details**
 *
 * A request is answered within the fiber that sends it, without a promise, a timer or a macrotask, so the `TestClock`
 * sees the whole of it. A request to any other origin fails the way an unknown host does.
 *
 * **Gotchas**
 *
 * A `Blob` or `FormData` can only be read through promises, which the `TestClock` does not wait for. Send bytes or a
 * `Stream` where that matters.
 *
 * @category converting
 * @since 0.1.0
 */
export const toHttpClient = (emulator: Emulator): HttpClient.HttpClient =>
  HttpClient.make((request, url) => {
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

/**
 * An emulator as a function from a web `Request` to a promise of a `Response`.
 *
 * **Details**
 *
 * A dropped connection rejects with a `TypeError` whose `cause` has the code `ECONNRESET`, as `fetch` does. After
 * `dispose`, requests that are still open reject too.
 *
 * @category converting
 * @since 0.1.0
 */
export const toWebHandler = (
  emulator: Emulator,
  context: Context.Context<never> = Context.empty()
): {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
} => {
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

const polite = (request: HttpServerRequest.HttpServerRequest): rude.Received => ({ request, respond: identity })

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

interface Recording extends Mutable<Omit<ReceivedRequest, "fields" | "files">> {
  fields: Record<string, string>
  files: Array<ReceivedFile>
}

// A server must survive whatever stands in the first line of a request, such as `OPTIONS *`.
const urlOf = (target: string): URL => {
  const url = target.startsWith("/") ? `http://emulator${target}` : target
  return new URL(URL.canParse(url) ? url : "http://emulator/")
}

const snapshot = (recording: Recording): ReceivedRequest => ({
  ...recording,
  fields: { ...recording.fields },
  files: [...recording.files]
})

const makeUuid = (random: Random.Random): string => {
  const hex = Array.from(
    { length: 4 },
    () => Math.floor(random.nextDoubleUnsafe() * 0x1_0000_0000).toString(16).padStart(8, "0")
  ).join("")
  const variant = "89ab"[Number.parseInt(hex[16]!, 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

// What a platform's client does with bodies that name their own content type, such as the boundary of a `FormData`.
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

const truncated = (
  response: HttpServerResponse.HttpServerResponse,
  bytes: number
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  bodyStream(response).pipe(
    takeBytes(bytes),
    Stream.mkUint8Array,
    Effect.orDie,
    Effect.map((content) =>
      HttpServerResponse.uint8Array(content, {
        status: response.status,
        headers: { ...response.headers, "content-length": String(content.length) }
      })
    )
  )

const droppedInside = (
  response: HttpServerResponse.HttpServerResponse,
  bytes: number
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(
    bodyStream(response).pipe(takeBytes(bytes), Stream.concat(Stream.fail(new ConnectionDropped()))),
    {
      status: response.status,
      headers: response.headers,
      contentLength: Math.max(Number(response.headers["content-length"] ?? 0), bytes + 1)
    }
  )

const readForm = Effect.fnUntraced(function*(
  request: HttpServerRequest.HttpServerRequest,
  limits: FormLimits,
  recording: Recording
): Effect.fn.Return<Form, FormError> {
  if (!/^multipart\/form-data\s*;/i.test(request.headers["content-type"] ?? "")) {
    return yield* new FormError({ reason: "NotMultipart" })
  }
  const fields: Array<readonly [string, string]> = []
  let total = 0
  const readFile = Effect.fnUntraced(function*(part: Multipart.File) {
    if (recording.files.length === limits.files) return yield* new FormError({ reason: "TooManyFiles" })
    let size = 0
    const bytes = yield* part.content.pipe(
      Stream.mapEffect((chunk) => {
        size += chunk.length
        total += chunk.length
        return size > limits.fileSize
          ? Effect.fail(new FormError({ reason: "FileTooLarge" }))
          : total > limits.totalSize
          ? Effect.fail(new FormError({ reason: "TotalTooLarge" }))
          : Effect.succeed(chunk)
      }),
      Stream.mkUint8Array
    )
    recording.files.push({ field: part.key, name: part.name, contentType: part.contentType, size, bytes })
  })
  yield* request.multipartStream.pipe(
    Stream.runForEach((part) => {
      if (part._tag === "File") return readFile(part)
      fields.push([part.key, part.value])
      recording.fields[part.key] = part.value
      return Effect.void
    }),
    // A file stays a file, whatever its type.
    Effect.provideService(Multipart.FieldMimeTypes, []),
    Effect.catchTag("MultipartError", () => Effect.fail(new FormError({ reason: "Malformed" })))
  )
  return { fields, files: recording.files }
})

const readBytes = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number
): Effect.Effect<Uint8Array, BodyError> => {
  let size = 0
  return request.stream.pipe(
    Stream.catch((error) =>
      // A web `Request` without a body is no broken one.
      (request.source as { readonly body?: unknown }).body === null ? Stream.empty : Stream.fail(error)
    ),
    Stream.mapError(() => new BodyError({ reason: "Broken" })),
    Stream.mapEffect((chunk) => {
      size += chunk.length
      return size > limit ? Effect.fail(new BodyError({ reason: "TooLarge" })) : Effect.succeed(chunk)
    }),
    Stream.mkUint8Array
  )
}

const readJson = Effect.fnUntraced(function*(
  request: HttpServerRequest.HttpServerRequest,
  limit: number,
  recording: Recording
): Effect.fn.Return<unknown, BodyError> {
  const bytes = yield* readBytes(request, limit)
  if (bytes.length === 0) return undefined
  recording.json = yield* Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: () => new BodyError({ reason: "NotJson" })
  })
  return recording.json
})
