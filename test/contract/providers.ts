import { Context, type Duration, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { HttpClient } from "effect/http"
import { type RunError, type RunRef, Spine, Tela } from "canvas-runs"
import { Emulator, Rude, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as OwnProvider from "../../examples/28-own-provider.ts"
import * as Acme from "../../examples/support/acme.ts"
import { unknownStatus } from "../../src/testing/internal/rude/http.ts"

/** The operations on a run that every provider has. */
export interface Follow {
  readonly interval?: Duration.Input
  readonly timeout?: Duration.Input
  readonly errorBudget?: number
}

/** A run that was created. */
export interface Created {
  readonly ref: RunRef.RunRef
  /** A handle on the run; the same for all callers. */
  readonly share: (follow: Follow) => Effect.Effect<Handle, RunError.RequestError>
}

/** A handle on a run, whose waiters share its polls. */
export interface Handle {
  readonly wait: Effect.Effect<unknown, RunError.WaitError | RunError.WaitStoppedError | RunError.InvalidOutputError>
  /** The statuses, as they change. */
  readonly statuses: Stream.Stream<string, RunError.WatchError | RunError.WaitStoppedError>
}

/** A kind of run, in the form that the contract needs. */
export interface Provider {
  readonly name: string
  readonly secret: string
  readonly layer: Layer.Layer<Env>
  readonly emulator: Effect.Effect<Emulator.Emulator, never, Env>
  /** Sets the script of the runs created from now on. */
  readonly script: (timeline: Timeline.Timeline) => Effect.Effect<void, never, Env>
  readonly create: Effect.Effect<Created, RunError.CreateError, Env>
  /** Continues from a ref. */
  readonly resume: (ref: RunRef.RunRef, follow: Follow) => Effect.Effect<Handle, RunError.RequestError, Env>
  /** The path that runs are polled at. */
  readonly pollPath: RegExp
  /** Whether continuing from a ref starts with a look-up, as Tela's executions do. */
  readonly looksUp: boolean
}

/** The service of the example of a new provider, and the example's client for it. */
class AcmeService extends Context.Service<AcmeService, {
  readonly service: Effect.Success<ReturnType<typeof Acme.make>>
  readonly client: Effect.Success<ReturnType<typeof OwnProvider.make>>
}>()("test/contract/AcmeService") {}

/** The services that any provider needs. */
export type Env =
  | AcmeService
  | Spine.SpineClient
  | SpineEmulator.SpineEmulator
  | Tela.TelaClient
  | TelaEmulator.TelaEmulator

const spineSecret = "sk_spine_contract_secret"
const telaSecret = "tela_contract_secret"
const acmeSecret = "acme_contract_secret"

const acmeLayer = Layer.effect(
  AcmeService,
  Effect.gen(function*() {
    const service = yield* Acme.make(Timeline.make())
    const client = yield* OwnProvider.make(Redacted.make(acmeSecret)).pipe(
      Effect.provideService(HttpClient.HttpClient, Emulator.toHttpClient(service.emulator))
    )
    return { service, client }
  })
)

// Each provider gets all clients, which keeps the types of the suite simple. Only the poll loop retries.
const noRetry = { retry: Schedule.recurs(0) }

const layerOf = (rude: Rude.Rude): Layer.Layer<Env> =>
  Layer.mergeAll(
    acmeLayer,
    Layer.orDie(Spine.layer({ apiKey: Redacted.make(spineSecret), ...noRetry })).pipe(
      Layer.provideMerge(SpineEmulator.layerTest({ rude }))
    ),
    Layer.orDie(Tela.layer({ apiKey: Redacted.make(telaSecret), ...noRetry })).pipe(
      Layer.provideMerge(TelaEmulator.layerTest({ rude }))
    )
  )

/** The statuses as they change, without the one that a rude server inserts. */
const changing = <E>(statuses: Stream.Stream<string, E>): Stream.Stream<string, E> =>
  Stream.changes(Stream.filter(statuses, (status) => status !== unknownStatus))

const spineRuns = (layer: Layer.Layer<Env>): Provider => ({
  name: "Spine runs",
  secret: spineSecret,
  layer,
  emulator: SpineEmulator.SpineEmulator,
  script: (timeline) => SpineEmulator.SpineEmulator.use((emulator) => emulator.script({ timeline, canvasIdAfter: 0 })),
  create: Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const { ref } = yield* runs.create({ prompt: "x" })
    return { ref, share: (follow) => spineHandle(runs, ref, follow) }
  }),
  resume: (ref, follow) => Spine.SpineClient.use(({ runs }) => spineHandle(runs, ref, follow)),
  pollPath: /^\/v1\/run\//,
  looksUp: false
})

