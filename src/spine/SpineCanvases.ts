/**
 * Spine canvases: the blocks that a run made, and the tasks it made them with.
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
import * as Wire from "./SpineCanvasSchema.ts"
import { decodeAnswer } from "./SpineSchema.ts"

/**
 * The endpoints about canvases. A canvas id comes with a run's snapshots, soon after the run has started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvases {
  /**
   * The graph of blocks. It grows while the run works.
   *
   * @see https://docs.getspine.ai/api-reference/endpoints/get-canvas-dag
   */
  readonly getDag: (canvasId: string) => Effect.Effect<Wire.Canvas, RequestError>
  /**
   * The tree of tasks, finished and unfinished.
   *
   * @see https://docs.getspine.ai/api-reference/canvas/get-task-tree
   */
  readonly getTasks: (canvasId: string) => Effect.Effect<Wire.TaskTree, RequestError>
  /**
   * One task, with its immediate children.
   *
   * @see https://docs.getspine.ai/api-reference/canvas/get-a-single-task
   */
  readonly getTask: (canvasId: string, taskId: string) => Effect.Effect<Wire.Task, RequestError>
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

const decodeCanvas = decodeAnswer(Wire.Canvas)
const decodeTaskTree = decodeAnswer(Wire.TaskTree)
const decodeTask = decodeAnswer(Wire.Task)
