/**
 * The one poll loop. Everything that follows a run turns it, whether a fiber waits for one run or a table holds a hundred
 * thousand, so how a waiting run sleeps can change here alone.
 *
 * Where a wait stands is one plain object, which is its own timer: what a wait holds while it sleeps decides how many of them
 * a process can have.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Cause from "effect/Cause"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { delayOf, ignoresSnapshot } from "./sleepingRun.ts"
import type * as RunSource from "../../RunSource.ts"
import { quote, shorten } from "../describe.ts"
import { format, type RunRef } from "../ref.ts"
import { durationOf } from "../options.ts"
import { maxPollRecords, type PollRecord, RunTimeoutError } from "../../RunError.ts"
import { isOurs } from "../taggedError.ts"
import * as Telemetry from "../telemetry.ts"
import * as TimerQueue from "./timerQueue.ts"

/** Where a wait stands. Times are in milliseconds of its timers. */
export interface Loop<S extends RunSource.Any, SE, SR> extends TimerQueue.Timer {
  source: S
  /** What a row of a table is about, which has its source only while it polls. */
  target: unknown
  readonly policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
  readonly timers: TimerQueue.TimerQueue
  /** A schedule that is no function of the state has a state of its own, which the first pause makes. */
  step: Step<RunSource.Snapshot<S>, SE, SR> | undefined
  readonly started: number
  /** Wakes the fiber that sleeps, with what it is to go on with. */
  resume: ((effect: Effect.Effect<never>) => void) | undefined
  goOn: ((loop: never) => Effect.Effect<unknown, unknown, unknown>) | undefined
  polls: number
  /** How much later than it was due the last poll began. */
  late: number
  /** Polls in a row that failed. */
  failures: number
  slowest: number
  /** What the provider asks to wait at least. */
  floor: number
  /** Bits, because each boolean of its own would take 8 bytes of every wait: see {@link isLast} and the constants after it. */
  flags: number
  /** Above 0 once a push has proved that the run has ended. While a poll does not know of the end yet, those after it hurry. */
  hurry: number
  snapshot: RunSource.Snapshot<S> | undefined
  completed: number | undefined
  total: number | undefined
  progressAt: number
  /** The outcome of the last poll, how many in a row had it, and how long after the start the last was; then those before. */
  outcome: string | undefined
  outcomes: number
  outcomeAt: number
  history: Array<PollRecord> | undefined
}

/** The poll for which the last sleep was shortened has been planned. */
const isLast = 1
/** A push came while a poll was under way, so its answer may be from before the push. */
const isPushed = 2
/** The poll that is due has been put off once, after a pause of the process. */
const isPutOff = 4
/** A row of a table waits for room to poll. Its timer then is that of its deadline. */
const isQueued = 8
/** A push has made the loop poll before. */
const wasPushed = 16

const set = (loop: Pick<AnyLoop, "flags">, flag: number): void => {
  loop.flags |= flag
}

const unset = (loop: Pick<AnyLoop, "flags">, flag: number): void => {
  loop.flags &= ~flag
}

type Step<Snapshot, SE, SR> = (
  now: number,
  state: RunSource.PollState<Snapshot>
) => Pull.Pull<[unknown, Duration.Duration], SE, unknown, SR>

/** A loop, whatever it is about. */
export interface AnyLoop extends
  Omit<
    Loop<RunSource.Any, never, never>,
    "policy" | "snapshot" | "source" | "step" | "target" | "wake"
  >
{
  readonly source: { readonly ref: RunRef }
  readonly policy: Pick<RunSource.Policy, "timeout" | "timeoutSource">
  readonly snapshot: unknown
  wake(self: TimerQueue.Timer): void
}

/** One turn of the loop: an answer and what it means, or a failure that was survived. */
export type Turn<S extends RunSource.Any> =
  | { readonly phase: Phase<S>; readonly answer: RunSource.Answer<RunSource.Snapshot<S>> }
  | { readonly phase: undefined; readonly error: RunSource.Error<S> }

