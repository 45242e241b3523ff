/**
 * Downloads the files that a run produced: as bytes, as a stream, or into a folder.
 *
 * **When to use**
 *
 * The clients have these functions as methods, such as `spine.artifacts.toFile` and `tela.vault.download`. Call the functions here
 * for a provider of your own. {@link bytes} keeps the whole file in memory; {@link toFile} and {@link stream} do not.
 *
 * **Details**
 *
 * - A link that is refused with 400, 401, 403, 404 or 410 is replaced by a fresh one, once per attempt.
 * - No credential is sent: the links are signed, and may lead to any host.
 * - At most 10 redirects are followed. A browser hides the targets of redirects, so its own limit applies there.
 * - A download that breaks continues where it broke, with `Range` and `If-Range`, if the server names the version of the file by
 *   a strong ETag. If the file has changed, the download starts from the beginning. Two versions are never mixed. A `stream`, which
 *   has delivered bytes already, continues too, and fails if the file has changed.
 * - The bytes are counted. A file that is shorter or longer than announced is an `ArtifactError`, unless the server compresses it
 *   (`content-encoding`): then the announced size may be that of the compressed file.
 * - A page of HTML in place of another file, such as a login page, is an `ArtifactError`.
 * - A file appears under its final name only when it is complete. Its name is made safe, so that it is always written into the
 *   given folder.
 * - Memory does not grow with the size of the file, except for `bytes`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Binary from "./internal/binary.ts"
import { downloadTo } from "./internal/download/download.ts"
import * as File from "./internal/download/file.ts"
import { need } from "./internal/options.ts"
import type { ArtifactSource, Options, Target } from "./internal/download/source.ts"
import type { ArtifactError, BadRequestError } from "./RunError.ts"

export type { ArtifactSource, Options, Target } from "./internal/download/source.ts"

/**
 * Streams the bytes of an artifact. If the server names the version of the file by a strong ETag, the stream survives
 * interruptions of the connection. Otherwise, and if the file changes meanwhile, it fails, because its beginning has been
 * delivered.
 *
 * **Example** (Counting the bytes of a file)
 *
 * ```ts
 * import { Duration, Effect, Schedule, Stream } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { Artifact, RunRef } from "canvas-runs"
 *
 * const client = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("a,b\n1,2\n")))
 * )
 * const minute = Duration.minutes(1)
 * const options = { client, idleTimeout: minute, retry: Schedule.recurs(2), retryAfterCeiling: minute }
 * const source: Artifact.ArtifactSource = {
 *   name: "table.csv",
 *   url: "https://files.example/table.csv?signature=1",
 *   size: 8,
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   refresh: Effect.succeed("https://files.example/table.csv?signature=2")
 * }
 *
 * const size = Artifact.stream(options, source).pipe(Stream.runFold(() => 0, (sum, chunk) => sum + chunk.length))
 * console.log(await Effect.runPromise(size)) // => 8
 * ```
 *
 * @see {@link toFile} for a file on disk
 * @category reading
 * @since 0.1.0
 */
export const stream = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Stream.Stream<Uint8Array, ArtifactError | E, R> => {
  check(options, source)
  return Stream.callback<Uint8Array, ArtifactError | E, R>(
    (queue) =>
      Queue.into(
        downloadTo(options, source, { take: (chunk) => Queue.offer(queue, chunk), restart: undefined }),
        queue
      ),
    { bufferSize: 4, strategy: "suspend" }
  )
}

/**
 * Downloads the whole artifact into memory.
 *
 * **Example** (A small table)
 *
 * ```ts
 * import { Duration, Effect, Schedule } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { Artifact, RunRef } from "canvas-runs"
 *
 * const client = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("a,b\n1,2\n")))
 * )
 * const minute = Duration.minutes(1)
 * const options = { client, idleTimeout: minute, retry: Schedule.recurs(2), retryAfterCeiling: minute }
 * const source: Artifact.ArtifactSource = {
 *   name: "table.csv",
 *   url: "https://files.example/table.csv?signature=1",
 *   size: 8,
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   refresh: Effect.succeed("https://files.example/table.csv?signature=2")
 * }
 *
 * const table = await Effect.runPromise(Artifact.bytes(options, source))
 * new TextDecoder().decode(table).split("\n") // => ["a,b","1,2",""]
 * ```
 *
 * @see {@link stream} for a file of any size
 * @category reading
 * @since 0.1.0
 */
export const bytes = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Effect.Effect<Uint8Array<ArrayBuffer>, ArtifactError | E, R> =>
  Effect.suspend(() => {
    check(options, source)
    let chunks: Array<Uint8Array> = []
    return Effect.map(
      downloadTo(options, source, {
        take: (chunk) => Effect.sync(() => chunks.push(chunk)),
        restart: Effect.sync(() => chunks = [])
      }),
      () => Binary.concatenate(chunks)
    )
  })

/**
 * Writes the artifact into a folder, and returns the path. The folder is created if it does not exist. The file gets the
 * artifact's own name made safe, or `filename`. A file of that name is replaced; a folder, a device or a pipe of that name is an
 * `ArtifactError`.
 *
 * **Example** (A file in the folder for temporary files)
 *
 * ```ts
 * import { Duration, Effect, Schedule } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { readFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { Artifact, RunRef } from "canvas-runs"
 *
 * const client = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("a,b\n1,2\n")))
 * )
 * const minute = Duration.minutes(1)
 * const options = { client, idleTimeout: minute, retry: Schedule.recurs(2), retryAfterCeiling: minute }
 * const source: Artifact.ArtifactSource = {
 *   name: "table.csv",
 *   url: "https://files.example/table.csv?signature=1",
 *   size: 8,
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   refresh: Effect.succeed("https://files.example/table.csv?signature=2")
 * }
 *
 * const main = Artifact.toFile(options, source, { directory: tmpdir(), filename: "canvas-runs-table.csv" }).pipe(
 *   Effect.provide(NodeFileSystem.layer)
 * )
 * console.log(readFileSync(await Effect.runPromise(main), "utf8")) // => a,b 1,2
 * ```
 *
 * @see {@link bytes} for the contents in memory
 * @category reading
 * @since 0.1.0
 */
export const toFile = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  target: Target
): Effect.Effect<string, ArtifactError | BadRequestError | E, R | FileSystem.FileSystem> =>
  Effect.flatMap(File.checkTarget("Artifact.toFile", target), (target) => {
    check(options, source)
    return File.write(options, source, target)
  })

/** Checks at run time, because the provider that calls this may be written in JavaScript. */
const check = (options: unknown, source: unknown): void => {
  need("options", options, isOptions, "Artifact.Options")
  need("source", source, isSource, "an ArtifactSource")
}

const isOptions = (options: unknown): boolean => {
  const { client, idleTimeout, retry } = options as Options
  return HttpClient.isHttpClient(client) && Duration.isDuration(idleTimeout) && Schedule.isSchedule(retry)
}

const isSource = (source: unknown): boolean => {
  const { name, refresh, url } = source as ArtifactSource
  return typeof name === "string" && typeof url === "string" && Effect.isEffect(refresh)
}
