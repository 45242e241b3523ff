import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import type * as TelaScript from "../../../../src/testing/TelaScript.ts"
import * as Timeline from "../../../../src/testing/Timeline.ts"
import * as tela from "../../tela.ts"

const { completions, emulated, other, refusal, uuid } = tela
const rejectedRun = (body: tela.Json) => rejected({ canvas_id: tela.canvasId, ...body })
const rejected = (body: unknown) => refusal("POST", completions, { body })
const control = TelaEmulator.TelaEmulator

describe("POST /v2/chat/completions", () => {
  it.effect("answers a synchronous call with a chat.completion", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_760_000_000_500)
      const body = yield* tela.run({ variables: { topic: "Effect", depth: 2 } })
      assert.match(body.id, /^crsv-[0-9a-z]{11}$/)
      assert.deepStrictEqual(body, {
        id: body.id,
        object: "chat.completion",
        created: 1_760_000_000,
        choices: [{ message: { role: "assistant", content: "The emulator was given topic: Effect, depth: 2." } }]
      })
    }).pipe(emulated()))

  it.effect("answers an asynchronous call with a run that was just created", () =>
    Effect.gen(function*() {
      const body = yield* tela.run({
        async: true,
        variables: { topic: "Effect" },
        messages: [{ role: "user", content: "Hi" }],
        override: { type: "chat", temperature: 0.5 }
      })
      assert.match(body.id, uuid)
      assert.deepStrictEqual(body, {
        id: body.id,
        status: "created",
        input_content: {
          variables: { topic: "Effect" },
          messages: [{ role: "user", content: "Hi" }],
          files: []
        },
        output_content: null,
        raw_input: {
          version_id: null,
          canvas_id: tela.canvasId,
          application_id: null,
          webhook_url: null,
          variables: { topic: "Effect" },
          messages: [{ role: "user", content: "Hi" }],
          override: { type: "chat", temperature: 0.5 }
        },
        raw_output: null,
        compatibility_date: "2025-07-23T00:00:00.000Z",
        prompt_version_id: body.prompt_version_id,
        prompt_application_id: null,
        workspace_id: TelaEmulator.workspaceId,
        created_at: "1970-01-01T00:00:00.000Z",
        updated_at: "1970-01-01T00:00:00.000Z",
        deleted_at: null
      })
      const canvas = yield* tela.json("GET", `/prompt/${tela.canvasId}/promoted-version`)
      assert.strictEqual(body.prompt_version_id, canvas.id)
    }).pipe(emulated()))

  it.effect("is asynchronous with a webhook_url, even without async", () =>
    Effect.gen(function*() {
      const body = yield* tela.run({ webhook_url: "https://example.com/hook" })
      assert.strictEqual(body.status, "created")
      assert.strictEqual(body.raw_input["webhook_url"], "https://example.com/hook")
    }).pipe(emulated()))

  it.effect("reports created at first, for any length of the run", () =>
    Effect.gen(function*() {
      const body = yield* tela.run({ async: true })
      assert.deepStrictEqual([body.status, body.output_content], ["created", null])
      assert.strictEqual((yield* tela.poll(body.id)).status, "succeeded")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: 0 }) } })))

  it.effect("rule 9: creates two runs for two equal requests", () =>
    Effect.gen(function*() {
      const first = yield* tela.run({ async: true })
      const second = yield* tela.run({ async: true })
      assert.notStrictEqual(first.id, second.id)
      assert.strictEqual((yield* (yield* control).runs).length, 2)
    }).pipe(emulated()))

  it.effect("rule 4: accepts unknown members, and assumption 21: keeps tags and label", () =>
    Effect.gen(function*() {
      const run = yield* tela.run({ async: true, long_response: true, input: {}, tags: ["a", "b"], label: "x" })
      assert.deepStrictEqual([run.tags, run.label], [["a", "b"], "x"])
    }).pipe(emulated()))

  it.effect("rejects a body that is not a JSON object", () =>
    Effect.gen(function*() {
      const wrong = (text: string) => refusal("POST", completions, { text })
      assert.deepStrictEqual(yield* wrong("{"), [400, "BAD_REQUEST", "Malformed JSON"])
      assert.deepStrictEqual(yield* wrong("\ufffe\ud800"), [400, "BAD_REQUEST", "Malformed JSON"])
      for (const text of ["[]", "null", "\"x\"", "7", ""]) {
        assert.deepStrictEqual(yield* wrong(text), [400, "BAD_REQUEST", "The body must be a JSON object"])
      }
    }).pipe(emulated()))

  it.effect("rejects members of the wrong type, and names them", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [tela.Json, string]> = [
        [{ canvas_id: 7 }, "canvas_id must be a string"],
        [{ canvas_id: "x" }, "canvas_id must be a UUID"],
        [{ canvas_id: null }, "One of canvas_id, version_id and application_id is required"],
        [{ stream: "true" }, "stream must be a boolean"],
        [{ async: 1 }, "async must be a boolean"],
        [{ variables: [] }, "variables must be an object"],
        [{ variables: "x" }, "variables must be an object"],
        [{ messages: {} }, "messages must be an array of { role, content }"],
        [{ messages: [{ role: "user" }] }, "messages must be an array of { role, content }"],
        [{ messages: [{ role: 1, content: "x" }] }, "messages must be an array of { role, content }"],
        [{ tags: "a" }, "tags must be an array of strings"],
        [{ tags: [1] }, "tags must be an array of strings"],
        [{ label: 1 }, "label must be a string"],
        [{ webhook_url: "ftp://x" }, "webhook_url must be an http(s) URL"],
        [{ webhook_url: 1 }, "webhook_url must be a string"],
        [{ override: "x" }, "override must be an object"],
        [{ override: { type: "x" } }, `override.type must be "chat" or "completion"`],
        [{ override: { model: 1 } }, "override.model must be a string"],
        [{ override: { temperature: 2 } }, "override.temperature must be between 0 and 1"],
        [{ override: { functions: {} } }, "override.functions must be an array of objects"],
        [{ override: { structured_output: true } }, "override.structured_output must be an object"],
        [
          { override: { structured_output: { enabled: "yes" } } },
          "override.structured_output.enabled must be a boolean"
        ],
        [{ override: { structured_output: { schema: [] } } }, "override.structured_output.schema must be an object"]
      ]
      for (const [body, message] of cases) {
        assert.deepStrictEqual(yield* rejectedRun(body), [400, "BAD_REQUEST", message])
      }
      assert.deepStrictEqual(yield* (yield* control).runs, [])
    }).pipe(emulated()))

  it.effect("F15: accepts null for any optional member, as the public client's types allow", () =>
    Effect.gen(function*() {
      const none = {
        version_id: null,
        application_id: null,
        environment_name: null,
        webhook_url: null,
        variables: null,
        messages: null,
        override: null,
        tags: null,
        label: null,
        async: null
      }
      const sync = yield* tela.run({ ...none, stream: null })
      assert.strictEqual(sync.object, "chat.completion")
      const created = yield* tela.run({ ...none, async: true, override: { type: null, model: null, functions: null } })
      assert.strictEqual(created.status, "created")
      const [task] = yield* tela.json("POST", "/task", {
        body: {
          promptApplicationId: tela.applicationId,
          name: "x",
          tags: null,
          metadata: null,
          outputContent: null,
          approvedAt: null,
          rawInput: { variables: {}, messages: null, webhook_url: null }
        }
      })
      assert.strictEqual(task.status, "running")
      assert.deepStrictEqual((yield* (yield* control).runs).map(({ request }) => request.webhook_url), [
        undefined,
        undefined,
        undefined
      ])
    }).pipe(emulated()))

  it.effect("F15: keeps null if it is a value of the caller", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true, variables: { note: null } })
      assert.deepStrictEqual((yield* (yield* control).runs)[0]?.request.variables, { note: null })
    }).pipe(emulated()))

  it.effect("assumption 37: rejects a request without a target, and targets and modes that exclude each other", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [tela.Json, string]> = [
        [{}, "One of canvas_id, version_id and application_id is required"],
        [{ version_id: "" }, "version_id must not be empty"],
        [{ application_id: "x" }, "application_id must be a UUID"],
        [{ application_id: other, canvas_id: other }, "application_id excludes canvas_id and version_id"],
        [{ application_id: other, version_id: other }, "application_id excludes canvas_id and version_id"],
        [{ version_id: other, environment_name: "x" }, "environment_name goes with canvas_id, without version_id"],
        [
          { canvas_id: other, version_id: other, environment_name: "x" },
          "environment_name goes with canvas_id, without version_id"
        ],
        [{ application_id: other, stream: true }, "An application cannot be streamed"],
        [{ canvas_id: other, stream: true, async: true }, "stream excludes async"],
        [{ canvas_id: other, stream: true, webhook_url: "https://x.y" }, "stream excludes webhook_url"],
        // Assumption 5.
        [{ canvas_id: TelaEmulator.workflowCanvasId, stream: true }, "A workflow cannot be streamed"]
      ]
      for (const [body, message] of cases) {
        assert.deepStrictEqual(yield* rejected(body), [400, "BAD_REQUEST", message])
      }
    }).pipe(emulated()))

  it.effect("rejects a file without a valid URL, at any depth", () =>
    Effect.gen(function*() {
      const message = "file_url must be an http(s) URL, a data: URL in base64 or vault://<file id>"
      for (const file_url of ["", "report.pdf", "ftp://x/y", "vault://x", "data:text/plain,x", "http://"]) {
        assert.deepStrictEqual(yield* rejectedRun({ variables: { a: { file_url } } }), [400, "BAD_REQUEST", message])
      }
      const deep = { variables: { a: [{ b: { files: [{ file_url: "x" }] } }] } }
      assert.deepStrictEqual(yield* rejectedRun(deep), [400, "BAD_REQUEST", message])
      assert.deepStrictEqual(
        yield* rejectedRun({ variables: { a: { file_url: 7 } } }),
        [400, "BAD_REQUEST", "file_url must be a string"]
      )
      assert.deepStrictEqual(
        yield* rejectedRun({ variables: { a: { file_url: "https://x.y/z", options: 1 } } }),
        [400, "BAD_REQUEST", "options of a file must be an object"]
      )
    }).pipe(emulated()))
})

