/**
 * Complete uses of each provider, from the first request to the last byte, on the real clock: in memory, or over a socket with
 * one of the platform's clients. The journeys are the same for a polite and for a rude server.
 */
import { NodeFileSystem } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, Redacted, References, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  FetchHttpClient,
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { RunError, Spine, Tela, Webhooks } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { Emulator, Fault, type Rude, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { promises } from "./promises.ts"
import { providers } from "./providers.ts"
import { unknownStatus } from "../../src/testing/internal/rude/http.ts"

export type Transport = "memory" | "fetch" | "undici"

/** A client that also waits for webhooks, and the ids of the events that its route received, in order. */
class Notified
  extends Context.Service<Notified, { readonly spine: Spine.Service; readonly told: ReadonlyArray<string> }>()(
    "test/contract/Notified"
  )
{}

type Env =
  | Spine.SpineClient
  | Notified
  | SpineEmulator.SpineEmulator
  | Tela.TelaClient
  | TelaEmulator.TelaEmulator
  | FileSystem.FileSystem

const spineKey = Redacted.make("sk_spine_journey")
const telaKey = Redacted.make("tela_journey_key")
const webhook = { url: "http://127.0.0.1:9/hook", secret: "whsec_journeys" }
const retry = Schedule.recurs(3)

/** The clock is fast: a minute takes 30 ms. */
const speed = 2000

/** The clients of the programs, on that transport. */
const clients = (
  hub: Webhooks.Service,
  told: ReadonlyArray<string>,
  baseUrl: { readonly spine?: string; readonly tela?: string }
) =>
  Layer.orDie(Layer.mergeAll(
    Spine.layer({ apiKey: spineKey, retry, baseUrl: baseUrl.spine }),
    Tela.layer({ apiKey: telaKey, retry, baseUrl: baseUrl.tela }),
    Layer.effect(
      Notified,
      Effect.map(
        Spine.make({ apiKey: spineKey, retry, baseUrl: baseUrl.spine, webhooks: hub }),
        (spine) => ({ spine, told })
      )
    )
  ))

/** Calls the route of a program without a socket. */
const receiver = Effect.fnUntraced(function*(hub: Webhooks.Service, told: Array<string>) {
  const route = yield* HttpRouter.toHttpEffect(
    Spine.layerWebhookRoute({
      path: "/hook",
      secret: Redacted.make(webhook.secret),
      onEvent: ({ id }) => Effect.sync(() => told.push(id))
    }).pipe(
      Layer.provide(Layer.succeed(Webhooks.Webhooks, hub))
    )
  )
  return HttpClient.make((request) =>
    route.pipe(
      Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
      Effect.scoped,
      Effect.orDie,
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )
})

/** The origins of both providers in memory. One client serves both. */
const inMemory = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function*() {
    const spine = yield* SpineEmulator.SpineEmulator
    const [toSpine, toTela] = [Emulator.toHttpClient(spine), Emulator.toHttpClient(yield* TelaEmulator.TelaEmulator)]
    return HttpClient.make((request, url) => (spine.origins.includes(url.origin) ? toSpine : toTela).execute(request))
  })
)

/** Adds the `accept-encoding` header that fetch adds. */
const compressing = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(
    HttpClient.HttpClient,
    HttpClient.mapRequest(HttpClientRequest.setHeader("accept-encoding", "gzip"))
  )
)

const layerOf = (transport: Transport, rude: Rude.Rude): Layer.Layer<Env> =>
  Layer.unwrap(
    Effect.gen(function*() {
      const hub = yield* Webhooks.make()
      const told: Array<string> = []
      const webhookClient = yield* receiver(hub, told)
      const spine = { rude, speed, webhooks: [webhook], webhookClient }
      const tela = { rude, speed }
      const served = transport === "memory"
        ? clients(hub, told, {}).pipe(
          Layer.provide(inMemory),
          Layer.provideMerge(Layer.mergeAll(SpineEmulator.layer(spine), TelaEmulator.layer(tela)))
        )
        : Layer.unwrap(Effect.map(
          CombinedEmulatorServer.CombinedEmulatorServer,
          ({ baseUrl }) => clients(hub, told, { spine: baseUrl, tela: baseUrl })
        )).pipe(
          Layer.provide(
            transport === "fetch" ? FetchHttpClient.layer : Layer.provide(compressing, Layer.orDie(NodeHttp.layer()))
          ),
          Layer.provideMerge(Layer.orDie(CombinedEmulatorServer.layer({ spine, tela })))
        )
      return Layer.merge(served, NodeFileSystem.layer)
    }).pipe(Effect.orDie)
  )

