/**
 * The event stream format of the HTML standard (section "Parsing an event stream"), as a table of chunks and their events, and a
 * comparison with another parser.
 *
 * Deviations of this library from the standard are not tested here: a line that begins with `{` or `[DONE]` is a separate
 * message, ids and retry times are dropped, and an event that the end cuts off is returned separately from complete ones.
 */
import { assert, describe, it } from "@effect/vitest"
import { createParser } from "eventsource-parser"
import * as Sse from "../../../src/tela/internal/sse.ts"
import * as Random from "../../support/random.ts"
import { size } from "../../support/size.ts"

const encoder = new TextEncoder()
const bytesOf = (chunk: string | Uint8Array) => typeof chunk === "string" ? encoder.encode(chunk) : chunk

interface Event {
  readonly event: string
  readonly data: string
}

const parse = (pieces: ReadonlyArray<Uint8Array>) => {
  let emitted: Array<Event> = []
  const parser = Sse.make((event, data) => emitted.push({ event, data }))
  pieces.forEach(parser.feed)
  const events = emitted
  emitted = []
  parser.end()
  return { events, cutOff: emitted }
}

const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))

const message = (data: string, event = "message"): Event => ({ event, data })

interface Case {
  readonly name: string
  readonly chunks: ReadonlyArray<string | Uint8Array>
  readonly events: ReadonlyArray<Event>
  /** The events that are emitted only at the end. By the standard they are dropped. */
  readonly cutOff?: ReadonlyArray<Event>
}

