/** JSON as rude servers send it: pure functions of a body. */
import * as Predicate from "effect/Predicate"
import type * as Rude from "../../Rude.ts"

/** Whether a rudeness is selected. */
export type Has = (name: Rude.Name) => boolean

/** The members of a provider's JSON that must stay unchanged. */
export interface Members {
  /** Members that a client needs in order to act. */
  readonly essential: ReadonlySet<string>
  /** Members that belong to the user. Their values stay unchanged. */
  readonly opaque: ReadonlySet<string>
}

const shapes = ["missingFields", "nullFields", "textNumbers", "numericTexts", "oddLists"] as const

type Shape = typeof shapes[number]

/**
 * The selected way in which side members are odd. If several are selected, `key` decides, so that a run looks the same in each
 * response.
 */
export const shapeOf = (has: Has, key: string): Shape | undefined => {
  const selected = shapes.filter(has)
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash, 31) + key.charCodeAt(index) | 0
  return selected[Math.abs(hash) % selected.length]
}

/** The value with all its side members odd, and unknown members added. */
export const reshape = (
  value: unknown,
  members: Members,
  shape: Shape | undefined,
  unknownFields: boolean
): unknown => {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (!Predicate.isObject(value)) return value
    const entries = Object.entries(value).flatMap(([name, member]): ReadonlyArray<readonly [string, unknown]> => {
      if (members.opaque.has(name)) return [[name, member]]
      if (members.essential.has(name)) return [[name, walk(member)]]
      return shape === undefined ? [[name, walk(member)]] : odd(name, member, shape, walk)
    })
    return Object.fromEntries(unknownFields ? [["x_new", { nested: [1, null] }], ...entries, ["zNew", "new"]] : entries)
  }
  return walk(value)
}

const odd = (
  name: string,
  value: unknown,
  shape: Shape,
  walk: (value: unknown) => unknown
): ReadonlyArray<readonly [string, unknown]> => {
  switch (shape) {
    case "missingFields":
      return []
    case "nullFields":
      return [[name, null]]
    case "textNumbers":
      return [[name, Predicate.isNumber(value) ? String(value) : walk(value)]]
    case "numericTexts":
      return [[name, Predicate.isString(value) ? 5 : walk(value)]]
    case "oddLists":
      return [[name, Array.isArray(value) ? [null, ...value.map(walk)] : Predicate.isObject(value) ? [] : value]]
  }
}
