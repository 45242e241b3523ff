import { globSync, readFileSync } from "node:fs"
import { defineConfig } from "vitest/config"

const conditions = ["canvas-runs:source"]

// Examples of tests are tests
const include = ["test/**/*.test.ts", "examples/*.test.ts"]
const exclude = ["**/node_modules/**"]

/** Files that replace a module or the platform's dispatcher of requests, which no other file may see. */
const replacing = globSync(include, { exclude }).filter((file) =>
  /vi\.mock\(|lobalDispatcher/.test(readFileSync(file, "utf8"))
)

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "development|production"] } },
  test: {
    reporters: ["default", "./test/support/reporter.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // On every core. The default leaves one free
    maxWorkers: "100%",
    projects: [
      // Files that run in one process share what they import: loading Effect for each takes a third of the CPU time
      {
        extends: true,
        test: {
          name: "shared",
          include,
          exclude: [...exclude, ...replacing],
          isolate: false,
          globalSetup: "./test/support/databaseServer.ts"
        }
      },
      { extends: true, test: { name: "replacing", include: replacing, exclude } }
    ]
  }
})
