/**
 * The command: `npm run simulate -- --seeds 1000 [--from 0]`, or `--seed 1234` to replay one, or `--mutants` to check that the
 * simulation can fail, or `--kinds` to remove each guard of `test/kinds`. `--max-failures` sets the number of failures after
 * which it stops, and `--only` selects mutants by a part of their description.
 *
 * A failing seed is shrunk to the fewest faults, and printed as a test, unless there is `--no-shrink`. `--workers` sets the number of
 * processes; the default is one for each core.
 */
import { Duration, Effect, Exit, Number as Num, Option } from "effect"
import { availableParallelism } from "node:os"
import { inspect, parseArgs } from "node:util"
import * as KindMutants from "../kinds/mutants.ts"
import * as JobsOracle from "./jobs/oracle.ts"
import * as JobsPlan from "./jobs/plan.ts"
import * as Jobs from "./jobs/scenario.ts"
import * as Mutants from "./mutants.ts"
import * as Oracle from "./oracle.ts"
import * as Plan from "./plan.ts"
import * as Scenario from "./scenario.ts"
import { shrink } from "./shrink.ts"
import { answersOf } from "./workers.ts"

/** The results of many seeds. */
export interface Report {
  readonly seeds: number
  readonly requests: number
  /** How long the runs took on the virtual clock, each until its end or that of its program. */
  readonly runMillis: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  readonly checks: Readonly<Record<string, number>>
  /** Promises that no seed tested. */
  readonly untested: ReadonlyArray<string>
  readonly failures: ReadonlyArray<Failure>
}

export interface Failure {
  readonly seed: number
  readonly scenario: keyof typeof scenarios
  readonly violations: ReadonlyArray<Oracle.Violation>
  /** The history. */
  readonly story: ReadonlyArray<string>
}

/** The judged history of a plan. */
export interface Case {
  readonly verdict: Oracle.Verdict
  /** What chance chose, by event. */
  readonly events: ReadonlyMap<string, string>
  /** What the provider did, by request. */
  readonly kinds: ReadonlyArray<string>
  readonly runMillis: number
  readonly story: () => ReadonlyArray<string>
}

/** A kind of program that is drawn from a seed, run and judged. */
export interface Kind<P extends { readonly faults: Plan.Faults }> {
  /** The folder of its modules, with a slash at its end. */
  readonly folder: string
  readonly make: (seed: number) => P
  readonly simpler: (plan: P) => Iterable<P>
  readonly run: (plan: P) => Promise<Case>
}

const follow: Kind<Plan.Plan> = {
  folder: "",
  make: Plan.make,
  simpler: Plan.simpler,
  run: async (plan) => {
    const history = await Effect.runPromise(Scenario.run(plan))
    const verdict = Oracle.judge(history)
    const kinds = history.provider.exchanges.map(({ kind }) => kind)
    return {
      verdict,
      events: named("request", kinds),
      kinds,
      runMillis: Num.sumAll(
        history.provider.runs.map(({ createdAt }) => taken(createdAt, plan.truth.duration, history.endedAt))
      ),
      story: () => tell(history, verdict.violations)
    }
  }
}

const work: Kind<JobsPlan.Plan> = {
  folder: "jobs/",
  make: JobsPlan.make,
  simpler: JobsPlan.simpler,
  run: async (plan) => {
    const history = await Effect.runPromise(Jobs.run(plan))
    const kinds = history.provider.exchanges.map(({ kind, play }) => `${kind}: ${play}`)
    const writes = Array.from({ length: history.writes }, () => "fails")
    return {
      verdict: JobsOracle.judge(history),
      events: new Map([...named("request", kinds), ...named("write", writes)]),
      kinds,
      runMillis: Num.sumAll(
        history.provider.runs.map(({ createdAt, job }) => taken(createdAt, job.truth.duration, history.endedAt))
      ),
      story: () => tellJobs(history)
    }
  }
}

/** The scenarios: a run and its followers, and jobs of a service. */
export const scenarios = { follow, work }

const named = (event: string, kinds: ReadonlyArray<string>): ReadonlyMap<string, string> =>
  new Map(kinds.map((kind, number) => [`${event} ${number}`, kind]))

/** How long a run takes on the virtual clock, until its end or that of its program. */
const taken = (createdAt: number, duration: number, endedAt = createdAt): number =>
  Math.max(0, Math.min(duration, endedAt - createdAt))

