/** Makes a provider's client from the options of the program. Checks them, or reads them from the configuration. */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import { type ClientOptions, defaultRetry } from "../../ClientOptions.ts"
import { ConfigError } from "../../RunError.ts"
import { messageOf, quoteLink } from "../describe.ts"
import { checkConfig, checkGivenConfig, copyConfig, durationConfig, hideText, is, isCount } from "../options.ts"
import { Webhooks } from "../webhooks/hub.ts"
import * as Api from "./api.ts"
import type * as Call from "./call.ts"
import { type Credential, keyOf } from "./credential.ts"
import * as RateLimit from "./rateLimit.ts"

/** Checks the options, and makes the API and the options of transfers, which have no credential. */
export const make = (
  options: ClientOptions & Pick<Call.Options, "describeError"> & {
    readonly provider: string
    readonly defaultBaseUrl: string
    readonly credential: Credential
  }
) =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const baseUrl = options.baseUrl ?? options.defaultBaseUrl
    yield* checkConfig(
      "baseUrl",
      baseUrl,
      isBaseUrl,
      `an http(s) address without a user, a password, "?" or "#", such as "${options.defaultBaseUrl}"`,
      // A key in place of the address is not quoted
      (value) => (/[./:]/.test(String(value)) ? quoteLink : hideText)(value)
    )
    const requestTimeout = yield* durationConfig("requestTimeout", options.requestTimeout ?? "60 seconds")
    const uploadIdleTimeout = yield* durationConfig("uploadIdleTimeout", options.uploadIdleTimeout ?? requestTimeout)
    const retryAfterCeiling = yield* durationConfig(
      "retryAfterCeiling",
      options.retryAfterCeiling ?? "1 minute"
    )
    yield* checkConfig("retry", options.retry, Schedule.isSchedule, "an Effect Schedule")
    yield* checkConfig("transformClient", options.transformClient, Predicate.isFunction, "a function")
    yield* checkConfig("webhooks", options.webhooks, isHub, "a hub, as Webhooks.make makes it")
    const maxResponseBytes = options.maxResponseBytes ?? 32 * 1024 * 1024
    yield* checkConfig(
      "maxResponseBytes",
      maxResponseBytes,
      isCount,
      "a whole number, 1 or more"
    )
    const apiOptions = {
      client: yield* transform(client, options.transformClient),
      slot: yield* RateLimit.make(options.provider, options.rateLimit),
      baseUrl: new URL(baseUrl),
      requestTimeout,
      /** How long an upload may make no progress. */
      uploadIdleTimeout,
      retry: options.retry ?? defaultRetry,
      retryAfterCeiling,
      tracePolls: options.tracePolls === true,
      maxResponseBytes,
      describeError: options.describeError
    }
    const { credential } = options
    return {
      api: Api.make({ ...apiOptions, ...credential, key: yield* keyOf(credential, requestTimeout) }),
      transfer: { ...apiOptions, client, idleTimeout: requestTimeout },
      retryCreates: options.retryCreates === true,
      skipFileValidation: options.skipFileValidation === true,
      polling: options.polling,
      webhooks: options.webhooks ?? Option.getOrUndefined(yield* Effect.serviceOption(Webhooks))
    }
  })

/** A provider's API, the options of transfers of files, and the settings of the caller. */
export type Client = Effect.Success<ReturnType<typeof make>>

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
  "polling",
  "tracePolls",
  "transformClient"
]

/** Copies the options of a client, and fails where they have an unknown name. */
export const readOptions = <O>(options: O, credentials: ReadonlyArray<string>, isRequired = false) =>
  copyConfig("options", options, [...credentials, ...optionNames], isRequired)

const isHub = (value: unknown): boolean =>
  Predicate.hasProperty(value, "ended") && Predicate.isFunction(value.ended) && Predicate.hasProperty(value, "deliver")

/** The client with the caller's changes. */
const transform = (client: HttpClient.HttpClient, transformClient: ClientOptions["transformClient"]) =>
  transformClient === undefined ? Effect.succeed(client) : Effect.try({
    try: () => transformClient(client),
    catch: (thrown) =>
      new ConfigError({
        message: `transformClient threw: ${messageOf(thrown)}. It must return an HttpClient.`,
        option: "transformClient"
      })
  }).pipe(
    Effect.tap((changed) =>
      checkGivenConfig("transformClient's result", changed, HttpClient.isHttpClient, "an HttpClient")
    )
  )

/** The variables that options were read from, by option. */
export type Variables = Map<string, string>

/** Returns a value unchanged, or reads it from the configuration. The error does not show the value: it may be a secret. */
export const readConfig = <A>(
  variables: Variables,
  option: string,
  value: A | Config.Config<A>
): Effect.Effect<A, ConfigError> =>
  !is(Config.isConfig, value) ? Effect.succeed(value as A) : Effect.gen(function*() {
    const provider = yield* ConfigProvider.ConfigProvider
    const isSet = new Map<string, boolean>()
    const recording = ConfigProvider.make((path) =>
      Effect.map(provider.load(path), (node) => {
        isSet.set(path.join("_"), node !== undefined)
        variables.set(option, Array.from(isSet.keys()).join(" or "))
        return node
      })
    )
    return yield* Effect.mapError((value as Config.Config<A>).parse(recording), () => {
      const name = variables.get(option) ?? option
      const fault = Array.from(isSet.values()).includes(false) ? "is not set. Set it" : "cannot be read. Correct it"
      return new ConfigError({
        option: name,
        message: `${name} ${fault} in the environment, or give ${option} to the layer.`
      })
    })
  })

/** Makes a client. Its errors name the client, and for an option that was read from a variable they name the variable. */
export const about = <A, R>(client: string, use: (variables: Variables) => Effect.Effect<A, ConfigError, R>) =>
  Effect.suspend(() => {
    const variables: Variables = new Map()
    return Effect.mapError(use(variables), (error) => {
      const { message, option } = error
      const name = message.startsWith(option) ? variables.get(option) : undefined
      return new ConfigError({
        ...error,
        message: `${client}: ${name === undefined ? message : message.replace(option, name)}`
      })
    })
  })

const isBaseUrl = (baseUrl: unknown): boolean => {
  if (typeof baseUrl !== "string" || !URL.canParse(baseUrl)) return false
  const { password, protocol, username } = new URL(baseUrl)
  // An empty query or fragment is part of the text alone
  return /^https?:$/.test(protocol) && !/[?#]/.test(baseUrl) && username === "" && password === ""
}
