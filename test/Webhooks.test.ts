import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, type Duration, Effect, Fiber, Layer, Logger, Redacted, Schema } from "effect"
import { HttpBody, HttpClientRequest, HttpRouter, HttpServerRequest } from "effect/http"
import type { IncomingHttpHeaders } from "node:http"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { TestClock } from "effect/testing"
import { RunError, Spine, Tela, Webhooks } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as Hmac from "../src/internal/webhooks/hmac.ts"
import { failure, finish, success } from "./support/results.ts"
import { until } from "./support/until.ts"
import { bytes } from "./support/bytes.ts"

describe("HMAC-SHA256", () => {
  it.effect("gives the values of RFC 4231", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* Hmac.sign("\u000b".repeat(20), ["Hi ", bytes("There")]),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      )
      assert.strictEqual(
        yield* Hmac.sign("Jefe", ["what do ya want ", bytes("for nothing?")]),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      )
    }))
})

const reasonOf = (error: RunError.WebhookSignatureError | RunError.ConfigError) =>
  error._tag === "WebhookSignatureError" ? error.reason : error.message

const secret = Redacted.make("whsec_emulator_0001")
const vector = {
  time: 1_767_225_600,
  body:
    "{\"id\":\"evt_0f8b6a1c2d3e4f5061728394a5b6c7d8\",\"type\":\"webhook.ping\",\"created\":1767225600,\"livemode\":false,\"api_version\":\"2026-04-01\",\"data\":{\"object\":{}}}",
  header: "t=1767225600,v1=6ed28720d796d759f2bdc5b92114f1424549d4766bbb5d0dcf91d457b65f2b3d"
}

describe("Spine.constructEvent", () => {
  it.effect("accepts the contract's test vector as text, bytes and a buffer", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(vector.time * 1000)
      for (const payload of [vector.body, bytes(vector.body), bytes(vector.body).slice().buffer]) {
        const event = yield* Spine.constructEvent(payload, vector.header, secret)
        assert.strictEqual(event.type, "webhook.ping")
        assert.strictEqual(event.id, "evt_0f8b6a1c2d3e4f5061728394a5b6c7d8")
        assert.deepStrictEqual(event.raw, JSON.parse(vector.body))
      }
      assert.strictEqual(yield* Spine.signWebhook(vector.body, secret), vector.header)
    }))

  const wrong: ReadonlyArray<
    readonly [string, body: string, header: string | undefined, key: string, RunError.WebhookSignatureError["reason"]]
  > = [
    ["no header", vector.body, undefined, "whsec_emulator_0001", "missing"],
    ["an empty header", vector.body, " ", "whsec_emulator_0001", "missing"],
    ["a header without a time", vector.body, vector.header.replace("t=", "x="), "whsec_emulator_0001", "malformed"],
    ["a header without a signature", vector.body, "t=1767225600", "whsec_emulator_0001", "malformed"],
    ["a signature that is not hexadecimal", vector.body, "t=1767225600,v1=zz", "whsec_emulator_0001", "malformed"],
    [
      "a signature of another scheme",
      vector.body,
      vector.header.replace("v1=", "v0="),
      "whsec_emulator_0001",
      "malformed"
    ],
    [
      "a header whose time is given as a signature",
      vector.body,
      vector.header.replace("t=", "v1="),
      "whsec_emulator_0001",
      "malformed"
    ],
    [
      "a time other than the signed one",
      vector.body,
      vector.header.replace("5600", "5601"),
      "whsec_emulator_0001",
      "mismatch"
    ],
    ["another body", `${vector.body} `, vector.header, "whsec_emulator_0001", "mismatch"],
    ["another secret", vector.body, vector.header, "whsec_emulator_0002", "mismatch"],
    ["a secret without its prefix", vector.body, vector.header, "emulator_0001", "mismatch"]
  ]
  for (const [name, body, header, key, reason] of wrong) {
    it.effect(`rejects ${name}, and shows no secret`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(vector.time * 1000)
        const error = yield* Effect.flip(Spine.constructEvent(body, header, Redacted.make(key)))
        assert.instanceOf(error, RunError.WebhookSignatureError)
        assert.strictEqual(error.reason, reason)
        assert.notInclude(JSON.stringify(error), key)
      }))
  }

  it.effect("accepts one of several signatures, as during the rotation of a secret", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(vector.time * 1000)
      const other = `v1=${"ab".repeat(32)}`
      for (
        const header of [
          `${vector.header},${other}`,
          vector.header.replace(",", `,${other},`),
          `t=x,v1=zz,${vector.header}`,
          vector.header.replace(/[0-9a-f]{64}$/, (digits) => digits.toUpperCase()),
          `v0=x, ${vector.header.replace(",", " , ")}`
        ]
      ) {
        assert.strictEqual((yield* Spine.constructEvent(vector.body, header, secret)).type, "webhook.ping")
      }
    }))

  it.effect("rejects an event that is older or newer than the tolerance", () =>
    Effect.gen(function*() {
      for (
        const [seconds, tolerance, isFine] of [
          [300, undefined, true],
          [301, undefined, false],
          [-300, undefined, true],
          [-301, undefined, false],
          [60, "30 seconds", false],
          [3600, "1 hour", true]
        ] as const
      ) {
        yield* TestClock.setTime((vector.time + seconds) * 1000)
        const result = yield* Effect.result(Spine.constructEvent(vector.body, vector.header, secret, { tolerance }))
        assert.strictEqual(result._tag, isFine ? "Success" : "Failure", `${seconds} s`)
        if (result._tag === "Failure") assert.strictEqual(reasonOf(result.failure), "stale")
      }
    }))

  const event = (type: string, object: unknown) =>
    JSON.stringify({ id: "evt_1", type, created: 1, livemode: true, data: { object } })
  const construct = (body: string) =>
    Effect.flatMap(Spine.signWebhook(body, secret), (header) => Spine.constructEvent(body, header, secret))
  const artifact = { id: "1", type: "png", name: "a.png", download_url: "https://x.example/a", size_bytes: 1 }

  it.effect("reads events about runs in the flat and in the nested form", () =>
    Effect.gen(function*() {
      const flat = yield* construct(
        event("run.completed", {
          run_id: "r",
          canvas_id: "c",
          status: "completed",
          duration_ms: 3,
          final_output: "text",
          artifacts: [artifact]
        })
      )
      const nested = yield* construct(
        event("run.completed", {
          run_id: "r",
          canvas_id: "c",
          status: "completed",
          duration_ms: 3,
          result: { final_output: "text", artifacts: [artifact] }
        })
      )
      assert.strictEqual(flat._tag, "run")
      if (flat._tag === "run" && nested._tag === "run") {
        assert.deepStrictEqual(flat.run, nested.run)
        assert.deepStrictEqual(flat.run, {
          run_id: "r",
          canvas_id: "c",
          status: "completed",
          duration_ms: 3,
          final_output: "text",
          artifacts: [artifact]
        })
      }
      const odd = yield* construct(
        event("run.completed", { run_id: "r", status: "completed", result: "text", error: { code: 1 } })
      )
      assert.deepStrictEqual(odd._tag === "run" ? odd.run : undefined, { run_id: "r", status: "completed" })
      for (
        const [type, said, status] of [
          ["run.started", undefined, "running"],
          ["run.completed", undefined, "completed"],
          ["run.failed", 7, "failed"],
          ["run.completed", "partial", "partial"]
        ] as const
      ) {
        const read = yield* construct(event(type, { run_id: "r", status: said }))
        assert.strictEqual(read._tag === "run" ? read.run.status : undefined, status)
      }
      const empty = yield* construct(event("run.completed", { run_id: "r", status: "completed", result: null }))
      assert.deepStrictEqual(empty._tag === "run" ? empty.run : undefined, { run_id: "r", status: "completed" })
      for (const failed of [{ error: "no luck" }, { errors: [{ error: "no luck" }] }]) {
        const event_ = yield* construct(event("run.failed", { run_id: "r", status: "failed", ...failed }))
        assert.deepStrictEqual(event_._tag === "run" ? event_.run.errors : undefined, [{ error: "no luck" }])
      }
    }))

  it.effect("decodes unknown event types, and rejects a body that does not fit its type", () =>
    Effect.gen(function*() {
      const tomorrow = yield* construct(event("run.paused", { anything: 1 }))
      assert.deepInclude(tomorrow, { _tag: "other", type: "run.paused", object: { anything: 1 } })
      for (const body of ["", "[]", "3", "null", "{}", event("run.completed", {}), event("run.completed", null)]) {
        const error = yield* Effect.flip(construct(body))
        assert.strictEqual(reasonOf(error), "body")
      }
    }))

  it.effect.prop(
    "fails with a typed error for any argument",
    [Schema.String, Schema.String],
    ([body, header]) =>
      Effect.gen(function*() {
        const result = yield* Effect.result(Spine.constructEvent(body, header, secret))
        assert.strictEqual(result._tag, "Failure")
        const signed = yield* Effect.result(construct(body))
        if (signed._tag === "Failure") assert.strictEqual(reasonOf(signed.failure), "body")
      })
  )
})

