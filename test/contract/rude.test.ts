import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Rude } from "canvas-runs/testing"
import { isFull, sampleSeed } from "../support/size.ts"
import { keep, type Transport, travel } from "./journeys.ts"

const noFailures = (failures: ReadonlyArray<readonly [string, unknown]>, rude: Rude.Rude) => {
  const [first] = failures
  if (first === undefined) return
  const [name, why] = first
  assert.fail(
    `${failures.length} failed under [${rude.join(", ")}]:\n${failures.map(([name]) => `  ${name}\n`).join("")}` +
      `the first, ${name}:\n${Cause.isCause(why) ? Cause.pretty(why) : String(why)}`
  )
}

const all = (transport: Transport, rude: Rude.Rude) =>
  Effect.gen(function*() {
    if (transport === "memory" && (isFull || rude.length > 1)) noFailures(yield* keep(rude), rude)
    noFailures(yield* travel(transport, rude), rude)
  })

/**
 * `npm run contract` runs everything: each rudeness alone and all together, in memory and on sockets, and 200 combinations.
 * `npm test` runs the journeys with each rudeness alone in memory, and a sample of the rest.
 */
// Each test sleeps about a second of real time, and shares no state with the others
describe("the contract on a rude server", { concurrent: true, timeout: 120_000 }, () => {
  for (const [index, name] of Rude.names.entries()) {
    describe(`${name}: ${Rude.descriptions[name]}`, () => {
      it.live("memory", () => all("memory", [name]))
      for (const [offset, transport] of (["fetch", "undici"] as const).entries()) {
        if (isFull || index % 10 === 5 * offset) {
          it.live(transport, () => all(transport, [name]))
        }
      }
    })
  }

  for (const transport of ["memory", "fetch", "undici"] as const) {
    it.live(`with every rudeness at once keeps the contract: ${transport}`, () => all(transport, Rude.all))
    if (isFull || transport !== "memory") {
      it.live(`with no rudeness keeps the contract: ${transport}`, () => all(transport, Rude.none))
    }
  }

  const count = isFull ? 200 : sampleSeed === undefined ? 1 : 12
  const seeds = Array.from({ length: count }, (_, index) => (sampleSeed ?? 0) + index)
  for (const seed of seeds) {
    it.live(`with the selection of seed ${seed} keeps the contract: memory`, () => all("memory", Rude.sample(seed)))
  }
})
