/** Reads a canvas as a list of boxes and edges, in an order that does not depend on the order of the response. */
import type { Canvas, Task, TaskTree } from "../../spine/SpineCanvasSchema.ts"
import type { BlockTimes, History } from "../History.ts"
import { needCanvas, needHistory, needTasks, needTime } from "./canvas.ts"
import { formatMillis } from "./duration.ts"
import type { Edges } from "./layout.ts"
import { isEnded, type State, stateOf } from "./state.ts"
import { clean } from "./text.ts"

/** A block as the pictures show it. */
export interface Box {
  readonly id: string
  /** One clean line. The name of a block may be empty, and then this is its type. */
  readonly name: string
  /** The type, without the ending `-block`. */
  readonly type: string
  readonly state: State
  /** The provider's word for the state. */
  readonly status: string
  readonly times: BlockTimes | undefined
  /** How long the block has been running, or took, such as `"2.4 s"`. Empty if its start is not known. */
  readonly duration: string
  /** Whether an edge leads from the block to itself. */
  readonly isLoop: boolean
}

export interface Scene {
  readonly title: string
  readonly boxes: ReadonlyArray<Box>
  readonly edges: Edges
}

/** The status and the duration of a block. A block that succeeded shows its duration alone. */
export const factOf = ({ duration, state, status }: Box): string =>
  duration === "" ? status : state === "succeeded" ? duration : `${status} ${duration}`

/** The second line of a box. */
export const detailOf = (box: Box): string => box.type === "" ? factOf(box) : `${box.type} · ${factOf(box)}`

/** The length of the longest text of a name that is read. Nothing shows more, and a hostile one may have a gigabyte. */
const longest = 200

/** One clean line of a text of others. A value of another kind, which only JavaScript can pass, is no text. */
export const lineOf = (value: unknown, length = longest): string => {
  if (typeof value !== "string") return ""
  const line = clean(value.slice(0, length + 1)).trim()
  return value.length > length ? `${line.slice(0, length - 1)}…` : line
}

/**
 * Reads a canvas. Blocks are ordered by id. Blocks with the same id are all kept, and the edges of that id lead to the first one. Edges
 * to missing blocks are left out, and so are repeated ones.
 */
export const read = (canvas: Canvas, history: History | undefined, now = history?.at ?? 0): Scene => {
  needCanvas(canvas)
  needHistory(history)
  needTime("now", now)
  const blocks = canvas.nodes.toSorted((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  const indexes = new Map<string, number>()
  blocks.forEach(({ id }, index) => indexes.has(id) || indexes.set(id, index))
  const loops = new Set<number>()
  const edges = new Map<number, readonly [number, number]>()
  for (const { source_id, target_id } of canvas.edges) {
    const source = indexes.get(source_id)
    const target = indexes.get(target_id)
    if (source === undefined || target === undefined) continue
    if (source === target) loops.add(source)
    else edges.set(source * blocks.length + target, [source, target])
  }
  const times = new Map((history?.blocks ?? []).map((block) => [block.id, block]))
  return {
    title: lineOf(canvas.canvas_name),
    boxes: blocks.map((block, index) => {
      const state = stateOf(block.status)
      const seen = times.get(block.id)
      const type = lineOf(block.type).replace(/-block$/, "")
      return {
        id: block.id,
        name: lineOf(block.name) || type || "unnamed",
        type,
        state,
        status: lineOf(block.status) || "unknown",
        times: seen,
        duration: seen?.startedAt === undefined
          ? ""
          : formatMillis((isEnded(state) ? seen.endedAt ?? now : now) - seen.startedAt),
        isLoop: loops.has(index)
      }
    }),
    edges: Array.from(edges).sort(([a], [b]) => a - b).map(([, edge]) => edge)
  }
}

/** The number of tasks that have ended, and of all. Goals and the parts of agents are not counted, if they have tasks below them. */
export const countTasks = (tasks: TaskTree): { readonly ended: number; readonly total: number } => {
  needTasks(tasks)
  let ended = 0
  let total = 0
  const left: Array<Task> = [...tasks.completed, ...tasks.not_completed]
  while (left.length > 0) {
    const task = left.pop()!
    if (task.children !== undefined && task.children.length > 0) {
      for (const child of task.children) left.push(child)
      continue
    }
    total++
    if (isEnded(stateOf(task.status))) ended++
  }
  return { ended, total }
}
