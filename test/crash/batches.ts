/** `npm run crash:batches -- --inputs 10000 --kills 20 --seed 1`: batches that are killed, with and without `reconcile`. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"
import { crash, isGood, summary } from "./batch/harness.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "10000" },
    kills: { type: "string", default: "20" },
    seed: { type: "string", default: "1" }
  }
})

const run = Effect.fn(function*(inputs: number, isReconciling: boolean) {
  const report = yield* crash({ inputs, kills: Number(values.kills), seed: Number(values.seed), isReconciling })
  yield* Console.log(`${isReconciling ? "With" : "Without"} reconcile: ${summary(report)}`)
  if (!isGood(report) || isReconciling && report.unknown > 0) return yield* new Broken({ message: summary(report) })
})

const inputs = Number(values.inputs)
// 10 % of the inputs are enough here: the number of creates that stay unknown depends on the kills
const program = Effect.andThen(run(Math.max(300, inputs / 10), false), run(inputs, true))

NodeRuntime.runMain(program)
