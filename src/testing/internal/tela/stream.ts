/** The bytes that a streamed run of the Tela emulator sends. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { ConnectionDropped } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import { parseJson } from "../json.ts"
import type { Has } from "../rude/json.ts"
import * as rude from "./rudeStream.ts"
import * as runs from "./runs.ts"

/** The state of a stream, and how many pieces it has sent. */
export interface Progress {
  state: "open" | "ended" | "dropped" | "abandoned"
  pieces: number
}

type Frame = { readonly bytes: Uint8Array } | { readonly pause: number } | { readonly drop: true }

export const respond = (
  run: runs.Run,
  { has, progress }: { readonly progress: Progress; readonly has: Has }
): HttpServerResponse.HttpServerResponse => {
  const script = run.script.stream ?? {}
  const framing = script.framing ?? "sse"
  // A stream ends with its last byte, whether or not the client reads on.
  const planned = plan(run, script, has)
  let left = planned.length
  const sent = (bytes: Uint8Array): Uint8Array => {
    left--
    if (left === 0) progress.state = "ended"
    return bytes
  }
  const body = Stream.fromIterable(planned).pipe(
    // Pieces are emitted one by one: in an array, a piece would wait for the pause after it.
    Stream.rechunk(1),
    Stream.mapEffect((frame) =>
      "pause" in frame
        ? Effect.map(Effect.sleep(frame.pause), () => sent(empty))
        : "drop" in frame
        ? Effect.suspend(() => {
          progress.state = "dropped"
          return Effect.fail(new ConnectionDropped())
        })
        : Effect.sync(() => {
          progress.pieces++
          return sent(frame.bytes)
        })
    ),
    Stream.filter((bytes) => bytes.length > 0),
    cutInto(script.chunkBytes ?? (has("smallPieces") ? 3 : undefined)),
    Stream.ensuring(Effect.sync(() => {
      if (progress.state === "open") progress.state = "abandoned"
    }))
  )
  return HttpServerResponse.stream(body, {
    contentType: framing === "sse" ? "text/event-stream; charset=utf-8" : "application/x-ndjson",
    headers: { "cache-control": "no-cache" }
  })
}

// ---------------------------------------------------------------------------------------------------------------------

const empty = new Uint8Array()
const encoder = new TextEncoder()

const cutInto = (size: number | undefined) => <E>(self: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
  size === undefined ? self : self.pipe(
    Stream.flatMap((bytes) =>
      Stream.fromIterable(
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size))
      )
    ),
    Stream.rechunk(1)
  )

// The text and the structured value so far, which each chunk repeats (assumption 4).
interface Said {
  readonly text: string
  readonly structured: unknown
}

const plan = (
  run: runs.Run,
  script: TelaScript.StreamScript,
  has: Has
): ReadonlyArray<Frame> => {
  const newline = script.newline ?? (has("carriageReturns") ? "\r\n" : "\n")
  const lines = script.framing === "json-lines"
  const pieces = script.pieces ?? defaultPieces(run)
  const failed = script.pieces === undefined && run.failure !== undefined
  const structured = runs.schemaOf(run.request, run.canvas) !== undefined
  const pauseMillis = Duration.toMillis(script.pause ?? 0) / run.speed
  const frames: Array<Frame> = []
  let said: Said = { text: "", structured: null }

  const send = (text: string) => frames.push({ bytes: encoder.encode(text) })
  const dataText = (data: unknown, event?: string) =>
    lines
      ? `${JSON.stringify(data)}${newline}`
      : rude.keepAlive(has, newline) + rude.event(has, newline, rude.stringify(has, data), event)
  const sendData = (data: unknown, event?: string) => send(dataText(data, event))
  const sendChunk = (delta: string | null, finish: string | null) =>
    send(
      rude.chunks(has, chunk(run, said, delta, finish, frames.length === 0)).map((data) => dataText(data)).join("")
    )

  for (const [index, piece] of pieces.entries()) {
    if (script.dropAfter !== undefined && index >= script.dropAfter) break
    if (Predicate.isString(piece)) {
      const text = said.text + piece
      said = { text, structured: structured ? parseJson(text) ?? said.structured : null }
      sendChunk(piece, null)
    } else if ("structured" in piece) {
      said = { ...said, structured: piece.structured }
      sendChunk(null, null)
    } else if ("error" in piece) sendData({ error: piece.error })
    else if ("errorEvent" in piece) sendData(piece.errorEvent, "error")
    else if ("event" in piece) sendData(piece.data, piece.event)
    else if ("raw" in piece) send(piece.raw)
    else if ("comment" in piece) {
      if (!lines) send(`: ${piece.comment}${newline}${newline}`)
    } else if ("retry" in piece) {
      if (!lines) send(`retry: ${piece.retry}${newline}${newline}`)
    } else if ("pause" in piece) frames.push({ pause: Duration.toMillis(piece.pause) / run.speed })
    else frames.push({ drop: true })
    const rests = Predicate.isString(piece) || !("pause" in piece)
    if (rests && pauseMillis > 0 && index < pieces.length - 1) frames.push({ pause: pauseMillis })
  }
  if (script.dropAfter !== undefined) frames.push({ drop: true })
  const end = script.end ?? (failed ? "none" : "done")
  if (end !== "none") sendChunk(null, "stop")
  if (end === "done" && !lines && !has("noDone")) send(rude.event(has, newline, "[DONE]", undefined))
  return frames
}

const defaultPieces = (run: runs.Run): ReadonlyArray<TelaScript.StreamPiece> => {
  const text = Predicate.isString(run.output) ? run.output : JSON.stringify(run.output)
  // Split by code points: half of a code point cannot be sent.
  const points = Array.from(text)
  const size = Math.max(1, Math.ceil(points.length / 5))
  const pieces = Array.from(
    { length: Math.ceil(points.length / size) },
    (_, index) => points.slice(index * size, (index + 1) * size).join("")
  )
  return run.failure === undefined ? pieces : [...pieces.slice(0, 1), { error: run.failure }]
}

const chunk = (run: runs.Run, said: Said, delta: string | null, finish: string | null, first: boolean) => ({
  id: runs.completionId(run),
  object: "chat.completion.chunk",
  created: Math.floor(run.createdAt / 1000),
  model: "emulated",
  choices: [{
    index: 0,
    delta: { role: first ? "assistant" : null, content: delta, function_call: null },
    finish_reason: finish,
    logprobs: null
  }],
  message: {
    role: "assistant",
    content: said.text,
    function_call: null,
    tool_calls: [],
    structured_content: said.structured
  }
})
