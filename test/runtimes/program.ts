/**
 * A user's program, the same on every runtime: create, poll, stream, upload and download through fetch, and a test under the
 * `TestClock`. It checks its results itself.
 */
import { Cause, Clock, type Duration, Effect, Exit, Fiber, Redacted, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
// Imported by module: the index of effect/testing needs node:assert, which a page does not have
import * as TestClock from "effect/testing/TestClock"
import { Polling } from "canvas-runs"
import * as Spine from "canvas-runs/spine"
import * as Tela from "canvas-runs/tela"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import { artifact, bytesOf, pieces, type Received } from "./content.ts"

/** The result of one step: `undefined` for a success, or the reason of a failure. */
export interface StepResult {
  readonly step: string
  readonly failure: string | undefined
  readonly millis: number
}

const equal = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, string> =>
  JSON.stringify(actual) === JSON.stringify(expected)
    ? Effect.void
    : Effect.fail(`${what}: expected ${JSON.stringify(expected)}, and got ${JSON.stringify(actual)}`)

const sha256 = (bytes: Uint8Array<ArrayBuffer>): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
  )

interface Sent {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

const received = (files: ReadonlyArray<Sent>): Effect.Effect<ReadonlyArray<Received>> =>
  Effect.forEach(
    files,
    ({ bytes, name, type }) => Effect.map(sha256(bytes), (sha256) => ({ name, type, size: bytes.byteLength, sha256 }))
  )

const file = (name: string, type: string, size: number, seed: number): Sent => ({
  name,
  type,
  bytes: bytesOf(size, seed)
})

const notes = file("notes.txt", "text/plain", 2000, 1)
const picture = file("picture.png", "image/png", 300_000, 2)
const table = file("table.csv", "text/csv", 200_000, 3)
const scan = file("scan.pdf", "application/pdf", 150_000, 4)

const wait = { pollInterval: "100 millis", timeout: "20 seconds" } as const

const created = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  return yield* spine.runs.create({
    prompt: "Was Größe hat, 🎈 too",
    files: [
      { data: notes.bytes, filename: notes.name },
      new File([picture.bytes], picture.name, { type: picture.type })
    ]
  })
})

const completed = Effect.fnUntraced(function*(run: Spine.CreatedRun) {
  const spine = yield* Spine.SpineClient
  return yield* spine.runs.waitForCompletion(run, wait)
})

const Output = Schema.Struct({
  files: Schema.Array(Schema.Struct({
    name: Schema.String,
    type: Schema.UndefinedOr(Schema.String),
    size: Schema.Int,
    sha256: Schema.String
  }))
})

const canvas = Effect.map(
  Effect.service(Tela.TelaClient),
  (tela) => tela.canvas.make({ id: "11111111-1111-4111-8111-111111111111", output: Output })
)

