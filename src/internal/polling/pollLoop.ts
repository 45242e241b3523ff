/**
 * The poll loop. All waits poll here, whether a fiber waits for one run or a table holds a hundred thousand.
 *
 * One round is {@link poll}, whose result `decide.ts` judges, then {@link plan}, which asks the schedule and `pause.ts` how long
 * to sleep, then the sleep. A push (a webhook that says that the run has ended) may cut the sleep short. The state of a wait
 * between two polls is a `Loop` of `sleepingRun.ts`.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { RunFailedError, RunTimeoutError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import type { RunRef } from "../ref.ts"
import { runFailed } from "../runFailed.ts"
import * as Telemetry from "../telemetry.ts"
import type { Learnt } from "./adaptive.ts"
import * as Decide from "./decide.ts"
import { CurrentHistory, expecting } from "./history.ts"
import * as Pause from "./pause.ts"
import { record, timedOut } from "./pollHistory.ts"
import {
  type AnyLoop,
  delayOf,
  elapsed,
  has,
  learns,
  type Loop,
  needsSnapshot,
  set,
  timeLeft,
  unset
} from "./sleepingRun.ts"
import * as SleepingRun from "./sleepingRun.ts"
import * as TimerQueue from "./timerQueue.ts"

/** An effect that polls a run of the kind `S`, paced by a schedule that may fail with `SE` and needs `SR`. */
export type Polling<A, S extends RunSource.Any, SE = never, SR = never> = Effect.Effect<
  A,
  RunSource.Error<S> | RunTimeoutError | SE,
  RunSource.Services<S> | SR
>

/** The end of a run. */
export interface Ended<S extends RunSource.Any> {
  readonly ref: RunRef
  readonly phase: Exclude<Decide.PhaseOf<S>, { readonly _tag: "Pending" }>
  readonly requestId: string | undefined
}

/** The end of the run, if the poll returned it. */
export const endedBy = <S extends RunSource.Any>(
  { ref }: Pick<S, "ref">,
  result: Decide.PollResult<S>
): Ended<S> | undefined =>
  result.phase === undefined || result.phase._tag === "Pending"
    ? undefined
    : { ref, phase: result.phase, requestId: result.answer.requestId }

/** The run that succeeded, or the error for the run that failed. */
export const successOf = <S extends RunSource.Any>(
  { phase, ref, requestId }: Ended<S>
): Effect.Effect<RunSource.Success<S>, RunFailedError> =>
  phase._tag === "Succeeded" ? Effect.succeed(phase.run) : Effect.fail(
    runFailed(ref, phase, requestId, "Start a new one, or look at its partial work with this error's ref.")
  )

/** A loop that starts now. The caller runs {@link stop} when the loop is over or interrupted. */
export const make = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  timers?: TimerQueue.TimerQueue
): Effect.Effect<Loop<S, SE, SR>> =>
  Effect.withFiber((fiber) => Effect.succeed(SleepingRun.make(source, policy, timers ?? TimerQueue.of(fiber), wake)))

const wake = (loop: AnyLoop): void => {
  if (!Pause.putOff(loop)) SleepingRun.resume(loop)
}

/** Polls once, as soon as the next poll is due. It must not be run again after a terminal phase or a failure. */
export const next = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Polling<Decide.PollResult<S>, S, SE, SR> =>
  Effect.suspend(() => loop.polls === 0 ? Effect.andThen(listenAlone(loop), poll(loop)) : planAndSleep(loop, poll))

/** Polls until the run has ended. */
export const end = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>): Polling<Ended<S>, S, SE, SR> =>
  Effect.andThen(listenAlone(loop), pollToTheEnd(loop))

const pollToTheEnd = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>): Polling<Ended<S>, S, SE, SR> =>
  Effect.flatMap(poll(loop), (result): Polling<Ended<S>, S, SE, SR> => {
    const ended = endedBy(loop.source, result)
    return ended === undefined ? planAndSleep(loop, pollToTheEnd) : Effect.succeed(ended)
  })

