/**
 * The kernel: it follows a run of any provider, by polling.
 *
 * **When to use**
 *
 * The clients of Spine and Tela have these functions as methods, such as `spine.runs.watch`. Call the functions here for a
 * provider of your own.
 *
 * | you want | call |
 * | --- | --- |
 * | the result of one run | {@link wait} |
 * | the terminal snapshot, also of a failed run | {@link settle} |
 * | to show each change | {@link watch} |
 * | every poll, its failures included | {@link polls} |
 * | the results of many runs | {@link completions} |
 * | one run for several waiters | {@link share} |
 *
 * **Details**
 *
 * A provider describes a kind of run with a `RunSource`: its ref, how to request its state once, and what a response means. The
 * functions above share one poll loop, and all keep the same promises:
 *
 * 1. the first poll is immediate, then the schedule decides;
 * 2. `Retry-After` is a floor, within a ceiling and the time left;
 * 3. the deadline bounds everything, also if the event loop is busy, and the last sleep is shortened so that one more poll fits;
 * 4. transient failures spend a budget that any snapshot refills; 404 is tolerated for a while after creation, and at most that
 *    long after the first poll;
 * 5. an unknown status is not terminal;
 * 6. after interruption, a terminal snapshot or the deadline, no request, timer, fiber or socket is left;
 * 7. waiters that share a handle ({@link share}) share one loop, and a failed loop is never handed to a new waiter;
 * 8. {@link watch} never repeats an unchanged snapshot and never reorders; {@link polls} has them all;
 * 9. success is reported only if the provider said so and its response decodes;
 * 10. a ref that was stored and read back works like the first;
 * 11. no secret is in an error, a span or a log.
 *
 * The twelfth promise is about the creation of runs: a create is repeated only if it surely did not reach the provider.
 *
 * A source or a policy that is not one, which only a JavaScript program can give, throws a `TypeError` that names it.
 *
 * **Gotchas**
 *
 * Neither provider can cancel a run: interruption and the deadline stop the waiting, not the run.
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
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Completions from "./internal/polling/completions.ts"
import { quote } from "./internal/describe.ts"
import { need, readOrThrow } from "./internal/options.ts"
import { phaseOf } from "./internal/polling/decide.ts"
import * as PollLoop from "./internal/polling/pollLoop.ts"
import type { AnyLoop, Loop } from "./internal/polling/sleepingRun.ts"
import * as Telemetry from "./internal/telemetry.ts"
import { type RunFailedError, type RunTimeoutError, WaitStoppedError } from "./RunError.ts"
import { format, type RunRef } from "./internal/ref.ts"
import type * as RunSource from "./RunSource.ts"

/**
 * Streams every poll of a run, changed or not, and the transient failures after which the wait continued. The stream ends after
 * the terminal snapshot.
 *
 * **When to use**
 *
 * Use it for a log or a metric of the polling itself. To show the state of the run, use {@link watch}.
 *
 * **Details**
 *
 * Polls are made as they are pulled: a slow consumer slows the polling, and loses nothing. A fatal failure, a spent error budget
 * and the deadline fail the stream.
 *
 * **Example** (Seeing what did not change)
 *
 * ```ts
 * import { Duration, Effect, Stream } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const statuses = ["queued", "running", "running", "done"]
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
 * const seen = await Effect.runPromise(Stream.runCollect(Run.polls(source, policy)))
 *
 * for (const poll of seen) {
 *   if (poll._tag === "Snapshot") console.log(poll.snapshot, poll.changed)
 * }
 * // The third poll is the one that `watch` leaves out
 * seen.length // => 4
 * ```
 *
 * @see {@link watch} for the snapshots that changed
 * @category following
 * @since 0.1.0
 */
