import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Fiber, Layer, Metric, Redacted, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { z } from "zod"
import { RunError, RunRef, Tela } from "canvas-runs"
import { Fault, TelaEmulator, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { apiKey, applicationId, canvasId, live, scripted } from "../support/tela.ts"
import { recordSpans } from "../support/spans.ts"
import { answering, json } from "../support/http.ts"

const Invoice = Schema.Struct({ total: Schema.Number, currency: Schema.String })

const setup = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const emulator = yield* TelaEmulator.TelaEmulator
  return {
    tela,
    emulator,
    canvas: tela.canvas.make({ id: canvasId, output: Invoice }),
    text: tela.canvas.make({ id: canvasId }),
    workstation: tela.canvas.make({ applicationId, output: Invoice })
  }
})

const invoice = { total: 42, currency: "BRL" }

describe("synchronous executions", () => {
  it.effect("return the validated output, the request id and the raw answer", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice })
      const execution = success(
        yield* finish(canvas.execute({ user_name: "Ada", nested: { snake_case: 1, camelCase: 2 } }))
      )
      expectTypeOf(execution.result).toEqualTypeOf<{ readonly total: number; readonly currency: string }>()
      assert.deepStrictEqual(execution.result, invoice)
      assert.strictEqual(yield* execution.status, "succeeded")
      assert.deepStrictEqual([execution.isSync, execution.isAsync, execution.isStream], [true, false, false])
      const [request] = yield* emulator.requests
      assert.strictEqual(yield* execution.requestId, request!.id)
      assert.strictEqual(request!.headers["authorization"], `Bearer ${apiKey}`)
      assert.deepStrictEqual(((yield* execution.rawResult) as { object: string }).object, "chat.completion")
      const [run] = yield* emulator.runs
      assert.strictEqual(run!.request.mode, "sync")
      assert.deepStrictEqual(run!.request.variables, { user_name: "Ada", nested: { snake_case: 1, camelCase: 2 } })
    }).pipe(Effect.provide(live())))

  it.effect("send parameters under the provider's names, and variables unchanged", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      success(
        yield* finish(text.execute({ firstName: "Ada" }, {
          messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: "Hello" }],
          override: {
            type: "chat",
            model: "m",
            temperature: 0.5,
            functions: [{ id: "1", name: "lookUp", parameters: { type: "object", properties: { cityName: {} } } }],
            structuredOutput: {
              enabled: false,
              schema: { type: "object", title: "", description: "", properties: { camelCase: {} }, required: [] }
            }
          },
          tags: ["a", "b"],
          environmentName: "production"
        }))
      )
      const [run] = yield* emulator.runs
      assert.deepStrictEqual(run!.request.variables, { firstName: "Ada" })
      assert.deepStrictEqual(run!.request.messages.map(({ role }) => role), ["user", "assistant"])
      assert.deepStrictEqual(run!.request.tags, ["a", "b"])
      assert.strictEqual(run!.request.environment_name, "production")
      assert.deepStrictEqual(run!.request.override, {
        type: "chat",
        model: "m",
        temperature: 0.5,
        functions: [{ id: "1", name: "lookUp", parameters: { type: "object", properties: { cityName: {} } } }],
        structured_output: {
          enabled: false,
          schema: { type: "object", title: "", description: "", properties: { camelCase: {} }, required: [] }
        }
      })
    }).pipe(Effect.provide(live())))

  it.effect("run exactly the named version", () =>
    Effect.gen(function*() {
      const { emulator, tela, text } = yield* setup
      const versionId = "7c3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b22"
      success(yield* finish(text.execute({}, { versionId })))
      success(yield* finish(tela.canvas.make({ versionId }).execute({})))
      assert.deepStrictEqual((yield* emulator.runs).map((run) => run.request.version_id), [versionId, versionId])
    }).pipe(Effect.provide(live())))

  it.effect("fail with an InvalidOutputError that has the raw output when it does not fit", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: { total: "a lot" } })
      const error = failure(yield* finish(canvas.execute({})))
      assert.instanceOf(error, RunError.InvalidOutputError)
      assert.deepStrictEqual(error.output, { total: "a lot" })
      assert.include(error.message, "total")
      assert.isString(error.requestId)
    }).pipe(Effect.provide(live())))

  it.effect("return the raw output with skipResultValidation", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: { total: "a lot" } })
      const { result } = success(yield* finish(canvas.execute({}, { skipResultValidation: true })))
      expectTypeOf(result).toEqualTypeOf<unknown>()
      assert.deepStrictEqual(result, { total: "a lot" })
    }).pipe(Effect.provide(live())))

  it.effect("read the shape of workflows", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* emulator.script({ output: invoice })
      const workflow = tela.canvas.make({ id: TelaEmulator.workflowCanvasId, output: Invoice })
      const execution = success(yield* finish(workflow.execute({})))
      assert.deepStrictEqual(execution.result, invoice)
      assert.isArray(((yield* execution.rawResult) as { steps: unknown }).steps)
    }).pipe(Effect.provide(live())))

  it.effect("have a timeout of ten minutes by default, or that of the caller", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "9 minutes" }) })
      success(yield* finish(text.execute({})))
      const error = failure(yield* finish(text.execute({}, { timeout: "5m" })))
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.strictEqual(Duration.toMinutes(error.elapsed), 5)
    }).pipe(Effect.provide(live())))

  it.effect("promise 12: are not repeated if they may have reached the provider", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.fault(Fault.dropAfter)
      assert.instanceOf(failure(yield* finish(text.execute({}))), RunError.CreateOutcomeUnknownError)
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))

  it.effect("have the provider's code and message in their errors", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const error = failure(yield* finish(tela.canvas.make({ id: TelaEmulator.unknownCanvasId }).execute({})))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.isString(error.providerCode)
      assert.isString(error.providerMessage)
    }).pipe(Effect.provide(live())))
})

