/**
 * Runs inside a workflow: each is created at most once and followed to its end, also if processes are killed, frozen or replaced.
 *
 * **When to use**
 *
 * In the handler of a `Workflow`, on any `WorkflowEngine`. For a single run without a handler of your own, `SpineWorkflow.Run` and
 * `TelaWorkflow.Run` are ready workflows. A script that may start again from the beginning needs no workflow: `RunStore` is enough.
 *
 * **Details**
 *
 * - {@link create} is an `Activity` inside `RunStore.runOnce`. An activity alone runs at least once: an engine repeats one whose result it
 *   has not stored, and a second run would be billed.
 * - {@link wait} suspends the workflow. A suspended workflow holds no fiber and makes no request: `Waits` polls the runs of all workflows
 *   together, and wakes each workflow when its run has ended.
 * - {@link run} does both, one after the other.
 *
 * The engine stores the `ref` of a run, its last snapshot, and errors, as JSON. It does not store the effect that creates the run.
 *
 * **Gotchas**
 *
 * - The names of creates and waits are part of what the engine stores. A name stands for one run in each execution of the workflow:
 *   use different names in a loop, and keep them when you change the workflow.
 * - This module is unstable, as `effect/workflow` is.
 *
 * **Example** (A workflow with a run of Spine)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schema } from "effect"
 * import { Workflow, WorkflowEngine } from "effect/workflow"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const Report = Workflow.make("Report", {
 *   payload: { month: Schema.String },
 *   success: Schema.String,
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ month }) => month
 * })
 *
 * const report = Report.toLayer(Effect.fn(function*({ month }) {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* DurableRun.run("report", spine.runs.create({ prompt: `The report of ${month}` }), {
 *     provider: SpineWorkflow.provider,
 *     timeout: "4 hours"
 *   })
 *   return run.status
 * }))
 *
 * // In production: ClusterWorkflowEngine, RunStore.layerSql and Waits.layerSql
 * const main = Report.execute({ month: "2026-07" }).pipe(
 *   Effect.provide(report),
 *   Effect.provide(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => completed
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Activity from "effect/workflow/Activity"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as Workflow from "effect/workflow/Workflow"
import * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { quote } from "../internal/describe.ts"
import * as Options from "../internal/options.ts"
import { describe, format, read as readRef, RunRef } from "../internal/ref.ts"
import { isOurs } from "../internal/taggedError.ts"
import { badRequest, type BadRequestError, type CreateOutcomeUnknownError, type WaitError } from "../RunError.ts"
import * as RunStore from "../RunStore.ts"
import { deferredOf, DurableRunError } from "./internal/deferred.ts"
import { isProvider, type Provider } from "./internal/provider.ts"
import { Waits } from "./internal/waits.ts"

export { type AnyProvider, type Provider, type ProviderServices } from "./internal/provider.ts"

export { DurableRunError as Error }

/**
 * The errors of a durable run.
 *
 * @category errors
 * @since 0.1.0
 */
export type Error = typeof DurableRunError.Type

/** The services that the engine provides to a handler. */
type Engine = WorkflowEngine.WorkflowEngine | WorkflowEngine.WorkflowInstance

/** The key of a create in the `RunStore`. */
const keyOf = ({ executionId, workflow }: WorkflowEngine.WorkflowInstance["Service"], name: string): string =>
  `${workflow._tag}/${executionId}/${name}`

/**
 * Options for {@link create}.
 *
 * @category options
 * @since 0.1.0
 */
export interface CreateOptions<R = never> extends RunStore.RunOnceOptions, RunStore.ReconcileOptions {
  /**
   * Finds the runs with a tag, such as `Tela.findByTag`. If it is given, and `create` is a function of a tag, `RunStore.reconcile`
   * resolves an unknown outcome: it finds the run, or the run is created again after `settlingTime` (10 minutes by default).
   */
  readonly lookup?: ((tag: string) => Effect.Effect<ReadonlyArray<RunRef>, unknown, R>) | undefined
}

