/**
 * `npm run demo`: several Spine runs and Tela executions at once, from prompts and files to results, with their progress
 * as it happens, and a text that is streamed.
 *
 * Without keys, emulators do the work, on one loopback socket and through the same clients. With `SPINE_API_KEY`, or
 * `TELA_API_KEY` and `TELA_CANVAS_ID`, the real service does it: one run each, because runs cost money, or
 * `npm run demo -- --all` for all of them. Then a provider without a key is left out, so that a summary does not mix real and
 * emulated runs.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Data, Duration, Effect, FileSystem, Option, Ref, Stdio } from "effect"
import type { RunRef } from "canvas-runs"
import { Screen } from "canvas-runs/picture"
import type { Label, Outcome, Setting } from "./support/demo/job.ts"
import * as Providers from "./support/demo/providers.ts"
import * as DemoSpine from "./support/demo/spine.ts"
import * as DemoTela from "./support/demo/tela.ts"
import * as View from "./support/view.ts"

class Unexpected extends Data.TaggedError("Unexpected")<{ readonly message: string }> {}

/** A finished job. */
interface Done extends Outcome, Label {
  readonly millis: number
}

const timed = <E, R>(label: Label, job: Effect.Effect<Outcome, E, R>): Effect.Effect<Done, E, R> =>
  Effect.map(Effect.timed(job), ([time, outcome]) => ({ ...label, ...outcome, millis: Duration.toMillis(time) }))

/**
 * The jobs that run at the same time, and the one that runs alone after them: its streamed text would disturb the redrawn bars.
 */
interface Program {
  readonly real: boolean
  readonly spine: typeof DemoSpine.jobs
  readonly tela: typeof DemoTela.jobs
  readonly stream: boolean
}

const sideBySide = Effect.fn("sideBySide")(
  function*({ real, spine, tela }: Program, options: Pick<Setting, "directory" | "underWay">) {
    const screen = yield* Screen.runs({ names: [...spine, ...tela].map(({ name }) => name) })
    const setting: Setting = { ...options, real, screen }
    return yield* Effect.all([
      ...spine.map(({ perform, ...label }) => timed(label, perform(setting))),
      ...tela.map(({ perform, ...label }) => timed(label, perform(setting)))
    ], { concurrency: "unbounded" })
  },
  Effect.scoped
)

/** Runs the jobs. If it is stopped, it lists the runs that continue at the providers. */
const performAll = Effect.fn("performAll")(function*(program: Program, directory: string) {
  const underWay = yield* Ref.make<ReadonlyArray<RunRef.RunRef>>([])
  const done: Array<Done> = yield* sideBySide(program, { directory, underWay }).pipe(
    Effect.onError(() => Effect.flatMap(Ref.get(underWay), leave))
  )
  return program.stream ? [...done, yield* timed(streaming, DemoTela.executeStream)] : done
})

const streaming: Label = { name: "question", provider: "Tela stream", expected: "succeeded" }

const leave = Effect.fnUntraced(function*(refs: ReadonlyArray<RunRef.RunRef>) {
  if (refs.length === 0) return
  yield* Console.log(
    `\nStopped with ${
      View.count(refs.length, "run")
    } under way. The emulators end here too, but the real services continue ` +
      "with what they have accepted: RunRef.parse reads a ref back; Spine's runs.waitForCompletion (06-resume.ts) and " +
      "Tela's canvas.getExecution (12-async-events.ts) take it."
  )
  for (const ref of refs) yield* Console.log(JSON.stringify(ref))
})

const demo = Effect.fn("demo")(function*(program: Program) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectory({ prefix: "canvas-runs-demo-" })
  const [elapsed, done] = yield* Effect.timed(performAll(program, directory))
  const files = done.flatMap(({ files }) => files)

  const withCanvas = done.filter(({ canvasId }) => canvasId !== undefined)
  const shown = withCanvas.find(({ name }) => name === "sales") ?? withCanvas[0]
  if (shown?.canvasId !== undefined) yield* DemoSpine.showCanvas(shown.name, shown.canvasId)
  if (files.length > 0) {
    yield* Console.log(`\nThe files in ${directory}:`)
    yield* Console.log(
      View.table(files.map(({ bytes, path }) => [`  ${path.slice(directory.length + 1)}`, View.size(bytes)]))
    )
  }
  yield* Console.log(`\n${
    View.table([
      ["run", "provider", "status", "tasks", "time", "credits", "result"],
      ...done.map(({ credits, millis, name, note, provider, status, tasks }) => [
        name,
        provider,
        status,
        tasks === undefined ? "-" : `${tasks.completed}/${tasks.total}`,
        View.time(millis),
        credits === undefined ? "-" : String(credits),
        note
      ])
    ])
  }\n`)
  yield* Console.log(View.summary({
    statuses: done.map(({ status }) => status),
    artifacts: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    millis: Duration.toMillis(elapsed)
  }))

  const surprise = done.find(({ expected, status }) => program.real ? status === "failed" : status !== expected)
  if (surprise !== undefined) {
    return yield* new Unexpected({ message: `"${surprise.name}" was not meant to end ${surprise.status}.` })
  }
})

const main = Effect.gen(function*() {
  const isReal = yield* Providers.real
  if (!isReal.spine && !isReal.tela) {
    return yield* demo({ real: false, spine: DemoSpine.jobs, tela: DemoTela.jobs, stream: true }).pipe(
      Effect.provide(Providers.layerEmulated)
    )
  }

  const isAll = (yield* (yield* Stdio.Stdio).args).includes("--all")
  const program: Program = {
    real: true,
    spine: isReal.spine ? DemoSpine.jobs.slice(isAll ? 0 : -1) : [],
    tela: isReal.tela ? DemoTela.jobs.slice(isAll ? 0 : -1) : [],
    stream: isReal.tela && isAll
  }
  if (!isReal.tela) yield* Console.log("TELA_API_KEY and TELA_CANVAS_ID are not both set, so Tela is left out.")
  if (!isReal.spine) yield* Console.log("SPINE_API_KEY is not set, so Spine is left out.")
  if (!isAll) yield* Console.log("One run each, because runs cost money; `npm run demo -- --all` starts all of them.")

  const runs = { spine: program.spine.length, tela: program.tela.length + (program.stream ? 1 : 0) }
  yield* Effect.provide(demo(program), Providers.layerReal(runs))
})

/** An expected error has a readable message; any other is shown with its cause. */
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
