import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as SpineEmulator from "../../../../src/testing/SpineEmulator.ts"
import * as Timeline from "../../../../src/testing/Timeline.ts"
import * as spine from "../../spine.ts"

const { emulated, file, finished, other, part, raw, refusal, succeeded } = spine
const control = SpineEmulator.SpineEmulator

describe("the canvas", () => {
  it.effect("R8: rejects malformed ids, and answers 404 for unknown ones", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      assert.deepStrictEqual(
        yield* raw(spine.get("/v1/canvas/x/dag")),
        refusal(400, "Invalid canvas_id: must be a valid UUID")
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${other}/tasks`)),
        refusal(404, `Canvas not found: ${other}`)
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/tasks/x`)),
        refusal(400, "Invalid task_id: must be a valid UUID")
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/tasks/${other}`)),
        refusal(404, `Task not found: ${other}`)
      )
    }).pipe(emulated()))

  it.effect("B7: exists from the start, and is empty", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      const canvas_id = run!.canvasId
      assert.deepStrictEqual(yield* spine.dag(canvas_id), {
        canvas_id,
        canvas_name: "Compare three vector databases",
        nodes: [],
        edges: []
      })
      assert.deepStrictEqual(yield* spine.tasks(canvas_id), { canvas_id, completed: [], not_completed: [] })
    }).pipe(emulated()))

  it.effect("B1: grows with the run, block by block, each idle, then running, then completed", () =>
    Effect.gen(function*() {
      yield* spine.created(part("blocks", `["web-block","table-block","document-block"]`), file("a.md"))
      const [run] = yield* (yield* control).runs
      const statuses = Effect.fnUntraced(function*(duration: "1 millis" | "4 minutes") {
        yield* TestClock.adjust(duration)
        const { edges, nodes } = yield* spine.dag(run!.canvasId)
        for (const edge of edges) {
          const ends = [edge.source_id, edge.target_id].map((id) => nodes.findIndex((node) => node.id === id))
          assert.isTrue(ends[0]! >= 0 && ends[0]! < ends[1]!)
        }
        assert.strictEqual(edges.length, nodes.length - 1)
        return nodes.slice(1).map((node) => node.status)
      })
      assert.deepStrictEqual(yield* statuses("1 millis"), ["running", "idle"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "running", "idle"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "completed", "running"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "completed", "completed"])
    }).pipe(emulated({ script: { timeline: Timeline.make({ tasks: 3 }) } })))

  it.effect("B2, B3: has sources for research, links for references, text for other blocks, and null or [] otherwise", () =>
    Effect.gen(function*() {
      const run = yield* succeeded({}, part("blocks", `["web-block","table-block","document-block"]`), file("a.md"))
      const response = yield* spine.get(`/v1/canvas/${run.canvas_id}/dag`)
      const { data } = (yield* response.json) as { data: { nodes: ReadonlyArray<Record<string, unknown>> } }
      const [upload, web, table, document] = data.nodes
      assert.deepStrictEqual([upload!["content"], upload!["url"], upload!["sources"]], [null, null, []])
      assert.strictEqual(web!["url"], `https://example.com/${web!["id"]}`)
      assert.strictEqual((web!["sources"] as ReadonlyArray<unknown>).length, 2)
      assert.hasAllKeys((web!["sources"] as ReadonlyArray<object>)[0], ["title", "url"])
      assert.include(table!["content"], "Compare three vector databases")
      assert.deepStrictEqual([table!["url"], table!["sources"]], [null, []])
      assert.strictEqual(document!["content"], null)
      assert.strictEqual((yield* spine.download(String(document!["url"]))).status, 200)
    }).pipe(emulated()))

  it.effect("B1, B5: has tasks in three levels, and sorts a root with its descendants by the status of the root", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      yield* TestClock.adjust("3 minutes")
      const tree = yield* spine.tasks(run!.canvasId)
      assert.deepStrictEqual(tree.completed.map((task) => task.status), ["completed"])
      assert.deepStrictEqual(tree.not_completed.map((task) => task.status), ["running", "pending"])
      const [root] = tree.not_completed
      const levels = [root!.task_type, root!.children?.[0]?.task_type, root!.children?.[0]?.children?.[0]?.task_type]
      assert.deepStrictEqual(levels, ["parent-task", "persona-task", "tool-call-task"])
      assert.deepStrictEqual(root!.children?.map((child) => child.status), ["completed", "running"])
      yield* TestClock.adjust("9 minutes")
      const done = yield* spine.tasks(run!.canvasId)
      assert.deepStrictEqual([done.completed.length, done.not_completed.length], [5, 0])
    }).pipe(emulated()))

  it.effect("B5: lists a failed task among the tasks that are not completed", () =>
    Effect.gen(function*() {
      const run = yield* finished({ timeline: Timeline.make({ duration: 0, outcome: "failed", tasks: 2 }) })
      const tree = yield* spine.tasks(run.canvas_id!)
      assert.deepStrictEqual(tree.completed.map((task) => task.status), ["completed"])
      assert.deepStrictEqual(tree.not_completed.map((task) => task.status), ["failed"])
      assert.strictEqual((yield* spine.dag(run.canvas_id!)).nodes.at(-1)?.status, "error")
    }).pipe(emulated()))

  it.effect("B6: shows one task with its children, without grandchildren", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      const [root] = (yield* spine.tasks(run.canvas_id)).completed
      const task = yield* spine.task(run.canvas_id, root!.task_id)
      assert.strictEqual(task.children?.length, 2)
      assert.deepStrictEqual(task.children?.map((child) => child.children), [[], []])
      const tool = root!.children![0]!.children![0]!
      assert.deepStrictEqual(yield* spine.task(run.canvas_id, tool.task_id.toUpperCase()), tool)
    }).pipe(emulated()))
})
