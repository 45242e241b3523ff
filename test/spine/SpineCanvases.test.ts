import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { RunError, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { live } from "../support/spine.ts"

/** A run that has been polled until its canvas is known. */
const running = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const emulator = yield* SpineEmulator.SpineEmulator
  yield* emulator.script({ timeline: Timeline.make({ duration: "10 minutes", tasks: 4 }), canvasIdAfter: 0 })
  const created = yield* spine.runs.create({
    prompt: "x",
    template: "report",
    files: [new File(["# Notes"], "notes.md")]
  })
  const run = yield* spine.runs.retrieve(created)
  return { canvases: spine.canvases, canvasId: run.canvas_id!, emulator }
})

const idle = "00000000-0000-4000-8000-000000000000"

describe("canvases", () => {
  it.effect("getDag returns the graph of blocks as it grows", () =>
    Effect.gen(function*() {
      const { canvases, canvasId } = yield* running
      const early = yield* canvases.getDag(canvasId)
      assert.strictEqual(early.canvas_id, canvasId)
      assert.include(early.nodes.map(({ status }) => status), "completed", "the upload is there from the start")
      yield* TestClock.adjust("10 minutes")
      const late = yield* canvases.getDag(canvasId)
      assert.isTrue(late.nodes.every(({ status }) => status === "completed"))
      const ids = new Set(late.nodes.map(({ id }) => id))
      assert.isTrue(late.edges.every((edge) => ids.has(edge.source_id) && ids.has(edge.target_id)))
      assert.isTrue(late.nodes.some(({ content, url }) => content !== undefined || url !== undefined))
    }).pipe(Effect.provide(live())))

  it.effect("getTasks returns finished and unfinished roots, and getTask one of them", () =>
    Effect.gen(function*() {
      const { canvases, canvasId } = yield* running
      yield* TestClock.adjust("5 minutes")
      const tree = yield* canvases.getTasks(canvasId)
      const [root] = [...tree.completed, ...tree.not_completed]
      assert.strictEqual(root!.task_type, "parent-task")
      const task = yield* canvases.getTask(canvasId, root!.task_id)
      assert.strictEqual(task.name, root!.name)
      assert.strictEqual(task.children!.length, root!.children!.length)
    }).pipe(Effect.provide(live())))

  it.effect("rejects malformed ids before any request", () =>
    Effect.gen(function*() {
      const { canvases, canvasId, emulator } = yield* running
      yield* emulator.clearRequests
      for (
        const [effect, parameter] of [
          [canvases.getDag("x y"), "canvas_id"],
          [canvases.getTasks("../run"), "canvas_id"],
          [canvases.getTask("", idle), "canvas_id"],
          [canvases.getTask(canvasId, "task/abc"), "task_id"]
        ] as const
      ) {
        const error = yield* Effect.flip<unknown, RunError.RequestError, never>(effect)
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, parameter)
        assert.isFalse(error.sent)
      }
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(live())))

  it.effect("an unknown canvas is a NotFoundError with the provider's message", () =>
    Effect.gen(function*() {
      const { canvases } = yield* running
      const error = yield* Effect.flip(canvases.getDag(idle))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.strictEqual(error.providerMessage, `Canvas not found: ${idle}`)
    }).pipe(Effect.provide(live())))

  it.effect("absent, null and unknown fields decode", () =>
    Effect.gen(function*() {
      const { canvases, canvasId, emulator } = yield* running
      yield* emulator.fault(Fault.status(200, {
        contentType: "application/json",
        body: JSON.stringify({
          success: true,
          data: {
            canvas_id: canvasId,
            canvas_name: null,
            nodes: [{
              id: "1",
              name: "a",
              type: "hologram-block",
              status: "shimmering",
              content: null,
              url: null,
              sources: null,
              z: 1
            }],
            edges: null
          }
        })
      }))
      assert.deepStrictEqual((yield* canvases.getDag(canvasId)) as unknown, {
        canvas_id: canvasId,
        canvas_name: "",
        nodes: [{ id: "1", name: "a", type: "hologram-block", status: "shimmering", z: 1 }],
        edges: []
      })
    }).pipe(Effect.provide(live())))
})
