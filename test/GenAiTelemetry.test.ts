import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Metric, Option, Schema, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"
import { GenAiTelemetry, Polling, Run, RunRef, type RunSource, RunStore, Spine, Tela } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { SpineWorkflow, Waits } from "canvas-runs/workflow"
import { failure, finish, success } from "./support/results.ts"
import { recordSpans } from "./support/spans.ts"
import * as OnSpine from "./support/spine.ts"
import * as OnTela from "./support/tela.ts"

type Recorded = ReturnType<typeof recordSpans>

class Tag extends Context.Service<Tag, string>()("test/Tag") {}

const isInvocation = ({ name }: Tracer.Span) => name.startsWith("invoke_agent")

/** Runs an effect with the conventions, and returns the spans. */
const traced = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const { spans, tracer } = recordSpans()
    return Effect.map(
      finish(Effect.withTracer(self, GenAiTelemetry.make(tracer))),
      (exit) => ({ exit, spans, invocations: spans.filter(isInvocation) })
    )
  })

/** The only span of an invocation. It has ended. */
const only = ({ invocations }: { readonly invocations: Recorded["spans"] }) => {
  assert.strictEqual(invocations.length, 1, invocations.map(({ name }) => name).join())
  const [span] = invocations
  if (span!.status._tag !== "Ended") throw new Error("the span has not ended")
  const { endTime, exit, startTime } = span!.status
  const shown: Readonly<Record<string, unknown>> & {
    readonly exit: Exit.Exit<unknown, unknown>
    readonly seconds: number
  } = {
    ...Object.fromEntries(span!.attributes),
    name: span!.name,
    kind: span!.kind,
    exit,
    seconds: Number(endTime - startTime) / 1e9
  }
  return shown
}

/** The histogram of the conventions: how many operations there were, by `error.type`, and the sum of their seconds. */
const durations = Effect.map(
  Metric.snapshot,
  (metrics) =>
    metrics.flatMap((metric) =>
      metric.id === "gen_ai.client.operation.duration"
        ? [{ ...metric.attributes, ...metric.state } as Readonly<Record<string, unknown>>]
        : []
    )
)

const counts = Effect.map(
  durations,
  (all) => all.map((each) => [each["error.type"], each["count"]])
)

const onSpine = (options?: Partial<Spine.Options>) =>
<A, E>(
  self: Effect.Effect<A, E, Spine.SpineClient | SpineEmulator.SpineEmulator>
) => self.pipe(Effect.provide(OnSpine.live(options)), Effect.provideService(Metric.MetricRegistry, new Map()))

const onTela = (options?: Partial<Tela.Options>) =>
<A, E>(
  self: Effect.Effect<A, E, Tela.TelaClient | TelaEmulator.TelaEmulator>
) => self.pipe(Effect.provide(OnTela.live(options)), Effect.provideService(Metric.MetricRegistry, new Map()))

