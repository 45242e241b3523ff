/**
 * The command `canvas-runs`: its subcommands, and how one call of it runs.
 *
 * The code of a subcommand is loaded when it is used, so that `canvas-runs --help` starts fast.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Again from "./again.ts"
import { version } from "./version.ts"
import type { Outcome } from "./exitCode.ts"
import * as Outage from "./outage.ts"
import * as Output from "./output.ts"
import { report } from "./report.ts"
import * as State from "./state.ts"
import * as Stop from "./stop.ts"
import { textFlag } from "./textFlag.ts"

/** The services that every subcommand may use. */
export type Services = Command.Environment | Output.Output | State.State

/** A subcommand. Its errors are classified by `exitCode.ts`. */
// oxlint-disable-next-line typescript/no-explicit-any -- the name and the input of any command
export type Subcommand = Command.Command<any, any, {}, unknown, Services>

/** The subcommands, in the order of the help. */
const subcommands: ReadonlyArray<{
  readonly name: string
  readonly description: string
  /** Whether it serves until it is stopped, which is then a success. */
  readonly isServer?: true
  readonly load: () => Promise<Subcommand>
}> = [
  {
    name: "run",
    description: "Creates a run of Spine, and waits for it",
    load: () => import("./commands/run.ts").then(({ command }) => command)
  },
  {
    name: "execute",
    description: "Executes a canvas of Tela",
    load: () => import("./commands/execute.ts").then(({ command }) => command)
  },
  {
    name: "batch",
    description: "Creates a run for each line of a file, once",
    load: () => import("./commands/batch.ts").then(({ command }) => command)
  },
  {
    name: "watch",
    description: "Shows how far runs are, until they end",
    load: () => import("./commands/watch.ts").then(({ command }) => command)
  },
  {
    name: "wait",
    description: "Waits for runs, and prints their output",
    load: () => import("./commands/wait.ts").then(({ command }) => command)
  },
  {
    name: "get",
    description: "Prints the state of a run",
    load: () => import("./commands/get.ts").then(({ command }) => command)
  },
  {
    name: "result",
    description: "Prints the output of a run that has ended",
    load: () => import("./commands/result.ts").then(({ command }) => command)
  },
  {
    name: "download",
    description: "Downloads the files of a run",
    load: () => import("./commands/download.ts").then(({ command }) => command)
  },
  {
    name: "graph",
    description: "Draws the blocks of a run",
    load: () => import("./commands/graph.ts").then(({ command }) => command)
  },
  {
    name: "report",
    description: "Writes an HTML page about a run",
    load: () => import("./commands/report.ts").then(({ command }) => command)
  },
  {
    name: "list",
    description: "Lists the runs of the store",
    load: () => import("./commands/store.ts").then(({ list }) => list)
  },
  {
    name: "attach",
    description: "Stores a run under a key",
    load: () => import("./commands/store.ts").then(({ attach }) => attach)
  },
  {
    name: "forget",
    description: "Removes keys from the store",
    load: () => import("./commands/store.ts").then(({ forget }) => forget)
  },
  {
    name: "purge",
    description: "Removes old entries from the store",
    load: () => import("./commands/store.ts").then(({ purge }) => purge)
  },
  {
    name: "reconcile",
    description: "Finds out whether runs were created",
    load: () => import("./commands/store.ts").then(({ reconcile }) => reconcile)
  },
  {
    name: "emulator",
    description: "Serves both providers from memory",
    isServer: true,
    load: () => import("./commands/emulator.ts").then(({ command }) => command)
  },
  {
    name: "mcp",
    description: "Serves tools for agents (MCP)",
    isServer: true,
    load: () => import("./commands/mcp.ts").then(({ command }) => command)
  },
  {
    name: "schema",
    description: "Prints the JSON Schema of the output",
    load: () => import("./commands/schema.ts").then(({ command }) => command)
  }
]

/** The names of the subcommands. */
export const commandNames = subcommands.map(({ name }) => name)

/** Whether the arguments name a server. */
const isServer = (args: ReadonlyArray<string>): boolean =>
  subcommands.find(({ name }) => args.includes(name))?.isServer === true

/** Prints data as JSON. */
const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print one JSON object per line (see canvas-runs schema)"),
    Flag.withDefault(false)
  )
})

