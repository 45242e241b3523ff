/**
 * The kernel: what it means to follow a run, whoever runs it.
 *
 * **Details**
 *
 * A provider describes a kind of run with a {@link RunSource}: its ref, how to ask for it once, and what an answer
 * means. From that, {@link polls}, {@link watch}, {@link settle} and {@link wait} follow it; all of them are the same
 * loop, and all keep the same promises:
 *
 * 1. the first poll is immediate, then the schedule decides;
 * 2. `Retry-After` is a floor, within a ceiling and the time left;
 * 3. the deadline bounds everything, also where the event loop is busy, and the last sleep is shortened so that one more poll
 *    fits;
 * 4. transient failures spend a budget that any answer refills; 404 is tolerated for a while after creation, and at most that
 *    long after the first poll;
 * 5. a status nobody knows is not an end;
 * 6. nothing goes on after interruption, an end or the deadline: no request, timer, fiber or socket;
 * 7. those who share a handle ({@link share}) share one loop, and a failed loop is never handed to a new waiter;
 * 8. {@link watch} never repeats an unchanged snapshot and never reorders; {@link polls} has them all;
 * 9. success is reported only if the provider said so and its answer decodes;
 * 10. a ref that was stored and read back is as good as the first.
 *
 * **Gotchas**
 *
 * No provider known here can cancel a run: interruption and the deadline stop the waiting, not the run.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Completions from "./internal/completions.ts"
import { quote, reasons } from "./internal/describe.ts"
import * as PollLoop from "./internal/pollLoop.ts"
import * as Telemetry from "./internal/telemetry.ts"
import type { Policy, Progress } from "./Polling.ts"
import { type RequestError, RunFailedError, type RunTimeoutError, WaitStoppedError } from "./RunError.ts"
import type { RunRef } from "./internal/ref.ts"

/**
 * What a request brought, with what came beside it.
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
 * What a provider supplies for one run. It is a table, not a loop.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunSource<Snapshot, Success extends Snapshot, Failure extends Snapshot, E = RequestError, R = never> {
  readonly ref: RunRef
  /** Asks once. */
  readonly retrieve: Effect.Effect<Answer<Snapshot>, E, R>
  /** Says what an answer means. A status nobody knows is `Pending`. */
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
   * How long `retrieve` takes at most by bounds of its own, in milliseconds. A deadline further away than that is not watched
   * while it runs, which saves a fiber for each poll.
   *
   * @default Infinity
   */
  readonly longest?: number | undefined
}

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
 * Every poll of a run, changed or not, and the failures that were survived. It ends after the terminal snapshot.
 *
 * **Details**
 *
 * Polls are made as they are pulled: a slow consumer slows the polling, and loses nothing.
 *
 * @category following
 * @since 0.1.0
 */
export const polls = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Stream.Stream<Poll<Snapshot, E>, E | RunTimeoutError | SE, R | SR> =>
  Stream.scoped(Stream.fromPull(
    Effect.map(Effect.acquireRelease(PollLoop.make(source, policy), stop), (loop) => {
      const next = Effect.onExit(PollLoop.next(loop), (exit) => {
        if (Exit.isSuccess(exit)) {
          const { phase } = exit.value
          return phase === undefined || phase._tag === "Pending"
            ? Effect.void
            : Telemetry.ended(loop, Exit.succeed({ phase }))
        }
        return Telemetry.ended(loop, Exit.failCause(exit.cause))
      })
      let previous: Snapshot | undefined
      let ended = false
      return Effect.suspend((): Pull.Pull<readonly [Poll<Snapshot, E>], E | RunTimeoutError | SE, void, R | SR> =>
        ended ? Cause.done() : Effect.map(next, (turn): readonly [Poll<Snapshot, E>] => {
          const at = { poll: loop.polls, elapsed: Duration.millis(loop.timers.now() - loop.started) }
          if (turn.phase === undefined) return [{ _tag: "Failure", error: turn.error, ...at }]
          const { requestId, value: snapshot } = turn.answer
          ended = turn.phase._tag !== "Pending"
          const changed = ended || previous === undefined || !isUnchanged(source, previous, snapshot)
          previous = snapshot
          return [{ _tag: "Snapshot", snapshot, changed, terminal: ended, requestId, ...at }]
        })
      )
    })
  )).pipe(Telemetry.streamSpan("Run.polls", Telemetry.attributes(source.ref)))