/**
 * Creates a run once in each execution of a workflow, and returns its ref.
 *
 * **Details**
 *
 * `create` is any effect whose result has a `ref`, such as Spine's `runs.create(params)` or Tela's
 * `canvas.execute(variables, { async: true })`. It runs inside `RunStore.runOnce`, under a key of three parts: the name of the
 * workflow, the id of the execution, and `name`. If the storage fails, the call is repeated for 30 seconds.
 *
 * If the process ends between the request and the response, the outcome is unknown. `RunStore.unfinished` lists it, and this effect fails
 * with `CreateOutcomeUnknownError`. If the provider can list runs by a tag, `lookup` resolves the outcome instead. With `onUnknown: "retry"`
 * another run is created instead.
 *
 * An error is stored as the result of the create. To try again after one, such as `RateLimitError`, wrap this effect in
 * `Activity.retry`.
 *
 * **Example** (Creating in one step, waiting in another)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Spine } from "canvas-runs"
 * import { DurableRun, SpineWorkflow } from "canvas-runs/workflow"
 *
 * // The handler of a workflow
 * const handler = Effect.fn(function*({ topic }: { readonly topic: string }) {
 *   const spine = yield* Spine.SpineClient
 *   const ref = yield* DurableRun.create("draft", spine.runs.create({ prompt: topic }))
 *   // The name of the create, so that the run counts as finished in the RunStore
 *   return yield* DurableRun.wait("draft", ref, { provider: SpineWorkflow.provider })
 * })
 * ```
 *
 * **Example** (A create whose unknown outcome is resolved)
 *
 * ```ts
 * import { Effect, Redacted, Schema } from "effect"
 * import { Workflow, WorkflowEngine } from "effect/workflow"
 * import { RunRef, RunStore, Tela } from "canvas-runs"
 * import { Fault, TelaEmulator } from "canvas-runs/testing"
 * import { DurableRun } from "canvas-runs/workflow"
 *
 * const Draft = Workflow.make("Draft", {
 *   payload: { topic: Schema.String },
 *   success: RunRef.RunRef,
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ topic }) => topic
 * })
 *
 * const draft = Draft.toLayer(Effect.fn(function*({ topic }) {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return yield* DurableRun.create("draft", (tag) => canvas.execute({ topic }, { async: true, tags: [tag] }), {
 *     lookup: Tela.findByTag
 *   })
 * }))
 *
 * const main = Effect.gen(function*() {
 *   // The provider creates the execution, and the connection breaks before its response
 *   yield* (yield* TelaEmulator.TelaEmulator).fault(Fault.on(Fault.dropAfter, "POST"))
 *   return (yield* Draft.execute({ topic: "tides" })).kind
 * }).pipe(
 *   Effect.provide(draft),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") })),
 *   Effect.provide(TelaEmulator.layerTest())
 * )
 *
 * console.log(await Effect.runPromise(main)) // => execution
 * ```
 *
 * @see {@link run} for create and wait in one
 * @category runs
 * @since 0.1.0
 */
export const create = <A extends { readonly ref: RunRef }, E extends Error, R, R2 = never>(
  name: string,
  create: RunStore.Create<A, E, R>,
  options?: CreateOptions<R2>
): Effect.Effect<RunRef, E | CreateFailure, R | R2 | Engine | RunStore.RunStore> =>
  Effect.gen(function*() {
    yield* Options.checkStorable("DurableRun.create", "name", name)
    const given = yield* Options.copy("DurableRun.create", "options", options, createOptionNames)
    yield* checkCreate("DurableRun.create", given)
    const instance = yield* WorkflowEngine.WorkflowInstance
    const store = yield* RunStore.RunStore
    return yield* Activity.make({
      name: `canvas-runs/create/${name}`,
      success: RunRef,
      error: DurableRunError,
      execute: createOnce(store, keyOf(instance, name), create, given)
    })
    // The schema is the union of all errors, and an activity fails only with those of its effect
  }) as never

const createOptionNames = ["lookup", "onUnknown", "settlingTime"]

