/** A program that draws a canvas in every form. */
import { History, Picture } from "canvas-runs/picture"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const canvas = { canvas_id: "1", canvas_name: "Tides", nodes: [], edges: [] }

export const program = Effect.gen(function*() {
  const history = History.observe(undefined, canvas, 0)
  yield* Console.log(Picture.rows(canvas, { history }).join("\n"))
  yield* Console.log(Picture.svg(canvas, { history }))
  yield* Console.log(Picture.mermaid(canvas, { history }))
})
