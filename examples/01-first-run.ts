/**
 * From a prompt to a result: starts a run, waits for it, and prints the result and the files.
 *
 * Run: `npm run example examples/01-first-run.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Spine } from "canvas-runs"
import { live } from "./support/live.ts"

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient

  // Real runs take 10 to 20 minutes on average, and up to two hours
  const run = yield* spine.runs.run(
    { prompt: "Compare three vector databases", template: "report" },
    { timeout: "2 hours" }
  )

  yield* Console.log(run.result.final_output)
  yield* Console.log(`\n${run.status}: ${run.metadata?.credits_consumed ?? "?"} credits, and these files:`)
  for (const artifact of run.result.artifacts) {
    yield* Console.log(`- ${artifact.name} (${artifact.size_bytes} bytes)`)
  }
})

program.pipe(
  // In your own program: Effect.provide(Spine.layerFetch())
  Effect.provide(live()),
  NodeRuntime.runMain
)
