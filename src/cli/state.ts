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
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { homedir } from "node:os"
import type * as Budget from "../Budget.ts"
import type * as RunStore from "../RunStore.ts"
import { LocalError } from "./errors.ts"

/** Opens the store when a command needs it. */
export interface Service {
  /** The directory of the store, which may not exist yet. */
  readonly directory: Effect.Effect<string, LocalError>
  /** Opens the store, once. */
  readonly open: Effect.Effect<RunStore.Service, LocalError>
  /** Opens the budget of the store, with a limit for each account. Without SQLite it lasts as long as the process. */
  readonly budget: (options: Budget.LayerOptions) => Effect.Effect<Budget.Service, LocalError>
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
        Effect.gen(function*() {
          const { openIn } = yield* Effect.promise(() => import("./openStore.ts"))
          return yield* Effect.provideContext(openIn(yield* where), services)
        })
      )
      return {
        directory: where,
        open: Effect.map(opened, ({ store }) => store),
        budget: (options) => Effect.flatMap(opened, ({ budget }) => Effect.provideContext(budget(options), services))
      }
    })
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
