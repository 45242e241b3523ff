import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Clients from "../clients.ts"
import { follow } from "../follow.ts"
import * as Names from "../names.ts"
import { describe, Output } from "../output.ts"

export const command = Command.make(
  "get",
  { run: Names.argument, provider: Names.provider, ...Clients.flags },
  Effect.fnUntraced(function*({ provider, run, ...options }) {
    const { line } = yield* Output
    const followed = yield* Effect.provide(Effect.flatMap(Names.resolve(run, provider), follow), Clients.layer(options))
    const state = yield* followed.state
    yield* line(state.line, describe(state.line))
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs get @last", description: "The state of the run that was created last" },
    { command: "canvas-runs get spine:run:6f1c1d5e --json | jq .status", description: "The status alone" }
  ])
)
