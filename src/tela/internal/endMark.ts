/**
 * How an answer says that it has ended, and whether it ended well. Streams and synchronous answers follow the same rules.
 *
 * | `finish_reason` | the rest of the answer is complete | the rest is not complete |
 * | --- | --- | --- |
 * | `stop`, `length`, `content_filter`, `tool_calls`, `function_call` | success | success |
 * | `error`, `failed`, `cancelled` | failure | failure |
 * | any other text | success | no end |
 * | empty, `null` or absent | success | no end |
 *
 * `finishReason` is read like `finish_reason`. A stream is complete once `[DONE]` has arrived. A synchronous answer is complete
 * because it is one JSON document. An error in the answer, `success: false`, or a `status` that is a failure, is a failure with
 * any `finish_reason`.
 */
import * as Predicate from "effect/Predicate"

/** The meanings of a `finish_reason`. The same words are used as names of events and as statuses. */
export type Reason = "end" | "failure" | "other" | "none"

const ends: ReadonlySet<string> = new Set(["stop", "length", "content_filter", "tool_calls", "function_call"])
const failures: ReadonlySet<string> = new Set(["error", "failed", "cancelled", "canceled"])

/** Classifies a `finish_reason`, in any case. */
export const reasonOf = (reason: unknown): Reason => {
  const word = typeof reason === "string" ? reason.trim().toLowerCase() : ""
  return word === "" ? "none" : ends.has(word) ? "end" : failures.has(word) ? "failure" : "other"
}

/** Whether the answer succeeded, failed, or has not ended, by the table above. */
export const outcomeOf = (reason: unknown, isComplete: boolean): "success" | "failure" | "open" => {
  const said = reasonOf(reason)
  return said === "failure" ? "failure" : said === "end" || isComplete ? "success" : "open"
}

/** Whether a choice is the answer. If a canvas requests several choices, the others have another index. */
export const isAnswer = ({ index }: { readonly index?: unknown }): boolean => typeof index !== "number" || index === 0

/**
 * Returns the provider's error texts if the JSON of an answer or of a chunk reports an error, and `undefined` if it does not. An
 * error without a text gives an empty list.
 */
export const errorIn = (json: unknown): ReadonlyArray<string> | undefined => {
  if (!Predicate.isObject(json)) return undefined
  const { choices, code, error, errors, object, status, statusCode, success, type } = json
  const reported = isError(error)
    ? error
    : isError(errors) && !isEmptyObject(errors)
    ? errors
    : object === "error" || type === "error" ||
        reasonOf(status) === "failure" || isErrorStatus(status) ||
        !Array.isArray(choices) && [statusCode, code].some(isErrorStatus)
    ? json
    : success === false
    ? { ...json, status: undefined }
    : undefined
  if (reported === undefined) return undefined
  const words = wordsOf(reported)
  return words.length > 0 || reported === json ? words : wordsOf({ message: json["message"], detail: json["detail"] })
}

/** `false`, `0`, `""` and a list of these mean no error. `{}` is the JSON of an `Error` object. */
const isError = (value: unknown): boolean => Array.isArray(value) ? value.some(isErrorItem) : isErrorItem(value)

// A list in a list is not read, because a server may nest lists without end
const isErrorItem = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : typeof value === "string"
    ? value.trim() !== ""
    : Predicate.isNotNullish(value) && value !== false && value !== 0

const isEmptyObject = (value: unknown): boolean => Predicate.isObject(value) && Object.keys(value).length === 0

const isErrorStatus = (value: unknown): boolean =>
  (typeof value === "number" || typeof value === "string") && /^[45]\d\d$/.test(`${value}`)

/** The fields that may hold the text of an error, the best one first. */
const places = ["message", "error", "errors", "detail", "description", "reason", "type", "code", "status"]

const maxWords = 20

const wordsOf = (value: unknown, depth = 0): ReadonlyArray<string> => {
  if (typeof value === "string") return value.trim() === "" ? [] : [value]
  if (typeof value === "number") return [String(value)]
  if (depth > 3) return []
  if (Array.isArray(value)) return value.slice(0, maxWords).flatMap((item) => wordsOf(item, depth + 1))
  if (!Predicate.isObject(value)) return []
  for (const place of places) {
    const words = wordsOf(value[place], depth + 1)
    if (words.length > 0) return words
  }
  return []
}
