/** Opens the store of runs: a SQLite database, a directory of files, or memory. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Budget from "../Budget.ts"
import { makeDirectory } from "../internal/files/makeDirectory.ts"
import * as NodeSqlite from "../node/NodeSqlite.ts"
import * as RunStore from "../RunStore.ts"
import { LocalError, reasonOf } from "./errors.ts"
import { State } from "./state.ts"

/** A store in memory, for runs that end with the process. */
export const layerMemory: Layer.Layer<State> = Layer.effect(
  State,
  Effect.gen(function*() {
    const store = yield* RunStore.RunStore
    const scope = yield* Effect.scope
    return {
      directory: Effect.succeed(":memory:"),
      open: Effect.succeed(store),
      budget: (options: Budget.LayerOptions) =>
        Effect.provideService(buildBudget(Budget.layerMemory(options)), Scope.Scope, scope)
    }
  })
).pipe(Layer.provide(RunStore.layerMemory))

/** The store as the library knows it, for code that always needs it. */
export const layerRunStore: Layer.Layer<RunStore.RunStore, LocalError, State> = Layer.effect(
  RunStore.RunStore,
  Effect.flatMap(State, ({ open }) => open)
)

/** Opens the store in a directory, which it creates. */
export const openIn = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const failed = (cause: unknown) =>
    new LocalError({
      message: `The store in ${directory} cannot be opened: ${reasonOf(cause)}. ` +
        "Check the directory, or give another with --store DIRECTORY.",
      cause
    })
  const database = path.join(directory, "runs.db")
  const files = path.join(directory, "runs")
  return yield* Effect.gen(function*() {
    yield* makeDirectory(fs, path.resolve(directory), { mode: 0o700 })
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
        budget: (options: Budget.LayerOptions) => buildBudget(Budget.layerMemory(options))
      }
    }
    const sql = yield* Layer.build(NodeSqlite.layer({ filename: database }))
    return {
      store: Context.get(
        yield* Layer.build(Layer.provide(RunStore.layerSql(), Layer.succeedContext(sql))),
        RunStore.RunStore
      ),
      budget: (options: Budget.LayerOptions) =>
        buildBudget(Layer.provide(Budget.layerSql(options), Layer.succeedContext(sql)))
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
