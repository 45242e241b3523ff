/** A server with the fixtures of the judge, on the wire of `canvas-runs mcp`: its tasks, its protocols and its guard. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { McpProtocol, McpServer } from "effect/ai"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import * as HttpGuard from "../../src/ai/internal/httpGuard.ts"
import { withTasks } from "../../src/ai/internal/tasksProtocol.ts"
import { fixtures } from "./fixture.ts"
import { tasks } from "./tasks.ts"

const routes = McpServer.layerHttp({
  name: "fixtures",
  version: "1.0.0",
  path: "/mcp",
  protocols: [withTasks(tasks), McpProtocol.v2025_11_25, McpProtocol.v2025_06_18, McpProtocol.v2025_03_26],
  allowSessionTermination: true,
  registrations: fixtures
}).pipe(Layer.provide(HttpGuard.make({ hosts: HttpGuard.localHosts, token: undefined }).layer))

const listening = Layer.effectDiscard(
  HttpServer.HttpServer.use(({ address }) =>
    Effect.sync(() =>
      console.log(`listening on http://127.0.0.1:${address._tag === "InetAddressV4" ? address.port : 0}/mcp`)
    )
  )
)

listening.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.launch,
  NodeRuntime.runMain
)