describe("the span of an invocation", () => {
  it.effect("covers a run of Spine from the create to the end, and names the template, the run, the canvas and the server", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "10 minutes" }), credits: 37 })
      const result = yield* traced(runs.run({ prompt: "Tides", template: "report" }))
      const run = success(result.exit)
      const span = only(result)
      assert.deepInclude(span, {
        name: "invoke_agent report",
        kind: "client",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "spine",
        "gen_ai.agent.name": "report",
        "server.address": "api.getspine.ai",
        "server.port": 443,
        "run.id": run.run_id,
        "run.outcome": "Succeeded",
        "canvas.id": run.canvas_id!,
        "run.credits": 37
      })
      assert.isAtLeast(span.seconds, 600)
      assert.notProperty(span, "error.type")
      assert.notProperty(span, "gen_ai.agent.id")
      // The create and the wait are parts of it
      const invocation = result.invocations[0]!
      const parts = result.spans.filter(({ parent }) => Option.getOrUndefined(parent) === invocation)
      assert.deepStrictEqual(parts.map(({ kind, name }) => [name, kind]), [
        ["SpineRuns.create", "internal"],
        ["Run.wait", "internal"]
      ])
      const [metric, ...others] = yield* durations
      assert.strictEqual(others.length, 0)
      assert.deepInclude(metric!, {
        unit: "s",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "spine",
        "server.address": "api.getspine.ai",
        "server.port": "443",
        count: 1,
        sum: span.seconds
      })
    }).pipe(onSpine()))

  it.effect("has the template auto by default, and no name for a run with blocks or with an invalid template", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const secret = "My private prompt"
      for (
        const [params, name] of [
          [{ prompt: "x" }, "invoke_agent auto"],
          [{ prompt: "x", blocks: ["memo-block"] }, "invoke_agent"],
          [{ prompt: "x", template: secret }, "invoke_agent"],
          [undefined, "invoke_agent"],
          [{
            prompt: "x",
            get template() {
              throw new Error("no")
            }
          }, "invoke_agent auto"]
        ] as ReadonlyArray<readonly [Spine.CreateRunParams, string]>
      ) {
        assert.strictEqual(only(yield* traced(runs.run(params))).name, name)
      }
    }).pipe(onSpine()))

  it.effect("covers an execution of Tela in each mode, and names the canvas, its version and its tokens", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      const canvas = tela.canvas.make({ id: OnTela.canvasId, versionId: "v1" })
      const found = yield* tela.canvas.get({ id: OnTela.canvasId })
      const common = {
        kind: "client",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "tela",
        "gen_ai.agent.id": OnTela.canvasId,
        "server.address": "api.tela.com",
        "server.port": 443,
        "run.outcome": "Succeeded"
      }
      yield* emulator.script({ output: "a" })
      assert.deepInclude(only(yield* traced(canvas.execute({}))), {
        ...common,
        name: "invoke_agent",
        "gen_ai.agent.version": "v1"
      })
      yield* emulator.script({ output: "a", timeline: Timeline.make({ duration: "20 seconds" }) })
      const polled = only(yield* traced(found.run({})))
      assert.deepInclude(polled, { ...common, name: `invoke_agent ${found.name}`, "gen_ai.agent.name": found.name! })
      assert.isAtLeast(polled.seconds, 20)
      assert.isNumber(polled["gen_ai.usage.input_tokens"])
      assert.isNumber(polled["gen_ai.usage.output_tokens"])
      yield* emulator.script({ stream: { pieces: ["a", { pause: "30 seconds" }, "b"] } })
      assert.deepInclude(only(yield* traced(Stream.runDrain(canvas.stream({})))), { ...common, seconds: 30 })
      assert.deepStrictEqual(yield* counts, [[undefined, 3]])
    }).pipe(onTela()))

  it.effect("covers the wait alone where the run was created before, also in another process", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const created = yield* traced(runs.create({ prompt: "x" }))
      const run = success(created.exit)
      assert.strictEqual(created.invocations.length, 0, "a create is no invocation")
      const ref = yield* RunRef.parse(JSON.stringify(run.ref))
      const span = only(yield* traced(runs.waitForCompletion(ref)))
      assert.deepInclude(span, {
        name: "invoke_agent",
        kind: "client",
        "run.id": run.run_id,
        "gen_ai.provider.name": "spine",
        "server.address": "api.getspine.ai",
        "run.outcome": "Succeeded"
      })
      const watched = only(yield* traced(Stream.runDrain(runs.watch(ref))))
      assert.deepInclude(watched, { name: "invoke_agent", "run.id": run.run_id })
    }).pipe(onSpine()))

  it.effect("is opened at the end for runs that are awaited together, with the time of the wait", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      const ids: Array<string> = []
      for (const outcome of ["completed", "failed"] as const) {
        yield* emulator.script({ timeline: Timeline.make({ duration: "1 minute", outcome }) })
        ids.push((yield* runs.create({ prompt: "x" })).run_id)
      }
      const { invocations, spans } = yield* traced(
        Effect.withSpan(Stream.runDrain(runs.completions(ids)), "program")
      )
      assert.deepStrictEqual(
        invocations.map(({ attributes }) => [attributes.get("run.id"), attributes.get("error.type")]),
        [[ids[0], undefined], [ids[1], "RunFailedError"]]
      )
      for (const { attributes, parent, status } of invocations) {
        if (status._tag !== "Ended") throw new Error("the span has not ended")
        assert.isAtLeast(Number(status.endTime - status.startTime) / 1e9, 60)
        assert.isDefined(attributes.get("canvas.id"))
        assert.strictEqual(Option.getOrThrow(parent), spans[0])
      }
      assert.deepStrictEqual(yield* counts, [[undefined, 1], ["RunFailedError", 1]])
    }).pipe(onSpine()))

  it.effect("is opened at the end for a run that a durable workflow awaits", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "10 minutes" }) })
      const { spans, tracer } = recordSpans()
      const durable = SpineWorkflow.layer.pipe(
        Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
        Layer.provideMerge(Layer.mergeAll(WorkflowEngine.layerMemory, RunStore.layerMemory))
      )
      const payload = { key: "a", params: { prompt: "x" } }
      success(
        yield* SpineWorkflow.Run.execute(payload, { discard: true }).pipe(
          // The workflow has started. The id of its execution is a hash, which takes real time
          Effect.andThen(finish(SpineWorkflow.Run.execute(payload))),
          Effect.provide(durable),
          Effect.withTracer(GenAiTelemetry.make(tracer))
        )
      )
      const [run] = yield* emulator.runs
      assert.deepInclude(only({ invocations: spans.filter(isInvocation) }), {
        "gen_ai.provider.name": "spine",
        "run.id": run!.id,
        "run.outcome": "Succeeded"
      })
    }).pipe(onSpine()))

  it.effect("names the canvas of a run whose wait does not see its end", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "30 hours" }), canvasIdAfter: 1 })
      const timedOut = only(yield* traced(runs.run({ prompt: "x" }, { timeout: "1 hour" })))
      assert.deepInclude(timedOut, { "error.type": "RunTimeoutError", "run.outcome": "RunTimeoutError" })
      const [run] = yield* emulator.runs
      assert.propertyVal(timedOut, "run.id", run!.id)
      assert.property(timedOut, "canvas.id")
      const interrupted = yield* traced(Effect.timeoutOption(runs.waitForCompletion(run!.id), "1 minute"))
      assert.deepInclude(only(interrupted), { "error.type": "Interrupted", "run.outcome": "Interrupted" })
      assert.property(only(interrupted), "canvas.id")
    }).pipe(onSpine()))
})

