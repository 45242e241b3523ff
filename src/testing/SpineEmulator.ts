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
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Hmac from "../internal/hmac.ts"
import * as SpineSchema from "../spine/SpineSchema.ts"
import * as Emulator from "./Emulator.ts"
import * as Deliveries from "./internal/deliveries.ts"
import * as Ends from "./internal/ends.ts"
import * as fileResponse from "./internal/fileResponse.ts"
import * as rude from "./internal/rude/http.ts"
import * as rudeDeliveries from "./internal/rude/deliveries.ts"
import * as rudeProfiles from "./internal/rude/profiles.ts"
import * as internal from "./internal/spine/plan.ts"
import * as webHandler from "./internal/webHandler.ts"
import * as OfficeFiles from "./OfficeFiles.ts"
import * as Timeline from "./Timeline.ts"
import type * as Rude from "./Rude.ts"
import type * as WebhookDelivery from "./WebhookDelivery.ts"

/**
 * What a client asked for with `POST /v1/run`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreateRequest {
  readonly prompt: string
  readonly template: SpineSchema.Template | undefined
  readonly blocks: ReadonlyArray<SpineSchema.BlockType> | undefined
  readonly agent_instructions: string | undefined
  readonly webhook_url: string | undefined
  readonly files: ReadonlyArray<Emulator.ReceivedFile>
}

/**
 * A file that a scripted run makes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptedArtifact {
  readonly name: string
  /** @default the extension of the name */
  readonly type?: string | undefined
  readonly contentType?: string | undefined
  /** A file too large to hold in memory is a stream with its size. */
  readonly content: string | Uint8Array | { readonly size: number; readonly stream: Stream.Stream<Uint8Array> }
}

/**
 * What a run will do. Everything that is left out is as in the emulator's own `script` option, or has its default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /** @default 12 minutes with five tasks, to a good end */
  readonly timeline?: Timeline.Timeline | undefined
  /**
   * How many polls of the running run lack the `canvas_id` (S1). With `"never"` it is missing from the end as well.
   *
   * @default 1
   */
  readonly canvasIdAfter?: number | "never" | undefined
  /** @default a text in Markdown that repeats the prompt */
  readonly finalOutput?: string | undefined
  /** @default the files that follow from the blocks or the template */
  readonly artifacts?: ReadonlyArray<ScriptedArtifact> | undefined
  /** @default 45 */
  readonly credits?: number | undefined
  /** @default ["anthropic/claude-sonnet-4-6"] */
  readonly models?: ReadonlyArray<string> | undefined
  /**
   * What the answer to the creation promises (K3).
   *
   * @default "15 minutes"
   */
  readonly estimatedDuration?: Duration.Input | undefined
}

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
 * The types of events that webhooks tell of.
 *
 * @category models
 * @since 0.1.0
 */
export type WebhookEvent = "run.started" | "run.completed" | "run.failed" | "webhook.ping"

