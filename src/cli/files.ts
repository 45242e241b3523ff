/** Reads text and JSON of the user: from files, and from standard input. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { parseJson } from "../internal/describe.ts"
import { UsageError } from "./errors.ts"

/** Reads a text file. `-` is standard input. */
export const readText = (path: string): Effect.Effect<string, UsageError, FileSystem.FileSystem | Stdio.Stdio> =>
  path === "-"
    ? Stdio.Stdio.use(({ stdin }) =>
      Effect.mapError(Stream.mkString(Stream.decodeText(stdin)), unreadable("Standard input"))
    )
    : FileSystem.FileSystem.use((fs) => Effect.mapError(fs.readFileString(path), unreadable(`The file ${path}`)))

/** Reads a file with JSON. */
export const readJson = (path: string): Effect.Effect<unknown, UsageError, FileSystem.FileSystem | Stdio.Stdio> =>
  Effect.flatMap(readText(path), (text) =>
    Option.match(parseJson(text), {
      onNone: () => Effect.fail(new UsageError({ message: `The file ${path} is not JSON.` })),
      onSome: Effect.succeed
    }))

const unreadable = (what: string) => (error: PlatformError.PlatformError) =>
  new UsageError({ message: `${what} cannot be read: ${error.message}.` })
