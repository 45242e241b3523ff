import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RunError, Tela } from "canvas-runs"
import { Fault, type TelaEmulator } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { apiKey, canvasId, live, refusals, scripted, setup, unknownId } from "../support/tela.ts"
import { text } from "../support/bytes.ts"

const onDownload = (fault: Fault.Fault) => fault.pipe(Fault.on("GET", /_files/))

/** A file that was uploaded for an execution. */
const uploaded = (content = "0123456789", name = "report.txt") =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    success(yield* finish(tela.canvas.make({ id: canvasId }).execute({ file: Tela.file(new File([content], name)) })))
    const [stored] = yield* emulator.files
    yield* emulator.clearRequests
    return { emulator, vault: tela.vault, reference: `vault://${stored!.id}` }
  })

const layers = (client?: Partial<Tela.Options>, options?: TelaEmulator.Options) =>
  Layer.merge(live(client, options), NodeFileSystem.layer)

describe("the vault", () => {
  it.effect("resolve returns the link, its expiry, and the metadata of the file", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      const { expiresAt, metadata, url } = yield* vault.resolve(reference)
      assert.isTrue(URL.canParse(url))
      assert.isAbove(Date.parse(expiresAt!), 0)
      assert.deepStrictEqual([metadata!.originalFileName, metadata!.size], ["report.txt", 10])
      const [request] = yield* emulator.requests
      assert.strictEqual(request!.path, `/_services/vault/files/${reference.slice(8)}`)
      assert.strictEqual(request!.headers["x-compatibility-date"], "2025-05-19")
      assert.strictEqual(request!.headers["authorization"], `Bearer ${apiKey}`)
    }).pipe(Effect.provide(layers())))

  it.effect("resolve requests a link with the given lifetime", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      const now = yield* emulator.now
      const { expiresAt } = yield* vault.resolve(reference, { expiresIn: "90 seconds" })
      assert.strictEqual(Date.parse(expiresAt!), now + 90_000)
      assert.strictEqual(new URL((yield* emulator.requests)[0]!.url).search, "?expiresIn=90")
    }).pipe(Effect.provide(layers())))

  it.effect("promise 11: download sends no API key to the link", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      assert.strictEqual(text(yield* vault.download(reference)), "0123456789")
      const [resolve, download, ...others] = yield* emulator.requests
      assert.include(JSON.stringify(resolve), apiKey)
      assert.notInclude(JSON.stringify(download), apiKey)
      assert.deepStrictEqual(others, [])
    }).pipe(Effect.provide(layers())))

  it.effect("stream reads a file piece by piece", () =>
    Effect.gen(function*() {
      const { reference, vault } = yield* uploaded("x".repeat(100_000))
      const size = yield* Stream.runFold(vault.stream(reference), () => 0, (size, chunk) => size + chunk.length)
      assert.strictEqual(size, 100_000)
    }).pipe(Effect.provide(layers())))

  it.effect("download requests another link, once, when the first is rejected", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      yield* emulator.fault(onDownload(Fault.status(403)))
      assert.strictEqual(text(yield* vault.download(reference)), "0123456789")
      assert.deepStrictEqual((yield* emulator.requests).map(({ status }) => status), [200, 403, 200, 200])

      yield* emulator.fault(onDownload(Fault.status(403)).pipe(Fault.times(9)))
      const error = failure(yield* finish(vault.download(reference)))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.deepStrictEqual([error.reason, error.artifact, error.ref?.id], [
        "expired",
        "report.txt",
        reference.slice(8)
      ])
    }).pipe(Effect.provide(layers())))

  it.effect("download continues after a break, with a fresh link if the old one has expired", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      yield* emulator.fault(onDownload(Fault.dropInside(4)))
      const exit = yield* finish(vault.download(reference))
      assert.strictEqual(text(success(exit)), "0123456789")
      const statuses = (yield* emulator.requests).map(({ path }) => path.split("/")[1])
      assert.deepStrictEqual(statuses, ["_services", "_files", "_files", "_services", "_files"])
    }).pipe(Effect.provide(layers(
      { retry: Schedule.max([Schedule.spaced("2 minutes"), Schedule.recurs(2)]) },
      { fileLifetime: "1 minute" }
    ))))

  it.effect("download checks the size that the vault reports", () =>
    Effect.gen(function*() {
      const { emulator, reference, vault } = yield* uploaded()
      yield* emulator.fault(onDownload(Fault.truncate(4)).pipe(Fault.times(9)))
      const error = failure(yield* finish(vault.download(reference)))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.deepStrictEqual([error.reason, error.expectedBytes, error.receivedBytes], ["size", 10, 4])
    }).pipe(Effect.provide(layers())))

  it.effect("toFile writes into the folder, under the sanitised name of the file or under another", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { reference, vault } = yield* uploaded("0123456789", "re:port?.txt")
      const directory = `${yield* fs.makeTempDirectoryScoped()}/a`
      assert.strictEqual(yield* vault.toFile(reference, { directory }), `${directory}/re_port_.txt`)
      const path = yield* vault.toFile(reference, { directory, filename: "../other.txt" })
      assert.strictEqual(path, `${directory}/other.txt`)
      assert.strictEqual(yield* fs.readFileString(path), "0123456789")
      assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), ["other.txt", "re_port_.txt"])
    })).pipe(Effect.provide(layers())))

  it.effect("toFile rejects an invalid folder or name before any request", () =>
    Effect.gen(function*() {
      const { emulator, tela: { vault } } = yield* setup
      for (
        const [target, parameter] of [
          [{ directory: "" }, "directory"],
          [{ directory: " " }, "directory"],
          [{}, "directory"],
          [{ directory: 5 }, "directory"],
          [{ directory: ".", filename: 5 }, "filename"],
          [{ directory: ".", fileName: "a" }, "fileName"],
          [undefined, "target"]
        ] as const
      ) {
        const error = yield* Effect.flip(vault.toFile(`vault://${unknownId}`, target as { readonly directory: string }))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, parameter)
      }
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(layers())))

  it.effect("an unknown file is a NotFoundError in every call", () =>
    Effect.gen(function*() {
      const { tela: { vault } } = yield* setup
      const reference = `vault://${unknownId}`
      for (
        const call of [
          vault.resolve(reference),
          vault.download(reference),
          Stream.runDrain(vault.stream(reference)),
          vault.toFile(reference, { directory: "/nowhere" })
        ]
      ) {
        const error = yield* Effect.flip(call as Effect.Effect<unknown, RunError.DownloadError, FileSystem.FileSystem>)
        assert.instanceOf(error, RunError.NotFoundError)
        assert.strictEqual(error.ref?.id, unknownId)
      }
    }).pipe(Effect.provide(layers())))

  it.effect("toFile uses the id as the name of a file without metadata", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { vault } = yield* Tela.TelaClient
      assert.deepStrictEqual((yield* vault.resolve("vault://1")) as unknown, { url: "https://files.example/1" })
      const directory = yield* fs.makeTempDirectoryScoped()
      assert.strictEqual(yield* vault.toFile("vault://1", { directory }), `${directory}/1`)
    })).pipe(
      Effect.provide(scripted(() => ({ url: "https://files.example/1", metadata: null }))),
      Effect.provide(NodeFileSystem.layer)
    ))

  it.effect("every call rejects a malformed reference before any request", () =>
    Effect.gen(function*() {
      const { tela: { vault } } = yield* setup
      const { actual, expected, requests } = yield* refusals([
        ...["", "vault://", unknownId, "vault://a/../b", "vault://a?b", "vault://..", "https://a.example/vault://1"]
          .map(
            (reference) => [vault.resolve(reference), "reference"] as const
          ),
        [vault.download(undefined as never), "reference"],
        [Stream.runDrain(vault.stream("file:///etc/passwd")), "reference"],
        [vault.resolve("vault://1", { expiresIn: 0 }), "expiresIn"],
        [vault.resolve("vault://1", { expiresIn: Duration.infinity }), "expiresIn"],
        [vault.resolve("vault://1", { expiresIn: "soon" as never }), "expiresIn"]
      ])
      assert.deepStrictEqual(actual, expected)
      assert.strictEqual(requests, 0)
    }).pipe(Effect.provide(layers())))

  it.effect("resolve returns no expired link", () =>
    Effect.gen(function*() {
      const { reference, vault } = yield* uploaded()
      const first = yield* vault.resolve(reference)
      yield* TestClock.adjust("2 hours")
      assert.notStrictEqual((yield* vault.resolve(reference)).url, first.url)
    }).pipe(Effect.provide(layers())))
})
