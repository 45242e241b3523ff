/**
 * Runs that survive the program: what it intended to create, what it created, and what has ended.
 *
 * **Details**
 *
 * A process can end between the moment a provider starts a run and the moment the program learns of it. A
 * {@link RunStore} therefore writes down an *intent* before the create and the *ref* after it, in any `KeyValueStore`:
 * memory, a directory, a database.
 *
 * | under the key there is | `runOnce(key, create)` | it is unfinished |
 * | --- | --- | --- |
 * | nothing | intent, create, ref: gives the new ref | |
 * | `Creating`: this process is at it | waits, then gives that ref | yes |
 * | `Created`: a ref | gives the ref, and makes no request | yes |
 * | `Unknown`: an intent, and no ref | fails with `CreateOutcomeUnknownError` | yes |
 * | `Finished`: a ref, and its end | gives the ref, and makes no request | |
 *
 * For an `Unknown` one, look for the run at the provider, and choose: `attach(key, ref)` if it is there,
 * `runOnce(key, create, { onUnknown: "retry" })` to start another one, `forget(key)` to leave it. A request can outlive the
 * process that sent it, so look some time after `intendedAt`, not at once.
 *
 * An entry that is whole is never written over. Each state has an entry of its own: the new one is written first, the old one is
 * removed then, and the most advanced one counts. So a process may be killed between or inside any two writes; an entry
 * that was cut is seen, and the one before it still counts.
 *
 * **Gotchas**
 *
 * - A key needs one owner at a time. Within a `RunStore` that is seen to; but a `KeyValueStore` cannot compare and set, so
 *   two processes, or two `RunStore`s, that run the same key at the same moment may both create.
 * - What the `KeyValueStore` has accepted counts as written. `KeyValueStore.layerFileSystem` leaves it to the operating
 *   system to bring it to the disk: a killed process loses nothing, a power cut may lose the last moments.
 * - Refs are stored, and nothing secret: no API key, prompt or file. The keys are stored as they are.
 * - Finished runs stay, a small entry each, so that their keys are not run again. `forget` removes them.
 *
 * **Example** (A program that may be killed at any time)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const report = Effect.gen(function*() {
 *   const store = yield* RunStore.RunStore
 *   const spine = yield* Spine.SpineClient
 *   const ref = yield* store.runOnce("report-2026-07", spine.runs.create({ prompt: "The report of July" }))
 *   return yield* store.settle("report-2026-07", spine.runs.waitForCompletion(ref))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const first = yield* report
 *   // The same key, so the same run: after a restart, or as here after its end
 *   const second = yield* report
 *   console.log(first.run_id === second.run_id) // => true
 * })
 *
 * // On a disk: KeyValueStore.layerFileSystem("runs"), with NodeServices.layer
 * const storage = KeyValueStore.layerMemory
 * const emulator = SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } })
 * const main = program.pipe(
 *   Effect.provide([
 *     RunStore.layer.pipe(Layer.provide(storage)),
 *     Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(Layer.provide(emulator))
 *   ])
 * )
 *
 * await Effect.runPromise(main)
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Create from "./internal/http/create.ts"
import { messageOf, quote } from "./internal/describe.ts"
import * as Options from "./internal/options.ts"
import { Defect, isOurs, TaggedError } from "./internal/taggedError.ts"
import * as Telemetry from "./internal/telemetry.ts"
import {
  type BadRequestError,
  CreateOutcomeUnknownError,
  type InvalidOutputError,
  refused,
  type RunFailedError
} from "./RunError.ts"
import { describe, format, read as readRef, RunRef } from "./internal/ref.ts"

/**
 * What is known under a key. Times are Unix milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = UnfinishedEntry | {
  readonly _tag: "Finished"
  readonly key: string
  readonly ref: RunRef
  readonly intendedAt: number
  readonly finishedAt: number
}

/**
 * An {@link Entry} that a program has to care for.
 *
 * @category models
 * @since 0.1.0
 */