const spineHandle = (runs: Spine.Runs, ref: RunRef.RunRef, { errorBudget, interval, timeout }: Follow) =>
  Effect.map(
    runs.share(ref, { pollInterval: interval, timeout, errorBudget }),
    ({ wait, watch }): Handle => ({
      wait,
      statuses: changing(Stream.map(watch, (run) => run.status === "unknown" ? run.provider_status : run.status))
    })
  )

const telaCanvas = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
const telaApplication = "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55"

const tela = (
  layer: Layer.Layer<Env>,
  name: string,
  pollPath: RegExp,
  execute: (
    client: Tela.Service,
    follow: Tela.PollParams
  ) => Effect.Effect<Tela.AsyncExecution<unknown>, RunError.CreateError>,
  isTask: boolean
): Provider => ({
  name,
  secret: telaSecret,
  layer,
  emulator: TelaEmulator.TelaEmulator,
  script: (timeline) => TelaEmulator.TelaEmulator.use((emulator) => emulator.script({ timeline, createdFor: 0 })),
  create: Effect.gen(function*() {
    const client = yield* Tela.TelaClient
    // The parameters of an execution belong to its creation, so a handle with other parameters looks it up
    const { ref } = yield* execute(client, {})
    return { ref, share: (follow) => telaHandle(client, ref, follow, isTask) }
  }),
  resume: (ref, follow) => Tela.TelaClient.use((client) => telaHandle(client, ref, follow, isTask)),
  pollPath,
  looksUp: true
})

const telaHandle = (client: Tela.Service, ref: RunRef.RunRef, follow: Follow, isTask: boolean) =>
  Effect.map(
    client.canvas.make({ id: telaCanvas }).getExecution(ref, {
      isTask,
      pollingInterval: follow.interval,
      pollingTimeout: follow.timeout,
      errorBudget: follow.errorBudget
    }),
    ({ result, watch }): Handle => ({
      wait: result,
      statuses: changing(Stream.map(watch, ({ providerStatus }) => providerStatus))
    })
  )

const acmeHandle = (
  client: AcmeService["Service"]["client"],
  ref: RunRef.RunRef,
  { errorBudget, interval, timeout }: Follow
) =>
  Effect.map(
    client.share(ref, { pollInterval: interval, timeout, errorBudget }),
    ({ wait, watch }): Handle => ({ wait, statuses: Stream.changes(Stream.map(watch, ({ status }) => status)) })
  )

/** The provider of the example, with its polite service. */
export const ownProvider: Provider = {
  name: "the provider of the example",
  secret: acmeSecret,
  layer: layerOf(Rude.none),
  emulator: AcmeService.use(({ service }) => Effect.succeed(service.emulator)),
  script: (timeline) => AcmeService.use(({ service }) => service.setScript(timeline)),
  create: AcmeService.use(({ client }) =>
    Effect.map(client.create("x"), (ref): Created => ({ ref, share: (follow) => acmeHandle(client, ref, follow) }))
  ),
  resume: (ref, follow) => AcmeService.use(({ client }) => acmeHandle(client, ref, follow)),
  pollPath: /^\/jobs\//,
  looksUp: false
}

/** Every kind of run of Spine and Tela, on servers with that rudeness. */
export const providers = (rude: Rude.Rude): ReadonlyArray<Provider> => {
  const layer = layerOf(rude)
  return [
    spineRuns(layer),
    tela(
      layer,
      "Tela executions",
      /^\/v2\/chat\/completions\//,
      ({ canvas }, follow) => canvas.make({ id: telaCanvas }).execute({}, { async: true, ...follow }),
      false
    ),
    tela(
      layer,
      "Tela tasks",
      /^\/task\//,
      ({ canvas }, follow) => canvas.make({ applicationId: telaApplication }).execute({}, follow),
      true
    )
  ]
}
