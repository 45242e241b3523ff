/** The records of a `RunStore` in its `KeyValueStore`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import { messageOf } from "../describe.ts"
import { format, RunRef } from "../ref.ts"
import * as RunRecord from "./record.ts"
import { Defect, TaggedError } from "../taggedError.ts"

/**
 * The store could not be read or written, or holds a record that this version of canvas-runs cannot read.
 *
 * **Details**
 *
 * If `reason` is `"storage"`, the `KeyValueStore` failed and `cause` is its error. If it is `"record"`, there is a record that is
 * not one of canvas-runs, or that a newer version wrote. If a run was created before the store failed, `ref` is that run: **keep
 * it**, and store it with `attach` when the store works again.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunStoreError extends TaggedError<RunStoreError>()("RunStoreError", {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The call that failed, such as `"RunStore.runOnce"`. */
  operation: Schema.String,
  /** `"storage"`: the `KeyValueStore` failed. `"record"`: there is a record that cannot be read. */
  reason: Schema.Literals(["storage", "record"]),
  /** The key that the call was about, if it was about one. */
  key: Schema.optionalKey(Schema.String),
  /** The run that the call was about, if there is one. */
  ref: Schema.optionalKey(RunRef),
  /** The error of the `KeyValueStore`, if it failed. */
  cause: Schema.optionalKey(Defect)
}) {
  /** A second attempt never creates a second run. */
  get isRetryable(): boolean {
    return this.reason === "storage"
  }
}

/** The key that an operation is about. It is not known if only its name was listed. */
export interface Subject {
  readonly operation: string
  readonly name: string
  readonly key: string | undefined
}

export interface KeySubject extends Subject {
  readonly key: string
}

/** `creating` has the names of the keys for which this process creates a run now: the outcome of their intents is not unknown. */
export const make = (storage: KeyValueStore.KeyValueStore, creating: ReadonlySet<string>) => {
  const readRecord = (subject: Subject, state: RunRecord.State) =>
    Effect.flatMap(
      ask(subject, `${entry(subject)} could not be read`, () => storage.get(RunRecord.locationOf(subject, state))),
      (text: unknown) =>
        Effect.mapError(
          Effect.fromResult(RunRecord.decode(text, subject.key)),
          (fault) => storeError(subject, `${entry(subject)} ${fault}. Nothing was created or changed.`)
        )
    )

  const remove = (subject: Subject, state: RunRecord.State) =>
    ask(subject, `${entry(subject)} could not be removed`, () => storage.remove(RunRecord.locationOf(subject, state)))

  return {
    /** Reads the entry of a key. */
    read: Effect.fnUntraced(function*(subject: Subject): Effect.fn.Return<RunRecord.Entry | undefined, RunStoreError> {
      // In the order of writing, so that a record that is moved at the same time is found in its new place
      const intent = yield* readRecord(subject, "intent")
      const isCreating = creating.has(subject.name)
      const created = yield* readRecord(subject, "created")
      const finished = yield* readRecord(subject, "finished")
      if ((intent ?? created ?? finished) === undefined) return undefined
      const key = subject.key ?? intent?.key ?? created?.key ?? finished?.key ?? RunRecord.keyOf(subject.name)
      if (key === undefined) {
        yield* Effect.logWarning(`canvas-runs: ${entry(subject)} was cut short before anything was created`)
        return undefined
      }
      return RunRecord.entryOf(key, { intent, created, finished }, isCreating)
    }),
    write: (subject: KeySubject, state: RunRecord.State, fields: RunRecord.Fields) =>
      ask(
        subject,
        `${entry(subject)} could not be written`,
        () => storage.set(RunRecord.locationOf(subject, state), RunRecord.encode(subject.key, fields)),
        state === "created" ? " Keep this error's ref, and attach it when the store works again." : "",
        fields.ref
      ),
    remove,
    /** Removes a record that does no harm if it stays. */
    tidy: (subject: Subject, state: RunRecord.State) => warnOfFailure(remove(subject, state)),
    /** The names of the keys that may be unfinished. */
    unfinishedNames: (operation: string) =>
      ask({ operation }, "the store could not be listed", () => Effect.map(storage.keys, RunRecord.unfinishedNames))
  }
}

export type Records = ReturnType<typeof make>

/** Logs a failure instead of failing with it. */
export const warnOfFailure = <E extends { readonly message: string }, R>(
  self: Effect.Effect<void, E, R>
): Effect.Effect<void, never, R> => Effect.catch(self, (error) => Effect.logWarning(`canvas-runs: ${error.message}`))

const entry = ({ key, name }: Subject): string =>
  key === undefined ? `the entry ${name}` : `the entry of ${JSON.stringify(key)}`

type About = Pick<Subject, "operation"> & Partial<Subject>

/** Asks the `KeyValueStore`. A failure, a defect and a throw are all failures of the storage, because there may be a run. */
const ask = <A>(about: About, what: string, question: () => Effect.Effect<A, unknown>, advice = "", ref?: RunRef) =>
  Effect.catchCause(Effect.suspend(question), (reasons) => {
    if (Cause.hasInterruptsOnly(reasons)) return Effect.failCause(reasons as Cause.Cause<never>)
    const cause = Cause.squash(reasons)
    const message = `${what} (${messageOf(cause)}).${ref === undefined ? "" : ` It is about ${format(ref)}.`}${advice}`
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
