/**
 * Charts of the results as SVG, light and dark, for the costs guide. They are made from the marks of the rows, so each figure of a
 * chart is one of the table. There is no `prefers-color-scheme` in them: in an image of a page it asks for the theme of the system
 * and not of the page, so the guide chooses between two files.
 */
import type { Row, Section } from "./results.ts"

interface Theme {
  readonly background: string
  readonly text: string
  readonly muted: string
  readonly grid: string
  readonly ours: string
  readonly second: string
  readonly peer: string
  readonly impossible: string
}

/** Contrast with the background: texts at least 4.5, bars and lines at least 3, also in grey. */
const themes: Readonly<Record<"light" | "dark", Theme>> = {
  light: {
    background: "#ffffff",
    text: "#1f2328",
    muted: "#59636e",
    grid: "#dfe3e8",
    ours: "#0550ae",
    second: "#bc4c00",
    peer: "#868f99",
    impossible: "#eef1f4"
  },
  dark: {
    background: "#0d1117",
    text: "#f0f6fc",
    muted: "#9aa4af",
    grid: "#2f363f",
    ours: "#79c0ff",
    second: "#f0883e",
    peer: "#656f7b",
    impossible: "#1c232c"
  }
}

const width = 700
const margin = 16

/** The width of a character as a part of the size of its font. Of the usual fonts DejaVu Sans is the widest, with 0.62. */
const characterWidth = 0.62

const lengthOf = (text: string, size: number): number => text.length * size * characterWidth

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

/** A tenth of a pixel is enough. */
const px = (value: number): string => String(Math.round(value * 10) / 10)

type Point = readonly [x: number, y: number]

const pair = ([x, y]: Point): string => `${px(x)} ${px(y)}`

const digits = (value: number): string =>
  value >= 1000
    ? Math.round(value).toLocaleString("en")
    : value >= 100
    ? value.toFixed(0)
    : String(Number(value.toPrecision(3)))

interface TextOptions {
  readonly anchor?: "end" | "middle"
  readonly size?: number
  readonly color?: keyof Theme
  readonly isBold?: boolean
}

/** What the functions that draw need of the theme. */
const brush = (theme: Theme) => ({
  text: (x: number, y: number, text: string, { anchor, color = "text", isBold, size = 13 }: TextOptions = {}): string =>
    `<text x="${px(x)}" y="${px(y)}"${size === 13 ? "" : ` font-size="${size}"`} fill="${theme[color]}"` +
    `${anchor === undefined ? "" : ` text-anchor="${anchor}"`}${isBold === true ? ` font-weight="600"` : ""}>${
      escape(text)
    }</text>`,
  grid: (lines: ReadonlyArray<readonly [from: Point, to: Point]>): string =>
    `<path d="${lines.map(([from, to]) => `M${pair(from)}L${pair(to)}`).join("")}" stroke="${theme.grid}"/>`,
  curve: (points: ReadonlyArray<Point>, color: keyof Theme, dashes?: string): string =>
    `<path d="M${points.map(pair).join("L")}" fill="none" stroke="${theme[color]}" stroke-width="2"${
      dashes === undefined ? "" : ` stroke-dasharray="${dashes}"`
    }/>`,
  area: (points: ReadonlyArray<Point>, color: keyof Theme): string =>
    `<path d="M${points.map(pair).join("L")}Z" fill="${theme[color]}"/>`,
  shapes: (points: ReadonlyArray<Point>, form: string, color: keyof Theme): string =>
    `<path d="${points.map((point) => `M${pair(point)}${form}`).join("")}" fill="${
      theme[color]
    }" stroke="${theme.background}"/>`,
  rectangle: (x: number, y: number, width: number, height: number, color: keyof Theme): string =>
    `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${theme[color]}"/>`
})

type Brush = ReturnType<typeof brush>

/** A chart before it has a theme. */
interface Chart {
  readonly title: string
  /** The figures in words, for readers who do not see the chart. */
  readonly description: string
  readonly height: number
  readonly draw: (brush: Brush) => ReadonlyArray<string>
}

