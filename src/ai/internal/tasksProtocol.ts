/**
 * The tasks extension of MCP, `io.modelcontextprotocol/tasks`, as an addition to the protocol 2026-07-28 of `effect/ai`: the methods
 * `tasks/get`, `tasks/update` and `tasks/cancel`, and a task as the result of `tools/call`.
 *
 * It wraps the protocol and not the transport: stdio and HTTP have the same methods, and `effect/ai` checks every request.
 *
 * @see https://modelcontextprotocol.io/seps/2663-tasks-extension
 */
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import { decodeNameHeader } from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { appendPreResponseHandlerUnsafe } from "effect/http/HttpEffect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"

/** The name of the extension in the capabilities of client and server. */
export const extension = "io.modelcontextprotocol/tasks"

const UnknownObject = Schema.Record(Schema.String, Schema.Unknown)

/** The fields of every task. Times are ISO 8601 texts. */
const taskFields = {
  taskId: Schema.String,
  statusMessage: Schema.optionalKey(Schema.String),
  createdAt: Schema.String,
  lastUpdatedAt: Schema.String,
  /** Milliseconds from the creation, after which the task may be gone. */
  ttlMs: Schema.NullOr(Schema.Int),
  /** How long the client should wait before it asks again. */
  pollIntervalMs: Schema.optionalKey(Schema.Int)
}

const Working = Schema.Struct({ ...taskFields, status: Schema.Literals(["working", "cancelled"]) })
const InputRequired = Schema.Struct({
  ...taskFields,
  status: Schema.Literal("input_required"),
  inputRequests: UnknownObject
})
const Completed = Schema.Struct({ ...taskFields, status: Schema.Literal("completed"), result: UnknownObject })
const Failed = Schema.Struct({ ...taskFields, status: Schema.Literal("failed"), error: UnknownObject })

/** The state of a task, with its result or error if it has ended. */
export type DetailedTask =
  | typeof Working.Type
  | typeof InputRequired.Type
  | typeof Completed.Type
  | typeof Failed.Type

/** The state of a task without its result, as the answer to `tools/call` has it. */
export interface Task extends Schema.Schema.Type<typeof Task> {}

const Task = Schema.Struct({
  ...taskFields,
  status: Schema.Literals(["working", "input_required", "completed", "failed", "cancelled"])
})

/** The tasks that a server keeps. A method returns `undefined` for an id that it does not know. */
export interface Tasks {
  readonly get: (taskId: string) => Effect.Effect<DetailedTask | undefined, McpSchema.InternalError>
  readonly update: (
    taskId: string,
    inputResponses: Readonly<Record<string, unknown>>
  ) => Effect.Effect<true | undefined, McpSchema.InternalError>
  readonly cancel: (taskId: string) => Effect.Effect<true | undefined, McpSchema.InternalError>
}

/** A call of a tool by a client that accepts a task as the answer. */
export interface Call {
  /** Answers the call with a task, instead of the result of the handler. The task must be stored already. */
  readonly answerWith: (task: Task) => void
}

/** The current call, in the handler of a tool. `undefined` if the caller does not accept a task. */
export const CurrentCall = Context.Reference<Call | undefined>("canvas-runs/ai/CurrentCall", {
  defaultValue: () => undefined
})

// -- wire -------------------------------------------------------------------------------------------------------------

const complete = { resultType: Schema.Literal("complete") }

const CreateTaskResult = Schema.Struct({ ...Task.fields, resultType: Schema.Literal("task") })
const Acknowledged = Schema.Struct(complete)
const GetTaskResult = Schema.Union([
  Schema.Struct({ ...Working.fields, ...complete }),
  Schema.Struct({ ...InputRequired.fields, ...complete }),
  Schema.Struct({ ...Completed.fields, ...complete }),
  Schema.Struct({ ...Failed.fields, ...complete })
])

const params = { _meta: Schema.optionalKey(UnknownObject), taskId: Schema.String }

const base = McpProtocol.v2026_07_28

/** The RPC of a method of the protocol. Its types are erased there. */
const baseRpc = (method: string): Rpc.AnyWithProps =>
  base.clientRpcs.requests.get(method) as unknown as Rpc.AnyWithProps

const error = baseRpc("tools/call").errorSchema

const methods = {
  "tools/call": Rpc.make("tools/call", {
    payload: baseRpc("tools/call").payloadSchema,
    success: Schema.Union([CreateTaskResult, baseRpc("tools/call").successSchema]),
    error
  }),
  // Its payload is decoded in the handler, because the base has no field for tasks
  "subscriptions/listen": Rpc.make("subscriptions/listen", {
    payload: UnknownObject,
    success: baseRpc("subscriptions/listen").successSchema,
    error
  }),
  "tasks/get": Rpc.make("tasks/get", { payload: params, success: GetTaskResult, error }),
  "tasks/update": Rpc.make("tasks/update", {
    payload: { ...params, inputResponses: UnknownObject },
    success: Acknowledged,
    error
  }),
  "tasks/cancel": Rpc.make("tasks/cancel", { payload: params, success: Acknowledged, error })
}

type Handler = (request: unknown, options: unknown) => Effect.Effect<unknown, unknown, McpSchema.McpRequestContext>

/** What the protocol hands to the runtime of `effect/ai`, which installs its handlers. */
interface HandlerTarget {
  readonly context: { readonly serverInfo: { readonly extensions?: Readonly<Record<string, unknown>> | undefined } }
  readonly install: (
    protocol: { readonly protocolVersion: string },
    rpcs: RpcGroup.RpcGroup<Rpc.Any>,
    handlers: Readonly<Record<string, Handler>>
  ) => Effect.Effect<void>
}

