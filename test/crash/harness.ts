/**
 * Kills a program at random points, hundreds of times, and compares the runs at the provider with the entries of the program's
 * store.
 *
 * The provider is the Spine emulator on a loopback socket, with late, lost and broken responses. The program is `worker.ts`, a
 * separate process with a separate directory. It is started with some keys, killed with `SIGKILL`, and started again, until it
 * exits by itself. Then the harness decides about each unknown outcome that it reported, like an operator, and the program
 * continues until each of its keys has finished.
 */
import { NodeServices } from "@effect/platform-node"
import { Data, Deferred, Duration, Effect, FileSystem, Layer, Random } from "effect"
import { KeyValueStore } from "effect/persistence"
import { RunRef } from "canvas-runs"
import * as RunStore from "canvas-runs/RunStore"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { bundled } from "../support/programs.ts"
import { type Ended, start } from "./process.ts"

export interface Options {
  readonly kills: number
  readonly seed: number
  /** The number of programs that run at the same time. */
  readonly lanes: number
  readonly onKill?: ((kills: number) => void) | undefined
}

export interface Report {
  readonly kills: number
  /** The number of starts of a worker. */
  readonly starts: number
  /** The number of runs at the provider. */
  readonly runs: number
  /** Runs that the program's store does not list, and that it did not report. */
  readonly lost: ReadonlyArray<string>
  /** Keys with more than one run. */
  readonly duplicated: ReadonlyArray<string>
  /** The number of unknown outcomes that the program reported. */
  readonly ambiguous: number
  /** The unknown outcomes with a run, which was attached. */
  readonly attached: number
  /** The keys with an unknown outcome that the program did not report. */
  readonly unreported: ReadonlyArray<string>
  /** Keys that did not finish. */
  readonly unfinished: ReadonlyArray<string>
}

export class WorkerFailed extends Data.TaggedError("WorkerFailed")<{ readonly message: string }> {}

const keysPerWave = 10
const longestDelay = 40

export const crash = (options: Options) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const emulator = yield* SpineEmulator.SpineEmulator
    const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
    const root = yield* fs.makeTempDirectoryScoped({ prefix: "crash-" })
    const program = yield* bundled(new URL("worker.ts", import.meta.url))
    const tally = { kills: 0, planned: 0, starts: 0, ambiguous: 0, attached: 0 }
    const lost = new Set<string>()
    const duplicated = new Set<string>()
    const unreported = new Set<string>()
    const unfinished = new Set<string>()
    /** Called when the provider has created a run, before its response. */
    const onCreate = new Map<string, () => void>()

    yield* emulator.script(({ prompt }) => {
      onCreate.get(laneOf(prompt))?.()
      return { timeline: Timeline.make({ duration: (prompt.length * 37) % 90 }) }
    })
    yield* emulator.fault(...yield* Effect.replicateEffect(randomFault, options.kills * 10))

    const runsOf = (key: string) =>
      Effect.map(emulator.runs, (runs) => runs.filter(({ request }) => request.prompt === key).map(({ id }) => id))

    const lane = Effect.fnUntraced(function*(lane: number) {
      const directory = `${root}/lane-${lane}`
      const storage = yield* Layer.build(KeyValueStore.layerFileSystem(directory))
      // Each read uses a new store, as a new process would; it happens only while no worker runs
      const look = Effect.provide(RunStore.make, storage)

      /** Checks the invariant after each kill: the store accounts for every run of the provider. */
      const inspect = Effect.fnUntraced(function*(keys: ReadonlyArray<string>) {
        const store = yield* look
        for (const key of keys) {
          const ids = yield* runsOf(key)
          const entry = yield* store.get(key)
          if (ids.length > 1) duplicated.add(key)
          if (ids.length > 0 && entry === undefined) lost.add(key)
          if (entry !== undefined && "ref" in entry && !ids.includes(entry.ref.id)) lost.add(key)
        }
      })

      /** Starts the worker, and perhaps kills it. Returns its reports, and whether it exited by itself. */
      const live = Effect.fnUntraced(function*(keys: ReadonlyArray<string>) {
        const plan = tally.planned < options.kills ? yield* randomPlan : undefined
        if (plan !== undefined) tally.planned++
        tally.starts++
        const ended = yield* Deferred.make<Ended>()
        const worker = start(
          program,
          [directory, baseUrl, ...keys],
          (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
        )
        let timer: NodeJS.Timeout | undefined
        const killAfter = (millis: number) => {
          if (millis === 0) worker.kill("SIGKILL")
          else timer = setTimeout(() => worker.kill("SIGKILL"), millis)
        }
        let creations = 0
        if (plan?._tag === "Start") killAfter(plan.millis)
        if (plan?._tag === "Ready") worker.stdout!.once("data", () => killAfter(plan.millis))
        onCreate.set(`lane ${lane}`, () => {
          if (plan?._tag === "Creation" && ++creations === plan.nth) killAfter(plan.millis)
        })
        const { code, errors, output, signal } = yield* Deferred.await(ended).pipe(
          Effect.onInterrupt(() => Effect.sync(() => worker.kill("SIGKILL")))
        )
        clearTimeout(timer)
        onCreate.delete(`lane ${lane}`)
        const isKilled = signal === "SIGKILL"
        if (isKilled) {
          tally.kills++
          options.onKill?.(tally.kills)
        } else {
          // This process exited by itself, so the kill moves to another one
          if (plan !== undefined) tally.planned--
          if (code !== 0) {
            return yield* new WorkerFailed({ message: `the worker ended with ${code}:\n${output}${errors}` })
          }
        }
        yield* inspect(keys)
        const reported = output.split("\n").flatMap((line) => /^unknown (?<key>.+)$/.exec(line)?.groups?.["key"] ?? [])
        return { isKilled, reported }
      })

      for (let wave = 0; tally.planned < options.kills; wave++) {
        const keys = Array.from({ length: keysPerWave }, (_, job) => `lane ${lane}: Wave ${wave}/job ${job}`)
        let isOver = false
        while (!isOver) {
          const { isKilled, reported } = yield* live(keys)
          if (isKilled) continue
          // The process exited by itself: every key has finished or was reported
          const store = yield* look
          const entries = yield* Effect.forEach(keys, (key) => store.get(key))
          for (const [index, key] of keys.entries()) {
            const entry = entries[index]
            if (entry?._tag === "Unknown" ? !reported.includes(key) : entry?._tag !== "Finished") unreported.add(key)
          }
          isOver = reported.length === 0
          // Decides after the last request has ended
          if (!isOver) yield* Effect.sleep(2 * longestDelay)
          for (const key of reported) {
            tally.ambiguous++
            const [id] = yield* runsOf(key)
            if (id === undefined) yield* store.forget(key)
            else {
              tally.attached++
              yield* store.attach(key, RunRef.make({ provider: "spine", kind: "run", id }))
            }
          }
        }
        const store = yield* look
        for (const key of keys) {
          const ids = yield* runsOf(key)
          const entry = yield* store.get(key)
          if (entry?._tag !== "Finished") unfinished.add(key)
          else for (const id of ids) if (id !== entry.ref.id) lost.add(id)
        }
        for (const { key } of yield* store.unfinished) unfinished.add(key)
      }
    })

    yield* Effect.forEach(
      Array.from({ length: options.lanes }, (_, index) => index),
      (index) => Random.withSeed(Effect.scoped(lane(index)), `${options.seed}/${index}`),
      { concurrency: "unbounded", discard: true }
    )
    const { planned: _, ...rest } = tally
    return {
      ...rest,
      runs: (yield* emulator.runs).length,
      lost: [...lost],
      duplicated: [...duplicated],
      unreported: [...unreported],
      unfinished: [...unfinished]
    } satisfies Report
  }).pipe(
    Random.withSeed(options.seed),
    Effect.scoped,
    Effect.provide([SpineEmulatorServer.layer(), NodeServices.layer])
  )