/**
 * Who is told of events: what the workspace's developer portal would hold.
 *
 * **Example** (Receiving the test event without a socket)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 * import { Deferred, Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const received = yield* Deferred.make<string | undefined>()
 *   const webhookClient = HttpClient.make((request) =>
 *     Effect.as(
 *       Deferred.succeed(received, request.headers["spine-event-type"]),
 *       HttpClientResponse.fromWeb(request, new Response(null, { status: 204 }))
 *     ))
 *   const emulator = yield* SpineEmulator.make({
 *     webhooks: [{ url: "http://127.0.0.1:8080/hook", secret: "whsec_example" }],
 *     webhookClient
 *   })
 *   yield* emulator.ping
 *   return yield* Deferred.await(received)
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => "webhook.ping"
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface WebhookEndpoint {
  /** Must be on this machine, unless the options name other hosts. */
  readonly url: string
  /** What webhooks are signed with, all of it (W1). Spine's own begin with `whsec_`. */
  readonly secret: string
  /**
   * Which events it is told of.
   *
   * @default ["*"]
   */
  readonly events?: ReadonlyArray<WebhookEvent | "*"> | undefined
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
   * Tells of a run that ends `partial` with a `run.completed` (W5); otherwise nobody is told.
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
 * A prompt that begins with this text makes a run that fails, whatever its script says. The text after it becomes the
 * error of the run.
 *
 * **Example** (A run that fails, on a server that cannot be scripted)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const prompt = `${SpineEmulator.failingPrompt} out of paper`
 *
 * prompt // => "emulator: fail out of paper"
 * ```
 *
 * @see {@link partialPrompt}
 * @category constants
 * @since 0.1.0
 */
export const failingPrompt = "emulator: fail"

/**
 * A prompt that begins with this text makes a run that ends `partial`, whatever its script says. The text after it
 * becomes the error of the run.
 *
 * @see {@link failingPrompt}
 * @category constants
 * @since 0.1.0
 */
export const partialPrompt = "emulator: partial"

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
  const scope = yield* Effect.scope
  const uuid = yield* Emulator.uuids
  const has = rude.hasOf(options.rude ?? [])
  const refusedLink = rude.makeLinks(has)
  const newId = (kind: string) => has("oddIds") ? `${kind}_${uuid().replaceAll("-", ".")}` : uuid()
  const origin = options.origin ?? defaultOrigin
  const speed = options.speed ?? 1
  const lifetimeMillis = Duration.toMillis(options.artifactLifetime ?? "1 hour")
  const limits: Emulator.FormLimits = {
    fileSize: options.limits?.fileSize ?? 25_000_000,
    totalSize: options.limits?.totalSize ?? 100_000_000,
    files: options.limits?.files ?? 20
  }
  const runs = new Map<string, Run>()
  const runsByCanvas = new Map<string, Run>()
  const revoked = new Map<string, number>()
  // Ordered by expiry, as every grant lives equally long. What is not here is refused, so expired grants can go.
  const grants = new Map<string, Grant>()
  const { script: given } = options
  const defaults = typeof given === "function" ? given : () => given
  let script: (request: CreateRequest) => Script = () => ({})
  let endpoints = options.webhooks ?? []

  const now: Effect.Effect<number> = Effect.suspend(() => emulator.now)

  const stateOf = (run: Run, now: number) => Timeline.at(run.timeline, Math.floor((now - run.createdAt) * speed))

  // A URL is signed anew whenever it is shown (A1).
  const sign = (requested: string, now: number, file: ArtifactFile): string => {
    const expiresAt = now + lifetimeMillis
    for (const [signature, grant] of grants) {
      if (grant.expiresAt > now) break
      grants.delete(signature)
    }
    const signature = uuid().replaceAll("-", "")
    grants.set(signature, { file, expiresAt })
    const base = options.artifactOrigin ?? (requested === origin ? defaultArtifactOrigin : requested)
    const name = encodeURIComponent(file.name)
    return `${base}/_artifacts/${file.id}/${name}?expires=${expiresAt}&signature=${signature}`
  }

  const resultOf = Effect.fnUntraced(function*(run: Run, requested: string, now: number) {
    const artifacts = yield* run.artifacts
    return {
      final_output: run.script.finalOutput ?? defaultOutput(run.request, artifacts),
      artifacts: artifacts.map((file) => ({
        id: file.id,
        type: file.type,
        name: file.name,
        download_url: sign(requested, now, file),
        size_bytes: file.size
      }))
    }
  })

  const metadataOf = (run: Run) => ({
    // S4: the template sent, even if blocks won over it.
    template_used: run.request.template ?? "auto",
    models_used: run.script.models ?? ["anthropic/claude-sonnet-4-6"],
    credits_consumed: run.script.credits ?? 45
  })

  const errorsOf = (run: Run, status: string) =>
    (run.timeline.errors.length > 0 ? run.timeline.errors : [defaultError(run, status)]).map((error) => ({ error }))

  // --- what is told to whoever wants to know ---

  const ends = Ends.make<Run>({
    scope,
    now,
    endsAt: (run) => run.createdAt + Math.ceil(run.timeline.durationMillis / speed),
    hasEnded: (run, now) => stateOf(run, now).endedAtMillis !== undefined
  })
  const deliveries = yield* Deliveries.make({
    client: options.webhookClient,
    hosts: options.webhookHosts,
    pauses: options.webhookRetries ?? defaultWebhookRetries,
    script: rudeDeliveries.script(has, options.deliveryScript),
    scope,
    now,
    until: ends.until
  })

  const emit = Effect.fnUntraced(function*(
    type: WebhookEvent,
    subjectId: string | undefined,
    object: Readonly<Record<string, unknown>>
  ) {
    const created = Math.floor((yield* now) / 1000)
    const id = `evt_${uuid().replaceAll("-", "")}`
    const body = { id, type, created, livemode: false, api_version: "2026-04-01", data: { object } }
    // W2: the header repeats the body's id.
    const headers = { "user-agent": "Spine-Webhooks/1.0", "spine-event-id": id, "spine-event-type": type }
    for (const { events = ["*"], secret, url } of endpoints) {
      if (type !== "webhook.ping" && !events.includes(type) && !events.includes("*")) continue
      yield* deliveries.send({
        id,
        event: type,
        webhookId: undefined,
        subjectId,
        url,
        headers,
        body,
        // W6: each try has the time of its own. It is the program's, as whoever receives it compares it with that.
        sign: (text) =>
          Effect.gen(function*() {
            const timestamp = Math.floor((yield* Clock.currentTimeMillis) / 1000)
            const signature = yield* Hmac.sign(secret, `${timestamp}.`, encoder.encode(text))
            return { "spine-signature": `t=${timestamp},v1=${Hex.encode(signature)}` }
          })
      })
    }
  })

  // W4. Whatever the timeline lets polls say, the run has ended.
  const tellOfEnd = Effect.fnUntraced(function*(run: Run) {
    const { outcome: status } = run.timeline
    if (status === "partial" && options.partialWebhooks !== true) return
    const { elapsedMillis: duration_ms } = stateOf(run, yield* now)
    const head = {
      run_id: run.id,
      ...(run.script.canvasIdAfter === "never" ? {} : { canvas_id: run.canvasId }),
      status,
      duration_ms
    }
    if (status === "failed") return yield* emit("run.failed", run.id, { ...head, errors: errorsOf(run, status) })
    const result = yield* resultOf(run, run.requested, yield* now)
    yield* emit("run.completed", run.id, {
      ...head,
      ...(options.nestedWebhooks === true ? { result, metadata: metadataOf(run) } : result),
      ...(status === "partial" ? { errors: errorsOf(run, status) } : {})
    })
  })

  const authenticate = Effect.fnUntraced(function*({ now, request }: Emulator.Exchange) {
    const key = request.headers["x-api-key"]
    if (key === undefined || key === "") return yield* new Refusal({ status: 401, error: "X-API-KEY header required" })
    const known = options.apiKeys === undefined ? /^sk_spine_.+$/.test(key) : options.apiKeys.includes(key)
    if (!known || now >= (revoked.get(key) ?? Infinity)) {
      return yield* new Refusal({ status: 401, error: "Invalid API key" })
    }
    return key
  })

  const findRun = (from: ReadonlyMap<string, Run>, what: "Run" | "Canvas", id: string, key: string) => {
    const run = from.get(id.toLowerCase())
    return run !== undefined && run.apiKey === key
      ? Effect.succeed(run)
      : Effect.fail(new Refusal({ status: 404, error: `${what} not found: ${id}` }))
  }

  const createRun: Handler = Effect.fnUntraced(function*(exchange, apiKey) {
    const request = yield* readCreateRequest(exchange, limits, options.acceptAnyFileType === true)
    const own = script(request)
    const merged: Script = { ...defaults(request), ...definedOnly(own) }
    const timeline = internal.withReservedOutcome(request.prompt, merged.timeline ?? defaultTimeline, {
      failed: failingPrompt,
      partial: partialPrompt
    })
    const plan = internal.makePlan({
      template: request.template ?? "auto",
      blocks: request.blocks,
      uploads: request.files.map((file) => ({ name: file.name, isImage: kindOf(file) === "image" })),
      files: merged.artifacts?.map(artifactType),
      tasks: timeline.tasks,
      uuid: exchange.uuid
    })
    const run: Run = {
      id: newId("run"),
      canvasId: newId("cnv"),
      apiKey,
      request,
      requested: Emulator.originOf(exchange.request),
      createdAt: exchange.now,
      script: merged,
      timeline,
      plan,
      artifacts: yield* Effect.cached(makeArtifacts(plan, timeline, request, merged.artifacts)),
      polls: 0
    }
    runs.set(run.id, run)
    runsByCanvas.set(run.canvasId, run)
    if (endpoints.length > 0) {
      yield* emit("run.started", run.id, {
        run_id: run.id,
        ...(merged.canvasIdAfter === 0 ? { canvas_id: run.canvasId } : {}),
        status: "running"
      })
      yield* ends.tell(run, tellOfEnd(run))
    }
    yield* rudeDeliveries.beforeAnswer(has)
    return ok({
      run_id: run.id,
      status: "running",
      poll_url: `/v1/run/${run.id}`,
      estimated_duration_ms: Duration.toMillis(merged.estimatedDuration ?? "15 minutes")
    })
  })

  const getRun = (id: string): Handler =>
    Effect.fnUntraced(function*(exchange, apiKey) {
      if (!has("oddIds")) yield* checkUuid("run_id", id)
      const run = yield* findRun(runs, "Run", id, apiKey)
      const state = stateOf(run, exchange.now)
      const after = run.script.canvasIdAfter ?? 1
      const status = state.status ?? state.phase
      const ended = status === "completed" || status === "partial" || status === "failed"
      const known = after !== "never" && (ended || run.polls >= after)
      run.polls++
      const head = { run_id: run.id, status, ...(known ? { canvas_id: run.canvasId } : {}) }
      // S2, S3, S7: a field that does not apply is left out.
      if (status === "failed") return ok({ ...head, errors: errorsOf(run, status) })
      if (!ended) {
        return ok({
          ...head,
          progress: {
            tasks_completed: state.progress.completed,
            tasks_total: state.progress.total,
            elapsed_ms: state.elapsedMillis
          }
        })
      }
      return ok({
        ...head,
        duration_ms: state.elapsedMillis,
        result: yield* resultOf(run, Emulator.originOf(exchange.request), exchange.now),
        metadata: metadataOf(run),
        ...(status === "partial" ? { errors: errorsOf(run, status) } : {})
      })
    })

  const getDag = (canvasId: string): Handler =>
    Effect.fnUntraced(function*(exchange, apiKey) {
      if (!has("oddIds")) yield* checkUuid("canvas_id", canvasId)
      const run = yield* findRun(runsByCanvas, "Canvas", canvasId, apiKey)
      const state = stateOf(run, exchange.now)
      const blocks = internal.visibleBlocks(run.plan, state)
      const artifacts = state.endedAtMillis === undefined ? [] : yield* run.artifacts
      return ok({
        canvas_id: run.canvasId,
        canvas_name: firstLine(run.request.prompt),
        nodes: blocks.map((block) => {
          const file = artifacts.find((file) => file.id === block.id)
          const research = researchTypes.has(block.type) && block.status === "completed"
          // B2, B3: null and [] where nothing applies.
          return {
            id: block.id,
            name: block.name,
            type: block.type,
            status: block.status,
            content: block.uploaded || block.status !== "completed" || file !== undefined
              ? null
              : `## ${block.name}\n\nWhat this block found about: ${run.request.prompt}`,
            url: file !== undefined
              ? sign(Emulator.originOf(exchange.request), exchange.now, file)
              : linkTypes.has(block.type) && block.status === "completed"
              ? `https://example.com/${block.id}`
              : null,
            sources: research
              ? [1, 2].map((n) => ({ title: `Source ${n}`, url: `https://example.com/${block.id}/${n}` }))
              : []
          }
        }),
        edges: internal.edges(blocks)
      })
    })

  const getTasks = (canvasId: string): Handler =>
    Effect.fnUntraced(function*(exchange, apiKey) {
      if (!has("oddIds")) yield* checkUuid("canvas_id", canvasId)
      const run = yield* findRun(runsByCanvas, "Canvas", canvasId, apiKey)
      const tasks = internal.visibleTasks(run.plan, stateOf(run, exchange.now))
      // B5: a root goes by its own status, with all that is below it.
      return ok({
        canvas_id: run.canvasId,
        completed: tasks.filter((task) => task.status === "completed"),
        not_completed: tasks.filter((task) => task.status !== "completed")
      })
    })

  const getTask = (canvasId: string, taskId: string): Handler =>
    Effect.fnUntraced(function*(exchange, apiKey) {
      if (!has("oddIds")) yield* checkUuid("canvas_id", canvasId)
      yield* checkUuid("task_id", taskId)
      const run = yield* findRun(runsByCanvas, "Canvas", canvasId, apiKey)
      const task = internal.findTask(
        internal.visibleTasks(run.plan, stateOf(run, exchange.now)),
        taskId.toLowerCase()
      )
      if (task === undefined) return yield* new Refusal({ status: 404, error: `Task not found: ${taskId}` })
      // B6: the children, without theirs.
      return ok({ ...task, children: task.children.map(internal.withoutChildren) })
    })

  const getArtifact = Effect.fnUntraced(function*({ now, request, url }: Emulator.Exchange, id: string) {
    if (request.headers["x-api-key"] !== undefined) {
      return yield* new Refusal({ status: 400, error: "A signed URL must not be sent an X-API-KEY" })
    }
    const signature = url.searchParams.get("signature") ?? ""
    const grant = grants.get(signature)
    if (grant === undefined || grant.file.id !== id || url.searchParams.get("expires") !== String(grant.expiresAt)) {
      return yield* new Refusal({ status: 403, error: "Invalid signature" })
    }
    if (now >= grant.expiresAt) return yield* new Refusal({ status: 403, error: "The URL has expired" })
    const refusedWith = refusedLink(id, signature)
    if (refusedWith !== undefined) return rude.expired(refusedWith)
    const { file } = grant
    return fileResponse.respond(request.headers, { ...file, etag: `"${file.id}-${file.size.toString(16)}"` })
  })

  const route = (path: string): Route | undefined => {
    const [first, second, third, fourth, fifth, ...rest] = path.split("/").slice(1)
    if (rest.length > 0 || first === undefined) return undefined
    if (first === "_artifacts") {
      return second !== undefined && third !== undefined && fourth === undefined
        ? { method: "GET", handle: (exchange) => getArtifact(exchange, second) }
        : undefined
    }
    if (first !== "v1") return undefined
    const authenticated = (method: "GET" | "POST", handler: Handler): Route => ({
      method,
      handle: (exchange) => Effect.flatMap(authenticate(exchange), (apiKey) => handler(exchange, apiKey))
    })
    if (second === "run" && fourth === undefined) {
      return third === undefined ? authenticated("POST", createRun) : authenticated("GET", getRun(third))
    }
    if (second !== "canvas" || third === undefined) return undefined
    if (fourth === "dag" && fifth === undefined) return authenticated("GET", getDag(third))
    if (fourth !== "tasks") return undefined
    return authenticated("GET", fifth === undefined ? getTasks(third) : getTask(third, fifth))
  }

  // R7: the route, then the key, the ids in the path, the body, and last whether the thing exists.
  const emulator: Emulator.Emulator = yield* Emulator.make(
    {
      origins: [origin, options.artifactOrigin ?? defaultArtifactOrigin],
      requestIdHeader: "x-request-id",
      rude: options.rude,
      rudeProfile: rudeProfiles.spine,
      errorBody: (status) => ({ success: false, error: statusTexts[status] ?? `HTTP ${status}` })
    },
    (exchange) =>
      Effect.suspend(() => {
        const found = route(exchange.url.pathname)
        if (found === undefined) return new Refusal({ status: 404, error: "Not found" })
        return found.method === exchange.request.method
          ? found.handle(exchange)
          : new Refusal({ status: 405, error: "Method not allowed", headers: { allow: found.method } })
      }).pipe(
        Effect.catchTag("Refusal", ({ error, headers, status }) =>
          Effect.succeed(HttpServerResponse.jsonUnsafe({ success: false, error }, { status, headers })))
      )
  )

  return {
    ...emulator,
    origin,
    advance: (duration) => Effect.andThen(emulator.advance(duration), ends.moved),
    runs: Effect.map(emulator.now, (now) =>
      Array.from(runs.values(), (run): EmulatedRun => ({
        id: run.id,
        canvasId: run.canvasId,
        apiKey: run.apiKey,
        request: run.request,
        createdAt: run.createdAt,
        polls: run.polls,
        state: stateOf(run, now)
      }))),
    script: (next) =>
      Effect.sync(() => {
        script = typeof next === "function" ? next : () => next
      }),
    expireArtifacts: Effect.sync(() => grants.clear()),
    revokeKey: (apiKey, revocation) =>
      Effect.map(emulator.now, (now) => {
        revoked.set(apiKey, now + Duration.toMillis(revocation?.after ?? 0))
      }),
    webhooks: (...next) =>
      Effect.flatMap(emulator.now, (now) => {
        // Nobody has been waiting for the ends of these.
        const unheard = endpoints.length > 0 ? [] : Array.from(runs.values())
        endpoints = next
        return Effect.forEach(
          unheard.filter((run) => stateOf(run, now).endedAtMillis === undefined),
          (run) => ends.tell(run, tellOfEnd(run)),
          { discard: true }
        )
      }),
    ping: Effect.suspend(() => emit("webhook.ping", undefined, {})),
    deliveries: Effect.sync(deliveries.all),
    scriptDeliveries: (script) => Effect.sync(() => deliveries.setScript(rudeDeliveries.script(has, script)))
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

// ---------------------------------------------------------------------------------------------------------------------

class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly error: string
  readonly headers?: Readonly<Record<string, string>>
}> {}

