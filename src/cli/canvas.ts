/** Reads the canvas of a run. */
import * as Effect from "effect/Effect"
import type * as Spine from "../spine/index.ts"

/** The canvas and the tasks of a run, if it has a canvas yet. The first polls of a run may lack it. */
export const canvasOf = (
  { canvases }: Spine.Service,
  { canvas_id = "" }: Spine.Run
) =>
  canvas_id === ""
    ? Effect.succeed({ canvas: undefined, tasks: undefined })
    : Effect.all({ canvas: canvases.getDag(canvas_id), tasks: canvases.getTasks(canvas_id) }, { concurrency: 2 })
