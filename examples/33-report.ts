/**
 * Watches the blocks of a run, and writes a picture and a report: `run.svg` and `report.html`, in a new directory whose path is
 * printed. Both open in any browser.
 *
 * Run: `npm run example examples/33-report.ts`. With `SPINE_API_KEY` set, the real service does the run, for money.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Effect, FileSystem, Option, Path, Ref, Stream } from "effect"
import { Spine } from "canvas-runs"
import { History, Picture, Report } from "canvas-runs/picture"
import { live } from "./support/live.ts"

const prompt = "Compare three vector databases"

const main = Effect.gen(function*() {
  const { canvases, runs } = yield* Spine.SpineClient
  const created = yield* runs.create({ prompt, template: "report" })

  // The provider reports no times of blocks: they are the times at which this program sees them change
  const history = yield* Ref.make<History.History | undefined>(undefined)
  const look = Effect.fnUntraced(function*({ canvas_id = "" }: Spine.Run) {
    if (canvas_id === "") return
    const canvas = yield* canvases.getDag(canvas_id)
    const now = yield* Clock.currentTimeMillis
    yield* Ref.update(history, (before) => History.observe(before, canvas, now))
  })
  const last = yield* runs.watch(created, { pollInterval: "5 seconds", timeout: "2 hours" }).pipe(
    Stream.tap(look),
    Stream.runLast
  )
  const run = Option.getOrThrow(last)

  const canvas = yield* canvases.getDag(run.canvas_id ?? "")
  const tasks = yield* canvases.getTasks(run.canvas_id ?? "")
  const options = { canvas, tasks, history: yield* Ref.get(history) }
  yield* Effect.forEach(Picture.rows(canvas), (row) => Console.log(row))

  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.makeTempDirectory({ prefix: "canvas-runs-report-" })
  yield* fs.writeFileString(path.join(directory, "run.svg"), Picture.svg(canvas, { tasks, history: options.history }))
  yield* fs.writeFileString(
    path.join(directory, "report.html"),
    Report.spine(run, { ...options, prompt, ref: created.ref })
  )
  yield* Console.log(`run.svg and report.html are in ${directory}`)
})

main.pipe(Effect.provide([live(), NodeServices.layer]), NodeRuntime.runMain)