const steps = Effect.gen(function*() {
  const create = yield* Effect.cached(created)
  const complete = yield* Effect.cached(Effect.flatMap(create, completed))

  const spineCreate = Effect.gen(function*() {
    const run = yield* create
    yield* equal("status", run.status, "running")
    yield* equal("ref", [run.ref.provider, run.ref.id], ["spine", run.run_id])
  })

  const spinePoll = Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const statuses = yield* spine.runs.polls(yield* create, wait).pipe(
      Stream.map((poll) => poll._tag === "Snapshot" ? poll.snapshot.status : poll._tag),
      Stream.runCollect
    )
    yield* equal("the first poll", statuses[0], "running")
    yield* equal("the last poll", statuses.at(-1), "completed")
    yield* equal("the end", (yield* complete).status, "completed")
  })

  const spineUpload = Effect.gen(function*() {
    const run = yield* complete
    yield* equal("files", JSON.parse(run.result.final_output ?? ""), yield* received([notes, picture]))
  })

  const spineUploadStream = Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const chunks = Array.from({ length: 20 }, (_, i) => table.bytes.subarray(i * 10_000, (i + 1) * 10_000))
    const run = yield* spine.runs.run({
      prompt: "A file as it is read",
      files: [{ data: Stream.fromIterable(chunks), size: table.bytes.byteLength, filename: table.name }]
    }, wait)
    yield* equal("files", JSON.parse(run.result.final_output ?? ""), yield* received([table]))
  })

  const spineDownload = Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    const run = yield* complete
    yield* equal("artifacts", run.result.artifacts.map(({ name }) => name), [artifact.name])
    const bytes = yield* spine.artifacts.download(run, run.result.artifacts[0]!)
    yield* equal("size", bytes.byteLength, artifact.size)
    yield* equal("bytes", yield* sha256(bytes), yield* sha256(bytesOf(artifact.size, artifact.seed)))
  })

  const telaExecute = Effect.gen(function*() {
    const execution = yield* (yield* canvas).execute({
      inside: [{ document: Tela.file(scan.bytes, { name: scan.name }) }]
    }, { async: true, pollingInterval: "100 millis", pollingTimeout: "20 seconds" })
    yield* equal("id", execution.id.length, 36)
    // In a page, a header that the server does not expose would be missing
    yield* equal("request id", (yield* execution.requestId)?.length, 36)
    const { files } = yield* execution.result
    const [sent] = yield* received([scan])
    yield* equal("the file", files.find(({ sha256 }) => sha256 === sent!.sha256), sent)
    yield* equal("status", yield* execution.status, "succeeded")
  })

  const telaStream = Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const parts = yield* Stream.runCollect(
      tela.canvas.make({ id: "22222222-2222-4222-8222-222222222222" }).stream({ topic: "balloons" })
    )
    const said = parts.flatMap((part) => part._tag === "delta" && part.content !== "" ? [part.content] : [])
    yield* equal("pieces", said, pieces)
    const last = parts.at(-1)
    yield* equal("the end", last?._tag === "final" ? last.result : last?._tag, pieces.join(""))
  })

  // No network: a run of ninety minutes under a test clock
  const testKit = Effect.gen(function*() {
    const emulator = yield* SpineEmulator.SpineEmulator
    const spine = yield* Spine.SpineClient
    yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }) })
    const started = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(spine.runs.run({ prompt: "Long" }, {
      schedule: Polling.fixed("1 minute"),
      timeout: "2 hours"
    }))
    yield* TestClock.adjust("2 hours")
    const run = yield* Fiber.join(fiber)
    yield* equal("status", run.status, "completed")
    yield* equal("time", (yield* Clock.currentTimeMillis) - started, 7_200_000)
  }).pipe(
    Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
    Effect.provide(SpineEmulator.layerTest()),
    Effect.provide(TestClock.layer())
  )

  return yield* Effect.all([
    judge("create", spineCreate),
    judge("poll", spinePoll),
    judge("upload", spineUpload),
    judge("download", spineDownload),
    judge("execute", telaExecute),
    judge("stream", telaStream),
    judge("stream up", spineUploadStream),
    judge("test kit", testKit)
  ])
})

/** Runs a step, and returns its result. */
export const judge = <E, R>(step: string, self: Effect.Effect<void, E, R>): Effect.Effect<StepResult, never, R> =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(self)
    return {
      step,
      failure: Exit.isSuccess(exit) ? undefined : describe(Cause.squash(exit.cause)),
      millis: (yield* Clock.currentTimeMillis) - started
    }
  })

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}${because(error.cause)}` : String(error)

const because = (cause: unknown): string => cause === undefined ? "" : `; caused by ${describe(cause)}`

/** Runs all steps against the emulator at this address. */
export const run = (baseUrl: string): Promise<ReadonlyArray<StepResult>> =>
  steps.pipe(
    Effect.provide([
      Spine.layer({ apiKey: Redacted.make("sk_spine_runtimes"), baseUrl }),
      Tela.layer({ apiKey: Redacted.make("runtimes"), baseUrl })
    ]),
    Effect.provide(FetchHttpClient.layer),
    Effect.runPromise
  )

let shared: Spine.Service | undefined

/** Handles one request of a server whose requests share a client: starts a run, and reports its end or the error. */
export const serve = (baseUrl: string, timeout: Duration.Input): Promise<string> => {
  shared ??= Effect.runSync(
    Effect.service(Spine.SpineClient).pipe(
      Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_runtimes"), baseUrl })),
      Effect.provide(FetchHttpClient.layer)
    )
  )
  return shared.runs.run({ prompt: "One of several" }, { pollInterval: "100 millis", timeout }).pipe(
    Effect.match({ onFailure: ({ _tag }) => _tag, onSuccess: ({ status }) => status }),
    Effect.runPromise
  )
}