export type UnfinishedEntry =
  | {
    /** The create is under way, in this process. */
    readonly _tag: "Creating"
    readonly key: string
    /** When the intent was written; absent where it cannot be read. */
    readonly intendedAt?: number
  }
  | {
    /** There was an intent, and no ref came after it: a run may exist. */
    readonly _tag: "Unknown"
    readonly key: string
    /** When the intent was written; absent where it cannot be read. */
    readonly intendedAt?: number
  }
  | {
    /** There is a run, and it has not been marked as finished. */
    readonly _tag: "Created"
    readonly key: string
    readonly ref: RunRef
    readonly intendedAt: number
  }

/**
 * The store could not be read or written, or holds what this version of canvas-runs cannot read.
 *
 * **Details**
 *
 * With `reason` `"storage"` the `KeyValueStore` failed and `cause` is its error; with `"record"` an entry is there and is
 * not ours, or is a newer version's. Where a run was created before the store failed, `ref` is that run: **keep it**, and
 * bring it in with `attach` when the store works again.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunStoreError extends TaggedError<RunStoreError>()("RunStoreError", {
  message: Schema.String,
  /** The call that failed, such as `"RunStore.runOnce"`. */
  operation: Schema.String,
  reason: Schema.Literals(["storage", "record"]),
  /** The key it was about, where it was about one. */
  key: Schema.optionalKey(Schema.String),
  /** The run it was about, where one exists. */
  ref: Schema.optionalKey(RunRef),
  cause: Schema.optionalKey(Defect)
}) {
  /** Trying again never creates a second run. */
  get isRetryable(): boolean {
    return this.reason === "storage"
  }
}

/**
 * How {@link Service.runOnce} deals with what it finds.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunOnceOptions {
  /**
   * What to do where an earlier create had an unknown outcome: fail with `CreateOutcomeUnknownError`, or create once more
   * and accept that there may be two runs.
   *
   * @default "fail"
   */
  readonly onUnknown?: "fail" | "retry" | undefined
}

/**
 * What the store offers. A key is any text, and names one piece of work for good: `"report-2026-07"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /**
   * Gives the ref of the run under the key, and creates the run if there is none.
   *
   * **Details**
   *
   * `create` is what makes the run: Spine's `runs.create(params)`, Tela's `canvas.execute(variables, { async: true })`, or
   * anything else that brings a `ref`. From the start of `create` until the ref is stored nothing is interrupted, so that no answer
   * is lost. That takes as long as `create` does, which a client bounds with its `requestTimeout`, and as long as the storage does,
   * which nothing bounds.
   *
   * If `create` fails with the error of a client's create operation that surely made no run (a refused request, a failed upload
   * before it, a connection that was never made), the key is free again. If a client created the run and a later step of `create`
   * failed, the ref of that run is stored. After every other failure the outcome is unknown, and the key stays taken.
   *
   * **Gotchas**
   *
   * The key is freed only by the very error that a create operation failed with in `create`, such as `runs.create`,
   * `canvas.execute` or `tasks.create`. For every other error the store assumes that a run was created: that of a look-up before
   * the create, an error of your program, and what `Effect.mapError` or `Effect.runPromise` made of the error. A create that runs
   * elsewhere, in a fiber forked before or by `Effect.runPromise`, is not seen.
   *
   * A create cannot run its own key: a call of the store for that key in `create` is a `BadRequestError`. A wait for another key,
   * which a call in `create` makes, can be interrupted.
   */
  readonly runOnce: <A extends { readonly ref: RunRef }, E, R>(
    key: string,
    create: Effect.Effect<A, E, R>,
    options?: RunOnceOptions
  ) => Effect.Effect<RunRef, E | BadRequestError | CreateOutcomeUnknownError | RunStoreError, R>
  /**
   * Follows the run under the key with `wait`, and marks it finished when that has succeeded, or has failed because the
   * run has ended badly (a `RunFailedError` or `InvalidOutputError` of this library with the `ref` of this run). After any other
   * failure it stays unfinished.
   *
   * **Details**
   *
   * `wait` may do more than wait: with the downloads and the bookkeeping in it, the run is finished when they are done. If the
   * key has another run when `wait` ends than when it began, that run stays unfinished.
   */
  readonly settle: <A, E, R>(
    key: string,
    wait: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | BadRequestError | RunStoreError, R>
  /** Marks the run under the key as finished. It is listed no more, and `runOnce` goes on giving its ref. */
  readonly complete: (key: string) => Effect.Effect<void, BadRequestError | RunStoreError>
  /** Brings a run in under a key: one that was found at the provider after its create had an unknown outcome. */
  readonly attach: (key: string, ref: RunRef) => Effect.Effect<void, BadRequestError | RunStoreError>
  /** Removes all that is known under the key, so that it can be run again. The run itself goes on. */
  readonly forget: (key: string) => Effect.Effect<void, BadRequestError | RunStoreError>
  /** What is known under the key, or `undefined`. */
  readonly get: (key: string) => Effect.Effect<Entry | undefined, BadRequestError | RunStoreError>
  /**
   * Everything that a program has to care for, oldest first: what to wait for, and what to decide about.
   *
   * **Details**
   *
   * It lists the names of all entries, and reads those that are unfinished. One that cannot be read fails the list, as it
   * may be a run.
   *
   * **Example** (Picking up at start)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunStore, Spine } from "canvas-runs"
   *
   * const pickUp = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   const spine = yield* Spine.SpineClient
   *   yield* Effect.forEach(yield* store.unfinished, (entry) =>
   *     entry._tag === "Created"
   *       ? store.settle(entry.key, spine.runs.waitForCompletion(entry.ref, { timeout: "2 hours" }))
   *       : Effect.logWarning(`${entry.key} may have been created: look for it at the provider`), {
   *     concurrency: "unbounded",
   *     discard: true
   *   })
   * })
   * ```
   */
  readonly unfinished: Effect.Effect<ReadonlyArray<UnfinishedEntry>, RunStoreError>
}

