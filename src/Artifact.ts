/**
 * Reads what a run produced: as bytes, as a stream, or into a file.
 *
 * **Details**
 *
 * - A link that is refused with 400, 401, 403, 404 or 410 is replaced by a fresh one, once per attempt.
 * - No credential is sent: the links are signed, and may lead to any host.
 * - At most 10 redirects are followed. A browser hides where they lead, so there its own limit applies.
 * - A download that breaks continues where it broke, with `Range` and `If-Range`, if the server names the version of the file by
 *   a strong ETag. It begins again if the file has changed. Two versions are never mixed. A `stream`, whose bytes are handed on
 *   already, continues too, and fails if the file has changed.
 * - The bytes are counted. A file that is shorter or longer than announced is an `ArtifactError`, except where the server
 *   compresses it (`content-encoding`): then the announced size may be that of the compressed file.
 * - A page of HTML in place of another file, such as a login page, is an `ArtifactError`.
 * - A file appears under its final name only when it is whole. Its name is made safe, so that it is written into the given
 *   folder whatever the provider calls it.
 * - Memory does not grow with the size of the file, except for `bytes`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Headers from "effect/http/Headers"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as PlatformError from "effect/PlatformError"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Binary from "./internal/binary.ts"
import * as FileName from "./internal/fileName.ts"
import * as Body from "./internal/http/body.ts"
import * as FetchPlatform from "./internal/http/fetchPlatform.ts"
import { causeOf, execute } from "./internal/http/send.ts"
import * as TimerQueue from "./internal/polling/timerQueue.ts"
import * as Transfer from "./internal/http/transfer.ts"
import { retrying } from "./internal/http/retry.ts"
import * as CallOptions from "./internal/options.ts"
import { ArtifactError, type BadRequestError } from "./RunError.ts"
import type { RunRef } from "./internal/ref.ts"

/**
 * What a provider tells of one artifact.
 *
 * @category models
 * @since 0.1.0
 */
export interface ArtifactSource<E = never, R = never> {
  /** The file name, as the provider has it. */
  readonly name: string
  /** The link. A path such as `/v1/artifacts/a` or `v1/artifacts/a` is resolved against `baseUrl` of the options. */
  readonly url: string
  /** Its size in bytes, where the provider tells. What is no whole number, 0 or more, counts as not told. */
  readonly size: number | undefined
  /** Its media type, where the provider tells. */
  readonly contentType?: string | undefined
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
  /** What links that are paths are resolved against. */
  readonly baseUrl?: URL | undefined
  /** How long the server may be silent, before the answer and within it. */
  readonly idleTimeout: Duration.Duration
  /**
   * Delays between attempts after transient failures. The schedule restarts after each attempt that received 64 KiB or more, so
   * a large file survives more interruptions than a small one, and a server may send the rest in parts.
   */
  readonly retry: Schedule.Schedule<unknown, ArtifactError>
  /** The longest `Retry-After` that is honoured. */
  readonly retryAfterCeiling: Duration.Duration
}

/**
 * The bytes as they arrive. The stream survives interruptions of the connection if the server names the version of the file by
 * a strong ETag. Otherwise, and if the file changes meanwhile, it fails, because its beginning has been handed on.
 *
 * @category reading
 * @since 0.1.0
 */
export const stream = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Stream.Stream<Uint8Array, ArtifactError | E, R> =>
  Stream.callback<Uint8Array, ArtifactError | E, R>(
    (queue) =>
      download(options, source, { take: (chunk) => Queue.offer(queue, chunk), restart: undefined }).pipe(
        Effect.matchCauseEffect({
          onFailure: (cause) => Queue.failCause(queue, cause),
          onSuccess: () => Queue.end(queue)
        })
      ),
    { bufferSize: 4, strategy: "suspend" }
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
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    return Effect.map(
      download(options, source, {
        take: (chunk) => Effect.sync(() => void chunks.push(chunk)),
        restart: () => {
          chunks.length = 0
        }
      }),
      () => Binary.concatenate(chunks)
    )
  })

