/** The description of a provider that a durable wait needs. */
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { RunRef } from "../../internal/ref.ts"
import type { BadRequestError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"

/**
 * Describes the runs of one provider: how a run is polled, and how its result is written as JSON. `A` is the snapshot of a run that
 * succeeded, and `R` are the services that a poll needs, such as the provider's client.
 *
 * **When to use**
 *
 * `SpineWorkflow.provider` and `TelaWorkflow.provider` are ready. Write one for a provider of your own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Provider<A, R = never> {
  /** The provider of the refs, such as `"spine"`. */
  readonly name: string
  /** The snapshot of a run that succeeded. The engine keeps its JSON until the workflow has ended. */
  readonly success: Schema.Codec<A, unknown>
  /**
   * Describes a run to the poll loop.
   *
   * **Example** (The runs of Spine, with any JSON as their result)
   *
   * ```ts
   * import { Schema } from "effect"
   * import { Spine } from "canvas-runs"
   * import type { DurableRun } from "canvas-runs/workflow"
   *
   * const provider: DurableRun.Provider<unknown, Spine.SpineClient> = {
   *   name: "spine",
   *   success: Schema.Json,
   *   source: (ref) => Spine.SpineClient.use(({ runs }) => runs.source(ref))
   * }
   *
   * console.log(provider.name) // => spine
   * ```
   */
  readonly source: (ref: RunRef) => Effect.Effect<RunSource.Any, BadRequestError, R>
}

/**
 * The runs of any provider.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- providers of any kind
export type AnyProvider = Provider<any, any>

/**
 * The services that the polls of a provider need.
 *
 * @category models
 * @since 0.1.0
 */
export type ProviderServices<P extends AnyProvider> = Effect.Services<ReturnType<P["source"]>>

/** Whether a value has the members of a provider. */
export const isProvider = (value: unknown): boolean =>
  Predicate.hasProperty(value, "success") && Schema.isSchema(value.success) &&
  Predicate.hasProperty(value, "name") && Predicate.isString(value.name) &&
  Predicate.hasProperty(value, "source") && Predicate.isFunction(value.source)