/** Checks the options for an unknown outcome before the create, because they would otherwise be read only after one. */
const checkCreate = <R>(operation: string, { lookup, settlingTime }: CreateOptions<R>) =>
  Effect.gen(function*() {
    yield* Options.checkKind(operation, "lookup", lookup, Predicate.isFunction, "a function that returns an Effect")
    if (settlingTime !== undefined) yield* Options.positive(operation, "settlingTime", settlingTime)
  })

type CreateFailure =
  | BadRequestError
  | CreateOutcomeUnknownError
  | RunStore.DuplicateRunsError
  | RunStore.RunStoreError

const storageRetry = {
  schedule: Schedule.exponential("200 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "30 seconds" }))
}

/** A failure of the storage does not fail the create: a second attempt never creates a second run. */
const createOnce = <A extends { readonly ref: RunRef }, E, R, R2>(
  store: RunStore.Service,
  key: string,
  create: RunStore.Create<A, E, R>,
  { lookup, onUnknown, settlingTime }: CreateOptions<R2> = {}
): Effect.Effect<RunRef, E | CreateFailure, R | R2> =>
  store.runOnce(key, create, { onUnknown }).pipe(
    Effect.retry({ ...storageRetry, while: (error) => isStorageFailure(error) && error.ref === undefined }),
    Effect.catch((error): Effect.Effect<RunRef, E | CreateFailure, R | R2> => {
      if (isStorageFailure(error) && error.ref !== undefined) {
        // The storage of the engine may have failed too. Until the ref is stored, only this process knows it
        return store.attach(key, error.ref).pipe(
          Effect.retry({ ...storageRetry, while: isStorageFailure }),
          Effect.uninterruptible,
          Effect.catch((failure) => Effect.logWarning(`canvas-runs: ${failure.message}`)),
          Effect.as(error.ref)
        )
      }
      if (lookup === undefined || !isOurs(error, "CreateOutcomeUnknownError")) return Effect.fail(error)
      return Effect.flatMap(reconcile(store, key, lookup, { settlingTime }), (entry) =>
        entry !== undefined && "ref" in entry
          ? Effect.succeed(entry.ref)
          : entry?._tag === "Unknown"
          ? Effect.fail(error)
          // A pause, however short the settling time is
          : Effect.delay(createOnce(store, key, create, { lookup, onUnknown, settlingTime }), lookupInterval))
    })
  )

const lookupInterval = "15 seconds"

/** Looks for a run until it is found, or surely does not exist. A look-up that fails proves nothing. */
const reconcile = <R>(
  store: RunStore.Service,
  key: string,
  lookup: NonNullable<CreateOptions<R>["lookup"]>,
  options: RunStore.ReconcileOptions
) =>
  store.reconcile(
    key,
    (tag) => {
      const looking = lookup(tag)
      // The store rejects what is no effect
      return Effect.isEffect(looking)
        ? Effect.mapError(looking, (cause) => ({ _tag: "LookupFailed" as const, cause }))
        : looking
    },
    options
  ).pipe(
    Effect.catchTag("LookupFailed", ({ cause }) =>
      Effect.andThen(
        Effect.logWarning(`canvas-runs: the run of ${JSON.stringify(key)} could not be looked up`, cause),
        store.get(key)
      )),
    Effect.retry({ ...storageRetry, while: isStorageFailure }),
    Effect.repeat({
      while: (entry) => entry?._tag === "Unknown" && entry.tag !== undefined,
      schedule: Schedule.spaced(lookupInterval)
    })
  )

const isStorageFailure = (error: unknown): error is RunStore.RunStoreError =>
  error instanceof RunStore.RunStoreError && error.reason === "storage"

/**
 * Options for {@link wait}.
 *
 * @category options
 * @since 0.1.0
 */
export interface WaitOptions<A, R = never> {
  /** The provider of the run: `SpineWorkflow.provider` or `TelaWorkflow.provider`. It decides the type of the result. */
  readonly provider: Provider<A, R>
  /**
   * How long the run may take, counted from its creation, or from the beginning of the wait if the ref has no time of creation. Then
   * the wait fails with a `RunTimeoutError`. `Infinity` means no deadline.
   *
   * @default "1 day"
   */
  readonly timeout?: Duration.Input | undefined
}

const operation = "DurableRun.wait"

/**
 * Suspends the workflow until the run has ended, and returns its terminal snapshot. A run that failed is a `RunFailedError`.
 *
 * **Details**
 *
 * The time also counts while no process is running. If the deadline passes in that time, the run is still polled for 10 seconds. Transient
 * failures of polls do not end a wait before its deadline, unless the `errorBudget` of the `Waits` says so.
 *
 * If the run was created by {@link create} with the same `name`, its entry in the `RunStore` is marked as finished when the run has
 * ended.
 *
 * If the workflow is interrupted, the polling stops, and the run continues at the provider. `Waits.list` shows the wait as
 * `interrupted`, and `RunStore.unfinished` lists the run. If the workflow ends in another way before the run, such as with the failure
 * of a parallel run, the run is polled to its end, and `RunStore.unfinished` lists it.
 *
 * **Example** (A run that was created elsewhere)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Workflow, WorkflowEngine } from "effect/workflow"
 * import { RunRef, RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const Follow = Workflow.make("Follow", {
 *   payload: { ref: RunRef.RunRef },
 *   success: SpineWorkflow.provider.success,
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ ref }) => ref.id
 * })
 *
 * const follow = Follow.toLayer(({ ref }) =>
 *   DurableRun.wait("run", ref, { provider: SpineWorkflow.provider, timeout: "4 hours" })
 * )
 *
 * const main = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const { ref } = yield* spine.runs.create({ prompt: "Compare three vector databases" })
 *   return (yield* Follow.execute({ ref })).status
 * }).pipe(
 *   Effect.provide(follow),
 *   Effect.provide(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => completed
 * ```
 *
 * @see {@link run} for a run that the workflow creates
 * @category runs
 * @since 0.1.0
 */
export const wait = <A, R>(
  name: string,
  ref: RunRef,
  options: WaitOptions<A, R>
): Effect.Effect<A, WaitError, Engine | Waits | RunStore.RunStore> =>
  Effect.gen(function*() {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const instance = yield* WorkflowEngine.WorkflowInstance
    yield* Options.checkStorable(operation, "name", name)
    const run = readRef(ref)
    if (run === undefined) {
      return yield* badRequest({
        operation,
        parameter: "ref",
        message: `ref is ${describe(ref)}; it must be the ref of a run.`
      })
    }
    const { provider, timeout } = yield* checkWait(operation, options, waitOptionNames)
    const deferred = deferredOf(provider, name)
    // A branch that suspends first waits for the other branches that have begun. So none is interrupted before its wait begins. The yield
    // lets the other branches begin
    yield* Workflow.wrapActivityResult(
      Effect.flatMap(Effect.andThen(Effect.yieldNow, engine.deferredResult(deferred)), (result) =>
        // After the end of the run, a replay begins no second wait
        Option.isSome(result)
          ? Effect.void
          : Effect.flatMap(
            DurableDeferred.token(deferred),
            (token) => begin(name, run, provider.name, timeout, token)
          )),
      () => false
    )
    return yield* Effect.onExit(
      DurableDeferred.await(deferred),
      (exit) => isEnd(exit) ? finish(keyOf(instance, name)) : Effect.void
    )
  })

const waitOptionNames = ["provider", "timeout"]

/** Checks the options of a wait, before a create if there is one. */
const checkWait = <O extends WaitOptions<A, R>, A, R>(operation: string, given: O, names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const options = yield* Options.copyRequired(operation, "options", given, names)
    yield* Options.checkGiven(
      operation,
      "provider",
      options.provider,
      isProvider,
      "a provider, such as SpineWorkflow.provider"
    )
    return { ...options, timeout: yield* Options.positive(operation, "timeout", options.timeout ?? "1 day") }
  })

