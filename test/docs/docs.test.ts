import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, ManagedRuntime } from "effect"
import { fork, spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { type Example, extract } from "./extract.ts"
import type { Ran } from "./together.ts"

const examples = extract()

/** What the examples take for the real service: runs end at once. */
const service = ManagedRuntime.make(SpineEmulatorServer.layer({
  script: { timeline: Timeline.make({ duration: 0 }) }
}))

let env: NodeJS.ProcessEnv = {}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs one example in a process of its own, as a reader would. */
const run = (file: string): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=canvas-runs:source", file], { env })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.stderr.on("data", (chunk) => errors += chunk)
    child.on("close", (code) => resolve({ code, output, errors }))
  })

/** Runs the examples in one process, because a process for each takes 0.4 s of CPU time to load Effect. */
const runTogether = (files: ReadonlyArray<string>): Promise<Together> =>
  new Promise((resolve) => {
    const ran = new Map<string, Ran>()
    const child = fork(new URL("./together.ts", import.meta.url), files, {
      env,
      execArgv: ["--conditions=canvas-runs:source"],
      silent: true,
      timeout: 60_000,
      killSignal: "SIGKILL"
    })
    child.on("message", (message) => ran.set((message as Ran).file, message as Ran))
    child.on("close", (code) => resolve({ code, ran }))
  })

interface Together {
  readonly code: number | null
  readonly ran: ReadonlyMap<string, Ran>
}

let together: Together = { code: null, ran: new Map() }

beforeAll(async () => {
  const { baseUrl } = await service.runPromise(Effect.service(SpineEmulatorServer.SpineEmulatorServer))
  env = {
    PATH: process.env["PATH"],
    SPINE_API_KEY: "sk_spine_docs",
    SPINE_BASE_URL: baseUrl,
    NODE_COMPILE_CACHE: `${tmpdir()}/canvas-runs-examples`
  }
  together = await runTogether(examples.filter(({ isAlone }) => !isAlone).map(({ file }) => file))
}, 90_000)

afterAll(() => service.dispose())

/** Quotes and white space do not count: a value may be written as JSON or as code. */
const bare = (text: string) => text.replaceAll(/[\s"']/g, "")

/** The first promised text that was not printed, in the order of the promises. */
const missing = ({ expected }: Example, output: string): string | undefined => {
  const printed = bare(output)
  let from = 0
  return expected.find((text) => {
    const at = printed.indexOf(bare(text), from)
    from = at + bare(text).length
    return at < 0
  })
}

describe("every example of the docstrings, the README and the guides runs, and prints what it says", {
  timeout: 60_000
}, () => {
  it("one process runs most of them and exits by itself, with no handle left that keeps it alive", () => {
    assert.strictEqual(together.code, 0)
    const alone = examples.filter((example) => !isRight(example))
    assert.isAtMost(alone.length, examples.length / 4, alone.map(({ origin }) => origin).join(", "))
  })

  /** Whether an example did what it says beside the others. */
  const isRight = (example: Example): boolean => {
    const ran = together.ran.get(example.file)
    return ran !== undefined && ran.error === undefined && missing(example, ran.output) === undefined
  }

  for (const example of examples) {
    it(example.origin, async () => {
      if (isRight(example)) return
      // Alone as a reader runs it, because another example may have been in its way
      const { code, errors, output } = await run(example.file)
      assert.strictEqual(code, 0, errors)
      assert.strictEqual(missing(example, output), undefined, `it printed:\n${output}`)
    })
  }
})
