/** Processes that spend from one budget, and are killed at random moments. */
import { assert, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Random, Schedule } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { ChildProcess } from "node:child_process"
import { join } from "node:path"
import { Budget } from "canvas-runs"
import { postgres, postgresLayer, sqliteLayer, temporaryDirectory } from "../support/databases.ts"
import { estimate, kills, limit, type Mode, processes, runsBeforeKill } from "./budget/limits.ts"
import { size } from "../support/size.ts"
import { type Ended, start } from "./process.ts"

const Addresses = Context.Service<{ readonly postgresql: string; readonly sqlite: string }>("test/Addresses")

const addresses = Layer.effect(
  Addresses,
  Effect.gen(function*() {
    const { newDatabase } = yield* postgres
    return { postgresql: yield* newDatabase, sqlite: join(yield* temporaryDirectory, "budget.db") }
  })
)

const linesOf = (output: string, line: string) => output.split("\n").filter((each) => each === line).length

layer(addresses, { excludeTestServices: true, timeout: 60_000 })(
  "two processes that are killed while they spend on",
  (it) => {
    for (const kind of size(["sqlite"] as const, ["sqlite", "postgresql"] as const)) {
      it.effect(
        `${kind} never exceed the limit, and what dead processes have reserved returns`,
        () =>
          Effect.gen(function*() {
            const { [kind]: address } = yield* Addresses
            const database = kind === "sqlite" ? sqliteLayer(address) : postgresLayer(address)
            yield* Effect.gen(function*() {
              const sql = yield* SqlClient.SqlClient
              const budget = yield* Budget.Budget
              yield* sql`create table provider_runs (id varchar(40) primary key, cost integer not null)`
              const tally = { kills: 0, above: 0, samples: 0, most: 0 }

              /** Starts a process, and returns it with an effect that waits for its end. */
              const run = (mode: Mode) =>
                Effect.gen(function*() {
                  const ended = yield* Deferred.make<Ended>()
                  const worker = start(
                    new URL("budget/worker.ts", import.meta.url),
                    [kind, address, mode],
                    (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
                  )
                  yield* Effect.addFinalizer(() => Effect.sync(() => worker.kill("SIGKILL")))
                  return { worker, ended: Deferred.await(ended) }
                })

              /** Kills the process after this number of runs. */
              const killAfter = (worker: ChildProcess, runs: number) => {
                let made = 0
                worker.stdout!.on("data", (chunk) => {
                  made += linesOf(String(chunk), "run")
                  if (made >= runs) worker.kill("SIGKILL")
                })
              }

              const spend = Effect.gen(function*() {
                let isKilled = true
                while (isKilled) {
                  const { ended, worker } = yield* run("spend")
                  if (tally.kills < kills) killAfter(worker, yield* Random.nextIntBetween(1, runsBeforeKill))
                  const { code, errors, output, signal } = yield* ended
                  tally.above += linesOf(output, "above")
                  isKilled = signal === "SIGKILL"
                  if (isKilled) tally.kills++
                  else assert.strictEqual(code, 0, errors)
                }
              })

              const sample = Effect.gen(function*() {
                const { reserved, spent } = yield* budget.status()
                tally.samples++
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

              const hanging = yield* Effect.replicateEffect(run("hang"), processes)
              const waitUntil = (until: (reserved: number) => boolean) =>
                Effect.repeat(budget.status("hanging"), {
                  until: ({ reserved }) => until(reserved),
                  schedule: Schedule.spaced("20 millis")
                })
              yield* waitUntil((reserved) => reserved > 0)
              for (const { ended, worker } of hanging) {
                worker.kill("SIGKILL")
                yield* ended
              }
              assert.strictEqual((yield* budget.status("hanging")).spent, 0)
              yield* waitUntil((reserved) => reserved === 0)
              const { reserved, spent } = yield* budget.status()
              const [provider] = yield* sql<{ readonly runs: unknown; readonly cost: unknown }>`
            select count(*) as runs, sum(cost) as cost from provider_runs`
              yield* Effect.logInfo(
                `budget on ${kind}: ${tally.kills} kills, ${provider?.runs} runs that cost ${provider?.cost}, limit ${limit}, ` +
                  `spent ${spent}, reserved ${reserved}, at most ${tally.most} in ${tally.samples} samples`
              )
            }).pipe(Effect.provide(Layer.provideMerge(Budget.layerSql({ limit }), database)), Effect.scoped)
          }),
        size(60_000, 300_000)
      )
    }
  }
)
