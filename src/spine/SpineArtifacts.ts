/**
 * The files that Spine runs produce.
 *
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
import type * as Wire from "./SpineSchema.ts"

/**
 * An artifact, and the file it was written to.
 *
 * @category models
 * @since 0.1.0
 */
export interface DownloadedArtifact {
  readonly artifact: Wire.Artifact
  readonly path: string
}

/**
 * Downloads artifacts.
 *
 * **Details**
 *
 * Each verb takes the run as well, so that an expired link can be replaced. The provider does not document the links: this library
 * assumes that they are signed, need no API key, and expire.
 *
 * @category models
 * @since 0.1.0
 */
export interface Artifacts {
  /** The whole artifact in memory. */
  readonly download: (run: RunTarget, artifact: Wire.Artifact) => Effect.Effect<Uint8Array<ArrayBuffer>, DownloadError>
  /** The bytes as they arrive. The stream survives interruptions of the connection if the server has strong ETags. */
  readonly stream: (run: RunTarget, artifact: Wire.Artifact) => Stream.Stream<Uint8Array, DownloadError>
  /** Writes one artifact into a folder, under its own name made safe, or under `filename`. Returns the path. */
  readonly toFile: (
    run: RunTarget,
    artifact: Wire.Artifact,
    target: KernelArtifact.Target
  ) => Effect.Effect<string, DownloadError, FileSystem.FileSystem>
  /**
   * Writes all artifacts of a run into a folder, a few at a time. Names that a file system could consider equal, such as
   * names that differ in case only, are numbered.
   */
  readonly toDirectory: (
    run: Wire.CompletedRun | Wire.PartialRun,
    directory: string,
    options?: {
      /** @default 4 */
      readonly concurrency?: number | undefined
    }
  ) => Effect.Effect<ReadonlyArray<DownloadedArtifact>, DownloadError, FileSystem.FileSystem>
}

/** The parts of an artifact that a download needs. */
type Named = Pick<Wire.Artifact, "id" | "name" | "download_url"> & { readonly size_bytes?: number | undefined }

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
const readArtifacts = (operation: string, run: Wire.CompletedRun | Wire.PartialRun) =>
  Options.reading(operation, "run", () => {
    const artifacts: unknown = run.result?.artifacts
    return Array.isArray(artifacts)
      ? Effect.succeed(Array.from(artifacts as ReadonlyArray<Wire.Artifact>))
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
  const source = (operation: string, run: RunTarget, artifact: Wire.Artifact) =>
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
