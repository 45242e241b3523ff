/** Each failing situation has its exit code, valid JSON on standard output, advice on standard error, and no secret anywhere. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, PlatformError, Sink, Stdio, Stream } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Fault, SpineEmulator, TelaEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { exitCodes } from "../../src/cli/exitCode.ts"
import { main } from "../../src/cli/main.ts"
import type * as Stop from "../../src/cli/stop.ts"
import { until } from "../support/until.ts"
import { canvases, long, type Place, script, secrets, type Situation, situations } from "./situations.ts"
import { validate } from "./validate.ts"

const root = mkdtempSync(join(tmpdir(), "canvas-runs-failures-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Options {
  readonly env: Readonly<Record<string, string>>
  readonly stdin?: string | undefined
  readonly output?: Situation["output"]
  readonly stopAt?: Situation["stopAt"]
  /** How it is stopped. */
  readonly stop?: Stop.Reason | undefined
}

const outputError = (code: string) =>
  PlatformError.systemError({
    module: "Stdio",
    method: "stdout",
    _tag: "Unknown",
    cause: Object.assign(new Error(`write ${code}`), { code })
  })

/** Runs the command in this process. */
const call = (args: ReadonlyArray<string>, { env, output, stdin = "", stop, stopAt }: Options) =>
  Effect.gen(function*() {
    const text = { stdout: "", stderr: "" }
    const stopped = yield* Deferred.make<Stop.Reason>()
    const end = Deferred.succeed(stopped, stop!)
    const sink = (name: "stdout" | "stderr") => () =>
      Sink.forEach((chunk: string | Uint8Array) =>
        name === "stdout" && output !== undefined ? Effect.fail(outputError(output)) : Effect.suspend(() => {
          text[name] += String(chunk)
          return stopAt instanceof RegExp && stopAt.test(text.stdout + text.stderr) ? Effect.asVoid(end) : Effect.void
        })
      )
    if (stopAt === "request") yield* Effect.forkScoped(Effect.andThen(requested, end))
    const outcome = yield* main(args, Deferred.await(stopped)).pipe(
      Effect.provide([
        Stdio.layerTest({
          args: Effect.succeed(args),
          stdout: sink("stdout"),
          stderr: sink("stderr"),
          stdin: Stream.encodeText(Stream.make(stdin))
        }),
        ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...env } }))
      ]),
      Effect.provide(NodeServices.layer)
    )
    return { outcome, ...text }
  }).pipe(Effect.scoped)

/** Waits until a server has a create to answer. */
const requested = Effect.gen(function*() {
  const spine = yield* SpineEmulator.SpineEmulator
  const tela = yield* TelaEmulator.TelaEmulator
  const requests = Effect.map(Effect.all([spine.requests, tela.requests]), (requests) => requests.flat())
  yield* until(Effect.map(requests, (requests) => requests.some(({ method }) => method === "POST")))
})

const fault = (...faults: ReadonlyArray<Fault.Fault>) =>
  Effect.gen(function*() {
    for (const emulator of [yield* SpineEmulator.SpineEmulator, yield* TelaEmulator.TelaEmulator]) {
      yield* emulator.clearFaults
      yield* emulator.fault(...faults)
    }
  })

