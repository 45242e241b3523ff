/**
 * A live region of a terminal: rows that are redrawn in place, below the lines of the program. Without a terminal it is a log, with
 * a line for each change.
 *
 * **Details**
 *
 * | where | what is written |
 * | --- | --- |
 * | a terminal | the rows, ten times a second if they change |
 * | a file, a pipe, `TERM=dumb`, or where `CI` is set | the lines that change, with the time since the start |
 * | `NO_COLOR` | no colours; `FORCE_COLOR` forces them |
 *
 * A terminal that is resized wraps its lines again, or cuts them, and a program cannot know which. The region is therefore one long line
 * for the terminal, broken after each row, and between frames the cursor is at its beginning. A resize does not move it from there, and
 * the next frame erases everything after it. A region that is higher than the terminal is cut, and shown in full at the end, when the scope closes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Terminal from "effect/Terminal"
import { millisOf, need, readOrThrow } from "../internal/options.ts"
import { formatMillis } from "./internal/duration.ts"
import type { Frame } from "./internal/frame.ts"
import * as Text from "./internal/text.ts"
import * as Progress from "./Progress.ts"

export type { Frame } from "./internal/frame.ts"

/**
 * A region of the terminal that shows a state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Screen<in out S> {
  /**
   * Changes the state that is shown.
   *
   * **Example** (A counter in a log)
   *
   * ```ts
   * import { Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: (text) => Effect.sync(() => console.log(text.trim()))
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.make({
   *     initial: 0,
   *     rows: (count) => [`${count} files`],
   *     lines: (count) => new Map([["files", `${count} files`]]),
   *     live: false
   *   })
   *
   *   yield* screen.update((count) => count + 1)
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => [ 0.0 s] 1 files
   * ```
   */
  readonly update: (change: (state: S) => S) => Effect.Effect<void>
  /**
   * Writes lines of text above the region.
   *
   * **Example** (A message)
   *
   * ```ts
   * import { Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: (text) => Effect.sync(() => console.log(text.trim()))
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.make({
   *     initial: 0,
   *     rows: (count) => [`${count} files`],
   *     lines: (count) => new Map([["files", `${count} files`]]),
   *     live: false
   *   })
   *
   *   yield* screen.print("report.pdf")
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => report.pdf
   * ```
   */
  readonly print: (text: string) => Effect.Effect<void>
  /**
   * Runs an effect that writes to the terminal itself: the region is erased before, and drawn again after.
   *
   * **Example** (Another stream of the same terminal)
   *
   * ```ts
   * import { Console, Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: () => Effect.void
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.make({
   *     initial: 0,
   *     rows: (count) => [`${count} files`],
   *     lines: (count) => new Map([["files", `${count} files`]])
   *   })
   *
   *   yield* screen.aside(Console.log("{\"type\":\"created\"}"))
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => {"type":"created"}
   * ```
   */
  readonly aside: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * Options for {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<S> {
  /** The first state. */
  readonly initial: S
  /** Returns the rows of the region. They are cut to the width of the terminal. */
  readonly rows: (state: S, frame: Frame) => ReadonlyArray<string>
  /** Returns the lines of the log, by a key. A line is written whenever the line of its key changes. */
  readonly lines: (state: S) => ReadonlyMap<string, string>
  /**
   * Whether the region is redrawn in place.
   *
   * @default `TerminalCapabilities.canAnimate`, unless `CI` is set
   */
  readonly live?: boolean | undefined
  /**
   * Whether rows may have colours.
   *
   * @default `TerminalCapabilities.canColor`
   */
  readonly colors?: boolean | undefined
  /**
   * The time between two frames.
   *
   * @default "100 millis"
   */
  readonly interval?: Duration.Input | undefined
}

/**
 * A screen of runs, by name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Runs {
  /**
   * Changes what is shown of a run. A new name adds a row, with the status `waiting` and the current time as `startedAt` unless the
   * change says otherwise.
   *
   * **Example** (A run in a log)
   *
   * ```ts
   * import { Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: (text) => Effect.sync(() => console.log(text.trim()))
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.runs({ live: false })
   *
   *   yield* screen.update("report", { status: "running" })
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => [ 0.0 s] report: running
   * ```
   */
  readonly update: (name: string, change: Partial<Progress.Run>) => Effect.Effect<void>
  /**
   * Writes lines of text above the runs.
   *
   * **Example** (A message)
   *
   * ```ts
   * import { Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: (text) => Effect.sync(() => console.log(text.trim()))
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.runs({ live: false })
   *
   *   yield* screen.print("Created spine:run:1")
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => Created spine:run:1
   * ```
   */
  readonly print: (text: string) => Effect.Effect<void>
  /**
   * Runs an effect that writes to the terminal itself: the region is erased before, and drawn again after.
   *
   * **Example** (Another stream of the same terminal)
   *
   * ```ts
   * import { Console, Effect, Terminal } from "effect"
   * import { Screen } from "canvas-runs/picture"
   *
   * const never = { size: Effect.never, readInput: Effect.never, readLine: Effect.never }
   * const terminal = Terminal.make({
   *   ...never,
   *   columns: Effect.succeed(80),
   *   rows: Effect.succeed(24),
   *   display: () => Effect.void
   * })
   *
   * const main = Effect.gen(function*() {
   *   const screen = yield* Screen.runs()
   *
   *   yield* screen.aside(Console.log("{\"type\":\"created\"}"))
   * })
   *
   * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
   *
   * // => {"type":"created"}
   * ```
   */
  readonly aside: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * Options for {@link runs}.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunsOptions extends Pick<Options<never>, "live" | "colors" | "interval"> {
  /** The runs that are shown from the beginning, as waiting. */
  readonly names?: ReadonlyArray<string> | undefined
}

/**
 * Makes a screen that shows the progress of runs, until the scope closes.
 *
 * **Example** (A log of two runs, without a terminal)
 *
 * ```ts
 * import { Effect, Terminal } from "effect"
 * import { Screen } from "canvas-runs/picture"
 *
 * const written: Array<string> = []
 * const terminal = Terminal.make({
 *   columns: Effect.succeed(80),
 *   rows: Effect.succeed(24),
 *   size: Effect.never,
 *   readInput: Effect.never,
 *   readLine: Effect.never,
 *   display: (text) => Effect.sync(() => void written.push(text.slice(9)))
 * })
 *
 * const main = Effect.gen(function*() {
 *   const screen = yield* Screen.runs({ live: false })
 *
 *   yield* screen.update("report", { status: "running", progress: { completed: 1, total: 4 }, unit: "tasks" })
 *   yield* screen.update("report", { status: "completed", progress: { completed: 4, total: 4 } })
 * })
 *
 * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
 *
 * console.log(written) // => [ 'report: running, 1/4 tasks\n', 'report: completed, 4/4 tasks\n' ]
 * ```
 *
 * @see {@link make} for rows of another kind
 * @category constructors
 * @since 0.1.0
 */
export const runs = Effect.fnUntraced(function*(
  options: RunsOptions = {}
): Effect.fn.Return<Runs, never, Scope.Scope | Terminal.Terminal> {
  const { names = [], ...settings } = readOrThrow(options, ["names", "live", "colors", "interval"])
  need("names", names, Array.isArray, "a list of names")
  const waiting = (name: string, startedAt: number): Progress.Run => ({ name, status: "waiting", startedAt })
  const startedAt = yield* Clock.currentTimeMillis
  const screen = yield* make<ReadonlyMap<string, Progress.Run>>({
    initial: new Map(names.map((name) => [name, waiting(name, startedAt)])),
    rows: (runs, frame) => Progress.rows(runs.values(), frame),
    lines: (runs) => Progress.lines(runs.values()),
    ...settings
  })
  return {
    print: screen.print,
    aside: screen.aside,
    update: (name, change) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) =>
          screen.update((runs) => new Map(runs).set(name, { ...(runs.get(name) ?? waiting(name, now)), ...change }))
      )
  }
})

