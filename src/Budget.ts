/**
 * A limit on what runs cost: an agent in a loop, or a batch, cannot spend without bound.
 *
 * **Details**
 *
 * A create reserves its estimated cost before its request, and is refused with {@link BudgetExceededError} if costs and reservations would
 * exceed the limit. When the run ends, its real cost replaces the reservation. If the provider does not say what the run cost, the
 * reservation counts as its cost. A run that costs more than its estimate may exceed the limit; later creates are refused then.
 *
 * Costs have the unit of the estimates, such as Spine's credits, of which 1,000 are one US dollar.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { MigrationError } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Ledger } from "./internal/budget/ledger.ts"
import * as MemoryLedger from "./internal/budget/memory.ts"
import * as SqlLedger from "./internal/budget/sql.ts"
import { attempt, messageOfStorage, quote } from "./internal/describe.ts"
import * as Create from "./internal/http/create.ts"
import { migrate } from "./internal/migrate.ts"
import * as Options from "./internal/options.ts"
import { read as readRef, type RunRef } from "./internal/ref.ts"
import { Defect, isOurs, PermanentError, TaggedError } from "./internal/taggedError.ts"
import type { BadRequestError, ConfigError, RunFailedError } from "./RunError.ts"

/**
 * A create was refused, because costs and reservations would exceed the limit. No request was made.
 *
 * @category errors
 * @since 0.1.0
 */
export class BudgetExceededError extends PermanentError<BudgetExceededError>()("BudgetExceededError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The account. */
  account: Schema.String,
  /** The limit of the account. */
  limit: Schema.Finite,
  /** The costs of the account's runs in the window. */
  spent: Schema.Finite,
  /** The estimates of the account's runs whose cost is not known yet. */
  reserved: Schema.Finite,
  /** The estimate of the create that was refused. */
  estimate: Schema.Finite
}) {}

/**
 * The database of the budget failed. If it failed before a create, no request was made.
 *
 * @category errors
 * @since 0.1.0
 */
export class BudgetError extends TaggedError<BudgetError>()("BudgetError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The call that failed, such as `"Budget.create"`. */
  operation: Schema.String,
  /** The error of the database. */
  cause: Defect
}) {
  /** A second attempt creates no second run: the first attempt made no request. */
  get isRetryable(): boolean {
    return true
  }
}

/**
 * Options for the layers.
 *
 * @category options
 * @since 0.1.0
 */
export interface LayerOptions {
  /**
   * The maximum cost of the runs of one account in the window: a number, or a function of the account. If the function throws, or returns
   * anything but a number, zero or more, the call fails with a `BadRequestError`, and no request is made.
   */
  readonly limit: number | ((account: string) => number)
  /**
   * The period of the limit. The window slides: what was reserved longer ago does not count.
   *
   * @default no window: all costs count
   */
  readonly window?: Duration.Input | undefined
  /**
   * How long a create may take. A reservation that has no run after this time belongs to a process that ended, and no longer counts. It
   * must be longer than the client's `requestTimeout`, with its retries and uploads. The reservation of a create that ends later all the
   * same, such as in a process that was suspended, counts again.
   *
   * If that process ended after the provider had created the run, the run does not count. When you have found it, such as with
   * `RunStore.reconcile`, `create(Effect.succeed({ ref }), { estimate })` reserves its cost. With the length of `window` as
   * `createTimeout`, every such create counts as long as a run.
   *
   * @default "10 minutes"
   */
  readonly createTimeout?: Duration.Input | undefined
}

/**
 * Options for {@link layerSql}.
 *
 * @category options
 * @since 0.1.0
 */
export interface SqlOptions extends LayerOptions {
  /**
   * The name of the table.
   *
   * @default "canvas_runs_budget"
   */
  readonly table?: string | undefined
}

/**
 * The reservation of a create.
 *
 * @category options
 * @since 0.1.0
 */
export interface Reservation {
  /** The estimated cost, zero or more. */
  readonly estimate: number
  /**
   * The account that pays, such as a customer of yours. Each account has a separate limit. It has at most 255 characters.
   *
   * @default "default"
   */
  readonly account?: string | undefined
}

/**
 * The state of an account.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  /** The limit of the account. */
  readonly limit: number
  /** The costs of runs in the window. */
  readonly spent: number
  /** The estimates of runs whose cost is not known yet. */
  readonly reserved: number
  /** The amount that may still be reserved. */
  readonly available: number
}

