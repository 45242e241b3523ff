/**
 * A provider's API: makes calls, from the request to the decoded response or the typed error. Providers add their paths, their
 * schemas and how they word an error.
 *
 * One call is retried (`retry.ts`); an attempt waits for a slot of the rate limit (`rateLimit.ts`), is sent (`redirects.ts`,
 * `send.ts`) within its time (`polling/timerQueue.ts`, `upload.ts`), and its response is read (`body.ts`) and decoded
 * (`response.ts`).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { defaultRetry } from "../../ClientOptions.ts"
import type { RequestError } from "../../RunError.ts"
import * as TimerQueue from "../polling/timerQueue.ts"
import { type Cleaner, cleaner as makeCleaner } from "../secret.ts"
import { isRunError } from "../taggedError.ts"
import * as Telemetry from "../telemetry.ts"
import * as Body from "./body.ts"
import { type Api, type Attempt, hasResponse, type Opened, type Options, type Responded } from "./call.ts"
import { isRefusedRedirect } from "./causes.ts"
import { redirectError, timeoutError, transportError } from "./errors.ts"
import * as FetchPlatform from "./fetchPlatform.ts"
import { watchConnections } from "./neverSent.ts"
import * as Redirects from "./redirects.ts"
import * as Response from "./response.ts"
import { retrying } from "./retry.ts"
import { clientOf, execute, send } from "./send.ts"
import * as SentRequests from "./sentRequests.ts"
import * as Upload from "./upload.ts"

/** Makes the value of a call from a response. */
interface Receiver<A> {
  /** The value of a response whose body is not read here. */
  readonly open?: (attempt: Responded) => A | undefined
  /** The value of a response with this body: `undefined` if it is longer than the client reads. */
  readonly decode: (attempt: Responded, text: string | undefined) => Effect.Effect<A, RequestError>
}

export const make = (options: Options): Api => {
  watchConnections()
  const { header, key, prefix = "" } = options
  const base = options.baseUrl.href.replace(/\/$/, "")
  let last: { readonly secret: string; readonly cleaner: Cleaner } | undefined
  const cleanerOf = (secret: string): Cleaner => {
    if (last?.secret !== secret) last = { secret, cleaner: makeCleaner(secret) }
    return last.cleaner
  }

  const run = <A>(call: Attempt["call"], accept: { readonly accept?: string }, receiver: Receiver<A>) => {
    const withKey = (key: Redacted.Redacted<string>) =>
      Effect.clockWith((clock) => {
        const secret = Redacted.value(key)
        const cleaner = cleanerOf(secret)
        const started = clock.currentTimeMillisUnsafe()
        const headers = { [header]: prefix + secret, ...accept }
        const request = HttpClientRequest.setHeaders(HttpClientRequest.prependUrl(call.request, base), headers)
        let attempts = 0
        const attempt = Effect.withFiber((fiber) =>
          attemptOnce(
            fiber,
            { options, cleaner, call, clock, started, attempts: ++attempts, sentAt: 0, response: undefined, text: "" },
            request,
            receiver
          )
        )
        return retrying(
          attempt,
          options,
          call.retryWhile ?? ((error) => error.isRetryable),
          (error) => Effect.logDebug(`${error.operation}: ${error._tag}, trying again`)
        ).pipe(FetchPlatform.calling(call.isUpload === true ? call.request.body : undefined))
      })
    return Redacted.isRedacted(key) ? withKey(key) : Effect.flatMap(key(call.operation), withKey)
  }

  return {
    server: options.baseUrl,
    // The bound is unknown if an effect of the program returns the key, a rate limit is waited for, or the program gives a schedule
    longest: Redacted.isRedacted(key) && options.slot === undefined && options.retry === defaultRetry
      ? 3 * Duration.toMillis(options.requestTimeout) + 2 * Math.max(1000, Duration.toMillis(options.retryAfterCeiling))
      : Infinity,
    call: (call) =>
      run(call, { accept: "application/json" }, { decode: (attempt, text) => Response.decode(attempt, call, text) }),
    open: (call) =>
      run(call, {}, {
        open: (attempt): Opened | undefined =>
          !Response.isSuccess(attempt.response.status) || Response.isHtml(attempt.headers) ? undefined : {
            response: attempt.response,
            sentAt: attempt.sentAt,
            requestId: Response.requestIdOf(attempt),
            clean: attempt.cleaner.answer,
            maxBytes: options.maxResponseBytes
          },
        decode: (attempt, text = "") => Response.fail(attempt, text)
      })
  }
}