describe("the error of an invocation", () => {
  it.effect("is the tag, in the span and in the metric, and a failed run has the same one in each mode", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      const canvas = tela.canvas.make({ id: OnTela.canvasId, output: Schema.Struct({ total: Schema.Number }) })
      const fail = emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed" }) })
      const types: Array<unknown> = []
      const run = <A, E>(self: Effect.Effect<A, E>) =>
        Effect.map(traced(self), (result) => {
          const span = only(result)
          types.push(span["error.type"])
          assert.isTrue(Exit.isFailure(span.exit))
          return span
        })
      yield* fail
      yield* run(canvas.execute({}))
      yield* fail
      yield* run(canvas.run({}))
      yield* emulator.script({ stream: { pieces: ["a", { error: "no" }] } })
      yield* run(Stream.runDrain(canvas.stream({})))
      yield* fail
      const { ref } = yield* canvas.execute({}, { async: true })
      yield* run(Effect.flatMap(canvas.getExecution(ref), ({ result }) => result))
      assert.deepStrictEqual(types.splice(0), Array.from({ length: 4 }, () => "RunFailedError"))
      yield* emulator.script({ output: { total: "a private output" } })
      yield* run(canvas.run({}))
      yield* emulator.fault(Fault.status(401))
      yield* run(canvas.execute({}))
      assert.deepStrictEqual(types, ["InvalidOutputError", "AuthenticationError"])
      assert.deepStrictEqual(yield* counts, [
        ["RunFailedError", 4],
        ["InvalidOutputError", 1],
        ["AuthenticationError", 1]
      ])
    }).pipe(onTela()))

  it.effect("is an error of the span also where a failed run is a result of the program", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed" }) })
      const { run_id } = yield* runs.create({ prompt: "x" })
      const result = yield* traced(runs.waitForCompletion(run_id, { resolveOnFailure: true }))
      assert.strictEqual(success(result.exit).status, "failed")
      const span = only(result)
      assert.propertyVal(span, "error.type", "RunFailedError")
      assert.isTrue(Exit.isFailure(span.exit))
    }).pipe(onSpine()))

  it.effect("of an interruption is Interrupted, and the span has the status of an interruption", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "1 hour" }) })
      const { spans, tracer } = recordSpans()
      const fiber = yield* Effect.forkChild(
        Effect.withTracer(runs.run({ prompt: "x" }), GenAiTelemetry.make(tracer))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(fiber)
      const span = only({ invocations: spans.filter(isInvocation) })
      assert.propertyVal(span, "error.type", "Interrupted")
      assert.isTrue(Exit.hasInterrupts(span.exit))
    }).pipe(onSpine()))
})

