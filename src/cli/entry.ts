/** The entries of the store, as lines. */
import type * as RunStore from "../RunStore.ts"
import { format } from "./refText.ts"
import type { Line } from "./output.ts"

/** Describes an entry as data and as text. `width` is that of the keys. */
export const entryLine = (entry: RunStore.Entry, width = 0): { readonly line: Line; readonly text: string } => {
  const { _tag: state, key } = entry
  const time = entry.intendedAt === undefined ? "" : new Date(entry.intendedAt).toISOString()
  return {
    line: {
      type: "entry",
      key,
      state,
      ...("ref" in entry ? { ref: entry.ref } : undefined),
      ...(entry.intendedAt === undefined ? undefined : { intendedAt: entry.intendedAt }),
      ...("finishedAt" in entry ? { finishedAt: entry.finishedAt } : undefined)
    },
    text: [key.padEnd(width), state.padEnd(8), time, "ref" in entry ? format(entry.ref) : ""].join("  ").trimEnd()
  }
}
