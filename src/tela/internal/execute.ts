/** Executions in each of the modes: synchronous, asynchronous and streamed. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Create from "../../internal/http/create.ts"
import * as Options from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import * as Run from "../../Run.ts"
import type { OnCreatedErrorOf } from "../../RunError.ts"
import type { SyncError } from "../TelaCanvas.ts"
import {
  type AsyncExecution,
  type CanvasRunError,
  type ExecuteError,
  provider,
  type SyncExecution
} from "../TelaExecution.ts"
import type { StreamError, StreamPart } from "../TelaStream.ts"
import { follow } from "./follow.ts"
import { validated } from "./output.ts"
import { makePolicy, positive } from "./policy.ts"
import { type Job, makeRequest, spanAttributes, templateOf } from "./request.ts"
import { decodeCreated, source } from "./source.ts"
import { read } from "./streamReader.ts"
import { decodeSync, failedAnswer, outputOf, refOf } from "./syncAnswer.ts"

/** Executes, and waits for the response. */
export const executeSync = (job: Job): Effect.Effect<SyncExecution<unknown>, SyncError> =>
  Effect.gen(function*() {
    const { client, operation, params, validate } = job
    const timeout = yield* positive(operation, "timeout", params.timeout ?? "10 minutes")
    const { request, variables } = yield* makeRequest(job, "sync")
    const started = yield* Clock.currentTimeMillis
    // Assumption 17: the provider documents no idempotency, so an execution is sent once
    const { requestId, value } = yield* Create.create(
      client,
      (once) => client.api.call({ operation, request, decode: decodeSync, timeout, ...once })
    ).pipe(Effect.catch(failedAnswer))
    const ref = refOf("sync", value.id, requestId)
    const { finishReason } = value
    const result = yield* Telemetry.counted(
      { provider, started, id: value.id },
      Effect.flatMap(outputOf(value, ref), (output) => validated(validate, output, { ref, requestId, finishReason }))
    )
    return {
      isSync: true as const,
      isAsync: false as const,
      isStream: false as const,
      id: ref.id,
      status: Effect.succeed("succeeded" as const),
      requestId: Effect.succeed(requestId),
      variables,
      params,
      result,
      finishReason,
      rawResult: Effect.succeed(value.raw),
      cancel: Effect.void
    }
  }).pipe(Telemetry.span("TelaCanvas.execute", spanAttributes(job, "sync"), job))

/** Creates an execution, or a task, and checks first how it will be polled. */
const create = (job: Job) =>
  Effect.gen(function*() {
    const { client, operation, params, target } = job
    yield* Options.checkOnCreated(operation, params.onCreated)
    const isWebhookExpected = params.webhookUrl !== undefined && client.webhooks !== undefined
    const policy = yield* makePolicy(operation, params, isWebhookExpected, client.polling)
    const { request, variables } = yield* makeRequest(job, "async")
    const createdAt = yield* Clock.currentTimeMillis
    const kind = target.applicationId === undefined ? "execution" : "task"
    const created = yield* Create.create(
      client,
      (once) => client.api.call({ operation, request, decode: decodeCreated(kind), ...once })
    )
      .pipe(
        Effect.map(({ requestId, value }) => {
          const { id, task } = value
          const ref = RunRef.make({ provider, kind, id, createdAt, requestId, template: templateOf(target) })
          return { id, ref, requestId, task, snapshot: { ...value, requestId } }
        }),
        Effect.tap(({ id, ref }) => Effect.andThen(Create.accepted(ref), Effect.annotateCurrentSpan("run.id", id))),
        (created) => Create.thenOnCreated(created, params.onCreated)
      )
    return { ...created, policy, variables }
  }).pipe(Telemetry.span("TelaCanvas.execute", spanAttributes(job, "async")))

/** Creates an execution, or a task, that is polled when its result is requested. */
export const executeAsync = (
  job: Job
): Effect.Effect<AsyncExecution<unknown>, ExecuteError | OnCreatedErrorOf<unknown>, unknown> =>
  Effect.flatMap(create(job), (created) => follow({ ...job, ...created, wasLookedUp: false }))

/** Creates an execution, or a task, polls it until it ends, and returns its output. */
export const run = (job: Job): Effect.Effect<unknown, CanvasRunError<unknown>, unknown> => {
  const { client, validate } = job
  return Effect.flatMap(
    Effect.tap(create(job), ({ id }) => Effect.annotateCurrentSpan("run.id", id)),
    ({ policy, ref, task }) =>
      Effect.flatMap(
        Run.wait(source(client.api, ref, client.webhooks, task?.completionRunId), policy),
        ({ output, requestId }) => validated(validate, output, { ref, requestId })
      )
  ).pipe(Telemetry.span("TelaCanvas.run", spanAttributes(job, "async"), job))
}

/** Executes and streams. Each run of the stream is a new execution. */
export const executeStream = (job: Job): Stream.Stream<StreamPart<unknown>, StreamError> =>
  Stream.unwrap(
    Create.operation(Effect.gen(function*() {
      const { client, operation, params, validate } = job
      const limits = {
        "first-event": yield* positive(operation, "firstEventTimeout", params.firstEventTimeout ?? "5 minutes"),
        idle: yield* positive(operation, "idleTimeout", params.idleTimeout ?? "1 minute"),
        total: yield* positive(operation, "timeout", params.timeout ?? Infinity)
      }
      const started = yield* Clock.currentTimeMillis
      const { request } = yield* makeRequest(job, "stream")
      const opened = yield* Create.create(client, (once) =>
        client.api.open({
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(limits["first-event"], limits.total),
          ...once
        })).pipe(
          Effect.catch((error) =>
            Effect.flatMap(
              failedAnswer(error),
              ({ requestId, value }) =>
                Telemetry.counted(
                  { provider, started, id: value.id },
                  Effect.andThen(outputOf(value, refOf("stream", value.id, requestId)), Effect.fail(error))
                )
            )
          )
        )
      // The stream has the effect that opens the reader, and not the reader. V8 frees a function that is written to a property,
      // and all that it refers to, only with a full garbage collection: until then it would keep the text of each stream that
      // has ended, and copy it, which doubled the time of garbage collection
      return Stream.fromPull(Scope.provide(read({ opened, validate, limits, started }), yield* Effect.scope))
    }))
  ).pipe(Telemetry.streamSpan("TelaCanvas.execute", spanAttributes(job, "stream"), job))
