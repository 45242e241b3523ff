/**
 * What durable runs cost on one runner, and how soon another runner continues the runs of one that was killed. What the idle process takes
 * is measured first, and subtracted.
 */
import { Duration, Effect, type Scope } from "effect"
import { ShardingConfig } from "effect/cluster"
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { freePort } from "../../examples/support/postgres.ts"
import { postgres, temporaryDirectory } from "../support/databases.ts"
import type { Commands, Task, Usage } from "./durableChild.ts"
import { type Benchmark, interleave, type Options, type Result, type Sample, sample, type Target } from "./measure.ts"

/** How many polls a runner makes in a second, however many runs wait. */
const pollsPerSecond = 1000

/** The default of `Waits.layerSql`, in seconds. */
const pollInterval = 5

/** The size of an output in bytes. */
const outputBytes = 4096

/** The engine removes the entity of a suspended workflow from memory after 10 s, and then reads its messages once. */
const settleSeconds = 20

/** A process that measures. It answers one command at a time. */
interface Child {
  readonly ask: <Name extends keyof Commands>(
    command: Name,
    argument?: Parameters<Commands[Name]>[0]
  ) => Promise<ReturnType<Commands[Name]>>
  readonly kill: () => void
}

const answerOf = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a measuring process ended with ${code}`))
    child.once("exit", onExit)
    child.once("message", (answer) => {
      child.off("exit", onExit)
      resolve(answer as A)
    })
  })

const start = (task: Task): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(new URL("durableChild.ts", import.meta.url), [JSON.stringify(task)], {
        execArgv: ["--conditions=canvas-runs:source", "--expose-gc"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(
    Effect.tap((child) => Effect.promise(() => answerOf(child))),
    Effect.map((child): Child => ({
      ask: (command, argument) => {
        child.send([command, argument])
        return answerOf(child)
      },
      kill: () => child.kill("SIGKILL")
    }))
  )

const row = (measure: string, unit: string, ours: Sample, target?: Target, note?: string): Result => ({
  measure,
  unit,
  ours,
  peers: {},
  targets: target === undefined ? [] : [target],
  ...(note === undefined ? undefined : { note })
})

const one = (value: number): Sample => sample([value])

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`

const against = (
  measure: string,
  unit: string,
  ours: Sample,
  peer: string,
  theirs: Sample,
  target: Target,
  note?: string
): Result => ({ ...row(measure, unit, ours, { peer, ...target }, note), peers: { [peer]: theirs } })

