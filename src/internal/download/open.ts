/** The responses of a download: the whole file, the rest of it, or an error. */
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import type { ArtifactError } from "../../RunError.ts"
import * as Body from "../http/body.ts"
import * as Transfer from "../http/transfer.ts"
import * as Errors from "./errors.ts"
import * as Link from "./link.ts"
import type { ArtifactSource } from "./source.ts"

/** Takes the bytes of a file. */
export interface Reader<E, R> {
  readonly take: (chunk: Uint8Array) => Effect.Effect<unknown, E, R>
  /** Forgets all bytes, because the file is read from its beginning again. `undefined` if they have been delivered. */
  readonly restart: Effect.Effect<unknown, E, R> | undefined
}

/** The state of a download, over all attempts. */
export interface Download<E, R> extends Link.Linked<E, R> {
  readonly reader: Reader<E, R>
  /** The number of bytes that the reader has. */
  received: number
  /** The largest number of bytes that the reader ever had. */
  furthest: number
  /** The strong ETag of the version that the bytes belong to. */
  version: string | undefined
  /** The size of that version, as its server announced it. */
  total: number | undefined
  /** Whether the server compresses the file. Then the number of received bytes is no position in the file. */
  isEncoded: boolean
}

/** The number of bytes that have to arrive, if it is known. */
export const expectedBytes = <E, R>({ isEncoded, source, total }: Download<E, R>): number | undefined =>
  isEncoded ? undefined : sizeOf(source) ?? total

/** The size that the provider reports. A value that is not a number of bytes, such as -1 for an unknown size, is ignored. */
export const sizeOf = ({ size }: Pick<ArtifactSource, "size">): number | undefined =>
  Number.isSafeInteger(size) && size! >= 0 ? size : undefined

/** The bytes that a response contains. */
interface Opened {
  readonly chunks: Stream.Stream<Uint8Array, ArtifactError>
  /** The number of bytes at the beginning that the reader has already. */
  readonly skip: number
}

/** Requests the rest of the file, or the whole of it if the server cannot give the rest. */
export const open = <E, R>(download: Download<E, R>): Effect.Effect<Opened, ArtifactError | E, R> =>
  Effect.gen(function*() {
    if (download.version === undefined) yield* restart(download)
    const { isEncoded, received, version } = download
    const isRange = received > 0 && !isEncoded
    const response = yield* Link.request(
      download,
      isRange ? { range: `bytes=${received}-`, "if-range": version! } : {}
    )
    const opened = yield* Effect.tapError(interpret(download, response, isRange), () => Body.discard(response))
    if (opened !== undefined) return opened
    yield* Body.discard(response)
    yield* restart(download)
    return yield* open(download)
  })

/** Forgets the bytes received, in order to read the file from its beginning. */
const restart = <E, R>(download: Download<E, R>): Effect.Effect<unknown, ArtifactError | E, R> =>
  Effect.suspend((): Effect.Effect<unknown, ArtifactError | E, R> => {
    const { reader, received, source } = download
    // The consumer already has the first bytes. Without a version the rest might be of another file, so the download fails
    download.version = undefined
    if (received > 0 && reader.restart === undefined) {
      return Effect.fail(Errors.interrupted(source, received, "the connection broke, and the file has changed since"))
    }
    download.received = 0
    download.total = undefined
    download.isEncoded = false
    return received > 0 && reader.restart !== undefined ? reader.restart : Effect.void
  })

/**
 * Decides which bytes a response contains. Returns `undefined` if the response continues a version other than
 * the one whose beginning was received.
 */
const interpret = <E, R>(download: Download<E, R>, response: HttpClientResponse.HttpClientResponse, isRange: boolean) =>
  Effect.gen(function*() {
    const { received, source, version } = download
    const { headers, status } = response
    const etag = strongEtag(headers)
    const chunks = Stream.mapError(Body.stream(response), ({ reason: { cause } }) =>
      Errors.interrupted(
        source,
        download.received,
        "the connection broke",
        Transfer.cleanCause(cause, download.link)
      ))
    if (status === 200) {
      if (isPage(source, headers)) {
        return yield* Errors.unavailable(
          source,
          "its server, or a proxy in its place, answered with a page of HTML",
          { status, isRetryable: true }
        )
      }
      const encoding = Body.undecoded(response, headers)
      if (encoding !== undefined) {
        return yield* Errors.unavailable(
          source,
          `its server sent it with the content-encoding ${
            JSON.stringify(encoding)
          }, which this HTTP client does not decode`,
          { status },
          "Use fetch, or NodeHttp.layer of canvas-runs/node."
        )
      }
      if (received > 0 && etag === version) return { chunks, skip: received }
      yield* restart(download)
      download.version = etag
      download.isEncoded = isCompressed(headers)
      download.total = download.isEncoded ? undefined : wholeNumber(headers["content-length"])
      return { chunks, skip: 0 }
    }
    const part = contentRange(headers)
    if (status === 206 && isRange) {
      // A partial response without the size of the file could end before the file does
      download.total ??= part?.total
      const { total } = download
      const isTheRest = part !== undefined && part.first === received && !isCompressed(headers) &&
        (etag === undefined || etag === version) &&
        total !== undefined && (part.total === undefined || part.total === total)
      return isTheRest ? { chunks, skip: 0 } : undefined
    }
    if (status === 416 && isRange) {
      if (part?.total !== received) return undefined
      yield* Body.discard(response)
      return { chunks: Stream.empty, skip: 0 }
    }
    return status === 206
      ? yield* Errors.unavailable(source, "its server answered with a part of it only", { status })
      : yield* Errors.unavailable(source, Transfer.wordsOf(status), yield* Transfer.refusal(response))
  })

/** Whether the body is a page instead of the file, such as the login page of a proxy. */
const isPage = (source: ArtifactSource<unknown, unknown>, headers: Headers.Headers): boolean => {
  const isHtml = (type: string | undefined) => type !== undefined && /html/i.test(type)
  const extension = /\.(\w+)$/.exec(source.name)?.[1]
  return isHtml(headers["content-type"]) &&
    !(isHtml(source.contentType) || /^[xs]?html?$/i.test(extension ?? "html") && source.contentType === undefined) &&
    // A body of the right size is the file, even if the server gives it a wrong type
    (sizeOf(source) === undefined || wholeNumber(headers["content-length"]) !== sizeOf(source))
}

const isCompressed = (headers: Headers.Headers): boolean =>
  !/^(?:identity)?$/i.test(headers["content-encoding"]?.trim() ?? "")

/** The ETag, unless it is weak: equal weak ETags allow different bytes. */
const strongEtag = (headers: Headers.Headers): string | undefined =>
  /^"[^"]*"$/.test(headers["etag"] ?? "") ? headers["etag"] : undefined

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/** The part of the file that a response contains. */
const contentRange = (headers: Headers.Headers) => {
  const found = /^bytes (?:(\d{1,15})-\d{1,15}|\*)\/(?:(\d{1,15})|\*)$/i.exec(headers["content-range"] ?? "")
  return found === null ? undefined : { first: wholeNumber(found[1]), total: wholeNumber(found[2]) }
}
