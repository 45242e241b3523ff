/**
 * Reading what a run produced: as bytes, as a stream, or into a file.
 *
 * **Details**
 *
 * - A link that has expired is asked for anew, once.
 * - No credential is sent: the links are signed, and may lead anywhere.
 * - What arrives is counted: a file that is shorter or longer than announced is an `ArtifactError`.
 * - A file appears under its final name only when it is whole. Its name is made safe: whatever the provider calls it, it
 *   is written into the folder given and nowhere else.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as PlatformError from "effect/PlatformError"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as FileName from "./internal/fileName.ts"
import { discard } from "./internal/fetchPlatform.ts"
import * as Timers from "./internal/timers.ts"
import * as Transfer from "./internal/transfer.ts"
import { ArtifactError } from "./RunError.ts"
import type { RunRef } from "./RunRef.ts"

/**
 * What a provider tells of one artifact.
 *
 * @category models
 * @since 0.1.0
 */
export interface ArtifactSource<E = never, R = never> {
  /** The file name, as the provider has it. */
  readonly name: string
  readonly url: string
  /** Its size in bytes, where the provider tells. */
  readonly size: number | undefined
  readonly ref: RunRef
  /** Asks for a new link. `undefined` if there is none any more. */
  readonly refresh: Effect.Effect<string | undefined, E, R>
}

/**
 * How to read artifacts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A client that adds no credentials. */
  readonly client: HttpClient.HttpClient
  /** How long the server may be silent, before the answer and within it. */
  readonly idleTimeout: Duration.Duration
  /** Paces the repetition of what failed for a passing reason. */
  readonly retry: Schedule.Schedule<unknown, ArtifactError>
  /** The longest `Retry-After` that is honoured. */
  readonly retryAfterCeiling: Duration.Duration
}

/**
 * The bytes as they arrive. What breaks off in the middle is not repeated, because its beginning has been handed on.
 *
 * @category reading
 * @since 0.1.0
 */
export const stream = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Stream.Stream<Uint8Array, ArtifactError | E, R> =>
  Stream.unwrap(
    Effect.map(
      retrying(options, open(options, source)),
      (response) => body(options, source, response)
    )
  )

/**
 * The whole artifact in memory.
 *
 * @category reading
 * @since 0.1.0
 */
export const bytes = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Effect.Effect<Uint8Array<ArrayBuffer>, ArtifactError | E, R> =>
  retrying(
    options,
    Effect.suspend(() => {
      const chunks: Array<Uint8Array> = []
      return Effect.map(
        drain(options, source, (chunk) => Effect.sync(() => void chunks.push(chunk))),
        () => concatenate(chunks)
      )
    })
  )

/**
 * Writes the artifact into a folder, which is made if it is not there, under its own name made safe, or under `filename`.
 * A file of that name is replaced. Returns the path.
 *
 * @category reading
 * @since 0.1.0
 */
export const toFile = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  target: { readonly directory: string; readonly filename?: string | undefined }
): Effect.Effect<string, ArtifactError | E, R | FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const directory = target.directory === "" ? "." : target.directory
    const path = `${directory.replace(/[/\\]+$/, "")}/${FileName.writable(target.filename ?? source.name, "artifact")}`
    const suffix = Math.abs(yield* Random.nextInt).toString(36)
    const partial = `${path}.${suffix}.partial`
    const fail = (cause: PlatformError.PlatformError) =>
      artifactError(source, "write", `to ${path} (${cause.message})`, { cause })
    yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), fail)
    const write = writeTo(options, source, fs, partial).pipe(
      Effect.mapError((error) => isPlatformError(error) ? fail(error) : error)
    )
    yield* retrying(options, write).pipe(
      Effect.andThen(Effect.mapError(fs.rename(partial, path), fail)),
      Effect.onError(() => Effect.ignore(fs.remove(partial, { force: true })))
    )
    return path
  })

/** Fewer and larger writes than chunks arrive save most of the time that writing takes. */
const pieceBytes = 1024 * 1024

