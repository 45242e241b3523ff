/** A scene as rows of a terminal: one row a block, with the edges as lines to the left of it. */
import { backEdges } from "./layout.ts"
import { type Box, factOf, type Scene } from "./scene.ts"
import type { State } from "./state.ts"
import { cut, fit, paint } from "./text.ts"

export interface Space {
  readonly columns: number
  readonly colors: boolean
}

const signs: Readonly<Record<State, string>> = {
  waiting: "○",
  running: "●",
  succeeded: "✓",
  partial: "!",
  failed: "✗"
}

const tones: Readonly<Record<State, Parameters<typeof paint>[0]>> = {
  waiting: "dim",
  running: "cyan",
  succeeded: "green",
  partial: "yellow",
  failed: "red"
}

/** The rows of all blocks. The columns depend on the edges and on the space alone, so a block changes no row but its own. */
export const rows = (
  scene: Scene,
  { colors, columns }: Space
): ReadonlyArray<{ readonly text: string; readonly box?: Box }> => {
  const drawn = drawLanes(scene, Math.max(1, Math.min(12, Math.floor(columns / 6))))
  const indent = drawn.reduce((most, { lanes }) => Math.max(most, lanes.length), 0)
  const room = columns - indent - 1
  const detail = room >= 46 ? 32 : room >= 34 ? 20 : room >= 24 ? 10 : 0
  const nameWidth = Math.max(1, Math.min(40, room - detail - 1))
  const tone = (color: Parameters<typeof paint>[0], text: string) => colors ? paint(color, text) : text
  return drawn.map(({ box, lanes, sign }) => {
    if (box === undefined) return { text: cut(tone("dim", lanes), columns) }
    const facts = detail === 32
      ? `${fit(box.type, 13)} ${fit(factOf(box), 18, "right")}`
      : detail === 20
      ? fit(factOf(box), 20, "right")
      : detail === 10
      ? fit(box.duration || box.status, 10, "right")
      : ""
    const name = fit(box.name, nameWidth)
    const text = [
      tone("dim", lanes.slice(0, sign)) + tone(tones[box.state], signs[box.state]) +
      tone("dim", lanes.slice(sign + 1).padEnd(indent - sign - 1)),
      box.state === "waiting" ? tone("dim", name) : name,
      tone(tones[box.state] === "green" ? "dim" : tones[box.state], facts)
    ].join(" ").trimEnd()
    return { text: room < 3 ? cut(signs[box.state], columns) : text, box }
  })
}

interface Drawn {
  readonly lanes: string
  /** The block of the row, and where its sign is. */
  readonly box?: Box
  readonly sign: number
}

/**
 * Draws blocks after all their inputs, and the edges as lanes: each lane waits for one block. A lane that has no room is not
 * drawn, and its block says so with a `…` in front.
 */
const drawLanes = (scene: Scene, most: number): ReadonlyArray<Drawn> => {
  const { boxes } = scene
  const isBack = backEdges(boxes.length, scene.edges, { steps: 0 })
  const targets: ReadonlyArray<Array<number>> = boxes.map(() => [])
  const missing = boxes.map(() => 0)
  scene.edges.forEach(([source, target], edge) => {
    if (isBack[edge]) return
    targets[source]!.push(target)
    missing[target]!++
  })
  const ready = boxes.flatMap((_, box) => missing[box] === 0 ? [box] : []).toReversed()
  const lanes: Array<number | undefined> = []
  const free = () => {
    const lane = lanes.indexOf(undefined)
    return lane !== -1 ? lane : lanes.length < most ? lanes.length : undefined
  }
  const drawn: Array<Drawn> = []
  while (ready.length > 0) {
    const box = ready.pop()!
    const waited = lanes.indexOf(box)
    const lane = waited !== -1 ? waited : free() ?? most
    if (lane < most) lanes[lane] = box
    drawn.push({
      lanes: cells(
        Math.max(lanes.length, lane + 1),
        (index) => index === lane ? "?" : lanes[index] === undefined ? " " : "│"
      ),
      box: boxes[box]!,
      sign: 2 * lane
    })
    if (lane < most) lanes[lane] = undefined
    const opened = new Set<number>()
    const joined = new Set<number>()
    for (const target of targets[box]!) {
      const other = lanes.indexOf(target)
      if (other !== -1) {
        joined.add(other)
      } else {
        const next = lane < most && lanes[lane] === undefined ? lane : free()
        if (next === undefined) continue
        lanes[next] = target
        opened.add(next)
      }
    }
    while (lanes.length > 0 && lanes.at(-1) === undefined) lanes.pop()
    const ends = [...opened, ...joined].filter((other) => other !== lane)
    if (ends.length > 0) drawn.push({ lanes: drawFork(lanes, lane, opened, joined, ends), sign: 0 })
    for (const target of targets[box]!.toReversed()) if (--missing[target]! === 0) ready.push(target)
  }
  return drawn
}

/** The row below a block from which more than one lane leads, or whose lane joins another one. */
const drawFork = (
  lanes: ReadonlyArray<number | undefined>,
  lane: number,
  opened: ReadonlySet<number>,
  joined: ReadonlySet<number>,
  ends: ReadonlyArray<number>
): string => {
  const left = Math.min(lane, ...ends)
  const right = Math.max(lane, ...ends)
  const text = cells(Math.max(lanes.length, right + 1), (index) => {
    const isInside = index > left && index < right
    if (index === lane) {
      const sides = left < lane ? right > lane ? 2 : 0 : 1
      return (opened.has(lane) ? ["┤", "├", "┼"] : ["╯", "╰", "┴"])[sides]!
    }
    if (joined.has(index)) return isInside ? "┼" : index === left ? "├" : "┤"
    if (opened.has(index)) return isInside ? "┬" : index === left ? "╭" : "╮"
    return lanes[index] !== undefined ? "│" : isInside ? "─" : " "
  }, (index) => index >= left && index < right ? "─" : " ")
  return text
}

const cells = (
  count: number,
  cell: (index: number) => string,
  between: (index: number) => string = () => " "
): string => {
  let text = ""
  for (let index = 0; index < count; index++) text += cell(index) + (index < count - 1 ? between(index) : "")
  return text
}

/** At most `most` rows: those around the first block that is running, or else around the last one that has ended. */
export const window = (all: ReturnType<typeof rows>, most: number, columns: number): ReadonlyArray<string> => {
  const texts = all.map(({ text }) => text)
  if (texts.length <= most) return texts
  if (most < 3) return texts.slice(0, most)
  const running = all.findIndex(({ box }) => box?.state === "running")
  const centre = running !== -1 ? running : all.findLastIndex(({ box }) => box !== undefined && box.state !== "waiting")
  const kept = most - 2
  const first = Math.min(Math.max(0, centre - Math.floor(kept / 2)), texts.length - kept)
  const note = (rows: number, where: string) =>
    rows === 0 ? [] : [cut(`… ${rows} more ${rows === 1 ? "row" : "rows"} ${where}`, columns)]
  return [...note(first, "above"), ...texts.slice(first, first + kept), ...note(texts.length - first - kept, "below")]
}
