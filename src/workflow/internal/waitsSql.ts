/**
 * The waits in a table of a SQL database. Several processes may share it: each polls the waits of some partitions. At an interval it reads
 * the changed waits of its partitions with one statement. A poll of a run costs no statement.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import type * as DurableDeferred from "effect/workflow/DurableDeferred"
import { RunRef } from "../../internal/ref.ts"
import { nameOf } from "../../internal/runStore/record.ts"
import { follow, lasting, type Polls, type Signal } from "./follow.ts"
import type { AnyProvider } from "./provider.ts"
import type { Kept, Wait, WaitEntry } from "./waits.ts"

/** A row. A driver may return a large number as text or as a bigint. */
interface Row {
  readonly name: string
  readonly id: string
  readonly token: DurableDeferred.Token
  readonly ref: unknown
  readonly bucket: unknown
  readonly state: WaitEntry["state"]
  readonly started_at: unknown
  readonly deadline: unknown
  readonly wakes: unknown
}

/** The migrations of the table. */
export const migrations = (sql: SqlClient.SqlClient, table: string) => ({
  "1_create_waits": Effect.gen(function*() {
    // A name is ASCII and has at most 140 characters
    yield* sql`create table ${sql(table)} (
      name varchar(160) not null primary key,
      id text not null,
      token text not null,
      run text not null,
      ref text not null,
      bucket integer not null,
      state varchar(16) not null,
      started_at bigint not null,
      deadline bigint,
      wakes integer not null,
      changed_at bigint not null
    )`
    yield* sql`create index ${sql(`${table}_changed`)} on ${sql(table)} (changed_at)`
    yield* sql`create index ${sql(`${table}_run`)} on ${sql(table)} (run)`
  })
})

/** The number of buckets. Each bucket belongs to one partition, so the number of partitions can change without a write. */
const buckets = 1 << 15

const bucketOf = (name: string): number => {
  let hash = 0
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) % buckets
  return hash
}

/** A webhook names the run by its provider and id. */
const runOf = (provider: string, id: string): string => JSON.stringify([provider, id.toLowerCase()])

/** How far the clocks of the machines may differ, and how long a transaction may take until others see it, in milliseconds. */
const overlap = 30_000

/** The interval in milliseconds at which all waits are read, in case clocks differ by more than {@link overlap}. */
const wholeInterval = 600_000

const decodeRef = Schema.decodeUnknownEffect(Schema.fromJsonString(RunRef))

/** The wait of a row, or nothing if it cannot be read. */
const waitOf = ({ deadline, id, ref, started_at, token }: Row): Effect.Effect<Wait | undefined> =>
  decodeRef(ref).pipe(
    Effect.map((ref) => ({
      id,
      token,
      ref,
      startedAt: Number(started_at),
      deadline: deadline === null ? Infinity : Number(deadline)
    })),
    Effect.catch((error) =>
      Effect.as(
        Effect.logError(`canvas-runs: the wait ${id} cannot be read, maybe because a newer version wrote it`, error),
        undefined
      )
    )
  )

/** The dependencies and options of the service and its pollers. */
export interface Settings<P extends AnyProvider> {
  readonly sql: SqlClient.SqlClient
  readonly table: string
  readonly partitions: number
  readonly refreshInterval: Duration.Duration
  readonly polls: Polls<P>
}

