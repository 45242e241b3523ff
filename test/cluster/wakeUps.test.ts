/** Many waits at once, on one runner of the cluster. If a wake-up is lost, a workflow stays suspended. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { Workflow } from "effect/workflow"
import { join } from "node:path"
import { RunStore, Spine, Webhooks } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { sqliteLayer, temporaryDirectory } from "../support/databases.ts"
import { singleRunner } from "../support/durable.ts"
import { size } from "../support/size.ts"
import { apiKey } from "../support/spine.ts"

const parts = ["first", "second", "third", "fourth"]

const Chain = Workflow.make("Chain", {
  payload: { topic: Schema.String },
  success: Schema.Number,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

const chain = Chain.toLayer(Effect.fn(function*({ topic }) {
  const spine = yield* Spine.SpineClient
  for (const part of parts) {
    yield* DurableRun.run(part, spine.runs.create({ prompt: `${topic} ${part}` }), {
      provider: SpineWorkflow.provider
    })
  }
  return parts.length
}))

const runner = (filename: string, pollInterval: "100 millis" | "1 hour") =>
  chain.pipe(
    Layer.provideMerge(Waits.layerWebhooks),
    Layer.provideMerge(
      Waits.layerSql({ providers: [SpineWorkflow.provider], pollInterval, refreshInterval: "50 millis" })
    ),
    Layer.provideMerge(singleRunner),
    Layer.provideMerge(RunStore.layerSql()),
    Layer.provideMerge(sqliteLayer(filename)),
    Layer.provideMerge(Spine.layer({ apiKey: Redacted.make(apiKey) })),
    Layer.provideMerge(
      SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "200 millis" }) } })
    ),
    Layer.orDie
  )

const workflows = size(3, 300)

const execute = Effect.forEach(
  Array.from({ length: workflows }, (_, index) => `topic ${index}`),
  (topic) => Chain.execute({ topic }),
  { concurrency: "unbounded" }
)

/** Reports each run once, when it has ended. */
const deliver = Effect.gen(function*() {
  const emulator = yield* SpineEmulator.SpineEmulator
  const hub = yield* Webhooks.Webhooks
  const seen = new Set<string>()
  const ended = new Set<string>()
  yield* Effect.gen(function*() {
    for (const runId of seen) {
      if (ended.has(runId)) continue
      ended.add(runId)
      yield* hub.deliver({ provider: "spine", runId, isTerminal: true, eventId: runId })
    }
    for (const { id } of yield* emulator.runs) seen.add(id)
  }).pipe(Effect.repeat(Schedule.spaced("300 millis")))
})

const check = (pollInterval: "100 millis" | "1 hour", beside: typeof deliver | Effect.Effect<never>) =>
  Effect.gen(function*() {
    const filename = join(yield* temporaryDirectory, "waits.db")
    yield* Effect.gen(function*() {
      const results = yield* Effect.raceFirst(execute, Effect.andThen(beside, Effect.never))
      assert.deepStrictEqual(results, Array.from({ length: workflows }, () => parts.length))
      const { runs } = yield* SpineEmulator.SpineEmulator
      assert.lengthOf(yield* runs, workflows * parts.length)
      const waits = yield* Waits.Waits
      // The row of a wait is removed after its workflow is woken. The minute begins when the last workflow has ended, so it is long on any machine
      const left = yield* Effect.repeat(Effect.orDie(waits.list), {
        until: (left) => left.length === 0,
        schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "1 minute" }))
      })
      assert.deepStrictEqual(left, [])
    }).pipe(Effect.provide(runner(filename, pollInterval)))
  })

describe(`${workflows} workflows with ${parts.length} waits each`, () => {
  it.live("are all woken by the polls of their runs", () => check("100 millis", Effect.never), size(60_000, 180_000))
  it.live("are all woken by webhooks", () => check("1 hour", deliver), size(60_000, 180_000))
})
