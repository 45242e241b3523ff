/** The output of the demo: pure functions from the state of runs to text. */
import { ByteSize } from "effect"
import { styleText } from "node:util"

/** The state of one run. */
export interface Row {
  readonly name: string
  /** The run's status, or what the demo is doing about it. */
  readonly status: string
  readonly completed: number
  readonly total: number
  /** The counted things, such as tasks, if there are any. */
  readonly unit?: string | undefined
  /** In milliseconds, as is `endedAt`. */
  readonly startedAt: number
  readonly endedAt?: number | undefined
  /** Other details: the files, or why it failed. */
  readonly note?: string | undefined
}

/** A run without any state yet. */
export const row = (name: string, startedAt: number): Row => ({
  name,
  status: "waiting",
  completed: 0,
  total: 0,
  startedAt
})

/** Colours a text, or leaves it alone. */
export type Paint = (format: "green" | "yellow" | "red" | "cyan" | "bold", text: string) => string

export const plain: Paint = (_, text) => text

export const colored: Paint = (format, text) => styleText(format, text, { validateStream: false })

/** `2.4 s`, and from a minute on `3 min 05 s`. */
export const time = (millis: number): string => {
  if (millis < 59_950) return `${(Math.max(0, millis) / 1000).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`
}

/** `23.1 kB`. */
export const size = (bytes: number): string =>
  ByteSize.format(ByteSize.bytes(bytes), { system: "decimal", precision: 1 })

/** `1 file`, `2 files`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

/** A bar of `width` characters. It is empty if the total is not known. */
export const bar = (completed: number, total: number, width: number): string => {
  const share = total > 0 ? Math.min(1, Math.max(0, completed / total)) : 0
  const full = Math.floor(share * width)
  return "█".repeat(full) + "░".repeat(width - full)
}

/** One run as a line that fits into `columns`: name, bar, status, count, time, note. */
export const progress = (row: Row, options: {
  readonly now: number
  readonly columns: number
  readonly nameWidth: number
  readonly paint: Paint
}): string => {
  const { nameWidth, now, paint } = options
  const color = colorOf(row.status)
  const name = row.name.padEnd(nameWidth)
  const facts = `  ${row.status.padEnd(11)}  ${counted(row).padEnd(11)}  ${
    time((row.endedAt ?? now) - row.startedAt).padStart(8)
  }`
  // A line that wraps could not be redrawn, so what does not fit is left out: first the note, then the bar, then the rest
  const room = options.columns - 1
  const width = Math.min(24, room - name.length - facts.length - 2)
  if (width < 5) return `${name}${facts}`.slice(0, room)
  const note = row.note === undefined ? "" : `  ${row.note}`.slice(0, room - name.length - 2 - width - facts.length)
  return `${paint("bold", name)}  ${paint(color, bar(row.completed, row.total, width))}${paint(color, facts)}${note}`
}

/** A change of one run, for a log. */
export const change = (row: Row): string =>
  [
    `${row.name}: ${row.status}`,
    ...(counted(row) === "" ? [] : [counted(row)]),
    ...(row.note === undefined ? [] : [row.note])
  ].join(", ")

const counted = ({ completed, total, unit }: Row): string =>
  unit === undefined || total === 0 ? "" : `${completed}/${total} ${unit}`

/** Columns as wide as their widest cell. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n")
}

/** The outcome of all runs, in one line. */
export const summary = (options: {
  readonly statuses: ReadonlyArray<string>
  readonly artifacts: number
  readonly bytes: number
  readonly millis: number
}): string => {
  const { artifacts, bytes, millis, statuses } = options
  const outcomes = [...new Set(statuses)].map((status) =>
    `${statuses.filter((one) => one === status).length} ${status}`
  )
  return `${count(statuses.length, "run")}: ${outcomes.join(", ")}; ${count(artifacts, "artifact")} (${
    size(bytes)
  }) in ${time(millis)}`
}

const colorOf = (status: string) => {
  switch (status) {
    case "completed":
    case "succeeded":
      return "green"
    case "partial":
      return "yellow"
    case "failed":
      return "red"
    default:
      return "cyan"
  }
}
