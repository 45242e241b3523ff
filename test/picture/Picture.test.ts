import { assert, describe, it } from "@effect/vitest"
import { Graph } from "effect"
import { type History, Picture } from "canvas-runs/picture"
import { fromCanvas } from "canvas-runs/spine/SpineGraph"
import type { Spine } from "canvas-runs"
import { type Layout, layout, type Sizes } from "../../src/picture/internal/layout.ts"
import { palettes } from "../../src/picture/internal/svg.ts"
import { width } from "../../src/picture/internal/text.ts"
import * as Random from "../support/random.ts"
import * as Canvases from "./canvases.ts"
import { size } from "../support/size.ts"

const seeds = Canvases.range(size(20, 40))

/** The pictures of a canvas, each as lines. */
const pictures = (canvas: Spine.Canvas, history?: History.History) => ({
  mermaid: Picture.mermaid(canvas, { history }).split("\n"),
  mermaidDown: Picture.mermaid(canvas, { history, direction: "down" }).split("\n"),
  svg: Picture.svg(canvas, { history }).split("\n"),
  svgDown: Picture.svg(canvas, { history, direction: "down", theme: "dark" }).split("\n"),
  rows: Picture.rows(canvas, { history }),
  rowsInColor: Picture.rows(canvas, { history, columns: 60, colors: true })
})

const randomCanvas = (draw: Random.Draw, count = draw.int(0, 40)): Spine.Canvas =>
  Canvases.make(count, count === 0 ? [] : draw.pick(Object.values(Canvases.shapes))(count, draw))

