/** The values for the wrong calls: clients on emulators, handles, and providers with faulty responses. */
import { Context, Duration, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { KeyValueStore, RateLimiter } from "effect/persistence"
import { Workflow, WorkflowEngine } from "effect/workflow"
import { type Artifact, Budget, Polling, RunRef, type RunSource, RunStore, Spine, Tela, Webhooks } from "canvas-runs"
import { Emulator, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { NodeSqlite } from "canvas-runs/node"
import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
import { type Answer, transportError } from "../support/http.ts"

/** The key of every client. No message may contain it. */
export const key = "sk_spine_planted_secret_of_messages"

/** The secrets in the calls. */
export const secrets = [key, "a secret of webhooks", "signature=abc", "me:abc", "token=abc", "sk spaced"]

/** The id in the calls. */
export const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

/** An error response, in the form of both providers. */
const refusal = (status: number, message: string, headers: Readonly<Record<string, string>> = {}) => () =>
  Response.json({ success: false, error: message, message }, { status, headers })

const ofType = (type: string, text: string) => () => new Response(text, { headers: { "content-type": type } })

const unreachable = (code: string) => () =>
  Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code })
  })

/** The possible responses of a provider. */
const answers = {
  400: refusal(400, "the text is too long"),
  401: refusal(401, `the key ${key} is revoked`),
  402: refusal(402, "no credits are left"),
  403: refusal(403, "this key reads only"),
  404: refusal(404, "not found"),
  409: refusal(409, "the task is completed"),
  422: refusal(422, "subject is not a variable"),
  429: refusal(429, "slow down", { "retry-after": "30" }),
  500: refusal(500, "out of memory"),
  503: () => new Response("", { status: 503 }),
  html: ofType("text/html", "<html><h1>Welcome to the proxy</h1></html>"),
  truncated: ofType("application/json", "{\"success\": true, \"da"),
  empty: ofType("application/json", ""),
  odd: ofType("application/json", "{\"success\": true, \"data\": { \"id\": 5 }}"),
  redirect: () => new Response("", { status: 308, headers: { location: "https://login.example/?token=abc" } }),
  refused: unreachable("ECONNREFUSED"),
  reset: unreachable("ECONNRESET"),
  silence: () => "silence" as const
} satisfies Record<string | number, () => Answer>

const Call = Workflow.make("Call", { payload: {}, error: DurableRun.Error, idempotencyKey: () => "call" })

/** Runs a call in the handler of a workflow. */
const inWorkflow = (spine: Spine.Service) =>
<A>(
  call: Effect.Effect<
    A,
    DurableRun.Error,
    | RunStore.RunStore
    | Spine.SpineClient
    | Waits.Waits
    | WorkflowEngine.WorkflowEngine
    | WorkflowEngine.WorkflowInstance
  >
) =>
  Call.execute({}).pipe(
    Effect.provide(
      Call.toLayer(() => Effect.asVoid(call)).pipe(
        Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
        Layer.provideMerge([
          WorkflowEngine.layerMemory,
          RunStore.layerMemory,
          Layer.succeed(Spine.SpineClient, spine)
        ])
      )
    )
  )

/** The clients, and the objects of the calls. */
export type World = Effect.Success<typeof make>

