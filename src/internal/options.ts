/**
 * Checks the names in an object of options. TypeScript reports a misspelled option only in a literal, and JavaScript never: such an
 * option would be ignored, and its default applied without a word.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type BadRequestError, refused } from "../RunError.ts"
import { quote } from "./describe.ts"

/** What is wrong with an object of options, or `undefined`. */
export interface Fault {
  /** The option at fault. */
  readonly option: string
  readonly message: string
}

/** Finds the first option that is not in `known`. An option that is `undefined` counts as left out. */
export const faultOf = (what: string, options: unknown, known: ReadonlyArray<string>): Fault | undefined => {
  if (options === undefined) return undefined
  if (!Predicate.isObject(options) || Array.isArray(options)) {
    return {
      option: what,
      message: `${what} must be an object, and is ${quote(options)}.`
    }
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name) || (options as Record<string, unknown>)[name] === undefined) continue
    const near = nearest(name, known)
    return {
      option: name,
      message: `${JSON.stringify(name.slice(0, maxName))} is not an option${
        near === undefined ? `; the options are: ${known.join(", ")}.` : `. Did you mean ${near}?`
      }`
    }
  }
  return undefined
}

/** Fails where a value is not of its kind. `undefined` counts as left out. */
export const checkKind = (
  operation: string,
  parameter: string,
  value: unknown,
  isKind: (value: unknown) => boolean,
  expected: string
): Effect.Effect<void, BadRequestError> =>
  value === undefined || isKind(value)
    ? Effect.void
    : Effect.fail(
      refused({ operation, parameter, message: `${parameter} is ${quote(value)}; it must be ${expected}.` })
    )

/** Fails where `onCreated` is no function: after the create it would be too late. */
export const checkOnCreated = (operation: string, onCreated: unknown): Effect.Effect<void, BadRequestError> =>
  checkKind(operation, "onCreated", onCreated, Predicate.isFunction, "a function that returns an Effect")

/** Fails where the options have a name that `operation` does not know. */
export const check = (
  operation: string,
  what: string,
  options: unknown,
  known: ReadonlyArray<string>
): Effect.Effect<void, BadRequestError> => {
  const fault = faultOf(what, options, known)
  return fault === undefined
    ? Effect.void
    : Effect.fail(refused({ operation, parameter: fault.option, message: fault.message }))
}

/** No option has a longer name. */
const maxName = 64

/** The known name that a caller most likely meant: other SDKs write `timeoutMs`, `baseURL`, `asynch`, `webhook`. */
const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const plain = normalize(name)
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const other = normalize(candidate)
    const isPart = plain.length > 3 && (other.startsWith(plain) || plain.startsWith(other))
    const distance = isPart ? 1 : editDistance(plain, other)
    if (distance <= Math.max(2, other.length / 3) && distance < Math.min(other.length, best?.distance ?? Infinity)) {
      best = { name: candidate, distance }
    }
  }
  return best?.name
}

const normalize = (name: string): string =>
  name.slice(0, maxName).toLowerCase().replaceAll(/[^a-z]/g, "").replace(/(?:ms|millis|milliseconds|seconds)$/, "")

/** How many letters must be added, removed or replaced to turn one name into the other. */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
