/** A batch as an activity of a workflow, whose runner stops in the middle. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Schema, Scope, Stream } from "effect"
import { Activity, Workflow } from "effect/workflow"
import { Batch, RunStore, Spine } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { databases } from "../support/databases.ts"
import { singleRunner, until } from "../support/durable.ts"
import { apiKey } from "../support/spine.ts"

const topics = ["short 1", "short 2", "long 1", "long 2"]

const Reports = Workflow.make("Reports", {
  payload: { topics: Schema.Array(Schema.String) },
  success: Schema.Struct({ succeeded: Schema.Finite, failed: Schema.Finite, earlier: Schema.Finite }),
  idempotencyKey: ({ topics }) => topics.join()
})

const reports = (deliver: (key: string) => void) =>
  Reports.toLayer(Effect.fn(function*({ topics }) {
    const { runs } = yield* Spine.SpineClient
    const outcomes = Batch.run(topics, {
      key: (topic) => `reports/${topic}`,
      create: (topic) => runs.create({ prompt: topic }),
      wait: (ref) => runs.waitForCompletion(ref, { timeout: "1 hour" }),
      deliver: ({ key }) => Effect.sync(() => deliver(key))
    })
    return yield* Activity.make({
      name: "batch",
      success: Reports.successSchema,
      execute: Effect.orDie(Stream.run(outcomes, Batch.summary))
    })
  }))

it.effect("a batch in an activity continues on the next runner: it creates no run and delivers no outcome twice", () =>
  Effect.gen(function*() {
    const database = yield* databases.sqlite
    const delivered: Array<string> = []
    const ended = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined
    /** Executes the workflow on a new runner, and stops the runner when the condition holds. */
    const onRunner = Effect.fnUntraced(function*(isEnough: typeof ended) {
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(
        reports((key) => delivered.push(key)).pipe(
          Layer.provideMerge(RunStore.layerSql()),
          Layer.provideMerge(Spine.layer({ apiKey: Redacted.make(apiKey) })),
          Layer.provideMerge(singleRunner),
          Layer.provideMerge(database),
          Layer.fresh
        ),
        scope
      )
      const executing = yield* Effect.forkChild(Effect.provide(Reports.execute({ topics }), services))
      yield* until(Effect.sync(() => isEnough(executing)), "1 minute")
      // The runner gives its activity some time, and then interrupts it
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(Effect.sync(() => ended(stopping)))
      return executing
    })

    yield* onRunner(() => delivered.length === 2)
    assert.sameMembers(delivered, ["reports/short 1", "reports/short 2"])
    assert.deepStrictEqual(yield* Fiber.join(yield* onRunner(ended)), { succeeded: 2, failed: 0, earlier: 2 })
    assert.sameMembers(delivered, topics.map((topic) => `reports/${topic}`))
    const created = yield* SpineEmulator.SpineEmulator.use(({ runs }) => runs)
    assert.sameMembers(created.map(({ request }) => request.prompt), topics)
  }).pipe(
    Effect.provide(SpineEmulator.layerTest({
      script: ({ prompt }) => ({
        timeline: Timeline.make({ duration: prompt.includes("short") ? "2 minutes" : "10 minutes" })
      })
    }))
  ))
