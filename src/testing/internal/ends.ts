/** Waiting for the ends of runs, on the clock of an emulator, which can be moved without the program's. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

export interface Ends<Run> {
  /** Waits for a time of the emulator's clock; `Infinity` never comes. */
  readonly until: (at: number) => Effect.Effect<void>
  /** Does something when a run ends. */
  readonly tell: (run: Run, what: Effect.Effect<void>) => Effect.Effect<void>
  /** Does it now, if the run has ended and it has not been done. */
  readonly settle: (run: Run) => Effect.Effect<void>
  /** To be called when the emulator's clock was moved. */
  readonly moved: Effect.Effect<void>
}

export const make = <Run>(options: {
  readonly scope: Scope.Scope
  readonly now: Effect.Effect<number>
  /** When time alone will end the run. */
  readonly endsAt: (run: Run) => number
  readonly hasEnded: (run: Run, now: number) => boolean
}): Ends<Run> => {
  const moves = Latch.makeUnsafe()
  const awaited = new Map<Run, Effect.Effect<void>>()

  const until = (at: number): Effect.Effect<void> =>
    Effect.flatMap(options.now, (now) =>
      now >= at ? Effect.void : Effect.andThen(
        Effect.raceFirst(at === Infinity ? Effect.never : Effect.sleep(at - now), moves.await),
        Effect.suspend(() => until(at))
      ))

  const settle = Effect.fnUntraced(function*(run: Run) {
    const what = awaited.get(run)
    if (what === undefined || !options.hasEnded(run, yield* options.now)) return
    awaited.delete(run)
    yield* what
  })

  return {
    until,
    settle,
    tell: Effect.fnUntraced(function*(run, what) {
      awaited.set(run, what)
      const at = options.endsAt(run)
      if (at !== Infinity) yield* Effect.forkIn(Effect.andThen(until(at), settle(run)), options.scope)
    }),
    moved: Effect.andThen(
      moves.release,
      Effect.suspend(() =>
        Effect.forEach(
          Array.from(awaited.keys()).sort((a, b) => options.endsAt(a) - options.endsAt(b)),
          settle,
          { discard: true }
        )
      )
    )
  }
}
