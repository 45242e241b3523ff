/** The output of the compiler for a user: the errors of a small program, and the documentation that an editor shows. */
import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Compiles a program against the sources, and returns the errors, an array for each line that has any. */
export const errorsOf = async (program: string): Promise<Readonly<Record<number, string>>> => {
  const directory = await mkdtemp(join(root, "test/types/.program-"))
  try {
    await writeFile(join(directory, "program.ts"), program)
    await writeFile(
      join(directory, "tsconfig.json"),
      JSON.stringify({ extends: "../../../tsconfig.json", files: ["program.ts"], include: [] })
    )
    const printed = await new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [join(root, "node_modules/typescript/bin/tsc"), "-p", directory, "--pretty", "false"],
        { cwd: directory },
        (_, stdout, stderr) => resolve(stdout + stderr)
      )
    })
    const errors: Record<number, string> = {}
    for (const [, line, text] of printed.matchAll(/^program\.ts\((\d+),\d+\): error (TS[^]*?)(?=^\S|$(?![^]))/gm)) {
      errors[Number(line)] = `${errors[Number(line)] ?? ""}${text}`
    }
    return errors
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
