/** Waits for runs, prints their output, and marks them as finished in the store. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Reported } from "./errors.ts"
import { together } from "./exitCode.ts"
import { type Ended, follow, type Wait } from "./follow.ts"
import { format, keyOf, type Named } from "./names.ts"
import { Output } from "./output.ts"
import * as Progress from "./progress.ts"
import { reportOne } from "./report.ts"
import { State } from "./state.ts"
import { resumable } from "./waiting.ts"

/** How to wait, and what to do with the result. */
export interface Options extends Wait {
  /** The directory to download the files of a run into. */
  readonly download: Option.Option<string>
}

/** Waits for runs. The failure of one of several does not stop the others. */
export const waitFor = Effect.fnUntraced(function*(runs: ReadonlyArray<Named>, options: Options) {
  const show = yield* Progress.make(runs)
  const [only, ...others] = runs
  if (only !== undefined && others.length === 0) {
    yield* resumable(runs, waitForOne(only, options, show))
    return
  }
  const outcomes = yield* resumable(
    runs,
    Effect.forEach(runs, (run) =>
      waitForOne(run, options, show).pipe(
        Effect.as("success" as const),
        Effect.catch((error) => reportOne(run.key ?? format(run.ref), error))
      ), { concurrency: "unbounded" })
  )
  const outcome = together(outcomes)
  if (outcome !== "success") yield* new Reported({ outcome })
})

const waitForOne = Effect.fnUntraced(function*(run: Named, options: Options, show: Progress.Show) {
  const key = yield* keyOf(run)
  const named: Named = key === undefined ? run : { ...run, key }
  const wait = Effect.flatMap(end(named, options, show), (ended) => Effect.as(print(named, ended, options), ended))
  if (key === undefined) return yield* wait
  return yield* (yield* (yield* State).open).track(key, wait)
})

/** Follows a run to its end. */
const end = Effect.fnUntraced(function*(named: Named, options: Options, show: Progress.Show) {
  const followed = yield* follow(named)
  const last = yield* Stream.runLast(Stream.tap(followed.watch(options), ({ line }) => show(line)))
  return yield* Option.getOrUndefined(last)?.ended ?? Effect.die("a stream of states ended before its run")
})

/** Prints the output of a run, and downloads its files. */
const print = Effect.fnUntraced(function*({ ref }: Named, ended: Ended, { download }: Options) {
  const { line, note } = yield* Output
  if (Option.isSome(download)) {
    const files = yield* ended.download(download.value)
    yield* line(ended.line, ended.text)
    for (const { name, path } of files) yield* line({ type: "file", ref, name, path }, "")
    for (const { path } of files) yield* note(`Downloaded ${path}`)
  } else {
    yield* line(ended.line, ended.text)
    const names = ended.line.artifacts?.map(({ name }) => name) ?? []
    if (names.length > 0) {
      yield* note(`Files: ${names.join(", ")}. Download them with:\n  canvas-runs download ${format(ref)}`)
    }
  }
})
