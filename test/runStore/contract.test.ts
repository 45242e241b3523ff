/** The promises of a `RunStore` on every storage: memory, files, SQLite and PostgreSQL. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { KeyValueStore } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { Budget, RunError, RunRef } from "canvas-runs"
import * as RunStore from "canvas-runs/RunStore"
import { noAnswer, refusedWith } from "../support/creates.ts"
import { databases, temporaryDirectory } from "../support/databases.ts"
import { failure } from "../support/results.ts"
import { opening, testing } from "../support/storages.ts"

const refOf = (id: string, provider = "test") => RunRef.make({ provider, kind: "run", id })

/** A create that counts its calls, and makes `run-1`, `run-2`, and so on. */
const counting = () => {
  const counter = { count: 0 }
  return { counter, create: Effect.sync(() => ({ ref: refOf(`run-${++counter.count}`) })) }
}

/** Opens a store, as another process would, on the storage of a test. */
type Open = (options?: RunStore.SqlOptions) => Effect.Effect<RunStore.Service>

const keyValue = (storage: Layer.Layer<KeyValueStore.KeyValueStore, unknown>) =>
  Effect.flatMap(
    Effect.orDie(Layer.build(Layer.fresh(storage))),
    (shared) => opening(RunStore.RunStore, () => Layer.provide(RunStore.layer, Layer.succeedContext(shared)))
  )

