import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Logger, Predicate, Schedule, Stream } from "effect"
import { HttpClient, HttpClientError } from "effect/http"
import { TestClock } from "effect/testing"
import { Polling, RunError, RunRef, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { apiKey, live } from "../support/spine.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const polling = /^\/v1\/run\//

describe("runs.create", () => {
  it.effect("sends all parameters as one multipart form, and returns the run with its ref", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* TestClock.adjust("1 minute")
      const created = yield* spine.runs.create({
        prompt: "Vergleiche drei Datenbanken – \"genau\"",
        template: "report",
        blocks: ["document-block", "table-block"],
        agent_instructions: "Cite\r\nsources",
        webhook_url: "https://example.com/hook",
        files: [new TextEncoder().encode("a,b"), new File(["# Notes"], "notes.md")]
      })
      const [request] = yield* emulator.requests
      assert.strictEqual(request!.method, "POST")
      assert.strictEqual(request!.headers["x-api-key"], apiKey)
      assert.match(request!.headers["content-type"]!, /^multipart\/form-data; boundary=/)
      assert.deepStrictEqual(request!.fields, {
        prompt: "Vergleiche drei Datenbanken – \"genau\"",
        template: "report",
        blocks: "[\"document-block\",\"table-block\"]",
        agent_instructions: "Cite\r\nsources",
        webhook_url: "https://example.com/hook"
      })
      assert.deepStrictEqual(
        request!.files.map(({ contentType, field, name, size }) => [field, name, contentType, size]),
        [["files", "file-1.txt", "text/plain", 3], ["files", "notes.md", "text/markdown", 7]]
      )
      assert.strictEqual(created.status, "running")
      assert.strictEqual(created.poll_url, `/v1/run/${created.run_id}`)
      assert.strictEqual(created.estimated_duration_ms, 900_000)
      assert.deepStrictEqual(created.ref, {
        version: 1,
        provider: "spine",
        kind: "run",
        id: created.run_id,
        createdAt: 60_000,
        requestId: request!.id,
        estimatedDurationMs: 900_000,
        template: JSON.stringify(["document-block", "table-block"])
      })
    }).pipe(Effect.provide(live())))

  it.effect("sends a multipart form without files too", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      yield* spine.runs.create({ prompt: "hello" })
      const [request] = yield* (yield* SpineEmulator.SpineEmulator).requests
      assert.deepStrictEqual(request!.fields, { prompt: "hello" })
    }).pipe(Effect.provide(live())))

  const refusals: ReadonlyArray<readonly [string, unknown, parameter: string, words: string]> = [
    ["a blank prompt", { prompt: " \n" }, "prompt", "not blank"],
    ["no prompt", {}, "prompt", "not blank"],
    ["an unknown template", { prompt: "x", template: "poem" }, "template", "deep_research"],
    ["blocks: []", { prompt: "x", blocks: [] }, "blocks", "empty"],
    ["an unknown block", { prompt: "x", blocks: ["table-block", "poem-block"] }, "blocks", "poem-block"],
    ["blocks that are not a list", { prompt: "x", blocks: "table-block" }, "blocks", "table-block"],
    ["instructions that are not a text", { prompt: "x", agent_instructions: 3 }, "agent_instructions", "text"],
    ["a webhook_url that is not a URL", { prompt: "x", webhook_url: "/hook" }, "webhook_url", "URL"],
    ["an empty file", { prompt: "x", files: [new Uint8Array(0)] }, "files", "empty"],
    [
      "an empty named file",
      { prompt: "x", files: [{ data: new Uint8Array(0), filename: "a.txt" }] },
      "files",
      "a.txt is empty"
    ],
    ["a file that is not a file", { prompt: "x", files: ["notes.md"] }, "files", "file 1"],
    [
      "a content type with a line break",
      {
        prompt: "x",
        files: [{ data: new Uint8Array(1), filename: "a", contentType: "text/plain\r\nX-Evil: 1" }]
      },
      "files",
      "content type"
    ],
    ["a stream without a size", { prompt: "x", files: [{ data: Stream.empty, filename: "a" }] }, "files", "size"]
  ]
  for (const [name, params, parameter, words] of refusals) {
    it.effect(`rejects ${name} before any request`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const error = yield* Effect.flip(spine.runs.create(params as Spine.CreateRunParams))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
        assert.strictEqual(error.parameter, parameter)
        assert.include(error.message, words)
        assert.include(error.message, "No request was made")
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
      }).pipe(Effect.provide(live())))
  }

  it("does not compile with parameters that would be rejected", () => {
    type Params = Spine.CreateRunParams
    expectTypeOf<{ prompt: string; template: "poem" }>().not.toExtend<Params>()
    expectTypeOf<{ prompt: string; blocks: ["poem-block"] }>().not.toExtend<Params>()
    expectTypeOf<{ prompt: string; files: ["notes.md"] }>().not.toExtend<Params>()
    expectTypeOf<{ template: "report" }>().not.toExtend<Params>()
    expectTypeOf<{ prompt: string; blocks: ["table-block"]; template: "report" }>().toExtend<Params>()
  })

  it.effect("sends a stream unchanged, and reads it once", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      let reads = 0
      const data = Stream.suspend(() => {
        reads++
        return Stream.make(new Uint8Array([1, 2]), new Uint8Array([3]))
      })
      yield* spine.runs.create({ prompt: "x", files: [{ data, size: 3, filename: "a.png" }] })
      const [request] = yield* (yield* SpineEmulator.SpineEmulator).requests
      assert.deepStrictEqual([...request!.files[0]!.bytes], [1, 2, 3])
      assert.strictEqual(request!.files[0]!.contentType, "image/png")
      assert.strictEqual(reads, 1)
    }).pipe(Effect.provide(live())))

  for (const [name, size] of [["longer", 2], ["shorter", 4]] as const) {
    it.effect(`fails with a FileInputError that has created no run when a stream is ${name} than announced`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const error = yield* Effect.flip(
          spine.runs.create({
            prompt: "x",
            files: [{ data: Stream.make(new Uint8Array([1, 2, 3])), size, filename: "a.png" }]
          })
        )
        assert.instanceOf(error, RunError.FileInputError)
        assert.strictEqual(error.reason, "size")
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).runs, [])
      }).pipe(Effect.provide(live())))
  }

  for (
    const [name, data] of [
      ["a stream", Stream.never],
      ["a stream that starts with empty chunks only", Stream.concat(Stream.fromEffect(Effect.never), Stream.empty)]
    ] as const
  ) {
    it.effect(`fails with a FileInputError before any request when ${name} gives no bytes`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const files = [{ data, size: 10, filename: "a.txt" }]
        const fiber = yield* Effect.forkChild(Effect.flip(spine.runs.create({ prompt: "x", files })))
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(fiber)
        assert.instanceOf(error, RunError.FileInputError)
        assert.isFalse(error.reached)
        assert.include(error.message, "a.txt could not be read (it gave no bytes for 1m, which is uploadIdleTimeout)")
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
      }).pipe(Effect.provide(live())))
  }

  it.effect("fails with a FileInputError that names the reason when a file cannot be read", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const error = yield* Effect.flip(
        spine.runs.create({
          prompt: "x",
          files: [{ data: Stream.fail(new Error("disk on fire")), size: 3, filename: "a.png" }]
        })
      )
      assert.instanceOf(error, RunError.FileInputError)
      assert.strictEqual(error.reason, "read")
      assert.include(error.message, "disk on fire")
    }).pipe(Effect.provide(live())))
})

