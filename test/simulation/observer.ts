/**
 * Observes a program: a clock that counts the sleeps under way, a tracer and a logger that keep everything, a counter of fibers,
 * a registry of metrics.
 */
import { Cause, Clock, Context, Effect, Logger, Metric, Random, References, Tracer } from "effect"
import { inspect } from "node:util"
import type * as Draw from "../support/random.ts"

export interface Observer {
  /** The context of the program under test. */
  readonly context: Context.Context<never>
  readonly leftovers: () => Leftovers
  readonly spans: ReadonlyArray<Tracer.NativeSpan>
  readonly logs: ReadonlyArray<string>
  readonly metrics: () => ReadonlyArray<Metric.Metric.Snapshot>
}

/** The resources in use. After the end of the program, all counts must be 0. */
export interface Leftovers {
  readonly sleeps: number
  readonly fibers: number
  readonly spans: number
}

export const make = (clock: Clock.Clock, draw: Draw.Draw, isTraced: boolean): Observer => {
  let sleeps = 0
  let fibers = 0
  const spans: Array<Tracer.NativeSpan> = []
  const logs: Array<string> = []
  const registry: Context.Service.Shape<typeof Metric.MetricRegistry> = new Map()

  const counting: Clock.Clock = {
    ...clock,
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeps++
        return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleeps--))
      })
  }
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const logger = Logger.make(({ cause, logLevel, message }) => {
    logs.push(`${logLevel} ${inspect(message, { depth: 20 })} ${cause.reasons.length === 0 ? "" : Cause.pretty(cause)}`)
  })
  const counter: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => void fibers++,
    recordFiberEnd: () => void fibers--
  }

  const context = Context.make(Clock.Clock, counting).pipe(
    Context.add(Random.Random, {
      nextDoubleUnsafe: draw.next,
      nextIntUnsafe: () => draw.int(0, Number.MAX_SAFE_INTEGER)
    }),
    Context.add(Logger.CurrentLoggers, new Set([logger])),
    Context.add(References.MinimumLogLevel, "All"),
    Context.add(Metric.MetricRegistry, registry),
    Context.add(Metric.FiberRuntimeMetrics, counter),
    isTraced ? Context.add(Tracer.Tracer, tracer) : (self) => self
  ) as Context.Context<never>

  return {
    context,
    leftovers: () => ({
      sleeps,
      fibers,
      spans: spans.filter(({ status }) => status._tag === "Started").length
    }),
    spans,
    logs,
    metrics: () => Metric.snapshotUnsafe(context)
  }
}
