/** The client of a database in one file. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { RunError } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryDirectory } from "../support/databases.ts"
import { failure } from "../support/results.ts"

const memory = NodeSqlite.layer({ filename: ":memory:" })

const test = (title: string, body: Effect.Effect<void, unknown, SqlClient.SqlClient>) =>
  it.effect(title, () => Effect.provide(body, memory))

/** Two clients on one file, as two processes have them. */
const twoClients = Effect.gen(function*() {
  const filename = join(yield* temporaryDirectory, "runs.db")
  const open = Effect.map(
    Layer.build(Layer.fresh(NodeSqlite.layer({ filename, busyTimeout: "3 seconds" }))),
    (context) => SqlClient.SqlClient.pipe(Effect.provideContext(context))
  )
  return [yield* Effect.flatten(open), yield* Effect.flatten(open), filename] as const
})

describe("NodeSqlite.layer", () => {
  test(
    "runs statements with parameters, and returns what they return",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table t (a text primary key, b integer)`
      yield* sql`insert into t ${sql.insert([{ a: "x", b: 1 }, { a: "'; drop table t; --", b: 2 }])}`
      assert.deepEqual(yield* sql`update t set b = b + 1 where a = ${"x"} returning b`, [{ b: 2 }])
      assert.deepEqual(yield* sql`select b from t order by b`.values, [[2], [2]])
      assert.deepEqual(yield* sql`select 1 as a, 2 as a`.values, [[1, 2]])
    })
  )

  test(
    "rolls a transaction back when it fails, and an inner one alone",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table t (a integer)`
      const insert = (a: number) => sql`insert into t values (${a})`
      yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(1), Effect.fail("no"))))
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(2)
        yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(3), Effect.fail("no"))))
      }))
      assert.deepEqual(yield* sql`select a from t`, [{ a: 2 }])
    })
  )

  test(
    "runs no other statement inside a transaction",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table t (a integer)`
      const [begun, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const transaction = yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
        yield* sql`insert into t values (1)`
        yield* Deferred.succeed(begun, undefined)
        yield* Deferred.await(ended)
        return yield* Effect.fail("no")
      })))
      yield* Deferred.await(begun)
      const other = yield* Effect.forkChild(sql`insert into t values (2)`)
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.await(transaction)
      yield* Fiber.join(other)
      assert.deepEqual(yield* sql`select a from t`, [{ a: 2 }])
    })
  )

  test(
    "streams rows, and fails with an SqlError in the middle",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const numbers = (last: number) =>
        sql`
        with recursive n (i) as (select 1 union all select i + 1 from n where i < ${last})
        select i, case when i = 900 then json('{') else 1 end as ok from n`.stream
      assert.strictEqual((yield* Stream.runCollect(numbers(500))).length, 500)
      let seen = 0
      const exit = yield* Effect.exit(Stream.runForEach(numbers(1000), () => Effect.sync(() => seen++)))
      assert.isTrue(SqlError.isSqlError(failure(exit)))
      assert.isAbove(seen, 0)
      assert.deepEqual(yield* sql`select 1 as one`, [{ one: 1 }])
    })
  )

  test(
    "classifies the errors of statements",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table t (a integer primary key, b integer not null)`
      const reasonOf = (statement: Effect.Effect<unknown, SqlError.SqlError>) =>
        Effect.map(Effect.flip(statement), ({ reason }) => reason._tag)
      yield* sql`insert into t values (1, 1)`
      assert.strictEqual(yield* reasonOf(sql`insert into t values (2, null)`), "ConstraintError")
      assert.strictEqual(yield* reasonOf(sql`select * from missing`), "UnknownError")
      assert.strictEqual(yield* reasonOf(sql`select 9007199254740993`), "UnknownError")
    })
  )

  it.effect("creates files that only their owner can read", () =>
    Effect.gen(function*() {
      const [sql, , filename] = yield* twoClients
      yield* sql`create table t (a integer)`
      for (const ending of ["", "-wal", "-shm"]) {
        assert.strictEqual(statSync(`${filename}${ending}`).mode & 0o777, 0o600, ending)
      }
    }))

  it.effect("waits for the lock of another connection without blocking, and for no longer than busyTimeout", () =>
    Effect.gen(function*() {
      const [first, second] = yield* twoClients
      yield* first`create table t (a integer)`
      const [begun, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const holding = yield* Effect.forkChild(first.withTransaction(
        Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(ended))
      ))
      yield* Deferred.await(begun)
      const tooLong = yield* Effect.forkChild(Effect.flip(second`insert into t values (1)`))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* Fiber.join(tooLong)).reason._tag, "LockTimeoutError")
      const waiting = yield* Effect.forkChild(second`insert into t values (2)`)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.join(holding)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      assert.deepEqual(yield* first`select a from t`, [{ a: 2 }])
    }))

  it.effect("fails with an SqlError for a file that is not a database, or whose directory is missing", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "text.db"), "not a database, but a text of some length".repeat(50))
      for (const name of ["text.db", "missing/runs.db"]) {
        const exit = yield* Effect.exit(Layer.build(NodeSqlite.layer({ filename: join(directory, name) })))
        assert.isTrue(SqlError.isSqlError(failure(exit)), name)
      }
    }))

  for (
    const [name, options] of Object.entries({
      "no filename": {},
      "a blank filename": { filename: " " },
      "a filename that is a URL": { filename: new URL("file:///tmp/runs.db") },
      "a filename that SQLite takes for a URI": { filename: "file:runs.db" },
      "a busyTimeout of zero": { filename: ":memory:", busyTimeout: 0 },
      "a misspelt option": { filename: ":memory:", busyTimout: "1 second" }
    })
  ) {
    it.effect(`rejects options with ${name}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Layer.build(NodeSqlite.layer(options as NodeSqlite.Options)))
        assert.instanceOf(failure(exit), RunError.ConfigError)
        assert.isTrue(Exit.isFailure(exit))
      }))
  }
})
