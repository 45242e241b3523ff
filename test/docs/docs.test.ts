import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, ManagedRuntime } from "effect"
import { spawn } from "node:child_process"
import { Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { extract } from "./extract.ts"

/** What the examples take for the real service: runs end at once. */
const service = ManagedRuntime.make(SpineEmulatorServer.layer({
  script: { timeline: Timeline.make({ duration: 0 }) }
}))

let env: NodeJS.ProcessEnv = {}

beforeAll(async () => {
  const { baseUrl } = await service.runPromise(Effect.service(SpineEmulatorServer.SpineEmulatorServer))
  env = { PATH: process.env["PATH"], SPINE_API_KEY: "sk_spine_docs", SPINE_BASE_URL: baseUrl }
})

afterAll(() => service.dispose())

/** Runs one example in a process of its own, as a reader would. */
const run = (
  file: string
): Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=canvas-runs:source", file], { env })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.stderr.on("data", (chunk) => errors += chunk)
    child.on("close", (code) => resolve({ code, output, errors }))
  })

/** Quotes and white space do not count: a value may be written as JSON or as code. */
const bare = (text: string) => text.replaceAll(/[\s"']/g, "")

describe("every example of the docstrings and the README runs, and prints what it says", { timeout: 60_000 }, () => {
  for (const example of extract()) {
    it.concurrent(example.origin, async () => {
      const { code, errors, output } = await run(example.file)
      assert.strictEqual(code, 0, errors)
      const printed = bare(output)
      let from = 0
      for (const text of example.expected.map(bare)) {
        const at = printed.indexOf(text, from)
        assert.isAtLeast(at, 0, `it did not print ${text}, but:\n${output}`)
        from = at + text.length
      }
    })
  }
})
