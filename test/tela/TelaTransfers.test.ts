import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { RunError, Tela } from "canvas-runs"
import { Fault, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { apiKey, applicationId, canvasId, live, refusals, setup } from "../support/tela.ts"
import { sendJson, serve } from "../support/servers.ts"
import { transports } from "../support/transports.ts"

const onUpload = (fault: Fault.Fault) => fault.pipe(Fault.on("PUT", /./))
const onPoll = (fault: Fault.Fault) => fault.pipe(Fault.on("GET", "/v2/chat/completions/"))

const upload = Effect.flatMap(
  setup,
  ({ tela }) => finish(tela.canvas.make({ id: canvasId }).execute({ a: Tela.file(new Uint8Array([1, 2, 3])) }))
)

/** The time of each request of that method, relative to the first, and its response. */
const times = (method: string) =>
  Effect.flatMap(setup, ({ emulator }) =>
    Effect.map(emulator.requests, (requests) => {
      const those = requests.filter((request) => request.method === method)
      return those.map(({ receivedAt, status }) => [receivedAt - those[0]!.receivedAt, status])
    }))

describe("uploads", () => {
  it.effect("are repeated after at least the server's Retry-After, up to the ceiling", () =>
    Effect.gen(function*() {
      const { emulator } = yield* setup
      yield* emulator.fault(
        onUpload(Fault.status(429, { headers: { "retry-after": "20" } })),
        onUpload(Fault.status(503, { headers: { "retry-after": "3600" } }))
      )
      success(yield* upload)
      assert.deepStrictEqual(yield* times("PUT"), [[0, 429], [20_000, 503], [50_000, 200]])
    }).pipe(Effect.provide(live({ retryAfterCeiling: "30 seconds" }))))

  it.effect("are repeated after a 425, and their last error has the server's Retry-After", () =>
    Effect.gen(function*() {
      const { emulator } = yield* setup
      yield* emulator.fault(onUpload(Fault.status(425)), onUpload(Fault.status(425)))
      success(yield* upload)
      assert.deepStrictEqual((yield* times("PUT")).map(([, status]) => status), [425, 425, 200])

      yield* emulator.clearRequests
      yield* emulator.fault(onUpload(Fault.status(425, { headers: { "retry-after": "7" } })).pipe(Fault.times(9)))
      const error = failure(yield* upload)
      assert.instanceOf(error, RunError.FileInputError)
      assert.isTrue(error.isRetryable)
      assert.deepStrictEqual([error.status, Duration.toSeconds(error.retryAfter!)], [425, 7])
      assert.deepStrictEqual((yield* times("PUT")).map(([at]) => at), [0, 7000, 14_000])
    }).pipe(Effect.provide(live())))

  for (const [name, client] of transports) {
    for (
      const [what, data] of [
        ["bytes", new Uint8Array(1000)],
        ["a Blob", new Blob([new Uint8Array(1000)])],
        ["a stream", { data: Stream.make(new Uint8Array(1000)), size: 1000, filename: "a.pdf" }]
      ] as const
    ) {
      it.live(`of ${what} through ${name} that are redirected fail with that reason, and are not repeated`, () =>
        Effect.scoped(Effect.gen(function*() {
          const requests: Array<string> = []
          const { baseUrl } = yield* serve((request, response) => {
            requests.push(`${request.method} ${request.url}`)
            request.resume().on("end", () =>
              request.method === "PUT"
                ? response.writeHead(307, { location: "/elsewhere" }).end()
                : sendJson(response, { id: canvasId, uploadUrl: `http://${request.headers.host}/put` }))
          })
          const layer = Layer.provide(Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey), baseUrl })), client)
          const error = yield* Effect.flatMap(
            Tela.TelaClient,
            (tela) => Effect.flip(tela.canvas.make({ id: canvasId }).execute({ a: Tela.file(data) }))
          ).pipe(Effect.provide(layer))
          assert.instanceOf(error, RunError.FileInputError)
          assert.strictEqual(error.reason, "upload")
          assert.isFalse(error.isRetryable)
          assert.include(error.message, "redirects")
          assert.deepStrictEqual(requests, ["POST /v3/files", "PUT /put"])
        })))
    }
  }
})

describe("a page instead of a stream", () => {
  it.effect("promise 12: has an unknown outcome, and the error quotes the page", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.fault(Fault.html("<!doctype html><title>Sign in</title>"))
      const error = failure(
        yield* finish(Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({})))
      )
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.instanceOf(error.cause, RunError.InvalidResponseError)
      assert.include(error.cause.message, "HTML")
      assert.include(error.cause.contentType, "text/html")
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))
})

