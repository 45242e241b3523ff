import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Report from "../../picture/Report.ts"
import { canvasOf } from "../canvas.ts"
import * as Clients from "../clients.ts"
import { UsageError } from "../errors.ts"
import * as Name from "../name.ts"
import { type Named, resolve } from "../names.ts"
import { Output } from "../output.ts"
import { format } from "../refText.ts"
import * as Written from "../written.ts"

export const command = Command.make(
  "report",
  {
    run: Name.argument,
    out: Written.flag,
    title: Flag.String("title").pipe(
      Flag.withDescription("The title of the page. The default is the name of the canvas"),
      Flag.optional
    ),
    download: Flag.Path("download", { pathType: "directory" }).pipe(
      Flag.withMetavar("DIRECTORY"),
      Flag.withDescription("Downloads the files of the run into this directory, and links them in the page"),
      Flag.optional
    ),
    provider: Name.provider,
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ download, out, provider, run, title }) {
      const named = yield* resolve(run, provider)
      const options = { title: Option.getOrUndefined(title), ref: named.ref }
      switch (named.ref.provider) {
        case "spine":
          return yield* Written.write(named, out, yield* ofSpine(named, out, download, options))
        case "tela": {
          if (Option.isSome(download)) {
            return yield* new UsageError({
              message: "An execution of Tela has no files to download. Leave out --download."
            })
          }
          const source = yield* (yield* (yield* Clients.Clients).tela).source(named.ref)
          return yield* Written.write(named, out, Report.tela((yield* source.retrieve).value, options))
        }
        default:
          return yield* new UsageError({
            message: `${
              format(named.ref)
            } is a run of the provider ${named.ref.provider}, which this command does not know.`
          })
      }
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs report @last --out report.html", description: "A page about the last run" },
    {
      command: "canvas-runs report july --out july/report.html --download july/files",
      description: "A page with links to the files of the run"
    }
  ])
)

const ofSpine = Effect.fnUntraced(function*(
  named: Named,
  out: Option.Option<string>,
  download: Option.Option<string>,
  options: Report.ReportOptions
) {
  const spine = yield* (yield* Clients.Clients).spine
  const run = yield* spine.runs.retrieve(named.ref)
  const read = yield* canvasOf(spine, run)
  const path = yield* Path.Path
  const { line } = yield* Output
  // Paths in a page start at its directory
  const base = path.dirname(Option.getOrElse(out, () => "report.html"))
  const files = "result" in run && Option.isSome(download)
    ? yield* spine.artifacts.toDirectory(run, download.value)
    : []
  for (const { artifact, path } of files) yield* line({ type: "file", ref: named.ref, name: artifact.name, path }, "")
  return Report.spine(run, {
    ...options,
    ...read,
    files: files.map((file) => ({ name: file.artifact.name, path: path.relative(base, file.path) }))
  })
})
