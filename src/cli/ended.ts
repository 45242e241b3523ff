/** Reads a run that has ended, without a wait. */
import * as Effect from "effect/Effect"
import { StillRunningError } from "./errors.ts"
import { follow } from "./follow.ts"
import { type Named } from "./names.ts"
import { format } from "./refText.ts"

/** Returns the outcome of a run. One that has not ended is a `StillRunningError`. */
export const endedNow = Effect.fnUntraced(function*(named: Named) {
  const { ended, line } = yield* (yield* follow(named)).state
  return yield* ended ?? Effect.fail(
    new StillRunningError({
      message: `The run ${format(named.ref)} has not ended: its status is ${line.status}.`,
      ref: named.ref
    })
  )
})
