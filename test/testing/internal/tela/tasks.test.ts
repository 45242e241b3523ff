import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Fault from "../../../../src/testing/Fault.ts"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import * as Timeline from "../../../../src/testing/Timeline.ts"
import * as tela from "../../tela.ts"

const { applicationId, emulated, json, other, refusal } = tela
const control = TelaEmulator.TelaEmulator

const task = (overrides: tela.Json = {}) => ({
  promptApplicationId: applicationId,
  name: "Invoice 1",
  rawInput: { variables: { topic: "Effect" } },
  ...overrides
})

const createMany = (body: unknown) => json("POST", "/task", { body })
const create = (overrides?: tela.Json) => Effect.map(createMany(task(overrides)), (tasks) => tasks[0])
const get = (id: string) => json("GET", `/task/${id}`)
const patch = (id: string, body: tela.Json) => json("PATCH", `/task/${id}`, { body })
const refusedPatch = (id: string, body: tela.Json) => refusal("PATCH", `/task/${id}`, { body })

/** A task with that output that waits for a person. */
const reviewed = (content: unknown) => create({ outputContent: { content } })

describe("POST /task", () => {
  it.effect("section 8.1: answers with an array of running tasks, for a single one too", () =>
    Effect.gen(function*() {
      const tasks = yield* createMany(task({ tags: ["a"], metadata: { x: 1 } }))
      assert.strictEqual(tasks.length, 1)
      const [created] = tasks
      assert.deepStrictEqual(created, {
        id: created.id,
        reference: 1,
        name: "Invoice 1",
        status: "running",
        createdBy: TelaEmulator.user,
        approvedBy: null,
        approvedAt: null,
        completionRunId: created.completionRunId,
        workflowRunId: null,
        sourceType: "prompt",
        agentId: null,
        agentRef: null,
        agentSessionId: null,
        promptVersionId: created.promptVersionId,
        promptApplicationId: applicationId,
        workspaceId: TelaEmulator.workspaceId,
        metadata: { x: 1 },
        tags: ["a"],
        createdAt: "1970-01-01T00:00:00.000Z",
        updatedAt: "1970-01-01T00:00:00.000Z",
        rawInput: { variables: { topic: "Effect" }, application_id: applicationId },
        inputContent: { variables: { topic: "Effect" }, messages: [], files: [] },
        outputContent: null,
        originalOutputContent: null
      })
      const run = yield* tela.poll(created.completionRunId)
      assert.strictEqual(run.prompt_application_id, applicationId)
    }).pipe(emulated()))

  it.effect("creates up to a hundred at once, for one app, all or none", () =>
    Effect.gen(function*() {
      const hundred = Array.from({ length: 100 }, (_, n) => task({ name: `${n}` }))
      const tasks = yield* createMany(hundred)
      assert.deepStrictEqual([tasks.length, tasks[99].reference, tasks[99].name], [100, 100, "99"])
      const message = "1 to 100 tasks can be created at once"
      assert.deepStrictEqual(
        yield* refusal("POST", "/task", { body: [...hundred, task()] }),
        [400, "BAD_REQUEST", message]
      )
      assert.deepStrictEqual(yield* refusal("POST", "/task", { body: [] }), [400, "BAD_REQUEST", message])
      assert.deepStrictEqual(
        yield* refusal("POST", "/task", { body: [task(), task({ promptApplicationId: other })] }),
        [400, "BAD_REQUEST", "The tasks must share one promptApplicationId"]
      )
      yield* refusal("POST", "/task", { body: [task(), task({ name: 7 })] })
      assert.strictEqual((yield* (yield* control).tasks).length, 100)
    }).pipe(emulated()))

  it.effect("rejects incomplete tasks, and members of the wrong type", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [unknown, string, string]> = [
        ["x", "BAD_REQUEST", "A task must be a JSON object"],
        [task({ promptApplicationId: undefined }), "BAD_REQUEST", "promptApplicationId is required"],
        [task({ promptApplicationId: "x" }), "BAD_REQUEST", "promptApplicationId must be a UUID"],
        [task({ name: undefined }), "BAD_REQUEST", "name is required"],
        [task({ rawInput: undefined }), "BAD_REQUEST", "rawInput is required"],
        [task({ rawInput: {} }), "INVALID_SCHEMA", "rawInput.variables is required"],
        [task({ rawInput: { variables: 7 } }), "BAD_REQUEST", "rawInput: variables must be an object"],
        [task({ tags: "a" }), "BAD_REQUEST", "tags must be an array of strings"],
        [task({ outputContent: {} }), "BAD_REQUEST", "outputContent.content is required"],
        [task({ approvedAt: "soon" }), "BAD_REQUEST", "approvedAt must be a date"],
        [task({ sourceType: "agent" }), "BAD_REQUEST", "The emulator has no agents"]
      ]
      for (const [body, code, message] of cases) {
        assert.deepStrictEqual(yield* refusal("POST", "/task", { body }), [400, code, message])
      }
      assert.strictEqual(
        (yield* refusal("POST", "/task", { body: task({ promptApplicationId: TelaEmulator.unknownCanvasId }) }))[0],
        404
      )
    }).pipe(emulated()))

  it.effect("rule 12: checks the variables against those of the app", () =>
    Effect.gen(function*() {
      const answer = (variables: tela.Json) => refusal("POST", "/task", { body: task({ rawInput: { variables } }) })
      const doc = (mime_type: string) => ({ file_url: "https://x.y/z", mime_type })
      const invalid = (message: string) => [400, "INVALID_SCHEMA", message]
      assert.deepStrictEqual(yield* answer({}), invalid("Missing required variable: doc"))
      assert.deepStrictEqual(yield* answer({ doc: "text" }), invalid("The variable doc must be a file"))
      assert.deepStrictEqual(
        yield* answer({ doc: doc("application/zip") }),
        invalid("The variable doc must not be a file of type application/zip")
      )
      assert.deepStrictEqual(yield* answer({ doc: doc("text/csv"), x: 1 }), invalid("Unknown variable: x"))
      const completion = yield* refusal("POST", tela.completions, { body: { application_id: applicationId } })
      assert.deepStrictEqual(completion, invalid("Missing required variable: doc"))
      const created = yield* create({ rawInput: { variables: { doc: [doc("text/csv"), doc("application/pdf")] } } })
      assert.strictEqual(created.status, "running")
    }).pipe(emulated({
      canvases: [{ applicationId, variables: [{ name: "doc", type: "file" }, { name: "note", required: false }] }]
    })))

  it.effect("assumption 23: shows files as lists, and requires them", () =>
    Effect.gen(function*() {
      const file = { file_url: "https://x.y/a.pdf" }
      const { rawInput } = yield* create({
        rawInput: { variables: { a: file, b: [file], c: { files: [file] }, d: [] } }
      })
      assert.deepStrictEqual(rawInput.variables, {
        a: { files: [file] },
        b: { files: [file] },
        c: { files: [file] },
        d: []
      })
      const variables = { a: { file_url: `vault://${other}` } }
      assert.strictEqual((yield* refusal("POST", "/task", { body: task({ rawInput: { variables } }) }))[0], 404)
    }).pipe(emulated()))

  it.effect("runs nothing if the request has the output", () =>
    Effect.gen(function*() {
      const created = yield* create({
        outputContent: { content: { total: 1 } },
        inputContent: { variables: { a: 1 } }
      })
      assert.deepStrictEqual(
        [created.status, created.completionRunId, created.outputContent, created.inputContent],
        ["validating", null, { role: "assistant", content: { total: 1 } }, { variables: { a: 1 } }]
      )
      assert.deepStrictEqual(yield* (yield* control).runs, [])
      const approved = yield* create({ outputContent: { content: 1 }, approvedAt: "2026-01-01T00:00:00Z" })
      assert.deepStrictEqual([approved.status, approved.approvedAt], ["completed", "2026-01-01T00:00:00.000Z"])
    }).pipe(emulated()))

  it.effect("assumption 20: can report that the workspace has reached its limit", () =>
    Effect.gen(function*() {
      yield* (yield* control).fault(Fault.status(402).pipe(Fault.on("POST", "/task")))
      assert.strictEqual((yield* refusal("POST", "/task", { body: task() }))[1], "USAGE_LIMIT_REACHED")
    }).pipe(emulated()))
})

