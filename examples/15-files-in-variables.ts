/**
 * Files anywhere in the variables: alone, in lists, deep inside, from a link, bytes, a `Blob` or a path. Each is uploaded
 * once, however often it is used, and before anything is executed. A path is read while it is sent.
 *
 * The canvas takes a file, `offer`, files, `annexes`, and whatever `brand` holds.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"
import { pdf } from "./support/pdf.ts"

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const fs = yield* FileSystem.FileSystem
  const canvas = tela.canvas.make({ id: yield* canvasId })

  const path = `${yield* fs.makeTempDirectoryScoped()}/offer.pdf`
  yield* fs.writeFile(path, pdf(["Offer 12", "A tide clock, EUR 1,250.50"]))

  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
  const logo = Tela.file(new Blob([Buffer.from(pixel, "base64")], { type: "image/png" }))
  const { result, variables } = yield* canvas.execute({
    // The first page only
    offer: yield* Tela.fileFromPath(path, { range: [0, 0], parserType: "tela-pdf-parser" }),
    annexes: [
      // A link is passed on, and read by the provider
      Tela.file("https://example.com/terms.pdf"),
      Tela.file(new TextEncoder().encode("part,price\nclock,1250.50\n"), { name: "prices.csv" }),
      logo
    ],
    brand: { name: "Nordwind", marks: { light: logo, dark: logo } }
  })

  // What was sent: references in place of the files
  yield* Console.dir(variables, { depth: null })
  yield* Console.log(result)
}).pipe(Effect.scoped)

program.pipe(
  Effect.provide([
    live({ canvas: { output: "Nordwind offers a tide clock for EUR 1,250.50." } }),
    NodeServices.layer
  ]),
  NodeRuntime.runMain
)
