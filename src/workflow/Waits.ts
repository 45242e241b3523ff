/**
 * The service behind `DurableRun.wait`: it polls the runs that suspended workflows wait for, and wakes each workflow when its run has
 * ended.
 *
 * **When to use**
 *
 * | layer | for |
 * | --- | --- |
 * | {@link layerSql} | `ClusterWorkflowEngine`, on one machine (`NodeSqlite`) or on many (`@effect/sql-pg`) |
 * | {@link layerMemory} | tests, and an engine in memory |
 *
 * @since 0.1.0
 */
import * as Sharding from "effect/cluster/Sharding"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import type { MigrationError } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import * as Struct from "effect/Struct"
import type * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { quote } from "../internal/describe.ts"
import { migrate } from "../internal/migrate.ts"
import * as CallOptions from "../internal/options.ts"
import * as Polling from "../Polling.ts"
import { faultOf } from "../internal/requestError.ts"
import { badRequest, type BadRequestError, ConfigError } from "../RunError.ts"
import * as Hub from "../Webhooks.ts"
import { follow, lasting, type Polls, type Signal } from "./internal/follow.ts"
import { type AnyProvider, isProvider, type ProviderServices } from "./internal/provider.ts"
import * as WaitsSql from "./internal/waitsSql.ts"
import { type Kept, type Service, type Wait, type WaitEntry, Waits } from "./internal/waits.ts"

export { type Service, type Wait, type WaitEntry, Waits } from "./internal/waits.ts"

/**
 * Options for the layers of {@link Waits}: how often runs are polled, with the options that the waits of a client have. The deadline of a
 * run is an option of `DurableRun.wait`.
 *
 * **Details**
 *
 * By default a run is polled every 5 seconds, and `errorBudget` is unlimited: in an outage of the provider, waits continue until their
 * deadlines.
 *
 * @category options
 * @since 0.1.0
 */
export type Options<P extends AnyProvider> = Polling.Options & {
  /** The providers whose runs are polled: `[SpineWorkflow.provider, TelaWorkflow.provider]`, or one of them. */
  readonly providers: ReadonlyArray<P>
  /**
   * How many polls may be under way at once.
   *
   * @default 128
   */
  readonly concurrency?: number | undefined
  /** The deadline is an option of `DurableRun.wait`. */
  readonly timeout?: undefined
}

const defaults = { pollInterval: "5 seconds", errorBudget: Number.MAX_SAFE_INTEGER } as const

const pollsOf = <P extends AnyProvider>(
  operation: string,
  given: Options<P>
): Effect.Effect<Polls<P>, ConfigError> =>
  Effect.gen(function*() {
    const { concurrency, providers, ...polling } = yield* Polling.readOptions(operation, given, optionNames)
    yield* CallOptions.checkGiven(operation, "providers", providers, Array.isArray, "an array of providers")
    for (const [index, provider] of providers.entries()) {
      const option = `providers[${index}]`
      yield* CallOptions.checkGiven(
        operation,
        option,
        provider,
        isProvider,
        "a provider, such as SpineWorkflow.provider"
      )
    }
    const twice = providers.find(({ name }, index) => providers.findIndex((other) => other.name === name) < index)
    if (twice !== undefined) {
      return yield* badRequest({
        operation,
        parameter: "providers",
        message: `providers has two with the name ${quote(twice.name)}, and a ref names only one. Leave one out.`
      })
    }
    const leftOut = "left out: it is an option of DurableRun.wait"
    yield* CallOptions.checkKind(operation, "timeout", polling.timeout, () => false, leftOut)
    yield* Polling.checkConcurrency(operation, concurrency)
    const policy = yield* Polling.makePolicy(
      operation,
      { errorBudget: defaults.errorBudget, ...polling } as Polling.Options,
      { pollInterval: defaults.pollInterval, timeout: Duration.infinity }
    )
    return { providers, policy, concurrency: concurrency ?? 128 }
  }).pipe(Effect.mapError(configError))

const optionNames = ["providers", "concurrency"]

const configError = (error: BadRequestError): ConfigError =>
  new ConfigError({ option: error.parameter ?? "options", message: faultOf(error) })

/** The service, which checks the arguments for both layers. */
const serviceOf = ({ providers }: Polls<AnyProvider>, { purge, wake, ...kept }: Kept): Service => ({
  ...kept,
  providers: new Set(providers.map(({ name }) => name)),
  wake: (provider, runId) =>
    Effect.gen(function*() {
      yield* CallOptions.checkGiven("Waits.wake", "provider", provider, Predicate.isString, "text")
      yield* CallOptions.checkGiven("Waits.wake", "runId", runId, Predicate.isString, "text")
      yield* wake(provider, runId)
    }),
  purge: (olderThan) =>
    Effect.gen(function*() {
      const age = yield* CallOptions.nonNegative("Waits.purge", "olderThan", olderThan)
      return yield* purge((yield* Clock.currentTimeMillis) - Math.ceil(Duration.toMillis(age)))
    })
})

