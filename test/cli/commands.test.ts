/** The commands, in this process, against a server with both emulators. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Fault, SpineEmulator, TelaEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { version } from "../../src/cli/version.ts"
import { call, directory, type Environment, home, linesOf, served } from "./support.ts"

const server = CombinedEmulatorServer.layer({
  spine: { speed: 100_000 },
  tela: { speed: 100_000, canvases: [TelaEmulator.invoiceCanvas] }
})
const canvas = "11111111-1111-4111-8111-111111111111"
const often = ["--poll-interval", "10ms"]

/** The lines of a command that must succeed. */
const succeed = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env: Environment, stdin?: string) {
  const ended = yield* call([...args, "--json"], { env, stdin })
  assert.strictEqual(ended.code, 0, ended.stderr)
  return linesOf(ended)
})

describe("execute", () => {
  it.live("sends texts, files and JSON as variables", () =>
    Effect.gen(function*() {
      const env = yield* served
      const folder = directory()
      writeFileSync(join(folder, "notes.md"), "# Notes")
      writeFileSync(join(folder, "vars.json"), JSON.stringify({ total: 3, topic: "replaced" }))
      const lines = yield* succeed([
        "execute",
        "--canvas",
        canvas,
        "--vars-file",
        join(folder, "vars.json"),
        "--var",
        "topic=a=b",
        "--var",
        "handle=@@ada",
        "--var",
        `document=@${join(folder, "notes.md")}`,
        "--tag",
        "nightly",
        ...often
      ], env)
      assert.deepStrictEqual(lines.map(({ type }) => type), ["created", "result"])
      const { runs } = yield* TelaEmulator.TelaEmulator
      const [run] = yield* runs
      assert.isTrue(run?.request.tags?.includes("nightly"))
      const { variables } = run!.request
      assert.deepInclude(variables, { total: 3, topic: "a=b", handle: "@ada" })
      assert.match(JSON.stringify(variables["document"]), /vault:\/\//)
    }).pipe(Effect.provide(server)))

  for (const mode of ["--sync", "--stream"]) {
    it.live(`${mode} prints the output, and stores nothing`, () =>
      Effect.gen(function*() {
        const env = yield* served
        const args = ["execute", "--canvas", canvas, "--var", "topic=tides", mode]
        const { code, stdout } = yield* call(args, { env })
        assert.deepStrictEqual([code, stdout], [0, "The emulator was given topic: tides.\n"])
        const lines = yield* succeed(args, env)
        const text = lines.flatMap((line) => line.type === "delta" ? line.text : []).join("")
        const last = lines.at(-1)
        assert.isTrue(last?.type === "result" && last.output === "The emulator was given topic: tides.")
        assert.strictEqual(text, mode === "--stream" ? "The emulator was given topic: tides." : "")
        assert.deepStrictEqual(yield* succeed(["list"], env), [])
      }).pipe(Effect.provide(server)))
  }

  it.live("--stream ends the line of its text before a message", () =>
    Effect.gen(function*() {
      const env = yield* served
      const file = join(directory(), "schema.json")
      writeFileSync(file, JSON.stringify({ type: "object" }))
      const args = ["execute", "--canvas", canvas, "--var", "topic=tides", "--stream", "--schema", file]
      const { code, stdout } = yield* call(args, { env })
      assert.deepStrictEqual([code, stdout], [1, "The emulator was given topic: tides.\n"])
    }).pipe(Effect.provide(server)))

  it.live("--schema accepts an output that fits, and rejects another with exit code 1", () =>
    Effect.gen(function*() {
      const env = yield* served
      const file = join(directory(), "schema.json")
      const execute = ["execute", "--canvas", TelaEmulator.invoiceCanvas.id, "--schema", file, ...often]
      writeFileSync(
        file,
        JSON.stringify({ type: "object", required: ["total"], properties: { total: { type: "number" } } })
      )
      yield* succeed(execute, env)
      writeFileSync(file, JSON.stringify({ type: "object", properties: { total: { type: "boolean" } } }))
      const { code, stderr } = yield* call(execute, { env })
      assert.strictEqual(code, 1)
      assert.match(stderr, /does not fit the schema .*schema\.json: .*total/)
      // The run has ended, and its output can still be read
      yield* succeed(["result", "@last"], env)
    }).pipe(Effect.provide(server)))
})

describe("batch", () => {
  it.live("creates one run for each line, also if it is given again, and downloads their files", () =>
    Effect.gen(function*() {
      const env = yield* served
      const folder = directory()
      const lines = [{ prompt: "Cats" }, { prompt: "Dogs", key: "dogs", template: "report" }, {
        canvas,
        variables: { a: 1 }
      }]
      const args = ["batch", "-", "--name", "pets", "--download", folder, ...often]
      const stdin = lines.map((line) => `${JSON.stringify(line)}\n`).join("\n")
      const first = yield* succeed(args, env, stdin)
      assert.deepStrictEqual(first.at(-1), { type: "summary", counts: { succeeded: 3, failed: 0, earlier: 0 } })
      const second = yield* succeed(args, env, stdin)
      assert.deepStrictEqual(second.at(-1), { type: "summary", counts: { succeeded: 0, failed: 0, earlier: 3 } })
      assert.strictEqual((yield* (yield* SpineEmulator.SpineEmulator).runs).length, 2)
      assert.isTrue(readdirSync(join(folder, "pets-dogs")).some((name) => name.endsWith(".docx")))
    }).pipe(Effect.provide(server)))

  for (
    const [what, text, told] of [
      ["is not JSON", "{\"prompt\":\"a\"}\n{", /Line 2 is not JSON/],
      [
        "has an unknown member",
        "{\"prompt\":\"a\",\"tempalte\":\"report\"}",
        /Line 1 is no run: [^,]*\["tempalte"\]\. /
      ],
      [
        "has a wrong member",
        "{\"prompt\":\"a\",\"template\":\"poem\"}",
        /Line 1 is no run: .*"report".* at \["template"\]\. /
      ],
      ["has a blank prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\" \"}", /Line 2 is no run: .*not blank at \["prompt"\]/],
      [
        "names a file that is missing",
        "{\"prompt\":\"a\"}\n{\"prompt\":\"b\",\"files\":[\"/nowhere/b.md\"]}",
        /Line 2: b\.md could not be read/
      ],
      ["repeats a line", "{\"prompt\":\"a\"}\n\n{\"prompt\":\"a\"}", /Lines 1 and 3 are one piece of work/]
    ] as const
  ) {
    it.live(`creates nothing if the file ${what}`, () =>
      Effect.gen(function*() {
        const env = yield* served
        const { code, stderr } = yield* call(["batch", "-", ...often], { env, stdin: text })
        assert.strictEqual(code, 2)
        assert.match(stderr, told)
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).runs, [])
        assert.deepStrictEqual(yield* succeed(["list"], env), [])
      }).pipe(Effect.provide(server)))
  }

  for (
    const [what, line, wrong] of [
      ["the key of Spine", { prompt: "Cats", key: "cats" }, { SPINE_API_KEY: "" }],
      ["the key of Tela", { canvas, key: "cats" }, { TELA_API_KEY: "" }],
      ["a correct address", { prompt: "Cats", key: "cats" }, { SPINE_BASE_URL: "spine" }]
    ] as const
  ) {
    it.live(`without ${what} knows that nothing was created, so the same command then succeeds`, () =>
      Effect.gen(function*() {
        const env = yield* served
        const batch = ["batch", "-", "--name", "pets", ...often]
        const stdin = JSON.stringify(line)
        const { code } = yield* call(batch, { env: { ...env, ...wrong }, stdin })
        assert.strictEqual(code, "SPINE_BASE_URL" in wrong ? 2 : 4)
        assert.deepStrictEqual(yield* succeed(["list"], env), [])
        const [outcome] = yield* succeed(batch, env, stdin)
        assert.isTrue(outcome?.type === "outcome" && outcome.outcome === "succeeded")
      }).pipe(Effect.provide(server)))
  }

  it.live("keeps the key of a Spine run of unknown outcome, because no look-up could find the run", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.dropAfter.pipe(Fault.on("POST", "/v1/run")))
      const stdin = JSON.stringify({ prompt: "Cats", key: "cats" })
      const batch = ["batch", "-", "--name", "pets", ...often]
      const lost = yield* call(batch, { env, stdin })
      assert.strictEqual(lost.code, 6)
      assert.match(lost.stderr, /canvas-runs reconcile\n$/)
      const { code, stderr } = yield* call(["reconcile", "--settling-time", "1ms"], { env })
      assert.strictEqual(code, 6)
      assert.match(stderr, /Spine cannot list runs[^]*canvas-runs attach pets\/cats/)
      assert.strictEqual((yield* call(batch, { env, stdin })).code, 6)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide(server)))

  it.live("keeps a line that the provider refused, and says how to create it again", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.status(400).pipe(Fault.on("POST", "/v1/run")))
      const stdin = JSON.stringify({ prompt: "Cats", key: "cats" })
      const batch = ["batch", "-", "--name", "pets", ...often]
      assert.strictEqual((yield* call(batch, { env, stdin })).code, 2)
      const { code, stderr } = yield* call(["wait", "pets/cats"], { env })
      assert.strictEqual(code, 2)
      assert.match(stderr, /pets\/cats has no run[^]*canvas-runs forget pets\/cats/)
      const again = yield* call(batch, { env, stdin })
      assert.match(again.stdout, /pets\/cats: refused earlier/)
      assert.match(again.stderr, /free their keys with:\n {2}canvas-runs forget pets\/cats\n/)
      // A job of cron that repeats the batch must not look complete
      assert.strictEqual(again.code, 2)
      assert.match((yield* call(["get", "@last"], { env })).stderr, /@last names no run/)
      yield* succeed(["forget", "pets/cats"], env)
      yield* succeed(batch, env, stdin)
    }).pipe(Effect.provide(server)))

  it.live("--budget counts the runs of earlier commands, and refuses what exceeds it with exit code 5", () =>
    Effect.gen(function*() {
      const env = yield* served
      const run = (prompt: string) =>
        call(["batch", "-", "--name", "pets", "--budget", "50", "--estimate", "20", "--json", ...often], {
          env,
          stdin: JSON.stringify({ prompt })
        })
      // A run of the emulator costs 45 credits
      assert.strictEqual((yield* run("Cats")).code, 0)
      const ended = yield* run("Dogs")
      assert.strictEqual(ended.code, 5)
      assert.isTrue(linesOf(ended).some((line) => line.type === "outcome" && line.error?.tag === "BudgetExceededError"))
      assert.strictEqual((yield* (yield* SpineEmulator.SpineEmulator).runs).length, 1)
    }).pipe(Effect.provide(server)))
})

