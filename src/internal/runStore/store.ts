/** The operations of a `RunStore`, on entries of any kind of storage. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import { badRequest, type InvalidOutputError, type RunFailedError } from "../../RunError.ts"
import * as Options from "../options.ts"
import { describe, format, read as readRef, runOf, type RunRef } from "../ref.ts"
import { isOurs } from "../taggedError.ts"
import * as Telemetry from "../telemetry.ts"
import { createOnce, intentWithoutRef } from "./createOnce.ts"
import { duplicateRuns, type Entries, type Filter, type KeySubject, warnOfFailure } from "./entries.ts"
import { makeLocks, newId, subjectOf } from "./keys.ts"
import { byAge, type Entry, isUnfinished, tags } from "./record.ts"

/**
 * Options for `runOnce`.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunOnceOptions {
  /**
   * What to do if an earlier create had an unknown outcome: fail with `CreateOutcomeUnknownError`, or create again and accept that
   * there may be two runs.
   *
   * @default "fail"
   */
  readonly onUnknown?: "fail" | "retry" | undefined
}

/**
 * Options for `list`. Without one, all entries are listed.
 *
 * @category options
 * @since 0.1.0
 */
export interface ListOptions {
  /** Entries in this state only. */
  readonly state?: Entry["_tag"] | undefined
  /** Entries whose run is one of this provider, such as `"spine"`. An entry without a ref has none. */
  readonly provider?: string | undefined
  /** Entries whose create was intended before this time, as a `Date` or in Unix milliseconds. */
  readonly before?: Date | number | undefined
}

/**
 * An effect that creates a run, or a function that returns one. The function is given a tag that no other create has. If it passes the
 * tag to the provider, `reconcile` can find the run.
 *
 * @category models
 * @since 0.1.0
 */
export type Create<A, E = never, R = never> = Effect.Effect<A, E, R> | ((tag: string) => Effect.Effect<A, E, R>)

/**
 * Options for `reconcile`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ReconcileOptions {
  /**
   * How long after its intent a run may still appear in the list of the provider. If a look-up finds no run after that time, the key is
   * free. It must be longer than the sum of the time of a create with its uploads, the time for which the creating process may be
   * suspended, and the delay of the list.
   *
   * @default "10 minutes"
   */
  readonly settlingTime?: Duration.Input | undefined
}

/** How often the entry of a key is read while another process creates its run. */
const createPollInterval = "250 millis"