/** The results of one seed. */
type SeedReport = Omit<Report, "seeds" | "untested">

/** Runs one seed in all scenarios. */
export const runSeed = async (seed: number): Promise<SeedReport> => {
  const report = emptyReport()
  for (const scenario of ["follow", "work"] as const) {
    const { kinds, runMillis, story, verdict } = await (scenario === "follow"
      ? follow.run(follow.make(seed))
      : work.run(work.make(seed))).catch((cause: unknown) => {
        throw new Error(`seed ${seed} cannot be run`, { cause })
      })
    const { violations } = verdict
    add(report, {
      requests: kinds.length,
      runMillis,
      outcomes: countsOf(verdict.outcomes),
      faults: countsOf(kinds),
      checks: verdict.checks,
      failures: violations.length === 0 ? [] : [{ seed, scenario, violations, story: story() }]
    })
  }
  return report
}

const emptyReport = () => ({
  requests: 0,
  runMillis: 0,
  outcomes: {} as Record<string, number>,
  faults: {} as Record<string, number>,
  checks: {} as Record<string, number>,
  failures: [] as Array<Failure>
})

const add = (total: ReturnType<typeof emptyReport>, report: SeedReport): void => {
  total.requests += report.requests
  total.runMillis += report.runMillis
  for (const name of ["outcomes", "faults", "checks"] as const) {
    for (const [key, count] of Object.entries(report[name])) total[name][key] = (total[name][key] ?? 0) + count
  }
  total.failures.push(...report.failures)
}

const countsOf = (keys: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

/**
 * Runs seeds, each in both scenarios, and stops after `maxFailures` failures. The report is the same for any number of workers.
 *
 * @param options.workers - The number of processes. For one, which is the default, it is this process.
 */
export const simulate = async ({ workers = 1, ...options }: {
  readonly from: number
  readonly seeds: number
  readonly maxFailures: number
  readonly workers?: number
  readonly onSeed?: (done: number) => void
}): Promise<Report> => {
  const total = emptyReport()
  let seeds = 0
  const reports = workers > 1 ? inWorkers(options, workers) : inThisProcess(options)
  for await (const report of reports) {
    add(total, report)
    seeds++
    options.onSeed?.(seeds)
    if (total.failures.length >= options.maxFailures) break
  }
  const untested = Object.keys(Oracle.promises).filter((promise) => (total.checks[promise] ?? 0) === 0)
  return { seeds, ...total, untested }
}

export interface Seeds {
  readonly from: number
  readonly seeds: number
}

const inThisProcess = async function*({ from, seeds }: Seeds) {
  for (let seed = from; seed < from + seeds; seed++) yield await runSeed(seed)
}

/** How many seeds a worker runs for one message. */
const block = 10

const inWorkers = async function*({ from, seeds }: Seeds, workers: number) {
  const blocks = Array.from({ length: Math.ceil(seeds / block) }, (_, index): Seeds => {
    const first = index * block
    return { from: from + first, seeds: Math.min(block, seeds - first) }
  })
  const answers = answersOf<ReadonlyArray<SeedReport>>(new URL("worker.ts", import.meta.url), blocks, workers)
  for await (const reports of answers) yield* reports
}

/** The history of a failed seed, and the command to replay it. */
export const explain = ({ seed, story, violations }: Failure): string =>
  [
    `seed ${seed} breaks:`,
    ...violations.slice(0, 6).map(({ message, promise }) =>
      `  promise ${promise} (${Oracle.promises[promise]}): ${message}`
    ),
    ...story,
    `replay: npm run simulate -- --seed ${seed}`
  ].join("\n")

/** The source of a test with the fewest faults and the simplest plan that break the same promise as a failed seed. */
export const testOf = ({ scenario, seed, violations }: Failure): Promise<string> => {
  const [{ promise }] = violations as [Oracle.Violation]
  const breaks = ({ verdict }: Case) => verdict.violations.some((violation) => violation.promise === promise)
  return scenario === "follow" ? smallTest(follow, seed, promise, breaks) : smallTest(work, seed, promise, breaks)
}

/** How many simpler plans are tried. Each takes some 10 ms. */
const maxTries = 2000

/** The smallest plan of a seed whose history has a property. */
export const smallestPlan = async <P extends { readonly faults: Plan.Faults }>(
  { make, run, simpler }: Kind<P>,
  seed: number,
  has: (judged: Case) => boolean
): Promise<P> => {
  const plan = make(seed)
  const { events } = await run(plan)
  return await shrink<P>({ ...plan, faults: [...events.keys()] }, {
    simpler,
    fails: async (plan) => has(await run(plan)),
    tries: maxTries
  })
}

const smallTest = async <P extends { readonly faults: Plan.Faults }>(
  scenario: Kind<P>,
  seed: number,
  promise: Oracle.PromiseName,
  breaks: (judged: Case) => boolean
): Promise<string> => {
  const plan = await smallestPlan(scenario, seed, breaks)
  const { events } = await scenario.run(plan)
  const modules = `./${scenario.folder}`
  return [
    "// Save it as a test file in test/simulation",
    "import { assert, it } from \"@effect/vitest\"",
    "import { Effect } from \"effect\"",
    `import * as Oracle from "${modules}oracle.ts"`,
    `import type { Plan } from "${modules}plan.ts"`,
    `import * as Scenario from "${modules}scenario.ts"`,
    "",
    ...(plan.faults ?? []).map((event) => `// ${event}: ${events.get(event)}`),
    `const plan: Plan = ${literal(plan)}`,
    "",
    `it(${JSON.stringify(`keeps promise ${promise}: ${Oracle.promises[promise]}`)}, async () => {`,
    "  const history = await Effect.runPromise(Scenario.run(plan))",
    "  assert.deepStrictEqual(Oracle.judge(history).violations, [])",
    "})"
  ].join("\n")
}

/** Plain data as source text, with `undefined`, `Infinity` and -0, which JSON does not have. */
export const literal = (data: unknown): string =>
  inspect(data, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity, breakLength: 120 })

