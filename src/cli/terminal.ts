/** Standard error as a terminal: data has standard output, so everything live is drawn here. */
import type * as Cause from "effect/Cause"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as PlatformError from "effect/PlatformError"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"

/** Draws on standard error, if that is a terminal. */
export const onStandardError = <A, E, R>(
  draw: Effect.Effect<A, E, R | Terminal.Terminal>
): Effect.Effect<A, E, Exclude<R, Terminal.Terminal> | Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) =>
    draw.pipe(
      Effect.provideService(Terminal.Terminal, make(stdio)),
      // The layer looks at standard output
      Effect.provide(TerminalCapabilities.layer),
      Effect.provideService(Stdio.Stdio, { ...stdio, stdoutIsTerminal: stdio.stderrIsTerminal })
    ))

const make = (stdio: Stdio.Stdio): Terminal.Terminal => {
  const { stderr } = process
  const size = (): Terminal.Size => ({ columns: stderr.columns ?? 0, rows: stderr.rows ?? 0 })
  return Terminal.make({
    columns: Effect.sync(() => size().columns),
    rows: Effect.sync(() => size().rows),
    size: Effect.gen(function*() {
      const queue = yield* Queue.sliding<Terminal.Size, Cause.Done>(1)
      const offer = () => Queue.offerUnsafe(queue, size())
      yield* Effect.acquireRelease(
        Effect.sync(() => stderr.on("resize", offer)),
        () => Effect.sync(() => stderr.off("resize", offer))
      )
      offer()
      return queue
    }),
    readInput: unsupported("readInput"),
    readLine: Effect.orDie(unsupported("readLine")),
    display: (text) => Stream.run(Stream.make(text), stdio.stderr())
  })
}

const unsupported = (method: string) =>
  Effect.die(PlatformError.badArgument({ module: "Terminal", method, description: "Standard error has no input." }))
