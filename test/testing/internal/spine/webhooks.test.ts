import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline, type WebhookDelivery } from "canvas-runs/testing"
import * as Hmac from "../../../../src/internal/webhooks/hmac.ts"
import * as SyncHmac from "../../../support/syncHmac.ts"
import * as receiver from "../../receiver.ts"
import * as spine from "../../spine.ts"

vi.mock("../../../../src/internal/webhooks/hmac.ts", () => import("../../../support/syncHmac.ts"))

const control = SpineEmulator.SpineEmulator
const url = "http://127.0.0.1:9/hook"
const secret = "whsec_emulator_0001"

const called = <E>(
  options: SpineEmulator.Options,
  statuses: ReadonlyArray<number>,
  test: (
    calls: ReadonlyArray<receiver.Call>
  ) => Effect.Effect<void, E, SpineEmulator.SpineEmulator | HttpClient.HttpClient>
) => {
  const { calls, client } = receiver.make(statuses, 204)
  return Effect.provide(
    test(calls),
    SpineEmulator.layerTest({ webhooks: [{ url, secret }], webhookClient: client, ...options })
  )
}

const typesOf = (calls: ReadonlyArray<receiver.Call>) => calls.map((call) => call.body.type)
const verified = (call: receiver.Call) =>
  Spine.constructEvent(call.text, call.headers["spine-signature"], Redacted.make(secret))

const deliveries = Effect.map(Effect.flatMap(control, (emulator) => emulator.deliveries), receiver.summary)