describe("promise 12: a create is repeated only if the first attempt certainly did not reach the provider", () => {
  const ambiguous: ReadonlyArray<readonly [string, Fault.Fault, runs: number]> = [
    ["the connection breaks before the answer", Fault.drop, 0],
    ["the run is created and the answer lost", Fault.dropAfter, 1],
    ["the run is created and the answer is a 500", Fault.handleThenStatus(500), 1],
    ["the answer is a 503", Fault.status(503, { headers: { "retry-after": "1" } }), 0],
    ["the answer is a 502 page", Fault.html("<html>Bad gateway</html>", 502), 0],
    ["the answer is a login page with 200", Fault.html("<html>Log in</html>"), 0],
    ["the answer is empty", Fault.empty(), 0],
    ["the answer is cut", Fault.truncate(20), 1],
    ["the answer breaks off", Fault.dropInside(20), 1],
    ["no response arrives", Fault.hang, 0]
  ]
  for (const [name, fault, runs] of ambiguous) {
    it.effect(`is a CreateOutcomeUnknownError after one request when ${name}`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.fault(fault)
        const error = failure(yield* finish(spine.runs.create({ prompt: "x" })))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.include(error.message, "A run may exist")
        assert.strictEqual(error.attempts, 1)
        assert.isDefined(error.cause)
        assert.strictEqual((yield* emulator.requests).length, 1)
        assert.strictEqual((yield* emulator.runs).length, runs)
      }).pipe(Effect.provide(live())))
  }

  for (
    const [status, tag] of [[400, "BadRequestError"], [401, "AuthenticationError"], [402, "UsageLimitError"], [
      429,
      "RateLimitError"
    ]] as const
  ) {
    it.effect(`is a ${tag} after one request when the status is ${status}, since no run exists`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.fault(Fault.status(status))
        const error = failure(yield* finish(spine.runs.create({ prompt: "x" })))
        assert.strictEqual(error._tag, tag)
        assert.strictEqual((yield* emulator.requests).length, 1)
      }).pipe(Effect.provide(live())))
  }

  it.effect("is repeated when the connection was never made, and its error says so when all attempts fail", () =>
    Effect.gen(function*() {
      let refusals = 2
      const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })
      const layer = live({
        transformClient: HttpClient.transform((effect, request) =>
          refusals-- > 0
            ? Effect.fail(
              new HttpClientError.HttpClientError({
                reason: new HttpClientError.TransportError({ request, cause: refused })
              })
            )
            : effect
        )
      })
      const create = Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.create({ prompt: "x" }))
      const created = success(yield* finish(Effect.provide(create, layer)))
      assert.isString(created.run_id)

      refusals = Infinity
      const error = failure(yield* finish(Effect.provide(create, layer)))
      assert.instanceOf(error, RunError.TransportError)
      assert.isFalse(error.reached)
      assert.strictEqual(error.code, "ECONNREFUSED")
      assert.strictEqual(error.attempts, 3)
    }))

  it.effect("is repeated with retryCreates, and its error still says that a run may exist", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.dropAfter)
      const created = success(yield* finish(spine.runs.create({ prompt: "x" })))
      assert.strictEqual((yield* emulator.runs).length, 2, "the cost of retrying")
      assert.strictEqual((yield* emulator.runs)[1]!.id, created.run_id)

      yield* emulator.clearRequests
      yield* emulator.fault(Fault.dropAfter, Fault.status(401))
      const error = failure(yield* finish(spine.runs.create({ prompt: "x" })))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.strictEqual((error.cause as RunError.RequestError)._tag, "AuthenticationError")
      assert.strictEqual((yield* emulator.requests).length, 2)
    }).pipe(Effect.provide(live({ retryCreates: true }))))
})

