/** Uploads of any size: bounded in the time without progress, not in the time of the whole transfer. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as TimerQueue from "../polling/timerQueue.ts"

/**
 * Sends a request whose body may be large. Progress is each piece of the body that the client asks for. `idleMillis` bounds the
 * time between two pieces, `responseMillis` the time before the first piece and the time from the last piece to the end of
 * `send`. A client that does not show progress has more time, by the size of the body.
 */
export const whileMoving = <A, E, R, E2, R2>(
  request: HttpClientRequest.HttpClientRequest,
  limits: { readonly idleMillis: number; readonly responseMillis: number },
  send: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<A, E, R>,
  orElse: (isSending: boolean) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.withFiber((fiber) => {
    const late = Deferred.makeUnsafe<void>()
    const watchdog = TimerQueue.watchman(TimerQueue.of(fiber), () => Deferred.doneUnsafe(late, Effect.void))
    let isSending = false
    const expect = (isPiece: boolean) => {
      isSending = isPiece
      watchdog.expect(isPiece ? limits.idleMillis : limits.responseMillis)
    }
    const body = observed(request.body, () => expect(true), () => expect(false))
    watchdog.expect(limits.responseMillis + (body === undefined ? allowanceMillis(request.body) : 0))
    return Effect.raceFirst(
      send(body === undefined ? request : HttpClientRequest.setBody(request, body)),
      Effect.flatMap(Deferred.await(late), () => orElse(isSending))
    ).pipe(Effect.ensuring(Effect.sync(watchdog.stop)))
  })

/** A body up to this size gets no extra time. */
const smallBytes = 256 * 1024

/** The extra time of a body whose progress cannot be seen: what it takes at 64 KiB a second. */
const allowanceMillis = (body: HttpBody.HttpBody): number =>
  Math.max(0, (("contentLength" in body ? body.contentLength : undefined) ?? 0) - smallBytes) / 65.536

/** The body, calling back for each piece and at the end; `undefined` if that is not possible. */
const observed = (
  body: HttpBody.HttpBody,
  onPiece: () => void,
  onEnd: () => void
): HttpBody.HttpBody | undefined => {
  if (body._tag === "Stream") {
    return HttpBody.stream(
      Stream.onEnd(Stream.tap(body.stream, () => Effect.sync(onPiece)), Effect.sync(onEnd)),
      body.contentType,
      body.contentLength
    )
  }
  if (body._tag !== "Raw" || !(body.body instanceof Blob) || !readsBlobsAsStreams()) return undefined
  const blob = body.body
  // The same bytes, so that clients still see a Blob of known length
  const copy = blob.slice(0, blob.size, blob.type)
  Object.defineProperty(copy, "stream", {
    value: () =>
      blob.stream().pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform: (piece, controller) => {
            onPiece()
            controller.enqueue(piece)
          },
          flush: onEnd
        })
      )
  })
  return HttpBody.raw(copy, {
    ...(body.contentType === undefined ? undefined : { contentType: body.contentType }),
    ...(body.contentLength === undefined ? undefined : { contentLength: body.contentLength })
  })
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
  // Its body is made from the Blob at once
  void new Response(probe)
  return isCalled
}
