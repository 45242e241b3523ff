import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { z } from "zod"
import { RunError, Tela } from "canvas-runs"
import { TelaEmulator } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"

const live = Layer.orDie(Tela.layer({ apiKey: Redacted.make("tela_canvas") })).pipe(
  Layer.provideMerge(TelaEmulator.layerTest())
)

const setup = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const emulator = yield* TelaEmulator.TelaEmulator
  const canvas = yield* emulator.canvas({
    title: "Invoices",
    variables: [
      { name: "document", type: "file" },
      { name: "language" },
      { name: "note", required: false }
    ],
    structuredOutput: {
      type: "object",
      title: "Invoice",
      description: "",
      properties: {
        total: { type: "number" },
        currency: { type: "string" },
        lines: {
          type: "array",
          items: {
            type: "object",
            properties: { sku: { type: "string" }, count: { type: "integer" } },
            required: ["sku"]
          }
        }
      },
      required: ["total", "currency", "lines"]
    }
  })
  return { tela, emulator, canvas }
})

const Input = Schema.Struct({
  document: Tela.FileSchema,
  language: Schema.String,
  note: Schema.optionalKey(Schema.String)
})

const Output = Schema.Struct({
  total: Schema.Number,
  currency: Schema.Literals(["BRL", "EUR", "USD"]).pipe((literals) => Schema.Union([literals, Schema.String])),
  lines: Schema.Array(Schema.Struct({ sku: Schema.String, count: Schema.optionalKey(Schema.Number) }))
})

const differences = (schemas: Tela.Schemas<never, never> | object) =>
  Effect.gen(function*() {
    const { canvas, tela } = yield* setup
    const error = failure(yield* finish(tela.canvas.get({ id: canvas.id, ...schemas })))
    assert.instanceOf(error, RunError.BadRequestError)
    assert.include(error.message, "Invoices")
    assert.isTrue(error.sent, "a look-up was made, and nothing was executed")
    return error.message
  }).pipe(Effect.provide(live))

