/**
 * Runs that survive the process: which were intended, which were created, and which have finished.
 *
 * **Details**
 *
 * A process can end after the provider has started a run and before the program has its response. A {@link RunStore} therefore
 * stores an *intent* before the create and the *ref* after it, in any `KeyValueStore`: memory, a directory, a database.
 *
 * | state of the key | `runOnce(key, create)` | is unfinished |
 * | --- | --- | --- |
 * | none | stores the intent, creates the run, stores and returns its ref | |
 * | `Creating`: this process creates the run now | waits, then returns that ref | yes |
 * | `Created`: there is a ref | returns the ref, and makes no request | yes |
 * | `Unknown`: there is an intent and no ref | fails with `CreateOutcomeUnknownError` | yes |
 * | `Finished`: there is a ref, and the run is marked as finished | returns the ref, and makes no request | |
 *
 * Nothing resumes by itself: at the start of a program, wait for the runs that `unfinished` lists.
 *
 * If the state is `Unknown`, look for the run at the provider. Then call `attach(key, ref)` if you find it,
 * `runOnce(key, create, { onUnknown: "retry" })` to create another run, or `forget(key)` to give it up. A request can outlive the
 * process that sent it, so look some time after `intendedAt`, not at once.
 *
 * `reconcile` does this for you if the provider can list runs by a tag, as Tela can. Let `create` be a function, and give the run the tag
 * that the function is given. The tag is stored with the intent. Spine cannot list runs: create its runs with an effect, whose entries have
 * no `tag`, and decide yourself.
 *
 * On a `KeyValueStore`, each state has its own record. The store writes the new record first, then removes the old one, and the most
 * advanced record counts. It overwrites a complete record in one case: a retry replaces the intent of the create before it. A process
 * may therefore be killed between two writes or inside one: the store recognises a record that was cut short, and the record before it
 * still counts.
 *
 * **Gotchas**
 *
 * - A key needs one owner at a time. One `RunStore` takes care of that. A `KeyValueStore` cannot compare and set, so two processes,
 *   or two `RunStore`s, that run the same key at the same time may both create a run.
 * - What the `KeyValueStore` has accepted counts as written. `KeyValueStore.layerFileSystem` leaves it to the operating
 *   system to write it to the disk: a killed process loses nothing, a power cut may lose the last moments.
 * - The store holds refs and nothing secret: no API key, prompt or file. Keys are stored unchanged.
 * - Finished runs stay in the store, so that their keys are not run again. `forget` removes them.
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
 *   return yield* store.track("report-2026-07", spine.runs.waitForCompletion(ref))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const first = yield* report
 *   // The same key, so the same run: after a restart, or as here after the run has finished
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
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import type { MigrationError } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { migrate } from "./internal/migrate.ts"
import * as Options from "./internal/options.ts"
import type { RunRef } from "./internal/ref.ts"
import { DuplicateRunsError, RunStoreError } from "./internal/runStore/entries.ts"
import * as KeyValueEntries from "./internal/runStore/keyValue.ts"
import type { Entry, UnfinishedEntry } from "./internal/runStore/record.ts"
import * as SqlEntries from "./internal/runStore/sql.ts"
import * as Store from "./internal/runStore/store.ts"
import type { Create, ListOptions, ReconcileOptions, RunOnceOptions } from "./internal/runStore/store.ts"
import type { BadRequestError, ConfigError, CreateOutcomeUnknownError } from "./RunError.ts"

export {
  type Create,
  DuplicateRunsError,
  type Entry,
  type ListOptions,
  type ReconcileOptions,
  type RunOnceOptions,
  RunStoreError,
  type UnfinishedEntry
}

/**
 * Options for {@link layerSql}.
 *
 * @category options
 * @since 0.1.0
 */