/** Makes a store on entries of one kind. `makeEntries` is given the names of the keys for which the store is creating a run. */
export const make = Effect.fnUntraced(
  function*(makeEntries: (creating: ReadonlySet<string>) => Entries) {
    const creating = new Set<string>()
    const entries = makeEntries(creating)
    const withKey = yield* makeLocks(creating)

    const get = (operation: string, key: string) => Effect.flatMap(subjectOf(operation, key), entries.read)

    /** Waits until no other process is creating the run of a key, then returns its entry. */
    const readSettled = (subject: KeySubject) =>
      Effect.repeat(entries.read(subject), {
        while: (entry) => entry?._tag === "Creating",
        schedule: Schedule.spaced(createPollInterval)
      })

    /** Marks the run under the key as finished. If `finished` is given and the key has another run, it only logs a warning. */
    const complete = (operation: string, key: string, finished?: RunRef) =>
      withKey(
        operation,
        key,
        Effect.fnUntraced(function*(subject) {
          const entry = yield* entries.read(subject)
          if (entry?._tag === "Finished") return
          if (entry?._tag !== "Created") {
            return yield* badRequest({
              operation,
              parameter: "key",
              message: entry === undefined || entry._tag === "Refused"
                ? `there is no run under ${JSON.stringify(key)}. Check the key, or create the run with runOnce.`
                : `it is not known whether there is a run under ${
                  JSON.stringify(key)
                }. Attach one, retry, or forget it.`
            })
          }
          const { ref } = entry
          if (finished !== undefined && !isSameRun(finished, ref)) {
            return yield* Effect.logWarning(
              `canvas-runs: ${operation}: the run that ended is ${format(finished)}, and under ${
                JSON.stringify(key)
              } there is ${format(ref)}, which stays unfinished`
            )
          }
          yield* entries.complete(subject, entry, yield* Clock.currentTimeMillis)
        }, Effect.uninterruptible)
      )

    const list = (operation: string, filter: Filter) =>
      Effect.map(entries.list(operation, filter), (found) => [...found].sort(byAge))

    return {
      runOnce: <A extends { readonly ref: RunRef }, E, R>(
        key: string,
        create: Create<A, E, R>,
        given?: RunOnceOptions
      ) =>
        withKey(
          "RunStore.runOnce",
          key,
          Effect.fnUntraced(function*(subject) {
            const { operation } = subject
            const options = yield* Options.copy(operation, "options", given, ["onUnknown"])
            yield* Options.checkGiven(
              operation,
              "create",
              create,
              isCreate,
              "an Effect, or a function that returns one"
            )
            const onUnknown: unknown = options.onUnknown
            yield* Options.checkKind(operation, "onUnknown", onUnknown, isOnUnknown, "\"fail\" or \"retry\"")
            while (true) {
              const entry = yield* readSettled(subject)
              if (entry !== undefined && "ref" in entry) return entry.ref
              const earlier = entry?._tag === "Refused" ? undefined : entry
              if (earlier !== undefined && onUnknown !== "retry") return yield* intentWithoutRef(subject, earlier)
              const tag = Effect.isEffect(create) ? undefined : earlier?.tag ?? (yield* newId)
              const tagged = yield* withTag(operation, create, tag)
              const ref = yield* Effect.acquireUseRelease(
                Effect.sync(() => creating.add(subject.name)),
                () =>
                  Effect.uninterruptibleMask((restore) =>
                    createOnce(entries, creating, subject, tagged, earlier, tag, restore)
                  ),
                () => Effect.sync(() => creating.delete(subject.name))
              )
              if (ref !== undefined) return ref
              // Another process has the claim, or had it a moment ago
              yield* Effect.sleep(createPollInterval)
            }
          })
        ),
      track: <A, E, R>(key: string, wait: Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const operation = "RunStore.track"
          yield* Options.checkGiven(operation, "wait", wait, Effect.isEffect, "an Effect")
          const entry = yield* get(operation, key)
          const begun = entry !== undefined && "ref" in entry ? entry.ref : undefined
          return yield* wait.pipe(
            Effect.tapError((error) =>
              isEnd(error) && error.ref !== undefined && (begun === undefined || isSameRun(error.ref, begun))
                ? warnOfFailure(complete(operation, key, error.ref))
                : Effect.void
            ),
            Effect.tap(() => complete(operation, key, begun))
          )
        }),
      complete: (key: string) => complete("RunStore.complete", key),
      refuse: (key: string) =>
        withKey(
          "RunStore.refuse",
          key,
          Effect.fnUntraced(function*(subject) {
            const entry = yield* entries.read(subject)
            if (entry?._tag === "Refused") return
            if (entry === undefined) return yield* entries.refuse(subject, yield* Clock.currentTimeMillis)
            return yield* badRequest({
              operation: subject.operation,
              parameter: "key",
              message: `${
                JSON.stringify(key)
              } has an entry with the state ${entry._tag}. Only a key without an entry can be refused. Forget it first.`
            })
          }, Effect.uninterruptible)
        ),
      attach: (key: string, given: RunRef) =>
        withKey(
          "RunStore.attach",
          key,
          Effect.fnUntraced(function*(subject) {
            const { operation } = subject
            const ref = readRef(given)
            if (ref === undefined) {
              return yield* badRequest({
                operation,
                parameter: "ref",
                message: `ref is ${describe(given)}, which names no run. Make it with RunRef.make.`
              })
            }
            const entry = yield* entries.read(subject)
            if (entry === undefined || !("ref" in entry)) {
              return yield* entries.attach(subject, entry?.intendedAt ?? (yield* Clock.currentTimeMillis), ref)
            }
            if (format(entry.ref) === format(ref)) return
            return yield* badRequest({
              operation,
              parameter: "key",
              message: `there is ${format(entry.ref)} under ${JSON.stringify(key)} already. Forget it first.`,
              ref: entry.ref
            })
          }, Effect.uninterruptible)
        ),
      reconcile: <E, R>(
        key: string,
        lookup: (tag: string) => Effect.Effect<ReadonlyArray<RunRef>, E, R>,
        given?: ReconcileOptions
      ) =>
        withKey(
          "RunStore.reconcile",
          key,
          Effect.fnUntraced(function*(subject) {
            const { operation } = subject
            yield* Options.checkGiven(
              operation,
              "lookup",
              lookup,
              Predicate.isFunction,
              "a function that returns an Effect"
            )
            const { settlingTime = "10 minutes" } = yield* Options.copy(operation, "options", given, ["settlingTime"])
            const settling = yield* Options.nonNegative(operation, "settlingTime", settlingTime)
            const now = yield* Clock.currentTimeMillis
            const entry = yield* entries.read(subject)
            if (entry?._tag !== "Unknown" || entry.tag === undefined) return entry
            const { intendedAt = now, tag } = entry
            const found = yield* Options.calling(operation, "lookup", () => lookup(tag))
            const refs = new Map<string, RunRef>()
            for (const given of Array.isArray(found) ? found as ReadonlyArray<unknown> : [found]) {
              const ref = readRef(given)
              if (ref === undefined) {
                return yield* badRequest({
                  operation,
                  parameter: "lookup",
                  message: `lookup returned ${describe(given)}, which names no run. Return an array of refs.`,
                  sent: true
                })
              }
              refs.set(runOf(ref), ref)
            }
            const [ref] = refs.values()
            if (ref === undefined) {
              if (now - intendedAt < Duration.toMillis(settling)) return entry
              yield* Effect.uninterruptible(entries.free(subject, { intendedAt, tag }))
            } else if (refs.size > 1) {
              return yield* duplicateRuns(subject, [...refs.values()])
            } else yield* Effect.uninterruptible(entries.attach(subject, intendedAt, ref))
            return yield* entries.read(subject)
          })
        ),
      forget: (key: string) => withKey("RunStore.forget", key, entries.forget),
      get: (key: string) => get("RunStore.get", key),
      unfinished: Effect.map(
        list("RunStore.unfinished", { states: ["Creating", "Unknown", "Created"] }),
        (found) => found.filter(isUnfinished)
      ).pipe(Telemetry.span("RunStore.unfinished", {})),
      list: (given?: ListOptions) =>
        Effect.gen(function*() {
          const operation = "RunStore.list"
          const { before, provider, state } = yield* Options.copy(operation, "options", given, [
            "state",
            "provider",
            "before"
          ])
          yield* Options.checkKind(operation, "state", state, isState, `one of ${tags.join(", ")}`)
          yield* Options.checkKind(operation, "provider", provider, Predicate.isString, "text")
          yield* Options.checkKind(operation, "before", before, isTime, "a valid Date, or Unix milliseconds")
          return yield* list(operation, {
            states: state === undefined ? tags : [state],
            provider,
            before: before === undefined ? undefined : Number(before)
          })
        }).pipe(Telemetry.span("RunStore.list", {})),
      purge: (olderThan: Duration.Input) =>
        Effect.gen(function*() {
          const operation = "RunStore.purge"
          const age = yield* Options.nonNegative(operation, "olderThan", olderThan)
          return yield* entries.purge(operation, (yield* Clock.currentTimeMillis) - Duration.toMillis(age))
        }).pipe(Telemetry.span("RunStore.purge", {}))
    }
  }
)

/** Returns the effect of a create. A function is called before the intent is written, so that an error it throws leaves the key free. */
const withTag = <A, E, R>(operation: string, create: Create<A, E, R>, tag: string | undefined) =>
  Effect.gen(function*() {
    if (Effect.isEffect(create)) return create
    const made = yield* Options.reading(operation, "create", () => Effect.succeed(create(tag!)))
    yield* Options.checkGiven(operation, "the result of create", made, Effect.isEffect, "an Effect")
    return made
  })

const isCreate = (value: unknown): boolean => Effect.isEffect(value) || Predicate.isFunction(value)

const isTime = (value: unknown): boolean =>
  Number.isFinite(value) || Predicate.isDate(value) && Number.isFinite(value.getTime())

const isState = (value: unknown): boolean => (tags as ReadonlyArray<unknown>).includes(value)

const isOnUnknown = (value: unknown): boolean => value === "fail" || value === "retry"

const isEnd = (error: unknown): error is RunFailedError | InvalidOutputError =>
  isOurs(error, "RunFailedError", "InvalidOutputError")

const isSameRun = (self: RunRef, that: RunRef): boolean => runOf(self) === runOf(that)
