import { NodeFileSystem, NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, FileSystem, Latch, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import * as fs from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { FileInput, RunError, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { size } from "../support/size.ts"
import { sendJson, serve } from "../support/servers.ts"
import { acceptedRun } from "../support/spine.ts"

const clients: ReadonlyArray<readonly [string, Layer.Layer<HttpClient.HttpClient>]> = [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layerNodeHttp]
]

const apiKey = Redacted.make("sk_spine_socket")

const layer = (client: Layer.Layer<HttpClient.HttpClient>) =>
  Layer.unwrap(
    Effect.map(SpineEmulatorServer.SpineEmulatorServer, ({ baseUrl }) => Layer.orDie(Spine.layer({ apiKey, baseUrl })))
  ).pipe(
    Layer.provide(client),
    Layer.provideMerge(SpineEmulatorServer.layer()),
    Layer.provideMerge(NodeFileSystem.layer)
  )

/** A server that counts the bytes of each request, and drops them. `seen.onChunk` is called with the count so far. */
const counting = Effect.gen(function*() {
  const counts: Array<number> = []
  const seen = { onChunk: (_count: number) => {} }
  const { baseUrl } = yield* serve((request, response) => {
    let count = 0
    request.on("data", (chunk: Buffer) => {
      count += chunk.length
      seen.onChunk(count)
    }).on("end", () => {
      counts.push(count)
      sendJson(response, acceptedRun("6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"))
    })
  })
  return { baseUrl, counts, seen }
})

describe("on a socket", () => {
  for (const [name, client] of clients) {
    it.live(`through ${name}: creates with files, waits, and downloads`, () =>
      Effect.scoped(Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        const disk = yield* FileSystem.FileSystem
        const directory = yield* disk.makeTempDirectoryScoped()
        yield* disk.writeFileString(`${directory}/data.csv`, "a,b\n1,2\n")
        yield* emulator.script({
          timeline: Timeline.make({ duration: "50 millis" }),
          artifacts: [{ name: "out.txt", content: "done" }]
        })
        const blobs = name === "node:http" ? [] : [new File(["# Notes"], "notes.md")]
        const created = yield* spine.runs.create({
          prompt: "Grüße",
          files: [new TextEncoder().encode("text"), ...blobs, yield* FileInput.fromPath(`${directory}/data.csv`)]
        })
        const run = yield* spine.runs.waitForCompletion(created, { pollInterval: "20 millis" })
        const paths = (yield* spine.artifacts.toDirectory(run, directory)).map(({ path }) => path)
        assert.deepStrictEqual(paths, [`${directory}/out.txt`])
        assert.strictEqual(yield* disk.readFileString(paths[0]!), "done")
        const [request] = yield* emulator.requests
        assert.deepStrictEqual(
          request!.files.map(({ contentType, name, size }) => [name, contentType, size]),
          [["file-1.txt", "text/plain", 4], ...blobs.map(() => ["notes.md", "text/markdown", 7]), [
            "data.csv",
            "text/csv",
            8
          ]]
        )
      })).pipe(Effect.provide(layer(client))))

    it.live(`through ${name}: promise 12: a connection that was never made and one that broke are different errors`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.fault(Fault.dropAfter)
        const broken = yield* Effect.flip(spine.runs.create({ prompt: "x" }))
        assert.instanceOf(broken, RunError.CreateOutcomeUnknownError)
        assert.strictEqual((yield* emulator.runs).length, 1)

        const closed = yield* Effect.scoped(Effect.map(counting, ({ baseUrl }) => baseUrl))
        const refused = yield* Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.create({ prompt: "x" })).pipe(
          Effect.provide(Spine.layer({ apiKey, baseUrl: closed })),
          Effect.provide(client),
          Effect.flip
        )
        assert.instanceOf(refused, RunError.TransportError)
        assert.strictEqual(refused.code, "ECONNREFUSED")
        assert.isFalse(refused.reached)
        assert.strictEqual(refused.attempts, 3)

        if (name === "fetch") {
          const badPort = yield* Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.create({ prompt: "x" })).pipe(
            Effect.provide(Spine.layer({ apiKey, baseUrl: "http://127.0.0.1:1" })),
            Effect.provide(client),
            Effect.flip
          )
          assert.instanceOf(badPort, RunError.TransportError)
          assert.isFalse(badPort.reached)
        }
      }).pipe(Effect.provide(layer(client))))

    it.live(`through ${name}: promise 6: interruption closes the connection of a poll under way`, () =>
      Effect.scoped(Effect.gen(function*() {
        const closed: Array<string> = []
        const connected = yield* Latch.make()
        const { baseUrl } = yield* serve((request) => {
          request.socket.on("close", () => closed.push("closed"))
          connected.openUnsafe()
        })
        const fiber = yield* Effect.flatMap(
          Spine.SpineClient,
          (spine) => spine.runs.waitForCompletion("6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11")
        ).pipe(
          Effect.provide(Spine.layer({ apiKey, baseUrl })),
          Effect.provide(client),
          Effect.forkChild
        )
        yield* connected.await
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        while (closed.length === 0) yield* Effect.sleep("5 millis")
      })))
  }

  it.live("through node:http: a Blob is refused before a run is created", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const error = yield* Effect.flip(spine.runs.create({ prompt: "x", files: [new Blob(["a"])] }))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.include(error.message, "Blob")
      assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).runs, [])
    }).pipe(Effect.provide(layer(NodeHttpClient.layerNodeHttp))))

  const megabyte = 1_000_000
  // More than the memory that an upload may take
  const megabytes = size(32, 1000)
  const total = megabytes * megabyte
  for (const [name, client] of clients.slice(0, 2)) {
    it.live(
      `through ${name}: the memory of an upload does not grow with its size, as a stream or as a file on disk`,
      () =>
        Effect.scoped(Effect.gen(function*() {
          const { baseUrl, counts, seen } = yield* counting
          const disk = yield* FileSystem.FileSystem
          const path = `${yield* disk.makeTempDirectoryScoped()}/large.zip`
          yield* disk.writeFileString(path, "")
          yield* disk.truncate(path, total)
          const pieces = Stream.range(1, megabytes).pipe(
            Stream.rechunk(1),
            Stream.map(() => new Uint8Array(megabyte))
          )
          const files: ReadonlyArray<FileInput.FileInput> = [
            { data: pieces, size: total, filename: "large.zip" },
            { data: yield* Effect.promise(() => fs.openAsBlob(path)), filename: "large.zip" },
            yield* FileInput.fromPath(path)
          ]
          const context = yield* Layer.build(Layer.provide(Spine.layer({ apiKey, baseUrl }), client))
          const spine = Context.get(context, Spine.SpineClient)
          for (const file of files) {
            // The memory in use when almost everything has been sent, after garbage collection: independent of the machine's load
            const before = inUse()
            let held: number | undefined
            seen.onChunk = (count) => {
              if (held === undefined && count > 0.9 * total) held = inUse() - before
            }
            yield* spine.runs.create({ prompt: "x", files: [file] })
            assert.isAbove(counts.at(-1)!, total)
            assert.isBelow(held ?? Number.NaN, 20 * megabyte)
          }
        })).pipe(Effect.provide(NodeFileSystem.layer)),
      size(60_000, 300_000)
    )
  }
})

/** Bytes in use in this process, once the garbage has been collected. */
const inUse = (): number => {
  // The second collection returns buffers that the first one has freed
  for (let n = 0; n < 2; n++) collectGarbage()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void
