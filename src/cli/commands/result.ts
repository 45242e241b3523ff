import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Clients from "../clients.ts"
import { endedNow } from "../follow.ts"
import * as Names from "../names.ts"
import { Output } from "../output.ts"
import * as OutputSchema from "../outputSchema.ts"

export const command = Command.make(
  "result",
  { run: Names.argument, provider: Names.provider, schema: OutputSchema.flag, ...Clients.flags },
  Effect.fnUntraced(
    function*({ provider, run, schema }) {
      const { check } = yield* OutputSchema.read(schema)
      const ended = yield* Effect.flatMap(endedNow(yield* Names.resolve(run, provider)), check)
      const { line } = yield* Output
      yield* line(ended.line, ended.text)
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs result @last > answer.md", description: "Keep the output of the last run" },
    { command: "canvas-runs result july --json | jq .credits", description: "The price of a Spine run" }
  ])
)
