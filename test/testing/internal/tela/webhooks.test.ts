import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import { until } from "../../../support/until.ts"
import * as receiver from "../../receiver.ts"
import * as tela from "../../tela.ts"
import { onBody, serve } from "../../../support/servers.ts"

const { json, refusal } = tela
const control = TelaEmulator.TelaEmulator
const hook = "http://127.0.0.1:9/hook"

const called = (
  options: TelaEmulator.Options,
  statuses: ReadonlyArray<number>,
  test: (
    calls: ReadonlyArray<receiver.Call>
  ) => Effect.Effect<void, unknown, TelaEmulator.TelaEmulator | HttpClient.HttpClient>
) => {
  const { calls, client } = receiver.make(statuses, 200)
  return Effect.provide(test(calls), TelaEmulator.layerTest({ webhookClient: client, ...options }))
}

const deliveries = Effect.map(Effect.flatMap(control, (emulator) => emulator.deliveries), receiver.summary)

describe("the webhook of a single run", () => {
  it.effect("section 3.6: is called once with the finished run, and the headers forwarded to it", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        const { id } = yield* tela.run({ webhook_url: hook }, {
          headers: { "x-tela-forward-authorization": "Bearer mine", "x-tela-forward-x-trace": "7", "x-other": "8" }
        })
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(calls.length, 0)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(calls.length, 1)
        const [call] = calls
        assert.strictEqual(call?.url, hook)
        assert.deepStrictEqual(
          [call?.headers["authorization"], call?.headers["x-trace"], call?.headers["x-other"]],
          ["Bearer mine", "7", undefined]
        )
        assert.deepStrictEqual(call?.body, yield* tela.poll(id))
        assert.strictEqual(call?.body.status, "succeeded")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(calls.length, 1)
        const [delivery] = yield* (yield* control).deliveries
        assert.deepStrictEqual(
          [delivery?.subjectId, delivery?.url, delivery?.createdAt, delivery?.webhookId],
          [id, hook, 5000, undefined]
        )
        assert.deepStrictEqual(yield* deliveries, [["run", "delivered", 200, 1]])
      })))

  it.effect("is called for a run that failed, for a task, and when the emulator's clock is moved", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        yield* tela.run({ webhook_url: hook, canvas_id: TelaEmulator.failingCanvasId })
        yield* json("POST", tela.completions, { body: { application_id: tela.applicationId, webhook_url: hook } })
        yield* (yield* control).advance("5 seconds")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(calls.map(({ body }) => [body.status, body.prompt_application_id]), [
          ["failed", null],
          ["succeeded", tela.applicationId]
        ])
      })))

  it.effect("is called when polls have progressed the run to its end", () =>
    called({ script: { polls: { created: 0, running: 1 } } }, [], (calls) =>
      Effect.gen(function*() {
        const { id } = yield* tela.run({ webhook_url: hook })
        yield* tela.poll(id)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(calls.length, 0)
        yield* tela.poll(id)
        yield* TestClock.adjust(0)
        assert.strictEqual(calls.length, 1)
      })))

  it.effect("assumption 13: is not called again when it fails, unless the emulator is configured to", () =>
    Effect.gen(function*() {
      yield* called({}, [500], (calls) =>
        Effect.gen(function*() {
          yield* tela.run({ webhook_url: hook })
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(calls.length, 1)
          assert.deepStrictEqual(yield* deliveries, [["run", "failed", 500, 1]])
        }))
      yield* called({ webhookAttempts: 3 }, [500, 0, 204], (calls) =>
        Effect.gen(function*() {
          yield* tela.run({ webhook_url: hook })
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* deliveries, [["run", "pending", 500, 1]])
          yield* TestClock.adjust("1 second")
          assert.strictEqual(calls.length, 2)
          // Ten seconds without a response, and two before the next attempt.
          yield* TestClock.adjust("12 seconds")
          assert.strictEqual(calls.length, 3)
          assert.deepStrictEqual(yield* deliveries, [["run", "delivered", 204, 3]])
        }))
    }))

  it.effect("is recorded and not called if its URL is on another machine", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        const urls = [
          "https://example.com/hook",
          "http://127.0.0.1.evil.example/",
          "http://",
          "http://localhost:1/",
          "http://[::1]:1/"
        ]
        for (const webhook_url of urls) yield* tela.run({ webhook_url })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(calls.map((call) => call.url), ["http://localhost:1/", "http://[::1]:1/"])
        assert.deepStrictEqual(
          (yield* deliveries).map(([, status]) => status),
          ["refused", "refused", "refused", "delivered", "delivered"]
        )
      })))

  it.effect("may go to other hosts if the emulator allows them", () =>
    called({ webhookHosts: ["hooks.test"] }, [], (calls) =>
      Effect.gen(function*() {
        yield* tela.run({ webhook_url: "https://hooks.test/a" })
        yield* tela.run({ webhook_url: hook })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(calls.map((call) => call.url), ["https://hooks.test/a"])
      })))

  it.live("arrives over a socket, and follows no redirect", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [string | undefined, tela.Json]> = []
      const { baseUrl } = yield* serve((request, response) =>
        onBody(request, (body) => {
          seen.push([request.headers["x-mine"] as string | undefined, JSON.parse(body.toString())])
          response.writeHead(302, { location: "/elsewhere" }).end()
        })
      )
      const { id } = yield* tela.run({ webhook_url: `${baseUrl}/` }, {
        headers: { "x-tela-forward-x-mine": "yes" }
      })
      const emulator = yield* control
      yield* emulator.advance("5 seconds")
      yield* until(Effect.map(emulator.deliveries, ([delivery]) => delivery?.status === "failed"))
      assert.deepStrictEqual(seen.map(([header, body]) => [header, body.id, body.status]), [
        ["yes", id, "succeeded"]
      ])
      assert.deepStrictEqual(yield* deliveries, [["run", "failed", 302, 1]])
    }).pipe(Effect.scoped, Effect.provide(TelaEmulator.layerTest())))
})