const clock = (startedAt: number) => (time: number) => String(Math.round((time - startedAt) * 100) / 100).padStart(12)

const tell = (history: Scenario.History, violations: ReadonlyArray<Oracle.Violation>): ReadonlyArray<string> => {
  const at = clock(history.startedAt)
  const isNamed = new Set(
    violations.flatMap(({ message }) => [...message.matchAll(/request (\d+)/g)].map(([, n]) => Number(n)))
  )
  const around = history.provider.exchanges.filter(({ number }) =>
    number < 12 || [...isNamed].some((named) => Math.abs(named - number) < 4) ||
    number >= history.provider.exchanges.length - 6
  )
  const { program, policy, client, truth, interruptAt } = history.plan
  return [
    `  plan: ${JSON.stringify({ api: history.plan.api, program, policy, client, interruptAt, truth })}`,
    "  history (ms):",
    ...around.map(({ at: began, end, kind, method, number, reply }) => {
      const retryAfter = reply._tag === "Answer"
        ? reply.headers["retry-after"] ?? reply.headers["retry-after-ms"]
        : undefined
      return `  ${at(began)}  request ${number} ${method}: ${kind}${
        retryAfter === undefined ? "" : `, Retry-After ${retryAfter.slice(0, 30)}`
      }; ${end === undefined ? "open" : `${end.how} at ${at(end.at).trim()}`}`
    }),
    ...history.processes.flatMap(({ followers, interruptedAt, end, number }) => [
      ...followers.map((follower) =>
        `  ${at(follower.startedAt)}  a ${follower.kind}${
          follower.end === undefined
            ? " that never ended"
            : ` until ${at(follower.end.at).trim()}: ${how(follower.end.exit)}`
        }`
      ),
      ...(interruptedAt === undefined ? [] : [`  ${at(interruptedAt)}  process ${number} is interrupted`]),
      ...(end === undefined ? [] : [`  ${at(end.at)}  process ${number} ends`])
    ])
  ]
}