describe("application_id on the completions endpoint", () => {
  it.effect("assumption 6: creates a task and answers with it, not with an array", () =>
    Effect.gen(function*() {
      const body = { application_id: applicationId, variables: { a: "b" }, label: "Mine", tags: ["t"] }
      const created = yield* json("POST", tela.completions, { body })
      assert.deepStrictEqual(
        [created.status, created.name, created.label, created.tags, created.promptApplicationId],
        ["running", "Mine", "Mine", ["t"], applicationId]
      )
      yield* TestClock.adjust("5 seconds")
      const task = yield* get(created.id)
      assert.deepStrictEqual(
        [task.status, task.outputContent],
        ["validating", { role: "assistant", content: "The emulator was given a: b." }]
      )
    }).pipe(emulated()))
})

describe("a task", () => {
  it.effect("section 17: runs, waits for a person, and is completed by approval", () =>
    Effect.gen(function*() {
      const { id } = yield* create()
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* get(id)).status, "running")
      yield* TestClock.adjust("1 second")
      const waiting = yield* get(id)
      assert.deepStrictEqual(
        [waiting.status, waiting.updatedAt, waiting.outputContent, waiting.originalOutputContent],
        [
          "validating",
          "1970-01-01T00:00:05.000Z",
          { role: "assistant", content: "The emulator was given topic: Effect." },
          { role: "assistant", content: "The emulator was given topic: Effect." }
        ]
      )
      yield* TestClock.adjust("1 second")
      const approved = yield* patch(id, { status: "completed" })
      assert.deepStrictEqual(
        [approved.status, approved.approvedBy, approved.approvedAt, approved.updatedAt],
        ["completed", TelaEmulator.user, "1970-01-01T00:00:06.000Z", "1970-01-01T00:00:06.000Z"]
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* patch(id, { status: "completed" })).approvedAt, "1970-01-01T00:00:06.000Z")
    }).pipe(emulated()))

  it.effect("assumption 8: can complete without approval", () =>
    Effect.gen(function*() {
      const { id } = yield* create()
      yield* TestClock.adjust("5 seconds")
      const task = yield* get(id)
      assert.deepStrictEqual([task.status, task.approvedAt], ["completed", null])
    }).pipe(emulated({ autoComplete: true })))

  it.effect("fails with its run, and cannot be approved then", () =>
    Effect.gen(function*() {
      const { id } = yield* create({ promptApplicationId: TelaEmulator.failingCanvasId })
      yield* TestClock.adjust("5 seconds")
      const task = yield* get(id)
      assert.deepStrictEqual([task.status, task.outputContent], ["failed", null])
      assert.deepStrictEqual(
        yield* refusedPatch(id, { status: "completed" }),
        [400, "UPDATE_FAILED", "A failed task cannot be approved"]
      )
    }).pipe(emulated()))

  it.effect("reports running at first, for any length of its run", () =>
    Effect.gen(function*() {
      const created = yield* create()
      assert.deepStrictEqual([created.status, created.outputContent], ["running", null])
      assert.strictEqual((yield* get(created.id)).status, "validating")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: 0 }) } })))

  it.effect("rule 7: can progress with polls, and have other statuses", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ polls: { created: 1, running: 1 } })
      const { id } = yield* create()
      const seen: Array<string> = []
      for (let poll = 0; poll < 3; poll++) seen.push((yield* get(id)).status)
      assert.deepStrictEqual(seen, ["running", "running", "validating"])
      yield* emulator.script({ timeline: Timeline.make({ statuses: [{ from: 0, status: "cancelled" }] }) })
      assert.strictEqual((yield* create()).status, "cancelled")
    }).pipe(emulated()))

  it.effect("of a workflow has a workflow run", () =>
    Effect.gen(function*() {
      const created = yield* create({ promptApplicationId: TelaEmulator.workflowCanvasId })
      assert.isNull(created.completionRunId)
      assert.isString(created.workflowRunId)
    }).pipe(emulated()))

  it.effect("can come with analytics", () =>
    Effect.gen(function*() {
      const { id } = yield* reviewed({ a: 1 })
      yield* patch(id, { outputContent: { content: { a: 2 } } })
      assert.deepStrictEqual((yield* json("GET", `/task/${id}?includeAnalytics=true`)).analytics, {
        edits: 1,
        duration: 0
      })
      assert.deepStrictEqual(yield* refusal("GET", `/task/${other}`), [404, "NOT_FOUND", `Task not found: ${other}`])
    }).pipe(emulated()))
})

