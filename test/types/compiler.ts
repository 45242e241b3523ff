/**
 * The errors of the compiler for a small program of a user. `typescript/unstable` is pinned with the compiler. It checks the program
 * alone, which takes half of the CPU time of `tsc`: that checks the sources too, as `npm run check` does.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { API, type Diagnostic } from "typescript/unstable/sync"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** The text of an error, as `tsc` prints it: each reason is indented below the one that it explains. */
const textOf = ({ messageChain = [], text }: Diagnostic, indent = ""): string =>
  [indent + text, ...messageChain.map((reason) => textOf(reason, `${indent}  `))].join("\n")

/** Compiles a program against the sources, and returns the errors, a text for each line that has any. */
export const errorsOf = async (program: string): Promise<Readonly<Record<number, string>>> => {
  const directory = await mkdtemp(join(root, "test/types/.program-"))
  const [file, config] = [join(directory, "program.ts"), join(directory, "tsconfig.json")]
  try {
    await writeFile(file, program)
    await writeFile(config, JSON.stringify({ extends: "../../../tsconfig.json", files: ["program.ts"], include: [] }))
    const api = new API({ cwd: directory })
    try {
      const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)!
      const diagnostics = [
        ...project.program.getSyntacticDiagnostics(file),
        ...project.program.getSemanticDiagnostics(file)
      ]
      const errors: Record<number, string> = {}
      for (const diagnostic of diagnostics) {
        const line = program.slice(0, diagnostic.pos).split("\n").length
        errors[line] = `${errors[line] ?? ""}TS${diagnostic.code}: ${textOf(diagnostic)}\n`
      }
      return errors
    } finally {
      api.close()
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
