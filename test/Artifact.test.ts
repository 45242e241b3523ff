import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, FileSystem, Layer, PlatformError, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Artifact, RunError, RunRef } from "canvas-runs"
import { openFile } from "./support/fileStore.ts"
import { failure, finish, success } from "./support/results.ts"
import { answering } from "./support/http.ts"

const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })

const source = (size: number | undefined): Artifact.ArtifactSource => ({
  name: "a.bin",
  url: "https://files.example/a",
  size,
  ref,
  refresh: Effect.undefined
})

/** Downloads a response with that body, without retries. */
const options = (body: () => BodyInit | null): Artifact.Options => ({
  client: answering(() => new Response(body())).client,
  idleTimeout: Duration.minutes(1),
  retry: Schedule.recurs(0),
  retryAfterCeiling: Duration.minutes(1)
})

const bytes = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, index) => Math.imul(index, 2654435761) >>> 13)

/** A body in chunks of those sizes, repeated. */
const inChunks = (whole: Uint8Array<ArrayBuffer>, sizes: ReadonlyArray<number>) => (): ReadableStream => {
  let offset = 0
  let turn = 0
  return new ReadableStream({
    pull(controller) {
      if (offset >= whole.length) return controller.close()
      controller.enqueue(whole.slice(offset, offset += sizes[turn++ % sizes.length]!))
    }
  })
}

/** A body that sends these bytes and then stalls. */
const silentAfter = (length: number) => () =>
  new ReadableStream({
    start(controller) {
      if (length > 0) controller.enqueue(bytes(length))
    }
  })

const mebibyte = 2 ** 20

describe("writing an artifact to a file", () => {
  for (
    const [length, sizes] of [
      [0, [1]],
      [1, [1]],
      [100_000, [1, 65_536]],
      [mebibyte - 1, [65_536]],
      [mebibyte, [65_536]],
      [mebibyte + 1, [65_536]],
      [3 * mebibyte, [mebibyte]],
      [3 * mebibyte + 5, [mebibyte + 1, mebibyte - 1]],
      [4 * mebibyte + 77, [3_000_000, 7]],
      [5_000_000, [65_536, 1, 8192, 999_999]]
    ] as const
  ) {
    for (const size of [length, undefined]) {
      it.live(
        `${length} bytes in chunks of ${sizes.join(", ")}, size ${size === undefined ? "not " : ""}announced`,
        () =>
          Effect.scoped(Effect.gen(function*() {
            const fs = yield* FileSystem.FileSystem
            const directory = yield* fs.makeTempDirectoryScoped()
            const whole = bytes(length)
            const path = yield* Artifact.toFile(options(inChunks(whole, sizes)), source(size), { directory })
            assert.isTrue(Buffer.from(yield* fs.readFile(path)).equals(Buffer.from(whole)))
            const inMemory = yield* Artifact.bytes(options(inChunks(whole, sizes)), source(size))
            assert.isTrue(Buffer.from(inMemory).equals(Buffer.from(whole)))
          })).pipe(Effect.provide(NodeFileSystem.layer))
      )
    }
  }

  /** A file system whose one file is written slowly, with a log of the operations on it. */
  const slow = (writeAll: Effect.Effect<void, PlatformError.PlatformError>) => {
    const log: Array<string> = []
    const say = (what: string) => Effect.sync(() => void log.push(what))
    const write = Effect.andThen(Effect.andThen(say("write"), writeAll), say("written"))
    const layer = FileSystem.layerNoop({
      makeDirectory: () => Effect.void,
      open: () =>
        Effect.as(Effect.acquireRelease(Effect.void, () => say("close")), openFile({ writeAll: () => write })),
      rename: () => say("rename"),
      remove: () => say("remove")
    })
    return { log, layer }
  }
  const toFile = (body: () => BodyInit, size?: number) =>
    Artifact.toFile(options(body), source(size), { directory: "x" })

  it.effect("a slow disk does not count as a silent server", () =>
    Effect.gen(function*() {
      const { layer, log } = slow(Effect.sleep("10 minutes"))
      success(yield* finish(Effect.provide(toFile(inChunks(bytes(3 * mebibyte), [65_536])), layer)))
      assert.deepStrictEqual(log, ["write", "written", "write", "written", "write", "written", "close", "rename"])
    }))

  it.effect("an interruption waits for the write under way before it closes the file", () =>
    Effect.gen(function*() {
      const { layer, log } = slow(Effect.sleep("5 seconds"))
      const fiber = yield* Effect.forkChild(Effect.provide(toFile(silentAfter(mebibyte)), layer))
      while (log.length === 0) yield* Effect.yieldNow
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(log, ["write"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interruption)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(log, ["write", "written", "close", "remove"])
    }))

  it.effect("a full disk fails the download, and no part of the file remains", () =>
    Effect.gen(function*() {
      const full = PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "writeAll" })
      const { layer, log } = slow(Effect.fail(full))
      const error = failure(yield* finish(Effect.provide(toFile(inChunks(bytes(3 * mebibyte), [65_536])), layer)))
      assert.instanceOf(error, RunError.ArtifactError)
      assert.strictEqual(error.reason, "write")
      assert.deepStrictEqual(log, ["write", "close", "remove"])
    }))
})

describe("a server that falls silent", () => {
  const fs = FileSystem.layerNoop({
    makeDirectory: () => Effect.void,
    open: () => Effect.succeed(openFile({})),
    remove: () => Effect.void
  })
  for (const sent of [0, 1000]) {
    for (
      const [name, read] of [
        ["bytes", Artifact.bytes(options(silentAfter(sent)), source(undefined))],
        ["stream", Stream.runDrain(Artifact.stream(options(silentAfter(sent)), source(2000)))],
        ["toFile", Artifact.toFile(options(silentAfter(sent)), source(2000), { directory: "x" })]
      ] as const
    ) {
      it.effect(`after ${sent} bytes ends ${name} when the idle time has passed`, () =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.exit(read))
          yield* Effect.repeat(Effect.yieldNow, { times: 200 })
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          yield* TestClock.adjust("59 seconds")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("1 second")
          const error = failure(yield* Fiber.join(fiber))
          assert.instanceOf(error, RunError.ArtifactError)
          assert.strictEqual(error.reason, "interrupted")
          assert.strictEqual(error.receivedBytes, sent)
          assert.include(error.message, "1m")
        }).pipe(Effect.provide(Layer.fresh(fs))))
    }
  }
})