describe("other spans", () => {
  it.effect("of the program are exported unchanged, with their errors", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(
        Effect.ignore(Effect.withSpan(Effect.fail("a message"), "program", { attributes: { a: 1 }, kind: "server" }))
      )
      const [span] = spans
      assert.deepStrictEqual([span!.name, span!.kind, [...span!.attributes]], ["program", "server", [["a", 1]]])
      if (span!.status._tag !== "Ended") throw new Error("the span has not ended")
      assert.strictEqual(failure(span!.status.exit), "a message")
    }))

  it.effect("keep their names without the conventions", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { spans, tracer } = recordSpans()
      const run = success(yield* finish(Effect.withTracer(runs.run({ prompt: "x" }), tracer)))
      const [outer] = spans
      assert.deepStrictEqual(spans.map(({ kind, name }) => `${name} ${kind}`), [
        "SpineRuns.run internal",
        "SpineRuns.create internal",
        "http.client POST client",
        "Run.wait internal"
      ])
      assert.deepStrictEqual(Object.fromEntries(outer!.attributes), { "run.provider": "spine", "run.id": run.run_id })
      assert.deepStrictEqual(yield* durations, [])
    }).pipe(onSpine()))

  it.effect("of a run that is started inside onCreated are a separate invocation", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { exit, invocations } = yield* traced(
        runs.run({ prompt: "x", template: "report" }, {
          onCreated: () => runs.run({ prompt: "y", template: "memo" })
        })
      )
      const ids = invocations.map(({ attributes }) => attributes.get("run.id"))
      assert.deepStrictEqual(invocations.map(({ name }) => name), ["invoke_agent report", "invoke_agent memo"])
      assert.strictEqual(ids[0], success(exit).run_id)
      assert.notStrictEqual(ids[1], ids[0])
    }).pipe(onSpine()))

  it.effect("are changed once where the conventions are added twice", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { tracer } = recordSpans()
      const twice = GenAiTelemetry.make(GenAiTelemetry.make(tracer))
      success(yield* finish(Effect.withTracer(runs.run({ prompt: "x" }), twice)))
      assert.deepStrictEqual(yield* counts, [[undefined, 1]])
    }).pipe(onSpine()))

  it.effect("of a stream begin with its first pull", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.script({ stream: { pieces: ["a", { pause: "30 seconds" }, "b"] } })
      const { spans, tracer } = recordSpans()
      const stream = tela.canvas.make({ id: OnTela.canvasId }).stream({})
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(spans.length, 0)
      success(yield* finish(Effect.withTracer(Stream.runDrain(stream), GenAiTelemetry.make(tracer))))
      assert.strictEqual(only({ invocations: spans.filter(isInvocation) }).seconds, 30)
    }).pipe(onTela()))

  it.effect("end once, and are measured once", () =>
    Effect.gen(function*() {
      const { runs } = yield* Spine.SpineClient
      const { spans, tracer } = recordSpans()
      success(yield* finish(Effect.withTracer(runs.run({ prompt: "x" }), GenAiTelemetry.make(tracer))))
      for (const span of spans) {
        const { status } = span
        span.end(0n, Exit.fail("again"))
        assert.strictEqual(span.status, status)
      }
      assert.deepStrictEqual(yield* counts, [[undefined, 1]])
    }).pipe(onSpine()))
})

describe("a provider of your own", () => {
  const source = (attributes: Partial<RunSource.RunSource<string, string, never, never>>) => ({
    ref: RunRef.make({ provider: "acme", kind: "job", id: "42" }),
    retrieve: Effect.succeed({ value: "done", requestId: undefined, retryAfter: undefined }),
    status: (job: string) => job,
    unchanged: (previous: string, next: string) => previous === next,
    classify: (run: string) => ({ _tag: "Succeeded" as const, run }),
    ...attributes
  })

  it.effect("has its name, and its server if the source has one", () =>
    Effect.gen(function*() {
      const policy = yield* Polling.makePolicy("test", undefined, Spine.defaultWait)
      const plain = only(yield* traced(Run.wait(source({}), policy)))
      assert.propertyVal(plain, "gen_ai.provider.name", "acme")
      assert.notProperty(plain, "server.address")
      const known = only(yield* traced(Run.wait(source({ server: new URL("http://jobs.example:8080/v1") }), policy)))
      assert.deepInclude(known, { "server.address": "jobs.example", "server.port": 8080 })
    }))
})

describe("the layer", () => {
  it.effect("keeps what the layer of the exporter provides, and wins over its tracer", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recordSpans()
      const exporter = Layer.merge(Layer.succeed(Tracer.Tracer, tracer), Layer.succeed(Tag, "flusher"))
      const main = Effect.gen(function*() {
        const { runs } = yield* Spine.SpineClient
        yield* runs.run({ prompt: "x" })
        return yield* Tag
      })
      const exit = yield* finish(Effect.provide(main, GenAiTelemetry.layer(exporter)))
      assert.strictEqual(success(exit), "flusher")
      assert.strictEqual(spans[0]!.name, "invoke_agent auto")
    }).pipe(onSpine()))
})
