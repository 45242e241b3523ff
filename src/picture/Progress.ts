/**
 * The progress of several runs as rows of text: a pure function from their states and the width of a terminal.
 *
 * **When to use**
 *
 * {@link rows} are for a terminal, where a `Screen` redraws them in place. {@link line} is for a log, which gets a line for each
 * change.
 *
 * **Details**
 *
 * A row has the run's name, a bar, its status, a count, its time, and a note, coloured by its state: blue-green while it runs,
 * green, yellow for a partial result, and red. In a narrow terminal the bar goes first, then the count, then the time; name and status
 * are cut last. The note gets the room that is left. Names and notes come from others: they cannot move the cursor or start a new line.
 *
 * @since 0.1.0
 */
import { need, readOrThrow } from "../internal/options.ts"
import type * as RunSource from "../RunSource.ts"
import { formatMillis } from "./internal/duration.ts"
import type { Frame } from "./internal/frame.ts"
import { type State, stateOf } from "./internal/state.ts"
import * as Text from "./internal/text.ts"

/**
 * The state of one run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Run {
  /** The name that is shown. */
  readonly name: string
  /** The status, in the provider's word or in one of yours, such as `"downloading"`. It decides the colour. */
  readonly status: string
  /** How much of the work is done, if that is known. */
  readonly progress?: RunSource.Progress | undefined
  /**
   * What the progress counts. Without a unit the bar shows the progress, and no number.
   *
   * @default undefined
   */
  readonly unit?: string | undefined
  /** When the run began, in milliseconds since 1970. Without it no time is shown. */
  readonly startedAt?: number | undefined
  /** When the run ended, in milliseconds since 1970: its time stops. */
  readonly endedAt?: number | undefined
  /** Other details, such as the files or the reasons of a failure. */
  readonly note?: string | undefined
}

/**
 * Returns a row for each run. No row is wider than `columns`. If there are more runs than `rows`, the runs that are under way and
 * the failed ones are shown, and the last row counts the others.
 *
 * **Example** (Two runs in a wide and in a narrow terminal)
 *
 * ```ts
 * import { Progress } from "canvas-runs/picture"
 *
 * const runs: ReadonlyArray<Progress.Run> = [
 *   { name: "report", status: "running", progress: { completed: 3, total: 8 }, unit: "tasks", startedAt: 0 },
 *   { name: "memo", status: "failed", startedAt: 0, endedAt: 1500, note: "no sources" }
 * ]
 *
 * Progress.rows(runs, { columns: 70, now: 185_000 })
 * // => ["report  ██████░░░░░░░░░░  running      3/8 tasks    3 min 05 s", "memo    ░░░░░░░░░░░░░░░░  failed                        1.5 s  no sou…"]
 * Progress.rows(runs, { columns: 18, now: 185_000 }) // => ["report  running", "memo    failed"]
 * ```
 *
 * @see {@link line} for a log
 * @category rendering
 * @since 0.1.0
 */
export const rows = (runs: Iterable<Run>, options: Frame): ReadonlyArray<string> => {
  const all = read(runs)
  const frame = readOrThrow(options, ["columns", "rows", "now", "colors"])
  need("columns", frame.columns, isCount, "a number of columns, at least 1")
  need("now", frame.now, Number.isFinite, "the time in milliseconds")
  const limit = frame.rows ?? Infinity
  if (limit < 1) return []
  const shown = all.length > limit ? mostTelling(all, limit - 1) : all
  const layout = layoutOf(shown, frame)
  const others = all.filter((run) => !shown.includes(run))
  return [
    ...shown.map((run) => rowOf(run, layout, frame)),
    ...(others.length === 0 ? [] : [Text.cut(`… and ${others.length} more: ${counts(others)}`, frame.columns)])
  ]
}

/**
 * Returns the state of a run as a line for a log, without a time.
 *
 * **Example** (A line of a log)
 *
 * ```ts
 * import { Progress } from "canvas-runs/picture"
 *
 * Progress.line({ name: "report", status: "running", progress: { completed: 3, total: 8 }, unit: "tasks" })
 * // => "report: running, 3/8 tasks"
 * ```
 *
 * @see {@link lines} for several runs
 * @category rendering
 * @since 0.1.0
 */
