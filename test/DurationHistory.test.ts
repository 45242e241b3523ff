import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Redacted, Stream } from "effect"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { DurationHistory, Polling, Run, RunRef, Spine, Tela } from "canvas-runs"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"

const { DurationHistory: History, layer, layerMemory } = DurationHistory
const report = { provider: "spine", kind: "run", template: "report" }
const refOf = (id: string, template = "report") => RunRef.make({ provider: "spine", kind: "run", id, template })

const minutes = (kind: DurationHistory.Kind) =>
  Effect.map(
    Effect.flatMap(History, ({ durations }) => durations(kind)),
    (durations) => durations.map(Duration.toMinutes)
  )

/** A history on a store, as another process has it. */
const elsewhere = <A, E>(
  self: Effect.Effect<A, E, DurationHistory.DurationHistory>,
  storage: KeyValueStore.KeyValueStore
) => Effect.provide(self, Layer.provide(layer, Layer.succeed(KeyValueStore.KeyValueStore, storage)))

const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") })
const emulator = (duration: Duration.Input, outcome: Timeline.Outcome = "completed") =>
  Layer.provideMerge(
    spine,
    SpineEmulator.layerTest({
      script: {
        timeline: Timeline.make({ duration, outcome, progress: () => ({ completed: 0, total: 0 }) }),
        estimatedDuration: "15 minutes"
      }
    })
  )

/** Runs one run after another, and returns the polls of each. */
const polls = (params: Spine.CreateRunParams, count: number, wait?: Polling.Options<Spine.Run>) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const counts: Array<number> = []
    for (let i = 0; i < count; i++) {
      const created = yield* runs.create(params)
      const fiber = yield* Effect.forkChild(Stream.runCount(runs.polls(created, { timeout: "3 hours", ...wait })))
      yield* TestClock.adjust("3 hours")
      counts.push(yield* Fiber.join(fiber))
    }
    return counts
  })

const adaptive = Polling.adaptive({ targetLatency: "15 seconds", jitter: false })

