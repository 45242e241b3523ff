/** Processes that spend from one budget, and are killed at random moments. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Random, Schedule } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { ChildProcess } from "node:child_process"
import { Budget } from "canvas-runs"
import { onMovedClock } from "../support/clock.ts"
import { addresses, clients } from "../support/databases.ts"
import { estimate, kills, limit, processes, runsBeforeKill } from "./budget/limits.ts"
import { bundled } from "../support/programs.ts"
import { size } from "../support/size.ts"
import { until } from "../support/until.ts"
import { type Ended, start } from "./process.ts"

const linesOf = (output: string, line: string) => output.split("\n").filter((each) => each === line).length

const spending = (kind: keyof typeof addresses) =>
  onMovedClock((pass) =>
    Effect.gen(function*() {
      const address = yield* addresses[kind]
      const program = yield* bundled(new URL("budget/worker.ts", import.meta.url))
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const budget = yield* Budget.Budget
        yield* sql`create table provider_runs (id varchar(40) primary key, cost integer not null)`
        const tally = { kills: 0, above: 0, most: 0 }

        /** Starts a process whose creates hang after `runs` runs, and returns it with an effect that waits for its end. */
        const run = (account: string, runs: number) =>
          Effect.gen(function*() {
            const ended = yield* Deferred.make<Ended>()
            const worker = start(
              program,
              [kind, address, account, `${runs}`],
              (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
            )
            yield* Effect.addFinalizer(() => Effect.sync(() => worker.kill("SIGKILL")))
            return { worker, ended: Deferred.await(ended) }
          })

        /** Kills the process after this number of runs. */
        const killAfter = (worker: ChildProcess, runs: number) => {
          let output = ""
          worker.stdout!.on("data", (chunk) => {
            output += chunk
            if (linesOf(output, "run") >= runs) worker.kill("SIGKILL")
          })
        }

        const spend = Effect.gen(function*() {
          let isKilled = true
          while (isKilled) {
            const isDue = tally.kills < kills
            const { ended, worker } = yield* run("default", isDue ? runsBeforeKill : Infinity)
            if (isDue) killAfter(worker, yield* Random.nextIntBetween(1, runsBeforeKill))
            const { code, errors, output, signal } = yield* ended
            tally.above += linesOf(output, "above")
            isKilled = signal === "SIGKILL"
            if (isKilled) tally.kills++
            else assert.strictEqual(code, 0, errors)
          }
        })

        const sample = Effect.gen(function*() {
          const { reserved, spent } = yield* budget.status()
          tally.most = Math.max(tally.most, spent + reserved)
        })

        yield* Effect.raceFirst(
          Effect.replicateEffect(spend, processes, { concurrency: "unbounded" }),
          Effect.repeat(sample, Schedule.spaced("5 millis"))
        )
        yield* sample
        assert.isAtLeast(tally.kills, kills)
        assert.strictEqual(tally.above, 0)
        assert.isAtMost(tally.most, limit)
        // The rest was less than one estimate, apart from the reservations of the dead processes
        assert.isAbove(tally.most, limit - estimate)

        const hanging = yield* run("hanging", 0)
        yield* until(Effect.map(budget.status("hanging"), ({ reserved }) => reserved > 0))
        hanging.worker.kill("SIGKILL")
        yield* hanging.ended
        yield* pass("1 hour")
        assert.deepInclude(yield* budget.status("hanging"), { spent: 0, reserved: 0 })
        const [provider] = yield* sql<{ readonly cost: unknown }>`select sum(cost) as cost from provider_runs`
        assert.isAtMost(Number(provider?.cost), limit)
      }).pipe(Effect.provide(Layer.provideMerge(Budget.layerSql({ limit }), clients[kind](address))))
    })
  )

describe("two processes that are killed while they spend on", () => {
  for (const kind of size(["sqlite"] as const, ["sqlite", "postgresql"] as const)) {
    it.live(
      `${kind} never exceed the limit, and the reservations of dead processes are released`,
      () => spending(kind),
      size(60_000, 300_000)
    )
  }
})