/** The protocol 2026-07-28 with tasks. */
export const withTasks = (tasks: Tasks): typeof base => {
  const clientRpcs = RpcGroup.make(...base.clientRpcs.requests.values(), ...Object.values(methods))
  const adapter: typeof base & { readonly handlerRpcs: typeof clientRpcs } = {
    ...base,
    clientRpcs,
    // The runtime accepts the requests whose methods are in this group
    handlerRpcs: clientRpcs,
    installHandlers: (core, lifecycle, target: HandlerTarget) =>
      base.installHandlers(
        core,
        lifecycle,
        {
          ...target,
          // Only this version of MCP has the extension
          context: {
            ...target.context,
            serverInfo: {
              ...target.context.serverInfo,
              extensions: { ...target.context.serverInfo.extensions, [extension]: {} }
            }
          },
          install: (protocol, rpcs, handlers) =>
            target.install(protocol, rpcs.add(...Object.values(methods)), {
              ...handlers,
              "tools/call": callWithTask(handlers["tools/call"]!),
              "subscriptions/listen": listen(handlers["subscriptions/listen"]!),
              ...taskHandlers(tasks)
            })
        } satisfies HandlerTarget
      )
  }
  return adapter
}

const callWithTask = (call: Handler): Handler => (request, options) =>
  Effect.flatMap(acceptsTasks, (accepts) => {
    if (!accepts) return call(request, options)
    let task: Task | undefined
    return call(request, options).pipe(
      Effect.provideService(CurrentCall, {
        answerWith: (stored) => {
          task = stored
        }
      }),
      Effect.map((result) => task === undefined ? result : { ...task, resultType: "task" })
    )
  })

const decodeListen = Schema.decodeUnknownEffect(
  Schema.toCodecJson(baseRpc("subscriptions/listen").payloadSchema as Schema.Codec<unknown>)
)

/** Status notifications of tasks are optional, and this server sends none. A client without the extension may not ask for them. */
const listen = (subscribe: Handler): Handler => (request, options) =>
  Effect.gen(function*() {
    const notifications = Predicate.hasProperty(request, "notifications") ? request.notifications : undefined
    if (Predicate.hasProperty(notifications, "taskIds")) yield* needTasks("subscriptions/listen with taskIds")
    const decoded = yield* Effect.catch(
      decodeListen(request),
      () => reject({ code: McpSchema.INVALID_PARAMS_ERROR_CODE, message: "Invalid method parameters" })
    )
    return yield* subscribe(decoded, options)
  })

/** Fails unless the client declared the extension in the current request. */
const needTasks = (what: string) =>
  Effect.flatMap(acceptsTasks, (accepts) =>
    accepts ? Effect.void : reject({
      code: MISSING_CLIENT_CAPABILITY,
      message: `${what} needs a client that declares the extension ${extension} in the request`,
      data: { requiredCapabilities: { extensions: { [extension]: {} } } }
    }, 400))

const taskHandlers = ({ cancel, get, update }: Tasks) => {
  const handle = <P extends { readonly taskId: string }, A>(
    method: string,
    answer: (request: P) => Effect.Effect<A | undefined, McpSchema.InternalError>,
    toResult: (answer: A) => object
  ): Handler =>
  (request) =>
    Effect.gen(function*() {
      const { taskId } = request as P
      yield* needTasks(method)
      yield* checkNameHeader(taskId)
      const answered = yield* answer(request as P)
      return answered === undefined
        ? yield* reject({
          code: McpSchema.INVALID_PARAMS_ERROR_CODE,
          message: `${method}: the task was not found. It never existed, or was removed from the store.`
        })
        : { ...toResult(answered), resultType: "complete" }
    })
  return {
    "tasks/get": handle("tasks/get", ({ taskId }) => get(taskId), (task) => task),
    "tasks/update": handle(
      "tasks/update",
      (
        { inputResponses, taskId }: {
          readonly taskId: string
          readonly inputResponses: Readonly<Record<string, unknown>>
        }
      ) => update(taskId, inputResponses),
      () => ({})
    ),
    "tasks/cancel": handle("tasks/cancel", ({ taskId }) => cancel(taskId), () => ({}))
  }
}

/** The code of the error about a capability that the client did not declare in the request. */
const MISSING_CLIENT_CAPABILITY = -32021

/** Whether the client declared the extension in the current request. */
const acceptsTasks = Effect.map(
  McpSchema.McpRequestContext,
  ({ clientCapabilities: { extensions } }) => Predicate.hasProperty(extensions, extension)
)

/** Fails with a JSON-RPC error. Over HTTP, the response has the status. */
const reject = (error: { readonly code: number; readonly message: string; readonly data?: unknown }, status?: number) =>
  Effect.withFiber((fiber) => {
    if (status !== undefined) {
      appendPreResponseHandlerUnsafe(
        fiber.context,
        (_request, response) => Effect.succeed(HttpServerResponse.setStatus(response, status))
      )
    }
    return Effect.fail(error)
  })

/** Over HTTP, a request about a task has its id in the header `Mcp-Name`, by which a load balancer routes it. */
const checkNameHeader = (taskId: string) =>
  Effect.flatMap(Effect.serviceOption(HttpServerRequest.HttpServerRequest), (request) => {
    if (Option.isNone(request)) return Effect.void
    const header = request.value.headers["mcp-name"]
    return header !== undefined && decodeNameHeader(header) === taskId
      ? Effect.void
      : reject({
        code: McpSchema.HEADER_MISMATCH_ERROR_CODE,
        message: "Mcp-Name header does not match params.taskId"
      }, 400)
  })
