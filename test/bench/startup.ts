/**
 * The cost of adding canvas-runs to a program: the CPU time to import it, and the bytes that it adds to a bundle. Both are measured
 * on the published form of the package, installed in an empty project.
 */
import { fork } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as budgets from "../packaging/budgets.ts"
import { importsOf } from "../packaging/contents.ts"
import { type Added, measureSizes } from "../packaging/size.ts"
import { attribute } from "../packaging/features.ts"
import { type Stage, stage } from "../packaging/stage.ts"
import { type Benchmark, interleave, type Options, type Result, sample } from "./measure.ts"

/** The modules that a compiled module of canvas-runs imports, directly or through others: those of canvas-runs, and of other packages. */
const reached = (entry: string): { readonly own: number; readonly others: ReadonlyArray<string> } => {
  const files = new Set<string>()
  const others = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (specifier.startsWith(".")) visit(join(dirname(file), specifier))
      else others.add(specifier)
    }
  }
  visit(entry)
  return { own: files.size, others: [...others].toSorted() }
}

/** The CPU time that a fresh process takes to import a module, in milliseconds. It has no flags, like a user's Node. */
const importTime = (probe: string, module: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = fork(probe, [module], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] })
    let taken: number | undefined
    child.on("message", (value) => {
      taken = Number(value)
    })
    child.on("error", reject)
    child.on("exit", (code) =>
      taken === undefined ? reject(new Error(`importing ${module} ended with ${code}`)) : resolve(taken))
  })

const importing = async (
  { directory, project }: Stage,
  provider: "spine" | "tela",
  { progress, quick }: Options
): Promise<Result> => {
  const write = (name: string, lines: ReadonlyArray<string>) => {
    const file = join(project, name)
    writeFileSync(file, lines.join("\n"))
    return file
  }
  const probe = write("probe.mjs", [
    `import { pathToFileURL } from "node:url"`,
    `const url = pathToFileURL(process.argv[2]).href`,
    `const start = process.cpuUsage()`,
    `await import(url)`,
    `const { system, user } = process.cpuUsage(start)`,
    `process.send((user + system) / 1000, () => process.disconnect())`
  ])
  const { others: modules, own } = reached(join(directory, "dist", provider, "index.js"))
  if (modules.length < 10) throw new Error(`${provider} reaches ${modules.length} modules of Effect, which cannot be`)
  const effects = write(`${provider}-effects.mjs`, modules.map((module) => `import ${JSON.stringify(module)}`))
  const ours = write(`${provider}-ours.mjs`, [`import "canvas-runs/${provider}"`])
  progress(`importing canvas-runs/${provider}`)
  // A first import of each, so that the files are in the system's cache
  await importTime(probe, effects)
  await importTime(probe, ours)
  const times = await interleave(quick ? 5 : 11, {
    ours: () => importTime(probe, ours),
    effects: () => importTime(probe, effects)
  })
  const peer = `its ${modules.length} Effect modules`
  return {
    measure: `CPU time of an import of canvas-runs/${provider} in a fresh process`,
    unit: "ms",
    ours: times.ours,
    peers: { [peer]: times.effects },
    targets: provider === "spine"
      ? [{ peer, atMost: 1.15, reason: `It loads ${own} modules of canvas-runs in addition.` }]
      : []
  }
}

const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`

const size = (added: Added, all: ReadonlyArray<Added>): Result => {
  const { bundler, gzip, min, modules, program } = added
  const ours = modules.filter(([module]) => module.startsWith("canvas-runs/")).reduce(
    (sum, [, bytes]) => sum + bytes,
    0
  )
  // rolldown counts its modules before it minifies them, so the parts are those of esbuild
  const minified = all.find((other) => other.program === program && other.bundler === "esbuild")!
  const largest = attribute(minified).features.slice(0, 4).map(([name, , bytes]) =>
    `${name.split(":", 1)[0]} ${kib(bytes)}`
  )
  return {
    measure: `size that a ${program} program adds to one with Effect's Schema, Stream and HttpClient (${bundler})`,
    unit: "KiB, min + gzip",
    ours: sample([gzip / 1024]),
    peers: {},
    targets: [{
      atMost: budgets.size[program].target / 1024,
      reason: `The target is older than most features; the largest parts are ${largest.join(", ")}.`
    }],
    note: bundler === "rolldown"
      ? `${kib(min)} minified.`
      : `${kib(min)} minified: ${kib(ours)} of canvas-runs, the rest of Effect. By module: npm run size.`
  }
}

const withStage = async <A>({ progress }: Options, use: (staged: Stage) => Promise<A>): Promise<A> => {
  progress("packing")
  const staged = await stage()
  try {
    return await use(staged)
  } finally {
    staged.remove()
  }
}

export const benchmark: Benchmark = {
  name: "startup",
  run: (options) =>
    withStage(options, async (staged) => [
      await importing(staged, "spine", options),
      await importing(staged, "tela", options)
    ]),
  exact: (options) =>
    withStage(options, async ({ project }) => {
      options.progress("bundling")
      const all = await measureSizes(project)
      return all.map((added) => size(added, all))
    })
}
