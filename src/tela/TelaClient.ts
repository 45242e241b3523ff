/**
 * The Tela client: a service, and the layers that make it.
 *
 * **Example** (Validated output from a canvas)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const Invoice = Schema.Struct({ total: Schema.Number, currency: Schema.String })
 *
 * const program = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: Invoice })
 *   const { result } = yield* canvas.execute({ document: Tela.file("https://example.com/invoice.pdf") })
 *   return `${result.total} ${result.currency}`
 * })
 *
 * // Reads TELA_API_KEY, and uses fetch
 * const main = program.pipe(Effect.provide(Tela.layerFetch()))
 * ```
 *
 * @see https://docs.tela.com/api-reference/introduction
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { ClientOptions } from "../ClientOptions.ts"
import * as Client from "../internal/client.ts"
import { ConfigError, type RequestError } from "../RunError.ts"
import * as TelaCanvas from "./TelaCanvas.ts"
import { provider } from "./TelaExecution.ts"
import { describeError } from "./TelaSchema.ts"

/**
 * What the client offers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Canvases and applications, which execute. */
  readonly canvas: TelaCanvas.Canvases
  /** Asks the provider whether it takes the credential. It fails with an `AuthenticationError` where it does not. */
  readonly checkCredential: Effect.Effect<void, RequestError>
}

/**
 * The Tela client.
 *
 * @category services
 * @since 0.1.0
 */
export class TelaClient extends Context.Service<TelaClient, Service>()("canvas-runs/tela/TelaClient") {}

/**
 * How a client is made: with an API key or a JWT, not both.
 *
 * @category models
 * @since 0.1.0
 */
export type Options =
  & ClientOptions
  & {
    /**
     * The API's origin.
     *
     * @default "https://api.tela.com"
     */
    readonly baseUrl?: string | undefined
  }
  & (
    | {
      /** A key of the workspace. Sent to the provider's origin and nowhere else. */
      readonly apiKey: Redacted.Redacted<string>
      readonly jwt?: undefined
    }
    | {
      readonly apiKey?: undefined
      /** A token of a signed-in user. Sent to the provider's origin and nowhere else. */
      readonly jwt: Redacted.Redacted<string>
    }
  )

/**
 * Makes a client on the `HttpClient` at hand.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { api, transfer } = yield* Client.make({
      ...options,
      provider,
      defaultBaseUrl: "https://api.tela.com",
      credential: { header: "authorization", prefix: "Bearer ", value: yield* checkCredential(options) },
      describeError
    })
    const runtime = { api, transfer, retryCreates: options.retryCreates ?? false }
    return {
      canvas: TelaCanvas.make(runtime),
      checkCredential: Effect.asVoid(
        api.call({
          operation: "checkCredential",
          request: HttpClientRequest.get("/api-key"),
          decode: () => Effect.void
        })
      )
    }
  })

/**
 * A layer with the client, on the `HttpClient` at hand.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(TelaClient, make(options))

/**
 * A layer with the client, configured by `TELA_API_KEY` or `TELA_JWT` (exactly one of them) and `TELA_BASE_URL`. What is
 * given here wins.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options?: ClientOptions & { readonly apiKey?: Redacted.Redacted<string>; readonly jwt?: Redacted.Redacted<string> }
): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    TelaClient,
    Effect.gen(function*() {
      const read = <A>(name: string, config: Config.Config<A>) =>
        Effect.map(Client.readConfig(name, Config.option(config)), Option.getOrUndefined)
      const isGiven = options?.apiKey !== undefined || options?.jwt !== undefined
      const apiKey = isGiven ? options.apiKey : yield* read("TELA_API_KEY", Config.Redacted("TELA_API_KEY"))
      const jwt = isGiven ? options.jwt : yield* read("TELA_JWT", Config.Redacted("TELA_JWT"))
      const baseUrl = options?.baseUrl ?? (yield* read("TELA_BASE_URL", Config.String("TELA_BASE_URL")))
      return yield* make({ ...options, apiKey, jwt, baseUrl } as Options)
    })
  )

/**
 * Everything at once: {@link layerConfig} and fetch.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (
  options?: Parameters<typeof layerConfig>[0]
): Layer.Layer<TelaClient, ConfigError> => Layer.provide(layerConfig(options), FetchHttpClient.layer)

const checkCredential = (
  { apiKey, jwt }: {
    readonly apiKey?: Redacted.Redacted<string> | undefined
    readonly jwt?: Redacted.Redacted<string> | undefined
  }
): Effect.Effect<Redacted.Redacted<string>, ConfigError> =>
  apiKey !== undefined && jwt !== undefined
    ? Effect.fail(
      new ConfigError({ message: "Both an API key and a JWT were given. Give one of them.", option: "apiKey" })
    )
    : jwt !== undefined
    ? Client.checkSecret("jwt", jwt, whereToGetOne)
    : Client.checkSecret("apiKey", apiKey, whereToGetOne)

const whereToGetOne =
  "Create a key in Tela's workspace settings and set TELA_API_KEY (or TELA_JWT), or pass Redacted.make(key)."
