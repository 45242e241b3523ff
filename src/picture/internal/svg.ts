/** A scene as SVG. Each box and each edge is one line of the text. */
import { type Edges, type Layout, layout, type Point, type Sizes } from "./layout.ts"
import { type Box, detailOf, type Scene } from "./scene.ts"
import { width } from "./text.ts"
import type { State } from "./state.ts"

export type Direction = "right" | "down"

const box = { width: 208, height: 56 }
const margin = 20

/** A block without its name, for canvases with very many blocks. */
const tile = { width: 20, height: 20 }

/** Lays a scene out for SVG. */
export const arrange = (count: number, edges: Edges, direction: Direction, isSmall = false): Layout =>
  layout(count, edges, isSmall ? sizesOfTiles : sizes[direction])

const sizes: Readonly<Record<Direction, Sizes>> = {
  right: { length: box.width, breadth: box.height, layerGap: 52, boxGap: 16, rowLength: 4 * (box.width + 52) },
  down: { length: box.height, breadth: box.width, layerGap: 40, boxGap: 20, rowLength: 6 * (box.height + 40) }
}

const sizesOfTiles: Sizes = { length: tile.width, breadth: tile.height, layerGap: 24, boxGap: 8, rowLength: 1000 }

export interface Header {
  readonly title: string
  /** Text below the title. */
  readonly detail: string
  /** The share that is done, from 0 to 1, if it is known. */
  readonly share: number | undefined
}

/** Draws a scene. `style` is the text of a `style` element, if the picture is to have one. */
export const svg = (
  scene: Scene,
  direction: Direction,
  header: Header,
  style: string | undefined,
  isSmall = false
): string => {
  const { boxes, breadth, length, routes } = arrange(scene.boxes.length, scene.edges, direction, isSmall)
  const hasHeader = header.title !== "" || header.detail !== ""
  const top = hasHeader ? 88 : margin
  const [width, height] = direction === "right" ? [length, breadth] : [breadth, length]
  const full = { width: Math.max(width, box.width) + 2 * margin, height: Math.max(height, 0) + top + margin }
  const at = ([along, across]: Point): readonly [x: number, y: number] =>
    direction === "right" ? [margin + along, top + across] : [margin + across, top + along]
  const description = `${count(scene.boxes.length, "block")}, ${count(scene.edges.length, "edge")}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="canvas-runs" viewBox="0 0 ${full.width} ${full.height}" width="${full.width}" height="${full.height}" role="img">`,
    `<title>${escape(header.title === "" ? "Graph of blocks" : header.title)}</title>`,
    `<desc>${description}</desc>`,
    ...(style === undefined ? [] : [`<style>${style}</style>`]),
    `<rect class="ground" width="${full.width}" height="${full.height}" rx="12"/>`,
    ...(hasHeader ? drawHeader(header, full.width) : []),
    ...(isSmall
      ? drawTiles(scene, boxes.map(at), routes.map(({ points }) => points.map(at)))
      : [
        `<g class="edges">`,
        ...routes.map(({ isBack, points }) => drawRoute(points.map(at), direction, isBack)),
        `</g>`,
        ...scene.boxes.map((box, index) => drawBox(box, ...at(boxes[index]!)))
      ]),
    `</svg>`
  ].join("\n") + "\n"
}

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

const drawHeader = ({ detail, share, title }: Header, full: number): ReadonlyArray<string> => {
  const room = full - 2 * margin
  return [
    `<text class="title" x="${margin}" y="34">${escape(cut(title, room, 16))}</text>`,
    `<text class="detail" x="${margin}" y="${title === "" ? 34 : 54}">${escape(cut(detail, room, 12))}</text>`,
    ...(share === undefined ? [] : [
      `<rect class="track" x="${margin}" y="64" width="${room}" height="4" rx="2"/>`,
      `<rect class="done" x="${margin}" y="64" width="${Math.round(room * share)}" height="4" rx="2"/>`
    ])
  ]
}

const drawBox = (item: Box, x: number, y: number): string => {
  const name = escape(cut(item.name, box.width - 52, 13))
  // The sign of a running block says that it runs
  const short = item.status === "running" && item.duration !== "" ? { ...item, state: "succeeded" as const } : item
  const detail = escape(cut(detailOf(short), box.width - 52, 9.7))
  const loop = item.isLoop
    ? `<path class="loop" d="M${x + box.width - 40} ${y}c-6-15 30-15 24 0m-3-6l3 6l5-4"/>`
    : ""
  return `${loop}<svg class="box ${item.state}" x="${x}" y="${y}" width="${box.width}" height="${box.height}">` +
    `<title>${escape(`${item.name}: ${detailOf(item)}`)}</title>` +
    `<rect x="1" y="1" width="${box.width - 2}" height="${box.height - 2}" rx="9"/>${icons[item.state]}` +
    `<text x="40" y="25">${name}</text><text class="detail" x="40" y="42">${detail}</text></svg>`
}