const planAndSleep = <S extends RunSource.Any, SE, SR, A>(
  loop: Loop<S, SE, SR>,
  next: (loop: Loop<S, SE, SR>) => Polling<A, S, SE, SR>
): Polling<A, S, SE, SR> => plan(loop, (loop, millis) => SleepingRun.sleep(loop, millis, next))

/** Removes the timer, and stops listening for pushes. */
export const stop = (loop: AnyLoop): void => {
  loop.timers.remove(loop)
  SleepingRun.listeners.get(loop)?.interruptUnsafe()
}

/** Makes one poll. After the deadline it makes none. */
export const poll = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>): Polling<Decide.PollResult<S>, S> =>
  Effect.withFiber((fiber): Polling<Decide.PollResult<S>, S> => {
    const { source, timers } = loop
    const began = timers.now()
    const left = timeLeft(loop)
    if (left <= 0 && loop.polls > 0) return timedOut(loop, "deadline")
    loop.late = loop.polls === 0 ? 0 : Math.min(TimerQueue.coalescingWindow, Math.max(0, began - loop.due))
    loop.polls++
    unset(loop, "isPushed")
    Telemetry.countPoll(source.ref, fiber.context)
    const noteDuration = () => {
      loop.slowest = Math.max(loop.slowest, timers.now() - began)
    }
    const result = Effect.matchEffect(source.retrieve, {
      onSuccess: (answer) => {
        noteDuration()
        Telemetry.polled(loop, answer.value, fiber)
        return Effect.succeed(succeeded(loop, answer))
      },
      onFailure: (error) => {
        noteDuration()
        return failed(loop, error, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
      }
    })
    const bounded = left > (source.longest ?? Infinity)
      ? result
      : TimerQueue.within(result, Math.max(0, left), () => timedOut(loop, "deadline", true))
    return fiber.getRef(CurrentHistory)?.observe(loop, bounded) ?? bounded
  })

const succeeded = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>,
  answer: RunSource.Answer<RunSource.Snapshot<S>>
): Decide.PollResult<S> => {
  const { policy, source } = loop
  const phase = Decide.phaseOf(source, answer)
  const progress = phase._tag === "Pending" ? phase.progress : undefined
  if (progress?.completed !== loop.completed || progress?.total !== loop.total) {
    // The first poll shows an earlier change. Later, the new tasks are assumed to have ended at even distances since the last poll
    if (loop.polls > 1) {
      const ended = Math.max(1, (progress?.completed ?? 0) - (loop.completed ?? 0))
      loop.progressAt = Math.round((loop.outcomeAt + ended * elapsed(loop)) / (ended + 1))
    }
    loop.completed = progress?.completed
    loop.total = progress?.total
  }
  loop.failures = 0
  loop.floor = Decide.floorOf(policy, answer.retryAfter)
  loop.snapshot = answer.value
  record(loop, source.status(answer.value))
  return { phase, answer }
}

const failed = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>, error: RunSource.Error<S>, now: number) => {
  const { failures, policy, source: { ref } } = loop
  const { retryAfter, tag } = Decide.readFailure(error)
  loop.floor = Decide.floorOf(policy, retryAfter)
  record(loop, tag)
  const decision = Decide.afterFailure(error, { policy, ref, failures, elapsed: elapsed(loop), now })
  if (decision === "end the wait") return Effect.fail(error)
  if (decision === "spend and poll again") loop.failures++
  return Effect.succeed({ phase: undefined, error })
}

