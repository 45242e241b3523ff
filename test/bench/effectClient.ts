/** Effect's own HTTP clients, which the client of this library is built on. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, ManagedRuntime } from "effect"
import { FetchHttpClient, HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"

/** The client on a fetch. */
export const layerFetch = (fetch: typeof globalThis.fetch): Layer.Layer<HttpClient.HttpClient> =>
  Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))

/** The client on undici, with as many connections as the other clients on undici. */
export const layerUndici = Layer.provide(
  NodeHttpClient.layerUndiciNoDispatcher,
  NodeHttpClient.layerDispatcherOptions({ keepAliveTimeout: 120_000, connections: 64 })
)

/** Makes a function that gets the JSON of an address, without a span: the base of a request, without any additions. */
export const getJson = async (
  http: Layer.Layer<HttpClient.HttpClient>,
  headers: Readonly<Record<string, string>>
): Promise<(url: string) => Effect.Effect<unknown, Error | HttpClientError.HttpClientError>> => {
  const client = await ManagedRuntime.make(http).runPromise(Effect.service(HttpClient.HttpClient))
  return (url) =>
    client.execute(HttpClientRequest.get(url, { headers })).pipe(
      Effect.flatMap(({ json, status }) => status === 200 ? json : Effect.fail(new Error(`status ${status}`))),
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
    )
}
