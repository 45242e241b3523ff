/**
 * Runs the commands of `docs/command-line.md`, and compares what they print. A command stands in a `console` block, after `$ `.
 *
 * With `CANVAS_RUNS_WRITE=1` it writes what they print into the guide instead.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { promisify } from "node:util"
import { fileURLToPath } from "node:url"
import { exitCodes } from "../../src/cli/exitCode.ts"
import { commandNames } from "../../src/cli/main.ts"
import { call, directory, type Environment, served } from "./support.ts"

const guide = fileURLToPath(new URL("../../docs/command-line.md", import.meta.url))
const text = readFileSync(guide, "utf8")

/** Hides what differs in each run: ids, keys that were made, times, and how far a run was at a poll. */
const settle = (text: string) =>
  text.trimEnd()
    .replaceAll(/^\[ *[\d.]+ s\] .*: (?:created|running).*\n/gm, "")
    .replaceAll(/: (?:created|running|completed)(?:, \d\/\d tasks)?$/gm, ": STATE")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID")
    .replaceAll(/\d{8}-\d{6}-[0-9a-f]{4}/g, "KEY")
    .replaceAll(/\[ *[\d.]+ s\]/g, "TIME")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\d{13}/g, "TIME")

/** The words of a command. Quotes hold words together. */
const wordsOf = (command: string) =>
  [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!)

const isWriting = process.env["CANVAS_RUNS_WRITE"] === "1"

/** How many times faster runs go. The guide shows their progress. */
const speed = isWriting ? 100 : 100_000

/** Commands that poll do it often, so that the test does not wait for 5 seconds. */
const polling = new Set(["run", "wait", "watch", "execute", "batch"])

const run = (command: string, env: Environment, cwd: string) =>
  Effect.gen(function*() {
    const [program, ...args] = wordsOf(command.replace(/^npx /, ""))
    if (program !== "canvas-runs") {
      const { stdout } = yield* Effect.promise(() => promisify(execFile)("sh", ["-c", command], { cwd }))
      return stdout
    }
    const inside = args.map((arg) => /^(?:out|pets\.jsonl)$/.test(arg) ? `${cwd}/${arg}` : arg)
    const { stderr, stdout } = yield* call(
      polling.has(args[0]!) ? [...inside, "--poll-interval", "20ms"] : inside,
      { env }
    )
    return `${stderr}${stdout}`.replaceAll(`${cwd}/`, "")
  })

describe("the guide about the command line", () => {
  it.live("shows what the commands print", () =>
    Effect.gen(function*() {
      const env = yield* served
      const cwd = directory()
      let written = text
      for (const [block] of text.matchAll(/```console\n[^]*?```/g)) {
        const commands = [...block.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!)
        const outputs: Array<string> = []
        for (const command of commands) outputs.push(`$ ${command}\n${yield* run(command, env, cwd)}`.trimEnd())
        const actual = `\`\`\`console\n${outputs.join("\n")}\n\`\`\``
        if (isWriting) written = written.replace(block, () => actual)
        else assert.strictEqual(settle(actual), settle(block))
      }
      if (written !== text) writeFileSync(guide, written)
    }).pipe(Effect.provide(CombinedEmulatorServer.layer({ spine: { speed }, tela: { speed } }))), 60_000)

  it("begins with the command of the README", () => {
    const [, command] = /```sh\n(npx canvas-runs .*)\n```/.exec(
      readFileSync(new URL("../../README.md", import.meta.url), "utf8")
    )!
    assert.include(text, `$ ${command}\n`)
  })

  it("has every exit code and every command", () => {
    const rows = Object.entries(exitCodes).map(([name, { code, meaning }]) => `| ${code} | \`${name}\` | ${meaning} |`)
    assert.include(text, rows.toSorted((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b))).join("\n"))
    for (const name of commandNames) assert.match(text, new RegExp(`^\\|.*\`${name}\`.*\\|.*\\|$`, "m"))
  })
})