const render = ({ description, draw, height, title }: Chart, theme: Theme): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d" font-family="system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif" font-size="13">`,
    `<title id="t">${escape(title)}</title>`,
    `<desc id="d">${escape(description)}</desc>`,
    `<rect width="${width}" height="${height}" fill="${theme.background}"/>`,
    ...draw(brush(theme)),
    "</svg>",
    ""
  ].join("\n")

const powersOfTen = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.round(Math.log10(to / from)) + 1 }, (_, index) => from * 10 ** index)

const powerBelow = (value: number): number => 10 ** Math.floor(Math.log10(value))

/** Round steps of a linear axis: at most five. */
const steps = (most: number): ReadonlyArray<number> => {
  const rough = most / 5
  const power = powerBelow(rough)
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10)
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step)
}

interface Bar {
  readonly label: string
  readonly value: number
  readonly isOurs: boolean
}

/** Horizontal bars, from the least to the greatest. If the greatest is 30 times the least or more, the scale is logarithmic. */
const bars = (title: string, axis: string, unsorted: ReadonlyArray<Bar>): Chart => {
  const all = unsorted.toSorted((a, b) => a.value - b.value)
  const values = all.map(({ value }) => value)
  const [least, greatest] = [Math.min(...values), Math.max(...values)]
  const isLogarithmic = greatest / least >= 30
  const rowHeight = 24
  const [top, bottom] = [50, 46]
  const height = top + all.length * rowHeight + bottom
  const left = margin + Math.max(...all.map(({ label }) => lengthOf(label, 13))) + 8
  // The value stands behind the bar, and a bold one is wider
  const right = width - margin - Math.max(...values.map((value) => lengthOf(digits(value), 15))) - 6
  const origin = powerBelow(least)
  const x = (value: number): number =>
    left + (right - left) *
      (isLogarithmic ? Math.log10(value / origin) / Math.log10(greatest / origin) : value / greatest)
  const ticks = isLogarithmic ? powersOfTen(origin, powerBelow(greatest)) : steps(greatest)
  return {
    title,
    height,
    description: `${axis}${isLogarithmic ? ", logarithmic scale" : ""}: ${
      all.map(({ label, value }) => `${label} ${digits(value)}`).join("; ")
    }.`,
    draw: ({ grid, rectangle, text }) => [
      text(margin, 28, title, { size: 15, isBold: true }),
      grid(ticks.map((tick) => [[x(tick), top - 6], [x(tick), height - bottom + 4]])),
      ...ticks.map((tick) =>
        text(x(tick), height - bottom + 18, digits(tick), { anchor: "middle", size: 12, color: "muted" })
      ),
      ...all.flatMap(({ isOurs, label, value }, index) => {
        const y = top + index * rowHeight
        return [
          text(left - 8, y + 14, label, { anchor: "end" }),
          rectangle(left, y + 2, x(value) - left, rowHeight - 8, isOurs ? "ours" : "peer"),
          text(x(value) + 6, y + 14, digits(value), { isBold: isOurs })
        ]
      }),
      text((left + right) / 2, height - 10, isLogarithmic ? `${axis} (logarithmic scale)` : axis, {
        anchor: "middle",
        size: 12,
        color: "muted"
      })
    ]
  }
}

const titles = {
  poll: ["CPU time of a poll over loopback, 10,000 runs waiting", "µs of CPU time per poll"],
  request: ["CPU time of a request whose response is in memory", "µs of CPU time per request"],
  event: ["CPU time of a streamed event of 100 bytes, in chunks of 16 KiB", "µs of CPU time per event"],
  wait: ["Memory of a waiting run, 10,000 asleep", "bytes of heap per waiting run"]
} as const

/** The marked rows and their peers. A peer of several rows is one bar. */
const barsOf = (chart: keyof typeof titles, rows: ReadonlyArray<Row>): Chart | undefined => {
  const found = new Map<string, Bar>()
  for (const { mark, ours, peers } of rows) {
    if (mark?.chart !== chart) continue
    found.set(mark.bar, { label: mark.bar, value: ours.value, isOurs: true })
    for (const [peer, { value }] of Object.entries(peers)) {
      if (!found.has(peer)) found.set(peer, { label: peer, value, isOurs: peer.startsWith("canvas-runs") })
    }
  }
  const [title, axis] = titles[chart]
  return found.size === 0 ? undefined : bars(title, axis, [...found.values()])
}

