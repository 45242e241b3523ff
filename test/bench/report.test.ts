import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { charts } from "./charts.ts"
import { entries, withTable } from "./guide.ts"
import { markdown, misses, summary, text } from "./report.ts"
import { decode, figure, type Section } from "./results.ts"

const sections: ReadonlyArray<Section> = [{
  name: "waiting",
  date: "2026-11-26",
  machine: "Node 24, 2 cores",
  runs: 3,
  isQuick: false,
  rows: [
    {
      measure: "CPU per poll | 1000 waiting",
      unit: "µs",
      ours: figure([390, 400, 420]),
      peers: { loop: { ...figure([200, 200, 200]), ratio: figure([1.95, 2, 2.1]) } },
      targets: [{ peer: "loop", atMost: 1.9, reason: "Effect's client alone takes 1.8." }, { atMost: 500 }],
      note: "Both poll every 5 s."
    },
    {
      measure: "heap per wait",
      unit: "B",
      ours: figure([1264, 1264, 1264]),
      peers: {},
      targets: [{ atMost: 1000 }]
    },
    { measure: "time", unit: "s", ours: figure([1, 1.02, 1.01]), peers: {}, targets: [] }
  ]
}, {
  name: "polling",
  date: "2026-11-20",
  machine: "Node 24, 2 cores",
  runs: 1,
  isQuick: true,
  rows: [
    { measure: "polls", unit: "polls", isExact: true, ours: figure([24]), peers: {}, targets: [{ atLeast: 25 }] }
  ]
}]

describe("the text", () => {
  it("has every row with its ratios, targets and spreads", () => {
    assert.strictEqual(
      text(sections[0]!),
      [
        "# waiting (2026-11-26, Node 24, 2 cores, 3 runs)",
        "",
        "CPU per poll | 1000 waiting (µs)",
        "  canvas-runs: 400, spread 7.5 %",
        "  loop: 200, ratio 2.00, spread 7.5 %",
        "  MISSED, within the spread: 2.00×, target ≤ 1.9× loop",
        "  met: 400, target ≤ 500",
        "  Both poll every 5 s.",
        "",
        "heap per wait (B)",
        "  canvas-runs: 1264, spread 0.0 %",
        "  MISSED: 1264, target ≤ 1000",
        "",
        "time (s)",
        "  canvas-runs: 1.01, spread 2.0 %"
      ].join("\n")
    )
  })

  it("of a quick run says so, and calls a row exact that is the same in every run", () => {
    assert.include(text(sections[1]!), "1 run with few repetitions)")
    assert.include(text(sections[1]!), "canvas-runs: 24.0, spread exact")
  })
})

describe("the table of missed targets", () => {
  it("has the value, the target, the spread and the reason of each", () => {
    assert.strictEqual(
      misses(sections),
      [
        "missed                                     value  target       spread",
        "waiting: CPU per poll | 1000 waiting (µs)  2.00×  ≤ 1.9× loop  7.5 %, within the spread",
        "    Effect's client alone takes 1.8.",
        "waiting: heap per wait (B)                 1264   ≤ 1000       0.0 %",
        "    no reason known",
        "polling: polls (polls)                     24.0   ≥ 25         exact",
        "    no reason known"
      ].join("\n")
    )
  })

  it("says so if no target is missed", () => {
    assert.strictEqual(misses([{ ...sections[0]!, rows: [] }]), "No target is missed.")
  })

  it("is followed by the count, and by each machine with its date", () => {
    assert.strictEqual(
      summary(sections),
      [
        "1 of 4 targets met; 1 is as near to its bound as the runs are to each other",
        "Node 24, 2 cores, 2026-11-26",
        "Node 24, 2 cores, 2026-11-20"
      ].join("\n")
    )
  })
})

describe("the Markdown", () => {
  it("has the same verdicts, and no cell ends a row", () => {
    const lines = markdown(sections).split("\n")
    assert.include(
      lines,
      "| CPU per poll \\| 1000 waiting (µs) | 400 | loop 200 (2.00×) | **missed, within the spread**: 2.00× (≤ 1.9× loop)<br>met: 400 (≤ 500) | 7.5 % |"
    )
    assert.include(
      lines,
      "| waiting | CPU per poll \\| 1000 waiting (µs) | 2.00× | ≤ 1.9× loop | 7.5 %, within the spread | Effect's client alone takes 1.8. |"
    )
    assert.include(lines, "| time (s) | 1.01 |  |  | 2.0 % |")
  })
})

describe("the saved results", () => {
  it("are those of the table of the costs guide: npm run bench -- --draw", () => {
    const guide = read("../../docs/costs.md")
    assert.strictEqual(guide, withTable(guide, saved))
    const measures = new Set(saved.flatMap(({ rows }) => rows.map(({ measure }) => measure)))
    assert.deepStrictEqual(entries.filter(({ measure }) => !measures.has(measure)), [])
    assert.notInclude(guide, "NaN")
  })

  const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")
  const saved = decode(read("results.json"))

  it("are those of results.md: npm run bench -- --draw", () => {
    assert.strictEqual(read("results.md"), markdown(saved))
  })

  it("are those of the charts of the costs guide, and the guide shows each: npm run bench -- --draw", () => {
    const drawn = charts(saved)
    const guide = read("../../docs/costs.md")
    assert.deepStrictEqual(readdirSync(new URL("../../docs/charts", import.meta.url)).sort(), Object.keys(drawn).sort())
    for (const [name, svg] of Object.entries(drawn)) {
      assert.strictEqual(read(`../../docs/charts/${name}`), svg, name)
      assert.include(guide, `="charts/${name}"`)
    }
  })
})
