/** The contenders that upload a file from the disk, or download one onto it, each with its public API. */
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import { createReadStream, createWriteStream, openAsBlob, statSync } from "node:fs"
import * as http from "node:http"
import { basename, dirname } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { type ReadableStream } from "node:stream/web"
import { FileInput, Spine, Tela } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"

/** Moves the bytes of the file at `path` to the server, or `size` bytes from the server to `path`. */
export type Transfer = (path: string, size: number) => Promise<void>

const clientLayers = (): Record<"fetch" | "undici", Layer.Layer<HttpClient.HttpClient>> => ({
  fetch: FetchHttpClient.layer,
  undici: Layer.orDie(NodeHttp.layer())
})

/** The library, with timeouts that no transfer reaches. */
const ours = (
  origin: string,
  client: "fetch" | "undici",
  transfer: (path: string, size: number) => Effect.Effect<
    unknown,
    unknown,
    Spine.SpineClient | Tela.TelaClient | Layer.Success<typeof NodeFileSystem.layer>
  >
): Transfer => {
  const options = { baseUrl: origin, requestTimeout: "1 hour" } as const
  const runtime = ManagedRuntime.make(
    Layer.mergeAll(
      Spine.layer({ ...options, apiKey: Redacted.make("sk_spine_benchmark_0001") }),
      Tela.layer({ ...options, apiKey: Redacted.make("tela_benchmark_0001") })
    ).pipe(Layer.provide(clientLayers()[client]), Layer.merge(NodeFileSystem.layer))
  )
  return async (path, size) => {
    await runtime.runPromise(transfer(path, size))
  }
}

const spineUpload =
  (file: (path: string) => Effect.Effect<FileInput.FileInput, unknown, NodeFileSystemService>) => (path: string) =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      yield* spine.runs.create({ prompt: "x", files: [yield* file(path)] })
    })

type NodeFileSystemService = Layer.Success<typeof NodeFileSystem.layer>

const telaUpload =
  (file: (path: string) => Effect.Effect<Tela.TelaFile, unknown, NodeFileSystemService>) => (path: string) =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
      yield* canvas.execute({ file: yield* file(path) })
    })

const blob = (path: string) => Effect.promise(() => openAsBlob(path))
const blobFile = (path: string) => Effect.map(blob(path), (data) => ({ data, filename: basename(path) }))

const download = (origin: string) => (path: string, size: number) =>
  Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const artifact: Spine.Artifact = {
      id: "a",
      type: "zip",
      name: basename(path),
      download_url: `${origin}/artifact/${size}`,
      size_bytes: size
    }
    yield* spine.artifacts.toFile("6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", artifact, { directory: dirname(path) })
  })

const ok = async (response: Response): Promise<Response> => {
  if (!response.ok) throw new Error(`status ${response.status}`)
  return response
}

export const contenders = {
  "fetch of a form with openAsBlob": (origin: string): Transfer => async (path) => {
    const form = new FormData()
    form.append("files", await openAsBlob(path), basename(path))
    await (await ok(await fetch(`${origin}/v1/run`, { method: "POST", body: form }))).text()
  },
  "node:http pipe": (origin: string): Transfer => (path, size) =>
    new Promise((resolve, reject) => {
      const request = http.request(`${origin}/put`, { method: "PUT", headers: { "content-length": size } })
      request.on("response", (response) => response.resume().on("end", resolve)).on("error", reject)
      createReadStream(path).pipe(request)
    }),
  "fetch piped to a file": (origin: string): Transfer => async (path, size) => {
    const { body } = await ok(await fetch(`${origin}/artifact/${size}`))
    await pipeline(Readable.fromWeb(body as ReadableStream), createWriteStream(path))
  },
  "Spine upload on fetch": (origin: string) => ours(origin, "fetch", spineUpload(FileInput.fromPath)),
  "Spine upload on undici": (origin: string) => ours(origin, "undici", spineUpload(FileInput.fromPath)),
  "Tela upload on fetch": (origin: string) => ours(origin, "fetch", telaUpload(Tela.fileFromPath)),
  "Tela upload on undici": (origin: string) => ours(origin, "undici", telaUpload(Tela.fileFromPath)),
  "Spine upload of a Blob on fetch": (origin: string) => ours(origin, "fetch", spineUpload(blobFile)),
  "Spine upload of a Blob on undici": (origin: string) => ours(origin, "undici", spineUpload(blobFile)),
  "Tela upload of a Blob on fetch": (origin: string) =>
    ours(origin, "fetch", telaUpload((path) => Effect.map(blob(path), (data) => Tela.file(data)))),
  "Tela upload of a Blob on undici": (origin: string) =>
    ours(origin, "undici", telaUpload((path) => Effect.map(blob(path), (data) => Tela.file(data)))),
  "download on fetch": (origin: string) => ours(origin, "fetch", download(origin)),
  "download on undici": (origin: string) => ours(origin, "undici", download(origin))
} satisfies Record<string, (origin: string) => Transfer>

export type Contender = keyof typeof contenders

export const isDownload = (contender: Contender): boolean =>
  contender.startsWith("download") || contender === "fetch piped to a file"

/** The size of the downloaded file, or `undefined` if there is no such file. */
export const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size