const begin = Effect.fnUntraced(function*(
  name: string,
  ref: RunRef,
  provider: string,
  timeout: Duration.Duration,
  token: DurableDeferred.Token
) {
  const waits = yield* Waits
  const { executionId } = yield* WorkflowEngine.WorkflowInstance
  const wrong = (parameter: string, message: string) => badRequest({ operation, parameter, message, ref })
  if (ref.provider !== provider) {
    return yield* wrong("provider", `the ${format(ref)} is not a run of the provider ${quote(provider)}.`)
  }
  if (!waits.providers.has(provider)) {
    return yield* wrong(
      "provider",
      `the Waits of this program do not poll the provider ${quote(provider)}. Add it to their option providers.`
    )
  }
  const startedAt = ref.createdAt ?? (yield* Clock.currentTimeMillis)
  const id = `${executionId}/${name}`
  yield* waits.begin({ id, token, ref, startedAt, deadline: startedAt + Duration.toMillis(timeout) })
  // Runs when the workflow has ended, not when it is suspended
  yield* Workflow.addFinalizer((exit) =>
    Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause) ? waits.interrupt(id) : Effect.void
  )
})

/** Whether the run has ended. A wait can end before its run. */
const isEnd = (exit: Exit.Exit<unknown, WaitError>): boolean =>
  Exit.isSuccess(exit) ||
  exit.cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error._tag === "RunFailedError")

