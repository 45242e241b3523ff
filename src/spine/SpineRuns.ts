/**
 * Spine runs: create, retrieve, wait, watch.
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
import type * as Wire from "./SpineSchema.ts"

export { provider } from "./internal/source.ts"

/**
 * What a run is asked for.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category models
 * @since 0.1.0
 */
export interface CreateRunParams {
  /** The instruction. */
  readonly prompt: string
  /**
   * What kind of result to make. Ignored by the provider when `blocks` is given.
   *
   * @default "auto"
   */
  readonly template?: Wire.Template | undefined
  /** The types of block the agents may create; at least one, or the call is refused. Wins over `template`. */
  readonly blocks?: ReadonlyArray<Wire.BlockType> | undefined
  /** Guidance for all agents: tone, audience, citations. */
  readonly agent_instructions?: string | undefined
  /** Passed on as it is. The provider reserves this field and does not honour it yet: use webhooks of its portal. */
  readonly webhook_url?: string | undefined
  /** Files for the agents to work with. */
  readonly files?: ReadonlyArray<FileInput.FileInput> | undefined
}

/**
 * A run that the provider accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedRun extends Wire.CreateRunResponse {
  /** Plain data that names the run. Store it, and any process can go on from here. */
  readonly ref: RunRef.RunRef
}

/**
 * Any way to name a run: its id, its ref, or what `create` or `retrieve` returned.
 *
 * @category models
 * @since 0.1.0
 */
export type RunTarget = string | RunRef.RunRef | { readonly run_id: string; readonly ref?: RunRef.RunRef }

