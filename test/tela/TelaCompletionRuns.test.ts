import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RunError, Tela } from "canvas-runs"
import { Fault } from "canvas-runs/testing"
import { failure, finish } from "../support/results.ts"
import { applicationId, canvasId, live, refusals, scripted, setup, unknownId } from "../support/tela.ts"

/** This many asynchronous executions, a second apart. */
const executed = (count: number) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const canvas = tela.canvas.make({ id: canvasId })
    const ids: Array<string> = []
    for (let n = 0; n < count; n++) {
      ids.push((yield* canvas.execute({ n }, { async: true, tags: [n % 2 === 0 ? "even" : "odd"] })).id)
      yield* TestClock.adjust("1 second")
    }
    yield* emulator.clearRequests
    return { emulator, ids, runs: tela.completionRuns }
  })

describe("completion runs", () => {
  it.effect("list returns a page of runs in camelCase, the last changed first", () =>
    Effect.gen(function*() {
      const { ids, runs } = yield* executed(3)
      yield* TestClock.adjust("1 minute")
      const { data, total } = yield* runs.list({ limit: 2 })
      assert.strictEqual(total, 3)
      assert.deepStrictEqual(data.map(({ id }) => id), [ids[2], ids[1]])
      assert.strictEqual(data[0]!.status, "succeeded")
      assert.isString(data[0]!.promptVersionId)
      assert.isDefined(data[0]!.outputContent!.content)
      assert.deepStrictEqual((yield* runs.list({ limit: 2, offset: 2 })).data.map(({ id }) => id), [ids[0]])
    }).pipe(Effect.provide(live())))

  it.effect("list returns the runs that match the filters", () =>
    Effect.gen(function*() {
      const { ids, runs } = yield* executed(4)
      const found = (filters: Tela.CompletionRunFilters) =>
        Effect.map(runs.list(filters), ({ data }) => data.map(({ id }) => id).sort())
      assert.deepStrictEqual(yield* found({ promptId: canvasId }), ids.toSorted())
      assert.deepStrictEqual(yield* found({ tags: ["odd"] }), [ids[1]!, ids[3]!].sort())
      assert.deepStrictEqual(yield* found({ status: "succeeded" }), [])
      assert.deepStrictEqual(yield* found({ createdAtSince: 3000 }), [ids[3]])
      assert.deepStrictEqual(yield* found({ createdAtUntil: new Date(0) }), [ids[0]])
    }).pipe(Effect.provide(live())))

  it.effect("list sends filters under the provider's names", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* Effect.flip(tela.completionRuns.list({ promptApplicationId: unknownId, tags: ["a", "b"], limit: 100 }))
      const [request] = yield* emulator.requests
      assert.deepStrictEqual(Object.fromEntries(new URL(request!.url).searchParams), {
        promptApplicationId: unknownId,
        tags: "a,b",
        limit: "100"
      })
    }).pipe(Effect.provide(live())))

  it.effect("an unknown canvas is a NotFoundError, and an insufficient role is a PermissionDeniedError", () =>
    Effect.gen(function*() {
      const { emulator, tela: { completionRuns } } = yield* setup
      assert.instanceOf(yield* Effect.flip(completionRuns.list({ promptId: unknownId })), RunError.NotFoundError)
      yield* emulator.fault(Fault.status(403))
      assert.instanceOf(yield* Effect.flip(completionRuns.list()), RunError.PermissionDeniedError)
    }).pipe(Effect.provide(live())))

  it.effect("stream reads all runs, page by page", () =>
    Effect.gen(function*() {
      const { emulator, ids, runs } = yield* executed(7)
      const seen = yield* Stream.runCollect(Stream.map(runs.stream({ pageSize: 3 }), ({ id }) => id))
      assert.deepStrictEqual([...seen].sort(), ids.toSorted())
      assert.strictEqual((yield* emulator.requests).length, 3)
      yield* emulator.clearRequests
      yield* Stream.runDrain(Stream.take(runs.stream({ pageSize: 2 }), 2))
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))

  it.effect("stream emits each run once while other runs move to the front", () =>
    Effect.gen(function*() {
      const { ids, runs } = yield* executed(9)
      const { tela } = yield* setup
      const canvas = tela.canvas.make({ id: canvasId })
      let added = false
      const seen = yield* runs.stream({ pageSize: 3 }).pipe(
        Stream.tap(() => {
          if (added) return Effect.void
          added = true
          return Effect.andThen(
            Effect.forEach([1, 2, 3, 4], () => canvas.execute({}, { async: true }), { discard: true }),
            TestClock.adjust("1 hour")
          )
        }),
        Stream.map(({ id }) => id),
        Stream.runCollect
      )
      assert.strictEqual(new Set(seen).size, seen.length)
      assert.includeMembers([...seen], ids)
    }).pipe(Effect.provide(live())))

  it.effect("stream continues after a page with a transient failure", () =>
    Effect.gen(function*() {
      const { emulator, runs } = yield* executed(5)
      yield* emulator.fault(Fault.status(503).pipe(Fault.skip(1)))
      const exit = yield* finish(Stream.runCount(runs.stream({ pageSize: 2 })))
      assert.deepInclude(exit, { _tag: "Success", value: 5 })
    }).pipe(Effect.provide(live())))

  it.effect("runs in snake_case decode too", () =>
    Effect.gen(function*() {
      const { completionRuns } = yield* Tela.TelaClient
      const { data, total } = yield* completionRuns.list()
      const { raw, ...run } = data[0]!
      assert.isDefined(raw)
      assert.deepStrictEqual(run as unknown, { id: "1", status: "succeeded", promptVersionId: "v", extra_field: 1 })
      assert.isUndefined(total)
    }).pipe(Effect.provide(scripted(() => [{ id: "1", status: "succeeded", prompt_version_id: "v", extra_field: 1 }]))))

  it.effect("an answer that is not a list is an InvalidResponseError", () =>
    Effect.gen(function*() {
      const { completionRuns } = yield* Tela.TelaClient
      assert.instanceOf(yield* Effect.flip(completionRuns.list()), RunError.InvalidResponseError)
    }).pipe(Effect.provide(scripted(() => ({ runs: [] })))))

  it.effect("list and stream reject invalid filters before any request", () =>
    Effect.gen(function*() {
      const { tela: { completionRuns } } = yield* setup
      const { actual, expected, requests } = yield* refusals([
        [completionRuns.list({ limit: 0 }), "limit"],
        [completionRuns.list({ limit: 101 }), "limit"],
        [completionRuns.list({ limit: NaN }), "limit"],
        [completionRuns.list({ offset: -1 }), "offset"],
        [completionRuns.list({ promptId: "../x" }), "promptId"],
        [completionRuns.list({ promptVersionId: "" }), "promptVersionId"],
        [completionRuns.list({ promptApplicationId: "a b" }), "promptApplicationId"],
        [completionRuns.list({ createdAtUntil: "soon" }), "createdAtUntil"],
        [completionRuns.list({ tags: ["a,b"] }), "tags"],
        [Stream.runDrain(completionRuns.stream({ pageSize: 101 })), "pageSize"]
      ])
      assert.deepStrictEqual(actual, expected)
      assert.strictEqual(requests, 0)
    }).pipe(Effect.provide(live())))

  it.effect("list returns runs of an application too", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const execution = yield* tela.canvas.make({ applicationId }).execute({})
      const task = yield* tela.tasks.get(execution.ref)
      const { data } = yield* tela.completionRuns.list({ promptApplicationId: applicationId })
      assert.deepStrictEqual(data.map(({ id }) => id), [task.completionRunId])
    }).pipe(Effect.provide(live())))

  it.effect("a failure names the operation of its page", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.fault(Fault.status(500).pipe(Fault.times(2)))
      const page = failure(yield* finish(tela.completionRuns.list()))
      const stream = failure(yield* finish(Stream.runDrain(tela.completionRuns.stream())))
      assert.deepStrictEqual([page.operation, stream.operation], ["completionRuns.list", "completionRuns.stream"])
    }).pipe(Effect.provide(live({ retry: Schedule.recurs(0) }))))
})
