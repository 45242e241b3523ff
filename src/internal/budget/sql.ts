/** A ledger in two tables of a SQL database, which several processes and machines may share. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import { runOf } from "../ref.ts"
import type { Ledger, Range, Sums } from "./ledger.ts"

/** The migrations of the tables. */
export const migrations = (sql: SqlClient.SqlClient, table: string) => ({
  "1_create_budget": Effect.gen(function*() {
    yield* sql`create table ${
      sql(`${table}_accounts`)
    } (account varchar(255) not null primary key, changes bigint not null)`
    yield* sql`create table ${sql(table)} (
      id varchar(40) not null primary key,
      account varchar(255) not null,
      amount double precision not null,
      spent smallint not null,
      run text,
      at bigint not null,
      expires_at bigint
    )`
    yield* sql`create index ${sql(`${table}_account`)} on ${sql(table)} (account, at)`
    yield* sql`create index ${sql(`${table}_run`)} on ${sql(table)} (run)`
  })
})

export const make = (sql: SqlClient.SqlClient, table: string): Ledger => {
  const items = sql(table)
  const accounts = sql(`${table}_accounts`)

  const sums = (account: string, { now, since }: Range): Effect.Effect<Sums, unknown> =>
    Effect.map(
      sql<{ readonly spent: number; readonly total: unknown }>`
        select spent, sum(amount) as total from ${items}
        where account = ${account} and at > ${since} and (expires_at is null or expires_at > ${now})
        group by spent`,
      (rows) => {
        const total = (spent: number) => Number(rows.find((row) => Number(row.spent) === spent)?.total ?? 0)
        return { spent: total(1), reserved: total(0) }
      }
    )

  return {
    sums,
    reserve: (item, { createMillis, limit, rangeAt }) =>
      sql.withTransaction(Effect.gen(function*() {
        // Locks the row of the account until the transaction ends, so that each reservation sees those before it
        yield* sql`insert into ${accounts} ${sql.insert({ account: item.account, changes: 1 })}
          on conflict (account) do update set changes = ${accounts}.changes + 1`
        const now = yield* Clock.currentTimeMillis
        const range = rangeAt(now)
        yield* sql`delete from ${items} where account = ${item.account} and (at <= ${range.since} or expires_at <= ${now})`
        const before = yield* sums(item.account, range)
        const isReserved = before.spent + before.reserved + item.amount <= limit
        if (isReserved) {
          const expiresAt = now + createMillis
          // The column is a whole number
          const expires_at = expiresAt > Number.MAX_SAFE_INTEGER ? null : Math.ceil(expiresAt)
          yield* sql`insert into ${items} ${sql.insert({ ...item, at: now, spent: 0, expires_at })}`
        }
        return { ...before, isReserved }
      })),
    keep: Effect.fnUntraced(function*(item, ref) {
      const kept = { run: ref === undefined ? null : runOf(ref), expires_at: null }
      yield* sql`insert into ${items} ${sql.insert({ ...item, ...kept, at: yield* Clock.currentTimeMillis, spent: 0 })}
        on conflict (id) do update set ${sql.update(kept)}`
    }),
    release: (id) => Effect.asVoid(sql`delete from ${items} where id = ${id}`),
    settle: (ref, cost) =>
      Effect.asVoid(
        cost === undefined
          ? sql`update ${items} set spent = 1 where run = ${runOf(ref)} and spent = 0`
          : sql`update ${items} set spent = 1, amount = ${cost} where run = ${runOf(ref)} and spent = 0`
      )
  }
}