describe("schemas", () => {
  it.effect("an Effect Schema for the input encodes the variables, and rejects values that do not fit before any request", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const canvas = tela.canvas.make({
        id: canvasId,
        input: Schema.Struct({ day: Schema.DateTimeUtcFromString, count: Schema.Int }),
        output: Schema.Unknown
      })
      expectTypeOf(canvas.execute).parameter(0).toHaveProperty("count").toEqualTypeOf<number>()
      success(yield* finish(canvas.execute({ day: DateTime.makeUnsafe("2026-01-02T03:04:05Z"), count: 1 })))
      assert.deepStrictEqual((yield* emulator.runs)[0]!.request.variables, {
        day: "2026-01-02T03:04:05.000Z",
        count: 1
      })
      const error = failure(yield* finish(canvas.execute({ day: DateTime.makeUnsafe(0), count: 1.5 })))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.isFalse(error.sent)
      assert.include(error.message, "count")
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))

  it.effect("Zod works for both, and types flow from it", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const canvas = tela.canvas.make({
        id: canvasId,
        input: z.object({ name: z.string().min(1), file: z.custom<Tela.TelaFile>(Tela.isTelaFile).optional() }),
        output: z.object({ total: z.number(), currency: z.string().transform((text) => text.toLowerCase()) })
      })
      expectTypeOf(canvas).toEqualTypeOf<
        Tela.Canvas<{ name: string; file?: Tela.TelaFile | undefined }, { total: number; currency: string }>
      >()
      yield* emulator.script({ output: invoice })
      const { result } = success(yield* finish(canvas.execute({ name: "x" })))
      expectTypeOf(result).toEqualTypeOf<{ total: number; currency: string }>()
      assert.deepStrictEqual(result, { total: 42, currency: "brl" })
      const refused = failure(yield* finish(canvas.execute({ name: "" })))
      assert.instanceOf(refused, RunError.BadRequestError)
      assert.include(refused.message, "name")
      yield* emulator.script({ output: { total: "x", currency: "y" } })
      const invalid = failure(yield* finish(canvas.execute({ name: "x" })))
      assert.instanceOf(invalid, RunError.InvalidOutputError)
      assert.include(invalid.issue, "total")
    }).pipe(Effect.provide(live())))
})

