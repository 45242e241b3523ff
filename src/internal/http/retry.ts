/**
 * When a failed request is sent again: by the client's schedule, and no sooner than the server asks. Whether a wait survives a poll
 * that failed after these retries is decided in `polling/decide.ts`.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"

/** The parts of an error that decide about a retry. */
export interface Failure {
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration | undefined
}

/**
 * Repeats an effect while its failure is retryable and the schedule continues. `Effect.retry` takes 3 µs to set up, so it begins
 * with the first failure: nearly all calls succeed.
 */
export const retrying = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  { retry, retryAfterCeiling }: {
    readonly retry: Schedule.Schedule<unknown, never>
    readonly retryAfterCeiling: Duration.Duration
  },
  mayRetry: (error: E) => boolean,
  onRetry: (error: E) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<A, E, R> =>
  Effect.catch(self, (first) => {
    let next: Effect.Effect<A, E, R> = Effect.fail(first)
    const attempt = Effect.suspend(() => {
      const current = next
      next = self
      return current
    })
    return Effect.retry(attempt, {
      // The schedule gets only the errors that `while` lets through
      schedule: Schedule.modifyDelay(retry as Schedule.Schedule<unknown, E>, ({ duration, input }) => {
        const { retryAfter } = input as Partial<Failure>
        return Effect.as(
          onRetry(input),
          retryAfter === undefined
            ? duration
            : Duration.max(duration, Duration.min(retryAfter, retryAfterCeiling))
        )
      }),
      while: mayRetry
    })
  })

/**
 * Reads `Retry-After-Ms`, then `Retry-After` (seconds or an HTTP date). A value that is neither, or not in the future, counts as
 * absent.
 */
export const parseRetryAfter = (headers: Headers.Headers, nowMillis: number): Duration.Duration | undefined => {
  const millis = headers["retry-after-ms"]?.trim()
  if (millis !== undefined && /^\d{1,15}$/.test(millis)) return Duration.millis(Number(millis))
  const header = headers["retry-after"]
  // Real values have at most a date's length; longer ones are garbage, and costly to read exactly
  if (header === undefined || header.length > 40) return undefined
  const parsed = Headers.parseRetryAfter(header)
  if (Result.isFailure(parsed)) return undefined
  if (parsed.success._tag === "Duration") return parsed.success.duration
  const wait = DateTime.toEpochMillis(parsed.success.dateTime) - nowMillis
  return wait > 0 ? Duration.millis(wait) : undefined
}
