/** The provider's JSON of a run, about as large as a real one. */

/** The id of a run that ends `millis` after the start. Without `millis` it never ends. */
export const runId = (index: number, millis = 99_999_999): string =>
  `6f1c1d5e-2b7e-4a0c-9a53-${index.toString(16).padStart(4, "0").slice(-4)}${String(millis).padStart(8, "0")}`

export const endOf = (id: string): number => {
  const millis = Number(id.slice(-8))
  return millis === 99_999_999 ? Infinity : millis
}

/** The provider's response: the run is running, or it ended at that time. */
export const answer = (id: string, endedAt?: number): string =>
  JSON.stringify({
    success: true,
    data: endedAt === undefined
      ? {
        run_id: id,
        status: "running",
        canvas_id: "b0a4b7d2-7d55-4b5b-8f8e-6a6f3a9d3c20",
        progress: { tasks_completed: 2, tasks_total: 5, elapsed_ms: 61_000 }
      }
      : {
        run_id: id,
        status: "completed",
        canvas_id: "b0a4b7d2-7d55-4b5b-8f8e-6a6f3a9d3c20",
        duration_ms: 61_000,
        result: { final_output: String(endedAt), artifacts: [] },
        metadata: { template_used: "report", models_used: ["a/b"], credits_consumed: 37 }
      }
  })
