/**
 * The webhooks that an emulator sends, and what goes wrong with them: plain data for every provider.
 *
 * A `Fault` applies to requests that an emulator receives, and a {@link Mishap} to webhooks that it sends. Webhooks get lost, are
 * late, arrive twice and overtake each other. A {@link Script} says which of them do. Give it to an emulator as the option
 * `deliveryScript`, or with `scriptDeliveries` of the control service.
 *
 * **Example** (The first webhook is late, every third is lost, the others arrive twice)
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
  /** The id of the event, if the provider gives it one. It is the same for all endpoints. */
  readonly id: string
  /** The type of the event, as the provider names it, or `run` for the webhook of a single Tela run. */
  readonly event: string
  /** The id of the subscription, if it is one of Tela. */
  readonly webhookId: string | undefined
  /** The id of the run or the task that it is about; `undefined` for a ping. */
  readonly subjectId: string | undefined
  /** The address that it is sent to. */
  readonly url: string
  /** The headers, as they were last sent. */
  readonly headers: Readonly<Record<string, string>>
  /** The decoded body. */
  readonly body: unknown
  /** When it was due, in milliseconds of the emulator's clock. */
  readonly createdAt: number
  /**
   * The state of the delivery. `pending`: it waits for its delay, a response or the next attempt. `delivered`: it was answered
   * with success at least once. `failed`: all attempts failed. `refused`: the emulator did not send it, because its host is not
   * this machine. `lost`: a {@link Mishap} lost it.
   */
  readonly status: "pending" | "delivered" | "failed" | "refused" | "lost"
  /** The HTTP status of the last response; `undefined` if there was none. */
  readonly statusCode: number | undefined
  /** How often it was sent. */
  readonly attempts: number
}

/**
 * A webhook that is about to be sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Due extends Pick<Delivery, "event" | "subjectId" | "url"> {
  /** How many webhooks were due before it. */
  readonly index: number
}

/**
 * What goes wrong with one webhook. Times are those of the emulator's clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mishap {
  /**
   * Whether it is never sent.
   *
   * @default false
   */
  readonly lost?: boolean | undefined
  /**
   * How long it is delayed before it is sent. A later webhook with a shorter delay overtakes it.
   *
   * @default 0
   */
  readonly delay?: Duration.Input | undefined
  /**
   * How often it is sent, each time with separate retries.
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
   * How many of the first attempts arrive without a response that the provider sees: each waits until its timeout, and is
   * repeated as if it had failed.
   *
   * @default 0
   */
  readonly unanswered?: number | undefined
}

/**
 * What goes wrong with webhooks: the same with all of them, or the result of a function for each. `undefined` means nothing.
 *
 * @see {@link module:Fault} for the requests that an emulator receives
 * @category models
 * @since 0.1.0
 */
export type Script = Mishap | ((delivery: Due) => Mishap | undefined)
