/**
 * Tela's side of the wire, for tests, examples and development without an account.
 *
 * It speaks completions in all their modes, canvases with versions and environments, files, tasks, the list of runs and
 * webhooks, and plays runs on the clock of the program. It can be an `HttpClient` in memory ({@link layerTest}), a
 * function from `Request` to `Response` ({@link toWebHandler}), or a server on a loopback socket (`TelaEmulatorServer`).
 *
 * **Details**
 *
 * Out of the box every UUID is a canvas, a version or an app, and a run answers with an echo of its variables: a text,
 * or an object after the schema of the structured output. Three ids are reserved: {@link failingCanvasId},
 * {@link unknownCanvasId} and {@link workflowCanvasId}. Everything else is scripted with `TelaScript`: what there is,
 * what runs do, and what a stream sends. What goes wrong on the way is a `Fault`.
 *
 * Where Tela's documentation is silent, the emulator follows an assumption. Words such as "assumption 15" cite it, and
 * `docs/assumptions.md` lists them all. It also assumes that:
 *
 * - `GET /prompt-application/{id}` leads from an app to its canvas;
 * - a synchronous execution that fails is answered with 500;
 * - lists that are not paginated are bare arrays;
 * - all keys belong to one workspace.
 *
 * **Gotchas**
 *
 * - The emulator is strict where a lenient one would hide a mistake: a presigned URL that is sent a credential refuses
 *   the request, and a file that was announced but never uploaded is not found.
 * - Agents, batches, the vault's multipart uploads and permalinks are not emulated.
 *
 * **Example** (Running a canvas)
 *
 * ```ts
 * import { TelaEmulator } from "canvas-runs/testing"
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientRequest } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const emulator = yield* TelaEmulator.TelaEmulator
 *   const http = yield* HttpClient.HttpClient
 *   const canvas = yield* emulator.canvas({ variables: [{ name: "city" }], output: ({ variables }) => variables })
 *
 *   const response = yield* HttpClientRequest.post("https://api.tela.com/v2/chat/completions").pipe(
 *     HttpClientRequest.bearerToken("anything"),
 *     HttpClientRequest.bodyJsonUnsafe({ canvas_id: canvas.id, variables: { city: "Lisbon" } }),
 *     http.execute
 *   )
 *   const body = (yield* response.json) as { readonly choices: ReadonlyArray<{ readonly message: unknown }> }
 *   return body.choices[0]?.message
 * })
 *
 * const message = await Effect.runPromise(Effect.provide(program, TelaEmulator.layerTest()))
 *
 * message // => { role: "assistant", content: { city: "Lisbon" } }
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
import * as Check from "./internal/check.ts"
import * as Api from "./internal/tela/api.ts"
import * as canvases from "./internal/tela/canvases.ts"
import type { Grant } from "./internal/tela/files.ts"
import { rudeProfile } from "./internal/tela/rudeProfile.ts"
import * as runs from "./internal/tela/runs.ts"
import * as webhooks from "./internal/tela/webhooks.ts"
import { errorBody } from "./internal/tela/responses.ts"
import * as webHandler from "./internal/webHandler.ts"
import type * as Rude from "./Rude.ts"
import type * as TelaScript from "./TelaScript.ts"
import type * as WebhookDelivery from "./WebhookDelivery.ts"

export { failingCanvasId, invoiceCanvas, unknownCanvasId, user, workflowCanvasId, workspaceId } from "./TelaScript.ts"

/**
 * A canvas that the emulator knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedCanvas {
  readonly id: string
  readonly applicationId: string
  readonly title: string
  readonly isWorkflow: boolean
  /** The oldest first. */
  readonly versionIds: ReadonlyArray<string>
  /** The version that each environment serves. */
  readonly environments: Readonly<Record<string, string | null>>
}

/**
 * A run that the emulator has accepted, whatever its mode.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedRun {
  readonly id: string
  readonly canvasId: string
  readonly versionId: string
  readonly applicationId: string | null
  readonly request: TelaScript.RunRequest
  /** When it was created, on the emulator's clock. */
  readonly createdAt: number
  /** How often it was polled. */
  readonly polls: number
  /** What it is doing now. */
  readonly status: string
  /** What it produces if it ends well. */
  readonly output: unknown
}

/**
 * A task of an app.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedTask {
  readonly id: string
  readonly applicationId: string
  readonly name: string
  /** What it is doing now. */
  readonly status: string
  /** The run that works for it; none if it was created with an output. */
  readonly runId: string | undefined
  readonly tags: ReadonlyArray<string>
}

/**
 * A file that was announced, and perhaps uploaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedFile {
  readonly id: string
  readonly name: string
  /** Which of the ways it came. */
  readonly via: "v3" | "v2" | "vault"
  readonly contentType: string | undefined
  /** `undefined` as long as nothing was uploaded. */
  readonly bytes: Uint8Array | undefined
}

