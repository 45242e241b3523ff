/**
 * Plays Spine's side of the API, for tests, for examples and for development without an account.
 *
 * It has the five public endpoints and the downloads of artifacts, and rejects the requests that Spine rejects, with the same
 * status and text. Runs follow the clock of the program: with the `TestClock` a run of ninety minutes takes a millisecond.
 *
 * **When to use**
 *
 * | form | use it if |
 * | --- | --- |
 * | {@link layerTest} | the program uses an Effect `HttpClient`. No socket, and the `TestClock` works |
 * | {@link toWebHandler} | the program takes a `fetch` function, or runs where there are no sockets |
 * | `SpineEmulatorServer` | the client is another process or another language, or the test is about sockets |
 *
 * To test code that calls one or two methods of the client, `Spine.layerTest` also does: there you write the results yourself.
 *
 * **Details**
 *
 * A {@link Script} says what runs do, and a `Fault` what goes wrong. The {@link SpineEmulator} service sets them, and lists the
 * requests that were received. It also controls a server on a socket.
 *
 * Where Spine's documentation is silent, the emulator follows an assumption. Marks such as `R1` cite it, and
 * `docs/assumptions.md` lists them all. Texts of errors that Spine does not publish are inventions: a client must not
 * depend on them.
 *
 * There is no rate limit, and credits are never used up (L1, L2): script 429 and 402 with a `Fault`.
 *
 * **Gotchas**
 *
 * - The emulator is strict where a lenient one would hide a mistake. It rejects a download that has the header `X-API-KEY`, and
 *   an upload under any other name than `files`.
 * - `webhook_url` has no effect (K2). Webhooks go to the endpoints of {@link Options}, as they go to those of the workspace at the
 *   provider. They are sent to this machine only, unless the options name other hosts.
 * - The platform's crypto signs webhooks with a promise. A test on the `TestClock` has to let it settle.
 *
 * **Example** (A run of ninety minutes)
 *
 * ```ts
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientRequest } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const http = yield* HttpClient.HttpClient
 *   yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }) })
 *
 *   const form = new FormData()
 *   form.append("prompt", "Compare three vector databases")
 *   yield* HttpClientRequest.post("https://api.getspine.ai/v1/run").pipe(
 *     HttpClientRequest.setHeader("x-api-key", "sk_spine_anything"),
 *     HttpClientRequest.bodyFormData(form),
 *     http.execute
 *   )
 *   yield* emulator.advance("90 minutes")
 *   const [run] = yield* emulator.runs
 *   return run?.state.phase
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, SpineEmulator.layerTest()))) // => "completed"
 * ```
 *
 * @see {@link module:Rude} for the peculiarities of real servers
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Emulator from "./Emulator.ts"
import * as Provider from "./internal/provider.ts"
import * as Check from "./internal/check.ts"
import * as Api from "./internal/spine/api.ts"
import type { ArtifactFile } from "./internal/spine/artifacts.ts"
import { rudeProfile } from "./internal/spine/rudeProfile.ts"
import * as Runs from "./internal/spine/runs.ts"
import { errorBody } from "./internal/spine/responses.ts"
import * as webHandler from "./internal/webHandler.ts"
import type * as Rude from "./Rude.ts"
import type { CreateRequest, Script, WebhookEndpoint } from "./SpineScript.ts"
import type * as Timeline from "./Timeline.ts"
import type * as WebhookDelivery from "./WebhookDelivery.ts"

export {
  type CreateRequest,
  failingPrompt,
  partialPrompt,
  type Script,
  type ScriptedArtifact,
  type WebhookEndpoint,
  type WebhookEvent
} from "./SpineScript.ts"

/**
 * A run that the emulator has accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedRun {
  /** The id of the run. */
  readonly id: string
  /** The id of its canvas. */
  readonly canvasId: string
  /** The key of the create. For every other key the run does not exist. */
  readonly apiKey: string
  /** The form of the create. */
  readonly request: CreateRequest
  /** When the run was created, in milliseconds of the emulator's clock. */
  readonly createdAt: number
  /** The number of polls so far. */
  readonly polls: number
  /** The state of the run now. */
  readonly state: Timeline.State
}

/**
 * The functions with which a test controls the emulator and looks at it.
 *
 * @see {@link module:Emulator} for the functions that every emulator has
 * @category models
 * @since 0.1.0
 */
