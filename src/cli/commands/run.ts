import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as FileInput from "../../FileInput.ts"
import { BlockType, Template } from "../../spine/SpineSchema.ts"
import * as Clients from "../clients.ts"
import * as Create from "../create.ts"
import { UsageError } from "../errors.ts"
import { readText } from "../files.ts"
import { waitFor } from "../waitFor.ts"
import * as Waiting from "../waiting.ts"

/** The prompt: an argument, a file or standard input. */
const promptArgument = Argument.String("prompt").pipe(
  Argument.withDescription("The instruction, or - for standard input"),
  Argument.optional
)

const promptFlag = Flag.Path("prompt-file", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with the instruction"),
  Flag.optional
)

export const command = Command.make(
  "run",
  {
    prompt: promptArgument,
    promptFile: promptFlag,
    template: Flag.Literals("template", Template.literals).pipe(
      Flag.withDescription("The kind of result. The default is auto"),
      Flag.optional
    ),
    blocks: Flag.Literals("block", BlockType.literals).pipe(
      Flag.withDescription("A type of block that the agents may create; may be repeated"),
      Flag.atLeast(0)
    ),
    instructions: Flag.String("instructions").pipe(
      Flag.withDescription("Guidance for all agents, such as tone or audience"),
      Flag.optional
    ),
    files: Flag.Path("file", { pathType: "file", mustExist: true }).pipe(
      Flag.withDescription("A file for the agents to work with; may be repeated"),
      Flag.atLeast(0)
    ),
    download: Waiting.download,
    ...Create.flags,
    ...Waiting.flags,
    ...Clients.flags,
    emulator: Clients.emulator
  },
  Effect.fnUntraced(
    function*({ blocks, detach, download, files, instructions, key, prompt, promptFile, template, ...options }) {
      yield* Create.check({ detach, key })
      const text = yield* readPrompt(prompt, promptFile)
      const { spine } = yield* Clients.Clients
      const client = yield* spine
      const opened = yield* Effect.forEach(files, (path) => FileInput.fromPath(path))
      const named = yield* Create.once(
        key,
        client.runs.create({
          prompt: text,
          template: Option.getOrUndefined(template),
          blocks: blocks.length === 0 ? undefined : blocks,
          agent_instructions: Option.getOrUndefined(instructions),
          files: opened
        })
      )
      yield* detach ? Create.detached(named) : waitFor([named], { ...Waiting.waitOf(options), download })
    },
    (effect, options) => Clients.provide(effect, options)
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs run \"Compare vector databases\" --emulator", description: "Try it without a key" },
    {
      command: "canvas-runs run \"A report on tides\" --template report --download out",
      description: "Keep the files"
    },
    { command: "git log -20 | canvas-runs run - --instructions \"Write release notes\"", description: "From a pipe" },
    { command: "canvas-runs run --prompt-file july.md --key july --detach", description: "Create it, and wait later" }
  ])
)

/** Reads the prompt. */
const readPrompt = Effect.fnUntraced(function*(prompt: Option.Option<string>, file: Option.Option<string>) {
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
