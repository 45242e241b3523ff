/** Effects that need time on a `TestClock`, and their results. */
import { Cause, type Duration, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"

/** Runs the effect, advances the clock, and returns the exit of the effect. */
export const finish = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  adjust: Duration.Input = "4 hours"
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    // The clock waits for fibers that it wakes, but not for a fiber that has just been started
    yield* Effect.repeat(Effect.yieldNow, { times: 50 })
    yield* TestClock.adjust(adjust)
    return fiber.pollUnsafe() ?? Exit.die(new Error("the effect has not ended"))
  })

/**
 * Runs the effect to its end, and advances the clock in steps. Between the steps the event loop runs once, for bytes that arrive
 * through promises: the clock does not wait for promises.
 */
export const finishInSteps = <A, E, R>(effect: Effect.Effect<A, E, R>, step: Duration.Input): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    for (let count = 0; count < 200 && fiber.pollUnsafe() === undefined; count++) {
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* TestClock.adjust(step)
    }
    return yield* Fiber.join(fiber)
  })

/** The value of an effect that has to succeed. */
export const success = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isFailure(exit)) throw new Error(`the effect has failed: ${Cause.pretty(exit.cause)}`)
  return exit.value
}

/** The error of an effect that has to fail with one. */
export const failure = <A, E>(exit: Exit.Exit<A, E>): E => {
  if (Exit.isSuccess(exit)) throw new Error(`the effect has succeeded with ${JSON.stringify(exit.value)}`)
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error)) throw new Error(`the effect has died: ${Cause.pretty(exit.cause)}`)
  return error.value
}

/** The outcome of an effect: `"success"`, the tag of its error, or its defect. */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error)
    ? String((error.value as { readonly _tag?: unknown })._tag)
    : `defect: ${Cause.pretty(exit.cause)}`
}
