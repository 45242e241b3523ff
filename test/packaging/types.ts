/** Checks the published declarations with a user's compiler. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, run } from "./stage.ts"

/** Compiles files of a project with strict options, and returns the output of the compiler. */
const compile = (project: string, name: string, options: object): Promise<string> => {
  const config = join(project, `tsconfig.${name}.json`)
  writeFileSync(config, JSON.stringify(options))
  return run("tsc", ["-p", config, "--extendedDiagnostics", "--singleThreaded"], project)
}

const strict = {
  module: "NodeNext",
  target: "ES2022",
  lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true
}

/** Fails if a declaration of the package, or of its dependencies, has errors. */
export const checkDeclarations = async (project: string): Promise<void> => {
  await compile(project, "declarations", {
    compilerOptions: { ...strict, types: ["node"], skipLibCheck: false },
    include: ["node_modules/canvas-runs/dist/**/*.d.ts"],
    exclude: []
  })
}

/**
 * Fails if the published declarations let a wrong program compile: a missing type is `any` to a compiler that skips the check of
 * libraries, and then wrong programs compile.
 */
export const checkWrongProgram = async (project: string): Promise<void> => {
  mkdirSync(join(project, "programs"), { recursive: true })
  cpSync(join(root, "test/packaging/programs"), join(project, "programs"), { recursive: true })
  await compile(project, "wrong", {
    compilerOptions: { ...strict, types: [], skipLibCheck: true },
    files: ["programs/wrong.ts"]
  })
}

/**
 * The cost of a user's file for the compiler, in type instantiations, which unlike times are the same on every machine. The cost
 * of the same program without canvas-runs is subtracted.
 */
export const measureTypeCost = async (project: string): Promise<number> => {
  mkdirSync(join(project, "programs"), { recursive: true })
  cpSync(join(root, "test/packaging/programs"), join(project, "programs"), { recursive: true })
  const cost = async (program: string): Promise<number> => {
    const printed = await compile(project, program, {
      compilerOptions: { ...strict, types: [], skipLibCheck: true },
      files: [`programs/${program}.ts`]
    })
    const found = /^Instantiations:\s+(\d+)$/m.exec(printed)
    if (found === null) throw new Error(`tsc printed no instantiations:\n${printed}`)
    return Number(found[1])
  }
  return await cost("typical") - await cost("app")
}