/**
 * The store of runs.
 *
 * @category services
 * @since 0.1.0
 */
export class RunStore extends Context.Service<RunStore, Service>()("canvas-runs/RunStore") {}

/**
 * Makes a store on the `KeyValueStore` at hand.
 *
 * **Details**
 *
 * Its entries begin with `canvas-runs/`, so that the `KeyValueStore` can hold other things too.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Service, never, KeyValueStore.KeyValueStore> = Effect.gen(function*() {
  const storage = yield* KeyValueStore.KeyValueStore
  const digest = yield* Effect.provide(Effect.service(Digest.Digest), Digest.layerWebCrypto)
  const exclusive = makeLocks()
  // The names this process is creating a run for: their intents are not of unknown outcome
  const creating = new Set<string>()

  const nameOf = (operation: string, key: string): Effect.Effect<string, BadRequestError> => {
    if (typeof key !== "string") {
      return Effect.fail(
        refused({ operation, parameter: "key", message: `the key is ${quote(key)}; it must be text.` })
      )
    }
    const name = encodeKey(key)
    return name.length <= maxName
      ? Effect.succeed(name)
      : Effect.map(
        digest.digestHex(Digest.sha256, new TextEncoder().encode(name)),
        (hash) => `${name.slice(0, maxName - hash.length - 1)}${hashMark}${hash}`
      )
  }

  const readRecord = (
    about: EntryAbout,
    state: State
  ): Effect.Effect<StoredRecord | typeof torn | undefined, RunStoreError> =>
    stored(() => storage.get(`${prefixes[state]}${about.name}`), storageFailed(about, "could not be read")).pipe(
      Effect.flatMap((text: unknown) =>
        Predicate.isNullish(text)
          ? Effect.undefined
          : typeof text === "string"
          ? parseRecord(about, text)
          : Effect.fail(notOurs(about, `is ${quote(text)}, and not text`))
      )
    )

  const writeRecord = (about: KeyAbout, state: State, record: Omit<StoredRecord, "version" | "key">) =>
    stored(
      () => storage.set(`${prefixes[state]}${about.name}`, JSON.stringify({ version, key: about.key, ...record })),
      storageFailed(
        record.ref === undefined ? about : { ...about, ref: record.ref },
        "could not be written",
        state === "created" ? " Keep this error's ref, and attach it when the store works again." : ""
      )
    )

  const removeRecord = (about: KeyAbout, state: State) =>
    stored(
      () => storage.remove(`${prefixes[state]}${about.name}`),
      storageFailed(about, "could not be removed")
    )

  /** For what does no harm if it stays. */
  const tidy = (about: KeyAbout, state: State) =>
    Effect.catch(removeRecord(about, state), (error) => Effect.logWarning(`canvas-runs: ${error.message}`))

  /** Reads in the order of writing, so that an entry which moves on meanwhile is met in its new place. */
  const read = Effect.fnUntraced(function*(about: EntryAbout): Effect.fn.Return<Entry | undefined, RunStoreError> {
    const intent = yield* readRecord(about, "intent")
    const isCreating = creating.has(about.name)
    const created = yield* readRecord(about, "created")
    const finished = yield* readRecord(about, "finished")
    if (intent === undefined && created === undefined && finished === undefined) return undefined
    const key = about.key ?? keyOf(about.name, intent, created, finished)
    if (key === undefined) {
      yield* Effect.logWarning(`canvas-runs: ${where(about)} was cut short before anything was created`)
      return undefined
    }
    if (isStored(finished) && finished.ref !== undefined) {
      const { finishedAt, intendedAt, ref } = finished
      return { _tag: "Finished", key, ref, intendedAt, finishedAt: finishedAt ?? intendedAt }
    }
    if (isStored(created) && created.ref !== undefined) {
      return { _tag: "Created", key, ref: created.ref, intendedAt: created.intendedAt }
    }
    return {
      _tag: isCreating ? "Creating" : "Unknown",
      key,
      ...(isStored(intent) ? { intendedAt: intent.intendedAt } : undefined)
    }
  })

  const get = (operation: string, key: string) =>
    Effect.flatMap(nameOf(operation, key), (name) => read({ operation, name, key }))

  /** What an operation on a key does, while no other one does anything with it. */
  const withKey = <A, E, R>(
    operation: string,
    key: string,
    use: (about: KeyAbout) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | BadRequestError, R> =>
    Effect.flatMap(
      Effect.all([nameOf(operation, key), Create.CurrentAccount]),
      ([name, account]): Effect.Effect<A, E | BadRequestError, R> =>
        isCreatedBy(account, creating, name)
          // The create that makes the call is told that nothing was created here
          ? Create.operation(Effect.fail(refused({
            operation,
            parameter: "key",
            message:
              `${JSON.stringify(key)} is the key of the create that makes this call, which would wait for itself. ` +
              "Use another key, or make the call after the create."
          })))
          : exclusive(name)(use({ operation, name, key }))
    ).pipe(Telemetry.span(operation, { "run.key": key }))

  const createOnce = Effect.fnUntraced(function*<A extends { readonly ref: RunRef }, E, R>(
    about: KeyAbout,
    create: Effect.Effect<A, E, R>,
    earlier: Entry | undefined,
    /** Makes interruptible what the caller may interrupt. */
    restore: <B, F>(self: Effect.Effect<B, F>) => Effect.Effect<B, F>
  ): Effect.fn.Return<RunRef, E | RunStoreError, R> {
    const intendedAt = earlier?.intendedAt ?? (yield* Clock.currentTimeMillis)
    if (earlier === undefined) {
      yield* restore(writeRecord(about, "intent", { intendedAt })).pipe(
        Effect.tapError(() => tidy(about, "intent")),
        // Nothing has been created, so the caller need not wait for a store that never answers
        Effect.onInterrupt(() => Effect.forkDetach(tidy(about, "intent")))
      )
    }
    const account: Create.Account = {
      open: 0,
      refs: [],
      failures: new Set(),
      key: { store: creating, name: about.name },
      outer: yield* Create.CurrentAccount
    }
    const keep = (ref: RunRef) =>
      Effect.andThen(writeRecord(about, "created", { intendedAt, ref }), tidy(about, "intent"))
    const created: unknown = yield* Effect.provideService(create, Create.CurrentAccount, account).pipe(
      // A fiber that outlives the create may use the key
      Effect.ensuring(Effect.sync(() => {
        account.key = undefined
      })),
      Effect.tapCause((cause) => {
        const [ref] = account.refs
        if (ref !== undefined && account.open === 1) {
          return Effect.catch(keep(ref), (error) => Effect.logWarning(`canvas-runs: ${error.message}`))
        }
        // What an earlier create has left in doubt, a later one does not clear up
        if (earlier !== undefined || account.open > 0 || !cause.reasons.every(isWithoutRun(account))) return Effect.void
        // The create of another key that this one runs in learns of it too
        for (const reason of cause.reasons.filter(Cause.isFailReason)) account.outer?.failures.add(reason.error)
        return tidy(about, "intent")
      })
    )
    const given = Predicate.hasProperty(created, "ref") ? created.ref : undefined
    const ref = readRef(given)
    if (ref === undefined) {
      return yield* new RunStoreError({
        message: `${about.operation}: a run may have been created for ${JSON.stringify(about.key)}, and ${
          given === undefined ? `create returned ${quote(created)}, without a ref` : `its ref is ${describe(given)}`
        }, which names no run. Find the run at the provider, and attach it with RunRef.make.`,
        operation: about.operation,
        reason: "record",
        key: about.key
      })
    }
    yield* keep(ref)
    return ref
  })

  /** `of` is the run that has ended, where an error tells which: it may be another one than that of the key. */
  const complete = (operation: string, key: string, of?: RunRef) =>
    withKey(
      operation,
      key,
      Effect.fnUntraced(function*(about) {
        const entry = yield* read(about)
        if (entry?._tag === "Finished") return
        if (entry?._tag !== "Created") {
          return yield* refused({
            operation,
            parameter: "key",
            message: entry === undefined
              ? `there is no run under ${JSON.stringify(key)}.`
              : `it is not known whether there is a run under ${JSON.stringify(key)}. Attach one, retry, or forget it.`
          })
        }
        const { intendedAt, ref } = entry
        if (of !== undefined && !isSameRun(of, ref)) {
          return yield* Effect.logWarning(
            `canvas-runs: ${operation}: the run that ended is ${format(of)}, and under ${
              JSON.stringify(key)
            } there is ${format(ref)}, which stays unfinished`
          )
        }
        yield* writeRecord(about, "finished", { intendedAt, ref, finishedAt: yield* Clock.currentTimeMillis })
        yield* tidy(about, "intent")
        yield* tidy(about, "created")
      }, Effect.uninterruptible)
    )

  return {
    runOnce: (key, create, given) =>
      withKey(
        "RunStore.runOnce",
        key,
        Effect.fnUntraced(function*(about) {
          const options = yield* Options.copy(about.operation, "options", given, ["onUnknown"])
          yield* Options.checkKind(about.operation, "create", create ?? null, Effect.isEffect, "an Effect")
          const onUnknown: unknown = options.onUnknown
          if (onUnknown !== undefined && onUnknown !== "fail" && onUnknown !== "retry") {
            return yield* refused({
              operation: about.operation,
              parameter: "onUnknown",
              message: `onUnknown is ${quote(onUnknown)}; it must be "fail" or "retry".`
            })
          }
          const entry = yield* read(about)
          if (entry !== undefined && "ref" in entry) return entry.ref
          if (entry !== undefined && onUnknown !== "retry") {
            return yield* outcomeUnknown(about, entry.intendedAt, yield* Clock.currentTimeMillis)
          }
          return yield* Effect.acquireUseRelease(
            Effect.sync(() => creating.add(about.name)),
            () => Effect.uninterruptibleMask((restore) => createOnce(about, create, entry, restore)),
            () => Effect.sync(() => creating.delete(about.name))
          )
        })
      ),
    settle: (key, wait) =>
      Effect.flatMap(
        Effect.andThen(
          Options.checkKind("RunStore.settle", "wait", wait ?? null, Effect.isEffect, "an Effect"),
          get("RunStore.settle", key)
        ),
        (entry) => {
          const begun = entry !== undefined && "ref" in entry ? entry.ref : undefined
          return wait.pipe(
            Effect.tapError((error) =>
              isEnd(error) && error.ref !== undefined && (begun === undefined || isSameRun(error.ref, begun))
                ? Effect.catch(
                  complete("RunStore.settle", key, error.ref),
                  (error) => Effect.logWarning(`canvas-runs: ${error.message}`)
                )
                : Effect.void
            ),
            Effect.tap(() => complete("RunStore.settle", key, begun))
          )
        }
      ),
    complete: (key) => complete("RunStore.complete", key),
    attach: (key, given) =>
      withKey(
        "RunStore.attach",
        key,
        Effect.fnUntraced(function*(about) {
          const ref = readRef(given)
          if (ref === undefined) {
            return yield* refused({
              operation: about.operation,
              parameter: "ref",
              message: `ref is ${describe(given)}, which names no run. Make it with RunRef.make.`
            })
          }
          const entry = yield* read(about)
          if (entry === undefined || !("ref" in entry)) {
            yield* writeRecord(about, "created", {
              intendedAt: entry?.intendedAt ?? (yield* Clock.currentTimeMillis),
              ref
            })
            return yield* tidy(about, "intent")
          }
          if (format(entry.ref) === format(ref)) return
          return yield* refused({
            operation: about.operation,
            parameter: "key",
            message: `there is ${format(entry.ref)} under ${JSON.stringify(key)} already. Forget it first.`,
            ref: entry.ref
          })
        }, Effect.uninterruptible)
      ),
    forget: (key) =>
      withKey("RunStore.forget", key, (about) =>
        // The most advanced entry counts, so it goes last: cut short, this has removed nothing yet
        Effect.uninterruptible(Effect.forEach(states, (state) => removeRecord(about, state), { discard: true }))),
    get: (key) => get("RunStore.get", key),
    unfinished: stored(
      () => Effect.map(storage.keys, (keys) => unfinishedNames(keys)),
      storageFailed({ operation: "RunStore.unfinished" }, "could not be listed")
    ).pipe(
      Effect.flatMap((names) =>
        Effect.forEach(
          names,
          (name) => read({ operation: "RunStore.unfinished", name, key: undefined }),
          { concurrency: 16 }
        )
      ),
      Effect.map((entries) => entries.filter(isUnfinished).sort(byAge)),
      Telemetry.span("RunStore.unfinished", {})
    )
  }
})

