/**
 * A layered layout (Sugiyama): break cycles, layers by longest path, fewer crossings by barycentres, coordinates by a least-squares fit in
 * each layer. All boxes have one size, which is what keeps it this short. Every step has a fixed number of sweeps, and the dummies
 * of long edges are limited, so the work grows with blocks and edges. Ties are broken by the order of the boxes.
 */

/** The sizes of a picture, along the direction of the edges (`length`) and across it (`breadth`), in any unit. */
export interface Sizes {
  readonly length: number
  readonly breadth: number
  /** The gap between layers. */
  readonly layerGap: number
  /** The gap between boxes of one layer. */
  readonly boxGap: number
  /** Parts that are not connected are placed in rows. A row is not longer than this, if its parts are not. */
  readonly rowLength: number
}

/** A point: the distance along the direction of the edges, and across it. */
export type Point = readonly [along: number, across: number]

export interface Route {
  readonly source: number
  readonly target: number
  /** Whether it closes a cycle, so that it is drawn against the direction. */
  readonly isBack: boolean
  /** From source to target. Where it passes a layer, it has a point before and after that layer. */
  readonly points: ReadonlyArray<Point>
}

export interface Layout {
  /** The corner of each box. */
  readonly boxes: ReadonlyArray<Point>
  readonly routes: ReadonlyArray<Route>
  readonly length: number
  readonly breadth: number
  /** The steps that the layout took, to test how it grows. */
  readonly steps: number
}

/** Edges between boxes, as pairs of indexes. There are no doubles, and no loops at one box. */
export type Edges = ReadonlyArray<readonly [source: number, target: number]>

export const layout = (count: number, edges: Edges, sizes: Sizes): Layout => {
  const work = { steps: 0 }
  const isBack = backEdges(count, edges, work)
  const forward = edges.map(([source, target], index): readonly [number, number] =>
    isBack[index] ? [target, source] : [source, target]
  )
  const layers = layersOf(count, forward, work)
  const graph = withDummies(count, forward, layers, work)
  const places = new Float64Array(graph.layers.length)
  const across = new Float64Array(graph.layers.length)
  const found = partsOf(graph, work)
  // Single boxes after the others, so that they share rows
  const parts = [...found.filter((part) => part.length > 1), ...found.filter((part) => part.length === 1)]
    .map((part) => arrange(part, graph, sizes, places, across, work))
  return place(count, edges, isBack, graph, parts, across, sizes, work)
}

interface Work {
  steps: number
}

const listsOf = (count: number): ReadonlyArray<Array<number>> => Array.from({ length: count }, () => [])

/** Finds the edges that close a cycle, by a depth-first walk that starts at the boxes without inputs. */
export const backEdges = (count: number, edges: Edges, work: Work): ReadonlyArray<boolean> => {
  const outgoing = listsOf(count)
  const hasInput = Array.from({ length: count }, () => false)
  edges.forEach(([source, target], index) => {
    outgoing[source]!.push(index)
    hasInput[target] = true
  })
  const found = edges.map(() => false)
  // 0: not reached, 1: on the path of the walk, 2: done
  const states = new Uint8Array(count)
  const next = new Uint32Array(count)
  const walk = (start: number) => {
    const path = [start]
    states[start] = 1
    while (path.length > 0) {
      work.steps++
      const box = path.at(-1)!
      const edge = outgoing[box]![next[box]!++]
      if (edge === undefined) {
        states[box] = 2
        path.pop()
        continue
      }
      const target = edges[edge]![1]
      if (states[target] === 1) found[edge] = true
      else if (states[target] === 0) {
        states[target] = 1
        path.push(target)
      }
    }
  }
  for (let box = 0; box < count; box++) if (!hasInput[box]) walk(box)
  for (let box = 0; box < count; box++) if (states[box] === 0) walk(box)
  return found
}

