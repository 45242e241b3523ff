/** Uploads that take longer than the request timeout, and uploads without progress. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Fiber, Latch, type Layer, Redacted, Schedule, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, RunStore, Spine, Tela } from "canvas-runs"
import { createHash } from "node:crypto"
import type * as NodeHttp from "node:http"
import { finishInSteps } from "../../support/results.ts"
import { onBody, sendJson, serve } from "../../support/servers.ts"
import { acceptedRun } from "../../support/spine.ts"
import { transports } from "../../support/transports.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const MiB = 1024 * 1024

/** Reads a body piece by piece, like a client with a slow server. */
const takeSlowly = (body: unknown, pause: Effect.Effect<void>): Effect.Effect<number> => {
  const pieces = Stream.isStream(body)
    ? body as Stream.Stream<Uint8Array>
    : body instanceof Blob
    ? Stream.fromReadableStream({ evaluate: () => body.stream(), onError: (cause) => cause })
    : Stream.make(body as Uint8Array)
  return Stream.runFold(
    Stream.mapEffect(pieces, (piece) => Effect.as(pause, piece.length)),
    () => 0,
    (sum, length) => sum + length
  ).pipe(Effect.orDie)
}

const response = (url: URL) =>
  url.pathname === "/v1/run"
    ? acceptedRun(id)
    : url.pathname.endsWith("/v3/files")
    ? { id, uploadUrl: "https://store.test/put?signature=x", downloadUrl: "https://store.test/get" }
    : { id, status: "created", message: "ok" }

/** A provider and a store that pause after each piece of a body. */
const slow = (pause: Effect.Effect<void>, taken: Array<number> = []) =>
  HttpClient.make((request, url) =>
    Effect.gen(function*() {
      const { body } = request
      if (!/json/.test(request.headers["content-type"] ?? "")) {
        if (body._tag === "Stream") taken.push(yield* takeSlowly(body.stream, pause))
        if (body._tag === "Raw" || body._tag === "Uint8Array") taken.push(yield* takeSlowly(body.body, pause))
      }
      return HttpClientResponse.fromWeb(request, Response.json(response(url), { status: 200 }))
    })
  )

const streamed = (pieces: number, bytes: number): Spine.CreateRunParams["files"] => [{
  filename: "a.txt",
  size: pieces * bytes,
  // One piece at a time, as from a disk
  data: Stream.rechunk(Stream.fromIterable(Array.from({ length: pieces }, () => new Uint8Array(bytes))), 1)
}]

const create = (
  client: HttpClient.HttpClient,
  files: Spine.CreateRunParams["files"],
  options?: Partial<Spine.Options>
) =>
  Effect.gen(function*() {
    const { runs } = yield* Spine.make({
      apiKey: Redacted.make("sk_spine_upload"),
      retry: Schedule.recurs(0),
      ...options
    })
    return yield* finishInSteps(Effect.result(runs.create({ prompt: "x", files })), "5 seconds")
  }).pipe(Effect.provideService(HttpClient.HttpClient, client))

