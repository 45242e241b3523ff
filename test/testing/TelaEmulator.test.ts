import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import * as Fault from "../../src/testing/Fault.ts"
import * as TelaEmulator from "../../src/testing/TelaEmulator.ts"
import type * as TelaScript from "../../src/testing/TelaScript.ts"
import * as Timeline from "../../src/testing/Timeline.ts"
import * as tela from "./tela.ts"

const { completions, emulated, refusal } = tela
const control = TelaEmulator.TelaEmulator
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const other = "33333333-3333-4333-8333-333333333333"

const refused = (body: unknown) => refusal("POST", completions, { body })
const refusedRun = (body: tela.Json) => refused({ canvas_id: tela.canvasId, ...body })

describe("every answer", () => {
  it.effect("rule 1: an error says its status, a code, a message and its name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("GET", `${completions}/${other}`)),
        tela.refused(404, "NOT_FOUND", `Run not found: ${other}`)
      )
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("GET", "/nowhere")),
        tela.refused(404, "NOT_FOUND", "There is nothing here")
      )
      const put = yield* tela.send("PUT", "/task")
      assert.deepStrictEqual([put.status, put.headers["allow"]], [405, "POST, GET"])
    }).pipe(emulated()))

  it.effect("rule 1: so does one that a fault brings about, and 429 says when to come back (assumption 19)", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.fault(Fault.status(402), Fault.status(418), Fault.status(429))
      assert.deepStrictEqual(
        yield* tela.raw(tela.send("POST", "/task")),
        tela.refused(402, "USAGE_LIMIT_REACHED", "The workspace has reached its monthly usage limit")
      )
      assert.deepStrictEqual(yield* tela.raw(tela.send("GET", "/task")), tela.refused(418, "HTTP_418", "HTTP 418"))
      const slow = yield* tela.send("GET", "/task")
      assert.deepStrictEqual([slow.status, slow.headers["retry-after"]], [429, "1"])
    }).pipe(emulated()))

  it.effect("rule 2: has an x-request-id that is never the same, errors and streams too", () =>
    Effect.gen(function*() {
      const body = { canvas_id: tela.canvasId }
      const answers = [
        yield* tela.send("POST", completions, { body }),
        yield* tela.send("POST", completions, { body: { ...body, stream: true } }),
        yield* tela.send("POST", completions, { body: {} }),
        yield* tela.send("GET", "/nowhere", { authorization: null })
      ]
      const ids = answers.map((response) => response.headers["x-request-id"])
      assert.strictEqual(new Set(ids).size, 4)
      assert.deepStrictEqual(ids, (yield* (yield* control).requests).map((request) => request.id))
    }).pipe(emulated()))
})

