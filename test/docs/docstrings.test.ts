/** Documentation that an editor shows on hover: on every export, and on every call signature of what is exported. */
import { assert, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Node, SyntaxKind } from "typescript/unstable/ast"
import { API } from "typescript/unstable/sync"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** The comments and white space before a node. */
const triviaOf = (node: Node): string => {
  const text = node.getSourceFile().text.slice(node.pos, node.end)
  return /^(?:\s+|\/\*[\s\S]*?\*\/|\/\/[^\n]*\n)*/.exec(text)![0]
}

const isDocumented = (node: Node): boolean =>
  /\/\*\*[\s\S]*\*\/\s*$/.test(triviaOf(node).replaceAll(/\/\/[^\n]*\n/g, ""))

const isInternal = (node: Node): boolean => triviaOf(node).includes("@internal")

const declarations: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.VariableStatement,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration
])

const isExported = (node: Node): boolean =>
  /^export\b/.test(node.getSourceFile().text.slice(node.pos, node.end).slice(triviaOf(node).length))

const callSignatures = (node: Node): ReadonlyArray<Node> => {
  const found: Array<Node> = []
  const visit = (child: Node): void => {
    if (child.kind === SyntaxKind.CallSignature || child.kind === SyntaxKind.MethodSignature) found.push(child)
    child.forEachChild(visit)
  }
  node.forEachChild(visit)
  return found
}

it("F4: every export and every call signature of one has a docstring", () => {
  const api = new API({ cwd: root })
  try {
    const { program } = api.updateSnapshot({ openProjects: [join(root, "tsconfig.json")] })
      .getProject(join(root, "tsconfig.json"))!
    const missing: Array<string> = []
    const files = globSync("src/**/*.ts", { cwd: root }).filter((file) => !/internal|cli|index\.ts$/.test(file))
    assert.isAtLeast(files.length, 30)
    for (const file of files) {
      const source = program.getSourceFile(join(root, file))!
      for (const statement of source.statements) {
        if (!declarations.has(statement.kind) || !isExported(statement) || isInternal(statement)) continue
        for (const node of [statement, ...callSignatures(statement)]) {
          if (isDocumented(node)) continue
          const line = source.text.slice(0, node.pos + triviaOf(node).length).split("\n").length
          missing.push(`${file}:${line}: ${source.text.slice(node.pos + triviaOf(node).length, node.end).slice(0, 60)}`)
        }
      }
    }
    assert.deepStrictEqual(missing, [])
  } finally {
    api.close()
  }
})
