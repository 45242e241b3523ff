/** Polls the runs of many waits with one loop, and hands each result to the workflow that awaits it. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import type * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import * as Completions from "../../internal/polling/completions.ts"
import * as PollLoop from "../../internal/polling/pollLoop.ts"
import type { Loop } from "../../internal/polling/sleepingRun.ts"
import { format } from "../../internal/ref.ts"
import { isOurs } from "../../internal/taggedError.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { badRequest, type BadRequestError, RunTimeoutError, type WaitError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import { deferredOf } from "./deferred.ts"
import { guarded, readable } from "./guard.ts"
import type { AnyProvider, ProviderServices } from "./provider.ts"
import type { Wait } from "./waits.ts"

/** Options for polling. */
export interface Polls<P extends AnyProvider> {
  readonly providers: ReadonlyArray<P>
  readonly policy: RunSource.Policy
  readonly concurrency: number
}

/** An event of a wait. `Push`: a webhook says that its run has ended. `Stop`: its workflow was interrupted. */
export interface Signal {
  readonly _tag: "Push" | "Stop"
  readonly wait: Wait
}

/** The internal error that ends the polling of a run whose workflow was interrupted. No user sees it. */
const interrupted = badRequest({
  operation: "DurableRun.wait",
  parameter: "ref",
  message: "the workflow was interrupted."
})

/** The time for the last polls of a wait whose deadline passed while no process polled its run. */
const lastPolls = Duration.seconds(10)

/** The pauses between attempts grow to 10 seconds. */
const untilItWorks = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")]).pipe(
  Schedule.jittered
)

/** Repeats an effect until it succeeds, and logs its failures. */
export const lasting = <A, E, R>(what: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  self.pipe(
    Effect.sandbox,
    Effect.tapError((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logWarning(`canvas-runs: ${what} failed, and is repeated`, cause)
    ),
    Effect.retry({ schedule: untilItWorks, while: (cause) => !Cause.hasInterruptsOnly(cause) }),
    Effect.catch((cause) => Effect.failCause(cause as Cause.Cause<never>))
  )

/**
 * Follows the runs of `waits` until each has ended. `ended` runs when the workflow has the result. The effect ends only with a defect, for
 * example if a `schedule` throws.
 */
export const follow = <P extends AnyProvider>(
  { concurrency, policy, providers }: Polls<P>,
  waits: Stream.Stream<Wait>,
  signals: Stream.Stream<Signal>,
  ended: (wait: Wait) => Effect.Effect<void>
): Effect.Effect<void, never, ProviderServices<P> | WorkflowEngine.WorkflowEngine> =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const byName = new Map(providers.map((provider) => [provider.name, provider]))
    const timeoutOf = ({ deadline }: Wait): Duration.Duration => {
      const left = deadline - clock.currentTimeMillisUnsafe()
      return left > 0 ? Duration.millis(left) : lastPolls
    }
    const known = Stream.filterEffect(waits, ({ ref }) =>
      byName.has(ref.provider) ? Effect.succeed(true) : Effect.as(
        Effect.logError(
          `canvas-runs: a workflow waits for the ${format(ref)}, and the Waits of this process have no provider ${
            JSON.stringify(ref.provider)
          }. Add it to their providers.`
        ),
        false
      ))
    /** The waits whose workflow was interrupted. Some of them may not have been polled yet. */
    const stopped = new WeakSet<Wait>()
    // The fiber of a poll has the services of this one. Providing them again would copy all services of the program at each poll
    const knownSourceOf = (wait: Wait) =>
      guarded(wait.ref, () => byName.get(wait.ref.provider)!.source(wait.ref)) as Effect.Effect<
        RunSource.Any,
        BadRequestError
      >
    const sourceOf = (wait: Wait): Effect.Effect<RunSource.Any, BadRequestError> =>
      stopped.has(wait) ? Effect.fail(interrupted) : knownSourceOf(wait)
    const rows = new Map<Wait, Loop<RunSource.Any, never, never>>()
    const completions = Completions.make({
      targets: known,
      source: sourceOf,
      policy,
      concurrency,
      onRow: (row: Loop<RunSource.Any, never, never>) => {
        const wait = row.target as Wait
        row.policy = { ...policy, timeout: timeoutOf(wait) }
        rows.set(wait, row)
      }
    })
    const end = ({ result, target }: RunSource.Completion<Wait, unknown, WaitError>) =>
      Effect.gen(function*() {
        rows.delete(target)
        if (stopped.has(target)) return
        const exit = Result.isSuccess(result)
          ? Exit.succeed(result.success)
          : Exit.fail(errorOf(target, result.failure, yield* Clock.currentTimeMillis))
        const deferred = deferredOf(byName.get(target.ref.provider)!, "")
        yield* lasting(
          `handing the result of the ${format(target.ref)} to its workflow`,
          DurableDeferred.done(deferred, { token: target.token, exit: yield* readable(target.ref, deferred, exit) })
        )
        yield* ended(target)
      })
    const obey = ({ _tag, wait }: Signal) =>
      Effect.gen(function*() {
        if (_tag === "Stop") stopped.add(wait)
        const row = rows.get(wait)
        if (row === undefined) return
        if (_tag === "Push") return PollLoop.push(row, (yield* sourceOf(wait)).isPushProof === true)
        rows.delete(wait)
        PollLoop.dequeue(row)
        PollLoop.stop(row)
        // A sleeping run has no source
        row.source ??= yield* knownSourceOf(wait)
        yield* Telemetry.ended(row, Exit.interrupt())
      }).pipe(Effect.ignore)
    // Concurrent, so that a provider that is slow for one run does not delay the signals of the others
    yield* Effect.forkScoped(Stream.runDrain(Stream.mapEffect(signals, obey, { concurrency: "unbounded" })))
    yield* Stream.runForEach(Stream.mapEffect(completions, end, { concurrency }), () => Effect.void)
    return yield* Effect.never
  }))

/** The deadline of a wait counts from the creation of the run, and its polls from the start of the process. */
const errorOf = ({ deadline, ref, startedAt }: Wait, error: WaitError, now: number): WaitError => {
  if (!isOurs(error, "RunTimeoutError") || error.reason !== "deadline") return error
  return new RunTimeoutError({
    ...error,
    message:
      `The ${format(ref)} had not ended ${
        Duration.format(Duration.millis(deadline - startedAt))
      } after its creation, which is ` +
      "the timeout of the wait. The run continues at the provider: wait again with this error's ref, or raise that option.",
    elapsed: Duration.millis(now - startedAt)
  })
}
