/** A terminal for tests: an emulation of xterm that interprets what a program writes, and can be resized like a window. */
import xterm from "@xterm/headless"
import { type Cause, Effect, Queue, Terminal } from "effect"

/** A terminal, with the service through which a program writes to it. */
export interface Emulation {
  readonly terminal: Terminal.Terminal
  /** All text that was written. */
  readonly written: () => string
  /** The rows of the history and the screen, without the empty ones at the end. */
  readonly rows: Effect.Effect<ReadonlyArray<string>>
  /** The rows of the screen. */
  readonly screen: Effect.Effect<ReadonlyArray<string>>
  readonly cursor: Effect.Effect<{ readonly column: number; readonly row: number }>
  /** Changes the size, as the user of a window does. */
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
}

export interface Options {
  readonly columns: number
  readonly rows: number
  /**
   * Whether the terminal breaks lines again when it gets narrower, as most do. The others cut them.
   *
   * @default true
   */
  readonly reflow?: boolean
}

export const make = ({ columns, reflow = true, rows }: Options): Effect.Effect<Emulation> =>
  Effect.gen(function*() {
    const emulator = new xterm.Terminal({
      cols: columns,
      rows,
      scrollback: 1000,
      allowProposedApi: true,
      ...(reflow ? {} : { windowsPty: { backend: "winpty", buildNumber: 1 } })
    })
    const sizes = yield* Queue.sliding<Terminal.Size, Cause.Done>(1)
    let written = ""
    let interpreted = 0

    const interpret = Effect.callback<void>((resume) => {
      const text = written.slice(interpreted)
      interpreted = written.length
      emulator.write(text, () => resume(Effect.void))
    })

    const read = (from: number, to: number): ReadonlyArray<string> =>
      Array.from(
        { length: to - from },
        (_, index) =>
          emulator.buffer.active.getLine(from + index)?.translateToString(true, 0, emulator.cols).trimEnd() ?? ""
      )

    return {
      terminal: Terminal.make({
        columns: Effect.sync(() => emulator.cols),
        rows: Effect.sync(() => emulator.rows),
        size: Effect.as(Queue.offer(sizes, { columns, rows }), sizes),
        readInput: Effect.die("no input"),
        readLine: Effect.die("no input"),
        display: (text) =>
          Effect.sync(() => {
            written += text
          })
      }),
      written: () => written,
      rows: Effect.map(interpret, () => {
        const rows = read(0, emulator.buffer.active.length)
        return rows.slice(0, rows.findLastIndex((row) => row !== "") + 1)
      }),
      screen: Effect.map(interpret, () => {
        const { baseY } = emulator.buffer.active
        return read(baseY, baseY + emulator.rows)
      }),
      cursor: Effect.map(interpret, () => {
        const { cursorX, cursorY } = emulator.buffer.active
        return { column: cursorX, row: cursorY }
      }),
      resize: (columns, rows) =>
        Effect.gen(function*() {
          yield* interpret
          emulator.resize(columns, rows)
          yield* Queue.offer(sizes, { columns, rows })
        })
    }
  })
