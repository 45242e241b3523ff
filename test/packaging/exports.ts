/**
 * What each entry point exports: names, kinds and types, as the compiler reads them from the declarations that it emits.
 * `typescript/unstable` is pinned with the compiler, and nothing that is published uses it.
 */
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative, sep } from "node:path"
import { type Node, type SourceFile } from "typescript/unstable/ast"
import { API, type Symbol, SymbolFlags } from "typescript/unstable/sync"
import { entryPointsOf, root, run } from "./stage.ts"

const kinds: ReadonlyArray<readonly [SymbolFlags, string]> = [
  [SymbolFlags.Class, "class"],
  [SymbolFlags.Function, "function"],
  [SymbolFlags.Variable, "const"],
  [SymbolFlags.ValueModule | SymbolFlags.NamespaceModule, "namespace"],
  [SymbolFlags.Interface, "interface"],
  [SymbolFlags.TypeAlias, "type"]
]

const kindOf = (symbol: Symbol): string => {
  const found = kinds.filter(([flag]) => (symbol.flags & flag) !== 0).map(([, kind]) => kind)
  if (found.length === 0) throw new Error(`${symbol.name} has an unknown kind (${symbol.flags})`)
  return found.join(" + ")
}

const trimmed = (file: SourceFile, statement: Node): string =>
  file.text.slice(statement.pos, statement.end).trim().replace(/^(?:export )?(?:declare )?/, "")

/** The statement that declares a symbol, and for a class also its base class if the compiler had to name that. */
const textOf = (node: Node): string => {
  let statement = node
  while (statement.parent.parent !== undefined) statement = statement.parent
  const file = node.getSourceFile()
  const text = trimmed(file, statement)
  const base = /^(?:abstract )?class [^{]*? extends (\w+_base)\b/.exec(text)?.[1]
  const parent = base === undefined
    ? undefined
    : file.statements.map((other) => trimmed(file, other)).find((other) => other.startsWith(`const ${base}:`))
  return parent === undefined ? text : `${text}\n${parent}`
}

/** The public API as text, so that two versions can be compared. */
export const publicExports = async (): Promise<string> => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "canvas-runs-exports-")))
  const dist = join(directory, "dist")
  try {
    await run("tsc", [
      "-p",
      "src",
      "--emitDeclarationOnly",
      "--removeComments",
      "--declarationMap",
      "false",
      "--outDir",
      dist
    ], root)
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "junction")
    symlinkSync(join(root, "package.json"), join(directory, "package.json"))
    const config = join(directory, "tsconfig.json")
    writeFileSync(
      config,
      JSON.stringify({
        compilerOptions: {
          module: "NodeNext",
          target: "ES2022",
          strict: true,
          skipLibCheck: true,
          noEmit: true,
          types: ["node"]
        },
        include: ["dist/**/*.d.ts"]
      })
    )
    const api = new API({ cwd: directory })
    try {
      const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)!
      const { checker, program } = project
      const describe = ([entry, types]: readonly [string, string]) => {
        const file = join(directory, types)
        const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!
        const here = relative(directory, file).split(sep).join("/")
        const lines = checker.getExportsOfModule(module).toSorted((a, b) => a.name < b.name ? -1 : 1).map(
          (exported) => {
            const symbol = (exported.flags & SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported)
            const declarations = symbol.declarations.map((handle) => handle.resolve(project)!)
            const homes = new Set(
              declarations.map((node) => relative(directory, node.getSourceFile().fileName).split(sep).join("/"))
            )
            // Declarations of internal modules are shown where they are exported, because internal modules are not entry points
            return homes.has(here) || [...homes].every((home) => home.includes("/internal/"))
              ? declarations.map(textOf).join("\n")
              : `${kindOf(symbol)} ${exported.name} = ${[...homes].join(", ")}${
                symbol.name === exported.name || (symbol.flags & SymbolFlags.Module) !== 0 ? "" : `#${symbol.name}`
              }`
          }
        )
        return [`// ${entry === "." ? "canvas-runs" : `canvas-runs${entry.slice(1)}`}`, ...lines, ""].join("\n")
      }
      return [...entryPointsOf(directory)].map(describe).join("\n")
    } finally {
      api.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
