import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { Fault, SpineEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { beforeAll } from "vitest"
import { bundle, bundleTimeout, call, directory, home, linesOf, served, start } from "./support.ts"

const server = CombinedEmulatorServer.layer({ spine: { speed: 1000 }, tela: { speed: 1000 } })

describe("canvas-runs in this process", () => {
  it.live("run: creates a run, waits for it, and prints its output", () =>
    Effect.gen(function*() {
      const env = yield* served
      const { code, stderr, stdout } = yield* call(["run", "Compare databases", "--poll-interval", "10ms"], { env })
      assert.strictEqual(code, 0, stderr)
      assert.include(stdout, "# Compare databases")
      assert.match(stderr, /^Created spine:run:/)
      const lines = linesOf(yield* call(["get", "@last", "--json"], { env }))
      assert.strictEqual(lines[0]?.type === "run" && lines[0].status, "completed")
    }).pipe(Effect.provide(server)))

  it.live("run: a second call with the key creates no other run", () =>
    Effect.gen(function*() {
      const env = yield* served
      const args = ["run", "-", "--key", "july", "--json", "--poll-interval", "10ms"]
      const [created, result] = linesOf(yield* call(args, { env, stdin: "Tides" }))
      const again = linesOf(yield* call(args, { env, stdin: "Tides" }))
      assert.isTrue(created?.type === "created" && created.key === "july")
      assert.isTrue(result?.type === "result" && result.key === "july")
      assert.deepStrictEqual<unknown>(again, [created, result])
    }).pipe(Effect.provide(server)))

  it.live("run: of two calls at the same time with a new key, one creates the run and the other says that it exists", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.answerLate("500 millis").pipe(Fault.on("POST", "/v1/run")))
      const run = call(["run", "Tides", "--key", "july", "--detach"], { env })
      const ended = yield* Effect.all([run, run], { concurrency: 2 })
      assert.deepStrictEqual(ended.map(({ code }) => code), [0, 0])
      const [said, ref] = [ended.map(({ stderr }) => stderr).toSorted(), ended[0]!.stdout.trim()]
      assert.deepStrictEqual(said, [`Created ${ref} (key july)\n`, `The key july has a run already: ${ref}\n`])
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide(server)))

  it.effect("a usage error has exit code 2, and its text is on standard error", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* call(["run", "Tides", "--tempalte", "report"], { env: home() })
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.match(stderr, /Unrecognized flag: --tempalte[^]*canvas-runs run --help/)
    }))
})

describe("canvas-runs as a process", () => {
  let file = ""
  beforeAll(async () => {
    file = await bundle()
  }, bundleTimeout)

  it.live("Ctrl-C stops the wait, prints the line that resumes it, and exits with 130", () =>
    Effect.gen(function*() {
      const env = yield* served
      const running = start(file, ["run", "Tides"], { env })
      const [, ref] = /Created (\S+)/.exec(yield* Effect.promise(() => running.told(/: running/)))!
      running.child.kill("SIGINT")
      const { code, stderr, stdout } = yield* Effect.promise(() => running.ended)
      assert.strictEqual(code, 130)
      assert.strictEqual(stdout, "")
      assert.include(stderr, `canvas-runs wait ${ref}`)
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))

  it.live("a SIGKILL loses no run: the next command waits for it", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      const running = start(file, ["run", "Tides", "--key", "july"], { env })
      yield* Effect.promise(() => running.told(/: running/))
      running.child.kill("SIGKILL")
      yield* Effect.promise(() => running.ended)
      const [entry] = linesOf(yield* call(["list", "--json"], { env }))
      assert.isTrue(entry?.type === "entry" && entry.state === "Created" && entry.key === "july")
      yield* emulator.advance("1 hour")
      const { code } = yield* call(["wait", "@last", "--json"], { env })
      assert.strictEqual(code, 0)
      assert.strictEqual((yield* emulator.runs).length, 1)
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))

  it.live("a signal during a create waits for its response, so that the run is in the store", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.answerLate("500 millis").pipe(Fault.on("POST", "/v1/run")))
      const running = start(file, ["run", "Tides", "--key", "july", "--json"], { env })
      yield* received
      running.child.kill("SIGTERM")
      const ended = yield* Effect.promise(() => running.ended)
      assert.strictEqual(ended.code, 143)
      assert.strictEqual(linesOf(ended).at(-1)?.type, "error")
      const [entry] = linesOf(yield* call(["list", "--json"], { env }))
      assert.isTrue(entry?.type === "entry" && entry.state === "Created")
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))

  it.live("a second signal ends it at once, and the outcome of the create is unknown", () =>
    Effect.gen(function*() {
      const env = yield* served
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.hang.pipe(Fault.on("POST", "/v1/run")))
      const running = start(file, ["run", "Tides", "--key", "july"], { env })
      yield* received
      running.child.kill("SIGINT")
      yield* Effect.promise(() => running.told(/Waiting for the response/))
      running.child.kill("SIGINT")
      assert.strictEqual((yield* Effect.promise(() => running.ended)).code, 130)
      const { code, stderr } = yield* call(["wait", "july"], { env })
      assert.strictEqual(code, 6)
      assert.include(stderr, "canvas-runs reconcile july")
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))

  it("is one file that needs no package", async () => {
    const alone = join(directory(), "alone.cjs")
    cpSync(file, alone)
    const env = home()
    const ended = await start(alone, ["run", "Tides", "--emulator", "--poll-interval", "100ms"], {
      env,
      cwd: directory()
    }).ended
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.match(ended.stdout, /^# Tides/)
  })
})

/** Waits until the server has received the create of a run. */
const received = SpineEmulator.SpineEmulator.use(({ requests }) =>
  Effect.repeat(requests, {
    until: (all) => all.some(({ method }) => method === "POST"),
    schedule: Schedule.spaced("20 millis")
  })
)
