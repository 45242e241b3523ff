/**
 * What a provider supplies for one run. Everything that follows a run, such as `Run.wait`, is written once for every
 * {@link RunSource}.
 *
 * **Details**
 *
 * A kind of run has one type, that of its source. What belongs to the kind is read from it: {@link Snapshot}, {@link Success},
 * {@link Failure}, {@link Error} and {@link Services}.
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
 * The value of one answer, and what came beside it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<out A> {
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
  readonly completed: number
  readonly total: number
}

/**
 * What a snapshot means.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase<Success, Failure> =
  | { readonly _tag: "Pending"; readonly progress?: Progress | undefined }
  | { readonly _tag: "Succeeded"; readonly run: Success }
  | { readonly _tag: "Failed"; readonly run: Failure; readonly errors: ReadonlyArray<string> }

/**
 * The members of an error that decide whether a wait survives a failed poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollError {
  readonly _tag: string
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/**
 * What a provider supplies for one run. It is a set of functions, not a loop.
 *
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
  readonly ref: RunRef
  /** Asks once. A failure without the members of a `RunError`, such as `null`, is not retryable, and ends the wait as it is. */
  readonly retrieve: Effect.Effect<Answer<Snapshot>, E, R>
  /**
   * Says what an answer means. An unknown status is `Pending`. What it throws, and a phase with another `_tag`, is a mistake of the
   * program, which no error of a wait describes: the wait dies with it.
   */
  readonly classify: (snapshot: Snapshot) => Phase<Success, Failure>
  /** The word for the snapshot's status, for messages and telemetry. */
  readonly status: (snapshot: Snapshot) => string
  /** Whether nothing that matters has changed from one snapshot to the next; a clock that went on does not matter. */
  readonly unchanged: (previous: Snapshot, next: Snapshot) => boolean
  /**
   * Waits for a push of the provider, such as a webhook, which says that the run has ended, and returns its number. Pushes are
   * numbered from 1 on, and only one with a number above `after` counts. A push is a reason to poll at once and never an answer.
   */
  readonly pushed?: ((after: number) => Effect.Effect<number>) | undefined
  /**
   * Whether a push proves that the run has ended, because it is signed. Then polls that do not know of the end yet are repeated
   * soon. Otherwise each push causes one poll.
   *
   * @default false
   */
  readonly isPushProof?: boolean | undefined
  /**
   * The longest time that `retrieve` takes, in milliseconds, because of its own timeouts. While it runs, a later deadline needs no
   * timer, which saves a fiber for each poll.
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
 * How a poll of this kind of run may fail.
 *
 * @category models
 * @since 0.1.0
 */
export type Error<S extends Any> = Effect.Error<S["retrieve"]>

/**
 * What a poll of this kind of run needs from the context.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<S extends Any> = Effect.Services<S["retrieve"]>

/**
 * The outcome of one poll. A failure among them is one that the wait survived; a fatal one ends the stream instead.
 *
 * @category models
 * @since 0.1.0
 */
export type Poll<Snapshot, E = RequestError> =
  | {
    readonly _tag: "Snapshot"
    readonly snapshot: Snapshot
    /** `false` where the snapshot says the same as the one before. */
    readonly changed: boolean
    /** Whether the run has ended. */
    readonly terminal: boolean
    /** 1 for the first poll. */
    readonly poll: number
    /** Time since the wait began. */
    readonly elapsed: Duration.Duration
    readonly requestId: string | undefined
  }
  | {
    readonly _tag: "Failure"
    readonly error: E
    readonly poll: number
    readonly elapsed: Duration.Duration
  }

/**
 * One run of many that has ended, or whose wait has failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Completion<out Target, out A, out E> {
  /** What was given to name the run. */
  readonly target: Target
  readonly result: Result.Result<A, E>
}

/**
 * What a schedule is given after each poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface PollState<out Snapshot = unknown> {
  readonly ref: RunRef
  /** The last snapshot; `undefined` until a poll has brought one. */
  readonly snapshot: Snapshot | undefined
  /** The progress in that snapshot, if it tells any. */
  readonly progress: Progress | undefined
  /** Time since a poll found that the progress had changed; since the wait began, if none did. */
  readonly sinceProgress: Duration.Duration
  /** Polls made so far, this one included. */
  readonly polls: number
  /** How many polls in a row have failed, but for a 404 within the grace; 0 after an answer. */
  readonly failures: number
  /** Time since the wait began. */
  readonly elapsed: Duration.Duration
  /** Time since the run was created, where that is known. */
  readonly age: Duration.Duration | undefined
  /** How long the provider expected the run to take, where it said. */
  readonly estimate: Duration.Duration | undefined
  /** Time left until the deadline; infinite without one. */
  readonly remaining: Duration.Duration
}

/**
 * A schedule for polls: its delays count, its output is ignored. When it ends before the run does, the wait ends with a
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
 * Everything that decides how a run is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<Snapshot = unknown, E = never, R = never> {
  readonly schedule: PollSchedule<Snapshot, E, R>
  /** Bounds the whole wait, sleeps and requests alike. `Duration.infinity` is no bound. */
  readonly timeout: Duration.Duration
  /** How many polls in a row may fail before the wait fails. */
  readonly errorBudget: number
  /**
   * How long a run may answer 404 without ending the wait, counted from its creation, or from the first poll where the creation time
   * is not known. Left out, it is 30 seconds after a known creation, and 404 ends the wait at once where none is known.
   */
  readonly notFoundGrace?: Duration.Duration | undefined
  /** The longest `Retry-After` that is honoured between two polls. The client has an option of this name for retries within one poll. */
  readonly retryAfterCeiling: Duration.Duration
  /** The option that set `timeout`, with its value, for messages: `"timeout (15 minutes, the default)"`. */
  readonly timeoutSource?: string | undefined
}
