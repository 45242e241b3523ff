/**
 * Decodes compressed responses of undici, which returns them compressed. undici's own interceptor for this prints a warning,
 * leaves errors compressed, and removes the `content-encoding` header. Without that header, readers cannot know that the
 * announced size is the size of the compressed body.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import { Duplex, pipeline, Readable } from "node:stream"
import * as zlib from "node:zlib"
import { compressionsOf, decodeError } from "../../internal/http/body.ts"

/** Statuses of responses without a body, and of one that is a part of a compressed file. */
const undecodable: ReadonlySet<number> = new Set([204, 205, 206, 304])

/** The most encodings of one response. A response with more of them is not decoded, because it is an attack. */
const maxEncodings = 3

/** Decodes "deflate". By its standard it has a zlib header, but some servers send none. */
const inflate = (): Duplex =>
  Duplex.from(async function*(chunks: AsyncIterable<Uint8Array>) {
    const iterator = chunks[Symbol.asyncIterator]()
    const first = await iterator.next()
    if (first.done === true) return
    const all = Readable.from((async function*() {
      yield first.value
      yield* { [Symbol.asyncIterator]: () => iterator }
    })())
    const isZlib = (first.value[0]! & 0x0f) === 0x08
    yield* pipeline(all, isZlib ? zlib.createInflate() : zlib.createInflateRaw(), () => {})
  })

const decoders: { readonly [encoding: string]: (() => Duplex) | undefined } = {
  gzip: () => zlib.createGunzip(),
  "x-gzip": () => zlib.createGunzip(),
  deflate: inflate,
  br: () => zlib.createBrotliDecompress(),
  // Node has it from 22.15 on, Deno not
  zstd: "createZstdDecompress" in zlib ? () => zlib.createZstdDecompress() : undefined
}

/** The compressions to ask for, by their names in `accept-encoding`. */
export const acceptEncoding = ["gzip", "deflate", "br", "zstd"].filter((encoding) => decoders[encoding] !== undefined)
  .join(", ")

/**
 * Decodes the body of a response if all of its compressions are known, and returns it unchanged otherwise. The headers stay. A
 * decoded response is a web response, so that it is read like a response of fetch.
 */
export const decode = (response: HttpClientResponse.HttpClientResponse) => {
  const { headers, request, status } = response
  const needed = compressionsOf(headers).map((encoding) => decoders[encoding])
  if (
    needed.length === 0 || needed.length > maxEncodings || needed.includes(undefined) || request.method === "HEAD" ||
    undecodable.has(status)
  ) {
    return Effect.succeed(response)
  }
  const decoded = needed.reduceRight<Stream.Stream<Uint8Array, unknown>>(
    (body, evaluate) => NodeStream.pipeThroughDuplex(body, { evaluate: evaluate!, onError: identity<unknown> }),
    Stream.mapError(response.stream, ({ reason }) => reason.cause)
  )
  return Effect.try({
    try: () =>
      HttpClientResponse.fromWeb(
        request,
        new Response(Stream.toReadableStream(decoded), { status, headers: { ...headers } })
      ),
    catch: decodeError(response)
  })
}
