/** The bodies of responses, as each platform's `fetch` and other HTTP clients give them. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import type * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Binary from "../binary.ts"
import { quote } from "../describe.ts"

/** The response of a fetch, which may be one that only resembles the platform's. */
interface FetchResponse {
  readonly body?: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string> | null
  readonly arrayBuffer?: () => Promise<ArrayBuffer>
  readonly text?: () => Promise<string>
}

const isFetch = (response: HttpClientResponse.HttpClientResponse): boolean =>
  Option.isSome(HttpClientResponse.toWeb(response))

/**
 * Returns the body of a fetch's response, for {@link openWeb} to read; or "taken" if other code has begun to read it, such as a
 * client that logs responses. Other clients, and a fetch whose body is not a web stream, have none.
 */
export const fetchBody = (
  response: HttpClientResponse.HttpClientResponse
): ReadableStream<Uint8Array> | "taken" | undefined => {
  const web = Option.getOrUndefined(HttpClientResponse.toWeb(response))
  const body: FetchResponse["body"] = web?.body
  return web?.bodyUsed === true || Binary.isReadable(body) && body.locked
    ? "taken"
    : Binary.isReadable(body)
    ? body
    : undefined
}

/**
 * Returns the chunks of a body. Where a fetch gives no web stream, as `node-fetch` and React Native, the body is read from
 * its async iterable, or else as a whole. A response without a body has no chunks.
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
  )).pipe(Stream.catchIf(({ reason }) => reason._tag === "EmptyBodyError", () => Stream.empty))
}

/** The pieces of a body as the HTTP client gives them. Some clients throw, or give pieces that are not bytes. */
const bodyOf = (response: HttpClientResponse.HttpClientResponse) => {
  const web: FetchResponse | undefined = Option.getOrUndefined(HttpClientResponse.toWeb(response))
  if (web === undefined || Binary.isReadable(web.body)) return response.stream
  const failed = decodeError(response)
  return isAsyncIterable(web.body)
    ? Stream.fromAsyncIterable(web.body, failed)
    : Stream.fromEffect(Effect.tryPromise({ try: () => whole(web), catch: failed }))
}

/** Runs the release of a body in the background. Its failure is ignored, because it may take any time and throw anything. */
const inBackground = (release: Effect.Effect<unknown, unknown>): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkDetach(Effect.ignoreCause(release), { startImmediately: true }))

/**
 * The most pieces of a body that are read in one iteration of the event loop. A body that always has its next piece ready would
 * otherwise keep every timer from firing, and so could last longer than any timeout.
 */
const piecesPerTurn = 64

const isAsyncIterable = (body: FetchResponse["body"]): body is AsyncIterable<Uint8Array | string> =>
  Predicate.hasProperty(body, Symbol.asyncIterator)

const whole = (web: FetchResponse): Promise<Uint8Array> =>
  Promise.resolve(
    web.arrayBuffer?.() ?? web.text?.() ??
      Promise.reject(new TypeError("the response of this fetch has no body, no arrayBuffer() and no text()"))
  ).then(toBytes)

/** The bytes of a piece of a body. Throws a TypeError for a piece that is not bytes, which an odd client may give. */
const toBytes = (piece: unknown): Uint8Array => {
  if (piece instanceof Uint8Array) return piece
  if (typeof piece === "string") return new TextEncoder().encode(piece)
  if (Binary.isBytes(piece)) return Binary.bytesOf(piece)
  throw new TypeError(`the HTTP client gave a piece of the body that is not bytes: ${quote(piece)}`)
}

/** Makes the error for a body that cannot be read. */
export const decodeError = (response: HttpClientResponse.HttpClientResponse) => (cause: unknown) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.DecodeError({ request: response.request, response, cause })
  })

/** Compressions that servers use. Other values of `content-encoding`, such as "aws-chunked" of S3, leave the body unchanged. */
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
export const undecoded = (response: HttpClientResponse.HttpClientResponse, headers: Headers.Headers) => {
  const left = compressionsOf(headers).filter((encoding) => !fetchDecodes.has(encoding) || !isFetch(response))
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
  /** Receives each piece of the text when it arrives, in case the rest never arrives. */
  onText?: (text: string) => void
): Effect.Effect<string | undefined, HttpClientError.HttpClientError> => {
  const length = /^\d+$/.test(headers["content-length"] ?? "") ? Number(headers["content-length"]) : undefined
  if (length !== undefined && length > maxBytes) return Effect.as(discard(response), undefined)
  const body = fetchBody(response)
  if (body === "taken") return Effect.map(response.text, (text) => text.length > maxBytes ? undefined : text)
  // A length is a bound only for an uncompressed body: compressed bytes can expand without limit
  const isBounded = length !== undefined && headers["content-encoding"] === undefined && !isFetch(response)
  if (isBounded && onText === undefined) return response.text
  const pieces = collect(maxBytes, onText)
  // Reading the web stream directly would not stop an upload that is still under way
  return body !== undefined && !isUpload
    ? forEachPiece(response, body, pieces.add, pieces.text)
    : Effect.map(Stream.runForEachWhile(stream(response), (piece) => Effect.sync(() => pieces.add(piece))), pieces.text)
}

