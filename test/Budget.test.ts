import { assert, describe, it, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Budget, RunError, RunRef, RunStore, Spine } from "canvas-runs"
import { NodeSqlite } from "canvas-runs/node"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { onMovedClock } from "./support/clock.ts"
import { noAnswer, refusedWith } from "./support/creates.ts"
import { addresses, databases } from "./support/databases.ts"
import { failure } from "./support/results.ts"
import { opening, testing } from "./support/storages.ts"
import { until } from "./support/until.ts"

/** Opens a budget, as another process would, on the storage of a test. */
type Open = (options: Budget.LayerOptions) => Effect.Effect<Budget.Service>

const sql = (client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  opening(Budget.Budget, (options: Budget.LayerOptions) => Layer.provide(Budget.layerSql(options), client))

const ledgers: { readonly [name: string]: Effect.Effect<Open, never, Scope.Scope> } = {
  memory: opening(Budget.Budget, Budget.layerMemory),
  sqlite: Effect.flatMap(databases.sqlite, sql),
  postgresql: Effect.flatMap(databases.postgresql, sql)
}

const refOf = (id: string) => RunRef.make({ provider: "test", kind: "run", id })

const creating = (id: string) => Effect.succeed({ ref: refOf(id) })

for (const [name, ledger] of Object.entries(ledgers)) {
  describe(`a Budget on ${name}`, () => {
    const test = testing(ledger)

    test("refuses a create whose estimate exceeds the rest of the limit, and does not run it", (open) =>
      Effect.gen(function*() {
        const budget = yield* open({ limit: 100 })
        yield* budget.create(creating("1"), { estimate: 60 })
        let ran = false
        const create = Effect.sync(() => {
          ran = true
          return { ref: refOf("2") }
        })
        const error = failure(yield* Effect.exit(budget.create(create, { estimate: 41 })))
        assert.instanceOf(error, Budget.BudgetExceededError)
        assert.deepInclude(error, { limit: 100, spent: 0, reserved: 60, estimate: 41, account: "default" })
        assert.isFalse(ran)
        yield* budget.create(create, { estimate: 40 })
        assert.deepStrictEqual(yield* budget.status(), { limit: 100, spent: 0, reserved: 100, available: 0 })
      }))

    test("replaces the reservation of an ended run by its cost, or counts the reservation if the cost is unknown", (open) =>
      Effect.gen(function*() {
        const budget = yield* open({ limit: 100 })
        const ended = (id: string, credits: unknown) => ({ run_id: id, metadata: { credits_consumed: credits } })
        for (const id of ["a", "b", "c", "d"]) yield* budget.create(creating(id), { estimate: 20 })
        yield* budget.track(refOf("A"), Effect.succeed(ended("a", 5)))
        yield* Effect.exit(budget.track(
          refOf("b"),
          Effect.fail(
            new RunError.RunFailedError({ ref: refOf("b"), message: "test", errors: [], run: ended("b", 7) })
          )
        ))
        yield* budget.track(refOf("c"), Effect.succeed(ended("c", "unknown")))
        yield* Effect.exit(budget.track(refOf("d"), Effect.fail(new Error("not yet"))))
        assert.deepInclude(yield* budget.status(), { spent: 5 + 7 + 20, reserved: 20 })
        yield* budget.settle(refOf("d"), 1)
        yield* budget.settle(refOf("d"), 50)
        yield* budget.settle(refOf("unreserved"), 50)
        assert.deepInclude(yield* budget.status(), { spent: 33, reserved: 0 })
      }))

    test(
      "removes the reservation of a create that surely made no run, and keeps it after every other failure",
      (open, pass) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100 })
          assert.instanceOf(
            failure(yield* Effect.exit(budget.create(refusedWith(400), { estimate: 10 }))),
            RunError.BadRequestError
          )
          assert.deepInclude(yield* budget.status(), { reserved: 0 })
          yield* Effect.exit(budget.create(Effect.fail(noAnswer), { estimate: 10 }))
          yield* Effect.exit(budget.create(Effect.fail(new Error("of the program")), { estimate: 10 }))
          yield* Effect.exit(budget.create(Effect.die("defect"), { estimate: 10 }))
          const started = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkChild(
            budget.create(Effect.andThen(Deferred.succeed(started, undefined), Effect.never), { estimate: 10 })
          )
          yield* Deferred.await(started)
          yield* Fiber.interrupt(fiber)
          yield* pass("1 hour")
          assert.deepInclude(yield* budget.status(), { reserved: 40 })
        })
    )

    test(
      "counts the estimate until the create ends, and forgets it after `createTimeout` if the create never ends",
      (open, pass) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100, createTimeout: "1 hour" })
          const started = yield* Deferred.make<void>()
          yield* Effect.forkDetach(
            budget.create(
              Effect.andThen(Deferred.succeed(started, undefined), Effect.never),
              { estimate: 100 }
            )
          )
          yield* Deferred.await(started)
          assert.instanceOf(
            failure(yield* Effect.exit(budget.create(creating("1"), { estimate: 1 }))),
            Budget.BudgetExceededError
          )
          yield* pass("59 minutes")
          assert.deepInclude(yield* budget.status(), { reserved: 100 })
          yield* pass("1 minute")
          assert.deepInclude(yield* budget.status(), { reserved: 0 })
          yield* budget.create(creating("1"), { estimate: 100 })
        })
    )

    test(
      "counts a create that never ends without limit of time if `createTimeout` is infinite",
      (open, pass) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100, createTimeout: Infinity })
          const started = yield* Deferred.make<void>()
          const created = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
          yield* Effect.forkDetach(budget.create(created, { estimate: 40 }))
          yield* Deferred.await(started)
          yield* pass("1000 days")
          assert.deepInclude(yield* budget.status(), { reserved: 40 })
        })
    )

    for (
      const [what, limit, fault] of [
        ["returns NaN", () => NaN, "limit(\"ann\") is NaN; it must be a number, zero or more."],
        [
          "returns nothing",
          () => undefined as never,
          "limit(\"ann\") is undefined; it must be a number, zero or more."
        ],
        ["throws", (account: string) => assert.fail(`no ${account}`), "no ann"]
      ] as const
    ) {
      test(`rejects a create if the function limit ${what}, and does not run it`, (open) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit })
          let ran = false
          const create = Effect.sync(() => {
            ran = true
            return { ref: refOf("1") }
          })
          for (const call of [budget.create(create, { estimate: 1, account: "ann" }), budget.status("ann")]) {
            const error = failure(yield* Effect.exit<unknown, unknown, never>(call))
            assert.instanceOf(error, RunError.BadRequestError)
            assert.include(error.message, fault)
          }
          assert.isFalse(ran)
        }))
    }

    test(
      "counts the run of a process that ended during its create, once the program has found it",
      (open, pass) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100, createTimeout: "1 hour" })
          const started = yield* Deferred.make<void>()
          const created = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
          yield* Effect.forkDetach(budget.create(created, { estimate: 40 }))
          yield* Deferred.await(started)
          yield* pass("1 hour")
          const ref = refOf("found")
          yield* budget.track(ref, Effect.succeed({ price: 50 }), ({ price }) => price)
          assert.deepInclude(yield* budget.status(), { spent: 0, reserved: 0 })

          yield* budget.create(Effect.succeed({ ref }), { estimate: 40 })
          yield* pass("2 hours")
          assert.deepInclude(yield* budget.status(), { spent: 0, reserved: 40 })
          yield* budget.track(ref, Effect.succeed({ price: 50 }), ({ price }) => price)
          assert.deepInclude(yield* budget.status(), { spent: 50, reserved: 0 })
        })
    )

    test("takes the reservation of a run for its cost if `cost` throws", (open) =>
      Effect.gen(function*() {
        const budget = yield* open({ limit: 100 })
        const ref = refOf("paid")
        yield* budget.create(Effect.succeed({ ref }), { estimate: 40 })
        const ended = yield* budget.track(ref, Effect.succeed("output"), () => {
          throw new Error("no price")
        })
        assert.strictEqual(ended, "output")
        assert.deepInclude(yield* budget.status(), { spent: 40, reserved: 0 })
      }))

    test(
      "counts a create that ends after `createTimeout`, also above the limit",
      (open, pass) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100, createTimeout: "1 hour" })
          for (const [id, end] of [["late", creating("late")], ["failed", Effect.fail(noAnswer)]] as const) {
            const started = yield* Deferred.make<void>()
            const ended = yield* Deferred.make<void>()
            const slow = Deferred.succeed(started, undefined).pipe(
              Effect.andThen(Deferred.await(ended)),
              Effect.andThen(end)
            )
            const fiber = yield* Effect.forkChild(budget.create(slow, { estimate: 100, account: id }))
            yield* Deferred.await(started)
            yield* pass("1 hour")
            // Removes what has expired
            yield* budget.create(creating(`other ${id}`), { estimate: 30, account: id })
            yield* Deferred.succeed(ended, undefined)
            yield* Fiber.await(fiber)
            assert.deepInclude(yield* budget.status(id), { reserved: 130, available: 0 })
          }
          yield* budget.settle(refOf("late"), 60)
          assert.deepInclude(yield* budget.status("late"), { spent: 60, reserved: 30 })
        })
    )

    test("has a limit for each account, and a window that slides", (open, pass) =>
      Effect.gen(function*() {
        const budget = yield* open({ limit: (account) => account === "rich" ? 100 : 1, window: "1 hour" })
        yield* budget.create(creating("1"), { estimate: 100, account: "rich" })
        yield* budget.settle(refOf("1"), 100)
        yield* budget.create(creating("2"), { estimate: 1, account: "poor" })
        for (const account of ["rich", "poor"]) {
          assert.deepInclude(yield* budget.status(account), { available: 0 })
        }
        yield* pass("1 hour")
        assert.deepInclude(yield* budget.status("rich"), { available: 100 })
        yield* budget.create(creating("3"), { estimate: 100, account: "rich" })
      }))

    test("never reserves more than the limit, however many creates ask at once", (open) =>
      Effect.gen(function*() {
        const first = yield* open({ limit: 100 })
        const budgets = name === "memory" ? [first] : [first, yield* open({ limit: 100 })]
        const results = yield* Effect.forEach(
          Array.from({ length: 60 }, (_, index) => index),
          (index) =>
            Effect.result(budgets[index % budgets.length]!.create(creating(`${index}`), { estimate: 3 + index % 4 })),
          { concurrency: "unbounded" }
        )
        const { available, reserved } = yield* first.status()
        assert.isAtMost(reserved, 100)
        assert.isAtMost(available, 5)
        assert.isAbove(results.filter(({ _tag }) => _tag === "Success").length, 15)
      }))

    for (
      const [what, reservation] of Object.entries({
        "a negative estimate": { estimate: -1 },
        "an estimate that is no number": { estimate: "5" },
        "no estimate": {},
        "an estimate of NaN": { estimate: NaN },
        "a blank account": { estimate: 1, account: " " },
        "an account with a NUL": { estimate: 1, account: "a\u0000b" },
        "an account with half of a surrogate pair": { estimate: 1, account: "\ud800" },
        "an account of 256 characters": { estimate: 1, account: "a".repeat(256) },
        "a misspelt option": { estimate: 1, acount: "a" }
      })
    ) {
      test(`rejects a reservation with ${what}`, (open) =>
        Effect.gen(function*() {
          const budget = yield* open({ limit: 100 })
          const exit = yield* Effect.exit(budget.create(creating("1"), reservation as Budget.Reservation))
          assert.instanceOf(failure(exit), RunError.BadRequestError)
          assert.deepInclude(yield* budget.status(), { reserved: 0 })
        }))
    }
  })
}