describe("Tela.constructEvent", () => {
  const key = Redacted.make("tela webhook secret")
  const body = JSON.stringify({ id: "1", status: "succeeded", output_content: { role: "assistant", content: "x" } })

  it.effect("accepts a body only with the headers that were forwarded with its execution", () =>
    Effect.gen(function*() {
      const headers = yield* Tela.webhookHeaders(key)
      const snapshot = yield* Tela.constructEvent(body, headers, key)
      assert.deepInclude(snapshot, { id: "1", status: "succeeded", output: "x" })
      assert.notInclude(JSON.stringify(headers), Redacted.value(key))
      const again = yield* Tela.webhookHeaders(key)
      assert.notDeepEqual(headers, again, "each execution has a different token")
      for (
        const [given, reason] of [
          [{}, "missing"],
          [{ [Tela.webhookHeader]: "x" }, "malformed"],
          [{ [Tela.webhookHeader]: `abc.${"0".repeat(64)}` }, "mismatch"],
          [yield* Tela.webhookHeaders(Redacted.make("another")), "mismatch"]
        ] as const
      ) {
        assert.strictEqual(reasonOf(yield* Effect.flip(Tela.constructEvent(body, given, key))), reason)
      }
      assert.strictEqual(reasonOf(yield* Effect.flip(Tela.constructEvent("{}", headers, key))), "body")
    }))

  it.effect("accepts the headers of any server: a record in any case, Node's with lists, or a web Headers", () =>
    Effect.gen(function*() {
      const headers = yield* Tela.webhookHeaders(key)
      const token = headers[Tela.webhookHeader]!
      const ofNode: IncomingHttpHeaders = { host: "x.example", "set-cookie": ["a", "b"], ...headers }
      const upper = { [Tela.webhookHeader.toUpperCase()]: token }
      for (const given of [new Headers(headers), ofNode, upper, { get: "a header of this name", ...headers }]) {
        assert.strictEqual((yield* Tela.constructEvent(body, given, key)).id, "1")
      }
      const revoked = Proxy.revocable({}, {})
      revoked.revoke()
      for (const none of [new Headers(), new Map(), null, "text", 5, revoked.proxy]) {
        assert.strictEqual(reasonOf(yield* Effect.flip(Tela.constructEvent(body, none as never, key))), "missing")
      }
      const wordsFor = (headers: unknown) =>
        Effect.map(Effect.flip(Tela.constructEvent(body, headers as never, key)), ({ message }) => message)
      assert.include(yield* wordsFor(token), "The headers are text. Pass all headers")
      assert.include(yield* wordsFor(5), "The headers are 5. Pass all headers")
      assert.include(yield* wordsFor({}), `There is no ${Tela.webhookHeader} header.`)
    }))

  it.effect("rejects a parsed body, without its content in the error", () =>
    Effect.gen(function*() {
      const headers = yield* Tela.webhookHeaders(key)
      for (const payload of [JSON.parse(body), 5, null, undefined]) {
        const error = yield* Effect.flip(Tela.constructEvent(payload as never, headers, key))
        assert.strictEqual(reasonOf(error), "body")
        assert.match(error.message, /^The payload is .*\. Pass the bytes or the text/)
        assert.notInclude(error.message, "succeeded")
      }
    }))

  it.effect("accepts a token only unchanged, and ids only in the form of ids", () =>
    Effect.gen(function*() {
      const headers = yield* Tela.webhookHeaders(key)
      const token = headers[Tela.webhookHeader]!
      const reasonFor = (header: unknown) =>
        Effect.map(
          Effect.flip(Tela.constructEvent(body, { [Tela.webhookHeader]: header as string }, key)),
          reasonOf
        )
      for (const header of [null, undefined]) assert.strictEqual(yield* reasonFor(header), "missing")
      for (const header of ["", `!${token}`, `${token}0`, "x", "x.", `.${"0".repeat(64)}`, 7, [token], {}]) {
        assert.strictEqual(yield* reasonFor(header), "malformed", String(header))
      }
      const withId = (id: string) => Tela.constructEvent(JSON.stringify({ id, status: "succeeded" }), headers, key)
      for (const id of ["10", "a-b_c.d", "x".repeat(200)]) assert.strictEqual((yield* withId(id)).id, id)
      for (const id of ["10 ", " 10", "x".repeat(201), "a/b", "äb", "bä"]) {
        assert.strictEqual(reasonOf(yield* Effect.flip(withId(id))), "body", id)
      }
    }))
})

