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
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { delayOf, ignoresSnapshot, type Policy, type PollState } from "../Polling.ts"
import type { Answer, Phase, RunSource } from "../Run.ts"
import type { RunRef } from "../RunRef.ts"
import { maxPollRecords, type PollRecord, RunTimeoutError } from "../RunError.ts"
import { isOurs } from "./taggedError.ts"
import * as Telemetry from "./telemetry.ts"
import * as Timers from "./timers.ts"

/** What the loop needs to know of a failed poll. */
export interface Failure {
  readonly _tag: string
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/** Where a wait stands. Times are in milliseconds of its timers. */
export interface Loop<Snapshot, Success extends Snapshot, Failed extends Snapshot, E, R, SE, SR> extends Timers.Timer {
  source: RunSource<Snapshot, Success, Failed, E, R>
  /** What a row of a table is about, which has its source only while it polls. */
  target: unknown
  readonly policy: Policy<Snapshot, SE, SR>
  readonly timers: Timers.Timers
  /** A schedule that is no function of the state has a state of its own. */
  readonly step: Step<Snapshot, SE, SR> | undefined
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
  /** The poll for which the last sleep was shortened has been planned. */
  isLast: boolean
  /** Above 0 once the provider has pushed, which is heard once. If a poll does not know of the end yet, those after it hurry. */
  hurry: number
  snapshot: Snapshot | undefined
  completed: number | undefined
  total: number | undefined
  progressAt: number
  /** The outcome of the last poll, how many in a row had it, and how long after the start the last was; then those before. */
  outcome: string | undefined
  outcomes: number
  outcomeAt: number
  history: Array<PollRecord> | undefined
}

type Step<Snapshot, SE, SR> = (
  now: number,
  state: PollState<Snapshot>
) => Pull.Pull<[unknown, Duration.Duration], SE, unknown, SR>

/** A loop, whatever it is about. */
export interface AnyLoop extends
  Omit<
    Loop<unknown, unknown, unknown, never, never, never, never>,
    "policy" | "snapshot" | "source" | "step" | "target" | "wake"
  >
{
  readonly source: { readonly ref: RunRef }
  readonly snapshot: unknown
  wake(self: Timers.Timer): void
}

/** One turn of the loop: an answer and what it means, or a failure that was survived. */
export type Turn<Snapshot, Success, Failed, E> =
  | { readonly phase: Phase<Success, Failed>; readonly answer: Answer<Snapshot> }
  | { readonly phase: undefined; readonly error: E }

/** The end of a run. */
export interface Ended<Success, Failed> {
  readonly ref: RunRef
  readonly phase: Exclude<Phase<Success, Failed>, { readonly _tag: "Pending" }>
  readonly requestId: string | undefined
}

/** A loop that starts now. */
export const make = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  source: RunSource<Snapshot, Success, Failed, E, R>,
  policy: Policy<Snapshot, SE, SR>,
  timers?: Timers.Timers
): Effect.Effect<Loop<Snapshot, Success, Failed, E, R, SE, SR>, never, SR> =>
  Effect.withFiber((fiber) =>
    delayOf(policy.schedule) === undefined
      ? Effect.map(
        Schedule.toStep(policy.schedule),
        (step) => makeUnsafe(source, policy, timers ?? Timers.of(fiber), step)
      )
      : Effect.succeed(makeUnsafe(source, policy, timers ?? Timers.of(fiber), undefined))
  )

const makeUnsafe = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  source: RunSource<Snapshot, Success, Failed, E, R>,
  policy: Policy<Snapshot, SE, SR>,
  timers: Timers.Timers,
  step: Step<Snapshot, SE, SR> | undefined
): Loop<Snapshot, Success, Failed, E, R, SE, SR> => {
  const started = timers.now()
  return {
    due: 0,
    index: -1,
    wake,
    source,
    target: undefined,
    policy,
    timers,
    step,
    started,
    resume: undefined,
    goOn: undefined,
    polls: 0,
    late: 0,
    failures: 0,
    slowest: 0,
    floor: 0,
    isLast: false,
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
 * terminal phase or a failure, and whoever runs it calls {@link stop} when it is interrupted.
 */
export const next = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>
): Effect.Effect<Turn<Snapshot, Success, Failed, E>, E | RunTimeoutError | SE, R | SR> =>
  Effect.suspend(() =>
    loop.polls === 0 ? poll(loop) : plan(loop, (loop, millis) => sleep(loop, millis, poll, Effect.succeed))
  )

/** Turns the loop until the run has ended. Whoever runs it calls {@link stop} when it is interrupted. */
export const end = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>
): Effect.Effect<Ended<Success, Failed>, E | RunTimeoutError | SE, R | SR> =>
  Effect.flatMap(poll(loop), (turn) => endAfter(turn, loop))

