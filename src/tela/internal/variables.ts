/** The variables of an execution as JSON writes them, checked for values that JSON would lose silently. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Binary from "../../internal/binary.ts"

/** Deeper data overflows the stack of some JSON parsers. */
const maxDepth = 500

/** JSON writes an object each time that it is referenced, so 25 nested arrays of two can make 33 million values. */
const maxValues = 5_000_000

/** A copy, the number of values it makes in JSON, and the number of levels below it. */
interface Copied {
  readonly value: unknown
  readonly values: number
  readonly height: number
}

const leaf = (value: unknown): Copied => ({ value, values: 1, height: 0 })

/**
 * Copies the variables as JSON would write them. Where `replace` returns an object for a value, the object takes the place of the
 * value; `path` returns the place as text, such as `invoices[2].scan`. Fails with the place where JSON would write `null`, `{}` or
 * nothing. The time is linear in the size of the variables, also where many places hold the same object.
 */
export const copy = (variables: unknown, replace: (value: unknown, path: () => string) => object | undefined) => {
  /** The keys that lead to the value being visited. A failure leaves them unchanged. */
  const keys: Array<string | number> = []
  let message: string | undefined
  const copies = new Map<object, Copied>()
  const above = new Set<object>()

  const path = () =>
    keys.reduce<string>(
      (path, key) => typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
      ""
    )

  const fail = (problem: string): never => {
    message = problem
    throw new Error(problem)
  }

  const visit = (given: unknown): Copied => {
    const value = Predicate.isObjectOrArray(given) ? fromToJson(given) : given
    const replaced = replace(value, path)
    if (replaced !== undefined) return leaf(replaced)
    switch (typeof value) {
      case "object":
        return value === null ? leaf(null) : visitContainer(value)
      case "number":
        return Number.isFinite(value)
          ? leaf(value)
          : fail(`is ${value}, which JSON writes as null. Give a finite number, or null.`)
      case "bigint":
        return fail(`is the bigint ${value}, which JSON cannot write. Give a number or text.`)
      case "function":
      case "symbol":
        return fail(`is a ${typeof value}, which JSON leaves out. Give its result, or leave it out.`)
      case "undefined":
        return typeof keys.at(-1) === "number"
          ? fail("is undefined, which JSON writes as null. Give null.")
          : leaf(undefined)
      default:
        return leaf(value)
    }
  }

  /** Returns the value that JSON writes for an object. */
  const fromToJson = (value: object): unknown => {
    // A recognised value, such as an Effect, may have a `toJSON` for logs, which is not its value
    if (replace(value, path) !== undefined || whatItIs(value) !== undefined) return value
    if (/^(?:Number|String|Boolean)$/.test(Binary.tagOf(value))) return value.valueOf()
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      return fail("is an invalid Date. Give a valid one, or text.")
    }
    const { toJSON } = value as { readonly toJSON?: unknown }
    return typeof toJSON === "function" ? toJSON.call(value, String(keys.at(-1) ?? "")) : value
  }

  const visitContainer = (value: object): Copied => {
    const depth = keys.length
    const known = copies.get(value)
    if (known !== undefined && depth + known.height <= maxDepth) return known
    if (above.has(value)) return fail("contains itself, which JSON cannot write. Give data without cycles.")
    if (depth >= maxDepth) return fail(`is more than ${maxDepth} levels deep. Give flatter data, or a file.`)
    const lost = whatJsonLoses(value)
    if (lost !== undefined) return fail(lost)
    above.add(value)
    const to = Array.isArray(value) ? [] : {}
    let values = 1
    let height = 0
    for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
      keys.push(key)
      const copied = visit(value[key as keyof typeof value])
      values += copied.values
      height = Math.max(height, copied.height + 1)
      if (values > maxValues) {
        fail(`makes the variables more than ${maxValues} values of JSON. Give less data, or a file.`)
      }
      // An assignment to "__proto__" would not make a property
      Object.defineProperty(to, key, { value: copied.value, enumerable: true, writable: true, configurable: true })
      keys.pop()
    }
    above.delete(value)
    const copied: Copied = { value: to, values, height }
    copies.set(value, copied)
    return copied
  }

  return Result.mapError(
    // `toJSON`, getters and proxies are code of the caller
    Result.try(() => visit(variables).value),
    (cause) => ({
      path: path(),
      message: message ??
        `could not be read (${cause instanceof Error ? cause.message : `it threw a value of type ${typeof cause}`}).`
    })
  )
}

/** Names an object that JSON cannot carry, and says what to do about it. */
const whatItIs = (value: object): string | undefined =>
  Binary.isBytes(value) || Binary.isBlob(value)
    ? "holds bytes as they are. Wrap them in Tela.file(...)."
    : Stream.isStream(value) || Binary.isReadable(value)
    ? "is a stream. Wrap it in Tela.file({ data: stream, size, filename })."
    : Redacted.isRedacted(value)
    ? "is a Redacted, which JSON writes as <redacted>. To send its value, pass Redacted.value(...)."
    : Effect.isEffect(value)
    ? "is an Effect, not its result. Run it first, with yield*."
    : Predicate.isPromiseLike(value)
    ? "is a Promise, not its result. Await it first."
    : undefined

/** Describes the parts of an object that JSON would lose. */
const whatJsonLoses = (value: object): string | undefined => {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null
  return whatItIs(value) ??
    (isPlain || Object.keys(value).length > 0
      ? undefined
      : `is a ${Binary.tagOf(value)}, which JSON writes as {}. Give plain data.`)
}
