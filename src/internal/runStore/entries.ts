/** The interface between a `RunStore` and the storage of its entries, and the errors of the storage. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { messageOfStorage } from "../describe.ts"
import { format, RunRef } from "../ref.ts"
import * as RunRecord from "./record.ts"
import { Defect, PermanentError, TaggedError } from "../taggedError.ts"

/**
 * The store could not be read or written, or holds a record that this version of canvas-runs cannot read.
 *
 * **Details**
 *
 * If `reason` is `"storage"`, the `KeyValueStore` or the database failed, and `cause` is its error. If it is `"record"`, a record was not
 * written by canvas-runs, was written by a newer version, or was changed by another process. If a run was created before the store failed,
 * `ref` is that run: **keep it**, and store it with `attach` when the store works again.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunStoreError extends TaggedError<RunStoreError>()("RunStoreError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The call that failed, such as `"RunStore.runOnce"`. */
  operation: Schema.String,
  /** `"storage"`: the storage failed. `"record"`: there is a record that cannot be read, or that another process changed. */
  reason: Schema.Literals(["storage", "record"]),
  /** The key that the call was about, if it was about one. */
  key: Schema.optionalKey(Schema.String),
  /** The run that the call was about, if there is one. */
  ref: Schema.optionalKey(RunRef),
  /** The error of the storage, if it failed. */
  cause: Schema.optionalKey(Defect)
}) {
  /** A second attempt never creates a second run. */
  get isRetryable(): boolean {
    return this.reason === "storage"
  }
}

/**
 * Several runs have the tag of one create: a program created another run without a new intent, or used the tag elsewhere. The entry is
 * unchanged. Decide which run to keep, and `attach` it.
 *
 * @category errors
 * @since 0.1.0
 */
export class DuplicateRunsError extends PermanentError<DuplicateRunsError>()("DuplicateRunsError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The call that failed: `"RunStore.reconcile"`. */
  operation: Schema.String,
  /** The key that the call was about. */
  key: Schema.String,
  /** The runs. */
  refs: Schema.Array(RunRef)
}) {}

/** The key that an operation is about. It is not known if only its name was listed. */
export interface Subject {
  readonly operation: string
  readonly name: string
  readonly key: string | undefined
}

export interface KeySubject extends Subject {
  readonly key: string
}

type Entry = RunRecord.Entry

/** The entries of a store in one kind of storage. */
export interface Entries {
  readonly read: (subject: Subject) => Effect.Effect<Entry | undefined, RunStoreError>
  /**
   * Writes the intent of a create. It replaces the intent `earlier`, if there is one. Returns `undefined` if another process was faster.
   * An interruption removes the new intent, unless it replaced one.
   */
  readonly claim: (
    subject: KeySubject,
    earlier: RunRecord.UnfinishedEntry | undefined,
    intent: RunRecord.Intent
  ) => Effect.Effect<Claim | undefined, RunStoreError>
  /** Writes the ref of a run that was created elsewhere, if the key has no ref yet. */
  readonly attach: (subject: KeySubject, intendedAt: number, ref: RunRef) => Effect.Effect<void, RunStoreError>
  readonly complete: (
    subject: KeySubject,
    entry: CreatedEntry,
    finishedAt: number
  ) => Effect.Effect<void, RunStoreError>
  /** Marks a key that has no run and no intent: its run is not to be created. */
  readonly refuse: (subject: KeySubject, at: number) => Effect.Effect<void, RunStoreError>
  readonly forget: (subject: Subject) => Effect.Effect<void, RunStoreError>
  /** Removes the intent of an unknown create, unless another process has changed or claimed it. */
  readonly free: (subject: KeySubject, intent: RunRecord.Intent) => Effect.Effect<void, RunStoreError>
  /** The entries that fit, in no order. */
  readonly list: (operation: string, filter: Filter) => Effect.Effect<ReadonlyArray<Entry>, RunStoreError>
  /** Removes the finished and refused entries that ended before a time, and returns how many there were. */
  readonly purge: (operation: string, before: number) => Effect.Effect<number, RunStoreError>
}