export interface SqlOptions {
  /**
   * How long a create may take. While the intent of another process is younger than this, `runOnce` waits for its ref. After that, an
   * intent without a ref has an unknown outcome. It must be longer than the client's `requestTimeout`, with its retries and uploads.
   *
   * @default "2 minutes"
   */
  readonly createTimeout?: Duration.Input | undefined
  /**
   * The name of the table.
   *
   * @default "canvas_runs"
   */
  readonly table?: string | undefined
}

/**
 * The operations of the store. A key is any text, and names one piece of work forever: `"report-2026-07"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /**
   * Returns the ref of the run under the key, and creates the run if there is none.
   *
   * **Details**
   *
   * `create` makes the run: Spine's `runs.create(params)`, Tela's `canvas.execute(variables, { async: true })`, or any other effect whose
   * result has a `ref`. It may be a function that is given a tag for the run, by which {@link Service.reconcile} finds the run: `(tag) =>
   * canvas.execute(variables, { async: true, tags: [tag] })`. From the start of `create` until the ref is stored, interruption waits, so
   * that no response is lost. A client bounds the time of `create` with its `requestTimeout`; nothing bounds the time that the storage
   * takes.
   *
   * If `create` fails with the error of a client's create operation that surely made no run (a refused request, a failed upload
   * before the request, a connection that was never made), the key is free again. If a client created the run and a later step of `create`
   * failed, the ref of that run is stored. After every other failure the outcome is unknown, and the key stays taken.
   *
   * **Gotchas**
   *
   * Only the error value with which a create operation in `create` failed, such as `runs.create`, `canvas.execute` or
   * `tasks.create`, frees the key. For every other error the store assumes that a run was created: the error of a look-up before
   * the create, an error of your program, and the results of `Effect.mapError` or `Effect.runPromise`. The store does not see a
   * create that runs elsewhere: in a fiber that was forked before, or by `Effect.runPromise`.
   *
   * A create cannot run its own key: a call of the store for that key in `create` is a `BadRequestError`. If `create` calls the store for
   * another key and has to wait for it, interruption ends that wait.
   *
   * **Example** (Two calls, one run)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * let created = 0
   * // In your program: spine.runs.create({ prompt })
   * const create = Effect.sync(() => ({
   *   ref: RunRef.make({ provider: "spine", kind: "run", id: `6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a1${++created}` })
   * }))
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   const first = yield* store.runOnce("report-2026-07", create)
   *   const second = yield* store.runOnce("report-2026-07", create)
   *   console.log(first.id === second.id, created) // => true 1
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   *
   * @see {@link Service.track} for the wait
   */
  readonly runOnce: <A extends { readonly ref: RunRef }, E, R>(
    key: string,
    create: Create<A, E, R>,
    options?: RunOnceOptions
  ) => Effect.Effect<RunRef, E | BadRequestError | CreateOutcomeUnknownError | RunStoreError, R>
  /**
   * Waits for the run under the key with `wait`. Marks the run as finished if `wait` succeeds, or if it fails because the run failed (a
   * `RunFailedError` or `InvalidOutputError` of this library with the `ref` of this run). After any other failure the run stays
   * unfinished.
   *
   * **Details**
   *
   * `wait` may include more than the wait, such as downloads and bookkeeping. The run is marked when they are done. If another run has
   * been stored under the key in the meantime, that run stays unfinished.
   *
   * **Example** (A wait that marks the run)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("report-2026-07", ref)
   *
   *   // In your program: spine.runs.waitForCompletion(ref)
   *   const wait = Effect.succeed("the report")
   *   console.log(yield* store.track("report-2026-07", wait)) // => "the report"
   *   console.log((yield* store.get("report-2026-07"))?._tag) // => "Finished"
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   *
   * @see {@link Service.complete} to mark a run by hand
   */
  readonly track: <A, E, R>(
    key: string,
    wait: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | BadRequestError | RunStoreError, R>
  /**
   * Marks the run under the key as finished. `unfinished` does not list it, and `runOnce` still returns its ref.
   *
   * **When to use**
   *
   * Use it if the wait is not one effect that {@link Service.track} can take, for example if another process waits.
   *
   * **Example** (Marking a run by hand)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("report-2026-07", ref)
   *   yield* store.complete("report-2026-07")
   *   console.log((yield* store.unfinished).length) // => 0
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly complete: (key: string) => Effect.Effect<void, BadRequestError | RunStoreError>
  /**
   * Marks a key whose run the provider refused to create, so that the program does not try it again. The key must have no entry: no
   * run, and no intent. `get` and `list` return it as `Refused`; `runOnce` still creates the run.
   *
   * **Example** (A key without a run)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunStore } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.refuse("report-2026-07")
   *   console.log((yield* store.get("report-2026-07"))?._tag) // => Refused
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly refuse: (key: string) => Effect.Effect<void, BadRequestError | RunStoreError>
  /**
   * Stores a run under a key, such as a run that was found at the provider after its create had an unknown outcome. If the key has
   * another run, that is a `BadRequestError`.
   *
   * **Example** (A run that was found at the provider)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("report-2026-07", ref)
   *   console.log((yield* store.get("report-2026-07"))?._tag) // => "Created"
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly attach: (key: string, ref: RunRef) => Effect.Effect<void, BadRequestError | RunStoreError>
  /**
   * Resolves an unknown outcome: looks for the run by the tag of its create, and attaches it. If there is none, and the create was
   * intended longer ago than `settlingTime`, the key is free again. Returns the entry after that.
   *
   * **Details**
   *
   * `lookup` returns all runs that have the tag, such as `Tela.findByTag`. If it fails, the outcome stays unknown. Several runs with the
   * tag are a `DuplicateRunsError` that names them. An entry in another state is returned unchanged, without a look-up. So is an
   * entry of unknown outcome without a tag, whose `create` was an effect and not a function.
   *
   * **Gotchas**
   *
   * `create` must pass its tag to the provider. Otherwise no look-up finds the run, and the key becomes free although there is a run.
   *
   * **Example** (A response that was lost)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { RunStore, Tela } from "canvas-runs"
   * import { Fault, TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *
   *   // The provider creates the run, and the connection breaks before its response
   *   yield* (yield* TelaEmulator.TelaEmulator).fault(Fault.dropAfter)
   *   const create = store.runOnce("tides", (tag) => canvas.execute({ topic: "tides" }, { async: true, tags: [tag] }))
   *   console.log((yield* Effect.flip(create))._tag) // => CreateOutcomeUnknownError
   *
   *   for (const { key } of yield* store.list({ state: "Unknown" })) {
   *     console.log((yield* store.reconcile(key, Tela.findByTag))?._tag) // => Created
   *   }
   * })
   *
   * const tela = Tela.layer({ apiKey: Redacted.make("tela_test") })
   * const layers = Layer.merge(tela, RunStore.layerMemory).pipe(Layer.provideMerge(TelaEmulator.layerTest()))
   * await Effect.runPromise(Effect.provide(main, layers))
   * ```
   *
   * @see {@link Service.attach} and {@link Service.forget} to decide by hand
   */
  readonly reconcile: <E, R>(
    key: string,
    lookup: (tag: string) => Effect.Effect<ReadonlyArray<RunRef>, E, R>,
    options?: ReconcileOptions
  ) => Effect.Effect<Entry | undefined, E | BadRequestError | DuplicateRunsError | RunStoreError, R>
  /**
   * Removes all records of the key, so that it can be run again. The run itself continues at the provider.
   *
   * **Example** (A key that can be run again)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("report-2026-07", ref)
   *   yield* store.forget("report-2026-07")
   *   console.log(yield* store.get("report-2026-07")) // => undefined
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly forget: (key: string) => Effect.Effect<void, BadRequestError | RunStoreError>
  /**
   * Returns the entry of the key, or `undefined` if the key has none.
   *
   * **Example** (The state of a key)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("report-2026-07", ref)
   *   const entry = yield* store.get("report-2026-07")
   *   console.log(entry?._tag, entry?.key) // => Created report-2026-07
   *   console.log(yield* store.get("report-2026-08")) // => undefined
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   *
   * @see {@link Service.unfinished} for the entries of all keys that need attention
   */
  readonly get: (key: string) => Effect.Effect<Entry | undefined, BadRequestError | RunStoreError>
  /**
   * Lists the entries that need attention, oldest first: runs to wait for, and unknown outcomes to decide about.
   *
   * **Details**
   *
   * It lists the names of all records, and reads the unfinished ones. If one of them cannot be read, the list fails, because that
   * record may stand for a run.
   *
   * **Example** (Resuming all runs at start)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * // In your program: spine.runs.waitForCompletion(ref, { timeout: "2 hours" })
   * const wait = (ref: RunRef.RunRef) => Effect.succeed(`the result of ${ref.id}`)
   *
   * const resume = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   return yield* Effect.forEach(yield* store.unfinished, (entry) =>
   *     entry._tag === "Created"
   *       ? store.track(entry.key, wait(entry.ref))
   *       : Effect.succeed(`${entry.key} may have been created: look for it at the provider`), {
   *     concurrency: "unbounded"
   *   })
   * })
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   // The program before this one stored a run, and was killed
   *   yield* store.attach("report-2026-07", RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e" }))
   *   console.log(yield* resume) // => ["the result of 6f1c1d5e"]
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly unfinished: Effect.Effect<ReadonlyArray<UnfinishedEntry>, RunStoreError>
  /**
   * Lists the entries that fit the options, oldest first. On a `KeyValueStore` it reads all entries of the state.
   *
   * **Example** (The finished runs of one provider)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunRef, RunStore } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   yield* store.attach("a", RunRef.make({ provider: "spine", kind: "run", id: "1" }))
   *   yield* store.attach("b", RunRef.make({ provider: "spine", kind: "run", id: "2" }))
   *   yield* store.complete("b")
   *   const finished = yield* store.list({ state: "Finished", provider: "spine" })
   *   console.log(finished.map(({ key }) => key)) // => ["b"]
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   *
   * @see {@link Service.unfinished} for the entries that need attention
   */
  readonly list: (options?: ListOptions) => Effect.Effect<ReadonlyArray<Entry>, BadRequestError | RunStoreError>
  /**
   * Removes the entries that were marked as finished or refused longer ago than `olderThan`, and returns their number. Their keys can
   * be run again.
   *
   * **Example** (Keeping thirty days)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { RunStore } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const store = yield* RunStore.RunStore
   *   console.log(yield* store.purge("30 days")) // => 0
   * })
   *
   * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
   * ```
   */
  readonly purge: (olderThan: Duration.Input) => Effect.Effect<number, BadRequestError | RunStoreError>
}

