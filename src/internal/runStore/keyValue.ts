/** The entries of a `RunStore` in a `KeyValueStore`: a record for each state that a key has reached. */
import * as Effect from "effect/Effect"
import type * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Entries from "./entries.ts"
import * as RunRecord from "./record.ts"

type Subject = Entries.Subject

/** `creating` has the names of the keys for which this process creates a run now: the outcome of their intents is not unknown. */
export const make = (storage: KeyValueStore.KeyValueStore, creating: ReadonlySet<string>): Entries.Entries => {
  const readRecord = (subject: Subject, state: RunRecord.State) =>
    Effect.flatMap(
      Entries.ask(
        subject,
        `${Entries.nameOfEntry(subject)} could not be read`,
        () => storage.get(RunRecord.locationOf(subject, state))
      ),
      (text: unknown) => Entries.decodeRecord(subject, text)
    )

  const read = Effect.fnUntraced(
    function*(subject: Subject): Effect.fn.Return<RunRecord.Entry | undefined, Entries.RunStoreError> {
      // In the order of writing: if a record changes its place at the same time, it is found in the new place
      const intent = yield* readRecord(subject, "intent")
      const isCreating = creating.has(subject.name)
      const created = yield* readRecord(subject, "created")
      const finished = yield* readRecord(subject, "finished")
      const refused = (intent ?? created ?? finished) === undefined ? yield* readRecord(subject, "refused") : undefined
      const some = intent ?? created ?? finished ?? refused
      if (some === undefined) return undefined
      const key = subject.key ?? intent?.key ?? created?.key ?? finished?.key ?? refused?.key ??
        RunRecord.keyOf(subject.name)
      if (key === undefined) {
        yield* Effect.logWarning(
          `canvas-runs: ${Entries.nameOfEntry(subject)} was cut short before anything was created`
        )
        return undefined
      }
      return RunRecord.entryOf(key, { intent, created, finished, refused }, isCreating)
    }
  )

  const write = (subject: Entries.KeySubject, state: RunRecord.State, fields: RunRecord.Fields) =>
    Entries.ask(
      subject,
      `${Entries.nameOfEntry(subject)} could not be written`,
      () => storage.set(RunRecord.locationOf(subject, state), RunRecord.encode(subject.key, fields)),
      state === "created" ? Entries.keepRef : "",
      fields.ref
    )

  const remove = (subject: Subject, state: RunRecord.State) =>
    Entries.ask(
      subject,
      `${Entries.nameOfEntry(subject)} could not be removed`,
      () => storage.remove(RunRecord.locationOf(subject, state))
    )

  /** Removes a record. A failure is only logged, because the record does no harm if it stays. */
  const tidy = (subject: Subject, state: RunRecord.State) => Entries.warnOfFailure(remove(subject, state))

  const attach: Entries.Entries["attach"] = (subject, intendedAt, ref) =>
    Effect.andThen(write(subject, "created", { intendedAt, ref }), tidy(subject, "intent"))

  // The most advanced record counts, so it is removed last: until then, the entry is unchanged
  const forget = (subject: Subject) =>
    Effect.uninterruptible(Effect.forEach(RunRecord.states, (state) => remove(subject, state), { discard: true }))

  const list: Entries.Entries["list"] = Effect.fnUntraced(function*(operation, filter) {
    const names = yield* Entries.ask(
      { operation },
      "the store could not be listed",
      () => Effect.map(storage.keys, (locations) => RunRecord.namesOf(locations, filter.states))
    )
    const entries = yield* Effect.forEach(
      names,
      (name) => read({ operation, name, key: undefined }),
      { concurrency: 16 }
    )
    return entries.filter((entry) => entry !== undefined).filter(Entries.isListed(filter))
  })

  return {
    read,
    attach,
    forget,
    free: forget,
    list,
    claim: Effect.fnUntraced(function*(subject, earlier, intent) {
      const release = tidy(subject, "intent")
      const writing = write(subject, "intent", intent)
      yield* earlier !== undefined ? writing : writing.pipe(
        Effect.tapError(() => release),
        // Nothing has been created, so the caller need not wait for a store that never answers
        Effect.onInterrupt(() => Effect.forkDetach(release))
      )
      return { keep: (ref) => attach(subject, intent.intendedAt, ref), release, giveUp: Effect.void }
    }),
    complete: Effect.fnUntraced(function*(subject, { intendedAt, ref }, finishedAt) {
      yield* write(subject, "finished", { intendedAt, ref, finishedAt })
      yield* tidy(subject, "intent")
      yield* tidy(subject, "created")
    }),
    refuse: (subject, at) => write(subject, "refused", { intendedAt: at, finishedAt: at }),
    purge: Effect.fnUntraced(function*(operation, before) {
      let purged = 0
      for (const entry of yield* list(operation, { states: ["Finished", "Refused"] })) {
        if (!("finishedAt" in entry) || entry.finishedAt >= before) continue
        yield* forget({ operation, name: yield* RunRecord.nameOf(entry.key), key: entry.key })
        purged++
      }
      return purged
    })
  }
}
