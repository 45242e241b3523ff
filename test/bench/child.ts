/** One run of a part of a benchmark, in a separate process: `TASK` as JSON. Sends the rows. */
import { benchmarks } from "./benchmarks.ts"
import type { Options } from "./measure.ts"

export interface Task extends Omit<Options, "progress"> {
  readonly name: string
  /** The part that varies between runs, or the part that does not. */
  readonly part: "run" | "exact"
}

const { name, part, ...options }: Task = JSON.parse(process.argv[2]!)
// The parent was interrupted, or has the rows
process.once("disconnect", () => process.exit())
const { benchmark } = await benchmarks[name]!()
const rows = await benchmark[part]!({ ...options, progress: (text) => void process.stderr.write(`  … ${text}\n`) })
process.send!(rows, () => process.disconnect())
