import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, PlatformError, Scope, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { TestClock } from "effect/testing"
import { Progress, Screen } from "canvas-runs/picture"
import { hostileTexts } from "../support/hostileTexts.ts"
import * as Emulation from "../support/terminal.ts"

type Runs = ReadonlyArray<Progress.Run>

const runs = (count: number, change: Partial<Progress.Run> = {}): Runs =>
  Array.from({ length: count }, (_, index) => ({
    name: `run-${index + 1}`,
    status: "running",
    progress: { completed: index, total: count },
    unit: "tasks",
    note: `the note of run ${index + 1}, which is long enough for a wide terminal`,
    ...change
  }))

/** A region on an emulated terminal, in a separate scope. */
const open = (emulation: Emulation.Emulation, initial: Runs, options: Partial<Screen.Options<Runs>> = {}) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const screen = yield* Screen.make({
      initial,
      rows: Progress.rows,
      lines: Progress.lines,
      live: true,
      colors: false,
      ...options
    }).pipe(
      Effect.provideService(Terminal.Terminal, emulation.terminal),
      Scope.provide(scope)
    )
    yield* frame
    return { ...screen, set: (runs: Runs) => screen.update(() => runs), close: Scope.close(scope, Exit.void) }
  })

const epipe = PlatformError.badArgument({ module: "Terminal", method: "display", description: "EPIPE" })

/** The last setting of each mode of the terminal. */
// oxlint-disable no-control-regex -- the sequences that change a mode
const modesOf = (written: string): ReadonlyMap<string, string> =>
  new Map(Array.from(written.matchAll(/\u001b\[(\?\d+)([hl])/g), ([, mode, setting]) => [mode!, setting!]))

const frame = TestClock.adjust("100 millis")

/** The expected rows on a terminal. */
const expected = (runs: Runs, columns: number, rows = Infinity) =>
  Progress.rows(runs, { columns: columns - 1, rows, now: 0 })

describe("Screen on a terminal", () => {
  it.effect("redraws rows in place as they change, grow and shrink in number", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 80, rows: 24 })
      yield* emulation.terminal.display("$ canvas-runs watch\r\n")
      const screen = yield* open(emulation, runs(2))
      for (const count of [2, 5, 12, 3, 1, 0, 4]) {
        yield* screen.set(runs(count))
        yield* frame
        assert.deepStrictEqual(yield* emulation.rows, ["$ canvas-runs watch", ...expected(runs(count), 80)])
      }
      yield* screen.close
      assert.deepStrictEqual(yield* emulation.rows, ["$ canvas-runs watch", ...expected(runs(4), 80)])
      assert.deepStrictEqual(yield* emulation.cursor, { column: 0, row: 5 })
    }))

  for (const reflow of [true, false]) {
    it.effect(`leaves no ghost lines after a resize, on a terminal that ${reflow ? "breaks" : "cuts"} long lines`, () =>
      Effect.gen(function*() {
        const emulation = yield* Emulation.make({ columns: 120, rows: 24, reflow })
        const screen = yield* open(emulation, runs(5))
        const history = [reflow ? "a line that is longer than a narrow terminal ".repeat(3) : "before"]
        yield* screen.print(history[0]!)

        /** The history is complete, and the region is there once. */
        const check = (runs: Runs, columns: number, rows = Infinity) =>
          Effect.map(emulation.rows, (shown) => {
            const region = expected(runs, columns, rows)
            assert.deepStrictEqual(shown.slice(-region.length), region)
            const above = shown.slice(0, -region.length).join("")
            assert.strictEqual(above.replaceAll(" ", ""), history.join("").replaceAll(" ", ""))
          })

        for (
          const [columns, rows] of [[40, 24], [120, 24], [10, 24], [80, 8], [80, 40], [200, 50], [30, 5], [120, 24], [
            40,
            10
          ], [120, 30]] as const
        ) {
          yield* emulation.resize(columns, rows)
          const changed = runs(5, { status: columns === 40 ? "running" : "queued" })
          yield* screen.set(changed)
          yield* frame
          // The emulation keeps what it cuts, and shows it again on lines of the history
          if (reflow) {
            yield* screen.print(`c${columns}`)
            history.push(`c${columns}`)
          }
          yield* check(changed, columns, rows - 1)
        }
        yield* screen.close
        yield* check(runs(5, { status: "queued" }), 120)
      }))
  }

  it.effect("stays in place at the bottom of a screen that scrolls", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 60, rows: 10 })
      const history = Array.from({ length: 30 }, (_, index) => `line ${index}`)
      yield* emulation.terminal.display(history.map((line) => `${line}\r\n`).join(""))
      const screen = yield* open(emulation, runs(2))
      for (const count of [4, 8, 3]) {
        yield* screen.set(runs(count))
        yield* screen.print(`now ${count}\nruns`)
        history.push(`now ${count}`, "runs")
        yield* frame
        assert.deepStrictEqual(yield* emulation.rows, [...history, ...expected(runs(count), 60)])
      }
    }))

  it.effect("shows as many runs as there are rows, and all of them at the end", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 60, rows: 8 })
      const all = runs(40)
      const screen = yield* open(emulation, all)
      const rows = yield* emulation.rows
      assert.strictEqual(rows.length, 7)
      assert.strictEqual(rows[6], "… and 34 more: 34 running")
      yield* screen.close
      assert.deepStrictEqual(yield* emulation.rows, expected(all, 60))
    }))

  it.effect("restores the cursor and the wrapping of lines after an interruption", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 60, rows: 8 })
      const fiber = yield* Screen.make({
        initial: runs(3),
        rows: Progress.rows,
        lines: Progress.lines,
        live: true,
        colors: false
      }).pipe(
        Effect.andThen(Effect.never),
        Effect.scoped,
        Effect.provideService(Terminal.Terminal, emulation.terminal),
        Effect.forkChild
      )
      yield* frame
      assert.deepStrictEqual(yield* emulation.cursor, { column: 0, row: 0 })
      assert.strictEqual(modesOf(emulation.written()).get("?25"), "l")
      // What the terminal shows for Ctrl-C
      yield* emulation.terminal.display("^C")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* emulation.rows, expected(runs(3), 60))
      assert.deepStrictEqual(yield* emulation.cursor, { column: 0, row: 3 })
      assert.deepStrictEqual([...modesOf(emulation.written())], [["?25", "h"], ["?7", "h"]])
      const end = emulation.written()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(emulation.written(), end)
    }))

  it.effect("keeps hostile names, notes and messages within their rows", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 40, rows: 20 })
      yield* emulation.terminal.display("before\r\n")
      const screen = yield* open(
        emulation,
        hostileTexts.map((name) => ({
          name,
          status: name,
          note: name,
          unit: name,
          progress: { completed: 1, total: 2 }
        }))
      )
      for (const columns of [40, 10, 130]) {
        yield* emulation.resize(columns, 40)
        yield* frame
        const lines = yield* emulation.rows
        assert.strictEqual(lines.length, hostileTexts.length + 1)
        assert.strictEqual(lines[0], "before")
      }
      for (const name of hostileTexts) yield* screen.print(name.replaceAll("\n", "").slice(0, 130))
      assert.strictEqual((yield* emulation.rows).length, 2 * hostileTexts.length + 1)
      assert.deepStrictEqual([...modesOf(emulation.written()).keys()], ["?25", "?7"])
    }))

  it.effect("cuts the rows of any view, keeps their colours, and removes other control sequences", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 12, rows: 5 })
      yield* open(emulation, [], {
        rows: () => ["\u001b[31mred and long\u001b[39m and more", "\u001b[2Jplain\u001b[5;5H\r\n", "ok"]
      })
      assert.deepStrictEqual(yield* emulation.screen, ["red and lo…", "[2Jplain[5…", "ok", "", ""])
      assert.include(emulation.written(), "\u001b[31mred and lo…\u001b[39m")
    }))

  it.effect("writes nothing while nothing changes", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 80, rows: 24 })
      yield* open(emulation, runs(3))
      const { length } = emulation.written()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(emulation.written().length, length)
    }))

  it.effect("continues when the terminal is gone", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 80, rows: 24 })
      const closed: Emulation.Emulation = {
        ...emulation,
        terminal: {
          ...emulation.terminal,
          display: (text) => Effect.andThen(emulation.terminal.display(text), Effect.fail(epipe))
        }
      }
      const screen = yield* open(closed, runs(3))
      yield* screen.print("hello")
      yield* screen.set(runs(4))
      yield* frame
      yield* screen.close
      assert.include(emulation.written(), "run-4")
    }))
})

