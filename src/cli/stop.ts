/** How the command is stopped from outside: by a signal, or by a reader that goes away. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Outcome } from "./exitCode.ts"

/** The signals that stop the command. */
export const outcomeOfSignal = {
  SIGINT: "interrupted",
  SIGTERM: "terminated",
  SIGHUP: "hangup"
} as const satisfies { readonly [signal: string]: Outcome }

/**
 * Runs a command until it ends or is stopped. A stop interrupts its waits, and waits for a create that is under way: its run would be
 * lost otherwise.
 */
export const orStop = <E, R>(
  command: Effect.Effect<Outcome, E, R>,
  listen: (stop: (outcome: Outcome) => void) => void
): Effect.Effect<Outcome, E, R> =>
  Effect.gen(function*() {
    const stopped = yield* Deferred.make<Outcome>()
    yield* Effect.sync(() => listen((outcome) => Deferred.doneUnsafe(stopped, Effect.succeed(outcome))))
    const fiber = yield* Effect.forkChild(command)
    const first = yield* Effect.raceFirst(Fiber.await(fiber), Deferred.await(stopped))
    if (Exit.isExit(first)) return yield* first
    yield* Fiber.interrupt(fiber)
    return first
  })
