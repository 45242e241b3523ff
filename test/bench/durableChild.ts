/**
 * Measures many runs at once in one process: those of workflows on one runner of Effect's cluster, or those of `runs.completions`. The
 * parent decides what is measured when, so that it can alternate between processes. The provider is in memory and costs little, so that
 * the ratios are not better than they are.
 */
import { NodeClusterSocket } from "@effect/platform-node"
import { Effect, Exit, Layer, Logger, Option, Queue, Redacted, Schema, Stream } from "effect"
import { ClusterWorkflowEngine, RunnerAddress, SingleRunner } from "effect/cluster"
import { Digest } from "effect/crypto"
import { HttpClient, HttpClientResponse } from "effect/http"
import { SqlClient, Statement } from "effect/sql"
import { Activity, DurableDeferred, Workflow } from "effect/workflow"
import { randomBytes, randomUUID } from "node:crypto"
import { RunRef, RunStore, Spine } from "canvas-runs"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { postgresLayer, sqliteLayer } from "../support/databases.ts"
import { acceptedRun, apiKey, completedRun, runningRun } from "../support/spine.ts"
import { cpuMicros, heapUsed } from "./measure.ts"

/** Workflows with `DurableRun.run`; with an `Activity` and a `DurableDeferred` alone; or no workflows. */
export type Contender = "durable" | "deferred" | "completions"

export interface Task {
  readonly contender: Contender
  /** The URL of a PostgreSQL database, or the name of a SQLite file. */
  readonly database: string
  /** The port of a runner beside other runners. Without it, this process is the only runner. */
  readonly port?: number
  /** The size of each output. */
  readonly outputBytes: number
  /** How often each run is polled, in seconds. */
  readonly pollInterval: number
}

/** What the parent asks for, and the answer. */
export interface Commands {
  /** Measures the process for some seconds, in which it creates and ends no run. */
  readonly window: (seconds: number) => Usage
  /** Creates some runs, and lets something wait for them. */
  readonly create: (runs: number) => Usage
  /** Starts some workflows, and returns when their waits have begun, here or on another runner. */
  readonly start: (runs: number) => null
  /** Returns when this process has polled as many runs. */
  readonly poll: (runs: number) => Usage
  /** Lets all runs end, and returns when as many have ended as the argument says, and are stored. */
  readonly end: (runs: number) => Usage
  /** After a garbage collection, in bytes. */
  readonly memory: () => { readonly rss: number; readonly heap: number }
  /** The size of the database, or of the tables of this library, in bytes. */
  readonly bytes: () => { readonly all: number; readonly own: number }
  /** Purges, and returns how many rows of this library are left. */
  readonly purge: () => number
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

const { contender, database, outputBytes, pollInterval, port }: Task = JSON.parse(process.argv[2]!)
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
  Layer.provideMerge(
    port === undefined
      ? SingleRunner.layer()
      : NodeClusterSocket.layer({
        shardingConfig: { runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
      })
  ),
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

/** The tables of this library for durable runs. */
const ownTables = ["canvas_runs", "canvas_runs_waits"]

const bytes = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = isPostgres
    ? yield* sql<{ all: unknown; own: unknown }>`select sum(pg_total_relation_size(relid)) as all,
        sum(pg_total_relation_size(relid)) filter (where ${sql.in("relname", ownTables)}) as own
        from pg_stat_user_tables`
    : yield* sql<{ all: unknown; own: unknown }>`select sum(pgsize) as "all",
        sum(case when tbl_name in ('canvas_runs', 'canvas_runs_waits') then pgsize else 0 end) as own
        from dbstat left join sqlite_master using (name)`
  return { all: Number(row!.all), own: Number(row!.own) }
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

let topics = 0
const newTopics = (count: number) => Array.from({ length: count }, () => `topic ${++topics}`)

const execute = (count: number) =>
  Effect.forEach(newTopics(count), (topic) => Report.execute({ topic }, { discard: true }), { concurrency: 16 })

const create = (count: number) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const begun = polled.size + count
    if (contender === "completions") {
      const refs = yield* Effect.forEach(
        newTopics(count),
        (topic) => Effect.map(runs.create({ prompt: topic }), ({ ref }) => ref)
      )
      const completions = runs.completions(Stream.fromIterable(refs), {
        pollInterval: `${pollInterval} seconds`,
        timeout: "1 day"
      })
      yield* Effect.forkScoped(Stream.runForEach(completions, () => Effect.sync(() => finished++)))
    } else {
      yield* execute(count)
    }
    yield* until(() => contender === "deferred" ? tokens.size === count : polled.size === begun)
    yield* Effect.sleep("1 second")
  })

const start = (count: number) =>
  Effect.gen(function*() {
    yield* execute(count)
    while ((yield* rowsOf(["canvas_runs_waits"])) < count) yield* Effect.sleep("100 millis")
    return null
  })

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
    yield* Effect.sleep("1 second")
    tokens.clear()
    haveEnded = false
  })

const commands = {
  window: (seconds: number) => measure(Effect.sleep(`${seconds} seconds`)),
  create: (count: number) => measure(create(count)),
  start,
  poll: (count: number) => measure(until(() => polled.size >= count)),
  end: (count: number) => measure(end(count)),
  memory: () => Effect.promise(async () => ({ heap: await heapUsed(), rss: process.memoryUsage.rss() })),
  bytes: () => bytes,
  purge: () =>
    Effect.gen(function*() {
      yield* (yield* RunStore.RunStore).purge(0)
      yield* (yield* Waits.Waits).purge(0)
      return yield* rowsOf(ownTables)
    })
}

const main = Effect.gen(function*() {
  haveEnded = false
  const asked = yield* Queue.unbounded<readonly [keyof Commands, number]>()
  process.on("message", (message) => Queue.offerUnsafe(asked, message as never))
  process.send!("ready")
  while (true) {
    const [command, argument] = yield* Queue.take(asked)
    process.send!(yield* commands[command](argument))
  }
}).pipe(
  Effect.scoped,
  Effect.provide(app),
  Effect.provideService(Statement.CurrentTransformer, counting),
  Effect.provide(Logger.layer([]))
)

process.on("disconnect", () => process.exit())
await Effect.runPromise(main)
