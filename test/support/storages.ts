/** Services on storages of one test. A test can open a service several times, as several processes would. */
import { it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { onMovedClock, type Pass } from "./clock.ts"

/** Returns a function that opens a service on a storage. The service closes with the scope. */
export const opening = <I, A, Options extends ReadonlyArray<unknown>>(
  service: Context.Key<I, A>,
  layer: (...options: Options) => Layer.Layer<I, unknown>
): Effect.Effect<(...options: Options) => Effect.Effect<A>, never, Scope.Scope> =>
  Effect.map(
    Effect.scope,
    (scope) => (...options) =>
      // With separate connections, as in a separate process
      Layer.buildWithScope(Layer.fresh(layer(...options)), scope).pipe(
        Effect.map((context) => Context.get(context, service)),
        Effect.orDie
      )
  )

/** Defines tests of a storage. Each test has a new storage, and a clock that runs in real time and that the test can move. */
export const testing = <Open>(storage: Effect.Effect<Open, never, Scope.Scope>) =>
(
  title: string,
  body: (open: Open, pass: Pass) => Effect.Effect<void, unknown>
) => it.live(title, () => onMovedClock((pass) => Effect.flatMap(storage, (open) => body(open, pass))))
