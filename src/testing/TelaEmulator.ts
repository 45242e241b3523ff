/**
 * An emulator of Tela, for tests, examples and development without an account.
 *
 * It has the completions in all their modes, canvases with versions and environments, files, tasks, the list of runs and webhooks.
 * Runs follow the clock of the program.
 *
 * **When to use**
 *
 * | you want | use |
 * | --- | --- |
 * | a test, in memory | {@link layerTest} |
 * | a function from `Request` to `Response` | {@link toWebHandler} |
 * | a server on a socket, for other processes | `canvas-runs/testing/TelaEmulatorServer` |
 * | to replace single calls, without HTTP | `Tela.layerTest` |
 *
 * **Details**
 *
 * By default every UUID is a canvas, a version or an app, and the output of a run contains its variables. It is a text, or an
 * object that fits the schema of the structured output. Three ids are reserved: {@link failingCanvasId}, {@link unknownCanvasId}
 * and {@link workflowCanvasId}. `TelaScript` scripts the rest: the canvases, the runs and the streams. A `Fault` is what goes
 * wrong with a request.
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
 * - The emulator is strict, so that it does not hide mistakes: a presigned URL refuses a request with a credential, and a file that
 *   was announced but never uploaded is not found.
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
import * as Predicate from "effect/Predicate"
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
 * A canvas of the emulator.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedCanvas {
  /** The id of the canvas. */
  readonly id: string
  /** The id of the app that runs it. */
  readonly applicationId: string
  /** The title. */
  readonly title: string
  /** Whether it is a workflow. */
  readonly isWorkflow: boolean
  /** The ids of its versions, oldest first. */
  readonly versionIds: ReadonlyArray<string>
  /** The version that each environment serves, or `null` for none. */
  readonly environments: Readonly<Record<string, string | null>>
}

/**
 * A run of any mode that the emulator has accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedRun {
  /** The id of the run. */
  readonly id: string
  /** The id of its canvas. */
  readonly canvasId: string
  /** The id of the version that it runs. */
  readonly versionId: string
  /** The id of the app that it was requested for, or `null`. */
  readonly applicationId: string | null
  /** The request that created it. */
  readonly request: TelaScript.RunRequest
  /** When it was created, on the emulator's clock. */
  readonly createdAt: number
  /** How often it was polled. */
  readonly polls: number
  /** Its status now. */
  readonly status: string
  /** Its output, if it succeeds. */
  readonly output: unknown
}

/**
 * A task of an app.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedTask {
  /** The id of the task. */
  readonly id: string
  /** The id of its app. */
  readonly applicationId: string
  /** The name. */
  readonly name: string
  /** Its status now. */
  readonly status: string
  /** The id of its run; `undefined` if it was created with an output. */
  readonly runId: string | undefined
  /** The tags. */
  readonly tags: ReadonlyArray<string>
}

/**
 * A file that was announced, and perhaps uploaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedFile {
  /** The id of the file. */
  readonly id: string
  /** The file name. */
  readonly name: string
  /** The API that it was announced with. */
  readonly via: "v3" | "v2" | "vault"
  /** The media type, if it is known. */
  readonly contentType: string | undefined
  /** The contents; `undefined` until they are uploaded. */
  readonly bytes: Uint8Array | undefined
}

/**
 * The streamed response of a run.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatedStream {
  /** The id of the run. */
  readonly runId: string
  /** `ended`: it was sent completely. `dropped`: the script broke the connection. `abandoned`: the client left before the end. */
  readonly state: "open" | "ended" | "dropped" | "abandoned"
  /** How many pieces were sent, the end mark included. */
  readonly sent: number
}

