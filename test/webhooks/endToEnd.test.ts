import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { type Spine, Tela } from "canvas-runs"
import { Fault, Timeline, type WebhookDelivery } from "canvas-runs/testing"
import { applicationId, executeTela, outcome, polls, start, telaSecret, telaUrl, type World, world } from "./support.ts"

vi.mock("../../src/internal/webhooks/hmac.ts", () => import("../support/syncHmac.ts"))

const minutes = (...list: ReadonlyArray<number>) => list.map((minute) => minute * 60_000)

interface Case {
  readonly name: string
  readonly mishap?: WebhookDelivery.Script
  readonly receiver?: (index: number) => number | undefined
  /** The times of the wait's polls and of its end. The run ends after 150 seconds. */
  readonly spine: readonly [at: number, polls: ReadonlyArray<number>]
  readonly tela: readonly [at: number, polls: ReadonlyArray<number>]
  /** The number of webhooks about the run's end that arrived, with any response. */
  readonly arrivals: number
}

// A webhook is never the answer: it only causes a poll
const cases: ReadonlyArray<Case> = [
  {
    name: "a webhook that arrives ends the wait at once",
    spine: [150_000, [...minutes(0, 1, 2), 150_000]],
    tela: [150_000, [...minutes(0, 1, 2), 150_000]],
    arrivals: 1
  },
  {
    name: "a webhook that is lost costs only delay",
    mishap: { lost: true },
    spine: [180_000, minutes(0, 1, 2, 3)],
    tela: [180_000, minutes(0, 1, 2, 3)],
    arrivals: 0
  },
  {
    name: "a late webhook still arrives before the next poll",
    mishap: { delay: "20 seconds" },
    spine: [170_000, [...minutes(0, 1, 2), 170_000]],
    tela: [170_000, [...minutes(0, 1, 2), 170_000]],
    arrivals: 1
  },
  {
    name: "a webhook after the next poll changes nothing",
    mishap: { delay: "10 minutes" },
    spine: [180_000, minutes(0, 1, 2, 3)],
    tela: [180_000, minutes(0, 1, 2, 3)],
    arrivals: 1
  },
  {
    name: "a webhook that comes three times counts once",
    mishap: { copies: 3, gap: "3 seconds" },
    spine: [150_000, [...minutes(0, 1, 2), 150_000]],
    tela: [150_000, [...minutes(0, 1, 2), 150_000]],
    arrivals: 3
  },
  {
    name: "a webhook whose response is lost is sent again, and counts once",
    mishap: { unanswered: 1 },
    spine: [150_000, [...minutes(0, 1, 2), 150_000]],
    tela: [150_000, [...minutes(0, 1, 2), 150_000]],
    arrivals: 2
  }
]

const script = { timeline: Timeline.make({ duration: "150 seconds" }) }

const waitSpine = ({ spine }: World) =>
  Effect.gen(function*() {
    const { run_id } = yield* spine.runs.create({ prompt: "x" })
    return { run_id, ...yield* start(spine.runs.waitForCompletion(run_id, { timeout: "2 hours" })) }
  })