describe("canvas.get", () => {
  it.effect("returns a canvas by its id, with its version and its name", () =>
    Effect.gen(function*() {
      const { canvas, tela } = yield* setup
      const found = success(yield* finish(tela.canvas.get({ id: canvas.id, input: Input, output: Output })))
      assert.deepStrictEqual(
        [found.id, found.versionId, found.applicationId, found.name, found.isWorkflow, found.isWorkstation],
        [canvas.id, canvas.versionIds.at(-1), undefined, "Invoices", false, false]
      )
      const { result } = success(
        yield* finish(found.execute({ document: Tela.file("https://x.example/a.pdf"), language: "pt" }))
      )
      assert.isNumber(result.total)
    }).pipe(Effect.provide(live)))

  it.effect("returns a version, and an application", () =>
    Effect.gen(function*() {
      const { canvas, tela } = yield* setup
      const version = success(yield* finish(tela.canvas.get({ versionId: canvas.versionIds[0]! })))
      assert.deepStrictEqual([version.id, version.versionId], [canvas.id, canvas.versionIds[0]])
      const workstation = success(
        yield* finish(tela.canvas.get({ applicationId: canvas.applicationId, input: Input, output: Output }))
      )
      assert.deepStrictEqual(
        [workstation.id, workstation.applicationId, workstation.isWorkstation],
        [canvas.id, canvas.applicationId, true]
      )
    }).pipe(Effect.provide(live)))

  it.effect("returns a workflow without comparing its output", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      const found = success(yield* finish(tela.canvas.get({ id: TelaEmulator.workflowCanvasId, output: Output })))
      assert.isTrue(found.isWorkflow)
    }).pipe(Effect.provide(live)))

  it.effect("is a NotFoundError for an unknown canvas", () =>
    Effect.gen(function*() {
      const { tela } = yield* setup
      assert.instanceOf(
        failure(yield* finish(tela.canvas.get({ id: TelaEmulator.unknownCanvasId }))),
        RunError.NotFoundError
      )
    }).pipe(Effect.provide(live)))

  it.effect("names every difference of the input", () =>
    Effect.gen(function*() {
      const message = yield* differences({
        input: Schema.Struct({
          document: Schema.String,
          language: Schema.optionalKey(Schema.String),
          tone: Schema.String,
          note: Tela.FileSchema
        })
      })
      assert.include(message, "\"document\" is a file for the canvas and string in the input schema")
      assert.include(message, "\"language\" is required by the canvas and optional in the input schema")
      assert.include(message, "the input schema has \"tone\", which the canvas does not")
      assert.include(message, "\"note\" is text for the canvas and a file in the input schema")
      assert.include(
        yield* differences({ input: Schema.Struct({ language: Schema.String }) }),
        "the canvas requires \"document\" (file)"
      )
      assert.include(yield* differences({ input: Schema.String }), "not of an object")
    }))

  it.effect("names every difference of the output, at any depth", () =>
    Effect.gen(function*() {
      const message = yield* differences({
        output: Schema.Struct({
          total: Schema.String,
          lines: Schema.Array(Schema.Struct({ sku: Schema.Finite, count: Schema.Number })),
          due: Schema.String
        })
      })
      assert.include(message, "output.total is number on the canvas and string in the output schema")
      assert.include(message, "output.lines[].sku is string on the canvas and number")
      assert.include(message, "output.lines[].count may be absent")
      assert.include(message, "output.due does not exist on the canvas")
      assert.include(yield* differences({ output: Schema.String }), "object on the canvas and string")
    }))

  it.effect("compares Zod schemas in the same way", () =>
    Effect.gen(function*() {
      assert.include(
        yield* differences({ output: z.object({ total: z.string() }) }),
        "output.total is number on the canvas and string"
      )
      assert.include(
        yield* differences({ input: z.object({ document: z.string(), language: z.string() }) }),
        "\"document\" is a file"
      )
    }))

  it.effect("compares the encoded side of Zod schemas: the input type for outputs, and the output type for inputs", () =>
    Effect.gen(function*() {
      const { canvas, tela } = yield* setup
      const found = success(
        yield* finish(tela.canvas.get({
          id: canvas.id,
          input: z.object({
            document: z.custom<Tela.TelaFile>(Tela.isTelaFile),
            language: z.string().default("pt"),
            note: z.number().transform(String).optional()
          }),
          output: z.object({ total: z.coerce.number(), currency: z.string().transform((text) => text.length) })
        }))
      )
      assert.strictEqual(found.version!.variables.length, 3)
      assert.include(
        yield* differences({
          input: z.object({
            document: z.custom<Tela.TelaFile>(Tela.isTelaFile),
            language: z.string(),
            stray: z.string()
          })
        }),
        "the input schema has \"stray\""
      )
    }).pipe(Effect.provide(live)))

  it.effect("rejects an output schema other than text for a canvas that answers with text", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const { id } = yield* emulator.canvas({ title: "Stories" })
      success(yield* finish(tela.canvas.get({ id, output: Schema.String })))
      success(yield* finish(tela.canvas.get({ id, output: z.string() })))
      const error = failure(yield* finish(tela.canvas.get({ id, output: Output })))
      assert.include(error.message, "the canvas answers with text")
    }).pipe(Effect.provide(live)))

  for (const options of [{}, { id: "a/b" }, { id: "" }, { applicationId: "x", id: "y" }, { versionId: ".." }]) {
    it.effect(`rejects ${JSON.stringify(options)} before any request`, () =>
      Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        const error = yield* Effect.flip(tela.canvas.get(options as { id: string }))
        assert.instanceOf(error, RunError.BadRequestError)
        const executing = yield* Effect.flip(tela.canvas.make(options as { id: string }).execute({}))
        assert.instanceOf(executing, RunError.BadRequestError)
        assert.deepStrictEqual(yield* emulator.requests, [])
      }).pipe(Effect.provide(live)))
  }
})

describe("the operation in errors", () => {
  it.effect("is the method that the program called, in checks before the request and in responses", () =>
    Effect.gen(function*() {
      const { canvas } = yield* Tela.TelaClient
      const { execute, run, stream } = canvas.make({ id: TelaEmulator.unknownCanvasId })
      const wrong = (params: object) => params as { readonly tags: ReadonlyArray<string> }
      const methods: Record<string, (variables: object, params: object) => Effect.Effect<unknown, unknown>> = {
        "canvas.execute": (variables, params) => execute(variables, wrong(params)),
        "canvas.run": (variables, params) => run(variables, wrong(params)),
        "canvas.stream": (variables, params) => Stream.runDrain(stream(variables, wrong(params)))
      }
      for (const [method, call] of Object.entries(methods)) {
        const errors = yield* Effect.forEach([
          call({}, { bogus: 1 }),
          call({}, { tags: "nightly" }),
          call({ document: Tela.file("report.pdf") }, {}),
          call({}, {})
        ], Effect.flip)
        for (const error of errors) assert.propertyVal(error, "operation", method)
        assert.propertyVal(errors.at(-1), "_tag", "NotFoundError")
      }
    }).pipe(Effect.provide(live)))
})