describe("authentication", () => {
  it.effect("rule 5: takes any bearer key or data token, and nothing else outside the vault", () =>
    Effect.gen(function*() {
      const answer = (authorization: string | null, headers = {}) =>
        Effect.map(tela.send("GET", "/api-key", { authorization, headers }), (response) => response.status)
      assert.strictEqual(yield* answer("Bearer x"), 200)
      assert.strictEqual(yield* answer("bearer eyJ.a.b"), 200)
      assert.strictEqual(yield* answer(null, { "x-data-token": "x" }), 200)
      assert.strictEqual(yield* answer(null), 401)
      assert.strictEqual(yield* answer("x"), 401)
      assert.strictEqual(yield* answer("Basic x"), 401)
      assert.strictEqual(yield* answer("Bearer "), 401)
      assert.strictEqual(yield* answer(null, { "x-data-token": "" }), 401)
      assert.deepStrictEqual(
        yield* refusal("GET", "/api-key", { authorization: null }),
        [401, "UNAUTHORIZED", "An API key is required"]
      )
    }).pipe(emulated()))

  it.effect("takes only the keys it was given, if it was given any, until they are revoked", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const answer = (key: string) =>
        Effect.map(tela.send("GET", "/api-key", { authorization: `Bearer ${key}` }), (response) => response.status)
      assert.deepStrictEqual([yield* answer("a"), yield* answer("b"), yield* answer("c")], [200, 200, 401])
      yield* emulator.revokeKey("a")
      yield* emulator.revokeKey("b", { after: "5 minutes" })
      assert.deepStrictEqual([yield* answer("a"), yield* answer("b")], [401, 200])
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* answer("b"), 401)
    }).pipe(emulated({ apiKeys: ["a", "b"] })))

  it.effect("looks at the key before it looks at the body", () =>
    Effect.gen(function*() {
      const [status] = yield* refusal("POST", completions, { text: "{", authorization: null })
      assert.strictEqual(status, 401)
    }).pipe(emulated()))
})

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

  it.effect("is asynchronous with a webhook_url, without being told so", () =>
    Effect.gen(function*() {
      const body = yield* tela.run({ webhook_url: "https://example.com/hook" })
      assert.strictEqual(body.status, "created")
      assert.strictEqual(body.raw_input["webhook_url"], "https://example.com/hook")
    }).pipe(emulated()))

  it.effect("says created at first, however short the run", () =>
    Effect.gen(function*() {
      const body = yield* tela.run({ async: true })
      assert.deepStrictEqual([body.status, body.output_content], ["created", null])
      assert.strictEqual((yield* tela.poll(body.id)).status, "succeeded")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: 0 }) } })))

  it.effect("rule 9: never takes two equal requests for one", () =>
    Effect.gen(function*() {
      const first = yield* tela.run({ async: true })
      const second = yield* tela.run({ async: true })
      assert.notStrictEqual(first.id, second.id)
      assert.strictEqual((yield* (yield* control).runs).length, 2)
    }).pipe(emulated()))

  it.effect("rule 4: accepts members it does not know, and assumption 21: keeps tags and label", () =>
    Effect.gen(function*() {
      const run = yield* tela.run({ async: true, long_response: true, input: {}, tags: ["a", "b"], label: "x" })
      assert.deepStrictEqual([run.tags, run.label], [["a", "b"], "x"])
    }).pipe(emulated()))

  it.effect("refuses a body that is not a JSON object", () =>
    Effect.gen(function*() {
      const wrong = (text: string) => refusal("POST", completions, { text })
      assert.deepStrictEqual(yield* wrong("{"), [400, "BAD_REQUEST", "Malformed JSON"])
      assert.deepStrictEqual(yield* wrong("\ufffe\ud800"), [400, "BAD_REQUEST", "Malformed JSON"])
      for (const text of ["[]", "null", "\"x\"", "7", ""]) {
        assert.deepStrictEqual(yield* wrong(text), [400, "BAD_REQUEST", "The body must be a JSON object"])
      }
    }).pipe(emulated()))

  it.effect("refuses members of the wrong type, and says which", () =>
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
        assert.deepStrictEqual(yield* refusedRun(body), [400, "BAD_REQUEST", message])
      }
      assert.deepStrictEqual(yield* (yield* control).runs, [])
    }).pipe(emulated()))

  it.effect("F15: takes null for any optional member, as the public client's types allow", () =>
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

  it.effect("F15: keeps null where it is a value of the caller", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true, variables: { note: null } })
      assert.deepStrictEqual((yield* (yield* control).runs)[0]?.request.variables, { note: null })
    }).pipe(emulated()))

  it.effect("assumption 37: refuses a request without a target, and targets and modes that exclude each other", () =>
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
        assert.deepStrictEqual(yield* refused(body), [400, "BAD_REQUEST", message])
      }
    }).pipe(emulated()))

  it.effect("refuses a file that no URL leads to, at any depth", () =>
    Effect.gen(function*() {
      const message = "file_url must be an http(s) URL, a data: URL in base64 or vault://<file id>"
      for (const file_url of ["", "report.pdf", "ftp://x/y", "vault://x", "data:text/plain,x", "http://"]) {
        assert.deepStrictEqual(yield* refusedRun({ variables: { a: { file_url } } }), [400, "BAD_REQUEST", message])
      }
      const deep = { variables: { a: [{ b: { files: [{ file_url: "x" }] } }] } }
      assert.deepStrictEqual(yield* refusedRun(deep), [400, "BAD_REQUEST", message])
      assert.deepStrictEqual(
        yield* refusedRun({ variables: { a: { file_url: 7 } } }),
        [400, "BAD_REQUEST", "file_url must be a string"]
      )
      assert.deepStrictEqual(
        yield* refusedRun({ variables: { a: { file_url: "https://x.y/z", options: 1 } } }),
        [400, "BAD_REQUEST", "options of a file must be an object"]
      )
    }).pipe(emulated()))
})

