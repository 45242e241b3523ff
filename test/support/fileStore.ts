/** A store of files in memory, and helpers for downloads from it. */
import { Duration, Effect, FileSystem, Schedule } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { type Artifact, RunRef } from "canvas-runs"

/** How a store answers one request. `breakAfter` is the number of bytes after which the connection breaks. */
export interface Behaviour {
  readonly status?: number
  readonly body?: string | Uint8Array
  readonly headers?: Record<string, string>
  readonly breakAfter?: number
}

export interface Received {
  readonly url: string
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

/** A store in memory that answers each request as the function says, and records the requests. */
export const makeStore = (behave: (request: Received, index: number) => Behaviour) => {
  const requests: Array<Received> = []
  const client = HttpClient.make((request, url) =>
    Effect.sync(() => {
      const received = { url: url.href, range: request.headers["range"], ifRange: request.headers["if-range"] }
      requests.push(received)
      const { body = "", breakAfter, headers = {}, status = 200 } = behave(received, requests.length)
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
      const content = breakAfter === undefined
        ? bytes as Uint8Array<ArrayBuffer>
        : breaking(bytes.subarray(0, breakAfter))
      return HttpClientResponse.fromWeb(
        request,
        new Response(status === 204 || status === 304 ? null : content, { status, headers })
      )
    })
  )
  return { requests, client }
}

/** A body that breaks after these bytes, when the reader has read them. */
const breaking = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let isGiven = bytes.length === 0
  return new ReadableStream({
    pull: (controller) => {
      if (isGiven) return controller.error(new TypeError("terminated"))
      isGiven = true
      controller.enqueue(bytes)
    }
  }, { highWaterMark: 0 })
}

/** The answer of a store that supports ranges. */
export const part = (content: string, request: Received, etag = "\"v1\""): Behaviour => {
  const first = Number(/^bytes=(\d+)-$/.exec(request.range ?? "")?.[1] ?? NaN)
  return Number.isNaN(first) || request.ifRange !== etag
    ? { body: content, headers: { etag, "content-length": `${content.length}` } }
    : {
      status: 206,
      body: content.slice(first),
      headers: { etag, "content-range": `bytes ${first}-${content.length - 1}/${content.length}` }
    }
}

/** Options for at most `retries + 1` attempts without pauses between. */
export const optionsOn = (client: HttpClient.HttpClient, retries = 3): Artifact.Options => ({
  client,
  baseUrl: new URL("https://api.example"),
  idleTimeout: Duration.seconds(5),
  retry: Schedule.recurs(retries),
  retryAfterCeiling: Duration.seconds(1)
})

export const sourceOf = (source: Partial<Artifact.ArtifactSource> = {}): Artifact.ArtifactSource => ({
  name: "report.txt",
  url: "https://files.example/report.txt?signature=planted-signature",
  size: undefined,
  ref: RunRef.make({ provider: "spine", kind: "run", id: "1" }),
  refresh: Effect.succeed("https://files.example/fresh?signature=fresh-signature"),
  ...source
})

/** An open file that supports only writing. */
export const openFile = (file: Partial<Pick<FileSystem.File, "writeAll" | "truncate">>): FileSystem.File => ({
  [FileSystem.FileTypeId]: FileSystem.FileTypeId,
  stat: Effect.die("stat"),
  seek: () => Effect.die("seek"),
  sync: Effect.void,
  read: () => Effect.die("read"),
  readAlloc: () => Effect.die("readAlloc"),
  write: () => Effect.die("write"),
  writeAll: () => Effect.void,
  truncate: () => Effect.void,
  ...file
})