describe("asynchronous executions", () => {
  it.effect("are created at once, and followed every second to their validated result", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "10 seconds" }) })
      const execution = yield* canvas.execute({}, { async: true })
      assert.deepStrictEqual([execution.isSync, execution.isAsync, execution.isStream], [false, true, false])
      assert.strictEqual(yield* execution.status, "created")
      assert.strictEqual((yield* emulator.requests).length, 1, "nothing is polled until the result is requested")
      assert.deepStrictEqual(success(yield* finish(execution.result)), invoice)
      assert.strictEqual(yield* execution.status, "succeeded")
      const [post, ...polls] = yield* emulator.requests
      assert.strictEqual(yield* execution.requestId, post!.id)
      assert.deepStrictEqual(
        polls.map(({ receivedAt }) => receivedAt),
        Array.from({ length: 11 }, (_, second) => second * 1000)
      )
      assert.deepStrictEqual(execution.ref, {
        version: 1,
        provider: "tela",
        kind: "execution",
        id: execution.id,
        createdAt: 0,
        requestId: post!.id,
        template: canvasId
      })
    }).pipe(Effect.provide(live())))

  it.effect("time out after 60 seconds by default, and continue at the provider", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "2 minutes" }) })
      const execution = yield* canvas.execute({}, { async: true })
      const error = failure(yield* finish(execution.result, "60 seconds"))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.strictEqual(Duration.toSeconds(error.elapsed), 60)
      const resumed = yield* canvas.getExecution(error.ref, { pollingTimeout: "5m" })
      assert.deepStrictEqual(success(yield* finish(resumed.result)), invoice)
    }).pipe(Effect.provide(live())))

  for (
    const [interval, timeout, polls] of [
      [2000, 10_000, 6],
      ["5s", "1m", 13],
      ["0.5s", "2s", 5],
      ["500ms", "2 seconds", 5],
      [Duration.seconds(20), "1m", 4],
      ["30m", "1h", 3],
      ["1d", "2d", 3]
    ] as const
  ) {
    it.effect(`accept ${String(interval)} and ${timeout} as interval and timeout`, () =>
      Effect.gen(function*() {
        const { emulator, text } = yield* setup
        yield* emulator.script({ timeline: Timeline.make({ duration: Infinity }) })
        const execution = yield* text.execute({}, { async: true, pollingInterval: interval, pollingTimeout: timeout })
        const error = failure(yield* finish(execution.result, "3 days"))
        assert.instanceOf(error, RunError.RunTimeoutError)
        assert.strictEqual(error.polls, polls)
      }).pipe(Effect.provide(live())))
  }

  it.effect("accept any schedule", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "9 seconds" }) })
      const execution = yield* text.execute({}, { async: true, schedule: Schedule.exponential("1 second") })
      success(yield* finish(execution.result))
      assert.deepStrictEqual((yield* emulator.requests).slice(1).map(({ receivedAt }) => receivedAt), [
        0,
        1000,
        3000,
        7000,
        15_000
      ])
    }).pipe(Effect.provide(live())))

  it.effect("emit events: each poll with its request id, changes of status, and success with the last request id", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({
        output: invoice,
        timeline: Timeline.make({ duration: "3 seconds" }),
        createdFor: "1500 millis"
      } as never)
      const execution = yield* canvas.execute({}, { async: true })
      const events = success(yield* finish(Stream.runCollect(execution.events)))
      const polls = (yield* emulator.requests).slice(1).map((request) => request.id)
      assert.deepStrictEqual(
        events.filter(({ _tag }) => _tag === "poll").map((event) => event._tag === "poll" ? event.requestId : ""),
        polls
      )
      const statuses = events.flatMap((event) => event._tag === "statusChange" ? [event.status] : [])
      assert.deepStrictEqual(statuses, statuses[0] === "running" ? ["running", "succeeded"] : ["succeeded"])
      assert.deepStrictEqual(events.at(-1), { _tag: "success", result: invoice, requestId: polls.at(-1) })
    }).pipe(Effect.provide(live())))

  it.effect("get the status failed from an output that does not fit, even if the provider reports success", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: { total: "a lot" } })
      const execution = yield* canvas.execute({}, { async: true })
      const events = success(yield* finish(Stream.runCollect(execution.events)))
      assert.deepStrictEqual(
        events.slice(-2).map((event) => event._tag === "statusChange" ? event.status : event._tag),
        ["failed", "error"]
      )
      const error = failure(yield* finish(execution.result))
      assert.instanceOf(error, RunError.InvalidOutputError)
      assert.deepStrictEqual(error.output, { total: "a lot" })
      assert.deepStrictEqual(error.ref, execution.ref)
      assert.strictEqual(yield* execution.status, "failed")
      assert.isDefined(success(yield* finish(execution.rawResult)), "the raw result needs no validation")
    }).pipe(Effect.provide(live())))

  it.effect("fail with a RunFailedError that has the whole response when the provider reports failed", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const execution = yield* tela.canvas.make({ id: TelaEmulator.failingCanvasId }).execute({}, { async: true })
      const error = failure(yield* finish(execution.result))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual((error.run as { status: string }).status, "failed")
      assert.isAbove(error.errors.length, 0)
      assert.strictEqual(yield* execution.status, "failed")
      const events = success(yield* finish(Stream.runCollect(execution.events)))
      assert.strictEqual(events.at(-1)!._tag, "error")
    }).pipe(Effect.provide(live())))

  it.effect("poll in the background until the scope closes", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
      const execution = yield* text.execute({}, { async: true })
      yield* Effect.scoped(Effect.andThen(execution.poll, TestClock.adjust("5500 millis")))
      const count = (yield* emulator.requests).length
      assert.strictEqual(count, 1 + 6)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* emulator.requests).length, count)
    }).pipe(Effect.provide(live())))

  it.effect("F11: cancel ends all waits with a WaitStoppedError, and the execution continues at the provider", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
      const execution = yield* text.execute({}, { async: true })
      const waits = [execution.result, execution.rawResult, Stream.runDrain(execution.watch)]
      const fibers = yield* Effect.forEach(waits, (wait) => Effect.forkChild(Effect.flip(wait)))
      yield* TestClock.adjust("5500 millis")
      yield* execution.cancel
      for (const fiber of fibers) {
        const error = yield* Fiber.join(fiber)
        assert.instanceOf(error, RunError.WaitStoppedError)
        assert.deepStrictEqual(error.ref, execution.ref)
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* emulator.requests).length, 1 + 6)
      assert.strictEqual((yield* emulator.runs)[0]!.status, "succeeded")
      assert.strictEqual(yield* execution.status, "running", "the status is known without a request")
    }).pipe(Effect.provide(live())))

  it.effect("F11: a fiber that reads events and is cancelled sees the error as the last event, and can wait again", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "20 seconds" }) })
      const execution = yield* canvas.execute({}, { async: true })
      const first = yield* Effect.forkChild(Stream.runCollect(execution.events))
      yield* TestClock.adjust("3500 millis")
      yield* execution.cancel
      const last = (yield* Fiber.join(first)).at(-1)!
      assert.strictEqual(last._tag === "error" ? last.error._tag : last._tag, "WaitStoppedError")
      const events = success(yield* finish(Stream.runCollect(execution.events)))
      assert.strictEqual(events.at(-1)!._tag, "success")
      assert.deepStrictEqual(success(yield* finish(execution.result)), invoice)
      yield* execution.cancel
      assert.deepStrictEqual(yield* execution.result, invoice, "the terminal state is kept")
    }).pipe(Effect.provide(live())))

  it.effect("F11: a reader that is busy when it is cancelled is not interrupted, and then sees the end", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
      const execution = yield* text.execute({}, { async: true })
      const done: Array<string> = []
      const reader = yield* Effect.forkChild(
        Effect.exit(Stream.runForEach(execution.watch, ({ providerStatus }) =>
          Effect.andThen(
            Effect.sleep("10 seconds"),
            Effect.sync(() => void done.push(providerStatus))
          )))
      )
      // The reader has one snapshot, and the next ones wait
      yield* TestClock.adjust(0)
      yield* TestClock.adjust("2 seconds")
      yield* execution.cancel
      yield* TestClock.adjust("10 seconds")
      assert.instanceOf(failure(yield* Fiber.join(reader)), RunError.WaitStoppedError)
      assert.deepStrictEqual(done, ["created"])
    }).pipe(Effect.provide(live())))

  it.effect("A8: the status is the latest that any wait has seen", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      for (
        const [output, status] of [[invoice, "succeeded"], [{ total: "a lot" }, "failed"]] as const
      ) {
        for (const wait of ["rawResult", "watch"] as const) {
          yield* emulator.script({ output, timeline: Timeline.make({ duration: "3 seconds" }) })
          const execution = yield* canvas.execute({}, { async: true })
          yield* finish(wait === "rawResult" ? execution.rawResult : Stream.runDrain(execution.watch))
          const { length } = yield* emulator.requests
          assert.strictEqual(yield* execution.status, status, wait)
          assert.strictEqual((yield* emulator.requests).length, length, "a status costs no request")
        }
      }
    }).pipe(Effect.provide(live())))

  it.effect("A8: the output is validated once for any number of waits", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      let validations = 0
      const output = z.unknown().transform((value) => {
        validations++
        return value
      })
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: 0 }) })
      const execution = yield* tela.canvas.make({ id: canvasId, output }).execute({}, { async: true })
      yield* finish(Effect.all([execution.result, execution.result, Stream.runDrain(execution.events)]))
      assert.strictEqual(yield* execution.status, "succeeded")
      assert.strictEqual(validations, 1)
    }).pipe(Effect.provide(live())))

  it.effect("promise 7: all followers of an execution share its polls", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "10 seconds" }) })
      const execution = yield* canvas.execute({}, { async: true })
      const all = yield* finish(
        Effect.all([
          execution.result,
          execution.result,
          execution.rawResult,
          Stream.runCollect(execution.events),
          Stream.runCollect(execution.watch)
        ], {
          concurrency: "unbounded"
        })
      )
      assert.deepStrictEqual(success(all)[0], invoice)
      assert.strictEqual((yield* emulator.requests).length, 1 + 11)
    }).pipe(Effect.provide(live())))

  it.effect("send a webhook with headers to forward", () =>
    Effect.gen(function*() {
      const { emulator, text } = yield* setup
      yield* text.execute({}, {
        async: true,
        webhookUrl: "https://example.com/hook",
        forwardHeaders: { "X-Secret": "1", "x-tela-forward-plain": "2" }
      })
      const [request] = yield* emulator.requests
      assert.strictEqual(request!.headers["x-tela-forward-x-secret"], "1")
      assert.strictEqual(request!.headers["x-tela-forward-plain"], "2")
      assert.strictEqual((yield* emulator.runs)[0]!.request.webhook_url, "https://example.com/hook")
    }).pipe(Effect.provide(live())))

  for (
    const [name, params, parameter] of [
      ["a webhook that is not a URL", { webhookUrl: "/hook" }, "webhookUrl"],
      ["a header with a line break", { forwardHeaders: { a: "1\r\nb: 2" } }, "forwardHeaders"],
      ["a header with a broken name", { forwardHeaders: { "a b": "1" } }, "forwardHeaders"],
      ["an invalid interval", { pollingInterval: "soon" }, "pollingInterval"],
      ["a timeout of zero", { pollingTimeout: "0s" }, "pollingTimeout"]
    ] as const
  ) {
    it.effect(`reject ${name} before any request`, () =>
      Effect.gen(function*() {
        const { emulator, text } = yield* setup
        const error = yield* Effect.flip(text.execute({}, { async: true, ...params } as Tela.AsyncParams))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, parameter)
        assert.deepStrictEqual(yield* emulator.requests, [])
      }).pipe(Effect.provide(live())))
  }
})