const spineLayer = Layer.unwrap(
  Effect.map(
    Webhooks.Webhooks,
    (webhooks) => Layer.orDie(Spine.layer({ apiKey: Redacted.make("sk_spine_x"), webhooks }))
  )
).pipe(Layer.provideMerge(SpineEmulator.layerTest()), Layer.provideMerge(Webhooks.layer))

const telaLayer = Layer.unwrap(
  Effect.map(Webhooks.Webhooks, (webhooks) => Layer.orDie(Tela.layer({ apiKey: Redacted.make("tela_x"), webhooks })))
).pipe(Layer.provideMerge(TelaEmulator.layerTest()), Layer.provideMerge(Webhooks.layer))

const delivery = (runId: string, eventId = "1"): Webhooks.Delivery => ({
  provider: "spine",
  runId,
  eventId,
  isTerminal: true
})

describe("webhooks and polling race", () => {
  const start = (duration: Duration.Input) =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const webhooks = yield* Webhooks.Webhooks
      yield* emulator.script({ timeline: Timeline.make({ duration }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      yield* emulator.clearRequests
      const polls = Effect.map(emulator.requests, (requests) => requests.map(({ receivedAt }) => receivedAt))
      return { spine, emulator, webhooks, created, polls }
    })

  it.effect("polls are less frequent while webhooks are expected, and a webhook ends the wait at once", () =>
    Effect.gen(function*() {
      const { created, polls, spine, webhooks } = yield* start("130 seconds")
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("130 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* webhooks.deliver(delivery(created.run_id))
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
      assert.deepStrictEqual(yield* polls, [0, 60_000, 120_000, 130_000])
    }).pipe(Effect.provide(spineLayer)))

  it.effect("Tela: polls are less frequent only for an execution whose call had a webhookUrl", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "1 hour" }) })
      const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
      const pollsIn10s = <E>(execution: Effect.Effect<Tela.AsyncExecution<unknown>, E>) =>
        Effect.scoped(Effect.gen(function*() {
          yield* (yield* execution).poll
          yield* Effect.repeat(Effect.yieldNow, { times: 50 })
          yield* emulator.clearRequests
          yield* TestClock.adjust("10 seconds")
          return (yield* emulator.requests).length
        }))
      const params = { async: true, pollingTimeout: "10 minutes" } as const
      const webhookUrl = "https://hooks.example/tela"
      const created = yield* canvas.execute({}, { ...params, webhookUrl })
      assert.strictEqual(yield* pollsIn10s(Effect.succeed(created)), 0)
      assert.strictEqual(yield* pollsIn10s(canvas.execute({}, params)), 10)
      assert.strictEqual(yield* pollsIn10s(tela.getExecution(created.ref, { pollingTimeout: "10 minutes" })), 10)
    }).pipe(Effect.provide(telaLayer)))

  it.effect("a webhook that is lost only delays the end of the wait", () =>
    Effect.gen(function*() {
      const { created, polls, spine } = yield* start("150 seconds")
      assert.strictEqual(success(yield* finish(spine.runs.waitForCompletion(created))).status, "completed")
      assert.deepStrictEqual(yield* polls, [0, 60_000, 120_000, 180_000])
    }).pipe(Effect.provide(spineLayer)))

  it.effect("a webhook that arrives before the wait starts is kept for it", () =>
    Effect.gen(function*() {
      const { created, polls, spine, webhooks } = yield* start("1 second")
      yield* webhooks.deliver(delivery(created.run_id))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(success(yield* finish(spine.runs.waitForCompletion(created), 0)).status, "completed")
      assert.strictEqual((yield* polls).length, 1)
    }).pipe(Effect.provide(spineLayer)))

  it.effect("a webhook ahead of the provider's answer shortens the pauses of polls, without a hot loop", () =>
    Effect.gen(function*() {
      const { created, polls, spine, webhooks } = yield* start("70 seconds")
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("65 seconds")
      yield* webhooks.deliver(delivery(created.run_id))
      yield* webhooks.deliver(delivery(created.run_id))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
      assert.deepStrictEqual(yield* polls, [0, 60_000, 65_000, 66_000, 68_000, 72_000])
    }).pipe(Effect.provide(spineLayer)))

  it.effect("webhooks about other runs, and duplicate deliveries, change nothing", () =>
    Effect.gen(function*() {
      const { created, polls, spine, webhooks } = yield* start("150 seconds")
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(yield* webhooks.deliver(delivery("another")))
      assert.isFalse(yield* webhooks.deliver(delivery("another")))
      assert.isTrue(yield* webhooks.deliver({ ...delivery(created.run_id, "2"), isTerminal: false }))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* polls, [0, 60_000, 120_000, 180_000])
    }).pipe(Effect.provide(spineLayer)))

  it.effect("a poll interval of the caller is kept", () =>
    Effect.gen(function*() {
      const { created, polls, spine } = yield* start("10 seconds")
      success(yield* finish(spine.runs.waitForCompletion(created, { pollInterval: "5 seconds" })))
      assert.deepStrictEqual(yield* polls, [0, 5000, 10_000])
    }).pipe(Effect.provide(spineLayer)))

  it.effect("promise 3: the deadline holds with any webhooks", () =>
    Effect.gen(function*() {
      const { created, spine, webhooks } = yield* start(Infinity)
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created, { timeout: "2 minutes" }))
      yield* TestClock.adjust("119 seconds")
      yield* webhooks.deliver(delivery(created.run_id))
      yield* TestClock.adjust("1 second")
      assert.instanceOf(failure(fiber.pollUnsafe()!), RunError.RunTimeoutError)
    }).pipe(Effect.provide(spineLayer)))

  const executing = Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    const webhooks = yield* Webhooks.Webhooks
    yield* emulator.script({ timeline: Timeline.make({ duration: "10 seconds" }) })
    const execution = yield* tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).execute({}, {
      async: true,
      webhookUrl: "https://example.com/tela",
      pollingTimeout: "10 minutes"
    })
    const polls = Effect.map(
      emulator.requests,
      (requests) => requests.filter(({ method }) => method === "GET").map(({ receivedAt }) => receivedAt)
    )
    const push = (eventId: string) =>
      Effect.andThen(
        webhooks.deliver({ provider: "tela", runId: execution.id, eventId, isTerminal: true }),
        TestClock.adjust(0)
      )
    return { execution, polls, push }
  })

  it.effect("A7: a Tela push wakes the wait, which retrieves once, and the next push does so again", () =>
    Effect.gen(function*() {
      const { execution, polls, push } = yield* executing
      const fiber = yield* Effect.forkChild(execution.result)
      yield* TestClock.adjust("2 seconds")
      yield* push("made up")
      yield* TestClock.adjust("4 seconds")
      yield* push("invented, too")
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(fiber.pollUnsafe(), "a push is not an answer")
      assert.deepStrictEqual(yield* polls, [0, 2000, 6000])
      yield* push("genuine")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* polls, [0, 2000, 6000, 11_000])
    }).pipe(Effect.provide(telaLayer)))

  it.effect("A7: a push while a poll is under way is not lost", () =>
    Effect.gen(function*() {
      const { execution, polls, push } = yield* executing
      yield* (yield* TelaEmulator.TelaEmulator).fault(
        Fault.answerLate("30 seconds").pipe(Fault.on("GET", "/"), Fault.times(1))
      )
      const fiber = yield* Effect.forkChild(execution.result)
      yield* TestClock.adjust("20 seconds")
      yield* push("genuine")
      yield* TestClock.adjust("11 seconds")
      assert.isDefined(fiber.pollUnsafe(), "the answer of the first poll is from before the end")
      assert.lengthOf(yield* polls, 2)
    }).pipe(Effect.provide(telaLayer)))

  it.effect("A7: pushes wake every wait for the execution, and a wait that never polls again ignores them", () =>
    Effect.gen(function*() {
      const hub = yield* Webhooks.make({ capacity: 2 })
      const ended = (after?: number) => Effect.forkChild(hub.ended("tela", "x", after))
      const [one, two] = [yield* ended(), yield* ended()]
      yield* Effect.yieldNow
      const deliver = (runId: string, eventId: string) =>
        hub.deliver({ provider: "tela", runId, eventId, isTerminal: true })
      yield* deliver("x", "1")
      assert.deepStrictEqual([yield* Fiber.join(one), yield* Fiber.join(two)], [1, 1])
      assert.strictEqual(yield* hub.ended("tela", "x"), 1, "kept for a wait that starts later")
      const later = yield* ended(1)
      yield* Effect.yieldNow
      assert.isUndefined(later.pollUnsafe())
      yield* deliver("y", "2")
      assert.isUndefined(later.pollUnsafe())
      yield* deliver("x", "3")
      assert.strictEqual(yield* Fiber.join(later), 3)
      yield* deliver("z", "4")
      yield* deliver("w", "5")
      const forgotten = yield* ended()
      yield* Effect.yieldNow
      assert.isUndefined(forgotten.pollUnsafe())
      yield* Fiber.interrupt(forgotten)
    }))
})