/** Fills one buffer from the network while the other one is written. */
const writeTo = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<void, ArtifactError | PlatformError.PlatformError | E, R> =>
  Effect.gen(function*() {
    const length = Math.max(1, Math.min(source.size ?? pieceBytes, pieceBytes))
    const full = yield* Queue.unbounded<Uint8Array, Cause.Done>()
    const free = yield* Queue.unbounded<Uint8Array<ArrayBuffer>>()
    let filling = new Uint8Array(length)
    let filled = 0
    let hasSpare = false
    const swap = Effect.suspend(() => {
      Queue.offerUnsafe(full, filling)
      filled = 0
      const next = hasSpare ? Queue.take(free) : Effect.sync(() => new Uint8Array(length))
      hasSpare = true
      return Effect.map(next, (buffer) => {
        filling = buffer
      })
    })
    const take = (chunk: Uint8Array): Effect.Effect<void> => {
      const room = length - filled
      if (chunk.length < room) {
        filling.set(chunk, filled)
        filled += chunk.length
        return Effect.void
      }
      filling.set(chunk.subarray(0, room), filled)
      return chunk.length === room ? swap : Effect.flatMap(swap, () => take(chunk.subarray(room)))
    }
    const read = drain(options, source, take).pipe(
      Effect.andThen(Effect.sync(() => filled > 0 && Queue.offerUnsafe(full, filling.subarray(0, filled)))),
      Effect.andThen(Queue.end(full))
    )

    let written: Uint8Array | undefined
    const pieces = Stream.fromPull(Effect.succeed(Effect.suspend(() => {
      // Whoever asks for the next piece has written the one before
      if (written !== undefined && written.length === length) {
        Queue.offerUnsafe(free, written as Uint8Array<ArrayBuffer>)
      }
      return Effect.map(Queue.take(full), (piece): readonly [Uint8Array] => [written = piece])
    })))
    yield* Effect.acquireUseRelease(
      // A file must not be closed under a write, which cannot be stopped
      Effect.forkChild(Effect.uninterruptible(Stream.run(pieces, fs.sink(path, { flag: "w" })))),
      (writer) => Effect.all([read, Fiber.join(writer)], { concurrency: 2, discard: true }),
      (writer) => Effect.andThen(Queue.end(full), Fiber.await(writer))
    )
  })

/** Opens the artifact, gives all its chunks away, and fails when the server is silent or the size is wrong. */
const drain = <E, R, E2, R2>(
  options: Options,
  source: ArtifactSource<E, R>,
  use: (chunk: Uint8Array) => Effect.Effect<void, E2, R2>
): Effect.Effect<void, ArtifactError | E | E2, R | R2> =>
  Effect.withFiber((fiber) =>
    Effect.flatMap(open(options, source), (response) => {
      const counter = makeCounter(options, source)
      const idleMillis = Duration.toMillis(options.idleTimeout)
      // One for the whole body. While the fibers of a timeout for each chunk take their turns, chunks pile up and are joined by
      // copying, which doubles the cost of a download.
      const silence = Deferred.makeUnsafe<never, ArtifactError>()
      const watchman = Timers.watchman(Timers.of(fiber), () => {
        Deferred.doneUnsafe(silence, Effect.fail(counter.silent()))
      })
      const read = Stream.runForEach(
        chunksOf(response, counter),
        (chunk): Effect.Effect<void, ArtifactError | E2, R2> => {
          watchman.rest()
          const error = counter.add(chunk)
          return error === undefined
            ? Effect.map(use(chunk), () => watchman.expect(idleMillis))
            : Effect.fail(error)
        }
      )
      watchman.expect(idleMillis)
      return Effect.andThen(
        Effect.ensuring(Effect.raceFirst(read, Deferred.await(silence)), Effect.sync(watchman.stop)),
        Effect.suspend(() => {
          const error = counter.end()
          return error === undefined ? Effect.void : Effect.fail(error)
        })
      )
    })
  )

const retrying = <A, E, R>(options: Options, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Transfer.retrying(self, options, (error) => error instanceof ArtifactError)

const isPlatformError = (error: unknown): error is PlatformError.PlatformError =>
  error instanceof Error && "_tag" in error && error._tag === "PlatformError"

/** Asks for the artifact, and if its link has expired, once more with a new one. */
const open = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Effect.Effect<HttpClientResponse.HttpClientResponse, ArtifactError | E, R> =>
  Effect.flatMap(get(options, source, source.url), (response) =>
    !hasExpired(response)
      ? accept(source, response)
      : Effect.flatMap(Effect.andThen(discard(response), source.refresh), (url) =>
        url === undefined
          ? Effect.fail(artifactError(source, "expired", "its link has expired, and the run no longer lists it", {
            status: response.status
          }))
          : Effect.flatMap(get(options, source, url), (response) =>
            hasExpired(response)
              ? refuse(
                response,
                artifactError(source, "expired", `a fresh link was refused too, with ${response.status}`, {
                  status: response.status
                })
              )
              : accept(source, response))))

const hasExpired = ({ status }: HttpClientResponse.HttpClientResponse): boolean =>
  status === 403 || status === 404 || status === 410

const accept = <E, R>(source: ArtifactSource<E, R>, response: HttpClientResponse.HttpClientResponse) =>
  response.status >= 200 && response.status < 300
    ? Effect.succeed(response)
    : Effect.flatMap(
      Transfer.refusal(response),
      (refusal) =>
        refuse(response, artifactError(source, "unavailable", `its server answered with ${response.status}`, refusal))
    )

const refuse = (
  response: HttpClientResponse.HttpClientResponse,
  error: ArtifactError
): Effect.Effect<never, ArtifactError> => Effect.andThen(discard(response), Effect.fail(error))

/** How many redirects of a link are followed, where the platform does not follow them by itself. */
const maxRedirects = 3

const get = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  url: string
): Effect.Effect<HttpClientResponse.HttpClientResponse, ArtifactError> =>
  !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)
    ? Effect.fail(artifactError(source, "unavailable", "its link is not an http address", {}))
    : send(options.client, url).pipe(
      Effect.mapError((error) =>
        artifactError(source, "unavailable", "its server gave no answer", {
          isRetryable: true,
          ...causeOf(error.reason.cause)
        })
      ),
      Effect.timeoutOrElse({
        duration: options.idleTimeout,
        orElse: () =>
          Effect.fail(artifactError(source, "unavailable", "its server gave no answer in time", { isRetryable: true }))
      }),
      // The link is a secret for as long as it lasts, and a client span would show it
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
    )

