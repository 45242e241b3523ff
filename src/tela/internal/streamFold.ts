/**
 * The state of a streamed execution, folded from its events one by one. This module is pure: it neither reads, waits nor uses a
 * clock.
 *
 * **Details**
 *
 * - A chunk is an event without a name whose data is a JSON object. An event with a name is a chunk if its data has choices, or
 *   if an event of that name had some before; otherwise it belongs to the caller.
 * - Data without a name that is empty, a JSON scalar, or text that begins with neither `{` nor `[` is skipped and counted. Text
 *   that is neither a time nor a word for "alive" may be an error of a proxy. If it is the last event before `[DONE]`, the stream
 *   has not ended well. The same holds for a chunk of an unknown form.
 * - Several JSON documents in one event, one per line, are as many chunks.
 * - The first `id` names the completion. A chunk with another id belongs to another completion, and is not read. If the first
 *   three ids differ, the server gives each chunk an id, and none names the completion. Until the third id arrives, the chunk with
 *   the second id is held back.
 * - The choice with the index 0, or without an index, is the answer. Others are not read.
 * - Only `[DONE]` and the rules of `endMark` end a stream.
 */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { Received } from "../../RunError.ts"
import * as Data from "../TelaSchema.ts"
import type { StreamPart } from "../TelaStream.ts"
import * as ChunkTemplate from "./chunkTemplate.ts"
import { errorIn, isAnswer, outcomeOf, reasonOf } from "./endMark.ts"
import { isDoneMark } from "./sse.ts"

/** Returns the state of a stream before its first event. */
export const initial = (requestId: string | undefined) => ({
  /** The provider's id of the request, which each part has. */
  requestId,
  message: "",
  /** The last structured output that is not empty. */
  structured: undefined as unknown,
  /** Whether the messages since then have no structured output. A message has none while its text is not complete JSON. */
  isStructuredStale: false,
  /** The length of the message when the last structured output arrived. */
  structuredAt: 0,
  chunks: 0,
  /** The first chunk, if there was no other. */
  onlyChunk: undefined as unknown,
  /** The number of events without content, such as keep-alives. */
  skipped: 0,
  /** The first id of a chunk that says something. */
  completionId: undefined as string | undefined,
  /** Whether the ids of chunks name completions or chunks, once that is certain. */
  idsName: undefined as "completion" | "chunk" | undefined,
  /** The first chunk whose id differs, kept until it is certain what the ids name. */
  held: undefined as { readonly id: string; readonly raw: unknown; readonly text: string } | undefined,
  /** The last `finish_reason` that is not empty. One that ends the stream is not replaced by one that does not. */
  finishReason: undefined as string | undefined,
  /** The last chunk and its text, if it could not be read, or the last text that is not a keep-alive. */
  unknown: undefined as { readonly raw: unknown; readonly text: string; readonly why: string } | undefined,
  /** Events of an unknown form before the first text. They may contain output that this client cannot read. */
  unread: [] as Array<unknown>,
  /** The number of characters of those events, which may be more than is kept. */
  unreadLength: 0,
  /** The name of the last event that had choices. Other events of that name are chunks too. */
  chunkName: undefined as string | undefined,
  /** Reads chunks that are like the last one that was parsed. */
  template: undefined as ChunkTemplate.ChunkTemplate | undefined,
  /** The number of chunks in a row that did not fit the template. */
  misfits: 0,
  /** Whether the stream has ended, so that its last event may be cut. */
  isCutOff: false
})

/** The state so far. `step` changes it. */
export interface Said extends ReturnType<typeof initial> {}

/** The meaning of one event. */
export type Step =
  | Extract<StreamPart<never>, { readonly _tag: "delta" | "event" }>
  /** A keep-alive, or the beginning of an event that was cut off. */
  | { readonly _tag: "skipped" }
  /** The lines of the event are events themselves, of the same name. */
  | { readonly _tag: "lines"; readonly lines: ReadonlyArray<string> }
  /** `[DONE]`. */
  | { readonly _tag: "done" }
  /** The provider reports a failure, with these words. */
  | { readonly _tag: "failed"; readonly words: ReadonlyArray<string>; readonly error: unknown; readonly text: string }
  /** The event is not JSON, or not a chunk. */
  | { readonly _tag: "unreadable"; readonly why: string; readonly data: unknown; readonly text: string }

const skipped: Step = { _tag: "skipped" }
const done: Step = { _tag: "done" }

