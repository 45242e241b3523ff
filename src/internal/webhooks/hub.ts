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
 * The hub between a route and the waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Passes a delivery on, and returns whether it was new. Fails with a `BadRequestError` for a value that is not a delivery. */
  readonly deliver: (delivery: Delivery) => Effect.Effect<boolean, BadRequestError>
  /**
   * Waits for a delivery which says that a run has ended, and returns its number. The hub numbers such deliveries from 1 on, and
   * here only those above `after` count.
   */
  readonly ended: (provider: string, runId: string, after?: number) => Effect.Effect<number>
}

/**
 * The hub between a route and the waits.
 *
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
