/** The streaming mode of executions: the request, and the stream of its parts. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as Create from "../../internal/http/create.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { provider } from "../TelaExecution.ts"
import type { StreamError, StreamPart } from "../TelaStream.ts"
import { positive } from "./policy.ts"
import { type Job, operation, prepare, spanAttributes } from "./request.ts"
import { read } from "./streamReader.ts"
import { failedAnswer, outputOf, refOf } from "./syncAnswer.ts"

/** Executes and streams. Each run of the stream is a new execution. */
export const executeStream = <Output>(job: Job<Output>): Stream.Stream<StreamPart<Output>, StreamError> =>
  Stream.unwrap(
    Create.operation(Effect.gen(function*() {
      const { params, runtime, validate } = job
      const limits = {
        "first-event": yield* positive(operation, "firstEventTimeout", params.firstEventTimeout ?? "5 minutes"),
        idle: yield* positive(operation, "idleTimeout", params.idleTimeout ?? "1 minute"),
        total: yield* positive(operation, "timeout", params.timeout ?? Infinity)
      }
      const started = yield* Clock.currentTimeMillis
      const { request } = yield* prepare(job, "stream")
      const opened = yield* Create.create(runtime, (once) =>
        runtime.api.open({
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(limits["first-event"], limits.total),
          ...once
        })).pipe(
          Effect.catch((error) =>
            Effect.flatMap(
              failedAnswer(error),
              ({ requestId, value }) =>
                Effect.andThen(outputOf(value, refOf("stream", value.id, requestId), requestId), Effect.fail(error))
            )
          )
        )
      yield* Telemetry.countCreated(provider)
      return Stream.fromPull(Effect.succeed(yield* read({ opened, validate, limits, started })))
    }))
  ).pipe(Telemetry.streamSpan("TelaCanvas.execute", spanAttributes(job, "stream")))
