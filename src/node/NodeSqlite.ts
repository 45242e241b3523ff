/**
 * A database in one file: Effect's `SqlClient` on the platform's own `node:sqlite`. Nothing has to be installed.
 *
 * **When to use**
 *
 * For a program on one machine that must not lose runs: use `RunStore.layerSql` on this client. Several processes
 * of the machine may share the file. For several machines use a database server, such as PostgreSQL with
 * `@effect/sql-pg`.
 *
 * **Gotchas**
 *
 * `node:sqlite` is synchronous: each statement blocks the event loop until it is done. The statements of canvas-runs take
 * microseconds. Put the file on a local disk: SQLite's locks do not work on most network file systems.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { closeSync, openSync } from "node:fs"
import type * as Sqlite from "node:sqlite"
import { checkGivenConfig, copyConfig, durationConfig } from "../internal/options.ts"
import { ConfigError } from "../RunError.ts"

/**
 * Options for {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The path of the database file, which is created with mode 0600 if it does not exist, or `":memory:"`. */
  readonly filename: string
  /**
   * How long a statement waits while another process writes. The wait does not block the event loop. After this time the statement
   * fails with an `SqlError` whose reason is a `LockTimeoutError`.
   *
   * @default "5 seconds"
   */
  readonly busyTimeout?: Duration.Input | undefined
}

/**
 * Creates a layer with a `SqlClient` on one SQLite file. The file is in WAL mode: readers do not wait for a writer.
 *
 * **Details**
 *
 * The layer opens the file when it is built, and closes it with its scope. A transaction takes the write lock when it begins
 * (`BEGIN IMMEDIATE`), so it never fails halfway because of another writer. A commit survives a crash of the process. A power
 * cut may lose the last commits (`synchronous = NORMAL`), but does not damage the file.
 *
 * It needs Node 22.13 or newer, or Deno 2.2. On other platforms building it fails with a `ConfigError`. With Node 22.13 to 22.18 import
 * `canvas-runs/node/NodeSqlite`, because `canvas-runs/node` needs Node 22.19. A file that cannot be opened is an `SqlError`.
 *
 * **Example** (Runs in one file)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { RunStore } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 *
 * const store = Layer.provide(RunStore.layerSql(), NodeSqlite.layer({ filename: ":memory:" }))
 *
 * const program = Effect.gen(function*() {
 *   const runs = yield* RunStore.RunStore
 *   return (yield* runs.unfinished).length
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, store))) // => 0
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, ConfigError | SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))

const optionNames: ReadonlyArray<keyof Options> = ["filename", "busyTimeout"]

const make = Effect.fnUntraced(function*(given: Options) {
  const { busyTimeout = "5 seconds", filename } = yield* copyConfig("options", given, optionNames)
  yield* checkGivenConfig("filename", filename, isPath, "the path of a file, and not a URL, or \":memory:\"")
  const waiting = whileBusy(yield* durationConfig("busyTimeout", busyTimeout))
  const { DatabaseSync } = yield* platform
  const database = yield* Effect.acquireRelease(
    waiting(attempt("open", () => open(DatabaseSync, filename))),
    (database) => Effect.sync(() => database.close())
  )
  const connection = connectionOf(database, waiting)
  const semaphore = yield* Semaphore.make(1)
  return yield* SqlClient.make({
    // There is one connection, which a transaction uses alone
    acquirer: Effect.as(semaphore.takeScoped(1), connection),
    borrower: (use) => semaphore.withPermit(use(connection)),
    compiler: Statement.makeCompilerSqlite(),
    driver: "sqlite-node",
    beginTransaction: "BEGIN IMMEDIATE",
    // `undefined` on Node before 22.16
    isTransaction: () => database.isTransaction !== false,
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

/** SQLite takes a text that begins with `file:` for a URI, and would create another file than {@link open} does. */
const isPath = (value: unknown): boolean => Predicate.isString(value) && value.trim() !== "" && !/^file:/i.test(value)

const platform = Effect.tryPromise({
  try: () => import("node:sqlite"),
  catch: () =>
    new ConfigError({
      option: "filename",
      message:
        "NodeSqlite needs node:sqlite, which this platform does not have. Use Node 22.13 or newer, Deno 2.2 or newer, " +
        "or another SqlClient of Effect."
    })
})

const open = (DatabaseSync: typeof Sqlite.DatabaseSync, filename: string): Sqlite.DatabaseSync => {
  // SQLite gives the mode of this file to the files that it creates next to it
  if (filename !== ":memory:") closeSync(openSync(filename, "a", 0o600))
  const database = new DatabaseSync(filename)
  try {
    database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    return database
  } catch (cause) {
    database.close()
    throw cause
  }
}

const attempt = <A>(operation: string, evaluate: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: evaluate, catch: (cause) => errorOf(operation, cause) })

const errorOf = (operation: string, cause: unknown): SqlError => {
  // Effect looks for the number of SQLite's error in `errno`
  const named = Predicate.hasProperty(cause, "errcode") ? Object.assign(cause, { errno: cause.errcode }) : cause
  const message = Predicate.isError(cause) ? cause.message : String(cause)
  return new SqlError({ reason: classifySqliteError(named, { message, operation }) })
}

/** Repeats a statement while another connection has the lock: the statement has then had no effect. SQLite's own wait blocks the event loop. */
const whileBusy = (busyTimeout: Duration.Duration) => <A>(self: Effect.Effect<A, SqlError>) =>
  Effect.retry(self, {
    schedule: Schedule.spaced("5 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: busyTimeout })),
    while: (error) => error.reason._tag === "LockTimeoutError"
  })

const connectionOf = (
  database: Sqlite.DatabaseSync,
  waiting: ReturnType<typeof whileBusy>
): SqlConnection.Connection => {
  type Parameters = ReadonlyArray<Sqlite.SQLInputValue>
  const all = (sql: string, params: ReadonlyArray<unknown>) =>
    waiting(attempt("execute", () => database.prepare(sql).all(...params as Parameters)))
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    waiting(attempt("execute", () => {
      const statement = database.prepare(sql)
      // Two columns may have the same name. Node before 22.16 cannot return both
      statement.setReturnArrays?.(true)
      return statement.all(...params as Parameters).map((row) => Object.values(row))
    }))
  const execute: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    Effect.map(all(sql, params), (rows) => transform === undefined ? rows : transform(rows))
  return {
    execute,
    executeUnprepared: execute,
    executeValues: values,
    executeValuesUnprepared: values,
    executeRaw: (sql, params) => waiting(attempt("execute", () => database.prepare(sql).run(...params as Parameters))),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(
        Effect.map(
          waiting(attempt("stream", () => database.prepare(sql).iterate(...params as Parameters))),
          (rows) =>
            Stream.fromIteratorSucceed(rows, 128).pipe(
              Stream.catchDefect((cause) => Stream.fail(errorOf("stream", cause))),
              transform === undefined ? identity : Stream.mapArray((chunk) => transform(chunk) as typeof chunk)
            )
        )
      )
  }
}