const endAfter = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  turn: Turn<Snapshot, Success, Failed, E>,
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>
): Effect.Effect<Ended<Success, Failed>, E | RunTimeoutError | SE, R | SR> =>
  turn.phase === undefined || turn.phase._tag === "Pending"
    ? plan(loop, (loop, millis) => sleep(loop, millis, end, endAfter))
    : Effect.succeed({ ref: loop.source.ref, phase: turn.phase, requestId: turn.answer.requestId })

/** Lets go of the timer. */
export const stop = (loop: AnyLoop): void => loop.timers.remove(loop)

/**
 * Sleeps, then goes on; or, where the provider tells of the end by itself, takes what it says. A sleeping fiber is woken with
 * what it goes on with, so that it holds no more than its loop: no frame of a stack, and no finalizer, which is {@link stop}.
 */
const sleep = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR, A, E2, R2>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>,
  millis: number,
  goOn: (loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>) => Effect.Effect<A, E2, R2>,
  take: (
    turn: Turn<Snapshot, Success, Failed, E>,
    loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>
  ) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E2, R2> => {
  const { pushed } = loop.source
  if (pushed === undefined || loop.hurry > 0) {
    return Effect.callback((resume) => {
      loop.resume = resume
      loop.goOn = goOn
      loop.timers.add(loop, millis)
    })
  }
  loop.due = loop.timers.now() + millis
  return Effect.flatMap(
    Effect.raceFirst(
      Effect.as(Timers.sleep(millis), undefined),
      Effect.map(pushed, (answer) => {
        loop.isLast = false
        loop.hurry = 1
        return Option.getOrUndefined(answer)
      })
    ),
    (answer) => answer === undefined ? goOn(loop) : take(succeeded(loop, answer), loop)
  )
}

const wake = (loop: AnyLoop): void => {
  if (isHeldBack(loop)) return
  const { goOn, resume } = loop
  loop.resume = undefined
  resume!(goOn!(loop as never) as Effect.Effect<never>)
}

/** A process that slept as a whole, and not only its timers, finds everything due at once. */
const pauseMillis = 1000

/** The time over which a crowd spreads what would otherwise come at one moment. */
const spread = (timers: Timers.Timers): number => Math.max(0, timers.size() - Timers.crowd)

/** After a pause, what was due at different times stays at different times. */
export const isHeldBack = (loop: AnyLoop): boolean => {
  const late = loop.timers.now() - loop.due
  if (late < pauseMillis || loop.isLast) return false
  const window = Math.min(late, spread(loop.timers))
  if (window === 0) return false
  loop.timers.add(loop, loop.due % window)
  return true
}

/** Asks the schedule when the next poll is due, and hands that on. */
export const plan = <
  Snapshot,
  Success extends Snapshot,
  Failed extends Snapshot,
  E extends Failure,
  R,
  SE,
  SR,
  A,
  E2,
  R2
>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>,
  sleep: (loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>, millis: number) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> =>
  Effect.withFiber((fiber): Effect.Effect<A, E2 | RunTimeoutError | SE, R2 | SR> => {
    const { policy, step, timers } = loop
    const now = timers.now()
    const left = loop.started + Duration.toMillis(policy.timeout) - now
    // A consumer that came back late
    if (left <= 0) return timedOut(loop, "deadline")
    // The last poll has been made: what is left is waited for
    if (loop.isLast) return sleep(loop, left)
    const random = fiber.getRef(Random.Random).nextDoubleUnsafe()
    const state = stateOf(loop, fiber, now, left)
    if (step === undefined) {
      const millis = due(loop, left, delayOf(policy.schedule)!(state, random), random)
      if (!needsSnapshot(loop, left, millis)) loop.snapshot = undefined
      return sleep(loop, millis)
    }
    return Pull.matchEffect(step(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), state), {
      onFailure: Effect.failCause,
      onDone: () => timedOut(loop, "schedule"),
      onSuccess: ([, delay]) => sleep(loop, due(loop, left, Duration.toMillis(delay), random))
    })
  })

/**
 * Whether the snapshot may have to travel in a timeout's error. It is an eighth of what a sleeping wait would hold. As long
 * as more polls will follow than may fail, however long each takes, a later one brings another.
 */
const needsSnapshot = (
  { isLast, policy, source }: Pick<AnyLoop, "isLast"> & {
    readonly policy: Policy<never, unknown, unknown>
    readonly source: Pick<RunSource<unknown, unknown, unknown>, "longest">
  },
  left: number,
  millis: number
): boolean =>
  isLast || !ignoresSnapshot(policy.schedule) ||
  left < Duration.toMillis(policy.notFoundGrace) + (policy.errorBudget + 2) *
        (Math.max(4 * millis, Duration.toMillis(policy.retryAfterCeiling)) + (source.longest ?? Infinity))

