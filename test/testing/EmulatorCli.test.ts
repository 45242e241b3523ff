import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const start = (...args: ReadonlyArray<string>) =>
  spawn(process.execPath, [
    "--conditions=canvas-runs:source",
    fileURLToPath(new URL("../../src/cli/emulator.ts", import.meta.url)),
    ...args
  ], { stdio: ["ignore", "pipe", "pipe"] })

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", resolve))

/** The output up to the first line that matches. */
const printed = (child: ChildProcess, pattern: RegExp) =>
  new Promise<string>((resolve, reject) => {
    let output = ""
    child.stdout!.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      if (pattern.test(output)) resolve(output)
    })
    child.once("exit", () => reject(new Error(`ended after: ${output}`)))
  })

describe("npm run emulator", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`says where it listens, serves, and ends well on ${signal}`, async () => {
      const child = start("--port", "0", "--speed", "1000")
      const end = ended(child)
      const output = await printed(child, /Ctrl-C/)
      const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/m.exec(output)?.[1]
      assert.isTrue(output.startsWith("listening on "))
      const headers = { "x-api-key": "sk_spine_demo" }
      const body = new FormData()
      body.append("prompt", "Hello")
      const created = await (await fetch(`${url}/v1/run`, { method: "POST", headers, body })).json()
      await new Promise((resolve) => setTimeout(resolve, 20))
      const run = await (await fetch(`${url}${created.data.poll_url}`, { headers })).json()
      assert.strictEqual(run.data.status, "completed")
      const completion = await (await fetch(`${url}/v2/chat/completions`, {
        method: "POST",
        headers: { authorization: "Bearer demo" },
        body: JSON.stringify({ canvas_id: "11111111-1111-4111-8111-111111111111" })
      })).json()
      assert.strictEqual(completion.object, "chat.completion")
      child.kill(signal)
      assert.strictEqual(await end, 0)
    })
  }

  it("refuses a port and a speed that make no sense", async () => {
    const codes = await Promise.all([
      ended(start("--port", "70000")),
      ended(start("--port", "0", "--speed", "0"))
    ])
    for (const code of codes) assert.notStrictEqual(code, 0)
  })
})
