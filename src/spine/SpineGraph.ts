/**
 * Converts a Spine canvas to a graph of Effect's `Graph` module, which can walk it and draw it. It is a separate module, so that
 * a program without graphs does not bundle `Graph`.
 *
 * @since 0.1.0
 */
import * as Graph from "effect/Graph"
import { need } from "../internal/options.ts"
import type { Block, Canvas, Edge } from "./SpineCanvasSchema.ts"

/**
 * Converts a canvas to a directed graph of its blocks. An edge from or to a block that the canvas does not have yet is left out.
 * A value without `nodes` and `edges` throws a `TypeError`.
 *
 * **Example** (Drawing a canvas with Mermaid)
 *
 * ```ts
 * import { Graph } from "effect"
 * import { fromCanvas } from "canvas-runs/spine/SpineGraph"
 *
 * const graph = fromCanvas({
 *   canvas_id: "1",
 *   canvas_name: "Databases",
 *   nodes: [
 *     { id: "a", name: "Sources", type: "web-block", status: "completed" },
 *     { id: "b", name: "Report", type: "document-block", status: "running" }
 *   ],
 *   edges: [{ source_id: "a", target_id: "b" }]
 * })
 *
 * const drawing = Graph.toMermaid(graph, { nodeLabel: (block) => block.name, edgeLabel: () => "" })
 * console.log(drawing.includes("Report")) // => true
 * ```
 *
 * @see {@link Canvas}, which `canvases.getDag` returns
 * @category converting
 * @since 0.1.0
 */
export const fromCanvas = (canvas: Canvas): Graph.DirectedGraph<Block, Edge> => {
  need("canvas", canvas, isCanvas, "a canvas, as canvases.getDag returns it")
  return Graph.directed((graph) => {
    const indexes = new Map(canvas.nodes.map((block) => [block.id, Graph.addNode(graph, block)]))
    for (const edge of canvas.edges) {
      const source = indexes.get(edge.source_id)
      const target = indexes.get(edge.target_id)
      if (source !== undefined && target !== undefined) Graph.addEdge(graph, source, target, edge)
    }
  })
}

const isCanvas = (canvas: unknown): boolean =>
  Array.isArray((canvas as Canvas).nodes) && Array.isArray((canvas as Canvas).edges)
