/**
 * Downloads the files that Spine runs produce.
 *
 * @see {@link module:Artifact} for what every download does: fresh links, interrupted connections, safe names
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as KernelArtifact from "../Artifact.ts"
import { quote } from "../internal/describe.ts"
import * as File from "../internal/download/file.ts"
import * as FileName from "../internal/files/fileName.ts"
import type { RunRef } from "../internal/ref.ts"
import * as Options from "../internal/options.ts"
import * as Polling from "../Polling.ts"
import { badRequest, type BadRequestError, type DownloadError } from "../RunError.ts"
import { refOf } from "./internal/target.ts"
import type { Runs, RunTarget } from "./SpineRuns.ts"
import type * as Data from "./SpineSchema.ts"

/**
 * An artifact, and the path of its file.
 *
 * @category models
 * @since 0.1.0
 */
export interface DownloadedArtifact {
  /** The artifact, as the run has it in `result.artifacts`. */
  readonly artifact: Data.Artifact
  /** The path of the file: the folder, and the artifact's name made safe. */
  readonly path: string
}

/**
 * Downloads artifacts.
 *
 * **When to use**
 *
 * | method | use it if |
 * | --- | --- |
 * | `toDirectory` | you want all files of a run on disk |
 * | `toFile` | you want one file on disk, or choose its name |
 * | `stream` | you pass the bytes on, for example to a browser or to other storage. The file may have any size |
 * | `download` | you want a small file in memory |
 *
 * **Details**
 *
 * Each method also takes the run, and retrieves it for a fresh link if a link is rejected. The provider does not document its links.
 * This library assumes that they are signed, need no API key, and expire.
 *
 * Each fails with an `ArtifactError` if the file cannot be read or written whole, with a `BadRequestError` if an argument is wrong,
 * and with the other errors of a request if the run cannot be retrieved.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category models
 * @since 0.1.0
 */
export interface Artifacts {
  /**
   * Downloads the whole artifact into memory.
   *
   * **Example** (A small text file)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { artifacts, runs } = yield* Spine.SpineClient
   *   const run = yield* runs.run({ prompt: "Tides" })
   *   const bytes = yield* artifacts.download(run, run.result.artifacts[0]!)
   *   console.log(new TextDecoder().decode(bytes)) // => "# Tides"
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0 }), artifacts: [{ name: "tides.md", content: "# Tides" }] }
   * await main.pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script }))
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Artifacts.stream} for a file of any size
   */
  readonly download: (run: RunTarget, artifact: Data.Artifact) => Effect.Effect<Uint8Array<ArrayBuffer>, DownloadError>
  /**
   * Streams the bytes as they arrive. If the server names the version of the file by a strong ETag, the stream survives
   * interruptions of the connection. Otherwise it fails with an `ArtifactError`.
   *
   * **Example** (Counting bytes without holding them)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { artifacts, runs } = yield* Spine.SpineClient
   *   const run = yield* runs.run({ prompt: "Tides" })
   *   const bytes = artifacts.stream(run, run.result.artifacts[0]!)
   *   console.log(yield* Stream.runFold(bytes, () => 0, (sum, chunk) => sum + chunk.length)) // => 7
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0 }), artifacts: [{ name: "tides.md", content: "# Tides" }] }
   * await main.pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script }))
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Artifacts.toFile} for a file on disk, which also survives a change of the file
   */
  readonly stream: (run: RunTarget, artifact: Data.Artifact) => Stream.Stream<Uint8Array, DownloadError>
  /**
   * Writes one artifact into a folder, under its own name made safe, or under `filename`, and returns the path. The folder is
   * created if it does not exist. A file of that name is replaced. The file appears only when it is complete.
   *
   * **Example** (A name of your own)
   *
   * ```ts
   * import { NodeFileSystem } from "@effect/platform-node"
   * import { Effect, FileSystem, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { artifacts, runs } = yield* Spine.SpineClient
   *   const fs = yield* FileSystem.FileSystem
   *   const directory = yield* fs.makeTempDirectoryScoped()
   *   const run = yield* runs.run({ prompt: "Tides" })
   *   const path = yield* artifacts.toFile(run, run.result.artifacts[0]!, { directory, filename: "july.md" })
   *   console.log(yield* fs.readFileString(path)) // => "# Tides"
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0 }), artifacts: [{ name: "tides.md", content: "# Tides" }] }
   * await main.pipe(
   *   Effect.scoped,
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge([SpineEmulator.layerTest({ script }), NodeFileSystem.layer])
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Artifacts.toDirectory} for all files of a run
   * @see {@link Artifacts.stream} for bytes that are passed on
   */
  readonly toFile: (
    run: RunTarget,
    artifact: Data.Artifact,
    target: KernelArtifact.Target
  ) => Effect.Effect<string, DownloadError, FileSystem.FileSystem>
  /**
   * Writes all artifacts of a run into a folder, and returns their paths in the order of the artifacts. Names that a file system
   * could consider equal, such as names that differ only in case, are numbered. The first file that cannot be written ends the
   * call with its `ArtifactError`. Files that were complete by then stay.
   *
   * **Example** (Two files, one name)
   *
   * ```ts
   * import { NodeFileSystem } from "@effect/platform-node"
   * import { Effect, FileSystem, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { artifacts, runs } = yield* Spine.SpineClient
   *   const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
   *   const run = yield* runs.run({ prompt: "Tides" })
   *   const files = yield* artifacts.toDirectory(run, directory)
   *   console.log(files.map(({ path }) => path.slice(directory.length))) // => ["/tides.md", "/Tides-2.md"]
   * })
   *
   * const named = ["tides.md", "Tides.md"].map((name) => ({ name, content: "# Tides" }))
   * const script = { timeline: Timeline.make({ duration: 0 }), artifacts: named }
   * await main.pipe(
   *   Effect.scoped,
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge([SpineEmulator.layerTest({ script }), NodeFileSystem.layer])
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Artifacts.toFile} for one file
   */
  readonly toDirectory: (
    run: Data.CompletedRun | Data.PartialRun,
    directory: string,
    options?: {
      /**
       * How many files are downloaded at the same time.
       *
       * @default 4
       */
      readonly concurrency?: number | undefined
    }
  ) => Effect.Effect<ReadonlyArray<DownloadedArtifact>, DownloadError, FileSystem.FileSystem>
}