type Phase<S extends RunSource.Any> = RunSource.Phase<RunSource.Success<S>, RunSource.Failure<S>>

/** The end of a run. */
export interface Ended<S extends RunSource.Any> {
  readonly ref: RunRef
  readonly phase: Exclude<Phase<S>, { readonly _tag: "Pending" }>
  readonly requestId: string | undefined
}

/** A loop that starts now. */
export const make = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  timers?: TimerQueue.TimerQueue
): Effect.Effect<Loop<S, SE, SR>> =>
  Effect.withFiber((fiber) => Effect.succeed(makeUnsafe(source, policy, timers ?? TimerQueue.of(fiber))))

const makeUnsafe = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  timers: TimerQueue.TimerQueue
): Loop<S, SE, SR> => {
  const started = timers.now()
  return {
    due: 0,
    index: -1,
    wake,
    source,
    target: undefined,
    policy,
    timers,
    step: undefined,
    started,
    resume: undefined,
    goOn: undefined,
    polls: 0,
    late: 0,
    failures: 0,
    slowest: 0,
    floor: 0,
    flags: 0,
    hurry: 0,
    snapshot: undefined,
    completed: undefined,
    total: undefined,
    progressAt: 0,
    outcome: undefined,
    outcomes: 0,
    outcomeAt: 0,
    history: undefined
  }
}

/**
 * Makes the next turn: sleeps until a poll is due, and makes it; the first is due at once. It must not be run again after a
 * terminal phase or a failure, and its caller calls {@link stop} when it is interrupted.
 */
export const next = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Effect.Effect<Turn<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> =>
  Effect.suspend(() =>
    loop.polls === 0
      ? Effect.andThen(listenAlone(loop), poll(loop))
      : plan(loop, (loop, millis) => sleep(loop, millis, poll))
  )

/** Polls until the run has ended. The caller runs {@link stop} when it is over or interrupted. */
export const end = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Effect.Effect<Ended<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> =>
  Effect.andThen(listenAlone(loop), endAfterPoll(loop))

const endAfterPoll = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Effect.Effect<Ended<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> =>
  Effect.flatMap(
    poll(loop),
    (turn): Effect.Effect<Ended<S>, RunSource.Error<S> | RunTimeoutError | SE, RunSource.Services<S> | SR> =>
      turn.phase === undefined || turn.phase._tag === "Pending"
        ? plan(loop, (loop, millis) => sleep(loop, millis, endAfterPoll))
        : Effect.succeed({ ref: loop.source.ref, phase: turn.phase, requestId: turn.answer.requestId })
  )

/** Removes the timer, and stops listening for pushes. */
export const stop = (loop: AnyLoop): void => {
  loop.timers.remove(loop)
  listeners.get(loop)?.interruptUnsafe()
}

/** The fibers that listen for pushes. They are kept apart because hardly any wait has one. */
const listeners = new WeakMap<AnyLoop, Fiber.Fiber<void>>()

/**
 * Listens for pushes until {@link stop}. A push is never an answer, because its body may be forged: it wakes the loop, which
 * polls once. Polling goes on if listening fails.
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
      // Anything else is no new push, and to ask again at once would never end
      (number) =>
        number > after ? Effect.andThen(Effect.sync(() => push(loop, isPushProof === true)), next(number)) : Effect.void
    )
  listeners.set(
    loop,
    fork(Effect.catchCause(next(0), (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError("canvas-runs: webhooks cannot be listened for any more; polling goes on", cause)))
  )
}

/** {@link listen} for a loop that is run by a fiber of its own. */
const listenAlone = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    listen(loop, Effect.runForkWith(fiber.context))
    return Effect.void
  })