const costs = (name: string, database: Effect.Effect<string>, { parked, progress, quick }: Options) =>
  Effect.gen(function*() {
    const rounds = quick ? 2 : 3
    const batch = quick ? 20 : 60
    const compared = quick ? 50 : 200
    const options = { outputBytes, pollInterval: parked / pollsPerSecond }
    progress(`four processes with ${name}`)
    const durable = yield* start({ contender: "durable", database: yield* database, ...options })
    const deferred = yield* start({ contender: "deferred", database: yield* database, ...options })
    // Like the process of the completions, it has only the runs that wait
    const waiting = yield* start({ contender: "durable", database: yield* database, ...options })
    const completions = yield* start({ contender: "completions", database: yield* database, ...options })
    return yield* Effect.promise(async () => {
      const children = [durable, deferred, waiting, completions]
      for (const child of children) {
        await child.ask("create", 50)
        await child.ask("end", 50)
      }
      const inAll = (seconds: number) => Promise.all(children.map((child) => child.ask("window", seconds)))
      await inAll(settleSeconds)
      const [idleDurable, idleDeferred, idle, idleCompletions] = await inAll(quick ? 4 : 12) as [
        Usage,
        Usage,
        Usage,
        Usage
      ]
      // Of both, because the garbage collection that is forced for it drops compiled code
      const [emptyMemory] = await Promise.all([waiting.ask("memory"), completions.ask("memory")])
      const empty = await waiting.ask("bytes")
      const emptyDeferred = await deferred.ask("bytes")

      progress(`${name}: ${rounds} rounds of ${batch} workflows, by turns`)
      /** What a part took, or several, more than the idle process. */
      const net = (idle: Usage, count: Exclude<keyof Usage, "seconds">, ...parts: ReadonlyArray<Usage>) =>
        parts.reduce((sum, part) => sum + part[count] - idle[count] * part.seconds / idle.seconds, 0)
      const batches: Array<ReadonlyArray<Usage>> = []
      const run = async (child: Child) => [await child.ask("create", batch), await child.ask("end", batch)]
      const perBatch = await interleave(rounds, {
        ours: async () => {
          const parts = await run(durable)
          batches.push(parts)
          return net(idleDurable, "cpu", ...parts)
        },
        theirs: async () => net(idleDeferred, "cpu", ...await run(deferred))
      })

      durable.kill()
      progress(`${name}: ${parked} workflows that wait, and ${parked} runs without workflows`)
      const [created] = await Promise.all([waiting.ask("create", parked), completions.ask("create", parked)])
      const createdDeferred = await deferred.ask("create", compared)
      const [settled, settledDeferred] = await Promise.all([
        waiting.ask("window", settleSeconds),
        deferred.ask("window", settleSeconds),
        completions.ask("window", settleSeconds)
      ])
      const windows: Array<Usage> = []
      const seconds = Math.max(4, options.pollInterval)
      const bareWindows: Array<Usage> = []
      // At the same time, so that other programs on the machine disturb both alike
      for (let round = 0; round < 3; round++) {
        const both = await Promise.all([waiting.ask("window", seconds), completions.ask("window", seconds)])
        windows.push(both[0])
        bareWindows.push(both[1])
      }
      const memory = await waiting.ask("memory")
      const cpuPerPoll = (idle: Usage, windows: ReadonlyArray<Usage>) =>
        sample(windows.map((window) => net(idle, "cpu", window) / window.polls))
      const perPoll = { ours: cpuPerPoll(idle, windows), theirs: cpuPerPoll(idleCompletions, bareWindows) }
      progress(`${name}: the end of the runs`)
      const ended = await waiting.ask("end", parked)
      const endedDeferred = await deferred.ask("end", compared)
      const full = await waiting.ask("bytes")
      const fullDeferred = await deferred.ask("bytes")
      const size = (of: "all" | "own") => (full[of] - empty[of]) / parked
      const sizeDeferred = (fullDeferred.all - emptyDeferred.all) / (compared + rounds * batch)
      const rowsLeft = await waiting.ask("purge")

      const sum = (count: keyof Usage) => windows.reduce((sum, window) => sum + window[count], 0)
      /** Rounded, because the idle process was not measured for exactly as long. */
      const countPerPoll = (count: "statements" | "own" | "rows") =>
        one(Number((Math.max(0, net(idle, count, ...windows)) / sum("polls")).toFixed(3)))
      const statements = (count: "statements" | "own") => net(idle, count, created, settled, ...windows, ended) / parked
      /** Without the polls of waiting runs. The last poll of a run is part of its end. */
      const cpuPerRun = sample(perBatch.ours.values.map((cpu, round) => {
        const polls = batches[round]!.reduce((sum, part) => sum + part.polls, 0) - batch
        return (cpu - polls * perPoll.ours.median) / batch
      }))
      const runner = `${parked} waiting runs on one runner, ${name}`
      return [
        row(`statements of canvas-runs per poll of a waiting run, ${name}`, "statements", countPerPoll("own"), {
          atMost: 0
        }),
        row(
          `statements per poll of a waiting run, ${name}`,
          "statements",
          countPerPoll("statements"),
          { atMost: 0 },
          `Without the background of the idle process: ${
            (idle.statements / idle.seconds).toFixed(1)
          } statements per second, however many runs wait.`
        ),
        row(`rows per poll of a waiting run, ${name}`, "rows", countPerPoll("rows"), { atMost: 0 }),
        row(
          `statements per run from create to end, ${name}`,
          "statements",
          one(statements("statements")),
          {
            atMost: 28,
            reason: `The engine alone executes ${
              (net(idleDeferred, "statements", createdDeferred, settledDeferred, endedDeferred) / compared).toFixed(1)
            } of the ${statements("statements").toFixed(1)} statements.`
          },
          `${statements("own").toFixed(1)} of them are of canvas-runs. ${
            name === "SQLite"
              ? "The target is for PostgreSQL. With SQLite the engine reads each message before it stores it, and reads its storage each time that a suspended workflow leaves its memory. With PostgreSQL several of these reads become one."
              : "It varies by 1, because the engine reads the messages of several workflows at once."
          }`
        ),
        against(
          `CPU per poll of a waiting run, ${name}`,
          "µs",
          perPoll.ours,
          "runs.completions",
          perPoll.theirs,
          { atMost: 1.1 },
          `Without the CPU time of the idle process, ${(idle.cpu / idle.seconds / 1e4).toFixed(1)} % of a core.`
        ),
        against(
          `CPU of create and end, without polls, ${name}`,
          "µs per run",
          cpuPerRun,
          "Activity and DurableDeferred",
          sample(perBatch.theirs.values.map((cpu) => cpu / batch)),
          {
            atMost: 1.3,
            reason: `It executes ${
              statements("own").toFixed(1)
            } statements more than its peer: they keep a second run from being created.`
          },
          "The statements are the claim and the ref of the create, the wait, and the end of both."
        ),
        row(
          `storage of a finished run with an output of ${outputBytes} bytes, ${name}`,
          "bytes",
          one(size("all")),
          {
            atMost: 8192 + 2 * outputBytes,
            reason: `The engine alone stores ${
              sizeDeferred.toFixed(0)
            } bytes: the snapshot of the run twice, as the result of the wait and of the workflow.`
          },
          `The tables of canvas-runs take ${size("own").toFixed(0)}. Nothing removes what the engine stored.`
        ),
        row(`rows of canvas-runs after a purge, ${name}`, "rows", one(rowsLeft), { atMost: 0 }),
        row(
          `${runner}: memory of the process`,
          "MiB",
          one(memory.rss / 2 ** 20),
          undefined,
          `Of these ${mebibytes(memory.heap)} are the heap after a garbage collection, and ${
            mebibytes(emptyMemory.heap)
          } before the runs, with ${mebibytes(emptyMemory.rss)} of the process.`
        ),
        row(
          `${runner}: CPU time`,
          "% of a core",
          one(sum("cpu") / sum("seconds") / 1e4),
          undefined,
          `With ${
            (sum("polls") / sum("seconds")).toFixed(0)
          } polls per second, and the provider in the same process. The idle process takes ${
            (idle.cpu / idle.seconds / 1e4).toFixed(1)
          }.`
        ),
        row(
          `${runner}: statements`,
          "per second",
          one(sum("statements") / sum("seconds")),
          undefined,
          `The idle process takes ${(idle.statements / idle.seconds).toFixed(1)}.`
        )
      ]
    })
  }).pipe(Effect.scoped)

