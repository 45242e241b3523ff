/**
 * Progress as a `Stream`: each change of a run, ending with the terminal snapshot. You can interrupt it, fold it, or merge it
 * with others, like every stream.
 *
 * Run: `npm run example examples/03-progress-stream.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Stream } from "effect"
import { RunRef, Spine } from "canvas-runs"
import { Progress } from "canvas-runs/picture"
import { live } from "./support/live.ts"
import * as View from "./support/view.ts"

const describe = (run: Spine.Run): string => {
  switch (run.status) {
    case "running": {
      const { tasks_completed: completed, tasks_total: total } = run.progress
      return `${Progress.bar({ completed, total }, 20)} ${completed} of ${total} tasks`
    }
    case "completed":
      return `completed with ${View.count(run.result.artifacts.length, "file")}`
    case "partial":
      return `partial with ${View.count(run.result.artifacts.length, "file")}: ${
        run.errors.map(({ error }) => error).join("; ")
      }`
    case "failed":
      return `failed: ${run.errors.map(({ error }) => error).join("; ")}`
    case "unknown":
      // A status that this version does not know is not terminal, so the wait continues
      return run.provider_status
  }
}

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const created = yield* spine.runs.create({ prompt: "Design a deck on Q3 sales", template: "slides" })
  yield* Console.log(RunRef.format(created.ref))
  const startedAt = yield* Clock.currentTimeMillis

  yield* spine.runs.watch(created, { pollInterval: "10 seconds", timeout: "2 hours" }).pipe(
    Stream.map(describe),
    // A run can change in ways that are not described, as when its canvas appears
    Stream.changes,
    Stream.runForEach((line) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => Console.log(`${View.time(now - startedAt).padStart(11)}  ${line}`)
      )
    )
  )
})

program.pipe(
  Effect.provide(live()),
  NodeRuntime.runMain
)
