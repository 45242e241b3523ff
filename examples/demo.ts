/**
 * `npm run demo`: several Spine runs at once, from prompts to downloaded files, with their progress as it happens.
 *
 * Without `SPINE_API_KEY` the emulator does the work, on a loopback socket and through the same client. With a key the
 * real service does it: one run, because runs cost money, or `npm run demo -- --all` for all of them.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Clock, Console, Data, Duration, Effect, FileSystem, Option, Ref, Stdio, Stream } from "effect"
import { Polling, type RunError, type RunRef, Spine } from "canvas-runs"
import { type SpineEmulator, Timeline } from "canvas-runs/testing"
import { isReal, liveSocket } from "./support/live.ts"
import * as Screen from "./support/screen.ts"
import * as View from "./support/view.ts"

/** A run of the demo. */
interface Job {
  readonly name: string
  readonly params: Spine.CreateRunParams
  /** What the emulator makes of it. */
  readonly script: SpineEmulator.Script & { readonly timeline: Timeline.Timeline }
}

/** What became of it. */
interface Outcome {
  readonly job: Job
  readonly status: Timeline.Outcome
  readonly tasks: Polling.Progress
  readonly canvasId?: string | undefined
  readonly credits?: number | undefined
  readonly files: ReadonlyArray<{ readonly path: string; readonly bytes: number }>
  /** What else there is to say. */
  readonly note: string
}

class Unexpected extends Data.TaggedError("Unexpected")<{ readonly message: string }> {}

const sales = new TextEncoder().encode(
  "month,region,revenue\n2026-01,north,1250\n2026-02,north,1410\n2026-02,south,980\n"
)

const memo: Job = {
  name: "memo",
  params: { prompt: "Three sentences on why a long job should fail with a typed error", template: "memo" },
  script: {
    timeline: Timeline.make({
      duration: "3.5 seconds",
      tasks: 5,
      outcome: "failed",
      errors: ["The agents ran out of sources"],
      // It breaks off in the middle
      progress: (elapsed) => ({ completed: Math.min(2, Math.floor(elapsed / 1000)), total: 5 })
    })
  }
}

const allJobs: ReadonlyArray<Job> = [
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
  memo
]

/** What the runs have in common. */
interface Setting {
  readonly screen: Screen.Screen
  readonly directory: string
  readonly wait: Spine.WaitOptions
  /** The runs that were created and have not been dealt with. */
  readonly underWay: Ref.Ref<ReadonlyArray<RunRef.RunRef>>
}

/** Takes a job from its creation to its files. A run that fails is an outcome; anything else that goes wrong is not. */
const perform = Effect.fn("perform")(function*(job: Job, { directory, screen, underWay, wait }: Setting) {
  const spine = yield* Spine.SpineClient
  const show = (change: Partial<View.Row>) => screen.update(job.name, change)

  // Not to be interrupted: a run whose creation is abandoned half way may exist, and nobody would know its id
  yield* show({ status: "creating" })
  const { ref } = yield* spine.runs.create(job.params).pipe(
    Effect.tap(({ ref }) => Ref.update(underWay, (refs) => [...refs, ref])),
    Effect.uninterruptible
  )

  // One shows the run and the other waits for its end, and for both together it is polled once
  const shared = yield* spine.runs.share(ref, wait)
  let tasks: Polling.Progress = { completed: 0, total: 0 }
  const showProgress = Stream.runForEach(shared.watch, (run) => {
    if (run.status === "unknown") return show({ status: run.provider_status })
    if (run.status !== "running") return Effect.void
    tasks = { completed: run.progress.tasks_completed, total: run.progress.tasks_total }
    return show({ status: "running", ...tasks })
  })

  const finish = Effect.fnUntraced(function*(run: Spine.CompletedRun | Spine.PartialRun) {
    if (run.status === "completed") tasks = { ...tasks, completed: tasks.total }
    yield* show({ status: "downloading", ...tasks })
    const downloaded = yield* spine.artifacts.toDirectory(run, `${directory}/${job.name}`)
    const files = downloaded.map(({ artifact, path }) => ({ path, bytes: artifact.size_bytes }))
    const missing = run.status === "partial" ? run.errors.map(({ error }) => error) : []
    const note = [View.count(files.length, "file"), ...missing].join("; ")
    const { canvas_id: canvasId, metadata, status } = run
    yield* show({ status, note, endedAt: yield* Clock.currentTimeMillis })
    return { job, status, tasks, canvasId, credits: metadata?.credits_consumed, files, note } satisfies Outcome
  })

  const fail = Effect.fnUntraced(function*({ errors }: RunError.RunFailedError) {
    const note = errors.join("; ")
    yield* show({ status: "failed", note, endedAt: yield* Clock.currentTimeMillis })
    return { job, status: "failed", tasks, files: [], note } satisfies Outcome
  })

  const outcome: Outcome = yield* Effect.all([shared.wait, showProgress], { concurrency: "unbounded" }).pipe(
    Effect.flatMap(([run]) => finish(run)),
    Effect.catchTag("RunFailedError", fail)
  )
  yield* Ref.update(underWay, (refs) => refs.filter(({ id }) => id !== ref.id))
  return outcome
})

