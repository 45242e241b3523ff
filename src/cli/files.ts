/** Reads text and JSON of the user: from files, and from standard input. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { parseJson } from "../internal/describe.ts"
import { reasonOf, UsageError } from "./errors.ts"

/** Reads a text file. `-` is standard input. */
export const readText = (path: string): Effect.Effect<string, UsageError, FileSystem.FileSystem | Stdio.Stdio> =>
  path === "-"
    ? Stdio.Stdio.use(({ stdin }) =>
      read("Standard input", Effect.map(Stream.runCollect(stdin), (chunks) => Buffer.concat(chunks)))
    )
    : FileSystem.FileSystem.use((fs) => read(`The file ${path}`, fs.readFile(path)))

/** Decodes UTF-8. Other bytes, such as an image, are an error: they would be sent as wrong text. */
const read = <R>(what: string, bytes: Effect.Effect<Uint8Array, PlatformError.PlatformError, R>) =>
  bytes.pipe(
    Effect.mapError((error) => new UsageError({ message: `${what} cannot be read: ${reasonOf(error)}.` })),
    Effect.flatMap((bytes) =>
      Effect.try({
        try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
        catch: () => new UsageError({ message: `${what} is not text in UTF-8. Convert it first.` })
      })
    ),
    Effect.filterOrFail(
      (text) => !text.includes("\0"),
      () => new UsageError({ message: `${what} is not text: it has NUL characters.` })
    )
  )

/** Reads a file with JSON. */
export const readJson = (path: string): Effect.Effect<unknown, UsageError, FileSystem.FileSystem | Stdio.Stdio> =>
  Effect.flatMap(readText(path), (text) =>
    Option.match(parseJson(text), {
      onNone: () => Effect.fail(new UsageError({ message: `The file ${path} is not JSON.` })),
      onSome: Effect.succeed
    }))
