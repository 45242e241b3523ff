/**
 * The Spine client: a service, and the layers that make it.
 *
 * Marks such as `T8` in the code cite an assumption about the provider,
 * of which `docs/assumptions.md` has the list.
 *
 * **When to use**
 *
 * | layer | use it if |
 * | --- | --- |
 * | {@link layerFetch} | the key is in the environment, and fetch is your transport |
 * | {@link layerConfig} | the key is in the environment, and you choose the `HttpClient`, such as `NodeHttp.layer` |
 * | {@link layer} | the program has the key |
 * | {@link make} | you want several clients at once, such as one for each account |
 * | {@link layerTest} | a test supplies the results of a few calls |
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
 *   return run.status
 * })
 *
 * // Reads SPINE_API_KEY, and uses fetch
 * const main = program.pipe(Effect.provide(Spine.layerFetch()))
 *
 * console.log(await Effect.runPromise(main)) // => "completed"
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
  /** Creates runs, waits for them and watches them. */
  readonly runs: SpineRuns.Runs
  /** Reads the blocks and the tasks of runs. */
  readonly canvases: SpineCanvases.Canvases
  /** Downloads the files of runs. */
  readonly artifacts: SpineArtifacts.Artifacts
}

/**
 * The Spine client, as a service of the context.
 *
 * **Example** (A function that needs the client)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const report = (topic: string) =>
 *   Effect.gen(function*() {
 *     const spine = yield* Spine.SpineClient
 *     return yield* spine.runs.run({ prompt: `A report about ${topic}`, template: "report" })
 *   })
 *
 * const main = report("tides").pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 *   ))
 * )
 * console.log((await Effect.runPromise(main)).metadata?.template_used) // => "report"
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class SpineClient extends Context.Service<SpineClient, Service>()("canvas-runs/spine/SpineClient") {}

/**
 * Options of {@link make} and {@link layer}.
 *
 * @see https://docs.getspine.ai/sdks/typescript/authentication
 * @category models
 * @since 0.1.0
 */
export interface Options extends ClientOptions {
  /**
   * The key of the developer portal, `sk_spine_…`. It is sent to the origin of the API and nowhere else. An `Effect` runs for each
   * call, so that a key can be rotated while the program runs. If it fails, or takes longer than `requestTimeout`, the call fails
   * with a `TransportError` with `reached: false`, which a wait survives like other transient failures.
   */
  readonly apiKey: Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>
  /**
   * The origin of the API, without `/v1`.
   *
   * @default "https://api.getspine.ai"
   */
  readonly baseUrl?: string | undefined
}

/**
 * Makes a client on the `HttpClient` of the context. An option that cannot be used is a `ConfigError`.
 *
 * **Example** (Two accounts)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const first = yield* Spine.make({ apiKey: Redacted.make("sk_spine_first") })
 *   const second = yield* Spine.make({ apiKey: Redacted.make("sk_spine_second") })
 *   const run = yield* first.runs.create({ prompt: "Tides" })
 *   const error = yield* Effect.flip(second.runs.retrieve(run))
 *   console.log(error._tag) // => "NotFoundError"
 * })
 * await Effect.runPromise(Effect.provide(main, SpineEmulator.layerTest()))
 * ```
 *
 * @see {@link layer} for a single client
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
 * Creates a layer with the client, on the `HttpClient` of the context. An option that cannot be used is a `ConfigError`.
 *
 * **Example** (The client on the emulator)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const { status } = yield* spine.runs.create({ prompt: "Tides" })
 *   console.log(status) // => "running"
 * })
 *
 * const client = Spine.layer({ apiKey: Redacted.make("sk_spine_test"), requestTimeout: "10 seconds" })
 * await Effect.runPromise(Effect.provide(main, Layer.provide(client, SpineEmulator.layerTest())))
 * ```
 *
 * @see {@link layerConfig} to read the key from the environment
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
  /**
   * The API key, an `Effect` that returns it, or the `Config` that it is read from.
   *
   * @default Config.Redacted("SPINE_API_KEY")
   */
  readonly apiKey?: Options["apiKey"] | Config.Config<Redacted.Redacted<string>> | undefined
  /**
   * The origin of the API without `/v1`, or the `Config` that it is read from.
   *
   * @default Config.String("SPINE_BASE_URL"), or "https://api.getspine.ai" if that is not set
   */
  readonly baseUrl?: string | Config.Config<string> | undefined
}

/**
 * Creates a layer with the client, on the `HttpClient` of the context. The key and the address come from `SPINE_API_KEY` and
 * `SPINE_BASE_URL`, unless the options give them. A missing key is a `ConfigError` that names the variable.
 *
 * **Example** (A key under another name)
 *
 * ```ts
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ ACME_SPINE_KEY: "sk_spine_acme" }))
 *
 * const main = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const { status } = yield* spine.runs.create({ prompt: "Tides" })
 *   console.log(status) // => "running"
 * })
 * await main.pipe(
 *   Effect.provide(Spine.layerConfig({ apiKey: Config.Redacted("ACME_SPINE_KEY") }).pipe(
 *     Layer.provideMerge([SpineEmulator.layerTest(), environment])
 *   )),
 *   Effect.runPromise
 * )
 * ```
 *
 * @see {@link layerFetch} to use fetch
 * @see {@link module:NodeHttp} for the `HttpClient` of a service on Node
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
 * Creates a layer with the client and its transport: {@link layerConfig} on fetch. A missing key is a `ConfigError`.
 *
 * **Example** (Without a key)
 *
 * ```ts
 * import { ConfigProvider, Effect } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const main = Effect.service(Spine.SpineClient).pipe(
 *   Effect.provide(Spine.layerFetch()),
 *   Effect.catchTag("ConfigError", (error) => Effect.succeed(error.option)),
 *   Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
 * )
 * console.log(await Effect.runPromise(main)) // => "SPINE_API_KEY"
 * ```
 *
 * @see {@link layerConfig} for another `HttpClient`
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (options?: ConfigOptions): Layer.Layer<SpineClient, ConfigError> =>
  Layer.provide(layerConfig(options), FetchHttpClient.layer)

/**
 * The methods of the client that a test needs.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestHandlers {
  /** Methods of `spine.runs`. */
  readonly runs?: Partial<SpineRuns.Runs> | undefined
  /** Methods of `spine.canvases`. */
  readonly canvases?: Partial<SpineCanvases.Canvases> | undefined
  /** Methods of `spine.artifacts`. */
  readonly artifacts?: Partial<SpineArtifacts.Artifacts> | undefined
}

/**
 * Creates a layer with a client that consists of the given methods. Using any other method is a defect that names it.
 *
 * **When to use**
 *
 * Use it for a unit test of code that calls one or two methods, where you write their results yourself. Use
 * `SpineEmulator.layerTest` to test with the real client: its requests, polls, retries, errors and downloads. The emulator needs
 * no results from you, and plays a run of two hours in a millisecond.
 *
 * **Example** (A result without a request)
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
 * @see {@link module:SpineEmulator} in `canvas-runs/testing` for tests with the real client
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

// T8. The documentation of the provider's SDK does not describe these either: T1 and T2 (`defaultRetry`), T3
// (`retryCreates`), T9 (`transformClient`), T10 (an error body that is not JSON)
const whereToGetOne = "Create a key in Spine's developer portal."
