import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Rude } from "canvas-runs/testing"
import { keep, type Transport, travel } from "./journeys.ts"

/**
 * `npm run contract` takes them all; `npm test` takes each rudeness alone in memory, a few of them on sockets, and a few of
 * the 200 combinations.
 */
const isFull = process.env["CONTRACT"] === "full"
/** One rudeness only, as the mutants ask for. */
const chosen = process.env["CONTRACT_RUDE"]

/** What the client does not stand yet. */
const pending: Rude.Rude = [
  "missingFields",
  "nullFields",
  "textNumbers",
  "numericTexts",
  "oddLists",
  "oddIds"
]
const standing = Rude.except(...pending)

const names = chosen === undefined ? standing : Rude.names.filter((name) => name === chosen)

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
    if (transport === "memory") noFailures(yield* keep(rude), rude)
    noFailures(yield* travel(transport, rude), rude)
  })

describe("the contract, on a server that is rude", { timeout: 120_000 }, () => {
  for (const [index, name] of names.entries()) {
    describe(`${name}: ${Rude.descriptions[name]}`, () => {
      it.live("memory", () => all("memory", [name]))
      for (const [offset, transport] of (["fetch", "undici"] as const).entries()) {
        if (isFull || chosen !== undefined || index % 10 === 5 * offset) {
          it.live(transport, () => all(transport, [name]))
        }
      }
    })
  }

  if (chosen !== undefined) return

  for (const transport of ["memory", "fetch", "undici"] as const) {
    it.live(`about everything at once: ${transport}`, () => all(transport, standing))
    it.live(`about nothing: ${transport}`, () => all(transport, Rude.none))
  }

  const seeds = Array.from({ length: isFull ? 200 : 5 }, (_, seed) => seed)
  for (const seed of seeds) {
    it.live(`about what seed ${seed} selects: memory`, () =>
      all("memory", Rude.sample(seed).filter((name) => standing.includes(name))))
  }
})
