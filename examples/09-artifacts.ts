/**
 * Downloads the files of a run in three ways: all into a folder, one into memory, one as a stream. Expired links are renewed, and
 * a file appears under its name only when it is complete.
 *
 * Run: `npm run example examples/09-artifacts.ts`
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Stream } from "effect"
import { Spine } from "canvas-runs"
import { live } from "./support/live.ts"

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const fs = yield* FileSystem.FileSystem

  const run = yield* spine.runs.run(
    { prompt: "Launch page and price list for a bakery", blocks: ["landing-page-block", "image-block", "excel-block"] },
    { timeout: "2 hours" }
  )

  // All files, a few at a time, under safe names
  const directory = yield* fs.makeTempDirectoryScoped()
  for (const { path } of yield* spine.artifacts.toDirectory(run, directory)) {
    const { size } = yield* fs.stat(path)
    yield* Console.log(`folder: ${path.slice(directory.length + 1)} (${size} bytes)`)
  }

  for (const artifact of run.result.artifacts) {
    if (artifact.type === "html") {
      const bytes = yield* spine.artifacts.download(run, artifact)
      yield* Console.log(`bytes: ${new TextDecoder().decode(bytes).split("\n", 1)[0]}`)
    } else if (artifact.type === "png") {
      // Chunk by chunk, for a file that need not fit into memory: to a bucket, to a hash, to an HTTP response
      const size = yield* spine.artifacts.stream(run, artifact).pipe(
        Stream.runFold(() => 0, (sum, chunk) => sum + chunk.byteLength)
      )
      yield* Console.log(`stream: ${artifact.name}, ${size} of ${artifact.size_bytes} bytes`)
    }
  }
}).pipe(Effect.scoped)

program.pipe(
  Effect.provide([live(), NodeServices.layer]),
  NodeRuntime.runMain
)
