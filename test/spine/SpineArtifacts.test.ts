import { NodeFileSystem, NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, FileSystem, Layer, Redacted, Schedule, Stream } from "effect"
import { HttpClient, type HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import type * as http from "node:http"
import { RunError, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { apiKey, live } from "../support/spine.ts"
import { text } from "../support/bytes.ts"
import { serve } from "../support/servers.ts"
import { transports } from "../support/transports.ts"

const onDownload = (fault: Fault.Fault) => fault.pipe(Fault.on("GET", /_artifacts|artifacts/))

/** A completed run, by default with one artifact. */
const completed = (
  artifacts: ReadonlyArray<SpineEmulator.ScriptedArtifact> = [{ name: "report.txt", content: "0123456789" }]
) =>
  Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script({ timeline: Timeline.make({ duration: "1 second" }), artifacts })
    const created = yield* spine.runs.create({ prompt: "x" })
    yield* TestClock.adjust("1 second")
    const run = success(yield* finish(spine.runs.waitForCompletion(created), "5 seconds"))
    yield* emulator.clearRequests
    return { spine, emulator, run, artifact: run.result.artifacts[0]! }
  })

const layers = (options?: SpineEmulator.Options) => Layer.merge(live({}, options), NodeFileSystem.layer)

describe("artifacts", () => {
  it.effect("promise 11: are downloaded without the API key", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      assert.strictEqual(text(yield* spine.artifacts.download(run, artifact)), "0123456789")
      const [request] = yield* emulator.requests
      assert.notInclude(JSON.stringify(request), apiKey)
    }).pipe(Effect.provide(layers())))

  it.effect("are streamed", () =>
    Effect.gen(function*() {
      const stream = Stream.make(new Uint8Array(1000), new Uint8Array(500))
      const { artifact, run, spine } = yield* completed([{ name: "big.bin", content: { size: 1500, stream } }])
      const sizes = yield* Stream.runCollect(Stream.map(spine.artifacts.stream(run, artifact), (chunk) => chunk.length))
      assert.deepStrictEqual(sizes, [1000, 500])
    }).pipe(Effect.provide(layers())))

  it.effect("are downloaded with a fresh link, once, when the old one has expired", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      yield* TestClock.adjust("61 minutes")
      assert.strictEqual(text(yield* spine.artifacts.download(run, artifact)), "0123456789")
      assert.deepStrictEqual((yield* emulator.requests).map(({ status }) => status), [403, 200, 200])

      yield* emulator.clearRequests
      yield* emulator.fault(onDownload(Fault.status(404)).pipe(Fault.times(9)))
      const error = failure(yield* finish(spine.artifacts.download(run, artifact)))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.strictEqual(error.reason, "expired")
      assert.strictEqual(error.status, 404)
      assert.strictEqual((yield* emulator.requests).length, 3)
    }).pipe(Effect.provide(layers())))

  it.effect("fail with an error that says that the run no longer lists the artifact", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      yield* emulator.expireArtifacts
      const error = yield* Effect.flip(spine.artifacts.download(run, { ...artifact, id: "another" }))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.strictEqual(error.reason, "expired")
    }).pipe(Effect.provide(layers())))

  it.effect("are requested again after a transient failure, and not after a permanent one", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      yield* emulator.fault(onDownload(Fault.status(503)), onDownload(Fault.dropInside(4)))
      assert.strictEqual(text(success(yield* finish(spine.artifacts.download(run, artifact)))), "0123456789")

      yield* emulator.fault(onDownload(Fault.hang).pipe(Fault.times(9)))
      const silent = failure(yield* finish(spine.artifacts.download(run, artifact)))
      assert.instanceOf(silent, RunError.ArtifactError)
      assert.strictEqual(silent.reason, "unavailable")
    }).pipe(Effect.provide(layers())))

  it.effect("are requested again after at least the server's Retry-After, up to the ceiling", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      const starts = Effect.map(
        emulator.requests,
        (requests) => requests.map(({ receivedAt, status }) => [receivedAt - requests[0]!.receivedAt, status])
      )
      yield* emulator.fault(
        onDownload(Fault.status(429, { headers: { "retry-after": "20" } })),
        onDownload(Fault.status(425, { headers: { "retry-after-ms": "7500" } }))
      )
      assert.strictEqual(
        text(success(yield* finish(spine.artifacts.download(run, artifact), "10 minutes"))),
        "0123456789"
      )
      assert.deepStrictEqual(yield* starts, [[0, 429], [20_000, 425], [27_500, 200]])

      yield* emulator.clearRequests
      yield* emulator.fault(onDownload(Fault.status(503, { headers: { "retry-after": "3600" } })))
      assert.strictEqual(
        text(success(yield* finish(spine.artifacts.download(run, artifact), "10 minutes"))),
        "0123456789"
      )
      assert.deepStrictEqual(yield* starts, [[0, 503], [30_000, 200]])

      yield* emulator.fault(onDownload(Fault.status(429, { headers: { "retry-after": "25" } })).pipe(Fault.times(9)))
      const error = failure(yield* finish(spine.artifacts.download(run, artifact), "10 minutes"))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.deepStrictEqual([error.status, Duration.toSeconds(error.retryAfter!)], [429, 25])
    }).pipe(Effect.provide(Layer.merge(live({ retryAfterCeiling: "30 seconds" }), NodeFileSystem.layer))))

  it.effect("are requested again after a 425, and not after a permanent failure", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      yield* emulator.fault(onDownload(Fault.status(425)), onDownload(Fault.status(425)))
      assert.strictEqual(text(success(yield* finish(spine.artifacts.download(run, artifact)))), "0123456789")
      assert.deepStrictEqual((yield* emulator.requests).map(({ status }) => status), [425, 425, 200])

      yield* emulator.clearRequests
      yield* emulator.fault(onDownload(Fault.status(418, { headers: { "retry-after": "1" } })))
      const error = failure(yield* finish(spine.artifacts.download(run, artifact)))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.isFalse(error.isRetryable)
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(layers())))

  it.effect("fail if the file is shorter or longer than announced", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      const longer = yield* Effect.flip(spine.artifacts.download(run, { ...artifact, size_bytes: 9 }))
      assert.instanceOf(longer, RunError.ArtifactError)
      assert.strictEqual(longer.reason, "size")
      assert.deepStrictEqual([longer.expectedBytes, longer.receivedBytes], [9, 10])

      yield* emulator.fault(onDownload(Fault.truncate(4)).pipe(Fault.times(9)))
      const shorter = failure(yield* finish(spine.artifacts.download(run, artifact)))
      assert.instanceOf(shorter, RunError.ArtifactError)
      assert.strictEqual(shorter.reason, "size")
      assert.deepStrictEqual([shorter.expectedBytes, shorter.receivedBytes], [10, 4])
    }).pipe(Effect.provide(layers())))

  it.effect("are rejected if their link is not an http address", () =>
    Effect.gen(function*() {
      const { artifact, run, spine } = yield* completed()
      for (const download_url of ["file:///etc/passwd", "javascript:alert(1)", "http://", ""]) {
        const error = yield* Effect.flip(spine.artifacts.download(run, { ...artifact, download_url }))
        assert.instanceOf(error, RunError.ArtifactError)
        assert.strictEqual(error.reason, "unavailable")
      }
    }).pipe(Effect.provide(layers())))

  it.effect("are written into the folder, which is created", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { artifact, run, spine } = yield* completed()
      const directory = `${yield* fs.makeTempDirectoryScoped()}/a/b`
      const path = yield* spine.artifacts.toFile(run, artifact, { directory })
      assert.strictEqual(path, `${directory}/report.txt`)
      assert.strictEqual(yield* fs.readFileString(path), "0123456789")
      assert.deepStrictEqual(yield* fs.readDirectory(directory), ["report.txt"])
    })).pipe(Effect.provide(layers())))

  for (
    const [name, expected] of [
      ["../../etc/passwd", "passwd"],
      ["..", "artifact"],
      ["C:\\Windows\\system.ini", "system.ini"],
      [".bashrc", "bashrc"],
      ["a\u0000b\n.txt", "ab.txt"],
      ["CON.txt", "_CON.txt"],
      ["what?*.md", "what__.md"],
      ["\u202egnp.exe", "gnp.exe"],
      ["", "artifact"]
    ] as const
  ) {
    it.effect(`named ${JSON.stringify(name)} are written as ${expected}, inside the folder`, () =>
      Effect.scoped(Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const { artifact, run, spine } = yield* completed()
        const directory = yield* fs.makeTempDirectoryScoped()
        const path = yield* spine.artifacts.toFile(run, { ...artifact, name }, { directory })
        assert.strictEqual(path, `${directory}/${expected}`)
        assert.deepStrictEqual(yield* fs.readDirectory(directory), [expected])
      })).pipe(Effect.provide(layers())))
  }

  it.effect("are not requested if the folder is not a folder", () =>
    Effect.gen(function*() {
      const { artifact, emulator, run, spine } = yield* completed()
      for (const directory of ["", "  ", undefined as never, 5 as never]) {
        for (
          const call of [
            spine.artifacts.toFile(run, artifact, { directory }),
            spine.artifacts.toDirectory(run, directory)
          ]
        ) {
          const error = yield* Effect.flip(
            call as Effect.Effect<unknown, RunError.DownloadError, FileSystem.FileSystem>
          )
          assert.instanceOf(error, RunError.BadRequestError)
          assert.include(error.message, "it must be the path of a folder, such as \".\" for the current one")
        }
      }
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(layers())))

  it.effect("leave no partial file when a download fails, and keep an older file", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { artifact, emulator, run, spine } = yield* completed()
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFileString(`${directory}/report.txt`, "before")
      yield* emulator.fault(onDownload(Fault.dropInside(4)).pipe(Fault.times(9)))
      const fiber = yield* Effect.forkChild(Effect.flip(spine.artifacts.toFile(run, artifact, { directory })))
      // File writes take real time, so the clock advances until the retries are over
      while (fiber.pollUnsafe() === undefined) {
        yield* TestClock.adjust("1 second")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, RunError.ArtifactError)
      assert.strictEqual(error.reason, "interrupted")
      assert.deepStrictEqual(yield* fs.readDirectory(directory), ["report.txt"])
      assert.strictEqual(yield* fs.readFileString(`${directory}/report.txt`), "before")
    })).pipe(Effect.provide(layers())))

  it.effect("leave no partial file when the download is interrupted", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const started = yield* Deferred.make<void>()
      const stream = Stream.concat(
        Stream.make(new Uint8Array(10)),
        Stream.unwrap(Effect.as(Deferred.succeed(started, undefined), Stream.never))
      )
      const { artifact, run, spine } = yield* completed([{ name: "slow.bin", content: { size: 20, stream } }])
      const directory = yield* fs.makeTempDirectoryScoped()
      const fiber = yield* Effect.forkChild(spine.artifacts.toFile(run, artifact, { directory }))
      yield* Deferred.await(started)
      while ((yield* fs.readDirectory(directory)).filter((name) => name.endsWith(".partial")).length === 0) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* fs.readDirectory(directory), [])
    })).pipe(Effect.provide(layers())))

  it.effect("fail with an error that names the path that could not be written", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { artifact, run, spine } = yield* completed()
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFileString(`${directory}/file`, "")
      const error = yield* Effect.flip(spine.artifacts.toFile(run, artifact, { directory: `${directory}/file` }))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.strictEqual(error.reason, "write")
      assert.include(error.message, `${directory}/file`)
    })).pipe(Effect.provide(layers())))

  it.effect("of a run are all written, and numbered if they have the same name", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { run, spine } = yield* completed([
        { name: "Report.txt", content: "1" },
        { name: "report.txt", content: "22" },
        { name: "x/report.txt", content: "333" },
        { name: "notes", content: "4444" }
      ])
      const directory = yield* fs.makeTempDirectoryScoped()
      const files = yield* spine.artifacts.toDirectory(run, directory)
      const paths = files.map(({ path }) => path)
      assert.deepStrictEqual(files.map(({ artifact }) => artifact), run.result.artifacts)
      assert.deepStrictEqual(
        paths.map((path) => path.slice(directory.length + 1)),
        ["Report.txt", "report-2.txt", "report-3.txt", "notes"]
      )
      assert.deepStrictEqual(yield* Effect.forEach(paths, (path) => fs.readFileString(path)), [
        "1",
        "22",
        "333",
        "4444"
      ])
    })).pipe(Effect.provide(layers())))
})

