/**
 * A process that spends from a budget in 100 fibers until the budget refuses. With `hang`, its creates never end. The provider is a table of
 * runs in the database of the budget. Each line of the output is a run, or a sum above the limit.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Random } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Budget from "canvas-runs/Budget"
import * as RunRef from "canvas-runs/RunRef"
import { postgresLayer, sqliteLayer } from "../../support/databases.ts"
import { createTimeouts, estimate, fibers, limit, type Mode } from "./limits.ts"

const [kind, address, mode] = process.argv.slice(2) as [string, string, Mode]

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const budget = yield* Budget.Budget
  const report = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

  const create = Effect.gen(function*() {
    const id = globalThis.crypto.randomUUID()
    const cost = yield* Random.nextIntBetween(1, estimate)
    yield* sql`insert into provider_runs ${sql.insert({ id, cost })}`
    yield* report("run")
    return { ref: RunRef.make({ provider: "test", kind: "run", id }), cost }
  })

  const spend = Effect.gen(function*() {
    const { cost, ref } = yield* budget.create(create, { estimate })
    const { reserved, spent } = yield* budget.status()
    if (spent + reserved > limit) yield* report("above")
    yield* budget.track(ref, Effect.void, () => cost)
  })

  const hang = Effect.andThen(report("hangs"), Effect.never)

  yield* Effect.forEach(
    Array.from({ length: fibers }),
    () =>
      Effect.ignore(
        mode === "hang" ? budget.create(hang, { estimate, account: "hanging" }) : Effect.forever(spend)
      ),
    { concurrency: "unbounded", discard: true }
  )
})

const database = kind === "sqlite" ? sqliteLayer(address) : postgresLayer(address)

program.pipe(
  Effect.provide(Layer.provideMerge(Budget.layerSql({ limit, createTimeout: createTimeouts[mode] }), database)),
  NodeRuntime.runMain
)
