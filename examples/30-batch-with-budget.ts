/**
 * A batch that may be stopped at any time, under a spending limit. Each input has one run, whose cost counts against the limit. When
 * the limit is reached, the other inputs are refused without a request. A later start continues with them.
 *
 * Run: `npm run example examples/30-batch-with-budget.ts`. It starts the batch twice on one SQLite file, the second time with a higher
 * limit. With `SPINE_API_KEY` set, the real service does twelve runs, for money.
 */
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Stream } from "effect"
import { Batch, Budget, RunStore, Spine } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import { live } from "./support/live.ts"

const stations = Array.from({ length: 12 }, (_, index) => `Station ${index + 1}`)

/** The maximum cost of a run, in Spine's credits. The real cost of the emulator's runs is 45. */
const estimate = 50

const batch = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const budget = yield* Budget.Budget
  const outcomes = Batch.run(stations, {
    key: (station) => `tides/${station}`,
    create: (station) => budget.create(spine.runs.create({ prompt: `The tides at ${station}` }), { estimate }),
    wait: (ref) => budget.track(ref, spine.runs.waitForCompletion(ref, { timeout: "2 hours" })),
    // Write it under its key: if a process is killed here, the next one delivers the outcome again
    deliver: (outcome) =>
      outcome._tag === "Succeeded" ? Console.log(`${outcome.key}: ${outcome.value.status}`) : Effect.void,
    // With more in flight, their reservations reach the limit before the real costs are known
    concurrency: 2
  })
  const summary = yield* Stream.run(outcomes, Batch.summary)
  const { available, spent } = yield* budget.status()
  yield* Console.log(`${summary.succeeded} succeeded, ${summary.earlier} before, ${summary.failed} failed`)
  yield* Console.log(`failed by tag: ${JSON.stringify(summary.errors)}`)
  yield* Console.log(`${spent} credits spent, ${available} left`)
})

/** A start of the program. The store and the budget are in the same file. */
const start = (filename: string, limit: number) =>
  Effect.andThen(Console.log(`a limit of ${limit} credits`), batch).pipe(
    Effect.provide(
      Layer.mergeAll(RunStore.layerSql(), Budget.layerSql({ limit })).pipe(
        Layer.provide(NodeSqlite.layer({ filename })),
        Layer.fresh
      )
    )
  )

const main = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const filename = `${yield* fs.makeTempDirectoryScoped()}/batch.db`
  yield* start(filename, 250)
  yield* start(filename, 1000)
}).pipe(Effect.scoped)

main.pipe(Effect.provide([NodeFileSystem.layer, live({ runs: stations.length })]), NodeRuntime.runMain)
