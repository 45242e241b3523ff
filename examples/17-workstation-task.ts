/**
 * A task for people: an application of a workstation executes its canvas, and the output waits for a review. The program has the
 * output at once, may correct it, and approves it, or leaves that to a person at Tela.
 *
 * The application (`TELA_APPLICATION_ID`) takes a file, `document`, and answers with an object like `Invoice`.
 *
 * Run: `npm run example examples/17-workstation-task.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Tela } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { applicationId, live } from "./support/liveTela.ts"
import { pdf } from "./support/pdf.ts"

const Invoice = Schema.Struct({ supplier: Schema.Struct({ name: Schema.String }), total: Schema.Finite })

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const invoices = tela.canvas.make({ applicationId: yield* applicationId, output: Invoice })

  const execution = yield* invoices.execute(
    { document: Tela.file(pdf(["Nordwnd Ltd", "Total: EUR 1,250.50"]), { name: "invoice.pdf" }) },
    { label: "Invoice NW-117", tags: ["examples"], pollingInterval: "2s", pollingTimeout: "10m" }
  )
  const { supplier } = yield* execution.result
  const task = yield* tela.tasks.get(execution.ref)
  yield* Console.log(`${task.name} is ${task.status}: ${supplier.name}`)

  yield* tela.tasks.patchOutputField(execution.ref, "supplier.name", "Nordwind Ltd")
  const { approvedBy, metadata, status } = yield* tela.tasks.approve(execution.ref)
  yield* Console.log(`${task.name} is ${status}, approved by ${approvedBy}`)
  for (const { author, path, previousValue } of metadata?.editedFields ?? []) {
    yield* Console.log(`- ${author} changed ${path}, which was ${JSON.stringify(previousValue)}`)
  }

  // The approved output is validated like any other
  const approved = yield* invoices.getExecution(execution.ref)
  yield* Console.log(`to be paid: ${JSON.stringify(yield* approved.result)}`)
})

program.pipe(
  Effect.provide(live({
    needs: "TELA_APPLICATION_ID",
    canvas: {
      output: { supplier: { name: "Nordwnd Ltd" }, total: 1250.5 },
      script: { timeline: Timeline.make({ duration: "8 seconds" }) }
    }
  })),
  NodeRuntime.runMain
)
