/**
 * Typed data from a PDF. The file is uploaded with the execution, and the answer of the canvas is validated: a result fits the
 * schema, and an answer that does not fit is an error with the answer in it.
 *
 * The canvas takes a file, `document`, and answers with an object like `Invoice`.
 *
 * Run: `npm run example examples/11-extract-from-pdf.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Schema } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"
import { pdf } from "./support/pdf.ts"

/** The response has text, and the schema turns it into dates and numbers. */
const Invoice = Schema.Struct({
  number: Schema.String,
  supplier: Schema.String,
  due: Schema.DateTimeUtcFromString,
  total: Schema.Finite,
  currency: Schema.Literals(["EUR", "USD"])
})

const bytes = pdf(["Nordwind Ltd", "Invoice NW-117", "Total: EUR 1,250.50", "Due: 15 March 2026"])

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Invoice })

  const execution = yield* canvas.execute({ document: Tela.file(bytes, { name: "invoice.pdf" }) })
  const { result } = execution

  yield* Console.log(`${result.supplier}, ${result.number}: ${result.total.toFixed(2)} ${result.currency}`)
  yield* Console.log(
    `due ${DateTime.formatIsoDate(DateTime.subtract(result.due, { days: 14 }))} if we want the discount`
  )
  yield* Console.log(`Tela's support will ask for the request: ${yield* execution.requestId}`)
}).pipe(
  Effect.catchTag(
    "InvalidOutputError",
    ({ issue, output }) => Console.log(`This is not an invoice (${issue}): ${JSON.stringify(output)}`)
  )
)

program.pipe(
  // In your own program: Effect.provide(Tela.layerFetch())
  Effect.provide(live({
    canvas: {
      output: { number: "NW-117", supplier: "Nordwind Ltd", due: "2026-03-15", total: 1250.5, currency: "EUR" }
    }
  })),
  NodeRuntime.runMain
)
