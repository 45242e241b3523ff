/** Runs the command in this process: its arguments, its signals and its exit code. */
import * as Effect from "effect/Effect"
import { exitCodes, type Outcome } from "./exitCode.ts"
import { isServer, main } from "./main.ts"
import * as Platform from "./platform.ts"
import * as Stop from "./stop.ts"

const args = process.argv.slice(2)

const exit = (outcome: Outcome): void => process.exit(exitCodes[outcome].code)

// Node says on standard error that its SQLite is experimental
process.removeAllListeners("warning")

const program = Stop.orStop(main(args), (stop) => {
  let signals = 0
  for (const [signal, outcome] of Object.entries(Stop.outcomeOfSignal)) {
    process.on(signal, () => signals++ === 0 ? stop(isServer(args) ? "success" : outcome) : exit(outcome))
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => stop(error.code === "EPIPE" ? "closedOutput" : "local"))
  process.stderr.on("error", () => {})
})

// Connections that are kept open would keep the process
Effect.runPromise(Effect.provide(program, Platform.layer)).then(exit, (error: unknown) => {
  process.stderr.write(`canvas-runs: ${String(error)}\n`)
  exit("internal")
})
