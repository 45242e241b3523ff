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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as PlatformError from "effect/PlatformError"
import * as Random from "effect/Random"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as FileName from "./internal/fileName.ts"
import { discard } from "./internal/http.ts"
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
  retrying(options, Stream.mkUint8Array(once(options, source)))

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
      artifactError(source, "write", `it could not be written to ${path} (${cause.message})`, { cause })
    yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), fail)
    const write = Stream.run(
      once(options, source),
      fs.sink(partial, { flag: "w" })
    ).pipe(Effect.mapError((error) => isPlatformError(error) ? fail(error) : error))
    yield* retrying(options, write).pipe(
      Effect.andThen(Effect.mapError(fs.rename(partial, path), fail)),
      Effect.onError(() => Effect.ignore(fs.remove(partial, { force: true })))
    )
    return path
  })

const once = <E, R>(options: Options, source: ArtifactSource<E, R>): Stream.Stream<Uint8Array, ArtifactError | E, R> =>
  Stream.unwrap(Effect.map(open(options, source), (response) => body(options, source, response)))

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

/** Follows redirects with their bodies let go, which would else hold their connections until they are collected. */
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

/** The body, counted. */
const body = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  response: HttpClientResponse.HttpClientResponse
): Stream.Stream<Uint8Array, ArtifactError> =>
  Stream.suspend(() => {
    let received = 0
    const interrupted = (what: string, cause?: unknown) =>
      artifactError(source, "interrupted", `${what} after ${received} bytes`, {
        isRetryable: true,
        receivedBytes: received,
        ...causeOf(cause)
      })
    const wrongSize = () =>
      artifactError(source, "size", `${source.size} bytes were announced and ${received} arrived`, {
        receivedBytes: received,
        isRetryable: received < (source.size ?? 0)
      })
    const counted = response.stream.pipe(
      Stream.mapError((error) =>
        error.reason._tag === "EmptyBodyError" ? undefined : interrupted("it broke off", error.reason.cause)
      ),
      Stream.catch((error) => error === undefined ? Stream.empty : Stream.fail(error)),
      Stream.timeoutOrElse({
        duration: options.idleTimeout,
        orElse: () =>
          Stream.suspend(() => Stream.fail(interrupted(`nothing came for ${Duration.format(options.idleTimeout)}`)))
      })
    )
    return source.size === undefined ? counted : counted.pipe(
      Stream.tap((chunk) => {
        received += chunk.byteLength
        return received > source.size! ? Effect.fail(wrongSize()) : Effect.void
      }),
      Stream.concat(Stream.suspend(() => received === source.size ? Stream.empty : Stream.fail(wrongSize())))
    )
  })

const causeOf = (cause: unknown) => cause instanceof Error ? { cause } : undefined

const artifactError = <E, R>(
  source: ArtifactSource<E, R>,
  reason: ArtifactError["reason"],
  what: string,
  fields: Partial<Pick<ArtifactError, "status" | "receivedBytes" | "isRetryable" | "retryAfter" | "cause">>
): ArtifactError =>
  new ArtifactError({
    message: `The file ${JSON.stringify(source.name)} could not be read: ${what}. ${
      reason === "write"
        ? "Check the folder."
        : "Retrieve the run again for a fresh link, then read the artifact again."
    }`,
    artifact: source.name,
    reason,
    ref: source.ref,
    isRetryable: false,
    ...(source.size === undefined || fields.receivedBytes === undefined ? undefined : { expectedBytes: source.size }),
    ...fields
  })
