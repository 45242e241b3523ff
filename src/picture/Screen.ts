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
 * Between frames the cursor is on the first row of the region, and no row wraps. A terminal that is resized, and that breaks rows
 * itself, therefore cannot move the first row away from the cursor: the next frame erases everything below it. A region that is
 * higher than the terminal is cut, and shown in full at the end, when the scope closes.
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

export type { Frame } from "./internal/frame.ts"

/**
 * A region of the terminal that shows a state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Screen<in out S> {
  /** Changes the state that is shown. The example of {@link make} calls it. */
  readonly update: (change: (state: S) => S) => Effect.Effect<void>
  /** Writes lines of text above the region. The example of {@link make} calls it. */
  readonly print: (text: string) => Effect.Effect<void>
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
 * Makes a region, which lasts until the scope closes. Then the last frame is drawn, and the cursor is shown again, also after an
 * interruption. It writes to the `Terminal`; the one of `NodeServices` is the standard output.
 *
 * **Example** (A log of two runs, without a terminal)
 *
 * ```ts
 * import { Effect, Terminal } from "effect"
 * import { Progress, Screen } from "canvas-runs/picture"
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
 *   const screen = yield* Screen.make({
 *     initial: new Map<string, Progress.Run>(),
 *     rows: (runs, frame) => Progress.rows(runs.values(), frame),
 *     lines: (runs) => Progress.lines(runs.values()),
 *     live: false
 *   })
 *   const set = (run: Progress.Run) => screen.update((runs) => new Map(runs).set(run.name, run))
 *
 *   yield* set({ name: "report", status: "running" })
 *   yield* set({ name: "memo", status: "running" })
 *   yield* set({ name: "memo", status: "completed" })
 * })
 *
 * await Effect.runPromise(main.pipe(Effect.scoped, Effect.provideService(Terminal.Terminal, terminal)))
 *
 * console.log(written) // => ["report: running\n", "memo: running\n", "memo: completed\n"]
 * ```
 *
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
    print: (text) => mutex.withPermit(write(`${Text.lines(text).join("\n")}\n`))
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

  const draw = (before = "") =>
    Effect.gen(function*() {
      // One row of what was there before stays visible
      const region = yield* content((rows) => Math.max(1, rows - 1))
      const text = Text.cursor.wrapOff +
        region.map((row, index) => `${row}${index < region.length - 1 ? `${Text.cursor.eraseLine}\r\n` : ""}`).join(
          ""
        ) +
        `${Text.cursor.eraseBelow}${Text.cursor.wrapOn}\r${Text.cursor.up(Math.max(0, region.length - 1))}`
      if (before === "" && text === drawn) return
      drawn = text
      yield* write(before + text)
    })

  /** Erases the whole region, whatever the terminal made of it. */
  const erase = `\r${Text.cursor.eraseBelow}`

  const close = Effect.gen(function*() {
    const region = yield* content(() => Infinity)
    yield* write(erase + region.map((row) => `${row}\r\n`).join("") + Text.cursor.show)
  })

  yield* Effect.acquireRelease(write(Text.cursor.hide), () => mutex.withPermit(close))
  yield* mutex.withPermit(draw()).pipe(
    Effect.andThen(Effect.sleep(interval)),
    Effect.forever,
    Effect.forkScoped
  )
  const sizes = yield* terminal.size
  yield* Queue.take(sizes).pipe(
    Effect.andThen(mutex.withPermit(draw(erase))),
    Effect.forever,
    Effect.ignore,
    Effect.forkScoped
  )
  return {
    update: (change) =>
      Effect.sync(() => {
        state = change(state)
      }),
    print: (text) => mutex.withPermit(draw(`${erase}${Text.lines(text).map((line) => `${line}\r\n`).join("")}`))
  }
})
