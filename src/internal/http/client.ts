/** What making a client takes, whichever provider it speaks to. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Artifact from "../../Artifact.ts"
import { type ClientOptions, defaultRetry } from "../../ClientOptions.ts"
import { badRequest, ConfigError, type RequestError, TransportError } from "../../RunError.ts"
import * as Webhooks from "../../Webhooks.ts"
import { messageOf, quote, quoteLink } from "../describe.ts"
import * as Http from "./api.ts"
import * as Options from "../options.ts"
import { textOf } from "../secret.ts"

/** What the transfer of a file takes, either way. */
export interface FileTransfer extends Artifact.Options {
  /** How long an upload may make no progress. */
  readonly uploadIdleTimeout: Duration.Duration
}

/** Checks the options, and makes what calls the API and what transfers files without a credential. */
export const make = (
  options: ClientOptions & Pick<Http.Options, "describeError"> & {
    readonly provider: string
    readonly defaultBaseUrl: string
    readonly credential: {
      readonly header: string
      readonly prefix?: string
      /** The name of the option that holds the secret. */
      readonly option: string
      readonly value: Secret | undefined
      readonly whereToGetOne: string
    }
  }
): Effect.Effect<
  {
    readonly api: Http.Api
    readonly transfer: FileTransfer
    readonly retryCreates: boolean
    readonly skipFileValidation: boolean
    readonly webhooks: Webhooks.Service | undefined
  },
  ConfigError,
  HttpClient.HttpClient
> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const baseUrl = yield* checkBaseUrl(options.baseUrl ?? options.defaultBaseUrl, options.defaultBaseUrl)
    const requestTimeout = yield* checkDuration("requestTimeout", options.requestTimeout ?? "60 seconds")
    const uploadIdleTimeout = options.uploadIdleTimeout === undefined
      ? requestTimeout
      : yield* checkDuration("uploadIdleTimeout", options.uploadIdleTimeout)
    const retryAfterCeiling = yield* checkDuration("retryAfterCeiling", options.retryAfterCeiling ?? "1 minute")
    yield* checkKind("retry", options.retry, Schedule.isSchedule, "a Schedule, such as Schedule.recurs(3)")
    yield* checkKind("transformClient", options.transformClient, Predicate.isFunction, "a function")
    yield* checkKind("webhooks", options.webhooks, isHub, "a hub, as Webhooks.make makes it")
    const retry = options.retry ?? defaultRetry
    const { header, option, prefix, value: secret, whereToGetOne } = options.credential
    const credential = { header, ...(prefix === undefined ? undefined : { prefix }) }
    const apiOptions = {
      client: yield* transform(client, options.transformClient),
      turn: yield* checkRateLimit(options.provider, options.rateLimit),
      baseUrl,
      requestTimeout,
      uploadIdleTimeout,
      retry,
      retryAfterCeiling,
      tracePolls: options.tracePolls === true,
      maxResponseBytes: yield* checkBytes("maxResponseBytes", options.maxResponseBytes ?? 32 * 1024 * 1024),
      describeError: options.describeError
    }
    const api = Options.is(Effect.isEffect, secret)
      ? Http.makeWithKey(
        { ...apiOptions, credential },
        currentKey(option, secret as Exclude<Secret, Redacted.Redacted>, whereToGetOne, requestTimeout)
      )
      : Http.make({
        ...apiOptions,
        credential: { ...credential, value: yield* checkSecret(option, secret, whereToGetOne) }
      })
    return {
      api,
      transfer: { client, baseUrl, idleTimeout: requestTimeout, uploadIdleTimeout, retry, retryAfterCeiling },
      retryCreates: options.retryCreates === true,
      skipFileValidation: options.skipFileValidation === true,
      webhooks: options.webhooks ?? Option.getOrUndefined(yield* Effect.serviceOption(Webhooks.Webhooks))
    }
  })

/** The names of {@link ClientOptions}, and those of one provider. */
const optionNames: ReadonlyArray<keyof ClientOptions> = [
  "baseUrl",
  "requestTimeout",
  "uploadIdleTimeout",
  "retry",
  "retryAfterCeiling",
  "maxResponseBytes",
  "retryCreates",
  "skipFileValidation",
  "rateLimit",
  "webhooks",
  "tracePolls",
  "transformClient"
]

