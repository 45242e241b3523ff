import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"

/**
 * A `TestClock` for tests that wake many fibers at one moment. The default clock waits at most one second of real time for the
 * fibers that it has woken, and then advances. A busy machine may need longer for ten thousand fibers.
 */
export const patientClock = TestClock.layer({ warningDelay: "10 minutes" })

/** Lets time pass for the program, which sleeps in real time. */
export type Pass = (duration: Duration.Input) => Effect.Effect<void>

/**
 * Runs a test on a clock of real time that the test moves, where a `TestClock` cannot be used: a database answers in its own time. A
 * limit of an hour then passes at once, and none passes on a busy machine before the test lets it pass.
 */
export const onMovedClock = <A, E, R>(test: (pass: Pass) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (real) => {
    let passed = 0
    const clock: Clock.Clock = Object.assign(Object.create(real) as Clock.Clock, {
      currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + passed,
      currentTimeMillis: Effect.map(real.currentTimeMillis, (now) => now + passed)
    })
    const pass: Pass = (duration) =>
      Effect.sync(() => {
        passed += Duration.toMillis(duration)
      })
    return Effect.provideService(test(pass), Clock.Clock, clock)
  })
