/** A client of an MCP server, which sends messages as they are, over HTTP in one process. */
import type { Layer } from "effect"
import { HttpRouter } from "effect/http"

export const tasksExtension = "io.modelcontextprotocol/tasks"

export interface Answer {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON of the server under test
  readonly body: any
}

export interface Client {
  /** Sends a request of the protocol 2026-07-28. */
  readonly request: (method: string, params?: object, options?: RequestOptions) => Promise<Answer>
  /** Sends a body with headers. */
  readonly post: (body: string, headers?: Record<string, string>) => Promise<Answer>
  readonly call: (name: string, args: object, options?: RequestOptions) => Promise<Answer>
  readonly dispose: () => Promise<void>
}

export interface RequestOptions {
  /** Whether the client accepts tasks. */
  readonly tasks?: boolean
  readonly headers?: Record<string, string>
}

export const version = "2026-07-28"

let id = 0

/** The body of a request of the protocol 2026-07-28. */
export const requestOf = (method: string, params: object = {}, tasks = false) => ({
  jsonrpc: "2.0",
  id: ++id,
  method,
  params: {
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": tasks ? { extensions: { [tasksExtension]: {} } } : {}
    }
  }
})

const nameOf = (params: object): Record<string, string> => {
  const name = "taskId" in params ? params.taskId : "name" in params ? params.name : undefined
  return typeof name === "string" ? { "mcp-name": name } : {}
}

/** Serves the routes of a layer in this process. */
export const connect = <E>(routes: Layer.Layer<never, E, HttpRouter.HttpRouter>): Client => {
  const { dispose, handler } = HttpRouter.toWebHandler(routes, {
    disableLogger: true
  })
  const post: Client["post"] = async (body, headers = {}) => {
    const response = await handler(
      new Request("http://localhost/mcp", {
        method: "POST",
        body,
        headers: {
          host: "localhost",
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers
        }
      })
    )
    const text = await response.text()
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? text
    return { status: response.status, body: data === "" ? undefined : JSON.parse(data) }
  }
  const request: Client["request"] = (method, params = {}, { headers = {}, tasks = false } = {}) =>
    post(JSON.stringify(requestOf(method, params, tasks)), {
      "mcp-protocol-version": version,
      "mcp-method": method,
      ...nameOf(params),
      ...headers
    })
  return {
    post,
    request,
    call: (name, args, options) => request("tools/call", { name, arguments: args }, options),
    dispose
  }
}
