/**
 * An MCP server that lets agents in other programs start Spine runs and Tela executions, and get their results.
 *
 * **Details**
 *
 * It serves the tools of `SpineToolkit` and `TelaToolkit` over stdio or HTTP, in all versions of MCP that Effect knows. To a client that
 * declares the extension `io.modelcontextprotocol/tasks` (2026-07-28), a long call is answered with a task. Any other client waits at most 45
 * seconds in one call, because many hosts end a call after a minute.
 *
 * A task is an entry of the `RunStore`, stored before it is answered, under an id of 192 random bits. Its state is that of the run at the
 * provider. Every process on the same store can answer for it, even after the process that created it was killed. `pollIntervalMs` follows
 * `Polling.adaptive`. The time to live of a task grows until its run ends, and then lasts 24 hours. `tasks/cancel` ends the task but not
 * the run: no provider can cancel a run, so it continues and is billed.
 *
 * A failure is the result of the tool, with `isError` and a message that says what to do.
 *
 * **Example** (A server over stdio, as the command `canvas-runs mcp` starts it)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Stdio } from "effect"
 * import { RunStore, Spine } from "canvas-runs"
 * import { McpServer } from "canvas-runs/ai"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const server = McpServer.layerStdio({ serve: [McpServer.spine()] }).pipe(
 *   Layer.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Layer.provide([SpineEmulator.layerTest(), RunStore.layerMemory, Stdio.layerTest({})])
 * )
 *
 * console.log(Layer.isLayer(server)) // => true
 * ```
 *
 * @see https://modelcontextprotocol.io/specification
 * @since 0.1.0
 */
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { Stdio } from "effect/Stdio"
import { Budget } from "../Budget.ts"
import * as CallOptions from "../internal/options.ts"
import { ConfigError } from "../RunError.ts"
import { RunStore } from "../RunStore.ts"
import type { SpineClient } from "../spine/SpineClient.ts"
import type { TelaClient } from "../tela/TelaClient.ts"
import * as HttpGuard from "./internal/httpGuard.ts"
import { type Observer, observer } from "./internal/provider.ts"
import { readOptions } from "./internal/parameters.ts"
import * as RunTasks from "./internal/runTasks.ts"
import * as StdioGuard from "./internal/stdioGuard.ts"
import { withTasks } from "./internal/tasksProtocol.ts"
import * as SpineToolkit from "./SpineToolkit.ts"
import * as TelaToolkit from "./TelaToolkit.ts"

/**
 * The tools of a provider, and how its runs are polled for tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registration {
  /** Polls the runs of the provider. */
  readonly observer: Observer
  /** Registers the tools. */
  readonly tools: Layer.Layer<never, ConfigError, McpServer.McpServer>
}

/**
 * A provider whose tools a server has. {@link spine} and {@link tela} make it.
 *
 * @category models
 * @since 0.1.0
 */
export type Served<R> = Effect.Effect<Registration, ConfigError, R | RunStore>

/**
 * The providers of a server, at least one.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- providers of any kind
export type ServedList = Arr.NonEmptyReadonlyArray<Served<any>>

/**
 * Serves the tools of `SpineToolkit`. An option that does not fit is a `ConfigError`.
 *
 * **Example** (Runs that reserve 80 credits each)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { McpServer } from "canvas-runs/ai"
 *
 * const served = McpServer.spine({ estimate: 80 })
 *
 * console.log(Effect.isEffect(served)) // => true
 * ```
 *
 * @category tools
 * @since 0.1.0
 */
export const spine = (options?: SpineToolkit.LayerOptions): Served<SpineClient> =>
  Effect.gen(function*() {
    yield* readOptions(options)
    const services = yield* Effect.context<SpineClient | RunStore>()
    return {
      observer: observer(yield* SpineToolkit.provider),
      tools: McpServer.toolkit(SpineToolkit.toolkit).pipe(
        Layer.provide(SpineToolkit.layer(options)),
        Layer.provide(Layer.succeedContext(services))
      )
    }
  })