/** Marks the run of the create with the same name as finished, if there is one. */
const finish = (key: string) =>
  RunStore.RunStore.use((store) => store.complete(key)).pipe(
    Effect.catchTags({
      // There is no such create
      BadRequestError: () => Effect.void,
      RunStoreError: (error) => Effect.logWarning(`canvas-runs: ${error.message}`)
    })
  )

/**
 * Creates a run once, suspends the workflow until the run has ended, and returns its terminal snapshot: {@link create}, then
 * {@link wait} with the same name.
 *
 * **Example** (Two runs at the same time)
 *
 * ```ts
 * import { Effect, Redacted, Schema } from "effect"
 * import { Workflow, WorkflowEngine } from "effect/workflow"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 * import { DurableRun, SpineWorkflow, Waits } from "canvas-runs/workflow"
 *
 * const Compare = Workflow.make("Compare", {
 *   payload: { topics: Schema.Array(Schema.String) },
 *   success: Schema.Array(Schema.String),
 *   error: DurableRun.Error,
 *   idempotencyKey: ({ topics }) => topics.join()
 * })
 *
 * const compare = Compare.toLayer(Effect.fn(function*({ topics }) {
 *   const spine = yield* Spine.SpineClient
 *   const runs = yield* Effect.forEach(topics, (prompt, index) =>
 *     DurableRun.run(`topic-${index}`, spine.runs.create({ prompt }), { provider: SpineWorkflow.provider }), {
 *     concurrency: "unbounded"
 *   })
 *   return runs.map(({ status }) => status)
 * }))
 *
 * const main = Compare.execute({ topics: ["tides", "winds"] }).pipe(
 *   Effect.provide(compare),
 *   Effect.provide(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
 *   Effect.provide([WorkflowEngine.layerMemory, RunStore.layerMemory]),
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Effect.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => ["completed", "completed"]
 * ```
 *
 * @category runs
 * @since 0.1.0
 */
export const run = <A extends { readonly ref: RunRef }, E extends Error, R, B, R2, R3 = never>(
  name: string,
  create_: RunStore.Create<A, E, R>,
  options: WaitOptions<B, R2> & CreateOptions<R3>
): Effect.Effect<B, E | CreateFailure | WaitError, R | R3 | Engine | RunStore.RunStore | Waits> =>
  Effect.gen(function*() {
    yield* Options.checkStorable("DurableRun.run", "name", name)
    const checked = yield* checkWait("DurableRun.run", options, [...waitOptionNames, ...createOptionNames])
    yield* checkCreate("DurableRun.run", checked)
    const { lookup, onUnknown, provider, settlingTime, timeout } = checked
    const ref = yield* create(name, create_, { lookup, onUnknown, settlingTime })
    return yield* wait(name, ref, { provider, timeout })
  })