interface Panel {
  readonly title: string
  readonly bound: ReadonlyArray<Point>
  readonly series: ReadonlyMap<string, ReadonlyArray<Point>>
  readonly peers: ReadonlyMap<string, Point>
}

const panelsOf = (rows: ReadonlyArray<Row>): ReadonlyArray<Panel> => {
  const panels = new Map<string, {
    readonly bound: Map<number, number>
    readonly series: Map<string, Array<Point>>
    readonly peers: Map<string, Point>
  }>()
  for (const { mark, ours, peers } of rows) {
    if (mark?.chart !== "polls") continue
    const panel = panels.get(mark.panel) ?? { bound: new Map(), series: new Map(), peers: new Map() }
    panels.set(mark.panel, panel)
    const { bound, ...others } = peers
    if (bound !== undefined) panel.bound.set(mark.latency, bound.value)
    panel.series.set(mark.series, [...panel.series.get(mark.series) ?? [], [mark.latency, ours.value]])
    for (const [peer, { value }] of Object.entries(others)) panel.peers.set(peer, [mark.latency, value])
  }
  const byLatency = (points: Iterable<Point>) => [...points].sort(([a], [b]) => a - b)
  return [...panels].map(([title, { bound, peers, series }]) => ({
    title,
    bound: byLatency(bound),
    series: new Map([...series].map(([name, points]) => [name, byLatency(points)])),
    peers: new Map([...peers].sort(([, [a]], [, [b]]) => a - b))
  }))
}

/** Forms that differ in grey too. */
const diamond = "m0-5l5 5l-5 5l-5-5z"
/** The second form is smaller, so that the first is seen where both are at one place. */
const lines = [
  { color: "second", form: "m-5-5h10v10h-10z" },
  { color: "ours", form: "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z" }
] as const

