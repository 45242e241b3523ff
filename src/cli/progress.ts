/** Shows how far runs are, on standard error: live on a terminal, and elsewhere as a line for each change. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stdio from "effect/Stdio"
import * as Screen from "../picture/Screen.ts"
import type { Named } from "./names.ts"
import { Output, type RunLine } from "./output.ts"
import { format } from "./refText.ts"
import * as Terminal from "./terminal.ts"

/** Shows a state of a run. */
export type Show = (line: RunLine) => Effect.Effect<void>

/** Makes the view of these runs, until the scope closes. */
export const make = Effect.fnUntraced(function*(
  runs: ReadonlyArray<Named>
): Effect.fn.Return<Show, never, Output | Scope.Scope | Stdio.Stdio> {
  const { above } = yield* Output
  const screen = yield* Terminal.onStandardError(Screen.runs({ names: runs.map(nameOf) }))
  yield* above(screen)
  return (line) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const { errors = [], isTerminal, progress, ref, status } = line
      return screen.update(nameOf(line), {
        status,
        unit: "tasks",
        ...(progress === undefined ? undefined : { progress }),
        ...(ref.createdAt === undefined ? undefined : { startedAt: ref.createdAt }),
        ...(isTerminal ? { endedAt: now } : undefined),
        note: errors.join("; ")
      })
    })
})

const nameOf = ({ key, ref }: Named): string => key ?? format(ref)
