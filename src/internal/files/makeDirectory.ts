/** Makes a directory and its parents. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"

/** The recursive call of Node never returns where a file system refuses directories, such as `/proc`. */
export const makeDirectory = (
  fs: FileSystem.FileSystem,
  directory: string,
  options?: { readonly mode: number }
): Effect.Effect<void, PlatformError.PlatformError> => {
  const parent = directory.replace(/[/\\]+[^/\\]*[/\\]*$/, "")
  const attempt = Effect.catchIf(
    fs.makeDirectory(directory, options),
    ({ reason }) => reason._tag === "AlreadyExists",
    () => Effect.void
  )
  return Effect.catchIf(
    attempt,
    ({ reason }) => reason._tag === "NotFound" && parent !== "" && parent !== directory,
    () => Effect.andThen(makeDirectory(fs, parent, options), attempt)
  )
}
