/**
 * Durable executions of Tela.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Workflow from "effect/workflow/Workflow"
import type * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import type { RunStore } from "../RunStore.ts"
import { decodeWhole } from "../tela/internal/source.ts"
import type { ApplicationId, CanvasOrVersion } from "../tela/TelaCanvas.ts"
import { TelaClient } from "../tela/TelaClient.ts"
import {
  type AsyncExecution,
  type ExecuteError,
  type ExecutionSnapshot,
  provider as name
} from "../tela/TelaExecution.ts"
import { findByTag } from "../tela/TelaTags.ts"
import * as DurableRun from "./DurableRun.ts"
import type { Waits } from "./internal/waits.ts"

/** The JSON of a snapshot is the response unchanged, so that a later version may read more of it. */
const Stored = Schema.Struct({
  kind: Schema.Literals(["execution", "task"]),
  requestId: Schema.optional(Schema.String),
  body: Schema.Json
})

const Success: Schema.Codec<ExecutionSnapshot, typeof Stored.Encoded> = Stored.pipe(
  Schema.decodeTo(
    Schema.Unknown as Schema.Codec<unknown> as Schema.Codec<ExecutionSnapshot>,
    {
      decode: SchemaGetter.transformEffect(({ body, kind, requestId }: typeof Stored.Type) =>
        decodeWhole(kind)(body).pipe(
          Effect.map((snapshot) => ({ ...snapshot, requestId })),
          Effect.mapError(({ issue }) => issue)
        )
      ),
      encode: SchemaGetter.transform(({ kind, raw, requestId }: ExecutionSnapshot) => ({
        kind,
        requestId,
        body: raw as Schema.Json
      }))
    }
  )
)

/**
 * The executions and tasks of Tela, for `DurableRun.wait` and for the providers of `Waits`. The result is the snapshot of a
 * successful one, whose `output` is not validated.
 *
 * @category providers
 * @since 0.1.0
 */
export const provider: DurableRun.Provider<ExecutionSnapshot, TelaClient> = {
  /** `"tela"`. */
  name,
  /** The snapshot of an execution or task that succeeded. */
  success: Success,
  source: (ref) => TelaClient.use((tela) => tela.source(ref))
}

/**
 * A workflow that executes a canvas, or an application, once for each `key`, and returns the snapshot of the execution, with its
 * `output`.
 *
 * **When to use**
 *
 * For an execution without steps before or after it. Write a workflow of your own, with `DurableRun.run`, for files in the variables, or for
 * an output with a schema.
 *
 * **Details**
 *
 * `canvas` has the members of `canvas.make`: `id`, `versionId`, or `applicationId`. `timeout` counts from the creation; its default is one
 * day. {@link layer} registers the workflow.
 *
 * Each execution has a unique tag. If the process ends before the response to a create, the workflow finds the execution by this tag.
 *
 * **Example** (An execution that survives the process)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { WorkflowEngine } from "effect/workflow"
 * import { RunStore, Tela } from "canvas-runs"
 * import { TelaEmulator, Timeline } from "canvas-runs/testing"
 * import { TelaWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const main = Effect.gen(function*() {
 *   const execution = yield* TelaWorkflow.Run.execute({
 *     key: "tides of July",
 *     canvas: { id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" },
 *     variables: { topic: "tides" }
 *   })
 *   return execution.output
 * }).pipe(
 *   Effect.provide(TelaWorkflow.layer),
 *   // In production: ClusterWorkflowEngine, RunStore.layerSql and Waits.layerSql
 *   Effect.provide(Waits.layerMemory({ providers: [TelaWorkflow.provider] })),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") })),
 *   Effect.provide(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "Twice a day" } }))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => Twice a day
 * ```
 *
 * @category workflows
 * @since 0.1.0
 */
export const Run = Workflow.make("TelaRun", {
  payload: {
    /** Names the execution: a second call with the same key returns the result of the first. */
    key: Schema.NonEmptyString,
    /** The canvas to execute. */
    canvas: Schema.Struct({
      /** The id of a canvas. */
      id: Schema.optional(Schema.String),
      /** The id of a version of a canvas. */
      versionId: Schema.optional(Schema.String),
      /** The id of an application. */
      applicationId: Schema.optional(Schema.String)
    }),
    /** The variables of the canvas. */
    variables: Schema.Record(Schema.String, Schema.Json),
    /** How long the execution may take, counted from its creation. One day if absent. */
    timeout: Schema.optional(Schema.Duration)
  },
  /** The snapshot of the execution that succeeded. */
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
 * import { RunStore, Tela } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 * import { TelaWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const app = TelaWorkflow.layer.pipe(
 *   Layer.provide(Waits.layerSql({ providers: [TelaWorkflow.provider] })),
 *   Layer.provideMerge(ClusterWorkflowEngine.layer),
 *   Layer.provideMerge(SingleRunner.layer()),
 *   Layer.provide(RunStore.layerSql()),
 *   Layer.provide([NodeSqlite.layer({ filename: "runs.db" }), Digest.layerWebCrypto, Tela.layerFetch()])
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
  WorkflowEngine.WorkflowEngine | RunStore | Waits | TelaClient
> = Run.toLayer(Effect.fnUntraced(function*({ canvas: target, timeout, variables }) {
  const tela = yield* TelaClient
  const canvas = tela.canvas.make(target as ApplicationId | CanvasOrVersion)
  return yield* DurableRun.run(
    "run",
    (tag): Effect.Effect<AsyncExecution<unknown>, ExecuteError> =>
      canvas.isWorkstation
        ? canvas.execute(variables, { tags: [tag] })
        : canvas.execute(variables, { async: true, tags: [tag] }),
    { provider, timeout, lookup: findByTag }
  )
}))