describe("one call that executes and waits", () => {
  it.effect("F9: run creates, polls and returns the validated output; onCreated has the ref before the first poll", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "10 seconds" }) })
      const seen: Array<unknown> = []
      const output = success(
        yield* finish(canvas.run({ a: 1 }, {
          onCreated: ({ id, ref, requestId, task }) =>
            Effect.map(emulator.requests, (requests) => {
              seen.push({ id, ref, requestId, task, requests: requests.length })
            })
        }))
      )
      expectTypeOf(output).toEqualTypeOf<{ readonly total: number; readonly currency: string }>()
      assert.deepStrictEqual(output, invoice)
      const [post, ...polls] = yield* emulator.requests
      const [run] = yield* emulator.runs
      const ref = RunRef.make({
        provider: "tela",
        kind: "execution",
        id: run!.id,
        createdAt: 0,
        requestId: post!.id,
        template: canvasId
      })
      assert.deepStrictEqual(seen, [{ id: run!.id, ref, requestId: post!.id, task: undefined, requests: 1 }])
      assert.strictEqual(polls.length, 11)
    }).pipe(Effect.provide(live())))

  it.effect("F9: run returns the output of a task before a person has approved it", () =>
    Effect.gen(function*() {
      const { emulator, workstation } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "5 seconds" }) })
      const created: Array<string> = []
      const onCreated = ({ ref, task }: Tela.CreatedExecution) =>
        Effect.sync(() => void created.push(`${ref.kind} ${task?.status}`))
      assert.deepStrictEqual(success(yield* finish(workstation.run({}, { label: "March", onCreated }))), invoice)
      assert.deepStrictEqual(created, ["task running"])
    }).pipe(Effect.provide(live())))

  for (const call of ["run", "execute"] as const) {
    it.effect(`B11: ${call} with an onCreated that fails is an OnCreatedError with the ref, and polls nothing`, () =>
      Effect.gen(function*() {
        const { canvas, emulator } = yield* setup
        const onCreated = () => Effect.fail("the database is down" as const)
        const error = call === "run"
          ? failure(yield* finish(canvas.run({}, { onCreated })))
          : failure(yield* finish(canvas.execute({}, { async: true, onCreated })))
        assert.instanceOf(error, RunError.OnCreatedError)
        expectTypeOf(error.cause).toEqualTypeOf<"the database is down">()
        assert.strictEqual(error.cause, "the database is down")
        assert.strictEqual(error.ref.id, (yield* emulator.runs)[0]!.id)
        assert.strictEqual((yield* emulator.requests).length, 1)
      }).pipe(Effect.provide(live())))
  }

  it.effect("F9: a failure after the creation has the ref, and a wrong parameter starts no execution", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "2 minutes" }) })
      const late = failure(yield* finish(canvas.run({}), "61 seconds"))
      assert.instanceOf(late, RunError.RunTimeoutError)
      assert.strictEqual(late.ref.id, (yield* emulator.runs)[0]!.id)
      yield* emulator.script({ output: { total: "a lot" } })
      assert.instanceOf(failure(yield* finish(canvas.run({}))), RunError.InvalidOutputError)
      const { length } = yield* emulator.runs
      assert.instanceOf(failure(yield* finish(canvas.run({}, { pollingTimeout: "0s" }))), RunError.BadRequestError)
      assert.strictEqual((yield* emulator.runs).length, length)
    }).pipe(Effect.provide(live())))
})

