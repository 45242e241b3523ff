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
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as RunRef from "./ref.ts"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const created = counter("canvas_runs_created_total", "Runs created, by provider")
const endedCount = counter("canvas_runs_ended_total", "Waits that ended, by provider and outcome")
const pollCount = counter("canvas_runs_polls_total", "Polls made, by provider")
const waitTime = Metric.timer("canvas_runs_wait_duration", {
  description: "Time from the start of a wait to its end, by provider and outcome",
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
  (name: string, attributes: Record<string, unknown>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => spanOf(fiber, self, name, () => attributes))

/** {@link span} for a given fiber. */
export const spanOf = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>,
  name: string,
  attributes: () => Record<string, unknown>,
  kind: Tracer.SpanKind = "internal"
): Effect.Effect<A, E, R> =>
  isTraced(fiber)
    ? Effect.withSpan(self, name, { kind, attributes: attributes(), captureStackTrace: false }) as typeof self
    : self

/** {@link span} for one request. The span shows nothing but the error, which has no secret. */
export const requestSpan = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  { method, url }: HttpClientRequest.HttpClientRequest
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    spanOf(fiber, self, `http.client ${method}`, () => {
      const { host, pathname } = URL.canParse(url) ? new URL(url) : {}
      return { "http.request.method": method, "server.address": host, "url.path": pathname }
    }, "client")
  )

/** {@link span} around a whole stream. */
export const streamSpan =
  (name: string, attributes: Record<string, unknown>) =>
  <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
    Stream.unwrap(Effect.withFiber((fiber) =>
      Effect.succeed(
        isTraced(fiber)
          ? Stream.withSpan(self, name, { attributes, captureStackTrace: false }) as typeof self
          : self
      )
    ))

/** The parts of a wait that the record of its end needs. */
interface Wait {
  readonly source: { readonly ref: RunRef.RunRef }
  readonly timers: { readonly now: () => number }
  readonly started: number
  readonly polls: number
}

/**
 * Counts and times the end of a wait, and sets its outcome on the current span, unless many waits share the span. `undefined`
 * means that the wait has not ended.
 */
export const ended = (
  loop: Wait,
  end: Exit.Exit<{ readonly phase: { readonly _tag: string } } | undefined, unknown>,
  sharesSpan = false
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const outcome = Exit.isSuccess(end) ? end.value?.phase._tag : failureName(end.cause)
    if (outcome === undefined) return Effect.void
    const { polls, source: { ref }, started, timers } = loop
    const recorded = record(ref.provider, RunRef.format(ref), outcome, timers.now() - started)
    return sharesSpan
      ? recorded
      : Effect.andThen(Effect.annotateCurrentSpan({ "run.outcome": outcome, "run.polls": polls }), recorded)
  })

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
    const outcome = Exit.isSuccess(end) ? "Succeeded" : failureName(end.cause)
    return Effect.andThen(
      Effect.annotateCurrentSpan(
        id === undefined ? { "run.outcome": outcome } : { "run.id": id, "run.outcome": outcome }
      ),
      record(provider, `an execution of ${provider}`, outcome, clock.currentTimeMillisUnsafe() - started)
    )
  })

const record = (provider: string, name: string, outcome: string, elapsedMillis: number): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const elapsed = Duration.millis(elapsedMillis)
    const by = { provider, outcome }
    Metric.withAttributes(endedCount, by).updateUnsafe(1, fiber.context)
    Metric.withAttributes(waitTime, by).updateUnsafe(elapsed, fiber.context)
    return Effect.logDebug(`${name}: ${outcome} after ${Duration.format(elapsed)}`)
  })

/** The attributes of a run in a span. */
export const attributes = (ref: RunRef.RunRef): Record<string, unknown> => ({
  "run.provider": ref.provider,
  "run.kind": ref.kind,
  "run.id": ref.id
})

const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer

const failureName = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.findErrorOption(cause), {
    onSome: (error) => Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "Error",
    onNone: () => Cause.hasInterruptsOnly(cause) ? "Interrupted" : "Defect"
  })
