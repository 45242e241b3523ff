import { TestClock } from "effect/testing"

/**
 * A `TestClock` for tests that wake many fibers at one moment. The default clock waits at most one second of real time for the
 * fibers that it has woken, and then advances. A busy machine may need longer for ten thousand fibers.
 */
export const patientClock = TestClock.layer({ warningDelay: "10 minutes" })
