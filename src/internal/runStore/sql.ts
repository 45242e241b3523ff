/**
 * The entries of a `RunStore` in a table of a SQL database, which several processes and machines may share. The condition of each write
 * has the state, and the claim, that it replaces.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import { quote } from "../describe.ts"
import { runOf } from "../ref.ts"
import { newId } from "./keys.ts"
import * as Entries from "./entries.ts"
import * as RunRecord from "./record.ts"

/** A row. A driver may return a large number as text or as a bigint. */
interface Row {
  readonly name: string
  readonly state: RunRecord.State
  readonly claimed_at: unknown
  readonly record: unknown
}

/** The migrations of the table. */
export const migrations = (sql: SqlClient.SqlClient, table: string) => ({
  // Names and states are ASCII; a name has at most 140 characters. The other texts are JSON, so that they may have any characters
  "1_create_runs": Effect.andThen(
    sql`create table ${sql(table)} (
      name varchar(160) not null primary key,
      state varchar(16) not null,
      provider text,
      run text,
      claim varchar(40),
      claimed_at bigint,
      intended_at bigint not null,
      finished_at bigint,
      record text not null
    )`,
    Effect.asVoid(sql`create index ${sql(`${table}_state`)} on ${sql(table)} (state, intended_at)`)
  )
})

