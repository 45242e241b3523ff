/** A client, a hub, a route and an emulator that calls the route: all in memory, and all on the `TestClock`. */
import { Cause, Clock, Effect, Exit, Fiber, Layer, Redacted, References, type Scope } from "effect"
import { HttpClient, HttpClientResponse, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { Spine, Tela, Webhooks } from "canvas-runs"
import { Emulator, SpineEmulator, TelaEmulator } from "canvas-runs/testing"

export const spineSecret = "whsec_webhook_tests"
export const telaSecret = Redacted.make("tela webhook tests")
export const spineUrl = "http://127.0.0.1:9/spine"
export const telaUrl = "http://127.0.0.1:9/tela"
export const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
export const applicationId = "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55"

/** A webhook that arrived, and its response. */
export interface Arrival {
  readonly at: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly status: number
}

export interface Options {
  readonly spine?: SpineEmulator.Options
  readonly tela?: TelaEmulator.Options
  /** The secret of Spine's route. */
  readonly routeSecret?: string
  /** A replacement for the route's response: a status, or `0` for none. */
  readonly receiver?: (index: number) => number | undefined
}

export interface World {
  readonly spine: Spine.Service
  readonly tela: Tela.Service
  readonly spineEmulator: SpineEmulator.Service
  readonly telaEmulator: TelaEmulator.Service
  readonly hub: Webhooks.Service
  readonly arrivals: ReadonlyArray<Arrival>
  /** The calls of `onEvent`, by both routes. */
  readonly events: ReadonlyArray<string>
}

export const world = Effect.fnUntraced(function*(options: Options = {}): Effect.fn.Return<World, never, Scope.Scope> {
  const hub = yield* Webhooks.make()
  const arrivals: Array<Arrival> = []
  const events: Array<string> = []
  const app = yield* HttpRouter.toHttpEffect(
    Layer.mergeAll(
      Spine.layerWebhookRoute({
        path: "/spine",
        secret: Redacted.make(options.routeSecret ?? spineSecret),
        onEvent: (event) => Effect.sync(() => events.push(event.type))
      }),
      Tela.layerWebhookRoute({
        path: "/tela",
        secret: telaSecret,
        onEvent: (event) => Effect.sync(() => events.push(`tela ${event.providerStatus}`))
      })
    ).pipe(Layer.provide(Layer.succeed(Webhooks.Webhooks, hub)), Layer.orDie)
  )
  let calls = 0
  const webhookClient = HttpClient.make((request, url) =>
    Effect.gen(function*() {
      const at = yield* Clock.currentTimeMillis
      const instead = options.receiver?.(calls++)
      const response = instead === undefined
        ? yield* app.pipe(
          Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
          Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
          Effect.scoped,
          Effect.orDie,
          // The route logs the deliveries that it rejects
          Effect.provideService(References.MinimumLogLevel, "None")
        )
        : instead === 0
        ? yield* Effect.never
        : HttpClientResponse.fromWeb(request, new Response(null, { status: instead }))
      arrivals.push({
        at,
        path: url.pathname,
        headers: request.headers,
        body: request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : undefined,
        status: response.status
      })
      return response
    })
  )
  const spineEmulator = yield* SpineEmulator.make({
    webhooks: [{ url: spineUrl, secret: spineSecret }],
    webhookClient,
    ...options.spine
  })
  const telaEmulator = yield* TelaEmulator.make({ webhookClient, ...options.tela })
  return {
    spineEmulator,
    telaEmulator,
    hub,
    arrivals,
    events,
    spine: yield* Effect.orDie(
      Effect.provideService(
        Spine.make({ apiKey: Redacted.make("sk_spine_x"), webhooks: hub }),
        HttpClient.HttpClient,
        Emulator.toHttpClient(spineEmulator)
      )
    ),
    tela: yield* Effect.orDie(
      Effect.provideService(
        Tela.make({ apiKey: Redacted.make("tela_x"), webhooks: hub }),
        HttpClient.HttpClient,
        Emulator.toHttpClient(telaEmulator)
      )
    )
  }
})

/** Executes a canvas, and requests a webhook with a token. */
export const executeTela = Effect.fnUntraced(
  function*(tela: Tela.Service, params: Tela.PollParams & { readonly secret?: Redacted.Redacted<string> } = {}) {
    const { secret = telaSecret, ...rest } = params
    return yield* tela.canvas.make({ id: canvasId }).execute({ topic: "x" }, {
      async: true,
      webhookUrl: telaUrl,
      forwardHeaders: yield* Tela.webhookHeaders(secret),
      pollingTimeout: "2 hours",
      ...rest
    })
  }
)

/** The times of the requests for the state of runs. */
export const polls = (emulator: Emulator.Emulator) =>
  Effect.map(
    emulator.requests,
    (requests) => requests.filter(({ method }) => method === "GET").map(({ receivedAt }) => receivedAt)
  )

/** The exit of a wait, and its time. */
export interface Ended<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly at: number
}

/** Starts an effect. The returned effect waits for its end, for any time on the clock. */
export const start = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.forkChild(
      Effect.flatMap(Effect.exit(effect), (exit) => Effect.map(Clock.currentTimeMillis, (at) => ({ exit, at })))
    ),
    (fiber) => ({
      ended: Effect.gen(function*() {
        // Lets fibers run that have just been started
        yield* TestClock.adjust(0)
        if (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("3 hours")
        return yield* Fiber.join(fiber)
      }),
      isOver: Effect.sync(() => fiber.pollUnsafe() !== undefined)
    })
  )

/** The value of a success, or the tag of the failure. */
export const outcome = <A, E extends { readonly _tag: string }>(exit: Exit.Exit<A, E>): A | string => {
  if (Exit.isSuccess(exit)) return exit.value
  const found = Cause.findErrorOption(exit.cause)
  return found._tag === "Some" ? found.value._tag : `defect: ${Cause.pretty(exit.cause)}`
}
