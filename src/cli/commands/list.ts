import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { entryLine } from "../entry.ts"
import { providers } from "../names.ts"
import { Output } from "../output.ts"
import { State } from "../state.ts"

export const command = Command.make(
  "list",
  {
    state: Flag.Literals("state", ["Creating", "Unknown", "Created", "Finished", "Refused"]).pipe(
      Flag.withDescription("Only the entries in this state"),
      Flag.optional
    ),
    provider: Flag.Literals("provider", providers).pipe(
      Flag.withDescription("Only the runs of this provider"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ provider, state }) {
    const { line, note } = yield* Output
    const { directory, open } = yield* State
    const entries = yield* (yield* open).list({
      state: Option.getOrUndefined(state),
      provider: Option.getOrUndefined(provider)
    })
    if (entries.length === 0) yield* note(`There is no such entry in the store ${yield* directory}.`)
    const width = Math.max(...entries.map(({ key }) => key.length))
    for (const entry of entries) {
      const { line: data, text } = entryLine(entry, width)
      yield* line(data, text)
    }
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs list --state Created", description: "The runs that nobody has waited for to the end" },
    {
      command: "canvas-runs list --json | jq -r 'select(.state == \"Unknown\").key'",
      description: "Keys to decide about"
    }
  ])
)