describe("F13: telemetry of asynchronous executions", () => {
  it.effect("the span names the canvas or the application, and the run; each run counts as created and as ended", () =>
    Effect.gen(function*() {
      const { canvas, emulator, workstation } = yield* setup
      const { spans, tracer } = recordSpans()
      yield* emulator.script({ output: invoice })
      success(yield* finish(Effect.withTracer(canvas.run({}, { versionId: "v1" }), tracer)))
      yield* emulator.script({ output: invoice })
      const execution = yield* Effect.withTracer(canvas.execute({}, { async: true }), tracer)
      success(yield* finish(execution.result))
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed" }) })
      failure(yield* finish(Effect.withTracer(workstation.run({}), tracer)))
      const ids = [...(yield* emulator.runs).slice(0, 2).map(({ id }) => id), (yield* emulator.tasks)[0]!.id]
      const executes = spans.filter(({ name }) => name === "TelaCanvas.execute")
      assert.deepStrictEqual(executes.map(({ attributes }) => Object.fromEntries(attributes)), [
        {
          "run.provider": "tela",
          "execution.mode": "async",
          "canvas.id": canvasId,
          "canvas.version_id": "v1",
          "run.id": ids[0]
        },
        { "run.provider": "tela", "execution.mode": "async", "canvas.id": canvasId, "run.id": ids[1] },
        { "run.provider": "tela", "execution.mode": "async", "canvas.application_id": applicationId, "run.id": ids[2] }
      ])
      const metrics = yield* Metric.snapshot
      const counts = (id: string) =>
        metrics.filter((metric) => metric.id === id).map(({ attributes, state }) => [
          attributes?.["outcome"],
          (state as { readonly count: number }).count
        ])
      assert.deepStrictEqual(counts("canvas_runs_created_total"), [[undefined, 3]])
      assert.deepStrictEqual(counts("canvas_runs_ended_total"), [["Succeeded", 2], ["Failed", 1]])
    }).pipe(Effect.provide(live()), Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("synchronous executions that fail", () => {
  const answered = (status: number, body: unknown) =>
    Layer.provide(
      Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey), retryCreates: false })),
      answering(() => json(body, status, { "x-request-id": "req-1" })).layer
    )

  for (
    const [name, status, body, errors] of [
      ["500 with the code EXECUTION_FAILED", 500, { code: "EXECUTION_FAILED", message: "no credit card" }, [
        "no credit card"
      ]],
      ["500 with the name ExecutionFailedError", 500, { name: "ExecutionFailedError", message: "x", status: 500 }, [
        "x"
      ]],
      ["502 with a failed run", 502, { id: "r1", status: "failed", raw_output: { error: { message: "too long" } } }, [
        "too long"
      ]],
      ["422 with a failed workflow", 422, { id: "r1", status: "Failed", steps: [] }, []],
      ["200 with a failed run", 200, { id: "r1", status: "failed", raw_output: null }, []]
    ] as const
  ) {
    it.effect(`B10: ${name} is a RunFailedError`, () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const error = failure(yield* finish(tela.canvas.make({ id: canvasId }).execute({})))
        assert.instanceOf(error, RunError.RunFailedError)
        if (errors.length > 0) assert.deepStrictEqual(error.errors, errors)
        assert.deepStrictEqual(error.run, body)
        assert.strictEqual(error.requestId, "req-1")
        if (status === 200) return
        const streamed = failure(yield* finish(Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({}))))
        assert.instanceOf(streamed, RunError.RunFailedError)
        assert.deepStrictEqual(streamed.run, body)
      }).pipe(Effect.provide(answered(status, body))))
  }

  for (
    const [name, status, body] of [
      ["500 without a status of the run", 500, { code: "INTERNAL_SERVER_ERROR", message: "failed", status: 500 }],
      ["504 of a proxy", 504, { message: "upstream request failed" }],
      ["500 about an upload that failed", 500, { code: "UPLOAD_FAILED", message: "x", status: 500 }],
      ["200 with a run that is still running", 200, { id: "r1", status: "running" }]
    ] as const
  ) {
    it.effect(`B10: ${name} stays a CreateOutcomeUnknownError`, () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const error = failure(yield* finish(tela.canvas.make({ id: canvasId }).execute({})))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      }).pipe(Effect.provide(answered(status, body))))
  }

  it.effect("B10: the emulator's failing canvas is a RunFailedError with the provider's reasons", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const error = failure(yield* finish(tela.canvas.make({ id: TelaEmulator.failingCanvasId }).execute({})))
      assert.instanceOf(error, RunError.RunFailedError)
      assert.isAbove(error.errors.length, 0)
    }).pipe(Effect.provide(live())))
})

