/**
 * The command: `npm run mutate -- src/tela/internal/sse.ts`, or without a file for all of `targets.ts`. It changes one expression
 * of the file after another, in a copy of the repository, and runs the tests of the file. A mutant that no test notices has
 * survived. The score is the share of mutants that were noticed, before exclusions. `equivalent.json` lists mutants without an
 * observable effect, each with its reason. With `--lines 10-20` only these lines are changed.
 *
 * Wording does not count: a text with white space in it is a sentence for people, and no mutant empties it. Expressions inside
 * such a text, `${...}`, are changed like other code, and so are texts without white space, such as tags and the names of
 * headers.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { targets } from "./targets.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const root = fileURLToPath(new URL("../../", import.meta.url))

/**
 * The minimum share of mutants that the tests of a file have to notice, and the maximum share that may be listed as equivalent.
 */
const leastKilled = 0.92
const mostEquivalent = 0.05

/** A mutant without an observable effect: the changed line, the replacement, and the reason. */
interface Equivalent {
  readonly file: string
  readonly line: string
  readonly replacement: string
  readonly reason: string
}

/** Stryker's result for one mutant. */
interface MutantResult {
  readonly fileName: string
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
  readonly location: { readonly start: Position; readonly end: Position }
}

interface Position {
  /** Counted from 1. */
  readonly line: number
  /** Counted from 0. */
  readonly column: number
}

interface Stryker {
  readonly runMutationTest: () => Promise<ReadonlyArray<MutantResult>>
}

const install = () => {
  if (existsSync(join(here, "node_modules"))) return
  console.log("installing the mutation tester")
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" })
}

const mutate = async (
  file: string,
  tests: ReadonlyArray<string>,
  lines?: string
): Promise<ReadonlyArray<MutantResult>> => {
  process.env["MUTATION_TESTS"] = tests.join(",")
  const { Stryker } = await import(join(here, "node_modules/@stryker-mutator/core/dist/src/index.js")) as {
    readonly Stryker: new(options: object) => Stryker
  }
  const stryker = new Stryker({
    mutate: [lines === undefined ? file : `${file}:${lines}`],
    testRunner: "kept",
    plugins: [join(here, "runner.ts"), join(here, "ignorer.ts")],
    ignorers: ["wording"],
    vitest: { configFile: "test/mutation/vitest.config.ts", related: false },
    // Stryker would rewrite the project's own configuration, which has comments
    tsconfigFile: "no-tsconfig.json",
    coverageAnalysis: "perTest",
    concurrency: 2,
    // The time for each mutant, in addition to the time of its tests. A mutant that hangs for longer counts as noticed
    timeoutMS: 5000,
    reporters: ["dots"],
    tempDirName: join(root, "node_modules/.mutation"),
    ignorePatterns: ["dist", "coverage", "test/mutation/node_modules", "test/bench", "test/docs"],
    checkers: [],
    logLevel: "warn",
    warnings: { unknownOptions: false },
    allowEmpty: false,
    cleanTempDir: "always"
  })
  return stryker.runMutationTest()
}

/** The text that a mutant replaces. */
const originalOf = (lines: ReadonlyArray<string>, { location: { end, start } }: MutantResult): string => {
  const text = lines.slice(start.line - 1, end.line).join("\n")
  return text.slice(start.column, text.length - lines[end.line - 1]!.length + end.column)
}

/** Prints the result of a file, and returns whether it is sufficient. */
const report = (
  file: string,
  lines: ReadonlyArray<string>,
  results: ReadonlyArray<MutantResult>,
  equivalents: ReadonlyArray<Equivalent>
): boolean => {
  const valid = results.filter((mutant) =>
    ["Killed", "Timeout", "Survived", "NoCoverage"].includes(mutant.status) &&
    !(mutant.mutatorName === "StringLiteral" && /\s/.test(originalOf(lines, mutant)))
  )
  const alive = valid.filter(({ status }) => status === "Survived" || status === "NoCoverage")
  const lineOf = ({ location }: MutantResult) => lines[location.start.line - 1]!.trim()
  const isListed = (mutant: MutantResult) =>
    equivalents.some((equivalent) =>
      equivalent.file === file && equivalent.line === lineOf(mutant) && equivalent.replacement === mutant.replacement
    )
  const listed = alive.filter(isListed)
  const score = (valid.length - alive.length) / valid.length
  for (const mutant of alive) {
    if (isListed(mutant)) continue
    const { line } = mutant.location.start
    console.log(
      `${mutant.status}  ${file}:${line}  ${mutant.mutatorName}\n    ${lineOf(mutant)}\n    becomes ${
        mutant.replacement.replaceAll(/\s+/g, " ").slice(0, 120)
      }`
    )
  }
  console.log(
    `${file}: ${valid.length} mutants (without changes of wording), ${
      (100 * score).toFixed(1)
    } % noticed, ${listed.length} listed as equivalent, ${alive.length - listed.length} to look at`
  )
  return score >= leastKilled && listed.length / valid.length <= mostEquivalent
}

const main = async (): Promise<void> => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { lines: { type: "string" } } })
  const files = positionals.length === 0 ? Object.keys(targets) : positionals
  const unknown = files.find((file) => targets[file] === undefined)
  if (unknown !== undefined) {
    console.error(
      `${unknown} has no tests in test/mutation/targets.ts. The files are: ${Object.keys(targets).join(", ")}`
    )
    process.exitCode = 2
    return
  }
  install()
  const equivalents = JSON.parse(readFileSync(join(here, "equivalent.json"), "utf8")) as ReadonlyArray<Equivalent>
  let isEnough = true
  for (const file of files) {
    const started = performance.now()
    const tests = targets[file]!.filter((test) => existsSync(join(root, test)))
    const lines = readFileSync(join(root, file), "utf8").split("\n")
    isEnough = report(file, lines, await mutate(file, tests, values.lines), equivalents) && isEnough
    console.log(`${Math.round((performance.now() - started) / 1000)} s`)
  }
  process.exitCode = isEnough ? 0 : 1
}

await main()