/**
 * The operations of a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /**
   * Runs `create` if its estimate fits into the limit, and reserves the estimate for its run.
   *
   * **Details**
   *
   * If `create` fails with the error of a client's create operation that surely made no run, the reservation is removed. After every
   * other failure, and after an interruption, a run may exist. Then the reservation counts as its cost.
   *
   * **Example** (A limit of 50 credits)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Budget, RunRef } from "canvas-runs"
   *
   * const create = Effect.succeed({ ref: RunRef.make({ provider: "spine", kind: "run", id: "1" }) })
   *
   * const main = Effect.gen(function*() {
   *   const budget = yield* Budget.Budget
   *   yield* budget.create(create, { estimate: 40 })
   *   const error = yield* Effect.flip(budget.create(create, { estimate: 40 }))
   *   console.log(error._tag) // => BudgetExceededError
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Budget.layerMemory({ limit: 50 })))
   * ```
   */
  readonly create: <A extends { readonly ref: RunRef }, E, R>(
    create: Effect.Effect<A, E, R>,
    reservation: Reservation
  ) => Effect.Effect<A, E | BadRequestError | BudgetExceededError | BudgetError, R>
  /**
   * Waits for a run with `wait`, and replaces its reservation by its cost when the run has succeeded or failed.
   *
   * **Details**
   *
   * `cost` reads the cost from the result of `wait`. Without it, the cost is Spine's `metadata.credits_consumed`, which is also read from the
   * `run` of a `RunFailedError`. If there is no such number, or `cost` throws, the reservation is the cost. A run without a
   * reservation does not count.
   *
   * **Example** (The real cost replaces the estimate)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Budget, RunRef } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "test", kind: "run", id: "1" })
   *
   * const main = Effect.gen(function*() {
   *   const budget = yield* Budget.Budget
   *   yield* budget.create(Effect.succeed({ ref }), { estimate: 40 })
   *   yield* budget.track(ref, Effect.succeed({ price: 12 }), ({ price }) => price)
   *   console.log(yield* budget.status()) // => {"limit":50,"spent":12,"reserved":0,"available":38}
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Budget.layerMemory({ limit: 50 })))
   * ```
   */
  readonly track: <A, E, R>(
    ref: RunRef,
    wait: Effect.Effect<A, E, R>,
    cost?: (ended: A) => number | undefined
  ) => Effect.Effect<A, E | BadRequestError | BudgetError, R>
  /**
   * Replaces the reservation of a run by its cost, for a program that waits elsewhere. Without a cost, the reservation is the cost.
   *
   * **Example** (A cost from an invoice)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Budget, RunRef } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "test", kind: "run", id: "1" })
   *
   * const main = Effect.gen(function*() {
   *   const budget = yield* Budget.Budget
   *   yield* budget.create(Effect.succeed({ ref }), { estimate: 40 })
   *   yield* budget.settle(ref, 45)
   *   console.log((yield* budget.status()).available) // => 5
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Budget.layerMemory({ limit: 50 })))
   * ```
   */
  readonly settle: (ref: RunRef, cost?: number) => Effect.Effect<void, BadRequestError | BudgetError>
  /**
   * Returns the sums of an account. Without an argument it is the account `"default"`.
   *
   * **Example** (The rest of a budget)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Budget } from "canvas-runs"
   *
   * const left = Effect.flatMap(Budget.Budget, (budget) => budget.status("customer-7"))
   * const layer = Budget.layerMemory({ limit: 50, window: "1 day" })
   *
   * console.log((await Effect.runPromise(Effect.provide(left, layer))).available) // => 50
   * ```
   */
  readonly status: (account?: string) => Effect.Effect<Status, BadRequestError | BudgetError>
}