export const polls = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
): Stream.Stream<PollOf<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> => {
  checkWait(source, policy)
  return Stream.scoped(Stream.fromPull(
    Effect.map(Effect.acquireRelease(PollLoop.make(source, policy), leave), (loop) => {
      const next = Effect.onExit(
        PollLoop.next(loop),
        (exit) => Telemetry.ended(loop, Exit.map(exit, (result) => PollLoop.endedBy(source, result)))
      )
      let previous: RunSource.Snapshot<S> | undefined
      let ended = false
      return Effect.suspend((): Pull.Pull<
        readonly [PollOf<S>],
        RunSource.Error<S> | RunTimeoutError | SE,
        void,
        RunSource.Services<S> | SR
      > =>
        ended ? Cause.done() : Effect.map(next, (result): readonly [PollOf<S>] => {
          const at = { poll: loop.polls, elapsed: Duration.millis(loop.timers.now() - loop.started) }
          if (result.phase === undefined) return [{ _tag: "Failure", error: result.error, ...at }]
          const { requestId, value: snapshot } = result.answer
          ended = result.phase._tag !== "Pending"
          const changed = ended || previous === undefined || !isUnchanged(source, previous, snapshot)
          previous = snapshot
          return [{ _tag: "Snapshot", snapshot, changed, terminal: ended, requestId, ...at }]
        })
      )
    })
  )).pipe(Telemetry.streamSpan("Run.polls", Telemetry.attributes(source.ref), source))
}

/**
 * Streams the snapshots of a run that differ from the one before. The last one is the terminal snapshot. For a failed run that
 * is a snapshot too, and not an error.
 *
 * **When to use**
 *
 * Use it to show the state of a run. For every poll and the failures between them, use {@link polls}; for the result alone, use
 * {@link wait}.
 *
 * **Example** (The statuses of a job)
 *
 * ```ts
 * import { Duration, Effect, Stream } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const statuses = ["queued", "running", "running", "done"]
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
 * const seen = await Effect.runPromise(Stream.runCollect(Run.watch(source, policy)))
 *
 * console.log(seen) // => ["queued", "running", "done"]
 * ```
 *
 * @see {@link polls} for every poll
 * @see {@link wait} for the result
 * @category following
 * @since 0.1.0
 */
export const watch = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
): Stream.Stream<RunSource.Snapshot<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> =>
  changes(polls(source, policy))

/**
 * Waits for the terminal snapshot, whether the run succeeded or failed.
 *
 * **When to use**
 *
 * Use it if a failed run is an ordinary result of your program. If it is an error, use {@link wait}.
 *
 * **Example** (A failed run as a value)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const statuses = ["queued", "failed"]
 * const source: RunSource.RunSource<string, string, string, never> = {
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   retrieve: Effect.sync(() => ({ value: statuses.shift() ?? "failed", requestId: undefined, retryAfter: undefined })),
 *   status: (job) => job,
 *   unchanged: (previous, next) => previous === next,
 *   classify: (run) => run === "failed" ? { _tag: "Failed", run, errors: ["out of paper"] } : { _tag: "Pending" }
 * }
 * const minute = Duration.minutes(1)
 * const policy = { schedule: Polling.fixed("10 millis"), timeout: minute, errorBudget: 5, retryAfterCeiling: minute }
 *
 * console.log(await Effect.runPromise(Run.settle(source, policy))) // => "failed"
 * ```
 *
 * @see {@link wait} for a failed run as an error
 * @category following
 * @since 0.1.0
 */
export const settle = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
): Effect.Effect<
  RunSource.Success<S> | RunSource.Failure<S>,
  RunSource.Error<S> | RunTimeoutError | SE,
  RunSource.Services<S> | SR
> => follow(source, policy, either)

/**
 * Waits for the run to succeed, and returns its terminal snapshot. A run that the provider ended as failed is a
 * `RunFailedError`.
 *
 * **When to use**
 *
 * Use it for one run, or for some dozens with `Effect.forEach`. For thousands use {@link completions}, and if a failed run is no
 * error use {@link settle}.
 *
 * **Example** (The result, or a typed error)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const statuses = ["queued", "failed"]
 * const source: RunSource.RunSource<string, string, string, never> = {
 *   ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
 *   retrieve: Effect.sync(() => ({ value: statuses.shift() ?? "failed", requestId: undefined, retryAfter: undefined })),
 *   status: (job) => job,
 *   unchanged: (previous, next) => previous === next,
 *   classify: (run) => run === "failed" ? { _tag: "Failed", run, errors: ["out of paper"] } : { _tag: "Pending" }
 * }
 * const minute = Duration.minutes(1)
 * const policy = { schedule: Polling.fixed("10 millis"), timeout: minute, errorBudget: 5, retryAfterCeiling: minute }
 *
 * const main = Run.wait(source, policy).pipe(
 *   Effect.catchTag("RunFailedError", ({ errors }) => Effect.succeed(`failed: ${errors.join(", ")}`))
 * )
 * console.log(await Effect.runPromise(main)) // => "failed: out of paper"
 * ```
 *
 * @see {@link settle} for a failed run as a result
 * @see {@link completions} for many runs
 * @category following
 * @since 0.1.0
 */
