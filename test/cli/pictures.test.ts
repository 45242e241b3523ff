import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { call, directory, home, linesOf, served } from "./support.ts"

const server = CombinedEmulatorServer.layer({ spine: { speed: 1000 }, tela: { speed: 1000 } })
const slow = CombinedEmulatorServer.layer()
const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

/** Creates a run of Spine that has ended. */
const ended = Effect.gen(function*() {
  const env = yield* served
  const { code, stderr } = yield* call(
    ["run", "Compare databases", "--template", "report", "--poll-interval", "10ms"],
    { env }
  )
  assert.strictEqual(code, 0, stderr)
  return env
})

const outside = directory()

describe("canvas-runs graph", { concurrent: true }, () => {
  it.live("draws the blocks of a run: as rows, as Mermaid, as SVG, and into a file", () =>
    Effect.gen(function*() {
      const env = yield* ended
      const rows = yield* call(["graph", "@last"], { env })
      assert.match(rows.stdout, /^✓ Prompt 1 +prompt +completed\n(✓ .* completed\n)+$/)
      assert.strictEqual(rows.stderr, "")
      const mermaid = yield* call(["graph", "@last", "--format", "mermaid", "--direction", "down"], { env })
      assert.match(mermaid.stdout, /^flowchart TD\n(.*\n)* {2}b_\w+ --> b_\w+\n/)
      const dark = yield* call(["graph", "@last", "--format", "svg", "--theme", "dark"], { env })
      assert.match(dark.stdout, /^<svg [^]*<\/svg>\n$/)
      assert.notInclude(dark.stdout, "prefers-color-scheme")
      for (
        const [name, pattern] of [["a.svg", /^<svg /], ["a.mmd", /^flowchart LR/], ["a.txt", /^✓ Prompt/]] as const
      ) {
        const out = join(outside, name)
        const { stdout } = yield* call(["graph", "@last", "--out", out], { env })
        assert.strictEqual(stdout, `${out}\n`)
        assert.match(readFileSync(out, "utf8"), pattern)
      }
      const [line] = linesOf(yield* call(["graph", "@last", "--format", "mermaid", "--json"], { env }))
      assert.isTrue(line?.type === "text" && line.text.startsWith("flowchart LR"))
      const [file] = linesOf(yield* call(["graph", "@last", "--out", join(outside, "b.svg"), "--json"], { env }))
      assert.isTrue(file?.type === "file" && file.name === "b.svg" && file.ref.provider === "spine")
    }).pipe(Effect.provide(server)))

  it.live("a run that has just been created has no blocks, or no canvas yet", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* call(["run", "Tides", "--detach"], { env })
      const { code, stderr, stdout } = yield* call(["graph", "@last"], { env })
      assert.strictEqual(stdout, "")
      assert.match(stderr, /has no canvas|has no blocks yet/)
      assert.include([0, 3], code)
    }).pipe(Effect.provide(slow)))
})

describe("canvas-runs report", { concurrent: true }, () => {
  it.live("writes a page about a run of Spine, with links to its files", () =>
    Effect.gen(function*() {
      const env = yield* ended
      mkdirSync(join(outside, "july"))
      const out = join(outside, "july/report.html")
      const { stderr, stdout } = yield* call(
        ["report", "@last", "--out", out, "--download", join(outside, "july/the files"), "--title", "July <1>"],
        { env }
      )
      assert.strictEqual(stdout, `${out}\n`, stderr)
      const html = readFileSync(out, "utf8")
      assert.include(html, "<title>July &#60;1&#62;</title>")
      const links = Array.from(html.matchAll(/href="([^"]+)"/g), ([, href]) => decodeURIComponent(href!))
      assert.deepStrictEqual(links, readdirSync(join(outside, "july/the files")).map((name) => `the files/${name}`))
      assert.isAbove(links.length, 0)
      const printed = yield* call(["report", "@last"], { env })
      assert.match(printed.stdout, /^<!doctype html>[^]*<h2>Graph<\/h2>[^]*<h2>Tasks<\/h2>[^]*<\/html>\n$/)
      const lines = linesOf(yield* call(["report", "@last", "--json", "--download", join(outside, "more")], { env }))
      assert.strictEqual(lines.at(-1)?.type, "text")
      assert.deepStrictEqual(lines.slice(0, -1).map(({ type }) => type), links.map(() => "file" as const))
    }).pipe(Effect.provide(server)))

  it.live("waits for the end of a run, and adds a timeline of what it saw", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* call(["run", "Tides", "--template", "report", "--detach"], { env })
      const { code, stderr, stdout } = yield* call(["report", "@last", "--wait", "--poll-interval", "20ms"], { env })
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /<span class="pill completed|<span class="pill succeeded/)
      assert.match(stdout, /<h2>(Timeline|Blocks)<\/h2>/)
      const [entry] = linesOf(yield* call(["list", "--json"], { env }))
      assert.isTrue(entry?.type === "entry" && entry.state === "Finished")
      // A run that has ended needs no wait
      const again = yield* call(["report", "@last", "--wait"], { env })
      assert.match(again.stdout, /<h2>Blocks<\/h2>/)
      const late = yield* call(["run", "Tides", "--detach"], { env })
      assert.strictEqual(late.code, 0)
      const timeout = yield* call(["report", "@last", "--wait", "--timeout", "1ms", "--poll-interval", "1h"], { env })
      assert.include([0, 3], timeout.code)
    }).pipe(Effect.provide(server)))

  it.live("writes a page about an execution of Tela, which has no graph", () =>
    Effect.gen(function*() {
      const env = yield* served
      const args = ["execute", "--canvas", id, "--var", "topic=tides", "--async", "--poll-interval", "10ms"]
      const { code, stderr } = yield* call(args, { env })
      assert.strictEqual(code, 0, stderr)
      const { stdout } = yield* call(["report", "@last"], { env })
      assert.match(stdout, /<span class="pill succeeded">succeeded<\/span>/)
      assert.match(stdout, /<h2>Output<\/h2>/)
      assert.notInclude(stdout, "<h2>Graph</h2>")
    }).pipe(Effect.provide(server)))
})