// ---------------------------------------------------------------------------------------------------------------------

const minute = Timeline.make({ duration: "1 minute" })
const wait = { pollInterval: "5 millis", timeout: "20 seconds" } as const
const poll = { pollingInterval: "5 millis", pollingTimeout: "20 seconds" } as const
const canvas = { id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }
const application = { applicationId: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55" }
const Score = Schema.Struct({ score: Schema.Number, words: Schema.Array(Schema.String) })
const score = { score: 0.5, words: ["a", "b"] }
const text = "Once upon a tide there was ação — 潮, and a \"quoted\" \\ end."
const files = [
  { name: "notes.txt", content: "0123456789".repeat(700) },
  { name: "data.bin", content: Uint8Array.from({ length: 5001 }, (_, index) => index * 7 % 256) }
]
const bytesOf = (content: string | Uint8Array) =>
  typeof content === "string" ? new TextEncoder().encode(content) : content
const sameBytes = (actual: Uint8Array, expected: string | Uint8Array, what: string) =>
  assert.isTrue(Buffer.from(actual).equals(Buffer.from(bytesOf(expected))), `${what}: ${actual.length} bytes`)

type Journey = Effect.Effect<void, unknown, Env>

/** Every journey, by a sentence that describes it. */
export const journeys: Readonly<Record<string, Journey>> = {
  "Spine: a run is created with files, watched to its end, and its output read": Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script({ timeline: minute, finalOutput: text, artifacts: files })
    const created = yield* runs.create({
      prompt: "x",
      files: [new TextEncoder().encode("bytes"), { data: new Blob(["a,b"]), filename: "table.csv" }]
    })
    const statuses = Array.from(
      yield* Stream.runCollect(runs.watch(created, wait)),
      (run) => run.status === "unknown" ? run.provider_status : run.status
    )
    assert.deepStrictEqual(
      statuses.filter((status, index) => status !== unknownStatus && status !== statuses[index - 1]).slice(-1),
      ["completed"]
    )
    assert.isTrue(statuses.slice(0, -1).every((status) => status === "running" || status === unknownStatus))
    const run = yield* runs.waitForCompletion(created.ref, wait)
    assert.strictEqual(run.result.final_output, text)
    assert.deepStrictEqual(run.result.artifacts.map(({ name }) => name), files.map(({ name }) => name))
    assert.deepStrictEqual((yield* emulator.runs).at(-1)?.request.files.map(({ size }) => size), [5, 3])
  }),

  "Spine: artifacts are downloaded, streamed and written whole": Effect.gen(function*() {
    const { artifacts, runs } = yield* Spine.SpineClient
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script({ timeline: minute, artifacts: files })
    const run = yield* runs.run({ prompt: "x" }, wait)
    for (const [index, { content, name }] of files.entries()) {
      sameBytes(yield* artifacts.download(run, run.result.artifacts[index]!), content, `download of ${name}`)
    }
    const other = yield* runs.run({ prompt: "x" }, wait)
    const streamed = yield* Stream.runCollect(artifacts.stream(other, other.result.artifacts[1]!))
    sameBytes(Buffer.concat(streamed), files[1]!.content, "stream")
    const third = yield* runs.run({ prompt: "x" }, wait)
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    for (const [index, { path }] of (yield* artifacts.toDirectory(third, folder)).entries()) {
      sameBytes(yield* fs.readFile(path), files[index]!.content, path)
    }
  }).pipe(Effect.scoped),

  "Spine: a failed run and a partial run have the provider's reasons": Effect.gen(function*() {
    const { runs } = yield* Spine.SpineClient
    yield* (yield* SpineEmulator.SpineEmulator).script({ timeline: minute })
    const error = yield* Effect.flip(runs.run({ prompt: `${SpineEmulator.failingPrompt} no luck` }, wait))
    assert.instanceOf(error, RunError.RunFailedError)
    assert.deepStrictEqual(error.errors, ["no luck"])
    const run = yield* runs.run({ prompt: `${SpineEmulator.partialPrompt} no chart` }, wait)
    assert.strictEqual(run.status, "partial")
    assert.deepStrictEqual(run.status === "partial" ? run.errors.map(({ error }) => error) : [], ["no chart"])
  }),

  "Spine: the canvas of a run can be read": Effect.gen(function*() {
    const { canvases, runs } = yield* Spine.SpineClient
    yield* (yield* SpineEmulator.SpineEmulator).script({ timeline: minute })
    const run = yield* runs.run({ prompt: "x", template: "memo" }, wait)
    const dag = yield* canvases.getDag(run.canvas_id!)
    assert.isAtLeast(dag.nodes.length, 3)
    const tasks = yield* canvases.getTasks(run.canvas_id!)
    const task = yield* canvases.getTask(run.canvas_id!, tasks.completed[0]!.task_id)
    assert.strictEqual(task.task_id, tasks.completed[0]!.task_id)
  }),

  "Spine: a webhook ends a wait whose next poll is far away": Effect.gen(function*() {
    const { spine: { runs } } = yield* Notified
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script({ timeline: Timeline.make({ duration: "5 minutes" }), finalOutput: text })
    // The first poll of the wait fails, with or without webhooks
    yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run/"), Fault.times(4)))
    // Without a webhook the next poll is a minute away
    const run = yield* Effect.timeout(runs.run({ prompt: "x" }, { timeout: "1 hour" }), "40 seconds")
    assert.deepStrictEqual([run.status, run.result.final_output], ["completed", text])
  }),

  "Spine: webhooks that came before the wait count, and each event is reported once": Effect.gen(function*() {
    const { spine: { runs }, told } = yield* Notified
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script({ timeline: minute, finalOutput: text })
    const { ref } = yield* runs.create({ prompt: "x" })
    const attempts = Effect.map(emulator.deliveries, (all) => all.filter(({ status }) => status === "delivered").length)
    yield* Effect.repeat(Effect.andThen(Effect.sleep("5 millis"), attempts), { until: (delivered) => delivered === 2 })
    yield* emulator.fault(Fault.status(503).pipe(Fault.on("GET", "/v1/run/"), Fault.times(4)))
    const run = yield* Effect.timeout(runs.waitForCompletion(ref, { timeout: "1 hour" }), "40 seconds")
    assert.deepStrictEqual([run.status, run.result.final_output], ["completed", text])
    assert.deepStrictEqual([told.length, new Set(told).size], [2, 2])
  }),

  "Tela: a canvas answers at once, with text and with a structured output": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script({ output: text })
    const plain = yield* tela.canvas.make(canvas).execute({ topic: "tides" })
    assert.strictEqual(plain.result, text)
    yield* emulator.script({ output: score })
    assert.deepStrictEqual((yield* tela.canvas.make({ ...canvas, output: Score }).execute({})).result, score)
  }),

  "Tela: an asynchronous execution is polled to its end, and a failed one has its reasons": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script({ timeline: minute, output: score })
    const typed = tela.canvas.make({ ...canvas, output: Score })
    const execution = yield* typed.execute({}, { async: true, ...poll })
    assert.deepStrictEqual(yield* execution.result, score)
    yield* emulator.script({ timeline: minute, failure: { message: "out of tokens" } })
    const failing = yield* typed.execute({}, { async: true, ...poll })
    const error = yield* Effect.flip(failing.result)
    assert.instanceOf(error, RunError.RunFailedError)
    assert.include(error.message, "out of tokens")
  }),

  "Tela: a stream gives the whole text once, in order, and its last part has the whole": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script({ output: text })
    const parts = Array.from(yield* Stream.runCollect(tela.canvas.make(canvas).stream({})))
    const final = parts.at(-1)
    if (final?._tag !== "final") return assert.fail("the last part is not final")
    assert.deepStrictEqual([final.result, final.finishReason], [text, "stop"])
    assert.strictEqual(parts.map((part) => part._tag === "delta" ? part.content : "").join(""), text)
    yield* emulator.canvas({ ...canvas, structuredOutput: { type: "object" }, output: score })
    yield* emulator.script({})
    const structured = yield* Stream.runLast(tela.canvas.make({ ...canvas, output: Score }).stream({}))
    assert.deepInclude(structured, { _tag: "Some" })
    if (structured._tag === "Some" && structured.value._tag === "final") {
      assert.deepStrictEqual(structured.value.result, score)
    }
  }),

  "Tela: a stream that is cut or that fails is not a success": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    const streamed = Effect.flip(Stream.runDrain(tela.canvas.make(canvas).stream({})))
    for (const script of [{ end: "none" }, { dropAfter: 2 }] as const) {
      yield* emulator.script({ stream: { pieces: ["Once ", "upon ", "a"], ...script } })
      const cut = yield* streamed
      assert.instanceOf(cut, RunError.StreamInterruptedError)
      // If the connection breaks, bytes that the platform has not decompressed may be lost
      if ("end" in script) assert.include(JSON.stringify(cut.received), "Once upon a")
    }
    yield* emulator.script({ failure: { message: "out of tokens" } })
    const failed = yield* streamed
    assert.instanceOf(failed, RunError.RunFailedError)
    assert.include(failed.message, "out of tokens")
  }),

  "Tela: a task is followed until it has an output, and is then listed and approved": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    yield* (yield* TelaEmulator.TelaEmulator).script({ timeline: minute, output: score })
    const execution = yield* tela.canvas.make({ ...application, output: Score }).execute({}, poll)
    assert.deepStrictEqual(yield* execution.result, score)
    const listed = yield* tela.tasks.list({ status: "validating" })
    assert.include(listed.data.map(({ id }) => id), execution.ref.id)
    assert.strictEqual((yield* tela.tasks.approve(execution.ref)).status, "completed")
  }),

  "Tela: files are uploaded before a run, and read back from the vault": Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script({ output: "read" })
    const stream = Stream.make(bytesOf("0123"), bytesOf("456789"))
    const sources = [bytesOf(files[0]!.content), files[1]!.content as Uint8Array<ArrayBuffer>]
    yield* tela.canvas.make(canvas).execute({
      documents: sources.map((source) => Tela.file(source)),
      streamed: Tela.file({ data: stream, filename: "s.txt", size: 10 })
    })
    const stored = yield* emulator.files
    assert.deepStrictEqual(stored.map(({ bytes }) => bytes?.length), [7000, 5001, 10])
    for (const [index, { id }] of stored.slice(0, 2).entries()) {
      sameBytes(yield* tela.vault.download(`vault://${id}`), files[index]!.content, "vault")
    }
  })
}