/** Whether all promises were kept. */
export const isGood = (report: Report): boolean =>
  [report.lost, report.duplicated, report.unreported, report.unfinished].every(({ length }) => length === 0)

export const summary = (report: Report): string =>
  `kills ${report.kills}, runs ${report.runs}, lost ${report.lost.length}, duplicated ${report.duplicated.length}, ` +
  `unknown outcomes reported ${report.ambiguous}`

// ---------------------------------------------------------------------------------------------------------------------

const laneOf = (prompt: string) => prompt.slice(0, prompt.indexOf(":"))

/** When to kill the worker: while it starts, while it works, or just when the provider has created a run. */
type Plan =
  | { readonly _tag: "Start" | "Ready"; readonly millis: number }
  | { readonly _tag: "Creation"; readonly nth: number; readonly millis: number }

const randomPlan: Effect.Effect<Plan> = Effect.gen(function*() {
  const kind = yield* Random.next
  if (kind < 0.1) return { _tag: "Start", millis: yield* Random.nextIntBetween(1, 600) }
  if (kind < 0.45) return { _tag: "Ready", millis: yield* Random.nextIntBetween(0, 150) }
  return {
    _tag: "Creation",
    nth: yield* Random.nextIntBetween(1, 4),
    // Most kills come before, or just when, the response is stored
    millis: (yield* Random.nextBoolean) ? 0 : yield* Random.nextIntBetween(1, 12)
  }
})

const randomFault: Effect.Effect<Fault.Fault> = Effect.gen(function*() {
  const kind = yield* Random.next
  const fault = faults.find(([share]) => kind < share)![1]
  return fault.pipe(
    Fault.on("POST", "/v1/run"),
    Fault.after(Duration.millis(yield* Random.nextIntBetween(0, longestDelay)))
  )
})

/** Chooses by cumulative share. */
const faults: ReadonlyArray<readonly [number, Fault.Fault]> = [
  [0.04, Fault.dropAfter],
  [0.07, Fault.drop],
  [0.09, Fault.status(503)],
  [0.11, Fault.handleThenStatus(502)],
  [0.13, Fault.truncate(20)],
  [0.15, Fault.dropInside(30)],
  [0.2, Fault.status(429)],
  [1, Fault.delay(0)]
]
