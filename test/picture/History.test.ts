import { assert, it } from "@effect/vitest"
import { History, Picture } from "canvas-runs/picture"
import type { Spine } from "canvas-runs"

const canvas = (statuses: Readonly<Record<string, string>>): Spine.Canvas => ({
  canvas_id: "c",
  canvas_name: "",
  nodes: Object.entries(statuses).map(([id, status]) => ({ id, name: id, type: "web-block", status })),
  edges: []
})

const observe = (...looks: ReadonlyArray<Readonly<Record<string, string>>>) =>
  looks.reduce<History.History | undefined>(
    (history, statuses, index) => History.observe(history, canvas(statuses), 1000 * (index + 1)),
    undefined
  )!

it("a block starts when it is first seen running, and ends when it is first seen to have ended", () => {
  assert.deepStrictEqual(
    observe({ a: "idle" }, { a: "running", b: "idle" }, { a: "running", b: "running" }, { a: "error" }, { a: "error" }),
    { since: 1000, at: 5000, blocks: [{ id: "a", startedAt: 2000, endedAt: 4000 }, { id: "b", startedAt: 3000 }] }
  )
})

it("a block that was never seen running has no start", () => {
  assert.deepStrictEqual(observe({ a: "completed", b: "idle" }, { a: "completed", b: "completed" }).blocks, [
    { id: "a", endedAt: 1000 },
    { id: "b", endedAt: 2000 }
  ])
})

it("a block that runs again starts again, and one that waits again has no times", () => {
  assert.deepStrictEqual(observe({ a: "running" }, { a: "completed" }, { a: "running" }).blocks, [{
    id: "a",
    startedAt: 3000
  }])
  assert.deepStrictEqual(observe({ a: "running" }, { a: "completed" }, { a: "idle" }).blocks, [{ id: "a" }])
})

it("an unknown status is one of a block that runs", () => {
  assert.deepStrictEqual(observe({ a: "thinking" }, { a: "completed" }).blocks, [{
    id: "a",
    startedAt: 1000,
    endedAt: 2000
  }])
})

it("ids can be names of members of objects", () => {
  const history = observe({ ["__proto__x"]: "running", constructor: "running" }, { constructor: "completed" })
  assert.deepStrictEqual(JSON.parse(JSON.stringify(history)), history)
  assert.deepStrictEqual(history.blocks.map(({ id }) => id), ["__proto__x", "constructor"])
})

it("pictures show durations: of blocks that run, up to now", () => {
  const history = observe({ a: "running", b: "running" }, { a: "completed", b: "running" })
  const rows = (now?: number) => Picture.rows(canvas({ a: "completed", b: "running", c: "idle" }), { history, now })
  assert.deepStrictEqual(rows().map((row) => row.slice(-16).trim()), ["1.0 s", "running 1.0 s", "idle"])
  assert.deepStrictEqual(rows(61_000).map((row) => row.slice(-18).trim()), ["1.0 s", "running 1 min 00 s", "idle"])
  // A clock that was set back
  assert.deepStrictEqual(rows(0).map((row) => row.slice(-16).trim()), ["1.0 s", "running 0.0 s", "idle"])
})
