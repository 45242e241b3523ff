/**
 * Downloads the files that a run produced: as bytes, as a stream, or into a folder.
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
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Binary from "./internal/binary.ts"
import { downloadTo } from "./internal/download/download.ts"
import * as File from "./internal/download/file.ts"
import type { ArtifactSource, Options, Target } from "./internal/download/source.ts"
import type { ArtifactError, BadRequestError } from "./RunError.ts"

export type { ArtifactSource, Options, Target } from "./internal/download/source.ts"

/**
 * Streams the bytes. The stream survives interruptions of the connection if the server names the version of the file by a strong
 * ETag. Otherwise, and if the file changes meanwhile, it fails, because its beginning has been delivered.
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
      Queue.into(
        downloadTo(options, source, { take: (chunk) => Queue.offer(queue, chunk), restart: undefined }),
        queue
      ),
    { bufferSize: 4, strategy: "suspend" }
  )

/**
 * Returns the whole artifact in memory.
 *
 * @category reading
 * @since 0.1.0
 */
export const bytes = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>
): Effect.Effect<Uint8Array<ArrayBuffer>, ArtifactError | E, R> =>
  Effect.suspend(() => {
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
 * @category reading
 * @since 0.1.0
 */
export const toFile = <E, R>(
  options: Options,
  source: ArtifactSource<E, R>,
  target: Target
): Effect.Effect<string, ArtifactError | BadRequestError | E, R | FileSystem.FileSystem> =>
  Effect.flatMap(File.checkTarget("Artifact.toFile", target), (target) => File.write(options, source, target))
