/** What pictures and reports share: the canvas of a run, and where a document is written. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import type * as Spine from "../spine/index.ts"
import { Clients } from "./clients.ts"
import { LocalError, reasonOf } from "./errors.ts"
import type { Named } from "./names.ts"
import { Output, type RunLine } from "./output.ts"
import { textFlag } from "./textFlag.ts"

export const flag = textFlag("out").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("The file to write. The default is standard output"),
  Flag.optional
)

/**
 * Writes a text to a file, or to standard output, which `-` means too. The file is written in place, because it may be a link, or a device
 * such as `/dev/stdout`.
 */
export const write = Effect.fnUntraced(function*(named: Named, out: Option.Option<string>, text: string) {
  const { line } = yield* Output
  if (Option.isNone(out) || out.value === "-") return yield* line({ type: "text", text }, text.replace(/\n$/, ""))
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* Effect.mapError(
    fs.writeFileString(out.value, text),
    (cause) => new LocalError({ message: `The file ${out.value} cannot be written: ${reasonOf(cause)}.`, cause })
  )
  yield* line({ type: "file", ref: named.ref, name: path.basename(out.value), path: out.value }, out.value)
})

/** The canvas and the tasks of a run, if it has a canvas yet. The first polls of a run may lack it. */
export const canvasOf = (
  { canvases }: Spine.Service,
  { canvas_id = "" }: Spine.Run
) =>
  canvas_id === ""
    ? Effect.succeed({ canvas: undefined, tasks: undefined })
    : Effect.all({ canvas: canvases.getDag(canvas_id), tasks: canvases.getTasks(canvas_id) }, { concurrency: 2 })

/** The canvas of a run at one poll. If it cannot be read, the watch of the run continues without it. */
export const canvasAt = Effect.fnUntraced(
  function*({ ref, snapshot }: RunLine) {
    const id = Predicate.hasProperty(snapshot, "canvas_id") ? snapshot.canvas_id : undefined
    if (ref.provider !== "spine" || !Predicate.isString(id) || id === "") return
    return yield* (yield* (yield* Clients).spine).canvases.getDag(id)
  },
  Effect.timeoutOption("10 seconds"),
  Effect.map(Option.getOrUndefined),
  Effect.orElseSucceed(() => undefined)
)