type Handler = (
  exchange: Emulator.Exchange,
  apiKey: string
) => Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal>

interface Route {
  readonly method: "GET" | "POST"
  readonly handle: (exchange: Emulator.Exchange) => Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal>
}

interface Run extends Omit<EmulatedRun, "polls" | "state"> {
  /** The origin that the request was sent to. */
  readonly requested: string
  readonly script: Script
  readonly timeline: Timeline.Timeline
  readonly plan: internal.Plan
  readonly artifacts: Effect.Effect<ReadonlyArray<ArtifactFile>>
  polls: number
}

interface ArtifactFile {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly contentType: string
  readonly size: number
  readonly content: Uint8Array | Stream.Stream<Uint8Array>
}

interface Grant {
  readonly file: ArtifactFile
  readonly expiresAt: number
}

const defaultTimeline = Timeline.make()

const statusTexts: { readonly [status: number]: string } = {
  402: "Insufficient credits",
  429: "Too many requests",
  500: "An internal error occurred while creating the run",
  502: "Bad gateway",
  503: "Service unavailable",
  504: "Gateway timeout"
}

const researchTypes: ReadonlySet<SpineSchema.BlockType> = new Set([
  "web-block",
  "web-research-block",
  "deep-research-block"
])
const linkTypes: ReadonlySet<SpineSchema.BlockType> = new Set(["web-block", "yt-block"])

