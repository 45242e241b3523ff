import { defineConfig } from "vitest/config"
import base from "../../vitest.config.ts"

// Run in a copy of the repository, for the tests that the command names
const include = (process.env["MUTATION_TESTS"] ?? "").split(",").filter((file) => file !== "")

const { projects: _, ...test } = base.test ?? {}

export default defineConfig({
  ...base,
  root: process.cwd(),
  test: { ...test, include, reporters: [], testTimeout: 120_000 }
})
