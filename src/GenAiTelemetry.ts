/**
 * Spans and metrics by the OpenTelemetry conventions for generative AI, version 0.1.0, for dashboards that understand them. The
 * status of the conventions is Development, so their names may change, and with them the output of this module. Nothing else in
 * this library knows them. Without this module, spans have the names of the calls.
 *
 * A run is an agent that a remote service runs. Each invocation has one CLIENT span `invoke_agent {gen_ai.agent.name}`, which takes
 * the place of the outermost span of the call:
 *
 * | call | the span covers |
 * | --- | --- |
 * | `runs.run`, `canvas.run` | the create and the wait |
 * | `canvas.execute`, synchronous; `canvas.stream` | the execution, to the end of its response or its stream |
 * | any other wait, such as for a stored ref | the wait |
 *
 * A create alone is no invocation: its span keeps its name, and is exported as soon as it has ended.
 *
 * The attributes and the metric are listed in the guide about tracing. Prompts and outputs are never recorded. Messages of errors
 * may quote them, so a failed span has the tag of its error, and not the message.
 *
 * @see https://github.com/open-telemetry/semantic-conventions-genai
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import { memberOf } from "./internal/describe.ts"
import { isId } from "./internal/id.ts"
import { need } from "./internal/options.ts"
import * as Telemetry from "./internal/telemetry.ts"

/**
 * Provides a tracer by the conventions on top of another one.
 *
 * **When to use**
 *
 * Use it around the layer of your exporter, such as `Otlp.layerJson` of Effect, or the layer of `@effect/opentelemetry`. Spans of
 * your program and of other libraries are exported unchanged.
 *
 * **Details**
 *
 * The layer provides what the given one provides. Without a tracer in it, only the metric is recorded. It must be outside of other
 * layers that wrap the tracer, because a tracer on top of it hides it.
 *
 * **Example** (The name of a span)
 *
 * ```ts
 * import { Effect, Layer, Tracer } from "effect"
 * import { GenAiTelemetry, Spine } from "canvas-runs"
 *
 * const names: Array<string> = []
 * // In your program this is the layer of an exporter
 * const exporter = Layer.succeed(Tracer.Tracer, Tracer.make({
 *   span: (options) => {
 *     names.push(options.name)
 *     return new Tracer.NativeSpan(options)
 *   }
 * }))
 *
 * const main = Spine.SpineClient.use((spine) => spine.runs.run({ prompt: "Tides", template: "report" }))
 *
 * await Effect.runPromise(Effect.provide(
 *   main,
 *   Layer.mergeAll(Spine.layerFetch(), GenAiTelemetry.layer(exporter))
 * ))
 * console.log(names[0]) // => "invoke_agent report"
 * ```
 *
 * @see {@link make} for a tracer instead of a layer
 * @category layers
 * @since 0.1.0
 */
