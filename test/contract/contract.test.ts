import { describe, it } from "@effect/vitest"
import { Rude } from "canvas-runs/testing"
import { promises } from "./promises.ts"
import { ownProvider, providers } from "./providers.ts"

for (const provider of [...providers(Rude.none), ownProvider]) {
  describe(`the contract of every provider: ${provider.name}`, () => {
    for (const { name, test } of promises(provider, Rude.none)) it.effect(name, () => test)
  })
}
