import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { RunError, RunRef, RunStore, Tela } from "canvas-runs"
import { Fault } from "canvas-runs/testing"
import { applicationId, canvasId, live, scripted, setup } from "../support/tela.ts"

const world = Layer.merge(live(), RunStore.layerMemory)

/** A store and a client, and a create of an execution and of a task under a tag. */
const start = Effect.gen(function*() {
  const { emulator, tela } = yield* setup
  const store = yield* RunStore.RunStore
  const canvas = tela.canvas.make({ id: canvasId })
  const application = tela.canvas.make({ applicationId })
  const execute = (tag: string) => canvas.execute({ topic: "tides" }, { async: true, tags: [tag, "tides"] })
  return {
    emulator,
    execute,
    createTask: (tag: string) => application.execute({ topic: "tides" }, { async: true, tags: [tag] }),
    store,
    /** Makes a create fail so that its outcome is unknown. */
    lose: (
      key: string,
      fault: Fault.Fault,
      create: RunStore.Create<{ readonly ref: RunRef.RunRef }, unknown> = execute
    ) => Effect.andThen(emulator.fault(fault), Effect.flip(store.runOnce(key, create)))
  }
})

const list = (path: string) => Fault.on("GET", path)

describe("reconcile", () => {
  it.effect("attaches the run of a create whose response was lost, an execution or a task", () =>
    Effect.gen(function*() {
      const { createTask, emulator, execute, lose, store } = yield* start
      yield* TestClock.adjust("1 second")
      yield* lose("execution", Fault.dropAfter)
      yield* lose("task", Fault.dropAfter, createTask)
      for (const key of ["execution", "task"]) {
        assert.strictEqual((yield* store.get(key))?._tag, "Unknown")
        const entry = yield* store.reconcile(key, Tela.findByTag)
        assert(entry?._tag === "Created")
        assert.strictEqual(entry.ref.kind, key)
        assert.strictEqual(entry.ref.createdAt, 1000)
        assert.deepStrictEqual(yield* store.get(key), entry)
        assert.deepStrictEqual(yield* store.runOnce(key, execute), entry.ref)
      }
      assert.lengthOf(yield* emulator.runs, 2)
      assert.lengthOf(yield* emulator.tasks, 1)
    }).pipe(Effect.provide(world)))

  it.effect("frees the key of a create that made no run, after the settling time", () =>
    Effect.gen(function*() {
      const { emulator, execute, lose, store } = yield* start
      for (const [key, settlingTime] of [["default", undefined], ["short", "3 minutes"]] as const) {
        yield* lose(key, Fault.status(503))
        const early = settlingTime === undefined ? "599 seconds" : "179 seconds"
        yield* TestClock.adjust(early)
        assert.strictEqual((yield* store.reconcile(key, Tela.findByTag, { settlingTime }))?._tag, "Unknown")
        yield* TestClock.adjust("1 second")
        assert.isUndefined(yield* store.reconcile(key, Tela.findByTag, { settlingTime }))
        assert.isUndefined(yield* store.get(key))
        yield* store.runOnce(key, execute)
      }
      assert.lengthOf(yield* emulator.runs, 2)
    }).pipe(Effect.provide(world)))

  it.effect("attaches a run that the list shows late", () =>
    Effect.gen(function*() {
      const { lose, store } = yield* start
      yield* lose("a", Fault.dropAfter)
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual((yield* store.reconcile("a", () => Effect.succeed([])))?._tag, "Unknown")
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual((yield* store.reconcile("a", Tela.findByTag))?._tag, "Created")
    }).pipe(Effect.provide(world)))

  it.effect("leaves the outcome unknown when a list fails, however old the intent is", () =>
    Effect.gen(function*() {
      const { createTask, emulator, lose, store } = yield* start
      yield* lose("a", Fault.status(503), createTask)
      yield* TestClock.adjust("1 day")
      for (const path of ["/v1/completion-run", "/task"]) {
        yield* emulator.fault(Fault.status(403).pipe(list(path)))
        assert.instanceOf(yield* Effect.flip(store.reconcile("a", Tela.findByTag)), RunError.PermissionDeniedError)
        assert.strictEqual((yield* store.get("a"))?._tag, "Unknown")
      }
    }).pipe(Effect.provide(world)))

  it.effect("names the runs if several have the tag of one create, and attaches none", () =>
    Effect.gen(function*() {
      const { emulator, execute, lose, store } = yield* start
      yield* lose("a", Fault.dropAfter)
      yield* emulator.fault(Fault.dropAfter)
      yield* Effect.flip(store.runOnce("a", execute, { onUnknown: "retry" }))
      const ids = (yield* emulator.runs).map(({ id }) => id)
      assert.lengthOf(ids, 2)
      const error = yield* Effect.flip(store.reconcile("a", Tela.findByTag))
      assert.instanceOf(error, RunStore.DuplicateRunsError)
      assert.deepStrictEqual(error.refs.map(({ id }) => id).toSorted(), ids.toSorted())
      for (const id of ids) assert.include(error.message, id)
      assert.isFalse(error.isRetryable)
      assert.strictEqual((yield* store.get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide(world)))

  it.effect("counts the settling time from the last attempt", () =>
    Effect.gen(function*() {
      const { emulator, execute, lose, store } = yield* start
      yield* lose("a", Fault.status(503))
      const first = yield* store.get("a")
      assert(first?._tag === "Unknown")
      yield* TestClock.adjust("1 hour")
      yield* emulator.fault(Fault.status(503))
      yield* Effect.flip(store.runOnce("a", execute, { onUnknown: "retry" }))
      assert.deepStrictEqual(yield* store.get("a"), { ...first, intendedAt: 3_600_000 })
      assert.strictEqual((yield* store.reconcile("a", Tela.findByTag))?._tag, "Unknown")
    }).pipe(Effect.provide(world)))

  it.effect("does not look for the run of a create without a tag, whose outcome stays unknown", () =>
    Effect.gen(function*() {
      const { execute, lose, store } = yield* start
      yield* lose("untagged", Fault.dropAfter, execute("mine"))
      yield* lose("retried", Fault.dropAfter)
      yield* Effect.flip(store.runOnce("retried", Effect.fail("no answer"), { onUnknown: "retry" }))
      yield* TestClock.adjust("1 day")
      for (const key of ["untagged", "retried"]) {
        assert.isFalse("tag" in (yield* store.get(key))!)
        assert.strictEqual((yield* store.reconcile(key, () => Effect.die("looked up")))?._tag, "Unknown")
      }
    }).pipe(Effect.provide(world)))

  it.effect("returns entries in any other state unchanged, without a look-up", () =>
    Effect.gen(function*() {
      const { execute, store } = yield* start
      const reconcile = store.reconcile("a", () => Effect.die("looked up"))
      assert.isUndefined(yield* reconcile)
      yield* store.refuse("a")
      assert.strictEqual((yield* reconcile)?._tag, "Refused")
      const ref = yield* store.runOnce("a", execute)
      assert.deepInclude(yield* reconcile, { _tag: "Created", ref })
      yield* store.complete("a")
      assert.deepInclude(yield* reconcile, { _tag: "Finished", ref })
    }).pipe(Effect.provide(world)))

  it.effect("rejects the result of a look-up that names no run, and wrong options", () =>
    Effect.gen(function*() {
      const { lose, store } = yield* start
      yield* lose("a", Fault.dropAfter)
      const lookups = {
        "returns nothing": () => Effect.succeed(undefined as never),
        "returns no ref": () => Effect.succeed([{ provider: "tela" }] as never),
        "returns text": () => Effect.succeed("id" as never),
        "returns a promise": () => Promise.resolve([]) as never,
        "throws": () => assert.fail("boom")
      }
      for (const given of Object.values(lookups)) {
        const error = yield* Effect.flip(store.reconcile("a", given))
        assert(error._tag === "BadRequestError")
        assert.strictEqual(error.parameter, "lookup")
        assert.isTrue(error.sent)
      }
      const lookup = () => Effect.succeed<ReadonlyArray<RunRef.RunRef>>([])
      const calls: ReadonlyArray<readonly [string, typeof lookup, RunStore.ReconcileOptions?]> = [
        ["lookup", "tag" as never],
        ["settlingTime", lookup, { settlingTime: "soon" as never }],
        ["settling", lookup, { settling: 1 } as never]
      ]
      for (const [parameter, given, options] of calls) {
        const error = yield* Effect.flip(store.reconcile("a", given, options))
        assert(error._tag === "BadRequestError")
        assert.strictEqual(error.parameter, parameter)
      }
      assert.strictEqual((yield* store.get("a"))?._tag, "Unknown")
    }).pipe(Effect.provide(world)))
})

describe("the tag of a create", () => {
  it.effect("is different for each key and after each freed key, and is sent by the function", () =>
    Effect.gen(function*() {
      const { emulator, execute, store } = yield* start
      for (const key of ["a", "b", "a"]) {
        yield* store.runOnce(key, execute)
        yield* store.forget(key)
      }
      yield* store.runOnce("c", execute("mine"))
      const tags = (yield* emulator.runs).map(({ request }) => request.tags)
      assert.strictEqual(new Set(tags.map(([tag]) => tag)).size, 4)
      assert.deepStrictEqual(tags.at(-1), ["mine", "tides"])
      for (const [tag, ...others] of tags.slice(0, 3)) {
        assert.match(tag!, /^[0-9a-f-]{36}$/)
        assert.deepStrictEqual(others, ["tides"])
      }
    }).pipe(Effect.provide(world)))

  it.effect("is stored with the intent, and a retry keeps it", () =>
    Effect.gen(function*() {
      const { store } = yield* start
      const tags: Array<string> = []
      const create = (tag: string) => Effect.suspend(() => Effect.fail(String(tags.push(tag))))
      yield* Effect.flip(store.runOnce("a", create))
      yield* Effect.flip(store.runOnce("a", create, { onUnknown: "retry" }))
      assert.deepInclude(yield* store.get("a"), { _tag: "Unknown", tag: tags[0]! })
      assert.strictEqual(tags[1], tags[0])
    }).pipe(Effect.provide(world)))

  it.effect("is given to a function, and an error of the function leaves the key free", () =>
    Effect.gen(function*() {
      const { store } = yield* start
      const creates: ReadonlyArray<RunStore.Create<{ readonly ref: RunRef.RunRef }>> = [
        () => {
          throw new Error("no")
        },
        () => "no effect" as never,
        5 as never
      ]
      for (const create of creates) {
        assert.strictEqual((yield* Effect.flip(store.runOnce("a", create)))._tag, "BadRequestError")
        assert.isUndefined(yield* store.get("a"))
      }
    }).pipe(Effect.provide(world)))
})

describe("findByTag", () => {
  const run = { id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b99", status: "created" }
  const found = (rows: Readonly<Record<string, ReadonlyArray<unknown>>>) =>
    Effect.gen(function*() {
      return yield* Tela.findByTag("mine")
    }).pipe(
      Effect.provide(
        scripted(({ pathname }) => ({ data: rows[pathname] ?? [], meta: { total: rows[pathname]?.length ?? 0 } }))
      )
    )

  it.effect("fails if a list ignores the filter, or has no tags", () =>
    Effect.gen(function*() {
      for (const tags of [["other"], undefined]) {
        for (const path of ["/v1/completion-run", "/task"]) {
          const error = yield* Effect.flip(found({ [path]: [{ ...run, tags }] }))
          assert.instanceOf(error, RunError.InvalidResponseError)
          assert.include(error.message, run.id)
        }
      }
    }))

  it.effect("does not return the run of an application as an execution", () =>
    Effect.gen(function*() {
      const works = { ...run, tags: ["mine"], promptApplicationId: applicationId }
      assert.instanceOf(
        yield* Effect.flip(found({ "/v1/completion-run": [works] })),
        RunError.InvalidResponseError
      )
      for (const name of ["completionRunId", "workflowRunId"]) {
        const task = { id: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a99", status: "running", tags: ["mine"], [name]: run.id }
        const refs = yield* found({ "/v1/completion-run": [works], "/task": [task] })
        assert.deepStrictEqual(refs, [RunRef.make({ provider: "tela", kind: "task", id: task.id })])
      }
    }))
})
