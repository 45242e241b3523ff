import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FileSystem } from "effect"
import { KeyValueStore } from "effect/persistence"
import { RunStore } from "canvas-runs"
import { spawn } from "node:child_process"
import type * as http from "node:http"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"
import { bundle } from "../support/programs.ts"
import { serve } from "../support/servers.ts"

const directory = fileURLToPath(new URL(".", import.meta.url))
const programs = await bundle([`${directory}/terminated.ts`], directory)
afterAll(programs.remove)

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

interface Ended {
  readonly code: number | null
  readonly output: string
  /** Whether the connection was closed before the response was complete. */
  readonly wasAborted: boolean
  readonly requests: number
  readonly entry: RunStore.Entry | undefined
}

/** Sends a SIGTERM while a request is under way, and returns the outcome. */
const terminated = (
  mode: "create" | "sync" | "stream",
  options: {
    /** The bytes that the server sends before the signal. */
    readonly before?: (response: http.ServerResponse) => void
    /** The bytes that it sends after the signal; nothing by default. */
    readonly after?: (response: http.ServerResponse) => void
    /** The text that the process has to print before the signal. */
    readonly until?: string
    /** In milliseconds. */
    readonly requestTimeout?: number
  } = {}
) =>
  Effect.gen(function*() {
    const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const ended = yield* Deferred.make<{ readonly code: number | null; readonly output: string }>()
    const arrived = yield* Deferred.make<http.ServerResponse>()
    const closed = yield* Deferred.make<boolean>()
    const printed = yield* Deferred.make<void>()
    let requests = 0
    const { baseUrl } = yield* serve((request, response) => {
      requests++
      response.on("close", () => Deferred.doneUnsafe(closed, Effect.succeed(!response.writableFinished)))
      request.resume().on("end", () => {
        options.before?.(response)
        Deferred.doneUnsafe(arrived, Effect.succeed(response))
      })
    })
    const args = [mode, baseUrl, directory, String(options.requestTimeout ?? 60_000)]
    const child = spawn(process.execPath, [programs.path("terminated.ts"), ...args], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    let output = ""
    const take = (chunk: Buffer) => {
      output += chunk.toString()
      if (options.until === undefined || output.includes(options.until)) Deferred.doneUnsafe(printed, Effect.void)
    }
    child.stdout.on("data", take)
    child.stderr.on("data", take)
    child.on("close", (code) => Deferred.doneUnsafe(ended, Effect.succeed({ code, output })))
    // A process that exits before it has sent anything reports why
    const response = yield* Effect.raceFirst(
      Deferred.await(arrived),
      Effect.flatMap(Deferred.await(ended), ({ output }) => Effect.die(new Error(output)))
    )
    if (options.until !== undefined) yield* Deferred.await(printed)
    child.kill("SIGTERM")
    options.after?.(response)
    const end = yield* Deferred.await(ended)
    const wasAborted = yield* Deferred.await(closed)
    const entry = yield* Effect.provide(
      Effect.flatMap(RunStore.make, (store) => store.get("report")),
      KeyValueStore.layerFileSystem(directory)
    )
    return { ...end, wasAborted, requests, entry } satisfies Ended
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const accepted = JSON.stringify({ success: true, data: { run_id: id, status: "running" } })

describe("a SIGTERM while a request is under way", () => {
  it.live("a create of the store is answered first, and its run is stored", () =>
    Effect.gen(function*() {
      const { code, entry, requests, wasAborted } = yield* terminated("create", {
        after: (response) => void setTimeout(() => response.end(accepted), 50)
      })
      assert.deepStrictEqual([requests, wasAborted], [1, false])
      assert.strictEqual(entry?._tag === "Created" ? entry.ref.id : entry, id)
      assert.notStrictEqual(code, 0)
    }), 60_000)

  it.live(
    "a create of the store without a response ends with its timeout, and its outcome is unknown",
    () =>
      Effect.gen(function*() {
        const { entry, requests, wasAborted } = yield* terminated("create", { requestTimeout: 500 })
        assert.deepStrictEqual([requests, wasAborted, entry?._tag], [1, true, "Unknown"])
      }),
    60_000
  )

  it.live("a synchronous execution is aborted at once", () =>
    Effect.gen(function*() {
      const { output, requests, wasAborted } = yield* terminated("sync")
      assert.deepStrictEqual([requests, wasAborted], [1, true])
      assert.include(output, "interrupted")
    }), 60_000)

  it.live("a stream that has begun is aborted at once", () =>
    Effect.gen(function*() {
      const { output, requests, wasAborted } = yield* terminated("stream", {
        before: (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "a" } }] })}\n\n`)
        },
        until: "part"
      })
      assert.deepStrictEqual([requests, wasAborted], [1, true])
      assert.include(output, "interrupted")
    }), 60_000)
})