const push = (loop: AnyLoop, isProof: boolean): void => {
  if (isProof) loop.hurry = 1
  if (isWaiting(loop)) return unset(loop, isLast)
  // A poll is under way, or the consumer does not pull
  if (loop.index === -1) {
    unset(loop, isLast)
    return set(loop, isPushed)
  }
  const floor = Math.max(loop.floor, loop.flags & wasPushed ? pushGap(loop) : 0)
  const millis = loop.started + loop.outcomeAt + floor - loop.timers.now()
  // A push makes the next poll earlier, and never later: what is planned fits into the deadline
  if (loop.timers.now() + millis >= loop.due) return
  unset(loop, isLast)
  set(loop, wasPushed)
  loop.timers.remove(loop)
  if (millis > 0) return loop.timers.add(loop, millis)
  loop.wake(loop)
}

/**
 * The pause between a poll and the next that a push asks for, in milliseconds. A push that proves the end of the run is signed;
 * others prove only that the sender knows the token, and must not make this client flood the provider.
 */
const pushGap = (loop: Pick<AnyLoop, "hurry">): number => loop.hurry > 0 ? breather : 10 * breather

/**
 * Sleeps, then goes on. A sleeping fiber is woken with what it goes on with, so that it holds no more than its loop: no frame of
 * a stack, and no finalizer, which is {@link stop}.
 */