/**
 * Where an artifact is written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  /** The folder, which is made if it does not exist. */
  readonly directory: string
  /** The name of the file. The default is the artifact's own name, made safe. */
  readonly filename?: string | undefined
}

/**
 * Reads where an artifact is to be written, before any request.
 *
 * @internal
 */
export const checkTarget = (operation: string, target: Target): Effect.Effect<Target, BadRequestError> =>
  Effect.tap(
    CallOptions.copyRequired(operation, "target", target, ["directory", "filename"]),
    ({ directory, filename }) =>
      Effect.andThen(
        CallOptions.checkKind(
          operation,
          "directory",
          directory ?? null,
          // The current folder is rarely meant by a path that is empty
          (value) => typeof value === "string" && value.trim() !== "",
          "the path of a folder, such as \".\" for the current one"
        ),
        CallOptions.checkKind(operation, "filename", filename, Predicate.isString, "the name of a file, as text")
      )
  )

/**
 * Writes the artifact into a folder, which is made if it does not exist, under its own name made safe, or under `filename`. A
 * file of that name is replaced; a folder, a device or a pipe of that name is an `ArtifactError`. Returns the path.
 *
 * @category reading
 * @since 0.1.0
 */
export const toFile = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  target: Target
): Effect.Effect<string, ArtifactError | BadRequestError | E, R | FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const checked = yield* checkTarget("Artifact.toFile", target)
    const fs = yield* FileSystem.FileSystem
    const { directory } = checked
    const path = `${directory.replace(/[/\\]+$/, "")}/${FileName.writable(checked.filename ?? source.name, "artifact")}`
    const suffix = Math.abs(yield* Random.nextInt).toString(36)
    const partial = `${path}.${suffix}.partial`
    const fail = (cause: PlatformError.PlatformError) => {
      return artifactError(source, "write", `${explain(cause)} The path was to be ${path}.`, { cause })
    }
    yield* Effect.mapError(makeDirectory(fs, directory), fail)
    const there = Option.getOrUndefined(yield* Effect.option(fs.stat(path)))
    if (there !== undefined && there.type !== "File") {
      return yield* Effect.fail(
        artifactError(
          source,
          "write",
          `${path} is there already, and is ${
            kinds[there.type]
          }. Only a file is replaced: give another filename or directory.`,
          {}
        )
      )
    }
    yield* writeTo(options, source, fs, partial).pipe(
      Effect.mapError((error) => isPlatformError(error) ? fail(error) : error),
      Effect.andThen(Effect.mapError(fs.rename(partial, path), fail)),
      Effect.onError(() => Effect.ignore(fs.remove(partial, { force: true })))
    )
    return path
  })

/**
 * Makes a folder and its parents. Node says ENOENT where one is missing on a file system that is read-only, and names it. To make
 * that one alone tells the reason.
 */
const makeDirectory = (
  fs: FileSystem.FileSystem,
  directory: string
): Effect.Effect<void, PlatformError.PlatformError> => {
  const all = fs.makeDirectory(directory, { recursive: true })
  return Effect.catch(all, (error) => {
    const { cause } = error.reason
    const missing = Predicate.hasProperty(cause, "path") && typeof cause.path === "string" ? cause.path : directory
    return codeOf(error) === "ENOENT" ? Effect.andThen(fs.makeDirectory(missing), all) : Effect.fail(error)
  })
}

/** The code of the operating system. */
const codeOf = ({ reason: { cause } }: PlatformError.PlatformError): unknown =>
  Predicate.hasProperty(cause, "code") ? cause.code : undefined

