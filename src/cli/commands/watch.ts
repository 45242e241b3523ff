import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Clients from "../clients.ts"
import { Reported } from "../errors.ts"
import { together } from "../exitCode.ts"
import { follow, type Wait } from "../follow.ts"
import * as Name from "../name.ts"
import { type Named, resolve } from "../names.ts"
import { format } from "../refText.ts"
import { Output } from "../output.ts"
import * as Progress from "../progress.ts"
import { reportOne } from "../report.ts"
import { describe } from "../text.ts"
import * as Waiting from "../waiting.ts"

export const command = Command.make(
  "watch",
  { runs: Name.several, provider: Name.provider, ...Waiting.flags, ...Clients.flags },
  Effect.fnUntraced(
    function*({ provider, runs, ...options }) {
      const named = yield* Effect.forEach(runs, (run) => resolve(run, provider))
      const watchAll = Effect.flatMap(
        Progress.make(named),
        (show) =>
          Effect.forEach(named, (run) =>
            watch(run, Waiting.waitOf(options), show).pipe(
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
    { command: "canvas-runs watch july august --json", description: "Each state of two runs as a line of JSON" }
  ])
)

/** Shows the states of one run, with `--json` as data, and prints the last one. */
const watch = Effect.fnUntraced(function*(run: Named, wait: Wait, show: Progress.Show) {
  const { line } = yield* Output
  const followed = yield* follow(run)
  const last = yield* followed.watch(wait).pipe(
    Stream.tap((state) =>
      Effect.andThen(show(state.line), line(state.line, state.line.isTerminal ? describe(state.line) : ""))
    ),
    Stream.runLast
  )
  yield* Option.getOrUndefined(last)?.ended ?? Effect.void
})
