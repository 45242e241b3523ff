import * as Random from "./random.ts"

/** `count` of the elements, in the order in which the seed draws them. */
export const kept = <A>(all: ReadonlyArray<A>, count: number, seed: string): ReadonlyArray<A> => {
  const draw = Random.make(Number(seed))
  const left = [...all]
  return Array.from(
    { length: Math.min(count, all.length) },
    () => left.splice(draw.int(0, left.length - 1), 1)[0]!
  )
}