/**
 * Serves the tools of `TelaToolkit`. An option that does not fit is a `ConfigError`.
 *
 * **Example** (Executions that reserve 10 credits each)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { McpServer } from "canvas-runs/ai"
 *
 * const served = McpServer.tela({ estimate: 10 })
 *
 * console.log(Effect.isEffect(served)) // => true
 * ```
 *
 * @category tools
 * @since 0.1.0
 */
export const tela = (options?: TelaToolkit.LayerOptions): Served<TelaClient> =>
  Effect.gen(function*() {
    yield* readOptions(options)
    const services = yield* Effect.context<TelaClient | RunStore>()
    return {
      observer: observer(yield* TelaToolkit.provider),
      tools: McpServer.toolkit(TelaToolkit.toolkit).pipe(
        Layer.provide(TelaToolkit.layer(options)),
        Layer.provide(Layer.succeedContext(services))
      )
    }
  })

/**
 * Options of both servers.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<S extends ServedList> {
  /** The providers whose tools are served, at least one. */
  readonly serve: S
  /**
   * The name of the server.
   *
   * @default "canvas-runs"
   */
  readonly name?: string | undefined
  /**
   * The version of the server.
   *
   * @default "0.1.0"
   */
  readonly version?: string | undefined
}

/**
 * Options for {@link layerHttp}.
 *
 * @category options
 * @since 0.1.0
 */