describe("DurationHistory: what it records", () => {
  it.effect("a run that succeeds is recorded under its template, once", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const created = yield* runs.create({ prompt: "Tides", template: "report" })
      const fiber = yield* Effect.forkChild(
        Effect.all([runs.waitForCompletion(created), runs.waitForCompletion(created)], { concurrency: 2 })
      )
      yield* TestClock.adjust("15 minutes")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* minutes(report), [10])
      assert.deepStrictEqual(yield* minutes({ ...report, template: "memo" }), [])
    }).pipe(Effect.provide([emulator("10 minutes"), layerMemory])))

  it.effect("a run without a template is of the template auto, and the blocks are a template too", () =>
    Effect.gen(function*() {
      yield* polls({ prompt: "Tides" }, 1)
      yield* polls({ prompt: "Tides", template: "memo", blocks: ["text-block"] }, 1)
      assert.deepStrictEqual(yield* minutes({ ...report, template: "auto" }), [10])
      assert.deepStrictEqual(yield* minutes({ ...report, template: "memo" }), [])
      assert.deepStrictEqual(yield* minutes({ ...report, template: JSON.stringify(["text-block"]) }), [10])
    }).pipe(Effect.provide([emulator("10 minutes"), layerMemory])))

  it.effect("a run that fails is recorded as well", () =>
    Effect.gen(function*() {
      yield* polls({ prompt: "Tides", template: "report" }, 1)
      const [known] = yield* minutes(report)
      assert.closeTo(known!, 10, 0.1)
    }).pipe(Effect.provide([emulator("10 minutes", "failed"), layerMemory])))

  it.effect("a run that is named by its id alone is not recorded", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { run_id } = yield* runs.create({ prompt: "Tides", template: "report" })
      const fiber = yield* Effect.forkChild(runs.waitForCompletion(run_id))
      yield* TestClock.adjust("15 minutes")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* minutes(report), [])
    }).pipe(Effect.provide([emulator("10 minutes"), layerMemory])))

  it.effect("an execution of Tela ended in the middle between two polls, and one that had ended before is not recorded", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const id = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
      const canvas = tela.canvas.make({ id })
      const kind = { provider: "tela", kind: "execution", template: id }
      const execution = yield* canvas.execute({}, { async: true, pollingInterval: "2m", pollingTimeout: "1h" })
      assert.strictEqual(execution.ref.template, id)
      const fiber = yield* Effect.forkChild(execution.result)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* minutes(kind), [11])
      yield* (yield* canvas.getExecution(execution.id)).result
      const late = yield* canvas.execute({}, { async: true })
      yield* TestClock.adjust("1 hour")
      yield* late.result
      assert.deepStrictEqual(yield* minutes(kind), [11])
      assert.strictEqual((yield* canvas.getExecution(late.id)).ref.template, id)
    }).pipe(Effect.provide([
      Layer.provideMerge(
        Tela.layer({ apiKey: Redacted.make("tela_test") }),
        TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "11.5 minutes" }), output: "" } })
      ),
      layerMemory
    ])))

  it.effect("wrong durations are a BadRequestError", () =>
    Effect.gen(function*() {
      const { record } = yield* History
      for (const wrong of [0, -1, Infinity, Number.NaN, "soon" as never, "400 days" as const, 366 * 86_400_000 - 0.4]) {
        assert.strictEqual((yield* Effect.flip(record(refOf("1"), wrong))).parameter, "duration")
      }
      assert.deepStrictEqual(yield* minutes(report), [])
    }).pipe(Effect.provide(layerMemory)))

  it.effect("a value that is not a ref is a BadRequestError, and changes nothing", () =>
    Effect.gen(function*() {
      const { record } = yield* History
      yield* record(refOf("1"), "1 minute")
      for (const wrong of [null, "1", {}, { ...refOf("1"), id: "" }, { ...refOf("1"), id: 1 }]) {
        assert.strictEqual((yield* Effect.flip(record(wrong as never, "2 minutes"))).parameter, "ref")
      }
      assert.deepStrictEqual(yield* minutes(report), [1])
    }).pipe(Effect.provide(layerMemory)))

  it.effect("it keeps the last 64 runs of a kind, and 256 kinds", () =>
    Effect.gen(function*() {
      const storage = yield* KeyValueStore.KeyValueStore
      const { record } = yield* History
      for (let run = 1; run <= 70; run++) yield* record(refOf(`${run}`), `${run} minutes`)
      assert.deepStrictEqual(yield* minutes(report), Array.from({ length: 64 }, (_, index) => index + 7))
      for (let kind = 0; kind < 300; kind++) yield* record(refOf("1", `kind ${kind}`), "1 minute")
      assert.isAtMost((yield* storage.keys).length, 256)
      assert.deepStrictEqual(yield* minutes({ ...report, template: "kind 299" }), [1])
    }).pipe(Effect.provide(Layer.provideMerge(layer, KeyValueStore.layerMemory))))
})

