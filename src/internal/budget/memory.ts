/** A ledger in memory, for one process. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { runOf } from "../ref.ts"
import type { Item, Ledger, Range, Sums } from "./ledger.ts"

interface Row extends Item {
  amount: number
  /** Unix milliseconds. */
  at: number
  isSpent: boolean
  expiresAt: number
  run: string | undefined
}

export const make = (): Ledger => {
  const rows = new Map<string, Row>()

  const sums = (account: string, { now, since }: Range): Sums => {
    let [spent, reserved] = [0, 0]
    for (const [id, row] of rows) {
      if (row.at <= since || row.expiresAt <= now) rows.delete(id)
      else if (row.account !== account) continue
      else if (row.isSpent) spent += row.amount
      else reserved += row.amount
    }
    return { spent, reserved }
  }

  return {
    reserve: (item, { createMillis, limit, rangeAt }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const before = sums(item.account, rangeAt(now))
        const isReserved = before.spent + before.reserved + item.amount <= limit
        if (isReserved) {
          rows.set(item.id, { ...item, at: now, isSpent: false, expiresAt: now + createMillis, run: undefined })
        }
        return { ...before, isReserved }
      }),
    keep: (item, ref) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const at = rows.get(item.id)?.at ?? now
        rows.set(item.id, { ...item, at, isSpent: false, expiresAt: Infinity, run: ref && runOf(ref) })
      }),
    release: (id) => Effect.sync(() => rows.delete(id)),
    settle: (ref, cost) =>
      Effect.sync(() => {
        for (const row of rows.values()) {
          if (row.run !== runOf(ref) || row.isSpent) continue
          row.isSpent = true
          row.amount = cost ?? row.amount
        }
      }),
    sums: (account, range) => Effect.sync(() => sums(account, range))
  }
}
