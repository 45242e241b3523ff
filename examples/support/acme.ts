/** The service of `28-own-provider.ts`: an invented provider of long jobs, emulated in memory. */
import { Effect, Layer } from "effect"
import { HttpClient, HttpServerResponse } from "effect/http"
import { Emulator, Timeline } from "canvas-runs/testing"

export const origin = "https://acme.example"

const { jsonUnsafe } = HttpServerResponse

/** Makes the service, with a method that scripts its next jobs. */
export const make = Effect.fnUntraced(function*(timeline: Timeline.Timeline) {
  let script = timeline
  const jobs = new Map<string, { readonly createdAt: number; readonly timeline: Timeline.Timeline }>()
  const refuse = (status: number) => jsonUnsafe({ error: `status ${status}` }, { status })

  const emulator = yield* Emulator.make(
    { origins: [origin], requestIdHeader: "x-request-id", errorBody: (status) => ({ error: `status ${status}` }) },
    ({ now, request, url, uuid }) =>
      Effect.sync(() => {
        if (!request.headers["authorization"]?.startsWith("Bearer ")) return refuse(401)
        if (request.method === "POST" && url.pathname === "/jobs") {
          const id = uuid()
          jobs.set(id, { createdAt: now, timeline: script })
          return jsonUnsafe({ id, status: "running", done: 0, total: script.tasks, output: "" }, { status: 201 })
        }
        const id = url.pathname.slice("/jobs/".length)
        const job = jobs.get(id)
        if (job === undefined) return refuse(404)
        const { phase, progress, status } = Timeline.at(job.timeline, now - job.createdAt)
        const counts = { id, output: "", done: progress.completed, total: progress.total }
        return jsonUnsafe(
          status !== undefined || phase === "running"
            ? { ...counts, status: status ?? "running" }
            : phase === "failed"
            ? { ...counts, status: "failed", output: job.timeline.errors[0] ?? "out of luck" }
            : { ...counts, status: "succeeded", output: "42" }
        )
      })
  )
  const setScript = (timeline: Timeline.Timeline) =>
    Effect.sync(() => {
      script = timeline
    })
  return { emulator, setScript }
})

/** An HTTP client that reaches the service. */
export const layer = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(make(Timeline.make({ duration: "1 second" })), ({ emulator }) => Emulator.toHttpClient(emulator))
)