describe("DurationHistory: its storage", () => {
  it.effect("processes that share a storage learn from each other, and a new one from both", () =>
    Effect.gen(function*() {
      const storage = yield* KeyValueStore.KeyValueStore
      yield* elsewhere(
        Effect.gen(function*() {
          const { record } = yield* History
          yield* record(refOf("1"), "1 minute")
          yield* TestClock.adjust("1 second")
          yield* elsewhere(Effect.flatMap(History, ({ record }) => record(refOf("2"), "2 minutes")), storage)
          yield* TestClock.adjust("1 second")
          yield* record(refOf("3"), "3 minutes")
          assert.deepStrictEqual(yield* minutes(report), [1, 2, 3])
        }),
        storage
      )
      assert.deepStrictEqual(yield* elsewhere(minutes(report), storage), [1, 2, 3])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  for (
    const [name, text] of Object.entries({
      "is not JSON": "{",
      "has another form": "[]",
      "has a duration that is not one": JSON.stringify({ version: 1, runs: [{ id: "1", at: 0, duration: -1 }] })
    })
  ) {
    it.effect(`a record that ${name} is as good as none, and is written again`, () =>
      Effect.gen(function*() {
        const storage = yield* KeyValueStore.KeyValueStore
        yield* elsewhere(Effect.flatMap(History, ({ record }) => record(refOf("1"), "1 minute")), storage)
        const [key] = yield* storage.keys
        yield* storage.set(key!, text)
        assert.deepStrictEqual(yield* elsewhere(minutes(report), storage), [])
        yield* elsewhere(Effect.flatMap(History, ({ record }) => record(refOf("2"), "2 minutes")), storage)
        assert.deepStrictEqual(yield* elsewhere(minutes(report), storage), [2])
      }).pipe(Effect.provide(KeyValueStore.layerMemory)))
  }

  it.effect("a run that another process has recorded is not recorded again", () =>
    Effect.gen(function*() {
      const storage = yield* KeyValueStore.KeyValueStore
      for (const duration of ["1 minute", "2 minutes"] as const) {
        yield* elsewhere(Effect.flatMap(History, ({ record }) => record(refOf("1"), duration)), storage)
      }
      assert.deepStrictEqual(yield* elsewhere(minutes(report), storage), [1])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it.effect("a ref with an estimate that is not finite does not make the record unreadable", () =>
    Effect.gen(function*() {
      const storage = yield* KeyValueStore.KeyValueStore
      const ref = { ...refOf("1"), createdAt: 0, estimatedDurationMs: Infinity }
      yield* elsewhere(
        Effect.gen(function*() {
          yield* Effect.flatMap(History, ({ record }) => record(ref, "1 minute"))
          let polls = 0
          const source = {
            ref: { ...ref, id: "2" },
            retrieve: Effect.sync(() => ({ value: ++polls, requestId: undefined, retryAfter: undefined })),
            status: String,
            unchanged: Object.is,
            classify: (run: number) => run > 1 ? { _tag: "Succeeded" as const, run } : { _tag: "Pending" as const }
          }
          const policy = yield* Polling.makePolicy("test", undefined, { pollInterval: "4 minutes", timeout: "1 hour" })
          const fiber = yield* Effect.forkChild(Run.wait(source, policy))
          yield* TestClock.adjust("4 minutes")
          yield* Fiber.join(fiber)
        }),
        storage
      )
      assert.deepStrictEqual(yield* elsewhere(minutes(report), storage), [1, 2])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  const failing = (self: Effect.Effect<never, KeyValueStore.KeyValueStoreError>) =>
    KeyValueStore.makeStringOnly({
      get: () => self,
      set: () => self,
      remove: () => self,
      clear: self,
      size: self,
      keys: self
    })

  for (
    const [name, fault] of Object.entries({
      fails: Effect.fail(new KeyValueStore.KeyValueStoreError({ method: "get", message: "the disk is full" })),
      throws: Effect.die("a bug"),
      "never answers": Effect.never
    })
  ) {
    it.effect(`a storage that ${name} delays a run by a second at most, fails no wait, and is logged once`, () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      return Effect.gen(function*() {
        const { runs } = yield* Spine.SpineClient
        const created = yield* runs.create({ prompt: "Tides", template: "report" })
        const fiber = yield* Effect.forkChild(runs.waitForCompletion(created, { pollInterval: "1 minute" }))
        yield* TestClock.adjust("10 minutes")
        // Only an adaptive schedule waits for the storage before a pause
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0]!,
          /could not be stored \((?:the disk is full|.*a bug|Operation timed out).*waits continue/
        )
        // This process has learnt from it
        assert.deepStrictEqual(yield* minutes(report), [10])
      }).pipe(Effect.provide([
        emulator("10 minutes"),
        Layer.provide(layer, Layer.succeed(KeyValueStore.KeyValueStore, failing(fault))),
        Logger.layer([logger])
      ]))
    })
  }
})

describe("DurationHistory: what adaptive schedules learn", () => {
  const params = { prompt: "Tides", template: "report" } as const
  // 45 minutes, and the provider says 15
  const slow = emulator("45 minutes")

  it.effect("a run that takes three times its estimate needs fewer polls after each of the first", () =>
    Effect.gen(function*() {
      const alone = (yield* polls(params, 1, { schedule: adaptive }))[0]!
      const [first, second, third, ...others] = yield* Effect.provide(
        polls(params, 12, { schedule: adaptive }),
        layerMemory
      )
      assert.strictEqual(first, alone)
      assert.isBelow(second!, first!)
      assert.isBelow(third!, 0.8 * second!)
      assert.isBelow(others.at(-1)!, 0.3 * first!)
    }).pipe(Effect.provide(slow)))

  it.effect("a schedule that is changed by combinators learns too", () =>
    Effect.gen(function*() {
      const schedule = Polling.adaptive({ targetLatency: "15 seconds", jitter: false })
      const changed = schedule.pipe((self) =>
        Object.assign(Object.create(Object.getPrototypeOf(self) as object), self, {
          "~canvas-runs/Polling/delay": undefined
        }) as typeof self
      )
      assert.deepStrictEqual(
        yield* Effect.provide(polls(params, 3, { schedule: changed }), layerMemory),
        yield* Effect.provide(polls(params, 3, { schedule }), layerMemory)
      )
    }).pipe(Effect.provide(slow)))

  it.effect("other kinds and other schedules are not changed by it", () =>
    Effect.gen(function*() {
      const memo = { ...params, template: "memo" } as const
      const alone = yield* polls(memo, 1, { schedule: adaptive })
      const fixed = yield* polls(params, 1)
      yield* Effect.gen(function*() {
        yield* polls(params, 3, { schedule: adaptive })
        assert.deepStrictEqual(yield* polls(memo, 1, { schedule: adaptive }), alone)
        assert.deepStrictEqual(yield* polls(params, 1), fixed)
      }).pipe(Effect.provide(layerMemory))
    }).pipe(Effect.provide(slow)))

  it.effect("pastDurations that are given come before the history", () =>
    Effect.gen(function*() {
      const schedule = Polling.adaptive({
        targetLatency: "15 seconds",
        jitter: false,
        pastDurations: ["10 minutes", "50 minutes"]
      })
      const counts = yield* Effect.provide(polls(params, 3, { schedule }), layerMemory)
      assert.strictEqual(new Set(counts).size, 1)
    }).pipe(Effect.provide(slow)))

  it.effect("runs that are awaited together learn and teach", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { record } = yield* History
      for (let run = 0; run < 20; run++) yield* record(refOf(`${run}`), "45 minutes")
      const [alone] = yield* Effect.provide(polls(params, 1, { schedule: adaptive }), Layer.fresh(layerMemory))
      const created = yield* Effect.all([runs.create(params), runs.create(params)])
      const fiber = yield* Effect.forkChild(
        Stream.runCount(runs.completions(created, { schedule: adaptive, timeout: "3 hours" }))
      )
      yield* TestClock.adjust("3 hours")
      assert.strictEqual(yield* Fiber.join(fiber), 2)
      assert.strictEqual((yield* minutes(report)).length, 22)
      const [, ...others] = yield* (yield* SpineEmulator.SpineEmulator).runs
      for (const { polls } of others) assert.isBelow(polls, 0.3 * alone!)
    }).pipe(Effect.provide([slow, layerMemory])))
})

describe("the option polling of a client", () => {
  const client = (polling: Polling.PollSchedule) =>
    Layer.provideMerge(
      Spine.layer({ apiKey: Redacted.make("sk_spine_test"), polling }),
      SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "10 minutes" }) } })
    )

  it.effect("is the schedule of Spine's waits, and the options of a wait come first", () =>
    Effect.gen(function*() {
      const params = { prompt: "Tides" }
      assert.deepStrictEqual(yield* polls(params, 1), [11])
      assert.deepStrictEqual(yield* polls(params, 1, { pollInterval: "2 minutes" }), [6])
      assert.deepStrictEqual(yield* polls(params, 1, { schedule: Polling.fixed("5 minutes") }), [3])
    }).pipe(Effect.provide(client(Polling.fixed("1 minute")))))

  it.effect("is the schedule of Tela's executions", () =>
    Effect.gen(function*() {
      const canvas = (yield* Tela.TelaClient).canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
      for (const params of [{}, { pollingInterval: "2m" } as const]) {
        const fiber = yield* Effect.forkChild(canvas.run({}, { pollingTimeout: "1h", ...params }))
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
      }
      const executions = yield* (yield* TelaEmulator.TelaEmulator).runs
      assert.deepStrictEqual(executions.map(({ polls }) => polls), [11, 6])
    }).pipe(Effect.provide(Layer.provideMerge(
      Tela.layer({ apiKey: Redacted.make("tela_test"), polling: Polling.fixed("1 minute") }),
      TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "10 minutes" }), output: "" } })
    ))))

  it.effect("that is not a Schedule is an error before anything is created", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const error = yield* Effect.flip(runs.run({ prompt: "Tides" }))
      assert.strictEqual(error._tag === "BadRequestError" && error.parameter, "schedule")
      assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).runs, [])
    }).pipe(Effect.provide(client("5 seconds" as never))))
})