describe("webhooks and polls, end to end", () => {
  for (const { arrivals, mishap, name, spine, tela } of cases) {
    it.effect(`Spine: ${name}`, () =>
      Effect.gen(function*() {
        const w = yield* world({ spine: { script, ...(mishap === undefined ? {} : { deliveryScript: mishap }) } })
        const { ended, run_id } = yield* waitSpine(w)
        const { at, exit } = yield* ended
        const run = outcome(exit)
        if (typeof run === "string") return assert.fail(run)
        assert.deepInclude(run, { run_id, status: "completed" })
        assert.isDefined(run.metadata)
        assert.strictEqual(at, spine[0])
        assert.deepStrictEqual(yield* polls(w.spineEmulator), spine[1])
        const ends = w.arrivals.filter(({ headers }) => headers["spine-event-type"] === "run.completed")
        assert.deepStrictEqual(ends.map(({ status }) => status), Array.from({ length: arrivals }, () => 204))
        assert.strictEqual(w.events.filter((type) => type === "run.completed").length, Math.min(1, arrivals))
      }))

    it.effect(`Tela: ${name}`, () =>
      Effect.gen(function*() {
        const w = yield* world({
          tela: {
            script: { ...script, output: "done" },
            webhookAttempts: 3,
            ...(mishap === undefined ? {} : { deliveryScript: mishap })
          }
        })
        const { ended } = yield* start((yield* executeTela(w.tela)).result)
        const { at, exit } = yield* ended
        assert.strictEqual(outcome(exit), "done")
        assert.strictEqual(at, tela[0])
        assert.deepStrictEqual(yield* polls(w.telaEmulator), tela[1])
        assert.deepStrictEqual(w.arrivals.map(({ status }) => status), Array.from({ length: arrivals }, () => 204))
        assert.deepStrictEqual(w.events, arrivals === 0 ? [] : ["tela succeeded"])
      }))
  }

  it.effect("a webhook about the end that overtakes the one about the start ends the wait", () =>
    Effect.gen(function*() {
      const w = yield* world({
        spine: {
          script: { timeline: Timeline.make({ duration: "10 seconds" }) },
          deliveryScript: ({ event }) => event === "run.started" ? { delay: "30 seconds" } : {}
        }
      })
      const { ended } = yield* waitSpine(w)
      const { at, exit } = yield* ended
      const run = outcome(exit)
      assert.strictEqual(typeof run === "string" ? run : run.status, "completed")
      assert.strictEqual(at, 10_000)
      assert.deepStrictEqual(w.arrivals.map(({ at, headers }) => [at, headers["spine-event-type"]]), [
        [10_000, "run.completed"],
        [30_000, "run.started"]
      ])
      assert.deepStrictEqual(yield* polls(w.spineEmulator), [0, 10_000])
    }))

  it.effect("with a wrong secret each webhook is rejected, and the polls find the end", () =>
    Effect.gen(function*() {
      const w = yield* world({ routeSecret: "whsec_another", spine: { script }, tela: { script, webhookAttempts: 2 } })
      const spine = yield* waitSpine(w)
      const tela = yield* start(
        (yield* executeTela(w.tela, { secret: Redacted.make("another") })).result
      )
      const [{ at, exit }, other] = [yield* spine.ended, yield* tela.ended]
      const run = outcome(exit)
      assert.strictEqual(typeof run === "string" ? run : run.status, "completed")
      assert.deepStrictEqual([at, other.at], [180_000, 180_000])
      assert.strictEqual(other.exit._tag, "Success")
      assert.isTrue(w.arrivals.every(({ status }) => status === 400))
      assert.deepStrictEqual(w.events, [])
      const ends = w.arrivals.filter(({ headers }) => headers["spine-event-type"] === "run.completed")
      assert.deepStrictEqual(ends.map(({ at }) => at), [150_000, 151_000, 156_000, 186_000])
      assert.strictEqual(new Set(ends.map(({ headers }) => headers["spine-event-id"])).size, 1)
      assert.strictEqual(new Set(ends.map(({ headers }) => headers["spine-signature"])).size, 4)
      assert.deepStrictEqual((yield* w.spineEmulator.deliveries).map(({ status }) => status), ["failed", "failed"])
      assert.deepStrictEqual(w.arrivals.filter(({ path }) => path === "/tela").map(({ at }) => at), [150_000, 151_000])
    }))

  it.effect("a receiver that is down for a while gets the webhook again", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script }, receiver: (index) => [204, 503, 0, undefined][index] })
      const { ended } = yield* waitSpine(w)
      // At 150 s, then after one second, and after ten more for the response and five for the pause
      assert.strictEqual((yield* ended).at, 166_000)
      assert.deepStrictEqual(yield* polls(w.spineEmulator), [...minutes(0, 1, 2), 166_000])
    }))

  it.effect("a failed run fails the wait at once", () =>
    Effect.gen(function*() {
      const timeline = Timeline.make({ duration: "90 seconds", outcome: "failed", errors: ["no luck"] })
      const w = yield* world({ spine: { script: { timeline } }, tela: { script: { timeline } } })
      const spine = yield* waitSpine(w)
      const execution = yield* executeTela(w.tela)
      const tela = yield* start(execution.result)
      const [ofSpine, ofTela] = [yield* spine.ended, yield* tela.ended]
      assert.deepStrictEqual([outcome(ofSpine.exit), ofSpine.at], ["RunFailedError", 90_000])
      assert.deepStrictEqual([outcome(ofTela.exit), ofTela.at], ["RunFailedError", 90_000])
      assert.strictEqual(yield* execution.status, "failed")
    }))

  it.effect("W5: the end of a partial run is found by polling without a webhook, and at once with one", () =>
    Effect.gen(function*() {
      const partial = { timeline: Timeline.make({ duration: "90 seconds", outcome: "partial" }) }
      for (const [partialWebhooks, expected] of [[false, 120_000], [true, 90_000]] as const) {
        const w = yield* world({ spine: { script: partial, partialWebhooks } })
        const began = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const { ended } = yield* waitSpine(w)
        const { at, exit } = yield* ended
        const run = outcome(exit)
        assert.deepStrictEqual([typeof run === "string" ? run : run.status, at - began], ["partial", expected])
      }
    }))

  it.effect("W3: a nested webhook works like a flat one", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script, nestedWebhooks: true } })
      const { ended } = yield* waitSpine(w)
      assert.strictEqual((yield* ended).at, 150_000)
    }))

  it.effect("a webhook ahead of the polls shortens their pauses, without a hot loop", () =>
    Effect.gen(function*() {
      const timeline = Timeline.make({
        duration: "65 seconds",
        statuses: [{ from: 0, to: "70 seconds", status: "running" }]
      })
      const w = yield* world({ spine: { script: { timeline }, deliveryScript: { copies: 5 } } })
      const { ended } = yield* waitSpine(w)
      assert.strictEqual((yield* ended).at, 72_000)
      assert.deepStrictEqual(yield* polls(w.spineEmulator), [0, 60_000, 65_000, 66_000, 68_000, 72_000])
    }))

  it.effect("a hundred waits share a hub, and each gets only the webhooks of its run", () =>
    Effect.gen(function*() {
      const count = 100
      let made = 0
      const w = yield* world({
        spine: { script: () => ({ timeline: Timeline.make({ duration: (++made * 37) % 1000 * 1000 }) }) }
      })
      const waits = yield* Effect.forEach(Array.from({ length: count }), () => waitSpine(w))
      const ends = yield* Effect.forEach(waits, ({ ended }) => ended)
      const runs = yield* w.spineEmulator.runs
      ends.forEach(({ at, exit }, index) => {
        const seconds = ((index + 1) * 37) % 1000
        assert.strictEqual(at, seconds * 1000)
        const run = outcome(exit)
        assert.strictEqual(typeof run === "string" ? run : run.run_id, waits[index]!.run_id)
        // The first poll at once, one poll a minute, and one at the end
        const polls = runs.find(({ id }) => id === waits[index]!.run_id)!.polls
        assert.isAtMost(polls, Math.floor(seconds / 60) + 2)
      })
    }))

  it.effect("waits that end early do not affect others, and a wait that starts after the end returns at once", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script } })
      const { ended, run_id } = yield* waitSpine(w)
      const brief = yield* start(w.spine.runs.waitForCompletion(run_id, { timeout: "90 seconds" }))
      const other = yield* start(w.spine.runs.waitForCompletion(run_id, { timeout: "2 hours" }))
      assert.strictEqual((yield* ended).at, 150_000)
      assert.strictEqual((yield* other.ended).at, 150_000)
      const timedOut = yield* brief.ended
      assert.deepStrictEqual([outcome(timedOut.exit), timedOut.at], ["RunTimeoutError", 90_000])
      yield* w.spineEmulator.clearRequests
      const late = yield* start(w.spine.runs.waitForCompletion(run_id))
      yield* TestClock.adjust(0)
      assert.isTrue(yield* late.isOver)
      assert.strictEqual((yield* polls(w.spineEmulator)).length, 1)
    }))

  it.effect("promise 3: the deadline holds when every webhook is lost and every poll hangs", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script, deliveryScript: { lost: true } } })
      yield* w.spineEmulator.fault(Fault.hang.pipe(Fault.on("GET"), Fault.times(Infinity)))
      const { run_id } = yield* w.spine.runs.create({ prompt: "x" })
      const { ended } = yield* start(w.spine.runs.waitForCompletion(run_id, { timeout: "5 minutes" }))
      const { at, exit } = yield* ended
      // The pauses before retries are random, and leave fractions on the clock
      assert.deepStrictEqual([outcome(exit), Math.round(at)], ["RunTimeoutError", 300_000])
    }))

  it.effect("a webhook that arrives while a poll fails still wakes the wait", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script } })
      const { ended } = yield* waitSpine(w)
      yield* TestClock.adjust("149 seconds")
      // The poll that the webhook causes fails, and so do its retries
      yield* w.spineEmulator.fault(Fault.status(503).pipe(Fault.on("GET"), Fault.times(3)))
      const { at, exit } = yield* ended
      assert.strictEqual(exit._tag, "Success")
      assert.isBelow(at, 160_000)
    }))

  it.effect("onEvent gets the test event, which wakes no wait", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script } })
      const { ended } = yield* waitSpine(w)
      yield* TestClock.adjust("30 seconds")
      yield* w.spineEmulator.ping
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(w.events, ["run.started", "webhook.ping"])
      yield* ended
      assert.deepStrictEqual(yield* polls(w.spineEmulator), [...minutes(0, 1, 2), 150_000])
    }))

  it.effect("an output that does not fit its schema fails the wait at once, as after a poll", () =>
    Effect.gen(function*() {
      const w = yield* world({ tela: { script: { ...script, output: { total: "x" } } } })
      const canvas = w.tela.canvas.make({
        id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
        output: Schema.Struct({ total: Schema.Number })
      })
      const headers = yield* Tela.webhookHeaders(telaSecret)
      const execution = yield* canvas.execute({}, {
        async: true,
        webhookUrl: telaUrl,
        forwardHeaders: headers,
        pollingTimeout: "2 hours"
      })
      const { ended } = yield* start(execution.result)
      const { at, exit } = yield* ended
      assert.deepStrictEqual([outcome(exit), at], ["InvalidOutputError", 150_000])
    }))

  it.effect("a wait for the task of a Tela application is woken too", () =>
    Effect.gen(function*() {
      const w = yield* world({ tela: { script: { ...script, output: "done" } } })
      const task = yield* w.tela.canvas.make({ applicationId }).execute({}, {
        webhookUrl: telaUrl,
        forwardHeaders: yield* Tela.webhookHeaders(telaSecret),
        pollingTimeout: "2 hours"
      })
      const { ended } = yield* start(task.result)
      const { at, exit } = yield* ended
      assert.strictEqual(outcome(exit), "done")
      assert.deepStrictEqual(w.arrivals.map(({ status }) => status), [204])
      assert.strictEqual(at, 150_000)
    }))

  it.effect("an event has the content of its webhook's body", () =>
    Effect.gen(function*() {
      const w = yield* world({ spine: { script } })
      const { ended, run_id } = yield* waitSpine(w)
      yield* ended
      const { body, headers } = w.arrivals.at(-1)!
      const { id, type } = body as Spine.WebhookEvent
      assert.deepStrictEqual([id, type], [headers["spine-event-id"], "run.completed"])
      assert.include(JSON.stringify(body), run_id)
    }))
})
