import { Effect } from "effect"

/**
 * Waits until a condition holds, in real time, and for as long as the test may take: a busy machine needs longer than an idle
 * one, and that is no failure.
 */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    while (!(yield* condition)) yield* Effect.sleep("5 millis")
  })
