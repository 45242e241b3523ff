import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { CliOutput } from "effect/cli"
import { stripVTControlCharacters } from "node:util"
import { Progress } from "canvas-runs/picture"
import { hostileTexts } from "../support/hostileTexts.ts"
import * as Emulation from "../support/terminal.ts"

const run: Progress.Run = {
  name: "memo",
  status: "running",
  progress: { completed: 2, total: 5 },
  unit: "tasks",
  startedAt: 1000
}

const row = (run: Progress.Run, columns = 100, now = 3400) => Progress.rows([run], { columns, now })[0]!

/** The bar of a run without colours. */
const barOf = (run: Partial<Progress.Run>) => /[█░]+/.exec(row({ name: "a", status: "running", ...run }))?.[0]

describe("Progress.rows", () => {
  it("shows name, bar, status, tasks and time", () => {
    assert.strictEqual(row(run), "memo  █████████░░░░░░░░░░░░░░░  running      2/5 tasks       2.4 s")
  })

  it("stops the time of a run that has ended, and shows its note", () => {
    assert.strictEqual(
      row({ ...run, status: "failed", endedAt: 2000, note: "no sources" }),
      "memo  █████████░░░░░░░░░░░░░░░  failed       2/5 tasks       1.0 s  no sources"
    )
  })

  it("shows no count without a unit, and no time without a start", () => {
    assert.strictEqual(
      row({ name: "a", status: "running", progress: { completed: 1, total: 1 } }),
      `a  ${"█".repeat(24)}  running`
    )
  })

  it("shows a run that succeeded as wholly done", () => {
    assert.strictEqual(
      row({ ...run, status: "completed", endedAt: 2000 }),
      `memo  ${"█".repeat(24)}  completed    5/5 tasks       1.0 s`
    )
    assert.strictEqual(Progress.line({ ...run, status: "completed" }), "memo: completed, 5/5 tasks")
    assert.strictEqual(Progress.line({ ...run, status: "partial" }), "memo: partial, 2/5 tasks")
  })

  it("fills a bar by the share that is done, and wholly only when all is done", () => {
    assert.strictEqual(barOf({ progress: { completed: 12, total: 24 } }), "█".repeat(12) + "░".repeat(12))
    assert.strictEqual(barOf({ progress: { completed: 999, total: 1000 } }), `${"█".repeat(23)}░`)
    assert.strictEqual(barOf({ progress: { completed: 9, total: 4 } }), "█".repeat(24))
    assert.strictEqual(barOf({ progress: { completed: -1, total: 4 } }), "░".repeat(24))
    assert.strictEqual(barOf({ progress: { completed: NaN, total: 4 } }), "░".repeat(24))
    assert.strictEqual(barOf({ progress: { completed: 1, total: 0 } }), "░".repeat(24))
    assert.strictEqual(barOf({}), "░".repeat(24))
    assert.strictEqual(barOf({ status: "succeeded" }), "█".repeat(24))
  })

  it("leaves out the bar, the count and the time, in this order, as a terminal gets narrower", () => {
    const noted = { ...run, note: "the sources could not be read" }
    assert.deepStrictEqual([90, 70, 60, 45, 30, 16, 10, 4, 1].map((columns) => row(noted, columns)), [
      "memo  █████████░░░░░░░░░░░░░░░  running      2/5 tasks       2.4 s  the sources could not…",
      "memo  █████████░░░░░░░░░░░░░░░  running      2/5 tasks       2.4 s",
      "memo  ███████░░░░░░░░░░░  running      2/5 tasks       2.4 s",
      "memo  running  2/5 tasks  2.4 s  the sources…",
      "memo  running  2.4 s  the sou…",
      "memo  running",
      "me…  runn…",
      "me……",
      "…"
    ])
  })

  it("aligns the columns of all runs", () => {
    assert.deepStrictEqual(
      Progress.rows([run, { name: "日本", status: "succeeded" }], { columns: 60, now: 0 }).map((row) =>
        row.search(/running|succ/)
      ),
      [26, 24]
    )
  })

  it("shows the interesting runs where there is no room for all", () => {
    const statuses = ["completed", "running", "queued", "failed", "completed", "running", "partial"]
    const runs = statuses.map((status, index) => ({ name: `r${index}`, status }))
    const shown = (rows: number) =>
      Progress.rows(runs, { columns: 80, rows, now: 0 }).map((row) => row.replace(/ .* (?=\w+$)/, " "))
    assert.deepStrictEqual(shown(7).length, 7)
    assert.deepStrictEqual(shown(4), ["r1 running", "r3 failed", "r5 running", "… partial"])
    assert.deepStrictEqual(Progress.rows(runs, { columns: 80, rows: 1, now: 0 }), [
      "… and 7 more: 2 completed, 2 running, 1 queued, 1 failed, 1 partial"
    ])
    assert.deepStrictEqual(shown(0), [])
  })

  it("gives each state its colour, and the same text as without", () => {
    const colorOf = (status: string) => {
      const [colored] = Progress.rows([{ ...run, status }], { columns: 80, now: 0, colors: true })
      assert.strictEqual(stripVTControlCharacters(colored!).trimEnd(), row({ ...run, status }, 80, 0))
      // oxlint-disable-next-line no-control-regex -- the colour after that of the name
      return /\u001b\[22m *\u001b\[(\d+)m/.exec(colored!)?.[1]
    }
    assert.deepStrictEqual(
      ["running", "a later word", "queued", "completed", "succeeded", "partial", "failed", "error", "cancelled"].map(
        colorOf
      ),
      [
        "36",
        "36",
        "2",
        "32",
        "32",
        "33",
        "31",
        "31",
        "31"
      ]
    )
  })

  it("formats times for readers", () => {
    const timeOf = (millis: number) => row({ ...run, startedAt: 0, endedAt: millis }).split("  ").at(-1)!.trim()
    assert.deepStrictEqual(
      [0, -5, NaN, 7234, 59_949, 59_950, 185_000, 3_599_499, 3_599_500, 7_322_000, 90_000_000].map(timeOf),
      [
        "0.0 s",
        "0.0 s",
        "0.0 s",
        "7.2 s",
        "59.9 s",
        "1 min 00 s",
        "3 min 05 s",
        "59 min 59 s",
        "1 h 00 min",
        "2 h 02 min",
        "25 h 00 min"
      ]
    )
  })

  it.effect.prop(
    "makes no row wider than the terminal, by the measure of Effect and of an emulated terminal",
    {
      runs: Schema.Array(Schema.Struct({
        name: Schema.String,
        status: Schema.Union([Schema.Literals(["running", "completed", "failed"]), Schema.String]),
        progress: Schema.UndefinedOr(Schema.Struct({ completed: Schema.Number, total: Schema.Number })),
        unit: Schema.UndefinedOr(Schema.String),
        startedAt: Schema.UndefinedOr(Schema.Number),
        note: Schema.UndefinedOr(Schema.String)
      })),
      columns: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })),
      hostile: Schema.Array(Schema.Literals(hostileTexts)),
      colors: Schema.Boolean
    },
    ({ colors, columns, hostile, runs }) =>
      Effect.gen(function*() {
        const all = [...runs, ...hostile.map((text) => ({ ...run, name: text, status: text, unit: text, note: text }))]
        const rows = Progress.rows(all, { columns, now: 5000, colors })
        assert.strictEqual(rows.length, all.length)
        for (const row of rows) {
          assert.isAtMost(CliOutput.displayWidth(row), columns)
          const emulation = yield* Emulation.make({ columns: 1000, rows: 2 })
          yield* emulation.terminal.display(row)
          const { column, row: line } = yield* emulation.cursor
          assert.isAtMost(column, columns, JSON.stringify(row))
          assert.strictEqual(line, 0)
        }
      })
  )
})

describe("Progress.line", () => {
  it("has what is known, without time and colour", () => {
    assert.strictEqual(Progress.line({ name: "memo", status: "creating" }), "memo: creating")
    assert.strictEqual(Progress.line({ ...run, note: "1 file" }), "memo: running, 2/5 tasks, 1 file")
    assert.strictEqual(Progress.line({ ...run, unit: undefined }), "memo: running")
    assert.strictEqual(Progress.line({ name: "two\nlines", status: "\u001b[2Jrunning" }), "two lines: [2Jrunning")
  })

  it("keeps runs of one name apart", () => {
    const lines = Progress.lines([run, { ...run, status: "failed" }, run])
    assert.deepStrictEqual(Array.from(lines.values()), [
      "memo: running, 2/5 tasks",
      "memo: failed, 2/5 tasks",
      "memo: running, 2/5 tasks"
    ])
    assert.strictEqual(lines.size, 3)
  })
})

it("Progress.counts: counts the runs of each status, in the order of the list", () => {
  assert.strictEqual(Progress.counts([run, { ...run, status: "failed" }, run]), "2 running, 1 failed")
  assert.strictEqual(Progress.counts([]), "")
})