describe("runs.retrieve", () => {
  it.effect("accepts an id, a ref, a created run and a snapshot", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const created = yield* spine.runs.create({ prompt: "x" })
      const first = yield* spine.runs.retrieve(created)
      assert.strictEqual(first.status, "running")
      for (const target of [created.run_id, created.run_id.toUpperCase(), created.ref, first]) {
        assert.strictEqual((yield* spine.runs.retrieve(target)).run_id, created.run_id)
      }
    }).pipe(Effect.provide(live())))

  for (
    const [name, target] of [
      ["an id with a space", "task abc"],
      ["an id that would change the path", "../canvas/x"],
      ["a ref of another provider", RunRef.make({ provider: "tela", kind: "execution", id })],
      ["a snapshot with a broken id", { run_id: "1/2" }]
    ] as const
  ) {
    it.effect(`rejects ${name} before any request`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const error = yield* Effect.flip(spine.runs.retrieve(target))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
      }).pipe(Effect.provide(live())))
  }

  it.effect("lacks the canvas id at first, as the provider does", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const created = yield* spine.runs.create({ prompt: "x" })
      const first = yield* spine.runs.retrieve(created)
      const second = yield* spine.runs.retrieve(created)
      assert.isFalse("canvas_id" in first)
      assert.isString(second.canvas_id)
    }).pipe(Effect.provide(live())))

  it.effect("keeps unknown fields, and reads null as absent", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.status(200, {
        body: JSON.stringify({
          success: true,
          data: {
            run_id: id,
            status: "partial",
            canvas_id: null,
            duration_ms: null,
            metadata: null,
            errors: [{ error: "image-block failed", code: 7 }],
            result: { final_output: "text", artifacts: null },
            invented: { deep: [1] }
          }
        }),
        contentType: "application/json"
      }))
      const { raw, ...run } = yield* spine.runs.retrieve(id)
      assert.isTrue(Predicate.hasProperty(raw, "metadata") && raw.metadata === null)
      assert.deepStrictEqual(run as unknown, {
        run_id: id,
        status: "partial",
        errors: [{ error: "image-block failed", code: 7 }],
        result: { final_output: "text", artifacts: [] },
        invented: { deep: [1] }
      })
    }).pipe(Effect.provide(live())))

  it("narrows on status as in the provider's documentation", () => {
    const use = (run: Spine.Run) => {
      if (run.status === "completed") {
        expectTypeOf(run).toEqualTypeOf<Spine.CompletedRun>()
        expectTypeOf(run.result.artifacts[0]!.download_url).toEqualTypeOf<string>()
        expectTypeOf(run.metadata.credits_consumed).toEqualTypeOf<number | undefined>()
      }
      if (run.status === "partial") expectTypeOf(run.errors[0]!.error).toEqualTypeOf<string>()
      if (run.status === "running") expectTypeOf(run.progress.tasks_completed).toEqualTypeOf<number>()
      // @ts-expect-error -- only some members of the union have a result
      void run.result
    }
    expectTypeOf(use).parameter(0).toEqualTypeOf<Spine.Run>()
  })
})

