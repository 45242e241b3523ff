/**
 * Schemas that are checked against the canvas before anything is executed: `canvas.get` looks the canvas up, and fails with every
 * difference in one message. Call it where your program starts, because people edit canvases.
 *
 * `canvas.make` takes the same options without a check or a request.
 *
 * Run: `npm run example examples/20-check-schemas.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

/** The schema in the program, written some time ago. */
const before = {
  input: Schema.Struct({ document: Schema.String, tone: Schema.String }),
  output: Schema.Struct({ total: Schema.String, lines: Schema.Array(Schema.Struct({ price: Schema.Finite })) })
}

/** The current schema of the canvas. */
const now = {
  input: Schema.Struct({ document: Tela.FileSchema, language: Schema.String }),
  output: Schema.Struct({ total: Schema.Finite, lines: Schema.Array(Schema.Struct({ amount: Schema.Finite })) })
}

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const id = yield* canvasId

  const error = yield* Effect.flip(tela.canvas.get({ id, ...before }))
  yield* Console.log(`${error._tag}: ${error.message}\n`)

  const canvas = yield* tela.canvas.get({ id, ...now })
  const document = Tela.file("https://example.com/invoice.pdf")
  const { result } = yield* canvas.execute({ document, language: "en" })
  yield* Console.log(`${canvas.name}: ${result.lines.length} lines, ${result.total} in total`)
})

program.pipe(
  Effect.provide(live({
    canvas: {
      title: "Invoices",
      variables: [{ name: "document", type: "file" }, { name: "language" }],
      // The canvas has the newer schemas
      structuredOutput: Schema.toJsonSchemaDocument(now.output).schema,
      output: { total: 1250.5, lines: [{ amount: 1200 }, { amount: 50.5 }] }
    }
  })),
  NodeRuntime.runMain
)
