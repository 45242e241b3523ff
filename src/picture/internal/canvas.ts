/** Checks the arguments of the pictures. They are pure functions, so a wrong argument is thrown. */
import { attempt, quote } from "../../internal/describe.ts"
import type { Canvas } from "../../spine/SpineCanvasSchema.ts"

/** Throws a `TypeError` for an argument that is not of its kind. */
export const need = (name: string, value: unknown, isKind: (value: unknown) => boolean, expected: string): void => {
  if (attempt(() => isKind(value)) !== true) throw new TypeError(`${name} is ${quote(value)}; it must be ${expected}.`)
}

export const needCanvas = (canvas: unknown): void =>
  need("canvas", canvas, isCanvas, "a canvas, as canvases.getDag returns it")

const isCanvas = (canvas: unknown): boolean => {
  const { edges, nodes } = canvas as Canvas
  return Array.isArray(nodes) && Array.isArray(edges) &&
    nodes.every(({ id, status }) => typeof id === "string" && typeof status === "string") &&
    edges.every(({ source_id, target_id }) => typeof source_id === "string" && typeof target_id === "string")
}
