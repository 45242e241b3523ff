/** What only a separate process can show: signals, closed and full streams, a missing home, limits of the system, and a terminal. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { closeSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll } from "vitest"
import { Fault, SpineEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as Emulation from "../support/terminal.ts"
import { bundle, bundleTimeout, type Ended, type Environment, home, linesOf, served, start } from "./support.ts"

let file = ""
beforeAll(async () => {
  file = await bundle()
}, bundleTimeout)

/** Its runs take about two seconds. */
const server = CombinedEmulatorServer.layer({ spine: { speed: 400 } })
const slowServer = CombinedEmulatorServer.layer()

/** Runs a script of the shell, in which "$@" is the command. */
const shell = (script: string, args: ReadonlyArray<string>, env: Environment, stdout: number | "pipe" = "pipe") =>
  Effect.promise(() =>
    new Promise<Ended>((resolve) => {
      const child = spawn("sh", ["-c", script, "sh", process.execPath, file, ...args], {
        env,
        stdio: ["ignore", stdout, "pipe"]
      })
      const text = { stdout: "", stderr: "" }
      child.stdout?.setEncoding("utf8").on("data", (chunk: string) => text.stdout += chunk)
      child.stderr!.setEncoding("utf8").on("data", (chunk: string) => text.stderr += chunk)
      child.once("close", (code) => resolve({ code, ...text }))
    })
  )

const linux = process.platform === "linux"

describe.concurrent("a process", () => {
  it.live("exits with 141 if the reader of standard output is gone", () =>
    Effect.promise(async () => {
      const running = start(file, ["schema"], { env: home() })
      // Before the process writes
      running.child.stdout!.destroy()
      const { code, stderr } = await running.ended
      assert.strictEqual(code, 141)
      assert.strictEqual(stderr, "")
    }))

  it.live.skipIf(!linux)("exits with 8 if the disk behind standard output is full", () =>
    Effect.gen(function*() {
      const full = openSync("/dev/full", "w")
      const { code, stderr } = yield* shell("exec \"$@\"", ["schema", "--json"], home(), full)
      closeSync(full)
      assert.strictEqual(code, 8)
      assert.match(stderr, /Standard output cannot be written: ENOSPC/)
    }))

  it.live("says that the prompt is blank if standard input is closed", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* shell("exec \"$@\" <&-", ["run", "-", "--json"], home())
      assert.strictEqual(code, 2)
      assert.match(stderr, /The prompt is blank|Standard input cannot be read/)
      assert.strictEqual(linesOf({ stdout }).at(-1)?.type, "error")
    }))

  it.live("keeps its exit code if standard error is closed", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* shell("exec \"$@\" 2>&-", ["get", "june", "--json"], home())
      assert.strictEqual(code, 2)
      assert.strictEqual(linesOf({ stdout }).at(-1)?.type, "error")
    }))

  it.live("says how to choose a store where there is no home", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* shell("exec \"$@\"", ["list"], { ...home(), HOME: "", XDG_STATE_HOME: "" })
      assert.strictEqual(code, 8)
      assert.match(stderr, /The store has no place[^]*--store DIRECTORY/)
    }))

  it.live.skipIf(!linux)("says how to choose a store where nothing can be written", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* shell("exec \"$@\"", ["list", "--store", "/proc/canvas-runs"], home())
      assert.strictEqual(code, 8)
      assert.match(stderr, /cannot be opened[^]*--store DIRECTORY/)
    }))

  it.live.skipIf(!linux)("does not create a run that the store has no room for", () =>
    Effect.gen(function*() {
      const env = yield* served
      const { code, stderr } = yield* shell("ulimit -f 0; exec \"$@\"", ["run", "Tides"], env)
      assert.strictEqual(code, 8)
      assert.match(stderr, /store/)
      assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
    }).pipe(Effect.provide(server)))

  for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    it.live(`stops waiting at ${signal}, and says how to wait again`, () =>
      Effect.gen(function*() {
        const env = yield* served
        const running = start(file, ["run", "Tides", "--json"], { env })
        yield* Effect.promise(() => running.told(/: running/))
        running.child.kill(signal)
        const ended = yield* Effect.promise(() => running.ended)
        assert.strictEqual(ended.code, code)
        assert.match(ended.stderr, /canvas-runs wait spine:run:/)
        assert.deepStrictEqual(linesOf(ended).map(({ type }) => type).filter((type) => type !== "run"), [
          "created",
          "resume",
          "error"
        ])
      }).pipe(Effect.provide(slowServer)))
  }
})

