/**
 * A process that spends from an account in several fibers until the budget refuses. Its arguments are
 * `DATABASE ADDRESS ACCOUNT RUNS`: after so many runs its creates never end. The provider is a table of runs in the database of the budget.
 * Each line of the output is a run, or a sum above the limit.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Random } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Budget from "canvas-runs/Budget"
import * as RunRef from "canvas-runs/RunRef"
import { clients } from "../../support/databases.ts"
import { estimate, fibers, limit } from "./limits.ts"

const [kind, address, account, runs] = process.argv.slice(2) as [keyof typeof clients, string, string, string]

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const budget = yield* Budget.Budget
  const report = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

  let made = 0
  const create = Effect.gen(function*() {
    if (made++ >= Number(runs)) return yield* Effect.never
    const id = globalThis.crypto.randomUUID()
    const cost = yield* Random.nextIntBetween(1, estimate)
    yield* sql`insert into provider_runs ${sql.insert({ id, cost })}`
    yield* report("run")
    return { ref: RunRef.make({ provider: "test", kind: "run", id }), cost }
  })

  const spend = Effect.gen(function*() {
    const { cost, ref } = yield* budget.create(create, { account, estimate })
    const { reserved, spent } = yield* budget.status(account)
    if (spent + reserved > limit) yield* report("above")
    yield* budget.track(ref, Effect.void, () => cost)
  })

  yield* Effect.replicateEffect(Effect.ignore(Effect.forever(spend)), fibers, {
    concurrency: "unbounded",
    discard: true
  })
})

program.pipe(
  Effect.provide(Layer.provideMerge(Budget.layerSql({ limit }), clients[kind](address))),
  NodeRuntime.runMain
)
