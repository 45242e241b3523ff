/**
 * One HTTP call, from request to decoded answer or typed error: credentials, timeout, retries of safe requests, redirects,
 * and the mapping of statuses. Providers add their paths, their schemas and how they word an error.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import { defaultRetry } from "../../ClientOptions.ts"
import type { Answer } from "../../RunSource.ts"
import * as RunError from "../../RunError.ts"
import type { RunRef } from "../ref.ts"
import * as FetchPlatform from "./fetchPlatform.ts"
import { neverSent, watchConnections } from "./neverSent.ts"
import { hideLinks, scrubber } from "../secret.ts"
import * as Sends from "./sends.ts"
import { isRunError } from "../taggedError.ts"
import * as Telemetry from "../telemetry.ts"
import * as TimerQueue from "../polling/timerQueue.ts"
import * as Upload from "./upload.ts"

/** What a provider sets up once. */
export interface Options {
  readonly client: HttpClient.HttpClient
  /** The provider's origin, and a path prefix if it has one. */
  readonly baseUrl: URL
  /** The header that carries the secret, and the secret. */
  readonly credential: { readonly header: string; readonly prefix?: string; readonly value: Redacted.Redacted<string> }
  readonly requestTimeout: Duration.Duration
  /** How long the body of an upload may make no progress. */
  readonly uploadIdleTimeout: Duration.Duration
  /** Paces the retries of safe requests, and says when to stop. */
  readonly retry: Schedule.Schedule<unknown, RunError.RequestError>
  readonly retryAfterCeiling: Duration.Duration
  /** The longest answer that is read. */
  readonly maxResponseBytes: number
  /** Waits until the next request may be sent. */
  readonly turn?: Effect.Effect<void> | undefined
  /** Whether a poll has a span. */
  readonly tracePolls: boolean
  /** What the body of an error says. `isRefusal` means that the body itself says that it is an error, whatever its status. */
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
   * Whether an answer that does not decode is one that the provider has not stored whole yet, so that a repetition may decode.
   * Its failure is retryable.
   */
  readonly isStale?: ((body: unknown) => boolean) | undefined
  /** The run it is about. */
  readonly ref?: RunRef | undefined
  /** Which failures may be repeated; by default all that are retryable, which is right for a safe request. */
  readonly retryWhile?: ((error: RunError.RequestError) => boolean) | undefined
  /** Whether the body is too large for the platform to keep a copy of it. */
  readonly isUpload?: boolean | undefined
  /** Whether it is one of the many polls of a wait. */
  readonly isPoll?: boolean | undefined
  /** Whether it starts a run, so that a client that repeats failed requests must not repeat it. */
  readonly isSentOnce?: boolean | undefined
  /** Counts how often the HTTP client sends the request in one attempt. */
  readonly sends?: Sends.Sends | undefined
  /** How long it may take, where that differs from other calls. */
  readonly timeout?: Duration.Duration | undefined
}

/** A call whose answer is read piece by piece: only what comes before the body is waited for. */
export type OpenCall = Omit<Call<never>, "decode" | "isStale" | "isUpload">

/** The beginning of an answer. */
export interface Opened {
  readonly response: HttpClientResponse.HttpClientResponse
  /** When the request was sent, in milliseconds of the clock. */
  readonly sentAt: number
  readonly requestId: string | undefined
  /** Takes the key out of what the body says. */
  readonly clean: (text: string) => string
  /** The longest piece of the body that may be kept. */
  readonly maxBytes: number
}

/** A provider's API, ready to be called. */
export interface Api {
  /** How long a call takes at most with all its retries, in milliseconds, where that is known. */
  readonly longest: number
  readonly call: <A>(call: Call<A>) => Effect.Effect<Answer<A>, RunError.RequestError>
  readonly open: (call: OpenCall) => Effect.Effect<Opened, RunError.RequestError>
}

/** How much of an answer that does not decode is kept. */
const excerptLength = 2048

/** The longest JSON body that an error keeps whole. */
const maxBodyLength = 65_536

