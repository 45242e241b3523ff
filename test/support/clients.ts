/** The clients of both providers on one HTTP client. */
import { Effect, Layer, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { Spine, Tela } from "canvas-runs"
import type { ClientOptions } from "canvas-runs/ClientOptions"

/** Options that both clients have. */
export interface Options extends ClientOptions {
  readonly apiKey?: Redacted.Redacted<string>
  readonly baseUrl?: string
}

const defaults = { apiKey: Redacted.make("sk_planted_secret_0001") }

/** Both clients on the `HttpClient` that the test provides. */
export const clients = (options?: Options) =>
  Layer.orDie(
    Layer.merge(Spine.layer({ ...defaults, ...options }), Tela.layer({ ...defaults, ...options }))
  )

/** Both clients on this HTTP client. */
export const clientsOn = (client: HttpClient.HttpClient, options?: Options) =>
  Effect.all({
    spine: Spine.make({ ...defaults, ...options }),
    tela: Tela.make({ ...defaults, ...options })
  }).pipe(Effect.provideService(HttpClient.HttpClient, client), Effect.orDie)