/**
 * A layer with the store, on the `KeyValueStore` at hand.
 *
 * **Example** (Runs in a directory)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 * import { RunStore } from "canvas-runs"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 *
 * const directory = mkdtempSync(`${tmpdir()}/runs-`)
 * const storage = Layer.provide(KeyValueStore.layerFileSystem(directory), NodeServices.layer)
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* RunStore.RunStore
 *   return (yield* store.unfinished).length
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, Layer.provide(RunStore.layer, storage)))) // => 0
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<RunStore, never, KeyValueStore.KeyValueStore> = Layer.effect(RunStore, make)

/**
 * A layer with a store in memory, which ends with the process: for tests, and for `runOnce` within one process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<RunStore> = Layer.provide(layer, KeyValueStore.layerMemory)

// ---------------------------------------------------------------------------------------------------------------------

// --- what is stored ---

/** In the order of a run's life, which is the order of writing, reading and removing. */
const states = ["intent", "created", "finished"] as const

type State = typeof states[number]

const prefixes: { readonly [S in State]: string } = {
  intent: "canvas-runs/intent/",
  created: "canvas-runs/created/",
  finished: "canvas-runs/finished/"
}

const version = 1

/** What a `Date` can hold. */
const Time = Schema.Finite.check(Schema.isBetween({ minimum: -8.64e15, maximum: 8.64e15 }))