/** The layer of each box: one after the last of its inputs. A box without inputs is next to the first box that it feeds. */
const layersOf = (count: number, edges: Edges, work: Work): Uint32Array => {
  const outgoing = listsOf(count)
  const inputs = new Uint32Array(count)
  for (const [source, target] of edges) {
    outgoing[source]!.push(target)
    inputs[target]!++
  }
  const layers = new Uint32Array(count)
  const waiting = Uint32Array.from(inputs)
  const ready: Array<number> = []
  for (let box = 0; box < count; box++) if (inputs[box] === 0) ready.push(box)
  for (let at = 0; at < ready.length; at++) {
    const box = ready[at]!
    for (const target of outgoing[box]!) {
      work.steps++
      layers[target] = Math.max(layers[target]!, layers[box]! + 1)
      if (--waiting[target]! === 0) ready.push(target)
    }
  }
  for (let box = 0; box < count; box++) {
    if (inputs[box] === 0 && outgoing[box]!.length > 0) {
      layers[box] = outgoing[box]!.reduce((first, target) => Math.min(first, layers[target]!), Infinity) - 1
    }
  }
  return layers
}

/** Boxes, and the dummies of long edges after them. Every link leads to the next layer. */
interface Graph {
  readonly count: number
  readonly layers: ReadonlyArray<number>
  readonly before: ReadonlyArray<ReadonlyArray<number>>
  readonly after: ReadonlyArray<ReadonlyArray<number>>
  /** The dummies of each edge, in order. `undefined` for an edge that is too long to have them. */
  readonly chains: ReadonlyArray<ReadonlyArray<number> | undefined>
}

const withDummies = (count: number, edges: Edges, boxLayers: Uint32Array, work: Work): Graph => {
  const layers = Array.from(boxLayers)
  const before: Array<Array<number>> = layers.map(() => [])
  const after: Array<Array<number>> = layers.map(() => [])
  const link = (source: number, target: number) => {
    after[source]!.push(target)
    before[target]!.push(source)
  }
  const chains: Array<Array<number> | undefined> = edges.map(() => undefined)
  const span = (edge: number) => boxLayers[edges[edge]![1]]! - boxLayers[edges[edge]![0]]!
  // The shortest edges first, so that the limit hits the longest ones. They are drawn behind the boxes
  let left = 2 * (count + edges.length)
  for (const edge of edges.map((_, index) => index).sort((a, b) => span(a) - span(b) || a - b)) {
    const length = span(edge) - 1
    if (length > left) break
    left -= length
    const [source, target] = edges[edge]!
    const chain: Array<number> = []
    let last = source
    for (let step = 1; step <= length; step++) {
      work.steps++
      const dummy = layers.push(boxLayers[source]! + step) - 1
      before.push([])
      after.push([])
      link(last, dummy)
      chain.push(dummy)
      last = dummy
    }
    link(last, target)
    chains[edge] = chain
  }
  return { count, layers, before, after, chains }
}

/** The connected parts, each as layers of boxes and dummies. */
type Part = ReadonlyArray<ReadonlyArray<number>>

const partsOf = (graph: Graph, work: Work): ReadonlyArray<Part> => {
  const seen = new Uint8Array(graph.layers.length)
  const parts: Array<Part> = []
  for (let start = 0; start < graph.count; start++) {
    if (seen[start] === 1) continue
    seen[start] = 1
    const members = [start]
    for (let at = 0; at < members.length; at++) {
      for (const neighbours of [graph.before[members[at]!]!, graph.after[members[at]!]!]) {
        for (const other of neighbours) {
          work.steps++
          if (seen[other] === 1) continue
          seen[other] = 1
          members.push(other)
        }
      }
    }
    members.sort((a, b) => a - b)
    const first = members.reduce((least, member) => Math.min(least, graph.layers[member]!), Infinity)
    const part: Array<Array<number>> = []
    for (const member of members) (part[graph.layers[member]! - first] ??= []).push(member)
    // A part whose long edges have no dummies can have empty layers
    parts.push(Array.from(part, (layer) => layer ?? []))
  }
  return parts
}

const sweeps = 4

/** Positions across are multiples of this, so that boxes of neighbouring layers line up. The sizes are multiples of it too. */
const grid = 4

