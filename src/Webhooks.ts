/**
 * Webhooks and polling for the same run: the first signal that it has ended counts.
 *
 * **When to use**
 *
 * Use it if the provider can reach your program, and a wait should end within a second or with fewer polls. Without webhooks
 * nothing is lost: polling alone finds every end.
 *
 * **Details**
 *
 * A {@link Webhooks} hub connects the route that receives webhooks with the waits that they are about. Give it to a
 * client, and to the provider's route (`Spine.layerWebhookRoute`, `Tela.layerWebhookRoute`). While a wait runs,
 *
 * - the wait still polls, once a minute unless its options say otherwise, because webhooks are expected to arrive first. For Tela
 *   this applies to an execution whose call had a `webhookUrl`. An execution that was looked up is polled every second, because it is
 *   not known whether it has a webhook;
 * - a webhook that says that the run has ended makes the wait poll at once. The webhook itself is never the answer: not every
 *   provider signs its webhooks, and the response to a poll is complete;
 * - each later webhook of this kind makes the wait poll no sooner than one second after the last poll, or 100 milliseconds if the
 *   provider signs its webhooks. A sender that knows the token can therefore not flood the provider;
 * - a lost webhook costs only delay, a duplicate delivery does nothing, and a webhook that arrives before the wait is remembered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { quote } from "./internal/describe.ts"
import * as Options from "./internal/options.ts"
import { type Delivery, type Service, Webhooks } from "./internal/webhooks/hub.ts"
import type { BadRequestError } from "./RunError.ts"

export { type Delivery, pollInterval, type Service, Webhooks } from "./internal/webhooks/hub.ts"

/**
 * Creates a hub. It lives in memory: a webhook that reaches another process does not end the waits of this one, which keep
 * polling. A `capacity` that is not a whole number above 0 throws a `RangeError`.
 *
 * **When to use**
 *
 * Use it to give the hub to a client as the option `webhooks`. Otherwise use {@link layer}.
 *
 * **Example** (A small hub)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Webhooks } from "canvas-runs"
 *
 * const main = Effect.gen(function*() {
 *   const hub = yield* Webhooks.make({ capacity: 100 })
 *   return yield* hub.deliver({ provider: "acme", runId: "42", eventId: "event-1", isTerminal: true })
 * })
 *
 * console.log(await Effect.runPromise(main)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options?: {
  /**
   * How many deliveries to remember, for deduplication and for waits that start later. Only their ids are kept: at most a
   * kilobyte for each.
   *
   * @default 10_000
   */
  readonly capacity?: number | undefined
}): Effect.Effect<Service> => {
  const { capacity = 10_000 } = Options.readOrThrow(options, ["capacity"])
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new RangeError(`capacity is ${quote(capacity)}; it must be a whole number, 1 or more.`)
  }
  return Effect.sync(() => {
    const seen = new Set<string>()
    /** The number of the last completion signal of each run. */
    const signals = new Map<string, number>()
    const waiting = new Map<string, Set<(signal: Effect.Effect<number>) => void>>()
    let count = 0

    return {
      deliver: (given) =>
        Effect.map(readDelivery(given), (delivery) => {
          const id = keyOf(delivery.provider, delivery.eventId)
          if (seen.has(id)) return false
          seen.add(id)
          if (seen.size > capacity) seen.delete(seen.values().next().value!)
          if (!delivery.isTerminal) return true
          const key = runKeyOf(delivery.provider, delivery.runId)
          // Removed before it is inserted again, so that the map stays in the order of age
          signals.delete(key)
          signals.set(key, ++count)
          if (signals.size > capacity) signals.delete(signals.keys().next().value!)
          const waits = waiting.get(key)
          waiting.delete(key)
          waits?.forEach((resume) => resume(Effect.succeed(count)))
          return true
        }),
      ended: (provider, runId, after = 0) =>
        Effect.callback((resume) => {
          Options.need("provider", provider, Predicate.isString, "text")
          Options.need("runId", runId, Predicate.isString, "text")
          const key = runKeyOf(provider, runId)
          const number = signals.get(key)
          if (number !== undefined && number > after) return resume(Effect.succeed(number))
          const waits = waiting.get(key) ?? new Set()
          waiting.set(key, waits.add(resume))
          return Effect.sync(() => {
            waits.delete(resume)
            if (waits.size === 0 && waiting.get(key) === waits) waiting.delete(key)
          })
        })
    }
  })
}

/** Copies a delivery. It may have more members. */
const readDelivery = (given: Delivery): Effect.Effect<Delivery, BadRequestError> =>
  Options.reading(operation, "delivery", () =>
    Effect.gen(function*() {
      yield* Options.checkGiven(operation, "delivery", given, Predicate.isObject, "an object")
      const { eventId, isTerminal, provider, runId } = given
      for (const [name, value] of Object.entries({ provider, runId, eventId })) {
        yield* Options.checkText(operation, name, value)
      }
      yield* Options.checkGiven(operation, "isTerminal", isTerminal, Predicate.isBoolean, "true or false")
      return { provider, runId, eventId, isTerminal }
    }))

const operation = "Webhooks.deliver"

const maxId = 400

/**
 * Providers send short ids. A longer one is cut, so that the memory of the hub is bounded. It is also copied, because a
 * slice keeps the whole string in memory.
 */
const keyOf = (provider: string, id: string): string =>
  `${provider}/${id.length > maxId ? Array.from(id.slice(0, maxId)).join("") : id}`

/** The ids of runs are UUIDs, whose case means nothing. */
const runKeyOf = (provider: string, id: string): string => keyOf(provider, id.toLowerCase())

/**
 * A layer with a hub of the default capacity. Provide it to the route and to the client together, so that they share one hub.
 *
 * **Example** (A route and a client on one hub)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Spine, Webhooks } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const secret = "whsec_example"
 * const route = Spine.layerWebhookRoute({ path: "/webhooks/spine", secret: Redacted.make(secret) })
 * const client = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(Layer.provide(SpineEmulator.layerTest()))
 *
 * const app = HttpRouter.toWebHandler(Layer.mergeAll(route, client).pipe(Layer.provide(Webhooks.layer)), {
 *   disableLogger: true
 * })
 * const response = await app.handler(new Request("http://localhost/webhooks/spine", { method: "POST", body: "forged" }))
 * console.log(response.status) // => 400
 * await app.dispose()
 * ```
 *
 * @see {@link make} for a hub of another capacity
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Webhooks> = /*#__PURE__*/ Layer.effect(Webhooks, /*#__PURE__*/ make())
