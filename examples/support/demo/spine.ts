/** The demo's Spine runs: polled with their progress on the screen, and their files downloaded. */
import { Clock, Console, Effect, type FileSystem, Ref, Stream } from "effect"
import { Polling, type RunError, type RunSource, Spine } from "canvas-runs"
import type { Progress } from "canvas-runs/picture"
import { type SpineEmulator, Timeline } from "canvas-runs/testing"
import * as View from "../view.ts"
import type { Job, Outcome, Setting } from "./job.ts"

/** A run, and its script on the emulator. */
interface Plan {
  readonly name: string
  readonly params: Spine.CreateRunParams
  readonly script: SpineEmulator.Script & { readonly timeline: Timeline.Timeline }
}

const sales = new TextEncoder().encode(
  "month,region,revenue\n2026-01,north,1250\n2026-02,north,1410\n2026-02,south,980\n"
)

const plans: ReadonlyArray<Plan> = [
  {
    name: "report",
    params: { prompt: "Compare three vector databases for a small team", template: "report" },
    script: { timeline: Timeline.make({ duration: "6.5 seconds", tasks: 8 }), credits: 62 }
  },
  {
    name: "sales",
    params: {
      prompt: "Chart the sales in the file, and make a deck of them",
      blocks: ["table-block", "excel-block", "presentation-block"],
      agent_instructions: "Write for people who have five minutes.",
      files: [{ data: sales, filename: "sales.csv" }]
    },
    script: { timeline: Timeline.make({ duration: "5 seconds", tasks: 6 }), credits: 48 }
  },
  {
    name: "launch",
    params: { prompt: "A landing page for a bakery that opens in May", template: "landing_page" },
    script: {
      timeline: Timeline.make({
        duration: "4.5 seconds",
        tasks: 4,
        outcome: "partial",
        errors: ["yt-block: the video is private"]
      })
    }
  },
  {
    name: "memo",
    params: { prompt: "Three sentences on why a long job should fail with a typed error", template: "memo" },
    script: {
      timeline: Timeline.make({
        duration: "3.5 seconds",
        tasks: 5,
        outcome: "failed",
        errors: ["The agents ran out of sources"],
        // The run ends in the middle
        progress: (elapsed) => ({ completed: Math.min(2, Math.floor(elapsed / 1000)), total: 5 })
      })
    }
  }
]

/** The script of each run on the emulator. */
export const script = ({ prompt }: SpineEmulator.CreateRequest): SpineEmulator.Script =>
  plans.find(({ params }) => params.prompt === prompt)?.script ?? {}

/** Takes a run from its creation to its files. */
const perform = Effect.fn("perform")(function*({ name, params }: Plan, { directory, real, screen, underWay }: Setting) {
  const spine = yield* Spine.SpineClient
  const show = (change: Partial<Progress.Run>) => screen.update(name, change)

  // Uninterruptible: an interrupted create may have made a run whose id is lost
  yield* show({ status: "creating" })
  const { ref } = yield* spine.runs.create(params).pipe(
    Effect.tap(({ ref }) => Ref.update(underWay, (refs) => [...refs, ref])),
    Effect.uninterruptible
  )

  // One fiber shows the run and the other waits for its end. Both share the polls
  const shared = yield* spine.runs.share(ref, real ? patient : brisk)
  let tasks: RunSource.Progress = { completed: 0, total: 0 }
  const showProgress = Stream.runForEach(shared.watch, (run) => {
    if (run.status === "unknown") return show({ status: run.provider_status })
    if (run.status !== "running") return Effect.void
    tasks = { completed: run.progress.tasks_completed, total: run.progress.tasks_total }
    return show({ status: "running", unit: "tasks", progress: tasks })
  })

  const finish = Effect.fnUntraced(function*(run: Spine.CompletedRun | Spine.PartialRun) {
    if (run.status === "completed") tasks = { ...tasks, completed: tasks.total }
    yield* show({ status: "downloading", progress: tasks })
    const downloaded = yield* spine.artifacts.toDirectory(run, `${directory}/${name}`)
    const files = downloaded.map(({ artifact, path }) => ({ path, bytes: artifact.size_bytes ?? 0 }))
    const missing = run.status === "partial" ? run.errors.map(({ error }) => error) : []
    const note = [View.count(files.length, "file"), ...missing].join("; ")
    const { canvas_id: canvasId, metadata, status } = run
    yield* show({ status, note, endedAt: yield* Clock.currentTimeMillis })
    return { status, tasks, canvasId, credits: metadata?.credits_consumed, files, note } satisfies Outcome
  })

  const fail = Effect.fnUntraced(function*({ errors }: RunError.RunFailedError) {
    const note = errors.join("; ")
    yield* show({ status: "failed", note, endedAt: yield* Clock.currentTimeMillis })
    return { status: "failed", tasks, files: [], note } satisfies Outcome
  })

  const outcome: Outcome = yield* Effect.all([shared.wait, showProgress], { concurrency: "unbounded" }).pipe(
    Effect.flatMap(([run]) => finish(run)),
    Effect.catchTag("RunFailedError", fail)
  )
  yield* Ref.update(underWay, (refs) => refs.filter(({ id }) => id !== ref.id))
  return outcome
})

const brisk: Spine.WaitOptions = { pollInterval: "200 millis", timeout: "30 seconds" }

const patient: Spine.WaitOptions = {
  schedule: Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute" }),
  timeout: "2 hours"
}

const jobOf = (plan: Plan) =>
  ({
    name: plan.name,
    provider: "Spine",
    expected: plan.script.timeline.outcome,
    perform: (setting) => perform(plan, setting)
  }) satisfies Job<unknown, Spine.SpineClient | FileSystem.FileSystem>

/** The jobs, the cheapest last. */
export const jobs = plans.map(jobOf)

/** Shows how the blocks of a run's canvas feed each other. */
export const showCanvas = Effect.fnUntraced(function*(name: string, canvasId: string) {
  const spine = yield* Spine.SpineClient
  const { edges, nodes } = yield* spine.canvases.getDag(canvasId)
  const nameOf = (id: string) => nodes.find((node) => node.id === id)?.name ?? id
  const rows = nodes.map(({ id, name, status, type }) => {
    const sources = edges.filter(({ target_id }) => target_id === id).map(({ source_id }) => nameOf(source_id))
    return [`  ${name}`, type, status, sources.length === 0 ? "" : `from ${sources.join(", ")}`]
  })
  yield* Console.log(`\nThe canvas of ${name}:\n${View.table(rows)}`)
})
