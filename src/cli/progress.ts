/** Shows how far runs are, on standard error. */
import * as Effect from "effect/Effect"
import { format, type Named } from "./names.ts"
import { Output, type RunLine } from "./output.ts"
import { describe } from "./text.ts"

/** Shows a state of a run. */
export type Show = (line: RunLine) => Effect.Effect<void>

/** Makes the view of these runs: a line for each change. */
export const make = (_runs: ReadonlyArray<Named>): Effect.Effect<Show, never, Output> =>
  Effect.map(Output, ({ note }) => {
    const shown = new Map<string, string>()
    return (line) => {
      const text = describe(line)
      const name = format(line.ref)
      if (shown.get(name) === text) return Effect.void
      shown.set(name, text)
      return note(text)
    }
  })
