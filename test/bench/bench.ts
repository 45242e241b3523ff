/**
 * `npm run bench`: measures canvas-runs and its alternatives side by side, in one run on loopback.
 *
 *     npm run bench                       every benchmark
 *     npm run bench -- --only streams     one benchmark, or several separated by commas
 *     npm run bench -- --quick            few repetitions: a check that it works, with figures too rough to quote
 *     npm run bench -- --only durable --parked 10000
 *                                         more waiting workflows than 500, which takes minutes
 *     npm run bench -- --json             one JSON object on standard output
 *     npm run bench -- --save             writes test/bench/results.md
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { parseArgs } from "node:util"
import { type Benchmark, ratio, type Result, type Sample, type Target } from "./measure.ts"

const benchmarks: Record<string, () => Promise<{ readonly benchmark: Benchmark }>> = {
  waiting: () => import("./waiting.ts"),
  requests: () => import("./requests.ts"),
  streams: () => import("./streams.ts"),
  transfers: () => import("./transfers.ts"),
  startup: () => import("./startup.ts"),
  polling: () => import("./polling.ts"),
  durable: () => import("./durable.ts"),
  picture: () => import("./picture.ts")
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    parked: { type: "string" },
    json: { type: "boolean", default: false },
    save: { type: "boolean", default: false }
  }
})

const names = flags.only?.split(",") ?? Object.keys(benchmarks)
const unknown = names.filter((name) => benchmarks[name] === undefined)
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}. There are: ${Object.keys(benchmarks).join(", ")}.`)
  process.exit(2)
}

const parked = Number(flags.parked ?? (flags.quick ? 100 : 500))
if (!Number.isInteger(parked) || parked < 1) {
  console.error(`--parked is ${flags.parked}. It must be a whole number, 1 or more.`)
  process.exit(2)
}

const digits = (value: number): string =>
  !Number.isFinite(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)

const show = ({ max, median, min, values }: Sample): string =>
  values.length === 1 ? digits(median) : `${digits(median)} [${digits(min)}–${digits(max)}]`

/** A target, the measured value, and whether it meets the target. */
const judge = (result: Result, target: Target) => {
  const peer = target.peer === undefined ? undefined : result.peers[target.peer]
  if (target.peer !== undefined && peer === undefined) throw new Error(`${result.measure}: no peer ${target.peer}`)
  const value = peer === undefined ? result.ours.median : ratio(result.ours, peer)
  const met = (target.atMost === undefined || value <= target.atMost) &&
    (target.atLeast === undefined || value >= target.atLeast)
  const bound = target.atMost === undefined ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
  return { ...target, value, met, text: `${digits(value)}${peer === undefined ? "" : "×"} (${bound})` }
}

const log = (text: string) => flags.json ? process.stderr.write(`${text}\n`) : console.log(text)

const report: Array<{ readonly name: string; readonly results: ReadonlyArray<Result> }> = []
for (const name of names) {
  const { benchmark } = await benchmarks[name]!()
  log(`\n# ${name}`)
  const results = await benchmark.run({
    quick: flags.quick,
    parked,
    progress: (text) => process.stderr.write(`  … ${text}\n`)
  })
  report.push({ name, results })
  for (const result of results) {
    log(`\n${result.measure} (${result.unit})`)
    log(`  canvas-runs: ${show(result.ours)}`)
    for (const [peer, measured] of Object.entries(result.peers)) {
      log(`  ${peer}: ${show(measured)}, ratio ${digits(ratio(result.ours, measured))}`)
    }
    for (const target of result.targets) {
      const { met, text } = judge(result, target)
      log(`  ${met ? "met   " : "MISSED"} ${target.peer === undefined ? "" : `against ${target.peer}: `}${text}`)
    }
    if (result.note !== undefined) log(`  ${result.note}`)
  }
}

const verdicts = report.flatMap(({ results }) =>
  results.flatMap((result) => result.targets.map((target) => judge(result, target).met))
)
const met = verdicts.filter(Boolean).length
const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${
  Math.round(totalmem() / 2 ** 30)
} GiB, loopback`

if (flags.json) {
  console.log(JSON.stringify({
    machine,
    quick: flags.quick,
    benchmarks: report.map(({ name, results }) => ({
      name,
      results: results.map((result) => ({ ...result, targets: result.targets.map((target) => judge(result, target)) }))
    })),
    targets: verdicts.length,
    met
  }))
} else {
  log(`\n${met} of ${verdicts.length} targets met (${machine})`)
}

/** One section per benchmark. Sections of benchmarks that were not run stay unchanged. */
const save = () => {
  const file = new URL("results.md", import.meta.url)
  const sections = new Map<string, string>()
  if (existsSync(file)) {
    for (const section of readFileSync(file, "utf8").split(/^(?=## )/m).slice(1)) {
      sections.set(section.slice(3, section.indexOf("\n")), section.trimEnd())
    }
  }
  for (const { name, results } of report) {
    const rows = results.map((result) => {
      const peers = Object.entries(result.peers).map(([peer, measured]) =>
        `${peer} ${show(measured)} (${digits(ratio(result.ours, measured))}×)`
      )
      const targets = result.targets.map((target) => {
        const { met, text } = judge(result, target)
        return `${met ? "" : "**missed** "}${target.peer === undefined ? "" : `${target.peer}: `}${text}`
      })
      return `| ${
        [`${result.measure} (${result.unit})`, show(result.ours), peers.join("<br>"), targets.join("<br>")].join(" | ")
      } |`
    })
    sections.set(
      name,
      [
        `## ${name}`,
        "",
        `${new Date().toISOString().slice(0, 10)}, ${machine}.${flags.quick ? " Quick: few repetitions." : ""}`,
        "",
        "| measure | canvas-runs | peers | targets |",
        "| --- | --- | --- | --- |",
        ...rows
      ].join("\n")
    )
  }
  writeFileSync(
    file,
    [
      "# Benchmark results",
      "",
      "Written by `npm run bench -- --save`, a section at a time. Medians with [least–greatest]; a ratio is ours to the peer's, the",
      "median over rounds where these were interleaved.",
      ...Object.keys(benchmarks).flatMap((name) => sections.has(name) ? ["", sections.get(name)!] : []),
      ""
    ].join("\n")
  )
}

if (flags.save) save()
