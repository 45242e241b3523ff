/** Effect's workflow engine on one runner, for tests of durable runs. */
import { Effect, Layer } from "effect"
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { Digest } from "effect/crypto"
import { TestClock } from "effect/testing"

/** The engine with one runner, on the SQL client of the context. */
export const singleRunner = ClusterWorkflowEngine.layer.pipe(
  Layer.provideMerge(SingleRunner.layer()),
  Layer.provide(Digest.layerWebCrypto)
)

/** Moves the `TestClock` of the engine in steps until a condition holds. The platform's promises take real time. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>, step: "1 second" | "1 minute" = "1 second") =>
  Effect.gen(function*() {
    while (!(yield* condition)) {
      yield* TestClock.adjust(step)
      yield* TestClock.withLive(Effect.sleep("1 millis"))
    }
  })
