/** What this version stores: refs, errors, the records of a `RunStore`, the tables of a `RunStore` and a `Budget`, and those of workflows. */
import { Effect, Layer, Schema } from "effect"
import { KeyValueStore } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Budget, RunRef, RunStore } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import { classes } from "../support/errors.ts"
import { write } from "./workflows.ts"

const refs: ReadonlyArray<RunRef.RunRef> = [
  RunRef.make({
    provider: "spine",
    kind: "run",
    id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
    createdAt: 1_785_000_000_000,
    requestId: "req_1",
    estimatedDurationMs: 90_000
  }),
  RunRef.make({ provider: "tela", kind: "execution", id: "0B8F6C1E-5d0a-4c57-8a0e-6f3d1d1f9a20", createdAt: 0 }),
  RunRef.make({ provider: "tela", kind: "task", id: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55" }),
  RunRef.make({ provider: "Another provider", kind: "job/é", id: "'\"\\\n\u0000\ud800" })
]

/** Brings a key into each state, at another time each. */
const fill = Effect.gen(function*() {
  const store = yield* RunStore.RunStore
  const step = TestClock.adjust("1 second")
  const fail = Effect.fail("no answer")
  yield* Effect.ignore(store.runOnce("unknown", fail))
  yield* step
  yield* Effect.ignore(store.runOnce("Unknown with a tag", () => fail))
  yield* step
  for (const [index, ref] of refs.entries()) {
    yield* store.runOnce(`created/${index}`, Effect.succeed({ ref }))
    yield* step
  }
  yield* store.attach(`finished/${"long ".repeat(60)}`, refs[0]!)
  yield* step
  yield* store.complete(`finished/${"long ".repeat(60)}`)
  yield* store.refuse("refused \u0000 '; é")
  yield* step
  // The process ends before this create does
  yield* Effect.forkDetach(store.runOnce("creating", () => Effect.never))
  yield* Effect.repeat(store.get("creating"), { until: (entry) => entry !== undefined })
})

const spend = Effect.gen(function*() {
  const budget = yield* Budget.Budget
  const create = (id: string) => Effect.succeed({ ref: RunRef.make({ provider: "spine", kind: "run", id }) })
  const { ref } = yield* budget.create(create("1"), { estimate: 45, account: "customer" })
  yield* budget.settle(ref, 12.5)
  yield* budget.create(create("2"), { estimate: 30, account: "customer" })
  yield* Effect.forkDetach(budget.create(Effect.never, { estimate: 5, account: "customer" }))
  yield* Effect.repeat(budget.status("customer"), { until: ({ reserved }) => reserved === 35 })
})

const keyValue = Effect.gen(function*() {
  const records = new Map<string, string>()
  const storage = KeyValueStore.makeStringOnly({
    get: (key) => Effect.sync(() => records.get(key)),
    set: (key, value) => Effect.sync(() => records.set(key, value)),
    remove: (key) => Effect.sync(() => records.delete(key)),
    clear: Effect.sync(() => records.clear()),
    size: Effect.sync(() => records.size),
    keys: Effect.sync(() => [...records.keys()])
  })
  const store = Layer.fresh(Layer.provide(RunStore.layer, Layer.succeed(KeyValueStore.KeyValueStore, storage)))
  yield* Effect.provide(fill, store)
  return { records: Object.fromEntries(records), entries: yield* Effect.provide(entries, store) }
})

/** The entries as a program that is started a day later reads them. */
const entries = Effect.gen(function*() {
  yield* TestClock.adjust("1 day")
  return yield* (yield* RunStore.RunStore).list()
})

/** All tables of the database, as statements of one line each. */
const dump = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{ readonly name: string; readonly type: string; readonly sql: string }>`
    select name, type, sql from sqlite_master where sql is not null and name not like 'sqlite%' order by type desc, name`
  const lines: Array<string> = []
  for (const { name, sql: statement, type } of tables) {
    lines.push(`${statement.replaceAll(/\s+/g, " ")};`)
    if (type !== "table") continue
    const columns = (yield* sql<{ readonly name: string }>`select name from pragma_table_info(${name})`)
      .flatMap((column) => column.name === "created_at" ? [] : [column.name])
    // SQLite writes each value as a literal, also whole numbers that JavaScript cannot hold
    const literals = sql.literal(columns.map((column) => `quote("${column}") as "${column}"`).join(", "))
    const rows = (yield* sql<Record<string, string>>`select ${literals} from ${sql(name)}`).map((row) =>
      `insert into "${name}" (${columns.map((column) => `"${column}"`).join(", ")}) values (${
        columns.map((column) => row[column]).join(", ")
      });`
    )
    // In an order that does not depend on random ids
    lines.push(...rows.toSorted((a, b) => withoutIds(a) < withoutIds(b) ? -1 : 1))
  }
  return `${lines.join("\n")}\n`
})

const sqlite = Effect.gen(function*() {
  const store = Layer.fresh(RunStore.layerSql())
  yield* Effect.provide(fill, store)
  yield* Effect.provide(spend, Budget.layerSql({ limit: 100 }))
  return { dump: yield* dump, entries: yield* Effect.provide(entries, store) }
}).pipe(Effect.provide(NodeSqlite.layer({ filename: ":memory:" })))

const randomId = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g

const withoutIds = (text: string): string => text.replaceAll(randomId, "")

const mask = <A>(value: A): A => {
  const ids = new Map<string, string>()
  const masked = JSON.stringify(value).replaceAll(randomId, (id) => {
    if (refs.some((ref) => ref.id.toLowerCase() === id)) return id
    ids.set(id, ids.get(id) ?? `00000000-0000-4000-8000-${String(ids.size).padStart(12, "0")}`)
    return ids.get(id)!
  })
  return JSON.parse(masked) as A
}

/** The fixtures by the names of their files. Random ids are replaced, so that the same version writes the same fixtures. */
export const fixtures = Effect.gen(function*() {
  const stored = mask({
    keyValue: yield* Effect.provide(keyValue, TestClock.layer()),
    sqlite: yield* Effect.provide(sqlite, TestClock.layer())
  })
  const errors = classes.map(([Class, fields]) => Schema.encodeSync(Schema.toCodecJson(Class))(new Class(fields)))
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`
  return {
    "refs.json": json(refs.map((ref) => JSON.stringify(ref))),
    "errors.json": json(errors),
    "keyValue.json": json(stored.keyValue.records),
    "tables.sql": stored.sqlite.dump,
    "entries.json": json({ keyValue: stored.keyValue.entries, sql: stored.sqlite.entries })
  }
})

/** The tables of workflows. The ids and times of the engine differ each time. */
export const workflows = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.andThen(Effect.provide(write(Layer.succeed(SqlClient.SqlClient, sql)), TestClock.layer()), dump)
).pipe(Effect.provide(NodeSqlite.layer({ filename: ":memory:" })))
