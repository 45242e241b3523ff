import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, DateTime, Effect, Exit, Fiber, Option, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RunError, RunRef, Tela } from "canvas-runs"
import { Fault, TelaEmulator } from "canvas-runs/testing"
import { failure, finish } from "../support/results.ts"
import { applicationId, live, refusals, scripted, setup, unknownId } from "../support/tela.ts"

const noRetries = { retry: Schedule.recurs(0) }

/** A task that waits for its review. */
const reviewable = (outputContent: unknown = { total: 41, customer: { name: "Ada", tags: ["a", "b"] } }) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const [task] = yield* tela.tasks.create(applicationId, [{ name: "Invoice", variables: {}, outputContent }])
    yield* emulator.clearRequests
    return { emulator, tasks: tela.tasks, task }
  })

/** A task whose run takes five seconds. */
const running = Effect.gen(function*() {
  const { emulator, tela } = yield* setup
  const [task] = yield* tela.tasks.create(applicationId, [{ name: "Invoice", variables: { city: "Lisbon" } }])
  yield* emulator.clearRequests
  return { emulator, tela, tasks: tela.tasks, task }
})

const queries = Effect.gen(function*() {
  const { requests } = yield* TelaEmulator.TelaEmulator
  return (yield* requests).map(({ url }) => Object.fromEntries(new URL(url).searchParams))
})

describe("creating tasks", () => {
  it.effect("creates tasks of one application with one request, under the provider's names", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const tasks = yield* tela.tasks.create(applicationId, [
        {
          name: "First",
          variables: { userName: "Ada" },
          tags: ["x"],
          webhookUrl: "https://example.com/hook",
          metadata: { order: 1 }
        },
        { name: "Second", variables: {}, outputContent: "done" }
      ])
      expectTypeOf(tasks).toEqualTypeOf<readonly [Tela.Task, Tela.Task]>()
      assert.deepStrictEqual(tasks.map(({ name, status }) => [name, status]), [
        ["First", "running"],
        ["Second", "validating"]
      ])
      const [request, ...others] = yield* emulator.requests
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(request!.json, [
        {
          promptApplicationId: applicationId,
          name: "First",
          rawInput: { variables: { userName: "Ada" }, webhook_url: "https://example.com/hook" },
          metadata: { order: 1 },
          tags: ["x"]
        },
        {
          promptApplicationId: applicationId,
          name: "Second",
          rawInput: { variables: {} },
          outputContent: { content: "done" }
        }
      ])
      const many: ReadonlyArray<Tela.NewTask> = []
      expectTypeOf(tela.tasks.create(applicationId, many)).toEqualTypeOf<
        Effect.Effect<ReadonlyArray<Tela.Task>, RunError.CreateError>
      >()
    }).pipe(Effect.provide(live())))

  it.effect("uploads files first, and a file that several tasks share only once", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const file = Tela.file(new File(["# Notes"], "notes.md"))
      const tasks = yield* tela.tasks.create(applicationId, [
        { name: "First", variables: { document: file } },
        { name: "Second", variables: { documents: [file] } }
      ])
      const [stored] = yield* emulator.files
      assert.strictEqual((yield* emulator.files).length, 1)
      for (const task of tasks) {
        const [input] = yield* tela.tasks.getInputFiles(task.id)
        assert.strictEqual(input!.url, `vault://${stored!.id}`)
      }
    }).pipe(Effect.provide(live())))

  it.effect("fails with the provider's code when variables do not fit the application", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const canvas = yield* emulator.canvas({ variables: [{ name: "city" }] })
      const error = yield* Effect.flip(tela.tasks.create(canvas.applicationId, [{ name: "x", variables: {} }]))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.strictEqual(error.providerCode, "INVALID_SCHEMA")
      assert.isTrue(error.sent)
    }).pipe(Effect.provide(live())))

  it.effect("promise 12: is repeated only if it certainly did not reach the provider", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const create = tela.tasks.create(applicationId, [{ name: "x", variables: {} }])
      for (const fault of [Fault.status(503), Fault.dropAfter, Fault.drop]) {
        yield* emulator.clearRequests
        yield* emulator.fault(fault)
        assert.instanceOf(failure(yield* finish(create)), RunError.CreateOutcomeUnknownError)
        assert.strictEqual((yield* emulator.requests).length, 1)
      }
      yield* emulator.fault(Fault.status(402))
      assert.instanceOf(failure(yield* finish(create)), RunError.UsageLimitError)
    }).pipe(Effect.provide(live())))

  it.effect("has an unknown outcome when the answer has fewer tasks than were requested", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const error = yield* Effect.flip(tela.tasks.create(applicationId, [
        { name: "x", variables: {} },
        { name: "y", variables: {} }
      ]))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    }).pipe(Effect.provide(scripted(() => [{ id: "1", name: "x", status: "running" }]))))

  it.effect("reads a single task as a list of one", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const [task] = yield* tela.tasks.create(applicationId, [{ name: "x", variables: {} }])
      assert.strictEqual(task.id, "1")
    }).pipe(Effect.provide(scripted(() => ({ id: "1", name: "x", status: "running" })))))
})