// R1: a creation answers 200 like everything else.
const ok = (data: unknown) => HttpServerResponse.jsonUnsafe({ success: true, data })

const definedOnly = (script: Script): Script =>
  Object.fromEntries(Object.entries(script).filter(([, value]) => value !== undefined))

// R9: any version, any case.
const checkUuid = (name: string, value: string): Effect.Effect<void, Refusal> =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value)
    ? Effect.void
    : Effect.fail(new Refusal({ status: 400, error: `Invalid ${name}: must be a valid UUID` }))

const firstLine = (text: string): string => text.trim().split("\n", 1)[0]!.slice(0, 80)

const defaultError = (run: Run, status: string): string =>
  status === "partial"
    ? `${internal.failedBlock(run.plan, "partial")?.type ?? "block"} failed`
    : "Agent execution failed"

const defaultOutput = (request: CreateRequest, artifacts: ReadonlyArray<ArtifactFile>): string =>
  [
    `# ${firstLine(request.prompt)}`,
    `The emulator was asked: ${request.prompt}`,
    ...(request.agent_instructions === undefined ? [] : [`It was told: ${request.agent_instructions}`]),
    ...(artifacts.length === 0 ? [] : [`## Files\n\n${artifacts.map((file) => `- ${file.name}`).join("\n")}`])
  ].join("\n\n")

