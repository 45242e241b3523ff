/** Downloads into a folder: under a safe name, and under the final name only when the file is whole. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import type { ArtifactError, BadRequestError } from "../../RunError.ts"
import * as FileName from "../files/fileName.ts"
import { makeDirectory } from "../files/makeDirectory.ts"
import * as CallOptions from "../options.ts"
import { downloadTo } from "./download.ts"
import * as Errors from "./errors.ts"
import { sizeOf } from "./open.ts"
import type { ArtifactSource, Options, Target } from "./source.ts"

/** Checks where an artifact is to be written, before any request. */
export const checkTarget = (operation: string, target: Target): Effect.Effect<Target, BadRequestError> =>
  Effect.gen(function*() {
    const checked = yield* CallOptions.copyRequired(operation, "target", target, ["directory", "filename"])
    const folder = "the path of a folder, such as \".\" for the current one"
    // An empty path rarely means the current folder
    yield* CallOptions.checkGiven(operation, "directory", checked.directory, CallOptions.isText, folder)
    yield* CallOptions.checkKind(
      operation,
      "filename",
      checked.filename,
      Predicate.isString,
      "the name of a file, as text"
    )
    return checked
  })

/** Writes the file to a checked target, and returns its path. */
export const write = <E, R>(options: Options, source: ArtifactSource<E, R>, { directory, filename }: Target) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = `${directory.replace(/[/\\]+$/, "")}/${FileName.writable(filename ?? source.name, "artifact")}`
    const partial = `${path}.${Math.abs(yield* Random.nextInt).toString(36)}.partial`
    const onDisk = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>) =>
      Effect.mapError(
        effect,
        (cause) => Errors.make(source, "write", `${explain(cause)} The path was to be ${path}.`, { cause })
      )
    yield* onDisk(makeDirectory(fs, directory))
    const obstacle = Option.getOrUndefined(yield* Effect.option(fs.stat(path)))
    if (obstacle !== undefined && obstacle.type !== "File") {
      return yield* Errors.make(
        source,
        "write",
        `${path} is there already, and is ${
          obstacles[obstacle.type] ?? "a device"
        }. Only a file is replaced: give another filename or directory.`
      )
    }
    // Fewer and larger writes than chunks arrive save most of the time that writing takes
    const buffer = new Uint8Array(Math.max(1, Math.min(sizeOf(source) ?? pieceBytes, pieceBytes)))
    const fill = Effect.gen(function*() {
      const file = yield* onDisk(fs.open(partial, { flag: "w" }))
      let filled = 0
      // A write cannot be interrupted, and the file must not be closed before the write has ended
      const flush = Effect.uninterruptible(Effect.suspend(() => {
        const piece = buffer.subarray(0, filled)
        filled = 0
        return onDisk(file.writeAll(piece))
      }))
      const take = (chunk: Uint8Array): Effect.Effect<void, ArtifactError> => {
        const piece = chunk.subarray(0, buffer.length - filled)
        buffer.set(piece, filled)
        filled += piece.length
        if (filled < buffer.length) return Effect.void
        return Effect.flatMap(
          flush,
          () => piece.length < chunk.length ? take(chunk.subarray(piece.length)) : Effect.void
        )
      }
      const restart = Effect.suspend(() => {
        filled = 0
        return onDisk(file.truncate())
      })
      yield* downloadTo(options, source, { take, restart })
      if (filled > 0) yield* flush
    })
    yield* Effect.scoped(fill).pipe(
      Effect.andThen(onDisk(fs.rename(partial, path))),
      Effect.onError(() => Effect.ignore(fs.remove(partial, { force: true })))
    )
    return path
  })

const pieceBytes = 1024 * 1024

/** Describes an obstacle at the path of the file. A link counts as its target. */
const obstacles: { readonly [type in FileSystem.File.Type]?: string } = {
  Directory: "a folder",
  FIFO: "a named pipe",
  Socket: "a socket"
}

/** The code of the operating system. */
const codeOf = ({ reason: { cause } }: PlatformError.PlatformError): unknown =>
  Predicate.hasProperty(cause, "code") ? cause.code : undefined

const explanations: ReadonlyArray<readonly [codes: string, problem: string, advice: string]> = [
  ["ENOSPC EDQUOT", "The disk is full", "Free some space, then read it again."],
  ["EROFS", "The file system is read-only", "Write it to another folder."],
  ["EACCES EPERM", "The folder must not be written to", "Change its permissions, or write to another folder."],
  [
    "ENOENT",
    "The folder could not be made, or is gone",
    "Check that its nearest parent that exists may be written to."
  ],
  ["ENAMETOOLONG", "The name or the path is too long", "Give a shorter filename or directory."],
  [
    "EEXIST EISDIR ENOTEMPTY ENOTDIR",
    "A folder and a file have the same name",
    "Give another filename or directory."
  ]
]

/** Explains a failure of the file system, and says what to do about it. */
const explain = (error: PlatformError.PlatformError): string => {
  const code = codeOf(error)
  const found = explanations.find(([codes]) => typeof code === "string" && codes.split(" ").includes(code))
  return found === undefined
    ? `The file system failed: ${error.message}. Check the folder.`
    : `${found[1]} (${code}). ${found[2]}`
}
