/**
 * Streamed executions of Tela canvases as values with the members of the other modes.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { type Received, refused, StreamInterruptedError } from "../RunError.ts"
import type { Validate } from "./internal/output.ts"
import type { ExecutionInfo } from "./TelaExecution.ts"
import type { StreamError, StreamParams, StreamPart } from "./TelaStream.ts"

/**
 * The status of a streamed execution: `streaming` from the first pull of its `result`, then `succeeded` once the last part has
 * been emitted, or `failed`. One that its consumer abandoned, or that was cancelled, is `failed`.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamStatus = "created" | "streaming" | "succeeded" | "failed"

/**
 * A streamed execution. It sends nothing by itself: the first pull of `result` uploads the files and sends the one request.
 *
 * **Gotchas**
 *
 * `result` and `rawResult` are two forms of one execution, which runs once. A second run of either fails with a
 * `BadRequestError` and sends nothing. For a stream that executes again each time it is run, there is `canvas.stream`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamExecution<out Output> extends ExecutionInfo {
  readonly isSync: false
  readonly isAsync: false
  readonly isStream: true
  readonly params: StreamParams | DynamicStreamParams
  /** The status, without a request. */
  readonly status: Effect.Effect<StreamStatus>
  /**
   * The output as it arrives, ending with a `final` part that holds the validated output. Abandoning the stream, by interruption
   * or by taking fewer parts, closes the connection.
   */
  readonly result: Stream.Stream<StreamPart<Output>, StreamError>
  /** Executes without validation, and returns the chunks and events, unchanged. */
  readonly rawResult: Effect.Effect<ReadonlyArray<unknown>, StreamError>
  /**
   * Closes the connection. The consumer of `result` gets a `StreamInterruptedError` with the reason `cancelled` and what had
   * arrived. A stream that has not started is never sent.
   */
  readonly cancel: Effect.Effect<void>
}

/**
 * Parameters of which only the running program knows whether they stream, as in `const params = { stream: true }`, which
 * TypeScript reads as `{ stream: boolean }`. Without `stream: true`, `firstEventTimeout` and `idleTimeout` have no effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicStreamParams<Skip extends boolean = boolean> extends Omit<StreamParams<Skip>, "stream"> {
  readonly stream: boolean
}

interface State {
  readonly status: StreamStatus
  readonly startedAt: number | undefined
  readonly requestId: string | undefined
  readonly received: Received
}

/**
 * Makes the value. `open` starts a new execution each time that its stream is run.
 *
 * @internal
 */
export const make = <Output>(options: {
  readonly params: StreamParams | DynamicStreamParams
  readonly variables: unknown
  readonly validate: Validate<Output>
  readonly open: <A>(validate: Validate<A>) => Stream.Stream<StreamPart<A>, StreamError>
}): Effect.Effect<StreamExecution<Output>> =>
  Effect.gen(function*() {
    const { open, params, validate, variables } = options
    const state = yield* Ref.make<State>({
      status: "created",
      startedAt: undefined,
      requestId: undefined,
      received: { message: "", structured: undefined, chunks: 0 }
    })
    const cancelled = yield* Deferred.make<never, StreamInterruptedError>()

    const start = Effect.flatMap(Clock.currentTimeMillis, (startedAt) =>
      Ref.modify(state, (state): [boolean, State] =>
        state.status === "created" ? [true, { ...state, status: "streaming", startedAt }] : [false, state]))

    const note = (part: StreamPart<unknown>) =>
      Ref.update(state, (state) =>
        after(state, part))

    const end = (exit: Exit.Exit<unknown, StreamError>) =>
      Ref.update(state, (state): State =>
        state.status === "streaming"
          ? { ...state, status: "failed", requestId: state.requestId ?? requestIdIn(exit) }
          : state)

    const once = <A>(stream: Stream.Stream<StreamPart<A>, StreamError>): Stream.Stream<StreamPart<A>, StreamError> => {
      const followed = stream.pipe(
        Stream.tap(note),
        Stream.interruptWhen(Deferred.await(cancelled)),
        Stream.onExit(end)
      )
      return Stream.unwrap(
        Effect.gen(function*() {
          if (yield* Deferred.isDone(cancelled)) return yield* Deferred.await(cancelled)
          return (yield* start) ? followed : yield* repeated
        })
      )
    }

    const cancel = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const { received, requestId, startedAt, status } = yield* Ref.get(state)
      if (status === "succeeded" || status === "failed") return
      yield* Ref.update(state, (state) => ({ ...state, status: "failed" as const }))
      yield* Deferred.fail(
        cancelled,
        new StreamInterruptedError({
          message:
            `The streamed execution was cancelled after ${received.chunks} chunks, which this error's received has. A ` +
            "streamed execution cannot be resumed.",
          reason: "cancelled",
          received,
          elapsed: Duration.millis(startedAt === undefined ? 0 : now - startedAt),
          ...(requestId === undefined ? undefined : { requestId })
        })
      )
    })

    return {
      isSync: false as const,
      isAsync: false as const,
      isStream: true as const,
      params,
      variables,
      requestId: Effect.map(Ref.get(state), ({ requestId }) => requestId),
      status: Effect.map(Ref.get(state), ({ status }) => status),
      result: once(open(validate)),
      rawResult: Effect.map(
        Stream.runCollect(once(open(Effect.succeed))),
        (parts) =>
          parts.flatMap((part) => part._tag === "delta" ? [part.raw] : part._tag === "event" ? [part.data] : [])
      ),
      cancel
    }
  })

const repeated = Effect.suspend(() =>
  Effect.fail(refused({
    operation: "canvas.execute",
    parameter: "stream",
    message: "the result of a streamed execution can be run once, and has been run before. Execute again, or use " +
      "canvas.stream, which starts a new execution each time that it is run."
  }))
)

/** The state after a part has arrived. What arrives after the end changes nothing. */
const after = (state: State, part: StreamPart<unknown>): State => {
  if (state.status !== "streaming") return state
  const requestId = part.requestId ?? state.requestId
  if (part._tag === "final") return { ...state, requestId, status: "succeeded" }
  if (part._tag !== "delta") return { ...state, requestId }
  const { message, structured } = part
  return { ...state, requestId, received: { message, structured, chunks: state.received.chunks + 1 } }
}

const requestIdIn = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (exit._tag === "Success") return undefined
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return Predicate.hasProperty(error, "requestId") && typeof error.requestId === "string" ? error.requestId : undefined
}
