/**
 * Three runner processes on one PostgreSQL, and workflows that create runs and wait for them while the runners are killed, stopped or
 * starved, or the database restarts. Afterwards the runs at the provider are compared with the results of the workflows.
 */
import { Cause, Data, Effect, Exit, Fiber, Layer, Random } from "effect"
import { RunError, RunStore } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, type TelaScript, Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
import { build } from "esbuild"
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { freePort } from "../../examples/support/postgres.ts"
import { postgres, postgresLayer, temporaryDirectory } from "../support/databases.ts"
import { cluster, type Point, points, type Provider, Report, type RunnerOptions } from "./workflow.ts"

export interface Options {
  readonly seed: number
  /** @default "spine" */
  readonly provider?: Provider | undefined
  /** The number of runners to kill. */
  readonly kills: number
  /** The points at which they are killed. */
  readonly at?: ReadonlyArray<Point> | undefined
  /** Whether creates are claimed in the database. Without claims there are two runs for some creates. */
  readonly claims?: boolean | undefined
  /** A disturbance besides the kills. Workflows are started until it has ended and all kills have happened. */
  readonly disturb?: ((scene: Scene) => Effect.Effect<void, RunnerFailed>) | undefined
  /** Whether a runner that exits by itself is started again. Only without kills. */
  readonly mayEnd?: boolean | undefined
  /** The maximum number of runners that are restarted late: after the locks of the dead runner have expired. */
  readonly late?: number | undefined
  readonly createTimeout?: RunnerOptions["createTimeout"] | undefined
  readonly onKill?: ((kills: number) => void) | undefined
}

export interface Scene {
  /** The process of a runner, once it has created a run. */
  readonly busyRunner: Effect.Effect<ChildProcess>
  /** Restarts the database. Absent if the test did not start the server. */
  readonly restartDatabase: Effect.Effect<void> | undefined
}

export interface Totals {
  readonly kills: { readonly [P in Point]: number }
  readonly workflows: number
  readonly runs: number
  /** Runs whose create the store lists neither with its run nor as without a known outcome. */
  readonly lost: ReadonlyArray<string>
  /** Topics with more than one run. */
  readonly doubled: ReadonlyArray<string>
  /** Workflows with the result of another run, or with an error other than an unknown outcome. */
  readonly wrong: ReadonlyArray<string>
  /** Workflows without a result. */
  readonly unfinished: ReadonlyArray<string>
  /** Workflows that report that their run may exist. */
  readonly unknown: ReadonlyArray<string>
}

export class RunnerFailed extends Data.TaggedError("RunnerFailed")<{ readonly message: string }> {}

interface Died {
  readonly point: Point | undefined
  readonly code: number | null
  readonly errors: string
}

