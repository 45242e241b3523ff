/**
 * A process that is killed and started again pays for each run only once. The store keeps the started runs in files: the same key
 * is the same run, before and after the restart.
 *
 * Run: `npm run example examples/24-run-store.ts`. It starts itself three times, and kills the first process while it waits. An
 * emulator on a loopback socket outlives them. With `SPINE_API_KEY` set, the real service does the run, for money.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { KeyValueStore } from "effect/persistence"
import { RunRef, RunStore, Spine } from "canvas-runs"
import { threeTimes } from "./support/restarts.ts"

/** Names one piece of work: every process that uses this key gets the same run. */
const key = "report-2026-07"

/** The program of each process. It does not know whether it is the first. */
const report = Effect.gen(function*() {
  const store = yield* RunStore.RunStore
  const spine = yield* Spine.SpineClient

  const before = yield* store.get(key)
  yield* Console.log(before === undefined ? `no entry for ${key}` : `${key} is ${before._tag}`)

  // Creates the run only if there is none under the key
  const ref = yield* store.runOnce(key, spine.runs.create({ prompt: "The report of July", template: "report" }))
  yield* Console.log(`waiting for ${RunRef.format(ref)}`)

  const run = yield* store.track(
    key,
    spine.runs.waitForCompletion(ref, { pollInterval: "1 second", timeout: "2 hours" })
  )
  yield* Console.log(`${run.status} with ${run.result.artifacts.length} files`)
}).pipe(
  // The process died between the request and its response
  Effect.catchTag("CreateOutcomeUnknownError", ({ message }) => Console.log(`look at the provider first: ${message}`))
)

const [, file = "", directory] = process.argv

const main = Effect.gen(function*() {
  if (directory === undefined) return yield* threeTimes(file, "waiting for")
  yield* report.pipe(Effect.provide([
    RunStore.layer.pipe(Layer.provide(KeyValueStore.layerFileSystem(directory))),
    Spine.layerFetch()
  ]))
})

main.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
