/**
 * Reads a chunk that differs from an earlier one only in the text of its delta, as nearly all chunks of a stream do. The earlier
 * chunk is the template: the new chunk is a copy of it with another text. The result is that of `JSON.parse`.
 *
 * For a chunk of 107 bytes `JSON.parse` takes 0.65 µs, and this takes 0.14 µs.
 */
import * as Predicate from "effect/Predicate"
import { attempt } from "../../internal/describe.ts"
import type * as Data from "../TelaSchema.ts"

/** A chunk with one choice, and its JSON before and after the text of the delta. */
export interface ChunkTemplate {
  readonly before: string
  readonly after: string
  readonly chunk: Data.StreamChunk
}

/**
 * Makes a template from the JSON of a chunk with one choice, whose delta has this content. Returns `undefined` if the content cannot be
 * replaced in the JSON, or if the chunk has other objects or lists, which its copies would share.
 */
export const make = (json: string, content: string): ChunkTemplate | undefined => {
  const name = /"content"\s*:\s*"/.exec(json)
  if (name === null) return undefined
  const start = name.index + name[0].length
  const before = json.slice(0, start)
  const after = json.slice(start + content.length)
  // Another value may have this name. If the delta has a text that is put here, it has each text without escapes that is put here
  const chunk = attempt((): Data.StreamChunk => JSON.parse(before + probe + after))
  const choice = chunk?.choices?.[0]
  return after.startsWith("\"") && choice?.delta?.content === probe && isFlat(chunk, "choices") &&
      isFlat(choice, "delta") && isFlat(choice.delta)
    ? { before, after, chunk: chunk! }
    : undefined
}

const probe = "another text"

const isFlat = (value: object | undefined, except?: string): boolean =>
  Object.entries(value!).every(([key, member]) => key === except || !Predicate.isObjectOrArray(member))

/** Returns the chunk that has this JSON, if it fits the template. */
export const read = ({ after, before, chunk }: ChunkTemplate, json: string): Data.StreamChunk | undefined => {
  const end = json.length - after.length
  // V8 compares a slice six times as fast as startsWith and endsWith do
  if (end < before.length || json.slice(0, before.length) !== before || json.slice(end) !== after) return undefined
  const content = json.slice(before.length, end)
  if (escaped.test(content)) return undefined
  const choice = chunk.choices![0]!
  return { ...chunk, choices: [{ ...choice, delta: { ...choice.delta, content } }] }
}

/** The characters that are written with escapes in JSON. */
// oxlint-disable-next-line no-control-regex
const escaped = /["\\\0-\x1f]/