layer(Layer.mergeAll(
  Budget.layerMemory({ limit: 100 }),
  RunStore.layerMemory,
  Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
    Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
  )
))("a Budget with a client of Spine and a RunStore", (it) => {
  it.effect("knows what a run cost, and a refused estimate leaves the key free", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const budget = yield* Budget.Budget
      const store = yield* RunStore.RunStore
      const create = budget.create(runs.create({ prompt: "x" }), { estimate: 90 })
      const ref = yield* store.runOnce("a", create)
      assert.instanceOf(failure(yield* Effect.exit(store.runOnce("b", create))), Budget.BudgetExceededError)
      assert.isUndefined(yield* store.get("b"))
      const run = yield* budget.track(ref, runs.waitForCompletion(ref))
      assert.deepInclude(yield* budget.status(), { spent: run.metadata!.credits_consumed!, reserved: 0 })
    }))
})

it.effect("a run counts although the database was locked when its create ended", () =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const budget = yield* Budget.Budget
    const unlocked = yield* Deferred.make<void>()
    const locked = yield* Deferred.make<void>()
    const lock = sql.withTransaction(Effect.andThen(Deferred.succeed(locked, undefined), Deferred.await(unlocked)))
    const created = yield* Effect.forkChild(budget.create(
      Effect.andThen(Effect.andThen(Effect.forkDetach(lock), Deferred.await(locked)), creating("1")),
      { estimate: 40 }
    ))
    yield* Deferred.await(locked)
    yield* TestClock.adjust("10 seconds")
    yield* Deferred.succeed(unlocked, undefined)
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(created)
    yield* TestClock.adjust("1 hour")
    assert.deepInclude(yield* budget.status(), { reserved: 40 })
    yield* budget.settle(refOf("1"), 12)
    assert.deepInclude(yield* budget.status(), { spent: 12, reserved: 0 })
  }).pipe(
    Effect.provide(Layer.unwrap(Effect.map(addresses.sqlite, (filename) =>
      // Two connections, so that the budget waits for the lock of the other one
      Layer.merge(
        Layer.provide(Budget.layerSql({ limit: 100 }), NodeSqlite.layer({ filename })),
        Layer.fresh(NodeSqlite.layer({ filename }))
      ))))
  ))