const table: ReadonlyArray<Case> = [
  // --- after the standard's examples ---
  {
    name: "three data fields are three lines of one message",
    chunks: ["data: ACME\ndata: +3\ndata: 17\n\n"],
    events: [message("ACME\n+3\n17")]
  },
  {
    name: "comments, an id, an id that is reset, and one space of two",
    chunks: [": a stream to test with\n\ndata: one\nid: 7\n\ndata:two\nid\n\ndata:  three\n\n"],
    events: [message("one"), message("two"), message(" three")]
  },
  {
    name: "data without a value: an empty message, one of a line feed, and a last one that is never closed",
    chunks: ["data\n\ndata\ndata\n\ndata:"],
    events: [message(""), message("\n")],
    cutOff: [message("")]
  },
  {
    name: "with and without the space it is the same",
    chunks: ["data:same\n\ndata: same\n\n"],
    events: [message("same"), message("same")]
  },
  {
    name: "named events",
    chunks: ["event: add\ndata: 11\n\nevent: remove\ndata: 12\n\nevent: add\ndata: 13\n\n"],
    events: [message("11", "add"), message("12", "remove"), message("13", "add")]
  },
  // --- the byte order mark ---
  { name: "a BOM at the start is dropped", chunks: ["\ufeffdata: a\n\n"], events: [message("a")] },
  { name: "a BOM alone in the first chunk is dropped", chunks: ["\ufeff", "data: a\n\n"], events: [message("a")] },
  {
    name: "only one BOM is dropped: the second is part of a field's name",
    chunks: ["\ufeff\ufeffdata: a\n\ndata: b\n\n"],
    events: [message("b")]
  },
  {
    name: "a BOM further on is part of a field's name",
    chunks: ["data: a\n\n\ufeffdata: b\n\ndata: c\n\n"],
    events: [message("a"), message("c")]
  },
  { name: "a BOM in data is kept", chunks: ["data: \ufeffa\n\n"], events: [message("\ufeffa")] },
  { name: "only a BOM", chunks: ["\ufeff"], events: [] },
  // --- ends of lines ---
  { name: "LF", chunks: ["data: a\n\n"], events: [message("a")] },
  { name: "CR", chunks: ["data: a\r\r"], events: [message("a")] },
  { name: "CRLF", chunks: ["data: a\r\n\r\n"], events: [message("a")] },
  {
    name: "CRLF is one end, and LF CR are two",
    chunks: ["data: a\r\ndata: b\n\rdata: c\n\n"],
    events: [
      message("a\nb"),
      message("c")
    ]
  },
  {
    name: "all line ends in one stream",
    chunks: ["event: x\rdata: a\ndata: b\r\n\ndata: c\r\r\ndata: d\n\r\n"],
    events: [message("a\nb", "x"), message("c"), message("d")]
  },
  {
    name: "CR CR LF closes an event once",
    chunks: ["data: a\r\r\ndata: b\r\r\n"],
    events: [
      message("a"),
      message("b")
    ]
  },
  {
    name: "a CR at the end of a chunk, its LF in the next",
    chunks: ["data: a\r", "\n\r", "\n"],
    events: [
      message("a")
    ]
  },
  { name: "a CR at the very end closes an event", chunks: ["data: a\n\r"], events: [message("a")] },
  {
    name: "other line separators do not end a line",
    chunks: ["data: a\u2028b\u2029c\u0085d\u000be\u000cf\n\n"],
    events: [message("a\u2028b\u2029c\u0085d\u000be\u000cf")]
  },
  { name: "blank lines alone", chunks: ["\n\n\r\n\r\r\n\n"], events: [] },
  // --- fields ---
  { name: "only one leading space is dropped", chunks: ["data:   a\n\n"], events: [message("  a")] },
  { name: "a tab is not a space", chunks: ["data:\ta\n\n"], events: [message("\ta")] },
  { name: "space at the end is kept", chunks: ["data: a  \n\n"], events: [message("a  ")] },
  { name: "a value of one space is empty", chunks: ["data: \n\n"], events: [message("")] },
  { name: "further colons belong to the value", chunks: ["data: a: b::c\n\n"], events: [message("a: b::c")] },
  { name: "a value that is a colon", chunks: ["data::\n\n"], events: [message(":")] },
  { name: "space before the colon belongs to the name", chunks: ["data : a\ndata: b\n\n"], events: [message("b")] },
  { name: "space before the name belongs to the name", chunks: [" data: a\ndata: b\n\n"], events: [message("b")] },
  { name: "names are case-sensitive", chunks: ["Data: a\nDATA: b\nEvent: x\ndata: c\n\n"], events: [message("c")] },
  {
    name: "names with a common beginning",
    chunks: ["dat: a\ndatas: b\nevents: x\ndata: c\n\n"],
    events: [message("c")]
  },
  { name: "unknown fields", chunks: ["foo: bar\nfoo\nx:y\ndata: a\n\n"], events: [message("a")] },
  { name: "a field without a colon has an empty value", chunks: ["data\ndata: a\n\n"], events: [message("\na")] },
  {
    name: "empty lines of data are kept",
    chunks: ["data:\ndata: a\ndata:\ndata\n\n"],
    events: [message("\na\n\n")]
  },
  // --- event ---
  {
    name: "an empty name counts as absent",
    chunks: ["event:\ndata: a\n\nevent\ndata: b\n\n"],
    events: [
      message("a"),
      message("b")
    ]
  },
  { name: "the last name counts", chunks: ["event: x\nevent: y\ndata: a\n\n"], events: [message("a", "y")] },
  { name: "an empty name removes an earlier name", chunks: ["event: x\nevent:\ndata: a\n\n"], events: [message("a")] },
  { name: "a name may come after the data", chunks: ["data: a\nevent: x\n\n"], events: [message("a", "x")] },
  {
    name: "a name holds for one event only",
    chunks: ["event: x\ndata: a\n\ndata: b\n\n"],
    events: [
      message("a", "x"),
      message("b")
    ]
  },
  { name: "a name without data is dropped", chunks: ["event: x\n\ndata: a\n\n"], events: [message("a")] },
  { name: "only one space of a name is dropped", chunks: ["event:  x \ndata: a\n\n"], events: [message("a", " x ")] },
  {
    name: "a name may be any text",
    chunks: ["event: \u0000 ü: 🙂\ndata: a\n\n"],
    events: [
      message("a", "\u0000 ü: 🙂")
    ]
  },
  // --- id and retry ---
  { name: "an id with a NUL is ignored", chunks: ["id: 1\u00002\ndata: a\n\n"], events: [message("a")] },
  { name: "an id alone is not an event", chunks: ["id: 1\n\nid\n\ndata: a\n\n"], events: [message("a")] },
  {
    name: "a retry time, a wrong one, and one without a value",
    chunks: ["retry: 10\nretry: 1s\nretry\ndata: a\n\n"],
    events: [
      message("a")
    ]
  },
  { name: "a retry time alone is not an event", chunks: ["retry: 10\n\n"], events: [] },
  // --- comments ---
  {
    name: "chunks with only comments",
    chunks: [":\n", ": keep-alive\n", ":\n\n", "data: a\n\n"],
    events: [
      message("a")
    ]
  },
  { name: "a comment inside an event", chunks: ["data: a\n: and\ndata: b\n\n"], events: [message("a\nb")] },
  { name: "a comment that looks like data", chunks: [":data: a\n\n"], events: [] },
  { name: "comments that are never closed", chunks: [": a", ": b"], events: [] },
  // --- characters ---
  { name: "NUL in data is kept", chunks: ["data: a\u0000b\n\n"], events: [message("a\u0000b")] },
  { name: "characters of two, three and four bytes", chunks: ["data: é 日 🙂\n\n"], events: [message("é 日 🙂")] },
  {
    name: "bytes that are not UTF-8 become replacement characters",
    chunks: ["data: ", new Uint8Array([0xff, 0x61, 0xc3]), "\n\n"],
    events: [message("\ufffda\ufffd")]
  },
  {
    name: "a character that is cut off by the end of its line",
    chunks: ["data: ", new Uint8Array([0xf0, 0x9f, 0x99]), "\n\ndata: b\n\n"],
    events: [message("\ufffd"), message("b")]
  },
  // --- the end ---
  {
    name: "an event that lacks its blank line",
    chunks: ["data: a\n\ndata: b\n"],
    events: [message("a")],
    cutOff: [
      message("b")
    ]
  },
  {
    name: "a line that lacks its end",
    chunks: ["data: a\n\ndata: b\ndata: c"],
    events: [message("a")],
    cutOff: [
      message("b\nc")
    ]
  },
  { name: "a field's name that is cut", chunks: ["data: a\n\ndat"], events: [message("a")], cutOff: [] },
  { name: "a name that no data follows", chunks: ["data: a\n\nevent: x"], events: [message("a")], cutOff: [] },
  { name: "an empty stream", chunks: [], events: [] },
  { name: "empty chunks", chunks: ["", "data", "", ": a", "", "\n", "", "\n", ""], events: [message("a")] },
  // --- sizes ---
  {
    name: "many events in a chunk",
    chunks: [Array.from({ length: 40 }, (_, index) => `data: ${index}\n\n`).join("")],
    events: Array.from({ length: 40 }, (_, index) => message(String(index)))
  }
]

