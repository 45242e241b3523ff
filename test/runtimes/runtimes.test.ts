import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NodeHttp } from "canvas-runs/node"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as EmulatorServer from "canvas-runs/testing/EmulatorServer"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
import { build } from "esbuild"
import { readFileSync } from "node:fs"
import { runInNewContext } from "node:vm"
import { checkNode } from "../../src/node/internal/requirement.ts"
import * as Emulators from "./emulator.ts"
import * as NodeOnly from "./nodeOnly.ts"
import * as Program from "./program.ts"
import { brokenRow, type Row, rowOf, type Runtime, runtimes, stepNames, table } from "./runtimes.ts"

const failed = (results: ReadonlyArray<Program.StepResult>) =>
  results.flatMap(({ failure, step }) => failure === undefined ? [] : [step])

describe("the program for all runtimes", () => {
  it.live("passes on this Node", () =>
    Effect.gen(function*() {
      const baseUrl = yield* Emulators.scripted
      const results = [
        ...yield* Effect.promise(() => Program.run(baseUrl)),
        ...yield* Effect.promise(() => NodeOnly.run({ node: true, server: true }, baseUrl))
      ]
      assert.deepStrictEqual(results.filter(({ failure }) => failure !== undefined), [])
      assert.deepStrictEqual(results.map(({ step }) => step), [...stepNames])
    }).pipe(Effect.provide(Emulators.layer)))

  it.live("fails at each step if its values are changed in transit", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
      const spine = yield* SpineEmulator.SpineEmulator
      const tela = yield* TelaEmulator.TelaEmulator
      const timeline = Timeline.make({ duration: 0 })
      yield* spine.script({ timeline, finalOutput: "[]", artifacts: [{ name: "table.bin", content: "short" }] })
      yield* tela.script({ timeline, createdFor: 0, output: { files: [] }, stream: { pieces: ["other"] } })
      const results = [
        ...yield* Effect.promise(() => Program.run(baseUrl)),
        // Both entries work here, which differs from the expectation for a page
        ...yield* Effect.promise(() => NodeOnly.run({ node: false, server: false }, baseUrl))
      ]
      assert.deepStrictEqual(failed(results), [...stepNames].filter((step) => step !== "create" && step !== "test kit"))
    }).pipe(Effect.provide(CombinedEmulatorServer.layer({ spine: { acceptAnyFileType: true } }))))
})

describe("the table of runtimes", () => {
  const steps = stepNames.map((step): Program.StepResult => ({ step, failure: undefined, millis: 10 }))
  const runtime: Runtime = {
    name: "some",
    run: () => Promise.resolve({ version: "1.2.3", steps }),
    nodeOnly: { node: true, server: true },
    lacks: { "stream up": { failure: /cannot/, because: "it is not supported" } }
  }
  const withUpload = (failure: string | undefined) =>
    rowOf(runtime, {
      version: "1.2.3",
      steps: steps.map((result) => result.step === "stream up" ? { ...result, failure } : result)
    }, 100)

  it("counts a step that the platform lacks as passed only if it fails as documented", () => {
    const foreseen = withUpload("it cannot")
    assert.strictEqual(foreseen.cells["stream up"], "lacks")
    assert.deepStrictEqual(foreseen.failures, [])
    assert.deepStrictEqual(foreseen.notes, ["some: stream up: it is not supported"])
    for (const failure of ["something else", undefined]) {
      const row = withUpload(failure)
      assert.strictEqual(row.cells["stream up"], "FAILED")
      assert.strictEqual(row.failures.length, 1)
    }
  })

  it("counts a step that was not run as failed", () => {
    const row = rowOf(runtime, { version: "1.2.3", steps: steps.slice(1) }, 100)
    assert.strictEqual(row.cells["create"], "FAILED")
    assert.include(row.failures, "some: create: it was not run")
  })

  it("has a line for every runtime, also for those that did not start", () => {
    const rows: ReadonlyArray<Row> = [withUpload("it cannot"), brokenRow(runtime, new Error("it is not installed"), 5)]
    const lines = table(rows).split("\n")
    assert.strictEqual(lines.length, 4)
    assert.strictEqual(new Set(lines.map((line) => line.length)).size, 1)
    assert.match(lines[2]!, /^\| some +\| 1\.2\.3 +\| ok /)
    assert.match(lines[3]!, /^\| some +\| - +\| FAILED /)
    assert.deepStrictEqual(rows[1]!.failures, ["some: it is not installed"])
  })

  it("pins every runtime that npm carries", () => {
    assert.deepStrictEqual(
      runtimes.map(({ name }) => name),
      ["node-20.3", "node-20", "node-22", "node-24", "node-26", "bun", "deno", "workerd", "chromium"]
    )
    for (const { name, package: spec } of runtimes) {
      if (name !== "chromium") assert.match(spec!, /^[a-z]+@\d+\.\d+\.\d+$/)
    }
  })
})

