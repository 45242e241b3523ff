/** Starts, follows and reports runs for the tools of any provider, and answers long calls with tasks. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Budget } from "../../Budget.ts"
import { quote } from "../../internal/describe.ts"
import * as RunRef from "../../internal/ref.ts"
import * as Polling from "../../Polling.ts"
import * as Run from "../../Run.ts"
import * as RunStore from "../../RunStore.ts"
import { type RunReport, ToolError } from "../RunReport.ts"
import { type Provider, reportOf, type ToolCause, toolError } from "./provider.ts"
import * as RunTasks from "./runTasks.ts"
import { type Call, CurrentCall } from "./tasksProtocol.ts"

/** The longest wait of one call. Many hosts end a call after 60 seconds. */
export const maxWaitSeconds = 45

/** The operations behind the tools of one provider. */
export interface AgentRuns<Snapshot> {
  /** Creates a run, once for each key, and reports it. Only a provider that can list runs by a tag is given one. */
  readonly start: (
    create: RunStore.Create<{ readonly ref: RunRef.RunRef }, ToolCause>,
    options: { readonly key: string | undefined; readonly estimate: number; readonly waitSeconds: number | "now" }
  ) => Effect.Effect<RunReport, ToolError>
  /** Waits for a run, at most `seconds`, and reports it. */
  readonly wait: (runId: string, seconds: number) => Effect.Effect<RunReport, ToolError>
  /** Reports a run now. */
  readonly report: (runId: string) => Effect.Effect<RunReport, ToolError>
  /** The terminal snapshot of a run that succeeded. */
  readonly succeeded: (runId: string) => Effect.Effect<Snapshot, ToolError>
  /** Says that a run cannot be cancelled. */
  readonly stop: (runId: string) => { readonly run_id: string; readonly message: string }
}