describe("runs.waitForCompletion", () => {
  it.effect("polls every 5 seconds until the run has completed", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const created = yield* spine.runs.create({ prompt: "x", template: "report" })
      const run = success(yield* finish(spine.runs.waitForCompletion(created)))
      assert.strictEqual(run.status, "completed")
      assert.isAbove(run.result.artifacts.length, 0)
      const polls = (yield* emulator.requests).filter(({ method }) => method === "GET")
      assert.strictEqual(polls.length, 12 * 60 / 5 + 1)
      assert.deepStrictEqual(polls.slice(0, 3).map(({ receivedAt }) => receivedAt), [0, 5000, 10_000])
    }).pipe(Effect.provide(live())))

  it.effect("follows a run of 90 minutes, by its id alone", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }) })
      const { run_id } = yield* spine.runs.create({ prompt: "x" })
      const run = success(
        yield* finish(spine.runs.waitForCompletion(run_id, { timeout: "2 hours", pollInterval: "30 seconds" }))
      )
      assert.strictEqual(run.duration_ms, 90 * 60_000)
      assert.strictEqual((yield* emulator.requests).length, 1 + 181)
    }).pipe(Effect.provide(live())))

  it.effect("times out after 15 minutes, with the ref to continue", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 minutes" }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      const error = failure(yield* finish(spine.runs.waitForCompletion(created), "15 minutes"))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(Duration.toMinutes(error.elapsed), 15)
      assert.strictEqual((error.lastSnapshot as Spine.Run).status, "running")
      const run = success(yield* finish(spine.runs.waitForCompletion(error.ref)))
      assert.strictEqual(run.status, "completed")
    }).pipe(Effect.provide(live())))

  it.effect("returns a partial run as a result", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ outcome: "partial", errors: ["image-block failed"] }) })
      const run = success(
        yield* finish(Effect.flatMap(spine.runs.create({ prompt: "x" }), spine.runs.waitForCompletion))
      )
      assert.strictEqual(run.status, "partial")
      if (run.status === "partial") assert.deepStrictEqual(run.errors, [{ error: "image-block failed" }])
    }).pipe(Effect.provide(live())))

  it.effect("fails with a RunFailedError for a failed run, and returns it with resolveOnFailure", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ outcome: "failed", errors: ["Agent execution failed"] }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      const error = failure(yield* finish(spine.runs.waitForCompletion(created)))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.errors, ["Agent execution failed"])
      assert.deepStrictEqual(error.ref, created.ref)
      assert.strictEqual((error.run as Spine.FailedRun).run_id, created.run_id)
      const run = success(yield* finish(spine.runs.waitForCompletion(created, { resolveOnFailure: true })))
      assert.strictEqual(run.status, "failed")
    }).pipe(Effect.provide(live())))

  it("has the type that its options say", () => {
    const use = (runs: Spine.Runs) => {
      expectTypeOf(runs.waitForCompletion(id)).toEqualTypeOf<
        Effect.Effect<Spine.CompletedRun | Spine.PartialRun, RunError.WaitError>
      >()
      expectTypeOf(runs.waitForCompletion(id, { pollInterval: "1 second" })).toEqualTypeOf<
        Effect.Effect<Spine.CompletedRun | Spine.PartialRun, RunError.WaitError>
      >()
      expectTypeOf(runs.waitForCompletion(id, { resolveOnFailure: true })).toEqualTypeOf<
        Effect.Effect<Spine.TerminalRun, RunError.WatchError>
      >()
      // @ts-expect-error -- one or the other
      void runs.waitForCompletion(id, { pollInterval: 1000, schedule: Schedule.spaced(1000) })
      // @ts-expect-error -- a text is a list of its characters
      void runs.completions(id)
    }
    expectTypeOf(use).parameter(0).toEqualTypeOf<Spine.Runs>()
  })

  for (
    const [name, options, parameter] of [
      ["an interval of zero", { pollInterval: 0 }, "pollInterval"],
      ["a text for resolveOnFailure", { resolveOnFailure: "yes" as never }, "resolveOnFailure"],
      ["an interval that is not a duration", { pollInterval: "5 parsecs" }, "pollInterval"],
      ["a negative timeout", { timeout: -1 }, "timeout"],
      ["a timeout of zero", { timeout: 0 }, "timeout"],
      ["half a failure", { errorBudget: 0.5 }, "errorBudget"],
      ["both an interval and a schedule", { pollInterval: 1, schedule: Schedule.forever }, "schedule"]
    ] as const
  ) {
    it.effect(`rejects ${name} before any request, and before run creates anything`, () =>
      Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        for (
          const effect of [
            spine.runs.waitForCompletion(id, options as Spine.WaitOptions),
            spine.runs.run({ prompt: "x" }, options as Spine.WaitOptions),
            Stream.runDrain(spine.runs.watch(id, options as Spine.WaitOptions))
          ]
        ) {
          const error = yield* Effect.flip<unknown, unknown, never>(effect)
          assert.instanceOf(error, RunError.BadRequestError)
          assert.strictEqual(error.parameter, parameter)
        }
        assert.deepStrictEqual(yield* (yield* SpineEmulator.SpineEmulator).requests, [])
      }).pipe(Effect.provide(live())))
  }

  it.effect("promise 4: survives transient failures, with the retries of each request, and ends at once on 401", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const created = yield* spine.runs.create({ prompt: "x" })
      const onPoll = (fault: Fault.Fault) => fault.pipe(Fault.on("GET", polling))
      yield* emulator.fault(
        onPoll(Fault.status(503)),
        onPoll(Fault.drop),
        onPoll(Fault.dropAfter),
        onPoll(Fault.dropInside(10)),
        onPoll(Fault.html("<!doctype html>Sorry")),
        onPoll(Fault.truncate(15)),
        onPoll(Fault.status(408)),
        onPoll(Fault.status(425)),
        onPoll(Fault.hang),
        onPoll(Fault.status(429, { headers: { "retry-after": "7" } }))
      )
      assert.strictEqual(success(yield* finish(spine.runs.waitForCompletion(created))).status, "completed")

      yield* emulator.clearRequests
      yield* emulator.fault(onPoll(Fault.status(401)))
      const error = failure(yield* finish(spine.runs.waitForCompletion(created)))
      assert.instanceOf(error, RunError.AuthenticationError)
      assert.deepStrictEqual(error.ref, created.ref)
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))

  it.effect("promise 4: tolerates 404 soon after the creation, by the ref's creation time", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const created = yield* spine.runs.create({ prompt: "x" })
      yield* emulator.fault(Fault.status(404).pipe(Fault.on("GET", polling), Fault.times(4)))
      assert.strictEqual(success(yield* finish(spine.runs.waitForCompletion(created))).status, "completed")
      yield* emulator.fault(Fault.status(404).pipe(Fault.on("GET", polling), Fault.times(4)))
      assert.instanceOf(failure(yield* finish(spine.runs.waitForCompletion(created))), RunError.NotFoundError)
    }).pipe(Effect.provide(live())))

  it.effect("promise 4: tolerates 404 for a run named only by its id if notFoundGrace is given", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const { run_id } = yield* spine.runs.create({ prompt: "x" })
      yield* emulator.fault(Fault.status(404).pipe(Fault.on("GET", polling), Fault.times(5)))
      assert.instanceOf(failure(yield* finish(spine.runs.waitForCompletion(run_id))), RunError.NotFoundError)
      const exit = yield* finish(spine.runs.waitForCompletion(run_id, { notFoundGrace: "1 minute" }))
      assert.strictEqual(success(exit).status, "completed")
    }).pipe(Effect.provide(live())))

  it.effect("promise 5: continues through unknown statuses", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({
        timeline: Timeline.make({
          duration: "1 minute",
          tasks: 1,
          statuses: [{ from: 0, to: "10 seconds", status: "queued" }, {
            from: "40 seconds",
            to: "45 seconds",
            status: "polishing"
          }]
        })
      })
      const created = yield* spine.runs.create({ prompt: "x" })
      const seen = success(yield* finish(Stream.runCollect(spine.runs.watch(created))))
      assert.deepStrictEqual(
        seen.map((run) => run.status === "unknown" ? run.provider_status : run.status).filter((status, index, all) =>
          status !== all[index - 1]
        ),
        ["queued", "running", "polishing", "running", "completed"]
      )
    }).pipe(Effect.provide(live())))

  it.effect("promise 10: a ref that was encoded as JSON works like the original", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const created = yield* spine.runs.create({ prompt: "x" })
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.interrupt(fiber)
      const ref = yield* RunRef.parse(JSON.stringify(created.ref))
      const resumed = success(yield* finish(spine.runs.waitForCompletion(ref)))
      const unbroken = success(yield* finish(spine.runs.waitForCompletion(created)))
      // Each poll of a run signs its links again
      const withoutLinks = (run: typeof resumed) => JSON.stringify(run).replaceAll(/"download_url":"[^"]*"/g, "")
      assert.strictEqual(withoutLinks(resumed), withoutLinks(unbroken))
    }).pipe(Effect.provide(live())))
})