/**
 * The snapshots of a run that differ from the one before, ending with the terminal one, whatever it is: a failed run is
 * the last snapshot here, and not an error.
 *
 * @category following
 * @since 0.1.0
 */
export const watch = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Stream.Stream<Snapshot, E | RunTimeoutError | SE, R | SR> => changes(polls(source, policy))

/**
 * Waits for the terminal snapshot, whether the run succeeded or failed.
 *
 * @category following
 * @since 0.1.0
 */
export const settle = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Effect.Effect<Success | Failure, E | RunTimeoutError | SE, R | SR> => follow(source, policy, either)

/**
 * Waits for the run to succeed. A run that the provider finished as failed is a `RunFailedError`.
 *
 * @category following
 * @since 0.1.0
 */
export const wait = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Effect.Effect<Success, E | RunTimeoutError | RunFailedError | SE, R | SR> => follow(source, policy, succeedOrFail)

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
 * Waits for many runs, and tells of each as it ends. Where {@link wait} keeps a fiber for each run, this keeps a row in a
 * table, so a process can wait for a hundred thousand.
 *
 * **Details**
 *
 * A run that failed, and one whose wait failed, is a completion as well: the stream goes on with the others. It fails only
 * if `targets` does; a defect, such as a `source` or a schedule's function that throws, ends it too. A run that meets its
 * deadline while it waits for room is a completion at once, without another poll. Each run has the whole `policy`, its deadline
 * counted from its first poll. At most `concurrency` polls are under way at once; when more are due they take their turns in
 * order, and the time between the polls of a run grows. A slow reader slows the polling, and loses nothing. A `concurrency` below 1 throws a `RangeError`.
 *
 * @category following
 * @since 0.1.0
 */
export const completions = <
  Target,
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR,
  SourceError,
  InputError,
  InputServices
>(
  targets: Stream.Stream<Target, InputError, InputServices>,
  source: (target: Target) => Effect.Effect<RunSource<Snapshot, Success, Failure, E, R>, SourceError>,
  policy: Policy<Snapshot, SE, SR>,
  options?: {
    /** @default 128 */
    readonly concurrency?: number | undefined
  }
): Stream.Stream<
  Completion<Target, Success, E | RunTimeoutError | RunFailedError | SE | SourceError>,
  InputError,
  R | SR | InputServices
> => {
  const concurrency = options?.concurrency ?? 128
  if (!(concurrency >= 1)) throw new RangeError(`concurrency is ${quote(concurrency)}; it must be a number, 1 or more.`)
  return Completions.make({ targets, source, policy, judge: succeedOrFail, concurrency })
}

/**
 * One poll loop for all who hold it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRun<Snapshot, Success extends Snapshot, Failure extends Snapshot, PollError, E> {
  readonly ref: RunRef
  /** Every poll from the latest on. */
  readonly polls: Stream.Stream<Poll<Snapshot, PollError>, E | WaitStoppedError>
  /** The snapshots that differ, from the latest on. */
  readonly watch: Stream.Stream<Snapshot, E | WaitStoppedError>
  /** The terminal snapshot. */
  readonly settle: Effect.Effect<Success | Failure, E | WaitStoppedError>
  /** The terminal snapshot of a run that succeeded. */
  readonly wait: Effect.Effect<Success, E | RunFailedError | WaitStoppedError>
  /**
   * Stops the loop. All waiters fail with a `WaitStoppedError`, and no fiber is interrupted. The run continues at the provider,
   * and the next waiter starts a new loop.
   */
  readonly stop: Effect.Effect<void>
}

/**
 * A handle on a run for any number of waiters: they share one poll loop, which starts with the first of them and stops
 * with the last. Once the run has ended, its end is remembered and no request is made.
 *
 * **Details**
 *
 * The deadline counts from the start of the loop. Waiters that need their own bound add `Effect.timeout`.
 *
 * @category sharing
 * @since 0.1.0
 */
