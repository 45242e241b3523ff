/**
 * Runs a stream of inputs, each under a key, and returns a stream of outcomes. The runs survive the process.
 *
 * **When to use**
 *
 * For hundreds or thousands of inputs that must each have one run, in a program that may be killed. For a few runs use
 * `Effect.forEach` with `RunStore.runOnce`; for runs whose loss does not matter use `completions` of the client.
 *
 * **Details**
 *
 * A batch uses the {@link module:RunStore}. Started again with the same inputs, it creates no run twice, waits for the runs that were
 * created, and reports an input that has ended before as `Earlier`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import * as Options from "./internal/options.ts"
import { read as readRef, type RunRef } from "./internal/ref.ts"
import { isOurs } from "./internal/taggedError.ts"
import type { BadRequestError, CreateOutcomeUnknownError } from "./RunError.ts"
import * as RunStore from "./RunStore.ts"

/**
 * The outcome of one input.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome<Input, A, E> =
  | {
    /** The run succeeded. */
    readonly _tag: "Succeeded"
    /** The key of the input. */
    readonly key: string
    /** The input. */
    readonly input: Input
    /** The run. */
    readonly ref: RunRef
    /** The result of `wait`. */
    readonly value: A
  }
  | {
    /** The create, the wait or the delivery failed. */
    readonly _tag: "Failed"
    /** The key of the input. Empty if the function `key` threw. */
    readonly key: string
    /** The input. */
    readonly input: Input
    /** The run. Absent if none was created, or if it is not known whether one was. */
    readonly ref: RunRef | undefined
    /** Why it failed. */
    readonly error: E
  }
  | {
    /** The input ended before this batch was started. */
    readonly _tag: "Earlier"
    /** The key of the input. */
    readonly key: string
    /** The input. */
    readonly input: Input
    /** The run. Absent if the provider refused to create one. */
    readonly ref: RunRef | undefined
  }

/**
 * The result of a create.
 *
 * @category models
 * @since 0.1.0
 */
export interface HasRef {
  /** The run that was created. */
  readonly ref: RunRef
}

/**
 * Options for {@link run}.
 *
 * @category options
 * @since 0.1.0
 */
export interface BatchOptions<Input, A, CE, WE, DE, CR, WR, DR> {
  /** Names the input. The same key in a later start is the same piece of work. */
  readonly key: (input: Input) => string
  /**
   * Creates the run of an input: `(prompt) => spine.runs.create({ prompt })`, or any other effect whose result has a `ref`. It may return
   * a function of a tag, so that `reconcile` of the store can resolve an unknown outcome:
   * `(topic) => (tag) => canvas.execute({ topic }, { async: true, tags: [tag] })`.
   */
  readonly create: (input: Input) => RunStore.Create<HasRef, CE, CR>
  /** Waits for a run: `(ref) => spine.runs.waitForCompletion(ref, { timeout: "2 hours" })`. */
  readonly wait: (ref: RunRef, input: Input) => Effect.Effect<A, WE, WR>
  /**
   * Delivers an outcome, for example to a file or a database, before its input is marked as ended. If the process is killed between the
   * two, the outcome is delivered again by the next start. Delivery is at least once, so write the outcome under its `key`. An error of
   * `deliver` becomes the `error` of the outcome, and the input stays unfinished. It is not called for `Earlier`.
   *
   * @default does nothing
   */
  readonly deliver?:
    | ((
      outcome: Exclude<Outcome<Input, A, CE | WE | StoreError>, { readonly _tag: "Earlier" }>
    ) => Effect.Effect<void, DE, DR>)
    | undefined
  /**
   * How many inputs may be in flight: in their create, wait or delivery.
   *
   * @default 64
   */
  readonly concurrency?: number | undefined
  /**
   * Whether to wait again for the run of an input that ended before, and so repeat its outcome. No run is created for it.
   *
   * @default false
   */
  readonly repeat?: boolean | undefined
}

/**
 * The errors that the store adds to those of the effects.
 *
 * @category models
 * @since 0.1.0
 */
export type StoreError = BadRequestError | CreateOutcomeUnknownError | RunStore.RunStoreError