describe("the route", () => {
  const events: Array<string> = []
  const routes = Layer.mergeAll(
    Spine.layerWebhookRoute({
      path: "/spine",
      secret,
      maxBodyBytes: 2000,
      onEvent: (event) => Effect.sync(() => events.push(event.type))
    }),
    Tela.layerWebhookRoute({ path: "/tela", secret: Redacted.make("tela") })
  )

  it.live("onEvent uses services of the context in which the route is made", () =>
    Effect.gen(function*() {
      class Database
        extends Context.Service<Database, { readonly save: (id: string) => Effect.Effect<void> }>()("Database")
      {}
      const saved = yield* Deferred.make<string>()
      const route = Spine.layerWebhookRoute({
        path: "/spine",
        secret,
        onEvent: (event) => Database.use(({ save }) => save(event.id))
      })
      const { dispose, handler } = HttpRouter.toWebHandler(
        route.pipe(
          Layer.provide(Webhooks.layer),
          Layer.provide(Layer.succeed(Database, { save: (id) => Effect.asVoid(Deferred.succeed(saved, id)) }))
        ),
        { disableLogger: true }
      )
      const body = JSON.stringify({ id: "evt_10", type: "webhook.ping", created: 1, data: { object: {} } })
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      yield* Effect.promise(() => handler(new Request("http://x.example/spine", { method: "POST", body, headers })))
      assert.strictEqual(yield* Deferred.await(saved), "evt_10")
      yield* Effect.promise(dispose)
    }))

  it.live("answers before onEvent runs, rejects deliveries without a proof, and recognises duplicate deliveries", () =>
    Effect.gen(function*() {
      const { dispose, handler } = HttpRouter.toWebHandler(routes.pipe(Layer.provide(Webhooks.layer)), {
        disableLogger: true
      })
      const post = (path: string, body: string, headers: Record<string, string>) =>
        Effect.promise(() => handler(new Request(`http://x.example${path}`, { method: "POST", body, headers }))).pipe(
          Effect.map(({ status }) => status)
        )
      const body = JSON.stringify({
        id: "evt_9",
        type: "run.completed",
        created: 1,
        data: { object: { run_id: "r", status: "completed" } }
      })
      const signature = yield* Spine.signWebhook(body, secret)
      assert.strictEqual(yield* post("/spine", body, { "spine-signature": signature }), 204)
      assert.strictEqual(yield* post("/spine", body, { "spine-signature": signature }), 204)
      assert.strictEqual(yield* post("/spine", body, {}), 400)
      assert.strictEqual(yield* post("/spine", `${body} `, { "spine-signature": signature }), 400)
      assert.strictEqual(yield* post("/spine", " ".repeat(3000), { "spine-signature": signature }), 413)
      // The hook runs after the response; a later event comes after all that the earlier ones caused
      const later = JSON.stringify({
        id: "evt_10",
        type: "run.started",
        created: 1,
        data: { object: { run_id: "r", status: "running" } }
      })
      const laterSignature = yield* Spine.signWebhook(later, secret)
      assert.strictEqual(yield* post("/spine", later, { "spine-signature": laterSignature }), 204)
      yield* until(Effect.sync(() => events.includes("run.started")))
      assert.deepStrictEqual(events, ["run.completed", "run.started"], "once, although it arrived twice")

      const run = JSON.stringify({ id: "1", status: "failed" })
      const headers = yield* Tela.webhookHeaders(Redacted.make("tela"))
      assert.strictEqual(yield* post("/tela", run, headers), 204)
      assert.strictEqual(yield* post("/tela", run, {}), 400)
      yield* Effect.promise(dispose)
    }))
})

