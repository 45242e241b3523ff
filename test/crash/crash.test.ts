import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { crash, isGood, summary } from "./harness.ts"

describe("a process killed with SIGKILL (in full: npm run crash)", () => {
  it.live(
    "loses no run, creates no run twice, and reports every unknown outcome",
    () =>
      Effect.gen(function*() {
        const report = yield* crash({ kills: 12, seed: 7, lanes: 2 })
        assert.isTrue(isGood(report), JSON.stringify(report, undefined, 2))
        assert.isAtLeast(report.kills, 12)
        assert.isAbove(report.ambiguous, 0)
        assert.match(summary(report), /^kills \d+, runs \d+, lost 0, duplicated 0, unknown outcomes reported \d+$/)
      }),
    60_000
  )
})
