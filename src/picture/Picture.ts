/**
 * Draws the blocks of a Spine canvas: as Mermaid text, as SVG, and as rows for a terminal.
 *
 * **Details**
 *
 * All are pure functions, and the same canvas gives the same text. The order of the blocks in the response has no effect: where the edges
 * leave a choice, blocks are ordered by id. Boxes have one size, so a block that changes its state, name, type or duration changes
 * its own lines only.
 *
 * Names and types are text of others. Control characters, and characters that reverse the direction of text, are removed. The rest is
 * escaped, so that it is never markup. Blocks with one id are all drawn. Edges to blocks that do not exist are left out. An edge
 * that closes a cycle is drawn backwards.
 *
 * @see {@link module:Report} for a page about a whole run
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import { need, readOrThrow } from "../internal/options.ts"
import type { Canvas, TaskTree } from "../spine/SpineCanvasSchema.ts"
import type { History } from "./History.ts"
import * as Mermaid from "./internal/mermaid.ts"
import * as Rows from "./internal/rows.ts"
import * as Scene from "./internal/scene.ts"
import * as Svg from "./internal/svg.ts"

/**
 * Options for all pictures.
 *
 * @category models
 * @since 0.1.0
 */
export interface PictureOptions {
  /** When the blocks started and ended. Without it, a block shows its status and no duration. */
  readonly history?: History | undefined
  /**
   * The time, in milliseconds since 1970, for the duration of blocks that are running.
   *
   * @default the time of the last look in `history`
   */
  readonly now?: number | undefined
}

/**
 * Options for {@link mermaid}.
 *
 * @category models
 * @since 0.1.0
 */
export interface MermaidOptions extends PictureOptions {
  /**
   * Where edges lead.
   *
   * @default "right"
   */
  readonly direction?: "right" | "down" | undefined
}

/**
 * Options for {@link svg}.
 *
 * @category models
 * @since 0.1.0
 */
export interface SvgOptions extends MermaidOptions {
  /** The tasks of the canvas, for a bar with the share of them that have ended. */
  readonly tasks?: TaskTree | undefined
  /**
   * The text at the top. Empty text leaves it out.
   *
   * @default the name of the canvas
   */
  readonly title?: string | undefined
  /**
   * The colours. With `auto`, the picture is dark for readers whose system is dark.
   *
   * @default "auto"
   */
  readonly theme?: "auto" | "light" | "dark" | undefined
}

/**
 * Options for {@link rows}.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowOptions extends PictureOptions {
  /**
   * The width of the terminal.
   *
   * @default 80
   */
  readonly columns?: number | undefined
  /**
   * How many rows there may be. If there are more, the ones around the first running block are kept, and the first and the last row say how
   * many are left out.
   *
   * @default Infinity
   */
  readonly rows?: number | undefined
  /**
   * Whether to colour by state, with ANSI escape sequences.
   *
   * @default false
   */
  readonly colors?: boolean | undefined
}

/**
 * Draws a canvas as a Mermaid flowchart, which GitHub, GitLab and many editors show as a picture. Each block and each edge is a line.
 * A value without `nodes` and `edges` throws a `TypeError`.
 *
 * **Example** (Two blocks)
 *
 * ```ts
 * import { Picture } from "canvas-runs/picture"
 *
 * const text = Picture.mermaid({
 *   canvas_id: "1",
 *   canvas_name: "Tides",
 *   nodes: [
 *     { id: "a", name: "Sources", type: "web-block", status: "completed" },
 *     { id: "b", name: "Report", type: "document-block", status: "running" }
 *   ],
 *   edges: [{ source_id: "a", target_id: "b" }]
 * })
 *
 * console.log(text.split("\n")[2]) // =>   b_a["Sources<br/>web · completed"]:::succeeded
 * ```
 *
 * @category drawing
 * @since 0.1.0
 */
export const mermaid = (canvas: Canvas, options?: MermaidOptions): string => {
  const { direction, history, now } = readOrThrow(options, mermaidOptions)
  return Mermaid.mermaid(Scene.read(canvas, history, now), directionOf(direction))
}

