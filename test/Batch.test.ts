import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Batch, Budget, RunError, RunRef, RunStore } from "canvas-runs"
import { noAnswer, refusedWith } from "./support/creates.ts"
import { size } from "./support/size.ts"

const refOf = (id: string) => RunRef.make({ provider: "test", kind: "run", id })

const about = (ref: RunRef.RunRef) => ({ ref, message: "test", attempts: 1, elapsed: Duration.zero })

/** A provider in memory that counts the runs of each input, and says how each create and each run ends. */
const provider = () => {
  const runs = new Map<string, number>()
  const delivered: Array<readonly [string, string]> = []
  const options = {
    key: (input: string) => input,
    create: (
      input: string
    ): Effect.Effect<{ readonly ref: RunRef.RunRef }, RunError.CreateError | RunError.CreateOutcomeUnknownError> => {
      if (input.startsWith("refused")) return refusedWith(400)
      if (input.startsWith("limited")) return refusedWith(429)
      if (input.startsWith("lost")) return Effect.fail(noAnswer)
      return Effect.sync(() => {
        runs.set(input, (runs.get(input) ?? 0) + 1)
        return { ref: refOf(input) }
      })
    },
    wait: (ref: RunRef.RunRef) =>
      ref.id.startsWith("failing")
        ? Effect.fail(new RunError.RunFailedError({ ...about(ref), errors: ["no"], run: {} }))
        : ref.id.startsWith("slow")
        ? Effect.fail(new Error("not yet"))
        : Effect.succeed(`result of ${ref.id}`),
    deliver: (outcome: { readonly key: string; readonly _tag: string }) =>
      Effect.sync(() => void delivered.push([outcome.key, outcome._tag]))
  }
  return { runs, delivered, options }
}

const inputs = ["good-1", "refused-1", "limited-1", "lost-1", "failing-1", "slow-1", "good-2"]

/** Functions that a program without types may pass. */
const wrong: { readonly [what: string]: () => never } = {
  "throws": () => {
    throw new Error("boom")
  },
  "returns a promise": () => Promise.resolve() as never
}

const all = <A, E>(outcomes: Stream.Stream<A, E, RunStore.RunStore>) => Stream.runCollect(outcomes)

const states = (outcomes: ReadonlyArray<Batch.Outcome<string, unknown, unknown>>) =>
  Object.fromEntries(outcomes.map(({ _tag, key }) => [key, _tag]))

const test = (title: string, body: Effect.Effect<void, unknown, RunStore.RunStore>) =>
  it.effect(title, () => Effect.provide(body, Layer.fresh(RunStore.layerMemory)))

