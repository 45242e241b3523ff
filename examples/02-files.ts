/**
 * Files in every shape: bytes, a `File`, a stream with a known size, and a path. The last two are read while they are sent, so a
 * large file takes as little memory as a small one.
 *
 * Run: `npm run example examples/02-files.ts`
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { FileInput, Spine } from "canvas-runs"
import { live } from "./support/live.ts"

const row = new TextEncoder().encode("2026-01-31,north,1250\n")
const rows = 20_000

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient

  const config = yield* FileInput.fromPath(`${import.meta.dirname}/../package.json`, { filename: "config.json" })

  const run = yield* spine.runs.run({
    prompt: "Which region grew fastest, and why?",
    blocks: ["table-block", "excel-block"],
    files: [
      // Bytes without a name get one: file-1.txt
      new TextEncoder().encode("The north opened two shops in May."),
      new File(["# Regions"], "regions.md", { type: "text/markdown" }),
      { filename: "sales.csv", size: rows * row.byteLength, data: Stream.map(Stream.range(1, rows), () => row) },
      config
    ]
  }, { timeout: "2 hours" })

  // Each upload is a block of the canvas, and feeds the blocks that the agents make
  if (run.canvas_id === undefined) return
  const canvas = yield* spine.canvases.getDag(run.canvas_id)
  for (const block of canvas.nodes) {
    yield* Console.log(`${block.type.padEnd(12)} ${block.name}`)
  }
})

program.pipe(
  Effect.provide([live(), NodeServices.layer]),
  NodeRuntime.runMain
)
