/**
 * Runs the tests against mutants in a thread that is reused, so that Effect and the library are loaded once and not for each of
 * many hundred mutants. A mutant is switched on when its tests begin.
 *
 * State that a mutant broke in that thread must not count against the next one. So the test that noticed a mutant runs once more
 * without the mutant. If it fails again, the mutant is tested in a new thread. A thread serves at most `maxUses` times.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type PoolOptions, type PoolWorker, ThreadsPoolWorker, type WorkerRequest } from "vitest/node"
import { slow } from "./targets.ts"

/** The number of runs per thread. Each run leaves listeners, and perhaps fibers, in it. */
const maxUses = 60

let thread: { readonly worker: ThreadsPoolWorker; uses: number } | undefined

const dropThread = async () => {
  const dropped = thread
  thread = undefined
  await dropped?.worker.stop()
}

/** The worker that Vitest sees. Stopping it does not stop the thread. */
const makeWorker = (options: PoolOptions): PoolWorker => {
  const listeners: Array<readonly [event: string, listener: (message: object) => void]> = []
  let own: ThreadsPoolWorker | undefined
  // Vitest may still send messages to a dropped thread
  const current = () => own === undefined || own !== thread?.worker ? undefined : own
  return {
    name: "kept",
    start: async () => {
      if (thread !== undefined && thread.uses >= maxUses) await dropThread()
      if (thread === undefined) {
        thread = { worker: new ThreadsPoolWorker(options), uses: 0 }
        await thread.worker.start()
      }
      own = thread.worker
      thread.uses++
    },
    stop: async () => {
      for (const [event, listener] of listeners) current()?.off(event, listener)
    },
    send: (message: WorkerRequest) => {
      if (message.type !== "stop") return current()?.send(message)
      for (const [event, listener] of listeners) {
        if (event === "message") listener({ type: "stopped", __vitest_worker_response__: true })
      }
    },
    on: (event, listener) => {
      listeners.push([event, listener])
      current()?.on(event, listener)
    },
    off: (event, listener) => current()?.off(event, listener),
    deserialize: (data) => data
  }
}

interface MutantRun {
  readonly activeMutant: object
  readonly testFilter?: ReadonlyArray<string>
  readonly reloadEnvironment: boolean
}

interface MutantResult {
  readonly status: string
  readonly killedBy?: ReadonlyArray<string>
}

interface DryRunResult {
  readonly tests?: ReadonlyArray<{ readonly id: string }>
  readonly mutantCoverage?: { readonly perTest: Record<string, object> }
}

interface Runner {
  readonly dryRun: (run: object) => Promise<DryRunResult>
  readonly mutantRun: (run: MutantRun) => Promise<MutantResult>
  readonly dispose: () => Promise<void>
}

interface Options {
  readonly vitest: object
}

const modules = fileURLToPath(new URL("node_modules/@stryker-mutator", import.meta.url))
const { VitestTestRunner } = await import(join(modules, "vitest-runner/dist/src/vitest-test-runner.js")) as {
  readonly VitestTestRunner: new(options: Options, log: object, namespace: "__stryker__") => Runner
}

const isSlow = (id: string): boolean => slow.some((name) => id.includes(name))

const makeRunner = (options: Options, log: object): Runner => {
  const runner = new VitestTestRunner(
    { ...options, vitest: { ...options.vitest, pool: { name: "kept", createPoolWorker: makeWorker } } },
    log,
    "__stryker__"
  )
  const dryRun = runner.dryRun.bind(runner)
  const mutantRun = runner.mutantRun.bind(runner)
  const dispose = runner.dispose.bind(runner)
  return Object.assign(runner, {
    // Only tests that are known to cover a mutant are run against it
    dryRun: async (run: object) => {
      const { mutantCoverage, tests, ...result } = await dryRun(run)
      if (tests === undefined || mutantCoverage === undefined) return { ...result, tests, mutantCoverage }
      const perTest = Object.entries(mutantCoverage.perTest).filter(([id]) => !isSlow(id))
      return {
        ...result,
        tests: tests.filter(({ id }) => !isSlow(id)),
        mutantCoverage: { ...mutantCoverage, perTest: Object.fromEntries(perTest) }
      }
    },
    mutantRun: async (run: MutantRun) => {
      if (run.reloadEnvironment) await dropThread()
      const result = await mutantRun(run)
      if (result.status === "survived") return result
      if (result.status === "killed" && !run.reloadEnvironment) {
        const without = await mutantRun({
          ...run,
          activeMutant: { ...run.activeMutant, id: "none" },
          testFilter: result.killedBy!
        })
        if (without.status === "survived") return result
      }
      await dropThread()
      return run.reloadEnvironment ? result : mutantRun(run)
    },
    dispose: async () => {
      await dropThread()
      await dispose()
    }
  })
}

export const strykerPlugins = [{
  kind: "TestRunner",
  name: "kept",
  factory: Object.assign(makeRunner, { inject: ["options", "logger"] })
}]