/** The directory of the store. */
const Store = GlobalFlag.Setting("store")({
  flag: textFlag("store").pipe(
    Flag.withMetavar("DIRECTORY"),
    Flag.withDescription("The directory of the store. The default is $XDG_STATE_HOME/canvas-runs"),
    Flag.optional
  )
})

/** Makes the command. Subcommands that the arguments do not name have a description and no code. */
const make = (args: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(subcommands, ({ description, load, name }) =>
      args.includes(name) || args.some((arg) =>
          arg.startsWith("--completions")
        )
        ? Effect.map(Effect.promise(load), Command.withDescription(description))
        : Effect.succeed(Command.make(name).pipe(Command.withDescription(description)) as Subcommand)),
    (commands) =>
      Command.make("canvas-runs").pipe(
        Command.withDescription("Runs AI canvases of Spine and Tela, and keeps what it started"),
        Command.withSubcommands(commands as [Subcommand, ...Array<Subcommand>]),
        Command.withGlobalFlags([Json, Store])
      )
  )

/**
 * Runs the command with its arguments until it ends or is stopped, reports a failure, and returns the class of the outcome.
 *
 * `stopped` says why the command is stopped, if it is.
 */
export const main = (
  args: ReadonlyArray<string>,
  stopped: Effect.Effect<Stop.Reason> = Effect.never
): Effect.Effect<Outcome, never, Command.Environment> => {
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args
  const printed: Array<string> = []
  const command = Effect.gen(function*() {
    const command = yield* make(flags)
    yield* Command.runWith(command, { version })(args)
    const { line } = yield* Output.Output
    yield* Effect.forEach(printed, (text) => line({ type: "text", text }, text))
    return "success" as const
  }).pipe(
    Effect.catchCause(report),
    Effect.provide([
      State.layer(Again.valueOf(flags, "--store")),
      Layer.effect(CliOutput.Presenter, presenter),
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel] }),
      // `--completions` prints here, and logs go to standard error
      Layer.succeed(
        Console.Console,
        Object.assign(Object.create(globalThis.console) as Console.Console, {
          log: (text: string) => void printed.push(text)
        })
      ),
      Layer.succeed(Logger.LogToStderr, true)
    ])
  )
  const reportStop = (reason: Stop.Reason) =>
    isServer(flags) && reason !== "closedOutput"
      ? Effect.succeed("success" as const)
      : report(Cause.fail(new Stop.StoppedError({ reason })))
  const announce = Output.Output.use(({ note }) =>
    note(
      "\nWaiting for the response of the provider, so that the run is not lost. Ctrl-C again ends the command at once."
    )
  )
  return Stop.orStop(command, stopped, announce, reportStop).pipe(
    Effect.provideService(Stop.Creates, { count: 0 }),
    Effect.provideService(Again.Given, Again.givenIn(flags)),
    Effect.provideService(Outage.Outages, Outage.make()),
    Effect.provide(Output.layer(isJson(flags)))
  )
}

/** Whether the output is JSON. Like each flag without a value, `--json` may have one, such as `--json=false`. */
const isJson = (args: ReadonlyArray<string>): boolean =>
  args.some((arg) => arg === "--json" || arg.startsWith("--json=")) &&
  !/^(?:false|no|off|0|n)$/.test(Option.getOrElse(Again.valueOf(args, "--json"), () => ""))

/** Prints what was asked for to standard output, and the faults of a call to standard error. */
const presenter = Effect.gen(function*() {
  const output = yield* Output.Output
  const formatter = CliOutput.defaultFormatter({
    colors: (yield* TerminalCapabilities.TerminalCapabilities).canColor && !output.isJson
  })
  const plain = CliOutput.defaultFormatter({ colors: false })
  const print = (text: string) => Effect.ignore(output.line({ type: "text", text }, text))
  return {
    present: (event: CliOutput.Presenter.Event) => {
      switch (event._tag) {
        case "Version":
          return print(event.version)
        case "Help":
          return event.reason === "Requested"
            ? print(formatter.formatHelpDoc(event.helpDoc))
            : output.note(plain.formatHelpDoc(event.helpDoc))
        case "InvalidInvocation":
          return output.note(
            `${event.errors.map((error) => `canvas-runs: ${plain.formatCliError(error)}`).join("\n")}\n` +
              `See "${event.commandPath.join(" ")} --help".`
          )
      }
    }
  }
})
