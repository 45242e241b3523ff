/**
 * Traces over OTLP. The library opens a span for each call, for each request and for each wait, inside the span that your program
 * opens. A layer with Effect's own exporter sends them to a collector, and `GenAiTelemetry` gives them the names of OpenTelemetry's
 * conventions for generative AI.
 *
 * Run: `npm run example examples/26-tracing.ts`. A receiver in this process, on a loopback socket, prints the spans as a tree.
 * With `OTEL_EXPORTER_OTLP_ENDPOINT` set, such as `http://localhost:4318`, they go to that collector.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { OtlpSerialization, OtlpTracer } from "effect/observability"
import { createServer } from "node:http"
import { GenAiTelemetry, Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

/** The part of an OTLP request that the receiver reads. */
const Span = Schema.Struct({
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Schema.Array(Schema.Struct({ key: Schema.String, value: Schema.Record(Schema.String, Schema.Unknown) }))
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) }))
})

const tree = (spans: ReadonlyArray<typeof Span.Type>, parent?: string, indent = ""): ReadonlyArray<string> =>
  spans.filter(({ parentSpanId }) => parentSpanId === parent)
    .sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
    .flatMap(({ attributes, endTimeUnixNano, name, spanId, startTimeUnixNano }) => {
      const millis = Number((BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1_000_000n)
      const shown = attributes.map(({ key, value }) => `${key}=${JSON.stringify(Object.values(value)[0])}`)
      const line = `${indent}${name}, ${millis} ms  ${shown.join(" ")}`.trimEnd()
      return [line].concat(tree(spans, spanId, `${indent}  `))
    })

const receiver = HttpRouter.serve(
  HttpRouter.add(
    "POST",
    "/v1/traces",
    Effect.gen(function*() {
      const { resourceSpans } = yield* HttpServerRequest.schemaBodyJson(Traces)
      const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      yield* Console.log(tree(spans).join("\n"))
      return HttpServerResponse.jsonUnsafe({})
    })
  ),
  { disableLogger: true, disableListenLog: true }
).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))

const tracer = Layer.unwrap(Effect.gen(function*() {
  const collector = yield* Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT"))
  const { address } = yield* HttpServer.HttpServer
  const endpoint = Option.getOrElse(collector, () => HttpServer.formatAddress(address))
  return OtlpTracer.layer({ url: `${endpoint}/v1/traces`, resource: { serviceName: "reports" } })
})).pipe(Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]))

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  yield* spine.runs.run({ prompt: "Compare three vector databases" }, { pollInterval: "1 second", timeout: "2 hours" })
}).pipe(Effect.withSpan("report"))

program.pipe(
  // `tracePolls` adds a span for each poll. The tracer outlives the client, whose last spans it sends
  Effect.provide(
    live({ speed: 1, tracePolls: true, script: { timeline: Timeline.make({ duration: "1500 millis" }) } }).pipe(
      Layer.provideMerge(GenAiTelemetry.layer(Layer.provide(tracer, receiver)))
    )
  ),
  NodeRuntime.runMain
)
