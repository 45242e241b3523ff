import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { size } from "../support/size.ts"
import { crash, isGood, summary } from "./harness.ts"

const kills = size(6, 12)

describe("a process killed with SIGKILL (in full: npm run crash)", () => {
  it.live(
    "loses no run, creates no run twice, and reports every unknown outcome",
    () =>
      Effect.gen(function*() {
        const report = yield* crash({ kills, seed: 7, lanes: 2 })
        assert.isTrue(isGood(report), JSON.stringify(report, undefined, 2))
        assert.isAtLeast(report.kills, kills)
        assert.isAbove(report.ambiguous, 0)
        assert.match(summary(report), /^kills \d+, runs \d+, lost 0, duplicated 0, unknown outcomes reported \d+$/)
      }),
    60_000
  )
})