describe("reading tasks", () => {
  it.effect("get returns a task, named by its id or by the ref of its execution", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const execution = yield* tela.canvas.make({ applicationId }).execute({ city: "Lisbon" }, { label: "Travel" })
      yield* TestClock.adjust("6 seconds")
      const task = yield* tela.tasks.get(execution.ref)
      assert.deepStrictEqual([task.id, task.name, task.status], [execution.id, "Travel", "validating"])
      assert.deepStrictEqual(yield* tela.tasks.get(task.id), task)
      yield* emulator.clearRequests
      const analysed = yield* tela.tasks.get(task.id, { includeAnalytics: true })
      assert.deepStrictEqual(yield* queries, [{ includeAnalytics: "true" }])
      assert.property(analysed, "analytics", "undocumented fields are kept")
    }).pipe(Effect.provide(live())))

  it.effect("get of an unknown task is a NotFoundError with its ref", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const error = yield* Effect.flip(tela.tasks.get(unknownId))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.deepStrictEqual(error.ref, RunRef.make({ provider: "tela", kind: "task", id: unknownId }))
      assert.strictEqual(error.providerMessage, `Task not found: ${unknownId}`)
    }).pipe(Effect.provide(live())))

  it.effect("getOutput is None until there is an output", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* running
      assert.deepStrictEqual(yield* tasks.getOutput(task.id), Option.none())
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(
        yield* tasks.getOutput(task.id),
        Option.some((yield* emulator.runs)[0]!.output)
      )
    }).pipe(Effect.provide(live())))

  for (
    const [name, outputContent, output] of [
      ["the content of a canvas", { role: "assistant", content: { a: 1 } }, { a: 1 }],
      ["a null that is the content", { role: "assistant", content: null }, null],
      ["the output of a workflow's last step", { steps: [{ output: 1 }, { name: "Answer", output: 2 }] }, 2],
      ["the whole value, for any other form", { answer: 42 }, { answer: 42 }]
    ] as const
  ) {
    it.effect(`getOutput is ${name}`, () =>
      Effect.gen(function*() {
        const { tasks } = yield* Tela.TelaClient
        assert.deepStrictEqual(yield* tasks.getOutput("1"), Option.some(output))
      }).pipe(Effect.provide(scripted(() => ({ id: "1", name: "x", status: "validating", outputContent })))))
  }

  it.effect("getInputFiles shows the files of the input in camelCase", () =>
    Effect.gen(function*() {
      const { tasks } = yield* Tela.TelaClient
      assert.deepStrictEqual(yield* tasks.getInputFiles("1"), [{
        name: "a.pdf",
        usedAt: "variables",
        parsedContent: "A",
        url: "vault://1",
        type: "file"
      }])
    }).pipe(Effect.provide(scripted(() => ({
      id: "1",
      status: "running",
      inputContent: {
        variables: {},
        messages: [],
        files: [{ name: "a.pdf", used_at: "variables", parsed_content: "A", url: "vault://1", type: "file" }]
      }
    })))))

  it.effect("getInputFiles of a task without an input is empty", () =>
    Effect.gen(function*() {
      const { tasks } = yield* Tela.TelaClient
      assert.deepStrictEqual(yield* tasks.getInputFiles("1"), [])
    }).pipe(Effect.provide(scripted(() => ({ id: "1", status: "running", inputContent: null })))))

  it.effect("progress returns the progress of the tasks of an application", () =>
    Effect.gen(function*() {
      const { task, tasks } = yield* running
      yield* TestClock.adjust("6 seconds")
      const { data, total } = yield* tasks.progress({ promptApplicationId: applicationId, limit: 5, offset: 0 })
      assert.strictEqual(total, 1)
      assert.strictEqual(data[0]!.taskId, task.id)
      assert.strictEqual(data[0]!.progress!.percentage, 100)
    }).pipe(Effect.provide(live())))
})

