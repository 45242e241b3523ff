/** Downloads the files of a run, and prints their paths. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as FileName from "../internal/files/fileName.ts"
import type { RunRef } from "../internal/ref.ts"
import type { Ended } from "./follow.ts"
import { Output } from "./output.ts"

/** Downloads the files of a run that has ended. */
export const download = Effect.fnUntraced(function*(ref: RunRef, ended: Ended, directory: string) {
  const { line, note } = yield* Output
  const files = yield* ended.download(directory)
  if (files.length === 0) yield* note("The run produced no files.")
  for (const { name, path } of files) yield* line({ type: "file", ref, name, path }, path)
})

/** Returns the folder for the files of one run among several, in a directory. */
export const folderOf = (name: string) => (directory: string): string =>
  join(directory, FileName.writable(name.replaceAll(/[/:]/g, "-"), "run"))
