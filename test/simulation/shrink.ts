/** Finds a small cause of a failure, by trying values that are one step simpler until none of them fails. */
import { isDeepStrictEqual } from "node:util"

/**
 * A value that fails like the given one, although none of the values that are one step simpler does. If there are more than `tries` of
 * them on the way, it is the simplest value so far.
 */
export const shrink = async <A>(value: A, options: {
  /** The values that are one step simpler, those with the largest steps first. */
  readonly simpler: (value: A) => Iterable<A>
  readonly fails: (value: A) => boolean | Promise<boolean>
  readonly tries: number
}): Promise<A> => {
  let tries = 0
  let current = value
  /** Passes over the simpler values. The steps before the last one that failed are not tried again before the next pass. */
  const pass = async (from: number): Promise<void> => {
    let step = 0
    for (const candidate of options.simpler(current)) {
      if (step++ < from) continue
      if (tries++ >= options.tries) return
      if (await options.fails(candidate)) {
        current = candidate
        return await pass(step - 1)
      }
    }
  }
  for (let before: A | undefined; before !== current && tries < options.tries;) {
    before = current
    await pass(0)
  }
  return current
}

/** The list without all of its elements, without each half, without each quarter, and so on down to single elements. */
export const without = function*<A>(list: ReadonlyArray<A>): Generator<ReadonlyArray<A>> {
  for (let size = list.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < list.length; from += size) yield [...list.slice(0, from), ...list.slice(from + size)]
  }
}

/** The object with each of the changes that make a difference. */
export const changed = <A extends object>(value: A, changes: ReadonlyArray<Partial<A>>): ReadonlyArray<A> =>
  changes.map((change) => ({ ...value, ...change })).filter((candidate) => !isDeepStrictEqual(candidate, value))
