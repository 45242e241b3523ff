/**
 * The functions that a provider supplies for one run. `Run.wait` and the others that follow a run work with any
 * {@link RunSource}.
 *
 * **Details**
 *
 * Each kind of run has one type, that of its source. {@link Snapshot}, {@link Success}, {@link Failure}, {@link Error} and
 * {@link Services} read the other types from it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type { RunRef } from "./internal/ref.ts"
import type { RequestError } from "./RunError.ts"

/**
 * A response value with its request id and `Retry-After`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<out A> {
  /** The decoded response. */
  readonly value: A
  /** The provider's id of the request. */
  readonly requestId: string | undefined
  /** How long the provider asks to wait before the next request. */
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * How much of a run's work is done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** How many parts of the work are done. */
  readonly completed: number
  /** How many parts there are in all. */
  readonly total: number
}

/**
 * The meaning of a snapshot: the run is pending, succeeded or failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase<Success, Failure> =
  | {
    /** The run has not ended. */
    readonly _tag: "Pending"
    /** How much of the work is done, if the snapshot says so. */
    readonly progress?: Progress | undefined
  }
  | {
    /** The provider reported success. */
    readonly _tag: "Succeeded"
    /** The terminal snapshot. */
    readonly run: Success
    /** How long the run took, in milliseconds, if the provider says so. */
    readonly durationMs?: number | undefined
  }
  | {
    /** The provider ended the run as failed. */
    readonly _tag: "Failed"
    /** The terminal snapshot. */
    readonly run: Failure
    /** The reasons that the provider gave, one entry each. */
    readonly errors: ReadonlyArray<string>
  }

/**
 * The members of an error that decide whether a wait survives a failed poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollError {
  /** The tag, which the history of a `RunTimeoutError` names. */
  readonly _tag: string
  /** Whether the failure is transient: then the wait polls again, within the error budget. */
  readonly isRetryable: boolean
  /** How long the provider asks to wait before the next request. */
  readonly retryAfter?: Duration.Duration
}

/**
 * The functions that a provider supplies for one run. They hold no loop, no timer and no state.
 *
 * **Example** (A source of jobs, and a wait for one)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * // In your program `retrieve` is a request to the provider
 * const statuses = ["queued", "running", "done"]
 * const source: RunSource.RunSource<string, string, never, never> = {
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   retrieve: Effect.sync(() => ({ value: statuses.shift() ?? "done", requestId: undefined, retryAfter: undefined })),
 *   status: (job) => job,
 *   unchanged: (previous, next) => previous === next,
 *   classify: (run) => run === "done" ? { _tag: "Succeeded", run } : { _tag: "Pending" }
 * }
 * const minute = Duration.minutes(1)
 * const policy = { schedule: Polling.fixed("10 millis"), timeout: minute, errorBudget: 5, retryAfterCeiling: minute }
 *
 * console.log(await Effect.runPromise(Run.wait(source, policy))) // => "done"
 * ```
 *
 * @see {@link module:Run} for the functions that follow a source
 * @category models
 * @since 0.1.0
 */
export interface RunSource<
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollError = RequestError,
  R = never