describe("Batch.run", () => {
  for (const name of ["create", "wait", "deliver"] as const) {
    for (const [what, evaluate] of Object.entries(wrong)) {
      test(
        `a function ${name} that ${what} fails its input, and not the others`,
        Effect.gen(function*() {
          const { options } = provider()
          const right: (...args: ReadonlyArray<never>) => unknown = options[name]
          let calls = 0
          const function_ = (...args: ReadonlyArray<never>) => calls++ === 0 ? evaluate() : right(...args)
          const outcomes = yield* all(
            Batch.run(["good-1", "good-2"], { ...options, concurrency: 1, [name]: function_ } as typeof options)
          )
          assert.deepStrictEqual(states(outcomes), { "good-1": "Failed", "good-2": "Succeeded" })
          const [{ error }] = outcomes as unknown as readonly [{ readonly error: RunError.BadRequestError }]
          assert.instanceOf(error, RunError.BadRequestError)
          assert.include(error.message, name)
        })
      )
    }
  }

  test(
    "emits one outcome for each input, also if others fail",
    Effect.gen(function*() {
      const { delivered, options, runs } = provider()
      const outcomes = yield* all(Batch.run(inputs, options))
      assert.deepStrictEqual(states(outcomes), {
        "good-1": "Succeeded",
        "good-2": "Succeeded",
        "refused-1": "Failed",
        "limited-1": "Failed",
        "lost-1": "Failed",
        "failing-1": "Failed",
        "slow-1": "Failed"
      })
      assert.deepStrictEqual(new Set(delivered.map(([key]) => key)), new Set(inputs))
      assert.strictEqual(delivered.length, inputs.length)
      assert.deepStrictEqual([...runs.values()], [1, 1, 1, 1])
    })
  )

  test(
    "a second start skips inputs that have ended, tries the others again, and creates no second run",
    Effect.gen(function*() {
      const { delivered, options, runs } = provider()
      yield* all(Batch.run(inputs, options))
      delivered.length = 0
      const outcomes = yield* all(Batch.run(Stream.fromIterable(inputs), options))
      assert.deepStrictEqual(states(outcomes), {
        "good-1": "Earlier",
        "good-2": "Earlier",
        "refused-1": "Earlier",
        "failing-1": "Earlier",
        "limited-1": "Failed",
        "lost-1": "Failed",
        "slow-1": "Failed"
      })
      assert.deepStrictEqual(new Set(delivered.map(([key]) => key)), new Set(["limited-1", "lost-1", "slow-1"]))
      assert.deepStrictEqual([...runs.values()], [1, 1, 1, 1])
    })
  )

  test(
    "a second start tries an input again if its create had no credits, no budget or no permission",
    Effect.gen(function*() {
      const { options, runs } = provider()
      const refusals = [401, 402, 403]
      const none = yield* Effect.provide(Budget.Budget, Budget.layerMemory({ limit: 0 }))
      const create = (input: string) => {
        const status = refusals.find((status) => input === `${status}`)
        return status === undefined ? none.create(options.create(input), { estimate: 1 }) : refusedWith(status)
      }
      const keys = [...refusals.map(String), "good-1"]
      const first = yield* all(Batch.run(keys, { ...options, create }))
      assert.deepStrictEqual(
        new Set(first.map((outcome) => outcome._tag === "Failed" ? (outcome.error as { _tag: string })._tag : "")),
        new Set(["AuthenticationError", "UsageLimitError", "PermissionDeniedError", "BudgetExceededError"])
      )
      assert.strictEqual(runs.size, 0)
      const second = yield* all(Batch.run(keys, options))
      assert.deepStrictEqual(new Set(second.map(({ _tag }) => _tag)), new Set(["Succeeded"]))
      assert.strictEqual(runs.size, keys.length)
    })
  )

  test(
    "continues with the run that `reconcile` found by its tag, and reports a create that throws",
    Effect.gen(function*() {
      const { options } = provider()
      const tags: Array<string> = []
      const tagged = {
        ...options,
        create: (input: string) => {
          if (input === "thrown") throw new Error("no")
          return (tag: string) => Effect.suspend(() => tags.push(tag) > 0 ? Effect.fail(noAnswer) : Effect.never)
        }
      }
      assert.deepStrictEqual(states(yield* all(Batch.run(["a", "thrown"], tagged))), { a: "Failed", thrown: "Failed" })
      const store = yield* RunStore.RunStore
      assert.deepStrictEqual((yield* store.list()).map(({ key }) => key), ["a"])
      yield* store.reconcile("a", (tag) => Effect.succeed([refOf(`found by ${tag}`)]))
      const [outcome] = yield* all(Batch.run(["a"], tagged))
      assert(outcome?._tag === "Succeeded")
      assert.strictEqual(outcome.value, `result of found by ${tags[0]}`)
      assert.lengthOf(tags, 1)
    })
  )

  it.effect("an outcome has the run whose ref could not be stored", () =>
    Effect.gen(function*() {
      const { options } = provider()
      const [outcome] = yield* all(Batch.run(["good-1"], options))
      assert(outcome?._tag === "Failed")
      assert.instanceOf(outcome.error, RunStore.RunStoreError)
      assert.deepStrictEqual(outcome.ref, refOf("good-1"))
    }).pipe(
      Effect.provide(RunStore.layer),
      Effect.provide(Layer.effect(
        KeyValueStore.KeyValueStore,
        Effect.map(KeyValueStore.KeyValueStore, (storage) => ({
          ...storage,
          set: (key: string, value: string | Uint8Array) =>
            key.includes("/created/")
              ? Effect.fail(new KeyValueStore.KeyValueStoreError({ method: "set", key, message: "disk full" }))
              : storage.set(key, value)
        }))
      )),
      Effect.provide(KeyValueStore.layerMemory)
    ))

  test(
    "with `repeat`, emits the outcomes of earlier runs again, and creates no run",
    Effect.gen(function*() {
      const { options, runs } = provider()
      yield* all(Batch.run(["good-1", "failing-1"], options))
      const outcomes = yield* all(Batch.run(["good-1", "failing-1"], { ...options, repeat: true }))
      assert.deepStrictEqual(states(outcomes), { "good-1": "Succeeded", "failing-1": "Failed" })
      assert.deepStrictEqual([...runs.values()], [1, 1])
    })
  )

  test(
    "emits outcomes in the order in which they end, each with its input",
    Effect.gen(function*() {
      const { options } = provider()
      const fiber = yield* Effect.forkChild(all(Batch.run([3, 1, 2], {
        key: (seconds) => `${seconds}`,
        create: (seconds) => options.create(`good-${seconds}`),
        wait: (_, seconds) => Effect.as(Effect.sleep(Duration.seconds(seconds)), seconds)
      })))
      yield* TestClock.adjust("3 seconds")
      const outcomes = yield* Fiber.join(fiber)
      assert.deepStrictEqual(outcomes.map(({ input, key }) => [input, key]), [[1, "1"], [2, "2"], [3, "3"]])
    })
  )

  test(
    "has at most `concurrency` inputs in flight",
    Effect.gen(function*() {
      let [now, most] = [0, 0]
      const wait = Effect.acquireUseRelease(
        Effect.sync(() => most = Math.max(most, ++now)),
        () => Effect.sleep("1 second"),
        () => Effect.sync(() => now--)
      )
      const fiber = yield* Effect.forkChild(all(Batch.run(Array.from({ length: 20 }, (_, index) => `${index}`), {
        key: (input) => input,
        create: (input) => Effect.succeed({ ref: refOf(input) }),
        wait: () => wait,
        concurrency: 5
      })))
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(most, 5)
    })
  )

  test(
    "an error of deliver is the error of the outcome, and the input stays unfinished",
    Effect.gen(function*() {
      const { options } = provider()
      const [outcome] = yield* all(Batch.run(["good-1"], { ...options, deliver: () => Effect.fail("disk full") }))
      assert.deepInclude(outcome, { _tag: "Failed", error: "disk full", ref: refOf("good-1") })
      const store = yield* RunStore.RunStore
      assert.deepStrictEqual((yield* store.unfinished).map(({ key }) => key), ["good-1"])
      assert.deepStrictEqual(states(yield* all(Batch.run(["good-1"], options))), { "good-1": "Succeeded" })
    })
  )

  test(
    "an interruption stops the waits, and the next start continues with them",
    Effect.gen(function*() {
      const { options, runs } = provider()
      const waiting = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(all(Batch.run(["good-1"], {
        ...options,
        wait: () => Effect.andThen(Deferred.succeed(waiting, undefined), Effect.never)
      })))
      yield* Deferred.await(waiting)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(states(yield* all(Batch.run(["good-1"], options))), { "good-1": "Succeeded" })
      assert.deepStrictEqual([...runs.values()], [1])
    })
  )

  test(
    "a key that throws, or that is not text, fails only its input",
    Effect.gen(function*() {
      const { options } = provider()
      const outcomes = yield* all(Batch.run(["good-1", "boom", "odd"], {
        ...options,
        key: (input) => {
          if (input === "boom") throw new Error("boom")
          return (input === "odd" ? 5 : input) as string
        }
      }))
      assert.deepStrictEqual(
        new Set(outcomes.map(({ _tag, input }) => `${input} ${_tag}`)),
        new Set([
          "good-1 Succeeded",
          "boom Failed",
          "odd Failed"
        ])
      )
    })
  )

  for (
    const [name, bad] of Object.entries({
      "a misspelt option": { concurency: 5 },
      "no create": { create: undefined },
      "a wait that is not a function": { wait: Effect.void },
      "a concurrency of zero": { concurrency: 0 },
      "a repeat that is text": { repeat: "yes" }
    })
  ) {
    test(
      `${name} is a BadRequestError before any create`,
      Effect.gen(function*() {
        const { options, runs } = provider()
        const exit = yield* Effect.exit(all(Batch.run(["good-1"], { ...options, ...bad } as typeof options)))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(JSON.stringify(exit), "BadRequestError")
        assert.strictEqual(runs.size, 0)
      })
    )
  }

  test(
    "an error of the stream of inputs fails the batch, after the inputs under way have ended",
    Effect.gen(function*() {
      const { options } = provider()
      const broken = Stream.concat(Stream.make("good-1"), Stream.fail("broken"))
      const seen: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(Batch.run(broken, options), ({ key }) => Effect.sync(() => seen.push(key)))
      )
      assert.deepStrictEqual(exit, Exit.fail("broken"))
    })
  )
})