describe("the schema of Spine's events", () => {
  const sign = (body: string, timestamp?: number) => Spine.signWebhook(body, secret, { timestamp })
  const construct = (body: string) => Effect.flatMap(sign(body), (header) => Spine.constructEvent(body, header, secret))
  const reasonFor = (payload: unknown, header: unknown) =>
    Effect.map(Effect.flip(Spine.constructEvent(payload as never, header as never, secret)), reasonOf)

  it.effect("fields that are absent or null get neutral values", () =>
    Effect.gen(function*() {
      const event = yield* construct(JSON.stringify({ id: "evt_1", type: "webhook.ping", livemode: null }))
      assert.deepStrictEqual(event, {
        _tag: "other",
        id: "evt_1",
        type: "webhook.ping",
        created: 0,
        livemode: false,
        object: {},
        raw: { id: "evt_1", type: "webhook.ping", livemode: null }
      })
      assert.deepInclude(
        yield* construct(JSON.stringify({ id: "evt_1", type: "webhook.ping", data: { object: null } })),
        {
          object: {}
        }
      )
    }))

  it.effect("B6: an optional field that does not decode is absent, and the rest of a signed event stays readable", () =>
    Effect.gen(function*() {
      const odd = {
        id: "evt_1",
        created: "2026-01-01",
        livemode: "yes",
        api_version: 3,
        type: "run.completed",
        data: {
          object: {
            run_id: "r1",
            canvas_id: 5,
            duration_ms: "5",
            final_output: {},
            artifacts: [{ name: "a.txt" }],
            errors: ["boom", null],
            later: true
          }
        }
      }
      assert.deepStrictEqual<unknown>(yield* construct(JSON.stringify(odd)), {
        _tag: "run",
        id: "evt_1",
        type: "run.completed",
        created: 0,
        livemode: false,
        run: { run_id: "r1", status: "completed", later: true },
        raw: odd
      })
    }))

  it.effect("without a status, the type of the event decides", () =>
    Effect.gen(function*() {
      for (const [type, status] of [["started", "running"], ["completed", "completed"], ["failed", "failed"]]) {
        for (const given of [undefined, null, 5]) {
          const data = { object: { run_id: "r", status: given } }
          const event = yield* construct(JSON.stringify({ id: "evt_1", type: `run.${type}`, data }))
          assert.strictEqual(event._tag === "run" ? event.run.status : undefined, status)
        }
      }
    }))

  it.effect("an unknown option is a ConfigError that names the right one", () =>
    Effect.gen(function*() {
      const header = yield* sign("{}")
      for (const name of ["toleranceSeconds", "toleranceMs", "tolerence"]) {
        const error = yield* Effect.flip(Spine.constructEvent("{}", header, secret, { [name]: 1 }))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, name)
        assert.include(error.message, "Did you mean tolerance?")
      }
    }))

  it.effect("only the three event types about runs have a run", () =>
    Effect.gen(function*() {
      for (const type of ["run.completed.later", "dry-run.completed"]) {
        const event = yield* construct(JSON.stringify({ id: "evt_1", type, data: { object: { run_id: "r" } } }))
        assert.deepInclude(event, { _tag: "other", type })
      }
    }))

  it.effect("a result that is not an object adds nothing to the run", () =>
    Effect.gen(function*() {
      for (const result of ["xy", null, 3]) {
        const object = { run_id: "r", status: "completed", result }
        const event = yield* construct(JSON.stringify({ id: "evt_1", type: "run.completed", data: { object } }))
        assert.deepInclude(event, { _tag: "run", run: { run_id: "r", status: "completed" } })
      }
    }))

  it.effect("a header that is not a string is malformed, and an absent one is missing", () =>
    Effect.gen(function*() {
      const { body } = vector
      yield* TestClock.setTime(vector.time * 1000)
      assert.strictEqual(yield* reasonFor(body, null), "missing")
      assert.strictEqual(yield* reasonFor(body, ""), "missing")
      for (const header of [7, [vector.header], {}]) assert.strictEqual(yield* reasonFor(body, header), "malformed")
    }))

  it.effect("a parsed payload and a changed payload have different errors", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(vector.time * 1000)
      for (const payload of [JSON.parse(vector.body), null, 7, undefined]) {
        assert.strictEqual(yield* reasonFor(payload, vector.header), "body")
      }
    }))

  it.effect("only whole numbers are times, and only 64 hexadecimal digits are a signature", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(vector.time * 1000)
      const [time, signature] = vector.header.split(",") as [string, string]
      const digits = signature.slice(3)
      for (
        const header of [
          `t=x${time.slice(2)},${signature}`,
          `${time}x,${signature}`,
          `x${time},${signature}`,
          `tx${time.slice(1)},${signature}`,
          `${time},x${signature}`,
          `${time},v1x=${digits}`,
          `${time},v1=0${digits}`,
          `${time},v1=${digits}0`,
          `${time},v1=zz${digits}`
        ]
      ) {
        assert.strictEqual(yield* reasonFor(vector.body, header), "malformed", header)
      }
      // Upper case digits mean the same number
      yield* Spine.constructEvent(vector.body, `${time},v1=${digits.toUpperCase()}`, secret)
    }))

  it.effect("a header is read up to its first 4096 characters", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(vector.time * 1000)
      const [time, signature] = vector.header.split(",")
      assert.strictEqual(yield* reasonFor(vector.body, `${time},${"v0=x,".repeat(1000)}${signature}`), "malformed")
    }))

  it.effect("the error about an old event says how old it is", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime((vector.time + 400) * 1000)
      const error = yield* Effect.flip(Spine.constructEvent(vector.body, vector.header, secret))
      assert.include(error.message, "signed 400 seconds ago")
    }))

  it.effect("a tolerance that is not a duration above zero is a ConfigError that names it", () =>
    Effect.gen(function*() {
      for (const tolerance of ["soon" as never, 0, -1]) {
        const error = yield* Effect.flip(Spine.constructEvent(vector.body, vector.header, secret, { tolerance }))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, "tolerance")
      }
      for (const timestamp of [-1, 1.5, 1e12, NaN, "1" as never]) {
        const error = yield* Effect.flip(Spine.signWebhook(vector.body, secret, { timestamp }))
        assert.strictEqual(error.option, "timestamp")
        assert.include(error.message, String(timestamp))
      }
      for (const timestamp of [0, 1e12 - 1]) {
        assert.match(
          yield* Spine.signWebhook(vector.body, secret, { timestamp }),
          new RegExp(`^t=${timestamp},v1=[0-9a-f]{64}$`)
        )
      }
      const unsigned = yield* Effect.flip(Spine.signWebhook({ a: "planted" } as never, secret))
      assert.strictEqual(unsigned.option, "payload")
      assert.match(unsigned.message, /^The payload is .*\. Pass the bytes or the text/)
      assert.strictEqual((yield* Effect.flip(Spine.signWebhook("", secret, 5 as never))).option, "options")
      const error = yield* Effect.flip(Spine.constructEvent(vector.body, vector.header, secret, 300 as never))
      assert.instanceOf(error, RunError.ConfigError)
      assert.strictEqual(error.option, "options")
    }))
})

