/**
 * When the blocks of a canvas started and ended. The provider reports no times of blocks, so they are the times at which a program saw
 * the change.
 *
 * @since 0.1.0
 */
import type { Canvas } from "../spine/SpineCanvasSchema.ts"
import { needCanvas, needHistory, needTime } from "./internal/canvas.ts"
import { isEnded, stateOf } from "./internal/state.ts"

/**
 * When a block was seen to start and to end.
 *
 * @category models
 * @since 0.1.0
 */
export interface BlockTimes {
  /** The id of the block. */
  readonly id: string
  /** When it was first seen running, in milliseconds since 1970. Absent if it never was. */
  readonly startedAt?: number | undefined
  /** When it was first seen to have ended, in milliseconds since 1970. */
  readonly endedAt?: number | undefined
}

/**
 * What a program has seen of a canvas so far. It is plain data: `JSON.stringify` loses nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface History {
  /** The time of the first look, in milliseconds since 1970. */
  readonly since: number
  /** The time of the last look, in milliseconds since 1970. */
  readonly at: number
  /** The blocks, in the order in which they appeared. */
  readonly blocks: ReadonlyArray<BlockTimes>
}

/**
 * Adds a look at a canvas to a history.
 *
 * **Details**
 *
 * Times are as exact as the looks are frequent. A block that was never seen running has no start, and therefore no duration. A block
 * that runs again starts again. A block that disappears keeps its times.
 *
 * **Example** (Two looks at a block)
 *
 * ```ts
 * import { History } from "canvas-runs/picture"
 * import type { Spine } from "canvas-runs"
 *
 * const canvas = (status: string): Spine.Canvas => ({
 *   canvas_id: "1",
 *   canvas_name: "Tides",
 *   nodes: [{ id: "a", name: "Sources", type: "web-block", status }],
 *   edges: []
 * })
 *
 * const first = History.observe(undefined, canvas("running"), 1_000)
 * const second = History.observe(first, canvas("completed"), 4_500)
 *
 * second.blocks // => [{ id: "a", startedAt: 1000, endedAt: 4500 }]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const observe = (history: History | undefined, canvas: Canvas, now: number): History => {
  needCanvas(canvas)
  needHistory(history)
  needTime("now", now)
  const blocks = new Map((history?.blocks ?? []).map((block) => [block.id, block]))
  for (const { id, status } of canvas.nodes) {
    const { endedAt, startedAt } = blocks.get(id) ?? {}
    const state = stateOf(status)
    const started = startedAt === undefined ? { id } : { id, startedAt }
    blocks.set(
      id,
      state === "waiting"
        ? { id }
        : isEnded(state)
        ? { ...started, endedAt: endedAt ?? now }
        : endedAt === undefined && startedAt !== undefined
        ? started
        : { id, startedAt: now }
    )
  }
  return { since: history?.since ?? now, at: now, blocks: Array.from(blocks.values()) }
}
