import * as Clock from "effect/Clock"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as History from "../../picture/History.ts"
import * as Report from "../../picture/Report.ts"
import * as Clients from "../clients.ts"
import { UsageError } from "../errors.ts"
import { follow, type Wait } from "../follow.ts"
import * as Names from "../names.ts"
import { Output } from "../output.ts"
import * as Progress from "../progress.ts"
import { format } from "../refText.ts"
import { textFlag } from "../textFlag.ts"
import * as Waiting from "../waiting.ts"
import * as Document from "../document.ts"

export const command = Command.make(
  "report",
  {
    run: Names.argument,
    out: Document.flag,
    title: Flag.String("title").pipe(
      Flag.withDescription("The title of the page. The default is the name of the canvas"),
      Flag.optional
    ),
    download: textFlag("download").pipe(
      Flag.withMetavar("DIRECTORY"),
      Flag.withDescription("Downloads the files of the run into this directory, and links them in the page"),
      Flag.optional
    ),
    wait: Flag.Boolean("wait").pipe(
      Flag.withDescription(
        "Waits for the end of the run first, and adds a timeline of the blocks that it sees at work"
      ),
      Flag.withDefault(false)
    ),
    provider: Names.provider,
    ...Waiting.flags,
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ download, out, provider, run, title, wait, ...options }) {
      const named = yield* Names.resolve(run, provider)
      const { provider: of } = named.ref
      if (of !== "spine" && of !== "tela") {
        return yield* new UsageError({
          message: `${format(named.ref)} is a run of the provider ${of}, which this command does not know.`
        })
      }
      if (of === "tela" && Option.isSome(download)) {
        return yield* new UsageError({
          message: "An execution of Tela has no files to download. Leave out --download."
        })
      }
      const history = wait
        ? yield* Waiting.resumable([named], Names.tracked(named, watch(named, Waiting.waitOf(options))))
        : undefined
      const shared = { title: Option.getOrUndefined(title), ref: named.ref }
      yield* Document.write(
        named,
        out,
        of === "tela" ? yield* ofTela(named, shared) : yield* ofSpine(named, out, download, { ...shared, history })
      )
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs report @last --out report.html", description: "A page about the last run" },
    {
      command: "canvas-runs report @last --wait --out report.html",
      description: "The same at its end, with a timeline"
    },
    {
      command: "canvas-runs report july --out july/report.html --download july/files",
      description: "A page with links to the files of the run"
    }
  ])
)

/** Waits for the end of a run, and returns what it saw of its blocks. */
const watch = Effect.fnUntraced(
  function*(named: Names.Named, wait: Wait) {
    const show = yield* Progress.make([named])
    const history = yield* Ref.make<History.History | undefined>(undefined)
    const followed = yield* follow(named)
    yield* Stream.runForEach(followed.watch(wait), ({ line }) =>
      Effect.gen(function*() {
        yield* show(line)
        const canvas = yield* Document.canvasAt(line)
        const now = yield* Clock.currentTimeMillis
        if (canvas !== undefined) yield* Ref.update(history, (before) => History.observe(before, canvas, now))
      }))
    return yield* Ref.get(history)
  },
  Effect.scoped
)

const ofTela = Effect.fnUntraced(function*({ ref }: Names.Named, options: Report.ReportOptions) {
  const source = yield* (yield* (yield* Clients.Clients).tela).source(ref)
  return Report.tela((yield* source.retrieve).value, options)
})

const ofSpine = Effect.fnUntraced(function*(
  { ref }: Names.Named,
  out: Option.Option<string>,
  download: Option.Option<string>,
  options: Report.SpineReportOptions
) {
  const spine = yield* (yield* Clients.Clients).spine
  const run = yield* spine.runs.retrieve(ref)
  const read = yield* Document.canvasOf(spine, run)
  const path = yield* Path.Path
  const { line } = yield* Output
  // Paths in a page start at its directory
  const base = path.dirname(Option.getOrElse(out, () => "report.html"))
  const files = "result" in run && Option.isSome(download)
    ? yield* spine.artifacts.toDirectory(run, download.value)
    : []
  for (const { artifact, path } of files) yield* line({ type: "file", ref, name: artifact.name, path }, "")
  return Report.spine(run, {
    ...options,
    ...read,
    files: files.map((file) => ({ name: file.artifact.name, path: path.relative(base, file.path) }))
  })
})