/** The right to create the run of a key, from the intent to the ref. */
export interface Claim {
  /** Writes the ref of the run that was created. */
  readonly keep: (ref: RunRef) => Effect.Effect<void, RunStoreError>
  /** Removes the intent, because no run was created. */
  readonly release: Effect.Effect<void>
  /** Leaves the intent, because a run may have been created, and ends the claim. */
  readonly giveUp: Effect.Effect<void>
}

type CreatedEntry = Extract<Entry, { readonly _tag: "Created" }>

/** The entries that `list` returns. */
export interface Filter {
  readonly states: ReadonlyArray<Entry["_tag"]>
  readonly provider?: string | undefined
  /** Unix milliseconds: entries that were intended before. */
  readonly before?: number | undefined
}

/** Whether an entry fits. */
export const isListed = ({ before = Infinity, provider, states }: Filter) => (entry: Entry): boolean =>
  states.includes(entry._tag) && (entry.intendedAt ?? 0) < before &&
  (provider === undefined || "ref" in entry && entry.ref.provider === provider)

/** Decodes the text of a record that is, or may be, about the key of the subject. */
export const decodeRecord = (
  subject: Subject,
  text: unknown
): Effect.Effect<RunRecord.Stored | undefined, RunStoreError> =>
  Effect.mapError(
    Effect.fromResult(RunRecord.decode(text, subject.key)),
    (fault) => storeError(subject, `${nameOfEntry(subject)} ${fault}. Nothing was created or changed.`)
  )

/** What to do with the ref of a run that could not be stored. */
export const keepRef = " Keep this error's ref, and attach it when the store works again."

/** Logs a failure instead of failing with it. */
export const warnOfFailure = <E extends { readonly message: string }, R>(
  self: Effect.Effect<void, E, R>
): Effect.Effect<void, never, R> => Effect.catch(self, (error) => Effect.logWarning(`canvas-runs: ${error.message}`))

export const nameOfEntry = ({ key, name }: Subject): string =>
  key === undefined ? `the entry ${name}` : `the entry of ${JSON.stringify(key)}`

export type About = Pick<Subject, "operation"> & Partial<Subject>

/** Asks the storage. A failure, a defect and a throw are all failures of the storage, because there may be a run. */
export const ask = <A>(
  about: About,
  what: string,
  question: () => Effect.Effect<A, unknown>,
  advice = "",
  ref?: RunRef
) =>
  Effect.catchCause(Effect.suspend(question), (reasons) => {
    if (Cause.hasInterruptsOnly(reasons)) return Effect.failCause(reasons as Cause.Cause<never>)
    const cause = Cause.squash(reasons)
    const message = `${what} (${messageOfStorage(cause)}).${
      ref === undefined ? "" : ` It is about ${format(ref)}.`
    }${advice}`
    return Effect.fail(storeError(about, message, { cause, ref }))
  })

/** The error about a record, or about a storage that failed. */
export const storeError = (
  { key, operation }: About,
  message: string,
  failed?: { readonly cause: unknown; readonly ref: RunRef | undefined }
): RunStoreError =>
  new RunStoreError({
    message: `${operation}: ${message}`,
    operation,
    reason: failed === undefined ? "record" : "storage",
    key,
    ...failed
  })

/** The error about runs that have the tag of one create. */
export const duplicateRuns = ({ key, operation }: KeySubject, refs: ReadonlyArray<RunRef>): DuplicateRunsError =>
  new DuplicateRunsError({
    message: `${operation}: ${refs.length} runs have the tag of ${JSON.stringify(key)}: ${
      refs.map(format).join(", ")
    }. Decide which run is to be followed, and attach it.`,
    operation,
    key,
    refs
  })

/** The error of a process that created a run for a key that another process has decided about meanwhile. */
export const lostClaim = (subject: KeySubject, ref: RunRef): RunStoreError =>
  new RunStoreError({
    ...storeError(
      subject,
      `the run ${format(ref)} exists, and ${
        nameOfEntry(subject)
      } was attached, forgotten or retried by another process ` +
        "meanwhile. Keep this error's ref, and decide which run is to be followed."
    ),
    ref
  })