/**
 * Creates a layer that keeps the waits in memory, and polls their runs in one fiber.
 *
 * **When to use**
 *
 * For tests, and for `WorkflowEngine.layerMemory`: both forget everything when the process ends.
 *
 * **Example** (A run of 90 minutes in a test)
 *
 * ```ts
 * import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Workflow, WorkflowEngine } from "effect/workflow"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const Report = Workflow.make("Report", {
 *   payload: { topic: Schema.String },
 *   success: Schema.String,
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ topic }) => topic
 * })
 *
 * const report = Report.toLayer(Effect.fn(function*({ topic }) {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* DurableRun.run("report", spine.runs.create({ prompt: topic }), { provider: SpineWorkflow.provider })
 *   return run.status
 * }))
 *
 * const test = Effect.gen(function*() {
 *   // Returns when the workflow has started. The id of the execution is a hash, which the platform computes in real time
 *   yield* Report.execute({ topic: "tides" }, { discard: true })
 *   const fiber = yield* Effect.forkChild(Report.execute({ topic: "tides" }))
 *   yield* TestClock.adjust("2 hours")
 *   return yield* Fiber.join(fiber)
 * }).pipe(
 *   Effect.provide(report.pipe(
 *     Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider], pollInterval: "1 minute" })),
 *     Layer.provideMerge([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *     Layer.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *     Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "90 minutes" }) } }))
 *   )),
 *   Effect.provide(TestClock.layer())
 * )
 *
 * console.log(await Effect.runPromise(test)) // => completed
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = <P extends AnyProvider>(
  options: Options<P>
): Layer.Layer<Waits, ConfigError, WorkflowEngine.WorkflowEngine | ProviderServices<P>> =>
  Layer.effect(
    Waits,
    Effect.gen(function*() {
      const polls = yield* pollsOf("Waits.layerMemory", options)
      const entries = new Map<string, WaitEntry & { readonly interruptedAt?: number }>()
      let begun = yield* Queue.unbounded<Wait>()
      const signals = yield* Queue.unbounded<Signal>()
      // Begins again after a defect: the run of one wait may have caused it
      const polling = Effect.gen(function*() {
        begun = yield* Queue.unbounded<Wait>()
        for (const entry of entries.values()) if (entry.state === "waiting") Queue.offerUnsafe(begun, entry)
        yield* follow(polls, Stream.fromQueue(begun), Stream.fromQueue(signals), ({ id }) =>
          Effect.sync(() =>
            entries.delete(id)
          ))
      })
      yield* Effect.forkScoped(lasting("polling the runs of workflows", polling))
      return serviceOf(polls, {
        begin: (wait) =>
          Effect.sync(() => {
            if (entries.has(wait.id)) {
              return
            }
            const entry: WaitEntry = { ...wait, state: "waiting" }
            entries.set(wait.id, entry)
            Queue.offerUnsafe(begun, entry)
          }),
        interrupt: (id) =>
          Effect.map(Clock.currentTimeMillis, (interruptedAt) => {
            const wait = entries.get(id)
            if (wait === undefined) {
              return
            }
            entries.set(id, { ...wait, state: "interrupted", interruptedAt })
            Queue.offerUnsafe(signals, { _tag: "Stop", wait })
          }),
        wake: (provider, runId) =>
          Effect.sync(() => {
            for (const wait of entries.values()) {
              if (isFor(wait, provider, runId)) {
                Queue.offerUnsafe(signals, { _tag: "Push", wait })
              }
            }
          }),
        list: Effect.sync(() =>
          Array.from(entries.values(), Struct.omit(["interruptedAt"]))
        ),
        purge: (before) =>
          Effect.sync(() => {
            const old = Array.from(entries.values()).filter(({ interruptedAt = Infinity }) => interruptedAt < before)
            for (const { id } of old) entries.delete(id)
            return old.length
          })
      })
    })
  )

const isFor = ({ ref }: Wait, provider: string, runId: string): boolean =>
  ref.provider === provider && ref.id.toLowerCase() === runId.toLowerCase()

/**
 * Options for {@link layerSql}.
 *
 * @category options
 * @since 0.1.0
 */
export type SqlOptions<P extends AnyProvider> = Options<P> & {
  /**
   * The number of pollers. Each is a singleton of the cluster: one runner has it at a time. A new deployment may change the number.
   *
   * @default 4
   */
  readonly partitions?: number | undefined
  /**
   * How often a process reads which waits are new, which were interrupted, and which a webhook has woken in another process. It takes
   * one statement.
   *
   * @default "10 seconds"
   */
  readonly refreshInterval?: Duration.Input | undefined
  /**
   * The name of the table.
   *
   * @default "canvas_runs_waits"
   */
  readonly table?: string | undefined
}

