/** `npm run crash:mcp -- --kills 100 --seed 1`: an MCP server that is killed. It takes about two seconds for each kill. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"
import { crash, isGood, summary } from "./mcp/harness.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const { values } = parseArgs({
  options: { kills: { type: "string", default: "100" }, seed: { type: "string", default: "1" } }
})

const program = Effect.gen(function*() {
  const report = yield* crash({
    kills: Number(values.kills),
    seed: Number(values.seed),
    onKill: (kills) => {
      if (kills % 10 === 0) console.log(`${kills} kills`)
    }
  })
  yield* Console.log(summary(report))
  if (!isGood(report)) return yield* new Broken({ message: JSON.stringify(report, undefined, 2) })
})

NodeRuntime.runMain(Effect.provide(program, NodeServices.layer))