describe("the store", () => {
  it.live("keeps an unknown outcome, which reconcile resolves by the tag of the execution", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(Fault.dropAfter.pipe(Fault.on("POST", "/v2/chat/completions")))
      const lost = yield* call(["execute", "--canvas", canvas, "--key", "tides", "--json"], { env })
      assert.strictEqual(lost.code, 6)
      const [entry] = yield* succeed(["list", "--state", "Unknown"], env)
      assert.isTrue(entry?.type === "entry" && entry.key === "tides")
      const [found] = yield* succeed(["reconcile"], env)
      assert.isTrue(found?.type === "entry" && found.state === "Created")
      yield* succeed(["wait", "tides", ...often], env)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide(server)))

  it.live("says what to do about an unknown outcome of Spine", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.dropAfter.pipe(Fault.on("POST", "/v1/run")))
      assert.strictEqual((yield* call(["run", "Tides", "--key", "tides"], { env })).code, 6)
      const again = yield* call(["run", "Tides", "--key", "tides"], { env })
      assert.strictEqual(again.code, 6)
      const { code, stderr } = yield* call(["reconcile"], { env })
      assert.strictEqual(code, 6)
      assert.match(stderr, /canvas-runs attach tides[^]*canvas-runs forget tides/)
      const [run] = yield* emulator.runs
      yield* succeed(["attach", "tides", `spine:run:${run!.id}`], env)
      yield* succeed(["wait", "tides", ...often], env)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide(server)))

  for (const form of ["database", "files"] as const) {
    it.live(`on ${form}: only its owner can read it, and it has no prompt and no key of the API`, () =>
      Effect.gen(function*() {
        const env = yield* served
        const store = join(env["XDG_STATE_HOME"]!, "canvas-runs")
        // Older versions of Node make this directory, and newer ones keep it
        if (form === "files") mkdirSync(join(store, "runs"), { recursive: true, mode: 0o700 })
        yield* succeed(["run", "a secret prompt", "--key", "july", ...often], env)
        const files = readdirSync(store, { recursive: true, withFileTypes: true })
        assert.strictEqual(existsSync(join(store, "runs.db")), form === "database")
        for (const file of files) {
          const path = join(file.parentPath, file.name)
          assert.strictEqual(statSync(path).mode & 0o777, file.isDirectory() ? 0o700 : 0o600, path)
          if (file.isFile()) assert.notMatch(readFileSync(path, "latin1"), /a secret prompt|sk_spine_test/)
        }
        const [entry] = yield* succeed(["list"], env)
        assert.isTrue(entry?.type === "entry" && entry.state === "Finished")
        assert.deepStrictEqual(yield* succeed(["purge", "--older-than", "1ms"], env), [
          { type: "summary", counts: { purged: 1 } }
        ])
      }).pipe(Effect.provide(server)))
  }

  it.live("names a run by its key, its id, its ref and @last, and needs the provider of an id that it does not have", () =>
    Effect.gen(function*() {
      const env = yield* served
      const [created] = yield* succeed(["run", "Tides", "--key", "july", "--detach"], env)
      assert.isTrue(created?.type === "created")
      const { ref } = created as { readonly ref: { readonly id: string } }
      for (
        const name of [
          "july",
          ref.id,
          ref.id.toUpperCase(),
          `spine:run:${ref.id}`,
          `spine run ${ref.id}`,
          JSON.stringify(ref),
          "@last"
        ]
      ) {
        const [state] = yield* succeed(["get", name], env)
        assert.isTrue(state?.type === "run" && state.ref.id.toLowerCase() === ref.id, name)
      }
      const elsewhere = {
        ...env,
        ...home(),
        SPINE_BASE_URL: env["SPINE_BASE_URL"]!,
        SPINE_API_KEY: env["SPINE_API_KEY"]!
      }
      assert.strictEqual((yield* call(["get", ref.id], { env: elsewhere })).code, 2)
      yield* succeed(["get", ref.id, "--provider", "spine"], elsewhere)
      assert.strictEqual((yield* call(["get", "@last"], { env: elsewhere })).code, 2)
      for (const key of [" ", "@last", "spine:run:1"]) {
        const { code, stderr } = yield* call(["run", "Tides", "--key", key], { env: elsewhere })
        assert.deepStrictEqual([code, /cannot be a key/.test(stderr)], [2, true])
      }
    }).pipe(Effect.provide(server)))
})