/** Makes all values that a call can name. */
export const make = Effect.gen(function*() {
  /** The requests of the running call, as text. */
  const requests: Array<string> = []
  const record = (client: HttpClient.HttpClient) =>
    HttpClient.make((request, url) => {
      requests.push(`${request.method} ${url.pathname}`)
      return client.execute(request)
    })

  const emulators = [
    yield* SpineEmulator.make({ script: { timeline: Timeline.make({ duration: "1 minute" }) } }),
    yield* TelaEmulator.make({ script: { timeline: Timeline.make({ duration: "30 seconds" }), output: "a poem" } })
  ] as const
  const emulated = emulators.map((emulator) => [emulator.origins, Emulator.toHttpClient(emulator)] as const)
  const http = record(
    HttpClient.make((request, url) =>
      (emulated.find(([origins]) => origins.includes(url.origin)) ?? emulated[0]!)[1].execute(request)
    )
  )

  const clients = (client: HttpClient.HttpClient) =>
    Effect.all({
      spine: Spine.make({ apiKey: Redacted.make(key), retry: Schedule.recurs(0) }),
      tela: Tela.make({ apiKey: Redacted.make(key), retry: Schedule.recurs(0) })
    }).pipe(Effect.provideService(HttpClient.HttpClient, client), Effect.orDie)

  const { spine, tela } = yield* clients(http)
  const Letter = Schema.Struct({ topic: Schema.String })
  const canvasOf = (tela: Tela.Service) => tela.canvas.make({ id, input: Letter, output: Schema.String })
  const made = yield* emulators[1].canvas({ variables: [{ name: "topic", required: true }] })
  const canvas = tela.canvas.make({ id: made.id, input: Letter, output: Schema.String })

  /** Clients of providers with this response to each request. */
  const answered = (kind: keyof typeof answers) => {
    const client = record(HttpClient.make((request) => {
      const answer: Answer = answers[kind]()
      return answer === "silence"
        ? Effect.never
        : answer instanceof Error
        ? Effect.fail(transportError(request, answer))
        : Effect.succeed(HttpClientResponse.fromWeb(request, answer))
    }))
    const { spine, tela } = Effect.runSync(clients(client))
    return { spine, tela, canvas: canvasOf(tela) }
  }

  const run = yield* spine.runs.create({ prompt: "x" })
  const failing = yield* spine.runs.create({ prompt: SpineEmulator.failingPrompt })
  const ref = RunRef.make({ provider: "spine", kind: "run", id: run.run_id })
  const created = yield* canvas.execute({ topic: "the sea" }, { async: true })
  const artifact: Spine.Artifact = {
    id: "a",
    name: "chart.png",
    type: "image",
    download_url: "https://files.example/chart.png?signature=abc"
  } as Spine.Artifact

  const source: RunSource.RunSource<string, string, never> = {
    ref: RunRef.make({ provider: "acme", kind: "job", id: "1" }),
    retrieve: Effect.succeed({ value: "running", requestId: undefined, retryAfter: undefined }),
    classify: () => ({ _tag: "Pending" }),
    status: (status) => status,
    unchanged: (previous, next) => previous === next
  }
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const artifactSource: Artifact.ArtifactSource = {
    name: "chart.png",
    url: "https://files.example/chart.png?signature=abc",
    size: undefined,
    ref,
    refresh: Effect.undefined
  }
  const transfer: Artifact.Options = {
    client: http,
    idleTimeout: Duration.seconds(5),
    retry: Schedule.recurs(0),
    retryAfterCeiling: Duration.seconds(5)
  }

  return {
    spine,
    tela,
    spineEmulator: emulators[0],
    telaEmulator: emulators[1],
    source,
    policy: yield* Polling.makePolicy("acme.wait", {}, { pollInterval: "1 second", timeout: "1 minute" }),
    artifactSource,
    transfer,
    canvas,
    untyped: tela.canvas.make({ id: made.id }),
    workstation: tela.canvas.make({ applicationId: made.applicationId, input: Letter, output: Schema.String }),
    answered,
    store: yield* RunStore.make,
    budget: Context.get(yield* Layer.build(Budget.layerMemory({ limit: 50 })), Budget.Budget),
    database: NodeSqlite.layer({ filename: ":memory:" }),
    inWorkflow: inWorkflow(spine),
    waits: Context.get(
      yield* Layer.build(Layer.provide(Waits.layerMemory({ providers: [] }), WorkflowEngine.layerMemory)),
      Waits.Waits
    ),
    hub: yield* Webhooks.make(),
    /** A run that completes after a minute, and one that fails. */
    ref,
    failing: failing.ref,
    execution: created,
    telaRef: created.ref,
    shared: yield* spine.runs.share(ref),
    artifact,
    id,
    bytes: new Uint8Array([97, 98, 99]),
    secret: Redacted.make("a secret of webhooks"),
    made,
    Letter,
    cyclic,
    limiter: Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory),
    http,
    requests
  }
}).pipe(Effect.provide(KeyValueStore.layerMemory))
