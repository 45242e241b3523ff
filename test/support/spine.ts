/** The client of Spine on its emulator. */
import { Layer, Redacted } from "effect"
import { type HttpClient } from "effect/http"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"

export const apiKey = "sk_spine_planted_secret_0001"

/** The client on the emulator in memory, which shares its `HttpClient`. */
export const live = (
  client?: Partial<Spine.Options>,
  emulator?: SpineEmulator.Options
): Layer.Layer<Spine.SpineClient | SpineEmulator.SpineEmulator | HttpClient.HttpClient> =>
  Layer.orDie(Spine.layer({ apiKey: Redacted.make(apiKey), ...client })).pipe(
    Layer.provideMerge(SpineEmulator.layerTest(emulator))
  )

/** The body of the response to a create. */
export const acceptedRun = (run_id: string) => ({
  success: true,
  data: { run_id, status: "running", poll_url: `/v1/run/${run_id}` }
})

/** The body of the response to a poll of a run that is still running. */
export const runningRun = (run_id: string) => ({
  success: true,
  data: { run_id, status: "running", progress: { tasks_completed: 0, tasks_total: 1, elapsed_ms: 1 } }
})

/** The body of the response to a poll of a run that has completed. */
export const completedRun = (run_id: string) => ({
  success: true,
  data: {
    run_id,
    status: "completed",
    canvas_id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
    duration_ms: 1,
    result: { artifacts: [], final_output: "done" },
    metadata: {}
  }
})