/** Copies the options of a client, and fails where it does not have one of them. */
export const readOptions = <O>(
  options: O,
  credentials: ReadonlyArray<string>
): Effect.Effect<NonNullable<O>, ConfigError> =>
  Effect.mapError(
    Effect.fromResult(Options.read("options", options, [...credentials, ...optionNames])),
    (fault) => new ConfigError(fault)
  )

const isHub = (value: unknown): boolean =>
  Predicate.hasProperty(value, "ended") && Predicate.isFunction(value.ended) && Predicate.hasProperty(value, "deliver")

const isLimiter = (value: unknown): boolean =>
  Predicate.hasProperty(value, "consume") && Predicate.isFunction(value.consume)

/** Fails where an option is given and is not of its kind. */
const checkKind = (
  option: string,
  value: unknown,
  isKind: (value: unknown) => boolean,
  expected: string
): Effect.Effect<void, ConfigError> =>
  value === undefined || Options.is(isKind, value)
    ? Effect.void
    : Effect.fail(new ConfigError({ message: `${option} is ${quote(value)}; it must be ${expected}.`, option }))

/** The client with the caller's changes. */
const transform = (
  client: HttpClient.HttpClient,
  transformClient: ClientOptions["transformClient"]
): Effect.Effect<HttpClient.HttpClient, ConfigError> =>
  transformClient === undefined ? Effect.succeed(client) : Effect.try({
    try: () => transformClient(client),
    catch: (thrown) =>
      new ConfigError({
        message: `transformClient threw: ${messageOf(thrown)}. It must return an HttpClient.`,
        option: "transformClient"
      })
  }).pipe(
    Effect.tap((changed) =>
      checkKind("transformClient's result", changed ?? null, HttpClient.isHttpClient, "an HttpClient")
    )
  )

/** Takes a value as it is, or reads it from the configuration. */
export const fromConfig = <A>(option: string, value: A | Config.Config<A>): Effect.Effect<A, ConfigError> =>
  Options.is(Config.isConfig, value)
    ? Effect.mapError(
      value as Config.Config<A>,
      () =>
        new ConfigError({ message: `${option}: the Config could not be read. Set the variable that it names.`, option })
    )
    : Effect.succeed(value as A)

/** Reads a configuration value, or says which one is missing. What is there is not shown: it may be a secret. */
export const readConfig = <A>(option: string, config: Config.Config<A>): Effect.Effect<A, ConfigError> =>
  Effect.mapError(
    config,
    () =>
      new ConfigError({ message: `${option} is not set. Set it in the environment, or give it to the layer.`, option })
  )

/** A secret, or what gives the one that is valid now. */
export type Secret = Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>

/** Asks for the secret that is valid now. Its failure is that of the call that needs it, and no request is made. */
const currentKey = (
  option: string,
  secret: Effect.Effect<Redacted.Redacted<string>, unknown>,
  whereToGetOne: string,
  timeout: Duration.Duration
) =>
(operation: string): Effect.Effect<Redacted.Redacted<string>, RequestError> => {
  const unavailable = (why: string) =>
    new TransportError({
      operation,
      message:
        `${operation}: the effect given as ${option} ${why}. No request was made. Try again, or check where the key is kept.`,
      reached: false,
      attempts: 0,
      elapsed: Duration.zero
    })
  return Effect.suspend(() => secret).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.interrupt
        : Effect.fail(unavailable(`failed${kindOf(Cause.squash(cause))}`))
    ),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(unavailable(`gave no key within ${Duration.format(timeout)}`))
    }),
    Effect.flatMap((value) =>
      Effect.mapError(
        checkSecret(option, value, whereToGetOne),
        ({ message }) => badRequest({ operation, parameter: option, message })
      )
    )
  )
}

