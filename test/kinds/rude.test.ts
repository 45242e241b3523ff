import { assert, it } from "@effect/vitest"
import { Rude } from "canvas-runs/testing"
import { describeKind } from "./kind.ts"
import { places } from "./rude.ts"

// The contract tests with rude servers check the same
describeKind("a deviation of a rude server is not tolerated", places, { isRepeated: true })

it("every rudeness has a tolerance, and a mutant without it", () => {
  const covered = new Set(places.map(({ name }) => name.split(":")[0]!))
  assert.deepStrictEqual(Rude.names.filter((name) => !covered.has(name)), [])
})