/**
 * The control service: what a test can see of the provider, and do to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service extends Emulator.Emulator {
  /** The origin of the API. */
  readonly origin: string
  /**
   * Adds a canvas, or replaces the one with its id.
   *
   * **Example** (A canvas with an output)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* TelaEmulator.TelaEmulator
   *   const tela = yield* Tela.TelaClient
   *   const { id } = yield* emulator.canvas({ title: "Tides", output: "twice a day" })
   *   const execution = yield* tela.canvas.make({ id }).execute({})
   *   console.log(execution.result) // => "twice a day"
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly canvas: (canvas?: TelaScript.Canvas) => Effect.Effect<EmulatedCanvas>
  /**
   * Sets what the runs that are created from now on will do. It takes precedence over the script of a canvas.
   *
   * **Example** (An output for each request)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* TelaEmulator.TelaEmulator
   *   const tela = yield* Tela.TelaClient
   *   yield* emulator.script(({ variables }) => ({ output: `about ${variables["topic"]}` }))
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   console.log((yield* canvas.execute({ topic: "tides" })).result) // => "about tides"
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly script: (
    script: TelaScript.Script | ((request: TelaScript.RunRequest) => TelaScript.Script)
  ) => Effect.Effect<void>
  /** The canvases, those included that a request made. */
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
  /**
   * Sets what goes wrong with the webhooks that are due from now on.
   *
   * **Example** (A webhook that is lost)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* TelaEmulator.TelaEmulator
   *   const tela = yield* Tela.TelaClient
   *   yield* emulator.scriptDeliveries({ lost: true })
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   yield* canvas.run({ topic: "tides" }, { webhookUrl: "http://localhost/hook" })
   *   console.log((yield* emulator.deliveries).map(({ status }) => status)) // => ["lost"]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { polls: { created: 0 } } }))
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly scriptDeliveries: (script: WebhookDelivery.Script) => Effect.Effect<void>
  /**
   * Takes back the approval of a task, which at the provider only people can do. Returns whether the task was approved.
   *
   * **Example** (An approval that is taken back)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* TelaEmulator.TelaEmulator
   *   const tela = yield* Tela.TelaClient
   *   const [task] = yield* tela.tasks.create("9c1d0f4e-2b7e-4a0c-9a53-0d6a6f0c7a11", [
   *     { name: "Invoice 7", variables: {}, outputContent: { total: 42 } }
   *   ])
   *   yield* tela.tasks.approve(task.id)
   *   console.log(yield* emulator.revokeApproval(task.id)) // => true
   *   console.log((yield* tela.tasks.get(task.id)).status) // => "validating"
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly revokeApproval: (taskId: string) => Effect.Effect<boolean>
  /** Makes every presigned URL expire that was given out until now. */
  readonly expireFiles: Effect.Effect<void>
  /**
   * Revokes a key, a JWT or a data token.
   *
   * **Example** (A key that is not valid any longer)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const emulator = yield* TelaEmulator.TelaEmulator
   *   const tela = yield* Tela.TelaClient
   *   yield* emulator.revokeKey("tela_test")
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   console.log((yield* Effect.flip(canvas.execute({ topic: "tides" })))._tag) // => "AuthenticationError"
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   ))
   * )
   * await Effect.runPromise(main)
   * ```
   */
  readonly revokeKey: (key: string, options?: {
    /**
     * The time until the key is not accepted.
     *
     * @default 0
     */
    readonly after?: Duration.Input
  }) => Effect.Effect<void>
}

/**
 * The control service of the emulator.
 *
 * **Example** (Looking at the runs)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const emulator = yield* TelaEmulator.TelaEmulator
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   yield* canvas.execute({ topic: "tides" })
 *   console.log((yield* emulator.runs).map(({ request }) => request.mode)) // => ["sync"]
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link layerTest}, which provides it
 * @category services
 * @since 0.1.0
 */
export class TelaEmulator extends Context.Service<TelaEmulator, Service>()("canvas-runs/testing/TelaEmulator") {}

/**
 * Options of the emulator.
 *
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
   * The origin of presigned URLs.
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
  /** The canvases that exist from the start. */
  readonly canvases?: ReadonlyArray<TelaScript.Canvas> | undefined
  /**
   * Whether only the canvases, versions and apps exist that were registered. With `false`, a request with another id makes one.
   *
   * @default false
   */
  readonly onlyRegistered?: boolean | undefined
  /**
   * Whether a version can be found by its id only if an environment serves it (assumption 36).
   *
   * @default false
   */
  readonly onlyPublished?: boolean | undefined
  /** What runs do, unless their canvas or the control service says otherwise. */
  readonly script?: TelaScript.Script | ((request: TelaScript.RunRequest) => TelaScript.Script) | undefined
  /**
   * How many times faster than scripted the runs are. The times that they report stay as scripted.
   *
   * @default 1
   */
  readonly speed?: number | undefined
  /**
   * Whether responses to polls are in camel case, with `creditsUsed` (assumption 1).
   *
   * @default false
   */
  readonly camelCaseRuns?: boolean | undefined
  /**
   * Whether responses to polls have `credits_used` (assumption 1).
   *
   * @default false
   */
  readonly creditsUsed?: boolean | undefined
  /**
   * Whether lists are bare arrays instead of pages with meta data (assumption 15).
   *
   * @default false
   */
  readonly bareLists?: boolean | undefined
  /**
   * Whether a task is `completed` as soon as its run has succeeded, without an approval (assumption 8).
   *
   * @default false
   */
  readonly autoComplete?: boolean | undefined
  /**
   * The type of the event for an approval that is taken back (assumption 10).
   *
   * @default "task.approval_revoked"
   */
  readonly approvalRevokedEvent?: string | undefined
  /**
   * How long a presigned URL is valid.
   *
   * @default "1 hour"
   */
  readonly fileLifetime?: Duration.Input | undefined
  /**
   * The largest size of a file, in bytes.
   *
   * @default 100 MB
   */
  readonly fileSize?: number | undefined
  /**
   * Whether uploads without `content-length` are refused, as object stores do: chunked uploads with 501, others with 411.
   *
   * @default true
   */
  readonly requireContentLength?: boolean | undefined
  /**
   * The client that sends webhooks.
   *
   * @default a client on `fetch`
   */
  readonly webhookClient?: HttpClient.HttpClient | undefined
  /**
   * The hosts that webhooks are sent to. Webhooks for other hosts are recorded and not sent.
   *
   * @default ["127.0.0.1", "localhost", "[::1]"]
   */
  readonly webhookHosts?: ReadonlyArray<string> | undefined
  /**
   * How often a webhook that fails is sent (assumption 13).
   *
   * @default 1
   */
  readonly webhookAttempts?: number | undefined
  /** What goes wrong with webhooks, unless the control service says otherwise. */
  readonly deliveryScript?: WebhookDelivery.Script | undefined
  /**
   * The peculiarities of real servers that the emulator has.
   *
   * @default Rude.none
   */
  readonly rude?: Rude.Rude | undefined
}