describe.skipIf(!linux)("on a terminal", { concurrent: true }, () => {
  /** Starts the command on a pseudo-terminal. The first line of its output is the path of that. */
  const startOnTerminal = (columns: number, rows: number, args: ReadonlyArray<string>, env: Environment) => {
    const command = [process.execPath, file, ...args].map((arg) => `'${arg}'`).join(" ")
    const setUp = `tty; stty cols ${columns} rows ${rows}; exec ${command}`
    return spawn("script", ["--quiet", "--flush", "--return", "--command", setUp, "/dev/null"], {
      env: { TERM: "xterm-256color", ...env },
      stdio: ["pipe", "pipe", "inherit"]
    })
  }

  /** Runs the command on a pseudo-terminal, and shows what its user sees. */
  const onTerminal = (columns: number, rows: number, args: ReadonlyArray<string>, env: Environment) =>
    Effect.gen(function*() {
      const child = startOnTerminal(columns, rows, args, env)
      const { code, stdout } = yield* Effect.promise(() =>
        new Promise<Ended>((resolve, reject) => {
          let stdout = ""
          child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
          child.once("error", reject)
          child.once("close", (code) => resolve({ code, stdout, stderr: "" }))
        })
      )
      const emulation = yield* Emulation.make({ columns, rows })
      yield* emulation.terminal.display(stdout)
      return { code, stdout, rows: (yield* emulation.rows).slice(1) }
    })

  it.live("watch --graph: draws the progress and the blocks in place", () =>
    Effect.gen(function*() {
      const env = yield* served
      const { rows, stdout } = yield* onTerminal(
        100,
        30,
        ["run", "Tides", "--key", "july", "--poll-interval", "20ms"],
        env
      )
      assert.isAbove(stdout.indexOf("\u001b[?25h"), stdout.indexOf("\u001b[?25l"))
      assert.match(
        rows.join("\n"),
        /^Created spine:run:\S+ \(key july\)\njuly  █{24}  completed +\d+\/\d+ tasks .* s\n# Tides\n/
      )

      const watched = yield* onTerminal(100, 30, ["watch", "july", "--graph"], env)
      assert.strictEqual(watched.code, 0)
      // The state as data, the progress, and the blocks
      assert.match(
        watched.rows.join("\n"),
        /^july: completed\njuly  █{24}  completed .* s\n✓ Prompt 1 [^]*\n✓ Document 5 /
      )
    }).pipe(Effect.provide(server)))

  it.live("graph: fits the width of the terminal", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* onTerminal(100, 30, ["run", "Tides", "--key", "july", "--poll-interval", "20ms"], env)
      for (const columns of [40, 60]) {
        const { code, rows } = yield* onTerminal(columns, 30, ["graph", "july"], env)
        assert.strictEqual(code, 0)
        // A row that is too long would continue in the next one
        assert.isTrue(rows.every((row) => row === "" || row.startsWith("✓ ")), rows.join("\n"))
        assert.isAbove(Math.max(...rows.map((row) => row.length)), columns - 5)
      }
    }).pipe(Effect.provide(server)))

  it.live("list: shows no control characters of a key, which an agent may have chosen", () =>
    Effect.gen(function*() {
      const env = home()
      const { code, stdout } = yield* onTerminal(100, 30, ["attach", "ju\u001b[2Jly", "spine:run:1"], env)
      assert.strictEqual(code, 0)
      assert.match(stdout, /ju\ufffd\[2Jly/)
      assert.match((yield* onTerminal(100, 30, ["list"], env)).stdout, /ju\ufffd\[2Jly/)
    }))

  it.live("batch: shows the runs in flight, and leaves only the outcomes", () =>
    Effect.gen(function*() {
      const env = yield* served
      const prompts = join(env["HOME"]!, "tides.jsonl")
      writeFileSync(prompts, ["ebb", "flood"].map((key) => `{"key":"${key}","prompt":"Tides"}\n`).join(""))
      const { code, rows, stdout } = yield* onTerminal(80, 20, ["batch", prompts, "--poll-interval", "20ms"], env)
      assert.strictEqual(code, 0)
      assert.match(stdout, /tides\/ebb[^]*█/)
      assert.deepStrictEqual(rows.map((row) => row.replace(/ spine:\S+/, "")).toSorted(), [
        "2 succeeded, 0 failed, 0 ended earlier",
        "tides/ebb: succeeded",
        "tides/flood: succeeded"
      ])
    }).pipe(Effect.provide(server)))

  it.live("shows that the provider does not answer", () =>
    Effect.gen(function*() {
      const env = yield* served
      yield* Effect.promise(() => start(file, ["run", "Tides", "--key", "july", "--detach"], { env }).ended)
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(...Array.from({ length: 200 }, () => Fault.status(503).pipe(Fault.on("GET", "/v1/run/"))))
      const child = startOnTerminal(80, 20, ["watch", "july", "--poll-interval", "20ms"], env)
      const stdout = yield* Effect.promise(() =>
        new Promise<string>((resolve, reject) => {
          let stdout = ""
          let isStopped = false
          child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
            stdout += chunk
            if (isStopped || !/july\S* .*no answer/.test(stdout)) return
            // A second Ctrl-C would end the process at once
            isStopped = true
            child.stdin!.write("\u0003")
          })
          child.once("error", reject)
          child.once("close", () => resolve(stdout))
        })
      )
      assert.match(stdout, /Spine answers with status 503; trying again\.[^]*july\S* .*no answer/)
    }).pipe(Effect.provide(slowServer)))

  it.live("follows the size of the window, without ghost lines", () =>
    Effect.gen(function*() {
      const env = yield* served
      for (const key of ["july", "august"]) {
        yield* Effect.promise(() => start(file, ["run", "Tides", "--key", key, "--detach"], { env }).ended)
      }
      const child = startOnTerminal(120, 30, ["watch", "july", "august", "--poll-interval", "20ms"], env)
      const emulation = yield* Emulation.make({ columns: 120, rows: 30 })
      const columns = yield* Effect.promise(() =>
        new Promise<ReadonlyArray<number>>((resolve, reject) => {
          const sizes = [40, 120, 10, 80]
          // What a row has at the size. A busy process still draws frames of the size before
          const drawn = new Map([[120, "running {6,}\\d"], [40, "running {2}\\d"], [10, "run…"], [
            80,
            "running {2,}\\d"
          ]])
          const applied: Array<number> = []
          let text = ""
          let seen = 0
          let isStopped = false
          child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk
            Effect.runSync(emulation.terminal.display(chunk))
            const row = drawn.get(applied.at(-1) ?? 120)!
            if (isStopped || !new RegExp(`${row}[^]*${row}`).test(text.slice(seen))) return
            const next = sizes[applied.length]
            if (next === undefined) {
              // A second Ctrl-C would end the process at once
              isStopped = true
              child.stdin!.write("\u0003")
              return
            }
            seen = text.length
            applied.push(next)
            const [terminal] = /\/dev\/\S+/.exec(text)!
            spawnSync("stty", ["-F", terminal, "cols", String(next)])
            void Effect.runPromise(emulation.resize(next, 30))
          })
          child.once("error", reject)
          child.once("close", () => resolve(applied))
        })
      )
      assert.deepStrictEqual(columns, [40, 120, 10, 80])
      const rows = yield* emulation.rows
      // The progress, and the path of the terminal above it
      const end = rows.findIndex((row) => row.startsWith("Stopped waiting"))
      assert.deepStrictEqual(
        rows.slice(1, end).map((row) => row.split(" ")[0]),
        ["july", "august", ""],
        rows.join("\n")
      )
    }).pipe(Effect.provide(slowServer)))
})