/**
 * Runs each input once, and returns a stream of outcomes: one for each input, in the order in which they end.
 *
 * **Details**
 *
 * A failure of one input is an outcome and does not stop the others. The stream fails only if the stream of inputs does. A function of
 * the options that throws, or returns no Effect, fails its input with a `BadRequestError`.
 *
 * An input has ended if its run succeeded or failed, or if its output does not decode. It has also ended if its create made no run and
 * failed with an error about the input that is not retryable, such as a `BadRequestError`. After every other failure (a timeout, an outage,
 * a create of unknown outcome, a rejected API key, no credits, a `BudgetExceededError`) the next start tries the input again. A create of
 * unknown outcome is not repeated: before the next start, decide about it with `reconcile`, `attach` or `forget` of the store.
 *
 * Interruption stops the waits, not the runs. The next start continues with them.
 *
 * **Example** (Three inputs, and a second start)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Stream } from "effect"
 * import { Batch, RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const report = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   return yield* Batch.run(["Cats", "Dogs", "Parrots"], {
 *     key: (topic) => `report/${topic}`,
 *     create: (topic) => spine.runs.create({ prompt: `A report on ${topic}` }),
 *     wait: (ref) => spine.runs.waitForCompletion(ref)
 *   }).pipe(Stream.run(Batch.summary))
 * })
 *
 * const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *   Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 * const layers = Layer.mergeAll(spine, RunStore.layerMemory)
 * const both = Effect.all([report, report]).pipe(Effect.provide(layers))
 *
 * const [first, second] = await Effect.runPromise(both)
 * console.log(first.succeeded, second.succeeded, second.earlier) // => 3 0 3
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <
  Input,
  A,
  CE,
  WE,
  DE = never,
  CR = never,
  WR = never,
  DR = never,
  InputError = never,
  InputServices = never
>(
  inputs: Iterable<Input> | Stream.Stream<Input, InputError, InputServices>,
  options: BatchOptions<Input, A, CE, WE, DE, CR, WR, DR>
): Stream.Stream<
  Outcome<Input, A, CE | WE | DE | StoreError>,
  InputError | BadRequestError,
  RunStore.RunStore | CR | WR | DR | InputServices
> =>
  Stream.unwrap(Effect.gen(function*() {
    yield* Options.checkGiven(operation, "inputs", inputs, isInputs, "an array, another iterable, or a Stream")
    const settings = yield* check(options)
    const store = yield* RunStore.RunStore
    const source = Stream.isStream(inputs) ? inputs : Stream.fromIterable(inputs)
    return Stream.mapEffect(source, (input) => process(store, settings, input), {
      concurrency: settings.concurrency ?? 64,
      unordered: true
    })
  }))

const operation = "Batch.run"

const isInputs = (value: unknown): boolean =>
  Stream.isStream(value) || Predicate.isIterable(value) && !Predicate.isString(value)

const optionNames = ["key", "create", "wait", "deliver", "concurrency", "repeat"]

const check = Effect.fnUntraced(function*<Input, A, CE, WE, DE, CR, WR, DR>(
  given: BatchOptions<Input, A, CE, WE, DE, CR, WR, DR>
) {
  const options = yield* Options.copyRequired(operation, "options", given, optionNames)
  const isFunction = (name: "key" | "create" | "wait" | "deliver", value: unknown) =>
    Options.checkGiven(operation, name, value, Predicate.isFunction, "a function of an input")
  yield* isFunction("key", options.key)
  yield* isFunction("create", options.create)
  yield* isFunction("wait", options.wait)
  if (options.deliver !== undefined) yield* isFunction("deliver", options.deliver)
  yield* Options.checkKind(operation, "concurrency", options.concurrency, Options.isCount, "a whole number, 1 or more")
  yield* Options.checkKind(operation, "repeat", options.repeat, Predicate.isBoolean, "true or false")
  return options
})

/** Creates the run of one input, waits for it, and delivers the outcome. */
const process = <Input, A, CE, WE, DE, CR, WR, DR>(
  store: RunStore.Service,
  options: BatchOptions<Input, A, CE, WE, DE, CR, WR, DR>,
  input: Input
): Effect.Effect<Outcome<Input, A, CE | WE | DE | StoreError>, never, CR | WR | DR> =>
  Effect.suspend(() => {
    const { create, deliver: deliver_ = () => Effect.void, repeat = false, wait } = options
    const deliver = (outcome: Parameters<typeof deliver_>[0]) =>
      Options.calling(operation, "deliver", () => deliver_(outcome))
    let key = ""
    const failed = <E>(ref: RunRef | undefined, error: E) => ({ _tag: "Failed" as const, key, input, ref, error })
    let ref: RunRef | undefined
    const attempt = Effect.gen(function*() {
      key = yield* Options.reading(operation, "key", () => Effect.succeed(options.key(input)))
      const entry = yield* store.get(key)
      if (!repeat && (entry?._tag === "Finished" || entry?._tag === "Refused")) {
        return { _tag: "Earlier" as const, key, input, ref: entry._tag === "Finished" ? entry.ref : undefined }
      }
      const creating = yield* Options.reading(operation, "create", () => Effect.succeed(create(input)))
      const created = yield* Effect.result(store.runOnce(key, creating))
      if (Result.isFailure(created)) {
        const outcome = failed(refOf(created.failure), created.failure)
        yield* deliver(outcome)
        if (isFinal(created.failure) && (yield* store.get(key)) === undefined) yield* store.refuse(key)
        return outcome
      }
      const run = ref = created.success
      const value = yield* store.track(
        key,
        Effect.matchEffect(Options.calling(operation, "wait", () => wait(run, input)), {
          onSuccess: (value) => Effect.as(deliver({ _tag: "Succeeded", key, input, ref: run, value }), value),
          onFailure: (error) => Effect.andThen(deliver(failed(run, error)), Effect.fail(error))
        })
      )
      return { _tag: "Succeeded" as const, key, input, ref: run, value }
    })
    return Effect.catch(attempt, (error) => Effect.succeed(failed(ref, error)))
  })

