/** How the command is stopped from outside: by a signal, or by a reader that goes away. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { exitCodes, type Outcome } from "./exitCode.ts"

/** The signals that stop the command. */
export const reasonOfSignal = {
  SIGINT: "interrupted",
  SIGTERM: "terminated",
  SIGHUP: "hangup"
} as const

const Reason = Schema.Literals(["interrupted", "terminated", "hangup", "closedOutput"])

/** Why the command is stopped. */
export type Reason = typeof Reason.Type

/** The command was stopped. */
export class StoppedError extends Schema.TaggedError<StoppedError>()("StoppedError", { reason: Reason }) {
  override get message(): string {
    return `The command was stopped. ${exitCodes[this.reason].meaning}`
  }
}

/** How many creates are under way. */
export class Creates extends Context.Reference<{ count: number }>("canvas-runs/cli/Creates", {
  defaultValue: () => ({ count: 0 })
}) {}

/** Counts a create while it is under way. */
export const whileCreating = <A, E, R>(create: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Creates, (creates) =>
    Effect.acquireUseRelease(
      Effect.sync(() => creates.count++),
      () => create,
      () => Effect.sync(() => creates.count--)
    ))

/**
 * Runs a command until it ends or is stopped. A stop interrupts its waits, and waits for a create that is under way: its run would be
 * lost otherwise. `announce` says so.
 */
export const orStop = <R, R2>(
  command: Effect.Effect<Outcome, never, R>,
  stopped: Effect.Effect<Reason>,
  announce: Effect.Effect<void, never, R2>,
  report: (reason: Reason) => Effect.Effect<Outcome, never, R2>
): Effect.Effect<Outcome, never, R | R2> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(command)
    const first = yield* Effect.raceFirst(Fiber.await(fiber), stopped)
    if (Exit.isExit(first)) return yield* first
    if ((yield* Creates).count > 0) yield* announce
    yield* Fiber.interrupt(fiber)
    return yield* report(first)
  })