/** Makes the operations on the `RunStore` of the context, and on its `Budget` if it has one. */
export const make = Effect.fnUntraced(function*<Snapshot>(provider: Provider<Snapshot>) {
  const store = yield* RunStore.RunStore
  const budget = Option.getOrUndefined(yield* Effect.serviceOption(Budget))
  const { name, title } = provider

  /** Waits for a run, at most `seconds`, or polls it once. Returns the last snapshot, if there is one. */
  const follow = Effect.fnUntraced(function*(ref: RunRef.RunRef, seconds: number | "now") {
    const source = yield* provider.source(ref)
    const snapshot: Snapshot | undefined = seconds === "now"
      ? (yield* source.retrieve).value
      : yield* Polling.makePolicy<Snapshot>(`${name}_wait`, { schedule: pace }, {
        pollInterval: "5 seconds",
        timeout: Duration.seconds(seconds)
      }).pipe(
        Effect.flatMap((policy) => Run.settle(source, policy)),
        Effect.catchTag(
          "RunTimeoutError",
          ({ lastSnapshot }) => Effect.succeed(lastSnapshot as Snapshot | undefined)
        )
      )
    const phase = snapshot === undefined ? undefined : source.classify(snapshot)
    if (phase !== undefined && phase._tag !== "Pending") {
      const credits = phase._tag === "Succeeded" ? provider.outcome(phase.run).credits : undefined
      yield* RunTasks.ended(store, budget, ref, credits)
    }
    return { source, snapshot }
  }, (effect, ref) => Effect.mapError(effect, (error) => toolError(error, ref.id)))

  const refOf = (runId: string): Effect.Effect<RunRef.RunRef, ToolError> =>
    store.list({ provider: name }).pipe(
      Effect.map((entries) =>
        entries.flatMap((entry) => "ref" in entry && entry.ref.id === runId ? [entry.ref] : [])[0] ??
          RunRef.make({ provider: name, kind: provider.kind, id: runId })
      ),
      Effect.mapError((error) => toolError(error, runId))
    )

  const report = Effect.fnUntraced(function*(ref: RunRef.RunRef, seconds: number | "now") {
    const { snapshot, source } = yield* follow(ref, seconds)
    return yield* reportOf(provider, source, snapshot)
  })

  const pending = (ref: RunRef.RunRef) =>
    Effect.flatMap(
      Effect.mapError(provider.source(ref), (error) => toolError(error)),
      (source) => reportOf(provider, source, undefined)
    )

  /** Answers a call with a task. `taskId` is the key of the run's entry, if that key is the id of a task. */
  const withTask = Effect.fnUntraced(function*(call: Call, ref: RunRef.RunRef, taskId: string | undefined) {
    const id = taskId ?? (yield* RunTasks.newId)
    if (taskId === undefined) yield* Effect.mapError(store.attach(id, ref), (error) => toolError(error, ref.id))
    call.answerWith(yield* RunTasks.created(id, ref))
    return yield* pending(ref)
  })

  const self: AgentRuns<Snapshot> = {
    start: Effect.fnUntraced(function*(create, { estimate, key, waitSeconds }) {
      const id = key === undefined ? yield* RunTasks.newId : `agent:${name}:${key}`
      if (provider.findByTag !== undefined && key !== undefined) {
        yield* Effect.mapError(store.reconcile(id, provider.findByTag), (error) => toolError(error))
      }
      const isCreating = yield* Deferred.make<void>()
      const creating = (create: Effect.Effect<{ readonly ref: RunRef.RunRef }, ToolCause>) =>
        Effect.andThen(
          Deferred.succeed(isCreating, undefined),
          budget === undefined ? create : budget.create(create, { estimate })
        )
      const once = Effect.isEffect(create) ? creating(create) : (tag: string) => creating(create(tag))
      const ref = yield* store.runOnce(id, once).pipe(
        Effect.mapError((error) => toolError(error)),
        // Limits the wait for the claim of another call. The create itself cannot be interrupted, and its run must not be lost
        Effect.raceFirst(
          Effect.sleep(Duration.seconds(maxWaitSeconds)).pipe(
            Effect.andThen(Deferred.isDone(isCreating)),
            Effect.flatMap((isCreating) => isCreating ? Effect.never : beingCreated(title))
          )
        )
      )
      const call = yield* CurrentCall
      if (call !== undefined) return yield* withTask(call, ref, key === undefined ? id : undefined)
      // The run exists, so a failed poll does not fail the start
      return yield* Effect.catchIf(
        report(ref, waitSeconds),
        ({ error }) => error !== "RunFailedError",
        () => pending(ref)
      )
    }),
    wait: Effect.fnUntraced(function*(runId, seconds) {
      const ref = yield* refOf(runId)
      const call = yield* CurrentCall
      if (call === undefined) return yield* report(ref, seconds)
      // A run that has ended, or does not exist, needs no task
      const now = yield* report(ref, "now")
      return now.status === "running" ? yield* withTask(call, ref, undefined) : now
    }),
    report: (runId) => Effect.flatMap(refOf(runId), (ref) => report(ref, "now")),
    succeeded: Effect.fnUntraced(function*(runId) {
      const { snapshot, source } = yield* follow(yield* refOf(runId), "now")
      const { status } = yield* reportOf(provider, source, snapshot)
      if (status !== "running" && snapshot !== undefined) return snapshot
      return yield* new ToolError({
        error: "RunNotFinished",
        message: `The run ${
          quote(runId)
        } has not ended, so it has no files yet. Call ${name}_wait with its run_id first.`,
        run_id: runId,
        isRetryable: true
      })
    }),
    stop: (runId) => ({
      run_id: runId,
      message:
        `Nothing was cancelled: ${title} has no call that cancels a run. A run that has not ended continues and is billed. You ` +
        `do not have to wait for it: ${name}_result returns its output after its end.`
    })
  }
  return self
})

/** Another call has the claim on a key, or its process was killed. Hosts do not wait for as long as the store does. */
const beingCreated = (title: string) =>
  Effect.fail(
    new ToolError({
      error: "RunIsBeingCreated",
      message:
        "Another call is creating the run of this key, or its server was stopped while it did so. Repeat the call with the same " +
        `key in two minutes. Do not use another key: the run may exist at ${title}, and may be billed.`,
      isRetryable: true
    })
  )

const pace = Polling.adaptive({ max: Duration.seconds(15) })