describe("PATCH /task/{id}", () => {
  it.effect("section 8.3: merges an output deeply, and notes each path that changed", () =>
    Effect.gen(function*() {
      const { id } = yield* reviewed({ total: 1, currency: "BRL", lines: [{ a: 1, b: 1 }, { a: 2 }], tags: ["x"] })
      yield* TestClock.adjust("1 minute")
      const changed = yield* patch(id, {
        outputContent: {
          content: { total: 2, currency: "BRL", lines: [{ a: 1 }, { a: 3 }], tags: ["x", "y"], n: null }
        }
      })
      assert.deepStrictEqual(changed.outputContent, {
        role: "assistant",
        content: { total: 2, currency: "BRL", lines: [{ a: 1, b: 1 }, { a: 3 }], tags: ["x", "y"], n: null }
      })
      const by = { author: TelaEmulator.user, editedAt: "1970-01-01T00:01:00.000Z" }
      assert.deepStrictEqual(changed.metadata.editedFields, [
        { path: "content.total", ...by, previousValue: 1 },
        { path: "content.lines.1.a", ...by, previousValue: 2 },
        { path: "content.tags", ...by, previousValue: ["x"] },
        { path: "content.n", ...by, previousValue: null }
      ])
      const again = yield* patch(id, { outputContent: { content: { lines: [] } } })
      assert.deepStrictEqual(
        [again.outputContent.content.lines, again.metadata.editedFields.length],
        [[], 5]
      )
      assert.strictEqual(again.originalOutputContent.content.total, 1)
      assert.strictEqual((yield* get(id)).outputContent.content.total, 2)
    }).pipe(emulated()))

  it.effect("replaces name and tags, and a text whole", () =>
    Effect.gen(function*() {
      const { id } = yield* reviewed("old")
      const changed = yield* patch(id, { name: "New", tags: ["b"], outputContent: { content: "new" } })
      assert.deepStrictEqual(
        [changed.name, changed.tags, changed.outputContent.content],
        ["New", ["b"], "new"]
      )
    }).pipe(emulated()))

  it.effect("rule 12: rejects a change of a running task", () =>
    Effect.gen(function*() {
      const { id } = yield* create()
      for (const body of [{ name: "x" }, { status: "completed" }, { outputContent: { content: 1 } }]) {
        assert.deepStrictEqual(
          yield* refusedPatch(id, body),
          [400, "UPDATE_FAILED", "A task that is running cannot be changed"]
        )
      }
    }).pipe(emulated()))

  it.effect("rejects every other status, wrong types, and unknown tasks", () =>
    Effect.gen(function*() {
      const { id } = yield* reviewed(1)
      assert.deepStrictEqual(
        yield* refusedPatch(id, { status: "failed" }),
        [400, "BAD_REQUEST", `status must be "completed", which approves the task`]
      )
      assert.deepStrictEqual(yield* refusedPatch(id, { name: 1 }), [400, "BAD_REQUEST", "name must be a string"])
      assert.strictEqual((yield* refusedPatch(id, { outputContent: "x" }))[0], 400)
      assert.strictEqual((yield* refusedPatch(other, { name: "x" }))[0], 404)
    }).pipe(emulated()))
})

