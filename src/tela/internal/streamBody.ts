/** The body of a streamed response, read one piece at a time, each when it is asked for. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as FetchPlatform from "../../internal/http/fetchPlatform.ts"

/** Takes the pieces of a body, and its end. */
export interface Sink {
  /** Whether the consumer waits for a piece. */
  readonly isAwaited: () => boolean
  readonly feed: (pieces: ReadonlyArray<Uint8Array>) => void
  readonly finish: () => void
  readonly breakOff: (cause: unknown) => void
  readonly die: (cause: Cause.Cause<never>) => void
}

/** Opens a body, and returns the function that asks for its next piece. */
export const open = (
  response: HttpClientResponse.HttpClientResponse,
  scope: Scope.Scope,
  sink: Sink
): Effect.Effect<() => void> =>
  Effect.suspend(() => {
    const body = FetchPlatform.fetchBody(response)
    return body === undefined || body === "taken"
      ? openStream(FetchPlatform.stream(response), scope, sink)
      : openWeb(body, scope, sink)
  })

/** Reads the body of a fetch by hand, which takes half of the time per piece that a fiber and its pulls take. */
const openWeb = (
  body: ReadableStream<Uint8Array>,
  scope: Scope.Scope,
  sink: Sink
): Effect.Effect<() => void> =>
  Effect.uninterruptible(Effect.withFiber((fiber) => {
    const reader = body.getReader()
    const cancel = Effect.sync(() => FetchPlatform.release(() => reader.cancel()))
    const fork = Effect.runForkWith(fiber.context)
    let isReading = false
    let count = 0
    const onPiece = ({ done, value }: ReadableStreamReadResult<unknown>) => {
      isReading = false
      if (done) return sink.finish()
      const bytes = Result.try(() => FetchPlatform.toBytes(value))
      if (Result.isFailure(bytes)) sink.breakOff(bytes.failure)
      else sink.feed([bytes.success])
    }
    const onDefect = (defect: unknown) => sink.die(Cause.die(defect))
    const read = () => {
      Result.match(Result.try(() => reader.read().then(onPiece, sink.breakOff).catch(onDefect)), {
        onFailure: sink.breakOff,
        onSuccess: constVoid
      })
    }
    const readInNextTurn = Effect.andThen(Effect.yieldNow, Effect.sync(read))
    return Effect.as(Scope.addFinalizer(scope, cancel), () => {
      if (isReading) return
      isReading = true
      if (++count % FetchPlatform.piecesPerTurn === 0) fork(readInNextTurn)
      else read()
    })
  }))

/** Reads any other body in a fiber, which waits until a piece is asked for. */
const openStream = (
  body: HttpClientResponse.HttpClientResponse["stream"],
  scope: Scope.Scope,
  sink: Sink
): Effect.Effect<() => void> =>
  Effect.flatMap(Scope.provide(Stream.toPull(body), scope), (pull) => {
    let wake = constVoid
    const asked = Effect.callback<void>((resume) => {
      wake = () => resume(Effect.void)
      if (sink.isAwaited()) wake()
    })
    const readOn: Effect.Effect<void> = Effect.suspend(() =>
      sink.isAwaited() ? readPiece : Effect.andThen(asked, readPiece)
    )
    const readPiece = Pull.matchEffect(pull, {
      onSuccess: (pieces) => {
        sink.feed(pieces)
        return readOn
      },
      onFailure: (cause) => {
        const error = Cause.findErrorOption(cause)
        return Option.isNone(error)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.sync(() =>
            error.value.reason._tag === "EmptyBodyError" ? sink.finish() : sink.breakOff(error.value.reason.cause)
          )
      },
      onDone: () => Effect.sync(sink.finish)
    })
    return Effect.as(
      Effect.forkIn(Effect.catchCause(readOn, (cause) => Effect.sync(() => sink.die(cause))), scope),
      () => wake()
    )
  })
