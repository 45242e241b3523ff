/** Durable runs on the engine in memory: a user's workflow with `TestClock` and the emulator. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Activity, Workflow, WorkflowEngine } from "effect/workflow"
import { Budget, RunError, RunRef, type RunSource, RunStore, Spine, Webhooks } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { live } from "../support/spine.ts"
import { until } from "../support/until.ts"
import { Report, report } from "./report.ts"

const layer = (emulator?: SpineEmulator.Options) =>
  report.pipe(
    Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider], pollInterval: "1 minute" })),
    Layer.provideMerge(Layer.mergeAll(WorkflowEngine.layerMemory, RunStore.layerMemory, live(undefined, emulator)))
  )

const taking = (duration: "90 minutes" | "2 hours"): SpineEmulator.Options => ({
  script: { timeline: Timeline.make({ duration }) }
})

const requestsOf = (method: "GET" | "POST") =>
  Effect.map(
    SpineEmulator.SpineEmulator.use((emulator) => emulator.requests),
    (requests) => requests.filter((request) => request.method === method).length
  )

const waits = Effect.flatMap(Waits.Waits, ({ list }) => list)
const states = Effect.map(RunStore.RunStore.use((store) => store.list()), (entries) => entries.map(({ _tag }) => _tag))

/** Starts a workflow, and returns when it is suspended. The id of an execution is a hash, which the platform computes in real time. */
const start = (payload: { readonly topic: string; readonly timeout?: string }) =>
  Effect.gen(function*() {
    const before = (yield* waits).length
    const id = yield* Report.execute(payload, { discard: true })
    yield* TestClock.withLive(until(Effect.map(waits, ({ length }) => length > before)))
    return id
  })