/**
 * The default of the option `origin`: the origin of the real service.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultOrigin = "https://api.tela.com"

/**
 * The default of the option `fileOrigin` in memory.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultFileOrigin = "https://files.tela.emulator"

/**
 * Makes an emulator. Until the scope closes, it sends the webhooks of runs.
 *
 * **When to use**
 *
 * Use it to serve an emulator in another way, with its `httpApp`. Otherwise use {@link layerTest}.
 *
 * **Example** (The canvases of a new emulator)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const emulator = yield* TelaEmulator.make({ canvases: [TelaEmulator.invoiceCanvas] })
 *   return (yield* emulator.canvases).some(({ title }) => title === "Invoice reader")
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(main))) // => true
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
  const shared = yield* Provider.make<TelaScript.RunRequest, TelaScript.Script, runs.Run, Grant>(options, {
    defaultOrigin,
    fileOrigin: options.fileOrigin,
    defaultFileOrigin,
    isApiKey: () => true,
    webhookPauses: webhooks.pauses(options.webhookAttempts ?? 1),
    errorBody,
    // Assumptions 19 and 20: only a `Fault` causes 429 and 402
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
    canvas: (given) =>
      Effect.map(shared.now, (now) => {
        const canvas = Check.options(given, canvasNames)
        return shownCanvas(api.canvases.define(canvas, { now, uuid: shared.uuid }))
      }),
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
      Check.kind("taskId", taskId, Predicate.isString, "text")
      const task = api.tasks.revokeApproval(taskId, yield* shared.now)
      if (task !== undefined) yield* api.emit(options.approvalRevokedEvent ?? "task.approval_revoked", task)
      return task !== undefined
    }),
    expireFiles: Effect.sync(shared.links.expireAll)
  }
})

const canvasNames: Readonly<Record<keyof TelaScript.Canvas, true>> = {
  id: true,
  versionIds: true,
  environments: true,
  applicationId: true,
  title: true,
  projectId: true,
  variables: true,
  structuredOutput: true,
  isWorkflow: true,
  script: true,
  output: true
}

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
 * Creates a layer with the control service alone.
 *
 * **When to use**
 *
 * Use it together with {@link layerHttpClient}, or to serve the emulator in another way. Otherwise use {@link layerTest}.
 *
 * **Example** (The origin of the API)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const origin = TelaEmulator.TelaEmulator.use(({ origin }) => Effect.succeed(origin))
 *
 * console.log(await Effect.runPromise(Effect.provide(origin, TelaEmulator.layer()))) // => "https://api.tela.com"
 * ```
 *
 * @see {@link layerTest} for the control service and an `HttpClient`
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<TelaEmulator> => Layer.effect(TelaEmulator, make(options))

/**
 * A layer with an `HttpClient` that calls the emulator in memory, without a socket.
 *
 * **When to use**
 *
 * Use it if several clients share one emulator. Otherwise use {@link layerTest}.
 *
 * **Example** (A request without a key)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { HttpClient } from "effect/http"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.map(HttpClient.get("https://api.tela.com/api-key"), ({ status }) => status)
 * const layer = TelaEmulator.layerHttpClient.pipe(Layer.provide(TelaEmulator.layer()))
 *
 * console.log(await Effect.runPromise(Effect.provide(main, layer))) // => 401
 * ```
 *
 * @see {@link layerTest} for both in one layer
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, TelaEmulator> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(TelaEmulator, Emulator.toHttpClient)
)

/**
 * Creates a layer with an `HttpClient` that calls the emulator in memory, and with the service that controls the emulator.
 *
 * **Example** (A client on the emulator)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const emulator = yield* TelaEmulator.TelaEmulator
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   console.log((yield* canvas.execute({ topic: "tides" })).result) // => "twice a day"
 *   console.log((yield* emulator.runs).length) // => 1
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: "twice a day" } }))
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link toWebHandler} for a function from `Request` to `Response`
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (options?: Options): Layer.Layer<TelaEmulator | HttpClient.HttpClient> =>
  // Fresh, because otherwise two emulators in one program share the client of the first
  Layer.provideMerge(Layer.fresh(layerHttpClient), layer(options))

/**
 * Makes an emulator as a function from a web `Request` to a promise of a `Response`, with the service that controls it.
 *
 * **Details**
 *
 * If the connection breaks, the promise is rejected, as that of `fetch` is.
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
 * @see {@link layerTest} for an Effect `HttpClient`
 * @category converting
 * @since 0.1.0
 */
export const toWebHandler = (options?: Options): {
  /** Answers a request. */
  readonly handler: (request: Request) => Promise<Response>
  /** Stops the emulator, which sends no webhooks from then on. */
  readonly dispose: () => Promise<void>
  /** The control service. */
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
