import { assert, describe, it } from "@effect/vitest"
import { boundOf } from "./pollingBound.ts"
import type { Knowledge } from "./pollingFamilies.ts"

const law = { shape: 8, span: 525 }

/** The durations of runs of two tasks, if progress is not shown at all. */
const twoTasks: Knowledge = {
  _tag: "Durations",
  cdf: (seconds) => {
    const share = seconds / (law.span + seconds)
    return 1 - (1 - share) ** law.shape * (1 + law.shape * share)
  }
}

describe("the bound for progress that halts", () => {
  it("is that of progress that never halts, if a run has one task", () => {
    const halting = boundOf({ _tag: "HaltingTasks", tasks: 1, ...law })!
    const never = boundOf({ _tag: "Tasks", tasks: 1, ...law })!
    for (const delay of [2.5, 20]) assert.approximately(halting(delay) / never(delay), 1, 0.01)
  })

  it("is between progress that never halts and no progress", () => {
    const halting = boundOf({ _tag: "HaltingTasks", tasks: 2, ...law })!
    const never = boundOf({ _tag: "Tasks", tasks: 2, ...law })!
    const none = boundOf(twoTasks)!
    for (const delay of [2.5, 20]) {
      assert.isAbove(halting(delay), 1.05 * never(delay))
      assert.isBelow(halting(delay), none(delay))
    }
  })
})