/**
 * An answer that was streamed.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedStream {
  readonly runId: string
  /** `abandoned` is what the client has left before its end, `dropped` what the script broke off. */
  readonly state: "open" | "ended" | "dropped" | "abandoned"
  /** How many pieces have left, the end mark among them. */
  readonly sent: number
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
  /** Adds a canvas, or replaces the one with its id. */
  readonly canvas: (canvas?: TelaScript.Canvas) => Effect.Effect<EmulatedCanvas>
  /** Sets what the runs created from now on will do, over what their canvas says. */
  readonly script: (
    script: TelaScript.Script | ((request: TelaScript.RunRequest) => TelaScript.Script)
  ) => Effect.Effect<void>
  /** The canvases there are, those that came into being with a request among them. */
  readonly canvases: Effect.Effect<ReadonlyArray<EmulatedCanvas>>
  /** The runs accepted so far, oldest first. */
  readonly runs: Effect.Effect<ReadonlyArray<EmulatedRun>>
  /** The tasks created so far, oldest first. */
  readonly tasks: Effect.Effect<ReadonlyArray<EmulatedTask>>
  /** The files announced so far, oldest first. */
  readonly files: Effect.Effect<ReadonlyArray<EmulatedFile>>
  /** The streams opened so far, oldest first. */
  readonly streams: Effect.Effect<ReadonlyArray<EmulatedStream>>
  /** The webhooks due so far, oldest first. */
  readonly deliveries: Effect.Effect<ReadonlyArray<WebhookDelivery.Delivery>>
  /** Sets what goes wrong with the webhooks that are due from now on. */
  readonly scriptDeliveries: (script: WebhookDelivery.Script) => Effect.Effect<void>
  /** Takes the approval of a task back, which only people can do, and says whether there was one. */
  readonly revokeApproval: (taskId: string) => Effect.Effect<boolean>
  /** Lets every presigned URL handed out so far expire. */
  readonly expireFiles: Effect.Effect<void>
  /** Revokes a key, a JWT or a data token: at once, or after a time. */
  readonly revokeKey: (key: string, options?: { readonly after?: Duration.Input }) => Effect.Effect<void>
}

/**
 * The control service of the emulator.
 *
 * @category services
 * @since 0.1.0
 */
export class TelaEmulator extends Context.Service<TelaEmulator, Service>()("canvas-runs/testing/TelaEmulator") {}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The origin that the in-memory client answers for.
   *
   * @default "https://api.tela.com"
   */
  readonly origin?: string | undefined
  /**
   * Where presigned URLs point to.
   *
   * @default "https://files.tela.emulator" in memory, and the server's own origin on a socket
   */
  readonly fileOrigin?: string | undefined
  /**
   * The API keys, JWTs and data tokens that are accepted.
   *
   * @default all of them
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** Canvases that are there from the start. */
  readonly canvases?: ReadonlyArray<TelaScript.Canvas> | undefined
  /**
   * Refuses canvases, versions and apps that were not registered, instead of making them up.
   *
   * @default false
   */
  readonly onlyRegistered?: boolean | undefined
  /**
   * Finds a version by its id only if an environment serves it (assumption 36).
   *
   * @default false
   */
  readonly onlyPublished?: boolean | undefined
  /** What runs do unless they are scripted otherwise. */
  readonly script?: TelaScript.Script | ((request: TelaScript.RunRequest) => TelaScript.Script) | undefined
  /**
   * How many times faster than scripted runs go. What they report about themselves stays as scripted.
   *
   * @default 1
   */
  readonly speed?: number | undefined
  /**
   * Answers polls in camel case, with `creditsUsed` (assumption 1).
   *
   * @default false
   */
  readonly camelCaseRuns?: boolean | undefined
  /**
   * Adds `credits_used` to the answers to polls (assumption 1).
   *
   * @default false
   */
  readonly creditsUsed?: boolean | undefined
  /**
   * Answers with bare arrays where there would be a page with meta data (assumption 15).
   *
   * @default false
   */
  readonly bareLists?: boolean | undefined
  /**
   * Takes a task to `completed` as soon as its run has succeeded, without anybody's approval (assumption 8).
   *
   * @default false
   */
  readonly autoComplete?: boolean | undefined
  /**
   * What the event of an approval that is taken back is called (assumption 10).
   *
   * @default "task.approval_revoked"
   */
  readonly approvalRevokedEvent?: string | undefined
  /**
   * How long a presigned URL is good for.
   *
   * @default "1 hour"
   */
  readonly fileLifetime?: Duration.Input | undefined
  /**
   * How many bytes a file may have.
   *
   * @default 100 MB
   */
  readonly fileSize?: number | undefined
  /**
   * Refuses uploads without `content-length`, as object stores do: chunked ones with 501, others with 411.
   *
   * @default true
   */
  readonly requireContentLength?: boolean | undefined
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
   * How often a webhook that fails is tried (assumption 13).
   *
   * @default 1
   */
  readonly webhookAttempts?: number | undefined
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
export const defaultOrigin = "https://api.tela.com"

