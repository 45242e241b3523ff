/**
 * `npm run test:long`: the runs that are too long for `npm test`, one after the other, with the figures of each and a closing
 * line.
 *
 * - `-- --only NAME` (may be repeated) picks parts.
 * - `-- --sample SEED --minutes 10` runs a sample of each part, chosen by the seed, for at most this many minutes in all. It
 *   fails only if a part fails: when the time is over, the running part is cut short, and the parts after it are not started. A
 *   part that prints no line for 4 minutes hangs, which is a failure.
 */
import { spawn } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Random from "../support/random.ts"
import { kept } from "../support/sample.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

interface Part {
  readonly name: string
  /** The arguments of Node. */
  readonly full: ReadonlyArray<string>
  /**
   * The arguments for a sample, which takes at most half a minute on two idle cores and prints a line every few seconds. A part
   * without them is not in samples.
   */
  readonly sample?: (draw: Random.Draw, seed: string) => ReadonlyArray<string>
  /** The size of the tests, in the environment. The other parts set it themselves. */
  readonly env?: (sample: string | undefined) => Readonly<Record<string, string>>
}

const contract = "test/contract/rude.test.ts"

/** The other files with tests that have a full size. */
const sized = globSync("test/**/*.test.ts", { cwd: root }).sort().filter((file) =>
  file !== contract && readFileSync(root + file, "utf8").includes("/support/size.ts\"")
)

const script = (file: string, ...args: ReadonlyArray<string>) => ["--conditions=canvas-runs:source", file, ...args]
const vitest = (...files: ReadonlyArray<string>) => [
  "node_modules/vitest/vitest.mjs",
  "run",
  "--retry=0",
  // Prints each test as it ends
  "--reporter=verbose",
  "--reporter=./test/support/reporter.ts",
  ...files
]

const fullSize = { CANVAS_RUNS_TEST_SIZE: "full" }

const simulatedSeeds = 20_000

const parts: ReadonlyArray<Part> = [
  {
    name: "contract",
    full: vitest(contract),
    sample: () => vitest(contract),
    // The seeds of the full size
    env: (sample) => sample === undefined ? fullSize : { CANVAS_RUNS_TEST_SEED: String(Number(sample) % 188) }
  },
  {
    name: "tests",
    full: vitest(...sized),
    // The simulation is a separate part
    sample: (draw) => vitest(draw.pick(sized.filter((file) => !file.includes("/simulation/")))),
    env: () => fullSize
  },
  {
    name: "faults",
    full: script("test/faults/faults.ts"),
    sample: (_, seed) => script("test/faults/faults.ts", "--sample", seed)
  },
  {
    name: "simulate",
    full: script("test/simulation/simulate.ts", "--seeds", String(simulatedSeeds)),
    // The seeds of the full size, so that a failing one shows a change
    sample: (draw) =>
      script("test/simulation/simulate.ts", "--from", String(draw.int(0, simulatedSeeds - 300)), "--seeds", "300")
  },
  {
    name: "crash",
    full: script("test/crash/crash.ts", "--kills", "300"),
    sample: (_, seed) => script("test/crash/crash.ts", "--kills", "20", "--seed", seed)
  },
  {
    name: "batches",
    full: script("test/crash/batches.ts"),
    sample: (_, seed) => script("test/crash/batches.ts", "--inputs", "600", "--kills", "4", "--seed", seed)
  },
  {
    name: "mcp",
    full: script("test/crash/mcp.ts"),
    sample: (_, seed) => script("test/crash/mcp.ts", "--kills", "6", "--seed", seed)
  },
  {
    name: "cluster",
    full: script("test/cluster/cluster.ts"),
    sample: (_, seed) => script("test/cluster/cluster.ts", "--only", "kills", "--kills", "6", "--seed", seed)
  },
  {
    name: "transfers",
    full: script("test/long/transfers.ts"),
    // Every kind of transfer. A transfer that keeps a file of this size in memory exceeds the limit
    sample: () => script("test/long/transfers.ts", "--mebibytes", "256")
  },
  {
    name: "mutants",
    full: script("test/simulation/simulate.ts", "--mutants"),
    sample: (_, seed) => script("test/simulation/simulate.ts", "--mutants", "--sample", seed)
  },
  {
    name: "kinds",
    full: script("test/simulation/simulate.ts", "--mutants", "--kinds"),
    sample: (_, seed) => script("test/simulation/simulate.ts", "--mutants", "--kinds", "--sample", seed)
  },
  {
    name: "mermaid",
    // It downloads Mermaid from the registry
    full: script("test/picture/mermaid.ts")
  },
  {
    name: "runtimes",
    // It installs runtimes from the registry, whose failure must not fail a sample
    full: script("test/runtimes/runtimes.ts")
  }
]

