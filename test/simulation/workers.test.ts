import { assert, describe, it } from "@effect/vitest"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { answersOf } from "./workers.ts"

describe("answersOf", () => {
  const messages = Array.from({ length: 10 }, (_, index) => index)

  /** The answers of workers that run the code for each `number` that they receive, and the error that ended them. */
  const run = async (code: string, count: number) => {
    const folder = await mkdtemp(join(tmpdir(), "canvas-runs-workers-"))
    const answers: Array<unknown> = []
    try {
      const file = join(folder, "worker.mjs")
      await writeFile(file, `process.on("message", (number) => { ${code} })`)
      for await (const answer of answersOf(pathToFileURL(file), messages, count)) answers.push(answer)
      return { answers, error: undefined }
    } catch (error) {
      return { answers, error: String(error) }
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  it("returns the answers in the order of the messages, for any number of workers", async () => {
    for (const count of [1, 2, 3]) {
      // The worker of message 0 answers once it has all of its messages
      const code = `
        const { held = [] } = globalThis
        globalThis.held = [...held, number]
        if (held[0] !== 0 && number !== 0) process.send(-number)
        else if (number + ${count} >= 10) for (const each of globalThis.held) process.send(-each)
      `
      assert.deepStrictEqual(await run(code, count), { answers: messages.map((number) => -number), error: undefined })
    }
  })

  it("keeps values that JSON does not have", async () => {
    const { answers } = await run(`process.send([undefined, Infinity, -0, NaN, new Map([[number, 1n]])])`, 1)
    assert.deepStrictEqual(answers[3], [undefined, Infinity, -0, NaN, new Map([[3, 1n]])])
  })

  it("fails if a worker ends, after the answers before", async () => {
    const { answers, error } = await run(`if (number === 5) process.exit(3); process.send(number)`, 2)
    assert.deepStrictEqual(answers, [0, 1, 2, 3, 4])
    assert.strictEqual(error, "Error: a worker ended with 3 before it answered 5")
  })

  it("fails if a worker is killed", async () => {
    const { error } = await run(`if (number === 0) process.kill(process.pid, "SIGKILL")`, 2)
    assert.strictEqual(error, "Error: a worker ended with SIGKILL before it answered 0")
  })
})
