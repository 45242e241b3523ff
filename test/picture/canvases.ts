/** Canvases for the tests of pictures: of every shape, and with hostile names. */
import type { History } from "canvas-runs/picture"
import type { Spine } from "canvas-runs"
import type * as Random from "../support/random.ts"

export type Edge = readonly [source: number, target: number]

const types = ["prompt-block", "web-block", "table-block", "document-block", "image-block", "deep-research-block"]
const statuses = ["idle", "running", "completed", "error", "a status of later"]

/** A canvas with these edges, whose blocks have ids that sort like their indexes. */
export const make = (count: number, edges: ReadonlyArray<Edge>): Spine.Canvas => ({
  canvas_id: "c",
  canvas_name: "Vector databases",
  nodes: Array.from({ length: count }, (_, index) => ({
    id: idOf(index),
    name: `Block ${index}`,
    type: types[index % types.length]!,
    status: statuses[index % statuses.length]!
  })),
  edges: edges.map(([source, target]) => ({ source_id: idOf(source), target_id: idOf(target) }))
})

/** A canvas with changed blocks. */
export const change = (
  canvas: Spine.Canvas,
  fields: (node: Spine.Block, index: number) => Partial<Spine.Block>
): Spine.Canvas => ({
  ...canvas,
  nodes: canvas.nodes.map((node, index) => Object.assign({}, node, fields(node, index)))
})

export const idOf = (index: number): string => `b${String(index).padStart(5, "0")}`

/** Edges by the shape of the graph, for `count` blocks. */
export const shapes: Readonly<Record<string, (count: number, draw: Random.Draw) => ReadonlyArray<Edge>>> = {
  none: () => [],
  chain: (count) => range(count - 1).map((index) => [index, index + 1]),
  star: (count) => range(count - 1).map((index) => [0, index + 1]),
  collector: (count) => range(count - 1).map((index) => [index, count - 1]),
  pairs: (count) => range(Math.floor(count / 2)).map((index) => [2 * index, 2 * index + 1]),
  tree: (count) => range(count - 1).map((index) => [Math.floor(index / 3), index + 1]),
  // As Spine makes them: some rounds of blocks, each of which uses a few of the round before
  rounds: (count, draw) => {
    const width = Math.max(2, Math.floor(count / 12))
    return range(count).filter((index) => index >= width).flatMap((index) =>
      range(draw.int(1, 3)).map((): Edge => {
        const before = Math.floor(index / width) - 1
        return [before * width + draw.int(0, width - 1), index]
      })
    )
  },
  cycle: (count) => range(count).map((index) => [index, (index + 1) % count]),
  random: (count, draw) => range(2 * count).map(() => [draw.int(0, count - 1), draw.int(0, count - 1)]),
  // An edge past all others, for each block
  long: (count) =>
    range(count - 1).flatMap((index): ReadonlyArray<Edge> => [[index, index + 1], [0, index + 1], [index, count - 1]]),
  loops: (count) => range(count).map((index) => [index, index]),
  bothWays: (count) =>
    range(count - 1).flatMap((index): ReadonlyArray<Edge> => [[index, index + 1], [index + 1, index]])
}

export const range = (count: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, count) }, (_, index) => index)

export const shuffle = <A>(items: ReadonlyArray<A>, draw: Random.Draw): ReadonlyArray<A> =>
  items.map((item) => ({ item, key: draw.next() })).sort((a, b) => a.key - b.key).map(({ item }) => item)

/** Times for the blocks of a canvas. */
export const historyOf = (canvas: Spine.Canvas): History.History => ({
  since: 1_000,
  at: 90_000,
  blocks: canvas.nodes.map(({ id, status }, index) => ({
    id,
    ...(status === "idle" ? {} : { startedAt: 1_000 + 100 * index }),
    ...(status === "completed" || status === "error" ? { endedAt: 3_000 + 250 * index } : {})
  }))
})