/** `creating` has the names of the keys that this process is creating a run for. */
export const make = (
  sql: SqlClient.SqlClient,
  table: string,
  createTimeout: Duration.Duration,
  creating: ReadonlySet<string>
): Entries.Entries => {
  const runs = sql(table)

  const entryOf = Effect.fnUntraced(function*(subject: Entries.Subject, row: Row, now: number) {
    const record = yield* Entries.decodeRecord(subject, row.record)
    const key = subject.key ?? record?.key ?? RunRecord.keyOf(row.name) ?? row.name
    const claimedAt = row.claimed_at === null ? -Infinity : Number(row.claimed_at)
    const isClaimed = creating.has(row.name) || now < claimedAt + Duration.toMillis(createTimeout)
    const entry = RunRecord.entryOf(key, { [row.state]: record }, isClaimed)
    // A row is written at once, so its record is never incomplete
    if (RunRecord.stateOf(entry) === row.state) return entry
    return yield* Entries.storeError(
      subject,
      `${Entries.nameOfEntry(subject)} has the state ${
        quote(row.state)
      } and a record that does not fit it. A newer version of ` +
        "canvas-runs may have written it. Nothing was created or changed."
    )
  })

  const read: Entries.Entries["read"] = Effect.fnUntraced(function*(subject) {
    const [row] = yield* Entries.ask(
      subject,
      `${Entries.nameOfEntry(subject)} could not be read`,
      () => sql<Row>`select name, state, claimed_at, record from ${runs} where name = ${subject.name}`
    )
    return row === undefined ? undefined : yield* entryOf(subject, row, yield* Clock.currentTimeMillis)
  })

  /** Runs a statement that returns the names of the rows it changed, and returns how many there were. */
  const change = (
    subject: Entries.KeySubject,
    statement: Effect.Effect<ReadonlyArray<object>, unknown>,
    ref?: RunRecord.Fields["ref"]
  ): Effect.Effect<number, Entries.RunStoreError> =>
    Effect.map(
      Entries.ask(
        subject,
        `${Entries.nameOfEntry(subject)} could not be written`,
        () => statement,
        ref === undefined ? "" : Entries.keepRef,
        ref
      ),
      (rows) => rows.length
    )

  const created = (subject: Entries.KeySubject, intendedAt: number, ref: NonNullable<RunRecord.Fields["ref"]>) => ({
    state: "created",
    provider: JSON.stringify(ref.provider),
    run: runOf(ref),
    claim: null,
    claimed_at: null,
    intended_at: intendedAt,
    record: RunRecord.encode(subject.key, { intendedAt, ref })
  })

  /** Selects the intent of a key, unless a process is creating its run. */
  const unclaimed = ({ name }: Entries.KeySubject, now: number) =>
    sql`name = ${name} and state = 'intent' and (claimed_at is null or claimed_at <= ${
      now - Duration.toMillis(createTimeout)
    })`

  return {
    read,
    claim: Effect.fnUntraced(function*(subject, earlier, intent) {
      const { intendedAt } = intent
      const claim = yield* newId
      const now = yield* Clock.currentTimeMillis
      const mine = sql`name = ${subject.name} and state = 'intent' and claim = ${claim}`
      const remove = Entries.warnOfFailure(
        Effect.asVoid(change(subject, sql`delete from ${runs} where ${mine} returning name`))
      )
      const unclaim = Entries.warnOfFailure(
        Effect.asVoid(
          change(subject, sql`update ${runs} set claimed_at = null where ${mine} returning name`)
        )
      )
      const row = {
        name: subject.name,
        state: "intent",
        claim,
        claimed_at: now,
        intended_at: intendedAt,
        record: RunRecord.encode(subject.key, intent)
      }
      const release = earlier === undefined ? remove : unclaim
      const won = yield* change(
        subject,
        earlier === undefined
          ? sql`insert into ${runs} ${sql.insert(row)} on conflict (name) do update set ${
            sql.update(row, ["name"])
          } where ${runs}.state = 'refused' returning name`
          : sql`update ${runs} set ${sql.update(row, ["name"])} where ${unclaimed(subject, now)} returning name`
      ).pipe(
        Effect.tapError(() => release),
        // Nothing has been created, so the caller need not wait for a database that never answers
        Effect.onInterrupt(() => Effect.forkDetach(release))
      )
      if (won === 0) return undefined
      return {
        keep: (ref) =>
          Effect.flatMap(
            change(
              subject,
              sql`update ${runs} set ${sql.update(created(subject, intendedAt, ref))} where ${mine} returning name`,
              ref
            ),
            (kept) => kept > 0 ? Effect.void : Effect.fail(Entries.lostClaim(subject, ref))
          ),
        release,
        giveUp: unclaim
      }
    }),
    attach: (subject, intendedAt, ref) => {
      const row = created(subject, intendedAt, ref)
      return Effect.flatMap(
        change(
          subject,
          sql`insert into ${runs} ${sql.insert({ name: subject.name, ...row })} on conflict (name) do update set ${
            sql.update(row)
          } where ${runs}.state in ('intent', 'refused') returning name`,
          ref
        ),
        (kept) => kept > 0 ? Effect.void : Effect.fail(Entries.lostClaim(subject, ref))
      )
    },
    complete: (subject, { intendedAt, ref }, finishedAt) =>
      Effect.asVoid(change(
        subject,
        sql`update ${runs} set ${
          sql.update({
            state: "finished",
            finished_at: finishedAt,
            record: RunRecord.encode(subject.key, { intendedAt, ref, finishedAt })
          })
        } where name = ${subject.name} and state = 'created' and run = ${runOf(ref)} returning name`
      )),
    refuse: (subject, at) => {
      const row = {
        name: subject.name,
        state: "refused",
        intended_at: at,
        finished_at: at,
        record: RunRecord.encode(subject.key, { intendedAt: at, finishedAt: at })
      }
      return Effect.asVoid(
        change(subject, sql`insert into ${runs} ${sql.insert(row)} on conflict (name) do nothing returning name`)
      )
    },
    free: Effect.fnUntraced(function*(subject, intent) {
      const record = RunRecord.encode(subject.key, intent)
      const now = yield* Clock.currentTimeMillis
      yield* change(
        subject,
        sql`delete from ${runs} where ${unclaimed(subject, now)} and record = ${record} returning name`
      )
    }),
    forget: (subject) =>
      Effect.asVoid(Entries.ask(
        subject,
        `${Entries.nameOfEntry(subject)} could not be removed`,
        () => sql`delete from ${runs} where name = ${subject.name}`
      )),
    list: Effect.fnUntraced(function*(operation, filter) {
      const states = RunRecord.statesOf(filter.states)
      const rows = yield* Entries.ask(
        { operation },
        "the store could not be listed",
        () =>
          sql<Row>`select name, state, claimed_at, record from ${runs} where ${
            sql.and([
              sql.in("state", states),
              ...(filter.provider === undefined ? [] : [sql`provider = ${JSON.stringify(filter.provider)}`]),
              ...(filter.before === undefined ? [] : [sql`intended_at < ${filter.before}`])
            ])
          }`
      )
      const now = yield* Clock.currentTimeMillis
      const entries = yield* Effect.forEach(
        rows,
        (row) => entryOf({ operation, name: row.name, key: undefined }, row, now)
      )
      return entries.filter(Entries.isListed(filter))
    }),
    purge: (operation, before) =>
      Effect.map(
        Entries.ask(
          { operation },
          "finished entries could not be removed",
          () =>
            sql`delete from ${runs} where state in ('finished', 'refused') and finished_at < ${before} returning name`
        ),
        (rows) => rows.length
      )
  }
}
