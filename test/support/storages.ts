/** Services on storages that one test has for itself, each opened several times, as processes would. */
import { it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { onMovedClock, type Pass } from "./clock.ts"

/** Returns what opens a service on a storage. What is opened is closed with the scope. */
export const opening = <I, A, Options extends ReadonlyArray<unknown>>(
  service: Context.Key<I, A>,
  layer: (...options: Options) => Layer.Layer<I, unknown>
): Effect.Effect<(...options: Options) => Effect.Effect<A>, never, Scope.Scope> =>
  Effect.map(
    Effect.scope,
    (scope) => (...options) =>
      // With connections of its own, as each process has
      Layer.buildWithScope(Layer.fresh(layer(...options)), scope).pipe(
        Effect.map((context) => Context.get(context, service)),
        Effect.orDie
      )
  )

/** Defines tests of a storage. Each has a new one, and a clock of real time that it moves. */
export const testing = <Open>(storage: Effect.Effect<Open, never, Scope.Scope>) =>
(
  title: string,
  body: (open: Open, pass: Pass) => Effect.Effect<void, unknown>
) => it.live(title, () => onMovedClock((pass) => Effect.flatMap(storage, (open) => body(open, pass))))
