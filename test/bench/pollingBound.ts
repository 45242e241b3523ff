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
  const bound = dual(leastCost(knowledge))
  bounds.set(knowledge, bound)
  return bound
}

/** The least cost after the first poll, at a price of a second of delay. */
const leastCost = (knowledge: Exclude<Knowledge, { readonly _tag: "None" }>): (price: number) => number => {
  switch (knowledge._tag) {
    case "Durations":
      return costByDurations(knowledge.cdf)
    case "Tasks":
      return costByTasks(knowledge)
    case "HaltingTasks":
      return costByHaltingTasks(knowledge)
  }
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

/** The numbers from `first` to about `last`, each larger by the factor `1 + step`. */
const geometric = (first: number, last: number, step: number): ReadonlyArray<number> =>
  Array.from(
    { length: Math.ceil(Math.log(last / first) / Math.log1p(step)) },
    (_, index) => first * (1 + step) ** index
  )

/**
 * The same tasks, but the shown number halts at any number with the same probability.
 *
 * Let `shown` be the number that the latest poll showed, and `base` the number shown before it. All that a schedule can know is these
 * two numbers and the times of three polls: the last one that showed `base`, the first one that showed `shown`, and the latest one. At
 * the first of the three exactly `base` tasks were done, because progress had not halted. Since then, either exactly `shown` tasks are
 * done, or at least `shown` were done by the second, and not all are done.
 *
 * Times are in units of the span plus the time of the first of the three polls, and so is the price of delay. With that the tables are
 * valid for each price, because the distribution of the speed is scale-free. They are computed from the last numbers of tasks to the first: after
 * a poll that shows `more` tasks, the entry for `shown` and `more` applies.
 */
const costByHaltingTasks = (
  { shape, span, tasks }: { readonly tasks: number; readonly shape: number; readonly span: number }
) => {
  // Half the steps of any of these change the bound by less than 1 %
  const priceStep = 0.8
  const firstPrice = Math.log(5)
  const prices = geometric(5, 3e7, Math.expm1(priceStep))
  const last = prices.length - 2
  const delays = geometric(1e-4, 8, 1 / 12)
  /** Each sixth of the delays. The time between two polls of which only the second one showed `shown` is one of these. */
  const everySixth = 6
  const gaps = delays.filter((delay, index) => index % everySixth === 0 && delay < 3)
  /** The times since `shown` was first shown, in units of the span plus the time of that poll. */
  const times: Array<number> = []
  for (let time = 0; time < 12; time += Math.max(0.01, time * 0.06)) times.push(time)

  /** The probabilities of 0, 1, ... more tasks in a time, from `done` tasks, while not all are done. */
  const chancesOfMore = (done: number, time: number): ReadonlyArray<number> => {
    const share = time / (1 + time)
    let chance = (1 + time) ** -(shape + done)
    return Array.from({ length: tasks - done }, (_, more) => {
      const here = chance
      chance *= (shape + done + more) / (more + 1) * share
      return here
    })
  }
  const chanceOfPending = (done: number, time: number): number =>
    chancesOfMore(done, time).reduce((sum, chance) => sum + chance)
  /** The same for each number of tasks, at each of the times and after each delay from there. */
  const pendingAt = Array.from({ length: tasks }, (_, done) => times.map((time) => chanceOfPending(done, time)))
  const pendingAfter = Array.from(
    { length: tasks },
    (_, done) =>
      times.map((time) => Float64Array.from(delays, (delay) => chanceOfPending(done, time + delay * (1 + time))))
  )
  const table = (length: number) =>
    Array.from({ length: tasks }, () => Array.from({ length: tasks }, () => new Float64Array(length)))

  /**
   * The weight of the runs for which a poll shows another number of tasks after a delay: each number at which progress may halt
   * counts as 1. Those that halt there may have finished more tasks; those that halt later have not.
   */
  const weights = table(delays.length)
  for (let shown = 0; shown < tasks; shown++) {
    delays.forEach((delay, index) => {
      const chances = chancesOfMore(shown, delay)
      let atLeast = 0
      for (let more = tasks - 1; more > shown; more--) {
        const exactly = chances[more - shown]!
        atLeast += exactly
        weights[shown]![more]![index] = atLeast + (tasks - 1 - more) * exactly
      }
    })
  }

  /** The logarithm of the least cost, at the poll that shows `shown` after `base`, by the gap between them and the price. */
  const entries = table(gaps.length * prices.length)

  /** The least costs at the poll that first showed `shown`, by price, where `base` tasks were done a `gap` earlier. */
  const leastCosts = (base: number, shown: number, gap: number): Float64Array => {
    const halts = tasks - 1 - shown
    const atEntry = chancesOfMore(base, gap)
    const exactly = atEntry[shown - base]!
    /** The weight of the pending runs whose progress halted at `shown`, of the probability for each number of tasks. */
    const halted = (pending: (done: number) => number): number => {
      let sum = 0
      for (let done = shown; done < tasks; done++) sum += atEntry[done - base]! * pending(done)
      return sum
    }
    const least = new Float64Array(times.length * prices.length)
    // A table for so few runs adds nothing. Each run costs at least one poll
    if (halts * exactly + halted(() => 1) < 1e-6) return least.fill(1)
    const late = new Float64Array(delays.length)
    const staying = new Float64Array(delays.length)
    const column = new Int32Array(delays.length)
    const beyond = new Float64Array(delays.length)
    for (let now = times.length - 1; now >= 0; now--) {
      const time = times[now]!
      const unit = (1 + gap) * (1 + time)
      const each = exactly * (1 + time) ** -(shape + shown)
      const pending = halted((done) => pendingAt[done]![now]!)
      const weight = halts * each + pending
      let before = 0
      let endedBefore = 0
      let sum = 0
      let next = now
      delays.forEach((delay, index) => {
        const then = time + delay * (1 + time)
        const pendingThen = halted((done) => pendingAfter[done]![now]![index]!)
        const ended = Math.max(0, pending - pendingThen) +
          halts * each * Math.max(0, 1 - pendingAfter[shown]![0]![index]!)
        sum += (delay - before) * unit * (ended + endedBefore) / 2
        before = delay
        endedBefore = ended
        late[index] = sum
        staying[index] = halts * exactly * (1 + then) ** -(shape + shown) + pendingThen
        while (next < times.length - 2 && times[next + 1]! <= then) next++
        column[index] = next
        beyond[index] = Math.min(1, (then - times[next]!) / (times[next + 1]! - times[next]!))
      })
      const shift = Math.log(unit) / priceStep
      prices.forEach((price, row) => {
        // The price in the unit of the poll at this time, where the next entry begins
        const entry = Math.min(last, row + Math.floor(shift))
        const part = row + shift - entry
        const shortest = 0.3 / Math.sqrt(price * unit * (shape + tasks))
        let best = Infinity
        for (let index = 0; index < delays.length; index++) {
          const delay = delays[index]!
          if (delay < shortest) continue
          let cost = weight + price * late[index]!
          if (cost >= best * weight) break
          const at = Math.min(gaps.length - 2, Math.floor(index / everySixth)) * prices.length + entry
          const gapPart = index / everySixth - Math.floor(at / prices.length)
          for (let more = shown + 1; more < tasks; more++) {
            const chance = each * weights[shown]![more]![index]!
            if (chance < 1e-8 * weight) break
            const costs = entries[shown]![more]!
            const low = costs[at]! + (costs[at + 1]! - costs[at]!) * part
            const high = costs[at + prices.length]! +
              (costs[at + prices.length + 1]! - costs[at + prices.length]!) * part
            cost += chance * Math.exp(low + (high - low) * gapPart)
          }
          const stays = staying[index]!
          // The probability of staying at this entry of the table
          let same = 0
          const then = column[index]! * prices.length + row
          if (now === times.length - 1) same = stays
          else {
            cost += stays * beyond[index]! * least[then + prices.length]!
            if (column[index] === now) same = stays * (1 - beyond[index]!)
            else cost += stays * (1 - beyond[index]!) * least[then]!
          }
          best = Math.min(best, cost / (weight - same))
        }
        least[now * prices.length + row] = best
      })
    }
    return least
  }
  for (let shown = tasks - 1; shown > 0; shown--) {
    for (let base = shown - 1; base >= 0; base--) {
      gaps.forEach((gap, index) => {
        const costs = leastCosts(base, shown, gap)
        for (let row = 0; row < prices.length; row++) {
          entries[base]![shown]![index * prices.length + row] = Math.log(costs[row]!)
        }
      })
    }
  }
  const costs = leastCosts(0, 0, 0).subarray(0, prices.length).map(Math.log)
  return (price: number): number => {
    const at = (Math.log(price * span) - firstPrice) / priceStep
    const row = Math.min(last, Math.max(0, Math.floor(at)))
    return Math.exp(costs[row]! + (costs[row + 1]! - costs[row]!) * (at - row))
  }
}
