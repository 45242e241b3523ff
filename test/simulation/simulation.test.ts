import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { size } from "../support/size.ts"
import * as Mutants from "./mutants.ts"
import * as Oracle from "./oracle.ts"
import * as Plan from "./plan.ts"
import * as Scenario from "./scenario.ts"
import * as Simulate from "./simulate.ts"

describe("the seeded simulation", () => {
  const seeds = size(100, 1000)

  it("keeps every promise for a short set of seeds, and exercises each promise", { timeout: 300_000 }, async () => {
    const report = await Simulate.simulate({ from: 0, seeds, maxFailures: 3 })
    assert.strictEqual(report.failures.length, 0, report.failures.map(Simulate.explain).join("\n\n"))
    assert.strictEqual(report.seeds, seeds)
    assert.deepStrictEqual(report.untested, [])
    assert.sameMembers(Object.keys(report.checks), Object.keys(Oracle.promises))
  })

  it("is repeatable: a seed reproduces a failure", async () => {
    const once = await Simulate.simulate({ from: 40, seeds: 10, maxFailures: 1 })
    const twice = await Simulate.simulate({ from: 40, seeds: 10, maxFailures: 1 })
    assert.deepStrictEqual(once, twice)
  })

  it("has the same report with two workers as with one", { timeout: 300_000 }, async () => {
    const seeds = { from: 100, seeds: size(20, 50), maxFailures: 1 }
    assert.deepStrictEqual(await Simulate.simulate({ ...seeds, workers: 2 }), await Simulate.simulate(seeds))
  })
})

describe("the judge of a shared run", () => {
  const eager: Plan.Consumer = { takes: 0, leavesAfter: undefined }

  /** A loop that fails at its deadline of 10 s, while a slow reader keeps an element for 100 s. */
  const slowReader = (joinAt: ReadonlyArray<number>): Plan.Plan => ({
    ...Plan.make(1),
    api: "tela",
    client: { requestTimeout: 60_000, retry: { _tag: "None" }, retryAfterCeiling: 60_000, retryCreates: false },
    policy: {
      pace: { _tag: "Fixed", every: 4000 },
      timeout: 10_000,
      errorBudget: 1,
      notFoundGrace: undefined,
      retryAfterCeiling: undefined
    },
    truth: {
      duration: Infinity,
      outcome: "completed",
      tasks: 1,
      canvasAfter: 0,
      estimate: undefined,
      errors: [],
      strange: undefined,
      isOutputValid: true,
      lag: 0
    },
    network: {
      faultRate: 0,
      outage: undefined,
      createFaultRate: 0,
      retryAfterRate: 0,
      staleRate: 0,
      echoes: false,
      latency: 0
    },
    program: {
      _tag: "Shared",
      waiters: [
        { kind: "watch", joinAt: 0.125, leaveAt: undefined, consumer: { takes: 100_000.25, leavesAfter: undefined } },
        ...joinAt.map((at) => ({ kind: "wait" as const, joinAt: at, leaveAt: undefined, consumer: eager }))
      ],
      cancelAt: undefined
    },
    interruptAt: undefined,
    resume: undefined
  })

  it("expects a new loop for each waiter that joins after a failure, even if a slow reader holds the failed loop", async () => {
    const history = await Effect.runPromise(Scenario.run(slowReader([20_000.375, 40_000.5])))
    assert.deepStrictEqual(Oracle.judge(history).violations, [])
    // One loop for the slow reader, and one for each of the others
    const polls = new Set(history.provider.exchanges.filter(({ method }) => method === "GET").map(({ at }) => at))
    const starts = history.processes[0]!.followers.map(({ startedAt }) => startedAt)
    assert.deepStrictEqual(starts.map((start) => polls.has(start)), [true, true, true])
  })

  for (const joinAt of [[20_000.375], [20_000.375, 40_000.5]]) {
    it(`rejects a history where the last of ${joinAt.length + 1} waiters gets the old failure without a poll`, async () => {
      const history = await Effect.runPromise(Scenario.run(slowReader(joinAt)))
      const followers = [...history.processes[0]!.followers]
      const last = followers.pop()!
      const old = followers[0]!.end!.exit
      const told: Scenario.History = {
        ...history,
        provider: {
          ...history.provider,
          exchanges: history.provider.exchanges.filter(({ at }) => at < last.startedAt)
        },
        processes: [{
          ...history.processes[0]!,
          followers: [...followers, { ...last, end: { at: last.startedAt, exit: old } }]
        }]
      }
      assert.include(Oracle.judge(told).violations.map(({ promise }) => promise), 7)
    })
  }
})

describe("the mutants", () => {
  it("each quote source text that occurs exactly once (`npm run mutants` applies them)", async () => {
    for (const mutant of Mutants.mutants) {
      assert.strictEqual(await Mutants.occurrences(mutant), 1, `${mutant.file}: ${mutant.breaks}`)
    }
  })
})
