/** What durable runs cost on one runner. What the idle process takes is measured first, and subtracted. */
import { Duration, Effect } from "effect"
import { ShardingConfig } from "effect/cluster"
import { join } from "node:path"
import { postgres, temporaryDirectory } from "../support/databases.ts"
import type { Contender, Measured, Task, Usage } from "./durableChild.ts"
import { type Benchmark, inChild, type Options, type Result, sample, type Target } from "./measure.ts"

/** However many runs wait, 250 are polled each second. */
const pollsPerSecond = 250

/** The default of `Waits.layerSql`, in seconds. */
const pollInterval = 5

/** The size of an output in bytes. */
const outputBytes = 4096

const measure = (contender: Contender, database: string, runs: number) =>
  Effect.promise(() =>
    inChild<Measured>(new URL("durableChild.ts", import.meta.url), [
      JSON.stringify(
        { contender, database, runs, outputBytes, pollInterval: runs / pollsPerSecond, seconds: 10 } satisfies Task
      )
    ])
  )

/** What one part took, or several, more than the idle process. */
const net = ({ idle }: Measured, count: Exclude<keyof Usage, "seconds">, ...parts: ReadonlyArray<Usage>) =>
  parts.reduce((sum, part) => sum + part[count] - idle[count] * part.seconds / idle.seconds, 0)

const cpuPerPoll = (measured: Measured) => net(measured, "cpu", measured.parked) / measured.parked.polls

/** Create and end, without the polls. */
const cpuPerRun = (measured: Measured, runs: number) => {
  const { create, end, parked } = measured
  const ofPolls = parked.polls === 0 ? 0 : (create.polls + end.polls) * cpuPerPoll(measured)
  return (net(measured, "cpu", create, end) - ofPolls) / runs
}

const row = (measure: string, unit: string, ours: number, target?: Target, note?: string): Result => ({
  measure,
  unit,
  ours: sample([ours]),
  peers: {},
  targets: target === undefined ? [] : [target],
  ...(note === undefined ? undefined : { note })
})

const against = (
  measure: string,
  unit: string,
  ours: number,
  peer: string,
  theirs: number,
  atMost: number
): Result => ({
  ...row(measure, unit, ours, { peer, atMost }, "From one repetition: on a busy machine it may be wrong by half."),
  peers: { [peer]: sample([theirs]) }
})

const costs = (name: string, database: Effect.Effect<string>, { parked, progress, quick }: Options) =>
  Effect.gen(function*() {
    progress(`${parked} workflows with ${name}`)
    const durable = yield* measure("durable", yield* database, parked)
    const compared = quick ? 100 : 250
    progress(`${compared} workflows with a DurableDeferred alone, and ${parked} runs without workflows`)
    const deferred = yield* measure("deferred", yield* database, compared)
    const completions = yield* measure("completions", yield* database, parked)
    const { create, end } = durable
    const perRun = (count: "statements" | "own") => net(durable, count, create, durable.parked, end) / parked
    /** Rounded, because the idle process was not measured for exactly as long. */
    const perPoll = (count: "statements" | "own" | "rows") =>
      Number((net(durable, count, durable.parked) / durable.parked.polls).toFixed(4))
    const waiting = `${parked} waiting runs on one runner, ${name}`
    return [
      row(`statements of canvas-runs per poll of a waiting run, ${name}`, "statements", perPoll("own"), {
        atMost: 0.001
      }),
      row(
        `statements per poll of a waiting run, ${name}`,
        "statements",
        perPoll("statements"),
        { atMost: 0.1 },
        "All are of the engine: with SQLite it reads its unprocessed messages every 10 s, with more statements if more workflows wait."
      ),
      row(`rows per poll of a waiting run, ${name}`, "rows", perPoll("rows"), { atMost: 0 }),
      row(
        `statements per run from create to end, ${name}`,
        "statements",
        perRun("statements"),
        { atMost: 28 },
        `${perRun("own").toFixed(1)} of them are of canvas-runs. The workflow without canvas-runs takes ${
          (net(deferred, "statements", deferred.create, deferred.parked, deferred.end) / compared).toFixed(1)
        }.`
      ),
      against(
        `CPU per poll of a waiting run, ${name}`,
        "µs",
        cpuPerPoll(durable),
        "runs.completions",
        cpuPerPoll(completions),
        1.1
      ),
      against(
        `CPU of create and end, without polls, ${name}`,
        "µs per run",
        cpuPerRun(durable, parked),
        "Activity and DurableDeferred",
        cpuPerRun(deferred, compared),
        1.3
      ),
      row(
        `storage of a finished run with an output of ${outputBytes} bytes, ${name}`,
        "bytes",
        durable.bytesPerRun,
        { atMost: 8192 + 2 * outputBytes },
        `The tables of the engine hold most of it, and a purge does not change them. The workflow without canvas-runs takes ${
          deferred.bytesPerRun.toFixed(0)
        }.`
      ),
      row(`rows of canvas-runs after a purge, ${name}`, "rows", durable.rowsLeft, { atMost: 0 }),
      row(`${waiting}: memory of the process`, "MiB", durable.rssBytes / 2 ** 20),
      row(
        `${waiting}: CPU time`,
        "% of a core",
        durable.parked.cpu / durable.parked.seconds / 1e4,
        undefined,
        `With ${pollsPerSecond} polls per second, and the provider in the same process.`
      ),
      row(
        `${waiting}: statements`,
        "per second",
        durable.parked.statements / durable.parked.seconds,
        undefined,
        `The idle process takes ${(durable.idle.statements / durable.idle.seconds).toFixed(1)}.`
      )
    ]
  })

const failover = Duration.toSeconds(ShardingConfig.defaults.shardLockExpiration) + pollInterval

export const benchmark: Benchmark = {
  name: "durable",
  run: (options) =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const { newDatabase } = yield* postgres
      let files = 0
      const newFile = Effect.sync(() => join(directory, `${++files}.db`))
      return [
        ...yield* costs("SQLite", newFile, options),
        ...yield* costs("PostgreSQL", newDatabase, options),
        row(
          "a runner that was killed: its runs continue on another one after",
          "s",
          failover,
          undefined,
          "Not measured here: shardLockExpiration of the engine, and one poll interval."
        )
      ]
    }).pipe(Effect.scoped, Effect.runPromise)
}
