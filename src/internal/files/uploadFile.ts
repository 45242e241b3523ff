/** A file that is ready to be sent, and what can go wrong when it is read. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { FileInputError } from "../../RunError.ts"
import * as Binary from "../binary.ts"
import { messageOf } from "../describe.ts"

/**
 * A file with everything that is needed to send it.
 *
 * @category models
 * @since 0.1.0
 */
export interface UploadFile {
  /** The name, safe for a header. */
  readonly filename: string
  /** The media type, such as `"application/pdf"`. */
  readonly contentType: string
  /** The size in bytes. */
  readonly size: number
  /** The bytes, or a stream of exactly `size` bytes. */
  readonly data: Uint8Array | Blob | Stream.Stream<Uint8Array, FileInputError>
}

/**
 * Reads the beginning of a file, so that one that cannot be read fails before a request is sent. Returns the file with the first
 * chunk of its stream already pulled. The scope closes the stream. A file whose stream gives no bytes for `idleTimeout` fails.
 */
export const begin = (file: UploadFile, idleTimeout: Duration.Duration) =>
  Effect.timeoutOrElse(pullFirst(file), {
    duration: idleTimeout,
    orElse: () => Effect.fail(silentError(file.filename, idleTimeout))
  })

const pullFirst = (file: UploadFile): Effect.Effect<UploadFile, FileInputError, Scope.Scope> =>
  Effect.gen(function*() {
    const { data, filename } = file
    if (!Stream.isStream(data)) {
      yield* head(data, 1, filename)
      return file
    }
    const pull = yield* Stream.toPull(data)
    const first = yield* Pull.catchDone(pull, () => Effect.undefined)
    let isFirst = true
    return {
      ...file,
      // A repetition reads the stream from its beginning, if the stream allows that
      data: Stream.suspend(() => {
        if (!isFirst || first === undefined) return data
        isFirst = false
        return Stream.concat(Stream.fromArray(first), Stream.fromPull(Effect.succeed(pull)))
      })
    }
  })

/** The first bytes of a file that can be read more than once. */
export const head = (data: Uint8Array | Blob, length: number, label: string) =>
  data instanceof Uint8Array ? Effect.succeed(data.subarray(0, length)) : Effect.tryPromise({
    try: () => data.slice(0, length).arrayBuffer().then((buffer) => new Uint8Array(buffer)),
    catch: (cause) => readError(label, cause)
  })

/** The error of a file that cannot be read. */
export const readError = (
  filename: string,
  cause: unknown,
  advice = Predicate.isTagged(cause, "PlatformError")
    ? "Check that the file exists and that this program may read it."
    : "Check what its bytes come from."
): FileInputError => failed(filename, "read", `could not be read (${messageOf(cause)})`, advice, cause)

/** The error of a file whose stream gave no bytes for `idleTimeout`. */
export const silentError = (filename: string, idleTimeout: Duration.Duration): FileInputError =>
  readError(filename, `it gave no bytes for ${Duration.format(idleTimeout)}, which is uploadIdleTimeout`, silentAdvice)

export const silentAdvice = "Check what its bytes come from, or raise the client's option uploadIdleTimeout."

const failed = (file: string, reason: FileInputError["reason"], what: string, advice: string, cause?: unknown) =>
  new FileInputError({
    message: `${file} ${what}. Nothing was created. ${advice}`,
    file,
    reason,
    reached: false,
    isRetryable: false,
    cause
  })

/**
 * Fails a stream that is shorter or longer than `size`, which has been announced to the server. A stream that dies, or has chunks
 * that are not bytes, fails as well.
 */
export const exactly = (self: Stream.Stream<Uint8Array, unknown>, size: number, label: string) =>
  Stream.suspend(() => {
    let seen = 0
    const wrong = () =>
      failed(
        label,
        "size",
        `was announced with ${size} bytes and has ${seen > size ? "more" : `only ${seen}`}`,
        "Give the size of the stream in bytes."
      )
    // Some streams throw when they start, and only an effect around them can catch that
    return Stream.unwrap(Effect.succeed(self)).pipe(
      Stream.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Stream.failCause(cause as Cause.Cause<never>)
          : Stream.fail(Cause.squash(cause))
      ),
      Stream.mapError((cause) => cause instanceof FileInputError ? cause : readError(label, cause)),
      Stream.mapEffect((chunk) => {
        if (!Binary.isBytes(chunk)) {
          return Effect.fail(readError(label, `a chunk of its stream is not bytes but of type ${typeof chunk}`))
        }
        const bytes = Binary.bytesOf(chunk)
        seen += bytes.byteLength
        return seen > size ? Effect.fail(wrong()) : Effect.succeed(bytes)
      }),
      Stream.concat(Stream.suspend(() => seen === size ? Stream.empty : Stream.fail(wrong())))
    )
  })
