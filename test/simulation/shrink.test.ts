import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Random from "../support/random.ts"
import { isFull, size } from "../support/size.ts"
import * as JobsScenario from "./jobs/scenario.ts"
import type { Faults } from "./plan.ts"
import { copyRepository, execute, mutants } from "./mutants.ts"
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

  it("keeps all promises if the library does, whichever simpler plans are chosen", { timeout: 300_000 }, async () => {
    const walk = async <P extends { readonly faults: Faults }>(scenario: Simulate.Kind<P>, seed: number) => {
      const draw = Random.make(seed)
      const { events } = await scenario.run(scenario.make(seed))
      let plan: P = { ...scenario.make(seed), faults: [...events.keys()] }
      for (let step = 0; step < 12; step++) {
        plan = draw.pick([...scenario.simpler(plan), plan])
        assert.deepStrictEqual((await scenario.run(plan)).verdict.violations, [], Simulate.literal(plan))
      }
    }
    for (let seed = 0; seed < size(2, 100); seed++) {
      await walk(Simulate.scenarios.follow, seed)
      await walk(Simulate.scenarios.work, seed)
    }
  })

  it("is written with values that JSON does not have", () => {
    const data = { a: undefined, b: Infinity, c: -0, d: NaN, e: ["'\"\\\n`${", "__proto__"], f: { "odd key": null } }
    assert.deepStrictEqual(evaluate(`(${Simulate.literal(data)})`), data)
  })
})

describe.runIf(isFull)("a mistake in a copy of the library", () => {
  const mistakes = [
    {
      scenario: "a run and its followers",
      breaks: "the default error budget is wrong",
      // The budget of 5 lets 5 polls fail, and the mistake a sixth
      faults: 6,
      message: "a wait had to end at"
    },
    {
      scenario: "jobs of a service",
      breaks: "jobs: any failure frees the key",
      // The response to a create is lost
      faults: 1,
      message: "and 1 runs exist"
    }
  ]
  for (const { breaks, faults, message, scenario } of mistakes) {
    it(
      `is printed as a test with the fewest faults, which fails with the mistake and passes without it: ${scenario}`,
      { timeout: 600_000 },
      async () => {
        const copy = await copyRepository()
        try {
          const mutant = mutants.find((mutant) => mutant.breaks === breaks)!
          const file = join(copy, mutant.file)
          const source = await readFile(file, "utf8")
          await writeFile(file, source.replace(mutant.find, mutant.replace))
          const simulation = ["--conditions=canvas-runs:source", "test/simulation/simulate.ts"]
          const { output } = await execute(copy, [...simulation, "--seeds", "400", "--max-failures", "1"])
          const printed = testIn(output)
          assert.lengthOf(printed.match(/^\/\/ (request|write) \d+: /gm)!, faults)
          const [, seed] = /^replay: npm run simulate -- --seed (\d+)$/m.exec(output)!
          const replayed = await execute(copy, [...simulation, "--seed", seed!])
          assert.strictEqual(testIn(replayed.output), printed)
          const unshrunk = await execute(copy, [...simulation, "--seed", seed!, "--no-shrink"])
          assert.include(unshrunk.output, `seed ${seed} breaks:`)
          assert.notInclude(unshrunk.output, "plan: Plan")

          const path = "test/simulation/printed.test.ts"
          await writeFile(join(copy, path), printed)
          await writeFile(
            join(copy, "tsconfig.printed.json"),
            // A mistake may leave something unused
            JSON.stringify({ extends: "./tsconfig.json", include: [path], compilerOptions: { noUnusedLocals: false } })
          )
          const types = await execute(copy, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.printed.json"])
          assert.strictEqual(types.status, 0, types.output)
          const test = () => execute(copy, ["node_modules/vitest/vitest.mjs", "run", "--retry=0", path])
          const failing = await test()
          assert.strictEqual(failing.status, 1)
          assert.include(failing.output, message)
          await writeFile(file, source)
          assert.strictEqual((await test()).status, 0)
        } finally {
          await rm(copy, { recursive: true, force: true })
        }
      }
    )
  }
})

/** The test in the output of the simulation. */
const testIn = (output: string): string => /^\/\/ Save it as .*?^\}\)$/ms.exec(output)![0]
