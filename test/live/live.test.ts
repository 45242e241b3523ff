import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as Check from "./check.ts"
import { redact } from "./redact.ts"

const spineKey = "sk_spine_planted_live_secret"
const telaKey = "tela_planted_live_secret"

const server = CombinedEmulatorServer.layer({
  port: 0,
  spine: { script: { timeline: Timeline.make({ duration: 0 }) } },
  tela: { script: { timeline: Timeline.make({ duration: 0 }), output: { total: 42 } } }
})

const accounts = Effect.map(CombinedEmulatorServer.CombinedEmulatorServer, ({ baseUrl }) => ({
  spine: { baseUrl, apiKey: Redacted.make(spineKey) },
  tela: {
    baseUrl,
    apiKey: Redacted.make(telaKey),
    canvasId: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
    variables: { topic: "planted topic" },
    applicationId: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55"
  }
}))

const held = (report: Check.Report) =>
  Object.fromEntries(
    report.verdicts.map(({ assumption, verdict }) => [`${assumption.provider} ${assumption.mark}`, verdict.held])
  )

describe("the check of a service", () => {
  it.live("every checked assumption holds on the emulator, and the report shows no secret and no contents", () =>
    Effect.gen(function*() {
      const report = yield* Check.check({ ...(yield* accounts), limitCredits: 1000 })
      assert.deepStrictEqual(report.failures, [])
      assert.deepStrictEqual(report.skipped, [])
      const differing = report.verdicts.filter(({ verdict }) => verdict.held === false)
      assert.deepStrictEqual(differing.map(({ assumption, verdict }) => [assumption.mark, verdict.saw]), [])
      const seen = Object.values(held(report)).filter((verdict) => verdict !== undefined)
      assert.isAtLeast(seen.length, 25)
      const printed = Check.format(report) + JSON.stringify([...Check.fixtures(report.exchanges)])
      assert.notMatch(printed, /planted|tide/)
    }).pipe(Effect.provide(server)))

  it.live("an assumption that does not hold is reported with the observation", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.status(403).pipe(Fault.on("GET", "/v1/canvas/")))
      const { spine } = yield* accounts
      const report = yield* Check.check({ spine, limitCredits: 1 })
      assert.isFalse(held(report)["spine R8"])
      assert.include(Check.format(report), "DIFFERS   spine R8: an unknown canvas is 404 (403)")
    }).pipe(Effect.provide(server)))

  it.live("a limit below the cost of a step skips the step, and starts no run", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      const report = yield* Check.check({ ...(yield* accounts), limitCredits: 4 })
      assert.strictEqual(report.spent, 0)
      assert.isAtLeast(report.skipped.length, 7)
      assert.isUndefined(held(report)["spine R1"])
      assert.strictEqual((yield* emulator.runs).length, 0)
    }).pipe(Effect.provide(server)))
})

describe("redaction", () => {
  it("the redaction keeps the form of every value and none of the contents", () => {
    assert.deepStrictEqual(
      redact({
        id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
        status: "completed",
        text: "Dear Ms Rivers",
        link: "https://files.example/a?sig=secret",
        poll_url: "/v1/run/6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
        count: 37,
        share: 0.37,
        none: null,
        items: ["a", "b", 3],
        variables: { "Ms Rivers": "x" }
      }),
      {
        id: "00000000-0000-4000-8000-000000000000",
        status: "completed",
        text: "text",
        link: "https://example.com/redacted",
        poll_url: "/v1/run/{id}",
        count: 1,
        share: 1.5,
        none: null,
        items: ["text", 1],
        variables: { member1: "text" }
      }
    )
  })
})
