import { assert, describe, it } from "@effect/vitest"
import * as View from "../../examples/support/view.ts"

describe("View", () => {
  it("formats times, sizes and numbers for readers", () => {
    assert.deepStrictEqual([0, 7234, 59_949, 59_950, 185_000].map(View.time), [
      "0.0 s",
      "7.2 s",
      "59.9 s",
      "1 min 00 s",
      "3 min 05 s"
    ])
    assert.deepStrictEqual([0, 314, 23_123].map(View.size), ["0 B", "314 B", "23.1 kB"])
    assert.deepStrictEqual([0, 1, 2].map((n) => View.count(n, "file")), ["0 files", "1 file", "2 files"])
  })

  it("aligns the columns of a table", () => {
    assert.strictEqual(
      View.table([["run", "status"], ["report", "completed"], ["a", ""]]),
      [
        "run     status",
        "report  completed",
        "a"
      ].join("\n")
    )
  })

  it("sums up all runs in one line", () => {
    assert.strictEqual(
      View.summary({
        statuses: ["completed", "failed", "completed", "partial"],
        artifacts: 5,
        bytes: 23_100,
        millis: 7200
      }),
      "4 runs: 2 completed, 1 failed, 1 partial; 5 artifacts (23.1 kB) in 7.2 s"
    )
  })
})
