/** The argument that names a run, and the flag that goes with an id. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { providers } from "./names.ts"

const description = "The ref, the id or the key of a run, or @last"

export const argument = Argument.String("run").pipe(Argument.withDescription(description))

export const several = argument.pipe(Argument.variadic({ min: 1 }))

export const provider = Flag.Literals("provider", providers).pipe(
  Flag.withDescription("The provider of an id that the store does not know"),
  Flag.optional
)
