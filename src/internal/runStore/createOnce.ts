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
import { type Entries, type KeySubject, type RunStoreError, storeError, warnOfFailure } from "./entries.ts"
import type { UnfinishedEntry } from "./record.ts"

/**
 * Runs `create`, and stores its ref, in an uninterruptible region. Returns `undefined` if another process has the claim now.
 *
 * `earlier` is the intent of an earlier create with an unknown outcome, if there is one. `tag` is the tag of the create, if it takes
 * one. `restore` makes the steps interruptible that the caller may interrupt.
 */
export const createOnce = Effect.fnUntraced(function*<A extends { readonly ref: RunRef }, E, R>(
  entries: Entries,
  creating: ReadonlySet<string>,
  subject: KeySubject,
  create: Effect.Effect<A, E, R>,
  earlier: UnfinishedEntry | undefined,
  tag: string | undefined,
  restore: <B, F>(self: Effect.Effect<B, F>) => Effect.Effect<B, F>
): Effect.fn.Return<RunRef | undefined, E | RunStoreError, R> {
  const intent = { intendedAt: yield* Clock.currentTimeMillis, ...(tag === undefined ? undefined : { tag }) }
  const claim = yield* restore(entries.claim(subject, earlier, intent))
  if (claim === undefined) return undefined
  const log = Create.makeLog({ store: creating, name: subject.name }, yield* Create.CurrentLog)
  const created: unknown = yield* Effect.provideService(create, Create.CurrentLog, log).pipe(
    // A fiber that outlives the create may use the key
    Effect.ensuring(Effect.sync(() => {
      log.key = undefined
    })),
    Effect.tapCause((cause) => {
      const [ref] = log.refs
      if (ref !== undefined && log.open === 1) return warnOfFailure(claim.keep(ref))
      // The outcome of the earlier create stays unknown, even if this one made no run
      if (earlier !== undefined || log.open > 0 || !cause.reasons.every(isWithoutRun(log))) return claim.giveUp
      // If this create runs inside the create of another key, the outer create also needs to know that there is no run
      for (const reason of cause.reasons.filter(Cause.isFailReason)) log.outer?.failures.add(reason.error)
      return claim.release
    })
  )
  const given = Predicate.hasProperty(created, "ref") ? created.ref : undefined
  const ref = readRef(given)
  if (ref === undefined) {
    yield* claim.giveUp
    const returned = given === undefined
      ? `create returned ${quote(created)}, without a ref`
      : `its ref is ${describe(given)}`
    return yield* storeError(
      subject,
      `a run may have been created for ${JSON.stringify(subject.key)}, and ${returned}, which names no run. ` +
        "Find the run at the provider, and attach it with RunRef.make."
    )
  }
  yield* claim.keep(ref)
  return ref
})

/** Whether a create operation failed with this error. */
const isWithoutRun = (log: Create.CreateLog) => (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && log.failures.has(reason.error)

/** The error about a key with an intent and no ref. */
export const intentWithoutRef = Effect.fnUntraced(function*({ key, operation }: KeySubject, earlier: UnfinishedEntry) {
  const now = yield* Clock.currentTimeMillis
  const { intendedAt } = earlier
  return yield* new CreateOutcomeUnknownError({
    message:
      `${operation}: a run may exist for ${
        JSON.stringify(key)
      }, and may be billed: it was going to be created, and no ref ` +
      `was stored after that. ${
        "tag" in earlier ? "Let reconcile(key, lookup) find the run, or look" : "Look"
      } for it at the ` +
      "provider, then attach(key, ref), or create another one with " +
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
