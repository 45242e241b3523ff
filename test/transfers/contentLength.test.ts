/** Uploads of both clients to a store that rejects a body without `Content-Length`. */
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Stream } from "effect"
import { type FileInput, RunError, Spine, Tela } from "canvas-runs"
import { onBody, sendJson, serve } from "../support/servers.ts"
import { clients } from "../support/clients.ts"
import { acceptedRun } from "../support/spine.ts"
import { transports } from "../support/transports.ts"

const runId = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

/** Both providers and their store. Like S3, the store rejects a body without an announced length. */
const strict = (refusal: 411 | 501) =>
  Effect.gen(function*() {
    const bodies: Array<{ readonly announced: string | undefined; readonly bytes: Buffer }> = []
    const { baseUrl } = yield* serve((request, response) => {
      if (request.url === "/v3/files") {
        request.resume()
        return sendJson(response, { id: runId, uploadUrl: `${baseUrl}/store` })
      }
      if (request.headers["transfer-encoding"] !== undefined) return void response.writeHead(refusal).end()
      onBody(request, (bytes) => {
        if (request.url !== "/v2/chat/completions") {
          bodies.push({ announced: request.headers["content-length"], bytes })
        }
        sendJson(
          response,
          request.url === "/v1/run"
            ? acceptedRun(runId)
            : { id: runId, status: "created" }
        )
      })
    })
    return { baseUrl, bodies }
  })

describe("D2: a store that rejects a body without content-length", () => {
  for (const [name, client] of transports) {
    it.live(`D2: accepts a file from disk that is uploaded through ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { bodies, baseUrl } = yield* strict(411)
        const fs = yield* FileSystem.FileSystem
        const path = `${yield* fs.makeTempDirectoryScoped()}/paper.pdf`
        const content = new Uint8Array(600_000).fill(37)
        yield* fs.writeFile(path, content)
        yield* Effect.gen(function*() {
          const tela = yield* Tela.TelaClient
          const file = yield* Tela.fileFromPath(path)
          yield* tela.canvas.make({ id: runId }).execute({ file }, { async: true })
        }).pipe(Effect.provide(Layer.provide(clients({ baseUrl }), client)))
        assert.deepStrictEqual(bodies.map(({ announced, bytes }) => [announced, bytes.equals(content)]), [
          ["600000", true]
        ])
      })).pipe(Effect.provide(NodeFileSystem.layer)))

    it.live(`D2: accepts the form of a Spine run with streamed files through ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { bodies, baseUrl } = yield* strict(501)
        const file: FileInput.FileInput = {
          data: Stream.make(new Uint8Array(70_000), new Uint8Array(30_000)),
          size: 100_000,
          filename: "table.xlsx"
        }
        const created = yield* Effect.flatMap(
          Spine.SpineClient,
          (spine) => spine.runs.create({ prompt: "Grüße 🙂", files: [file, new Blob(["abc"])] })
        ).pipe(Effect.provide(Layer.provide(clients({ baseUrl }), client)))
        assert.strictEqual(created.run_id, runId)
        assert.strictEqual(bodies.length, 1)
        assert.strictEqual(bodies[0]!.announced, String(bodies[0]!.bytes.length))
        assert.isAbove(bodies[0]!.bytes.length, 100_003)
      })))

    it.live(`D2: gets no complete body if a stream differs from its announced length, which is a FileInputError through ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { bodies, baseUrl } = yield* strict(411)
        for (const size of [9, 11]) {
          const error = yield* Effect.flatMap(
            Spine.SpineClient,
            (spine) =>
              Effect.flip(
                spine.runs.create({
                  prompt: "x",
                  files: [{ data: Stream.make(new Uint8Array(10)), size, filename: "a.txt" }]
                })
              )
          ).pipe(Effect.provide(Layer.provide(clients({ baseUrl }), client)))
          assert.instanceOf(error, RunError.FileInputError)
          assert.strictEqual(error.reason, "size")
        }
        assert.deepStrictEqual(bodies, [])
      })))
  }
})
