/**
 * Spine canvases: the blocks that a run made, and the tasks it made them with.
 *
 * @see https://docs.getspine.ai/sdks/typescript/canvas
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import type * as Http from "../internal/http/call.ts"
import { checkId } from "../internal/id.ts"
import * as Telemetry from "../internal/telemetry.ts"
import type { RequestError } from "../RunError.ts"
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

  const canvas = (operation: string, canvasId: string) => checkId(operation, "canvas_id", canvasId)

  return {
    getDag: (canvasId) =>
      Effect.flatMap(
        canvas("canvases.getDag", canvasId),
        (id) => get("canvases.getDag", id, "/dag", about("canvas_id", id, decodeCanvas))
      ),
    getTasks: (canvasId) =>
      Effect.flatMap(
        canvas("canvases.getTasks", canvasId),
        (id) => get("canvases.getTasks", id, "/tasks", about("canvas_id", id, decodeTaskTree))
      ),
    getTask: (canvasId, taskId) =>
      Effect.flatMap(
        Effect.all([canvas("canvases.getTask", canvasId), checkId("canvases.getTask", "task_id", taskId)]),
        ([canvas, task]) => get("canvases.getTask", canvas, `/tasks/${task}`, about("task_id", task, decodeTask))
      )
  }
}

/** A response about another canvas or task, as of a cache, says nothing of this one. */
const about = <Name extends string, A extends { readonly [N in Name]: string }>(
  name: Name,
  id: string,
  decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>
) => {
  const decodeThis = decodeAnswer(Schema.Struct({ [name]: Schema.Literal(id) }))
  return (body: unknown) =>
    Effect.flatMap(
      decode(body),
      (value) =>
        value[name].toLowerCase() === id.toLowerCase() ? Effect.succeed(value) : Effect.as(decodeThis(body), value)
    )
}

const decodeCanvas = decodeAnswer(Wire.Canvas)
const decodeTaskTree = decodeAnswer(Wire.TaskTree)
const decodeTask = decodeAnswer(Wire.Task)
