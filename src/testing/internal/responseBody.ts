/** The bodies of responses, as bytes. */
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"

export const bodyStream = (response: HttpServerResponse.HttpServerResponse): Stream.Stream<Uint8Array, unknown> =>
  response.body._tag === "Uint8Array"
    ? Stream.succeed(response.body.body)
    : response.body._tag === "Stream"
    ? response.body.stream
    : Stream.empty

/** The first bytes. */
export const takeBytes = (bytes: number) => <E>(self: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
  self.pipe(
    Stream.mapAccum(
      () => bytes,
      (left, chunk) => [left - chunk.length, [{ chunk: chunk.subarray(0, left), last: chunk.length >= left }]]
    ),
    Stream.takeUntil(({ last }) => last),
    Stream.map(({ chunk }) => chunk),
    Stream.filter((chunk) => chunk.length > 0)
  )
