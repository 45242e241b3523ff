/** Processes to kill. */
import { type ChildProcess, spawn } from "node:child_process"

/** The exit of a process, and its output. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
  readonly errors: string
}

/** Starts a bundled program. */
export const start = (
  file: string,
  args: ReadonlyArray<string>,
  onEnd: (ended: Ended) => void
): ChildProcess => {
  const worker = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    file,
    ...args
  ], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  let errors = ""
  worker.stdout.on("data", (chunk) => output += chunk)
  worker.stderr.on("data", (chunk) => errors += chunk)
  worker.on("close", (code, signal) => onEnd({ code, signal, output, errors }))
  return worker
}