/** What stands where the file was to be. A link counts as what it leads to. */
const kinds: Readonly<Record<FileSystem.File.Type, string>> = {
  File: "a file",
  Directory: "a folder",
  SymbolicLink: "a link",
  BlockDevice: "a device",
  CharacterDevice: "a device",
  FIFO: "a named pipe",
  Socket: "a socket",
  Unknown: "of a kind that is not known"
}

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
    const length = Math.max(1, Math.min(sizeOf(source) ?? pieceBytes, pieceBytes))
    const full = yield* Queue.unbounded<Uint8Array | "restart", Cause.Done>()
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
    const restart = () => {
      filled = 0
      Queue.offerUnsafe(full, "restart")
    }
    const read = download(options, source, { take, restart }).pipe(
      Effect.andThen(Effect.sync(() => filled > 0 && Queue.offerUnsafe(full, filling.subarray(0, filled)))),
      Effect.andThen(Queue.end(full))
    )
    const write = Effect.gen(function*() {
      const file = yield* fs.open(path, { flag: "w" })
      const writeNext = Effect.flatMap(Queue.take(full), (piece) =>
        piece === "restart"
          ? file.truncate()
          : Effect.map(file.writeAll(piece), () => {
            if (piece.length === length) Queue.offerUnsafe(free, piece as Uint8Array<ArrayBuffer>)
          }))
      yield* Effect.forever(writeNext)
    }).pipe(
      Effect.scoped,
      Effect.catchIf(Cause.isDone, () => Effect.void)
    )
    yield* Effect.acquireUseRelease(
      // A file must not be closed during a write, which cannot be stopped
      Effect.forkChild(Effect.uninterruptible(write)),
      (writer) => Effect.all([read, Fiber.join(writer)], { concurrency: 2, discard: true }),
      (writer) => Effect.andThen(Queue.end(full), Fiber.await(writer))
    )
  })

/** What the file system says, and what to do about it. */
const explain = (error: PlatformError.PlatformError): string => {
  const code = codeOf(error)
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return `The disk is full (${code}). Free some space, then read it again.`
    case "EROFS":
      return "The file system is read-only (EROFS). Write it to another folder."
    case "EACCES":
    case "EPERM":
      return `The folder must not be written to (${code}). Change its permissions, or write to another folder.`
    case "ENOENT":
      return "The folder could not be made, or is gone (ENOENT). Check that its nearest parent that exists may be written to."
    case "ENAMETOOLONG":
      return "The name or the path is too long (ENAMETOOLONG). Give a shorter filename or directory."
    case "EEXIST":
    case "EISDIR":
    case "ENOTEMPTY":
    case "ENOTDIR":
      return `A folder and a file have the same name (${code}). Give another filename or directory.`
    default:
      return `The file system failed: ${error.message}. Check the folder.`
  }
}

const isPlatformError = (error: unknown): error is PlatformError.PlatformError =>
  error instanceof Error && "_tag" in error && error._tag === "PlatformError"

// ---------------------------------------------------------------------------------------------------------------------
// Downloading
// ---------------------------------------------------------------------------------------------------------------------

/** Takes the bytes of a file. */
interface Reader<E, R> {
  readonly take: (chunk: Uint8Array) => Effect.Effect<unknown, E, R>
  /** Forgets all bytes, because the file is read from its beginning again. `undefined` if they have been handed on. */
  readonly restart: (() => void) | undefined
}

/** How far the reading of a file has come, over all attempts. */
interface Progress {
  /** The link, or the fresh one that replaced it. */
  url: string
  /** The number of bytes that the reader has. */
  received: number
  /** The largest number of bytes that it ever had. */
  furthest: number
  /** The strong ETag of the version that the bytes belong to. */
  version: string | undefined
  /** The size of that version, as its server announced it. */
  total: number | undefined
  /** Whether the server compresses the file, so that its positions are not those of the bytes received. */
  isEncoded: boolean
  /** Whether the bytes received are of no use, and cannot be taken back. */
  isStuck: boolean
}

/** An attempt that brings as many bytes does not count as a failure. A server may answer a range with a part of it. */
const progressBytes = 64 * 1024

