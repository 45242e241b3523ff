import { Effect } from "effect"

/** Waits in real time until a condition holds. The timeout of the test is the only limit, so a busy machine fails no test. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    while (!(yield* condition)) yield* Effect.sleep("5 millis")
  })
