/**
 * Kills a batch at random moments, starts it again until every input has its outcome, and compares the outcomes with the runs at the
 * provider: the Tela emulator on a loopback socket, which also loses requests and responses.
 */
import { NodeServices } from "@effect/platform-node"
import { NodeSqlite } from "canvas-runs/node"
import * as RunStore from "canvas-runs/RunStore"
import { Fault, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
import { Data, Deferred, Effect, FileSystem, Layer, Random } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import { bundled } from "../../support/programs.ts"
import { type Ended, start } from "../process.ts"
import { canvasId, inputsOf, ways } from "./inputs.ts"

export interface Options {
  readonly inputs: number
  readonly kills: number
  readonly seed: number
  /** Whether the batch resolves unknown outcomes when it starts. */
  readonly isReconciling: boolean
}

export interface Report {
  readonly inputs: number
  readonly kills: number
  /** The number of starts of the batch. */
  readonly starts: number
  /** The number of runs at the provider. */
  readonly runs: number
  /** The inputs that have an outcome. */
  readonly outcomes: number
  /** The inputs with more than one run. */
  readonly doubled: number
  /** The runs that the store does not list. */
  readonly lost: number
  /** The inputs with a wrong outcome. */
  readonly wrong: number
  /** The outcomes that were delivered twice, because the batch was killed before it had marked their inputs as ended. */
  readonly repeated: number
  /** The unknown creates whose run was found. */
  readonly attached: number
  /** The unknown creates that made no run. */
  readonly freed: number
  /** The creates that are still unknown. */
  readonly unknown: number
}

class WorkerFailed extends Data.TaggedError("WorkerFailed")<{ readonly message: string }> {}

export const crash = (options: Options) =>
  Effect.gen(function*() {
    const emulator = yield* TelaEmulator.TelaEmulator
    const { baseUrl } = yield* TelaEmulatorServer.TelaEmulatorServer
    const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "batch-" })
    const filename = `${directory}/batch.db`
    const program = yield* bundled(new URL("worker.ts", import.meta.url))
    const inputs = inputsOf(options.inputs)
    const tally = { kills: 0, starts: 0, attached: 0, freed: 0 }

    /** The numbers of runs after which the batch is killed, in descending order. */
    const moments = yield* Effect.replicateEffect(
      Random.nextIntBetween(1, Math.floor(options.inputs * 0.9)),
      options.kills
    )
    moments.sort((a, b) => b - a)
    let created = 0
    let kill: (() => void) | undefined
    yield* emulator.script(({ variables: { index, way } }) => {
      created++
      if (created >= (moments.at(-1) ?? Infinity) && kill !== undefined) {
        moments.pop()
        kill()
        kill = undefined
      }
      return {
        createdFor: 0,
        timeline: Timeline.make({ duration: way === "slow" ? "1 day" : (Number(index) * 37) % 50 }),
        output: { total: way === "invalid" ? "many" : 42 },
        ...(way === "failed" ? { failure: { message: "no" } } : undefined)
      }
    })
    for (const fault of [Fault.drop, Fault.dropAfter, Fault.status(503), Fault.handleThenStatus(502)]) {
      for (let count = 0; count < Math.max(1, options.inputs / 1000); count++) {
        const skipped = yield* Random.nextIntBetween(0, Math.floor(options.inputs * 0.9))
        yield* emulator.fault(fault.pipe(Fault.on("POST", "/v2/chat/completions"), Fault.skip(skipped)))
      }
    }

    /** Runs the batch until it ends or is killed. Returns the number of unknown creates, or `undefined` if it was killed. */
    const live = Effect.gen(function*() {
      tally.starts++
      const ended = yield* Deferred.make<Ended>()
      const millis = yield* Random.nextIntBetween(0, 30)
      const args = [filename, baseUrl, `${options.inputs}`, options.isReconciling ? "yes" : "no"]
      const worker = start(
        program,
        args,
        (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
      )
      kill = () => setTimeout(() => worker.kill("SIGKILL"), millis)
      const { code, errors, output, signal } = yield* Effect.onInterrupt(
        Deferred.await(ended),
        () => Effect.sync(() => worker.kill("SIGKILL"))
      )
      kill = undefined
      const lines = output.split("\n")
      tally.attached += lines.filter((line) => line === "attached").length
      tally.freed += lines.filter((line) => line === "freed").length
      if (signal === "SIGKILL") {
        tally.kills++
        return undefined
      }
      if (code !== 0) return yield* new WorkerFailed({ message: `the batch ended with ${code}:\n${output}${errors}` })
      return Number(/\{"unknown":(\d+)\}/.exec(output)![1])
    })

    let unknown: number | undefined
    do unknown = yield* live
    while (unknown === undefined || options.isReconciling && unknown > 0)

    return yield* Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const store = yield* RunStore.RunStore
      const rows = yield* sql<{ readonly key: string; readonly outcome: string; readonly deliveries: number }>`
        select * from outcomes`
      const outcomes = new Map(rows.map((row) => [row.key, row]))
      const listed = new Set((yield* store.list()).flatMap((entry) => "ref" in entry ? [entry.ref.id] : []))
      const unknownKeys = new Set((yield* store.list({ state: "Unknown" })).map(({ key }) => key))
      const runs = yield* emulator.runs
      const indexes = runs.map(({ request }) => request.variables["index"])
      return {
        ...tally,
        inputs: inputs.length,
        runs: runs.length,
        outcomes: inputs.filter(({ key }) => outcomes.has(key)).length,
        doubled: indexes.length - new Set(indexes).size,
        lost: runs.filter(({ id, request }) =>
          !listed.has(id) && !unknownKeys.has(`input-${request.variables["index"]}`)
        )
          .length,
        wrong: inputs.filter(({ key, way }) =>
          !unknownKeys.has(key) && outcomes.get(key)?.outcome !== (way === undefined ? "Succeeded" : ways[way])
        ).length,
        repeated: rows.reduce(
          (sum, { deliveries, outcome }) => sum + (outcome === "Succeeded" ? deliveries - 1 : 0),
          0
        ),
        unknown: unknownKeys.size
      } satisfies Report
    }).pipe(
      Effect.provide(Layer.provideMerge(RunStore.layerSql({ createTimeout: 1 }), NodeSqlite.layer({ filename })))
    )
  }).pipe(
    Random.withSeed(options.seed),
    Effect.scoped,
    Effect.provide([
      TelaEmulatorServer.layer({ canvases: [{ id: canvasId, variables: [{ name: "index" }, { name: "way" }] }] }),
      NodeServices.layer
    ])
  )

/** Whether every input has its outcome, and at most one run. */
export const isGood = (report: Report): boolean =>
  report.outcomes === report.inputs && report.doubled === 0 && report.lost === 0 && report.wrong === 0

export const summary = (report: Report): string =>
  `inputs ${report.inputs}, kills ${report.kills}, outcomes ${report.outcomes}, runs ${report.runs}, doubled ${report.doubled}, ` +
  `lost ${report.lost}, wrong ${report.wrong}, delivered again ${report.repeated}, unknown creates attached ${report.attached}, ` +
  `freed ${report.freed}, left ${report.unknown}`
