import { TestClock } from "effect/testing"

/**
 * A `TestClock` for tests that do much at one moment. After a second of real time the default one stops waiting for the fibers that
 * it has woken, and moves on; a busy machine may need longer for ten thousand of them.
 */
export const patientClock = TestClock.layer({ warningDelay: "10 minutes" })