const pictureOptions = ["history", "now"]
const mermaidOptions = [...pictureOptions, "direction"]

/**
 * Draws a canvas as SVG: one element with its own style, without scripts, fonts or links. Each block and each edge is a line. A value
 * without `nodes` and `edges` throws a `TypeError`.
 *
 * **Example** (Saving a picture)
 *
 * ```ts
 * import { Picture } from "canvas-runs/picture"
 *
 * const text = Picture.svg({
 *   canvas_id: "1",
 *   canvas_name: "Tides",
 *   nodes: [{ id: "a", name: "Sources & <b>notes</b>", type: "web-block", status: "completed" }],
 *   edges: []
 * }, { theme: "light" })
 *
 * console.log(text.includes("Sources &#38; &#60;b&#62;")) // => true
 * ```
 *
 * @category drawing
 * @since 0.1.0
 */
export const svg = (canvas: Canvas, options?: SvgOptions): string => {
  const { direction, history, now, tasks, theme = "auto", title } = readOrThrow(options, [
    ...mermaidOptions,
    "tasks",
    "theme",
    "title"
  ])
  need("theme", theme, (theme) => Object.hasOwn(Svg.styles, theme as string), "\"auto\", \"light\" or \"dark\"")
  need("title", title ?? "", Predicate.isString, "text")
  const scene = Scene.read(canvas, history, now)
  return Svg.svg(scene, directionOf(direction), headerOf(scene, title, tasks), Svg.styles[theme])
}

/**
 * Draws a canvas as rows of a terminal: a row for each block, after its inputs, with the edges as lines to the left of it. No row is wider
 * than `columns`. A value without `nodes` and `edges` throws a `TypeError`.
 *
 * **Example** (Two blocks)
 *
 * ```ts
 * import { Picture } from "canvas-runs/picture"
 *
 * const rows = Picture.rows({
 *   canvas_id: "1",
 *   canvas_name: "Tides",
 *   nodes: [
 *     { id: "a", name: "Sources", type: "web-block", status: "completed" },
 *     { id: "b", name: "Report", type: "document-block", status: "running" }
 *   ],
 *   edges: [{ source_id: "a", target_id: "b" }]
 * }, { columns: 40 })
 *
 * console.log(rows.map((row) => row.slice(0, 9))) // => ["✓ Sources", "● Report "]
 * ```
 *
 * @category drawing
 * @since 0.1.0
 */
export const rows = (canvas: Canvas, options?: RowOptions): ReadonlyArray<string> => {
  const { colors = false, columns = 80, history, now, rows: most = Infinity } = readOrThrow(options, [
    ...pictureOptions,
    "columns",
    "rows",
    "colors"
  ])
  need("columns", columns, isAtLeastOne, "a number of columns, 1 or more")
  need("rows", most, isAtLeastOne, "a number of rows, 1 or more")
  const all = Rows.rows(Scene.read(canvas, history, now), { colors, columns: Math.floor(columns) })
  return Rows.window(all, Math.floor(most), Math.floor(columns))
}

const isAtLeastOne = (value: unknown): boolean => typeof value === "number" && value >= 1

const directionOf = (direction: MermaidOptions["direction"] = "right"): "right" | "down" => {
  need("direction", direction, (direction) => direction === "right" || direction === "down", "\"right\" or \"down\"")
  return direction
}

const headerOf = (scene: Scene.Scene, title: string | undefined, tasks: TaskTree | undefined): Svg.Header => {
  const text = title === undefined ? scene.title : Scene.lineOf(title)
  const counted = tasks === undefined ? undefined : Scene.countTasks(tasks)
  const blocks = Svg.count(scene.boxes.length, "block")
  return {
    title: text,
    detail: counted === undefined || counted.total === 0
      ? text === "" ? "" : blocks
      : `${blocks} · ${counted.ended} of ${Svg.count(counted.total, "task")}`,
    share: counted === undefined || counted.total === 0 ? undefined : counted.ended / counted.total
  }
}