describe("Spine webhooks", () => {
  it("are signed without a promise in this test, with the same signature as with one", async () => {
    const real = await vi.importActual<typeof Hmac>("../../../../src/internal/webhooks/hmac.ts")
    const body = new TextEncoder().encode("body")
    const tag = Effect.runSync(SyncHmac.sign("key", ["1.", body]))
    assert.deepStrictEqual(await Effect.runPromise(real.sign("key", ["1.", body])), tag)
    assert.strictEqual(Hmac.sign, SyncHmac.sign)
    assert.isTrue(Effect.runSync(SyncHmac.verifyAny("key", [tag], ["1.", body])))
  })

  it.effect("section 8: report a start and an end, flat, with every header, signed over the raw body", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        const { run_id } = yield* spine.created()
        yield* TestClock.adjust(0)
        yield* TestClock.adjust("719999 millis")
        assert.strictEqual(calls.length, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(calls.length, 2)
        const [started, ended] = calls
        assert.deepStrictEqual(started?.body.data.object, { run_id, status: "running" })
        assert.strictEqual(started?.body.created, 0)
        const body = ended?.body
        assert.match(body.id, /^evt_[0-9a-f]{32}$/)
        assert.deepStrictEqual({ ...body, id: 0, data: 0 }, {
          id: 0,
          type: "run.completed",
          created: 720,
          livemode: false,
          api_version: "2026-04-01",
          data: 0
        })
        const { artifacts, canvas_id, final_output, ...rest } = body.data.object
        assert.deepStrictEqual(rest, { run_id, status: "completed", duration_ms: 720_000 })
        const polled = yield* spine.run(run_id)
        assert.strictEqual(polled.canvas_id, canvas_id)
        if (polled.status !== "completed") return assert.fail("the run has not completed")
        assert.strictEqual(polled.result.final_output, final_output)
        const ids = (list: ReadonlyArray<{ readonly id: string }>) => list.map(({ id }) => id)
        assert.deepStrictEqual(ids(polled.result.artifacts), ids(artifacts))
        const file = yield* spine.download(artifacts[0].download_url)
        assert.strictEqual(file.status, 200)
        assert.deepInclude(ended?.headers, {
          "content-type": "application/json",
          "user-agent": "Spine-Webhooks/1.0",
          "spine-event-id": body.id,
          "spine-event-type": "run.completed"
        })
        if (ended !== undefined) assert.strictEqual((yield* verified(ended))._tag, "run")
        assert.deepStrictEqual(yield* deliveries, [
          ["run.started", "delivered", 204, 1],
          ["run.completed", "delivered", 204, 1]
        ])
        const [, delivery] = yield* (yield* control).deliveries
        assert.deepStrictEqual(
          [delivery?.id, delivery?.subjectId, delivery?.createdAt, delivery?.headers["spine-signature"]],
          [body.id, run_id, 720_000, ended?.headers["spine-signature"]]
        )
      })))

  it.effect("W3: can be nested, like the answer to a poll", () =>
    called({ nestedWebhooks: true, script: { canvasIdAfter: 0 } }, [], (calls) =>
      Effect.gen(function*() {
        const { run_id } = yield* spine.created()
        yield* TestClock.adjust("12 minutes")
        const { canvas_id, metadata, result, status } = calls[1]!.body.data.object
        const polled = yield* spine.run(run_id)
        if (polled.status !== "completed") return assert.fail("the run has not completed")
        assert.deepStrictEqual([canvas_id, metadata, status, result.final_output], [
          polled.canvas_id,
          polled.metadata,
          "completed",
          polled.result.final_output
        ])
        assert.strictEqual(calls[0]?.body.data.object.canvas_id, canvas_id)
      })))

  it.effect("W4: report a failed run with its reason", () =>
    called(
      {
        script: {
          timeline: Timeline.make({ duration: "1 second", outcome: "failed", errors: ["no", "luck"] }),
          canvasIdAfter: "never"
        }
      },
      [],
      (calls) =>
        Effect.gen(function*() {
          const { run_id } = yield* spine.created()
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(typesOf(calls), ["run.started", "run.failed"])
          assert.deepStrictEqual(calls[1]?.body.data.object, {
            run_id,
            status: "failed",
            duration_ms: 1000,
            errors: [{ error: "no" }, { error: "luck" }]
          })
        })
    ))

  it.effect("W5: do not report a partial run, unless the emulator is configured to", () =>
    Effect.gen(function*() {
      const script = { timeline: Timeline.make({ duration: "1 second", outcome: "partial" }) }
      const types = (options: SpineEmulator.Options, expected: ReadonlyArray<unknown>) =>
        called({ script, ...options }, [], (calls) =>
          Effect.gen(function*() {
            yield* spine.created()
            yield* TestClock.adjust("1 hour")
            assert.deepStrictEqual(calls.map((call) => [call.body.type, call.body.data.object.status]), expected)
          }))
      yield* types({}, [["run.started", "running"]])
      yield* types({ partialWebhooks: true }, [["run.started", "running"], ["run.completed", "partial"]])
    }))

  it.effect("go to their subscribers, and the test event goes to all", () => {
    const at = (port: number) => `http://localhost:${port}/`
    return called(
      {
        webhooks: [
          { url: at(1), secret: "a", events: ["run.failed"] },
          { url: at(2), secret: "b", events: ["run.completed", "run.started"] },
          { url: at(3), secret: "c", events: ["*"] },
          { url: "https://example.com/", secret: "d" }
        ]
      },
      [],
      (calls) =>
        Effect.gen(function*() {
          const emulator = yield* control
          yield* spine.created()
          yield* TestClock.adjust("12 minutes")
          yield* emulator.ping
          yield* TestClock.adjust(0)
          assert.deepStrictEqual(calls.map((call) => [call.url, call.body.type]), [
            [at(2), "run.started"],
            [at(3), "run.started"],
            [at(2), "run.completed"],
            [at(3), "run.completed"],
            [at(1), "webhook.ping"],
            [at(2), "webhook.ping"],
            [at(3), "webhook.ping"]
          ])
          assert.deepStrictEqual(calls[4]?.body.data, { object: {} })
          assert.strictEqual(calls[4]?.body.id, calls[5]?.body.id, "one event for all subscribers")
          assert.notStrictEqual(calls[4]?.headers["spine-signature"], calls[5]?.headers["spine-signature"])
          const elsewhere = (yield* emulator.deliveries).filter((delivery) => delivery.url.includes("example.com"))
          assert.deepStrictEqual(elsewhere.map(({ attempts, status }) => [status, attempts]), [
            ["refused", 0],
            ["refused", 0],
            ["refused", 0]
          ])
        })
    )
  })

  it.effect("W6: are repeated after 1, 5 and 30 seconds, with the same id and a new time", () =>
    called(
      { script: { timeline: Timeline.make({ duration: Infinity }) } },
      [500, 0, 302, 204],
      (calls) =>
        Effect.gen(function*() {
          yield* spine.created()
          yield* TestClock.adjust("1 hour")
          // The second attempt had ten seconds for its response.
          assert.deepStrictEqual(calls.map(({ at }) => at), [0, 1000, 16_000, 46_000])
          assert.strictEqual(new Set(calls.map(({ text }) => text)).size, 1)
          assert.deepStrictEqual(
            calls.map(({ headers }) => /t=(\d+)/.exec(headers["spine-signature"] ?? "")?.[1]),
            ["0", "1", "16", "46"]
          )
          assert.deepStrictEqual(yield* deliveries, [["run.started", "delivered", 204, 4]])
        })
    ))

  it.effect("W6: end after the last attempt; the pauses can be scaled", () =>
    called({ webhookRetries: ["10 millis"] }, [500, 500, 204], (calls) =>
      Effect.gen(function*() {
        yield* (yield* control).ping
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(calls.map(({ at }) => at), [0, 10])
        assert.deepStrictEqual(yield* deliveries, [["webhook.ping", "failed", 500, 2]])
      })))

  it.effect("follow the clock and the speed of the emulator", () =>
    called({ speed: 10 }, [500], (calls) =>
      Effect.gen(function*() {
        const emulator = yield* control
        yield* emulator.advance("1 hour")
        yield* spine.created()
        yield* TestClock.adjust(0)
        yield* emulator.advance("72 seconds")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(typesOf(calls), ["run.started", "run.started", "run.completed"])
        assert.strictEqual(calls[2]?.body.created, 3672)
        // The signature has the time of the receivers.
        assert.match(calls[2]?.headers["spine-signature"] ?? "", /^t=0,/)
      })))

  it.effect("report earlier runs to later subscribers when they end", () =>
    called({ webhooks: [] }, [], (calls) =>
      Effect.gen(function*() {
        const emulator = yield* control
        yield* spine.created()
        yield* TestClock.adjust("12 minutes")
        yield* spine.created()
        yield* TestClock.adjust("1 minute")
        yield* emulator.webhooks({ url, secret })
        yield* emulator.webhooks({ url: "http://localhost:2/", secret })
        yield* TestClock.adjust("12 minutes")
        assert.deepStrictEqual(calls.map((call) => [call.url, call.body.type]), [[
          "http://localhost:2/",
          "run.completed"
        ]])
      })))

  it.effect("can be ahead of the polls, whose status comes from the timeline", () =>
    called(
      {
        script: {
          timeline: Timeline.make({ duration: "1 minute", statuses: [{ from: 0, to: "2 minutes", status: "running" }] })
        }
      },
      [],
      (calls) =>
        Effect.gen(function*() {
          const { run_id } = yield* spine.created()
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(calls[1]?.body.data.object.status, "completed")
          assert.strictEqual((yield* spine.run(run_id)).status, "running")
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* spine.run(run_id)).status, "completed")
        })
    ))

  it.effect("K2: do not go to the webhook_url of a run", () =>
    called({ webhooks: [] }, [], (calls) =>
      Effect.gen(function*() {
        yield* spine.created(spine.part("webhook_url", url))
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual([calls.length, (yield* deliveries).length], [0, 0])
      })))
})

