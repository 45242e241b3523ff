/** Starts, follows and reports runs for the tools of any provider, and answers long calls with tasks. */
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
import { CurrentCall } from "./tasksProtocol.ts"

/** The longest wait of one call. Many hosts end a call after 60 seconds. */
export const maxWaitSeconds = 45

/** The operations behind the tools of one provider. */
export interface AgentRuns<Snapshot> {
  /** Creates a run, once for each key, and reports it. */
  readonly start: (
    create: (tag: string) => Effect.Effect<{ readonly ref: RunRef.RunRef }, ToolCause>,
    options: { readonly key: string | undefined; readonly estimate: number; readonly waitSeconds: number }
  ) => Effect.Effect<RunReport, ToolError>
  /** Waits for a run, at most `seconds`, and reports it. */
  readonly wait: (runId: string, seconds: number) => Effect.Effect<RunReport, ToolError>
  /** Reports a run now. */
  readonly report: (runId: string) => Effect.Effect<RunReport, ToolError>
  /** The terminal snapshot of a run that succeeded. */
  readonly succeeded: (runId: string) => Effect.Effect<Snapshot, ToolError>
  /** Says that a run cannot be cancelled. */
  readonly stop: (runId: string) => RunReport
}

/** Makes the operations on the `RunStore` of the context, and on its `Budget` if it has one. */
export const make = Effect.fnUntraced(function*<Snapshot>(provider: Provider<Snapshot>) {
  const store = yield* RunStore.RunStore
  const budget = Option.getOrUndefined(yield* Effect.serviceOption(Budget))
  const { name, title } = provider

  /** Waits, at most `seconds`. At zero it polls once. */
  const follow = Effect.fnUntraced(function*(ref: RunRef.RunRef, seconds: number) {
    const source = yield* Effect.mapError(provider.source(ref), toolError)
    const policy = yield* Polling.makePolicy<Snapshot>(
      `${name}_wait`,
      { schedule: pace, timeout: seconds * 1000 || 1 },
      {
        pollInterval: "5 seconds",
        timeout: "45 seconds"
      }
    ).pipe(Effect.mapError(toolError))
    const snapshot = yield* (seconds === 0
      ? Effect.map(source.retrieve, ({ value }) => value)
      : Effect.catchTag(
        Run.settle(source, policy),
        "RunTimeoutError",
        ({ lastSnapshot }) => Effect.succeed(lastSnapshot as Snapshot | undefined)
      )).pipe(
        Effect.mapError((error) => toolError(error, ref.id))
      )
    const phase = snapshot === undefined ? undefined : source.classify(snapshot)
    if (phase !== undefined && phase._tag !== "Pending") {
      yield* RunTasks.ended(
        store,
        budget,
        ref,
        phase._tag === "Succeeded" ? provider.outcome(phase.run).credits : undefined
      )
    }
    return { source, snapshot }
  })

  const refOf = (runId: string): Effect.Effect<RunRef.RunRef, ToolError> =>
    store.list({ provider: name }).pipe(
      Effect.map((entries) =>
        entries.flatMap((entry) => "ref" in entry && entry.ref.id === runId ? [entry.ref] : [])[0] ??
          RunRef.make({ provider: name, kind: provider.kind, id: runId })
      ),
      Effect.mapError((error) => toolError(error, runId))
    )

  const report = Effect.fnUntraced(function*(ref: RunRef.RunRef, seconds: number) {
    const { snapshot, source } = yield* follow(ref, seconds)
    return yield* reportOf(provider, source, snapshot)
  })

  const pending = (ref: RunRef.RunRef) =>
    Effect.flatMap(
      Effect.mapError(provider.source(ref), (error) => toolError(error)),
      (source) => reportOf(provider, source, undefined)
    )

  /** Answers the current call with a task, if its caller accepts one. `taskId` is the key of the run's entry, if that is the id of a task. */
  const withTask = Effect.fnUntraced(
    function*(ref: RunRef.RunRef, taskId: string | undefined, otherwise: ReturnType<typeof report>) {
      const call = yield* CurrentCall
      if (call === undefined) return yield* otherwise
      const id = taskId ?? (yield* RunTasks.newId)
      if (taskId === undefined) yield* Effect.mapError(store.attach(id, ref), (error) => toolError(error, ref.id))
      call.answerWith(yield* RunTasks.created(id, ref))
      return yield* pending(ref)
    }
  )

  const self: AgentRuns<Snapshot> = {
    start: Effect.fnUntraced(function*(create, { estimate, key, waitSeconds }) {
      const id = key === undefined ? yield* RunTasks.newId : `agent:${name}:${key}`
      if (provider.findByTag !== undefined && key !== undefined) {
        yield* Effect.mapError(store.reconcile(id, provider.findByTag), (error) => toolError(error))
      }
      const ref = yield* store.runOnce(
        id,
        (tag) => budget === undefined ? create(tag) : budget.create(create(tag), { estimate })
      ).pipe(
        Effect.mapError((error) => toolError(error)),
        Effect.timeoutOrElse({ duration: Duration.seconds(maxWaitSeconds), orElse: () => beingCreated(title) })
      )
      // The run exists, so a poll that fails is no failure of the start
      const started = Effect.catchIf(
        report(ref, waitSeconds),
        ({ error }) => error !== "RunFailedError",
        () => pending(ref)
      )
      return yield* withTask(ref, key === undefined ? id : undefined, started)
    }),
    wait: (runId, seconds) => Effect.flatMap(refOf(runId), (ref) => withTask(ref, undefined, report(ref, seconds))),
    report: (runId) => Effect.flatMap(refOf(runId), (ref) => report(ref, 0)),
    succeeded: Effect.fnUntraced(function*(runId) {
      const { snapshot, source } = yield* follow(yield* refOf(runId), 0)
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
      status: "running",
      message:
        `Nothing was cancelled: ${title} has no call that cancels a run. The run continues and is billed. You need not wait ` +
        `for it: ${name}_result returns its output whenever it has ended.`
    })
  }
  return self
})

/** Another process has the claim on a key, or was killed while it had it. Hosts do not wait for as long as the store does. */
const beingCreated = (title: string) =>
  Effect.fail(
    new ToolError({
      error: "RunIsBeingCreated",
      message:
        "Another server creates the run of this key, or was stopped while it did so. Repeat the call with the same key in two " +
        `minutes. Use no other key: the run may exist at ${title}, and may be billed.`,
      isRetryable: true
    })
  )

const pace = Polling.adaptive({ max: Duration.seconds(15) })