describe("getExecution", () => {
  it.effect("A8: validates the output of a succeeded execution at once, without another request", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      for (
        const [output, status] of [[invoice, "succeeded"], [{ total: "a lot" }, "failed"], ["text", "failed"]] as const
      ) {
        yield* emulator.script({ output, timeline: Timeline.make({ duration: 0 }) })
        const { id } = yield* canvas.execute({}, { async: true })
        yield* TestClock.adjust("1 second")
        yield* emulator.clearRequests
        const found = yield* canvas.getExecution(id)
        assert.strictEqual(yield* found.status, status)
        const exit = yield* finish(found.result)
        assert.strictEqual(Exit.isSuccess(exit), status === "succeeded")
        assert.strictEqual((yield* emulator.requests).length, 1)
      }
    }).pipe(Effect.provide(live())))

  it.effect("F8: tela.getExecution needs no canvas: with a schema, without one, and for a task", () =>
    Effect.gen(function*() {
      const { emulator, tela, text, workstation } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "10 seconds" }) })
      const { id } = yield* text.execute({}, { async: true })
      const found = yield* tela.getExecution(id, { output: Invoice })
      expectTypeOf(found).toEqualTypeOf<Tela.AsyncExecution<{ readonly total: number; readonly currency: string }>>()
      assert.deepStrictEqual(success(yield* finish(found.result)), invoice)
      const plain = yield* tela.getExecution(id)
      expectTypeOf(plain).toEqualTypeOf<Tela.AsyncExecution<unknown>>()
      assert.deepStrictEqual(success(yield* finish(plain.result)), invoice)
      const task = yield* workstation.execute({})
      const sameTask = yield* tela.getExecution(task.id, { isTask: true, output: { total: Schema.Number } })
      expectTypeOf(sameTask.result).toEqualTypeOf<Effect.Effect<{ readonly total: number }, Tela.ResultError>>()
      assert.strictEqual(sameTask.ref.kind, "task")
      assert.strictEqual((yield* tela.getExecution(task.ref)).ref.kind, "task")
      const skipped = yield* tela.getExecution(id, { output: Schema.String, skipResultValidation: true })
      expectTypeOf(skipped).toEqualTypeOf<Tela.AsyncExecution<unknown>>()
      assert.deepStrictEqual(success(yield* finish(skipped.result)), invoice)
    }).pipe(Effect.provide(live())))

  it.effect("F8: tela.getExecution polls every second for 60 seconds by default, from the request for its result", () =>
    Effect.gen(function*() {
      const { emulator, tela, text } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: Infinity }) })
      const { id } = yield* text.execute({}, { async: true })
      const found = yield* tela.getExecution(id)
      yield* TestClock.adjust("1 hour")
      const error = failure(yield* finish(found.result, "60 seconds"))
      assert.instanceOf(error, RunError.RunTimeoutError)
      assert.deepStrictEqual([Duration.toSeconds(error.elapsed), error.polls], [60, 61])
      const impatient = yield* tela.getExecution(id, { pollingInterval: "2s", pollingTimeout: 4000 })
      const early = failure(yield* finish(impatient.result, "4 seconds"))
      assert.strictEqual(early._tag === "RunTimeoutError" ? early.polls : early, 3)
    }).pipe(Effect.provide(live())))

  it.effect("promise 9: fails with an InvalidResponseError on an answer about another execution", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const error = failure(yield* finish(tela.getExecution(canvasId)))
      assert.instanceOf(error, RunError.InvalidResponseError)
      const task = failure(yield* finish(tela.getExecution(canvasId, { isTask: true })))
      assert.instanceOf(task, RunError.InvalidResponseError)
      assert.strictEqual((yield* tela.getExecution(applicationId.toUpperCase())).id, applicationId.toUpperCase())
    }).pipe(Effect.provide(scripted(() => ({
      id: applicationId,
      status: "succeeded",
      output_content: { content: "another's" }
    })))))

  it.effect("returns the result of a finished execution without polling and without events", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "1 second" }) })
      const { id } = yield* canvas.execute({}, { async: true })
      yield* TestClock.adjust("1 minute")
      yield* emulator.clearRequests
      const found = yield* canvas.getExecution(id)
      assert.deepStrictEqual(success(yield* finish(found.result)), invoice)
      assert.deepStrictEqual(success(yield* finish(Stream.runCollect(found.events))), [])
      assert.strictEqual(yield* found.status, "succeeded")
      assert.isUndefined(yield* found.requestId)
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live())))

  it.effect("promise 10: follows a running execution from a ref that was encoded as JSON", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "10 seconds" }) })
      const { ref } = yield* canvas.execute({}, { async: true })
      const found = yield* canvas.getExecution(yield* RunRef.parse(JSON.stringify(ref)))
      assert.strictEqual(yield* found.status, "created")
      assert.deepStrictEqual(success(yield* finish(found.result)), invoice)
      assert.strictEqual(yield* found.requestId, ref.requestId)
    }).pipe(Effect.provide(live())))

  it.effect("rejects malformed ids, and refs of other kinds and providers", () =>
    Effect.gen(function*() {
      const { canvas, emulator } = yield* setup
      for (
        const id of [
          "",
          "..",
          "a/b",
          "x?y",
          RunRef.make({ provider: "spine", kind: "run", id: "1" }),
          RunRef.make({ provider: "tela", kind: "stream", id: "1" })
        ]
      ) {
        const error = yield* Effect.flip(canvas.getExecution(id))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
      }
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(Effect.provide(live())))

  it.effect("is a NotFoundError for an unknown execution", () =>
    Effect.gen(function*() {
      const { canvas } = yield* setup
      assert.instanceOf(failure(yield* finish(canvas.getExecution(canvasId))), RunError.NotFoundError)
    }).pipe(Effect.provide(live())))
})

