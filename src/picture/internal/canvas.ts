/** Checks the arguments of the pictures. They are pure functions, so a wrong argument is thrown. */
import { need } from "../../internal/options.ts"
import type { Canvas, Task, TaskTree } from "../../spine/SpineCanvasSchema.ts"

export const needCanvas = (canvas: unknown): void =>
  need("canvas", canvas, isCanvas, "a canvas, as canvases.getDag returns it")

const isCanvas = (canvas: unknown): boolean => {
  const { edges, nodes } = canvas as Canvas
  return Array.isArray(nodes) && Array.isArray(edges) &&
    nodes.every(({ id, status }) => typeof id === "string" && typeof status === "string") &&
    edges.every(({ source_id, target_id }) => typeof source_id === "string" && typeof target_id === "string")
}

export const needHistory = (history: unknown): void =>
  need("history", history, isHistory, "a history, as History.observe returns it")

const isHistory = (history: unknown): boolean => {
  if (history === undefined) return true
  const { at, blocks, since } = history as Readonly<Record<string, unknown>>
  return Number.isFinite(at) && Number.isFinite(since) && Array.isArray(blocks) &&
    blocks.every(({ endedAt, id, startedAt }) =>
      typeof id === "string" && [startedAt, endedAt].every((time) => time === undefined || Number.isFinite(time))
    )
}

export const needTasks = (tasks: unknown): void =>
  need("tasks", tasks, isTree, "a tree of tasks, as canvases.getTasks returns it")

const isTree = (tasks: unknown): boolean => {
  if (tasks === undefined) return true
  const { completed, not_completed } = tasks as TaskTree
  return Array.isArray(completed) && Array.isArray(not_completed) && [...completed, ...not_completed].every(isTask)
}

const isTask = ({ children, status }: Task): boolean =>
  typeof status === "string" && (children === undefined || Array.isArray(children))

export const needTime = (name: string, time: unknown): void =>
  need(name, time, Number.isFinite, "a time in milliseconds")