describe("listing tasks", () => {
  const named = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `Task ${index}`, variables: {}, outputContent: index }))

  it.effect("list returns a page and the total", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      yield* tela.tasks.create(applicationId, named(5))
      const page = yield* tela.tasks.list({ limit: 2, offset: 1, orderBy: "reference", order: "asc" })
      assert.strictEqual(page.total, 5)
      assert.deepStrictEqual(page.data.map(({ name }) => name), ["Task 1", "Task 2"])
      assert.strictEqual((yield* tela.tasks.list()).data.length, 5)
    }).pipe(Effect.provide(live())))

  it.effect("list sends each filter under the provider's name", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      yield* tela.tasks.list({
        status: "validating",
        ids: ["a-1", "b-2"],
        taskName: "In voice",
        tags: ["x", "y"],
        promptApplicationId: applicationId,
        completionRunId: "run-1",
        createdBy: ["ada", "bob"],
        approvedBy: ["eve"],
        createdAtSince: 0,
        updatedAtUntil: new Date(1000),
        approvedAtSince: "2025-01-01",
        approvedAtUntil: DateTime.makeUnsafe("2025-02-01T10:00:00+02:00"),
        orderBy: "createdAt",
        order: "asc",
        excludeInputOutputColumns: true
      })
      const [request] = yield* (yield* TelaEmulator.TelaEmulator).requests
      assert.deepStrictEqual([...new URL(request!.url).searchParams].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0), [
        ["approvedAtSince", "2025-01-01T00:00:00.000Z"],
        ["approvedAtUntil", "2025-02-01T08:00:00.000Z"],
        ["approvedBy[]", "eve"],
        ["completionRunId", "run-1"],
        ["createdAtSince", "1970-01-01T00:00:00.000Z"],
        ["createdBy[]", "ada"],
        ["createdBy[]", "bob"],
        ["excludeInputOutputColumns", "true"],
        ["ids", "a-1,b-2"],
        ["order", "asc"],
        ["orderBy", "createdAt"],
        ["promptApplicationId", applicationId],
        ["status", "validating"],
        ["tags", "x,y"],
        ["taskName", "In voice"],
        ["updatedAtUntil", "1970-01-01T00:00:01.000Z"]
      ])
    }).pipe(Effect.provide(live())))

  it.effect("list returns the tasks that match the filters", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const [a, b] = yield* tela.tasks.create(applicationId, [
        { name: "Alpha", variables: {}, tags: ["x"] },
        { name: "Beta", variables: {}, outputContent: 1 }
      ])
      const found = (filters: Tela.TaskFilters) =>
        Effect.map(tela.tasks.list(filters), ({ data }) => data.map(({ id }) => id))
      assert.deepStrictEqual(yield* found({ status: "running" }), [a.id])
      assert.deepStrictEqual(yield* found({ tags: ["x", "z"] }), [a.id])
      assert.deepStrictEqual(yield* found({ ids: [b.id] }), [b.id])
      assert.deepStrictEqual(yield* found({ taskName: "bet" }), [b.id])
      assert.deepStrictEqual(yield* found({ approvedBy: ["unknown-1", "unknown-2"] }), [])
      assert.deepStrictEqual(yield* found({ createdBy: ["unknown-1", TelaEmulator.user], ids: [a.id] }), [a.id])
      assert.deepStrictEqual(yield* found({ createdAtSince: 1 }), [])
      const [light] = (yield* tela.tasks.list({ ids: [b.id], excludeInputOutputColumns: true })).data
      assert.isUndefined(light!.outputContent)
    }).pipe(Effect.provide(live())))

  it.effect("list reads a bare array as a page without a total", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      yield* tela.tasks.create(applicationId, named(3))
      const page = yield* tela.tasks.list({ limit: 2 })
      assert.deepStrictEqual([page.data.length, page.total], [2, undefined])
    }).pipe(Effect.provide(live({}, { bareLists: true }))))

  describe("stream", () => {
    const offsets = Effect.map(queries, (all) => all.map(({ limit, offset }) => [limit, offset].join("@")))

    it.effect("reads all pages, each when it is needed", () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        yield* tela.tasks.create(applicationId, named(7))
        yield* emulator.clearRequests
        const stream = tela.tasks.stream({ pageSize: 3, orderBy: "reference", order: "asc" })
        assert.deepStrictEqual(yield* offsets, [])
        const first = yield* Stream.runCollect(Stream.take(stream, 3))
        assert.deepStrictEqual(first.map(({ name }) => name), ["Task 0", "Task 1", "Task 2"])
        assert.deepStrictEqual(yield* offsets, ["3@0"])
        yield* emulator.clearRequests
        assert.deepStrictEqual(
          (yield* Stream.runCollect(stream)).map(({ name }) => name),
          named(7).map(({ name }) => name)
        )
        assert.deepStrictEqual(yield* offsets, ["3@0", "3@3", "3@6"])
      }).pipe(Effect.provide(live())))

    it.effect("ends at the total, without asking for an empty page", () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        yield* tela.tasks.create(applicationId, named(6))
        yield* emulator.clearRequests
        assert.strictEqual(yield* Stream.runCount(tela.tasks.stream({ pageSize: 3 })), 6)
        assert.deepStrictEqual(yield* offsets, ["3@0", "3@3"])
      }).pipe(Effect.provide(live())))

    it.effect("without a total, ends with a page shorter than the one before", () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        yield* tela.tasks.create(applicationId, named(7))
        yield* emulator.clearRequests
        assert.strictEqual(yield* Stream.runCount(tela.tasks.stream({ pageSize: 3 })), 7)
        assert.deepStrictEqual(yield* offsets, ["3@0", "3@3", "3@6"])
      }).pipe(Effect.provide(live({}, { bareLists: true }))))

    it.effect("emits each task once while new tasks move the others back", () =>
      Effect.gen(function*() {
        const { tela } = yield* setup
        const before = yield* tela.tasks.create(applicationId, named(20))
        const seen = yield* tela.tasks.stream({ pageSize: 4, orderBy: "reference", order: "desc" }).pipe(
          // More than a page of tasks is added while the first page is processed
          Stream.tap(({ name }) => name === "Task 19" ? tela.tasks.create(applicationId, [...named(9)]) : Effect.void),
          Stream.map(({ id }) => id),
          Stream.runCollect
        )
        assert.strictEqual(new Set(seen).size, seen.length)
        assert.includeMembers([...seen], before.map(({ id }) => id))
      }).pipe(Effect.provide(live())))

    it.effect("fails when a page fails, after the pages before", () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        yield* tela.tasks.create(applicationId, named(6))
        yield* emulator.fault(Fault.status(403).pipe(Fault.on("GET", "/task"), Fault.skip(1)))
        const seen: Array<string> = []
        const error = yield* tela.tasks.stream({ pageSize: 3 }).pipe(
          Stream.runForEach(({ name }) => Effect.sync(() => seen.push(name))),
          Effect.flip
        )
        assert.instanceOf(error, RunError.PermissionDeniedError)
        assert.strictEqual(seen.length, 3)
      }).pipe(Effect.provide(live())))

    const rows = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ id: `t${index}`, status: "running" }))
    const provider = Schema.Struct({
      count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
      pageSize: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
      /** The most rows per page of the provider, for any requested limit. */
      most: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
      tells: Schema.Boolean
    })

    it.effect.prop(
      "emits all rows once, in order, with any page size, with and without a total",
      [provider],
      ([{ count, most, pageSize, tells }]) =>
        Effect.gen(function*() {
          const { tasks } = yield* Tela.TelaClient
          const ids = yield* Stream.runCollect(Stream.map(tasks.stream({ pageSize }), ({ id }) => id))
          assert.deepStrictEqual([...ids], rows(count).map(({ id }) => id))
        }).pipe(Effect.provide(scripted((url) => {
          const offset = Number(url.searchParams.get("offset"))
          const data = rows(count).slice(offset, offset + Math.min(most, Number(url.searchParams.get("limit"))))
          return tells ? { data, meta: { total: count } } : data
        })))
    )

    it.effect("fails on an empty page before the total, and ends if the total shrinks to what was read", () =>
      Effect.gen(function*() {
        const count = (totals: ReadonlyArray<number>) =>
          Effect.flatMap(Tela.TelaClient, ({ tasks }) => Stream.runCount(tasks.stream({ pageSize: 3 }))).pipe(
            Effect.provide(scripted((url) => {
              const offset = Number(url.searchParams.get("offset"))
              return { data: rows(3).slice(offset), meta: { total: totals[offset / 3] } }
            }))
          )
        const error = yield* Effect.flip(count([6, 6]))
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, "at offset 3 has no new rows")
        assert.strictEqual(yield* count([6, 3]), 3)
      }))

    it.effect.prop(
      "ends if the provider ignores offset or limit, and fails if its total shows that rows are missing",
      [provider, Schema.Boolean],
      ([{ count, pageSize, tells }, ignoresLimit]) => {
        let requests = 0
        const served = ignoresLimit ? count : Math.min(count, pageSize)
        return Effect.gen(function*() {
          const { tasks } = yield* Tela.TelaClient
          const ids: Array<string> = []
          const result = yield* Effect.result(
            Stream.runForEach(tasks.stream({ pageSize }), ({ id }) => Effect.sync(() => ids.push(id)))
          )
          assert.deepStrictEqual(ids, rows(served).map(({ id }) => id))
          assert.isAtMost(requests, 2)
          if (tells && served < count) {
            assert(result._tag === "Failure")
            assert.instanceOf(result.failure, RunError.InvalidResponseError)
            assert.include(result.failure.message, `the list has ${count} by its total, and ${served} were read`)
          } else assert.strictEqual(result._tag, "Success")
        }).pipe(Effect.provide(scripted(() => {
          requests++
          const data = rows(served)
          return tells ? { data, metadata: { total: count } } : data
        })))
      }
    )
  })
})

