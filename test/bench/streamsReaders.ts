/** The readers, each of which reads a stream of chunks to its end with its public API. */
import { createTelaClient } from "@meistrari/tela-sdk-js"
import { Effect, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { EventSourceParserStream } from "eventsource-parser/stream"
import { Stream as OpenAIStream } from "openai/core/streaming"
import { Tela } from "canvas-runs"
import { cpuMicros } from "./measure.ts"
import { body, type Tokens } from "./streamsBodies.ts"

/** The counts of a reading. */
export interface Read {
  readonly events: number
  readonly characters: number
}

export type Reader = (body: () => ReadableStream<Uint8Array<ArrayBuffer>>) => Promise<Read>

/** The parts of a chunk that a reader reads. */
interface Chunk {
  readonly choices?: ReadonlyArray<{ readonly delta?: { readonly content?: string | null } }>
}

const contentOf = (chunk: unknown): string => (chunk as Chunk).choices?.[0]?.delta?.content ?? ""

const response = (body: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  new Response(body, { headers: { "content-type": "text/event-stream", "x-request-id": "bench" } })

const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

// One client for all streams, as in a program. The response of fetch is set before each stream
let answer: () => ReadableStream<Uint8Array<ArrayBuffer>> = () => body([])
const tela = Tela.TelaClient.pipe(
  Effect.provide(
    Tela.layer({ apiKey: Redacted.make("tela_bench_key_0001") }).pipe(
      Layer.provide(FetchHttpClient.layer),
      Layer.provide(Layer.succeed(FetchHttpClient.Fetch, () => Promise.resolve(response(answer()))))
    )
  ),
  Effect.runSync
)
const canvas = tela.canvas.make({ id: canvasId })

/** Counts the parts of the library, from the request to the validated end. */
const counter = () => {
  let events = 0
  let characters = 0
  let end: string | undefined
  const take = (part: Tela.StreamPart<unknown>): void => {
    if (part._tag === "delta") {
      events++
      characters += part.content.length
    } else if (part._tag === "final") end = part.message
  }
  const read = (): Read => {
    if (end?.length !== characters) throw new Error("the final message is not the text of the events")
    return { events, characters }
  }
  return { take, read }
}

/** All parts of a chunk at a time. */
export const byArray: Reader = async (body) => {
  answer = body
  const { read, take } = counter()
  await Effect.runPromise(Stream.runForEachArray(canvas.stream({}), (parts) =>
    Effect.sync(() => {
      for (const part of parts) take(part)
    })))
  return read()
}

/** One part at a time. */
export const byPart: Reader = async (body) => {
  answer = body
  const { read, take } = counter()
  await Effect.runPromise(Stream.runForEach(canvas.stream({}), (part) => Effect.sync(() => take(part))))
  return read()
}

const counting = async (chunks: AsyncIterable<unknown>): Promise<Read> => {
  let events = 0
  let characters = 0
  for await (const chunk of chunks) {
    events++
    characters += contentOf(chunk).length
  }
  return { events, characters }
}

export const openai: Reader = (body) => counting(OpenAIStream.fromSSEResponse(response(body()), new AbortController()))

export const eventsourceParser: Reader = async (body) => {
  const reader = response(body()).body!
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  let events = 0
  let characters = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { events, characters }
    if (value.data.startsWith("[DONE]")) continue
    events++
    characters += contentOf(JSON.parse(value.data)).length
  }
}

/** Its client reads the global fetch when it is made, so each stream has a new client. */
export const telaSdk: Reader = async (body) => {
  const { fetch } = globalThis
  globalThis.fetch = () => Promise.resolve(response(body()))
  try {
    const client = createTelaClient({ apiKey: "tela_bench_key_0001" })
    return await counting(await client.completions.create({ canvasId, variables: {}, stream: true }))
  } finally {
    globalThis.fetch = fetch
  }
}

/** A loop without a library: a reader, a decoder, a search for the blank line, `JSON.parse`. */
export const byHand: Reader = async (body) => {
  const reader = response(body()).body!.getReader()
  const decoder = new TextDecoder()
  let events = 0
  let characters = 0
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { events, characters }
    const text = rest + decoder.decode(value, { stream: true })
    let start = 0
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", start)) {
      const data = text.slice(start + 6, end)
      start = end + 2
      if (data === "[DONE]") continue
      events++
      characters += contentOf(JSON.parse(data)).length
    }
    rest = text.slice(start)
  }
}

export const readers = { byArray, byPart, openai, eventsourceParser, telaSdk, byHand }

export type ReaderName = keyof typeof readers

/** The theoretical limit: the payloads as strings, each parsed. */
export const parseOnly = (payloads: ReadonlyArray<string>): Read => {
  let events = 0
  let characters = 0
  for (const payload of payloads) {
    events++
    characters += contentOf(JSON.parse(payload)).length
  }
  return { events, characters }
}

/**
 * CPU time of the whole process per event of one reading. Fails if the reading differs from the stream. No garbage collection is
 * forced before it: a full one drops the shapes of parsed objects, and with them the code that was compiled for them.
 */
export const timed = (tokens: Tokens, read: () => Read | Promise<Read>) => async (): Promise<number> => {
  const before = cpuMicros()
  const { characters, events } = await read()
  const micros = cpuMicros() - before
  if (events !== tokens.events || characters !== tokens.characters) {
    throw new Error(`read ${events} events and ${characters} characters of ${tokens.events} and ${tokens.characters}`)
  }
  return micros / events
}