const mishaps: ReadonlyArray<WebhookDelivery.Mishap | undefined> = [
  { delay: "10 seconds" },
  undefined,
  { lost: true },
  { copies: 3, delay: "1 second", gap: "2 seconds" }
]

describe("faults of webhooks", () => {
  it.effect("lose, delay, duplicate and reorder webhooks", () =>
    called(
      {
        deliveryScript: ({ index }) => mishaps[index]
      },
      [],
      (calls) =>
        Effect.gen(function*() {
          const emulator = yield* control
          for (let n = 0; n < 4; n++) yield* emulator.ping
          yield* TestClock.adjust("1 minute")
          const ids = (yield* emulator.deliveries).map(({ id }) => id)
          assert.deepStrictEqual(calls.map((call) => [call.at, ids.indexOf(call.body.id)]), [
            [0, 1],
            [1000, 3],
            [3000, 3],
            [5000, 3],
            [10_000, 0]
          ])
          assert.deepStrictEqual((yield* deliveries).map(([, status, , attempts]) => [status, attempts]), [
            ["delivered", 1],
            ["delivered", 1],
            ["lost", 0],
            ["delivered", 3]
          ])
        })
    ))

  it.effect("repeat a webhook whose response is lost", () =>
    called({ deliveryScript: { unanswered: 2 } }, [], (calls) =>
      Effect.gen(function*() {
        yield* (yield* control).ping
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(calls.map(({ at }) => at), [0, 11_000, 26_000])
        assert.deepStrictEqual(yield* deliveries, [["webhook.ping", "delivered", 204, 3]])
      })))

  it.effect("count a webhook as delivered if one copy arrives, and as failed if none does", () =>
    Effect.gen(function*() {
      const outcome = (statuses: ReadonlyArray<number>, status: string) =>
        called(
          { webhookRetries: [], deliveryScript: { copies: 2, gap: "1 second" } },
          statuses,
          () =>
            Effect.gen(function*() {
              yield* (yield* control).ping
              yield* TestClock.adjust("1 minute")
              assert.deepStrictEqual(
                (yield* deliveries).map(([, status]) => status),
                [status]
              )
            })
        )
      yield* outcome([204, 500], "delivered")
      yield* outcome([500, 204], "delivered")
      yield* outcome([500, 500], "failed")
    }))

  it.effect("can be changed, for webhooks that are due from then on", () =>
    called({}, [], (calls) =>
      Effect.gen(function*() {
        const emulator = yield* control
        yield* emulator.ping
        yield* emulator.scriptDeliveries({ lost: true })
        yield* emulator.ping
        yield* emulator.scriptDeliveries(() => undefined)
        yield* emulator.ping
        yield* TestClock.adjust(0)
        assert.strictEqual(calls.length, 2)
      })))
})

