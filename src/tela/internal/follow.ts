/** Asynchronous executions that are polled: the value that a caller holds, and how one is looked up. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Client } from "../../internal/http/client.ts"
import { graceOf } from "../../internal/polling/decide.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Run from "../../Run.ts"
import { type InvalidOutputError, NotFoundError, type RequestError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import type {
  AsyncExecution,
  ExecutionEvent,
  ExecutionSnapshot,
  ExecutionStatus,
  GetExecutionParams,
  ResultError
} from "../TelaExecution.ts"
import { type AnyOptions, type AnyParams, checkLookUp } from "./canvasParams.ts"
import { type Validate, validated } from "./output.ts"
import { makePolicy } from "./policy.ts"
import { refOf } from "./ref.ts"
import { templateOf } from "./request.ts"
import { executionFailed, retrieve, type Source, source } from "./source.ts"

/** Looks up an execution, or a task. Without the options of a canvas, the parameters have the schema of its output. */
export const getExecution = (
  client: Pick<Client, "api" | "polling" | "webhooks">,
  operation: string,
  id: string | RunRef.RunRef,
  given: (GetExecutionParams & { readonly output?: unknown }) | undefined,
  canvas?: AnyOptions
): Effect.Effect<AsyncExecution<unknown>, RequestError> =>
  Effect.gen(function*() {
    const { params, validate } = yield* checkLookUp(operation, given, canvas)
    const policy = yield* makePolicy(operation, params, false, client.polling)
    const named = yield* refOf(operation, "id", id, params.isTask === true ? "task" : "execution", [
      "execution",
      "task"
    ])
    const ref = RunRef.make({ template: canvas && templateOf(canvas), ...named })
    const started = yield* Clock.currentTimeMillis
    // A look-up right after the creation may reach a replica that does not know the execution yet, as a poll may
    const last = Math.min(
      (ref.createdAt ?? started) + graceOf(policy, ref),
      started + Duration.toMillis(policy.timeout)
    )
    const lookUp: ReturnType<typeof retrieve> = Effect.catch(retrieve(client.api, ref, operation), (error) => {
      const asked = Duration.min(error.retryAfter ?? Duration.zero, policy.retryAfterCeiling)
      const pause = Duration.max(asked, Duration.seconds(1))
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        error instanceof NotFoundError && now + Duration.toMillis(pause) <= last
          ? Effect.andThen(Effect.sleep(pause), lookUp)
          : Effect.fail(error))
    })
    const { value } = yield* lookUp
    return yield* follow({
      client,
      ref,
      snapshot: value,
      policy,
      validate,
      params,
      requestId: ref.requestId,
      variables: undefined,
      wasLookedUp: true
    })
  })

/** An execution, or a task, to follow. */
interface Known {
  readonly client: Pick<Client, "api" | "webhooks">
  readonly ref: RunRef.RunRef
  /** The first snapshot. */
  readonly snapshot: ExecutionSnapshot
  readonly policy: RunSource.Policy<ExecutionSnapshot>
  readonly validate: Validate
  readonly params: AnyParams | GetExecutionParams
  readonly requestId: string | undefined
  readonly variables: unknown
  readonly wasLookedUp: boolean
}

/** An execution that is followed. */
interface Followed extends Known {
  /** The latest snapshot. */
  readonly latest: Ref.Ref<ExecutionSnapshot>
  /** The validated output, once it has been requested. */
  readonly validation: Ref.Ref<Validation>
}

type Validation = Exit.Exit<unknown, InvalidOutputError> | undefined