describe("an upload with progress", () => {
  it.effect("D6: a stream whose pieces take 40 seconds each is sent completely, with a request timeout of 60 seconds", () =>
    Effect.gen(function*() {
      const taken: Array<number> = []
      const result = yield* create(slow(Effect.sleep("40 seconds"), taken), streamed(6, 1000))
      assert.strictEqual(result._tag, "Success", String(result._tag === "Failure" && result.failure.message))
      assert.isAbove(taken[0]!, 6000)
    }))

  it.effect("D6: a Blob whose pieces take 40 seconds each is sent completely", () =>
    Effect.gen(function*() {
      const taken: Array<number> = []
      const result = yield* create(slow(Effect.sleep("40 seconds"), taken), [new File([new Uint8Array(MiB)], "a.txt")])
      assert.strictEqual(result._tag, "Success", String(result._tag === "Failure" && result.failure.message))
      assert.isAbove(taken[0]!, MiB)
    }))

  it.effect("D6: a create without progress for uploadIdleTimeout has an unknown outcome that names the option", () =>
    Effect.gen(function*() {
      const result = yield* create(slow(Effect.sleep("40 seconds")), streamed(6, 1000), {
        uploadIdleTimeout: "30 seconds"
      })
      assert.isTrue(result._tag === "Failure" && result.failure instanceof RunError.CreateOutcomeUnknownError)
      assert.include(String(result._tag === "Failure" && result.failure.message), "uploadIdleTimeout")
    }))

  it.effect("D6: uploadIdleTimeout may be longer than requestTimeout", () =>
    Effect.gen(function*() {
      const result = yield* create(slow(Effect.sleep("40 seconds")), streamed(6, 1000), {
        requestTimeout: "45 seconds",
        uploadIdleTimeout: "2 minutes"
      })
      assert.strictEqual(result._tag, "Success", String(result._tag === "Failure" && result.failure.message))
    }))

  it.effect("D6: after the last piece the requestTimeout applies to the response", () =>
    Effect.gen(function*() {
      const silent = HttpClient.make((request) =>
        request.body._tag === "Stream"
          ? Effect.andThen(Effect.orDie(Stream.runDrain(request.body.stream)), Effect.never)
          : Effect.never
      )
      const result = yield* create(silent, streamed(2, 1000), {
        requestTimeout: "1 minute",
        uploadIdleTimeout: "1 hour"
      })
      assert.isTrue(result._tag === "Failure")
      assert.include(String(result._tag === "Failure" && result.failure.message), "no answer within 1m")
    }))
})

describe("an upload of a Tela file", () => {
  const execute = (client: HttpClient.HttpClient, data: Uint8Array | Blob) =>
    Effect.gen(function*() {
      const tela = yield* Tela.make({ apiKey: Redacted.make("tela_upload"), retry: Schedule.recurs(2) })
      const canvas = tela.canvas.make({ id })
      return yield* finishInSteps(
        Effect.result(canvas.execute({ scan: Tela.file(data, { name: "a.pdf" }) }, { async: true })),
        "5 seconds"
      )
    }).pipe(Effect.provideService(HttpClient.HttpClient, client))

  it.effect("D6: a Blob with steady progress for longer than the request timeout is uploaded once", () =>
    Effect.gen(function*() {
      const taken: Array<number> = []
      const client = slow(Effect.sleep("40 seconds"), taken)
      const result = yield* execute(client, new Blob([new Uint8Array(MiB)]))
      assert.strictEqual(result._tag, "Success", String(result._tag === "Failure" && result.failure.message))
      assert.strictEqual(taken.filter((length) => length === MiB).length, 1)
    }))

  it.effect("D6: bytes, whose progress no HTTP client shows, have extra time by their size", () =>
    Effect.gen(function*() {
      // A minute, and a second for each 64 KiB beyond 256 KiB
      const inTime = yield* execute(slow(Effect.sleep("4 minutes")), new Uint8Array(12 * MiB))
      assert.strictEqual(inTime._tag, "Success", String(inTime._tag === "Failure" && inTime.failure.message))
      const late = yield* execute(slow(Effect.sleep("5 minutes")), new Uint8Array(12 * MiB))
      assert(late._tag === "Failure")
      assert.instanceOf(late.failure, RunError.FileInputError)
      assert.include(late.failure.message, "within 4m 8s")
    }))
})