const tellJobs = (history: Jobs.History): ReadonlyArray<string> => {
  const at = clock(history.startedAt)
  const { client, jobs, network, rateLimit, store, wait } = history.plan
  return [
    `  plan: ${JSON.stringify({ wait, client, rateLimit, store, network, jobs })}`,
    "  history (ms):",
    ...history.provider.exchanges.slice(0, 80).map(({ at: began, end, job, kind, number, play, process }) =>
      `  ${at(began)}  request ${number} of process ${process}, ${kind} of ${job}: ${play}; ${
        end === undefined ? "open" : `${end.how} at ${at(end.at).trim()}`
      }`
    ),
    ...history.pushes.map((push) => `  ${at(push.at)}  a ${push.kind} push about ${push.runId}: ${push.status}`),
    ...history.processes.flatMap(({ end, known, number, stopped, works }) => [
      ...works.flatMap(({ create, download, job, wait }) =>
        Object.entries({ create, wait, download }).flatMap(([name, step]) =>
          step === undefined
            ? []
            : [
              `  ${at(step.startedAt)}  process ${number}, ${name} of ${job.key} ${
                step.end === undefined ? "without end" : `until ${at(step.end.at).trim()}: ${how(step.end.exit)}`
              }`
            ]
        )
      ),
      ...(stopped === undefined ? [] : [`  ${at(stopped.at)}  ${stopped.how} of process ${number}`]),
      ...(end === undefined ? [] : [`  ${at(end.at)}  process ${number} ends`]),
      ...(known === undefined ? [] : [
        `                the store knows ${
          [...known.entries].map(([key, entry]) => `${key}: ${entry?._tag}`).join(", ")
        }`
      ])
    ])
  ]
}

const how = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? "success"
    : Exit.hasInterrupts(exit)
    ? "interrupted"
    : Oracle.tagOf(Option.getOrUndefined(Exit.findErrorOption(exit)))

const table = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).toSorted(([, a], [, b]) => b - a)
    .map(([key, count]) => `  ${String(count).padStart(9)}  ${key}`).join("\n")

const say = (report: Report, wallMillis: number, workers: number): string => {
  const hours = Duration.toHours(report.runMillis)
  return [
    "outcomes",
    table(report.outcomes),
    "what the provider did",
    table(report.faults),
    "promises checked",
    ...Object.entries(Oracle.promises).map(([promise, words]) =>
      `  ${String(report.checks[promise] ?? 0).padStart(9)}  ${promise}: ${words}`
    ),
    "",
    ...report.untested.map((promise) => `promise ${promise} was never tested`),
    `${report.seeds} seeds, ${report.requests} requests, ${hours.toFixed(1)} virtual run-hours in ${
      (wallMillis / 1000).toFixed(1)
    } s (${(wallMillis / report.seeds).toFixed(1)} ms per seed)`,
    `${Math.round(hours / (wallMillis / 60_000))} virtual run-hours per minute on ${workers} ${
      workers === 1 ? "core" : "cores"
    }`,
    `${report.seeds - report.failures.length} passed, ${report.failures.length} failed`
  ].join("\n")
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      from: { type: "string", default: "0" },
      seed: { type: "string" },
      "max-failures": { type: "string", default: "5" },
      mutants: { type: "boolean", default: false },
      kinds: { type: "boolean", default: false },
      only: { type: "string" },
      sample: { type: "string" },
      workers: { type: "string" },
      "no-shrink": { type: "boolean", default: false }
    }
  })
  if (values.kinds) {
    process.exitCode = await KindMutants.main({ only: values.only, sample: values.sample }) ? 0 : 1
    return
  }
  if (values.mutants) {
    process.exitCode =
      await Mutants.main({ seeds: Number(values.seeds ?? 400), only: values.only, sample: values.sample }) ? 0 : 1
    return
  }
  const seeds = values.seed === undefined ? Number(values.seeds ?? 1000) : 1
  // More workers than blocks of seeds would be idle
  const workers = Math.max(1, Math.min(Number(values.workers ?? availableParallelism()), Math.ceil(seeds / block)))
  const started = performance.now()
  const report = await simulate({
    from: Number(values.seed ?? values.from),
    seeds,
    maxFailures: Number(values["max-failures"]),
    workers,
    // Prints the progress of a long run
    onSeed: (done) => done % 100 === 0 && console.log(`${done} seeds`)
  })
  const millis = performance.now() - started
  for (const failure of report.failures) {
    console.log(`${explain(failure)}\n`)
    if (!values["no-shrink"]) console.log(`${await testOf(failure)}\n`)
  }
  console.log(say(report, millis, workers))
  const isShort = report.seeds < 100
  process.exitCode = report.failures.length > 0 || !isShort && report.untested.length > 0 ? 1 : 0
}

if (import.meta.main) await main()