/** Makes the value that the caller holds. Nothing is polled until its result is requested. */
export const follow = (known: Known): Effect.Effect<AsyncExecution<unknown>> =>
  Effect.gen(function*() {
    const { client, params, policy, ref, requestId, snapshot, variables, wasLookedUp } = known
    const latest = yield* Ref.make(snapshot)
    const followed: Followed = { ...known, latest, validation: yield* Ref.make<Validation>(undefined) }
    const origin = source(client.api, ref, client.webhooks, snapshot.task?.completionRunId)
    const hadEnded = snapshot.status === "succeeded" || snapshot.status === "failed"
    // A source that is a plain object can be copied; an instance of a class would lose its getters
    const shared = yield* Run.share<Source, never, never>(
      {
        ...origin,
        retrieve: hadEnded
          ? Effect.succeed({ value: snapshot, requestId: snapshot.requestId, retryAfter: undefined })
          : Effect.tap(origin.retrieve, ({ value }) => Ref.set(latest, value))
      },
      policy
    )
    const result = Effect.flatMap(shared.wait, (snapshot) => outputOf(followed, snapshot))
    return {
      isSync: false as const,
      isAsync: true as const,
      isStream: false as const,
      id: ref.id,
      ref,
      requestId: Effect.succeed(requestId),
      variables,
      params: params as AsyncExecution<unknown>["params"],
      task: snapshot.task,
      status: statusOf(followed),
      poll: Effect.asVoid(Effect.forkScoped(Effect.ignore(result))),
      result,
      rawResult: Effect.map(shared.wait, ({ raw }) => raw),
      watch: shared.watch,
      events: hadEnded && wasLookedUp ? Stream.empty : eventsOf(followed, shared.polls),
      cancel: shared.stop
    }
  })

/** Validates the output of a successful snapshot, once for all consumers. */
const outputOf = ({ ref, validate, validation }: Followed, { output, requestId }: ExecutionSnapshot) =>
  Effect.flatMap(Ref.get(validation), (known) =>
    known ?? Effect.onExit(
      validated(validate, output, { ref, requestId }),
      (exit) => Exit.hasInterrupts(exit) ? Effect.void : Ref.set(validation, exit)
    ))

const statusOf = (followed: Followed): Effect.Effect<ExecutionStatus> =>
  Effect.flatMap(Ref.get(followed.latest), (snapshot) =>
    snapshot.status !== "succeeded"
      ? Effect.succeed(snapshot.status)
      : Effect.match(outputOf(followed, snapshot), {
        onFailure: () => "failed" as const,
        onSuccess: () => "succeeded" as const
      }))

/** The polls as events. A failure is the last event. */
const eventsOf = (followed: Followed, polls: Stream.Stream<RunSource.Poll<ExecutionSnapshot>, ResultError>) =>
  Stream.unwrap(Effect.map(Effect.flatMap(statusOf(followed), Ref.make), (seen) =>
    polls.pipe(
      Stream.mapEffect((poll) => eventsOfPoll(followed, seen, poll)),
      Stream.flattenIterable,
      Stream.catch((error) => Stream.make<[ExecutionEvent<unknown>]>({ _tag: "error", error }))
    )))

/** The events of one poll: the poll, a status other than the one seen last, and the end. */
const eventsOfPoll = (followed: Followed, seen: Ref.Ref<ExecutionStatus>, poll: RunSource.Poll<ExecutionSnapshot>) =>
  Effect.gen(function*() {
    if (poll._tag === "Failure") return []
    const { requestId, snapshot } = poll
    const events: Array<ExecutionEvent<unknown>> = [{ _tag: "poll", snapshot, requestId }]
    const outcome = snapshot.status === "succeeded" ? yield* Effect.result(outputOf(followed, snapshot)) : undefined
    const current = outcome?._tag === "Failure" ? "failed" : snapshot.status
    if ((yield* Ref.getAndSet(seen, current)) !== current) events.push({ _tag: "statusChange", status: current })
    if (outcome?._tag === "Success") events.push({ _tag: "success", result: outcome.success, requestId })
    if (outcome?._tag === "Failure") events.push({ _tag: "error", error: outcome.failure })
    if (snapshot.status === "failed") {
      events.push({ _tag: "error", error: executionFailed(followed.ref, snapshot.raw, requestId) })
    }
    return events
  })