describe("a run", () => {
  const statusOf = (id: string) => Effect.map(tela.poll(id), (run) => [run.status, run.updated_at])

  it.effect("rule 7: is created, runs and succeeds in the course of time, and says when", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true, variables: { a: "b" } })
      assert.deepStrictEqual(yield* statusOf(id), ["created", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["created", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:01.000Z"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:01.000Z"])
      yield* TestClock.adjust("1 hour")
      const run = yield* tela.poll(id)
      assert.deepStrictEqual([run.status, run.updated_at], ["succeeded", "1970-01-01T00:00:05.000Z"])
      assert.deepStrictEqual(run.output_content, {
        role: "assistant",
        content: "The emulator was given a: b.",
        tool_calls: [],
        information: { duration: 5, cost: 0.01, input_tokens: 100, output_tokens: 20 },
        has_structured_output: false
      })
      assert.deepStrictEqual(run.raw_output, { content: "The emulator was given a: b." })
    }).pipe(emulated()))

  it.effect("assumption 12: stays created as long as it was told", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "created")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "running")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: "2 minutes" }), createdFor: "1 minute" } })))

  it.effect("rule 7: moves with polls, if it was told so", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      const seen: Array<string> = []
      for (let poll = 0; poll < 6; poll++) {
        yield* TestClock.adjust("1 second")
        seen.push((yield* tela.poll(id)).status)
      }
      assert.deepStrictEqual(seen, ["created", "created", "running", "running", "running", "succeeded"])
      const run = yield* tela.poll(id)
      assert.deepStrictEqual([run.status, run.updated_at], ["succeeded", "1970-01-01T00:00:06.000Z"])
      assert.strictEqual((yield* (yield* control).runs)[0]?.polls, 7)
    }).pipe(emulated({ script: { polls: { created: 2, running: 3 } } })))

  it.effect("rule 8: goes on when nobody looks", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* (yield* control).runs).map((run) => run.status), ["succeeded"])
    }).pipe(emulated()))

  it.effect("goes as many times faster as the speed says", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* TestClock.adjust("499 millis")
      assert.strictEqual((yield* tela.poll(id)).status, "running")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["succeeded", "1970-01-01T00:00:00.500Z"])
    }).pipe(emulated({ speed: 10 })))

  it.effect("ends with the emulator's clock, if that one is moved", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* (yield* control).advance("5 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "succeeded")
    }).pipe(emulated()))

  it.effect("assumption 2: says what went wrong in raw_output when it failed", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed", errors: ["Too long"] }) })
      const { id } = yield* tela.run({ async: true })
      const run = yield* tela.poll(id)
      assert.deepStrictEqual(
        [run.status, run.output_content, run.raw_output],
        ["failed", null, { error: { code: "EXECUTION_FAILED", message: "Too long" } }]
      )
      yield* emulator.script({ failure: { code: "MODEL", message: "Overloaded" } })
      const second = yield* tela.run({ async: true })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* tela.poll(second.id)).raw_output, {
        error: { code: "MODEL", message: "Overloaded" }
      })
    }).pipe(emulated()))

  it.effect("can name statuses that nobody knows, and bumps updated_at with them", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      assert.deepStrictEqual(yield* statusOf(id), ["queued", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:03.000Z"])
    }).pipe(emulated({
      script: {
        timeline: Timeline.make({ duration: "5 seconds", statuses: [{ from: 0, to: "3 seconds", status: "queued" }] })
      }
    })))

  it.effect("assumption 1: can come in camel case, or with credits_used", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true, variables: { my_var: { inner_key: 1 } } })
      yield* TestClock.adjust("5 seconds")
      const run = yield* tela.poll(id)
      assert.deepStrictEqual(
        [run.outputContent["hasStructuredOutput"], run.outputContent["information"].inputTokens],
        [false, 100]
      )
      assert.deepStrictEqual(run.inputContent["variables"], { my_var: { inner_key: 1 } })
      assert.deepStrictEqual([run.creditsUsed, run.rawInput["canvasId"]], [1, tela.canvasId])
      assert.isFalse("updated_at" in run)
    }).pipe(
      emulated({ camelCaseRuns: true }),
      Effect.andThen(
        Effect.gen(function*() {
          const { id } = yield* tela.run({ async: true })
          assert.strictEqual((yield* tela.poll(id)).credits_used, 1)
        }).pipe(emulated({ creditsUsed: true }))
      )
    ))

  it.effect("section 3.5: cannot be looked up if it was synchronous or streamed", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({})
      yield* tela.streamText({})
      const own = (yield* (yield* control).runs).map((run) => run.id)
      for (const gone of [id, ...own]) {
        assert.deepStrictEqual(
          yield* refusal("GET", `${completions}/${gone}`),
          [404, "NOT_FOUND", `Run not found: ${gone}`]
        )
      }
    }).pipe(emulated()))

  it.effect("is recorded with what was asked for, and its request with its body", () =>
    Effect.gen(function*() {
      const body = { version_id: other, variables: { a: 1 }, tags: ["t"], async: true }
      yield* tela.json("POST", completions, { body })
      const emulator = yield* control
      const [run] = yield* emulator.runs
      assert.deepStrictEqual(
        [run?.request.mode, run?.request.variables, run?.request.tags, run?.versionId],
        ["async", { a: 1 }, ["t"], other]
      )
      assert.deepStrictEqual((yield* emulator.requests)[0]?.json, body)
    }).pipe(emulated()))

  it.effect("is the same in every test that starts with the same random numbers", () =>
    Effect.gen(function*() {
      const ids = Effect.map(tela.run({ async: true }), (run) => run.id).pipe(
        emulated(),
        Random.withSeed("tela")
      )
      assert.strictEqual(yield* ids, yield* ids)
    }))
})

