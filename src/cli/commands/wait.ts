import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Clients from "../clients.ts"
import * as Names from "../names.ts"
import * as OutputSchema from "../outputSchema.ts"
import { waitFor } from "../waitFor.ts"
import * as Waiting from "../waiting.ts"

export const command = Command.make(
  "wait",
  {
    runs: Names.several,
    provider: Names.provider,
    download: Waiting.download,
    schema: OutputSchema.flag,
    ...Waiting.flags,
    ...Clients.flags
  },
  Effect.fnUntraced(function*({ download, provider, runs, schema, ...options }) {
    const { check } = yield* OutputSchema.read(schema)
    const named = yield* Names.resolveAll(runs, provider)
    yield* Effect.provide(waitFor(named, { ...Waiting.waitOf(options), download, check }), Clients.layer(options))
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs wait @last", description: "Wait for the run that was created last" },
    { command: "canvas-runs wait july august --timeout 30m", description: "Wait for two runs by their keys" }
  ])
)