export interface Service extends Emulator.Emulator {
  /** The origin of the API. */
  readonly origin: string
  /** Returns the runs accepted so far, oldest first. */
  readonly runs: Effect.Effect<ReadonlyArray<EmulatedRun>>
  /**
   * Sets the script of the runs that are created from now on: one for all, or a function of the create. It wins over the `script`
   * of the options, member by member.
   *
   * **Example** (A result that depends on the prompt)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   yield* emulator.script(({ prompt }) => ({
   *     timeline: Timeline.make({ duration: 0 }),
   *     finalOutput: `All about ${prompt}`
   *   }))
   *   const run = yield* runs.run({ prompt: "tides" })
   *   console.log(run.result.final_output) // => "All about tides"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link module:SpineScript} for the members of a script
   */
  readonly script: (script: Script | ((request: CreateRequest) => Script)) => Effect.Effect<void>
  /** Makes all download links of earlier responses expire. The next response about the run has new ones. */
  readonly expireArtifacts: Effect.Effect<void>
  /**
   * Revokes an API key: at once, or after a time (K1).
   *
   * **Example** (A key that is revoked while the program runs)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   yield* emulator.revokeKey("sk_spine_test")
   *   const error = yield* Effect.flip(runs.create({ prompt: "Tides" }))
   *   console.log(error._tag) // => "AuthenticationError"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly revokeKey: (
    apiKey: string,
    options?: {
      /**
       * How long the key keeps working, as the provider may cache it.
       *
       * @default 0
       */
      readonly after?: Duration.Input
    }
  ) => Effect.Effect<void>
  /**
   * Replaces the endpoints that webhooks are sent to. They receive the events from now on, also those of runs that were created
   * before.
   *
   * **Example** (An endpoint for all events)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   // Another machine, so this webhook is recorded and not sent
   *   yield* emulator.webhooks({ url: "https://example.com/hook", secret: "whsec_example" })
   *   yield* runs.create({ prompt: "Tides" })
   *   const [delivery] = yield* emulator.deliveries
   *   console.log(delivery?.event, delivery?.status) // => run.started refused
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link WebhookEndpoint} for an endpoint in memory
   */
  readonly webhooks: (...endpoints: ReadonlyArray<WebhookEndpoint>) => Effect.Effect<void>
  /** Sends a `webhook.ping`, the test event of the portal, to every endpoint, also to those that do not subscribe to it. */
  readonly ping: Effect.Effect<void>
  /** Returns the webhooks due so far, oldest first, also those that were not sent. */
  readonly deliveries: Effect.Effect<ReadonlyArray<WebhookDelivery.Delivery>>
  /**
   * Sets what goes wrong with the webhooks that are due from now on.
   *
   * **Example** (All webhooks get lost)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Spine } from "canvas-runs"
   * import { SpineEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const emulator = yield* SpineEmulator.SpineEmulator
   *   yield* emulator.webhooks({ url: "http://127.0.0.1:8080/hook", secret: "whsec_example" })
   *   yield* emulator.scriptDeliveries({ lost: true })
   *   yield* runs.create({ prompt: "Tides" })
   *   console.log((yield* emulator.deliveries)[0]?.status) // => "lost"
   * }).pipe(
   *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
   *     Layer.provideMerge(SpineEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   *
   * @see {@link module:WebhookDelivery} for what can go wrong
   */
  readonly scriptDeliveries: (script: WebhookDelivery.Script) => Effect.Effect<void>
}

