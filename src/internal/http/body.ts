/** The bodies of responses, as each platform's `fetch` and other HTTP clients give them. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import type * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { quote } from "../describe.ts"

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