/** The pause after a poll, in milliseconds, where a schedule has none: a provider is not to be asked without one. */
const breather = 100

/** How long to sleep, given what the schedule says. */
const due = (
  loop: Pick<AnyLoop, "floor" | "hurry" | "isLast" | "late" | "slowest" | "timers">,
  left: number,
  scheduled: number,
  random: number
): number => {
  const { floor, hurry, late, slowest, timers } = loop
  // What a crowd waited for each other does not add up
  let millis = scheduled > 0 ? Math.max(scheduled - late, scheduled / 2) : breather
  if (hurry > 0) millis = Math.min(millis, 500 * 2 ** loop.hurry++)
  // Many who are told to wait until the same moment must not come back at it
  if (floor > millis) millis = floor + random * Math.min(millis, spread(timers))
  // Room for the last poll: twice the slowest one seen, and never more than half of what is left
  const lastStart = left - Math.min(Math.max(2 * slowest, 100), left / 2)
  if (millis < lastStart) return millis
  loop.isLast = true
  return Math.max(0, lastStart)
}

/** Makes one poll. After the deadline it makes none. */
export const poll = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>
): Effect.Effect<Turn<Snapshot, Success, Failed, E>, E | RunTimeoutError, R> =>
  Effect.withFiber((fiber): Effect.Effect<Turn<Snapshot, Success, Failed, E>, E | RunTimeoutError, R> => {
    const { policy, source, started, timers } = loop
    const began = timers.now()
    const left = started + Duration.toMillis(policy.timeout) - began
    if (left <= 0 && loop.polls > 0) return timedOut(loop, "deadline")
    loop.late = loop.polls === 0 ? 0 : Math.min(Timers.crowdMillis, Math.max(0, began - loop.due))
    loop.polls++
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
      : Timers.within(turn, Math.max(0, left), () => timedOut(loop, "deadline"))
  })

/** Takes an answer, polled or pushed. */
export const succeeded = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>,
  answer: Answer<Snapshot>
): Turn<Snapshot, Success, Failed, E> => {
  const { source, timers } = loop
  const phase = source.classify(answer.value)
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

const failed = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  loop: Loop<Snapshot, Success, Failed, E, R, SE, SR>,
  error: E
): Effect.Effect<Turn<Snapshot, Success, Failed, E>, E> =>
  Effect.clockWith((clock) => {
    const { policy, source: { ref } } = loop
    loop.floor = floorOf(policy, error.retryAfter)
    record(loop, error._tag)
    const isReplicaLag = isOurs(error, "NotFoundError") && ref.createdAt !== undefined &&
      clock.currentTimeMillisUnsafe() - ref.createdAt <= Duration.toMillis(policy.notFoundGrace)
    return isReplicaLag || error.isRetryable && ++loop.failures <= policy.errorBudget
      ? Effect.succeed({ phase: undefined, error })
      : Effect.fail(error)
  })

const floorOf = (
  { retryAfterCeiling }: Pick<Policy, "retryAfterCeiling">,
  retryAfter: Duration.Duration | undefined
): number =>
  retryAfter === undefined ? 0 : Math.min(Duration.toMillis(retryAfter), Duration.toMillis(retryAfterCeiling))

const record = (loop: AnyLoop, outcome: string): void => {
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
): PollState<Snapshot> => {
  const { completed, total } = loop
  const { createdAt, estimatedDurationMs } = loop.source.ref
  return {
    ref: loop.source.ref,
    snapshot: loop.snapshot,
    progress: completed === undefined || total === undefined ? undefined : { completed, total },
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

const timedOut = (loop: AnyLoop, reason: "deadline" | "schedule"): Effect.Effect<never, RunTimeoutError> =>
  Effect.suspend(() => {
    const { outcome, polls, snapshot, source: { ref } } = loop
    const elapsed = Duration.millis(loop.timers.now() - loop.started)
    return Effect.fail(
      new RunTimeoutError({
        message: `The ${ref.provider} ${ref.kind} ${ref.id} had not ended after ${
          Duration.format(elapsed)
        } and ${polls} ${polls === 1 ? "poll" : "polls"} (last: ${outcome ?? "no answer"}): ${
          reason === "deadline" ? "the timeout passed" : "the schedule has no more polls"
        }. The run goes on at the provider: wait again with this error's ref, or give a longer ${
          reason === "deadline" ? "timeout" : "schedule"
        }.`,
        ref,
        reason,
        elapsed,
        polls,
        history: [...loop.history ?? [], ...(outcome === undefined ? [] : [lastRecord(loop, outcome)])],
        ...(snapshot === undefined ? undefined : { lastSnapshot: snapshot })
      })
    )
  })
