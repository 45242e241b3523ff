/** The streaming mode of executions: the request, and the stream of its parts. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as Create from "../../internal/http/create.ts"
import * as TimerQueue from "../../internal/polling/timerQueue.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { provider } from "../TelaExecution.ts"
import type { StreamError, StreamPart } from "../TelaStream.ts"
import { positive } from "./policy.ts"
import { type Job, operation, prepare, spanAttributes } from "./request.ts"
import { read } from "./streamReader.ts"
import { failedStream } from "./syncAnswer.ts"

/** Executes and streams. Each run of the stream is a new execution. */
export const executeStream = <Output>(job: Job<Output>): Stream.Stream<StreamPart<Output>, StreamError> =>
  Stream.unwrap(
    Create.operation(Effect.gen(function*() {
      const { params, runtime, validate } = job
      const first = yield* positive(operation, "firstEventTimeout", params.firstEventTimeout ?? "5 minutes")
      const idle = yield* positive(operation, "idleTimeout", params.idleTimeout ?? "1 minute")
      const total = yield* positive(operation, "timeout", params.timeout ?? Infinity)
      const started = yield* Clock.currentTimeMillis
      const { request } = yield* prepare(job, "stream")
      const opened = yield* Create.open(
        runtime.api,
        {
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(first, total)
        },
        runtime
      ).pipe(Effect.catch(failedStream))
      yield* Telemetry.countCreated(provider)
      let hasEnded = false
      const onEnd = (exit: Exit.Exit<unknown, unknown>, id: string | undefined) =>
        Effect.suspend(() => {
          if (hasEnded) return Effect.void
          hasEnded = true
          return Telemetry.endedAlone({ provider, started, id }, exit)
        })
      // A consumer that leaves before the end
      yield* Effect.addFinalizer(() => onEnd(Exit.interrupt(), undefined))
      return Stream.fromPull(read({
        opened,
        scope: yield* Effect.scope,
        validate,
        clock: yield* Clock.Clock,
        timers: yield* Effect.withFiber((fiber) => Effect.succeed(TimerQueue.of(fiber))),
        started,
        first,
        idle,
        total,
        onEnd
      }))
    }))
  ).pipe(Telemetry.streamSpan("TelaCanvas.execute", spanAttributes(job, "stream")))
