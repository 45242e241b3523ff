/**
 * The one poll loop. Everything that follows a run pulls from it, so how a waiting run sleeps can change here alone.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { Policy, PollState, Progress } from "../Polling.ts"
import type { Answer, Phase, Poll, RunSource } from "../Run.ts"
import { maxPollRecords, type PollRecord, RunTimeoutError } from "../RunError.ts"
import * as Telemetry from "./telemetry.ts"

/** What the loop needs to know of a failed poll. */
export interface Failure {
  readonly _tag: string
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/** One turn of the loop; `phase` is absent when the poll failed. */
export interface Step<Snapshot, Success, Failed, E> {
  readonly poll: Poll<Snapshot, E>
  readonly phase: Phase<Success, Failed> | undefined
}

/**
 * Makes a loop that starts now. Running the effect it returns sleeps until the next poll is due and makes it; it must
 * not be run again after a terminal phase or a failure.
 */
export const make = <Snapshot, Success extends Snapshot, Failed extends Snapshot, E extends Failure, R, SE, SR>(
  source: RunSource<Snapshot, Success, Failed, E, R>,
  policy: Policy<Snapshot, SE, SR>
): Effect.Effect<
  Effect.Effect<Step<Snapshot, Success, Failed, E>, E | RunTimeoutError | SE, R | SR>,
  never,
  SR
> =>
  Effect.clockWith((clock) =>
    Effect.map(Schedule.toStep(policy.schedule), (nextDelay) => {
      const started = clock.currentTimeMillisUnsafe()
      const deadline = started + Duration.toMillis(policy.timeout)
      const ceiling = Duration.toMillis(policy.retryAfterCeiling)
      const polled = Telemetry.pollCounter(source.ref)
      const history: Array<PollRecord> = []
      let polls = 0
      let failures = 0
      let slowest = 0
      let floor = 0
      let isLast = false
      // A push is heard once. If the next poll does not know of the end yet, the ones after it hurry.
      let pushed = source.pushed
      let hurry = 0
      let snapshot: Snapshot | undefined
      let progress: Progress | undefined

      const record = (now: number, outcome: string) => {
        history.push({ elapsedMs: now - started, outcome })
        if (history.length > maxPollRecords) history.shift()
      }

      const timedOut = (reason: "deadline" | "schedule") =>
        Effect.suspend(() => Effect.fail(timeoutError(source.ref, reason, clock, started, polls, history, snapshot)))

      const state = (now: number): PollState<Snapshot> => ({
        ref: source.ref,
        snapshot,
        progress,
        polls,
        failures,
        elapsed: Duration.millis(now - started),
        age: source.ref.createdAt === undefined ? undefined : Duration.millis(Math.max(0, now - source.ref.createdAt)),
        estimate: source.ref.estimatedDurationMs === undefined
          ? undefined
          : Duration.millis(source.ref.estimatedDurationMs),
        remaining: Duration.millis(Math.max(0, deadline - now))
      })

      /** Sleeps until the next poll is due, or until the provider tells of the end by itself. */
      const sleep: Effect.Effect<Option.Option<Answer<Snapshot>>, RunTimeoutError | SE, SR> = Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        // A consumer that came back late
        if (now >= deadline) return timedOut("deadline")
        if (isLast) return orPushed(Effect.andThen(Effect.sleep(deadline - now), timedOut("deadline")))
        return Pull.matchEffect(nextDelay(now, state(now)), {
          onFailure: Effect.failCause,
          onDone: () => timedOut("schedule"),
          onSuccess: ([, delay]) => {
            const left = deadline - now
            // Room for the last poll: twice the slowest one seen, and never more than half of what is left
            const lastStart = left - Math.min(Math.max(2 * slowest, 100), left / 2)
            const scheduled = Duration.toMillis(delay)
            let millis = Math.max(hurry === 0 ? scheduled : Math.min(scheduled, 500 * 2 ** hurry++), floor)
            if (millis >= lastStart) {
              millis = Math.max(0, lastStart)
              isLast = true
            }
            return orPushed(Effect.as(Effect.sleep(millis), Option.none()))
          }
        })
      })

      const orPushed = <E>(
        sleep: Effect.Effect<Option.Option<Answer<Snapshot>>, E>
      ): Effect.Effect<Option.Option<Answer<Snapshot>>, E> =>
        pushed === undefined ? sleep : Effect.raceFirst(
          sleep,
          Effect.tap(pushed, () =>
            Effect.sync(() => {
              pushed = undefined
              isLast = false
              hurry = 1
            }))
        )

      const succeeded = (
        began: number,
        answer: Answer<Snapshot>
      ): Step<Snapshot, Success, Failed, E> => {
        const now = clock.currentTimeMillisUnsafe()
        const previous = snapshot
        const phase = source.classify(answer.value)
        slowest = Math.max(slowest, now - began)
        failures = 0
        floor = answer.retryAfter === undefined ? 0 : Math.min(Duration.toMillis(answer.retryAfter), ceiling)
        snapshot = answer.value
        progress = phase._tag === "Pending" ? phase.progress : undefined
        record(now, source.status(answer.value))
        const terminal = phase._tag !== "Pending"
        return {
          phase,
          poll: {
            _tag: "Snapshot",
            snapshot: answer.value,
            changed: terminal || previous === undefined || !isUnchanged(source, previous, answer.value),
            terminal,
            poll: polls,
            elapsed: Duration.millis(now - started),
            requestId: answer.requestId
          }
        }
      }

      const failed = (began: number, error: E): Effect.Effect<Step<Snapshot, Success, Failed, E>, E> => {
        const now = clock.currentTimeMillisUnsafe()
        slowest = Math.max(slowest, now - began)
        floor = error.retryAfter === undefined ? 0 : Math.min(Duration.toMillis(error.retryAfter), ceiling)
        record(now, error._tag)
        const replicaLag = error._tag === "NotFoundError" && source.ref.createdAt !== undefined &&
          now - source.ref.createdAt <= Duration.toMillis(policy.notFoundGrace)
        if (!replicaLag && (!error.isRetryable || ++failures > policy.errorBudget)) return Effect.fail(error)
        return Effect.succeed({
          phase: undefined,
          poll: { _tag: "Failure", error, poll: polls, elapsed: Duration.millis(now - started) }
        })
      }

      const poll = Effect.withFiber((fiber) => {
        const began = clock.currentTimeMillisUnsafe()
        polls++
        polled.updateUnsafe(1, fiber.context)
        const retrieve = source.retrieve.pipe(
          Effect.matchEffect({
            onSuccess: (answer) => Effect.sync(() => succeeded(began, answer)),
            onFailure: (error) => failed(began, error)
          })
        )
        return deadline === Infinity ? retrieve : Effect.timeoutOrElse(retrieve, {
          duration: Math.max(0, deadline - began),
          orElse: () => timedOut("deadline")
        })
      })

      /** A push that holds the answer takes the place of a poll. */
      const take = (answer: Answer<Snapshot>) => Effect.sync(() => succeeded(clock.currentTimeMillisUnsafe(), answer))

      return Effect.suspend(() =>
        polls === 0 ? poll : Effect.flatMap(sleep, Option.match({ onNone: () => poll, onSome: take }))
      )
    })
  )

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

const timeoutError = (
  ref: RunSource<never, never, never>["ref"],
  reason: "deadline" | "schedule",
  clock: Clock.Clock,
  started: number,
  polls: number,
  history: ReadonlyArray<PollRecord>,
  snapshot: unknown
): RunTimeoutError => {
  const elapsed = Duration.millis(clock.currentTimeMillisUnsafe() - started)
  const last = history.at(-1)?.outcome ?? "no answer"
  return new RunTimeoutError({
    message:
      `The ${ref.provider} ${ref.kind} ${ref.id} had not ended after ${Duration.format(elapsed)} and ${polls} ${
        polls === 1 ? "poll" : "polls"
      } (last: ${last}): ${reason === "deadline" ? "the timeout passed" : "the schedule has no more polls"}. ` +
      "The run goes on at the provider: wait again with this error's ref, or give a longer timeout.",
    ref,
    reason,
    elapsed,
    polls,
    history: [...history],
    ...(snapshot === undefined ? undefined : { lastSnapshot: snapshot })
  })
}