describe("a picture that cannot be made", { concurrent: true }, () => {
  const spine = { SPINE_API_KEY: "sk_spine_test", SPINE_BASE_URL: "http://127.0.0.1:1" }
  const cases: ReadonlyArray<
    readonly [
      name: string,
      args: ReadonlyArray<string>,
      code: number,
      text: RegExp,
      env?: Readonly<Record<string, string>>
    ]
  > = [
    ["graph without a run", ["graph"], 2, /run/],
    ["graph of a name that the store does not know", ["graph", "july"], 2, /"july" is not a run of this store/],
    ["graph of an empty store", ["graph", "@last"], 2, /the store has none/],
    ["graph in an unknown form", ["graph", "@last", "--format", "dot"], 2, /dot/],
    ["graph of an execution", ["graph", `tela:execution:${id}`], 2, /has no blocks. See "canvas-runs report"/],
    ["graph without a key", ["graph", `spine:run:${id}`], 4, /SPINE_API_KEY is not set/],
    ["graph with the key of the other provider", ["graph", `spine:run:${id}`], 4, /SPINE_API_KEY/, {
      TELA_API_KEY: "sk_spine_x"
    }],
    ["report without a run", ["report"], 2, /run/],
    ["report of a name that the store does not know", ["report", "july"], 2, /"july" is not a run of this store/],
    ["report of an execution, with files", ["report", `tela:execution:${id}`, "--download", "x"], 2, /has no files/, {
      TELA_API_KEY: "t"
    }],
    ["report without a key", ["report", `tela:execution:${id}`], 4, /TELA_API_KEY is not set/],
    ["report of a provider in trouble", ["report", `spine:run:${id}`], 7, /./, spine],
    ["graph of a provider in trouble", ["graph", `spine:run:${id}`], 7, /./, spine]
  ]
  for (const [name, args, code, text, env] of cases) {
    it.live(name, () =>
      Effect.gen(function*() {
        const plain = yield* call(args, { env: home(env) })
        assert.strictEqual(plain.code, code, plain.stderr)
        assert.strictEqual(plain.stdout, "")
        assert.match(plain.stderr, text)
        for (const line of linesOf(yield* call([...args, "--json"], { env: home(env) }))) {
          assert.strictEqual(line.type, "error")
        }
      }))
  }

  it.live("a file that cannot be written is named", () =>
    Effect.gen(function*() {
      const env = yield* ended
      const blocked = join(outside, "blocked")
      mkdirSync(blocked)
      writeFileSync(join(outside, "a file"), "")
      for (const command of ["graph", "report"]) {
        for (const out of [join(outside, "missing/x.svg"), join(outside, "a file/x.svg"), blocked]) {
          const { code, stderr } = yield* call([command, "@last", "--out", out], { env })
          assert.include([2, 8], code)
          assert.include(stderr, out)
        }
      }
      // A full disk
      for (const command of ["graph", "report"]) {
        const { code, stderr, stdout } = yield* call([command, "@last", "--out", "/dev/full"], { env })
        assert.strictEqual(code, 8, stderr)
        assert.match(stderr, /The file \/dev\/full cannot be written/)
        assert.strictEqual(stdout, "")
      }
      assert.match((yield* call(["graph", "@last", "--out", "-"], { env })).stdout, /^✓ Prompt/)
    }).pipe(Effect.provide(server)))
})
