import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, vi } from "vitest"
import { z } from "zod"
import { RunError, Spine, Tela } from "canvas-runs"
import { SpineEmulator, TelaEmulator } from "canvas-runs/testing"
import { bundle, bundleTimeout } from "./support.ts"

let file = ""
beforeAll(async () => {
  file = await bundle()
}, bundleTimeout)

const start = (...args: ReadonlyArray<string>) =>
  spawn(process.execPath, [file, "emulator", ...args], { stdio: ["ignore", "pipe", "pipe"] })

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
    it(`prints its address, serves, and exits with 0 on ${signal}`, async () => {
      const child = start("--port", "0", "--speed", "1000")
      const end = ended(child)
      const output = await printed(child, /Ctrl-C/)
      const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/m.exec(output)?.[1]
      assert.isTrue(output.startsWith("listening on "))
      const headers = { "x-api-key": "sk_spine_demo" }
      const body = new FormData()
      body.append("prompt", "Hello")
      const created = await (await fetch(`${url}/v1/run`, { method: "POST", headers, body })).json()
      // Three milliseconds: three seconds at a thousand times the speed
      const poll = async () => (await (await fetch(`${url}${created.data.poll_url}`, { headers })).json()).data.status
      await vi.waitUntil(async () => await poll() === "completed", 15_000)
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

  it("rejects an invalid port and an invalid speed", async () => {
    const codes = await Promise.all([
      ended(start("--port", "70000")),
      ended(start("--port", "0", "--speed", "0"))
    ])
    for (const code of codes) assert.notStrictEqual(code, 0)
  })

  it("rejects an unknown rudeness, and lists the known ones", async () => {
    const child = start("--port", "0", "--rude", "gzip,gzap")
    let text = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => text += chunk.toString())
    assert.strictEqual(await ended(child), 2)
    assert.match(text, /--rude[^]*gzip,gzap[^]*noContentLength/)
  })

  it("F12: fails a run, ends one as partial and gives a canvas a structured output, as scripted, and lists the scripts", async () => {
    const folder = await mkdtemp(join(tmpdir(), "emulator-"))
    const script = join(folder, "script.json")
    await writeFile(
      script,
      JSON.stringify({
        spine: { runs: [{ prompt: "Q3", outcome: "partial", errors: ["no chart"], finalOutput: "Up", credits: 7 }] },
        tela: {
          canvases: [
            { id: scriptedId, title: "Scores", output: { score: 0.5 } },
            { id: failingId, outcome: "failed", errors: ["out of tokens"] }
          ]
        }
      })
    )
    const child = start("--port", "0", "--speed", "1000", "--script", script, "--rude", "keepAlives,noContentLength")
    const end = ended(child)
    try {
      const output = await printed(child, /Ctrl-C/)
      for (
        const listed of [
          "Rude: sends JSON and files without content-length (noContentLength)",
          SpineEmulator.failingPrompt,
          SpineEmulator.partialPrompt,
          TelaEmulator.invoiceCanvas.id,
          "Scripted: a run of Spine whose prompt contains \"Q3\" ends partial",
          `Scripted: the canvas ${scriptedId} (Scores) ends completed`,
          `Scripted: the canvas ${failingId} ends failed`
        ]
      ) assert.include(output, listed)
      const baseUrl = /^listening on (\S+)$/m.exec(output)![1]!

      const program = Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const tela = yield* Tela.TelaClient
        const invoice = yield* readInvoice
        const run = (prompt: string) => spine.runs.run({ prompt }, { pollInterval: "10 millis", timeout: "10 seconds" })
        const failed = yield* Effect.flip(run(`${SpineEmulator.failingPrompt} no luck`))
        const partial = yield* run(`${SpineEmulator.partialPrompt} no images`)
        const scripted = yield* run("The report of Q3")
        const score = yield* tela.canvas.make({ id: scriptedId, output: z.object({ score: z.number() }) }).execute({})
        const refused = yield* tela.canvas.make({ id: failingId }).execute({}, {
          async: true,
          pollingInterval: "10 millis"
        }).pipe(Effect.flatMap(({ result }) => result), Effect.flip)
        return { invoice, failed, partial, scripted, score: score.result, refused }
      }).pipe(
        Effect.provide([
          Spine.layer({ apiKey: Redacted.make("sk_spine_demo"), baseUrl }),
          Tela.layer({ apiKey: Redacted.make("demo"), baseUrl })
        ]),
        Effect.provide(FetchHttpClient.layer)
      )
      const { failed, invoice, partial, refused, score, scripted } = await Effect.runPromise(program)
      assert.deepStrictEqual(invoice, { sync: "42 BRL", stream: { total: 42, currency: "BRL" } })
      assert.instanceOf(failed, RunError.RunFailedError)
      assert.deepStrictEqual(failed.errors, ["no luck"])
      assert.strictEqual(partial.status, "partial")
      assert.deepStrictEqual(partial.status === "partial" && partial.errors, [{ error: "no images" }])
      assert.deepStrictEqual([scripted.status, scripted.result.final_output], ["partial", "Up"])
      assert.deepStrictEqual(score, { score: 0.5 })
      assert.instanceOf(refused, RunError.RunFailedError)
      assert.include(refused.message, "out of tokens")
    } finally {
      child.kill("SIGTERM")
      await end
      await rm(folder, { recursive: true })
    }
  })

  it("F12: the error about a mistake in a script file names its place", async () => {
    const folder = await mkdtemp(join(tmpdir(), "emulator-"))
    const script = join(folder, "script.json")
    await writeFile(script, "{\"spin\":{},\"spine\":{\"runs\":[{\"outcome\":\"faild\"}]}}")
    const child = start("--port", "0", "--script", script)
    let text = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => text += chunk.toString())
    assert.strictEqual(await ended(child), 2)
    await rm(folder, { recursive: true })
    assert.match(text, /--script[^]*"completed" \| "partial" \| "failed"[^]*\["runs"\]\[0\]\["outcome"\]/)
    assert.match(text, /\["spin"\]/)
  })
})

const scriptedId = "5c09e5c0-4e5c-4c0e-8c0e-5c09e5c0e5c0"
const failingId = "fa11fa11-fa11-4a11-8a11-fa11fa11fa11"

/** The program of the README about validated output, with Zod, in two modes. */
const readInvoice = Effect.gen(function*() {
  const Invoice = z.object({ total: z.number(), currency: z.string() })
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: Invoice })
  const variables = { document: Tela.file(new TextEncoder().encode("%PDF-1.7")) }
  const { result } = yield* canvas.execute(variables)
  const parts = yield* Stream.runCollect(canvas.stream(variables))
  const final = parts.find((part) => part._tag === "final")
  return { sync: `${result.total} ${result.currency}`, stream: final?.result }
})
