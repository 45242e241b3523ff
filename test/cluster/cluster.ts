/**
 * The command: `npm run cluster`, or `npm run cluster -- --kills 30 --seed 7`. `-- --only NAME` runs one scenario. It exits with 1 if a
 * scenario does not have the expected outcome. The last line has the totals of the kills.
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { type Options, restartDatabase, run, starve, summary, type Totals, zombie } from "./harness.ts"
import { type Point, points } from "./workflow.ts"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
    only: { type: "string" }
  }
})
const kills = Number(values.kills)
const seed = Number(values.seed)
if (!Number.isSafeInteger(kills) || kills < 1) throw new Error(`--kills ${values.kills} is not a whole number above 0.`)
if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed} is not a whole number.`)

interface Scenario {
  readonly title: string
  readonly options: Omit<Options, "seed">
  readonly isRight: (totals: Totals) => boolean
}

/** With fewer kills than this the scenarios are short. */
const isShort = kills < 300
const stopped = isShort ? 10 : 60
const starved = isShort ? 10 : 50
const restarts = isShort ? 2 : 5

const isClean = ({ doubled, lost, unfinished, wrong }: Totals): boolean =>
  lost.length + doubled.length + wrong.length + unfinished.length === 0

/** At most 0.6 for each kill. A short run may have more by chance: three standard deviations of a Poisson distribution. */
const hasFewUnknown = ({ unknown }: Totals): boolean =>
  unknown.length <= 0.6 * kills + (isShort ? 3 * Math.sqrt(0.6 * kills) : 0)

/** The points at which a kill leaves the outcome of a create unknown. */
const creating: ReadonlyArray<Point> = ["claim to request", "request to response", "response to outcome"]

const scenarios: { readonly [name: string]: Scenario } = {
  control: {
    title: "without claims, which must double",
    options: { kills: Math.min(kills, 6), claims: false, at: ["request to response", "response to outcome"] },
    isRight: ({ doubled }) => doubled.length > 0
  },
  zombie: {
    title: `a runner that is stopped for ${stopped} seconds, longer than its locks last`,
    options: { kills: 0, disturb: zombie(`${stopped} seconds`) },
    isRight: isClean
  },
  starved: {
    title: `a runner with one eighth of the time for ${starved} seconds`,
    options: { kills: 0, disturb: starve(starved) },
    isRight: (totals) => isClean(totals) && totals.unknown.length === 0
  },
  database: {
    title: `a database that restarts ${restarts} times`,
    options: { kills: 0, mayEnd: true, disturb: restartDatabase(restarts) },
    isRight: isClean
  },
  unknown: {
    title: "runners that are killed during creates of Spine, which cannot list its runs",
    options: { kills: Math.min(kills, 30), at: creating },
    isRight: isClean
  },
  lookup: {
    title: "the same with Tela, whose unknown creates are looked up",
    options: { kills: Math.min(kills, 30), at: creating, provider: "tela" },
    isRight: (totals) => isClean(totals) && totals.unknown.length === 0
  },
  kills: {
    title: "runners that are killed",
    options: {
      kills,
      onKill: (count) => {
        if (count % 10 === 0) console.log(`${count} kills`)
      }
    },
    isRight: (totals) => isClean(totals) && hasFewUnknown(totals)
  }
}

const { only } = values
if (only !== undefined && !(only in scenarios)) {
  throw new Error(`--only ${only} is not one of ${Object.keys(scenarios).join(", ")}.`)
}
let areRight = true
for (const [name, { isRight, options, title }] of Object.entries(scenarios)) {
  if (only !== undefined && only !== name) continue
  console.log(`${name}: ${title}`)
  const started = performance.now()
  const totals = await Effect.runPromise(run({ ...options, seed }))
  if (name === "kills") {
    for (const point of points) console.log(`  ${point.padEnd(20)} ${totals.kills[point]} kills`)
  }
  for (const fault of ["lost", "doubled", "wrong", "unfinished"] as const) {
    for (const each of totals[fault].slice(0, 10)) console.log(`  ${fault}: ${each}`)
  }
  const right = isRight(totals)
  areRight &&= right
  if (!right) console.log(`${name}: FAILED`)
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`${summary(totals)}, in ${seconds} s`)
}
process.exit(areRight ? 0 : 1)