describe("a file that stalls in the middle of an upload", () => {
  const piece = new Uint8Array(1000)
  const pieces = (rest: Effect.Effect<never>) => Stream.concat(Stream.make(piece, piece), Stream.fromEffect(rest))
  /** Files that give 2000 of 5000 bytes, then call back, and then stall. */
  const silent = {
    "a stream": (onSilence: () => void) => pieces(Effect.andThen(Effect.sync(onSilence), Effect.never)),
    "a stream whose reading cannot be interrupted": (onSilence: () => void) =>
      pieces(Effect.uninterruptible(Effect.andThen(Effect.sync(onSilence), Effect.never))),
    "a web stream whose cancellation never ends": (onSilence: () => void) => {
      let count = 0
      return new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (++count <= 2) return controller.enqueue(piece)
          onSilence()
          return new Promise(() => {})
        },
        cancel: () => new Promise(() => {})
      }, { highWaterMark: 0 })
    }
  }

  /** A provider that reads bodies, and opens `isUploading` when the beginning of an upload has arrived. */
  const reading = Effect.gen(function*() {
    const isUploading = yield* Latch.make()
    const requests: Array<string> = []
    const { baseUrl } = yield* serve((request, response) => {
      requests.push(request.url!)
      if (request.url === "/v3/files") return sendJson(response, { id, uploadUrl: `${baseUrl}/store` })
      let length = 0
      request.on("error", () => {}).on("data", (part: Buffer) => {
        length += part.length
        if (length >= 1000) isUploading.openUnsafe()
      })
    })
    return { baseUrl, requests, isUploading }
  })

  const failing = <E, R>(
    isUploading: Latch.Latch,
    run: (onSilence: () => void) => Effect.Effect<unknown, E, R>
  ) =>
    Effect.gen(function*() {
      const isSilent = yield* Latch.make()
      const fiber = yield* Effect.forkChild(Effect.flip(run(() => isSilent.openUnsafe())))
      yield* Effect.raceFirst(Effect.andThen(isUploading.await, isSilent.await), Fiber.await(fiber))
      for (let step = 0; step < 20 && fiber.pollUnsafe() === undefined; step++) {
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
        yield* TestClock.adjust("10 seconds")
      }
      return yield* Fiber.join(fiber)
    })

  for (const [name, layer] of transports) {
    for (const [what, data] of Object.entries(silent)) {
      it.effect(`D6: ${what} in a create through ${name} is a FileInputError that names it, and its key is free`, () =>
        Effect.gen(function*() {
          const { baseUrl, isUploading, requests } = yield* reading
          const { runs } = yield* Spine.make({
            apiKey: Redacted.make("sk_spine_upload"),
            baseUrl,
            retryCreates: true
          })
          const store = yield* RunStore.RunStore
          const error = yield* failing(isUploading, (onSilence) => {
            const files = [new Uint8Array([1, 2]), { data: data(onSilence), size: 5000, filename: "b.txt" }]
            return store.runOnce("key", runs.create({ prompt: "x", files }))
          })
          assert.instanceOf(error, RunError.FileInputError)
          assert.deepInclude(error, { file: "b.txt", reason: "read", reached: true, isRetryable: false })
          assert.include(error.message, "b.txt could not be read (it gave no bytes for 1m, which is uploadIdleTimeout)")
          assert.include(error.message, "raise the client's option uploadIdleTimeout")
          assert.deepStrictEqual(requests, ["/v1/run"])
          assert.isUndefined(yield* store.get("key"))
        }).pipe(Effect.scoped, Effect.provide([layer, RunStore.layerMemory])))
    }

    it.effect(`D6: a stream in a Tela variable, uploaded through ${name}, is a FileInputError with the path of the variable`, () =>
      Effect.gen(function*() {
        const { baseUrl, isUploading, requests } = yield* reading
        const tela = yield* Tela.make({ apiKey: Redacted.make("tela_upload"), baseUrl })
        const error = yield* failing(isUploading, (onSilence) => {
          const scan = Tela.file({ data: silent["a stream"](onSilence), size: 5000, filename: "b.pdf" })
          return tela.canvas.make({ id }).execute({ papers: [{ scan }] }, { async: true })
        })
        assert.instanceOf(error, RunError.FileInputError)
        assert.deepInclude(error, { file: "b.pdf", variable: "papers[0].scan", reason: "read", reached: false })
        assert.match(
          error.message,
          /^papers\[0\]\.scan: b\.pdf could not be read \(it gave no bytes for 1m, which is upload/
        )
        assert.deepStrictEqual(requests, ["/v3/files", "/store"])
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("D6: if no length is announced, a stalled file makes the outcome unknown, and the message names the file", () =>
    Effect.gen(function*() {
      // Like Deno, whose fetch sends a stream without its length
      const versions = { ...process.versions, deno: "2.5.0" }
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.stubGlobal("process", Object.create(process, { versions: { value: versions } }))),
        () => Effect.sync(() => vi.unstubAllGlobals())
      )
      const data = Stream.concat(Stream.make(piece), Stream.never)
      const result = yield* create(slow(Effect.void), [{ filename: "b.txt", size: 5000, data }])
      const error = result._tag === "Failure" ? result.failure : undefined
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.include(error.message, "b.txt gave no bytes for 1m (uploadIdleTimeout). Check what its bytes come from")
      assert.notInclude(error.message, "Nothing was created")
      const { cause } = error
      assert.instanceOf(cause, RunError.FileInputError)
      assert.notInclude(cause.message, "Nothing was created")
    }).pipe(Effect.scoped))

  it.effect("D6: if a server stops reading a stream, the error names the server and not the file", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.make({ apiKey: Redacted.make("tela_upload"), uploadIdleTimeout: "30 seconds" })
      const scan = Tela.file({ data: Stream.rechunk(Stream.make(piece, piece), 1), size: 2000, filename: "a.txt" })
      const error = yield* failing(Latch.makeUnsafe(true), (onSilence) => {
        onSilence()
        return tela.canvas.make({ id }).execute({ scan }, { async: true })
      })
      assert.instanceOf(error, RunError.FileInputError)
      assert.deepInclude(error, { reason: "upload", isRetryable: true })
      assert.include(error.message, "scan: a.txt could not be uploaded: its server stopped reading it for 30s")
    }).pipe(Effect.provideService(HttpClient.HttpClient, slow(Effect.sleep("40 seconds")))))

  it.effect("D6: slow pieces of a file and a slow server do not add up", () =>
    Effect.gen(function*() {
      const data = Stream.mapEffect(Stream.range(1, 4), () => Effect.as(Effect.sleep("40 seconds"), piece))
      const result = yield* create(slow(Effect.sleep("40 seconds")), [{ filename: "a.txt", size: 4000, data }])
      assert.strictEqual(result._tag, "Success", String(result._tag === "Failure" && result.failure.message))
    }))
})

