/**
 * How long the runs of each kind took, from which `Polling.adaptive` learns when the next one ends.
 *
 * **When to use**
 *
 * Provide {@link layer} or {@link layerMemory} to a program whose waits use `Polling.adaptive`. Nothing else changes: each wait that sees
 * a run end records its duration, and each adaptive schedule uses what is known of the kind of its run. Without this service, adaptive
 * schedules know the provider's estimate alone.
 *
 * **Details**
 *
 * The kind of a run is its provider and the `template` of its ref: the template or the blocks of a Spine run, the canvas, version or
 * application of a Tela execution. The clients write it into the ref, so a wait in another process knows it too. A run that is named by its
 * id alone has no known kind, so its wait neither learns nor teaches. `canvas.getExecution` knows the kind from its canvas.
 *
 * These runs are recorded, once each:
 *
 * - A run that succeeded, and a run that failed: a wait has to see either end. If many runs of a kind fail early, waits also look early.
 * - The duration is from the creation of the run to its end. Where the provider does not say when it ended, that is the middle
 *   between the last poll that saw it pending and the poll that saw the end.
 * - A run that had ended before the first poll counts only if the provider says how long it took.
 *
 * For each kind the last 64 runs are kept, and 256 kinds in all.
 *
 * The next run is expected to take about as long as one of the earlier ones, or, with the weight of two more runs, as long as the
 * provider's estimate says. Kinds change: a new version of a canvas may take twice as long. Each run changes its kind with a probability of
 * 4 %, and Bayes' rule gives how many of the latest runs still describe it, by how well they predict one another. If thirty runs took
 * about 5 minutes, one run of 15 minutes takes about 40 % of their weight from them, and a second one most of the rest.
 *
 * The share of runs whose progress halts before their end is learnt too, from the last 8 runs. It decides how soon a wait stops
 * trusting progress that stands still.
 *
 * **Gotchas**
 *
 * A storage that fails or is slow never fails a wait. It delays the first adaptive pause of a kind, and the result of a run, by a second at
 * most. Then the wait continues without it, and the process logs one warning.
 *
 * An adaptive schedule learns again after each recorded run of a kind. With 64 runs that takes about 0.3 milliseconds of CPU time.
 *
 * **Example** (Durations that survive the process)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 * import { DurationHistory, Polling, Spine } from "canvas-runs"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 *
 * const directory = mkdtempSync(`${tmpdir()}/runs-`)
 * const storage = Layer.provide(KeyValueStore.layerFileSystem(directory), NodeServices.layer)
 *
 * const main = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* spine.runs.run({ prompt: "Tides" }, { schedule: Polling.adaptive(), timeout: "2 hours" })
 *   console.log(run.status) // => completed
 * }).pipe(
 *   Effect.provide([Spine.layerFetch(), Layer.provide(DurationHistory.layer, storage)])
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Predicate from "effect/Predicate"
import { messageOf, quote } from "./internal/describe.ts"
import * as Options from "./internal/options.ts"
import type { Learnt } from "./internal/polling/adaptive.ts"
import { CurrentHistory, type Hooks, type Kind } from "./internal/polling/history.ts"
import { learn } from "./internal/polling/learn.ts"
import * as Lesson from "./internal/polling/lesson.ts"
import { nameOf } from "./internal/runStore/record.ts"
import { badRequest, type BadRequestError } from "./RunError.ts"
import * as RunRef from "./internal/ref.ts"

export type { Kind } from "./internal/polling/history.ts"

/**
 * How long the runs of each kind took.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /**
   * Returns the durations of the latest runs of a kind, the oldest first. A kind without a `template` has none.
   *
   * **Example** (What is known of a kind)
   *
   * ```ts
   * import { Duration, Effect } from "effect"
   * import { DurationHistory, RunRef } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const history = yield* DurationHistory.DurationHistory
   *   const ref = RunRef.make({ provider: "acme", kind: "job", id: "1", template: "report" })
   *   yield* history.record(ref, "4 minutes")
   *   const durations = yield* history.durations({ provider: "acme", kind: "job", template: "report" })
   *   console.log(durations.map(Duration.format)) // => ["4m"]
   * })
   *
   * await Effect.runPromise(Effect.provide(main, DurationHistory.layerMemory))
   * ```
   */
  readonly durations: (kind: Kind) => Effect.Effect<ReadonlyArray<Duration.Duration>>
  /**
   * Records how long a run took, from its creation to its end.
   *
   * **When to use**
   *
   * Waits record the runs that they see end. Use this for runs that ended before, such as those in your logs, or without a wait.
   *
   * **Details**
   *
   * A run is recorded once: a second record of it changes nothing. A ref without a `template` is ignored, because its kind is not known. A
   * value that is not a ref is a `BadRequestError`, and so is a duration of less than 1 millisecond, or of 366 days or more.
   *
   * **Example** (Durations from a log)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { DurationHistory, RunRef } from "canvas-runs"
   *
   * const log = [["6f1c1d5e", "4 minutes"], ["7a2d2e6f", "5 minutes"]] as const
   *
   * const main = Effect.gen(function*() {
   *   const history = yield* DurationHistory.DurationHistory
   *   for (const [id, duration] of log) {
   *     yield* history.record(RunRef.make({ provider: "spine", kind: "run", id, template: "report" }), duration)
   *   }
   *   const durations = yield* history.durations({ provider: "spine", kind: "run", template: "report" })
   *   console.log(durations.length) // => 2
   * })
   *
   * await Effect.runPromise(Effect.provide(main, DurationHistory.layerMemory))
   * ```
   */
  readonly record: (ref: RunRef.RunRef, duration: Duration.Input) => Effect.Effect<void, BadRequestError>
}

