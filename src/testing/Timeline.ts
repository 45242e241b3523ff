/**
 * A script of what a run will do, as a pure function of the time since it started.
 *
 * Nothing happens between two reads of a timeline, so it needs no fiber, timer or socket: a run of two hours costs nothing until it
 * is polled, and a program on the `TestClock` sees the same run as one on the real clock. A timeline is the same for all
 * providers. An emulator turns the {@link State} of a timeline into its provider's words.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Check from "./internal/check.ts"
import * as Predicate from "effect/Predicate"

/**
 * How a run ends. `partial` is an end with a usable result from which something is missing.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "completed" | "partial" | "failed"

/**
 * How much of the work of a run is done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** How many tasks are done. */
  readonly completed: number
  /** How many tasks there are in all. */
  readonly total: number
}

/**
 * A part of a run during which the provider reports another status than its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface StatusWindow {
  /** The first millisecond of the window, counted from the start of the run. */
  readonly fromMillis: number
  /** The first millisecond that is no longer part of the window. */
  readonly toMillis: number
  /** The status to report. */
  readonly status: string
}

/**
 * What a run will do.
 *
 * @see {@link make}, which makes it
 * @category models
 * @since 0.1.0
 */
export interface Timeline {
  /** The time from start to end, in milliseconds; `Infinity` for a run that never ends. */
  readonly durationMillis: number
  /** The number of tasks that the run consists of. */
  readonly tasks: number
  /** How the run ends. */
  readonly outcome: Outcome
  /** The reasons of a failure. If there are none, the emulator uses its provider's usual words. */
  readonly errors: ReadonlyArray<string>
  /** The other statuses that the provider reports. */
  readonly statuses: ReadonlyArray<StatusWindow>
  /**
   * Returns the progress after a time since the start, in milliseconds.
   *
   * **Example** (Half of the tasks after half of the time)
   *
   * ```ts
   * import { Timeline } from "canvas-runs/testing"
   *
   * const timeline = Timeline.make({ duration: "10 minutes", tasks: 4 })
   *
   * timeline.progress(5 * 60_000) // => { completed: 2, total: 4 }
   * ```
   */
  readonly progress: (elapsedMillis: number) => Progress
}

/**
 * The state of a run at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** Whether the run is pending, and how it ended otherwise. */
  readonly phase: "running" | Outcome
  /** The status to report instead of that of the phase. */
  readonly status: string | undefined
  /** How much of the work is done. */
  readonly progress: Progress
  /** Time since the start, in milliseconds. It stops when the run ends. */
  readonly elapsedMillis: number
  /** Time from the start to the end, in milliseconds; `undefined` while the run is pending. */
  readonly endedAtMillis: number | undefined
}

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The time from start to end; `"Infinity"` or `Duration.infinity` for a run that never ends.
   *
   * @default "12 minutes"
   */
  readonly duration?: Duration.Input | undefined
  /**
   * The number of tasks the run consists of.
   *
   * @default 5
   */
  readonly tasks?: number | undefined
  /**
   * How the run ends.
   *
   * @default "completed"
   */
  readonly outcome?: Outcome | undefined
  /** The reasons of the failure, for a run that ends `partial` or `failed`. */
  readonly errors?: ReadonlyArray<string> | undefined
  /**
   * Other statuses that the provider reports during parts of the run, such as an unknown one. The last window that contains the
   * moment counts. A window without `to` never ends.
   */
  readonly statuses?:
    | ReadonlyArray<{
      /** Where the part begins, as the time since the start of the run. */
      readonly from: Duration.Input
      /** Where the part ends, as the time since the start of the run. */
      readonly to?: Duration.Input | undefined
      /** The status to report. */
      readonly status: string
    }>
    | undefined
  /** Replaces the progress, which is even by default, as if all tasks took the same time. */
  readonly progress?: ((elapsedMillis: number) => Progress) | undefined
}

/**
 * Makes the script of a run. An option out of its range, such as a negative `duration`, throws a `RangeError`.
 *
 * **Example** (A run that is queued, works, and ends half well)
 *
 * ```ts
 * import { Timeline } from "canvas-runs/testing"
 *
 * const timeline = Timeline.make({
 *   duration: "90 minutes",
 *   tasks: 9,
 *   outcome: "partial",
 *   errors: ["image-block failed"],
 *   statuses: [{ from: 0, to: "10 seconds", status: "queued" }]
 * })
 *
 * Timeline.at(timeline, 5_000).status // => "queued"
 * Timeline.at(timeline, 30 * 60_000).progress // => { completed: 3, total: 9 }
 * Timeline.at(timeline, 91 * 60_000).phase // => "partial"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Timeline => {
  options = Check.options(options, optionNames)
  const durationMillis = Check.millis("the duration of a timeline", options.duration ?? "12 minutes")
  const tasks = Check.count("the number of tasks of a timeline", options.tasks ?? 5)
  return {
    durationMillis,
    tasks,
    outcome: Check.oneOf("the outcome of a timeline", options.outcome ?? "completed", outcomes),
    errors: Check.texts("the errors of a timeline", options.errors ?? []),
    statuses: (options.statuses ?? []).map(({ from, status, to }) => ({
      fromMillis: Check.millis("from of a status", from),
      toMillis: to === undefined ? Infinity : Check.millis("to of a status", to),
      status
    })),
    progress: options.progress ?? evenProgress(durationMillis, tasks)
  }
}

const optionNames: Readonly<Record<keyof Options, true>> = {
  duration: true,
  tasks: true,
  outcome: true,
  errors: true,
  statuses: true,
  progress: true
}

const outcomes: ReadonlyArray<Outcome> = ["completed", "partial", "failed"]

/**
 * Returns the state of a run after a time since its start, in milliseconds.
 *
 * **Example** (Before and after the end)
 *
 * ```ts
 * import { Timeline } from "canvas-runs/testing"
 *
 * const timeline = Timeline.make({ duration: "10 minutes", outcome: "failed" })
 *
 * Timeline.at(timeline, 60_000).phase // => "running"
 * Timeline.at(timeline, 11 * 60_000).phase // => "failed"
 * Timeline.at(timeline, 11 * 60_000).elapsedMillis // => 600000
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const at = (self: Timeline, elapsedMillis: number): State => {
  Check.kind("timeline", self, isTimeline, "a timeline, as Timeline.make returns it")
  Check.kind("elapsedMillis", elapsedMillis, Predicate.isNumber, "a number of milliseconds")
  const ended = elapsedMillis >= self.durationMillis
  const elapsed = Math.max(0, ended ? self.durationMillis : elapsedMillis)
  return {
    phase: ended ? self.outcome : "running",
    status: self.statuses.findLast((window) => elapsedMillis >= window.fromMillis && elapsedMillis < window.toMillis)
      ?.status,
    progress: self.progress(elapsed),
    elapsedMillis: elapsed,
    endedAtMillis: ended ? self.durationMillis : undefined
  }
}

const isTimeline = (value: unknown): boolean =>
  Predicate.isFunction((value as Timeline).progress) && Array.isArray((value as Timeline).statuses)

// A run that never ends finishes one task per minute, except the last one
const evenProgress = (durationMillis: number, tasks: number) => (elapsedMillis: number): Progress => ({
  completed: durationMillis === Infinity
    ? Math.max(0, Math.min(tasks - 1, Math.floor(elapsedMillis / 60_000)))
    : durationMillis <= elapsedMillis
    ? tasks
    : Math.floor(tasks * elapsedMillis / durationMillis),
  total: tasks
})