const StoredRecord = Schema.Struct({
  version: Schema.Literal(version),
  key: Schema.String,
  intendedAt: Time,
  ref: Schema.optionalKey(RunRef),
  finishedAt: Schema.optionalKey(Time)
})

interface StoredRecord extends Schema.Schema.Type<typeof StoredRecord> {}

/** What is left of an entry whose writing was cut short: never whole JSON, as JSON ends with its last brace. */
const torn = "torn"

const isStored = (record: StoredRecord | typeof torn | undefined): record is StoredRecord =>
  record !== undefined && record !== torn

const parseJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const decodeRecord = Schema.decodeUnknownResult(StoredRecord)

const parseRecord = (about: About, text: string): Effect.Effect<StoredRecord | typeof torn, RunStoreError> => {
  const json = parseJson(text)
  if (Result.isFailure(json)) return Effect.succeed(torn)
  const record = decodeRecord(json.success)
  if (Result.isFailure(record)) {
    return Effect.fail(notOurs(
      about,
      isNewer(json.success)
        ? "was written by a newer version of canvas-runs, which is needed to read it"
        : `is not one of canvas-runs (${record.failure.message.replaceAll("\n", " ")})`
    ))
  }
  return about.key === undefined || record.success.key === about.key
    ? Effect.succeed(record.success)
    : Effect.fail(notOurs(about, `belongs to the key ${JSON.stringify(record.success.key)}: the storage mixes keys up`))
}

