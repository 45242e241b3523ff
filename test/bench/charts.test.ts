import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { charts } from "./charts.ts"
import { decode, figure, type Row, type Section } from "./results.ts"

const peers = (values: Readonly<Record<string, number>>): Row["peers"] =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { ...figure([value]), ratio: figure([1]) }]))

const bar = (chart: "poll" | "event", bar: string, ours: number, others: Readonly<Record<string, number>>): Row => ({
  measure: bar,
  unit: "µs",
  ours: figure([ours]),
  peers: peers(others),
  targets: [],
  mark: { chart, bar }
})

const point = (panel: string, series: string, latency: number, ours: number, fixed: number, bound: number): Row => ({
  measure: `${panel} ${series} ${latency}`,
  unit: "polls",
  ours: figure([ours]),
  peers: peers({ [`every ${latency} s`]: fixed, bound }),
  targets: [],
  mark: { chart: "polls", panel, series, latency }
})

const sectionOf = (rows: ReadonlyArray<Row>): Section => ({
  name: "all",
  date: "2026-11-26",
  machine: "a machine",
  runs: 3,
  isQuick: false,
  rows
})

const fixture = sectionOf([
  bar("poll", "canvas-runs, fetch", 250, { "loop <b>& \"co\"</b>": 200, "another loop with a rather long name": 300 }),
  bar("poll", "canvas-runs, undici", 150, { "loop <b>& \"co\"</b>": 200, "another loop with a rather long name": 300 }),
  bar("event", "canvas-runs", 2.5, { "JSON.parse": 1.7, sdk: 2503 }),
  ...["progress & tasks", "no estimate", "estimate"].flatMap((panel) => [
    point(panel, "adaptive", 0.5, 600, 900, 500),
    point(panel, "adaptive", 30, 12, 20, 10),
    point(panel, "adaptive, with a history", 0.5, 550, 900, 500),
    point(panel, "adaptive, with a history", 30, 11, 20, 10)
  ])
])
const saved = decode(readFileSync(new URL("results.json", import.meta.url), "utf8"))

interface Label {
  readonly text: string
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** The boxes of the texts, with characters as wide as those of DejaVu Sans. Rotated text is not one of them. */
const labelsOf = (svg: string): ReadonlyArray<Label> =>
  [...svg.replace(/<g transform.*<\/g>/, "").matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, attributes, text]) => {
    const attribute = (name: string) => new RegExp(`(?<![-\\w])${name}="([^"]*)"`).exec(attributes!)?.[1]
    const size = Number(attribute("font-size") ?? 13)
    const characters = text!.replace(/&\w+;/g, "x").length
    const width = characters * size * (attribute("font-weight") === undefined ? 0.62 : 0.7)
    const x = Number(attribute("x"))
    const anchor = attribute("text-anchor")
    const left = anchor === "end" ? x - width : anchor === "middle" ? x - width / 2 : x
    const y = Number(attribute("y"))
    return { text: text!, left, right: left + width, top: y - 0.8 * size, bottom: y + 0.2 * size }
  })

const overlaps = (a: Label, b: Label) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom

/** Fails unless each element that is opened is closed in order, and no `&` or `<` is bare. */
const parse = (xml: string): void => {
  const open: Array<string> = []
  const rest = xml.replace(/<(\/?)([a-z]+)((?: [\w-]+="[^"<]*")*)(\/?)>/g, (_, closes, name, _attributes, closed) => {
    if (closes === "/") assert.strictEqual(open.pop(), name)
    else if (closed === "") open.push(name)
    return ""
  })
  assert.deepStrictEqual(open, [])
  assert.notInclude(rest, "<")
  assert.notMatch(xml, /&(?!(amp|lt|gt|quot);)/)
}