/** Reads the file to its end, in as many attempts as the options allow. */
const download = <E, R, E2, R2>(
  options: Options,
  source: ArtifactSource<E, R>,
  reader: Reader<E2, R2>
): Effect.Effect<void, ArtifactError | E | E2, R | R2> =>
  Effect.suspend(() => {
    const progress: Progress = {
      url: source.url,
      received: 0,
      furthest: 0,
      version: undefined,
      total: undefined,
      isEncoded: false,
      isStuck: false
    }
    const mayContinue = (error: unknown): error is ArtifactError =>
      error instanceof ArtifactError && error.isRetryable && !progress.isStuck &&
      (progress.received === 0 || progress.version !== undefined || reader.restart !== undefined)
    const attempt = Effect.suspend(() => {
      const before = progress.furthest
      return Effect.as(read(options, source, progress, reader), true).pipe(
        Effect.catchIf(
          (error) => mayContinue(error) && progress.furthest - before >= progressBytes,
          () => Effect.succeed(false)
        )
      )
    })
    const untilEnd: Effect.Effect<void, ArtifactError | E | E2, R | R2> = Effect.flatMap(
      retrying(attempt, options, mayContinue),
      (isEnd) => isEnd ? Effect.void : untilEnd
    )
    return untilEnd
  })

/** One attempt: gives the bytes to the reader, and fails if the server is silent or the size is wrong. */
const read = <E, R, E2, R2>(
  options: Options,
  source: ArtifactSource<E, R>,
  progress: Progress,
  reader: Reader<E2, R2>
): Effect.Effect<void, ArtifactError | E | E2, R | R2> =>
  Effect.withFiber((fiber) =>
    Effect.flatMap(open(options, source, progress, reader), (opened) => {
      const idleMillis = Duration.toMillis(options.idleTimeout)
      // One for the whole body. While the fibers of a timeout for each chunk take their turns, chunks pile up and are joined by
      // copying, which doubles the cost of a download.
      const silence = Deferred.makeUnsafe<never, ArtifactError>()
      const watchman = TimerQueue.watchman(TimerQueue.of(fiber), () => {
        Deferred.doneUnsafe(
          silence,
          Effect.fail(
            interrupted(source, progress, `the server sent nothing for ${Duration.format(options.idleTimeout)}`)
          )
        )
      })
      let { skip } = opened
      const chunks = Stream.runForEach(
        chunksOf(source, progress, opened.response),
        (chunk): Effect.Effect<void, ArtifactError | E2, R2> => {
          // No progress, however many there are
          if (chunk.length === 0) return Effect.void
          watchman.rest()
          const fresh = skip === 0 ? chunk : chunk.subarray(skip)
          skip -= chunk.length - fresh.length
          const error = count(source, progress, fresh.length)
          return error === undefined
            ? Effect.map(fresh.length === 0 ? Effect.void : reader.take(fresh), () => watchman.expect(idleMillis))
            : Effect.fail(error)
        }
      )
      watchman.expect(idleMillis)
      return Effect.andThen(
        Effect.ensuring(Effect.raceFirst(chunks, Deferred.await(silence)), Effect.sync(watchman.stop)),
        Effect.suspend(() => {
          const expected = expectedOf(source, progress)
          return skip > 0 || expected !== undefined && progress.received !== expected
            ? Effect.fail(wrongSize(source, progress))
            : Effect.void
        })
      )
    })
  )

/** The chunks of the body, which may have none. */
const chunksOf = <E, R>(
  source: ArtifactSource<E, R>,
  progress: Progress,
  response: HttpClientResponse.HttpClientResponse | undefined
): Stream.Stream<Uint8Array, ArtifactError> =>
  response === undefined ? Stream.empty : Stream.catch(
    Body.stream(response),
    (error) =>
      error.reason._tag === "EmptyBodyError"
        ? Stream.empty
        : Stream.fail(
          interrupted(source, progress, "the connection broke", Transfer.cleanCause(error.reason.cause, progress.url))
        )
  )

/** Counts bytes. Returns an error if they are more than the file has. */
const count = <E, R>(source: ArtifactSource<E, R>, progress: Progress, bytes: number): ArtifactError | undefined => {
  progress.received += bytes
  progress.furthest = Math.max(progress.furthest, progress.received)
  return progress.received > (expectedOf(source, progress) ?? Infinity) ? wrongSize(source, progress) : undefined
}

