/** The outcomes of the polls of a wait, and the error that reports them when the wait ends before its run. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { maxPollRecords, type PollRecord, RunTimeoutError } from "../../RunError.ts"
import { quote, shorten } from "../describe.ts"
import { format } from "../ref.ts"
import { type AnyLoop, elapsed } from "./sleepingRun.ts"

/** Records the outcome of a poll: the status of a snapshot, or the tag of an error. */
export const record = (loop: AnyLoop, word: unknown): void => {
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
  loop.outcomeAt = Math.round(elapsed(loop))
}

const lastRecord = (loop: AnyLoop, outcome: string): PollRecord => ({
  elapsedMs: loop.outcomeAt,
  outcome,
  polls: loop.outcomes
})

/** Fails because the deadline has passed, or because the schedule has ended. */
export const timedOut = (
  loop: AnyLoop,
  reason: RunTimeoutError["reason"],
  /** Whether a poll is interrupted. This module does not know how often the request of the poll was retried. */
  isPolling = false
): Effect.Effect<never, RunTimeoutError> =>
  Effect.suspend(() => {
    const { outcome, policy, polls, snapshot, source: { ref } } = loop
    const waited = Duration.millis(elapsed(loop))
    const [cause, advice] = reason === "deadline"
      ? [`${policy.timeoutSource ?? "the timeout"} has passed`, "raise that option"]
      : ["the schedule has ended", "give a schedule with more polls"]
    const count = `${polls} ${polls === 1 ? "poll" : "polls"} (last: ${outcome ?? "none finished"}${
      isPolling ? "; a poll was under way, and may have been retrying a failed request" : ""
    })`
    return Effect.fail(
      new RunTimeoutError({
        message: `The ${format(ref)} had not ended after ${Duration.format(waited)} and ${count}: ${cause}. ` +
          `The run continues at the provider: wait again with this error's ref, or ${advice}.`,
        ref,
        reason,
        elapsed: waited,
        polls,
        history: outcome === undefined ? [] : [...loop.history ?? [], lastRecord(loop, outcome)],
        lastSnapshot: snapshot
      })
    )
  })
