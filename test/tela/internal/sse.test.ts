import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Sse from "../../../src/tela/internal/sse.ts"
import { bytes } from "../../support/bytes.ts"

interface Event {
  readonly event: string
  readonly data: string
}

/** The events of a text that arrives in the given pieces. */
const parse = (pieces: ReadonlyArray<Uint8Array>, options?: Parameters<typeof Sse.make>[1]) => {
  let events: Array<Event> = []
  const parser = Sse.make((event, data) => events.push({ event, data }), options)
  pieces.forEach(parser.feed)
  const fed = events
  events = []
  parser.end()
  return { fed, rest: events }
}

const message = (data: string) => ({ event: "message", data })

const cases: ReadonlyArray<readonly [string, string, ReadonlyArray<Event>]> = [
  ["one event", "data: a\n\n", [message("a")]],
  ["several lines of data", "data: a\ndata: b\n\n", [message("a\nb")]],
  ["no space after the colon", "data:a\n\n", [message("a")]],
  ["only one space is removed", "data:  a\n\n", [message(" a")]],
  ["an empty JSON document in a line of data", "data: {}\n\ndata: {}\n\n", [message("{}"), message("{}")]],
  ["an empty line of data", "data\n\ndata:\n\n", [message(""), message("")]],
  ["CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [message("a\nb"), message("c")]],
  ["CR", "data: a\r\rdata: b\r\r", [message("a"), message("b")]],
  ["mixed line ends", "data: a\n\rdata: b\r\n\ndata: c\n\n", [message("a"), message("b"), message("c")]],
  ["a byte order mark", "\ufeffdata: a\n\n", [message("a")]],
  ["comments", ": hi\ndata: a\n:\n\n:\n\n", [message("a")]],
  ["names", "event: x\ndata: a\n\ndata: b\n\n", [{ event: "x", data: "a" }, message("b")]],
  ["a name without data", "event: x\n\ndata: b\n\n", [message("b")]],
  ["unknown fields", "id: 1\nretry: 3000\nretry: soon\nfoo: bar\ndata: a\n\n", [message("a")]],
  ["blank lines", "\n\n\ndata: a\n\n\n\n", [message("a")]],
  ["one JSON document per line", "{\"a\":1}\n{\"a\":2}\n[DONE]\n", [
    message("{\"a\":1}"),
    message("{\"a\":2}"),
    message("[DONE]")
  ]],
  ["a JSON document over several lines", "{\n  \"a\": {\n\n    \"data: b\": 1\n  }\n}\ndata: c\n\n", [
    message("{\n  \"a\": {\n\n    \"data: b\": 1\n  }\n}"),
    message("c")
  ]],
  ["a JSON document whose braces have white space after them", "{ \n1\n} \ndata: c\n\n", [
    message("{ \n1\n} "),
    message("c")
  ]],
  ["a JSON document after an event without its blank line", "data: a\n{\"b\":1}\n", [
    message("a"),
    message("{\"b\":1}")
  ]],
  [
    "names that differ from data in one character",
    ["xata: a", "dxta: a", "daxa: a", "datx: a", "datax a"].map((line) => `${line}\n\n`).join(""),
    []
  ],
  ["an end mark that does not begin its line", "x [DONE]\n\ndata: a\n\n", [message("a")]],
  ["an error in a separate field", "data: a\nerror: {\"b\":1}\ndata: c\n\nerror:d\n", [
    message("a"),
    { event: "error", data: "{\"b\":1}" },
    message("c"),
    { event: "error", data: "d" }
  ]],
  ["end marks without a field", "[DONE]\n [done] x\n\t[Done]\n", [
    message("[DONE]"),
    message(" [done] x"),
    message("\t[Done]")
  ]],
  ["characters of several bytes", "data: Grüße 日本 🙂\n\n", [message("Grüße 日本 🙂")]]
]

describe("server-sent events", () => {
  for (const [name, text, expected] of cases) {
    it(`are the same for any cut of the stream: ${name}`, () => {
      const whole = bytes(text)
      for (let cut = 0; cut <= whole.length; cut++) {
        assert.deepStrictEqual(parse([whole.subarray(0, cut), whole.subarray(cut)]).fed, expected, `cut at ${cut}`)
      }
      assert.deepStrictEqual(parse(Array.from(whole, (byte) => new Uint8Array([byte]))).fed, expected, "single bytes")
    })
  }

  it("a name without data is an event if the caller accepts that", () => {
    const text = "event: error\n\nevent: x\n\ndata: a\n\nevent: error\n: b\n\nevent: error"
    const isWhole = (event: string) => event === "error"
    const error = { event: "error", data: "" }
    assert.deepStrictEqual(parse([bytes(text)], { isWhole }), { fed: [error, message("a"), error], rest: [error] })
  })

  it("an unfinished event at the end is returned separately", () => {
    assert.deepStrictEqual(parse([bytes("data: a\n\ndata: b")]), { fed: [message("a")], rest: [message("b")] })
    assert.deepStrictEqual(parse([bytes("data: a\n\ndata: b\n")]), { fed: [message("a")], rest: [message("b")] })
    assert.deepStrictEqual(parse([bytes("data: a\n\n: comment")]), { fed: [message("a")], rest: [] })
    assert.deepStrictEqual(parse([bytes("{\n1\n")]), { fed: [], rest: [message("{\n1")] })
    assert.deepStrictEqual(parse([bytes("data: é").subarray(0, -1)]), { fed: [], rest: [message("\ufffd")] })
  })

  it.effect.prop(
    "the events do not depend on the cuts of the stream",
    [
      Schema.Array(
        Schema.Literals([
          "data: ",
          "a",
          "é",
          "🙂",
          "\n",
          "\r",
          "\r\n",
          "\n\n",
          ":",
          "event: x",
          "{",
          "}",
          "[DONE]",
          "error:",
          "id"
        ])
      ),
      Schema.Array(Schema.Natural)
    ],
    ([tokens, cuts]) =>
      Effect.sync(() => {
        const whole = bytes(tokens.join(""))
        const points = [...new Set([0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length])].sort((a, b) =>
          a - b
        )
        const pieces = points.slice(1).map((point, index) => whole.subarray(points[index], point))
        assert.deepStrictEqual(parse(pieces), parse([whole]))
      })
  )

  it("a long line in many pieces takes linear time", () => {
    const piece = bytes("x".repeat(1000))
    const { fed } = parse([bytes("data: "), ...Array.from({ length: 10_000 }, () => piece), bytes("\n\n")])
    assert.strictEqual(fed[0]!.data.length, 10_000_000)
  })

  it("an event without data counts only if its name is complete", () => {
    const text = bytes("event: x\n\nevent: y\n\ndata: a\n\n")
    for (const options of [undefined, {}, { isWhole: () => false }]) {
      assert.deepStrictEqual(parse([text], options).fed, [message("a")])
    }
    assert.deepStrictEqual(parse([bytes("\n\n"), text], { isWhole: (event) => event !== "x" }).fed, [
      { event: "y", data: "" },
      message("a")
    ])
  })

  it("secrets are removed at any place, for any cut of the stream", () => {
    const secret = "key-0123456789"
    const clean = (text: string) => text.replaceAll(secret, "<redacted>")
    const whole = bytes(
      `data: a\n\ndata: ${secret}\n\nevent: ${secret}\ndata: b\ndata: ${secret}${secret}\n\n{"a":"${secret}"}\ndata: c\n\n` +
        `data: last ${secret}`
    )
    const expected = [
      message("a"),
      message("<redacted>"),
      { event: "<redacted>", data: "b\n<redacted><redacted>" },
      message("{\"a\":\"<redacted>\"}"),
      message("c"),
      message("last <redacted>")
    ]
    for (let cut = 0; cut <= whole.length; cut++) {
      const { fed, rest } = parse([whole.subarray(0, cut), whole.subarray(cut)], { clean })
      assert.deepStrictEqual([...fed, ...rest], expected, `cut at ${cut}`)
    }
  })

  it("events of one line that arrive together are searched for secrets together, which is faster", () => {
    let cleaned = 0
    const clean = (text: string) => {
      cleaned++
      return text
    }
    const text = "data: a\n\ndata: b\n\ndata: c\n\n"
    assert.strictEqual(parse([bytes(text)], { clean }).fed.length, 3)
    // Once for the chunk, and once for the empty rest at the end
    assert.strictEqual(cleaned, 2)
  })

  it("an event that has not ended counts towards the limit, in one piece or in many", () => {
    for (
      const [text, isTooLong] of [
        ["data: 12345", true],
        ["data: 1234", false],
        ["data: 1\ndata: 2\n", true],
        ["data: 1\n:", false],
        [
          "data: 1\n\n: a",
          false
        ],
        ["{\n\"a\":12345", true],
        ["{\n1\n}\n", false]
      ] as const
    ) {
      for (const pieces of [[bytes(text)], Array.from(bytes(text), (byte) => Uint8Array.of(byte))]) {
        const parser = Sse.make(() => {}, { maxLength: 10 })
        for (const piece of pieces) parser.feed(piece)
        assert.strictEqual(parser.isTooLong(), isTooLong, text)
        parser.feed(bytes("\n}\n\n"))
        assert.isFalse(parser.isTooLong())
      }
    }
  })
})