/** Asks the schedule when the next poll is due, and continues with `sleep`. */
export const plan = <S extends RunSource.Any, SE, SR, A, E2, R2>(
  loop: Loop<S, SE, SR>,
  sleep: (loop: Loop<S, SE, SR>, millis: number) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> =>
  Effect.withFiber((fiber): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> => {
    const { policy: { schedule } } = loop
    const left = timeLeft(loop)
    // A consumer that came back late
    if (left <= 0) return timedOut(loop, "deadline")
    // The last poll has been made: sleep until the deadline
    if (has(loop, "isLast")) return sleep(loop, left)
    const random = fiber.getRef(Random.Random).nextDoubleUnsafe()
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const state = Pause.stateOf(loop, elapsed(loop), now)
    const delay = delayOf(schedule)
    if (delay !== undefined) {
      const paced = (learnt?: Learnt) => {
        const millis = Pause.afterPoll(loop, left, delay(state, random, learnt), random)
        if (!needsSnapshot(loop, left, millis)) loop.snapshot = undefined
        return sleep(loop, millis)
      }
      return learns(schedule) ? expecting(fiber, state.ref, paced) : paced()
    }
    const step = loop.step === undefined
      ? Effect.map(Schedule.toStep(schedule), (step) => loop.step = step)
      : Effect.succeed(loop.step)
    const next = Effect.flatMap(step, (step) => step(now, state))
    // A schedule may run any effect to find its next pause, such as a request, and take any time
    return Pull.matchEffect(TimerQueue.within(next, left, () => timedOut(loop, "deadline")), {
      onFailure: Effect.failCause,
      onDone: () => timedOut(loop, "schedule"),
      onSuccess: ([, delay]) => sleep(loop, Pause.afterPoll(loop, timeLeft(loop), Duration.toMillis(delay), random))
    })
  })

/**
 * Listens for pushes until {@link stop}. A push is never an answer, because its body may be forged: it wakes the loop, which
 * polls once. Polling continues if listening fails.
 */
export const listen = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>,
  fork: (listening: Effect.Effect<void>) => Fiber.Fiber<void>
): void => {
  const { isPushProof, pushed } = loop.source
  if (pushed === undefined) return
  const next = (after: number): Effect.Effect<void> =>
    Effect.flatMap(
      Effect.suspend(() => pushed(after)),
      // Any other number is not a new push, and asking again at once would never end
      (number) =>
        number > after ? Effect.andThen(Effect.sync(() => push(loop, isPushProof === true)), next(number)) : Effect.void
    )
  const listening = Effect.catchCause(next(0), (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.void
      : Effect.logError("canvas-runs: listening for webhooks failed; polling continues", cause))
  SleepingRun.listeners.set(loop, fork(listening))
}

/** {@link listen}, if the loop has a separate fiber. */
const listenAlone = <S extends RunSource.Any, SE, SR>(loop: Loop<S, SE, SR>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => Effect.succeed(listen(loop, Effect.runForkWith(fiber.context))))

/** Makes the loop poll soon, because a push says that the run has ended. `isProof` is whether the push is signed. */
export const push = (loop: AnyLoop, isProof: boolean): void => {
  if (isProof) loop.pausesSinceProof = 1
  // A poll is due or under way, or the consumer does not pull
  if (isQueued(loop) || loop.index === -1) {
    unset(loop, "isLast")
    return isQueued(loop) ? undefined : set(loop, "isPushed")
  }
  const millis = Pause.afterPush(loop)
  // A push makes the next poll earlier, and never later: the planned poll is before the deadline
  if (loop.timers.now() + millis >= loop.due) return
  unset(loop, "isLast")
  set(loop, "wasPushed")
  loop.timers.remove(loop)
  if (millis > 0) return loop.timers.add(loop, millis)
  loop.wake(loop)
}

/** Notes that a run awaited together with others waits for room to poll. */
export const enqueue = (loop: AnyLoop): void => set(loop, "isQueued")

/** Whether a run awaited together with others waits for room. */
export const isQueued = (loop: AnyLoop): boolean => has(loop, "isQueued")

/** Wakes a run that still waits for room at its deadline. */
export const watchQueued = (loop: AnyLoop): void => {
  if (isQueued(loop)) loop.timers.add(loop, Math.max(0, timeLeft(loop)))
}

/** Marks the run as no longer waiting for room, and returns whether it did wait. */
export const dequeue = (loop: AnyLoop): boolean => {
  const was = isQueued(loop)
  unset(loop, "isQueued")
  loop.timers.remove(loop)
  return was
}