/** Makes the service, the poller of each partition, and `refreshing`, which reads changes for all pollers of the process. */
export const make = <P extends AnyProvider>({ partitions, polls, refreshInterval, sql, table }: Settings<P>) => {
  const waits = sql(table)
  const columns = sql`name, id, token, ref, bucket, state, started_at, deadline, wakes`
  /** The partitions that this process polls now, each with the function that handles a row that may have changed. */
  const owned = new Map<number, (row: Row) => Effect.Effect<void>>()
  const partitionOf = ({ bucket }: Pick<Row, "bucket">): number => Number(bucket) % partitions

  /** Hands a row to the poller of its partition, if this process has it. */
  const take = (row: Row) => owned.get(partitionOf(row))?.(row) ?? Effect.void

  const read = (mine: ReadonlyArray<number>, since: number) =>
    Effect.flatMap(
      sql<Row>`select ${columns} from ${waits} where changed_at >= ${since} and bucket % ${partitions} in ${
        sql.in(mine)
      }`,
      Effect.forEach(take, { discard: true })
    )

  let readUntil = 0
  let readWhole = 0
  /** Excludes removals while rows are read: a row that is read and then removed would look like a new wait. */
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  const refresh = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const isWhole = now - readWhole >= wholeInterval
    if (owned.size > 0) yield* read(Array.from(owned.keys()), isWhole ? 0 : readUntil - overlap)
    readUntil = now
    if (isWhole) readWhole = now
  }).pipe(
    oneAtATime,
    Effect.catchCause((cause) => Effect.logWarning("canvas-runs: the waits could not be read", cause))
  )

  /** Reads the changes at once, if this process polls one of the rows. */
  const refreshFor = (rows: ReadonlyArray<Pick<Row, "bucket">>) =>
    rows.some((row) => owned.has(partitionOf(row))) ? refresh : Effect.void

  const service: Kept = {
    begin: ({ deadline, id, ref, startedAt, token }) =>
      Effect.gen(function*() {
        const name = yield* nameOf(id)
        const row = {
          name,
          id,
          token,
          run: runOf(ref.provider, ref.id),
          ref: JSON.stringify(ref),
          bucket: bucketOf(name),
          state: "waiting",
          // The columns are whole numbers
          started_at: Math.floor(startedAt),
          deadline: deadline > Number.MAX_SAFE_INTEGER ? null : Math.ceil(deadline),
          wakes: 0,
          changed_at: yield* Clock.currentTimeMillis
        }
        const inserted = yield* lasting(
          "storing a wait",
          sql<Row>`insert into ${waits} ${sql.insert(row)} on conflict (name) do nothing returning ${columns}`
        )
        // If this process polls it, it begins at once
        yield* Effect.forEach(inserted, take, { discard: true })
      }),
    interrupt: (id) =>
      Effect.gen(function*() {
        const name = yield* nameOf(id)
        const changes = { state: "interrupted", changed_at: yield* Clock.currentTimeMillis }
        yield* Effect.flatMap(
          lasting(
            "marking a wait as interrupted",
            sql<Row>`update ${waits} set ${sql.update(changes)} where name = ${name} returning bucket`
          ),
          refreshFor
        )
      }),
    wake: (provider, runId) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        yield* refreshFor(
          yield* sql<Row>`update ${waits} set wakes = wakes + 1, changed_at = ${now} where run = ${
            runOf(provider, runId)
          } and state = 'waiting' returning bucket`
        )
      }).pipe(
        // The run is polled anyway
        Effect.catchCause((cause) => Effect.logWarning("canvas-runs: a webhook could not wake its wait", cause))
      ),
    list: Effect.flatMap(
      sql<Row>`select ${columns} from ${waits} order by started_at`,
      (rows) =>
        Effect.map(
          Effect.forEach(rows, (row) => Effect.map(waitOf(row), (wait) => wait && [{ ...wait, state: row.state }])),
          (entries) => entries.flatMap((entry) => entry ?? [])
        )
    ),
    purge: (before) =>
      Effect.map(
        sql`delete from ${waits} where state = 'interrupted' and changed_at < ${before} returning name`,
        ({ length }) => length
      )
  }

  /** Begins again after a defect: the run of one wait may have caused it. */
  const poll = (partition: number) => lasting("polling the runs of workflows", Effect.scoped(pollOnce(partition)))

  const pollOnce = (partition: number) =>
    Effect.gen(function*() {
      const begun = yield* Queue.unbounded<Wait>()
      const signals = yield* Queue.unbounded<Signal>()
      const known = new Map<string, { readonly wait: Wait; wakes: number }>()

      const takeRow = (row: Row) =>
        Effect.gen(function*() {
          const before = known.get(row.id)
          const wakes = Number(row.wakes)
          if (before === undefined) {
            if (row.state !== "waiting") return
            const wait = yield* waitOf(row)
            if (wait === undefined) return
            known.set(row.id, { wait, wakes })
            Queue.offerUnsafe(begun, wait)
          } else if (row.state === "interrupted") {
            known.delete(row.id)
            Queue.offerUnsafe(signals, { _tag: "Stop", wait: before.wait })
          } else if (wakes > before.wakes) {
            before.wakes = wakes
            Queue.offerUnsafe(signals, { _tag: "Push", wait: before.wait })
          }
        })

      yield* Effect.acquireRelease(
        Effect.sync(() => owned.set(partition, takeRow)),
        () => Effect.sync(() => owned.delete(partition))
      )
      yield* lasting("reading the waits", oneAtATime(read([partition], 0)))
      yield* follow(polls, Stream.fromQueue(begun), Stream.fromQueue(signals), ({ id }) =>
        Effect.gen(function*() {
          const name = yield* nameOf(id)
          const remove = Effect.map(sql`delete from ${waits} where name = ${name}`, () => known.delete(id))
          yield* lasting("removing a wait", oneAtATime(remove))
        }))
    })

  return { service, poll, refreshing: Effect.repeat(refresh, Schedule.spaced(refreshInterval)) }
}
