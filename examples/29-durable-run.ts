/**
 * A workflow that survives `kill -9`, on one machine, with its state in one SQLite file. The engine is Effect's own. A process that
 * starts on the same file continues the workflows of the process before it, and no run is created twice.
 *
 * Run: `npm run example examples/29-durable-run.ts`. It starts itself three times, and kills the first process while it waits. An
 * emulator on a loopback socket outlives them. With `SPINE_API_KEY` set, the real service does the run, for money.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { Digest } from "effect/crypto"
import { Workflow } from "effect/workflow"
import { RunRef, RunStore, Spine } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { threeTimes } from "./support/restarts.ts"

const Report = Workflow.make("Report", {
  payload: { month: Schema.String },
  success: Schema.String,
  error: DurableRun.Error,
  // The same month is the same execution, in every process
  idempotencyKey: ({ month }) => month
})

/** Runs from the beginning after each suspension, so it may print a line more than once. Only durable steps run once. */
const report = Report.toLayer(Effect.fn(function*({ month }) {
  const spine = yield* Spine.SpineClient
  const ref = yield* DurableRun.create("report", spine.runs.create({ prompt: `The report of ${month}` }))
  yield* Console.log(`waiting for ${RunRef.format(ref)}`)
  const run = yield* DurableRun.wait("report", ref, { provider: SpineWorkflow.provider, timeout: "2 hours" })
  return `${run.status} with ${run.result.artifacts.length} files`
}))

/** Effect's workflow engine in this process. Its tables, and those of this library, are in one file. */
const engine = (filename: string) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(SingleRunner.layer()),
    Layer.provide(Digest.layerWebCrypto),
    Layer.provideMerge(RunStore.layerSql()),
    Layer.provideMerge(NodeSqlite.layer({ filename }))
  )

const app = (filename: string) =>
  report.pipe(
    Layer.provide(
      // The defaults are 5 and 10 seconds. The run of the emulator takes 2 seconds
      Waits.layerSql({ providers: [SpineWorkflow.provider], pollInterval: "500 millis", refreshInterval: "500 millis" })
    ),
    Layer.provideMerge(engine(filename)),
    Layer.provide(Spine.layerFetch())
  )

const [, file = "", directory] = process.argv

const main = Effect.gen(function*() {
  if (directory === undefined) return yield* threeTimes(file, "waiting for")
  const result = yield* Report.execute({ month: "2026-07" }).pipe(Effect.provide(app(`${directory}/runs.db`)))
  yield* Console.log(result)
})

main.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