describe("changing tasks", () => {
  it.effect("update changes the given fields, and keeps the others", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable()
      const updated = yield* tasks.update(task.id, { name: "Renamed", tags: ["x", "y"] })
      assert.deepStrictEqual([updated.name, updated.tags, updated.status], ["Renamed", ["x", "y"], "validating"])
      assert.deepStrictEqual(updated.outputContent, task.outputContent)
      assert.deepStrictEqual((yield* emulator.requests)[0]!.json, { name: "Renamed", tags: ["x", "y"] })
    }).pipe(Effect.provide(live())))

  it.effect("approve completes a task, and may be repeated", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable()
      const approved = yield* tasks.approve(task.id)
      assert.deepStrictEqual([approved.status, approved.approvedBy], ["completed", TelaEmulator.user])
      assert.deepStrictEqual((yield* emulator.requests)[0]!.json, { status: "completed" })
      assert.strictEqual((yield* tasks.approve(task.id)).approvedAt, approved.approvedAt)
    }).pipe(Effect.provide(live())))

  it.effect("rename changes the name", () =>
    Effect.gen(function*() {
      const { task, tasks } = yield* reviewable()
      assert.strictEqual((yield* tasks.rename(task.id, "Other")).name, "Other")
    }).pipe(Effect.provide(live())))

  it.effect("setOutputContent replaces the whole output, and the original is kept", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable("draft")
      const updated = yield* tasks.setOutputContent(task.id, "final")
      assert.strictEqual(updated.outputContent!.content, "final")
      assert.strictEqual(updated.originalOutputContent!.content, "draft")
      assert.deepStrictEqual(updated.metadata!.editedFields!.map(({ path, previousValue }) => [path, previousValue]), [
        ["content", "draft"]
      ])
      assert.deepStrictEqual((yield* emulator.requests)[0]!.json, { outputContent: { content: "final" } })
    }).pipe(Effect.provide(live())))

  it.effect("patchOutputContent is merged into the output by the provider", () =>
    Effect.gen(function*() {
      const { task, tasks } = yield* reviewable()
      const updated = yield* tasks.patchOutputContent(task.id, { total: 42, customer: { tags: ["c"] } })
      assert.deepStrictEqual(updated.outputContent!.content, { total: 42, customer: { name: "Ada", tags: ["c"] } })
    }).pipe(Effect.provide(live())))

  it.effect("patchOutputField changes the field at a path", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable()
      const updated = yield* tasks.patchOutputField(task.id, "customer.name", "Bob")
      assert.deepStrictEqual(updated.outputContent!.content, { total: 41, customer: { name: "Bob", tags: ["a", "b"] } })
      assert.deepStrictEqual((yield* emulator.requests)[0]!.json, {
        outputContent: { content: { customer: { name: "Bob" } } }
      })
      const emptied = yield* tasks.patchOutputField(task.id, "total", null)
      assert.deepInclude(emptied.outputContent!.content, { total: null })
    }).pipe(Effect.provide(live())))

  it.effect("updateOutputContent reads, changes and writes the whole output", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable({ lines: [{ count: 1 }, { count: 2 }] })
      const Lines = Schema.Struct({ lines: Schema.Array(Schema.Struct({ count: Schema.Number })) })
      const updated = yield* tasks.updateOutputContent(task.id, (content) =>
        Effect.map(Schema.decodeUnknownEffect(Lines)(content), ({ lines }) => ({
          lines: lines.map(({ count }) => ({ count: count * 10 }))
        })))
      assert.deepStrictEqual(updated.outputContent!.content, { lines: [{ count: 10 }, { count: 20 }] })
      assert.deepStrictEqual(
        (yield* emulator.requests).map(({ method }) =>
          method
        ),
        ["GET", "PATCH"]
      )
      const plain = yield* tasks.updateOutputContent(task.id, () => ({ lines: [] }))
      assert.deepStrictEqual(plain.outputContent!.content, { lines: [] })
    }).pipe(Effect.provide(live())))

  it.effect("updateOutputContent writes nothing when the function fails", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable()
      const error = yield* Effect.flip(tasks.updateOutputContent(task.id, () => Effect.fail("no" as const)))
      assert.strictEqual(error, "no")
      assert.deepStrictEqual((yield* emulator.requests).map(({ method }) => method), ["GET"])
    }).pipe(Effect.provide(live())))

  it("updateOutputContent has the failures and services of the function's effect", () => {
    class Prices extends Context.Service<Prices, number>()("Prices") {}
    const program = (tasks: Tela.Tasks) =>
      tasks.updateOutputContent("1", (content) => {
        expectTypeOf(content).toEqualTypeOf<unknown>()
        return Effect.filterOrFail(Prices, (price) => price > 0, () => "free" as const)
      })
    expectTypeOf(program).returns.toEqualTypeOf<Effect.Effect<Tela.Task, RunError.RequestError | "free", Prices>>()
    const plain = (tasks: Tela.Tasks) => tasks.updateOutputContent("1", () => 1)
    expectTypeOf(plain).returns.toEqualTypeOf<Effect.Effect<Tela.Task, RunError.RequestError>>()
  })

  it.effect("a change of a running task fails with the provider's code", () =>
    Effect.gen(function*() {
      const { task, tasks } = yield* running
      for (const change of [tasks.approve(task.id), tasks.rename(task.id, "x"), tasks.setOutputContent(task.id, 1)]) {
        const error = yield* Effect.flip(change)
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.providerCode, "UPDATE_FAILED")
        assert.strictEqual(error.ref!.id, task.id)
      }
    }).pipe(Effect.provide(live())))

  for (
    const [name, fault, again] of [
      ["503", Fault.status(503), { rename: true, content: false }],
      ["a connection that breaks after the work is done", Fault.dropAfter, { rename: true, content: false }],
      ["no answer in time", Fault.hang, { rename: true, content: false }],
      ["429", Fault.status(429), { rename: true, content: true }]
    ] as const
  ) {
    it.effect(`after ${name}, ${again.content ? "all changes are repeated" : "only changes without an output are repeated"}`, () =>
      Effect.gen(function*() {
        const { emulator, task, tasks } = yield* reviewable()
        const attempt = (change: Effect.Effect<unknown, RunError.RequestError>) =>
          Effect.gen(function*() {
            yield* emulator.clearRequests
            yield* emulator.fault(fault)
            const exit = yield* finish(change)
            return { again: Exit.isSuccess(exit), requests: (yield* emulator.requests).length }
          })
        const expected = (again: boolean) => ({ again, requests: again ? 2 : 1 })
        assert.deepStrictEqual(yield* attempt(tasks.rename(task.id, "x")), expected(again.rename))
        assert.deepStrictEqual(yield* attempt(tasks.approve(task.id)), expected(again.rename))
        assert.deepStrictEqual(yield* attempt(tasks.setOutputContent(task.id, { a: 1 })), expected(again.content))
        assert.deepStrictEqual(
          yield* attempt(tasks.update(task.id, { name: "y", outputContent: { content: {} } })),
          expected(again.content)
        )
      }).pipe(Effect.provide(live())))
  }

  it.effect("an interruption ends a stream of pages at once", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.fault(Fault.hang)
      const fiber = yield* Effect.forkChild(Stream.runDrain(tela.tasks.stream()))
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live(noRetries))))
})