/** Calls the command in a situation. */
const play = (situation: Situation, more: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const directory = mkdtempSync(join(root, "situation-"))
    const place: Place = {
      directory,
      file: (name, content) => {
        writeFileSync(join(directory, name), content)
        return join(directory, name)
      }
    }
    const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
    const state = join(directory, "state-of-runs")
    mkdirSync(state)
    const { args, attempted = [], before = [], env = {}, faults = [], faultsBefore = [] } = situation
    const standard = {
      HOME: directory,
      XDG_STATE_HOME: state,
      SPINE_API_KEY: secrets[0]!,
      SPINE_BASE_URL: baseUrl,
      TELA_API_KEY: secrets[1]!,
      TELA_BASE_URL: baseUrl
    }
    for (const args of before) {
      const { outcome, stderr } = yield* call(args, { env: standard })
      assert.strictEqual(outcome, "success", stderr)
    }
    yield* fault(...faultsBefore)
    for (const args of attempted) yield* call(args, { env: standard })
    yield* fault(...faults)
    const ended = yield* call([situation.command, ...(typeof args === "function" ? args(place) : args), ...more], {
      env: { ...standard, ...(typeof env === "function" ? env(place) : env) },
      stdin: situation.stdin,
      output: situation.output,
      stopAt: situation.stopAt,
      stop: situation.outcome as Stop.Reason
    })
    const requests = yield* (yield* SpineEmulator.SpineEmulator).requests
    return { ...ended, polls: requests.filter(({ method }) => method === "GET") }
  }).pipe(
    Effect.provide(CombinedEmulatorServer.layer({ spine: { speed: 1000, script }, tela: { speed: 1000, canvases } }))
  )

/** The check of a line of output, from the schema that the command prints. */
const schema = Effect.runSync(
  Effect.cached(
    call(["schema"], { env: {} }).pipe(
      Effect.map(({ stdout }) => validate(stdout)),
      Effect.provide([SpineEmulator.layer(), TelaEmulator.layer()])
    )
  )
)

const isLeaked = (text: string) => secrets.find((secret) => text.includes(secret))

describe.concurrent("a failing situation", () => {
  for (const situation of situations) {
    it.live(`${situation.command}: ${situation.name}`, () =>
      Effect.gen(function*() {
        const { outcome, stderr, stdout } = yield* play(situation, ["--json"])
        assert.strictEqual(outcome, situation.outcome, `${stderr}\n${stdout}`)
        assert.match(stderr, situation.told)
        assert.isUndefined(isLeaked(stderr + stdout), "a secret")
        assert.notMatch(stderr + stdout, /^ +at .*:\d+:\d+\)?$|\[object |undefined/m)

        assert.isTrue(stdout === "" || stdout.endsWith("\n"), "a line is cut")
        const lines = stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line))
        const check = yield* schema
        for (const line of lines) assert.isUndefined(check(line), JSON.stringify(line))
        const codes = lines.flatMap((line) => line.type === "error" ? [line.exitCode] : [])
        if (situation.output === undefined && situation.several === undefined) {
          assert.deepStrictEqual(codes, [exitCodes[outcome].code])
        }
      }))
  }
})

it.live("watch: survives 20 % failing polls", () =>
  Effect.gen(function*() {
    const failures = Array.from(
      { length: 200 },
      (_, n) => Fault.status(503).pipe(Fault.on("GET", "/v1/run/"), Fault.skip(5 * n + 4))
    )
    const situation: Situation = {
      command: "watch",
      name: "20 % failing polls",
      outcome: "success",
      args: ["july", "--poll-interval", "10ms"],
      before: [["run", long, "--key", "july", "--detach"]],
      faults: failures,
      told: /completed/
    }
    const { outcome, polls, stderr } = yield* play(situation, [])
    assert.strictEqual(outcome, "success", stderr)
    const failed = polls.filter(({ status }) => status === 503)
    assert.isAtLeast(failed.length, Math.max(1, Math.floor(polls.length / 6)))
    assert.match(stderr, situation.told)
  }), { concurrent: true })

describe("the situations", () => {
  const counts = (of: (situation: Situation) => string) =>
    situations.reduce((counts, situation) => counts.set(of(situation), (counts.get(of(situation)) ?? 0) + 1), new Map())

  it("are at least 60, with at least four for each command and for each exit code", () => {
    assert.isAtLeast(situations.length, 60)
    for (const [command, count] of counts(({ command }) => command)) assert.isAtLeast(count, 4, command)
    const byOutcome = counts(({ outcome }) => outcome)
    // A fault of the command itself has no situation, because each would be mended
    for (const outcome of Object.keys(exitCodes).filter((outcome) => outcome !== "success" && outcome !== "internal")) {
      assert.isAtLeast(byOutcome.get(outcome) ?? 0, 4, outcome)
    }
  })
})
