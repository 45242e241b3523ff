/** `npm run crash -- --kills 300 --seed 1`: the crash test, in full. It takes a second for each kill. */
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"
import { crash, isGood, summary } from "./harness.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
    /** How many programs run at the same time. */
    lanes: { type: "string", default: "2" }
  }
})

const program = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const started = clock.currentTimeMillisUnsafe()
  const seconds = () => Math.round((clock.currentTimeMillisUnsafe() - started) / 1000)
  const report = yield* crash({
    kills: Number(values.kills),
    seed: Number(values.seed),
    lanes: Number(values.lanes),
    onKill: (kills) => {
      if (kills % 10 === 0) console.log(`${kills} kills after ${seconds()} s`)
    }
  })
  yield* Console.log(
    `${report.starts} starts in ${seconds()} s. Of the unknown outcomes, ${report.attached} had a run, which was attached; ` +
      `${report.ambiguous - report.attached} had none, and the create was repeated.`
  )
  yield* Console.log(summary(report))
  if (!isGood(report)) {
    const { duplicated, lost, unfinished, unreported } = report
    return yield* new Broken({ message: JSON.stringify({ lost, duplicated, unreported, unfinished }, undefined, 2) })
  }
})

NodeRuntime.runMain(program)
