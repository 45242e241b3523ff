/**
 * The service between the route that receives webhooks and the waits for the runs. `route.ts` verifies a webhook and delivers
 * it to the hub. The source of a run (`RunSource.pushed`) waits at the hub for it, `listen` and `push` of
 * `polling/pollLoop.ts` wake the wait, and `polling/pause.ts` decides how soon it polls. `Webhooks.ts` makes the hub.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { BadRequestError } from "../../RunError.ts"

/**
 * What a verified webhook says about a run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  /** The provider of the run, as its `RunRef` has it, such as `"spine"`. */
  readonly provider: string
  /** The provider's id of the run. Its case does not matter. */
  readonly runId: string
  /**
   * Identifies the delivery: a second one with the same id is a duplicate. Derive it from verified data, so that a forged
   * delivery never makes a genuine one a duplicate.
   */
  readonly eventId: string
  /** Whether the delivery says that the run has ended. Only such a delivery makes a wait poll. */
  readonly isTerminal: boolean
}

/**
 * The hub between a route that receives webhooks and the waits for the runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /**
   * Passes a delivery on to the waits, and returns whether it was new. A value that is not a delivery is a `BadRequestError`.
   *
   * **When to use**
   *
   * `Spine.layerWebhookRoute` and `Tela.layerWebhookRoute` do this. Use it in a route of your own, after you have verified the
   * webhook.
   *
   * **Example** (A duplicate delivery)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Webhooks } from "canvas-runs"
   *
   * const delivery = { provider: "acme", runId: "42", eventId: "event-1", isTerminal: true }
   *
   * const main = Effect.gen(function*() {
   *   const hub = yield* Webhooks.Webhooks
   *   console.log(yield* hub.deliver(delivery)) // => true
   *   console.log(yield* hub.deliver(delivery)) // => false
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Webhooks.layer))
   * ```
   */
  readonly deliver: (delivery: Delivery) => Effect.Effect<boolean, BadRequestError>
  /**
   * Waits for a delivery which says that a run has ended, and returns its number. The hub numbers such deliveries from 1 on, and
   * only those with a number above `after` count; `after` is 0 by default.
   *
   * **When to use**
   *
   * The waits of the clients do this. Use it for `RunSource.pushed` in a provider of your own.
   *
   * **Example** (A delivery that arrived before the wait)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Webhooks } from "canvas-runs"
   *
   * const delivery = { provider: "acme", runId: "42", eventId: "event-1", isTerminal: true }
   *
   * const main = Effect.gen(function*() {
   *   const hub = yield* Webhooks.Webhooks
   *   yield* hub.deliver(delivery)
   *   console.log(yield* hub.ended("acme", "42")) // => 1
   * })
   *
   * await Effect.runPromise(Effect.provide(main, Webhooks.layer))
   * ```
   */
  readonly ended: (provider: string, runId: string, after?: number) => Effect.Effect<number>
}

/**
 * The hub between a route that receives webhooks and the waits for the runs, as a service. A client that is made in a context with
 * the hub uses it.
 *
 * **Example** (A route of your own that passes a delivery on)
 *
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import { Webhooks } from "canvas-runs"
 *
 * const delivery = { provider: "acme", runId: "42", eventId: "event-1", isTerminal: true }
 *
 * const main = Effect.gen(function*() {
 *   const hub = yield* Webhooks.Webhooks
 *   const wait = yield* Effect.forkChild(hub.ended("acme", "42"))
 *   yield* hub.deliver(delivery)
 *   console.log(yield* Fiber.join(wait)) // => 1
 * })
 *
 * await Effect.runPromise(Effect.provide(main, Webhooks.layer))
 * ```
 *
 * @see {@link module:Webhooks.layer}, which provides it
 * @category services
 * @since 0.1.0
 */
export class Webhooks extends Context.Service<Webhooks, Service>()("canvas-runs/Webhooks") {}

/**
 * The default webhook poll interval: how often a wait polls while webhooks are expected.
 *
 * @category constants
 * @since 0.1.0
 */
export const pollInterval: Duration.Input = "1 minute"