describe("POST /task/{id}/rerun", () => {
  it.effect("assumption 28: runs a failed task again, and one that waits for approval, but no other", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const rerun = (id: string) => json("POST", `/task/${id}/rerun`)
      yield* emulator.script({ failure: {} })
      const created = yield* create()
      const { id } = created
      assert.deepStrictEqual(
        yield* refusal("POST", `/task/${id}/rerun`),
        [400, "BAD_REQUEST", "A task that is running cannot be run again"]
      )
      yield* TestClock.adjust("5 seconds")
      yield* emulator.script({ output: "better" })
      const again = yield* rerun(id)
      assert.strictEqual(again.status, "running")
      assert.notStrictEqual(again.completionRunId, created.completionRunId)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* get(id)).outputContent.content, "better")
      yield* patch(id, { outputContent: { content: "best" } })
      assert.isNull((yield* rerun(id)).outputContent)
      yield* TestClock.adjust("5 seconds")
      yield* patch(id, { status: "completed" })
      assert.strictEqual((yield* refusal("POST", `/task/${id}/rerun`))[0], 400)
    }).pipe(emulated()))
})

describe("GET /task", () => {
  const list = (query = "") => json("GET", `/task${query}`)
  const names = (query: string) => Effect.map(list(query), (page) => page.data.map((task: tela.Json) => task.name))

  const three = Effect.gen(function*() {
    const first = yield* create({ name: "Alpha", tags: ["a"], outputContent: { content: 1 } })
    yield* TestClock.adjust("1 minute")
    const second = yield* create({ name: "Beta", tags: ["a", "b"] })
    yield* TestClock.adjust("1 minute")
    const third = yield* create({ name: "alphabet", promptApplicationId: other })
    yield* patch(first.id, { status: "completed" })
    return [first, second, third] as const
  })

  it.effect("assumption 15: lists the newest first, page by page", () =>
    Effect.gen(function*() {
      yield* three
      const page = yield* list("?limit=2&offset=1")
      assert.deepStrictEqual(page.data.map((task: tela.Json) => task.name), ["Beta", "Alpha"])
      assert.deepStrictEqual(page.meta, { total: 3, limit: 2, offset: 1, currentPage: 1, totalPages: 2 })
    }).pipe(emulated()))

  it.effect("section 8.4: applies filters and an order", () =>
    Effect.gen(function*() {
      const [first, second] = yield* three
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
        ["?status=completed", ["Alpha"]],
        ["?status=running,validating", ["alphabet", "Beta"]],
        [`?ids=${first.id},${second.id}`, ["Beta", "Alpha"]],
        ["?taskName=alpha", ["alphabet", "Alpha"]],
        ["?tags=b", ["Beta"]],
        [`?promptApplicationId=${other}`, ["alphabet"]],
        [`?promptVersionId=${second.promptVersionId}`, ["Beta", "Alpha"]],
        [`?completionRunId=${second.completionRunId}`, ["Beta"]],
        [`?createdBy[]=${TelaEmulator.user}&createdBy[]=x`, ["alphabet", "Beta", "Alpha"]],
        [`?approvedBy[]=${TelaEmulator.user}`, ["Alpha"]],
        ["?createdAtSince=1970-01-01T00:00:30Z&createdAtUntil=1970-01-01T00:01:30Z", ["Beta"]],
        ["?updatedAtSince=1970-01-01T00:02:00Z", ["alphabet", "Alpha"]],
        ["?approvedAtSince=1970-01-01T00:02:00Z", ["Alpha"]],
        ["?since=1970-01-01T00:02:01Z", []],
        ["?until=1970-01-01T00:02:01Z", ["Alpha"]],
        ["?orderBy=name&order=asc", ["Alpha", "Beta", "alphabet"]],
        ["?orderBy=reference&order=desc", ["alphabet", "Beta", "Alpha"]],
        ["?orderBy=createdAt&order=asc", ["Alpha", "Beta", "alphabet"]]
      ]
      for (const [query, expected] of cases) assert.deepStrictEqual(yield* names(query), expected, query)
      for (const query of ["orderBy=constructor", "order=up", "limit=x", "createdAtSince=x", "until=x"]) {
        assert.strictEqual((yield* refusal("GET", `/task?${query}`))[0], 400)
      }
    }).pipe(emulated()))

  it.effect("can omit inputs and outputs", () =>
    Effect.gen(function*() {
      yield* create()
      const [row] = (yield* list("?excludeInputOutputColumns=true")).data
      assert.deepStrictEqual([row.name, "rawInput" in row, "outputContent" in row], ["Invoice 1", false, false])
    }).pipe(emulated()))

  it.effect("assumption 15: can be a bare array", () =>
    Effect.gen(function*() {
      yield* create()
      const tasks = (yield* list()) as ReadonlyArray<tela.Json>
      assert.deepStrictEqual(tasks.map((task) => task.name), ["Invoice 1"])
    }).pipe(emulated({ bareLists: true })))

  it.effect("returns the progress of the tasks of an app", () =>
    Effect.gen(function*() {
      const { id, promptVersionId } = yield* create()
      yield* reviewed(1)
      yield* create({ promptApplicationId: other })
      yield* TestClock.adjust("2 seconds")
      const query = `promptApplicationId=${applicationId}&promptApplicationVersionId=${promptVersionId}`
      const progress = yield* json("GET", `/task/progress?${query}`)
      assert.deepStrictEqual(progress.data.map((row: tela.Json) => row.progress), [
        { currentStep: 2, percentage: 40, totalSteps: 5 },
        { currentStep: 1, percentage: 100, totalSteps: 1 }
      ])
      assert.deepStrictEqual(
        [progress.data[0].taskId, progress.data[0].status, progress.metadata.total],
        [id, "running", 2]
      )
    }).pipe(emulated()))

  it.effect("lists the same tasks as the control service", () =>
    Effect.gen(function*() {
      const { completionRunId, id } = yield* create({ tags: ["a"] })
      assert.deepStrictEqual(yield* (yield* control).tasks, [
        { id, applicationId, name: "Invoice 1", status: "running", runId: completionRunId, tags: ["a"] }
      ])
    }).pipe(emulated()))
})
