import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as FileInput from "../../FileInput.ts"
import { BlockType, Template } from "../../spine/SpineSchema.ts"
import * as Clients from "../clients.ts"
import * as Create from "../create.ts"
import * as Prompt from "../prompt.ts"
import { waitFor } from "../waitFor.ts"
import * as Waiting from "../waiting.ts"

export const command = Command.make(
  "run",
  {
    prompt: Prompt.argument,
    promptFile: Prompt.flag,
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
      const text = yield* Prompt.read(prompt, promptFile)
      const { spine } = yield* Clients.Clients
      const client = yield* spine
      const named = yield* Create.once(
        key,
        Effect.gen(function*() {
          return yield* client.runs.create({
            prompt: text,
            template: Option.getOrUndefined(template),
            blocks: blocks.length === 0 ? undefined : blocks,
            agent_instructions: Option.getOrUndefined(instructions),
            files: yield* Effect.forEach(files, (path) => FileInput.fromPath(path))
          })
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