describe("the event stream format", () => {
  for (const { chunks, cutOff = [], events, name } of table) {
    it(name, () => {
      const given = chunks.map(bytesOf)
      const whole = join(given)
      assert.deepStrictEqual(parse(given), { events, cutOff }, "as given")
      assert.deepStrictEqual(
        parse(Array.from(whole, (byte) => Uint8Array.of(byte))),
        { events, cutOff },
        "byte by byte"
      )
      for (let cut = 0; cut <= whole.length; cut++) {
        assert.deepStrictEqual(
          parse([whole.subarray(0, cut), whole.subarray(cut)]),
          { events, cutOff },
          `cut at ${cut}`
        )
      }
    })
  }

  it("reads a line of a megabyte, at once and in pieces", () => {
    const text = "abcdefghij".repeat(100_000)
    const whole = encoder.encode(`data: ${text}\n\n`)
    const pieces = Array.from(
      { length: Math.ceil(whole.length / 997) },
      (_, index) => whole.subarray(index * 997, (index + 1) * 997)
    )
    for (const given of [[whole], pieces]) {
      const { events } = parse(given)
      assert.strictEqual(events.length, 1)
      assert.isTrue(events[0]!.data === text)
    }
  })

  it("reads ten thousand events at once, and each in separate chunks", () => {
    const texts = Array.from({ length: 10_000 }, (_, index) => `event: e${index % 7}\r\ndata: ${index}\r\n\r\n`)
    const expected = texts.map((_, index) => message(String(index), `e${index % 7}`))
    assert.deepStrictEqual(parse([encoder.encode(texts.join(""))]).events, expected)
    assert.deepStrictEqual(parse(texts.map((text) => encoder.encode(text))).events, expected)
  })
})

// ---------------------------------------------------------------------------------------------------------------------

const names = ["data", "data", "data", "event", "id", "retry", "foo", "", "Data", " data", "data "]
const values = ["", "a", " a", "  a", "b:c", ":", "é", "日本", "🙂", "\u0000", "\ufeff", "\t", "x y", "12", "-"]

/** A stream of lines that both parsers should read alike: none begins with `{` or `[DONE]`. */
const streamOf = (draw: Random.Draw): string => {
  const end = () => draw.pick(["\n", "\r\n", "\r"])
  const line = () => {
    const name = draw.pick(names)
    const value = draw.chance(0.02) ? draw.pick(values).repeat(draw.int(100, 2000)) : draw.pick(values)
    return draw.chance(0.1) ? name : `${name}:${draw.chance(0.5) ? " " : ""}${value}`
  }
  const lines = Array.from({ length: draw.int(0, 30) }, () => `${draw.chance(0.3) ? "" : line()}${end()}`)
  // The other parser waits for a line feed after a carriage return at the end
  return `${draw.chance(0.1) ? "\ufeff" : ""}${lines.join("")}\n`
}

const cut = (whole: Uint8Array, draw: Random.Draw): ReadonlyArray<Uint8Array> => {
  const most = draw.pick([1, 3, 20, 500])
  const pieces: Array<Uint8Array> = []
  for (let at = 0; at < whole.length;) {
    const length = draw.int(0, most)
    pieces.push(whole.subarray(at, at + length))
    at += length
  }
  return pieces
}

/** The events of the other parser. The bytes are decoded for it as `EventSource` does. */
const reference = (pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const parser = createParser({ onEvent: ({ data, event }) => events.push(message(data, event)) })
  const decoder = new TextDecoder()
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }))
  return events
}

describe("eventsource-parser", () => {
  // Fewer for the mutation tester, which runs this for each mutant
  const streams = process.env["MUTATION_TESTS"] === undefined ? size(500, 2000) : 100

  it(`finds the same events in ${streams} streams, cut at any place`, () => {
    let events = 0
    for (let seed = 1; seed <= streams; seed++) {
      const draw = Random.make(seed)
      const text = streamOf(draw)
      const whole = encoder.encode(text)
      const expected = reference([whole])
      const context = `seed ${seed}: ${JSON.stringify(text)}`
      assert.deepStrictEqual(reference(cut(whole, draw)), expected, `the other parser, ${context}`)
      for (let times = 0; times < 3; times++) {
        assert.deepStrictEqual(parse(cut(whole, draw)).events, expected, context)
      }
      events += expected.length
    }
    assert.isAbove(events, 1.5 * streams)
  })
})