/**
 * The store of runs, as a service.
 *
 * **Example** (Using the store)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { RunRef, RunStore } from "canvas-runs"
 *
 * // In your program: spine.runs.create({ prompt })
 * const create = Effect.succeed({
 *   ref: RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
 * })
 *
 * const main = Effect.gen(function*() {
 *   const store = yield* RunStore.RunStore
 *   const ref = yield* store.runOnce("report-2026-07", create)
 *   console.log(ref.provider) // => "spine"
 * })
 *
 * await Effect.runPromise(Effect.provide(main, RunStore.layerMemory))
 * ```
 *
 * @see {@link layer} and {@link layerMemory}, which provide it
 * @category services
 * @since 0.1.0
 */
export class RunStore extends Context.Service<RunStore, Service>()("canvas-runs/RunStore") {}

/**
 * Makes a store on the `KeyValueStore` of the context.
 *
 * **When to use**
 *
 * Use it for a second store in one program. Otherwise use {@link layer}.
 *
 * **Details**
 *
 * The names of its records begin with `canvas-runs/`, so that the `KeyValueStore` can hold other data too.
 *
 * **Example** (A store for each tenant)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 * import { RunRef, RunStore } from "canvas-runs"
 *
 * const storeOf = (tenant: string) =>
 *   Effect.map(KeyValueStore.KeyValueStore, (store) => KeyValueStore.prefix(store, `${tenant}/`)).pipe(
 *     Effect.flatMap((store) => Effect.provideService(RunStore.make, KeyValueStore.KeyValueStore, store))
 *   )
 *
 * const main = Effect.gen(function*() {
 *   const acme = yield* storeOf("acme")
 *   yield* acme.attach("report", RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e" }))
 *   console.log((yield* acme.get("report"))?._tag) // => "Created"
 *   console.log(yield* (yield* storeOf("globex")).get("report")) // => undefined
 * })
 *
 * await Effect.runPromise(Effect.provide(main, KeyValueStore.layerMemory))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Service, never, KeyValueStore.KeyValueStore> = Effect.flatMap(
  KeyValueStore.KeyValueStore,
  (storage) => Store.make((creating) => KeyValueEntries.make(storage, creating))
)

/**
 * Creates a layer with the store, on the `KeyValueStore` of the context.
 *
 * **When to use**
 *
 * | the runs must survive | `KeyValueStore` |
 * | --- | --- |
 * | nothing: a test, or `runOnce` within one process | {@link layerMemory}, which brings it |
 * | the process, on one machine | `KeyValueStore.layerFileSystem(directory)` of `effect/persistence` |
 * | the machine | `KeyValueStore.layerSql` on a database, or another that your platform has |
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
 * Creates a layer with a store in memory.
 *
 * **When to use**
 *
 * Use it for tests, and for `runOnce` within one process. The runs are forgotten when the process ends: for runs that survive it,
 * use {@link layer}.
 *
 * **Example** (A test of a program that uses the store)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { RunStore } from "canvas-runs"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* RunStore.RunStore
 *   return (yield* store.unfinished).length
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, RunStore.layerMemory))) // => 0
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<RunStore> = Layer.provide(layer, KeyValueStore.layerMemory)

/**
 * Creates a layer with a store in a table of a SQL database, which several processes and machines may share. It is made for PostgreSQL and
 * SQLite.
 *
 * **Details**
 *
 * A claim in the database, written before the create, decides which process creates the run of a key. Every other process waits for the
 * ref, at most `createTimeout`, and then fails with `CreateOutcomeUnknownError`. The clocks of the
 * machines must agree within seconds.
 *
 * When it is built, the layer creates the table and its indexes, or migrates those of an older version of canvas-runs.
 *
 * **Example** (A store in a file)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { RunStore } from "canvas-runs"
 * import { NodeSqlite } from "canvas-runs/node"
 *
 * const store = Layer.provide(RunStore.layerSql({ createTimeout: "5 minutes" }), NodeSqlite.layer({ filename: ":memory:" }))
 *
 * const main = Effect.gen(function*() {
 *   const { unfinished } = yield* RunStore.RunStore
 *   console.log((yield* unfinished).length) // => 0
 * })
 *
 * await Effect.runPromise(Effect.provide(main, store))
 * ```
 *
 * @see NodeSqlite in `canvas-runs/node` for a database in one file
 * @category layers
 * @since 0.1.0
 */
export const layerSql = (
  options?: SqlOptions
): Layer.Layer<RunStore, ConfigError | MigrationError | SqlError, SqlClient.SqlClient> =>
  Layer.effect(
    RunStore,
    Effect.gen(function*() {
      const { createTimeout = "2 minutes", table = "canvas_runs" } = yield* Options.copyConfig("options", options, [
        "createTimeout",
        "table"
      ])
      const timeout = yield* Options.durationConfig("createTimeout", createTimeout)
      yield* Options.checkConfig("table", table, Options.isTable, "a name of letters, digits and _")
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      yield* migrate(sql, table, SqlEntries.migrations(sql, table))
      return yield* Store.make((creating) => SqlEntries.make(sql, table, timeout, creating))
    })
  )
