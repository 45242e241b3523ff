/** The statistics of a `DurationHistory`. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { RunRef } from "canvas-runs"
import { make } from "../../../src/internal/polling/adaptive.ts"
import { learn, type Lesson } from "../../../src/internal/polling/learn.ts"
import type { PollState } from "../../../src/RunSource.ts"

const minute = 60_000
const lessons = (...durations: ReadonlyArray<number>): ReadonlyArray<Lesson> =>
  durations.map((minutes) => ({ duration: minutes * minute, estimate: 15 * minute }))

const times = (count: number, minutes: number) => Array.from({ length: count }, () => minutes)

/** The probability that the next run ends between two ages, in minutes, if it behaves like an earlier one. */
const between = (lessons: ReadonlyArray<Lesson>, from: number, to: number): number => {
  const { model, share } = learn(lessons)!
  return share * (model.survival(from * minute) - model.survival(to * minute))
}

const stateAt = (age: number, progress?: PollState["progress"]): PollState => ({
  ref: RunRef.make({ provider: "test", kind: "run", id: "1" }),
  snapshot: undefined,
  progress,
  sinceProgress: Duration.millis(age / 2),
  polls: 1,
  failures: 0,
  elapsed: Duration.millis(age),
  age: Duration.millis(age),
  estimate: Duration.minutes(15),
  remaining: Duration.infinity
})

describe("learning from durations", () => {
  it("nothing is learnt from no runs", () => assert.isUndefined(learn([])))

  it("runs of one duration are expected again, the more the more there were", () => {
    const shares = [1, 2, 5, 20, 60].map((count) => between(lessons(...times(count, 45)), 30, 65))
    assert.deepStrictEqual(shares, shares.toSorted((a, b) => a - b))
    assert.isAbove(shares.at(-1)!, 0.9)
  })

  it("two durations are both expected, and nothing between them", () => {
    const known = lessons(...Array.from({ length: 30 }, (_, index) => index % 2 === 0 ? 5 : 45))
    assert.closeTo(between(known, 3, 8), 0.43, 0.05)
    assert.closeTo(between(known, 30, 70), 0.43, 0.05)
    assert.isBelow(between(known, 12, 20), 0.02)
  })

  it("runs that are alike are expected as closely, whatever else runs of the kind do", () => {
    const known = lessons(...Array.from({ length: 30 }, (_, index) => index % 5 === 0 ? 0.1 : 14 + index / 15))
    assert.isAbove(between(known, 12, 18), 0.6)
  })

  it("a kind that changes is followed within a few runs, whichever way it changes", () => {
    for (const [before, after] of [[45, 5], [5, 45]] as const) {
      const shares = [1, 2, 3, 5, 10].map((count) =>
        between(lessons(...times(30, before), ...times(count, after)), before * 0.8, before * 1.25)
      )
      assert.isBelow(shares[0]!, 0.75)
      assert.isBelow(shares[3]!, 0.1)
      assert.isBelow(shares[4]!, 0.03)
    }
  })

  it("a kind that comes to take as long as the estimate says is left to the estimate", () => {
    assert.isBelow(between(lessons(...times(30, 45), ...times(3, 15)), 36, 56), 0.1)
  })

  it("one odd run among many does not hide them", () => {
    assert.isAbove(between(lessons(...times(40, 45), 2, ...times(3, 45)), 30, 65), 0.6)
  })

  it("the share of runs whose progress halts follows the latest runs", () => {
    const halting = (halted: boolean): Lesson => ({ duration: minute, halted })
    const all = Array.from({ length: 20 }, () => halting(true))
    assert.isBelow(learn([halting(false)])!.halts, 0.02)
    assert.isAbove(learn(all)!.halts, 0.2)
    assert.isBelow(learn([...all, ...all.map(() => halting(false))])!.halts, 0.02)
  })

  const Durations = Schema.Array(Schema.Struct({
    duration: Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 366 * 86_400_000 - 1 })),
    estimate: Schema.optional(Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 366 * 86_400_000 }))),
    halted: Schema.optional(Schema.Boolean)
  })).check(Schema.isMinLength(1), Schema.isMaxLength(64))

  it.prop("any durations give probabilities, and a pause at any age", [Durations], ([known]) => {
    const learnt = learn(known)!
    const { halts, model, share } = learnt
    assert.isTrue(share > 0 && share < 1 && halts > 0 && halts < 1)
    assert.isTrue(model.meanInterval(0) > 0 && model.meanInterval(0) < Infinity && model.median > 0)
    let before = 1.001
    for (let age = 1; age < 1e12; age *= 3) {
      const survival = model.survival(age)
      assert.isTrue(model.density(age) >= 0 && survival >= -1e-6 && survival <= before + 1e-4)
      before = survival
    }
    const pause = make({ pastDurations: [], targetLatency: 2500, min: 1000, max: 300_000 })
    for (const age of [0, 1, 1000, minute, 60 * minute, 1e11]) {
      for (const progress of [undefined, { completed: 0, total: 1 }, { completed: 3, total: 12 }]) {
        const millis = pause(stateAt(age, progress), learnt)
        assert.isTrue(millis > 0 && millis < Infinity, `${millis} at ${age}`)
      }
    }
  })
})
