/** Rudeness of webhooks. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as WebhookDelivery from "../../WebhookDelivery.ts"
import type { Has } from "./json.ts"

/** The script of deliveries with rudeness added. */
export const script = (has: Has, own: WebhookDelivery.Script | undefined): WebhookDelivery.Script =>
  !has("repeatedWebhooks") && !has("reorderedWebhooks") ? own ?? {} : (due) => {
    const mishap = (typeof own === "function" ? own(due) : own) ?? {}
    return {
      ...mishap,
      ...(has("repeatedWebhooks") ? { copies: 2 * (mishap.copies ?? 1) } : {}),
      ...(has("reorderedWebhooks") && due.index % 2 === 0
        ? { delay: Duration.sum(Duration.fromInputUnsafe(mishap.delay ?? 0), Duration.seconds(1)) }
        : {})
    }
  }

/** Holds back the response to a create, so that webhooks that are due at once arrive before it. */
export const beforeAnswer = (has: Has): Effect.Effect<void> =>
  has("earlyWebhooks") ? Effect.sleep("200 millis") : Effect.void
