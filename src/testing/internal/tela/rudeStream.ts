/** Changes the events of a polite server into those of a rude one. All functions are pure. */
import * as Predicate from "effect/Predicate"
import type { Has } from "../rude/json.ts"

/** The text of one event, with its fields in any allowed form. */
export const event = (has: Has, newline: string, data: string, name: string | undefined): string => {
  const colon = has("eventFields") ? ":" : ": "
  return [
    ...(has("eventFields") ? ["id:7", "retry:10", `event:${name ?? "message"}`] : name === undefined ? [] : [
      `event: ${name}`
    ]),
    ...data.split("\n").map((line) => `data${colon}${line}`),
    "",
    ""
  ].join(newline)
}

/** The JSON of an event, in one line or in several. */
export const stringify = (has: Has, value: unknown): string =>
  has("splitData") ? JSON.stringify(value, null, 1) : JSON.stringify(value)

export interface Chunk {
  readonly choices: ReadonlyArray<
    { readonly delta: { readonly content: string | null }; readonly finish_reason: string | null }
  >
  readonly message: { readonly structured_content: unknown }
}

/** The chunks that are sent instead of one chunk. */
export const chunks = (has: Has, chunk: Chunk): ReadonlyArray<unknown> => {
  const [choice] = chunk.choices
  const isLast = choice?.finish_reason != null
  const finish = has("emptyFinishReason") && !isLast ? { finish_reason: "" } : {}
  const own = has("sparseChunks") && choice !== undefined
    ? {
      choices: [{
        delta: { content: choice.delta.content },
        ...(isLast ? { finish_reason: choice.finish_reason } : finish)
      }],
      // No other chunk has the structured output
      ...(Predicate.isNotNullish(chunk.message.structured_content)
        ? { message: { structured_content: chunk.message.structured_content } }
        : {})
    }
    : { ...chunk, choices: chunk.choices.map((choice) => ({ ...choice, ...finish })) }
  return [
    ...(has("emptyChoices") && !isLast ? [{ choices: [], prompt_filter_results: [] }] : []),
    own,
    ...(has("severalChoices")
      ? [{ choices: [{ index: 1, delta: { content: "another " }, finish_reason: isLast ? "length" : null }] }]
      : []),
    ...(has("emptyFinishReason") && isLast
      ? [{ choices: [{ index: 0, delta: { content: "" }, finish_reason: "" }] }]
      : []),
    ...(has("emptyChoices") && isLast ? [{ choices: [], usage: { total_tokens: 7 } }, { usage: null }] : [])
  ]
}

/** The text before each event. */
export const keepAlive = (has: Has, newline: string): string =>
  has("keepAlives")
    ? [": keep-alive", "data:", "data: ping", "data: null", "data: 1764000000", ":"].join(newline + newline) +
      newline + newline
    : ""
