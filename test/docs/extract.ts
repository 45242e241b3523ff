/**
 * Turns the TypeScript examples of the README, of the guides in `docs` and of every docstring into files that are type-checked
 * and run.
 *
 * A line that ends in `// => text` must print or be what the text says: `console.log(...)` lines print it, and any other
 * expression is compared with it, as JSON. White space does not count. A block marked "```ts alone" runs in a separate process,
 * because it ends the process or sends it a signal.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Example {
  /** Where it stands, as `file:line`. */
  readonly origin: string
  /** The file it was written to. */
  readonly file: string
  /** What its `// =>` comments promise, in order. */
  readonly expected: ReadonlyArray<string>
  /** Whether it needs a separate process. */
  readonly isAlone: boolean
}

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")
const target = join(root, "test/docs/.generated")

const fence = /^```ts(?: (?<flags>.*))?$/

/** The code blocks of one file, with the line each starts at. */
const blocks = (
  source: string,
  isMarkdown: boolean
): ReadonlyArray<{ readonly line: number; readonly code: string; readonly isAlone: boolean }> => {
  const found: Array<{ line: number; code: string; isAlone: boolean }> = []
  let current: { line: number; code: Array<string>; isAlone: boolean } | undefined
  for (const [index, raw] of source.split("\n").entries()) {
    const line = isMarkdown ? raw : raw.replace(/^\s*\* ?/, "")
    if (current === undefined) {
      const flags = isMarkdown || /^\s*\*/.test(raw) ? fence.exec(line.trim()) : null
      if (flags !== null) current = { line: index + 1, code: [], isAlone: flags.groups!["flags"] === "alone" }
    } else if (line.trim() === "```") {
      found.push({ ...current, code: current.code.join("\n") })
      current = undefined
    } else current.code.push(line)
  }
  return found
}

/** Makes `expression // => text` print its value, so that all promises are kept in the same way. */
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

/** Writes the examples of all sources, or of those that the patterns name, into a directory, which is emptied. */
export const extract = (
  directory = target,
  patterns: ReadonlyArray<string> = ["src/**/*.ts", "README.md", "docs/*.md"]
): ReadonlyArray<Example> => {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const sources = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort())
  const examples = sources.flatMap((source) =>
    blocks(readFileSync(join(root, source), "utf8"), source.endsWith(".md")).map(({ code, isAlone, line }): Example => {
      const file = join(directory, `${source.replaceAll(/[/.]/g, "-")}-${line}.ts`)
      const instrumented = instrument(code)
      writeFileSync(file, `${instrumented.code}\nexport {}\n`)
      return { origin: `${source}:${line}`, file, expected: instrumented.expected, isAlone }
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
  return examples
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${extract().length} examples in ${target}`)
}
