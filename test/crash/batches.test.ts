import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { size } from "../support/size.ts"
import { crash, isGood, summary } from "./batch/harness.ts"

const kills = size(2, 3)

describe("a batch killed with SIGKILL (in full: npm run crash:batches)", () => {
  it.live(
    "has an outcome for each input in the end, creates no run twice, and resolves all unknown creates",
    () =>
      Effect.gen(function*() {
        const report = yield* crash({ inputs: size(40, 300), kills, seed: 7, isReconciling: true })
        assert.isTrue(isGood(report), summary(report))
        assert.strictEqual(report.kills, kills)
        assert.strictEqual(report.unknown, 0)
        assert.isAbove(report.attached, 0)
      }),
    120_000
  )
})
