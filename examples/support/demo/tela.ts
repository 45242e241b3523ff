/**
 * The demo's Tela executions, one in each mode: synchronous, polled and streamed. All are of one canvas, which takes a file,
 * `document`, and answers with an object like `Invoice`.
 */
import { Clock, Effect, Ref, Schema, Stream, Terminal } from "effect"
import { Tela } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import * as LiveTela from "../liveTela.ts"
import { pdf } from "../pdf.ts"
import * as View from "../view.ts"
import type { Job, Outcome, Setting } from "./job.ts"

const Invoice = Schema.Struct({
  number: Schema.String,
  supplier: Schema.String,
  total: Schema.Finite,
  currency: Schema.String
})

const invoice = Tela.file(
  pdf(["Nordwind Ltd", "Invoice NW-117", "One tide clock, brass", "Total: EUR 1,250.50"]),
  { name: "invoice.pdf" }
)
const receipt = Tela.file(pdf(["Harbour Cafe", "Receipt 0042", "Total: EUR 18.20"]), { name: "receipt.pdf" })

const answer =
  "Nordwind asks for EUR 1,250.50, for one tide clock made of brass. There is no discount, and nothing says " +
  "by when it has to be paid, so thirty days are usual. A clock this dear should come with a guarantee; the invoice " +
  "is silent about that, too."

/** The canvas on the emulator. */
export const canvas: LiveTela.Options["canvas"] = {
  title: "Invoices",
  variables: [{ name: "document", type: "file" }],
  structuredOutput: Schema.toJsonSchemaDocument(Invoice).schema,
  output: ({ mode }) =>
    mode === "async"
      ? { number: "0042", supplier: "Harbour Cafe", total: 18.2, currency: "EUR" }
      : { number: "NW-117", supplier: "Nordwind Ltd", total: 1250.5, currency: "EUR" },
  script: ({ mode }) =>
    mode === "async"
      ? { createdFor: "1.5 seconds", timeline: Timeline.make({ duration: "4 seconds" }) }
      : mode === "sync"
      ? { timeline: Timeline.make({ duration: "2.5 seconds" }) }
      : { stream: { pieces: answer.split(/(?<= )/), pause: "50 millis" } }
}

/** Shows a job on the screen, with its outcome. A failed execution is an outcome. */
const shown = (
  name: string,
  { screen }: Setting
) =>
<R>(execution: Effect.Effect<typeof Invoice.Type, Tela.ResultError | Tela.ExecuteError, R>) =>
  execution.pipe(
    Effect.map(({ currency, number, supplier, total }): Outcome => ({
      status: "succeeded",
      files: [],
      note: `${number} of ${supplier}: ${total.toFixed(2)} ${currency}`
    })),
    Effect.catchTags({
      RunFailedError: ({ errors }) => Effect.succeed<Outcome>({ status: "failed", files: [], note: errors.join("; ") }),
      InvalidOutputError: ({ issue }) =>
        Effect.succeed<Outcome>({ status: "failed", files: [], note: `The answer is not an invoice: ${issue}` })
    }),
    Effect.tap(({ note, status }) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (endedAt) => screen.update(name, { status, note, endedAt })
      )
    )
  )

/** Uploads a file, and waits for the answer. */
const executeSync = Effect.fn("executeSync")(function*(setting: Setting) {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* LiveTela.canvasId, output: Invoice })
  yield* setting.screen.update("invoice", { status: "executing" })
  return yield* canvas.execute({ document: invoice }).pipe(
    Effect.map(({ result }) => result),
    shown("invoice", setting)
  )
})

/** Uploads a file, and follows the execution by its changes of status. */
const executeAsync = Effect.fn("executeAsync")(function*(setting: Setting) {
  const { real, screen, underWay } = setting
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* LiveTela.canvasId, output: Invoice })

  // Uninterruptible: an interrupted create may have made an execution whose id is lost
  yield* screen.update("receipt", { status: "creating" })
  const execution = yield* canvas.execute(
    { document: receipt },
    { async: true, pollingInterval: real ? "2s" : "200ms", pollingTimeout: "10m" }
  ).pipe(
    Effect.tap(({ ref }) => Ref.update(underWay, (refs) => [...refs, ref])),
    Effect.uninterruptible
  )

  yield* screen.update("receipt", { status: yield* execution.status })
  yield* Stream.runForEach(
    execution.events,
    (event) =>
      // The end is shown with its outcome
      event._tag === "statusChange" && event.status === "running"
        ? screen.update("receipt", { status: event.status })
        : Effect.void
  )
  const outcome = yield* execution.result.pipe(shown("receipt", setting))
  yield* Ref.update(underWay, (refs) => refs.filter(({ id }) => id !== execution.id))
  return outcome
})

/** Asks a question about a file, and prints the answer as it arrives. Nothing else may print at the same time. */
export const executeStream = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const terminal = yield* Terminal.Terminal
  const canvas = tela.canvas.make({ id: yield* LiveTela.canvasId })
  let pieces = 0

  yield* terminal.display("\nWhich facts matter in invoice.pdf?\n\n  ")
  const length = yield* canvas.stream(
    { document: invoice },
    { messages: [{ role: "user", content: "Which facts matter in this invoice? Answer in three sentences." }] }
  ).pipe(
    Stream.tap((part) => {
      if (part._tag !== "delta" || part.content === "") return Effect.void
      pieces++
      return terminal.display(part.content)
    }),
    Stream.runFold(() => 0, (length, part) => part._tag === "final" ? part.message.length : length)
  )
  yield* terminal.display("\n")
  const note = `${View.count(length, "character")} in ${View.count(pieces, "piece")}`
  return { status: "succeeded", files: [], note } satisfies Outcome
})

/** The concurrent jobs, the synchronous one last. */
export const jobs = [
  { name: "receipt", provider: "Tela async", expected: "succeeded", perform: executeAsync },
  { name: "invoice", provider: "Tela sync", expected: "succeeded", perform: executeSync }
] satisfies ReadonlyArray<Job<unknown, Tela.TelaClient>>
