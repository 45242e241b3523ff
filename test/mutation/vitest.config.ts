import { defineConfig } from "vitest/config"
import base from "../../vitest.config.ts"

// Used in a copy of the repository, for the tests that the command names
const include = (process.env["MUTATION_TESTS"] ?? "").split(",").filter((file) => file !== "")

const { projects: _, ...test } = base.test ?? {}

export default defineConfig({
  ...base,
  root: process.cwd(),
  test: {
    ...test,
    include,
    reporters: [],
    testTimeout: 120_000,
    // The tests of all mutants share what they import, see runner.ts
    isolate: false,
    // The copy is below node_modules, where Vitest would load this file only once, but it has to switch on each mutant
    server: { deps: { inline: [/stryker-setup/] } }
  }
})