describe("Batch.summary and Batch.progress", () => {
  test(
    "count the outcomes, and the failures by the tag of their error",
    Effect.gen(function*() {
      const { options } = provider()
      yield* all(Batch.run(["good-1"], options))
      const summary = yield* Stream.run(Batch.run(inputs, options), Batch.summary)
      assert.deepStrictEqual(summary, {
        succeeded: 1,
        earlier: 1,
        failed: 5,
        errors: {
          BadRequestError: 1,
          RateLimitError: 1,
          CreateOutcomeUnknownError: 1,
          RunFailedError: 1,
          Error: 1
        }
      })
      const counts = yield* all(Batch.progress(Batch.run(inputs, options)))
      assert.deepStrictEqual(
        counts.map(({ earlier, failed, succeeded }) => earlier + failed + succeeded),
        inputs.map((_, index) => index + 1)
      )
    })
  )
})

describe("a batch whose process is killed", () => {
  it.effect("at any step of the store ends every run at the next start, and creates none twice", () =>
    Effect.gen(function*() {
      const many = inputs.flatMap((input) => [input, `${input}0`]).filter((input) => !input.startsWith("lost"))
      for (let step = 0; step < 60; step += size(3, 1)) {
        const content = new Map<string, string>()
        const { options, runs } = provider()
        /** A storage that never answers from a step on: its process has been killed. */
        const storageUntil = (killedAt: number) => {
          let steps = 0
          const alive = <A>(use: () => A) => Effect.suspend(() => ++steps > killedAt ? Effect.never : Effect.sync(use))
          return KeyValueStore.makeStringOnly({
            get: (key) => alive(() => content.get(key)),
            set: (key, value) => alive(() => void content.set(key, value)),
            remove: (key) => alive(() => void content.delete(key)),
            clear: alive(() => content.clear()),
            size: alive(() => content.size),
            keys: alive(() => [...content.keys()])
          })
        }
        const storeUntil = (killedAt: number) =>
          Effect.provideService(RunStore.make, KeyValueStore.KeyValueStore, storageUntil(killedAt))
        const start = (killedAt: number) =>
          Effect.provideServiceEffect(
            Stream.runDrain(Batch.run(many, { ...options, concurrency: 3 })),
            RunStore.RunStore,
            storeUntil(killedAt)
          )
        yield* Effect.forkDetach(start(step))
        yield* TestClock.adjust("1 minute")
        yield* start(Infinity)
        for (const count of runs.values()) assert.strictEqual(count, 1, `step ${step}`)
        const { unfinished } = yield* storeUntil(Infinity)
        const open = (yield* unfinished).filter(({ _tag }) => _tag === "Created").map(({ key }) => key)
        assert.deepStrictEqual(open.filter((key) => !key.startsWith("slow")), [], `step ${step}`)
      }
    }))
})
