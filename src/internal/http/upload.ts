/** Uploads of any size. The limit is on the time without progress, not on the time of the whole transfer. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as TimerQueue from "../polling/timerQueue.ts"

/**
 * What an upload waits for: "file" is the next piece of the caller's file, "server" is a server that has not accepted the last
 * piece, and "response" is the response. Until the client asks for the first piece, it is "response".
 */
export type Awaited = "file" | "server" | "response"

/**
 * Sends a request whose body may be large. Each piece that the client asks for, and each piece that the body gives, is progress.
 * `idleMillis` bounds the time between two steps of progress, `responseMillis` the time before the first piece and the time from
 * the last piece to the end of `send`. A client that does not show progress has more time, by the size of the body. `orElse`
 * gets what the upload waited for, and the limit that passed. The upload waits for "file" only if its body is a stream: the pieces
 * of a Blob come from the platform.
 */
export const whileMoving = <A, E, R, E2, R2>(
  request: HttpClientRequest.HttpClientRequest,
  limits: { readonly idleMillis: number; readonly responseMillis: number },
  send: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<A, E, R>,
  orElse: (awaited: Awaited, limit: Duration.Duration) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.suspend(() => {
    let awaited: Awaited = "response"
    let limit = limits.responseMillis
    return TimerQueue.watching(
      (watchdog) => {
        const body = observed(request.body, (next) => {
          awaited = next
          limit = next === "response" ? limits.responseMillis : limits.idleMillis
          watchdog.expect(limit)
        })
        if (body === undefined) limit += allowanceMillis(request.body)
        watchdog.expect(limit)
        return send(body === undefined ? request : HttpClientRequest.setBody(request, body))
      },
      () => orElse(awaited, Duration.millis(Math.round(limit)))
    )
  })

/** A body up to this size gets no extra time. */
const smallBytes = 256 * 1024

/** The extra time of a body whose progress is not visible: its time at 64 KiB per second. */
const allowanceMillis = (body: HttpBody.HttpBody): number =>
  Math.max(0, (("contentLength" in body ? body.contentLength : undefined) ?? 0) - smallBytes) / 65.536

/** Returns a body that reports at each step of progress what the upload waits for next; `undefined` if that is not possible. */
const observed = (body: HttpBody.HttpBody, report: (awaited: Awaited) => void): HttpBody.HttpBody | undefined => {
  if (body._tag === "Stream") {
    return HttpBody.stream(
      body.stream.pipe(
        Stream.tap(() => Effect.sync(() => report("server"))),
        (pieces) =>
          Stream.transformPull(
            pieces,
            (pull) => Effect.succeed(Effect.andThen(Effect.sync(() => report("file")), pull))
          ),
        Stream.onEnd(Effect.sync(() => report("response")))
      ),
      body.contentType,
      body.contentLength
    )
  }
  if (body._tag !== "Raw" || !(body.body instanceof Blob) || !readsBlobsAsStreams()) return undefined
  const blob = body.body
  // A Blob of the same bytes, so that clients still know its length
  const copy = blob.slice(0, blob.size, blob.type)
  Object.defineProperty(copy, "stream", {
    value: () =>
      blob.stream().pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform: (piece, controller) => {
            report("server")
            controller.enqueue(piece)
          },
          flush: () => report("response")
        })
      )
  })
  return HttpBody.raw(copy, body)
}

/** undici and Node's fetch read a Blob by its `stream` method; other platforms read the bytes behind it. */
const readsBlobsAsStreams = (): boolean => {
  let isCalled = false
  const probe = new Blob(["x"])
  Object.defineProperty(probe, "stream", {
    value: () => {
      isCalled = true
      return new ReadableStream({ start: (controller) => controller.close() })
    }
  })
  // The body is made at once, with `stream` if the platform uses it
  void new Response(probe)
  return isCalled
}
