import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Clients from "../clients.ts"
import { download, endedNow } from "../follow.ts"
import * as Names from "../names.ts"

export const command = Command.make(
  "download",
  {
    run: Names.argument,
    directory: Argument.String("directory").pipe(
      Argument.withDescription("Where the files go. The default is the current directory"),
      Argument.withDefault(".")
    ),
    provider: Names.provider,
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ directory, provider, run }) {
      const named = yield* Names.resolve(run, provider)
      yield* download(named.ref, yield* endedNow(named), directory)
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs download @last out", description: "Into the directory out" }
  ])
)