const isNewer = (json: unknown): boolean =>
  Predicate.hasProperty(json, "version") && Predicate.isNumber(json.version) && json.version > version

// --- keys ---

/**
 * How long the name of an entry gets. With its prefix it fits a file name (255 bytes) and the narrowest column of
 * `KeyValueStore.layerSql` (191 characters), with some room for a prefix of the user's.
 */
const maxName = 140

/** Stands between the beginning of a long name and the digest of all of it; short names do not have it. */
const hashMark = "~"

/** Says a key in characters that differ on every storage, be it blind to case or shy of dots. */
const encodeKey = (key: string): string =>
  key.replace(
    /[^a-z0-9_-]/g,
    (char) => /[A-Z]/.test(char) ? `!${char.toLowerCase()}` : `(${char.charCodeAt(0).toString(16)})`
  )

const decodeKey = (name: string): string =>
  name.replace(
    /!([a-z])|\(([0-9a-f]+)\)/g,
    (_, letter?: string, code?: string) => letter?.toUpperCase() ?? String.fromCharCode(Number.parseInt(code!, 16))
  )

/** A long key is only in its entries. If none is whole, the process ended before it had written the intent. */
const keyOf = (name: string, ...records: ReadonlyArray<StoredRecord | typeof torn | undefined>): string | undefined =>
  records.find(isStored)?.key ?? (name.includes(hashMark) ? undefined : decodeKey(name))

