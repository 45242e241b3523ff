/** The interface between a `Budget` and the storage of its reservations and costs. */
import type * as Effect from "effect/Effect"
import type { RunRef } from "../ref.ts"

/** A reservation, or the cost of a run. */
export interface Item {
  readonly id: string
  readonly account: string
  readonly amount: number
}

/** The sums of an account. */
export interface Sums {
  readonly spent: number
  readonly reserved: number
}

/** The range of items that count: those reserved after `since`, without the reservations that have expired at `now`. */
export interface Range {
  /** Unix milliseconds: what was reserved before does not count. */
  readonly since: number
  readonly now: number
}

/** The items of all accounts. Each operation is atomic, also if several processes share the storage. */
export interface Ledger {
  /**
   * Adds the reservation if the sums with it stay within the limit, and returns the sums without it. The reservation expires `createMillis`
   * after it is added. It may be added long after the call, because other processes have their turn first.
   */
  readonly reserve: (
    item: Item,
    options: {
      readonly limit: number
      readonly createMillis: number
      readonly rangeAt: (now: number) => Range
    }
  ) => Effect.Effect<Sums & { readonly isReserved: boolean }, unknown>
  /**
   * Makes a reservation permanent: for its run, or without one if a run may exist. If the reservation has expired, because the create took
   * too long, it is added again, also above the limit.
   */
  readonly keep: (item: Item, ref?: RunRef) => Effect.Effect<void, unknown>
  /** Removes a reservation. */
  readonly release: (id: string) => Effect.Effect<void, unknown>
  /** Replaces the reservation of a run by its cost. If `cost` is `undefined`, the reservation is the cost. */
  readonly settle: (ref: RunRef, cost: number | undefined) => Effect.Effect<void, unknown>
  readonly sums: (account: string, range: Range) => Effect.Effect<Sums, unknown>
}
