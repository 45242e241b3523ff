/** What one poll means for its wait. */
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { RunRef, type RunSource } from "canvas-runs"
import * as Decide from "../../../src/internal/polling/decide.ts"

const ref = RunRef.make({ provider: "test", kind: "run", id: "1" })

describe("the phase of an answer", () => {
  const phaseOf = (phase: unknown, answer: unknown = { value: "v" }) => {
    const given: Array<unknown> = []
    const classify = (value: unknown) => {
      given.push(value)
      return phase
    }
    const source = { ref, classify } as RunSource.RunSource<unknown, unknown, unknown, never>
    return { given, read: () => Decide.phaseOf(source, answer as RunSource.Answer<unknown>) }
  }

  it("is the phase that the source reads from the answer's value", () => {
    for (const phase of [{ _tag: "Pending" }, { _tag: "Succeeded", run: 1 }, { _tag: "Failed", run: 1, errors: [] }]) {
      const { given, read } = phaseOf(phase)
      assert.strictEqual<unknown>(read(), phase)
      assert.deepStrictEqual(given, ["v"])
    }
  })

  it("is a defect that names retrieve if the answer is no object, and the source is not asked", () => {
    for (const [answer, shown] of [[null, "null"], [5, "5"], ["done", "\"done\""]] as const) {
      const { given, read } = phaseOf({ _tag: "Succeeded", run: 1 }, answer)
      assert.throws(read, TypeError, `retrieve of test run 1 returned ${shown}; it must return an answer.`)
      assert.deepStrictEqual(given, [])
    }
  })

  it("is a defect that names classify if its _tag is not known", () => {
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [undefined, "undefined with the _tag undefined"],
      ["Pending", "\"Pending\" with the _tag undefined"],
      [{ _tag: "Done" }, "an object with the _tag \"Done\""]
    ]
    for (const [phase, words] of cases) {
      assert.throws(phaseOf(phase).read, TypeError, `classify of test run 1 returned ${words}`)
    }
  })
})

describe("the failure of a poll", () => {
  it("is read from any error, and has the tag \"Error\" if the error has none", () => {
    for (const error of [null, undefined, "boom", new Error("boom"), {}]) {
      assert.deepStrictEqual(Decide.readFailure(error), { tag: "Error", isRetryable: false, retryAfter: undefined })
    }
    const error = { _tag: "Own", isRetryable: true, retryAfter: 7 }
    assert.deepStrictEqual(Decide.readFailure(error), { tag: "Own", isRetryable: true, retryAfter: 7 })
    assert.isFalse(Decide.readFailure({ isRetryable: "yes" }).isRetryable)
  })
})

describe("the least time until the next poll", () => {
  it("is the Retry-After, up to its ceiling, and 0 if it is missing, negative or not a duration", () => {
    const floorOf = (retryAfter: unknown) => Decide.floorOf({ retryAfterCeiling: Duration.seconds(60) }, retryAfter)
    assert.strictEqual(floorOf(Duration.seconds(5)), 5000)
    assert.strictEqual(floorOf("2 minutes"), 60_000)
    for (const none of [undefined, null, "soon", NaN, {}, Symbol("soon"), -1]) assert.strictEqual(floorOf(none), 0)
  })
})