describe("DurableRun on the engine in memory", () => {
  it.effect("follows a run of 90 minutes to its end, creates it once, and marks it as finished", () =>
    Effect.gen(function*() {
      yield* start({ topic: "tides" })
      yield* TestClock.adjust("89 minutes")
      assert.deepStrictEqual((yield* waits).map(({ ref: { provider }, state }) => [provider, state]), [
        ["spine", "waiting"]
      ])
      assert.deepStrictEqual(yield* states, ["Created"])
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Report.execute({ topic: "tides" }), "completed")
      assert.strictEqual(yield* requestsOf("POST"), 1)
      assert.deepStrictEqual(yield* states, ["Finished"])
      assert.deepStrictEqual(yield* waits, [])
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("fails with the error of a run that failed, and marks the run as finished", () =>
    Effect.gen(function*() {
      yield* start({ topic: "tides" })
      yield* TestClock.adjust("2 minutes")
      const error = yield* Effect.flip(Report.execute({ topic: "tides" }))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.errors, ["out of luck"])
      assert.deepStrictEqual(yield* states, ["Finished"])
    }).pipe(Effect.provide(layer({
      script: { timeline: Timeline.make({ duration: "1 minute", outcome: "failed", errors: ["out of luck"] }) }
    }))))

  it.effect("counts the deadline from the creation of the run, which stays unfinished", () =>
    Effect.gen(function*() {
      yield* start({ topic: "tides", timeout: "30 minutes" })
      yield* TestClock.adjust("31 minutes")
      const error = yield* Effect.flip(Report.execute({ topic: "tides" }))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.include(error.message, "30m after its creation")
      assert.strictEqual(error.ref.provider, "spine")
      assert.deepStrictEqual(yield* states, ["Created"])
      assert.deepStrictEqual(yield* waits, [])
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("stops polling when the workflow is interrupted, and keeps the run as unfinished", () =>
    Effect.gen(function*() {
      const id = yield* start({ topic: "tides" })
      yield* TestClock.adjust("5 minutes")
      yield* Report.interrupt(id)
      yield* TestClock.withLive(until(Effect.map(waits, ([wait]) => wait?.state === "interrupted")))
      const polls = yield* requestsOf("GET")
      assert.isAbove(polls, 0)
      yield* TestClock.adjust("3 hours")
      assert.strictEqual(yield* requestsOf("GET"), polls)
      assert.deepStrictEqual(yield* states, ["Created"])
      const { purge } = yield* Waits.Waits
      assert.deepStrictEqual([yield* purge("4 hours"), yield* purge("2 hours")], [0, 1])
      assert.deepStrictEqual(yield* waits, [])
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("follows several runs of a workflow at the same time", () =>
    Effect.gen(function*() {
      const Both = Workflow.make("Both", {
        payload: { key: Schema.String },
        success: Schema.Array(Schema.String),
        error: DurableRun.Error,
        idempotencyKey: ({ key }) => key
      })
      const both = Both.toLayer(() =>
        Effect.forEach(["a", "b", "c"], (name) =>
          Effect.gen(function*() {
            const { runs } = yield* Spine.SpineClient
            const run = yield* DurableRun.run(name, runs.create({ prompt: name }), { provider: SpineWorkflow.provider })
            return run.status
          }), { concurrency: "unbounded" })
      )
      yield* Effect.gen(function*() {
        yield* Both.execute({ key: "x" }, { discard: true })
        yield* TestClock.withLive(until(Effect.map(waits, ({ length }) => length === 3)))
        yield* TestClock.adjust("91 minutes")
        assert.deepStrictEqual(yield* Both.execute({ key: "x" }), ["completed", "completed", "completed"])
        assert.strictEqual(yield* requestsOf("POST"), 3)
        assert.deepStrictEqual(yield* states, ["Finished", "Finished", "Finished"])
      }).pipe(Effect.provide(both))
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("reports a create of unknown outcome, and does not create again", () =>
    Effect.gen(function*() {
      yield* SpineEmulator.SpineEmulator.use((emulator) => emulator.fault(Fault.on(Fault.dropAfter, "POST")))
      const error = yield* Effect.flip(Report.execute({ topic: "tides" }))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.instanceOf(error.cause, RunError.TransportError)
      assert.deepStrictEqual(yield* states, ["Unknown"])
      yield* Effect.flip(Report.execute({ topic: "tides" }))
      assert.strictEqual(yield* requestsOf("POST"), 1)
    }).pipe(Effect.provide(layer())))

  it.effect("survives an outage of the provider for as long as the deadline allows", () =>
    Effect.gen(function*() {
      const outage = Fault.times(Fault.on(Fault.status(503), "GET"), 100)
      yield* SpineEmulator.SpineEmulator.use((emulator) => emulator.fault(outage))
      yield* start({ topic: "tides" })
      yield* TestClock.adjust("4 hours")
      assert.strictEqual(yield* Report.execute({ topic: "tides" }), "completed")
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("polls at once when a webhook says that the run has ended", () =>
    Effect.gen(function*() {
      const hub = yield* Webhooks.Webhooks
      yield* start({ topic: "tides" })
      yield* TestClock.adjust("10 minutes")
      const [wait] = yield* waits
      const polls = yield* requestsOf("GET")
      const delivery = { provider: "spine", runId: wait!.ref.id.toUpperCase(), isTerminal: true }
      assert.isTrue(yield* hub.deliver({ ...delivery, eventId: "1" }))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* requestsOf("GET"), polls + 1)
      // A duplicate, and an event that is not terminal
      assert.isFalse(yield* hub.deliver({ ...delivery, eventId: "1" }))
      assert.isTrue(yield* hub.deliver({ ...delivery, eventId: "2", isTerminal: false }))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* requestsOf("GET"), polls + 1)
    }).pipe(
      Effect.provide(Layer.provideMerge(Waits.layerWebhooks, layer(taking("90 minutes"))))
    ))

  it.effect("keeps the faults of a provider to their run: the others are polled and woken as before", () =>
    Effect.gen(function*() {
      const ref = RunRef.make({ provider: "acme", kind: "job", id: "1" })
      const sound: RunSource.RunSource<string, string, never> = {
        ref,
        retrieve: Effect.succeed({ value: "running", requestId: undefined, retryAfter: undefined }),
        classify: () => ({ _tag: "Pending" }),
        status: (status) => status,
        unchanged: (previous, next) => previous === next
      }
      const fault = () => {
        throw new Error("a fault of the provider")
      }
      const sources: Readonly<Record<string, () => Effect.Effect<RunSource.Any>>> = {
        throws: fault,
        dies: () => Effect.sync(fault),
        hangs: () => Effect.never,
        "dies in retrieve": () => Effect.succeed({ ...sound, retrieve: Effect.sync(fault) }),
        "returns no answer": () => Effect.succeed({ ...sound, retrieve: Effect.succeed(null) as never }),
        "throws in classify": () => Effect.succeed({ ...sound, classify: fault }),
        "returns no phase": () => Effect.succeed({ ...sound, classify: () => ({ _tag: "Done" }) as never })
      }
      const names = Object.keys(sources)
      const providers = names.map((name) => ({ name, success: Schema.String, source: sources[name]! }))
      const Broken = Workflow.make("Broken", {
        payload: { index: Schema.Int },
        error: DurableRun.Error,
        idempotencyKey: ({ index }) => `${index}`
      })
      const broken = Broken.toLayer(({ index }) =>
        DurableRun.wait("run", { ...ref, provider: names[index]! }, {
          provider: providers[index]!,
          timeout: "30 minutes"
        })
      )
      const program = Effect.gen(function*() {
        const { wake } = yield* Waits.Waits
        yield* start({ topic: "tides" })
        yield* Effect.forEach(names, (_, index) => Broken.execute({ index }, { discard: true }))
        yield* TestClock.withLive(until(Effect.map(waits, ({ length }) => length === names.length + 1)))
        yield* TestClock.adjust("10 minutes")
        const polls = yield* requestsOf("GET")
        assert.isAtMost(polls, 11)
        yield* Effect.forEach(names, (name) => wake(name, ref.id))
        yield* wake("spine", (yield* waits)[0]!.ref.id)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* requestsOf("GET"), polls + 1)
        yield* TestClock.adjust("30 minutes")
        const errors = yield* Effect.forEach(names, (_, index) => Effect.flip(Broken.execute({ index })))
        assert.deepStrictEqual(errors.map(({ _tag }) => _tag), names.map(() => "RunTimeoutError"))
        yield* TestClock.adjust("60 minutes")
        assert.strictEqual(yield* Report.execute({ topic: "tides" }), "completed")
        assert.deepStrictEqual(yield* waits, [])
      })
      yield* Effect.provide(
        program,
        Layer.merge(report, broken).pipe(
          Layer.provideMerge(
            Waits.layerMemory({ providers: [SpineWorkflow.provider, ...providers], pollInterval: "1 minute" })
          )
        )
      )
    }).pipe(
      Effect.provide(
        Layer.mergeAll(WorkflowEngine.layerMemory, RunStore.layerMemory, live(undefined, taking("90 minutes")))
      ),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))

  it.effect("fails a wait whose result or error its workflow cannot read", () =>
    Effect.gen(function*() {
      const ref = RunRef.make({ provider: "acme", kind: "job", id: "1" })
      const answers: ReadonlyArray<Effect.Effect<RunSource.Answer<unknown>, unknown>> = [
        Effect.succeed({ value: 5, requestId: undefined, retryAfter: undefined }),
        Effect.fail({ _tag: "JobGone", isRetryable: false, message: "the job is gone" }),
        Effect.fail(null)
      ]
      const providers = answers.map((retrieve, index) => ({
        name: `${index}`,
        success: Schema.String,
        source: () =>
          Effect.succeed<RunSource.Any>({
            ref,
            retrieve,
            classify: (run) => ({ _tag: "Succeeded", run }),
            status: String,
            unchanged: () => false
          })
      }))
      const Odd = Workflow.make("Odd", {
        payload: { index: Schema.Int },
        success: Schema.String,
        error: DurableRun.Error,
        idempotencyKey: ({ index }) => `${index}`
      })
      const odd = Odd.toLayer(({ index }) =>
        DurableRun.wait("run", { ...ref, provider: `${index}` }, { provider: providers[index]! })
      )
      const errors = yield* Effect.forEach(answers, (_, index) => Effect.flip(Odd.execute({ index }))).pipe(
        Effect.provide(odd.pipe(Layer.provideMerge(Waits.layerMemory({ providers }))))
      )
      for (const [index, text] of ["success of the provider", "the job is gone", "null"].entries()) {
        assert.instanceOf(errors[index], RunError.InvalidResponseError)
        assert.include(errors[index].message, text)
      }
    }).pipe(Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory])))

  it.effect("follows a source that is a class with private fields", () =>
    Effect.gen(function*() {
      const ref = RunRef.make({ provider: "acme", kind: "job", id: "1" })
      class Job implements RunSource.RunSource<string, string, never> {
        readonly ref = ref
        readonly #end = "done"
        readonly retrieve = Effect.succeed({ value: this.#end, requestId: undefined, retryAfter: undefined })
        classify(run: string): RunSource.Phase<string, never> {
          return run === this.#end ? { _tag: "Succeeded", run } : { _tag: "Pending" }
        }
        status(status: string) {
          return status === this.#end ? "ended" : status
        }
        unchanged(previous: string, next: string) {
          return previous === next && next !== this.#end
        }
      }
      const provider = { name: "acme", success: Schema.String, source: () => Effect.succeed(new Job()) }
      const Follow = Workflow.make("Follow", {
        payload: {},
        success: Schema.String,
        error: DurableRun.Error,
        idempotencyKey: () => "follow"
      })
      const follow = Follow.toLayer(() => DurableRun.wait("run", ref, { provider, timeout: "1 minute" }))
      const result = yield* Follow.execute({}).pipe(
        Effect.provide(follow.pipe(Layer.provideMerge(Waits.layerMemory({ providers: [provider] }))))
      )
      assert.strictEqual(result, "done")
    }).pipe(Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory])))

  it.effect("pauses before it creates again, however short the settling time is, and stands a storage that fails meanwhile", () =>
    Effect.gen(function*() {
      let lookups = 0
      let failures = 0
      const Lost = Workflow.make("Lost", {
        payload: {},
        success: RunRef.RunRef,
        error: DurableRun.Error,
        idempotencyKey: () => "lost"
      })
      const lost = Lost.toLayer(() =>
        Effect.gen(function*() {
          const { runs } = yield* Spine.SpineClient
          return yield* DurableRun.create("run", () => runs.create({ prompt: "x" }), {
            settlingTime: "1 millis",
            lookup: () => Effect.delay(Effect.sync(() => (lookups++, [])), "1 second")
          })
        })
      )
      const failing = Layer.effect(
        RunStore.RunStore,
        Effect.map(RunStore.RunStore, (store): RunStore.Service => ({
          ...store,
          reconcile: (key, lookup, options) =>
            Effect.suspend(() =>
              failures++ % 2 === 0
                ? Effect.fail(
                  new RunStore.RunStoreError({ message: "away", operation: "RunStore.reconcile", reason: "storage" })
                )
                : store.reconcile(key, lookup, options)
            )
        }))
      ).pipe(Layer.provide(RunStore.layerMemory))
      yield* Effect.gen(function*() {
        yield* SpineEmulator.SpineEmulator.use((emulator) =>
          emulator.fault(Fault.times(Fault.on(Fault.status(503), "POST"), 100))
        )
        const id = yield* Lost.execute({}, { discard: true })
        yield* TestClock.withLive(until(Effect.map(requestsOf("POST"), (count) => count > 0)))
        yield* TestClock.adjust("2 minutes")
        assert.isAbove(lookups, 1)
        assert.isAtMost(yield* requestsOf("POST"), 8)
        yield* Lost.interrupt(id)
      }).pipe(Effect.provide(lost.pipe(
        Layer.provideMerge(Layer.mergeAll(WorkflowEngine.layerMemory, failing, live(undefined, taking("90 minutes"))))
      )))
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("stores the ref of a run if the storage fails after the create and works again later", () => {
    let failures = 3
    const failing = Layer.effect(
      RunStore.RunStore,
      Effect.map(RunStore.RunStore, (store) => {
        const failed = (operation: string, ref: RunRef.RunRef) =>
          new RunStore.RunStoreError({ message: "the storage is away", operation, reason: "storage", ref })
        const runOnce: RunStore.Service["runOnce"] = (key, create, options) =>
          store.runOnce(key, create, options).pipe(
            Effect.tap((ref) => Effect.andThen(store.forget(key), Effect.fail(failed("RunStore.runOnce", ref))))
          )
        return {
          ...store,
          runOnce,
          attach: (key: string, ref: RunRef.RunRef) =>
            Effect.suspend(() => failures-- > 0 ? Effect.fail(failed("RunStore.attach", ref)) : store.attach(key, ref))
        }
      })
    ).pipe(Layer.provide(RunStore.layerMemory))
    return Effect.gen(function*() {
      const provider = yield* SpineEmulator.SpineEmulator
      const id = yield* Report.execute({ topic: "tides" }, { discard: true })
      const stored = Effect.map(states, (all) => all.length > 0)
      yield* TestClock.withLive(until(Effect.map(provider.runs, ({ length }) => length > 0)))
      while (!(yield* stored)) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* states, ["Created"])
      assert.lengthOf(yield* provider.runs, 1)
      assert.strictEqual(failures, -1)
      yield* Report.interrupt(id)
    }).pipe(
      Effect.provide(report.pipe(
        Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
        Layer.provideMerge(Layer.mergeAll(WorkflowEngine.layerMemory, failing, live(undefined, taking("90 minutes"))))
      )),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  })

  it.effect("creates again after a refusal in `Activity.retry`, and never after an unknown outcome", () =>
    Effect.gen(function*() {
      const provider = yield* SpineEmulator.SpineEmulator
      const Retrying = Workflow.make("Retrying", {
        payload: { topic: Schema.String },
        success: RunRef.RunRef,
        error: DurableRun.Error,
        idempotencyKey: ({ topic }) => topic
      })
      const retrying = Retrying.toLayer(Effect.fn(function*({ topic }) {
        const { runs } = yield* Spine.SpineClient
        return yield* DurableRun.create("run", runs.create({ prompt: topic })).pipe(Activity.retry({ times: 2 }))
      }))
      yield* Effect.gen(function*() {
        yield* provider.fault(Fault.on(Fault.status(400), "POST"))
        assert.strictEqual((yield* Retrying.execute({ topic: "tides" })).kind, "run")
        assert.strictEqual(yield* requestsOf("POST"), 2)
        yield* provider.fault(Fault.on(Fault.dropAfter, "POST"))
        const error = yield* Effect.flip(Retrying.execute({ topic: "winds" }))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.strictEqual(yield* requestsOf("POST"), 3)
      }).pipe(Effect.provide(retrying))
    }).pipe(Effect.provide(layer(taking("90 minutes")))))

  it.effect("spends from a budget: a create above its limit fails with its error, and the cost of a run counts once", () =>
    Effect.gen(function*() {
      const Paid = Workflow.make("Paid", {
        payload: { topic: Schema.String },
        error: DurableRun.Error,
        idempotencyKey: ({ topic }) => topic
      })
      const paid = Paid.toLayer(Effect.fn(function*({ topic }) {
        const { runs } = yield* Spine.SpineClient
        const budget = yield* Budget.Budget
        const create = budget.create(runs.create({ prompt: topic }), { estimate: 60 })
        const ref = yield* DurableRun.create("run", create)
        yield* budget.track(ref, DurableRun.wait("run", ref, { provider: SpineWorkflow.provider }))
      }))
      yield* Effect.gen(function*() {
        yield* Paid.execute({ topic: "tides" }, { discard: true })
        yield* TestClock.withLive(until(Effect.map(waits, ({ length }) => length === 1)))
        const error = yield* Effect.flip(Paid.execute({ topic: "winds" }))
        assert.instanceOf(error, Budget.BudgetExceededError)
        assert.deepInclude(error, { limit: 100, reserved: 60, estimate: 60 })
        assert.deepStrictEqual(yield* states, ["Created"])
        yield* TestClock.adjust("2 hours")
        yield* Paid.execute({ topic: "tides" })
        assert.deepInclude(yield* (yield* Budget.Budget).status(), { spent: 25, reserved: 0 })
      }).pipe(Effect.provide(Layer.provideMerge(paid, Budget.layerMemory({ limit: 100 }))))
    }).pipe(Effect.provide(layer({ script: { timeline: Timeline.make({ duration: "90 minutes" }), credits: 25 } }))))

  it.effect("rejects a wait for a run of a provider that the program does not poll", () =>
    Effect.gen(function*() {
      const Wrong = Workflow.make("Wrong", {
        payload: { provider: Schema.String },
        error: DurableRun.Error,
        idempotencyKey: ({ provider }) => provider
      })
      const wrong = Wrong.toLayer(({ provider }) =>
        DurableRun.wait("run", RunRef.make({ provider: "tela", kind: "execution", id: "1" }), {
          provider: { ...SpineWorkflow.provider, name: provider }
        })
      )
      const errors = yield* Effect.provide(
        Effect.forEach(["spine", "tela"], (provider) => Effect.flip(Wrong.execute({ provider }))),
        wrong
      )
      assert.deepStrictEqual(errors.map((error) => [error._tag, "parameter" in error && error.parameter]), [
        ["BadRequestError", "provider"],
        ["BadRequestError", "provider"]
      ])
      assert.deepStrictEqual(yield* waits, [])
    }).pipe(Effect.provide(layer())))
})
