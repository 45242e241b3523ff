/** The lines that a reader sees without `--json`. */
import type { RunLine } from "./output.ts"
import { format } from "./refText.ts"

/** Describes the state of a run in one line. */
export const describe = ({ errors = [], key, progress, ref, status }: RunLine): string =>
  [
    `${key ?? format(ref)}: ${status}`,
    ...(progress === undefined ? [] : [`${progress.completed}/${progress.total} tasks`]),
    ...errors
  ].join(", ")
