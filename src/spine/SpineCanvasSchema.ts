/**
 * Schemas for the responses about canvases: the graph of blocks that a run builds, and the trees of its tasks. They are as
 * lenient as those of runs: only ids must decode.
 *
 * @see {@link module:SpineSchema} for the responses about runs
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { absentable, open, openLiterals, sideField, sideFieldOr, withFallback } from "../internal/responseSchema.ts"
import { BlockType } from "./SpineSchema.ts"

/**
 * One node of a canvas.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/get-canvas-dag
 * @category schemas
 * @since 0.1.0
 */
export const Block = open({
  /** The id of the block, a UUID today. */
  id: Schema.String,
  /** The title of the block. Empty by default. */
  name: sideFieldOr(Schema.String, ""),
  /** What the block holds: one of {@link BlockType}, or a later addition. `"unknown"` by default. */
  type: sideFieldOr(openLiterals(BlockType.literals), "unknown"),
  /** The state of the block. A failed block is `error`, whereas a failed run is `failed`. `"unknown"` by default. */
  // B1: open, as is the status of a task
  status: sideFieldOr(openLiterals(["idle", "running", "completed", "error"]), "unknown"),
  /** The whole text of the block, if it has one. */
  content: sideField(Schema.String),
  /** The address of a page, or a signed link to a file, if the block has one. */
  url: sideField(Schema.String),
  /** The sources of the content. Their fields depend on the type of the block, and are not documented. */
  sources: sideField(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
})

/**
 * One node of a canvas, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Block extends Schema.Schema.Type<typeof Block> {}

/**
 * An edge of the graph: the output of one block is an input of another.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/get-canvas-dag
 * @category schemas
 * @since 0.1.0
 */
export const Edge = open({
  /** The id of the block whose output is used. */
  source_id: Schema.String,
  /** The id of the block that uses it. */
  target_id: Schema.String
})

/**
 * An edge of a canvas, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Edge extends Schema.Schema.Type<typeof Edge> {}

/**
 * A canvas as a graph of blocks.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/get-canvas-dag
 * @category schemas
 * @since 0.1.0
 */
export const Canvas = open({
  /** The id of the canvas, a UUID today. */
  canvas_id: Schema.String,
  /** The title of the canvas. Empty by default. */
  canvas_name: sideFieldOr(Schema.String, ""),
  /** The blocks. None by default, as in a canvas whose run has just started. */
  nodes: withFallback(Schema.Array(Block), []),
  /** The edges between the blocks. None by default. */
  edges: withFallback(Schema.Array(Edge), [])
})

/**
 * A canvas as a graph of blocks, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvas extends Schema.Schema.Type<typeof Canvas> {}

/**
 * A part of the work of a run: a goal (`parent-task`), the part of one agent (`persona-task`), or one use of a tool
 * (`tool-call-task`).
 *
 * @see https://docs.getspine.ai/api-reference/concepts/canvases-and-runs
 * @category models
 * @since 0.1.0
 */
export interface Task {
  /** The id of the task. */
  readonly task_id: string
  /** The title of the task. Empty by default. */
  readonly name: string
  /** The kind of task. `"unknown"` by default. */
  readonly task_type: "parent-task" | "persona-task" | "tool-call-task" | (string & {})
  /** The state of the task. The provider documents `completed` only; the others are assumed. `"unknown"` by default. */
  readonly status: "pending" | "running" | "completed" | "failed" | (string & {})
  /** The tasks below this one, if the provider lists them. */
  readonly children?: ReadonlyArray<Task>
}

/**
 * A {@link Task} as the provider sends it, where every field but the id may be absent or `null`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskEncoded {
  /** The id of the task. */
  readonly task_id: string
  /** The title of the task. */
  readonly name?: string | null | undefined
  /** The kind of task. */
  readonly task_type?: string | null | undefined
  /** The state of the task. */
  readonly status?: string | null | undefined
  /** The tasks below this one. */
  readonly children?: ReadonlyArray<TaskEncoded> | null | undefined
}

/**
 * The schema of a {@link Task} and of the tasks below it.
 *
 * @see https://docs.getspine.ai/api-reference/canvas/get-a-single-task
 * @category schemas
 * @since 0.1.0
 */
export const Task: Schema.Codec<Task, TaskEncoded> = open({
  /** The id of the task. */
  task_id: Schema.String,
  /** The title of the task. Empty by default. */
  name: sideFieldOr(Schema.String, ""),
  /** The kind of task. `"unknown"` by default. */
  task_type: sideFieldOr(openLiterals(["parent-task", "persona-task", "tool-call-task"]), "unknown"),
  /** The state of the task. `"unknown"` by default. */
  status: sideFieldOr(openLiterals(["pending", "running", "completed", "failed"]), "unknown"),
  /** The tasks below this one, if the provider lists them. */
  children: absentable(Schema.Array(Schema.suspend((): Schema.Codec<Task, TaskEncoded> => Task)))
})

/**
 * The tasks of a canvas, in two lists of trees.
 *
 * @see https://docs.getspine.ai/api-reference/canvas/get-task-tree
 * @category schemas
 * @since 0.1.0
 */
export const TaskTree = open({
  /** The id of the canvas. */
  canvas_id: Schema.String,
  /** The goals that are finished, with the tasks below them. None by default. */
  completed: withFallback(Schema.Array(Task), []),
  /** The goals that are not finished, with the tasks below them, finished or not. None by default. */
  not_completed: withFallback(Schema.Array(Task), [])
})

/**
 * The tasks of a canvas, in two lists of trees, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskTree extends Schema.Schema.Type<typeof TaskTree> {}