const names = parts.map(({ name }) => name)

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    sample: { type: "string" },
    minutes: { type: "string", default: "10" }
  }
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes} is not a number above 0.`)
if (values.sample !== undefined && !/^\d{1,15}$/.test(values.sample)) {
  throw new Error(`--sample ${values.sample} is not a whole number.`)
}
const unknown = values.only?.find((name) => !names.includes(name))
if (unknown !== undefined) throw new Error(`There is no part ${unknown}, but ${names.join(", ")}.`)

const millis = minutes * 60_000
const deadline = values.sample === undefined ? Number.POSITIVE_INFINITY : performance.now() + millis

/** How long a part of a sample may print nothing. The longest silence is ten seconds on two idle cores. */
const longestSilence = 4 * 60_000

interface Outcome {
  readonly status: "passed" | "FAILED" | "cut short"
  /** The last line of its output, which has its figures. */
  readonly figures: string
}

/** Runs one part with its output indented, so that none of its lines looks like the closing line of the whole. */
const run = (part: Part): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const { sample } = values
    const args = sample === undefined
      ? part.full
      : part.sample!(Random.make(Number(sample)).fork(names.indexOf(part.name)), sample)
    console.log(`\n${part.name}: node ${args.join(" ")}`)
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: {
        ...process.env,
        ...part.env?.(sample)
      },
      stdio: ["ignore", "pipe", "pipe"],
      // Stops the part with its process group
      detached: true
    })
    const stop = () => {
      try {
        process.kill(-child.pid!, "SIGKILL")
      } catch {
        // The process has just ended
      }
      // A process that the part started and left running does not delay the others
      child.stdout.destroy()
      child.stderr.destroy()
    }
    process.once("exit", stop)
    let stopped: Outcome | undefined
    const stopAfter = (millis: number, outcome: Outcome) =>
      setTimeout(() => {
        stopped = outcome
        stop()
      }, millis)
    const timers = sample === undefined ? undefined : {
      deadline: stopAfter(deadline - performance.now(), { status: "cut short", figures: "the time is over" }),
      silence: stopAfter(longestSilence, {
        status: "FAILED",
        figures: `it hangs: it printed nothing for ${longestSilence / 60_000} minutes`
      })
    }
    let figures = ""
    let rest = ""
    const show = (chunk: string) => {
      timers?.silence.refresh()
      const lines = (rest + chunk).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        console.log(`  ${line}`)
        if (line.trim() !== "") figures = line.trim()
      }
    }
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", show)
    child.on("error", reject)
    child.on("close", (code) => {
      process.off("exit", stop)
      show("\n")
      clearTimeout(timers?.deadline)
      clearTimeout(timers?.silence)
      resolve(stopped ?? { status: code === 0 ? "passed" : "FAILED", figures })
    })
  })

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

const chosen = parts.filter(({ name, sample }) =>
  (values.only === undefined || values.only.includes(name)) && (values.sample === undefined || sample !== undefined)
)
// In random order, so that a sample with too little time leaves out different parts each time
const inOrder = values.sample === undefined ? chosen : kept(chosen, chosen.length, values.sample)
const lines: Array<string> = []
const counts = { passed: 0, FAILED: 0, "cut short": 0 }
for (const part of inOrder) {
  const started = performance.now()
  const { figures, status } = started < deadline
    ? await run(part)
    : { status: "cut short" as const, figures: "not begun" }
  counts[status]++
  lines.push(
    `${part.name.padEnd(10)} ${status.padEnd(10)} ${Math.round((performance.now() - started) / 1000)} s: ${figures}`
  )
}
console.log(`\n${values.sample === undefined ? "All of the long runs" : `A sample by the seed ${values.sample}`}`)
for (const line of lines) console.log(line)
if (counts["cut short"] > 0) console.log(`${counts["cut short"]} cut short, because ${minutes} minutes were over`)
console.log(`${counts.passed} passed, ${counts.FAILED} failed`)
process.exitCode = counts.FAILED > 0 ? 1 : 0
