/** Real databases for tests: PostgreSQL from an npm package, or the one that `DATABASE_URL` names, and SQLite in a file. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { NodeSqlite } from "canvas-runs/node"
import { SqlClient } from "effect/sql"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { start } from "../../examples/support/postgres.ts"

/** The database server. */
export interface Postgres {
  /** Creates a database that no other test uses, and returns its URL. */
  readonly newDatabase: Effect.Effect<string>
  /** Restarts the server. Connections break. A server that runs already, which `DATABASE_URL` names, cannot be restarted. */
  readonly restart: Effect.Effect<void> | undefined
}

let databases = 0

const databasesOf = ({ restart, url }: { readonly url: string; readonly restart?: Effect.Effect<void> }): Postgres => ({
  restart,
  newDatabase: Effect.gen(function*() {
    const name = `canvas_runs_test_${process.pid}_${++databases}`
    const sql = yield* SqlClient.SqlClient
    yield* sql`create database ${sql(name)}`
    const database = new URL(url)
    database.pathname = `/${name}`
    return database.href
  }).pipe(Effect.provide(postgresLayer(url)), Effect.orDie)
})

/** A client of the database of a URL. */
export const postgresLayer = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 4 })

/** A client of a database in a file. */
export const sqliteLayer = (filename: string) => NodeSqlite.layer({ filename, busyTimeout: "30 seconds" })

/** A directory that is removed with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "canvas-runs-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

/** A database server for as long as the scope is open. */
export const postgres = Effect.map(
  Effect.suspend(() => {
    const url = process.env["DATABASE_URL"]
    return url === undefined ? start : Effect.succeed({ url })
  }),
  databasesOf
)
