/**
 * Spans, metrics and logs. A span costs microseconds and kilobytes even without a collector, so no span is opened without one.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import { memberOf } from "./describe.ts"
import * as RunRef from "./ref.ts"

/** The attributes of a span. */
export type Attributes = Readonly<Record<string, unknown>>

/** The name and the options of a span that is about to be opened. */
export type Opening = readonly [name: string, options: Tracer.SpanOptions & { readonly attributes: Attributes }]

/** Facts about the invocation that a span covers. A tracer by conventions needs them, and the attributes of the span lack some. */
export interface Facts {
  /** The client that makes it, or the source of the wait. */
  readonly client?: { readonly api: { readonly server: URL } }
  readonly server?: URL | undefined
  /** The parameters of a run of Spine, not checked yet. */
  readonly runParams?: unknown
  /** The name of the canvas or the application. */
  readonly name?: string | undefined
}

/** The parts of a wait that telemetry needs. */
export interface Wait {
  readonly source: { readonly ref: RunRef.RunRef; readonly server?: URL | undefined }
  /** The caller's input that names a run awaited together with others. Such a run has no span while it is awaited. */
  readonly target: unknown
  readonly timers: { readonly now: () => number }
  /** When the wait began, in the milliseconds of `timers`. */
  readonly started: number
  readonly polls: number
  /** The last snapshot, if it is kept. */
  readonly snapshot: unknown
}

/** What a tracer by conventions, such as that of `GenAiTelemetry`, is called with in addition to the spans. */
export interface Conventions {
  /** Changes the name and the options of a span. */
  readonly open: (opening: Opening, facts: Facts | undefined, fiber: AnyFiber) => Opening
  /** Is called with each snapshot of a run that is awaited alone. */
  readonly seen: (snapshot: unknown, fiber: AnyFiber) => void
  /** Is called when the wait for a run that is awaited together with others has ended. */
  readonly end: (wait: Wait, outcome: string, fiber: AnyFiber) => void
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The conventions of the tracer of a fiber. They are a member of the tracer, so that without them nothing is looked up. */
const conventionsOf = ({ cache }: AnyFiber): Conventions | undefined =>
  (cache.tracer as { readonly conventions?: Conventions } | undefined)?.conventions

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const created = counter("canvas_runs_created_total", "Runs created")
const endedCount = counter("canvas_runs_ended_total", "Waits ended")
const pollCount = counter("canvas_runs_polls_total", "Polls")
const waitTime = Metric.timer("canvas_runs_wait_duration", {
  description: "Time of a wait",
  boundaries: Metric.exponentialBoundaries({ start: 1000, factor: 2, count: 14 })
})

/** Counts a run that the provider accepted. */
export const countCreated = (provider: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(created, { provider }), 1)

/** Counts a poll. */
export const countPoll = (ref: RunRef.RunRef, context: Context.Context<never>): void => {
  let counter = pollCounters.get(ref.provider)
  if (counter === undefined) {
    pollCounters.set(ref.provider, counter = Metric.withAttributes(pollCount, { provider: ref.provider }))
  }
  counter.updateUnsafe(1, context)
}

const pollCounters = new Map<string, Metric.Counter<number>>()

/** Opens a span if spans are collected. */
export const span =
  (name: string, attributes: Attributes, facts?: Facts) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => spanOf(fiber, self, name, () => attributes, facts))

/** {@link span} for a given fiber. */
export const spanOf = <A, E, R>(
  fiber: AnyFiber,
  self: Effect.Effect<A, E, R>,
  name: string,
  attributes: () => Attributes,
  facts?: Facts,
  kind?: Tracer.SpanKind
): Effect.Effect<A, E, R> =>
  fiber.cache.tracer ? Effect.withSpan(self, ...opening(fiber, name, attributes(), facts, kind)) as typeof self : self

/** {@link spanOf} for one request. The span shows nothing but the error, which has no secret. */
export const requestSpan = <A, E, R>(
  fiber: AnyFiber,
  self: Effect.Effect<A, E, R>,
  { method, url }: HttpClientRequest.HttpClientRequest
): Effect.Effect<A, E, R> =>
  spanOf(
    fiber,
    self,
    `http.client ${method}`,
    () => {
      const { host, pathname } = URL.canParse(url) ? new URL(url) : {}
      return { "http.request.method": method, "server.address": host, "url.path": pathname }
    },
    undefined,
    "client"
  )

