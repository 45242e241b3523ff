/** Runs examples in child processes, and compares their output with their `// =>` comments. */
import { fork, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { basename, dirname } from "node:path"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import type { Example } from "./extract.ts"
import type { Ran } from "./together.ts"

/** The emulator that the examples use as the real service. Its runs end at once. */
export const service = SpineEmulatorServer.layer({ script: { timeline: Timeline.make({ duration: 0 }) } })

/** The environment that lets the examples find the service. */
export const environment = (baseUrl: string): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  // Any free port
  PORT: "0",
  SPINE_API_KEY: "sk_spine_docs",
  SPINE_BASE_URL: baseUrl,
  NODE_COMPILE_CACHE: `${tmpdir()}/canvas-runs-examples`
})

/** How the processes of examples are started. */
export interface Options {
  readonly env: NodeJS.ProcessEnv
  /** Options of Node, such as a condition for imports. */
  readonly execArgv: ReadonlyArray<string>
}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))

/** The arguments of Node that run an example in a separate process, as a reader would. */
const argumentsOf = ({ file, kind }: Example): ReadonlyArray<string> =>
  kind === "test"
    ? [vitest, "run", "--root", dirname(file), "--config", "vitest.config.mjs", basename(file)]
    : [file]

/** Runs one example in a separate process. */
export const runAlone = (example: Example, { env, execArgv }: Options): Promise<Ended> =>
  new Promise((resolve) => {
    const { kind } = example
    // The other ones may read files of the repository
    const directory = kind === "alone" ? mkdtempSync(`${tmpdir()}/canvas-runs-example-`) : undefined
    const child = spawn(process.execPath, [...execArgv, ...argumentsOf(example)], { env, cwd: directory })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
      if (kind === "server") child.kill("SIGKILL")
    })
    child.stderr.on("data", (chunk) => errors += chunk)
    child.on("close", (code, signal) => {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
      resolve({ code: kind === "server" && signal === "SIGKILL" ? 0 : code, output, errors })
    })
  })

/** The output of one process for many examples. */
export interface Together {
  readonly code: number | null
  readonly ran: ReadonlyMap<string, Ran>
}

/** Runs the examples in one process, because a process for each takes 0.4 s of CPU time to load Effect. */
export const runTogether = (
  examples: ReadonlyArray<Example>,
  { env, execArgv, script = new URL("./together.ts", import.meta.url) }: Options & {
    /** `together.ts`, or a copy of it. */
    readonly script?: URL | string
  }
): Promise<Together> =>
  new Promise((resolve) => {
    const ran = new Map<string, Ran>()
    const files = examples.filter(({ kind }) => kind === "together").map(({ file }) => file)
    const child = fork(script, files, {
      env,
      execArgv: [...execArgv],
      silent: true,
      timeout: 170_000,
      killSignal: "SIGKILL"
    })
    child.on("message", (message) => ran.set((message as Ran).file, message as Ran))
    child.on("close", (code) => resolve({ code, ran }))
  })

/** Quotes and white space do not count: a value may be written as JSON or as code. */
const bare = (text: string) => text.replaceAll(/[\s"']/g, "")

/** The first promised text that was not printed, in order. */
export const missing = ({ expected }: Example, output: string): string | undefined => {
  const printed = bare(output)
  let from = 0
  return expected.find((text) => {
    const at = printed.indexOf(bare(text), from)
    from = at + bare(text).length
    return at < 0
  })
}

/** Whether an example printed its promised texts in the common process. */
export const isRight = (example: Example, { ran }: Together): boolean => {
  const own = ran.get(example.file)
  return own !== undefined && own.error === undefined && missing(example, own.output) === undefined
}