// --- what is uploaded ---

const imageTypes: { readonly [extension: string]: string } = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml"
}

const documentTypes: { readonly [extension: string]: string } = {
  pdf: "application/pdf",
  docx: OfficeFiles.mediaTypes.docx!,
  xlsx: OfficeFiles.mediaTypes.xlsx!,
  csv: "text/csv",
  txt: "text/plain",
  md: "text/markdown",
  yaml: "application/yaml",
  yml: "application/yaml",
  json: "application/json",
  zip: "application/zip"
}

const imageMediaTypes = new Set(Object.values(imageTypes))
const documentMediaTypes = new Set([...Object.values(documentTypes), "text/yaml", "application/x-yaml"])

// F4: the extension decides, and only a name without one leaves it to the media type.
const kindOf = (file: Emulator.ReceivedFile): "image" | "document" | "unsupported" => {
  const extension = /\.([a-z0-9]+)$/i.exec(file.name)?.[1]?.toLowerCase()
  const mediaType = file.contentType.split(";", 1)[0]!.trim().toLowerCase()
  const [isImage, isDocument] = extension !== undefined
    ? [Object.hasOwn(imageTypes, extension), Object.hasOwn(documentTypes, extension)]
    : [imageMediaTypes.has(mediaType), documentMediaTypes.has(mediaType)]
  return isImage ? "image" : isDocument ? "document" : "unsupported"
}

