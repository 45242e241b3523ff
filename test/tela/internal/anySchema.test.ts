import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { z } from "zod"
import * as AnySchema from "../../../src/tela/internal/anySchema.ts"

describe("a plain object of schemas", () => {
  const outcome = (conversion: Effect.Effect<unknown, string>) =>
    Effect.map(
      Effect.result(conversion),
      Result.match({ onFailure: (issue) => ({ issue }), onSuccess: (value) => value })
    )

  /** Names of fields are chosen by the caller, and half of these are names of Effect's schemas too. */
  const mixed = { date: Schema.DateFromString, total: z.number(), note: z.string().optional() }

  it.effect("converts a field by the kind of schema that the field has, in both directions", () =>
    Effect.gen(function*() {
      const date = new Date("2026-01-02T03:04:05.000Z")
      assert.deepStrictEqual(yield* AnySchema.decode(mixed)({ date: date.toISOString(), total: 3, note: "paid" }), {
        date,
        total: 3,
        note: "paid"
      })
      assert.deepStrictEqual(yield* AnySchema.encode(mixed)({ date, total: 3 }), { date: date.toISOString(), total: 3 })
      assert.deepStrictEqual(yield* AnySchema.decode({ date: Schema.DateFromString })({ date: date.toISOString() }), {
        date
      })
      assert.deepStrictEqual(yield* AnySchema.decode({ total: z.number() })({ total: 3, more: true }), { total: 3 })
    }))

  it.effect("keeps a field that is undefined, and adds no absent field", () =>
    Effect.gen(function*() {
      const fields = { note: z.string().optional() }
      assert.deepStrictEqual(yield* AnySchema.encode(fields)({}), {})
      assert.deepStrictEqual(yield* AnySchema.encode(fields)({ note: undefined }), { note: undefined })
    }))

  it.effect("reports every field that does not fit", () =>
    Effect.gen(function*() {
      const { issue } = yield* outcome(AnySchema.decode(mixed)({ date: 5, total: "3", note: 7 })) as Effect.Effect<
        { readonly issue: string }
      >
      assert.match(issue, /date.*; "total": .*expected number.*; "note": .*expected string/)
      for (const none of [null, "text", 3]) {
        assert.deepStrictEqual(yield* outcome(AnySchema.decode(mixed)(none)), { issue: "it is not an object" })
      }
    }))
})

it("a value that is not a schema is rejected with its description", () => {
  const throwing = Object.defineProperty({}, "field", { enumerable: true, get: () => assert.fail("read") }) as unknown
  const faults: ReadonlyArray<readonly [unknown, string | undefined]> = [
    [{ total: Schema.Number, note: z.string() }, undefined],
    [null, "null"],
    [Symbol.iterator, "symbol"],
    ["string", "\"string\""],
    [() => true, "a function"],
    [[Schema.String], "an array"],
    [{}, "an object without fields"],
    [{ total: "number" }, "an object whose \"total\" is not a schema"],
    [
      { type: "object", properties: {} },
      "an object whose \"type\" is not a schema (a JSON Schema cannot be used here)"
    ],
    [throwing, "an object that cannot be read"]
  ]
  for (const [schema, fault] of faults) assert.strictEqual(AnySchema.faultOf(schema), fault)
})
