/** Operations on the keys of a `RunStore`. Only one runs at a time for each key. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as RcMap from "effect/RcMap"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { badRequest, type BadRequestError } from "../../RunError.ts"
import * as Create from "../http/create.ts"
import * as Options from "../options.ts"
import { nameOf } from "./record.ts"
import * as Telemetry from "../telemetry.ts"
import type { KeySubject } from "./entries.ts"

/** An id that is unique in all processes, also if their `Random` services have the same seed. */
export const newId = Effect.sync(() => globalThis.crypto.randomUUID())

/** Checks and names the key of an operation. */
export const subjectOf = (operation: string, key: string): Effect.Effect<KeySubject, BadRequestError> =>
  Effect.andThen(
    Options.checkGiven(operation, "key", key, Predicate.isString, "text"),
    Effect.map(Effect.suspend(() => nameOf(key)), (name) => ({ operation, name, key }))
  )

/** `creating` has the names of the keys for which this process creates a run now. */
export const makeLocks = Effect.fnUntraced(function*(creating: ReadonlySet<string>) {
  const locks = yield* Scope.provide(RcMap.make({ lookup: (_name: string) => Semaphore.make(1) }), Scope.makeUnsafe())

  /** Runs an operation on a key when no other operation on it is running. */
  return <A, E, R>(operation: string, key: string, use: (subject: KeySubject) => Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const subject = yield* subjectOf(operation, key)
      if (isCreatedBy(yield* Create.CurrentLog, creating, subject.name)) {
        // Recorded as an error of a create operation, so that a surrounding create knows that nothing was created here
        return yield* Create.operation(Effect.fail(badRequest({
          operation,
          parameter: "key",
          message:
            `${JSON.stringify(key)} is the key of the create that makes this call, which would wait for itself. ` +
            "Use another key, or make the call after the create."
        })))
      }
      const lock = Effect.flatMap(RcMap.get(locks, subject.name), (semaphore) => semaphore.takeScoped(1))
      return yield* Effect.acquireUseRelease(
        Scope.make(),
        (scope) =>
          // Interruptible even if the caller is not, because two creates that each run the other's key would deadlock
          Effect.andThen(Effect.interruptible(Scope.provide(lock, scope)), use(subject)),
        Scope.close
      )
    }).pipe(Telemetry.span(operation, { "run.key": key }))
})

/** Whether the create for this key is under way, and the fiber is part of it. */
const isCreatedBy = (log: Create.CreateLog | undefined, store: object, name: string): boolean =>
  log !== undefined &&
  (log.key?.store === store && log.key.name === name || isCreatedBy(log.outer, store, name))
