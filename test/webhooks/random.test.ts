import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Fault, Timeline, type WebhookDelivery } from "canvas-runs/testing"
import * as Random from "../support/random.ts"
import { size } from "../support/size.ts"
import { type Arrival, executeTela, outcome, spineSecret, start, world } from "./support.ts"

vi.mock("../../src/internal/webhooks/hmac.ts", () => import("../support/syncHmac.ts"))

const seeds = size(25, 200)
const batch = 25
const runsPerSeed = 3
const interval = 60_000

interface Planned {
  readonly provider: "spine" | "tela"
  readonly duration: number
  readonly ending: Timeline.Outcome
}

/** All random values of a test, from one seed. */
const planOf = (seed: number) => {
  const draw = Random.make(seed)
  const runs = Array.from({ length: runsPerSeed }, (): Planned => ({
    provider: draw.pick(["spine", "tela"]),
    // Often exactly at the time of a poll, where webhook and poll meet
    duration: draw.chance(0.2) ? draw.int(0, 10) * interval : draw.int(0, 1_200_000),
    ending: draw.weighted([[3, "completed"], [1, "partial"], [1, "failed"]])
  }))
  const mishaps = draw.fork(1)
  const deliveryScript = ({ index }: WebhookDelivery.Due): WebhookDelivery.Mishap => {
    const chance = mishaps.fork(index)
    return {
      lost: chance.chance(0.3),
      delay: chance.chance(0.5) ? chance.int(0, 180_000) : 0,
      copies: chance.int(1, 3),
      gap: chance.int(0, 30_000),
      unanswered: chance.weighted([[3, 0], [1, 1], [1, 2]])
    }
  }
  const answers = draw.fork(2)
  return {
    runs,
    deliveryScript,
    receiver: (index: number) => answers.fork(index).weighted<number | undefined>([[8, undefined], [1, 500], [1, 0]]),
    isWrongSecret: draw.chance(0.15),
    partialWebhooks: draw.chance(0.5),
    nestedWebhooks: draw.chance(0.5),
    faults: draw.chance(0.4)
      ? Array.from({ length: draw.int(1, 4) }, () =>
        Fault.on(
          Fault.skip(draw.pick([Fault.status(503), Fault.drop, Fault.html("<p>down</p>")]), draw.int(0, 12)),
          "GET"
        ))
      : []
  }
}

/** The time when the route first accepted a webhook about the run's end. */
const firstHeard = (arrivals: ReadonlyArray<Arrival>, id: string): number =>
  Math.min(
    ...arrivals.filter(({ body, headers, status }) =>
      status === 204 && headers["spine-event-type"] !== "run.started" && JSON.stringify(body).includes(id)
    ).map(({ at }) => at)
  )

const play = Effect.fnUntraced(function*(seed: number) {
  const plan = planOf(seed)
  const timelines = plan.runs.map(({ duration, ending }) => Timeline.make({ duration, outcome: ending }))
  const made = { spine: 0, tela: 0 }
  const script = (provider: Planned["provider"]) => () => {
    const index = plan.runs.findIndex((run, index) =>
      run.provider === provider && plan.runs.slice(0, index).filter((run) => run.provider === provider).length ===
        made[provider]
    )
    made[provider]++
    return { timeline: timelines[index]! }
  }
  const { deliveryScript, nestedWebhooks, partialWebhooks } = plan
  const w = yield* world({
    receiver: plan.receiver,
    routeSecret: plan.isWrongSecret ? "whsec_wrong" : spineSecret,
    spine: { script: script("spine"), deliveryScript, partialWebhooks, nestedWebhooks },
    tela: {
      script: (request) => ({ ...script("tela")(), output: `${request.mode} done` }),
      deliveryScript,
      webhookAttempts: 3
    }
  })
  const began = yield* Clock.currentTimeMillis
  const waits = yield* Effect.forEach(plan.runs, ({ provider }) =>
    provider === "spine"
      ? Effect.gen(function*() {
        const { run_id: id } = yield* w.spine.runs.create({ prompt: "x" })
        const wait = w.spine.runs.waitForCompletion(id, { timeout: "2 hours" })
        return { id, wait: yield* start(Effect.map(wait, ({ status }): string => status)) }
      })
      : Effect.gen(function*() {
        const secret = plan.isWrongSecret ? { secret: Redacted.make("wrong") } : {}
        const execution = yield* executeTela(w.tela, secret)
        return { id: execution.id, wait: yield* start(Effect.map(execution.result, String)) }
      }))
  yield* w.spineEmulator.fault(...plan.faults)
  yield* w.telaEmulator.fault(...plan.faults)
  const ends = yield* Effect.forEach(waits, ({ wait }) => wait.ended)
  yield* TestClock.adjust("3 hours")
  const requests = [...yield* w.spineEmulator.requests, ...yield* w.telaEmulator.requests]

  return plan.runs.map(({ duration, ending, provider }, index) => {
    const { id } = waits[index]!
    const { at, exit } = ends[index]!
    const about = `seed ${seed}, run ${index}: ${JSON.stringify(plan.runs[index])}`
    assert.strictEqual(
      outcome(exit),
      ending === "failed" ? "RunFailedError" : provider === "spine" ? ending : "async done",
      about
    )
    const heard = firstHeard(w.arrivals, id) - began
    const nextPoll = Math.ceil(duration / interval) * interval
    const took = Math.round(at - began)
    if (plan.faults.length === 0) assert.strictEqual(took, Math.min(heard, nextPoll), about)
    // A fault may fail a poll, or all its attempts
    else assert.isAtMost(took, nextPoll + plan.faults.length * interval, about)
    const made = requests.filter(({ method, path }) => method === "GET" && path.includes(id)).length
    assert.isAtMost(made, Math.floor(took / interval) + 2 + plan.faults.length, about)
    return took === heard
  })
})

describe("random webhooks", () => {
  for (let first = 1; first <= seeds; first += batch) {
    const last = first + batch - 1
    it.effect(
      `seeds ${first} to ${last}: every wait ends with the right result at the first possible webhook or poll, and polls at most once a minute and two more times`,
      () =>
        Effect.gen(function*() {
          const told: Array<boolean> = []
          for (let seed = first; seed <= last; seed++) told.push(...yield* Effect.scoped(play(seed)))
          // Asserts that the test covers both ways of noticing an end
          const byWebhook = told.filter(Boolean).length / told.length
          assert.isAbove(byWebhook, 0.15)
          assert.isBelow(byWebhook, 0.85)
        })
    )
  }
})