/** The number of bytes that have to arrive, if it is known. */
const expectedOf = <E, R>(source: ArtifactSource<E, R>, { isEncoded, total }: Progress): number | undefined =>
  isEncoded ? undefined : sizeOf(source) ?? total

/** The size that the provider tells. What is no number of bytes, such as -1 for an unknown size, is none. */
const sizeOf = <E, R>({ size }: ArtifactSource<E, R>): number | undefined =>
  Number.isSafeInteger(size) && size! >= 0 ? size : undefined

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

interface Opened {
  /** `undefined` if all bytes have been received before. */
  readonly response: HttpClientResponse.HttpClientResponse | undefined
  /** How many bytes at its beginning have been received before. */
  readonly skip: number
}

/** Asks for the rest of the file, or for the whole of it where that is all that the server can give. */
const open = <E, R, E2, R2>(
  options: Options,
  source: ArtifactSource<E, R>,
  progress: Progress,
  reader: Reader<E2, R2>
): Effect.Effect<Opened, ArtifactError | E, R> =>
  Effect.suspend(() => {
    const fromTheBeginning = (): ArtifactError | undefined => {
      if (progress.received > 0) {
        if (reader.restart === undefined) {
          progress.isStuck = true
          return interrupted(source, progress, "the connection broke, and the file has changed since")
        }
        reader.restart()
      }
      progress.received = 0
      progress.version = undefined
      progress.total = undefined
      progress.isEncoded = false
      return undefined
    }
    if (progress.version === undefined) fromTheBeginning()
    const { isEncoded, received, total, version } = progress
    const isRange = received > 0 && !isEncoded
    const askedFor = isRange ? { range: `bytes=${received}-`, "if-range": version! } : {}
    return Effect.flatMap(
      ask(options, source, progress, askedFor),
      (response): Effect.Effect<Opened, ArtifactError | E, R> => {
        const { headers, status } = response
        const etag = strongEtag(headers)
        const again = () => {
          const error = fromTheBeginning()
          return Effect.andThen(
            Body.discard(response),
            error === undefined ? open(options, source, progress, reader) : Effect.fail(error)
          )
        }
        switch (status) {
          case 200: {
            if (isPage(source, headers)) {
              return refuse(
                response,
                unavailable(source, "its server, or a proxy in its place, answered with a page of HTML", {
                  status,
                  isRetryable: true
                })
              )
            }
            const encoding = Body.undecoded(response, headers)
            if (encoding !== undefined) {
              return refuse(
                response,
                unavailable(
                  source,
                  `its server sent it with the content-encoding ${
                    JSON.stringify(encoding)
                  }, which this HTTP client does not decode`,
                  { status },
                  "Use an HTTP client that decodes it, such as fetch or NodeHttp.layer."
                )
              )
            }
            if (received > 0 && etag === version) return Effect.succeed({ response, skip: received })
            const error = fromTheBeginning()
            if (error !== undefined) return refuse(response, error)
            progress.version = etag
            progress.isEncoded = isCompressed(headers)
            progress.total = progress.isEncoded ? undefined : wholeNumber(headers["content-length"])
            return Effect.succeed({ response, skip: 0 })
          }
          case 206: {
            const part = contentRange(headers)
            if (isRange) {
              // A part that does not say how large the file is could end before the file does
              progress.total = total ?? part?.total
              const isTheRest = part !== undefined && part.first === received && !isCompressed(headers) &&
                (etag === undefined || etag === version) &&
                progress.total !== undefined && (part.total === undefined || part.total === progress.total)
              return isTheRest ? Effect.succeed({ response, skip: 0 }) : again()
            }
            return refuse(response, unavailable(source, "its server answered with a part of it only", { status }))
          }
          case 416: {
            if (!isRange) break
            return contentRange(headers)?.total === received
              ? Effect.as(Body.discard(response), { response: undefined, skip: 0 })
              : again()
          }
        }
        return Effect.flatMap(
          Transfer.refusal(response),
          (refusal) => refuse(response, unavailable(source, Transfer.wordsOf(status), refusal))
        )
      }
    )
  })

