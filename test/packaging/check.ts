/**
 * `npm run package`: packs the package and checks it in the form that users get, offline.
 *
 *     npm run package              everything
 *     npm run size                 only the sizes, with the modules that they consist of
 */
import { statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as budgets from "./budgets.ts"
import { checkCommand, measureStart } from "./command.ts"
import { faultsOf } from "./contents.ts"
import { checkExamples } from "./examples.ts"
import { attribute } from "./features.ts"
import { type Added, measureSizes, onlyIfImported } from "./size.ts"
import { entryPointsOf, root, run, stage } from "./stage.ts"
import { checkDeclarations, checkWrongProgram, measureTypeCost } from "./types.ts"

const { values: flags } = parseArgs({ options: { size: { type: "boolean", default: false } } })

const faults: Array<string> = []

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(2)} KiB`

/** Prints a measured value, and records a fault if it is over its budget. */
const hold = (what: string, value: number, budget: number, show: (value: number) => string, more = "") => {
  const line = `${what}: ${show(value)}, budget ${show(budget)}${more}`
  console.log(line)
  if (value > budget) faults.push(`over budget: ${line}`)
}

const holdSize = (added: Added) => {
  const { bundler, gzip, min, modules, program } = added
  const { [bundler]: budget, target } = budgets.size[program]
  hold(
    `size added by ${program} (${bundler}, min + gzip)`,
    gzip,
    budget,
    kib,
    `${gzip > target ? `, target ${kib(target)} missed` : ""}; ${kib(min)} minified`
  )
  for (const module of attribute(added).unknown) faults.push(`${module} belongs to no feature of the size report`)
  for (const [module, bytes] of modules) {
    if (onlyIfImported.test(module) && !(isPicture(program) && module.includes("/picture/"))) {
      faults.push(`${program} pays ${bytes} bytes for ${module}, which it does not import`)
    }
  }
}

const isPicture = (program: string): boolean => program === "picture" || program === "report"

const table = (added: Added) => {
  const { bundler, modules, program } = added
  console.log(`\n${program}, ${bundler}: what each feature costs, with its share of the gzipped size`)
  for (const [feature, min, gzip] of attribute(added).features) {
    console.log(`${String(min).padStart(8)}  ${kib(gzip).padStart(9)}  ${feature}`)
  }
  console.log(`\n${program}, ${bundler}: bytes by module`)
  for (const [module, bytes] of modules) console.log(`${String(bytes).padStart(8)}  ${module}`)
}

const staged = await stage()
try {
  const lint = async () => {
    if (flags.size) return
    const entries = [...entryPointsOf(staged.directory).keys()]
    faults.push(...faultsOf(staged.directory))
    hold("tarball", statSync(staged.tarball).size, budgets.tarball, kib)
    hold("instantiations of a typical file", await measureTypeCost(staged.project), budgets.instantiations, String)
    const keep = (error: Error) => faults.push(error.message)
    await checkCommand(staged.directory).catch(keep)
    for (const [call, ratio] of await measureStart(staged.directory)) {
      hold(`CPU of canvas-runs ${call}`, ratio, budgets.start, (ratio) => `${ratio.toFixed(2)} times that of node -e 0`)
    }
    await checkDeclarations(staged.project).catch(keep)
    await checkWrongProgram(staged.project).catch(keep)
    await checkExamples(staged.project).then(
      (count) => console.log(`${count} examples of the README and the guides compile and run with the package`),
      keep
    )
    await run("npm", ["publish", staged.tarball, "--dry-run", "--offline", "--loglevel=error"], root).catch(keep)
    await run("publint", ["run", staged.tarball, "--strict"], root).catch(keep)
    // Node can require ES modules, except those that await at their top level
    const required = entries.filter((entry) => entry !== "./package.json").map((entry) =>
      entry.replace(".", "canvas-runs")
    )
    const program = join(staged.project, "require.cjs")
    writeFileSync(program, required.map((name) => `require("${name}")`).join("\n"))
    await run("node", [program], staged.project).catch(keep)
    // ESM only: the rules for CommonJS do not apply
    const rules = ["--profile", "esm-only", "--no-definitely-typed", "--no-color"]
    await run("attw", [staged.tarball, ...rules, "--entrypoints", ...entries], root).catch(keep)
    console.log(
      `${entries.length} entry points: declarations, publint, attw (ESM only), require, npm publish --dry-run`
    )
  }
  const [sizes] = await Promise.all([measureSizes(staged.project), lint()])
  sizes.forEach(holdSize)
  if (flags.size) sizes.filter(({ bundler }) => bundler === "esbuild").forEach(table)
} finally {
  staged.remove()
}

if (faults.length > 0) {
  console.error(`\n${faults.join("\n")}`)
  process.exitCode = 1
}
