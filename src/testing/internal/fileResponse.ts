/** The response to the download of a file, whole or in part, as object stores give it. */
import type * as Headers from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"

export interface File {
  readonly name: string
  readonly contentType: string
  readonly size: number
  readonly content: Uint8Array | Stream.Stream<Uint8Array, unknown>
  /** The ETag. It differs whenever the bytes differ. */
  readonly etag: string
}

/**
 * Answers a download. A `Range` of one part is honoured, unless `If-Range` names other bytes; several parts are answered
 * with the whole file, which a server may do.
 */
export const respond = (request: Headers.Headers, file: File): HttpServerResponse.HttpServerResponse => {
  const headers = {
    "accept-ranges": "bytes",
    etag: file.etag,
    "content-disposition": disposition(file.name)
  }
  const ifRange = request["if-range"]
  const range = ifRange === undefined || ifRange === file.etag ? parseRange(request["range"], file.size) : undefined
  if (range === "unsatisfiable") {
    return HttpServerResponse.empty({
      status: 416,
      headers: { ...headers, "content-range": `bytes */${file.size}` }
    })
  }
  const [status, first, end, part] = range === undefined
    ? [200, 0, file.size, {}] as const
    : [206, range.first, range.end, {
      "content-range": `bytes ${range.first}-${range.end - 1}/${file.size}`
    }] as const
  const options = { status, headers: { ...headers, ...part }, contentType: file.contentType }
  return file.content instanceof Uint8Array
    ? HttpServerResponse.uint8Array(file.content.subarray(first, end), options)
    : HttpServerResponse.stream(slice(file.content, first, end), { ...options, contentLength: end - first })
}

/** FNV-1a: an ETag only has to differ when the bytes do. */
export const etagOf = (bytes: Uint8Array): string => {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return `"${(hash >>> 0).toString(16).padStart(8, "0")}-${bytes.length.toString(16)}"`
}

// ---------------------------------------------------------------------------------------------------------------------

const disposition = (name: string): string =>
  `attachment; filename="${name.replace(/[^\x20-\x7e]|["\\]/g, "_")}"; filename*=UTF-8''${
    encodeURIComponent(name).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)
  }`

/** The requested bytes, `end` exclusive; `undefined` for all of them. */
const parseRange = (
  header: string | undefined,
  size: number
): { readonly first: number; readonly end: number } | "unsatisfiable" | undefined => {
  const found = /^bytes=(\d*)-(\d*)$/i.exec(header?.replaceAll(" ", "") ?? "")
  if (found === null || (found[1] === "" && found[2] === "")) return undefined
  const [, from, to] = found as unknown as [string, string, string]
  // `bytes=-5` asks for the last five bytes
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === "" || to === "" ? size : Math.min(size, Number(to) + 1)
  if (from !== "" && to !== "" && Number(to) < first) return undefined
  return first >= size ? "unsatisfiable" : { first, end }
}

const slice = (
  self: Stream.Stream<Uint8Array, unknown>,
  first: number,
  end: number
): Stream.Stream<Uint8Array, unknown> =>
  self.pipe(
    Stream.mapAccum(
      () => 0,
      (offset, chunk) => {
        const reached = offset + chunk.length
        return [reached, [{ piece: chunk.subarray(Math.max(0, first - offset), Math.max(0, end - offset)), reached }]]
      }
    ),
    Stream.takeUntil(({ reached }) => reached >= end),
    Stream.map(({ piece }) => piece),
    Stream.filter((piece) => piece.length > 0)
  )