describe("a synchronous execution", () => {
  it.effect("is held back as long as a scripted run takes, and no longer than the emulator's clock says", () =>
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
        yield* refused({ canvas_id: TelaEmulator.failingCanvasId }),
        [500, "EXECUTION_FAILED", "The execution failed"]
      )
    }).pipe(emulated()))

  it.effect("is text or an object, whatever was scripted", () =>
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

describe("the output nobody scripted", () => {
  const content = (body: tela.Json) => Effect.map(tela.run(body), (run) => run.choices[0].message.content)

  it.effect("is a text that repeats what was given", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* content({}), "The emulator was given nothing.")
      assert.strictEqual(
        yield* content({
          variables: {
            topic: "Effect",
            doc: [{ file_url: "https://x.y/a.pdf?x=1" }, { file_url: "https://x.y/", file_name: "b.pdf" }],
            inline: { file_url: "data:text/plain;base64,eA==" },
            data: { a: [1] }
          },
          messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: "?" }]
        }),
        `The emulator was given topic: Effect, doc: a.pdf and b.pdf, inline: inline, data: {"a":[1]}, user: Hi.`
      )
    }).pipe(emulated()))

  it.effect("assumption 22: is an object after the schema of the request", () =>
    Effect.gen(function*() {
      const schema = {
        type: "object",
        title: "Invoice",
        description: "",
        required: [],
        properties: {
          city: { type: "string" },
          summary: { type: "string", maxLength: 10 },
          total: { type: "number" },
          count: { type: "integer", minimum: 100 },
          small: { type: "number", exclusiveMaximum: 1, multipleOf: 0.5 },
          paid: { type: "boolean" },
          currency: { enum: ["USD", "BRL"] },
          kind: { const: "invoice" },
          at: { type: "string", format: "date-time" },
          lines: { type: "array", minItems: 2, items: { $ref: "#/$defs/line" } },
          pair: { type: "array", prefixItems: [{ type: "string" }, { type: "null" }] },
          note: { anyOf: [{ type: "null" }, { type: "string" }] },
          maybe: { type: ["null", "integer"] },
          both: {
            allOf: [{ type: "object", properties: { a: { type: "boolean" } } }, {
              properties: { b: { type: "null" } }
            }]
          },
          long: { type: "string", minLength: 12 },
          anything: {}
        },
        $defs: { line: { type: "object", properties: { price: { type: "integer", maximum: 3 } } } }
      }
      const variables = { city: "Lisbon", total: "12.5", currency: "BRL", paid: false }
      assert.deepStrictEqual(
        yield* content({ variables, override: { type: "chat", structured_output: { enabled: true, schema } } }),
        {
          city: "Lisbon",
          summary: "summary of",
          total: 12.5,
          count: 100,
          small: 0.5,
          paid: false,
          currency: "BRL",
          kind: "invoice",
          at: "2026-01-02T03:04:05.000Z",
          lines: [{ price: 3 }, { price: 3 }],
          pair: ["pair of Lisbon", null],
          note: "note of Lisbon",
          maybe: 42,
          both: { a: true, b: null },
          long: "long of Lisbon",
          anything: "anything of Lisbon"
        }
      )
    }).pipe(emulated()))

  it.effect("is an object after the schema of the canvas, unless the request switches that off", () =>
    Effect.gen(function*() {
      const { id } = yield* (yield* control).canvas({
        structuredOutput: { type: "object", properties: { total: { type: "number" } } }
      })
      assert.deepStrictEqual(yield* content({ canvas_id: id }), { total: 42 })
      assert.strictEqual(
        yield* content({ canvas_id: id, override: { type: "chat", structured_output: { enabled: false } } }),
        "The emulator was given nothing."
      )
      const run = yield* tela.run({ canvas_id: id, async: true })
      yield* TestClock.adjust("5 seconds")
      assert.isTrue((yield* tela.poll(run.id)).output_content.has_structured_output)
    }).pipe(emulated()))

  it.effect("ends, even for a schema that contains itself", () =>
    Effect.gen(function*() {
      const schema = { type: "object", properties: { child: { $ref: "#" } } }
      const body = { override: { type: "chat", structured_output: { enabled: true, schema } } }
      assert.isObject(yield* content(body))
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

  it.effect("says that it failed in the answer", () =>
    Effect.gen(function*() {
      yield* (yield* control).script({ failure: {} })
      const run = yield* tela.run({ canvas_id })
      assert.deepStrictEqual([run.status, run.steps[1].output], ["failed", null])
    }).pipe(emulated()))
})

describe("scripts", () => {
  it.effect("hold for the runs created after them, and go over what the canvas and the options say", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const { id } = yield* emulator.canvas({ script: () => ({ output: "canvas" }) })
      const content = (body: tela.Json) => Effect.map(tela.run(body), (run) => run.choices[0].message.content)
      assert.strictEqual(yield* content({}), "options")
      assert.strictEqual(yield* content({ canvas_id: id }), "canvas")
      yield* emulator.script(({ variables }) => variables.x === 1 ? { output: "script" } : { output: undefined })
      assert.strictEqual(yield* content({ canvas_id: id, variables: { x: 1 } }), "script")
      assert.strictEqual(yield* content({ canvas_id: id }), "canvas")
    }).pipe(emulated({ script: { output: "options" } })))
})