/** Loads a bundle in a context without Node, like a page. */
const inPage = async (code: string, conditions: ReadonlyArray<string> = []): Promise<unknown> => {
  const { outputFiles: [file] } = await build({
    stdin: { contents: code, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "page",
    platform: "browser",
    conditions: ["canvas-runs:source", ...conditions],
    logLevel: "silent"
  })
  const { AbortController, AbortSignal, Blob, ReadableStream, TextDecoder, TextEncoder, TransformStream, URL } =
    globalThis
  return runInNewContext(`${file!.text}; page`, {
    AbortController,
    AbortSignal,
    Blob,
    ReadableStream,
    TextDecoder,
    TextEncoder,
    TransformStream,
    URL
  })
}

const thrownBy = async (code: string, conditions?: ReadonlyArray<string>): Promise<string> =>
  inPage(code, conditions).then(
    () => assert.fail("nothing was thrown"),
    (error: { readonly message: string }) => error.message
  )

describe("modules that need Node", () => {
  it("fail in a page with an error that names the alternative for pages", async () => {
    for (const module of ["canvas-runs/node", "canvas-runs/node/NodeHttp"]) {
      const name = module.endsWith("NodeHttp") ? "layer" : "NodeHttp"
      const message = await thrownBy(`import { ${name} } from "${module}"; export const used = ${name}`)
      assert.match(message, /canvas-runs\/node needs Node 22\.19 or newer/)
      assert.match(message, /FetchHttpClient\.layer of effect\/http/)
    }
    for (const name of ["CombinedEmulatorServer", "SpineEmulatorServer", "TelaEmulatorServer", "EmulatorServer"]) {
      const message = await thrownBy(
        `import * as Server from "canvas-runs/testing/${name}"; export const used = Server`
      )
      assert.match(message, /sockets of Node, Bun or Deno/)
      assert.match(message, /layerTest or toWebHandler/)
    }
  })

  it("fail on Bun, whose undici has no client, with an error that names the alternative", async () => {
    const message = await thrownBy("import { NodeHttp } from \"canvas-runs/node\"; export const used = NodeHttp", [
      "bun",
      "node"
    ])
    assert.match(message, /FetchHttpClient/)
  })

  it("fail on a Node that is too old with an error that names the version", () => {
    for (const version of ["20.20.2", "22.18.0", "18.0.0", undefined]) {
      assert.throws(() => checkNode(version), /needs Node 22\.19 or newer/)
    }
    assert.throws(() => checkNode("20.20.2"), /this is Node 20\.20\.2/)
    for (const version of ["22.19.0", "22.23.3", "24.0.0", "26.10.0"]) checkNode(version)
  })

  it("have a replacement with all of their exports", () => {
    const namesIn = (file: string) =>
      [...readFileSync(new URL(`../../src/${file}`, import.meta.url), "utf8").matchAll(/^export const (\w+)/gm)].map(
        ([, name]) => name
      )
    const names = (...modules: ReadonlyArray<object>) => [...new Set(modules.flatMap((module) => Object.keys(module)))]
    assert.sameMembers(namesIn("node/internal/elsewhere.ts"), names({ NodeHttp }, NodeHttp))
    assert.sameMembers(
      namesIn("testing/internal/elsewhere.ts"),
      names(CombinedEmulatorServer, EmulatorServer, SpineEmulatorServer, TelaEmulatorServer)
    )
  })

  it("are imported by no other module", async () => {
    const page = await inPage(`
      export * as All from "canvas-runs"
      export * as Spine from "canvas-runs/spine"
      export * as Tela from "canvas-runs/tela"
      export * as Testing from "canvas-runs/testing"
    `) as { readonly Testing: { readonly SpineEmulator: object; readonly TelaEmulator: object } }
    assert.property(page.Testing.SpineEmulator, "layerTest")
    assert.property(page.Testing.TelaEmulator, "toWebHandler")
  })
})
