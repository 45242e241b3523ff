/** What making a client takes, whichever provider it speaks to. */
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Artifact from "../Artifact.ts"
import { type ClientOptions, defaultRetry } from "../ClientOptions.ts"
import { ConfigError } from "../RunError.ts"
import * as Http from "./http.ts"

/** Checks the options, and makes what calls the API and what transfers files without a credential. */
export const make = (
  options: ClientOptions & Pick<Http.Options, "credential" | "describeError"> & {
    readonly provider: string
    readonly defaultBaseUrl: string
  }
): Effect.Effect<
  { readonly api: Http.Api; readonly transfer: Artifact.Options },
  ConfigError,
  HttpClient.HttpClient
> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const baseUrl = yield* checkBaseUrl(options.baseUrl ?? options.defaultBaseUrl, options.defaultBaseUrl)
    const requestTimeout = yield* checkDuration("requestTimeout", options.requestTimeout ?? "60 seconds")
    const retryAfterCeiling = yield* checkDuration("retryAfterCeiling", options.retryAfterCeiling ?? "1 minute")
    const retry = options.retry ?? defaultRetry
    const api = Http.make({
      client: options.transformClient?.(client) ?? client,
      turn: options.rateLimit === undefined ? undefined : turn(options.provider, options.rateLimit),
      baseUrl,
      credential: options.credential,
      requestTimeout,
      retry,
      retryAfterCeiling,
      maxResponseBytes: yield* checkBytes("maxResponseBytes", options.maxResponseBytes ?? 32 * 1024 * 1024),
      describeError: options.describeError
    })
    return { api, transfer: { client, idleTimeout: requestTimeout, retry, retryAfterCeiling } }
  })

/** Reads a configuration value, or says which one is missing. What is there is not shown: it may be a secret. */
export const readConfig = <A>(option: string, config: Config.Config<A>): Effect.Effect<A, ConfigError> =>
  Effect.mapError(
    config,
    () =>
      new ConfigError({ message: `${option} is not set. Set it in the environment, or give it to the layer.`, option })
  )

/** Checks a secret, and never shows it. */
export const checkSecret = (
  option: string,
  secret: Redacted.Redacted<string> | undefined,
  whereToGetOne: string
): Effect.Effect<Redacted.Redacted<string>, ConfigError> => {
  const value: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
  const wrong = typeof value !== "string"
    ? "is missing: it must be a Redacted string"
    : value.trim() === ""
    ? "is empty"
    // fetch would refuse it with an error that shows it
    : !/^[\u0021-\u007e]+$/.test(value)
    ? "has characters that no key has, such as a space or a line break"
    : undefined
  return wrong === undefined
    ? Effect.succeed(secret!)
    : Effect.fail(new ConfigError({ message: `${option} ${wrong}. ${whereToGetOne}`, option }))
}

const checkBaseUrl = (baseUrl: string, example: string): Effect.Effect<URL, ConfigError> => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" &&
      url.username === ""
    ? Effect.succeed(url)
    : Effect.fail(
      new ConfigError({
        message: `baseUrl must be an http(s) address without a query or a password, such as "${example}".`,
        option: "baseUrl"
      })
    )
}

const checkDuration = (option: string, input: Duration.Input): Effect.Effect<Duration.Duration, ConfigError> =>
  Effect.fromOption(Option.filter(Duration.fromInput(input), (duration) => Duration.isPositive(duration))).pipe(
    Effect.mapError(() =>
      new ConfigError({ message: `${option} is ${String(input)}; it must be a duration above zero.`, option })
    )
  )

const checkBytes = (option: string, bytes: number): Effect.Effect<number, ConfigError> =>
  Number.isSafeInteger(bytes) && bytes > 0
    ? Effect.succeed(bytes)
    : Effect.fail(
      new ConfigError({ message: `${option} is ${bytes}; it must be a whole number of bytes above zero.`, option })
    )

/** Waits for a turn. A limiter whose store fails limits nothing: it must not stop the polls of a paid run. */
const turn = (
  provider: string,
  { key, limit, limiter, window }: NonNullable<ClientOptions["rateLimit"]>
): Effect.Effect<void> =>
  limiter.consume({ key: key ?? `canvas-runs/${provider}`, limit, window, onExceeded: "delay" }).pipe(
    Effect.flatMap(({ delay }) => Effect.sleep(delay)),
    Effect.catch((error) => Effect.logWarning("canvas-runs: the rate limiter failed", error))
  )