export const layer = <A, E, R>(exporter: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> => {
  need(
    "exporter",
    exporter,
    Layer.isLayer,
    "a Layer, such as Otlp.layerJson returns it. For a tracer, use GenAiTelemetry.make"
  )
  return Layer.provideMerge(Layer.effect(Tracer.Tracer, Effect.map(Tracer.Tracer, make)), exporter)
}

/**
 * Makes a tracer by the conventions from another one.
 *
 * **When to use**
 *
 * Use it with `Effect.withTracer`. For a program that has the layer of an exporter, use {@link layer}.
 *
 * **Example** (The kind of a span)
 *
 * ```ts
 * import { Effect, Tracer } from "effect"
 * import { GenAiTelemetry, Spine } from "canvas-runs"
 *
 * const kinds: Array<string> = []
 * // In your program this is the tracer of an exporter
 * const exporter = Tracer.make({
 *   span: (options) => {
 *     kinds.push(`${options.name}: ${options.kind}`)
 *     return new Tracer.NativeSpan(options)
 *   }
 * })
 *
 * const main = Spine.SpineClient.use((spine) => spine.runs.run({ prompt: "Tides", blocks: ["memo-block"] })).pipe(
 *   Effect.withTracer(GenAiTelemetry.make(exporter))
 * )
 *
 * await Effect.runPromise(Effect.provide(main, Spine.layerFetch()))
 * console.log(kinds[0]) // => "invoke_agent: client"
 * ```
 *
 * @see {@link layer} for a layer
 * @category constructors
 * @since 0.1.0
 */
export const make = (exporter: Tracer.Tracer): Tracer.Tracer => {
  need("exporter", exporter, isTracer, "a Tracer. For a layer, use GenAiTelemetry.layer")
  if ("conventions" in exporter) return exporter
  const tracer: Tracer.Tracer & { readonly conventions: Telemetry.Conventions } = {
    ...Tracer.make({
      span: (options) => extend(exporter.span(options), options),
      context: exporter.context
    }),
    conventions: {
      open,
      seen: (snapshot, { cache: { span } }) => {
        if (span?._tag === "Span") annotate(span, reportedBy(snapshot))
      },
      end: (wait, outcome, fiber) => endedTogether(tracer, wait, outcome, fiber)
    }
  }
  return tracer
}

const isTracer = (value: unknown): boolean => Predicate.isFunction((value as Tracer.Tracer).span)

/** The state that this module keeps for a span of this library. It is in the annotations of the span, which exporters do not show. */
interface Mark {
  /** The attributes of the metric. `undefined` for a span that is no invocation. */
  readonly operation: Telemetry.Attributes | undefined
  /** The span of the invocation that this one is a part of. */
  readonly outer: Tracer.Span | undefined
  /** The context of the metric. */
  readonly context: Context.Context<never>
}

const Mark = Context.Reference<Mark | undefined>("canvas-runs/GenAiTelemetry/Mark", { defaultValue: () => undefined })

type AnyFiber = Fiber.Fiber<unknown, unknown>

const open: Telemetry.Conventions["open"] = ([name, options], facts = {}, fiber) => {
  const { attributes } = options
  const outer = isPart(name, attributes) ? invocationOf(fiber.cache.span) : undefined
  if (outer !== undefined || !isInvocation(name, attributes)) {
    const mark = { operation: undefined, outer, context: fiber.context }
    return [name, {
      ...options,
      attributes: { ...attributes, ...hostOf(attributes["server.address"]) },
      annotations: Context.make(Mark, mark)
    }]
  }
  const agent = nameOf(facts)
  const operation = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": attributes["run.provider"],
    ...serverOf(facts.server ?? facts.client?.api.server)
  }
  return [agent === undefined ? "invoke_agent" : `invoke_agent ${agent}`, {
    ...options,
    kind: "client",
    attributes: defined({
      ...attributes,
      ...operation,
      "gen_ai.agent.id": attributes["canvas.application_id"] ?? attributes["canvas.id"],
      "gen_ai.agent.name": agent,
      "gen_ai.agent.version": attributes["canvas.version_id"]
    }),
    annotations: Context.make(Mark, { operation, outer: undefined, context: fiber.context })
  }]
}

/** Whether a span covers a create or a wait, which is a part of the invocation if it is directly inside its span. */
const isPart = (name: string, attributes: Telemetry.Attributes): boolean =>
  name === "Run.wait" || name === "SpineRuns.create" || isCreate(name, attributes)

const invocationOf = (span: Tracer.AnySpan | undefined): Tracer.Span | undefined =>
  span?._tag === "Span" && Context.get(span.annotations, Mark)?.operation !== undefined ? span : undefined

/** Whether a span covers the whole of an invocation, as far as this process sees it. */
const isInvocation = (name: string, attributes: Telemetry.Attributes): boolean =>
  ["SpineRuns.run", "TelaCanvas.run", "TelaCanvas.execute", "Run.wait", "Run.polls"].includes(name) &&
  !isCreate(name, attributes)

/** An asynchronous `TelaCanvas.execute` creates an execution, and does not wait for it. */
const isCreate = (name: string, attributes: Telemetry.Attributes): boolean =>
  name === "TelaCanvas.execute" && attributes["execution.mode"] === "async"

/** The name of the canvas, or the template of a run of Spine. A run with `blocks` has none. */
const nameOf = ({ name, runParams }: Telemetry.Facts): string | undefined => {
  if (name !== undefined || runParams === undefined || memberOf(runParams, "blocks") !== undefined) return name
  const template = memberOf(runParams, "template") ?? "auto"
  return typeof template === "string" && /^[a-z_]{1,40}$/.test(template) ? template : undefined
}

const serverOf = (server: URL | undefined): Telemetry.Attributes =>
  server === undefined ? {} : {
    "server.address": server.hostname,
    "server.port": Number(server.port || (server.protocol === "https:" ? 443 : 80))
  }

/** The host and the port of a request, which are one text without these conventions. A default port is not in it. */
const hostOf = (host: unknown): Telemetry.Attributes => {
  const [, address, port] = typeof host === "string" ? /^(.*):(\d+)$/.exec(host) ?? [] : []
  return address === undefined ? {} : { "server.address": address, "server.port": Number(port) }
}