const sleep = <S extends RunSource.Any, SE, SR, A, E2, R2>(
  loop: Loop<S, SE, SR>,
  millis: number,
  goOn: (loop: Loop<S, SE, SR>) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E2, R2> =>
  Effect.callback((resume) => {
    loop.resume = resume
    loop.goOn = goOn
    loop.timers.add(loop, millis)
  })

const wake = (loop: AnyLoop): void => {
  if (isHeldBack(loop)) return
  const { goOn, resume } = loop
  loop.resume = undefined
  resume!(goOn!(loop as never) as Effect.Effect<never>)
}

/** A process that slept as a whole, and not only its timers, finds everything due at once. */
const pauseMillis = 1000

/** The time over which a crowd spreads what would otherwise come at one moment. */
const spread = (timers: TimerQueue.TimerQueue): number => Math.max(0, timers.size() - TimerQueue.crowd)

/**
 * After a pause, what was due at different times stays at different times. Each is put off once at most, and never to its
 * deadline: in a process whose event loop is always busy, every wake-up comes after a pause.
 */
export const isHeldBack = (loop: AnyLoop): boolean => {
  const late = loop.timers.now() - loop.due
  const wasPutOff = (loop.flags & isPutOff) !== 0
  unset(loop, isPutOff)
  if (late < pauseMillis || wasPutOff || loop.flags & isLast) return false
  const window = Math.min(late, spread(loop.timers))
  const millis = loop.due % window
  if (window === 0 || millis >= lastStart(loop, timeLeft(loop))) return false
  set(loop, isPutOff)
  loop.timers.add(loop, millis)
  return true
}

/** The time until the deadline, in milliseconds. */
export const timeLeft = (loop: AnyLoop): number =>
  loop.started + Duration.toMillis(loop.policy.timeout) - loop.timers.now()

/** Notes that a row waits for room. */
export const enqueue = (loop: AnyLoop): void => set(loop, isQueued)

/** Whether a row waits for room. */
export const isWaiting = (loop: AnyLoop): boolean => (loop.flags & isQueued) !== 0

/** Wakes a row that still waits for room at its deadline. */
export const watchQueued = (loop: AnyLoop): void => {
  if (isWaiting(loop)) loop.timers.add(loop, Math.max(0, timeLeft(loop)))
}

/** Ends the waiting for room, and says whether the row still waited. */
export const dequeue = (loop: AnyLoop): boolean => {
  const was = isWaiting(loop)
  unset(loop, isQueued)
  loop.timers.remove(loop)
  return was
}

/** Asks the schedule when the next poll is due, and hands that on. */
export const plan = <S extends RunSource.Any, SE, SR, A, E2, R2>(
  loop: Loop<S, SE, SR>,
  sleep: (loop: Loop<S, SE, SR>, millis: number) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> =>
  Effect.withFiber((fiber): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> => {
    const { policy, timers } = loop
    const now = timers.now()
    const left = loop.started + Duration.toMillis(policy.timeout) - now
    // A consumer that came back late
    if (left <= 0) return timedOut(loop, "deadline")
    // The last poll has been made: what is left is waited for
    if (loop.flags & isLast) return sleep(loop, left)
    const random = fiber.getRef(Random.Random).nextDoubleUnsafe()
    const state = stateOf(loop, fiber, now, left)
    const delay = delayOf(policy.schedule)
    if (delay !== undefined) {
      const millis = due(loop, left, delay(state, random), random)
      if (!needsSnapshot(loop, left, millis)) loop.snapshot = undefined
      return sleep(loop, millis)
    }
    const step = loop.step === undefined
      ? Effect.map(Schedule.toStep(policy.schedule), (step) => loop.step = step)
      : Effect.succeed(loop.step)
    const next = Effect.flatMap(step, (step) => step(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), state))
    // A schedule may run any effect to find its next pause, such as a request, and take any time
    return Pull.matchEffect(TimerQueue.within(next, left, () => timedOut(loop, "deadline")), {
      onFailure: Effect.failCause,
      onDone: () => timedOut(loop, "schedule"),
      onSuccess: ([, delay]) => sleep(loop, due(loop, timeLeft(loop), Duration.toMillis(delay), random))
    })
  })

/**
 * Whether the snapshot may have to travel in a timeout's error. It is an eighth of what a sleeping wait would hold. As long
 * as more polls will follow than may fail, however long each takes, a later one brings another.
 */
const needsSnapshot = (
  { policy, source }: {
    readonly policy: RunSource.Policy<never, unknown, unknown>
    readonly source: Pick<RunSource.Any, "longest" | "ref">
  },
  left: number,
  millis: number
): boolean =>
  !ignoresSnapshot(policy.schedule) ||
  left < graceOf(policy, source.ref) + (policy.errorBudget + 2) *
        (Math.max(4 * millis, Duration.toMillis(policy.retryAfterCeiling)) + (source.longest ?? Infinity))

/**
 * The pause after a poll, in milliseconds, where a schedule has none, or one of less than a millisecond: a provider is not to be
 * asked without one.
 */
const breather = 100

/** How long to sleep, given what the schedule says. */
const due = (
  loop: Pick<AnyLoop, "flags" | "floor" | "hurry" | "late" | "slowest" | "timers">,
  left: number,
  scheduled: number,
  random: number
): number => {
  const { floor, hurry, late, timers } = loop
  // What a crowd waited for each other does not add up
  let millis = scheduled >= 1 ? Math.max(scheduled - late, scheduled / 2) : breather
  if (loop.flags & isPushed) {
    millis = Math.min(millis, loop.flags & wasPushed ? pushGap(loop) : breather)
    set(loop, wasPushed)
  } else if (hurry > 0) millis = Math.min(millis, 500 * 2 ** loop.hurry++)
  // Many who are told to wait until the same moment must not come back at it
  if (floor > millis) millis = floor + random * Math.min(millis, spread(timers))
  const last = lastStart(loop, left)
  if (millis < last) return millis
  set(loop, isLast)
  return Math.max(0, last)
}

/**
 * The longest sleep that leaves room for the last poll, given the time left: twice the slowest poll seen, and never more than half
 * of what is left. No poll is planned for later.
 */
const lastStart = ({ slowest }: Pick<AnyLoop, "slowest">, left: number): number =>
  left - Math.min(Math.max(2 * slowest, 100), left / 2)

/** Makes one poll. After the deadline it makes none. */
export const poll = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>
): Effect.Effect<Turn<S>, RunSource.Error<S> | RunTimeoutError, RunSource.Services<S>> =>
  Effect.withFiber((fiber): Effect.Effect<Turn<S>, RunSource.Error<S> | RunTimeoutError, RunSource.Services<S>> => {
    const { source, timers } = loop
    const began = timers.now()
    const left = timeLeft(loop)
    if (left <= 0 && loop.polls > 0) return timedOut(loop, "deadline")
    loop.late = loop.polls === 0 ? 0 : Math.min(TimerQueue.crowdMillis, Math.max(0, began - loop.due))
    loop.polls++
    unset(loop, isPushed)
    Telemetry.countPoll(source.ref, fiber.context)
    const turn = Effect.matchEffect(source.retrieve, {
      onSuccess: (answer) => {
        loop.slowest = Math.max(loop.slowest, timers.now() - began)
        return Effect.succeed(succeeded(loop, answer))
      },
      onFailure: (error) => {
        loop.slowest = Math.max(loop.slowest, timers.now() - began)
        return failed(loop, error)
      }
    })
    return left > (source.longest ?? Infinity)
      ? turn
      : TimerQueue.within(turn, Math.max(0, left), () => timedOut(loop, "deadline", true))
  })

