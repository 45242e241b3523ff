/** HTTP clients that answer without a network. */
import { Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"

/** A response, the cause of a transport error, or `"silence"` for a request that is never answered. */
export type Answer = Response | Error | "silence"

/** A request that {@link answering} passes to a test. */
export interface Asked {
  /** The number of earlier requests. */
  readonly index: number
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: URL
}

/** A client that answers each request with the result of the function, and the requests so far. */
export const answering = (answer: (asked: Asked) => Answer) => {
  const requests: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.make((request, url) =>
    Effect.suspend((): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
      const given = answer({ index: requests.push(request) - 1, request, url })
      return given === "silence"
        ? Effect.never
        : given instanceof Error
        ? Effect.fail(transportError(request, given))
        : Effect.succeed(HttpClientResponse.fromWeb(request, given))
    })
  )
  return { client, layer: Layer.succeed(HttpClient.HttpClient, client), requests }
}

/** A client for tests in which no request may be sent. */
export const noRequests = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make(({ method, url }) => Effect.die(new Error(`a request was sent: ${method} ${url}`)))
)

/** The error of a client that has received no response. */
export const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

/** A response with a value as JSON. */
export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}) =>
  Response.json(body, { status, headers })

/** A body that starts, and then breaks with the cause, or stalls without one. */
export const brokenBody = (cause?: unknown, begin = "{\"succ") =>
  new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(begin)),
    pull: (controller) => cause === undefined ? new Promise(() => {}) : controller.error(cause)
  })

/** A response like those of clients other than fetch: it is not based on a web response, and its body is this stream. */
export const withoutWeb = (response: HttpClientResponse.HttpClientResponse, stream = response.stream) =>
  Object.create(response, {
    "~effect/http/HttpClientResponse/WebSource": { value: () => undefined },
    stream: { value: stream },
    text: { value: Stream.mkString(Stream.decodeText(stream)) }
  }) as HttpClientResponse.HttpClientResponse
