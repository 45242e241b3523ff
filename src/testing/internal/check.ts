/**
 * Checks the values that a test gives to the test kit. A meaningless script would make a test pass, or wait until its timeout.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { quote } from "../../internal/describe.ts"
import { durationOf, need, readOrThrow } from "../../internal/options.ts"

const refuse = (what: string, value: unknown, expected: string): never => {
  throw new RangeError(`${what} is ${quote(value)}; it must be ${expected}.`)
}

/** A whole number, 0 or more. */
export const count = (what: string, value: number): number =>
  Number.isSafeInteger(value) && value >= 0 ? value : refuse(what, value, "a whole number, 0 or more")

/** A whole number, 0 or more, or `Infinity`. */
export const countOrAll = (what: string, value: number): number =>
  value === Infinity || Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(what, value, "a whole number, 0 or more, or Infinity")

/** The port of a server. */
export const port = (value: number): number =>
  Number.isSafeInteger(value) && value >= 0 && value <= 65_535
    ? value
    : refuse("port", value, "a whole number from 0 to 65535")

/** The seed for random values. */
export const seed = (value: number): number =>
  Number.isSafeInteger(value) ? value : refuse("the seed", value, "a whole number")

/** An HTTP status that a response can have. */
export const status = (what: string, value: number): number =>
  Number.isInteger(value) && value >= 200 && value <= 599
    ? value
    : refuse(what, value, "a whole number from 200 to 599")

/** A duration that is not negative, in milliseconds. */
export const millis = (what: string, input: Duration.Input): number => {
  const millis = Option.match(durationOf(input), { onNone: () => NaN, onSome: Duration.toMillis })
  return millis >= 0 ? millis : refuse(what, input, "a duration, 0 or longer. Write \"5 seconds\", or milliseconds")
}

/** One of some texts. */
export const oneOf = <A extends string>(what: string, value: A, known: ReadonlyArray<A>): A =>
  known.includes(value) ? value : refuse(what, value, `one of: ${known.join(", ")}`)

/** Options with no other names. The compiler reports an unknown name only in a literal. */
export const options = <O extends object>(given: O | undefined, known: Readonly<Record<keyof O, true>>): O =>
  readOrThrow(given, Object.keys(known)) as O

/** The names that a server's options have beside those of its emulators. */
export const serverOptions = { port: true, host: true, cors: true, allowedHosts: true } as const

/** A number above 0. */
export const positive = (what: string, value: number): number =>
  typeof value === "number" && value > 0 ? value : refuse(what, value, "a number above 0")

/** A value of a kind. */
export const kind = <A>(what: string, value: A, isKind: (value: unknown) => boolean, expected: string): A => {
  need(what, value, isKind, expected)
  return value
}

/** A fault of `Fault.ts`. */
export const fault = <A>(value: A): A => kind("fault", value, isFault, "a fault, such as Fault.status(500)")

const isFault = (value: unknown): boolean =>
  Predicate.hasProperty(value, "action") && Predicate.hasProperty(value, "skip")

/** An array of texts. */
export const texts = (what: string, value: ReadonlyArray<string>): ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)
    ? value
    : refuse(what, value, "an array in which each item is text")
