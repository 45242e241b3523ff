import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Terminal from "effect/Terminal"
import * as Picture from "../../picture/Picture.ts"
import * as Clients from "../clients.ts"
import { StillRunningError, UsageError } from "../errors.ts"
import * as Names from "../names.ts"
import { Output } from "../output.ts"
import { format } from "../refText.ts"
import * as Document from "../document.ts"

export const command = Command.make(
  "graph",
  {
    run: Names.argument,
    format: Flag.Literals("format", ["text", "mermaid", "svg"]).pipe(
      Flag.withDescription("The form of the picture. The default follows the ending of --out, and is text without it"),
      Flag.optional
    ),
    direction: Flag.Literals("direction", ["right", "down"]).pipe(
      Flag.withDescription("Where the edges of mermaid and svg lead"),
      Flag.withDefault("right" as const)
    ),
    theme: Flag.Literals("theme", ["auto", "light", "dark"]).pipe(
      Flag.withDescription("The colours of svg"),
      Flag.withDefault("auto" as const)
    ),
    out: Document.flag,
    provider: Names.provider,
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ direction, format: chosen, out, provider, run: name, theme }) {
      const named = yield* Names.resolve(name, provider)
      if (named.ref.provider !== "spine") {
        return yield* new UsageError({
          message: `${format(named.ref)} has no graph: an execution of Tela has no blocks. See "canvas-runs report".`
        })
      }
      const spine = yield* (yield* Clients.Clients).spine
      const run = yield* spine.runs.retrieve(named.ref)
      const { canvas, tasks } = yield* Document.canvasOf(spine, run)
      if (canvas === undefined) {
        const message = `The run ${format(named.ref)} has no canvas: its status is ${run.status}.`
        return yield* run.status === "running"
          ? new StillRunningError({ message, ref: named.ref })
          : new UsageError({ message })
      }
      const form = Option.getOrElse(chosen, () => formOf(Option.getOrElse(out, () => "")))
      const text = form === "svg"
        ? Picture.svg(canvas, { direction, theme, tasks })
        : form === "mermaid"
        ? Picture.mermaid(canvas, { direction })
        : Picture.rows(canvas, yield* spaceOf(out)).map((row) => `${row}\n`).join("")
      if (text === "") yield* (yield* Output).note("The canvas has no blocks yet.")
      yield* Document.write(named, out, text)
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs graph @last", description: "The blocks of the last run" },
    { command: "canvas-runs graph @last --out july.svg", description: "As a picture" },
    { command: "canvas-runs graph july --format mermaid >> notes.md", description: "As text that GitHub draws" }
  ])
)

/** The form that the ending of a file means. */
const formOf = (path: string) => /\.svg$/i.test(path) ? "svg" : /\.(?:mmd|mermaid)$/i.test(path) ? "mermaid" : "text"

/** The columns of the terminal, and whether it has colours. Standard output that is no terminal has 80 columns. */
const spaceOf = Effect.fnUntraced(function*(out: Option.Option<string>) {
  const { isJson } = yield* Output
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const terminal = yield* Terminal.Terminal
  return Option.isSome(out) || isJson
    ? {}
    : { columns: Math.max(20, (yield* terminal.columns) || 80), colors: canColor }
})
