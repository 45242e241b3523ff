/** Shows several runs at once: bars that are redrawn in place on a terminal, and elsewhere a line for each change. */
import { Clock, Config, Console, Effect, type Scope, Stdio, Terminal } from "effect"
import * as View from "./view.ts"

export interface Screen {
  /** Shows a change of a run. */
  readonly update: (name: string, change: Partial<View.Row>) => Effect.Effect<void>
}

/** A screen for runs of these names, until the scope closes. */
export const make = Effect.fnUntraced(function*(
  names: ReadonlyArray<string>
): Effect.fn.Return<Screen, never, Scope.Scope | Stdio.Stdio | Terminal.Terminal> {
  const stdio = yield* Stdio.Stdio
  const isTerminal = (yield* stdio.stdoutIsTerminal) && (yield* variable("TERM")) !== "dumb"
  return yield* isTerminal ? makeBars(names) : makeLog
})

const makeLog: Effect.Effect<Screen> = Effect.map(Clock.currentTimeMillis, (startedAt) => {
  const rows = new Map<string, View.Row>()
  const said = new Map<string, string>()
  return {
    update: Effect.fnUntraced(function*(name, change) {
      const row = { ...(rows.get(name) ?? View.row(name, startedAt)), ...change }
      rows.set(name, row)
      const text = View.change(row)
      if (text === said.get(name)) return
      said.set(name, text)
      const now = yield* Clock.currentTimeMillis
      yield* Console.log(`[${View.time(now - startedAt).padStart(6)}] ${text}`)
    })
  }
})

const makeBars = Effect.fnUntraced(function*(
  names: ReadonlyArray<string>
): Effect.fn.Return<Screen, never, Scope.Scope | Terminal.Terminal> {
  const terminal = yield* Terminal.Terminal
  const startedAt = yield* Clock.currentTimeMillis
  const rows = new Map(names.map((name) => [name, View.row(name, startedAt)]))
  const nameWidth = Math.max(...names.map((name) => name.length))
  const paint = (yield* variable("NO_COLOR")) === "" ? View.colored : View.plain
  // A closed terminal is not an error to report
  const write = (text: string) => Effect.ignore(terminal.display(text))

  let drawn = 0
  const draw = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const columns = (yield* terminal.columns) || 80
    const lines = Array.from(rows.values(), (row) => View.progress(row, { now, columns, nameWidth, paint }))
    // Moves up to the first line, and clears each line before it is written again
    yield* write((drawn === 0 ? "" : `\u001b[${drawn}A`) + lines.map((line) => `\r\u001b[2K${line}\n`).join(""))
    drawn = lines.length
  })

  yield* Effect.acquireRelease(write(hideCursor), () => Effect.andThen(draw, write(showCursor)))
  yield* draw.pipe(Effect.andThen(Effect.sleep("100 millis")), Effect.forever, Effect.forkScoped)
  return {
    update: (name, change) =>
      Effect.sync(() => {
        rows.set(name, { ...(rows.get(name) ?? View.row(name, startedAt)), ...change })
      })
  }
})

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"

const variable = (name: string): Effect.Effect<string> => Effect.orDie(Config.withDefault(Config.String(name), ""))