/**
 * The durations of earlier runs, as a service.
 *
 * **Example** (Durations that an adaptive schedule learns from)
 *
 * ```ts
 * import { Duration, Effect, Fiber, Redacted } from "effect"
 * import { TestClock } from "effect/testing"
 * import { DurationHistory, Polling, Spine } from "canvas-runs"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const { durations } = yield* DurationHistory.DurationHistory
 *   const run = runs.run({ prompt: "Tides", template: "report" }, { schedule: Polling.adaptive(), timeout: "1 hour" })
 *   const fiber = yield* Effect.forkChild(run)
 *   yield* TestClock.adjust("1 hour")
 *   yield* Fiber.join(fiber)
 *   const known = yield* durations({ provider: "spine", kind: "run", template: "report" })
 *   console.log(known.map(Duration.format)) // => ["12m"]
 * }).pipe(
 *   Effect.provide([Spine.layer({ apiKey: Redacted.make("sk_spine_test") }), DurationHistory.layerMemory, TestClock.layer()]),
 *   Effect.provide(SpineEmulator.layerTest())
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link layer} and {@link layerMemory}, which provide it
 * @category services
 * @since 0.1.0
 */
export class DurationHistory extends Context.Service<DurationHistory, Service>()("canvas-runs/DurationHistory") {}

/** How many runs of a kind are kept, and how many kinds. */
const maxRuns = 64
const maxKinds = 256

/** How long a wait is delayed by the storage at most. */
const patience = Duration.seconds(1)

const prefix = "canvas-runs/durations/"

/** A run that has ended. Times are in milliseconds, and `at` is when it was recorded. */
const Ended = Schema.Struct({
  id: Schema.NonEmptyString,
  at: Schema.Finite,
  duration: Schema.Finite.check(Schema.makeFilter(Lesson.isLength)),
  estimate: Schema.optionalKey(Schema.Finite),
  halted: Schema.optionalKey(Schema.Boolean)
})
type Ended = typeof Ended.Type

const Stored = Schema.fromJsonString(Schema.Struct({ version: Schema.Literal(1), runs: Schema.Array(Ended) }))
const decode = Schema.decodeUnknownOption(Stored)
const encode = (runs: ReadonlyArray<Ended>): string => JSON.stringify({ version: 1, runs })

/** A kind whose runs have been read. */
interface Known {
  readonly runs: ReadonlyArray<Ended>
  /** What they teach, once it has been asked for. */
  learnt: Learnt | undefined
}