/** Reads one event. */
export const step = (said: Said, event: string, data: string): Step => {
  const isNamed = event !== "message"
  // Nearly every event is a JSON object without a name
  if (!isNamed && data.charCodeAt(0) === 123 /* { */) {
    const chunk = said.template && ChunkTemplate.read(said.template, data)
    if (chunk === undefined) return readChunk(said, parseJson(data), data)
    said.misfits = 0
    return addChunk(said, chunk, chunk, data)
  }
  if (isNamed && reasonOf(event) === "failure") {
    const raw = parseJson(data)
    const error = raw === notJson ? data : raw
    return { _tag: "failed", words: errorIn(error) ?? errorIn({ error }) ?? [], error, text: data }
  }
  const text = data.trim()
  if (isDoneMark(text)) return done
  const raw = /^[{[]/.test(text) ? parseJson(text) : undefined
  if (isNamed && (raw === notJson ? linesOf(text)?.map(parseJson) ?? [] : [raw]).some(hasChoices)) {
    said.chunkName = event
  }
  if (isNamed && event !== said.chunkName) {
    const json = parseJson(text)
    if (json === notJson && said.isCutOff) return skipped
    const data = json === notJson ? text : json
    if (text !== "") keep(said, { event, data }, text.length)
    return { _tag: "event", event, data, requestId: said.requestId }
  }
  if (raw !== undefined) return readChunk(said, raw, text)
  said.skipped++
  if (!isKeepAlive(text)) {
    said.unknown = { raw: text, text, why: "has an unknown form" }
    keep(said, text, text.length)
  }
  return skipped
}

/** An empty text, a JSON scalar, a number, a time, or a word for "alive". Any other text may be an error of a proxy. */
const isKeepAlive = (text: string): boolean =>
  /^"?[\d\s.:,/+TZ-]*"?$/.test(text) ||
  /^"?:?\s*(null|true|false|ping|pong|heart[-_ ]?beat|keep[-_ ]?alive|alive|no-?op|ok|open|connected|processing|waiting)\W*$/i
    .test(text)

/** The lines of data that is not one JSON document, if each line except empty ones is a JSON object or `[DONE]`. */
const linesOf = (text: string): ReadonlyArray<string> | undefined => {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  return lines.length > 1 && lines.every((line) => isDoneMark(line) || Predicate.isObject(parseJson(line)))
    ? lines
    : undefined
}

const hasChoices = (raw: unknown): boolean =>
  Predicate.isObject(raw) && Array.isArray(raw["choices"]) && raw["choices"].length > 0

const readChunk = (said: Said, raw: unknown, text: string): Step => {
  if (raw === notJson) {
    const lines = linesOf(text)
    if (lines !== undefined) return { _tag: "lines", lines }
    return said.isCutOff ? skipped : { _tag: "unreadable", why: "is not JSON", data: text, text }
  }
  if (isCommonChunk(raw)) {
    const content = raw.choices![0]!.delta!.content
    if (content != null && said.misfits++ < maxMisfits) {
      said.template = ChunkTemplate.make(text, content) ?? said.template
    }
    return addChunk(said, raw, raw, text)
  }
  const words = errorIn(raw)
  if (words !== undefined) return { _tag: "failed", words, error: raw, text }
  const chunk = Option.getOrUndefined(decodeChunk(raw))
  return chunk === undefined
    ? { _tag: "unreadable", why: "has an unknown form", data: raw, text }
    : addChunk(said, chunk, raw, text)
}

/** After this number of chunks in a row that did not fit, no more templates are made: each chunk differs from the others in more than its text. */
const maxMisfits = 16

/** Adds a chunk to the state. */
const addChunk = (said: Said, chunk: Data.StreamChunk, raw: unknown, text: string): Step => {
  const choice = chunk.choices?.find(isAnswer)
  if (choice !== undefined || chunk.message != null) {
    const owner = ownerOf(said, chunk.id, raw, text)
    if (owner !== "this") return owner
  }
  const given = choice?.finish_reason ?? choice?.finishReason
  const reason = reasonOf(given)
  const words = choice?.error == null ? undefined : errorIn({ error: choice.error })
  if (words !== undefined || reason === "failure") return { _tag: "failed", words: words ?? [], error: raw, text }

  const content = choice?.delta?.content || textIn(choice?.delta) || textIn(choice)
  const finishReason = reason === "none" ? undefined : given!
  const whole = chunk.message ?? (choice?.message == null ? undefined : wholeOf(choice.message.content))
  said.chunks++
  said.onlyChunk = said.chunks === 1 ? raw : undefined
  // A message without text leaves the text so far unchanged
  said.message = whole?.content || said.message + content
  addStructured(said, whole)
  if (reason === "end" || finishReason !== undefined && reasonOf(said.finishReason) !== "end") {
    said.finishReason = finishReason
  }
  const isKnown = whole != null || Array.isArray(chunk.choices)
  said.unknown = isKnown ? undefined : { raw, text, why: "has an unknown form" }
  if (!isKnown || whole == null && choice?.delta == null && typeof choice?.text !== "string" && hasChoices(chunk)) {
    keep(said, raw, text.length)
  }
  return {
    _tag: "delta",
    content,
    message: said.message,
    structured: said.structured,
    finishReason,
    requestId: said.requestId,
    raw
  }
}

/** Adds the structured output of a message. An empty one means that there is none. */
const addStructured = (said: Said, whole: Data.StreamChunk["message"]): void => {
  if (isStructured(whole?.structured_content)) {
    said.structured = whole!.structured_content
    said.isStructuredStale = false
    said.structuredAt = said.message.length
  } else if (whole?.structured_content !== undefined && reasonOf(said.finishReason) !== "end") {
    said.isStructuredStale = true
  }
}

/** Returns "this" if a chunk belongs to the completion that is read, and another instruction if it does not. */
const ownerOf = (said: Said, id: string | null | undefined, raw: unknown, text: string): "this" | Step => {
  if (said.idsName === "chunk") return "this"
  const { completionId, held } = said
  if (completionId === undefined) {
    said.completionId = id || undefined
    return "this"
  }
  const isOther = id != null && id !== "" && id !== completionId
  if (said.idsName === undefined && isOther && id !== held?.id) {
    if (held !== undefined) {
      said.idsName = "chunk"
      said.skipped--
      return { _tag: "lines", lines: [held.text, text] }
    }
    said.held = { id, raw, text }
  } else {
    if (said.idsName === undefined && held !== undefined) keep(said, held.raw, held.text.length)
    said.idsName = "completion"
    if (!isOther) return "this"
    keep(said, raw, text.length)
  }
  said.skipped++
  said.unknown = {
    raw,
    text,
    why: `belongs to another completion (${JSON.stringify(id)}, and not ${JSON.stringify(completionId)})`
  }
  return skipped
}

/** Some servers send the text of a chunk under this name, in the delta or, as completions before the chat had it, in the choice. */
const textIn = (place: { readonly text?: unknown } | null | undefined): string =>
  typeof place?.text === "string" ? place.text : ""

/** A server that ignores `stream` sends the whole answer in one chunk. Its content is a text or the structured output. */
const wholeOf = (content: unknown): NonNullable<Data.StreamChunk["message"]> =>
  content == null || typeof content === "string" ? { content } : { structured_content: content }

const keep = (said: Said, unread: unknown, length: number): void => {
  if (hasOutput(said)) return
  said.unreadLength += length
  if (said.unreadLength <= maxUnread) said.unread.push(unread)
}

/** How many characters of events that could not be read an error keeps. */
const maxUnread = 65_536

const hasOutput = (said: Said): boolean => said.message !== "" || structuredOf(said) !== undefined

const structuredOf = (said: Said): unknown => said.isStructuredStale ? undefined : said.structured

/**
 * Whether the stream succeeded, if it ends in this state. Without output it succeeded only if a `finish_reason` says so, and if
 * no skipped event can have held the output.
 */
export const isSuccess = (said: Said, isDone: boolean): boolean =>
  outcomeOf(said.finishReason, isDone && said.unknown === undefined && hasOutput(said)) === "success" &&
  (hasOutput(said) || said.unreadLength === 0 || said.finishReason?.trim().toLowerCase() !== "stop")

/**
 * The output: the structured output if the server sent one, and the text otherwise. Text that grew after the last structured
 * output, and is JSON itself, is newer.
 */
export const outputOf = (said: Said): unknown => {
  if (structuredOf(said) === undefined) return said.message
  if (said.message.length === said.structuredAt) return said.structured
  const json = parseJson(said.message)
  return typeof json === "object" && json !== null ? json : said.structured
}

/** The output so far, for an error. `broken` is the event that could not be read. */
export const received = (said: Said, broken?: unknown): Received => {
  const unread = [
    ...hasOutput(said) ? [] : said.unread,
    ...said.unknown === undefined || !hasOutput(said) && said.unread.includes(said.unknown.raw)
      ? []
      : [said.unknown.raw],
    ...broken === undefined ? [] : [broken]
  ]
  return {
    message: said.message,
    structured: said.structured,
    chunks: said.chunks,
    ...(said.skipped === 0 ? undefined : { skipped: said.skipped }),
    ...(unread.length === 0 ? undefined : { unread })
  }
}

const notJson = Symbol("notJson")

// This runs once per event: an Option, or a helper function that catches, would cost 10 % of the parsing time
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return notJson
  }
}