/** The tag or the name of an error. Its message is not shown: what reads keys may write them there. */
const kindOf = (error: unknown): string =>
  Option.getOrElse(
    Option.liftThrowable((error: unknown) => {
      const kind = Predicate.hasProperty(error, "_tag") ? error._tag : error instanceof Error ? error.name : undefined
      return typeof kind === "string" && /^[A-Za-z]\w{0,40}$/.test(kind) ? ` (${kind})` : ""
    })(error),
    () => ""
  )

/** Checks a secret, and never shows it. */
const checkSecret = (
  option: string,
  secret: unknown,
  whereToGetOne: string
): Effect.Effect<Redacted.Redacted<string>, ConfigError> => {
  const value = textOf(secret)
  const wrong = secret === undefined || secret === null
    ? "is missing: it must be a Redacted string"
    : typeof secret === "string"
    ? "is plain text: wrap it with Redacted.make, which keeps it out of logs"
    : typeof value !== "string"
    ? `is ${
      Options.is(Redacted.isRedacted, secret)
        ? "a Redacted value that holds no text, or has been wiped"
        : typeof secret === "object"
        ? "an object"
        : `a ${typeof secret}`
    }: it must be a Redacted string`
    : value.trim() === ""
    ? "is empty"
    // fetch would refuse it with an error that shows it
    : !/^[\u0021-\u007e]+$/.test(value)
    ? "has characters that no key has, such as a space or a line break"
    : undefined
  return wrong === undefined
    ? Effect.succeed(secret as Redacted.Redacted<string>)
    : Effect.fail(new ConfigError({ message: `${option} ${wrong}. ${whereToGetOne}`, option }))
}

