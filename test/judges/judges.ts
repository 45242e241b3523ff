/**
 * `npm run judges`: lets others judge the MCP server, and prints their figures. The judges are installed in `node_modules/.cache`.
 *
 * - `@modelcontextprotocol/conformance`, the official judge: what 2026-07-28 and 2025-11-25 require of a server, and the scenarios for
 *   tasks. It needs its own tools, which `server.ts` serves on the wire of `canvas-runs mcp`.
 * - `@modelcontextprotocol/sdk`, the official client: it uses `canvas-runs mcp` itself, over stdio and over HTTP.
 */
import { execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const judge = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
const root = fileURLToPath(new URL("../..", import.meta.url))
const cache = join(root, "node_modules/.cache/judges")

/** Failures that say nothing about the server, with the line of the judge that is at fault. */
const faultsOfJudge: Readonly<Record<string, string>> = {
  "2025-11-25 resources-subscribe":
    "its run() calls e.connect(), then n.request(`resources/subscribe`), although the server announced resources.subscribe: false",
  "2025-11-25 resources-unsubscribe":
    "its run() calls e.connect(), then n.request(`resources/subscribe`), although the server announced resources.subscribe: false"
}

/** Runs a program to its end, and returns its output. */
const run = (
  file: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv }
) =>
  new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
    execFile(file, args, { ...options, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, output: stdout + stderr })
    })
  })

const install = async () => {
  if (existsSync(join(cache, "node_modules/@modelcontextprotocol/conformance"))) return
  mkdirSync(cache, { recursive: true })
  console.log(`installing ${judge}`)
  const args = ["install", "--prefix", cache, "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", judge]
  const { code, output } = await run("npm", args, { cwd: cache })
  if (code !== 0) throw new Error(`npm cannot install ${judge}, which the judges need:\n${output}`)
}

/** Starts a program of this repository, and returns what its first line says after "listening on". */
const serve = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) => {
  const child = spawn(process.execPath, ["--conditions=canvas-runs:source", ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const url = new Promise<string>((resolve, reject) => {
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      const [, found] = /listening on (\S+)/.exec(text) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once("exit", () => reject(new Error(`${args.join(" ")} ended`)))
  })
  return { url, stop: () => child.kill() }
}

interface Check {
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO"
  readonly id: string
  readonly errorMessage?: string
}

/** Lets the judge run what a version requires, and returns whether nothing unexpected failed. */
const conform = async (url: string, revision: string): Promise<boolean> => {
  const results = mkdtempSync(join(tmpdir(), "judges-"))
  const bin = join(cache, "node_modules/@modelcontextprotocol/conformance/dist/index.js")
  await run(process.execPath, [bin, "server", "--url", url, "--requirements", revision, "-o", results], { cwd: cache })
  const count = { passed: 0, failed: 0, faults: 0, tasks: 0, taskScenarios: 0 }
  const scenarios = readdirSync(results).sort()
  for (const directory of scenarios) {
    const name = directory.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, "")
    const checks: ReadonlyArray<Check> = JSON.parse(readFileSync(join(results, directory, "checks.json"), "utf8"))
    const passed = checks.filter(({ status }) => status === "SUCCESS").length
    count.passed += passed
    if (name.startsWith("tasks-")) {
      count.tasks += passed
      count.taskScenarios++
    }
    for (const { errorMessage, id, status } of checks) {
      if (status !== "FAILURE" && status !== "WARNING") continue
      const fault = faultsOfJudge[`${revision} ${name}`]
      count[fault === undefined ? "failed" : "faults"]++
      console.log(`  ${fault === undefined ? "FAILED" : "fault of the judge"}: ${name} ${id}: ${errorMessage}`)
      if (fault !== undefined) console.log(`    ${fault}`)
    }
  }
  rmSync(results, { recursive: true })
  if (scenarios.length === 0) throw new Error(`the judge ran no scenario of ${revision}`)
  console.log(
    `${revision}: ${scenarios.length} scenarios, ${count.passed} checks passed, ${count.failed} failed, ${count.faults} faults of the judge` +
      (count.taskScenarios === 0 ? "" : `; ${count.taskScenarios} scenarios for tasks, ${count.tasks} checks passed`)
  )
  return count.failed === 0
}

/** Lets the official client use `canvas-runs mcp`, in the form that users have. */
const sdk = async (): Promise<boolean> => {
  const home = mkdtempSync(join(tmpdir(), "judges-"))
  const bin = join(home, "bin.cjs")
  const bundled = await run("npm", ["run", "--silent", "build:bin", "--", bin], { cwd: root })
  if (bundled.code !== 0) throw new Error(`the command cannot be bundled:\n${bundled.output}`)
  const emulator = serve([bin, "emulator", "--port", "0", "--speed", "20"])
  try {
    const baseUrl = await emulator.url
    const env = {
      XDG_STATE_HOME: home,
      SPINE_API_KEY: "sk_spine_demo",
      TELA_API_KEY: "demo",
      SPINE_BASE_URL: baseUrl,
      TELA_BASE_URL: baseUrl,
      CANVAS_RUNS_MCP_TOKEN: "a secret"
    }
    const server = serve([bin, "mcp", "--http", "0"], env)
    try {
      const { code, output } = await run(process.execPath, [
        join(root, "test/judges/sdk.ts"),
        cache,
        bin,
        await server.url
      ], { cwd: root, env: { ...process.env, ...env } })
      console.log(output.trimEnd())
      return code === 0
    } finally {
      server.stop()
    }
  } finally {
    emulator.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

await install()
const server = serve(["test/judges/server.ts"])
const passed: Array<boolean> = []
try {
  for (const revision of ["2026-07-28", "2025-11-25"]) passed.push(await conform(await server.url, revision))
} finally {
  server.stop()
}
passed.push(await sdk())
process.exitCode = passed.every(Boolean) ? 0 : 1
