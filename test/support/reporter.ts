import type { Reporter, TestModule } from "vitest/node"

/** Ends a run with a line for each test that this machine cannot run, and with one line for scripts: `N passed, N failed`. */
export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0
    // Errors outside of any test
    let failed = unhandledErrors.length
    let skipped = 0
    const notes: Array<string> = []
    for (const module of modules) {
      let own = 0
      for (const test of module.children.allTests()) {
        own++
        const result = test.result()
        if (result.state === "passed") passed++
        else if (result.state === "failed") failed++
        else {
          skipped++
          if (result.state === "skipped" && result.note !== undefined) {
            notes.push(`skipped: ${test.fullName}: ${result.note}\n`)
          }
        }
      }
      // A file that could not be loaded has no tests, and counts as a failure
      if (module.state() === "failed" && (own === 0 || module.errors().length > 0)) failed++
    }
    process.on("exit", () => {
      process.stdout.write(
        `${notes.join("")}${skipped > 0 ? `${skipped} skipped\n` : ""}${passed} passed, ${failed} failed\n`
      )
    })
  }
}
