import { assert, describe, it } from "@effect/vitest"
import * as Timeline from "../../src/testing/Timeline.ts"

describe("Timeline", () => {
  it("runs for twelve minutes in five tasks and completes, by default", () => {
    const timeline = Timeline.make()
    assert.deepStrictEqual(Timeline.at(timeline, 0), {
      phase: "running",
      status: undefined,
      progress: { completed: 0, total: 5 },
      elapsedMillis: 0,
      endedAtMillis: undefined
    })
    assert.deepStrictEqual(Timeline.at(timeline, 720_000), {
      phase: "completed",
      status: undefined,
      progress: { completed: 5, total: 5 },
      elapsedMillis: 720_000,
      endedAtMillis: 720_000
    })
  })

  it("is still running a millisecond before its end, with a task to go", () => {
    const state = Timeline.at(Timeline.make({ duration: "1 minute", tasks: 3 }), 59_999)
    assert.strictEqual(state.phase, "running")
    assert.deepStrictEqual(state.progress, { completed: 2, total: 3 })
  })

  it("does not change after its end", () => {
    const timeline = Timeline.make({ duration: "1 minute", outcome: "failed" })
    assert.deepStrictEqual(Timeline.at(timeline, 60_000), Timeline.at(timeline, 10_000_000))
    assert.strictEqual(Timeline.at(timeline, 60_000).phase, "failed")
  })

  it("never ends and never finishes its last task when its duration is infinite", () => {
    const timeline = Timeline.make({ duration: "Infinity", tasks: 3 })
    assert.strictEqual(Timeline.at(timeline, 60_000).progress.completed, 1)
    assert.deepStrictEqual(Timeline.at(timeline, 1e12).progress, { completed: 2, total: 3 })
    assert.strictEqual(Timeline.at(timeline, 1e12).phase, "running")
  })

  it("ends at once when its duration is zero", () => {
    const state = Timeline.at(Timeline.make({ duration: 0 }), 0)
    assert.strictEqual(state.phase, "completed")
    assert.deepStrictEqual(state.progress, { completed: 5, total: 5 })
  })

  it("has another status inside a window, and the later window wins", () => {
    const timeline = Timeline.make({
      duration: "1 minute",
      statuses: [
        { from: 0, to: "20 seconds", status: "queued" },
        { from: "10 seconds", to: "15 seconds", status: "paused" },
        { from: "50 seconds", status: "archived" }
      ]
    })
    const statuses = [0, 9_999, 10_000, 15_000, 20_000, 50_000, 1e9].map((at) => Timeline.at(timeline, at).status)
    assert.deepStrictEqual(statuses, ["queued", "queued", "paused", "queued", undefined, "archived", "archived"])
  })

  it("has the progress of the script, also backwards", () => {
    const timeline = Timeline.make({
      duration: "1 minute",
      progress: (elapsed) => ({ completed: elapsed < 30_000 ? 4 : 2, total: 8 })
    })
    assert.deepStrictEqual(
      [0, 30_000].map((at) => Timeline.at(timeline, at).progress.completed),
      [4, 2]
    )
  })

  it("reads a time before the start as the start", () => {
    const state = Timeline.at(Timeline.make(), -5)
    assert.deepStrictEqual([state.elapsedMillis, state.progress.completed], [0, 0])
  })
})