export const share = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Effect.Effect<SharedRun<Snapshot, Success, Failure, E, E | RunTimeoutError | SE>, never, R | SR> =>
  Effect.map(Effect.context<R | SR>(), (context) => {
    type LoopError = E | RunTimeoutError | WaitStoppedError | SE
    type Waiter = Queue.Queue<Poll<Snapshot, E>, LoopError>
    interface Loop {
      readonly waiters: Set<Waiter>
      /** The latest poll, for a waiter that joins later. */
      latest: Poll<Snapshot, E> | undefined
      fiber: Fiber.Fiber<void> | undefined
    }
    // The terminal poll, for those who come after the end
    let last: Poll<Snapshot, E> | undefined
    let loop: Loop | undefined

    // A queue per waiter rather than a PubSub, which is a ninth of what a program pays for this library
    const run = (self: Loop) =>
      polls(source, policy).pipe(
        Stream.runForEach((poll) =>
          Effect.sync(() => {
            if (isTerminal(poll)) last = poll
            self.latest = poll
            for (const waiter of self.waiters) Queue.offerUnsafe(waiter, poll)
          })
        ),
        Effect.catchCause((cause) => Effect.sync(() => end(self, cause)))
      )

    /** A loop that failed or was stopped is never joined: whoever comes later starts a new one. */
    const end = (self: Loop, cause: Cause.Cause<LoopError>) => {
      if (loop === self) loop = undefined
      for (const waiter of self.waiters) Queue.failCauseUnsafe(waiter, cause)
    }

    // The loop starts with the first waiter and stops with the last; one at a time, or two of them would start two
    const turn = Semaphore.makeUnsafe(1).withPermits(1)
    const attach = Effect.acquireRelease(
      turn(Effect.map(Queue.unbounded<Poll<Snapshot, E>, LoopError>(), (waiter) => {
        if (loop !== undefined) {
          if (loop.latest !== undefined) Queue.offerUnsafe(waiter, loop.latest)
          loop.waiters.add(waiter)
          return { joined: loop, waiter }
        }
        const joined: Loop = { waiters: new Set([waiter]), latest: undefined, fiber: undefined }
        loop = joined
        // On the context of the handle and not of the first waiter, whose scheduler or tracer may end with it
        joined.fiber = Effect.runForkWith(context)(run(joined))
        return { joined, waiter }
      })),
      ({ joined, waiter }) =>
        turn(Effect.suspend(() => {
          joined.waiters.delete(waiter)
          if (joined.waiters.size > 0) return Effect.void
          if (loop === joined) loop = undefined
          return joined.fiber === undefined ? Effect.void : Fiber.interrupt(joined.fiber)
        }))
    )

    const shared: Stream.Stream<Poll<Snapshot, E>, LoopError> = Stream.suspend(() =>
      last !== undefined
        ? Stream.make(last)
        : Stream.unwrap(Effect.map(attach, ({ waiter }) => Stream.fromQueue(waiter))).pipe(Stream.takeUntil(isTerminal))
    )
    const ended: Effect.Effect<PollLoop.Ended<Success, Failure>, LoopError> = Effect.flatMap(
      Stream.runLast(shared),
      (poll) =>
        Option.isSome(poll) && poll.value._tag === "Snapshot"
          ? Effect.succeed(
            {
              ref: source.ref,
              phase: source.classify(poll.value.snapshot),
              requestId: poll.value.requestId
            } as PollLoop.Ended<Success, Failure>
          )
          : Effect.die(new Error("a shared poll loop ended before its run"))
    )
    return {
      ref: source.ref,
      polls: shared,
      watch: changes(shared),
      settle: Effect.map(ended, ({ phase }) => phase.run),
      wait: Effect.flatMap(ended, succeedOrFail),
      stop: turn(Effect.suspend(() => {
        const ending = loop
        if (ending === undefined) return Effect.void
        // What a waiter has not read yet is dropped, so that it ends at once
        return Effect.forEach(ending.waiters, (waiter) => Effect.ignore(Queue.clear(waiter)), { discard: true }).pipe(
          Effect.andThen(Effect.sync(() => end(ending, Cause.fail(stopped(source.ref))))),
          Effect.andThen(ending.fiber === undefined ? Effect.void : Fiber.interrupt(ending.fiber))
        )
      }))
    }
  })