/** The attributes of a run that its snapshot reports. The members are those of Spine's runs and of Tela's executions. */
const reportedBy = (snapshot: unknown): Telemetry.Attributes => {
  const raw = memberOf(snapshot, "raw")
  const information = memberOf(memberOf(raw, "output_content") ?? memberOf(raw, "outputContent"), "information")
  const canvas = memberOf(snapshot, "canvas_id")
  return defined({
    "canvas.id": isId(canvas) ? canvas : undefined,
    "run.credits": numberIn(memberOf(snapshot, "metadata"), "credits_consumed"),
    "gen_ai.usage.input_tokens": numberIn(information, "input_tokens", "inputTokens"),
    "gen_ai.usage.output_tokens": numberIn(information, "output_tokens", "outputTokens")
  })
}

/** The first member that is a number. Servers of Tela write names in both cases. */
const numberIn = (value: unknown, ...keys: ReadonlyArray<string>): number | undefined =>
  keys.map((key) => memberOf(value, key)).find((found): found is number =>
    typeof found === "number" && Number.isFinite(found)
  )

const defined = (attributes: Telemetry.Attributes): Record<string, unknown> =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))

const annotate = (span: Tracer.Span, attributes: Telemetry.Attributes): void => {
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
}

/**
 * Extends a span of this library. Attributes of the run are copied to the span of the invocation around it. The end adds the
 * `error.type` and, for an invocation, records the metric. A second end is ignored.
 */
const extend = (span: Tracer.Span, { annotations, startTime }: Parameters<Tracer.Tracer["span"]>[0]): Tracer.Span => {
  const mark = Context.get(annotations, Mark)
  if (mark === undefined) return span
  const { context, operation, outer } = mark
  const attribute = span.attribute.bind(span)
  const end = span.end.bind(span)
  let outcome: unknown
  return Object.assign(span, {
    attribute: (key: string, value: unknown) => {
      if (key === "run.outcome") outcome = value
      attribute(key, value)
      if (/^(?:run|canvas|gen_ai)\./.test(key)) outer?.attribute(key, value)
    },
    end: (endTime: bigint, exit: Exit.Exit<unknown, unknown>) => {
      if (span.status._tag === "Ended") return
      const type = errorType(Exit.isFailure(exit) ? Telemetry.outcomeOf(exit.cause) : outcome)
      if (type !== undefined) attribute("error.type", type)
      if (operation !== undefined) {
        const by = defined({ ...operation, "error.type": type })
        Metric.withAttributes(duration, texts(by)).updateUnsafe(Number(endTime - startTime) / 1e9, context)
      }
      end(endTime, type === undefined || type === "Interrupted" ? exit : Exit.fail(new Failure(type)))
    }
  })
}

/** The tag of the error, `Interrupted`, `Defect`, or `Error` for an error without a tag. */
const errorType = (outcome: unknown): string | undefined =>
  outcome === "Failed" ? "RunFailedError" : outcome === "Succeeded" ? undefined : outcome as string | undefined

/** What an exporter shows of an error. Its message may quote a prompt or an output, and so may its cause. */
class Failure extends Error {
  constructor(type: string) {
    super(type)
    this.name = type
    this.stack = type
  }
}

/** Opens and ends the span of a run that was awaited together with others. While it slept it had none, to take little memory. */
const endedTogether = (tracer: Tracer.Tracer, wait: Telemetry.Wait, outcome: string, fiber: AnyFiber): void => {
  const { snapshot, source: { ref, server }, started, timers } = wait
  const { span: parent, tracerEnabled } = fiber.cache
  if (!tracerEnabled) return
  const now = fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()
  const [name, { annotations = Context.empty(), attributes, kind = "internal" }] = open(
    ["Run.wait", { attributes: Telemetry.attributes(ref) }],
    { server },
    fiber
  )
  const span = tracer.span({
    name,
    kind,
    annotations,
    parent: Option.fromUndefinedOr(parent),
    links: [],
    startTime: now - BigInt(Math.round((timers.now() - started) * 1e6)),
    root: false,
    sampled: parent?.sampled !== false
  })
  annotate(span, { ...attributes, ...reportedBy(snapshot), "run.outcome": outcome, "run.polls": wait.polls })
  span.end(now, outcome === "Interrupted" ? Exit.interrupt() : Exit.void)
}

/** The boundaries of the conventions, and seven more: they end at 82 seconds, and runs take up to two hours. */
const duration = Metric.histogram("gen_ai.client.operation.duration", {
  description: "GenAI operation duration.",
  boundaries: Metric.exponentialBoundaries({ start: 0.01, factor: 2, count: 22 }),
  attributes: { unit: "s" }
})

/** The attributes of Effect's metrics are texts. */
const texts = (attributes: Telemetry.Attributes): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)]))