> {
  /** The run. */
  readonly ref: RunRef
  /**
   * Requests the state of the run once. A failure without the members of a {@link PollError}, such as `null`, ends the wait
   * unchanged.
   */
  readonly retrieve: Effect.Effect<Answer<Snapshot>, E, R>
  /**
   * Returns the phase that a snapshot means. An unknown status is `Pending`. A function that throws, or that returns another
   * `_tag`, ends the wait with a defect.
   *
   * **Example** (Three phases)
   *
   * ```ts
   * import type { RunSource } from "canvas-runs"
   *
   * interface Job { readonly status: string; readonly done: number; readonly total: number }
   * type Source = RunSource.RunSource<Job, Job, Job>
   *
   * const classify: Source["classify"] = (run) =>
   *   run.status === "succeeded"
   *     ? { _tag: "Succeeded", run }
   *     : run.status === "failed"
   *     ? { _tag: "Failed", run, errors: ["the job failed"] }
   *     : { _tag: "Pending", progress: { completed: run.done, total: run.total } }
   *
   * classify({ status: "succeeded", done: 4, total: 4 })._tag // => "Succeeded"
   * classify({ status: "a later invention", done: 1, total: 4 })._tag // => "Pending"
   * ```
   */
  readonly classify: (snapshot: Snapshot) => Phase<Success, Failure>
  /**
   * Returns the status of a snapshot as one word, for messages and telemetry.
   *
   * **Example** (The provider's own word)
   *
   * ```ts
   * import type { RunSource } from "canvas-runs"
   *
   * interface Job { readonly status: string; readonly done: number; readonly total: number }
   * type Source = RunSource.RunSource<Job, Job, Job>
   *
   * const status: Source["status"] = (job) => job.status
   *
   * status({ status: "queued", done: 0, total: 4 }) // => "queued"
   * ```
   */
  readonly status: (snapshot: Snapshot) => string
  /**
   * Returns whether two snapshots in a row show the same state. Ignore what changes with every poll, such as the age of the run.
   *
   * **Example** (A comparison of what a user sees)
   *
   * ```ts
   * import type { RunSource } from "canvas-runs"
   *
   * interface Job { readonly status: string; readonly done: number; readonly total: number }
   * type Source = RunSource.RunSource<Job, Job, Job>
   *
   * const unchanged: Source["unchanged"] = (previous, next) =>
   *   previous.status === next.status && previous.done === next.done
   *
   * unchanged({ status: "running", done: 1, total: 4 }, { status: "running", done: 2, total: 4 }) // => false
   * ```
   */
  readonly unchanged: (previous: Snapshot, next: Snapshot) => boolean
  /**
   * Waits for a push of the provider, such as a webhook, which says that the run has ended, and returns its number. Pushes are
   * numbered from 1 on, and only one with a number above `after` counts. A push makes the wait poll at once, and is never the
   * result.
   *
   * **Example** (The webhooks of a hub)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { type RunSource, Webhooks } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const hub = yield* Webhooks.Webhooks
   *   const pushed: RunSource.Any["pushed"] = (after) => hub.ended("acme", "42", after)
   *
   *   yield* hub.deliver({ provider: "acme", runId: "42", eventId: "event-1", isTerminal: true })
   *   console.log(yield* pushed(0)) // => 1
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Webhooks.layer))
   * ```
   */
  readonly pushed?: ((after: number) => Effect.Effect<number>) | undefined
  /**
   * Whether a push proves that the run has ended, because it is signed. Then a poll that still reports a pending run is
   * repeated soon. Otherwise each push causes one poll.
   *
   * @default false
   */
  readonly isPushProof?: boolean | undefined
  /** The address of the provider's API, for the spans of {@link module:GenAiTelemetry}. */
  readonly server?: URL | undefined
  /**
   * The longest time that `retrieve` takes, in milliseconds, by its own timeouts. If the deadline of the wait is later
   * than that, a poll needs no timer, which saves a fiber.
   *
   * @default Infinity
   */
  readonly longest?: number | undefined
}

/**
 * A source of any kind of run, with its type parameters erased.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- sources of any kind
export type Any = RunSource<any, any, any, any, any>

/**
 * What the provider reports at one poll of this kind of run.
 *
 * @category models
 * @since 0.1.0
 */
export type Snapshot<S extends Any> = Effect.Success<S["retrieve"]>["value"]

/**
 * The snapshot of a run of this kind that succeeded.
 *
 * @category models
 * @since 0.1.0
 */
export type Success<S extends Any> = Extract<ReturnType<S["classify"]>, { readonly _tag: "Succeeded" }>["run"]

/**
 * The snapshot of a run of this kind that the provider ended as failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure<S extends Any> = Extract<ReturnType<S["classify"]>, { readonly _tag: "Failed" }>["run"]

/**
 * The errors of a poll of this kind of run.
 *
 * @category models
 * @since 0.1.0
 */