describe("workstations", () => {
  it.effect("create a task, whose output is available before a person has approved it", () =>
    Effect.gen(function*() {
      const { emulator, workstation } = yield* setup
      yield* emulator.script({ output: invoice, timeline: Timeline.make({ duration: "5 seconds" }) })
      const execution = yield* workstation.execute({ a: 1 }, { label: "March", tags: ["q1"] })
      assert.strictEqual(execution.ref.kind, "task")
      assert.strictEqual(execution.task!.id, execution.id)
      assert.deepStrictEqual(success(yield* finish(execution.result)), invoice)
      const [task] = yield* emulator.tasks
      assert.strictEqual(task!.status, "validating")
      assert.strictEqual(task!.id, execution.id)
      const paths = (yield* emulator.requests).map(({ method, path }) => `${method} ${path}`)
      assert.strictEqual(paths[0], "POST /v2/chat/completions")
      assert.strictEqual(paths[1], `GET /task/${execution.id}`)
      const found = yield* workstation.getExecution(execution.id)
      assert.deepStrictEqual(success(yield* finish(found.result)), invoice)
      assert.strictEqual(found.task!.status, "validating")
    }).pipe(Effect.provide(live())))

  it.effect("fail with a RunFailedError when the task fails", () =>
    Effect.gen(function*() {
      const { emulator, workstation } = yield* setup
      yield* emulator.script({ timeline: Timeline.make({ duration: "5 seconds", outcome: "failed" }) })
      const execution = yield* workstation.execute({})
      assert.instanceOf(failure(yield* finish(execution.result)), RunError.RunFailedError)
    }).pipe(Effect.provide(live())))
})

