/**
 * Spine's side of the wire, for tests, examples and development without an account.
 *
 * It speaks the five public endpoints and the artifact downloads, refuses what Spine would refuse in Spine's words, and
 * plays runs on the clock of the program: under the `TestClock` a run of ninety minutes takes a millisecond. It can be
 * an `HttpClient` in memory ({@link layerTest}), a function from `Request` to `Response` ({@link toWebHandler}), or a
 * server on a loopback socket (`SpineEmulatorServer`).
 *
 * **Details**
 *
 * What runs do is scripted ({@link Script}), what goes wrong is a `Fault`, and what was received can be looked at: all
 * of it through the {@link SpineEmulator} service, which is also how a test talks to a server on a socket.
 *
 * Where Spine's documentation is silent, the emulator follows an assumption, and the place that does says so with the
 * assumption's id (`R1`, `S1` and so on). Texts of errors that Spine does not publish are inventions: a client must not
 * depend on them.
 *
 * There is no rate limit, and credits are never used up (L1, L2): script 429 and 402 with a `Fault`.
 *
 * **Gotchas**
 *
 * - The emulator is strict where a lenient one would hide a mistake: a download that carries `X-API-KEY` is refused, as
 *   is an upload under any other name than `files`.
 * - `webhook_url` is accepted without effect (K2): webhooks go to the endpoints of {@link Options}, as they go to those
 *   of the workspace at the provider. They only go to this machine, unless the options name other hosts.
 * - Webhooks are signed by the platform's crypto, which takes a promise. A test on the `TestClock` has to let it settle.
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
  readonly id: string
  readonly canvasId: string
  /** The key it was created with; to every other key it does not exist. */
  readonly apiKey: string
  readonly request: CreateRequest
  /** When it was created, on the emulator's clock. */
  readonly createdAt: number
  /** How often it was polled. */
  readonly polls: number
  /** What it is doing now. */
  readonly state: Timeline.State
}

/**
 * What a test can do to the provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service extends Emulator.Emulator {
  /** The origin of the API. */
  readonly origin: string
  /** The runs accepted so far, oldest first. */
  readonly runs: Effect.Effect<ReadonlyArray<EmulatedRun>>
  /** Sets what the runs created from now on will do. */
  readonly script: (script: Script | ((request: CreateRequest) => Script)) => Effect.Effect<void>
  /** Lets every download URL handed out so far expire. The next look at the run signs new ones. */
  readonly expireArtifacts: Effect.Effect<void>
  /** Revokes an API key: at once, or after the time for which the provider may cache it (K1). */
  readonly revokeKey: (apiKey: string, options?: { readonly after?: Duration.Input }) => Effect.Effect<void>
  /** Replaces the endpoints that webhooks go to. They are told of what happens from now on. */
  readonly webhooks: (...endpoints: ReadonlyArray<WebhookEndpoint>) => Effect.Effect<void>
  /** Sends a `webhook.ping` to every endpoint, whatever it is told of otherwise: the portal's test event. */
  readonly ping: Effect.Effect<void>
  /** The webhooks due so far, oldest first. */
  readonly deliveries: Effect.Effect<ReadonlyArray<WebhookDelivery.Delivery>>
  /** Sets what goes wrong with the webhooks that are due from now on. */
  readonly scriptDeliveries: (script: WebhookDelivery.Script) => Effect.Effect<void>
}

/**
 * The control service of the emulator.
 *
 * @category services
 * @since 0.1.0
 */
export class SpineEmulator extends Context.Service<SpineEmulator, Service>()("canvas-runs/testing/SpineEmulator") {}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The origin that the in-memory client answers for.
   *
   * @default "https://api.getspine.ai"
   */
  readonly origin?: string | undefined
  /**
   * Where artifacts are downloaded from (A1).
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
  /** What runs do unless they are scripted otherwise. */
  readonly script?: Script | ((request: CreateRequest) => Script) | undefined
  /**
   * How long a download URL is good for (A1).
   *
   * @default "1 hour"
   */
  readonly artifactLifetime?: Duration.Input | undefined
  /**
   * How much may be uploaded with a run, sizes in bytes (F1).
   *
   * @default 25 MB per file, 100 MB in total, 20 files
   */
  readonly limits?: {
    readonly fileSize?: number | undefined
    readonly totalSize?: number | undefined
    readonly files?: number | undefined
  } | undefined
  /**
   * Accepts uploads of every type (F2).
   *
   * @default false
   */
  readonly acceptAnyFileType?: boolean | undefined
  /**
   * How many times faster than scripted runs go. What they report about themselves stays as scripted.
   *
   * @default 1
   */
  readonly speed?: number | undefined
  /** Who is told of events. */
  readonly webhooks?: ReadonlyArray<WebhookEndpoint> | undefined
  /**
   * What calls webhooks.
   *
   * @default a client on `fetch`
   */
  readonly webhookClient?: HttpClient.HttpClient | undefined
  /**
   * The hosts that webhooks may go to; to others they are recorded and not sent.
   *
   * @default ["127.0.0.1", "localhost", "[::1]"]
   */
  readonly webhookHosts?: ReadonlyArray<string> | undefined
  /**
   * How long to rest before each further try of a webhook that was not answered with success (W6).
   *
   * @default ["1 second", "5 seconds", "30 seconds"]
   */
  readonly webhookRetries?: ReadonlyArray<Duration.Input> | undefined
  /**
   * Sends what a run has made nested, as the answer to a poll has it, instead of flat (W3).
   *
   * @default false
   */
  readonly nestedWebhooks?: boolean | undefined
  /**
   * Sends `run.completed` for a run that ends `partial` (W5). Otherwise no webhook is sent.
   *
   * @default false
   */
  readonly partialWebhooks?: boolean | undefined
  /** What goes wrong with webhooks unless they are scripted otherwise. */
  readonly deliveryScript?: WebhookDelivery.Script | undefined
  /**
   * What real servers do that this one would not do by itself.
   *
   * @default Rude.none
   */
  readonly rude?: Rude.Rude | undefined
}

/**
 * The default of the `origin` option: where the real service lives.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultOrigin = "https://api.getspine.ai"

/**
 * Where artifacts are downloaded from in memory, unless the options say otherwise.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultArtifactOrigin = "https://artifacts.spine.emulator"

/**
 * How long Spine rests before each further try of a webhook that was not answered with success (W6).
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultWebhookRetries: ReadonlyArray<Duration.Input> = ["1 second", "5 seconds", "30 seconds"]

/**
 * Makes an emulator. Until the scope closes, it tells the endpoints of webhooks what happens.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options = {}
): Effect.fn.Return<Service, never, Scope.Scope> {
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

/**
 * The control service, for whatever form the emulator is to take.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<SpineEmulator> => Layer.effect(SpineEmulator, make(options))

/**
 * The emulator as an `HttpClient` in memory: no socket, no real time.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, SpineEmulator> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(SpineEmulator, Emulator.toHttpClient)
)

/**
 * An `HttpClient` in memory, and the service that controls what it answers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (options?: Options): Layer.Layer<SpineEmulator | HttpClient.HttpClient> =>
  // Fresh, as otherwise two emulators in one program would share the client of the first.
  Layer.provideMerge(Layer.fresh(layerHttpClient), layer(options))

/**
 * The emulator as a function from a web `Request` to a promise of a `Response`, with the service that controls it.
 *
 * **Details**
 *
 * A dropped connection rejects, as it does with `fetch`.
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
 * @category converting
 * @since 0.1.0
 */
export const toWebHandler = (options?: Options): {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
  readonly control: Service
} => webHandler.make(make(options))
