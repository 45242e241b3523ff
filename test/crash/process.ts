/** Processes to kill. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The exit of a process, and its output. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
  readonly errors: string
}

/** Starts a program. */
export const start = (
  file: URL,
  args: ReadonlyArray<string>,
  onEnd: (ended: Ended) => void
): ChildProcess => {
  const worker = spawn(process.execPath, [
    "--conditions=canvas-runs:source",
    "--disable-warning=ExperimentalWarning",
    fileURLToPath(file),
    ...args
  ], { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  let errors = ""
  worker.stdout.on("data", (chunk) => output += chunk)
  worker.stderr.on("data", (chunk) => errors += chunk)
  worker.on("close", (code, signal) => onEnd({ code, signal, output, errors }))
  return worker
}