const checkBaseUrl = (baseUrl: string, example: string): Effect.Effect<URL, ConfigError> => {
  const url = typeof baseUrl === "string" && URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  // An empty query or fragment is part of the text alone
  return url !== undefined && /^https?:$/.test(url.protocol) && !/[?#]/.test(baseUrl) &&
      url.username === "" && url.password === ""
    ? Effect.succeed(url)
    : Effect.fail(
      new ConfigError({
        message: `baseUrl is ${
          quoteLink(baseUrl)
        }; it must be an http(s) address without a user, a password, "?" or "#", such as "${example}".`,
        option: "baseUrl"
      })
    )
}

const checkDuration = (option: string, input: Duration.Input): Effect.Effect<Duration.Duration, ConfigError> =>
  Effect.fromOption(Option.filter(Options.durationOf(input), (duration) => Duration.isPositive(duration))).pipe(
    Effect.mapError(() =>
      new ConfigError({ message: `${option} is ${quote(input)}; it must be a duration above zero.`, option })
    )
  )

const checkBytes = (option: string, bytes: number): Effect.Effect<number, ConfigError> =>
  Number.isSafeInteger(bytes) && bytes > 0
    ? Effect.succeed(bytes)
    : Effect.fail(
      new ConfigError({
        message: `${option} is ${quote(bytes)}; it must be a whole number of bytes above zero.`,
        option
      })
    )

/**
 * Waits for a turn, in the order of asking. One turn at a time is asked of the limiter, by the first in the queue: turns that
 * many had taken in advance would all have come when a process had been stopped for a while. A turn that was given out and not
 * used, since who waited for it gave up, is the next one's.
 */
const makeTurn = (reserve: Effect.Effect<Duration.Duration>): Effect.Effect<void> => {
  const waiting = new Set<() => void>()
  // Goes on from where it is: to look for the front of a set takes as long as many have left it
  let order = waiting.values()
  let isTaken = false
  let readyAt: number | undefined

  const leave = () => {
    const { done, value: go } = order.next()
    if (done === true) {
      isTaken = false
      order = waiting.values()
      return
    }
    waiting.delete(go)
    go()
  }

  const take = Effect.clockWith((clock) => {
    // Unlike the time of day, it goes on evenly when the system's time is set
    const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    // One whose time has passed is not used: the bucket has filled up since, so it would be one more than the limit
    const reserved = readyAt !== undefined && readyAt > now() ? Effect.void : Effect.map(reserve, (delay) => {
      readyAt = now() + Duration.toMillis(delay)
    })
    const wait = Effect.suspend(() => {
      const millis = readyAt! - now()
      return millis > 0 ? Effect.sleep(millis) : Effect.void
    })
    return Effect.map(Effect.andThen(reserved, wait), () => {
      readyAt = undefined
    })
  })

  // Interrupted only where it waits, so that the request at the front always leaves the queue
  return Effect.uninterruptibleMask((restore) => {
    const takeAndLeave = Effect.ensuring(restore(take), Effect.sync(leave))
    if (!isTaken) {
      isTaken = true
      return takeAndLeave
    }
    let isFirst = false
    let go: () => void
    const queue = Effect.callback<void>((resume) => {
      go = () => {
        isFirst = true
        // Deferred, because a request that is woken would wake the next one inside its own turn
        resume(Effect.yieldNow)
      }
      waiting.add(go)
    })
    return Effect.matchCauseEffect(restore(queue), {
      onSuccess: () => takeAndLeave,
      onFailure: (cause) => {
        waiting.delete(go)
        if (isFirst) leave()
        return Effect.failCause(cause)
      }
    })
  })
}

/**
 * Reserves one of the `limit` that fit in any `window`, and tells when it is there. A tenth may go at once, and what comes out
 * of the bucket after them is as much less, with one to spare for a request that leaves late. A bucket of the whole limit would
 * let out twice as many, and a fixed window lets all go at one moment, and as many again at its edge.
 *
 * A limiter whose store fails limits nothing: it must not stop the polls of a paid run.
 */
const reserveTurn = (
  provider: string,
  { key, limit }: NonNullable<ClientOptions["rateLimit"]>,
  limiter: RateLimiter.RateLimiter,
  window: Duration.Duration
): Effect.Effect<Duration.Duration> => {
  const atOnce = Math.floor(limit / 10)
  const bucket = Math.max(1, atOnce)
  // It may be the program's own, which throws or answers with something else
  return Effect.suspend(() =>
    limiter.consume({
      key: key ?? `canvas-runs/${provider}`,
      algorithm: "token-bucket",
      limit: bucket,
      window: Duration.times(window, bucket / (limit - atOnce)),
      onExceeded: "delay"
    })
  ).pipe(
    Effect.flatMap((consumed) =>
      // A delay without end would hang every request
      Option.match(Option.filter(Options.durationOf(consumed?.delay), Duration.isFinite), {
        onNone: () => Effect.die(new TypeError(`the delay is ${quote(consumed?.delay)}; it must be a finite duration`)),
        onSome: Effect.succeed
      })
    ),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.as(Effect.logWarning("canvas-runs: the rate limiter failed", cause), Duration.zero)
    )
  )
}

const checkRateLimit = Effect.fnUntraced(function*(
  provider: string,
  given: ClientOptions["rateLimit"]
): Effect.fn.Return<Effect.Effect<void> | undefined, ConfigError> {
  if (given === undefined) return undefined
  const options = yield* Effect.mapError(
    Effect.fromResult(Options.read("rateLimit", given, ["limiter", "limit", "window", "key"])),
    (fault) => new ConfigError({ ...fault, option: `rateLimit.${fault.option}` })
  )
  const limiter = options.limiter ?? Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter))
  if (limiter === undefined) {
    return yield* new ConfigError({
      message:
        "rateLimit needs a limiter, and neither rateLimit.limiter nor the context has one. Provide RateLimiter.layer " +
        "of effect/persistence, with RateLimiter.layerStoreMemory or a shared store.",
      option: "rateLimit.limiter"
    })
  }
  yield* checkKind("rateLimit.limiter", limiter, isLimiter, "a RateLimiter of effect/persistence")
  if (!Number.isSafeInteger(options.limit) || options.limit <= 0) {
    return yield* new ConfigError({
      message: `rateLimit.limit is ${quote(options.limit)}; it must be a whole number of requests above zero.`,
      option: "rateLimit.limit"
    })
  }
  yield* checkKind("rateLimit.key", options.key, Predicate.isString, "text")
  const window = yield* checkDuration("rateLimit.window", options.window)
  return makeTurn(reserveTurn(provider, options, limiter, window))
})