const stop = (loop: PollLoop.AnyLoop): Effect.Effect<void> => Effect.sync(() => PollLoop.stop(loop))

/** Follows a run to its end, and judges that. What is built before the run is waited for is not held by then. */
const follow = <
  Snapshot,
  Success extends Snapshot,
  Failure extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR,
  A,
  E2
>(
  source: RunSource<Snapshot, Success, Failure, E, R>,
  policy: Policy<Snapshot, SE, SR>,
  judge: (end: PollLoop.Ended<Success, Failure>) => Effect.Effect<A, E2>
): Effect.Effect<A, E | E2 | RunTimeoutError | SE, R | SR> =>
  Effect.flatMap(
    PollLoop.make(source, policy),
    (loop) =>
      Effect.withFiber((fiber) =>
        Effect.flatMap(
          Telemetry.spanOf(fiber, released(loop), "Run.wait", () => Telemetry.attributes(source.ref)),
          judge
        )
      )
  )

const released = <Snapshot, Success extends Snapshot, Failure extends Snapshot, E extends PollLoop.Failure, R, SE, SR>(
  loop: PollLoop.Loop<Snapshot, Success, Failure, E, R, SE, SR>
): Effect.Effect<PollLoop.Ended<Success, Failure>, E | RunTimeoutError | SE, R | SR> => {
  type Wait = Effect.Effect<PollLoop.Ended<Success, Failure>, E | RunTimeoutError | SE, R | SR>
  // One function for the beginning and the end: what is built here is held for as long as the run is waited for
  const beginOrRelease = (exit?: Exit.Exit<PollLoop.Ended<Success, Failure>, E | RunTimeoutError | SE>) => {
    if (exit === undefined) return PollLoop.end(loop)
    PollLoop.stop(loop)
    return Telemetry.ended(loop, exit)
  }
  return Effect.onExit(
    Effect.suspend(beginOrRelease as () => Wait),
    beginOrRelease as (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  )
}

const succeedOrFail = <Success, Failure>(
  { phase, ref, requestId }: PollLoop.Ended<Success, Failure>
): Effect.Effect<Success, RunFailedError> =>
  phase._tag === "Succeeded" ? Effect.succeed(phase.run) : Effect.fail(runFailed(ref, phase, requestId))

const either = <Success, Failure>(
  { phase }: PollLoop.Ended<Success, Failure>
): Effect.Effect<Success | Failure> => Effect.succeed(phase.run)

const stopped = (ref: RunRef): WaitStoppedError =>
  new WaitStoppedError({
    message:
      `The wait for the ${ref.provider} ${ref.kind} ${ref.id} was stopped. The run continues at the provider: wait ` +
      "again with the same handle, or with this error's ref.",
    ref
  })

const isTerminal = <Snapshot, E>(poll: Poll<Snapshot, E>): boolean => poll._tag === "Snapshot" && poll.terminal

/** A field may be nested too deep to compare; then it counts as changed. */
const isUnchanged = <Snapshot>(
  source: Pick<RunSource<Snapshot, Snapshot, Snapshot>, "unchanged">,
  previous: Snapshot,
  next: Snapshot
): boolean => {
  try {
    return source.unchanged(previous, next)
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** The first snapshot, then those that differ. */
const changes = <Snapshot, E, E2, R>(self: Stream.Stream<Poll<Snapshot, E>, E2, R>): Stream.Stream<Snapshot, E2, R> =>
  Stream.suspend(() => {
    let isFirst = true
    return Stream.filterMap(self, (poll) => {
      if (poll._tag === "Failure" || !(isFirst || poll.changed)) return Result.fail(poll)
      isFirst = false
      return Result.succeed(poll.snapshot)
    })
  })

const runFailed = (
  ref: RunRef,
  phase: { readonly run: unknown; readonly errors: ReadonlyArray<string> },
  requestId: string | undefined
): RunFailedError =>
  new RunFailedError({
    message: `The ${ref.provider} ${ref.kind} ${ref.id} failed: ${
      phase.errors.length === 0 ? "the provider gave no reason" : reasons(phase.errors)
    }. Start a new one, or look at its partial work with this error's ref.`,
    ref,
    errors: phase.errors,
    run: phase.run,
    ...(requestId === undefined ? undefined : { requestId })
  })