export type Error<S extends Any> = Effect.Error<S["retrieve"]>

/**
 * The services that a poll of this kind of run needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<S extends Any> = Effect.Services<S["retrieve"]>

/**
 * The outcome of one poll: a snapshot, or a transient failure after which the wait continues. A fatal failure ends the stream
 * instead.
 *
 * @category models
 * @since 0.1.0
 */
export type Poll<Snapshot, E = RequestError> =
  | {
    readonly _tag: "Snapshot"
    /** What the provider reported. */
    readonly snapshot: Snapshot
    /** `false` if the snapshot shows the same state as the one before. */
    readonly changed: boolean
    /** Whether the run has ended. */
    readonly terminal: boolean
    /** 1 for the first poll. */
    readonly poll: number
    /** Time since the wait began. */
    readonly elapsed: Duration.Duration
    /** The provider's id of the request. */
    readonly requestId: string | undefined
  }
  | {
    readonly _tag: "Failure"
    /** The transient failure. */
    readonly error: E
    /** 1 for the first poll. */
    readonly poll: number
    /** Time since the wait began. */
    readonly elapsed: Duration.Duration
  }

/**
 * One run of many that has ended, or whose wait has failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Completion<out Target, out A, out E> {
  /** The value that named the run. */
  readonly target: Target
  /** The snapshot of a run that succeeded, or the error of the wait. */
  readonly result: Result.Result<A, E>
}

/**
 * The state of a wait after a poll, which its schedule gets.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollState<out Snapshot = unknown> {
  /** The run. */
  readonly ref: RunRef
  /** The last snapshot; `undefined` until a poll has succeeded. */
  readonly snapshot: Snapshot | undefined
  /** The progress in that snapshot, if it reports any. */
  readonly progress: Progress | undefined
  /**
   * Time since the progress last changed, or since the wait began if it has not changed. The change was between two polls: the tasks that
   * ended between them are assumed to have ended at even distances.
   */
  readonly sinceProgress: Duration.Duration
  /** How many polls were made, this one included. */
  readonly polls: number
  /** How many polls in a row have failed; 0 after a snapshot. A 404 within the grace period does not count. */
  readonly failures: number
  /** Time since the wait began. */
  readonly elapsed: Duration.Duration
  /** Time since the run was created, if that time is known. */
  readonly age: Duration.Duration | undefined
  /** How long the provider expected the run to take, if it said so. */
  readonly estimate: Duration.Duration | undefined
  /** Time until the deadline; infinite without a deadline. */
  readonly remaining: Duration.Duration
}

/**
 * A schedule for polls. Its delays count, and its output is ignored. If it ends before the run does, the wait ends with a
 * `RunTimeoutError` whose reason is `"schedule"`.
 *
 * @category models
 * @since 0.1.0
 */
export type PollSchedule<Snapshot = unknown, E = never, R = never> = Schedule.Schedule<
  unknown,
  PollState<Snapshot>,
  E,
  R
>

/**
 * When to poll a run, and when to give up: the checked form of `Polling.Options`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<Snapshot = unknown, E = never, R = never> {
  /** When to poll. Its delays count from the end of one poll to the start of the next. */
  readonly schedule: PollSchedule<Snapshot, E, R>
  /** Bounds the whole wait, sleeps and requests alike. `Duration.infinity` is no bound. */
  readonly timeout: Duration.Duration
  /** How many polls in a row may fail before the wait fails. */
  readonly errorBudget: number
  /**
   * How long the provider may answer 404 without ending the wait. The time counts from the creation of the run, and from the first
   * poll at the latest. The default is 30 seconds for a run with a known creation time. For another run, 404 ends the wait at once.
   */
  readonly notFoundGrace?: Duration.Duration | undefined
  /**
   * The longest `Retry-After` that is honoured between two polls. The client has an option of this name for retries within one
   * poll.
   */
  readonly retryAfterCeiling: Duration.Duration
  /** The option that set `timeout`, with its value, for messages: `"timeout (15 minutes, the default)"`. */
  readonly timeoutSource?: string | undefined
}
