/** Waits for runs, prints their output, and marks them as finished in the store. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { again } from "./again.ts"
import { Clients } from "./clients.ts"
import { download, end, type Ended, folderOf, follow, type Wait } from "./follow.ts"
import { Reported } from "./errors.ts"
import { together } from "./exitCode.ts"
import type { Check } from "./outputSchema.ts"
import { keyOf, type Named, tracked } from "./names.ts"
import { format } from "./refText.ts"
import { Output } from "./output.ts"
import * as Progress from "./progress.ts"
import { reportOne } from "./report.ts"
import type { State } from "./state.ts"
import { resumable } from "./waiting.ts"

/** How to wait, and what to do with the result. */
export interface Options extends Wait {
  /** The directory to download the files of a run into. */
  readonly download: Option.Option<string>
  /** Checks the output of a run. */
  readonly check?: Check | undefined
}

/** Waits for runs. The failure of one of several does not stop the others. */
export const waitFor = Effect.fnUntraced(function*(given: ReadonlyArray<Named>, options: Options) {
  const runs = yield* Effect.forEach(given, withKey)
  const [only, ...others] = runs
  if (only !== undefined && others.length === 0) {
    yield* resumable(runs, waitForOne(only, options, Progress.make(runs)))
    return
  }
  const waitForAll = Effect.flatMap(
    Progress.make(runs),
    (show) =>
      Effect.forEach(runs, (run) =>
        // Files of different runs may have the same name
        waitForOne(
          run,
          { ...options, download: Option.map(options.download, folderOf(nameOf(run))) },
          Effect.succeed(show)
        ).pipe(
          Effect.as("success" as const),
          Effect.catch((error) => reportOne(nameOf(run), error))
        ), { concurrency: "unbounded" })
  )
  const outcome = together(yield* resumable(runs, Effect.scoped(waitForAll)))
  if (outcome !== "success") yield* new Reported({ outcome })
})

const nameOf = ({ key, ref }: Named): string => key ?? format(ref)

const withKey = (run: Named): Effect.Effect<Named, Effect.Error<ReturnType<typeof keyOf>>, State> =>
  Effect.map(keyOf(run), (key) => key === undefined ? run : { ...run, key })

/** Waits for a run, and then prints its output. The view of a single run ends before that. */
const waitForOne = Effect.fnUntraced(function*<R>(
  run: Named,
  options: Options,
  view: Effect.Effect<Progress.Show, never, R>
) {
  const wait = Effect.gen(function*() {
    const followed = yield* follow(run)
    const ended = yield* Effect.scoped(
      Effect.flatMap(view, (show) => end(Stream.tap(followed.watch(options), ({ line }) => show(line))))
    )
    yield* print(run, yield* options.check?.(ended) ?? Effect.succeed(ended), options)
  })
  return yield* tracked(run, wait)
})

/** Prints the output of a run, and downloads its files. */
const print = Effect.fnUntraced(function*({ ref }: Named, ended: Ended, options: Options) {
  const { line, note } = yield* Output
  yield* line(ended.line, ended.text)
  if (Option.isSome(options.download)) return yield* download(ref, ended, options.download.value)
  const names = ended.line.artifacts?.map(({ name }) => name) ?? []
  if (names.length === 0) return
  yield* note(
    `Files: ${names.join(", ")}. ${
      (yield* Clients).isEmulated
        ? "Give --download DIRECTORY to keep them."
        : `Download them with:\n  ${yield* again("download", format(ref))}`
    }`
  )
})
