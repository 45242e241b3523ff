/**
 * Webhooks and polling, for the same run: whichever tells of its end first.
 *
 * **Details**
 *
 * A {@link Webhooks} hub connects the route that receives webhooks with the waits that they are about. Give it to a
 * client, and to the provider's route (`Spine.layerWebhookRoute`, `Tela.layerWebhookRoute`). While a wait runs,
 *
 * - it still polls, but once a minute unless it is told otherwise, since webhooks are expected to come first;
 * - a webhook about its run ends its sleep: a complete answer in the webhook is taken, and anything less makes it poll at
 *   once;
 * - a webhook that is lost costs only delay, one that comes twice does nothing, and one that comes before the wait is
 *   remembered.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { whileWebhooksAreExpected } from "./internal/pace.ts"

/**
 * What a webhook says of a run, once it has been verified.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  readonly provider: string
  readonly runId: string
  /** Tells deliveries apart: the same id is the same delivery, however often it comes. */
  readonly eventId: string
  /** Whether it says that the run has ended. Only that ends the sleep of a wait. */
  readonly isTerminal: boolean
  /** The body, as JSON. */
  readonly payload: unknown
}

/**
 * The hub between a route and the waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Passes a delivery on, and says whether it was new. */
  readonly deliver: (delivery: Delivery) => Effect.Effect<boolean>
  /** Waits for the delivery that says that a run has ended. */
  readonly ended: (provider: string, runId: string) => Effect.Effect<Delivery>
}

/**
 * The hub between a route and the waits.
 *
 * @category services
 * @since 0.1.0
 */
export class Webhooks extends Context.Service<Webhooks, Service>()("canvas-runs/Webhooks") {}

/**
 * Makes a hub. It lives in memory: a webhook that reaches another process is no help to the waits of this one, which go
 * on polling.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options?: {
  /**
   * How many deliveries are remembered, to tell doubles and for waits that begin later.
   *
   * @default 10_000
   */
  readonly capacity?: number | undefined
}): Effect.Effect<Service> =>
  Effect.sync(() => {
    const capacity = options?.capacity ?? 10_000
    const seen = new Set<string>()
    const ends = new Map<string, Delivery>()
    const waiting = new Map<string, { readonly end: Deferred.Deferred<Delivery>; waiters: number }>()
    const keyOf = (provider: string, runId: string) => `${provider}/${runId}`

    const remember = (key: string, delivery: Delivery) => {
      ends.set(key, delivery)
      if (ends.size > capacity) ends.delete(ends.keys().next().value!)
    }

    return {
      deliver: (delivery) =>
        Effect.suspend(() => {
          const id = `${delivery.provider}/${delivery.eventId}`
          if (seen.has(id)) return Effect.succeed(false)
          seen.add(id)
          if (seen.size > capacity) seen.delete(seen.values().next().value!)
          if (!delivery.isTerminal) return Effect.succeed(true)
          const key = keyOf(delivery.provider, delivery.runId)
          remember(key, delivery)
          const entry = waiting.get(key)
          return entry === undefined ? Effect.succeed(true) : Effect.as(Deferred.succeed(entry.end, delivery), true)
        }),
      ended: (provider, runId) =>
        Effect.suspend(() => {
          const key = keyOf(provider, runId)
          const end = ends.get(key)
          if (end !== undefined) return Effect.succeed(end)
          const entry = waiting.get(key) ?? { end: Deferred.makeUnsafe<Delivery>(), waiters: 0 }
          entry.waiters++
          waiting.set(key, entry)
          return Effect.ensuring(
            Deferred.await(entry.end),
            Effect.sync(() => {
              if (--entry.waiters === 0 && waiting.get(key) === entry) waiting.delete(key)
            })
          )
        })
    }
  })

/**
 * A layer with a hub.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Webhooks> = /*#__PURE__*/ Layer.effect(Webhooks, /*#__PURE__*/ make())

/**
 * How often a wait polls while webhooks are expected, unless it is told otherwise.
 *
 * @category constants
 * @since 0.1.0
 */
export const pollInterval: Duration.Input = whileWebhooksAreExpected
