/** Waits for the ends of runs on an emulator's clock, which a test can move without moving the program's clock. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

export interface Ends<Run> {
  /** Waits until the emulator's clock shows a time. `Infinity` waits forever. */
  readonly until: (at: number) => Effect.Effect<void>
  /** Waits until a run ends without a request, and returns the time of its end. */
  readonly ended: (run: Run) => Effect.Effect<number>
  /** Performs an action when a run ends. */
  readonly onEnd: (run: Run, action: Effect.Effect<void>) => Effect.Effect<void>
  /** Performs the action of a run now, if the run has ended and the action is still due. */
  readonly check: (run: Run) => Effect.Effect<void>
  /** Call it after each move of the emulator's clock. */
  readonly moved: Effect.Effect<void>
}

export const make = <Run>(options: {
  readonly scope: Scope.Scope
  readonly now: Effect.Effect<number>
  /** The time at which a run ends without any request. */
  readonly endsAt: (run: Run) => number
  readonly hasEnded: (run: Run, now: number) => boolean
}): Ends<Run> => {
  const moves = Latch.makeUnsafe()
  const due = new Map<Run, Effect.Effect<void>>()

  const until = (at: number): Effect.Effect<void> =>
    Effect.flatMap(options.now, (now) =>
      now >= at ? Effect.void : Effect.andThen(
        Effect.raceFirst(at === Infinity ? Effect.never : Effect.sleep(at - now), moves.await),
        Effect.suspend(() => until(at))
      ))

  const check = Effect.fnUntraced(function*(run: Run) {
    const action = due.get(run)
    if (action === undefined || !options.hasEnded(run, yield* options.now)) return
    due.delete(run)
    yield* action
  })

  return {
    until,
    ended: (run) => Effect.andThen(until(options.endsAt(run)), options.now),
    check,
    onEnd: Effect.fnUntraced(function*(run, action) {
      due.set(run, action)
      const at = options.endsAt(run)
      if (at !== Infinity) yield* Effect.forkIn(Effect.andThen(until(at), check(run)), options.scope)
    }),
    moved: Effect.andThen(
      moves.release,
      Effect.suspend(() =>
        Effect.forEach(
          Array.from(due.keys()).sort((a, b) => options.endsAt(a) - options.endsAt(b)),
          check,
          { discard: true }
        )
      )
    )
  }
}