const formErrors: {
  readonly [R in Emulator.FormError["reason"]]: { readonly status: number; readonly error: string }
} = {
  // R3
  NotMultipart: { status: 400, error: "Content-Type must be multipart/form-data" },
  Malformed: { status: 400, error: "Malformed multipart body" },
  // F1
  FileTooLarge: { status: 413, error: "File too large" },
  TotalTooLarge: { status: 413, error: "Files too large in total" },
  TooManyFiles: { status: 400, error: "Too many files" }
}

const singleFields = ["prompt", "template", "blocks", "agent_instructions", "webhook_url"]

const isTemplate = (value: string): value is SpineSchema.Template =>
  (SpineSchema.Template.literals as ReadonlyArray<string>).includes(value)

const isBlockType = (value: unknown): value is SpineSchema.BlockType =>
  (SpineSchema.BlockType.literals as ReadonlyArray<unknown>).includes(value)

const alphabetical = (values: ReadonlyArray<string>): string => [...values].sort().join(", ")

const readCreateRequest = Effect.fnUntraced(function*(
  exchange: Emulator.Exchange,
  limits: Emulator.FormLimits,
  acceptAnyFileType: boolean
): Effect.fn.Return<CreateRequest, Refusal> {
  const form = yield* Effect.mapError(exchange.form(limits), ({ reason }) => new Refusal(formErrors[reason]))
  const fields = new Map(form.fields)
  const repeated = singleFields.find((name) => form.fields.filter(([field]) => field === name).length > 1)
  if (repeated !== undefined) return yield* new Refusal({ status: 400, error: `Repeated field: ${repeated}` })

  const prompt = fields.get("prompt")
  // R2
  if (prompt === undefined || prompt.trim() === "") {
    return yield* new Refusal({ status: 400, error: "Missing required field: prompt" })
  }
  // R4: checked even if blocks win over it.
  const template = fields.get("template")
  if (template !== undefined && !isTemplate(template)) {
    return yield* new Refusal({
      status: 400,
      error: `Invalid template: ${template}. Valid templates: ${alphabetical(SpineSchema.Template.literals)}`
    })
  }
  const blocks = fields.get("blocks")
  const stray = form.files.find((file) => file.field !== "files")
  if (stray !== undefined) return yield* new Refusal({ status: 400, error: `Unexpected file field: ${stray.field}` })
  if (fields.has("files")) {
    return yield* new Refusal({ status: 400, error: "Invalid files: every part needs a file name" })
  }
  // F2
  const unsupported = acceptAnyFileType ? undefined : form.files.find((file) => kindOf(file) === "unsupported")
  if (unsupported !== undefined) {
    return yield* new Refusal({ status: 400, error: `Unsupported file type: ${unsupported.name}` })
  }
  return {
    prompt,
    template,
    blocks: blocks === undefined ? undefined : yield* parseBlocks(blocks),
    agent_instructions: fields.get("agent_instructions"),
    webhook_url: fields.get("webhook_url"),
    files: form.files
  }
})