describe("a call that is rejected before any request", () => {
  it.effect("names the parameter", () =>
    Effect.gen(function*() {
      const { tela: { tasks } } = yield* setup
      const cyclic: Record<string, unknown> = {}
      cyclic["self"] = cyclic
      const one = (task: Partial<Tela.NewTask>) => tasks.create(applicationId, [{ name: "x", variables: {}, ...task }])
      const { actual, expected, requests } = yield* refusals([
        [tasks.get("../api-key"), "id"],
        [tasks.get(""), "id"],
        [tasks.get(RunRef.make({ provider: "tela", kind: "execution", id: "1" })), "task"],
        [tasks.get(RunRef.make({ provider: "spine", kind: "task", id: "1" })), "task"],
        [tasks.get(undefined as never), "id"],
        [tasks.approve("a/b"), "id"],
        [tasks.getOutput("a?b"), "id"],
        [tasks.getInputFiles(".."), "id"],
        [tasks.update("1", {}), "patch"],
        [tasks.rename("1", " "), "name"],
        [tasks.setOutputContent("1", undefined), "content"],
        [tasks.setOutputContent("1", cyclic), "content"],
        [tasks.setOutputContent("1", 1n), "content"],
        [tasks.patchOutputContent("1", [1] as never), "partial"],
        [tasks.patchOutputContent("1", "x" as never), "partial"],
        [tasks.patchOutputField("1", "", 1), "path"],
        [tasks.patchOutputField("1", "a..b", 1), "path"],
        [tasks.patchOutputField("1", ".a", 1), "path"],
        [tasks.patchOutputField("1", "lines.0.count", 1), "path"],
        [tasks.patchOutputField("1", "lines[0].count", 1), "path"],
        [tasks.patchOutputField("1", "a.__proto__.b", 1), "path"],
        [tasks.patchOutputField("1", "a", undefined), "value"],
        [tasks.list({ limit: 0 }), "limit"],
        [tasks.list({ limit: 1.5 }), "limit"],
        [tasks.list({ offset: -1 }), "offset"],
        [tasks.list({ ids: ["a,b"] }), "ids"],
        [tasks.list({ tags: [""] }), "tags"],
        [tasks.list({ promptVersionId: "a/b" }), "promptVersionId"],
        [tasks.list({ createdAtSince: "yesterday" }), "createdAtSince"],
        [Stream.runDrain(tasks.stream({ pageSize: 0 })), "pageSize"],
        [Stream.runDrain(tasks.stream({ ids: ["a,b"] })), "ids"],
        [tasks.progress({ promptApplicationId: "a b" }), "promptApplicationId"],
        [tasks.create("a/b", [{ name: "x", variables: {} }]), "applicationId"],
        [tasks.create(applicationId, []), "tasks"],
        [tasks.create(applicationId, Array.from({ length: 101 }, () => ({ name: "x", variables: {} }))), "tasks"],
        [one({ name: "" }), "tasks[0].name"],
        [one({ webhookUrl: "hook" }), "tasks[0].webhookUrl"],
        [one({ variables: { a: 1n } }), "tasks[0].variables.a"]
      ])
      assert.deepStrictEqual(actual, expected)
      assert.strictEqual(requests, 0)
    }).pipe(Effect.provide(live())))

  it.effect("names the call to use instead", () =>
    Effect.gen(function*() {
      const { tela: { tasks } } = yield* setup
      const error = yield* Effect.flip(tasks.patchOutputField("1", "lines.0", 1))
      assert.include(error.message, "updateOutputContent")
    }).pipe(Effect.provide(live())))

  it.effect("updateOutputContent rejects a function that returns nothing", () =>
    Effect.gen(function*() {
      const { emulator, task, tasks } = yield* reviewable()
      const error = yield* Effect.flip(tasks.updateOutputContent(task.id, () => undefined))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.deepStrictEqual((yield* emulator.requests).map(({ method }) => method), ["GET"])
    }).pipe(Effect.provide(live())))
})

