/**
 * The data of Spine's canvases, as it travels: the graph of blocks that a run builds, and the tree of its tasks. Decoding is as
 * lenient as that of runs.
 *
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
  id: Schema.String,
  name: sideFieldOr(Schema.String, ""),
  type: sideFieldOr(openLiterals(BlockType.literals), "unknown"),
  /** A block that failed is `error`, whereas a run that failed is `failed`. */
  // B1: open, as is the status of a task
  status: sideFieldOr(openLiterals(["idle", "running", "completed", "error"]), "unknown"),
  /** The whole textual output. */
  content: sideField(Schema.String),
  /** An external or signed download link. */
  url: sideField(Schema.String),
  /** Where the content came from. The shape depends on the block and is not published. */
  sources: sideField(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Block extends Schema.Schema.Type<typeof Block> {}

/**
 * The output of block `source_id` feeds block `target_id`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Edge = open({
  source_id: Schema.String,
  target_id: Schema.String
})

/**
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
  canvas_id: Schema.String,
  canvas_name: sideFieldOr(Schema.String, ""),
  nodes: withFallback(Schema.Array(Block), []),
  edges: withFallback(Schema.Array(Edge), [])
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Canvas extends Schema.Schema.Type<typeof Canvas> {}

/**
 * One piece of the work of a run: a goal (`parent-task`), what one agent does for it (`persona-task`), or one use of a
 * tool (`tool-call-task`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Task {
  readonly task_id: string
  readonly name: string
  readonly task_type: "parent-task" | "persona-task" | "tool-call-task" | (string & {})
  readonly status: "pending" | "running" | "completed" | "failed" | (string & {})
  readonly children?: ReadonlyArray<Task>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskEncoded {
  readonly task_id: string
  readonly name?: string | null | undefined
  readonly task_type?: string | null | undefined
  readonly status?: string | null | undefined
  readonly children?: ReadonlyArray<TaskEncoded> | null | undefined
}

/**
 * @see https://docs.getspine.ai/api-reference/canvas/get-a-single-task
 * @category schemas
 * @since 0.1.0
 */
export const Task: Schema.Codec<Task, TaskEncoded> = open({
  task_id: Schema.String,
  name: sideFieldOr(Schema.String, ""),
  task_type: sideFieldOr(openLiterals(["parent-task", "persona-task", "tool-call-task"]), "unknown"),
  status: sideFieldOr(openLiterals(["pending", "running", "completed", "failed"]), "unknown"),
  children: absentable(Schema.Array(Schema.suspend((): Schema.Codec<Task, TaskEncoded> => Task)))
})

/**
 * The tasks of a canvas, as two lists of roots.
 *
 * @see https://docs.getspine.ai/api-reference/canvas/get-task-tree
 * @category schemas
 * @since 0.1.0
 */
export const TaskTree = open({
  canvas_id: Schema.String,
  completed: withFallback(Schema.Array(Task), []),
  not_completed: withFallback(Schema.Array(Task), [])
})

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskTree extends Schema.Schema.Type<typeof TaskTree> {}