const parseBlocks = Effect.fnUntraced(function*(
  text: string
): Effect.fn.Return<ReadonlyArray<SpineSchema.BlockType>, Refusal> {
  // R5
  const parsed = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new Refusal({ status: 400, error: "Invalid blocks: must be a JSON array of block types" })
  })
  if (!Array.isArray(parsed)) {
    return yield* new Refusal({ status: 400, error: "Invalid blocks: must be a JSON array of block types" })
  }
  const blocks: ReadonlyArray<unknown> = parsed
  if (blocks.length === 0) return yield* new Refusal({ status: 400, error: "Invalid blocks: must not be empty" })
  // R6
  const invalid = blocks.filter((block) => !isBlockType(block))
  if (invalid.length > 0) {
    return yield* new Refusal({
      status: 400,
      error: `Invalid block types: ${
        invalid.map((block) => typeof block === "string" ? block : JSON.stringify(block)).join(", ")
      }. Valid block types: ${alphabetical(SpineSchema.BlockType.literals)}`
    })
  }
  return blocks.filter(isBlockType)
})

// --- what is made ---

const artifactType = (artifact: ScriptedArtifact): string =>
  artifact.type ?? /\.([a-z0-9]+)$/i.exec(artifact.name)?.[1]?.toLowerCase() ?? "bin"

