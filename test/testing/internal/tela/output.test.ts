import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import * as tela from "../../tela.ts"

const { emulated } = tela
const control = TelaEmulator.TelaEmulator

describe("the default output", () => {
  const content = (body: tela.Json) => Effect.map(tela.run(body), (run) => run.choices[0].message.content)

  it.effect("is a text that repeats the variables", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* content({}), "The emulator was given nothing.")
      assert.strictEqual(
        yield* content({
          variables: {
            topic: "Effect",
            doc: [{ file_url: "https://x.y/a.pdf?x=1" }, { file_url: "https://x.y/", file_name: "b.pdf" }],
            inline: { file_url: "data:text/plain;base64,eA==" },
            data: { a: [1] }
          },
          messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: "?" }]
        }),
        `The emulator was given topic: Effect, doc: a.pdf and b.pdf, inline: inline, data: {"a":[1]}, user: Hi.`
      )
    }).pipe(emulated()))

  it.effect("assumption 22: is an object that fits the schema of the request", () =>
    Effect.gen(function*() {
      const schema = {
        type: "object",
        title: "Invoice",
        description: "",
        required: [],
        properties: {
          city: { type: "string" },
          summary: { type: "string", maxLength: 10 },
          total: { type: "number" },
          count: { type: "integer", minimum: 100 },
          small: { type: "number", exclusiveMaximum: 1, multipleOf: 0.5 },
          paid: { type: "boolean" },
          currency: { enum: ["USD", "BRL"] },
          kind: { const: "invoice" },
          at: { type: "string", format: "date-time" },
          lines: { type: "array", minItems: 2, items: { $ref: "#/$defs/line" } },
          pair: { type: "array", prefixItems: [{ type: "string" }, { type: "null" }] },
          note: { anyOf: [{ type: "null" }, { type: "string" }] },
          maybe: { type: ["null", "integer"] },
          both: {
            allOf: [{ type: "object", properties: { a: { type: "boolean" } } }, {
              properties: { b: { type: "null" } }
            }]
          },
          long: { type: "string", minLength: 12 },
          anything: {}
        },
        $defs: { line: { type: "object", properties: { price: { type: "integer", maximum: 3 } } } }
      }
      const variables = { city: "Lisbon", total: "12.5", currency: "BRL", paid: false }
      assert.deepStrictEqual(
        yield* content({ variables, override: { type: "chat", structured_output: { enabled: true, schema } } }),
        {
          city: "Lisbon",
          summary: "summary of",
          total: 12.5,
          count: 100,
          small: 0.5,
          paid: false,
          currency: "BRL",
          kind: "invoice",
          at: "2026-01-02T03:04:05.000Z",
          lines: [{ price: 3 }, { price: 3 }],
          pair: ["pair of Lisbon", null],
          note: "note of Lisbon",
          maybe: 42,
          both: { a: true, b: null },
          long: "long of Lisbon",
          anything: "anything of Lisbon"
        }
      )
    }).pipe(emulated()))

  it.effect("is an object that fits the schema of the canvas, unless the request disables that", () =>
    Effect.gen(function*() {
      const { id } = yield* (yield* control).canvas({
        structuredOutput: { type: "object", properties: { total: { type: "number" } } }
      })
      assert.deepStrictEqual(yield* content({ canvas_id: id }), { total: 42 })
      assert.strictEqual(
        yield* content({ canvas_id: id, override: { type: "chat", structured_output: { enabled: false } } }),
        "The emulator was given nothing."
      )
      const run = yield* tela.run({ canvas_id: id, async: true })
      yield* TestClock.adjust("5 seconds")
      assert.isTrue((yield* tela.poll(run.id)).output_content.has_structured_output)
    }).pipe(emulated()))

  it.effect("is finite, even for a recursive schema", () =>
    Effect.gen(function*() {
      const schema = { type: "object", properties: { child: { $ref: "#" } } }
      const body = { override: { type: "chat", structured_output: { enabled: true, schema } } }
      assert.isObject(yield* content(body))
    }).pipe(emulated()))
})
