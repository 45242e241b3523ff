/** The official client of MCP uses `canvas-runs mcp`, over stdio and over HTTP. Started by `judges.ts`. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const [cache, command, url] = process.argv.slice(2) as [string, string, string]

// The client is not a dependency of this package
// oxlint-disable-next-line typescript/no-explicit-any -- a module without types here
const load = (path: string): Promise<any> =>
  import(pathToFileURL(join(cache, "node_modules/@modelcontextprotocol/sdk/dist/esm", path)).href)

const { Client } = await load("client/index.js")
const { StdioClientTransport } = await load("client/stdio.js")
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js")

let checks = 0
const check = (actual: unknown, expected: unknown, what: string) => {
  assert.deepEqual(actual, expected, what)
  checks++
}

const transports = {
  stdio: () =>
    new StdioClientTransport({
      command: process.execPath,
      args: [command, "mcp"],
      env: process.env
    }),
  http: () =>
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${process.env["CANVAS_RUNS_MCP_TOKEN"]}` } }
    })
}

for (const [name, transport] of Object.entries(transports)) {
  checks = 0
  const client = new Client({ name: "judge", version: "1" })
  await client.connect(transport())
  const { tools } = await client.listTools()
  check(tools.length, 10, "the tools of both providers")
  const call = async (tool: string, args: object) => {
    const { isError = false, structuredContent } = await client.callTool({ name: tool, arguments: args })
    return { isError, ...structuredContent }
  }
  const key = `judge-${name}`
  const started = await call("spine_start", { prompt: "Tides", key })
  check([started.isError, started.status], [false, "running"], "a run starts")
  check((await call("spine_start", { prompt: "Tides", key })).run_id, started.run_id, "a repeated call")
  let waited = started
  while (waited.status === "running") waited = await call("spine_wait", { run_id: started.run_id, seconds: 5 })
  check([waited.isError, waited.status], [false, "completed"], "the run ends")
  const { artifacts } = await call("spine_artifacts", { run_id: started.run_id })
  check(typeof artifacts[0].download_url, "string", "the link of a file")
  const canvas_id = "11111111-1111-4111-8111-111111111111"
  check((await call("tela_execute", { canvas_id, variables: { topic: "tides" } })).status, "completed", "an execution")
  check((await call("spine_start", { prompt: " " })).isError, true, "a wrong argument")
  check(
    (await call("spine_result", { run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })).isError,
    true,
    "an unknown run"
  )
  await client.close()
  console.log(`@modelcontextprotocol/sdk over ${name}: ${checks} checks passed, 0 failed`)
}

// The client rejects a server that wants a token which it does not have
await assert.rejects(() =>
  new Client({ name: "judge", version: "1" }).connect(new StreamableHTTPClientTransport(new URL(url)))
)
