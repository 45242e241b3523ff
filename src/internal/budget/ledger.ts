/** What a `Budget` asks of the storage of its reservations and costs. */
import type * as Effect from "effect/Effect"
import type { RunRef } from "../ref.ts"

/** A reservation, or what a run has cost. */
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

/** What counts: costs and reservations of runs since a time, and the reservations of creates that have not expired. */
export interface Range {
  /** Unix milliseconds: what was reserved before does not count. */
  readonly since: number
  readonly now: number
}

/** The items of all accounts. Each operation is atomic, also among processes. */
export interface Ledger {
  /**
   * Adds the reservation if the sums stay within the limit with it, and returns the sums without it. It expires `createMillis` after it is
   * added, which may be long after the call: other processes come first.
   */
  readonly reserve: (
    item: Item,
    options: {
      readonly limit: number
      readonly createMillis: number
      readonly rangeAt: (now: number) => Range
    }
  ) => Effect.Effect<Sums & { readonly isReserved: boolean }, unknown>
  /** Makes a reservation that of a run, which does not expire. */
  readonly attach: (id: string, ref: RunRef) => Effect.Effect<void, unknown>
  /** Makes a reservation one that does not expire, as its run may exist. */
  readonly keep: (id: string) => Effect.Effect<void, unknown>
  /** Removes a reservation. */
  readonly release: (id: string) => Effect.Effect<void, unknown>
  /** Replaces the reservation of a run by its cost. `undefined` for a cost that is the reservation. */
  readonly settle: (ref: RunRef, cost: number | undefined) => Effect.Effect<void, unknown>
  readonly sums: (account: string, range: Range) => Effect.Effect<Sums, unknown>
}