/** {@link span} around a whole stream. */
export const streamSpan =
  (name: string, attributes: Attributes, facts?: Facts) =>
  <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
    Stream.unwrap(Effect.withFiber((fiber) =>
      Effect.succeed(
        fiber.cache.tracer ? Stream.withSpan(self, ...opening(fiber, name, attributes, facts)) as typeof self : self
      )
    ))

const opening = (
  fiber: AnyFiber,
  name: string,
  attributes: Attributes,
  facts: Facts | undefined,
  kind?: Tracer.SpanKind
): Opening => {
  const plain: Opening = [name, { kind, attributes, captureStackTrace: false }]
  return conventionsOf(fiber)?.open(plain, facts, fiber) ?? plain
}

/** Shows the tracer a snapshot of a run that is awaited alone. */
export const polled = ({ target }: Wait, snapshot: unknown, fiber: AnyFiber): void => {
  if (target === undefined) conventionsOf(fiber)?.seen(snapshot, fiber)
}

/**
 * Counts and times the end of a wait, once, and sets its outcome on the current span, unless many waits share the span. `undefined`
 * means that the wait has not ended. A wait whose source was never known has not begun.
 */
export const ended = (
  wait: Wait,
  end: Exit.Exit<{ readonly phase: { readonly _tag: string } } | undefined, unknown>
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { polls, source, started, target, timers } = wait
    const outcome = Exit.isSuccess(end) ? end.value?.phase._tag : outcomeOf(end.cause)
    if (outcome === undefined || source === undefined || over.has(wait)) return Effect.void
    over.add(wait)
    if (target !== undefined) conventionsOf(fiber)?.end(wait, outcome, fiber)
    return record(
      source.ref.provider,
      RunRef.format(source.ref),
      timers.now() - started,
      outcome,
      target === undefined ? { "run.outcome": outcome, "run.polls": polls } : {}
    )
  })

/** The waits that have ended. */
const over = new WeakSet<Wait>()

/** An execution that is not polled: it ends with its response, or with its stream. */
interface Unpolled {
  readonly provider: string
  /** When it began, in milliseconds of the clock. */
  readonly started: number
  /** Its id, once it is known. */
  readonly id: string | undefined
}

/** {@link ended} for an execution that is not polled. */
export const endedAlone = ({ id, provider, started }: Unpolled, end: Exit.Exit<unknown, unknown>) =>
  Effect.clockWith((clock) => {
    const outcome = Exit.isSuccess(end) ? "Succeeded" : outcomeOf(end.cause)
    return record(
      provider,
      `${provider} execution`,
      clock.currentTimeMillisUnsafe() - started,
      outcome,
      { "run.outcome": outcome, ...(id !== undefined && { "run.id": id }) }
    )
  })

/** Counts an execution that the provider accepted, and that is not polled, and its end. */
export const counted = <A, E, R>(execution: Unpolled, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onExit(
    Effect.andThen(countCreated(execution.provider), self),
    (exit) => endedAlone(execution, exit)
  )

/** Records an end. The current span gets the attributes. */
const record = (
  provider: string,
  name: string,
  elapsedMillis: number,
  outcome: string,
  attributes: Record<string, unknown>
): Effect.Effect<void> =>
  Effect.withFiber(({ context }) => {
    countEnded(context, provider, outcome, elapsedMillis)
    return Effect.andThen(
      Effect.annotateCurrentSpan(attributes),
      Effect.logDebug(`${name}: ${outcome} after ${Duration.format(Duration.millis(elapsedMillis))}`)
    )
  })

/** Counts and times the end of a wait, and nothing else. */
export const countEnded = (
  context: Context.Context<never>,
  provider: string,
  outcome: string,
  elapsedMillis: number
): void => {
  const by = { provider, outcome }
  Metric.withAttributes(endedCount, by).updateUnsafe(1, context)
  Metric.withAttributes(waitTime, by).updateUnsafe(Duration.millis(elapsedMillis), context)
}

/** The attributes of a run in a span. */
export const attributes = (ref: RunRef.RunRef): Attributes => ({
  "run.provider": ref.provider,
  "run.kind": ref.kind,
  "run.id": ref.id
})

/** The outcome of a wait or an execution that failed. A run that failed has the same one in each mode. */
export const outcomeOf = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.findErrorOption(cause), {
    onSome: (error) => {
      const tag = memberOf(error, "_tag")
      return typeof tag !== "string" ? "Error" : tag === "RunFailedError" ? "Failed" : tag
    },
    onNone: () => Cause.hasInterruptsOnly(cause) ? "Interrupted" : "Defect"
  })
