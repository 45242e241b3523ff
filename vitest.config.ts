import { existsSync, globSync, readFileSync, statfsSync } from "node:fs"
import { availableParallelism } from "node:os"
import { relative } from "node:path"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const conditions = ["canvas-runs:source"]

// Examples of tests are tests
const include = ["test/**/*.test.ts", "examples/*.test.ts"]
const exclude = ["**/node_modules/**"]

/** Files that replace the module of signatures, all in the same way, which no other file may see. */
const signing = globSync(include, { exclude }).filter((file) => readFileSync(file, "utf8").includes("vi.mock("))

/**
 * The directory of temporary files, in memory where Linux has room for them. A SQLite database waits for the disk at each commit:
 * one with ten commits takes 2 ms in memory, and up to 80 ms on a disk.
 */
const temporary = (): Record<string, string> => {
  const memory = "/dev/shm"
  if (!existsSync(memory)) return {}
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > 2 ** 30 ? { TMPDIR: memory } : {}
}

/** The files that take longest, most of which are short: Vitest guesses by size until it has run them. */
const longest = [
  "test/examples/examples.test.ts",
  "test/contract/rude.test.ts",
  "test/docs/docs.test.ts",
  "test/cli/failures.test.ts",
  "test/compatibility/deploy.test.ts",
  "test/faults/faults.test.ts",
  "test/cli/processes.test.ts",
  "test/simulation/simulation.test.ts",
  "test/simulation/shrink.test.ts",
  "test/packaging/exports.test.ts",
  "test/manyRuns/busy.test.ts",
  "test/manyRuns/redis.test.ts",
  "test/workflow/Waits.test.ts",
  "test/spine/socket.test.ts",
  "test/runtimes/runtimes.test.ts",
  "test/picture/browser.test.ts",
  "test/manyRuns/sockets.test.ts",
  "test/cli/run.test.ts",
  "test/cli/guide.test.ts",
  "test/crash/mcp.test.ts",
  "test/crash/crash.test.ts",
  "test/crash/batches.test.ts",
  "test/crash/budgets.test.ts",
  "test/cluster/wakeUps.test.ts",
  "test/runStore/processes.test.ts"
]

/** Two more than cores, because the longest files wait for processes and timers half of the time. The default leaves one core free. */
const workers = availableParallelism() + 2

/** Starts the longest files first, so that none of them is the last to run, beside idle cores. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const place = ({ moduleId, project }: TestSpecification) => {
      // A process is shared by files of one project that follow each other. Of the first processes, the last one takes this project
      if (project.name === "signing") return workers - 1.5
      const index = longest.indexOf(relative(import.meta.dirname, moduleId).replaceAll("\\", "/"))
      return index === -1 ? longest.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "development|production"] } },
  test: {
    reporters: ["default", "./test/support/reporter.ts"],
    env: temporary(),
    setupFiles: "./test/support/setup.ts",
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Concurrent tests wait for processes and timers most of the time
    maxConcurrency: 10,
    sequence: { sequencer: LongestFirst },
    maxWorkers: workers,
    projects: [
      // Files that run in one process share what they import: loading Effect for each takes a third of the CPU time
      {
        extends: true,
        test: {
          name: "shared",
          include,
          exclude: [...exclude, ...signing],
          globalSetup: "./test/support/databaseServer.ts"
        }
      },
      { extends: true, test: { name: "signing", include: signing, exclude } }
    ]
  }
})
