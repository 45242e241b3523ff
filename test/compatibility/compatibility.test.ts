/** Reads what this version and earlier ones have stored. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { KeyValueStore } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { readdirSync, readFileSync } from "node:fs"
import manifest from "../../package.json" with { type: "json" }
import { Budget, RunRef, RunStore } from "canvas-runs"
import { databases } from "../support/databases.ts"
import { fixtures } from "./fixtures.ts"

const versions = readdirSync(new URL(".", import.meta.url), { withFileTypes: true })
  .flatMap((entry) => entry.isDirectory() ? [entry.name] : [])

const read = (version: string, name: string) => readFileSync(new URL(`${version}/${name}`, import.meta.url), "utf8")

/** What every store does with the entries that it has. */
const use = (expected: ReadonlyArray<RunStore.Entry>) =>
  Effect.gen(function*() {
    const store = yield* RunStore.RunStore
    assert.deepStrictEqual(yield* store.list(), expected)
    assert.deepStrictEqual(
      new Set(expected.map(({ _tag }) => _tag)),
      new Set(["Unknown", "Created", "Finished", "Refused"])
    )
    const found = RunRef.make({ provider: "test", kind: "run", id: "found" })
    for (const entry of expected) {
      const { key } = entry
      assert.deepStrictEqual(yield* store.get(key), entry)
      const create = store.runOnce(key, Effect.succeed({ ref: found }))
      if ("ref" in entry) assert.deepStrictEqual(yield* create, entry.ref)
      else if (entry._tag === "Refused") assert.deepStrictEqual(yield* create, found)
      else {
        assert.strictEqual((yield* Effect.flip(create))._tag, "CreateOutcomeUnknownError")
        const resolved = yield* store.reconcile(key, () => Effect.succeed([found]))
        assert.strictEqual(resolved?._tag, entry.tag === undefined ? "Unknown" : "Created")
      }
      if (entry._tag === "Created") yield* store.complete(key)
    }
    const finished = expected.filter(({ _tag }) => _tag === "Created" || _tag === "Finished").map(({ key }) => key)
    assert.deepStrictEqual(
      new Set((yield* store.list({ state: "Finished" })).map(({ key }) => key)),
      new Set(finished)
    )
  })

/** Loads the tables of a dump, and uses them. */
const useDump = (version: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // The dump is of SQLite. PostgreSQL has the same tables with another type for a time
    const time = sql.onDialectOrElse({ pg: () => "timestamp with time zone", orElse: () => "datetime" })
    for (const statement of read(version, "tables.sql").trim().split("\n")) {
      yield* sql.unsafe(statement.replace(" datetime ", ` ${time} `))
    }
    const { sql: expected } = JSON.parse(read(version, "entries.json")) as {
      readonly sql: ReadonlyArray<RunStore.Entry>
    }
    yield* Effect.provide(use(expected), RunStore.layerSql())
    yield* Effect.gen(function*() {
      const budget = yield* Budget.Budget
      assert.deepInclude(yield* budget.status("customer"), { spent: 12.5, reserved: 30 })
      yield* budget.settle(RunRef.make({ provider: "spine", kind: "run", id: "2" }), 20)
      assert.deepInclude(yield* budget.status("customer"), { spent: 32.5, reserved: 0 })
    }).pipe(Effect.provide(Budget.layerSql({ limit: 100 })))
  })

describe.each(versions)("what version %s has stored", (version) => {
  it.effect("refs are read as they were", () =>
    Effect.gen(function*() {
      for (const text of JSON.parse(read(version, "refs.json")) as ReadonlyArray<string>) {
        assert.deepStrictEqual(yield* RunRef.parse(text), JSON.parse(text))
      }
    }))

  it.effect("the records of a KeyValueStore are read and used", () =>
    Effect.gen(function*() {
      const storage = yield* KeyValueStore.KeyValueStore
      const records = JSON.parse(read(version, "keyValue.json")) as Readonly<Record<string, string>>
      for (const [key, record] of Object.entries(records)) yield* storage.set(key, record)
      const { keyValue } = JSON.parse(read(version, "entries.json")) as {
        readonly keyValue: ReadonlyArray<RunStore.Entry>
      }
      yield* Effect.provide(use(keyValue), RunStore.layer)
    }).pipe(Effect.provide(Layer.fresh(KeyValueStore.layerMemory))))

  for (const [name, database] of Object.entries(databases)) {
    it.live(`the tables of ${name} are read and used`, () =>
      Effect.flatMap(database, (client) => Effect.provide(useDump(version), client)))
  }
})

it.live("this version stores what its fixtures hold (npm run fixtures writes them)", () =>
  Effect.gen(function*() {
    const { version } = manifest
    for (const [name, text] of Object.entries(yield* fixtures)) assert.strictEqual(read(version, name), text, name)
  }))
