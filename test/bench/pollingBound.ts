/**
 * The fewest polls that any schedule can do with at a mean delay, if it knows everything but the run at hand.
 *
 * For a price of delay, dynamic programming finds the least cost, polls plus price times delay, of any schedule that
 * decides by what it has seen. A schedule with the mean delay `d` and `p` polls costs `p + price * d`, so `p` is at least
 * the least cost less `price * d`, at every price. The best of these bounds is the one returned; the first poll, which is
 * always made at once, counts.
 */
import type { Knowledge } from "./pollingFamilies.ts"

/** The fewest polls at a mean delay. */
export type Bound = (delay: number) => number

export const boundOf = (knowledge: Knowledge): Bound | undefined => {
  const known = bounds.get(knowledge)
  if (known !== undefined || knowledge._tag === "None") return known
  const bound = dual(knowledge._tag === "Lengths" ? costByLengths(knowledge.cdf) : costByTasks(knowledge))
  bounds.set(knowledge, bound)
  return bound
}

const bounds = new Map<Knowledge, Bound>()

/**
 * How much a schedule loses at least, in polls at the same delay, that is not told from which of several distributions a
 * run is: the least cost for their mixture, by the mean of the least costs for each. Both polls and delay make up the cost,
 * so at the same delay it is the square.
 */
export const ignorance = (cdfs: ReadonlyArray<(seconds: number) => number>): number => {
  const price = 10
  const apart = cdfs.reduce((sum, cdf) => sum + costByLengths(cdf)(price), 0) / cdfs.length
  const mixed = costByLengths((seconds) => cdfs.reduce((sum, cdf) => sum + cdf(seconds), 0) / cdfs.length)(price)
  return (mixed / apart) ** 2
}

/** Prices a fifth apart miss the best bound by less than 0.3 %. What is maximised is concave in the price. */
const dual = (cost: (price: number) => number): Bound => {
  const costs = new Map<number, number>()
  return (delay) => {
    const at = (index: number): number => {
      const price = 1.2 ** index
      const least = costs.get(index) ?? cost(price)
      costs.set(index, least)
      return least - price * delay
    }
    let [low, high] = [-40, 50]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (at(middle) < at(middle + 1)) low = middle + 1
      else high = middle
    }
    return 1 + at(low)
  }
}

/**
 * Polls at any of a grid of times. From a poll at `i`, the next one at `j` costs `S(i)`, one poll if the run goes on, plus
 * the price of the delay of those that end between them: `t(j) (F(j) - F(i)) - (M(j) - M(i))`, where `M` sums the lengths.
 * Only `-t(j) F(i)` mixes both, so the least is on the lower hull of lines in `F(i)`, and all of it takes linear time.
 */
const costByLengths = (cdf: (seconds: number) => number) => {
  const step = 0.1
  let horizon = 60
  while (1 - cdf(horizon) > 1e-7 && horizon < 6 * 3600) horizon += 60
  const cells = Math.round(horizon / step)
  const done = new Float64Array(cells + 1)
  const moment = new Float64Array(cells + 1)
  for (let i = 1; i <= cells; i++) {
    done[i] = i === cells ? 1 : cdf(i * step)
    moment[i] = moment[i - 1]! + (done[i]! - done[i - 1]!) * (i - 0.5) * step
  }
  const slopes = new Float64Array(cells + 1)
  const offsets = new Float64Array(cells + 1)
  return (price: number): number => {
    // The lines that may be least for some x up to here: from `head` to `tail`, by rising slope
    let head = 0
    let tail = -1
    let least = 0
    for (let i = cells - 1; i >= 0; i--) {
      const time = (i + 1) * step
      const slope = -price * time
      const offset = price * (time * done[i + 1]! - moment[i + 1]!) + least
      while (
        tail > head &&
        (offset - offsets[tail - 1]!) * (slopes[tail]! - slopes[tail - 1]!) <=
          (offsets[tail]! - offsets[tail - 1]!) * (slope - slopes[tail - 1]!)
      ) tail--
      tail++
      slopes[tail] = slope
      offsets[tail] = offset
      // x falls, so a line that a less steep one undercuts is done with
      const x = done[i]!
      while (head < tail && slopes[head + 1]! * x + offsets[head + 1]! <= slopes[head]! * x + offsets[head]!) head++
      least = 1 - x + price * moment[i]! + slopes[head]! * x + offsets[head]!
    }
    return least
  }
}

/**
 * For tasks whose pace is gamma distributed, the time and the tasks done by then are all that can be known. So the least
 * cost is a function of these, tabulated over time and found from the end backwards; delays until the next poll are tried
 * in steps of a twelfth.
 */
const costByTasks = (
  { shape, span, tasks }: { readonly tasks: number; readonly shape: number; readonly span: number }
) => {
  const delays: Array<number> = []
  for (let delay = 0.05; delay < span * tasks; delay *= 1 + 1 / 12) delays.push(delay)
  const times: Array<number> = []
  for (let time = 0; time < span * tasks * 10; time += Math.max(4, time * 0.01)) times.push(time)
  const last = times.length - 1
  /** The row at or before a time, and how far it is to the next. */
  const rowOf = (time: number, from: number): readonly [number, number] => {
    if (time >= times[last]!) return [last - 1, 1]
    let low = from
    let high = last
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (times[middle]! <= time) low = middle
      else high = middle
    }
    return [low, (time - times[low]!) / (times[high]! - times[low]!)]
  }
  return (price: number): number => {
    const least = Array.from({ length: tasks }, () => new Float64Array(times.length))
    for (let row = last; row >= 0; row--) {
      const time = times[row]!
      for (let completed = tasks - 1; completed >= 0; completed--) {
        const weight = shape + completed
        const left = tasks - completed
        let best = Infinity
        let late = 0
        let before = 0
        let endedBefore = 0
        for (const delay of delays) {
          const share = delay / (span + time + delay)
          const [next, part] = rowOf(time + delay, row)
          // The chance of so many more tasks done, and what is to come then; `same` stays at this very entry
          let chance = (1 - share) ** weight
          let open = 0
          let cost = 0
          let same = 0
          for (let more = 0; more < left; more++) {
            const values = least[completed + more]!
            open += chance
            if (next > row) cost += chance * (values[next]! * (1 - part) + values[next + 1]! * part)
            else if (row === last) {
              if (more === 0) same += chance
              else cost += chance * values[row]!
            } else {
              cost += chance * part * values[row + 1]!
              if (more === 0) same += chance * (1 - part)
              else cost += chance * (1 - part) * values[row]!
            }
            chance *= (weight + more) / (more + 1) * share
          }
          const ended = Math.max(0, 1 - open)
          late += (delay - before) * (ended + endedBefore) / 2
          before = delay
          endedBefore = ended
          best = Math.min(best, (1 + price * late + cost) / (1 - same))
        }
        least[completed]![row] = best
      }
    }
    return least[0]![0]!
  }
}