/**
 * The budget.
 *
 * **Example** (An agent with 500 credits a day)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Budget, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const research = (prompt: string) =>
 *   Effect.gen(function*() {
 *     const spine = yield* Spine.SpineClient
 *     const budget = yield* Budget.Budget
 *     const { ref } = yield* budget.create(spine.runs.create({ prompt }), { estimate: 45 })
 *     return yield* budget.track(ref, spine.runs.waitForCompletion(ref, { timeout: "2 hours" }))
 *   })
 *
 * const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *   Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), credits: 37 } }))
 * )
 * const main = Effect.gen(function*() {
 *   yield* research("A market map of solid-state batteries")
 *   return (yield* (yield* Budget.Budget).status()).available
 * }).pipe(Effect.provide([spine, Budget.layerMemory({ limit: 500, window: "1 day" })]))
 *
 * console.log(await Effect.runPromise(main)) // => 463
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Budget extends Context.Service<Budget, Service>()("canvas-runs/Budget") {}

/**
 * Creates a layer with a budget in memory, for one process.
 *
 * **Example** (500 credits a day for each account)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Budget } from "canvas-runs"
 *
 * const layer = Budget.layerMemory({ limit: 500, window: "1 day" })
 * const status = Effect.flatMap(Budget.Budget, (budget) => budget.status("customer-7"))
 *
 * console.log((await Effect.runPromise(Effect.provide(status, layer))).available) // => 500
 * ```
 *
 * @see {@link layerSql} for a budget that several processes share
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (options: LayerOptions): Layer.Layer<Budget, ConfigError> =>
  Layer.effect(Budget, Effect.map(check(options, []), (settings) => make(MemoryLedger.make(), settings)))

/**
 * Creates a layer with a budget in a SQL database, which several processes and machines may share. It is made for PostgreSQL and SQLite,
 * and creates its tables when it is built. The clocks of the machines must agree within seconds.
 *
 * **Example** (A budget in a file)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Budget } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 *
 * const layer = Layer.provide(Budget.layerSql({ limit: 500 }), NodeSqlite.layer({ filename: ":memory:" }))
 * const status = Effect.flatMap(Budget.Budget, (budget) => budget.status())
 *
 * console.log((await Effect.runPromise(Effect.provide(status, layer))).available) // => 500
 * ```
 *
 * @see {@link layerMemory} for a budget of one process
 * @category layers
 * @since 0.1.0
 */
export const layerSql = (
  options: SqlOptions
): Layer.Layer<Budget, ConfigError | MigrationError | SqlError, SqlClient.SqlClient> =>
  Layer.effect(
    Budget,
    Effect.gen(function*() {
      const settings = yield* check(options, ["table"])
      const { table = "canvas_runs_budget" } = options
      yield* Options.checkConfig("table", table, Options.isTable, "a name of letters, digits and _")
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      yield* migrate(sql, table, SqlLedger.migrations(sql, table))
      return make(SqlLedger.make(sql, table), settings)
    })
  )

interface Settings {
  readonly limitOf: (account: string) => number
  readonly windowMillis: number
  readonly createMillis: number
}

const check = Effect.fnUntraced(function*(given: LayerOptions, more: ReadonlyArray<string>) {
  const { createTimeout = "10 minutes", limit, window } = yield* Options.copyConfig("options", given, [
    "limit",
    "window",
    "createTimeout",
    ...more
  ])
  yield* Options.checkGivenConfig("limit", limit, isLimit, "a number, zero or more, or a function of the account")
  return {
    limitOf: Predicate.isFunction(limit) ? limit : () => limit,
    windowMillis: window === undefined ? Infinity : Duration.toMillis(yield* Options.durationConfig("window", window)),
    createMillis: Duration.toMillis(yield* Options.durationConfig("createTimeout", createTimeout))
  }
})

const isAmount = (value: unknown): value is number => Predicate.isNumber(value) && value >= 0 && Number.isFinite(value)

const amount = "a number, zero or more"

const isLimit = (value: unknown): boolean => isAmount(value) || Predicate.isFunction(value)

