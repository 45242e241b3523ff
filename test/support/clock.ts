import { TestClock } from "effect/testing"

/**
 * A `TestClock` for tests that wake many fibers at one moment. The default clock waits one second of real time for the fibers that
 * it has woken, and then advances; a busy machine may need longer for ten thousand fibers.
 */
export const patientClock = TestClock.layer({ warningDelay: "10 minutes" })