export const wait = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
): Effect.Effect<
  RunSource.Success<S>,
  RunSource.Error<S> | RunTimeoutError | RunFailedError | SE,
  RunSource.Services<S> | SR
> => follow(source, policy, PollLoop.successOf)

/**
 * Waits for many runs, and streams a completion for each as it ends.
 *
 * **When to use**
 *
 * Use it for hundreds of runs and more: {@link wait} keeps a fiber for each run, and this keeps a row in a table, so that a
 * process can wait for a hundred thousand.
 *
 * **Details**
 *
 * A failed run, and a run whose wait failed, is a completion too, and the stream continues with the others. The stream fails
 * only if `targets` fails. A defect, such as that of a `source` or of a schedule's function that throws, also ends it.
 *
 * `source` is called for each poll, and its result is not kept, so that a sleeping run takes little memory.
 *
 * Each run has the whole `policy`, and its deadline counts from its first poll. At most `concurrency` polls are under way at
 * once. If more are due, they start in order, and the time between the polls of a run grows. A run whose deadline passes while
 * it waits for a free place is a completion at once, without another poll. A slow reader slows the polling, and loses nothing.
 *
 * A `concurrency` below 1 throws a `RangeError`.
 *
 * **Example** (Two jobs, in the order in which they end)
 *
 * ```ts
 * import { Duration, Effect, Result, Stream } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const left: Record<string, number> = { large: 5, small: 2 }
 * const source = (id: string): RunSource.RunSource<number, number, never, never> => ({
 *   ref: RunRef.make({ provider: "acme", kind: "job", id }),
 *   retrieve: Effect.sync(() => ({ value: left[id] = (left[id] ?? 1) - 1, requestId: undefined, retryAfter: undefined })),
 *   status: String,
 *   unchanged: (previous, next) => previous === next,
 *   classify: (run) => run === 0 ? { _tag: "Succeeded", run } : { _tag: "Pending" }
 * })
 * const minute = Duration.minutes(1)
 * const policy = { schedule: Polling.fixed("10 millis"), timeout: minute, errorBudget: 5, retryAfterCeiling: minute }
 *
 * const main = Run.completions(Stream.make("large", "small"), (id) => Effect.succeed(source(id)), policy).pipe(
 *   Stream.map(({ result, target }) => `${target}: ${Result.isSuccess(result)}`),
 *   Stream.runCollect
 * )
 * console.log(await Effect.runPromise(main)) // => ["small: true", "large: true"]
 * ```
 *
 * @see {@link wait} for one run
 * @category following
 * @since 0.1.0
 */
export const completions = <
  Target,
  S extends RunSource.Any,
  SE,
  SR,
  SourceError,
  InputError,
  InputServices
>(
  targets: Stream.Stream<Target, InputError, InputServices>,
  source: (target: Target) => Effect.Effect<S, SourceError>,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  options?: {
    /**
     * How many polls may be under way at once.
     *
     * @default 128
     */
    readonly concurrency?: number | undefined
  }
): Stream.Stream<
  RunSource.Completion<
    Target,
    RunSource.Success<S>,
    RunSource.Error<S> | RunTimeoutError | RunFailedError | SE | SourceError
  >,
  InputError,
  RunSource.Services<S> | SR | InputServices
> => {
  const { concurrency = 128 } = readOrThrow(options, ["concurrency"])
  need("targets", targets, Stream.isStream, "a Stream")
  need("source", source, Predicate.isFunction, "a function")
  need("policy", policy, isPolicy, policyHint)
  if (!(concurrency >= 1)) throw new RangeError(`concurrency is ${quote(concurrency)}; it must be a number, 1 or more.`)
  return Completions.make({ targets, source, policy, concurrency })
}

/**
 * A handle on a run. All its waiters share one poll loop.
 *
 * @see {@link share}, which makes it
 * @category models
 * @since 0.1.0
 */