/** The failed tests, with their causes. */
export type Failures = ReadonlyArray<readonly [name: string, why: unknown]>

/** Runs the tests whose names are selected, a few at a time. */
const check = <R>(
  all: ReadonlyArray<readonly [name: string, test: Effect.Effect<void, unknown, R>]>,
  only: (name: string) => boolean,
  concurrency: number
): Effect.Effect<Failures, never, R> => {
  const chosen = all.filter(([name]) => only(name))
  if (chosen.length === 0) return Effect.die(new Error("no test has such a name"))
  return Effect.map(
    Effect.forEach(
      chosen,
      ([name, test]) =>
        Effect.matchCause(test, { onFailure: (cause) => [[name, cause] as const], onSuccess: () => [] }),
      { concurrency }
    ),
    (failures) => failures.flat()
  )
}

/** Runs the journeys, each on a separate server. */
export const travel = (
  transport: Transport,
  rude: Rude.Rude,
  only: (name: string) => boolean = () => true
): Effect.Effect<Failures> =>
  check(
    Object.entries(journeys).map(([name, journey]) =>
      [name, Effect.provide(journey, layerOf(transport, rude))] as const
    ),
    only,
    4
  )

/** Tests the promises of every provider, in memory on the `TestClock`. */
export const keep = (rude: Rude.Rude, only: (name: string) => boolean = () => true): Effect.Effect<Failures> =>
  check(
    providers(rude).flatMap((provider) =>
      promises(provider, rude).map(({ name, test }) =>
        [`${provider.name}: ${name}`, Effect.provide(test, TestClock.layer())] as const
      )
    ),
    only,
    1
  )