const succeeded = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>,
  answer: RunSource.Answer<RunSource.Snapshot<S>>
): Turn<S> => {
  const { source, timers } = loop
  const phase = phaseOf(source, answer)
  const progress = phase._tag === "Pending" ? phase.progress : undefined
  if (progress?.completed !== loop.completed || progress?.total !== loop.total) {
    loop.progressAt = Math.round(timers.now() - loop.started)
    loop.completed = progress?.completed
    loop.total = progress?.total
  }
  loop.failures = 0
  loop.floor = floorOf(loop.policy, answer.retryAfter)
  loop.snapshot = answer.value
  record(loop, source.status(answer.value))
  return { phase, answer }
}

/**
 * What the source makes of an answer. A source that returns something else is a mistake of the program: no error of a wait says so,
 * and to take it for an end would report a failure that there was not. It is a defect in words, as is what `classify` throws.
 */
export const phaseOf = <S extends RunSource.Any>(
  source: S,
  answer: Pick<RunSource.Answer<RunSource.Snapshot<S>>, "value">
): Phase<S> => {
  if (!Predicate.isObject(answer)) {
    throw new TypeError(`retrieve of ${format(source.ref)} returned ${quote(answer)}; it must return an answer.`)
  }
  const phase: unknown = source.classify(answer.value)
  const tag = Predicate.hasProperty(phase, "_tag") ? phase._tag : undefined
  if (tag === "Pending" || tag === "Succeeded" || tag === "Failed") return phase as Phase<S>
  throw new TypeError(
    `classify of ${format(source.ref)} returned ${quote(phase)} with the _tag ${
      quote(tag)
    }; it must return a phase with the ` +
      "_tag Pending, Succeeded or Failed."
  )
}

/** What the loop reads of a failure. A source may fail with anything, such as `null`, which ends the wait as it is. */
const readFailure = (error: unknown) =>
  Option.getOrElse(partsOf(error), () => ({ isRetryable: false, retryAfter: undefined, tag: "Error" }))

const partsOf = Option.liftThrowable((error: unknown) => {
  const { _tag: tag = "Error", isRetryable, retryAfter } = error as {
    readonly _tag?: unknown
    readonly isRetryable?: unknown
    readonly retryAfter?: unknown
  }
  return { isRetryable: isRetryable === true, retryAfter, tag }
})

const failed = <S extends RunSource.Any, SE, SR>(
  loop: Loop<S, SE, SR>,
  error: RunSource.Error<S>
): Effect.Effect<Turn<S>, RunSource.Error<S>> =>
  Effect.clockWith((clock) => {
    const { policy, source: { ref }, started, timers } = loop
    const grace = graceOf(policy, ref)
    const { isRetryable, retryAfter, tag } = readFailure(error)
    loop.floor = floorOf(policy, retryAfter)
    record(loop, tag)
    // The clock that dated the ref may be ahead, so the grace period also counts from the first poll
    const isReplicaLag = isOurs(error, "NotFoundError") && grace > 0 && timers.now() - started <= grace &&
      (ref.createdAt === undefined || clock.currentTimeMillisUnsafe() - ref.createdAt <= grace)
    return isReplicaLag || isRetryable && ++loop.failures <= policy.errorBudget
      ? Effect.succeed({ phase: undefined, error })
      : Effect.fail(error)
  })