/** The run of a create that failed after it: the storage, or a later step of the create, failed. */
const refOf = (error: unknown): RunRef | undefined =>
  isOurs(error, "RunStoreError", "OnCreatedError") ? readRef((error as { readonly ref?: unknown }).ref) : undefined

/** Errors about the API key, the credits or the configuration: the same input may succeed later. */
const configurationErrors: ReadonlySet<unknown> = /*#__PURE__*/ new Set([
  "AuthenticationError",
  "PermissionDeniedError",
  "UsageLimitError",
  "BudgetExceededError",
  "ConfigError"
])

/** Whether the same input would fail again. */
const isFinal = (error: unknown): boolean =>
  Predicate.hasProperty(error, "isRetryable") && error.isRetryable === false &&
  !(Predicate.hasProperty(error, "_tag") && configurationErrors.has(error._tag))

/**
 * The number of inputs for each outcome.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  /** Inputs whose run succeeded. */
  readonly succeeded: number
  /** Inputs whose create, wait or delivery failed. */
  readonly failed: number
  /** Inputs that ended before the batch was started. */
  readonly earlier: number
  /** The number of failures by the `_tag` of their error, or by its name if it has no tag. */
  readonly errors: { readonly [tag: string]: number }
}

const nothing: Summary = { succeeded: 0, failed: 0, earlier: 0, errors: {} }

const add = (summary: Summary, outcome: Outcome<unknown, unknown, unknown>): Summary => {
  switch (outcome._tag) {
    case "Succeeded":
      return { ...summary, succeeded: summary.succeeded + 1 }
    case "Earlier":
      return { ...summary, earlier: summary.earlier + 1 }
    case "Failed": {
      const tag = tagOf(outcome.error)
      return {
        ...summary,
        failed: summary.failed + 1,
        errors: { ...summary.errors, [tag]: (summary.errors[tag] ?? 0) + 1 }
      }
    }
  }
}

const tagOf = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag)
    ? error._tag
    : Predicate.isError(error)
    ? error.name
    : typeof error

/**
 * A sink that counts outcomes: `Stream.run(outcomes, Batch.summary)`.
 *
 * @see {@link progress} for the counts while the batch runs
 * @category summaries
 * @since 0.1.0
 */
export const summary: Sink.Sink<Summary, Outcome<unknown, unknown, unknown>> = Sink.reduce(() => nothing, add)

/**
 * The counts after each outcome, as a stream that ends with the outcomes.
 *
 * **Example** (Printing how far a batch is)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Batch } from "canvas-runs"
 *
 * const outcomes = Stream.make(
 *   { _tag: "Earlier", key: "a", input: "a", ref: undefined },
 *   { _tag: "Failed", key: "b", input: "b", ref: undefined, error: new Error("no") }
 * ) satisfies Stream.Stream<Batch.Outcome<string, string, Error>>
 *
 * const counts = Batch.progress(outcomes).pipe(Stream.map(({ earlier, failed }) => earlier + failed))
 * console.log(await Effect.runPromise(Stream.runCollect(counts))) // => [1, 2]
 * ```
 *
 * @see {@link summary} for the counts at the end
 * @category summaries
 * @since 0.1.0
 */
export const progress = <Input, A, OutcomeError, E, R>(
  outcomes: Stream.Stream<Outcome<Input, A, OutcomeError>, E, R>
): Stream.Stream<Summary, E, R> => {
  Options.need("outcomes", outcomes, Stream.isStream, "a Stream")
  return Stream.drop(Stream.scan(outcomes, () => nothing, add), 1)
}
