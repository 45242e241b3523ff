/**
 * The options that the clients of all providers have.
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
import type { PollSchedule } from "./RunSource.ts"

/**
 * The errors that a safe request, or the transfer of a file, may be retried after.
 *
 * @category models
 * @since 0.1.0
 */
export type RetriedError = RequestError | ArtifactError | FileInputError

/**
 * A schedule for retries. Its input is the error of each failed attempt.
 *
 * @category models
 * @since 0.1.0
 */
export type RetrySchedule = Schedule.Schedule<unknown, RetriedError>

/**
 * The default schedule for retries: two retries, the first after at most 0.5 seconds and the second after at most 1 second. Each
 * delay is random, between zero and that bound, so that clients that failed together do not retry together.
 *
 * **Example** (Four retries instead of two)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schedule } from "effect"
 * import { type ClientOptions, Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const retry: ClientOptions.RetrySchedule = Schedule.max([Schedule.spaced("10 millis"), Schedule.recurs(4)])
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const run = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.status(503).pipe(Fault.times(4)))
 *   console.log((yield* runs.retrieve(run)).status) // => "running"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test"), retry }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
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
  /** The origin of the API. The default is the provider's. */
  readonly baseUrl?: string | undefined
  /**
   * How long one request may take. For a request with a large body, it bounds the time before the body is sent and the time from
   * its end to the response, and `uploadIdleTimeout` bounds the time between them.
   *
   * @default "60 seconds"
   */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * How long the upload of a file may make no progress. The whole upload may take any time.
   *
   * **Gotchas**
   *
   * If the HTTP client reports no progress, the whole upload may take `requestTimeout` and one second for each 64 KiB beyond
   * 256 KiB. This applies to bytes in memory that are uploaded to Tela. On Bun, on Deno, in Workers and in browsers it also applies
   * to a `Blob`, and to a Spine form without streams.
   *
   * @default the `requestTimeout`
   */
  readonly uploadIdleTimeout?: Duration.Input | undefined
  /**
   * When to retry safe requests, and how often.
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
   * The longest response of the API that is read, in bytes. A longer one is an `InvalidResponseError`. Files and streams are not
   * held in memory, and have no such limit.
   *
   * @default 32 MiB
   */
  readonly maxResponseBytes?: number | undefined
  /**
   * Whether a create with an unknown outcome is retried, **at the price of a second, billed run**.
   *
   * **Details**
   *
   * With `false`, a create is sent once, even if the `HttpClient` repeats failed requests, such as one with
   * `HttpClient.retryTransient`. If such a client starts to repeat a create, the create fails with `CreateOutcomeUnknownError`,
   * because the client hides how the first request ended. A client may also repeat requests with `Effect.retry` in
   * `HttpClient.transform` or in `HttpClient.make`. If fetch or `NodeHttp.layer` below it then sends a create more than once, every
   * failure of that create has an unknown outcome.
   *
   * **Gotchas**
   *
   * The library cannot see requests that are repeated at a lower level: by another `HttpClient`, by an interceptor of undici, by a
   * replaced `globalThis.fetch`, or by fetch itself, which may send a request again after status 421. With a `fetch` of the program
   * (`FetchHttpClient.Fetch`), no failed connection proves that a create was never sent.
   *
   * @default false
   */
  readonly retryCreates?: boolean | undefined
  /**
   * Whether files are sent if the provider does not document that it accepts their type or size. With `false`, such a file is a
   * `BadRequestError` before a request is made. The type of a file is its content type, which is given or follows from the name or
   * the first bytes. If it is not known, the extension decides. A file without an extension is then sent.
   *
   * @default false
   */
  readonly skipFileValidation?: boolean | undefined
  /**
   * Keeps requests under a limit: at most `limit` requests in any window. Up to 10 % of them may burst, and the rest are evenly
   * spaced, in the order in which they were made. A limiter on a shared store counts the requests of several processes, which must
   * have the same limit and window. If its store fails, requests are not limited. The time until a request is sent counts for the
   * deadline of a run, and not for the `requestTimeout`.
   *
   * **Gotchas**
   *
   * In a Worker of Cloudflare, requests must not wait for each other, so make a client for each request.
   *
   * A shared store whose answer arrives after the slot delays that request, and the next requests may then follow more closely than
   * the limit.
   */
  readonly rateLimit?: {
    /** The limiter, which counts the requests. The default is the `RateLimiter` of the context in which the client is made. */
    readonly limiter?: RateLimiter.RateLimiter | undefined
    /** The largest number of requests in any window. */
    readonly limit: number
    /** The length of the window. */
    readonly window: Duration.Input
    /** The name of the limit: clients with the same limiter and key share it. The default is the provider. */
    readonly key?: string | undefined
  } | undefined
  /**
   * The hub that receives webhooks. With it, a wait polls as soon as a webhook says that the run has ended, and otherwise once a
   * minute. Executions of Tela that were created without `webhookUrl`, or that `getExecution` looked up, are still polled every
   * second.
   *
   * @default the `Webhooks` hub of the context in which the client is made, if there is one
   */
  readonly webhooks?: Webhooks.Service | undefined
  /**
   * When the waits of this client poll, such as `Polling.adaptive()`. A `pollInterval` or a `schedule` of a wait comes first. It is used
   * with webhooks too.
   *
   * @default the interval of the provider's own SDK, or 1 minute where a webhook is expected
   */
  readonly polling?: PollSchedule | undefined
  /**
   * Whether each poll of a wait has a separate span. Every wait has a span with the number of its polls. A wait of two hours would
   * have more than a thousand spans of polls.
   *
   * @default false
   */
  readonly tracePolls?: boolean | undefined
  /**
   * Changes the client that calls the API, for example to log or to count requests. Transfers of files from and to other hosts do
   * not use this client.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}
