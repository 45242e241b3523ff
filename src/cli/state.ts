/**
 * The store of runs on this machine, which the command and the MCP server share.
 *
 * **Details**
 *
 * The store is in `$XDG_STATE_HOME/canvas-runs`, by default `~/.local/state/canvas-runs`. Only its owner can read it: the directory has
 * mode 0700, and its files 0600. It is one SQLite database, `runs.db`, where Node has SQLite (22.13), and a directory of files,
 * `runs`, on older versions. A store keeps its form: a directory of files is used by newer versions of Node, too.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { homedir } from "node:os"
import * as Budget from "../Budget.ts"
import * as NodeSqlite from "../node/NodeSqlite.ts"
import * as RunStore from "../RunStore.ts"
import { LocalError } from "./errors.ts"

/** Opens the store when a command needs it. */
export interface Service {
  /** The directory of the store, which may not exist yet. */
  readonly directory: Effect.Effect<string, LocalError>
  /** Opens the store, once. */
  readonly open: Effect.Effect<RunStore.Service, LocalError>
  /** Opens the budget of the store, with a limit for each account. Without SQLite it lasts as long as the process. */
  readonly budget: (limit: number) => Effect.Effect<Budget.Service, LocalError>
}

export class State extends Context.Service<State, Service>()("canvas-runs/cli/State") {}

/** Makes the store in a directory. The default is the one of the environment. */
export const layer = (
  directory: Option.Option<string>
): Layer.Layer<State, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    State,
    Effect.gen(function*() {
      const services = yield* Effect.context<FileSystem.FileSystem | Path.Path | Scope.Scope>()
      const where = Effect.provideContext(
        Option.match(directory, { onNone: () => defaultDirectory, onSome: Effect.succeed }),
        services
      )
      const opened = yield* Effect.cached(
        Effect.flatMap(where, (directory) => Effect.provideContext(openIn(directory), services))
      )
      return {
        directory: where,
        open: Effect.map(opened, ({ store }) => store),
        budget: (limit) => Effect.flatMap(opened, ({ budget }) => Effect.provideContext(budget(limit), services))
      }
    })
  )

/** A store in memory, for runs that end with the process. */
export const layerMemory: Layer.Layer<State> = Layer.effect(
  State,
  Effect.gen(function*() {
    const store = yield* RunStore.RunStore
    const scope = yield* Effect.scope
    return {
      directory: Effect.succeed(":memory:"),
      open: Effect.succeed(store),
      budget: (limit: number) => Effect.provideService(buildBudget(Budget.layerMemory({ limit })), Scope.Scope, scope)
    }
  })
).pipe(Layer.provide(RunStore.layerMemory))

/** The store as the library knows it, for code that always needs it. */
export const layerRunStore: Layer.Layer<RunStore.RunStore, LocalError, State> = Layer.effect(
  RunStore.RunStore,
  Effect.flatMap(State, ({ open }) => open)
)

const defaultDirectory = Effect.gen(function*() {
  const path = yield* Path.Path
  const xdg = yield* environment("XDG_STATE_HOME")
  // The specification of XDG says that a relative path is ignored
  const base = xdg !== "" && path.isAbsolute(xdg) ? xdg : path.join(yield* home, ".local", "state")
  return path.join(base, "canvas-runs")
})

const environment = (name: string): Effect.Effect<string> => Config.String(name).pipe(Effect.orElseSucceed(() => ""))

const home = Effect.gen(function*() {
  const path = yield* Path.Path
  const variable = yield* environment("HOME")
  if (path.isAbsolute(variable)) return variable
  const account = yield* Effect.try({ try: () => homedir(), catch: () => "" }).pipe(Effect.orElseSucceed(() => ""))
  if (path.isAbsolute(account)) return account
  return yield* new LocalError({
    message: "The store has no place: neither HOME nor XDG_STATE_HOME is the path of a directory. " +
      "Set one of them, or give --store DIRECTORY."
  })
})

const openIn = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const failed = (cause: unknown) =>
    new LocalError({
      message: `The store in ${directory} cannot be opened: ${reasonOf(cause)}. ` +
        "Make the directory writable, or give another with --store DIRECTORY.",
      cause
    })
  const database = path.join(directory, "runs.db")
  const files = path.join(directory, "runs")
  return yield* Effect.gen(function*() {
    yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
    const hasFiles = yield* fs.exists(files)
    const hasDatabase = yield* fs.exists(database)
    const hasSqlite = yield* Effect.promise(() => import("node:sqlite").then(() => true, () => false))
    if (hasDatabase && !hasSqlite) {
      return yield* new LocalError({
        message:
          `The store in ${directory} is a SQLite database. Use Node 22.13 or later, or another store with --store DIRECTORY.`
      })
    }
    if (!hasSqlite || hasFiles) {
      const keyValues = Layer.provide(KeyValueStore.layerFileSystem(files), privateFiles)
      return {
        store: Context.get(yield* Layer.build(Layer.provide(RunStore.layer, keyValues)), RunStore.RunStore),
        budget: (limit: number) => buildBudget(Budget.layerMemory({ limit }))
      }
    }
    const sql = yield* Layer.build(NodeSqlite.layer({ filename: database }))
    return {
      store: Context.get(
        yield* Layer.build(Layer.provide(RunStore.layerSql(), Layer.succeedContext(sql))),
        RunStore.RunStore
      ),
      budget: (limit: number) => buildBudget(Layer.provide(Budget.layerSql({ limit }), Layer.succeedContext(sql)))
    }
  }).pipe(Effect.mapError((error) => Schema.is(LocalError)(error) ? error : failed(error)))
})

const buildBudget = (
  layer: Layer.Layer<Budget.Budget, unknown>
): Effect.Effect<Budget.Service, LocalError, Scope.Scope> =>
  Effect.mapBoth(Layer.build(layer), {
    onSuccess: Context.get(Budget.Budget),
    onFailure: (cause) => new LocalError({ message: `The budget cannot be opened: ${reasonOf(cause)}.`, cause })
  })

/** A file system whose new files and directories only their owner can read. */
const privateFiles = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (fs): FileSystem.FileSystem => ({
    ...fs,
    makeDirectory: (path, options) => fs.makeDirectory(path, { mode: 0o700, ...options }),
    writeFileString: (path, data, options) => fs.writeFileString(path, data, { mode: 0o600, ...options })
  }))
)

/** The innermost reason of an error, such as `EACCES: permission denied`. */
const reasonOf = (error: unknown): string => {
  const cause = (error as { readonly cause?: unknown }).cause
  return cause instanceof Error ? reasonOf(cause) : error instanceof Error ? error.message : String(error)
}
