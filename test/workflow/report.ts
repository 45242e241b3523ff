/** A workflow with one run of Spine. */
import { Effect, Schema } from "effect"
import { Workflow } from "effect/workflow"
import { Spine } from "canvas-runs"
import { DurableRun, SpineWorkflow } from "canvas-runs/workflow"

export const Report = Workflow.make("Report", {
  payload: { topic: Schema.String, timeout: Schema.optional(Schema.String) },
  success: Schema.String,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

/** Returns the status of the run. */
export const report = Report.toLayer(Effect.fn(function*({ timeout = "1 day", topic }) {
  const spine = yield* Spine.SpineClient
  const run = yield* DurableRun.run("report", spine.runs.create({ prompt: topic }), {
    provider: SpineWorkflow.provider,
    timeout: timeout as "1 day"
  })
  return run.status
}))