describe.each([["a fixture", [fixture]], ["the saved results", saved]] as const)("the charts of %s", (_, sections) => {
  const drawn = Object.entries(charts(sections))

  it("are well-formed, and have a title and a description", () => {
    assert.isNotEmpty(drawn)
    for (const [name, svg] of drawn) {
      parse(svg)
      assert.match(svg, /<title id="t">[^<]+<\/title>\n<desc id="d">[^<]+<\/desc>/, name)
      assert.notMatch(svg, /NaN|Infinity|undefined|https?:(?!\/\/www\.w3\.org\/2000\/svg)/, name)
    }
  })

  it("have no labels that overlap or are cut", () => {
    for (const [name, svg] of drawn) {
      const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!
      const labels = labelsOf(svg)
      assert.isAbove(labels.length, 5)
      for (const [index, label] of labels.entries()) {
        assert.isAtLeast(label.left, 0, `${name}: ${label.text}`)
        assert.isAtMost(label.right, Number(width), `${name}: ${label.text}`)
        assert.isAtMost(label.bottom, Number(height), `${name}: ${label.text}`)
        for (const other of labels.slice(index + 1)) {
          assert.isFalse(overlaps(label, other), `${name}: "${label.text}" and "${other.text}"`)
        }
      }
    }
  })

  it("differ between light and dark in their colors only", () => {
    for (const [name, svg] of drawn.filter(([name]) => name.endsWith("-light.svg"))) {
      const dark = charts(sections)[name.replace("light", "dark")]!
      assert.notStrictEqual(svg, dark)
      assert.strictEqual(svg.replaceAll(/#[0-9a-f]{6}/g, ""), dark.replaceAll(/#[0-9a-f]{6}/g, ""))
    }
  })
})

describe("bars", () => {
  const widths = (svg: string) =>
    [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)"/g)].map(([, width]) => Number(width))
  const drawn = charts([fixture])

  it("show each contender and each peer once, from the least to the greatest, with its value", () => {
    const labels = labelsOf(drawn["poll-light.svg"]!).map(({ text }) => text)
    const names = ["canvas-runs, undici", "loop &lt;b&gt;&amp; &quot;co&quot;&lt;/b&gt;", "canvas-runs, fetch"]
    const bars = [...names, "another loop with a rather long name"].flatMap((name, index) => [
      name,
      ["150", "200", "250", "300"][index]!
    ])
    assert.deepStrictEqual(labels.slice(-bars.length - 1, -1), bars)
  })

  it("begin at zero on a linear scale", () => {
    const [a, b, c, d] = widths(drawn["poll-light.svg"]!) as [number, number, number, number]
    assert.closeTo(a / d, 150 / 300, 0.001)
    assert.closeTo(b / d, 200 / 300, 0.001)
    assert.closeTo(c / d, 250 / 300, 0.001)
  })

  it("are on a logarithmic scale, and say so, where one is 30 times as long as another", () => {
    const svg = drawn["event-light.svg"]!
    const [a, , c] = widths(svg) as [number, number, number]
    assert.closeTo(a / c, Math.log10(1.7) / Math.log10(2503), 0.001)
    assert.include(svg, "µs of CPU time per event (logarithmic scale)")
    assert.notInclude(drawn["poll-light.svg"]!, "logarithmic")
  })
})

describe("curves", () => {
  const svg = charts([fixture])["polls-light.svg"]!

  it("have a panel for each family, with its series, its peers and the bound", () => {
    const labels = labelsOf(svg).map(({ text }) => text)
    for (const panel of ["progress &amp; tasks", "no estimate", "estimate"]) assert.include(labels, panel)
    for (const series of ["adaptive", "adaptive, with a history", "theoretical bound"]) assert.include(labels, series)
    assert.include(labels, "from the left: every 0.5 s, every 30 s")
    assert.include(svg, "every 0.5 s 900 polls at 0.5 s; every 30 s 20 polls at 30 s; adaptive 600, 12;")
  })
})

it("a chart without rows is left out", () => {
  assert.deepStrictEqual(charts([sectionOf([])]), {})
})