// The schema's interpreter takes half of the parsing time, so it runs only for rare forms
const decodeChunk = Schema.decodeUnknownOption(Data.StreamChunk)

/**
 * Whether a parsed JSON value reports no error and certainly fits the schema unchanged: it has one choice, whose delta has a
 * `content`, and no message or one with a `content`.
 */
export const isCommonChunk = (raw: unknown): raw is Data.StreamChunk => {
  if (!Predicate.isObject(raw)) return false
  const { choices, error, errors, id, message, object, status, success, type } = raw
  return error == null && errors === undefined && object !== "error" && type === undefined && status === undefined &&
    success === undefined &&
    isTextOrNullish(id) &&
    Array.isArray(choices) && choices.length === 1 && isCommonChoice(choices[0]) &&
    (message == null || hasContent(message))
}

const isCommonChoice = (choice: unknown): boolean => {
  if (!Predicate.isObject(choice)) return false
  const { delta, finish_reason, finishReason, message } = choice
  return message === undefined && finishReason === undefined && isTextOrNullish(finish_reason) && hasContent(delta)
}

const hasContent = (value: unknown): boolean =>
  Predicate.isObject(value) && (typeof value["content"] === "string" || value["content"] === null)

const isTextOrNullish = (value: unknown): boolean => value == null || typeof value === "string"

/** Servers that have no structured output send an empty object or list, or a value that is not an object. */
const isStructured = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length > 0