export interface SharedRun<S extends RunSource.Any, E> {
  /** The run. */
  readonly ref: RunRef
  /** Streams every poll, from the latest on. */
  readonly polls: Stream.Stream<PollOf<S>, E | WaitStoppedError>
  /** Streams the snapshots that differ from the one before, from the latest on. */
  readonly watch: Stream.Stream<RunSource.Snapshot<S>, E | WaitStoppedError>
  /** Waits for the terminal snapshot, whether the run succeeded or failed. */
  readonly settle: Effect.Effect<RunSource.Success<S> | RunSource.Failure<S>, E | WaitStoppedError>
  /** Waits for the run to succeed. A failed run is a `RunFailedError`. */
  readonly wait: Effect.Effect<RunSource.Success<S>, E | RunFailedError | WaitStoppedError>
  /**
   * Stops the loop. All waiters fail with a `WaitStoppedError`, and no fiber is interrupted. The run continues at the provider,
   * and the next waiter starts a new loop. Once the run has ended, this does nothing: a slow reader still gets the end.
   */
  readonly stop: Effect.Effect<void>
}

/**
 * Makes a handle on a run for any number of waiters. They share one poll loop, which starts with the first waiter and stops
 * with the last. The handle keeps the terminal snapshot: once the run has ended, it makes no request.
 *
 * **When to use**
 *
 * Use it if several parts of a program follow the same run, such as a progress bar and the code that needs the result, or if
 * another fiber has to stop the wait.
 *
 * **Details**
 *
 * The deadline counts from the start of the loop. For a shorter deadline of one waiter, add `Effect.timeout`.
 *
 * **Example** (A progress bar and the result)
 *
 * ```ts
 * import { Duration, Effect, Stream } from "effect"
 * import { Polling, Run, RunRef, type RunSource } from "canvas-runs"
 *
 * const statuses = ["queued", "running", "running", "done"]
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
 * const main = Effect.gen(function*() {
 *   const run = yield* Run.share(source, policy)
 *   const bar = Stream.runCollect(run.watch)
 *   const [seen, result] = yield* Effect.all([bar, run.wait], { concurrency: "unbounded" })
 *   console.log(result) // => "done"
 *   console.log(seen) // => ["queued", "running", "done"]
 * })
 *
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link wait} for a single waiter
 * @category sharing
 * @since 0.1.0
 */
