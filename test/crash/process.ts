/** Processes to kill. */
import { type ChildProcess, spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"

/** Half of the CPU time of a short process is spent on compiling what it loads. */
export const env = { ...process.env, NODE_COMPILE_CACHE: `${tmpdir()}/canvas-runs-examples` }

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
  ], {
    stdio: ["ignore", "pipe", "pipe"],
    env
  })
  let output = ""
  let errors = ""
  worker.stdout.on("data", (chunk) => output += chunk)
  worker.stderr.on("data", (chunk) => errors += chunk)
  worker.on("close", (code, signal) => onEnd({ code, signal, output, errors }))
  return worker
}
