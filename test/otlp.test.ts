/** The telemetry as a collector receives it, from Effect's exporter, over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Redacted, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { GenAiTelemetry, Spine, Tela } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, type TelaScript, Timeline } from "canvas-runs/testing"
import { collector, read, readProtobuf } from "./support/otlp.ts"
import { serve } from "./support/servers.ts"
import { apiKey as spineKey } from "./support/spine.ts"
import { apiKey as telaKey, applicationId, canvasId } from "./support/tela.ts"

const planted = "planted-content"

const spine = Layer.orDie(Spine.layer({ apiKey: Redacted.make(spineKey), tracePolls: true })).pipe(
  Layer.provideMerge(SpineEmulator.layerTest({ speed: 1_000_000 }))
)
const tela = Layer.orDie(Tela.layer({ apiKey: Redacted.make(telaKey) })).pipe(
  Layer.provideMerge(TelaEmulator.layerTest({ speed: 1_000_000 }))
)

const exporter = (baseUrl: string, make: typeof Otlp.layerJson) =>
  make({
    baseUrl,
    resource: { serviceName: "reports", serviceVersion: "1.2.3", attributes: { "deployment.environment.name": "test" } }
  }).pipe(Layer.provide(FetchHttpClient.layer))

/** Runs a program whose telemetry goes to a collector, and returns what the collector has received in the end. */
const collected = <A, E>(
  program: Effect.Effect<
    A,
    E,
    Spine.SpineClient | Tela.TelaClient | SpineEmulator.SpineEmulator | TelaEmulator.TelaEmulator
  >,
  conventions: <A2, E2, R2>(self: Layer.Layer<A2, E2, R2>) => Layer.Layer<A2, E2, R2> = GenAiTelemetry.layer,
  make = Otlp.layerJson
) =>
  Effect.gen(function*() {
    const received = yield* collector
    yield* program.pipe(
      Effect.provide(Layer.provideMerge(Layer.merge(spine, tela), conventions(exporter(received.baseUrl, make)))),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    return received
  })

const runSpine = Effect.gen(function*() {
  const { runs } = yield* Spine.SpineClient
  return yield* runs.run({ prompt: planted, template: "report" })
}).pipe(Effect.withSpan("program"))

describe("a collector", () => {
  it.live("receives the spans of a run with names, kinds, attributes, parents and the resource", () =>
    Effect.scoped(Effect.gen(function*() {
      const received = yield* collected(runSpine)
      assert.isTrue(received.bodies.every(({ type }) => type.includes("json")))
      const spans = received.spans()
      const byName = new Map(spans.map((span) => [span.name, span]))
      const names = [
        "program",
        "invoke_agent report",
        "SpineRuns.create",
        "http.client POST",
        "Run.wait",
        "http.client GET"
      ]
      assert.sameMembers([...byName.keys()], names)
      const kinds = { internal: 1, client: 3 }
      const parents = names.map((name) => {
        const { kind, parentSpanId } = byName.get(name)!
        return [name, kind, spans.find(({ spanId }) => spanId === parentSpanId)?.name]
      })
      assert.deepStrictEqual(parents, [
        ["program", kinds.internal, undefined],
        ["invoke_agent report", kinds.client, "program"],
        ["SpineRuns.create", kinds.internal, "invoke_agent report"],
        ["http.client POST", kinds.client, "SpineRuns.create"],
        ["Run.wait", kinds.internal, "invoke_agent report"],
        ["http.client GET", kinds.client, "Run.wait"]
      ])
      assert.strictEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1)
      const invocation = byName.get("invoke_agent report")!
      const { "canvas.id": canvas, "run.id": run, "run.polls": polls, ...attributes } = read(invocation.attributes)
      assert.deepStrictEqual(attributes, {
        "run.provider": "spine",
        "run.kind": "run",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "spine",
        "gen_ai.agent.name": "report",
        "server.address": "api.getspine.ai",
        "server.port": 443,
        "run.outcome": "Succeeded",
        "run.credits": 45
      })
      assert.isAtLeast(Number(polls), 1)
      assert.notStrictEqual(canvas, run)
      for (const id of [canvas, run]) assert.match(String(id), /^[0-9a-f-]{36}$/)
      assert.deepStrictEqual(invocation.status, { code: 1 })
      assert.deepInclude(invocation.resource, {
        "service.name": "reports",
        "service.version": "1.2.3",
        "deployment.environment.name": "test"
      })
      // A wait is exported after its create: the span of the create is what a trace shows of a run that has not ended
      assert.isBelow(Number(byName.get("SpineRuns.create")!.endTimeUnixNano), Number(invocation.endTimeUnixNano))
    })))

  it.live("receives the metrics with units, boundaries and attributes", () =>
    Effect.scoped(Effect.gen(function*() {
      const metrics = (yield* collected(runSpine)).metrics()
      const duration = metrics.get("gen_ai.client.operation.duration")!
      assert.strictEqual(duration.unit, "s")
      const [point] = duration.histogram!.dataPoints
      assert.deepStrictEqual(read(point!.attributes), {
        unit: "s",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "spine",
        "server.address": "api.getspine.ai",
        "server.port": "443"
      })
      assert.strictEqual(point!.count, 1)
      assert.isAbove(point!.sum!, 0)
      assert.deepStrictEqual(point!.explicitBounds!.slice(0, 14), [
        0.01,
        0.02,
        0.04,
        0.08,
        0.16,
        0.32,
        0.64,
        1.28,
        2.56,
        5.12,
        10.24,
        20.48,
        40.96,
        81.92
      ])
      assert.isAbove(point!.explicitBounds!.at(-1)!, 7200)
      const counted = (name: string) =>
        metrics.get(name)!.sum!.dataPoints.map(({ asDouble, attributes }) => [asDouble, read(attributes)])
      assert.deepStrictEqual(counted("canvas_runs_created_total"), [[1, { provider: "spine" }]])
      assert.deepStrictEqual(counted("canvas_runs_ended_total"), [[1, { provider: "spine", outcome: "Succeeded" }]])
      assert.strictEqual(metrics.get("canvas_runs_wait_duration")!.unit, "ms")
    })))

  it.live("receives the same over Protocol Buffers", () =>
    Effect.scoped(Effect.gen(function*() {
      const { bodies } = yield* collected(runSpine, GenAiTelemetry.layer, Otlp.layerProtobuf)
      const spans = bodies.filter(({ path }) => path === "/v1/traces").flatMap(({ bytes }) => readProtobuf(bytes))
      const invocation = spans.find(({ name }) => name === "invoke_agent report")!
      assert.strictEqual(invocation.kind, 3)
      assert.deepInclude(invocation.attributes, {
        "gen_ai.operation.name": "invoke_agent",
        "server.address": "api.getspine.ai",
        "server.port": 443
      })
    })))

  it.live("receives the names of the calls without the conventions, and no metric of theirs", () =>
    Effect.scoped(Effect.gen(function*() {
      const received = yield* collected(runSpine, (exporter) => exporter)
      assert.sameMembers([...new Set(received.spans().map(({ name }) => name))], [
        "program",
        "SpineRuns.run",
        "SpineRuns.create",
        "http.client POST",
        "Run.wait",
        "http.client GET"
      ])
      assert.isFalse([...received.metrics().keys()].some((name) => name.startsWith("gen_ai")))
    })))

  it.live("that refuses everything or does not answer fails no run", () =>
    Effect.scoped(Effect.gen(function*() {
      const refusing = yield* serve((_, response) => response.writeHead(400).end("no"))
      const silent = yield* serve(() => {})
      for (const { baseUrl } of [refusing, silent]) {
        const telemetry = Otlp.layerJson({
          baseUrl,
          shutdownTimeout: "1 second",
          resource: { serviceName: "reports" }
        })
        const { status } = yield* runSpine.pipe(
          Effect.provide(Layer.provideMerge(spine, GenAiTelemetry.layer(telemetry))),
          Effect.provide(FetchHttpClient.layer)
        )
        assert.strictEqual(status, "completed")
      }
      assert.isAbove(refusing.connections(), 0)
      assert.isAbove(silent.connections(), 0)
    })))

  it.live("never receives a prompt, an output, a key or a link, whatever fails", () =>
    Effect.scoped(Effect.gen(function*() {
      const received = yield* collected(Effect.gen(function*() {
        const { artifacts, runs } = yield* Spine.SpineClient
        const { canvas, tasks } = yield* Tela.TelaClient
        const onSpine = yield* SpineEmulator.SpineEmulator
        const onTela = yield* TelaEmulator.TelaEmulator
        const typed = canvas.make({ id: canvasId, output: Schema.Struct({ total: Schema.Number }) })
        const workstation = canvas.make({ applicationId })
        const variables = { text: planted }
        const signed = `https://files.example/a.csv?signature=${planted}`
        const failed = { timeline: Timeline.make({ duration: 0, outcome: "failed", errors: [planted] }) }
        const spineRun = runs.run({ prompt: planted, agent_instructions: planted })

        yield* Effect.exit(runs.run({ prompt: planted, template: planted as never }))
        yield* onSpine.script(failed)
        yield* Effect.exit(spineRun)
        yield* onSpine.script({ finalOutput: planted, artifacts: [{ name: `${planted}.csv`, content: planted }] })
        const run = yield* spineRun
        yield* Effect.forEach(run.result.artifacts, (artifact) => artifacts.download(run, artifact))
        yield* Effect.exit(
          artifacts.download(planted, { id: "a", type: "csv", name: "a.csv", download_url: signed })
        )
        for (const status of [400, 401, 422, 500]) {
          yield* onSpine.fault(Fault.status(status, { body: { success: false, error: planted } }))
          yield* Effect.exit(spineRun)
          yield* onTela.fault(Fault.status(status, { body: { message: planted } }))
          yield* Effect.exit(typed.execute(variables))
        }
        const output = { output: { total: planted } }
        for (
          const [script, execution] of [
            [output, typed.execute(variables)],
            [output, typed.run(variables)],
            [failed, typed.run(variables)],
            [{ stream: { pieces: [planted, { error: planted }] } }, Stream.runDrain(typed.stream(variables))],
            [{ stream: { pieces: [planted], end: "none" } }, Stream.runDrain(typed.stream(variables))],
            [output, workstation.run(variables)],
            [output, tasks.create(applicationId, [{ name: planted, variables, tags: [planted] }])]
          ] as ReadonlyArray<readonly [TelaScript.Script, Effect.Effect<unknown, unknown>]>
        ) {
          yield* onTela.script(script)
          yield* Effect.exit(execution)
        }
      }))
      const bytes = Buffer.concat(received.bodies.filter(({ path }) => path !== "/v1/logs").map(({ bytes }) => bytes))
        .toString()
      assert.isAbove(received.spans().length, 30)
      for (const secret of [planted, spineKey, telaKey, "signature"]) assert.notInclude(bytes, secret)
      assert.isTrue(received.spans().every(({ name }) => !name.includes(planted)))
      assert.isTrue(received.spans().some(({ attributes }) => read(attributes)["error.type"] === "InvalidOutputError"))
    })))
})