/**
 * How to wait for a Spine run: every 5 seconds for 15 minutes, as the provider's SDK does, unless told otherwise.
 *
 * **Gotchas**
 *
 * Runs take 10 to 20 minutes on average and up to two hours, so give a longer `timeout` for real work.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitOptions<E = never, R = never> = Polling.Options<Wire.Run, E, R>

/**
 * The polls that {@link Runs.waitForCompletion} makes by default.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultWait: { readonly pollInterval: Duration.Input; readonly timeout: Duration.Input } = {
  pollInterval: "5 seconds",
  timeout: "15 minutes"
}

/**
 * The endpoints about runs, and what is built on them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Runs {
  /**
   * Starts a run. The request is not repeated unless it surely did not reach the provider, because each one that does
   * may start, and bill, a run of its own.
   *
   * **Gotchas**
   *
   * An interruption while the answer is under way may leave a run without a known id. `Effect.uninterruptible` waits for
   * the answer instead, at most `requestTimeout`.
   *
   * @see https://docs.getspine.ai/api-reference/endpoints/create-run
   */
  readonly create: (params: CreateRunParams) => Effect.Effect<CreatedRun, CreateError>
  /**
   * Asks once how a run is.
   *
   * @see https://docs.getspine.ai/api-reference/endpoints/get-run
   */
  readonly retrieve: (run: RunTarget) => Effect.Effect<Wire.Run, RequestError>
  /**
   * Waits until the run has ended. A `partial` run is a result; a `failed` one is a `RunFailedError`, or with
   * `resolveOnFailure` a result too.
   *
   * @see https://docs.getspine.ai/sdks/typescript/runs
   */
  readonly waitForCompletion: {
    /**
     * Waits until the run has ended, and returns a failed run as a result: with `resolveOnFailure: true` there is no
     * `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & { readonly resolveOnFailure: true }
    ): Effect.Effect<Wire.TerminalRun, WatchError | E, R>
    /**
     * Waits until the run has ended: by default every 5 seconds for at most 15 minutes. A `partial` run is a result; a `failed`
     * run is a `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options?: WaitOptions<E, R> & { readonly resolveOnFailure?: false | undefined }
    ): Effect.Effect<Wire.CompletedRun | Wire.PartialRun, WaitError | E, R>
    /** Waits until the run has ended, where `resolveOnFailure` is known only at run time. */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & { readonly resolveOnFailure?: boolean | undefined }
    ): Effect.Effect<Wire.TerminalRun, WaitError | E, R>
    // Last, so that `Effect.flatMap(created, runs.waitForCompletion)` is understood
    /** Waits until the run has ended: every 5 seconds for at most 15 minutes. A `failed` run is a `RunFailedError`. */
    (run: RunTarget): Effect.Effect<Wire.CompletedRun | Wire.PartialRun, WaitError>
  }
  /**
   * The snapshots of a run that differ, as they come, ending with the terminal one; a failed run is the last of them.
   *
   * **Gotchas**
   *
   * The arrival of the `canvas_id` is a difference too: map to what you show, then `Stream.changes`.
   */
  readonly watch: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<Wire.Run, WatchError | E, R>
  /** Every poll of a run, changed or not, with the failures that the wait survived. */
  readonly polls: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<RunSource.Poll<Wire.Run>, WatchError | E, R>
  /**
   * Waits for many runs, and reports each as it ends, with its result or what went wrong with it. It costs about 20 % of the
   * memory of a `waitForCompletion` for each, and the stream continues when one of them fails.
   *
   * **Details**
   *
   * `runs` may be a stream, so that runs are waited for as they are created. Each has the whole `timeout`, counted from its
   * first poll. At most `concurrency` polls are under way at once (128 by default); when more are due, they take turns.
   *
   * **Example** (Two runs, reported as they end)
   *
   * ```ts
   * import { Console, Effect, Result, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const created = Stream.make("Solid-state batteries", "Sodium-ion batteries").pipe(
   *     Stream.mapEffect((prompt) => runs.create({ prompt }))
   *   )
   *   yield* Stream.runForEach(runs.completions(created), ({ result, target }) =>
   *     Console.log(target.run_id, Result.isSuccess(result) ? result.success.status : result.failure.message)
   *   )
   * })
   * ```
   */
  readonly completions: <Target extends RunTarget, E = never, R = never, InputError = never, InputServices = never>(
    runs: Iterable<Target> & object | Stream.Stream<Target, InputError, InputServices>,
    options?: WaitOptions<E, R> & { readonly concurrency?: number | undefined }
  ) => Stream.Stream<
    RunSource.Completion<Target, Wire.CompletedRun | Wire.PartialRun, WaitError | E>,
    InputError | BadRequestError,
    R | InputServices
  >
  /** A handle whose waiters share one poll loop. */
  readonly share: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Effect.Effect<SharedRun<E>, BadRequestError, R>
  /**
   * Creates a run and waits for it. Every failure after the creation carries the run's `ref`.
   *
   * **Details**
   *
   * `onCreated` runs between the creation and the first poll, to store the ref. With it, an interruption waits until the
   * creation has its answer and `onCreated` has run, so that no run is lost to it; without it, the caller would not learn of the
   * run, and an interruption takes effect at once. If `onCreated` fails, the failure is an `OnCreatedError` with the ref and
   * the cause; if it dies, the ref is logged and the span of the caller carries it.
   */
  readonly run: <E = never, R = never, E2 = never, R2 = never>(
    params: CreateRunParams,
    options?: WaitOptions<E, R> & {
      readonly onCreated?: ((created: CreatedRun) => Effect.Effect<unknown, E2, R2>) | undefined
    }
  ) => Effect.Effect<Wire.CompletedRun | Wire.PartialRun, CreateError | WaitError | OnCreatedErrorOf<E2> | E, R | R2>
}

/**
 * A handle on a Spine run whose waiters share one poll loop.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRun<E = never> extends Run.SharedRun<Source, RequestError | RunTimeoutError | E> {}

/**
 * Whether a snapshot is the last one of its run: `completed`, `partial` or `failed`.
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
export const isTerminal = (run: Wire.Run): run is Wire.TerminalRun =>
  run.status === "completed" || run.status === "partial" || run.status === "failed"
