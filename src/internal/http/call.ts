/** One call of a provider's API, and what an attempt to make it has. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Redacted from "effect/Redacted"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { RequestError } from "../../RunError.ts"
import type { Answer } from "../../RunSource.ts"
import type { RunRef } from "../ref.ts"
import type { Cleaner } from "../secret.ts"
import type * as SentRequests from "./sentRequests.ts"

/** A key, or a function that returns the one that is valid now, which is called once for each call. */
export type Key =
  | Redacted.Redacted<string>
  | ((operation: string) => Effect.Effect<Redacted.Redacted<string>, RequestError>)

/** What a provider's client sets up once. */
export interface Options {
  readonly client: HttpClient.HttpClient
  /** The provider's origin, and a path prefix if it has one. */
  readonly baseUrl: URL
  /** The header that carries the key. */
  readonly header: string
  /** The text before the key in the header. */
  readonly prefix?: string
  readonly key: Key
  readonly requestTimeout: Duration.Duration
  /** How long the body of an upload may make no progress. */
  readonly uploadIdleTimeout: Duration.Duration
  /** The delays and the limit of retries of safe requests. */
  readonly retry: Schedule.Schedule<unknown, RequestError>
  readonly retryAfterCeiling: Duration.Duration
  /** The longest response that is read. */
  readonly maxResponseBytes: number
  /** Waits until the rate limit has a slot for the next request. */
  readonly slot?: Effect.Effect<void> | undefined
  /** Whether a poll has a span. */
  readonly tracePolls: boolean
  /** Reads the body of an error. `isRefusal` means that the body itself reports an error, also with a status of success. */
  readonly describeError: (
    body: unknown
  ) => { readonly message?: string; readonly code?: string; readonly isRefusal?: boolean } | undefined
}

/** One call. */
export interface Call<A> {
  /** Its name in errors and spans. */
  readonly operation: string
  readonly request: HttpClientRequest.HttpClientRequest
  readonly decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>
  /**
   * Whether a response that does not decode is one that the provider has not stored whole yet, so that a repetition may decode.
   * Its failure is retryable.
   */
  readonly isStale?: ((body: unknown) => boolean) | undefined
  /** The run it is about. */
  readonly ref?: RunRef | undefined
  /**
   * The failures after which the request may be repeated. By default all that are retryable, which is right for a safe request.
   */
  readonly retryWhile?: ((error: RequestError) => boolean) | undefined
  /**
   * Whether the body may hold files. Then `uploadIdleTimeout` bounds the time without progress, and `requestTimeout` the time
   * before the first piece and after the last. Redirects are not followed, so that the platform keeps no copy of the body.
   */
  readonly isUpload?: boolean | undefined
  /** Is called when the file that an upload reads gave no bytes for `uploadIdleTimeout`. Returns the words of the error. */
  readonly onSilentFile?: (() => string) | undefined
  /** Whether it is a poll of a wait, which has a span only with `tracePolls`. It is retried like any other call. */
  readonly isPoll?: boolean | undefined
  /** Whether it starts a run, so that a client that repeats failed requests must not repeat it. */
  readonly isSentOnce?: boolean | undefined
  /** Counts how often the HTTP client sends the request in one attempt. */
  readonly sends?: SentRequests.SentRequests | undefined
  /** The timeout of this call, where it differs from other calls. */
  readonly timeout?: Duration.Duration | undefined
}

/** A call whose response is read piece by piece: the call ends when its headers have arrived. */
export type OpenCall = Omit<Call<never>, "decode" | "isStale" | "isUpload">

/** The beginning of a response. */
export interface Opened {
  readonly response: HttpClientResponse.HttpClientResponse
  /** When the request was sent, in milliseconds of the clock. */
  readonly sentAt: number
  readonly requestId: string | undefined
  /** Removes the key from the text of the body. */
  readonly clean: (text: string) => string
  /** The longest piece of the body that may be kept. */
  readonly maxBytes: number
}

/** A provider's API, ready to be called. */
export interface Api {
  /** Its origin, and a path prefix if it has one. */
  readonly server: URL
  /** How long a call takes at most with all its retries, in milliseconds, where that is known. */
  readonly longest: number
  readonly call: <A>(call: Call<A>) => Effect.Effect<Answer<A>, RequestError>
  readonly open: (call: OpenCall) => Effect.Effect<Opened, RequestError>
}

/** One attempt to make a call, and what has arrived for it. */
export interface Attempt {
  readonly options: Options
  readonly cleaner: Cleaner
  readonly call: Omit<Call<unknown>, "decode">
  readonly clock: Clock.Clock
  /** Its number, from 1 on. */
  readonly attempts: number
  /** When the first attempt began, in milliseconds of the clock. */
  readonly started: number
  /** When the request was sent, in milliseconds of the clock. */
  sentAt: number
  /** The response, once its headers have arrived. */
  readonly response: HttpClientResponse.HttpClientResponse | undefined
  /** The text that has arrived of its body. */
  text: string
}

/** An attempt whose response has begun to arrive. */
export interface Responded extends Attempt {
  readonly response: HttpClientResponse.HttpClientResponse
  /** The headers of the response. They are kept here because the response copies them at each read. */
  readonly headers: Headers.Headers
}

export const hasResponse = (attempt: Attempt): attempt is Responded => attempt.response !== undefined

/** The fields of every error of a call. */
export const fieldsOf = ({ attempts, call, clock, started }: Attempt) => ({
  operation: call.operation,
  attempts,
  elapsed: Duration.millis(clock.currentTimeMillisUnsafe() - started),
  ref: call.ref
})