describe("a route and the hub", () => {
  const telaSecret = Redacted.make("tela")

  /** Posts bodies to a route, and returns the statuses of the responses and the deliveries at the hub. */
  const posted = (
    route: Layer.Layer<never, RunError.ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks>,
    requests: ReadonlyArray<{ readonly body: string; readonly headers: Readonly<Record<string, string>> }>
  ) =>
    Effect.gen(function*() {
      const deliveries: Array<Webhooks.Delivery> = []
      const hub = Layer.succeed(Webhooks.Webhooks, {
        deliver: (delivery) => Effect.sync(() => deliveries.push(delivery) > 0),
        ended: () => Effect.never
      })
      const { dispose, handler } = HttpRouter.toWebHandler(Layer.provide(route, hub), { disableLogger: true })
      const statuses = yield* Effect.forEach(requests, (request) =>
        Effect.promise(() =>
          handler(new Request("http://x.example/hook", { method: "POST", ...request }))
        ).pipe(
          Effect.map(({ status }) => status)
        ))
      yield* Effect.promise(dispose)
      return { statuses, deliveries }
    })

  const spineRequest = (event: object, timestamp?: number) => {
    const body = JSON.stringify({ id: "evt_1", ...event })
    return Effect.map(Spine.signWebhook(body, secret, { timestamp }), (header) => ({
      body,
      headers: { "spine-signature": header }
    }))
  }

  it.live("Spine: the route delivers the run, an id of the event, and whether the run has ended", () =>
    Effect.gen(function*() {
      const object = { run_id: "r", status: "running" }
      const { deliveries } = yield* posted(
        Spine.layerWebhookRoute({ path: "/hook", secret }),
        yield* Effect.all([
          spineRequest({ type: "run.started", data: { object } }),
          spineRequest({ type: "run.completed", data: { object: { ...object, status: "completed" } } }),
          spineRequest({ type: "run.failed", data: { object: { ...object, status: "failed" } } }),
          spineRequest({ type: "webhook.ping" })
        ])
      )
      assert.deepStrictEqual(deliveries, [
        { provider: "spine", runId: "r", eventId: "evt_1/run.started/r", isTerminal: false },
        { provider: "spine", runId: "r", eventId: "evt_1/run.completed/r", isTerminal: true },
        { provider: "spine", runId: "r", eventId: "evt_1/run.failed/r", isTerminal: true },
        { provider: "spine", runId: "evt_1", eventId: "evt_1", isTerminal: false }
      ])
    }))

  it.live("Spine: the type or the status of an event marks the run as ended", () =>
    Effect.gen(function*() {
      const event = (type: string, status: unknown) =>
        spineRequest({ type, data: { object: { run_id: "r", ...(status === undefined ? undefined : { status }) } } })
      const cases = [
        ["run.completed", "running", true],
        ["run.failed", "running", true],
        ["run.started", "running", false],
        ["run.started", "completed", true],
        ["run.partial", "partial", true],
        ["run.partial", "running", false]
      ] as const
      const { deliveries } = yield* posted(
        Spine.layerWebhookRoute({ path: "/hook", secret }),
        yield* Effect.forEach(cases, ([type, status]) => event(type, status))
      )
      assert.deepStrictEqual(deliveries.map(({ isTerminal }) => isTerminal), cases.map(([, , ends]) => ends))
    }))

  it.live("Spine: the route rejects an event that is older than its tolerance", () =>
    Effect.gen(function*() {
      const request = yield* spineRequest({ type: "webhook.ping" }, Math.floor(Date.now() / 1000) - 1800)
      const route = (tolerance?: Duration.Input) => Spine.layerWebhookRoute({ path: "/hook", secret, tolerance })
      assert.deepStrictEqual((yield* posted(route(), [request])).statuses, [400])
      assert.deepStrictEqual((yield* posted(route("1 hour"), [request])).statuses, [204])
    }))

  it.live("Tela: the route delivers the execution, an id from the token and the body, and whether the execution has ended", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* Tela.webhookHeaders(telaSecret), yield* Tela.webhookHeaders(telaSecret)]
      const bodyOf = (status: string, extra?: object) => JSON.stringify({ id: "x", status, ...extra })
      const { deliveries, statuses } = yield* posted(Tela.layerWebhookRoute({ path: "/hook", secret: telaSecret }), [
        { body: bodyOf("succeeded"), headers: one },
        { body: bodyOf("succeeded"), headers: one },
        { body: bodyOf("failed"), headers: one },
        { body: bodyOf("running"), headers: one },
        { body: bodyOf("succeeded"), headers: other },
        // More than the limit of Spine's route
        { body: bodyOf("succeeded", { message: "x".repeat(2 * 1024 * 1024) }), headers: one }
      ])
      assert.deepStrictEqual(statuses, [204, 204, 204, 204, 204, 204])
      assert.deepStrictEqual(deliveries.map(({ isTerminal }) => isTerminal), [true, true, true, false, true, true])
      for (const { eventId, provider, runId } of deliveries) {
        assert.deepStrictEqual([provider, runId], ["tela", "x"])
        assert.match(eventId, /^x\/[0-9a-f]{64}$/)
      }
      const [first, again, ...others] = deliveries.map(({ eventId }) => eventId)
      assert.strictEqual(first, again)
      assert.strictEqual(new Set([first, ...others]).size, 5)
      const limited = Tela.layerWebhookRoute({ path: "/hook", secret: telaSecret, maxBodyBytes: 10 })
      assert.deepStrictEqual((yield* posted(limited, [{ body: bodyOf("failed"), headers: one }])).statuses, [413])
    }))

  it.live("Tela: onEvent gets the execution", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const headers = yield* Tela.webhookHeaders(telaSecret)
      const onEvent = ({ id }: { readonly id: string }) => Effect.sync(() => void seen.push(id))
      yield* posted(Tela.layerWebhookRoute({ path: "/hook", secret: telaSecret, onEvent }), [
        { body: JSON.stringify({ id: "x", status: "running" }), headers }
      ])
      yield* until(Effect.sync(() => seen.length === 1))
      assert.deepStrictEqual(seen, ["x"])
    }))
})