/** Sends the request, and if the link is refused, sends it once more with a fresh link. */
const ask = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  progress: Progress,
  headers: Headers.Input
): Effect.Effect<HttpClientResponse.HttpClientResponse, ArtifactError | E, R> =>
  Effect.flatMap(get(options, source, progress.url, headers), (response) => {
    const { status } = response
    if (!isRefusal(status)) return Effect.succeed(response)
    return Effect.flatMap(Effect.andThen(Body.discard(response), source.refresh), (url) => {
      if (url === undefined) {
        return Effect.fail(
          artifactError(source, "expired", "Its link is refused, and the run no longer lists it. The file is gone.", {
            status
          })
        )
      }
      progress.url = url
      return Effect.flatMap(get(options, source, url, headers), (response) =>
        isRefusal(response.status)
          ? refuse(
            response,
            artifactError(
              source,
              "expired",
              `Its link was refused with ${status}, and a fresh one with ${response.status}. Ask the provider whether the file still exists.`,
              { status: response.status }
            )
          )
          : Effect.succeed(response))
    })
  })

/** How stores refuse a link that has expired: S3 with 400 or 403, GCS with 400, Azure with 403, others with 401, 404 or 410. */
const isRefusal = (status: number): boolean =>
  status === 400 || status === 401 || status === 403 || status === 404 || status === 410

/** Whether a page is sent in place of the file, such as a login page of a proxy. */
const isPage = <E, R>(source: ArtifactSource<E, R>, headers: Headers.Headers): boolean => {
  const isHtml = (type: string | undefined) => type !== undefined && /html/i.test(type)
  const extension = /\.(\w+)$/.exec(source.name)?.[1]
  return isHtml(headers["content-type"]) &&
    !(isHtml(source.contentType) || /^[xs]?html?$/i.test(extension ?? "html") && source.contentType === undefined) &&
    // A file of the right size is the file, whatever its server calls it
    (sizeOf(source) === undefined || wholeNumber(headers["content-length"]) !== sizeOf(source))
}

const isCompressed = (headers: Headers.Headers): boolean =>
  !/^(?:identity)?$/i.test(headers["content-encoding"]?.trim() ?? "")

/** The ETag, unless it is weak: equal weak ETags allow different bytes. */
const strongEtag = (headers: Headers.Headers): string | undefined =>
  /^"[^"]*"$/.test(headers["etag"] ?? "") ? headers["etag"] : undefined

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/** Which part of the file a response has. */
const contentRange = (
  headers: Headers.Headers
): { readonly first: number | undefined; readonly total: number | undefined } | undefined => {
  const found = /^bytes (?:(\d{1,15})-\d{1,15}|\*)\/(?:(\d{1,15})|\*)$/i.exec(headers["content-range"] ?? "")
  return found === null ? undefined : { first: wholeNumber(found[1]), total: wholeNumber(found[2]) }
}

const refuse = (
  response: HttpClientResponse.HttpClientResponse,
  error: ArtifactError
): Effect.Effect<never, ArtifactError> => Effect.andThen(Body.discard(response), Effect.fail(error))

/** How many redirects of a link are followed. */
const maxRedirects = 10

const get = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  link: string,
  headers: Headers.Input
): Effect.Effect<HttpClientResponse.HttpClientResponse, ArtifactError> => {
  const url = Transfer.resolveLink(link, options.baseUrl)
  return typeof url === "string" ?
    Effect.fail(unavailable(source, url, {})) :
    send(source, options.client, url, headers).pipe(
      Effect.timeoutOrElse({
        duration: options.idleTimeout,
        orElse: () =>
          Effect.fail(
            unavailable(source, `its server gave no answer within ${Duration.format(options.idleTimeout)}`, {
              isRetryable: true
            })
          )
      }),
      // The link is a secret for as long as it lasts, and a client span would show it
      Effect.provideContext(FetchPlatform.context(undefined))
    )
}

