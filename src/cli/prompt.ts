/** The prompt of a run: an argument, a file or standard input. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { UsageError } from "./errors.ts"
import { readText } from "./files.ts"

export const argument = Argument.String("prompt").pipe(
  Argument.withDescription("The instruction, or - for standard input"),
  Argument.optional
)

export const flag = Flag.Path("prompt-file", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with the instruction"),
  Flag.optional
)

/** Reads the prompt. */
export const read = Effect.fnUntraced(function*(prompt: Option.Option<string>, file: Option.Option<string>) {
  if (Option.isSome(prompt) && Option.isSome(file)) {
    return yield* new UsageError({ message: "A prompt and --prompt-file were both given. Leave one of them out." })
  }
  const text = Option.isSome(prompt) && prompt.value !== "-"
    ? prompt.value
    : Option.isSome(prompt)
    ? yield* readText("-")
    : Option.isSome(file)
    ? yield* readText(file.value)
    : yield* new UsageError({
      message: "There is no prompt. Give it as an argument, with --prompt-file FILE, or - for standard input."
    })
  if (text.trim() === "") return yield* new UsageError({ message: "The prompt is blank. No request was made." })
  return text
})
