import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as SpineEmulator from "../../../../src/testing/SpineEmulator.ts"
import * as Timeline from "../../../../src/testing/Timeline.ts"
import * as spine from "../../spine.ts"

const { emulated, finished, part, raw, refusal, succeeded } = spine
const control = SpineEmulator.SpineEmulator

describe("GET /v1/run/{run_id}", () => {
  it.effect("R9: accepts ids of any UUID version in any case, and rejects everything else", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      assert.strictEqual((yield* spine.run(run_id.toUpperCase())).run_id, run_id)
      for (const id of ["task-abc", `${run_id}0`, run_id.replaceAll("-", ""), "%00"]) {
        assert.deepStrictEqual(
          yield* raw(spine.get(`/v1/run/${id}`)),
          refusal(400, "Invalid run_id: must be a valid UUID")
        )
      }
    }).pipe(emulated()))

  it.effect("answers 404 for a run of another account, and for its canvas", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      const [run] = yield* (yield* control).runs
      const stranger = "sk_spine_stranger"
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/run/${run_id}`, stranger)),
        refusal(404, `Run not found: ${run_id}`)
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/dag`, stranger)),
        refusal(404, `Canvas not found: ${run!.canvasId}`)
      )
      assert.strictEqual((yield* spine.get(`/v1/canvas/${run!.canvasId}/tasks`, stranger)).status, 404)
    }).pipe(emulated()))

  it.effect("S1: omits the canvas_id on the first poll and shows it from then on", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      const first = yield* spine.get(`/v1/run/${run_id}`)
      assert.deepStrictEqual(yield* first.json, {
        success: true,
        data: { run_id, status: "running", progress: { tasks_completed: 0, tasks_total: 5, elapsed_ms: 0 } }
      })
      const [run] = yield* (yield* control).runs
      assert.strictEqual((yield* spine.run(run_id)).canvas_id, run?.canvasId)
    }).pipe(emulated()))

  it.effect("S1: can show the canvas_id from the first poll, after the third, or never", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const seen = Effect.fnUntraced(function*(canvasIdAfter: number | "never") {
        yield* emulator.script({ canvasIdAfter })
        const { run_id } = yield* spine.created()
        const runs = yield* Effect.forEach([0, 1, 2, 3], () => spine.run(run_id))
        return runs.map((run) => run.canvas_id !== undefined)
      })
      assert.deepStrictEqual(yield* seen(0), [true, true, true, true])
      assert.deepStrictEqual(yield* seen(3), [false, false, false, true])
      assert.deepStrictEqual(yield* seen("never"), [false, false, false, false])
    }).pipe(emulated()))

  it.effect("follows the clock of the program", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      yield* TestClock.adjust("6 minutes")
      const run = yield* spine.run(run_id)
      assert.deepStrictEqual(run.status === "running" && run.progress, {
        tasks_completed: 2,
        tasks_total: 5,
        elapsed_ms: 360_000
      })
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* spine.run(run_id)).status, "completed")
    }).pipe(emulated()))

  it.effect("runs faster with speed, and advances with advance, with the same reports", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const { run_id } = yield* spine.created()
      yield* TestClock.adjust("30 seconds")
      yield* emulator.advance("6 seconds")
      const run = yield* spine.run(run_id)
      assert.strictEqual(run.status === "running" && run.progress.elapsed_ms, 360_000)
      yield* TestClock.adjust("36 seconds")
      const done = yield* spine.run(run_id)
      assert.strictEqual(done.status === "completed" && done.duration_ms, 720_000)
    }).pipe(emulated({ speed: 10 })))

  it.effect("S3, S7: shows a completed run with its result and no other fields", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      assert.hasAllKeys(run, ["run_id", "status", "canvas_id", "duration_ms", "result", "metadata", "raw"])
      assert.include(run.result.final_output, "Compare three vector databases")
      assert.deepStrictEqual(run.metadata, {
        template_used: "auto",
        models_used: ["anthropic/claude-sonnet-4-6"],
        credits_consumed: 45
      })
    }).pipe(emulated()))

  it.effect("S2: shows a partial run like a completed one, with its errors", () =>
    Effect.gen(function*() {
      const timeline = Timeline.make({ duration: 0, outcome: "partial" })
      const run = yield* finished({ timeline }, part("template", "report"))
      if (run.status !== "partial") return assert.fail(run.status)
      assert.hasAllKeys(run, ["run_id", "status", "canvas_id", "duration_ms", "result", "metadata", "errors", "raw"])
      assert.deepStrictEqual(run.errors, [{ error: "text-block failed" }])
      assert.deepStrictEqual(run.result.artifacts.map((artifact) => artifact.type), ["docx"])
      const nodes = (yield* spine.dag(run.canvas_id!)).nodes
      assert.deepStrictEqual(nodes.filter((node) => node.status === "error").map((node) => node.type), ["text-block"])
    }).pipe(emulated()))

  it.effect("S2: shows a failed run with its errors and its canvas, and still answers 200", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed" }) })
      const { run_id } = yield* spine.created()
      const response = yield* spine.get(`/v1/run/${run_id}`)
      const [run] = yield* emulator.runs
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* response.json, {
        success: true,
        data: { run_id, status: "failed", canvas_id: run!.canvasId, errors: [{ error: "Agent execution failed" }] }
      })
    }).pipe(emulated()))

  it.effect("shows the script's output, price, models, errors, and unknown statuses", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const done = yield* succeeded({ finalOutput: "42", credits: 7, models: ["a/b"], artifacts: [] })
      assert.deepStrictEqual([done.result.final_output, done.metadata.credits_consumed], ["42", 7])
      assert.deepStrictEqual([done.metadata.models_used, done.result.artifacts], [["a/b"], []])
      const failed = yield* finished({
        timeline: Timeline.make({ duration: 0, outcome: "failed", errors: ["x", "y"] })
      })
      assert.deepStrictEqual(failed.status === "failed" && failed.errors, [{ error: "x" }, { error: "y" }])
      yield* emulator.script({
        timeline: Timeline.make({
          duration: "1 minute",
          statuses: [{ from: 0, to: "10 seconds", status: "queued" }, { from: "2 minutes", status: "running" }]
        })
      })
      const { run_id } = yield* spine.created()
      const queued = yield* spine.run(run_id)
      assert.strictEqual(queued.status === "unknown" && queued.provider_status, "queued")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* spine.run(run_id)).status, "completed")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* spine.run(run_id)).status, "running")
    }).pipe(emulated()))

  it.effect("is scripted by its request, on top of the script in the options", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script((request) =>
        request.prompt.includes("fail") ? { timeline: Timeline.make({ duration: 0, outcome: "failed" }) } : {}
      )
      const good = yield* spine.created()
      const bad = yield* spine.created(part("agent_instructions", "x"))
      assert.strictEqual(bad.estimated_duration_ms, 1000)
      assert.strictEqual((yield* spine.run(good.run_id)).status, "completed")
      const response = yield* spine.create([part("prompt", "please fail")])
      const { data } = (yield* response.json) as { data: { run_id: string } }
      assert.strictEqual((yield* spine.run(data.run_id)).status, "failed")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: 0 }), estimatedDuration: "1 second" } })))
})