const unfinishedNames = (stored: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(
    [prefixes.intent, prefixes.created].flatMap((prefix) =>
      stored.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
    )
  )

const isUnfinished = (entry: Entry | undefined): entry is UnfinishedEntry =>
  entry !== undefined && entry._tag !== "Finished"

const byAge = (self: UnfinishedEntry, that: UnfinishedEntry): number =>
  (self.intendedAt ?? 0) - (that.intendedAt ?? 0) || (self.key < that.key ? -1 : 1)

/** Whether the create for this key is under way, and the fiber is part of it. */
const isCreatedBy = (account: Create.Account | undefined, store: object, name: string): boolean =>
  account !== undefined &&
  (account.key?.store === store && account.key.name === name || isCreatedBy(account.outer, store, name))

/**
 * One at a time for each name. The wait can be interrupted also where the caller cannot: two creates that each run the other's key
 * would wait for ever.
 */
const makeLocks = () => {
  const locks = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return (name: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const lock = locks.get(name) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
        lock.users++
        locks.set(name, lock)
        return lock
      }),
      ({ semaphore }) =>
        Effect.uninterruptibleMask((restore) => {
          let ended: Exit.Exit<A, E> | undefined
          const once = Effect.onExit(restore(self), (exit) =>
            Effect.sync(() => {
              ended = exit
            }))
          return Effect.catchCause(
            Effect.interruptible(semaphore.withPermits(1)(Effect.uninterruptible(once))),
            // An interruption that comes after the end takes nothing back
            (cause) => ended ?? Effect.failCause(cause)
          )
        }),
      (lock) =>
        Effect.sync(() => {
          if (--lock.users === 0) locks.delete(name)
        })
    )
}