/** A part in its final order. */
interface Arranged {
  readonly part: Part
  readonly breadth: number
}

/** Orders a part, and sets how far each member is across. */
const arrange = (
  part: Part,
  graph: Graph,
  sizes: Sizes,
  places: Float64Array,
  across: Float64Array,
  work: Work
): Arranged => {
  const ordered = order(part, graph, places, across, work)
  const { count } = graph
  const apart = (a: number, b: number) =>
    ((a < count ? sizes.breadth : 0) + (b < count ? sizes.breadth : 0)) / 2 + sizes.boxGap
  for (const layer of ordered) {
    let at = 0
    for (const [index, member] of layer.entries()) {
      at += index === 0 ? 0 : apart(layer[index - 1]!, member)
      across[member] = at
    }
  }
  // A long edge is to be straight, which matters more than a box in the middle of its neighbours
  const weight = (a: number, b: number) => a < count ? b < count ? 1 : 2 : b < count ? 2 : 8
  const wishes = new Float64Array(ordered.reduce((most, layer) => Math.max(most, layer.length), 0))
  const weights = new Float64Array(wishes.length)
  const align = (layer: ReadonlyArray<number>, sides: ReadonlyArray<Graph["before"]>) => {
    for (const [index, member] of layer.entries()) {
      let sum = 0
      let total = 0
      for (const side of sides) {
        for (const other of side[member]!) {
          work.steps++
          sum += weight(member, other) * across[other]!
          total += weight(member, other)
        }
      }
      wishes[index] = total === 0 ? across[member]! : sum / total
      weights[index] = total === 0 ? 0.1 : total
    }
    fit(layer, wishes, weights, apart, across, work)
  }
  if (ordered.length > 1) {
    const backwards = ordered.toReversed()
    for (let sweep = 0; sweep < sweeps; sweep++) {
      for (const layer of ordered) align(layer, [graph.before])
      for (const layer of backwards) align(layer, [graph.after])
    }
    for (const layer of ordered) align(layer, [graph.before, graph.after])
  }
  let least = Infinity
  let most = -Infinity
  for (const layer of ordered) {
    for (const member of layer) {
      const half = member < count ? sizes.breadth / 2 : 0
      const at = Math.round(across[member]! / grid) * grid
      across[member] = at
      least = Math.min(least, at - half)
      most = Math.max(most, at + half)
    }
  }
  for (const layer of ordered) for (const member of layer) across[member]! -= least
  return { part: ordered, breadth: most - least }
}

/** Sorts each layer by the mean place of its neighbours, and keeps the order with the fewest crossings. */
const order = (part: Part, graph: Graph, places: Float64Array, means: Float64Array, work: Work): Part => {
  const setPlaces = (layer: ReadonlyArray<number>) => {
    for (let index = 0; index < layer.length; index++) places[layer[index]!] = index
    return layer
  }
  const sorted = (layer: ReadonlyArray<number>, neighbours: Graph["before"]) => {
    for (const member of layer) {
      const others = neighbours[member]!
      work.steps += others.length + 1
      let sum = 0
      for (const other of others) sum += places[other]!
      means[member] = others.length === 0 ? places[member]! : sum / others.length
    }
    return setPlaces(layer.toSorted((a, b) => means[a]! - means[b]! || places[a]! - places[b]!))
  }
  part.forEach(setPlaces)
  if (part.length < 2) return part
  let current: Part = part.map((layer, index) => index === 0 ? layer : sorted(layer, graph.before))
  let best = current
  let fewest = crossings(current, graph, places, work)
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
    current = sweep % 2 === 0
      ? current.toReversed().map((layer, index) => index === 0 ? layer : sorted(layer, graph.after)).toReversed()
      : current.map((layer, index) => index === 0 ? layer : sorted(layer, graph.before))
    const found = crossings(current, graph, places, work)
    if (found < fewest) {
      best = current
      fewest = found
    }
  }
  return best
}