describe("watch", () => {
  it.live("shows two runs, although 20 % of the polls fail", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      for (const key of ["july", "august"]) yield* succeed(["run", key, "--key", key, "--detach"], env)
      // Each fault takes one request
      for (let n = 0; n < 40; n++) {
        yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run/"), Fault.skip(n * 4)))
      }
      const lines = yield* succeed(["watch", "july", "august", ...often], env)
      const ended = lines.filter((line) => line.type === "run" && line.isTerminal)
      assert.deepStrictEqual(
        ended.map((line) => line.type === "run" ? line.key : "").sort(),
        ["august", "july"]
      )
      const entries = yield* succeed(["list"], env)
      assert.deepStrictEqual(
        entries.map((line) => line.type === "entry" && line.state),
        ["Finished", "Finished"]
      )
    }).pipe(Effect.provide(CombinedEmulatorServer.layer({ spine: { speed: 2000 } }))))

  it.live("shows a run once that has two names", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* succeed(["run", "Tides", "--key", "july", "--detach"], env)
      for (const command of ["watch", "wait"]) {
        const lines = yield* succeed([command, "july", "@last", ...often], env)
        assert.strictEqual(
          lines.filter((line) => line.type === "result" || line.type === "run" && line.isTerminal).length,
          1
        )
      }
    }).pipe(Effect.provide(server)))

  it.live("has the exit code of a run that failed, and shows the others", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* succeed(["run", SpineEmulator.failingPrompt, "--key", "bad", "--detach"], env)
      yield* succeed(["run", "Tides", "--key", "good", "--detach"], env)
      const ended = yield* call(["watch", "bad", "good", "--json", ...often], { env })
      assert.strictEqual(ended.code, 1)
      const last = linesOf(ended).filter((line) => line.type === "run" && line.isTerminal)
      assert.deepStrictEqual(
        last.map((line) => line.type === "run" ? `${line.key} ${line.status}` : "").sort(),
        ["bad failed", "good completed"]
      )
    }).pipe(Effect.provide(server)))
})

