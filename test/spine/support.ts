import { Cause, type Duration, Effect, Exit, Layer, Option, Redacted } from "effect"
import { type HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"

export const apiKey = "sk_spine_planted_secret_0001"

/** The client on the emulator, in memory. */
export const live = (
  client?: Partial<Spine.Options>,
  emulator?: SpineEmulator.Options
): Layer.Layer<Spine.SpineClient | SpineEmulator.SpineEmulator | HttpClient.HttpClient> =>
  Layer.orDie(Spine.layer({ apiKey: Redacted.make(apiKey), ...client })).pipe(
    Layer.provideMerge(SpineEmulator.layerTest(emulator))
  )

/** Runs the effect to its end, moving the clock as far as it takes. */
export const finish = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  adjust: Duration.Input = "4 hours"
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    // The clock waits for those it wakes, but not for what has only just been started
    yield* Effect.repeat(Effect.yieldNow, { times: 50 })
    yield* TestClock.adjust(adjust)
    return fiber.pollUnsafe() ?? Exit.die(new Error("it has not ended"))
  })

export const success = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isFailure(exit)) throw new Error(`it has failed: ${Cause.pretty(exit.cause)}`)
  return exit.value
}

export const failure = <A, E>(exit: Exit.Exit<A, E>): E => {
  if (Exit.isSuccess(exit)) throw new Error("it has not failed")
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error)) throw new Error(`it has died: ${Cause.pretty(exit.cause)}`)
  return error.value
}
