import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { beforeAll } from "vitest"
import { bundle, bundleTimeout, call, home, linesOf, served, start } from "./support.ts"

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
})