describe("GET /v1/completion-run", () => {
  const list = (query = "") => tela.json("GET", `/v1/completion-run${query}`)

  it.effect("assumption 15: lists what can be looked up, last change first, page by page", () =>
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

  it.effect("assumption 16: takes filters, and refuses what it cannot read or find", () =>
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

describe("the emulator in memory", () => {
  it.effect("answers only for its own origins", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      const error = yield* Effect.flip(http.get("https://elsewhere.example/"))
      assert.match(String(error.reason), /TransportError/)
      assert.strictEqual((yield* http.get("https://tela.test/api-key")).status, 401)
    }).pipe(emulated({ origin: "https://tela.test" })))

  it("is a function from a web request to a promise of a response", async () => {
    const { control, dispose, handler } = TelaEmulator.toWebHandler()
    const headers = { authorization: "Bearer x" }
    const post = (body?: unknown) =>
      handler(
        new Request(`${tela.origin}${completions}`, {
          method: "POST",
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
      )
    assert.strictEqual((await post()).status, 400)
    const { id } = await (await post({ canvas_id: tela.canvasId, async: true })).json()
    await Effect.runPromise(control.advance("5 seconds"))
    const run = await (await handler(new Request(`${tela.origin}${completions}/${id}`, { headers }))).json()
    assert.strictEqual(run.status, "succeeded")
    await dispose()
  })
})