/** Makes the service, and the hooks for the poll loop. */
const make = Effect.gen(function*() {
  const storage = yield* KeyValueStore.KeyValueStore
  /** The kinds that this process has seen, the least recently recorded first. */
  const kinds = new Map<string, Known>()
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  const unwritten = new Set<string>()
  let isWarned = false

  /** A wait never fails for its history. A fault is logged once, because each run would repeat it. */
  const within = <A>(what: string, self: Effect.Effect<A, unknown>): Effect.Effect<Option.Option<A>> =>
    Effect.catchDefect(Effect.asSome(Effect.orDie(Effect.timeout(self, patience))), (cause) => {
      if (isWarned) return Effect.succeedNone
      isWarned = true
      return Effect.as(
        Effect.logWarning(
          `canvas-runs: the durations of runs could not be ${what} (${messageOf(cause)}); waits continue. ` +
            `Check the KeyValueStore of DurationHistory.layer.`
        ),
        Option.none()
      )
    })

  const remember = (key: string, runs: ReadonlyArray<Ended>): Known => {
    const known = { runs, learnt: undefined }
    kinds.delete(key)
    kinds.set(key, known)
    if (kinds.size > maxKinds) kinds.delete(kinds.keys().next().value!)
    return known
  }

  /**
   * Merges what other processes have stored with what this one knows. Of a run that both have recorded, the stored record counts. A
   * record that cannot be read is as good as none.
   */
  const read = Effect.fnUntraced(function*(key: string) {
    const name = prefix + (yield* nameOf(key))
    const text = yield* storage.get(name)
    const stored = Option.getOrElse(decode(text), () => ({ runs: [] })).runs
    const ids = new Set(stored.map(({ id }) => id))
    const mine = kinds.get(key)?.runs ?? []
    const all = [...stored, ...mine.filter(({ id }) => !ids.has(id))]
    return { name, isNew: text === undefined, known: remember(key, all.sort((a, b) => a.at - b.at).slice(-maxRuns)) }
  })

  const knownOf = (kind: Kind): Effect.Effect<Known | undefined> => {
    if (kind.template === undefined) return Effect.undefined
    const key = keyOf(kind)
    const known = kinds.get(key)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(
      within("read", read(key)),
      (found) => kinds.get(key) ?? (Option.isSome(found) ? found.value.known : remember(key, []))
    )
  }

  const write = (key: string) =>
    Effect.gen(function*() {
      unwritten.delete(key)
      const { isNew, known, name } = yield* read(key)
      if (isNew) yield* makeRoom(name)
      yield* storage.set(name, encode(known.runs))
    }).pipe(oneAtATime, Effect.onInterrupt(() => Effect.sync(() => unwritten.delete(key))))

  /** Removes kinds beyond the limit, whichever the storage lists first: a kind that is in use is soon learnt again. */
  const makeRoom = (name: string) =>
    Effect.flatMap(storage.keys, (names) => {
      const others = names.filter((other) => other.startsWith(prefix) && other !== name)
      return Effect.forEach(others.slice(0, Math.max(0, others.length - maxKinds + 1)), storage.remove, {
        discard: true
      })
    })

  const add = (kind: Kind, ended: Ended): Effect.Effect<void> =>
    Effect.suspend(() => {
      const key = keyOf(kind)
      const runs = kinds.get(key)?.runs ?? []
      if (runs.some(({ id }) => id === ended.id)) return Effect.void
      remember(key, [...runs, ended].slice(-maxRuns))
      // The write that waits includes this run
      if (unwritten.has(key)) return Effect.void
      unwritten.add(key)
      return Effect.asVoid(within("stored", write(key)))
    })

  const service: Service = {
    durations: (kind) => {
      Options.need("kind", kind, Predicate.isObject, "a ref, or an object with provider, kind and template")
      return Effect.map(knownOf(kind), (known) => (known?.runs ?? []).map(({ duration }) => Duration.millis(duration)))
    },
    record: Effect.fnUntraced(function*(input, duration) {
      const operation = "DurationHistory.record"
      const ref = RunRef.read(input)
      if (ref === undefined) {
        return yield* badRequest({
          operation,
          parameter: "ref",
          message: `ref is ${RunRef.describe(input)}; it must be a RunRef, such as RunRef.make returns it.`
        })
      }
      const millis = Options.millisOf(duration)
      if (!Lesson.isLength(millis)) {
        return yield* badRequest({
          operation,
          parameter: "duration",
          message: `duration is ${quote(duration)}; it must be at least 1 millisecond, and less than 366 days.`
        })
      }
      if (ref.template === undefined) return
      const at = yield* Clock.currentTimeMillis
      yield* add(ref, endedOf(ref.id, at, { duration: millis, estimate: ref.estimatedDurationMs }))
    })
  }
  const hooks: Hooks = {
    expect: (kind, use) =>
      Effect.flatMap(
        knownOf(kind),
        (known) => use(known === undefined ? undefined : known.learnt ??= learn(known.runs))
      ),
    observe: (loop, poll) =>
      Effect.suspend(() => {
        const before = Lesson.before(loop)
        return Effect.tap(poll, (result) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const taught = Lesson.lessonOf(loop, before, result, now)
            return taught === undefined
              ? Effect.void
              : add(taught.ref, endedOf(taught.ref.id, now, taught.lesson))
          }))
      })
  }
  return Context.make(DurationHistory, service).pipe(Context.add(CurrentHistory, hooks))
})