const make = (ledger: Ledger, { createMillis, limitOf, windowMillis }: Settings): Service => {
  const rangeAt = (now: number) => ({ now, since: windowMillis === Infinity ? -1 : now - windowMillis })

  /** The limit of an account. The function of the program may throw, or return anything. */
  const readLimit = Effect.fnUntraced(function*(operation: string, account: string) {
    const limit: unknown = yield* Options.reading(operation, "limit", () => Effect.sync(() => limitOf(account)))
    yield* Options.checkGiven(operation, `limit(${quote(account)})`, limit, isAmount, amount)
    return limit as number
  })

  const settle = (operation: string, ref: RunRef, cost: unknown) =>
    ask(operation, "the cost of a run could not be stored", ledger.settle(ref, isAmount(cost) ? cost : undefined))

  /** Without this write the reservation expires, and the run does not count. */
  const keep = (...[item, ref]: Parameters<Ledger["keep"]>) => Effect.retry(ledger.keep(item, ref), storageRetry)

  const reserve = Effect.fnUntraced(function*(given: Reservation) {
    const operation = "Budget.create"
    const { account = "default", estimate } = yield* Options.copyRequired(operation, "reservation", given, [
      "estimate",
      "account"
    ])
    yield* Options.checkGiven(operation, "estimate", estimate, isAmount, amount)
    yield* checkAccount(operation, account)
    const item = { id: yield* newId, account, amount: estimate }
    const limit = yield* readLimit(operation, account)
    const { isReserved, reserved, spent } = yield* ask(
      operation,
      "nothing could be reserved, and no request was made",
      ledger.reserve(item, { limit, createMillis, rangeAt })
    )
    if (isReserved) return item
    return yield* new BudgetExceededError({
      message:
        `${operation}: the estimate ${estimate} exceeds the limit ${limit} of the account ${
          quote(account)
        }, of which ${spent} is ` +
        `spent and ${reserved} is reserved. No request was made. ${
          windowMillis === Infinity ? "Raise the limit." : "Try again later, as the window slides, or raise the limit."
        }`,
      account,
      limit,
      spent,
      reserved,
      estimate
    })
  })

  return {
    create: (create, reservation) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const operation = "Budget.create"
          yield* Options.checkGiven(operation, "create", create, Effect.isEffect, "an Effect")
          // Recorded as an error of a create operation, so that a `RunStore` knows that no run was created
          const item = yield* Create.operation(restore(reserve(reservation)))
          const log = (yield* Create.CurrentLog) ?? Create.makeLog()
          const before = log.open
          const created = yield* restore(Effect.provideService(create, Create.CurrentLog, log)).pipe(
            Effect.onError((cause) => {
              const isWithoutRun = log.open === before &&
                cause.reasons.every((reason) => Cause.isFailReason(reason) && log.failures.has(reason.error))
              return warnOfFailure(isWithoutRun ? ledger.release(item.id) : keep(item))
            })
          )
          yield* warnOfFailure(keep(item, created.ref))
          return created
        })
      ),
    track: (ref, wait, cost = creditsOf) =>
      Effect.gen(function*() {
        const operation = "Budget.track"
        yield* checkRef(operation, ref)
        yield* Options.checkGiven(operation, "wait", wait, Effect.isEffect, "an Effect")
        yield* Options.checkGiven(operation, "cost", cost, Predicate.isFunction, "a function that returns a number")
        return yield* wait.pipe(
          // The run has been paid for, so a cost that throws counts as unknown
          Effect.tap((ended) => settle(operation, ref, attempt(() => cost(ended)))),
          Effect.tapError((error) =>
            isOurs(error, "RunFailedError")
              ? settle(operation, ref, creditsOf((error as unknown as RunFailedError).run))
              : Effect.void
          )
        )
      }),
    settle: (ref, cost) =>
      Effect.gen(function*() {
        const operation = "Budget.settle"
        yield* checkRef(operation, ref)
        yield* Options.checkKind(operation, "cost", cost, isAmount, amount)
        yield* settle(operation, ref, cost)
      }),
    status: (account = "default") =>
      Effect.gen(function*() {
        const operation = "Budget.status"
        yield* checkAccount(operation, account)
        const range = rangeAt(yield* Clock.currentTimeMillis)
        const { reserved, spent } = yield* ask(operation, "the costs could not be read", ledger.sums(account, range))
        const limit = yield* readLimit(operation, account)
        return { limit, spent, reserved, available: Math.max(0, limit - spent - reserved) }
      })
  }
}

/** The length of the longest account, which is the width of its column. */
const maxAccount = 255

const checkAccount = (operation: string, account: unknown) =>
  Options.checkStorable(operation, "account", account, maxAccount)

const checkRef = (operation: string, ref: unknown) =>
  Options.checkGiven(operation, "ref", ref, (value) => readRef(value) !== undefined, "the ref of a run")

/** An id that is unique in all processes, also if their `Random` services have the same seed. */
const newId = Effect.sync(() => globalThis.crypto.randomUUID())

/** The credits that a run of Spine cost. */
const creditsOf = (ended: unknown): number | undefined => {
  const metadata = Predicate.hasProperty(ended, "metadata") ? ended.metadata : undefined
  return Predicate.hasProperty(metadata, "credits_consumed") && isAmount(metadata.credits_consumed)
    ? metadata.credits_consumed
    : undefined
}

const ask = <A>(operation: string, what: string, question: Effect.Effect<A, unknown>): Effect.Effect<A, BudgetError> =>
  Effect.mapError(
    question,
    (cause) =>
      new BudgetError({ message: `${operation}: ${what} (${messageOfStorage(cause)}). Try again.`, operation, cause })
  )

const storageRetry = Schedule.exponential("200 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: "30 seconds" })
)

/** Logs a failure instead of failing with it: the run exists, and its reservation counts. */
const warnOfFailure = (self: Effect.Effect<void, unknown>): Effect.Effect<void> =>
  Effect.catch(
    self,
    (error) => Effect.logWarning(`canvas-runs: a reservation could not be changed: ${messageOfStorage(error)}`)
  )
