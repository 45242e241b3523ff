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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Http from "../internal/http.ts"
import { type ArtifactError, ConfigError, type RequestError } from "../RunError.ts"
import * as SpineArtifacts from "./SpineArtifacts.ts"
import * as SpineCanvases from "./SpineCanvases.ts"
import * as SpineRuns from "./SpineRuns.ts"
import { errorMessage } from "./SpineSchema.ts"

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
 * A schedule for retries, given the error of each failed try.
 *
 * @category models
 * @since 0.1.0
 */
export type RetrySchedule = Schedule.Schedule<unknown, RequestError | ArtifactError>

/**
 * How a client is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The key of the developer portal, `sk_spine_…`. Sent to the provider's origin and nowhere else. */
  readonly apiKey: Redacted.Redacted<string>
  /**
   * The API's origin, without `/v1`.
   *
   * @default "https://api.getspine.ai"
   */
  readonly baseUrl?: string | undefined
  /**
   * How long one request may take, upload included.
   *
   * @default "60 seconds"
   */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * Paces the retries of safe requests, and ends them.
   *
   * @default {@link defaultRetry}
   */
  readonly retry?: RetrySchedule | undefined
  /**
   * The longest `Retry-After` that a retry honours.
   *
   * @default "1 minute"
   */
  readonly retryAfterCeiling?: Duration.Input | undefined
  /**
   * Whether a create whose outcome is not known is tried again, **at the price of a second, billed run**.
   *
   * @default false
   */
  readonly retryCreates?: boolean | undefined
  /** Keeps requests under a limit; those over it wait. A limiter on a shared store counts for several processes. */
  readonly rateLimit?: {
    readonly limiter: RateLimiter.RateLimiter
    readonly limit: number
    readonly window: Duration.Input
    /** @default "canvas-runs/spine" */
    readonly key?: string | undefined
  } | undefined
  /**
   * Changes the client that calls the API: to log, to count, to go through a proxy. Downloads of artifacts do not pass
   * here, since they go elsewhere.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/**
 * Two retries, within half a second and within one; each delay is drawn from the whole time up to its bound, so that
 * clients that failed together do not come back together.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultRetry: RetrySchedule = Schedule.max([Schedule.exponential("500 millis"), Schedule.recurs(2)]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (share) => Duration.times(duration, share)))
)

/**
 * Makes a client on the `HttpClient` at hand.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const apiKey = yield* checkApiKey(options.apiKey)
    const baseUrl = yield* checkBaseUrl(options.baseUrl ?? "https://api.getspine.ai")
    const requestTimeout = yield* checkDuration("requestTimeout", options.requestTimeout ?? "60 seconds")
    const retryAfterCeiling = yield* checkDuration("retryAfterCeiling", options.retryAfterCeiling ?? "1 minute")
    const retry = options.retry ?? defaultRetry
    const api = Http.make({
      client: options.transformClient?.(client) ?? client,
      turn: options.rateLimit === undefined ? undefined : turn(options.rateLimit),
      baseUrl,
      credential: { header: "x-api-key", value: apiKey },
      requestTimeout,
      retry,
      retryAfterCeiling,
      errorMessage
    })
    const runs = SpineRuns.make(api, { retryCreates: options.retryCreates ?? false })
    return {
      runs,
      canvases: SpineCanvases.make(api),
      artifacts: SpineArtifacts.make(runs, { client, idleTimeout: requestTimeout, retry })
    }
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
 * A layer with the client, configured by `SPINE_API_KEY` and `SPINE_BASE_URL`. What is given here wins.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options?: Partial<Options>
): Layer.Layer<SpineClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    SpineClient,
    Effect.gen(function*() {
      const apiKey = options?.apiKey ?? (yield* read("SPINE_API_KEY", Config.Redacted("SPINE_API_KEY")))
      const baseUrl = options?.baseUrl ?? Option.getOrUndefined(
        yield* read("SPINE_BASE_URL", Config.option(Config.String("SPINE_BASE_URL")))
      )
      return yield* make({ ...options, apiKey, baseUrl })
    })
  )

/**
 * Everything at once: {@link layerConfig} and fetch.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (options?: Partial<Options>): Layer.Layer<SpineClient, ConfigError> =>
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
export const layerTest = (handlers: TestHandlers): Layer.Layer<SpineClient> => {
  const die = (name: string) => new Error(`SpineClient.layerTest: there is no handler for ${name}`)
  const effect = (name: string) => () => Effect.die(die(name))
  const stream = (name: string) => () => Stream.die(die(name))
  return Layer.succeed(SpineClient, {
    runs: {
      create: effect("runs.create"),
      retrieve: effect("runs.retrieve"),
      waitForCompletion: effect("runs.waitForCompletion"),
      watch: stream("runs.watch"),
      polls: stream("runs.polls"),
      share: effect("runs.share"),
      run: effect("runs.run"),
      ...handlers.runs
    },
    canvases: {
      getDag: effect("canvases.getDag"),
      getTasks: effect("canvases.getTasks"),
      getTask: effect("canvases.getTask"),
      ...handlers.canvases
    },
    artifacts: {
      download: effect("artifacts.download"),
      stream: stream("artifacts.stream"),
      toFile: effect("artifacts.toFile"),
      toDirectory: effect("artifacts.toDirectory"),
      ...handlers.artifacts
    }
  })
}

const read = <A>(option: string, config: Config.Config<A>): Effect.Effect<A, ConfigError> =>
  Effect.mapError(
    config,
    (cause) =>
      new ConfigError({
        message: `${option} could not be read (${
          cause.message.replaceAll("\n", " ")
        }). Set it in the environment, or give it to the layer.`,
        option
      })
  )

const checkApiKey = (
  apiKey: Redacted.Redacted<string> | undefined
): Effect.Effect<Redacted.Redacted<string>, ConfigError> => {
  const value: unknown = Redacted.isRedacted(apiKey) ? Redacted.value(apiKey) : undefined
  const wrong = typeof value !== "string"
    ? "is missing: it must be a Redacted string"
    : value.trim() === ""
    ? "is empty"
    // fetch would refuse it with an error that shows it
    : !/^[\u0021-\u007e]+$/.test(value)
    ? "has characters that no key has, such as a space or a line break"
    : undefined
  return wrong === undefined
    ? Effect.succeed(apiKey!)
    : Effect.fail(
      new ConfigError({
        message:
          `apiKey ${wrong}. Create one in Spine's developer portal and set SPINE_API_KEY, or pass Redacted.make(key).`,
        option: "apiKey"
      })
    )
}

const checkBaseUrl = (baseUrl: string): Effect.Effect<URL, ConfigError> => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" &&
      url.username === ""
    ? Effect.succeed(url)
    : Effect.fail(
      new ConfigError({
        message: `baseUrl must be an http(s) address without a query or a password, such as "https://api.getspine.ai".`,
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

/** Waits for a turn. A limiter whose store fails limits nothing: it must not stop the polls of a paid run. */
const turn = ({ key, limit, limiter, window }: NonNullable<Options["rateLimit"]>): Effect.Effect<void> =>
  limiter.consume({ key: key ?? "canvas-runs/spine", limit, window, onExceeded: "delay" }).pipe(
    Effect.flatMap(({ delay }) => Effect.sleep(delay)),
    Effect.catch((error) => Effect.logWarning("canvas-runs: the rate limiter failed", error))
  )
