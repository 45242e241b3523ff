/**
 * Creates Spine runs, retrieves them, waits for them and watches them.
 *
 * @see https://docs.getspine.ai/sdks/typescript/runs
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as FileInput from "../FileInput.ts"
import type * as RunRef from "../internal/ref.ts"
import type * as Polling from "../Polling.ts"
import type * as Run from "../Run.ts"
import type {
  BadRequestError,
  CreateError,
  OnCreatedErrorOf,
  RequestError,
  RunTimeoutError,
  WaitError,
  WatchError
} from "../RunError.ts"
import type * as RunSource from "../RunSource.ts"
import type { Source } from "./internal/source.ts"
import type * as Data from "./SpineSchema.ts"

export { provider } from "./internal/source.ts"

/**
 * The parameters of a create. They are the parts of the form of `POST /v1/run`. A wrong parameter is a `BadRequestError`, and no
 * request is made.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category models
 * @since 0.1.0
 */
export interface CreateRunParams {
  /** The instruction. It must not be blank. */
  readonly prompt: string
  /**
   * The kind of result. The provider ignores it if `blocks` is given.
   *
   * @see https://docs.getspine.ai/api-reference/concepts/templates
   * @default "auto"
   */
  readonly template?: Data.Template | undefined
  /**
   * The types of block that the agents may create, at least one. An empty array is a `BadRequestError`.
   *
   * @see https://docs.getspine.ai/api-reference/concepts/block-types
   */
  readonly blocks?: ReadonlyArray<Data.BlockType> | undefined
  /** Guidance for all agents, such as tone, audience or citations. */
  readonly agent_instructions?: string | undefined
  /**
   * Has no effect: the provider reserves this field and does not use it. Set up webhooks in its developer portal instead.
   *
   * @see https://docs.getspine.ai/api-reference/concepts/webhooks
   */
  readonly webhook_url?: string | undefined
  /**
   * Files for the agents to work with. A type that the provider does not document is a `BadRequestError`, unless the client has
   * `skipFileValidation`. The largest size depends on the plan and is not documented.
   *
   * @see {@link module:FileInput} for the forms of a file
   * @see https://docs.getspine.ai/api-reference/concepts/file-uploads
   */
  readonly files?: ReadonlyArray<FileInput.FileInput> | undefined
}

/**
 * A run that the provider accepted: its response, and a ref.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category models
 * @since 0.1.0
 */
export interface CreatedRun extends Data.CreateRunResponse {
  /** Plain data that names the run. Any process that has it can wait for the run. */
  readonly ref: RunRef.RunRef
}

/**
 * Any way to name a run: its id, its ref, or a value that `create` or `retrieve` returned. A ref of another provider, or a value
 * that names two runs, is a `BadRequestError`.
 *
 * **Details**
 *
 * A ref also has the creation time. With it, a wait tolerates 404 for 30 seconds after the creation. For an id alone, 404 ends the
 * wait at once.
 *
 * @category models
 * @since 0.1.0
 */
export type RunTarget = string | RunRef.RunRef | {
  /** The id of the run. */
  readonly run_id: string
  /** The ref of the same run. */
  readonly ref?: RunRef.RunRef
}

/**
 * Options of a wait for a Spine run. By default it polls every 5 seconds for 15 minutes, like the provider's SDK. With a `Webhooks`
 * hub it polls once a minute, and as soon as a webhook says that the run has ended.
 *
 * **Gotchas**
 *
 * Runs take 10 to 20 minutes on average and up to two hours, so give a longer `timeout` for real work. The deadline ends the wait
 * and not the run: after a `RunTimeoutError`, wait again with its `ref`.
 *
 * @see {@link module:Polling} for schedules
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category models
 * @since 0.1.0
 */
export type WaitOptions<E = never, R = never> = Polling.Options<Data.Run, E, R>

/**
 * The default poll interval and deadline of every wait: those of the provider's SDK. With a `Webhooks` hub the poll interval is 1
 * minute.
 *
 * @see https://docs.getspine.ai/sdks/typescript/runs
 * @category constants
 * @since 0.1.0
 */
export const defaultWait: {
  /** The time from one poll to the next. */
  readonly pollInterval: Duration.Input
  /** The deadline of the whole wait. */
  readonly timeout: Duration.Input
} = {
  pollInterval: "5 seconds",
  timeout: "15 minutes"
}

