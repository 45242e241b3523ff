/** The variables of an execution as JSON writes them, checked for what JSON would lose without a word. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Binary from "../../internal/binary.ts"

/** Deeper data overflows the stack of some JSON parsers. */
const maxDepth = 500

/** JSON writes an object as often as it is referred to, so that 25 arrays of two can make 33 million values. */
const maxValues = 5_000_000

/** What is wrong with a value, and where it stands, such as `invoices[2].scan`. */
interface Problem {
  readonly path: string
  readonly message: string
}

/** Where a value stands. It is put into words only when they are needed. */
interface Place {
  readonly above: Place | undefined
  readonly key: string | number
}

const wordsOf = (place: Place | undefined): string => {
  const keys: Array<string | number> = []
  for (let at = place; at !== undefined; at = at.above) keys.push(at.key)
  return keys.reduceRight<string>(
    (path, key) => typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
    ""
  )
}

/** A copy, with how many values it makes in JSON and how many levels are below it. */
interface Copied {
  readonly value: unknown
  readonly values: number
  readonly height: number
}

const leaf = (value: unknown): Copied => ({ value, values: 1, height: 0 })

/**
 * Copies the variables as JSON would write them. Where `replace` returns something for a value, that stands in its place; it is
 * given the words for the place where it finds the value. Fails where JSON would write `null`, `{}` or nothing. The time is
 * linear in the size of the variables, also where an object is referred to many times.
 */
export const copy = (
  variables: unknown,
  replace: (value: unknown, path: () => string) => object | undefined
): Result.Result<unknown, Problem> => {
  let current: Place | undefined
  let problem: Problem | undefined
  const copies = new Map<object, Copied>()
  const above = new Set<object>()

  const fail = (place: Place | undefined, message: string): never => {
    problem = { path: wordsOf(place), message }
    throw new Error(message)
  }

  const visit = (given: unknown, place: Place | undefined, depth: number): Copied => {
    current = place
    const value = Predicate.isObjectOrArray(given) ? fromToJson(given, place) : given
    const replaced = replace(value, () => wordsOf(place))
    if (replaced !== undefined) return leaf(replaced)
    switch (typeof value) {
      case "object":
        return value === null ? leaf(null) : visitContainer(value, place, depth)
      case "number":
        return Number.isFinite(value) ? leaf(value) : fail(place, `is ${value}, which JSON writes as null.`)
      case "bigint":
        return fail(place, `is the bigint ${value}, which JSON cannot write. Give a number or text.`)
      case "function":
      case "symbol":
        return fail(place, `is a ${typeof value}, which JSON leaves out.`)
      case "undefined":
        return typeof place?.key === "number"
          ? fail(place, "is undefined, which JSON writes as null.")
          : leaf(undefined)
      default:
        return leaf(value)
    }
  }

  /** What an object wants to be written as. */
  const fromToJson = (value: object, place: Place | undefined): unknown => {
    // Some of these have a `toJSON`, for logs
    if (replace(value, () => wordsOf(place)) !== undefined || whatItIs(value) !== undefined) return value
    if (/^(?:Number|String|Boolean)$/.test(Binary.tagOf(value))) return value.valueOf()
    if (value instanceof Date && Number.isNaN(value.getTime())) return fail(place, "is an invalid Date.")
    const { toJSON } = value as { readonly toJSON?: unknown }
    return typeof toJSON === "function" ? toJSON.call(value, String(place?.key ?? "")) : value
  }

  const visitContainer = (value: object, place: Place | undefined, depth: number): Copied => {
    const known = copies.get(value)
    if (known !== undefined && depth + known.height <= maxDepth) return known
    if (above.has(value)) return fail(place, "contains itself.")
    if (depth >= maxDepth) return fail(place, `is more than ${maxDepth} levels deep.`)
    const lost = whatJsonLoses(value)
    if (lost !== undefined) return fail(place, lost)
    above.add(value)
    const to = Array.isArray(value) ? [] : {}
    let values = 1
    let height = 0
    for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
      const at: Place = { above: place, key }
      const copied = visit(value[key as keyof typeof value], at, depth + 1)
      values += copied.values
      height = Math.max(height, copied.height + 1)
      if (values > maxValues) fail(at, `makes the variables more than ${maxValues} values of JSON.`)
      // An assignment to "__proto__" would not make a property
      Object.defineProperty(to, key, { value: copied.value, enumerable: true, writable: true, configurable: true })
    }
    above.delete(value)
    const copied: Copied = { value: to, values, height }
    copies.set(value, copied)
    return copied
  }

  return Result.mapError(
    // `toJSON`, getters and proxies are code of the caller
    Result.try(() => visit(variables, undefined, 0).value),
    (cause) =>
      problem ?? {
        path: wordsOf(current),
        message: `could not be read (${
          cause instanceof Error ? cause.message : `it threw a value of type ${typeof cause}`
        }).`
      }
  )
}

/** What an object is that JSON cannot carry, and what to do about it. */
const whatItIs = (value: object): string | undefined =>
  Binary.isBytes(value) || Binary.isBlob(value)
    ? "holds bytes as they are. Wrap them in Tela.file(...)."
    : Stream.isStream(value) || Binary.isReadable(value)
    ? "is a stream. Wrap it in Tela.file({ data: stream, size, filename })."
    : Redacted.isRedacted(value)
    ? "is a Redacted, which JSON writes as <redacted>. To send its value, pass Redacted.value(...)."
    : Effect.isEffect(value)
    ? "is an Effect, not its result. Run it first, with yield*."
    : undefined

/** What JSON would lose of an object. */
const whatJsonLoses = (value: object): string | undefined => {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null
  return whatItIs(value) ??
    (isPlain || Object.keys(value).length > 0 ? undefined : `is a ${Binary.tagOf(value)}, which JSON writes as {}.`)
}