/** The parts of an artifact that a download needs. */
type Named = Pick<Data.Artifact, "id" | "name" | "download_url"> & { readonly size_bytes?: number | undefined }

/** Copies these parts of an artifact, which the caller may have made by hand. */
const readArtifact = (operation: string, artifact: unknown): Effect.Effect<Named, BadRequestError> =>
  Options.reading(operation, "artifact", () => {
    const { download_url, id, name, size_bytes } = (Predicate.isObject(artifact) ? artifact : {}) as Partial<Named>
    if (
      typeof download_url === "string" && typeof name === "string" &&
      (size_bytes === undefined || Number.isSafeInteger(size_bytes) && size_bytes >= 0)
    ) {
      return Effect.succeed({ id: id!, name, download_url, size_bytes })
    }
    const fault = !Predicate.isObject(artifact)
      ? `artifact is ${quote(artifact)}`
      : typeof download_url !== "string"
      ? `artifact.download_url is ${quote(download_url)}`
      : typeof name !== "string"
      ? `artifact.name is ${quote(name)}`
      : `artifact.size_bytes is ${quote(size_bytes)}`
    return Effect.fail(badRequest({
      operation,
      parameter: "artifact",
      message: `${fault}. Give one of run.result.artifacts.`
    }))
  })

/** Copies the list of artifacts of a run. */
const readArtifacts = (operation: string, run: Data.CompletedRun | Data.PartialRun) =>
  Options.reading(operation, "run", () => {
    const artifacts: unknown = run.result?.artifacts
    return Array.isArray(artifacts)
      ? Effect.succeed(Array.from(artifacts as ReadonlyArray<Data.Artifact>))
      : Effect.fail(badRequest({
        operation,
        parameter: "run",
        message: `run is ${
          quote(run)
        } without result.artifacts. Give a completed or partial run, as runs.waitForCompletion returns it.`
      }))
  })

/**
 * Makes {@link Artifacts} on the runs they belong to.
 *
 * @internal
 */
export const make = (runs: Runs, options: KernelArtifact.Options): Artifacts => {
  const sourceOf = (ref: RunRef, artifact: Named): KernelArtifact.ArtifactSource<DownloadError> => ({
    name: artifact.name,
    url: artifact.download_url,
    size: artifact.size_bytes,
    ref,
    refresh: Effect.map(runs.retrieve(ref), (run) =>
      run.status === "completed" || run.status === "partial"
        ? run.result.artifacts.find(({ id }) => id === artifact.id)?.download_url
        : undefined)
  })
  const source = (operation: string, run: RunTarget, artifact: Data.Artifact) =>
    Effect.zipWith(refOf(operation, run), readArtifact(operation, artifact), sourceOf)

  return {
    download: (run, artifact) =>
      Effect.flatMap(source("artifacts.download", run, artifact), (source) => KernelArtifact.bytes(options, source)),
    stream: (run, artifact) =>
      Stream.unwrap(
        Effect.map(source("artifacts.stream", run, artifact), (source) => KernelArtifact.stream(options, source))
      ),
    toFile: (run, artifact, target) =>
      Effect.gen(function*() {
        const operation = "artifacts.toFile"
        const file = yield* source(operation, run, artifact)
        return yield* File.write(options, file, yield* File.checkTarget(operation, target))
      }),
    toDirectory: (run, directory, given) =>
      Effect.gen(function*() {
        const operation = "artifacts.toDirectory"
        const { concurrency = 4 } = yield* Options.copy(operation, "options", given, ["concurrency"])
        yield* Polling.checkConcurrency(operation, concurrency)
        yield* File.checkTarget(operation, { directory })
        const ref = yield* refOf(operation, run)
        const artifacts = yield* readArtifacts(operation, run)
        const files = yield* Effect.forEach(artifacts, (artifact) => readArtifact(operation, artifact))
        const names = FileName.distinct(files.map(({ name }) => name), "artifact")
        return yield* Effect.forEach(
          files,
          (file, index) =>
            Effect.map(
              File.write(options, sourceOf(ref, file), { directory, filename: names[index]! }),
              (path): DownloadedArtifact => ({ artifact: artifacts[index]!, path })
            ),
          { concurrency }
        )
      })
  }
}