export interface HttpOptions<S extends ServedList> extends Options<S> {
  /**
   * The path of the endpoint.
   *
   * @default "/mcp"
   */
  readonly path?: HttpRouter.PathInput | undefined
  /**
   * The token that each request must have in its header `Authorization: Bearer TOKEN`. Without one, any program on the machine can start
   * runs that are billed.
   *
   * @default no token
   */
  readonly token?: Redacted.Redacted<string> | undefined
  /**
   * The host names that requests may name in `Host` and `Origin`, with any port.
   *
   * @default ["localhost", "127.0.0.1", "[::1]"]
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

const instructions =
  "These tools start AI runs that take minutes to hours and cost money. Start one run for each piece of work, and give it a key. If its " +
  "status is \"running\", call the wait tool of the same provider, spine_wait or tela_wait, until the status changes. A run continues even " +
  "if you stop waiting. No tool can cancel it. If a call fails, do what its error message says."

const stateful = [
  McpProtocol.v2025_11_25,
  McpProtocol.v2025_06_18,
  McpProtocol.v2025_03_26,
  McpProtocol.v2024_11_05
] as const

/** The options of the server of `effect/ai`. */
const settings = Effect.fnUntraced(function*<S extends ServedList>(given: Options<S>, more: ReadonlyArray<string>) {
  const options = yield* CallOptions.copyConfig("options", given, ["serve", "name", "version", ...more], true)
  const { name = "canvas-runs", version = "0.1.0" } = options
  const serve: Arr.NonEmptyReadonlyArray<Served<Effect.Services<S[number]>>> = options.serve
  yield* CallOptions.checkGivenConfig(
    "serve",
    serve,
    isServed,
    "a list of McpServer.spine() and McpServer.tela(), not empty"
  )
  yield* CallOptions.checkConfig("name", name, CallOptions.isText, "text that is not blank")
  yield* CallOptions.checkConfig("version", version, CallOptions.isText, "text that is not blank")
  const registrations = yield* Effect.forEach(serve, identity)
  const store = yield* RunStore
  const budget = Option.getOrUndefined(yield* Effect.serviceOption(Budget))
  const tasks = yield* RunTasks.make(store, budget, registrations.map(({ observer }) => observer))
  return {
    name,
    version,
    instructions,
    protocols: [withTasks(tasks), ...stateful] as const,
    registrations: Layer.mergeAll(...Arr.map(registrations, ({ tools }) => tools))
  }
})

const isServed = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(Effect.isEffect)

/**
 * Creates a layer that serves the tools over standard input and output.
 *
 * **When to use**
 *
 * Use it if the program of the agent starts the server. This is what the command `canvas-runs mcp` does.
 *
 * **Details**
 *
 * A line of the input that is not a JSON-RPC message is answered with an error. When the input ends, the layer's fiber is interrupted; runs
 * continue at the provider. Nothing else may write to standard output: let the `Logger` of the program write to standard error.
 *
 * **Example** (A server without input)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Stdio } from "effect"
 * import { RunStore, Tela } from "canvas-runs"
 * import { McpServer } from "canvas-runs/ai"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const server = McpServer.layerStdio({ serve: [McpServer.tela()] }).pipe(
 *   Layer.provide(Tela.layer({ apiKey: Redacted.make("tela_test") })),
 *   Layer.provide([TelaEmulator.layerTest(), RunStore.layerMemory, Stdio.layerTest({})])
 * )
 *
 * const exit = await Effect.runPromiseExit(Layer.launch(server))
 * console.log(exit._tag) // => "Failure"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStdio = <const S extends ServedList>(
  options: Options<S>
): Layer.Layer<never, ConfigError, Effect.Services<S[number]> | RunStore | Stdio> =>
  Layer.unwrap(Effect.map(settings(options, []), (settings) => McpServer.layerStdio(settings))).pipe(
    Layer.provide(StdioGuard.layer),
    protocolsAreValid
  )

/**
 * Creates a layer that serves the tools over HTTP, on the `HttpRouter` of the context.
 *
 * **Details**
 *
 * A request must name a host of `allowedHosts`, and so must its `Origin`, if it has one: otherwise the answer is 403. With `token`, a request
 * without the token is answered with 401. Let the HTTP server listen on `127.0.0.1`.
 *
 * **Example** (A server on a port)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { RunStore, Spine } from "canvas-runs"
 * import { McpServer } from "canvas-runs/ai"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const routes = McpServer.layerHttp({ serve: [McpServer.spine()], token: Redacted.make("a secret") }).pipe(
 *   Layer.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") })),
 *   Layer.provide([SpineEmulator.layerTest(), RunStore.layerMemory])
 * )
 * // In your program: HttpRouter.serve(routes), with NodeHttpServer.layer(createServer, { port: 4020, host: "127.0.0.1" })
 * const { dispose, handler } = HttpRouter.toWebHandler(routes)
 *
 * const response = await handler(new Request("http://localhost/mcp", { method: "POST", headers: { host: "localhost" } }))
 * console.log(response.status) // => 401
 * await dispose()
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <const S extends ServedList>(
  options: HttpOptions<S>
): Layer.Layer<never, ConfigError, Effect.Services<S[number]> | RunStore | HttpRouter.HttpRouter> =>
  Layer.unwrap(Effect.gen(function*() {
    const common = yield* settings(options, ["path", "token", "allowedHosts"])
    const { allowedHosts = HttpGuard.localHosts, path = "/mcp", token } = options
    yield* CallOptions.checkConfig("path", path, isPath, "a path that begins with /")
    yield* CallOptions.checkConfig("allowedHosts", allowedHosts, isHosts, hostNames)
    if (!isToken(token)) {
      return yield* new ConfigError({
        message:
          "token is not Redacted, is blank, or has characters that a header cannot carry. Give a secret of visible ASCII characters as " +
          "Redacted.make(text).",
        option: "token"
      })
    }
    return McpServer.layerHttp({ ...common, path, allowSessionTermination: true }).pipe(
      Layer.provide(HttpGuard.make({ hosts: allowedHosts, token }).layer)
    )
  })).pipe(protocolsAreValid)

const isPath = (value: unknown): boolean => Predicate.isString(value) && /^\/\S*$/.test(value)

const isHosts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(HttpGuard.isHost)

const hostNames =
  "an array of host names in lower case, without ports, such as \"localhost\", \"10.0.0.7\" or \"[::1]\""

const isToken = (value: unknown): boolean =>
  value === undefined ||
  Redacted.isRedacted(value) && HttpGuard.isToken(Redacted.value(value))

/** The protocols are fixed, so `effect/ai` never rejects them. */
const protocolsAreValid = <A, R>(self: Layer.Layer<A, ConfigError | Cause.IllegalArgumentError, R>) =>
  Layer.catchTag(self, "IllegalArgumentError", (error) => Layer.effectDiscard(Effect.die(error)))
