import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Canvas } from "../../spine/SpineCanvasSchema.ts"
import * as Clients from "../clients.ts"
import * as Document from "../document.ts"
import { Reported, UsageError } from "../errors.ts"
import { together } from "../exitCode.ts"
import { follow, type Wait } from "../follow.ts"
import * as Names from "../names.ts"
import { format } from "../refText.ts"
import { describe, Output, type RunLine } from "../output.ts"
import * as Progress from "../progress.ts"
import { reportOne } from "../report.ts"
import * as Waiting from "../waiting.ts"

export const command = Command.make(
  "watch",
  {
    runs: Names.several,
    graph: Flag.Boolean("graph").pipe(
      Flag.withDescription("Show the blocks of each canvas, too, as the run builds it"),
      Flag.withDefault(false)
    ),
    provider: Names.provider,
    ...Waiting.flags,
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ graph, provider, runs, ...options }) {
      const named = yield* Names.resolveAll(runs, provider)
      const other = graph ? named.find(({ ref }) => ref.provider !== "spine") : undefined
      if (other !== undefined) {
        return yield* new UsageError({
          message: `${format(other.ref)} has no graph: an execution of Tela has no blocks. Leave out --graph.`
        })
      }
      const canvasOf = graph ? Document.canvasAt : () => Effect.undefined
      const watchAll = Effect.flatMap(
        Progress.make(named),
        (show) =>
          Effect.forEach(named, (run) =>
            Names.tracked(run, watch(run, Waiting.waitOf(options), show, canvasOf)).pipe(
              Effect.as("success" as const),
              Effect.catch((error) => reportOne(run.key ?? format(run.ref), error))
            ), { concurrency: "unbounded" })
      )
      const outcomes = yield* Waiting.resumable(named, Effect.scoped(watchAll))
      const outcome = together(outcomes)
      if (outcome !== "success") return yield* new Reported({ outcome })
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs watch @last", description: "Show how far the last run is, until it ends" },
    { command: "canvas-runs watch @last --graph", description: "See the graph of its blocks grow" },
    { command: "canvas-runs watch july august --json", description: "Each state of two runs as a line of JSON" }
  ])
)

/** Shows the states of one run, with `--json` as data, and prints the last one. */
const watch = Effect.fnUntraced(function*(
  run: Names.Named,
  wait: Wait,
  show: Progress.Show,
  canvasOf: (line: RunLine) => Effect.Effect<Canvas | undefined, never, Clients.Clients>
) {
  const { line } = yield* Output
  const followed = yield* follow(run)
  const last = yield* followed.watch(wait).pipe(
    Stream.tap((state) =>
      Effect.gen(function*() {
        yield* show(state.line, yield* canvasOf(state.line))
        yield* line(state.line, state.line.isTerminal ? describe(state.line) : "")
      })
    ),
    Stream.runLast
  )
  yield* Option.getOrUndefined(last)?.ended ?? Effect.void
})