/** Performs the jobs side by side. However it is stopped, it says which runs go on without it. */
const performAll = Effect.fn("performAll")(function*(
  jobs: ReadonlyArray<Job>,
  options: Pick<Setting, "directory" | "wait">
) {
  const underWay = yield* Ref.make<ReadonlyArray<RunRef.RunRef>>([])
  return yield* Effect.gen(function*() {
    const screen = yield* Screen.make(jobs.map(({ name }) => name))
    return yield* Effect.forEach(
      jobs,
      (job) => Effect.timed(perform(job, { ...options, screen, underWay })),
      { concurrency: "unbounded" }
    )
  }).pipe(
    Effect.scoped,
    Effect.onError(() => Effect.flatMap(Ref.get(underWay), leave))
  )
})

const leave = Effect.fnUntraced(function*(refs: ReadonlyArray<RunRef.RunRef>) {
  if (refs.length === 0) return
  yield* Console.log(
    `\nStopped with ${
      View.count(refs.length, "run")
    } under way. The emulator ends here too, but the real service goes on ` +
      "with what it has accepted: Run.parseRef reads a ref back, and runs.waitForCompletion takes it (06-resume.ts)."
  )
  for (const ref of refs) yield* Console.log(JSON.stringify(ref))
})

const showCanvas = Effect.fnUntraced(function*({ canvasId, job }: Outcome) {
  if (canvasId === undefined) return
  const { edges, nodes } = yield* Spine.SpineClient.use(({ canvases }) => canvases.getDag(canvasId))
  const nameOf = (id: string) => nodes.find((node) => node.id === id)?.name ?? id
  const rows = nodes.map(({ id, name, status, type }) => {
    const sources = edges.filter(({ target_id }) => target_id === id).map(({ source_id }) => nameOf(source_id))
    return [`  ${name}`, type, status, sources.length === 0 ? "" : `from ${sources.join(", ")}`]
  })
  yield* Console.log(`\nThe canvas of ${job.name}:\n${View.table(rows)}`)
})

const demo = Effect.fn("demo")(function*(jobs: ReadonlyArray<Job>, real: boolean) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectory({ prefix: "canvas-runs-demo-" })
  const wait: Spine.WaitOptions = real
    ? { schedule: Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute" }), timeout: "2 hours" }
    : { pollInterval: "200 millis", timeout: "30 seconds" }

  const [elapsed, timed] = yield* Effect.timed(performAll(jobs, { directory, wait }))
  const outcomes = timed.map(([, outcome]) => outcome)
  const files = outcomes.flatMap((outcome) => outcome.files)
  const withCanvas = outcomes.filter(({ canvasId }) => canvasId !== undefined)
  const shown = withCanvas.find(({ job }) => job.params.files !== undefined) ?? withCanvas[0]

  if (shown !== undefined) yield* showCanvas(shown)
  yield* Console.log(`\nThe files in ${directory}:`)
  yield* Console.log(
    View.table(files.map(({ bytes, path }) => [`  ${path.slice(directory.length + 1)}`, View.size(bytes)]))
  )
  yield* Console.log(`\n${
    View.table([
      ["run", "status", "tasks", "time", "credits", "result"],
      ...timed.map(([time, { credits, job, note, status, tasks }]) => [
        job.name,
        status,
        `${tasks.completed}/${tasks.total}`,
        View.time(Duration.toMillis(time)),
        credits === undefined ? "-" : String(credits),
        note
      ])
    ])
  }\n`)
  yield* Console.log(View.summary({
    statuses: outcomes.map(({ status }) => status),
    artifacts: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    millis: Duration.toMillis(elapsed)
  }))

  const surprise = outcomes.find(({ job, status }) =>
    real ? status === "failed" : status !== job.script.timeline.outcome
  )
  if (surprise !== undefined) {
    return yield* new Unexpected({ message: `The run "${surprise.job.name}" was not meant to end ${surprise.status}.` })
  }
})

const main = Effect.gen(function*() {
  const real = yield* isReal
  const isAll = !real || (yield* (yield* Stdio.Stdio).args).includes("--all")
  const jobs = isAll ? allJobs : [memo]
  if (!isAll) yield* Console.log("One run only, because runs cost money; `npm run demo -- --all` starts all of them.")

  yield* demo(jobs, real).pipe(
    Effect.provide(liveSocket({
      runs: jobs.length,
      script: ({ prompt }) => jobs.find(({ params }) => params.prompt === prompt)?.script ?? {}
    }))
  )
})

/** An error that was foreseen speaks for itself; any other is shown whole. */
const describe = (cause: Cause.Cause<{ readonly message: string }>): string =>
  Option.match(Cause.findErrorOption(cause), {
    onSome: (error) => error.message,
    onNone: () => Cause.pretty(cause)
  })

main.pipe(
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`\nThe demo failed. ${describe(cause)}`)
  ),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
