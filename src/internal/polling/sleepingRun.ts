/**
 * The state of a wait, and how a sleeping run is kept small. A process may wait for a hundred thousand runs, and nearly all of them
 * sleep. A sleeping wait is a parked fiber and one plain object, which is its own timer; a run that is awaited together with others
 * is the object alone.
 *
 * A sleeping wait takes 1,330 bytes of heap, and a run awaited together 250; a loop of promises takes 1,735. The table shows how
 * much each technique saves (`npm run bench -- --only waiting`):
 *
 * | technique | bytes per wait | bytes per run awaited together |
 * | --- | --- | --- |
 * | {@link sharedPolicy}: equal options share one policy and one schedule | 630 | the policy is shared anyway |
 * | {@link withDelay}: a schedule that is a function of the input is called directly, and keeps no state per wait | 460 | 460 |
 * | {@link sleep}: the wake-up passes the fiber its next step, so it keeps no stack and no finalizer | 390 | no fiber |
 * | `TimerQueue.within`: another fiber makes the request, so the stack of the sleeping fiber has never been large | 210 | no fiber |
 * | {@link needsSnapshot}: the snapshot is dropped where no one can ask for it | 370 | 370 |
 * | A source of Spine is a class: it keeps the ref or the id, and computes everything else on access | 250 | no source |
 * | {@link flags}: bits instead of booleans | 30 | 30 |
 * | {@link listeners}: no field for pushes, which hardly any wait has | 20 | 20 |
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
import type { Learnt } from "./adaptive.ts"
import { graceOf } from "./decide.ts"
import type * as TimerQueue from "./timerQueue.ts"

type Step<Snapshot, SE, SR> = (
  now: number,
  state: RunSource.PollState<Snapshot>
) => Pull.Pull<[unknown, Duration.Duration], SE, unknown, SR>

/** The state of a wait that starts now. Times are in milliseconds of its timers. */
export const make = <S extends RunSource.Any, SE, SR>(
  source: S,
  policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>,
  timers: TimerQueue.TimerQueue,
  wake: TimerQueue.Timer["wake"]
) => ({
  due: 0,
  index: -1,
  wake,
  /** A run awaited together has its source only while it polls. */
  source,
  /** The caller's input that names a run awaited together with others. */
  target: undefined as unknown,
  policy,
  timers,
  /** The state of a schedule that is run step by step, from the first pause on. */
  step: undefined as Step<RunSource.Snapshot<S>, SE, SR> | undefined,
  started: timers.now(),
  /** Wakes the sleeping fiber with its next step. */
  resume: undefined as ((effect: Effect.Effect<never>) => void) | undefined,
  next: undefined as ((loop: never) => Effect.Effect<unknown, unknown, unknown>) | undefined,
  polls: 0,
  /** The time between the due time of the last poll and its start. */
  late: 0,
  /** Transient failures in a row. */
  failures: 0,
  /** How long the slowest poll took. */
  slowest: 0,
  /** The least time to wait that the provider asked for. */
  floor: 0,
  /** See {@link flags}. */
  flags: 0,
  /**
   * 0 until a signed push says that the run has ended, and 1 then. Each pause after a poll adds 1, unless a push ends it at once.
   * These pauses are at most 1, 2, 4 ... seconds, until a poll shows the end.
   */
  pausesSinceProof: 0,
  snapshot: undefined as RunSource.Snapshot<S> | undefined,
  completed: undefined as number | undefined,
  total: undefined as number | undefined,
  progressAt: 0,
  /**
   * The outcome of the last poll, how many polls in a row had it, and the time of the last one since the start; then the same for
   * earlier outcomes.
   */
  outcome: undefined as string | undefined,
  outcomes: 0,
  outcomeAt: 0,
  history: undefined as Array<PollRecord> | undefined
})

/** The state of a wait. */
export interface Loop<S extends RunSource.Any, SE, SR> extends ReturnType<typeof make<S, SE, SR>> {}

/** A loop of any kind of run. */
export interface AnyLoop extends Omit<Loop<RunSource.Any, never, never>, "policy" | "snapshot" | "source" | "step"> {
  readonly source: { readonly ref: RunRef }
  readonly policy: Omit<RunSource.Policy, "schedule">
  readonly snapshot: unknown
}

/** The fibers that listen for pushes. Hardly any wait has one, so a wait has no field for it. */
export const listeners = new WeakMap<AnyLoop, Fiber.Fiber<void>>()

/** The bits of {@link Loop.flags}. */
export const flags = {
  /** The next poll is the last before the deadline: the sleep before it was shortened so that it fits. */
  isLast: 1,
  /** A push came while a poll was under way, so its answer may be from before the push. */
  isPushed: 2,
  /** The poll that is due has been delayed once, after the process was suspended. */
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

/**
 * The time until the deadline. It is computed from the moment of the deadline. Differences of large
 * clock values are rounded, so a sleep of `timeout - elapsed` could end slightly before the deadline, and one more poll would fit again
 * and again.
 */
export const timeLeft = ({ policy, started, timers }: AnyLoop): number =>
  started + Duration.toMillis(policy.timeout) - timers.now()

/**
 * Parks the fiber. {@link resume} wakes it with its next step. It has no finalizer: the caller cleans up after an interruption.
 */
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

/** Wakes the sleeping fiber. */
export const resume = (loop: AnyLoop): void => {
  const { next, resume } = loop
  loop.resume = undefined
  resume!(next!(loop as never) as Effect.Effect<never>)
}

/** A function from the state of a wait, and what is known of the kind of its run, to the milliseconds until its next poll. */
export type Delay<Snapshot = unknown> = (
  state: RunSource.PollState<Snapshot>,
  random: number,
  learnt?: Learnt | undefined
) => number

/** What the function of a schedule reads, apart from the times and counts of a wait. Reading a history takes time. */
type Reads = "snapshot" | "history" | undefined

interface Marks {
  readonly "~canvas-runs/Polling/delay"?: Delay<never>
  readonly "~canvas-runs/Polling/reads"?: Reads
}

/** Marks a schedule with the function that computes its pauses, and with what that function reads. */
export const withDelay = <S extends Schedule.Schedule<Duration.Duration, never>, Snapshot>(
  schedule: S,
  delay: Delay<Snapshot>,
  reads?: Reads
): S =>
  Object.assign(
    schedule,
    {
      "~canvas-runs/Polling/delay": delay,
      "~canvas-runs/Polling/reads": reads
    } satisfies Marks
  )

/** The function of a schedule made by {@link withDelay}. A schedule built with a combinator has none, and is run step by step. */
export const delayOf = <Snapshot, E, R>(
  schedule: RunSource.PollSchedule<Snapshot, E, R>
): Delay<Snapshot> | undefined => (schedule as Marks)["~canvas-runs/Polling/delay"] as Delay<Snapshot> | undefined

/** Whether the function of a schedule reads what is known of the kind of the run. */
export const learns = (schedule: object): boolean => (schedule as Marks)["~canvas-runs/Polling/reads"] === "history"

/**
 * Whether the schedule or the error of a timeout may read the snapshot. It may not if more polls will follow than may fail,
 * because then a later poll certainly returns another snapshot.
 */
export const needsSnapshot = (
  { policy, source }: {
    readonly policy: RunSource.Policy<never, unknown, unknown>
    readonly source: Pick<RunSource.Any, "longest" | "ref">
  },
  left: number,
  millis: number
): boolean =>
  (policy.schedule as Marks)["~canvas-runs/Polling/reads"] === "snapshot" ||
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
