/**
 * A batch that is killed and started again. It writes each outcome to its database, and at its end prints one line of JSON: the number
 * of creates of unknown outcome.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Batch from "canvas-runs/Batch"
import * as NodeSqlite from "canvas-runs/node/NodeSqlite"
import * as RunStore from "canvas-runs/RunStore"
import * as Tela from "canvas-runs/tela"
import { Console, Data, Effect, Layer, Redacted, Schema, Stream } from "effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { canvasId, inputsOf } from "./inputs.ts"

class Undelivered extends Data.TaggedError("Undelivered")<{ readonly message: string }> {}

const [filename, baseUrl, count, isReconciling] = process.argv.slice(2) as [string, string, string, string]

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const store = yield* RunStore.RunStore
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: canvasId, output: Schema.Struct({ total: Schema.Number }) })
  const unknownCanvas = tela.canvas.make({ id: "00000000-0000-4000-8000-000000000404" })
  yield* sql`create table if not exists outcomes (key text primary key, outcome text not null, deliveries integer not null)`

  const record = (key: string, outcome: string, deliveries: number) =>
    Effect.asVoid(
      sql`insert into outcomes ${sql.insert({ key, outcome, deliveries })} on conflict (key) do update
        set outcome = excluded.outcome, deliveries = excluded.deliveries +
          case when outcomes.outcome = excluded.outcome then outcomes.deliveries else 0 end`
    )

  if (isReconciling === "yes") {
    for (const { key } of yield* store.list({ state: "Unknown" })) {
      // Longer than the emulator takes for the request of a killed process
      const entry = yield* store.reconcile(key, Tela.findByTag, { settlingTime: "3 seconds" })
      if (entry?._tag !== "Unknown") yield* Console.log(entry === undefined ? "freed" : "attached")
    }
  }

  const outcomes = Batch.run(inputsOf(Number(count)), {
    key: ({ key }) => key,
    create: ({ index, way }) => (tag) =>
      (way === "missing" ? unknownCanvas : canvas).execute(
        { index, way: way ?? "good", ...(way === "refused" ? { unknown: 1 } : undefined) },
        { async: true, tags: [tag] }
      ),
    wait: (ref, { way }) =>
      Effect.flatMap(
        canvas.getExecution(ref, {
          pollingInterval: "20ms",
          pollingTimeout: way === "slow" ? "500ms" : "1m"
        }),
        ({ result }) => result
      ),
    deliver: (outcome): Effect.Effect<void, Undelivered | SqlError> =>
      outcome.input.way === "undelivered"
        ? Effect.fail(new Undelivered({ message: "no" }))
        : record(outcome.key, outcome._tag === "Failed" ? outcome.error._tag : outcome._tag, 1),
    concurrency: 32
  })

  yield* Stream.runForEach(
    outcomes,
    (outcome) => outcome._tag === "Failed" ? record(outcome.key, outcome.error._tag, 0) : Effect.void
  )
  yield* Console.log(JSON.stringify({ unknown: (yield* store.list({ state: "Unknown" })).length }))
})

const database = NodeSqlite.layer({ filename })

program.pipe(
  Effect.provide([
    // Only one process at a time uses the file, so the claim of another process is that of a dead one
    RunStore.layerSql({ createTimeout: "1 second" }),
    Tela.layer({ apiKey: Redacted.make("tela_crash"), baseUrl }).pipe(Layer.provide(FetchHttpClient.layer))
  ]),
  Effect.provide(database),
  NodeRuntime.runMain
)
