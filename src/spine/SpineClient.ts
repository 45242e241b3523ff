/**
 * The Spine client: a service, and the layers that make it.
 *
 * **Example** (A run from prompt to result)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const program = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* spine.runs.run({ prompt: "Compare three vector databases" }, { timeout: "2 hours" })
 *   return run.result.final_output
 * })
 *
 * // Reads SPINE_API_KEY, and uses fetch
 * const main = program.pipe(Effect.provide(Spine.layerFetch()))
 * ```
 *
 * @see https://docs.getspine.ai/sdks/typescript/overview
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { ClientOptions } from "../ClientOptions.ts"
import * as Client from "../internal/http/client.ts"
import * as Mock from "../internal/mock.ts"
import type { ConfigError } from "../RunError.ts"
import * as SpineArtifacts from "./SpineArtifacts.ts"
import * as SpineCanvases from "./SpineCanvases.ts"
import * as RunCalls from "./internal/runs.ts"
import { provider } from "./internal/source.ts"
import type * as SpineRuns from "./SpineRuns.ts"
import { describeError } from "./SpineSchema.ts"

/**
 * What the client offers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  readonly runs: SpineRuns.Runs
  readonly canvases: SpineCanvases.Canvases
  readonly artifacts: SpineArtifacts.Artifacts
}

/**
 * The Spine client.
 *
 * @category services
 * @since 0.1.0
 */
export class SpineClient extends Context.Service<SpineClient, Service>()("canvas-runs/spine/SpineClient") {}

/**
 * How a client is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends ClientOptions {
  /**
   * The key of the developer portal, `sk_spine_…`, sent to the provider's origin and nowhere else. An `Effect` is run for each
   * call, so that a key can be rotated while the program runs. Its failure, or a key that takes longer than `requestTimeout`, is a
   * `TransportError` with `reached: false`, which a wait survives like other transient failures.
   */
  readonly apiKey: Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>
  /**
   * The API's origin, without `/v1`.
   *
   * @default "https://api.getspine.ai"
   */
  readonly baseUrl?: string | undefined
}

/**
 * Makes a client on the `HttpClient` at hand.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Client.about(name, () => build(options))

const name = "Spine client"

const build = (options: Options) =>
  Effect.gen(function*() {
    const checked = yield* Client.readOptions(options, ["apiKey"], true)
    const client = yield* Client.make({
      ...checked,
      provider,
      defaultBaseUrl: "https://api.getspine.ai",
      credential: { header: "x-api-key", option: "apiKey", value: checked.apiKey, whereToGetOne },
      describeError
    })
    const runs = RunCalls.make(client)
    return { runs, canvases: SpineCanvases.make(client.api), artifacts: SpineArtifacts.make(runs, client.transfer) }
  })

/**
 * A layer with the client, on the `HttpClient` at hand.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SpineClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(SpineClient, make(options))

/**
 * Options of {@link layerConfig}: those of the client, where the key and the address may also be a `Config`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigOptions extends Omit<Partial<Options>, "apiKey" | "baseUrl"> {
  /** @default Config.Redacted("SPINE_API_KEY") */
  readonly apiKey?: Options["apiKey"] | Config.Config<Redacted.Redacted<string>> | undefined
  /** @default Config.String("SPINE_BASE_URL"), or the provider's address */
  readonly baseUrl?: string | Config.Config<string> | undefined
}

/**
 * Creates a layer with the client, configured by `SPINE_API_KEY` and `SPINE_BASE_URL`. Options given here win.
 *
 * **Example** (A key under another name)
 *
 * ```ts
 * import { Config, Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Spine } from "canvas-runs"
 *
 * const layer = Spine.layerConfig({ apiKey: Config.Redacted("ACME_SPINE_KEY") }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options?: ConfigOptions
): Layer.Layer<SpineClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    SpineClient,
    Client.about(name, (variables) =>
      Effect.gen(function*() {
        const { apiKey = Config.Redacted("SPINE_API_KEY"), baseUrl = variableOfBaseUrl, ...rest } = yield* Client
          .readOptions(options, ["apiKey"])
        return yield* build({
          ...rest,
          apiKey: yield* Client.readConfig<Options["apiKey"]>(variables, "apiKey", apiKey),
          baseUrl: yield* Client.readConfig(variables, "baseUrl", baseUrl)
        })
      }))
  )

/**
 * Everything at once: {@link layerConfig} and fetch.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (options?: ConfigOptions): Layer.Layer<SpineClient, ConfigError> =>
  Layer.provide(layerConfig(options), FetchHttpClient.layer)

/**
 * Some of the client's methods, for a test.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestHandlers {
  readonly runs?: Partial<SpineRuns.Runs> | undefined
  readonly canvases?: Partial<SpineCanvases.Canvases> | undefined
  readonly artifacts?: Partial<SpineArtifacts.Artifacts> | undefined
}

/**
 * A client made of the handlers given, for tests that want no wire at all. A method without a handler dies with its name.
 *
 * **Example** (Testing without a wire)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const status = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   return (yield* spine.runs.retrieve("6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11")).status
 * })
 *
 * const test = Spine.layerTest({
 *   runs: {
 *     retrieve: () =>
 *       Effect.succeed({ status: "failed", run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", errors: [{ error: "no" }] })
 *   }
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(status, test))) // => "failed"
 * ```
 *
 * @see {@link module:SpineEmulator} in `canvas-runs/testing` for tests of the whole client
 * @category testing
 * @since 0.1.0
 */
export const layerTest = (handlers: TestHandlers): Layer.Layer<SpineClient> =>
  Layer.effect(
    SpineClient,
    Effect.all({
      runs: Mock.make<SpineRuns.Runs>("SpineClient.runs", handlers?.runs),
      canvases: Mock.make<SpineCanvases.Canvases>("SpineClient.canvases", handlers?.canvases),
      artifacts: Mock.make<SpineArtifacts.Artifacts>("SpineClient.artifacts", handlers?.artifacts)
    })
  )

const variableOfBaseUrl = /*#__PURE__*/ Config.withDefault(/*#__PURE__*/ Config.String("SPINE_BASE_URL"), undefined)

// T8. Its siblings, about which the documentation of the provider's SDK is silent as well: T1 and T2 (`defaultRetry`), T3
// (`retryCreates`), T9 (`transformClient`), T10 (an error body that is not JSON)
const whereToGetOne = "Create a key in Spine's developer portal."