/** A text that runs, opens, moves or breaks something where it is not escaped. `mark` is what a script of it would set. */
const templates: ReadonlyArray<(mark: string) => string> = [
  (mark) => `<script>window.${mark}=1</script>`,
  (mark) => `<img src=x onerror="window.${mark}=1">`,
  (mark) => `"><svg onload=window.${mark}=1>`,
  (mark) => `'><iframe srcdoc="<script>parent.${mark}=1</script>"></iframe>`,
  (mark) => `</title><script>window.${mark}=1</script>`,
  (mark) => `</style><script>window.${mark}=1</script>`,
  (mark) => `</text></svg><img src=x onerror=window.${mark}=1>`,
  (mark) => `]]><script>window.${mark}=1</script>`,
  (mark) => `--><img src=x onerror=window.${mark}=1>`,
  (mark) => `<!--><img src=x onerror=window.${mark}=1>`,
  (mark) => `<foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="window.${mark}=1"/></foreignObject>`,
  (mark) => `<a href="javascript:window.${mark}=1" autofocus onfocus=window.${mark}=1>x</a>`,
  (mark) => `javascript:window.${mark}=1`,
  (mark) => `data:text/html,<script>opener.${mark}=1</script>`,
  (mark) => `&lt;script&gt;window.${mark}=1&lt;/script&gt;`,
  (mark) => `&#60;img src=x onerror=window.${mark}=1&#62;`,
  (mark) => `\u003cscript\u003ewindow.${mark}=1`,
  (mark) => `" onmouseover="window.${mark}=1" x="`,
  (mark) =>
    `<use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>window.${mark}=1</script></svg>#x"/>`,
  (mark) => `<style>*{background:url(//evil.example/${mark})}</style>`,
  (mark) => `<meta http-equiv=refresh content="0;url=data:text/html,${mark}">`,
  (mark) => `<base href="//evil.example/${mark}/">`,
  (mark) => `<math><mtext><table><mglyph><style><img src=x onerror=window.${mark}=1>`,
  (mark) => `<noscript><p title="</noscript><img src=x onerror=window.${mark}=1>">`,
  (mark) => `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "${mark}">]><x>&e;</x>`,
  // Mermaid
  (mark) => `%%{init: {"securityLevel": "loose", "themeCSS": "*{x:${mark}}"}}%%`,
  (mark) => `"]; click b0 call window.${mark}() "`,
  (mark) => `x"]\n  click b_0 href "javascript:window.${mark}=1"`,
  (mark) => `"] --> evil${mark}["x`,
  (mark) => `\`**${mark}**\``,
  (mark) => `---\ntitle: ${mark}\n---`,
  (mark) => `end\nsubgraph ${mark}`,
  (mark) => `#quot;]:::failed;${mark}`,
  (mark) => `1. ${mark}`,
  (mark) => `- ${mark} $$\\href{javascript:${mark}}{x}$$`,
  // Terminals
  (mark) => `\u001b]0;${mark}\u0007`,
  (mark) => `\u001b[2J\u001b[H${mark}`,
  (mark) => `\u001b]8;;http://evil.example/${mark}\u001b\\link\u001b]8;;\u001b\\`,
  (mark) => `\u009b31m${mark}`,
  (mark) => `${mark}\r\n\u0008\u0008\u007fx`,
  // Letters
  (mark) => `\u202e${mark}\u2066gnp.exe`,
  (mark) => `${mark}\ud800\udc00\ud800 \udfff`,
  (mark) => `${mark}\ufffe\uffff\u0000\u0001`,
  (mark) => `${mark}${"\u0301".repeat(400)}`,
  (mark) => `مرحبا ${mark} שלום`,
  (mark) => `👩‍👩‍👧‍👦🏳️‍🌈 ${mark} 数据库`,
  (mark) => `${mark}${" \t\n".repeat(300)}`,
  (mark) => `${mark}${"W".repeat(5000)}`,
  () => "",
  () => " ",
  () => "__proto__",
  () => "constructor"
]

/** Attacks by `count` names. The known ones come first, and then mixtures of them. */
export const attacks = (count: number, draw: Random.Draw): ReadonlyArray<string> =>
  range(count).map((index) => {
    const one = templates[index % templates.length]!(`hit${index}`)
    if (index < templates.length) return one
    const other = draw.pick(templates)(`hit${index}`)
    return draw.pick([
      one + other,
      one.slice(draw.int(0, 3)) + other.slice(0, draw.int(1, 40)),
      one.replaceAll(" ", draw.pick(["/", "\t", "\n", "\u0000", "\u00a0"])),
      [...one].map((letter) => draw.chance(0.5) ? letter.toUpperCase() : letter).join(""),
      draw.pick(["'", "\"", "`", "<", "&", "\\", "]", "#", "%%", "\u001b["]) + one,
      `${other}${"<".repeat(draw.int(1, 40))}${one}`
    ])
  })

/** A canvas whose every text is an attack. */
export const attackedCanvas = (names: ReadonlyArray<string>, draw: Random.Draw): Spine.Canvas => ({
  canvas_id: "c",
  canvas_name: names[0] ?? "",
  nodes: names.map((name, index) => ({
    id: draw.chance(0.2) ? `${index} ${name}` : idOf(index),
    name,
    type: draw.chance(0.3) ? draw.pick(names) : "web-block",
    status: draw.chance(0.3) ? draw.pick(names) : draw.pick(statuses)
  })),
  edges: range(names.length - 1).map((index) => ({ source_id: idOf(draw.int(0, index)), target_id: idOf(index + 1) }))
})
