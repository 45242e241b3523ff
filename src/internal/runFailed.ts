/** The error for a run that the provider ended as failed. */
import { RunFailedError } from "../RunError.ts"
import { reasons } from "./describe.ts"
import { format, type RunRef } from "./ref.ts"

/** `run` is the part of the run that the error holds, `errors` are the provider's reasons, and `advice` ends the message. */
export const runFailed = (
  ref: RunRef,
  phase: { readonly errors: ReadonlyArray<string>; readonly run: unknown },
  requestId: string | undefined,
  advice: string
): RunFailedError => {
  // A source that a JavaScript program wrote may have no errors
  const errors = Array.isArray(phase.errors) ? phase.errors as ReadonlyArray<string> : []
  return new RunFailedError({
    message: `The ${format(ref)} failed: ${
      errors.length === 0 ? "the provider gave no reason" : reasons(errors)
    }. ${advice}`,
    ref,
    errors,
    run: phase.run,
    requestId
  })
}
