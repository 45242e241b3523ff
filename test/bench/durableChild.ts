/**
 * Measures many runs at once in one process: those of workflows on one runner of Effect's cluster, or those of `runs.completions`. The
 * provider is in memory and costs little, so that the ratios are not better than they are.
 */
import { Effect, Exit, Layer, Logger, Redacted, Schema, Stream } from "effect"
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { Digest } from "effect/crypto"
import { HttpClient, HttpClientResponse } from "effect/http"
import { SqlClient, Statement } from "effect/sql"
import { Activity, DurableDeferred, Workflow } from "effect/workflow"
import { randomBytes, randomUUID } from "node:crypto"
import { RunRef, RunStore, Spine } from "canvas-runs"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { postgresLayer, sqliteLayer } from "../support/databases.ts"
import { acceptedRun, apiKey, completedRun, runningRun } from "../support/spine.ts"
import { cpuMicros } from "./measure.ts"

/** Workflows with `DurableRun.run`; with an `Activity` and a `DurableDeferred` alone; or no workflows. */
export type Contender = "durable" | "deferred" | "completions"

export interface Task {
  readonly contender: Contender
  /** The URL of a PostgreSQL database, or the name of a SQLite file. */
  readonly database: string
  readonly runs: number
  /** The size of each output. */
  readonly outputBytes: number
  /** How often each run is polled, in seconds. */
  readonly pollInterval: number
  /** How long to measure the idle process, and the waiting runs. */
  readonly seconds: number
}

/** What a part of the measurement took. The rest of the process and the background of the cluster are part of it. */
export interface Usage {
  readonly seconds: number
  /** In microseconds. */
  readonly cpu: number
  readonly statements: number
  /** The statements on the tables of this library. */
  readonly own: number
  readonly polls: number
  /** How many rows the database has more. */
  readonly rows: number
}

export interface Measured {
  readonly idle: Usage
  /** From the first request until all runs have been created, and polled where something polls. */
  readonly create: Usage
  readonly parked: Usage
  readonly rssBytes: number
  /** From the moment when all runs end until all workflows have ended. */
  readonly end: Usage
  readonly bytesPerRun: number
  /** The rows of this library that are left after a purge. */
  readonly rowsLeft: number
}

const { contender, database, outputBytes, pollInterval, runs, seconds }: Task = JSON.parse(process.argv[2]!)
const isPostgres = database.startsWith("postgres")

let statements = 0
let own = 0
let polls = 0
let haveEnded = true
let finished = 0
const polled = new Set<string>()

const bodyOf = (method: string, id: string) => {
  if (method === "POST") return acceptedRun(randomUUID())
  polls++
  polled.add(id)
  if (!haveEnded) return runningRun(id)
  const { data, success } = completedRun(id)
  // A database would compress a regular output
  const final_output = randomBytes(outputBytes * 3 / 4).toString("base64")
  return { success, data: { ...data, result: { ...data.result, final_output } } }
}

const http = HttpClient.make((request) =>
  Effect.sync(() => {
    const body = JSON.stringify(bodyOf(request.method, request.url.slice(-36)))
    const status = request.method === "POST" ? 202 : 200
    return HttpClientResponse.fromWeb(
      request,
      new Response(body, { status, headers: { "content-type": "application/json" } })
    )
  })
)

const counting: Statement.Transformer = (statement) =>
  Effect.sync(() => {
    statements++
    if (statement.compile()[0].includes("canvas_runs")) own++
    return statement
  })

