/**
 * What keeps a sleeping run small. A process may wait for a hundred thousand runs, so whatever most of them have in common exists
 * once:
 *
 * - A schedule that is a function of the state is called as one. A stepped schedule keeps a state for each run.
 * - A schedule that never looks at the snapshot says so, and a sleeping run then keeps no snapshot.
 * - Equal policies and equal intervals are one value.
 */
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import type * as Schedule from "effect/Schedule"
import type { Policy, PollSchedule, PollState } from "../../RunSource.ts"

/** From what is known of a run to the milliseconds until its next poll. */
export type Delay<Snapshot = unknown> = (state: PollState<Snapshot>, random: number) => number

/** Marks a schedule with the function that it is. */
export const carrying = <S extends Schedule.Schedule<Duration.Duration, never>, Snapshot>(
  schedule: S,
  delay: Delay<Snapshot>
): S => Object.assign(schedule, { [delayKey]: delay })

/** The function that a schedule is. One that was built by a combinator has none, and is stepped. */
export const delayOf = <Snapshot, E, R>(schedule: PollSchedule<Snapshot, E, R>): Delay<Snapshot> | undefined =>
  (schedule as { readonly [delayKey]?: Delay<Snapshot> })[delayKey]

const delayKey = "~canvas-runs/Polling/delay"

/** Marks a schedule that never looks at the snapshot. */
export const ignoringSnapshot = <S extends object>(schedule: S): S => Object.assign(schedule, { [ignoresKey]: true })

/** Whether a schedule never looks at the snapshot. */
export const ignoresSnapshot = (schedule: object): boolean => ignoresKey in schedule

const ignoresKey = "~canvas-runs/Polling/ignoresSnapshot"

/** The policy, or the last one with the same defaults if that is equal. A program has many waits and few policies. */
export const sharedPolicy = <Snapshot, E, R>(
  defaults: object,
  policy: Policy<Snapshot, E, R>
): Policy<Snapshot, E, R> => {
  const last = lastPolicies.get(defaults) as Policy<Snapshot, E, R> | undefined
  if (
    last !== undefined && last.schedule === policy.schedule && last.errorBudget === policy.errorBudget &&
    last.timeoutSource === policy.timeoutSource &&
    Duration.equals(last.timeout, policy.timeout) &&
    Equal.equals(last.notFoundGrace, policy.notFoundGrace) &&
    Duration.equals(last.retryAfterCeiling, policy.retryAfterCeiling)
  ) {
    return last
  }
  lastPolicies.set(defaults, policy)
  return policy
}

const lastPolicies = new WeakMap<object, unknown>()

/** The schedule of an interval, which `make` makes for the first wait that uses it. A program has few intervals. */
export const sharedInterval = (
  interval: Duration.Duration,
  make: (interval: Duration.Duration) => Schedule.Schedule<Duration.Duration>
): Schedule.Schedule<Duration.Duration> => {
  const millis = Duration.toMillis(interval)
  const known = intervals.get(millis)
  if (known !== undefined) return known
  const schedule = make(interval)
  if (intervals.size < 16) intervals.set(millis, schedule)
  return schedule
}

const intervals = new Map<number, Schedule.Schedule<Duration.Duration>>()
