/**
 * What each platform's `fetch` is told and what it gives back: the options of a request, and the bodies of responses.
 * Nothing else in the library depends on the platform's `fetch`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as Headers from "effect/http/Headers"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

// --------------------------------------------------------------------------------------------------------------------
// Requests
// --------------------------------------------------------------------------------------------------------------------

// A redirect is looked at before the credential goes anywhere. Fetch by itself would carry it along to any origin.
const requestInit: RequestInit = { redirect: "manual" }

// Node's fetch keeps a second copy of a body in memory to be able to repeat it after a redirect, except for requests with
// exactly these two options. workerd knows neither, and keeps no copy.
const nodeUploadInit: RequestInit = { redirect: "error", window: null }

/**
 * The name of a header that Effect's fetch client lets pass. The client removes every header called "content-length", so that
 * fetch would send a stream in chunks of unknown total, which S3 and other stores refuse with 411 or 501. It takes the headers
 * of `RequestInit` as pairs and asks each name for its lower case, and this name has none. Header names are case-insensitive.
 */
const contentLength = Object.assign(Object("Content-Length") as string, { toLowerCase: () => "Content-Length" })

/** Whether it is Node or a runtime that takes the place of Node, other than a Worker of Cloudflare. */
const isNode = (): boolean => {
  const { navigator, process } = globalThis as {
    readonly process?: { readonly versions?: { readonly node?: string } }
    readonly navigator?: { readonly userAgent?: string }
  }
  return process?.versions?.node !== undefined && navigator?.userAgent !== "Cloudflare-Workers"
}

/** Whether `fetch` sends the body with its length. It does so for all but streams; for these only Node and Bun do. */
export const announcesLength = (body: HttpBody.HttpBody): boolean =>
  body._tag !== "Stream" || body.contentLength !== undefined && isNode() && !("Deno" in globalThis)

/**
 * Returns the options of fetch for a large body. The length of a stream is announced: Node and Bun send it, and fail the
 * request if the stream is longer or shorter. Deno, workerd and browsers ignore it.
 */
export const uploadInit = (body: HttpBody.HttpBody): RequestInit => {
  const init = isNode() ? nodeUploadInit : requestInit
  return body._tag === "Stream" && body.contentLength !== undefined
    ? { ...init, headers: [[contentLength, String(body.contentLength)]] }
    : init
}

/**
 * No trace headers towards the provider, for whom they mean nothing and whose browser preflight they break; and none of
 * the client's own spans, which show headers and causes as they came, and so could show the key.
 */
const quietly = (init: RequestInit): Context.Context<never> =>
  Context.make(FetchHttpClient.RequestInit, init).pipe(Context.add(HttpClient.TracerDisabledWhen, () => true))

const quiet = quietly(requestInit)

/**
 * Makes the requests of an effect with the options of the provider's API, and without spans of the HTTP client. `upload` is a
 * body that the platform must not keep a copy of.
 */
export const context = (upload: HttpBody.HttpBody | undefined): Context.Context<never> =>
  upload === undefined ? quiet : quietly(uploadInit(upload))

// --------------------------------------------------------------------------------------------------------------------
// Bodies
// --------------------------------------------------------------------------------------------------------------------

/** Leaves a body unread, which frees its connection at once and not when the garbage is collected. */
export const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.ignore(Stream.runForEachWhile(response.stream, () => Effect.succeed(false)))

/**
 * The body of an answer that came by fetch, to be read by hand, which takes half of the time that Effect's way takes; or that
 * somebody else has begun to read it, such as a client that logs what comes.
 */
export const fetchBody = (
  response: HttpClientResponse.HttpClientResponse
): ReadableStream<Uint8Array> | null | "taken" | undefined => {
  const web = Option.getOrUndefined(HttpClientResponse.toWeb(response))
  return web === undefined ? undefined : web.bodyUsed || web.body?.locked === true ? "taken" : web.body
}

/** The body as text; `undefined` if it is longer than `maxBytes`. The rest of a longer body is not read. */
export const readText = (
  response: HttpClientResponse.HttpClientResponse,
  headers: Headers.Headers,
  maxBytes: number,
  isUpload = false
): Effect.Effect<string | undefined, HttpClientError.HttpClientError> => {
  const header = headers["content-length"]
  const length = header !== undefined && /^\d+$/.test(header) ? header : undefined
  if (length !== undefined && Number(length) > maxBytes) return Effect.as(discard(response), undefined)
  // Who takes the body over does not stop an upload that is still under way
  const body = isUpload ? undefined : fetchBody(response)
  if (body === "taken") {
    return Effect.map(response.text, (text) => text.length > maxBytes ? undefined : text)
  }
  if (body !== undefined) return boundedText(maxBytes, (take) => readAll(response, body, take))
  // Only a length of the very bytes that arrive is a bound; compressed ones can grow without end
  return length !== undefined && headers["content-encoding"] === undefined
    ? response.text
    : boundedText(maxBytes, (take) =>
      response.stream.pipe(
        Stream.runForEachWhile((chunk) => Effect.sync(() => take(chunk))),
        Effect.catchIf((error) => error.reason._tag === "EmptyBodyError", () => Effect.void)
      ))
}

/** Reads a body as long as it is within bounds. What is beyond them is not read, and closes the connection. */
const boundedText = (
  maxBytes: number,
  read: (take: (chunk: Uint8Array) => boolean) => Effect.Effect<void, HttpClientError.HttpClientError>
): Effect.Effect<string | undefined, HttpClientError.HttpClientError> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let bytes = 0
    let text = ""
    return Effect.map(
      read((chunk) => {
        bytes += chunk.byteLength
        if (bytes <= maxBytes) text += decoder.decode(chunk, { stream: true })
        return bytes <= maxBytes
      }),
      () => bytes > maxBytes ? undefined : text + decoder.decode()
    )
  })

/** Reads a body until it ends or has been enough. */
const readAll = (
  response: HttpClientResponse.HttpClientResponse,
  body: ReadableStream<Uint8Array> | null,
  take: (chunk: Uint8Array) => boolean
): Effect.Effect<void, HttpClientError.HttpClientError> =>
  body === null ? Effect.void : Effect.callback((resume) => {
    const reader = body.getReader()
    const cancel = () => void reader.cancel().catch(() => {})
    const next = (): void =>
      void reader.read().then(
        ({ done, value }) => {
          if (done) resume(Effect.void)
          else if (take(value)) next()
          else {
            cancel()
            resume(Effect.void)
          }
        },
        (cause) =>
          resume(
            Effect.fail(
              new HttpClientError.HttpClientError({
                reason: new HttpClientError.DecodeError({ request: response.request, response, cause })
              })
            )
          )
      )
    next()
    return Effect.sync(cancel)
  })
