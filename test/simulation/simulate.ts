/**
 * The command: `npm run simulate -- --seeds 1000 [--from 0]`, or `--seed 1234` to replay one, or `--mutants` to check that the
 * simulation can fail, or `--kinds` to remove each guard of `test/kinds`. `--max-failures` sets the number of failures after
 * which it stops, and `--only` selects mutants by a part of their description.
 */
import { Duration, Effect, Exit, Option } from "effect"
import { parseArgs } from "node:util"
import * as KindMutants from "../kinds/mutants.ts"
import * as JobsOracle from "./jobs/oracle.ts"
import * as JobsPlan from "./jobs/plan.ts"
import * as Jobs from "./jobs/scenario.ts"
import * as Mutants from "./mutants.ts"
import * as Oracle from "./oracle.ts"
import * as Plan from "./plan.ts"
import * as Scenario from "./scenario.ts"

/** The results of many seeds. */
export interface Report {
  readonly seeds: number
  readonly requests: number
  readonly virtualMillis: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  readonly checks: Readonly<Record<string, number>>
  /** Promises that no seed tested. */
  readonly untested: ReadonlyArray<string>
  readonly failures: ReadonlyArray<Failure>
}

export interface Failure {
  readonly seed: number
  readonly violations: ReadonlyArray<Oracle.Violation>
  /** The history. */
  readonly story: ReadonlyArray<string>
}

/** The result of one seed, in one of the two scenarios: a run and its followers, or jobs of a service. */
interface Case {
  readonly verdict: Oracle.Verdict
  readonly kinds: ReadonlyArray<string>
  readonly virtualMillis: number
  readonly story: () => ReadonlyArray<string>
}

const follow = async (seed: number): Promise<Case> => {
  const history = await Effect.runPromise(Scenario.run(Plan.make(seed)))
  const verdict = Oracle.judge(history)
  return {
    verdict,
    kinds: history.provider.exchanges.map(({ kind }) => kind),
    virtualMillis: (history.endedAt ?? history.startedAt) - history.startedAt,
    story: () => tell(history, verdict.violations)
  }
}

const work = async (seed: number): Promise<Case> => {
  const history = await Effect.runPromise(Jobs.run(JobsPlan.make(seed)))
  return {
    verdict: JobsOracle.judge(history),
    kinds: history.provider.exchanges.map(({ kind, play }) => `${kind}: ${play}`),
    virtualMillis: (history.endedAt ?? history.startedAt) - history.startedAt,
    story: () => tellJobs(history)
  }
}

/** Runs one seed after the other, each in both scenarios, and stops after `maxFailures` failures. */
export const simulate = async (options: {
  readonly from: number
  readonly seeds: number
  readonly maxFailures: number
  readonly onSeed?: (done: number) => void
}): Promise<Report> => {
  const outcomes: Record<string, number> = {}
  const faults: Record<string, number> = {}
  const checks: Record<string, number> = {}
  const failures: Array<Failure> = []
  const count = (counts: Record<string, number>, key: string, by = 1) => counts[key] = (counts[key] ?? 0) + by
  let seeds = 0
  let requests = 0
  let virtualMillis = 0
  for (; seeds < options.seeds && failures.length < options.maxFailures; seeds++) {
    const seed = options.from + seeds
    for (const each of [follow, work]) {
      const { kinds, story, verdict, virtualMillis: millis } = await each(seed)
      requests += kinds.length
      virtualMillis += millis
      for (const outcome of verdict.outcomes) count(outcomes, outcome)
      for (const kind of kinds) count(faults, kind)
      for (const [promise, checked] of Object.entries(verdict.checks)) count(checks, promise, checked)
      if (verdict.violations.length > 0) failures.push({ seed, violations: verdict.violations, story: story() })
    }
    options.onSeed?.(seeds)
  }
  return {
    seeds,
    requests,
    virtualMillis,
    outcomes,
    faults,
    checks,
    untested: Object.keys(Oracle.promises).filter((promise) => (checks[promise] ?? 0) === 0),
    failures
  }
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

const say = (report: Report, wallMillis: number): string =>
  [
    "outcomes",
    table(report.outcomes),
    "what the provider did",
    table(report.faults),
    "promises checked",
    ...Object.entries(Oracle.promises).map(([promise, words]) =>
      `  ${String(report.checks[promise] ?? 0).padStart(9)}  ${promise}: ${words}`
    ),
    "",
    ...report.failures.map((failure) => `${explain(failure)}\n`),
    ...report.untested.map((promise) => `promise ${promise} was never tested`),
    `${report.seeds} seeds, ${report.requests} requests, ${
      Math.round(Duration.toHours(report.virtualMillis))
    } virtual hours in ${(wallMillis / 1000).toFixed(1)} s (${(wallMillis / report.seeds).toFixed(1)} ms per seed, ${
      Math.round(Duration.toHours(report.virtualMillis) / (wallMillis / 60_000))
    } virtual hours per minute on one core)`,
    `${report.seeds - report.failures.length} passed, ${report.failures.length} failed`
  ].join("\n")

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
      sample: { type: "string" }
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
  const started = performance.now()
  const report = await simulate({
    from: Number(values.seed ?? values.from),
    seeds: values.seed === undefined ? Number(values.seeds ?? 1000) : 1,
    maxFailures: Number(values["max-failures"]),
    // Prints the progress of a long run
    onSeed: (done) => done % 100 === 99 && console.log(`${done + 1} seeds`)
  })
  console.log(say(report, performance.now() - started))
  const isShort = report.seeds < 100
  process.exitCode = report.failures.length > 0 || !isShort && report.untested.length > 0 ? 1 : 0
}

if (import.meta.main) await main()