describe("Screen without a terminal", () => {
  it.effect("writes each change once, with the time since the start", () =>
    Effect.gen(function*() {
      const emulation = yield* Emulation.make({ columns: 10, rows: 2 })
      const screen = yield* open(emulation, [{ name: "memo", status: "waiting" }], { live: false })
      const memo = { name: "memo", status: "running", unit: "tasks", progress: { completed: 1, total: 4 } }
      yield* screen.set([memo])
      yield* TestClock.adjust("2 seconds")
      yield* screen.set([memo])
      yield* screen.print("a message")
      yield* screen.set([{ ...memo, progress: { completed: 2, total: 4 } }, {
        name: "evil\n\u001b[2J",
        status: "running"
      }])
      yield* screen.close
      assert.strictEqual(
        emulation.written(),
        [
          "[ 0.1 s] memo: running, 1/4 tasks\n",
          "a message\n",
          "[ 2.1 s] memo: running, 2/4 tasks\n",
          "[ 2.1 s] evil [2J: running\n"
        ].join("")
      )
    }))

  it.effect("is chosen by what the terminal can, and by CI", () =>
    Effect.gen(function*() {
      const isLive = (canAnimate: boolean, env: Record<string, string>) =>
        Effect.gen(function*() {
          const emulation = yield* Emulation.make({ columns: 80, rows: 24 })
          const { close } = yield* open(emulation, runs(1), { live: undefined })
          yield* close
          return emulation.written() !== ""
        }).pipe(
          Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
            canAnimate,
            canColor: false,
            canPrompt: false
          }),
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
        )
      assert.isTrue(yield* isLive(true, {}))
      assert.isTrue(yield* isLive(true, { CI: "false" }))
      assert.isFalse(yield* isLive(true, { CI: "true" }))
      assert.isFalse(yield* isLive(false, {}))
    }))

  it.effect("has colours if the terminal has them", () =>
    Effect.gen(function*() {
      for (const canColor of [true, false]) {
        const emulation = yield* Emulation.make({ columns: 80, rows: 24 })
        yield* open(emulation, runs(1), { colors: undefined }).pipe(
          Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
            canAnimate: true,
            canColor,
            canPrompt: false
          })
        )
        assert.strictEqual(emulation.written().includes("\u001b[36m"), canColor)
      }
    }))
})
