import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as ChunkTemplate from "../../../src/tela/internal/chunkTemplate.ts"
import * as Fold from "../../../src/tela/internal/streamFold.ts"

const chunk = (content: string, others = "") =>
  `{"id":"c1","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}},"finish_reason":null}]${others}}`

const make = (json: string, content: string) => {
  const template = ChunkTemplate.make(json, content)
  if (template === undefined) throw new Error(`no template of ${json}`)
  return template
}

describe("a template of a chunk", () => {
  const template = make(chunk("the"), "the")

  it("reads chunks with another text", () => {
    for (const content of [" sea", "", "{}", "ü", "\u2028", "🌊", "a".repeat(10_000), "__proto__"]) {
      assert.deepStrictEqual(ChunkTemplate.read(template, chunk(content)), JSON.parse(chunk(content)), content)
    }
  })

  it("reads no chunk that differs in anything else", () => {
    for (
      const json of [
        chunk("a", ",\"x\":1"),
        chunk("a").replace("c1", "c2"),
        chunk("a").replace("null", "\"stop\""),
        chunk("a").replace("}]", "} ]"),
        // The texts before and after it overlap
        template.before + template.after.slice(1),
        template.before,
        template.after
      ]
    ) assert.isUndefined(ChunkTemplate.read(template, json), json)
  })

  it("reads no text with escapes, with quotation marks, or with characters that JSON does not allow", () => {
    for (const content of ["\\n", "a\\u0041", "\"", "a\",\"b\":\"", "\\", "\n", "\0", "\x1f"]) {
      assert.isUndefined(ChunkTemplate.read(template, template.before + content + template.after), content)
    }
  })

  it("keeps nothing of the chunks that it returns", () => {
    const one = ChunkTemplate.read(template, chunk("one")) as { id: string; choices: Array<{ delta: object }> }
    one.id = "other"
    one.choices[0]!.delta = {}
    one.choices.push({ delta: {} })
    assert.deepStrictEqual(ChunkTemplate.read(template, chunk("two")), JSON.parse(chunk("two")))
  })

  it("does not exist for a chunk whose text is at another place, is written with escapes, or has other objects beside it", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      // The name belongs to another value first
      ["{\"content\":\"a\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "a"],
      ["{\"choices\":[{\"message\":{\"content\":\"a\"},\"delta\":{\"content\":\"a\"}}]}", "a"],
      // The last of two values with one name counts
      ["{\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"a\"}}]}", "a"],
      ["{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "a"],
      ["{\"choices\":[{\"delta\":{\"content\":\"\\u0061\"}}]}", "a"],
      ["{\"choices\":[{\"delta\":{\"c\\u006fntent\":\"a\"}}]}", "a"],
      ["{\"usage\":{},\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "a"],
      ["{\"choices\":[{\"logprobs\":[],\"delta\":{\"content\":\"a\"}}]}", "a"],
      ["{\"choices\":[{\"delta\":{\"tool_calls\":[],\"content\":\"a\"}}]}", "a"]
    ]
    for (const [json, content] of cases) assert.isUndefined(ChunkTemplate.make(json, content), json)
  })

  /** JSON of chunks, with white space, and with a member more in the chunk, in the choice or in the delta. */
  function* forms(): Generator<(content: string) => string> {
    const members = [
      "null",
      "\"content\"",
      "\"\\\"content\\\":\\\"a\"",
      "\"}]}\"",
      "-0",
      "1e999",
      "[]",
      "{\"content\":\"a\"}"
    ]
    for (const space of ["", " ", "\n\t"]) {
      for (const place of ["chunk", "choice", "delta"]) {
        for (const name of ["id", "content", "choices", "delta", "__proto__", "0", "message"]) {
          for (const member of members) {
            for (const isFirst of [true, false]) {
              const object = (at: string, key: string, value: string) => {
                const written = [`"${key}"${space}:${space}${value}`]
                if (at === place) written[isFirst ? "unshift" : "push"](`"${name}":${member}`)
                return `{${space}${written.join(`,${space}`)}${space}}`
              }
              yield (content) =>
                object(
                  "chunk",
                  "choices",
                  `[${object("choice", "delta", object("delta", "content", JSON.stringify(content)))}]`
                )
            }
          }
        }
      }
    }
  }

  it("reads what JSON.parse reads, with the members in the same order, or nothing", () => {
    const contents = ["a", "", "content", "ü\u2028", "\\", "\"", "\n"]
    let read = 0
    for (const write of forms()) {
      for (const first of contents) {
        const template = ChunkTemplate.make(write(first), first)
        if (template === undefined) continue
        for (const second of contents) {
          const copy = ChunkTemplate.read(template, write(second))
          if (copy === undefined) continue
          read++
          assert.deepStrictEqual(copy, JSON.parse(write(second)), write(second))
          assert.strictEqual(JSON.stringify(copy), JSON.stringify(JSON.parse(write(second))))
        }
      }
    }
    assert.isAbove(read, 3000)
  })

  const Event = Schema.Tuple([
    Schema.Literals(["a", " b", "\n", "\"", ""]),
    Schema.Literals(["", ",\"x\":1", ",\"usage\":{}"])
  ])

  it.prop("changes no part of a stream", [Schema.Array(Event)], ([events]) => {
    const said = Fold.initial("request")
    const parsed = Fold.initial("request")
    for (const [content, others] of events) {
      parsed.template = undefined
      assert.deepStrictEqual(
        Fold.step(said, "message", chunk(content, others)),
        Fold.step(parsed, "message", chunk(content, others))
      )
    }
    assert.deepStrictEqual({ ...said, template: 0, misfits: 0 }, { ...parsed, template: 0, misfits: 0 })
  })

  it("is not made again after 16 chunks in a row that differ in more than their text", () => {
    const said = Fold.initial("request")
    for (let index = 0; index < 16; index++) Fold.step(said, "message", chunk("a", `,"created":${index}`))
    const { template } = said
    for (const created of [16, 16, 17]) Fold.step(said, "message", chunk("a", `,"created":${created}`))
    assert.isDefined(template)
    assert.strictEqual(said.template, template)
  })

  it("is made again after a chunk that fits", () => {
    const said = Fold.initial("request")
    for (let index = 0; index < 100; index++) {
      Fold.step(said, "message", chunk("a", `,"created":${index}`))
      Fold.step(said, "message", chunk("b", `,"created":${index}`))
    }
    assert.include(said.template?.after, "\"created\":99")
  })
})
