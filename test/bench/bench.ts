/**
 * `npm run bench`: measures canvas-runs and its alternatives side by side, on loopback, in three runs. It ends with a table of the
 * missed targets.
 *
 *     npm run bench                       every benchmark
 *     npm run bench -- --only streams     one benchmark, or several separated by commas
 *     npm run bench -- --runs 1           one run instead of three: a look, without the spread between runs
 *     npm run bench -- --quick            one run with few repetitions: a check that it works, with figures too rough to quote
 *     npm run bench -- --only durable --parked 10000
 *                                         more waiting workflows than 500, which takes minutes
 *     npm run bench -- --json             the results as JSON on standard output
 *     npm run bench -- --save             writes test/bench/results.json, results.md, and the charts and figures of docs/costs.md
 *     npm run bench -- --draw             writes all of these again from results.json, and measures nothing
 *     npm run bench -- --misses           prints the missed targets of results.json, and measures nothing
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { parseArgs } from "node:util"
import { benchmarks } from "./benchmarks.ts"
import { charts } from "./charts.ts"
import type { Task } from "./child.ts"
import { type Benchmark, inChild, type Result } from "./measure.ts"
import { withTable } from "./guide.ts"
import { markdown, misses, summary, text } from "./report.ts"
import { combine, decode, encode, merge, type Section } from "./results.ts"

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    parked: { type: "string" },
    json: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    draw: { type: "boolean", default: false },
    misses: { type: "boolean", default: false }
  }
})

const exitWith = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const wholeNumber = (flag: "parked" | "runs", otherwise: number): number => {
  const value = Number(flags[flag] ?? otherwise)
  if (!Number.isInteger(value) || value < 1) {
    exitWith(`--${flag} is ${flags[flag]}. It must be a whole number, 1 or more.`)
  }
  return value
}

const runs = wholeNumber("runs", flags.quick ? 1 : 3)
const parked = wholeNumber("parked", flags.quick ? 100 : 500)
const names = flags.only?.split(",") ?? Object.keys(benchmarks)
const unknown = names.filter((name) => benchmarks[name] === undefined)
if (unknown.length > 0) {
  exitWith(`There is no benchmark ${unknown.join(", ")}. There are: ${Object.keys(benchmarks).join(", ")}.`)
}

const saved = new URL("results.json", import.meta.url)
const readSaved = (): ReadonlyArray<Section> => existsSync(saved) ? decode(readFileSync(saved, "utf8")) : []

/** Writes what people read: all of it is drawn from the saved sections. */
const draw = (sections: ReadonlyArray<Section>): void => {
  writeFileSync(new URL("results.md", import.meta.url), markdown(sections))
  const directory = new URL("../../docs/charts/", import.meta.url)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory)
  for (const [name, svg] of Object.entries(charts(sections))) writeFileSync(new URL(name, directory), svg)
  const guide = new URL("../costs.md", directory)
  writeFileSync(guide, withTable(readFileSync(guide, "utf8"), sections))
}

const save = (measured: ReadonlyArray<Section>): void => {
  const sections = merge(readSaved(), measured, Object.keys(benchmarks))
  writeFileSync(saved, encode(sections))
  draw(sections)
}

const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${
  Math.round(totalmem() / 2 ** 30)
} GiB, loopback`

/** A benchmark, and what its parts gave so far. */
interface Measured {
  readonly benchmark: Benchmark
  readonly runs: Array<ReadonlyArray<Result>>
  readonly exact: Array<ReadonlyArray<Result>>
}

const failures: Array<string> = []
const log = (line: string): void => void process.stderr.write(`${line}\n`)

/** Runs a part of a benchmark in a process. A failure is reported at the end, and costs only this run. */
const attempt = async (task: Task, label: string): Promise<ReadonlyArray<ReadonlyArray<Result>>> => {
  const started = performance.now()
  log(`# ${label}`)
  try {
    return [await inChild<ReadonlyArray<Result>>(new URL("child.ts", import.meta.url), [JSON.stringify(task)])]
  } catch (error) {
    failures.push(`${label} failed: ${String(error)}`)
    return []
  } finally {
    log(`# ${label}: ${((performance.now() - started) / 1000).toFixed(0)} s`)
  }
}

/** A benchmark with a part that never succeeded has no section, so that the saved one is kept. */
const sectionsOf = (measured: ReadonlyMap<string, Measured>): ReadonlyArray<Section> =>
  [...measured].filter(([, { benchmark, exact, runs }]) =>
    (benchmark.run === undefined || runs.length > 0) && (benchmark.exact === undefined || exact.length > 0)
  ).map(([name, { exact, runs }]): Section => ({
    name,
    date: new Date().toISOString().slice(0, 10),
    machine,
    runs: Math.max(runs.length, 1),
    isQuick: flags.quick,
    rows: combine(runs, exact[0])
  }))

/**
 * Measures each benchmark once per run. Between two runs of a benchmark are runs of the others, so that the spread shows what a busy
 * minute of the machine does. The results are saved after each run, so an interruption loses one run.
 */
const measure = async (): Promise<ReadonlyArray<Section>> => {
  const measured = new Map<string, Measured>()
  for (const name of names) {
    measured.set(name, { benchmark: (await benchmarks[name]!()).benchmark, runs: [], exact: [] })
  }
  const options = { quick: flags.quick, parked }
  for (let run = 1; run <= runs; run++) {
    for (const [name, { benchmark, exact, runs: done }] of measured) {
      if (run === 1 && benchmark.exact !== undefined) {
        exact.push(...await attempt({ name, part: "exact", run: 0, ...options }, `${name}, exact rows`))
      }
      if (benchmark.run !== undefined) {
        done.push(...await attempt({ name, part: "run", run: run - 1, ...options }, `${name}, run ${run} of ${runs}`))
      }
    }
    if (flags.save) save(sectionsOf(measured))
  }
  return sectionsOf(measured)
}

if (flags.draw) draw(readSaved())
else if (flags.misses) console.log(`${misses(readSaved())}\n\n${summary(readSaved())}`)
else {
  const started = performance.now()
  const sections = await measure()
  if (flags.json) console.log(encode(sections))
  else console.log([...sections.map(text), misses(sections), summary(sections)].join("\n\n"))
  log(`\nmeasured in ${((performance.now() - started) / 60_000).toFixed(1)} min`)
  for (const failure of failures) log(failure)
  process.exitCode = failures.length > 0 ? 1 : 0
}