/** Makes one attempt: waits for a slot, sends the request, and receives the response in time. */
const attemptOnce = <A>(
  fiber: Fiber.Fiber<unknown, unknown>,
  attempt: Attempt,
  request: HttpClientRequest.HttpClientRequest,
  receiver: Receiver<A>
) => {
  const { call, clock, options } = attempt
  const timeout = call.timeout ?? options.requestTimeout
  const exchange = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.catch(
      Effect.suspend(() => {
        attempt.sentAt = clock.currentTimeMillisUnsafe()
        const client = clientOf(attempt)
        const use = (response: HttpClientResponse.HttpClientResponse, headers: Headers.Headers) =>
          receive(Object.assign(attempt, { response, headers }), receiver)
        const received = call.isUpload === true
          ? send(client, request, use)
          : Redirects.follow(client, request, options.baseUrl, use)
        return call.sends === undefined
          ? received
          : Effect.provideService(received, SentRequests.CurrentSentRequests, call.sends)
      }),
      (error): Effect.Effect<A, RequestError> => {
        if (isRunError(error)) return Effect.fail(error as RequestError)
        if (HttpClientError.isHttpClientError(error) && isRefusedRedirect(error)) return redirected(attempt, request)
        const failure = transportError(attempt, error)
        return withoutBody(attempt, receiver, failure.message, failure)
      }
    )
  const timedOut = (awaited: Upload.Awaited = "response", limit = timeout) =>
    withoutBody(
      attempt,
      receiver,
      `it took longer than ${Duration.format(limit)}`,
      timeoutError(attempt, limit, awaited)
    )
  const timely = call.isUpload !== true
    ? TimerQueue.within(exchange(request), Duration.toMillis(timeout), timedOut)
    : Upload.whileMoving(
      request,
      { idleMillis: Duration.toMillis(options.uploadIdleTimeout), responseMillis: Duration.toMillis(timeout) },
      exchange,
      timedOut
    )
  const traced = call.isPoll === true && !options.tracePolls ? timely : Telemetry.requestSpan(fiber, timely, request)
  return options.slot === undefined ? traced : Effect.andThen(options.slot, traced)
}

/** Reads a response and makes the value of the call from it. */
const receive = <A>(attempt: Responded, receiver: Receiver<A>) => {
  const opened = receiver.open?.(attempt)
  if (opened !== undefined) return Effect.succeed(opened)
  const { call, headers, options, response } = attempt
  // Calls other than creates are sent again, so the beginning of their response is not needed
  const keep = call.sends === undefined ? undefined : (piece: string) => {
    attempt.text += piece
  }
  return Effect.flatMap(
    Body.readText(response, headers, options.maxResponseBytes, call.isUpload, keep),
    (text) => receiver.decode(attempt, text)
  )
}

/**
 * Ends an attempt whose body did not arrive completely. It fails with the error for that, with two exceptions: a status that is
 * not a success decides alone, and a connection may have broken after the last byte of the document.
 */
const withoutBody = <A>(attempt: Attempt, receiver: Receiver<A>, why: string, error: RequestError) =>
  !hasResponse(attempt)
    ? Effect.fail(error)
    : !Response.isSuccess(attempt.response.status)
    ? Response.fail(attempt, undefined, ` (the body of the response did not arrive: ${why})`)
    : Response.isWholeDocument(attempt.text)
    ? receiver.decode(attempt, attempt.text)
    : Effect.fail(error)

/**
 * Node's fetch refuses a redirect of an upload without saying where it leads. A request to the same address without the body
 * shows it: what redirects is in front of the provider, or is not the provider.
 */
const redirected = (attempt: Attempt, { headers, url }: HttpClientRequest.HttpClientRequest) =>
  execute(attempt.options.client, HttpClientRequest.get(url, { headers })).pipe(
    Effect.map((response) => Redirects.describe(response, attempt)),
    Effect.orElseSucceed(() => Redirects.unknown),
    FetchPlatform.calling(undefined),
    Effect.flatMap((where) => Effect.fail(redirectError(attempt, where)))
  )