/**
 * The service that controls the emulator.
 *
 * **Example** (The requests that a program makes)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   yield* runs.create({ prompt: "Tides", template: "report" })
 *   const [request] = yield* emulator.requests
 *   console.log(request?.method, request?.path, request?.fields.template) // => POST /v1/run report
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class SpineEmulator extends Context.Service<SpineEmulator, Service>()("canvas-runs/testing/SpineEmulator") {}

/**
 * Options of the emulator.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The origin of the API in memory. A request to any other origin fails like one to an unknown host.
   *
   * @default "https://api.getspine.ai"
   */
  readonly origin?: string | undefined
  /**
   * The origin of the links to artifacts (A1).
   *
   * @default "https://artifacts.spine.emulator" in memory, and the server's own origin on a socket
   */
  readonly artifactOrigin?: string | undefined
  /**
   * The API keys that are accepted.
   *
   * @default every key of the form `sk_spine_...`
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** The script of the runs. The `script` of the control service wins over it. The default is that of each member of `Script`. */
  readonly script?: Script | ((request: CreateRequest) => Script) | undefined
  /**
   * How long the link to an artifact works (A1).
   *
   * @default "1 hour"
   */
  readonly artifactLifetime?: Duration.Input | undefined
  /**
   * The limits of the uploads of one run (F1).
   *
   * @default 25 MB per file, 100 MB in total, 20 files
   */
  readonly limits?: {
    /** The largest size of one file, in bytes. */
    readonly fileSize?: number | undefined
    /** The largest size of all files together, in bytes. */
    readonly totalSize?: number | undefined
    /** The largest number of files. */
    readonly files?: number | undefined
  } | undefined
  /**
   * Whether uploads of every type are accepted (F2).
   *
   * @default false
   */
  readonly acceptAnyFileType?: boolean | undefined
  /**
   * How many times faster than scripted runs end. The times that they report stay as scripted.
   *
   * @default 1
   */
  readonly speed?: number | undefined
  /**
   * The endpoints that webhooks are sent to.
   *
   * @default []
   */
  readonly webhooks?: ReadonlyArray<WebhookEndpoint> | undefined
  /**
   * The client that sends webhooks.
   *
   * @default a client on `fetch`
   */
  readonly webhookClient?: HttpClient.HttpClient | undefined
  /**
   * The hosts that webhooks may be sent to. Those for other hosts are recorded and not sent.
   *
   * @default ["127.0.0.1", "localhost", "[::1]"]
   */
  readonly webhookHosts?: ReadonlyArray<string> | undefined
  /**
   * The pause before each further attempt to send a webhook whose response was not a success (W6).
   *
   * @default ["1 second", "5 seconds", "30 seconds"]
   */
  readonly webhookRetries?: ReadonlyArray<Duration.Input> | undefined
  /**
   * Whether a webhook has the output of a run nested, like the response to a poll, instead of flat (W3).
   *
   * @default false
   */
  readonly nestedWebhooks?: boolean | undefined
  /**
   * Whether a run that ends `partial` sends `run.completed` (W5). Otherwise it sends no webhook.
   *
   * @default false
   */
  readonly partialWebhooks?: boolean | undefined
  /** What goes wrong with webhooks. The `scriptDeliveries` of the control service replaces it. By default nothing does. */
  readonly deliveryScript?: WebhookDelivery.Script | undefined
  /**
   * The peculiarities of real servers that the emulator has.
   *
   * @default Rude.none
   */
  readonly rude?: Rude.Rude | undefined
}