describe("Picture", () => {
  it("the same canvas gives the same text for every order of blocks and edges in the response", () => {
    for (const seed of seeds) {
      const draw = Random.make(seed)
      const canvas = randomCanvas(draw)
      const other = {
        ...canvas,
        nodes: Canvases.shuffle(canvas.nodes, draw),
        edges: Canvases.shuffle([...canvas.edges, ...canvas.edges.slice(0, 3)], draw)
      }
      assert.deepStrictEqual(pictures(other, Canvases.historyOf(canvas)), pictures(canvas, Canvases.historyOf(canvas)))
    }
  })

  it("one changed block changes its own lines only: one in each picture", () => {
    for (const seed of seeds) {
      const draw = Random.make(seed)
      const canvas = randomCanvas(draw, draw.int(1, 40))
      const changed = draw.int(0, canvas.nodes.length - 1)
      const block = {
        ...canvas.nodes[changed]!,
        name: "Another name",
        type: draw.pick(["app-block", "web-block"]),
        status: draw.pick(["running", "completed", "error"])
      }
      const history = Canvases.historyOf(canvas)
      const before = pictures(canvas, history)
      const after = pictures({ ...canvas, nodes: canvas.nodes.with(changed, block) }, {
        ...history,
        blocks: history.blocks.with(changed, { id: block.id, startedAt: 7, endedAt: 70_000 })
      })
      for (const name of Object.keys(before) as Array<keyof typeof before>) {
        assert.strictEqual(after[name].length, before[name].length, name)
        const lines = after[name].filter((line, index) => line !== before[name][index])
        assert.strictEqual(lines.length, 1, `seed ${seed}, ${name}`)
        assert.include(lines[0], "Another name")
      }
    }
  })

  it("each block is drawn once, and each edge between two blocks once", () => {
    for (const [name, edgesOf] of Object.entries(Canvases.shapes)) {
      for (const count of [1, 2, 7, 60]) {
        const canvas = Canvases.make(count, edgesOf(count, Random.make(count)))
        const { mermaid, rows, svg } = pictures(canvas)
        const graph = fromCanvas(canvas)
        const edges = new Set(
          Array.from(Graph.values(Graph.edges(graph)), ({ source, target }) => `${source} ${target}`)
        )
        const loops = Array.from(edges).filter((edge) => edge.split(" ")[0] === edge.split(" ")[1]).length
        assert.strictEqual(svg.filter((line) => line.includes("<svg class=\"box ")).length, count, name)
        assert.strictEqual(svg.filter((line) => line.startsWith("<path")).length, edges.size, name)
        assert.strictEqual(mermaid.filter((line) => line.includes(" --> ")).length, edges.size, name)
        assert.strictEqual(mermaid.filter((line) => line.includes(":::")).length, count, name)
        assert.strictEqual(rows.filter((row) => row.includes("Block ")).length, count, name)
        const hasBack = svg.some((line) => line.includes("class=\"back\""))
        assert.strictEqual(hasBack || loops > 0, !Graph.isAcyclic(graph), name)
      }
    }
  })

  it("blocks with one id are all drawn, and edges to missing blocks are not", () => {
    const canvas: Spine.Canvas = {
      ...Canvases.make(2, []),
      nodes: ["first", "second", "third"].map((name) => ({ id: "a", name, type: "web-block", status: "idle" })),
      edges: [{ source_id: "a", target_id: "missing" }, { source_id: "missing", target_id: "a" }]
    }
    const { mermaid, rows, svg } = pictures(canvas)
    for (const name of ["first", "second", "third"]) {
      assert.isTrue(svg.some((line) => line.includes(`>${name}<`)))
      assert.isTrue(rows.some((row) => row.includes(name)))
    }
    assert.deepStrictEqual(mermaid.slice(2, 5).map((line) => line.slice(0, 10)), [
      "  b_a[\"fir",
      "  b_a__2[\"",
      "  b_a__3[\""
    ])
    assert.isFalse(mermaid.some((line) => line.includes("-->")))
  })

  it("an empty canvas is a picture too", () => {
    const empty = { canvas_id: "c", canvas_name: "", nodes: [], edges: [] }
    assert.deepStrictEqual(Picture.rows(empty), [])
    assert.match(Picture.mermaid(empty), /^flowchart LR\n {2}classDef /)
    assert.match(Picture.svg(empty), /^<svg .* width="248" height="40" /)
  })

  it("shows the share of tasks that have ended, without counting goals", () => {
    const task = (status: string, children: ReadonlyArray<Spine.Task> = []): Spine.Task => ({
      task_id: "t",
      name: "Task",
      task_type: "tool-call-task",
      status,
      children
    })
    const tasks = {
      canvas_id: "c",
      completed: [task("completed", [task("completed"), task("failed")])],
      not_completed: [task("running", [task("completed", [task("completed")]), task("running")])]
    }
    const svg = Picture.svg(Canvases.make(1, []), { tasks })
    assert.include(svg, "1 block · 3 of 4 tasks")
    assert.include(svg, "class=\"done\" x=\"20\" y=\"64\" width=\"156\"")
  })

  it("rows show the graph as lanes", () => {
    const canvas = Canvases.make(6, [[0, 1], [0, 2], [1, 3], [2, 3], [2, 4], [3, 5], [0, 5]])
    assert.deepStrictEqual(Picture.rows(canvas, { columns: 40 }).map((row) => row.slice(0, 15).trimEnd()), [
      "○     Block 0",
      "├─┬─╮",
      "● │ │ Block 1",
      "│ ✓ │ Block 2",
      "├─┤ │",
      "✗ │ │ Block 3",
      "╰─│─┤",
      "  │ ○ Block 5",
      "  ●   Block 4"
    ])
  })

  it("no row is wider than the terminal, with every kind of name, in every width", () => {
    const draw = Random.make(7)
    const canvas = Canvases.attackedCanvas(Canvases.attacks(60, draw), draw)
    for (let columns = 1; columns <= 130; columns += columns < 40 ? 1 : 9) {
      for (const colors of [false, true]) {
        for (const row of Picture.rows(canvas, { columns, colors, history: Canvases.historyOf(canvas) })) {
          assert.isAtMost(width(row), columns)
        }
      }
    }
  })

  it("keeps the rows around the running block where there is no room for all", () => {
    const canvas = Canvases.make(30, Canvases.shapes["chain"]!(30, Random.make(1)))
    const running = Canvases.change(canvas, (_, index) => ({
      status: index < 20 ? "completed" : index === 20 ? "running" : "idle"
    }))
    const rows = Picture.rows(running, { rows: 9 })
    assert.strictEqual(rows.length, 9)
    assert.strictEqual(rows[0], "… 17 more rows above")
    assert.isTrue(rows.some((row) => row.startsWith("● Block 20")))
    assert.strictEqual(rows[8], "… 6 more rows below")
    for (let most = 1; most < 40; most++) assert.isAtMost(Picture.rows(running, { rows: most }).length, most)
  })

  it("hostile names stay text: 1,000 attacks in SVG, Mermaid and rows", () => {
    const draw = Random.make(20_261_126)
    const canvas = Canvases.attackedCanvas(Canvases.attacks(1000, draw), draw)
    const text =
      "[^<>\"'\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufffe\\uffff]*"
    const svgLine = new RegExp(
      `^(<path (class="\\w+" )?d="[MCLHVcml0-9., -]*"/>)?(<svg class="box \\w+" x="\\d+" y="\\d+" width="208" height="56"><title>${text}</title><rect [^<>]*/>` +
        `(<(circle|path) class="(ring|arc|disc|sign)" [^<>]*/>)+<text x="40" y="25">${text}</text><text class="detail" x="40" y="42">${text}</text></svg>)?$`
    )
    const svg = Picture.svg(canvas, { history: Canvases.historyOf(canvas) }).split("\n")
    const lines = svg.slice(svg.indexOf("<g class=\"edges\">") + 1).filter((line) =>
      line !== "</g>" && line !== "</svg>" && line !== ""
    )
    assert.strictEqual(
      lines.length,
      canvas.nodes.length +
        canvas.edges.filter(({ source_id, target_id }) =>
          [source_id, target_id].every((id) => canvas.nodes.some((node) => node.id === id))
        ).length
    )
    for (const line of lines) assert.match(line, svgLine)
    // Each & of escaped text begins a code
    for (const line of lines) assert.notMatch(line, /&(?!#\d+;)/)
    const mermaidLine =
      /^ {2}(b_\w+\["[^"]*<br\/>[^"]*"\]:::\w+|b_\w+ --> b_\w+|classDef \w+ [\w:#,. -]+|accTitle: [^"]+)$/
    for (const line of Picture.mermaid(canvas).trimEnd().split("\n").slice(1)) {
      assert.match(line, mermaidLine)
      // The text of a box has no punctuation of ASCII, but in codes
      const text = /\["(.*)<br\/>(.*)"\]/.exec(line)?.slice(1).join("") ?? ""
      assert.notMatch(text.replaceAll(/#\d+;|\u200b/g, ""), /[!-/:-@[-`{-~\p{Cc}\p{Cf}]/u)
    }
    for (const row of Picture.rows(canvas, { colors: true })) {
      // oxlint-disable-next-line no-control-regex
      assert.notMatch(row.replaceAll(/\u001b\[\d+m/g, ""), /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
    }
  })

  it("a gigantic name costs no more than a long one", () => {
    const canvas = { ...Canvases.make(1, []), canvas_name: "é".repeat(3_000_000) }
    canvas.nodes.map((node) => Object.assign(node, { name: "é\u0301".repeat(3_000_000), type: "x".repeat(3_000_000) }))
    assert.isBelow(Picture.svg(canvas).length, 10_000)
    assert.isBelow(Picture.mermaid(canvas).length, 5_000)
  })

  it("text and signs have a contrast of at least 4.5 and 3 to their ground", () => {
    for (const [theme, { box, detail, edge, ground, states, text, tints }] of Object.entries(palettes)) {
      for (const color of [text, detail]) {
        assert.isAtLeast(contrast(color, box), 4.5, theme)
        assert.isAtLeast(contrast(color, ground), 4.5, theme)
      }
      assert.isAtLeast(contrast(edge, ground), 3, theme)
      for (const color of Object.values(states)) assert.isAtLeast(contrast(color, box), 3, theme)
      for (const [state, tint] of Object.entries(tints)) {
        assert.isAtLeast(contrast(text, tint), 4.5, theme)
        assert.isAtLeast(contrast(states[state as keyof typeof states], tint), 4.5, theme)
      }
    }
  })
})

describe("the layout", () => {
  const sizes: Sizes = { length: 200, breadth: 56, layerGap: 50, boxGap: 16, rowLength: 1000 }
  const indexes = (count: number, name: string) =>
    Array.from(
      new Set(
        Canvases.shapes[name]!(count, Random.make(count)).filter(([source, target]) => source !== target).map((edge) =>
          edge.join()
        )
      ),
      (edge) => edge.split(",").map(Number) as unknown as Canvases.Edge
    )
  const overlaps = ({ boxes }: Layout) => {
    const sorted = boxes.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
    return sorted.filter((box, index) => {
      const last = sorted[index - 1]
      return last !== undefined && last[0] === box[0] && box[1] - last[1] < sizes.breadth
    }).length
  }

  it("boxes do not overlap, and edges lead forward unless they close a cycle", () => {
    for (const name of Object.keys(Canvases.shapes)) {
      for (const count of [1, 2, 3, 20, 300]) {
        const edges = indexes(count, name)
        const result = layout(count, edges, sizes)
        assert.strictEqual(overlaps(result), 0, `${name} ${count}`)
        assert.isTrue(result.boxes.flat().every((at) => Number.isSafeInteger(at) && at >= 0), name)
        for (const [index, { isBack, points, source, target }] of result.routes.entries()) {
          assert.deepStrictEqual([source, target], edges[index] as never)
          assert.strictEqual(result.boxes[source]![0] < result.boxes[target]![0], !isBack, name)
          assert.isAtLeast(points.length, 2)
        }
        for (const [along, across] of result.boxes) {
          assert.isAtMost(along + sizes.length, result.length)
          assert.isAtMost(across + sizes.breadth, result.breadth)
        }
      }
    }
  })

  it("has no crossings where none are needed", () => {
    // Two chains whose blocks alternate in the order of ids
    const edges = [[0, 3], [1, 2], [2, 5], [3, 4], [4, 6], [5, 6]] as const
    const { boxes, routes } = layout(7, edges, sizes)
    const upper = [0, 3, 4].map((box) => boxes[box]![1])
    const lower = [1, 2, 5].map((box) => boxes[box]![1])
    assert.strictEqual(new Set(upper).size, 1)
    assert.strictEqual(new Set(lower).size, 1)
    assert.strictEqual(boxes[6]![1], (upper[0]! + lower[0]!) / 2)
    assert.isTrue(routes.every(({ points }) => points.length === 2))
  })

  it("its work grows with blocks and edges: 10 times the blocks take at most 20 times the steps", () => {
    for (const name of Object.keys(Canvases.shapes)) {
      const small = indexes(200, name)
      const large = indexes(2000, name)
      const before = layout(200, small, sizes).steps / (200 + small.length)
      const after = layout(2000, large, sizes).steps / (2000 + large.length)
      assert.isBelow(after, 2 * before, name)
    }
  })
})

/** The ratio of WCAG 2. */
const contrast = (a: string, b: string): number => {
  const [dark = 0, light = 0] = [a, b].map((color) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }).sort((x, y) => x - y)
  return (light + 0.05) / (dark + 0.05)
}