describe("a synchronous execution", () => {
  it.effect("is answered after the scripted time, on the clock of the emulator", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(tela.run({}))
      yield* TestClock.adjust("89 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).object, "chat.completion")
      const second = yield* Effect.forkChild(tela.run({}))
      yield* TestClock.adjust("1 minute")
      yield* (yield* control).advance("89 minutes")
      assert.strictEqual((yield* Fiber.join(second)).object, "chat.completion")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: "90 minutes" }) } })))

  it.effect("is answered with 500 when it fails", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* rejected({ canvas_id: TelaEmulator.failingCanvasId }),
        [500, "EXECUTION_FAILED", "The execution failed"]
      )
    }).pipe(emulated()))

  it.effect("is text or an object, as scripted", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const contents: Array<unknown> = []
      const outputs: ReadonlyArray<TelaScript.Output> = ["text", { total: 42 }, 7, ({ variables }) => variables]
      for (const output of outputs) {
        yield* emulator.script({ output })
        contents.push((yield* tela.run({ variables: { a: 1 } })).choices[0].message.content)
      }
      assert.deepStrictEqual(contents, ["text", { total: 42 }, "7", { a: 1 }])
    }).pipe(emulated()))
})

describe("a workflow", () => {
  const canvas_id = TelaEmulator.workflowCanvasId

  it.effect("section 3.3: answers a synchronous call with its steps", () =>
    Effect.gen(function*() {
      const run = yield* tela.run({ canvas_id, variables: { a: "b" } })
      assert.deepStrictEqual(
        { ...run, steps: run.steps.map(({ input, name, output }: tela.Json) => ({ name, input, output })) },
        {
          id: run.id,
          promptVersionId: canvas_id,
          status: "completed",
          startedAt: "1970-01-01T00:00:00.000Z",
          completedAt: "1970-01-01T00:00:00.000Z",
          steps: [
            { name: "Read", input: { a: "b" }, output: "Read." },
            { name: "Answer", input: "Read.", output: "The emulator was given a: b." }
          ]
        }
      )
    }).pipe(emulated()))

  it.effect("assumption 11: is an ordinary run when asynchronous, with the output of the last step", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ canvas_id, async: true, variables: { a: "b" } })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* tela.poll(id)).output_content.content, "The emulator was given a: b.")
    }).pipe(emulated()))

  it.effect("reports its failure in the response", () =>
    Effect.gen(function*() {
      yield* (yield* control).script({ failure: {} })
      const run = yield* tela.run({ canvas_id })
      assert.deepStrictEqual([run.status, run.steps[1].output], ["failed", null])
    }).pipe(emulated()))
})