/** The program of a runner in one file. It starts in 0.2 s of CPU time, and from its modules in 1.7 s. */
const bundle = Effect.gen(function*() {
  const outfile = join(yield* temporaryDirectory, "runner.mjs")
  yield* Effect.promise(() =>
    build({
      entryPoints: [fileURLToPath(new URL("runner.ts", import.meta.url))],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      conditions: ["canvas-runs:source"],
      sourcemap: "inline",
      banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` },
      logLevel: "error"
    })
  )
  return outfile
})

/** Runs a runner until it ends. */
const runner = (program: string, options: RunnerOptions, children: Set<ChildProcess>) =>
  Effect.callback<Died>((resume) => {
    let point: Point | undefined
    let errors = ""
    const child: ChildProcess = fork(program, [JSON.stringify(options)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    children.add(child)
    child.stderr!.on("data", (chunk) => errors += chunk)
    child.on("message", (message) => point = message as Point)
    child.on("exit", (code) => {
      children.delete(child)
      resume(Effect.succeed({ point, code, errors }))
    })
    return Effect.sync(() => {
      children.delete(child)
      child.kill("SIGKILL")
    })
  })

const isUnknown = (exit: Exit.Exit<string, unknown> | undefined): boolean =>
  exit !== undefined && Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) =>
    reason._tag === "Fail" && reason.error instanceof RunError.CreateOutcomeUnknownError
  )

const runners = 3

/** The time between two workflows. */
const pace = "200 millis"

/** The maximum number of workflows at one time, so that a slow machine has fewer workflows and no backlog. */
const inFlight = 60

/** If no workflow ends for this long, in milliseconds, those that are left count as unfinished. */
const longestPause = 180_000

const topicOf = (workflow: number): string => `topic ${workflow}${"x".repeat(workflow % 23)}`

const resultOf = (topic: string): string => `result of ${topic}`

const scriptOf = (topic: string) => ({ timeline: Timeline.make({ duration: 500 + (topic.length * 131) % 2500 }) })

const answersLate = Fault.answerLate("60 millis").pipe(Fault.on("POST"), Fault.times(Infinity))

/** A server of each provider, and the runs that it has created. */
const servers = {
  spine: Effect.gen(function*() {
    const { fault, runs, script } = yield* SpineEmulator.SpineEmulator
    yield* script(({ prompt }) => ({ ...scriptOf(prompt), finalOutput: resultOf(prompt) }))
    yield* fault(answersLate)
    const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
    return {
      baseUrl,
      created: Effect.map(runs, (all) => all.map(({ id, request }) => ({ id, topic: request.prompt })))
    }
  }),
  tela: Effect.gen(function*() {
    const { fault, runs, script } = yield* TelaEmulator.TelaEmulator
    const topicOf = ({ variables }: TelaScript.RunRequest) => String(variables["topic"])
    yield* script((request) => ({ ...scriptOf(topicOf(request)), output: { result: resultOf(topicOf(request)) } }))
    yield* fault(answersLate)
    const { baseUrl } = yield* TelaEmulatorServer.TelaEmulatorServer
    return {
      baseUrl,
      created: Effect.map(runs, (all) => all.map(({ id, request }) => ({ id, topic: topicOf(request) })))
    }
  })
}

export const run = (options: Options) =>
  Effect.gen(function*() {
    const {
      at = points,
      claims = true,
      createTimeout = "8 seconds",
      late = Math.ceil(options.kills / 4),
      provider = "spine"
    } = options
    const { baseUrl, created } = yield* servers[provider]
    const { newDatabase, restart } = yield* postgres
    const databaseUrl = yield* newDatabase
    const program = yield* bundle
    const children = new Set<ChildProcess>()
    const kills: Record<Point, number> = Object.fromEntries(points.map((point) => [point, 0])) as Record<Point, number>
    const killed = () => Object.values(kills).reduce((sum, count) => sum + count, 0)
    // Each point is due equally often, in a random order
    const deaths: Array<Point> = []
    while (deaths.length < options.kills) deaths.push(...(yield* Random.shuffle(at)))
    deaths.length = options.kills
    let lateLeft = late

    /** One of the three runners. It is restarted after each death. */
    const slot = Effect.gen(function*() {
      const point = deaths.shift()
      const death = point === undefined ? undefined : { point, nth: yield* Random.nextIntBetween(1, 4) }
      const port = yield* freePort
      const died = yield* runner(
        program,
        { provider, databaseUrl, baseUrl, port, claims, createTimeout, death },
        children
      )
      if (died.point === undefined) {
        // The harness restarts a runner that exits because its database is gone
        if (options.mayEnd === true) return yield* Effect.sleep("100 millis")
        return yield* new RunnerFailed({ message: `a runner ended with ${died.code}: ${died.errors.slice(-2000)}` })
      }
      kills[died.point]++
      options.onKill?.(killed())
      // Some runners restart before the locks of the dead runner expire, others after that
      const isLate = lateLeft > 0 && (yield* Random.nextIntBetween(0, 4)) === 0
      if (isLate) lateLeft--
      yield* Effect.sleep(isLate ? "7 seconds" : "100 millis")
    })

    let workflows = 0
    let endedAt = Infinity
    const results = new Map<string, Exit.Exit<string, unknown>>()
    const execute = (topic: string): ReturnType<typeof Report.execute> =>
      // The storage of the client may fail too. A repeated call starts no second execution
      Effect.catchCause(
        Report.execute({ topic }),
        (cause) =>
          options.mayEnd === true && !cause.reasons.some(Cause.isFailReason)
            ? Effect.andThen(Effect.sleep("1 second"), execute(topic))
            : Effect.failCause(cause)
      )
    const one = Effect.suspend(() => {
      const topic = topicOf(++workflows)
      return execute(topic).pipe(
        Effect.exit,
        Effect.map((exit) => {
          results.set(topic, exit)
          endedAt = performance.now()
        })
      )
    })
    const isCreating = Effect.gen(function*() {
      while ((yield* created).length === 0) yield* Effect.sleep("50 millis")
    })
    const disturbance = options.disturb?.({
      busyRunner: Effect.andThen(isCreating, Effect.sync(() => children.values().next().value!)),
      restartDatabase: restart
    }) ?? Effect.void
    // However slow the machine is, some workflow ends
    const stalled = Effect.repeat(Effect.sleep("1 second"), { until: () => performance.now() - endedAt > longestPause })
    const feed = Effect.gen(function*() {
      const disturbing = yield* Effect.forkChild(disturbance)
      const started: Array<Fiber.Fiber<unknown>> = []
      endedAt = performance.now()
      while (killed() < options.kills || disturbing.pollUnsafe() === undefined) {
        if (workflows - results.size < inFlight) started.push(yield* Effect.forkChild(one))
        yield* Effect.sleep(pace)
      }
      yield* Fiber.join(disturbing)
      yield* Fiber.joinAll(started)
    }).pipe(
      Effect.raceFirst(stalled),
      Effect.provide(cluster({ databaseUrl, port: yield* freePort, clientOnly: true }))
    )

    yield* Effect.raceFirst(
      feed,
      Effect.forEach(Array.from({ length: runners }), () => Effect.forever(slot), {
        concurrency: runners,
        discard: true
      })
    )

    const all = yield* created
    const entries = yield* RunStore.RunStore.use((store) => store.list()).pipe(
      Effect.provide(Layer.provide(RunStore.layerSql(), postgresLayer(databaseUrl)))
    )
    const known = new Set(entries.flatMap((entry) => "ref" in entry ? [entry.ref.id] : []))
    const undecided = new Set(
      entries.flatMap(({ _tag, key }) => _tag === "Creating" || _tag === "Unknown" ? [key] : [])
    )
    const topics = Array.from({ length: workflows }, (_, index) => topicOf(index + 1))
    const isListed = Effect.fn(function*(run: { readonly id: string; readonly topic: string }) {
      return known.has(run.id) || undecided.has(`Report/${yield* Report.executionId({ topic: run.topic })}/report`)
    })
    const runsOf = (topic: string) => all.filter((run) => run.topic === topic)
    const unknown = topics.filter((topic) => isUnknown(results.get(topic)))
    return {
      kills,
      workflows,
      runs: all.length,
      unknown,
      // Without claims the entries are in the memory of the runners
      lost: claims
        ? (yield* Effect.filter(all, (run) => Effect.map(isListed(run), (is) => !is))).map(({ id }) => id)
        : [],
      doubled: topics.filter((topic) => runsOf(topic).length > 1),
      wrong: topics.flatMap((topic) => {
        const exit = results.get(topic)
        if (exit === undefined || isUnknown(exit)) return []
        if (Exit.isFailure(exit)) return [`${topic}: ${Cause.pretty(exit.cause)}`]
        return exit.value === resultOf(topic) ? [] : [`${topic}: ${exit.value}`]
      }),
      unfinished: topics.filter((topic) => !results.has(topic))
    } satisfies Totals
  }).pipe(
    Effect.provide([SpineEmulatorServer.layer(), TelaEmulatorServer.layer()]),
    Effect.scoped,
    Random.withSeed(options.seed)
  )

/** Stops the whole process of a runner, like a machine that is suspended, and lets it continue. */
export const zombie = (time: `${number} seconds`) => ({ busyRunner }: Scene) =>
  Effect.gen(function*() {
    const child = yield* busyRunner
    child.kill("SIGSTOP")
    yield* Effect.sleep(time)
    child.kill("SIGCONT")
    yield* Effect.sleep("3 seconds")
  })

/** Lets a runner run for one eighth of the time. */
export const starve = (seconds: number) => ({ busyRunner }: Scene) =>
  Effect.gen(function*() {
    const child = yield* busyRunner
    for (let part = 0; part < seconds / 0.8; part++) {
      child.kill("SIGSTOP")
      yield* Effect.sleep("700 millis")
      child.kill("SIGCONT")
      yield* Effect.sleep("100 millis")
    }
  })

/** Restarts the database several times. */
export const restartDatabase = (times: number) => ({ busyRunner, restartDatabase = Effect.void }: Scene) =>
  Effect.gen(function*() {
    yield* busyRunner
    for (let time = 0; time < times; time++) {
      yield* restartDatabase
      yield* Effect.sleep("5 seconds")
    }
  })

export const summary = (totals: Totals): string => {
  const kills = Object.values(totals.kills).reduce((sum, count) => sum + count, 0)
  return `${kills} kills, ${totals.workflows} workflows, ${totals.runs} provider runs, lost ${totals.lost.length}, ` +
    `doubled ${totals.doubled.length}, wrong ${totals.wrong.length}, unfinished ${totals.unfinished.length}, ` +
    `unknown ${totals.unknown.length}${kills === 0 ? "" : ` (${(totals.unknown.length / kills).toFixed(2)} per kill)`}`
}