/**
 * The endpoints about runs, and the waits that are built on them.
 *
 * **When to use**
 *
 * | method | use it if |
 * | --- | --- |
 * | `run` | you want the result with one call |
 * | `create`, then `waitForCompletion` | you store the ref between them, or wait in another process |
 * | `retrieve` | you want the state now, without a wait |
 * | `watch` | you show each change of the state |
 * | `polls` | you log the polling itself, unchanged polls and survived failures included |
 * | `completions` | you wait for many runs |
 * | `share` | several parts of a program wait for one run, or another fiber has to stop the wait |
 *
 * **Details**
 *
 * A wrong argument is a `BadRequestError`, and no request is made. Every wait keeps the promises of the module `Run`.
 *
 * @see {@link module:Run} for the promises
 * @category models
 * @since 0.1.0
 */
export interface Runs {
  /**
   * Creates a run. The request is repeated only if it certainly did not reach the provider, because a second request may start
   * and bill another run. The option `retryCreates` of the client changes that. If it is not known whether a run was created,
   * the failure is a `CreateOutcomeUnknownError`. A file that cannot be read is a `FileInputError`.
   *
   * **When to use**
   *
   * Use it to store the ref before you wait, or to wait elsewhere. To create and wait with one call, use `run`. To create a run at
   * most once, also if the process is killed, use `RunStore.runOnce`.
   *
   * **Gotchas**
   *
   * An interruption before the response may leave a run whose id is not known. `Effect.uninterruptible` waits for the response, at
   * most `requestTimeout`.
   *
   * **Example** (A create, and a wait with the stored ref)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { RunRef, Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const { ref } = yield* runs.create({ prompt: "Tides", template: "report" })
   *   const stored = JSON.stringify(ref)
   *   // Later, in any process
   *   const run = yield* runs.waitForCompletion(yield* RunRef.parse(stored))
   *   console.log(run.status) // => "completed"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.run} to create and wait
   * @see {@link module:RunStore} to create a run at most once
   * @see https://docs.getspine.ai/api-reference/endpoints/create-run
   */
  readonly create: (params: CreateRunParams) => Effect.Effect<CreatedRun, CreateError>
  /**
   * Returns the state of a run now. It makes one request, and retries it after a transient failure, as the client's `retry` says. A
   * run that does not exist, or that belongs to another account, is a `NotFoundError`.
   *
   * **Example** (The progress of a run)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const { run_id } = yield* runs.create({ prompt: "Tides" })
   *   const run = yield* runs.retrieve(run_id)
   *   run.status === "running" ? run.progress.tasks_total : undefined // => 5
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.waitForCompletion} to wait for the end
   * @see https://docs.getspine.ai/api-reference/endpoints/get-run
   */
  readonly retrieve: (run: RunTarget) => Effect.Effect<Data.Run, RequestError>
  /**
   * Waits until the run has ended, and returns its terminal snapshot. A `partial` run is a result. A `failed` run is a
   * `RunFailedError`, or a result with `resolveOnFailure: true`. At the deadline the wait fails with a `RunTimeoutError`, and the
   * run continues at the provider.
   *
   * **Example** (A failed run, as an error and as a result)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const created = yield* runs.create({ prompt: "Tides" })
   *   const error = yield* Effect.flip(runs.waitForCompletion(created))
   *   console.log(error._tag) // => "RunFailedError"
   *   const run = yield* runs.waitForCompletion(created, { resolveOnFailure: true })
   *   console.log(run.status) // => "failed"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0, outcome: "failed" }) } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.run} to create the run as well
   * @see {@link Runs.completions} for many runs
   * @see https://docs.getspine.ai/sdks/typescript/runs
   */
  readonly waitForCompletion: {
    /**
     * Waits until the run has ended, and returns a failed run as a result: with `resolveOnFailure: true` there is no
     * `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & {
        /** Returns a failed run as a result. */
        readonly resolveOnFailure: true
      }
    ): Effect.Effect<Data.TerminalRun, WatchError | E, R>
    /**
     * Waits until the run has ended: by default every 5 seconds for at most 15 minutes. A `partial` run is a result; a `failed`
     * run is a `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options?: WaitOptions<E, R> & {
        /**
         * Whether a failed run is a result. If not, it is a `RunFailedError`.
         *
         * @default false
         */
        readonly resolveOnFailure?: false | undefined
      }
    ): Effect.Effect<Data.CompletedRun | Data.PartialRun, WaitError | E, R>
    /** Waits until the run has ended. Whether a failed run is a result is known only at run time. */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & {
        /**
         * Whether a failed run is a result. If not, it is a `RunFailedError`.
         *
         * @default false
         */
        readonly resolveOnFailure?: boolean | undefined
      }
    ): Effect.Effect<Data.TerminalRun, WaitError | E, R>
    // The compiler uses the last overload if the method is passed as a function: `Effect.flatMap(created, runs.waitForCompletion)`
    /** Waits until the run has ended: every 5 seconds for at most 15 minutes. A `failed` run is a `RunFailedError`. */
    (run: RunTarget): Effect.Effect<Data.CompletedRun | Data.PartialRun, WaitError>
  }
  /**
   * Streams the snapshots that differ from the one before. The last one is the terminal snapshot, also of a failed run: the stream
   * does not fail with a `RunFailedError`.
   *
   * **When to use**
   *
   * Use it to show the state of a run. For unchanged polls and survived failures as well, use `polls`.
   *
   * **Gotchas**
   *
   * A `canvas_id` that appears is a difference too. Map to the part that you show, then use `Stream.changes`. Polls are made as the
   * stream is read: a slow reader slows the polling, and loses nothing.
   *
   * **Example** (The status line of a terminal)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   const created = yield* runs.create({ prompt: "Tides" })
   *   const lines = yield* runs.watch(created, { pollInterval: "10 millis" }).pipe(
   *     Stream.tap(() => emulator.advance("6 minutes")),
   *     Stream.map((run) => run.status === "running" ? `${run.progress.tasks_completed} of 5` : run.status),
   *     Stream.runCollect
   *   )
   *   console.log(lines) // => ["0 of 5", "2 of 5", "completed"]
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.polls} for every poll
   * @see {@link Runs.share} for several watchers of one run
   */
  readonly watch: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<Data.Run, WatchError | E, R>
  /**
   * Streams every poll of a run, changed or not, and the transient failures after which the wait continued. The last one has the
   * terminal snapshot.
   *
   * **When to use**
   *
   * Use it for a log or a metric of the polling itself. To show the state of the run, use `watch`.
   *
   * **Example** (A wait that survives an overloaded provider)
   *
   * ```ts
   * import { Effect, Redacted, Schedule, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   * import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const client = yield* Spine.make({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(0) })
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   const created = yield* client.runs.create({ prompt: "Tides" })
   *   yield* emulator.fault(Fault.status(503))
   *   const polls = yield* Stream.runCollect(client.runs.polls(created, { pollInterval: "10 millis" }))
   *   const seen = polls.map((poll) => poll._tag === "Failure" ? poll.error._tag : poll.snapshot.status)
   *   console.log(seen) // => ["ServerError", "completed"]
   * }).pipe(
   *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.watch} for the snapshots that differ
   */
  readonly polls: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<RunSource.Poll<Data.Run>, WatchError | E, R>
  /**
   * Waits for many runs, and reports each as it ends, with its result or its error. A run that fails does not end the stream. It
   * takes about 20 % of the memory of one `waitForCompletion` for each run.
   *
   * **When to use**
   *
   * Use it for hundreds or thousands of runs, or to handle each result as it arrives. For a few runs, `waitForCompletion` with
   * `Effect.forEach` is simpler.
   *
   * **Details**
   *
   * `runs` may be a stream, so that each run is waited for as soon as it is created. Each has the whole `timeout`, counted from its
   * first poll. A value that does not name a run is a completion with a `BadRequestError`. Only a failure of `runs`, or a wrong
   * option, fails the stream.
   *
   * **Example** (Two runs, of which one fails)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Result, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const created = Stream.make("Tides", `${SpineEmulator.failingPrompt}: no data`).pipe(
   *     Stream.mapEffect((prompt) => runs.create({ prompt }))
   *   )
   *   const completions = yield* Stream.runCollect(runs.completions(created))
   *   const outcomes = completions.map(({ result }) => Result.isSuccess(result) ? "ok" : result.failure._tag)
   *   console.log(outcomes.sort()) // => ["RunFailedError", "ok"]
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.waitForCompletion} for one run
   */
  readonly completions: <Target extends RunTarget, E = never, R = never, InputError = never, InputServices = never>(
    runs: Iterable<Target> & object | Stream.Stream<Target, InputError, InputServices>,
    options?: WaitOptions<E, R> & {
      /**
       * How many polls may be under way at the same time. Polls that are due wait for each other.
       *
       * @default 128
       */
      readonly concurrency?: number | undefined
    }
  ) => Stream.Stream<
    RunSource.Completion<Target, Data.CompletedRun | Data.PartialRun, WaitError | E>,
    InputError | BadRequestError,
    R | InputServices
  >
  /**
   * Describes a run to the kernel, for a wait of your own with the functions of `Run`. The other calls here do this for you.
   *
   * **Example** (A wait on the kernel)
   *
   * ```ts
   * import { Duration, Effect, Redacted, Schedule } from "effect"
   * import { Run, Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const source = yield* runs.source(yield* runs.create({ prompt: "Compare three vector databases" }))
   *   const run = yield* Run.wait(source, {
   *     schedule: Schedule.spaced("5 seconds"),
   *     timeout: Duration.hours(2),
   *     errorBudget: 5,
   *     retryAfterCeiling: Duration.minutes(1)
   *   })
   *   return run.status
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
   *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => completed
   * ```
   */
  readonly source: (run: RunTarget) => Effect.Effect<Source, BadRequestError>
  /**
   * Makes a handle on a run for several waiters, which share one poll loop. The loop starts with the first waiter and stops with
   * the last. Once the run has ended, the handle makes no request.
   *
   * **When to use**
   *
   * Use it if several parts of a program follow the same run, such as a progress bar and the code that needs the result, or if
   * another fiber has to stop the wait.
   *
   * **Example** (Two waiters, one poll)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   const shared = yield* runs.share(yield* runs.create({ prompt: "Tides" }))
   *   yield* Effect.all([shared.wait, shared.settle], { concurrency: "unbounded" })
   *   console.log((yield* emulator.runs)[0]?.polls) // => 1
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.waitForCompletion} for a single waiter
   */
  readonly share: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Effect.Effect<SharedRun<E>, BadRequestError, R>
  /**
   * Creates a run, waits until it has ended, and returns its terminal snapshot: `create`, then `waitForCompletion`. A `partial` run
   * is a result, and a `failed` run is a `RunFailedError`. Every failure after the creation has the `ref` of the run.
   *
   * **When to use**
   *
   * Use it if one call in one process is enough. If the process may end before the run does, store the ref: with `onCreated`, with
   * `create` and `waitForCompletion`, or with a `RunStore`.
   *
   * **Details**
   *
   * An interruption takes effect at once. With `onCreated`, it waits until the create has its response and `onCreated` has run,
   * so that no run is lost.
   *
   * **Example** (A run whose ref is stored before the wait)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const stored: Array<string> = []
   *   const run = yield* runs.run({ prompt: "Tides" }, {
   *     timeout: "2 hours",
   *     onCreated: ({ ref }) => Effect.sync(() => stored.push(ref.id))
   *   })
   *   console.log(run.status, stored.includes(run.run_id)) // => completed true
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link Runs.create} and {@link Runs.waitForCompletion} to do the two separately
   * @see {@link module:RunStore} for runs that survive the process
   * @see https://docs.getspine.ai/sdks/typescript/runs
   */
  readonly run: <E = never, R = never, E2 = never, R2 = never>(
    params: CreateRunParams,
    options?: WaitOptions<E, R> & {
      /**
       * Runs between the creation and the first poll, for example to store the ref. If it fails, the failure is an `OnCreatedError`
       * with the ref and the cause. If it dies, the ref is logged, and is an attribute of the caller's span.
       */
      readonly onCreated?: ((created: CreatedRun) => Effect.Effect<unknown, E2, R2>) | undefined
    }
  ) => Effect.Effect<Data.CompletedRun | Data.PartialRun, CreateError | WaitError | OnCreatedErrorOf<E2> | E, R | R2>
}

/**
 * A handle on a Spine run whose waiters share one poll loop, as `runs.share` makes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRun<E = never> extends Run.SharedRun<Source, RequestError | RunTimeoutError | E> {}

/**
 * Returns whether a snapshot is the last one of its run: `completed`, `partial` or `failed`.
 *
 * **Example** (Stopping at the end of a run)
 *
 * ```ts
 * import { Spine } from "canvas-runs"
 *
 * const run: Spine.Run = {
 *   status: "running",
 *   run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
 *   progress: { tasks_completed: 1, tasks_total: 4, elapsed_ms: 61_000 }
 * }
 *
 * console.log(Spine.isTerminal(run)) // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isTerminal = (run: Data.Run): run is Data.TerminalRun =>
  run.status === "completed" || run.status === "partial" || run.status === "failed"
