/** Tables of this package in a SQL database. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * Creates a table, or migrates that of an older version: runs those of the `migrations` that its database has not had yet, in the order of
 * the numbers with which their names begin. Programs that start at the same time wait for one another.
 */
export const migrate = (
  sql: SqlClient.SqlClient,
  table: string,
  migrations: { readonly [name: string]: Effect.Effect<void, SqlError> }
): Effect.Effect<void, Migrator.MigrationError | SqlError> =>
  Migrator.make({})({ table: `${table}_migrations`, loader: Migrator.fromRecord(migrations) }).pipe(
    Effect.retry({
      schedule: Schedule.spaced("50 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "30 seconds" })),
      while: (error) => error._tag === "MigrationError" && error.kind === "Locked"
    }),
    Effect.provideService(SqlClient.SqlClient, sql),
    Effect.asVoid
  )
