/**
 * Durable runs of Spine.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Workflow from "effect/workflow/Workflow"
import type * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { withRaw } from "../internal/responseSchema.ts"
import type { RunStore } from "../RunStore.ts"
import { SpineClient } from "../spine/SpineClient.ts"
import { provider as name } from "../spine/SpineRuns.ts"
import * as Data from "../spine/SpineSchema.ts"
import * as DurableRun from "./DurableRun.ts"
import type { Waits } from "./internal/waits.ts"

const Success = withRaw(Schema.Union([Data.CompletedRun, Data.PartialRun]))

/**
 * The runs of Spine, for `DurableRun.wait` and for the providers of `Waits`. The result is a run that is `completed` or `partial`.
 *
 * @category providers
 * @since 0.1.0
 */
export const provider: DurableRun.Provider<Data.CompletedRun | Data.PartialRun, SpineClient> = {
  /** `"spine"`. */
  name,
  /** A run that is `completed` or `partial`. */
  success: Success,
  source: (ref) => SpineClient.use(({ runs }) => runs.source(ref))
}

/**
 * A workflow that creates a run once for each `key`, and returns the run when it is `completed` or `partial`.
 *
 * **When to use**
 *
 * For a run without steps before or after it. Write a workflow of your own, with `DurableRun.run`, for files in the parameters.
 *
 * **Details**
 *
 * `params` has the parameters of `runs.create`, without files. `timeout` counts from the creation; its default is one day. {@link layer}
 * registers the workflow.
 *
 * **Example** (A run that survives the process)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { WorkflowEngine } from "effect/workflow"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const main = Effect.gen(function*() {
 *   const run = yield* SpineWorkflow.Run.execute({ key: "2026-07", params: { prompt: "The report of July" } })
 *   return run.status
 * }).pipe(
 *   Effect.provide(SpineWorkflow.layer),
 *   // In production: ClusterWorkflowEngine, RunStore.layerSql and Waits.layerSql
 *   Effect.provide(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => completed
 * ```
 *
 * @category workflows
 * @since 0.1.0
 */
export const Run = Workflow.make("SpineRun", {
  payload: {
    /** Names the run: a second call with the same key returns the result of the first. */
    key: Schema.NonEmptyString,
    /** The parameters of `runs.create`, without files. */
    params: Schema.Struct({
      /** The instruction. */
      prompt: Schema.NonEmptyString,
      /** The kind of the result. */
      template: Schema.optional(Data.Template),
      /** The types of blocks that the agents may create. */
      blocks: Schema.optional(Schema.Array(Data.BlockType)),
      /** Guidance for all agents. */
      agent_instructions: Schema.optional(Schema.String)
    }),
    /** How long the run may take, counted from its creation. One day if absent. */
    timeout: Schema.optional(Schema.Duration)
  },
  /** A run that is `completed` or `partial`. */
  success: provider.success,
  /** The errors of a durable run. */
  error: DurableRun.Error,
  idempotencyKey: ({ key }) => key
})

/**
 * A layer that runs the executions of {@link Run} on the engine of the context.
 *
 * **Example** (On one machine)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
 * import { Digest } from "effect/crypto"
 * import { RunStore, Spine } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 * import { SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const app = SpineWorkflow.layer.pipe(
 *   Layer.provide(Waits.layerSql({ providers: [SpineWorkflow.provider] })),
 *   Layer.provideMerge(ClusterWorkflowEngine.layer),
 *   Layer.provideMerge(SingleRunner.layer()),
 *   Layer.provide(RunStore.layerSql()),
 *   Layer.provide([NodeSqlite.layer({ filename: "runs.db" }), Digest.layerWebCrypto, Spine.layerFetch()])
 * )
 *
 * console.log(Layer.isLayer(app)) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
  never,
  never,
  WorkflowEngine.WorkflowEngine | RunStore | Waits | SpineClient
> = Run.toLayer(Effect.fnUntraced(function*({ params, timeout }) {
  const { runs } = yield* SpineClient
  return yield* DurableRun.run("run", runs.create(params), { provider, timeout })
}))