describe("errors of tasks", () => {
  for (
    const [status, tag] of [
      [400, "BadRequestError"],
      [401, "AuthenticationError"],
      [402, "UsageLimitError"],
      [403, "PermissionDeniedError"],
      [404, "NotFoundError"],
      [429, "RateLimitError"],
      [500, "ServerError"]
    ] as const
  ) {
    it.effect(`${status} is a ${tag} with the provider's code`, () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        const body = { code: "SOME_CODE", message: "in so many words", status, name: "Error" }
        for (const call of [tela.tasks.get("1"), tela.tasks.rename("1", "x"), tela.tasks.list()]) {
          yield* emulator.fault(Fault.status(status, { body }))
          const error: RunError.RequestError = failure(
            yield* finish(call as Effect.Effect<unknown, RunError.RequestError>)
          )
          assert.deepStrictEqual([error._tag, error.providerCode, error.providerMessage], [
            tag,
            "SOME_CODE",
            "in so many words"
          ])
        }
      }).pipe(Effect.provide(live(noRetries))))
  }

  it.effect("a task without an id is an InvalidResponseError", () =>
    Effect.gen(function*() {
      const { tasks } = yield* Tela.TelaClient
      const error = yield* Effect.flip(tasks.get("1"))
      assert.instanceOf(error, RunError.InvalidResponseError)
    }).pipe(Effect.provide(scripted(() => ({ status: "running" })))))
})
