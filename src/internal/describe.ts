/** Text for messages, from values of the caller and of servers. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** The length of the longest text that is quoted from a value. */
const maxLength = 300

/**
 * The message of a value that the caller's code threw or failed with. It never throws: such a value may have getters that
 * throw, no prototype, or a cycle.
 */
export const messageOf = (thrown: unknown): string =>
  (attempt(() => {
    const message = Predicate.hasProperty(thrown, "message") ? thrown.message : thrown
    return typeof message === "string" ? message : JSON.stringify(message) ?? String(message)
  }) ?? "a value that has no text").slice(0, maxLength)

/** The result of reading a value of the caller, or `undefined` if that throws. */
export const attempt = <A>(read: () => A): A | undefined => Option.getOrUndefined(Option.liftThrowable(read)())

/** The message of an error of a storage: that of the driver, in place of the "Query failed" of Effect's client of PostgreSQL. */
export const messageOfStorage = (error: unknown): string => {
  const cause = memberOf(memberOf(error, "reason"), "cause")
  return messageOf(memberOf(cause, "message") ? cause : error)
}

/** A member of a value. `undefined` if there is none, or if it throws. */
export const memberOf = (value: unknown, key: string): unknown =>
  attempt(() => Predicate.hasProperty(value, key) ? value[key] : undefined)

/**
 * The beginning of a text that is too long for a message. The end is not quoted: it could be a part of a secret, which redaction
 * would not recognise.
 */
export const shorten = (text: string, length = maxLength): string =>
  text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`

/** A text on one line. */
export const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** Parses a text, if it is JSON. */
export const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** The reasons of a failure as text for a message: the first ones, and how many there are. */
export const reasons = (errors: ReadonlyArray<string>): string =>
  `${errors.slice(0, maxReasons).map((error) => shorten(typeof error === "string" ? error : quote(error))).join("; ")}${
    errors.length > maxReasons ? `; and ${errors.length - maxReasons} more, in this error's errors` : ""
  }`

const maxReasons = 5

/** A value as text for a message. It never throws, and does not read the members of an object: that could throw, or not end. */
export const quote = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.slice(0, maxLength))
    case "bigint":
      return `${value}n`
    case "function":
      return "a function"
    case "object":
      return value === null ? "null" : attempt(() => kindOf(value)) ?? "an object"
    default:
      return String(value)
  }
}

const kindOf = (value: object): string =>
  Array.isArray(value)
    ? "an array"
    : Effect.isEffect(value)
    ? "an Effect that has not run"
    : Predicate.isPromiseLike(value)
    ? "a Promise that has not been awaited"
    : "an object"

/** A link as text for a message: its beginning, without user, query and fragment, which may hold secrets. */
export const quoteLink = (value: unknown): string => {
  if (typeof value !== "string") return quote(value)
  const address = value.replace(/^(\s*[^\s/?#]*:?\/\/)[^/?#]*@/, "$1<redacted>@").replace(/[?#].*$/s, "?<redacted>")
  return quote(address.slice(0, maxLink))
}

/** The longest part of a link that is quoted: a `data:` link holds a whole file. */
const maxLink = 100
