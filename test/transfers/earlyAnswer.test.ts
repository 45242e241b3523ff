/** Servers that respond while the body of an upload is still being sent, and stop reading it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule, Stream } from "effect"
import * as net from "node:net"
import { RunError, Spine, Tela } from "canvas-runs"
import { listen } from "../support/servers.ts"
import { transports } from "../support/transports.ts"

/** More than the buffers of a connection hold, so that the body is not sent completely before the response. */
const size = 16 * 1024 * 1024

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

const json = (status: string, body: unknown) => {
  const text = JSON.stringify(body)
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n`
    + `${status.startsWith("2") ? "" : "connection: close\r\n"}\r\n${text}`
}

/**
 * Responds with a status when the headers of an upload have arrived, and closes its half of the connection. It leaves the rest of
 * the body unread, or reads and drops it.
 */
const answeringEarly = (status: string, isRead: boolean) => {
  const uploads: Array<string> = []
  const server = net.createServer((socket) => {
    let text = ""
    let isAnswered = false
    socket.on("data", (data: Buffer) => {
      if (isAnswered) return
      text += data.toString("latin1")
      if (!text.includes("\r\n\r\n")) return
      const line = text.slice(0, text.indexOf(" HTTP"))
      if (line === "POST /v3/files") {
        // The small body arrives with the headers or after them
        if (!text.endsWith("}")) return
        text = ""
        return void socket.write(json("200 OK", { id, uploadUrl: "/put" }))
      }
      uploads.push(line)
      isAnswered = true
      if (!isRead) socket.pause()
      socket.end(json(status, { success: false, error: { code: "refused", message: "refused early" } }))
    })
  })
  return Effect.map(listen(server), ({ port }) => ({ uploads, baseUrl: `http://127.0.0.1:${port}` }))
}

const files = {
  bytes: { data: new Uint8Array(size), filename: "a.txt" },
  "a Blob": { data: new Blob([new Uint8Array(size)]), filename: "a.txt" },
  "a stream": {
    data: Stream.rechunk(Stream.fromIterable(Array.from({ length: size / 65_536 }, () => new Uint8Array(65_536))), 1),
    size,
    filename: "a.txt"
  }
}

for (const [name, client] of transports) {
  describe(`an answer through ${name} before the body has been sent`, () => {
    for (const [what, file] of Object.entries(files)) {
      for (const isRead of [true, false]) {
        const rest = isRead ? "read" : "left"
        it.live(`fails a create with ${what}, whose rest is ${rest}, with the error of its status`, () =>
          Effect.gen(function*() {
            const { baseUrl, uploads } = yield* answeringEarly(
              isRead ? "402 Payment Required" : "413 Too Large",
              isRead
            )
            const { runs } = yield* Spine.make({ apiKey: Redacted.make("sk_spine_early"), baseUrl })
            const error = yield* Effect.flip(runs.create({ prompt: "x", files: [file] }))
            assert.strictEqual(error._tag, isRead ? "UsageLimitError" : "BadRequestError", error.message)
            assert.propertyVal(error, "status", isRead ? 402 : 413)
            assert.include(error.message, "refused early")
            assert.deepStrictEqual(uploads, ["POST /v1/run"])
          }).pipe(Effect.scoped, Effect.provide(client)))

        it.live(`fails an upload to Tela of ${what}, whose rest is ${rest}, with the error of its status`, () =>
          Effect.gen(function*() {
            const status = isRead ? 403 : 413
            const { baseUrl, uploads } = yield* answeringEarly(`${status} Refused`, isRead)
            const tela = yield* Tela.make({ apiKey: Redacted.make("key_early"), baseUrl, retry: Schedule.recurs(1) })
            const error = yield* Effect.flip(tela.canvas.make({ id }).execute({ a: Tela.file(file) }))
            assert.instanceOf(error, RunError.FileInputError, error.message)
            assert.deepStrictEqual([error.status, error.isRetryable], [status, false])
            assert.deepStrictEqual(uploads, ["PUT /put"])
          }).pipe(Effect.scoped, Effect.provide(client)))
      }
    }
  })
}