export const line = (run: Run): string => {
  const { counted, name, note, status } = cellsOf(read([run])[0]!, 0)
  return [`${name}: ${status}`, counted, note].filter((part) => part !== "").join(", ")
}

/**
 * Returns the lines of several runs for a log, by a key that stays the same while the runs stay in order. A `Screen` without a
 * terminal writes those that change.
 *
 * **Example** (Two runs)
 *
 * ```ts
 * import { Progress } from "canvas-runs/picture"
 *
 * const lines = Progress.lines([{ name: "report", status: "running" }, { name: "memo", status: "completed" }])
 *
 * Array.from(lines.values()) // => ["report: running", "memo: completed"]
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const lines = (runs: Iterable<Run>): ReadonlyMap<string, string> => {
  const result = new Map<string, string>()
  for (const run of read(runs)) {
    let key = run.name
    // Runs may share a name
    for (let n = 2; result.has(key); n++) key = `${run.name} (${n})`
    result.set(key, line(run))
  }
  return result
}

/**
 * Returns how many runs have each status.
 *
 * **Example** (Three runs)
 *
 * ```ts
 * import { Progress } from "canvas-runs/picture"
 *
 * Progress.counts([{ name: "a", status: "running" }, { name: "b", status: "failed" }, { name: "c", status: "running" }])
 * // => "2 running, 1 failed"
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const counts = (runs: Iterable<Run>): string => {
  const found = new Map<string, number>()
  for (const { status } of read(runs)) found.set(Text.clean(status), (found.get(Text.clean(status)) ?? 0) + 1)
  return Array.from(found, ([status, n]) => `${n} ${status}`).join(", ")
}

/**
 * Returns a bar of `width` characters. It is full only when all is done, and empty while the total is 0.
 *
 * **Example** (Three of eight)
 *
 * ```ts
 * import { Progress } from "canvas-runs/picture"
 *
 * Progress.bar({ completed: 3, total: 8 }, 16) // => "██████░░░░░░░░░░"
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const bar = (progress: RunSource.Progress, width: number): string => {
  need("progress", progress, isProgress, "an object with the numbers completed and total")
  need("width", width, isCount, "a number of characters, at least 1")
  const { completed, total } = progress
  const full = total > 0 ? Math.floor(Math.min(1, Math.max(0, completed / total)) * width) || 0 : 0
  return "█".repeat(full) + "░".repeat(width - full)
}

const read = (runs: Iterable<Run>): ReadonlyArray<Run> => {
  need("runs", runs, isIterable, "a list of runs")
  const all = Array.from(runs)
  for (const run of all) need("a run", run, isRun, "an object with a text name and a text status")
  return all
}

const isIterable = (value: unknown): boolean => typeof value === "object" && value !== null && Symbol.iterator in value

const isRun = (run: unknown): boolean =>
  typeof (run as Run).name === "string" && typeof (run as Run).status === "string"

const isProgress = (progress: unknown): boolean =>
  typeof (progress as RunSource.Progress).completed === "number" &&
  typeof (progress as RunSource.Progress).total === "number"

const isCount = (n: unknown): boolean => typeof n === "number" && n >= 1

/** The first runs by the interest of their state, in the order of the list. */
const mostTelling = (runs: ReadonlyArray<Run>, count: number): ReadonlyArray<Run> => {
  const chosen = new Set(
    runs.toSorted((a, b) => interest[stateOf(a.status)] - interest[stateOf(b.status)]).slice(0, count)
  )
  return runs.filter((run) => chosen.has(run))
}

const interest: Readonly<Record<State, number>> = { running: 0, failed: 1, partial: 2, waiting: 3, succeeded: 4 }

/** The texts of a row. */
interface Cells {
  readonly name: string
  readonly status: string
  readonly counted: string
  readonly time: string
  readonly note: string
}

