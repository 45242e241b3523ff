import { assert, describe, it } from "@effect/vitest"
import { interleave, ratio, sample } from "./measure.ts"

describe("a sample", () => {
  it("has the median, which for an even number of values is between the two in the middle", () => {
    assert.deepInclude(sample([9, 1, 2]), { median: 2, min: 1, max: 9 })
    assert.strictEqual(sample([4, 1, 9, 2]).median, 3)
  })

  it("without values is an error", () => {
    assert.throws(() => sample([]), "a sample without values")
  })
})

describe("a ratio", () => {
  it("is the median of the ratios of the rounds, so that a slow round of both does not count", () => {
    assert.strictEqual(ratio(sample([2, 20, 4]), sample([1, 10, 4])), 2)
  })

  it("is that of the medians if the rounds are not the same", () => {
    assert.strictEqual(ratio(sample([2, 3, 4]), sample([2])), 1.5)
  })
})

describe("interleave", () => {
  it("calls each contender once per round, in another order each time", async () => {
    const calls: Array<string> = []
    const contender = (name: string) => () => calls.push(name)
    const measured = await interleave(3, { a: contender("a"), b: contender("b"), c: contender("c") })
    assert.strictEqual(calls.join(""), "abcbcacab")
    assert.deepStrictEqual(measured.a.values, [1, 6, 8])
    await interleave(1, { a: contender("a"), b: contender("b"), c: contender("c") }, 2)
    assert.strictEqual(calls.slice(9).join(""), "cab")
  })
})
