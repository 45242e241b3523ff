/**
 * Progress as a `Stream`: every change of a run as it comes, ending with the terminal one. What is true for streams is
 * true here: interrupt it, fold it, merge it with others.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Spine } from "canvas-runs"
import { live } from "./support/live.ts"

const describe = (run: Spine.Run): string => {
  switch (run.status) {
    case "running":
      return `running: ${run.progress.tasks_completed} of ${run.progress.tasks_total} tasks`
    case "completed":
      return `completed with ${run.result.artifacts.length} files`
    case "partial":
      return `partial with ${run.result.artifacts.length} files, but ${run.errors.map(({ error }) => error).join("; ")}`
    case "failed":
      return `failed: ${run.errors.map(({ error }) => error).join("; ")}`
    case "unknown":
      // Not an end: the provider may say more tomorrow than it does today
      return run.provider_status
  }
}

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const created = yield* spine.runs.create({ prompt: "Design a deck on Q3 sales", template: "slides" })

  yield* spine.runs.watch(created, { pollInterval: "10 seconds", timeout: "2 hours" }).pipe(
    Stream.map(describe),
    // A run can change in ways that are not described, as when its canvas appears
    Stream.changes,
    Stream.runForEach((line) => Console.log(line))
  )
})

program.pipe(
  Effect.provide(live()),
  NodeRuntime.runMain
)
