/** Real databases for tests: PostgreSQL from an npm package, or the one that `DATABASE_URL` names, and SQLite in a file. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, type Scope } from "effect"
import { NodeSqlite } from "canvas-runs/node"
import { SqlClient } from "effect/sql"
import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { start } from "../../examples/support/postgres.ts"

/** The database server. */
export interface Postgres {
  /** Creates a database that no other test uses, and returns its URL. */
  readonly newDatabase: Effect.Effect<string>
  /** Creates an empty schema, and returns a URL that selects it. It takes 1 % of the time of a database. */
  readonly newSchema: Effect.Effect<string>
  /** Restarts the server. Connections break. A server that other tests use too cannot be restarted. */
  readonly restart: Effect.Effect<void> | undefined
}

const databasesOf = ({ restart, url }: { readonly url: string; readonly restart?: Effect.Effect<void> }): Postgres => {
  const create = (what: "database" | "schema") =>
    Effect.gen(function*() {
      // A process runs several test files, each with its own instance of this module
      const name = `canvas_runs_test_${randomUUID().replaceAll("-", "")}`
      const sql = yield* SqlClient.SqlClient
      yield* sql`create ${sql.literal(what)} ${sql(name)}`
      const created = new URL(url)
      if (what === "database") created.pathname = `/${name}`
      else created.searchParams.set("options", `-csearch_path=${name}`)
      return created.href
    }).pipe(Effect.provide(postgresLayer(url)), Effect.orDie)
  return { restart, newDatabase: create("database"), newSchema: create("schema") }
}

/** A client of the database of a URL. */
export const postgresLayer = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 4 })

/** A client of a database in a file. */
export const sqliteLayer = (filename: string) => NodeSqlite.layer({ filename, busyTimeout: "30 seconds" })

/** A directory that is removed with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "canvas-runs-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

/** The server of `DATABASE_URL`, that of the run of Vitest, or one for as long as the scope is open. */
export const postgres = Effect.map(
  Effect.suspend(
    (): Effect.Effect<{ readonly url: string; readonly restart?: Effect.Effect<void> }, never, Scope.Scope> => {
      const { CANVAS_RUNS_TEST_POSTGRES: shared, DATABASE_URL: url } = process.env
      if (url !== undefined) return Effect.succeed({ url })
      if (shared === undefined) return start
      return Effect.promise(async () => {
        const response = await fetch(shared)
        const text = await response.text()
        if (!response.ok) throw new Error(text)
        return { url: text }
      })
    }
  ),
  databasesOf
)

/** The addresses of databases that one test has for itself: the name of a file, and a URL. */
export const addresses = {
  sqlite: Effect.map(temporaryDirectory, (directory) => join(directory, "test.db")),
  postgresql: Effect.flatMap(postgres, ({ newSchema }) => newSchema)
}

/** A client of the database of an address. */
export const clients = { sqlite: sqliteLayer, postgresql: postgresLayer }

/** Databases that one test has for itself. */
export const databases = {
  sqlite: Effect.map(addresses.sqlite, clients.sqlite),
  postgresql: Effect.map(addresses.postgresql, clients.postgresql)
}
