import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Random from "../support/random.ts"
import { isFull } from "../support/size.ts"
import * as JobsScenario from "./jobs/scenario.ts"
import { copyRepository, execute } from "./mutants.ts"
import * as Scenario from "./scenario.ts"
import { shrink, without } from "./shrink.ts"
import * as Simulate from "./simulate.ts"

describe("shrink", () => {
  const numbers: ReadonlyArray<number> = Array.from({ length: 200 }, (_, index) => index)
  const includesAll = (needed: ReadonlyArray<number>) => (list: ReadonlyArray<number>) =>
    needed.every((each) => list.includes(each))

  it("finds the elements that a failure needs, however many and wherever they are, in few tries", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const draw = Random.make(seed)
      const needed = [...new Set(Array.from({ length: draw.int(0, 4) }, () => draw.int(0, 199)))].sort((a, b) => a - b)
      let tries = 0
      const fails = (list: ReadonlyArray<number>) => {
        tries++
        return includesAll(needed)(list)
      }
      assert.deepStrictEqual(await shrink(numbers, { simpler: without, fails, tries: 10_000 }), needed)
      // Each element is found by some four tries for each of the 8 halvings
      assert.isAtMost(tries, 1 + 32 * needed.length)
    }
  })

  it("returns a list that needs each of its elements, if several small lists fail", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const draw = Random.make(seed)
      const causes = Array.from({ length: 3 }, () => Array.from({ length: draw.int(1, 3) }, () => draw.int(0, 199)))
      const fails = (list: ReadonlyArray<number>) => causes.some((needed) => includesAll(needed)(list))
      const small = await shrink(numbers, { simpler: without, fails, tries: 10_000 })
      assert.isTrue(fails(small))
      for (const index of small.keys()) assert.isFalse(fails(small.toSpliced(index, 1)))
    }
  })

  it("stops after the number of tries, with the simplest value so far", async () => {
    let tries = 0
    const fails = (list: ReadonlyArray<number>) => {
      tries++
      return list.includes(7)
    }
    const small = await shrink(numbers, { simpler: without, fails, tries: 5 })
    assert.strictEqual(tries, 5)
    assert.isTrue(small.includes(7))
    assert.isBelow(small.length, 200)
  })

  it("returns the value itself if nothing simpler fails", async () => {
    const list: ReadonlyArray<number> = [1, 2, 3]
    assert.strictEqual(await shrink(list, { simpler: without, fails: () => false, tries: 100 }), list)
  })
})

describe("a plan that is shrunk", () => {
  const evaluate = (source: string): unknown => new Function(`return ${source}`)()

  /** The first seed whose history has a property. */
  const firstSeed = async (has: (seed: number) => Promise<boolean>): Promise<number> => {
    let seed = 0
    while (!(await has(seed))) seed++
    return seed
  }
  const countOf = (kinds: Iterable<string>, kind: string) => [...kinds].filter((each) => each.includes(kind)).length

  it("has only the faults that matter, and its source text gives the same history: a run and its followers", async () => {
    const { follow } = Simulate.scenarios
    const has = ({ kinds }: { readonly kinds: ReadonlyArray<string> }) => countOf(kinds, "503") >= 2
    const seed = await firstSeed(async (seed) => has(await follow.run(follow.make(seed))))
    const plan = await Simulate.smallestPlan(follow, seed, has)
    assert.lengthOf(plan.faults!, 2)
    const again = evaluate(Simulate.literal(plan)) as typeof plan
    assert.deepStrictEqual(again, plan)
    const { exchanges } = (await Effect.runPromise(Scenario.run(again))).provider
    assert.deepStrictEqual(
      exchanges.filter(({ kind }) => kind !== "answer" && kind !== "accepted").map((
        { kind, number }
      ) => [kind, number]),
      plan.faults!.map((event) => ["503", Number(event.slice("request ".length))])
    )
  })

  it("has only the faults that matter, and its source text gives the same history: jobs of a service", async () => {
    const { work } = Simulate.scenarios
    const has = ({ kinds }: { readonly kinds: ReadonlyArray<string> }) => countOf(kinds, "reset") >= 2
    const seed = await firstSeed(async (seed) => has(await work.run(work.make(seed))))
    const plan = await Simulate.smallestPlan(work, seed, has)
    assert.lengthOf(plan.faults!, 2)
    assert.isAtMost(plan.jobs.length, 2)
    const again = evaluate(Simulate.literal(plan)) as typeof plan
    assert.deepStrictEqual(again, plan)
    const { exchanges } = (await Effect.runPromise(JobsScenario.run(again))).provider
    assert.strictEqual(countOf(exchanges.map(({ play }) => play), "reset"), 2)
  })

  it("is written with values that JSON does not have", () => {
    const data = { a: undefined, b: Infinity, c: -0, d: NaN, e: ["'\"\\\n`${", "__proto__"], f: { "odd key": null } }
    assert.deepStrictEqual(evaluate(`(${Simulate.literal(data)})`), data)
  })
})

describe.runIf(isFull)("a mistake in a copy of the library", () => {
  it(
    "is printed as a test with the fewest faults, which fails with the mistake and passes without it",
    { timeout: 600_000 },
    async () => {
      const copy = await copyRepository()
      try {
        const file = join(copy, "src/Polling.ts")
        const source = await readFile(file, "utf8")
        await writeFile(file, source.replace("errorBudget = 5", "errorBudget = 6"))
        const { output } = await execute(copy, [
          "--conditions=canvas-runs:source",
          "test/simulation/simulate.ts",
          "--seeds",
          "400",
          "--max-failures",
          "1"
        ])
        const [, printed] = /^(\/\/ Save it as .*?^\}\))$/ms.exec(output)!
        // The error after the budget is the one that should have ended the wait
        assert.lengthOf(printed!.match(/^\/\/ request \d+: /gm)!, 6)
        await writeFile(join(copy, "test/simulation/printed.test.ts"), printed!)
        const test = () =>
          execute(copy, ["node_modules/vitest/vitest.mjs", "run", "--retry=0", "test/simulation/printed.test.ts"])
        const failing = await test()
        assert.strictEqual(failing.status, 1)
        assert.include(failing.output, "a wait had to end at")
        await writeFile(file, source)
        assert.strictEqual((await test()).status, 0)
      } finally {
        await rm(copy, { recursive: true, force: true })
      }
    }
  )
})
