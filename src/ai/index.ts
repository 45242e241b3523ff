/**
 * Tools for agents: toolkits for `effect/ai`, and an MCP server.
 *
 * @since 0.1.0
 */
export * as McpServer from "./McpServer.ts"
export * as RunReport from "./RunReport.ts"
export * as SpineToolkit from "./SpineToolkit.ts"
export * as TelaToolkit from "./TelaToolkit.ts"