const sql = (client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  opening(RunStore.RunStore, (options?: RunStore.SqlOptions) => Layer.provide(RunStore.layerSql(options), client))

const storages: { readonly [name: string]: Effect.Effect<Open, never, Scope.Scope> } = {
  memory: keyValue(KeyValueStore.layerMemory),
  files: Effect.flatMap(
    temporaryDirectory,
    (directory) => keyValue(Layer.provide(KeyValueStore.layerFileSystem(directory), NodeServices.layer))
  ),
  sqlite: Effect.flatMap(databases.sqlite, sql),
  postgresql: Effect.flatMap(databases.postgresql, sql)
}

for (const [name, storage] of Object.entries(storages)) {
  const isShared = name === "sqlite" || name === "postgresql"

  describe(`a RunStore on ${name}`, () => {
    const test = testing(storage)

    test("creates a run once, also for a store that is opened later, and after the run has finished", (open) =>
      Effect.gen(function*() {
        const { counter, create } = counting()
        const first = yield* open()
        const ref = yield* first.runOnce("a", create)
        const later = yield* open()
        assert.deepStrictEqual(yield* later.runOnce("a", create), ref)
        yield* later.track("a", Effect.void)
        assert.deepStrictEqual(yield* first.runOnce("a", create), ref)
        assert.strictEqual(counter.count, 1)
        assert.deepStrictEqual(yield* first.unfinished, [])
      }))

    test("keeps the intent of a create of unknown outcome, until the caller decides", (open) =>
      Effect.gen(function*() {
        const { counter, create } = counting()
        const store = yield* open()
        assert.strictEqual(failure(yield* Effect.exit(store.runOnce("a", Effect.fail(noAnswer)))), noAnswer)
        const later = yield* open()
        assert.deepInclude(yield* later.get("a"), { _tag: "Unknown", key: "a" })
        assert.deepStrictEqual((yield* later.unfinished).map(({ _tag, key }) => [_tag, key]), [["Unknown", "a"]])
        const error = failure(yield* Effect.exit(later.runOnce("a", create)))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.strictEqual(counter.count, 0)
        const ref = yield* later.runOnce("a", create, { onUnknown: "retry" })
        assert.deepInclude(yield* store.get("a"), { _tag: "Created", ref })
      }))

    test("keeps the key after a retry of unknown outcome, or without a run: the first outcome is still unknown", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        yield* Effect.exit(store.runOnce("a", Effect.fail(noAnswer)))
        for (const create of [Effect.fail(noAnswer), refusedWith(400)]) {
          yield* Effect.exit(store.runOnce("a", create, { onUnknown: "retry" }))
          assert.deepInclude(yield* store.get("a"), { _tag: "Unknown" })
        }
        assert.deepStrictEqual(yield* store.runOnce("a", counting().create, { onUnknown: "retry" }), refOf("run-1"))
      }))

    test("frees the key of a create that the provider refuses", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        assert.instanceOf(failure(yield* Effect.exit(store.runOnce("a", refusedWith(400)))), RunError.BadRequestError)
        assert.isUndefined(yield* store.get("a"))
        assert.deepStrictEqual(yield* store.runOnce("a", counting().create), refOf("run-1"))
      }))

    test("attaches a run in place of an unknown outcome, and never replaces a run", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        yield* Effect.exit(store.runOnce("a", Effect.fail(noAnswer)))
        yield* store.attach("a", refOf("found"))
        yield* store.attach("a", refOf("found"))
        yield* store.attach("b", refOf("other"))
        assert.deepInclude(yield* store.get("a"), { _tag: "Created", ref: refOf("found") })
        assert.instanceOf(
          failure(yield* Effect.exit(store.attach("a", refOf("another")))),
          RunError.BadRequestError
        )
        assert.deepStrictEqual(yield* store.runOnce("b", counting().create), refOf("other"))
      }))

    test("marks a run as finished, forgets it, and then creates another one", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        const { create } = counting()
        yield* store.runOnce("a", create)
        yield* store.complete("a")
        assert.deepInclude(yield* store.get("a"), { _tag: "Finished", ref: refOf("run-1") })
        yield* store.forget("a")
        assert.isUndefined(yield* store.get("a"))
        assert.deepStrictEqual(yield* store.runOnce("a", create), refOf("run-2"))
        assert.instanceOf(failure(yield* Effect.exit(store.complete("b"))), RunError.BadRequestError)
      }))

    test(
      "marks a key without a run as refused, lets a create take it over, and purges it",
      (open, pass) =>
        Effect.gen(function*() {
          const store = yield* open()
          for (const key of ["a", "b", "c", "d"]) yield* store.refuse(key)
          yield* store.refuse("a")
          assert.deepInclude(yield* (yield* open()).get("a"), { _tag: "Refused", key: "a" })
          assert.deepStrictEqual(yield* store.unfinished, [])
          assert.deepStrictEqual(yield* store.runOnce("a", counting().create), refOf("run-1"))
          yield* store.attach("b", refOf("found"))
          yield* Effect.exit(store.runOnce("c", Effect.fail(noAnswer)))
          for (const key of ["a", "b", "c"]) {
            assert.instanceOf(failure(yield* Effect.exit(store.refuse(key))), RunError.BadRequestError)
          }
          assert.deepStrictEqual((yield* store.list({ state: "Refused" })).map(({ key }) => key), ["d"])
          assert.deepStrictEqual(new Set((yield* store.unfinished).map(({ key }) => key)), new Set(["a", "b", "c"]))
          yield* pass("1 second")
          assert.strictEqual(yield* store.purge(0), 1)
          assert.isUndefined(yield* store.get("d"))
        })
    )

    test("lists entries by state, provider and time, the oldest first", (open, pass) =>
      Effect.gen(function*() {
        const store = yield* open()
        for (const [key, provider] of [["c", "spine"], ["a", "tela"], ["b", "spine"]] as const) {
          yield* store.runOnce(key, Effect.succeed({ ref: refOf(key, provider) }))
          yield* pass("1 second")
        }
        yield* store.complete("c")
        yield* Effect.exit(store.runOnce("d", Effect.fail(noAnswer)))
        const keys = (options?: RunStore.ListOptions) =>
          Effect.map(store.list(options), (entries) => entries.map(({ key }) => key).join(""))
        assert.strictEqual(yield* keys(), "cabd")
        assert.strictEqual(yield* keys({ state: "Created" }), "ab")
        assert.strictEqual(yield* keys({ state: "Finished" }), "c")
        assert.strictEqual(yield* keys({ state: "Unknown" }), "d")
        assert.strictEqual(yield* keys({ provider: "spine" }), "cb")
        const [, { intendedAt } = { intendedAt: 0 }] = yield* store.list()
        assert.strictEqual(yield* keys({ before: new Date(intendedAt!) }), "c")
        assert.strictEqual(yield* keys({ before: (yield* Clock.currentTimeMillis) + 1000, provider: "tela" }), "a")
      }))

    test("purges only the runs that finished long enough ago", (open, pass) =>
      Effect.gen(function*() {
        const store = yield* open()
        for (const key of ["old", "older", "running"]) yield* store.attach(key, refOf(key))
        yield* store.complete("old")
        yield* store.complete("older")
        yield* Effect.exit(store.runOnce("unknown", Effect.fail(noAnswer)))
        yield* pass("1 second")
        assert.strictEqual(yield* store.purge("1 hour"), 0)
        assert.strictEqual(yield* store.purge(0), 2)
        assert.deepStrictEqual((yield* store.list()).map(({ key }) => key), ["running", "unknown"])
      }))

    test("resolves an unknown outcome by the tag of its create", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        const tags: Array<string> = []
        const create = (tag: string) => Effect.suspend(() => tags.push(tag) > 0 ? Effect.fail(noAnswer) : Effect.never)
        for (const key of ["found", "absent"]) yield* Effect.exit(store.runOnce(key, create))
        const later = yield* open()
        const lookup = (tag: string) => Effect.succeed(tag === tags[0] ? [refOf("run-1")] : [])
        assert.deepInclude(yield* later.reconcile("found", lookup), { _tag: "Created", ref: refOf("run-1") })
        assert.deepInclude(yield* later.reconcile("absent", lookup), { _tag: "Unknown", tag: tags[1]! })
        assert.isUndefined(yield* later.reconcile("absent", lookup, { settlingTime: 0 }))
        assert.isUndefined(yield* store.get("absent"))
        assert.deepInclude(yield* store.get("found"), { _tag: "Created", ref: refOf("run-1") })
      }))

    test("takes any text as a key, and never mixes up two keys", (open) =>
      Effect.gen(function*() {
        const store = yield* open()
        const keys = [
          "",
          "A",
          "a",
          "\u0000",
          "\ud800",
          "é",
          "e\u0301",
          "'; drop table canvas_runs; --",
          "%",
          "_",
          "x".repeat(500)
        ]
        for (const [index, key] of keys.entries()) {
          assert.deepStrictEqual(
            yield* store.runOnce(key, Effect.succeed({ ref: refOf(`${index}`) })),
            refOf(`${index}`)
          )
        }
        for (const [index, key] of keys.entries()) {
          assert.deepInclude(yield* store.get(key), { key, ref: refOf(`${index}`) })
        }
        assert.deepStrictEqual(new Set((yield* store.list()).map(({ key }) => key)), new Set(keys))
      }))

    test("keeps every field of a ref", (open) =>
      Effect.gen(function*() {
        const ref = RunRef.make({
          provider: "tela",
          kind: "execution",
          id: "1",
          createdAt: 5,
          requestId: "r",
          estimatedDurationMs: 6
        })
        yield* (yield* open()).attach("a", ref)
        const entry = yield* (yield* open()).get("a")
        assert.deepStrictEqual(entry !== undefined && "ref" in entry ? entry.ref : undefined, ref)
      }))

    if (!isShared) return

    test("lets one of many stores create, and returns its ref to the others", (open) =>
      Effect.gen(function*() {
        const stores = yield* Effect.all(Array.from({ length: 3 }, () => open()), { concurrency: 3 })
        const { counter, create } = counting()
        const slow = Effect.tap(create, () => Effect.yieldNow)
        const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
        const refs = yield* Effect.forEach(
          keys.flatMap((key) => stores.map((store) => ({ key, store }))),
          ({ key, store }) => Effect.map(store.runOnce(key, slow), (ref) => [key, ref.id] as const),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(counter.count, keys.length)
        assert.strictEqual(new Set(refs.map((pair) => pair.join())).size, keys.length)
      }))

    test(
      "does not free a key that another process has retried, or is retrying, since it was read",
      (open, pass) =>
        Effect.gen(function*() {
          const [slow, fast] = yield* Effect.all([open(), open()])
          for (const key of ["retried", "retrying"]) {
            yield* Effect.exit(slow.runOnce(key, () => Effect.fail(noAnswer)))
            yield* pass("1 second")
            const retry = (create: Effect.Effect<never, typeof noAnswer>) =>
              fast.runOnce(key, () => create, { onUnknown: "retry" })
            const [started, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<never, typeof noAnswer>()]
            const meanwhile = key === "retried"
              ? Effect.exit(retry(Effect.fail(noAnswer)))
              : Effect.andThen(
                Effect.forkChild(retry(Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(ended)))),
                Deferred.await(started)
              )
            const entry = yield* slow.reconcile(key, () => Effect.as(meanwhile, []), { settlingTime: 0 })
            assert.strictEqual(entry?._tag, key === "retried" ? "Unknown" : "Creating")
            yield* Deferred.fail(ended, noAnswer)
          }
        }).pipe(Effect.awaitAllChildren)
    )

    test("waits for the create of another store, whose entry is `Creating`", (open) =>
      Effect.gen(function*() {
        const [winner, loser] = yield* Effect.all([open(), open()])
        const [started, answered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const winning = yield* Effect.forkChild(winner.runOnce(
          "a",
          Effect.andThen(
            Deferred.succeed(started, undefined),
            Effect.as(Deferred.await(answered), { ref: refOf("won") })
          )
        ))
        yield* Deferred.await(started)
        const { counter, create } = counting()
        const losing = yield* Effect.forkChild(loser.runOnce("a", create))
        assert.deepInclude(yield* loser.get("a"), { _tag: "Creating" })
        yield* Deferred.succeed(answered, undefined)
        assert.deepStrictEqual(yield* Fiber.join(losing), refOf("won"))
        assert.deepStrictEqual(yield* Fiber.join(winning), refOf("won"))
        assert.strictEqual(counter.count, 0)
      }))

    test(
      "reports the create of a process that ended during it as unknown, after its timeout",
      (open, pass) =>
        Effect.gen(function*() {
          const [dead, alive] = yield* Effect.all([open(), open({ createTimeout: "1 hour" })])
          const [started, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<never, typeof noAnswer>()]
          const ending = yield* Effect.forkDetach(
            dead.runOnce("a", Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(ended)))
          )
          yield* Deferred.await(started)
          const waiting = yield* Effect.forkChild(alive.runOnce("a", counting().create))
          yield* pass("1 hour")
          const error = failure(yield* Fiber.await(waiting))
          assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
          assert.deepInclude(yield* alive.get("a"), { _tag: "Unknown" })
          assert.deepStrictEqual(yield* alive.runOnce("a", counting().create, { onUnknown: "retry" }), refOf("run-1"))
          // Another store has the claim now, which this one must not touch
          yield* Deferred.fail(ended, noAnswer)
          yield* Fiber.await(ending)
          assert.deepInclude(yield* alive.get("a"), { _tag: "Created", ref: refOf("run-1") })
        })
    )

    for (const decision of ["retried", "attached", "forgotten"] as const) {
      test(
        `says which run exists when its key was ${decision} by another process during the create`,
        (open, pass) =>
          Effect.gen(function*() {
            const [slow, other] = yield* Effect.all([open(), open({ createTimeout: "1 hour" })])
            const [started, answered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
            const creating = yield* Effect.forkChild(slow.runOnce(
              "a",
              Effect.andThen(
                Deferred.succeed(started, undefined),
                Effect.as(Deferred.await(answered), { ref: refOf("slow") })
              )
            ))
            yield* Deferred.await(started)
            yield* pass("1 hour")
            if (decision === "retried") yield* other.runOnce("a", counting().create, { onUnknown: "retry" })
            if (decision === "attached") yield* other.attach("a", refOf("found"))
            if (decision === "forgotten") yield* other.forget("a")
            yield* Deferred.succeed(answered, undefined)
            const error = failure(yield* Fiber.await(creating))
            assert.instanceOf(error, RunStore.RunStoreError)
            assert.deepStrictEqual(error.ref, refOf("slow"))
            const entry = yield* other.get("a")
            assert.deepStrictEqual(
              entry !== undefined && "ref" in entry ? entry.ref.id : undefined,
              { retried: "run-1", attached: "found", forgotten: undefined }[decision]
            )
          })
      )
    }
  })
}

for (const name of ["sqlite", "postgresql"] as const) {
  it.live(`the errors of a store and of a budget on ${name} say what is wrong with the database`, () =>
    Effect.gen(function*() {
      const services = Layer.mergeAll(RunStore.layerSql(), Budget.layerSql({ limit: 1 }))
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* RunStore.RunStore
        const budget = yield* Budget.Budget
        yield* sql`drop table canvas_runs`
        yield* sql`drop table canvas_runs_budget`
        for (
          const [call, table] of [[store.get("a"), "canvas_runs"], [budget.status(), "canvas_runs_budget"]] as const
        ) {
          const { message } = yield* Effect.flip<unknown, { readonly message: string }, never>(call)
          assert.match(message, new RegExp(`\\bno such table: ${table}\\)|relation "${table}" does not exist\\)`))
        }
      }).pipe(Effect.provide(Layer.provideMerge(services, yield* databases[name])))
    }))
}
