/** Edits of the output of a task, and the record of what they changed. */
import { isObject } from "../json.ts"

export interface Change {
  readonly path: string
  readonly previousValue: unknown
}

/** Applies an edit. Objects are overlaid, and arrays of the same length merged. Any other value replaces the current one. */
export const merge = (
  current: unknown,
  patch: unknown,
  path: ReadonlyArray<string>
): { readonly value: unknown; readonly changes: ReadonlyArray<Change> } => {
  if (isObject(patch) && (isObject(current) || path.length === 0)) {
    const merged: Record<string, unknown> = { ...isObject(current) ? current : {} }
    const changes: Array<Change> = []
    for (const [name, value] of Object.entries(patch)) {
      const inner = merge(merged[name], value, [...path, name])
      merged[name] = inner.value
      changes.push(...inner.changes)
    }
    return { value: merged, changes }
  }
  if (Array.isArray(patch) && Array.isArray(current) && patch.length === current.length) {
    const merged = patch.map((value: unknown, index) => merge(current[index], value, [...path, String(index)]))
    return { value: merged.map(({ value }) => value), changes: merged.flatMap(({ changes }) => changes) }
  }
  return JSON.stringify(patch) === JSON.stringify(current)
    ? { value: current, changes: [] }
    : { value: patch, changes: [{ path: path.join("."), previousValue: current ?? null }] }
}
