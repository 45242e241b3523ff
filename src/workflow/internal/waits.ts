/** The service that waits for the runs of workflows, and the models of a wait. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as DurableDeferred from "effect/workflow/DurableDeferred"
import type { RunRef } from "../../internal/ref.ts"
import type { BadRequestError } from "../../RunError.ts"

/**
 * A run that a workflow waits for. Times are Unix milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Wait {
  /** The id of the workflow's execution and the name of the wait: `"<execution id>/<name>"`. */
  readonly id: string
  /** Names the durable value that the workflow awaits. */
  readonly token: DurableDeferred.Token
  /** The run. */
  readonly ref: RunRef
  /** When the run was created, or when the wait began if that is not known. */
  readonly startedAt: number
  /** When the wait fails with a `RunTimeoutError`. `Infinity` if it has no deadline. */
  readonly deadline: number
}

/**
 * A {@link Wait} with its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaitEntry extends Wait {
  /** `interrupted` if the workflow was interrupted, so that the run is not followed any longer. */
  readonly state: "waiting" | "interrupted"
}

/**
 * The operations of {@link Waits}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** The names of the providers whose runs it can wait for. */
  readonly providers: ReadonlySet<string>
  /**
   * Begins a wait. Nothing changes if it has begun before.
   *
   * @internal
   */
  readonly begin: (wait: Wait) => Effect.Effect<void>
  /**
   * Ends a wait whose workflow was interrupted.
   *
   * @internal
   */
  readonly interrupt: (id: string) => Effect.Effect<void>
  /**
   * Polls the waits for a run soon, because a webhook says that it has ended. `Waits.layerWebhooks` does this for you.
   *
   * **Example** (A message of your own in place of a webhook)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { WorkflowEngine } from "effect/workflow"
   * import { Waits } from "canvas-runs/workflow"
   *
   * const onMessage = Effect.fn(function*(message: { readonly runId: string }) {
   *   const waits = yield* Waits.Waits
   *   yield* waits.wake("spine", message.runId)
   *   return "woken, if a workflow waits for it"
   * })
   *
   * const main = onMessage({ runId: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" }).pipe(
   *   Effect.provide(Waits.layerMemory({ providers: [] })),
   *   Effect.provide(WorkflowEngine.layerMemory)
   * )
   *
   * console.log(await Effect.runPromise(main)) // => woken, if a workflow waits for it
   * ```
   */
  readonly wake: (provider: string, runId: string) => Effect.Effect<void, BadRequestError>
  /** Lists the waits, oldest first. A wait that cannot be read, because a newer version wrote it, is logged and left out. */
  readonly list: Effect.Effect<ReadonlyArray<WaitEntry>, SqlError>
  /**
   * Removes the waits that were interrupted longer ago than `olderThan`, and returns how many there were. A wait whose run has
   * ended needs no removal.
   *
   * **Example** (Waits that were interrupted long ago)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { WorkflowEngine } from "effect/workflow"
   * import { Waits } from "canvas-runs/workflow"
   *
   * const main = Waits.Waits.use((waits) => waits.purge("30 days")).pipe(
   *   Effect.provide(Waits.layerMemory({ providers: [] })),
   *   Effect.provide(WorkflowEngine.layerMemory)
   * )
   *
   * console.log(await Effect.runPromise(main)) // => 0
   * ```
   */
  readonly purge: (olderThan: Duration.Input) => Effect.Effect<number, BadRequestError | SqlError>
}

/** The storage of the waits of a layer. Its arguments have been checked. */
export interface Kept extends Omit<Service, "providers" | "wake" | "purge"> {
  readonly wake: (provider: string, runId: string) => Effect.Effect<void>
  /** Removes the waits that were interrupted before a time, in Unix milliseconds. */
  readonly purge: (before: number) => Effect.Effect<number, SqlError>
}

/**
 * The service that waits for the runs of workflows.
 *
 * **Example** (The runs that workflows wait for)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { WorkflowEngine } from "effect/workflow"
 * import { RunRef } from "canvas-runs"
 * import { Waits } from "canvas-runs/workflow"
 *
 * const main = Effect.gen(function*() {
 *   const waits = yield* Waits.Waits
 *   const found = yield* waits.list
 *   return found.map(({ deadline, ref, state }) => [RunRef.format(ref), state, new Date(deadline).toISOString()])
 * }).pipe(
 *   Effect.provide(Waits.layerMemory({ providers: [] })),
 *   Effect.provide(WorkflowEngine.layerMemory)
 * )
 *
 * console.log(await Effect.runPromise(main)) // => []
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Waits extends Context.Service<Waits, Service>()("canvas-runs/workflow/Waits") {}
