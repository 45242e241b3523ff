import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, ManagedRuntime } from "effect"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { extract } from "./extract.ts"
import * as Running from "./running.ts"

const examples = extract()
const service = ManagedRuntime.make(Running.service)
const execArgv = ["--conditions=canvas-runs:source"]

let env: NodeJS.ProcessEnv = {}
let together: Running.Together = { code: null, ran: new Map() }

beforeAll(async () => {
  const { baseUrl } = await service.runPromise(Effect.service(SpineEmulatorServer.SpineEmulatorServer))
  env = Running.environment(baseUrl)
  together = await Running.runTogether(examples, { env, execArgv })
}, 180_000)

afterAll(() => service.dispose())

const title = "every example of the docstrings, the README and the guides runs, and prints the promised output"

describe(title, { timeout: 60_000 }, () => {
  it("one process runs most of them and exits by itself, without a handle that keeps it alive", () => {
    assert.strictEqual(together.code, 0)
    const alone = examples.filter((example) => example.kind !== "test" && !Running.isRight(example, together))
    assert.isAtMost(alone.length, examples.length / 4, alone.map(({ origin }) => origin).join(", "))
  })

  for (const example of examples) {
    // Its tests run in this process: another Vitest takes 3 s of CPU time
    if (example.kind === "test") {
      describe(example.origin, () => import(example.file).then(() => {}))
      continue
    }
    it(example.origin, async () => {
      if (Running.isRight(example, together)) return
      // Alone, as a reader runs it, because another example may have interfered
      const { code, errors, output } = await Running.runAlone(example, { env, execArgv })
      assert.strictEqual(code, 0, errors)
      assert.strictEqual(Running.missing(example, output), undefined, `it printed:\n${output}`)
    })
  }
})
