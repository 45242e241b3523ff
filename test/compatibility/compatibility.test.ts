/** Reads what this version and earlier ones have stored. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { KeyValueStore } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { readdirSync, readFileSync } from "node:fs"
import manifest from "../../package.json" with { type: "json" }
import { Budget, RunError, RunRef, RunStore, Spine, Tela } from "canvas-runs"
import { SpineWorkflow, TelaWorkflow } from "canvas-runs/workflow"
import { databases } from "../support/databases.ts"
import { until } from "../support/durable.ts"
import { classes } from "../support/errors.ts"
import { answering, json } from "../support/http.ts"
import * as spine from "../support/spine.ts"
import * as tela from "../support/tela.ts"
import { fixtures } from "./fixtures.ts"
import { payloads, processOn } from "./workflows.ts"

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

  it("errors are read as they were", () => {
    for (const json of JSON.parse(read(version, "errors.json")) as ReadonlyArray<{ readonly _tag: string }>) {
      const [Class] = classes.find(([{ identifier }]) => identifier === json._tag)!
      const codec = Schema.toCodecJson(Class)
      const error = Schema.decodeUnknownSync(codec)(json)
      assert.instanceOf(error, Class)
      assert.deepStrictEqual(Schema.encodeSync(codec)(error), json)
    }
  })

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

  it.effect("the workflows of an engine on SQLite continue: results are read, and a wait is resumed", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-11-01T00:20:00Z"))
      const client = yield* databases.sqlite
      yield* Effect.provide(
        SqlClient.SqlClient.use((sql) =>
          Effect.forEach(read(version, "workflows.sql").trim().split("\n"), (statement) => sql.unsafe(statement))
        ),
        client
      )
      const { layer, requests } = answering(({ url }) => json(spine.completedRun(url.pathname.split("/").at(-1)!)))
      const clients = Layer.mergeAll(
        Spine.layer({ apiKey: Redacted.make(spine.apiKey) }),
        Tela.layer({ apiKey: Redacted.make(tela.apiKey) })
      ).pipe(Layer.provide(layer), Layer.orDie)
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.all({
          ended: SpineWorkflow.Run.execute(payloads.ended),
          failed: Effect.flip(SpineWorkflow.Run.execute(payloads.failed)),
          waiting: SpineWorkflow.Run.execute(payloads.waiting),
          execution: TelaWorkflow.Run.execute(payloads.execution),
          task: TelaWorkflow.Run.execute(payloads.task)
        }, { concurrency: "unbounded" }))
        yield* until(Effect.sync(() => fiber.pollUnsafe() !== undefined), "1 second")
        const { ended, execution, failed, task, waiting } = yield* Fiber.join(fiber)
        assert.deepStrictEqual([ended.status, waiting.status], ["completed", "completed"])
        assert.instanceOf(failed, RunError.RunFailedError)
        assert.deepStrictEqual([execution.kind, execution.output], ["execution", { total: 42 }])
        assert.deepStrictEqual([task.kind, task.output], ["task", { total: 42 }])
        assert.deepStrictEqual(requests.map(({ method, url }) => [method, url.split("/").at(-1)]), [
          ["GET", waiting.run_id]
        ])
      }).pipe(Effect.provide(processOn(Layer.orDie(client), clients)))
    }))

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