describe("runs.watch, polls and share", () => {
  it.effect("promise 8: emits each change of progress, and does not count elapsed time as a change", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "1 minute", tasks: 3 }), canvasIdAfter: 0 })
      const created = yield* spine.runs.create({ prompt: "x" })
      const seen = success(yield* finish(Stream.runCollect(spine.runs.watch(created))))
      assert.deepStrictEqual(seen.map((run) => run.status === "running" ? run.progress.tasks_completed : run.status), [
        0,
        1,
        2,
        "completed"
      ])
    }).pipe(Effect.provide(live())))

  it.effect("ends a watch with the failed run, without an error", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      yield* (yield* SpineEmulator.SpineEmulator).script({ timeline: Timeline.make({ outcome: "failed" }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      const seen = success(yield* finish(Stream.runCollect(spine.runs.watch(created))))
      assert.strictEqual(seen.at(-1)!.status, "failed")
    }).pipe(Effect.provide(live())))

  it.effect("polls emits each poll with its request id", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "10 seconds" }) })
      const created = yield* spine.runs.create({ prompt: "x" })
      const polls = success(yield* finish(Stream.runCollect(spine.runs.polls(created))))
      assert.strictEqual(polls.length, 3)
      assert.deepStrictEqual(
        polls.map((poll) => poll._tag === "Snapshot" ? poll.requestId : undefined),
        (yield* emulator.requests).filter(({ method }) => method === "GET").map((request) => request.id)
      )
    }).pipe(Effect.provide(live())))

  it.effect("promise 7: many waiters of a shared run share one loop", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "1 minute" }) })
      const shared = yield* spine.runs.share(yield* spine.runs.create({ prompt: "x" }))
      const runs = success(
        yield* finish(Effect.all(Array.from({ length: 50 }, () => shared.wait), { concurrency: "unbounded" }))
      )
      assert.strictEqual(runs.length, 50)
      assert.strictEqual((yield* emulator.requests).length, 1 + 13)
    }).pipe(Effect.provide(live())))
})