/**
 * The default of the `origin` option: the origin of the real API.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultOrigin = "https://api.getspine.ai"

/**
 * The default of the `artifactOrigin` option in memory.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultArtifactOrigin = "https://artifacts.spine.emulator"

/**
 * The default of the `webhookRetries` option: the pause before each further attempt to send a webhook (W6).
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultWebhookRetries: ReadonlyArray<Duration.Input> = ["1 second", "5 seconds", "30 seconds"]

/**
 * Makes an emulator without a transport. It sends webhooks until the scope closes.
 *
 * **When to use**
 *
 * Use it for several emulators at once, or to serve one yourself with `Emulator.toHttpClient`. Otherwise use {@link layerTest}.
 *
 * **Example** (An emulator for one request)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Emulator, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const emulator = yield* SpineEmulator.make({ apiKeys: ["sk_spine_only"] })
 *   const client = Emulator.toHttpClient(emulator)
 *   const response = yield* client.get("https://api.getspine.ai/v1/run/1", { headers: { "x-api-key": "sk_spine_other" } })
 *   return response.status
 * })
 *
 * await Effect.runPromise(Effect.scoped(main)) // => 401
 * ```
 *
 * @see {@link layer} for the emulator as a service
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options = {}
): Effect.fn.Return<Service, never, Scope.Scope> {
  options = Check.options(options, optionNames)
  const shared = yield* Provider.make<CreateRequest, Script, Runs.Run, ArtifactFile>(options, {
    defaultOrigin,
    fileOrigin: options.artifactOrigin,
    defaultFileOrigin: defaultArtifactOrigin,
    isApiKey: (key) => /^sk_spine_.+$/.test(key),
    webhookPauses: options.webhookRetries ?? defaultWebhookRetries,
    errorBody,
    rudeProfile,
    endsAt: Runs.endsAt,
    hasEnded: Runs.hasEnded,
    serve: (exchange) => api.serve(exchange)
  })
  const api: Api.Api = Api.make({
    artifactLifetimeMillis: Duration.toMillis(options.artifactLifetime ?? "1 hour"),
    limits: {
      fileSize: options.limits?.fileSize ?? 25_000_000,
      totalSize: options.limits?.totalSize ?? 100_000_000,
      files: options.limits?.files ?? 20
    },
    acceptAnyFileType: options.acceptAnyFileType ?? false,
    speed: options.speed ?? 1,
    endpoints: options.webhooks ?? [],
    nestedWebhooks: options.nestedWebhooks ?? false,
    partialWebhooks: options.partialWebhooks ?? false
  }, shared)
  return {
    ...shared.control,
    runs: Effect.map(shared.now, (now) =>
      Array.from(api.runs.all(), (run): EmulatedRun => ({
        id: run.id,
        canvasId: run.canvasId,
        apiKey: run.apiKey,
        request: run.request,
        createdAt: run.createdAt,
        polls: run.polls,
        state: Runs.stateOf(run, now)
      }))),
    expireArtifacts: Effect.sync(shared.links.expireAll),
    webhooks: api.webhooks.setEndpoints,
    ping: api.webhooks.ping
  }
})

// A server passes its options to its emulator
const optionNames: Readonly<Record<keyof Options, true>> = {
  ...Check.serverOptions,
  origin: true,
  artifactOrigin: true,
  apiKeys: true,
  script: true,
  artifactLifetime: true,
  limits: true,
  acceptAnyFileType: true,
  speed: true,
  webhooks: true,
  webhookClient: true,
  webhookHosts: true,
  webhookRetries: true,
  nestedWebhooks: true,
  partialWebhooks: true,
  deliveryScript: true,
  rude: true
}

/**
 * Creates a layer with the control service and without a transport, such as for {@link layerHttpClient} or for a server.
 *
 * **Example** (The control service alone)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const origin = SpineEmulator.SpineEmulator.useSync(({ origin }) => origin)
 *
 * Effect.runSync(Effect.provide(origin, SpineEmulator.layer())) // => "https://api.getspine.ai"
 * ```
 *
 * @see {@link layerTest} for the control service and an `HttpClient`
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<SpineEmulator> => Layer.effect(SpineEmulator, make(options))

/**
 * A layer with an `HttpClient` that passes requests to the emulator of the context, in memory: without a socket and without real
 * time.
 *
 * **Example** (A client on a given emulator)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const client = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *   Layer.provide(SpineEmulator.layerHttpClient),
 *   Layer.provide(SpineEmulator.layer())
 * )
 * const created = Spine.SpineClient.use(({ runs }) => runs.create({ prompt: "Tides" }))
 *
 * (await Effect.runPromise(Effect.provide(created, client))).status // => "running"
 * ```
 *
 * @see {@link layerTest} for both in one layer
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, SpineEmulator> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(SpineEmulator, Emulator.toHttpClient)
)

/**
 * Creates a layer with an `HttpClient` in memory, and the service that controls its responses.
 *
 * **When to use**
 *
 * Use it to test with the real client: its requests, polls, retries, errors and downloads. `Spine.layerTest` tests without the
 * client. For a client in another process, use `SpineEmulatorServer`.
 *
 * **Example** (A run of two hours, on the clock of the test)
 *
 * ```ts
 * import { Effect, Fiber, Layer, Redacted } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const run = yield* Effect.forkChild(runs.run({ prompt: "Tides" }, { timeout: "3 hours" }))
 *   yield* TestClock.adjust("2 hours")
 *   return (yield* Fiber.join(run)).status
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: "2 hours" }) } })),
 *     Layer.provideMerge(TestClock.layer())
 *   ))
 * )
 *
 * await Effect.runPromise(main) // => "completed"
 * ```
 *
 * @see {@link toWebHandler} for a program that takes a `fetch` function
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (options?: Options): Layer.Layer<SpineEmulator | HttpClient.HttpClient> =>
  // Fresh, because otherwise two emulators in one program share the client of the first
  Layer.provideMerge(Layer.fresh(layerHttpClient), layer(options))

/**
 * Makes the emulator as a function from a web `Request` to a promise of a `Response`, and the service that controls it.
 *
 * **Details**
 *
 * A broken connection rejects the promise, like that of `fetch`.
 *
 * **Example** (Calling it without a server)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const { handler } = SpineEmulator.toWebHandler()
 *
 * const response = await handler(new Request("https://api.getspine.ai/v1/run", { method: "POST" }))
 *
 * response.status // => 401
 * ```
 *
 * @see {@link layerTest} for an Effect `HttpClient`
 * @category converting
 * @since 0.1.0
 */
export const toWebHandler = (options?: Options): {
  /** Handles a request. */
  readonly handler: (request: Request) => Promise<Response>
  /** Stops the emulator. Requests that are still open reject. */
  readonly dispose: () => Promise<void>
  /** The control service. */
  readonly control: Service
} => webHandler.make(make(options))
