/** Creates over HTTP/2, where undici itself repeats requests that a server has not processed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule, Stream } from "effect"
import * as http2 from "node:http2"
import { RunError, Spine } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { identity, listen, tls } from "../support/servers.ts"
import { acceptedRun } from "../support/spine.ts"

const runId = "7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11"

type End = (stream: http2.ServerHttp2Stream, session: http2.ServerHttp2Session) => void

/** A server that acts on the n-th POST when its headers have arrived, and answers all other requests. */
const serving = (end: End, isEnded: (index: number) => boolean = () => true) => {
  const posts: Array<string | undefined> = []
  const server = http2.createSecureServer(identity())
  server.on("sessionError", () => {})
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {})
    if (headers[":method"] !== "POST") {
      stream.respond({ ":status": 404 })
      return void stream.end()
    }
    posts.push(headers["content-length"])
    if (isEnded(posts.length)) return end(stream, stream.session as http2.ServerHttp2Session)
    stream.resume().on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/json" })
      stream.end(JSON.stringify(acceptedRun(runId)))
    })
  })
  return Effect.map(listen(server), ({ port }) => ({ posts, baseUrl: `https://localhost:${port}` }))
}

const bodies: Readonly<Record<string, Spine.CreateRunParams>> = {
  JSON: { prompt: "x" },
  "a form of bytes": { prompt: "x", files: [{ data: new Uint8Array(10), filename: "a.txt" }] },
  "a form with a Blob": { prompt: "x", files: [{ data: new Blob([new Uint8Array(300_000)]), filename: "a.txt" }] },
  "a form with a stream": {
    prompt: "x",
    files: [{ data: Stream.make(new Uint8Array(10)), size: 10, filename: "a.txt" }]
  }
}

/** Creates on a connection that has had a request before, so that a GOAWAY can name a stream below that of the create. */
const create = (baseUrl: string, params: Spine.CreateRunParams, retries = 0) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.make({
      apiKey: Redacted.make("sk_spine_http2"),
      baseUrl,
      retry: Schedule.recurs(retries)
    })
    yield* Effect.flip(runs.retrieve(runId))
    return yield* Effect.result(runs.create(params))
  }).pipe(Effect.provide(NodeHttp.layer({ connect: { ca: tls.ca }, allowH2: true })))

const socketOf = (session: http2.ServerHttp2Session): { readonly destroy: () => void } => {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === "socket")!
  return (session as unknown as Record<symbol, { readonly destroy: () => void }>)[key]!
}

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants

const unprocessed: Readonly<Record<string, End>> = {
  "shuts down, with a last stream below it": ({ id }, session) => session.goaway(NGHTTP2_NO_ERROR, id! - 2),
  "fails, with a last stream below it": ({ id }, session) => session.goaway(NGHTTP2_INTERNAL_ERROR, id! - 2),
  "refuses its stream": (stream) => stream.close(NGHTTP2_REFUSED_STREAM)
}

const maybe: Readonly<Record<string, End>> = {
  "shuts down after it, and closes": ({ id }, session) => {
    session.goaway(NGHTTP2_NO_ERROR, id!)
    setImmediate(() => session.destroy())
  },
  "fails in its stream": (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
  "ends its stream without an answer": (stream) => stream.close(NGHTTP2_NO_ERROR),
  "loses the connection": (_, session) => socketOf(session).destroy()
}

for (const [what, params] of Object.entries(bodies)) {
  describe(`a create of ${what} over HTTP/2`, () => {
    for (const [how, end] of Object.entries(unprocessed)) {
      it.live(`is sent once when the server ${how}, and was certainly not processed`, () =>
        Effect.gen(function*() {
          const { baseUrl, posts } = yield* serving(end)
          const result = yield* create(baseUrl, params)
          const error = result._tag === "Failure" ? result.failure : undefined
          assert.instanceOf(error, RunError.TransportError, String(error?.message))
          assert.deepStrictEqual([error.reached, error.attempts, posts.length], [false, 1, 1])
        }).pipe(Effect.scoped))

      it.live(`is repeated by the client's schedule when the server ${how}, and makes one run`, () =>
        Effect.gen(function*() {
          const { baseUrl, posts } = yield* serving(end, (index) => index === 1)
          const result = yield* create(baseUrl, params, 1)
          assert.strictEqual(result._tag === "Success" && result.success.run_id, runId)
          assert.lengthOf(posts, 2)
          assert.isTrue(posts.every((length) => Number(length) > 0 && length === posts[0]))
        }).pipe(Effect.scoped))
    }

    for (const [how, end] of Object.entries(maybe)) {
      it.live(`is sent once when the server ${how}, and may have made a run`, () =>
        Effect.gen(function*() {
          const { baseUrl, posts } = yield* serving(end)
          const result = yield* create(baseUrl, params, 2)
          const error = result._tag === "Failure" ? result.failure : undefined
          assert.instanceOf(error, RunError.CreateOutcomeUnknownError, String(error?.message))
          assert.lengthOf(posts, 1)
        }).pipe(Effect.scoped))
    }
  })
}