/** Polls against detection latency, a panel for each family of runs. All panels have the same scales. */
const curves = (panels: ReadonlyArray<Panel>): Chart | undefined => {
  if (panels.length === 0) return undefined
  const title = "Polls per run against detection latency"
  const points = panels.flatMap((
    { bound, peers, series }
  ) => [...bound, ...peers.values(), ...[...series.values()].flat()])
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const [fromX, toX] = [Math.min(...xs) / 1.25, Math.max(...xs) * 1.25]
  const [fromY, toY] = [Math.min(...ys) / 1.5, Math.max(...ys) * 1.4]
  const names = [...new Set(panels.flatMap(({ series }) => [...series.keys()]))]
  const peers = [...panels[0]!.peers.keys()]
  const columns = Math.min(2, panels.length)
  const [left, top, gapX, gapY, bottom] = [70, 118, 26, 58, 46]
  const panelWidth = (width - left - margin - gapX * (columns - 1)) / columns
  const panelHeight = 240
  const rows = Math.ceil(panels.length / columns)
  const height = top + rows * panelHeight + (rows - 1) * gapY + bottom
  const xTicks = [1, 2, 5, 10, 20, 50].filter((tick) => tick >= fromX && tick <= toX)
  const yTicks = powersOfTen(powerBelow(fromY) * 10, powerBelow(toY))
  const words = panels.map(({ bound, peers, series, title }) =>
    `${title}: ${
      [
        ...[...peers].map(([name, [latency, polls]]) => `${name} ${digits(polls)} polls at ${digits(latency)} s`),
        ...[...series].map(([name, points]) => `${name} ${points.map(([, polls]) => digits(polls)).join(", ")}`),
        `the bound ${bound.map(([, polls]) => digits(polls)).join(", ")}`
      ].join("; ")
    }.`
  )
  return {
    title,
    height,
    description: `Both scales are logarithmic. ${words.join(" ")}`,
    draw: (brush) => {
      const { area, curve, grid, shapes, text } = brush
      const legendY = 56
      let legendX = margin
      const legend = (label: string, sign: (x: number) => ReadonlyArray<string>) => {
        const parts = [...sign(legendX), text(legendX + 34, legendY, label, { size: 12 })]
        legendX += 34 + lengthOf(label, 12) + 18
        return parts
      }
      return [
        text(margin, 28, title, { size: 15, isBold: true }),
        ...names.flatMap((name, index) => {
          const { color, form } = lines[index % lines.length]!
          return legend(name, (x) => [
            curve([[x, legendY - 4], [x + 28, legendY - 4]], color),
            shapes([[x + 14, legendY - 4]], form, color)
          ])
        }),
        ...legend("theoretical bound", (x) => [curve([[x, legendY - 4], [x + 28, legendY - 4]], "muted", "5 4")]),
        shapes([[margin + 14, 72]], diamond, "muted"),
        text(margin + 34, 76, `from the left: ${peers.join(", ")}`, { size: 12 }),
        ...panels.flatMap((panel, index) => {
          const x0 = left + (index % columns) * (panelWidth + gapX)
          const y0 = top + Math.floor(index / columns) * (panelHeight + gapY)
          const y1 = y0 + panelHeight
          const x = (latency: number) => x0 + panelWidth * Math.log(latency / fromX) / Math.log(toX / fromX)
          const y = (polls: number) => y1 - panelHeight * Math.log(polls / fromY) / Math.log(toY / fromY)
          const at = ([latency, polls]: Point): Point => [x(latency), y(polls)]
          const bound = panel.bound.map(at)
          const [first, second] = bound
          const last = bound.at(-1)
          return [
            text(x0, y0 - 10, panel.title, { isBold: true }),
            ...last === undefined ? [] : [area([...bound, [last[0], y1], [first![0], y1]], "impossible")],
            grid([
              ...xTicks.map((tick) => [[x(tick), y0], [x(tick), y1]] as const),
              ...yTicks.map((tick) => [[x0, y(tick)], [x0 + panelWidth, y(tick)]] as const)
            ]),
            ...xTicks.map((tick) =>
              text(x(tick), y1 + 15, digits(tick), { anchor: "middle", size: 12, color: "muted" })
            ),
            ...(index % columns === 0 ? yTicks : []).map((tick) =>
              text(x0 - 6, y(tick) + 4, digits(tick), { anchor: "end", size: 12, color: "muted" })
            ),
            ...second === undefined ? [] : [
              curve(bound, "muted", "5 4"),
              text(first![0] + 10, (second[1] + y1) / 2 + 4, "unreachable", { size: 12, color: "muted" })
            ],
            shapes([...panel.peers.values()].map(at), diamond, "muted"),
            ...names.flatMap((name, index) => {
              const points = panel.series.get(name)?.map(at) ?? []
              const { color, form } = lines[index % lines.length]!
              return points.length === 0 ? [] : [curve(points, color), shapes(points, form, color)]
            })
          ]
        }),
        text((left + width - margin) / 2, height - 10, "mean detection latency in seconds (logarithmic scale)", {
          anchor: "middle",
          size: 12,
          color: "muted"
        }),
        `<g transform="rotate(-90)">${
          text(-(top + height - bottom) / 2, 16, "polls per run (logarithmic scale)", {
            anchor: "middle",
            size: 12,
            color: "muted"
          })
        }</g>`
      ]
    }
  }
}

/** The charts by the name of their file. One that has no marked row is left out. */
export const charts = (sections: ReadonlyArray<Section>): Readonly<Record<string, string>> => {
  const rows = sections.flatMap(({ rows }) => rows)
  const files: Record<string, string> = {}
  const names = Object.keys(titles) as Array<keyof typeof titles>
  for (
    const [name, chart] of [
      ["polls", curves(panelsOf(rows))] as const,
      ...names.map((name) => [name, barsOf(name, rows)] as const)
    ]
  ) {
    if (chart === undefined) continue
    for (const [theme, colors] of Object.entries(themes)) files[`${name}-${theme}.svg`] = render(chart, colors)
  }
  return files
}
