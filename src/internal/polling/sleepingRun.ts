/**
 * The state of a wait, and how a sleeping run is kept small. A process may wait for a hundred thousand runs, and nearly all of them
 * sleep. A sleeping wait is a parked fiber and one plain object, which is its own timer; a run that is awaited together with others
 * is the object alone.
 *
 * A sleeping wait takes 1,380 bytes of heap, and a run awaited together 250; a loop of promises takes 1,735. Each of these means
 * saves so much (`npm run bench -- --only waiting`):
 *
 * | means | bytes per wait | bytes per run awaited together |
 * | --- | --- | --- |
 * | {@link sharedPolicy}: equal options share one policy and one schedule | 630 | the policy is shared anyway |
 * | {@link withDelay}: a schedule that is a function of the state is called as one, and has no state of its own | 460 | 460 |
 * | {@link sleep}: a fiber is woken with its next step, and keeps no stack and no finalizer | 390 | no fiber |
 * | {@link needsSnapshot}: the snapshot is dropped where no one can ask for it | 370 | 370 |
 * | {@link onlyRef}: a source keeps its ref, and makes everything else when it is read | 190 | no source |
 * | {@link flags}: bits in place of booleans | 30 | 30 |
 * | {@link listeners}: no field for what hardly any wait has | 20 | 20 |
 * | `TimerQueue`: whole milliseconds, which V8 stores without an object | 50 | 50 |
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import type * as Schedule from "effect/Schedule"
import type { PollRecord } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import type { RunRef } from "../ref.ts"
import { graceOf } from "./decide.ts"
import type * as TimerQueue from "./timerQueue.ts"

/** Where a wait stands. Times are in milliseconds of its timers. */
export interface Loop<S extends RunSource.Any, SE, SR> extends TimerQueue.Timer {
  /** A run awaited together has its source only while it polls. */
  source: S
  /** What the caller gave to name a run that is awaited together. */
  target: unknown
  readonly policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
  readonly timers: TimerQueue.TimerQueue
  /** The state of a schedule that is stepped, from the first pause on. */
  step: ((now: number, state: RunSource.PollState<RunSource.Snapshot<S>>) => Step<SE, SR>) | undefined
  readonly started: number
  /** Wakes the fiber that sleeps, with its next step. */
  resume: ((effect: Effect.Effect<never>) => void) | undefined
  next: ((loop: never) => Effect.Effect<unknown, unknown, unknown>) | undefined
  polls: number
  /** How much later than it was due the last poll began. */
  late: number
  /** Transient failures in a row. */
  failures: number
  /** How long the slowest poll took. */
  slowest: number
  /** The time that the provider asks to wait at least. */
  floor: number
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

type Step<SE, SR> = Pull.Pull<[unknown, Duration.Duration], SE, unknown, SR>

/** A loop of any kind of run. */
export interface AnyLoop
  extends Omit<Loop<RunSource.Any, never, never>, "policy" | "snapshot" | "source" | "step" | "target" | "wake">
{
  readonly source: { readonly ref: RunRef }
  readonly policy: Omit<RunSource.Policy, "schedule">
  readonly snapshot: unknown
  wake(self: TimerQueue.Timer): void
}

/** The state of a wait that starts now. */
export const make = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  timers: TimerQueue.TimerQueue,
  wake: (loop: AnyLoop) => void
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
    next: undefined,
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

/** The fibers that listen for pushes. Hardly any wait has one, so a wait has no field for it. */
export const listeners = new WeakMap<AnyLoop, Fiber.Fiber<void>>()

/** The bits of {@link Loop.flags}. */
export const flags = {
  /** The poll for which the last sleep was shortened has been planned. */
  isLast: 1,
  /** A push came while a poll was under way, so its answer may be from before the push. */
  isPushed: 2,
  /** The poll that is due has been put off once, after the process was suspended. */
  isPutOff: 4,
  /** A run awaited together waits for room to poll. Its timer then is that of its deadline. */
  isQueued: 8,
  /** A push has made the loop poll before. */
  wasPushed: 16
} as const

type Flag = keyof typeof flags

export const has = (loop: Pick<AnyLoop, "flags">, flag: Flag): boolean => (loop.flags & flags[flag]) !== 0

export const set = (loop: Pick<AnyLoop, "flags">, flag: Flag): void => {
  loop.flags |= flags[flag]
}

export const unset = (loop: Pick<AnyLoop, "flags">, flag: Flag): void => {
  loop.flags &= ~flags[flag]
}

/** The time since the start of the wait. */
export const elapsed = (loop: AnyLoop): number => loop.timers.now() - loop.started

/** The time until the deadline. */
export const timeLeft = (loop: AnyLoop): number => Duration.toMillis(loop.policy.timeout) - elapsed(loop)

/** Parks the fiber. {@link resume} wakes it with its next step. It has no finalizer: an interruption is the caller's to clean up. */
export const sleep = <S extends RunSource.Any, SE, SR, A, E, R>(
  loop: Loop<S, SE, SR>,
  millis: number,
  next: (loop: Loop<S, SE, SR>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.callback((resume) => {
    loop.resume = resume
    loop.next = next
    loop.timers.add(loop, millis)
  })

/** Wakes the fiber that sleeps. */
export const resume = (loop: AnyLoop): void => {
  const { next, resume } = loop
  loop.resume = undefined
  resume!(next!(loop as never) as Effect.Effect<never>)
}

/** From the state of a wait to the milliseconds until its next poll. */
export type Delay<Snapshot = unknown> = (state: RunSource.PollState<Snapshot>, random: number) => number

interface Marks {
  readonly "~canvas-runs/Polling/delay"?: Delay<never>
  readonly "~canvas-runs/Polling/ignoresSnapshot"?: boolean
}

/** Marks a schedule with the function that it is, and whether that function never reads the snapshot. */
export const withDelay = <S extends Schedule.Schedule<Duration.Duration, never>, Snapshot>(
  schedule: S,
  delay: Delay<Snapshot>,
  ignoresSnapshot = false
): S =>
  Object.assign(
    schedule,
    {
      "~canvas-runs/Polling/delay": delay,
      "~canvas-runs/Polling/ignoresSnapshot": ignoresSnapshot
    } satisfies Marks
  )

/** The function that a schedule is. A schedule that was built by a combinator has none, and is stepped. */
export const delayOf = <Snapshot, E, R>(
  schedule: RunSource.PollSchedule<Snapshot, E, R>
): Delay<Snapshot> | undefined => (schedule as Marks)["~canvas-runs/Polling/delay"] as Delay<Snapshot> | undefined

/**
 * Whether the schedule or the error of a timeout may read the snapshot. As long as more polls will follow than may fail, however
 * long each takes, a later one brings another.
 */
export const needsSnapshot = (
  { policy, source }: {
    readonly policy: RunSource.Policy<never, unknown, unknown>
    readonly source: Pick<RunSource.Any, "longest" | "ref">
  },
  left: number,
  millis: number
): boolean =>
  (policy.schedule as Marks)["~canvas-runs/Polling/ignoresSnapshot"] !== true ||
  left < graceOf(policy, source.ref) + (policy.errorBudget + 2) *
        (Math.max(4 * millis, Duration.toMillis(policy.retryAfterCeiling)) + (source.longest ?? Infinity))

/** Returns the policy that was made for the owner from equal settings, or makes one. A program has many waits and few policies. */
export const sharedPolicy = <P>(owner: object, settings: ReadonlyArray<object>, make: () => P): P => {
  let known = policies.get(owner) as Map<string, P> | undefined
  if (known === undefined) policies.set(owner, known = new Map())
  const key = JSON.stringify(settings)
  let policy = known.get(key)
  if (policy === undefined) {
    policy = make()
    if (known.size === 16) known.clear()
    known.set(key, policy)
  }
  return policy
}

const policies = new WeakMap<object, unknown>()

/** Makes sources that keep their ref alone. Everything else is made from the ref each time it is read. */
export const onlyRef = <Snapshot, Success extends Snapshot, Failure extends Snapshot, E extends RunSource.PollError, R>(
  make: (ref: RunRef) => RunSource.RunSource<Snapshot, Success, Failure, E, R>
): (ref: RunRef) => RunSource.RunSource<Snapshot, Success, Failure, E, R> => {
  class OnlyRef implements RunSource.RunSource<Snapshot, Success, Failure, E, R> {
    readonly ref: RunRef
    constructor(ref: RunRef) {
      this.ref = ref
    }
    get retrieve() {
      return make(this.ref).retrieve
    }
    get classify() {
      return make(this.ref).classify
    }
    get status() {
      return make(this.ref).status
    }
    get unchanged() {
      return make(this.ref).unchanged
    }
    get pushed() {
      return make(this.ref).pushed
    }
    get isPushProof() {
      return make(this.ref).isPushProof
    }
    get longest() {
      return make(this.ref).longest
    }
  }
  return (ref) => new OnlyRef(ref)
}
