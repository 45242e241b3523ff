/** Makes a provider's client from the options of the program: checks them, and reads them from the configuration. */
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Artifact from "../download/source.ts"
import { type ClientOptions, defaultRetry } from "../../ClientOptions.ts"
import { ConfigError } from "../../RunError.ts"
import * as Webhooks from "../webhookHub.ts"
import { messageOf, quoteLink } from "../describe.ts"
import * as Options from "../options.ts"
import * as Api from "./api.ts"
import type * as Call from "./call.ts"
import { checkSecret, currentKey, type Secret } from "./credential.ts"
import * as RateLimit from "./rateLimit.ts"

/** What the transfer of a file takes, either way. */
export interface FileTransfer extends Artifact.Options {
  /** How long an upload may make no progress. */
  readonly uploadIdleTimeout: Duration.Duration
}

/** Checks the options, and makes what calls the API and what transfers files without a credential. */
export const make = (
  options: ClientOptions & Pick<Call.Options, "describeError"> & {
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
    readonly api: Call.Api
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
    const baseUrl = options.baseUrl ?? options.defaultBaseUrl
    yield* Options.checkConfig(
      "baseUrl",
      baseUrl,
      isBaseUrl,
      `an http(s) address without a user, a password, "?" or "#", such as "${options.defaultBaseUrl}"`,
      quoteLink
    )
    const requestTimeout = yield* Options.durationConfig("requestTimeout", options.requestTimeout ?? "60 seconds")
    const uploadIdleTimeout = options.uploadIdleTimeout === undefined
      ? requestTimeout
      : yield* Options.durationConfig("uploadIdleTimeout", options.uploadIdleTimeout)
    const retryAfterCeiling = yield* Options.durationConfig(
      "retryAfterCeiling",
      options.retryAfterCeiling ?? "1 minute"
    )
    yield* Options.checkConfig("retry", options.retry, Schedule.isSchedule, "a Schedule, such as Schedule.recurs(3)")
    yield* Options.checkConfig("transformClient", options.transformClient, Predicate.isFunction, "a function")
    yield* Options.checkConfig("webhooks", options.webhooks, isHub, "a hub, as Webhooks.make makes it")
    const maxResponseBytes = options.maxResponseBytes ?? 32 * 1024 * 1024
    yield* Options.checkConfig(
      "maxResponseBytes",
      maxResponseBytes,
      Options.isCount,
      "a whole number of bytes above zero"
    )
    const { header, option, prefix, value: secret, whereToGetOne } = options.credential
    const credential = { header, ...(prefix === undefined ? undefined : { prefix }) }
    const apiOptions = {
      client: yield* transform(client, options.transformClient),
      slot: yield* RateLimit.make(options.provider, options.rateLimit),
      baseUrl: new URL(baseUrl),
      requestTimeout,
      uploadIdleTimeout,
      retry: options.retry ?? defaultRetry,
      retryAfterCeiling,
      tracePolls: options.tracePolls === true,
      maxResponseBytes,
      describeError: options.describeError
    }
    const api = Options.is(Effect.isEffect, secret)
      ? Api.makeWithKey(
        { ...apiOptions, credential },
        currentKey(option, secret as Exclude<Secret, Redacted.Redacted>, whereToGetOne, requestTimeout)
      )
      : Api.make({
        ...apiOptions,
        credential: { ...credential, value: yield* checkSecret(option, secret, whereToGetOne) }
      })
    return {
      api,
      transfer: { ...apiOptions, client, idleTimeout: requestTimeout },
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

/** Copies the options of a client, and fails where they have an unknown name. */
export const readOptions = <O>(
  options: O,
  credentials: ReadonlyArray<string>
): Effect.Effect<NonNullable<O>, ConfigError> =>
  Options.copyConfig("options", options, [...credentials, ...optionNames])

const isHub = (value: unknown): boolean =>
  Predicate.hasProperty(value, "ended") && Predicate.isFunction(value.ended) && Predicate.hasProperty(value, "deliver")

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
      Options.checkConfig("transformClient's result", changed ?? null, HttpClient.isHttpClient, "an HttpClient")
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

const isBaseUrl = (baseUrl: unknown): boolean => {
  if (typeof baseUrl !== "string" || !URL.canParse(baseUrl)) return false
  const { password, protocol, username } = new URL(baseUrl)
  // An empty query or fragment is part of the text alone
  return /^https?:$/.test(protocol) && !/[?#]/.test(baseUrl) && username === "" && password === ""
}