/** All edges as one path, and all blocks of a state as another one, which takes some 20 bytes each. */
const drawTiles = (
  scene: Scene,
  places: ReadonlyArray<Place>,
  routes: ReadonlyArray<ReadonlyArray<Place>>
): ReadonlyArray<string> => {
  const lines = routes.map((points) => points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${x} ${y}`).join(""))
  const tiles = new Map<State, string>()
  for (const [index, { state }] of scene.boxes.entries()) {
    const [x, y] = places[index]!
    tiles.set(state, `${tiles.get(state) ?? ""}M${x} ${y}h${tile.width}v${tile.height}h-${tile.width}z`)
  }
  return [
    `<path class="edges" d="${lines.join("")}"/>`,
    ...Array.from(tiles, ([state, path]) => `<path class="tile ${state}" d="${path}"/>`)
  ]
}

const icons: Readonly<Record<State, string>> = {
  waiting: `<circle class="ring" cx="21" cy="28" r="7.5"/>`,
  running: `<circle class="ring" cx="21" cy="28" r="7.5"/><path class="arc" d="M21 20.5a7.5 7.5 0 0 1 7.5 7.5"/>`,
  succeeded: `<circle class="disc" cx="21" cy="28" r="8.5"/><path class="sign" d="M17 28.4l2.8 2.8l5.2-5.8"/>`,
  partial: `<circle class="disc" cx="21" cy="28" r="8.5"/><path class="sign" d="M21 23.4v5.6m0 3.4v.2"/>`,
  failed: `<circle class="disc" cx="21" cy="28" r="8.5"/><path class="sign" d="M18 25l6 6m0-6l-6 6"/>`
}

type Place = readonly [x: number, y: number]

/** Curves between layers, and straight lines past them. */
const drawRoute = (points: ReadonlyArray<Place>, direction: Direction, isBack: boolean): string => {
  const isRight = direction === "right"
  // A point by its distance along the edges, and across them
  const at = (along: number, across: number) => isRight ? `${along} ${across}` : `${across} ${along}`
  const [first, ...others] = points.map(([x, y]): Point => isRight ? [x, y] : [y, x])
  let [along, across] = first!
  let path = `M${at(along, across)}`
  // The last pixels are straight, so that the arrow stands upright
  const sign = isBack ? -1 : 1
  for (const [index, [nextAlong, nextAcross]] of others.entries()) {
    const isLast = index === others.length - 1
    if (index % 2 === 1 || across === nextAcross) {
      path += `L${at(nextAlong, nextAcross)}`
    } else {
      const end = isLast ? nextAlong - 8 * sign : nextAlong
      const middle = (along + end) / 2
      path += `C${at(middle, across)} ${at(middle, nextAcross)} ${at(end, nextAcross)}`
      if (isLast) path += `${isRight ? "H" : "V"}${nextAlong}`
    }
    along = nextAlong
    across = nextAcross
  }
  const arrow = `m${at(-6 * sign, -4)}l${at(6 * sign, 4)}l${at(-6 * sign, 4)}`
  return `<path${isBack ? ` class="back"` : ""} d="${path}${arrow}"/>`
}

/** Escapes text for HTML and XML. XML does not allow two code points at all. */
export const escape = (text: string): string =>
  text.replaceAll(/[\ufffe\uffff]/g, "\ufffd").replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** Cuts text to `room` pixels. Widths are estimates for common fonts, rounded up. */
export const cut = (text: string, room: number, size: number): string => {
  let used = 0
  let kept = ""
  for (const character of text) {
    used += size * widthOf(character)
    // Room for the ellipsis
    if (used <= room - size) kept += character
    if (used > room) return `${kept.trimEnd()}…`
  }
  return text
}

/** In units of the size of the font, for the bold letters of a wide font. */
const widthOf = (character: string): number =>
  /[ijl.,:;|!'()[\]ftrI ]/.test(character)
    ? 0.42
    : /[mwMW@%\u{2014}]/u.test(character)
    ? 1.08
    : /\p{Lu}/u.test(character)
    ? 0.76
    : width(character) === 2
    ? 1.04
    : 0.65 * width(character)

// --- styles

interface Palette {
  readonly ground: string
  readonly box: string
  readonly border: string
  readonly edge: string
  readonly text: string
  readonly detail: string
  readonly states: Readonly<Record<State, string>>
  /** The fill of a box that is running or failed. */
  readonly tints: Readonly<Partial<Record<State, string>>>
}

export const palettes: Readonly<Record<"light" | "dark", Palette>> = {
  light: {
    ground: "#ffffff",
    box: "#ffffff",
    border: "#d3dae2",
    edge: "#8593a3",
    text: "#16202c",
    detail: "#566373",
    states: { waiting: "#7b8794", running: "#1d5fd1", succeeded: "#15803d", partial: "#96600a", failed: "#c81e3a" },
    tints: { running: "#f2f7ff", failed: "#fff4f5" }
  },
  dark: {
    ground: "#0e141b",
    box: "#17202a",
    border: "#364352",
    edge: "#66768a",
    text: "#eaf0f6",
    detail: "#9aa8b7",
    states: { waiting: "#8291a3", running: "#62a2ff", succeeded: "#46c06a", partial: "#e0a83a", failed: "#ff6b70" },
    tints: { running: "#15253d", failed: "#331a20" }
  }
}

const colorsOf = ({ border, box, detail, edge, ground, states, text, tints }: Palette): string =>
  [
    `.canvas-runs .ground{fill:${ground}}`,
    `.canvas-runs .box rect{fill:${box};stroke:${border}}`,
    `.canvas-runs text{fill:${text}}`,
    `.canvas-runs .detail{fill:${detail}}`,
    `.canvas-runs .edges,.canvas-runs .loop{stroke:${edge}}`,
    `.canvas-runs .track{fill:${border}}`,
    `.canvas-runs .done{fill:${states.succeeded}}`,
    `.canvas-runs .sign{stroke:${ground}}`,
    ...Object.entries(states).map(([state, color]) => `.canvas-runs .tile.${state}{fill:${color}}`),
    ...Object.entries(states).map(([state, color]) =>
      state === "waiting" || state === "running"
        ? `.canvas-runs .${state} .ring,.canvas-runs .${state} .arc{stroke:${color}}`
        : `.canvas-runs .${state} .disc{fill:${color}}`
    ),
    ...Object.entries(tints).flatMap(([state, tint]) => {
      const color = states[state as State]
      return [
        `.canvas-runs .${state} rect{fill:${tint};stroke:${color}}`,
        `.canvas-runs .${state} .detail{fill:${color}}`
      ]
    })
  ].join("")

const shapes = [
  ".canvas-runs text{font:600 13px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;unicode-bidi:plaintext}",
  ".canvas-runs .title{font-size:16px}",
  ".canvas-runs .detail{font-size:11px;font-weight:400}",
  ".canvas-runs>.detail{font-size:12px}",
  ".canvas-runs .box rect{stroke-width:1.25}",
  ".canvas-runs .waiting rect{stroke-dasharray:4 3}",
  ".canvas-runs .edges,.canvas-runs .loop,.canvas-runs .ring,.canvas-runs .arc,.canvas-runs .sign{fill:none;stroke-width:1.5}",
  ".canvas-runs .edges,.canvas-runs .arc,.canvas-runs .sign{stroke-linecap:round;stroke-linejoin:round}",
  ".canvas-runs .back{stroke-dasharray:5 4}",
  ".canvas-runs .ring,.canvas-runs .arc,.canvas-runs .sign{stroke-width:2}",
  ".canvas-runs .waiting .ring{stroke-dasharray:3.2 2.7}",
  ".canvas-runs .running .ring{opacity:.25}",
  ".canvas-runs .arc{transform-origin:21px 28px;animation:canvas-runs 1.2s linear infinite}",
  "@keyframes canvas-runs{to{transform:rotate(1turn)}}",
  "@media(prefers-reduced-motion:reduce){.canvas-runs .arc{animation:none}}"
].join("")

/** The style of a theme. `auto` follows the settings of the reader. */
export const styles: Readonly<Record<"light" | "dark" | "auto", string>> = {
  light: shapes + colorsOf(palettes.light),
  dark: shapes + colorsOf(palettes.dark),
  auto: `${shapes}${colorsOf(palettes.light)}@media(prefers-color-scheme:dark){${colorsOf(palettes.dark)}}`
}
