/**
 * A script of what a run will do, as a pure function of the time since it started.
 *
 * Because nothing happens between two looks at a timeline, no fiber, timer or socket is needed to play it: a run of two
 * hours costs nothing until it is polled, and a program on the `TestClock` sees the same run as one on the real clock.
 * A timeline knows no provider. An emulator turns what {@link at} says into its provider's words.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Check from "./internal/check.ts"

/**
 * How a run ends.
 *
 * **Details**
 *
 * `partial` is an end with a usable result and something missing.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "completed" | "partial" | "failed"

/**
 * How much of a run is done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly completed: number
  readonly total: number
}

/**
 * A stretch of a run in which the provider names another status than it would by itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface StatusWindow {
  readonly fromMillis: number
  /** The first millisecond that is no longer part of the window. */
  readonly toMillis: number
  readonly status: string
}

/**
 * What a run will do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timeline {
  /** `Infinity` for a run that never ends. */
  readonly durationMillis: number
  readonly tasks: number
  readonly outcome: Outcome
  /** What the provider says went wrong. Without any, the emulator chooses its provider's usual words. */
  readonly errors: ReadonlyArray<string>
  readonly statuses: ReadonlyArray<StatusWindow>
  readonly progress: (elapsedMillis: number) => Progress
}

/**
 * What a run is doing at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  readonly phase: "running" | Outcome
  /** The status to name instead of the one that belongs to the phase. */
  readonly status: string | undefined
  readonly progress: Progress
  /** Time since the start, which stands still once the run has ended. */
  readonly elapsedMillis: number
  /** When it ended, counted from its start, or `undefined` while it runs. */
  readonly endedAtMillis: number | undefined
}

/**
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
  /** @default "completed" */
  readonly outcome?: Outcome | undefined
  /** What went wrong, for a run that ends `partial` or `failed`. */
  readonly errors?: ReadonlyArray<string> | undefined
  /**
   * Statuses the provider names in a stretch of the run: an unknown one, or one that goes backwards. The last window
   * that holds the moment counts, and a window without `to` never ends.
   */
  readonly statuses?:
    | ReadonlyArray<{
      readonly from: Duration.Input
      readonly to?: Duration.Input | undefined
      readonly status: string
    }>
    | undefined
  /** Replaces the even progress of a run whose tasks all take the same time. */
  readonly progress?: ((elapsedMillis: number) => Progress) | undefined
}

/**
 * Writes the script of a run. An option that means nothing, such as a negative `duration`, throws a `RangeError`.
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

const outcomes: ReadonlyArray<Outcome> = ["completed", "partial", "failed"]

/**
 * What a run is doing after that many milliseconds.
 *
 * @category accessors
 * @since 0.1.0
 */
export const at = (self: Timeline, elapsedMillis: number): State => {
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

// A run without end finishes a task a minute, and never the last one.
const evenProgress = (durationMillis: number, tasks: number) => (elapsedMillis: number): Progress => ({
  completed: durationMillis === Infinity
    ? Math.max(0, Math.min(tasks - 1, Math.floor(elapsedMillis / 60_000)))
    : durationMillis <= elapsedMillis
    ? tasks
    : Math.floor(tasks * elapsedMillis / durationMillis),
  total: tasks
})