describe("the options of the emulator", () => {
  it.effect("let the script depend on the request, and script(...) of the service override it", () =>
    called(
      {
        script: ({ prompt }) => ({
          timeline: Timeline.make({ duration: prompt.length * 1000 }),
          finalOutput: prompt.toUpperCase()
        })
      },
      [],
      () =>
        Effect.gen(function*() {
          const { run_id } = yield* spine.created()
          yield* TestClock.adjust("30 seconds")
          const run = yield* spine.run(run_id)
          assert.strictEqual(run.status, "completed")
          if (run.status === "completed") assert.strictEqual(run.result.final_output, "COMPARE THREE VECTOR DATABASES")
          yield* (yield* control).script({ finalOutput: "own" })
          const other = yield* spine.created()
          yield* TestClock.adjust("30 seconds")
          const own = yield* spine.run(other.run_id)
          if (own.status === "completed") assert.strictEqual(own.result.final_output, "own")
          assert.strictEqual(own.status, "completed")
        })
    ))

  it.effect("can delay a response, whose request is handled at once", () =>
    called({ webhooks: [] }, [], () =>
      Effect.gen(function*() {
        const emulator = yield* control
        yield* emulator.fault(Fault.answerLate("30 seconds"))
        const fiber = yield* Effect.forkChild(spine.created())
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* emulator.runs)[0]?.createdAt, 0)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("20 seconds")
        assert.isDefined(fiber.pollUnsafe())
      })))
})
