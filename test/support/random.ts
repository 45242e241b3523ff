/** A seeded random generator: the same seed draws the same numbers on every machine. */

export interface Draw {
  /** From 0 up to 1. */
  readonly next: () => number
  readonly chance: (probability: number) => boolean
  /** A whole number, both ends included. */
  readonly int: (min: number, max: number) => number
  readonly pick: <A>(options: ReadonlyArray<A>) => A
  /** Picks by weight. */
  readonly weighted: <A>(options: ReadonlyArray<readonly [weight: number, value: A]>) => A
  /** Another source, whose draws do not depend on how many are drawn here. */
  readonly fork: (salt: number) => Draw
}

/** Mulberry32. */
export const make = (seed: number): Draw => {
  let state = mix(seed)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  return {
    next,
    chance: (probability) => next() < probability,
    int,
    pick: (options) => options[int(0, options.length - 1)]!,
    weighted: (options) => {
      let left = next() * options.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of options) {
        left -= weight
        if (left < 0) return value
      }
      return options.at(-1)![1]
    },
    fork: (salt) => make(seed ^ Math.imul(salt, 0x9e3779b1))
  }
}

/** Mixes the seed, so that neighbouring seeds begin with different numbers. */
const mix = (seed: number): number => {
  let h = seed | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
