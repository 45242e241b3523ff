/** Workflows on the tables of an engine: some have ended, and one waits for its run. */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { RunStore, type Spine, type Tela } from "canvas-runs"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { SpineWorkflow, TelaWorkflow, Waits } from "canvas-runs/workflow"
import { singleRunner, until } from "../support/durable.ts"
import * as spine from "../support/spine.ts"
import * as tela from "../support/tela.ts"

/** A process on a database. */
export const processOn = <A>(
  sql: Layer.Layer<SqlClient.SqlClient>,
  clients: Layer.Layer<A | Spine.SpineClient | Tela.TelaClient>
) =>
  Layer.mergeAll(SpineWorkflow.layer, TelaWorkflow.layer).pipe(
    Layer.provideMerge(Waits.layerSql({ providers: [SpineWorkflow.provider, TelaWorkflow.provider] })),
    Layer.provideMerge(singleRunner),
    Layer.provideMerge(RunStore.layerSql()),
    Layer.provideMerge(clients),
    Layer.provide(sql),
    Layer.fresh,
    Layer.orDie
  )

export const payloads = {
  ended: { key: "ended", params: { prompt: "short", template: "report", agent_instructions: "'; \"é\"" } },
  failed: { key: "failed", params: { prompt: "fails" } },
  waiting: { key: "waiting", params: { prompt: "long" } },
  execution: { key: "execution", canvas: { id: tela.canvasId }, variables: { topic: "tides", count: 3, none: null } },
  task: { key: "task", canvas: { applicationId: tela.applicationId }, variables: {} }
} as const

const emulators = Layer.mergeAll(
  spine.live(undefined, {
    script: ({ prompt }) => ({
      timeline: prompt === "fails"
        ? Timeline.make({ duration: "1 minute", outcome: "failed", errors: ["out of luck"] })
        : Timeline.make({ duration: prompt === "long" ? "1 hour" : "1 minute" })
    })
  }),
  tela.live(undefined, { script: { timeline: Timeline.make({ duration: "1 minute" }), output: { total: 42 } } })
)

/** Runs the workflows on a database until only one of them waits. */
export const write = (sql: Layer.Layer<SqlClient.SqlClient>) =>
  Effect.gen(function*() {
    const { list } = yield* Waits.Waits
    yield* Effect.forEach(
      [payloads.ended, payloads.failed, payloads.waiting],
      (payload) => SpineWorkflow.Run.execute(payload, { discard: true })
    )
    yield* Effect.forEach(
      [payloads.execution, payloads.task],
      (payload) => TelaWorkflow.Run.execute(payload, { discard: true })
    )
    const { runs } = yield* SpineEmulator.SpineEmulator
    yield* until(Effect.map(runs, ({ length }) => length === 3))
    yield* TestClock.adjust("5 minutes")
    yield* until(Effect.map(Effect.orDie(list), ({ length }) => length === 1))
    yield* TestClock.adjust("1 minute")
  }).pipe(
    Effect.provide(processOn(sql, emulators)),
    // Before the layers are built: each of their intervals takes a step of the clock
    (write) => Effect.andThen(TestClock.setTime(Date.parse("2026-11-01")), write)
  )
