/**
 * Zod instead of Effect Schema, for the variables and the output, with defaults, refinements and transformations. Every library
 * that implements Standard Schema works.
 *
 * The canvas takes a file, `document`, and a text, `language`, and answers with an object like `Invoice`.
 *
 * Run: `npm run example examples/18-zod.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Tela } from "canvas-runs"
import { z } from "zod"
import { canvasId, live } from "./support/liveTela.ts"
import { pdf } from "./support/pdf.ts"

const Variables = z.object({
  document: z.custom<Tela.TelaFile>(Tela.isTelaFile),
  language: z.enum(["en", "pt"]).default("en")
})

const Invoice = z.object({
  supplier: z.string().trim(),
  due: z.iso.date().transform((date) => new Date(date)),
  total: z.number().positive()
})

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, input: Variables, output: Invoice })

  const document = Tela.file(pdf(["Nordwind Ltd", "Total: EUR 1,250.50"]), { name: "invoice.pdf" })
  for (const options of [{}, { language: "pt" as const }]) {
    yield* canvas.execute({ document, ...options }).pipe(
      Effect.flatMap(({ result }) =>
        Console.log(`${result.supplier}: ${result.total.toFixed(2)}, due ${result.due.toISOString().slice(0, 10)}`)
      ),
      Effect.catchTag("InvalidOutputError", ({ issue }) => Console.log(`not to be paid: ${issue}`))
    )
  }
})

program.pipe(
  Effect.provide(live({
    executions: 2,
    canvas: {
      variables: [{ name: "document", type: "file" }, { name: "language" }],
      // In another language it misreads the total
      output: ({ variables }) => ({
        supplier: "Nordwind Ltd ",
        due: "2026-03-15",
        total: variables["language"] === "en" ? 1250.5 : -3
      })
    }
  })),
  NodeRuntime.runMain
)
