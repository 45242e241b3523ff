/** The create of a `RunStore`: an intent before it, and the ref after it. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { CreateOutcomeUnknownError } from "../../RunError.ts"
import { quote } from "../describe.ts"
import * as Create from "../http/create.ts"
import { describe, read as readRef, type RunRef } from "../ref.ts"
import type { Entry } from "./record.ts"
import { type KeySubject, type Records, type RunStoreError, storeError, warnOfFailure } from "./storage.ts"

/**
 * Runs `create`, and stores its ref. Runs in an uninterruptible region. `earlier` is the intent of an earlier create with an
 * unknown outcome, and `restore` makes the steps interruptible that the caller may interrupt.
 */
export const createOnce = Effect.fnUntraced(function*<A extends { readonly ref: RunRef }, E, R>(
  records: Records,
  creating: ReadonlySet<string>,
  subject: KeySubject,
  create: Effect.Effect<A, E, R>,
  earlier: Entry | undefined,
  restore: <B, F>(self: Effect.Effect<B, F>) => Effect.Effect<B, F>
): Effect.fn.Return<RunRef, E | RunStoreError, R> {
  const tidyIntent = records.tidy(subject, "intent")
  const intendedAt = earlier?.intendedAt ?? (yield* Clock.currentTimeMillis)
  if (earlier === undefined) {
    yield* restore(records.write(subject, "intent", { intendedAt })).pipe(
      Effect.tapError(() => tidyIntent),
      // Nothing has been created, so the caller need not wait for a store that never answers
      Effect.onInterrupt(() => Effect.forkDetach(tidyIntent))
    )
  }
  const account: Create.Account = {
    open: 0,
    refs: [],
    failures: new Set(),
    key: { store: creating, name: subject.name },
    outer: yield* Create.CurrentAccount
  }
  const keep = (ref: RunRef) => Effect.andThen(records.write(subject, "created", { intendedAt, ref }), tidyIntent)
  const created: unknown = yield* Effect.provideService(create, Create.CurrentAccount, account).pipe(
    // A fiber that outlives the create may use the key
    Effect.ensuring(Effect.sync(() => {
      account.key = undefined
    })),
    Effect.tapCause((cause) => {
      const [ref] = account.refs
      if (ref !== undefined && account.open === 1) return warnOfFailure(keep(ref))
      // A later create does not clear up the unknown outcome of an earlier one
      if (earlier !== undefined || account.open > 0 || !cause.reasons.every(isWithoutRun(account))) return Effect.void
      // If this create runs inside that of another key, that create has to know it too
      for (const reason of cause.reasons.filter(Cause.isFailReason)) account.outer?.failures.add(reason.error)
      return tidyIntent
    })
  )
  const given = Predicate.hasProperty(created, "ref") ? created.ref : undefined
  const ref = readRef(given)
  if (ref === undefined) {
    const returned = given === undefined
      ? `create returned ${quote(created)}, without a ref`
      : `its ref is ${describe(given)}`
    return yield* storeError(
      subject,
      `a run may have been created for ${JSON.stringify(subject.key)}, and ${returned}, which names no run. ` +
        "Find the run at the provider, and attach it with RunRef.make."
    )
  }
  yield* keep(ref)
  return ref
})

/** Whether a create operation failed with this error. */
const isWithoutRun = (account: Create.Account) => (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && account.failures.has(reason.error)

/** The error about a key with an intent and no ref. */
export const intentWithoutRef = Effect.fnUntraced(function*({ key, operation }: KeySubject, { intendedAt }: Entry) {
  const now = yield* Clock.currentTimeMillis
  return yield* new CreateOutcomeUnknownError({
    message:
      `${operation}: a run may exist for ${
        JSON.stringify(key)
      }, and may be billed: it was going to be created, and no ref ` +
      "was stored after that. Look for the run at the provider, then attach(key, ref), or create another one with " +
      `{ onUnknown: "retry" }, or forget(key).`,
    operation,
    attempts: 1,
    elapsed: Duration.millis(Math.max(0, now - (intendedAt ?? now))),
    cause: new Error(
      intendedAt === undefined
        ? "the intent cannot be read"
        : `the intent was written at ${new Date(intendedAt).toISOString()}`
    )
  })
})
