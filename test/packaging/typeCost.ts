/**
 * What a user's file costs the compiler, in type instantiations: they are the same on every machine, as times are not.
 * The cost of the program that is there without canvas-runs is taken off.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, run } from "./stage.ts"

const cost = async (project: string, file: string): Promise<number> => {
  const config = join(project, `tsconfig.${file}.json`)
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: {
        module: "NodeNext",
        target: "ES2022",
        lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: true,
        noEmit: true
      },
      files: [`programs/${file}.ts`]
    })
  )
  const printed = await run("tsc", ["-p", config, "--extendedDiagnostics", "--singleThreaded"], project)
  const found = /^Instantiations:\s+(\d+)$/m.exec(printed)
  if (found === null) throw new Error(`tsc tells no instantiations:\n${printed}`)
  return Number(found[1])
}

export const measureTypeCost = async (project: string): Promise<number> => {
  mkdirSync(join(project, "programs"), { recursive: true })
  cpSync(join(root, "test/packaging/programs"), join(project, "programs"), { recursive: true })
  const [before, after] = await Promise.all([cost(project, "app"), cost(project, "typical")])
  return after - before
}
