/**
 * The minimum number of polls of any schedule for a mean delay, if it knows everything except the run itself.
 *
 * For a price of delay, dynamic programming finds the least cost of any schedule that decides by its previous polls. The cost is
 * polls plus price times delay. A schedule with the mean delay `d` and `p` polls costs `p + price * d`, so `p` is at least the
 * least cost less `price * d`, at every price. The best of these bounds is the one returned; the first poll, which is always made
 * at once, counts.
 */
import type { Knowledge } from "./pollingFamilies.ts"

/** The fewest polls at a mean delay. */
export type Bound = (delay: number) => number

export const boundOf = (knowledge: Knowledge): Bound | undefined => {
  const known = bounds.get(knowledge)
  if (known !== undefined || knowledge._tag === "None") return known
  const bound = dual(knowledge._tag === "Durations" ? costByDurations(knowledge.cdf) : costByTasks(knowledge))
  bounds.set(knowledge, bound)
  return bound
}

const bounds = new Map<Knowledge, Bound>()

/**
 * The minimum loss, in polls at the same delay, of a schedule that does not know from which of several distributions a run is:
 * the least cost for their mixture, divided by the mean of the least costs for each. The loss in cost applies to polls and delay
 * alike, so at the same delay the loss in polls is its square.
 */
export const ignorance = (cdfs: ReadonlyArray<(seconds: number) => number>): number => {
  const price = 10
  const apart = cdfs.reduce((sum, cdf) => sum + costByDurations(cdf)(price), 0) / cdfs.length
  const mixed = costByDurations((seconds) => cdfs.reduce((sum, cdf) => sum + cdf(seconds), 0) / cdfs.length)(price)
  return (mixed / apart) ** 2
}

/** Prices 20 % apart miss the best bound by less than 0.3 %. The bound is concave in the price. */
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
 * Polls at any of a grid of times. From a poll at `i`, the next one at `j` costs `S(i)` (one poll if the run has not ended), plus
 * the price of the delay of the runs that end between them: `t(j) (F(j) - F(i)) - (M(j) - M(i))`, where `M` sums the durations.
 * Only `-t(j) F(i)` mixes both, so the minimum is on the lower hull of lines in `F(i)`, and the algorithm takes linear time.
 */
const costByDurations = (cdf: (seconds: number) => number) => {
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
    // The lines that may be the minimum for some x up to here: from `head` to `tail`, by rising slope
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
      // x falls, so a line that is above a less steep one is dropped
      const x = done[i]!
      while (head < tail && slopes[head + 1]! * x + offsets[head + 1]! <= slopes[head]! * x + offsets[head]!) head++
      least = 1 - x + price * moment[i]! + slopes[head]! * x + offsets[head]!
    }
    return least
  }
}

/**
 * For tasks whose speed is gamma distributed, the time and the number of finished tasks are all that a schedule can know. So the
 * least cost is a function of these two, tabulated over time and computed from the end backwards. Delays until the next poll are
 * tried in steps of 8 %.
 */
const costByTasks = (
  { shape, span, tasks }: { readonly tasks: number; readonly shape: number; readonly span: number }
) => {
  const delays: Array<number> = []
  for (let delay = 0.05; delay < span * tasks; delay *= 1 + 1 / 12) delays.push(delay)
  const times: Array<number> = []
  for (let time = 0; time < span * tasks * 10; time += Math.max(4, time * 0.01)) times.push(time)
  const last = times.length - 1
  /** The row at or before a time, and the fraction of the distance to the next row. */
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
          // The probability of `more` finished tasks, and the cost after that; `same` is the probability of staying at this entry
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
