import { assert, describe, it } from "@effect/vitest"
import { size } from "../long/size.ts"
import * as Mutants from "./mutants.ts"
import * as Oracle from "./oracle.ts"
import * as Simulate from "./simulate.ts"

describe("the seeded simulation", () => {
  const seeds = size(150, 1000)

  it("keeps every promise for a short set of seeds, and puts each to the test", { timeout: 300_000 }, async () => {
    const report = await Simulate.simulate({ from: 0, seeds, maxFailures: 3 })
    assert.strictEqual(report.failures.length, 0, report.failures.map(Simulate.explain).join("\n\n"))
    assert.strictEqual(report.seeds, seeds)
    assert.deepStrictEqual(report.untested, [])
    assert.sameMembers(Object.keys(report.checks), Object.keys(Oracle.promises))
  })

  it("repeats itself: a seed is enough to see a failure again", async () => {
    const once = await Simulate.simulate({ from: 40, seeds: 20, maxFailures: 1 })
    const twice = await Simulate.simulate({ from: 40, seeds: 20, maxFailures: 1 })
    assert.deepStrictEqual(once, twice)
  })
})

describe("the mutants", () => {
  it("are all about source that is there, once (`npm run simulate -- --mutants` tries them out)", async () => {
    for (const mutant of Mutants.mutants) {
      assert.strictEqual(await Mutants.occurrences(mutant), 1, `${mutant.file}: ${mutant.breaks}`)
    }
  })
})