/**
 * The shortest key that is taken out of what a successful answer says. A shorter one, as tests have, could be a word that
 * the answer means.
 */
const minKeyLength = 12

const wrongServer = "Check the base URL, and whether a proxy answers in the provider's place."

/** How many redirects within the provider's origin are followed. */
const maxRedirects = 3

/**
 * Sends a request. A client may fail with a response whose status it does not accept, as `HttpClient.filterStatusOk` does: such
 * a response is read like any other.
 */
export const execute = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Effect.suspend(() => client.execute(request)).pipe(
    Effect.catch((error) => {
      const response = HttpClientError.isHttpClientError(error) ? error.response : undefined
      return response === undefined ? Effect.fail(error) : Effect.succeed(response)
    }),
    // A client of the program's own may throw, or give anything
    Effect.flatMap((response) =>
      Predicate.isObject(response) && typeof response.status === "number" && Predicate.isObject(response.headers)
        ? Effect.succeed(response)
        : Effect.die(new TypeError("the HTTP client gave no response"))
    ),
    Effect.catchDefect((cause) =>
      Effect.fail(
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause, description: "the HTTP client threw an error" })
        })
      )
    )
  )

/** The cause of a client error. A client may also fail with an error outside its declared type. */
export const causeOf = (error: unknown): unknown =>
  HttpClientError.isHttpClientError(error) ? error.reason.cause : error

