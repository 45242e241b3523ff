/** The bodies of responses as streams of bytes, replaced or broken off. */
import * as Headers from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { ConnectionDropped } from "../Exchange.ts"

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

/** The response with another body. Its headers stay, except the length if none is given. */
export const withBody = (
  response: HttpServerResponse.HttpServerResponse,
  body: Stream.Stream<Uint8Array, unknown>,
  length?: string | number
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(body, {
    status: response.status,
    headers: Headers.remove(response.headers, "content-length"),
    contentType: response.headers["content-type"],
    contentLength: length === undefined ? undefined : Number(length)
  })

/** The response with a connection that breaks after so many bytes of its body. */
export const breakAfter = (
  response: HttpServerResponse.HttpServerResponse,
  bytes: number,
  length?: string | number
): HttpServerResponse.HttpServerResponse =>
  withBody(
    response,
    bodyStream(response).pipe(takeBytes(bytes), Stream.concat(Stream.fail(new ConnectionDropped()))),
    length
  )