/** A run that succeeded has done all, also if the last progress was seen before that. */
const progressOf = ({ progress, status }: Run): RunSource.Progress | undefined =>
  progress !== undefined && stateOf(status) === "succeeded" ? { ...progress, completed: progress.total } : progress

const cellsOf = (run: Run, now: number): Cells => {
  const { endedAt, name, note, startedAt, status, unit } = run
  const progress = progressOf(run)
  return {
    name: Text.clean(name),
    status: Text.clean(status),
    counted: unit === undefined || progress === undefined || progress.total === 0
      ? ""
      : `${progress.completed}/${progress.total} ${Text.clean(unit)}`,
    time: startedAt === undefined ? "" : formatMillis((endedAt ?? now) - startedAt),
    note: Text.clean(note ?? "")
  }
}

/** The widths of the columns of a row. A column of width 0 is left out. */
type Layout = Readonly<Record<"name" | "bar" | "status" | "counted" | "time", number>>

const gap = 2
const smallestBar = 5
const largestBar = 24
const longestName = 32
const shortestNote = 6
const longestStatus = 24

/** The richest layout that fits, the same for all rows. */
const layoutOf = (runs: ReadonlyArray<Run>, { columns, now }: Frame): Layout => {
  const cells = runs.map((run) => cellsOf(run, now))
  const widest = (column: keyof Cells) => cells.reduce((most, row) => Math.max(most, Text.width(row[column])), 0)
  const name = Math.min(widest("name"), longestName)
  const status = Math.min(widest("status"), longestStatus)
  const counted = widest("counted")
  const time = widest("time")

  // Columns with a smallest width do not move whenever a word changes
  const steady = { name, status: Math.max(status, 11), counted: Math.max(counted, 11), time: Math.max(time, 8) }
  const bar = Math.min(largestBar, columns - widthOf({ ...steady, bar: 0 }) - gap)
  if (bar >= smallestBar) return { ...steady, bar }
  const smaller = [
    { name, bar: 0, status, counted, time },
    { name, bar: 0, status, counted: 0, time },
    { name, bar: 0, status, counted: 0, time: 0 }
  ].find((layout) => widthOf(layout) <= columns)
  // The status is cut only if three characters of the name leave no room for it
  return smaller ??
    { name: Math.max(Math.min(name, 3), columns - gap - status), bar: 0, status, counted: 0, time: 0 }
}

const widthOf = (layout: Layout): number => {
  const widths = Object.values(layout).filter((width) => width > 0)
  return widths.reduce((sum, width) => sum + width, 0) + gap * Math.max(0, widths.length - 1)
}

const rowOf = (run: Run, layout: Layout, { columns, colors = false, now }: Frame): string => {
  const cells = cellsOf(run, now)
  const state = stateOf(run.status)
  const paint = colors ? Text.paint : (_: string, text: string) => text
  const facts = [
    ...(layout.bar === 0 ? [] : [bar(progressOf(run) ?? (state === "succeeded" ? all : none), layout.bar)]),
    Text.fit(cells.status, layout.status),
    ...(layout.counted === 0 ? [] : [Text.fit(cells.counted, layout.counted)]),
    ...(layout.time === 0 ? [] : [Text.fit(cells.time, layout.time, "right")])
  ].join(" ".repeat(gap))
  const room = columns - widthOf(layout) - gap
  const note = cells.note === "" || room < shortestNote ? "" : `${" ".repeat(gap)}${Text.cut(cells.note, room)}`
  const row = `${paint("bold", Text.fit(cells.name, layout.name))}${" ".repeat(gap)}${
    paint(colorOf[state], facts)
  }${note}`
  return Text.row(note === "" && !colors ? row.trimEnd() : row, columns)
}

const all: RunSource.Progress = { completed: 1, total: 1 }
const none: RunSource.Progress = { completed: 0, total: 0 }

const colorOf = { waiting: "dim", running: "cyan", succeeded: "green", partial: "yellow", failed: "red" } as const