describe("runs.run", () => {
  it.effect("is the operation in the errors of its create, as runs.create is in its own", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const methods: Record<string, (params: Spine.CreateRunParams) => Effect.Effect<unknown, unknown>> = {
        "runs.run": runs.run,
        "runs.create": runs.create
      }
      for (const [method, call] of Object.entries(methods)) {
        assert.propertyVal(yield* Effect.flip(call({ prompt: " " })), "operation", method)
        yield* emulator.fault(Fault.status(402))
        assert.propertyVal(yield* Effect.flip(call({ prompt: "Tides" })), "operation", method)
      }
    }).pipe(Effect.provide(live())))

  it.effect("creates and waits, and calls onCreated with the ref in between", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const refs: Array<RunRef.RunRef> = []
      const run = success(
        yield* finish(
          spine.runs.run({ prompt: "x" }, {
            schedule: Polling.backoff({ initial: "15 seconds", max: "1 minute" }),
            onCreated: ({ ref }) => Effect.sync(() => refs.push(ref))
          })
        )
      )
      assert.strictEqual(run.status, "completed")
      assert.deepStrictEqual(refs.map((ref) => ref.id), [run.run_id])
    }).pipe(Effect.provide(live())))

  it.effect("promise 12: an interruption during the create waits until onCreated has the ref", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const refs: Array<RunRef.RunRef> = []
      yield* emulator.fault(Fault.delay("10 seconds"))
      const fiber = yield* Effect.forkChild(
        spine.runs.run({ prompt: "x" }, { onCreated: ({ ref }) => Effect.sync(() => refs.push(ref)) })
      )
      yield* TestClock.adjust("1 second")
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(refs.map((ref) => ref.id), (yield* emulator.runs).map((run) => run.id))
      assert.strictEqual(refs.length, 1)
      assert.strictEqual((yield* emulator.requests).length, 1, "and it is not polled")
    }).pipe(Effect.provide(live())))

  it.effect("B11: a failure of onCreated is an OnCreatedError with the ref of the run and the cause", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const exit = yield* finish(
        spine.runs.run({ prompt: "x" }, { onCreated: () => Effect.fail("disk full" as const) })
      )
      const error = failure(exit)
      assert.instanceOf(error, RunError.OnCreatedError)
      assert.strictEqual(error.cause, "disk full")
      assert.strictEqual(error.ref.id, (yield* emulator.runs)[0]!.id)
      assert.include(error.message, error.ref.id)
      assert.strictEqual((yield* emulator.requests).length, 1, "and the run is not polled")
    }).pipe(Effect.provide(live())))

  it.effect("B11: an onCreated that throws keeps its defect, and the ref of the run is in the log and on the span", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const logged: Array<unknown> = []
      const bug = new Error("bug")
      let runId: unknown
      const exit = yield* finish(
        spine.runs.run({ prompt: "x" }, {
          onCreated: () => {
            throw bug
          }
        }).pipe(
          Effect.onExit(() => Effect.map(Effect.currentSpan, (span) => runId = span.attributes.get("run.id"))),
          Effect.withSpan("program"),
          Effect.provide(Logger.layer([Logger.make(({ message }) => logged.push(message))]))
        )
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === bug)
      const { id } = (yield* emulator.runs)[0]!
      assert.include(JSON.stringify(logged), id)
      assert.strictEqual(runId, id)
    }).pipe(Effect.provide(live())))

  it.effect("has the ref in every failure after the creation", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.status(500).pipe(Fault.on("GET", polling), Fault.times(Infinity)))
      const error = failure(yield* finish(spine.runs.run({ prompt: "x" })))
      assert.instanceOf(error, RunError.ServerError)
      assert.strictEqual(error.ref?.id, (yield* emulator.runs)[0]!.id)
    }).pipe(Effect.provide(live())))
})

describe("promise 6: interruption", () => {
  it.effect("stops sending requests, and closes the one under way", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const created = yield* spine.runs.create({ prompt: "x" })
      const fiber = yield* Effect.forkChild(spine.runs.waitForCompletion(created))
      yield* TestClock.adjust("22 seconds")
      yield* Fiber.interrupt(fiber)
      const count = (yield* emulator.requests).length
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* emulator.requests).length, count)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }).pipe(Effect.provide(live())))
})