// --- errors ---

/** What an error can say about the operation it ended. */
interface About {
  readonly operation: string
  readonly name?: string | undefined
  readonly key?: string | undefined
  readonly ref?: RunRef | undefined
}

interface EntryAbout extends About {
  readonly name: string
}

interface KeyAbout extends EntryAbout {
  readonly key: string
}

const storeError = (about: About, reason: RunStoreError["reason"], message: string, cause?: unknown): RunStoreError =>
  new RunStoreError({
    message: `${about.operation}: ${message}`,
    operation: about.operation,
    reason,
    ...(about.key === undefined ? undefined : { key: about.key }),
    ...(about.ref === undefined ? undefined : { ref: about.ref }),
    ...(cause === undefined ? undefined : { cause })
  })

const where = (about: About): string =>
  about.key !== undefined ? `the entry of ${JSON.stringify(about.key)}` : `the entry ${about.name}`

const storageFailed = (about: About, what: string, advice = "") => (cause: unknown): RunStoreError =>
  storeError(
    about,
    "storage",
    `${about.name === undefined ? "the store" : where(about)} ${what} (${messageOf(cause)}).${
      about.ref === undefined ? "" : ` It is about ${format(about.ref)}.`
    }${advice}`,
    cause
  )

/** Asks the `KeyValueStore`. What it fails, dies or throws with is a failure of the storage: a run may be under way. */
const stored = <A>(
  ask: () => Effect.Effect<A, unknown>,
  failure: (cause: unknown) => RunStoreError
): Effect.Effect<A, RunStoreError> =>
  Effect.catchCause(Effect.suspend(ask), (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.failCause(cause as Cause.Cause<never>)
      : Effect.fail(failure(Cause.squash(cause))))

const notOurs = (about: About, what: string): RunStoreError =>
  storeError(about, "record", `${where(about)} ${what}. Nothing was created or changed.`)

const outcomeUnknown = (
  about: KeyAbout,
  intendedAt: number | undefined,
  now: number
): CreateOutcomeUnknownError =>
  new CreateOutcomeUnknownError({
    message:
      `${about.operation}: a run may exist for ${JSON.stringify(about.key)}, and may be billed: it was going to ` +
      "be created, and no ref was stored after that. Look for the run at the provider, then attach(key, ref), or create " +
      `another one with { onUnknown: "retry" }, or forget(key).`,
    operation: about.operation,
    attempts: 1,
    elapsed: Duration.millis(Math.max(0, now - (intendedAt ?? now))),
    cause: new Error(
      intendedAt === undefined
        ? "the intent cannot be read"
        : `the intent was written at ${new Date(intendedAt).toISOString()}`
    )
  })

/** Whether a create operation failed with this. */
const isWithoutRun = (account: Create.Account) => (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && account.failures.has(reason.error)

const isEnd = (error: unknown): error is RunFailedError | InvalidOutputError =>
  isOurs(error, "RunFailedError", "InvalidOutputError")

const isSameRun = (self: RunRef, that: RunRef): boolean =>
  self.provider === that.provider && self.kind === that.kind && self.id.toLowerCase() === that.id.toLowerCase()