/**
 * Makes a region for rows of any kind, which lasts until the scope closes. Then the last frame is drawn, and the cursor is shown again, also after an
 * interruption. It writes to the `Terminal`; the one of `NodeServices` is the standard output.
 *
 * **Example** (A counter, and a message above it)
 *
 * ```ts
 * import { Effect, Terminal } from "effect"
 * import { Screen } from "canvas-runs/picture"
 *
 * const written: Array<string> = []
 * const terminal = Terminal.make({
 *   columns: Effect.succeed(80),
 *   rows: Effect.succeed(24),
 *   size: Effect.never,
 *   readInput: Effect.never,
 *   readLine: Effect.never,
 *   display: (text) => Effect.sync(() => void written.push(text))
 * })
 *
 * const main = Effect.gen(function*() {
 *   const screen = yield* Screen.make({
 *     initial: 0,
 *     rows: (count, { columns }) => [`${count} files`, "─".repeat(columns)],
 *     lines: (count) => new Map([["files", `${count} files`]]),
 *     live: true
 *   })
 *
 *   yield* screen.update((count) => count + 1)
 *   yield* screen.print("report.pdf")
 * })
 *
 * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
 *
 * // The last frame stays, and the cursor is shown again
 * console.log(written.at(-1)?.includes("1 files\r\n")) // => true
 * console.log(written.at(-1)?.endsWith("\u001b[?25h")) // => true
 * ```
 *
 * @see {@link runs} for the progress of runs
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<S>(
  given: Options<S>
): Effect.fn.Return<Screen<S>, never, Scope.Scope | Terminal.Terminal> {
  const options = readOrThrow(given, ["initial", "rows", "lines", "live", "colors", "interval"])
  need("rows", options.rows, Predicate.isFunction, "a function from the state to rows of text")
  need("lines", options.lines, Predicate.isFunction, "a function from the state to a Map of lines")
  need("interval", options.interval ?? 1, isPositive, "a duration above 0, such as \"100 millis\"")
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const isCi = !["", "0", "false"].includes(yield* Effect.orDie(Config.withDefault(Config.String("CI"), "")))
  const { live = canAnimate && !isCi } = options
  return yield* live ? makeRegion({ colors: canColor, ...options }) : makeLog(options)
})

const isPositive = (interval: unknown): boolean => millisOf(interval) > 0

const makeLog = Effect.fnUntraced(function*<S>(
  { initial, lines }: Options<S>
): Effect.fn.Return<Screen<S>, never, Terminal.Terminal> {
  const terminal = yield* Terminal.Terminal
  const startedAt = yield* Clock.currentTimeMillis
  const mutex = yield* Semaphore.make(1)
  const write = (text: string) => Effect.ignore(terminal.display(text))
  let state = initial
  let written = lines(initial)
  return {
    update: (change) =>
      mutex.withPermit(Effect.gen(function*() {
        state = change(state)
        const current = lines(state)
        const changed = Array.from(current).filter(([key, line]) => line !== written.get(key))
        written = current
        if (changed.length === 0) return
        const time = formatMillis((yield* Clock.currentTimeMillis) - startedAt).padStart(6)
        yield* write(changed.map(([, line]) => `[${time}] ${Text.clean(line)}\n`).join(""))
      })),
    print: (text) => mutex.withPermit(write(`${Text.lines(text).join("\n")}\n`)),
    aside: (effect) => mutex.withPermit(effect)
  }
})

const makeRegion = Effect.fnUntraced(function*<S>(
  { colors, initial, interval = "100 millis", rows }: Options<S>
): Effect.fn.Return<Screen<S>, never, Scope.Scope | Terminal.Terminal> {
  const terminal = yield* Terminal.Terminal
  // Frames and lines are written one after the other
  const mutex = yield* Semaphore.make(1)
  // A closed terminal is no reason to stop the program
  const write = (text: string) => Effect.ignore(terminal.display(text))
  let state = initial
  let drawn = ""

  /** The rows of a frame, and the size that they were made for. */
  const content = (rowLimit: (rows: number) => number) =>
    Effect.gen(function*() {
      // One column stays free: a character in the last one makes some terminals wrap at once
      const columns = Math.max(1, ((yield* terminal.columns) || 80) - 1)
      const limit = rowLimit((yield* terminal.rows) || 24)
      const now = yield* Clock.currentTimeMillis
      return rows(state, { columns, rows: limit, now, colors }).slice(0, limit).map((row) => Text.row(row, columns))
    })

  const draw = (erasesFirst: boolean) =>
    Effect.gen(function*() {
      // One row of what was there before stays visible
      const region = yield* content((rows) => Math.max(1, rows - 1))
      const text = `${Text.oneLine(region)}\r${Text.cursor.up(Math.max(0, region.length - 1))}`
      if (!erasesFirst && text === drawn) return
      drawn = text
      yield* write(erasesFirst ? erase + text : text)
    })

  /** Erases the whole region, also after the terminal has wrapped it again. */
  const erase = `\r${Text.cursor.eraseBelow}`

  const close = Effect.gen(function*() {
    const region = yield* content(() => Infinity)
    yield* write(erase + region.map((row) => `${row}\r\n`).join("") + Text.cursor.show)
  })

  yield* Effect.acquireRelease(write(Text.cursor.hide), () => mutex.withPermit(close))
  yield* mutex.withPermit(draw(false)).pipe(
    Effect.andThen(Effect.sleep(interval)),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.flatMap(
    terminal.size,
    (sizes) => Effect.forever(Effect.andThen(Queue.take(sizes), mutex.withPermit(draw(true))))
  ).pipe(Effect.ignore, Effect.forkScoped)
  const aside = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    mutex.withPermit(Effect.ensuring(Effect.andThen(write(erase), effect), draw(true)))

  return {
    update: (change) =>
      Effect.sync(() => {
        state = change(state)
      }),
    print: (text) => aside(write(Text.lines(text).map((line) => `${line}\r\n`).join(""))),
    aside
  }
})