/** Counts the crossings between neighbouring layers, with a tree of counts (Fenwick). */
const crossings = (part: Part, graph: Graph, places: Float64Array, work: Work): number => {
  let total = 0
  for (const [index, layer] of part.entries()) {
    const size = part[index + 1]?.length ?? 0
    // Links of one member of one layer cannot cross
    if (layer.length < 2 || size < 2) continue
    const counts = new Uint32Array(size + 1)
    let links = 0
    for (const member of layer) {
      const others = graph.after[member]!
      for (const other of others) {
        work.steps++
        let notBeyond = 0
        for (let at = places[other]! + 1; at > 0; at -= at & -at) notBeyond += counts[at]!
        total += links - notBeyond
      }
      for (const other of others) {
        links++
        for (let at = places[other]! + 1; at <= size; at += at & -at) counts[at]!++
      }
    }
  }
  return total
}

/** Sets the places nearest to the wishes, by weighted least squares, that keep the order and the gaps (pool adjacent violators). */
const fit = (
  layer: ReadonlyArray<number>,
  wishes: Float64Array,
  weights: Float64Array,
  apart: (a: number, b: number) => number,
  across: Float64Array,
  work: Work
): void => {
  let offset = 0
  const pools: Array<{ at: number; weight: number; size: number }> = []
  for (const [index, member] of layer.entries()) {
    offset += index === 0 ? 0 : apart(layer[index - 1]!, member)
    let pool = { at: wishes[index]! - offset, weight: weights[index]!, size: 1 }
    while (pools.length > 0 && pools.at(-1)!.at > pool.at) {
      work.steps++
      const last = pools.pop()!
      const weight = last.weight + pool.weight
      pool = { at: (last.at * last.weight + pool.at * pool.weight) / weight, weight, size: last.size + pool.size }
    }
    pools.push(pool)
  }
  offset = 0
  let index = 0
  for (const { at, size } of pools) {
    for (const end = index + size; index < end; index++) {
      offset += index === 0 ? 0 : apart(layer[index - 1]!, layer[index]!)
      across[layer[index]!] = at + offset
    }
  }
}

/** Puts the parts into rows, in their order, and routes the edges. */
const place = (
  count: number,
  edges: Edges,
  isBack: ReadonlyArray<boolean>,
  graph: Graph,
  parts: ReadonlyArray<Arranged>,
  across: Float64Array,
  sizes: Sizes,
  work: Work
): Layout => {
  const pitch = sizes.length + sizes.layerGap
  const lengthOf = ({ part }: Arranged) => part.length * pitch - sizes.layerGap
  const along = new Float64Array(across.length)
  let length = 0
  let row = { along: 0, across: 0, breadth: 0 }
  for (const arranged of parts) {
    if (row.along > 0 && row.along + lengthOf(arranged) > sizes.rowLength) {
      row = { along: 0, across: row.across + row.breadth + sizes.boxGap, breadth: 0 }
    }
    for (const [index, layer] of arranged.part.entries()) {
      for (const member of layer) {
        work.steps++
        along[member] = row.along + index * pitch
        across[member]! += row.across
      }
    }
    length = Math.max(length, row.along + lengthOf(arranged))
    row = {
      along: row.along + lengthOf(arranged) + sizes.layerGap,
      across: row.across,
      breadth: Math.max(row.breadth, arranged.breadth)
    }
  }
  const half = sizes.breadth / 2
  const routes = edges.map(([source, target], edge): Route => {
    const [first, last] = isBack[edge] ? [target, source] : [source, target]
    const points: Array<Point> = [[along[first]! + sizes.length, across[first]!]]
    for (const dummy of graph.chains[edge] ?? []) {
      work.steps++
      points.push([along[dummy]!, across[dummy]!], [along[dummy]! + sizes.length, across[dummy]!])
    }
    points.push([along[last]!, across[last]!])
    return { source, target, isBack: isBack[edge]!, points: isBack[edge] ? points.toReversed() : points }
  })
  return {
    boxes: Array.from({ length: count }, (_, box): Point => [along[box]!, across[box]! - half]),
    routes,
    length,
    breadth: row.across + row.breadth,
    steps: work.steps
  }
}