it("a hub with an invalid capacity is a RangeError that names it", () => {
  for (const capacity of [0, -1, 1.5, Number.NaN, Infinity, "x" as never]) {
    assert.throws(
      () => Webhooks.make({ capacity }),
      RangeError,
      /^capacity is .*; it must be a whole number, 1 or more\.$/
    )
  }
})

describe("a Spine event", () => {
  /** The number of ended deliveries that the hub has for the run after an event about it. */
  const wakes = (type: string, object: object) =>
    Effect.gen(function*() {
      const hub = yield* Webhooks.make()
      const { dispose, handler } = HttpRouter.toWebHandler(
        Spine.layerWebhookRoute({ path: "/hook", secret }).pipe(
          Layer.provide(Layer.succeed(Webhooks.Webhooks, hub))
        ),
        { disableLogger: true }
      )
      const body = JSON.stringify({ id: "evt_1", type, created: 1, data: { object } })
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      yield* Effect.promise(() => handler(new Request("http://x.example/hook", { method: "POST", body, headers })))
      yield* Effect.promise(dispose)
      const ended = yield* Effect.forkChild(hub.ended("spine", "ab-1"), { startImmediately: true })
      const isWoken = ended.pollUnsafe() !== undefined
      yield* Fiber.interrupt(ended)
      return isWoken
    })

  it.live("wakes the wait for its run, with the id in any case, and with any event type that has a terminal status", () =>
    Effect.gen(function*() {
      assert.isTrue(yield* wakes("run.completed", { run_id: "AB-1" }))
      assert.isTrue(yield* wakes("run.partial", { run_id: "ab-1", status: "partial" }))
      assert.isTrue(yield* wakes("run.cancelled", { run_id: "ab-1", status: "cancelled" }))
      for (
        const [type, object] of [
          ["run.started", { run_id: "ab-1" }],
          ["run.progress", { run_id: "ab-1", status: "running" }],
          ["run.partial", { run_id: "ab-2", status: "partial" }],
          ["run.partial", { status: "partial" }]
        ] as const
      ) assert.isFalse(yield* wakes(type, object), `${type} ${JSON.stringify(object)}`)
    }))
})

describe("a webhook whose body does not arrive", () => {
  const answered = (body: ReadableStream) =>
    Effect.gen(function*() {
      const app = yield* HttpRouter.toHttpEffect(
        Spine.layerWebhookRoute({ path: "/hook", secret }).pipe(Layer.provide(Webhooks.layer))
      )
      const init: RequestInit & { readonly duplex: "half" } = { method: "POST", body, duplex: "half" }
      const request = HttpServerRequest.fromWeb(new Request("http://x.example/hook", init))
      return yield* app.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.map(({ status }) => status)
      )
    })

  it.effect("is answered 408 after half a minute when the body stalls", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(answered(new ReadableStream()), { startImmediately: true })
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 408)
    }).pipe(Effect.scoped))

  it.effect("is answered 400 when the body breaks off, which is not reported as too long", () =>
    Effect.gen(function*() {
      const body = new ReadableStream({ start: (controller) => controller.error(new Error("the connection broke")) })
      assert.strictEqual(yield* answered(body), 400)
    }).pipe(Effect.scoped))
})