describe("the command", () => {
  it("has the version of the package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    assert.strictEqual(version, manifest.version)
  })

  it.effect("prints its help and its version as data that was asked for, with --json as a line", () =>
    Effect.gen(function*() {
      const env = home()
      const help = yield* call(["run", "--help"], { env })
      assert.strictEqual(help.code, 0)
      assert.match(help.stdout, /EXAMPLES[^]*canvas-runs run/)
      assert.deepStrictEqual(linesOf(yield* call(["--version", "--json"], { env })), [{ type: "text", text: version }])
      assert.strictEqual((yield* call(["--version", "--json=no"], { env })).stdout, `${version}\n`)
      for (const json of ["--json=true", "--json=on"]) {
        assert.deepStrictEqual(linesOf(yield* call(["--version", json], { env })), [{ type: "text", text: version }])
      }
      const [completions] = linesOf(yield* call(["--completions", "fish", "--json"], { env }))
      assert.isTrue(completions?.type === "text" && completions.text.includes("-l api-key-file"))
      const nothing = yield* call([], { env })
      assert.deepStrictEqual([nothing.code, nothing.stdout], [2, ""])
      assert.match(nothing.stderr, /SUBCOMMANDS/)
    }))

  it.live("uses the JWT of Tela, unless there is an API key", () =>
    Effect.gen(function*() {
      const { TELA_API_KEY, ...env } = yield* served
      const execute = ["execute", "--canvas", canvas, "--detach"]
      yield* succeed(execute, { ...env, TELA_JWT: "jwt" })
      const [request] = yield* (yield* TelaEmulator.TelaEmulator).requests
      assert.strictEqual(request?.headers["authorization"], "Bearer jwt")
      const both = yield* call(execute, { env: { ...env, TELA_JWT: "jwt", TELA_API_KEY: TELA_API_KEY! } })
      assert.strictEqual(both.code, 4)
      assert.match(both.stderr, /Both TELA_API_KEY and TELA_JWT are set/)
    }).pipe(Effect.provide(server)))

  it.live("downloads the files of several runs into a folder for each", () =>
    Effect.gen(function*() {
      const env = yield* served
      const folder = directory()
      for (const key of ["july", "august"]) {
        yield* succeed(["run", "Tides", "--template", "report", "--key", key, "--detach"], env)
      }
      const lines = yield* succeed(["wait", "july", "august", "--download", folder, ...often], env)
      const paths = lines.flatMap((line) => line.type === "file" ? line.path : [])
      assert.strictEqual(new Set(paths).size, paths.length)
      assert.isTrue(paths.every((path) => existsSync(path)))
      assert.deepStrictEqual(readdirSync(folder).sort(), ["august", "july"])
    }).pipe(Effect.provide(server)))

  it.live("prefers a flag to the environment, and reads the API key from a file", () =>
    Effect.gen(function*() {
      const env = yield* served
      const file = join(directory(), "key")
      writeFileSync(file, "sk_spine_file\n")
      const other = { ...env, SPINE_BASE_URL: "http://127.0.0.1:9", SPINE_API_KEY: "wrong" }
      yield* succeed(
        ["run", "Tides", "--detach", "--base-url", env["SPINE_BASE_URL"]!, "--api-key-file", file],
        other
      )
      const [run] = yield* (yield* SpineEmulator.SpineEmulator).requests
      assert.strictEqual(run?.headers["x-api-key"], "sk_spine_file")
    }).pipe(Effect.provide(server)))
})