describe("types", () => {
  it("reject members that a mode does not have", () => {
    const use = (
      canvas: Tela.Canvas<{ readonly a: string }, number>,
      workstation: Tela.Workstation<{ readonly a: string }, number>
    ) => {
      expectTypeOf(canvas.execute({ a: "" })).toEqualTypeOf<
        Effect.Effect<
          Tela.SyncExecution<number>,
          Tela.ExecuteError | RunError.RunFailedError | RunError.InvalidOutputError
        >
      >()
      expectTypeOf(canvas.execute({ a: "" }, { async: true })).toEqualTypeOf<
        Effect.Effect<Tela.AsyncExecution<number>, Tela.ExecuteError>
      >()
      expectTypeOf(canvas.execute({ a: "" }, { stream: true })).toEqualTypeOf<
        Effect.Effect<Tela.StreamExecution<number>, RunError.BadRequestError>
      >()
      expectTypeOf(workstation.execute({ a: "" })).toEqualTypeOf<
        Effect.Effect<Tela.AsyncExecution<number>, Tela.ExecuteError>
      >()
      expectTypeOf(canvas.execute({ a: "" }, { async: true, skipResultValidation: true })).toEqualTypeOf<
        Effect.Effect<Tela.AsyncExecution<unknown>, Tela.ExecuteError>
      >()

      // @ts-expect-error -- the variables have a type
      void canvas.execute({ a: 1 })
      // @ts-expect-error -- a stream has no webhook
      void canvas.execute({ a: "" }, { stream: true, webhookUrl: "https://x.example" })
      // @ts-expect-error -- a stream is not polled
      void canvas.execute({ a: "" }, { stream: true, pollingInterval: 1 })
      // @ts-expect-error -- a stream is not asynchronous
      void canvas.execute({ a: "" }, { stream: true, async: true })
      // @ts-expect-error -- a synchronous execution has no webhook
      void canvas.execute({ a: "" }, { webhookUrl: "https://x.example" })
      // @ts-expect-error -- a synchronous execution is not polled
      void canvas.execute({ a: "" }, { pollingTimeout: "1m" })
      // @ts-expect-error -- an application does not stream
      void workstation.execute({ a: "" }, { stream: true })
      // @ts-expect-error -- an application is always asynchronous
      void workstation.execute({ a: "" }, { async: false })
      // @ts-expect-error -- a label is for tasks
      void canvas.execute({ a: "" }, { async: true, label: "x" })
      // @ts-expect-error -- an application runs its own version
      void workstation.execute({ a: "" }, { versionId: "x" })
      // @ts-expect-error -- an application has no stream
      void workstation.stream
      // @ts-expect-error -- a stream has no id
      void canvas.execute({ a: "" }, { stream: true }).id
      // @ts-expect-error -- a synchronous execution is not followed
      void Effect.map(canvas.execute({ a: "" }), (execution) => execution.poll)
    }
    expectTypeOf(use).parameter(0).toEqualTypeOf<Tela.Canvas<{ readonly a: string }, number>>()
    const get = (tela: Tela.Service) => {
      expectTypeOf(tela.canvas.make({ id: "x", output: Invoice })).toEqualTypeOf<
        Tela.Canvas<Tela.Variables, { readonly total: number; readonly currency: string }>
      >()
      expectTypeOf(tela.canvas.get({ applicationId: "x" })).toEqualTypeOf<
        Effect.Effect<Tela.Workstation, RunError.RequestError>
      >()
      // @ts-expect-error -- one or the other
      void tela.canvas.get({ applicationId: "x", id: "y" })
      // @ts-expect-error -- something must be named
      void tela.canvas.get({})
    }
    expectTypeOf(get).parameter(0).toEqualTypeOf<Tela.Service>()
  })
})