/** Collects the pieces of a body as text. */
const collect = (maxBytes: number, onText: ((text: string) => void) | undefined) => {
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ""
  return {
    /** Adds a piece. Returns false if the body is longer than `maxBytes`. */
    add: (piece: Uint8Array): boolean => {
      bytes += piece.byteLength
      if (bytes > maxBytes) return false
      const more = decoder.decode(piece, { stream: true })
      text += more
      onText?.(more)
      return true
    },
    /** The text of the whole body; `undefined` if it is longer than `maxBytes`. */
    text: (): string | undefined => bytes > maxBytes ? undefined : text + decoder.decode()
  }
}

/** Calls `use` with each piece of a body until it returns false, and returns the result of `end`. */
const forEachPiece = <A>(
  response: HttpClientResponse.HttpClientResponse,
  body: ReadableStream<Uint8Array>,
  use: (piece: Uint8Array) => boolean,
  end: () => A
): Effect.Effect<A, HttpClientError.HttpClientError> =>
  Effect.callback((resume) => {
    const { cancel, next } = openWeb(Fiber.getCurrent()!, body, {
      onPiece: (piece) => {
        if (use(piece)) return next()
        cancel()
        resume(Effect.sync(end))
      },
      onEnd: () => resume(Effect.sync(end)),
      onFailure: (cause) => {
        cancel()
        resume(Effect.fail(decodeError(response)(cause)))
      },
      onDefect: (defect) => resume(Effect.die(defect))
    })
    next()
    return Effect.sync(cancel)
  })

/**
 * The most bytes that are handed over at once; a longer piece is cut. What is made of one piece is alive at once: the 100,000
 * events of a piece of 10 MiB filled the young generation, and took 1.8 times as long per event as 10,000.
 */
const longestPiece = 65_536

/** Receives the pieces of a body. */
interface Sink {
  readonly onPiece: (piece: Uint8Array) => void
  readonly onEnd: () => void
  readonly onFailure: (cause: unknown) => void
  /** For an error that the other functions throw. */
  readonly onDefect: (defect: unknown) => void
}

/**
 * Reads a web stream directly, which takes 50 % of the time per piece of a fiber with pulls. `next` reads one piece, and does
 * nothing while one is being read.
 */
export const openWeb = (
  fiber: Fiber.Fiber<unknown, unknown>,
  body: ReadableStream<Uint8Array>,
  { onDefect, onEnd, onFailure, onPiece }: Sink
): { readonly next: () => void; readonly cancel: () => void } => {
  let reader: ReadableStreamDefaultReader<unknown> | undefined
  let isReading = false
  let count = 0
  /** The part of the last piece that has not been handed over. */
  let rest: Uint8Array | undefined
  const onRead = ({ done, value }: ReadableStreamReadResult<unknown>): void => {
    isReading = false
    if (done) return onEnd()
    Result.match(Result.try(() => toBytes(value)), {
      onFailure,
      onSuccess: (piece) => {
        rest = piece.length > longestPiece ? piece.subarray(longestPiece) : undefined
        onPiece(rest === undefined ? piece : piece.subarray(0, longestPiece))
      }
    })
  }
  // An odd body throws
  const read = () =>
    Result.match(
      Result.try(() => {
        reader ??= body.getReader()
        const piece = rest === undefined ? reader.read() : Promise.resolve({ done: false as const, value: rest })
        void piece.then(onRead, onFailure).catch(onDefect)
      }),
      { onFailure, onSuccess: constVoid }
    )
  return {
    next: () => {
      if (isReading) return
      isReading = true
      if (++count % piecesPerTurn !== 0) return read()
      Effect.runForkWith(fiber.context)(Effect.andThen(Effect.yieldNow, Effect.sync(read)))
    },
    // In the background. A failure is ignored, because a body may take any time and throw anything
    cancel: () => void new Promise((resolve) => resolve((reader ?? body).cancel())).catch(constVoid)
  }
}