/**
 * Where presigned URLs point to in memory, unless the options say otherwise.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultFileOrigin = "https://files.tela.emulator"

/**
 * Makes an emulator. Until the scope closes, it waits for the ends of runs that have a webhook.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  given?: Options
): Effect.fn.Return<Service, never, Scope.Scope> {
  const options = Check.options(given, optionNames)
  const shared = yield* Provider.make<TelaScript.RunRequest, TelaScript.Script, runs.Run, Grant>(options, {
    defaultOrigin,
    fileOrigin: options.fileOrigin,
    defaultFileOrigin,
    isApiKey: () => true,
    webhookPauses: webhooks.pauses(options.webhookAttempts ?? 1),
    errorBody,
    // Assumption 19.
    // Assumptions 19 and 20: 429 and 402 are answered only where a `Fault` says so
    errorHeaders: (status) => status === 429 ? { "retry-after": "1" } : {},
    rudeProfile,
    endsAt: runs.endsAt,
    hasEnded: runs.hasEnded,
    serve: (exchange) => api.serve(exchange)
  })
  const api: Api.Api = Api.make({
    onlyRegistered: options.onlyRegistered ?? false,
    onlyPublished: options.onlyPublished ?? false,
    bareLists: options.bareLists ?? false,
    camelCaseRuns: options.camelCaseRuns ?? false,
    creditsUsed: options.creditsUsed ?? false,
    autoComplete: options.autoComplete ?? false,
    speed: options.speed ?? 1,
    fileLifetimeMillis: Duration.toMillis(options.fileLifetime ?? "1 hour"),
    fileSize: options.fileSize ?? 100_000_000,
    requireContentLength: options.requireContentLength ?? true
  }, shared)
  const moment = { now: yield* shared.now, uuid: shared.uuid }
  for (const canvas of [...canvases.reserved, ...options.canvases ?? []]) api.canvases.define(canvas, moment)

  const list = <A, B>(items: () => Iterable<A>, render: (item: A, now: number) => B) =>
    Effect.map(shared.now, (now): ReadonlyArray<B> => Array.from(items(), (item) => render(item, now)))

  return {
    ...shared.control,
    canvas: (canvas = {}) =>
      Effect.map(shared.now, (now) => shownCanvas(api.canvases.define(canvas, { now, uuid: shared.uuid }))),
    canvases: list(api.canvases.all, shownCanvas),
    runs: list(api.runs, (run, now): EmulatedRun => ({
      id: run.id,
      canvasId: run.canvas.id,
      versionId: run.version.id,
      applicationId: run.applicationId,
      request: run.request,
      createdAt: run.createdAt,
      polls: run.polls,
      status: runs.stateOf(run, now).status,
      output: run.output
    })),
    tasks: list(api.tasks.all, (task, now): EmulatedTask => ({
      id: task.id,
      applicationId: task.canvas.applicationId,
      name: task.name,
      status: api.tasks.status(task, now),
      runId: task.run?.id,
      tags: task.tags
    })),
    files: list(api.files, (file): EmulatedFile => ({
      id: file.id,
      name: file.name,
      via: file.via,
      contentType: file.mimeType ?? undefined,
      bytes: file.bytes
    })),
    streams: list(api.streams, ({ progress, run }): EmulatedStream => ({
      runId: run.id,
      state: progress.state,
      sent: progress.pieces
    })),
    revokeApproval: Effect.fnUntraced(function*(taskId) {
      const task = api.tasks.revokeApproval(taskId, yield* shared.now)
      if (task !== undefined) yield* api.emit(options.approvalRevokedEvent ?? "task.approval_revoked", task)
      return task !== undefined
    }),
    expireFiles: Effect.sync(shared.links.expireAll)
  }
})

// A server passes its options to its emulator
const optionNames: Readonly<Record<keyof Options, true>> = {
  ...Check.serverOptions,
  origin: true,
  fileOrigin: true,
  apiKeys: true,
  canvases: true,
  onlyRegistered: true,
  onlyPublished: true,
  script: true,
  speed: true,
  camelCaseRuns: true,
  creditsUsed: true,
  bareLists: true,
  autoComplete: true,
  approvalRevokedEvent: true,
  fileLifetime: true,
  fileSize: true,
  requireContentLength: true,
  webhookClient: true,
  webhookHosts: true,
  webhookAttempts: true,
  deliveryScript: true,
  rude: true
}

/**
 * The control service, for whatever form the emulator is to take.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<TelaEmulator> => Layer.effect(TelaEmulator, make(options))

/**
 * The emulator as an `HttpClient` in memory: no socket, no real time.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, TelaEmulator> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(TelaEmulator, Emulator.toHttpClient)
)

/**
 * An `HttpClient` in memory, and the service that controls what it answers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (options?: Options): Layer.Layer<TelaEmulator | HttpClient.HttpClient> =>
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
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const { dispose, handler } = TelaEmulator.toWebHandler()
 *
 * const response = await handler(new Request("https://api.tela.com/api-key"))
 * await dispose()
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

// ---------------------------------------------------------------------------------------------------------------------

const shownCanvas = (canvas: canvases.Canvas): EmulatedCanvas => ({
  id: canvas.id,
  applicationId: canvas.applicationId,
  title: canvas.title,
  isWorkflow: canvas.isWorkflow,
  versionIds: canvas.versions.map((version) => version.id),
  environments: canvases.published(canvas)
})