describe("the limits of a route", () => {
  /** A function that posts to a route with a limit. */
  const opened = (maxBodyBytes: number) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        HttpRouter.toWebHandler(
          Spine.layerWebhookRoute({ path: "/spine", secret, maxBodyBytes }).pipe(
            Layer.provide(Webhooks.layer)
          ),
          { disableLogger: true }
        )
      ),
      ({ dispose }) => Effect.promise(dispose)
    ).pipe(Effect.map(({ handler }) => (body: string, headers: Record<string, string>) =>
      Effect.promise(() => handler(new Request("http://x.example/spine", { method: "POST", body, headers })))
    ))
  const body = JSON.stringify({ id: "evt_1", type: "webhook.ping", created: 1, data: { object: {} } })

  for (const maxBodyBytes of [0, -1, 0.5, NaN, Infinity, 2 ** 53, "1000" as never]) {
    it.effect(`a limit of ${maxBodyBytes} bytes is a ConfigError when the route is made`, () =>
      Effect.gen(function*() {
        const route = Spine.layerWebhookRoute({ path: "/spine", secret, maxBodyBytes }).pipe(
          Layer.provide([Webhooks.layer, HttpRouter.layer])
        )
        const error = yield* Effect.flip(Layer.build(route))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, "maxBodyBytes")
        assert.include(error.message, String(maxBodyBytes))
      }).pipe(Effect.scoped))
  }

  it.effect("an option that a route does not know, or that is of the wrong kind, is a ConfigError", () =>
    Effect.gen(function*() {
      const faultOf = (route: Layer.Layer<never, RunError.ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks>) =>
        Effect.map(
          Effect.flip(Effect.scoped(Layer.build(Layer.provide(route, [Webhooks.layer, HttpRouter.layer])))),
          ({ message, option }) => `${option}: ${message}`
        )
      const given = { path: "/hook", secret } as const
      for (const layer of [Spine.layerWebhookRoute, Tela.layerWebhookRoute]) {
        assert.match(
          yield* faultOf(layer({ ...given, path: "hook" as never })),
          /^path: layerWebhookRoute: path is "hook"; it must be/
        )
        assert.match(
          yield* faultOf(layer({ ...given, path: "x/*" as never })),
          /^path: layerWebhookRoute: path is "x\/\*"; it must be/
        )
        assert.match(
          yield* faultOf(layer({ ...given, path: 5 as never })),
          /^path: layerWebhookRoute: path is 5; it must be/
        )
        assert.match(
          yield* faultOf(layer({ ...given, onEvent: 5 as never })),
          /^onEvent: layerWebhookRoute: onEvent is 5; it must be/
        )
        assert.match(yield* faultOf(layer(null as never)), /^options: layerWebhookRoute: options must be an object/)
        assert.match(
          yield* faultOf(layer(undefined as never)),
          /^options: layerWebhookRoute: options must be an object/
        )
      }
      const other = { ...given, unheardOf: 1 }
      const names = "path, secret, maxBodyBytes, onEvent"
      assert.include(yield* faultOf(Tela.layerWebhookRoute(other)), `options are: ${names}.`)
      assert.include(yield* faultOf(Spine.layerWebhookRoute(other)), `options are: ${names}, tolerance.`)
    }))

  it.live("any path is allowed", () =>
    Effect.gen(function*() {
      const { dispose, handler } = HttpRouter.toWebHandler(
        Spine.layerWebhookRoute({ path: "*", secret }).pipe(Layer.provide(Webhooks.layer)),
        { disableLogger: true }
      )
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      const request = new Request("http://x.example/any", { method: "POST", body, headers })
      assert.strictEqual((yield* Effect.promise(() => handler(request))).status, 204)
      yield* Effect.promise(dispose)
    }))

  it.live("a body may be as long as the limit, with and without an announced length", () =>
    Effect.gen(function*() {
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      const length = { "content-length": String(body.length) }
      for (const [maxBodyBytes, status] of [[body.length, 204], [body.length - 1, 413], [1, 413]] as const) {
        const post = yield* opened(maxBodyBytes)
        assert.strictEqual((yield* post(body, headers)).status, status, "not announced")
        assert.strictEqual((yield* post(body, { ...headers, ...length })).status, status, "announced")
      }
      // An announced length over the limit is rejected before the body is read and its signature is checked
      const post = yield* opened(1000)
      assert.strictEqual((yield* post(body, { ...headers, "content-length": "1001" })).status, 413)
    }).pipe(Effect.scoped))

  it.live("a body over the limit is rejected even if the server does not check its length", () =>
    Effect.gen(function*() {
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      const post = (maxBodyBytes: number) =>
        HttpRouter.toHttpEffect(
          Spine.layerWebhookRoute({ path: "/spine", secret, maxBodyBytes }).pipe(Layer.provide(Webhooks.layer))
        ).pipe(
          Effect.flatten,
          Effect.provideService(
            HttpServerRequest.HttpServerRequest,
            HttpServerRequest.fromClientRequest(
              HttpClientRequest.post("/spine", { body: HttpBody.raw(body), headers })
            )
          ),
          Effect.map(({ status }) => status),
          Effect.scoped
        )
      assert.strictEqual(yield* post(body.length), 204)
      assert.strictEqual(yield* post(body.length - 1), 413)
    }))

  it.live("a failure of onEvent is logged, and a route without onEvent accepts events too", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.layer([
        Logger.make(({ cause, message }) => void lines.push(`${message} ${Cause.pretty(cause)}`))
      ])
      const headers = { "spine-signature": yield* Spine.signWebhook(body, secret) }
      const { dispose, handler } = HttpRouter.toWebHandler(
        Layer.mergeAll(
          Spine.layerWebhookRoute({ path: "/none", secret }),
          Spine.layerWebhookRoute({
            path: "/fails",
            secret,
            onEvent: () => Effect.fail(new Error("the table is gone"))
          }),
          Spine.layerWebhookRoute({
            path: "/rejects",
            secret,
            onEvent: () => Promise.reject(new Error("the queue is gone")) as never
          })
        ).pipe(Layer.provide(Webhooks.layer), Layer.provideMerge(logger)),
        { disableLogger: true }
      )
      const post = (path: string, body: string, headers: Record<string, string>) =>
        Effect.promise(() => handler(new Request(`http://x.example${path}`, { method: "POST", body, headers })))
      assert.strictEqual((yield* post("/none", body, headers)).status, 204)
      const other = body.replace("evt_1", "evt_2")
      assert.strictEqual(
        (yield* post("/fails", other, { "spine-signature": yield* Spine.signWebhook(other, secret) })).status,
        204
      )
      yield* until(Effect.sync(() => lines.length > 0))
      const third = body.replace("evt_1", "evt_3")
      yield* post("/rejects", third, { "spine-signature": yield* Spine.signWebhook(third, secret) })
      yield* until(Effect.sync(() => lines.length > 1))
      assert.lengthOf(lines, 2)
      assert.match(lines[0]!, /onEvent failed.*the table is gone/s)
      assert.match(lines[1]!, /onEvent failed.*the queue is gone/s)
      yield* Effect.promise(dispose)
    }))
})

describe("the memory of the hub", () => {
  it.live("C13: the hub keeps a bounded number of ids, and no bodies", () =>
    Effect.gen(function*() {
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      const hub = yield* Webhooks.make({ capacity: 10 })
      const bodies: Array<WeakRef<object>> = []
      for (let index = 0; index < 20; index++) {
        const body = { text: "x".repeat(1000) }
        bodies.push(new WeakRef(body))
        yield* hub.deliver({ ...delivery(`${index}`, `${index}`), body } as Webhooks.Delivery)
      }
      yield* Effect.sleep(0)
      collect()
      // Registers and stack frames may still hold a few bodies. A hub that kept bodies would hold as many as its capacity
      assert.isBelow(bodies.filter((body) => body.deref() !== undefined).length, 5)
      assert.strictEqual(yield* hub.ended("spine", "19"), 20)
      assert.isFalse(yield* hub.deliver(delivery("19", "19")))
      assert.isTrue(yield* hub.deliver(delivery("0", "0")), "dropped, so it counts as new")
    }))

  it.live("C13: the routes reject ids that no provider sends", () =>
    Effect.gen(function*() {
      const long = "x".repeat(1000)
      const body = JSON.stringify({
        id: long,
        type: "run.completed",
        data: { object: { run_id: "r", status: "completed" } }
      })
      const header = yield* Spine.signWebhook(body, secret)
      assert.strictEqual(reasonOf(yield* Effect.flip(Spine.constructEvent(body, header, secret))), "body")
      const key = Redacted.make("tela")
      for (const id of [long, "", "../x"]) {
        const headers = yield* Tela.webhookHeaders(key)
        const error = yield* Effect.flip(Tela.constructEvent(JSON.stringify({ id, status: "succeeded" }), headers, key))
        assert.strictEqual(reasonOf(error), "body")
      }
    }))
})
