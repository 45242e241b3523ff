/** Words for values of the caller. */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** The longest text that is quoted from a value. */
const maxLength = 300

/**
 * The message of a value that the caller's code threw or failed with. It never throws: such a value may have getters that
 * throw, no prototype, or a cycle.
 */
export const messageOf = (thrown: unknown): string =>
  Option.getOrElse(read(thrown), () => "a value that has no text").slice(0, maxLength)

const read = Option.liftThrowable((thrown: unknown): string => {
  const message = Predicate.hasProperty(thrown, "message") ? thrown.message : thrown
  return typeof message === "string" ? message : JSON.stringify(message) ?? String(message)
})
