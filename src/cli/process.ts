/** Runs the command in this process: its arguments, its signals and its exit code. */
import * as Effect from "effect/Effect"
import { exitCodes, type Outcome } from "./exitCode.ts"
import { main } from "./main.ts"
import * as Platform from "./platform.ts"
import { type Reason, reasonOfSignal } from "./stop.ts"

const exit = (outcome: Outcome): void => process.exit(exitCodes[outcome].code)

// Node says on standard error that its SQLite is experimental
process.removeAllListeners("warning")

/** Waits for the first signal. The second one ends the process at once. */
const stopped = Effect.callback<Reason>((resume) => {
  let signals = 0
  for (const [signal, reason] of Object.entries(reasonOfSignal)) {
    process.on(signal, () => signals++ === 0 ? resume(Effect.succeed(reason)) : exit(reason))
  }
  // Other errors of standard output fail the write
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") resume(Effect.succeed("closedOutput"))
  })
  process.stderr.on("error", () => {})
})

// Connections that are kept open would keep the process
Effect.runPromise(Effect.provide(main(process.argv.slice(2), stopped), Platform.layer)).then(exit, (error: unknown) => {
  process.stderr.write(`canvas-runs: ${String(error)}\n`)
  exit("internal")
})