/** Follows redirects, and lets go of their bodies, which would hold connections until they are collected. */
const send = (
  client: HttpClient.HttpClient,
  url: string,
  redirects = 0
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Effect.flatMap(client.get(url), (response) => {
    const target = redirects < maxRedirects ? targetOf(response, url) : undefined
    return target === undefined
      ? Effect.succeed(response)
      : Effect.andThen(discard(response), send(client, target, redirects + 1))
  })

const targetOf = ({ headers, status }: HttpClientResponse.HttpClientResponse, url: string): string | undefined => {
  const { location } = headers
  if (status < 300 || status >= 400 || location === undefined || !URL.canParse(location, url)) return undefined
  const target = new URL(location, url)
  return /^https?:$/.test(target.protocol) ? target.href : undefined
}

/** Counts what arrives, and words what is wrong with it. */
const makeCounter = <E, R>(options: Options, source: ArtifactSource<E, R>) => {
  let received = 0
  const wrongSize = () =>
    artifactError(source, "size", `${source.size} bytes were announced and ${received} arrived`, {
      receivedBytes: received,
      isRetryable: received < (source.size ?? 0)
    })
  const interrupted = (what: string, cause?: unknown) =>
    artifactError(source, "interrupted", `${what} after ${received} bytes`, {
      isRetryable: true,
      receivedBytes: received,
      ...causeOf(cause)
    })
  return {
    add: (chunk: Uint8Array): ArtifactError | undefined => {
      received += chunk.byteLength
      return source.size !== undefined && received > source.size ? wrongSize() : undefined
    },
    end: (): ArtifactError | undefined =>
      source.size === undefined || received === source.size ? undefined : wrongSize(),
    interrupted: (cause: unknown) => interrupted("it broke off", cause),
    silent: () => interrupted(`nothing came for ${Duration.format(options.idleTimeout)}`)
  }
}

type Counter = ReturnType<typeof makeCounter>

/** The chunks of the body, which may have none. */
const chunksOf = (
  response: HttpClientResponse.HttpClientResponse,
  counter: Counter
): Stream.Stream<Uint8Array, ArtifactError> =>
  Stream.catch(
    response.stream,
    (error) =>
      error.reason._tag === "EmptyBodyError" ? Stream.empty : Stream.fail(counter.interrupted(error.reason.cause))
  )

/** The body, counted. */
const body = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  response: HttpClientResponse.HttpClientResponse
): Stream.Stream<Uint8Array, ArtifactError> =>
  Stream.suspend(() => {
    const counter = makeCounter(options, source)
    return chunksOf(response, counter).pipe(
      Stream.timeoutOrElse({
        duration: options.idleTimeout,
        orElse: () => Stream.suspend(() => Stream.fail(counter.silent()))
      }),
      Stream.tap((chunk) => {
        const error = counter.add(chunk)
        return error === undefined ? Effect.void : Effect.fail(error)
      }),
      Stream.concat(Stream.suspend(() => {
        const error = counter.end()
        return error === undefined ? Stream.empty : Stream.fail(error)
      }))
    )
  })

const concatenate = (chunks: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}

const causeOf = (cause: unknown) => cause instanceof Error ? { cause } : undefined

const artifactError = <E, R>(
  source: ArtifactSource<E, R>,
  reason: ArtifactError["reason"],
  what: string,
  fields: Partial<Pick<ArtifactError, "status" | "receivedBytes" | "isRetryable" | "retryAfter" | "cause">>
): ArtifactError =>
  new ArtifactError({
    message: `The file ${JSON.stringify(source.name)} could not be ${
      reason === "write" ? "written " : "read: "
    }${what}. ${
      reason === "write"
        ? "Check the folder."
        : reason === "size"
        ? "Read it again; if it stays so, tell the provider."
        : "Retrieve the run again for a fresh link, then read the artifact again."
    }`,
    artifact: source.name,
    reason,
    ref: source.ref,
    isRetryable: false,
    ...(source.size === undefined || fields.receivedBytes === undefined ? undefined : { expectedBytes: source.size }),
    ...fields
  })
