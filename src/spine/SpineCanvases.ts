/**
 * Reads Spine canvases: the blocks that a run produces, and the tasks of its agents.
 *
 * @see https://docs.getspine.ai/sdks/typescript/canvas
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Http from "../internal/http/call.ts"
import { checkId } from "../internal/id.ts"
import * as Telemetry from "../internal/telemetry.ts"
import type { RequestError } from "../RunError.ts"
import { about } from "./internal/about.ts"
import * as Data from "./SpineCanvasSchema.ts"
import { decodeAnswer } from "./SpineSchema.ts"

/**
 * The endpoints about canvases.
 *
 * **Details**
 *
 * Each run has one canvas. Its id is the `canvas_id` of the run's snapshots, which the first polls may lack. An empty id, or one
 * that does not fit into a path, is a `BadRequestError`, and no request is made. A canvas or task that does not exist, or that
 * belongs to another account, is a `NotFoundError`. Transient failures are retried, as the client's `retry` says.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/canvases-and-runs
 * @category models
 * @since 0.1.0
 */
export interface Canvases {
  /**
   * Returns the graph of blocks. It grows while the run works, and may be empty at first.
   *
   * **Example** (The blocks of a report)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { canvases, runs } = yield* Spine.SpineClient
   *   const run = yield* runs.run({ prompt: "Tides", blocks: ["web-block", "document-block"] })
   *   const canvas = yield* canvases.getDag(run.canvas_id ?? "")
   *   console.log(canvas.nodes.map(({ status, type }) => `${type}: ${status}`).at(-1)) // => "document-block: completed"
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0, tasks: 2 }) }
   * await main.pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script }))
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link module:SpineGraph} to walk or to draw the graph
   * @see https://docs.getspine.ai/api-reference/endpoints/get-canvas-dag
   */
  readonly getDag: (canvasId: string) => Effect.Effect<Data.Canvas, RequestError>
  /**
   * Returns the trees of tasks, finished and unfinished.
   *
   * **Example** (The goals of a finished run)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { canvases, runs } = yield* Spine.SpineClient
   *   const run = yield* runs.run({ prompt: "Tides" })
   *   const tasks = yield* canvases.getTasks(run.canvas_id ?? "")
   *   console.log(tasks.completed.length, tasks.not_completed.length) // => 2 0
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0, tasks: 2 }) }
   * await main.pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script }))
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Canvases.getTask} for one task
   * @see https://docs.getspine.ai/api-reference/canvas/get-task-tree
   */
  readonly getTasks: (canvasId: string) => Effect.Effect<Data.TaskTree, RequestError>
  /**
   * Returns one task with its immediate children.
   *
   * **Example** (The first goal)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { canvases, runs } = yield* Spine.SpineClient
   *   const { canvas_id = "" } = yield* runs.run({ prompt: "Tides" })
   *   const [goal] = (yield* canvases.getTasks(canvas_id)).completed
   *   const task = yield* canvases.getTask(canvas_id, goal!.task_id)
   *   console.log(task.task_type, task.status) // => parent-task completed
   * })
   *
   * const script = { timeline: Timeline.make({ duration: 0, tasks: 2 }) }
   * await main.pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script }))
   *   )),
   *   Effect.runPromise
   * )
   * ```
   *
   * @see {@link Canvases.getTasks} for all of them
   * @see https://docs.getspine.ai/api-reference/canvas/get-a-single-task
   */
  readonly getTask: (canvasId: string, taskId: string) => Effect.Effect<Data.Task, RequestError>
}

/**
 * Makes {@link Canvases} on an API.
 *
 * @internal
 */
export const make = (api: Http.Api): Canvases => {
  const get = <A>(operation: string, canvasId: string, path: string, decode: Http.Call<A>["decode"]) =>
    Effect.map(
      api.call({ operation, request: HttpClientRequest.get(`/v1/canvas/${canvasId}${path}`), decode }),
      ({ value }) => value
    ).pipe(Telemetry.span(operation, { "canvas.id": canvasId }))

  const getWhole = <A extends { readonly canvas_id: string }>(
    operation: string,
    canvasId: string,
    path: string,
    decode: Http.Call<A>["decode"]
  ) =>
    Effect.flatMap(
      checkId(operation, "canvas_id", canvasId),
      (id) => get(operation, id, path, about("canvas_id", id, decode))
    )

  return {
    getDag: (canvasId) => getWhole("canvases.getDag", canvasId, "/dag", decodeCanvas),
    getTasks: (canvasId) => getWhole("canvases.getTasks", canvasId, "/tasks", decodeTaskTree),
    getTask: (canvasId, taskId) => {
      const operation = "canvases.getTask"
      return Effect.flatMap(
        Effect.all([checkId(operation, "canvas_id", canvasId), checkId(operation, "task_id", taskId)]),
        ([canvas, task]) => get(operation, canvas, `/tasks/${task}`, about("task_id", task, decodeTask))
      )
    }
  }
}

const decodeCanvas = decodeAnswer(Data.Canvas)
const decodeTaskTree = decodeAnswer(Data.TaskTree)
const decodeTask = decodeAnswer(Data.Task)
