/**
 * Turns the TypeScript examples of the README, of the guides in `docs` and of every docstring into files that are type-checked
 * and run.
 *
 * A line that ends in `// => text` must print the text, or have it as its value: `console.log(...)` lines print it, and any other
 * expression is compared with it, as JSON. White space does not count. A block marked "```ts alone" runs in a separate process and an empty
 * directory, because it ends the process, sends it a signal, or writes files. A block marked "```ts server" is ended at its first output. A
 * block marked "```ts test" has tests, which Vitest runs.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Example {
  /** Its place, as `file:line`. */
  readonly origin: string
  /** The file it was written to. */
  readonly file: string
  /** The texts of its `// =>` comments, in order. */
  readonly expected: ReadonlyArray<string>
  /** Whether it needs a separate process, or Vitest. A server is ended at its first output. */
  readonly kind: "together" | "alone" | "server" | "test"
}

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")
const target = join(root, "test/docs/.generated")

const fence = /^```ts(?: (?<kind>alone|server|test))?$/

/** The code blocks of one file, with the line each starts at. */
const blocks = (
  source: string,
  isMarkdown: boolean
): ReadonlyArray<Pick<Example, "kind"> & { readonly line: number; readonly code: string }> => {
  const found: Array<Pick<Example, "kind"> & { line: number; code: string }> = []
  let current: Pick<Example, "kind"> & { line: number; code: Array<string> } | undefined
  for (const [index, raw] of source.split("\n").entries()) {
    const line = isMarkdown ? raw : raw.replace(/^\s*\* ?/, "")
    if (current === undefined) {
      const opening = isMarkdown || /^\s*\*/.test(raw) ? fence.exec(line.trim()) : null
      if (opening === null) continue
      current = {
        line: index + 1,
        code: [],
        kind: opening.groups!["kind"] as "alone" | "server" | "test" | undefined ?? "together"
      }
    } else if (line.trim() === "```") {
      found.push({ ...current, code: current.code.join("\n") })
      current = undefined
    } else current.code.push(line)
  }
  return found
}

/** Makes `expression // => text` print its value, so that all promised texts are compared in the same way. */
const instrument = (code: string): { readonly code: string; readonly expected: ReadonlyArray<string> } => {
  const expected: Array<string> = []
  const lines = code.split("\n").map((line) => {
    const match = /^(?<indent>\s*)(?<expression>.+?)\s*\/\/ => (?<text>.*)$/.exec(line)
    if (match?.groups === undefined) return line
    const { expression, indent, text } = match.groups as { expression: string; indent: string; text: string }
    expected.push(text.replace(/^"(.*)"$/, "$1"))
    return expression.startsWith("console.log(")
      ? line
      : `${indent}console.log(((value: unknown) => typeof value === "string" ? value : JSON.stringify(value))(${expression}))`
  })
  return { code: lines.join("\n"), expected }
}

/** Writes the examples of all sources, or of those that match the patterns, into a directory, which is emptied first. */
export const extract = (
  directory = target,
  patterns: ReadonlyArray<string> = ["src/**/*.ts", "README.md", "docs/*.md"]
): ReadonlyArray<Example> => {
  const isSource = directory === target
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const sources = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort())
  const examples = sources.flatMap((source) =>
    blocks(readFileSync(join(root, source), "utf8"), source.endsWith(".md")).map(({ code, kind, line }): Example => {
      const file = join(directory, `${source.replaceAll(/[/.]/g, "-")}-${line}.ts`)
      const instrumented = instrument(code)
      writeFileSync(file, `${instrumented.code}\nexport {}\n`)
      return { origin: `${source}:${line}`, file, expected: instrumented.expected, kind }
    })
  )
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        types: ["node"],
        typeRoots: [join(root, "node_modules/@types")]
      },
      include: ["*.ts"],
      exclude: []
    })
  )
  // For the blocks that are tests. The root's configuration has other files
  const conditions = ["canvas-runs:source", "module", "node", "development|production"]
  writeFileSync(
    join(directory, "vitest.config.mjs"),
    `export default ${
      JSON.stringify({
        ssr: { resolve: { conditions: isSource ? conditions : conditions.slice(1) } },
        test: { include: ["*.ts"], testTimeout: 60_000 }
      })
    }\n`
  )
  return examples
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${extract().length} examples in ${target}`)
}