export const make = (options: Options): Api => {
  watchConnections()
  const { baseUrl, credential } = options
  const secret = Redacted.value(credential.value)
  const scrub = scrubber(secret)
  const cleaner: Cleaner = {
    key: scrub,
    text: (text) => hideLinks(scrub(text)),
    answer: secret.length < minKeyLength ? identity : scrub,
    // A host is lower case and has letters, digits and few other characters
    host: (host) => squeeze(host).includes(squeeze(secret)) ? "elsewhere" : `to ${host}`
  }

  const send = (
    client: HttpClient.HttpClient,
    request: HttpClientRequest.HttpClientRequest,
    call: Pick<Call<unknown>, "isUpload">,
    redirects = 0
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
    Effect.flatMap(execute(client, request), (response) => {
      const target = redirects < maxRedirects && call.isUpload !== true
        ? sameOriginTarget(response, baseUrl)
        : undefined
      return target === undefined
        ? Effect.succeed(response)
        : Effect.andThen(
          FetchPlatform.discard(response),
          send(client, HttpClientRequest.setUrl(request, target), call, redirects + 1)
        )
    })

  const base = baseUrl.href.replace(/\/$/, "")
  const authorization = { [credential.header]: `${credential.prefix ?? ""}${secret}` }
  const authorizationForJson = { ...authorization, accept: "application/json" }

  /**
   * Node's fetch refuses a redirect of an upload without saying where it leads. The same address without the body tells: what
   * redirects is in front of the provider, or is not the provider.
   */
  const redirected = (
    { url }: HttpClientRequest.HttpClientRequest,
    context: () => CallContext
  ): Effect.Effect<never, RunError.RequestError> =>
    execute(options.client, HttpClientRequest.get(url, { headers: authorization })).pipe(
      Effect.map((response) => redirectWords(response, baseUrl, cleaner)),
      Effect.catch(() => Effect.succeed(unknownRedirect)),
      Effect.provideContext(FetchPlatform.context(undefined)),
      Effect.flatMap((where) => {
        const fields = context()
        return Effect.fail(
          new RunError.InvalidResponseError({
            ...fields,
            isRetryable: false,
            message: `${fields.operation}: the provider redirects ${where}. ${wrongServer}`
          })
        )
      })
    )

  const attempt = <A>(
    call: Omit<Call<unknown>, "decode">,
    request: HttpClientRequest.HttpClientRequest,
    { receive, receiveWhole }: Receiver<A>,
    attempts: number,
    started: number,
    clock: Clock.Clock
  ): Effect.Effect<A, RunError.RequestError> => {
    const context = (): CallContext => ({
      operation: call.operation,
      attempts,
      elapsed: Duration.millis(clock.currentTimeMillisUnsafe() - started),
      ...(call.ref === undefined ? undefined : { ref: call.ref })
    })
    const timeout = call.timeout ?? options.requestTimeout
    let arrived: HttpClientResponse.HttpClientResponse | undefined
    let received = ""
    const onText = (text: string) => {
      received += text
    }
    /** What an error says of a body that did not arrive whole. */
    const receivedField = () => received === "" ? undefined : { body: excerpt(cleaner.text(received)) }
    /**
     * A status that is known decides, also when its body does not arrive. The connection may break after the last byte of a JSON
     * document, which is whole if it can be parsed.
     */
    const withoutBody = (
      why: string,
      otherwise: () => RunError.RequestError
    ): Effect.Effect<A, RunError.RequestError> =>
      arrived === undefined || isSuccess(arrived.status)
        ? arrived !== undefined && receiveWhole !== undefined && isWholeDocument(received)
          ? receiveWhole(arrived, received, context, clock)
          : Effect.fail(otherwise())
        : read(
          options,
          cleaner,
          { ...call, decode: Effect.succeed },
          arrived,
          arrived.headers,
          "",
          context,
          clock,
          ` (the body of the response did not arrive: ${why})`
        ) as Effect.Effect<never, RunError.RequestError>
    const answer = (request: HttpClientRequest.HttpClientRequest) =>
      Effect.catch(
        Effect.suspend(() => {
          const sentAt = clock.currentTimeMillisUnsafe()
          const client = call.isSentOnce === true
            ? sendingOnce(options.client, context, call.sends)
            : options.client
          const response = send(client, request, call)
          return Effect.flatMap(
            call.sends === undefined ? response : Effect.provideService(response, Sends.CurrentSends, call.sends),
            (response) => {
              arrived = response
              received = ""
              return receive(response, context, clock, sentAt, onText)
            }
          )
        }),
        (error) => {
          if (isRunError(error)) return Effect.fail(error as RunError.RequestError)
          if (HttpClientError.isHttpClientError(error) && FetchPlatform.isRefusedRedirect(error)) {
            return redirected(request, context)
          }
          const failure = transportError(
            error,
            { ...context(), ...receivedField() },
            cleaner,
            arrived?.status,
            call.sends
          )
          return withoutBody(failure.message, () => failure)
        }
      )
    const timedOut = (isSending = false) =>
      withoutBody(`it took longer than ${Duration.format(timeout)}`, () => {
        const isUnsent = arrived === undefined && Sends.isUnwritten(call.sends)
        return new RunError.RequestTimeoutError({
          ...context(),
          ...receivedField(),
          ...(arrived === undefined ? undefined : { status: arrived.status }),
          ...(isUnsent ? { reached: false } : undefined),
          message: `${call.operation}: ${
            arrived !== undefined
              ? `status ${arrived.status}, and no complete body within ${Duration.format(timeout)}`
              : isUnsent
              ? `no connection within ${Duration.format(timeout)}, so that the request was not sent`
              : isSending
              ? `the upload made no progress for ${Duration.format(options.uploadIdleTimeout)} (uploadIdleTimeout)`
              : `no answer within ${Duration.format(timeout)}`
          }. ${
            isUnsent
              ? "Check the network, the proxy, and whether other requests take all connections, then try again."
              : "Try again, or give it a longer timeout."
          }`
        })
      })
    const timely = call.isUpload !== true
      ? TimerQueue.within(answer(request), Duration.toMillis(timeout), timedOut)
      : Upload.whileMoving(
        request,
        {
          idleMillis: Duration.toMillis(options.uploadIdleTimeout),
          responseMillis: Duration.toMillis(timeout)
        },
        (request) => refuseBlob(context)(answer(request)),
        timedOut
      )
    const traced = call.isPoll === true && !options.tracePolls ? timely : Telemetry.requestSpan(request)(timely)
    return options.turn === undefined ? traced : Effect.andThen(options.turn, traced)
  }

  const run = <A>(
    call: Omit<Call<unknown>, "decode">,
    headers: Record<string, string>,
    receiver: Receiver<A>
  ): Effect.Effect<A, RunError.RequestError> =>
    Effect.clockWith((clock) => {
      const started = clock.currentTimeMillisUnsafe()
      const request = HttpClientRequest.setHeaders(HttpClientRequest.prependUrl(call.request, base), headers)
      return retrying(
        (attempts) => attempt(call, request, receiver, attempts, started, clock),
        options.retry,
        call.retryWhile ?? ((error) => error.isRetryable),
        options.retryAfterCeiling,
        clock
      ).pipe(Effect.provideContext(FetchPlatform.context(call.isUpload === true ? call.request.body : undefined)))
    })

  return {
    longest: options.turn === undefined && options.retry === defaultRetry
      ? 3 * Duration.toMillis(options.requestTimeout) + 2 * Math.max(1000, Duration.toMillis(options.retryAfterCeiling))
      : Infinity,
    call: (call) =>
      run(
        call,
        authorizationForJson,
        {
          receive: (response, context, clock, _, onText) => {
            // A response makes its headers anew each time
            const { headers } = response
            return Effect.flatMap(
              FetchPlatform.readText(
                response,
                headers,
                options.maxResponseBytes,
                call.isUpload,
                // What a create received is worth keeping. Others are repeated
                call.sends === undefined ? undefined : onText
              ),
              (text) => read(options, cleaner, call, response, headers, text, context, clock)
            )
          },
          receiveWhole: (response, text, context, clock) =>
            read(options, cleaner, call, response, response.headers, text, context, clock)
        }
      ),
    open: (call) =>
      run(
        call,
        authorization,
        {
          receive: (response, context, clock, sentAt) => {
            const { headers } = response
            return isSuccess(response.status) && !/html/i.test(headers["content-type"] ?? "")
              ? Effect.succeed({
                response,
                sentAt,
                requestId: requestIdOf(headers, scrub),
                clean: cleaner.answer,
                maxBytes: options.maxResponseBytes
              })
              : Effect.flatMap(
                FetchPlatform.readText(response, headers, options.maxResponseBytes),
                (text) =>
                  read(options, cleaner, { ...call, decode: Effect.succeed }, response, headers, text, context, clock)
              ) as Effect.Effect<never, RunError.RequestError>
          }
        }
      )
  }
}

/**
 * An API whose key may change while the program runs. `key` is asked for each call, and the retries of a call use the key that it
 * began with.
 */
export const makeWithKey = (
  options: Omit<Options, "credential"> & { readonly credential: Omit<Options["credential"], "value"> },
  key: (operation: string) => Effect.Effect<Redacted.Redacted<string>, RunError.RequestError>
): Api => {
  let last: { readonly key: string; readonly api: Api } | undefined
  const withKey = <A, E>(operation: string, use: (api: Api) => Effect.Effect<A, E>) =>
    Effect.flatMap(key(operation), (value) => {
      const text = Redacted.value(value)
      if (last?.key !== text) {
        last = { key: text, api: make({ ...options, credential: { ...options.credential, value } }) }
      }
      return use(last.api)
    })
  return {
    // Nothing is known of how long a key takes
    longest: Infinity,
    call: (call) => withKey(call.operation, (api) => api.call(call)),
    open: (call) => withKey(call.operation, (api) => api.open(call))
  }
}

/** How the value of a call is read from a response. */
interface Receiver<A> {
  readonly receive: (
    response: HttpClientResponse.HttpClientResponse,
    context: () => CallContext,
    clock: Clock.Clock,
    sentAt: number,
    onText: (text: string) => void
  ) => Effect.Effect<A, RunError.RequestError | HttpClientError.HttpClientError>
  /** Reads the value from the text of a body that broke off, or stalled, after the end of its document. */
  readonly receiveWhole?: (
    response: HttpClientResponse.HttpClientResponse,
    text: string,
    context: () => CallContext,
    clock: Clock.Clock
  ) => Effect.Effect<A, RunError.RequestError>
}

/**
 * Repeats `attempt` while its failures may be repeated and the schedule goes on. Nothing is set up until the first
 * failure, because nearly all calls succeed.
 */
const retrying = <A>(
  attempt: (attempts: number) => Effect.Effect<A, RunError.RequestError>,
  schedule: Schedule.Schedule<unknown, RunError.RequestError>,
  mayRetry: (error: RunError.RequestError) => boolean,
  ceiling: Duration.Duration,
  clock: Clock.Clock
): Effect.Effect<A, RunError.RequestError> =>
  Effect.catch(attempt(1), (first) =>
    mayRetry(first)
      ? Effect.flatMap(Schedule.toStep(schedule), (next) => {
        const retry = (error: RunError.RequestError, attempts: number): Effect.Effect<A, RunError.RequestError> =>
          !mayRetry(error) ? Effect.fail(error) : Pull.matchEffect(next(clock.currentTimeMillisUnsafe(), error), {
            onFailure: Effect.failCause,
            onDone: () => Effect.fail(error),
            onSuccess: ([, delay]) =>
              Effect.logDebug(`${error.operation}: ${error._tag}, trying again`).pipe(
                Effect.andThen(
                  Effect.sleep(
                    error.retryAfter === undefined
                      ? delay
                      : Duration.max(delay, Duration.min(error.retryAfter, ceiling))
                  )
                ),
                Effect.andThen(Effect.catch(attempt(attempts + 1), (error) => retry(error, attempts + 1)))
              )
          })
        return retry(first, 1)
      })
      : Effect.fail(first))

/** Takes secrets out of what came from outside. */
interface Cleaner {
  /** The key. */
  readonly key: (text: string) => string
  /** The key and the signatures of links, out of what an error quotes. */
  readonly text: (text: string) => string
  readonly answer: (text: string) => string
  readonly host: (host: string) => string
}

const requestIdOf = (headers: Headers.Headers, scrub: (text: string) => string): string | undefined => {
  const id = headers["x-request-id"]
  return id === undefined ? undefined : scrub(id)
}

/** What every error of a call says. */
interface CallContext {
  readonly operation: string
  readonly body?: unknown
  readonly attempts: number
  readonly elapsed: Duration.Duration
  readonly ref?: RunRef
}

const read = <A>(
  options: Options,
  cleaner: Cleaner,
  call: Call<A>,
  response: HttpClientResponse.HttpClientResponse,
  headers: Headers.Headers,
  received: string | undefined,
  context: () => CallContext,
  clock: Clock.Clock,
  /** Why there is no body, where it did not arrive. */
  missing?: string
): Effect.Effect<Answer<A>, RunError.RequestError> => {
  const { text: scrub } = cleaner
  const text = cleaner.answer(received ?? "")
  const requestId = requestIdOf(headers, scrub)
  const retryAfter = parseRetryAfter(headers, clock.currentTimeMillisUnsafe())
  const contentType = headers["content-type"] === undefined ? undefined : excerpt(scrub(headers["content-type"]), 300)
  const json = parseJson(text)
  const failure = (): ErrorFields => {
    const clean = cleaner.key(text)
    const body = clean.length > maxBodyLength ? undefined : Option.getOrUndefined(parseJson(clean))
    const described = options.describeError(body)
    return {
      ...context(),
      status: response.status,
      ...(missing === undefined ? { body: body ?? excerpt(clean) } : undefined),
      ...(requestId === undefined ? undefined : { requestId }),
      ...(retryAfter === undefined ? undefined : { retryAfter }),
      ...(body === undefined ? undefined : { providerMessage: described?.message ?? excerpt(clean) }),
      ...(described?.code === undefined ? undefined : { providerCode: described.code })
    }
  }
  const invalid = (
    what: string,
    isRetryable: boolean,
    advice = wrongServer
  ) => {
    const fields = failure()
    return Effect.fail(
      new RunError.InvalidResponseError({
        ...fields,
        isRetryable,
        message: `${call.operation}: ${what} ${
          fields.providerMessage === undefined
            ? ""
            : `It says: ${JSON.stringify(excerpt(scrub(fields.providerMessage), 200))}. `
        }${advice}`,
        ...(contentType === undefined ? undefined : { contentType })
      })
    )
  }
  switch (response.status) {
    case 0:
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      // A browser reports a redirect that it was told not to follow as status 0
      return invalid(`the provider redirects ${redirectWords(response, options.baseUrl, cleaner)}.`, false)
    case 304:
      return invalid(
        "the response is 304 (not modified), although this client keeps no copy that it could refer to.",
        true,
        "Check whether a cache between this client and the provider answers: it must not."
      )
  }
  if (response.status < 400 && !isSuccess(response.status)) {
    return invalid(`the response has status ${response.status}, which is neither a result nor an error.`, false)
  }
  if (!isSuccess(response.status)) {
    return Effect.fail(statusError(failure(), response.status, missing, doubledIn(response.request.url)))
  }
  if (received === undefined) {
    return invalid(
      `the answer is longer than ${options.maxResponseBytes} bytes, which is the client's maxResponseBytes.`,
      false,
      "Raise it if such answers are right."
    )
  }
  if (Option.isNone(json)) {
    const encoding = FetchPlatform.undecoded(response, headers)
    if (encoding !== undefined) {
      return invalid(
        `the response has the content-encoding ${
          JSON.stringify(scrub(encoding))
        }, which this HTTP client does not decode.`,
        false,
        "Use fetch, or NodeHttp.layer of canvas-runs/node."
      )
    }
    return invalid(`the answer is ${describeText(text, contentType)}, not JSON.`, true)
  }
  return Effect.matchCauseEffect(call.decode(json.value), {
    onSuccess: (value) => Effect.succeed({ value, requestId, retryAfter }),
    onFailure: (cause) => {
      if (options.describeError(json.value)?.isRefusal === true) {
        return Effect.fail(statusError(failure(), response.status))
      }
      const error = Cause.squash(cause)
      const isStale = call.isStale?.(json.value) === true
      // A RangeError is the stack's end
      return Cause.hasFails(cause) || error instanceof RangeError
        ? invalid(
          `the answer does not have the promised form (${
            error instanceof RangeError
              ? "it is nested too deep"
              : excerpt(oneLine(scrub((error as Schema.SchemaError).message)), 300)
          }).`,
          isStale,
          isStale ? "The provider may not have stored it yet. Try again later." : wrongServer
        )
        : Effect.failCause(cause as Cause.Cause<never>)
    }
  })
}

type ErrorFields = CallContext & {
  readonly status: number
  readonly body?: unknown
  readonly requestId?: string
  readonly retryAfter?: Duration.Duration
  readonly providerMessage?: string
  readonly providerCode?: string
}

/** The first part of a path that stands there twice, as "/v1" does where the base URL ends in it although each path begins with it. */
const doubledIn = (url: string): string | undefined =>
  URL.canParse(url) ? /(\/[^/]+)\1\//.exec(new URL(url).pathname)?.[1] : undefined

/** The error for a status that is not a success. */
const statusError = (
  fields: ErrorFields,
  status: number,
  missing = "",
  /** The part of the path that the base URL repeats. */
  doubled?: string | undefined
): RunError.RequestError => {
  const says = fields.providerMessage === undefined
    ? missing
    : ` (${excerpt(oneLine(fields.providerMessage), 300)})`
  const message = (text: string) => ({ ...fields, message: `${fields.operation}: ${text}` })
  switch (status) {
    case 401:
      return new RunError.AuthenticationError(
        message(`the API key was refused${says}. Check it, and that it is not revoked.`)
      )
    case 402:
      return new RunError.UsageLimitError(message(`credits or plan are used up${says}. Top up, or start fewer runs.`))
    case 403:
      return new RunError.PermissionDeniedError(
        message(`this API key may not do that${says}. Use one that may, or ask who manages the account.`)
      )
    case 404:
      return new RunError.NotFoundError(
        message(
          `not found, or owned by another account${says}. ${
            doubled === undefined
              ? "Check the id and the API key."
              : `The path begins with "${doubled}${doubled}": leave "${doubled}" out of the base URL, or check the id and the API key.`
          }`
        )
      )
    case 407:
      return new RunError.BadRequestError({
        ...message(
          `a proxy asks for credentials${says}. ${FetchPlatform.proxyAdvice}.`
        ),
        sent: true
      })
    case 408:
      return new RunError.RequestTimeoutError(
        message(`the provider gave up waiting for the request${says}. Try again.`)
      )
    case 409:
      return new RunError.ConflictError(
        message(`the request conflicts with the state of what it is about${says}. Look at that state first.`)
      )
    case 429:
      return new RunError.RateLimitError(
        message(
          `too many requests${says}. ${
            fields.retryAfter === undefined ? "Slow down." : `Wait ${Duration.format(fields.retryAfter)}.`
          }`
        )
      )
    case 425:
      return new RunError.ServerError(message(`the provider asks to try again later${says}.`))
  }
  return status >= 500
    ? new RunError.ServerError(message(`the provider failed with ${status}${says}. Try again later.`))
    : new RunError.BadRequestError({
      ...message(
        `the provider refused the request with ${status}${says}. Change the request: a repetition fails as well.`
      ),
      sent: true
    })
}

/**
 * Lets a client send a request once. A client that repeats failed requests, such as one with `HttpClient.retryTransient`, asks
 * for the request again each time; for a create, each of them may start a run of its own.
 */
const sendingOnce = (
  client: HttpClient.HttpClient,
  context: () => CallContext,
  sends: Sends.Sends | undefined
): HttpClient.HttpClient => {
  let isSent = false
  return HttpClient.mapRequestEffect(client, (request) =>
    Effect.suspend(() => {
      if (!isSent) {
        isSent = true
        // The client may have sent requests to prepare this one, such as one for a token
        if (sends !== undefined) Sends.reset(sends)
        return Effect.succeed(request)
      }
      const fields = context()
      return Effect.fail(
        new RunError.TransportError({
          ...fields,
          message:
            `${fields.operation}: the HTTP client wanted to send the request a second time, and hides how the first one ended. ` +
            "Leave the repetition of requests to this library (options retry and retryCreates).",
          reached: true
        })
      )
    })) as HttpClient.HttpClient.With<
      HttpClientError.HttpClientError | RunError.TransportError
    > as HttpClient.HttpClient
}

/**
 * The error for a request without an answer. The client's own error holds the request's headers, so it is not kept. `status` is
 * that of a response whose body did not arrive.
 */
const transportError = (
  error: unknown,
  context: CallContext,
  cleaner: Cleaner,
  status: number | undefined,
  sends: Sends.Sends | undefined
): RunError.RequestError => {
  const { text: scrub } = cleaner
  // A client may have been made to fail with errors of its own, against its type
  const reason = HttpClientError.isHttpClientError(error) ? error.reason : { _tag: "Unknown", cause: error } as const
  const cause = reason.cause
  const description = "description" in reason ? reason.description : undefined
  if (reason._tag === "InvalidUrlError" || reason._tag === "EncodeError") {
    return new RunError.BadRequestError({
      ...context,
      message: `${context.operation}: the request could not be made (${scrub(describeCause(cause) ?? reason._tag)}).`,
      sent: false
    })
  }
  const code = findInCause(cause, "code")
  const isUnsent = Sends.isUnwritten(sends) || neverSent(cause) && !Sends.isRepeated(sends)
  return new RunError.TransportError({
    ...context,
    message: `${context.operation}: ${status === undefined ? "no answer" : "the answer broke off"}: ${
      scrub(describeCause(cause) ?? description ?? "the connection failed")
    }. ${FetchPlatform.adviceFor(cause) ?? "Check the network, then try again"}.`,
    reached: status !== undefined || reason._tag !== "TransportError" || !isUnsent,
    ...(code === undefined ? undefined : { code }),
    ...(cause instanceof Error ? { cause: scrubCause(cause, cleaner) } : undefined),
    ...(status === undefined ? undefined : { status })
  })
}

/** Node's own HTTP client throws when it is given a Blob. */
const refuseBlob =
  (context: () => CallContext) => <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E | RunError.BadRequestError> =>
    Effect.catch(self, (error): Effect.Effect<never, E | RunError.BadRequestError> => {
      const fields = context()
      return !Predicate.hasProperty(error, "code") || error.code !== "ERR_INVALID_ARG_TYPE" ?
        Effect.fail(error) :
        Effect.fail(
          new RunError.BadRequestError({
            ...fields,
            message:
              `${fields.operation}: this HTTP client cannot send a Blob. Use the fetch or the undici client, or give the file as a stream.`,
            sent: false
          })
        )
    })

/** Looks for a string property in an error and in what caused it. */
const findInCause = (cause: unknown, key: string, depth = 0): string | undefined =>
  depth > 4 || !Predicate.isObject(cause)
    ? undefined
    : Predicate.hasProperty(cause, key) && typeof cause[key] === "string"
    ? cause[key]
    : Predicate.hasProperty(cause, "cause")
    ? findInCause(cause.cause, key, depth + 1)
    : undefined

const describeCause = (cause: unknown): string | undefined => {
  if (!(cause instanceof Error)) return typeof cause === "string" ? cause : undefined
  const inner = describeCause(cause.cause)
  const own = oneLine(cause.message || (findInCause(cause, "code") ?? cause.name))
  return inner === undefined || inner === own ? own : `${own}: ${inner}`
}

/** The cause as it is, or what it says without the key. */
const scrubCause = (cause: Error, cleaner: Cleaner): Error =>
  isClean(cause, cleaner) ? cause : new Error(cleaner.text(describeCause(cause) ?? cause.name))

const isClean = (cause: unknown, cleaner: Cleaner, depth = 0): boolean =>
  typeof cause === "string"
    ? cleaner.text(cause) === cause
    : !(cause instanceof Error) ||
      // A stack has the addresses of modules, which may have a query
      depth < 8 && (cause.stack === undefined || cleaner.key(cause.stack) === cause.stack) &&
        [cause.message, cause.cause, ...(cause instanceof AggregateError ? cause.errors : [])]
          .every((part) => isClean(part, cleaner, depth + 1))

/**
 * Reads `Retry-After-Ms`, then `Retry-After` (seconds or an HTTP date). What is none of these, or not in the future,
 * changes nothing.
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

const isSuccess = (status: number): boolean => status >= 200 && status < 300

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const isWholeDocument = (text: string): boolean => /^\s*[{[]/.test(text) && Option.isSome(parseJson(text))

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

const excerpt = (text: string, length = excerptLength): string =>
  text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`

const describeText = (text: string, contentType = "unknown"): string =>
  text.trim() === ""
    ? "empty"
    : /^\s*<(!doctype|html)/i.test(text)
    ? "an HTML page"
    : /json/i.test(contentType)
    ? "broken JSON"
    : `text of type ${contentType}`

const squeeze = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")

const unknownRedirect = "without saying where to"

/** Where a redirect leads, and why it is not followed. A query is not shown: it could be signed. */
const redirectWords = (
  { headers, request }: HttpClientResponse.HttpClientResponse,
  baseUrl: URL,
  cleaner: Cleaner
): string => {
  const location = headers["location"]
  if (location === undefined || !URL.canParse(location, request.url)) return unknownRedirect
  const target = new URL(location, request.url)
  if (!/^https?:/.test(target.protocol)) return "to an address that is not one of http or https"
  return target.origin === baseUrl.origin
    ? `to ${
      cleaner.text(target.pathname)
    }, which is followed at most ${maxRedirects} times, and only for requests without a body`
    : `${cleaner.host(target.origin)}, where the API key is not sent`
}

/** Where a redirect leads, if it stays with the provider and the request is safe to repeat there. */
const sameOriginTarget = (response: HttpClientResponse.HttpClientResponse, baseUrl: URL): URL | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const location = response.headers["location"]
  const method = response.request.method
  if (
    location === undefined ||
    method !== "GET" && method !== "HEAD" ||
    !URL.canParse(location, response.request.url)
  ) {
    return undefined
  }
  const target = new URL(location, response.request.url)
  return target.origin === baseUrl.origin ? target : undefined
}