describe("GET /v1/completion-run", () => {
  const list = (query = "") => tela.json("GET", `/v1/completion-run${query}`)

  it.effect("assumption 15: lists the runs that can be looked up, the last changed first, page by page", () =>
    Effect.gen(function*() {
      const ids: Array<string> = []
      for (let n = 0; n < 12; n++) {
        ids.unshift((yield* tela.run({ async: true })).id)
        yield* TestClock.adjust("10 seconds")
      }
      yield* tela.run({})
      const first = yield* list()
      assert.deepStrictEqual(first.data.map((run: tela.Json) => run.id), ids.slice(0, 10))
      assert.deepStrictEqual(first.meta, { total: 12, limit: 10, offset: 0, currentPage: 1, totalPages: 2 })
      const second = yield* list("?limit=10&offset=10")
      assert.deepStrictEqual(second.data.map((run: tela.Json) => run.id), ids.slice(10))
      assert.strictEqual(second.meta.currentPage, 2)
      assert.deepStrictEqual(
        [(yield* list("?limit=1000")).meta.limit, (yield* list("?limit=0")).meta.limit],
        [100, 1]
      )
      const [run] = first.data
      assert.deepStrictEqual([run.status, run.outputContent.role, run.updatedAt], [
        "succeeded",
        "assistant",
        "1970-01-01T00:01:55.000Z"
      ])
    }).pipe(emulated()))

  it.effect("assumption 16: applies filters, and rejects malformed and unknown ones", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true, tags: ["a"] })
      yield* TestClock.adjust("1 minute")
      yield* tela.run({ async: true, tags: ["b"], canvas_id: other })
      const total = (query: string) => Effect.map(list(query), (page) => page.meta.total)
      assert.deepStrictEqual([
        yield* total("?status=succeeded"),
        yield* total("?status=created,succeeded"),
        yield* total("?tags=b"),
        yield* total(`?promptId=${other}`),
        yield* total("?createdAtSince=1970-01-01T00:00:30Z"),
        yield* total("?createdAtUntil=1970-01-01T00:00:30Z")
      ], [1, 2, 1, 1, 1, 1])
      for (const name of ["promptId", "promptVersionId", "promptApplicationId"]) {
        const [status] = yield* refusal("GET", `/v1/completion-run?${name}=${tela.applicationId}`)
        assert.strictEqual(status, 404)
      }
      for (const query of ["limit=x", "offset=1.5", "createdAtSince=yesterday"]) {
        const [status] = yield* refusal("GET", `/v1/completion-run?${query}`)
        assert.strictEqual(status, 400)
      }
    }).pipe(emulated()))

  it.effect("assumption 15: can be a bare array", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true })
      assert.isArray(yield* list())
    }).pipe(emulated({ bareLists: true })))
})