/** Two runners with the defaults of the engine, of which one is killed while the runs of both wait. */
const failover = (newDatabase: Effect.Effect<string>, { progress, quick }: Options) =>
  Effect.gen(function*() {
    const runs = quick ? 20 : 60
    progress(`two runners with ${runs} waiting runs, of which one is killed`)
    const task = { contender: "durable", database: yield* newDatabase, outputBytes, pollInterval } as const
    const killed = yield* start({ ...task, port: yield* freePort })
    const other = yield* start({ ...task, port: yield* freePort })
    // Until both have their shards
    yield* Effect.sleep("10 seconds")
    return yield* Effect.promise(async () => {
      await killed.ask("start", runs)
      killed.kill()
      const polled = await other.ask("poll", runs)
      const ended = await other.ask("end", runs)
      const expiration = Duration.toSeconds(ShardingConfig.defaults.shardLockExpiration)
      return row(
        "a runner was killed, and not started again: time until another one polls all its runs, PostgreSQL",
        "s",
        one(polled.seconds),
        { atMost: expiration + pollInterval },
        `shardLockExpiration of the engine is ${expiration} s, and the poll interval is ${pollInterval} s. Then all runs ended at the ` +
          `provider, and ${runs} workflows had ended ${ended.seconds.toFixed(1)} s later.`
      )
    })
  }).pipe(Effect.scoped)

export const benchmark: Benchmark = {
  name: "durable",
  run: (options) =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const { newDatabase } = yield* postgres
      let files = 0
      const newFile = Effect.sync(() => join(directory, `${++files}.db`))
      // All at the same time, because they wait most of the time. What is compared takes turns within each
      const [sqlite, postgresql, takeover] = yield* Effect.all([
        costs("SQLite", newFile, options),
        costs("PostgreSQL", newDatabase, options),
        failover(newDatabase, options)
      ], { concurrency: "unbounded" })
      return [...sqlite, ...postgresql, takeover]
    }).pipe(Effect.scoped, Effect.runPromise)
}