const keyOf = ({ kind, provider, template }: Kind): string => JSON.stringify([provider, kind, template])

const endedOf = (
  id: string,
  at: number,
  { duration, estimate, halted }: Parameters<typeof learn>[0][number]
): Ended => ({
  id: id.toLowerCase(),
  at,
  duration: Math.round(duration),
  ...(estimate === undefined ? undefined : { estimate }),
  ...(halted === true ? { halted } : undefined)
})

/**
 * Creates a layer with the history, on the `KeyValueStore` of the context.
 *
 * **When to use**
 *
 * Use the `KeyValueStore` of the run store: `KeyValueStore.layerFileSystem(directory)` on one machine, or `KeyValueStore.layerSql` on a
 * database, which several processes and machines may share.
 *
 * **Details**
 *
 * The names of its records begin with `canvas-runs/durations/`, so that the `KeyValueStore` can hold other data too. A record holds the
 * runs of one kind. A process reads it before the first wait for a run of that kind, and again whenever it records a run. If two processes
 * record at the same moment, one of the two runs may be lost.
 *
 * **Example** (A history in a directory)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 * import { DurationHistory, RunRef } from "canvas-runs"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 *
 * const directory = mkdtempSync(`${tmpdir()}/runs-`)
 * const storage = Layer.provide(KeyValueStore.layerFileSystem(directory), NodeServices.layer)
 * const ref = RunRef.make({ provider: "acme", kind: "job", id: "1", template: "report" })
 *
 * const first = Effect.flatMap(DurationHistory.DurationHistory, ({ record }) => record(ref, "4 minutes"))
 * const second = Effect.flatMap(DurationHistory.DurationHistory, ({ durations }) => durations(ref))
 *
 * // Two programs, one after the other
 * await Effect.runPromise(Effect.provide(first, Layer.provide(DurationHistory.layer, storage)))
 * const known = await Effect.runPromise(Effect.provide(second, Layer.provide(DurationHistory.layer, storage)))
 * console.log(known.length) // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<DurationHistory, never, KeyValueStore.KeyValueStore> = /*#__PURE__*/ Layer
  .effectContext(
    make
  )

/**
 * Creates a layer with a history in memory. It is forgotten when the process ends.
 *
 * **Example** (Learning within one process)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { DurationHistory, RunRef } from "canvas-runs"
 *
 * const main = Effect.gen(function*() {
 *   const history = yield* DurationHistory.DurationHistory
 *   const ref = RunRef.make({ provider: "acme", kind: "job", id: "1", template: "report" })
 *   yield* history.record(ref, "4 minutes")
 *   console.log((yield* history.durations(ref)).length) // => 1
 * })
 *
 * await Effect.runPromise(Effect.provide(main, DurationHistory.layerMemory))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<DurationHistory> = /*#__PURE__*/ Layer.provide(layer, KeyValueStore.layerMemory)
