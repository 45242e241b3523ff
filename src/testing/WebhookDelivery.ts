/**
 * What an emulator calls by itself, and what goes wrong with it on the way: plain data for every provider.
 *
 * A `Fault` is for requests that an emulator receives; a {@link Mishap} is for the webhooks that it sends. Webhooks get
 * lost, are late, come twice and overtake each other: give an emulator a {@link Script} that says which, as its
 * `deliveryScript` option or with the control service's `scriptDeliveries`.
 *
 * **Example** (The first webhook is late, every third is lost, the others come twice)
 *
 * ```ts
 * import type { WebhookDelivery } from "canvas-runs/testing"
 *
 * const script: WebhookDelivery.Script = ({ index }) =>
 *   index === 0 ? { delay: "10 seconds" } : index % 3 === 2 ? { lost: true } : { copies: 2 }
 *
 * script({ index: 5, event: "run.completed", subjectId: "1", url: "http://127.0.0.1:8080/hook" }) // => { lost: true }
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"

/**
 * A webhook that was due.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  /** The event's id, where the provider gives it one: the same for all who are told. */
  readonly id: string
  /** What it tells of: the provider's word, or `run` for the webhook of a single Tela run. */
  readonly event: string
  /** The id of a Tela subscription. */
  readonly webhookId: string | undefined
  /** The id of the run or the task that it is about; none for a ping. */
  readonly subjectId: string | undefined
  readonly url: string
  /** The headers, as they were last sent. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** When it was due, on the emulator's clock. */
  readonly createdAt: number
  /**
   * `delivered` is one that was answered with success at least once. `refused` is one that the emulator did not even
   * try, as it was meant for somewhere else than this machine, and `lost` is one that a {@link Mishap} took.
   */
  readonly status: "pending" | "delivered" | "failed" | "refused" | "lost"
  /** The status of the last answer; `undefined` if there was none. */
  readonly statusCode: number | undefined
  /** How often it has left. */
  readonly attempts: number
}

/**
 * A webhook that is about to leave.
 *
 * @category models
 * @since 0.1.0
 */
export interface Due extends Pick<Delivery, "event" | "subjectId" | "url"> {
  /** How many were due before it. */
  readonly index: number
}

/**
 * What goes wrong with one webhook. Times are of the emulator's clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mishap {
  /**
   * It is never sent, and not tried again.
   *
   * @default false
   */
  readonly lost?: boolean | undefined
  /**
   * How long it is held up before it leaves. One that is held up longer than the next is overtaken by it.
   *
   * @default 0
   */
  readonly delay?: Duration.Input | undefined
  /**
   * How often it leaves, each time with retries of its own.
   *
   * @default 1
   */
  readonly copies?: number | undefined
  /**
   * The time from one copy to the next.
   *
   * @default 0
   */
  readonly gap?: Duration.Input | undefined
  /**
   * How many of its first tries arrive without the provider learning of it: each waits until it gives up, and is
   * repeated as if it had failed.
   *
   * @default 0
   */
  readonly unanswered?: number | undefined
}

/**
 * What goes wrong with webhooks: the same with all of them, or what a function says of each. `undefined` is nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = Mishap | ((delivery: Due) => Mishap | undefined)
