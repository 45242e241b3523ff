/**
 * The interface between the poll loop and a `DurationHistory`, which is part of a program only if the program imports it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as RunSource from "../../RunSource.ts"
import type { RunRef } from "../ref.ts"
import type { Learnt } from "./adaptive.ts"
import type { PollResult } from "./decide.ts"
import type { AnyLoop } from "./sleepingRun.ts"

/**
 * Names a kind of run: the runs of one template, or of one canvas, at a provider. A `RunRef` names the kind of its run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kind extends Pick<RunRef, "kind" | "provider" | "template"> {}

/** What the poll loop and the schedules ask of a history. */
export interface Hooks {
  /** Continues with what is known of the kind of a run, within a second. */
  readonly expect: <A, E, R>(
    kind: Kind,
    use: (learnt: Learnt | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
  /** Records the run if the poll returns its end. The poll is otherwise unchanged. */
  readonly observe: <S extends RunSource.Any, E, R>(
    loop: AnyLoop,
    poll: Effect.Effect<PollResult<S>, E, R>
  ) => Effect.Effect<PollResult<S>, E, R>
}

/** The hooks of the `DurationHistory`, if there is one. Its layer provides them. */
export const CurrentHistory = Context.Reference<Hooks | undefined>("canvas-runs/internal/History", {
  defaultValue: () => undefined
})

/** Continues with what is known of the kind of a run, if there is a `DurationHistory`. */
export const expecting = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  kind: Kind,
  use: (learnt?: Learnt) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => fiber.getRef(CurrentHistory)?.expect(kind, use) ?? use()
