/** Checks the arguments of the pictures. They are pure functions, so a wrong argument is thrown. */
import { need } from "../../internal/options.ts"
import type { Canvas } from "../../spine/SpineCanvasSchema.ts"

export const needCanvas = (canvas: unknown): void =>
  need("canvas", canvas, isCanvas, "a canvas, as canvases.getDag returns it")

const isCanvas = (canvas: unknown): boolean => {
  const { edges, nodes } = canvas as Canvas
  return Array.isArray(nodes) && Array.isArray(edges) &&
    nodes.every(({ id, status }) => typeof id === "string" && typeof status === "string") &&
    edges.every(({ source_id, target_id }) => typeof source_id === "string" && typeof target_id === "string")
}
