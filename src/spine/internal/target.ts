/** Finds the ref of a run from any value that names the run. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { quote } from "../../internal/describe.ts"
import { checkId, checkRef } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import { badRequest, type BadRequestError } from "../../RunError.ts"
import type { RunTarget } from "../SpineRuns.ts"
import { provider, refOfId } from "./source.ts"

/** Returns the ref of a target. */
export const refOf = (operation: string, run: RunTarget): Effect.Effect<RunRef.RunRef, BadRequestError> =>
  Options.reading(operation, "run", () => refIn(operation, run))

const refIn = (operation: string, run: RunTarget): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  if (Predicate.hasProperty(run, "provider")) return checkRef(operation, "run", run, provider, ["run"])
  if (Predicate.hasProperty(run, "ref") && Predicate.isNotNullish(run.ref)) {
    const named = Predicate.hasProperty(run, "run_id") ? run.run_id : undefined
    return Effect.filterOrFail(
      refIn(operation, run.ref as RunRef.RunRef),
      ({ id }) => Predicate.isNullish(named) || String(named).toLowerCase() === id.toLowerCase(),
      (ref) =>
        badRequest({
          operation,
          parameter: "run",
          message: `this names two runs: its run_id is ${quote(named)}, and its ref is ${
            RunRef.format(ref)
          }. Give one of the two.`
        })
    )
  }
  const id = Predicate.hasProperty(run, "run_id") ? run.run_id : run
  return Effect.map(checkId(operation, "run_id", id), refOfId)
}