const emptyRun = (artifact: Spine.Artifact): Spine.CompletedRun => ({
  status: "completed",
  run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  canvas_id: "c",
  duration_ms: 1,
  metadata: { template_used: "auto", models_used: [], credits_consumed: 0 },
  result: { final_output: "", artifacts: [artifact] }
})

describe("redirected downloads", () => {
  for (
    const [name, client] of [...transports, ["node:http", NodeHttpClient.layerNodeHttp] as const]
  ) {
    const link = (url: string): Spine.Artifact => ({
      id: "a",
      type: "txt",
      name: "a.txt",
      download_url: url,
      size_bytes: 10
    })

    it.live(`through ${name} arrive, without the API key, and keep no connection open for the redirect`, () =>
      Effect.scoped(Effect.gen(function*() {
        const seen: Array<http.IncomingHttpHeaders> = []
        const store = yield* serve((request, response) => {
          seen.push(request.headers)
          if (request.url === "/file") return void response.end("0123456789")
          response.writeHead(307, { location: "/file" }).end()
        })
        const front = yield* serve((request, response) => {
          seen.push(request.headers)
          // A body that never ends and is not read
          response.writeHead(302, { location: `${store.baseUrl}/moved`, "content-length": 1000 }).write("moved")
        })
        // A reference to the responses keeps the garbage collector from closing their connections
        const answers: Array<HttpClientResponse.HttpClientResponse> = []
        const holding = Layer.effect(
          HttpClient.HttpClient,
          Effect.map(HttpClient.HttpClient, HttpClient.tap((answer) => Effect.sync(() => answers.push(answer))))
        )
        yield* Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const artifact = link(`${front.baseUrl}/start`)
          assert.strictEqual(text(yield* spine.artifacts.download(emptyRun(artifact), artifact)), "0123456789")
          assert.strictEqual(seen.length, 3)
          assert.notInclude(JSON.stringify(seen), apiKey)
          while (front.open() > 0) yield* Effect.sleep("5 millis")
          assert.strictEqual(answers.length, 3)
        }).pipe(Effect.provide(
          Layer.orDie(Spine.layer({ apiKey: Redacted.make(apiKey) })).pipe(
            Layer.provide(holding),
            Layer.provide(client)
          )
        ))
      })))

    it.live(`through ${name} follow only http addresses, and end after ten redirects`, () =>
      Effect.scoped(Effect.gen(function*() {
        const hits: Array<string> = []
        const front = yield* serve((request, response) => {
          hits.push(request.url!)
          response.writeHead(302, { location: request.url === "/local" ? "file:///etc/passwd" : "/circle" }).end()
        })
        const layer = Layer.orDie(Spine.layer({ apiKey: Redacted.make(apiKey), retry: Schedule.recurs(0) }))
        const errors = yield* Effect.flatMap(
          Spine.SpineClient,
          (spine) =>
            Effect.forEach(["/local", "/circle"], (path) => {
              const artifact = link(`${front.baseUrl}${path}`)
              return Effect.flip(spine.artifacts.download(emptyRun(artifact), artifact))
            })
        ).pipe(Effect.provide(Layer.provide(layer, client)))
        for (const error of errors) {
          assert.instanceOf(error, RunError.ArtifactError)
          assert.strictEqual(error.reason, "unavailable")
        }
        assert.strictEqual(hits.filter((url) => url === "/local").length, 1)
        // Ten redirects are followed on every platform
        assert.strictEqual(hits.filter((url) => url === "/circle").length, 11)
      })))
  }
})
