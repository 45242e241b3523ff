import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer, Stdio, Terminal } from "effect"
import { TestClock } from "effect/testing"
import { stripVTControlCharacters } from "node:util"
import * as Screen from "../../examples/support/screen.ts"
import * as View from "../../examples/support/view.ts"

const row: View.Row = { name: "memo", status: "running", completed: 2, total: 5, unit: "tasks", startedAt: 1000 }
const options = { now: 3400, columns: 100, nameWidth: 6, paint: View.plain }

describe("View", () => {
  it("fills a bar by the share of completed tasks", () => {
    assert.strictEqual(View.bar(0, 4, 8), "░░░░░░░░")
    assert.strictEqual(View.bar(1, 4, 8), "██░░░░░░")
    assert.strictEqual(View.bar(4, 4, 8), "████████")
  })

  it("is full only when all tasks are done", () => {
    assert.strictEqual(View.bar(999, 1000, 8), "███████░")
  })

  it("leaves a bar empty while the total is not known, and never overflows", () => {
    assert.strictEqual(View.bar(0, 0, 4), "░░░░")
    assert.strictEqual(View.bar(9, 4, 4), "████")
    assert.strictEqual(View.bar(-1, 4, 4), "░░░░")
  })

  it("shows name, bar, status, tasks and time in a line", () => {
    assert.strictEqual(
      View.progress(row, options),
      "memo    █████████░░░░░░░░░░░░░░░  running      2/5 tasks       2.4 s"
    )
  })

  it("stops the time of a run that has ended, and shows its outcome", () => {
    const ended = { ...row, status: "failed", endedAt: 2000, note: "no sources" }
    assert.strictEqual(
      View.progress(ended, options),
      "memo    █████████░░░░░░░░░░░░░░░  failed       2/5 tasks       1.0 s  no sources"
    )
  })

  it("shows no count without tasks", () => {
    const plain = { name: "memo", status: "running", completed: 0, total: 0, startedAt: 1000 }
    const line = "memo    ░░░░░░░░░░░░░░░░░░░░░░░░  running                      2.4 s"
    assert.strictEqual(View.progress(plain, options), line)
    assert.strictEqual(View.progress({ ...plain, unit: "tasks" }, options), line)
    assert.strictEqual(View.change({ ...plain, completed: 1, total: 1 }), "memo: running")
  })

  it("fits into any terminal, with colours or without", () => {
    const long = { ...row, note: "the sources could not be read, and neither could anything else that was tried" }
    for (let columns = 1; columns <= 160; columns++) {
      for (const paint of [View.plain, View.colored]) {
        const line = stripVTControlCharacters(View.progress(long, { ...options, columns, paint }))
        assert.isBelow(line.length, columns)
      }
    }
  })

  it("shows the same with colours as without", () => {
    const colored = View.progress(row, { ...options, paint: View.colored })
    assert.include(colored, "\u001b[")
    assert.strictEqual(stripVTControlCharacters(colored), View.progress(row, options))
  })

  it("gives each outcome a different colour", () => {
    const lines = ["running", "completed", "succeeded", "partial", "failed"].map((status) =>
      View.progress({ ...row, status }, { ...options, paint: (format, text) => `<${format}>${text}` })
    )
    assert.deepStrictEqual(lines.map((line) => /<(?!bold)(\w+)>/.exec(line)?.[1]), [
      "cyan",
      "green",
      "green",
      "yellow",
      "red"
    ])
  })

  it("writes a change as a line of a log", () => {
    assert.strictEqual(View.change({ ...row, total: 0, completed: 0, status: "creating" }), "memo: creating")
    assert.strictEqual(View.change({ ...row, note: "1 file" }), "memo: running, 2/5 tasks, 1 file")
  })

  it("formats times, sizes and numbers for readers", () => {
    assert.deepStrictEqual([0, 7234, 59_949, 59_950, 185_000].map(View.time), [
      "0.0 s",
      "7.2 s",
      "59.9 s",
      "1 min 00 s",
      "3 min 05 s"
    ])
    assert.deepStrictEqual([0, 314, 23_123].map(View.size), ["0 B", "314 B", "23.1 kB"])
    assert.deepStrictEqual([0, 1, 2].map((n) => View.count(n, "file")), ["0 files", "1 file", "2 files"])
  })

  it("aligns the columns of a table", () => {
    assert.strictEqual(
      View.table([["run", "status"], ["report", "completed"], ["a", ""]]),
      [
        "run     status",
        "report  completed",
        "a"
      ].join("\n")
    )
  })

  it("sums up all runs in one line", () => {
    assert.strictEqual(
      View.summary({
        statuses: ["completed", "failed", "completed", "partial"],
        artifacts: 5,
        bytes: 23_100,
        millis: 7200
      }),
      "4 runs: 2 completed, 1 failed, 1 partial; 5 artifacts (23.1 kB) in 7.2 s"
    )
  })
})

describe("Screen", () => {
  const setting = (isTerminal: boolean, written: Array<string>) =>
    Layer.mergeAll(
      Stdio.layerTest({ stdoutIsTerminal: Effect.succeed(isTerminal) }),
      Layer.succeed(
        Terminal.Terminal,
        Terminal.make({
          columns: Effect.succeed(80),
          rows: Effect.succeed(24),
          size: Effect.die("not asked for"),
          readInput: Effect.die("not asked for"),
          readLine: Effect.die("not asked for"),
          display: (text) => Effect.sync(() => void written.push(text))
        })
      )
    )

  it.effect("redraws its lines in place, and shows the cursor again at the end", () => {
    const written: Array<string> = []
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const screen = yield* Screen.make(["report", "memo"])
        yield* TestClock.adjust("50 millis")
        yield* screen.update("memo", { status: "running", unit: "tasks", completed: 1, total: 4 })
        yield* TestClock.adjust("100 millis")
        yield* screen.update("memo", { status: "completed", completed: 4 })
      }))
      const [hide, first, second, last, show] = written
      assert.strictEqual(written.length, 5)
      assert.deepStrictEqual([hide, show], ["\u001b[?25l", "\u001b[?25h"])
      assert.isFalse(first?.includes("\u001b[2A"))
      for (const frame of [second, last]) assert.isTrue(frame?.startsWith("\u001b[2A\r\u001b[2K"))
      assert.deepStrictEqual([first, second, last].map((frame) => frame?.split("\n").length), [3, 3, 3])
      assert.match(second ?? "", /memo.*running.*1\/4 tasks/)
      assert.match(last ?? "", /memo.*completed.*4\/4 tasks/)
    }).pipe(Effect.provide(setting(true, written)))
  })

  it.effect("writes each change once without a terminal", () => {
    const written: Array<string> = []
    const lines: Array<string> = []
    const console: Console.Console = { ...globalThis.console, log: (line: string) => void lines.push(line) }
    return Effect.gen(function*() {
      const screen = yield* Screen.make(["memo"])
      yield* screen.update("memo", { status: "running", unit: "tasks", completed: 1, total: 4 })
      yield* TestClock.adjust("2 seconds")
      yield* screen.update("memo", { status: "running", unit: "tasks", completed: 1, total: 4 })
      yield* screen.update("memo", { completed: 2 })
      assert.deepStrictEqual(lines, ["[ 0.0 s] memo: running, 1/4 tasks", "[ 2.0 s] memo: running, 2/4 tasks"])
      assert.deepStrictEqual(written, [])
    }).pipe(
      Effect.provideService(Console.Console, console),
      Effect.provide(setting(false, written)),
      Effect.scoped
    )
  })
})