describe("the polls of an execution", () => {
  const start = (params: Omit<Tela.AsyncParams, "async"> & { readonly schedule?: undefined }) =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }), output: "done" })
      return yield* tela.canvas.make({ id: canvasId }).execute({}, { pollingTimeout: "10m", ...params, async: true })
    })

  it.effect("survive 404 for the time of notFoundGrace", () =>
    Effect.gen(function*() {
      const { emulator } = yield* setup
      const missing = (count: number) => onPoll(Fault.status(404)).pipe(Fault.times(count))
      // Polls at 0, 1, 2, 3, 4 and 5 seconds
      yield* emulator.fault(missing(6))
      const patient = yield* start({ notFoundGrace: "5s" })
      assert.strictEqual(success(yield* finish(patient.result)), "done")

      yield* emulator.clearRequests
      yield* emulator.fault(missing(Infinity))
      const impatient = yield* start({ notFoundGrace: "5s" })
      assert.instanceOf(failure(yield* finish(impatient.result)), RunError.NotFoundError)
      assert.deepStrictEqual((yield* times("GET")).map(([at]) => at), [0, 1000, 2000, 3000, 4000, 5000, 6000])
    }).pipe(Effect.provide(live())))

  it.effect("begin with a look-up that repeats a 404 after its Retry-After, for at most notFoundGrace", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const { ref } = yield* start({})
      yield* emulator.fault(onPoll(Fault.status(404, { headers: { "retry-after": "4" } })).pipe(Fault.times(2)))
      assert.strictEqual(success(yield* finish(tela.getExecution(ref))).id, ref.id)
      assert.deepStrictEqual((yield* times("GET")).map(([at]) => at), [0, 4000, 8000])

      yield* emulator.clearRequests
      yield* emulator.fault(onPoll(Fault.status(404, { headers: { "retry-after": "9" } })).pipe(Fault.times(Infinity)))
      const { ref: later } = yield* start({})
      const error = failure(yield* finish(tela.getExecution(later, { retryAfterCeiling: "6s", notFoundGrace: "20s" })))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.deepStrictEqual((yield* times("GET")).map(([at]) => at), [0, 6000, 12_000, 18_000])
    }).pipe(Effect.provide(live())))

  it.effect("begin with a look-up that, with only an id, repeats a 404 only with a notFoundGrace option", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const { ref: { id } } = yield* start({})
      yield* emulator.fault(onPoll(Fault.status(404)).pipe(Fault.times(3)))
      assert.instanceOf(failure(yield* finish(tela.getExecution(id))), RunError.NotFoundError)
      assert.strictEqual(success(yield* finish(tela.getExecution(id, { notFoundGrace: "2s" }))).id, id)
      const [, first, ...others] = (yield* times("GET")).map(([at]) => at)
      assert.deepStrictEqual(others.map((at) => at! - first!), [1000, 2000])

      yield* emulator.fault(onPoll(Fault.status(404)).pipe(Fault.times(Infinity)))
      const error = failure(yield* finish(tela.getExecution(id, { notFoundGrace: "2s" })))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.strictEqual((yield* times("GET")).length, 7)
    }).pipe(Effect.provide(live())))

  it.effect("begin with a look-up that is not repeated after pollingTimeout", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.fault(onPoll(Fault.status(404)).pipe(Fault.times(Infinity)))
      const { ref } = yield* start({})
      const error = failure(yield* finish(tela.getExecution(ref, { pollingTimeout: "2500ms" })))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.deepStrictEqual((yield* times("GET")).map(([at]) => at), [0, 1000, 2000])
    }).pipe(Effect.provide(live())))

  it.effect("wait for Retry-After at most retryAfterCeiling", () =>
    Effect.gen(function*() {
      // Without retries of each request, which have the client's ceiling
      const { emulator } = yield* setup
      yield* emulator.fault(onPoll(Fault.status(429, { headers: { "retry-after": "3600" } })).pipe(Fault.times(2)))
      const execution = yield* start({ retryAfterCeiling: "7s" })
      assert.strictEqual(success(yield* finish(execution.result)), "done")
      assert.deepStrictEqual((yield* times("GET")).slice(0, 4), [[0, 429], [7000, 429], [14_000, 200], [15_000, 200]])
    }).pipe(Effect.provide(live({ retry: Schedule.recurs(0) }))))

  it.effect("reject a pollingInterval and a schedule together before any request", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const canvas = tela.canvas.make({ id: canvasId })
      const workstation = tela.canvas.make({ applicationId })
      const both = { pollingInterval: "1s", schedule: Schedule.spaced("1 second") } as const
      assert.deepStrictEqual(
        yield* refusals([
          [canvas.execute({}, { async: true, ...both }), "schedule"],
          [canvas.run({}, both), "schedule"],
          [canvas.getExecution(canvasId, both), "schedule"],
          [tela.getExecution(canvasId, both), "schedule"],
          [workstation.execute({}, both), "schedule"]
        ]).pipe(Effect.map(({ actual }) => actual)),
        ["schedule", "schedule", "schedule", "schedule", "schedule"]
      )
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(live())))
})
