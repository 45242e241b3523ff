/**
 * Files anywhere in the variables: alone, in lists, deep inside, from a link, bytes, a `Blob` or a path. Each is uploaded before
 * the execution, and only once, even if it is used several times. A path is read while it is sent.
 *
 * The canvas takes three variables: `offer` is a file, `annexes` is a list of files, and `brand` is any object.
 *
 * Run: `npm run example examples/15-files-in-variables.ts`
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Predicate } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"
import { pdf } from "./support/pdf.ts"
import * as View from "./support/view.ts"

/** Each file in the variables of the request: the place of its reference, and the address in it. */
const references = (value: unknown, path = ""): ReadonlyArray<readonly [path: string, url: string]> => {
  if (!Predicate.isObjectOrArray(value)) return []
  if ("file_url" in value && Predicate.isString(value.file_url)) return [[path, value.file_url]]
  return Object.entries(value).flatMap(([key, member]) => references(member, path === "" ? key : `${path}.${key}`))
}

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const fs = yield* FileSystem.FileSystem
  const canvas = tela.canvas.make({ id: yield* canvasId })

  const path = `${yield* fs.makeTempDirectoryScoped()}/offer.pdf`
  yield* fs.writeFile(path, pdf(["Offer 12", "A tide clock, EUR 1,250.50"]))

  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
  const logo = Tela.file(new Blob([Buffer.from(pixel, "base64")], { type: "image/png" }))
  const { result, variables } = yield* canvas.execute({
    // Only the first page
    offer: yield* Tela.fileFromPath(path, { range: [0, 0], parserType: "tela-pdf-parser" }),
    annexes: [
      // A link is passed on, and read by the provider
      Tela.file("https://example.com/terms.pdf"),
      Tela.file(new TextEncoder().encode("part,price\nclock,1250.50\n"), { name: "prices.csv" }),
      logo
    ],
    brand: { name: "Nordwind", marks: { light: logo, dark: logo } }
  })

  const sent = references(variables)
  yield* Console.log(View.table([["place", "sent as"], ...sent]))
  const urls = new Set(sent.map(([, url]) => url))
  const uploads = [...urls].filter((url) => url.startsWith("vault:")).length
  yield* Console.log(`\n${View.count(urls.size, "file")} in ${sent.length} places, ${View.count(uploads, "upload")}`)
  yield* Console.log(`answer: ${result}`)
}).pipe(Effect.scoped)

program.pipe(
  Effect.provide([
    live({ canvas: { output: "Nordwind offers a tide clock for EUR 1,250.50." } }),
    NodeServices.layer
  ]),
  NodeRuntime.runMain
)
