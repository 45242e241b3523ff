import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { RunError, Tela } from "canvas-runs"
import { failure, finish, success } from "../support/results.ts"
import { canvasId, scripted } from "../support/tela.ts"

const Invoice = Schema.Struct({ total: Schema.Number })

const run = { id: canvasId, status: "succeeded", output_content: { content: { total: 42 } } }
const task = { id: canvasId, status: "validating", outputContent: { content: { total: 42 } } }

/** Optional fields with types that differ from the documentation. */
const odd = {
  created_at: 1_764_100_000,
  createdAt: { seconds: 1 },
  tags: [null],
  workspace_id: 7,
  reference: "12",
  name: false,
  metadata: ["x"],
  raw_output: null,
  approvedBy: { id: 1 },
  promptVersionId: []
}

describe("B6: a field that does not decode is absent and kept in raw", () => {
  it.effect("of an execution", () =>
    Effect.gen(function*() {
      const body = { ...run, ...odd, output_content: { ...run.output_content, role: 5, tool_calls: "none" } }
      const tela = yield* Effect.provide(Tela.TelaClient, scripted(() => body))
      const execution = yield* tela.canvas.make({ id: canvasId, output: Invoice }).getExecution(canvasId)
      assert.deepStrictEqual(success(yield* finish(execution.result)), { total: 42 })
      assert.deepStrictEqual(success(yield* finish(execution.rawResult)), body)
    }))

  it.effect("of a task, its look-up and its list", () =>
    Effect.gen(function*() {
      const body = { ...task, ...odd }
      const tela = yield* Effect.provide(
        Tela.TelaClient,
        scripted(({ pathname }) => pathname === "/task" ? { data: [body], meta: { total: "one" } } : body)
      )
      const found = yield* tela.tasks.get(canvasId)
      assert.deepStrictEqual([found.status, found.tags, found.name, found.createdAt], ["validating", [], "", undefined])
      assert.deepStrictEqual(found.raw, body)
      const page = yield* tela.tasks.list()
      assert.strictEqual(page.total, undefined)
      assert.deepStrictEqual(page.data.map(({ raw }) => raw), [body])
      const execution = yield* tela.canvas.make({ id: canvasId }).getExecution(canvasId, { isTask: true })
      assert.deepStrictEqual(success(yield* finish(execution.result)), { total: 42 })
    }))

  it.effect("of the list of completion runs", () =>
    Effect.gen(function*() {
      const body = { ...run, ...odd }
      const tela = yield* Effect.provide(Tela.TelaClient, scripted(() => [body]))
      const { data: [found] } = yield* tela.completionRuns.list()
      assert.deepStrictEqual([found!.status, found!.tags, found!.createdAt], ["succeeded", undefined, undefined])
      assert.deepStrictEqual(found!.raw, body)
    }))

  for (
    const [name, body] of Object.entries({
      "an id that is a number": { ...run, id: 5 },
      "an empty id": { ...run, id: "" },
      "a status that is an object": { ...run, status: {} },
      "an output that is not an object": { ...run, output_content: "42" },
      "a status behind __proto__": JSON.parse(`{"id":"${canvasId}","__proto__":{"status":"succeeded"}}`) as unknown
    })
  ) {
    it.effect(`of a field that the client needs is an InvalidResponseError: ${name}`, () =>
      Effect.gen(function*() {
        const tela = yield* Effect.provide(Tela.TelaClient, scripted(() => body))
        const error = failure(yield* finish(tela.canvas.make({ id: canvasId }).getExecution(canvasId)))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.deepStrictEqual(error.body, body)
      }))
  }

  it.effect("of the output does not fail an execution that has not succeeded", () =>
    Effect.gen(function*() {
      const bodies = [{ ...run, status: "running", output_content: "so far" }, {
        ...run,
        status: "failed",
        output_content: [],
        error: "out of credits"
      }]
      const tela = yield* Effect.provide(
        Tela.TelaClient,
        scripted(() => bodies.length > 1 ? bodies.shift() : bodies[0])
      )
      const execution = yield* tela.canvas.make({ id: canvasId }).getExecution(canvasId)
      assert.strictEqual(yield* execution.status, "running")
      const error = failure(yield* finish(execution.result))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.errors, ["out of credits"])
    }))

  it.effect("of the files of a task is not an empty list", () =>
    Effect.gen(function*() {
      const tela = yield* Effect.provide(
        Tela.TelaClient,
        scripted(() => ({ ...task, inputContent: { files: [{ url: 5 }] } }))
      )
      assert.instanceOf(failure(yield* finish(tela.tasks.getInputFiles(canvasId))), RunError.InvalidResponseError)
    }))
})