/**
 * Creates a layer that keeps the waits in a table of a SQL database, and polls their runs in singletons of the cluster. It is made for
 * PostgreSQL and SQLite.
 *
 * **Details**
 *
 * When a runner ends, another one takes its singletons over, and begins with a poll of each run. No wait is lost: its row is removed
 * when the engine has stored the result. The row holds the ref, the deadline, and the id of the execution.
 *
 * A poll costs no statement and no row. A wait costs two statements, one at its beginning and one at its end, beside those of the
 * engine.
 *
 * When it is built, the layer creates the table and its indexes, or migrates those of an older version of canvas-runs.
 *
 * **Example** (One machine, one file)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schema } from "effect"
 * import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
 * import { Digest } from "effect/crypto"
 * import { Workflow } from "effect/workflow"
 * import { RunStore, Spine } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const Report = Workflow.make("Report", {
 *   payload: { topic: Schema.String },
 *   success: Schema.String,
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ topic }) => topic
 * })
 *
 * const report = Report.toLayer(Effect.fn(function*({ topic }) {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* DurableRun.run("report", spine.runs.create({ prompt: topic }), { provider: SpineWorkflow.provider })
 *   return run.status
 * }))
 *
 * const engine = ClusterWorkflowEngine.layer.pipe(
 *   Layer.provideMerge(SingleRunner.layer()),
 *   Layer.provide(Digest.layerWebCrypto)
 * )
 * const app = report.pipe(
 *   Layer.provide(Waits.layerSql({ providers: [SpineWorkflow.provider], refreshInterval: "50 millis" })),
 *   Layer.provideMerge(engine),
 *   Layer.provide(RunStore.layerSql()),
 *   Layer.provide(NodeSqlite.layer({ filename: ":memory:" })),
 *   Layer.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 *
 * console.log(await Effect.runPromise(Effect.provide(Report.execute({ topic: "tides" }), app))) // => completed
 * ```
 *
 * @see NodeSqlite in `canvas-runs/node` for a database in one file
 * @category layers
 * @since 0.1.0
 */
export const layerSql = <P extends AnyProvider>(
  options: SqlOptions<P>
): Layer.Layer<
  Waits,
  ConfigError | MigrationError | SqlError,
  SqlClient.SqlClient | Sharding.Sharding | WorkflowEngine.WorkflowEngine | ProviderServices<P>
> =>
  Layer.effect(
    Waits,
    Effect.gen(function*() {
      const { partitions = 4, refreshInterval = "10 seconds", table = "canvas_runs_waits", ...others } = yield* Effect
        .mapError(
          Polling.readOptions("Waits.layerSql", options, [...optionNames, "partitions", "refreshInterval", "table"]),
          configError
        )
      const polls = yield* pollsOf<P>("Waits.layerSql", others)
      yield* CallOptions.checkConfig("table", table, CallOptions.isTable, "a name of letters, digits and _")
      yield* CallOptions.checkConfig("partitions", partitions, CallOptions.isCount, "a whole number, 1 or more")
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      yield* migrate(sql, table, WaitsSql.migrations(sql, table))
      const { poll, refreshing, service } = WaitsSql.make({
        sql,
        table,
        partitions,
        refreshInterval: yield* CallOptions.durationConfig("refreshInterval", refreshInterval),
        polls
      })
      yield* Effect.forkScoped(refreshing)
      const sharding = yield* Sharding.Sharding
      for (let partition = 0; partition < partitions; partition++) {
        yield* sharding.registerSingleton(`canvas-runs/waits/${table}/${partition}`, poll(partition)).pipe(
          // The only defect of the engine here: another singleton has this name
          Effect.catchDefect(() =>
            Effect.fail(
              new ConfigError({
                option: "table",
                message: `Waits.layerSql was built before in this process for the table ${quote(table)}. ` +
                  "Build it once, with all providers, and provide it to all workflows."
              })
            )
          )
        )
      }
      return serviceOf(polls, service)
    })
  )

/**
 * A layer with a `Webhooks` hub that also wakes the waits of workflows, even if another process polls their runs.
 *
 * **Details**
 *
 * Give it to the route of the provider in place of `Webhooks.layer`. A webhook causes a poll, whose result counts. So
 * runs may be polled less often: `pollInterval: "1 minute"`.
 *
 * **Example** (The route of Spine)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Waits } from "canvas-runs/workflow"
 *
 * const route = Spine.layerWebhookRoute({ path: "/webhooks/spine", secret: Redacted.make("whsec_test") }).pipe(
 *   Layer.provide(Waits.layerWebhooks)
 * )
 *
 * console.log(Layer.isLayer(route)) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebhooks: Layer.Layer<Hub.Webhooks, never, Waits> = Layer.effect(
  Hub.Webhooks,
  Effect.gen(function*() {
    const waits = yield* Waits
    const hub = yield* Hub.make()
    return {
      ...hub,
      deliver: (delivery) =>
        Effect.tap(
          hub.deliver(delivery),
          (isNew) => isNew && delivery.isTerminal ? waits.wake(delivery.provider, delivery.runId) : Effect.void
        )
    }
  })
)
