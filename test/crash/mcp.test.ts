import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { size } from "../support/size.ts"
import { crash, isGood, summary } from "./mcp/harness.ts"

const kills = size(1, 10)

describe("an MCP server killed with SIGKILL (in full: npm run crash:mcp)", () => {
  it.live(
    "loses no task, and creates no run twice",
    () =>
      Effect.gen(function*() {
        const report = yield* crash({ kills, seed: 7 })
        assert.isTrue(isGood(report), JSON.stringify(report, undefined, 2))
        assert.strictEqual(report.kills, kills)
        assert.match(summary(report), /tasks lost 0, runs doubled 0/)
      }).pipe(Effect.provide(NodeServices.layer)),
    120_000
  )
})