describe("subscriptions", () => {
  const path = `/prompt-application/${tela.applicationId}/webhooks`
  const subscription = {
    name: "Mine",
    url: hook,
    events: ["task.completed", "task.failed", "task.approved"],
    headers: { "x-secret": "s", "x-open": "o" },
    sensitiveHeaders: ["x-secret"]
  }
  const subscribe = (overrides: tela.Json = {}) => json("POST", path, { body: { ...subscription, ...overrides } })
  const createTask = Effect.fnUntraced(function*(promptApplicationId = tela.applicationId) {
    const tasks = yield* json("POST", "/task", {
      body: {
        promptApplicationId,
        name: "Invoice 1",
        rawInput: { variables: { doc: { file_url: "https://x.y/a.pdf" } } }
      },
      headers: { "x-tela-forward-x-open": "forwarded" }
    })
    return (tasks as ReadonlyArray<tela.Json>)[0]!
  })

  it.effect("section 9: are called when a task's run ends and when it is approved", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        const webhook = yield* subscribe()
        const { id } = yield* createTask()
        yield* createTask("33333333-3333-4333-8333-333333333333")
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(calls.length, 1)
        const [call] = calls
        assert.deepStrictEqual([call?.headers["x-secret"], call?.headers["x-open"]], ["s", "forwarded"])
        assert.deepStrictEqual(call?.body, {
          id: call?.body.id,
          event: "task.completed",
          timestamp: "1970-01-01T00:00:05.000Z",
          // Assumption 9: the name of the event differs from the status of the task.
          task: { id, title: "Invoice 1", description: "", status: "validating", reference: 1 },
          inputContent: { files: [{ filename: "a.pdf", content: "Content of a.pdf", type: "file" }] },
          outputContent: { role: "assistant", content: "The emulator was given doc: a.pdf." }
        })
        yield* json("PATCH", `/task/${id}`, { body: { status: "completed" } })
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([calls[1]?.body.event, calls[1]?.body.task.status], [
          "task.approved",
          "completed"
        ])
        assert.notStrictEqual(calls[0]?.body.id, calls[1]?.body.id)
        // Assumption 14.
        const history = yield* json("GET", `/webhook/${webhook.id}/deliveries`)
        const row = { status: "delivered", statusCode: 200, attempts: 1, createdAt: "1970-01-01T00:00:05.000Z" }
        const [approved, completed] = history.data
        assert.deepStrictEqual([approved, completed], [
          { id: approved.id, event: "task.approved", ...row },
          { id: completed.id, event: "task.completed", ...row }
        ])
        assert.strictEqual(history.meta.total, 2)
      })))

  it.effect("assumption 10: are called when an approval is revoked, under a configurable name", () =>
    Effect.gen(function*() {
      const revoked = (options: TelaEmulator.Options, event: string) =>
        called(options, [], (calls) =>
          Effect.gen(function*() {
            const emulator = yield* control
            yield* subscribe({ events: [event] })
            const { id } = yield* createTask()
            yield* TestClock.adjust("5 seconds")
            assert.isFalse(yield* emulator.revokeApproval(id))
            yield* json("PATCH", `/task/${id}`, { body: { status: "completed" } })
            assert.isTrue(yield* emulator.revokeApproval(id))
            yield* TestClock.adjust(0)
            assert.deepStrictEqual(calls.map(({ body }) => [body.event, body.task.status]), [[event, "validating"]])
            const task = yield* json("GET", `/task/${id}`)
            assert.deepStrictEqual([task.status, task.approvedBy], ["validating", null])
          }))
      yield* revoked({}, "task.approval_revoked")
      yield* revoked({ approvalRevokedEvent: "task.reopened" }, "task.reopened")
    }))

  it.effect("are called when a task fails, only for their events, and not while they are paused", () =>
    called({ script: { failure: {} } }, [], (calls) =>
      Effect.gen(function*() {
        yield* subscribe({ events: ["task.completed"] })
        const { id } = yield* subscribe({ events: ["task.failed"], url: "http://localhost/failed" })
        yield* createTask()
        yield* TestClock.adjust("5 seconds")
        yield* json("PATCH", `/webhook/${id}`, { body: { isActive: false } })
        yield* createTask()
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(calls.map(({ body, url }) => [url, body.event]), [
          ["http://localhost/failed", "task.failed"]
        ])
      })))

  it.effect("can be read and changed, and hide their sensitive headers", () =>
    called({}, [], () =>
      Effect.gen(function*() {
        const created = yield* subscribe()
        const { id } = created
        assert.deepStrictEqual(created, {
          id,
          promptApplicationId: tela.applicationId,
          workspaceId: TelaEmulator.workspaceId,
          name: "Mine",
          url: hook,
          method: "POST",
          events: subscription.events,
          headers: { "x-secret": "***", "x-open": "o" },
          sensitiveHeaders: ["x-secret"],
          isActive: true,
          createdAt: "1970-01-01T00:00:00.000Z",
          updatedAt: "1970-01-01T00:00:00.000Z"
        })
        yield* TestClock.adjust("1 second")
        const changed = yield* json("PATCH", `/webhook/${id}`, { body: { headers: { a: "b" }, events: ["x"] } })
        assert.deepStrictEqual(
          [changed.headers, changed.events, changed.name, changed.updatedAt],
          [{ a: "b" }, ["x"], "Mine", "1970-01-01T00:00:01.000Z"]
        )
        assert.deepStrictEqual(yield* json("GET", `/webhook/${id}`), changed)
      })))

  it.effect("can be tested, which always answers 200 and leaves no delivery", () =>
    called({}, [204, 500], (calls) =>
      Effect.gen(function*() {
        const { id } = yield* subscribe()
        const test = (body: tela.Json) => json("POST", `/webhook/${id}/test`, { body })
        assert.deepStrictEqual(
          yield* test({ eventType: "task.approved", mockData: { task: { name: "Mock", reference: 9 } } }),
          { success: true, statusCode: 204 }
        )
        assert.deepStrictEqual([
          calls[0]?.body.event,
          calls[0]?.body.task.title,
          calls[0]?.body.task.reference
        ], [
          "task.approved",
          "Mock",
          9
        ])
        assert.deepStrictEqual(yield* test({ eventType: "task.failed" }), { success: false, statusCode: 500 })
        yield* json("PATCH", `/webhook/${id}`, { body: { url: "https://example.com/" } })
        assert.deepStrictEqual(yield* test({ eventType: "task.failed" }), { success: false, statusCode: null })
        assert.deepStrictEqual(yield* deliveries, [])
        assert.strictEqual((yield* refusal("POST", `/webhook/${id}/test`, { body: {} }))[0], 400)
      })))

  it.effect("reject incomplete requests, and are not found under other ids", () =>
    called({}, [], () =>
      Effect.gen(function*() {
        const cases: ReadonlyArray<readonly [tela.Json, string]> = [
          [{ name: undefined }, "name, url and events are required"],
          [{ url: "x" }, "url must be an http(s) URL"],
          [{ events: [] }, "events must not be empty"],
          [{ events: "x" }, "events must be an array of strings"],
          [{ headers: { a: 1 } }, "headers must be texts"]
        ]
        for (const [body, message] of cases) {
          assert.deepStrictEqual(
            yield* refusal("POST", path, { body: { ...subscription, ...body } }),
            [400, "BAD_REQUEST", message]
          )
        }
        assert.strictEqual(
          (yield* refusal("POST", `/prompt-application/${TelaEmulator.unknownCanvasId}/webhooks`, {
            body: subscription
          }))[0],
          404
        )
        assert.strictEqual((yield* refusal("GET", `/webhook/${tela.canvasId}`))[0], 404)
      })))
})