it.live("a reservation that waited for another process expires as long after it was made as any other", () =>
  onMovedClock((pass) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const budget = yield* Budget.Budget
      const locked = yield* Deferred.make<number>()
      const unlocked = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
        yield* sql`insert into canvas_runs_budget_accounts ${sql.insert({ account: "default", changes: 1 })}`
        const [self] = yield* sql<{ readonly pid: number }>`select pg_backend_pid() as pid`
        yield* Deferred.succeed(locked, self!.pid)
        yield* Deferred.await(unlocked)
      })))
      const pid = yield* Deferred.await(locked)
      const seen = yield* Effect.forkChild(budget.create(
        Effect.map(budget.status(), (status) => ({ ref: refOf("1"), status })),
        { estimate: 40 }
      ))
      yield* until(Effect.map(
        sql`select pid from pg_stat_activity where ${pid} = any(pg_blocking_pids(pid))`,
        ({ length }) => length > 0
      ))
      yield* pass("2 hours")
      yield* Deferred.succeed(unlocked, undefined)
      yield* Fiber.join(other)
      assert.deepInclude((yield* Fiber.join(seen)).status, { spent: 0, reserved: 40 })
    }).pipe(
      Effect.provide(Layer.unwrap(Effect.map(
        databases.postgresql,
        (database) => Layer.provideMerge(Budget.layerSql({ limit: 100, createTimeout: "1 hour" }), database)
      )))
    )
  ))