/** How long 404 counts as replica lag, in milliseconds; 0 where it never does. */
export const graceOf = (
  { notFoundGrace }: Pick<RunSource.Policy, "notFoundGrace">,
  { createdAt }: Pick<RunRef, "createdAt">
): number => {
  if (notFoundGrace !== undefined) return Duration.toMillis(notFoundGrace)
  return createdAt === undefined ? 0 : defaultGrace
}

const defaultGrace = 30_000

const floorOf = (
  { retryAfterCeiling }: Pick<RunSource.Policy, "retryAfterCeiling">,
  retryAfter: unknown
): number =>
  retryAfter === undefined ? 0 : Option.match(durationOf(retryAfter), {
    onNone: () => 0,
    onSome: (duration) => Math.max(0, Math.min(Duration.toMillis(duration), Duration.toMillis(retryAfterCeiling)))
  })

const record = (loop: AnyLoop, word: unknown): void => {
  const outcome = typeof word === "string" ? shorten(word) : quote(word)
  if (loop.outcome !== outcome) {
    if (loop.outcome !== undefined) {
      loop.history ??= []
      loop.history.push(lastRecord(loop, loop.outcome))
      if (loop.history.length === maxPollRecords) loop.history.shift()
    }
    loop.outcome = outcome
    loop.outcomes = 0
  }
  loop.outcomes++
  loop.outcomeAt = Math.round(loop.timers.now() - loop.started)
}

const lastRecord = (loop: AnyLoop, outcome: string): PollRecord => ({
  elapsedMs: loop.outcomeAt,
  outcome,
  polls: loop.outcomes
})

const stateOf = <Snapshot>(
  loop: AnyLoop & { readonly snapshot: Snapshot | undefined },
  fiber: Fiber.Fiber<unknown, unknown>,
  now: number,
  left: number
): RunSource.PollState<Snapshot> => {
  const { completed, total } = loop
  const { createdAt, estimatedDurationMs } = loop.source.ref
  return {
    ref: loop.source.ref,
    snapshot: loop.snapshot,
    progress: completed === undefined ? undefined : { completed, total: total! },
    sinceProgress: Duration.millis(now - loop.started - loop.progressAt),
    polls: loop.polls,
    failures: loop.failures,
    elapsed: Duration.millis(now - loop.started),
    age: createdAt === undefined
      ? undefined
      : Duration.millis(Math.max(0, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - createdAt)),
    estimate: estimatedDurationMs === undefined ? undefined : Duration.millis(estimatedDurationMs),
    remaining: Duration.millis(left)
  }
}

export const timedOut = (
  loop: AnyLoop,
  reason: "deadline" | "schedule",
  /** Whether a poll is interrupted. What its request met so far is not known here. */
  isPolling = false
): Effect.Effect<never, RunTimeoutError> =>
  Effect.suspend(() => {
    const { outcome, policy, polls, snapshot, source: { ref } } = loop
    const elapsed = Duration.millis(loop.timers.now() - loop.started)
    return Effect.fail(
      new RunTimeoutError({
        message: `The ${ref.provider} ${ref.kind} ${ref.id} had not ended after ${
          Duration.format(elapsed)
        } and ${polls} ${polls === 1 ? "poll" : "polls"} (last: ${outcome ?? "none finished"}${
          isPolling ? "; a poll was under way, and may have been retrying a failed request" : ""
        }): ${
          reason === "deadline"
            ? `the time of ${policy.timeoutSource ?? "the timeout"} has passed`
            : "the schedule has no more polls"
        }. The run continues at the provider: wait again with this error's ref, or ${
          reason === "deadline" ? "raise that option" : "give a schedule with more polls"
        }.`,
        ref,
        reason,
        elapsed,
        polls,
        history: outcome === undefined ? [] : [...loop.history ?? [], lastRecord(loop, outcome)],
        lastSnapshot: snapshot
      })
    )
  })
