/** When the transfer of a file, down or up, is tried again. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schedule from "effect/Schedule"
import { parseRetryAfter } from "./http.ts"

/** What decides about it in an error. */
interface Failure {
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/** What a refusal says about trying again, for the error. */
export const refusal = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<
  Failure & { readonly status: number }
> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const { headers, status } = response
    const retryAfter = parseRetryAfter(headers, now)
    return {
      status,
      isRetryable: status >= 500 || status === 408 || status === 425 || status === 429,
      ...(retryAfter === undefined ? undefined : { retryAfter })
    }
  })

/**
 * Whether fetch gave up because it was redirected and told not to follow. The words are those of Node, Bun and Deno: the
 * standard has none for it.
 */
export const isRefusedRedirect = ({ reason }: HttpClientError.HttpClientError): boolean => {
  for (let cause: unknown = reason.cause, depth = 0; cause instanceof Error && depth < 4; depth++) {
    if (/unexpected ?redirect|redirect mode/i.test(cause.message)) return true
    cause = cause.cause
  }
  return false
}

/** Repeats what failed for a passing reason, and no sooner than its server asks. */
export const retrying = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  options: { readonly retry: Schedule.Schedule<unknown, never>; readonly retryAfterCeiling: Duration.Duration },
  isFailure: (error: unknown) => error is Failure
): Effect.Effect<A, E, R> =>
  Effect.retry(self, {
    // The schedule sees only what `while` lets through
    schedule: Schedule.modifyDelay(options.retry as Schedule.Schedule<unknown>, ({ duration, input }) => {
      const { retryAfter } = input as Failure
      return Effect.succeed(
        retryAfter === undefined
          ? duration
          : Duration.max(duration, Duration.min(retryAfter, options.retryAfterCeiling))
      )
    }),
    while: (error) => isFailure(error) && error.isRetryable
  })
