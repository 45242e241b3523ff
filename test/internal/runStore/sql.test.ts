/** Rows that no version of this package writes as they are, or that a later one may write. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { RunRef } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import * as RunStore from "canvas-runs/RunStore"
import { failure } from "../../support/results.ts"

const ref = RunRef.make({ provider: "test", kind: "run", id: "run-1" })
const create = Effect.succeed({ ref })

const layer = RunStore.layerSql().pipe(Layer.provideMerge(NodeSqlite.layer({ filename: ":memory:" })))

for (
  const [name, columns] of Object.entries({
    "a state that this version does not know": { state: "paused" },
    "a created run whose record is no JSON": { state: "created", record: "{" },
    "a created run whose record has no ref": {
      state: "created",
      record: JSON.stringify({ version: 1, key: "a", intendedAt: 5 })
    },
    "a refused key whose record has no time": {
      state: "refused",
      record: JSON.stringify({ version: 1, key: "a", intendedAt: 5 })
    },
    "a record of a later version": { record: JSON.stringify({ version: 2, key: "a" }) },
    "a record of another key": { record: JSON.stringify({ version: 1, key: "b", intendedAt: 5 }) },
    "a record that is a number": { record: 5 }
  })
) {
  it.effect(`${name} is a RunStoreError, and no run is created for the key`, () =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const sql = yield* SqlClient.SqlClient
      yield* store.attach("a", ref)
      yield* sql`update canvas_runs set ${sql.update(columns)} where name = 'a'`
      let created = 0
      for (const onUnknown of ["fail", "retry"] as const) {
        const counted = Effect.tap(create, () => Effect.sync(() => created++))
        const error = failure(yield* Effect.exit(store.runOnce("a", counted, { onUnknown })))
        assert.instanceOf(error, RunStore.RunStoreError)
        assert.strictEqual(error.reason, "record")
      }
      assert.instanceOf(failure(yield* Effect.exit(store.get("a"))), RunStore.RunStoreError)
      assert.strictEqual(created, 0)
    }).pipe(Effect.provide(layer)))
}

it.effect("waits before it asks again for a claim that another process has won", () =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const store = yield* RunStore.RunStore
    yield* Effect.exit(store.runOnce("a", Effect.die("it was killed")))
    // As if each time another process took the claim, and lost it, between the read and the write
    const attempts = sql<{ readonly n: number }>`select n from attempts`
    yield* sql`create table attempts (n integer)`
    yield* sql`insert into attempts values (0)`
    yield* sql`create trigger taken before update on canvas_runs when new.claimed_at is not null begin
      update attempts set n = n + 1; select raise(ignore); end`
    const fiber = yield* Effect.forkChild(store.runOnce("a", create, { onUnknown: "retry" }))
    yield* Effect.repeat(Effect.yieldNow, { times: 1000 })
    assert.strictEqual((yield* attempts)[0]!.n, 1)
    yield* TestClock.adjust("250 millis")
    assert.strictEqual((yield* attempts)[0]!.n, 2)
    yield* sql`drop trigger taken`
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* Fiber.join(fiber), ref)
  }).pipe(Effect.provide(layer)))
