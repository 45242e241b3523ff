/** A streamed execution as a value: its stream runs once, and its state can be read outside the stream. */
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
import { badRequest, type Received, StreamInterruptedError } from "../../RunError.ts"
import type { DynamicStreamParams, StreamError, StreamExecution, StreamPart, StreamStatus } from "../TelaStream.ts"
import type { Validate } from "./output.ts"
import type { Job } from "./request.ts"

interface State {
  readonly status: StreamStatus
  readonly startedAt: number | undefined
  readonly requestId: string | undefined
  readonly received: Received
}

/** Makes the value. `open` starts a new execution each time that its stream is run. */
export const make = (
  { params, validate, variables }: Pick<Job, "params" | "validate" | "variables">,
  open: (validate: Validate) => Stream.Stream<StreamPart<unknown>, StreamError>
): Effect.Effect<StreamExecution<unknown>> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({
      status: "created",
      startedAt: undefined,
      requestId: undefined,
      received: { message: "", structured: undefined, chunks: 0 }
    })
    const cancelled = yield* Deferred.make<never, StreamInterruptedError>()

    const end = (exit: Exit.Exit<unknown, StreamError>) =>
      Ref.update(state, (state): State =>
        state.status === "streaming"
          ? { ...state, status: "failed", requestId: state.requestId ?? requestIdIn(exit) }
          : state)

    const once = (stream: ReturnType<typeof open>): ReturnType<typeof open> => {
      // Each pull starts at once, and one at a time. `Stream.interruptWhen` forks the stream, and reads ahead of the consumer
      const followed = Stream.transformPull(
        Stream.tap(stream, (part) => Ref.update(state, (state) => after(state, part))),
        (pull) => Effect.succeed(Effect.raceFirst(pull, Deferred.await(cancelled)))
      ).pipe(Stream.onExit(end))
      return Stream.unwrap(Effect.gen(function*() {
        if (yield* Deferred.isDone(cancelled)) return yield* Deferred.await(cancelled)
        const startedAt = yield* Clock.currentTimeMillis
        const previous = yield* Ref.getAndUpdate(state, (state): State =>
          state.status === "created" ? { ...state, status: "streaming", startedAt } : state)
        return previous.status === "created" ? followed : yield* repeated
      }))
    }

    const cancel = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const { received, requestId, startedAt, status } = yield* Ref.get(state)
      if (status === "succeeded" || status === "failed") {
        return
      }
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
          requestId
        })
      )
    })

    return {
      isSync: false as const,
      isAsync: false as const,
      isStream: true as const,
      params: params as DynamicStreamParams,
      variables,
      requestId: Effect.map(Ref.get(state), ({ requestId }) =>
        requestId),
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
  Effect.fail(badRequest({
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
