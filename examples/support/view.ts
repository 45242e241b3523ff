/** The output of the demo: pure functions from values to text. */
import { ByteSize } from "effect"

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