/** Sends the request, and follows redirects. Their bodies are let go of: they would hold connections until they are collected. */
const send = <E, R>(
  source: ArtifactSource<E, R>,
  client: HttpClient.HttpClient,
  url: URL,
  headers: Headers.Input,
  visited: ReadonlyArray<string> = []
): Effect.Effect<HttpClientResponse.HttpClientResponse, ArtifactError> => {
  const request = HttpClientRequest.get(url, { headers })
  return execute(client, request).pipe(
    // A browser hides where a redirect leads, and follows as many as it likes when it is asked again
    Effect.flatMap((response) =>
      response.status === 0
        ? Effect.provideContext(execute(client, request), FetchPlatform.following)
        : Effect.succeed(response)
    ),
    Effect.mapError((error) => {
      const { words, ...cause } = Transfer.cleanCause(causeOf(error), url.href)
      return unavailable(source, `its server gave no answer${words}`, { isRetryable: true, ...cause })
    }),
    Effect.flatMap((response) => {
      const { headers: { location }, status } = response
      if (!isRedirect(status)) return Effect.succeed(response)
      const refused = (what: string) => refuse(response, unavailable(source, what, { status }))
      if (location === undefined) return refused(`its server redirects with ${status}, without a location`)
      const target = Transfer.checkAddress("location", location, url)
      if (typeof target === "string") return refused(`its server redirects with ${status}, and ${target}`)
      return visited.length === maxRedirects
        ? refused(
          `it leads to more than ${maxRedirects} redirects${visited.includes(target.href) ? ", in a circle" : ""}`
        )
        : Effect.andThen(
          Body.discard(response),
          send(source, client, target, headers, [...visited, url.href])
        )
    })
  )
}

/** The statuses that a fetch follows. */
const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const wrongSize = <E, R>(source: ArtifactSource<E, R>, progress: Progress): ArtifactError => {
  const expected = expectedOf(source, progress)
  const isRetryable = progress.received < (expected ?? Infinity)
  return artifactError(
    source,
    "size",
    `${expected === undefined ? "More" : expected} bytes were announced, and ${progress.received} arrived. ${
      isRetryable ? "Read it again." : "Retrieve the run again, in case the file was replaced."
    }`,
    {
      receivedBytes: progress.received,
      isRetryable,
      ...(expected === undefined ? undefined : { expectedBytes: expected })
    }
  )
}

const interrupted = <E, R>(
  source: ArtifactSource<E, R>,
  { received }: Progress,
  what: string,
  { cause, words }: ReturnType<typeof Transfer.cleanCause> = { words: "" }
): ArtifactError =>
  artifactError(source, "interrupted", `After ${received} bytes, ${what}${words}. Read it again.`, {
    isRetryable: true,
    receivedBytes: received,
    ...(cause === undefined ? undefined : { cause })
  })

const unavailable = <E, R>(
  source: ArtifactSource<E, R>,
  what: string,
  fields: Partial<Pick<ArtifactError, "status" | "isRetryable" | "retryAfter" | "cause">>,
  advice = fields.isRetryable === true
    ? "Try again later."
    : "A repetition fails as well. Retrieve the run again for another link."
): ArtifactError =>
  artifactError(source, "unavailable", `${what.charAt(0).toUpperCase()}${what.slice(1)}. ${advice}`, fields)

const artifactError = <E, R>(
  source: ArtifactSource<E, R>,
  reason: ArtifactError["reason"],
  what: string,
  fields: Partial<
    Pick<ArtifactError, "status" | "expectedBytes" | "receivedBytes" | "isRetryable" | "retryAfter" | "cause">
  >
): ArtifactError =>
  new ArtifactError({
    message: `The file ${JSON.stringify(source.name)} could not be ${reason === "write" ? "written" : "read"}. ${what}`,
    artifact: source.name,
    reason,
    ref: source.ref,
    isRetryable: false,
    ...fields
  })
