/** The streams that are read: their events, and the sizes of their pieces. */

/** A stream of one text, token by token, in the form of Tela's chunks: 107 bytes per event on average. */
export interface Tokens {
  readonly events: number
  /** The length of the whole text. */
  readonly characters: number
  /** The text of each event. */
  readonly payloads: ReadonlyArray<string>
  readonly bytes: Uint8Array<ArrayBuffer>
}

const words = [" the", " sea", " comes", " to", " town", " twice", " a", " day,", " looks", " in", " at", " harbour"]

/** Where `isVaried`, each event has another time, and differs from all others in more than its text. */
export const tokens = (events: number, isVaried = false): Tokens => {
  const said = Array.from({ length: events }, (_, index) => words[index * 7 % words.length]!)
  const payloads = said.map((content, index) =>
    `{"id":"chatcmpl-9f27c01b",${
      isVaried ? `"created":${1_790_000_000 + index},` : ""
    }"choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":${
      index === events - 1 ? "\"stop\"" : "null"
    }}]}`
  )
  return {
    events,
    characters: said.reduce((sum, content) => sum + content.length, 0),
    payloads,
    bytes: new TextEncoder().encode(`${payloads.map((payload) => `data: ${payload}\n\n`).join("")}data: [DONE]\n\n`)
  }
}

/** The bytes in pieces of the given size, without copies. */
export const cut = (bytes: Uint8Array<ArrayBuffer>, size: number): ReadonlyArray<Uint8Array<ArrayBuffer>> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

/** A body that returns one piece per pull. */
export const body = (pieces: ReadonlyArray<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let next = 0
  return new ReadableStream({
    pull: (controller) => {
      if (next < pieces.length) controller.enqueue(pieces[next++]!)
      else controller.close()
    }
  })
}
