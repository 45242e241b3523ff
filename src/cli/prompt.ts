/** Reads a prompt from an argument, a file or standard input. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { LocalError, UsageError } from "./errors.ts"

/** Reads the prompt of `run`. */
export const read = Effect.fnUntraced(function*(prompt: Option.Option<string>, file: Option.Option<string>) {
  if (Option.isSome(prompt) && Option.isSome(file)) {
    return yield* new UsageError({ message: "A prompt and --prompt-file were both given. Leave one of them out." })
  }
  if (Option.isNone(prompt) && Option.isNone(file)) {
    return yield* new UsageError({
      message: "There is no prompt. Give it as an argument, with --prompt-file FILE, or - for standard input."
    })
  }
  const text = Option.isSome(file)
    ? yield* readFile(file.value)
    : Option.getOrThrow(prompt) === "-"
    ? yield* standardInput
    : Option.getOrThrow(prompt)
  if (text.trim() === "") return yield* new UsageError({ message: "The prompt is blank. No request was made." })
  return text
})

/** Reads a text file. */
export const readFile = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.mapError(
    fs.readFileString(path),
    (cause) => new UsageError({ message: `The file ${path} cannot be read: ${cause.message}` })
  )
})

/** Reads all of standard input. */
export const standardInput: Effect.Effect<string, LocalError, Stdio.Stdio> = Effect.flatMap(
  Stdio.Stdio,
  ({ stdin }) =>
    Effect.mapError(
      Stream.mkString(Stream.decodeText(stdin)),
      (cause) => new LocalError({ message: `Standard input cannot be read: ${cause.message}`, cause })
    )
)