export const share = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
): Effect.Effect<SharedRun<S, RunSource.Error<S> | RunTimeoutError | SE>, never, RunSource.Services<S> | SR> => {
  checkWait(source, policy)
  return Effect.map(Effect.context<RunSource.Services<S> | SR>(), (context) => {
    type LoopError = RunSource.Error<S> | RunTimeoutError | WaitStoppedError | SE
    interface Loop {
      readonly waiters: Set<Queue.Queue<PollOf<S>, LoopError>>
      /** The latest poll, for a waiter that joins later. */
      latest: PollOf<S> | undefined
      fiber: Fiber.Fiber<void> | undefined
    }
    // The terminal poll, for waiters that start after the run has ended
    let last: PollOf<S> | undefined
    let loop: Loop | undefined

    // By hand, because with `Stream.share` 4 of 81 tests fail; and a queue per waiter, because a PubSub is 11 % of the size of this
    // library
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

    /** A loop that failed or was stopped is never joined: the next waiter starts a new one. */
    const end = (self: Loop, cause: Cause.Cause<LoopError>) => {
      if (loop === self) loop = undefined
      for (const waiter of self.waiters) Queue.failCauseUnsafe(waiter, cause)
    }

    // The loop starts with the first waiter and stops with the last. One at a time: otherwise two waiters could start two loops
    const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
    const attach = Effect.acquireRelease(
      oneAtATime(Effect.map(Queue.unbounded<PollOf<S>, LoopError>(), (waiter) => {
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
        oneAtATime(Effect.suspend(() => {
          joined.waiters.delete(waiter)
          if (joined.waiters.size > 0) return Effect.void
          if (loop === joined) loop = undefined
          return joined.fiber === undefined ? Effect.void : Fiber.interrupt(joined.fiber)
        }))
    )

    const shared: Stream.Stream<PollOf<S>, LoopError> = Stream.suspend(() =>
      last !== undefined
        ? Stream.make(last)
        : Stream.unwrap(Effect.map(attach, ({ waiter }) => Stream.fromQueue(waiter))).pipe(Stream.takeUntil(isTerminal))
    )
    const ended = Effect.map(Stream.runLast(shared), (last) => {
      // Polls that do not fail end with the terminal snapshot
      const { requestId, snapshot } = Option.getOrThrow(last) as Extract<PollOf<S>, { readonly _tag: "Snapshot" }>
      return { ref: source.ref, phase: phaseOf(source, { value: snapshot }), requestId } as PollLoop.Ended<S>
    })
    return {
      ref: source.ref,
      polls: shared,
      watch: changes(shared),
      settle: Effect.map(ended, ({ phase }) => phase.run),
      wait: Effect.flatMap(ended, PollLoop.successOf),
      stop: oneAtATime(Effect.suspend(() => {
        const ending = loop
        if (ending === undefined || last !== undefined) return Effect.void
        // What a waiter has not read yet is dropped, so that it ends at once
        return Effect.forEach(ending.waiters, (waiter) => Effect.ignore(Queue.clear(waiter)), { discard: true }).pipe(
          Effect.andThen(Effect.sync(() => end(ending, Cause.fail(stopped(source.ref))))),
          Effect.andThen(ending.fiber === undefined ? Effect.void : Fiber.interrupt(ending.fiber))
        )
      }))
    }
  })
}

/** Checks at run time, because the provider that calls this may be written in JavaScript. */
const checkWait = (source: unknown, policy: unknown): void => {
  need("source", source, isSource, "a RunSource")
  need("policy", policy, isPolicy, policyHint)
}

const isSource = (source: unknown): boolean => {
  const { classify, ref, retrieve } = source as RunSource.Any
  return Predicate.isObject(ref) && Effect.isEffect(retrieve) && Predicate.isFunction(classify)
}

const isPolicy = (policy: unknown): boolean => {
  const { schedule, timeout } = policy as RunSource.Policy
  return Schedule.isSchedule(schedule) && Duration.isDuration(timeout)
}

const policyHint = "made by Polling.makePolicy"

/** Stops the loop. If the wait has not ended, its consumer has left. */
const leave = (loop: AnyLoop): Effect.Effect<void> => stop(loop, Exit.interrupt())

const stop = <S extends RunSource.Any>(loop: AnyLoop, exit: Exit.Exit<PollLoop.Ended<S>, unknown>) => {
  PollLoop.stop(loop)
  return Telemetry.ended(loop, exit)
}

/** Polls until the run is terminal, then maps the terminal state. */
const follow = <S extends RunSource.Any, SE, SR, A, E2>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  judge: (end: PollLoop.Ended<S>) => Effect.Effect<A, E2>
): PollLoop.Polling<A, S, E2 | SE, SR> => {
  checkWait(source, policy)
  return Effect.flatMap(PollLoop.make(source, policy), (loop) =>
    Effect.withFiber((fiber) =>
      Telemetry.spanOf(
        fiber,
        Effect.flatMap(endOf(loop), judge),
        "Run.wait",
        () => Telemetry.attributes(source.ref),
        source
      )
    ))
}

/** Separate from {@link follow}, because its closures are kept while the run sleeps. Here they hold nothing but the loop. */
const endOf = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>) =>
  Effect.onExit(Effect.suspend(() => PollLoop.end(loop)), (exit) => stop(loop, exit))

const either = <S extends RunSource.Any>({ phase }: PollLoop.Ended<S>) => Effect.succeed(phase.run)

const stopped = (ref: RunRef): WaitStoppedError =>
  new WaitStoppedError({
    message:
      `The wait for the ${format(ref)} was stopped. The run continues at the provider: wait again with the same ` +
      "handle, or with this error's ref.",
    ref
  })

const isTerminal = (poll: RunSource.Poll<unknown, unknown>): boolean => poll._tag === "Snapshot" && poll.terminal

type PollOf<S extends RunSource.Any> = RunSource.Poll<RunSource.Snapshot<S>, RunSource.Error<S>>

/** A field may be nested too deep to compare; then it counts as changed. */
const isUnchanged = <S extends RunSource.Any>(
  source: S,
  previous: RunSource.Snapshot<S>,
  next: RunSource.Snapshot<S>
): boolean => {
  try {
    return source.unchanged(previous, next)
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** The first snapshot, then those that differ. */
const changes = <Snapshot, E, R>(self: Stream.Stream<RunSource.Poll<Snapshot, unknown>, E, R>) =>
  Stream.suspend(() => {
    let isFirst = true
    return Stream.filterMap(self, (poll) => {
      if (poll._tag === "Failure" || !(isFirst || poll.changed)) return Result.fail(poll)
      isFirst = false
      return Result.succeed(poll.snapshot)
    })
  })
