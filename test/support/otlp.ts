/** A collector of OTLP on a loopback socket: it keeps what it receives, as JSON or as Protocol Buffers. */
import { Effect, Schema } from "effect"
import type * as http from "node:http"
import { serve } from "./servers.ts"

const Value = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  intValue: Schema.optionalKey(Schema.Union([Schema.Finite, Schema.String])),
  doubleValue: Schema.optionalKey(Schema.Finite),
  boolValue: Schema.optionalKey(Schema.Boolean)
})
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))
const Resource = Schema.Struct({ attributes: Attributes })
const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  kind: Schema.Finite,
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Attributes,
  status: Schema.Struct({ code: Schema.Finite, message: Schema.optionalKey(Schema.String) })
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({ resource: Resource, scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })
  )
})
const Point = Schema.Struct({
  attributes: Attributes,
  asDouble: Schema.optionalKey(Schema.Finite),
  count: Schema.optionalKey(Schema.Finite),
  sum: Schema.optionalKey(Schema.Finite),
  explicitBounds: Schema.optionalKey(Schema.Array(Schema.Finite)),
  bucketCounts: Schema.optionalKey(Schema.Array(Schema.Finite))
})
const Points = Schema.Struct({ aggregationTemporality: Schema.Finite, dataPoints: Schema.Array(Point) })
const Metric = Schema.Struct({
  name: Schema.String,
  description: Schema.optionalKey(Schema.String),
  unit: Schema.String,
  sum: Schema.optionalKey(Points),
  histogram: Schema.optionalKey(Points)
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({ resource: Resource, scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Metric) })) })
  )
})

/** The attributes of a span, a metric or a resource, with the values that they have in JSON. */
export const read = (attributes: typeof Attributes.Type): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/** A server that accepts everything. `bodies` are the bytes of its requests, in Latin-1, by path. */
export const collector = Effect.map(
  Effect.suspend(() => {
    const bodies: Array<{ readonly path: string; readonly type: string; readonly bytes: Buffer }> = []
    const handler: http.RequestListener = (request, response) => {
      const pieces: Array<Buffer> = []
      request.on("data", (piece: Buffer) => pieces.push(piece))
      request.on("end", () => {
        bodies.push({
          path: request.url ?? "",
          type: request.headers["content-type"] ?? "",
          bytes: Buffer.concat(pieces)
        })
        response.setHeader("content-type", "application/json")
        response.end("{}")
      })
    }
    return Effect.map(serve(handler), ({ port }) => ({ bodies, port }))
  }),
  ({ bodies, port }) => {
    const decoded = <A>(path: string, schema: Schema.Codec<A, unknown>) =>
      bodies.filter((body) => body.path === path).map(({ bytes }) =>
        Schema.decodeUnknownSync(schema)(JSON.parse(bytes.toString()))
      )
    return {
      baseUrl: `http://127.0.0.1:${port}`,
      bodies,
      /** The spans, with the attributes of their resources. */
      spans: () =>
        decoded("/v1/traces", Traces).flatMap(({ resourceSpans }) =>
          resourceSpans.flatMap(({ resource, scopeSpans }) =>
            scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, resource: read(resource.attributes) })))
          )
        ),
      /** The last state of each metric. */
      metrics: () =>
        new Map(
          decoded("/v1/metrics", Metrics).flatMap(({ resourceMetrics }) =>
            resourceMetrics.flatMap(({ scopeMetrics }) =>
              scopeMetrics.flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric] as const))
            )
          )
        )
    }
  }
)

/** A field of a message of Protocol Buffers: its number, and its bytes or its number. */
type Field = readonly [number: number, value: Buffer | bigint]

/** The fields of a message. Values of 64 and 32 bits are given as their bytes. */
const fieldsOf = (bytes: Buffer): ReadonlyArray<Field> => {
  const fields: Array<Field> = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const take = (length: number) => bytes.subarray(at, at += length)
  while (at < bytes.length) {
    const tag = varint()
    const wire = Number(tag & 7n)
    const value = wire === 0 ? varint() : take(wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4)
    fields.push([Number(tag >> 3n), value])
  }
  return fields
}

const all = (message: Buffer, number: number): ReadonlyArray<Buffer> =>
  fieldsOf(message).flatMap(([field, value]) => field === number && typeof value !== "bigint" ? [value] : [])

/**
 * The spans of a request in Protocol Buffers: their names, kinds and attributes that are texts or whole numbers.
 *
 * @see https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
export const readProtobuf = (request: Buffer) =>
  all(request, 1).flatMap((resource) => all(resource, 2)).flatMap((scope) => all(scope, 2)).map((span) => ({
    name: all(span, 5)[0]!.toString(),
    kind: Number(fieldsOf(span).find(([field]) => field === 6)?.[1]),
    attributes: Object.fromEntries(
      all(span, 9).map((pair) => {
        const value = fieldsOf(all(pair, 2)[0]!)[0]![1]
        return [all(pair, 1)[0]!.toString(), typeof value === "bigint" ? Number(value) : value.toString()]
      })
    ) as Readonly<Record<string, unknown>>
  }))