const Report = Workflow.make("Report", {
  payload: { topic: Schema.String },
  success: SpineWorkflow.provider.success,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

const durable = Report.toLayer(Effect.fn(function*({ topic }) {
  const spine = yield* Spine.SpineClient
  const run = yield* DurableRun.run("report", spine.runs.create({ prompt: topic }), {
    provider: SpineWorkflow.provider
  })
  finished++
  return run
}))

const ended = DurableDeferred.make("ended", { success: SpineWorkflow.provider.success, error: DurableRun.Error })
const tokens = new Map<DurableDeferred.Token, RunRef.RunRef>()

/** The workflow without this library's guarantees: it may create a run twice, and the benchmark completes its `DurableDeferred`. */
const deferred = Report.toLayer(Effect.fn(function*({ topic }) {
  const spine = yield* Spine.SpineClient
  const ref = yield* Activity.make({
    name: "create",
    success: RunRef.RunRef,
    error: DurableRun.Error,
    execute: Effect.map(spine.runs.create({ prompt: topic }), ({ ref }) => ref)
  })
  tokens.set(yield* DurableDeferred.token(ended), ref)
  const run = yield* DurableDeferred.await(ended)
  finished++
  return run
}))

const app = (contender === "durable" ? durable : deferred).pipe(
  Layer.provideMerge(Waits.layerSql({
    providers: [SpineWorkflow.provider],
    pollInterval: `${pollInterval} seconds`,
    refreshInterval: "2 seconds"
  })),
  Layer.provideMerge(ClusterWorkflowEngine.layer),
  Layer.provideMerge(SingleRunner.layer()),
  Layer.provide(Digest.layerWebCrypto),
  Layer.provideMerge(RunStore.layerSql()),
  Layer.provideMerge(isPostgres ? postgresLayer(database) : sqliteLayer(database)),
  Layer.provideMerge(Spine.layer({ apiKey: Redacted.make(apiKey) })),
  Layer.provide(Layer.succeed(HttpClient.HttpClient, http)),
  Layer.orDie
)

const rowsOf = (names?: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const tables = names?.map((name) => ({ name })) ?? (isPostgres
      ? yield* sql<{ name: string }>`select tablename as name from pg_tables where schemaname = 'public'`
      : yield* sql<{ name: string }>`select name from sqlite_master where type = 'table'`)
    const counts = yield* Effect.forEach(tables, ({ name }) =>
      sql<{ n: unknown }>`select count(*) as n from ${sql(name)}`)
    return counts.reduce((sum, [row]) =>
      sum + Number(row!.n), 0)
  })

const bytes = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = isPostgres
    ? yield* sql<{ n: unknown }>`select sum(pg_total_relation_size(relid)) as n from pg_stat_user_tables`
    : yield* sql<{ n: unknown }>`select page_count * page_size as n from pragma_page_count(), pragma_page_size()`
  return Number(row!.n)
})

const measure = <E, R>(self: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const rows = yield* rowsOf()
    const before = { at: performance.now(), cpu: cpuMicros(), statements, own, polls }
    yield* self
    const usage = {
      seconds: (performance.now() - before.at) / 1000,
      cpu: cpuMicros() - before.cpu,
      statements: statements - before.statements,
      own: own - before.own,
      polls: polls - before.polls
    }
    return { ...usage, rows: yield* rowsOf().pipe(Effect.map((now) => now - rows)) } satisfies Usage
  })

const until = (condition: () => boolean) =>
  Effect.gen(function*() {
    while (!condition()) yield* Effect.sleep("20 millis")
  })

/** Creates runs, and lets something wait for them. */
const begin = (count: number, prefix: string) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const topics = Array.from({ length: count }, (_, index) => `${prefix} ${index}`)
    const begun = polled.size + count
    if (contender === "completions") {
      const refs = yield* Effect.forEach(
        topics,
        (topic) => Effect.map(runs.create({ prompt: topic }), ({ ref }) => ref)
      )
      const completions = runs.completions(Stream.fromIterable(refs), {
        pollInterval: `${pollInterval} seconds`,
        timeout: "1 day"
      })
      yield* Effect.forkScoped(Stream.runForEach(completions, () => Effect.sync(() => finished++)))
    } else {
      yield* Effect.forEach(topics, (topic) => Report.execute({ topic }, { discard: true }), { concurrency: 16 })
    }
    yield* until(() => contender === "deferred" ? tokens.size === count : polled.size === begun)
    yield* Effect.sleep("1 second")
  })

/** Lets all runs end, and waits until their results have been handed on and stored. */
const end = (count: number) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const before = finished
    haveEnded = true
    yield* Effect.forEach(tokens, ([token, ref]) =>
      Effect.flatMap(runs.retrieve(ref), (run) =>
        DurableDeferred.done(ended, { token, exit: Exit.succeed(run as never) })), { concurrency: 16 })
    yield* until(() =>
      finished === before + count
    )
    yield* Effect.sleep("2 seconds")
    tokens.clear()
    haveEnded = false
  })

const main = Effect.gen(function*() {
  haveEnded = false
  yield* begin(50, "warm up")
  yield* end(50)
  const empty = yield* bytes
  const idle = yield* measure(Effect.sleep(`${seconds} seconds`))
  const create = yield* measure(begin(runs, "topic"))
  globalThis.gc!()
  const parked = yield* measure(Effect.sleep(`${seconds} seconds`))
  const rssBytes = process.memoryUsage.rss()
  const ending = yield* measure(end(runs))
  const bytesPerRun = (yield* bytes) - empty
  yield* (yield* RunStore.RunStore).purge(0)
  yield* (yield* Waits.Waits).purge(0)
  const rowsLeft = yield* rowsOf(["canvas_runs", "canvas_runs_waits"])
  return { idle, create, parked, rssBytes, end: ending, bytesPerRun: bytesPerRun / runs, rowsLeft } satisfies Measured
}).pipe(
  Effect.scoped,
  Effect.provide(app),
  Effect.provideService(Statement.CurrentTransformer, counting),
  Effect.provide(Logger.layer([]))
)

process.send!(await Effect.runPromise(main))
process.exit()
