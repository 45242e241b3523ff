/**
 * What every client can be told, whichever provider it speaks to.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Webhooks from "./internal/webhooks/hub.ts"
import type { ArtifactError, FileInputError, RequestError } from "./RunError.ts"

/**
 * What a safe request, or the transfer of a file, can be repeated after.
 *
 * @category models
 * @since 0.1.0
 */
export type RetriedError = RequestError | ArtifactError | FileInputError

/**
 * A schedule for retries, given the error of each failed try.
 *
 * @category models
 * @since 0.1.0
 */
export type RetrySchedule = Schedule.Schedule<unknown, RetriedError>

/**
 * Two retries, within half a second and within one; each delay is drawn from the whole time up to its bound, so that
 * clients that failed together do not come back together.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultRetry: RetrySchedule = Schedule.max([Schedule.exponential("500 millis"), Schedule.recurs(2)]).pipe(
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (share) => Duration.millis(Duration.toMillis(duration) * share))
  )
)

/**
 * The options of every client.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions {
  /** The API's origin. The default is the provider's. */
  readonly baseUrl?: string | undefined
  /**
   * How long one request may take. For a request with a large body it bounds the time before the body is sent and the time
   * from its end to the response; `uploadIdleTimeout` bounds the time between.
   *
   * @default "60 seconds"
   */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * How long the upload of a file may make no progress. The whole upload may take any time.
   *
   * **Gotchas**
   *
   * Where the HTTP client shows no progress, the whole upload may take `requestTimeout` and one second for each 64 KiB beyond
   * 256 KiB. That is so for bytes in memory that are uploaded to Tela, and on Bun, on Deno, in Workers and in browsers also for a
   * `Blob` and for a Spine form without streams.
   *
   * @default the `requestTimeout`
   */
  readonly uploadIdleTimeout?: Duration.Input | undefined
  /**
   * Paces the retries of safe requests, and ends them.
   *
   * @default {@link defaultRetry}
   */
  readonly retry?: RetrySchedule | undefined
  /**
   * The longest `Retry-After` that a retry honours.
   *
   * @default "1 minute"
   */
  readonly retryAfterCeiling?: Duration.Input | undefined
  /**
   * The longest answer of the API that is read, in bytes; a longer one is an `InvalidResponseError`. Files and streams are
   * not held in memory, and have no such limit.
   *
   * @default 32 MiB
   */
  readonly maxResponseBytes?: number | undefined
  /**
   * Whether a create whose outcome is not known is tried again, **at the price of a second, billed run**.
   *
   * **Details**
   *
   * Without it a create is sent once, also by an `HttpClient` that repeats failed requests, such as one with
   * `HttpClient.retryTransient`. What such a client wants to repeat ends as `CreateOutcomeUnknownError`, because the client hides
   * how the first request ended. A client may also repeat what it has taken on, with `Effect.retry` in `HttpClient.transform` or in
   * `HttpClient.make`: if fetch or `NodeHttp.layer` below it sent a create more than once, every failure of that create has an
   * unknown outcome.
   *
   * **Gotchas**
   *
   * Repetition below that cannot be seen: by another `HttpClient`, by an interceptor of undici, by a `globalThis.fetch` that was
   * replaced, and by fetch itself, which may send a request again after status 421. With a `fetch` of the program
   * (`FetchHttpClient.Fetch`), no failed connection proves that a create was never sent.
   *
   * @default false
   */
  readonly retryCreates?: boolean | undefined
  /**
   * Whether files are sent although the provider does not document that it accepts their type or size. Without it they are a
   * `BadRequestError` before a request is made. The type of a file is its content type: the one that it was given, or that of
   * its name or its first bytes. Where that is not known, its extension decides, and a file without one is sent.
   *
   * @default false
   */
  readonly skipFileValidation?: boolean | undefined
  /**
   * Keeps requests under a limit. They are spread over the window, in the order in which they were made, so that no time as
   * long as the window has more than `limit` of them: a tenth of the limit may go at once, and nine tenths come evenly. A
   * limiter on a shared store counts for several processes, which must have the same limit and window. Waiting for a turn
   * counts for the deadline of a run, and not for the `requestTimeout`. In a Worker of Cloudflare, whose requests must not
   * wait for each other, make a client for each request.
   */
  readonly rateLimit?: {
    /** Counts the requests. The default is the `RateLimiter` of the context in which the client is made. */
    readonly limiter?: RateLimiter.RateLimiter | undefined
    /** How many requests any window may have. */
    readonly limit: number
    /** The length of the window. */
    readonly window: Duration.Input
    /** Whom the limit is for. The default is the provider. */
    readonly key?: string | undefined
  } | undefined
  /**
   * Where webhooks come in. With it, waits end as soon as a webhook announces the end, and poll once a minute. Executions of Tela
   * that were created without `webhookUrl`, or that `getExecution` looked up, are still polled every second.
   *
   * @default the `Webhooks` hub of the context in which the client is made, where there is one
   */
  readonly webhooks?: Webhooks.Service | undefined
  /**
   * Whether each poll of a wait has a span of its own, where spans are collected. A wait has one in any case, which tells how
   * many polls it took; over two hours, polls would be more than a thousand.
   *
   * @default false
   */
  readonly tracePolls?: boolean | undefined
  /**
   * Changes the client that calls the API: to log, to count, to go through a proxy. Transfers of files from and to other
   * hosts do not pass here.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}