describe("on a socket", () => {
  const bytes = Uint8Array.from({ length: 3 * MiB }, (_, index) => index * 31)
  const hash = (data: Uint8Array) => createHash("sha256").update(data).digest("hex")

  const serving = (
    answer: (request: NodeHttp.IncomingMessage, body: Buffer, response: NodeHttp.ServerResponse) => void
  ) =>
    Effect.map(
      serve((request, response) => onBody(request, (body) => answer(request, body, response))),
      ({ baseUrl }) => baseUrl
    )

  for (const [name, layer] of transports) {
    it.live(`a Blob through ${name} arrives completely, with its length`, () =>
      Effect.gen(function*() {
        let length: string | undefined
        let received: Buffer | undefined
        const baseUrl = yield* serving((request, body, response) => {
          length = request.headers["content-length"]
          received = body
          sendJson(response, acceptedRun(id))
        })
        const { runs } = yield* Spine.make({ apiKey: Redacted.make("sk_spine_upload"), baseUrl })
        yield* runs.create({ prompt: "x", files: [new File([bytes], "a.txt")] })
        assert.strictEqual(length, String(received!.length))
        const start = received!.indexOf(bytes.subarray(0, 64))
        assert.strictEqual(hash(received!.subarray(start, start + bytes.length)), hash(bytes))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    for (const [size, file] of [["small", new Uint8Array(10)], ["large", new File([bytes], "a.txt")]] as const) {
      it.live(`F14: a ${size} Spine create that is redirected through ${name} names the redirect and its host`, () =>
        Effect.gen(function*() {
          const posts: Array<string> = []
          const baseUrl = yield* serving((request, _, response) => {
            if (request.method === "POST") posts.push(request.url!)
            response.writeHead(308, { location: "https://login.test/sign-in?next=x" }).end()
          })
          const { runs } = yield* Spine.make({ apiKey: Redacted.make("sk_spine_upload"), baseUrl })
          const error = yield* Effect.flip(runs.create({ prompt: "x", files: [file] }))
          assert.include(error.message, "the provider redirects to https://login.test,")
          assert.notInclude(error.message, "Check the network")
          assert.deepStrictEqual(posts, ["/v1/run"])
          if (size === "small" || name === "undici") assert.instanceOf(error, RunError.InvalidResponseError)
          else assert.instanceOf(error, RunError.CreateOutcomeUnknownError, "its own status is not known")
        }).pipe(Effect.scoped, Effect.provide(layer as Layer.Layer<HttpClient.HttpClient>)))
    }
  }
})
