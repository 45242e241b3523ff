/**
 * A wait that continues in another process. A `RunRef` is plain data, exists before the wait, and is all that the other process
 * needs. Here two programs share only one file.
 *
 * Run: `npm run example examples/06-resume.ts`
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem } from "effect"
import { RunRef, Spine } from "canvas-runs"
import { live } from "./support/live.ts"

/** Creates a run, saves its ref, and returns. */
const first = Effect.fn("first")(function*(file: string) {
  const spine = yield* Spine.SpineClient
  const fs = yield* FileSystem.FileSystem
  const created = yield* spine.runs.create({ prompt: "Compare three vector databases" })
  yield* fs.writeFileString(file, JSON.stringify(created.ref))
  yield* Console.log(`first process: saved ${RunRef.format(created.ref)}`)
})

/** Needs only the file. */
const second = Effect.fn("second")(function*(file: string) {
  const spine = yield* Spine.SpineClient
  const fs = yield* FileSystem.FileSystem
  const ref = yield* Effect.flatMap(fs.readFileString(file), RunRef.parse)
  yield* Console.log(`second process: continuing ${RunRef.format(ref)}`)
  const run = yield* spine.runs.waitForCompletion(ref, { timeout: "2 hours" })
  yield* Console.log(`second process: ${run.status} with ${run.result.artifacts.length} files`)
})

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const file = `${yield* fs.makeTempDirectoryScoped()}/run.json`
  yield* first(file)
  yield* second(file)
}).pipe(Effect.scoped)

program.pipe(
  Effect.provide([live(), NodeServices.layer]),
  NodeRuntime.runMain
)