const encoder = new TextEncoder()

const makeArtifacts = Effect.fnUntraced(function*(
  plan: internal.Plan,
  timeline: Timeline.Timeline,
  request: CreateRequest,
  scripted: ReadonlyArray<ScriptedArtifact> | undefined
): Effect.fn.Return<ReadonlyArray<ArtifactFile>> {
  if (scripted !== undefined) {
    const blocks = plan.blocks.slice(plan.blocks.length - scripted.length)
    return scripted.map((artifact, index): ArtifactFile => {
      const { content, name } = artifact
      const type = artifactType(artifact)
      const bytes = typeof content === "string" ? encoder.encode(content) : content
      return {
        // The last blocks of the plan are there for these files.
        id: blocks[index]!.id,
        type,
        name,
        contentType: artifact.contentType ?? OfficeFiles.mediaTypes[type] ?? "application/octet-stream",
        size: bytes instanceof Uint8Array ? bytes.length : bytes.size,
        content: bytes instanceof Uint8Array ? bytes : bytes.stream
      }
    })
  }
  const failed = internal.failedBlock(plan, timeline.outcome)
  return yield* Effect.forEach(
    plan.blocks.filter((block) => block !== failed && internal.fileTypes[block.type] !== undefined),
    Effect.fnUntraced(function*(block) {
      const type = internal.fileTypes[block.type]!
      const content = yield* makeFile(type, block.name, request)
      return {
        id: block.id,
        type,
        name: `${block.name}.${type}`,
        contentType: OfficeFiles.mediaTypes[type]!,
        size: content.length,
        content
      }
    })
  )
})

const makeFile = (type: string, name: string, request: CreateRequest): Effect.Effect<Uint8Array> => {
  const content: OfficeFiles.Content = {
    title: firstLine(request.prompt),
    paragraphs: [`${name}, made by the Spine emulator.`, ...request.prompt.trim().split(/\n+/)]
  }
  switch (type) {
    case "docx":
      return OfficeFiles.docx(content)
    case "xlsx":
      return OfficeFiles.xlsx(content)
    case "pptx":
      return OfficeFiles.pptx(content)
    case "png":
      return Effect.succeed(OfficeFiles.png({ size: 8 + request.prompt.length % 57, color: [37, 99, 235] }))
    default:
      return Effect.succeed(OfficeFiles.html(content))
  }
}
